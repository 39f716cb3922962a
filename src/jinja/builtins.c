/* builtins: filters, tests and functions; see jinja_internal.h. */
#include <stdlib.h>
#include <string.h>

#include "jinja/jinja_internal.h"

typedef struct call {
    pb_jinja_run *run;
    const char *name;
    const pb_jinja_value *self;
    const pb_jinja_arguments *given;
    const pb_jinja_value *value[PB_JINJA_MOST_ARGUMENTS];
} call;

static int bind(call *c, const char *names, int least)
{
    return pb_jinja_bind(c->run, c->name, names, least, c->given, c->value);
}

static int want_text(call *c, const pb_jinja_value *v)
{
    return v->kind == PB_J_TEXT ? 0 : pb_jinja_fail(c->run, "%s: want a text, got %s", c->name, pb_jinja_what(v));
}

/* Sets *out to Python's str() of a value. */
static int text_of(call *c, const pb_jinja_value *v, pb_jinja_text *out)
{
    pb_text t = {0};
    if (v->kind == PB_J_TEXT) {
        *out = v->text;
        return 0;
    }
    int rc = pb_jinja_print(c->run, v, &t);
    *out = pb_jinja_copy(c->run, t.data, t.length).text;
    pb_text_free(&t);
    return rc;
}

/* ---- filters of texts --------------------------------------------------------------------------------------- */

static int filter_trim(call *c, pb_jinja_value *out)
{
    pb_jinja_text t;
    if (bind(c, "chars", 0) || text_of(c, c->self, &t))
        return -1;
    const pb_jinja_value *set = c->value[0];
    if (set && set->kind != PB_J_NONE && want_text(c, set))
        return -1;
    t = pb_jinja_strip(t, set && set->kind == PB_J_TEXT ? &set->text : NULL, true, true);
    *out = pb_jinja_of(t.at, t.size);
    return 0;
}

static int filter_case(call *c, pb_jinja_value *out)
{
    pb_jinja_text t;
    const char *name = !strcmp(c->name, "title") ? "title filter" : c->name;
    return bind(c, "", 0) || text_of(c, c->self, &t) ? -1 : pb_jinja_change_case(c->run, name, t, out);
}

static int filter_string(call *c, pb_jinja_value *out)
{
    pb_jinja_text t;
    if (bind(c, "", 0) || text_of(c, c->self, &t))
        return -1;
    *out = pb_jinja_of(t.at, t.size);
    return 0;
}

static int filter_replace(call *c, pb_jinja_value *out)
{
    pb_jinja_text t, from, to;
    if (bind(c, "old new", 2) || text_of(c, c->self, &t) || text_of(c, c->value[0], &from) ||
        text_of(c, c->value[1], &to))
        return -1;
    return pb_jinja_replace(c->run, t, from, to, -1, out);
}

static int filter_int(call *c, pb_jinja_value *out)
{
    char digits[24] = "", *end = digits;
    if (bind(c, "default", 0))
        return -1;
    pb_jinja_text t = c->self->kind == PB_J_TEXT ? pb_jinja_strip(c->self->text, NULL, true, true) : (pb_jinja_text){0};
    if (c->self->kind == PB_J_INT || c->self->kind == PB_J_BOOL) {
        *out = pb_jinja_int(c->self->kind == PB_J_INT ? c->self->integer : c->self->flag);
        return 0;
    }
    if (t.size && t.size < 18 && strspn(t.at, "+-0123456789") >= t.size)
        memcpy(digits, t.at, t.size);
    long long n = strtoll(digits, &end, 10);
    if (!*digits || *end)
        return pb_jinja_fail(c->run, "int: want an integer or its digits, got %s", pb_jinja_what(c->self));
    *out = pb_jinja_int(n);
    return 0;
}

/* ---- filters of lists --------------------------------------------------------------------------------------- */

static int filter_length(call *c, pb_jinja_value *out)
{
    pb_jinja_value items;
    if (bind(c, "", 0) || pb_jinja_items(c->run, c->self, &items))
        return -1;
    *out = pb_jinja_int((long long)items.list.count);
    return 0;
}

static int filter_list(call *c, pb_jinja_value *out)
{
    return bind(c, "", 0) || pb_jinja_items(c->run, c->self, out) ? -1 : 0;
}

static int filter_end(call *c, pb_jinja_value *out)
{
    pb_jinja_value items;
    if (bind(c, "", 0) || pb_jinja_items(c->run, c->self, &items))
        return -1;
    size_t n = items.list.count;
    *out = !n ? pb_jinja_undefined(c->name, strlen(c->name)) : items.list.item[*c->name == 'f' ? 0 : n - 1];
    return 0;
}

static int filter_reverse(call *c, pb_jinja_value *out)
{
    const pb_jinja_value back = pb_jinja_int(-1);
    return bind(c, "", 0) ? -1 : pb_jinja_slice(c->run, c->self, (const pb_jinja_value *[3]){NULL, NULL, &back}, out);
}

/* Sets *out to the member that an attribute such as "a" or "function.name" names. */
static int member_of(call *c, const pb_jinja_value *v, pb_jinja_text path, pb_jinja_value *out)
{
    *out = *v;
    for (size_t from = 0, to; from <= path.size; from = to + 1) {
        to = pb_jinja_find(path, (pb_jinja_text){".", 1}, from);
        to = to > path.size ? path.size : to;
        pb_jinja_value key = pb_jinja_of(path.at + from, to - from), self = *out;
        if (to > from && strspn(path.at + from, "0123456789") >= to - from)
            return pb_jinja_fail(c->run, "%s: an attribute that is a number is not supported", c->name);
        if (pb_jinja_item(c->run, &self, &key, out))
            return -1;
    }
    return 0;
}

static int filter_join(call *c, pb_jinja_value *out)
{
    pb_jinja_value items, one;
    pb_jinja_text by = {"", 0};
    pb_text all = {0};
    if (bind(c, "d attribute", 0) || (c->value[0] && text_of(c, c->value[0], &by)) ||
        (c->value[1] && want_text(c, c->value[1])) || pb_jinja_items(c->run, c->self, &items))
        return -1;
    const pb_jinja_value between = pb_jinja_of(by.at, by.size);
    int rc = 0;
    for (size_t i = 0; i < items.list.count && !rc; i++) {
        one = items.list.item[i];
        rc = (c->value[1] && member_of(c, &items.list.item[i], c->value[1]->text, &one)) ||
             (i && pb_jinja_print(c->run, &between, &all)) || pb_jinja_print(c->run, &one, &all);
    }
    *out = pb_jinja_copy(c->run, all.data, all.length);
    pb_text_free(&all);
    return rc ? -1 : 0;
}

/* The arguments behind the first n. */
static pb_jinja_arguments rest_of(const pb_jinja_arguments *a, int n)
{
    pb_jinja_arguments rest = {.count = a->count > n ? a->count - n : 0};
    for (int i = 0; i < rest.count; i++) {
        rest.value[i] = a->value[i + n];
        rest.keyword[i] = a->keyword[i + n];
    }
    return rest;
}

/* map(attribute="x") and map("filter", arguments). */
static int filter_map(call *c, pb_jinja_value *out)
{
    pb_jinja_value items;
    const pb_jinja_arguments *a = c->given;
    bool attribute = a->count && a->keyword[0];
    if (attribute ? bind(c, "attribute default", 1) : !a->count)
        return pb_jinja_fail(c->run, "map: want attribute= or the name of a filter");
    if (want_text(c, &a->value[0]) || pb_jinja_items(c->run, c->self, &items))
        return -1;
    if (attribute && (c->value[1] || strcmp(a->keyword[0], "attribute") != 0))
        return pb_jinja_fail(c->run, "map: want attribute= alone");
    if (!attribute && !pb_jinja_has_filter(a->value[0].text))
        return pb_jinja_fail(c->run, "map: the filter '%.*s' is not supported", (int)a->value[0].text.size,
                             a->value[0].text.at);
    pb_jinja_arguments rest = rest_of(a, 1);
    pb_jinja_value *item = pb_jinja_values(c->run, items.list.count);
    for (size_t i = 0; i < items.list.count; i++)
        if (attribute ? member_of(c, &items.list.item[i], a->value[0].text, &item[i])
                      : pb_jinja_filter(c->run, a->value[0].text, &items.list.item[i], &rest, &item[i]))
            return -1;
    *out = pb_jinja_list(item, items.list.count);
    return 0;
}

/* select, reject, selectattr and rejectattr: keep the items that pass a test, or whose attribute does. */
static int filter_select(call *c, pb_jinja_value *out)
{
    pb_jinja_value items, one;
    const pb_jinja_arguments *a = c->given;
    int named = strstr(c->name, "attr") ? 1 : 0;
    bool keep = *c->name == 's', passes;
    if (a->count < named || (named && want_text(c, &a->value[0])) ||
        (a->count > named && want_text(c, &a->value[named])))
        return pb_jinja_fail(c->run, "%s: want the name of an attribute", c->name);
    if (a->count > named && !pb_jinja_has_test(a->value[named].text))
        return pb_jinja_fail(c->run, "%s: the test '%.*s' is not supported", c->name, (int)a->value[named].text.size,
                             a->value[named].text.at);
    if (pb_jinja_items(c->run, c->self, &items))
        return -1;
    pb_jinja_arguments rest = rest_of(a, named + 1);
    pb_jinja_value *item = pb_jinja_values(c->run, items.list.count);
    size_t n = 0;
    for (size_t i = 0; i < items.list.count; i++) {
        one = items.list.item[i];
        if (named && member_of(c, &items.list.item[i], a->value[0].text, &one))
            return -1;
        passes = pb_jinja_truth(&one);
        if (a->count > named && pb_jinja_test(c->run, a->value[named].text, &one, &rest, &passes))
            return -1;
        if (passes == keep)
            item[n++] = items.list.item[i];
    }
    *out = pb_jinja_list(item, n);
    return 0;
}

/* ---- other filters ------------------------------------------------------------------------------------------ */

static int filter_default(call *c, pb_jinja_value *out)
{
    if (bind(c, "default_value boolean", 0))
        return -1;
    bool given = c->self->kind != PB_J_UNDEFINED &&
                 !(c->value[1] && pb_jinja_truth(c->value[1]) && !pb_jinja_truth(c->self));
    *out = given ? *c->self : c->value[0] ? *c->value[0] : pb_jinja_of("", 0);
    return 0;
}

static int filter_items(call *c, pb_jinja_value *out)
{
    const pb_jinja_arguments none = {0};
    if (bind(c, "", 0))
        return -1;
    if (c->self->kind == PB_J_MAP)
        return pb_jinja_method(c->run, c->self, pb_jinja_method_name(c->self, (pb_jinja_text){"items", 5}), &none, out);
    *out = pb_jinja_list(NULL, 0);
    return c->self->kind == PB_J_UNDEFINED
               ? 0
               : pb_jinja_fail(c->run, "items: want a mapping, got %s", pb_jinja_what(c->self));
}

/* As transformers defines it: json.dumps with ensure_ascii=False. */
static int filter_tojson(call *c, pb_jinja_value *out)
{
    pb_jinja_json how = {.indent = -1};
    if (bind(c, "ensure_ascii indent separators sort_keys", 0))
        return -1;
    const pb_jinja_value *indent = c->value[1];
    if (c->value[2] && c->value[2]->kind != PB_J_NONE)
        return pb_jinja_fail(c->run, "tojson: separators is not supported");
    if (indent && indent->kind != PB_J_NONE) {
        if (indent->kind != PB_J_INT || indent->integer < 0 || indent->integer > 16)
            return pb_jinja_fail(c->run, "tojson: indent: want 0..16 blanks, got %s", pb_jinja_what(indent));
        how.indent = (int)indent->integer;
    }
    how.ascii = c->value[0] && pb_jinja_truth(c->value[0]);
    how.sorted = c->value[3] && pb_jinja_truth(c->value[3]);
    pb_text t = {0};
    int rc = pb_jinja_tojson(c->run, c->self, &how, 0, &t);
    *out = pb_jinja_copy(c->run, t.data, t.length);
    pb_text_free(&t);
    return rc;
}

typedef struct builtin {
    const char *name;
    int (*run)(call *c, pb_jinja_value *out);
} builtin;

static const builtin filters[] = {
    {"trim", filter_trim},         {"upper", filter_case},        {"lower", filter_case},
    {"title", filter_case},        {"capitalize", filter_case},   {"string", filter_string},
    {"replace", filter_replace},   {"int", filter_int},           {"length", filter_length},
    {"count", filter_length},      {"list", filter_list},         {"first", filter_end},
    {"last", filter_end},          {"reverse", filter_reverse},   {"join", filter_join},
    {"map", filter_map},           {"select", filter_select},     {"reject", filter_select},
    {"selectattr", filter_select}, {"rejectattr", filter_select}, {"default", filter_default},
    {"d", filter_default},         {"items", filter_items},       {"tojson", filter_tojson},
};

static const builtin *filter_of(pb_jinja_text name)
{
    for (size_t i = 0; i < PB_COUNT(filters); i++)
        if (pb_jinja_is(name, filters[i].name))
            return &filters[i];
    return NULL;
}

bool pb_jinja_has_filter(pb_jinja_text name)
{
    return filter_of(name) != NULL;
}

int pb_jinja_filter(pb_jinja_run *r, pb_jinja_text name, const pb_jinja_value *v, const pb_jinja_arguments *a,
                    pb_jinja_value *out)
{
    const builtin *f = filter_of(name);
    call c = {.run = r, .name = f->name, .self = v, .given = a};
    if (r->depth >= PB_JINJA_DEPTH)
        return pb_jinja_fail(r, "%s: filters nest too deeply", f->name);
    r->depth++;
    int rc = pb_jinja_step(r, 1) ? -1 : f->run(&c, out);
    r->depth--;
    return rc;
}

/* ---- tests -------------------------------------------------------------------------------------------------- */

typedef enum test_kind {
    IS_DEFINED,
    IS_UNDEFINED,
    IS_NONE,
    IS_STRING,
    IS_MAPPING,
    IS_ITERABLE,
    IS_SEQUENCE,
    IS_NUMBER,
    IS_INTEGER,
    IS_FLOAT,
    IS_BOOLEAN,
    IS_TRUE,
    IS_FALSE,
    IS_ODD,
    IS_EVEN,
    COMPARES
} test_kind;

static const struct {
    const char *name;
    test_kind kind;
    const char *op; /* of a comparison */
} tests[] = {
    {"defined", IS_DEFINED, NULL},   {"undefined", IS_UNDEFINED, NULL},
    {"none", IS_NONE, NULL},         {"string", IS_STRING, NULL},
    {"mapping", IS_MAPPING, NULL},   {"iterable", IS_ITERABLE, NULL},
    {"sequence", IS_SEQUENCE, NULL}, {"number", IS_NUMBER, NULL},
    {"integer", IS_INTEGER, NULL},   {"float", IS_FLOAT, NULL},
    {"boolean", IS_BOOLEAN, NULL},   {"true", IS_TRUE, NULL},
    {"false", IS_FALSE, NULL},       {"odd", IS_ODD, NULL},
    {"even", IS_EVEN, NULL},         {"equalto", COMPARES, "=="},
    {"eq", COMPARES, "=="},          {"ne", COMPARES, "!="},
    {"lt", COMPARES, "<"},           {"le", COMPARES, "<="},
    {"gt", COMPARES, ">"},           {"ge", COMPARES, ">="},
    {"in", COMPARES, "in"},
};

static int test_of(pb_jinja_text name)
{
    for (size_t i = 0; i < PB_COUNT(tests); i++)
        if (pb_jinja_is(name, tests[i].name))
            return (int)i;
    return -1;
}

bool pb_jinja_has_test(pb_jinja_text name)
{
    return test_of(name) >= 0;
}

static bool has_items(const pb_jinja_value *v)
{
    return v->kind == PB_J_UNDEFINED || v->kind == PB_J_TEXT || v->kind == PB_J_MAP || pb_jinja_is_list(v);
}

static bool passes(test_kind kind, const pb_jinja_value *v)
{
    switch (kind) {
    case IS_DEFINED: return v->kind != PB_J_UNDEFINED;
    case IS_UNDEFINED: return v->kind == PB_J_UNDEFINED;
    case IS_NONE: return v->kind == PB_J_NONE;
    case IS_STRING: return v->kind == PB_J_TEXT;
    case IS_MAPPING: return v->kind == PB_J_MAP;
    case IS_ITERABLE:
    case IS_SEQUENCE: return has_items(v);
    case IS_NUMBER: return pb_jinja_is_number(v);
    case IS_INTEGER: return v->kind == PB_J_INT;
    case IS_FLOAT: return v->kind == PB_J_REAL;
    case IS_BOOLEAN: return v->kind == PB_J_BOOL;
    case IS_TRUE: return v->kind == PB_J_BOOL && v->flag;
    default: return v->kind == PB_J_BOOL && !v->flag;
    }
}

int pb_jinja_test(pb_jinja_run *r, pb_jinja_text name, const pb_jinja_value *v, const pb_jinja_arguments *a, bool *out)
{
    int i = test_of(name);
    const pb_jinja_value *value[PB_JINJA_MOST_ARGUMENTS];
    bool compares = tests[i].kind == COMPARES, parity = tests[i].kind == IS_ODD || tests[i].kind == IS_EVEN;
    if (pb_jinja_bind(r, tests[i].name, compares ? "other" : "", compares, a, value))
        return -1;
    if (compares)
        return pb_jinja_compare(r, tests[i].op, v, value[0], out);
    if (parity && v->kind != PB_J_INT)
        return pb_jinja_fail(r, "%s: want an integer, got %s", tests[i].name, pb_jinja_what(v));
    *out = parity ? (v->integer % 2 != 0) == (tests[i].kind == IS_ODD) : passes(tests[i].kind, v);
    return 0;
}

/* ---- functions ---------------------------------------------------------------------------------------------- */

static int make_namespace(call *c, pb_jinja_value *out)
{
    *out = pb_jinja_new_map(c->run, PB_J_NAMESPACE);
    for (int i = 0; i < c->given->count; i++) {
        const char *key = c->given->keyword[i];
        if (!key || *key == '_')
            return pb_jinja_fail(c->run, "namespace: want arguments with names, which do not begin with _");
        pb_jinja_put(c->run, out->map, (pb_jinja_text){key, strlen(key)}, c->given->value[i]);
    }
    return 0;
}

static int raise_exception(call *c, pb_jinja_value *out)
{
    pb_jinja_text t;
    *out = (pb_jinja_value){.kind = PB_J_NONE};
    if (bind(c, "message", 1) || text_of(c, c->value[0], &t))
        return -1;
    return pb_jinja_fail(c->run, "the template refuses the conversation: %.*s", (int)pb_min_size(t.size, 300), t.at);
}

static int make_range(call *c, pb_jinja_value *out)
{
    long long bound[3] = {0, 0, 1};
    if (bind(c, "start stop step", 1))
        return -1;
    int n = c->given->count;
    for (int i = 0; i < n; i++) {
        if (c->value[i]->kind != PB_J_INT)
            return pb_jinja_fail(c->run, "range: want integers, got %s", pb_jinja_what(c->value[i]));
        bound[n == 1 ? 1 : i] = c->value[i]->integer;
    }
    if (!bound[2] || llabs(bound[0]) > PB_JINJA_STEPS || llabs(bound[1]) > PB_JINJA_STEPS ||
        llabs(bound[2]) > PB_JINJA_STEPS)
        return pb_jinja_fail(c->run, "range: want bounds up to %d and a step other than 0", PB_JINJA_STEPS);
    long long span = bound[2] > 0 ? bound[1] - bound[0] : bound[0] - bound[1], each = llabs(bound[2]);
    size_t count = span > 0 ? (size_t)((span + each - 1) / each) : 0;
    if (count > 100000) /* as in transformers */
        return pb_jinja_fail(c->run, "range: want at most 100000 numbers, got %zu", count);
    if (pb_jinja_step(c->run, count))
        return -1;
    pb_jinja_value *item = pb_jinja_values(c->run, count);
    for (size_t i = 0; i < count; i++)
        item[i] = pb_jinja_int(bound[0] + (long long)i * bound[2]);
    *out = pb_jinja_list(item, count);
    return 0;
}

/* Returns the weekday of a date, 0 for Sunday (Sakamoto). */
static int weekday(int year, int month, int day)
{
    static const int shift[] = {0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4};
    year -= month < 3;
    return (year + year / 4 - year / 100 + year / 400 + shift[month - 1] + day) % 7;
}

static bool add_date_part(char part, int year, int month, int day, pb_text *out)
{
    static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                         "July",    "August",   "September", "October", "November", "December"};
    static const char *const days[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
    const char *weekday_name = days[weekday(year, month, day)];
    switch (part) {
    case 'Y': pb_text_add(out, "%04d", year); return true;
    case 'y': pb_text_add(out, "%02d", year % 100); return true;
    case 'm': pb_text_add(out, "%02d", month); return true;
    case 'd': pb_text_add(out, "%02d", day); return true;
    case 'B': pb_text_add(out, "%s", months[month - 1]); return true;
    case 'b': pb_text_add(out, "%.3s", months[month - 1]); return true;
    case 'A': pb_text_add(out, "%s", weekday_name); return true;
    case 'a': pb_text_add(out, "%.3s", weekday_name); return true;
    case '%': pb_text_add(out, "%%"); return true;
    default: return false;
    }
}

/* Reads "2025-01-31".  Returns whether it is a date. */
static bool read_date(const char *text, int *year, int *month, int *day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int end = 0;
    if (strspn(text, "0123456789-") != 10 || text[10] || sscanf(text, "%4d-%2d-%2d%n", year, month, day, &end) != 3 ||
        end != 10)
        return false;
    bool leap = (*year % 4 == 0 && *year % 100 != 0) || *year % 400 == 0;
    return *year > 0 && *month >= 1 && *month <= 12 && *day >= 1 && *day <= days[*month - 1] + (*month == 2 && leap);
}

static int print_date(call *c, pb_jinja_value *out)
{
    int year, month, day;
    if (bind(c, "format", 1) || want_text(c, c->value[0]))
        return -1;
    if (!c->run->date || !*c->run->date)
        return pb_jinja_fail(c->run, "strftime_now: the text would depend on the day of the run; want a fixed date");
    if (!read_date(c->run->date, &year, &month, &day))
        return pb_jinja_fail(c->run, "strftime_now: want a date such as 2025-01-31, got '%s'", c->run->date);
    pb_jinja_text how = c->value[0]->text;
    pb_text t = {0};
    int rc = 0;
    for (size_t i = 0; i < how.size && !rc; i++)
        if (how.at[i] != '%')
            pb_text_bytes(&t, how.at + i, 1);
        else if (i + 1 == how.size || !add_date_part(how.at[++i], year, month, day, &t))
            rc = pb_jinja_fail(c->run, "strftime_now: want %%Y, %%y, %%m, %%d, %%B, %%b, %%A and %%a in the format");
    *out = pb_jinja_copy(c->run, t.data, t.length);
    pb_text_free(&t);
    return rc;
}

static const builtin functions[] = {
    {"namespace", make_namespace},
    {"raise_exception", raise_exception},
    {"range", make_range},
    {"strftime_now", print_date},
};

const char *pb_jinja_function_name(pb_jinja_text name)
{
    for (size_t i = 0; i < PB_COUNT(functions); i++)
        if (pb_jinja_is(name, functions[i].name))
            return functions[i].name;
    return NULL;
}

int pb_jinja_call(pb_jinja_run *r, const char *name, const pb_jinja_arguments *a, pb_jinja_value *out)
{
    for (size_t i = 0; i < PB_COUNT(functions); i++)
        if (!strcmp(name, functions[i].name)) {
            call c = {.run = r, .name = name, .given = a};
            return functions[i].run(&c, out);
        }
    PB_BUG("no function %s", name);
}
