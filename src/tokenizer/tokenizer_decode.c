/* tokenizer_decode: converts ids to text by the decoder of a tokenizer.json.
 *
 * Each component of the decoder maps a list of texts, which starts with one text per token, to another list.  The last
 * list is concatenated. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/tokenizer_internal.h"

enum { WORDPIECE, BYTES, METASPACE, REPLACE, BYTE_FALLBACK, FUSE, STRIP };

/* ---- reading ------------------------------------------------------------------------------------------- */

static int read_component(pb_tokenizer *t, const pb_json *v, const char *type)
{
    static const char *const known[] = {"WordPiece",    "ByteLevel", "Metaspace", "Replace",
                                        "ByteFallback", "Fuse",      "Strip"};
    size_t kind = 0;
    while (kind < PB_COUNT(known) && strcmp(type, known[kind]) != 0)
        kind++;
    if (kind == PB_COUNT(known))
        return pb_error("%s: decoder: type '%s' is not supported", t->path, type);
    pb_component *s = pb_component_list_add(&t->decoder, (int)kind);
    const pb_json *pattern = pb_json_get(v, "pattern");
    s->a = kind == WORDPIECE   ? pb_json_text(pb_json_get(v, "prefix"), "##")
           : kind == METASPACE ? pb_json_text(pb_json_get(v, "replacement"), "\xE2\x96\x81")
           : kind == REPLACE   ? pb_json_text(pb_json_get(pattern, "String"), "")
                               : pb_json_text(pb_json_get(v, "content"), "");
    s->b = kind == METASPACE ? " " : pb_json_text(pb_json_get(v, "content"), "");
    s->flag = kind == METASPACE ? strcmp(pb_json_text(pb_json_get(v, "prepend_scheme"), ""), "never") != 0 &&
                                      pb_json_bool(pb_json_get(v, "add_prefix_space"), true)
                                : pb_json_bool(pb_json_get(v, "cleanup"), true);
    s->start = (int)pb_json_integer(pb_json_get(v, "start"), 0);
    s->stop = (int)pb_json_integer(pb_json_get(v, "stop"), 0);
    if ((kind == REPLACE || kind == STRIP || kind == METASPACE) && !*s->a)
        return pb_error("%s: decoder: %s: want a text to look for", t->path, type);
    return 0;
}

int pb_tokenizer_decoder_read(pb_tokenizer *t, const pb_json *v)
{
    return pb_component_list_each(t, v, "decoders", read_component);
}

/* ---- lists of texts ------------------------------------------------------------------------------------- */

typedef struct texts {
    pb_text *item;
    size_t count, capacity;
} texts;

static void add_text(texts *l, const char *text, size_t size)
{
    pb_grow(&l->item, l->count, &l->capacity, sizeof *l->item);
    l->item[l->count] = (pb_text){0};
    pb_text_bytes(&l->item[l->count], "", 0);
    pb_text_bytes(&l->item[l->count++], text, size);
}

static void clear_texts(texts *l)
{
    for (size_t i = 0; i < l->count; i++)
        pb_text_free(&l->item[i]);
    l->count = 0;
}

static void substitute(pb_text *t, const char *from, const char *to, bool once)
{
    pb_text out = {0};
    size_t n = strlen(from);
    bool go = true;
    pb_text_bytes(&out, "", 0);
    for (size_t i = 0; i < t->length;) {
        bool here = go && t->length - i >= n && !memcmp(t->data + i, from, n);
        pb_text_bytes(&out, here ? to : t->data + i, here ? strlen(to) : 1);
        i += here ? n : 1;
        go = go && !(here && once);
    }
    pb_text_free(t);
    *t = out;
}

/* ---- components -------------------------------------------------------------------------------------------------- */

/* Separates words by blanks and, with cleanup, removes the blanks that English does not have. */
static void join_words(const pb_component *s, texts *l)
{
    static const char *const tidy[][2] = {{" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
                                          {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
                                          {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (size_t i = 0; i < l->count; i++) {
        pb_text *t = &l->item[i];
        if (i && !strncmp(t->data, s->a, strlen(s->a)))
            substitute(t, s->a, "", true);
        else if (i) {
            pb_text spaced = {0};
            pb_text_add(&spaced, " ");
            pb_text_bytes(&spaced, t->data, t->length);
            pb_text_free(t);
            *t = spaced;
        }
        for (size_t k = 0; s->flag && k < PB_COUNT(tidy); k++)
            substitute(t, tidy[k][0], tidy[k][1], false);
    }
}

/* Appends bytes as UTF-8; each maximal invalid sequence (Unicode's term) becomes one U+FFFD. */
static void add_lossy(pb_text *out, const unsigned char *b, size_t n)
{
    for (size_t i = 0; i < n;) {
        unsigned char c = b[i];
        size_t want = c < 0x80                ? 1
                      : c >= 0xC2 && c < 0xE0 ? 2
                      : c >= 0xE0 && c < 0xF0 ? 3
                      : c >= 0xF0 && c < 0xF5 ? 4
                                              : 0;
        size_t got = 1;
        unsigned char low = c == 0xE0   ? 0xA0
                            : c == 0xF0 ? 0x90
                                        : 0x80,
                      high = c == 0xED   ? 0x9F
                             : c == 0xF4 ? 0x8F
                                         : 0xBF;
        for (; got < want && i + got < n && b[i + got] >= low && b[i + got] <= high; got++)
            low = 0x80, high = 0xBF;
        if (want && got == want)
            pb_text_bytes(out, b + i, got);
        else
            pb_utf8_add(out, 0xFFFD);
        i += got;
    }
}

/* Appends the bytes of a byte-level token; a token with other characters is appended unchanged. */
static void add_bytes(pb_text *out, const pb_text *t)
{
    size_t from = out->length;
    int32_t c;
    for (size_t i = 0; i < t->length;) {
        i += pb_utf8_next(t->data + i, t->length - i, &c);
        int byte = pb_character_byte(c);
        if (byte < 0) {
            out->length = from;
            pb_text_bytes(out, t->data, t->length);
            return;
        }
        char one = (char)byte;
        pb_text_bytes(out, &one, 1);
    }
}

static void join_bytes(texts *l)
{
    pb_text bytes = {0}, text = {0};
    for (size_t i = 0; i < l->count; i++)
        add_bytes(&bytes, &l->item[i]);
    add_lossy(&text, (const unsigned char *)bytes.data, bytes.length);
    clear_texts(l);
    add_text(l, text.data ? text.data : "", text.length);
    pb_text_free(&bytes);
    pb_text_free(&text);
}

/* Returns 10 for "<0x0A>", and -1 for a token of another form. */
static int byte_named(const pb_text *t)
{
    char *end;
    if (t->length != 6 || strncmp(t->data, "<0x", 3) != 0 || t->data[5] != '>')
        return -1;
    long n = strtol(t->data + 3, &end, 16);
    return end == t->data + 5 ? (int)n : -1;
}

static bool is_utf8(const unsigned char *b, size_t n)
{
    pb_text lossy = {0};
    add_lossy(&lossy, b, n);
    bool same = lossy.length == n && (!n || !memcmp(lossy.data, b, n));
    pb_text_free(&lossy);
    return same;
}

/* A sequence of byte tokens becomes a text or, if it is not UTF-8, one U+FFFD per byte. */
static void join_named_bytes(texts *l)
{
    texts out = {0};
    pb_text run = {0};
    for (size_t i = 0; i <= l->count; i++) {
        int byte = i < l->count ? byte_named(&l->item[i]) : -1;
        char one = (char)byte;
        if (byte >= 0) {
            pb_text_bytes(&run, &one, 1);
            continue;
        }
        if (run.length && is_utf8((const unsigned char *)run.data, run.length))
            add_text(&out, run.data, run.length);
        else
            for (size_t k = 0; k < run.length; k++)
                add_text(&out, "\xEF\xBF\xBD", 3);
        run.length = 0;
        if (i < l->count)
            add_text(&out, l->item[i].data, l->item[i].length);
    }
    pb_text_free(&run);
    clear_texts(l);
    free(l->item);
    *l = out;
}

static void join_texts(texts *l)
{
    pb_text all = {0};
    for (size_t i = 0; i < l->count; i++)
        pb_text_bytes(&all, l->item[i].data, l->item[i].length);
    clear_texts(l);
    add_text(l, all.data ? all.data : "", all.length);
    pb_text_free(&all);
}

static void strip_texts(const pb_component *s, texts *l)
{
    size_t n = strlen(s->a);
    for (size_t i = 0; i < l->count; i++) {
        size_t from = 0, to = l->item[i].length;
        char *text = l->item[i].data;
        for (int k = 0; k < s->start && to - from >= n && !memcmp(text + from, s->a, n); k++)
            from += n;
        for (int k = 0; k < s->stop && to - from >= n && !memcmp(text + to - n, s->a, n); k++)
            to -= n;
        memmove(text, text + from, to - from);
        l->item[i].length = to - from;
        text[to - from] = 0;
    }
}

static void run_component(const pb_component *s, texts *l)
{
    switch (s->kind) {
    case WORDPIECE: join_words(s, l); return;
    case BYTES: join_bytes(l); return;
    case BYTE_FALLBACK: join_named_bytes(l); return;
    case FUSE: join_texts(l); return;
    case STRIP: strip_texts(s, l); return;
    default:
        for (size_t i = 0; i < l->count; i++) /* with a prepended sign, the first token has no blank */
            substitute(&l->item[i], s->a, s->kind == METASPACE && !i && s->flag ? "" : s->b, false);
    }
}

/* ---- the whole ------------------------------------------------------------------------------------------------ */

/* As in the tokenizers library, a special token is recognized by its content as written, although decoding returns the
 * normalized content. */
static bool is_special(const pb_tokenizer *t, const char *token)
{
    const pb_added_token *a = pb_added_token_find(t, pb_index_find(&t->written, token, strlen(token)));
    return a && a->special;
}

void pb_tokenizer_decode(const pb_tokenizer *t, const int *ids, size_t n, bool plain, pb_text *out)
{
    texts l = {0};
    for (size_t i = 0; i < n; i++) {
        const char *token = pb_tokenizer_token(t, ids[i]);
        if (token && !(plain && is_special(t, token)))
            add_text(&l, token, strlen(token));
    }
    for (size_t i = 0; i < t->decoder.count; i++)
        run_component(&t->decoder.component[i], &l);
    for (size_t i = 0; i < l.count; i++) {
        if (i && !t->decoder.count)
            pb_text_add(out, " ");
        pb_text_bytes(out, l.item[i].data, l.item[i].length); /* a text may contain NUL */
    }
    clear_texts(&l);
    free(l.item);
}
