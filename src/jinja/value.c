/* value: the values of a template and what Python makes of them; see jinja_internal.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "jinja/jinja_internal.h"

int pb_jinja_fail(const pb_jinja_run *r, const char *fmt, ...)
{
    char what[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return pb_error("%s:%d: %s", r->name, r->line, what);
}

int pb_jinja_step(pb_jinja_run *r, size_t n)
{
    if (n > PB_JINJA_STEPS || (r->steps += (long)n) >= PB_JINJA_STEPS)
        return pb_jinja_fail(r, "the template takes more than %d steps", PB_JINJA_STEPS);
    if (pb_arena_live(r->arena, PB_META) > PB_JINJA_MEMORY)
        return pb_jinja_fail(r, "the template's values take more than %d bytes", PB_JINJA_MEMORY);
    return 0;
}

/* ---- making ------------------------------------------------------------------------------------------------- */

pb_jinja_value pb_jinja_bool(bool flag)
{
    return (pb_jinja_value){.kind = PB_J_BOOL, .flag = flag};
}

pb_jinja_value pb_jinja_int(long long integer)
{
    return (pb_jinja_value){.kind = PB_J_INT, .integer = integer};
}

pb_jinja_value pb_jinja_of(const char *at, size_t size)
{
    return (pb_jinja_value){.kind = PB_J_TEXT, .text = {at, size}};
}

pb_jinja_value pb_jinja_copy(pb_jinja_run *r, const char *at, size_t size)
{
    char *copy = pb_arena_alloc(r->arena, PB_META, size + 1);
    if (size)
        memcpy(copy, at, size);
    return pb_jinja_of(copy, size);
}

pb_jinja_value pb_jinja_undefined(const char *name, size_t size)
{
    return (pb_jinja_value){.kind = PB_J_UNDEFINED, .text = {name, size}};
}

pb_jinja_value pb_jinja_list(const pb_jinja_value *item, size_t count)
{
    return (pb_jinja_value){.kind = PB_J_LIST, .list = {item, count}};
}

pb_jinja_value *pb_jinja_values(pb_jinja_run *r, size_t n)
{
    return pb_arena_alloc(r->arena, PB_META, (n + 1) * sizeof(pb_jinja_value));
}

pb_jinja_value pb_jinja_new_map(pb_jinja_run *r, pb_jinja_kind kind)
{
    return (pb_jinja_value){.kind = kind, .map = pb_arena_alloc(r->arena, PB_META, sizeof(pb_jinja_map))};
}

bool pb_jinja_is(pb_jinja_text t, const char *word)
{
    return t.size == strlen(word) && !memcmp(t.at, word, t.size);
}

static bool same_text(pb_jinja_text a, pb_jinja_text b)
{
    return a.size == b.size && (!a.size || !memcmp(a.at, b.at, a.size));
}

const pb_jinja_value *pb_jinja_get(const pb_jinja_map *m, pb_jinja_text key)
{
    for (size_t i = 0; i < m->count; i++)
        if (same_text(m->member[i].key, key))
            return &m->member[i].value;
    return NULL;
}

void pb_jinja_put(pb_jinja_run *r, pb_jinja_map *m, pb_jinja_text key, pb_jinja_value value)
{
    for (size_t i = 0; i < m->count; i++)
        if (same_text(m->member[i].key, key)) {
            m->member[i].value = value;
            return;
        }
    if (m->count == m->capacity) {
        m->capacity = m->capacity ? 2 * m->capacity : 8;
        pb_jinja_member *more = pb_arena_alloc(r->arena, PB_META, m->capacity * sizeof *more);
        if (m->count)
            memcpy(more, m->member, m->count * sizeof *more);
        m->member = more;
    }
    m->member[m->count++] = (pb_jinja_member){key, value};
}

typedef struct member_reader {
    pb_jinja_run *run;
    pb_jinja_map *map;
} member_reader;

static int take_member(void *ctx, const char *key, const pb_json *v)
{
    member_reader *m = ctx;
    pb_jinja_put(m->run, m->map, (pb_jinja_text){key, strlen(key)}, pb_jinja_from_json(m->run, v));
    return 0;
}

/* JSON's numbers are integers and reals; the depth is that which pb_json_parse allows. */
pb_jinja_value pb_jinja_from_json(pb_jinja_run *r, const pb_json *v)
{
    const char *text = pb_json_text(v, NULL);
    if (text)
        return pb_jinja_of(text, pb_json_text_size(v));
    if (pb_json_is_array(v)) {
        size_t n = pb_json_size(v);
        pb_jinja_value *item = pb_jinja_values(r, n);
        for (size_t i = 0; i < n; i++)
            item[i] = pb_jinja_from_json(r, pb_json_at(v, i));
        return pb_jinja_list(item, n);
    }
    if (pb_json_is_object(v)) {
        pb_jinja_value map = pb_jinja_new_map(r, PB_J_MAP);
        member_reader m = {r, map.map};
        pb_json_each(v, take_member, &m);
        return map;
    }
    if (pb_json_bool(v, false) || !pb_json_bool(v, true))
        return pb_jinja_bool(pb_json_bool(v, false));
    if (pb_json_is_null(v))
        return (pb_jinja_value){.kind = PB_J_NONE};
    if (pb_json_integer(v, 1) == pb_json_integer(v, 2))
        return pb_jinja_int(pb_json_integer(v, 0));
    return (pb_jinja_value){.kind = PB_J_REAL, .real = pb_json_number(v, 0)};
}

/* ---- asking ------------------------------------------------------------------------------------------------- */

const char *pb_jinja_what(const pb_jinja_value *v)
{
    static const char *const name[] = {
        [PB_J_UNDEFINED] = "something undefined",
        [PB_J_NONE] = "none",
        [PB_J_BOOL] = "a boolean",
        [PB_J_INT] = "an integer",
        [PB_J_REAL] = "a number",
        [PB_J_TEXT] = "a text",
        [PB_J_LIST] = "a list",
        [PB_J_TUPLE] = "a tuple",
        [PB_J_MAP] = "a mapping",
        [PB_J_NAMESPACE] = "a namespace",
        [PB_J_LOOP] = "a loop",
        [PB_J_MACRO] = "a macro",
        [PB_J_FUNCTION] = "a function",
        [PB_J_METHOD] = "a method",
    };
    return name[v->kind];
}

bool pb_jinja_is_list(const pb_jinja_value *v)
{
    return v->kind == PB_J_LIST || v->kind == PB_J_TUPLE;
}

bool pb_jinja_is_number(const pb_jinja_value *v)
{
    return v->kind == PB_J_BOOL || v->kind == PB_J_INT || v->kind == PB_J_REAL;
}

double pb_jinja_number(const pb_jinja_value *v)
{
    return v->kind == PB_J_REAL ? v->real : v->kind == PB_J_INT ? (double)v->integer : v->flag;
}

bool pb_jinja_truth(const pb_jinja_value *v)
{
    switch (v->kind) {
    case PB_J_UNDEFINED:
    case PB_J_NONE: return false;
    case PB_J_BOOL: return v->flag;
    case PB_J_INT: return v->integer != 0;
    case PB_J_REAL: return v->real != 0;
    case PB_J_TEXT: return v->text.size != 0;
    case PB_J_LIST:
    case PB_J_TUPLE: return v->list.count != 0;
    case PB_J_MAP: return v->map->count != 0;
    default: return true;
    }
}

static bool equal_lists(pb_jinja_run *r, const pb_jinja_value *a, const pb_jinja_value *b)
{
    bool same = a->list.count == b->list.count;
    for (size_t i = 0; same && i < a->list.count; i++)
        same = pb_jinja_equal(r, &a->list.item[i], &b->list.item[i]);
    return same;
}

static bool equal_maps(pb_jinja_run *r, const pb_jinja_map *a, const pb_jinja_map *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        const pb_jinja_value *other = pb_jinja_get(b, a->member[i].key);
        same = other && pb_jinja_equal(r, &a->member[i].value, other);
    }
    return same;
}

static long long integer_of(const pb_jinja_value *v)
{
    return v->kind == PB_J_INT ? v->integer : v->flag;
}

static bool equal_of_a_kind(pb_jinja_run *r, const pb_jinja_value *a, const pb_jinja_value *b)
{
    switch (a->kind) {
    case PB_J_UNDEFINED:
    case PB_J_NONE: return true;
    case PB_J_TEXT: return same_text(a->text, b->text);
    case PB_J_LIST:
    case PB_J_TUPLE: return equal_lists(r, a, b);
    case PB_J_MAP: return equal_maps(r, a->map, b->map);
    case PB_J_NAMESPACE:
    case PB_J_LOOP: return a->map == b->map;
    case PB_J_MACRO: return a->macro == b->macro;
    case PB_J_FUNCTION: return same_text(a->text, b->text);
    default: return false;
    }
}

bool pb_jinja_equal(pb_jinja_run *r, const pb_jinja_value *a, const pb_jinja_value *b)
{
    if (pb_jinja_is_number(a) && pb_jinja_is_number(b))
        return a->kind == PB_J_REAL || b->kind == PB_J_REAL ? pb_jinja_number(a) == pb_jinja_number(b)
                                                            : integer_of(a) == integer_of(b);
    if (a->kind != b->kind)
        return false;
    if (r->depth >= PB_JINJA_DEPTH)
        r->steps = PB_JINJA_STEPS; /* too deep is too long */
    if (r->steps >= PB_JINJA_STEPS)
        return false;
    r->steps++;
    r->depth++;
    bool same = equal_of_a_kind(r, a, b);
    r->depth--;
    return same;
}

int pb_jinja_items(pb_jinja_run *r, const pb_jinja_value *v, pb_jinja_value *out)
{
    size_t n = v->kind == PB_J_TEXT ? pb_jinja_length(v->text) : v->kind == PB_J_MAP ? v->map->count : 0;
    pb_jinja_value *item = n ? pb_jinja_values(r, n) : NULL;
    *out = pb_jinja_list(item, n);
    if (pb_jinja_is_list(v))
        *out = pb_jinja_list(v->list.item, v->list.count);
    else if (v->kind == PB_J_MAP)
        for (size_t i = 0; i < n; i++)
            item[i] = pb_jinja_of(v->map->member[i].key.at, v->map->member[i].key.size);
    else if (v->kind == PB_J_TEXT)
        for (size_t i = 0, at = 0, size; i < n; i++, at += size) {
            size = pb_jinja_byte((pb_jinja_text){v->text.at + at, v->text.size - at}, 1);
            item[i] = pb_jinja_of(v->text.at + at, size);
        }
    else if (v->kind != PB_J_UNDEFINED)
        return pb_jinja_fail(r, "want a list, a mapping or a text, got %s", pb_jinja_what(v));
    return pb_jinja_step(r, out->list.count);
}

/* ---- writing ------------------------------------------------------------------------------------------------ */

/* Appends a real as Python's repr: the fewest digits that read back as the same number. */
static void print_real(double x, pb_text *out)
{
    char digits[40];
    int count = 0;
    do
        snprintf(digits, sizeof digits, "%.*e", count++, x);
    while (count < 17 && strtod(digits, NULL) != x);
    char *mark = strchr(digits, 'e');
    int exponent = mark ? atoi(mark + 1) : 0;
    if (isnan(x) || isinf(x))
        pb_text_add(out, "%s", isnan(x) ? "nan" : x < 0 ? "-inf" : "inf");
    else if (exponent < -4 || exponent >= 16) {
        *mark = 0;
        pb_text_add(out, "%se%c%02d", digits, exponent < 0 ? '-' : '+', abs(exponent));
    } else {
        int decimals = count - 1 - exponent; /* digits behind the point */
        pb_text_add(out, "%.*f", decimals > 1 ? decimals : 1, x);
    }
}

int pb_jinja_print(pb_jinja_run *r, const pb_jinja_value *v, pb_text *out)
{
    size_t before = out->length;
    switch (v->kind) {
    case PB_J_UNDEFINED: return 0;
    case PB_J_NONE: pb_text_add(out, "None"); return 0;
    case PB_J_BOOL: pb_text_add(out, "%s", v->flag ? "True" : "False"); return 0;
    case PB_J_INT: pb_text_add(out, "%lld", v->integer); return 0;
    case PB_J_REAL: print_real(v->real, out); return 0;
    case PB_J_TEXT: break;
    default: return pb_jinja_fail(r, "want a text or a number to print, got %s; tojson prints it", pb_jinja_what(v));
    }
    if (v->text.size > PB_JINJA_OUTPUT || before > PB_JINJA_OUTPUT - v->text.size)
        return pb_jinja_fail(r, "the template writes more than %d bytes", PB_JINJA_OUTPUT);
    pb_text_bytes(out, v->text.at, v->text.size);
    return 0;
}

/* ---- JSON --------------------------------------------------------------------------------------------------- */

static void print_string(pb_jinja_text t, bool ascii, pb_text *out)
{
    pb_text_add(out, "\"");
    int32_t c;
    for (size_t i = 0; i < t.size;) {
        size_t n = pb_utf8_next(t.at + i, t.size - i, &c);
        const char *escape = c < 0x80 && c ? strchr("\"\\\b\f\n\r\t", (int)c) : NULL;
        if (escape)
            pb_text_add(out, "\\%c", "\"\\bfnrt"[escape - strchr("\"\\\b\f\n\r\t", '"')]);
        else if (c < 0x20 || (ascii && c > 0x7E && c < 0x10000))
            pb_text_add(out, "\\u%04x", (unsigned)c);
        else if (ascii && c >= 0x10000)
            pb_text_add(out, "\\u%04x\\u%04x", 0xD7C0u + ((unsigned)c >> 10), 0xDC00u + ((unsigned)c & 0x3FF));
        else
            pb_text_bytes(out, t.at + i, n);
        i += n;
    }
    pb_text_add(out, "\"");
}

static void new_line(const pb_jinja_json *how, int level, pb_text *out)
{
    if (how->indent >= 0)
        pb_text_add(out, "\n%*s", how->indent * level, "");
}

static int by_key(const void *a, const void *b)
{
    const pb_jinja_member *x = a, *y = b;
    int order = memcmp(x->key.at, y->key.at, pb_min_size(x->key.size, y->key.size));
    return order ? order : (x->key.size > y->key.size) - (x->key.size < y->key.size);
}

static int map_to_json(pb_jinja_run *r, const pb_jinja_map *m, const pb_jinja_json *how, int level, pb_text *out)
{
    pb_jinja_member *member = pb_arena_alloc(r->arena, PB_META, (m->count + 1) * sizeof *member);
    if (m->count)
        memcpy(member, m->member, m->count * sizeof *member);
    if (how->sorted)
        qsort(member, m->count, sizeof *member, by_key);
    pb_text_add(out, "{");
    for (size_t i = 0; i < m->count; i++) {
        pb_text_add(out, "%s", !i ? "" : how->indent >= 0 ? "," : ", ");
        new_line(how, level + 1, out);
        print_string(member[i].key, how->ascii, out);
        pb_text_add(out, ": ");
        if (pb_jinja_tojson(r, &member[i].value, how, level + 1, out))
            return -1;
    }
    if (m->count)
        new_line(how, level, out);
    pb_text_add(out, "}");
    return 0;
}

static int list_to_json(pb_jinja_run *r, const pb_jinja_value *v, const pb_jinja_json *how, int level, pb_text *out)
{
    pb_text_add(out, "[");
    for (size_t i = 0; i < v->list.count; i++) {
        pb_text_add(out, "%s", !i ? "" : how->indent >= 0 ? "," : ", ");
        new_line(how, level + 1, out);
        if (pb_jinja_tojson(r, &v->list.item[i], how, level + 1, out))
            return -1;
    }
    if (v->list.count)
        new_line(how, level, out);
    pb_text_add(out, "]");
    return 0;
}

int pb_jinja_tojson(pb_jinja_run *r, const pb_jinja_value *v, const pb_jinja_json *how, int level, pb_text *out)
{
    if (pb_jinja_step(r, 1) || level > PB_JINJA_NESTING || out->length > PB_JINJA_OUTPUT)
        return pb_jinja_fail(r, "tojson: the value is too large");
    switch (v->kind) {
    case PB_J_NONE: pb_text_add(out, "null"); return 0;
    case PB_J_BOOL: pb_text_add(out, "%s", v->flag ? "true" : "false"); return 0;
    case PB_J_TEXT: print_string(v->text, how->ascii, out); return 0;
    case PB_J_LIST:
    case PB_J_TUPLE: return list_to_json(r, v, how, level, out);
    case PB_J_MAP: return map_to_json(r, v->map, how, level, out);
    case PB_J_REAL:
        if (!isfinite(v->real))
            break;
        return pb_jinja_print(r, v, out);
    case PB_J_INT: return pb_jinja_print(r, v, out);
    default: break;
    }
    return pb_jinja_fail(r, "tojson: want a value of JSON, got %s", pb_jinja_what(v));
}
