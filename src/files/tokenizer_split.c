/* tokenizer_split: the pre-tokenizers of a tokenizer.json, which cut text into the words that are encoded
 * by themselves.  Floor 3. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "files/tokenizer_internal.h"

enum { SPLIT, METASPACE, BERT, BYTES };                           /* steps                        */
enum { ISOLATED, REMOVED, WITH_PREVIOUS, WITH_NEXT, CONTIGUOUS }; /* what becomes of a match       */
enum { ALWAYS, FIRST, NEVER };                                    /* where Metaspace puts its sign */

#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define SPACE_SIGN "\xE2\x96\x81" /* U+2581 */

/* ---- reading --------------------------------------------------------------------------------------------- */

static int compile(pb_tokenizer *t, pb_step *s, const char *expression)
{
    int code;
    PCRE2_SIZE at;
    s->regex = pcre2_compile((PCRE2_SPTR)expression, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP, &code, &at, NULL);
    if (!s->regex) {
        PCRE2_UCHAR why[120];
        pcre2_get_error_message(code, why, sizeof why);
        return pb_error("%s: pre_tokenizer: '%s': at character %zu: %s", t->path, expression, (size_t)at + 1,
                        (char *)why);
    }
    pcre2_jit_compile(s->regex, PCRE2_JIT_COMPLETE); /* without it matching is slower, not wrong */
    return 0;
}

static int find_word(const char *word, const char *const *list, int count)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(word, list[i]))
            return i;
    return -1;
}

/* A text as an expression that matches it and nothing else. */
static char *literally(const char *text)
{
    pb_text out = {0};
    for (; *text; text++)
        pb_text_add(&out, strchr("\\^$.|?*+()[]{}#-", *text) ? "\\%c" : "%c", *text);
    return out.data;
}

static int read_split(pb_tokenizer *t, const pb_json *v)
{
    static const char *const names[] = {"Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
    const pb_json *pattern = pb_json_get(v, "pattern");
    const char *regex = pb_json_text(pb_json_get(pattern, "Regex"), NULL),
               *text = pb_json_text(pb_json_get(pattern, "String"), NULL);
    const char *behavior = pb_json_text(pb_json_get(v, "behavior"), "(none)");
    pb_step *s = pb_steps_add(&t->splitter, SPLIT);
    s->start = find_word(behavior, names, PB_COUNT(names));
    s->flag = pb_json_bool(pb_json_get(v, "invert"), false);
    if (s->start < 0 || (!regex && (!text || !*text)))
        return pb_error(
            "%s: pre_tokenizer: Split: want a pattern and a behavior Isolated, Removed, MergedWithPrevious, "
            "MergedWithNext or Contiguous; got '%s'",
            t->path, behavior);
    char *escaped = regex ? NULL : literally(text);
    int rc = compile(t, s, regex ? regex : escaped);
    free(escaped);
    return rc;
}

static int read_metaspace(pb_tokenizer *t, const pb_json *v)
{
    static const char *const names[] = {"always", "first", "never"};
    const char *scheme = pb_json_text(pb_json_get(v, "prepend_scheme"),
                                      pb_json_bool(pb_json_get(v, "add_prefix_space"), true) ? "always" : "never");
    pb_step *s = pb_steps_add(&t->splitter, METASPACE);
    s->a = pb_json_text(pb_json_get(v, "replacement"), SPACE_SIGN);
    s->start = find_word(scheme, names, PB_COUNT(names));
    s->flag = pb_json_bool(pb_json_get(v, "split"), true);
    return s->start >= 0
               ? 0
               : pb_error("%s: pre_tokenizer: prepend_scheme: want always, first or never, got '%s'", t->path, scheme);
}

static int read_bytes(pb_tokenizer *t, const pb_json *v)
{
    pb_step *s = pb_steps_add(&t->splitter, BYTES);
    s->flag = pb_json_bool(pb_json_get(v, "add_prefix_space"), true);
    t->bytes = true;
    return pb_json_bool(pb_json_get(v, "use_regex"), true) ? compile(t, s, GPT2) : 0;
}

/* A kind of splitting that is an expression of ours. */
static int read_fixed(pb_tokenizer *t, const char *expression, int behavior)
{
    pb_step *s = pb_steps_add(&t->splitter, SPLIT);
    s->start = behavior;
    return compile(t, s, expression);
}

static int read_step(pb_tokenizer *t, const pb_json *v, const char *type)
{
    if (t->bytes)
        return pb_error("%s: pre_tokenizer: '%s' behind ByteLevel is not supported; want ByteLevel last", t->path,
                        type);
    if (!strcmp(type, "Split"))
        return read_split(t, v);
    if (!strcmp(type, "ByteLevel"))
        return read_bytes(t, v);
    if (!strcmp(type, "Metaspace"))
        return read_metaspace(t, v);
    if (!strcmp(type, "BertPreTokenizer")) {
        pb_steps_add(&t->splitter, BERT);
        return 0;
    }
    if (!strcmp(type, "Digits"))
        return read_fixed(t, pb_json_bool(pb_json_get(v, "individual_digits"), false) ? "\\p{N}" : "\\p{N}+", ISOLATED);
    if (!strcmp(type, "WhitespaceSplit"))
        return read_fixed(t, "\\s+", REMOVED);
    if (!strcmp(type, "Punctuation") && !strcmp(pb_json_text(pb_json_get(v, "behavior"), "Isolated"), "Isolated"))
        return read_fixed(t, "[!-/:-@\\[-`{-~\\p{P}]", ISOLATED);
    return pb_error("%s: pre_tokenizer: type '%s' is not supported", t->path, type);
}

int pb_splitter_read(pb_tokenizer *t, const pb_json *v)
{
    return pb_steps_each(t, v, "pretokenizers", read_step);
}

void pb_splitter_free(pb_tokenizer *t)
{
    for (size_t i = 0; i < t->splitter.count; i++)
        pcre2_code_free(t->splitter.step[i].regex);
    free(t->splitter.step);
}

/* ---- running ----------------------------------------------------------------------------------------------- */

typedef struct cut {
    const pb_tokenizer *t;
    size_t step; /* that comes next */
    bool first;  /* at the text's beginning */
    pb_word_visit *visit;
    void *ctx;
} cut;

static void split(cut c, const char *text, size_t size);

static void next(cut c, const char *text, size_t size, bool first)
{
    if (!size)
        return;
    c.step++;
    c.first = first;
    split(c, text, size);
}

/* Calls for the stretches between matches and the matches in turn. */
typedef void stretch(void *ctx, const char *text, size_t size, bool match);

static void each_match(const pb_step *s, const char *text, size_t size, stretch *visit, void *ctx)
{
    pcre2_match_data *m = pcre2_match_data_create(1, NULL);
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(m);
    size_t done = 0, from = 0;
    while (from < size && pcre2_match(s->regex, (PCRE2_SPTR)text, size, from, PCRE2_NO_UTF_CHECK, m, NULL) >= 0) {
        if (at[1] == at[0]) { /* an empty match: go on behind the next character */
            int32_t c;
            from = at[0] + (at[0] < size ? pb_utf8_next(text + at[0], size - at[0], &c) : 1);
            continue;
        }
        if (at[0] > done)
            visit(ctx, text + done, at[0] - done, false);
        visit(ctx, text + at[0], at[1] - at[0], true);
        from = done = at[1];
    }
    if (done < size)
        visit(ctx, text + done, size - done, false);
    pcre2_match_data_free(m);
}

typedef struct splitting {
    cut c;
    const pb_step *s;
    const char *text; /* whole                                             */
    const char *held; /* a piece that waits for its neighbour; NULL: none  */
    size_t size;      /* of it                                             */
    bool match;       /* the held piece was a match                        */
} splitting;

static void let_go(splitting *p)
{
    if (p->held)
        next(p->c, p->held, p->size, p->c.first && p->held == p->text);
    p->held = NULL;
}

/* Pieces lie one behind the other, so joining two is adding their sizes. */
static void take_stretch(void *ctx, const char *text, size_t size, bool match)
{
    splitting *p = ctx;
    match = match != p->s->flag;
    bool join = p->held &&
                ((p->s->start == WITH_PREVIOUS && match && !p->match) ||
                 (p->s->start == WITH_NEXT && p->match && !match) || (p->s->start == CONTIGUOUS && match && p->match));
    if (join) {
        p->size += size;
        p->match = p->s->start == CONTIGUOUS && match;
        return;
    }
    let_go(p);
    if (match && p->s->start == REMOVED)
        return;
    p->held = text;
    p->size = size;
    p->match = match;
}

static void split_by_pattern(cut c, const pb_step *s, const char *text, size_t size)
{
    splitting p = {.c = c, .s = s, .text = text};
    each_match(s, text, size, take_stretch, &p);
    let_go(&p);
}

/* Blanks become the sign; a piece begins at every sign. */
static void split_at_signs(cut c, const pb_step *s, const char *text, size_t size)
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
            next(c, signs.data + from, i - from, c.first && !from);
            from = i;
        }
    next(c, signs.data + from, signs.length - from, c.first && !from);
    pb_text_free(&signs);
}

/* Words end at white space; each mark of punctuation is a word. */
static void split_to_words(cut c, const char *text, size_t size)
{
    size_t word = 0, at = 0;
    while (at < size) {
        int32_t u;
        size_t n = pb_utf8_next(text + at, size - at, &u);
        bool space = pb_utf8_is_space(u), mark = pb_utf8_is_punctuation(u);
        if (space || mark)
            next(c, text + word, at - word, c.first && !word);
        if (mark)
            next(c, text + at, n, c.first && !at);
        at += n;
        word = space || mark ? at : word;
    }
    next(c, text + word, at - word, c.first && !word);
}

static void visit_match(void *ctx, const char *text, size_t size, bool match)
{
    (void)match;
    const cut *c = ctx;
    c->visit(c->ctx, text, size, -1);
}

static void split_to_bytes(cut c, const pb_step *s, const char *text, size_t size)
{
    char *spaced = s->flag && text[0] != ' ' ? pb_alloc(size + 2) : NULL;
    if (spaced) {
        spaced[0] = ' ';
        memcpy(spaced + 1, text, size++);
        text = spaced;
    }
    if (s->regex)
        each_match(s, text, size, visit_match, &c);
    else
        c.visit(c.ctx, text, size, -1);
    free(spaced);
}

static void split(cut c, const char *text, size_t size)
{
    const pb_step *s = c.step < c.t->splitter.count ? &c.t->splitter.step[c.step] : NULL;
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

void pb_splitter_run(const pb_tokenizer *t, const char *text, size_t size, bool first, pb_word_visit *visit, void *ctx)
{
    if (size)
        split((cut){.t = t, .first = first, .visit = visit, .ctx = ctx}, text, size);
}
