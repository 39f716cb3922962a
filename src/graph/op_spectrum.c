/* op_spectrum: matrices that are given by a few places of their spectrum.
 *
 * By Fourier: the columns are summed directly, since each place is one column's frequency, to the half spectra of the
 * matrix's rows; these are transformed by pb_op_fourier.  By Haar: each place changes two by two elements. */
#include <math.h>
#include <string.h>

#include "graph/op.h"
#include "graph/op_shape.h"
#include "numeric/blas.h"

/* A place (u,k) of the spectrum is exp(2 pi i j u / rows) in row j at frequency k.  Only the real part of the matrix
 * counts, to which (-u,-k) contributes the same, so a frequency above the half is that of the opposite place. */
typedef struct wave {
    int u, k;
    pb_real part; /* of a frequency that the half spectrum counts twice: 1/2 */
} wave;

typedef struct spectrum_conf {
    const int *index;
    int rows, cols;
    wave *wave;      /* [n] by place                                                */
    pb_real *circle; /* [rows,2] cosine and sine of the parts of the circle, / rows */
} spectrum_conf;

static int check(const pb_node *n)
{
    const spectrum_conf *c = n->conf;
    const pb_node *v = n->in[0];
    if (v->set || v->rows != 1 || c->rows < 1 || c->cols < 1)
        return pb_error("spectrum: v [%d,%d] to [%d,%d], want a vector [1,n] of parameters and a matrix", v->rows,
                        v->cols, c->rows, c->cols);
    for (int i = 0; i < v->cols; i++)
        if (c->index[i] < 0 || c->index[i] >= c->rows * c->cols)
            return pb_error("spectrum: place %d is %d, want 0 to %d", i, c->index[i], c->rows * c->cols - 1);
    return 0;
}

static int place_units(const pb_node *n)
{
    return n->in[0]->cols;
}

/* ---- waves: the half spectra of the matrix's rows ------------------------------------------------------------ */

static wave wave_at(const spectrum_conf *c, int place)
{
    int u = place / c->cols, k = place % c->cols;
    if (k > c->cols / 2) {
        u = (c->rows - u) % c->rows;
        k = c->cols - k;
    }
    return (wave){u, k, k == 0 || 2 * k == c->cols ? 1 : (pb_real)0.5};
}

static const pb_real *turn(const spectrum_conf *c, wave w, int row)
{
    return c->circle + 2 * ((long)w.u * row % c->rows);
}

static int waves_shape(pb_node *n)
{
    const spectrum_conf *c = n->conf;
    if (check(n))
        return -1;
    n->rows = c->rows;
    n->cols = 2 * (c->cols / 2 + 1);
    return 0;
}

/* Four operations for a place and a row. */
static uint64_t waves_flops(const pb_node *n, unsigned want)
{
    (void)want;
    return 4 * (uint64_t)n->rows * (uint64_t)n->in[0]->cols;
}

static void waves_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const spectrum_conf *c = n->conf;
    const pb_node *v = n->in[0];
    int h = n->cols / 2;
    memset(n->x + pb_row_start(n, from), 0, (pb_row_start(n, to) - pb_row_start(n, from)) * sizeof *n->x);
    for (int j = from; j < to; j++) {
        pb_real *row = n->x + pb_row_start(n, j);
        for (int i = 0; i < v->cols; i++) {
            wave w = c->wave[i];
            pb_real value = w.part * v->x[i];
            row[w.k] += value * turn(c, w, j)[0];
            row[h + w.k] += value * turn(c, w, j)[1];
        }
    }
    pb_flops_add(4 * (uint64_t)(to - from) * (uint64_t)v->cols);
}

static void waves_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const spectrum_conf *c = n->conf;
    pb_real *dv = n->in[0]->g;
    int h = n->cols / 2;
    for (int i = from; i < to; i++) {
        wave w = c->wave[i];
        double sum = 0;
        for (int j = 0; j < n->rows; j++) {
            const pb_real *row = n->g + pb_row_start(n, j), *t = turn(c, w, j);
            sum += (double)(row[w.k] * t[0] + row[h + w.k] * t[1]);
        }
        dv[i] = (n->add & 1 ? dv[i] : 0) + w.part * (pb_real)sum;
    }
    pb_flops_add(4 * (uint64_t)n->rows * (uint64_t)(to - from));
}

static const pb_op waves = {
    .name = "spectrum",
    .collects = 1,
    .shape = waves_shape,
    .param_units = place_units,
    .forward = waves_forward,
    .backward_params = waves_params,
    .flops = waves_flops,
};

static void prepare_waves(pb_graph *g, spectrum_conf *c, int places)
{
    size_t rows = c->rows > 0 ? (size_t)c->rows : 0, n = c->cols > 0 ? (size_t)places : 0;
    c->wave = pb_arena_alloc(pb_graph_arena(g), PB_META, n * sizeof *c->wave);
    c->circle = pb_arena_alloc(pb_graph_arena(g), PB_META, 2 * rows * sizeof *c->circle);
    for (size_t i = 0; i < n; i++)
        c->wave[i] = wave_at(c, c->index[i]);
    for (int j = 0; j < c->rows; j++) {
        c->circle[2 * j] = (pb_real)(cos(2 * M_PI * j / c->rows) / c->rows);
        c->circle[2 * j + 1] = (pb_real)(sin(2 * M_PI * j / c->rows) / c->rows);
    }
}

/* ---- haar: one level of the inverse Haar transform -------------------------------------------------------------- */

/* The coefficients are in four quadrants, of which the first has the sums of two by two elements, the one beside it the
 * differences of rows, the one below it those of columns and the last both.  An odd side has one row or column more,
 * which is cut. */
typedef struct square {
    int row, col; /* of the first of its elements */
    bool across, down;
} square;

static square square_at(const spectrum_conf *c, int place)
{
    int row = place / c->cols, col = place % c->cols, rows = (c->rows + 1) / 2, cols = (c->cols + 1) / 2;
    return (square){2 * (row % rows), 2 * (col % cols), .down = col >= cols, .across = row >= rows};
}

/* The sign of element (r,c) of the square. */
static pb_real sign_of(square s, int r, int c)
{
    return (pb_real)0.5 * (pb_real)((s.down && r) != (s.across && c) ? -1 : 1);
}

static int haar_shape(pb_node *n)
{
    const spectrum_conf *c = n->conf;
    if (check(n))
        return -1;
    n->rows = c->rows;
    n->cols = c->cols;
    return 0;
}

/* Two operations for each element of a square, also of those that are cut. */
static uint64_t haar_flops(const pb_node *n, unsigned want)
{
    (void)want;
    return 8 * (uint64_t)n->in[0]->cols;
}

static void haar_forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    const spectrum_conf *c = n->conf;
    const pb_node *v = n->in[0];
    memset(n->x + pb_row_start(n, from), 0, (pb_row_start(n, to) - pb_row_start(n, from)) * sizeof *n->x);
    for (int i = 0; i < v->cols; i++) {
        square s = square_at(c, c->index[i]);
        for (int k = 0; k < 4; k++) {
            int row = s.row + k / 2, col = s.col + k % 2;
            if (row >= from && row < to && col < n->cols)
                n->x[pb_row_start(n, row) + (size_t)col] += sign_of(s, k / 2, k % 2) * v->x[i];
        }
        pb_flops_add(s.row >= from && s.row < to ? 8 : 0);
    }
}

static void haar_params(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    const spectrum_conf *c = n->conf;
    pb_real *dv = n->in[0]->g;
    for (int i = from; i < to; i++) {
        square s = square_at(c, c->index[i]);
        pb_real sum = 0;
        for (int k = 0; k < 4; k++)
            if (s.row + k / 2 < n->rows && s.col + k % 2 < n->cols)
                sum += sign_of(s, k / 2, k % 2) * n->g[pb_row_start(n, s.row + k / 2) + (size_t)(s.col + k % 2)];
        dv[i] = (n->add & 1 ? dv[i] : 0) + sum;
    }
    pb_flops_add(8 * (uint64_t)(to - from));
}

static const pb_op haar = {
    .name = "spectrum",
    .collects = 1,
    .shape = haar_shape,
    .param_units = place_units,
    .forward = haar_forward,
    .backward_params = haar_params,
    .flops = haar_flops,
};

/* ---- the op --------------------------------------------------------------------------------------------------- */

pb_node *pb_op_spectrum(pb_graph *g, pb_node *v, const int *index, int rows, int cols, pb_basis basis)
{
    spectrum_conf *c = pb_arena_alloc(pb_graph_arena(g), PB_META, sizeof *c);
    *c = (spectrum_conf){.index = index, .rows = rows, .cols = cols};
    if (basis == PB_HAAR)
        return pb_graph_apply(g, &haar, c, v, NULL, NULL, NULL);
    prepare_waves(g, c, v ? v->cols : 0);
    return pb_op_fourier(g, pb_graph_apply(g, &waves, c, v, NULL, NULL, NULL), cols, true);
}
