/* checks_counts: numbers of parameters: see checks.h. */
#include "verify/checks.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/formula.h"
#include "weights/sparse_array.h"

/* ---- by formula ---------------------------------------------------------------------------------------------- */

/* The elements that the methods of a model add and train; *name becomes the last of their tensors. */
static double added_elements(const pb_model *m, const char **name)
{
    double sum = 0;
    for (int i = 0; i < pb_model_params(m); i++) {
        const pb_param *p = pb_model_param(m, i);
        bool counts = p->kind == PB_ADDED && p->trainable;
        sum += counts ? (double)pb_param_elements(p) : 0;
        *name = counts ? p->name : *name;
    }
    return sum - (double)pb_model_pruned(m);
}

/* Compares the formulas with the tensors of the methods with these settings, which `changed` tells apart from the
 * spec's.  Settings that the model refuses agree. */
static pb_outcome agrees(pb_trial *t, const pb_attached *part, int parts, const char *changed)
{
    const char *name = "none";
    double want = 0, got = 0;
    pb_model *m = pb_model_open(&(pb_opening){.path = t->fixture->path, .classes = PB_CLASSES, .shapes_only = true});
    int rc = 0;
    if (m && !pb_model_attach(m, part, parts)) {
        rc = pb_count_model(m, &want);
        got = added_elements(m, &name);
    }
    if (rc || want != got)
        pb_trial_broken(
            t, rc ? "%s" : "%swith %s the formula gives %.0f elements, the tensors that train have %.0f; look at %s",
            rc ? pb_error_text() : "", changed, want, got, name);
    pb_error_clear();
    pb_model_free(m);
    return rc || want != got ? PB_BROKEN : PB_HELD;
}

/* Sets a setting to another value than it has.  Of texts only `targets` and NAME_pattern are changed, whose values the
 * engine knows. */
static void change(const pb_option *table, const pb_option *o, void *conf)
{
    void *field = (char *)conf + o->offset;
    int *number = field, words = 1;
    double *real = field;
    for (const char *c = o->choices; c && *c; c++)
        words += *c == '|';
    if (o->type == PB_BOOL)
        *(bool *)field = !*(bool *)field;
    else if (o->type == PB_CHOICE)
        *number = (*number + 1) % words;
    else if (o->type == PB_INT)
        *number += *number < o->max ? 1 : -1;
    else if (o->type == PB_REAL)
        *real = *real / 2 >= o->min ? *real / 2 : o->max;
    else if (!strcmp(o->name, "targets"))
        pb_option_set(table, conf, o->name, "*");
    else if (strstr(o->name, "_pattern"))
        pb_option_set(table, conf, o->name, "0.*=3");
}

/* Changes setting `which` of a part, or (-1) all of them, and compares. */
static pb_outcome agrees_otherwise(pb_trial *t, int which_part, int which)
{
    pb_attached part[PB_MAX_PARTS];
    int parts;
    PB_CHECK(!pb_attached_parse(t->spec, part, &parts));
    const pb_option *o = part[which_part].method->settings.options;
    pb_text changed = {0};
    for (int i = 0; o && o[i].name; i++)
        if (which == i || which < 0) {
            change(o, &o[i], (void *)(uintptr_t)part[which_part].conf);
            pb_text_add(&changed, "%s%s=", changed.data ? "," : "", o[i].name);
            pb_option_print(&o[i], part[which_part].conf, &changed);
        }
    pb_outcome outcome = changed.data ? agrees(t, part, parts, changed.data) : PB_HELD;
    pb_text_free(&changed);
    pb_attached_free(part, parts);
    return outcome;
}

static bool has_formula(const pb_attached *part, int parts)
{
    for (int i = 0; i < parts; i++)
        if (part[i].method->count)
            return true;
    return false;
}

/* Returns true if all methods are of the folder methods/. */
static bool is_ours(const pb_attached *part, int parts)
{
    int ours = 0;
    for (int i = 0; i < parts; i++)
        for (const pb_method *const *m = pb_methods; *m; m++)
            ours += part[i].method == *m;
    return ours == parts;
}

/* The formula holds for the settings of the spec, for those with one setting changed, and for those with all settings
 * of a method changed. */
pb_outcome pb_check_formula(pb_trial *t)
{
    pb_attached part[PB_MAX_PARTS];
    int parts;
    PB_CHECK(!pb_attached_parse(t->spec, part, &parts));
    bool promised = has_formula(part, parts) || is_ours(part, parts);
    pb_outcome outcome = promised ? agrees(t, part, parts, "these settings") : PB_NOT_PROMISED;
    for (int i = 0; i < parts; i++) {
        const pb_option *o = part[i].method->settings.options;
        for (int k = -1; outcome == PB_HELD && (k < 0 || (o && o[k].name)); k++)
            outcome = agrees_otherwise(t, i, k);
    }
    pb_attached_free(part, parts);
    return outcome;
}

/* ---- counts -------------------------------------------------------------------------------------------------- */

/* The number of elements of all tensors in the file that an artifact is written to, or -1 with an error. */
static double artifact_elements(const pb_model *m)
{
    char path[] = "/tmp/peftbench-counts-XXXXXX";
    int file = mkstemp(path);
    if (file < 0)
        return pb_error("%s: the file cannot be created", path);
    pb_safetensors *f = pb_model_save(m, path) ? NULL : pb_safetensors_open(path);
    double sum = f ? (double)pb_sparse_array_elements(f) : -1;
    pb_safetensors_close(f);
    unlink(path);
    close(file);
    return sum;
}

/* Trains three steps or more, until each trainable parameter was reached once, since structure may be drawn. */
static void train_all(pb_testbed *p)
{
    size_t params = (size_t)pb_model_params(p->model), left = params;
    bool *done = pb_alloc(params + 1);
    pb_trial_training r;
    pb_trial_training_start(&r, p, 40);
    while ((r.step < PB_TRIAL_STEPS || left) && r.step < r.steps && pb_trial_step(&r)) {
        left = 0;
        for (size_t i = 0; i < params; i++) {
            const pb_param *one = pb_model_param(p->model, (int)i);
            done[i] = done[i] || !one->trainable || one->reached;
            left += !done[i];
        }
    }
    pb_trial_training_end(&r);
    free(done);
}

/* The elements, without pruned ones, of all tensors that training steps change, whether or not they are said to train.
 * Writes the name of a tensor that changes and is not said to train, or the other way round, to `odd`. */
static uint64_t moving_elements(const pb_trial *t, char odd[80])
{
    pb_testbed before = pb_trial_start(t, 0), after = pb_trial_start(t, 0);
    uint64_t sum = 0;
    pb_testbed_perturb(&before, 0.05); /* else the gradient of a factor is zero where the other one starts at zero */
    pb_testbed_perturb(&after, 0.05);
    train_all(&after);
    bool hooks = pb_trial_has_step_hooks(&after);
    for (int i = 0; i < pb_model_params(after.model); i++) {
        const pb_param *p = pb_model_param(after.model, i), *q = pb_model_param(before.model, i);
        if (hooks && p->kind == PB_ADDED && !p->trainable)
            continue; /* a hook may change it */
        bool moved = memcmp(pb_param_memory(p), pb_param_memory(q), pb_param_bytes(p)) != 0;
        sum += moved ? pb_param_elements(p) : 0;
        if (moved != p->trainable)
            snprintf(odd, 80, "%s", p->name);
    }
    sum -= pb_model_pruned(after.model);
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
            sum += pb_param_elements(pb_model_param(m, i));
    return sum;
}

/* As storage.stored is counted. */
static uint64_t stored_elements(const pb_model *m)
{
    uint64_t sum = 0;
    for (int i = 0; i < pb_model_params(m); i++)
        sum += pb_model_stores(pb_model_param(m, i)) ? pb_param_elements(pb_model_param(m, i)) : 0;
    return sum;
}

/* The numbers that tables report come from the list of parameters.  Each is compared with what the model does:
 * trainable parameters with the tensors that training steps change, added ones with the difference in size to the model
 * without methods, stored ones with the tensors in an artifact's file.  This proves that each tensor is counted once,
 * trains and is saved.  That the shapes are those of the paper is what the formula says. */
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
