/* The losses of classes and of labels against PyTorch's (tests/golden/labels/losses.jsonl, made by
 * tests/parity/make_labels.py): value and gradient. */
#include "test.h"

#include <math.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/json.h"
#include "graph/graph.h"
#include "graph/op.h"

#ifdef PB_REAL_DOUBLE
#define TOLERANCE 1e-14
#else
#define TOLERANCE 2e-6
#endif

enum { MOST = 64 };

/* Reads a list, or a list of lists, of numbers; returns how many there are. */
static int read_list(const pb_json *list, double *x)
{
    int n = 0;
    if (!pb_json_is_array(list)) {
        *x = pb_json_number(list, NAN);
        return 1;
    }
    for (size_t i = 0; i < pb_json_size(list); i++)
        n += read_list(pb_json_at(list, i), x + n);
    return n;
}

static int read_reals(const pb_json *list, pb_real *out)
{
    double x[MOST];
    int n = read_list(list, x);
    for (int i = 0; i < n; i++)
        out[i] = (pb_real)x[i];
    return n;
}

static pb_node *loss_of(pb_graph *g, pb_node *x, const pb_json *line, pb_real *given, int *label)
{
    if (!strcmp(pb_json_text(pb_json_get(line, "kind"), ""), "labels")) {
        CHECK_INT(read_reals(pb_json_get(line, "y"), given), x->rows * x->cols);
        return pb_op_binary_cross_entropy(g, x, given);
    }
    CHECK_INT(read_reals(pb_json_get(line, "weight"), given), x->cols);
    for (int r = 0; r < x->rows; r++)
        label[r] = (int)pb_json_integer(pb_json_at(pb_json_get(line, "label"), (size_t)r), -1);
    return pb_op_class_loss(g, x, label, given, pb_json_number(pb_json_get(line, "smoothing"), NAN));
}

static void compare(const pb_json *line, int number)
{
    pb_real x[MOST], dx[MOST], given[MOST];
    double gradient[MOST];
    int label[MOST], rows = (int)pb_json_size(pb_json_get(line, "x")), n = read_reals(pb_json_get(line, "x"), x);
    pb_param p = {.name = "x", .rows = rows, .cols = n / rows, .x = x, .g = dx, .trainable = true};
    pb_arena *arena = pb_arena_new("losses");
    pb_executor *e = pb_executor_new();
    pb_graph *g = pb_graph_new(arena, true);
    pb_node *leaf = pb_graph_param(g, &p), *loss = loss_of(g, leaf, line, given, label);
    pb_plan plan;
    if (CHECK(!pb_graph_plan(g, leaf, loss, &plan)) &&
        CHECK_INT(read_list(pb_json_get(line, "gradient"), gradient), n)) {
        pb_executor_bind(e, g, &plan);
        pb_executor_forward(e, g);
        double got = (double)pb_graph_loss(g)->x[0], want = pb_json_number(pb_json_get(line, "loss"), NAN);
        pb_executor_backward(e, g);
        if (!CHECK_NEAR(got, want, TOLERANCE))
            printf("    line %d\n", number);
        for (int i = 0; i < n; i++)
            if (!CHECK(fabs((double)p.g[i] - gradient[i]) <= TOLERANCE))
                printf("    line %d, element %d\n", number, i);
    }
    pb_executor_free(e);
    pb_arena_free(arena);
}

TEST(losses_and_gradients_are_those_of_pytorch)
{
    char *text = pb_read_file("tests/golden/labels/losses.jsonl", NULL), *rest = text, *line;
    int lines = 0;
    while (CHECK(text != NULL) && (line = strsep(&rest, "\n")) && *line) {
        pb_json_doc *f = pb_json_parse("losses.jsonl", line, strlen(line));
        if (CHECK(f != NULL))
            compare(pb_json_root(f), ++lines);
        pb_json_free(f);
    }
    CHECK_INT(lines, 8);
    free(text);
}
