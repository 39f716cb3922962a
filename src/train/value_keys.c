/* value_keys: see value_keys.h. */
#include "train/value_keys.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* '#' stands for a number, "SPLIT" for a split that is scored and "METRIC" for a metric of the task. */
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
    "accuracy.SPLIT.METRIC", "accuracy.SPLIT.perplexity", "accuracy.SPLIT.bits_per_byte",
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

static const pb_split scored[] = {PB_VALIDATION, PB_TEST};

/* Returns the key of a pattern that has a split and a metric.  The caller frees it. */
static char *score_key(const char *pattern, pb_split split, const char *metric)
{
    const char *end = strrchr(pattern, '.') + 1;
    return pb_format("accuracy.%s.%s", pb_split_name[split], !strcmp(end, "METRIC") ? metric : end);
}

/* Returns whether a key is that of a pattern, up to `end`. */
static bool matches(const char *pattern, const char *key, const char *end)
{
    for (; *pattern && key < end; pattern++) {
        if (*pattern != '#') {
            if (*pattern != *key++)
                return false;
            continue;
        }
        char *number_end;
        if (!isdigit((unsigned char)*key) || (strtod(key, &number_end), number_end > end))
            return false;
        key = number_end;
    }
    return !*pattern && key == end;
}

/* Returns whether a key is one of the scores of a pattern. */
static bool is_score(const char *pattern, const pb_task *task, const char *key)
{
    bool is = false;
    for (size_t s = 0; s < PB_COUNT(scored); s++)
        for (const pb_metric_info *m = task->metrics; m->name && !is; m++) {
            char *one = score_key(pattern, scored[s], m->name);
            is = !strcmp(one, key);
            free(one);
        }
    return is;
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
        if (strstr(keys[i], "SPLIT") ? is_score(keys[i], task, key) : matches(keys[i], key, end))
            return true;
    return false;
}

char *pb_value_key_near(const pb_task *task, const char *key)
{
    size_t metrics = 0, n = 0;
    while (task->metrics[metrics].name)
        metrics++;
    char **name = pb_alloc((PB_COUNT(keys) + PB_COUNT(scored) * (metrics + 2) + 1) * sizeof *name); /* NULL-ended */
    for (size_t i = 0; i < PB_COUNT(keys); i++) {
        bool metric = pb_ends_in(keys[i], "METRIC");
        if (!strstr(keys[i], "SPLIT"))
            name[n++] = pb_strdup(keys[i]);
        for (size_t s = 0; s < PB_COUNT(scored) && strstr(keys[i], "SPLIT"); s++)
            for (size_t k = 0; k < (metric ? metrics : 1); k++)
                name[n++] = score_key(keys[i], scored[s], task->metrics[k].name);
    }
    char *near = pb_did_you_mean(key, (const char *const *)name);
    for (size_t i = 0; i < n; i++)
        free(name[i]);
    free(name);
    return near;
}
