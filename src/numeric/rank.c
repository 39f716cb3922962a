/* rank: see rank.h. */
#include "numeric/rank.h"

#include <stdlib.h>

#include "base/rng.h"
#include "numeric/lapack.h"
#include "numeric/product.h"

/* Directions of the projection, and by how many the rank must be less for all of it to be seen. */
enum { DIRECTIONS = 96, MARGIN = 32 };

static pb_real *new_reals(int rows, int cols)
{
    return pb_alloc((size_t)rows * (size_t)cols * sizeof(pb_real));
}

/* Counts by the whole decomposition. */
static int count_all(const pb_real *x, int rows, int cols, double tolerance, int *rank)
{
    int k = rows < cols ? rows : cols;
    pb_real *u = new_reals(rows, k), *s = new_reals(k, 1), *vt = new_reals(k, cols);
    int rc = pb_svd(x, rows, cols, u, s, vt);
    *rank = 0;
    for (int i = 0; i < k && !rc; i++)
        *rank += (double)s[i] > tolerance;
    free(u);
    free(s);
    free(vt);
    return rc;
}

static pb_real *random_directions(int rows)
{
    pb_real *x = new_reals(rows, DIRECTIONS);
    pb_rng r = pb_rng_named(0, "rank");
    for (size_t i = 0; i < (size_t)rows * DIRECTIONS; i++)
        x[i] = (pb_real)pb_rng_normal(&r);
    return x;
}

/* Counts in the projection q^T x of x onto the range of x * (random directions), q [rows,DIRECTIONS]. */
static int count_projected(const pb_real *x, int rows, int cols, double tolerance, int *rank)
{
    pb_real *directions = random_directions(cols), *range = new_reals(rows, DIRECTIONS),
            *q = new_reals(rows, DIRECTIONS), *r = new_reals(DIRECTIONS, DIRECTIONS), *qt = new_reals(DIRECTIONS, rows),
            *projected = new_reals(DIRECTIONS, cols);
    pb_add_product(range, rows, DIRECTIONS, 1, x, directions, cols);
    int rc = pb_qr(range, rows, DIRECTIONS, q, r);
    if (!rc) {
        pb_transpose(q, rows, DIRECTIONS, qt);
        pb_add_product(projected, DIRECTIONS, cols, 1, qt, x, rows);
        rc = count_all(projected, DIRECTIONS, cols, tolerance, rank);
    }
    free(directions);
    free(range);
    free(q);
    free(r);
    free(qt);
    free(projected);
    return rc;
}

int pb_numerical_rank(const pb_real *x, int rows, int cols, double tolerance, double *budget, int *rank)
{
    int least = rows < cols ? rows : cols, most = rows < cols ? cols : rows;
    double cost = (double)most * least * least;
    if (least > 2 * DIRECTIONS) {
        if (count_projected(x, rows, cols, tolerance, rank))
            return -1;
        if (*rank <= DIRECTIONS - MARGIN)
            return 0;
    }
    *budget -= cost;
    if (*budget >= 0)
        return count_all(x, rows, cols, tolerance, rank);
    *rank = -1;
    return 0;
}
