/* op: the builders of a graph, one line each with its formula.
 *
 * Every function returns a new node, or NULL after an error (see graph.h).  x is [T,in] unless
 * said otherwise; parameters come as leaves.
 */
#ifndef PB_OP_H
#define PB_OP_H

#include "graph/graph.h"
#include "numeric/kernel.h"

/* y[t] = table[ids[t]]; table [V,C].  ids must outlive the graph. */
pb_node *pb_op_embed(pb_graph *g, pb_node *table, const pb_rows *set, const int *ids);

/* y[t] = x[t] + place[first + position(t)] + type[0]; place [P,C], type [1 or more,C] or NULL. */
pb_node *pb_op_position(pb_graph *g, pb_node *x, pb_node *place, pb_node *type, int first);

/* y = x W^T + b;  W [out,in], b [1,out] or NULL. */
pb_node *pb_op_linear(pb_graph *g, pb_node *x, pb_node *w, pb_node *b);

/* z = y + scale * h W^T;  y [T,out], h [T,r], W [out,r]. */
pb_node *pb_op_linear_add(pb_graph *g, pb_node *y, pb_node *h, pb_node *w, double scale);

/* a + b, same shape. */
pb_node *pb_op_add(pb_graph *g, pb_node *a, pb_node *b);

/* y[t,j] = x[t,j] * l[j];  l [1,C]. */
pb_node *pb_op_scale(pb_graph *g, pb_node *x, pb_node *l);

/* y[t,j] = b[j] + (x[t,j] - b[j]) * l[j];  l and b [1,C]; b NULL: as pb_op_scale. */
pb_node *pb_op_scale_about(pb_graph *g, pb_node *x, pb_node *l, pb_node *b);

/* y[0,j] = 1 / length of row j of W + scale * B A (0 for a row of zeros);  W [out,in], B [out,r],
 * A [r,in], y [1,out].  A constant to gradients. */
pb_node *pb_op_inverse_row_norms(pb_graph *g, pb_node *w, pb_node *b, pb_node *a, double scale);

/* Writes the Euclidean norms of rows from .. to-1 of W + scale * B A (B and A NULL: of W) to norm [to-from];
 * `scratch` has (to-from) * in elements. */
void pb_updated_row_norms(const pb_param *w, int from, int to, double scale, const pb_real *B, const pb_real *A,
                          int rank, pb_real *scratch, double *norm);

/* f(x), element by element. */
pb_node *pb_op_act(pb_graph *g, pb_act act, pb_node *x);

/* f(a) * b, element by element. */
pb_node *pb_op_gate(pb_graph *g, pb_act act, pb_node *a, pb_node *b);

/* Columns from .. from+count-1 of x. */
pb_node *pb_op_columns(pb_graph *g, pb_node *x, int from, int count);

/* (x - mean) / sqrt(variance + eps) * gamma + beta, each row by itself. */
pb_node *pb_op_norm(pb_graph *g, pb_node *x, pb_node *gamma, pb_node *beta, double eps);

/* x / sqrt(mean of x^2 + eps) * gamma, each row by itself; with gamma [1,n] and x [T,k*n] each n
 * columns of a row by themselves (the norm of every head). */
pb_node *pb_op_rmsnorm(pb_graph *g, pb_node *x, pb_node *gamma, double eps);

/* Rotary positions: the pairs (i, i + head_size/2) of each head of row t are turned by the angles of
 * position first + position(t).  table [positions, head_size]: head_size/2 cosines, then as many
 * sines, of each position; it must outlive the graph and be long enough. */
pb_node *pb_op_rope(pb_graph *g, pb_node *x, int head_size, const pb_real *table, int first);

/* Each element kept with probability 1-p and scaled by 1/(1-p); the mask is a pure function
 * of key and the element's place in its whole set, so narrowing does not change it. */
pb_node *pb_op_dropout(pb_graph *g, pb_node *x, double p, uint64_t key);

/* Keys and values of a sequence in one layer, left by earlier graphs: those of `before`, then `rows` rows of its
 * own, k and v [capacity, kv*hd]. */
typedef struct pb_cache_segment {
    const struct pb_cache_segment *before; /* may be the past of many sequences; NULL: nothing stands before */
    pb_real *k, *v;
    int rows, capacity;
    int places; /* taken in the whole sequence so far: where its next row stands; a prefix takes none */
} pb_cache_segment;
int pb_cache_segment_rows(const pb_cache_segment *p); /* with those of all before; NULL: 0 */

/* softmax(scale * q k^T) v per sequence and head.  q [T,heads*hd]; k and v [Tk,kv*hd], where heads
 * is a multiple of kv: each key head serves heads/kv query heads in a row.  k and v may own more rows
 * a sequence than q (a prefix).  With a past, which must outlive the graph, each sequence's keys stand behind
 * those of its past, read when the graph runs; then no gradient can be wanted. */
typedef struct pb_attention_conf {
    int heads;
    bool causal;
    double scale; /* 0: 1/sqrt(hd)                              */
    double drop;  /* of the probabilities, as pb_op_dropout     */
    uint64_t key;
    pb_cache_segment *const *past; /* [sequences], or NULL                                          */
    bool keep;                     /* a run puts the keys and values behind the past's: there is room */
} pb_attention_conf;
pb_node *pb_op_attention(pb_graph *g, pb_node *q, pb_node *k, pb_node *v, pb_attention_conf conf);

/* Rows of x that `set` (a selection of x's own set) names. */
pb_node *pb_op_select(pb_graph *g, pb_node *x, const pb_rows *set);

/* p [P,C] in front of each sequence of x that begins in this graph: [T + sequences*P, C].  p belongs to no
 * batch.  x itself where all sequences go on from an earlier graph: there p is in front of them already. */
pb_node *pb_op_prepend(pb_graph *g, pb_node *p, pb_node *x);

/* mean over rows of -log softmax(x)[label];  [1,1].  label[i] < 0: row i not counted. */
pb_node *pb_op_cross_entropy(pb_graph *g, pb_node *x, const int *label);

/* sum over rows of weight[r] * mean over columns of (x[r] - target[r])^2;  [1,1].  target [rows,cols] and weight
 * [rows] must outlive the graph. */
pb_node *pb_op_square_loss(pb_graph *g, pb_node *x, const pb_real *target, const pb_real *weight);

/* The update of a projection by the adapter of one sequence: scale * up (down x), with down [rank,in] and up
 * [out,rank].  With down NULL it is scale * up x, and rank = in.  With up NULL nothing is added. */
typedef struct pb_lora_delta {
    const pb_real *down, *up;
    int in, out, rank;
    pb_real scale;
} pb_lora_delta;

/* z = y + the update of each sequence; y [T,out], x [T,in], delta [sequences].  For inference: it has no gradient.
 * delta must outlive the graph. */
pb_node *pb_op_batched_lora(pb_graph *g, pb_node *y, pb_node *x, const pb_lora_delta *delta);

/* The ops that the graph itself must know: where demand is made, and where noise is. */
extern const pb_op pb_op_select_op, pb_op_dropout_op, pb_op_attention_drop_op;

#endif
