/* apply: see apply.h. */
#include "model/apply.h"

#include <math.h>
#include <stdlib.h>

struct pb_apply {
    pb_model *model;
    pb_arena *arena;
    pb_executor *executor;
};

pb_apply *pb_apply_new(pb_model *m)
{
    pb_apply *a = pb_alloc(sizeof *a);
    *a = (pb_apply){.model = m, .arena = pb_arena_new("apply"), .executor = pb_executor_new()};
    return a;
}

void pb_apply_free(pb_apply *a)
{
    if (!a)
        return;
    pb_executor_free(a->executor);
    pb_arena_free(a->arena);
    free(a);
}

const pb_node *pb_apply_run(pb_apply *a, const pb_batch *batch)
{
    pb_outputs out;
    pb_plan plan;
    pb_arena_reset(a->arena);
    pb_graph *g = pb_graph_new(a->arena, false);
    if (pb_model_build(a->model, g, batch, 0, 0, &out) || pb_graph_plan(g, out.logits, NULL, &plan))
        return NULL;
    pb_executor_bind(a->executor, g, &plan);
    pb_executor_forward(a->executor, g);
    return pb_graph_output(g);
}

int pb_apply_check(const pb_node *outputs)
{
    size_t n = (size_t)outputs->rows * (size_t)outputs->cols;
    for (size_t i = 0; i < n; i++)
        if (!isfinite((double)outputs->x[i]))
            return pb_error("the model's output %zu of row %zu is %s; want weights that give finite outputs",
                            i % (size_t)outputs->cols, i / (size_t)outputs->cols,
                            isnan((double)outputs->x[i]) ? "NaN" : "infinite");
    return 0;
}
