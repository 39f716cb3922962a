/* cmd_report: the results of an experiment as one HTML page. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/reports.h"
#include "report/page.h"

static int write_page(const pb_args *a, const pb_report *r, const pb_data *d)
{
    char *folder = pb_format("plots/%s", r->experiment->name);
    char *path = a->out ? pb_strdup(a->out) : pb_format("%s/report.html", folder);
    int rc = (!a->out && pb_make_dirs(folder)) || pb_page_write(r, d, path) ? -1 : 0;
    if (!rc)
        printf("%s\n", path);
    free(path);
    free(folder);
    return rc;
}

static int report_one(void *ctx, const pb_reports *x, bool several)
{
    const pb_args *a = ctx;
    return several && a->out ? pb_error("--out: %s has several experiments; want one of them, %s:%s", a->word[0],
                                        a->word[0], x->context.name)
                             : write_page(a, x->task, x->context.task->bench.data);
}

static int report(const pb_args *a)
{
    pb_args args = *a;
    return pb_reports_each(a, a->any_version, true, report_one, &args) ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_report = {
    .name = "report",
    .words = PB_WORDS_OF_REPORTS,
    .least = 1,
    .most = 1,
    .options = "db set task out any-version",
    .help =
        "write the results of an experiment as one HTML page\n\n" PB_HELP_OF_DATABASE
        "The page has a summary, the table, which sorts and filters, the figures, a card for each method, the data,\n"
        "the provenance, and the runs that failed or diverged.  It is one file that needs no network, for light and\n"
        "dark screens, phones and print.  --out names the file (default: plots/EXPERIMENT/report.html); the figures\n"
        "are drawn in plots/EXPERIMENT.\n",
    .run = report,
};
