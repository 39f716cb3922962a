/* Readers of files with very many names: 100,000 of them cost a second at most, not minutes.  The bound is
 * generous; a reader that compares each name with all others takes longer by far. */
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/interner.h"
#include "base/json.h"
#include "table/table.h"
#include "tokenizer/tokenizer.h"
#include "weights/weights.h"
#include "experiment/ini_file.h"

enum { MANY = 100000 };
#define BOUND 10.0 /* seconds, under sanitizers too */

/* Writes the bytes as a file of this name in a fresh place, and frees them. */
static const char *written(const char *name, pb_text *bytes)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/peftbench-%d-%s", (int)getpid(), name);
    if (pb_write_file(path, bytes->data, bytes->length))
        PB_BUG("%s", pb_error_text());
    pb_text_free(bytes);
    return path;
}

static void check_time(double since)
{
    CHECK(pb_clock() - since < BOUND);
}

TEST(keys_of_an_ini_file)
{
    pb_text b = {0};
    pb_text_add(&b, "[method lora]\n");
    for (int i = 0; i < MANY; i++)
        pb_text_add(&b, "k%d = %d\n", i, i);
    const char *path = written("keys.ini", &b);
    double since = pb_clock();
    pb_ini *ini = pb_ini_read(path);
    CHECK(ini && ini->entries == MANY + 1);
    const pb_entry *e = ini ? pb_ini_find(ini, "method lora", "k77777") : NULL;
    CHECK_TEXT(e ? e->value : NULL, "77777");
    CHECK(ini && !pb_ini_find(ini, "method", "k1"));
    CHECK(ini && !pb_ini_set(ini, "method.lora.k5=five") && ini->entries == MANY + 1);
    CHECK_TEXT(ini ? pb_ini_find(ini, "method lora", "k5")->value : NULL, "five");
    check_time(since);
    pb_ini_free(ini);
    unlink(path);
}

TEST(columns_of_a_table)
{
    pb_text b = {0};
    for (int line = 0; line < 2; line++)
        for (int i = 0; i < MANY; i++)
            pb_text_add(&b, "%c%d%c", line ? 'v' : 'c', i, i + 1 < MANY ? '\t' : '\n');
    const char *path = written("columns.tsv", &b);
    double since = pb_clock();
    pb_table *t = pb_table_open(path, NULL);
    int column = t ? pb_table_column(t, "c99999") : -1;
    CHECK_INT(column, 99999);
    CHECK_TEXT(t ? pb_table_get(t, 0, column) : NULL, "v99999");
    CHECK(t && pb_table_column(t, "none") < 0 && strlen(pb_error_text()) < 1000);
    check_time(since);
    pb_table_close(t);
    unlink(path);
}

TEST(keys_of_json_lines)
{
    pb_text b = {0};
    for (int i = 0; i < MANY; i++)
        pb_text_add(&b, "{\"text\": \"t%d\", \"k%d\": %d, \"label\": \"x\"}\n", i, i, i);
    const char *path = written("keys.jsonl", &b);
    double since = pb_clock();
    pb_table *t = pb_table_open(path, NULL);
    CHECK(t && pb_table_rows(t) == MANY);
    int text = t ? pb_table_column(t, "text") : 0, key = t ? pb_table_column(t, "k500") : 0;
    CHECK_TEXT(t ? pb_table_get(t, 99999, text) : NULL, "t99999");
    CHECK_TEXT(t ? pb_table_get(t, 500, key) : NULL, "500");
    CHECK_TEXT(t ? pb_table_get(t, 501, key) : NULL, "");
    CHECK_TEXT(t ? pb_table_get(t, 0, key) : NULL, "");
    check_time(since);
    pb_table_close(t);
    unlink(path);
}

TEST(keys_of_a_json_object)
{
    pb_text b = {0};
    for (int i = 0; i < MANY; i++)
        pb_text_add(&b, "%s\"k%d\": %d", i ? ", " : "{", i, i);
    pb_text_add(&b, "}");
    double since = pb_clock();
    pb_json_doc *doc = pb_json_parse("many", b.data, b.length);
    CHECK(doc && pb_json_integer(pb_json_get(pb_json_root(doc), "k88888"), 0) == 88888);
    check_time(since);
    pb_json_free(doc);
    pb_text_free(&b);
}

TEST(tensors_of_a_safetensors_file)
{
    pb_text b = {0};
    pb_text_bytes(&b, "\0\0\0\0\0\0\0", 8);
    for (int i = 0; i < MANY; i++)
        pb_text_add(&b, "%s\"t%d\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}", i ? "," : "{", i, i,
                    i + 1);
    pb_text_add(&b, "}");
    uint64_t length = b.length - 8;
    memcpy(b.data, &length, sizeof length);
    for (int i = 0; i < MANY; i++)
        pb_text_bytes(&b, "x", 1);
    const char *path = written("many.safetensors", &b);
    double since = pb_clock();
    pb_weights *w = pb_weights_open(path);
    CHECK(w != NULL);
    for (int i = 0; w && i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        if (!pb_weights_find(w, name))
            CHECK(!"found");
    }
    check_time(since);
    pb_weights_close(w);
    unlink(path);
}

/* ---- tokenizers ------------------------------------------------------------------------------------------ */

/* Every token of the text is an added one, and all begin alike. */
TEST(added_tokens_of_a_tokenizer)
{
    pb_text json = {0}, text = {0}, back = {0};
    pb_text_add(&json, "{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"[UNK]\": 0}}, \"added_tokens\": [");
    for (int i = 0; i < MANY; i++) {
        pb_text_add(&json, "%s{\"id\": %d, \"content\": \"<%06d>\", \"special\": true}", i ? ", " : "", i + 1, i);
        pb_text_add(&text, "<%06d>", i);
    }
    pb_text_add(&json, "]}");
    double since = pb_clock();
    pb_tokenizer *t = pb_tokenizer_open_text("many", json.data);
    pb_ids ids = {0};
    if (CHECK(t != NULL)) {
        pb_tokenizer_encode(t, text.data, text.length, false, 0, &ids);
        CHECK_INT(ids.count, MANY);
        CHECK_INT(ids.count ? ids.id[ids.count - 1] : -1, MANY);
        CHECK_INT(pb_tokenizer_id(t, "<077777>"), 77778);
        pb_tokenizer_decode(t, ids.id, ids.count, true, &back);
        CHECK_INT(back.length, 0);
    }
    check_time(since);
    pb_tokenizer_close(t);
    pb_ids_free(&ids);
    pb_text_free(&json);
    pb_text_free(&text);
    pb_text_free(&back);
}
