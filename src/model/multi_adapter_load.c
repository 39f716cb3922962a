/* multi_adapter_load: reads adapters into a multi-adapter.  Each is attached to a copy of the base, and the values of
 * its update are copied from there. */
#include <stdlib.h>
#include <string.h>

#include "model/adapter.h"
#include "model/multi_adapter_internal.h"

static bool is_head(const pb_model *m, const pb_param *p)
{
    return pb_model_has_classes(m) && (p == m->head_w || p == m->head_b);
}

/* The number of parameters that a method has added to the model. */
static int count_added(const pb_model *m)
{
    int n = 0;
    for (size_t i = 0; i < m->params; i++)
        n += m->param[i]->kind == PB_ADDED;
    return n;
}

/* The update of a site by the one method of a model; rank 0: there is none. */
static pb_low_rank update_of(const pb_model *m, const pb_site *s)
{
    const pb_attached *part = &m->part[0];
    return m->matches[s->number] ? part->method->hooks.low_rank(part->conf, s) : (pb_low_rank){.rank = 0};
}

bool pb_multi_adapter_supports(const pb_model *m)
{
    const pb_method *method = m->parts == 1 ? m->part[0].method : NULL;
    if (!method || !method->peft || !method->hooks.low_rank)
        return false;
    int matrices = 0;
    for (int i = 0; i < m->config.layers * SITES; i++) {
        pb_low_rank u = update_of(m, &m->layer[i / SITES].site[i % SITES]);
        if (u.rank && !u.additive)
            return false;
        matrices += u.rank ? 2 : 0;
    }
    for (size_t i = 0; i < m->params; i++)
        if (m->param[i]->trainable && m->param[i]->kind != PB_ADDED && !is_head(m, m->param[i]))
            return false;
    return count_added(m) == matrices;
}

/* ---- loading ---------------------------------------------------------------------------------------------------- */

static pb_real *copy_values(pb_adapter_deltas *d, const pb_param *p)
{
    size_t bytes = (size_t)p->rows * (size_t)p->cols * sizeof *p->x;
    return memcpy(pb_arena_alloc(d->arena, PB_WEIGHTS, bytes), p->x, bytes);
}

static int copy_site(pb_adapter_deltas *d, const pb_model *from, const pb_site *s)
{
    pb_low_rank u = update_of(from, s);
    if (!u.rank)
        return 0;
    if (!u.additive)
        return pb_error("multi-adapter: the adapter's update of %d.%s is not additive, as with DoRA; want W + s B A",
                        s->layer, s->role);
    const pb_method *method = from->part[0].method;
    const pb_param *A = pb_params_find_added(from, method, s, u.down), *B = pb_params_find_added(from, method, s, u.up);
    d->site[s->number] = (pb_lora_delta){.down = copy_values(d, A),
                                         .up = copy_values(d, B),
                                         .in = A->cols,
                                         .out = B->rows,
                                         .rank = u.rank,
                                         .scale = (pb_real)u.scale};
    return 0;
}

static const pb_real *difference(pb_adapter_deltas *d, const pb_param *p, const pb_param *base)
{
    pb_real *x = copy_values(d, p);
    for (size_t i = 0; i < (size_t)p->rows * (size_t)p->cols; i++)
        x[i] -= base->x[i];
    return x;
}

static int copy_head(pb_adapter_deltas *d, const pb_model *from, const pb_model *base)
{
    if (!pb_model_has_classes(from))
        return 0;
    if (from->classes != base->classes)
        return pb_error("multi-adapter: an adapter for %d classes on a model with %d", from->classes, base->classes);
    int width = base->config.width;
    d->head = (pb_lora_delta){
        .up = difference(d, from->head_w, base->head_w), .in = width, .rank = width, .out = base->classes, .scale = 1};
    d->head_bias = from->head_b ? difference(d, from->head_b, base->head_b) : NULL;
    return 0;
}

/* True if a parameter has the base's value. */
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

/* All adapters share the base, so one that changes anything but projections of the layers and the head is refused. */
static int check_base(const pb_model *from, const pb_model *base)
{
    for (size_t i = 0; i < from->params; i++) {
        const pb_param *p = from->param[i];
        if ((p->kind == PB_ADDED && p->layer < 0) ||
            (p->trainable && p->kind != PB_ADDED && !is_head(from, p) && !is_same(p, pb_model_find(base, p->name))))
            return pb_error("multi-adapter: the adapter changes '%s' of the base, which all adapters share",
                            from->origin[i] ? from->origin[i] : p->name);
    }
    return 0;
}

static int copy_deltas(pb_adapter_deltas *d, const pb_model *from, const pb_model *base)
{
    if (check_base(from, base))
        return -1;
    int sites = pb_model_sites(base);
    d->site = pb_arena_alloc(d->arena, PB_META, (size_t)sites * sizeof *d->site);
    for (int i = 0; i < sites; i++)
        if (copy_site(d, from, pb_model_site(from, i)))
            return -1;
    return copy_head(d, from, base);
}

static int read_deltas(pb_adapter_deltas *d, const pb_model *base, const char *dir, bool force)
{
    pb_adapter *a = pb_adapter_open(dir);
    pb_model *m =
        a ? pb_model_open(&(pb_opening){.path = base->dir,
                                        .classes = pb_adapter_classes(a),
                                        .tokens = pb_adapter_tokens(a),
                                        .problem = pb_adapter_choices(a) ? PB_PROBLEM_CHOICES : PB_PROBLEM_ANY})
          : NULL;
    int rc = m ? 0 : -1;
    if (!rc && !pb_adapter_method(a)->hooks.low_rank)
        rc = pb_error("%s: want an adapter whose updates are products of two matrices, got one of type %s", dir,
                      pb_adapter_method(a)->peft->type);
    rc = rc || pb_adapter_attach(m, a, force) || copy_deltas(d, m, base) ? -1 : 0;
    pb_model_free(m);
    pb_adapter_close(a);
    return rc;
}

int pb_multi_adapter_add(pb_multi_adapter *b, const char *dir, bool force)
{
    pb_adapter_deltas d = {.arena = pb_arena_new("multi-adapter")};
    if (read_deltas(&d, b->model, dir, force)) {
        pb_arena_free(d.arena);
        return -1;
    }
    pb_grow(&b->adapter, b->adapters, &b->capacity, sizeof *b->adapter);
    b->adapter[b->adapters] = d;
    return (int)b->adapters++;
}
