/* The sparse product against the dense one, the Gram matrix against the definition, and what both refuse.  The
 * gradients of the sparse product by differences are in test_op.c. */
#include "util.h"

#include <limits.h>

#include "base/threads.h"
#include "graph/op.h"

enum { T = 37, IN = 101, OUT = 50, SHARED_FIRST = 5, PLACES = 200 };

static const int offset[] = {0, 3, 4, 20, T};

typedef struct fixture {
    pb_arena *arena;
    pb_executor *executor;
    pb_graph *graph;
    const pb_rows *set;
    pb_node *x;
    pb_param y, w, v; /* [T,OUT], [OUT,IN] and [1,PLACES] */
    pb_real input[T * IN];
    int index[PLACES];
} fixture;

static void open_fixture(fixture *f)
{
    pb_rng r = pb_rng_named(4, "sparse");
    *f = (fixture){.arena = pb_arena_new("sparse"), .executor = pb_executor_new()};
    fill_random(&r, PB_COUNT(f->input), f->input);
    f->y = (pb_param){.rows = T, .cols = OUT, .x = random_reals(&r, T * OUT)};
    f->w = (pb_param){.rows = OUT, .cols = IN, .x = pb_alloc(OUT * IN * sizeof(pb_real))};
    f->v = (pb_param){.rows = 1, .cols = PLACES, .x = random_reals(&r, PLACES), .trainable = true};
    for (int k = 0; k < PLACES; k++) {
        f->index[k] = (int)((long)k * (SHARED_FIRST + OUT * IN) / PLACES); /* the first of them is of another matrix */
        if (f->index[k] >= SHARED_FIRST)
            f->w.x[f->index[k] - SHARED_FIRST] = f->v.x[k];
    }
}

static void close_fixture(fixture *f)
{
    free(f->y.x);
    free(f->w.x);
    free(f->v.x);
    free(f->v.g);
    pb_executor_free(f->executor);
    pb_arena_free(f->arena);
}

static pb_node *start_graph(fixture *f, bool training)
{
    pb_arena_reset(f->arena);
    f->graph = pb_graph_new(f->arena, training);
    f->set = pb_rows_whole(f->graph, (int)PB_COUNT(offset) - 1, offset);
    f->x = pb_graph_input(f->graph, f->set, IN, f->input);
    static const int rows[T] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18,
                                19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36};
    return pb_op_embed(f->graph, pb_graph_param(f->graph, &f->y), f->set, rows);
}

static void run(fixture *f, pb_node *output, pb_node *loss)
{
    pb_plan plan;
    CHECK_INT(pb_graph_plan(f->graph, output, loss, &plan), 0);
    pb_executor_bind(f->executor, f->graph, &plan);
    pb_executor_forward(f->executor, f->graph);
}

static pb_node *sparse(fixture *f, pb_node *y)
{
    return pb_op_sparse_add(f->graph, y, f->x, pb_graph_param(f->graph, &f->v), f->index, SHARED_FIRST);
}

/* z = y + x S^T with S as a dense matrix. */
static void check_product(fixture *f)
{
    static double want[T * OUT];
    pb_node *y = start_graph(f, false);
    run(f, pb_op_linear_add(f->graph, y, f->x, pb_graph_param(f->graph, &f->w), 1), NULL);
    for (int i = 0; i < T * OUT; i++)
        want[i] = (double)pb_graph_output(f->graph)->x[i];
    run(f, sparse(f, start_graph(f, false)), NULL);
    CHECK(distance(T * OUT, pb_graph_output(f->graph)->x, want) <= EXACT);
}

/* The gradient of a value is that of a dense matrix at its place, and 0 for the values of other matrices. */
static void check_gradient(fixture *f)
{
    static const int label[T] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    static double want[PLACES];
    pb_real dense[OUT * IN];
    f->w.trainable = true;
    f->w.g = dense;
    free(f->v.g);
    f->v.g = pb_alloc(PLACES * sizeof *f->v.g);
    fill_nan(PLACES, f->v.g);
    pb_node *y = start_graph(f, true);
    y = pb_op_linear_add(f->graph, y, f->x, pb_graph_param(f->graph, &f->w), 1);
    run(f, y, pb_op_cross_entropy(f->graph, y, label));
    pb_executor_backward(f->executor, f->graph);
    for (int k = 0; k < PLACES; k++)
        want[k] = f->index[k] < SHARED_FIRST ? 0 : (double)dense[f->index[k] - SHARED_FIRST];
    y = sparse(f, start_graph(f, true));
    run(f, y, pb_op_cross_entropy(f->graph, y, label));
    pb_executor_backward(f->executor, f->graph);
    CHECK(distance(PLACES, f->v.g, want) <= EXACT);
    f->w.g = NULL;
    f->w.trainable = false;
}

TEST(a_sparse_product_is_the_dense_one)
{
    fixture f;
    open_fixture(&f);
    for (int threads = 1; threads <= 3; threads++) {
        pb_threads_start(threads);
        check_product(&f);
        check_gradient(&f);
        pb_threads_stop();
    }
    close_fixture(&f);
}

/* Every row counts, whichever rows of y are read, and two graphs add up. */
TEST(the_gram_matrix_is_of_all_rows)
{
    fixture f;
    static double want[IN * IN], outputs[PB_COUNT(offset) * OUT];
    static pb_real sum[IN * IN];
    pb_gram gram = {.sum = sum};
    open_fixture(&f);
    for (int i = 0; i < IN * IN; i++)
        for (int t = 0; t < T; t++)
            want[i] += 2 * (double)f.input[t * IN + i / IN] * (double)f.input[t * IN + i % IN];
    pb_threads_start(2);
    for (int again = 0; again < 2; again++) {
        pb_node *y = start_graph(&f, false);
        y = pb_op_gram(f.graph, y, f.x, &gram);
        y = pb_op_select(f.graph, y, pb_rows_pick(f.graph, f.set, -1));
        run(&f, y, NULL);
        CHECK_INT(pb_executor_flops(f.executor) >= (uint64_t)2 * T * IN * IN, true);
        for (int s = 0; s < (int)PB_COUNT(offset) - 1; s++)
            for (int j = 0; j < OUT; j++)
                outputs[s * OUT + j] = (double)f.y.x[(offset[s + 1] - 1) * OUT + j];
        CHECK(distance((PB_COUNT(offset) - 1) * OUT, pb_graph_output(f.graph)->x, outputs) == 0);
    }
    pb_threads_stop();
    CHECK(distance(IN * IN, sum, want) <= EXACT);
    CHECK_INT(gram.rows, 2 * T);
    close_fixture(&f);
}

static void check_refused(fixture *f, pb_node *n, const char *want)
{
    pb_plan plan;
    CHECK(!n);
    if (!CHECK(strstr(pb_error_text(), want) == pb_error_text()))
        printf("  %s\n", pb_error_text());
    CHECK_INT(pb_graph_plan(f->graph, NULL, NULL, &plan), -1);
    pb_error_clear();
}

TEST(what_does_not_fit_is_refused)
{
    fixture f;
    open_fixture(&f);
    pb_node *y = start_graph(&f, false);
    check_refused(&f, pb_op_sparse_add(f.graph, y, f.x, pb_graph_param(f.graph, &f.w), f.index, 0),
                  "sparse_add: y [37,50], x [37,101], v [50,101] and 101 indices do not fit");
    y = start_graph(&f, false);
    check_refused(&f, pb_op_sparse_add(f.graph, y, f.x, pb_graph_param(f.graph, &f.v), f.index, INT_MAX - 5049),
                  "sparse_add: the places of [50,101] from 2147478598 on do not fit");
    y = start_graph(&f, true);
    check_refused(&f, pb_op_gram(f.graph, y, pb_graph_param(f.graph, &f.v), &(pb_gram){.sum = f.input}),
                  "gram: want two tensors without gradients");
    f.index[7] = f.index[8];
    check_refused(&f, sparse(&f, start_graph(&f, false)), "sparse_add: index 202 is in the wrong order");
    f.index[7] = OUT * IN;
    check_refused(&f, sparse(&f, start_graph(&f, false)), "sparse_add: index 202 is in the wrong order");
    close_fixture(&f);
}
