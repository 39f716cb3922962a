/* similarity: how alike two representations are, and how a matrix is spread over directions.
 *
 * Matrices are row-major and without gaps.  Everything runs on the calling thread. */
#ifndef PB_SIMILARITY_H
#define PB_SIMILARITY_H

#include "base/base.h"

/* Returns the linear CKA (centered kernel alignment, Kornblith et al. 2019, arXiv:1905.00414) of two representations of
 * the same n items, x [n,p] and y [n,q]:
 *
 *     |Y^T X|^2 / (|X^T X| |Y^T Y|)
 *
 * in Frobenius norms, where the columns of X and Y have been centered.  It is 1 if one is the other, turned, shifted
 * and scaled as a whole, and NaN if a representation is the same for all items. */
double pb_linear_cka(int n, const pb_real *x, int p, const pb_real *y, int q);

/* Returns the effective rank (Roy and Vetterli 2007) of a matrix with the singular values s [n]: the exponential of the
 * entropy, in nats, of s / sum(s).  Singular values of at most `least` count as 0.  Returns NaN if none is left. */
double pb_effective_rank(int n, const pb_real *s, double least);

/* Sets *share to how much of d [rows,cols] is in the span of the k leading singular vectors of w [rows,cols],
 *
 *     (|U^T d|^2 + |d V|^2) / (2 |d|^2)
 *
 * in Frobenius norms, where U [rows,k] has the left ones and V [cols,k] the right ones; k is at most min(rows,cols),
 * and d is not 0.  For a d without preferred directions it is about (k/rows + k/cols) / 2.  Returns -1 with an error if
 * the decomposition fails. */
int pb_leading_share(const pb_real *d, const pb_real *w, int rows, int cols, int k, double *share);

#endif
