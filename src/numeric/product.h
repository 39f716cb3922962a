/* product: changes of a whole matrix, so that no method writes a loop over its elements.
 *
 * Matrices are row-major and without gaps.  Everything runs on the calling thread. */
#ifndef PB_PRODUCT_H
#define PB_PRODUCT_H

#include "base/base.h"

/* Adds scale * B A to w [rows,cols]; B is [rows,rank] and A is [rank,cols]. */
void pb_add_product(pb_real *w, int rows, int cols, double scale, const pb_real *B, const pb_real *A, int rank);

/* Writes the transpose of x [rows,cols] to out [cols,rows], which does not overlap x. */
void pb_transpose(const pb_real *x, int rows, int cols, pb_real *out);

#endif
