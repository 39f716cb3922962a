/* tokenizer_wordpiece: BERT's way from text to ids.  Floor 3.
 * Devlin et al. 2019; greedy longest match of Wu et al. 2016, "Google's Neural Machine
 * Translation System", section 4.1. */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "files/tokenizer_internal.h"

/* ---- characters ----------------------------------------------------------------------------- */

size_t pb_utf8_next(const char *text, size_t size, int32_t *c)
{
    utf8proc_ssize_t n = utf8proc_iterate((const uint8_t *)text, (utf8proc_ssize_t)size, c);
    if (n > 0)
        return (size_t)n;
    *c = 0xFFFD;
    return 1;
}

bool pb_utf8_is_space(int32_t c)
{
    if (c < 0x80)
        return c == ' ' || (c >= '\t' && c <= '\r');
    utf8proc_category_t category = utf8proc_category(c);
    return c == 0x85 || category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
           category == UTF8PROC_CATEGORY_ZP;
}

static bool is_control(int32_t c)
{
    if (c == '\t' || c == '\n' || c == '\r')
        return false;
    utf8proc_category_t category = utf8proc_category(c);
    return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF || category == UTF8PROC_CATEGORY_CO;
}

static bool is_ideograph(int32_t c)
{
    static const int32_t range[][2] = {{0x4E00, 0x9FFF},   {0x3400, 0x4DBF},   {0x20000, 0x2A6DF}, {0x2A700, 0x2B73F},
                                       {0x2B740, 0x2B81F}, {0x2B920, 0x2CEAF}, {0xF900, 0xFAFF},   {0x2F800, 0x2FA1F}};
    for (size_t i = 0; i < PB_COUNT(range); i++)
        if (c >= range[i][0] && c <= range[i][1])
            return true;
    return false;
}

static bool is_punctuation(int32_t c)
{
    if (c < 0x80)
        return c > ' ' && c < 0x7F && !((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z'));
    utf8proc_category_t category = utf8proc_category(c);
    return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

static void add_character(pb_text *out, int32_t c)
{
    uint8_t bytes[4];
    pb_text_bytes(out, bytes, (size_t)utf8proc_encode_char(c, bytes));
}

/* ---- normalising ------------------------------------------------------------------------------ */

/* Drops control characters, makes every white space a blank, sets ideographs apart. */
static void clean(const pb_wordpiece *w, const char *text, size_t size, pb_text *out)
{
    int32_t c;
    for (size_t at = 0; at < size;) {
        at += pb_utf8_next(text + at, size - at, &c);
        if (w->clean && (c == 0 || c == 0xFFFD || is_control(c)))
            continue;
        bool apart = w->space_cjk && is_ideograph(c);
        if (apart)
            add_character(out, ' ');
        add_character(out, w->clean && pb_utf8_is_space(c) ? ' ' : c);
        if (apart)
            add_character(out, ' ');
    }
}

/* Canonical decomposition without the marks; it is not composed again. */
static void strip_accents(pb_text *text)
{
    uint8_t *decomposed;
    utf8proc_ssize_t n = utf8proc_map((const uint8_t *)text->data, (utf8proc_ssize_t)text->length, &decomposed,
                                      UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
    PB_CHECK(n >= 0); /* add_character writes valid UTF-8 only */
    text->length = 0;
    int32_t c;
    for (size_t at = 0; at < (size_t)n;) {
        at += pb_utf8_next((char *)decomposed + at, (size_t)n - at, &c);
        if (utf8proc_category(c) != UTF8PROC_CATEGORY_MN)
            add_character(text, c);
    }
    free(decomposed);
}

/* Character by character: no final sigma.  U+0130 is the one that becomes two. */
static void lowercase(pb_text *text)
{
    pb_text lower = {0};
    int32_t c;
    for (size_t at = 0; at < text->length;) {
        at += pb_utf8_next(text->data + at, text->length - at, &c);
        add_character(&lower, c == 0x130 ? 'i' : utf8proc_tolower(c));
        if (c == 0x130)
            add_character(&lower, 0x307);
    }
    pb_text_free(text);
    *text = lower;
}

static bool is_plain_ascii(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] < ' ' || text[i] == 0x7F)
            return false;
    return true;
}

void pb_wordpiece_normalize(const pb_tokenizer *t, const char *text, size_t size, pb_text *out)
{
    const pb_wordpiece *w = &t->wordpiece;
    if (is_plain_ascii(text, size)) { /* the same, ten times faster */
        for (size_t i = 0; i < size; i++) {
            char c = text[i];
            char lower = w->lowercase && c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
            pb_text_bytes(out, &lower, 1);
        }
        return;
    }
    pb_text cleaned = {0};
    clean(w, text, size, &cleaned);
    if (w->strip_accents && cleaned.length)
        strip_accents(&cleaned);
    if (w->lowercase)
        lowercase(&cleaned);
    pb_text_bytes(out, cleaned.data, cleaned.length);
    pb_text_free(&cleaned);
}

/* ---- words and pieces ---------------------------------------------------------------------------- */

/* The longest piece at the word's `from`; its end goes to *end.  -1 if there is none. */
static int longest_piece(const pb_tokenizer *t, const char *word, size_t size, size_t from, size_t *end)
{
    char piece[512]; /* a word has at most `longest_word` characters, checked when read */
    size_t prefix = from ? strlen(t->wordpiece.prefix) : 0;
    memcpy(piece, t->wordpiece.prefix, prefix);
    memcpy(piece + prefix, word + from, size - from);
    for (*end = size; *end > from; (*end)--) {
        if (*end < size && (word[*end] & 0xC0) == 0x80)
            continue; /* inside a character */
        int id = pb_tokenizer_lookup(t, piece, prefix + *end - from);
        if (id >= 0)
            return id;
    }
    return -1;
}

static void encode_word(const pb_tokenizer *t, const char *word, size_t size, int characters, pb_ids *out)
{
    size_t kept = out->count;
    if (characters <= t->wordpiece.longest_word) {
        size_t at = 0, end;
        int id;
        while (at < size && (id = longest_piece(t, word, size, at, &end)) >= 0) {
            pb_ids_add(out, id);
            at = end;
        }
        if (at == size)
            return;
    }
    out->count = kept; /* a word is known whole or not at all */
    pb_ids_add(out, t->wordpiece.unknown);
}

/* Words end at white space; each punctuation character is a word. */
void pb_wordpiece_encode(const pb_tokenizer *t, const char *text, size_t size, pb_ids *out)
{
    size_t word = 0, at = 0;
    int characters = 0;
    while (at < size) {
        int32_t c;
        size_t n = pb_utf8_next(text + at, size - at, &c);
        bool space = pb_utf8_is_space(c), punctuation = is_punctuation(c);
        if ((space || punctuation) && at > word)
            encode_word(t, text + word, at - word, characters, out);
        if (punctuation)
            encode_word(t, text + at, n, 1, out);
        at += n;
        if (space || punctuation) {
            word = at;
            characters = 0;
        } else {
            characters++;
        }
    }
    if (at > word)
        encode_word(t, text + word, at - word, characters, out);
}

/* ---- reading ------------------------------------------------------------------------------------- */

static int want_type(const pb_tokenizer *t, const pb_json *root, const char *part, const char *type)
{
    const char *got = pb_json_text(pb_json_get(pb_json_get(root, part), "type"), "(none)");
    if (!strcmp(got, type))
        return 0;
    return pb_error("%s: %s: type '%s' is not supported; want '%s'", t->path, part, got, type);
}

int pb_wordpiece_read(pb_tokenizer *t, const pb_json *root)
{
    if (want_type(t, root, "normalizer", "BertNormalizer") || want_type(t, root, "pre_tokenizer", "BertPreTokenizer"))
        return -1;
    pb_wordpiece *w = &t->wordpiece;
    const pb_json *normalizer = pb_json_get(root, "normalizer"), *model = pb_json_get(root, "model");
    w->clean = pb_json_bool(pb_json_get(normalizer, "clean_text"), true);
    w->space_cjk = pb_json_bool(pb_json_get(normalizer, "handle_chinese_chars"), true);
    w->lowercase = pb_json_bool(pb_json_get(normalizer, "lowercase"), true);
    w->strip_accents = pb_json_bool(pb_json_get(normalizer, "strip_accents"), w->lowercase);
    w->prefix = pb_json_text(pb_json_get(model, "continuing_subword_prefix"), "##");
    if (strlen(w->prefix) > 64)
        return pb_error("%s: model: continuing_subword_prefix: want at most 64 bytes", t->path);
    long long longest = pb_json_integer(pb_json_get(model, "max_input_chars_per_word"), 100);
    if (longest < 1 || longest > 100)
        return pb_error("%s: model: max_input_chars_per_word: want 1..100, got %lld", t->path, longest);
    w->longest_word = (int)longest;
    const char *unknown = pb_json_text(pb_json_get(model, "unk_token"), "[UNK]");
    w->unknown = pb_tokenizer_id(t, unknown);
    if (w->unknown < 0)
        return pb_error("%s: model: unk_token: '%s' is not in the vocabulary", t->path, unknown);
    return 0;
}
