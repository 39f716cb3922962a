/* checks_start: before training: see checks.h. */
#include "verify/checks.h"

#include <math.h>
#include <stdlib.h>

#include "model/formula.h"

/* ---- the start ----------------------------------------------------------------------------------------------- */

pb_outcome pb_check_identity(pb_trial *t)
{
    pb_testbed base = pb_trial_open(t, "", 5), p = pb_trial_open(t, t->spec, 5);
    bool promised = true;
    for (int i = 0; i < p.parts; i++)
        promised = promised && p.part[i].method->traits.identity;
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

/* ---- positions ----------------------------------------------------------------------------------------------- */

/* Rows in front of a text, of embeddings or of keys and values, take a position each, or none. */
pb_outcome pb_check_positions(pb_trial *t)
{
    pb_testbed p = pb_trial_open(t, t->spec, 0);
    const pb_network_config *c = pb_model_config(p.model);
    int rows = pb_model_extra_rows(p.model),
        positions = c->positions - c->first_position - pb_model_max_tokens(p.model);
    pb_testbed_close(&p);
    if (!rows && !positions)
        return PB_NOT_PROMISED;
    return positions == rows || !positions
               ? PB_HELD
               : pb_trial_broken(t,
                                 "%d rows are in front of a text, and its positions begin %d later; look at "
                                 "first_position in the hook `embed`",
                                 rows, positions);
}

/* ---- indices ------------------------------------------------------------------------------------------------- */

/* The integers that `start` has set are in their range. */
pb_outcome pb_check_indices(pb_trial *t)
{
    pb_testbed p = pb_trial_start(t, 1);
    pb_outcome outcome = PB_NOT_PROMISED;
    for (int i = 0; i < pb_model_params(p.model) && outcome != PB_BROKEN; i++) {
        const pb_param *one = pb_model_param(p.model, i);
        outcome = one->index ? PB_HELD : outcome;
        for (int k = 0; one->index && k < one->cols && outcome == PB_HELD; k++)
            if (one->index[k] < 0 || one->index[k] >= one->below)
                outcome = pb_trial_broken(t, "%s: element %d is %d after `start`, want 0 to %d", one->name, k,
                                          one->index[k], one->below - 1);
    }
    pb_testbed_close(&p);
    return outcome;
}

/* ---- random values ------------------------------------------------------------------------------------------- */

enum { SEEDS = 32 };

/* Adds the squares of a parameter's values, for SEEDS seeds, to sum [params], and their number to n [params]. */
static void add_squares(const pb_trial *t, double *sum, double *n)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        pb_testbed p = pb_trial_open(t, t->spec, seed);
        for (int i = 0; i < pb_model_params(p.model); i++) {
            const pb_param *one = pb_model_param(p.model, i);
            for (size_t k = 0; one->kind == PB_ADDED && one->x && k < pb_param_elements(one); k++)
                sum[i] += (double)one->x[k] * (double)one->x[k];
            n[i] += (double)pb_param_elements(one);
        }
        pb_testbed_close(&p);
    }
}

/* The variance of n normal values has the relative standard deviation sqrt(2/n); of uniform ones it is less. */
static pb_outcome spreads(pb_trial *t, const pb_model *m, const double *sum, const double *n, int *stated)
{
    for (int i = 0; i < pb_model_params(m); i++) {
        const pb_param *p = pb_model_param(m, i);
        double want = 0, got = sqrt(sum[i] / n[i]);
        int rc = p->kind == PB_ADDED ? pb_deviation(m, p, &want) : 0;
        if (rc < 0)
            return pb_trial_broken(t, "%s", pb_error_text());
        *stated += rc;
        if (rc && fabs(got * got - want * want) > 6 * sqrt(2 / n[i]) * want * want)
            return pb_trial_broken(t, "%s starts with a standard deviation of %.4g; the method declares %.4g", p->name,
                                   got, want);
    }
    return PB_HELD;
}

pb_outcome pb_check_deviation(pb_trial *t)
{
    pb_testbed p = pb_trial_open(t, t->spec, 0);
    size_t params = (size_t)pb_model_params(p.model);
    double *sum = pb_alloc(params * sizeof *sum), *n = pb_alloc(params * sizeof *n);
    int stated = 0;
    bool promised = false;
    for (int i = 0; i < p.parts; i++)
        promised = promised || p.part[i].method->deviation;
    if (promised)
        add_squares(t, sum, n);
    pb_outcome outcome = promised ? spreads(t, p.model, sum, n, &stated) : PB_NOT_PROMISED;
    free(sum);
    free(n);
    pb_testbed_close(&p);
    return outcome == PB_HELD && !stated
               ? pb_trial_broken(t, "no tensor has a name that the method's formula of deviations mentions")
               : outcome;
}
