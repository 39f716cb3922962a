/* cmd_recommend: the best row of an experiment within limits on its costs. */
#include "base/units.h"
#include "cli/reports.h"
#include "report/recommend.h"

/* Adds the limit of an option, if it is given.  `unit` is "B" for bytes, which have decimal prefixes. */
static int add_limit(pb_limit *limit, int *n, const char *option, const char *value, const char *key,
                     const char *instead)
{
    double most;
    if (!value)
        return 0;
    if (pb_parse_unit(value, &most))
        return pb_error("--%s: want a positive number such as 1.05, 200M or 1.5 GB, got '%s'", option, value);
    limit[(*n)++] = (pb_limit){.key = key, .instead = instead, .most = most};
    return 0;
}

/* The overhead of a row with a merged time is that one, if --merged asks for it. */
static int read_limits(const pb_args *a, pb_limit *limit, int *n)
{
    static const char unmerged[] = "overhead.prefill_ratio.b1", merged[] = "overhead.prefill_ratio.b1.merged";
    return add_limit(limit, n, "memory", a->memory, "memory.train.total", NULL) ||
                   add_limit(limit, n, "storage", a->storage, "storage.artifact_bytes", NULL) ||
                   add_limit(limit, n, "overhead", a->overhead, a->merged ? merged : unmerged,
                             a->merged ? unmerged : NULL) ||
                   add_limit(limit, n, "flops", a->flops, "compute.train_flops", NULL)
               ? -1
               : 0;
}

/* Returns the exit code: no if no row fits, undecided if none is known to fit. */
static int verdict(const pb_recommendation *v)
{
    if (v->best >= 0)
        return PB_EXIT_DONE;
    for (int i = 0; i < v->report->experiment->rows; i++)
        if (v->fit[i] != PB_FIT_NO)
            return PB_EXIT_UNDECIDED;
    return PB_EXIT_NO;
}

static int recommend(const pb_args *a)
{
    pb_reports x;
    pb_recommendation choice;
    pb_limit limit[PB_LIMITS];
    int limits = 0, rc = PB_EXIT_QUESTION;
    if (read_limits(a, limit, &limits) || pb_reports_open_one(&x, a, a->any_version))
        return PB_EXIT_QUESTION;
    if (!pb_recommend(&choice, x.task, limit, limits, a->seed < 0 ? 0 : (uint64_t)a->seed)) {
        (a->json ? pb_recommendation_json : pb_recommendation_print)(&choice, stdout);
        rc = verdict(&choice);
        pb_recommendation_free(&choice);
    }
    return pb_reports_close(&x) ? PB_EXIT_QUESTION : rc;
}

const pb_command pb_cmd_recommend = {
    .name = "recommend",
    .words = PB_WORDS_OF_REPORTS,
    .least = 1,
    .most = 1,
    .options = "db set task memory storage overhead flops merged seed json any-version",
    .help =
        "recommend the best row within limits on its costs\n\n" PB_HELP_OF_DATABASE
        "The row with the best primary metric on validation among those that fit is chosen; its score on test is what\n"
        "to expect of it.  A bootstrap over seeds and examples of validation says how often another row would have\n"
        "been chosen, and rows that the test split does not tell apart from the chosen one are named.  A time decides\n"
        "only where its 95 % interval lies on one side of the limit.  Exit status 1: no row fits; 3: it is not known\n"
        "whether one fits.  An experiment with several tasks needs --task.\n\n"
        "  peftbench recommend experiments/sentiment.ini --memory 60M --storage 1M --overhead 1.05\n",
    .run = recommend,
};
