/* lapack: decompositions of dense matrices, computed by the LAPACK inside OpenBLAS.
 *
 * All matrices are row-major and without gaps.  Arguments are not changed unless a function says so, and results must
 * not overlap them; the caller owns all of them.  Everything runs on the calling thread.  Signs that a decomposition
 * leaves open are chosen, so that the result is a function of the matrix as far as its values are distinct.  The last
 * bits depend on OpenBLAS's kernels (pb_blas_name).  FLOPs are not counted.
 *
 * Every function returns 0, or -1 with an error that begins with the decomposition's name: if an element is not finite,
 * if the matrix is too large for LAPACK's 32-bit sizes, or for the reason that the function gives.  The results are
 * undefined then. */
#ifndef PB_LAPACK_H
#define PB_LAPACK_H

#include "base/base.h"

/* Singular value decomposition x [rows,cols] = u diag(s) vt: u [rows,k] and vt [k,cols] with k = min(rows,cols) have
 * orthonormal columns and rows, and s [k] decreases.  In each row of vt, the first of the elements with the largest
 * magnitude is positive.  Vectors of equal or zero singular values are any orthonormal basis of their space.  Fails if
 * the iteration does not converge. */
int pb_svd(const pb_real *x, int rows, int cols, pb_real *u, pb_real *s, pb_real *vt);

/* QR decomposition x [rows,cols] = q r: q [rows,k] with k = min(rows,cols) has orthonormal columns, and r [k,cols] is
 * zero below its diagonal, on which no element is negative. */
int pb_qr(const pb_real *x, int rows, int cols, pb_real *q, pb_real *r);

/* Eigenvalues and eigenvectors of a symmetric matrix, x [n,n] = vectors^T diag(values) vectors.  The values [n]
 * decrease; row i of vectors [n,n] is the eigenvector of value i, and the first of its elements with the largest
 * magnitude is positive.  Only the lower triangle of x counts.  Fails if the iteration does not converge. */
int pb_eigen(const pb_real *x, int n, pb_real *values, pb_real *vectors);

/* Solves a x = b for x [n,cols]; a is [n,n].  On entry x holds b, on return the solution.  Fails if a is singular. */
int pb_solve(const pb_real *a, int n, pb_real *x, int cols);

/* Cholesky decomposition of a symmetric matrix, x [n,n] = lower lower^T; lower [n,n] is zero above its diagonal, which
 * is positive.  Only the lower triangle of x counts.  Fails if x is not positive definite. */
int pb_cholesky(const pb_real *x, int n, pb_real *lower);

#endif
