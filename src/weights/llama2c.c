/* llama2c: see llama2c.h. */
#include "weights/llama2c.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "weights/gguf.h"

enum { WIDTH, INTERMEDIATE, LAYERS, HEADS, KV_HEADS, VOCABULARY, POSITIONS, NUMBERS };

typedef struct reader {
    pb_llama2c *f;
    const int32_t *h; /* the header */
    size_t at;
    bool cut;
} reader;

static const void *take_bytes(reader *r, size_t bytes)
{
    const void *p = r->f->file.data + r->at;
    if (r->cut || bytes > r->f->file.size - r->at) {
        r->cut = true;
        return NULL;
    }
    r->at += bytes;
    return p;
}

/* Adds one tensor of each layer, whose number `name` formats, or with layers = 0 a single tensor. */
static void add_tensors(reader *r, int layers, const char *name, int64_t rows, int64_t cols, int heads)
{
    for (int l = 0; l < (layers ? layers : 1) && !r->cut; l++) {
        size_t n = (size_t)(rows ? rows : 1) * (size_t)cols;
        const void *data = take_bytes(r, 4 * n);
        if (!data)
            return;
        pb_grow(&r->f->array, r->f->count, &r->f->capacity, sizeof *r->f->array);
        r->f->array[r->f->count++] = (pb_array){.name = pb_format(name, l), /* NOLINT: the formats are literals */
                                                .dtype = PB_F32,
                                                .dims = rows ? 2 : 1,
                                                .shape = {rows ? rows : cols, cols},
                                                .count = n,
                                                .data = data,
                                                .bytes = 4 * n,
                                                .heads = heads};
        const char *made = r->f->array[r->f->count - 1].name;
        pb_interner_add(&r->f->name, made, strlen(made));
    }
}

/* Adds the tensors in the order of the file.  The rows of q and k have their rotary pairs side by side. */
static void add_all_tensors(reader *r, bool shared)
{
    const int32_t *h = r->h;
    int64_t width = h[WIDTH], intermediate = h[INTERMEDIATE], keys = width / h[HEADS] * h[KV_HEADS];
    int layers = h[LAYERS];
    add_tensors(r, 0, "model.embed_tokens.weight", abs(h[VOCABULARY]), width, 0);
    add_tensors(r, layers, "model.layers.%d.input_layernorm.weight", 0, width, 0);
    add_tensors(r, layers, "model.layers.%d.self_attn.q_proj.weight", width, width, h[HEADS]);
    add_tensors(r, layers, "model.layers.%d.self_attn.k_proj.weight", keys, width, h[KV_HEADS]);
    add_tensors(r, layers, "model.layers.%d.self_attn.v_proj.weight", keys, width, 0);
    add_tensors(r, layers, "model.layers.%d.self_attn.o_proj.weight", width, width, 0);
    add_tensors(r, layers, "model.layers.%d.post_attention_layernorm.weight", 0, width, 0);
    add_tensors(r, layers, "model.layers.%d.mlp.gate_proj.weight", intermediate, width, 0);
    add_tensors(r, layers, "model.layers.%d.mlp.down_proj.weight", width, intermediate, 0);
    add_tensors(r, layers, "model.layers.%d.mlp.up_proj.weight", intermediate, width, 0);
    add_tensors(r, 0, "model.norm.weight", 0, width, 0);
    take_bytes(r, 4 * (size_t)h[POSITIONS] *
                      (size_t)(width / h[HEADS])); /* the cosines and sines of the rotary embedding */
    if (!shared)
        add_tensors(r, 0, "lm_head.weight", abs(h[VOCABULARY]), width, 0);
}

static int read_llama2c(pb_llama2c *f)
{
    reader r = {.f = f};
    r.h = take_bytes(&r, NUMBERS * sizeof *r.h);
    bool sane = r.h != NULL;
    for (int i = 0; sane && i < NUMBERS; i++)
        sane = (i == VOCABULARY ? r.h[i] != 0 && abs(r.h[i]) <= 1 << 24 : r.h[i] > 0) && r.h[i] <= 1 << 24;
    if (!sane || r.h[WIDTH] % (2 * r.h[HEADS]) || r.h[HEADS] % r.h[KV_HEADS])
        return pb_error(
            "%s: want a llama2.c checkpoint: width, intermediate size, layers, heads, key heads, vocabulary and "
            "positions as whole numbers",
            f->path);
    bool shared = r.h[VOCABULARY] > 0;
    add_all_tensors(&r, shared);
    if (r.cut || r.at != f->file.size)
        return pb_error("%s: %zu bytes: want %s for the sizes in its header", f->path, f->file.size,
                        r.cut ? "more" : "fewer");
    f->config =
        pb_format("{\"model_type\": \"llama\", \"architectures\": [\"LlamaForCausalLM\"], \"hidden_act\": \"silu\", "
                  "\"hidden_size\": %d, \"intermediate_size\": %d, \"num_hidden_layers\": %d, "
                  "\"num_attention_heads\": %d, \"num_key_value_heads\": %d, \"vocab_size\": %d, "
                  "\"max_position_embeddings\": %d, \"rms_norm_eps\": 1e-5, \"rope_theta\": 10000, "
                  "\"tie_word_embeddings\": %s, \"bos_token_id\": 1, \"eos_token_id\": [1, 2]}",
                  r.h[WIDTH], r.h[INTERMEDIATE], r.h[LAYERS], r.h[HEADS], r.h[KV_HEADS], abs(r.h[VOCABULARY]),
                  r.h[POSITIONS], shared ? "true" : "false");
    return 0;
}

/* ---- the tokenizer beside it ------------------------------------------------------------------------------ */

/* Converts a file of an int32, the greatest length, and for each token a float score, an int32 length and its bytes.
 * Returns NULL if `data` does not have this form for n tokens. */
static char *tokenizer_of(const unsigned char *data, size_t size, int n)
{
    char **token = pb_alloc(((size_t)n + 1) * sizeof *token);
    float *score = pb_alloc(((size_t)n + 1) * sizeof *score);
    unsigned char *kind = pb_alloc((size_t)n + 1);
    size_t at = 4;
    int i = 0;
    for (int32_t length; i < n && size >= 8 && at <= size - 8; i++, at += 8 + (size_t)length) {
        memcpy(&score[i], data + at, 4);
        memcpy(&length, data + at + 4, 4);
        if (length < 0 || (size_t)length > size - at - 8)
            break;
        token[i] = pb_format("%.*s", (int)length, (const char *)data + at + 8);
        kind[i] = i == 0 ? 2 : i < 3 ? 3 : token[i][0] == '<' && length == 6 ? 6 : 1;
    }
    char *json = i == n && at == size ? pb_sentencepiece_json((const char *const *)token, score, kind, n, " ", true,
                                                              n > 1 ? token[1] : NULL, NULL)
                                      : NULL;
    while (i-- > 0)
        free(token[i]);
    free(token);
    free(score);
    free(kind);
    return json;
}

static void find_tokenizer(pb_llama2c *f)
{
    const char *slash = strrchr(f->path, '/');
    char *pattern = pb_format("%.*stok*.bin", slash ? (int)(slash - f->path) + 1 : 0, f->path);
    int32_t n;
    memcpy(&n, f->file.data + VOCABULARY * sizeof n, sizeof n);
    glob_t found;
    if (!glob(pattern, 0, NULL, &found)) {
        for (size_t i = 0; i < found.gl_pathc && !f->tokenizer; i++) {
            size_t size;
            char *data = pb_read_file(found.gl_pathv[i], &size);
            f->tokenizer = data ? tokenizer_of((const unsigned char *)data, size, abs(n)) : NULL;
            free(data);
        }
        globfree(&found);
    }
    free(pattern);
}

/* ---- opening ------------------------------------------------------------------------------------------------ */

pb_llama2c *pb_llama2c_open(const char *path)
{
    pb_llama2c *f = pb_alloc(sizeof *f);
    f->path = pb_strdup(path);
    if (!pb_map_open(&f->file, path) && !read_llama2c(f)) {
        find_tokenizer(f);
        return f;
    }
    pb_llama2c_close(f);
    return NULL;
}

void pb_llama2c_close(pb_llama2c *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->count; i++)
        free((void *)(uintptr_t)f->array[i].name);
    pb_map_close(&f->file);
    pb_interner_free(&f->name);
    free(f->array);
    free(f->config);
    free(f->tokenizer);
    free(f->path);
    free(f);
}
