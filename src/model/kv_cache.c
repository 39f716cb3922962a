/* kv_cache: see kv_cache.h. */
#include "model/kv_cache.h"

#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

pb_kv_cache *pb_kv_cache_new(const pb_model *m)
{
    pb_kv_cache *a = pb_alloc(sizeof *a);
    a->model = m;
    a->layer = pb_alloc((size_t)m->config.layers * sizeof *a->layer);
    return a;
}

void pb_kv_cache_free(pb_kv_cache *a)
{
    if (!a)
        return;
    free(a->x);
    free(a->layer);
    free(a);
}

static size_t row_width(const pb_kv_cache *a)
{
    return (size_t)pb_model_kv_width(a->model);
}

/* x: [layers, keys and values, capacity, kv_width] */
static void reserve(pb_kv_cache *a, int rows)
{
    size_t part = (size_t)rows * row_width(a);
    if (rows > a->capacity) {
        free(a->x);
        a->x = pb_alloc(2 * (size_t)a->model->config.layers * part * sizeof *a->x);
        a->capacity = rows;
    }
    part = (size_t)a->capacity * row_width(a);
    for (int l = 0; l < a->model->config.layers; l++) {
        pb_real *k = a->x + 2 * (size_t)l * part;
        a->layer[l] = (pb_cache_segment){.k = k, .v = k + part, .capacity = a->capacity};
    }
}

void pb_kv_cache_begin(pb_kv_cache *a, const pb_kv_cache *parent, int tokens)
{
    parent = parent ? parent : a->model->cached_prefix;
    PB_CHECK(parent != a);
    reserve(a, tokens + (parent ? 0 : a->model->extra_rows));
    a->end = tokens + (parent ? parent->end : a->model->extra_tokens);
    for (int l = 0; l < a->model->config.layers && parent; l++) {
        a->layer[l].before = &parent->layer[l];
        a->layer[l].positions = parent->layer[l].positions;
    }
}

void pb_kv_cache_copy(pb_kv_cache *to, const pb_kv_cache *from)
{
    PB_CHECK(to->capacity >= pb_kv_cache_rows(from));
    for (int l = 0; l < to->model->config.layers; l++) {
        pb_cache_segment *p = &to->layer[l];
        const pb_cache_segment *q = &from->layer[l];
        size_t bytes = (size_t)q->rows * row_width(to) * sizeof *p->k;
        memcpy(p->k, q->k, bytes);
        memcpy(p->v, q->v, bytes);
        p->rows = q->rows;
        p->positions = q->positions;
    }
}

int pb_kv_cache_rows(const pb_kv_cache *a)
{
    return a->layer[0].rows;
}

int pb_kv_cache_positions(const pb_kv_cache *a)
{
    return a->layer[0].positions;
}

void pb_model_drop_prefix(pb_model *m)
{
    pb_kv_cache_free(m->cached_prefix);
    pb_ids_free(&m->cached_prefix_ids);
    m->cached_prefix = NULL;
}
