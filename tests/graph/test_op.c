/* Every op of graph/op.h: gradients against central differences, FLOPs and memory against the
 * plan, with and without dead rows.  A new op is one row of the table `cases`. */
#include "util.h"

#include "base/threads.h"
#include "graph/op.h"

#ifdef PB_REAL_DOUBLE
#define SLOPE 1e-6 /* relative to the gradient's length */
#define FLOOR 1e-8 /* absolute: the differences' own noise */
#define STEP 1e-5
#else
#define SLOPE 2e-2
#define FLOOR 2e-3
#define STEP 1e-2
#endif

enum { MOST_INPUTS = 3 };

/* ---- a loss for every op: a weighted sum of all elements of up to four tensors ------------------------- */

static int dot_shape(pb_node *n)
{
    n->rows = n->cols = 1;
    return 0;
}

static int dot_units(const pb_node *n, bool backward)
{
    (void)n, (void)backward;
    return 1;
}

static pb_real factor(int input, size_t i)
{
    return (pb_real)((double)(pb_mix((uint64_t)input + 1, i) >> 11) * 0x1p-52 - 1);
}

static size_t elements(const pb_node *n)
{
    return (size_t)n->rows * (size_t)n->cols;
}

static void dot_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)from, (void)to, (void)scratch;
    double sum = 0;
    for (int k = 0; k < PB_MAX_INPUTS; k++)
        for (size_t i = 0; n->in[k] && i < elements(n->in[k]); i++)
            sum += (double)n->in[k]->x[i] * (double)factor(k, i);
    n->x[0] = (pb_real)sum;
}

static void dot_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)from, (void)to, (void)scratch;
    for (int k = 0; k < PB_MAX_INPUTS; k++)
        for (size_t i = 0; (want >> k & 1) && i < elements(n->in[k]); i++)
            n->in[k]->g[i] = (n->add >> k & 1 ? n->in[k]->g[i] : 0) + n->g[0] * factor(k, i);
}

static const pb_op dot = {
    .name = "dot",
    .shape = dot_shape,
    .units = dot_units,
    .forward = dot_forward,
    .backward = dot_backward,
};

/* ---- the table ------------------------------------------------------------------------------------------- */

typedef struct op_case {
    const char *name;
    pb_node *(*build)(pb_graph *g, pb_node **in, const pb_rows *set);
    struct {
        int rows, cols; /* rows 0: one a token of the batch; cols 0: there is no such input */
    } input[MOST_INPUTS];
} op_case;

/* n numbers in the graph's arena: 0, step, 2 step, ... modulo `modulus`. */
static int *numbers(pb_graph *g, int n, int step, int modulus)
{
    int *number = pb_arena_alloc(pb_graph_arena(g), PB_META, (size_t)n * sizeof *number);
    for (int i = 0; i < n; i++)
        number[i] = (int)((long)i * step % modulus);
    return number;
}

static pb_node *build_embed(pb_graph *g, pb_node **in, const pb_rows *set)
{
    return pb_op_embed(g, in[0], set, numbers(g, set->count, 5, 7)); /* ids come again */
}

/* Every other row is one further. */
static pb_node *build_embed_position(pb_graph *g, pb_node **in, const pb_rows *set)
{
    int *shift = numbers(g, set->count, 1, 2);
    for (int i = 0; i < set->count; i++)
        shift[i] = -shift[i];
    return pb_op_embed_position(g, in[0], set, shift);
}

/* Three of the ids 0 to 6 have rows of their own, in any order. */
static pb_node *build_replace(pb_graph *g, pb_node **in, const pb_rows *set)
{
    static const int of[] = {5, 0, 3};
    return pb_op_replace(g, in[0], in[1], numbers(g, set->count, 5, 7), of);
}

static pb_node *build_position(pb_graph *g, pb_node **in, const pb_rows *set)
{
    return pb_op_position(g, in[0], in[1], in[2], 2, numbers(g, set->count, 1, 2)); /* token types 0 and 1 */
}

static pb_node *build_linear(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_linear(g, in[0], in[1], in[2]);
}

static pb_node *build_linear_add(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_linear_add(g, in[0], in[1], in[2], 0.7);
}

/* Fourteen places of [9,10]: two in the first row, none in most, ten in the last. */
static pb_node *build_sparse_add(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    static const int index[] = {0, 9, 31, 47, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89};
    return pb_op_sparse_add(g, in[0], in[1], in[2], index, 0);
}

/* Three matrices share the values, and the second one, at the places from 90 on, has none of them. */
static pb_node *build_sparse_shared(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    static const int index[] = {8, 9, 31, 180, 199, 269};
    pb_node *y = pb_op_sparse_add(g, in[0], in[1], in[2], index, 180);
    y = pb_op_sparse_add(g, y, pb_op_act(g, PB_TANH, in[1]), in[2], index, 90);
    return pb_op_sparse_add(g, y, pb_op_act(g, PB_SILU, in[1]), in[2], index, 0);
}

static pb_node *build_add(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_add(g, in[0], in[1]);
}

static pb_node *build_scale(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_scale(g, in[0], in[1]);
}

static pb_node *build_multiply(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_multiply(g, in[0], in[1]);
}

static pb_node *build_times(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_times(g, in[0], -0.3);
}

static pb_node *build_shift(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_shift(g, in[0], in[1]);
}

static pb_node *build_consistency(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_consistency(g, in[0], in[1]);
}

static pb_node *build_scale_about(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_scale_about(g, in[0], in[1], in[2]);
}

#define BUILD_ACT(name, act)                                                                                           \
    static pb_node *name(pb_graph *g, pb_node **in, const pb_rows *set)                                                \
    {                                                                                                                  \
        (void)set;                                                                                                     \
        return pb_op_act(g, act, in[0]);                                                                               \
    }
BUILD_ACT(build_gelu, PB_GELU)
BUILD_ACT(build_gelu_tanh, PB_GELU_TANH)
BUILD_ACT(build_relu, PB_RELU)
BUILD_ACT(build_tanh, PB_TANH)
BUILD_ACT(build_silu, PB_SILU)
BUILD_ACT(build_sigmoid, PB_SIGMOID)

static pb_node *build_place_only(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_position(g, in[0], in[1], NULL, 2, NULL);
}

static pb_node *build_rmsnorm(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_rmsnorm(g, in[0], in[1], 1e-5);
}

static pb_node *build_gate(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_gate(g, PB_SILU, in[0], in[1]);
}

/* Three readers of one tensor, as queries, keys and values in one matrix have them. */
static pb_node *build_columns(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    pb_node *a = pb_op_columns(g, in[0], 0, 6), *b = pb_op_columns(g, in[0], 6, 6), *c = pb_op_columns(g, in[0], 9, 6);
    return pb_op_add(g, pb_op_gate(g, PB_TANH, a, b), c);
}

static pb_node *build_rope(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    pb_real *table = pb_arena_alloc(pb_graph_arena(g), PB_META, 80 * 6 * sizeof *table);
    for (int p = 0; p < 80; p++)
        for (int i = 0; i < 3; i++) {
            table[p * 6 + i] = (pb_real)cos(p * pow(0.3, i));
            table[p * 6 + 3 + i] = (pb_real)sin(p * pow(0.3, i));
        }
    return pb_op_rope(g, in[0], 6, table, 3);
}

/* Six query heads on three key heads, with a scale of its own. */
static pb_node *build_grouped(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_attention(g, in[0], in[1], in[2], (pb_attention_conf){.heads = 6, .causal = true, .scale = 0.4});
}

static pb_node *build_grouped_prefix(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    pb_node *k = pb_op_prepend(g, in[2], in[1]),
            *v = pb_op_prepend(g, pb_op_act(g, PB_TANH, in[2]), pb_op_act(g, PB_SILU, in[1]));
    return pb_op_attention(g, in[0], k, v, (pb_attention_conf){.heads = 4});
}

static pb_node *build_norm(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_norm(g, in[0], in[1], in[2], 1e-5);
}

static pb_node *build_dropout(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_dropout(g, in[0], 0.4, 12345);
}

static pb_node *build_attention(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_attention(g, in[0], in[1], in[2], (pb_attention_conf){.heads = 2});
}

static pb_node *build_attention_drop(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_attention(g, in[0], in[1], in[2], (pb_attention_conf){.heads = 2, .drop = 0.3, .key = 99});
}

static pb_node *build_causal_drop(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_attention(g, in[0], in[1], in[2],
                           (pb_attention_conf){.heads = 2, .causal = true, .drop = 0.3, .key = 99});
}

static pb_node *build_causal(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_attention(g, in[0], in[1], in[2], (pb_attention_conf){.heads = 2, .causal = true});
}

/* The prefix in[2] is in front of the keys and, changed, of the values. */
static pb_node *attend_prefix(pb_graph *g, pb_node **in, bool causal)
{
    pb_node *k = pb_op_prepend(g, in[2], in[1]);
    pb_node *v = pb_op_prepend(g, pb_op_act(g, PB_TANH, in[2]), pb_op_act(g, PB_SILU, in[1]));
    return pb_op_attention(g, in[0], k, v, (pb_attention_conf){.heads = 2, .causal = causal});
}

static pb_node *build_prefix(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return attend_prefix(g, in, false);
}

static pb_node *build_causal_prefix(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return attend_prefix(g, in, true);
}

/* The even rows of each sequence from the third on: none of a sequence of one or two. */
static const pb_rows *even_rows(pb_graph *g, const pb_rows *of)
{
    pb_rows *set = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *set);
    int *offset = numbers(g, of->sequences + 1, 0, 1), *index = numbers(g, of->count, 0, 1);
    int *position = numbers(g, of->count, 0, 1), count = 0;
    for (int s = 0; s < of->sequences; s++) {
        for (int r = of->offset[s] + 2; r < of->offset[s + 1]; r += 2) {
            position[count] = of->position[r];
            index[count++] = r;
        }
        offset[s + 1] = count;
    }
    *set = (pb_rows){
        .count = count, .sequences = of->sequences, .offset = offset, .position = position, .of = of, .index = index};
    return set;
}

static pb_node *build_select(pb_graph *g, pb_node **in, const pb_rows *set)
{
    return pb_op_select(g, in[0], pb_rows_pick(g, set, -1));
}

static pb_node *build_select_some(pb_graph *g, pb_node **in, const pb_rows *set)
{
    return pb_op_select(g, in[0], set->count > 2 ? even_rows(g, set) : pb_rows_pick(g, set, 0));
}

/* Queries of some rows only; a sequence of one or two has none. */
static pb_node *build_attention_of_some(pb_graph *g, pb_node **in, const pb_rows *set)
{
    return pb_op_attention(g, build_select_some(g, in, set), in[1], in[2], (pb_attention_conf){.heads = 2});
}

static pb_node *build_causal_of_some(pb_graph *g, pb_node **in, const pb_rows *set)
{
    return pb_op_attention(g, build_select_some(g, in, set), in[1], in[2],
                           (pb_attention_conf){.heads = 2, .causal = true});
}

/* A different row of two tensors: their sets have one length and different members. */
static pb_node *build_add_of_selected(pb_graph *g, pb_node **in, const pb_rows *set)
{
    return pb_op_add(g, pb_op_select(g, in[0], pb_rows_pick(g, set, 0)),
                     pb_op_select(g, in[1], pb_rows_pick(g, set, -1)));
}

static pb_node *build_prepend(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_prepend(g, in[0], in[1]);
}

/* Two sets of the same lengths that were made apart. */
static pb_node *build_add_of_prepended(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_add(g, pb_op_prepend(g, in[0], in[1]), pb_op_prepend(g, in[0], in[2]));
}

static pb_node *build_cross_entropy(pb_graph *g, pb_node **in, const pb_rows *set)
{
    int *label = numbers(g, set->count, 3, 5);
    for (int i = 1; i < set->count; i += 4)
        label[i] = -1;
    return pb_op_cross_entropy(g, in[0], label);
}

/* Groups of 1, 2, 3, 1, .. rows; the last one has what is left. */
static pb_node *build_group_cross_entropy(pb_graph *g, pb_node **in, const pb_rows *set)
{
    int *offset = numbers(g, set->count + 2, 0, 1), *label = numbers(g, set->count + 1, 0, 1), groups = 0;
    for (int at = 0; at < set->count; groups++) {
        int size = groups % 3 + 1 < set->count - at ? groups % 3 + 1 : set->count - at;
        label[groups] = groups % size;
        offset[groups] = at;
        at += size;
        offset[groups + 1] = at;
    }
    return pb_op_group_cross_entropy(g, in[0], groups, offset, label);
}

static pb_node *build_square_loss(pb_graph *g, pb_node **in, const pb_rows *set)
{
    size_t n = (size_t)set->count;
    pb_real *target = pb_arena_alloc(pb_graph_arena(g), PB_META, n * 5 * sizeof *target);
    pb_real *weight = pb_arena_alloc(pb_graph_arena(g), PB_META, n * sizeof *weight);
    for (size_t i = 0; i < 5 * n; i++)
        target[i] = (pb_real)(i % 7) / 7;
    for (size_t i = 0; i < n; i++)
        weight[i] = (pb_real)(i % 3) / 4; /* some rows do not count */
    return pb_op_square_loss(g, in[0], target, weight);
}

static pb_node *build_class_loss(pb_graph *g, pb_node **in, const pb_rows *set)
{
    static const pb_real weight[] = {1, (pb_real)0.5, 3, 2, (pb_real)0.25};
    return pb_op_class_loss(g, in[0], numbers(g, set->count, 3, 5), weight, 0.1);
}

static pb_node *build_binary_cross_entropy(pb_graph *g, pb_node **in, const pb_rows *set)
{
    size_t n = 5 * (size_t)set->count;
    pb_real *y = pb_arena_alloc(pb_graph_arena(g), PB_META, n * sizeof *y);
    for (size_t i = 0; i < n; i++)
        y[i] = i % 3 == 0;
    return pb_op_binary_cross_entropy(g, in[0], y);
}

/* Some gates are clipped, others are not. */
static pb_node *build_concrete(pb_graph *g, pb_node **in, const pb_rows *set)
{
    static const uint64_t key = 5;
    (void)set;
    return pb_op_concrete(g, in[0], in[1], -0.5, 1.5, &key);
}

static pb_node *build_undrawn_gate(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_concrete(g, in[0], NULL, -0.1, 1.1, NULL);
}

static pb_node *build_open_gates(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_gates(g, in[0], 0.3);
}

static pb_node *build_sum(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_sum(g, in[0]);
}

static pb_node *build_orthogonal_rows(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_orthogonality(g, in[0], false);
}

static pb_node *build_orthogonal_columns(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_orthogonality(g, in[0], true);
}

/* Rows of a whole set that stand in several sequences, by their values. */
static pb_node *build_chosen(pb_graph *g, pb_node **in, const pb_rows *set)
{
    int *value = numbers(g, set->count, 1, 3);
    for (int i = 0; i < set->count; i++)
        value[i]--;
    return pb_op_select(g, in[0], pb_rows_chosen(g, set, value));
}

static pb_node *build_khatri_rao(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_khatri_rao(g, in[0], in[1], false);
}

static pb_node *build_normal(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_normal(g, in[0], 7, true);
}

static pb_node *build_normal_fixed(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_normal(g, in[0], 7, false);
}

static pb_node *build_normal_divergence(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_normal_divergence(g, in[0]);
}

static pb_node *build_khatri_rao_columns(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_khatri_rao(g, in[0], in[1], true);
}

/* Some elements come several times, one never, and two places are empty. */
static pb_node *build_gather(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    static const int index[] = {4, 0, 2, 2, -1, 0, 4, 4, 2, 1, 1, -1};
    static const pb_real scale[] = {1, 2, -1, 7, (pb_real)0.5, 3};
    pb_node *a = pb_op_gather(g, in[0], index, scale, 3, 4), *b = pb_op_gather(g, in[0], index + 1, NULL, 3, 3);
    return pb_op_product(g, b, false, a, false);
}

static pb_node *build_unit(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_unit(g, in[0], false, 1e-4);
}

static pb_node *build_unit_columns(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_unit(g, in[0], true, 1e-4);
}

/* Longer than any row. */
static pb_node *build_unit_short(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_unit(g, in[0], false, 100);
}

static pb_node *build_kron(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_kron(g, in[0], in[1], in[2]);
}

static pb_node *build_kron_right(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_kron(g, in[0], NULL, in[1]);
}

static pb_node *build_collapse(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_collapse(g, in[0], 5);
}

static pb_node *build_tile(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_tile(g, in[0], 3);
}

static pb_node *build_rotate_parts(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_rotate_parts(g, in[0], 6, 20);
}

static pb_node *build_group_product(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_group_product(g, in[0], in[1], 3);
}

#define BUILD_PRODUCT(name, ta, tb)                                                                                    \
    static pb_node *name(pb_graph *g, pb_node **in, const pb_rows *set)                                                \
    {                                                                                                                  \
        (void)set;                                                                                                     \
        return pb_op_product(g, in[0], ta, in[1], tb);                                                                 \
    }
BUILD_PRODUCT(build_product, false, false)
BUILD_PRODUCT(build_product_ta, true, false)
BUILD_PRODUCT(build_product_tb, false, true)
BUILD_PRODUCT(build_product_tatb, true, true)

static pb_node *build_householder(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_householder(g, in[0], in[1]);
}

/* Blocks [4,4]; |Q| is up to 3, where the series is far from a rotation and its gradient as exact as anywhere. */
#define BUILD_CAYLEY(name, terms)                                                                                      \
    static pb_node *name(pb_graph *g, pb_node **in, const pb_rows *set)                                                \
    {                                                                                                                  \
        (void)set;                                                                                                     \
        return pb_op_cayley(g, in[0], 4, terms);                                                                       \
    }
static pb_node *build_skew(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_skew(g, in[0]);
}

BUILD_CAYLEY(build_cayley, 0)
BUILD_CAYLEY(build_cayley_of_4_terms, 4)
BUILD_CAYLEY(build_cayley_of_5_terms, 5)
BUILD_CAYLEY(build_cayley_of_7_terms, 7)

static pb_node *build_blocks(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_blocks(g, in[0], in[1], 3);
}

static pb_node *build_permute(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_permute(g, in[0], numbers(g, in[0] ? in[0]->cols : 0, 5, 18));
}

#define BUILD_TURN(name, angles)                                                                                       \
    static pb_node *name(pb_graph *g, pb_node **in, const pb_rows *set)                                                \
    {                                                                                                                  \
        (void)set;                                                                                                     \
        return pb_op_turn(g, in[0], in[1], in[2], 6, angles);                                                          \
    }
BUILD_TURN(build_turn_1, 1)
BUILD_TURN(build_turn_2, 2)
BUILD_TURN(build_turn_4, 4)

/* Two blocks of six. */
static pb_node *build_fourier(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_fourier(g, in[0], 6, false);
}

static pb_node *build_fourier_inverse(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_fourier(g, in[0], 6, true);
}

static pb_node *build_circulate(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_circulate(g, in[0], in[1], 15);
}

/* Places of all kinds: frequencies 0, half and between in both directions. */
static pb_node *build_spectrum(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    static const int index[] = {0, 3, 11, 30, 33, 55, 23};
    return pb_op_spectrum(g, in[0], index, 10, 6, PB_FOURIER);
}

static pb_node *build_haar(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    static const int index[] = {0, 3, 4, 20, 24, 41, 44};
    return pb_op_spectrum(g, in[0], index, 9, 5, PB_HAAR);
}

/* Three blocks of 16, the last of which is cut to two elements. */
static pb_node *build_fastfood(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_fastfood(g, in[0], 77, 2, 17);
}

/* One block of 64, cut to 33 elements. */
static pb_node *build_fastfood_wide(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_fastfood(g, in[0], 78, 11, 3);
}

/* A weight of parameters that is made again for the gradient of x, and of what it is made of. */
static pb_node *build_remake(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    pb_node *w = pb_op_act(g, PB_TANH, pb_op_product(g, in[1], false, in[2], true));
    return pb_op_linear(g, in[0], pb_graph_remake(g, w), NULL);
}

/* One matrix read in three shapes and by overlapping rows; the first row is read by nobody. */
static pb_node *build_views(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    pb_node *a = pb_op_rows(g, in[0], 1, 6), *b = pb_op_rows(g, in[0], 3, 6);
    pb_node *flat = pb_op_reshape(g, pb_op_act(g, PB_TANH, a), 1, 24), *tall = pb_op_reshape(g, b, 12, 2);
    return pb_op_multiply(g, pb_op_reshape(g, flat, 8, 3), pb_op_reshape(g, tall, 8, 3));
}

static pb_node *build_rows(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_rows(g, in[0], 2, 17);
}

static pb_node *build_reshape(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_reshape(g, in[0], 4, 9);
}

/* Zero times a stop, so that differences agree with the gradient; the stop may write over the tanh. */
static pb_node *build_stop(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    pb_node *none = pb_op_times(g, pb_op_stop(g, pb_op_act(g, PB_TANH, in[0])), 0);
    return pb_op_add(g, pb_op_act(g, PB_SILU, in[0]), none);
}

/* What can be overwritten is: every row-by-row op after another. */
static pb_node *build_chain(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    pb_node *x = pb_op_scale(g, pb_op_act(g, PB_GELU, in[0]), in[1]);
    pb_node *y = pb_op_linear_add(g, x, pb_op_dropout(g, pb_op_act(g, PB_TANH, in[0]), 0.2, 3), in[2], -0.5);
    return pb_op_add(g, pb_op_act(g, PB_SILU, y), pb_op_dropout(g, in[0], 0.1, 4));
}

/* Gates of rows and of all between ops that write over their inputs. */
static pb_node *build_gates(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    pb_node *x = pb_op_scale(g, pb_op_act(g, PB_TANH, in[0]), pb_op_act(g, PB_SIGMOID, in[1]));
    pb_node *y = pb_op_times(g, pb_op_scale(g, pb_op_act(g, PB_SILU, in[0]), in[2]), 0.7);
    return pb_op_multiply(g, pb_op_act(g, PB_SILU, x), pb_op_act(g, PB_TANH, y));
}

static pb_node *build_cross_attention(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_cross_attention(g, in[0], in[1], in[2], 4);
}

static pb_node *build_softmax(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_softmax(g, in[0], 0);
}

/* The elements are far apart, so that no difference changes which ones are the largest. */
static pb_node *build_softmax_of_3(pb_graph *g, pb_node **in, const pb_rows *set)
{
    pb_real *apart = pb_arena_alloc(pb_graph_arena(g), PB_META, (size_t)set->count * 9 * sizeof *apart);
    for (int i = 0; i < set->count * 9; i++)
        apart[i] = (pb_real)(i * 5 % 9) / 2;
    return pb_op_softmax(g, pb_op_add(g, pb_graph_input(g, set, 9, apart), pb_op_times(g, in[0], 0.05)), 3);
}

static pb_node *build_transpose(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_transpose(g, in[0]);
}

static pb_node *build_orthonormal(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_orthonormal(g, in[0]);
}

static pb_node *build_mean(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_mean(g, in[0]);
}

static pb_node *build_spread_mean(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_spread(g, pb_op_mean(g, in[0]), in[0]);
}

static pb_node *build_add_rows(pb_graph *g, pb_node **in, const pb_rows *set)
{
    int *value = numbers(g, set->count, 1, 3);
    for (int i = 0; i < set->count; i++)
        value[i] = 1 - value[i];
    return pb_op_add_rows(g, in[0], pb_op_select(g, in[1], pb_rows_chosen(g, set, value)));
}

static pb_node *build_lstm(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    return pb_op_lstm(g, in[0], in[1], false);
}

/* The second layer reads the first one in the other direction. */
static pb_node *build_two_lstms(pb_graph *g, pb_node **in, const pb_rows *set)
{
    (void)set;
    pb_node *y = pb_op_lstm(g, in[0], in[1], true);
    return pb_op_lstm(g, pb_op_linear(g, y, in[2], NULL), in[1], false);
}

static const op_case cases[] = {
    {"embed", build_embed, {{7, 18}}},
    {"embed_position", build_embed_position, {{72, 18}}},
    {"replace", build_replace, {{0, 18}, {3, 18}}},
    {"position", build_position, {{0, 18}, {72, 18}, {2, 18}}},
    {"linear", build_linear, {{0, 10}, {7, 10}, {1, 7}}},
    {"linear without bias", build_linear, {{0, 10}, {7, 10}}},
    {"linear of many outputs", build_linear, {{0, 6}, {100, 6}, {1, 100}}},
    {"linear of a parameter", build_linear, {{5, 6}, {9, 6}, {1, 9}}},
    {"linear_add", build_linear_add, {{0, 9}, {0, 3}, {9, 3}}},
    {"sparse_add", build_sparse_add, {{0, 9}, {0, 10}, {1, 14}}},
    {"sparse_add of shared values", build_sparse_shared, {{0, 9}, {0, 10}, {1, 6}}},
    {"add", build_add, {{0, 18}, {0, 18}}},
    {"scale", build_scale, {{0, 18}, {1, 18}}},
    {"scale of rows", build_scale, {{0, 18}, {0, 1}}},
    {"scale of rows of a parameter", build_scale, {{5, 18}, {5, 1}}},
    {"scale of rows of one column", build_scale, {{0, 1}, {0, 1}}},
    {"scale of all", build_scale, {{0, 18}, {1, 1}}},
    {"multiply", build_multiply, {{0, 18}, {0, 18}}},
    {"times", build_times, {{0, 18}}},
    {"shift", build_shift, {{0, 18}, {1, 18}}},
    {"scale about", build_scale_about, {{0, 18}, {1, 18}, {1, 18}}},
    {"gelu", build_gelu, {{0, 18}}},
    {"gelu_tanh", build_gelu_tanh, {{0, 18}}},
    {"relu", build_relu, {{0, 18}}},
    {"tanh", build_tanh, {{0, 18}}},
    {"silu", build_silu, {{0, 18}}},
    {"sigmoid", build_sigmoid, {{0, 18}}},
    {"position without types", build_place_only, {{0, 18}, {72, 18}}},
    {"rmsnorm", build_rmsnorm, {{0, 18}, {1, 18}}},
    {"rmsnorm of heads", build_rmsnorm, {{0, 18}, {1, 6}}},
    {"gate", build_gate, {{0, 18}, {0, 18}}},
    {"columns", build_columns, {{0, 15}}},
    {"rope", build_rope, {{0, 18}}},
    {"grouped attention", build_grouped, {{0, 12}, {0, 6}, {0, 6}}},
    {"grouped attention with a prefix", build_grouped_prefix, {{0, 12}, {0, 6}, {3, 6}}},
    {"norm", build_norm, {{0, 18}, {1, 18}, {1, 18}}},
    {"dropout", build_dropout, {{0, 18}}},
    {"attention", build_attention, {{0, 8}, {0, 8}, {0, 8}}},
    {"causal attention", build_causal, {{0, 8}, {0, 8}, {0, 8}}},
    {"attention with a prefix", build_prefix, {{0, 8}, {0, 8}, {3, 8}}},
    {"causal attention with a prefix", build_causal_prefix, {{0, 8}, {0, 8}, {3, 8}}},
    {"attention with dropout", build_attention_drop, {{0, 8}, {0, 8}, {0, 8}}},
    {"causal attention with dropout", build_causal_drop, {{0, 8}, {0, 8}, {0, 8}}},
    {"cross_attention", build_cross_attention, {{0, 12}, {5, 12}, {5, 12}}},
    {"grouped cross_attention", build_cross_attention, {{0, 12}, {5, 6}, {5, 6}}},
    {"lstm", build_lstm, {{5, 12}, {12, 3}}},
    {"two lstms", build_two_lstms, {{5, 12}, {12, 3}, {12, 3}}},
    {"select", build_select, {{0, 18}}},
    {"select some", build_select_some, {{0, 18}}},
    {"attention of some rows", build_attention_of_some, {{0, 8}, {0, 8}, {0, 8}}},
    {"causal attention of some rows", build_causal_of_some, {{0, 8}, {0, 8}, {0, 8}}},
    {"add of selected", build_add_of_selected, {{0, 18}, {0, 18}}},
    {"prepend", build_prepend, {{3, 18}, {0, 18}}},
    {"add of prepended", build_add_of_prepended, {{3, 18}, {0, 18}, {0, 18}}},
    {"cross_entropy", build_cross_entropy, {{0, 5}}},
    {"group_cross_entropy", build_group_cross_entropy, {{0, 1}}},
    {"consistency", build_consistency, {{0, 5}, {0, 5}}},
    {"consistency of many classes", build_consistency, {{0, 600}, {0, 600}}},
    {"square_loss", build_square_loss, {{0, 5}}},
    {"class_loss", build_class_loss, {{0, 5}}},
    {"binary_cross_entropy", build_binary_cross_entropy, {{0, 5}}},
    {"sum", build_sum, {{0, 18}}},
    {"concrete", build_concrete, {{1, 20}, {4, 5}}},
    {"concrete without a draw", build_undrawn_gate, {{3, 4}}},
    {"open gates", build_open_gates, {{3, 4}}},
    {"sum of a parameter", build_sum, {{5, 6}}},
    {"orthogonality of rows", build_orthogonal_rows, {{4, 18}}},
    {"orthogonality of columns", build_orthogonal_columns, {{18, 4}}},
    {"select chosen", build_chosen, {{0, 18}}},
    {"gates", build_gates, {{0, 18}, {0, 1}, {1, 1}}},
    {"chain", build_chain, {{0, 18}, {1, 18}, {18, 18}}},
    {"normal", build_normal, {{5, 6}}},
    {"normal without chance", build_normal_fixed, {{5, 6}}},
    {"normal_divergence", build_normal_divergence, {{5, 6}}},
    {"khatri_rao", build_khatri_rao, {{3, 7}, {4, 7}}},
    {"khatri_rao of columns", build_khatri_rao_columns, {{7, 3}, {7, 4}}},
    {"gather", build_gather, {{1, 6}}},
    {"unit", build_unit, {{4, 6}}},
    {"unit of columns", build_unit_columns, {{6, 4}}},
    {"unit of short rows", build_unit_short, {{4, 6}}},
    {"kron, right first", build_kron, {{0, 12}, {4, 3}, {3, 4}}},
    {"kron, left first", build_kron, {{0, 12}, {2, 3}, {3, 4}}},
    {"kron of a block", build_kron_right, {{0, 12}, {5, 3}}},
    {"collapse", build_collapse, {{0, 15}}},
    {"collapse with a rest", build_collapse, {{0, 18}}},
    {"tile", build_tile, {{0, 5}}},
    {"tile of a parameter", build_tile, {{4, 5}}},
    {"rotate_parts", build_rotate_parts, {{0, 18}}},
    {"group_product", build_group_product, {{6, 4}, {12, 5}}},
    {"product", build_product, {{5, 7}, {7, 4}}},
    {"product of a transpose", build_product_ta, {{7, 5}, {7, 4}}},
    {"product with a transpose", build_product_tb, {{5, 7}, {4, 7}}},
    {"product of transposes", build_product_tatb, {{7, 5}, {4, 7}}},
    {"householder", build_householder, {{0, 10}, {3, 10}}},
    {"householder of one reflection", build_householder, {{0, 10}, {1, 10}}},
    {"householder of a parameter", build_householder, {{4, 10}, {5, 10}}},
    {"cayley", build_cayley, {{3, 6}}},
    {"cayley of 4 terms", build_cayley_of_4_terms, {{3, 6}}},
    {"cayley of 5 terms", build_cayley_of_5_terms, {{3, 6}}},
    {"cayley of 7 terms", build_cayley_of_7_terms, {{2, 6}}},
    {"skew", build_skew, {{12, 4}}},
    {"blocks", build_blocks, {{0, 12}, {12, 5}}},
    {"blocks that are one", build_blocks, {{0, 12}, {4, 5}}},
    {"blocks of a parameter", build_blocks, {{7, 9}, {9, 2}}},
    {"permute", build_permute, {{0, 18}}},
    {"turn by one angle", build_turn_1, {{0, 12}, {1, 6}, {1, 6}}},
    {"turn by two angles", build_turn_2, {{0, 12}, {1, 12}, {1, 12}}},
    {"turn by four angles", build_turn_4, {{0, 12}, {1, 24}, {1, 24}}},
    {"fourier", build_fourier, {{0, 12}}},
    {"fourier of parameters", build_fourier, {{11, 6}}},
    {"inverse fourier", build_fourier_inverse, {{0, 16}}},
    {"circulate", build_circulate, {{0, 10}, {6, 5}}},
    {"spectrum by Fourier", build_spectrum, {{1, 7}}},
    {"spectrum by Haar", build_haar, {{1, 7}}},
    {"softmax", build_softmax, {{0, 9}}},
    {"softmax of the 3 largest", build_softmax_of_3, {{0, 9}}},
    {"softmax of a parameter", build_softmax, {{5, 9}}},
    {"orthonormal", build_orthonormal, {{4, 10}}},
    {"orthonormal of one row", build_orthonormal, {{1, 10}}},
    {"orthonormal of as many rows as columns", build_orthonormal, {{4, 4}}},
    {"transpose", build_transpose, {{4, 7}}},
    {"mean", build_mean, {{0, 18}}},
    {"spread of means", build_spread_mean, {{0, 18}}},
    {"add_rows", build_add_rows, {{0, 18}, {0, 18}}},
    {"fastfood", build_fastfood, {{1, 11}}},
    {"fastfood of a power of two", build_fastfood, {{1, 16}}},
    {"fastfood of more than the matrix", build_fastfood_wide, {{1, 40}}},
    {"views of a parameter", build_views, {{9, 4}}},
    {"rows", build_rows, {{20, 6}}},
    {"reshape", build_reshape, {{12, 3}}},
    {"stop", build_stop, {{0, 18}}},
    {"stop of a parameter", build_stop, {{5, 18}}},
    {"a weight made again", build_remake, {{0, 10}, {7, 3}, {10, 3}}},
};

typedef struct batch {
    const char *name;
    int sequences, lengths[40];
} batch;

static const batch batches[] = {
    {"one token", 1, {1}},
    {"five sequences", 5, {3, 1, 5, 2, 4}},
    {"a long sequence", 2, {70, 2}},
    {"forty sequences", 40, {3, 1, 5, 2, 4, 3, 1, 5, 2, 4, 3, 1, 5, 2, 4, 3, 1, 5, 2, 4,
                             3, 1, 5, 2, 4, 3, 1, 5, 2, 4, 3, 1, 5, 2, 4, 3, 1, 5, 2, 4}},
};

/* ---- one trial ------------------------------------------------------------------------------------------- */

/* What reads the op's output and inputs: the loss alone; the loss reads the inputs too, so that
 * nothing may be overwritten and gradients are added up; one row of each sequence is read. */
typedef enum reading_of { ALONE, SHARED, FIRST, LAST, READINGS } reading_of;

static const char *const reading_name[] = {"alone", "shared", "first row", "last row"};

typedef struct trial {
    const op_case *op;
    const batch *batch;
    reading_of reading;
    unsigned want; /* bit i: input i trains */
    pb_param param[MOST_INPUTS];
    pb_arena *arena;
    pb_executor *executor;
    pb_graph *graph;
    pb_node *output; /* of the op, before rows of it are chosen */
    pb_plan plan;
    int absent; /* this input, from 1, is NULL */
} trial;

static size_t count(const pb_param *p)
{
    return (size_t)p->rows * (size_t)p->cols;
}

static bool held(const trial *t, bool good)
{
    if (!good)
        printf("  %s, %s, %s, inputs 0x%x train, %d threads\n", t->op->name, t->batch->name, reading_name[t->reading],
               t->want, pb_threads_count());
    return good;
}

static trial open_trial(const op_case *op, const batch *b, reading_of reading, unsigned want)
{
    trial t = {.op = op, .batch = b, .reading = reading, .want = want};
    pb_rng r = pb_rng_named(want + 1, op->name);
    int tokens = 0;
    for (int s = 0; s < b->sequences; s++)
        tokens += b->lengths[s];
    for (int i = 0; i < MOST_INPUTS && op->input[i].cols; i++) {
        pb_param *p = &t.param[i];
        *p = (pb_param){.name = "input", .rows = op->input[i].rows ? op->input[i].rows : tokens};
        p->cols = op->input[i].cols;
        p->trainable = want >> i & 1;
        p->x = random_reals(&r, count(p));
        p->g = p->trainable ? pb_alloc(count(p) * sizeof *p->g) : NULL;
    }
    t.arena = pb_arena_new("trial");
    t.executor = pb_executor_new();
    pb_executor_watch(t.executor, true);
    return t;
}

static void close_trial(trial *t)
{
    for (int i = 0; i < MOST_INPUTS; i++) {
        free(t->param[i].x);
        free(t->param[i].g);
    }
    pb_executor_free(t->executor);
    pb_arena_free(t->arena);
}

static bool has_every_sequence(const pb_rows *set)
{
    for (int s = 0; set && s < set->sequences; s++)
        if (set->offset[s] == set->offset[s + 1])
            return false;
    return set != NULL;
}

static pb_node *build(trial *t)
{
    pb_arena_reset(t->arena);
    pb_graph *g = t->graph = pb_graph_new(t->arena, true);
    int *offset = numbers(g, t->batch->sequences + 1, 0, 1);
    for (int s = 0; s < t->batch->sequences; s++)
        offset[s + 1] = offset[s] + t->batch->lengths[s];
    const pb_rows *set = pb_rows_whole(g, t->batch->sequences, offset);
    pb_node *in[MOST_INPUTS] = {NULL}, *y;
    for (int i = 0; i < MOST_INPUTS && t->param[i].x; i++) {
        in[i] = pb_graph_param(g, &t->param[i]);
        if (!t->op->input[i].rows)
            in[i] = pb_op_embed(g, in[i], set, numbers(g, set->count, 1, set->count));
    }
    if (t->absent)
        in[t->absent - 1] = NULL;
    y = t->output = t->op->build(g, in, set);
    if (y && t->reading >= FIRST && has_every_sequence(y->set))
        y = pb_op_select(g, y, pb_rows_pick(g, y->set, t->reading == FIRST ? 0 : -1));
    bool shared = t->reading == SHARED;
    return pb_graph_apply(g, &dot, NULL, y, shared ? in[0] : NULL, shared ? in[1] : NULL, shared ? in[2] : NULL);
}

/* Builds, plans and runs forward; `whole` asks for all of the op's output, so that no row is dead. */
static double loss_of(trial *t, bool whole)
{
    pb_node *loss = build(t);
    if (!loss || pb_graph_plan(t->graph, whole ? t->output : loss, loss, &t->plan))
        PB_BUG("%s: %s", t->op->name, pb_error_text());
    pb_executor_bind(t->executor, t->graph, &t->plan);
    pb_executor_forward(t->executor, t->graph);
    return (double)pb_graph_loss(t->graph)->x[0];
}

/* What is not kept for backward is poisoned, and so are the gradients before they are written. */
static void backward(trial *t)
{
    for (int i = 0; i < MOST_INPUTS; i++)
        if (t->param[i].g)
            fill_nan(count(&t->param[i]), t->param[i].g);
    pb_executor_poison(t->executor, t->graph);
    pb_executor_backward(t->executor, t->graph);
}

static double sign(size_t i)
{
    return pb_mix(77, i) & 1 ? 1 : -1;
}

/* Along the direction of random signs; `length` is the gradient's. */
static double slope_of(const pb_param *p, double *length)
{
    double slope = 0, square = 0;
    for (size_t i = 0; i < count(p); i++) {
        slope += (double)p->g[i] * sign(i);
        square += (double)p->g[i] * (double)p->g[i];
    }
    *length = sqrt(square);
    return slope;
}

static double difference_quotient(trial *t, pb_param *p)
{
    size_t n = count(p);
    pb_real *kept = pb_alloc(n * sizeof *kept), step = (pb_real)STEP;
    double loss[2];
    memcpy(kept, p->x, n * sizeof *kept);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < n; i++)
            p->x[i] = kept[i] + (pb_real)(side ? sign(i) : -sign(i)) * step;
        loss[side] = loss_of(t, false);
    }
    memcpy(p->x, kept, n * sizeof *kept);
    free(kept);
    return (loss[1] - loss[0]) / (2 * (double)step);
}

/* FLOPs done are those declared; bytes touched those planned, but for the last 64's rest. */
static void check_plan(trial *t)
{
    loss_of(t, false);
    uint64_t forward = pb_executor_flops(t->executor);
    pb_executor_backward(t->executor, t->graph);
    size_t touched = pb_executor_touched(t->executor);
    CHECK(held(t, forward == t->plan.forward_flops));
    CHECK(held(t, pb_executor_flops(t->executor) == t->plan.backward_flops + t->plan.recompute_flops));
    CHECK(held(t, touched <= t->plan.activations && touched + 64 > t->plan.activations));
}

/* Rows that nobody reads make no difference. */
static void check_without_dead_rows(trial *t, double loss, const double *slope)
{
    double whole = loss_of(t, true), length;
    CHECK(held(t, fabs(whole - loss) <= 10 * EXACT * fmax(1, fabs(loss))));
    backward(t);
    for (int i = 0; i < MOST_INPUTS; i++)
        if (t->want >> i & 1) {
            double want = slope_of(&t->param[i], &length);
            CHECK(held(t, fabs(slope[i] - want) <= 10 * EXACT * fmax(1, length)));
        }
}

static void check_trial(trial *t)
{
    double slope[MOST_INPUTS], length[MOST_INPUTS], loss = loss_of(t, false);
    backward(t);
    for (int i = 0; i < MOST_INPUTS; i++)
        if (t->want >> i & 1)
            slope[i] = slope_of(&t->param[i], &length[i]);
    for (int i = 0; i < MOST_INPUTS; i++)
        if (t->want >> i & 1) {
            double got = difference_quotient(t, &t->param[i]);
            if (!CHECK(held(t, fabs(got - slope[i]) <= SLOPE * length[i] + FLOOR)))
                printf("  slope of input %d: %.9g, by differences %.9g\n", i, slope[i], got);
        }
    check_plan(t);
    if (t->reading >= FIRST)
        check_without_dead_rows(t, loss, slope);
}

/* Whether there is a row of every sequence to read. */
static bool fits(trial *t)
{
    build(t);
    return t->reading < FIRST || has_every_sequence(t->output->set);
}

/* All readings, and all sets of inputs that train (two threads: only all of them); the first bad
 * trial speaks for the others. */
static void check_batch(const op_case *op, const batch *b)
{
    unsigned all = 0;
    for (int i = 0; i < MOST_INPUTS && op->input[i].cols; i++)
        all |= 1u << i;
    for (int reading = 0; reading < READINGS; reading++)
        for (unsigned want = pb_threads_count() > 1 ? all : 1; want <= all; want++) {
            trial t = open_trial(op, b, (reading_of)reading, want);
            int before = test_state.failures;
            if (fits(&t))
                check_trial(&t);
            close_trial(&t);
            if (test_state.failures > before)
                return;
        }
}

static void check_all(int threads)
{
    pb_threads_start(threads);
    for (size_t c = 0; c < PB_COUNT(cases); c++)
        for (size_t b = 0; b < PB_COUNT(batches); b++)
            check_batch(&cases[c], &batches[b]);
    pb_threads_stop();
}

TEST(gradients_flops_and_bytes_of_every_op)
{
    check_all(1);
}

TEST(gradients_flops_and_bytes_of_every_op_on_two_threads)
{
    check_all(2);
}

/* ---- FLOPs by hand --------------------------------------------------------------------------------------- */

static void check_flops(pb_node *(*op)(pb_graph *g, pb_node **in, const pb_rows *set), const int *shape, unsigned want,
                        uint64_t forward, uint64_t backward)
{
    op_case one = {.name = "flops", .build = op};
    for (int i = 0; i < MOST_INPUTS && shape[2 * i + 1]; i++) {
        one.input[i].rows = shape[2 * i];
        one.input[i].cols = shape[2 * i + 1];
    }
    trial t = open_trial(&one, &batches[1], ALONE, want);
    loss_of(&t, false);
    CHECK_INT((long long)t.plan.forward_flops, (long long)forward);
    CHECK_INT((long long)t.plan.backward_flops, (long long)backward);
    close_trial(&t);
}

/* A hook passes on what another function has returned, NULL after its error.  Only some inputs may be absent. */
TEST(an_absent_input_is_refused_unless_it_is_optional)
{
    for (size_t c = 0; c < PB_COUNT(cases); c++)
        for (int i = 0; i < MOST_INPUTS && cases[c].input[i].cols; i++) {
            trial t = open_trial(&cases[c], &batches[0], LAST, 1);
            t.absent = i + 1;
            pb_error_clear();
            CHECK(held(&t, build(&t) || *pb_error_text()));
            CHECK(held(&t, i > 0 || !t.output));
            close_trial(&t);
        }
    pb_error_clear();
}

TEST(flops_of_kronecker_and_group_products)
{
    enum { T = 15, SIDE = 2 * T * 2 * 3 * 4, RIGHT = 2 * T * 3 * 3 * 4, LEFT = 2 * T * 4 * 3 * 3 };
    static const int kron[] = {0, 12, 2, 3, 3, 4}, tall[] = {0, 12, 4, 3, 3, 4}, groups[] = {6, 4, 12, 5, 0, 0};
    check_flops(build_kron, kron, 7, 2 * SIDE, 2 * 2 * SIDE);           /* A X [2,4], and then B^T */
    check_flops(build_kron, kron, 2, 2 * SIDE, SIDE + SIDE);            /* dA, through B */
    check_flops(build_kron, tall, 7, RIGHT + LEFT, 2 * (RIGHT + LEFT)); /* X B^T [3,3], and then A */
    check_flops(build_kron, tall, 2, RIGHT + LEFT, LEFT);
    check_flops(build_group_product, groups, 3, 2 * 6 * 4 * 5, 2 * 2 * 6 * 4 * 5);
}

TEST(flops_are_those_of_the_textbook)
{
    static const int linear[] = {0, 10, 7, 10, 1, 7}, add[] = {0, 9, 0, 3, 9, 3}, attention[] = {0, 8, 0, 8, 0, 8};
    static const int sparse[] = {0, 9, 0, 10, 1, 14};
    enum { T = 15, ALL_PAIRS = 9 + 1 + 25 + 4 + 16, CAUSAL_PAIRS = 6 + 1 + 15 + 3 + 10 };
    check_flops(build_linear, linear, 7, 2 * T * 70, 2 * 2 * T * 70); /* dx and dW; db multiplies nothing */
    check_flops(build_linear, linear, 2, 2 * T * 70, 2 * T * 70);
    check_flops(build_linear, linear, 4, 2 * T * 70, 0);
    check_flops(build_linear_add, add, 1, 2 * T * 27, 0);
    check_flops(build_linear_add, add, 7, 2 * T * 27, 2 * 2 * T * 27);
    check_flops(build_sparse_add, sparse, 7, 2 * T * 14, 2 * 2 * T * 14); /* dx and dv */
    check_flops(build_sparse_add, sparse, 4, 2 * T * 14, 2 * T * 14);
    check_flops(build_attention, attention, 7, 2 * 2 * ALL_PAIRS * 8, 5 * 2 * ALL_PAIRS * 8);
    check_flops(build_attention, attention, 1, 2 * 2 * ALL_PAIRS * 8, 3 * 2 * ALL_PAIRS * 8);
    check_flops(build_attention, attention, 4, 2 * 2 * ALL_PAIRS * 8, 2 * 2 * ALL_PAIRS * 8);
    check_flops(build_orthogonal_rows, (const int[]){3, 9, 0, 0}, 1, 2 * 3 * 3 * 9, 2 * 3 * 3 * 9);
    check_flops(build_orthogonal_columns, (const int[]){9, 4, 0, 0}, 1, 2 * 4 * 4 * 9, 2 * 4 * 4 * 9);
    static const int lstm[] = {5, 12, 12, 3, 0, 0};
    check_flops(build_lstm, lstm, 3, 4 * 2 * 12 * 3, 2 * 4 * 2 * 12 * 3); /* four steps have one before them */
    check_flops(build_lstm, lstm, 1, 4 * 2 * 12 * 3, 4 * 2 * 12 * 3);
    static const int cross[] = {0, 12, 5, 6, 5, 6};
    check_flops(build_cross_attention, cross, 7, 2 * 2 * T * 5 * 12, 5 * 2 * T * 5 * 12);
    check_flops(build_cross_attention, cross, 4, 2 * 2 * T * 5 * 12, 2 * 2 * T * 5 * 12);
    check_flops(build_causal, attention, 7, 2 * 2 * CAUSAL_PAIRS * 8, 5 * 2 * CAUSAL_PAIRS * 8);
    static const int product[] = {5, 7, 7, 4, 0, 0}, vector[] = {1, 11, 0, 0};
    check_flops(build_product, product, 3, 2 * 5 * 7 * 4, 2 * 2 * 5 * 7 * 4);
    check_flops(build_product, product, 2, 2 * 5 * 7 * 4, 2 * 5 * 7 * 4);
    static const int reflections[] = {0, 10, 3, 10, 0, 0}, skew[] = {3, 6, 0, 0}, parts[] = {0, 12, 12, 5, 0, 0};
    check_flops(build_householder, reflections, 1, 2 * T * 69 + 180 + 8, 2 * T * 69); /* U U^T, (r^3 - r) / 3 */
    check_flops(build_cayley, skew, 1, 3 * 2 * 64, 3 * 2 * 2 * 64); /* 3 blocks, an inverse; two products */
    check_flops(build_cayley_of_5_terms, skew, 1, 3 * 3 * 2 * 64, 3 * 8 * 2 * 64);
    check_flops(build_blocks, parts, 3, 2 * T * 12 * 5, 2 * 2 * T * 12 * 5);
    check_flops(build_fastfood, vector, 1, 3 * 2 * 16 * 4, 3 * 2 * 16 * 4); /* three blocks, two H each, 16 log2(16) */
}

/* ---- the same keys for every row ----------------------------------------------------------------------------- */

/* Adds up what both kinds of attention compute, with opposite signs: the keys of every sequence are the rows of p. */
static pb_node *attention_apart(pb_graph *g, pb_param *p, pb_node *q, const pb_rows *set, int heads)
{
    pb_node *k = pb_graph_param(g, p), *v = pb_op_act(g, PB_TANH, k);
    int rows = p->rows, *offset = numbers(g, set->sequences + 1, rows, 1 << 20);
    const pb_rows *keys = pb_rows_whole(g, set->sequences, offset);
    pb_node *each = pb_op_embed(g, k, keys, numbers(g, keys->count, 1, rows));
    pb_node *whole = pb_op_attention(g, q, each, pb_op_act(g, PB_TANH, each), (pb_attention_conf){.heads = heads});
    return pb_op_add(g, pb_op_cross_attention(g, q, k, v, heads), pb_op_times(g, whole, -1));
}

TEST(cross_attention_is_attention_to_the_same_rows_in_every_sequence)
{
    static pb_real x[15 * 12], keys[5 * 6];
    static const int offset[] = {0, 3, 4, 9, 11, 15};
    pb_rng r = pb_rng_named(4, "keys");
    fill_random(&r, PB_COUNT(x), x);
    fill_random(&r, PB_COUNT(keys), keys);
    pb_param p = {.name = "keys", .rows = 5, .cols = 6, .x = keys};
    pb_arena *arena = pb_arena_new("cross");
    pb_executor *m = pb_executor_new();
    pb_graph *g = pb_graph_new(arena, false);
    const pb_rows *set = pb_rows_whole(g, 5, offset);
    pb_node *n = attention_apart(g, &p, pb_graph_input(g, set, 12, x), set, 4);
    pb_plan plan;
    CHECK_INT(pb_graph_plan(g, n, NULL, &plan), 0);
    pb_executor_bind(m, g, &plan);
    pb_executor_forward(m, g);
    for (int i = 0; i < 15 * 12; i++)
        CHECK_NEAR((double)pb_graph_output(g)->x[i], 0, EXACT);
    pb_executor_free(m);
    pb_arena_free(arena);
}

/* ---- lengths of rows, of a matrix in full and in four bits ------------------------------------------------ */

static void check_lengths(pb_param *w, const double *want)
{
    static pb_real b[37 * 2], a[2 * 70];
    pb_rng r = pb_rng_named(3, "change");
    fill_random(&r, PB_COUNT(b), b);
    fill_random(&r, PB_COUNT(a), a);
    pb_param change[] = {{.rows = 37, .cols = 2, .x = b, .trainable = true},
                         {.rows = 2, .cols = 70, .x = a, .trainable = true}};
    pb_arena *arena = pb_arena_new("lengths");
    pb_executor *m = pb_executor_new();
    pb_graph *g = pb_graph_new(arena, true);
    pb_plan plan;
    pb_node *n = pb_op_inverse_row_norms(g, pb_graph_param(g, w), pb_graph_param(g, &change[0]),
                                         pb_graph_param(g, &change[1]), 0.5);
    CHECK(!n->requires_grad); /* a constant */
    CHECK_INT(pb_graph_plan(g, n, NULL, &plan), 0);
    CHECK_INT((long long)plan.forward_flops, 2 * 37 * 70 * 2);
    pb_executor_bind(m, g, &plan);
    pb_executor_forward(m, g);
    for (int o = 0; o < 37; o++) {
        double squares = 0;
        for (int i = 0; i < 70; i++)
            squares += pow(want[o * 70 + i] + 0.5 * (double)(b[o * 2] * a[i] + b[o * 2 + 1] * a[70 + i]), 2);
        CHECK_NEAR((double)n->x[o], 1 / sqrt(squares), 10 * EXACT);
    }
    pb_executor_free(m);
    pb_arena_free(arena);
}

TEST(lengths_are_of_the_rows_as_they_are_held)
{
    enum { N = 37 * 70 };
    static double want[N];
    static pb_real x[N];
    pb_rng r = pb_rng_named(2, "matrix");
    fill_random(&r, N, x);
    for (int i = 0; i < N; i++)
        want[i] = (double)x[i];
    pb_threads_start(2);
    check_lengths(&(pb_param){.rows = 37, .cols = 70, .x = x}, want);
    void *memory = pb_alloc(pb_packed_bytes(PB_IN_NF4, true, 37, 70));
    pb_packed packed = pb_pack(PB_IN_NF4, true, 37, 70, x, memory);
    pb_unpack(&packed, 0, 37, 0, 70, x, 70);
    for (int i = 0; i < N; i++)
        want[i] = (double)x[i];
    check_lengths(&(pb_param){.rows = 37, .cols = 70, .packed = &packed}, want);
    pb_threads_stop();
    free(memory);
}

/* ---- orthogonality: its value by hand, and no slope where there is none ------------------------------------- */

/* Writes the gradient to g, and returns the value. */
static double orthogonality_of(int rows, int cols, bool columns, pb_real *x, pb_real *g)
{
    pb_param a = {.rows = rows, .cols = cols, .x = x, .g = g, .trainable = true};
    pb_arena *arena = pb_arena_new("orthogonality");
    pb_executor *m = pb_executor_new();
    pb_graph *graph = pb_graph_new(arena, true);
    pb_plan plan;
    pb_node *n = pb_op_orthogonality(graph, pb_graph_param(graph, &a), columns);
    CHECK_INT(pb_graph_plan(graph, n, n, &plan), 0);
    pb_executor_bind(m, graph, &plan);
    pb_executor_forward(m, graph);
    pb_executor_backward(m, graph);
    double value = (double)n->x[0];
    pb_executor_free(m);
    pb_arena_free(arena);
    return value;
}

TEST(orthogonality_is_the_distance_of_the_gram_matrix_from_the_identity)
{
    pb_real rows[] = {1, 0, 0, 0, 0, 1}, columns[] = {1, 0, 0, 0, 0, 1}, skew[] = {1, 2, 0, 0, 1, 3}, g[6];
    CHECK_NEAR(orthogonality_of(2, 3, false, rows, g), 0, EXACT);
    for (int i = 0; i < 6; i++)
        CHECK_NEAR((double)g[i], 0, EXACT); /* and not 0 / 0 */
    CHECK_NEAR(orthogonality_of(3, 2, true, columns, g), 0, EXACT);
    CHECK_NEAR((double)g[0], 0, EXACT);
    /* [1 2 0; 0 1 3]: the rows' products less I are [4 2; 2 9], the columns' [0 2 0; 2 4 3; 0 3 8] */
    CHECK_NEAR(orthogonality_of(2, 3, false, skew, g), sqrt(16 + 4 + 4 + 81), 10 * EXACT);
    CHECK_NEAR((double)g[0], 2 * (4 * 1 + 2 * 0) / sqrt(105), 10 * EXACT);
    CHECK_NEAR((double)g[5], 2 * (2 * 0 + 9 * 3) / sqrt(105), 10 * EXACT);
    CHECK_NEAR(orthogonality_of(2, 3, true, skew, g), sqrt(4 + 4 + 16 + 9 + 9 + 64), 10 * EXACT);
}

/* ---- stop: x times a stopped x has the slope x, not 2 x ------------------------------------------------------- */

TEST(a_stopped_factor_is_a_constant)
{
    pb_real x[] = {1, -2, 3, (pb_real)0.5, 4, -1}, g[6];
    pb_param p = {.rows = 2, .cols = 3, .x = x, .g = g, .trainable = true};
    pb_arena *arena = pb_arena_new("stop");
    pb_executor *m = pb_executor_new();
    pb_graph *graph = pb_graph_new(arena, true);
    pb_plan plan;
    pb_node *leaf = pb_graph_param(graph, &p), *stopped = pb_op_stop(graph, leaf);
    CHECK(!stopped->requires_grad && pb_graph_stops_gradient(graph));
    pb_node *loss = pb_op_sum(graph, pb_op_multiply(graph, leaf, stopped));
    CHECK_INT(pb_graph_plan(graph, loss, loss, &plan), 0);
    pb_executor_bind(m, graph, &plan);
    pb_executor_forward(m, graph);
    CHECK_NEAR((double)loss->x[0], 31.25, 10 * EXACT);
    pb_executor_backward(m, graph);
    CHECK(same_bits(6, g, x));
    pb_executor_free(m);
    pb_arena_free(arena);
}

/* ---- a packed weight in full ------------------------------------------------------------------------------ */

/* The gradient of x in y = x W^T, with W held as it is and unpacked for its use. */
static void run_unpacked(pb_param *w, pb_param *x, bool remade, pb_plan *plan)
{
    pb_arena *arena = pb_arena_new("unpack");
    pb_executor *m = pb_executor_new();
    pb_graph *g = pb_graph_new(arena, true);
    pb_node *full = pb_op_unpack(g, pb_graph_param(g, w));
    CHECK((full->op == NULL) == (w->packed == NULL) && !full->requires_grad);
    pb_node *y = pb_op_linear(g, pb_graph_param(g, x), remade ? pb_graph_remake(g, full) : full, NULL);
    pb_node *loss = pb_graph_apply(g, &dot, NULL, y, NULL, NULL, NULL);
    CHECK_INT(pb_graph_plan(g, loss, loss, plan), 0);
    pb_executor_bind(m, g, plan);
    pb_executor_forward(m, g);
    if (remade)
        pb_executor_poison(m, g);
    pb_executor_backward(m, g);
    pb_executor_free(m);
    pb_arena_free(arena);
}

TEST(a_packed_weight_is_unpacked_as_it_is_held)
{
    enum { N = 37 * 70, M = 5 * 70 };
    static pb_real w[N], want[M], got[M];
    pb_rng r = pb_rng_named(8, "unpack");
    fill_random(&r, N, w);
    void *memory = pb_alloc(pb_packed_bytes(PB_IN_NF4, true, 37, 70));
    pb_packed packed = pb_pack(PB_IN_NF4, true, 37, 70, w, memory);
    pb_unpack(&packed, 0, 37, 0, 70, w, 70);
    pb_param x = {.rows = 5, .cols = 70, .x = random_reals(&r, M), .g = want, .trainable = true};
    pb_plan plan;
    run_unpacked(&(pb_param){.rows = 37, .cols = 70, .x = w}, &x, false, &plan);
    x.g = got;
    for (int remade = 0; remade < 2; remade++) {
        fill_nan(M, got);
        run_unpacked(&(pb_param){.rows = 37, .cols = 70, .packed = &packed}, &x, remade, &plan);
        CHECK(same_bits(M, got, want));
    }
    free(x.x);
    free(memory);
}

/* ---- a table's gradient is sparse ------------------------------------------------------------------------- */

enum { WORDS = 40, WIDTH = 5 };

/* Two texts read one table. */
static void run_table(pb_param *table, pb_arena *arena, pb_plan *plan)
{
    static const int offset[] = {0, 3, 4}, one[] = {7, 3, 7, 39}, two[] = {3, 0, 21, 3};
    pb_executor *m = pb_executor_new();
    pb_arena_reset(arena);
    pb_graph *g = pb_graph_new(arena, true);
    const pb_rows *set = pb_rows_whole(g, 2, offset);
    pb_node *leaf = pb_graph_param(g, table);
    pb_node *a = pb_op_embed(g, leaf, set, one), *b = pb_op_act(g, PB_TANH, pb_op_embed(g, leaf, set, two));
    pb_node *loss = pb_graph_apply(g, &dot, NULL, a, b, NULL, NULL);
    CHECK_INT(pb_graph_plan(g, loss, loss, plan), 0);
    pb_executor_bind(m, g, plan);
    pb_executor_forward(m, g);
    pb_executor_backward(m, g);
    pb_executor_free(m);
}

TEST(a_table_s_gradient_has_a_row_for_each_touched_word)
{
    static const int touched[] = {0, 3, 7, 21, 39};
    pb_real dense[WORDS * WIDTH], sparse[WORDS * WIDTH];
    int slot[WORDS], rows = 0;
    pb_rng r = pb_rng_named(1, "table");
    pb_arena *arena = pb_arena_new("table");
    pb_param table = {
        .rows = WORDS, .cols = WIDTH, .x = random_reals(&r, sizeof dense / sizeof *dense), .trainable = true};
    pb_plan plan;
    table.g = dense;
    run_table(&table, arena, &plan);
    CHECK_INT((long long)plan.gradients, sizeof dense);
    table.g = sparse;
    table.slot = slot;
    for (int again = 0; again < 2; again++) { /* each graph starts with no touched row */
        fill_nan(WORDS * WIDTH, sparse);
        run_table(&table, arena, &plan);
        CHECK_INT(table.touched, PB_COUNT(touched));
    }
    CHECK_INT((long long)plan.gradients, (long long)(PB_COUNT(touched) * WIDTH * sizeof *sparse));
    for (int w = 0; w < WORDS; w++) {
        bool is_touched = rows < (int)PB_COUNT(touched) && touched[rows] == w;
        rows += is_touched;
        CHECK_INT(slot[w] >= 0, is_touched);
        for (int j = 0; j < WIDTH; j++)
            CHECK_NEAR((double)dense[w * WIDTH + j], is_touched ? (double)sparse[slot[w] * WIDTH + j] : 0, EXACT);
    }
    free(table.x);
    pb_arena_free(arena);
}

/* ---- consistency by its definition ---------------------------------------------------------------------- */

static double divergence(size_t n, const pb_real *a, const pb_real *b) /* KL(softmax(a) || softmax(b)) */
{
    double sum = 0, log_p = pb_log_sum_exp(n, a), log_q = pb_log_sum_exp(n, b);
    for (size_t i = 0; i < n; i++)
        sum += exp((double)a[i] - log_p) * ((double)a[i] - log_p - (double)b[i] + log_q);
    return sum;
}

static double consistency_of(pb_real *a, pb_real *b)
{
    static const int offset[] = {0, 1, 2};
    pb_arena *arena = pb_arena_new("consistency");
    pb_executor *m = pb_executor_new();
    pb_graph *g = pb_graph_new(arena, false);
    const pb_rows *set = pb_rows_whole(g, 2, offset);
    pb_plan plan;
    pb_node *n = pb_op_consistency(g, pb_graph_input(g, set, 3, a), pb_graph_input(g, set, 3, b));
    CHECK_INT(pb_graph_plan(g, n, NULL, &plan), 0);
    pb_executor_bind(m, g, &plan);
    pb_executor_forward(m, g);
    double value = (double)n->x[0];
    pb_executor_free(m);
    pb_arena_free(arena);
    return value;
}

TEST(consistency_is_the_mean_of_both_divergences)
{
    pb_real a[] = {1, -2, (pb_real)0.5, 90, 3, -100}, b[] = {0, 1, 2, 80, 81, (pb_real)-3.5}, same[6];
    double want = 0;
    for (int r = 0; r < 2; r++)
        want += (divergence(3, a + 3 * r, b + 3 * r) + divergence(3, b + 3 * r, a + 3 * r)) / 4;
    CHECK_NEAR(consistency_of(a, b), want, 1e-5 * want);
    memcpy(same, a, sizeof a);
    CHECK(consistency_of(a, same) == 0); /* not small: zero */
}

/* ---- refusals ---------------------------------------------------------------------------------------------- */

enum {
    BAD_LINEAR,
    BAD_LINEAR_ADD,
    BAD_ADD,
    BAD_TWICE,
    BAD_SCALE,
    BAD_SCALE_ROWS,
    BAD_MULTIPLY,
    BAD_SQUARE,
    BAD_SHIFT,
    BAD_CONSISTENCY,
    BAD_NORM,
    BAD_HEADS,
    BAD_ATTENTION,
    BAD_SELECT,
    BAD_PREPEND,
    BAD_ID,
    BAD_WIDTH,
    BAD_POSITION,
    BAD_TYPE,
    BAD_LABEL,
    BAD_GROUP,
    BAD_GROUP_LABEL,
    BAD_PRODUCT,
    BAD_PRODUCT_OF_ROWS,
    BAD_RESHAPE,
    BAD_RESHAPE_OF_ROWS,
    BAD_ROWS,
    BAD_ROWS_OF_ROWS,
    BAD_FASTFOOD,
    BAD_REMAKE,
    BADS
};

static pb_node *build_bad(int which, pb_graph *g, pb_node *x, const pb_rows *set, pb_param *p)
{
    static const int bad_ids[] = {0, 4, 5, 0}, bad_label[] = {0, -1, 6, 0}, few_rows[] = {0, 3}, all_rows[] = {0, 4};
    pb_node *w = pb_graph_param(g, &p[0]), *short_table = pb_graph_param(g, &p[1]);
    switch (which) {
    case BAD_LINEAR: return pb_op_linear(g, x, w, NULL);
    case BAD_LINEAR_ADD: return pb_op_linear_add(g, x, pb_op_act(g, PB_TANH, x), w, 1);
    case BAD_ADD: return pb_op_add(g, x, w);
    case BAD_TWICE: return pb_op_add(g, x, x);
    case BAD_SCALE: return pb_op_scale(g, x, w);
    case BAD_SCALE_ROWS: return pb_op_scale(g, x, pb_op_columns(g, w, 0, 1));
    case BAD_MULTIPLY: return pb_op_multiply(g, x, w);
    case BAD_SQUARE: return pb_op_multiply(g, x, x);
    case BAD_SHIFT: return pb_op_shift(g, x, short_table);
    case BAD_CONSISTENCY: return pb_op_consistency(g, x, w);
    case BAD_NORM: return pb_op_norm(g, x, w, short_table, 1e-5);
    case BAD_HEADS:
        return pb_op_attention(g, x, pb_op_act(g, PB_TANH, x), pb_op_act(g, PB_TANH, x),
                               (pb_attention_conf){.heads = 4});
    case BAD_ATTENTION: return pb_op_attention(g, x, w, pb_op_act(g, PB_TANH, w), (pb_attention_conf){.heads = 2});
    case BAD_SELECT: return pb_op_select(g, x, pb_rows_pick(g, pb_rows_whole(g, 2, set->offset), 0));
    case BAD_PREPEND: return pb_op_prepend(g, w, x);
    case BAD_ID: return pb_op_embed(g, w, set, bad_ids);
    case BAD_WIDTH: return pb_op_position(g, x, w, short_table, 0, NULL);
    case BAD_POSITION: return pb_op_position(g, x, short_table, pb_op_act(g, PB_TANH, short_table), 0, NULL);
    case BAD_TYPE: return pb_op_position(g, x, pb_graph_param(g, &p[2]), short_table, 0, bad_ids);
    case BAD_LABEL: return pb_op_cross_entropy(g, x, bad_label);
    case BAD_GROUP: return pb_op_group_cross_entropy(g, pb_op_columns(g, x, 0, 1), 1, few_rows, few_rows);
    case BAD_GROUP_LABEL: return pb_op_group_cross_entropy(g, pb_op_columns(g, x, 0, 1), 1, all_rows, all_rows + 1);
    case BAD_PRODUCT: return pb_op_product(g, w, false, short_table, false);
    case BAD_PRODUCT_OF_ROWS: return pb_op_product(g, x, false, short_table, true);
    case BAD_RESHAPE: return pb_op_reshape(g, w, 7, 6);
    case BAD_RESHAPE_OF_ROWS: return pb_op_reshape(g, x, 6, 4);
    case BAD_ROWS: return pb_op_rows(g, w, 3, 3);
    case BAD_ROWS_OF_ROWS: return pb_op_rows(g, x, 0, 1);
    case BAD_FASTFOOD: return pb_op_fastfood(g, short_table, 1, 3, 3);
    case BAD_REMAKE: return pb_graph_remake(g, pb_op_act(g, PB_TANH, x));
    default: PB_BUG("case %d", which);
    }
}

TEST(what_does_not_fit_is_refused_and_the_graph_stays_refused)
{
    static const char *const want[BADS] = {
        [BAD_LINEAR] = "linear: x [4,6], W [5,7]",
        [BAD_LINEAR_ADD] = "linear_add: y [4,6], h [4,6], W [5,7]",
        [BAD_ADD] = "add: [4,6] + [5,7]",
        [BAD_TWICE] = "add: inputs 0 and 1",
        [BAD_SCALE] = "scale: ",
        [BAD_SCALE_ROWS] = "scale: x [4,6] * l [5,1]",
        [BAD_MULTIPLY] = "multiply: [4,6] * [5,7]",
        [BAD_SQUARE] = "multiply: inputs 0 and 1",
        [BAD_SHIFT] = "shift: x [4,6] + b [2,6]",
        [BAD_CONSISTENCY] = "consistency: predictions [4,6] and [5,7]",
        [BAD_NORM] = "norm: ",
        [BAD_HEADS] = "attention: ",
        [BAD_ATTENTION] = "attention: ",
        [BAD_SELECT] = "select: ",
        [BAD_PREPEND] = "prepend: want a prefix [P,6]",
        [BAD_ID] = "embed: token id 5, want 0..4",
        [BAD_WIDTH] = "position: want tokens",
        [BAD_POSITION] = "position: 2, want 0..1",
        [BAD_TYPE] = "token type 4, want 0..1: the model has 2 (type_vocab_size in config.json)",
        [BAD_LABEL] = "cross entropy: label 6, want 0..5",
        [BAD_GROUP] = "group cross entropy: x is [4,1], want [3,1]",
        [BAD_GROUP_LABEL] = "group cross entropy: label 4, want 0..3",
        [BAD_PRODUCT] = "product: A [5,7], B [2,6]",
        [BAD_PRODUCT_OF_ROWS] = "product: A [4,6], B^T [2,6] do not fit, want two matrices of parameters",
        [BAD_RESHAPE] = "reshape: [5,7] to [7,6]",
        [BAD_RESHAPE_OF_ROWS] = "reshape: a batch [4,6] to [6,4]",
        [BAD_ROWS] = "rows: 3 from 3 of [5,7]",
        [BAD_ROWS_OF_ROWS] = "rows: 1 from 0 of a batch [4,6]",
        [BAD_FASTFOOD] = "fastfood: v [2,6] to [3,3], want a vector",
        [BAD_REMAKE] = "act: a weight [4,6] that depends on the batch",
    };
    static const int offset[] = {0, 3, 4};
    pb_real x[4 * 6] = {0}, value[5 * 7] = {0};
    pb_arena *arena = pb_arena_new("bad");
    for (int i = 0; i < BADS; i++) {
        pb_param p[] = {
            {.rows = 5, .cols = 7, .x = value}, {.rows = 2, .cols = 6, .x = value}, {.rows = 5, .cols = 6, .x = value}};
        pb_plan plan;
        pb_graph *g = pb_graph_new(arena, true);
        const pb_rows *set = pb_rows_whole(g, 2, offset);
        pb_node *in = pb_graph_input(g, set, 6, x);
        CHECK(!build_bad(i, g, in, set, p));
        if (!CHECK(strstr(pb_error_text(), want[i]) == pb_error_text()))
            printf("  %s\n", pb_error_text());
        CHECK(!pb_op_act(g, PB_TANH, in) && !pb_op_linear(g, NULL, NULL, NULL) && !pb_op_prepend(g, NULL, NULL));
        CHECK(!pb_graph_param(g, p) && !pb_graph_input(g, set, 6, x) && !pb_graph_feature(g, NULL));
        CHECK_INT(pb_graph_plan(g, NULL, NULL, &plan), -1);
        pb_error_clear();
    }
    pb_arena_free(arena);
}
