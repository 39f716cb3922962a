/* fuzz: libFuzzer targets, one a reader of foreign files.  `make fuzz` builds and runs them.
 *
 *   build/fuzz/fuzz_TARGET tests/fuzz/corpus/TARGET
 *
 * The bytes become a file in memory; whatever they are, the reader answers or says what is wrong. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jinja/jinja.h"
#include "table/parquet.h"
#include "table/table.h"
#include "tokenizer/tokenizer.h"
#include "weights/safetensors.h"
#include "weights/torch.h"
#include "weights/weights.h"
#include "model/model.h"
#include "train/retention.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[64];

/* DIR/name with these bytes; the name is kept for the next call. */
static const char *file(const char *name, const uint8_t *data, size_t size)
{
    static char path[128];
    if (!*folder) {
        snprintf(folder, sizeof folder, "/dev/shm/fuzz-%d", (int)getpid());
        mkdir(folder, 0700);
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f))
        abort();
    return path;
}

/* Reads every number of a small array. */
static void read_all(const pb_array *a)
{
    if (!a || a->count > 1 << 16)
        return;
    pb_real *x = pb_alloc((a->count + 1) * sizeof *x);
    pb_array_reals(a, 0, a->count, x);
    free(x);
}

static void __attribute__((unused)) try_safetensors(const uint8_t *data, size_t size)
{
    pb_safetensors *f = pb_safetensors_open(file("model.safetensors", data, size));
    for (size_t i = 0; f && i < pb_safetensors_count(f); i++)
        read_all(pb_safetensors_at(f, i));
    if (f)
        pb_safetensors_close(f);
}

static void __attribute__((unused)) try_torch(const uint8_t *data, size_t size)
{
    pb_torch *f = pb_torch_open(file("pytorch_model.bin", data, size));
    for (size_t i = 0; f && i < pb_torch_count(f); i++)
        read_all(pb_torch_at(f, i));
    pb_torch_close(f);
}

static void __attribute__((unused)) try_gguf(const uint8_t *data, size_t size)
{
    pb_weights *w = pb_weights_open(file("model.gguf", data, size));
    if (w) {
        read_all(pb_weights_find(w, "model.embed_tokens.weight"));
        read_all(pb_weights_find(w, "model.layers.0.self_attn.q_proj.weight"));
        pb_weights_text(w, "tokenizer.chat_template");
    }
    pb_weights_close(w);
}

static void __attribute__((unused)) try_tokenizer(const uint8_t *data, size_t size)
{
    static const char text[] = "Hello, w\xC3\xB6rld 12345 <s> \xE2\x96\x81 \xFF\xE4\xB8\xAD\n\n  it's";
    char *json = pb_alloc(size + 1);
    memcpy(json, data, size);
    pb_tokenizer *t = strlen(json) == size ? pb_tokenizer_open_text("fuzz", json) : NULL;
    pb_ids ids = {0};
    pb_text back = {0};
    if (t) {
        pb_tokenizer_encode(t, text, sizeof text - 1, true, 0, &ids);
        pb_tokenizer_decode(t, ids.id, ids.count, false, &back);
    }
    pb_ids_free(&ids);
    pb_text_free(&back);
    pb_tokenizer_close(t);
    free(json);
}

static void __attribute__((unused)) try_parquet(const uint8_t *data, size_t size)
{
    pb_text left_out = {0};
    char *to = pb_strdup(file("table.jsonl", data, 0));
    pb_parquet_to_lines(file("table.parquet", data, size), to, &left_out);
    pb_text_free(&left_out);
    free(to);
}

static void __attribute__((unused)) try_conll(const uint8_t *data, size_t size)
{
    pb_table *t = pb_table_open(file("words.conll", data, size), NULL);
    int words = t ? pb_table_list_column(t, "tokens") : -1, tags = t ? pb_table_list_column(t, "ner_tags") : -1, n;
    for (size_t row = 0; t && row < pb_table_rows(t) && words >= 0; row++) {
        const char *const *word = pb_table_list(t, row, words, &n);
        for (int i = 0; i < n; i++)
            PB_CHECK(strlen(word[i]) <= size && pb_table_item_line(t, row, words, i) > 0);
        if (tags >= 0)
            pb_table_list(t, row, tags, &n);
    }
    pb_table_close(t);
}

/* Shapes alone: a large network costs its table of parameters, so sizes are kept small. */
static void __attribute__((unused)) try_config(const uint8_t *data, size_t size)
{
    file("config.json", data, size);
    pb_model *m = pb_model_open(&(pb_opening){.path = folder, .classes = 2, .shapes_only = true});
    if (m && !pb_model_attach(m, NULL, 0))
        pb_model_weight_bytes(m);
    pb_model_free(m);
}

/* A template gives a text or an error within its limits, whatever it does to a conversation. */
static void __attribute__((unused)) try_jinja(const uint8_t *data, size_t size)
{
    static const char variables[] = "{\"messages\": [{\"role\": \"system\", \"content\": \"Be short.\"}, {\"role\": "
                                    "\"user\", \"content\": \" h\u00e9! \"}, "
                                    "{\"role\": \"assistant\", \"content\": \"<think>\\nso</think>yes\"}, {\"role\": "
                                    "\"user\", \"content\": \"\"}], "
                                    "\"tools\": null, \"add_generation_prompt\": true, \"bos_token\": \"<s>\", "
                                    "\"eos_token\": \"</s>\", \"n\": [7, 0.5]}";
    pb_json_doc *doc = pb_json_parse("variables", variables, sizeof variables - 1);
    pb_jinja *t = pb_jinja_parse("fuzz", (const char *)data, size);
    pb_jinja_output o = {0};
    if (t)
        pb_jinja_render(t, pb_json_root(doc), "2025-01-31", &o);
    pb_jinja_output_free(&o);
    pb_jinja_free(t);
    pb_json_free(doc);
}

static void __attribute__((unused)) try_retention(const uint8_t *data, size_t size)
{
    const pb_retention_options o = {.text = "", .limit = 3, .tokens = 8};
    pb_retention_text *t = pb_retention_text_read(file("text.txt", data, size), &o);
    for (int i = 0; t && i < t->texts; i++)
        if (!*t->text[i] || strchr(t->text[i], '\n'))
            abort();
    pb_retention_text_free(t);
}

/* Nothing that a terminal obeys comes out, and once is enough. */
static void __attribute__((unused)) try_visible(const uint8_t *data, size_t size)
{
    char *text = pb_alloc(size + 1);
    memcpy(text, data, size);
    const char *shown = pb_visible(text);
    for (const unsigned char *c = (const unsigned char *)shown; *c; c++)
        if (*c < 0x20 || *c == 0x7F || (c[0] == 0xC2 && c[1] < 0xA0))
            abort();
    if (pb_visible(shown) != shown)
        abort();
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pb_error_clear();
    TARGET(data, size);
    return 0;
}
