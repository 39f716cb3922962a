/* op_rows: ops that make rows or select some of them: embed, position, select, prepend. */
#include <stdlib.h>
#include <string.h>

#include "graph/op.h"

static pb_real *row(pb_real *x, const pb_node *n, int r)
{
    return x + (size_t)r * (size_t)n->cols;
}

static size_t row_bytes(const pb_node *n)
{
    return (size_t)n->cols * sizeof(pb_real);
}

static int sequence_units(const pb_node *n, bool backward)
{
    (void)backward;
    return n->set->sequences;
}

/* Sets columns [from,to) of g [rows,cols] to zero, unless `adds`. */
static void clear_columns(pb_real *g, int rows, int cols, int from, int to, bool adds)
{
    for (int r = 0; r < rows && !adds; r++)
        memset(g + (size_t)r * (size_t)cols + from, 0, (size_t)(to - from) * sizeof *g);
}

static void add_columns(pb_real *g, const pb_real *dy, int from, int to)
{
    for (int j = from; j < to; j++)
        g[j] += dy[j];
}

/* ---- embed: y[t] = table[ids[t] - shift[t]] ---------------------------------------------------- */

typedef struct embed_conf {
    const pb_rows *set;
    const int *ids, *shift; /* [set->count]; shift NULL: 0 */
} embed_conf;

/* Dead-row elimination may have left a selection of the set that the ids belong to. */
static int id_of(const pb_node *n, int t)
{
    const embed_conf *c = n->conf;
    for (const pb_rows *set = n->set; set != c->set; set = set->of)
        t = set->index[t];
    return c->ids[t] - (c->shift ? c->shift[t] : 0);
}

static int embed_shape(pb_node *n)
{
    const embed_conf *c = n->conf;
    n->rows = c->set->count;
    n->cols = n->in[0]->cols;
    n->set = c->set;
    for (int t = 0; t < n->rows; t++)
        if (id_of(n, t) < 0 || id_of(n, t) >= n->in[0]->rows)
            return pb_error("embed: %s %d, want 0..%d", c->shift ? "position" : "token id", id_of(n, t),
                            n->in[0]->rows - 1);
    return 0;
}

static void embed_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_packed *packed = n->in[0]->param ? n->in[0]->param->packed : NULL;
    for (int t = from; t < to; t++) {
        int id = id_of(n, t);
        if (packed)
            pb_unpack(packed, id, id + 1, 0, n->cols, row(n->x, n, t), n->cols);
        else
            memcpy(row(n->x, n, t), row(n->in[0]->x, n, id), row_bytes(n));
    }
}

/* The gradient of a table is sparse where its parameter has slots: one row a touched id. */
static void embed_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const pb_node *table = n->in[0];
    const int *slot = table->param ? table->param->slot : NULL;
    int rows = slot ? table->param->touched : table->rows;
    clear_columns(table->g, rows, n->cols, from, to, n->add & 1);
    for (int t = 0; t < n->rows; t++) {
        int id = id_of(n, t);
        add_columns(row(table->g, n, slot ? slot[id] : id), row(n->g, n, t), from, to);
    }
}

static const pb_op embed = {
    .name = "embed",
    .collects = 1,
    .shape = embed_shape,
    .forward = embed_forward,
    .backward_params = embed_params,
};

static void assign_slots(pb_param *p, const pb_rows *set, const int *ids)
{
    for (int t = 0; t < set->count; t++)
        if (p->slot[ids[t]] < 0)
            p->slot[ids[t]] = p->touched++;
}

pb_node *pb_op_embed(pb_graph *g, pb_node *table, const pb_rows *set, const int *ids)
{
    embed_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (embed_conf){.set = set, .ids = ids};
    pb_node *n = table ? pb_graph_apply(g, &embed, c, table, NULL, NULL, NULL) : NULL;
    if (n && table->requires_grad && table->param && table->param->slot)
        assign_slots(table->param, set, ids);
    return n;
}

pb_node *pb_op_embed_position(pb_graph *g, pb_node *table, const pb_rows *set, const int *shift)
{
    embed_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (embed_conf){.set = set, .ids = set->position, .shift = shift};
    return pb_graph_apply(g, &embed, c, table, NULL, NULL, NULL);
}

/* ---- replace: y[t] = r[i] where of[i] = ids[t], else x[t] ------------------------------------------ */

typedef struct stand_in {
    int id, row;
} stand_in;

typedef struct replace_conf {
    const pb_rows *set;
    const int *ids;
    const stand_in *of; /* [rows of r] by id, then by row */
} replace_conf;

/* The row of r that takes the place of row t, or -1. */
static int row_instead(const pb_node *n, int t)
{
    const replace_conf *c = n->conf;
    for (const pb_rows *set = n->set; set != c->set; set = set->of)
        t = set->index[t];
    int low = 0, high = n->in[1]->rows, id = c->ids[t];
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (c->of[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n->in[1]->rows && c->of[low].id == id ? c->of[low].row : -1;
}

static int replace_shape(pb_node *n)
{
    const pb_node *x = n->in[0], *r = n->in[1];
    if (!x->set || r->set || x->cols != r->cols)
        return pb_error("replace: want tokens and rows of parameters of one width");
    n->rows = x->rows;
    n->cols = x->cols;
    n->set = x->set;
    return 0;
}

static void replace_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    for (int t = from; t < to; t++) {
        int instead = row_instead(n, t);
        memcpy(row(n->x, n, t), instead < 0 ? row(n->in[0]->x, n, t) : row(n->in[1]->x, n, instead), row_bytes(n));
    }
}

static void replace_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    for (int t = from; t < to; t++)
        pb_axpy((size_t)n->cols, row_instead(n, t) < 0, row(n->g, n, t), row(n->in[0]->g, n, t), n->add & 1);
}

static void replace_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const pb_node *r = n->in[1];
    clear_columns(r->g, r->rows, n->cols, from, to, n->add & 2);
    for (int t = 0; t < n->rows; t++) {
        int instead = row_instead(n, t);
        if (instead >= 0)
            add_columns(row(r->g, n, instead), row(n->g, n, t), from, to);
    }
}

static const pb_op replace = {
    .name = "replace",
    .needs = 2,
    .aligned = 1,
    .collects = 2,
    .shape = replace_shape,
    .forward = replace_forward,
    .backward = replace_backward,
    .backward_params = replace_params,
};

static int by_id(const void *a, const void *b)
{
    const stand_in *x = a, *y = b;
    return x->id != y->id ? (x->id > y->id) - (x->id < y->id) : (x->row > y->row) - (x->row < y->row);
}

/* Sorted once, because every token is looked up, again in each run of the graph. */
static const stand_in *sort_ids(pb_graph *g, const int *of, int rows)
{
    stand_in *list = pb_arena_alloc(pb_graph_arena(g), PB_META, (size_t)rows * sizeof *list);
    for (int i = 0; i < rows; i++)
        list[i] = (stand_in){of[i], i};
    qsort(list, (size_t)rows, sizeof *list, by_id);
    return list;
}

pb_node *pb_op_replace(pb_graph *g, pb_node *x, pb_node *r, const int *ids, const int *of)
{
    if (!x || !r)
        return NULL;
    replace_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (replace_conf){.set = x->set, .ids = ids, .of = sort_ids(g, of, r->rows)};
    return pb_graph_apply(g, &replace, c, x, r, NULL, NULL);
}

/* ---- position: y[t] = x[t] + table[first + position(t)] + type[token_type[t]]---------------------------- */

typedef struct position_conf {
    const pb_rows *set; /* of the token types */
    const int *token_type;
    int first;
} position_conf;

static int position_of(const pb_node *n, int t)
{
    const position_conf *c = n->conf;
    return c->first + n->set->position[t];
}

static int type_of(const pb_node *n, int t)
{
    const position_conf *c = n->conf;
    for (const pb_rows *set = n->set; set != c->set; set = set->of)
        t = set->index[t];
    return c->token_type ? c->token_type[t] : 0;
}

static int position_shape(pb_node *n)
{
    const pb_node *x = n->in[0], *table = n->in[1], *type = n->in[2];
    if (!x->set || table->cols != x->cols || (type && type->cols != x->cols))
        return pb_error("position: want tokens, positions and types of one width");
    n->rows = x->rows;
    n->cols = x->cols;
    n->set = x->set;
    for (int t = 0; t < n->rows; t++)
        if (position_of(n, t) >= table->rows)
            return pb_error("position: %d, want 0..%d: the text with the method's tokens is too long",
                            position_of(n, t), table->rows - 1);
    for (int t = 0; t < n->rows && type; t++)
        if (type_of(n, t) < 0 || type_of(n, t) >= type->rows)
            return pb_error("token type %d, want 0..%d: the model has %d (type_vocab_size in config.json)",
                            type_of(n, t), type->rows - 1, type->rows);
    return 0;
}

static void position_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    for (int t = from; t < to; t++) {
        const pb_real *x = row(n->in[0]->x, n, t), *table = row(n->in[1]->x, n, position_of(n, t));
        const pb_real *type = n->in[2] ? row(n->in[2]->x, n, type_of(n, t)) : NULL;
        pb_real *y = row(n->x, n, t);
        for (int j = 0; j < n->cols; j++)
            y[j] = x[j] + table[j] + (type ? type[j] : 0);
    }
}

static void position_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    if (n->in[0]->g != n->g)
        pb_axpy((size_t)(to - from) * (size_t)n->cols, 1, row(n->g, n, from), row(n->in[0]->g, n, from), n->add & 1);
}

static void position_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_node *type = n->in[2];
    pb_real *dtable = n->in[1]->g;
    if (want & 2) {
        clear_columns(dtable, n->in[1]->rows, n->cols, from, to, n->add & 2);
        for (int t = 0; t < n->rows; t++)
            add_columns(row(dtable, n, position_of(n, t)), row(n->g, n, t), from, to);
    }
    if (type && (want & 4)) {
        clear_columns(type->g, type->rows, n->cols, from, to, n->add & 4);
        for (int t = 0; t < n->rows; t++)
            add_columns(row(type->g, n, type_of(n, t)), row(n->g, n, t), from, to);
    }
}

static const pb_op position = {
    .name = "position",
    .needs = 2,
    .aligned = 1,
    .inplace = 1,
    .inplace_grad = 1,
    .collects = 2 | 4,
    .shape = position_shape,
    .forward = position_forward,
    .backward = position_backward,
    .backward_params = position_params,
};

pb_node *pb_op_position(pb_graph *g, pb_node *x, pb_node *table, pb_node *type, int first, const int *token_type)
{
    position_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (position_conf){.set = x ? x->set : NULL, .token_type = token_type, .first = first};
    return pb_graph_apply(g, &position, c, x, table, type, NULL);
}

/* ---- select: y[r] = x[index[r]] ------------------------------------------------------------------ */

typedef struct select_conf {
    const pb_rows *set;
} select_conf;

static int select_shape(pb_node *n)
{
    const select_conf *c = n->conf;
    if (!c->set->of || c->set->of != n->in[0]->set)
        return pb_error("select: want rows of this tensor's set");
    n->rows = c->set->count;
    n->cols = n->in[0]->cols;
    n->set = c->set;
    return 0;
}

static void select_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    for (int s = from; s < to; s++)
        for (int r = n->set->offset[s]; r < n->set->offset[s + 1]; r++)
            memcpy(row(n->x, n, r), row(n->in[0]->x, n, n->set->index[r]), row_bytes(n));
}

/* A unit is a sequence: one thread writes all rows of it, selected or not. */
static void select_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    pb_real *dx = n->in[0]->g;
    const int *whole = n->set->of->offset;
    if (!(n->add & 1))
        memset(row(dx, n, whole[from]), 0, (size_t)(whole[to] - whole[from]) * row_bytes(n));
    for (int r = n->set->offset[from]; r < n->set->offset[to]; r++)
        add_columns(row(dx, n, n->set->index[r]), row(n->g, n, r), 0, n->cols);
}

const pb_op pb_op_select_op = {
    .name = "select",
    .shape = select_shape,
    .units = sequence_units,
    .forward = select_forward,
    .backward = select_backward,
};

pb_node *pb_op_select(pb_graph *g, pb_node *x, const pb_rows *set)
{
    select_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    c->set = set;
    return pb_graph_apply(g, &pb_op_select_op, c, x, NULL, NULL, NULL);
}

/* ---- prepend: p [P,C] in front of each sequence of x -------------------------------------------- */

typedef struct prepend_conf {
    const pb_rows *set;
} prepend_conf;

static int prepend_shape(pb_node *n)
{
    const prepend_conf *c = n->conf;
    if (n->in[0]->set || !n->in[1]->set || n->in[0]->cols != n->in[1]->cols)
        return pb_error("prepend: want a prefix [P,%d] that is the same for every sequence", n->in[1]->cols);
    n->rows = c->set->count;
    n->cols = n->in[1]->cols;
    n->set = c->set;
    return 0;
}

static int length_of(const pb_node *n, int s)
{
    return n->set->offset[s + 1] - n->set->offset[s];
}

/* The rows in front of sequence s: those of p, or none if the sequence continues one of an earlier graph. */
static int in_front(const pb_node *n, int s)
{
    return length_of(n, s) - length_of(n->in[1], s);
}

static void prepend_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const pb_node *p = n->in[0], *x = n->in[1];
    for (int s = from; s < to; s++) {
        int at = n->set->offset[s], front = in_front(n, s);
        memcpy(row(n->x, n, at), p->x, (size_t)front * row_bytes(n));
        memcpy(row(n->x, n, at + front), row(x->x, n, x->set->offset[s]), (size_t)length_of(x, s) * row_bytes(n));
    }
}

static void prepend_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const pb_node *x = n->in[1];
    for (int s = from; s < to; s++) {
        int at = x->set->offset[s];
        pb_axpy((size_t)length_of(x, s) * (size_t)n->cols, 1, row(n->g, n, n->set->offset[s] + in_front(n, s)),
                row(x->g, n, at), n->add >> 1 & 1);
    }
}

/* dp[i] = sum over sequences of dy[start + i] */
static void prepend_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const pb_node *p = n->in[0];
    clear_columns(p->g, p->rows, n->cols, from, to, n->add & 1);
    for (int s = 0; s < n->set->sequences; s++)
        for (int i = 0; i < in_front(n, s); i++)
            add_columns(row(p->g, n, i), row(n->g, n, n->set->offset[s] + i), from, to);
}

static const pb_op prepend = {
    .name = "prepend",
    .needs = 2,
    .collects = 1,
    .shape = prepend_shape,
    .units = sequence_units,
    .forward = prepend_forward,
    .backward = prepend_backward,
    .backward_params = prepend_params,
};

pb_node *pb_op_prepend(pb_graph *g, pb_node *p, pb_node *x)
{
    if (!p || !x)
        return NULL;
    prepend_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    c->set = x->set ? pb_rows_extended(g, x->set, p->rows) : NULL;
    if (x->set && c->set == x->set)
        return x;
    return pb_graph_apply(g, &prepend, c, p, x, NULL, NULL);
}
