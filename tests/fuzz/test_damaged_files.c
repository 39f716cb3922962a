/* Readers of foreign files meet damaged ones: each either reads the file or says what is wrong with
 * it, naming the file; none crashes (the sanitizers watch in `make check`).
 * Damage is a pure function of the round, so a failure can be repeated. */
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/rng.h"
#include "base/json.h"
#include "weights/safetensors.h"
#include "table/table.h"
#include "tokenizer/tokenizer.h"
#include "weights/weights.h"
#include "model/model.h"
#include "experiment/ini_file.h"

#define ROUNDS 400

static char folder[] = "/tmp/peftbench-fuzz-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_bytes(const char *path, const char *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, n, f) != n || fclose(f))
        PB_BUG("cannot write %s", path);
}

/* One to four wounds: a bit, a byte, a stretch cut out, doubled, or zeroed, or the end cut off. */
static char *damage(const char *bytes, size_t *n, int round)
{
    pb_rng r = pb_rng_named((uint64_t)round, "damage");
    char *out = pb_alloc(2 * *n + 64);
    memcpy(out, bytes, *n);
    for (int wounds = 1 + (int)pb_rng_below(&r, 4); wounds > 0 && *n > 0; wounds--) {
        size_t at = (size_t)pb_rng_below(&r, *n), length = 1 + (size_t)pb_rng_below(&r, 16);
        length = at + length > *n ? *n - at : length;
        switch (pb_rng_below(&r, 6)) {
        case 0: out[at] = (char)(out[at] ^ (1 << pb_rng_below(&r, 8))); break;
        case 1: out[at] = "\"{}[]:,\\0-9eE\n\t\xff;="[pb_rng_below(&r, 18)]; break;
        case 2:
            memmove(out + at, out + at + length, *n - at - length);
            *n -= length;
            break;
        case 3:
            memmove(out + at + length, out + at, *n - at);
            *n += length;
            break;
        case 4: memset(out + at, 0, length); break;
        default: *n = at; break;
        }
    }
    return out;
}

/* Runs `read` on damaged copies of `source` under `name`; returns how many were refused. */
static int fuzz(const char *source, const char *name, bool (*read)(void))
{
    size_t size;
    char *bytes = pb_read_file(source, &size);
    int refused = 0;
    if (!CHECK(bytes != NULL))
        return 0;
    for (int round = 0; round < ROUNDS; round++) {
        size_t n = size;
        char *hurt = damage(bytes, &n, round);
        write_bytes(in_folder(name), hurt, n);
        free(hurt);
        pb_error_clear();
        if (read())
            continue;
        refused++;
        if (!CHECK(strstr(pb_error_text(), name) != NULL))
            printf("  round %d: '%s'\n", round, pb_error_text());
    }
    remove(in_folder(name));
    free(bytes);
    return refused;
}

static void make_folder(void)
{
    if (strstr(folder, "XXXXXX") && !mkdtemp(folder))
        PB_BUG("cannot make %s", folder);
}

static bool read_json(void)
{
    pb_json_doc *doc = pb_json_read(in_folder("config.json"));
    pb_json_free(doc);
    return doc != NULL;
}

static bool read_safetensors(void)
{
    pb_safetensors *f = pb_safetensors_open(in_folder("model.safetensors"));
    double sum = 0;
    for (size_t i = 0; f && i < pb_safetensors_count(f); i++) {
        const pb_array *a = pb_safetensors_at(f, i);
        const unsigned char *bytes = a->data;
        for (size_t k = 0; k < a->bytes; k++)
            sum += bytes[k]; /* every byte that it promises can be read */
    }
    pb_safetensors_close(f);
    return f != NULL && sum >= 0;
}

static bool read_tokenizer(void)
{
    static const char text[] = "the <left> na\xc3\xafve-token solo film, \xe4\xb8\xad!";
    pb_tokenizer *t = pb_tokenizer_open(folder);
    pb_ids ids = {0};
    if (t)
        pb_tokenizer_encode(t, text, strlen(text), true, 16, &ids);
    for (size_t i = 0; i < ids.count; i++)
        CHECK(pb_tokenizer_token(t, ids.id[i]) != NULL);
    pb_ids_free(&ids);
    pb_tokenizer_close(t);
    return t != NULL;
}

static bool read_model(void)
{
    pb_model *m = pb_model_open(&(pb_opening){.path = folder, .classes = 2, .shapes_only = true});
    pb_model_free(m);
    return m != NULL;
}

static bool read_torch(void)
{
    pb_weights *w = pb_weights_open(in_folder("values.bin"));
    double sum = 0;
    for (size_t i = 0; w && i < pb_weights_count(w); i++) {
        const pb_array *a = pb_weights_at(w, i);
        for (size_t k = 0; k < a->bytes; k++)
            sum += ((const unsigned char *)a->data)[k];
    }
    pb_weights_close(w);
    return w != NULL && sum >= 0;
}

static bool read_gguf(void)
{
    pb_model *m = pb_model_open(&(pb_opening){.path = in_folder("tiny.gguf")});
    pb_model_free(m);
    return m != NULL;
}

static bool read_as(const char *name)
{
    pb_table *t = pb_table_open(in_folder(name), NULL);
    for (size_t i = 0; t && i < pb_table_rows(t); i++)
        CHECK(pb_table_get(t, i, 0) != NULL);
    pb_table_close(t);
    return t != NULL;
}

static bool read_tsv(void)
{
    return read_as("table.tsv");
}

static bool read_csv(void)
{
    return read_as("table.csv");
}

static bool read_jsonl(void)
{
    return read_as("table.jsonl");
}

static bool read_ini(void)
{
    pb_ini *ini = pb_ini_read(in_folder("experiment.ini"));
    pb_ini_free(ini);
    return ini != NULL;
}

TEST(json)
{
    make_folder();
    CHECK(fuzz("tests/golden/tiny-bert/config.json", "config.json", read_json) > 0);
}

TEST(safetensors)
{
    make_folder();
    CHECK(fuzz("tests/golden/tiny-bert/model.safetensors", "model.safetensors", read_safetensors) > 0);
}

TEST(torch)
{
    make_folder();
    CHECK(fuzz("tests/golden/torch/values.bin", "values.bin", read_torch) > ROUNDS / 20);
}

TEST(gguf)
{
    make_folder();
    CHECK(fuzz("tests/golden/gguf/tiny.gguf", "tiny.gguf", read_gguf) > ROUNDS / 20);
}

TEST(tokenizer)
{
    make_folder();
    CHECK(fuzz("tests/golden/tiny-bert/tokenizer.json", "tokenizer.json", read_tokenizer) > 0);
}

TEST(model_config)
{
    make_folder();
    CHECK(fuzz("tests/golden/tiny-bert/config.json", "config.json", read_model) > 0);
}

TEST(tables)
{
    make_folder();
    static const char tsv[] = "label\ttext\ngood\ta film\nbad\tanother one\n";
    static const char csv[] = "label,text\ngood,\"a \"\"film\"\",\nof two lines\"\nbad,another\r\n";
    static const char jsonl[] =
        "{\"label\": \"good\", \"text\": \"a film\", \"n\": 1.5}\n{\"label\": true, \"x\": null}\n";
    write_bytes(in_folder("source"), tsv, sizeof tsv - 1);
    char *source = pb_strdup(in_folder("source"));
    CHECK(fuzz(source, "table.tsv", read_tsv) > 0);
    write_bytes(source, csv, sizeof csv - 1);
    CHECK(fuzz(source, "table.csv", read_csv) > 0);
    write_bytes(source, jsonl, sizeof jsonl - 1);
    CHECK(fuzz(source, "table.jsonl", read_jsonl) > 0);
    remove(source);
    free(source);
}

TEST(experiments)
{
    make_folder();
    CHECK(fuzz("experiments/sentiment.ini", "experiment.ini", read_ini) > 0);
    rmdir(folder);
}
