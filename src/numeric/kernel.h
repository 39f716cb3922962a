/* kernel: single-threaded loops on plain arrays, each with a naive twin in the tests.
 *
 * Callers divide the rows among threads.  Shapes are in elements; `ld` is the number of elements from one row to the
 * next.  If `add` is true the result is added to the destination; otherwise it overwrites the destination, which may
 * hold NaN before.  Nothing here allocates: the caller provides scratch memory, whose size a *_scratch function
 * returns.
 */
#ifndef PB_KERNEL_H
#define PB_KERNEL_H

#include "base/base.h"

/* ---- linear: y[m,n] = x[m,k] W^T + b, W stored [n,k] ------------------------------------ */

/* y[m,n] = x W^T + b; b [n] may be NULL. */
void pb_linear(int m, int n, int k, const pb_real *x, int ldx, const pb_real *w, const pb_real *b, pb_real *y, int ldy);

/* The same product restricted to output columns [j0,j1), for products with few rows, in which threads share the columns
 * so that each reads only its part of W. */
void pb_linear_columns(int m, int k, int j0, int j1, const pb_real *x, int ldx, const pb_real *w, const pb_real *b,
                       pb_real *y, int ldy);

/* ---- attention of one sequence and one head ------------------------------------------- */
/* P = softmax(scale * q k^T); o = P v.  q, o: [nq,hd] with rows at ldq, ldo; k, v: [nk,hd] with rows at ldk.  Query i
 * attends to keys 0 .. n-1 with n = causal ? first + i + 1 : nk, where `first` is the number of keys before that of the
 * first query.  lse[i] is the log of the sum of exp(scale * q_i k_j), from which backward computes P again.  The
 * computation is tiled, so the whole [nq,nk] matrix is never stored (Dao et al. 2022, arXiv:2205.14135).  The dropout
 * mask is a pure function of drop_key, row number and j, so backward draws it again. */
typedef struct pb_attention_shape {
    int nq, nk, hd;
    int ldq, ldk, ldo;
    bool causal;
    int first;
    pb_real scale;
    double drop; /* dropout probability of the elements of P; 0: no dropout */
    uint64_t drop_key;
    int first_row;  /* number of the first row, for the mask                                          */
    const int *row; /* [nq] numbers of the rows less first_row; NULL: 0, 1, .                        */
} pb_attention_shape;

/* The nk keys and values lie in one or several parts, one after the other. */
typedef struct pb_attention_part {
    const pb_real *k, *v;
    int rows;
} pb_attention_part;

/* Returns the elements of scratch memory that pb_attention() and pb_attention_backward() need. */
size_t pb_attention_scratch(int nq, int nk, int hd);

/* Writes o and lse. */
void pb_attention(const pb_attention_shape *s, int parts, const pb_attention_part *part, const pb_real *q, pb_real *o,
                  pb_real *lse, pb_real *scratch);

/* The tensors of the backward pass: the forward's, with keys and values in one part; the gradient go of o, with rows at
 * ldo; and the gradients to compute, each of which may be NULL: dq with rows at ldq, dk and dv with rows at ldk. */
typedef struct pb_attention_gradients {
    const pb_real *q, *k, *v, *o, *lse, *go;
    pb_real *dq, *dk, *dv;
    bool add_q, add_k, add_v; /* whether to add to dq, dk, dv */
} pb_attention_gradients;
void pb_attention_backward(const pb_attention_shape *s, const pb_attention_gradients *t, pb_real *scratch);

/* ---- normalization, rows of n ----------------------------------------------------------- */

/* y = (x - mean) * rstd * gamma + beta; stat[2*i] = mean and stat[2*i+1] = rstd of row i, for backward.  y == x is
 * allowed. */
void pb_layernorm(int rows, int n, const pb_real *x, const pb_real *gamma, const pb_real *beta, pb_real eps, pb_real *y,
                  pb_real *stat);

/* dx from dy and the forward's stat. */
void pb_layernorm_backward(int rows, int n, const pb_real *x, const pb_real *gamma, const pb_real *stat,
                           const pb_real *dy, pb_real *dx, bool add);

/* Adds the sum over rows of dy*(x-mean)*rstd to dgamma[j0..j1), and that of dy to dbeta[j0..j1).  dgamma and dbeta may
 * each be NULL. */
void pb_layernorm_params(int rows, int n, int j0, int j1, const pb_real *x, const pb_real *stat, const pb_real *dy,
                         pb_real *dgamma, pb_real *dbeta);

/* y = x * rrms * gamma, rrms = 1/sqrt(mean of x^2 + eps); stat[i] = rrms of row i, for backward.  y == x is
 * allowed. */
void pb_rmsnorm(int rows, int n, const pb_real *x, const pb_real *gamma, pb_real eps, pb_real *y, pb_real *stat);

/* dx from dy and the forward's stat. */
void pb_rmsnorm_backward(int rows, int n, const pb_real *x, const pb_real *gamma, const pb_real *stat,
                         const pb_real *dy, pb_real *dx, bool add);

/* Adds the sum over rows of dy*x*rrms to dgamma[j0..j1). */
void pb_rmsnorm_params(int rows, int n, int j0, int j1, const pb_real *x, const pb_real *stat, const pb_real *dy,
                       pb_real *dgamma);

/* ---- elementwise, n elements, vectorized -------------------------------------------------- */

typedef enum pb_act { PB_GELU, PB_GELU_TANH, PB_RELU, PB_TANH, PB_SILU, PB_SIGMOID } pb_act;

/* y = act(x).  y == x is allowed. */
void pb_act_forward(pb_act act, size_t n, const pb_real *x, pb_real *y);

/* dx (+)= dy * act'(x), where x is the input of the activation.  dx == dy is allowed if !add. */
void pb_act_backward(pb_act act, size_t n, const pb_real *x, const pb_real *dy, pb_real *dx, bool add);

/* y = exp(x - shift), accurate to 1e-7 relative; NaN stays NaN.  y == x is allowed. */
void pb_exp(size_t n, const pb_real *x, pb_real shift, pb_real *y);

/* The largest of n >= 1 elements; NaN is ignored. */
pb_real pb_largest(size_t n, const pb_real *x);

/* The sum of n elements, the dot product of x and y, and the sum of (x - y)^2. */
pb_real pb_sum(size_t n, const pb_real *x);
pb_real pb_dot(size_t n, const pb_real *x, const pb_real *y);
pb_real pb_square_distance(size_t n, const pb_real *x, const pb_real *y);

/* y (+)= alpha * x. */
void pb_axpy(size_t n, pb_real alpha, const pb_real *x, pb_real *y, bool add);

/* Adds the sums of columns j0 .. j1-1 of x, whose rows are at ld, to sums[j0..j1). */
void pb_column_sums(int rows, int ld, int j0, int j1, const pb_real *x, pb_real *sums);

/* Inverted dropout: keeps element e = first + i with probability 1-p and scales it by 1/(1-p).  The mask is a pure
 * function of (key, e), so backward is the same call on the gradient. */
void pb_dropout(size_t n, uint64_t key, uint64_t first, double p, const pb_real *x, pb_real *y, bool add);

/* ---- loss ------------------------------------------------------------------------------------ */

/* Turns n >= 1 logits into log-probabilities, in place. */
void pb_log_softmax(size_t n, pb_real *x);

/* The logarithm of the sum of the exponentials of n >= 1 elements, computed in double. */
double pb_log_sum_exp(size_t n, const pb_real *x);

/* Softmax cross entropy of the rows of logits [rows,classes] with label[i]; the loss of a row with a negative label
 * is 0. Writes the loss of each row and, for backward, stat[2*i] = the largest logit and stat[2*i+1] = 1 / sum of
 * exp(logit - largest). */
void pb_cross_entropy(int rows, int classes, const pb_real *logits, const int *label, pb_real *loss, pb_real *stat);

/* dx (+)= share * (softmax - onehot(label)); zero for rows with a negative label. */
void pb_cross_entropy_backward(int rows, int classes, const pb_real *logits, const int *label, const pb_real *stat,
                               pb_real share, pb_real *dx, bool add);

/* ---- optimizer ------------------------------------------------------------------------------- */

/* The settings of one step of AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101): bias1 = 1 - beta1^t, bias2 =
 * 1 - beta2^t; the gradient is multiplied by `clip` first. */
typedef struct pb_adamw {
    double lr, beta1, beta2, eps, decay, bias1, bias2, clip;
} pb_adamw;

/* One step over n weights w with gradient g and moments m and v, by PyTorch's update rule.  g NULL: a zero gradient. */
void pb_adamw_step(const pb_adamw *o, size_t n, pb_real *w, const pb_real *g, pb_real *m, pb_real *v);

/* The settings of one step of stochastic gradient descent; `clip` as above. */
typedef struct pb_sgd {
    double lr, momentum, decay, clip;
} pb_sgd;

/* One step over n weights w with gradient g and momentum v: v = momentum v + g, w = w - lr v, as torch.optim.SGD
 * without dampening, but with AdamW's decoupled weight decay.  g NULL: a zero gradient.  v NULL: no momentum, v =
 * g. */
void pb_sgd_step(const pb_sgd *o, size_t n, pb_real *w, const pb_real *g, pb_real *v);

/* The settings of one step of Lion (Chen et al. 2023, arXiv:2302.06675); `clip` as above. */
typedef struct pb_lion {
    double lr, beta1, beta2, decay, clip;
} pb_lion;

/* One step over n weights w with gradient g and momentum m: w = w - lr (sign(beta1 m + (1 - beta1) g) + decay w), then
 * m = beta2 m + (1 - beta2) g.  The sign of 0 is 0.  g NULL: a zero gradient. */
void pb_lion_step(const pb_lion *o, size_t n, pb_real *w, const pb_real *g, pb_real *m);

/* The settings of one step of Adafactor (Shazeer and Stern 2018, arXiv:1804.04235) for one tensor; `clip` as
 * above.  The second moment V of an element of a matrix is r[i] c[j] / mean(r), where r [rows] and c [cols] are moving
 * averages of the means of g^2 + eps over a row and over a column.  An element's update is u = g / sqrt(V), divided by
 * `divisor`, which keeps the root of the mean of all u^2 at 1 or below. */
typedef struct pb_adafactor {
    double lr, beta2, eps, decay, clip, divisor;
} pb_adafactor;

/* The moving averages of the squares of n elements of a vector; of a row of a matrix, whose new average is returned (g
 * NULL: a zero gradient); and of the columns from .. to-1 of a matrix [rows,cols], of which the rows that g does not
 * store, [stored,cols], are zero. */
void pb_adafactor_elements(const pb_adafactor *o, size_t n, const pb_real *g, pb_real *v);
pb_real pb_adafactor_row(const pb_adafactor *o, size_t cols, const pb_real *g, pb_real r);
void pb_adafactor_columns(const pb_adafactor *o, size_t rows, size_t stored, size_t cols, size_t from, size_t to,
                          const pb_real *g, pb_real *c);

/* The sum of u^2 over n elements of a vector, or of one row, where u = factor * g / sqrt(v): v is c of these columns
 * and `factor` sqrt(mean(r) / r[i]); of a vector v is V and factor 1. */
double pb_adafactor_squares(pb_real factor, size_t n, const pb_real *g, const pb_real *v);

/* The update of n elements of a vector, or of one row; the arguments are as in pb_adafactor_squares, and `factor` has
 * o->clip as another factor.  g NULL: a zero gradient. */
void pb_adafactor_step(const pb_adafactor *o, pb_real factor, size_t n, pb_real *w, const pb_real *g, const pb_real *v);

/* The sum of squares, computed in double and in a fixed order. */
double pb_sum_squares(size_t n, const pb_real *x);

#endif
