/* render: evaluates a template's tree; see jinja.h. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "jinja/jinja_internal.h"

/* The variables of a loop's or a macro's body, or those of the template. */
typedef struct scope {
    const struct scope *outer;
    pb_jinja_map *variables;
} scope;

typedef struct renderer {
    pb_jinja_run run;
    const scope *global;
    pb_text *out; /* what is being written: the output, or the text of a macro or of a set block */
    pb_jinja_output *output;
} renderer;

/* How a statement ended. */
typedef enum flow { FLOW_ERROR = -1, FLOW_ON, FLOW_BREAK, FLOW_CONTINUE } flow;

static int eval(renderer *r, const scope *s, const pb_jinja_node *n, pb_jinja_value *out);
static flow execute_all(renderer *r, const scope *s, const pb_jinja_node *n);

/* ---- variables ---------------------------------------------------------------------------------------------- */

static scope new_scope(renderer *r, const scope *outer)
{
    return (scope){outer, pb_arena_alloc(r->run.arena, PB_META, sizeof(pb_jinja_map))};
}

static pb_jinja_value look_up(const scope *s, pb_jinja_text name)
{
    for (; s; s = s->outer) {
        const pb_jinja_value *found = pb_jinja_get(s->variables, name);
        if (found)
            return *found;
    }
    const char *function = pb_jinja_function_name(name);
    if (function)
        return (pb_jinja_value){.kind = PB_J_FUNCTION, .text = {function, strlen(function)}};
    return pb_jinja_undefined(name.at, name.size);
}

/* Assigns a value to a variable, to those of a tuple, or to a member of a namespace. */
static int assign(renderer *r, const scope *s, const pb_jinja_node *target, const pb_jinja_value *v)
{
    pb_jinja_run *run = &r->run;
    if (target->kind == PB_J_MAKE_TUPLE) {
        pb_jinja_value items;
        if (pb_jinja_items(run, v, &items))
            return -1;
        size_t i = 0;
        for (const pb_jinja_node *one = target->list; one; one = one->next, i++)
            if (i == items.list.count || assign(r, s, one, &items.list.item[i]))
                return pb_jinja_fail(run, "too few values to unpack");
        return i == items.list.count ? 0 : pb_jinja_fail(run, "too many values to unpack");
    }
    if (!target->keyword) {
        pb_jinja_put(run, s->variables, target->name, *v);
        return 0;
    }
    pb_jinja_value space = look_up(s, target->name);
    if (space.kind != PB_J_NAMESPACE)
        return pb_jinja_fail(run, "want a namespace in front of .%s, got %s", target->keyword, pb_jinja_what(&space));
    if (*target->keyword == '_')
        return pb_jinja_fail(run, "a namespace has no members whose names begin with _, got %s", target->keyword);
    pb_jinja_put(run, space.map, (pb_jinja_text){target->keyword, strlen(target->keyword)}, *v);
    return 0;
}

/* ---- expressions -------------------------------------------------------------------------------------------- */

static int eval_items(renderer *r, const scope *s, const pb_jinja_node *n, pb_jinja_value *out)
{
    size_t count = 0;
    for (const pb_jinja_node *i = n->list; i; i = i->next)
        count++;
    pb_jinja_value *item = pb_jinja_values(&r->run, count);
    count = 0;
    for (const pb_jinja_node *i = n->list; i; i = i->next)
        if (eval(r, s, i, &item[count++]))
            return -1;
    *out = (pb_jinja_value){.kind = n->kind == PB_J_MAKE_LIST ? PB_J_LIST : PB_J_TUPLE, .list = {item, count}};
    return 0;
}

static int eval_map(renderer *r, const scope *s, const pb_jinja_node *n, pb_jinja_value *out)
{
    *out = pb_jinja_new_map(&r->run, PB_J_MAP);
    for (const pb_jinja_node *i = n->list; i; i = i->next->next) {
        pb_jinja_value key, value;
        if (eval(r, s, i, &key) || eval(r, s, i->next, &value))
            return -1;
        if (key.kind != PB_J_TEXT)
            return pb_jinja_fail(&r->run, "want a text as a key, got %s", pb_jinja_what(&key));
        pb_jinja_put(&r->run, out->map, key.text, value);
    }
    return 0;
}

static int eval_arguments(renderer *r, const scope *s, const pb_jinja_node *n, pb_jinja_arguments *out)
{
    out->count = 0;
    for (const pb_jinja_node *i = n->list; i; i = i->next) {
        out->keyword[out->count] = i->keyword;
        if (eval(r, s, i, &out->value[out->count++]))
            return -1;
    }
    return 0;
}

/* Writes what the body writes into a text of its own. */
static int capture(renderer *r, const scope *s, const pb_jinja_node *body, pb_jinja_value *out)
{
    pb_text text = {0}, *before = r->out;
    r->out = &text;
    flow how = execute_all(r, s, body);
    r->out = before;
    *out = pb_jinja_copy(&r->run, text.data, text.length);
    pb_text_free(&text);
    return how == FLOW_ERROR ? -1 : 0;
}

/* A macro sees the variables of the template, not those of its caller. */
static int call_macro(renderer *r, const pb_jinja_node *macro, const pb_jinja_arguments *a, pb_jinja_value *out)
{
    scope s = new_scope(r, r->global);
    const pb_jinja_node *parameter = macro->list;
    int used = 0, position = 0;
    for (; parameter; parameter = parameter->next) {
        pb_jinja_value v = pb_jinja_undefined(parameter->name.at, parameter->name.size);
        int given = position < a->count && !a->keyword[position] ? position++ : -1;
        for (int i = 0; i < a->count && given < 0; i++)
            given = a->keyword[i] && pb_jinja_is(parameter->name, a->keyword[i]) ? i : -1;
        if (given < 0 && parameter->a && eval(r, &s, parameter->a, &v))
            return -1;
        pb_jinja_put(&r->run, s.variables, parameter->name, given < 0 ? v : a->value[given]);
        used += given >= 0;
    }
    if (used != a->count)
        return pb_jinja_fail(&r->run, "the macro '%.*s' does not take these arguments", (int)macro->name.size,
                             macro->name.at);
    return capture(r, &s, macro->body, out);
}

static int eval_call(renderer *r, const scope *s, const pb_jinja_node *n, pb_jinja_value *out)
{
    pb_jinja_value f;
    pb_jinja_arguments a;
    if (eval(r, s, n->a, &f) || eval_arguments(r, s, n, &a))
        return -1;
    r->run.line = n->line;
    switch (f.kind) {
    case PB_J_MACRO: return call_macro(r, f.macro, &a, out);
    case PB_J_FUNCTION: return pb_jinja_call(&r->run, f.text.at, &a, out);
    case PB_J_METHOD: return pb_jinja_method(&r->run, f.method.self, f.method.name, &a, out);
    case PB_J_UNDEFINED: return pb_jinja_fail(&r->run, "there is no function '%.*s'", (int)f.text.size, f.text.at);
    default: return pb_jinja_fail(&r->run, "want a function to call, got %s", pb_jinja_what(&f));
    }
}

static int eval_slice(renderer *r, const scope *s, const pb_jinja_node *n, pb_jinja_value *out)
{
    const pb_jinja_node *const node[] = {n->b, n->c, n->d};
    const pb_jinja_value *bound[3] = {0};
    pb_jinja_value v, value[3];
    if (eval(r, s, n->a, &v))
        return -1;
    for (int i = 0; i < 3; i++) {
        if (node[i] && eval(r, s, node[i], &value[i]))
            return -1;
        bound[i] = node[i] ? &value[i] : NULL;
    }
    r->run.line = n->line;
    return pb_jinja_slice(&r->run, &v, bound, out);
}

static int eval_compare(renderer *r, const scope *s, const pb_jinja_node *n, pb_jinja_value *out)
{
    pb_jinja_value left, right;
    bool holds = true;
    if (eval(r, s, n->a, &left))
        return -1;
    for (const pb_jinja_node *i = n->list; i && holds; i = i->next, left = right) {
        if (eval(r, s, i, &right))
            return -1;
        r->run.line = n->line;
        if (pb_jinja_compare(&r->run, i->keyword, &left, &right, &holds))
            return -1;
    }
    *out = pb_jinja_bool(holds);
    return 0;
}

static int concatenate(renderer *r, const pb_jinja_value *a, const pb_jinja_value *b, pb_jinja_value *out)
{
    pb_text both = {0};
    int rc = pb_jinja_print(&r->run, a, &both) || pb_jinja_print(&r->run, b, &both) ? -1 : 0;
    *out = pb_jinja_copy(&r->run, both.data, both.length);
    pb_text_free(&both);
    return rc;
}

static int eval_sign(renderer *r, const pb_jinja_node *n, const pb_jinja_value *v, pb_jinja_value *out)
{
    const pb_jinja_value zero = pb_jinja_int(0);
    if (!pb_jinja_is_number(v))
        return pb_jinja_fail(&r->run, "a sign is not supported for %s", pb_jinja_what(v));
    if (n->kind == PB_J_NEGATE && v->kind == PB_J_REAL) {
        *out = (pb_jinja_value){.kind = PB_J_REAL, .real = -v->real};
        return 0;
    }
    return pb_jinja_operate(&r->run, n->kind == PB_J_NEGATE ? "-" : "+", &zero, v, out);
}

/* Nodes whose operands a and, where there is one, b are evaluated first. */
static int eval_operation(renderer *r, const scope *s, const pb_jinja_node *n, pb_jinja_value *out)
{
    pb_jinja_value a, b;
    pb_jinja_run *run = &r->run;
    if (eval(r, s, n->a, &a) || (n->b && eval(r, s, n->b, &b)))
        return -1;
    run->line = n->line;
    switch (n->kind) {
    case PB_J_ATTRIBUTE: return pb_jinja_attribute(run, &a, n->name, out);
    case PB_J_ITEM: return pb_jinja_item(run, &a, &b, out);
    case PB_J_OPERATE: return pb_jinja_operate(run, n->name.at, &a, &b, out);
    case PB_J_CONCAT: return concatenate(r, &a, &b, out);
    case PB_J_NOT: *out = pb_jinja_bool(!pb_jinja_truth(&a)); return 0;
    case PB_J_NEGATE:
    case PB_J_PLUS: return eval_sign(r, n, &a, out);
    default: PB_BUG("node %d", (int)n->kind);
    }
}

/* Filters and tests. */
static int eval_builtin(renderer *r, const scope *s, const pb_jinja_node *n, pb_jinja_value *out)
{
    pb_jinja_value v;
    pb_jinja_arguments a;
    bool passes;
    if (eval(r, s, n->a, &v) || eval_arguments(r, s, n, &a))
        return -1;
    r->run.line = n->line;
    if (n->kind == PB_J_FILTER)
        return pb_jinja_filter(&r->run, n->name, &v, &a, out);
    if (pb_jinja_test(&r->run, n->name, &v, &a, &passes))
        return -1;
    *out = pb_jinja_bool(passes);
    return 0;
}

/* and, or, and a choice evaluate only what they need. */
static int eval_branch(renderer *r, const scope *s, const pb_jinja_node *n, pb_jinja_value *out)
{
    pb_jinja_value first;
    if (eval(r, s, n->kind == PB_J_CHOOSE ? n->b : n->a, &first))
        return -1;
    bool truth = pb_jinja_truth(&first);
    const pb_jinja_node *next = n->kind == PB_J_CHOOSE           ? (truth ? n->a : n->c)
                                : truth == (n->kind == PB_J_AND) ? n->b
                                                                 : NULL;
    *out = n->kind == PB_J_CHOOSE ? pb_jinja_undefined("the value of an if without else", 31) : first;
    return next ? eval(r, s, next, out) : 0;
}

static int eval_node(renderer *r, const scope *s, const pb_jinja_node *n, pb_jinja_value *out)
{
    switch (n->kind) {
    case PB_J_CONSTANT: *out = n->constant; return 0;
    case PB_J_VARIABLE: *out = look_up(s, n->name); return 0;
    case PB_J_MAKE_LIST:
    case PB_J_MAKE_TUPLE: return eval_items(r, s, n, out);
    case PB_J_MAKE_MAP: return eval_map(r, s, n, out);
    case PB_J_SLICE: return eval_slice(r, s, n, out);
    case PB_J_CALL: return eval_call(r, s, n, out);
    case PB_J_FILTER:
    case PB_J_TEST: return eval_builtin(r, s, n, out);
    case PB_J_COMPARE: return eval_compare(r, s, n, out);
    case PB_J_AND:
    case PB_J_OR:
    case PB_J_CHOOSE: return eval_branch(r, s, n, out);
    default: return eval_operation(r, s, n, out);
    }
}

/* Counts a level and a step.  Returns -1 with an error if there are too many. */
static int enter(renderer *r, const pb_jinja_node *n)
{
    r->run.line = n->line;
    if (++r->run.depth > PB_JINJA_DEPTH)
        return pb_jinja_fail(&r->run, "the template nests too deeply");
    return pb_jinja_step(&r->run, 1);
}

static int eval(renderer *r, const scope *s, const pb_jinja_node *n, pb_jinja_value *out)
{
    int rc = enter(r, n) ? -1 : eval_node(r, s, n, out);
    r->run.depth--;
    return rc;
}

/* ---- statements --------------------------------------------------------------------------------------------- */

static void put_number(renderer *r, pb_jinja_map *m, const char *key, long long n)
{
    pb_jinja_put(&r->run, m, (pb_jinja_text){key, strlen(key)}, pb_jinja_int(n));
}

static void put_item(renderer *r, pb_jinja_map *m, const char *key, const pb_jinja_value *items, size_t i)
{
    pb_jinja_value v = i < items->list.count ? items->list.item[i] : pb_jinja_undefined(key, strlen(key));
    pb_jinja_put(&r->run, m, (pb_jinja_text){key, strlen(key)}, v);
}

/* Returns the variable `loop` in round i. */
static pb_jinja_value loop_of(renderer *r, const pb_jinja_value *items, size_t i)
{
    pb_jinja_value loop = pb_jinja_new_map(&r->run, PB_J_LOOP);
    long long n = (long long)items->list.count, at = (long long)i;
    put_number(r, loop.map, "index", at + 1);
    put_number(r, loop.map, "index0", at);
    put_number(r, loop.map, "revindex", n - at);
    put_number(r, loop.map, "revindex0", n - at - 1);
    put_number(r, loop.map, "length", n);
    pb_jinja_put(&r->run, loop.map, (pb_jinja_text){"first", 5}, pb_jinja_bool(!i));
    pb_jinja_put(&r->run, loop.map, (pb_jinja_text){"last", 4}, pb_jinja_bool(at + 1 == n));
    put_item(r, loop.map, "previtem", items, i - 1);
    put_item(r, loop.map, "nextitem", items, i + 1);
    return loop;
}

/* Reduces the items of a loop to those that meet its condition. */
static int filter_items(renderer *r, const scope *s, const pb_jinja_node *n, pb_jinja_value *items)
{
    pb_jinja_value *kept = pb_jinja_values(&r->run, items->list.count), meets;
    size_t count = 0;
    for (size_t i = 0; i < items->list.count; i++) {
        scope inner = new_scope(r, s);
        if (assign(r, &inner, n->b, &items->list.item[i]) || eval(r, &inner, n->c, &meets))
            return -1;
        if (pb_jinja_truth(&meets))
            kept[count++] = items->list.item[i];
    }
    *items = pb_jinja_list(kept, count);
    return 0;
}

static flow execute_for(renderer *r, const scope *s, const pb_jinja_node *n)
{
    pb_jinja_value v, items;
    if (eval(r, s, n->a, &v) || pb_jinja_items(&r->run, &v, &items) || (n->c && filter_items(r, s, n, &items)))
        return FLOW_ERROR;
    flow how = FLOW_ON;
    for (size_t i = 0; i < items.list.count && how != FLOW_ERROR && how != FLOW_BREAK; i++) {
        scope inner = new_scope(r, s);
        r->run.line = n->line;
        if (assign(r, &inner, n->b, &items.list.item[i]))
            return FLOW_ERROR;
        pb_jinja_put(&r->run, inner.variables, (pb_jinja_text){"loop", 4}, loop_of(r, &items, i));
        how = execute_all(r, &inner, n->body);
    }
    if (how == FLOW_ERROR)
        return how;
    scope inner = new_scope(r, s);
    return items.list.count ? FLOW_ON : execute_all(r, &inner, n->other);
}

static flow execute_if(renderer *r, const scope *s, const pb_jinja_node *n)
{
    pb_jinja_value v;
    if (eval(r, s, n->a, &v))
        return FLOW_ERROR;
    return execute_all(r, s, pb_jinja_truth(&v) ? n->body : n->other);
}

static int execute_set(renderer *r, const scope *s, const pb_jinja_node *n)
{
    pb_jinja_value v;
    if (n->kind == PB_J_SET ? eval(r, s, n->a, &v) : capture(r, s, n->body, &v))
        return -1;
    r->run.line = n->line;
    return assign(r, s, n->b, &v);
}

/* What a macro or a set block writes has no place in the output yet, so nothing can be marked there. */
static flow execute_generation(renderer *r, const scope *s, const pb_jinja_node *n)
{
    pb_jinja_output *o = r->output;
    if (r->out != &o->text)
        return pb_jinja_fail(&r->run, "{%% generation %%} in a set block is not supported"), FLOW_ERROR;
    const scope inner = new_scope(r, s);
    size_t from = o->text.length;
    flow how = execute_all(r, &inner, n->body);
    if (how == FLOW_ERROR)
        return how;
    pb_grow(&o->mark, o->marks, &o->capacity, sizeof *o->mark);
    o->mark[o->marks++] = (pb_jinja_mark){from, o->text.length};
    return how;
}

static flow execute(renderer *r, const scope *s, const pb_jinja_node *n)
{
    pb_jinja_value v;
    switch (n->kind) {
    case PB_J_WRITE: return pb_jinja_print(&r->run, &n->constant, r->out) ? FLOW_ERROR : FLOW_ON;
    case PB_J_OUTPUT:
        if (eval(r, s, n->a, &v))
            return FLOW_ERROR;
        r->run.line = n->line;
        return pb_jinja_print(&r->run, &v, r->out) ? FLOW_ERROR : FLOW_ON;
    case PB_J_IF: return execute_if(r, s, n);
    case PB_J_FOR: return execute_for(r, s, n);
    case PB_J_SET:
    case PB_J_SET_BLOCK: return execute_set(r, s, n) ? FLOW_ERROR : FLOW_ON;
    case PB_J_MACRO_NODE:
        pb_jinja_put(&r->run, s->variables, n->name, (pb_jinja_value){.kind = PB_J_MACRO, .macro = n});
        return FLOW_ON;
    case PB_J_GENERATION: return execute_generation(r, s, n);
    case PB_J_BREAK: return FLOW_BREAK;
    case PB_J_CONTINUE: return FLOW_CONTINUE;
    default: PB_BUG("node %d is no statement", (int)n->kind);
    }
}

static flow execute_all(renderer *r, const scope *s, const pb_jinja_node *n)
{
    flow how = FLOW_ON;
    for (; n && how == FLOW_ON; n = n->next) {
        how = enter(r, n) ? FLOW_ERROR : execute(r, s, n);
        r->run.depth--;
    }
    return how;
}

/* ---- the template ------------------------------------------------------------------------------------------- */

static int check_text(const pb_jinja_run *r, const char *text, size_t size)
{
    int32_t c;
    if (size > PB_JINJA_TEMPLATE)
        return pb_jinja_fail(r, "want a template of at most %d bytes, got %zu", PB_JINJA_TEMPLATE, size);
    for (size_t i = 0, n; i < size; i += n) {
        n = pb_utf8_next(text + i, size - i, &c);
        if (!c || (c == 0xFFFD && n < 3))
            return pb_jinja_fail(r, "want UTF-8 without NUL, got byte 0x%02X at offset %zu", (unsigned char)text[i], i);
    }
    return 0;
}

pb_jinja *pb_jinja_parse(const char *name, const char *text, size_t size)
{
    pb_jinja *t = pb_alloc(sizeof *t);
    t->name = pb_strdup(name);
    t->arena = pb_arena_new("template");
    pb_jinja_run run = {.name = t->name, .line = 1, .arena = t->arena};
    pb_jinja_parser p = {.run = &run};
    p.at = check_text(&run, text, size) ? NULL : pb_jinja_lex(&run, text, size);
    int rc = p.at ? pb_jinja_statements(&p, &t->body) : -1;
    t->marks = p.marks;
    if (!rc)
        return t;
    pb_jinja_free(t);
    return NULL;
}

void pb_jinja_free(pb_jinja *t)
{
    if (!t)
        return;
    pb_arena_free(t->arena);
    free(t->name);
    free(t);
}

bool pb_jinja_marks(const pb_jinja *t)
{
    return t->marks;
}

void pb_jinja_output_free(pb_jinja_output *o)
{
    pb_text_free(&o->text);
    free(o->mark);
    *o = (pb_jinja_output){0};
}

int pb_jinja_render(const pb_jinja *t, const pb_json *variables, const char *date, pb_jinja_output *out)
{
    pb_arena *arena = pb_arena_new("rendered template");
    renderer r = {.run = {.name = t->name, .line = 1, .date = date, .arena = arena}, .out = &out->text, .output = out};
    pb_jinja_value given = pb_jinja_from_json(&r.run, variables);
    const scope outer = {NULL, given.map};
    const scope s = new_scope(&r, &outer);
    out->text.length = out->marks = 0;
    pb_text_bytes(&out->text, "", 0);
    r.global = &s;
    int rc = given.kind != PB_J_MAP                       ? pb_error("%s: want an object of variables", t->name)
             : execute_all(&r, &s, t->body) == FLOW_ERROR ? -1
                                                          : pb_jinja_step(&r.run, 0);
    pb_arena_free(arena);
    return rc;
}
