/* kv_cache: see kv_cache.h. */
#include "model/kv_cache.h"

#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

pb_kv_cache *pb_kv_cache_new(const pb_model *m)
{
    pb_kv_cache *c = pb_alloc(sizeof *c);
    c->model = m;
    c->layer = pb_alloc((size_t)m->config.layers * sizeof *c->layer);
    return c;
}

void pb_kv_cache_free(pb_kv_cache *c)
{
    if (!c)
        return;
    free(c->x);
    free(c->layer);
    free(c);
}

static size_t row_width(const pb_kv_cache *c)
{
    return (size_t)pb_model_kv_width(c->model);
}

/* x: [layers, keys and values, capacity, kv_width] */
static void reserve(pb_kv_cache *c, int rows)
{
    size_t part = (size_t)rows * row_width(c);
    if (rows > c->capacity) {
        free(c->x);
        c->x = pb_alloc(2 * (size_t)c->model->config.layers * part * sizeof *c->x);
        c->capacity = rows;
    }
    part = (size_t)c->capacity * row_width(c);
    for (int l = 0; l < c->model->config.layers; l++) {
        pb_real *k = c->x + 2 * (size_t)l * part;
        c->layer[l] = (pb_cache_segment){.k = k, .v = k + part, .capacity = c->capacity};
    }
}

void pb_kv_cache_begin(pb_kv_cache *c, const pb_kv_cache *parent, int tokens)
{
    parent = parent ? parent : c->model->cached_prefix;
    PB_CHECK(parent != c);
    reserve(c, tokens + (parent ? 0 : c->model->extra_rows));
    c->end = tokens + (parent ? parent->end : c->model->extra_tokens);
    for (int l = 0; l < c->model->config.layers && parent; l++) {
        c->layer[l].before = &parent->layer[l];
        c->layer[l].positions = parent->layer[l].positions;
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

int pb_kv_cache_rows(const pb_kv_cache *c)
{
    return c->layer[0].rows;
}

int pb_kv_cache_positions(const pb_kv_cache *c)
{
    return c->layer[0].positions;
}
