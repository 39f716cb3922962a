/* kernel: loops on plain arrays, single-threaded, each with a naive twin in the tests.
 * Callers split the work over threads; row ranges are the callers' business.
 *
 * Shapes are in elements; `ld` is the distance from one row to the next.  `add` says whether
 * the destination is added to (true) or overwritten (false; it may hold NaN before).
 * Nothing here allocates: scratch comes from the caller, its size from a *_scratch function.
 */
#ifndef PB_KERNEL_H
#define PB_KERNEL_H

#include "base/base.h"

/* ---- linear: y[m,n] = x[m,k] W^T + b, W stored [n,k] ------------------------------------ */

/* b may be NULL. */
void pb_linear(int m, int n, int k, const pb_real *x, int ldx, const pb_real *w, const pb_real *b, pb_real *y, int ldy);

/* The same product restricted to output columns [j0,j1): for few rows, where threads split the
 * columns so that each reads its part of W only. */
void pb_linear_columns(int m, int k, int j0, int j1, const pb_real *x, int ldx, const pb_real *w, const pb_real *b,
                       pb_real *y, int ldy);

/* ---- attention of one sequence and one head ------------------------------------------- */
/* q,o: [nq,hd] rows at ldq; k,v: [nk,hd] rows at ldk.  Row i of q may look at keys
 * 0 .. see(i)-1, see(i) = causal ? first + i + 1 : nk, where `first` is the number of keys
 * before the first query's own.  P = softmax(scale * q k^T); o = P v.
 * lse[i] = log of the sum of exp(scale * q_i k_j): all that backward needs of P.
 * Tiled: the full [nq,nk] matrix never exists.  Dropout's mask is a pure function of key, row number
 * and j, so backward draws it again. */
typedef struct pb_attention_shape {
    int nq, nk, hd;
    int ldq, ldk, ldo;
    bool causal;
    int first;
    pb_real scale;
    double drop; /* probability with which an element of P is dropped, the rest scaled up; 0: none */
    uint64_t drop_key;
    int first_row;  /* what the rows' numbers for the mask begin at                                  */
    const int *row; /* [nq] the rows' numbers less first_row; NULL: 0, 1, ..                         */
} pb_attention_shape;

/* The nk keys and values lie in one part, or in several one after the other. */
typedef struct pb_attention_part {
    const pb_real *k, *v;
    int rows;
} pb_attention_part;

size_t pb_attention_scratch(int nq, int nk, int hd); /* elements, enough for both directions */
void pb_attention(const pb_attention_shape *s, int parts, const pb_attention_part *part, const pb_real *q, pb_real *o,
                  pb_real *lse, pb_real *scratch);

/* The keys and values are one part.  dq, dk, dv are each NULL (not wanted) or written; `add*` as above.
 * `o` and `lse` are the forward's; go is the gradient of o, rows at ldo.  dq at ldq, dk and dv at ldk. */
void pb_attention_backward(const pb_attention_shape *s, const pb_real *q, const pb_real *k, const pb_real *v,
                           const pb_real *o, const pb_real *lse, const pb_real *go, pb_real *dq, bool add_q,
                           pb_real *dk, bool add_k, pb_real *dv, bool add_v, pb_real *scratch);

/* ---- normalisation, rows of n ----------------------------------------------------------- */

/* y = (x - mean) * rstd * gamma + beta; stat[2*i] = mean, stat[2*i+1] = rstd of row i.
 * y == x is allowed. */
void pb_layernorm(int rows, int n, const pb_real *x, const pb_real *gamma, const pb_real *beta, pb_real eps, pb_real *y,
                  pb_real *stat);
void pb_layernorm_backward(int rows, int n, const pb_real *x, const pb_real *gamma, const pb_real *stat,
                           const pb_real *dy, pb_real *dx, bool add);
/* Adds sum over rows of dy*(x-mean)*rstd to dgamma[j0..j1) and of dy to dbeta[j0..j1);
 * each of dgamma, dbeta may be NULL. */
void pb_layernorm_params(int rows, int n, int j0, int j1, const pb_real *x, const pb_real *stat, const pb_real *dy,
                         pb_real *dgamma, pb_real *dbeta);

/* y = x * rrms * gamma, rrms = 1/sqrt(mean of x^2 + eps); stat[i] = rrms of row i.  y == x is allowed. */
void pb_rmsnorm(int rows, int n, const pb_real *x, const pb_real *gamma, pb_real eps, pb_real *y, pb_real *stat);
void pb_rmsnorm_backward(int rows, int n, const pb_real *x, const pb_real *gamma, const pb_real *stat,
                         const pb_real *dy, pb_real *dx, bool add);
/* Adds sum over rows of dy*x*rrms to dgamma[j0..j1). */
void pb_rmsnorm_params(int rows, int n, int j0, int j1, const pb_real *x, const pb_real *stat, const pb_real *dy,
                       pb_real *dgamma);

/* ---- elementwise, n elements, vectorised -------------------------------------------------- */

typedef enum pb_act { PB_GELU, PB_GELU_TANH, PB_RELU, PB_TANH, PB_SILU, PB_SIGMOID } pb_act;

void pb_act_forward(pb_act act, size_t n, const pb_real *x, pb_real *y); /* y == x allowed */
/* dx (+)= dy * act'(x), where x is the INPUT of the activation; dx == dy allowed if !add. */
void pb_act_backward(pb_act act, size_t n, const pb_real *x, const pb_real *dy, pb_real *dx, bool add);

void pb_exp(size_t n, const pb_real *x, pb_real shift, pb_real *y); /* exp(x - shift), y == x allowed; full
                                          float accuracy (1e-7 relative); NaN stays NaN, no slow path */
pb_real pb_largest(size_t n, const pb_real *x);                     /* of at least one; NaN is passed over */
pb_real pb_sum(size_t n, const pb_real *x);
pb_real pb_dot(size_t n, const pb_real *x, const pb_real *y);
pb_real pb_square_distance(size_t n, const pb_real *x, const pb_real *y);               /* sum of (x - y)^2 */
void pb_axpy(size_t n, pb_real alpha, const pb_real *x, pb_real *y, bool add);          /* y (+)= alpha*x */
void pb_column_sums(int rows, int ld, int j0, int j1, const pb_real *x, pb_real *sums); /* adds */

/* Inverted dropout: keeps element e = first + i with probability 1-p, scaled by 1/(1-p).
 * The mask is a pure function of (key, e); backward is the same call on the gradient. */
void pb_dropout(size_t n, uint64_t key, uint64_t first, double p, const pb_real *x, pb_real *y, bool add);

/* ---- loss ------------------------------------------------------------------------------------ */

/* Row-wise softmax cross entropy of logits [rows,classes] with label[i] (negative = row not
 * counted: its loss is 0): writes each row's loss, and what backward needs: stat[2*i] = the largest
 * logit, stat[2*i+1] = 1 / sum of exp(logit - largest). */
void pb_cross_entropy(int rows, int classes, const pb_real *logits, const int *label, pb_real *loss, pb_real *stat);
/* dx (+)= share * (softmax - onehot(label)), nothing for rows that are not counted. */
void pb_cross_entropy_backward(int rows, int classes, const pb_real *logits, const int *label, const pb_real *stat,
                               pb_real share, pb_real *dx, bool add);

/* ---- optimizer ------------------------------------------------------------------------------- */

/* One AdamW step over n elements in one pass; g is multiplied by `clip` first.  g == NULL is
 * a zero gradient.  bias1 = 1 - beta1^t, bias2 = 1 - beta2^t.  PyTorch's update rule. */
typedef struct pb_adamw {
    double lr, beta1, beta2, eps, decay, bias1, bias2, clip;
} pb_adamw;
void pb_adamw_step(const pb_adamw *o, size_t n, pb_real *w, const pb_real *g, pb_real *m, pb_real *v);

double pb_sum_squares(size_t n, const pb_real *x); /* in double, fixed order */

#endif
