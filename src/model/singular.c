/* singular: see singular.h. */
#include "model/singular.h"

#include <math.h>
#include <stdlib.h>

#include "model/internal.h"
#include "numeric/lapack.h"

int pb_singular_of(pb_singular *d, const pb_real *x, int out, int in)
{
    size_t k = (size_t)(in < out ? in : out);
    *d = (pb_singular){.out = out, .in = in, .k = (int)k};
    d->u = pb_alloc(k * ((size_t)out + 1 + (size_t)in) * sizeof *d->u);
    d->s = d->u + k * (size_t)out;
    d->vt = d->s + k;
    return pb_svd(x, out, in, d->u, d->s, d->vt);
}

pb_real *pb_weight_values(const pb_site *site)
{
    pb_real *w = pb_alloc((size_t)site->out * (size_t)site->in * sizeof *w);
    pb_param_values(site->w, 0, site->out, 0, site->in, w);
    return w;
}

int pb_singular_of_weight(pb_singular *d, const pb_site *site)
{
    pb_real *w = pb_weight_values(site);
    int rc = pb_singular_of(d, w, site->out, site->in);
    free(w);
    return rc;
}

void pb_singular_free(pb_singular *d)
{
    free(d->u);
    *d = (pb_singular){0};
}

/* scale * s_j^power, or 0 where there is no j. */
static double factor(const pb_singular *d, int j, double scale, double power)
{
    return j >= 0 && j < d->k ? scale * pow((double)d->s[j], power) : 0;
}

void pb_singular_left(const pb_singular *d, int first, double scale, double power, pb_param *left)
{
    for (int i = 0, r = left->cols; i < r; i++) {
        double f = factor(d, first + i, scale, power);
        for (int row = 0; row < d->out; row++)
            left->x[row * r + i] = f != 0 ? (pb_real)(f * (double)d->u[row * d->k + first + i]) : 0;
    }
}

void pb_singular_right(const pb_singular *d, int first, double scale, double power, pb_param *right)
{
    for (int i = 0; i < right->rows; i++) {
        double f = factor(d, first + i, scale, power);
        for (int col = 0; col < d->in; col++)
            right->x[i * d->in + col] = f != 0 ? (pb_real)(f * (double)d->vt[(first + i) * d->in + col]) : 0;
    }
}

void pb_singular_factors(pb_build *b, double left, double right)
{
    PB_EACH_TARGET(b, site) {
        pb_singular w;
        if (!pb_singular_of_weight(&w, site)) {
            pb_singular_left(&w, 0, 1, left, pb_tensor(b, site, "B"));
            pb_singular_right(&w, 0, 1, right, pb_tensor(b, site, "A"));
        }
        pb_singular_free(&w);
    }
}

int pb_rank_fits(pb_build *b, const pb_site *site, int rank)
{
    int most = site->in < site->out ? site->in : site->out;
    return rank <= most ? 0
                        : pb_error("%s: rank: want at most %d, the smaller side of %s [%d,%d], got %d",
                                   b->model->part[b->part].method->name, most, site->role, site->out, site->in, rank);
}

void pb_singular_fixed(pb_build *b, const pb_site *site, int rank, pb_node **A, pb_node **B)
{
    bool fits = !pb_rank_fits(b, site, rank);
    *A = fits ? pb_fixed(b, site, "A", rank, site->in, pb_init_constant(0)) : NULL;
    *B = fits ? pb_fixed(b, site, "B", site->out, rank, pb_init_constant(0)) : NULL;
}

void pb_singular_start(pb_build *b, const pb_training_stats *stats)
{
    (void)stats;
    pb_singular_factors(b, 1, 0);
}
