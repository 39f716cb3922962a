/* cmd_settings: every resolved setting of an experiment. */
#include "cli/reports.h"
#include "experiment/experiment_reader.h"
#include "report/settings_table.h"

static void print(const pb_experiment *e, const pb_report *r, int format, bool first)
{
    if (e->of_several)
        pb_reports_heading("task", e->task_name, format, first);
    pb_settings_table_print(e, r, format, stdout);
}

/* What is tried, without a database. */
static int print_tried(const pb_args *a, int format)
{
    pb_experiments x;
    if (pb_experiments_read(&x, a->word[0], a->set, a->task))
        return PB_EXIT_QUESTION;
    for (int i = 0; i < x.tasks; i++)
        print(x.task[i], NULL, format, !i);
    pb_experiments_free(&x);
    return PB_EXIT_DONE;
}

static int settings(const pb_args *a)
{
    pb_reports x;
    int format = pb_args_format(a, PB_PRINT_CSV);
    if (format < 0)
        return PB_EXIT_QUESTION;
    if (!pb_reports_of_database(a->word[0]) && !pb_file_exists(a->db))
        return print_tried(a, format);
    if (pb_reports_open(&x, a, false))
        return PB_EXIT_QUESTION;
    for (int i = 0; i < x.tasks; i++)
        print(x.context.task[i].experiment, &x.task[i], format, !i);
    return pb_reports_close(&x) ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_settings = {
    .name = "settings",
    .words = PB_WORDS_OF_REPORTS,
    .least = 1,
    .most = 1,
    .options = "db set task format",
    .help = "print every resolved setting, as the appendix of a paper lists them\n\n" PB_HELP_OF_DATABASE
            "A line for each setting and value, defaults included: the rows that have the value, all values that are "
            "tried if\n"
            "the setting is tuned, and, where the database has results, the value that was chosen on validation.  "
            "--format\n"
            "markdown and latex print a table for a document, --format csv one for a program.\n",
    .run = settings,
};
