/* operators: arithmetic, comparisons, members and slices; see jinja_internal.h. */
#include <math.h>
#include <string.h>

#include "jinja/jinja_internal.h"

/* Reports what cannot be used: what is undefined with its name. */
static int refuse(pb_jinja_run *r, const char *op, const pb_jinja_value *v)
{
    if (v->kind == PB_J_UNDEFINED)
        return pb_jinja_fail(r, "'%.*s' is undefined, for %s", (int)v->text.size, v->text.at, op);
    return pb_jinja_fail(r, "%s is not supported for %s", op, pb_jinja_what(v));
}

/* ---- arithmetic --------------------------------------------------------------------------------------------- */

static int join_texts(pb_jinja_run *r, pb_jinja_text a, pb_jinja_text b, pb_jinja_value *out)
{
    if (a.size + b.size > PB_JINJA_OUTPUT)
        return pb_jinja_fail(r, "a text is larger than %d bytes", PB_JINJA_OUTPUT);
    char *both = pb_arena_alloc(r->arena, PB_META, a.size + b.size + 1);
    memcpy(both, a.at, a.size);
    memcpy(both + a.size, b.at, b.size);
    *out = pb_jinja_of(both, a.size + b.size);
    return 0;
}

static int join_lists(pb_jinja_run *r, const pb_jinja_value *a, const pb_jinja_value *b, pb_jinja_value *out)
{
    size_t n = a->list.count, m = b->list.count;
    if (pb_jinja_step(r, n + m))
        return -1;
    pb_jinja_value *item = pb_jinja_values(r, n + m);
    for (size_t i = 0; i < n + m; i++)
        item[i] = i < n ? a->list.item[i] : b->list.item[i - n];
    *out = (pb_jinja_value){.kind = a->kind, .list = {item, n + m}};
    return 0;
}

static long long whole(const pb_jinja_value *v)
{
    return v->kind == PB_J_INT ? v->integer : v->flag;
}

/* The quotient and the remainder are those of Python: rounded down. */
static int operate_integers(pb_jinja_run *r, char op, long long a, long long b, pb_jinja_value *out)
{
    long long x = 0;
    bool over = op == '+'   ? __builtin_saddll_overflow(a, b, &x)
                : op == '-' ? __builtin_ssubll_overflow(a, b, &x)
                : op == '*' ? __builtin_smulll_overflow(a, b, &x)
                            : b == -1;
    if (over)
        return pb_jinja_fail(r, "an integer is too large");
    if (op == '/' || op == '%') {
        long long quotient = a / b - ((a % b != 0) && ((a < 0) != (b < 0)));
        x = op == '/' ? quotient : a - quotient * b;
    }
    *out = pb_jinja_int(x);
    return 0;
}

static int operate_numbers(pb_jinja_run *r, const char *op, const pb_jinja_value *a, const pb_jinja_value *b,
                           pb_jinja_value *out)
{
    double x = pb_jinja_number(a), y = pb_jinja_number(b);
    bool divides = *op == '/' || *op == '%', real = a->kind == PB_J_REAL || b->kind == PB_J_REAL;
    if (divides && y == 0)
        return pb_jinja_fail(r, "division by zero");
    if (!real && strcmp(op, "/") != 0)
        return operate_integers(r, *op, whole(a), whole(b), out);
    if (*op == '%' || op[1])
        return pb_jinja_fail(r, "%s is supported for integers only", op);
    out->kind = PB_J_REAL;
    out->real = *op == '+' ? x + y : *op == '-' ? x - y : *op == '*' ? x * y : x / y;
    return 0;
}

int pb_jinja_operate(pb_jinja_run *r, const char *op, const pb_jinja_value *a, const pb_jinja_value *b,
                     pb_jinja_value *out)
{
    if (pb_jinja_is_number(a) && pb_jinja_is_number(b))
        return operate_numbers(r, op, a, b, out);
    if (*op == '+' && a->kind == PB_J_TEXT && b->kind == PB_J_TEXT)
        return join_texts(r, a->text, b->text, out);
    if (*op == '+' && pb_jinja_is_list(a) && a->kind == b->kind)
        return join_lists(r, a, b, out);
    bool first = a->kind == PB_J_UNDEFINED ||
                 (b->kind != PB_J_UNDEFINED && !pb_jinja_is_number(a) && !(a->kind == PB_J_TEXT && *op == '+'));
    return refuse(r, op, first ? a : b);
}

/* ---- comparisons -------------------------------------------------------------------------------------------- */

static int compare_texts(pb_jinja_text a, pb_jinja_text b)
{
    size_t n = pb_min_size(a.size, b.size);
    int order = n ? memcmp(a.at, b.at, n) : 0; /* the order of UTF-8 is that of code points */
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int is_in(pb_jinja_run *r, const pb_jinja_value *a, const pb_jinja_value *b, bool *out)
{
    *out = false;
    if (b->kind == PB_J_TEXT && a->kind == PB_J_TEXT)
        *out = pb_jinja_find(b->text, a->text, 0) <= b->text.size;
    else if (pb_jinja_is_list(b))
        for (size_t i = 0; i < b->list.count && !*out; i++)
            *out = pb_jinja_equal(r, a, &b->list.item[i]);
    else if (b->kind == PB_J_MAP)
        *out = a->kind == PB_J_TEXT && pb_jinja_get(b->map, a->text);
    else if (b->kind != PB_J_UNDEFINED)
        return refuse(r, "in", b->kind == PB_J_TEXT ? a : b);
    return pb_jinja_step(r, 1);
}

int pb_jinja_compare(pb_jinja_run *r, const char *op, const pb_jinja_value *a, const pb_jinja_value *b, bool *out)
{
    if (strstr(op, "in")) {
        int rc = is_in(r, a, b, out);
        *out = *out != (*op == 'n');
        return rc;
    }
    if (op[1] == '=' && (*op == '=' || *op == '!')) {
        *out = pb_jinja_equal(r, a, b) == (*op == '=');
        return 0;
    }
    bool texts = a->kind == PB_J_TEXT && b->kind == PB_J_TEXT;
    if (!texts && !(pb_jinja_is_number(a) && pb_jinja_is_number(b)))
        return refuse(r, op, pb_jinja_is_number(a) || (a->kind == PB_J_TEXT && b->kind != PB_J_TEXT) ? b : a);
    double x = texts ? compare_texts(a->text, b->text) : pb_jinja_number(a), y = texts ? 0 : pb_jinja_number(b);
    *out = *op == '<' ? (op[1] ? x <= y : x < y) : op[1] ? x >= y : x > y;
    return 0;
}

/* ---- members ------------------------------------------------------------------------------------------------ */

static pb_jinja_value method_of(pb_jinja_run *r, const pb_jinja_value *v, const char *name)
{
    pb_jinja_value *self = pb_jinja_values(r, 1);
    *self = *v;
    return (pb_jinja_value){.kind = PB_J_METHOD, .method = {self, name}};
}

/* Python's attributes come before the members of a mapping. */
int pb_jinja_attribute(pb_jinja_run *r, const pb_jinja_value *v, pb_jinja_text name, pb_jinja_value *out)
{
    bool map = v->kind == PB_J_MAP;
    if (v->kind == PB_J_UNDEFINED)
        return pb_jinja_fail(r, "'%.*s' is undefined, and so has no '%.*s'", (int)v->text.size, v->text.at,
                             (int)name.size, name.at);
    if (name.size > 1 && name.at[0] == '_' && name.at[1] == '_')
        return pb_jinja_fail(r, "'%.*s': names with two underscores are not supported", (int)name.size, name.at);
    const char *method = map || v->kind == PB_J_TEXT ? pb_jinja_method_name(v, name) : NULL;
    const pb_jinja_value *found = map || v->kind == PB_J_NAMESPACE || v->kind == PB_J_LOOP ? pb_jinja_get(v->map, name)
                                                                                           : NULL;
    if (method) {
        *out = method_of(r, v, method);
        return 0;
    }
    if (v->kind == PB_J_TEXT || v->kind == PB_J_LOOP || pb_jinja_is_list(v) || v->kind >= PB_J_MACRO) {
        if (!found)
            return pb_jinja_fail(r, "'%.*s' of %s is not supported", (int)name.size, name.at, pb_jinja_what(v));
    }
    *out = found ? *found : pb_jinja_undefined(name.at, name.size);
    return 0;
}

/* Returns character i of a text. */
static pb_jinja_value character(pb_jinja_text t, size_t i)
{
    size_t at = pb_jinja_byte(t, i), n = pb_jinja_byte((pb_jinja_text){t.at + at, t.size - at}, 1);
    return pb_jinja_of(t.at + at, n);
}

int pb_jinja_item(pb_jinja_run *r, const pb_jinja_value *v, const pb_jinja_value *key, pb_jinja_value *out)
{
    *out = pb_jinja_undefined("the item", strlen("the item"));
    if (v->kind == PB_J_UNDEFINED)
        return pb_jinja_fail(r, "'%.*s' is undefined, and so has no items", (int)v->text.size, v->text.at);
    if (key->kind == PB_J_TEXT) {
        const pb_jinja_value *found = v->kind == PB_J_MAP ? pb_jinja_get(v->map, key->text) : NULL;
        if (!found)
            return pb_jinja_attribute(r, v, key->text, out);
        *out = *found;
        return 0;
    }
    if (key->kind != PB_J_INT || (v->kind != PB_J_TEXT && !pb_jinja_is_list(v)))
        return v->kind == PB_J_MAP || v->kind == PB_J_NONE || key->kind == PB_J_UNDEFINED
                   ? 0
                   : pb_jinja_fail(r, "%s as an index of %s is not supported", pb_jinja_what(key), pb_jinja_what(v));
    size_t n = v->kind == PB_J_TEXT ? pb_jinja_length(v->text) : v->list.count;
    long long i = key->integer < 0 ? key->integer + (long long)n : key->integer;
    if (i >= 0 && i < (long long)n)
        *out = v->kind == PB_J_TEXT ? character(v->text, (size_t)i) : v->list.item[i];
    return pb_jinja_step(r, v->kind == PB_J_TEXT ? n : 1);
}

/* ---- slices ------------------------------------------------------------------------------------------------- */

/* Sets *n to a bound of a slice of `count` items, limited as Python limits it. */
static int limit_bound(pb_jinja_run *r, const pb_jinja_value *v, long long count, long long step, long long otherwise,
                       long long *n)
{
    *n = otherwise;
    if (!v || v->kind == PB_J_NONE)
        return 0;
    if (v->kind != PB_J_INT)
        return pb_jinja_fail(r, "want an integer in a slice, got %s", pb_jinja_what(v));
    long long least = step < 0 ? -1 : 0, most = step < 0 ? count - 1 : count;
    *n = v->integer < 0 ? v->integer + count : v->integer;
    *n = *n < least ? least : *n > most ? most : *n;
    return 0;
}

static void take_slice(pb_jinja_run *r, const pb_jinja_value *items, bool text, long long from, long long to,
                       long long step, pb_jinja_value *out)
{
    size_t n = 0, bytes = 0;
    pb_jinja_value *item = pb_jinja_values(r, items->list.count);
    for (long long i = from; step > 0 ? i < to : i > to; i += step)
        item[n++] = items->list.item[i];
    if (!text) {
        *out = (pb_jinja_value){.kind = out->kind, .list = {item, n}};
        return;
    }
    for (size_t i = 0; i < n; i++)
        bytes += item[i].text.size;
    char *all = pb_arena_alloc(r->arena, PB_META, bytes + 1);
    bytes = 0;
    for (size_t i = 0; i < n; bytes += item[i++].text.size)
        memcpy(all + bytes, item[i].text.at, item[i].text.size);
    *out = pb_jinja_of(all, bytes);
}

int pb_jinja_slice(pb_jinja_run *r, const pb_jinja_value *v, const pb_jinja_value *const bound[3], pb_jinja_value *out)
{
    pb_jinja_value items;
    long long from, to, step = 1;
    if (v->kind != PB_J_TEXT && !pb_jinja_is_list(v))
        return refuse(r, "a slice", v);
    if (bound[2] && bound[2]->kind != PB_J_NONE) {
        if (bound[2]->kind != PB_J_INT || !bound[2]->integer)
            return pb_jinja_fail(r, "want an integer other than 0 as the step of a slice");
        step = bound[2]->integer;
    }
    if (pb_jinja_items(r, v, &items))
        return -1;
    long long count = (long long)items.list.count;
    step = step > count ? count + 1 : step < -count ? -count - 1 : step; /* as far as it goes */
    if (limit_bound(r, bound[0], count, step, step < 0 ? count - 1 : 0, &from) ||
        limit_bound(r, bound[1], count, step, step < 0 ? -1 : count, &to))
        return -1;
    out->kind = v->kind;
    take_slice(r, &items, v->kind == PB_J_TEXT, from, to, step, out);
    return 0;
}
