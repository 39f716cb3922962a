/* low_rank_check: the update that a method declares by `low_rank`, compared with the one that its hooks compute. */
#include <math.h>
#include <stdlib.h>

#include "model/internal.h"

/* Returns the largest difference between w [out,in], which the hooks make, and W + scale * B A. */
static double difference(const pb_model *m, const pb_site *s, const pb_low_rank *u, const pb_real *w)
{
    const pb_method *method = m->part[0].method;
    const pb_param *A = pb_params_find_added(m, method, s, u->down), *B = pb_params_find_added(m, method, s, u->up);
    if (!A || !B || A->rows != u->rank || A->cols != s->in || B->rows != s->out || B->cols != u->rank)
        return INFINITY;
    pb_real *base = pb_alloc((size_t)s->out * (size_t)s->in * sizeof *base);
    pb_param_values(s->w, 0, s->out, 0, s->in, base);
    double worst = 0;
    for (int o = 0; o < s->out; o++)
        for (int i = 0; i < s->in; i++) {
            double sum = 0;
            for (int r = 0; r < u->rank; r++)
                sum += (double)B->x[o * u->rank + r] * (double)A->x[r * s->in + i];
            worst = fmax(worst, fabs((double)base[o * s->in + i] + u->scale * sum - (double)w[o * s->in + i]));
        }
    free(base);
    return worst;
}

static int compare_site(pb_model *m, const pb_site *s, const pb_low_rank *u, double *off)
{
    pb_real *w = pb_alloc((size_t)s->out * (size_t)s->in * sizeof *w), *bias = pb_alloc((size_t)s->out * sizeof *bias);
    int rc = pb_fold_site(m, s, NULL, w, bias);
    *off = rc ? 0 : difference(m, s, u, w);
    for (int o = 0; o < s->out && !rc; o++)
        *off = fmax(*off, fabs((double)bias[o] - (s->b ? (double)s->b->x[o] : 0)));
    free(w);
    free(bias);
    return rc;
}

int pb_model_compare_low_rank(pb_model *m, double *off, const pb_site **site)
{
    int sites = 0;
    *off = 0;
    if (m->parts != 1 || !m->part[0].method->hooks.low_rank)
        return 0;
    for (int i = 0; i < pb_model_sites(m); i++) {
        const pb_site *s = pb_model_site(m, i);
        double here;
        if (!s->w || !pb_model_targets(m, 0, s))
            continue;
        pb_low_rank u = m->part[0].method->hooks.low_rank(m->part[0].conf, s);
        if (!u.additive)
            continue;
        if (compare_site(m, s, &u, &here))
            return -1;
        sites++;
        if (here > *off || sites == 1) {
            *off = here;
            *site = s;
        }
    }
    return sites;
}
