/* GGUF files that say something of the arithmetic: rotary positions as transformers computes them
 * (tests/parity/make_rope.py), keys that are not understood, types by name, and files with very many names. */
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "tokenizer/tokenizer.h"
#include "weights/weights.h"
#include "model/family.h"

enum { HEAD = 16, WIDTH = 64 };

/* ---- writing a file -------------------------------------------------------------------------------------- */

typedef struct writer {
    pb_text values, tensors, data;
    int value_count, tensor_count;
} writer;

static void add_whole(pb_text *b, uint64_t n, size_t bytes)
{
    pb_text_bytes(b, &n, bytes);
}

static void add_name(pb_text *b, const char *text)
{
    add_whole(b, strlen(text), 8);
    pb_text_bytes(b, text, strlen(text));
}

static void add_key(writer *w, const char *key, int type)
{
    add_name(&w->values, key);
    add_whole(&w->values, (uint64_t)type, 4);
    w->value_count++;
}

static void put_text(writer *w, const char *key, const char *text)
{
    add_key(w, key, 8);
    add_name(&w->values, text);
}

static void put_number(writer *w, const char *key, double number)
{
    float x = (float)number;
    add_key(w, key, 6);
    pb_text_bytes(&w->values, &x, sizeof x);
}

/* n numbers of 32 bits, said to be of this type. */
static void put_tensor(writer *w, const char *name, int type, const float *x, size_t n)
{
    add_name(&w->tensors, name);
    add_whole(&w->tensors, 1, 4);
    add_whole(&w->tensors, n, 8);
    add_whole(&w->tensors, (uint64_t)type, 4);
    add_whole(&w->tensors, w->data.length, 8);
    pb_text_bytes(&w->data, x, n * sizeof *x);
    while (w->data.length % 32)
        add_whole(&w->data, 0, 1);
    w->tensor_count++;
}

/* A Llama of one layer without tensors; `with` and a number or a text: one key more, or NULL. */
static writer start(void)
{
    writer w = {0};
    put_text(&w, "general.architecture", "llama");
    put_number(&w, "llama.context_length", 512);
    put_number(&w, "llama.embedding_length", WIDTH);
    put_number(&w, "llama.block_count", 1);
    put_number(&w, "llama.feed_forward_length", 32);
    put_number(&w, "llama.attention.head_count", WIDTH / HEAD);
    put_number(&w, "llama.attention.layer_norm_rms_epsilon", 1e-5);
    return w;
}

/* The file opened; the writer is used up. */
static pb_weights *open_written(writer *w)
{
    char path[64];
    pb_text b = {0};
    snprintf(path, sizeof path, "/tmp/peftbench-%d.gguf", (int)getpid());
    pb_text_add(&b, "GGUF");
    add_whole(&b, 3, 4);
    add_whole(&b, (uint64_t)w->tensor_count, 8);
    add_whole(&b, (uint64_t)w->value_count, 8);
    pb_text_bytes(&b, w->values.data, w->values.length);
    if (w->tensor_count)
        pb_text_bytes(&b, w->tensors.data, w->tensors.length);
    while (b.length % 32)
        add_whole(&b, 0, 1);
    if (w->tensor_count)
        pb_text_bytes(&b, w->data.data, w->data.length);
    if (pb_write_file(path, b.data, b.length))
        PB_BUG("%s", pb_error_text());
    pb_weights *opened = pb_weights_open(path);
    unlink(path);
    pb_text_free(&b);
    pb_text_free(&w->values);
    pb_text_free(&w->tensors);
    pb_text_free(&w->data);
    return opened;
}

/* ---- rotary positions ------------------------------------------------------------------------------------ */

static void check_rope(const char *what, const char *config, const pb_json *want)
{
    static pb_network_config c;
    pb_json_doc *doc = pb_json_parse(what, config, strlen(config));
    if (!doc || pb_network_config_read(what, pb_json_root(doc), &c)) {
        CHECK_TEXT(pb_error_text(), "");
        return;
    }
    const pb_json *frequency = pb_json_get(want, "frequency");
    CHECK_INT(c.head_size, HEAD);
    for (size_t i = 0; i < HEAD / 2; i++)
        CHECK_NEAR((double)c.rope.frequency[i], pb_json_number(pb_json_at(frequency, i), NAN), 1e-6);
    CHECK_NEAR(c.rope.scale, pb_json_number(pb_json_get(want, "scale"), NAN), 1e-7);
    pb_json_free(doc);
}

static int put_key(void *ctx, const char *key, const pb_json *value)
{
    char *full = pb_format("llama.%s", key);
    if (pb_json_text(value, NULL))
        put_text(ctx, full, pb_json_text(value, ""));
    else
        put_number(ctx, full, pb_json_number(value, NAN));
    free(full);
    return 0;
}

/* The config.json that the same GGUF amounts to. */
static void check_gguf(const pb_json *want)
{
    writer w = start();
    float divisor[HEAD / 2], word[WIDTH] = {0};
    const pb_json *divisors = pb_json_get(want, "divisors");
    pb_json_each(pb_json_get(want, "gguf"), put_key, &w);
    for (size_t i = 0; i < pb_json_size(divisors); i++)
        divisor[i] = (float)pb_json_number(pb_json_at(divisors, i), NAN);
    if (pb_json_size(divisors))
        put_tensor(&w, "rope_freqs.weight", 0, divisor, HEAD / 2);
    put_tensor(&w, "token_embd.weight", 0, word, WIDTH);
    pb_weights *f = open_written(&w);
    if (CHECK(f != NULL))
        check_rope("gguf", pb_weights_config(f), want);
    else
        CHECK_TEXT(pb_error_text(), "");
    pb_weights_close(f);
}

TEST(rotary_positions_are_those_of_transformers)
{
    char *all = pb_read_file("tests/golden/rope.jsonl", NULL), *rest = all, *line;
    int lines = 0;
    while ((line = strsep(&rest, "\n")) && *line) {
        pb_json_doc *doc = pb_json_parse("rope.jsonl", line, strlen(line));
        const pb_json *root = pb_json_root(doc);
        pb_text config = {0};
        pb_text_add(&config,
                    "{\"model_type\": \"llama\", \"vocab_size\": 9, \"hidden_size\": 64, \"num_attention_heads\": 4, "
                    "\"num_hidden_layers\": 1, \"intermediate_size\": 8, \"hidden_act\": \"silu\", "
                    "\"max_position_embeddings\": %lld, \"rope_parameters\": ",
                    pb_json_integer(pb_json_get(root, "positions"), 0));
        pb_json_print(pb_json_get(root, "rope"), &config);
        pb_text_add(&config, "}");
        check_rope("folder", config.data, root);
        if (pb_json_get(root, "gguf"))
            check_gguf(root);
        pb_text_free(&config);
        pb_json_free(doc);
        lines++;
    }
    CHECK_INT(lines, 13);
    free(all);
}

/* ---- what is refused ------------------------------------------------------------------------------------- */

static void check_refused(writer *w, const char *why)
{
    pb_error_clear();
    pb_weights *f = open_written(w);
    CHECK(!f);
    if (!strstr(pb_error_text(), why))
        CHECK_TEXT(pb_error_text(), why);
    pb_weights_close(f);
}

TEST(a_key_that_may_change_the_arithmetic_is_refused_by_name)
{
    static const struct {
        const char *key, *text;
        double number;
        const char *why;
    } rows[] = {
        {"llama.rope.scaling.type", "longrope", 0,
         "llama.rope.scaling.type: want none, linear or yarn, got 'longrope'"},
        {"llama.rope.scaling.factor", "4", 0, "'llama.rope.scaling.factor': want a number, got a text"},
        {"llama.rope.scaling.attn_factor", NULL, 2, "llama.rope.scaling.attn_factor: want 1 without yarn, got 2"},
        {"llama.rope.scaling.yarn_log_multiplier", NULL, 0.1, "'llama.rope.scaling.yarn_log_multiplier': want 0"},
        {"llama.rope.dimension_count", NULL, 8, "llama.rope.dimension_count: want the size of a head, 16, got 8"},
        {"llama.attention.scale", NULL, 0.5, "'llama.attention.scale': is not supported"},
        {"llama.attention.value_length", NULL, 8, "llama.attention.value_length: want 16"},
        {"llama.attention.sliding_window", NULL, 64, "llama.attention.sliding_window: want at least"},
        {"llama.expert_count", NULL, 8, "'llama.expert_count': want 0, got 8"},
        {"llama.logit_scale", NULL, 0.25, "'llama.logit_scale': want 1, got 0.25"},
        {"llama.anything_new", NULL, 0, "'llama.anything_new': is not supported"},
        {"tokenizer.ggml.anything_new", NULL, 1, "'tokenizer.ggml.anything_new': is not supported"},
        {"tokenizer.ggml.add_sep_token", NULL, 1, "'tokenizer.ggml.add_sep_token': want 0, got 1"},
        {"split.count", NULL, 3, "split.count: one of 3 files"},
        {"general.type", "adapter", 0, "general.type: want model, got 'adapter'"},
    };
    for (size_t i = 0; i < PB_COUNT(rows); i++) {
        writer w = start();
        if (rows[i].text)
            put_text(&w, rows[i].key, rows[i].text);
        else
            put_number(&w, rows[i].key, rows[i].number);
        check_refused(&w, rows[i].why);
    }
}

TEST(a_key_that_describes_is_passed_over)
{
    writer w = start();
    put_text(&w, "general.license", "mit");
    put_number(&w, "general.file_type", 7);
    put_number(&w, "quantize.imatrix.chunks_count", 10);
    put_number(&w, "llama.expert_count", 0);
    put_number(&w, "tokenizer.ggml.padding_token_id", 0);
    pb_weights *f = open_written(&w);
    CHECK(f != NULL);
    pb_weights_close(f);
}

TEST(a_type_of_numbers_is_named)
{
    float x[32] = {0};
    writer w = start();
    put_tensor(&w, "blk.0.attn_norm.weight", 23, x, 32);
    check_refused(&w, "'blk.0.attn_norm.weight': type IQ4_XS (23): want one of F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, "
                      "Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K");
    w = start();
    put_tensor(&w, "blk.0.attn_norm.weight", 99, x, 32);
    check_refused(&w, "type that ggml does not name (99)");
}

/* ---- very many names ------------------------------------------------------------------------------------- */

enum { MANY = 100000 };

/* 100,000 keys and tensors; the last tensor may have the name of the first. */
static writer write_many(bool twice)
{
    writer w = start();
    char name[64];
    float x[1] = {0};
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "general.key%d", i);
        put_number(&w, name, i);
        snprintf(name, sizeof name, "blk.%d.attn_norm.weight", twice && i + 1 == MANY ? 0 : i);
        put_tensor(&w, name, 0, x, 1);
    }
    return w;
}

TEST(many_names_cost_little)
{
    writer w = write_many(false);
    double since = pb_clock();
    pb_weights *f = open_written(&w);
    CHECK(f != NULL);
    for (int i = 0; f && i < MANY; i++) {
        char name[64];
        snprintf(name, sizeof name, "model.layers.%d.input_layernorm.weight", i);
        if (!pb_weights_find(f, name))
            CHECK(!"found");
    }
    CHECK(pb_clock() - since < 10);
    pb_weights_close(f);
}

TEST(two_tensors_of_one_name_are_refused)
{
    writer w = write_many(true);
    check_refused(&w, "tensor 'model.layers.0.input_layernorm.weight' occurs twice");
}
