/* numeric/skew.h, beside the norms of small matrices and of blocks along the diagonal. */
#include "util.h"

#include <math.h>

#include "numeric/skew.h"

TEST(small_matrices_have_the_norm_of_their_elements)
{
    double work[6];
    CHECK_NEAR(pb_skew_norm((const pb_real[]){(pb_real)-0.75}, 2, work), 0.75, 1e-6);
    CHECK_NEAR(pb_skew_norm((const pb_real[]){2, -3, 6}, 3, work), 7, 1e-5); /* the length of the axis */
    CHECK_NEAR(pb_skew_norm((const pb_real[]){0, 0, 0}, 3, work), 0, 0);
}

/* Q of blocks [[0,a],[-a,0]] along the diagonal has the largest a as its norm. */
TEST(blocks_have_the_largest_of_their_norms)
{
    enum { SIZE = 12 };
    pb_real q[SIZE * (SIZE - 1) / 2];
    double work[2 * SIZE], largest = 0;
    int at = 0;
    for (int i = 0; i < SIZE; i++)
        for (int j = i + 1; j < SIZE; j++) {
            q[at] = i % 2 == 0 && j == i + 1 ? (pb_real)(1.0 / (1 + (i + 4) % SIZE)) : 0;
            largest = fmax(largest, fabs((double)q[at++]));
        }
    double norm = pb_skew_norm(q, SIZE, work);
    CHECK(norm > 0.99 * largest && norm < 1.000001 * largest);
}
