/* params: the table of a model's parameters, by number and by name. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

static uint64_t hash(const char *name)
{
    uint64_t h = 1469598103934665603u; /* FNV-1a */
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 1099511628211u;
    return h;
}

/* The slot of the index of `param` that contains `name`, or that it would get. */
static size_t seek(const pb_name_index *index, pb_param *const *param, const char *name)
{
    size_t i = hash(name) & (index->size - 1);
    while (index->slot[i] >= 0 && strcmp(param[index->slot[i]]->name, name) != 0)
        i = (i + 1) & (index->size - 1);
    return i;
}

static pb_param *find(const pb_name_index *index, pb_param *const *param, const char *name)
{
    int i = index->size ? index->slot[seek(index, param, name)] : -1;
    return i < 0 ? NULL : param[i];
}

/* Makes the index of the first n parameters larger. */
static void grow_index(pb_name_index *index, pb_param *const *param, size_t n)
{
    free(index->slot);
    index->size = index->size ? 2 * index->size : 512;
    index->slot = pb_alloc(index->size * sizeof *index->slot);
    for (size_t i = 0; i < index->size; i++)
        index->slot[i] = -1;
    for (size_t i = 0; i < n; i++)
        index->slot[seek(index, param, param[i]->name)] = (int)i;
}

/* Enters parameter n, after the n before it. */
static void enter(pb_name_index *index, pb_param *const *param, size_t n)
{
    if (2 * n >= index->size)
        grow_index(index, param, n);
    PB_CHECK(!find(index, param, param[n]->name));
    index->slot[seek(index, param, param[n]->name)] = (int)n;
}

pb_param *pb_model_find(const pb_model *m, const char *name)
{
    return find(&m->index, m->param, name);
}

static pb_param *new_param(pb_model *m, const char *name, pb_kind kind, int layer, int rows, int cols)
{
    pb_param *p = pb_arena_alloc(m->arena, PB_META, sizeof *p);
    p->name = pb_arena_strdup(m->arena, name);
    p->kind = kind;
    p->layer = layer;
    p->rows = rows;
    p->cols = cols;
    p->rate = 1;
    return p;
}

pb_param *pb_params_add(pb_model *m, const char *name, const char *origin, pb_kind kind, int layer, int rows, int cols)
{
    pb_grow(&m->param, m->params, &m->capacity, sizeof *m->param);
    pb_grow(&m->origin, m->params, &m->origins, sizeof *m->origin);
    pb_param *p = new_param(m, name, kind, layer, rows, cols);
    m->origin[m->params] = origin;
    m->param[m->params] = p;
    enter(&m->index, m->param, m->params++);
    return p;
}

pb_param *pb_params_add_state(pb_model *m, const char *name, int layer, int count)
{
    PB_CHECK(!pb_model_find(m, name));
    pb_grow(&m->state, m->states, &m->state_capacity, sizeof *m->state);
    pb_param *p = m->state[m->states] = new_param(m, name, PB_ADDED, layer, 1, count);
    enter(&m->state_index, m->state, m->states++);
    return p;
}

pb_param *pb_params_find_state(const pb_model *m, const char *name)
{
    return find(&m->state_index, m->state, name);
}

static void init_row_norms(pb_param *p, const pb_param *of)
{
    pb_real *row = pb_alloc((size_t)of->cols * sizeof *row);
    PB_CHECK(p->rows == 1 && p->cols == of->rows);
    for (int i = 0; i < of->rows; i++) {
        pb_param_values(of, i, i + 1, 0, of->cols, row);
        p->x[i] = (pb_real)sqrt(pb_sum_squares((size_t)of->cols, row));
    }
    free(row);
}

/* Row by row, as a packed weight is read. */
static void init_column_norms(pb_param *p, const pb_param *of)
{
    pb_real *row = pb_alloc((size_t)of->cols * sizeof *row);
    double *squares = pb_alloc((size_t)of->cols * sizeof *squares);
    PB_CHECK(p->rows == 1 && p->cols == of->cols);
    for (int i = 0; i < of->rows; i++) {
        pb_param_values(of, i, i + 1, 0, of->cols, row);
        for (int j = 0; j < of->cols; j++)
            squares[j] += (double)row[j] * (double)row[j];
    }
    for (int j = 0; j < of->cols; j++)
        p->x[j] = (pb_real)sqrt(squares[j]);
    free(row);
    free(squares);
}

const char *pb_params_added_name(const pb_method *method, const pb_site *site, const char *name,
                                 char out[PB_ADDED_NAME])
{
    const char *owner = method->tensors ? method->tensors : method->name;
    if (site)
        snprintf(out, PB_ADDED_NAME, "layer.%d.%s.%s.%s", site->layer, site->role, owner, name);
    else
        snprintf(out, PB_ADDED_NAME, "%s.%s", owner, name);
    return out;
}

pb_param *pb_params_find_added(const pb_model *m, const pb_method *method, const pb_site *site, const char *name)
{
    char full[PB_ADDED_NAME];
    return pb_model_find(m, pb_params_added_name(method, site, name, full));
}

void pb_params_shuffle(const pb_model *m, pb_param *p)
{
    pb_rng r = pb_rng_named(m->seed, p->name);
    for (int i = 0; i < p->cols; i++) {
        int j = (int)pb_rng_below(&r, (uint64_t)i + 1);
        p->index[i] = p->index[j];
        p->index[j] = i % p->below;
    }
}

static void draw(const pb_model *m, pb_param *p, pb_init init)
{
    if (p->index) {
        pb_params_shuffle(m, p);
        return;
    }
    size_t n = (size_t)p->rows * (size_t)p->cols;
    if (init.kind == PB_ROW_NORMS || init.kind == PB_COLUMN_NORMS) {
        (init.kind == PB_ROW_NORMS ? init_row_norms : init_column_norms)(p, init.of);
        return;
    }
    if (init.kind == PB_ROWS) {
        PB_CHECK(p->cols == init.of->cols);
        for (int i = 0; i < p->rows; i++)
            pb_param_values(init.of, init.rows[i], init.rows[i] + 1, 0, p->cols, p->x + (size_t)i * (size_t)p->cols);
        return;
    }
    pb_rng r = pb_rng_named(m->seed, p->name);
    for (size_t i = 0; i < n; i++)
        p->x[i] = (pb_real)(init.kind == PB_CONSTANT ? init.scale
                            : init.kind == PB_NORMAL ? init.scale * pb_rng_normal(&r)
                                                     : init.scale * (2 * pb_rng_uniform(&r) - 1));
    for (int i = 1; i < p->rows && init.pairs; i += 2)
        memcpy(p->x + (size_t)i * (size_t)p->cols, p->x + (size_t)(i - 1) * (size_t)p->cols,
               (size_t)p->cols * sizeof *p->x);
}

void pb_params_init_index(pb_model *m, pb_param *p, int below)
{
    p->below = below;
    p->index = pb_arena_alloc(m->arena, PB_WEIGHTS, (size_t)p->cols * sizeof *p->index);
    for (int i = 0; i < p->cols; i++)
        p->index[i] = i;
}

void pb_params_init(pb_model *m, pb_param *p, pb_init init)
{
    p->x = pb_arena_alloc(m->arena, PB_WEIGHTS, (size_t)p->rows * (size_t)p->cols * sizeof *p->x);
    draw(m, p, init);
}

void pb_params_add_seeded(pb_model *m, pb_param *p, pb_init init)
{
    pb_grow(&m->seeded, m->seededs, &m->seeded_capacity, sizeof *m->seeded);
    m->seeded[m->seededs++] = (pb_seeded_param){p, init};
    p->seeded = m->uses_seed = true;
}

void pb_params_draw_seeded(pb_model *m)
{
    for (size_t i = 0; i < m->seededs; i++)
        draw(m, m->seeded[i].param, m->seeded[i].init);
}

pb_init pb_init_constant(double value)
{
    return (pb_init){PB_CONSTANT, value, NULL};
}

pb_init pb_init_normal(double deviation)
{
    return (pb_init){PB_NORMAL, deviation, NULL};
}

pb_init pb_init_uniform(double bound)
{
    return (pb_init){PB_UNIFORM, bound, NULL};
}

pb_init pb_init_pairs(pb_init init)
{
    init.pairs = true;
    return init;
}

pb_init pb_init_kaiming(int fan_in)
{
    return pb_init_uniform(1 / sqrt(fan_in));
}

pb_init pb_init_row_norms(const pb_param *w)
{
    return (pb_init){PB_ROW_NORMS, 0, w};
}

pb_init pb_init_column_norms(const pb_param *w)
{
    return (pb_init){PB_COLUMN_NORMS, 0, w};
}

pb_init pb_init_rows(const pb_param *w, const int *rows)
{
    return (pb_init){PB_ROWS, .of = w, .rows = rows};
}

int pb_model_params(const pb_model *m)
{
    return (int)m->params;
}

pb_param *pb_model_param(const pb_model *m, int i)
{
    return m->param[i];
}

pb_counts pb_model_counts(const pb_model *m)
{
    pb_counts c = {0};
    for (size_t i = 0; i < m->params; i++) {
        const pb_param *p = m->param[i];
        uint64_t n = p->index ? 0 : (uint64_t)p->rows * (uint64_t)p->cols;
        *(p->kind == PB_HEAD ? &c.head : p->kind == PB_ADDED ? &c.added : &c.base) += n;
        c.trainable += p->trainable ? n : 0;
        c.trained += p->trainable && p->kind != PB_HEAD ? n : 0;
    }
    c.trainable -= m->pruned;
    c.trained -= m->pruned;
    return c;
}

size_t pb_model_weight_bytes(const pb_model *m)
{
    size_t bytes = 0;
    for (size_t i = 0; i < m->params; i++)
        bytes += pb_param_bytes(m->param[i]);
    return bytes;
}
