/* statements: the tags of a template; see jinja_internal.h. */
#include <string.h>

#include "jinja/jinja_internal.h"

static int parse_body(pb_jinja_parser *p, pb_jinja_node **out);

static int end_tag(pb_jinja_parser *p)
{
    return pb_jinja_skip(p, PB_J_END_BLOCK, NULL) || pb_jinja_want(p, "the end of the tag") ? 0 : -1;
}

/* Whether the next tag is this one. */
static bool sees_tag(const pb_jinja_parser *p, const char *name)
{
    return p->at->kind == PB_J_BEGIN_BLOCK && p->at[1].kind == PB_J_NAME && pb_jinja_is(p->at[1].text, name);
}

static bool skip_tag(pb_jinja_parser *p, const char *name)
{
    bool here = sees_tag(p, name);
    p->at += here ? 2 : 0;
    return here;
}

static int expect_tag(pb_jinja_parser *p, const char *name)
{
    if (!skip_tag(p, name)) {
        char want[40];
        snprintf(want, sizeof want, "{%% %s %%}", name);
        if (p->at->kind == PB_J_BEGIN_BLOCK)
            p->at++;
        pb_jinja_want(p, want);
        return -1;
    }
    return end_tag(p);
}

/* ---- the statements: each begins behind its name ------------------------------------------------------------ */

static int parse_if(pb_jinja_parser *p, pb_jinja_node *n)
{
    for (;;) {
        n->kind = PB_J_IF;
        if (!(n->a = pb_jinja_expression(p, true, false)) || end_tag(p) || parse_body(p, &n->body))
            return -1;
        if (!sees_tag(p, "elif"))
            break;
        p->at++;
        n->other = pb_jinja_node_new(p, PB_J_IF);
        n = n->other;
        p->at++;
    }
    if (skip_tag(p, "else") && (end_tag(p) || parse_body(p, &n->other)))
        return -1;
    return expect_tag(p, "endif");
}

static int parse_for(pb_jinja_parser *p, pb_jinja_node *n)
{
    n->kind = PB_J_FOR;
    if (!(n->b = pb_jinja_target(p, false)))
        return -1;
    if (!pb_jinja_skip(p, PB_J_NAME, "in"))
        return pb_jinja_want(p, "in") ? 0 : -1;
    if (!(n->a = pb_jinja_expression(p, true, false)))
        return -1;
    if (pb_jinja_skip(p, PB_J_NAME, "if") && !(n->c = pb_jinja_expression(p, false, true)))
        return -1;
    if (pb_jinja_sees(p, PB_J_NAME, "recursive"))
        return pb_jinja_want(p, "the end of the tag, as recursive loops are not supported,") ? 0 : -1;
    p->loops++;
    int rc = end_tag(p) || parse_body(p, &n->body);
    p->loops--;
    if (rc || (skip_tag(p, "else") && (end_tag(p) || parse_body(p, &n->other))))
        return -1;
    return expect_tag(p, "endfor");
}

static int parse_set(pb_jinja_parser *p, pb_jinja_node *n)
{
    n->kind = PB_J_SET;
    if (!(n->b = pb_jinja_target(p, true)))
        return -1;
    if (pb_jinja_skip(p, PB_J_OPERATOR, "="))
        return (n->a = pb_jinja_expression(p, true, true)) ? end_tag(p) : -1;
    n->kind = PB_J_SET_BLOCK;
    return end_tag(p) || parse_body(p, &n->body) ? -1 : expect_tag(p, "endset");
}

/* Parses the parameters of a macro behind its parenthesis. */
static int parse_parameters(pb_jinja_parser *p, pb_jinja_node *n)
{
    pb_jinja_node **end = &n->list;
    for (int count = 0; !pb_jinja_skip(p, PB_J_OPERATOR, ")"); count++, end = &(*end)->next) {
        if (count == PB_JINJA_MOST_ARGUMENTS || (count && pb_jinja_expect(p, ",")))
            return pb_jinja_want(p, "fewer parameters") ? 0 : -1;
        *end = pb_jinja_node_new(p, PB_J_VARIABLE);
        (*end)->name = p->at->text;
        if (!pb_jinja_skip(p, PB_J_NAME, NULL))
            return pb_jinja_want(p, "the name of a parameter") ? 0 : -1;
        if (pb_jinja_skip(p, PB_J_OPERATOR, "=") && !((*end)->a = pb_jinja_expression(p, false, true)))
            return -1;
    }
    return 0;
}

static int parse_macro(pb_jinja_parser *p, pb_jinja_node *n)
{
    n->kind = PB_J_MACRO_NODE;
    n->name = p->at->text;
    if (!pb_jinja_skip(p, PB_J_NAME, NULL))
        return pb_jinja_want(p, "the name of the macro") ? 0 : -1;
    if (pb_jinja_expect(p, "(") || parse_parameters(p, n) || end_tag(p))
        return -1;
    int loops = p->loops;
    p->loops = 0; /* a loop around the macro is not one that its body can leave */
    p->macros++;
    int rc = parse_body(p, &n->body);
    p->loops = loops;
    p->macros--;
    return rc ? -1 : expect_tag(p, "endmacro");
}

/* The text of a macro may be changed before it is written, so that what it marks has no place. */
static int parse_generation(pb_jinja_parser *p, pb_jinja_node *n)
{
    n->kind = PB_J_GENERATION;
    p->marks = true;
    if (p->macros) {
        pb_jinja_fail(p->run, "{%% generation %%} in a macro is not supported");
        return -1;
    }
    int loops = p->loops;
    p->loops = 0; /* as in transformers, a loop around the block is not one that its body can leave */
    int rc = end_tag(p) || parse_body(p, &n->body);
    p->loops = loops;
    return rc ? -1 : expect_tag(p, "endgeneration");
}

static int parse_leave(pb_jinja_parser *p, pb_jinja_node *n)
{
    n->kind = pb_jinja_is(p->at[-1].text, "break") ? PB_J_BREAK : PB_J_CONTINUE;
    if (!p->loops) {
        pb_jinja_fail(p->run, "break and continue stand in a loop");
        return -1;
    }
    return end_tag(p);
}

static const struct {
    const char *name;
    int (*parse)(pb_jinja_parser *p, pb_jinja_node *n);
} statements[] = {
    {"if", parse_if},
    {"for", parse_for},
    {"set", parse_set},
    {"macro", parse_macro},
    {"generation", parse_generation},
    {"break", parse_leave},
    {"continue", parse_leave},
};

static int parse_tag(pb_jinja_parser *p, pb_jinja_node *n)
{
    pb_jinja_text name = p->at->text;
    p->run->line = p->at->line;
    if (!pb_jinja_skip(p, PB_J_NAME, NULL))
        return pb_jinja_want(p, "the name of a tag") ? 0 : -1;
    for (size_t i = 0; i < PB_COUNT(statements); i++)
        if (pb_jinja_is(name, statements[i].name))
            return statements[i].parse(p, n);
    return pb_jinja_fail(p->run, "the tag '%.*s' is not supported here", (int)name.size, name.at);
}

/* ---- bodies ------------------------------------------------------------------------------------------------- */

/* Whether a tag follows that ends a body. */
static bool sees_body_end(const pb_jinja_parser *p)
{
    static const char *const ends[] = {"elif", "else", "endif", "endfor", "endset", "endmacro", "endgeneration"};
    for (size_t i = 0; i < PB_COUNT(ends); i++)
        if (sees_tag(p, ends[i]))
            return true;
    return p->at->kind == PB_J_EOF;
}

static int parse_statement(pb_jinja_parser *p, pb_jinja_node *n)
{
    pb_jinja_text data = p->at->text;
    switch (p->at++->kind) {
    case PB_J_DATA:
        n->kind = PB_J_WRITE;
        n->constant = pb_jinja_of(data.at, data.size);
        return 0;
    case PB_J_BEGIN_PRINT:
        n->kind = PB_J_OUTPUT;
        if (!(n->a = pb_jinja_expression(p, true, true)))
            return -1;
        return pb_jinja_skip(p, PB_J_END_PRINT, NULL) || pb_jinja_want(p, "}}") ? 0 : -1;
    default: return parse_tag(p, n);
    }
}

static int parse_body(pb_jinja_parser *p, pb_jinja_node **out)
{
    p->run->line = p->at->line;
    if (++p->nesting > PB_JINJA_NESTING)
        return pb_jinja_fail(p->run, "the template nests too deeply");
    int rc = 0;
    for (pb_jinja_node **end = out; !rc && !sees_body_end(p); end = &(*end)->next) {
        *end = pb_jinja_node_new(p, PB_J_WRITE);
        rc = parse_statement(p, *end);
    }
    p->nesting--;
    return rc;
}

int pb_jinja_statements(pb_jinja_parser *p, pb_jinja_node **out)
{
    if (parse_body(p, out))
        return -1;
    if (p->at->kind == PB_J_EOF)
        return 0;
    p->run->line = p->at->line;
    return pb_jinja_fail(p->run, "{%% %.*s %%} ends nothing that is open here", (int)p->at[1].text.size,
                         p->at[1].text.at);
}
