/* kv_cache: see kv_cache.h. */
#include "model/kv_cache.h"

#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

pb_kv_cache *pb_kv_cache_new(const pb_model *m)
{
    pb_kv_cache *c = pb_alloc(sizeof *c);
    c->model = m;
    c->segment = pb_alloc((size_t)m->cached_attentions * sizeof *c->segment);
    return c;
}

void pb_kv_cache_free(pb_kv_cache *c)
{
    if (!c)
        return;
    free(c->x);
    free(c->segment);
    free(c);
}

/* The rows that segment i needs for a text of `tokens` tokens.  What the methods put in front of a text is in the
 * parent if there is one. */
static int rows_needed(const pb_model *m, int i, bool follows, int tokens)
{
    return tokens + (follows ? 0 : m->cached[i].extra_rows);
}

static size_t elements_needed(const pb_model *m, bool follows, int tokens)
{
    size_t sum = 0;
    for (int i = 0; i < m->cached_attentions; i++)
        sum += 2 * (size_t)rows_needed(m, i, follows, tokens) * (size_t)m->cached[i].width;
    return sum;
}

/* Lays out x: the keys, then the values, of one attention after the other. */
static void reserve(pb_kv_cache *c, bool follows, int tokens)
{
    const pb_model *m = c->model;
    size_t need = elements_needed(m, follows, tokens);
    if (need > c->room) {
        free(c->x);
        c->x = pb_alloc(need * sizeof *c->x);
        c->room = need;
    }
    pb_real *at = c->x;
    for (int i = 0; i < m->cached_attentions; i++) {
        int rows = rows_needed(m, i, follows, tokens);
        size_t part = (size_t)rows * (size_t)m->cached[i].width;
        c->segment[i] = (pb_cache_segment){.k = at, .v = at + part, .capacity = rows};
        at += 2 * part;
    }
}

void pb_kv_cache_begin(pb_kv_cache *c, const pb_kv_cache *parent, int tokens)
{
    parent = parent ? parent : c->model->cached_prefix;
    PB_CHECK(parent != c);
    reserve(c, parent != NULL, tokens);
    c->end = tokens + (parent ? parent->end : c->model->extra_tokens);
    for (int i = 0; i < c->model->cached_attentions && parent; i++) {
        c->segment[i].before = &parent->segment[i];
        c->segment[i].positions = parent->segment[i].positions;
    }
}

void pb_kv_cache_copy(pb_kv_cache *to, const pb_kv_cache *from)
{
    for (int i = 0; i < to->model->cached_attentions; i++) {
        pb_cache_segment *p = &to->segment[i];
        const pb_cache_segment *q = &from->segment[i];
        size_t bytes = (size_t)q->rows * (size_t)to->model->cached[i].width * sizeof *p->k;
        PB_CHECK(p->capacity >= q->rows);
        memcpy(p->k, q->k, bytes);
        memcpy(p->v, q->v, bytes);
        p->rows = q->rows;
        p->positions = q->positions;
    }
}

double pb_kv_cache_added_bytes(const pb_model *m)
{
    double elements = 0;
    for (int i = 0; i < m->cached_attentions; i++) {
        int rows = m->cached[i].extra_rows + (int)m->cached_prefix_ids.count;
        rows += m->cached[i].part < 0 ? 0 : pb_model_max_tokens(m);
        elements += 2.0 * rows * m->cached[i].width;
    }
    return elements * (double)sizeof(float);
}

int pb_kv_cache_rows(const pb_kv_cache *c)
{
    return c->segment[0].rows;
}

int pb_kv_cache_positions(const pb_kv_cache *c)
{
    return c->segment[0].positions;
}
