/* multi_adapter: see multi_adapter.h. */
#include "model/multi_adapter.h"

#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

/* One adapter: what it adds at every site, and at the head: its own less the base's. */
typedef struct entry {
    pb_lora_delta *site; /* [layers*SITES] */
    pb_lora_delta head;
    const pb_real *bias; /* [classes] of the head, less the base's; NULL: none */
    pb_arena *arena;
} entry;

struct pb_multi_adapter {
    pb_model *m;
    entry *entry;
    size_t entries, capacity;
};

pb_multi_adapter *pb_multi_adapter_new(pb_model *m)
{
    pb_multi_adapter *b = pb_alloc(sizeof *b);
    PB_CHECK(!m->bank && !m->parts);
    b->m = m;
    m->bank = b;
    return b;
}

void pb_multi_adapter_free(pb_multi_adapter *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->entries; i++)
        pb_arena_free(b->entry[i].arena);
    b->m->bank = NULL;
    free(b->entry);
    free(b);
}

size_t pb_multi_adapter_bytes(const pb_multi_adapter *b)
{
    size_t bytes = 0;
    for (size_t i = 0; i < b->entries; i++)
        bytes += pb_arena_live(b->entry[i].arena, PB_WEIGHTS);
    return bytes;
}

/* ---- loading: the adapter is put on a model of shapes, and its numbers kept --------------------------- */

static pb_real *copied(entry *e, const pb_param *p)
{
    size_t bytes = (size_t)p->rows * (size_t)p->cols * sizeof *p->x;
    return memcpy(pb_arena_alloc(e->arena, PB_WEIGHTS, bytes), p->x, bytes);
}

bool pb_multi_adapter_serves(const pb_model *m)
{
    const pb_peft *peft = m->parts == 1 ? m->part[0].method->peft : NULL;
    if (!peft || strcmp(peft->type, "LORA") != 0)
        return false;
    for (size_t i = 0; i < m->params; i++) {
        const pb_param *p = m->param[i];
        bool matrix = pb_ends_in(p->name, ".A") || pb_ends_in(p->name, ".B"), head = p == m->head_w || p == m->head_b;
        if (p->kind == PB_ADDED ? !matrix : p->trainable && !head)
            return false;
    }
    return true;
}

/* B and A of a site; the method says the scale by what it does to a unit. */
static int take_site(entry *e, const pb_model *from, const pb_site *s, double scale)
{
    char name[160];
    snprintf(name, sizeof name, "layer.%d.%s.lora.m", s->layer, s->role);
    if (pb_model_find(from, name))
        return pb_error(
            "bank: an adapter with use_dora: its magnitudes are of the whole matrix, not an addition to it");
    snprintf(name, sizeof name, "layer.%d.%s.lora.A", s->layer, s->role);
    const pb_param *A = pb_model_find(from, name);
    snprintf(name, sizeof name, "layer.%d.%s.lora.B", s->layer, s->role);
    const pb_param *B = pb_model_find(from, name);
    if (A && B)
        e->site[s->number] = (pb_lora_delta){.down = copied(e, A),
                                             .up = copied(e, B),
                                             .in = A->cols,
                                             .out = B->rows,
                                             .rank = A->rows,
                                             .scale = (pb_real)scale};
    return 0;
}

static const pb_real *difference(entry *e, const pb_param *own, const pb_param *base)
{
    pb_real *x = copied(e, own);
    for (size_t i = 0; i < (size_t)own->rows * (size_t)own->cols; i++)
        x[i] -= base->x[i];
    return x;
}

static int take_head(entry *e, const pb_model *from, const pb_model *base)
{
    if (from->head != PB_HEAD_CLASSES)
        return 0;
    if (from->classes != base->classes)
        return pb_error("bank: an adapter for %d classes on a model with %d", from->classes, base->classes);
    int width = base->config.width;
    e->head = (pb_lora_delta){
        .up = difference(e, from->head_w, base->head_w), .in = width, .rank = width, .out = base->classes, .scale = 1};
    e->bias = from->head_b ? difference(e, from->head_b, base->head_b) : NULL;
    return 0;
}

/* Is a parameter's value that of the base? */
static bool is_same(const pb_param *p, const pb_param *base)
{
    if (!base || p->rows != base->rows || p->cols != base->cols)
        return false;
    size_t n = (size_t)p->rows * (size_t)p->cols;
    pb_real *x = pb_alloc(n * sizeof *x);
    pb_param_values(base, 0, base->rows, 0, base->cols, x);
    bool same = !memcmp(x, p->x, n * sizeof *x);
    free(x);
    return same;
}

/* A bank serves what is added to projections of the layers, and heads of classes; it has the base but once. */
static int check_base(const pb_model *from, const pb_model *base)
{
    for (size_t i = 0; i < from->params; i++) {
        const pb_param *p = from->param[i];
        bool head = from->head == PB_HEAD_CLASSES && (p == from->head_w || p == from->head_b);
        if ((p->kind == PB_ADDED && p->layer < 0) ||
            (p->trainable && p->kind != PB_ADDED && !head && !is_same(p, pb_model_find(base, p->name))))
            return pb_error("bank: the adapter changes '%s' of the base, which the other adapters need as it is",
                            from->origin[i] ? from->origin[i] : p->name);
    }
    return 0;
}

static int take_all(pb_multi_adapter *b, entry *e, const pb_model *from, const pb_adapter *a)
{
    if (check_base(from, b->m))
        return -1;
    int sites = b->m->config.layers * SITES;
    e->site = pb_arena_alloc(e->arena, PB_META, (size_t)sites * sizeof *e->site);
    for (int i = 0; i < sites; i++)
        if (from->matches[i] && take_site(e, from, &from->layer[i / SITES].site[i % SITES],
                                          pb_adapter_scale(a, &from->layer[i / SITES].site[i % SITES])))
            return -1;
    return take_head(e, from, b->m);
}

int pb_multi_adapter_add(pb_multi_adapter *b, const char *dir, bool force)
{
    entry e = {.arena = pb_arena_new("bank")};
    pb_adapter *a = pb_adapter_open(dir);
    pb_model *m = a ? pb_model_open(&(pb_opening){.path = b->m->dir, .classes = pb_adapter_classes(a)}) : NULL;
    int rc = !m ? -1
             : strcmp(pb_adapter_method(a)->name, "lora") != 0
                 ? pb_error("%s: a bank serves adapters of type LORA", dir)
                 : pb_adapter_attach(m, a, force) || take_all(b, &e, m, a);
    pb_model_free(m);
    pb_adapter_close(a);
    if (rc) {
        pb_arena_free(e.arena);
        return -1;
    }
    pb_grow(&b->entry, b->entries, &b->capacity, sizeof *b->entry);
    b->entry[b->entries] = e;
    return (int)b->entries++;
}

/* ---- in a graph ------------------------------------------------------------------------------------------ */

static pb_node *add_biases(pb_build *b, pb_node *y)
{
    const pb_multi_adapter *bank = b->model->bank;
    pb_real *x = pb_arena_alloc(pb_graph_arena(b->graph), PB_META, (size_t)y->rows * (size_t)y->cols * sizeof *x);
    for (int s = 0; s < y->rows; s++) {
        const pb_real *bias = b->adapter[s] < 0 ? NULL : bank->entry[b->adapter[s]].bias;
        if (bias)
            memcpy(x + (size_t)s * (size_t)y->cols, bias, (size_t)y->cols * sizeof *x);
    }
    return pb_op_add(b->graph, y, pb_graph_input(b->graph, y->set, y->cols, x));
}

pb_node *pb_multi_adapter_apply(pb_build *b, const pb_site *site, pb_node *y, pb_node *x)
{
    const pb_multi_adapter *bank = b->model->bank;
    if (!y || !x)
        return NULL;
    int sequences = y->set->sequences;
    bool any = false;
    pb_lora_delta *own = pb_arena_alloc(pb_graph_arena(b->graph), PB_META, (size_t)sequences * sizeof *own);
    for (int s = 0; s < sequences; s++) {
        PB_CHECK(b->adapter[s] < (int)bank->entries);
        if (b->adapter[s] < 0)
            continue;
        const entry *e = &bank->entry[b->adapter[s]];
        own[s] = site ? e->site[site->number] : e->head;
        any = any || own[s].up;
    }
    y = any ? pb_op_batched_lora(b->graph, y, x, own) : y;
    return y && !site ? add_biases(b, y) : y;
}
