/* elementwise: exp, activations, sums, dropout, and losses, as loops that the compiler vectorizes. */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "numeric/kernel.h"

/* ---- exp and erf ---------------------------------------------------------------------------- */

#ifdef PB_REAL_DOUBLE
static inline double exp1(double x)
{
    return exp(x);
}

static inline double erf1(double x, double e)
{
    (void)e;
    return erf(x);
}
#else
/* e^x = 2^n e^r with |r| <= ln 2 / 2 and the Taylor polynomial of e^r with seven terms (error 2e-8).  Adding
 * the magic number leaves n in the low bits.  The comparisons keep NaN. */
static inline float exp1(float x)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23 */
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    float t = x * 1.44269504f + magic, n = t - magic;
    float r = x - n * 0.693145752f - n * 1.42860677e-6f;
    float p = 1 + r * (1 + r * (0.5f + r * (1.66666667e-1f +
                                            r * (4.16666667e-2f +
                                                 r * (8.33333333e-3f + r * (1.38888889e-3f + r * 1.98412698e-4f))))));
    union {
        float real;
        uint32_t bits;
    } low = {.real = t}, power;
    power.bits = (low.bits + 127u) << 23;
    return p * power.real;
}

/* erf(x) given e = exp(-x^2): Abramowitz and Stegun 7.1.26, absolute error below 1.5e-7. */
static inline float erf1(float x, float e)
{
    float a = x < 0 ? -x : x, t = 1 / (1 + 0.3275911f * a);
    float y =
        1 - t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f)))) * e;
    return x < 0 ? -y : y;
}
#endif

/* ---- activations: value and slope ------------------------------------------------------------- */

#define ROOT_HALF ((pb_real)0.70710678118654752)
#define ROOT_2_PI ((pb_real)0.79788456080286536) /* sqrt(2 / pi) */

/* Each activation is a function of x and e, where e is the only exponential that it needs. */

static inline pb_real tanh_power(pb_real x)
{
    return -2 * (x < 0 ? -x : x);
}

static inline pb_real tanh1(pb_real x, pb_real e)
{
    pb_real y = (1 - e) / (1 + e);
    return x < 0 ? -y : y;
}

static inline pb_real tanh_slope(pb_real x, pb_real e)
{
    pb_real t = tanh1(x, e);
    return 1 - t * t;
}

static inline pb_real gelu_power(pb_real x)
{
    return -x * x / 2;
}

static inline pb_real gelu(pb_real x, pb_real e)
{
    return (pb_real)0.5 * x * (1 + erf1(x * ROOT_HALF, e));
}

static inline pb_real gelu_slope(pb_real x, pb_real e)
{
    return (pb_real)0.5 * (1 + erf1(x * ROOT_HALF, e)) + x * e * (ROOT_2_PI / 2);
}

static inline pb_real gelu_tanh_inner(pb_real x)
{
    return ROOT_2_PI * (x + (pb_real)0.044715 * x * x * x);
}

static inline pb_real gelu_tanh_power(pb_real x)
{
    return tanh_power(gelu_tanh_inner(x));
}

static inline pb_real gelu_tanh(pb_real x, pb_real e)
{
    return (pb_real)0.5 * x * (1 + tanh1(x, e)); /* the inner value has the sign of x */
}

static inline pb_real gelu_tanh_slope(pb_real x, pb_real e)
{
    pb_real t = tanh1(x, e);
    return (pb_real)0.5 * (1 + t) + (pb_real)0.5 * x * (1 - t * t) * ROOT_2_PI * (1 + 3 * (pb_real)0.044715 * x * x);
}

static inline pb_real relu(pb_real x)
{
    return x < 0 ? 0 : x;
}

static inline pb_real relu_slope(pb_real x)
{
    return x <= 0 ? 0 : 1;
}

/* Bounds x where the sigmoid is 0 in effect and products with it would be denormal. */
static inline pb_real minus(pb_real x)
{
    return x < -60 ? 60 : -x;
}

static inline pb_real sigmoid(pb_real x, pb_real e)
{
    (void)x;
    return 1 / (1 + e);
}

static inline pb_real sigmoid_slope(pb_real x, pb_real e)
{
    pb_real s = sigmoid(x, e);
    return s * (1 - s);
}

static inline pb_real silu(pb_real x, pb_real e)
{
    return x / (1 + e);
}

static inline pb_real silu_slope(pb_real x, pb_real e)
{
    pb_real s = sigmoid(x, e);
    return s * (1 + x * (1 - s));
}

/* Results are first written to a block on the stack: otherwise compilers do not vectorize loops whose destination
 * may be their source. */
#define BLOCK 256

/* The exponentials are computed in a separate loop: in a common loop compilers move the bounds of exp1 into the
 * following code and evaluate it for all elements, where x over a huge number is denormal and ten times slower. */
#define FILL(power, f)                                                                                                 \
    for (size_t i = 0; i < n; i++)                                                                                     \
        e[i] = exp1(power(x[i]));                                                                                      \
    for (size_t i = 0; i < n; i++)                                                                                     \
        out[i] = f(x[i], e[i]);                                                                                        \
    break

#define FILL_AT_ONCE(power, f)                                                                                         \
    for (size_t i = 0; i < n; i++)                                                                                     \
        out[i] = f(x[i], exp1(power(x[i])));                                                                           \
    break

#define FILL_PLAIN(f)                                                                                                  \
    for (size_t i = 0; i < n; i++)                                                                                     \
        out[i] = f(x[i]);                                                                                              \
    break

static void act_block(pb_act act, size_t n, const pb_real *restrict x, pb_real *restrict out)
{
    pb_real e[BLOCK];
    switch (act) {
    case PB_GELU: FILL_AT_ONCE(gelu_power, gelu);
    case PB_GELU_TANH: FILL(gelu_tanh_power, gelu_tanh);
    case PB_RELU: FILL_PLAIN(relu);
    case PB_TANH: FILL(tanh_power, tanh1);
    case PB_SILU: FILL(minus, silu);
    case PB_SIGMOID: FILL(minus, sigmoid);
    }
}

static void slope_block(pb_act act, size_t n, const pb_real *restrict x, pb_real *restrict out)
{
    pb_real e[BLOCK];
    switch (act) {
    case PB_GELU: FILL_AT_ONCE(gelu_power, gelu_slope);
    case PB_GELU_TANH: FILL(gelu_tanh_power, gelu_tanh_slope);
    case PB_RELU: FILL_PLAIN(relu_slope);
    case PB_TANH: FILL(tanh_power, tanh_slope);
    case PB_SILU: FILL(minus, silu_slope);
    case PB_SIGMOID: FILL(minus, sigmoid_slope);
    }
}

static void exp_block(size_t n, const pb_real *restrict x, pb_real shift, pb_real *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = exp1(x[i] - shift);
}

void pb_exp(size_t n, const pb_real *x, pb_real shift, pb_real *y)
{
    pb_real value[BLOCK];
    for (size_t at = 0; at < n; at += BLOCK) {
        size_t m = n - at < BLOCK ? n - at : BLOCK;
        exp_block(m, x + at, shift, value);
        memcpy(y + at, value, m * sizeof *y);
    }
}

void pb_act_forward(pb_act act, size_t n, const pb_real *x, pb_real *y)
{
    pb_real value[BLOCK];
    for (size_t at = 0; at < n; at += BLOCK) {
        size_t m = n - at < BLOCK ? n - at : BLOCK;
        act_block(act, m, x + at, value);
        memcpy(y + at, value, m * sizeof *y);
    }
}

void pb_act_backward(pb_act act, size_t n, const pb_real *x, const pb_real *dy, pb_real *dx, bool add)
{
    pb_real d[BLOCK];
    for (size_t at = 0; at < n; at += BLOCK) {
        size_t m = n - at < BLOCK ? n - at : BLOCK;
        slope_block(act, m, x + at, d);
        for (size_t i = 0; i < m; i++)
            d[i] *= dy[at + i];
        if (add)
            for (size_t i = 0; i < m; i++)
                dx[at + i] += d[i];
        else
            memcpy(dx + at, d, m * sizeof *dx);
    }
}

/* ---- sums and masks ----------------------------------------------------------------------------- */

/* Sums and maxima run in 16 lanes that are combined at the end, so that the order is fixed and the compiler
 * vectorizes. */
#define LANES 16

pb_real pb_largest(size_t n, const pb_real *x)
{
    pb_real lane[LANES], top = x[0];
    size_t i = 0;
    for (size_t l = 0; l < LANES; l++)
        lane[l] = x[0];
    for (; i + LANES <= n; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            lane[l] = x[i + l] > lane[l] ? x[i + l] : lane[l];
    for (size_t l = 0; l < LANES; l++)
        top = lane[l] > top ? lane[l] : top;
    for (; i < n; i++)
        top = x[i] > top ? x[i] : top;
    return top;
}

#define SUM_OF(term)                                                                                                   \
    pb_real lane[LANES] = {0}, sum = 0;                                                                                \
    size_t i = 0;                                                                                                      \
    for (; i + LANES <= n; i += LANES)                                                                                 \
        for (size_t l = 0; l < LANES; l++)                                                                             \
            lane[l] += term(i + l);                                                                                    \
    for (; i < n; i++)                                                                                                 \
        sum += term(i);                                                                                                \
    for (size_t l = 0; l < LANES; l++)                                                                                 \
        sum += lane[l];                                                                                                \
    return sum

pb_real pb_sum(size_t n, const pb_real *x)
{
#define TERM(i) x[i]
    SUM_OF(TERM);
#undef TERM
}

pb_real pb_dot(size_t n, const pb_real *x, const pb_real *y)
{
#define TERM(i) (x[i] * y[i])
    SUM_OF(TERM);
#undef TERM
}

pb_real pb_square_distance(size_t n, const pb_real *x, const pb_real *y)
{
#define TERM(i) ((x[i] - y[i]) * (x[i] - y[i]))
    SUM_OF(TERM);
#undef TERM
}

void pb_axpy(size_t n, pb_real alpha, const pb_real *x, pb_real *y, bool add)
{
    if (add)
        for (size_t i = 0; i < n; i++)
            y[i] += alpha * x[i];
    else
        for (size_t i = 0; i < n; i++)
            y[i] = alpha * x[i];
}

void pb_column_sums(int rows, int ld, int j0, int j1, const pb_real *x, pb_real *sums)
{
    for (int i = 0; i < rows; i++)
        for (int j = j0; j < j1; j++)
            sums[j] += x[(size_t)i * (size_t)ld + (size_t)j];
}

void pb_dropout(size_t n, uint64_t key, uint64_t first, double p, const pb_real *x, pb_real *y, bool add)
{
    uint64_t limit = (uint64_t)(p * 0x1p53); /* an element is dropped if its 53 random bits are less */
    pb_real scale = (pb_real)(1 / (1 - p));
    for (size_t i = 0; i < n; i++) {
        pb_real v = (pb_mix(key, first + i) >> 11) < limit ? 0 : scale * x[i];
        y[i] = add ? y[i] + v : v;
    }
}

double pb_sum_squares(size_t n, const pb_real *x)
{
    double lane[16] = {0}, sum = 0;
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (size_t l = 0; l < 16; l++)
            lane[l] += (double)x[i + l] * (double)x[i + l];
    for (; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    for (size_t l = 0; l < 16; l++)
        sum += lane[l];
    return sum;
}

/* ---- loss ------------------------------------------------------------------------------------------ */

void pb_log_softmax(size_t n, pb_real *x)
{
    enum { PIECE = 1024 };
    pb_real part[PIECE], top = pb_largest(n, x), sum = 0;
    for (size_t i = 0; i < n; i += PIECE) {
        size_t count = n - i < PIECE ? n - i : PIECE;
        pb_exp(count, x + i, top, part);
        sum += pb_sum(count, part);
    }
    pb_real shift = top + (pb_real)log((double)sum);
    for (size_t i = 0; i < n; i++)
        x[i] -= shift;
}

double pb_log_sum_exp(size_t n, const pb_real *x)
{
    double top = (double)x[0], sum = 0;
    for (size_t i = 1; i < n; i++)
        top = (double)x[i] > top ? (double)x[i] : top;
    for (size_t i = 0; i < n; i++)
        sum += exp((double)x[i] - top);
    return top + log(sum);
}

void pb_cross_entropy(int rows, int classes, const pb_real *logits, const int *label, pb_real *loss, pb_real *stat)
{
    const size_t n = (size_t)classes;
    for (int i = 0; i < rows; i++) {
        const pb_real *x = logits + (size_t)i * n, top = pb_largest(n, x);
        pb_real e[BLOCK];
        double sum = 0;
        for (size_t at = 0; at < n; at += BLOCK) {
            size_t m = n - at < BLOCK ? n - at : BLOCK;
            exp_block(m, x + at, top, e);
            sum += (double)pb_sum(m, e);
        }
        loss[i] = label[i] < 0 ? 0 : (pb_real)(log(sum) + (double)top - (double)x[label[i]]);
        stat[2 * i] = top;
        stat[2 * i + 1] = (pb_real)(1 / sum);
    }
}

void pb_cross_entropy_backward(int rows, int classes, const pb_real *logits, const int *label, const pb_real *stat,
                               pb_real share, pb_real *dx, bool add)
{
    const size_t n = (size_t)classes;
    for (int i = 0; i < rows; i++) {
        const pb_real *x = logits + (size_t)i * n, scale = label[i] < 0 ? 0 : share * stat[2 * i + 1];
        pb_real *out = dx + (size_t)i * n, e[BLOCK];
        for (size_t at = 0; at < n; at += BLOCK) {
            size_t m = n - at < BLOCK ? n - at : BLOCK;
            exp_block(m, x + at, stat[2 * i], e);
            pb_axpy(m, scale, e, out + at, add);
        }
        if (label[i] >= 0)
            out[label[i]] -= share;
    }
}
