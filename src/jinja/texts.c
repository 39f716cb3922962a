/* texts: Python's methods of texts and mappings; see jinja_internal.h. */
#include <ctype.h>
#include <string.h>

#include "base/utf8.h"
#include "jinja/jinja_internal.h"

/* ---- arguments ---------------------------------------------------------------------------------------------- */

/* Returns the number of a name in a list of names, or -1. */
static int number_of(const char *names, const char *name)
{
    size_t n = strlen(name);
    for (int i = 0; *names; i++) {
        size_t size = strcspn(names, " ");
        if (size == n && !memcmp(names, name, n))
            return i;
        names += size + (names[size] == ' ');
    }
    return -1;
}

int pb_jinja_bind(pb_jinja_run *r, const char *what, const char *names, int least, const pb_jinja_arguments *a,
                  const pb_jinja_value *value[PB_JINJA_MOST_ARGUMENTS])
{
    int most = *names ? 1 : 0;
    for (const char *at = names; (at = strchr(at, ' ')); at++)
        most++;
    memset(value, 0, PB_JINJA_MOST_ARGUMENTS * sizeof *value);
    for (int i = 0; i < a->count; i++) {
        int to = a->keyword[i] ? number_of(names, a->keyword[i]) : i;
        if (to < 0)
            return pb_jinja_fail(r, "%s: the argument '%s' is not supported", what, a->keyword[i]);
        if (to >= most)
            return pb_jinja_fail(r, "%s: want at most %d arguments, got %d", what, most, a->count);
        if (value[to])
            return pb_jinja_fail(r, "%s: an argument is given twice", what);
        value[to] = &a->value[i];
    }
    for (int i = 0; i < least; i++)
        if (!value[i])
            return pb_jinja_fail(r, "%s: want at least %d arguments, got %d", what, least, a->count);
    return 0;
}

/* Returns -1 with an error unless v is a text. */
static int want_text(pb_jinja_run *r, const char *what, const pb_jinja_value *v)
{
    return v->kind == PB_J_TEXT ? 0 : pb_jinja_fail(r, "%s: want a text, got %s", what, pb_jinja_what(v));
}

/* Sets *n to an integer argument; NULL leaves it as it is. */
static int take_integer(pb_jinja_run *r, const char *what, const pb_jinja_value *v, long long *n)
{
    if (v && v->kind != PB_J_INT)
        return pb_jinja_fail(r, "%s: want an integer, got %s", what, pb_jinja_what(v));
    *n = v ? v->integer : *n;
    return 0;
}

/* ---- the methods of texts ------------------------------------------------------------------------------------ */

typedef struct call {
    pb_jinja_run *run;
    const char *name;
    pb_jinja_text self;
    const pb_jinja_map *map;
    const pb_jinja_arguments *given;
    const pb_jinja_value *value[PB_JINJA_MOST_ARGUMENTS];
} call;

static int strip(call *c, pb_jinja_value *out)
{
    if (pb_jinja_bind(c->run, c->name, "chars", 0, c->given, c->value))
        return -1;
    const pb_jinja_value *set = c->value[0];
    if (set && set->kind != PB_J_NONE && want_text(c->run, c->name, set))
        return -1;
    pb_jinja_text t =
        pb_jinja_strip(c->self, set && set->kind == PB_J_TEXT ? &set->text : NULL, *c->name != 'r', *c->name != 'l');
    *out = pb_jinja_of(t.at, t.size);
    return 0;
}

static bool has_affix(pb_jinja_text t, pb_jinja_text part, bool at_end)
{
    return part.size <= t.size &&
           (!part.size || !memcmp(at_end ? t.at + t.size - part.size : t.at, part.at, part.size));
}

/* startswith and endswith, of a text or of one of the texts of a tuple. */
static int find_affix(call *c, pb_jinja_value *out)
{
    if (pb_jinja_bind(c->run, c->name, "affix", 1, c->given, c->value))
        return -1;
    const pb_jinja_value *v = c->value[0], *item = v->kind == PB_J_TUPLE ? v->list.item : v;
    size_t n = v->kind == PB_J_TUPLE ? v->list.count : 1;
    bool found = false;
    for (size_t i = 0; i < n; i++) {
        if (want_text(c->run, c->name, &item[i]))
            return -1;
        found = found || has_affix(c->self, item[i].text, *c->name == 'e');
    }
    *out = pb_jinja_bool(found);
    return 0;
}

/* Splits at white space; what the last piece of `most` has behind it stays, without its white space in front. */
static size_t split_at_space(pb_jinja_text t, long long most, pb_jinja_value *item)
{
    size_t n = 0;
    for (int32_t c;;) {
        t = pb_jinja_strip(t, NULL, true, false);
        if (!t.size)
            return n;
        size_t size = 0, step = 0;
        while (size < t.size) {
            step = pb_utf8_next(t.at + size, t.size - size, &c);
            if (pb_jinja_is_space(c))
                break;
            size += step;
        }
        if (most >= 0 && (long long)n == most)
            size = t.size;
        item[n++] = pb_jinja_of(t.at, size);
        t.at += size;
        t.size -= size;
    }
}

static size_t split_at_text(pb_jinja_text t, pb_jinja_text by, long long most, pb_jinja_value *item)
{
    size_t n = 0, from = 0, to;
    while ((most < 0 || (long long)n < most) && (to = pb_jinja_find(t, by, from)) <= t.size) {
        item[n++] = pb_jinja_of(t.at + from, to - from);
        from = to + by.size;
    }
    item[n++] = pb_jinja_of(t.at + from, t.size - from);
    return n;
}

static int split(call *c, pb_jinja_value *out)
{
    long long most = -1;
    if (pb_jinja_bind(c->run, c->name, "sep maxsplit", 0, c->given, c->value) ||
        take_integer(c->run, c->name, c->value[1], &most))
        return -1;
    const pb_jinja_value *by = c->value[0];
    bool at_space = !by || by->kind == PB_J_NONE;
    if (!at_space && want_text(c->run, c->name, by))
        return -1;
    if (!at_space && !by->text.size)
        return pb_jinja_fail(c->run, "split: want a separator, got an empty text");
    size_t pieces = 1;
    for (size_t at = 0; !at_space && (at = pb_jinja_find(c->self, by->text, at)) <= c->self.size; at += by->text.size)
        pieces++;
    pieces = at_space ? c->self.size / 2 + 1 : pieces;
    if (pb_jinja_step(c->run, pieces))
        return -1;
    pb_jinja_value *item = pb_jinja_values(c->run, pieces);
    size_t n = at_space ? split_at_space(c->self, most, item) : split_at_text(c->self, by->text, most, item);
    *out = pb_jinja_list(item, n);
    return 0;
}

int pb_jinja_replace(pb_jinja_run *r, pb_jinja_text t, pb_jinja_text from, pb_jinja_text to, long long most,
                     pb_jinja_value *out)
{
    pb_text whole = {0};
    size_t at = 0, next;
    if (!from.size)
        return pb_jinja_fail(r, "replace: want a text to be replaced, got an empty one");
    for (; most && (next = pb_jinja_find(t, from, at)) <= t.size; at = next + from.size, most--) {
        pb_text_bytes(&whole, t.at + at, next - at);
        pb_text_bytes(&whole, to.at, to.size);
        if (whole.length > PB_JINJA_OUTPUT)
            break;
    }
    pb_text_bytes(&whole, t.at + at, t.size - at);
    *out = pb_jinja_copy(r, whole.data, whole.length);
    bool large = whole.length > PB_JINJA_OUTPUT;
    pb_text_free(&whole);
    return large ? pb_jinja_fail(r, "replace: the text is larger than %d bytes", PB_JINJA_OUTPUT) : 0;
}

static int replace(call *c, pb_jinja_value *out)
{
    long long most = -1;
    if (pb_jinja_bind(c->run, c->name, "old new count", 2, c->given, c->value) ||
        want_text(c->run, c->name, c->value[0]) || want_text(c->run, c->name, c->value[1]) ||
        take_integer(c->run, c->name, c->value[2], &most))
        return -1;
    return pb_jinja_replace(c->run, c->self, c->value[0]->text, c->value[1]->text, most, out);
}

/* A text's first character for capitalize, each first one of a word for title; of the filter title, a word begins
 * behind white space or one of -({[<. */
static bool begins_word(const char *name, const char *text, size_t i)
{
    unsigned char before = i ? (unsigned char)text[i - 1] : 0;
    if (!i)
        return true;
    return !strcmp(name, "title")          ? !isalpha(before)
           : !strcmp(name, "title filter") ? pb_jinja_is_space(before) || (before && strchr("-({[<", before))
                                           : false;
}

int pb_jinja_change_case(pb_jinja_run *r, const char *name, pb_jinja_text t, pb_jinja_value *out)
{
    char *to = pb_arena_alloc(r->arena, PB_META, t.size + 1);
    bool raises = !strcmp(name, "upper"), begins = !strcmp(name, "capitalize") || !strncmp(name, "title", 5);
    for (size_t i = 0; i < t.size; i++) {
        unsigned char c = (unsigned char)t.at[i];
        if (c >= 0x80)
            return pb_jinja_fail(r, "%s: want a text in ASCII; other letters are not supported", name);
        to[i] = (char)(raises || (begins && begins_word(name, t.at, i)) ? toupper(c) : tolower(c));
    }
    *out = pb_jinja_of(to, t.size);
    return 0;
}

static int change_case(call *c, pb_jinja_value *out)
{
    return pb_jinja_bind(c->run, c->name, "", 0, c->given, c->value)
               ? -1
               : pb_jinja_change_case(c->run, c->name, c->self, out);
}

static int join(call *c, pb_jinja_value *out)
{
    pb_jinja_value items;
    pb_text all = {0};
    if (pb_jinja_bind(c->run, c->name, "items", 1, c->given, c->value) || pb_jinja_items(c->run, c->value[0], &items))
        return -1;
    int rc = 0;
    for (size_t i = 0; i < items.list.count && !rc; i++) {
        pb_jinja_value by = pb_jinja_of(c->self.at, c->self.size);
        rc = (i && pb_jinja_print(c->run, &by, &all)) || want_text(c->run, c->name, &items.list.item[i]) ||
             pb_jinja_print(c->run, &items.list.item[i], &all);
    }
    *out = pb_jinja_copy(c->run, all.data, all.length);
    pb_text_free(&all);
    return rc ? -1 : 0;
}

/* ---- the methods of mappings --------------------------------------------------------------------------------- */

static int get(call *c, pb_jinja_value *out)
{
    if (pb_jinja_bind(c->run, c->name, "key default", 1, c->given, c->value))
        return -1;
    const pb_jinja_value *found = c->value[0]->kind == PB_J_TEXT ? pb_jinja_get(c->map, c->value[0]->text) : NULL;
    *out = found ? *found : c->value[1] ? *c->value[1] : (pb_jinja_value){.kind = PB_J_NONE};
    return 0;
}

/* items, keys and values. */
static int list_members(call *c, pb_jinja_value *out)
{
    if (pb_jinja_bind(c->run, c->name, "", 0, c->given, c->value) || pb_jinja_step(c->run, c->map->count))
        return -1;
    size_t n = c->map->count;
    pb_jinja_value *item = pb_jinja_values(c->run, n);
    for (size_t i = 0; i < n; i++) {
        pb_jinja_value *pair = pb_jinja_values(c->run, 2);
        pair[0] = pb_jinja_of(c->map->member[i].key.at, c->map->member[i].key.size);
        pair[1] = c->map->member[i].value;
        item[i] = *c->name == 'k'   ? pair[0]
                  : *c->name == 'v' ? pair[1]
                                    : (pb_jinja_value){.kind = PB_J_TUPLE, .list = {pair, 2}};
    }
    *out = pb_jinja_list(item, n);
    return 0;
}

/* ---- all ---------------------------------------------------------------------------------------------------- */

/* The names that a mapping's member cannot have in `mapping.NAME`, as Python's dict has methods of these names. */
static const struct {
    const char *name;
    bool map;
    int (*run)(call *c, pb_jinja_value *out); /* NULL: not supported */
} methods[] = {
    {"strip", false, strip},
    {"lstrip", false, strip},
    {"rstrip", false, strip},
    {"startswith", false, find_affix},
    {"endswith", false, find_affix},
    {"split", false, split},
    {"replace", false, replace},
    {"upper", false, change_case},
    {"lower", false, change_case},
    {"title", false, change_case},
    {"capitalize", false, change_case},
    {"join", false, join},
    {"get", true, get},
    {"items", true, list_members},
    {"keys", true, list_members},
    {"values", true, list_members},
    {"clear", true, NULL},
    {"copy", true, NULL},
    {"fromkeys", true, NULL},
    {"pop", true, NULL},
    {"popitem", true, NULL},
    {"setdefault", true, NULL},
    {"update", true, NULL},
};

const char *pb_jinja_method_name(const pb_jinja_value *self, pb_jinja_text name)
{
    for (size_t i = 0; i < PB_COUNT(methods); i++)
        if (methods[i].map == (self->kind == PB_J_MAP) && pb_jinja_is(name, methods[i].name))
            return methods[i].name;
    return NULL;
}

int pb_jinja_method(pb_jinja_run *r, const pb_jinja_value *self, const char *name, const pb_jinja_arguments *a,
                    pb_jinja_value *out)
{
    call c = {.run = r, .name = name, .given = a};
    if (self->kind == PB_J_TEXT)
        c.self = self->text;
    else
        c.map = self->map;
    for (size_t i = 0; i < PB_COUNT(methods); i++)
        if (methods[i].name == name && methods[i].run)
            return methods[i].run(&c, out);
    return pb_jinja_fail(r, "the method '%s' of a mapping is not supported", name);
}
