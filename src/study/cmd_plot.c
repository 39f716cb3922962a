/* cmd_plot: the figures of stored results. */
#include "study/cmd.h"
#include "study/plot.h"

static int plot(const pb_args *a)
{
    pb_desk d;
    if (pb_desk_open(&d, a))
        return PB_EXIT_QUESTION;
    pb_report r = pb_report_make(d.store, d.experiment);
    int rc = pb_plot(&r, a->out);
    pb_report_free(&r);
    pb_desk_close(&d);
    return rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_plot = {
    .name = "plot",
    .words = "EXPERIMENT.ini",
    .least = 1,
    .most = 1,
    .options = "db set out",
    .help = "draw the figures of stored results by gnuplot, as SVG and PDF\n",
    .run = plot,
};
