/* cmd_logits: what a model says, number by number, for other programs and for comparing. */
#include "cli/session.h"

typedef struct talk {
    const pb_args *args;
    pb_session opened;
    pb_ids ids;
} talk;

/* Nine digits tell 32-bit floats apart. */
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

static int answer(void *ctx, const char *line, size_t size)
{
    talk *t = ctx;
    if (pb_session_ids(&t->opened, t->args, line, size, &t->ids))
        return -1;
    const int offset[] = {0, (int)t->ids.count};
    const pb_node *logits =
        pb_apply_run(t->opened.apply, &(pb_batch){.sequences = 1, .offset = offset, .ids = t->ids.id});
    if (!logits || pb_apply_check(logits))
        return -1;
    printf("{\"ids\": ");
    pb_ids_print(&t->ids, stdout);
    printf(", \"logits\": [");
    print_rows(logits);
    printf("]}\n");
    return 0;
}

static int logits_command(const pb_args *a)
{
    talk t = {.args = a};
    if (pb_session_open(&t.opened, a))
        return PB_EXIT_QUESTION;
    int rc = pb_each_line(answer, &t);
    pb_ids_free(&t.ids);
    pb_session_close(&t.opened);
    return rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_logits = {
    .name = "logits",
    .words = "--model PATH",
    .options = "model precision adapter merged ids force threads",
    .help = "a model's logits: a text a line on stdin, one JSON object a line on stdout\n"
            "{\"ids\": [..], \"logits\": [[..]]}: one row for a classifier, one a token for a language model.\n",
    .run = logits_command,
};
