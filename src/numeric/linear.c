/* linear: products with a weight, and its bias.  Floor 1. */
#include <string.h>

#include "numeric/blas.h"
#include "numeric/kernel.h"

/* y starts as the bias in every row; the product is added to it. */
static void set_rows(int m, int n, const pb_real *b, pb_real *y, int ldy)
{
    for (int i = 0; i < m; i++)
        memcpy(y + (size_t)i * (size_t)ldy, b, (size_t)n * sizeof *y);
}

void pb_linear(int m, int n, int k, const pb_real *x, int ldx, const pb_real *w, const pb_real *b, pb_real *y, int ldy)
{
    if (b)
        set_rows(m, n, b, y, ldy);
    pb_gemm(false, true, m, n, k, 1, x, ldx, w, k, b ? 1 : 0, y, ldy);
}

/* Few rows: four outputs at a time share the row of x; memory speed is the limit. */
void pb_linear_columns(int m, int k, int j0, int j1, const pb_real *x, int ldx, const pb_real *w, const pb_real *b,
                       pb_real *y, int ldy)
{
    if (m >= 4) {
        pb_linear(m, j1 - j0, k, x, ldx, w + (size_t)j0 * (size_t)k, b ? b + j0 : NULL, y + j0, ldy);
        return;
    }
    for (int i = 0; i < m; i++)
        for (int j = j0; j < j1; j++) {
            const pb_real *xi = x + (size_t)i * (size_t)ldx, *wj = w + (size_t)j * (size_t)k;
            pb_real lane[32] = {0}, sum = b ? b[j] : 0;
            int p = 0;
            for (; p + 32 <= k; p += 32)
                for (int l = 0; l < 32; l++)
                    lane[l] += xi[p + l] * wj[p + l];
            for (; p < k; p++)
                sum += xi[p] * wj[p];
            for (int l = 0; l < 32; l++)
                sum += lane[l];
            y[(size_t)i * (size_t)ldy + (size_t)j] = sum;
        }
    pb_flops_add(2 * (uint64_t)m * (uint64_t)(j1 - j0) * (uint64_t)k);
}
