/* numeric/cluster.h: groups that lie apart, and rows of which there are fewer kinds than clusters. */
#include "util.h"

#include "numeric/cluster.h"

enum { ROWS = 60, COLS = 5, GROUPS = 3 };

/* Row i is near 10 times the unit vector of its group, i mod 3. */
static pb_real *groups(uint64_t key)
{
    pb_rng r = {.key = key};
    pb_real *x = random_reals(&r, ROWS * COLS);
    for (int i = 0; i < ROWS * COLS; i++)
        x[i] = (pb_real)0.1 * x[i] + (i % COLS == i / COLS % GROUPS ? 10 : 0);
    return x;
}

TEST(groups_that_lie_apart_are_the_clusters)
{
    pb_real *x = groups(1);
    int found = 0;
    for (uint64_t key = 0; key < 20; key++) {
        int cluster[ROWS], same = 0;
        pb_cluster_rows(x, ROWS, COLS, GROUPS, 10, key, cluster);
        for (int i = 0; i < ROWS; i++)
            for (int j = 0; j < ROWS; j++)
                same += (cluster[i] == cluster[j]) == (i % GROUPS == j % GROUPS);
        found += same == ROWS * ROWS; /* from some starts Lloyd's algorithm ends elsewhere */
    }
    CHECK(found > 10);
    free(x);
}

static int used(const int *cluster, int n, int K)
{
    int sum = 0;
    for (int k = 0; k < K; k++) {
        bool any = false;
        for (int i = 0; i < n; i++)
            any |= cluster[i] == k;
        sum += any;
    }
    return sum;
}

TEST(no_cluster_is_empty)
{
    pb_real *x = groups(2);
    int cluster[ROWS], again[ROWS];
    for (int K = 1; K <= ROWS; K += 7) {
        pb_cluster_rows(x, ROWS, COLS, K, 10, 5, cluster);
        pb_cluster_rows(x, ROWS, COLS, K, 10, 5, again);
        CHECK_INT(used(cluster, ROWS, K), K);
        CHECK(!memcmp(cluster, again, sizeof cluster));
    }
    for (int i = 0; i < ROWS * COLS; i++)
        x[i] = 1; /* equal rows */
    pb_cluster_rows(x, ROWS, COLS, 4, 10, 5, cluster);
    CHECK_INT(used(cluster, ROWS, 4), 4);
    free(x);
}
