/* update: the update rules of the optimizers, as loops that the compiler vectorizes. */
#include <math.h>

#include "numeric/kernel.h"

static inline pb_real square_root(pb_real x)
{
#ifdef PB_REAL_DOUBLE
    return sqrt(x);
#else
    return sqrtf(x);
#endif
}

/* m = b1 m + (1-b1) g,  v = b2 v + (1-b2) g^2,
 * w = w (1 - lr decay) - lr (m / bias1) / (sqrt(v / bias2) + eps)   (Loshchilov and Hutter 2019) */
void pb_adamw_step(const pb_adamw *o, size_t n, pb_real *w, const pb_real *g, pb_real *m, pb_real *v)
{
    pb_real b1 = (pb_real)o->beta1, b2 = (pb_real)o->beta2, clip = (pb_real)o->clip, eps = (pb_real)o->eps;
    pb_real keep = (pb_real)(1 - o->lr * o->decay), step = (pb_real)(o->lr / o->bias1);
    pb_real root = (pb_real)(1 / sqrt(o->bias2));
    for (size_t i = 0; i < n; i++) {
        pb_real gi = g ? clip * g[i] : 0;
        m[i] = b1 * m[i] + (1 - b1) * gi;
        v[i] = b2 * v[i] + (1 - b2) * gi * gi;
        pb_real deviation = square_root(v[i]);
        w[i] = w[i] * keep - step * m[i] / (deviation * root + eps);
    }
}

/* v = momentum v + g,  w = w (1 - lr decay) - lr v */
void pb_sgd_step(const pb_sgd *o, size_t n, pb_real *w, const pb_real *g, pb_real *v)
{
    pb_real clip = (pb_real)o->clip, momentum = (pb_real)o->momentum, lr = (pb_real)o->lr;
    pb_real keep = (pb_real)(1 - o->lr * o->decay);
    for (size_t i = 0; i < n && v; i++) {
        v[i] = momentum * v[i] + (g ? clip * g[i] : 0);
        w[i] = w[i] * keep - lr * v[i];
    }
    for (size_t i = 0; i < n && !v; i++)
        w[i] = w[i] * keep - (g ? lr * (clip * g[i]) : 0);
}

/* w = w (1 - lr decay) - lr sign(b1 m + (1-b1) g),  m = b2 m + (1-b2) g */
void pb_lion_step(const pb_lion *o, size_t n, pb_real *w, const pb_real *g, pb_real *m)
{
    pb_real b1 = (pb_real)o->beta1, b2 = (pb_real)o->beta2, clip = (pb_real)o->clip, lr = (pb_real)o->lr;
    pb_real keep = (pb_real)(1 - o->lr * o->decay);
    for (size_t i = 0; i < n; i++) {
        pb_real gi = g ? clip * g[i] : 0, to = b1 * m[i] + (1 - b1) * gi;
        w[i] = w[i] * keep - lr * (pb_real)((to > 0) - (to < 0));
        m[i] = b2 * m[i] + (1 - b2) * gi;
    }
}

/* ---- Adafactor --------------------------------------------------------------------------------------- */

/* v = b2 v + (1-b2) (g^2 + eps) */
void pb_adafactor_elements(const pb_adafactor *o, size_t n, const pb_real *g, pb_real *v)
{
    double clip = o->clip * o->clip;
    for (size_t i = 0; i < n; i++)
        v[i] = (pb_real)(o->beta2 * (double)v[i] + (1 - o->beta2) * (clip * (double)g[i] * (double)g[i] + o->eps));
}

pb_real pb_adafactor_row(const pb_adafactor *o, size_t cols, const pb_real *g, pb_real r)
{
    double mean = g ? o->clip * o->clip * pb_sum_squares(cols, g) / (double)cols : 0;
    return (pb_real)(o->beta2 * (double)r + (1 - o->beta2) * (mean + o->eps));
}

void pb_adafactor_columns(const pb_adafactor *o, size_t rows, size_t stored, size_t cols, size_t from, size_t to,
                          const pb_real *g, pb_real *c)
{
    enum { BLOCK = 64 };
    double share = o->clip * o->clip / (double)rows;
    for (size_t at = from; at < to; at += BLOCK) {
        size_t n = to - at < BLOCK ? to - at : BLOCK;
        double sum[BLOCK] = {0};
        for (size_t r = 0; r < stored; r++)
            for (size_t j = 0; j < n; j++)
                sum[j] += (double)g[r * cols + at + j] * (double)g[r * cols + at + j];
        for (size_t j = 0; j < n; j++)
            c[at + j] = (pb_real)(o->beta2 * (double)c[at + j] + (1 - o->beta2) * (share * sum[j] + o->eps));
    }
}

/* The factors are taken one after the other: the square root of their product could overflow. */
static inline pb_real scaled(pb_real factor, pb_real g, pb_real v)
{
    return factor * (g / square_root(v));
}

double pb_adafactor_squares(pb_real factor, size_t n, const pb_real *g, const pb_real *v)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double u = (double)scaled(factor, g[i], v[i]);
        sum += u * u;
    }
    return sum;
}

void pb_adafactor_step(const pb_adafactor *o, pb_real factor, size_t n, pb_real *w, const pb_real *g, const pb_real *v)
{
    pb_real keep = (pb_real)(1 - o->lr * o->decay), lr = (pb_real)(o->lr / o->divisor);
    for (size_t i = 0; i < n; i++)
        w[i] = w[i] * keep - (g ? lr * scaled(factor, g[i], v[i]) : 0);
}
