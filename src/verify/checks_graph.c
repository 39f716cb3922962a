/* checks_graph: what the graphs of batches consist of: see checks.h. */
#include "verify/checks.h"

#include <stdlib.h>
#include <string.h>

#include "model/config_writer.h"

/* ---- full-size matrices ---------------------------------------------------------------------------------------- */

/* The graph of a training batch on a network of a given size, which has no weights: it is planned and does not run. */
typedef struct sketch {
    pb_attached part[PB_MAX_PARTS];
    int parts;
    pb_model *model;
    pb_arena *arena;
    pb_graph *graph;
    pb_plan plan;
    char folder[32];
} sketch;

static int open_sketch(sketch *s, const pb_trial *t, int layers, int width)
{
    const pb_network_shape shape = {.layers = layers,
                                    .width = width,
                                    .heads = 4,
                                    .kv_heads = t->fixture->decoder ? 2 : 4,
                                    .intermediate_size = width * 3 / 2,
                                    .positions = 4096,
                                    .bias = true};
    *s = (sketch){.arena = pb_arena_new("sketch"), .folder = "/tmp/peftbench-XXXXXX"};
    if (!mkdtemp(s->folder) ||
        pb_network_config_write(s->folder, t->fixture->decoder ? PB_CAUSAL : PB_MASKED, &shape, 96) ||
        pb_attached_parse(t->spec, s->part, &s->parts))
        return -1;
    s->model = pb_model_open(&(pb_opening){.path = s->folder, .classes = PB_CLASSES, .shapes_only = true});
    if (!s->model || pb_model_attach(s->model, s->part, s->parts))
        return -1;
    pb_outputs out;
    s->graph = pb_graph_new(s->arena, true);
    return pb_model_build(s->model, s->graph, &pb_testbed_texts, 0.1, 7, &out) ||
                   pb_graph_plan(s->graph, out.logits, out.loss, &s->plan)
               ? -1
               : 0;
}

static void close_sketch(sketch *s)
{
    pb_remove_tree(s->folder);
    pb_model_free(s->model);
    pb_attached_free(s->part, s->parts);
    pb_arena_free(s->arena);
}

static int nodes_of(const pb_graph *g)
{
    int n = 0;
    while (pb_graph_at(g, n))
        n++;
    return n;
}

/* Returns for each node whether it is a weight of the hook `weight`, or only such weights are made of it.  The caller
 * frees the result. */
static bool *inside_weights(const pb_graph *g)
{
    int count = nodes_of(g);
    bool *inside = pb_alloc((size_t)count + 1), *read = pb_alloc((size_t)count + 1),
         *outside = pb_alloc((size_t)count + 1);
    for (int i = count - 1; i >= 0; i--) {
        const pb_node *n = pb_graph_at(g, i);
        inside[i] = !n->set && (pb_graph_is_remade(n) || (read[i] && !outside[i]));
        for (int k = 0; k < PB_MAX_INPUTS; k++)
            if (n->in[k]) {
                read[n->in[k]->index] = true;
                outside[n->in[k]->index] |= !inside[i];
            }
    }
    free(read);
    free(outside);
    return inside;
}

static double elements(const pb_node *n)
{
    return (double)n->rows * n->cols;
}

/* A parameter that a node is made of. */
static const char *made_of(const pb_node *n)
{
    for (int k = 0; !n->param && k < PB_MAX_INPUTS; k++)
        if (n->in[k])
            return made_of(n->in[k]);
    return n->param ? n->param->name : "no parameter";
}

/* Finds a matrix of parameters alone that grows with the product of a network's widths as a weight does: `wide` has
 * twice the widths of `narrow`. */
static pb_outcome no_full_size(pb_trial *t, const pb_graph *narrow, const pb_graph *wide, double smallest)
{
    bool *inside = inside_weights(narrow);
    const pb_node *found = NULL;
    for (int i = 0; pb_graph_at(narrow, i) && pb_graph_at(wide, i) && !found; i++) {
        const pb_node *n = pb_graph_at(narrow, i), *w = pb_graph_at(wide, i);
        if (n->op && !n->set && !inside[i] && elements(n) >= smallest && elements(w) >= 4 * elements(n))
            found = n;
    }
    free(inside);
    return found ? pb_trial_broken(
                       t,
                       "the operation '%s' makes a matrix [%d,%d] of %s and others, as large as a weight; such a "
                       "matrix belongs to the hook `weight`, which makes one at a time",
                       found->op->name, found->rows, found->cols, made_of(found))
                 : PB_HELD;
}

/* The elements of the smallest projection. */
static size_t smallest_projection(const pb_model *m)
{
    size_t least = SIZE_MAX;
    for (int i = 0; i < pb_model_params(m); i++) {
        const pb_param *p = pb_model_param(m, i);
        if (p->kind == PB_MATRIX && p->layer >= 0 && pb_param_elements(p) < least)
            least = pb_param_elements(p);
    }
    return least;
}

static bool makes_weights(const sketch *s)
{
    for (int i = 0; i < s->parts; i++)
        if (s->part[i].method->hooks.weight)
            return true;
    return false;
}

/* No matrix is made of parameters that is as large as a weight, except by the hook `weight`; and of those of that hook
 * as many are in memory at a time in a deep network as in a shallow one. */
pb_outcome pb_check_full_size(pb_trial *t)
{
    sketch narrow, wide, deep;
    int rc = open_sketch(&narrow, t, 2, 32) | open_sketch(&wide, t, 2, 64) | open_sketch(&deep, t, 4, 32);
    pb_outcome outcome = PB_NOT_PROMISED; /* the methods refuse these networks */
    if (!rc) {
        size_t least = smallest_projection(narrow.model), few = pb_graph_made_bytes(narrow.graph, least),
               many = pb_graph_made_bytes(deep.graph, least);
        outcome = no_full_size(t, narrow.graph, wide.graph, (double)least);
        if (outcome == PB_HELD && makes_weights(&narrow) && many > few)
            outcome =
                pb_trial_broken(t,
                                "matrices made of parameters take %zu bytes at one time in 2 layers and %zu in 4; "
                                "those of the hook `weight` must be in memory one at a time",
                                few, many);
    }
    close_sketch(&narrow);
    close_sketch(&wide);
    close_sketch(&deep);
    return outcome;
}
