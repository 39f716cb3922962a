/* lapack: the Fortran routines that OpenBLAS exports; no header of its Debian package declares them.
 *
 * Fortran's matrices are column-major: what is x [rows,cols] here is its transpose [cols,rows] there. */
#include "numeric/lapack.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "numeric/internal.h"
#include "numeric/product.h"

#ifdef PB_REAL_DOUBLE
#define ROUTINE(name) d##name##_
#else
#define ROUTINE(name) s##name##_
#endif

/* The last arguments of routines with letters are the letters' lengths, which gfortran passes by value. */
void ROUTINE(gesdd)(const char *job, const int *m, const int *n, pb_real *a, const int *lda, pb_real *s, pb_real *u,
                    const int *ldu, pb_real *vt, const int *ldvt, pb_real *work, const int *lwork, int *iwork,
                    int *info, size_t job_length);
void ROUTINE(geqrf)(const int *m, const int *n, pb_real *a, const int *lda, pb_real *tau, pb_real *work,
                    const int *lwork, int *info);
void ROUTINE(orgqr)(const int *m, const int *n, const int *k, pb_real *a, const int *lda, const pb_real *tau,
                    pb_real *work, const int *lwork, int *info);
void ROUTINE(syevd)(const char *job, const char *triangle, const int *n, pb_real *a, const int *lda, pb_real *w,
                    pb_real *work, const int *lwork, int *iwork, const int *liwork, int *info, size_t job_length,
                    size_t triangle_length);
void ROUTINE(gesv)(const int *n, const int *columns, pb_real *a, const int *lda, int *pivot, pb_real *b, const int *ldb,
                   int *info);
void ROUTINE(potrf)(const char *triangle, const int *n, pb_real *a, const int *lda, int *info, size_t triangle_length);

/* ---- before and after ----------------------------------------------------------------------- */

static size_t product(int a, int b)
{
    return (size_t)a * (size_t)b;
}

/* LAPACK needs up to about `squares` * min(rows,cols)^2 elements of work memory, whose number is an int. */
static int check(const char *what, const pb_real *x, int rows, int cols, int squares)
{
    double least = fmin(rows, cols), most = fmax(rows, cols);
    PB_CHECK(rows > 0 && cols > 0);
    if (squares * least * least + 256 * most > INT_MAX)
        return pb_error("%s: a matrix of %d x %d is too large", what, rows, cols);
    for (size_t i = 0; i < product(rows, cols); i++)
        if (!isfinite(x[i]))
            return pb_error("%s: the matrix of %d x %d has an element that is not finite", what, rows, cols);
    pb_blas_one_thread();
    return 0;
}

static pb_real *copy_of(const pb_real *x, int rows, int cols)
{
    pb_real *copy = pb_alloc(product(rows, cols) * sizeof *copy);
    return memcpy(copy, x, product(rows, cols) * sizeof *copy);
}

static pb_real *transposed(const pb_real *x, int rows, int cols)
{
    pb_real *t = pb_alloc(product(rows, cols) * sizeof *t);
    pb_transpose(x, rows, cols, t);
    return t;
}

/* The work memory that a routine has asked for: *count elements, which a float may have rounded down. */
static pb_real *work_memory(pb_real asked, int *count)
{
    *count = (int)((double)asked * (1 + 1e-6)) + 1;
    return pb_alloc((size_t)*count * sizeof(pb_real));
}

/* A wrong argument is a fault of this file. */
static int answer(int info, const char *failure)
{
    PB_CHECK(info >= 0);
    return info == 0 ? 0 : pb_error("%s", failure);
}

static void negate(pb_real *x, int count, int stride)
{
    for (int i = 0; i < count; i++)
        x[product(i, stride)] = -x[product(i, stride)];
}

/* Whether the first of the elements with the largest magnitude is negative. */
static bool points_down(const pb_real *x, int count)
{
    int largest = 0;
    for (int i = 1; i < count; i++)
        if (fabs((double)x[i]) > fabs((double)x[largest]))
            largest = i;
    return x[largest] < 0;
}

/* ---- the decompositions --------------------------------------------------------------------- */

/* Of x^T = v diag(s) u^T, the column-major v and u^T are the row-major v^T and u. */
int pb_svd(const pb_real *x, int rows, int cols, pb_real *u, pb_real *s, pb_real *vt)
{
    int k = rows < cols ? rows : cols, info = 0, count = -1;
    if (check("singular value decomposition", x, rows, cols, 5))
        return -1;
    pb_real *a = copy_of(x, rows, cols), asked = 0;
    int *integers = pb_alloc(8 * (size_t)k * sizeof *integers);
    ROUTINE(gesdd)("S", &cols, &rows, a, &cols, s, vt, &cols, u, &k, &asked, &count, integers, &info, 1);
    pb_real *work = work_memory(asked, &count);
    ROUTINE(gesdd)("S", &cols, &rows, a, &cols, s, vt, &cols, u, &k, work, &count, integers, &info, 1);
    for (int i = 0; i < k && !info; i++)
        if (points_down(vt + product(i, cols), cols)) {
            negate(vt + product(i, cols), cols, 1);
            negate(u + i, rows, k);
        }
    free(a);
    free(integers);
    free(work);
    return answer(info, "singular value decomposition: the iteration did not converge");
}

/* `a` holds the columns of x; after geqrf those of r and, below its diagonal, the reflections whose product is q. */
int pb_qr(const pb_real *x, int rows, int cols, pb_real *q, pb_real *r)
{
    int k = rows < cols ? rows : cols, info = 0, query = -1, count = 0;
    if (check("QR decomposition", x, rows, cols, 1))
        return -1;
    pb_real *a = transposed(x, rows, cols), *tau = pb_alloc((size_t)k * sizeof *tau), asked = 0, more = 0;
    ROUTINE(geqrf)(&rows, &cols, a, &rows, tau, &asked, &query, &info);
    ROUTINE(orgqr)(&rows, &k, &k, a, &rows, tau, &more, &query, &info);
    pb_real *work = work_memory(asked > more ? asked : more, &count);
    ROUTINE(geqrf)(&rows, &cols, a, &rows, tau, work, &count, &info);
    for (int i = 0; i < k; i++)
        for (int j = 0; j < cols; j++)
            r[product(i, cols) + (size_t)j] = j < i ? 0 : a[product(j, rows) + (size_t)i];
    ROUTINE(orgqr)(&rows, &k, &k, a, &rows, tau, work, &count, &info);
    pb_transpose(a, k, rows, q);
    for (int i = 0; i < k; i++)
        if (r[product(i, cols) + (size_t)i] < 0) {
            negate(r + product(i, cols), cols, 1);
            negate(q + i, rows, k);
        }
    free(a);
    free(tau);
    free(work);
    return answer(info, "QR decomposition");
}

/* The lower triangle is the upper one there.  LAPACK's values increase, and the columns there are rows here. */
int pb_eigen(const pb_real *x, int n, pb_real *values, pb_real *vectors)
{
    int info = 0, query = -1, count = 0, whole = 0;
    if (check("eigenvalue decomposition", x, n, n, 3))
        return -1;
    pb_real *a = copy_of(x, n, n), *w = pb_alloc((size_t)n * sizeof *w), asked = 0;
    ROUTINE(syevd)("V", "U", &n, a, &n, w, &asked, &query, &whole, &query, &info, 1, 1);
    pb_real *work = work_memory(asked, &count);
    int *integers = pb_alloc((size_t)whole * sizeof *integers);
    ROUTINE(syevd)("V", "U", &n, a, &n, w, work, &count, integers, &whole, &info, 1, 1);
    for (int i = 0; i < n && !info; i++) {
        pb_real *vector = a + product(n - 1 - i, n);
        if (points_down(vector, n))
            negate(vector, n, 1);
        memcpy(vectors + product(i, n), vector, (size_t)n * sizeof *vector);
        values[i] = w[n - 1 - i];
    }
    free(a);
    free(w);
    free(integers);
    free(work);
    return answer(info, "eigenvalue decomposition: the iteration did not converge");
}

int pb_solve(const pb_real *a, int n, pb_real *x, int cols)
{
    int info = 0;
    if (check("linear equations", a, n, n, 1) || check("linear equations", x, n, cols, 1))
        return -1;
    pb_real *columns = transposed(a, n, n), *right = transposed(x, n, cols);
    int *pivot = pb_alloc((size_t)n * sizeof *pivot);
    ROUTINE(gesv)(&n, &cols, columns, &n, pivot, right, &n, &info);
    if (!info)
        pb_transpose(right, cols, n, x);
    free(columns);
    free(right);
    free(pivot);
    return answer(info, "linear equations: the matrix is singular");
}

/* Here the lower triangle, there the upper one. */
int pb_cholesky(const pb_real *x, int n, pb_real *lower)
{
    int info = 0;
    if (check("Cholesky decomposition", x, n, n, 1))
        return -1;
    memcpy(lower, x, product(n, n) * sizeof *lower);
    ROUTINE(potrf)("U", &n, lower, &n, &info, 1);
    for (int i = 0; i < n; i++)
        memset(lower + product(i, n) + i + 1, 0, (size_t)(n - 1 - i) * sizeof *lower);
    return answer(info, "Cholesky decomposition: the matrix is not positive definite");
}
