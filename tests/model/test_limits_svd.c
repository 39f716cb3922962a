/* Methods that start from a decomposition, or that train LoRA in another way: their closed forms, and the limits in
 * which they are each other. */
#include "toy.h"
#include "util.h"

#include "model/adapter.h"
#include "model/internal.h"
#include "model/singular.h"
#include "numeric/lapack.h"
#include "numeric/product.h"

#define ALL "targets=attn.* mlp.*"

/* ---- common ----------------------------------------------------------------------------------------------------- */

static fixture open_started(const char *spec)
{
    fixture f = fixture_open(spec, 3, 5);
    if (pb_testbed_start(&f))
        PB_BUG("%s: %s", spec, pb_error_text());
    return f;
}

/* The tensor of the first method, or of the model ("head.weight"). */
static pb_param *tensor(const fixture *f, const pb_site *site, const char *name)
{
    char *full = site ? pb_format("layer.%d.%s.%s.%s", site->layer, site->role, f->part[0].method->name, name)
                      : pb_format("%s", name);
    pb_param *p = pb_model_find(f->model, full);
    if (!p)
        PB_BUG("no %s", full);
    free(full);
    return p;
}

static const pb_site *next_site(const fixture *f, const pb_site *after)
{
    for (int i = after ? after->number + 1 : 0; i < pb_model_sites(f->model); i++) {
        const pb_site *s = pb_model_site(f->model, i);
        if (s->w && pb_model_targets(f->model, 0, s))
            return s;
    }
    return NULL;
}

static void check_near_logits(fixture *f, fixture *other, double tolerance)
{
    size_t n;
    double *want = fixture_logits(other, &pb_testbed_texts, &n);
    fixture_forward(f, &pb_testbed_texts, false, 0);
    CHECK(distance(n, pb_graph_output(f->graph)->x, want) <= tolerance);
    free(want);
}

static void check_same_logits(fixture *f, fixture *other)
{
    check_near_logits(f, other, 20 * EXACT);
}

static void copy_head(const fixture *from, fixture *to)
{
    for (int i = 0; i < pb_model_params(from->model); i++) {
        const pb_param *p = pb_model_param(from->model, i);
        if (p->kind == PB_HEAD)
            memcpy(pb_model_find(to->model, p->name)->x, p->x, pb_param_elements(p) * sizeof *p->x);
    }
}

static double length(size_t n, const double *x)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sqrt(sum);
}

/* ---- how A and B of LoRA are trained ------------------------------------------------------------------------------ */

static const pb_site *value_site(const fixture *f)
{
    return &f->model->layer[1].site[V];
}

/* One step of AdamW with the same gradients: at a B of zero only B moves, 16 times as far. */
TEST(lora_plus_moves_b_by_the_ratio)
{
    pb_real before[2][4096], change;
    stepper lora, plus;
    start_steps(&lora, fixture_open("lora:rank=4", 2, 5), 0);
    start_steps(&plus, fixture_open("lora-plus:rank=4", 2, 5), 0);
    pb_param *A[] = {tensor(&lora.model, value_site(&lora.model), "A"),
                     tensor(&plus.model, value_site(&plus.model), "A")};
    pb_param *B[] = {tensor(&lora.model, value_site(&lora.model), "B"),
                     tensor(&plus.model, value_site(&plus.model), "B")};
    step_with(&lora, 3, B[0], before[0]);
    step_with(&plus, 3, B[1], before[1]);
    CHECK(same_bits(pb_param_elements(A[0]), A[0]->x, A[1]->x));
    for (size_t i = 0; i < pb_param_elements(B[0]); i++) {
        change = B[0]->x[i] - before[0][i];
        CHECK_NEAR((double)(B[1]->x[i] - before[1][i]), 16 * (double)change, 16e-2 * 10 * EXACT);
        CHECK(change != 0);
    }
    stop_steps(&lora);
    stop_steps(&plus);
}

TEST(lora_plus_with_the_ratio_one_is_lora_bit_by_bit)
{
    pb_encoded *f = toy_set(24);
    pb_train_options o = options_with(2, 1e-2);
    fixture r[] = {fixture_open("lora:rank=4", 2, 6), fixture_open("lora-plus:rank=4,ratio=1", 2, 6),
                   fixture_open("lora-plus:rank=4", 2, 6)};
    for (int i = 0; i < 3; i++) {
        pb_result out = train(&r[i], f, &o, 6);
        pb_result_free(&out);
    }
    const pb_param *B = tensor(&r[0], value_site(&r[0]), "B");
    CHECK(same_bits(pb_param_elements(B), B->x, tensor(&r[1], value_site(&r[1]), "B")->x));
    CHECK(!same_bits(pb_param_elements(B), B->x, tensor(&r[2], value_site(&r[2]), "B")->x)); /* the test can fail */
    for (int i = 0; i < 3; i++)
        fixture_close(&r[i]);
    toy_free(f);
}

static void run_backward(fixture *f)
{
    fixture_forward(f, &pb_testbed_texts, true, 0);
    pb_executor_backward(f->executor, f->graph);
}

TEST(lora_fa_computes_what_lora_does_and_the_gradient_of_b_alone)
{
    fixture lora = fixture_open("lora:rank=4," ALL, 3, 5), fa = fixture_open("lora-fa:rank=4," ALL, 3, 5);
    run_backward(&lora);
    run_backward(&fa);
    for (const pb_site *s = next_site(&lora, NULL); s; s = next_site(&lora, s)) {
        const pb_param *A = tensor(&fa, s, "A"), *B = tensor(&fa, s, "B");
        CHECK(!A->trainable && B->trainable && same_bits(pb_param_elements(A), A->x, tensor(&lora, s, "A")->x));
        CHECK(same_bits(pb_param_elements(B), B->g, tensor(&lora, s, "B")->g));
    }
    CHECK(pb_model_counts(fa.model).trainable < pb_model_counts(lora.model).trainable);
    fixture_close(&lora);
    fixture_close(&fa);
}

/* The gradient of A reads x; that of B reads A x. */
TEST(lora_fa_keeps_no_inputs_of_projections)
{
    fixture lora = fixture_open("lora:rank=4,targets=mlp.down", 3, 0),
            fa = fixture_open("lora-fa:rank=4,targets=mlp.down", 3, 0);
    CHECK(!pb_testbed_plan(&lora, &pb_testbed_texts, true, 0) && !pb_testbed_plan(&fa, &pb_testbed_texts, true, 0));
    const pb_site *s = next_site(&lora, NULL); /* of the last layer only some rows are computed */
    size_t rows = (size_t)pb_testbed_texts.offset[pb_testbed_texts.sequences];
    CHECK(fa.plan.activations + rows * (size_t)s->in * sizeof(pb_real) <= lora.plan.activations);
    fixture_close(&lora);
    fixture_close(&fa);
}

static double *copied(size_t n, const pb_real *x)
{
    double *copy = pb_alloc(n * sizeof *copy);
    for (size_t i = 0; i < n; i++)
        copy[i] = (double)x[i];
    return copy;
}

/* The largest difference between want and (M M^T + d I) g, relative to want; element k of row i of M is
 * x[i*next + k*step], and column j of g has its elements at g[i*down + j*right]. */
static double off(const pb_real *x, int r, int next, int n, int step, double d, const pb_real *g, int down, int right,
                  int columns, const double *want)
{
    double worst = 0, largest = 0;
    for (int i = 0; i < r; i++)
        for (int j = 0; j < columns; j++) {
            double sum = d * (double)g[i * down + j * right];
            for (int q = 0; q < r; q++)
                for (int k = 0; k < n; k++)
                    sum += (double)x[i * next + k * step] * (double)x[q * next + k * step] *
                           (double)g[q * down + j * right];
            worst = fmax(worst, fabs(sum - want[i * down + j * right]));
            largest = fmax(largest, fabs(want[i * down + j * right]));
        }
    return worst / largest;
}

/* (B^T B + d I) g_A is the gradient that A had, and g_B (A A^T + d I) that of B. */
static void check_preconditioner(fixture *f, const pb_site *s, int r, const double *a, const double *b)
{
    const pb_param *A = tensor(f, s, "A"), *B = tensor(f, s, "B");
    CHECK(off(B->x, r, 1, s->out, r, 0.02, A->g, s->in, 1, s->in, a) <= 100 * EXACT);
    CHECK(off(A->x, r, s->in, s->in, 1, 0.02, B->g, 1, r, s->out, b) <= 100 * EXACT);
}

TEST(the_riemannian_preconditioner_is_its_formula)
{
    enum { R = 3, SITES_OF = 2 * 6 };
    fixture f = fixture_open("riemannian:rank=3,damping=0.02," ALL, 3, 5);
    pb_arena *states = pb_arena_new("states");
    double *a[SITES_OF], *b[SITES_OF];
    int n = 0;
    fixture_stir(&f, 0.2);
    run_backward(&f);
    pb_graph_mark_reached(f.graph);
    for (const pb_site *s = next_site(&f, NULL); s; s = next_site(&f, s), n++) {
        a[n] = copied(pb_param_elements(tensor(&f, s, "A")), tensor(&f, s, "A")->g);
        b[n] = copied(pb_param_elements(tensor(&f, s, "B")), tensor(&f, s, "B")->g);
    }
    CHECK_INT(n, SITES_OF);
    pb_model_open_state(f.model, states);
    pb_model_before_step(f.model, &(pb_step){.steps = 1, .rate = 0.1});
    n = 0;
    for (const pb_site *s = next_site(&f, NULL); s; s = next_site(&f, s), n++) {
        check_preconditioner(&f, s, R, a[n], b[n]);
        free(a[n]);
        free(b[n]);
    }
    pb_model_close_state(f.model);
    pb_arena_free(states);
    fixture_close(&f);
}

/* ---- parts of the weight that train --------------------------------------------------------------------------------- */

/* scale * left right, of the method's tensors: left [out,r] and right [r,in]. */
static double *product_of(const fixture *f, const pb_site *s, double scale, const char *left, const char *right)
{
    const pb_param *B = tensor(f, s, left), *A = tensor(f, s, right);
    double *d = pb_alloc((size_t)(s->out * s->in) * sizeof *d);
    for (int i = 0; i < s->out; i++)
        for (int j = 0; j < s->in; j++)
            for (int q = 0; q < A->rows; q++)
                d[i * s->in + j] += scale * (double)B->x[i * A->rows + q] * (double)A->x[q * s->in + j];
    return d;
}

/* The r terms u_j s_j v_j^T of the weight from number `first` on; from the end if `first` is negative. */
static double *terms_of(const pb_site *s, int first, int r)
{
    pb_singular w;
    double *d = pb_alloc((size_t)(s->out * s->in) * sizeof *d);
    CHECK(!pb_singular_of_weight(&w, s));
    for (int j = first < 0 ? w.k + first : first, end = j + r; j < end; j++)
        for (int i = 0; i < s->out * s->in; i++)
            d[i] += (double)w.u[i / s->in * w.k + j] * (double)w.s[j] * (double)w.vt[j * s->in + i % s->in];
    pb_singular_free(&w);
    return d;
}

static void check_equal(size_t n, double *got, double *want, double tolerance)
{
    double largest = length(n, want);
    for (size_t i = 0; i < n; i++)
        got[i] -= want[i];
    CHECK(length(n, got) <= tolerance * largest && largest > 0);
    free(got);
    free(want);
}

/* s B0 A0 is the part of W that the paper names, and A and B share its length. */
static void check_part(fixture *f, double scale, int first, int r)
{
    for (const pb_site *s = next_site(f, NULL); s; s = next_site(f, s)) {
        check_equal((size_t)(s->out * s->in), product_of(f, s, scale, "B0", "A0"), terms_of(s, first, r), 20 * EXACT);
        const pb_param *A = tensor(f, s, "A"), *B = tensor(f, s, "B");
        double a = pb_sum_squares(pb_param_elements(A), A->x), b = pb_sum_squares(pb_param_elements(B), B->x);
        CHECK_NEAR(a, b, 20 * EXACT * a);
        CHECK(same_bits(pb_param_elements(A), A->x, tensor(f, s, "A0")->x) &&
              same_bits(pb_param_elements(B), B->x, tensor(f, s, "B0")->x));
    }
}

TEST(pissa_starts_as_the_principal_and_milora_as_the_minor_part_of_the_weight)
{
    static const struct {
        const char *spec;
        int first;
    } of[] = {{"pissa:rank=3,alpha=6," ALL, 0}, {"milora:rank=3,alpha=6," ALL, -3}};
    for (size_t i = 0; i < PB_COUNT(of); i++) {
        fixture f = open_started(of[i].spec);
        check_part(&f, 2, of[i].first, 3);
        fixture_close(&f);
    }
}

/* The sum over rows of columns i and j of a matrix [rows,r]. */
static double columns_product(const pb_param *B, int i, int j)
{
    double sum = 0;
    for (int row = 0; row < B->rows; row++)
        sum += (double)B->x[row * B->cols + i] * (double)B->x[row * B->cols + j];
    return sum;
}

/* Or, unless they are `normal`, orthogonal only. */
static void check_orthonormal_columns(const pb_param *B, bool normal)
{
    for (int i = 0; i < B->cols; i++)
        for (int j = 0; j < i + normal; j++)
            CHECK_NEAR(columns_product(B, i, j), i == j, 20 * EXACT);
}

/* Q_r R_r has the first r columns of W, and is not W. */
TEST(olora_starts_as_the_first_columns_of_qr)
{
    enum { R = 3 };
    fixture f = open_started("olora:rank=3,alpha=6," ALL);
    for (const pb_site *s = next_site(&f, NULL); s; s = next_site(&f, s)) {
        double *got = product_of(&f, s, 1, "B0", "A0"), rest = 0;
        pb_real *w = pb_weight_values(s);
        check_orthonormal_columns(tensor(&f, s, "B"), true);
        for (int i = 0; i < s->out * s->in; i++) {
            double difference = fabs(got[i] - (double)w[i]);
            CHECK(i % s->in >= R || difference <= 20 * EXACT);
            rest = fmax(rest, difference);
        }
        CHECK(rest > 1e-3);
        free(got);
        free(w);
    }
    fixture_close(&f);
}

/* The smallest r singular values of W are the lengths of B^T W. */
TEST(mica_fixes_the_last_left_singular_vectors)
{
    enum { R = 3 };
    fixture f = open_started("mica:rank=3," ALL);
    for (const pb_site *s = next_site(&f, NULL); s; s = next_site(&f, s)) {
        const pb_param *A = tensor(&f, s, "A"), *B = tensor(&f, s, "B");
        pb_singular w;
        pb_real *weight = pb_weight_values(s);
        CHECK(A->trainable && !B->trainable && pb_sum_squares(pb_param_elements(A), A->x) == 0);
        check_orthonormal_columns(B, true);
        CHECK(!pb_singular_of_weight(&w, s));
        for (int i = 0; i < R; i++) {
            double square = 0;
            for (int j = 0; j < s->in; j++) {
                double sum = 0;
                for (int row = 0; row < s->out; row++)
                    sum += (double)B->x[row * R + i] * (double)weight[row * s->in + j];
                square += sum * sum;
            }
            CHECK_NEAR(sqrt(square), (double)w.s[w.k - R + i], 20 * EXACT * (double)w.s[0]);
        }
        pb_singular_free(&w);
        free(weight);
    }
    fixture_close(&f);
}

/* Gives the LoRA of twice the rank the matrices [A; A0] and [B, -B0]. */
static void set_plain(fixture *plain, const fixture *f, const pb_site *s, int r)
{
    pb_real *A = tensor(plain, s, "A")->x, *B = tensor(plain, s, "B")->x;
    size_t half = (size_t)r * (size_t)s->in;
    memcpy(A, tensor(f, s, "A")->x, half * sizeof *A);
    memcpy(A + half, tensor(f, s, "A0")->x, half * sizeof *A);
    for (int i = 0; i < s->out * r; i++) {
        B[i / r * 2 * r + i % r] = tensor(f, s, "B")->x[i];
        B[i / r * 2 * r + r + i % r] = -tensor(f, s, "B0")->x[i];
    }
}

TEST(the_changes_since_the_start_are_loras_of_twice_the_rank)
{
    static const char *const specs[] = {"pissa:rank=3,alpha=6," ALL, "milora:rank=3,alpha=6," ALL,
                                        "olora:rank=3,alpha=6," ALL, "corda:rank=3,alpha=6," ALL};
    for (size_t i = 0; i < PB_COUNT(specs); i++) {
        fixture f = open_started(specs[i]), plain = fixture_open("lora:rank=6,alpha=12," ALL, 3, 5);
        fixture_stir(&f, 0.1);
        copy_head(&f, &plain);
        for (const pb_site *s = next_site(&f, NULL); s; s = next_site(&f, s))
            set_plain(&plain, &f, s, 3);
        check_same_logits(&f, &plain);
        pb_model_merge(f.model);
        check_same_logits(&f, &plain);
        fixture_close(&f);
        fixture_close(&plain);
    }
}

/* Copies tensors of one method to those of the same names of another. */
static void copy_tensors(const fixture *from, fixture *to, const char *const *name, int n)
{
    for (const pb_site *s = next_site(from, NULL); s; s = next_site(from, s))
        for (int i = 0; i < n; i++) {
            const pb_param *p = tensor(from, s, name[i]);
            PB_CHECK(pb_param_elements(p) == pb_param_elements(tensor(to, s, name[i])));
            memcpy(tensor(to, s, name[i])->x, p->x, pb_param_elements(p) * sizeof *p->x);
        }
    copy_head(from, to);
}

static const char *const a_and_b[] = {"A", "B"};

TEST(mica_computes_what_a_lora_with_its_matrices_does)
{
    fixture f = open_started("mica:rank=3,alpha=6," ALL), lora = fixture_open("lora:rank=3,alpha=6," ALL, 3, 5);
    fixture_stir(&f, 0.3);
    copy_tensors(&f, &lora, a_and_b, 2);
    check_same_logits(&f, &lora);
    fixture_close(&f);
    fixture_close(&lora);
}

/* The weight of a packed base, as it is held, is what is decomposed. */
TEST(a_packed_base_starts_too)
{
    fixture f = {.arena = pb_arena_new("batch"), .values = pb_arena_new("values"), .executor = pb_executor_new()};
    f.model = pb_model_open(&(pb_opening){.path = TINY, .classes = 3, .seed = 5, .base = {.precision = PB_IN_NF4}});
    PB_CHECK(f.model && !pb_attached_parse("pissa:rank=3,alpha=6," ALL, f.part, &f.parts));
    CHECK(!pb_model_attach(f.model, f.part, f.parts) && !pb_testbed_start(&f));
    CHECK(f.model->layer[0].site[Q].w->packed != NULL);
    check_part(&f, 2, 0, 3);
    fixture_close(&f);
}

/* ---- matrices between fixed singular vectors ------------------------------------------------------------------------ */

/* M [r,r] of a method that computes W x + scale * B M A x with fixed A [r,in] and B [out,r]. */
typedef double *middle_of(const fixture *f, const pb_site *s);

static double *dense(const fixture *f, const pb_site *s, const char *name)
{
    return copied(pb_param_elements(tensor(f, s, name)), tensor(f, s, name)->x);
}

static double *of_r(const fixture *f, const pb_site *s)
{
    return dense(f, s, "R");
}

static double *of_q_and_p(const fixture *f, const pb_site *s)
{
    const pb_param *P = tensor(f, s, "P"), *left = tensor(f, s, "Q");
    int r = P->cols;
    double *M = pb_alloc((size_t)(r * r) * sizeof *M);
    for (int i = 0; i < r * r; i++)
        for (int k = 0; k < P->rows; k++)
            M[i] += (double)left->x[i / r * P->rows + k] * (double)P->x[k * r + i % r];
    return M;
}

/* Gives a LoRA the matrices B M and A. */
static void set_product(fixture *lora, const fixture *f, const pb_site *s, const double *M)
{
    const pb_param *A = tensor(f, s, "A"), *B = tensor(f, s, "B");
    int r = A->rows;
    pb_real *to = tensor(lora, s, "B")->x;
    memcpy(tensor(lora, s, "A")->x, A->x, pb_param_elements(A) * sizeof *A->x);
    for (int i = 0; i < s->out * r; i++) {
        double sum = 0;
        for (int j = 0; j < r; j++)
            sum += (double)B->x[i / r * r + j] * M[j * r + i % r];
        to[i] = (pb_real)sum;
    }
}

/* A method whose tensors have been moved computes what this LoRA does, merged too. */
static void check_middle(const char *spec, const char *plain, middle_of *middle, double noise)
{
    fixture f = open_started(spec), lora = fixture_open(plain, 3, 5);
    fixture_stir(&f, noise);
    copy_head(&f, &lora);
    for (const pb_site *s = next_site(&f, NULL); s; s = next_site(&f, s)) {
        double *M = middle(&f, s);
        CHECK(!tensor(&f, s, "A")->trainable && !tensor(&f, s, "B")->trainable);
        set_product(&lora, &f, s, M);
        free(M);
    }
    check_same_logits(&f, &lora);
    pb_model_merge(f.model);
    check_same_logits(&f, &lora);
    fixture_close(&f);
    fixture_close(&lora);
}

/* The fixed factors are the r largest terms of W, as they start. */
static void check_factors(const char *spec, int r, bool normal)
{
    fixture f = open_started(spec);
    for (const pb_site *s = next_site(&f, NULL); s; s = next_site(&f, s)) {
        check_equal((size_t)(s->out * s->in), product_of(&f, s, 1, "B", "A"), terms_of(s, 0, r), 20 * EXACT);
        check_orthonormal_columns(tensor(&f, s, "B"), normal);
    }
    fixture_close(&f);
}

TEST(lora_xs_and_nora_are_loras_of_their_products)
{
    check_factors("lora-xs:rank=3," ALL, 3, true);
    check_factors("nora:rank=3,inner=2," ALL, 3, false);
    check_middle("lora-xs:rank=3,alpha=6," ALL, "lora:rank=3,alpha=6," ALL, of_r, 0.3);
    check_middle("nora:rank=3,inner=2,alpha=6," ALL, "lora:rank=3,alpha=6," ALL, of_q_and_p, 0.3);
}

/* ---- a sparse matrix between all singular vectors ------------------------------------------------------------------------ */

enum { SIDE_OF_ALL = 16 }; /* the smaller side of all projections of the tiny BERT */

static double *of_svft(const fixture *f, const pb_site *s)
{
    bool plain = pb_param_elements(tensor(f, s, "M")) == SIDE_OF_ALL;
    const pb_param *values = tensor(f, s, "M"), *places = plain ? NULL : tensor(f, s, "places");
    double *M = pb_alloc(SIDE_OF_ALL * SIDE_OF_ALL * sizeof *M);
    for (int i = 0; i < values->cols; i++)
        M[plain ? i * (SIDE_OF_ALL + 1) : places->index[i]] = (double)values->x[i];
    return M;
}

static int negative; /* values of S + delta */

static double *of_svdiff(const fixture *f, const pb_site *s)
{
    const pb_param *values = tensor(f, s, "M");
    double *M = pb_alloc(SIDE_OF_ALL * SIDE_OF_ALL * sizeof *M);
    pb_singular w;
    CHECK(!pb_singular_of_weight(&w, s));
    for (int i = 0; i < SIDE_OF_ALL; i++) {
        double value = (double)w.s[i] + (double)values->x[i];
        M[i * (SIDE_OF_ALL + 1)] = fmax(value, 0) - (double)w.s[i];
        negative += value < 0;
    }
    pb_singular_free(&w);
    return M;
}

TEST(svft_and_svdiff_are_loras_of_full_rank)
{
    static const char plain[] = "lora:rank=16,alpha=16," ALL;
    check_middle("svft:" ALL, plain, of_svft, 0.3);
    check_middle("svft:pattern=banded,band=2," ALL, plain, of_svft, 0.3);
    check_middle("svft:pattern=random,band=1," ALL, plain, of_svft, 0.3);
    check_middle("svft:pattern=top,band=1,targets=attn.*", "lora:rank=16,alpha=16,targets=attn.*", of_svft, 0.3);
    check_middle("svdiff:" ALL, plain, of_svdiff, 1);
    CHECK(negative > 0);
}

/* Returns how many of the chosen places hold, and checks that they ascend. */
static int count_places(const pb_param *places, bool (*holds)(const void *ctx, int row, int col), const void *ctx)
{
    int n = 0;
    for (int i = 0; i < places->cols; i++) {
        CHECK(i == 0 || places->index[i] > places->index[i - 1]);
        n += holds(ctx, places->index[i] / SIDE_OF_ALL, places->index[i] % SIDE_OF_ALL);
    }
    return n;
}

static bool in_band(const void *ctx, int row, int col)
{
    return abs(row - col) <= *(const int *)ctx;
}

typedef struct likeness {
    pb_singular w;
    double least; /* |u . v| of the least of the chosen places */
} likeness;

static double alike(const pb_singular *w, int row, int col)
{
    double sum = 0;
    for (int q = 0; q < w->in; q++)
        sum += (double)w->u[q * w->k + row] * (double)w->vt[col * w->in + q];
    return fabs(sum);
}

static bool is_alike(const void *ctx, int row, int col)
{
    const likeness *l = ctx;
    return alike(&l->w, row, col) >= l->least;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

TEST(svft_trains_the_places_of_its_pattern)
{
    enum { PLACES = 5 * SIDE_OF_ALL - 6 };
    static const int band = 2;
    fixture banded = open_started("svft:pattern=banded," ALL), top = open_started("svft:pattern=top,targets=attn.*");
    for (const pb_site *s = next_site(&banded, NULL); s; s = next_site(&banded, s))
        CHECK_INT(count_places(tensor(&banded, s, "places"), in_band, &band), PLACES);
    for (const pb_site *s = next_site(&top, NULL); s; s = next_site(&top, s)) {
        double all[SIDE_OF_ALL * SIDE_OF_ALL];
        likeness l;
        CHECK(!pb_singular_of_weight(&l.w, s));
        for (int i = 0; i < SIDE_OF_ALL * SIDE_OF_ALL; i++)
            all[i] = alike(&l.w, i / SIDE_OF_ALL, i % SIDE_OF_ALL);
        qsort(all, PB_COUNT(all), sizeof *all, compare_doubles);
        l.least = all[PLACES - 1] - 1e-6;
        CHECK_INT(count_places(tensor(&top, s, "places"), is_alike, &l), PLACES);
        pb_singular_free(&l.w);
    }
    fixture_close(&banded);
    fixture_close(&top);
}

/* ---- a few numbers, and a rotation ---------------------------------------------------------------------------------------- */

/* All targets share v. */
static double *of_tiny(const fixture *f, const pb_site *s)
{
    const pb_param *P = tensor(f, s, "P"), *v = pb_model_find(f->model, "tinylora.v.0");
    double *M = pb_alloc((size_t)P->cols * sizeof *M);
    for (int i = 0; i < P->cols; i++)
        for (int k = 0; k < P->rows; k++)
            M[i] += (double)v->x[k] * (double)P->x[k * P->cols + i];
    return M;
}

TEST(tinylora_is_a_lora_of_its_sum)
{
    check_factors("tinylora:rank=3," ALL, 3, false);
    check_middle("tinylora:rank=3,u=5,tie=1," ALL, "lora:rank=3,alpha=3," ALL, of_tiny, 0.3);
}

TEST(tinylora_shares_its_numbers_by_groups_of_targets)
{
    static const struct {
        const char *spec;
        int trained;
    } of[] = {{"tinylora:u=13,tie=1," ALL, 13}, {"tinylora:u=5,tie=0," ALL, 60}, {"tinylora:u=5,tie=0.75," ALL, 15}};
    for (size_t i = 0; i < PB_COUNT(of); i++) {
        fixture f = fixture_open(of[i].spec, 3, 5);
        int n = 0;
        for (int k = 0; k < pb_model_params(f.model); k++) {
            const pb_param *p = pb_model_param(f.model, k);
            n += p->trainable && p->kind == PB_ADDED ? p->rows * p->cols : 0;
        }
        CHECK_INT(n, of[i].trained);
        fixture_close(&f);
    }
}

/* D_b R D_a - I with R (I - Q) = I + Q. */
static double *of_psoft(const fixture *f, const pb_site *s)
{
    enum { R = 3 };
    const pb_real *q = tensor(f, s, "Q")->x, *a = tensor(f, s, "a")->x, *b = tensor(f, s, "b")->x;
    pb_real less[R * R] = {1, -q[0], -q[1], q[0], 1, -q[2], q[1], q[2], 1}, rotation[R * R];
    double *M = pb_alloc(sizeof(double) * R * R);
    for (int i = 0; i < R * R; i++)
        rotation[i] = less[i % R * R + i / R]; /* I + Q; (I - Q)^-1 (I + Q) is the same, as both are made of Q */
    CHECK(!pb_solve(less, R, rotation, R));
    for (int i = 0; i < R * R; i++)
        M[i] = (double)b[i / R] * (double)rotation[i] * (double)a[i % R] - (i / R == i % R);
    return M;
}

TEST(psoft_is_a_lora_of_its_rotation)
{
    check_factors("psoft:rank=3," ALL, 3, false);
    check_middle("psoft:rank=3," ALL, "lora:rank=3,alpha=3," ALL, of_psoft, 0.3);
}

/* ---- what is taken from the weight ------------------------------------------------------------------------------------------ */

/* Of rank 2r, with [A; right] and [B sigma, -left / scale]. */
static void set_kasa(fixture *lora, const fixture *f, const pb_site *s, int r, double scale)
{
    pb_real *A = tensor(lora, s, "A")->x, *B = tensor(lora, s, "B")->x;
    size_t half = (size_t)r * (size_t)s->in;
    memcpy(A, tensor(f, s, "A")->x, half * sizeof *A);
    memcpy(A + half, tensor(f, s, "right")->x, half * sizeof *A);
    for (int i = 0; i < s->out * r; i++) {
        B[i / r * 2 * r + i % r] = tensor(f, s, "B")->x[i] * tensor(f, s, "sigma")->x[i % r];
        B[i / r * 2 * r + r + i % r] = -tensor(f, s, "left")->x[i] / (pb_real)scale;
    }
}

TEST(kasa_is_a_lora_on_the_weight_without_its_smallest_values)
{
    fixture f = open_started("kasa:rank=3,alpha=6," ALL), lora = fixture_open("lora:rank=6,alpha=12," ALL, 3, 5);
    for (const pb_site *s = next_site(&f, NULL); s; s = next_site(&f, s))
        check_equal((size_t)(s->out * s->in), product_of(&f, s, 1, "left", "right"), terms_of(s, -3, 3), 20 * EXACT);
    fixture_stir(&f, 0.3);
    copy_head(&f, &lora);
    for (const pb_site *s = next_site(&f, NULL); s; s = next_site(&f, s))
        set_kasa(&lora, &f, s, 3, 2);
    check_same_logits(&f, &lora);
    pb_model_merge(f.model);
    check_same_logits(&f, &lora);
    fixture_close(&f);
    fixture_close(&lora);
}

/* ---- the small singular values train ------------------------------------------------------------------------------- */

#define OSF "osf:share=0.3," ALL

TEST(osf_without_its_small_singular_values_is_the_principal_part_of_the_weight)
{
    fixture f = open_started(OSF), full = fixture_open("full", 3, 5);
    fixture_stir(&f, 0.3);
    copy_head(&f, &full);
    for (const pb_site *s = next_site(&f, NULL); s; s = next_site(&f, s)) {
        pb_param *values = tensor(&f, s, "s"), *w = pb_model_site(full.model, s->number)->w;
        double *kept = terms_of(s, 0, 16 - values->cols);
        CHECK_INT(values->cols, 5); /* 0.3 * 16, rounded up */
        memset(values->x, 0, (size_t)values->cols * sizeof *values->x);
        for (size_t i = 0; i < pb_param_elements(w); i++)
            w->x[i] = (pb_real)kept[i];
        free(kept);
    }
    check_same_logits(&f, &full);
    pb_model_merge(f.model);
    check_same_logits(&f, &full);
    fixture_close(&f);
    fixture_close(&full);
}

/* The length of E^T g relative to that of g: E are the first `kept` columns of u, or of vt^T; element i of vector k of g
 * is at g[k*next + i*step]. */
static double along_kept(const pb_singular *w, bool left, int kept, const pb_real *g, int k, int next, int step)
{
    double along = 0, all = 0;
    int n = left ? w->out : w->in;
    for (int v = 0; v < k; v++) {
        for (int i = 0; i < n; i++)
            all += pow((double)g[v * next + i * step], 2);
        for (int j = 0; j < kept; j++) {
            double dot = 0;
            for (int i = 0; i < n; i++)
                dot += (double)g[v * next + i * step] * (double)(left ? w->u[i * w->k + j] : w->vt[j * n + i]);
            along += dot * dot;
        }
    }
    return sqrt(along / all);
}

/* Square weights, those with more rows, and those with more columns. */
TEST(osf_takes_from_the_gradients_what_lies_along_the_kept_vectors)
{
    fixture f = open_started(OSF);
    pb_arena *states = pb_arena_new("states");
    fixture_stir(&f, 0.3);
    run_backward(&f);
    pb_graph_mark_reached(f.graph);
    pb_model_open_state(f.model, states);
    for (int turn = 0; turn < 2; turn++) {
        for (const pb_site *s = next_site(&f, NULL); s; s = next_site(&f, s)) {
            const pb_param *u = tensor(&f, s, "U"), *v = tensor(&f, s, "V");
            pb_singular w;
            CHECK(!pb_singular_of_weight(&w, s));
            double left = along_kept(&w, true, w.k - u->cols, u->g, u->cols, 1, u->cols);
            double right = along_kept(&w, false, w.k - u->cols, v->g, v->rows, s->in, 1);
            CHECK(turn ? left < 50 * EXACT && right < 50 * EXACT : left > 0.1 && right > 0.1);
            pb_singular_free(&w);
        }
        pb_model_before_step(f.model, &(pb_step){.steps = 1, .rate = 0.1});
    }
    pb_model_close_state(f.model);
    pb_arena_free(states);
    fixture_close(&f);
}

/* ---- clusters of rows ------------------------------------------------------------------------------------------------- */

/* Of the rank of V, with V for A, and B_i A_c for row i of B. */
static void set_clustered(fixture *lora, const fixture *f, const pb_site *s, int q)
{
    const pb_param *A = tensor(f, s, "A"), *B = tensor(f, s, "B"), *right = tensor(f, s, "V");
    const int *cluster = tensor(f, s, "cluster")->index;
    pb_param *to = tensor(lora, s, "B");
    memcpy(tensor(lora, s, "A")->x, right->x, pb_param_elements(right) * sizeof *right->x);
    memset(to->x, 0, pb_param_elements(to) * sizeof *to->x);
    for (int i = 0; i < s->out * right->rows; i++)
        for (int j = 0; j < q; j++)
            to->x[i] += B->x[i / right->rows * q + j] *
                        A->x[(cluster[i / right->rows] * q + j) * right->rows + i % right->rows];
}

/* What the bias changes by is added to that of the other network. */
static void add_to_bias(const fixture *lora, const fixture *f, const pb_site *s)
{
    const pb_param *B = tensor(lora, s, "B"), *v = tensor(f, s, "v");
    pb_param *bias = pb_model_site(lora->model, s->number)->b;
    for (int i = 0; i < s->out; i++)
        for (int j = 0; j < B->cols; j++)
            bias->x[i] += B->x[i * B->cols + j] * v->x[j];
}

TEST(adamss_is_a_lora_of_the_right_singular_vectors_and_a_bias)
{
    fixture f = open_started("adamss:rank=6,subspaces=3,subspace_rank=2," ALL);
    fixture lora = fixture_open("lora:rank=6,alpha=6," ALL "+full", 3, 5);
    fixture_stir(&f, 0.3);
    copy_head(&f, &lora);
    for (const pb_site *s = next_site(&f, NULL); s; s = next_site(&f, s)) {
        set_clustered(&lora, &f, s, 2);
        add_to_bias(&lora, &f, s);
    }
    check_same_logits(&f, &lora);
    pb_model_merge(f.model);
    check_same_logits(&f, &lora);
    fixture_close(&f);
    fixture_close(&lora);
}

/* The mean of the rows of U [out,r] in a cluster; returns their number. */
static int center_of(const pb_singular *w, int r, const int *cluster, int c, double *mean)
{
    int rows = 0;
    memset(mean, 0, (size_t)r * sizeof *mean);
    for (int i = 0; i < w->out; i++)
        rows += cluster[i] == c;
    for (int i = 0; i < w->out; i++)
        for (int j = 0; j < r && cluster[i] == c; j++)
            mean[j] += (double)w->u[i * w->k + j] / rows;
    return rows;
}

/* The sum of the squared distances of the rows from the means of their clusters, relative to that from their mean. */
static double spread_of(const pb_singular *w, int r, const int *cluster, int clusters)
{
    double mean[16], sum = 0;
    for (int c = 0; c < clusters; c++) {
        CHECK(center_of(w, r, cluster, c, mean) > 0);
        for (int i = 0; i < w->out; i++)
            for (int j = 0; j < r && cluster[i] == c; j++)
                sum += pow((double)w->u[i * w->k + j] - mean[j], 2);
    }
    return sum;
}

/* Clusters have rows, and are tighter than those that take the rows by turns; with as many clusters as rows, each row is
 * one. */
TEST(adamss_clusters_the_left_singular_vectors)
{
    fixture f = open_started("adamss:rank=4,subspaces=3," ALL),
            each = open_started("adamss:subspaces=16,targets=attn.q");
    for (const pb_site *s = next_site(&f, NULL); s; s = next_site(&f, s)) {
        int turns[64];
        pb_singular w;
        pb_real *both = pb_alloc((size_t)s->out * (size_t)(s->in + 1) * sizeof *both);
        for (int i = 0; i < s->out * (s->in + 1); i++) {
            int row = i / (s->in + 1), col = i % (s->in + 1);
            both[i] = col < s->in ? s->w->x[row * s->in + col] : s->b->x[row];
            turns[row] = row % 3;
        }
        CHECK(!pb_singular_of(&w, both, s->out, s->in + 1));
        CHECK(spread_of(&w, 4, tensor(&f, s, "cluster")->index, 3) < 0.95 * spread_of(&w, 4, turns, 3));
        pb_singular_free(&w);
        free(both);
    }
    for (const pb_site *s = next_site(&each, NULL); s; s = next_site(&each, s))
        for (int i = 0, seen = 0; i < s->out; i++) {
            int c = tensor(&each, s, "cluster")->index[i];
            CHECK(c >= 0 && c < 16 && !(seen >> c & 1));
            seen |= 1 << c;
        }
    fixture_close(&f);
    fixture_close(&each);
}

/* ---- one basis for all layers ------------------------------------------------------------------------------------------ */

#define FROD "frod:rate=0.05,ridge=0,targets=attn.* mlp.up" /* no wide weights */

static pb_param *of_role(const fixture *f, const char *what, const pb_site *s)
{
    char *name = pb_format("frod.%s.%s", what, s->role);
    pb_param *p = tensor(f, NULL, name);
    free(name);
    return p;
}

/* U diag(l0) [out,in] = W V^-T, by another way than the method's. */
static pb_real *scaled_left(const fixture *f, const pb_site *s)
{
    size_t in = (size_t)s->in, out = (size_t)s->out;
    pb_real *w = pb_weight_values(s), *basis = pb_alloc(in * in * sizeof *basis), *u = pb_alloc(in * out * sizeof *u);
    pb_transpose(of_role(f, "V", s)->x, s->in, s->in, basis);
    pb_transpose(w, s->out, s->in, u);
    CHECK(!pb_solve(basis, s->in, u, s->out));
    pb_transpose(u, s->in, s->out, w);
    free(basis);
    free(u);
    return w;
}

/* Of two layers the joint decomposition is the generalized one of two matrices: both have orthonormal U. */
TEST(the_basis_of_frod_is_that_of_the_generalized_decomposition)
{
    fixture f = open_started(FROD);
    for (const pb_site *s = next_site(&f, NULL); s; s = next_site(&f, s)) {
        pb_real *u = scaled_left(&f, s);
        const pb_param *l0 = tensor(&f, s, "start");
        for (int a = 0; a < s->in; a++)
            for (int b = 0; b <= a; b++) {
                double sum = 0;
                for (int i = 0; i < s->out; i++)
                    sum += (double)u[i * s->in + a] * (double)u[i * s->in + b] / (double)(l0->x[a] * l0->x[b]);
                CHECK_NEAR(sum, a == b, 3000 * EXACT);
            }
        CHECK(same_bits(pb_param_elements(l0), l0->x, tensor(&f, s, "l")->x));
        free(u);
    }
    fixture_close(&f);
}

/* Row a of (diag(l) + S) V^T. */
static void turned_row(const fixture *f, const pb_site *s, int a, double *row)
{
    const pb_param *basis = of_role(f, "V", s), *values = tensor(f, s, "s"), *places = of_role(f, "places", s);
    for (int j = 0; j < s->in; j++)
        row[j] = (double)tensor(f, s, "l")->x[a] * (double)basis->x[a * s->in + j];
    for (int k = 0; k < values->cols; k++)
        if (places->index[k] / s->in == a) {
            CHECK(places->index[k] % s->in != a);
            for (int j = 0; j < s->in; j++)
                row[j] += (double)values->x[k] * (double)basis->x[places->index[k] % s->in * s->in + j];
        }
}

TEST(frod_is_the_weight_of_its_formula)
{
    fixture f = open_started(FROD), full = fixture_open("full", 3, 5);
    fixture_stir(&f, 0.3);
    copy_head(&f, &full);
    for (const pb_site *s = next_site(&f, NULL); s; s = next_site(&f, s)) {
        pb_param *w = pb_model_site(full.model, s->number)->w;
        pb_real *u = scaled_left(&f, s);
        double row[64];
        memset(w->x, 0, pb_param_elements(w) * sizeof *w->x);
        for (int a = 0; a < s->in; a++) {
            turned_row(&f, s, a, row);
            for (int i = 0; i < s->out * s->in; i++)
                w->x[i] += u[i / s->in * s->in + a] / tensor(&f, s, "start")->x[a] * (pb_real)row[i % s->in];
        }
        free(u);
    }
    check_near_logits(&f, &full, 200 * EXACT);
    pb_model_merge(f.model);
    check_near_logits(&f, &full, 200 * EXACT);
    fixture_close(&f);
    fixture_close(&full);
}

static double loss_of_training(fixture *f)
{
    fixture_forward(f, &pb_testbed_texts, true, 0);
    return (double)pb_graph_loss(f->graph)->x[0];
}

/* |B^T B - I| or |A A^T - I|; element k of vector i is x[i*next + k*step]. */
static double off_orthonormal(const pb_real *x, int r, int next, int n, int step)
{
    double square = 0;
    for (int i = 0; i < r; i++)
        for (int j = 0; j < r; j++) {
            double sum = i == j ? -1 : 0;
            for (int k = 0; k < n; k++)
                sum += (double)x[i * next + k * step] * (double)x[j * next + k * step];
            square += sum * sum;
        }
    return sqrt(square);
}

TEST(kasa_adds_its_penalties)
{
    fixture with = fixture_open("kasa:rank=3,beta=0.2,gamma=0.1," ALL, 3, 5),
            without = fixture_open("kasa:rank=3,beta=0,gamma=0," ALL, 3, 5);
    static const char *const names[] = {"A", "B", "sigma"};
    double want = 0;
    fixture_stir(&with, 0.3);
    copy_tensors(&with, &without, names, 3);
    for (const pb_site *s = next_site(&with, NULL); s; s = next_site(&with, s))
        want += 0.2 * pb_sum_squares(3, tensor(&with, s, "sigma")->x) +
                0.1 * (off_orthonormal(tensor(&with, s, "A")->x, 3, s->in, s->in, 1) +
                       off_orthonormal(tensor(&with, s, "B")->x, 3, 1, s->out, 3));
    CHECK_NEAR(loss_of_training(&with) - loss_of_training(&without), want, 100 * EXACT * want);
    fixture_close(&with);
    fixture_close(&without);
}

/* ---- directions of the inputs ------------------------------------------------------------------------------------------ */

static double *gram[64]; /* by site: x^T x / rows */

static void keep_grams(pb_build *b, const pb_training_stats *stats)
{
    for (const pb_site *s = pb_next_target(b, NULL); s; s = pb_next_target(b, s))
        gram[s->number] = copied((size_t)(s->in * s->in), stats->inputs[s->number]);
}

/* Starts a method twice: first with a hook that keeps what the method is told. */
static fixture open_watched(const char *spec)
{
    fixture f = fixture_open(spec, 3, 5);
    const pb_method *method = f.part[0].method;
    pb_method watching = *method;
    watching.hooks.start = keep_grams;
    f.model->part[0].method = &watching;
    CHECK(!pb_testbed_start(&f));
    f.model->part[0].method = method;
    CHECK(!pb_testbed_start(&f));
    return f;
}

/* a G a^T, and |G a^T - (a G a^T) a^T|. */
static double explained(const double *G, const pb_real *a, int n, double *off)
{
    double value = 0, square = 0;
    for (int i = 0; i < n; i++) {
        double sum = 0;
        for (int j = 0; j < n; j++)
            sum += G[i * n + j] * (double)a[j];
        value += (double)a[i] * sum;
        square += sum * sum;
    }
    *off = sqrt(fmax(0, square - value * value));
    return value;
}

/* The rows of A are eigenvectors of the inputs' Gram matrix, and explain as much as its r largest eigenvalues. */
TEST(eva_starts_from_the_directions_of_the_inputs)
{
    enum { R = 3, SIDE = 64 };
    fixture f = open_watched("eva:rank=3," ALL);
    for (const pb_site *s = next_site(&f, NULL); s; s = next_site(&f, s)) {
        const pb_param *A = tensor(&f, s, "A"), *B = tensor(&f, s, "B");
        pb_real values[SIDE], vectors[SIDE * SIDE], G[SIDE * SIDE];
        double sum = 0, off, want = 0;
        for (int i = 0; i < s->in * s->in; i++)
            G[i] = (pb_real)gram[s->number][i];
        CHECK(!pb_eigen(G, s->in, values, vectors));
        for (int i = 0; i < R; i++) {
            want += (double)values[i];
            sum += explained(gram[s->number], A->x + i * s->in, s->in, &off);
            CHECK(off <= 1e-3 * (double)values[0]);
            CHECK_NEAR(pb_sum_squares((size_t)s->in, A->x + i * s->in), 1, 20 * EXACT);
        }
        CHECK_NEAR(sum, want, 20 * EXACT * want);
        CHECK(pb_sum_squares(pb_param_elements(B), B->x) == 0 && A->trainable && B->trainable);
        free(gram[s->number]);
    }
    fixture_close(&f);
}

/* x [out,in] times the damped covariance of a site. */
static double *times_covariance(const pb_site *s, const double *x)
{
    const double *G = gram[s->number];
    double *d = pb_alloc((size_t)(s->out * s->in) * sizeof *d), trace = 0;
    for (int i = 0; i < s->in; i++)
        trace += G[i * s->in + i];
    for (int i = 0; i < s->out; i++)
        for (int j = 0; j < s->in; j++) {
            d[i * s->in + j] = 0.01 * trace / s->in * x[i * s->in + j];
            for (int k = 0; k < s->in; k++)
                d[i * s->in + j] += x[i * s->in + k] * G[k * s->in + j];
        }
    return d;
}

/* s B0 A0 C is the part of W C that the mode names. */
static void check_corda(const char *spec, bool largest)
{
    enum { R = 3 };
    fixture f = open_watched(spec);
    for (const pb_site *s = next_site(&f, NULL); s; s = next_site(&f, s)) {
        size_t n = (size_t)(s->out * s->in);
        pb_real *w = pb_weight_values(s), *seen = pb_alloc(n * sizeof *seen);
        double *weight = copied(n, w), *product = times_covariance(s, weight);
        double *part = product_of(&f, s, 2, "B0", "A0"), *got = times_covariance(s, part);
        pb_singular d;
        for (size_t i = 0; i < n; i++)
            seen[i] = (pb_real)product[i];
        CHECK(!pb_singular_of(&d, seen, s->out, s->in));
        double scale = length(n, product);
        for (int j = largest ? 0 : d.k - R, end = j + R; j < end; j++)
            for (int i = 0; i < (int)n; i++)
                got[i] -= (double)d.u[i / s->in * d.k + j] * (double)d.s[j] * (double)d.vt[j * s->in + i % s->in];
        CHECK(length(n, got) <= 50 * EXACT * scale && length(n, part) > 0);
        free(gram[s->number]);
        free(w);
        free(seen);
        free(weight);
        free(product);
        free(part);
        free(got);
        pb_singular_free(&d);
    }
    fixture_close(&f);
}

TEST(corda_starts_as_the_part_of_the_weight_that_its_inputs_see_most_or_least)
{
    check_corda("corda:rank=3,alpha=6," ALL, true);
    check_corda("corda:rank=3,alpha=6,mode=kpm," ALL, false);
}

/* ---- all ranks at once -------------------------------------------------------------------------------------------------- */

TEST(dylora_of_rank_one_is_lora_bit_by_bit)
{
    pb_encoded *f = toy_set(24);
    pb_train_options o = options_with(2, 1e-2);
    fixture r[] = {fixture_open("lora:rank=1", 2, 6), fixture_open("dylora:rank=1", 2, 6)};
    copy_tensors(&r[0], &r[1], a_and_b, 2); /* tensors of other names have other random values */
    for (int i = 0; i < 2; i++) {
        pb_result out = train(&r[i], f, &o, 6);
        pb_result_free(&out);
    }
    for (const pb_site *s = next_site(&r[0], NULL); s; s = next_site(&r[0], s))
        CHECK(same_bits(pb_param_elements(tensor(&r[0], s, "A")), tensor(&r[0], s, "A")->x, tensor(&r[1], s, "A")->x) &&
              same_bits(pb_param_elements(tensor(&r[0], s, "B")), tensor(&r[0], s, "B")->x, tensor(&r[1], s, "B")->x));
    fixture_close(&r[0]);
    fixture_close(&r[1]);
    toy_free(f);
}

TEST(dylora_scores_with_its_full_rank)
{
    fixture f = fixture_open("dylora:rank=4,alpha=6," ALL, 3, 5), lora = fixture_open("lora:rank=4,alpha=6," ALL, 3, 5);
    fixture_stir(&f, 0.3);
    copy_tensors(&f, &lora, a_and_b, 2);
    check_same_logits(&f, &lora);
    fixture_close(&f);
    fixture_close(&lora);
}

static bool row_has_gradient(const pb_param *A, int row)
{
    return pb_sum_squares((size_t)A->cols, A->g + row * A->cols) > 0;
}

/* A training batch with the rank b, which is returned, computes what a LoRA of rank b with the same alpha does. */
static int check_drawn(fixture *f, int rank)
{
    const pb_site *first = next_site(f, NULL);
    int b = 0;
    run_backward(f);
    while (b < rank && row_has_gradient(tensor(f, first, "A"), b))
        b++;
    char *spec = pb_format("lora:rank=%d,alpha=6,%s", b, ALL);
    fixture lora = fixture_open(spec, 3, 5);
    copy_head(f, &lora);
    for (const pb_site *s = first; s; s = next_site(f, s)) {
        const pb_param *A = tensor(f, s, "A"), *B = tensor(f, s, "B");
        for (int i = b; i < rank; i++)
            CHECK(!row_has_gradient(A, i)); /* one b for all sites */
        memcpy(tensor(&lora, s, "A")->x, A->x, (size_t)(b * s->in) * sizeof *A->x);
        for (int i = 0; i < s->out * b; i++)
            tensor(&lora, s, "B")->x[i] = B->x[i / b * rank + i % b];
    }
    size_t n = (size_t)(pb_graph_output(f->graph)->rows * pb_graph_output(f->graph)->cols);
    double *got = copied(n, pb_graph_output(f->graph)->x);
    run_backward(&lora);
    CHECK(distance(n, pb_graph_output(lora.graph)->x, got) <= 20 * EXACT);
    for (const pb_site *s = first; s; s = next_site(f, s)) {
        size_t part = (size_t)(b * s->in);
        double *want = copied(part, tensor(f, s, "A")->g);
        CHECK(distance(part, tensor(&lora, s, "A")->g, want) <= 1000 * EXACT);
        free(want);
    }
    free(got);
    free(spec);
    fixture_close(&lora);
    return b;
}

TEST(dylora_trains_a_lora_of_the_drawn_rank)
{
    enum { RANK = 4 };
    int seen[RANK + 1] = {0};
    fixture f = fixture_open("dylora:rank=4,alpha=6," ALL, 3, 5);
    fixture_stir(&f, 0.3);
    for (uint64_t key = 1; key <= 24; key++) {
        f.key = key;
        seen[check_drawn(&f, RANK)]++;
    }
    CHECK(!seen[0] && seen[1] && seen[2] && seen[3] && seen[4]);
    fixture_close(&f);
}

/* The same outputs, and a gradient for row b only. */
TEST(frozen_dylora_trains_one_row)
{
    enum { RANK = 4 };
    fixture f[] = {fixture_open("dylora:rank=4,alpha=6," ALL, 3, 5),
                   fixture_open("dylora:rank=4,alpha=6,frozen=yes," ALL, 3, 5)};
    fixture_stir(&f[0], 0.3);
    copy_tensors(&f[0], &f[1], a_and_b, 2);
    for (uint64_t key = 1; key <= 8; key++) {
        const pb_param *A[2];
        for (int i = 0; i < 2; i++) {
            f[i].key = key;
            run_backward(&f[i]);
            A[i] = tensor(&f[i], next_site(&f[i], NULL), "A");
        }
        size_t n = (size_t)(pb_graph_output(f[0].graph)->rows * pb_graph_output(f[0].graph)->cols);
        double *want = copied(n, pb_graph_output(f[0].graph)->x);
        CHECK(distance(n, pb_graph_output(f[1].graph)->x, want) <= 20 * EXACT);
        free(want);
        for (int row = 0; row < RANK; row++) {
            bool last = row_has_gradient(A[0], row) && (row + 1 == RANK || !row_has_gradient(A[0], row + 1));
            CHECK(row_has_gradient(A[1], row) == last);
        }
    }
    fixture_close(&f[0]);
    fixture_close(&f[1]);
}

/* ---- PEFT ----------------------------------------------------------------------------------------------------------------- */

/* What has A and B alone is written as a LoRA, and read as one. */
TEST(updates_that_are_loras_are_written_as_such)
{
    static const char *const specs[] = {"eva:rank=3,alpha=6," ALL, "dylora:rank=3,alpha=6," ALL};
    for (size_t i = 0; i < PB_COUNT(specs); i++) {
        char folder[] = "/tmp/peftbench-XXXXXX";
        fixture f = open_started(specs[i]), read = {.arena = pb_arena_new("b"), .values = pb_arena_new("v")};
        fixture_stir(&f, 0.3);
        CHECK(mkdtemp(folder) && !pb_adapter_save(f.model, folder));
        pb_adapter *a = pb_adapter_open(folder);
        CHECK(a && !strcmp(pb_adapter_method(a)->name, "lora"));
        read.executor = pb_executor_new();
        read.model = pb_model_open(&(pb_opening){.path = TINY, .classes = 3});
        CHECK(!pb_adapter_attach(read.model, a, true));
        for (int k = 0; k < pb_model_params(read.model); k++) { /* the testbed varies constant values of the base */
            pb_param *p = pb_model_param(read.model, k), *q = pb_model_find(f.model, p->name);
            if (q && !p->trainable && p->kind != PB_HEAD)
                p->x = q->x;
        }
        check_near_logits(&read, &f, 1e-5); /* the file is in 32 bits */
        fixture_close(&read);
        fixture_close(&f);
        pb_adapter_close(a);
        pb_remove_tree(folder);
    }
}

/* ---- refusals ------------------------------------------------------------------------------------------------------------ */

TEST(what_cannot_start_is_refused)
{
    static const char *const of[][2] = {
        {"pissa:rank=17", "pissa: rank: want at most 16, the smaller side of attn.q [16,16], got 17"},
        {"mica:rank=17", "pissa: rank: want at most 16"},
        {"nora:rank=17", "lora-xs: rank: want at most 16"},
        {"eva:rank=17", "eva: rank: want at most 16"},
        {"tinylora:rank=4096,u=65536", "tinylora: rank: want at most 16"}, /* before terabytes are drawn */
        {"corda:alpha=0", "alpha: want a number in 1e-09..1e+06, got '0'"},
        {"svft:pattern=top,targets=*", "svft: pattern: top compares left and right singular vectors"},
        {"svft:pattern=banded,band=16", "svft: band: want less than the 16 singular values of attn.q, got 16"},
        {"svdiff:pattern=banded", "svft: relu: want the pattern plain"},
        {"adamss:subspaces=17", "adamss: subspaces=17, subspace_rank=1: want at most 16 and 16 at attn.q"},
        {"adamss:rank=3,subspace_rank=4", "adamss: subspaces=5, subspace_rank=4: want at most 16 and 3 at attn.q"},
        {"pissa:alpha=0", "alpha: want a number in 1e-09..1e+06, got '0'"},
    };
    for (size_t i = 0; i < PB_COUNT(of); i++) {
        pb_testbed f;
        CHECK(pb_testbed_open(&f, TINY, false, of[i][0], 3, 0) == -1);
        if (!CHECK(strstr(pb_error_text(), of[i][1]) == pb_error_text()))
            printf("  %s\n", pb_error_text());
        pb_error_clear();
    }
}
