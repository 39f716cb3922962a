/* cmd_run: runs an experiment, then prints its table and draws its figures. */
#include "cli/reports.h"
#include "report/notes.h"
#include "report/plot.h"
#include "driver/run.h"
#include "experiment/experiment_reader.h"

/* Prints a note; of an experiment with several tasks, with that of the note. */
static void warn(void *ctx, const char *line)
{
    const pb_experiment *e = ctx;
    pb_warn("%s%s%s", e->of_several ? e->task_name : "", e->of_several ? ": " : "", line);
}

static int print_results(const pb_args *a)
{
    pb_reports x;
    if (pb_reports_open(&x, a, false))
        return -1;
    pb_look look;
    pb_look_read(&look, NULL, NULL, NULL, NULL);
    int rc = a->json ? pb_reports_json(&x) : pb_reports_print(&x, &(pb_table_style){.columns = NULL}, false);
    for (int i = 0; i < x.tasks && !rc; i++) {
        for (int k = 0; k < x.task[i].experiment->rows; k++)
            pb_notes_each(&x.task[i], k, true, warn, x.context.task[i].experiment);
        rc = pb_plot(&x.task[i], &look, NULL) < 0;
    }
    if (!rc && x.tasks > 1)
        rc = pb_plot_suite(x.task, x.tasks, x.context.name, &look, NULL) < 0;
    return pb_reports_close(&x) || rc ? -1 : 0;
}

/* Checks, before hours of computation, that the figures can be drawn and that the data and the model of every task but
 * the first can be read; the first one's are read first anyway. */
static int check_tasks(const pb_args *a, const pb_experiments *x)
{
    int rc = 0;
    for (int i = 0; i < x->tasks && !rc; i++) {
        pb_bench bench;
        rc = pb_plot_try(x->task[i], NULL);
        if (!rc && i && !(rc = pb_bench_open(&bench, x->task[i], a->db)))
            pb_bench_close(&bench);
    }
    return rc;
}

/* Runs one task after another.  Returns 1 if a run failed or no setting is chosen, -1 with an error. */
static int run_tasks(const pb_args *a, const pb_experiments *x)
{
    const pb_run_options options = {.jobs = a->jobs,
                                    .threads = a->threads,
                                    .quiet = a->quiet,
                                    .timing = !a->no_timing,
                                    .retry = a->retry,
                                    .partial = a->partial};
    int rc = check_tasks(a, x), incomplete = 0;
    for (int i = 0; i < x->tasks && rc >= 0; i++) {
        if (x->tasks > 1 && !a->quiet)
            fprintf(stderr, "task %s (%d of %d)\n", x->task[i]->task_name, i + 1, x->tasks);
        rc = pb_run_experiment(x->task[i], a->db, &options);
        incomplete |= rc > 0;
    }
    return rc < 0 ? -1 : incomplete;
}

static int run(const pb_args *a)
{
    pb_experiments x;
    if (pb_experiments_read(&x, a->word[0], a->set, a->task))
        return PB_EXIT_QUESTION;
    int rc = run_tasks(a, &x);
    pb_experiments_free(&x);
    if (rc < 0 || print_results(a))
        return PB_EXIT_QUESTION;
    return rc ? PB_EXIT_NO : PB_EXIT_DONE;
}

const pb_command pb_cmd_run = {
    .name = "run",
    .words = "EXPERIMENT.ini",
    .least = 1,
    .most = 1,
    .options = "db set task jobs threads json quiet no-timing retry partial",
    .help = "run an experiment, print its table and draw its figures\n\n"
            "Every cell is trained and scored on validation, then timed.  Runs that are in the database are not "
            "repeated; an\n"
            "interrupted experiment continues when it is run again.  A row's setting is chosen and scored on test when "
            "all its\n"
            "runs are finished; with [retention] in the file, what they have kept of the base is measured then.  With "
            "--partial\n"
            "it is chosen among the finished runs, and every report says so.  Exit code 1: a run failed, or no setting "
            "is chosen\n"
            "for a row.  The tasks of an experiment are run one after another.\n",
    .run = run,
};
