/* cmd_table: the table of stored results. */
#include "cli/reports.h"

static int table(const pb_args *a)
{
    pb_reports x;
    int format = pb_args_format(a, PB_PRINT_CSV + 1);
    bool json = a->json || format > PB_PRINT_CSV;
    if (format < 0)
        return PB_EXIT_QUESTION;
    if (json && (a->columns || a->sort || a->no_timing || a->per_task || (a->json && a->format))) {
        pb_error(
            "table: --columns, --sort, --no-timing, --per-task and other formats go without --json, which has every "
            "setting");
        return PB_EXIT_QUESTION;
    }
    if (pb_reports_open(&x, a, a->any_version))
        return PB_EXIT_QUESTION;
    const pb_table_style style = {.columns = a->columns, .sort = a->sort, .no_times = a->no_timing, .format = format};
    int rc = json ? pb_reports_json(&x) : pb_reports_print(&x, &style, a->per_task);
    return pb_reports_close(&x) || rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_table = {
    .name = "table",
    .words = "EXPERIMENT.ini",
    .least = 1,
    .most = 1,
    .options = "db set task per-task json columns sort no-timing format any-version",
    .help =
        "print the table of stored results\n\n"
        "If a row is a sweep, or with --columns, a line under each row lists the settings in force: those that the\n"
        "file sets, with the values of the row's choice, whether they were tuned or not.  --columns KEY,KEY prints\n"
        "these settings, such as lora.rank,train.lr, as columns, and values of whole runs by their keys in\n"
        "docs/metrics.md, such as storage.changed,storage.rank.  --sort KEY orders the rows by such a value or by a\n"
        "score, the best first: accuracy.test.accuracy, memory.train.total.  --no-timing leaves out the columns of\n"
        "times.  --format markdown and latex print a table with only the columns that have values, the best score in\n"
        "bold; in LaTeX (booktabs) the second is underlined, and ~ marks rows that the test split does not tell apart\n"
        "from the best.  --format csv prints the values as numbers, with the ends of their intervals in columns of\n"
        "their own.  --format json, or --json, prints every setting of each row, and every value with mean, low, high\n"
        "and n.  --any-version also shows runs that another version of the code made with the same settings, seed,\n"
        "data and model, marked with †; a note says what has changed since.\n"
        "If the experiment has several tasks, the table has a column of test scores for each and their mean; --sort\n"
        "takes the name of a task, or mean.  --per-task prints the table of each task, and --task NAME that of one.\n",
    .run = table,
};
