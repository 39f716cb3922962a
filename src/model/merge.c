/* merge: folds the methods' trained changes into copies of the weights. */
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

bool pb_model_can_merge(const pb_model *m)
{
    for (int i = 0; i < m->parts; i++) {
        const pb_method *p = m->part[i].method;
        if (p->block || p->embed || p->kv || (p->linear && !p->merge))
            return false;
    }
    return true;
}

static void copy_param(pb_param *to, const pb_param *from)
{
    size_t bytes = (size_t)from->rows * (size_t)from->cols * sizeof *from->x;
    *to = *from;
    to->leaf = NULL;
    to->trainable = false;
    to->packed = NULL;
    to->x = pb_alloc(bytes);
    pb_param_values(from, 0, from->rows, 0, from->cols, to->x);
}

/* Folds from the innermost method outwards, since an outer method changes the output of an inner one. */
static void fold_site(pb_model *m, pb_build *b, const pb_site *s)
{
    int sites = m->config.layers * SITES;
    pb_param *f = &m->merged[2 * s->number];
    for (b->part = m->parts - 1; b->part >= 0; b->part--) {
        if (!m->matches[b->part * sites + s->number])
            continue;
        if (!f[0].x)
            copy_param(&f[0], s->w);
        if (!f[1].x && s->b)
            copy_param(&f[1], s->b);
        m->part[b->part].method->merge(b, s, f[0].x, f[1].x);
    }
}

double pb_updated_row_norm(const pb_site *site, int row, double scale, const pb_real *B, const pb_real *A, int rank)
{
    pb_real *scratch = pb_alloc((size_t)site->in * sizeof *scratch);
    double norm;
    pb_updated_row_norms(site->w, row, row + 1, scale, B, A, rank, scratch, &norm);
    free(scratch);
    return norm;
}

void pb_model_merge(pb_model *m)
{
    PB_CHECK(pb_model_can_merge(m) && !m->cached_prefix);
    int sites = m->config.layers * SITES;
    pb_model_unmerge(m);
    m->merged = pb_alloc(2 * (size_t)sites * sizeof *m->merged);
    pb_build b = pb_build_start(m, NULL, 0, 0);
    for (int i = 0; i < sites; i++)
        fold_site(m, &b, &m->layer[i / SITES].site[i % SITES]);
}

void pb_model_unmerge(pb_model *m)
{
    PB_CHECK(!m->merged || !m->cached_prefix);
    for (int i = 0; m->merged && i < 2 * m->config.layers * SITES; i++)
        free(m->merged[i].x);
    free(m->merged);
    m->merged = NULL;
}
