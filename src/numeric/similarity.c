/* similarity: see similarity.h. */
#include "numeric/similarity.h"

#include <math.h>
#include <stdlib.h>

#include "numeric/blas.h"
#include "numeric/lapack.h"

static pb_real *new_reals(int rows, int cols)
{
    return pb_alloc((size_t)rows * (size_t)cols * sizeof(pb_real));
}

static double sum_of_squares(const pb_real *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

/* ---- representations ------------------------------------------------------------------------------------ */

/* Returns x [n,p] less the mean of each column.  The caller frees it. */
static pb_real *centered(int n, const pb_real *x, int p)
{
    pb_real *out = new_reals(n, p);
    double *mean = pb_alloc((size_t)p * sizeof *mean);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < p; j++)
            mean[j] += (double)x[(size_t)i * (size_t)p + (size_t)j] / n;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < p; j++) {
            size_t at = (size_t)i * (size_t)p + (size_t)j;
            out[at] = (pb_real)((double)x[at] - mean[j]);
        }
    free(mean);
    return out;
}

/* Returns |X^T Y|^2 of x [n,p] and y [n,q].  Parts of the rows are summed in double. */
static double cross_square(int n, const pb_real *x, int p, const pb_real *y, int q)
{
    enum { ROWS = 512 };
    size_t size = (size_t)p * (size_t)q;
    pb_real *part = new_reals(p, q);
    double *sum = pb_alloc(size * sizeof *sum), square = 0;
    for (int from = 0; from < n; from += ROWS) {
        int rows = n - from < ROWS ? n - from : ROWS;
        pb_gemm(p, q, rows, 1, pb_transposed(x + (size_t)from * (size_t)p, p),
                pb_as_stored(y + (size_t)from * (size_t)q, q), false, part, q);
        for (size_t i = 0; i < size; i++)
            sum[i] += (double)part[i];
    }
    for (size_t i = 0; i < size; i++)
        square += sum[i] * sum[i];
    free(part);
    free(sum);
    return square;
}

double pb_linear_cka(int n, const pb_real *x, int p, const pb_real *y, int q)
{
    pb_real *a = centered(n, x, p), *b = centered(n, y, q);
    double cross = cross_square(n, a, p, b, q), alone = cross_square(n, a, p, a, p),
           other = cross_square(n, b, q, b, q);
    free(a);
    free(b);
    return cross / sqrt(alone * other);
}

/* ---- matrices ------------------------------------------------------------------------------------------- */

double pb_effective_rank(int n, const pb_real *s, double least)
{
    double sum = 0, entropy = 0;
    for (int i = 0; i < n; i++)
        sum += (double)s[i] > least ? (double)s[i] : 0;
    for (int i = 0; i < n; i++)
        if ((double)s[i] > least)
            entropy -= (double)s[i] / sum * log((double)s[i] / sum);
    return sum > 0 ? exp(entropy) : NAN;
}

int pb_leading_share(const pb_real *d, const pb_real *w, int rows, int cols, int k, double *share)
{
    int least = rows < cols ? rows : cols;
    pb_real *u = new_reals(rows, least), *s = new_reals(least, 1), *vt = new_reals(least, cols);
    pb_real *left = new_reals(k, cols), *right = new_reals(rows, k);
    int rc = pb_svd(w, rows, cols, u, s, vt);
    if (!rc) {
        pb_gemm(k, cols, rows, 1, pb_transposed(u, least), pb_as_stored(d, cols), false, left, cols);
        pb_gemm(rows, k, cols, 1, pb_as_stored(d, cols), pb_transposed(vt, cols), false, right, k);
        *share = (sum_of_squares(left, (size_t)k * (size_t)cols) + sum_of_squares(right, (size_t)rows * (size_t)k)) /
                 (2 * sum_of_squares(d, (size_t)rows * (size_t)cols));
    }
    free(u);
    free(s);
    free(vt);
    free(left);
    free(right);
    return rc;
}
