/* LoRA-GA: its start against the decomposition of the gradient of W, its closed form, and its memory. */
#include "fixture.h"
#include "util.h"

#include "model/internal.h"
#include "model/start.h"
#include "numeric/lapack.h"

enum { RANK = 3, SIDE = 16 };
#define SPEC "lora-ga:rank=3,alpha=6,gamma=4,targets=attn.* mlp.*"
#define PLAIN "lora:rank=6,alpha=12,targets=attn.* mlp.*"

static fixture open_started(const char *spec)
{
    fixture f = fixture_open(spec, 3, 5);
    if (pb_testbed_start(&f))
        PB_BUG("%s", pb_error_text());
    return f;
}

static pb_param *tensor(fixture *f, const char *site, const char *name)
{
    char *full = pb_format("%s.%s", site, name);
    pb_param *p = pb_model_find(f->model, full);
    free(full);
    PB_CHECK(p != NULL);
    return p;
}

static double *values(const pb_real *x, size_t n)
{
    double *copy = pb_alloc(n * sizeof *copy);
    for (size_t i = 0; i < n; i++)
        copy[i] = (double)x[i];
    return copy;
}

static double *logits_of(fixture *f, size_t *n)
{
    fixture_forward(f, &pb_testbed_texts, false, 0);
    const pb_node *y = pb_graph_output(f->graph);
    *n = (size_t)(y->rows * y->cols);
    return values(y->x, *n);
}

/* The sum over k of a[i,k] b[k,j]. */
static double dot(const pb_real *a, int a_next, const pb_real *b, int b_next, int n)
{
    double sum = 0;
    for (int k = 0; k < n; k++)
        sum += (double)a[k * a_next] * (double)b[k * b_next];
    return sum;
}

/* ---- the start ---------------------------------------------------------------------------------------------- */

TEST(the_first_outputs_are_those_of_the_base_bit_by_bit)
{
    fixture base = fixture_open("head", 3, 5), f = open_started(SPEC);
    fixture_forward(&base, &pb_testbed_texts, false, 0);
    fixture_forward(&f, &pb_testbed_texts, false, 0);
    const pb_node *want = pb_graph_output(base.graph), *got = pb_graph_output(f.graph);
    CHECK(same_bits((size_t)(want->rows * want->cols), got->x, want->x));
    fixture_close(&base);
    fixture_close(&f);
}

/* The best approximation of g [out,in] of this rank. */
static double *approximation(const pb_real *g, int out, int in, int rank)
{
    int k = in < out ? in : out;
    pb_real *u = pb_alloc((size_t)(out * k) * sizeof *u), *s = pb_alloc((size_t)k * sizeof *s);
    pb_real *vt = pb_alloc((size_t)(k * in) * sizeof *vt);
    double *best = pb_alloc((size_t)(out * in) * sizeof *best);
    CHECK(!pb_svd(g, out, in, u, s, vt));
    rank = rank < k ? rank : k;
    for (int i = 0; i < out; i++)
        for (int j = 0; j < in; j++)
            for (int q = 0; q < rank; q++)
                best[i * in + j] += (double)u[i * k + q] * (double)s[q] * (double)vt[q * in + j];
    free(u);
    free(s);
    free(vt);
    return best;
}

/* The direction B B^T g + g A^T A of the first step of B A. */
static pb_real *direction(fixture *f, const char *site, const pb_real *g, int out, int in)
{
    const pb_real *A = tensor(f, site, "lora-ga.A")->x, *B = tensor(f, site, "lora-ga.B")->x;
    int rank = tensor(f, site, "lora-ga.A")->rows;
    pb_real *d = pb_alloc((size_t)(out * in) * sizeof *d);
    for (int i = 0; i < out; i++)
        for (int j = 0; j < in; j++) {
            double sum = 0;
            for (int q = 0; q < rank; q++)
                sum += (double)B[i * rank + q] * dot(B + q, rank, g + j, in, out) +
                       dot(g + i * in, 1, A + q * in, 1, in) * (double)A[q * in + j];
            d[i * in + j] = (pb_real)sum;
        }
    return d;
}

static void check_first_step(const char *spec, int rank)
{
    static const char *const sites[] = {"layer.0.attn.q", "layer.1.mlp.up", "layer.0.mlp.down"};
    fixture full = fixture_open("full", 3, 5), f = open_started(spec);
    fixture_forward(&full, &pb_testbed_texts, true, 0);
    pb_executor_backward(full.executor, full.graph);
    for (size_t i = 0; i < PB_COUNT(sites); i++) {
        const pb_param *w = tensor(&full, sites[i], "weight");
        double *want = approximation(w->g, w->rows, w->cols, 2 * rank);
        pb_real *got = direction(&f, sites[i], w->g, w->rows, w->cols);
        for (int k = 0; k < w->rows * w->cols; k++) /* c^2 = sqrt(out) / gamma */
            want[k] *= sqrt(w->rows) / 4;
        CHECK(distance((size_t)(w->rows * w->cols), got, want) <= 100 * EXACT);
        free(want);
        free(got);
    }
    fixture_close(&full);
    fixture_close(&f);
}

TEST(the_first_step_is_the_best_one_of_rank_2r)
{
    check_first_step(SPEC, RANK);
}

/* The smaller side is 16, less than 2r: the step is that of the gradient itself. */
TEST(the_first_step_of_a_large_rank_is_the_gradient)
{
    check_first_step("lora-ga:rank=12,gamma=4,targets=attn.* mlp.*", 12);
}

TEST(a_and_b_start_as_the_matrices_that_stay)
{
    fixture f = open_started(SPEC);
    const pb_param *A = tensor(&f, "layer.1.attn.v", "lora-ga.A"), *A0 = tensor(&f, "layer.1.attn.v", "lora-ga.A0");
    const pb_param *B = tensor(&f, "layer.1.attn.v", "lora-ga.B"), *B0 = tensor(&f, "layer.1.attn.v", "lora-ga.B0");
    CHECK(A->trainable && B->trainable && !A0->trainable && !B0->trainable);
    CHECK(same_bits(RANK * SIDE, A->x, A0->x) && same_bits(RANK * SIDE, B->x, B0->x));
    fixture_close(&f);
}

TEST(a_rank_above_the_smaller_side_is_refused)
{
    pb_testbed f;
    CHECK(pb_testbed_open(&f, TINY, false, "lora-ga:rank=17", 3, 0) == -1);
    CHECK_TEXT(pb_error_text(), "lora-ga: rank: want at most 16, the smaller side of attn.q [16,16], got 17");
}

/* ---- the closed form ---------------------------------------------------------------------------------------- */

/* Gives a LoRA of rank 2r the matrices [A; A0] and [B, -B0]. */
static void set_plain(fixture *plain, fixture *f, const pb_site *site)
{
    char at[64];
    snprintf(at, sizeof at, "layer.%d.%s", site->layer, site->role);
    pb_real *A = tensor(plain, at, "lora.A")->x, *B = tensor(plain, at, "lora.B")->x;
    size_t half = (size_t)RANK * (size_t)site->in * sizeof *A;
    memcpy(A, tensor(f, at, "lora-ga.A")->x, half);
    memcpy(A + RANK * site->in, tensor(f, at, "lora-ga.A0")->x, half);
    const pb_real *trained = tensor(f, at, "lora-ga.B")->x, *kept = tensor(f, at, "lora-ga.B0")->x;
    for (int i = 0; i < site->out; i++)
        for (int q = 0; q < RANK; q++) {
            B[i * 2 * RANK + q] = trained[i * RANK + q];
            B[i * 2 * RANK + RANK + q] = -kept[i * RANK + q];
        }
}

TEST(it_is_a_lora_of_twice_the_rank)
{
    fixture f = open_started(SPEC), plain = fixture_open(PLAIN, 3, 5);
    fixture_stir(&f, 0.1);
    for (int i = 0; i < pb_model_params(f.model); i++) { /* the head has been stirred too */
        const pb_param *p = pb_model_param(f.model, i);
        if (p->kind == PB_HEAD)
            memcpy(pb_model_find(plain.model, p->name)->x, p->x, (size_t)(p->rows * p->cols) * sizeof *p->x);
    }
    for (int i = 0; i < pb_model_sites(f.model); i++) {
        const pb_site *site = pb_model_site(f.model, i);
        if (site->w)
            set_plain(&plain, &f, site);
    }
    for (int merged = 0; merged < 2; merged++) {
        size_t n;
        double *want = logits_of(&plain, &n);
        fixture_forward(&f, &pb_testbed_texts, false, 0);
        CHECK(distance(n, pb_graph_output(f.graph)->x, want) <= 10 * EXACT);
        free(want);
        pb_model_merge(f.model);
        pb_model_merge(plain.model);
    }
    fixture_close(&f);
    fixture_close(&plain);
}

/* ---- memory ------------------------------------------------------------------------------------------------- */

static pb_batch all_texts(const void *ctx, pb_arena *arena, const int *example, int n)
{
    (void)arena;
    (void)example;
    (void)n;
    return *(const pb_batch *)ctx;
}

TEST(it_takes_the_memory_of_lora_and_of_what_stays)
{
    fixture f = fixture_open(SPEC, 3, 0), lora = fixture_open("lora:rank=3,targets=attn.* mlp.*", 3, 0);
    pb_counts one = pb_model_counts(f.model), other = pb_model_counts(lora.model);
    CHECK(one.trainable == other.trainable && one.added == 2 * other.added);
    CHECK(!pb_testbed_plan(&f, &pb_testbed_texts, true, 0) && !pb_testbed_plan(&lora, &pb_testbed_texts, true, 0));
    size_t rows = (size_t)pb_testbed_texts.offset[pb_testbed_texts.sequences]; /* not a single A0 x is kept */
    CHECK(f.plan.activations < lora.plan.activations + rows * RANK * sizeof(pb_real));
    fixture_close(&f);
    fixture_close(&lora);
}

TEST(its_preparation_takes_two_dense_matrices_for_each_target)
{
    fixture f = fixture_open(SPEC, 3, 0);
    static const int count[] = {2, 1, 2};
    pb_samples s = {
        .classes = 3, .class_count = count, .count = 5, .batch = 5, .make = all_texts, .ctx = &pb_testbed_texts};
    pb_preparation p;
    CHECK(!pb_model_plan_start(f.model, &s, &p));
    size_t elements = 0; /* of the targets, and of A and B */
    for (int i = 0; i < pb_model_sites(f.model); i++) {
        const pb_site *site = pb_model_site(f.model, i);
        elements += site->w ? (size_t)(site->in * site->out + RANK * (site->in + site->out)) : 0;
    }
    CHECK_INT(p.gradients, elements * sizeof(pb_real));
    CHECK_INT(p.statistics, elements * sizeof(pb_real));
    fixture_close(&f);
}
