/* numeric/rank.h: matrices of known rank, exact and buried in the rounding errors of a sum. */
#include "util.h"

#include "numeric/product.h"
#include "numeric/rank.h"

#define EPSILON (sizeof(pb_real) == 8 ? 0x1p-52 : 0x1p-23)

/* (w + B A) - w as it is rounded, with w [rows,cols], B [rows,rank] and A [rank,cols]; w is 0 if `exact`. */
static pb_real *change_of_rank(pb_rng *r, int rows, int cols, int rank, bool exact)
{
    size_t n = (size_t)rows * (size_t)cols;
    pb_real *w = random_reals(r, n), *B = random_reals(r, (size_t)(rows * rank) + 1),
            *A = random_reals(r, (size_t)(rank * cols) + 1), *x = pb_alloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = w[i] = exact ? 0 : w[i];
    if (rank)
        pb_add_product(x, rows, cols, 0.01, B, A, rank);
    for (size_t i = 0; i < n; i++)
        x[i] -= w[i];
    free(w);
    free(A);
    free(B);
    return x;
}

static int rank_of(const pb_real *x, int rows, int cols, double tolerance, double budget)
{
    int rank = -2;
    CHECK(!pb_numerical_rank(x, rows, cols, tolerance, &budget, &rank));
    return rank;
}

TEST(a_known_rank_is_found)
{
    static const struct {
        int rows, cols, rank;
    } shape[] = {{20, 30, 0},   {20, 30, 3},    {30, 20, 20},   {1, 7, 1},       {300, 250, 0},
                 {300, 250, 8}, {250, 400, 60}, {250, 300, 90}, {210, 220, 200}, {200, 230, 200}};
    pb_rng r = pb_rng_named(3, "rank");
    for (size_t i = 0; i < PB_COUNT(shape); i++)
        for (int exact = 0; exact < 2; exact++) {
            int rows = shape[i].rows, cols = shape[i].cols;
            pb_real *x = change_of_rank(&r, rows, cols, shape[i].rank, exact);
            double norm = sqrt((double)rows * cols); /* at least that of w, whose elements are in -1..1 */
            CHECK_INT(rank_of(x, rows, cols, EPSILON * norm, 1e9), shape[i].rank);
            free(x);
        }
}

TEST(singular_values_count_above_the_tolerance)
{
    pb_real x[3 * 4] = {4, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0};
    CHECK_INT(rank_of(x, 3, 4, 0.5, 1e9), 3);
    CHECK_INT(rank_of(x, 3, 4, 1.5, 1e9), 2);
    CHECK_INT(rank_of(x, 3, 4, 3.5, 1e9), 1);
    CHECK_INT(rank_of(x, 3, 4, 4.5, 1e9), 0);
}

TEST(the_budget_limits_high_ranks_only)
{
    pb_rng r = pb_rng_named(4, "rank");
    pb_real *low = change_of_rank(&r, 300, 250, 8, true), *high = change_of_rank(&r, 300, 250, 200, true);
    CHECK_INT(rank_of(low, 300, 250, 1e-3, 0), 8);
    CHECK_INT(rank_of(high, 300, 250, 1e-3, 1.8e7), -1);
    CHECK_INT(rank_of(high, 300, 250, 1e-3, 1.9e7), 200);
    free(low);
    free(high);
}
