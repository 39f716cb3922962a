/* base_keys: the keys and values that a text has in the base model, for methods that start from them. */
#include "model/internal.h"

/* Runs the base model on a text as far as a layer's keys (which = 0) or values (1), and copies them.  The network of
 * all methods stays as it is. */
static int copy_keys(pb_model *m, pb_arena *arena, const pb_batch *text, int layer, int which, pb_real *out)
{
    pb_node **nodes = pb_arena_alloc(arena, PB_META, 2 * (size_t)m->config.layers * sizeof *nodes);
    pb_graph *g = pb_graph_new(arena, false);
    pb_outputs unused;
    pb_plan plan;
    int parts = m->parts, rc;
    m->parts = 0;
    m->watched_keys = nodes;
    rc = pb_model_build(m, g, text, 0, 0, &unused);
    m->watched_keys = NULL;
    m->parts = parts;
    if (rc || pb_graph_plan(g, nodes[2 * layer + which], NULL, &plan))
        return -1;
    pb_executor *executor = pb_executor_new();
    pb_executor_bind(executor, g, &plan);
    pb_executor_forward(executor, g);
    const pb_node *n = pb_graph_output(g);
    for (size_t i = 0; i < (size_t)n->rows * (size_t)n->cols; i++)
        out[i] = n->x[i];
    pb_executor_free(executor);
    return 0;
}

int pb_base_keys(pb_build *b, const pb_site *site, const int *ids, int n, pb_real *k, pb_real *v)
{
    pb_arena *arena = pb_arena_new("keys");
    pb_batch text = {.sequences = 1, .offset = (const int[]){0, n}, .ids = ids};
    int rc = copy_keys(b->model, arena, &text, site->layer, 0, k) ? -1 : 0;
    pb_arena_reset(arena);
    rc = rc || copy_keys(b->model, arena, &text, site->layer, 1, v) ? -1 : 0;
    pb_arena_free(arena);
    return rc;
}
