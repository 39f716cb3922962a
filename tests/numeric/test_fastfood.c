/* The Walsh-Hadamard transform against its matrix, and the blocks of the Fastfood transform against their formula. */
#include "util.h"

#include "numeric/blas.h"
#include "numeric/fastfood.h"

/* Element (i,j) of H: the sign is the parity of the bits that i and j share. */
static double hadamard(int i, int j)
{
    int odd = 0;
    for (int both = i & j; both; both &= both - 1)
        odd ^= 1;
    return odd ? -1 : 1;
}

TEST(hadamard_is_the_product_with_its_matrix)
{
    for (int n = 1, steps = 0; n <= 256; n *= 2, steps++) {
        pb_rng r = pb_rng_named((uint64_t)n, "hadamard");
        pb_real *x = random_reals(&r, (size_t)n), *y = pb_alloc((size_t)n * sizeof *y);
        memcpy(y, x, (size_t)n * sizeof *y);
        uint64_t before = pb_flops_done();
        pb_hadamard(n, y);
        CHECK_INT((long long)(pb_flops_done() - before), (long long)n * steps);
        for (int i = 0; i < n; i++) {
            double want = 0;
            for (int j = 0; j < n; j++)
                want += hadamard(i, j) * (double)x[j];
            CHECK_NEAR((double)y[i], want, n * EXACT);
        }
        pb_hadamard(n, y); /* H H = n I */
        for (int i = 0; i < n; i++)
            CHECK_NEAR((double)y[i], n * (double)x[i], n * n * EXACT);
        free(x);
        free(y);
    }
}

TEST(powers_of_two)
{
    static const int of[][2] = {{1, 1}, {2, 2}, {3, 4}, {64, 64}, {65, 128}, {1 << 30, 1 << 30}};
    for (size_t i = 0; i < PB_COUNT(of); i++)
        CHECK_INT(pb_power_of_two(of[i][0]), of[i][1]);
}

enum { N = 32 };

/* Column j of scale * H G P H, by the definition. */
static void column(const pb_fastfood *f, int j, double *out)
{
    for (int i = 0; i < f->n; i++) {
        out[i] = 0;
        for (int k = 0; k < f->n; k++)
            out[i] += (double)f->scale * hadamard(i, k) * (double)f->normal[k] * hadamard(f->order[k], j);
    }
}

TEST(a_block_is_its_formula_and_has_columns_of_length_one)
{
    pb_real normal[N], x[N], y[N], want[N * N];
    int order[N], seen[N] = {0};
    pb_fastfood f = pb_fastfood_draw(5, 3, N, N, normal, order);
    for (int i = 0; i < N; i++)
        seen[order[i]]++;
    for (int j = 0; j < N; j++) {
        double col[N], squares = 0;
        CHECK_INT(seen[j], 1); /* a permutation */
        column(&f, j, col);
        for (int i = 0; i < N; i++)
            x[i] = i == j;
        pb_fastfood_multiply(&f, x, y);
        for (int i = 0; i < N; i++) {
            CHECK_NEAR((double)y[i], col[i], 100 * EXACT);
            want[i * N + j] = (pb_real)col[i];
            squares += col[i] * col[i];
        }
        CHECK_NEAR(squares, 1, 100 * EXACT);
    }
    for (int i = 0; i < N; i++) { /* the transpose: its columns are the rows */
        for (int k = 0; k < N; k++)
            y[k] = k == i;
        pb_fastfood_transposed(&f, y, x);
        for (int j = 0; j < N; j++)
            CHECK_NEAR((double)x[j], (double)want[i * N + j], 100 * EXACT);
    }
}

/* G = P = I and scale = 1/n: H H / n, which is the identity.  So is the limit of a method that adds P v to a weight with
 * as many numbers in v as in the weight: the weight plus the vector. */
TEST(with_identity_factors_a_block_is_the_identity)
{
    pb_real normal[N], x[N], y[N], want[N];
    int order[N];
    for (int i = 0; i < N; i++) {
        normal[i] = 1;
        order[i] = i;
        want[i] = x[i] = (pb_real)(i - 7) / 3;
    }
    pb_fastfood f = {N, normal, order, (pb_real)(1.0 / N)};
    pb_fastfood_multiply(&f, x, y);
    for (int i = 0; i < N; i++)
        CHECK_NEAR((double)y[i], (double)want[i], 100 * EXACT);
}

/* Moments, tails and independence of the numbers of G, within four standard deviations of the estimates. */
TEST(normals_are_normal)
{
    enum { MANY = 1 << 16 };
    pb_real *x = pb_alloc(MANY * sizeof *x);
    int *order = pb_alloc(MANY * sizeof *order), beyond[4] = {0};
    double moment[5] = {0}, lagged = 0, halves = 0;
    pb_fastfood_draw(123, 0, MANY, 1, x, order);
    for (int i = 0; i < MANY; i++) {
        double v = (double)x[i], power = 1;
        for (int k = 1; k <= 4; k++)
            moment[k] += (power *= v) / MANY;
        for (int k = 1; k <= 3; k++)
            beyond[k] += fabs(v) > k;
        lagged += v * (double)x[(i + 1) % MANY] / MANY;
        halves += v * (double)x[(i + MANY / 2) % MANY] / MANY;
    }
    double unit = 4 / sqrt(MANY);
    CHECK_NEAR(moment[1], 0, unit);
    CHECK_NEAR(moment[2], 1, unit * sqrt(2));
    CHECK_NEAR(moment[3], 0, unit * sqrt(15));
    CHECK_NEAR(moment[4], 3, unit * sqrt(96));
    CHECK_NEAR(lagged, 0, unit);
    CHECK_NEAR(halves, 0, unit * sqrt(2)); /* the two numbers of a pair; each product is there twice */
    for (int k = 1; k <= 3; k++) {
        double p = erfc(k / sqrt(2));
        CHECK_NEAR(beyond[k], MANY * p, 4 * sqrt(MANY * p * (1 - p)));
    }
    free(x);
    free(order);
}

/* The places of 0 in many permutations of four numbers: each one as often. */
TEST(permutations_are_even)
{
    enum { MANY = 40000 };
    int at[4] = {0}, whole[256] = {0}, orders = 0;
    for (int block = 0; block < MANY; block++) {
        pb_real normal[4];
        int order[4], code = 0;
        pb_fastfood_draw(8, block, 4, 1, normal, order);
        for (int i = 0; i < 4; i++) {
            at[i] += order[i] == 0;
            code = 4 * code + order[i];
        }
        whole[code]++;
    }
    for (int i = 0; i < 4; i++)
        CHECK_NEAR(at[i], MANY / 4.0, 4 * sqrt(MANY * 3 / 16.0));
    for (int c = 0; c < 256; c++) {
        orders += whole[c] > 0;
        CHECK(whole[c] == 0 || fabs(whole[c] - MANY / 24.0) < 4 * sqrt(MANY / 24.0));
    }
    CHECK_INT(orders, 24);
}

/* The draws of two keys, and of two blocks of one key, differ; those of one are the same. */
TEST(factors_are_drawn_from_key_and_block)
{
    pb_real a[1024], b[1024];
    int p[1024], q[1024], same = 0, minus = 0;
    double sum = 0, squares = 0;
    uint64_t signs[] = {pb_fastfood_signs(9, 0), pb_fastfood_signs(9, 1)};
    pb_fastfood_draw(9, 0, 1024, 1, a, p);
    pb_fastfood_draw(9, 0, 1024, 1, b, q);
    CHECK(same_bits(1024, a, b) && memcmp(p, q, sizeof p) == 0);
    for (int other = 0; other < 2; other++) {
        pb_fastfood_draw(other ? 9 : 10, other, 1024, 1, b, q);
        CHECK(!same_bits(1024, a, b) && memcmp(p, q, sizeof p) != 0);
    }
    for (int i = 0; i < 1024; i++) {
        sum += (double)a[i];
        squares += (double)a[i] * (double)a[i];
        minus += pb_fastfood_sign(signs[0], i) < 0;
        same += pb_fastfood_sign(signs[0], i) == pb_fastfood_sign(signs[1], i);
    }
    /* Four standard deviations. */
    CHECK(fabs(sum / 1024) < 4.0 / 32 && fabs(squares / 1024 - 1) < 4 * sqrt(2.0) / 32);
    CHECK(abs(minus - 512) < 64 && abs(same - 512) < 64);
}
