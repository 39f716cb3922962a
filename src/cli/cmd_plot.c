/* cmd_plot: draws the figures of stored results. */
#include "cli/cmd.h"
#include "report/plot.h"

static int plot(const pb_args *a)
{
    pb_run_context d;
    if (pb_run_context_open(&d, a))
        return PB_EXIT_QUESTION;
    pb_report r;
    int rc = pb_report_make(&r, d.store, d.experiment, a->any_version);
    if (!rc) {
        rc = pb_plot(&r, a->out);
        pb_report_free(&r);
    }
    return pb_run_context_close(&d) || rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_plot = {
    .name = "plot",
    .words = "EXPERIMENT.ini",
    .least = 1,
    .most = 1,
    .options = "db set out any-version",
    .help =
        "draw the figures of stored results with gnuplot, as SVG and PDF\n\n"
        "--any-version also draws runs that another version of the code made, as `table` prints them; the titles of\n"
        "the figures say so.\n",
    .run = plot,
};
