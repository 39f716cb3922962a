/* runner: see runner.h. */
#include "train/runner.h"

#include <stdlib.h>
#include <string.h>

/* ---- batches ---------------------------------------------------------------------------------------- */

/* The features of the batch [rows of its items, feature_size], in the arena; NULL if they are only planned. */
static pb_real *gather_features(const pb_runner *r, const pb_runner_batch *b)
{
    size_t size = (size_t)r->feature_size, rows = 0;
    const size_t *from = r->feature_row[b->split];
    if (!r->feature[b->split])
        return NULL;
    for (int i = 0; i < b->count; i++)
        rows += from[b->item[i] + 1] - from[b->item[i]];
    pb_real *x = pb_arena_alloc(r->arena, PB_META, rows * size * sizeof *x + 1), *to = x;
    for (int i = 0; i < b->count; i++) {
        size_t n = (from[b->item[i] + 1] - from[b->item[i]]) * size;
        memcpy(to, r->feature[b->split] + from[b->item[i]] * size, n * sizeof *x);
        to += n;
    }
    return x;
}

static int build_graph(pb_runner *r, const pb_runner_batch *b)
{
    pb_arena_reset(r->arena);
    pb_batch batch = pb_encoded_batch(r->encoded, r->arena, b->split, b->item, b->count, b->training);
    batch.micro_batch = b->micro_batch;
    r->graph = pb_graph_new(r->arena, b->training);
    if (b->share > 0)
        pb_graph_accumulate(r->graph, b->share);
    return pb_model_build(r->model, r->graph, &batch, b->dropout, b->key, &r->outputs);
}

static int plan_graph(pb_runner *r, pb_node *output, pb_node *loss)
{
    if (pb_graph_plan(r->graph, output, loss, &r->plan))
        return -1;
    r->activations = r->plan.activations > r->activations ? r->plan.activations : r->activations;
    r->workspace = r->plan.workspace > r->workspace ? r->plan.workspace : r->workspace;
    return 0;
}

int pb_runner_plan(pb_runner *r, const pb_runner_batch *b, bool from_features)
{
    if (build_graph(r, b))
        return -1;
    if (from_features)
        pb_graph_cut(r->graph, pb_graph_feature(r->graph, r->outputs.logits), gather_features(r, b));
    return plan_graph(r, r->outputs.logits, b->training ? r->outputs.loss : NULL);
}

static const pb_real *run_planned(pb_runner *r)
{
    pb_executor_bind(r->executor, r->graph, &r->plan);
    pb_executor_forward(r->executor, r->graph);
    return pb_graph_output(r->graph)->x;
}

int pb_runner_plan_content_free(pb_runner *r)
{
    pb_arena_reset(r->arena);
    pb_batch batch = pb_encoded_content_free(r->encoded, r->arena);
    r->graph = pb_graph_new(r->arena, false);
    return pb_model_build(r->model, r->graph, &batch, 0, 0, &r->outputs) || plan_graph(r, r->outputs.logits, NULL) ? -1
                                                                                                                   : 0;
}

int pb_runner_content_free(pb_runner *r)
{
    if (pb_runner_plan_content_free(r))
        return -1;
    run_planned(r);
    return 0;
}

int pb_runner_run(pb_runner *r, const pb_runner_batch *b)
{
    if (pb_runner_plan(r, b, r->feature[b->split] != NULL))
        return -1;
    run_planned(r);
    if (pb_graph_loss(r->graph))
        pb_executor_backward(r->executor, r->graph);
    return 0;
}

/* ---- features --------------------------------------------------------------------------------------- */

/* Returns 0 if nothing is to be kept, as where the methods draw what trains in each step. */
static int feature_size(pb_runner *r)
{
    const pb_runner_batch first = {.split = PB_TRAIN, .item = &(int){0}, .count = 1, .training = true};
    if (r->encoded->mode != PB_BY_HEAD || !r->encoded->items[PB_TRAIN] || build_graph(r, &first) || r->outputs.drawn)
        return 0;
    const pb_node *n = pb_graph_feature(r->graph, r->outputs.logits);
    return n ? n->cols : 0;
}

/* The first row of each item's features, and behind the last one the number of all rows: an item has one row, one for
 * each token whose class is read, or one for each choice. */
static size_t *feature_rows(const pb_encoded *set, pb_split s)
{
    size_t *row = pb_alloc((size_t)(set->items[s] + 1) * sizeof *row);
    for (int i = 0; i < set->items[s]; i++)
        row[i + 1] = row[i] + (set->scored[s]  ? set->scored[s][set->item[s][i].example].count
                               : set->first[s] ? (size_t)(set->first[s][i + 1] - set->first[s][i])
                                               : 1);
    return row;
}

size_t pb_runner_feature_bytes(const pb_runner *r, pb_split split)
{
    size_t rows = r->feature_row[split][r->encoded->items[split]];
    return pb_arena_size(rows * (size_t)r->feature_size * sizeof(pb_real));
}

/* Plans one batch that ends at the feature. */
static int plan_feature(pb_runner *r, const pb_runner_batch *b)
{
    if (build_graph(r, b))
        return -1;
    return plan_graph(r, pb_graph_feature(r->graph, r->outputs.logits), NULL);
}

int pb_runner_features(pb_runner *r, pb_split split, int batch, pb_arena *arena, uint64_t *flops)
{
    int count = r->encoded->items[split], rc = 0;
    size_t size = (size_t)r->feature_size;
    const size_t *row = r->feature_row[split];
    pb_real *out = arena ? pb_arena_alloc(arena, PB_ACTIVATIONS, row[count] * size * sizeof *out) : NULL;
    int *item = pb_alloc((size_t)batch * sizeof *item);
    for (int from = 0; from < count && !rc; from += batch) {
        int n = count - from < batch ? count - from : batch;
        for (int i = 0; i < n; i++)
            item[i] = from + i;
        rc = plan_feature(r, &(pb_runner_batch){.split = split, .item = item, .count = n});
        if (!rc && flops)
            *flops += r->plan.forward_flops;
        if (!rc && out)
            memcpy(out + row[from] * size, run_planned(r), (row[from + n] - row[from]) * size * sizeof *out);
    }
    free(item);
    r->feature[split] = out;
    return rc;
}

/* ---- start and stop ------------------------------------------------------------------------------------------- */

pb_runner pb_runner_start(pb_model *m, const pb_encoded *set, bool features)
{
    pb_runner r = {.model = m, .encoded = set, .arena = pb_arena_new("step"), .executor = pb_executor_new()};
    r.feature_size = features ? feature_size(&r) : 0;
    for (int s = 0; s < PB_SPLITS && r.feature_size; s++)
        r.feature_row[s] = feature_rows(set, (pb_split)s);
    return r;
}

void pb_runner_stop(pb_runner *r)
{
    for (int s = 0; s < PB_SPLITS; s++)
        free(r->feature_row[s]);
    pb_executor_free(r->executor);
    pb_arena_free(r->arena);
}
