/* graph: building a graph: nodes, leaves and row sets. */
#include "graph/graph.h"

#include <string.h>

#include "graph/internal.h"

pb_graph *pb_graph_new(pb_arena *arena, bool training)
{
    pb_graph *g = pb_arena_alloc(arena, PB_META, sizeof *g);
    g->arena = arena;
    g->training = training;
    g->element = sizeof(pb_real);
    g->weight = 1;
    return g;
}

bool pb_graph_training(const pb_graph *g)
{
    return g->training;
}

void pb_graph_accumulate(pb_graph *g, double weight)
{
    PB_CHECK(!g->nodes);
    g->accumulates = true;
    g->weight = weight;
}

bool pb_graph_accumulates(const pb_graph *g)
{
    return g->accumulates;
}

pb_arena *pb_graph_arena(const pb_graph *g)
{
    return g->arena;
}

pb_node *pb_graph_node(pb_graph *g, const pb_op *op)
{
    pb_node *n = pb_arena_alloc(g->arena, PB_META, sizeof *n);
    n->op = op;
    n->plan = pb_arena_alloc(g->arena, PB_META, sizeof *n->plan);
    return n;
}

void pb_graph_append(pb_graph *g, pb_node *n)
{
    if (g->nodes == g->capacity) {
        size_t capacity = g->capacity ? 2 * g->capacity : 256;
        pb_node **node = pb_arena_alloc(g->arena, PB_META, capacity * sizeof *node);
        if (g->nodes)
            memcpy(node, g->node, g->nodes * sizeof *node);
        g->node = node;
        g->capacity = capacity;
    }
    n->index = (int)g->nodes;
    g->node[g->nodes++] = n;
}

void pb_param_clear_slots(pb_param *p)
{
    p->touched = 0;
    for (int i = 0; i < p->rows; i++)
        p->slot[i] = -1;
}

void *pb_param_memory(const pb_param *p)
{
    return p->index ? (void *)p->index : p->x;
}

size_t pb_param_elements(const pb_param *p)
{
    return (size_t)p->rows * (size_t)p->cols;
}

size_t pb_param_bytes(const pb_param *p)
{
    if (p->packed)
        return pb_packed_bytes(p->packed->precision, p->packed->double_quant, p->rows, p->cols);
    return pb_param_elements(p) * (p->index ? sizeof *p->index : sizeof *p->x);
}

void pb_param_values(const pb_param *p, int r0, int r1, int c0, int c1, pb_real *out)
{
    size_t cols = (size_t)(c1 - c0);
    if (p->packed)
        pb_unpack(p->packed, r0, r1, c0, c1, out, c1 - c0);
    else
        for (int r = r0; r < r1; r++, out += cols)
            memcpy(out, p->x + (size_t)r * (size_t)p->cols + (size_t)c0, cols * sizeof *out);
}

pb_node *pb_graph_param(pb_graph *g, pb_param *p)
{
    if (g->failed || !p)
        return NULL;
    for (size_t i = 0; i < g->nodes; i++) /* the search costs little beside the arithmetic */
        if (g->node[i] == p->leaf && p->leaf->param == p)
            return p->leaf;
    pb_node *n = pb_graph_node(g, NULL);
    n->param = p;
    n->rows = p->rows;
    n->cols = p->cols;
    n->x = p->x;
    n->g = p->g;
    n->requires_grad = g->training && p->trainable;
    if (n->requires_grad && p->slot && !g->accumulates)
        pb_param_clear_slots(p);
    p->leaf = n;
    pb_graph_append(g, n);
    return n;
}

pb_node *pb_graph_input(pb_graph *g, const pb_rows *set, int cols, pb_real *x)
{
    if (g->failed)
        return NULL;
    pb_node *n = pb_graph_node(g, NULL);
    n->set = set;
    n->rows = set->count;
    n->cols = cols;
    n->x = x;
    pb_graph_append(g, n);
    return n;
}

/* An op may write over one input and add up gradients, which is wrong if another input is the same tensor. */
static int repeated(const pb_node *n)
{
    for (int i = 1; i < PB_MAX_INPUTS; i++)
        for (int k = 0; k < i; k++)
            if (n->in[i] && n->in[i] == n->in[k])
                return pb_error("%s: inputs %d and %d are the same tensor, want different ones", n->op->name, k, i);
    return 0;
}

/* The first inputs of an op must be there; the rest may be absent. */
static int missing(const pb_node *n)
{
    for (int i = 0; i < (n->op->needs ? n->op->needs : 1); i++)
        if (!n->in[i])
            return pb_error("%s: input %d is NULL, want a node", n->op->name, i);
    return 0;
}

void pb_graph_fail(pb_graph *g)
{
    g->failed = true;
}

pb_node *pb_graph_apply(pb_graph *g, const pb_op *op, const void *conf, pb_node *a, pb_node *b, pb_node *c, pb_node *d)
{
    if (g->failed)
        return NULL;
    pb_node *n = pb_graph_node(g, op);
    pb_node *in[PB_MAX_INPUTS] = {a, b, c, d};
    n->conf = conf;
    for (int i = 0; i < PB_MAX_INPUTS; i++) {
        n->in[i] = in[i];
        if (in[i] && in[i]->requires_grad && !op->constant)
            n->want |= 1u << i;
    }
    n->requires_grad = n->want != 0;
    if (missing(n) || repeated(n) || op->shape(n)) {
        g->failed = true;
        return NULL;
    }
    pb_graph_append(g, n);
    return n;
}

unsigned pb_reads_in_backward(const pb_node *n)
{
    unsigned reads = 0;
    for (int k = 0; k < PB_MAX_INPUTS; k++)
        if (n->want >> k & 1)
            reads |= n->op->reads[k];
    return reads;
}

/* ---- row sets ------------------------------------------------------------------------------- */

int pb_rows_origin(const pb_rows *set, int r)
{
    for (; set->of; set = set->of)
        r = set->index[r];
    return r;
}

static int *new_ints(pb_graph *g, int n)
{
    return pb_arena_alloc(g->arena, PB_META, (size_t)n * sizeof(int));
}

const pb_rows *pb_rows_with_positions(pb_graph *g, int sequences, const int *offset, const int *position)
{
    pb_rows *set = pb_arena_alloc(g->arena, PB_META, sizeof *set);
    *set = (pb_rows){.count = offset[sequences], .sequences = sequences, .offset = offset, .position = position};
    return set;
}

const pb_rows *pb_rows_whole(pb_graph *g, int sequences, const int *offset)
{
    int *position = new_ints(g, offset[sequences]);
    for (int s = 0; s < sequences; s++)
        for (int r = offset[s]; r < offset[s + 1]; r++)
            position[r] = r - offset[s];
    return pb_rows_with_positions(g, sequences, offset, position);
}

const pb_rows *pb_rows_pick(pb_graph *g, const pb_rows *of, int which)
{
    pb_rows *set = pb_arena_alloc(g->arena, PB_META, sizeof *set);
    int *offset = new_ints(g, of->sequences + 1);
    int *index = new_ints(g, of->sequences), *position = new_ints(g, of->sequences);
    for (int s = 0; s < of->sequences; s++) {
        offset[s + 1] = s + 1;
        index[s] = which < 0 ? of->offset[s + 1] + which : of->offset[s] + which;
        PB_CHECK(index[s] >= of->offset[s] && index[s] < of->offset[s + 1]);
        position[s] = of->position[index[s]];
    }
    *set = (pb_rows){.count = of->sequences,
                     .sequences = of->sequences,
                     .offset = offset,
                     .position = position,
                     .of = of,
                     .index = index};
    return set;
}

const pb_rows *pb_rows_chosen(pb_graph *g, const pb_rows *of, const int *value)
{
    pb_rows *set = pb_arena_alloc(g->arena, PB_META, sizeof *set);
    int *offset = new_ints(g, of->sequences + 1), n = 0;
    int *index = new_ints(g, of->count), *position = new_ints(g, of->count);
    for (int s = 0; s < of->sequences; s++) {
        for (int r = of->offset[s]; r < of->offset[s + 1]; r++)
            if (value[r] >= 0) {
                index[n] = r;
                position[n++] = of->position[r];
            }
        offset[s + 1] = n;
    }
    *set = (pb_rows){
        .count = n, .sequences = of->sequences, .offset = offset, .position = position, .of = of, .index = index};
    return set;
}

const pb_rows *pb_rows_suffix(pb_graph *g, const pb_rows *of, const pb_rows *text)
{
    int *value = new_ints(g, of->count);
    for (int s = 0; s < of->sequences; s++)
        for (int r = of->offset[s]; r < of->offset[s + 1]; r++)
            value[r] = r - of->offset[s + 1] + text->offset[s + 1] - text->offset[s];
    return pb_rows_chosen(g, of, value);
}

static int rows_of(const pb_rows *set, int s)
{
    return set->offset[s + 1] - set->offset[s];
}

static bool begins(const pb_rows *set, int s)
{
    return rows_of(set, s) == 0 || set->position[set->offset[s]] == 0;
}

const pb_rows *pb_rows_extended(pb_graph *g, const pb_rows *set, int extra)
{
    int *offset = new_ints(g, set->sequences + 1), beginning = 0;
    for (int s = 0; s < set->sequences; s++) {
        beginning += begins(set, s);
        offset[s + 1] = set->offset[s + 1] + beginning * extra;
    }
    if (!beginning)
        return set;
    int *position = new_ints(g, offset[set->sequences]);
    for (int s = 0; s < set->sequences; s++)
        for (int r = offset[s], first = begins(set, s) ? 0 : set->position[set->offset[s]]; r < offset[s + 1]; r++)
            position[r] = first + r - offset[s];
    return pb_rows_with_positions(g, set->sequences, offset, position);
}

/* ---- the planned graph ----------------------------------------------------------------------- */

const pb_node *pb_graph_output(const pb_graph *g)
{
    return g->output;
}

const pb_node *pb_graph_loss(const pb_graph *g)
{
    return g->loss;
}

bool pb_graph_stops_gradient(const pb_graph *g)
{
    for (size_t i = 0; i < g->nodes; i++)
        for (int k = 0; k < PB_MAX_INPUTS; k++)
            if (g->node[i]->op && g->node[i]->op->constant && g->node[i]->in[k] && g->node[i]->in[k]->requires_grad)
                return true;
    return false;
}
