/* stopping: see stopping.h. */
#include "train/stopping.h"

#include <math.h>
#include <string.h>

/* What training may change: what trains, and what a method keeps beside it, such as a mask or a rank. */
static bool may_change(const pb_param *p)
{
    return p->trainable || p->kind == PB_ADDED;
}

static size_t bytes_of(const pb_param *p)
{
    return may_change(p) ? pb_param_bytes(p) : 0;
}

size_t pb_stopping_bytes(const pb_model *m, const pb_train_options *o)
{
    size_t bytes = 0;
    for (int i = 0; i < pb_model_params(m) && o->patience; i++)
        bytes += bytes_of(pb_model_param(m, i));
    return pb_arena_size(bytes);
}

pb_stopping pb_stopping_start(pb_model *m, const pb_train_options *o, bool higher, pb_arena *arena)
{
    pb_stopping s = {.model = m, .options = o, .higher = higher};
    if (o->patience)
        s.copy = pb_arena_alloc(arena, PB_BEST, pb_stopping_bytes(m, o));
    return s;
}

static void copy_parameters(const pb_stopping *s)
{
    char *to = (char *)s->copy;
    for (int i = 0; i < pb_model_params(s->model) && to; i++) {
        const pb_param *p = pb_model_param(s->model, i);
        if (may_change(p))
            memcpy(to, pb_param_memory(p), bytes_of(p));
        to += bytes_of(p);
    }
}

void pb_stopping_restore(const pb_stopping *s)
{
    const char *from = (const char *)s->copy;
    for (int i = 0; i < pb_model_params(s->model) && from && s->best; i++) {
        const pb_param *p = pb_model_param(s->model, i);
        if (may_change(p))
            memcpy(pb_param_memory(p), from, bytes_of(p));
        from += bytes_of(p);
    }
}

static bool beats(const pb_stopping *s, double score)
{
    return s->best ? (s->higher ? score > s->score : score < s->score) : !isnan(score);
}

bool pb_stopping_note(pb_stopping *s, double score)
{
    double target = s->options->target;
    s->epochs++;
    if (pb_model_unfinished(s->model)) {
        s->skipped = s->epochs;
        return false;
    }
    if (beats(s, score)) {
        s->best = s->epochs;
        s->score = score;
        copy_parameters(s);
    }
    bool now = target > 0 && !s->reached && (s->higher ? score >= target : score <= target);
    s->reached = s->reached || now;
    return now;
}

bool pb_stopping_due(const pb_stopping *s)
{
    int since = s->best > s->skipped ? s->best : s->skipped;
    return s->options->patience && s->epochs - since >= s->options->patience;
}
