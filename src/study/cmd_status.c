/* cmd_status: which runs of an experiment are there. */
#include <stdlib.h>
#include <string.h>

#include "study/cmd.h"
#include "study/run.h"

typedef struct last {
    char status[16];
    char *error;
} last;

static int take(void *ctx, int columns, const char *const *value)
{
    (void)columns;
    last *l = ctx;
    snprintf(l->status, sizeof l->status, "%s", value[0]);
    l->error = value[1] ? pb_strdup(value[1]) : NULL;
    return 1;
}

/* Prints a cell's line; 1 if it has a finished run. */
static int print_cell(const pb_desk *d, const pb_cell *c)
{
    last l = {.status = "missing"};
    const char *args[] = {c->hash.hex, NULL};
    pb_store_query(d->store, "SELECT status, error FROM run WHERE hash = ? ORDER BY status = 'failed', id DESC LIMIT 1",
                   args, take, &l);
    printf("%-10s %s%s%s seed %llu%s%s\n", l.status, c->row->label, *c->choice ? " " : "", c->choice,
           (unsigned long long)c->seed, l.error ? ": " : "", l.error ? l.error : "");
    free(l.error);
    return strcmp(l.status, "missing") != 0 && strcmp(l.status, "failed") != 0;
}

static int status(const pb_args *a)
{
    pb_desk d;
    if (pb_desk_open(&d, a))
        return PB_EXIT_QUESTION;
    int finished = 0, cells = d.experiment->cells;
    for (int i = 0; i < cells; i++)
        finished += print_cell(&d, &d.experiment->cell[i]);
    printf("%d of %d runs finished\n", finished, cells);
    pb_desk_close(&d);
    return finished == cells ? PB_EXIT_DONE : PB_EXIT_NO;
}

const pb_command pb_cmd_status = {
    .name = "status",
    .words = "EXPERIMENT.ini",
    .least = 1,
    .most = 1,
    .options = "db set",
    .help = "list the experiment's runs: done, diverged, failed or missing\n\nExit code 1 if some are missing.\n",
    .run = status,
};
