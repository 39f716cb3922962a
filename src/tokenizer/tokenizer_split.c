/* tokenizer_split: the pre-tokenizers of a tokenizer.json, which split text into words that are encoded independently.
 */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/tokenizer_internal.h"

enum { SPLIT, METASPACE, BERT, BYTES };                           /* steps                        */
enum { ISOLATED, REMOVED, WITH_PREVIOUS, WITH_NEXT, CONTIGUOUS }; /* the behavior of a match        */
enum { ALWAYS, FIRST, NEVER };                                    /* where Metaspace puts its sign */

#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
/* The characters of words for the Whitespace pre-tokenizer. */
#define WORD "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200C}\\x{200D}"
#define SPACE_SIGN "\xE2\x96\x81" /* U+2581 */

/* ---- reading --------------------------------------------------------------------------------------------- */

static int compile(pb_tokenizer *t, pb_component *s, const char *expression)
{
    char *where = pb_format("%s: pre_tokenizer", t->path);
    s->regex = pb_pattern_compile(where, expression);
    free(where);
    return s->regex ? 0 : -1;
}

static int find_word(const char *word, const char *const *list, int count)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(word, list[i]))
            return i;
    return -1;
}

static const char *const behaviors[] = {"Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"};

static int read_split(pb_tokenizer *t, const pb_json *v)
{
    const pb_json *pattern = pb_json_get(v, "pattern");
    const char *regex = pb_json_text(pb_json_get(pattern, "Regex"), NULL),
               *text = pb_json_text(pb_json_get(pattern, "String"), NULL);
    const char *behavior = pb_json_text(pb_json_get(v, "behavior"), "(none)");
    pb_component *s = pb_component_list_add(&t->pretokenizer, SPLIT);
    s->start = find_word(behavior, behaviors, PB_COUNT(behaviors));
    s->flag = pb_json_bool(pb_json_get(v, "invert"), false);
    if (s->start < 0 || (!regex && (!text || !*text)))
        return pb_error(
            "%s: pre_tokenizer: Split: want a pattern and a behavior Isolated, Removed, MergedWithPrevious, "
            "MergedWithNext or Contiguous; got '%s'",
            t->path, behavior);
    char *escaped = regex ? NULL : pb_pattern_literal(text);
    int rc = compile(t, s, regex ? regex : escaped);
    free(escaped);
    return rc;
}

/* Adds a component that splits by a fixed expression. */
static int read_fixed(pb_tokenizer *t, const char *expression, int behavior, bool invert)
{
    pb_component *s = pb_component_list_add(&t->pretokenizer, SPLIT);
    s->start = behavior;
    s->flag = invert;
    return compile(t, s, expression);
}

static int read_punctuation(pb_tokenizer *t, const pb_json *v)
{
    const char *behavior = pb_json_text(pb_json_get(v, "behavior"), "Isolated");
    int kind = find_word(behavior, behaviors, PB_COUNT(behaviors));
    return kind < 0 ? pb_error("%s: pre_tokenizer: Punctuation: behavior '%s' is not supported", t->path, behavior)
                    : read_fixed(t, "[!-/:-@\\[-`{-~\\p{P}]", kind, false);
}

static int read_metaspace(pb_tokenizer *t, const pb_json *v)
{
    static const char *const names[] = {"always", "first", "never"};
    const char *scheme = pb_json_text(pb_json_get(v, "prepend_scheme"),
                                      pb_json_bool(pb_json_get(v, "add_prefix_space"), true) ? "always" : "never");
    pb_component *s = pb_component_list_add(&t->pretokenizer, METASPACE);
    s->a = pb_json_text(pb_json_get(v, "replacement"), SPACE_SIGN);
    s->start = find_word(scheme, names, PB_COUNT(names));
    s->flag = pb_json_bool(pb_json_get(v, "split"), true);
    t->origin |= s->start == FIRST;
    return s->start >= 0
               ? 0
               : pb_error("%s: pre_tokenizer: prepend_scheme: want always, first or never, got '%s'", t->path, scheme);
}

static int read_bytes(pb_tokenizer *t, const pb_json *v)
{
    pb_component *s = pb_component_list_add(&t->pretokenizer, BYTES);
    s->flag = pb_json_bool(pb_json_get(v, "add_prefix_space"), true);
    t->bytes = true;
    return pb_json_bool(pb_json_get(v, "use_regex"), true) ? compile(t, s, GPT2) : 0;
}

static int read_component(pb_tokenizer *t, const pb_json *v, const char *type)
{
    if (t->bytes)
        return pb_error("%s: pre_tokenizer: '%s' after ByteLevel is not supported; want ByteLevel last", t->path, type);
    if (!strcmp(type, "Split"))
        return read_split(t, v);
    if (!strcmp(type, "ByteLevel"))
        return read_bytes(t, v);
    if (!strcmp(type, "Metaspace"))
        return read_metaspace(t, v);
    if (!strcmp(type, "BertPreTokenizer")) {
        pb_component_list_add(&t->pretokenizer, BERT);
        return 0;
    }
    if (!strcmp(type, "Digits"))
        return read_fixed(t, pb_json_bool(pb_json_get(v, "individual_digits"), false) ? "\\p{N}" : "\\p{N}+", ISOLATED,
                          false);
    if (!strcmp(type, "WhitespaceSplit"))
        return read_fixed(t, "\\s+", REMOVED, false);
    if (!strcmp(type, "Whitespace"))
        return read_fixed(t, "[" WORD "]+|[^\\s" WORD "]+", REMOVED, true);
    if (!strcmp(type, "Punctuation"))
        return read_punctuation(t, v);
    return pb_error("%s: pre_tokenizer: type '%s' is not supported", t->path, type);
}

int pb_pretokenizer_read(pb_tokenizer *t, const pb_json *v)
{
    return pb_component_list_each(t, v, "pretokenizers", read_component);
}

/* ---- running ----------------------------------------------------------------------------------------------- */

typedef struct cut {
    const pb_tokenizer *t;
    size_t next; /* the component that comes next */
    bool first;  /* at the text's beginning */
    bool spaced; /* ByteLevel adds a space in any case */
    pb_word_visit *visit;
    void *ctx;
    int *rc; /* becomes -1 when an expression fails */
} cut;

static void split(cut c, const char *text, size_t size);

static void cut_further(cut c, const char *text, size_t size, bool first)
{
    if (!size)
        return;
    c.next++;
    c.first = first;
    split(c, text, size);
}

typedef struct splitting {
    cut c;
    const pb_component *s;
    const char *text;    /* whole                                             */
    const char *pending; /* a piece that may be joined with the next; NULL: none  */
    size_t size;         /* of it                                             */
    bool match;          /* the pending piece was a match                        */
} splitting;

static void flush_piece(splitting *p)
{
    if (p->pending)
        cut_further(p->c, p->pending, p->size, p->c.first && p->pending == p->text);
    p->pending = NULL;
}

/* The pieces are adjacent in the text, so that two are joined by adding their sizes. */
static void add_stretch(void *ctx, const char *text, size_t size, bool match)
{
    splitting *p = ctx;
    match = match != p->s->flag;
    bool join = p->pending &&
                ((p->s->start == WITH_PREVIOUS && match && !p->match) ||
                 (p->s->start == WITH_NEXT && p->match && !match) || (p->s->start == CONTIGUOUS && match == p->match));
    if (join) {
        p->size += size;
        p->match = match;
        return;
    }
    flush_piece(p);
    if (match && p->s->start == REMOVED)
        return;
    p->pending = text;
    p->size = size;
    p->match = match;
}

static void split_by_pattern(cut c, const pb_component *s, const char *text, size_t size)
{
    splitting p = {.c = c, .s = s, .text = text};
    if (pb_pattern_each(s->regex, text, size, add_stretch, &p))
        *c.rc = -1;
    flush_piece(&p);
}

/* Replaces blanks by the sign.  A piece begins at every sign. */
static void split_at_signs(cut c, const pb_component *s, const char *text, size_t size)
{
    pb_text signs = {0};
    size_t n = strlen(s->a), from = 0;
    bool starts = size >= n && !memcmp(text, s->a, n);
    if ((s->start == ALWAYS || (s->start == FIRST && c.first)) && text[0] != ' ' && !starts)
        pb_text_add(&signs, "%s", s->a);
    for (size_t i = 0; i < size; i++)
        pb_text_bytes(&signs, text[i] == ' ' ? s->a : text + i, text[i] == ' ' ? n : 1);
    for (size_t i = 1; s->flag && i < signs.length; i++)
        if (signs.length - i >= n && !memcmp(signs.data + i, s->a, n)) {
            cut_further(c, signs.data + from, i - from, c.first && !from);
            from = i;
        }
    cut_further(c, signs.data + from, signs.length - from, c.first && !from);
    pb_text_free(&signs);
}

/* Splits at white space, and makes each punctuation character a word. */
static void split_to_words(cut c, const char *text, size_t size)
{
    size_t word = 0, at = 0;
    while (at < size) {
        int32_t u;
        size_t n = pb_utf8_next(text + at, size - at, &u);
        bool space = pb_utf8_is_space(u), mark = pb_utf8_is_punctuation(u);
        if (space || mark)
            cut_further(c, text + word, at - word, c.first && !word);
        if (mark)
            cut_further(c, text + at, n, c.first && !at);
        at += n;
        word = space || mark ? at : word;
    }
    cut_further(c, text + word, at - word, c.first && !word);
}

static void visit_match(void *ctx, const char *text, size_t size, bool match)
{
    (void)match;
    const cut *c = ctx;
    if (size)
        c->visit(c->ctx, text, size, -1);
}

static void split_to_bytes(cut c, const pb_component *s, const char *text, size_t size)
{
    char *spaced = (s->flag || c.spaced) && text[0] != ' ' ? pb_alloc(size + 2) : NULL;
    if (spaced) {
        spaced[0] = ' ';
        memcpy(spaced + 1, text, size++);
        text = spaced;
    }
    if (s->regex && pb_pattern_each(s->regex, text, size, visit_match, &c))
        *c.rc = -1;
    else if (!s->regex)
        c.visit(c.ctx, text, size, -1);
    free(spaced);
}

static void split(cut c, const char *text, size_t size)
{
    const pb_component *s = c.next < c.t->pretokenizer.count ? &c.t->pretokenizer.component[c.next] : NULL;
    if (!s)
        c.visit(c.ctx, text, size, -1);
    else if (s->kind == SPLIT)
        split_by_pattern(c, s, text, size);
    else if (s->kind == METASPACE)
        split_at_signs(c, s, text, size);
    else if (s->kind == BERT)
        split_to_words(c, text, size);
    else
        split_to_bytes(c, s, text, size);
}

int pb_pretokenizer_run(const pb_tokenizer *t, const char *text, size_t size, bool first, bool spaced,
                        pb_word_visit *visit, void *ctx)
{
    int rc = 0;
    if (size)
        split((cut){.t = t, .first = first, .spaced = spaced, .visit = visit, .ctx = ctx, .rc = &rc}, text, size);
    return rc;
}

bool pb_pretokenizer_is_bytes(const pb_tokenizer *t)
{
    return t->pretokenizer.count == 1 && t->pretokenizer.component[0].kind == BYTES;
}
