/* cmd_logits: prints the logits of a model. */
#include "cli/session.h"

typedef struct request {
    const pb_args *args;
    pb_session session;
    pb_input input;
} request;

/* Nine digits identify a 32-bit float. */
static void print_rows(const pb_node *n)
{
    for (int r = 0; r < n->rows; r++) {
        for (int j = 0; j < n->cols; j++) {
            fputs(j ? ", " : r ? ", [" : "[", stdout);
            printf("%.9g", (double)n->x[(size_t)r * (size_t)n->cols + (size_t)j]);
        }
        putchar(']');
    }
}

/* Prints the ids or token types of a sequence, or a list of those of all choices. */
static void print_ids(const request *t, const pb_ids *ids)
{
    int from = 0;
    if (!pb_model_chooses(t->session.model)) {
        pb_ids_print(ids, stdout);
        return;
    }
    for (size_t s = 0; s < t->input.end.count; s++) {
        const pb_ids part = {.id = ids->id + from, .count = (size_t)(t->input.end.id[s] - from)};
        fputs(s ? ", " : "[", stdout);
        pb_ids_print(&part, stdout);
        from = t->input.end.id[s];
    }
    putchar(']');
}

static int print_logits(void *ctx, const char *line, size_t size)
{
    request *t = ctx;
    if (pb_session_input(&t->session, t->args, line, size, 0, &t->input))
        return -1;
    const pb_node *logits = pb_session_run(&t->session, &t->input);
    if (!logits)
        return -1;
    printf("{\"ids\": ");
    print_ids(t, &t->input.ids);
    if (t->input.type.count) {
        printf(", \"types\": ");
        print_ids(t, &t->input.type);
    }
    printf(", \"logits\": [");
    print_rows(logits);
    printf("]}\n");
    return 0;
}

static int logits_command(const pb_args *a)
{
    request t = {.args = a};
    if (pb_session_open(&t.session, a))
        return PB_EXIT_QUESTION;
    int rc = pb_each_line(print_logits, &t);
    pb_input_free(&t.input);
    pb_session_close(&t.session);
    return rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_logits = {
    .name = "logits",
    .words = "--model PATH",
    .options = "model precision adapter merged ids pairs force threads",
    .help =
        "print a model's logits for the lines of stdin\n\n"
        "Each line is a text and gives one JSON object on stdout, {\"ids\": [..], \"logits\": [[..]]}.  A "
        "classifier has\n"
        "one row of logits, a token classifier or a language model one row for each token.  With --ids, a line is an "
        "array of ids, or an\n"
        "object {\"input_ids\": [..], \"token_type_ids\": [..]}.  With --pairs, it is two texts with a tab between\n"
        "them; token types are printed as \"types\".  A model for multiple choice has one row for each choice: a line "
        "is\n"
        "a question and its choices with tabs between them, or with --ids an array of such arrays or objects, one a\n"
        "choice.\n",
    .run = logits_command,
};
