/* WordPiece against the ids that Hugging Face's tokenizers give (tests/parity/make_goldens.py), expressions at their limits, and
 * what is refused. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "tokenizer/pattern.h"
#include "tokenizer/tokenizer.h"

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

/* ---- regular expressions (tokenizer/pattern.h) ----------------------------------------------------------------- */

/* A tokenizer that splits by this expression, JSON-escaped. */
static pb_tokenizer *open_split(const char *regex)
{
    char *json = pb_format("{\"model\": {\"type\": \"WordLevel\", \"unk_token\": \"u\", \"vocab\": {\"u\": 0}}, "
                           "\"pre_tokenizer\": {\"type\": \"Split\", \"behavior\": \"Isolated\", \"invert\": false, "
                           "\"pattern\": {\"Regex\": \"%s\"}}}",
                           regex);
    pb_tokenizer *t = pb_tokenizer_open_text("split", json);
    free(json);
    return t;
}

/* Words of n times `unit` and `end`, -1 with an error. */
static int words_of(const pb_tokenizer *t, const char *unit, int n, const char *end)
{
    pb_text text = {0};
    pb_ids ids = {0};
    for (int i = 0; i < n; i++)
        pb_text_add(&text, "%s", unit);
    pb_text_add(&text, "%s", end);
    int rc = pb_tokenizer_encode(t, text.data, text.length, false, 0, &ids);
    int words = (int)ids.count;
    pb_text_free(&text);
    pb_ids_free(&ids);
    return rc ? -1 : words;
}

TEST(an_expression_that_takes_too_many_steps_is_an_error_and_no_missing_match)
{
    pb_tokenizer *t = open_split("(a+)+$");
    CHECK(t != NULL);
    CHECK_INT(words_of(t, "a", 20, ""), 1);
    CHECK_INT(words_of(t, "a", 60, "b"), -1);
    CHECK(strstr(pb_error_text(), "split: pre_tokenizer: '(a+)+$' on 'aaaaaaaa"));
    CHECK(strstr(pb_error_text(), "want an expression that needs fewer steps, or a shorter text"));
    pb_error_clear();
    pb_tokenizer_close(t);
    char *text = pb_format("%60s", "b");
    for (int i = 0; i < 59; i++)
        text[i] = 'a';
    CHECK_INT(pb_pattern_matches("(a+)+", text), -1);
    CHECK(strstr(pb_error_text(), "'(a+)+' on 'aaaaaaaa"));
    CHECK_INT(pb_pattern_matches("a{,3}", "aa"), -1); /* to PCRE2 these are characters */
    pb_error_clear();
    free(text);
}

TEST(a_long_match_needs_no_more_stack_than_there_is)
{
    pb_tokenizer *t = open_split("(?:a|b|c(?=[abc]))*c");
    CHECK(t != NULL);
    CHECK_INT(words_of(t, "abc", 400000, "x"), 2);
    pb_tokenizer_close(t);
}

TEST(what_an_expression_means_elsewhere_is_refused)
{
    static const char *const rows[] = {
        "\\\\bword\\\\b", "[a[bc]]",        "[a-z&&[^x]]", "[\\\\W]",     "(a",          "(?m)a.b",
        "(?m:a.)",        "\\\\p{N}{1,3}+", "a{,2}",       "\\\\Qa\\\\E", "\\\\V",       "\\\\N",
        "(?i)ss",         "(?i:[\\u00df])", "(?i)\\ufb00", "[[:print:]]", "[[:^alpha:]]"};
    for (size_t i = 0; i < PB_COUNT(rows); i++) {
        CHECK(!open_split(rows[i]));
        CHECK(!strncmp(pb_error_text(), "split: pre_tokenizer: ", 22));
        pb_error_clear();
    }
}

/* Right are the words of the tokenizers library. */
TEST(an_expression_matches_what_it_matches_in_the_tokenizers_library)
{
    static const struct {
        const char *expression, *text;
        int words;
    } rows[] = {
        {"^a", "b\na", 2},
        {"^a", "bac\n", 1},
        {".$", "ab\nc\n", 5},
        {"(?i:'s|'t)", "it'S x", 3},
        {"\\\\v", "a\nb\vc", 3},
        {"[\\\\v]", "a\fb", 1},
        {"[[:punct:]]", "a\u00a2b\u2044c", 5},
        {"[[:alnum:]]", "\u00b2\u00b2", 1},
        {"[[:lower:]_]", "A\u00aaA", 3},
        {"[[:space:]]", "a\u180eb", 1},
        {"\\\\p{Han}", "a\u3001b\u4e00c", 3},
        {"\\\\p{^Latin}", "a\u3001b", 3},
        {"[^\\\\p{Han}]+", "ab\u4e00", 2},
        {"[]a]", "xax]x", 5},
        {"a?+a|b++c", "aabbc", 2},
    };
    for (size_t i = 0; i < PB_COUNT(rows); i++) {
        pb_tokenizer *t = open_split(rows[i].expression);
        CHECK(t != NULL);
        CHECK_INT(words_of(t, "", 0, rows[i].text), rows[i].words);
        pb_tokenizer_close(t);
    }
}

/* Two line ends in a vocabulary that has "a" only: what the tokenizers library makes of them. */
TEST(a_byte_that_the_vocabulary_lacks)
{
    static const struct {
        const char *model;
        int ids[6], count;
    } rows[] = {
        {"\"unk_token\": \"u\"", {0, 1, 1, 0}, 4},
        {"\"unk_token\": \"u\", \"fuse_unk\": true", {0, 1, 0}, 3},
        {"\"unk_token\": null", {0, 0}, 2},
        {"\"unk_token\": \"u\", \"byte_fallback\": true", {0, 2, 3, 2, 3, 0}, 6}, /* U+010A, which is written for one */
    };
    for (size_t i = 0; i < PB_COUNT(rows); i++) {
        char *json = pb_format("{\"model\": {\"type\": \"BPE\", %s, \"vocab\": {\"a\": 0, \"u\": 1, \"<0xC4>\": 2, "
                               "\"<0x8A>\": 3}, \"merges\": []}, \"pre_tokenizer\": {\"type\": \"ByteLevel\", "
                               "\"add_prefix_space\": false, \"use_regex\": false}}",
                               rows[i].model);
        pb_tokenizer *t = pb_tokenizer_open_text("bytes", json);
        CHECK(t != NULL);
        pb_ids ids = {0};
        CHECK_INT(pb_tokenizer_encode(t, "a\n\na", 4, false, 0, &ids), 0);
        CHECK_INT(ids.count, rows[i].count);
        for (int k = 0; k < rows[i].count && k < (int)ids.count; k++)
            CHECK_INT(ids.id[k], rows[i].ids[k]);
        pb_ids_free(&ids);
        pb_tokenizer_close(t);
        free(json);
    }
}

TEST(white_space_is_kept_by_a_strip_of_no_side)
{
    static const char *const sides[] = {"false", "true"};
    for (int i = 0; i < 4; i++) {
        char *json = pb_format("{\"model\": {\"type\": \"WordLevel\", \"unk_token\": \"u\", \"vocab\": {\"u\": 0}}, "
                               "\"normalizer\": {\"type\": \"Strip\", \"strip_left\": %s, \"strip_right\": %s}}",
                               sides[i & 1], sides[i >> 1]);
        pb_tokenizer *t = pb_tokenizer_open_text("strip", json);
        CHECK(t != NULL);
        CHECK_INT(words_of(t, " ", 2, ""), i == 0);
        pb_tokenizer_close(t);
        free(json);
    }
}

TEST(a_special_token_that_normalising_changes_is_shown)
{
    pb_tokenizer *t = pb_tokenizer_open_text(
        "m", "{\"model\": {\"type\": \"WordLevel\", \"unk_token\": \"u\", \"vocab\": {\"u\": 0}}, \"normalizer\": "
             "{\"type\": \"Lowercase\"}, \"added_tokens\": [{\"id\": 1, \"content\": \"<M>\", \"special\": true, "
             "\"normalized\": true}, {\"id\": 2, \"content\": \"<n>\", \"special\": true, \"normalized\": true}]}");
    CHECK(t != NULL);
    pb_text text = {0};
    pb_tokenizer_decode(t, (const int[]){1, 2}, 2, true, &text);
    CHECK_TEXT(text.data, "<m>"); /* as the tokenizers library does */
    pb_text_free(&text);
    pb_tokenizer_close(t);
}

/* ---- what is refused ---------------------------------------------------------------------------------------- */

TEST(what_a_tokenizer_has_and_is_not_known_is_named)
{
    static const struct {
        const char *json, *why;
    } rows[] = {
        {"{\"model\": {\"type\": \"Morphs\"}}", "model: type 'Morphs' is not supported"},
        {"{\"model\": {\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": {\"a\": 1}}}", "model: vocab: want a list"},
        {"{\"model\": {\"type\": \"Unigram\", \"unk_id\": null, \"vocab\": [[\"a\", 0]]}}", "model: unk_id: want"},
        {"{\"model\": {\"type\": \"Unigram\", \"unk_id\": 1, \"vocab\": [[\"a\", 0]]}}", "model: unk_id: want"},
        {"{\"model\": {\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [[\"a\", 0], [\"b\"]]}}",
         "model: vocab: entry 1: want [\"token\", score]"},
        {"{\"model\": {\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [[\"a\", 0], [7, 0]]}}",
         "model: vocab: entry 1: want [\"token\", score]"},
        {"{\"model\": {\"type\": \"WordLevel\", \"unk_token\": \"u\", \"vocab\": {\"a\": 0}}}",
         "model: unk_token: 'u' is not in the vocabulary"},
        {"{\"model\": {\"type\": \"WordLevel\", \"unk_token\": \"u\", \"vocab\": {\"u\": 0}}, "
         "\"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"AAAA!\"}}",
         "normalizer: Precompiled: precompiled_charsmap: want base64"},
        {"{\"model\": {\"type\": \"WordLevel\", \"unk_token\": \"u\", \"vocab\": {\"u\": 0}}, "
         "\"normalizer\": {\"type\": \"Transliterate\"}}",
         "normalizer: type 'Transliterate' is not supported"},
        {"{\"model\": {\"type\": \"WordLevel\", \"unk_token\": \"u\", \"vocab\": {\"u\": 0}}, "
         "\"pre_tokenizer\": {\"type\": \"UnicodeScripts\"}}",
         "pre_tokenizer: type 'UnicodeScripts' is not supported"},
        {"{\"model\": {\"type\": \"WordLevel\", \"unk_token\": \"u\", \"vocab\": {\"u\": 0}}, "
         "\"decoder\": {\"type\": \"CTC\"}}",
         "decoder: type 'CTC' is not supported"},
    };
    for (size_t i = 0; i < PB_COUNT(rows); i++) {
        CHECK(!pb_tokenizer_open_text("refused", rows[i].json));
        if (!strstr(pb_error_text(), rows[i].why))
            CHECK_TEXT(pb_error_text(), rows[i].why);
        pb_error_clear();
    }
}

/* ---- pairs ------------------------------------------------------------------------------------------- */

static bool same_ids(const pb_ids *got, const pb_json *want)
{
    bool same = got->count == pb_json_size(want);
    for (size_t i = 0; same && i < got->count; i++)
        same = got->id[i] == pb_json_integer(pb_json_at(want, i), -1);
    return same;
}

/* Reopens the tokenizer if the line is of another one than the last. */
static void compare_pair(pb_tokenizer **t, char **folder, const pb_json *want, int line)
{
    const char *of = pb_json_text(pb_json_get(want, "tokenizer"), "");
    pb_ids ids = {0}, type = {0};
    if (!*folder || strcmp(*folder, of) != 0) {
        pb_tokenizer_close(*t);
        free(*folder);
        *t = pb_tokenizer_open(of);
        *folder = pb_strdup(of);
    }
    int rc = !*t ? -1
                 : pb_tokenizer_encode_pair(*t, pb_json_text(pb_json_get(want, "first"), ""),
                                            pb_json_text(pb_json_get(want, "second"), ""),
                                            (int)pb_json_integer(pb_json_get(want, "limit"), -1), &ids, &type);
    bool same = !rc && same_ids(&ids, pb_json_get(want, "ids")) && same_ids(&type, pb_json_get(want, "types"));
    if (!CHECK(same))
        printf("    pairs.jsonl:%d: %s\n", line, pb_error_text());
    pb_ids_free(&ids);
    pb_ids_free(&type);
}

TEST(pairs_get_the_ids_and_types_of_the_original)
{
    char *all = pb_read_file("tests/golden/pairs/pairs.jsonl", NULL), *rest = all, *line, *folder = NULL;
    pb_tokenizer *t = NULL;
    int lines = 0;
    if (!CHECK(all))
        return;
    while ((line = strsep(&rest, "\n")) && *line) {
        pb_json_doc *doc = pb_json_parse("golden", line, strlen(line));
        compare_pair(&t, &folder, pb_json_root(doc), ++lines);
        pb_json_free(doc);
    }
    CHECK(lines > 370);
    pb_tokenizer_close(t);
    free(folder);
    free(all);
}

#define SMALL(post)                                                                                                    \
    "{\"model\": {\"type\": \"WordLevel\", \"vocab\": {\"[UNK]\": 0, \"a\": 1, \"[SEP]\": 2}, \"unk_token\": "         \
    "\"[UNK]\"}" post "}"
#define POST(fields) SMALL(", \"post_processor\": {" fields "}")
#define A "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}"
#define B "{\"Sequence\": {\"id\": \"B\", \"type_id\": 1}}"
#define END "{\"SpecialToken\": {\"id\": \"[SEP]\", \"type_id\": 0}}"
#define TEMPLATE(pair) "\"type\": \"TemplateProcessing\", \"single\": [" A ", " END "], \"pair\": [" pair "]"

/* What is wrong with a file whose texts of pairs cannot be encoded: on opening, or when a pair is encoded. */
static bool refuses_pair(const char *json, const char *error)
{
    pb_ids ids = {0}, type = {0};
    pb_error_clear();
    pb_tokenizer *t = pb_tokenizer_open_text("small", json);
    int rc = t ? pb_tokenizer_encode_pair(t, "a", "a", 0, &ids, &type) : -1;
    bool good = rc == -1 && !ids.count && strstr(pb_error_text(), error);
    if (!good)
        printf("    %s\n", pb_error_text());
    CHECK(!t || !pb_tokenizer_has_pair(t));
    pb_tokenizer_close(t);
    return good;
}

TEST(a_file_without_a_form_for_pairs_is_refused)
{
    static const char none[] = "small: post_processor: it does not say how a pair of texts is encoded; want a Templa";
    CHECK(refuses_pair(SMALL(""), none));
    CHECK(refuses_pair(POST("\"type\": \"ByteLevel\""), none));
    CHECK(refuses_pair(POST("\"type\": \"TemplateProcessing\", \"single\": [" A ", " END "]"), none));
    CHECK(refuses_pair(POST(TEMPLATE(A ", " B)), none)); /* what tokenizers writes if nothing was said of pairs */
    CHECK(refuses_pair(POST(TEMPLATE(A ", " END)), "pair: want each of the sequences A and B in it, once"));
    CHECK(refuses_pair(POST(TEMPLATE(A ", " END ", " B ", " B)), "want each of the sequences A and B in it, once"));
    CHECK(refuses_pair(POST("\"type\": \"Sequence\", \"processors\": [{" TEMPLATE(A ", " END ", " B) "}, {" TEMPLATE(
                           A ", " END ", " B) "}]"),
                       "two processors add tokens; want one that has a form for pairs of texts"));
    CHECK(refuses_pair(POST(TEMPLATE(A ", {\"SpecialToken\": {\"id\": \"[X]\"}}, " B)),
                       "special token '[X]' is not in the vocabulary"));
    CHECK(refuses_pair(POST(TEMPLATE(A ", " END ", " B) ", \"special_tokens\": {\"[SEP]\": {\"ids\": [1]}}"),
                       "special_tokens: '[SEP]' has other ids than the vocabulary; want [2]"));
    CHECK(refuses_pair(POST(TEMPLATE(A ", " END ", {\"Sequence\": {\"id\": \"B\", \"type_id\": -1}}")),
                       "pair: type_id: want 0..255, got -1"));
}

TEST(a_pair_needs_room_for_its_special_tokens)
{
    pb_tokenizer *t = pb_tokenizer_open("tests/golden/tiny-bert");
    pb_ids ids = {0}, type = {0};
    pb_error_clear();
    CHECK_INT(pb_tokenizer_encode_pair(t, "film", "film", 2, &ids, &type), -1);
    CHECK(strstr(pb_error_text(), "a pair of texts has 3 special tokens; want room for more than 2 tokens"));
    CHECK_INT(ids.count, 0);
    pb_tokenizer_close(t);
}

TEST(the_longer_text_loses_tokens_first)
{
    static const size_t want[][5] = {/* sizes, most, sizes left */
                                     {3, 4, 7, 3, 4}, {3, 4, 6, 3, 3}, {4, 3, 6, 3, 3}, {9, 2, 6, 4, 2},
                                     {2, 9, 6, 2, 4}, {5, 5, 7, 3, 4}, {6, 5, 7, 4, 3}, {5, 6, 7, 3, 4},
                                     {0, 9, 4, 0, 4}, {9, 9, 0, 0, 0}};
    for (size_t i = 0; i < PB_COUNT(want); i++) {
        size_t size[2] = {want[i][0], want[i][1]};
        pb_longest_first(size, want[i][2]);
        CHECK_INT(size[0], want[i][3]);
        CHECK_INT(size[1], want[i][4]);
    }
}
