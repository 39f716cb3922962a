/* apply: see apply.h. */
#include "model/apply.h"

#include <stdlib.h>
#include <string.h>

struct pb_apply {
    pb_model *model;
    pb_arena *arena;
    pb_machine *machine;
};

pb_apply *pb_apply_new(pb_model *m)
{
    pb_apply *a = pb_alloc(sizeof *a);
    *a = (pb_apply){.model = m, .arena = pb_arena_new("apply"), .machine = pb_machine_new()};
    return a;
}

void pb_apply_free(pb_apply *a)
{
    if (!a)
        return;
    pb_machine_free(a->machine);
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
    pb_machine_bind(a->machine, g, &plan);
    pb_machine_forward(a->machine, g);
    return pb_graph_output(g);
}

static int likeliest(const pb_node *logits)
{
    int best = 0;
    for (int j = 1; j < logits->cols; j++)
        best = logits->x[j] > logits->x[best] ? j : best;
    return best;
}

int pb_apply_continue(pb_apply *a, const int *prompt, int n, int most, bool stops, pb_ids *out)
{
    int *ids = pb_alloc((size_t)(n + most + 1) * sizeof *ids), rc = 0;
    memcpy(ids, prompt, (size_t)n * sizeof *ids);
    for (int i = 0; i < most && !rc; i++) {
        const int offset[] = {0, n + i};
        const pb_node *logits =
            pb_apply_run(a, &(pb_batch){.sequences = 1, .offset = offset, .ids = ids, .last = true});
        if (!logits) {
            rc = -1;
            break;
        }
        ids[n + i] = likeliest(logits);
        pb_ids_add(out, ids[n + i]);
        if (stops && pb_model_ends(a->model, ids[n + i]))
            break;
    }
    free(ids);
    return rc;
}
