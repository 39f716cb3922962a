/* lowrank: see lowrank.h. */
#include "numeric/lowrank.h"

#include <math.h>
#include <stdlib.h>

/* LAPACK's and BLAS's Fortran names, which OpenBLAS exports; all matrices are column-major. */
extern void dsyevr_(const char *jobz, const char *range, const char *uplo, const int *n, double *a, const int *lda,
                    const double *vl, const double *vu, const int *il, const int *iu, const double *abstol, int *m,
                    double *w, double *z, const int *ldz, int *isuppz, double *work, const int *lwork, int *iwork,
                    const int *liwork, int *info);
extern void dsyrk_(const char *uplo, const char *trans, const int *n, const int *k, const double *alpha,
                   const double *a, const int *lda, const double *beta, double *c, const int *ldc);
extern void dgemm_(const char *transa, const char *transb, const int *m, const int *n, const int *k,
                   const double *alpha, const double *a, const int *lda, const double *b, const int *ldb,
                   const double *beta, double *c, const int *ldc);

static const double one = 1, zero = 0;

static double *as_double(const pb_real *w, size_t n)
{
    double *x = pb_alloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = (double)w[i];
    return x;
}

static int check_rank(int rows, int cols, int r)
{
    int most = rows < cols ? rows : cols;
    return r >= 1 && r <= most ? 0 : pb_error("rank %d of a matrix [%d,%d]: want 1..%d", r, rows, cols, most);
}

/* Computes the last `count` eigenvalues, in ascending order, and eigenvectors of the symmetric g [n,n], which is
 * overwritten. */
static int last_eigenvectors(double *g, int n, int count, double *value, double *vector)
{
    int first = n - count + 1, found = 0, info = 0, liwork = 10 * n, lwork = 30 * n;
    int *support = pb_alloc(2 * (size_t)n * sizeof *support), *iwork = pb_alloc((size_t)liwork * sizeof *iwork);
    double *work = pb_alloc((size_t)lwork * sizeof *work), *all = pb_alloc((size_t)n * sizeof *all);
    dsyevr_("V", "I", "U", &n, g, &n, &zero, &zero, &first, &n, &zero, &found, all, vector, &n, support, work, &lwork,
            iwork, &liwork, &info);
    for (int i = 0; i < count; i++)
        value[i] = all[i];
    free(all);
    free(work);
    free(iwork);
    free(support);
    return !info && found == count ? 0 : pb_error("LAPACK found %d of %d eigenvectors", found, count);
}

/* Whether a and b, the squares of singular values r+1 and r, are equal up to rounding errors of the largest one. */
static bool are_equal(double a, double b, double largest)
{
    double x = sqrt(a > 0 ? a : 0), y = sqrt(b > 0 ? b : 0), all = sqrt(largest > 0 ? largest : 0);
    return y > 1e-6 * all && y - x <= 1e-6 * all;
}

/* The Gram matrix of the shorter side of x [rows,cols], which is row-major and so a column-major [cols,rows]. */
static double *products(const double *x, int rows, int cols)
{
    int n = rows < cols ? rows : cols, k = rows < cols ? cols : rows;
    double *g = pb_alloc((size_t)n * (size_t)n * sizeof *g);
    dsyrk_("U", rows < cols ? "T" : "N", &n, &k, &one, x, &cols, &zero, g, &n);
    return g;
}

/* Subtracts from w the projection of x, its value, onto the directions q [n,r] of its shorter side. */
static void subtract(pb_real *w, const double *x, int rows, int cols, const double *q, int r)
{
    int n = rows < cols ? rows : cols, k = rows < cols ? cols : rows;
    double *part = pb_alloc((size_t)r * (size_t)k * sizeof *part);
    double *all = pb_alloc((size_t)rows * (size_t)cols * sizeof *all);
    if (rows < cols) { /* x' [cols,rows]: (x' q) q' */
        dgemm_("N", "N", &cols, &r, &rows, &one, x, &cols, q, &n, &zero, part, &cols);
        dgemm_("N", "T", &cols, &rows, &r, &one, part, &cols, q, &n, &zero, all, &cols);
    } else { /* q (q' x') */
        dgemm_("T", "N", &r, &rows, &cols, &one, q, &n, x, &cols, &zero, part, &r);
        dgemm_("N", "N", &cols, &rows, &r, &one, q, &n, part, &r, &zero, all, &cols);
    }
    for (size_t i = 0; i < (size_t)rows * (size_t)cols; i++)
        w[i] = (pb_real)(x[i] - all[i]);
    free(all);
    free(part);
}

int pb_lowrank_subtract_leading(pb_real *w, int rows, int cols, int r)
{
    if (check_rank(rows, cols, r))
        return -1;
    int n = rows < cols ? rows : cols, count = r < n ? r + 1 : r;
    double *x = as_double(w, (size_t)rows * (size_t)cols), *g = products(x, rows, cols);
    double *value = pb_alloc((size_t)count * sizeof *value);
    double *vector = pb_alloc((size_t)count * (size_t)n * sizeof *vector);
    int rc = last_eigenvectors(g, n, count, value, vector);
    if (!rc && count > r && are_equal(value[0], value[1], value[count - 1]))
        rc = pb_error("singular values %d and %d are equal to rounding: the part of rank %d is not determined", r,
                      r + 1, r);
    if (!rc)
        subtract(w, x, rows, cols, vector + (size_t)(count - r) * (size_t)n, r);
    free(vector);
    free(value);
    free(g);
    free(x);
    return rc;
}

static double dot(const double *a, const double *b, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Orthogonalizes column k of q (columns of n) against those before it, twice because of rounding, and normalizes it. */
static int make_orthogonal(double *q, int k, int n)
{
    double *c = q + (size_t)k * (size_t)n, before = sqrt(dot(c, c, n));
    for (int turn = 0; turn < 2; turn++)
        for (int j = 0; j < k; j++) {
            const double *other = q + (size_t)j * (size_t)n;
            double shared = dot(other, c, n);
            for (int i = 0; i < n; i++)
                c[i] -= shared * other[i];
        }
    double length = sqrt(dot(c, c, n));
    if (!(length > 1e-6 * before))
        return pb_error("column %d depends on those before it: its QR decomposition is not determined", k + 1);
    for (int i = 0; i < n; i++)
        c[i] /= length;
    return 0;
}

int pb_lowrank_subtract_qr(pb_real *w, int rows, int cols, int r, double scale)
{
    int rc = check_rank(rows, cols, r);
    double *q = pb_alloc(((size_t)r * (size_t)rows + 1) * sizeof *q);
    double *upper = pb_alloc(((size_t)r * (size_t)cols + 1) * sizeof *upper);
    for (int k = 0; k < r && !rc; k++) {
        for (int i = 0; i < rows; i++)
            q[(size_t)k * (size_t)rows + (size_t)i] = (double)w[(size_t)i * (size_t)cols + (size_t)k];
        rc = make_orthogonal(q, k, rows);
    }
    for (int k = 0; k < r && !rc; k++)
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < cols; j++)
                upper[(size_t)k * (size_t)cols + (size_t)j] += q[(size_t)k * (size_t)rows + (size_t)i] *
                                                               (double)w[(size_t)i * (size_t)cols + (size_t)j];
    for (int i = 0; i < rows && !rc; i++)
        for (int j = 0; j < cols; j++) {
            double part = 0;
            for (int k = 0; k < r; k++)
                part += q[(size_t)k * (size_t)rows + (size_t)i] * upper[(size_t)k * (size_t)cols + (size_t)j];
            pb_real *x = &w[(size_t)i * (size_t)cols + (size_t)j];
            *x = (pb_real)((double)*x - scale * part);
        }
    free(upper);
    free(q);
    return rc;
}
