/* cmd_plot: draws the figures of stored results. */
#include <stdlib.h>

#include "cli/reports.h"
#include "report/plot.h"

/* Draws the figures of a task; those of several tasks get a folder each.  Returns their number, or -1. */
static int plot_task(const pb_args *a, const pb_reports *x, const pb_look *look, int i)
{
    if (!a->out || x->tasks == 1)
        return pb_plot(&x->task[i], look, a->out);
    char *folder = pb_format("%s/%s", a->out, x->task[i].experiment->task_name);
    int drawn = pb_plot(&x->task[i], look, folder);
    free(folder);
    return drawn;
}

/* Draws the figures of each task and those of all tasks.  Returns their number, or -1 with an error. */
static int plot_all(const pb_args *a, const pb_reports *x, const pb_look *look)
{
    int drawn = 0, n = 0;
    for (int i = 0; i < x->tasks && n >= 0; i++, drawn += n)
        n = plot_task(a, x, look, i);
    if (n >= 0 && x->tasks > 1) {
        n = pb_plot_suite(x->task, x->tasks, x->context.name, look, a->out);
        drawn += n;
    }
    return n < 0 ? -1 : drawn;
}

static int plot(const pb_args *a)
{
    pb_reports x;
    pb_look look;
    if (pb_look_read(&look, a->figure, a->format, a->width, a->font) || pb_plot_check(&look) ||
        pb_reports_open(&x, a, a->any_version))
        return PB_EXIT_QUESTION;
    int drawn = plot_all(a, &x, &look);
    if (!drawn && look.figure)
        drawn = pb_error("--figure: the results have nothing to show in '%s'; `peftbench status` says which runs are "
                         "there, and `peftbench plot --help` what each figure shows",
                         look.figure);
    return pb_reports_close(&x) || drawn < 0 ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_plot = {
    .name = "plot",
    .words = "EXPERIMENT.ini",
    .least = 1,
    .most = 1,
    .options = "db set task figure format width font out any-version",
    .help =
        "draw the figures of stored results with gnuplot, as SVG, PDF, PNG or for LaTeX\n\n"
        "--figure is one of these; without it, all that the results allow are drawn:\n\n"
        "  axes                 the five axes of every row at a glance\n"
        "  accuracy-parameters  accuracy against parameters, with the Pareto front; accuracy-memory and\n"
        "                       accuracy-inference against other costs, accuracy:KEY against any\n"
        "  differences          the differences of all pairs of rows, and which are decided\n"
        "  memory               memory of training by class\n"
        "  overhead             times of inference over those of the base, unmerged and merged\n"
        "  curves, validation   training loss, and the validation score, by step\n"
        "  sweep                the axes against the setting that [experiment] axis names\n"
        "  tuning, rate         the best score of a number of trials; validation against the learning rate\n"
        "  strength             score and loss against the strength of the change\n"
        "  ranks, wins, tasks   of several tasks: critical-difference diagram, matrix of wins, map of scores\n\n"
        "Beside the pictures of a figure are its script (NAME.gp), from which gnuplot alone draws it again, its\n"
        "caption (NAME.txt), its data (NAME.tsv) and the SQL of the stored values behind them (NAME.sql).  For LaTeX,\n"
        "\\input NAME-tex.tex, which includes NAME-tex.pdf.  The same database gives the same bytes.\n\n"
        "--any-version also draws runs that another version of the code made, as `table` prints them; the titles of\n"
        "the figures say so.  If the experiment has several tasks, each has its figures in plots/EXPERIMENT@TASK, or\n"
        "in a folder of its name in that of --out, and those of all tasks are in plots/EXPERIMENT, or in --out.\n",
    .run = plot,
};
