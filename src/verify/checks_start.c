/* checks_start: before training: see checks.h. */
#include "verify/checks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weights/safetensors.h"

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

/* ---- counts -------------------------------------------------------------------------------------------------- */

/* The number of elements in all tensors of the file that an artifact is written to, or -1 with an error. */
static double artifact_elements(const pb_model *m)
{
    char path[] = "/tmp/peftbench-counts-XXXXXX";
    int file = mkstemp(path);
    if (file < 0)
        return pb_error("%s: the file cannot be created", path);
    pb_safetensors *f = pb_model_save(m, path) ? NULL : pb_safetensors_open(path);
    double sum = f ? 0 : -1;
    for (size_t i = 0; f && i < pb_safetensors_count(f); i++)
        sum += (double)pb_safetensors_at(f, i)->count;
    pb_safetensors_close(f);
    unlink(path);
    close(file);
    return sum;
}

/* The elements of all tensors that three training steps change, whether or not they are said to train.  Writes the name
 * of a tensor that changes and is not said to train, or the other way round, to `odd`. */
static uint64_t moving_elements(const pb_trial *t, char odd[80])
{
    pb_testbed before = pb_trial_start(t, 0), after = pb_trial_start(t, 0);
    uint64_t sum = 0;
    pb_testbed_perturb(&before, 0.05); /* else the gradient of a factor is zero where the other one starts at zero */
    pb_testbed_perturb(&after, 0.05);
    pb_trial_train(&after);
    for (int i = 0; i < pb_model_params(after.model); i++) {
        const pb_param *p = pb_model_param(after.model, i), *q = pb_model_param(before.model, i);
        bool moved = memcmp(pb_param_memory(p), pb_param_memory(q), pb_param_bytes(p)) != 0;
        sum += moved ? pb_trial_elements(p) : 0;
        if (moved != p->trainable)
            snprintf(odd, 80, "%s", p->name);
    }
    pb_testbed_close(&before);
    pb_testbed_close(&after);
    return sum;
}

/* The elements of all parameters, or of all integers. */
static uint64_t all_elements(const pb_model *m, bool integers)
{
    uint64_t sum = 0;
    for (int i = 0; i < pb_model_params(m); i++)
        if ((pb_model_param(m, i)->index != NULL) == integers)
            sum += pb_trial_elements(pb_model_param(m, i));
    return sum;
}

/* As storage.stored is counted. */
static uint64_t stored_elements(const pb_model *m)
{
    uint64_t sum = 0;
    for (int i = 0; i < pb_model_params(m); i++)
        sum += pb_model_stores(pb_model_param(m, i)) ? pb_trial_elements(pb_model_param(m, i)) : 0;
    return sum;
}

/* The numbers that tables report come from the list of parameters.  Each is compared with what the model does:
 * trainable parameters with the tensors that training steps change, added ones with the difference in size to the model
 * without methods, stored ones with the tensors in an artifact's file.  This proves that each tensor is counted once,
 * trains and is saved.  It does not prove that the shapes are those of the paper, for which a method would have to
 * declare a formula. */
pb_outcome pb_check_counts(pb_trial *t)
{
    pb_testbed base = pb_trial_open(t, "", 0), p = pb_trial_start(t, 0);
    pb_counts c = pb_model_counts(p.model);
    char odd[80] = "";
    uint64_t moving = moving_elements(t, odd), all = all_elements(p.model, false);
    uint64_t more = all - all_elements(base.model, false), integers = all_elements(p.model, true);
    uint64_t stored = stored_elements(p.model);
    double in_file = artifact_elements(p.model);
    size_t bytes = pb_model_weight_bytes(p.model);
    pb_testbed_close(&base);
    pb_testbed_close(&p);
    if (moving != c.trainable || *odd)
        return pb_trial_broken(t, "%llu parameters are declared trainable, training changes %llu; look at %s",
                               (unsigned long long)c.trainable, (unsigned long long)moving, odd);
    if (more != c.added || all != c.base + c.head + c.added)
        return pb_trial_broken(t, "%llu parameters are declared as added, the model has %llu more than without methods",
                               (unsigned long long)c.added, (unsigned long long)more);
    if (in_file < 0)
        return pb_trial_broken(t, "%s", pb_error_text());
    if (in_file != (double)stored)
        return pb_trial_broken(t, "%llu parameters are declared as stored, the artifact's file has %.0f",
                               (unsigned long long)stored, in_file);
    return bytes == all * sizeof(pb_real) + integers * sizeof(int)
               ? PB_HELD
               : pb_trial_broken(t, "%zu bytes of weights are declared, %llu parameters have other sizes", bytes,
                                 (unsigned long long)all);
}
