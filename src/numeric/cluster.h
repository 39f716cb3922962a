/* cluster: clusters of the rows of a matrix. */
#ifndef PB_CLUSTER_H
#define PB_CLUSTER_H

#include "base/base.h"

/* K-means by Lloyd's algorithm: sets cluster [n] to the numbers, from 0 to K - 1, of the clusters of the rows of x
 * [n,r], after so many iterations from K random rows, which `key` draws.  No cluster is empty; K is at most n. */
void pb_cluster_rows(const pb_real *x, int n, int r, int K, int iterations, uint64_t key, int *cluster);

#endif
