/* lowrank: subtracting low-rank parts from a matrix, by LAPACK. */
#ifndef PB_LOWRANK_H
#define PB_LOWRANK_H

#include "base/base.h"

/* Subtracts from w [rows,cols] its best approximation of rank r: the first r terms of its singular value
 * decomposition.  Computed in double.  Returns -1 with an error, and w unchanged, if r is not in 1..min(rows,cols), or
 * if singular values r and r+1 are equal to rounding: then the approximation is not determined. */
int pb_lowrank_subtract_leading(pb_real *w, int rows, int cols, int r);

/* Subtracts from w [rows,cols] `scale` times Q_r R_r, where w = Q R is its QR decomposition and Q_r, R_r are the first
 * r columns of Q and rows of R.  Computed in double.  Returns -1 with an error, and w unchanged, if r is not in
 * 1..min(rows,cols), or if the first r columns of w depend on one another. */
int pb_lowrank_subtract_qr(pb_real *w, int rows, int cols, int r, double scale);

#endif
