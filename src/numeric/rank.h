/* rank: the numerical rank of a matrix. */
#ifndef PB_RANK_H
#define PB_RANK_H

#include "base/base.h"

/* Sets *rank to the number of singular values of x [rows,cols] that are greater than `tolerance`.
 *
 * A low rank is found by a projection onto 96 random directions (Halko et al. 2011, arXiv:0909.4061), which takes
 * 400 * rows * cols FLOPs; singular values within a few percent of the tolerance may then be counted or not.  A higher
 * rank needs the whole singular value decomposition: *budget, in units of max(rows,cols) * min(rows,cols)^2, about 10
 * FLOPs each, is reduced by its cost, and *rank is -1 if the budget does not suffice.  Returns -1 with an error if the
 * decomposition fails. */
int pb_numerical_rank(const pb_real *x, int rows, int cols, double tolerance, double *budget, int *rank);

#endif
