/* change: what training has made of the base: the parameters that train in place, and the folded weights. */
#include <math.h>
#include <stdlib.h>

#include "model/internal.h"
#include "numeric/lapack.h"
#include "numeric/similarity.h"

#define BUDGET 4e11 /* of the decompositions, in units of max(in,out) min(in,out)^2: about 25 FLOPs each */

/* Is called with a parameter of the base and its value in the merged model, which has the same shape.  `base` is NULL
 * for a bias that the base does not have. */
typedef int each_change(void *ctx, const pb_param *base, pb_param *is);

/* The base's parameter of that name, which must be there. */
static const pb_param *base_of(const pb_model *base, const char *name)
{
    const pb_param *p = pb_model_find(base, name);
    if (!p)
        PB_BUG("the base has no parameter '%s'", name);
    return p;
}

static int visit_site(const pb_model *m, const pb_model *base, const pb_site *s, each_change *each, void *ctx)
{
    pb_param *folded = m->merged ? &m->merged[2 * (size_t)s->number] : NULL;
    pb_param *w = folded && folded[0].x ? &folded[0] : s->w, *b = folded && folded[1].x ? &folded[1] : s->b;
    if (w && each(ctx, base_of(base, s->w->name), w))
        return -1;
    return b && each(ctx, s->b ? base_of(base, s->b->name) : NULL, b) ? -1 : 0;
}

static bool is_of_site(const pb_param *p)
{
    return p->layer >= 0 && (p->kind == PB_MATRIX || p->kind == PB_BIAS);
}

/* Calls `each` for every parameter of the base. */
static int visit_all(const pb_model *m, const pb_model *base, each_change *each, void *ctx)
{
    int rc = 0;
    PB_CHECK(!m->cached_prefix && (m->merged || !m->parts));
    for (int l = 0; l < m->config.layers; l++)
        for (int k = 0; k < SITES && !rc; k++)
            rc = m->layer[l].site[k].out ? visit_site(m, base, &m->layer[l].site[k], each, ctx) : 0;
    for (size_t i = 0; i < m->params && !rc; i++) {
        pb_param *p = m->param[i];
        if (p->kind != PB_HEAD && p->kind != PB_ADDED && !is_of_site(p))
            rc = each(ctx, base_of(base, p->name), p);
    }
    return rc;
}

static size_t elements(const pb_param *p)
{
    return (size_t)p->rows * (size_t)p->cols;
}

/* Returns the values of a parameter; those of NULL are 0, as many as `like` has.  The caller frees them. */
static pb_real *values_of(const pb_param *p, const pb_param *like)
{
    pb_real *x = pb_alloc(elements(like) * sizeof *x);
    if (p)
        pb_param_values(p, 0, p->rows, 0, p->cols, x);
    return x;
}

/* ---- strength ----------------------------------------------------------------------------------------------- */

/* Folded weights belong to no method or base, and are always written. */
static bool is_folded(const pb_model *m, const pb_param *p)
{
    return m->merged && p >= m->merged && p < m->merged + 2 * pb_model_sites(m);
}

typedef struct scaling {
    const pb_model *model;
    double strength;
} scaling;

static int scale_change(void *ctx, const pb_param *base, pb_param *is)
{
    const scaling *c = ctx;
    if (!is->trainable && !is_folded(c->model, is))
        return 0;
    pb_real *w = values_of(base, is);
    for (size_t i = 0; i < elements(is); i++) /* exact at both ends */
        is->x[i] = (pb_real)((1 - c->strength) * (double)w[i] + c->strength * (double)is->x[i]);
    free(w);
    return 0;
}

void pb_model_set_strength(pb_model *m, const pb_model *base, double strength)
{
    PB_CHECK(!visit_all(m, base, scale_change, &(scaling){m, strength}));
}

/* ---- geometry ----------------------------------------------------------------------------------------------- */

typedef struct measuring {
    double square, change; /* |W|^2 and |W' - W|^2 */
    double budget, ranks, overlaps;
    int matrices;
} measuring;

static double square_of(const pb_real *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

/* Adds the effective rank of the change d [rows,cols] of w, which has the norm `length` after it, and their overlap. */
static int measure_matrix(measuring *c, const pb_real *d, const pb_real *w, int rows, int cols, double length)
{
    int least = rows < cols ? rows : cols, most = rows < cols ? cols : rows, rc;
    double e = sizeof *d == sizeof(double) ? 0x1p-52 : 0x1p-23, share = NAN;
    double rounding = e * (length + sqrt(most) * sqrt(square_of(d, (size_t)rows * (size_t)cols)));
    c->matrices++;
    c->budget -= 2.0 * most * least * least;
    if (c->budget < 0) {
        c->ranks = c->overlaps = NAN;
        return 0;
    }
    pb_real *u = pb_alloc((size_t)rows * (size_t)least * sizeof *u), *s = pb_alloc((size_t)least * sizeof *s),
            *vt = pb_alloc((size_t)least * (size_t)cols * sizeof *vt);
    rc = pb_svd(d, rows, cols, u, s, vt) || pb_leading_share(d, w, rows, cols, (least + 9) / 10, &share) ? -1 : 0;
    double rank = rc ? NAN : pb_effective_rank(least, s, rounding);
    if (isnan(rank)) /* a change that is nothing but rounding */
        c->matrices--;
    else {
        c->ranks += rank;
        c->overlaps += share;
    }
    free(u);
    free(s);
    free(vt);
    return rc;
}

static int measure_change(void *ctx, const pb_param *base, pb_param *is)
{
    measuring *c = ctx;
    size_t n = elements(is);
    pb_real *w = values_of(base, is), *d = values_of(is, is);
    double length = sqrt(square_of(d, n));
    int rc = 0;
    for (size_t i = 0; i < n; i++)
        d[i] -= w[i];
    double change = square_of(d, n);
    c->square += square_of(w, n);
    c->change += change;
    if (change > 0 && is->kind == PB_MATRIX && is->layer >= 0)
        rc = measure_matrix(c, d, w, is->rows, is->cols, length);
    free(w);
    free(d);
    return rc;
}

int pb_model_geometry(const pb_model *m, const pb_model *base, pb_geometry *out)
{
    measuring c = {.budget = BUDGET};
    int rc = visit_all(m, base, measure_change, &c);
    *out = (pb_geometry){.norm = sqrt(c.change / c.square),
                         .matrices = c.matrices,
                         .effective_rank = c.matrices ? c.ranks / c.matrices : NAN,
                         .overlap = c.matrices ? c.overlaps / c.matrices : NAN};
    return rc;
}
