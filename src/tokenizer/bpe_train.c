/* bpe_train: counts words and writes the learned merges as a tokenizer.json. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/bpe_learn.h"
#include "tokenizer/bpe_train.h"
#include "tokenizer/tokenizer_internal.h"

enum { BYTES = 256, SPECIALS = 5 };

/* The parts of the file around the model, with ' in place of JSON's quotes. */
#define CLS "{'SpecialToken': {'id': '[CLS]', 'type_id': 0}}"
#define SEP "{'SpecialToken': {'id': '[SEP]', 'type_id': 0}}"
#define SINGLE CLS ", {'Sequence': {'id': 'A', 'type_id': 0}}, " SEP
#define PAIR_END "{'Sequence': {'id': 'B', 'type_id': 1}}, {'SpecialToken': {'id': '[SEP]', 'type_id': 1}}"

static const char words_pipeline[] =
    "  'normalizer': {'type': 'BertNormalizer', 'clean_text': true, 'handle_chinese_chars': true,\n"
    "    'strip_accents': null, 'lowercase': true},\n"
    "  'pre_tokenizer': {'type': 'Sequence', 'pretokenizers': [{'type': 'BertPreTokenizer'},\n"
    "    {'type': 'ByteLevel', 'add_prefix_space': true, 'trim_offsets': true, 'use_regex': false}]},\n"
    "  'post_processor': {'type': 'TemplateProcessing',\n"
    "    'single': [" SINGLE "],\n"
    "    'pair': [" SINGLE ", " PAIR_END "],\n"
    "    'special_tokens': {'[CLS]': {'id': '[CLS]', 'ids': [2], 'tokens': ['[CLS]']},\n"
    "      '[SEP]': {'id': '[SEP]', 'ids': [3], 'tokens': ['[SEP]']}}},\n"
    "  'decoder': {'type': 'ByteLevel', 'add_prefix_space': true, 'trim_offsets': true, 'use_regex': true},\n";

static const char text_pipeline[] =
    "  'normalizer': null,\n"
    "  'pre_tokenizer': {'type': 'ByteLevel', 'add_prefix_space': false, 'trim_offsets': true,\n"
    "    'use_regex': true},\n"
    "  'post_processor': {'type': 'ByteLevel', 'add_prefix_space': true, 'trim_offsets': false,\n"
    "    'use_regex': true},\n"
    "  'decoder': {'type': 'ByteLevel', 'add_prefix_space': true, 'trim_offsets': true, 'use_regex': true},\n";

static const struct kind {
    const char *pipeline;
    const char *special[SPECIALS + 1]; /* by id, then NULL */
} kinds[] = {[PB_BPE_WORDS] = {words_pipeline, {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}},
             [PB_BPE_TEXT] = {text_pipeline, {"<|endoftext|>"}}};

struct pb_bpe_trainer {
    const struct kind *kind;
    int specials;
    pb_tokenizer *pipeline; /* a tokenizer as it will be written, without merges; splits text into words */
    pb_interner words;
    long long *times; /* [words] */
    size_t capacity;
};

/* ---- the file ------------------------------------------------------------------------------------------- */

static void add_pipeline(pb_text *j, const char *text)
{
    size_t from = j->length;
    pb_text_add(j, "%s", text);
    for (char *c = j->data + from; *c; c++)
        *c = *c == '\'' ? '"' : *c;
}

static void add_special(pb_text *j, const pb_bpe_trainer *t, int id)
{
    pb_text_add(j,
                "    {\"id\": %d, \"content\": \"%s\", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, "
                "\"normalized\": false, \"special\": true}%s\n",
                id, t->kind->special[id], id + 1 < t->specials ? "," : "");
}

/* Appends a token, each byte as its character (pb_byte_character). */
static void write_token(pb_text *out, const pb_interner *tokens, int i)
{
    size_t n;
    const char *text = pb_interner_text(tokens, i, &n);
    for (size_t k = 0; k < n; k++)
        pb_utf8_add(out, pb_byte_character((unsigned char)text[k]));
}

static void add_vocabulary(pb_text *j, const pb_bpe_trainer *t, const pb_interner *tokens)
{
    pb_text written = {0};
    for (int i = 0; i < t->specials; i++)
        pb_text_add(j, "      \"%s\": %d,\n", t->kind->special[i], i);
    for (int i = 0; i < tokens->count; i++) {
        written.length = 0;
        write_token(&written, tokens, i);
        pb_text_add(j, "      ");
        pb_json_quote(j, written.data);
        pb_text_add(j, ": %d%s\n", t->specials + i, i + 1 < tokens->count ? "," : "");
    }
    pb_text_free(&written);
}

/* "left right" */
static void add_merges(pb_text *j, const pb_interner *tokens, const pb_bpe_merges *merges)
{
    pb_text written = {0};
    for (size_t i = 0; i < merges->count; i++) {
        written.length = 0;
        write_token(&written, tokens, merges->pair[i][0]);
        pb_text_add(&written, " ");
        write_token(&written, tokens, merges->pair[i][1]);
        pb_text_add(j, "      ");
        pb_json_quote(j, written.data);
        pb_text_add(j, "%s\n", i + 1 < merges->count ? "," : "");
    }
    pb_text_free(&written);
}

/* If `added`, the special tokens are found in a text as a whole. */
static pb_text make_json(const pb_bpe_trainer *t, bool added, const pb_interner *tokens, const pb_bpe_merges *merges)
{
    pb_text j = {0};
    pb_text_add(&j,
                "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [\n");
    for (int i = 0; added && i < t->specials; i++)
        add_special(&j, t, i);
    pb_text_add(&j, "  ],\n");
    add_pipeline(&j, t->kind->pipeline);
    pb_text_add(&j, "  \"model\": {\"type\": \"BPE\", \"dropout\": null, \"unk_token\": null, "
                    "\"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null, \"fuse_unk\": false, "
                    "\"byte_fallback\": false, \"ignore_merges\": false,\n    \"vocab\": {\n");
    add_vocabulary(&j, t, tokens);
    pb_text_add(&j, "    },\n    \"merges\": [\n");
    add_merges(&j, tokens, merges);
    pb_text_add(&j, "    ]}\n}\n");
    return j;
}

/* ---- training --------------------------------------------------------------------------------------------- */

/* The bytes as tokens, in the order of their characters (pb_byte_character). */
static pb_interner make_bytes(void)
{
    pb_interner tokens = {0};
    for (int32_t c = 0; tokens.count < BYTES; c++)
        if (pb_character_byte(c) >= 0)
            pb_interner_add(&tokens, &(char){(char)pb_character_byte(c)}, 1);
    return tokens;
}

pb_bpe_trainer *pb_bpe_trainer_new(pb_bpe_kind kind)
{
    pb_bpe_trainer *t = pb_alloc(sizeof *t);
    t->kind = &kinds[kind];
    while (t->kind->special[t->specials])
        t->specials++;
    pb_interner tokens = make_bytes();
    /* No added tokens: what reads as "[CLS]" is learned from like other words, as the library does. */
    pb_text json = make_json(t, false, &tokens, &(pb_bpe_merges){0});
    t->pipeline = pb_tokenizer_open_text("tokenizer.json", json.data);
    PB_CHECK(t->pipeline);
    pb_text_free(&json);
    pb_interner_free(&tokens);
    return t;
}

static void count_word(void *ctx, const char *text, size_t size, int added)
{
    pb_bpe_trainer *t = ctx;
    PB_CHECK(added < 0);
    size_t known = (size_t)t->words.count;
    int i = pb_interner_add(&t->words, text, size);
    pb_grow(&t->times, (size_t)i, &t->capacity, sizeof *t->times);
    t->times[i] = (size_t)i < known ? t->times[i] + 1 : 1;
}

int pb_bpe_trainer_feed(pb_bpe_trainer *t, const char *text, size_t n)
{
    return pb_tokenizer_each_word(t->pipeline, text, n, count_word, t);
}

int pb_bpe_trainer_write(pb_bpe_trainer *t, int vocabulary, const char *path)
{
    if (vocabulary < t->specials + BYTES)
        return pb_error("%s: vocabulary: want at least %d, %d special tokens and %d bytes, got %d", path,
                        t->specials + BYTES, t->specials, BYTES, vocabulary);
    pb_interner tokens = make_bytes();
    pb_bpe_merges merges = {0};
    pb_bpe_learn(&t->words, t->times, vocabulary - t->specials, &tokens, &merges);
    pb_text json = make_json(t, true, &tokens, &merges);
    int rc = pb_write_file(path, json.data, json.length);
    int count = t->specials + tokens.count;
    pb_text_free(&json);
    free(merges.pair);
    pb_interner_free(&tokens);
    return rc ? -1 : count;
}

void pb_bpe_trainer_free(pb_bpe_trainer *t)
{
    if (!t)
        return;
    pb_tokenizer_close(t->pipeline);
    pb_interner_free(&t->words);
    free(t->times);
    free(t);
}
