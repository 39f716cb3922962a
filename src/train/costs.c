/* costs: see costs.h. */
#include "train/costs.h"

#include <math.h>

size_t pb_footprint_total(const pb_footprint *f)
{
    size_t prepare = pb_footprint_prepare(f);
    size_t steps = f->weights + f->gradients + f->optimizer + f->best + f->activations + f->workspace + f->features;
    return prepare > steps ? prepare : steps;
}

size_t pb_footprint_prepare(const pb_footprint *f)
{
    const pb_preparation *p = &f->prepare;
    size_t taken = p->gradients + p->statistics + p->activations + p->workspace;
    return taken ? f->weights + taken : 0;
}

uint64_t pb_effort_flops(const pb_effort *e)
{
    return e->forward_flops + e->backward_flops + e->recompute_flops + e->prepare_flops;
}

int pb_costs_change(pb_model *m, bool prefix_cached, pb_result *out)
{
    pb_merge_change merging = {.rank = NAN};
    uint64_t in_place = 0;
    for (int i = 0; i < pb_model_params(m); i++) {
        const pb_param *p = pb_model_param(m, i);
        if (p->trainable && p->kind != PB_ADDED && p->kind != PB_HEAD)
            in_place += (uint64_t)p->rows * (uint64_t)p->cols;
    }
    if (!prefix_cached && pb_model_can_merge(m) && pb_model_merge_change(m, &merging))
        return -1;
    pb_result_put(out, -1, -1, (double)(in_place + merging.elements), "storage.changed");
    if (!isnan(merging.rank))
        pb_result_put(out, -1, -1, merging.rank, "storage.rank");
    return 0;
}

void pb_costs_storage(const pb_model *m, pb_result *out)
{
    pb_counts c = pb_model_counts(m);
    uint64_t stored = 0;
    for (int i = 0; i < pb_model_params(m); i++) {
        const pb_param *p = pb_model_param(m, i);
        uint64_t n = (uint64_t)p->rows * (uint64_t)p->cols;
        stored += pb_model_stores(p) ? n : 0;
    }
    pb_result_put(out, -1, -1, (double)c.trainable, "storage.trainable");
    pb_result_put(out, -1, -1, (double)c.added, "storage.added");
    pb_result_put(out, -1, -1, (double)stored, "storage.stored");
}

void pb_costs_footprint(const pb_footprint *f, pb_result *out)
{
    const struct {
        const char *key;
        size_t bytes;
    } row[] = {{"weights", f->weights},   {"gradients", f->gradients},      {"optimizer", f->optimizer},
               {"best", f->best},         {"activations", f->activations},  {"workspace", f->workspace},
               {"features", f->features}, {"total", pb_footprint_total(f)}, {"rss", pb_peak_rss()}};
    for (size_t i = 0; i < PB_COUNT(row); i++)
        pb_result_put(out, -1, -1, (double)row[i].bytes, "memory.train.%s", row[i].key);
}

void pb_costs_preparation(const pb_footprint *f, pb_result *out)
{
    const pb_preparation *p = &f->prepare;
    const struct {
        const char *key;
        size_t bytes;
    } row[] = {{"weights", f->weights},         {"gradients", p->gradients}, {"statistics", p->statistics},
               {"activations", p->activations}, {"workspace", p->workspace}, {"total", pb_footprint_prepare(f)}};
    if (!pb_footprint_prepare(f))
        return;
    for (size_t i = 0; i < PB_COUNT(row); i++)
        pb_result_put(out, -1, -1, (double)row[i].bytes, "memory.prepare.%s", row[i].key);
    pb_result_put(out, -1, -1, (double)p->flops, "compute.prepare_flops");
}

void pb_costs_effort(const pb_effort *e, pb_result *out)
{
    pb_result_put(out, -1, -1, (double)pb_effort_flops(e), "compute.train_flops"); /* 0 if nothing is trainable */
    if (!e->steps)
        return;
    pb_result_put(out, -1, -1, (double)e->forward_flops / (double)e->tokens, "compute.forward_flops");
    pb_result_put(out, -1, -1, (double)e->backward_flops / (double)e->tokens, "compute.backward_flops");
    pb_result_put(out, -1, -1, (double)e->recompute_flops / (double)e->tokens, "compute.recompute_flops");
}
