/* Every function of numeric/product.h against a naive twin in double. */
#include "util.h"

#include "numeric/product.h"

static const struct {
    int rows, cols, rank;
} shapes[] = {{1, 1, 1}, {1, 17, 3}, {5, 1, 2}, {8, 16, 8}, {9, 33, 4}, {64, 48, 1}, {130, 257, 16}};

TEST(a_product_is_added)
{
    pb_rng r = pb_rng_named(1, "product");
    for (size_t i = 0; i < PB_COUNT(shapes); i++) {
        int rows = shapes[i].rows, cols = shapes[i].cols, rank = shapes[i].rank;
        pb_real *w = random_reals(&r, (size_t)(rows * cols)), *B = random_reals(&r, (size_t)(rows * rank));
        pb_real *A = random_reals(&r, (size_t)(rank * cols));
        double *want = pb_alloc((size_t)(rows * cols) * sizeof *want);
        for (int o = 0; o < rows; o++)
            for (int c = 0; c < cols; c++) {
                want[o * cols + c] = (double)w[o * cols + c];
                for (int k = 0; k < rank; k++)
                    want[o * cols + c] -= 1.75 * (double)B[o * rank + k] * (double)A[k * cols + c];
            }
        pb_add_product(w, rows, cols, -1.75, B, A, rank);
        CHECK(distance((size_t)(rows * cols), w, want) <= EXACT);
        free(w);
        free(B);
        free(A);
        free(want);
    }
}

TEST(a_matrix_is_transposed)
{
    pb_rng r = pb_rng_named(1, "transpose");
    for (size_t i = 0; i < PB_COUNT(shapes); i++) {
        int rows = shapes[i].rows, cols = shapes[i].cols, wrong = 0;
        pb_real *x = random_reals(&r, (size_t)(rows * cols)), *out = pb_alloc((size_t)(rows * cols) * sizeof *out);
        pb_transpose(x, rows, cols, out);
        for (int o = 0; o < rows; o++)
            for (int c = 0; c < cols; c++)
                wrong += out[c * rows + o] != x[o * cols + c];
        CHECK(wrong == 0);
        free(x);
        free(out);
    }
}
