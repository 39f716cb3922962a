/* tokenizer_normalize: the normalizers of a tokenizer.json. */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "tokenizer/tokenizer_internal.h"

enum { PREPEND, REPLACE, LOWERCASE, STRIP_ACCENTS, STRIP, UNICODE, BERT, NMT, PRECOMPILED };
enum { CLEAN = 1, APART = 2, UNMARKED = 4, LOWER = 8 }; /* the steps of BertNormalizer */

pb_component *pb_component_list_add(pb_component_list *s, int kind)
{
    pb_grow(&s->component, s->count, &s->capacity, sizeof *s->component);
    pb_component *new = &s->component[s->count++];
    *new = (pb_component){.kind = kind, .a = "", .b = ""};
    return new;
}

int pb_component_list_each(pb_tokenizer *t, const pb_json *v, const char *key,
                           int (*read)(pb_tokenizer *t, const pb_json *v, const char *type))
{
    if (!v || pb_json_is_null(v))
        return 0;
    const char *type = pb_json_text(pb_json_get(v, "type"), "(none)");
    if (strcmp(type, "Sequence") != 0)
        return read(t, v, type);
    const pb_json *list = pb_json_get(v, key);
    for (size_t i = 0; i < pb_json_size(list); i++)
        if (pb_component_list_each(t, pb_json_at(list, i), key, read))
            return -1;
    return 0;
}

static int read_bert(const pb_json *v)
{
    bool lower = pb_json_bool(pb_json_get(v, "lowercase"), true);
    return (pb_json_bool(pb_json_get(v, "clean_text"), true) ? CLEAN : 0) |
           (pb_json_bool(pb_json_get(v, "handle_chinese_chars"), true) ? APART : 0) |
           (pb_json_bool(pb_json_get(v, "strip_accents"), lower) ? UNMARKED : 0) | (lower ? LOWER : 0);
}

static int read_replace(pb_tokenizer *t, const pb_json *v, pb_component *s)
{
    const pb_json *pattern = pb_json_get(v, "pattern");
    const char *regex = pb_json_text(pb_json_get(pattern, "Regex"), NULL);
    s->a = pb_json_text(pb_json_get(pattern, "String"), "");
    s->b = pb_json_text(pb_json_get(v, "content"), "");
    if (!regex)
        return *s->a ? 0
                     : pb_error("%s: normalizer: Replace: want a pattern {\"String\": ..} or {\"Regex\": ..}", t->path);
    char *where = pb_format("%s: normalizer: Replace", t->path);
    s->regex = pb_pattern_compile(where, regex);
    free(where);
    return s->regex ? 0 : -1;
}

static int read_component(pb_tokenizer *t, const pb_json *v, const char *type)
{
    static const struct {
        const char *type;
        int kind, form;
    } known[] = {{"Prepend", PREPEND, 0},
                 {"Replace", REPLACE, 0},
                 {"Lowercase", LOWERCASE, 0},
                 {"StripAccents", STRIP_ACCENTS, 0},
                 {"Strip", STRIP, 0},
                 {"BertNormalizer", BERT, 0},
                 {"Nmt", NMT, 0},
                 {"Precompiled", PRECOMPILED, 0},
                 {"NFC", UNICODE, UTF8PROC_COMPOSE},
                 {"NFD", UNICODE, UTF8PROC_DECOMPOSE},
                 {"NFKC", UNICODE, UTF8PROC_COMPOSE | UTF8PROC_COMPAT},
                 {"NFKD", UNICODE, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT}};
    size_t i = 0;
    while (i < PB_COUNT(known) && strcmp(type, known[i].type) != 0)
        i++;
    if (i == PB_COUNT(known))
        return pb_error("%s: normalizer: type '%s' is not supported", t->path, type);
    pb_component *s = pb_component_list_add(&t->normalizer, known[i].kind);
    s->start = known[i].kind == BERT ? read_bert(v) : known[i].form;
    s->flag = pb_json_bool(pb_json_get(v, "strip_left"), true);
    s->flag2 = pb_json_bool(pb_json_get(v, "strip_right"), true);
    if (known[i].kind == PREPEND)
        s->a = pb_json_text(pb_json_get(v, "prepend"), "");
    if (known[i].kind == PRECOMPILED)
        return (s->charsmap = pb_charsmap_read(t->path, pb_json_text(pb_json_get(v, "precompiled_charsmap"), ""))) ? 0
                                                                                                                   : -1;
    return known[i].kind == REPLACE ? read_replace(t, v, s) : 0;
}

int pb_normalizer_read(pb_tokenizer *t, const pb_json *v)
{
    return pb_component_list_each(t, v, "normalizers", read_component);
}

void pb_component_list_free(pb_component_list *s)
{
    for (size_t i = 0; i < s->count; i++) {
        pb_pattern_free(s->component[i].regex);
        pb_charsmap_free(s->component[i].charsmap);
    }
    free(s->component);
}

/* ---- running ----------------------------------------------------------------------------------------- */

typedef struct replacing {
    const char *content;
    pb_text *out;
} replacing;

static void replace_match(void *ctx, const char *text, size_t size, bool match)
{
    replacing *r = ctx;
    if (match)
        pb_text_add(r->out, "%s", r->content);
    else
        pb_text_bytes(r->out, text, size);
}

static int replace(const pb_component *s, const pb_text *in, pb_text *out)
{
    if (s->regex)
        return pb_pattern_each(s->regex, in->data, in->length, replace_match, &(replacing){s->b, out});
    size_t n = strlen(s->a);
    for (size_t i = 0; i < in->length;) {
        bool here = in->length - i >= n && !memcmp(in->data + i, s->a, n);
        pb_text_bytes(out, here ? s->b : in->data + i, here ? strlen(s->b) : 1);
        i += here ? n : 1;
    }
    return 0;
}

/* The characters that the Nmt normalizer removes, and those that it replaces by a blank. */
static void nmt_normalize(const pb_text *in, pb_text *out)
{
    int32_t c;
    for (size_t i = 0; i < in->length;) {
        i += pb_utf8_next(in->data + i, in->length - i, &c);
        bool dropped = (c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
        bool blank = c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 || (c >= 0x200B && c <= 0x200F) ||
                     c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
        if (!dropped)
            pb_utf8_add(out, blank ? ' ' : c);
    }
}

/* Adds one of Unicode's normalization forms of a text; the text itself if it is not UTF-8. */
static void add_form(int form, const char *text, size_t size, pb_text *out)
{
    uint8_t *result = NULL;
    utf8proc_ssize_t n = utf8proc_map((const uint8_t *)text, (utf8proc_ssize_t)size, &result,
                                      (utf8proc_option_t)(form | UTF8PROC_STABLE));
    if (n >= 0)
        pb_text_bytes(out, result, (size_t)n);
    else
        pb_text_bytes(out, text, size);
    free(result);
}

/* Applies one of Unicode's normalization forms.  U+11A7, one before the first final consonant of Hangul, composes with
 * nothing, but utf8proc 2.8 drops it after a syllable; what is before it and after it is therefore normalized apart. */
static void transform(const pb_component *s, const pb_text *in, pb_text *out)
{
    static const char before_finals[] = "\xe1\x86\xa7";
    const char *at = in->data, *end = in->data + in->length, *next;
    size_t n = strlen(before_finals);
    for (; at < end && (next = memmem(at, (size_t)(end - at), before_finals, n)); at = next + n) {
        add_form(s->start, at, (size_t)(next - at), out);
        pb_text_bytes(out, before_finals, n);
    }
    add_form(s->start, at, (size_t)(end - at), out);
}

/* U+0130 is the only character whose lower case consists of two characters. */
static void lower(const pb_text *in, pb_text *out)
{
    int32_t c;
    for (size_t i = 0; i < in->length;) {
        i += pb_utf8_next(in->data + i, in->length - i, &c);
        pb_utf8_add(out, c == 0x130 ? 'i' : utf8proc_tolower(c));
        if (c == 0x130)
            pb_utf8_add(out, 0x307);
    }
}

static void strip_accents(const pb_text *in, pb_text *out)
{
    int32_t c;
    for (size_t i = 0; i < in->length;) {
        i += pb_utf8_next(in->data + i, in->length - i, &c);
        utf8proc_category_t category = utf8proc_category(c);
        if (category != UTF8PROC_CATEGORY_MN && category != UTF8PROC_CATEGORY_MC && category != UTF8PROC_CATEGORY_ME)
            pb_utf8_add(out, c);
    }
}

static void strip(const pb_component *s, const pb_text *in, pb_text *out)
{
    size_t from = 0, to = 0, n;
    bool begun = false;
    int32_t c;
    for (size_t i = 0; i < in->length; i += n) {
        n = pb_utf8_next(in->data + i, in->length - i, &c);
        if (pb_utf8_is_space(c))
            continue;
        from = begun ? from : i;
        begun = true;
        to = i + n;
    }
    from = s->flag ? from : 0;
    to = s->flag2 ? to : in->length;
    if (begun || (!s->flag && !s->flag2))
        pb_text_bytes(out, in->data + from, to - from);
}

/* ---- BERT's, Devlin et al. 2019 ---------------------------------------------------------------------- */

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

/* Removes control characters, replaces white space by blanks and puts blanks around ideographs. */
static void clean(int what, const pb_text *in, pb_text *out)
{
    int32_t c;
    for (size_t at = 0; at < in->length;) {
        at += pb_utf8_next(in->data + at, in->length - at, &c);
        if (what & CLEAN && (c == 0 || c == 0xFFFD || is_control(c)))
            continue;
        bool apart = what & APART && is_ideograph(c);
        if (apart)
            pb_text_bytes(out, " ", 1);
        pb_utf8_add(out, what & CLEAN && pb_utf8_is_space(c) ? ' ' : c);
        if (apart)
            pb_text_bytes(out, " ", 1);
    }
}

/* Decomposes the text canonically and removes the nonspacing marks.  The text is not composed again. */
static void take_marks_off(pb_text *text)
{
    pb_text decomposed = {0};
    transform(&(pb_component){.start = UTF8PROC_DECOMPOSE}, text, &decomposed);
    text->length = 0;
    int32_t c;
    for (size_t at = 0; at < decomposed.length;) {
        at += pb_utf8_next(decomposed.data + at, decomposed.length - at, &c);
        if (utf8proc_category(c) != UTF8PROC_CATEGORY_MN)
            pb_utf8_add(text, c);
    }
    pb_text_free(&decomposed);
}

/* Returns whether the text consists of printable ASCII and white space only. */
static bool is_plain(const pb_text *text)
{
    for (size_t i = 0; i < text->length; i++) {
        char c = text->data[i];
        if (c < ' ' ? c != '\t' && c != '\n' && c != '\r' : c == 0x7F)
            return false;
    }
    return true;
}

static void bert_normalize(int what, const pb_text *in, pb_text *out)
{
    if (is_plain(in)) { /* the same result, ten times faster */
        pb_text_bytes(out, in->data, in->length);
        for (size_t i = 0; i < out->length; i++) {
            char *c = &out->data[i];
            if (what & LOWER && *c >= 'A' && *c <= 'Z')
                *c |= 32;
            else if (what & CLEAN && *c < ' ')
                *c = ' ';
        }
        return;
    }
    pb_text cleaned = {0};
    clean(what, in, &cleaned);
    if (what & UNMARKED && cleaned.length)
        take_marks_off(&cleaned);
    if (what & LOWER)
        lower(&cleaned, out);
    else
        pb_text_bytes(out, cleaned.data, cleaned.length);
    pb_text_free(&cleaned);
}

static int run_component(const pb_component *s, const pb_text *in, pb_text *out)
{
    switch (s->kind) {
    case PREPEND:
        if (in->length)
            pb_text_add(out, "%s", s->a);
        pb_text_bytes(out, in->data, in->length);
        break;
    case REPLACE: return replace(s, in, out);
    case NMT: nmt_normalize(in, out); break;
    case PRECOMPILED: pb_charsmap_run(s->charsmap, in->data, in->length, out); break;
    case LOWERCASE: lower(in, out); break;
    case STRIP_ACCENTS: strip_accents(in, out); break;
    case STRIP: strip(s, in, out); break;
    case BERT: bert_normalize(s->start, in, out); break;
    default: transform(s, in, out);
    }
    return 0;
}

static void swap_texts(pb_text *a, pb_text *b)
{
    pb_text c = *a;
    *a = *b;
    *b = c;
}

/* Returns whether the component removes the first character of the text, or replaces it together with further ones. */
static bool moves_text_start(const pb_component *s, const pb_text *in)
{
    int32_t c;
    size_t n = pb_utf8_next(in->data, in->length, &c), begin = 0, end = 0;
    if (s->kind == REPLACE && !s->regex)
        return !strncmp(in->data, s->a, strlen(s->a)) && (strlen(s->a) > n || !*s->b);
    if (s->kind == REPLACE)
        return pb_pattern_first(s->regex, in->data, in->length, &begin, &end) == 1 && !begin && end > 0 &&
               (end > n || !*s->b);
    pb_text first = {0}, left = {0};
    pb_text_bytes(&first, in->data, n);
    bool filters = s->kind == STRIP || s->kind == STRIP_ACCENTS || s->kind == NMT || s->kind == BERT;
    bool gone = filters && !run_component(s, &first, &left) && !left.length;
    pb_text_free(&first);
    pb_text_free(&left);
    return gone;
}

int pb_normalizer_run(const pb_tokenizer *t, const char *text, size_t size, pb_text *out, bool *first)
{
    pb_text next = {0};
    int rc = 0;
    pb_text_bytes(out, "", 0);
    pb_text_bytes(out, text, size);
    for (size_t i = 0; i < t->normalizer.count && out->length && !rc; i++) {
        const pb_component *s = &t->normalizer.component[i];
        next.length = 0;
        pb_text_bytes(&next, "", 0);
        if (first && *first && moves_text_start(s, out))
            *first = false;
        rc = run_component(s, out, &next);
        swap_texts(out, &next);
    }
    pb_text_free(&next);
    return rc;
}
