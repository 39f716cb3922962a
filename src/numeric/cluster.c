/* cluster: see cluster.h. */
#include "numeric/cluster.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "numeric/kernel.h"
#include "numeric/top.h"

/* The nearest center [K,r] of a row; *distance is the square of its distance. */
static int nearest(const pb_real *row, const pb_real *center, int K, int r, double *distance)
{
    int best = 0;
    *distance = INFINITY;
    for (int k = 0; k < K; k++) {
        double d = (double)pb_square_distance((size_t)r, row, center + k * r);
        best = d < *distance ? k : best;
        *distance = d < *distance ? d : *distance;
    }
    return best;
}

/* Gives each row of x [n,r] its nearest center; a center without rows gets the row that is farthest from its own. */
static void assign(const pb_real *x, int n, const pb_real *center, int K, int r, int *cluster, int *size)
{
    double *distance = pb_alloc((size_t)n * sizeof *distance);
    memset(size, 0, (size_t)K * sizeof *size);
    for (int i = 0; i < n; i++)
        size[cluster[i] = nearest(x + i * r, center, K, r, &distance[i])]++;
    for (int k = 0; k < K; k++) {
        int far = 0;
        for (int i = 0; i < n && !size[k]; i++)
            far = size[cluster[i]] > 1 && (distance[i] > distance[far] || size[cluster[far]] < 2) ? i : far;
        if (!size[k]) {
            size[cluster[far]]--;
            cluster[far] = k;
            size[k] = 1;
            distance[far] = 0;
        }
    }
    free(distance);
}

void pb_cluster_rows(const pb_real *x, int n, int r, int K, int iterations, uint64_t key, int *cluster)
{
    pb_real *center = pb_alloc((size_t)K * (size_t)r * sizeof *center);
    int *size = pb_alloc((size_t)K * sizeof *size);
    pb_random_places(n, K, key, size);
    for (int k = 0; k < K; k++)
        memcpy(center + k * r, x + size[k] * r, (size_t)r * sizeof *center);
    for (int turn = 0; turn < iterations; turn++) {
        assign(x, n, center, K, r, cluster, size);
        memset(center, 0, (size_t)K * (size_t)r * sizeof *center);
        for (int i = 0; i < n; i++)
            pb_axpy((size_t)r, (pb_real)1 / (pb_real)size[cluster[i]], x + i * r, center + cluster[i] * r, true);
    }
    free(size);
    free(center);
}
