/* tokenizer_wordpiece: splits a word into pieces of the vocabulary.
 * Devlin et al. 2019; greedy longest match of Wu et al. 2016, "Google's Neural Machine
 * Translation System", section 4.1. */
#include <string.h>

#include "tokenizer/tokenizer_internal.h"

/* Returns the id of the longest piece that begins at `from`, with its end in *end, or -1 if there is none. */
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

static int count_characters(const char *text, size_t size)
{
    int n = 0;
    for (size_t i = 0; i < size; i++)
        n += (text[i] & 0xC0) != 0x80;
    return n;
}

/* A word of which some part is unknown becomes the unknown token as a whole. */
void pb_wordpiece_encode(const pb_tokenizer *t, const char *word, size_t size, pb_ids *out)
{
    size_t kept = out->count, at = 0, end;
    int id = count_characters(word, size) <= t->wordpiece.longest_word ? 0 : -1;
    while (id >= 0 && at < size && (id = longest_piece(t, word, size, at, &end)) >= 0) {
        pb_ids_add(out, id);
        at = end;
    }
    if (id >= 0)
        return;
    out->count = kept;
    pb_ids_add(out, t->wordpiece.unknown);
}

int pb_wordpiece_read(pb_tokenizer *t, const pb_json *model)
{
    pb_wordpiece *w = &t->wordpiece;
    if (t->bytes)
        return pb_error("%s: pre_tokenizer: ByteLevel: is not supported for a WordPiece", t->path);
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
