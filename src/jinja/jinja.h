/* jinja: renders the chat templates of models, in the subset of Jinja that they are written in.
 *
 * A template is somebody else's program.  It is parsed to a tree (lexer.c, parser.c, statements.c) and evaluated over
 * JSON values (render.c), as transformers does with jinja2: an ImmutableSandboxedEnvironment with trim_blocks,
 * lstrip_blocks and the extension for break and continue.  Statements are if, for, set, macro, generation, break and
 * continue; builtins.c and texts.c have tables of the filters, tests, functions and methods.  What is not in the subset
 * is refused by name with the template's line, and never ignored: also printing lists and mappings, for which there is
 * tojson, and changing the case of letters that are not ASCII.  Depth, steps, memory and output are limited, so that
 * every template ends. */
#ifndef PB_JINJA_H
#define PB_JINJA_H

#include "base/json.h"

typedef struct pb_jinja pb_jinja;

/* Parses a template of `size` bytes; `name` is that of its file in messages.  Returns NULL with "NAME:LINE: what is
 * wrong" if it is malformed or uses what is not supported.  The caller frees it with pb_jinja_free; NULL is allowed
 * there. */
pb_jinja *pb_jinja_parse(const char *name, const char *text, size_t size);
void pb_jinja_free(pb_jinja *t);

/* Returns whether the template has {% generation %} blocks, which mark what the assistant says. */
bool pb_jinja_marks(const pb_jinja *t);

/* The bytes [from,to) of a rendered text that a {% generation %} block has written. */
typedef struct pb_jinja_mark {
    size_t from, to;
} pb_jinja_mark;

/* A rendered text; it starts as {0}, and pb_jinja_output_free leaves it empty. */
typedef struct pb_jinja_output {
    pb_text text;
    pb_jinja_mark *mark; /* [marks] in the order of the text */
    size_t marks, capacity;
} pb_jinja_output;
void pb_jinja_output_free(pb_jinja_output *o);

/* Renders the template with the members of the object `variables` as its variables.  strftime_now gives the day `date`,
 * "2025-01-31"; it is refused if `date` is NULL or "", because a text must not depend on the day of the run.  Replaces
 * what is in *out.  Returns -1 with an error that has the template's line: also if the template calls raise_exception,
 * with its message. */
int pb_jinja_render(const pb_jinja *t, const pb_json *variables, const char *date, pb_jinja_output *out);

#endif
