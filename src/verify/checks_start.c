/* checks_start: before training: see checks.h. */
#include "verify/checks.h"

#include <stdlib.h>

/* ---- the start ----------------------------------------------------------------------------------------------- */

pb_outcome pb_check_identity(pb_trial *t)
{
    pb_testbed base = pb_trial_open(t, "", 5), p = pb_trial_open(t, t->spec, 5);
    bool promised = true;
    for (int i = 0; i < p.parts; i++)
        promised = promised && p.part[i].method->identity;
    double *want = pb_trial_logits(&base), *opened = pb_trial_logits(&p);
    if (pb_testbed_start(&p))
        PB_BUG("%s", pb_error_text());
    double *started = pb_trial_logits(&p), off = pb_trial_distance(PB_LOGITS, want, opened),
           then = pb_trial_distance(PB_LOGITS, want, started);
    free(want);
    free(opened);
    free(started);
    pb_testbed_close(&base);
    pb_testbed_close(&p);
    if (!promised)
        return PB_NOT_PROMISED;
    if (off > PB_EXACT)
        return pb_trial_broken(t, "logits differ by %.2g from the base model's before training", off);
    return then <= PB_EXACT ? PB_HELD
                            : pb_trial_broken(t, "logits differ by %.2g from the base model's after start", then);
}
