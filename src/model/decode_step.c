/* decode_step: see decode_step.h. */
#include "model/decode_step.h"

#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

struct pb_decode_step {
    pb_model *model;
    pb_arena *arena;
    pb_executor *executor;
    pb_graph *graph;
    int *offset, *ids, *position;
    pb_kv_cache **kv_cache;
    int texts;       /* of the graph                                      */
    bool one_by_one; /* every text continued by one token, and the graph can run again */
    size_t room, token_room;
};

pb_decode_step *pb_decode_step_new(pb_model *m)
{
    pb_decode_step *step = pb_alloc(sizeof *step);
    *step = (pb_decode_step){.model = m, .arena = pb_arena_new("decode step"), .executor = pb_executor_new()};
    return step;
}

void pb_decode_step_free(pb_decode_step *step)
{
    if (!step)
        return;
    pb_executor_free(step->executor);
    pb_arena_free(step->arena);
    free(step->offset);
    free(step->ids);
    free(step->position);
    free(step->kv_cache);
    free(step);
}

static int tokens_of(int n, const pb_decode_input *text)
{
    int sum = 0;
    for (int s = 0; s < n; s++)
        sum += text[s].count;
    return sum;
}

/* True for a text that continues by one token, and whose prefix is in its cache. */
static bool continues_by_one(const pb_decode_input *t)
{
    return t->count == 1 && pb_kv_cache_positions(t->kv_cache) > 0;
}

/* True if the last graph can run again.  A cache that was emptied may have more room than the graph was planned for. */
static bool is_same(const pb_decode_step *step, int n, const pb_decode_input *text)
{
    bool same = step->graph && step->one_by_one && n == step->texts;
    for (int s = 0; same && s < n; s++)
        same = continues_by_one(&text[s]) && step->kv_cache[s] == text[s].kv_cache &&
               pb_kv_cache_rows(text[s].kv_cache) > 0;
    return same;
}

static void make_room(pb_decode_step *step, int n, int tokens)
{
    if ((size_t)n > step->room) {
        step->room = (size_t)n;
        step->offset = pb_realloc(step->offset, (step->room + 1) * sizeof *step->offset);
        step->kv_cache = pb_realloc(step->kv_cache, step->room * sizeof *step->kv_cache);
    }
    if ((size_t)tokens > step->token_room) {
        step->token_room = (size_t)tokens;
        step->ids = pb_realloc(step->ids, step->token_room * sizeof *step->ids);
        step->position = pb_realloc(step->position, step->token_room * sizeof *step->position);
    }
}

/* Writes the tokens and their positions to the arrays that the graph reads. */
static void lay_out(pb_decode_step *step, int n, const pb_decode_input *text)
{
    int at = step->offset[0] = 0;
    step->texts = n;
    step->one_by_one = true;
    for (int s = 0; s < n; s++) {
        int first = pb_kv_cache_positions(text[s].kv_cache);
        step->kv_cache[s] = text[s].kv_cache;
        step->one_by_one = step->one_by_one && continues_by_one(&text[s]);
        for (int i = 0; i < text[s].count; i++, at++) {
            step->ids[at] = text[s].ids[i];
            step->position[at] = first + i;
        }
        step->offset[s + 1] = at;
    }
}

static int build(pb_decode_step *step)
{
    pb_outputs out;
    pb_plan plan;
    pb_batch batch = {.sequences = step->texts,
                      .offset = step->offset,
                      .ids = step->ids,
                      .position = step->position,
                      .kv_cache = step->kv_cache,
                      .last = true};
    pb_arena_reset(step->arena);
    step->graph = pb_graph_new(step->arena, false);
    if (pb_model_build(step->model, step->graph, &batch, 0, 0, &out) ||
        pb_graph_plan(step->graph, out.logits, NULL, &plan)) {
        step->graph = NULL;
        return -1;
    }
    pb_executor_bind(step->executor, step->graph, &plan);
    step->one_by_one = step->one_by_one && !out.placed;
    return 0;
}

pb_node *pb_decode_step_run(pb_decode_step *step, int n, const pb_decode_input *text)
{
    bool same = is_same(step, n, text);
    if (!same)
        make_room(step, n, tokens_of(n, text));
    lay_out(step, n, text);
    for (int i = 0; same && i < n; i++) /* a graph is checked when it is built */
        PB_CHECK(step->ids[i] >= 0 && step->ids[i] < step->model->config.vocab);
    if (!same && build(step))
        return NULL;
    pb_executor_forward(step->executor, step->graph);
    return (pb_node *)(uintptr_t)pb_graph_output(step->graph);
}
