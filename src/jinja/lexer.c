/* lexer: splits a template into the text between tags and the tokens inside them; see jinja_internal.h. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "jinja/jinja_internal.h"

typedef struct lexer {
    pb_jinja_run *run;
    const char *text;
    size_t size, at;
    int line;
    pb_jinja_token *token;
    size_t count, capacity;
} lexer;

static int complain(lexer *x, const char *what)
{
    x->run->line = x->line;
    return pb_jinja_fail(x->run, "%s", what);
}

static pb_jinja_token *add(lexer *x, pb_jinja_token_kind kind, const char *at, size_t size)
{
    pb_grow(&x->token, x->count, &x->capacity, sizeof *x->token);
    x->token[x->count] = (pb_jinja_token){.kind = kind, .line = x->line, .text = {at, size}};
    return &x->token[x->count++];
}

/* Moves to byte `to` and counts the lines. */
static void move_to(lexer *x, size_t to)
{
    for (; x->at < to; x->at++)
        x->line += x->text[x->at] == '\n';
}

static bool sees(const lexer *x, const char *word)
{
    size_t n = strlen(word);
    return x->size - x->at >= n && !memcmp(x->text + x->at, word, n);
}

static void skip_space(lexer *x)
{
    for (int32_t c; x->at < x->size;) {
        size_t n = pb_utf8_next(x->text + x->at, x->size - x->at, &c);
        if (!pb_jinja_is_space(c))
            return;
        move_to(x, x->at + n);
    }
}

/* ---- tokens of tags ----------------------------------------------------------------------------------------- */

static int hex_value(const char *at, size_t digits, size_t left, int32_t *c)
{
    *c = 0;
    if (left < digits)
        return -1;
    for (size_t i = 0; i < digits; i++) {
        if (!isxdigit((unsigned char)at[i]))
            return -1;
        *c = *c * 16 + (isdigit((unsigned char)at[i]) ? at[i] - '0' : (at[i] | 32) - 'a' + 10);
    }
    return *c > 0x10FFFF || (*c >= 0xD800 && *c < 0xE000) ? -1 : 0;
}

/* Appends what an escape of a string literal means: `at` is behind the backslash.  Returns the bytes read, or 0 if it
 * is not supported. */
static size_t add_escape(const char *at, size_t left, pb_text *out)
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    const char *known = strchr(from, *at);
    int32_t c;
    if (known && *at) {
        pb_text_bytes(out, &to[known - from], 1);
        return 1;
    }
    size_t digits = *at == 'x' ? 2 : *at == 'u' ? 4 : *at == 'U' ? 8 : 0;
    if (digits) {
        if (hex_value(at + 1, digits, left - 1, &c))
            return 0;
        pb_utf8_add(out, c);
        return 1 + digits;
    }
    if (*at == 'N' || isdigit((unsigned char)*at))
        return 0;
    if (*at != '\n') /* a backslash at the end of a line is dropped with the line's end; any other one stays */
        pb_text_bytes(out, (char[]){'\\', *at}, 2);
    return 1;
}

static int read_string(lexer *x)
{
    char quote = x->text[x->at];
    size_t i = x->at + 1;
    pb_text value = {0};
    pb_text_bytes(&value, "", 0);
    while (i < x->size && x->text[i] != quote) {
        size_t n = 1;
        if (x->text[i] != '\\')
            pb_text_bytes(&value, x->text + i, 1);
        else if (i + 1 < x->size)
            n = add_escape(x->text + i + 1, x->size - i - 1, &value);
        if (!n) {
            pb_text_free(&value);
            return complain(x, "this escape in a string is not supported; want \\n, \\t, \\xHH, \\uHHHH and the like");
        }
        i += n + (x->text[i] == '\\');
    }
    bool closed = i < x->size;
    if (closed) {
        char *kept = pb_arena_alloc(x->run->arena, PB_META, value.length + 1);
        if (value.length)
            memcpy(kept, value.data, value.length);
        add(x, PB_J_STRING, kept, value.length);
        move_to(x, i + 1);
    }
    pb_text_free(&value);
    return closed ? 0 : complain(x, "a string is not closed");
}

static int read_number(lexer *x)
{
    size_t n = 0, left = x->size - x->at;
    const char *at = x->text + x->at;
    bool real = false;
    while (n < left && isdigit((unsigned char)at[n]))
        n++;
    if (n + 1 < left && at[n] == '.' && isdigit((unsigned char)at[n + 1])) {
        real = true;
        for (n++; n < left && isdigit((unsigned char)at[n]); n++)
            ;
    }
    if (n > 18 || (n > 1 && *at == '0' && !real) || (n < left && (isalnum((unsigned char)at[n]) || at[n] == '_')))
        return complain(x, "a number of this form is not supported; want digits, with a point or without");
    char digits[32];
    snprintf(digits, sizeof digits, "%.*s", (int)n, at);
    pb_jinja_token *t = add(x, real ? PB_J_FLOAT : PB_J_INTEGER, at, n);
    t->integer = real ? 0 : strtoll(digits, NULL, 10);
    t->real = real ? strtod(digits, NULL) : 0;
    move_to(x, x->at + n);
    return 0;
}

static int read_operator(lexer *x, char *open, int *depth)
{
    static const char *const operators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "*", "/", "%", "~", "[",
                                            "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
    for (size_t i = 0; i < PB_COUNT(operators); i++) {
        const char *op = operators[i];
        if (!sees(x, op))
            continue;
        if (strchr("([{", *op)) {
            if (*depth == PB_JINJA_NESTING)
                return complain(x, "the template nests too deeply");
            open[(*depth)++] = *op == '(' ? ')' : *op == '[' ? ']' : '}';
        } else if (strchr(")]}", *op) && (!*depth || open[--*depth] != *op)) {
            return complain(x, "a bracket is closed that is not open");
        }
        add(x, PB_J_OPERATOR, op, strlen(op));
        move_to(x, x->at + strlen(op));
        return 0;
    }
    char *what = pb_format("unexpected character '%c'", x->text[x->at]);
    complain(x, (unsigned char)x->text[x->at] < 0x80 ? what : "unexpected character: names are in ASCII");
    free(what);
    return -1;
}

static int read_token(lexer *x, char *open, int *depth)
{
    unsigned char c = (unsigned char)x->text[x->at];
    size_t n = 0;
    if (c == '"' || c == '\'')
        return read_string(x);
    if (isdigit(c))
        return read_number(x);
    while (x->at + n < x->size && (isalnum((unsigned char)x->text[x->at + n]) || x->text[x->at + n] == '_'))
        n++;
    if (!n)
        return read_operator(x, open, depth);
    add(x, PB_J_NAME, x->text + x->at, n);
    move_to(x, x->at + n);
    return 0;
}

/* ---- tags --------------------------------------------------------------------------------------------------- */

/* Moves behind the end of a tag, "%}" with an optional sign: "-" strips the white space behind it, and without a sign a
 * line end directly behind a block or comment is dropped (trim_blocks).  Returns false if the end is not here. */
static bool skip_end(lexer *x, const char *end)
{
    char sign = x->text[x->at];
    size_t n = sign == '-' || (sign == '+' && *end != '}') ? 1 : 0;
    if (x->size - x->at < n + 2 || memcmp(x->text + x->at + n, end, 2) != 0)
        return false;
    move_to(x, x->at + n + 2);
    if (n && sign == '-')
        skip_space(x);
    else if (!n && *end != '}' && x->at < x->size && x->text[x->at] == '\n')
        move_to(x, x->at + 1);
    return true;
}

static int read_tag(lexer *x, bool block)
{
    char open[PB_JINJA_NESTING];
    int depth = 0;
    add(x, block ? PB_J_BEGIN_BLOCK : PB_J_BEGIN_PRINT, "", 0);
    for (;;) {
        skip_space(x);
        if (x->at == x->size)
            return complain(x, block ? "want %} at the end of the tag" : "want }} at the end of the tag");
        size_t before = x->count;
        add(x, block ? PB_J_END_BLOCK : PB_J_END_PRINT, "", 0);
        if (!depth && skip_end(x, block ? "%}" : "}}"))
            return 0;
        x->count = before;
        if (read_token(x, open, &depth))
            return -1;
    }
}

static int skip_comment(lexer *x)
{
    while (x->at < x->size)
        if (skip_end(x, "#}"))
            return 0;
        else
            move_to(x, x->at + 1);
    return complain(x, "a comment is not closed");
}

/* Adds the text [from,to) in front of a tag: sign "-" strips the white space at its end, and otherwise the blanks
 * between a line's start and a block or comment are dropped (lstrip_blocks), unless the sign is "+". */
static void add_data(lexer *x, size_t from, size_t to, char tag, char sign)
{
    pb_jinja_text data = {x->text + from, to - from};
    if (sign == '-')
        data = pb_jinja_strip(data, NULL, false, true);
    else if (tag != '{' && tag && sign != '+') {
        size_t start = data.size;
        while (start && data.at[start - 1] != '\n')
            start--;
        pb_jinja_text last = {data.at + start, data.size - start};
        bool line_starts = start || !from || x->text[from - 1] == '\n';
        if (line_starts && !pb_jinja_strip(last, NULL, true, false).size)
            data.size = start;
    }
    if (data.size)
        add(x, PB_J_DATA, data.at, data.size);
}

static bool begins_tag(const lexer *x, size_t i)
{
    return i + 1 < x->size && x->text[i] == '{' && strchr("{%#", x->text[i + 1]) && x->text[i + 1];
}

static int read_all(lexer *x)
{
    while (x->at < x->size) {
        size_t tag = x->at;
        while (tag < x->size && !begins_tag(x, tag))
            tag++;
        char kind = tag < x->size ? x->text[tag + 1] : 0, sign = tag + 2 < x->size ? x->text[tag + 2] : 0;
        bool is_sign = kind && (sign == '-' || sign == '+');
        add_data(x, x->at, tag, kind, is_sign ? sign : 0);
        move_to(x, tag);
        if (!kind)
            return 0;
        move_to(x, tag + 2 + is_sign);
        if (kind == '#' ? skip_comment(x) : read_tag(x, kind == '%'))
            return -1;
    }
    return 0;
}

/* Copies the text with its line ends as \n and without one at its end. */
static char *normalize(pb_jinja_run *r, const char *text, size_t *size)
{
    char *copy = pb_arena_alloc(r->arena, PB_META, *size + 1);
    size_t n = 0;
    for (size_t i = 0; i < *size; i++)
        if (text[i] != '\r')
            copy[n++] = text[i];
        else if (i + 1 == *size || text[i + 1] != '\n')
            copy[n++] = '\n';
    *size = n && copy[n - 1] == '\n' ? n - 1 : n;
    return copy;
}

pb_jinja_token *pb_jinja_lex(pb_jinja_run *r, const char *text, size_t size)
{
    lexer x = {.run = r, .line = 1};
    x.text = normalize(r, text, &size);
    x.size = size;
    pb_jinja_token *kept = NULL;
    int rc = read_all(&x);
    if (!rc) {
        add(&x, PB_J_EOF, "", 0);
        kept = pb_arena_alloc(r->arena, PB_META, x.count * sizeof *kept);
        memcpy(kept, x.token, x.count * sizeof *kept);
    }
    free(x.token);
    return kept;
}
