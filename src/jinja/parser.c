/* parser: expressions, with the precedence of jinja2's grammar; see jinja_internal.h. */
#include <string.h>

#include "jinja/jinja_internal.h"

pb_jinja_node *pb_jinja_node_new(pb_jinja_parser *p, pb_jinja_node_kind kind)
{
    pb_jinja_node *n = pb_arena_alloc(p->run->arena, PB_META, sizeof *n);
    n->kind = kind;
    n->line = p->at->line;
    return n;
}

bool pb_jinja_sees(const pb_jinja_parser *p, pb_jinja_token_kind kind, const char *word)
{
    return p->at->kind == kind && (!word || pb_jinja_is(p->at->text, word));
}

bool pb_jinja_skip(pb_jinja_parser *p, pb_jinja_token_kind kind, const char *word)
{
    bool here = pb_jinja_sees(p, kind, word);
    p->at += here;
    return here;
}

static bool skip_operator(pb_jinja_parser *p, const char *op)
{
    return pb_jinja_skip(p, PB_J_OPERATOR, op);
}

static bool skip_name(pb_jinja_parser *p, const char *name)
{
    return pb_jinja_skip(p, PB_J_NAME, name);
}

pb_jinja_node *pb_jinja_want(pb_jinja_parser *p, const char *what)
{
    static const char *const other[] = {"text", "{{", "the end of the tag", "{%", "the end of the tag", "", "a string"};
    const pb_jinja_token *t = p->at;
    p->run->line = t->line;
    if (t->kind == PB_J_EOF)
        pb_jinja_fail(p->run, "want %s, got the end of the template", what);
    else if (t->kind < PB_COUNT(other) && *other[t->kind])
        pb_jinja_fail(p->run, "want %s, got %s", what, other[t->kind]);
    else
        pb_jinja_fail(p->run, "want %s, got '%.*s'", what, (int)t->text.size, t->text.at);
    return NULL;
}

int pb_jinja_expect(pb_jinja_parser *p, const char *op)
{
    return skip_operator(p, op) || pb_jinja_want(p, op) ? 0 : -1;
}

/* Counts a level of nesting.  Returns false with an error if there are too many. */
static bool enter(pb_jinja_parser *p)
{
    p->run->line = p->at->line;
    return ++p->nesting <= PB_JINJA_NESTING || (pb_jinja_fail(p->run, "the template nests too deeply"), false);
}

static pb_jinja_node *parse_unary(pb_jinja_parser *p, bool filters);
static pb_jinja_node *parse_choice(pb_jinja_parser *p);

static pb_jinja_node *node_of(pb_jinja_parser *p, pb_jinja_node_kind kind, pb_jinja_node *a, pb_jinja_node *b)
{
    pb_jinja_node *n = a ? pb_jinja_node_new(p, kind) : NULL;
    if (n) {
        n->line = a->line;
        n->a = a;
        n->b = b;
    }
    return n;
}

/* ---- what an expression begins with ------------------------------------------------------------------------- */

static pb_jinja_node *constant_node(pb_jinja_parser *p, pb_jinja_value value)
{
    pb_jinja_node *n = pb_jinja_node_new(p, PB_J_CONSTANT);
    n->constant = value;
    p->at++;
    return n;
}

static pb_jinja_node *parse_name(pb_jinja_parser *p)
{
    pb_jinja_text name = p->at->text;
    if (pb_jinja_is(name, "true") || pb_jinja_is(name, "True"))
        return constant_node(p, pb_jinja_bool(true));
    if (pb_jinja_is(name, "false") || pb_jinja_is(name, "False"))
        return constant_node(p, pb_jinja_bool(false));
    if (pb_jinja_is(name, "none") || pb_jinja_is(name, "None"))
        return constant_node(p, (pb_jinja_value){.kind = PB_J_NONE});
    pb_jinja_node *n = pb_jinja_node_new(p, PB_J_VARIABLE);
    n->name = name;
    p->at++;
    return n;
}

/* String literals in a row are one string. */
static pb_jinja_node *parse_strings(pb_jinja_parser *p)
{
    pb_jinja_node *n = constant_node(p, pb_jinja_of(p->at->text.at, p->at->text.size));
    while (p->at->kind == PB_J_STRING) {
        pb_jinja_text was = n->constant.text, more = p->at->text;
        char *both = pb_arena_alloc(p->run->arena, PB_META, was.size + more.size + 1);
        memcpy(both, was.at, was.size);
        memcpy(both + was.size, more.at, more.size);
        n->constant = pb_jinja_of(both, was.size + more.size);
        if (pb_arena_live(p->run->arena, PB_META) > PB_JINJA_MEMORY)
            return pb_jinja_want(p, "fewer strings in a row");
        p->at++;
    }
    return n;
}

/* Parses items up to the closing bracket, of which a comma may stand at the end. */
static pb_jinja_node *parse_items(pb_jinja_parser *p, pb_jinja_node *n, const char *close)
{
    pb_jinja_node **end = &n->list;
    bool comma = true;
    for (; !pb_jinja_sees(p, PB_J_OPERATOR, close); end = &(*end)->next) {
        if (!comma)
            return pb_jinja_want(p, close);
        if (!(*end = parse_choice(p)))
            return NULL;
        if (n->kind == PB_J_MAKE_MAP) {
            if (pb_jinja_expect(p, ":") || !((*end)->next = parse_choice(p)))
                return NULL;
            end = &(*end)->next;
        }
        comma = skip_operator(p, ",");
    }
    p->at++;
    return n;
}

static pb_jinja_node *parse_bracketed(pb_jinja_parser *p, pb_jinja_node_kind kind, const char *close)
{
    pb_jinja_node *n = pb_jinja_node_new(p, kind);
    p->at++;
    return parse_items(p, n, close);
}

static pb_jinja_node *parse_parenthesis(pb_jinja_parser *p)
{
    if (p->at[1].kind == PB_J_OPERATOR && pb_jinja_is(p->at[1].text, ")"))
        return parse_bracketed(p, PB_J_MAKE_TUPLE, ")");
    p->at++;
    pb_jinja_node *n = pb_jinja_expression(p, true, true);
    return n && !pb_jinja_expect(p, ")") ? n : NULL;
}

static pb_jinja_node *parse_primary(pb_jinja_parser *p)
{
    const pb_jinja_token *t = p->at;
    switch (t->kind) {
    case PB_J_NAME: return parse_name(p);
    case PB_J_STRING: return parse_strings(p);
    case PB_J_INTEGER: return constant_node(p, pb_jinja_int(t->integer));
    case PB_J_FLOAT: return constant_node(p, (pb_jinja_value){.kind = PB_J_REAL, .real = t->real});
    default: break;
    }
    if (pb_jinja_sees(p, PB_J_OPERATOR, "("))
        return parse_parenthesis(p);
    if (pb_jinja_sees(p, PB_J_OPERATOR, "["))
        return parse_bracketed(p, PB_J_MAKE_LIST, "]");
    if (pb_jinja_sees(p, PB_J_OPERATOR, "{"))
        return parse_bracketed(p, PB_J_MAKE_MAP, "}");
    return pb_jinja_want(p, "an expression");
}

/* ---- what follows it ---------------------------------------------------------------------------------------- */

/* Parses the arguments of a call behind its parenthesis into n->list. */
static pb_jinja_node *parse_arguments(pb_jinja_parser *p, pb_jinja_node *n)
{
    pb_jinja_node **end = &n->list;
    bool named = false, comma = true;
    for (int count = 0; !pb_jinja_sees(p, PB_J_OPERATOR, ")"); count++, end = &(*end)->next) {
        const char *keyword = NULL;
        if (!comma || count == PB_JINJA_MOST_ARGUMENTS)
            return pb_jinja_want(p, comma ? "fewer arguments" : ")");
        if (p->at->kind == PB_J_NAME && p->at[1].kind == PB_J_OPERATOR && pb_jinja_is(p->at[1].text, "=")) {
            char *name = pb_arena_alloc(p->run->arena, PB_META, p->at->text.size + 1);
            keyword = memcpy(name, p->at->text.at, p->at->text.size);
            p->at += 2;
        }
        if (named && !keyword)
            return pb_jinja_want(p, "a name and = before this argument, as the ones before it have");
        if (!(*end = parse_choice(p)))
            return NULL;
        (*end)->keyword = keyword;
        named = keyword != NULL;
        comma = skip_operator(p, ",");
    }
    p->at++;
    return n;
}

/* Parses what stands in [..] behind a. */
static pb_jinja_node *parse_subscript(pb_jinja_parser *p, pb_jinja_node *a)
{
    pb_jinja_node *bound[3] = {0};
    int parts = 0;
    bool slice = false;
    p->at++;
    for (; !pb_jinja_sees(p, PB_J_OPERATOR, "]"); slice = true) {
        if (!pb_jinja_sees(p, PB_J_OPERATOR, ":") && !(bound[parts] = parse_choice(p)))
            return NULL;
        if (pb_jinja_sees(p, PB_J_OPERATOR, "]"))
            break;
        if (++parts == 3 || pb_jinja_expect(p, ":"))
            return pb_jinja_want(p, "]");
    }
    p->at++;
    pb_jinja_node *n = node_of(p, slice ? PB_J_SLICE : PB_J_ITEM, a, bound[0]);
    n->c = bound[1];
    n->d = bound[2];
    return slice || bound[0] ? n : pb_jinja_want(p, "an index in []");
}

static pb_jinja_node *parse_postfix(pb_jinja_parser *p, pb_jinja_node *n)
{
    while (n) {
        p->run->line = n->line;
        if (pb_jinja_sees(p, PB_J_OPERATOR, "[")) {
            n = parse_subscript(p, n);
        } else if (pb_jinja_sees(p, PB_J_OPERATOR, "(")) {
            p->at++;
            n = parse_arguments(p, node_of(p, PB_J_CALL, n, NULL));
        } else if (skip_operator(p, ".")) {
            n = node_of(p, PB_J_ATTRIBUTE, n, NULL);
            n->line = p->at->line;
            n->name = p->at->text;
            if (!skip_name(p, NULL))
                return pb_jinja_want(p, "a name behind the point");
        } else {
            return n;
        }
    }
    return NULL;
}

static pb_jinja_node *parse_filter(pb_jinja_parser *p, pb_jinja_node *a)
{
    pb_jinja_node *n = node_of(p, PB_J_FILTER, a, NULL);
    n->line = p->at->line;
    n->name = p->at->text;
    if (!skip_name(p, NULL))
        return pb_jinja_want(p, "the name of a filter");
    if (!pb_jinja_has_filter(n->name)) {
        p->run->line = n->line;
        pb_jinja_fail(p->run, "the filter '%.*s' is not supported", (int)n->name.size, n->name.at);
        return NULL;
    }
    return skip_operator(p, "(") ? parse_arguments(p, n) : n;
}

/* Whether the argument of a test, such as 3 in `x is equalto 3`, follows. */
static bool sees_argument(const pb_jinja_parser *p)
{
    static const char *const open[] = {"(", "[", "{"};
    for (size_t i = 0; i < PB_COUNT(open); i++)
        if (pb_jinja_sees(p, PB_J_OPERATOR, open[i]))
            return true;
    if (p->at->kind == PB_J_NAME)
        return !pb_jinja_is(p->at->text, "else") && !pb_jinja_is(p->at->text, "or") && !pb_jinja_is(p->at->text, "and");
    return p->at->kind == PB_J_STRING || p->at->kind == PB_J_INTEGER || p->at->kind == PB_J_FLOAT;
}

static pb_jinja_node *parse_test(pb_jinja_parser *p, pb_jinja_node *a)
{
    bool negated = skip_name(p, "not");
    pb_jinja_node *n = node_of(p, PB_J_TEST, a, NULL);
    n->line = p->at->line;
    n->name = p->at->text;
    if (!skip_name(p, NULL))
        return pb_jinja_want(p, "the name of a test");
    if (!pb_jinja_has_test(n->name)) {
        p->run->line = n->line;
        pb_jinja_fail(p->run, "the test '%.*s' is not supported", (int)n->name.size, n->name.at);
        return NULL;
    }
    if (pb_jinja_sees(p, PB_J_NAME, "is"))
        return pb_jinja_want(p, "no second test");
    if (skip_operator(p, "("))
        n = parse_arguments(p, n);
    else if (sees_argument(p) && !(n->list = parse_postfix(p, parse_primary(p))))
        return NULL;
    return negated && n ? node_of(p, PB_J_NOT, n, NULL) : n;
}

static pb_jinja_node *parse_filters(pb_jinja_parser *p, pb_jinja_node *n)
{
    while (n) {
        if (skip_operator(p, "|"))
            n = parse_filter(p, n);
        else if (skip_name(p, "is"))
            n = parse_test(p, n);
        else if (skip_operator(p, "("))
            n = parse_arguments(p, node_of(p, PB_J_CALL, n, NULL));
        else
            return n;
    }
    return NULL;
}

/* ---- operators, from the strongest -------------------------------------------------------------------------- */

static pb_jinja_node *parse_signed(pb_jinja_parser *p, bool filters)
{
    pb_jinja_node *n;
    bool minus = pb_jinja_sees(p, PB_J_OPERATOR, "-");
    if (skip_operator(p, "-") || skip_operator(p, "+"))
        n = node_of(p, minus ? PB_J_NEGATE : PB_J_PLUS, parse_unary(p, false), NULL);
    else
        n = parse_primary(p);
    n = parse_postfix(p, n);
    return filters ? parse_filters(p, n) : n;
}

static pb_jinja_node *parse_unary(pb_jinja_parser *p, bool filters)
{
    pb_jinja_node *n = enter(p) ? parse_signed(p, filters) : NULL;
    p->nesting--;
    return n;
}

static pb_jinja_node *operate(pb_jinja_parser *p, pb_jinja_node_kind kind, const char *op, pb_jinja_node *a,
                              pb_jinja_node *b)
{
    pb_jinja_node *n = b ? node_of(p, kind, a, b) : NULL;
    if (n)
        n->name = (pb_jinja_text){op, strlen(op)};
    return n;
}

static pb_jinja_node *parse_product(pb_jinja_parser *p)
{
    static const char *const ops[] = {"*", "/", "//", "%"};
    pb_jinja_node *n = parse_unary(p, true);
    for (size_t i = 0; n && i < PB_COUNT(ops); i++)
        if (skip_operator(p, ops[i])) {
            n = operate(p, PB_J_OPERATE, ops[i], n, parse_unary(p, true));
            i = (size_t)-1;
        }
    return n;
}

static pb_jinja_node *parse_concat(pb_jinja_parser *p)
{
    pb_jinja_node *n = parse_product(p);
    while (n && skip_operator(p, "~"))
        n = operate(p, PB_J_CONCAT, "~", n, parse_product(p));
    return n;
}

static pb_jinja_node *parse_sum(pb_jinja_parser *p)
{
    pb_jinja_node *n = parse_concat(p);
    while (n && (pb_jinja_sees(p, PB_J_OPERATOR, "+") || pb_jinja_sees(p, PB_J_OPERATOR, "-"))) {
        const char *op = pb_jinja_is(p->at++->text, "+") ? "+" : "-";
        n = operate(p, PB_J_OPERATE, op, n, parse_concat(p));
    }
    return n;
}

/* Returns the operator of a comparison that follows, and moves behind it. */
static const char *skip_comparison(pb_jinja_parser *p)
{
    static const char *const ops[] = {"==", "!=", "<=", ">=", "<", ">"};
    for (size_t i = 0; i < PB_COUNT(ops); i++)
        if (skip_operator(p, ops[i]))
            return ops[i];
    if (skip_name(p, "in"))
        return "in";
    if (pb_jinja_sees(p, PB_J_NAME, "not") && p->at[1].kind == PB_J_NAME && pb_jinja_is(p->at[1].text, "in")) {
        p->at += 2;
        return "not in";
    }
    return NULL;
}

/* The operands after the first one are a list, each with its operator as its keyword. */
static pb_jinja_node *parse_comparison(pb_jinja_parser *p)
{
    pb_jinja_node *first = parse_sum(p), *n = NULL, **end = NULL;
    for (const char *op; first && (op = skip_comparison(p)); end = &(*end)->next) {
        if (!n) {
            n = node_of(p, PB_J_COMPARE, first, NULL);
            end = &n->list;
        }
        if (!(*end = parse_sum(p)))
            return NULL;
        (*end)->keyword = op;
    }
    return n ? n : first;
}

static pb_jinja_node *parse_not(pb_jinja_parser *p)
{
    if (!enter(p)) {
        p->nesting--;
        return NULL;
    }
    pb_jinja_node *n = skip_name(p, "not") ? node_of(p, PB_J_NOT, parse_not(p), NULL) : parse_comparison(p);
    p->nesting--;
    return n;
}

static pb_jinja_node *parse_and(pb_jinja_parser *p)
{
    pb_jinja_node *n = parse_not(p);
    while (n && skip_name(p, "and"))
        n = operate(p, PB_J_AND, "and", n, parse_not(p));
    return n;
}

static pb_jinja_node *parse_or(pb_jinja_parser *p)
{
    pb_jinja_node *n = parse_and(p);
    while (n && skip_name(p, "or"))
        n = operate(p, PB_J_OR, "or", n, parse_and(p));
    return n;
}

static pb_jinja_node *parse_ifs(pb_jinja_parser *p)
{
    pb_jinja_node *n = parse_or(p);
    while (n && skip_name(p, "if")) {
        pb_jinja_node *condition = parse_or(p), *choice = condition ? node_of(p, PB_J_CHOOSE, n, condition) : NULL;
        if (choice && skip_name(p, "else") && !(choice->c = parse_choice(p)))
            return NULL;
        n = choice;
    }
    return n;
}

static pb_jinja_node *parse_choice(pb_jinja_parser *p)
{
    pb_jinja_node *n = enter(p) ? parse_ifs(p) : NULL;
    p->nesting--;
    return n;
}

/* ---- the whole ---------------------------------------------------------------------------------------------- */

static bool sees_end(const pb_jinja_parser *p)
{
    return p->at->kind == PB_J_END_PRINT || p->at->kind == PB_J_END_BLOCK || pb_jinja_sees(p, PB_J_OPERATOR, ")");
}

pb_jinja_node *pb_jinja_expression(pb_jinja_parser *p, bool tuple, bool choose)
{
    pb_jinja_node *first = choose ? parse_choice(p) : parse_or(p);
    if (!first || !tuple || !pb_jinja_sees(p, PB_J_OPERATOR, ","))
        return first;
    pb_jinja_node *n = node_of(p, PB_J_MAKE_TUPLE, first, NULL), **end = &n->list;
    n->a = NULL;
    *end = first;
    while (skip_operator(p, ",") && !sees_end(p)) {
        end = &(*end)->next;
        if (!(*end = choose ? parse_choice(p) : parse_or(p)))
            return NULL;
    }
    return n;
}

pb_jinja_node *pb_jinja_target(pb_jinja_parser *p, bool members)
{
    pb_jinja_node *n = pb_jinja_node_new(p, PB_J_MAKE_TUPLE), **end = &n->list;
    do {
        pb_jinja_node *one = p->at->kind == PB_J_NAME ? parse_name(p) : NULL;
        if (!one || one->kind != PB_J_VARIABLE)
            return pb_jinja_want(p, "the name of a variable");
        *end = one;
        end = &one->next;
        if (members && pb_jinja_sees(p, PB_J_OPERATOR, ".")) {
            p->at++;
            one->keyword = pb_arena_format(p->run->arena, "%.*s", (int)p->at->text.size, p->at->text.at);
            return skip_name(p, NULL) ? one : pb_jinja_want(p, "the name of a member");
        }
    } while (skip_operator(p, ","));
    return n->list->next ? n : n->list;
}
