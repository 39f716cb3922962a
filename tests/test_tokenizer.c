/* WordPiece against the ids that Hugging Face's tokenizers give (tests/parity/make_goldens.py). */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "files/json.h"
#include "files/tokenizer.h"

static void compare(const pb_tokenizer *t, const pb_json *want, int line)
{
    const pb_json *text = pb_json_get(want, "text"), *ids = pb_json_get(want, "ids");
    pb_ids got = {0};
    pb_tokenizer_encode(t, pb_json_text(text, ""), pb_json_text_size(text),
                        pb_json_bool(pb_json_get(want, "special"), false), 0, &got);
    bool same = got.count == pb_json_size(ids);
    for (size_t i = 0; same && i < got.count; i++)
        same = got.id[i] == pb_json_integer(pb_json_at(ids, i), -1);
    if (!same)
        fprintf(stderr, "tokenizer.jsonl:%d: '%s'\n", line, pb_json_text(text, ""));
    CHECK(same);
    pb_ids_free(&got);
}

TEST(every_text_gets_the_ids_of_the_original)
{
    pb_tokenizer *t = pb_tokenizer_open("tests/golden/tiny-bert");
    CHECK(t);
    char *all = pb_read_file("tests/golden/tokenizer.jsonl", NULL), *rest = all, *line;
    CHECK(all);
    int lines = 0;
    while ((line = strsep(&rest, "\n")) && *line) {
        pb_json_doc *doc = pb_json_parse("golden", line, strlen(line));
        CHECK(doc);
        compare(t, pb_json_root(doc), ++lines);
        pb_json_free(doc);
    }
    CHECK(lines > 250);
    free(all);
    pb_tokenizer_close(t);
}

TEST(a_limit_keeps_the_special_tokens)
{
    pb_tokenizer *t = pb_tokenizer_open("tests/golden/tiny-bert");
    CHECK(t);
    const char *text = "the film is good the film is good";
    pb_ids ids = {0};
    pb_tokenizer_encode(t, text, strlen(text), true, 4, &ids);
    CHECK_INT(ids.count, 4);
    CHECK_TEXT(pb_tokenizer_token(t, ids.id[0]), "[CLS]");
    CHECK_TEXT(pb_tokenizer_token(t, ids.id[2]), "film");
    CHECK_TEXT(pb_tokenizer_token(t, ids.id[3]), "[SEP]");
    pb_ids_free(&ids);
    pb_tokenizer_close(t);
}

TEST(an_added_token_is_named_as_written_and_read_as_normalised)
{
    pb_tokenizer *t = pb_tokenizer_open("tests/golden/tiny-bert");
    CHECK(t);
    int id = pb_tokenizer_id(t, "Na\xc3\xafve-Token");
    CHECK_INT(id, 251);
    CHECK_INT(pb_tokenizer_id(t, "naive-token"), -1);
    CHECK_TEXT(pb_tokenizer_token(t, id), "naive-token");
    pb_tokenizer_close(t);
}

TEST(bytes_that_are_not_utf8_are_dropped_as_replacement_characters)
{
    pb_tokenizer *t = pb_tokenizer_open("tests/golden/tiny-bert");
    CHECK(t);
    pb_ids clean = {0}, broken = {0};
    pb_tokenizer_encode(t, "the film", 8, true, 0, &clean);
    pb_tokenizer_encode(t,
                        "the\xff \xc3"
                        "film\xe2\x82",
                        12, true, 0, &broken);
    CHECK_INT(broken.count, clean.count);
    for (size_t i = 0; i < clean.count; i++)
        CHECK_INT(broken.id[i], clean.id[i]);
    pb_ids_free(&clean);
    pb_ids_free(&broken);
    pb_tokenizer_close(t);
}
