/* Values of the ops that weights are made of, by their formulas; test_op.c checks their gradients. */
#include "util.h"

#include "graph/op.h"
#include "numeric/fastfood.h"

/* Runs the graph of one node of parameters and returns its value. */
static pb_real *value_of(pb_graph *g, pb_node *n)
{
    pb_plan plan;
    pb_executor *e = pb_executor_new();
    if (pb_graph_plan(g, n, NULL, &plan))
        PB_BUG("%s", pb_error_text());
    pb_executor_bind(e, g, &plan);
    pb_executor_forward(e, g);
    size_t count = (size_t)n->rows * (size_t)n->cols;
    pb_real *x = pb_alloc(count * sizeof *x);
    memcpy(x, pb_graph_output(g)->x, count * sizeof *x);
    pb_executor_free(e);
    return x;
}

enum { M = 5, N = 4, K = 7 };

static void check_product(pb_arena *arena, bool ta, bool tb)
{
    pb_rng r = pb_rng_named(1, "product");
    pb_param a = {.rows = ta ? K : M, .cols = ta ? M : K, .x = random_reals(&r, M * K)};
    pb_param b = {.rows = tb ? N : K, .cols = tb ? K : N, .x = random_reals(&r, K * N)};
    pb_graph *g = pb_graph_new(arena, false);
    pb_node *n = pb_op_product(g, pb_graph_param(g, &a), ta, pb_graph_param(g, &b), tb);
    CHECK(n->rows == M && n->cols == N);
    pb_real *got = value_of(g, n);
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            double want = 0;
            for (int k = 0; k < K; k++)
                want += (double)a.x[ta ? k * M + i : i * K + k] * (double)b.x[tb ? j * K + k : k * N + j];
            CHECK_NEAR((double)got[i * N + j], want, 100 * EXACT);
        }
    free(got);
    free(a.x);
    free(b.x);
}

TEST(a_product_is_that_of_the_matrices_or_their_transposes)
{
    pb_arena *arena = pb_arena_new("product");
    for (int kind = 0; kind < 4; kind++)
        check_product(arena, kind & 1, kind & 2);
    pb_arena_free(arena);
}

/* H[i][j] of the Walsh-Hadamard matrix. */
static double hadamard(int i, int j)
{
    return __builtin_popcount((unsigned)(i & j)) % 2 ? -1 : 1;
}

/* Element `at` of P v by the formula of pb_op_fastfood, with n numbers a block and `total` elements in all. */
static double fastfood_element(uint64_t key, int n, int total, int at, const pb_param *v)
{
    pb_real normal[64];
    int order[64], block = at / n;
    uint64_t signs = pb_fastfood_signs(key, block);
    pb_fastfood_draw(key, block, n, total, normal, order);
    double sum = 0, squares = 0;
    for (int k = 0; k < n; k++) {
        double inner = 0;
        for (int j = 0; j < v->cols; j++)
            inner += hadamard(order[k], j) * (double)pb_fastfood_sign(signs, j) * (double)v->x[j];
        sum += hadamard(at % n, k) * (double)normal[k] * inner;
        squares += (double)normal[k] * (double)normal[k];
    }
    return sum / sqrt(total * squares);
}

/* Of few numbers in many blocks, the last cut; and of one block that is larger than the matrix, which is the transform
 * of the papers on intrinsic dimension. */
TEST(fastfood_is_its_formula)
{
    static const int of[][4] = {{11, 16, 2, 17}, {16, 16, 4, 8}, {1, 1, 3, 3}, {40, 64, 11, 3}};
    pb_arena *arena = pb_arena_new("fastfood");
    for (size_t i = 0; i < PB_COUNT(of); i++) {
        int n = of[i][1], rows = of[i][2], cols = of[i][3];
        pb_rng r = pb_rng_named(i, "vector");
        pb_param v = {.rows = 1, .cols = of[i][0], .x = random_reals(&r, (size_t)of[i][0])};
        pb_graph *g = pb_graph_new(arena, false);
        pb_real *got = value_of(g, pb_op_fastfood(g, pb_graph_param(g, &v), 5, rows, cols));
        for (int at = 0; at < rows * cols; at++)
            CHECK_NEAR((double)got[at], fastfood_element(5, n, rows * cols, at, &v), 100 * EXACT);
        free(got);
        free(v.x);
    }
    pb_arena_free(arena);
}

/* x = the inverse of scale * H G Pi H B times y: H/n is the inverse of H. */
static void undo(uint64_t key, int n, const pb_real *y, pb_real *x)
{
    pb_real normal[64], t[64];
    int order[64];
    pb_fastfood f = pb_fastfood_draw(key, 0, n, n, normal, order);
    memcpy(t, y, (size_t)n * sizeof *t);
    pb_hadamard(n, t);
    for (int i = 0; i < n; i++)
        x[order[i]] = t[i] / (f.scale * normal[i] * (pb_real)n * (pb_real)n);
    pb_hadamard(n, x);
    for (int j = 0; j < n; j++)
        x[j] *= pb_fastfood_sign(pb_fastfood_signs(key, 0), j);
}

/* With as many numbers as the weight has elements, W + P v is any weight: W plus the vector u for v = P^-1 u, as it
 * would be for every v if all factors were the identity (test_fastfood.c). */
TEST(with_d_equal_to_the_size_a_weight_plus_fastfood_is_any_weight)
{
    enum { ROWS = 4, COLS = 8, D = ROWS * COLS };
    pb_real u[D], v[D];
    pb_rng r = pb_rng_named(3, "any");
    pb_param w = {.rows = ROWS, .cols = COLS, .x = random_reals(&r, D)}, vector = {.rows = 1, .cols = D, .x = v};
    fill_random(&r, D, u);
    undo(21, D, u, v);
    pb_arena *arena = pb_arena_new("any");
    pb_graph *g = pb_graph_new(arena, false);
    pb_node *change = pb_op_fastfood(g, pb_graph_param(g, &vector), 21, ROWS, COLS);
    pb_real *got = value_of(g, pb_op_add(g, change, pb_graph_param(g, &w)));
    for (int i = 0; i < D; i++)
        CHECK_NEAR((double)got[i], (double)w.x[i] + (double)u[i], 1000 * EXACT);
    free(got);
    free(w.x);
    pb_arena_free(arena);
}

/* The columns of P have the length 1 where the blocks fill the matrix, so that P keeps lengths on average. */
TEST(fastfood_keeps_lengths_on_average)
{
    enum { D = 64, ROWS = 48, COLS = 64 };
    pb_arena *arena = pb_arena_new("lengths");
    double ratio = 0;
    for (uint64_t key = 0; key < 20; key++) {
        pb_rng r = pb_rng_named(key, "vector");
        pb_param v = {.rows = 1, .cols = D, .x = random_reals(&r, D)};
        pb_graph *g = pb_graph_new(arena, false);
        pb_real *got = value_of(g, pb_op_fastfood(g, pb_graph_param(g, &v), key, ROWS, COLS));
        double in = 0, out = 0;
        for (int i = 0; i < D; i++)
            in += (double)v.x[i] * (double)v.x[i];
        for (int i = 0; i < ROWS * COLS; i++)
            out += (double)got[i] * (double)got[i];
        ratio += out / in / 20;
        free(got);
        free(v.x);
    }
    CHECK_NEAR(ratio, 1, 0.05);
    pb_arena_free(arena);
}
