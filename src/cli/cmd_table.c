/* cmd_table: the table of stored results. */
#include "cli/cmd.h"
#include "report/report.h"

static int print(const pb_args *a, const pb_report *r)
{
    const pb_table_style style = {
        .columns = a->columns, .sort = a->sort, .no_times = a->no_timing, .markdown = a->markdown};
    return pb_report_print(r, &style, stdout);
}

static int table(const pb_args *a)
{
    pb_run_context d;
    if (a->json && (a->columns || a->sort || a->no_timing || a->markdown)) {
        pb_error("table: --columns, --sort, --no-timing and --markdown go without --json, which has every setting");
        return PB_EXIT_QUESTION;
    }
    if (pb_run_context_open(&d, a))
        return PB_EXIT_QUESTION;
    pb_report r;
    int rc = pb_report_make(&r, d.store, d.experiment, a->any_version);
    if (!rc) {
        rc = a->json ? pb_report_json(&r, stdout) : print(a, &r);
        pb_report_free(&r);
    }
    return pb_run_context_close(&d) || rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_table = {
    .name = "table",
    .words = "EXPERIMENT.ini",
    .least = 1,
    .most = 1,
    .options = "db set json columns sort no-timing markdown any-version",
    .help =
        "print the table of stored results\n\n"
        "If a row is a sweep, or with --columns, a line under each row lists the settings in force: those that the\n"
        "file sets, with the values of the row's choice, whether they were tuned or not.  --columns KEY,KEY prints\n"
        "these settings, such as lora.rank,train.lr, as columns, and values of whole runs by their keys in\n"
        "docs/metrics.md, such as storage.changed,storage.rank.  --sort KEY orders the rows by such a value or by a\n"
        "score, the best first: accuracy.test.accuracy, memory.train.total.  --no-timing leaves out the columns of\n"
        "times.  --markdown prints a Markdown table, which has no notes and only columns with values.  --json prints\n"
        "every setting of each row, and every value with mean, low, high and n.  --any-version also shows runs that\n"
        "another version of the code made with the same settings, seed, data and model, marked with †; a note says\n"
        "what has changed since.\n",
    .run = table,
};
