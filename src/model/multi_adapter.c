/* multi_adapter: the adapters of a model and their updates in a graph.  multi_adapter_load.c reads them. */
#include "model/multi_adapter.h"

#include <stdlib.h>
#include <string.h>

#include "model/multi_adapter_internal.h"

pb_multi_adapter *pb_multi_adapter_new(pb_model *m)
{
    pb_multi_adapter *b = pb_alloc(sizeof *b);
    PB_CHECK(!m->multi_adapter && !m->parts);
    b->model = m;
    m->multi_adapter = b;
    return b;
}

void pb_multi_adapter_free(pb_multi_adapter *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->adapters; i++)
        pb_arena_free(b->adapter[i].arena);
    b->model->multi_adapter = NULL;
    free(b->adapter);
    free(b);
}

size_t pb_multi_adapter_bytes(const pb_multi_adapter *b)
{
    size_t bytes = 0;
    for (size_t i = 0; i < b->adapters; i++)
        bytes += pb_arena_live(b->adapter[i].arena, PB_WEIGHTS);
    return bytes;
}

/* ---- in a graph ------------------------------------------------------------------------------------------ */

static pb_node *add_head_biases(pb_build *b, pb_node *y)
{
    const pb_multi_adapter *multi = b->model->multi_adapter;
    pb_real *x = pb_arena_alloc(pb_graph_arena(b->graph), PB_META, (size_t)y->rows * (size_t)y->cols * sizeof *x);
    for (int s = 0; s < y->set->sequences; s++) {
        const pb_real *bias = b->adapter[s] < 0 ? NULL : multi->adapter[b->adapter[s]].head_bias;
        for (int r = y->set->offset[s]; r < y->set->offset[s + 1] && bias; r++)
            memcpy(x + (size_t)r * (size_t)y->cols, bias, (size_t)y->cols * sizeof *x);
    }
    return pb_op_add(b->graph, y, pb_graph_input(b->graph, y->set, y->cols, x));
}

pb_node *pb_multi_adapter_apply(pb_build *b, const pb_site *site, pb_node *y, pb_node *x)
{
    const pb_multi_adapter *multi = b->model->multi_adapter;
    if (!y || !x)
        return NULL;
    int sequences = y->set->sequences;
    bool any = false;
    pb_lora_delta *delta = pb_arena_alloc(pb_graph_arena(b->graph), PB_META, (size_t)sequences * sizeof *delta);
    for (int s = 0; s < sequences; s++) {
        PB_CHECK(b->adapter[s] < (int)multi->adapters);
        if (b->adapter[s] < 0)
            continue;
        const pb_adapter_deltas *a = &multi->adapter[b->adapter[s]];
        delta[s] = site ? a->site[site->number] : a->head;
        any = any || delta[s].up;
    }
    y = any ? pb_op_batched_lora(b->graph, y, x, delta) : y;
    return y && !site ? add_head_biases(b, y) : y;
}
