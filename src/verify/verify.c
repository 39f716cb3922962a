/* verify: see verify.h. */
#include "verify/verify.h"

#include <stdlib.h>

#include "verify/checks.h"

static const struct {
    const char *name;
    pb_check *run;
} checks[] = {{"indices in their range", pb_check_indices},
              {"starts as the base model", pb_check_identity},
              {"positions behind a prefix", pb_check_positions},
              {"random values as declared", pb_check_deviation},
              {"elements by the formula", pb_check_formula},
              {"declared equals counted", pb_check_counts},
              {"gradient is the slope of the loss", pb_check_slope},
              {"penalties do not reward", pb_check_penalty},
              {"backward reads what is kept", pb_check_kept},
              {"bytes and FLOPs as planned", pb_check_plan},
              {"layers computed again", pb_check_recompute},
              {"one full-size matrix at a time", pb_check_full_size},
              {"a text does not see its batch", pb_check_alone},
              {"order does not matter", pb_check_order},
              {"scoring is the same twice", pb_check_scoring},
              {"frozen bits stay", pb_check_frozen},
              {"a step changes what it reaches", pb_check_reached},
              {"best epoch restored", pb_check_best},
              {"a run as planned", pb_check_run},
              {"no leak between seeds", pb_check_seeds},
              {"1 and 2 threads, each the same", pb_check_threads},
              {"merged equals unmerged", pb_check_merge},
              {"low rank as declared", pb_check_low_rank},
              {"saved, loaded, saved", pb_check_artifact},
              {"cached decoding", pb_check_decoding}};

/* Opens and starts a testbed, and builds graphs for scoring and for training, whose structure may be drawn by a key.
 * Returns -1 with the error of a hook, and then there is nothing to close. */
static int open_and_build(pb_testbed *p, const pb_fixture *g, const char *spec)
{
    enum { KEYS = 16 };
    if (pb_testbed_open(p, g->path, g->random, spec, PB_CLASSES, 1))
        return -1;
    int rc = pb_testbed_start(p) || pb_testbed_plan(p, &pb_testbed_texts, false, 0) ? -1 : 0;
    for (p->key = 0; p->key < KEYS && !rc; p->key++)
        rc = pb_testbed_plan(p, &pb_testbed_texts, true, 0.1);
    p->key = 0;
    if (rc)
        pb_testbed_close(p);
    return rc;
}

int pb_verify(const pb_fixture *g, const char *spec, pb_verify_report *report, void *ctx)
{
    pb_testbed p;
    if (open_and_build(&p, g, spec))
        return -1;
    pb_trial_train(&p);
    pb_testbed_close(&p);
    if (*pb_error_text()) /* of a hook between the steps */
        return -1;
    int count = 0;
    for (size_t i = 0; i < PB_COUNT(checks); i++) {
        pb_trial t = {.fixture = g, .spec = spec};
        pb_outcome o = checks[i].run(&t);
        pb_error_clear();
        count += o == PB_BROKEN;
        report(ctx, checks[i].name, o, t.why);
    }
    return count;
}

pb_outcome pb_verify_together(const pb_fixture *g, const char *a, const char *b, char why[200])
{
    char *spec = pb_format("%s+%s", a, b);
    pb_testbed p;
    bool opened = !open_and_build(&p, g, spec);
    free(spec);
    why[0] = 0;
    if (!opened) {
        snprintf(why, 200, "%s", pb_error_text());
        pb_error_clear();
        return PB_NOT_PROMISED;
    }
    pb_testbed_perturb(&p, 0.05);
    pb_trial_train(&p);
    double *z = pb_trial_logits(&p), off = pb_trial_distance(PB_LOGITS, z, z);
    free(z);
    pb_testbed_close(&p);
    if (off > 0)
        snprintf(why, 200, "with %s logits are not finite after three steps", b);
    return off > 0 ? PB_BROKEN : PB_HELD;
}
