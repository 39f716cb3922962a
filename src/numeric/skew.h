/* skew: skew-symmetric matrices. */
#ifndef PB_SKEW_H
#define PB_SKEW_H

#include "base/base.h"

/* Returns a lower bound of the largest singular value of the skew-symmetric matrix Q [size,size] whose elements above
 * the diagonal are q, row by row: |Q v| / |v| for a v of the power method.  work [2*size]. */
double pb_skew_norm(const pb_real *q, int size, double *work);

#endif
