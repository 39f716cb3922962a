/* cmd_pareto: the Pareto front of an experiment's rows. */
#include "cli/cmd.h"
#include "report/pareto.h"

static int front(const pb_args *a)
{
    pb_run_context d;
    pb_pareto f;
    if (pb_run_context_open(&d, a))
        return PB_EXIT_QUESTION;
    pb_report r;
    int rc = pb_report_make(&r, d.store, d.experiment);
    if (!rc) {
        rc = pb_pareto_make(&f, &r, a->axes, a->seed < 0 ? 0 : (uint64_t)a->seed);
        if (!rc) {
            (a->json ? pb_pareto_json : pb_pareto_print)(&f, stdout);
            pb_pareto_free(&f);
        }
        pb_report_free(&r);
    }
    return pb_run_context_close(&d) || rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_pareto = {
    .name = "front",
    .words = "EXPERIMENT.ini",
    .least = 1,
    .most = 1,
    .options = "db set axes seed json",
    .help =
        "say which rows no other row beats on all axes\n\n"
        "Axes are keys of docs/metrics.md; the usual ones: the primary metric on test, storage.stored,\n"
        "memory.train.total, compute.train_flops, and overhead.prefill_ratio.b1 where it was measured.  Beside each\n"
        "row the share of 2000 bootstrap samples, of drawn seeds and examples, in which it is on the front.\n",
    .run = front,
};
