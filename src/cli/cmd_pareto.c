/* cmd_pareto: the Pareto front of an experiment's rows. */
#include "cli/reports.h"
#include "report/pareto.h"

static int pareto(const pb_args *a)
{
    pb_reports x;
    pb_pareto front;
    if (pb_reports_open_one(&x, a, false))
        return PB_EXIT_QUESTION;
    int rc = pb_pareto_make(&front, x.task, a->axes, a->seed < 0 ? 0 : (uint64_t)a->seed);
    if (!rc) {
        (a->json ? pb_pareto_json : pb_pareto_print)(&front, stdout);
        pb_pareto_free(&front);
    }
    return pb_reports_close(&x) || rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_pareto = {
    .name = "pareto",
    .alias = "front",
    .words = PB_WORDS_OF_REPORTS,
    .least = 1,
    .most = 1,
    .options = "db set task axes seed json",
    .help =
        "print the Pareto front of an experiment's rows\n\n" PB_HELP_OF_DATABASE
        "A row is on the Pareto front if no other row is at least as good on every axis and better on one.\n"
        "Differences of times within their 95 % intervals count as ties, neither better nor worse, as do those of\n"
        "less than 5 %.  The axes are keys of docs/metrics.md.  By default they are the primary metric on test,\n"
        "storage.stored, memory.train.total, compute.train_flops, and overhead.prefill_ratio.b1 if it was measured.\n"
        "The last column is the share of 2000 bootstrap samples, over seeds and examples, in which the row is on the\n"
        "front.\n"
        "An experiment with several tasks needs --task.\n",
    .run = pareto,
};
