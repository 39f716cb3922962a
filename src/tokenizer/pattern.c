/* pattern: see pattern.h. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenizer/pattern.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

struct pb_pattern {
    char *where, *expression;
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_jit_stack *stack; /* NULL: matched without a just-in-time compiler */
};

enum { SHOWN = 40, LARGEST_STACK = 64 << 20 };

/* ---- errors ---------------------------------------------------------------------------------------------- */

static int say_malformed(const char *where, const char *expression, int code, size_t at)
{
    PCRE2_UCHAR why[120];
    pcre2_get_error_message(code, why, sizeof why);
    return pb_error("%s%s'%s': at character %zu: %s; want a regular expression", where, *where ? ": " : "", expression,
                    at + 1, (char *)why);
}

static int say_failed(const char *where, const char *expression, const char *text, size_t size, int code)
{
    PCRE2_UCHAR why[120];
    size_t n = size < SHOWN ? size : SHOWN;
    while (n && n < size && ((unsigned char)text[n] & 0xC0) == 0x80)
        n--;
    pcre2_get_error_message(code, why, sizeof why);
    return pb_error("%s%s'%s' on '%.*s%s': %s: want an expression that needs fewer steps, or a shorter text", where,
                    *where ? ": " : "", expression, (int)n, text, n < size ? ".." : "", (char *)why);
}

/* ---- from Oniguruma to PCRE2 ------------------------------------------------------------------------------ */

#define SPACE "\\p{White_Space}"
#define WORD "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"
#define LATIN1 "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}" /* are of \w too, but not inside [] */

/* Returns PCRE2's form of an escape that has another meaning there, "" if the meaning is the same, and NULL if the
 * escape is not supported. */
static const char *meaning(char escape, bool in_class)
{
    bool letter = (escape >= 'a' && escape <= 'z') || (escape >= 'A' && escape <= 'Z');
    switch (escape) {
    case 's': return SPACE;
    case 'S': return "\\P{White_Space}";
    case 'w': return in_class ? WORD : "[" WORD LATIN1 "]";
    case 'W': return in_class ? NULL : "[^" WORD LATIN1 "]";
    case 'h': return in_class ? "0-9a-fA-F" : "[0-9a-fA-F]";
    case 'v': return "\\x0B"; /* one character there, many in PCRE2 */
    case 'b':
    case 'B': return in_class ? "" : NULL; /* word characters differ */
    case 'H': return in_class ? NULL : "[^0-9a-fA-F]";
    default: return !letter || strchr("dDpPrntfaecxkgAzZGKRX", escape) ? "" : NULL;
    }
}

/* Returns PCRE2's form of a named class inside [], some of which contain other characters in Oniguruma; NULL if it is
 * not supported. */
static const char *named_class(const char *name)
{
    static const struct {
        const char *name, *ours;
    } known[] = {{"[:alpha:]", "\\p{Alphabetic}"},
                 {"[:alnum:]", "\\p{Alphabetic}\\p{Nd}"},
                 {"[:word:]", WORD},
                 {"[:space:]", SPACE},
                 {"[:upper:]", "\\p{Uppercase}"},
                 {"[:lower:]", "\\p{Lowercase}"},
                 {"[:punct:]", "\\p{P}\\p{S}"},
                 {"[:digit:]", "\\p{Nd}"},
                 {"[:xdigit:]", "0-9a-fA-F"},
                 {"[:cntrl:]", "\\p{Cc}"},
                 {"[:ascii:]", "\\x00-\\x7F"}};
    for (size_t i = 0; i < PB_COUNT(known); i++)
        if (!strncmp(name, known[i].name, strlen(known[i].name)))
            return known[i].ours;
    return NULL;
}

static bool compiles(const char *expression)
{
    int code;
    PCRE2_SIZE at;
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)expression, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &at, NULL);
    pcre2_code_free(re);
    return re != NULL;
}

/* In Oniguruma the name of a script denotes the characters of that script; in PCRE2 it also includes the characters
 * that the script shares with others.  Returns the length of the property at `at`, or 0 if it is not a script's. */
static size_t add_script(const char *at, pb_text *out)
{
    size_t n = strcspn(at, "}");
    bool not = at[2] == '{' && at[3] == '^';
    if (at[2] != '{' || !at[n])
        return 0;
    char *script = pb_format("\\%c{%ssc:%.*s}", at[1], not ? "^" : "", (int)(n - 3 - not ), at + 3 + not );
    bool is = compiles(script);
    if (is)
        pb_text_add(out, "%s", script);
    free(script);
    return is ? n + 1 : 0;
}

/* A caseless match in Oniguruma may equate one character with several (\u00df and ss); in PCRE2 it never does. */
static bool folds_to_many(const char *c)
{
    static const char *const pair[] = {"ss", "ff", "fi", "fl", "st"};
    for (size_t i = 0; i < PB_COUNT(pair); i++)
        if (!strncasecmp(c, pair[i], 2))
            return true;
    int32_t point = 0;
    if ((unsigned char)*c >= 0xC0)
        pb_utf8_next(c, strlen(c), &point);
    return (point >= 0x80 && point < 0x2000) || (point >= 0xFB00 && point < 0xFB18);
}

/* Returns syntax outside of [] that has another meaning in PCRE2, as a message shows it, or "" if there is none.
 * `caseless` says whether a part of the expression ignores case. */
static const char *differing(const char *c, bool caseless)
{
    if (!strncmp(c, "(?", 2) && strchr("msaudlnUJW-ix", c[2]) && c[2]) {
        size_t n = 2 + strspn(c + 2, "-ix");
        if (c[n] != ':' && c[n] != ')')
            return "a flag other than i and x";
    }
    if (*c == '{') {
        size_t n = 1 + strspn(c + 1, "0123456789,");
        if (n > 1 && c[n] == '}' && c[n + 1] == '+')
            return "+ after {} (want the part in parentheses, (?:..{..})+)";
        if (c[1] == ',' && c[n] == '}')
            return "{} without a lower bound";
    }
    return caseless && folds_to_many(c) ? "a letter or a pair that equals another number of letters, under (?i)," : "";
}

static bool is_caseless(const char *expression)
{
    for (const char *c = expression; (c = strstr(c, "(?")); c += 2)
        if (memchr(c + 2, 'i', strspn(c + 2, "ix")))
            return true;
    return false;
}

/* Appends the translation of one piece of an expression (a character, an escape, a named class).  depth > 0 means
 * inside [].  Returns the length of the piece, or 0 with an error. */
static size_t translate_piece(const char *where, const char *expression, const char *c, bool depth, pb_text *out)
{
    bool posix = depth && *c == '[' && c[1] == ':';
    const char *other = posix ? named_class(c) : *c == '\\' ? meaning(c[1], depth) : "";
    size_t n = posix ? strcspn(c, "]") + 1 : *c == '\\' && c[1] ? 2 : 1, script;
    if (!other && posix)
        return (void)pb_error("%s: '%s': %.*s is not supported", where, expression, (int)n, c), 0;
    if (!other)
        return (void)pb_error("%s: '%s': \\%c%s is not supported", where, expression, c[1], depth ? " inside []" : ""),
               0;
    if (*c == '\\' && strchr("pP", c[1]) && c[1] && (script = add_script(c, out)))
        return script;
    if (*other)
        pb_text_add(out, "%s", other);
    else
        pb_text_bytes(out, c, n);
    return n;
}

/* Translates a whole expression.  Returns -1 with an error. */
static int translate(const char *where, const char *expression, pb_text *out)
{
    bool depth = false, caseless = is_caseless(expression); /* depth: inside [] */
    pb_text_bytes(out, "", 0);
    for (const char *c = expression; *c;) {
        const char *differs = depth && !caseless ? "" : differing(c, caseless);
        if (*differs)
            return pb_error("%s: '%s': %s is not supported", where, expression, differs);
        if (*c == '&' && c[1] == '&' && depth)
            return pb_error("%s: '%s': && inside [] is not supported", where, expression);
        if (*c == '[' && depth && c[1] != ':')
            return pb_error("%s: '%s': [ inside [] is not supported", where, expression);
        bool opens = *c == '[' && !depth, closes = *c == ']' && depth;
        size_t n = translate_piece(where, expression, c, depth, out);
        if (!n)
            return -1;
        c += n;
        depth = (depth || opens) && !closes;
        for (int i = 0; opens && i < 2; i++) /* ^, and a ] that comes first is a character */
            if (*c == (i ? ']' : '^'))
                pb_text_bytes(out, c++, 1);
    }
    return 0;
}

char *pb_pattern_literal(const char *text)
{
    pb_text out = {0};
    pb_text_bytes(&out, "", 0);
    for (; *text; text++)
        pb_text_add(&out, strchr("\\^$.|?*+()[]{}#-&", *text) ? "\\%c" : "%c", *text);
    return out.data;
}

/* ---- compiling -------------------------------------------------------------------------------------------- */

pb_pattern *pb_pattern_compile(const char *where, const char *expression)
{
    int code;
    PCRE2_SIZE at;
    pb_text ours = {0};
    if (translate(where, expression, &ours)) {
        pb_text_free(&ours);
        return NULL;
    }
    pcre2_code *compiled =
        pcre2_compile((PCRE2_SPTR)ours.data, ours.length, PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &code, &at, NULL);
    pb_text_free(&ours);
    if (!compiled) {
        say_malformed(where, expression, code, at);
        return NULL;
    }
    pb_pattern *p = pb_alloc(sizeof *p);
    p->where = pb_strdup(where);
    p->expression = pb_strdup(expression);
    p->code = compiled;
    p->match = pcre2_match_data_create(1, NULL);
    p->context = pcre2_match_context_create(NULL);
    if (!pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE) &&
        (p->stack = pcre2_jit_stack_create(1 << 15, LARGEST_STACK, NULL)))
        pcre2_jit_stack_assign(p->context, NULL, p->stack);
    if (!p->match || !p->context)
        pb_no_memory("a regular expression");
    return p;
}

void pb_pattern_free(pb_pattern *p)
{
    if (!p)
        return;
    pcre2_match_data_free(p->match);
    pcre2_match_context_free(p->context);
    pcre2_jit_stack_free(p->stack);
    pcre2_code_free(p->code);
    free(p->where);
    free(p->expression);
    free(p);
}

/* ---- matching --------------------------------------------------------------------------------------------- */

/* Compiled code has a stack of fixed size.  If that is too small, the interpreter is used, which allocates on the
 * heap. */
static int match(const pb_pattern *p, const char *text, size_t size, size_t from)
{
    int rc = pcre2_match(p->code, (PCRE2_SPTR)text, size, from, PCRE2_NO_UTF_CHECK, p->match, p->context);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc =
            pcre2_match(p->code, (PCRE2_SPTR)text, size, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, p->match, p->context);
    return rc;
}

int pb_pattern_first(pb_pattern *p, const char *text, size_t size, size_t *begin, size_t *end)
{
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(p->match);
    int rc = match(p, text, size, 0);
    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    *begin = at[0];
    *end = at[1];
    return rc < 0 ? say_failed(p->where, p->expression, text, size, rc) : 1;
}

int pb_pattern_each(pb_pattern *p, const char *text, size_t size, pb_pattern_visit *visit, void *ctx)
{
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(p->match);
    size_t done = 0, from = 0;
    bool any = false;
    while (size && from <= size) {
        int rc = match(p, text, size, from);
        if (rc == PCRE2_ERROR_NOMATCH)
            break;
        if (rc < 0)
            return say_failed(p->where, p->expression, text, size, rc);
        if (at[0] == at[1] && any && at[1] == done) { /* an empty match directly after another match does not count */
            int32_t c;
            from += from < size ? pb_utf8_next(text + from, size - from, &c) : 1;
            continue;
        }
        if (at[0] > done)
            visit(ctx, text + done, at[0] - done, false);
        visit(ctx, text + at[0], at[1] - at[0], true);
        from = done = at[1];
        any = true;
    }
    if (done < size)
        visit(ctx, text + done, size - done, false);
    return 0;
}

int pb_pattern_matches(const char *expression, const char *text)
{
    int code;
    PCRE2_SIZE at;
    if (strstr(expression, "{,"))
        return pb_error("'%s': {} without a lower bound is not supported; want {0,..}", expression);
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)expression, PCRE2_ZERO_TERMINATED,
                                   PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED, &code, &at, NULL);
    if (!re)
        return say_malformed("", expression, code, at);
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(re, NULL);
    size_t size = strlen(text);
    int rc = pcre2_match(re, (PCRE2_SPTR)text, size, 0, 0, data, NULL);
    pcre2_match_data_free(data);
    pcre2_code_free(re);
    return rc == PCRE2_ERROR_NOMATCH ? 0 : rc < 0 ? say_failed("", expression, text, size, rc) : 1;
}
