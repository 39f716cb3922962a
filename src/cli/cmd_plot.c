/* cmd_plot: draws the figures of stored results. */
#include <stdlib.h>

#include "cli/reports.h"
#include "report/plot.h"

/* What is drawn, and how many figures are. */
typedef struct plotter {
    const pb_args *args;
    pb_look look;
    int drawn;
} plotter;

/* Draws the figures of a task; those of several tasks get a folder each in that of --out.  Returns -1 with an error. */
static int plot_task(plotter *p, const pb_reports *x, const char *out, int i)
{
    char *folder = out && x->tasks > 1 ? pb_format("%s/%s", out, x->task[i].experiment->task_name) : NULL;
    int drawn = pb_plot(&x->task[i], &p->look, folder ? folder : out);
    p->drawn += drawn;
    free(folder);
    return drawn < 0 ? -1 : 0;
}

/* Draws the figures of each task and those of all tasks; those of several experiments get a folder each in that of
 * --out. */
static int plot_all(void *ctx, const pb_reports *x, bool several)
{
    plotter *p = ctx;
    int rc = 0, drawn = 0;
    char *folder = p->args->out && several ? pb_format("%s/%s", p->args->out, x->context.name) : NULL;
    const char *out = folder ? folder : p->args->out;
    for (int i = 0; i < x->tasks && !rc; i++)
        rc = plot_task(p, x, out, i);
    if (!rc && x->tasks > 1)
        drawn = pb_plot_suite(x->task, x->tasks, x->context.name, &p->look, out);
    p->drawn += drawn;
    free(folder);
    return rc || drawn < 0 ? -1 : 0;
}

static int plot(const pb_args *a)
{
    plotter p = {.args = a};
    if (pb_look_read(&p.look, a->figure, a->format, a->width, a->font) || pb_plot_check(&p.look) ||
        pb_reports_each(a, a->any_version, false, plot_all, &p))
        return PB_EXIT_QUESTION;
    if (p.drawn)
        return PB_EXIT_DONE;
    pb_error("%s: the results have nothing to show%s%s%s; `peftbench table` says which results are there, and "
             "`peftbench plot --help` what each figure shows",
             a->word[0], p.look.figure ? " in '" : "", p.look.figure ? p.look.figure : "", p.look.figure ? "'" : "");
    return PB_EXIT_NO;
}

const pb_command pb_cmd_plot = {
    .name = "plot",
    .words = PB_WORDS_OF_REPORTS,
    .least = 1,
    .most = 1,
    .options = "db set task figure format width font out any-version",
    .help =
        "draw the figures of stored results with gnuplot, as SVG, PDF, PNG or for LaTeX\n\n" PB_HELP_OF_DATABASE
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
        "in a folder of its name in that of --out, and those of all tasks are in plots/EXPERIMENT, or in --out.  So "
        "have\n"
        "those of each experiment of a database with several.  Exit code 1: there is nothing to draw.\n",
    .run = plot,
};
