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

/* Splits a question and its choices at the tabs between them.  Sets choice [count], of PB_MOST_CHOICES at most, to
 * the choices, which are parts of the line.  Returns -1 with an error unless there are a question and 2 choices. */
int pb_split_choices(char *line, char *choice[], int *count);

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

/* What a model reads: one sequence; of a model for multiple choice one for each choice. */
typedef struct pb_input {
    pb_ids ids, type; /* of all sequences, one after the other; the token types are none if all are 0 */
    pb_ids end;       /* [sequences] the place in ids behind each sequence; none: there is one */
} pb_input;

/* Frees the input and leaves it empty. */
void pb_input_free(pb_input *in);

/* Sets ids to those of a line: the elements of a JSON array with --ids, else the tokens of the text with special
 * tokens.  Returns -1 with an error, also if there is no token. */
int pb_session_ids(const pb_session *o, const pb_args *a, const char *line, size_t size, pb_ids *ids);

/* Sets the input to that of a line, as pb_session_ids does.  With --ids, the line may also be an object
 * {"input_ids": [..], "token_type_ids": [..]}; with --pairs, it is a pair of texts, which is encoded as by
 * pb_encoded_pair with this limit.  Of a model for multiple choice a line is a question and its choices with tabs
 * between them, each encoded with the question as a pair, or with --ids a JSON array of what stands for each choice. */
int pb_session_input(const pb_session *o, const pb_args *a, const char *line, size_t size, int limit, pb_input *in);

/* Computes the logits of an input, for multiple choice a row for each choice.  Returns NULL with an error. */
const pb_node *pb_session_run(pb_session *o, const pb_input *in);

#endif
