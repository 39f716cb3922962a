/* Methods with trained tokens in front of the text: what each computes, in closed form, as the same network with plain
 * prompt tuning or without a method computes it. */
#include "fixture.h"

#include "util.h"

#include <unistd.h>

#include "model/adapter.h"
#include "model/decode.h"

/* ---- a method beside another one that must be equal -------------------------------------------------------- */

static pb_param *tensor(const fixture *r, const char *name)
{
    pb_param *p = pb_model_find(r->model, name);
    if (!p)
        PB_BUG("no parameter '%s'", name);
    return p;
}

static size_t count(const pb_param *p)
{
    return (size_t)p->rows * (size_t)p->cols;
}

/* The logits of the golden's texts; the caller frees them. */
static double *logits_of(fixture *r, size_t *n)
{
    fixture_forward(r, &fixture_batch, false, 0);
    const pb_node *y = pb_graph_output(r->graph);
    *n = (size_t)y->rows * (size_t)y->cols;
    double *out = pb_alloc(*n * sizeof *out);
    for (size_t i = 0; i < *n; i++)
        out[i] = (double)y->x[i];
    return out;
}

/* How far the logits of two models are apart. */
static double logits_apart(fixture *a, fixture *b)
{
    size_t n, m;
    double *x = logits_of(a, &n), *y = logits_of(b, &m), off = n == m ? 0 : INFINITY;
    for (size_t i = 0; i < n && n == m; i++)
        off = fmax(off, fabs(x[i] - y[i]));
    free(x);
    free(y);
    return off;
}

/* Holds if the models compute the same, and would not if an element of `changed`, a tensor of `one`, were another. */
static void check_equal(fixture *one, fixture *other, pb_param *changed)
{
    CHECK_NEAR(logits_apart(one, other), 0, 10 * EXACT);
    changed->x[0] += (pb_real)0.5;
    CHECK(logits_apart(one, other) > 1e-4);
}

/* ---- matrices in double ------------------------------------------------------------------------------------- */

/* y [rows,out] = x W^T + b; b may be NULL.  The caller frees it. */
static double *affine(int rows, const double *x, const pb_param *w, const pb_param *b)
{
    double *y = pb_alloc((size_t)(rows * w->rows) * sizeof *y);
    for (int i = 0; i < rows; i++)
        for (int o = 0; o < w->rows; o++) {
            double sum = b ? (double)b->x[o] : 0;
            for (int k = 0; k < w->cols; k++)
                sum += x[i * w->cols + k] * (double)w->x[o * w->cols + k];
            y[i * w->rows + o] = sum;
        }
    return y;
}

static double *values(const pb_param *p)
{
    double *x = pb_alloc(count(p) * sizeof *x);
    for (size_t i = 0; i < count(p); i++)
        x[i] = (double)p->x[i];
    return x;
}

static void relu(size_t n, double *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = fmax(x[i], 0);
}

static void set_values(pb_param *p, double *x)
{
    for (size_t i = 0; i < count(p); i++)
        p->x[i] = (pb_real)x[i];
    free(x);
}

static void copy_tensor(const pb_param *from, pb_param *to)
{
    memcpy(to->x, from->x, pb_param_bytes(from));
}

/* ---- prompt tuning ------------------------------------------------------------------------------------------- */

/* P = U V */
TEST(a_prompt_of_low_rank_is_a_product)
{
    fixture one = fixture_open("lopt:length=5,rank=3", 3, 1), other = fixture_open("prompt:length=5", 3, 1);
    pb_param *U = tensor(&one, "prompt.U"), *V = tensor(&one, "prompt.V"), *P = tensor(&other, "prompt.embed");
    for (int i = 0; i < P->rows; i++)
        for (int j = 0; j < P->cols; j++) {
            double sum = 0;
            for (int k = 0; k < 3; k++)
                sum += (double)U->x[i * 3 + k] * (double)V->x[k * P->cols + j];
            P->x[i * P->cols + j] = (pb_real)sum;
        }
    check_equal(&one, &other, U);
    fixture_close(&one);
    fixture_close(&other);
}

/* Each row normalized, times gain plus bias. */
static void normalize(int rows, int n, double *x, const pb_param *gain, const pb_param *bias)
{
    for (int i = 0; i < rows; i++) {
        double mean = 0, square = 0, *row = x + i * n;
        for (int j = 0; j < n; j++)
            mean += row[j] / n;
        for (int j = 0; j < n; j++)
            square += (row[j] - mean) * (row[j] - mean) / n;
        for (int j = 0; j < n; j++)
            row[j] = (row[j] - mean) / sqrt(square + 1e-5) * (double)gain->x[j] + (double)bias->x[j];
    }
}

/* P + norm(W_up relu(W_down P + b_down) + b_up) */
TEST(a_residual_prompt_is_the_prompt_that_its_mlp_makes)
{
    fixture one = fixture_open("residual-prompt:length=5,hidden=7", 3, 1),
            other = fixture_open("prompt:length=5", 3, 1);
    fixture_stir(&one, 0.3);
    pb_param *P = tensor(&one, "prompt.embed");
    double *p = values(P), *h = affine(5, p, tensor(&one, "prompt.down.weight"), tensor(&one, "prompt.down.bias"));
    relu(5 * 7, h);
    double *y = affine(5, h, tensor(&one, "prompt.up.weight"), tensor(&one, "prompt.up.bias"));
    normalize(5, P->cols, y, tensor(&one, "prompt.norm.weight"), tensor(&one, "prompt.norm.bias"));
    for (size_t i = 0; i < count(P); i++)
        y[i] += p[i];
    set_values(tensor(&other, "prompt.embed"), y);
    copy_tensor(tensor(&one, "head.weight"), tensor(&other, "head.weight")); /* it has been stirred too */
    copy_tensor(tensor(&one, "head.bias"), tensor(&other, "head.bias"));
    check_equal(&one, &other, tensor(&one, "prompt.up.bias"));
    free(p);
    free(h);
    fixture_close(&one);
    fixture_close(&other);
}

/* The row of the word embeddings that x equals, or -1. */
static int token_of(const pb_param *table, const pb_real *x)
{
    for (int id = 0; id < table->rows; id++)
        if (same_bits((size_t)table->cols, x, table->x + (size_t)id * (size_t)table->cols))
            return id;
    return -1;
}

TEST(a_prompt_starts_from_tokens_that_the_seed_draws)
{
    int drawn[2][12], same = 0, distinct = 0;
    for (int seed = 0; seed < 2; seed++) {
        fixture r = fixture_open("prompt:length=12,start=vocabulary", 3, (uint64_t)seed);
        CHECK(!pb_testbed_start(&r));
        const pb_param *P = tensor(&r, "prompt.embed");
        for (int i = 0; i < 12; i++)
            CHECK((drawn[seed][i] = token_of(tensor(&r, "embed.word"), P->x + i * P->cols)) >= 0);
        fixture_close(&r);
    }
    for (int i = 0; i < 12; i++) {
        same += drawn[0][i] == drawn[1][i];
        distinct += i == 0 || drawn[0][i] != drawn[0][i - 1];
    }
    CHECK(same < 4 && distinct > 8);
}

TEST(tokens_have_no_low_rank)
{
    pb_testbed r;
    CHECK(pb_testbed_open(&r, TINY, false, "prompt:rank=2,start=vocabulary", 3, 1) < 0);
    CHECK(strstr(pb_error_text(), "start = vocabulary with rank = 2") != NULL);
    pb_error_clear();
}

/* P-tuning v2 is prefix tuning without the MLP. */
TEST(p_tuning_v2_is_a_prefix_without_an_mlp)
{
    fixture one = fixture_open("p-tuning-v2:length=3", 3, 1),
            other = fixture_open("prefix:length=3,mlp=yes,hidden=5", 3, 1);
    double *e = values(tensor(&other, "prefix.embed"));
    double *h = affine(3, e, tensor(&other, "prefix.mlp.weight"), tensor(&other, "prefix.mlp.bias"));
    for (int i = 0; i < 3 * 5; i++)
        h[i] = tanh(h[i]);
    for (int i = 0; i < 4; i++) {
        char *name = pb_format("layer.%d.attn.prefix.%c", i / 2, "kv"[i % 2]);
        char *weight = pb_format("%s.weight", name), *bias = pb_format("%s.bias", name);
        set_values(tensor(&one, name), affine(3, h, tensor(&other, weight), tensor(&other, bias)));
        free(name);
        free(weight);
        free(bias);
    }
    check_equal(&one, &other, tensor(&one, "layer.0.attn.prefix.k"));
    free(e);
    free(h);
    fixture_close(&one);
    fixture_close(&other);
}

/* ---- decomposed prompt tuning --------------------------------------------------------------------------------- */

/* Gives a tensor of the base, which is mapped, memory that may be written; it lives as long as the model. */
static void make_writable(fixture *r, pb_param *p)
{
    pb_real *x = pb_arena_alloc(r->values, PB_META, count(p) * sizeof *x);
    memcpy(x, p->x, count(p) * sizeof *x);
    p->x = x;
}

/* In a network with a table of positions the offset of the word embeddings is one of that table behind the prompt. */
TEST(the_offset_of_dept_is_one_of_the_table_of_positions)
{
    fixture one = fixture_open("dept:length=3,rank=2,positions=16,alpha=5", 3, 1),
            other = fixture_open("prompt:length=3", 3, 1);
    fixture_stir(&one, 0.3);
    copy_tensor(tensor(&one, "dept.embed"), tensor(&other, "prompt.embed"));
    copy_tensor(tensor(&one, "head.weight"), tensor(&other, "head.weight"));
    copy_tensor(tensor(&one, "head.bias"), tensor(&other, "head.bias"));
    pb_param *A = tensor(&one, "dept.A"), *B = tensor(&one, "dept.B"), *table = tensor(&other, "embed.position");
    make_writable(&other, table);
    double *a = values(A), *offset = affine(16, a, B, NULL);
    for (int i = 0; i < 16 * table->cols; i++)
        table->x[3 * table->cols + i] += (pb_real)(5 / sqrt(2) * offset[i]);
    free(a);
    free(offset);
    check_equal(&one, &other, A);
    fixture_close(&one);
    fixture_close(&other);
}

TEST(dept_refuses_a_text_that_is_too_long)
{
    fixture r = fixture_open("dept:length=3,positions=15", 3, 1); /* the golden has texts of up to 16 tokens */
    CHECK(pb_testbed_forward(&r, &fixture_batch, false, 0) < 0);
    CHECK_TEXT(pb_error_text(), "dept: a text of 16 tokens, want at most 15");
    pb_error_clear();
    fixture_close(&r);
}

/* A text that decoding may make too long is refused before its first token, since later graphs are not checked. */
TEST(dept_refuses_to_decode_more_tokens_than_it_has_rows)
{
    fixture r;
    if (pb_testbed_open(&r, "tests/golden/families/llama-3", false, "dept:length=3,positions=9", 0, 1))
        PB_BUG("%s", pb_error_text());
    pb_decoding how = {.max_new = 5, .temperature = 1, .top_p = 1, .beams = 1, .stop = "", .slots = 1};
    pb_ids prompt = {0};
    pb_continuation out = {0};
    for (int i = 0; i < 4; i++)
        pb_ids_add(&prompt, 5 + i);
    CHECK_INT(pb_decode(r.model, &how, 1, &prompt, &out), 0);
    pb_ids_free(&out.ids);
    how.max_new = 6;
    CHECK(pb_decode(r.model, &how, 1, &prompt, &out) < 0);
    CHECK_TEXT(pb_error_text(), "dept: a text of 10 tokens, want at most 9");
    pb_error_clear();
    pb_ids_free(&prompt);
    fixture_close(&r);
}

/* A and B learn at their own rate. */
TEST(dept_has_two_learning_rates)
{
    fixture r = fixture_open("dept:ratio=0.25", 3, 1);
    CHECK_NEAR(tensor(&r, "dept.embed")->rate, 1, 0);
    CHECK_NEAR(tensor(&r, "dept.A")->rate, 0.25, 0);
    CHECK_NEAR(tensor(&r, "dept.B")->rate, 0.25, 0);
    fixture_close(&r);
}

/* ---- adapters of PEFT ----------------------------------------------------------------------------------------- */

/* PEFT has the prompt alone, whatever has computed it. */
static void check_written(const char *spec)
{
    char folder[] = "/tmp/peftbench-XXXXXX";
    fixture one = fixture_open(spec, 3, 1);
    fixture_stir(&one, 0.3);
    CHECK(mkdtemp(folder) && !pb_adapter_save(one.model, folder));
    pb_adapter *a = pb_adapter_open(folder);
    fixture other = {.arena = pb_arena_new("other"), .values = pb_arena_new("other"), .executor = pb_executor_new()};
    other.model = pb_model_open(&(pb_opening){.path = TINY, .classes = 3});
    if (!CHECK(a && other.model && !pb_adapter_attach(other.model, a, false)))
        PB_BUG("%s", pb_error_text());
    for (int i = 0; i < pb_model_params(other.model); i++) { /* the testbed has changed what is constant in the file */
        pb_param *p = pb_model_param(other.model, i), *from = pb_model_find(one.model, p->name);
        p->x = from && p->kind != PB_ADDED ? from->x : p->x;
    }
    CHECK(pb_model_find(other.model, "prompt.embed") != NULL);
    CHECK_NEAR(logits_apart(&one, &other), 0, 1e-5);
    fixture_close(&other);
    pb_adapter_close(a);
    fixture_close(&one);
    pb_remove_tree(folder);
}

TEST(a_computed_prompt_is_written_as_a_prompt)
{
    check_written("prompt:length=4,pool=first");
    check_written("lopt:length=4,pool=first");
    check_written("residual-prompt:length=4,hidden=9,pool=first");
}
