/* session: the model and adapter that the command line names, and the lines of stdin as texts or token ids. */
#ifndef PB_SESSION_H
#define PB_SESSION_H

#include "base/json.h"
#include "model/adapter.h"
#include "model/apply.h"
#include "cli/cmd.h"

typedef struct pb_session {
    pb_model *model;
    pb_adapter *adapter; /* NULL if there is none */
    pb_apply *apply;
} pb_session;

/* Starts the threads and opens --model with --adapter (--merged, --force).  The caller closes the session with
 * pb_session_close.  Returns -1 with an error, and nothing open. */
int pb_session_open(pb_session *o, const pb_args *a);
void pb_session_close(pb_session *o);

/* Calls `each` with every line of stdin, without the "\n" or "\r\n" at its end; a "\r" elsewhere is part of the line.
 * A line with a NUL byte is refused.  A nonzero return ends the loop, and the error gets the prefix "stdin:LINE: ".
 * Returns -1 with an error, also if stdin cannot be read. */
int pb_each_line(int (*each)(void *ctx, const char *line, size_t size), void *ctx);

/* Ends the first text of a pair at its tab, and sets *second to the other text.  Returns -1 with an error unless the
 * line has one tab, between two texts. */
int pb_split_pair(char *line, const char **second);

/* Appends the elements of a JSON array of token ids, which must be in 0 .. vocab-1, to ids.  Returns -1 with an
 * error. */
int pb_ids_read(const char *line, size_t size, int vocab, pb_ids *ids);

/* Prints the ids as a JSON array, "[1, 2]". */
void pb_ids_print(const pb_ids *ids, FILE *out);

/* What a model reads: one sequence. */
typedef struct pb_input {
    pb_ids ids, type; /* the token types; none: all 0 */
} pb_input;

/* Frees the input and leaves it empty. */
void pb_input_free(pb_input *in);

/* Sets ids to those of a line: the elements of a JSON array with --ids, else the tokens of the text with special
 * tokens.  Returns -1 with an error, also if there is no token. */
int pb_session_ids(const pb_session *o, const pb_args *a, const char *line, size_t size, pb_ids *ids);

/* Sets the input to that of a line, as pb_session_ids does.  With --ids, the line may also be an object
 * {"input_ids": [..], "token_type_ids": [..]}; with --pairs, it is a pair of texts, which is encoded as by
 * pb_encoded_pair with this limit. */
int pb_session_input(const pb_session *o, const pb_args *a, const char *line, size_t size, int limit, pb_input *in);

/* Computes the logits of an input.  Returns NULL with an error. */
const pb_node *pb_session_run(pb_session *o, const pb_input *in);

#endif
