/* linear: products with a weight, with a bias. */
#include <string.h>

#include "numeric/blas.h"
#include "numeric/kernel.h"

/* Sets every row of y to the bias, to which the product is added. */
static void set_rows(int m, int n, const pb_real *b, pb_real *y, int ldy)
{
    for (int i = 0; i < m; i++)
        memcpy(y + (size_t)i * (size_t)ldy, b, (size_t)n * sizeof *y);
}

void pb_linear(int m, int n, int k, const pb_real *x, int ldx, const pb_real *w, const pb_real *b, pb_real *y, int ldy)
{
    if (b)
        set_rows(m, n, b, y, ldy);
    pb_gemm(m, n, k, 1, pb_as_stored(x, ldx), pb_transposed(w, k), b != NULL, y, ldy);
}

void pb_linear_columns(int m, int k, int j0, int j1, const pb_real *x, int ldx, const pb_real *w, const pb_real *b,
                       pb_real *y, int ldy)
{
    pb_linear(m, j1 - j0, k, x, ldx, w + (size_t)j0 * (size_t)k, b ? b + j0 : NULL, y + j0, ldy);
}
