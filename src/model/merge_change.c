/* merge_change: how much of the base the methods change, and in how many directions. */
#include <math.h>
#include <stdlib.h>

#include "model/internal.h"
#include "numeric/rank.h"

#define BUDGET 1e11 /* see pb_numerical_rank: two minutes on one core */

typedef struct counting {
    pb_merge_change *out;
    double budget, ranks; /* ranks: their sum, NaN if one is not known */
} counting;

/* Returns the change [rows,cols] of a parameter, and adds its elements that are not 0 to *changed unless it trains. */
static pb_real *change_of(const pb_param *base, const pb_param *folded, uint64_t *changed)
{
    size_t n = (size_t)folded->rows * (size_t)folded->cols;
    pb_real *d = pb_alloc(n * sizeof *d);
    pb_param_values(base, 0, base->rows, 0, base->cols, d);
    for (size_t i = 0; i < n; i++) {
        d[i] = folded->x[i] - d[i];
        *changed += d[i] != 0 && !base->trainable;
    }
    return d;
}

static double norm(const pb_real *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

/* Adds the rank of the change d of a weight. */
static int add_rank(counting *c, const pb_param *folded, const pb_real *d)
{
    size_t n = (size_t)folded->rows * (size_t)folded->cols;
    double e = sizeof *d == sizeof(double) ? 0x1p-52 : 0x1p-23;
    double tolerance = e * (norm(folded->x, n) + sqrt(fmax(folded->rows, folded->cols)) * norm(d, n));
    int rank;
    if (pb_numerical_rank(d, folded->rows, folded->cols, tolerance, &c->budget, &rank))
        return -1;
    c->ranks += rank < 0 ? NAN : rank;
    c->out->matrices++;
    return 0;
}

static int count_site(void *ctx, const pb_site *s, pb_param folded[2])
{
    counting *c = ctx;
    pb_real *d = change_of(s->w, &folded[0], &c->out->elements);
    int rc = add_rank(c, &folded[0], d);
    free(d);
    if (s->b)
        free(change_of(s->b, &folded[1], &c->out->elements));
    return rc;
}

int pb_model_merge_change(pb_model *m, pb_merge_change *out)
{
    counting c = {.out = out, .budget = BUDGET};
    *out = (pb_merge_change){.rank = NAN};
    if (pb_fold_each(m, count_site, &c))
        return -1;
    if (out->matrices)
        out->rank = c.ranks / out->matrices;
    return 0;
}
