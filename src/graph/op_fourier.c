/* op_fourier: discrete Fourier transforms of rows in blocks, and products with matrices of circulant blocks.
 *
 * The half spectrum of b real numbers has the h = b/2 + 1 (rounded down) frequencies 0 .. h-1, which determine the
 * others: their real parts, and behind these their imaginary parts. */
#include <math.h>
#include <string.h>

#include "graph/op.h"
#include "graph/op_shape.h"
#include "numeric/blas.h"
#include "numeric/fft.h"

enum { L = PB_FFT_LANES }; /* rows of a unit of work */

static int half(int size)
{
    return size / 2 + 1;
}

/* How often frequency k counts in a sum over all of them: it stands for -k as well, unless it is the same. */
static pb_real times(int size, int k)
{
    return k == 0 || 2 * k == size ? 1 : 2;
}

/* ---- fourier: rows of blocks [size] to their half spectra, and inverse ------------------------------------------ */

typedef struct fourier_conf {
    int size;
    bool inverse;
} fourier_conf;

static int blocks_of(const pb_node *n)
{
    const fourier_conf *c = n->conf;
    return n->in[0]->cols / (c->inverse ? 2 * half(c->size) : c->size);
}

static int fourier_shape(pb_node *n)
{
    const fourier_conf *c = n->conf;
    const pb_node *x = n->in[0];
    int from = c->inverse ? 2 * half(c->size) : c->size, to = c->inverse ? c->size : 2 * half(c->size);
    if (c->size < 1 || x->cols % from)
        return pb_error("fourier: x [%d,%d] in blocks of %d does not fit", x->rows, x->cols, from);
    n->rows = x->rows;
    n->cols = x->cols / from * to;
    n->set = x->set;
    return 0;
}

static int fourier_units(const pb_node *n, bool backward)
{
    (void)backward;
    return (n->rows + L - 1) / L;
}

/* The table, a sequence of all lanes and its transform. */
static size_t fourier_scratch(const pb_node *n)
{
    const fourier_conf *c = n->conf;
    return pb_fft_table_size(c->size) + 4 * (size_t)c->size * L + pb_fft_work_size(c->size);
}

/* One block of up to L rows: where they are, and what a thread works with. */
typedef struct lanes {
    int size, rows;
    size_t in_next, out_next; /* from one row to the next */
    pb_real *table, *in, *out, *work;
} lanes;

static lanes lanes_start(const pb_node *n, bool inverse, pb_real *scratch)
{
    const fourier_conf *c = n->conf;
    lanes a = {.size = c->size, .table = scratch};
    a.in = a.table + pb_fft_table_size(c->size);
    a.out = a.in + 2 * (size_t)c->size * L;
    a.work = a.out + 2 * (size_t)c->size * L;
    pb_fft_table(c->size, inverse, a.table);
    return a;
}

/* The half spectrum of real rows, times `scale`, with the interior frequencies counted twice if `twice`. */
static void to_spectrum(const lanes *a, const pb_real *x, pb_real *y, pb_real scale, bool twice, bool add)
{
    int h = half(a->size);
    memset(a->in, 0, 2 * (size_t)a->size * L * sizeof *a->in);
    for (int l = 0; l < a->rows; l++)
        for (int j = 0; j < a->size; j++)
            a->in[2 * L * j + l] = x[(size_t)l * a->in_next + (size_t)j];
    pb_fft(a->size, a->table, a->in, a->out, a->work);
    for (int l = 0; l < a->rows; l++) {
        pb_real *row = y + (size_t)l * a->out_next;
        for (int k = 0; k < h; k++) {
            pb_real s = twice ? scale * times(a->size, k) : scale;
            row[k] = (add ? row[k] : 0) + s * a->out[2 * L * k + l];
            row[h + k] = (add ? row[h + k] : 0) + s * a->out[2 * L * k + L + l];
        }
    }
}

/* The real part of the sum over the frequencies of a half spectrum, with the same factors. */
static void from_spectrum(const lanes *a, const pb_real *x, pb_real *y, pb_real scale, bool twice, bool add)
{
    int h = half(a->size);
    memset(a->in, 0, 2 * (size_t)a->size * L * sizeof *a->in);
    for (int l = 0; l < a->rows; l++) {
        const pb_real *row = x + (size_t)l * a->in_next;
        for (int k = 0; k < h; k++) {
            pb_real s = twice ? scale * times(a->size, k) : scale;
            a->in[2 * L * k + l] = s * row[k];
            a->in[2 * L * k + L + l] = s * row[h + k];
        }
    }
    pb_fft(a->size, a->table, a->in, a->out, a->work);
    for (int l = 0; l < a->rows; l++) {
        pb_real *row = y + (size_t)l * a->out_next;
        for (int j = 0; j < a->size; j++)
            row[j] = (add ? row[j] : 0) + a->out[2 * L * j + l];
    }
}

/* All blocks of the units' rows, from x to y, whose rows have so many columns. */
static void transform(const pb_node *n, bool inverse, bool gradient, int from, int to, pb_real *scratch)
{
    const fourier_conf *c = n->conf;
    lanes a = lanes_start(n, inverse, scratch);
    const pb_node *source = gradient ? n : n->in[0];
    int wide = 2 * half(c->size), blocks = blocks_of(n), in = inverse ? wide : c->size, out = inverse ? c->size : wide;
    pb_real scale = c->inverse ? (pb_real)1 / (pb_real)c->size : 1;
    a.in_next = (size_t)in * (size_t)blocks;
    a.out_next = (size_t)out * (size_t)blocks;
    for (int unit = from; unit < to; unit++) {
        a.rows = n->rows - unit * L < L ? n->rows - unit * L : L;
        for (int i = 0; i < blocks; i++) {
            const pb_real *x = (gradient ? source->g : source->x) + (size_t)unit * L * a.in_next + i * in;
            pb_real *y = (gradient ? n->in[0]->g : n->x) + (size_t)unit * L * a.out_next + i * out;
            (inverse ? from_spectrum : to_spectrum)(&a, x, y, scale, c->inverse, gradient && n->add & 1);
        }
    }
}

static void fourier_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    const fourier_conf *c = n->conf;
    transform(n, c->inverse, false, from, to, scratch);
}

/* The gradient is the transpose, which is the other direction with the same factors. */
static void fourier_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want;
    const fourier_conf *c = n->conf;
    transform(n, !c->inverse, true, from, to, scratch);
}

/* A transform of whole lanes for each block of a unit, also where the last unit has fewer rows. */
static uint64_t fourier_flops(const pb_node *n, unsigned want)
{
    const fourier_conf *c = n->conf;
    (void)want;
    return (uint64_t)fourier_units(n, false) * L * (uint64_t)blocks_of(n) * pb_fft_flops(c->size);
}

static const pb_op fourier_op = {
    .name = "fourier",
    .aligned = 1,
    .shape = fourier_shape,
    .scratch = fourier_scratch,
    .units = fourier_units,
    .forward = fourier_forward,
    .backward = fourier_backward,
    .flops = fourier_flops,
};

pb_node *pb_op_fourier(pb_graph *g, pb_node *x, int size, bool inverse)
{
    fourier_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (fourier_conf){size, inverse};
    return pb_graph_apply(g, &fourier_op, c, x, NULL, NULL, NULL);
}

/* ---- correlate: frequency by frequency, y_m = sum over n of conj(w_mn) x_n --------------------------------------- */

typedef struct correlate_conf {
    int h, in, out; /* frequencies, blocks of x and of y */
} correlate_conf;

static int correlate_shape(pb_node *n)
{
    const correlate_conf *c = n->conf;
    n->rows = n->in[0]->rows;
    n->cols = 2 * c->h * c->out;
    n->set = n->in[0]->set;
    return 0;
}

/* z += x * y, or with `sign` -1 x * conj(y), for h complex numbers. */
static void add_products(int h, const pb_real *x, const pb_real *y, pb_real sign, pb_real *z)
{
    const pb_real *xi = x + h, *yi = y + h;
    pb_real *zi = z + h;
    for (int k = 0; k < h; k++) {
        z[k] += x[k] * y[k] - sign * (xi[k] * yi[k]);
        zi[k] += xi[k] * y[k] + sign * (x[k] * yi[k]);
    }
}

static uint64_t correlation(const pb_node *n, int rows)
{
    const correlate_conf *c = n->conf;
    return 8 * (uint64_t)rows * (uint64_t)c->in * (uint64_t)c->out * (uint64_t)c->h;
}

static void correlate_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const correlate_conf *c = n->conf;
    int one = 2 * c->h;
    memset(n->x + pb_row_start(n, from), 0, (pb_row_start(n, to) - pb_row_start(n, from)) * sizeof *n->x);
    for (int t = from; t < to; t++)
        for (int m = 0; m < c->out; m++)
            for (int i = 0; i < c->in; i++)
                add_products(c->h, n->in[0]->x + pb_row_start(n->in[0], t) + i * one,
                             n->in[1]->x + (size_t)(m * c->in + i) * (size_t)one, -1,
                             n->x + pb_row_start(n, t) + m * one);
    pb_flops_add(correlation(n, to - from));
}

/* dx_n = sum over m of w_mn dy_m */
static void correlate_backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const correlate_conf *c = n->conf;
    const pb_node *x = n->in[0];
    int one = 2 * c->h;
    if (!(n->add & 1))
        memset(x->g + pb_row_start(x, from), 0, (pb_row_start(x, to) - pb_row_start(x, from)) * sizeof *x->g);
    for (int t = from; t < to; t++)
        for (int m = 0; m < c->out; m++)
            for (int i = 0; i < c->in; i++)
                add_products(c->h, n->g + pb_row_start(n, t) + m * one,
                             n->in[1]->x + (size_t)(m * c->in + i) * (size_t)one, 1,
                             x->g + pb_row_start(x, t) + i * one);
    pb_flops_add(correlation(n, to - from));
}

static int correlate_param_units(const pb_node *n)
{
    return n->in[1]->rows;
}

/* dw_mn = sum over rows of x_n conj(dy_m): the real and the imaginary part are as independent numbers. */
static void correlate_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const correlate_conf *c = n->conf;
    int one = 2 * c->h;
    pb_real *dw = n->in[1]->g;
    if (!(n->add >> 1 & 1))
        memset(dw + (size_t)from * (size_t)one, 0, (size_t)(to - from) * (size_t)one * sizeof *dw);
    for (int t = 0; t < n->rows; t++)
        for (int at = from; at < to; at++)
            add_products(c->h, n->in[0]->x + pb_row_start(n->in[0], t) + at % c->in * one,
                         n->g + pb_row_start(n, t) + at / c->in * one, -1, dw + (size_t)at * (size_t)one);
    pb_flops_add(8 * (uint64_t)n->rows * (uint64_t)(to - from) * (uint64_t)c->h);
}

static uint64_t correlate_flops(const pb_node *n, unsigned want)
{
    return correlation(n, n->rows) * (want ? (want & 1) + (want >> 1 & 1) : 1);
}

static const pb_op correlate = {
    .name = "circulate",
    .needs = 2,
    .aligned = 1,
    .collects = 2,
    .reads = {PB_IN1, PB_IN0},
    .shape = correlate_shape,
    .param_units = correlate_param_units,
    .forward = correlate_forward,
    .backward = correlate_backward,
    .backward_params = correlate_params,
    .flops = correlate_flops,
};

pb_node *pb_op_circulate(pb_graph *g, pb_node *x, pb_node *w, int out)
{
    int size = w ? w->cols : 1, blocks = x ? x->cols / size : 0;
    if (!x || !w || w->set || x->cols % size || out % size || w->rows != out / size * blocks) {
        pb_error("circulate: x [%d,%d] to %d columns, w [%d,%d] do not fit", x ? x->rows : 0, x ? x->cols : 0, out,
                 w ? w->rows : 0, w ? w->cols : 0);
        pb_graph_fail(g);
        return NULL;
    }
    correlate_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (correlate_conf){half(size), blocks, out / size};
    pb_node *spectrum = pb_op_fourier(g, x, size, false), *kernel = pb_op_fourier(g, w, size, false);
    return pb_op_fourier(g, pb_graph_apply(g, &correlate, c, spectrum, kernel, NULL, NULL), size, true);
}
