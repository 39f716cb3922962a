/* cmd_status: lists the state of an experiment's runs. */
#include "cli/cmd.h"
#include "driver/run.h"
#include "results/selection.h"

/* Prints the state of a cell and the number of its finished run, which `export` and others take; or why a stored run
 * with its settings and seed does not count. */
static void print_cell(const pb_cell *c, const pb_cell_state *state, const pb_other_run *other)
{
    const char *error = state->run || !state->error ? "" : state->error;
    printf("%-10s %s%s%s seed %llu", state->status, c->row->label, *c->choice ? " " : "", c->choice,
           (unsigned long long)c->seed);
    if (state->run)
        printf(", run %lld", state->run);
    printf("%s%s", *error ? ": " : "", error);
    if (other->run)
        printf("%s run %lld has the same settings; %s", *error ? ";" : ":", other->run, other->why);
    printf("\n");
}

static int print_all(const pb_run_context *d)
{
    const pb_experiment *e = d->experiment;
    pb_selections x;
    if (pb_selections_make(&x, d->store, e, 0))
        return -1;
    pb_other_run *other = pb_other_runs_find(d->store, e, x.cell);
    int finished = 0, needed = 0;
    for (int i = 0; i < e->cells && other; i++)
        if (pb_selection_needs(&x, &e->cell[i]))
            print_cell(&e->cell[i], &x.cell[i], &other[i]);
    for (int i = 0; i < e->rows && other; i++) {
        finished += x.row[i].finished;
        needed += x.row[i].needed;
        pb_text line = {0};
        pb_selection_describe(&x.row[i], e->seeds, &line);
        printf("%s\n", line.data);
        pb_text_free(&line);
    }
    if (other)
        printf("%d of %d runs finished\n", finished, needed);
    int rc = other ? finished < needed : -1;
    pb_other_runs_free(other, e->cells);
    pb_selections_free(&x);
    return rc;
}

static int status(const pb_args *a)
{
    pb_run_contexts x;
    if (pb_run_contexts_open(&x, a, false))
        return PB_EXIT_QUESTION;
    int rc = 0, missing = 0;
    for (int i = 0; i < x.tasks && rc >= 0; i++) {
        if (x.tasks > 1)
            printf("%stask %s\n", i ? "\n" : "", x.task[i].experiment->task_name);
        rc = print_all(&x.task[i]);
        missing |= rc > 0;
    }
    if (pb_run_contexts_close(&x) || rc < 0)
        return PB_EXIT_QUESTION;
    return missing ? PB_EXIT_NO : PB_EXIT_DONE;
}

const pb_command pb_cmd_status = {
    .name = "status",
    .words = "EXPERIMENT.ini",
    .least = 1,
    .most = 1,
    .options = "db set task",
    .help =
        "list the state of an experiment's runs and the choice of each row\n\n"
        "A run is done, diverged, failed or missing.  The number of a finished run names it for export, reproduce and\n"
        "compare.  If a run with the settings and the seed of a missing one is stored, the list says what has changed\n"
        "since: the code, the data or the model.  Exit code 1: some runs are not finished.\n",
    .run = status,
};
