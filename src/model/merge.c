/* merge: folds the methods' trained changes into copies of the weights.
 *
 * What the methods make of a projection is affine: f(x) = W' x + b'.  The hooks compute it, so the engine needs no
 * formula of a method: without the base's biases f maps the unit vectors to the columns of W', and zero to 0 or to what
 * the methods add themselves; with them f(0) = b'. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

#define TILE 512 /* unit vectors in one graph */

/* ---- one site -------------------------------------------------------------------------------------- */

typedef struct folding {
    pb_model *m;
    const pb_site *site, *block;
    pb_arena *arena;
    pb_executor *executor;
} folding;

/* Writes f(x) [rows,out] of x [rows,in]. */
static int apply(const folding *f, int rows, pb_real *x, bool without_bias, pb_real *y)
{
    const int offset[] = {0, rows};
    pb_graph *g = pb_graph_new(f->arena, false);
    pb_build b = pb_build_start(f->m, g, 0, 0);
    b.without_bias = without_bias;
    pb_node *n = pb_build_linear(&b, f->site, pb_graph_input(g, pb_rows_whole(g, 1, offset), f->site->in, x));
    if (f->block)
        n = pb_build_block(&b, f->block, NULL, n);
    pb_plan plan;
    int rc = n ? pb_graph_plan(g, n, NULL, &plan) : -1;
    if (!rc) {
        pb_executor_bind(f->executor, g, &plan);
        pb_executor_forward(f->executor, g);
        memcpy(y, pb_graph_output(g)->x, (size_t)rows * (size_t)f->site->out * sizeof *y);
    }
    pb_arena_reset(f->arena);
    return rc;
}

/* Writes columns from .. from+n-1 of W'; zero [out] is f(0) without the base's biases. */
static int fold_columns(const folding *f, int from, int n, const pb_real *zero, pb_real *w)
{
    size_t in = (size_t)f->site->in, out = (size_t)f->site->out;
    pb_real *x = pb_alloc((size_t)n * in * sizeof *x), *y = pb_alloc((size_t)n * out * sizeof *y);
    for (size_t i = 0; i < (size_t)n; i++)
        x[i * in + (size_t)from + i] = 1;
    int rc = apply(f, n, x, true, y);
    for (size_t i = 0; i < (size_t)n && !rc; i++)
        for (size_t o = 0; o < out; o++)
            w[o * in + (size_t)from + i] = y[i * out + o] - zero[o];
    free(x);
    free(y);
    return rc;
}

static bool all_finite(const pb_real *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

/* Where f adds something itself, zero [out], it was added to the elements of a row and subtracted again.  An element
 * that differs from the base's by no more than that rounding becomes the base's. */
static void undo_rounding(const pb_site *site, const pb_real *zero, pb_real *w)
{
    size_t in = (size_t)site->in;
    double e = sizeof *w == sizeof(double) ? 0x1p-52 : 0x1p-23;
    pb_real *base = pb_alloc(in * sizeof *base);
    for (int o = 0; o < site->out; o++) {
        pb_real *row = w + (size_t)o * in;
        if (zero[o] != 0)
            pb_param_values(site->w, o, o + 1, 0, site->in, base);
        for (size_t i = 0; i < in && zero[o] != 0; i++)
            if (fabs((double)row[i] - (double)base[i]) <= e * (fabs((double)base[i]) + fabs((double)zero[o])))
                row[i] = base[i];
    }
    free(base);
}

int pb_fold_site(pb_model *m, const pb_site *site, const pb_site *block, pb_real *w, pb_real *bias)
{
    folding f = {m, site, block, pb_arena_new("fold"), pb_executor_new()};
    pb_real *x = pb_alloc((size_t)site->in * sizeof *x), *zero = pb_alloc((size_t)site->out * sizeof *zero);
    int rc = apply(&f, 1, x, true, zero) || apply(&f, 1, x, false, bias) ? -1 : 0;
    for (int from = 0; from < site->in && !rc; from += TILE)
        rc = fold_columns(&f, from, site->in - from < TILE ? site->in - from : TILE, zero, w);
    if (!rc)
        undo_rounding(site, zero, w);
    if (!rc && !(all_finite(w, (size_t)site->in * (size_t)site->out) && all_finite(bias, (size_t)site->out)))
        rc = pb_error("the merged weight of layer %d, %s, is not finite", site->layer, site->role);
    free(x);
    free(zero);
    pb_executor_free(f.executor);
    pb_arena_free(f.arena);
    return rc;
}

/* ---- the model ------------------------------------------------------------------------------------- */

/* The residual stream passes around the projections, so what a method does there is in none of them. */
static bool reaches_stream(const pb_model *m, int part)
{
    for (int l = 0; l < m->config.layers; l++)
        if (pb_model_targets(m, part, &m->layer[l].block[STREAM]))
            return true;
    return false;
}

bool pb_model_can_merge(const pb_model *m)
{
    for (int i = 0; i < m->parts; i++) {
        const pb_method *p = m->part[i].method;
        bool changes = p->hooks.linear || p->hooks.weight || p->hooks.block;
        if (p->hooks.embed || p->hooks.attention || (changes && !p->traits.merges) || reaches_stream(m, i))
            return false;
    }
    return true;
}

static bool is_targeted(const pb_model *m, const pb_site *s)
{
    for (int i = 0; s && i < m->parts; i++)
        if (pb_model_targets(m, i, s))
            return true;
    return false;
}

static pb_param folded_param(const pb_site *s, const pb_param *like, pb_kind kind, int rows, int cols)
{
    return (pb_param){.name = like ? like->name : s->module,
                      .kind = kind,
                      .layer = s->layer,
                      .rows = rows,
                      .cols = cols,
                      .x = pb_alloc((size_t)rows * (size_t)cols * sizeof(pb_real))};
}

static bool all_zero(const pb_param *p)
{
    for (int i = 0; i < p->cols; i++)
        if (p->x[i] != 0)
            return false;
    return true;
}

static int fold_site(pb_model *m, const pb_site *s, const pb_site *block, pb_each_folded *each, void *ctx)
{
    if (!s->out || !(is_targeted(m, s) || is_targeted(m, block)))
        return 0;
    pb_param folded[2] = {folded_param(s, s->w, PB_MATRIX, s->out, s->in), folded_param(s, s->b, PB_BIAS, 1, s->out)};
    int rc = pb_fold_site(m, s, is_targeted(m, block) ? block : NULL, folded[0].x, folded[1].x);
    if (!s->b && all_zero(&folded[1])) { /* still no bias */
        free(folded[1].x);
        folded[1].x = NULL;
    }
    rc = rc || each(ctx, s, folded) ? -1 : 0;
    free(folded[0].x);
    free(folded[1].x);
    return rc;
}

int pb_fold_each(pb_model *m, pb_each_folded *each, void *ctx)
{
    PB_CHECK(pb_model_can_merge(m) && !m->cached_prefix && !m->merged);
    int rc = 0;
    for (int l = 0; l < m->config.layers && !rc; l++)
        for (int k = 0; k < SITES && !rc; k++) {
            pb_layer *layer = &m->layer[l];
            rc = fold_site(m, &layer->site[k],
                           k == O      ? &layer->block[ATTN]
                           : k == DOWN ? &layer->block[MLP]
                                       : NULL,
                           each, ctx);
        }
    return rc ? pb_error_prefix("merging") : 0;
}

static void free_merged(const pb_model *m, pb_param *merged)
{
    for (int i = 0; merged && i < 2 * pb_model_sites(m); i++)
        free(merged[i].x);
    free(merged);
}

/* Keeps the folded values. */
static int keep(void *merged, const pb_site *s, pb_param folded[2])
{
    memcpy((pb_param *)merged + 2 * s->number, folded, 2 * sizeof *folded);
    folded[0].x = folded[1].x = NULL;
    return 0;
}

int pb_model_merge(pb_model *m)
{
    pb_model_unmerge(m);
    pb_param *merged = pb_alloc(2 * (size_t)pb_model_sites(m) * sizeof *merged);
    if (pb_fold_each(m, keep, merged)) {
        free_merged(m, merged);
        return -1;
    }
    m->merged = merged;
    return 0;
}

void pb_model_unmerge(pb_model *m)
{
    PB_CHECK(!m->merged || !m->cached_prefix);
    free_merged(m, m->merged);
    m->merged = NULL;
}
