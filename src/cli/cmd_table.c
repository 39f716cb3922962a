/* cmd_table: the table of stored results. */
#include "cli/reports.h"

/* What is printed, and whether it is that of the first experiment. */
typedef struct printer {
    const pb_args *args;
    pb_table_style style;
    bool json, next;
} printer;

static int print_one(void *ctx, const pb_reports *x, bool several)
{
    printer *p = ctx;
    if (several && p->style.format == PB_PRINT_CSV) /* the columns of metrics differ */
        return pb_error("--format csv: %s has several experiments; want one of them, %s:%s", p->args->word[0],
                        p->args->word[0], x->context.name);
    if (several && !p->json)
        pb_reports_heading("experiment", x->context.name, p->style.format, !p->next);
    p->next = true;
    return p->json ? pb_reports_json(x) : pb_reports_print(x, &p->style, p->args->per_task);
}

static int table(const pb_args *a)
{
    int format = pb_args_format(a, PB_PRINT_CSV + 1);
    printer p = {.args = a, .json = a->json || format > PB_PRINT_CSV};
    if (format < 0)
        return PB_EXIT_QUESTION;
    if (p.json && (a->columns || a->sort || a->no_timing || a->per_task || (a->json && a->format))) {
        pb_error(
            "table: --columns, --sort, --no-timing, --per-task and other formats go without --json, which has every "
            "setting");
        return PB_EXIT_QUESTION;
    }
    p.style = (pb_table_style){.columns = a->columns, .sort = a->sort, .no_times = a->no_timing, .format = format};
    return pb_reports_each(a, a->any_version, false, print_one, &p) ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_table = {
    .name = "table",
    .words = PB_WORDS_OF_REPORTS,
    .least = 1,
    .most = 1,
    .options = "db set task per-task json columns sort no-timing format any-version",
    .help =
        "print the table of stored results\n\n" PB_HELP_OF_DATABASE
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
