/* cmd_pareto: the Pareto front of an experiment's rows. */
#include "cli/cmd.h"
#include "report/pareto.h"

static int pareto(const pb_args *a)
{
    pb_run_context context;
    pb_pareto front;
    if (pb_run_context_open(&context, a))
        return PB_EXIT_QUESTION;
    pb_report r;
    int rc = pb_report_make(&r, context.store, context.experiment, false);
    if (!rc) {
        rc = pb_pareto_make(&front, &r, a->axes, a->seed < 0 ? 0 : (uint64_t)a->seed);
        if (!rc) {
            (a->json ? pb_pareto_json : pb_pareto_print)(&front, stdout);
            pb_pareto_free(&front);
        }
        pb_report_free(&r);
    }
    return pb_run_context_close(&context) || rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_pareto = {
    .name = "pareto",
    .alias = "front",
    .words = "EXPERIMENT.ini",
    .least = 1,
    .most = 1,
    .options = "db set axes seed json",
    .help =
        "print the Pareto front of an experiment's rows\n\n"
        "A row is on the Pareto front if no other row is at least as good on every axis and better on one.  The axes\n"
        "are keys of docs/metrics.md.  By default they are the primary metric on test, storage.stored,\n"
        "memory.train.total, compute.train_flops, and overhead.prefill_ratio.b1 if it was measured.  The last column\n"
        "is the share of 2000 bootstrap samples, over seeds and examples, in which the row is on the front.\n",
    .run = pareto,
};
