/* value_keys: see value_keys.h. */
#include "train/value_keys.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* The values of a whole run.  '#' at the end stands for a number, '*' for a metric of the task. */
static const char *const keys[] = {
    "storage.trainable", "storage.added", "storage.changed", "storage.rank", "storage.stored", "storage.artifact_bytes",
    "storage.rebuild_bytes", "storage.ratio_to_full",
    /* memory */
    "memory.train.weights", "memory.train.gradients", "memory.train.optimizer", "memory.train.best",
    "memory.train.activations", "memory.train.workspace", "memory.train.features", "memory.train.total",
    "memory.train.rss", "memory.prepare.weights", "memory.prepare.gradients", "memory.prepare.statistics",
    "memory.prepare.activations", "memory.prepare.workspace", "memory.prepare.total",
    /* computation */
    "compute.forward_flops", "compute.backward_flops", "compute.recompute_flops", "compute.train_flops",
    "compute.prepare_flops", "compute.train_seconds", "compute.step_ms", "compute.step_contention",
    "compute.tokens_per_s", "compute.seconds_to_target", "compute.flops_to_target", "compute.gflops",
    "compute.gemm_limit", "train.first_loss", "train.last_loss", "train.steps", "train.clock_steps", "train.epochs",
    "train.best_epoch", "data.cut.train", "data.cut.validation", "data.cut.test", "data.lost.train",
    "data.lost.validation", "data.lost.test",
    /* scores */
    "accuracy.validation.*", "accuracy.validation.perplexity", "accuracy.validation.bits_per_byte", "accuracy.test.*",
    "accuracy.test.perplexity", "accuracy.test.bits_per_byte",
    /* inference */
    "overhead.prefill_ratio.b1", "overhead.prefill_ratio.b1.merged", "overhead.prefill_ratio.b32",
    "overhead.prefill_ratio.b32.merged", "overhead.decode_ratio.b1", "overhead.decode_ratio.b1.merged",
    "overhead.decode_ratio.b32", "overhead.decode_ratio.b32.merged", "overhead.contention", "overhead.flops",
    "overhead.flops.base", "overhead.flops.merged", "overhead.prompt_tokens", "overhead.prompt_shots",
    "overhead.prompt_dropped", "overhead.merge_error", "overhead.precision_error", "overhead.kv_bytes",
    "serving.adapter_bytes.n#", "serving.load_ms.n#", "serving.switch_ms.n#", "serving.mixed_ratio.n#",
    /* what is kept of the base */
    "retention.loss_delta", "retention.base_loss", "retention.drift", "retention.cka", "retention.score.s#",
    "retention.loss_delta.s#", "retention.drift.s#", "retention.cka.s#", "geometry.norm", "geometry.effective_rank",
    "geometry.overlap"};

/* The values that only points of a curve have. */
static const char *const curve_keys[] = {"train.loss"};

/* Returns whether the text up to `end` names a metric of the task; any text does if the task is NULL. */
static bool is_metric(const pb_task *task, const char *name, const char *end)
{
    size_t n = (size_t)(end - name);
    for (const pb_metric_info *m = task ? task->metrics : NULL; m && m->name; m++)
        if (strlen(m->name) == n && !strncmp(m->name, name, n))
            return true;
    return !task && n;
}

/* Returns whether the text up to `end` is a number, as "%g" prints it. */
static bool is_number(const char *text, const char *end)
{
    char *copy = pb_format("%.*s", (int)(end - text), text), *rest;
    bool whole = (strtod(copy, &rest), text < end) && !*rest;
    free(copy);
    return whole && isdigit((unsigned char)*text) && isdigit((unsigned char)end[-1]);
}

/* Returns whether a key is that of a pattern, up to `end`. */
static bool matches(const char *pattern, const pb_task *task, const char *key, const char *end)
{
    size_t stem = strcspn(pattern, "#*");
    if (strncmp(pattern, key, stem) != 0 || key + stem > end)
        return false;
    key += stem;
    return pattern[stem] == '#' ? is_number(key, end) : pattern[stem] ? is_metric(task, key, end) : key == end;
}

/* Values of several processes have ends of an interval, too. */
static const char *end_of_key(const char *key)
{
    static const char *const end[] = {".low", ".high"};
    bool pooled = pb_begins_with(key, "serving.") || strstr(key, "_ratio") || pb_begins_with(key, "overhead.cont");
    for (size_t i = 0; i < PB_COUNT(end) && pooled; i++)
        if (pb_ends_in(key, end[i]))
            return key + strlen(key) - strlen(end[i]);
    return key + strlen(key);
}

bool pb_value_key_exists(const pb_task *task, const char *key)
{
    const char *end = end_of_key(key);
    for (size_t i = 0; i < PB_COUNT(keys); i++)
        if (matches(keys[i], task, key, end))
            return true;
    return false;
}

bool pb_value_key_may_be_stored(const char *key, bool of_curve)
{
    for (size_t i = 0; i < PB_COUNT(curve_keys) && of_curve; i++)
        if (!strcmp(key, curve_keys[i]))
            return true;
    return pb_value_key_exists(NULL, key);
}

/* Writes the keys of a pattern to `name` and returns how many there are.  The caller frees them. */
static size_t expand(const char *pattern, const pb_task *task, char **name)
{
    const char *metric = strchr(pattern, '*');
    size_t n = 0;
    if (!metric)
        name[n++] = pb_strdup(pattern);
    for (const pb_metric_info *m = task->metrics; metric && m->name; m++)
        name[n++] = pb_format("%.*s%s", (int)(metric - pattern), pattern, m->name);
    return n;
}

char *pb_value_key_near(const pb_task *task, const char *key)
{
    size_t metrics = 0, n = 0;
    while (task->metrics[metrics].name)
        metrics++;
    char **name = pb_alloc((PB_COUNT(keys) * (metrics + 1) + 1) * sizeof *name); /* NULL-ended */
    for (size_t i = 0; i < PB_COUNT(keys); i++)
        n += expand(keys[i], task, name + n);
    char *near = pb_did_you_mean(key, (const char *const *)name);
    for (size_t i = 0; i < n; i++)
        free(name[i]);
    free(name);
    return near;
}
