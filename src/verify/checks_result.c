/* checks_result: trained methods: see checks.h. */
#include "verify/checks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/decode.h"
#include "train/encoded.h"
#include "weights/safetensors.h"

pb_outcome pb_check_merge(pb_trial *t)
{
    pb_testbed p = pb_trial_start(t, 1);
    pb_testbed_perturb(&p, 0.05);
    bool can = pb_model_can_merge(p.model), promised = false;
    for (int i = 0; i < p.parts; i++)
        promised = promised || p.part[i].method->traits.merges;
    double *unmerged = pb_trial_logits(&p), off = 0, rest = 0;
    if (can) {
        if (pb_model_merge(p.model)) {
            free(unmerged);
            pb_testbed_close(&p);
            return pb_trial_broken(t, "%s", pb_error_text());
        }
        double *merged = pb_trial_logits(&p);
        pb_model_unmerge(p.model);
        double *back = pb_trial_logits(&p);
        off = pb_trial_distance(PB_LOGITS, unmerged, merged);
        rest = pb_trial_distance(PB_LOGITS, unmerged, back);
        free(merged);
        free(back);
    }
    free(unmerged);
    pb_testbed_close(&p);
    if (!can)
        return PB_NOT_PROMISED;
    return off <= 5 * PB_EXACT && rest == 0
               ? promised ? PB_HELD : PB_NOT_PROMISED
               : pb_trial_broken(t, "merged: logits differ by %.2g, and by %.2g when unmerged again", off, rest);
}

/* The adapters that are exported and served together are those that `low_rank` declares. */
pb_outcome pb_check_low_rank(pb_trial *t)
{
    pb_testbed p = pb_trial_start(t, 1);
    pb_testbed_perturb(&p, 0.05);
    const pb_site *site = NULL;
    double off;
    int sites = pb_model_compare_low_rank(p.model, &off, &site);
    pb_outcome outcome = sites ? PB_HELD : PB_NOT_PROMISED;
    if (sites < 0)
        outcome = pb_trial_broken(t, "%s", pb_error_text());
    else if (off > PB_EXACT)
        outcome = pb_trial_broken(t,
                                  "layer %d, %s: the hooks change the weight by another matrix than scale * B A of "
                                  "low_rank; elements differ by %.2g",
                                  site->layer, site->role, off);
    pb_testbed_close(&p);
    return outcome;
}

/* Gives `to`, which was opened with another seed, the base of `from`. */
static void copy_base(const pb_trial *t, const pb_model *from, pb_model *to)
{
    for (int i = 0; i < pb_model_params(to); i++) {
        const pb_param *p = pb_model_param(from, i);
        if (t->fixture->random && p->kind != PB_ADDED)
            memcpy(pb_model_param(to, i)->x, p->x, pb_param_bytes(p));
    }
}

/* A tensor in the file that is made again from the seed and should not be there; NULL: there is none. */
static const char *seeded_in_file(const pb_model *m, const char *path)
{
    pb_safetensors *f = pb_safetensors_open(path);
    const char *name = NULL;
    for (int i = 0; f && i < pb_model_params(m); i++)
        if (pb_model_param(m, i)->seeded && pb_safetensors_find(f, pb_model_param(m, i)->name))
            name = pb_model_param(m, i)->name;
    pb_safetensors_close(f);
    return name;
}

/* Trains `one`, writes it to a file, reads that into `two`, and writes this to a second file.  Sets *same to whether
 * both files are the same.  Returns -1 with an error. */
static int save_and_load(pb_testbed *one, pb_testbed *two, const char **seeded, bool *same)
{
    char path[2][40] = {"/tmp/peftbench-artifact-XXXXXX", "/tmp/peftbench-artifact-XXXXXX"};
    int file[2] = {mkstemp(path[0]), mkstemp(path[1])};
    size_t size[2] = {0, 0};
    char *bytes[2] = {NULL, NULL};
    int rc = pb_model_save(one->model, path[0]) || pb_model_load(two->model, path[0]) ||
                     pb_model_save(two->model, path[1])
                 ? -1
                 : 0;
    *seeded = rc ? NULL : seeded_in_file(one->model, path[0]);
    for (int i = 0; i < 2; i++) {
        bytes[i] = rc ? NULL : pb_read_file(path[i], &size[i]);
        unlink(path[i]);
        close(file[i]);
    }
    *same = bytes[0] && bytes[1] && size[0] == size[1] && !memcmp(bytes[0], bytes[1], size[0]);
    free(bytes[0]);
    free(bytes[1]);
    return rc;
}

/* Saving, loading and saving again gives the same logits and the same file.  The model that is loaded into was opened
 * with another seed and is not started, so the file must hold all that the seed and the start hooks have decided. */
pb_outcome pb_check_artifact(pb_trial *t)
{
    pb_testbed one = pb_trial_start(t, 1), two = pb_trial_open(t, t->spec, 2);
    const char *seeded;
    bool same;
    copy_base(t, one.model, two.model);
    pb_testbed_perturb(&one, 0.05);
    pb_trial_train(&one);
    int rc = save_and_load(&one, &two, &seeded, &same);
    double *want = pb_trial_logits(&one), *got = pb_trial_logits(&two), off = pb_trial_distance(PB_LOGITS, want, got);
    if (seeded)
        pb_trial_broken(t, "the artifact has %s, which is made again from the seed", seeded);
    free(want);
    free(got);
    pb_testbed_close(&one);
    pb_testbed_close(&two);
    if (rc)
        return pb_trial_broken(t, "%s", pb_error_text());
    if (seeded)
        return PB_BROKEN;
    return off <= PB_IN_FILES && same
               ? PB_HELD
               : pb_trial_broken(
                     t,
                     "saved, and loaded into a model of another seed: logits differ by %.2g%s; look for something "
                     "that the method keeps elsewhere than in its tensors",
                     off, same ? "" : ", and the second file differs");
}

/* The log-probability of the last n tokens of a text, read as a whole. */
static double log_probability_of(pb_testbed *p, const pb_ids *text, int n)
{
    int ends[] = {0, (int)text->count};
    double sum = 0;
    pb_trial_forward(p, &(pb_batch){.sequences = 1, .offset = ends, .ids = text->id}, false, 0);
    for (int i = ends[1] - n; i < ends[1]; i++)
        sum += pb_log_probability(pb_graph_output(p->graph), i - 1, text->id[i]);
    return sum;
}

static bool needs_classes(const pb_testbed *p)
{
    for (int i = 0; i < p->parts; i++)
        if (p->part[i].method->traits.classes)
            return true;
    return false;
}

/* Decoding token by token with a cache gives its tokens the log-probabilities that the whole text gives them. */
pb_outcome pb_check_decoding(pb_trial *t)
{
    pb_testbed p;
    if (!t->fixture->decoder)
        return PB_NOT_PROMISED;
    if (pb_testbed_open(&p, t->fixture->path, t->fixture->random, t->spec, 0, 1))
        return PB_NOT_PROMISED; /* it needs a head of classes */
    if (!needs_classes(&p) && pb_testbed_start(&p))
        PB_BUG("%s", pb_error_text());
    pb_testbed_perturb(&p, 0.05);
    const pb_decoding how = {.max_new = 6, .temperature = 1, .top_p = 1, .beams = 1, .stop = "", .slots = 2};
    pb_ids prompt[2] = {{0}, {0}};
    pb_continuation out[2];
    for (int s = 0; s < 2; s++)
        for (int i = pb_testbed_tokens.offset[s]; i < pb_testbed_tokens.offset[s + 1]; i++)
            pb_ids_add(&prompt[s], pb_testbed_tokens.ids[i]);
    int rc = pb_decode(p.model, &how, 2, prompt, out);
    double off = 0;
    for (int s = 0; s < 2 && !rc; s++) {
        for (size_t i = 0; i < out[s].ids.count; i++)
            pb_ids_add(&prompt[s], out[s].ids.id[i]);
        double whole = log_probability_of(&p, &prompt[s], (int)out[s].ids.count);
        off = fmax(off, fabs(whole - out[s].log_probability));
    }
    for (int s = 0; s < 2; s++) {
        pb_ids_free(&prompt[s]);
        if (!rc)
            pb_ids_free(&out[s].ids);
    }
    pb_testbed_close(&p);
    if (rc)
        return pb_trial_broken(t, "%s", pb_error_text());
    return off <= 1e-3 ? PB_HELD
                       : pb_trial_broken(t, "token by token and as a whole: log-probabilities differ by %.2g", off);
}
