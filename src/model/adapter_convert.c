/* adapter_convert: writes the change that methods make in the weights as an adapter of rank k.
 *
 * The change D [out,in] of each projection is folded (merge.c) and approximated by the first k terms of its singular
 * value decomposition, U_k S_k times V_k^T, which is the best approximation of rank k.  As in PEFT's convert_to_lora, B
 * is U_k S_k and A is V_k^T. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/adapter_internal.h"
#include "numeric/lapack.h"

typedef struct converting {
    pb_factors *factors; /* [pb_model_sites()] */
    int rank;
    bool biases; /* a bias changes */
    pb_each_conversion *each;
    void *ctx;
} converting;

static pb_real *new_reals(int rows, int cols)
{
    return pb_alloc((size_t)rows * (size_t)cols * sizeof(pb_real));
}

/* Subtracts the base's values [rows,cols] from x, unless there is no base. */
static void subtract_base(pb_real *x, const pb_param *base)
{
    if (!base)
        return;
    size_t n = (size_t)base->rows * (size_t)base->cols;
    pb_real *values = pb_alloc(n * sizeof *values);
    pb_param_values(base, 0, base->rows, 0, base->cols, values);
    for (size_t i = 0; i < n; i++)
        x[i] -= values[i];
    free(values);
}

/* Factorizes d [out,in].  Rows of A and columns of B beyond min(out,in) stay zero.  *error is the part of the norm of d
 * that the product does not have. */
static int factorize(const pb_real *d, const pb_site *s, int rank, pb_factors *f, double *error)
{
    int least = s->out < s->in ? s->out : s->in;
    pb_real *u = new_reals(s->out, least), *sigma = new_reals(least, 1), *vt = new_reals(least, s->in);
    int rc = pb_svd(d, s->out, s->in, u, sigma, vt);
    f->A = new_reals(rank, s->in);
    f->B = new_reals(s->out, rank);
    double all = 0, lost = 0;
    for (int k = 0; k < least && !rc; k++) {
        double square = (double)sigma[k] * (double)sigma[k];
        all += square;
        lost += k < rank ? 0 : square;
        for (int o = 0; o < s->out && k < rank; o++)
            f->B[(size_t)o * (size_t)rank + (size_t)k] = u[(size_t)o * (size_t)least + (size_t)k] * sigma[k];
    }
    *error = all > 0 ? sqrt(lost / all) : 0;
    memcpy(f->A, vt, (size_t)(rank < least ? rank : least) * (size_t)s->in * sizeof *vt);
    free(u);
    free(sigma);
    free(vt);
    return rc;
}

static int convert_site(void *ctx, const pb_site *s, pb_param folded[2])
{
    converting *c = ctx;
    pb_factors *f = &c->factors[s->number];
    double error;
    subtract_base(folded[0].x, s->w);
    if (factorize(folded[0].x, s, c->rank, f, &error))
        return -1;
    f->bias = new_reals(1, s->out);
    if (folded[1].x) {
        memcpy(f->bias, folded[1].x, (size_t)s->out * sizeof *f->bias);
        subtract_base(f->bias, s->b);
    }
    for (int o = 0; o < s->out; o++)
        c->biases = c->biases || f->bias[o] != 0;
    c->each(c->ctx, s->module, error);
    return 0;
}

/* PEFT stores tensors that train in place as whole modules, which cannot be targets as well. */
static int check_convertible(const pb_model *m)
{
    if (!pb_model_can_merge(m))
        return pb_error("this method cannot be folded into the weights; want an adapter, without --rank");
    for (int i = 0; i < pb_model_params(m); i++) {
        const pb_param *p = pb_model_param(m, i);
        if (p->trainable && p->kind != PB_HEAD && p->kind != PB_ADDED)
            return pb_error("'%s' of the base trains in place, which an adapter of low rank cannot hold; want --merged",
                            p->name);
    }
    return 0;
}

int pb_adapter_convert(pb_model *m, int rank, const char *dir, pb_each_conversion *each, void *ctx)
{
    if (check_convertible(m) || pb_adapter_check_rank(rank))
        return -1;
    int sites = pb_model_sites(m), converted = 0;
    converting c = {
        .factors = pb_alloc((size_t)(sites + 1) * sizeof *c.factors), .rank = rank, .each = each, .ctx = ctx};
    int rc = pb_fold_each(m, convert_site, &c);
    for (int i = 0; i < sites; i++)
        converted += c.factors[i].A != NULL;
    if (!rc && !converted)
        rc = pb_error("the method changes no projection; want --merged");
    rc = rc || pb_adapter_save_factors(m, c.factors, rank, c.biases, dir) ? -1 : 0;
    for (int i = 0; i < sites; i++) {
        free(c.factors[i].A);
        free(c.factors[i].B);
        free(c.factors[i].bias);
    }
    free(c.factors);
    return rc;
}
