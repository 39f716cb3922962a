/* session: a model with an adapter from the command line, and lines of text or ids. */
#ifndef PB_SESSION_H
#define PB_SESSION_H

#include "base/json.h"
#include "model/adapter.h"
#include "model/apply.h"
#include "cli/cmd.h"

typedef struct pb_session {
    pb_model *model;
    pb_adapter *adapter; /* NULL: none */
    pb_apply *apply;
} pb_session;

/* Opens --model with --adapter (--merged, --force), starts the threads.  -1 with an error and nothing
 * left open. */
int pb_session_open(pb_session *o, const pb_args *a);
void pb_session_close(pb_session *o);

/* 0 where stdin has been read to its end, -1 with an error where reading it failed. */
int pb_stdin_end(void);

/* Calls `each` with every line of stdin, without its end; stops at the first nonzero return, which
 * gets "stdin:LINE: " in front of its error. */
int pb_each_line(int (*each)(void *ctx, const char *line, size_t size), void *ctx);

/* Reads a JSON array of token ids of the tokenizer or model (0 .. vocab-1) into ids; -1 with an error. */
int pb_ids_read(const char *line, size_t size, int vocab, pb_ids *ids);
void pb_ids_print(const pb_ids *ids, FILE *out); /* "[1, 2]" */

/* The line's ids: of a JSON array (--ids), or of a text with special tokens. */
int pb_session_ids(const pb_session *o, const pb_args *a, const char *line, size_t size, pb_ids *ids);

#endif
