/* cmd_plot: draws the figures of stored results. */
#include <stdlib.h>

#include "cli/reports.h"
#include "report/plot.h"

/* Draws the figures of a task; those of several tasks get a folder each. */
static int plot_task(const pb_args *a, const pb_reports *x, int i)
{
    if (!a->out || x->tasks == 1)
        return pb_plot(&x->task[i], a->out);
    char *folder = pb_format("%s/%s", a->out, x->task[i].experiment->task_name);
    int rc = pb_plot(&x->task[i], folder);
    free(folder);
    return rc;
}

static int plot(const pb_args *a)
{
    pb_reports x;
    if (pb_reports_open(&x, a, a->any_version))
        return PB_EXIT_QUESTION;
    int rc = 0;
    for (int i = 0; i < x.tasks && !rc; i++)
        rc = plot_task(a, &x, i);
    return pb_reports_close(&x) || rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_plot = {
    .name = "plot",
    .words = "EXPERIMENT.ini",
    .least = 1,
    .most = 1,
    .options = "db set task out any-version",
    .help =
        "draw the figures of stored results with gnuplot, as SVG and PDF\n\n"
        "--any-version also draws runs that another version of the code made, as `table` prints them; the titles of\n"
        "the figures say so.  If the experiment has several tasks, each has its figures in plots/EXPERIMENT@TASK, or\n"
        "in a folder of its name in that of --out.\n",
    .run = plot,
};
