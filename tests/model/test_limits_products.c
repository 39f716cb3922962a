/* Closed forms of methods whose change of a weight is a product: the weight that each says it trains, computed here in
 * double from its tensors, gives a network without the method the same logits. */
#include "fixture.h"
#include "util.h"

#include <unistd.h>

#include "model/internal.h"
#include "model/low_rank.h"
#include "weights/safetensors.h"

/* ---- the tensors of a method at a site ------------------------------------------------------------------------ */

/* Returns NULL if the method does not have the tensor at this site; site NULL: of the model. */
static const pb_param *tensor(const fixture *f, const pb_site *site, const char *name)
{
    return pb_params_find_added(f->model, f->part[0].method, site, name);
}

static double at(const pb_param *p, int row, int col)
{
    return (double)p->x[row * p->cols + col];
}

/* Element [i,j] of B A. */
static double product(const pb_param *B, const pb_param *A, int i, int j)
{
    double sum = 0;
    for (int k = 0; k < A->rows; k++)
        sum += at(B, i, k) * at(A, k, j);
    return sum;
}

/* The length of a row of p, or of a column. */
static double length(const pb_param *p, int k, bool column)
{
    double sum = 0;
    for (int i = 0; i < (column ? p->rows : p->cols); i++)
        sum += pow(column ? at(p, i, k) : at(p, k, i), 2);
    return sqrt(sum);
}

/* ---- changes, element [i,j] of W' - W -------------------------------------------------------------------------- */

typedef struct change {
    const char *spec;
    double (*of)(const fixture *f, const pb_site *site, int i, int j);
} change;

static double vera(const fixture *f, const pb_site *site, int i, int j)
{
    const pb_param *A = tensor(f, NULL, "A"), *B = tensor(f, NULL, "B"), *d = tensor(f, site, "d");
    double sum = 0;
    for (int k = 0; k < d->cols; k++)
        sum += at(B, i, k) * at(d, 0, k) * at(A, k, j);
    return at(tensor(f, site, "b"), 0, i) * sum;
}

/* The mean of z is the first half of d * (A x). */
static double pvera(const fixture *f, const pb_site *site, int i, int j)
{
    const pb_param *A = tensor(f, NULL, "A"), *B = tensor(f, NULL, "B"), *d = tensor(f, site, "d");
    double sum = 0;
    for (int k = 0; k < d->cols / 2; k++)
        sum += at(B, i, k) * at(d, 0, k) * at(A, k, j);
    return at(tensor(f, site, "b"), 0, i) * sum;
}

/* W here is that of the base: hooks change no parameter. */
static double hira(const fixture *f, const pb_site *site, int i, int j)
{
    return at(site->w, i, j) * product(tensor(f, site, "B"), tensor(f, site, "A"), i, j);
}

static double loha(const fixture *f, const pb_site *site, int i, int j)
{
    const pb_low_rank_settings *c = f->part[0].conf;
    return c->alpha / c->rank * product(tensor(f, site, "B1"), tensor(f, site, "A1"), i, j) *
           product(tensor(f, site, "B2"), tensor(f, site, "A2"), i, j);
}

static double miss(const fixture *f, const pb_site *site, int i, int j)
{
    const pb_param *M = tensor(f, site, "M");
    return at(M, i, j % M->cols);
}

static double bat(const fixture *f, const pb_site *site, int i, int j)
{
    const pb_param *M = tensor(f, site, "M");
    int r = M->cols, top = i / r * r, left = j / r * r;
    double sum = at(M, i, j - left);
    for (int k = 0; k < r; k++)
        sum += at(site->w, i, left + k) * at(M, top + k, j - left);
    return sum;
}

static double delora(const fixture *f, const pb_site *site, int i, int j)
{
    const pb_param *A = tensor(f, site, "A"), *B = tensor(f, site, "B");
    double sum = 0;
    for (int k = 0; k < A->rows; k++)
        sum += at(B, i, k) / length(B, k, true) * at(A, k, j) / length(A, k, false);
    return at(tensor(f, site, "lambda"), 0, 0) / A->rows * sum * length(site->w, j, true);
}

/* An element of a factor of LoKr: the whole tensor, or a product. */
static double factor(const fixture *f, const pb_site *site, const char *whole, int row, int col)
{
    char one[8], two[8];
    snprintf(one, sizeof one, "%sa", whole);
    snprintf(two, sizeof two, "%sb", whole);
    const pb_param *all = tensor(f, site, whole);
    return all ? at(all, row, col) : product(tensor(f, site, one), tensor(f, site, two), row, col);
}

static double lokr(const fixture *f, const pb_site *site, int i, int j)
{
    const pb_low_rank_settings *c = f->part[0].conf;
    const pb_param *W1 = tensor(f, site, "W1"), *W1a = tensor(f, site, "W1a"), *W1b = tensor(f, site, "W1b");
    int b1 = site->out / (W1 ? W1 : W1a)->rows, b2 = site->in / (W1 ? W1 : W1b)->cols;
    return c->alpha / c->rank * factor(f, site, "W1", i / b1, j / b2) * factor(f, site, "W2", i % b1, j % b2);
}

/* The sum over i of B_i diag(lambda_i) A diag(gamma_i), where PEFT's numbers of the columns of B and of the rows that meet
 * them differ. */
static double randlora(const fixture *f, const pb_site *site, int i, int j)
{
    const pb_param *A = tensor(f, NULL, "A"), *B = tensor(f, NULL, "B");
    const pb_param *lambda = tensor(f, site, "lambda"), *gamma = tensor(f, site, "gamma");
    int tall = site->in <= site->out ? i : j, least = site->in <= site->out ? j : i, n = lambda->cols;
    double sum = 0;
    for (int k = 0; k < lambda->rows; k++)
        for (int q = 0; q < n; q++)
            sum += at(B, tall, k * n + q) * at(lambda, k, q) * at(A, k, least) * at(gamma, q, least);
    return 2.0 / lambda->rows * sum; /* alpha 2 */
}

/* Column j of H by the base's weight, with one encoder and one decoder. */
static double peanut(const fixture *f, const pb_site *site, int i, int j)
{
    const pb_param *A = tensor(f, site, "A"), *B = tensor(f, site, "B"), *E = tensor(f, site, "encoder.0");
    const pb_param *D = tensor(f, site, "decoder.0");
    double h[4] = {0}, coded[4] = {0}, sum = 0;
    for (int k = 0; k < 4; k++) {
        for (int o = 0; o < site->out; o++)
            h[k] += at(A, k, o) * at(site->w, o, j);
        h[k] = tanh(h[k]);
    }
    for (int k = 0; k < 4; k++) {
        for (int q = 0; q < 4; q++)
            coded[k] += at(E, k, q) * h[q];
        coded[k] = tanh(coded[k]);
    }
    for (int k = 0; k < 4; k++) {
        double decoded = 0;
        for (int q = 0; q < 4; q++)
            decoded += at(D, k, q) * coded[q];
        sum += at(B, i, k) * (tanh(decoded) + h[k]);
    }
    return 0.5 * sum;
}

/* Equation 6: place j of x, or of x filled up with its first elements, is summed to j mod s, and row i is i mod s. */
static double mora_summed(const fixture *f, const pb_site *site, int i, int j)
{
    const pb_param *M = tensor(f, site, "M");
    int s = M->cols, filled = (site->in + s - 1) / s * s;
    return at(M, i % s, j % s) + (site->in + j < filled ? at(M, i % s, (site->in + j) % s) : 0);
}

/* M R_g, with the rotation of part g; a column past the end is one of the first. */
static double rotated(const pb_param *M, int row, int place)
{
    int s = M->cols, part = place / s, i = place % s, pair = i % (s / 2);
    double angle = part * pow(10000, -2.0 * pair / s);
    return i < s / 2 ? at(M, row, i) * cos(angle) + at(M, row, i + s / 2) * sin(angle)
                     : at(M, row, i) * cos(angle) - at(M, row, i - s / 2) * sin(angle);
}

/* Equation 9: row i belongs to part (i mod all) / s. */
static double mora(const fixture *f, const pb_site *site, int i, int j)
{
    const pb_param *M = tensor(f, site, "M");
    int s = M->cols, all = (site->in + s - 1) / s * s, part = i % all / s, row = i % all % s;
    double sum = j / s == part ? rotated(M, row, j) : 0;
    return sum + (site->in + j < all && (site->in + j) / s == part ? rotated(M, row, site->in + j) : 0);
}

/* Element k of all A and B: those of A of the first projection, then of its B, and so on. */
static double assigned(const fixture *f, int k)
{
    const pb_param *places = tensor(f, NULL, "places");
    int times = 0;
    for (int i = 0; i < places->cols; i++)
        times += places->index[i] == places->index[k];
    return at(tensor(f, NULL, "theta"), 0, places->index[k]) / sqrt(times);
}

static double unilora(const fixture *f, const pb_site *site, int i, int j)
{
    enum { RANK = 2 };
    int first = 0;
    double sum = 0;
    for (int k = 0; pb_model_site(f->model, k) != site; k++) {
        const pb_site *s = pb_model_site(f->model, k);
        first += s->w && pb_model_targets(f->model, 0, s) ? RANK * (s->in + s->out) : 0;
    }
    for (int q = 0; q < RANK; q++)
        sum += assigned(f, first + q * site->in + j) * assigned(f, first + RANK * site->in + i * RANK + q);
    return sum;
}

/* Element `col` of the mixture of the k vectors of the bank with the largest logits in a row. */
static double mixed(const fixture *f, const pb_param *logits, int row, int col, int k)
{
    const pb_param *bank = tensor(f, NULL, "bank");
    double sum = 0, all = 0;
    for (int j = 0; j < bank->rows; j++) {
        int larger = 0;
        for (int i = 0; i < bank->rows; i++)
            larger += at(logits, row, i) > at(logits, row, j);
        double weight = larger < k ? exp(at(logits, row, j)) : 0;
        sum += weight * at(bank, j, col);
        all += weight;
    }
    return sum / all;
}

static double vblora(const fixture *f, const pb_site *site, int i, int j, int k)
{
    const pb_param *A = tensor(f, site, "A"), *B = tensor(f, site, "B");
    int b = tensor(f, NULL, "bank")->cols, rank = A->rows / (site->in / b);
    double sum = 0;
    for (int q = 0; q < rank; q++)
        sum += mixed(f, B, q * (site->out / b) + i / b, i % b, k) * mixed(f, A, q * (site->in / b) + j / b, j % b, k);
    return sum;
}

static double vblora_1(const fixture *f, const pb_site *site, int i, int j)
{
    return vblora(f, site, i, j, 1);
}

static double vblora_2(const fixture *f, const pb_site *site, int i, int j)
{
    return vblora(f, site, i, j, 2);
}

static double vblora_all(const fixture *f, const pb_site *site, int i, int j)
{
    return vblora(f, site, i, j, 7);
}

/* mlp.down has 32 inputs and all others 16, of which 5 is no divisor. */
static const change changes[] = {
    {"vera:rank=5,targets=attn.q mlp.up mlp.down", vera},
    {"pvera:rank=5,targets=attn.q mlp.up mlp.down", pvera},
    {"hira:rank=3,targets=*", hira},
    {"loha:rank=3,alpha=2,targets=*", loha},
    {"miss:rank=4,targets=*", miss},
    {"miss:rank=5,targets=attn.v mlp.down", miss},
    {"bat:rank=4,targets=*", bat},
    {"bat:rank=16,targets=mlp.*", bat},
    {"delora:rank=3,lambda=2,targets=attn.* mlp.up", delora},
    {"lokr:rank=1,alpha=3,targets=*", lokr},
    {"lokr:rank=1,alpha=3,both=yes,targets=*", lokr},
    {"lokr:rank=2,alpha=3,factor=2,targets=mlp.*", lokr},
    {"lokr:rank=2,alpha=3,factor=1,targets=attn.*", lokr}, /* a LoRA: W1 is one number */
    {"unilora:dimension=50,rank=2,targets=attn.k mlp.down", unilora},
    {"unilora:dimension=320,rank=2,targets=attn.k mlp.down", unilora}, /* each element once: a LoRA */
    {"vblora:vectors=7,topk=1,rank=3,length=4,targets=*", vblora_1},   /* vectors of the bank themselves */
    {"vblora:vectors=7,rank=3,length=4,targets=*", vblora_2},
    {"vblora:vectors=7,topk=7,rank=2,targets=attn.k mlp.down", vblora_all},
    {"randlora:rank=3,alpha=2,targets=*", randlora},
    {"peanut:rank=4,depth=1,act=tanh,scale=0.5,targets=*", peanut},
    {"mora:rank=3,targets=*", mora},
    {"mora:rank=4,rope=no,targets=attn.q mlp.*", mora_summed},
    {"krona:targets=*", lokr},
    {"krona:factor=1,targets=attn.q mlp.down", lokr}, /* any change */
};

/* ---- the networks compared ------------------------------------------------------------------------------------- */

/* Copies what a method trains of the base model and of the head: it has been stirred too. */
static void copy_base(const fixture *from, const fixture *to)
{
    for (int i = 0; i < pb_model_params(from->model); i++) {
        const pb_param *p = pb_model_param(from->model, i);
        if (p->trainable && p->kind != PB_ADDED)
            memcpy(pb_model_find(to->model, p->name)->x, p->x, (size_t)(p->rows * p->cols) * sizeof *p->x);
    }
}

static bool same_logits(fixture *a, fixture *b)
{
    size_t n, m;
    double *want = fixture_logits(a, &pb_testbed_texts, &n);
    free(fixture_logits(b, &pb_testbed_texts, &m));
    bool same = n == m && distance(n, pb_graph_output(b->graph)->x, want) <= 10 * EXACT;
    free(want);
    return same;
}

/* Returns the number of changed weights. */
static int apply(const fixture *f, const fixture *full, const change *c)
{
    int changed = 0;
    for (int k = 0; k < pb_model_sites(f->model); k++) {
        const pb_site *site = pb_model_site(f->model, k), *other = pb_model_site(full->model, k);
        if (!site->w || !pb_model_targets(f->model, 0, site))
            continue;
        for (int i = 0; i < site->out; i++)
            for (int j = 0; j < site->in; j++)
                other->w->x[i * site->in + j] += (pb_real)c->of(f, site, i, j);
        changed++;
    }
    return changed;
}

static void check_change(const change *c)
{
    fixture f = fixture_open(c->spec, 3, 5), full = fixture_open("full", 3, 5);
    fixture_stir(&f, 0.3);
    copy_base(&f, &full);
    CHECK(!same_logits(&f, &full)); /* the change is large enough to be missed */
    CHECK(apply(&f, &full, c) > 0);
    if (!CHECK(same_logits(&f, &full)))
        printf("  %s\n", c->spec);
    fixture_close(&f);
    fixture_close(&full);
}

TEST(the_change_of_a_weight_is_that_of_the_paper)
{
    for (size_t i = 0; i < PB_COUNT(changes); i++)
        check_change(&changes[i]);
}

/* ---- limits ---------------------------------------------------------------------------------------------------- */

static pb_real *lora(const fixture *plain, const pb_site *site, const char *name)
{
    return pb_params_find_added(plain->model, plain->part[0].method, site, name)->x;
}

TEST(loha_of_rank_one_is_lora_of_rank_one)
{
    fixture f = fixture_open("loha:rank=1,alpha=3,targets=*", 3, 5);
    fixture plain = fixture_open("lora:rank=1,alpha=3,targets=*", 3, 5);
    fixture_stir(&f, 0.3);
    copy_base(&f, &plain);
    for (int k = 0; k < pb_model_sites(f.model); k++) {
        const pb_site *site = pb_model_site(f.model, k);
        for (int i = 0; site->w && i < site->out; i++)
            lora(&plain, site, "B")[i] = tensor(&f, site, "B1")->x[i] * tensor(&f, site, "B2")->x[i];
        for (int j = 0; site->w && j < site->in; j++)
            lora(&plain, site, "A")[j] = tensor(&f, site, "A1")->x[j] * tensor(&f, site, "A2")->x[j];
    }
    CHECK(same_logits(&f, &plain));
    fixture_close(&f);
    fixture_close(&plain);
}

/* The noise of one token at every target of a step.  With v = 0 and equal halves of A, the gradient of the second half
 * of d is e / 2 times that of the first. */
static int collect_noise(fixture *f, uint64_t key, double *e)
{
    static const int offset[] = {0, 1}, ids[] = {205}, label[] = {1};
    const pb_batch token = {.sequences = 1, .offset = offset, .ids = ids, .label = label};
    int n = 0;
    f->key = key;
    fixture_forward(f, &token, true, 0);
    pb_executor_backward(f->executor, f->graph);
    for (int k = 0; k < pb_model_sites(f->model); k++) {
        const pb_param *d = tensor(f, pb_model_site(f->model, k), "d");
        for (int j = 0; d && j < d->cols / 2; j++)
            e[n++] = 2 * (double)d->g[d->cols / 2 + j] / (double)d->g[j];
    }
    return n;
}

static double mean_of_products(int n, const double *x, const double *y, int power)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += pow(x[i], power) * pow(y[i], power) / n;
    return sum;
}

TEST(the_noise_of_pvera_is_normal_and_apart_for_each_projection_and_step)
{
    enum { R = 2000, TARGETS = 4 };
    static double e[2][TARGETS * R];
    fixture f = fixture_open("pvera:rank=2000,divergence=0,targets=attn.v mlp.up", 3, 5);
    fixture_stir(&f, 0.3);
    const pb_param *A = tensor(&f, NULL, "A");
    memcpy(A->x + R * A->cols, A->x, (size_t)(R * A->cols) * sizeof *A->x);
    for (int k = 0; k < pb_model_sites(f.model); k++) {
        const pb_param *d = tensor(&f, pb_model_site(f.model, k), "d");
        for (int j = 0; d && j < R; j++)
            d->x[R + j] = 0;
    }
    for (int step = 0; step < 2; step++)
        CHECK_INT(collect_noise(&f, (uint64_t)step + 1, e[step]), TARGETS * R);
    double one[TARGETS * R], n = TARGETS * R; /* below: five deviations of each mean */
    for (int i = 0; i < TARGETS * R; i++)
        one[i] = 1;
    CHECK_NEAR(mean_of_products(TARGETS * R, e[0], one, 1), 0, 5 / sqrt(n));
    CHECK_NEAR(mean_of_products(TARGETS * R, e[0], one, 2), 1, 5 * sqrt(2 / n));
    CHECK_NEAR(mean_of_products(TARGETS * R, e[0], one, 4), 3, 5 * sqrt(96 / n));
    CHECK_NEAR(mean_of_products(TARGETS * R, e[0], e[1], 1), 0, 5 / sqrt(n));
    CHECK_NEAR(mean_of_products(3 * R, e[0], e[0] + R, 1), 0, 5 / sqrt(3.0 * R));
    fixture_close(&f);
}

/* ---- adapters -------------------------------------------------------------------------------------------------- */

/* Element [i,j] of the sum of the Kronecker products of a map of Compacter. */
static double mapped(const fixture *f, const pb_site *site, const char *end, int n, int i, int j, int rows, int cols)
{
    char name[5][16];
    static const char *const parts[] = {"A", "s", "t", "B", "bias"};
    for (int k = 0; k < 5; k++)
        snprintf(name[k], sizeof name[k], "%s.%s", end, parts[k]);
    const pb_param *own = tensor(f, site, name[0]), *A = own ? own : tensor(f, NULL, "A");
    const pb_param *s = tensor(f, site, name[1]), *t = tensor(f, site, name[2]), *B = tensor(f, site, name[3]);
    double sum = 0;
    int b1 = rows / n, b2 = cols / n, rank = t ? t->rows / n : 0;
    for (int k = 0; k < n; k++) {
        double right = B ? at(B, k * b1 + i % b1, j % b2) : 0;
        for (int q = 0; q < rank; q++)
            right += at(s, k * b1 + i % b1, q) * at(t, k * rank + q, j % b2);
        sum += at(A, k * n + i / b1, j / b2) * right;
    }
    return sum;
}

/* Gives an adapter of Houlsby et al. the maps of Compacter. */
static int set_adapter(const fixture *f, const fixture *plain, const char *end, int n)
{
    char weight[16], bias[16];
    int set = 0;
    snprintf(weight, sizeof weight, "%s.weight", end);
    snprintf(bias, sizeof bias, "%s.bias", end);
    for (int k = 0; k < pb_model_sites(f->model); k++) {
        const pb_site *site = pb_model_site(f->model, k);
        const pb_param *from = tensor(f, site, bias), *w = tensor(plain, site, weight), *to = tensor(plain, site, bias);
        if (!from || !CHECK(w && to))
            continue;
        memcpy(to->x, from->x, (size_t)to->cols * sizeof *to->x);
        for (int i = 0; i < w->rows * w->cols; i++)
            w->x[i] = (pb_real)mapped(f, site, end, n, i / w->cols, i % w->cols, w->rows, w->cols);
        set++;
    }
    return set;
}

static void check_adapter(const char *spec, const char *full, int n, int adapters)
{
    fixture f = fixture_open(spec, 3, 5), plain = fixture_open(full, 3, 5);
    fixture_stir(&f, 0.3);
    copy_base(&f, &plain);
    CHECK(!same_logits(&f, &plain));
    CHECK_INT(set_adapter(&f, &plain, "down", n), adapters);
    CHECK_INT(set_adapter(&f, &plain, "up", n), adapters);
    if (!CHECK(same_logits(&f, &plain)))
        printf("  %s\n", spec);
    fixture_close(&f);
    fixture_close(&plain);
}

TEST(compacter_is_an_adapter_whose_matrices_are_kronecker_products)
{
    check_adapter("compacter:bottleneck=12", "houlsby:bottleneck=12", 4, 4);
    check_adapter("compacter-pp:bottleneck=8,rank=2,n=2", "houlsby:bottleneck=8,targets=mlp", 2, 2);
    check_adapter("phm:bottleneck=8", "houlsby:bottleneck=8", 4, 4);
    check_adapter("phm:bottleneck=5,n=1,norms=no,targets=mlp", "houlsby:bottleneck=5,norms=no,targets=mlp", 1, 2);
}

/* ---- what is refused ------------------------------------------------------------------------------------------- */

static void refuse(const char *spec, const char *message)
{
    pb_testbed f;
    CHECK(pb_testbed_open(&f, TINY, false, spec, 3, 0) == -1);
    CHECK_TEXT(pb_error_text(), message);
    pb_error_clear();
}

TEST(shapes_that_do_not_fit_are_refused)
{
    refuse("miss:rank=17,targets=attn.q", "miss: rank: want at most 16, the columns of attn.q, got 17");
    refuse("bat:rank=3,targets=attn.q", "bat: rank: want a divisor of both sides of attn.q [16,16], got 3");
    refuse("unilora:dimension=321,rank=2,targets=attn.k mlp.down",
           "unilora: dimension, rank: want from 321 to 2^31 - 1 elements of all A and B, got 320");
    refuse("vblora:length=3", "vblora: length: want a divisor of 16, a side of attn.q, got 3");
    refuse("vblora:vectors=4,topk=5", "vblora: topk: want at most 4, the vectors in the bank, got 5");
    refuse("compacter:n=3", "compacter: n: want a divisor of the widths 16 and 24, got 3");
}

/* ---- what is stored -------------------------------------------------------------------------------------------- */

/* The elements in the artifact of a method, without those of the head. */
static size_t stored(const char *spec)
{
    char path[] = "/tmp/peftbench-XXXXXX";
    int fd = mkstemp(path);
    CHECK(fd >= 0 && !close(fd));
    fixture f = fixture_open(spec, 3, 5), head = fixture_open("head", 3, 5);
    CHECK(!pb_model_save(f.model, path));
    pb_safetensors *file = pb_safetensors_open(path);
    size_t count = 0;
    for (size_t i = 0; file && i < pb_safetensors_count(file); i++)
        count += pb_model_find(head.model, pb_safetensors_at(file, i)->name) ? 0 : pb_safetensors_at(file, i)->count;
    pb_safetensors_close(file);
    fixture_close(&f);
    fixture_close(&head);
    CHECK(!remove(path));
    return count;
}

TEST(an_artifact_holds_what_trains_and_nothing_random)
{
    CHECK_INT((long long)stored("unilora:dimension=77"), 77);
    CHECK_INT((long long)stored("vera:rank=7,targets=attn.q attn.v"), 4 * (7 + 16)); /* four sites */
}
