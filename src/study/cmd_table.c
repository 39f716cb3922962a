/* cmd_table: the table of stored results. */
#include "study/cmd.h"
#include "study/report.h"

static int table(const pb_args *a)
{
    pb_desk d;
    if (pb_desk_open(&d, a))
        return PB_EXIT_QUESTION;
    pb_report r = pb_report_make(d.store, d.experiment);
    int rc = a->json ? pb_report_json(&r, stdout) : (pb_report_print(&r, stdout), 0);
    pb_report_free(&r);
    pb_desk_close(&d);
    return rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_table = {
    .name = "table",
    .words = "EXPERIMENT.ini",
    .least = 1,
    .most = 1,
    .options = "db set json",
    .help = "print the table of stored results; --json gives every metric with mean, low, high and n\n",
    .run = table,
};
