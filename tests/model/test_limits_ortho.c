/* Methods that rotate, transform or cut a weight: the weight that each folds into, against its closed form in
 * double. */
#include "fixture.h"

#include "util.h"

#include "model/internal.h"

static const pb_param *tensor(const fixture *f, const pb_site *site, const char *method, const char *name)
{
    char *full = pb_format("layer.%d.%s.%s.%s", site->layer, site->role, method, name);
    const pb_param *p = pb_model_find(f->model, full);
    if (!p)
        PB_BUG("no parameter '%s'", full);
    free(full);
    return p;
}

/* c [n,m] = a [n,k] b [k,m].  The caller frees it. */
static double *product(int n, int k, int m, const double *a, const double *b)
{
    double *c = pb_alloc((size_t)(n * m) * sizeof *c);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < m; j++)
            for (int l = 0; l < k; l++)
                c[i * m + j] += a[i * k + l] * b[l * m + j];
    return c;
}

static double *identity(int n)
{
    double *x = pb_alloc((size_t)(n * n) * sizeof *x);
    for (int i = 0; i < n; i++)
        x[i * n + i] = 1;
    return x;
}

/* Replaces w [out,in] by w r, with r [in,in], which is freed. */
static void multiply_weight(const pb_site *site, double *w, double *r)
{
    double *y = product(site->out, site->in, site->in, w, r);
    memcpy(w, y, (size_t)(site->out * site->in) * sizeof *w);
    free(y);
    free(r);
}

/* Turns w [out,in], the base's weight, into the weight that a method makes of it. */
typedef void closed_form(const fixture *f, const pb_site *site, double *w);

/* The model with random values in the tensors of the spec, whose folded weights are as far from the closed form's as
 * returned, relative to the largest one. */
static double apart(const char *spec, closed_form *change)
{
    fixture f = fixture_open(spec, 3, 1);
    double most = 0;
    int changed = 0;
    fixture_stir(&f, 0.3);
    pb_model_merge(f.model);
    for (int i = 0; i < pb_model_sites(f.model); i++) {
        const pb_site *site = pb_model_site(f.model, i);
        const pb_real *got = site->w ? f.model->merged[2 * i].x : NULL;
        if (!got)
            continue;
        size_t n = (size_t)(site->out * site->in);
        double *want = pb_alloc(n * sizeof *want);
        for (size_t k = 0; k < n; k++)
            want[k] = (double)site->w->x[k];
        change(&f, site, want);
        most = fmax(most, distance(n, got, want));
        CHECK(distance(n, site->w->x, want) > 1e-2); /* the method does something */
        free(want);
        changed++;
    }
    CHECK_INT(changed, 4); /* attn.q and attn.v of two layers */
    fixture_close(&f);
    return most;
}

/* ---- reflections --------------------------------------------------------------------------------------------- */

/* W H_1 H_2 .. H_r */
static void reflect(const fixture *f, const pb_site *site, double *w)
{
    const pb_param *u = tensor(f, site, "hra", "u");
    int n = site->in;
    for (int k = 0; k < u->rows; k++) {
        const pb_real *row = u->x + k * n;
        double length = 0, *h = identity(n);
        for (int i = 0; i < n; i++)
            length += (double)row[i] * (double)row[i];
        for (int i = 0; i < n * n; i++)
            h[i] -= 2 * (double)row[i / n] * (double)row[i % n] / length;
        multiply_weight(site, w, h);
    }
}

TEST(hra_multiplies_the_weight_by_reflections_in_their_order)
{
    CHECK_NEAR(apart("hra:rank=6", reflect), 0, 10 * EXACT);
    CHECK_NEAR(apart("hra:rank=2", reflect), 0, 10 * EXACT);
}

TEST(an_odd_number_of_reflections_is_refused)
{
    pb_testbed f;
    CHECK_INT(pb_testbed_open(&f, TINY, false, "hra:rank=3", 3, 0), -1);
    CHECK(strstr(pb_error_text(), "hra: rank: want an even number") != NULL);
    pb_error_clear();
}

/* ---- rotations ------------------------------------------------------------------------------------------------ */

/* Q [n,n] of its elements above the diagonal. */
static double *skew(const pb_real *q, int n)
{
    double *x = pb_alloc((size_t)(n * n) * sizeof *x);
    for (int i = 0; i < n; i++)
        for (int j = i + 1; j < n; j++, q++) {
            x[i * n + j] = (double)*q;
            x[j * n + i] = -(double)*q;
        }
    return x;
}

/* Adds s x to y, [n,n] each. */
static void add(int n, double s, const double *x, double *y)
{
    for (int i = 0; i < n * n; i++)
        y[i] += s * x[i];
}

/* The inverse of a, which is freed, by elimination without pivots. */
static double *inverse(int n, double *a)
{
    double *x = identity(n);
    for (int k = 0; k < n; k++)
        for (int i = 0; i < n; i++) {
            double factor = i == k ? 1 - 1 / a[k * n + k] : a[i * n + k] / a[k * n + k];
            for (int j = 0; j < n; j++) {
                a[i * n + j] -= factor * a[k * n + j];
                x[i * n + j] -= factor * x[k * n + j];
            }
        }
    free(a);
    return x;
}

/* (I - Q)(I + Q)^-1 */
static double *exact(const pb_real *q, int n)
{
    double *turn = skew(q, n), *plus = identity(n), *minus = identity(n);
    add(n, 1, turn, plus);
    add(n, -1, turn, minus);
    double *back = inverse(n, plus), *r = product(n, n, n, minus, back);
    free(turn);
    free(minus);
    free(back);
    return r;
}

/* I + 2 Q + 2 Q^2 + 2 Q^3 + Q^4 */
static double *five_terms(const pb_real *q, int n)
{
    static const double factor[] = {2, 2, 2, 1};
    double *turn = skew(q, n), *power = identity(n), *r = identity(n);
    for (int k = 0; k < 4; k++) {
        double *next = product(n, n, n, power, turn);
        free(power);
        power = next;
        add(n, factor[k], power, r);
    }
    free(turn);
    free(power);
    return r;
}

/* y = W (x R)^T, with R = diag(R_i) of the width n: W diag(R_i)^T. */
static void rotate(const fixture *f, const pb_site *site, double *w, int n, bool series)
{
    const pb_param *q = tensor(f, site, "oft", "q");
    double *all = pb_alloc((size_t)(site->in * site->in) * sizeof *all);
    for (int i = 0; i < site->in / n; i++) {
        const pb_real *at = q->x + (q->rows > 1 ? i * q->cols : 0);
        double *r = series ? five_terms(at, n) : exact(at, n);
        for (int k = 0; k < n * n; k++)
            all[(i * n + k % n) * site->in + i * n + k / n] = r[k];
        free(r);
    }
    multiply_weight(site, w, all);
}

static void rotate_exactly(const fixture *f, const pb_site *site, double *w)
{
    rotate(f, site, w, 4, false);
}

static void rotate_by_series(const fixture *f, const pb_site *site, double *w)
{
    rotate(f, site, w, 4, true);
}

/* Blocks of two: the angle is 2 atan(q), and in PEFT's exact form it turns the row (1,0) towards (0,-1). */
static void rotate_planes(const fixture *f, const pb_site *site, double *w)
{
    const pb_param *q = tensor(f, site, "oft", "q");
    for (int i = 0; i < site->in / 2; i++) {
        double angle = 2 * atan((double)q->x[i]);
        for (int o = 0; o < site->out; o++) {
            double *at = w + o * site->in + 2 * i, x = at[0], y = at[1];
            at[0] = x * cos(angle) - y * sin(angle);
            at[1] = x * sin(angle) + y * cos(angle);
        }
    }
}

TEST(oft_rotates_blocks_by_the_cayley_transform)
{
    CHECK_NEAR(apart("oft:blocks=4,neumann=no", rotate_exactly), 0, 10 * EXACT);
    CHECK_NEAR(apart("oft:blocks=4", rotate_by_series), 0, 10 * EXACT);
    CHECK_NEAR(apart("oft:blocks=0,size=4,share=yes", rotate_by_series), 0, 10 * EXACT);
    CHECK_NEAR(apart("oft:blocks=0,size=2,neumann=no", rotate_planes), 0, 10 * EXACT);
}

/* The lengths of the weight's rows and the angles between them stay: the largest change of W W^T. */
static double gram_change(const char *spec)
{
    fixture f = fixture_open(spec, 3, 1);
    double most = 0;
    fixture_stir(&f, 0.3);
    pb_model_merge(f.model);
    for (int i = 0; i < pb_model_sites(f.model); i++) {
        const pb_site *site = pb_model_site(f.model, i);
        const pb_real *w = site->w ? f.model->merged[2 * i].x : NULL;
        for (int at = 0; w && at < site->out * site->out; at++) {
            double before = 0, after = 0;
            for (int k = 0; k < site->in; k++) {
                int one = at / site->out * site->in + k, other = at % site->out * site->in + k;
                before += (double)site->w->x[one] * (double)site->w->x[other];
                after += (double)w[one] * (double)w[other];
            }
            most = fmax(most, fabs(after - before));
        }
    }
    fixture_close(&f);
    return most;
}

TEST(rotations_and_reflections_keep_lengths_and_angles)
{
    CHECK_NEAR(gram_change("hra:rank=8"), 0, 100 * EXACT);
    CHECK_NEAR(gram_change("oft:blocks=2,neumann=no"), 0, 100 * EXACT);
    CHECK(gram_change("oft:blocks=2") > 1e-4); /* five terms are no rotation */
}

/* With small Q the series is the exact rotation of -Q, up to the fifth power. */
TEST(the_series_is_the_exact_rotation_that_turns_the_other_way)
{
    fixture one = fixture_open("oft:blocks=4", 3, 1), other = fixture_open("oft:blocks=4,neumann=no", 3, 1);
    fixture_stir(&one, 1e-2);
    for (int i = 0; i < pb_model_params(one.model); i++) {
        const pb_param *p = pb_model_param(one.model, i);
        pb_param *to = pb_model_find(other.model, p->name);
        for (int k = 0; p->trainable && k < p->rows * p->cols; k++)
            to->x[k] = p->kind == PB_ADDED ? -p->x[k] : p->x[k];
    }
    fixture_forward(&one, &pb_testbed_texts, false, 0);
    fixture_forward(&other, &pb_testbed_texts, false, 0);
    const pb_node *got = pb_graph_output(one.graph), *want = pb_graph_output(other.graph);
    for (int i = 0; i < got->rows * got->cols; i++)
        CHECK(fabs((double)got->x[i] - (double)want->x[i]) <= 2e-6); /* the other rotation is off by 1e-2 */
    fixture_close(&one);
    fixture_close(&other);
}

/* |Q| decides, not the size of an element: Q with 0.9 at (0,1) and at (2,3) is below 1, at (0,1) and (1,2) above. */
TEST(a_series_that_diverges_ends_the_run)
{
    static const struct {
        const char *spec;
        double q[6]; /* of a block [4,4] */
        bool diverges;
    } cases[] = {{"oft", {0.9, 0, 0, 0, 0, 0.9}, false},
                 {"oft", {0.9, 0, 0, 0.9, 0, 0}, true},
                 {"oft", {0, 0, 0, 0, 0, -1.01}, true},
                 {"oft:neumann=no", {5, 0, 0, 5, 0, 0}, false}};
    for (size_t i = 0; i < PB_COUNT(cases); i++) {
        fixture f = fixture_open(cases[i].spec, 3, 1);
        pb_param *q = pb_model_find(f.model, "layer.1.attn.v.oft.q");
        for (int k = 0; k < q->cols; k++)
            q->x[3 * q->cols + k] = (pb_real)cases[i].q[k];
        pb_error_clear();
        pb_model_after_step(f.model, &(pb_step){.step = 7, .steps = 9});
        CHECK((strstr(pb_error_text(), "oft: step 7: |Q| >= 1 in block 3 of layer.1.attn.v.oft.q") != NULL) ==
              cases[i].diverges);
        CHECK((*pb_error_text() != 0) == cases[i].diverges);
        pb_error_clear();
        fixture_close(&f);
    }
}

TEST(blocks_that_do_not_fit_are_refused)
{
    static const char *const specs[] = {"oft:blocks=3", "oft:size=4", "oft:blocks=0,size=5", "oft:blocks=16",
                                        "oft:blocks=0"};
    for (size_t i = 0; i < PB_COUNT(specs); i++) {
        pb_testbed f;
        CHECK_INT(pb_testbed_open(&f, TINY, false, specs[i], 3, 0), -1);
        CHECK(strstr(pb_error_text(), "equal blocks of 2 and more of the 16 inputs of attn.q") != NULL);
        pb_error_clear();
    }
}

/* ---- low rank in parts ------------------------------------------------------------------------------------------ */

/* Adds 2 * B_ij A_ij to part (j,i) of W, with A_ij slice j of part i of A; alpha / r is 2. */
static void add_parts(const fixture *f, const pb_site *site, double *w, int k, bool exchange)
{
    const pb_param *A = tensor(f, site, "gralora", "A"), *B = tensor(f, site, "gralora", "B");
    int r = A->cols, slice = exchange ? r / k : r, in = site->in / k, out = site->out / k;
    for (int i = 0; i < k; i++)
        for (int j = 0; j < k; j++)
            for (int s = 0; s < slice && (exchange || i == j); s++)
                for (int at = 0; at < out * in; at++) {
                    int o = at / in, x = at % in, column = exchange ? j * slice + s : s,
                        row = exchange ? i * slice + s : s;
                    w[(j * out + o) * site->in + i * in + x] += 2 * (double)A->x[(i * in + x) * r + column] *
                                                                (double)B->x[(j * r + row) * out + o];
                }
}

static void add_two_by_two(const fixture *f, const pb_site *site, double *w)
{
    add_parts(f, site, w, 2, true);
}

static void add_four_by_four(const fixture *f, const pb_site *site, double *w)
{
    add_parts(f, site, w, 4, true);
}

static void add_diagonal(const fixture *f, const pb_site *site, double *w)
{
    add_parts(f, site, w, 4, false);
}

/* One part: a LoRA. */
static void add_product(const fixture *f, const pb_site *site, double *w)
{
    add_parts(f, site, w, 1, true);
}

TEST(gralora_adds_an_update_of_low_rank_to_each_part)
{
    CHECK_NEAR(apart("gralora:rank=4,alpha=8,parts=2", add_two_by_two), 0, 10 * EXACT);
    CHECK_NEAR(apart("gralora:rank=8,alpha=16,parts=4", add_four_by_four), 0, 10 * EXACT);
    CHECK_NEAR(apart("gralora:rank=3,alpha=6,parts=1", add_product), 0, 10 * EXACT);
    CHECK_NEAR(apart("melora:rank=3,alpha=6,parts=4", add_diagonal), 0, 10 * EXACT);
    CHECK_NEAR(apart("melora:rank=3,alpha=6,parts=1", add_product), 0, 10 * EXACT);
}

/* Gives a LoRA of the same rank the values of the one part, and a step of the gradients has to be the same too. */
static void check_lora(const char *spec)
{
    fixture one = fixture_open(spec, 3, 1), lora = fixture_open("lora:rank=4,alpha=8", 3, 1);
    for (int i = 0; i < pb_model_sites(one.model); i++) {
        const pb_site *site = pb_model_site(one.model, i);
        if (!site->w || !pb_site_in("attn.q attn.v", site))
            continue;
        const pb_param *A = tensor(&one, site, "gralora", "A"), *B = tensor(&one, site, "gralora", "B");
        const pb_param *to = tensor(&lora, site, "lora", "A");
        for (int k = 0; k < 4 * site->in; k++)
            to->x[k] = A->x[k % site->in * 4 + k / site->in];
        CHECK_INT(B->rows * B->cols, 4 * site->out);
    }
    fixture_forward(&one, &pb_testbed_texts, true, 0);
    fixture_forward(&lora, &pb_testbed_texts, true, 0);
    pb_executor_backward(one.executor, one.graph);
    pb_executor_backward(lora.executor, lora.graph);
    const pb_param *got = pb_model_find(one.model, "layer.1.attn.v.gralora.B");
    const pb_param *want = pb_model_find(lora.model, "layer.1.attn.v.lora.B");
    for (int k = 0; k < 4 * got->cols; k++)
        CHECK_NEAR((double)got->g[k], (double)want->g[k % got->cols * 4 + k / got->cols], 100 * EXACT);
    fixture_close(&one);
    fixture_close(&lora);
}

TEST(gralora_and_melora_of_one_part_are_lora)
{
    check_lora("gralora:rank=4,alpha=8,parts=1");
    check_lora("melora:rank=4,alpha=8,parts=1");
}

TEST(parts_that_do_not_fit_are_refused)
{
    static const char *const specs[] = {"gralora:parts=3", "gralora:rank=5", "melora:parts=5"};
    for (size_t i = 0; i < PB_COUNT(specs); i++) {
        pb_testbed f;
        CHECK_INT(pb_testbed_open(&f, TINY, false, specs[i], 3, 0), -1);
        CHECK(strstr(pb_error_text(), "gralora: parts: want a divisor of attn.q [16,16]") != NULL);
        pb_error_clear();
    }
}

/* ---- spectra ---------------------------------------------------------------------------------------------------- */

/* The places of a weight of this shape. */
static int *places_of(const fixture *f, const pb_site *site, int n)
{
    int *place = pb_alloc((size_t)n * sizeof *place);
    pb_arena *arena = pb_arena_new("places");
    pb_build b = pb_build_start(f->model, pb_graph_new(arena, false), 0, 0);
    memcpy(place, pb_torch_places(&b, 777, n, site->in * site->out), (size_t)n * sizeof *place);
    pb_arena_free(arena);
    return place;
}

/* Adds 3 / (out in) * sum of c cos(2 pi (i u / out + j v / in)). */
static void add_waves(const fixture *f, const pb_site *site, double *w)
{
    const pb_param *c = tensor(f, site, "fourierft", "c");
    int *place = places_of(f, site, c->cols);
    for (int at = 0; at < site->out * site->in; at++)
        for (int k = 0; k < c->cols; k++) {
            double u = place[k] / site->in, v = place[k] % site->in, i = at / site->in, j = at % site->in;
            w[at] += 3 * (double)c->x[k] * cos(2 * M_PI * (i * u / site->out + j * v / site->in)) /
                     (site->out * site->in);
        }
    free(place);
}

TEST(fourierft_adds_a_matrix_by_its_spectrum)
{
    CHECK_NEAR(apart("fourierft:places=20,scale=3", add_waves), 0, 10 * EXACT);
    CHECK_NEAR(apart("fourierft:scale=3", add_waves), 0, 10 * EXACT); /* all of them */
}

/* Adds 3 times the sum of the wavelets: outer products of (1,1) and (1,-1), of length 1, at two by two elements. */
static void add_wavelets(const fixture *f, const pb_site *site, double *w)
{
    const pb_param *c = tensor(f, site, "fourierft", "c");
    int *place = places_of(f, site, c->cols), rows = site->out / 2, cols = site->in / 2;
    for (int k = 0; k < c->cols; k++) {
        int row = place[k] / site->in, col = place[k] % site->in;
        bool down = col >= cols, across = row >= rows; /* the quadrant on the right, and that below */
        for (int at = 0; at < 4; at++)
            w[(row % rows * 2 + at / 2) * site->in + col % cols * 2 + at % 2] +=
                3 * (double)c->x[k] / 2 * (down && at / 2 ? -1 : 1) * (across && at % 2 ? -1 : 1);
    }
    free(place);
}

TEST(waveft_adds_a_matrix_by_its_wavelets)
{
    CHECK_NEAR(apart("waveft:places=20,scale=3", add_wavelets), 0, 10 * EXACT);
    CHECK_NEAR(apart("waveft:scale=3", add_wavelets), 0, 10 * EXACT);
}

TEST(settings_that_exceed_a_weight_are_refused)
{
    static const char *const refused[][2] = {
        {"fourierft:places_pattern=attn.q=0.5", "fourierft: places_pattern: places: want a whole number in 1..1"},
        {"svft:rank=17", "svft: rank: want at most 16, the smaller side of attn.q [16,16], got 17"},
        {"unilora:dimension=1000000", "unilora: dimension, rank: want from 1000000 to 2^31 - 1 elements"},
        {"lily:targets=1.attn.q", "lily: targets: want attn.q of all layers, which share its matrices"}};
    for (size_t i = 0; i < PB_COUNT(refused); i++) {
        pb_testbed f;
        CHECK_INT(pb_testbed_open(&f, TINY, false, refused[i][0], 3, 0), -1);
        CHECK(strstr(pb_error_text(), refused[i][1]) != NULL);
        pb_error_clear();
    }
}

/* ---- circulant blocks -------------------------------------------------------------------------------------------- */

/* Adds w[(j - i) mod n] / in in every block. */
static void add_circulant(const fixture *f, const pb_site *site, double *w)
{
    const pb_param *kernel = tensor(f, site, "c3a", "w");
    int n = kernel->cols;
    for (int at = 0; at < site->out * site->in; at++) {
        int i = at / site->in, j = at % site->in, block = i / n * (site->in / n) + j / n;
        w[at] += (double)kernel->x[block * n + (j % n - i % n + n) % n] / site->in;
    }
}

TEST(c3a_adds_circulant_blocks)
{
    CHECK_NEAR(apart("c3a", add_circulant), 0, 10 * EXACT);
    CHECK_NEAR(apart("c3a:parts=4", add_circulant), 0, 10 * EXACT);
    CHECK_NEAR(apart("c3a:size=8", add_circulant), 0, 10 * EXACT);
    CHECK_NEAR(apart("c3a:size=1", add_circulant), 0, 10 * EXACT); /* a dense matrix, row by row */
}

/* ---- pairs of outputs -------------------------------------------------------------------------------------------- */

/* R W, with R by the angles and scales of its rows: parameters of element (i,i) and of (i,partner). */
static void turn_outputs(const fixture *f, const pb_site *site, double *w, int group, int angles)
{
    const pb_param *theta = tensor(f, site, "road", "theta"), *alpha = tensor(f, site, "road", "alpha");
    int half = group / 2;
    double *r = pb_alloc((size_t)(site->out * site->out) * sizeof *r);
    for (int i = 0; i < site->out; i++) {
        int base = i / group * group, at = i % group, partner = at < half ? i + half : i - half;
        int own = angles == 1 ? base / 2 + at % half : angles == 2 ? i : 2 * base + at;
        int other = angles == 4 ? own + group : own;
        r[i * site->out + i] = (double)alpha->x[own] * cos((double)theta->x[own]);
        r[i * site->out + partner] = (at < half ? -1 : 1) * (double)alpha->x[other] * sin((double)theta->x[other]);
    }
    double *y = product(site->out, site->out, site->in, r, w);
    memcpy(w, y, (size_t)(site->out * site->in) * sizeof *w);
    free(y);
    free(r);
}

static void turn_neighbours(const fixture *f, const pb_site *site, double *w)
{
    turn_outputs(f, site, w, 2, 1);
}

static void turn_by_two(const fixture *f, const pb_site *site, double *w)
{
    turn_outputs(f, site, w, 8, 2);
}

static void turn_by_four(const fixture *f, const pb_site *site, double *w)
{
    turn_outputs(f, site, w, 4, 4);
}

TEST(road_turns_pairs_of_outputs)
{
    CHECK_NEAR(apart("road:targets=attn.q attn.v", turn_neighbours), 0, 10 * EXACT);
    CHECK_NEAR(apart("road:variant=2,group=8,targets=attn.q attn.v", turn_by_two), 0, 10 * EXACT);
    CHECK_NEAR(apart("road:variant=4,group=4,targets=attn.q attn.v", turn_by_four), 0, 10 * EXACT);
}

/* ---- butterflies ----------------------------------------------------------------------------------------------- */

/* Places E [b,b] in the columns of block k of factor i: those of half a block, and those 2^i half blocks further on. */
static void place(int in, int b, int i, int k, const double *e, double *all)
{
    int far = 1 << i, first = k / far * b * far + k % far * b / 2;
    for (int row = 0; row < b; row++)
        for (int col = 0; col < b; col++) {
            int y = first + row % (b / 2) + row / (b / 2) * far * b / 2;
            int x = first + col % (b / 2) + col / (b / 2) * far * b / 2;
            all[y * in + x] = e[row * b + col];
        }
}

/* diag(s) W (M_(m-1) .. M_0)^T, and M_i has the rotations of factor i. */
static void rotate_butterflies(const fixture *f, const pb_site *site, double *w, int m, int b)
{
    const pb_param *R = tensor(f, site, "boft", "R"), *s = tensor(f, site, "boft", "s");
    for (int i = 0; i < m; i++) {
        double *all = pb_alloc((size_t)(site->in * site->in) * sizeof *all);
        for (int k = 0; k < site->in / b; k++) {
            const pb_real *a = R->x + (i * site->in + k * b) * b;
            pb_real q[64] = {0}, *at = q;
            for (int row = 0; row < b; row++)
                for (int col = row + 1; col < b; col++)
                    *at++ = (a[row * b + col] - a[col * b + row]) / 2;
            double *e = exact(q, b), *t = pb_alloc((size_t)(b * b) * sizeof *t);
            for (int at_e = 0; at_e < b * b; at_e++)
                t[at_e % b * b + at_e / b] = e[at_e];
            place(site->in, b, i, k, t, all);
            free(e);
            free(t);
        }
        multiply_weight(site, w, all); /* W M_0^T M_1^T .. */
    }
    for (int at = 0; at < site->out * site->in; at++)
        w[at] *= (double)s->x[at / site->in];
}

static void one_factor(const fixture *f, const pb_site *site, double *w)
{
    rotate_butterflies(f, site, w, 1, 4);
}

static void two_factors(const fixture *f, const pb_site *site, double *w)
{
    rotate_butterflies(f, site, w, 2, 4);
}

static void four_factors(const fixture *f, const pb_site *site, double *w)
{
    rotate_butterflies(f, site, w, 4, 2);
}

TEST(boft_rotates_by_butterflies)
{
    CHECK_NEAR(apart("boft", one_factor), 0, 10 * EXACT);
    CHECK_NEAR(apart("boft:factors=2", two_factors), 0, 10 * EXACT);
    CHECK_NEAR(apart("boft:factors=4,size=2", four_factors), 0, 10 * EXACT); /* every input reaches every other */
}

TEST(butterflies_that_do_not_fit_are_refused)
{
    static const char *const specs[] = {"boft:size=3", "boft:factors=4"};
    for (size_t i = 0; i < PB_COUNT(specs); i++) {
        pb_testbed f;
        CHECK_INT(pb_testbed_open(&f, TINY, false, specs[i], 3, 0), -1);
        CHECK(strstr(pb_error_text(), "boft: size") != NULL);
        pb_error_clear();
    }
}
