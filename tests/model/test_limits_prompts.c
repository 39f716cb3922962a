/* Methods with trained tokens in front of the text: what each computes, in closed form, as the same network with plain
 * prompt tuning or without a method computes it. */
#include "fixture.h"

#include "util.h"

#include <unistd.h>

#include "model/adapter.h"
#include "model/decode.h"

/* ---- a method beside another one that must be equal -------------------------------------------------------- */

/* How far the logits of two models are apart, for texts of ids that every network of the tests has. */
static double logits_apart(fixture *a, fixture *b)
{
    int ids[PB_COUNT(fixture_ids)];
    for (size_t i = 0; i < PB_COUNT(ids); i++)
        ids[i] = fixture_ids[i] % 31;
    return fixture_apart(a, b, &(pb_batch){.sequences = 5, .offset = fixture_offset, .ids = ids});
}

/* Holds if the models compute the same, and would not if `changed`, a tensor of `one`, were another. */
static void check_equal(fixture *one, fixture *other, pb_param *changed)
{
    CHECK_NEAR(logits_apart(one, other), 0, 10 * EXACT);
    for (size_t i = 0; i < pb_param_elements(changed); i++)
        changed->x[i] += (pb_real)(i % 2 ? 1 : 0.5);
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
    double *x = pb_alloc(pb_param_elements(p) * sizeof *x);
    for (size_t i = 0; i < pb_param_elements(p); i++)
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
    for (size_t i = 0; i < pb_param_elements(p); i++)
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
    pb_param *U = fixture_param(&one, "prompt.U"), *V = fixture_param(&one, "prompt.V"),
             *P = fixture_param(&other, "prompt.embed");
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
    pb_param *P = fixture_param(&one, "prompt.embed");
    double *p = values(P),
           *h = affine(5, p, fixture_param(&one, "prompt.down.weight"), fixture_param(&one, "prompt.down.bias"));
    relu(5 * 7, h);
    double *y = affine(5, h, fixture_param(&one, "prompt.up.weight"), fixture_param(&one, "prompt.up.bias"));
    normalize(5, P->cols, y, fixture_param(&one, "prompt.norm.weight"), fixture_param(&one, "prompt.norm.bias"));
    for (size_t i = 0; i < pb_param_elements(P); i++)
        y[i] += p[i];
    set_values(fixture_param(&other, "prompt.embed"), y);
    copy_tensor(fixture_param(&one, "head.weight"), fixture_param(&other, "head.weight")); /* it has been stirred too */
    copy_tensor(fixture_param(&one, "head.bias"), fixture_param(&other, "head.bias"));
    check_equal(&one, &other, fixture_param(&one, "prompt.up.bias"));
    free(p);
    free(h);
    fixture_close(&one);
    fixture_close(&other);
}

/* P * (U V) */
TEST(a_prompt_of_mpt_is_a_product_of_three)
{
    fixture one = fixture_open("mpt:length=5,rank=2,init=0.5,init_task=0.5", 3, 1),
            other = fixture_open("prompt:length=5", 3, 1);
    pb_param *P = fixture_param(&one, "mpt.embed"), *U = fixture_param(&one, "mpt.U"),
             *V = fixture_param(&one, "mpt.V"), *to = fixture_param(&other, "prompt.embed");
    for (int i = 0; i < P->rows; i++)
        for (int j = 0; j < P->cols; j++)
            to->x[i * P->cols + j] = P->x[i * P->cols + j] *
                                     (U->x[2 * i] * V->x[j] + U->x[2 * i + 1] * V->x[P->cols + j]);
    check_equal(&one, &other, U);
    fixture_close(&one);
    fixture_close(&other);
}

/* ---- P-tuning --------------------------------------------------------------------------------------------------- */

/* x W^T + b, and with a second input y V^T more.  The caller frees it. */
static double *map(const fixture *r, const char *name, int rows, const double *x, const double *y)
{
    char *first = pb_format("p-tuning.%s.first", name), *second = pb_format("p-tuning.%s.second", name),
         *bias = pb_format("p-tuning.%s.bias", name);
    double *out = affine(rows, x, fixture_param(r, first), fixture_param(r, bias));
    double *more = y ? affine(rows, y, fixture_param(r, second), NULL) : NULL;
    for (int i = 0; y && i < rows * fixture_param(r, first)->rows; i++)
        out[i] += more[i];
    free(more);
    free(first);
    free(second);
    free(bias);
    return out;
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* One direction of an LSTM layer, by its definition. */
static double *lstm(const fixture *r, const char *name, int rows, int h, const double *x, const double *y)
{
    bool back = strstr(name, "back") != NULL;
    char *input = pb_format("%s.input", name), *recurrent = pb_format("p-tuning.%s.weight", name),
         *bias = pb_format("p-tuning.%s.bias", name);
    double *all = map(r, input, rows, x, y), *out = pb_alloc((size_t)(rows * h) * sizeof *out);
    double *c = pb_alloc((size_t)h * sizeof *c), *before = pb_alloc((size_t)h * sizeof *before);
    for (int s = 0; s < rows; s++) {
        int t = back ? rows - 1 - s : s;
        double *a = all + t * 4 * h, *more = affine(1, before, fixture_param(r, recurrent), fixture_param(r, bias));
        for (int j = 0; j < 4 * h; j++)
            a[j] += more[j];
        for (int j = 0; j < h; j++) {
            c[j] = sigmoid(a[h + j]) * c[j] + sigmoid(a[j]) * tanh(a[2 * h + j]);
            out[t * h + j] = sigmoid(a[3 * h + j]) * tanh(c[j]);
        }
        memcpy(before, out + t * h, (size_t)h * sizeof *before);
        free(more);
    }
    free(all);
    free(c);
    free(before);
    free(input);
    free(recurrent);
    free(bias);
    return out;
}

/* The prompt of P rows that the network makes of e. */
static double *by_lstm(const fixture *r, int rows, int h, const double *e)
{
    double *f0 = lstm(r, "lstm0.forth", rows, h, e, NULL), *b0 = lstm(r, "lstm0.back", rows, h, e, NULL);
    double *f1 = lstm(r, "lstm1.forth", rows, h, f0, b0), *b1 = lstm(r, "lstm1.back", rows, h, f0, b0);
    double *y = map(r, "mlp0", rows, f1, b1);
    relu((size_t)(rows * 2 * h), y);
    double *out = map(r, "mlp1", rows, y, NULL);
    free(f0);
    free(b0);
    free(f1);
    free(b1);
    free(y);
    return out;
}

static double *by_mlp(const fixture *r, int rows, int h, const double *e)
{
    double *y = map(r, "mlp0", rows, e, NULL);
    relu((size_t)(rows * h), y);
    double *z = map(r, "mlp1", rows, y, NULL);
    relu((size_t)(rows * h), z);
    double *out = map(r, "mlp2", rows, z, NULL);
    free(y);
    free(z);
    return out;
}

static void check_encoder(const char *spec, double *(*encoder)(const fixture *, int, int, const double *), int h,
                          const char *part)
{
    fixture one = fixture_open(spec, 3, 1), other = fixture_open("prompt:length=4", 3, 1);
    double *e = values(fixture_param(&one, "p-tuning.embed"));
    set_values(fixture_param(&other, "prompt.embed"), encoder(&one, 4, h, e));
    check_equal(&one, &other, fixture_param(&one, part));
    free(e);
    fixture_close(&one);
    fixture_close(&other);
}

TEST(p_tuning_is_the_prompt_that_its_network_makes)
{
    check_encoder("p-tuning:length=4", by_lstm, 8, "p-tuning.lstm0.back.weight");
    check_encoder("p-tuning:length=4,hidden=3", by_lstm, 3, "p-tuning.lstm1.forth.input.second");
    check_encoder("p-tuning:length=4,encoder=mlp", by_mlp, 16, "p-tuning.mlp1.bias");
}

/* ---- starts from the vocabulary --------------------------------------------------------------------------------- */

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
        const pb_param *P = fixture_param(&r, "prompt.embed");
        for (int i = 0; i < 12; i++)
            CHECK((drawn[seed][i] = token_of(fixture_param(&r, "embed.word"), P->x + i * P->cols)) >= 0);
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
    double *e = values(fixture_param(&other, "prefix.embed"));
    double *h = affine(3, e, fixture_param(&other, "prefix.mlp.weight"), fixture_param(&other, "prefix.mlp.bias"));
    for (int i = 0; i < 3 * 5; i++)
        h[i] = tanh(h[i]);
    for (int i = 0; i < 4; i++) {
        char *name = pb_format("layer.%d.attn.prefix.%c", i / 2, "kv"[i % 2]);
        char *weight = pb_format("%s.weight", name), *bias = pb_format("%s.bias", name);
        set_values(fixture_param(&one, name), affine(3, h, fixture_param(&other, weight), fixture_param(&other, bias)));
        free(name);
        free(weight);
        free(bias);
    }
    check_equal(&one, &other, fixture_param(&one, "layer.0.attn.prefix.k"));
    free(e);
    free(h);
    fixture_close(&one);
    fixture_close(&other);
}

/* ---- LLaMA-Adapter --------------------------------------------------------------------------------------------- */

/* Gives a tensor of the base, which is mapped, memory that may be written; it lives as long as the model. */
static void make_writable(fixture *r, pb_param *p)
{
    pb_real *x = pb_arena_alloc(r->values, PB_META, pb_param_elements(p) * sizeof *x);
    memcpy(x, p->x, pb_param_elements(p) * sizeof *x);
    p->x = x;
}

static fixture open_at(const char *path, const char *spec)
{
    fixture r;
    if (pb_testbed_open(&r, path, false, spec, 3, 1))
        PB_BUG("%s", pb_error_text());
    return r;
}

static pb_param *in_layer(const fixture *r, int layer, const char *name)
{
    char *full = pb_format("layer.%d.%s", layer, name);
    pb_param *p = fixture_param(r, full);
    free(full);
    return p;
}

/* The value [C] of the one token in a layer, each head times its gate. */
static double *gated_value(const fixture *r, int layer, bool fused, int heads)
{
    const pb_param *P = in_layer(r, layer, "attn.llama-adapter.prompt"),
                   *gate = in_layer(r, layer, "attn.llama-adapter.gate");
    double *p = values(P), *v = affine(1, p, in_layer(r, layer, fused ? "attn.qkv.weight" : "attn.v.weight"),
                                       in_layer(r, layer, fused ? "attn.qkv.bias" : "attn.v.bias"));
    for (int i = 0; i < P->cols; i++)
        p[i] = v[i + (fused ? 2 * P->cols : 0)] *
               (gate->cols == 1 ? (double)gate->x[0] : tanh((double)gate->x[i / (P->cols / heads)]));
    free(v);
    return p;
}

/* All queries attend to a single token with the probability 1, so that it is a bias behind the projection attn.o. */
static void check_one_token(const char *path, const char *spec, int first, bool fused, int heads)
{
    fixture one = open_at(path, spec), other = open_at(path, "");
    CHECK_NEAR(logits_apart(&one, &other), 0, 0);
    for (int layer = first; layer < 2; layer++) {
        pb_param *gate = in_layer(&one, layer, "attn.llama-adapter.gate"),
                 *bias = in_layer(&other, layer, "attn.o.bias");
        for (int h = 0; h < gate->cols; h++)
            gate->x[h] = (pb_real)(0.3 * (h + 1) - 0.1 * layer);
        double *v = gated_value(&one, layer, fused, heads);
        double *shift = affine(1, v, in_layer(&other, layer, "attn.o.weight"), NULL);
        make_writable(&other, bias);
        for (int i = 0; i < bias->cols; i++)
            bias->x[i] += (pb_real)shift[i];
        free(v);
        free(shift);
    }
    check_equal(&one, &other, in_layer(&one, 1, "attn.llama-adapter.gate"));
    fixture_close(&one);
    fixture_close(&other);
}

TEST(a_single_adaption_token_is_a_bias)
{
    check_one_token(TINY, "llama-adapter:length=1", 0, false, 2);
    check_one_token(TINY, "llama-adapter:length=1,gate=one", 0, false, 2);
    check_one_token(TINY, "llama-adapter:length=1,top=1", 1, false, 2);
    check_one_token("tests/golden/families/gpt2", "llama-adapter:length=1", 0, true, 4);
}

/* ---- decomposed prompt tuning --------------------------------------------------------------------------------- */

/* In a network with a table of positions the offset of the word embeddings is one of that table behind the prompt. */
TEST(the_offset_of_dept_is_one_of_the_table_of_positions)
{
    fixture one = fixture_open("dept:length=3,rank=2,positions=16,alpha=5", 3, 1),
            other = fixture_open("prompt:length=3", 3, 1);
    fixture_stir(&one, 0.3);
    copy_tensor(fixture_param(&one, "dept.embed"), fixture_param(&other, "prompt.embed"));
    copy_tensor(fixture_param(&one, "head.weight"), fixture_param(&other, "head.weight"));
    copy_tensor(fixture_param(&one, "head.bias"), fixture_param(&other, "head.bias"));
    pb_param *A = fixture_param(&one, "dept.A"), *B = fixture_param(&one, "dept.B"),
             *table = fixture_param(&other, "embed.position");
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
    CHECK_NEAR(fixture_param(&r, "dept.embed")->rate, 1, 0);
    CHECK_NEAR(fixture_param(&r, "dept.A")->rate, 0.25, 0);
    CHECK_NEAR(fixture_param(&r, "dept.B")->rate, 0.25, 0);
    fixture_close(&r);
}

/* ---- trainable tokens -------------------------------------------------------------------------------------------- */

/* Tokens with rows of their own are those of another table of word embeddings. */
TEST(trainable_tokens_are_rows_of_the_table)
{
    fixture one = fixture_open("trainable-tokens:first=-250,tokens=9", 3, 1), other = fixture_open("", 3, 1);
    pb_param *rows = fixture_param(&one, "trainable-tokens.rows"), *table = fixture_param(&other, "embed.word");
    CHECK(table->rows == 255 && same_bits(pb_param_elements(rows), rows->x, table->x + 5 * table->cols));
    CHECK_NEAR(logits_apart(&one, &other), 0, 0);
    make_writable(&other, table);
    for (size_t i = 0; i < pb_param_elements(rows); i++)
        rows->x[i] = table->x[5 * (size_t)table->cols + i] = (pb_real)(0.01 * (double)(i % 37) - 0.2);
    check_equal(&one, &other, rows);
    fixture_close(&one);
    fixture_close(&other);
}

static void check_refused(const char *path, const char *spec, int classes, const char *why)
{
    fixture r;
    CHECK(pb_testbed_open(&r, path, false, spec, classes, 1) < 0);
    CHECK_TEXT(pb_error_text(), why);
    pb_error_clear();
}

TEST(trainable_tokens_refuse_what_they_cannot_change)
{
    check_refused(TINY, "trainable-tokens:first=250,tokens=6", 3, "trainable-tokens: ids 250 to 255, want 0 to 254");
    check_refused(
        "tests/golden/families/gpt2", "trainable-tokens:tokens=3", 0,
        "trainable-tokens: this model predicts words by the table of word embeddings, whose rows cannot differ "
        "from those of the input; want a model with a table of its own, or a classification head");
}

/* ---- cartridges --------------------------------------------------------------------------------------------------- */

/* In a decoder the keys and values of tokens in front of a text are all that the text sees of them. */
TEST(a_cartridge_starts_as_tokens_in_front_of_the_text)
{
    enum { P = 4, TEXT = 3 };
    static const int text[] = {7, 9, 30}, ends[] = {0, TEXT}, all_ends[] = {0, P + TEXT};
    fixture one = open_at("tests/golden/families/llama-3", "cartridge:length=4"),
            other = open_at("tests/golden/families/llama-3", "");
    CHECK(!pb_testbed_start(&one));
    pb_rng r = pb_rng_named(1, "prefix.tokens");
    int all[P + TEXT];
    for (int i = 0; i < P + TEXT; i++)
        all[i] = i < P ? (int)pb_rng_below(&r, 97) : text[i - P];
    fixture_forward(&one, &(pb_batch){.sequences = 1, .offset = ends, .ids = text}, false, 0);
    fixture_forward(&other, &(pb_batch){.sequences = 1, .offset = all_ends, .ids = all}, false, 0);
    for (int i = 0; i < 3; i++)
        CHECK_NEAR((double)pb_graph_output(one.graph)->x[i], (double)pb_graph_output(other.graph)->x[i], 10 * EXACT);
    CHECK_INT(in_layer(&one, 1, "attn.prefix.k.frozen")->rows, 1);
    CHECK(!in_layer(&one, 1, "attn.prefix.k.frozen")->trainable && in_layer(&one, 1, "attn.prefix.k")->trainable);
    fixture_close(&one);
    fixture_close(&other);
}

TEST(a_prefix_refuses_rows_that_it_does_not_have)
{
    check_refused(TINY, "prefix:length=2,frozen=2", 3, "prefix: frozen = 2, want fewer than length = 2");
    check_refused(TINY, "prefix:mlp=yes,frozen=1", 3,
                  "prefix: mlp = yes computes all rows; want frozen = 0 and start = random, or mlp = no");
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
    check_written("mpt:length=4,pool=first");
    check_written("p-tuning:length=4,pool=first");
    check_written("p-tuning:length=4,encoder=mlp,pool=first");
}
