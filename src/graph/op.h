/* op: the operations, one function each with its formula.
 *
 * Every function returns a new node, or NULL after an error (see graph.h).  T is the number of rows of a batch, C that
 * of columns.  x is [T,in] unless stated otherwise; parameters are given as leaves.
 */
#ifndef PB_OP_H
#define PB_OP_H

#include "graph/graph.h"
#include "numeric/kernel.h"

/* y[t] = table[ids[t]]; table [V,C].  ids must outlive the graph. */
pb_node *pb_op_embed(pb_graph *g, pb_node *table, const pb_rows *set, const int *ids);

/* y[t] = table[position(t) - shift[t]];  table [P,C], shift [set->count], which must outlive the graph. */
pb_node *pb_op_embed_position(pb_graph *g, pb_node *table, const pb_rows *set, const int *shift);

/* y[t] = r[i] with the first i for which of[i] = ids[t], x[t] if there is none; r [n,C].  ids [T] and of [n] must
 * outlive the graph. */
pb_node *pb_op_replace(pb_graph *g, pb_node *x, pb_node *r, const int *ids, const int *of);

/* y[t] = x[t] + table[first + position(t)] + type[token_type[t]]: position and token-type embeddings; table [P,C], type
 * [types,C] or NULL, token_type [T] or NULL: all 0.  token_type must outlive the graph. */
pb_node *pb_op_position(pb_graph *g, pb_node *x, pb_node *table, pb_node *type, int first, const int *token_type);

/* y = x W^T + b;  W [out,in], b [1,out] or NULL. */
pb_node *pb_op_linear(pb_graph *g, pb_node *x, pb_node *w, pb_node *b);

/* z = y + scale * h W^T;  y [T,out], h [T,r], W [out,r]. */
pb_node *pb_op_linear_add(pb_graph *g, pb_node *y, pb_node *h, pb_node *w, double scale);

/* z = y + x S^T;  y [T,out], x [T,in].  S [out,in] has the values v [1,k] at the places index [k] and is 0 elsewhere:
 * element (row, column) of S is place first + row * in + column.  The places are in ascending order.  Those below
 * `first` and those from first + out * in on belong to other matrices, which share v.  The gradient of S is computed
 * at the places only.  index must outlive the graph. */
pb_node *pb_op_sparse_add(pb_graph *g, pb_node *y, pb_node *x, pb_node *v, const int *index, int first);

/* The sum of the Gram matrices x^T x [in,in] of several graphs, and the number of rows of all x. */
typedef struct pb_gram {
    pb_real *sum;
    long long rows;
} pb_gram;

/* y, unchanged.  Running the graph adds the Gram matrix of all rows of x [T,in] to gram, which must outlive the graph.
 * For inference: it has no gradient. */
pb_node *pb_op_gram(pb_graph *g, pb_node *y, pb_node *x, pb_gram *gram);

/* y = op(a) op(b), two matrices of parameters; op is the transpose where ta or tb is set. */
pb_node *pb_op_product(pb_graph *g, pb_node *a, bool ta, pb_node *b, bool tb);

/* The transpose of a, a matrix of parameters. */
pb_node *pb_op_transpose(pb_graph *g, pb_node *a);

/* The product of groups of rows with a matrix for each, all of parameters: a [groups*k,q] is cut into groups of k rows,
 * w [groups*q,p] into matrices of q rows, and group i of y [groups*k,p] is group i of a times matrix i. */
pb_node *pb_op_group_product(pb_graph *g, pb_node *a, pb_node *w, int groups);

/* The same numbers, row by row, as a matrix [rows,cols] of as many elements; a is made of parameters. */
pb_node *pb_op_reshape(pb_graph *g, pb_node *a, int rows, int cols);

/* Rows from .. from+count-1 of a, a matrix of parameters: [count,C]. */
pb_node *pb_op_rows(pb_graph *g, pb_node *a, int from, int count);

/* x, without a gradient (stop-gradient): a constant to what reads it. */
pb_node *pb_op_stop(pb_graph *g, pb_node *x);

/* y = mu + e exp(v / 2) [T,r], normal numbers whose means mu and log-variances v are the halves of h [T,2r].  e is a
 * standard normal number that depends on the key, the token's place in its batch and the column only; without `random`
 * it is 1. */
pb_node *pb_op_normal(pb_graph *g, pb_node *h, uint64_t key, bool random);

/* y = (mu^2 + exp(v) - 1 - v) / 2 [T,r] of such an h: the divergence KL(N(mu, exp(v)) || N(0, 1)), element by
 * element. */
pb_node *pb_op_normal_divergence(pb_graph *g, pb_node *h);

/* The Khatri-Rao product of two matrices of parameters, the elementwise products of all pairs of rows: with a [p,C] and
 * b [q,C], row i*q + j of [p*q,C] is a[i] * b[j].  With `columns` those of all pairs of columns: with a [R,p] and b
 * [R,q], column i*q + j of [R,p*q] is a[:,i] * b[:,j]. */
pb_node *pb_op_khatri_rao(pb_graph *g, pb_node *a, pb_node *b, bool columns);

/* The elements of v [1,d], a vector of parameters, in any order and as often as wanted, as a matrix [rows,cols]:
 * element [i,j] is v[k] * scale[k] with k = index[i*cols + j], and 0 where k is -1.  index [rows*cols] and scale [d],
 * which may be NULL for 1, must outlive the graph. */
pb_node *pb_op_gather(pb_graph *g, pb_node *v, const int *index, const pb_real *scale, int rows, int cols);

/* A matrix [rows,cols] by its coefficients v [1,n] at the places index [n] of its spectrum, which is 0 elsewhere; place
 * row*cols + column.  PB_FOURIER: the real part of the inverse discrete Fourier transform in two dimensions, with the
 * factor 1/(rows*cols) (FourierFT: Gao et al. 2024, arXiv:2405.03003).  PB_HAAR: one level of the inverse Haar wavelet
 * transform (WaveFT: Bilican et al. 2025, arXiv:2505.12532); the quadrants of the spectrum are the means, the
 * differences of rows (on the right), those of columns (below) and those of both.  The transform's operations count as
 * FLOPs.  index must outlive the graph. */
typedef enum pb_basis { PB_FOURIER, PB_HAAR } pb_basis;
pb_node *pb_op_spectrum(pb_graph *g, pb_node *v, const int *index, int rows, int cols, pb_basis basis);

/* Rotations by the Cayley transform: q [k, size*(size-1)/2] holds the elements above the diagonal of k skew-symmetric
 * matrices Q, row by row; block i of the result [k*size,size] is (I - Q)(I + Q)^-1.  With terms > 0 it is the inverse
 * rotation (I + Q)(I - Q)^-1 with the Neumann series I + Q + .. + Q^(terms-2) for (I - Q)^-1, as PEFT computes it with
 * so many terms, of which there are at least 4: the error is of the order |Q|^(terms-1), and for |Q| >= 1 the result
 * has nothing of a rotation. */
pb_node *pb_op_cayley(pb_graph *g, pb_node *q, int size, int terms);

/* The skew-symmetric parts (A - A^T) / 2 of k square matrices a [k*size,size], one below the other: their elements
 * above the diagonal, row by row, [k, size*(size-1)/2]. */
pb_node *pb_op_skew(pb_graph *g, pb_node *a);

/* The rows of a (with `columns`: its columns), a matrix of parameters, divided by the larger one of their Euclidean
 * length and `least`, which is positive. */
pb_node *pb_op_unit(pb_graph *g, pb_node *a, bool columns, double least);

/* A matrix with orthonormal rows that span the rows of a [r,C], r <= C: L^-1 a with the Cholesky factor L of a a^T,
 * whose diagonal is positive; the Gram-Schmidt process. */
pb_node *pb_op_orthonormal(pb_graph *g, pb_node *a);

/* y[t] = softmax over the k largest elements of x[t], 0 elsewhere; k = 0: over all.  Of equal elements the first ones
 * count as larger. */
pb_node *pb_op_softmax(pb_graph *g, pb_node *x, int k);

/* The product with a block-diagonal matrix: the columns of x are cut into `blocks` equal parts, and part i of y is part
 * i of x times w_i.  w [blocks*q,p] holds the blocks w_i [q,p], one below the other, with q columns of x in a part: y
 * [T,blocks*p].  With w [q,p] all parts have the same block. */
pb_node *pb_op_blocks(pb_graph *g, pb_node *x, pb_node *w, int blocks);

/* y[t,j] = x[t,index[j]]; index [C] is a permutation, which must outlive the graph. */
pb_node *pb_op_permute(pb_graph *g, pb_node *x, const int *index);

/* Pairs of columns, turned and scaled: in each group of so many columns, column i of the first half and j of the second
 * half at the same place are a pair, y_i = a_i cos(t_i) x_i - a'_i sin(t'_i) x_j and y_j = a_j cos(t_j) x_j +
 * a'_j sin(t'_j) x_i.  The angles t and the factors a are elements of theta and alpha [1, C/2 * angles]: with one angle
 * a pair has one t and one a (RoAd_1: Liao and Monz 2024, arXiv:2409.00119), with 2 each of its columns has one of its
 * own, and with 4 each has a t and an a for cosine and others, t' and a', for sine: in a group first those, then
 * these. */
pb_node *pb_op_turn(pb_graph *g, pb_node *x, pb_node *theta, pb_node *alpha, int group, int angles);

/* The product with a Kronecker product, x (A kron B)^T: with A [a1,a2] and B [b1,b2], x [T,a2*b2] to y [T,a1*b1].  A
 * row of x is a matrix X [a2,b2], and that of y is A X B^T, of which the cheaper product is the first.  A NULL: the
 * identity, with as many rows as x has parts of b2 columns. */
pb_node *pb_op_kron(pb_graph *g, pb_node *x, pb_node *a, pb_node *b);

/* The rows H_1 H_2 .. H_r x of the rows x, with the Householder reflections H_i = I - 2 u_i u_i^T / |u_i|^2; u_i is row
 * i of u [r,C], and H_i = I if it is zero. */
pb_node *pb_op_householder(pb_graph *g, pb_node *x, pb_node *u);

/* The half spectra of the blocks of x, each of `size` columns: frequencies 0 .. size/2 of the discrete Fourier
 * transform, first their real parts and then their imaginary parts.  With `inverse` x holds half spectra, and y the
 * real blocks whose spectra they are.  The transform's operations count as FLOPs. */
pb_node *pb_op_fourier(pb_graph *g, pb_node *x, int size, bool inverse);

/* The product with a matrix of circulant blocks [size,size], x [T,in] to y [T,out]: w [(out/size)*(in/size), size]
 * holds the first row of each block, whose other rows are that turned to the right (C3A: Chen et al. 2024,
 * arXiv:2407.19342).  Computed by Fourier transforms; their operations count as FLOPs. */
pb_node *pb_op_circulate(pb_graph *g, pb_node *x, pb_node *w, int out);

/* The sum of the parts of `size` columns into which x is cut: element j of y [T,size] is the sum over i of
 * x[t, j + i*size].  The last part may be shorter. */
pb_node *pb_op_collapse(pb_graph *g, pb_node *x, int size);

/* x `times` times side by side: [T,times*C]. */
pb_node *pb_op_tile(pb_graph *g, pb_node *x, int times);

/* Rotates the parts of `size` columns into which x is cut: in part g, the pairs (i, i + size/2) by the angle g *
 * base^(-2i/size), as a rotary position embedding does at position g. */
pb_node *pb_op_rotate_parts(pb_graph *g, pb_node *x, int size, double base);

/* The mean of the rows of each sequence, all of which must be in this graph: [sequences,C]. */
pb_node *pb_op_mean(pb_graph *g, pb_node *x);

/* x [T,C], with the rows of y [R,C] added to those that they were selected from (pb_op_select): [T,C]. */
pb_node *pb_op_add_rows(pb_graph *g, pb_node *x, pb_node *y);

/* Row s of m [sequences,C] for every row of sequence s of `of` [T,..]: [T,C]. */
pb_node *pb_op_spread(pb_graph *g, pb_node *m, pb_node *of);

/* The value of a frozen weight in full precision: w itself, or the dequantized value of one that is packed.  It has no
 * gradient. */
pb_node *pb_op_unpack(pb_graph *g, pb_node *w);

/* The Fastfood transform P v (Le et al. 2013) of v [1,d], a vector of parameters, as a matrix [rows,cols] with D =
 * rows*cols elements.  P [D,d] is random, and its columns have the expected length 1.  With n the smallest power of two
 * that is at least d, v is padded with zeros to n numbers, and n elements of the matrix at a time, row by row, are
 *
 *   1/sqrt(D sum_i G_ii^2) H G Pi H B v      H: Walsh-Hadamard, B: random signs, Pi: a permutation, G: normal numbers
 *
 * with B, Pi and G of their own, drawn from `key`.  For n >= D this is the transform of Li et al. 2018
 * (arXiv:1804.08838) and Aghajanyan et al. 2020 (arXiv:2012.13255).  The additions of H count as FLOPs: 2 n log2(n) for
 * n elements. */
pb_node *pb_op_fastfood(pb_graph *g, pb_node *v, uint64_t key, int rows, int cols);

/* a + b, same shape. */
pb_node *pb_op_add(pb_graph *g, pb_node *a, pb_node *b);

/* a * b, elementwise, same shape. */
pb_node *pb_op_multiply(pb_graph *g, pb_node *a, pb_node *b);

/* s x, for a constant s; x itself if s is 1. */
pb_node *pb_op_times(pb_graph *g, pb_node *x, double s);

/* y[t,j] = x[t,j] + b[j];  b [1,C]. */
pb_node *pb_op_shift(pb_graph *g, pb_node *x, pb_node *b);

/* y[t,j] = x[t,j] * l[j], l[t] or l[0]:  l [1,C] has a factor for each column, l [T,1] of the rows of x one for each
 * row, and l [1,1] one for all. */
pb_node *pb_op_scale(pb_graph *g, pb_node *x, pb_node *l);

/* y[t,j] = b[j] + (x[t,j] - b[j]) * l[j];  l and b [1,C]; b NULL: x[t,j] * l[j]. */
pb_node *pb_op_scale_about(pb_graph *g, pb_node *x, pb_node *l, pb_node *b);

/* y[0,j] = 1 / Euclidean norm of row j of W + scale * B A (0 for a row of zeros);  W [out,in], which does not depend on
 * the batch, B [out,r], A [r,in], y [1,out].  With a stop-gradient, as in DoRA (Liu et al. 2024, arXiv:2402.09353). */
pb_node *pb_op_inverse_row_norms(pb_graph *g, pb_node *w, pb_node *b, pb_node *a, double scale);

/* f(x), elementwise. */
pb_node *pb_op_act(pb_graph *g, pb_act act, pb_node *x);

/* f(a) * b, elementwise: a gated linear unit (Shazeer 2020, arXiv:2002.05202). */
pb_node *pb_op_gate(pb_graph *g, pb_act act, pb_node *a, pb_node *b);

/* Columns from .. from+count-1 of x: [T,count]. */
pb_node *pb_op_columns(pb_graph *g, pb_node *x, int from, int count);

/* Layer normalization: (x - mean) / sqrt(variance + eps) * gamma + beta, with mean and variance of each row (Ba et al.
 * 2016, arXiv:1607.06450). */
pb_node *pb_op_norm(pb_graph *g, pb_node *x, pb_node *gamma, pb_node *beta, double eps);

/* RMSNorm: x / sqrt(mean of x^2 + eps) * gamma, with the mean of each row (Zhang and Sennrich 2019, arXiv:1910.07467).
 * With gamma [1,n] and x [T,k*n] each of the k parts of a row is normalized separately, as in a norm of each head. */
pb_node *pb_op_rmsnorm(pb_graph *g, pb_node *x, pb_node *gamma, double eps);

/* Rotary position embedding (Su et al. 2021, arXiv:2104.09864): rotates the pairs (i, i + head_size/2) of each head of
 * row t by the angles of position first + position(t).  table [positions, head_size] holds head_size/2 cosines and then
 * head_size/2 sines of each position; it must outlive the graph and have all positions of the batch. */
pb_node *pb_op_rope(pb_graph *g, pb_node *x, int head_size, const pb_real *table, int first);

/* Dropout: keeps each element with probability 1-p and scales it by 1/(1-p).  The mask is a pure function of `key` and
 * the element's position in its whole set, so dead-row elimination does not change it. */
pb_node *pb_op_dropout(pb_graph *g, pb_node *x, double p, uint64_t key);

/* A segment of a KV cache: keys and values of one sequence in one layer, from earlier graphs.  k and v
 * [capacity, kv*hd] hold `rows` rows, which follow those of `before`. */
typedef struct pb_cache_segment {
    const struct pb_cache_segment *before; /* may be shared by several sequences; NULL: this is the first segment */
    pb_real *k, *v;
    int rows, capacity;
    int positions; /* position of the next row of the sequence; the rows of a prefix take no position */
} pb_cache_segment;

/* The rows of a segment and of all segments before it; 0 for NULL. */
int pb_cache_segment_rows(const pb_cache_segment *p);

typedef struct pb_attention_conf {
    int heads;
    bool causal;
    double scale;                   /* 0: 1/sqrt(hd)                                      */
    double drop;                    /* dropout probability of the attention probabilities */
    uint64_t key;                   /* of dropout, as in pb_op_dropout()                  */
    pb_cache_segment *const *cache; /* [sequences] the last segments, or NULL; must outlive the graph   */
    bool append;                    /* a run appends the keys and values to the cache, which has room   */
} pb_attention_conf;

/* softmax(scale * q k^T) v of each sequence and head.  q [T,heads*hd]; k and v [Tk,kv*hd], where heads is a multiple
 * of kv: heads/kv consecutive query heads share a key head (grouped-query attention: Ainslie et al. 2023,
 * arXiv:2305.13245).  A sequence may have more rows in k and v than in q (a prefix).  With a cache the keys of a
 * sequence follow those that the cache has when the graph runs; no gradient may then be wanted. */
pb_node *pb_op_attention(pb_graph *g, pb_node *q, pb_node *k, pb_node *v, pb_attention_conf conf);

/* softmax(q k^T / sqrt(hd)) v of each head, where all rows see the same keys: q [T,heads*hd], k and v [P,kv*hd], which
 * are no rows of the batch but made of parameters: [T,heads*hd].  Heads are as in pb_op_attention. */
pb_node *pb_op_cross_attention(pb_graph *g, pb_node *q, pb_node *k, pb_node *v, int heads);

/* One direction of an LSTM layer (Hochreiter and Schmidhuber 1997) over the rows of x: x [P,4h] is what the input
 * adds to
 * the input, forget, cell and output gates, in this order, with biases; w [4h,h] is the recurrent weight: [P,h].  The
 * first state is 0; `reverse` begins with the last row.  x and w are made of parameters. */
pb_node *pb_op_lstm(pb_graph *g, pb_node *x, pb_node *w, bool reverse);

/* The rows of x that `set`, a selection of x's set, names. */
pb_node *pb_op_select(pb_graph *g, pb_node *x, const pb_rows *set);

/* x with p [P,C] in front of each sequence that begins in this graph: [T + sequences*P, C].  Returns x if all sequences
 * continue those of an earlier graph, which has prepended p. */
pb_node *pb_op_prepend(pb_graph *g, pb_node *p, pb_node *x);

/* The mean of -log softmax(x)[label] over the rows with label >= 0: [1,1].  label [T] must outlive the graph. */
pb_node *pb_op_cross_entropy(pb_graph *g, pb_node *x, const int *label);

/* The cross-entropy of softmax(x) with weights of the classes and label smoothing, as torch.nn.CrossEntropyLoss
 * computes it: the sum over the rows of -(1 - e) w_y log p_y - (e / K) sum_c w_c log p_c, divided by the sum of w_y:
 * [1,1].  label [rows] and weight [classes], which are greater than 0, must outlive the graph. */
pb_node *pb_op_class_loss(pb_graph *g, pb_node *x, const int *label, const pb_real *weight, double smoothing);

/* The mean over groups of rows of -log softmax(x of the group's rows)[label]: [1,1].  x [rows,1]; group i has the rows
 * offset[i] .. offset[i+1]-1, of which label[i] is the right one, counted from the first.  offset [groups+1] and label
 * [groups] must outlive the graph. */
pb_node *pb_op_group_cross_entropy(pb_graph *g, pb_node *x, int groups, const int *offset, const int *label);

/* The mean over all elements of -y log p - (1 - y) log(1 - p) with p = sigmoid(x): [1,1].  y [rows,cols], of 0 and 1,
 * must outlive the graph. */
pb_node *pb_op_binary_cross_entropy(pb_graph *g, pb_node *x, const pb_real *y);

/* The symmetric Kullback-Leibler divergence of two predictions: the mean over rows of
 * (KL(softmax(a) || softmax(b)) + KL(softmax(b) || softmax(a))) / 2: [1,1].  a and b [R,classes] are different
 * nodes. */
pb_node *pb_op_consistency(pb_graph *g, pb_node *a, pb_node *b);

/* The sum over rows of weight[r] * mean over columns of (x[r] - target[r])^2: [1,1].  target [rows,cols] and weight
 * [rows] must outlive the graph. */
pb_node *pb_op_square_loss(pb_graph *g, pb_node *x, const pb_real *target, const pb_real *weight);

/* y = z * delta, elementwise, with a gate for each element of alpha that is drawn from the hard concrete distribution
 * (Louizos et al. 2018, arXiv:1712.01312):
 *
 *   z = min(1, max(0, sigmoid(log u - log(1 - u) + alpha) (high - low) + low))
 *
 * where u is uniform in (0,1), a function of *key and the element's place, or 1/2 if key is NULL.  alpha and delta are
 * parameters with as many elements in any two shapes, and y has that of delta; delta NULL: y = z. */
pb_node *pb_op_concrete(pb_graph *g, pb_node *alpha, pb_node *delta, double low, double high, const uint64_t *key);

/* The sum of sigmoid(alpha - shift) over all elements: [1,1].  With shift = log(-low / high) it is the number of gates
 * of pb_op_concrete that are expected to be open. */
pb_node *pb_op_gates(pb_graph *g, pb_node *alpha, double shift);

/* The sum of all elements of x: [1,1]. */
pb_node *pb_op_sum(pb_graph *g, pb_node *x);

/* The Frobenius norm of a a^T - I, or with `columns` of a^T a - I: [1,1].  It is 0 where the rows (the columns) of a
 * are orthonormal; its gradient is 0 there. */
pb_node *pb_op_orthogonality(pb_graph *g, pb_node *a, bool columns);

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

/* The ops that dead-row elimination and pb_graph_feature() recognize: selection and dropout. */
extern const pb_op pb_op_select_op, pb_op_dropout_op, pb_op_attention_drop_op;

#endif
