/* cmd_run: runs an experiment, then prints its table and draws its figures. */
#include "cli/cmd.h"
#include "report/notes.h"
#include "report/plot.h"
#include "report/report.h"
#include "driver/run.h"
#include "experiment/experiment_reader.h"

static void warn(void *ctx, const char *line)
{
    (void)ctx;
    pb_warn("%s", line);
}

static int print_results(const pb_args *a)
{
    pb_run_context d;
    if (pb_run_context_open(&d, a))
        return -1;
    pb_report r;
    int rc = pb_report_make(&r, d.store, d.experiment, false);
    if (!rc) {
        rc = a->json ? pb_report_json(&r, stdout) : pb_report_print(&r, &(pb_table_style){.columns = NULL}, stdout);
        for (int i = 0; i < d.experiment->rows && !rc; i++)
            pb_notes_each(&r, i, warn, NULL);
        rc = rc || pb_plot(&r, NULL) ? -1 : 0;
        pb_report_free(&r);
    }
    return pb_run_context_close(&d) || rc ? -1 : 0;
}

static int run(const pb_args *a)
{
    pb_experiment *e = pb_experiment_read(a->word[0], a->set);
    if (!e)
        return PB_EXIT_QUESTION;
    int rc = pb_plot_try(e, NULL);
    if (!rc)
        rc = pb_run_experiment(e, a->db,
                               &(pb_run_options){.jobs = a->jobs,
                                                 .threads = a->threads,
                                                 .quiet = a->quiet,
                                                 .timing = !a->no_timing,
                                                 .retry = a->retry,
                                                 .partial = a->partial});
    pb_experiment_free(e);
    if (rc < 0 || print_results(a))
        return PB_EXIT_QUESTION;
    return rc ? PB_EXIT_NO : PB_EXIT_DONE;
}

const pb_command pb_cmd_run = {
    .name = "run",
    .words = "EXPERIMENT.ini",
    .least = 1,
    .most = 1,
    .options = "db set jobs threads json quiet no-timing retry partial",
    .help = "run an experiment, print its table and draw its figures\n\n"
            "Every cell is trained and scored on validation, then timed.  Runs that are in the database are not "
            "repeated; an\n"
            "interrupted experiment continues when it is run again.  A row's setting is chosen and scored on test when "
            "all its\n"
            "runs are finished.  With --partial it is chosen among the finished runs, and every report says so.  Exit "
            "code 1:\n"
            "a run failed, or no setting is chosen for a row.\n",
    .run = run,
};
