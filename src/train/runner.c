/* runner: see runner.h. */
#include "train/runner.h"

#include <stdlib.h>
#include <string.h>

/* ---- batches ---------------------------------------------------------------------------------------- */

/* The tokens of all examples, one after the other. */
static pb_batch collect(const pb_runner *r, pb_split split, const int *example, int n)
{
    const pb_example *all = r->data->split[split].example;
    int *offset = pb_arena_alloc(r->arena, PB_META, (size_t)(n + 1) * sizeof *offset);
    int *label = pb_arena_alloc(r->arena, PB_META, (size_t)n * sizeof *label);
    for (int i = 0; i < n; i++) {
        offset[i + 1] = offset[i] + all[example[i]].tokens;
        label[i] = all[example[i]].label;
    }
    int *ids = pb_arena_alloc(r->arena, PB_META, (size_t)offset[n] * sizeof *ids);
    for (int i = 0; i < n; i++)
        memcpy(ids + offset[i], all[example[i]].ids, (size_t)all[example[i]].tokens * sizeof *ids);
    return (pb_batch){.sequences = n, .offset = offset, .ids = ids, .label = label};
}

/* The batch's features, NULL while only planning. */
static pb_real *gather(const pb_runner *r, pb_split split, const int *example, int n)
{
    size_t size = (size_t)r->feature_size;
    if (!r->feature[split])
        return NULL;
    pb_real *x = pb_arena_alloc(r->arena, PB_META, (size_t)n * size * sizeof *x);
    for (int i = 0; i < n; i++)
        memcpy(x + (size_t)i * size, r->feature[split] + (size_t)example[i] * size, size * sizeof *x);
    return x;
}

static int build(pb_runner *r, pb_split split, const int *example, int n, bool training, double dropout, uint64_t key)
{
    pb_arena_reset(r->arena);
    pb_batch batch = collect(r, split, example, n);
    r->graph = pb_graph_new(r->arena, training);
    return pb_model_build(r->model, r->graph, &batch, dropout, key, &r->outputs);
}

static int plan(pb_runner *r, pb_node *output, pb_node *loss)
{
    if (pb_graph_plan(r->graph, output, loss, &r->plan))
        return -1;
    r->activations = r->plan.activations > r->activations ? r->plan.activations : r->activations;
    r->workspace = r->plan.workspace > r->workspace ? r->plan.workspace : r->workspace;
    return 0;
}

int pb_runner_plan(pb_runner *r, pb_split split, const int *example, int n, bool training, double dropout, uint64_t key,
                   bool kept)
{
    if (build(r, split, example, n, training, dropout, key))
        return -1;
    if (kept)
        pb_graph_cut(r->graph, pb_graph_feature(r->graph, r->outputs.logits), gather(r, split, example, n));
    return plan(r, r->outputs.logits, training ? r->outputs.loss : NULL);
}

static const pb_real *run_planned(pb_runner *r)
{
    pb_machine_bind(r->machine, r->graph, &r->plan);
    pb_machine_forward(r->machine, r->graph);
    return pb_graph_output(r->graph)->x;
}

int pb_runner_run(pb_runner *r, pb_split split, const int *example, int n, bool training, double dropout, uint64_t key)
{
    if (pb_runner_plan(r, split, example, n, training, dropout, key, r->feature[split] != NULL))
        return -1;
    run_planned(r);
    if (pb_graph_loss(r->graph))
        pb_machine_backward(r->machine, r->graph);
    return 0;
}

/* ---- features --------------------------------------------------------------------------------------- */

static int feature_size(pb_runner *r)
{
    int example = 0;
    if (!r->data->split[PB_TRAIN].count || build(r, PB_TRAIN, &example, 1, true, 0, 0))
        return 0;
    const pb_node *n = pb_graph_feature(r->graph, r->outputs.logits);
    return n ? n->cols : 0;
}

/* Plans one batch that ends at the feature. */
static int plan_feature(pb_runner *r, pb_split split, const int *example, int n)
{
    if (build(r, split, example, n, false, 0, 0))
        return -1;
    return plan(r, pb_graph_feature(r->graph, r->outputs.logits), NULL);
}

int pb_runner_features(pb_runner *r, pb_split split, int batch, pb_arena *arena, uint64_t *flops)
{
    int count = r->data->split[split].count, rc = 0;
    size_t size = (size_t)r->feature_size;
    pb_real *out = arena ? pb_arena_alloc(arena, PB_ACTIVATIONS, (size_t)count * size * sizeof *out) : NULL;
    int *example = pb_alloc((size_t)batch * sizeof *example);
    for (int from = 0; from < count && !rc; from += batch) {
        int n = count - from < batch ? count - from : batch;
        for (int i = 0; i < n; i++)
            example[i] = from + i;
        rc = plan_feature(r, split, example, n);
        if (!rc && flops)
            *flops += r->plan.forward_flops;
        if (!rc && out)
            memcpy(out + (size_t)from * size, run_planned(r), (size_t)n * size * sizeof *out);
    }
    free(example);
    r->feature[split] = out;
    return rc;
}

/* ---- life ------------------------------------------------------------------------------------------- */

pb_runner pb_runner_start(pb_model *m, const pb_data *d, bool features)
{
    pb_runner r = {.model = m, .data = d, .arena = pb_arena_new("step"), .machine = pb_machine_new()};
    r.feature_size = features ? feature_size(&r) : 0;
    return r;
}

void pb_runner_stop(pb_runner *r)
{
    pb_machine_free(r->machine);
    pb_arena_free(r->arena);
}
