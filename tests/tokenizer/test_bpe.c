/* The BPE trainer: merges found by hand, the files that the tokenizers library makes of the same text
 * (tests/golden/bpe/words and text, by tests/parity/check_tokenizers.py), and which word an id is of. */
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

#include "tokenizer/bpe_train.h"
#include "base/json.h"
#include "tokenizer/tokenizer.h"

enum { LARGE = 100000 }; /* a vocabulary that no text here fills */

static const char *const goldens[] = {
    [PB_BPE_WORDS] = "tests/golden/bpe/words", [PB_BPE_TEXT] = "tests/golden/bpe/text"};

/* ---- learning into a folder of our own ------------------------------------------------------------------ */

static char folder[] = "/tmp/peftbench-bpe-XXXXXX";

static void remove_folder(void)
{
    char *path = pb_format("%s/tokenizer.json", folder);
    remove(path);
    rmdir(folder);
    free(path);
}

static void make_folder(void)
{
    if (!strstr(folder, "XXXXXX"))
        return;
    if (!mkdtemp(folder))
        PB_BUG("no folder in /tmp");
    atexit(remove_folder);
}

/* The entries of the file that is learned, -1 with an error. */
static int write_file(pb_bpe_trainer *t, int vocabulary)
{
    make_folder();
    char *path = pb_format("%s/tokenizer.json", folder);
    int n = pb_bpe_trainer_write(t, vocabulary, path);
    free(path);
    return n;
}

static int learn(pb_bpe_kind kind, const char *const *documents, size_t n, int vocabulary)
{
    pb_bpe_trainer *t = pb_bpe_trainer_new(kind);
    for (size_t i = 0; i < n; i++)
        pb_bpe_trainer_feed(t, documents[i], strlen(documents[i]));
    int entries = write_file(t, vocabulary);
    pb_bpe_trainer_free(t);
    return entries;
}

static pb_json_doc *read_file(const char *dir)
{
    char *path = pb_format("%s/tokenizer.json", dir);
    pb_json_doc *doc = pb_json_read(path);
    if (!doc)
        PB_BUG("%s", pb_error_text());
    free(path);
    return doc;
}

/* ---- by hand ----------------------------------------------------------------------------------------------- */

/* The file's merges are `want`, "left right" each, and no more. */
static void check_merges(const char *const *want, size_t n)
{
    pb_json_doc *doc = read_file(folder);
    const pb_json *merges = pb_json_get(pb_json_get(pb_json_root(doc), "model"), "merges");
    CHECK_INT(pb_json_size(merges), n);
    for (size_t i = 0; i < n; i++)
        CHECK_TEXT(pb_json_text(pb_json_at(merges, i), ""), want[i]);
    pb_json_free(doc);
}

/* aaab, Gaaab, Gab (G for the blank): "a a" is there four times, overlaps counted, then "a b" three times,
 * then "aa ab" twice, then none twice. */
TEST(the_most_frequent_pair_merges_first)
{
    static const char *const text[] = {"aaab aaab ab"}, *const want[] = {"a a", "a b", "aa ab"};
    CHECK_INT(learn(PB_BPE_TEXT, text, 1, LARGE), 1 + 256 + 3);
    check_merges(want, PB_COUNT(want));
    CHECK_INT(learn(PB_BPE_TEXT, text, 1, 1 + 256 + 2), 1 + 256 + 2);
    check_merges(want, 2);
}

/* All pairs are there twice. */
TEST(of_pairs_equally_frequent_the_lower_ids_merge_first)
{
    static const char *const text[] = {"xy xy", " ba ba"}, *const want[] = {"b a", "x y", "\xC4\xA0 ba"};
    CHECK_INT(learn(PB_BPE_TEXT, text, 2, LARGE), 1 + 256 + 3);
    check_merges(want, PB_COUNT(want));
}

TEST(words_are_counted_as_bert_cuts_them)
{
    static const char *const text[] = {"The f\xC3\xADlm.", "FILM\tthe"}, *const want[] = {"f i",
                                                                                          "h e",
                                                                                          "l m",
                                                                                          "t he",
                                                                                          "\xC4\xA0 fi",
                                                                                          "\xC4\xA0 the",
                                                                                          "\xC4\xA0"
                                                                                          "fi lm"};
    CHECK_INT(learn(PB_BPE_WORDS, text, 2, LARGE), 5 + 256 + 7);
    check_merges(want, PB_COUNT(want));
}

TEST(without_text_the_bytes_remain)
{
    CHECK_INT(learn(PB_BPE_WORDS, NULL, 0, LARGE), 5 + 256);
    pb_tokenizer *t = pb_tokenizer_open(folder);
    CHECK(t && pb_tokenizer_vocab(t) == 261);
    CHECK(t && pb_tokenizer_id(t, "[PAD]") == 0 && pb_tokenizer_id(t, "[MASK]") == 4);
    pb_tokenizer_close(t);
}

TEST(a_vocabulary_without_room_for_the_bytes_is_refused)
{
    CHECK_INT(learn(PB_BPE_WORDS, NULL, 0, 260), -1);
    CHECK(strstr(pb_error_text(), "vocabulary: want at least 261, 5 special tokens and 256 bytes, got 260"));
    pb_error_clear();
    pb_bpe_trainer *t = pb_bpe_trainer_new(PB_BPE_TEXT);
    CHECK_INT(pb_bpe_trainer_write(t, 257, "/nowhere/tokenizer.json"), -1);
    CHECK(strstr(pb_error_text(), "/nowhere/tokenizer.json"));
    pb_bpe_trainer_free(t);
}

/* ---- beside the library -------------------------------------------------------------------------------------- */

typedef struct text {
    char *bytes;
    size_t size;
} text;

/* The texts of a golden; frees by free_texts. */
static size_t read_texts(const char *dir, text **out)
{
    char *path = pb_format("%s/texts.jsonl", dir), *all = pb_read_file(path, NULL), *rest = all, *line;
    size_t count = 0, capacity = 0;
    while (rest && (line = strsep(&rest, "\n")) && *line) {
        pb_json_doc *doc = pb_json_parse(path, line, strlen(line));
        const pb_json *t = pb_json_get(pb_json_root(doc), "text");
        pb_grow(out, count, &capacity, sizeof **out);
        (*out)[count].size = pb_json_text_size(t);
        (*out)[count].bytes = pb_alloc((*out)[count].size + 1);
        memcpy((*out)[count].bytes, pb_json_text(t, ""), (*out)[count].size);
        count++;
        pb_json_free(doc);
    }
    free(path);
    free(all);
    return count;
}

static void free_texts(text *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(t[i].bytes);
    free(t);
}

/* From the last text to the first, and written twice: neither matters. */
static void learn_golden(pb_bpe_kind kind, const text *t, size_t n, int vocabulary)
{
    pb_bpe_trainer *trainer = pb_bpe_trainer_new(kind);
    for (size_t i = n; i-- > 0;)
        pb_bpe_trainer_feed(trainer, t[i].bytes, t[i].size);
    CHECK_INT(write_file(trainer, 300), 300);
    CHECK_INT(write_file(trainer, vocabulary), vocabulary);
    pb_bpe_trainer_free(trainer);
}

static void check_part(const pb_json *got, const pb_json *want, const char *part)
{
    pb_text a = {0}, b = {0};
    pb_json_print(pb_json_get(got, part), &a);
    pb_json_print(pb_json_get(want, part), &b);
    CHECK_TEXT(a.data, b.data);
    pb_text_free(&a);
    pb_text_free(&b);
}

/* "left right" beside the library's ["left", "right"]. */
static void check_model(const pb_json *got, const pb_json *want)
{
    const pb_json *ours = pb_json_get(got, "merges"), *theirs = pb_json_get(want, "merges");
    check_part(got, want, "vocab");
    CHECK_INT(pb_json_size(ours), pb_json_size(theirs));
    for (size_t i = 0; i < pb_json_size(theirs); i++) {
        const pb_json *pair = pb_json_at(theirs, i);
        char *both = pb_format("%s %s", pb_json_text(pb_json_at(pair, 0), ""), pb_json_text(pb_json_at(pair, 1), ""));
        CHECK_TEXT(pb_json_text(pb_json_at(ours, i), ""), both);
        free(both);
    }
}

TEST(the_file_is_the_one_that_the_library_learns)
{
    static const char *const parts[] = {"added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder"};
    for (int kind = PB_BPE_WORDS; kind <= PB_BPE_TEXT; kind++) {
        text *t = NULL;
        size_t n = read_texts(goldens[kind], &t);
        CHECK(n > 100);
        pb_json_doc *want = read_file(goldens[kind]);
        const pb_json *root = pb_json_root(want), *model = pb_json_get(root, "model");
        learn_golden(kind, t, n, (int)pb_json_size(pb_json_get(model, "vocab")));
        pb_json_doc *got = read_file(folder);
        for (size_t i = 0; i < PB_COUNT(parts); i++)
            check_part(pb_json_root(got), root, parts[i]);
        check_model(pb_json_get(pb_json_root(got), "model"), model);
        pb_json_free(got);
        pb_json_free(want);
        free_texts(t, n);
    }
}

TEST(text_comes_back_byte_for_byte)
{
    text *t = NULL;
    size_t n = read_texts(goldens[PB_BPE_TEXT], &t);
    learn_golden(PB_BPE_TEXT, t, n, 320);
    pb_tokenizer *own = pb_tokenizer_open(folder);
    CHECK(own);
    for (size_t i = 0; own && i < n; i++) {
        pb_ids ids = {0};
        pb_text back = {0};
        pb_tokenizer_encode(own, t[i].bytes, t[i].size, true, 0, &ids);
        pb_tokenizer_decode(own, ids.id, ids.count, false, &back);
        CHECK(back.length == t[i].size && (!back.length || !memcmp(back.data, t[i].bytes, t[i].size)));
        pb_ids_free(&ids);
        pb_text_free(&back);
    }
    pb_tokenizer_close(own);
    free_texts(t, n);
}

/* ---- words ------------------------------------------------------------------------------------------------------ */

static void check_ints(const pb_ids *got, const int *want, size_t n)
{
    CHECK_INT(got->count, n);
    for (size_t i = 0; i < n && i < got->count; i++)
        CHECK_INT(got->id[i], want[i]);
}

TEST(an_id_knows_its_word)
{
    static const char *const documents[] = {"The film.", "the film"};
    static const int want[] = {-1, 0, 1, 2, 2, 3, 4, 4, -1}, cut[] = {-1, 0, 1, 2, 2, -1};
    CHECK(learn(PB_BPE_WORDS, documents, 2, LARGE) > 0);
    pb_tokenizer *t = pb_tokenizer_open(folder);
    const char *line = "THE film.[MASK] !"; /* the film _. [MASK] _! */
    pb_ids id = {0}, word = {0};
    pb_tokenizer_encode_words(t, line, strlen(line), true, 0, &id, &word);
    CHECK_INT(id.count, PB_COUNT(want));
    check_ints(&word, want, PB_COUNT(want));
    CHECK_TEXT(pb_tokenizer_token(t, id.id[5]), "[MASK]");
    word.count = id.count = 0;
    pb_tokenizer_encode_words(t, line, strlen(line), true, 6, &id, &word);
    CHECK_INT(id.count, PB_COUNT(cut));
    check_ints(&word, cut, PB_COUNT(cut));
    word.count = 0;
    pb_tokenizer_encode_words(t, line, 3, false, 0, &id, &word); /* behind the ids that are there */
    check_ints(&word, &want[1], 1);
    pb_ids_free(&id);
    pb_ids_free(&word);
    pb_tokenizer_close(t);
}

/* WordPiece and our byte pairs cut the same words, so their indices go together. */
TEST(two_vocabularies_number_the_words_alike)
{
    pb_tokenizer *pieces = pb_tokenizer_open("tests/golden/tiny-bert"),
                 *pairs = pb_tokenizer_open(goldens[PB_BPE_WORDS]);
    text *t = NULL;
    size_t n = read_texts(goldens[PB_BPE_WORDS], &t);
    int most = 0;
    for (size_t i = 0; i < n; i++) {
        pb_ids id = {0}, a = {0}, b = {0};
        pb_tokenizer_encode_words(pieces, t[i].bytes, t[i].size, false, 0, &id, &a);
        pb_tokenizer_encode_words(pairs, t[i].bytes, t[i].size, false, 0, &id, &b);
        CHECK_INT(a.count ? a.id[a.count - 1] : -1, b.count ? b.id[b.count - 1] : -1);
        most = a.count && a.id[a.count - 1] > most ? a.id[a.count - 1] : most;
        pb_ids_free(&id);
        pb_ids_free(&a);
        pb_ids_free(&b);
    }
    CHECK(most > 10);
    free_texts(t, n);
    pb_tokenizer_close(pieces);
    pb_tokenizer_close(pairs);
}
