/* numeric/similarity.h against NumPy (tests/golden/retention/matrices.txt, made by tests/parity/make_retention.py). */
#include "util.h"

#include "numeric/lapack.h"
#include "numeric/similarity.h"

/* Element (i, j) of matrix `number` of the script. */
static pb_real *matrix(int number, int rows, int cols)
{
    pb_real *x = pb_alloc((size_t)rows * (size_t)cols * sizeof *x);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < cols; j++)
            x[i * cols + j] = (pb_real)(float)sin(number + 0.7 * i + 1.3 * j + 0.11 * i * j);
    return x;
}

/* x + 3 + scale * y */
static pb_real *shifted(const pb_real *x, double scale, const pb_real *y, int n)
{
    pb_real *out = pb_alloc((size_t)n * sizeof *out);
    for (int i = 0; i < n; i++)
        out[i] = (pb_real)((double)x[i] + 3 + scale * (double)y[i]);
    return out;
}

static double cka_of(bool near, int n, int p, int q)
{
    pb_real *x = matrix(1, n, p), *y = matrix(2, n, q), *a = shifted(x, 0, x, n * p);
    pb_real *b = near ? shifted(x, 0.25, y, n * p) : NULL;
    double value = pb_linear_cka(n, a, p, near ? b : y, q);
    free(x);
    free(y);
    free(a);
    free(b);
    return value;
}

static double rank_of(int rows, int cols)
{
    int k = rows < cols ? rows : cols;
    pb_real *x = matrix(3, rows, cols), *u = pb_alloc((size_t)(rows * k) * sizeof *u),
            *s = pb_alloc((size_t)k * sizeof *s), *vt = pb_alloc((size_t)(k * cols) * sizeof *vt);
    CHECK(!pb_svd(x, rows, cols, u, s, vt));
    double value = pb_effective_rank(k, s, 0);
    free(x);
    free(u);
    free(s);
    free(vt);
    return value;
}

static double share_of(int rows, int cols, int k)
{
    pb_real *d = matrix(3, rows, cols), *w = matrix(4, rows, cols);
    double value = NAN;
    CHECK(!pb_leading_share(d, w, rows, cols, k, &value));
    free(d);
    free(w);
    return value;
}

TEST(numpy_agrees)
{
    FILE *f = fopen("tests/golden/retention/matrices.txt", "r");
    char kind[8];
    int rows, cols, k, lines = 0;
    double want;
    if (!CHECK(f != NULL))
        return;
    while (fscanf(f, "%7s %d %d %d %lf", kind, &rows, &cols, &k, &want) == 5) {
        double got = !strcmp(kind, "rank")    ? rank_of(rows, cols)
                     : !strcmp(kind, "share") ? share_of(rows, cols, k)
                                              : cka_of(!strcmp(kind, "near"), rows, cols, k);
        CHECK_NEAR(got, want, 5 * EXACT);
        lines++;
    }
    CHECK_INT(lines, 12);
    fclose(f);
}

TEST(a_turned_representation_is_the_same)
{
    pb_real x[] = {1, 2, -1, 4, 0, 3, 5, 5}, turned[8];
    for (int i = 0; i < 4; i++) {
        turned[2 * i] = 7 - 2 * x[2 * i + 1];
        turned[2 * i + 1] = 2 * x[2 * i];
    }
    CHECK_NEAR(pb_linear_cka(4, x, 2, turned, 2), 1, EXACT);
    CHECK(isnan(pb_linear_cka(4, x, 2, (const pb_real[]){1, 1, 1, 1}, 1)));
}

TEST(the_rank_of_equal_values_is_their_number)
{
    const pb_real s[] = {2, 2, 2, 1e-9, 0};
    CHECK_NEAR(pb_effective_rank(5, s, 1e-6), 3, EXACT);
    CHECK(isnan(pb_effective_rank(5, s, 2)));
}
