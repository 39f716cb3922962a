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
    bool one_by_one; /* every text continued by one token, so the graph can run again */
    size_t room, token_room;
};

pb_decode_step *pb_decode_step_new(pb_model *m)
{
    pb_decode_step *a = pb_alloc(sizeof *a);
    *a = (pb_decode_step){.model = m, .arena = pb_arena_new("decode step"), .executor = pb_executor_new()};
    return a;
}

void pb_decode_step_free(pb_decode_step *a)
{
    if (!a)
        return;
    pb_executor_free(a->executor);
    pb_arena_free(a->arena);
    free(a->offset);
    free(a->ids);
    free(a->position);
    free(a->kv_cache);
    free(a);
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
static bool is_same(const pb_decode_step *a, int n, const pb_decode_input *text)
{
    bool same = a->graph && a->one_by_one && n == a->texts;
    for (int s = 0; same && s < n; s++)
        same = continues_by_one(&text[s]) && a->kv_cache[s] == text[s].kv_cache &&
               pb_kv_cache_rows(text[s].kv_cache) > 0;
    return same;
}

static void make_room(pb_decode_step *a, int n, int tokens)
{
    if ((size_t)n > a->room) {
        a->room = (size_t)n;
        a->offset = pb_realloc(a->offset, (a->room + 1) * sizeof *a->offset);
        a->kv_cache = pb_realloc(a->kv_cache, a->room * sizeof *a->kv_cache);
    }
    if ((size_t)tokens > a->token_room) {
        a->token_room = (size_t)tokens;
        a->ids = pb_realloc(a->ids, a->token_room * sizeof *a->ids);
        a->position = pb_realloc(a->position, a->token_room * sizeof *a->position);
    }
}

/* Writes the tokens and their positions to the arrays that the graph reads. */
static void lay_out(pb_decode_step *a, int n, const pb_decode_input *text)
{
    int at = a->offset[0] = 0;
    a->texts = n;
    a->one_by_one = true;
    for (int s = 0; s < n; s++) {
        int first = pb_kv_cache_positions(text[s].kv_cache);
        a->kv_cache[s] = text[s].kv_cache;
        a->one_by_one = a->one_by_one && continues_by_one(&text[s]);
        for (int i = 0; i < text[s].count; i++, at++) {
            a->ids[at] = text[s].ids[i];
            a->position[at] = first + i;
        }
        a->offset[s + 1] = at;
    }
}

static int build(pb_decode_step *a)
{
    pb_outputs out;
    pb_plan plan;
    pb_batch batch = {.sequences = a->texts,
                      .offset = a->offset,
                      .ids = a->ids,
                      .position = a->position,
                      .kv_cache = a->kv_cache,
                      .last = true};
    pb_arena_reset(a->arena);
    a->graph = pb_graph_new(a->arena, false);
    if (pb_model_build(a->model, a->graph, &batch, 0, 0, &out) || pb_graph_plan(a->graph, out.logits, NULL, &plan)) {
        a->graph = NULL;
        return -1;
    }
    pb_executor_bind(a->executor, a->graph, &plan);
    return 0;
}

pb_node *pb_decode_step_run(pb_decode_step *a, int n, const pb_decode_input *text)
{
    bool same = is_same(a, n, text);
    if (!same)
        make_room(a, n, tokens_of(n, text));
    lay_out(a, n, text);
    for (int i = 0; same && i < n; i++) /* a graph is checked when it is built */
        PB_CHECK(a->ids[i] >= 0 && a->ids[i] < a->model->config.vocab);
    if (!same && build(a))
        return NULL;
    pb_executor_forward(a->executor, a->graph);
    return (pb_node *)(uintptr_t)pb_graph_output(a->graph);
}
