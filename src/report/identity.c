/* identity: see identity.h. */
#include "report/identity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/method_spec.h"

/* Largest difference of merged logits, relative to the largest logit, that counts as rounding. */
#define MERGE_TOLERANCE 2e-5

typedef struct one {
    pb_recorded_run recorded;
    const pb_values *values;
} one;

static bool same_bits(double a, double b)
{
    uint64_t x, y;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    return x == y || (isnan(a) && isnan(b));
}

/* Returns |a - b| / scale; infinity if exactly one of the two is NaN. */
static double relative_difference(double a, double b, double scale)
{
    if (same_bits(a, b))
        return 0;
    double d = fabs(a - b) / scale;
    return isnan(d) ? INFINITY : d;
}

static double larger(double a, double b)
{
    return fmax(fabs(a), fabs(b));
}

static double largest(const pb_series *s)
{
    double most = 0;
    for (int i = 0; i < s->count; i++)
        most = fmax(most, fabs(s->x[i]));
    return most;
}

/* Returns the largest difference of two series relative to the largest absolute number of the second one. */
static double distance(const pb_series *a, const pb_series *b)
{
    double worst = a->count == b->count ? 0 : INFINITY, scale = largest(b);
    for (int i = 0; i < a->count && a->count == b->count; i++)
        worst = fmax(worst, relative_difference(a->x[i], b->x[i], scale));
    return worst;
}

static void add_step(pb_text *t, int step)
{
    if (step < 0)
        pb_text_add(t, " at the end");
    else if (step == 0)
        pb_text_add(t, " at initialization");
    else
        pb_text_add(t, " after step %d", step);
}

/* ---- to the bit ------------------------------------------------------------------------------------------- */

/* Each of these functions appends a clause about what differs and returns whether something does. */

static bool describe_losses(const pb_result *is, const pb_result *was, pb_text *t)
{
    const pb_series *a = pb_result_find(is, -1, "loss"), *b = pb_result_find(was, -1, "loss");
    int n = a->count < b->count ? a->count : b->count, k = 0;
    while (k < n && same_bits(a->x[k], b->x[k]))
        k++;
    if (k < n)
        pb_text_add(t, "the losses are equal up to step %d and differ at step %d by %.2g (relative)", k, k + 1,
                    relative_difference(a->x[k], b->x[k], larger(a->x[k], b->x[k])));
    else if (a->count != b->count)
        pb_text_add(t, "the losses are equal, but there are %d steps and were %d", a->count, b->count);
    else
        pb_text_add(t, "the losses are equal");
    return k < n || a->count != b->count;
}

/* Returns the index of the first trainable tensor whose names differ, or the number of tensors if none does. */
static int common_names(const pb_result *is, const pb_result *was)
{
    int n = is->tensors < was->tensors ? is->tensors : was->tensors, i = 0;
    while (i < n && !strcmp(is->tensor[i], was->tensor[i]))
        i++;
    return i;
}

static bool same_names(const pb_result *is, const pb_result *was)
{
    return is->tensors == was->tensors && common_names(is, was) == is->tensors;
}

static void describe_names(const pb_result *is, const pb_result *was, pb_text *t)
{
    int i = common_names(is, was);
    pb_text_add(t, "; the trainable tensors differ: %s in place of %s", i < is->tensors ? is->tensor[i] : "none",
                i < was->tensors ? was->tensor[i] : "none");
}

/* Returns the index of the first tensor that differs at a point, in its gradient or in its values; -1 if none does. */
static int first_at(const pb_fingerprint *a, const pb_fingerprint *b, int tensors, bool gradient)
{
    for (int i = 0; i < tensors; i++)
        if (gradient ? a->print[i].gradient != b->print[i].gradient : a->print[i].values != b->print[i].values)
            return i;
    return -1;
}

/* Returns whether the fingerprints of both runs were taken after the same steps. */
static bool same_points(const pb_result *is, const pb_result *was)
{
    bool same = is->fingerprints == was->fingerprints;
    for (size_t k = 0; k < is->fingerprints && same; k++)
        same = is->fingerprint[k].step == was->fingerprint[k].step;
    return same;
}

static bool describe_tensor(const pb_result *is, const pb_result *was, pb_text *t)
{
    if (!same_names(is, was)) {
        describe_names(is, was, t);
        return true;
    }
    for (size_t k = 0; k < is->fingerprints && k < was->fingerprints; k++)
        for (int values = 0; values < 2; values++) {
            const pb_fingerprint *a = &is->fingerprint[k], *b = &was->fingerprint[k];
            int i = a->step == b->step ? first_at(a, b, is->tensors, !values) : -1;
            if (i < 0)
                continue;
            pb_text_add(t, "; the first tensor that differs is %s%s", is->tensor[i],
                        values ? "" : ", in its gradient,");
            add_step(t, a->step);
            if (values)
                pb_text_add(t, " (its norm was %.6g, is %.6g)", (double)b->print[i].norm, (double)a->print[i].norm);
            return true;
        }
    if (!same_points(is, was))
        pb_text_add(t, "; the tensors were recorded after different steps");
    return !same_points(is, was);
}

/* Returns the number of series with this name. */
static int count_series(const pb_result *r, const char *name)
{
    int n = 0;
    for (size_t i = 0; i < r->series_count; i++)
        n += !strcmp(r->series[i].name, name);
    return n;
}

/* Returns whether both runs have series of this name at the same steps. */
static bool same_series(const pb_result *is, const pb_result *was, const char *name)
{
    bool same = count_series(is, name) == count_series(was, name);
    for (size_t i = 0; i < is->series_count; i++)
        same = same && (strcmp(is->series[i].name, name) != 0 || pb_result_find(was, is->series[i].step, name));
    return same;
}

/* Describes the first common step at which the probe's logits differ. */
static bool describe_logits(const pb_result *is, const pb_result *was, const char *name, const char *what, pb_text *t)
{
    const pb_series *first = NULL, *other = NULL;
    for (size_t i = 0; i < is->series_count; i++) {
        const pb_series *a = &is->series[i], *b = pb_result_find(was, a->step, a->name);
        if (strcmp(a->name, name) != 0 || !b || distance(a, b) == 0)
            continue;
        if (!first || first->step < 0 || (a->step >= 0 && a->step < first->step)) {
            first = a;
            other = b;
        }
    }
    if (first) {
        pb_text_add(t, "; the %s differ", what);
        add_step(t, first->step);
        pb_text_add(t, " by %.2g (relative to the largest)", distance(first, other));
    } else if (!same_series(is, was, name)) {
        pb_text_add(t, "; the %s were recorded after different steps", what);
    }
    return first || !same_series(is, was, name);
}

/* Returns how many of the first n predictions differ. */
static size_t count_different_predictions(const pb_result *is, const pb_result *was, size_t n)
{
    size_t different = 0;
    for (size_t i = 0; i < n; i++) {
        const pb_prediction *a = &is->prediction[i], *b = &was->prediction[i];
        different += a->predicted != b->predicted || !same_bits(a->value, b->value) ||
                     (a->text && b->text ? strcmp(a->text, b->text) != 0 : a->text != b->text);
    }
    return different;
}

static bool other_predictions(const pb_result *is, const pb_result *was)
{
    return is->predictions != was->predictions || count_different_predictions(is, was, is->predictions);
}

static bool describe_predictions(const pb_result *is, const pb_result *was, pb_text *t)
{
    size_t n = is->predictions < was->predictions ? is->predictions : was->predictions, probabilities = 0;
    size_t different = count_different_predictions(is, was, n);
    for (size_t i = 0; i < n; i++)
        probabilities += !same_bits((double)is->prediction[i].probability, (double)was->prediction[i].probability);
    if (is->predictions != was->predictions)
        pb_text_add(t, "; there are %zu predictions and were %zu", is->predictions, was->predictions);
    else if (different)
        pb_text_add(t, "; %zu of %zu predictions differ", different, n);
    else if (probabilities)
        pb_text_add(t, "; the predictions are equal, but %zu of %zu probabilities differ", probabilities, n);
    return is->predictions != was->predictions || different || probabilities;
}

/* Describes the first value of training or of the scores that differs. */
static bool describe_values(const pb_values *is, const pb_values *was, pb_text *t)
{
    for (size_t i = 0; i < was->count; i++) {
        const pb_stored_value *v = &was->value[i];
        double now = pb_values_get(is, v->split, v->key);
        if ((strncmp(v->key, "accuracy.", 9) != 0 && strncmp(v->key, "train.", 6) != 0) || same_bits(now, v->value))
            continue;
        pb_text_add(t, "; %s was %.9g, is %.9g", v->key, v->value, now);
        return true;
    }
    return false;
}

static void compare_bits(const one *a, const one *b, unsigned long long seed, pb_identity_result *out)
{
    const pb_result *is = &a->recorded.result, *was = &b->recorded.result;
    pb_text t = {0};
    pb_text_add(&t, "seed %llu: ", seed);
    bool changed = describe_losses(is, was, &t);
    changed |= describe_tensor(is, was, &t);
    changed |= describe_logits(is, was, "logits", "probe logits", &t);
    changed |= describe_logits(is, was, "logits.merged", "merged logits", &t);
    changed |= describe_predictions(is, was, &t);
    changed |= describe_values(a->values, b->values, &t);
    if (changed && out->verdict != PB_IDENTITY_CHANGED) {
        out->verdict = PB_IDENTITY_CHANGED;
        snprintf(out->note, sizeof out->note, "%s", t.data);
    }
    pb_text_free(&t);
}

/* Returns the compiler flags without those for warnings and debug symbols, which do not affect results.  The caller
 * frees the text. */
static char *deciding_flags(const char *flags)
{
    pb_text t = {0};
    for (const char *at = flags; *at;) {
        size_t n = strcspn(at, " ");
        bool idle = n >= 2 && at[0] == '-' && (at[1] == 'W' || at[1] == 'g');
        if (n && !idle)
            pb_text_add(&t, " %.*s", (int)n, at);
        at += n + (at[n] == ' ');
    }
    return t.data ? t.data : pb_strdup("");
}

/* Returns whether both runs have the same platform, so that their results must be equal to the bit.  If not, notes what
 * differs unless another seed has changed. */
static bool same_platform(const pb_recorded_run *is, const pb_recorded_run *was, pb_identity_result *out)
{
    static const char *const what[PB_PLATFORM_FIELDS] = {"processor", "version of the kernels", "number of threads",
                                                         "compiler", "set of compiler flags"};
    for (int i = 0; i < PB_PLATFORM_FIELDS; i++) {
        char *a = i == PB_PLATFORM_FLAGS ? deciding_flags(is->platform[i]) : pb_strdup(is->platform[i]);
        char *b = i == PB_PLATFORM_FLAGS ? deciding_flags(was->platform[i]) : pb_strdup(was->platform[i]);
        bool same = !strcmp(a, b);
        if (!same && out->verdict == PB_IDENTITY_SAME) {
            out->verdict = PB_IDENTITY_UNKNOWN;
            snprintf(out->note, sizeof out->note, "not judged because the %s differs: it was '%.150s' and is '%.150s'",
                     what[i], b, a);
        }
        free(a);
        free(b);
        if (!same)
            return false;
    }
    return true;
}

/* ---- trajectory -------------------------------------------------------------------------------------------- */

/* The difference that exceeds its tolerance by the largest factor: a difference after `step` steps is allowed
 * growth(step) times the tolerance. */
typedef struct furthest {
    double off, growth;
    char where[200];
} furthest;

/* Every update carries the rounding differences of all those before it.  They grow about linearly at rates that train
 * well, so that the tolerance, which is for the first two steps, is ten times as large after PB_HORIZON steps. */
static double growth(int step)
{
    return fmax(1, step / 2.0);
}

static void note_furthest(furthest *f, double off, int step, const char *fmt, ...) PB_PRINTF(4, 5);
static void note_furthest(furthest *f, double off, int step, const char *fmt, ...)
{
    if (*f->where && off / growth(step) <= f->off / f->growth)
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(f->where, sizeof f->where, fmt, args);
    va_end(args);
    f->off = off;
    f->growth = growth(step);
}

/* The differences are relative to the largest loss so far, because a loss close to 0 is a sum that nearly cancels. */
static void follow_losses(const pb_result *is, const pb_result *was, furthest *f)
{
    const pb_series *a = pb_result_find(is, -1, "loss"), *b = pb_result_find(was, -1, "loss");
    double scale = 0;
    if (a->count != b->count && (a->count < PB_HORIZON || b->count < PB_HORIZON))
        note_furthest(f, INFINITY, 0, "the number of steps, which was %d and is %d", b->count, a->count);
    for (int k = 0; k < PB_HORIZON && k < a->count && k < b->count; k++) {
        scale = fmax(scale, fabs(b->x[k]));
        note_furthest(f, relative_difference(a->x[k], b->x[k], scale), k + 1, "the loss of step %d", k + 1);
    }
}

static void follow_logits(const pb_result *is, const pb_result *was, furthest *f)
{
    int steps = pb_result_find(was, -1, "loss")->count;
    for (size_t i = 0; i < is->series_count; i++) {
        const pb_series *a = &is->series[i], *b = pb_result_find(was, a->step, a->name);
        int step = a->step < 0 ? steps : a->step;
        if (!strcmp(a->name, "logits") && step <= PB_HORIZON && b)
            note_furthest(f, distance(a, b), step,
                          step ? "the probe's logits after step %d" : "the probe's first logits", step);
    }
    if (!same_series(is, was, "logits"))
        note_furthest(f, INFINITY, 0, "the steps after which the probe's logits were recorded");
}

/* Compares the norms of the trainable tensors at initialization, which does not depend on rounding. */
static void follow_start(const pb_result *is, const pb_result *was, furthest *f)
{
    if (!is->fingerprints || !was->fingerprints || is->fingerprint[0].step || was->fingerprint[0].step)
        return;
    for (int i = 0; i < is->tensors; i++) {
        double a = (double)is->fingerprint[0].print[i].norm, b = (double)was->fingerprint[0].print[i].norm;
        note_furthest(f, relative_difference(a, b, larger(a, b)), 0, "the norm of %.120s at initialization",
                      is->tensor[i]);
    }
}

static furthest follow(const pb_result *is, const pb_result *was)
{
    furthest f = {.growth = 1};
    if (same_names(is, was))
        follow_start(is, was, &f);
    else
        note_furthest(&f, INFINITY, 0, "the trainable tensors: %.80s and others",
                      common_names(is, was) < is->tensors ? is->tensor[common_names(is, was)] : "fewer tensors");
    follow_losses(is, was, &f);
    follow_logits(is, was, &f);
    return f;
}

/* `tipped`: the method chooses by rank, and the platforms round differently. */
static void compare_trajectory(const pb_result *is, const pb_result *was, unsigned long long seed, double tolerance,
                               bool tipped, furthest *worst, pb_identity_result *out)
{
    furthest f = follow(is, was);
    worst->off = fmax(worst->off, f.off);
    tipped &= isfinite(f.off);
    if (f.off <= tolerance * f.growth || out->verdict == PB_IDENTITY_CHANGED ||
        (tipped && out->verdict == PB_IDENTITY_UNKNOWN))
        return;
    out->verdict = tipped ? PB_IDENTITY_UNKNOWN : PB_IDENTITY_CHANGED;
    snprintf(out->note, sizeof out->note, "%sseed %llu: the relative difference is %.2g (tolerance %.2g) in %s",
             tipped ? "not judged because rounding can tip what the method chooses by rank: " : "", seed, f.off,
             tolerance * f.growth, f.where);
}

/* ---- merging ----------------------------------------------------------------------------------------------- */

/* Returns the merge error of a run; NaN if it was not measured. */
static double merge_error(const pb_result *r)
{
    const pb_series *u = pb_result_find(r, -1, "logits"), *m = pb_result_find(r, -1, "logits.merged");
    return u && m ? distance(m, u) : NAN;
}

static void compare_merging(const pb_result *is, const pb_result *was, pb_identity *out)
{
    out->merge_error[0] = fmax(out->merge_error[0], merge_error(is)); /* fmax ignores NaN */
    out->merge_error[1] = fmax(out->merge_error[1], merge_error(was));
}

static void judge_merging(pb_identity *out)
{
    double is = out->merge_error[0], was = out->merge_error[1];
    pb_identity_result *l = &out->merging;
    if (isnan(is) && isnan(was))
        return;
    double limit = fmax(MERGE_TOLERANCE, 10 * (isfinite(was) ? was : 0));
    l->verdict = is <= limit ? PB_IDENTITY_SAME : PB_IDENTITY_CHANGED; /* NaN if it can no longer be merged */
    snprintf(l->note, sizeof l->note, "was %.2g, is %.2g, tolerance %.2g", was, is, limit);
}

/* ---- all seeds --------------------------------------------------------------------------------------------- */

static bool has_series(const pb_recorded_run *r)
{
    return pb_result_find(&r->result, -1, "loss");
}

/* Marks a check as unknown because nothing was recorded for a seed, unless another seed has decided it. */
static void set_unknown(pb_identity_result *out)
{
    if (out->verdict == PB_IDENTITY_SAME)
        *out = (pb_identity_result){PB_IDENTITY_UNKNOWN, "not recorded"};
}

/* Records a seed that was scored and is not any more because its run failed or diverged. */
static void set_missing(unsigned long long seed, pb_identity *out)
{
    pb_identity_result lost = {.verdict = PB_IDENTITY_CHANGED};
    snprintf(lost.note, sizeof lost.note, "seed %llu: it was scored on test and has no such run now", seed);
    out->trajectory = lost;
    if (out->bitwise.verdict != PB_IDENTITY_UNKNOWN)
        out->bitwise = lost;
}

/* Returns whether a method of the row ranks what it computes.  A method that this program does not have does not. */
static bool ranks(const pb_comparand *s)
{
    pb_method_spec spec;
    bool any = false;
    if (pb_method_spec_parse(&spec, s->row)) {
        pb_error_clear();
        return false;
    }
    for (int i = 0; i < spec.parts; i++)
        any |= spec.part[i].method->traits.ranks;
    pb_method_spec_free(&spec);
    return any;
}

static bool has_seed(const pb_comparand *s, uint64_t seed)
{
    bool has = false;
    for (int i = 0; i < s->seeds; i++)
        has |= s->seed[i] == seed;
    return has;
}

static void compare_runs(const one *a, const one *b, unsigned long long seed, double tolerance, bool by_rank,
                         furthest *worst, pb_identity *out)
{
    const pb_recorded_run *is = &a->recorded, *was = &b->recorded;
    if (!has_series(is) || !has_series(was)) {
        set_unknown(&out->bitwise);
        set_unknown(&out->trajectory);
        out->other_predictions = true;
        return;
    }
    out->other_predictions |= other_predictions(&is->result, &was->result);
    out->other_threads = strcmp(is->platform[PB_PLATFORM_THREADS], was->platform[PB_PLATFORM_THREADS]) != 0;
    bool same = same_platform(is, was, &out->bitwise);
    if (same)
        compare_bits(a, b, seed, &out->bitwise);
    compare_trajectory(&is->result, &was->result, seed, tolerance, by_rank && !same, worst, &out->trajectory);
    compare_merging(&is->result, &was->result, out);
}

int pb_identity_compare(const pb_comparand *is, const pb_comparand *was, double tolerance, pb_identity *out)
{
    *out = (pb_identity){.merging = {PB_IDENTITY_UNKNOWN, "not recorded"}, .merge_error = {NAN, NAN}};
    furthest worst = {.growth = 1};
    bool by_rank = ranks(is);
    int rc = 0;
    for (int i = 0; i < is->seeds; i++)
        for (int k = 0; k < was->seeds && !rc; k++) {
            one a = {.values = &is->values[i]}, b = {.values = &was->values[k]};
            if (is->seed[i] != was->seed[k])
                continue;
            rc = pb_store_recorded_run(is->store, is->run[i], &a.recorded);
            rc = pb_store_recorded_run(was->store, was->run[k], &b.recorded) || rc ? -1 : 0;
            if (!rc)
                compare_runs(&a, &b, is->seed[i], tolerance, by_rank, &worst, out);
            pb_recorded_run_free(&a.recorded);
            pb_recorded_run_free(&b.recorded);
        }
    judge_merging(out);
    for (int k = was->seeds; k-- > 0;)
        if (!has_seed(is, was->seed[k]))
            set_missing(was->seed[k], out);
    if (out->bitwise.verdict == PB_IDENTITY_SAME)
        snprintf(out->bitwise.note, sizeof out->bitwise.note, "the same to the bit");
    if (out->trajectory.verdict == PB_IDENTITY_SAME)
        snprintf(out->trajectory.note, sizeof out->trajectory.note, "within %.2g over the first %d steps", worst.off,
                 PB_HORIZON);
    return rc;
}
