/* product: see product.h. */
#include "numeric/product.h"

#include "numeric/blas.h"

void pb_add_product(pb_real *w, int rows, int cols, double scale, const pb_real *B, const pb_real *A, int rank)
{
    pb_gemm(rows, cols, rank, (pb_real)scale, pb_as_stored(B, rank), pb_as_stored(A, cols), true, w, cols);
}

void pb_transpose(const pb_real *x, int rows, int cols, pb_real *out)
{
    for (int i = 0; i < rows; i += 32) /* in blocks that stay in the cache */
        for (int j = 0; j < cols; j++)
            for (int k = i; k < rows && k < i + 32; k++)
                out[(size_t)j * (size_t)rows + (size_t)k] = x[(size_t)k * (size_t)cols + (size_t)j];
}
