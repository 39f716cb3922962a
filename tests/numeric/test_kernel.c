/* Every kernel of numeric/kernel.h, and pb_gemm, against a naive twin in double.  Destinations that
 * are overwritten hold NaN before; what lies between the rows of a matrix must stay as it was. */
#include "util.h"

#include "numeric/blas.h"
#include "numeric/kernel.h"

#ifdef PB_REAL_DOUBLE
#define FUNCTION 1e-14 /* absolute error of an activation of a number of size 1 */
#else
#define FUNCTION 1e-6
#endif

/* Around the widths of vectors and blocks. */
static const int sizes[] = {1, 2, 7, 15, 16, 17, 31, 48, 63, 255, 256, 257, 1000};

/* ---- matrices with padding between the rows --------------------------------------------------------------- */

#define PADDING ((pb_real)777)

typedef struct matrix {
    int rows, cols, ld;
    pb_real *x;
} matrix;

static matrix padded(int rows, int cols)
{
    matrix m = {.rows = rows, .cols = cols, .ld = cols + 3};
    size_t n = (size_t)(rows > 0 ? rows : 1) * (size_t)m.ld;
    m.x = pb_alloc(n * sizeof *m.x);
    for (size_t i = 0; i < n; i++)
        m.x[i] = PADDING;
    return m;
}

static matrix random_matrix(pb_rng *r, int rows, int cols)
{
    matrix m = padded(rows, cols);
    for (int i = 0; i < rows; i++)
        fill_random(r, (size_t)cols, m.x + (ptrdiff_t)i * m.ld);
    return m;
}

static matrix nan_matrix(int rows, int cols)
{
    matrix m = padded(rows, cols);
    for (int i = 0; i < rows; i++)
        fill_nan((size_t)cols, m.x + (ptrdiff_t)i * m.ld);
    return m;
}

static double at(const matrix *m, int i, int j)
{
    return (double)m->x[(ptrdiff_t)i * m->ld + j];
}

static double *twin(const matrix *m)
{
    double *want = pb_alloc((size_t)(m->rows * m->cols + 1) * sizeof *want);
    for (int i = 0; i < m->rows; i++)
        for (int j = 0; j < m->cols; j++)
            want[i * m->cols + j] = at(m, i, j);
    return want;
}

/* Frees both; false where they differ by more than the tolerance or the padding was written. */
static bool equal(matrix m, double *want, double tolerance)
{
    double difference = 0, largest = 1;
    bool kept = true;
    for (int i = 0; i < m.rows; i++) {
        for (int j = 0; j < m.cols; j++) {
            double d = fabs(at(&m, i, j) - want[i * m.cols + j]);
            difference = d <= INFINITY ? fmax(difference, d) : INFINITY;
            largest = fmax(largest, fabs(want[i * m.cols + j]));
        }
        for (int j = m.cols; j < m.ld; j++)
            kept = kept && m.x[(ptrdiff_t)i * m.ld + j] == PADDING;
    }
    free(m.x);
    free(want);
    return kept && difference <= tolerance * largest;
}

/* ---- products ----------------------------------------------------------------------------------------------- */

static void check_gemm(pb_rng *r, bool ta, bool tb, int m, int n, int k, double alpha, bool add)
{
    matrix a = ta ? random_matrix(r, k, m) : random_matrix(r, m, k);
    matrix b = tb ? random_matrix(r, n, k) : random_matrix(r, k, n);
    matrix c = add ? random_matrix(r, m, n) : nan_matrix(m, n);
    double *want = twin(&c);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int p = 0; p < k; p++)
                sum += (ta ? at(&a, p, i) : at(&a, i, p)) * (tb ? at(&b, j, p) : at(&b, p, j));
            want[i * n + j] = (add ? want[i * n + j] : 0) + alpha * sum;
        }
    uint64_t before = pb_flops_done();
    pb_gemm(m, n, k, (pb_real)alpha, (pb_operand){a.x, a.ld, ta}, (pb_operand){b.x, b.ld, tb}, add, c.x, c.ld);
    CHECK_INT((long long)(pb_flops_done() - before), 2LL * m * n * k);
    if (!CHECK(equal(c, want, EXACT)))
        printf("  %s %s m %d n %d k %d%s\n", ta ? "A^T" : "A", tb ? "B^T" : "B", m, n, k, add ? " added" : "");
    free(a.x);
    free(b.x);
}

TEST(gemm)
{
    static const int ms[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 48, 49, 70}, ns[] = {1, 2, 15, 16, 17, 33, 48, 49, 100};
    static const int ks[] = {1, 3, 16, 17, 64, 513};
    pb_rng r = pb_rng_named(1, "gemm");
    for (size_t m = 0; m < PB_COUNT(ms); m++)
        for (size_t n = 0; n < PB_COUNT(ns); n++)
            for (size_t k = 0; k < PB_COUNT(ks); k++)
                for (int kind = 0; kind < 4; kind++)
                    check_gemm(&r, kind & 1, kind & 2, ms[m], ns[n], ks[k], k % 2 ? 0.7 : 1, (m + n + k) % 2);
}

TEST(gemm_of_nothing)
{
    pb_rng r = pb_rng_named(2, "gemm");
    for (int kind = 0; kind < 8; kind++) {
        check_gemm(&r, kind & 1, kind & 2, 5, 6, 0, 1, kind & 4); /* an empty sum is zero */
        check_gemm(&r, kind & 1, kind & 2, 0, 6, 7, 1, kind & 4);
        check_gemm(&r, kind & 1, kind & 2, 5, 0, 7, 1, kind & 4);
    }
}

/* Columns [j0,j1) of x W^T + b; the others of y keep what they hold. */
static void check_linear(pb_rng *r, int m, int n, int k, bool bias, int j0, int j1)
{
    matrix x = random_matrix(r, m, k), y = nan_matrix(m, n);
    pb_real *w = random_reals(r, (size_t)(n * k)), *b = bias ? random_reals(r, (size_t)n) : NULL;
    bool whole = j0 == 0 && j1 == n;
    for (int i = 0; i < m && !whole; i++)
        for (int j = 0; j < n; j++)
            y.x[(ptrdiff_t)i * y.ld + j] = PADDING;
    double *want = twin(&y);
    for (int i = 0; i < m; i++)
        for (int j = j0; j < j1; j++) {
            want[i * n + j] = bias ? (double)b[j] : 0;
            for (int p = 0; p < k; p++)
                want[i * n + j] += at(&x, i, p) * (double)w[j * k + p];
        }
    uint64_t before = pb_flops_done();
    if (whole)
        pb_linear(m, n, k, x.x, x.ld, w, b, y.x, y.ld);
    else
        pb_linear_columns(m, k, j0, j1, x.x, x.ld, w, b, y.x, y.ld);
    CHECK_INT((long long)(pb_flops_done() - before), 2LL * m * (j1 - j0) * k);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            if ((j < j0 || j >= j1) && !CHECK(at(&y, i, j) == (double)PADDING))
                return;
    if (!CHECK(equal(y, want, EXACT)))
        printf("  m %d n %d k %d, columns %d..%d%s\n", m, n, k, j0, j1 - 1, bias ? "" : ", no bias");
    free(x.x);
    free(w);
    free(b);
}

TEST(linear)
{
    static const int ms[] = {1, 3, 4, 17, 49, 60}, ns[] = {1, 6, 50, 97}, ks[] = {1, 31, 32, 33, 100};
    pb_rng r = pb_rng_named(1, "linear");
    for (size_t m = 0; m < PB_COUNT(ms); m++)
        for (size_t n = 0; n < PB_COUNT(ns); n++)
            for (size_t k = 0; k < PB_COUNT(ks); k++)
                for (int bias = 0; bias < 2; bias++) {
                    check_linear(&r, ms[m], ns[n], ks[k], bias, 0, ns[n]);
                    check_linear(&r, ms[m], ns[n] + 2, ks[k], bias, 1, ns[n]);
                }
}

/* ---- attention ---------------------------------------------------------------------------------------------- */

typedef struct attention {
    pb_attention_shape shape;
    matrix q, k, v, o, go;
    pb_real *lse, *scratch;
    double *p, *want_o; /* probabilities [nq,nk], output [nq,hd] */
} attention;

static int seen(const pb_attention_shape *s, int i)
{
    return s->causal ? s->first + i + 1 : s->nk;
}

static long long pairs(const pb_attention_shape *s)
{
    long long sum = 0;
    for (int i = 0; i < s->nq; i++)
        sum += seen(s, i);
    return sum;
}

static double score(const attention *a, int i, int j)
{
    double sum = 0;
    for (int c = 0; c < a->shape.hd; c++)
        sum += at(&a->q, i, c) * at(&a->k, j, c);
    return sum * (double)a->shape.scale;
}

static void attend(attention *a)
{
    int nk = a->shape.nk, hd = a->shape.hd;
    for (int i = 0; i < a->shape.nq; i++) {
        double sum = 0;
        for (int j = 0; j < seen(&a->shape, i); j++)
            sum += a->p[i * nk + j] = exp(score(a, i, j));
        for (int j = 0; j < nk; j++) {
            a->p[i * nk + j] /= sum;
            for (int c = 0; c < hd; c++)
                a->want_o[i * hd + c] += a->p[i * nk + j] * at(&a->v, j, c);
        }
        CHECK_NEAR((double)a->lse[i], log(sum), 10 * EXACT);
    }
}

static attention open_attention(pb_rng *r, int nq, int nk, int hd, bool causal, int first)
{
    attention a = {.shape = {.nq = nq, .nk = nk, .hd = hd, .causal = causal, .first = first}};
    a.q = random_matrix(r, nq, hd);
    a.k = random_matrix(r, nk, hd);
    a.v = random_matrix(r, nk, hd);
    a.o = nan_matrix(nq, hd);
    a.go = random_matrix(r, nq, hd);
    a.shape.ldq = a.q.ld;
    a.shape.ldk = a.k.ld;
    a.shape.ldo = a.o.ld;
    a.shape.scale = (pb_real)(1 / sqrt(hd));
    a.lse = pb_alloc((size_t)(nq + 1) * sizeof *a.lse);
    a.scratch = pb_alloc(pb_attention_scratch(nq, nk, hd) * sizeof *a.scratch);
    a.p = pb_alloc((size_t)(nq * nk + 1) * sizeof *a.p);
    a.want_o = pb_alloc((size_t)(nq * hd + 1) * sizeof *a.want_o);
    fill_nan(pb_attention_scratch(nq, nk, hd), a.scratch);
    return a;
}

static void close_attention(attention *a)
{
    matrix *const all[] = {&a->q, &a->k, &a->v, &a->o, &a->go};
    for (size_t i = 0; i < PB_COUNT(all); i++)
        free(all[i]->x);
    free(a->lse);
    free(a->scratch);
    free(a->p);
    free(a->want_o);
}

/* With dP = go v^T and dS = P (dP - rowsum(P dP)): dq = scale dS k, dk = scale dS^T q, dv = P^T go. */
static void gradients(const attention *a, double *dq, double *dk, double *dv)
{
    const pb_attention_shape *s = &a->shape;
    for (int i = 0; i < s->nq; i++) {
        double mean = 0;
        for (int j = 0; j < s->nk; j++)
            for (int c = 0; c < s->hd; c++)
                mean += a->p[i * s->nk + j] * at(&a->go, i, c) * at(&a->v, j, c);
        for (int j = 0; j < s->nk; j++) {
            double p = a->p[i * s->nk + j], dp = 0;
            for (int c = 0; c < s->hd; c++)
                dp += at(&a->go, i, c) * at(&a->v, j, c);
            double ds = p * (dp - mean) * (double)s->scale;
            for (int c = 0; c < s->hd; c++) {
                dq[i * s->hd + c] += ds * at(&a->k, j, c);
                dk[j * s->hd + c] += ds * at(&a->q, i, c);
                dv[j * s->hd + c] += p * at(&a->go, i, c);
            }
        }
    }
}

/* bits 0..2: dq, dk, dv are wanted; bits 3..5: they are added to. */
static void check_backward(pb_rng *r, attention *a, unsigned kind)
{
    int nq = a->shape.nq, nk = a->shape.nk, hd = a->shape.hd;
    const int rows[] = {nq, nk, nk};
    matrix d[3];
    double *want[3];
    for (int i = 0; i < 3; i++) {
        d[i] = kind >> (3 + i) & 1 ? random_matrix(r, rows[i], hd) : nan_matrix(rows[i], hd);
        want[i] = twin(&d[i]);
        for (int k = 0; k < rows[i] * hd && !(kind >> (3 + i) & 1); k++)
            want[i][k] = 0;
    }
    gradients(a, want[0], want[1], want[2]);
    uint64_t before = pb_flops_done();
    const pb_attention_gradients t = {.q = a->q.x,
                                      .k = a->k.x,
                                      .v = a->v.x,
                                      .o = a->o.x,
                                      .lse = a->lse,
                                      .go = a->go.x,
                                      .dq = kind & 1 ? d[0].x : NULL,
                                      .dk = kind & 2 ? d[1].x : NULL,
                                      .dv = kind & 4 ? d[2].x : NULL,
                                      .add_q = kind & 8,
                                      .add_k = kind & 16,
                                      .add_v = kind & 32};
    pb_attention_backward(&a->shape, &t, a->scratch);
    long long products = 1 + ((kind & 3) != 0) + (kind & 1) + (kind >> 1 & 1) + (kind >> 2 & 1);
    CHECK_INT((long long)(pb_flops_done() - before), products * 2 * hd * pairs(&a->shape));
    for (int i = 0; i < 3; i++) {
        if (!(kind >> i & 1)) {
            free(d[i].x);
            free(want[i]);
        } else if (!CHECK(equal(d[i], want[i], 10 * EXACT))) {
            printf("  d%c, kind %u of nq %d nk %d hd %d%s first %d\n", "qkv"[i], kind, nq, nk, hd,
                   a -> shape.causal ? " causal" : "", a->shape.first);
        }
    }
}

/* Is the output what the definition says. */
static bool attended(attention *a)
{
    int nq = a->shape.nq, hd = a->shape.hd;
    attend(a);
    matrix o = padded(nq, hd);
    memcpy(o.x, a->o.x, (size_t)(nq * o.ld) * sizeof *o.x);
    double *want = pb_alloc((size_t)(nq * hd + 1) * sizeof *want);
    memcpy(want, a->want_o, (size_t)(nq * hd) * sizeof *want);
    return equal(o, want, EXACT);
}

static void check_attention(pb_rng *r, int nq, int nk, int hd, bool causal, int first)
{
    attention a = open_attention(r, nq, nk, hd, causal, first);
    uint64_t before = pb_flops_done();
    pb_attention(&a.shape, 1, &(pb_attention_part){a.k.x, a.v.x, a.shape.nk}, a.q.x, a.o.x, a.lse, a.scratch);
    CHECK_INT((long long)(pb_flops_done() - before), 4LL * hd * pairs(&a.shape));
    if (!CHECK(attended(&a)))
        printf("  nq %d nk %d hd %d%s first %d\n", nq, nk, hd, causal ? " causal" : "", first);
    for (unsigned kind = 1; kind<64; kind += nq * nk> 1000 ? 6 : 1)
        if (kind & 7)
            check_backward(r, &a, kind);
    close_attention(&a);
}

TEST(attention)
{
    pb_rng r = pb_rng_named(1, "attention");
    check_attention(&r, 1, 1, 4, false, 0);
    check_attention(&r, 5, 5, 8, false, 0);
    check_attention(&r, 1, 9, 16, false, 0);
    check_attention(&r, 3, 20, 7, false, 0);
    check_attention(&r, 64, 64, 32, false, 0);
    check_attention(&r, 65, 70, 12, false, 0);
    check_attention(&r, 130, 131, 64, false, 0);
    check_attention(&r, 0, 6, 8, false, 0); /* nobody asks: no gradient for keys and values */
}

TEST(causal_attention)
{
    pb_rng r = pb_rng_named(2, "attention");
    check_attention(&r, 1, 1, 4, true, 0);
    check_attention(&r, 6, 6, 8, true, 0);
    check_attention(&r, 6, 9, 8, true, 3); /* behind a prefix */
    check_attention(&r, 2, 9, 8, true, 7); /* the last two */
    check_attention(&r, 2, 9, 8, true, 1); /* earlier ones: later keys are there and not seen */
    check_attention(&r, 130, 133, 16, true, 3);
    check_attention(&r, 0, 6, 8, true, 0);
}

/* Scores of a thousand overflow an exponential that is not shifted. */
/* Keys and values in parts, the first and one in between of no rows. */
TEST(attention_over_parts)
{
    static const int rows[][4] = {{0, 5, 0, 8}, {1, 1, 1, 10}, {6, 0, 6, 1}};
    pb_rng r = pb_rng_named(8, "attention");
    for (size_t c = 0; c < PB_COUNT(rows); c++)
        for (int nq = 1; nq <= 9; nq += 4) {
            attention a = open_attention(&r, nq, 13, 20, true, 13 - nq);
            pb_attention_part part[4];
            for (int i = 0, at = 0; i < 4; at += rows[c][i++])
                part[i] = (pb_attention_part){a.k.x + at * a.k.ld, a.v.x + at * a.v.ld, rows[c][i]};
            pb_attention(&a.shape, 4, part, a.q.x, a.o.x, a.lse, a.scratch);
            CHECK(attended(&a));
            close_attention(&a);
        }
}

TEST(attention_of_large_scores)
{
    pb_rng r = pb_rng_named(3, "attention");
    attention a = open_attention(&r, 3, 5, 4, false, 0);
    for (int i = 0; i < 3; i++)
        for (int c = 0; c < 4; c++)
            a.q.x[i * a.q.ld + c] = c ? 0 : 1000;
    for (int j = 0; j < 5; j++)
        a.k.x[j * a.k.ld] = j == 2 ? 3 : j;
    pb_attention(&a.shape, 1, &(pb_attention_part){a.k.x, a.v.x, a.shape.nk}, a.q.x, a.o.x, a.lse, a.scratch);
    for (int i = 0; i < 3; i++) {
        CHECK_NEAR((double)a.lse[i], 2000, EXACT); /* 1000 * 4 / sqrt(4): key 4 */
        for (int c = 0; c < 4; c++)
            CHECK_NEAR(at(&a.o, i, c), at(&a.v, 4, c), EXACT);
    }
    a.q.x[0] = (pb_real)NAN; /* what is broken stays visible, in its row alone */
    pb_attention(&a.shape, 1, &(pb_attention_part){a.k.x, a.v.x, a.shape.nk}, a.q.x, a.o.x, a.lse, a.scratch);
    CHECK(isnan(at(&a.o, 0, 0)) && isnan((double)a.lse[0]) && isfinite(at(&a.o, 1, 0)));
    close_attention(&a);
}

/* With the unit vectors as values the output is the probabilities, dropped or scaled up. */
TEST(attention_drops_probabilities)
{
    enum { NQ = 150, NK = 20 };
    pb_rng r = pb_rng_named(4, "attention");
    attention a = open_attention(&r, NQ, NK, NK, false, 0);
    int dropped = 0;
    for (int j = 0; j < NK; j++)
        for (int c = 0; c < NK; c++)
            a.v.x[j * a.v.ld + c] = j == c;
    a.shape.drop = 0.25;
    a.shape.drop_key = 17;
    a.shape.first_row = 30;
    pb_attention(&a.shape, 1, &(pb_attention_part){a.k.x, a.v.x, a.shape.nk}, a.q.x, a.o.x, a.lse, a.scratch);
    attend(&a); /* without dropout: leaves P in want_o */
    for (int i = 0; i < NQ; i++)
        for (int j = 0; j < NK; j++) {
            dropped += at(&a.o, i, j) == 0;
            CHECK(at(&a.o, i, j) == 0 || fabs(at(&a.o, i, j) - a.want_o[i * NK + j] / 0.75) <= EXACT);
        }
    CHECK(abs(dropped - NQ * NK / 4) < 120); /* 5 sigma */
    for (int i = 0; i < NQ; i += 7) {        /* a row alone has its mask from its number */
        pb_real o[NK], lse;
        pb_attention_shape one = a.shape;
        one.nq = 1;
        one.row = &i;
        pb_attention(&one, 1, &(pb_attention_part){a.k.x, a.v.x, one.nk}, a.q.x + (ptrdiff_t)i * a.q.ld, o, &lse,
                     a.scratch);
        for (int j = 0; j < NK; j++)
            CHECK((o[j] == 0) == (at(&a.o, i, j) == 0));
    }
    close_attention(&a);
}

/* ---- normalisation -------------------------------------------------------------------------------------------- */

enum { ROWS = 5 };

static void check_layernorm(pb_rng *r, int n, bool in_place)
{
    size_t size = (size_t)(ROWS * n);
    pb_real *x = random_reals(r, size), *gamma = random_reals(r, (size_t)n), *beta = random_reals(r, (size_t)n);
    pb_real *y = in_place ? x : random_reals(r, size), stat[2 * ROWS];
    double *want = pb_alloc(size * sizeof *want), mean[ROWS], rstd[ROWS];
    for (int i = 0; i < ROWS; i++) {
        double sum = 0, square = 0;
        for (int j = 0; j < n; j++)
            sum += (double)x[i * n + j];
        mean[i] = sum / n;
        for (int j = 0; j < n; j++)
            square += ((double)x[i * n + j] - mean[i]) * ((double)x[i * n + j] - mean[i]);
        rstd[i] = 1 / sqrt(square / n + 1e-3);
        for (int j = 0; j < n; j++)
            want[i * n + j] = ((double)x[i * n + j] - mean[i]) * rstd[i] * (double)gamma[j] + (double)beta[j];
    }
    if (!in_place)
        fill_nan(size, y);
    pb_layernorm(ROWS, n, x, gamma, beta, (pb_real)1e-3, y, stat);
    CHECK(distance(size, y, want) <= 5 * EXACT);
    for (int i = 0; i < ROWS; i++) {
        CHECK(fabs((double)stat[2 * i] - mean[i]) <= EXACT);
        CHECK_NEAR((double)stat[2 * i + 1], rstd[i], 5 * EXACT);
    }
    free(x);
    free(in_place ? NULL : y);
    free(gamma);
    free(beta);
    free(want);
}

TEST(layernorm)
{
    pb_rng r = pb_rng_named(1, "layernorm");
    for (size_t i = 0; i < PB_COUNT(sizes); i++) {
        check_layernorm(&r, sizes[i], false);
        check_layernorm(&r, sizes[i], true);
    }
}

static void check_layernorm_backward(pb_rng *r, int n, bool add)
{
    size_t size = (size_t)(ROWS * n);
    pb_real *x = random_reals(r, size), *gamma = random_reals(r, (size_t)n), *dy = random_reals(r, size);
    pb_real *dx = random_reals(r, size), stat[2 * ROWS];
    double *want = pb_alloc(size * sizeof *want);
    for (int i = 0; i < ROWS; i++) { /* any mean and deviation: they are inputs here */
        double mean = (double)(stat[2 * i] = (pb_real)(0.1 * i)),
               rstd = (double)(stat[2 * i + 1] = (pb_real)(1 + 0.1 * i));
        double sum = 0, dot = 0;
        for (int j = 0; j < n; j++) {
            double d = (double)dy[i * n + j] * (double)gamma[j];
            sum += d / n;
            dot += d * ((double)x[i * n + j] - mean) * rstd / n;
        }
        for (int j = 0; j < n; j++) {
            double d = (double)dy[i * n + j] * (double)gamma[j], h = ((double)x[i * n + j] - mean) * rstd;
            want[i * n + j] = (add ? (double)dx[i * n + j] : 0) + rstd * (d - sum - h * dot);
        }
    }
    if (!add)
        fill_nan(size, dx);
    pb_layernorm_backward(ROWS, n, x, gamma, stat, dy, dx, add);
    CHECK(distance(size, dx, want) <= 5 * EXACT);
    free(x);
    free(gamma);
    free(dy);
    free(dx);
    free(want);
}

TEST(layernorm_backward)
{
    pb_rng r = pb_rng_named(2, "layernorm");
    for (size_t i = 1; i < PB_COUNT(sizes); i++) { /* of one number there is nothing to normalise */
        check_layernorm_backward(&r, sizes[i], false);
        check_layernorm_backward(&r, sizes[i], true);
    }
}

/* `which`: bit 0 dgamma, bit 1 dbeta; columns [j0,j1) only. */
static void check_layernorm_params(pb_rng *r, int n, int j0, int j1, int which)
{
    pb_real *x = random_reals(r, (size_t)(ROWS * n)), *dy = random_reals(r, (size_t)(ROWS * n));
    pb_real *dgamma = random_reals(r, (size_t)n), *dbeta = random_reals(r, (size_t)n), stat[2 * ROWS];
    double *gain = pb_alloc((size_t)n * sizeof *gain), *bias = pb_alloc((size_t)n * sizeof *bias);
    fill_random(r, PB_COUNT(stat), stat);
    for (int j = 0; j < n; j++) {
        gain[j] = (double)dgamma[j];
        bias[j] = (double)dbeta[j];
        for (int i = 0; i < ROWS && j >= j0 && j < j1; i++) {
            double h = ((double)x[i * n + j] - (double)stat[2 * i]) * (double)stat[2 * i + 1];
            gain[j] += which & 1 ? (double)dy[i * n + j] * h : 0;
            bias[j] += which & 2 ? (double)dy[i * n + j] : 0;
        }
    }
    pb_layernorm_params(ROWS, n, j0, j1, x, stat, dy, which & 1 ? dgamma : NULL, which & 2 ? dbeta : NULL);
    CHECK(distance((size_t)n, dgamma, gain) <= EXACT && distance((size_t)n, dbeta, bias) <= EXACT);
    free(x);
    free(dy);
    free(dgamma);
    free(dbeta);
    free(gain);
    free(bias);
}

TEST(layernorm_params)
{
    pb_rng r = pb_rng_named(3, "layernorm");
    for (size_t i = 0; i < PB_COUNT(sizes); i++)
        for (int which = 1; which < 4; which++) {
            check_layernorm_params(&r, sizes[i], 0, sizes[i], which);
            check_layernorm_params(&r, sizes[i], sizes[i] / 3, sizes[i] - sizes[i] / 4, which);
        }
}

/* ---- activations ------------------------------------------------------------------------------------------------ */

static double gelu_tanh_inner(double x)
{
    return sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
}

static double act_twin(pb_act act, double x)
{
    switch (act) {
    case PB_GELU: return 0.5 * x * (1 + erf(x / sqrt(2)));
    case PB_GELU_TANH: return 0.5 * x * (1 + tanh(gelu_tanh_inner(x)));
    case PB_RELU: return x > 0 ? x : 0;
    case PB_TANH: return tanh(x);
    case PB_SILU: return x / (1 + exp(-x));
    case PB_SIGMOID: return 1 / (1 + exp(-x));
    }
    return NAN;
}

static double slope_twin(pb_act act, double x)
{
    double t = tanh(act == PB_GELU_TANH ? gelu_tanh_inner(x) : x), s = 1 / (1 + exp(-x));
    switch (act) {
    case PB_GELU: return 0.5 * (1 + erf(x / sqrt(2))) + x * exp(-x * x / 2) / sqrt(2 * M_PI);
    case PB_GELU_TANH: return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
    case PB_RELU: return x > 0;
    case PB_TANH: return 1 - t * t;
    case PB_SILU: return s * (1 + x * (1 - s));
    case PB_SIGMOID: return s * (1 - s);
    }
    return NAN;
}

static bool near(double got, double want, double size)
{
    return fabs(got - want) <= FUNCTION * fmax(1, fabs(size));
}

static void check_act(pb_act act, int n)
{
    pb_real *x = pb_alloc((size_t)n * sizeof *x), *y = pb_alloc((size_t)n * sizeof *y);
    pb_real *dy = pb_alloc((size_t)n * sizeof *y), *dx = pb_alloc((size_t)n * sizeof *y);
    for (int i = 0; i < n; i++) { /* -12 .. 12, and some far out */
        x[i] = (pb_real)(i % 37 == 36 ? (i % 2 ? 300 : -300) : -12 + 24.0 * i / n);
        dy[i] = (pb_real)(0.5 + i % 3);
    }
    fill_nan((size_t)n, y);
    fill_nan((size_t)n, dx);
    pb_act_forward(act, (size_t)n, x, y);
    pb_act_backward(act, (size_t)n, x, dy, dx, false);
    for (int i = 0; i < n; i++) {
        double want = (double)dy[i] * slope_twin(act, (double)x[i]);
        if (!CHECK(near((double)y[i], act_twin(act, (double)x[i]), (double)x[i])) ||
            !CHECK(near((double)dx[i], want, (double)x[i])))
            printf("  activation %d of %g: %g, slope * %g: %g\n", (int)act, (double)x[i], (double)y[i], (double)dy[i],
                   (double)dx[i]);
    }
    pb_act_backward(act, (size_t)n, x, dy, dx, true);
    pb_act_backward(act, (size_t)n, x, dy, dy, false); /* over its own gradient */
    for (int i = 0; i < n; i++)
        CHECK(near((double)dx[i], 2 * (double)dy[i], (double)x[i]));
    pb_act_forward(act, (size_t)n, x, x); /* in place */
    CHECK(same_bits((size_t)n, x, y));
    free(x);
    free(y);
    free(dy);
    free(dx);
}

TEST(activations)
{
    for (int act = PB_GELU; act <= PB_SIGMOID; act++)
        for (size_t i = 0; i < PB_COUNT(sizes); i++)
            check_act((pb_act)act, sizes[i]);
}

TEST(a_nan_stays_one)
{
    for (int act = PB_GELU; act <= PB_SIGMOID; act++) {
        pb_real x[20] = {0}, y[20];
        x[3] = x[19] = (pb_real)NAN;
        pb_act_forward((pb_act)act, 20, x, y);
        CHECK(isnan((double)y[3]) && isnan((double)y[19]) && isfinite((double)y[4]));
    }
    pb_real x[20] = {0};
    x[0] = x[19] = (pb_real)NAN;
    pb_exp(20, x, 0, x);
    CHECK(isnan((double)x[0]) && isnan((double)x[19]) && x[1] == 1);
}

TEST(exp_is_exact)
{
    enum { N = 175001 };
    pb_real *x = pb_alloc(N * sizeof *x), *y = pb_alloc(N * sizeof *y);
    double worst = 0;
    for (int i = 0; i < N; i++)
        x[i] = (pb_real)(-87 + 0.001 * i);
    pb_exp(N, x, 0, y);
    for (int i = 0; i < N; i++) {
        double want = exp((double)x[i]);
        worst = fmax(worst, fabs((double)y[i] - want) / want);
    }
    if (!CHECK(worst <= (sizeof(pb_real) == 4 ? 1e-7 : 1e-15)))
        printf("  off by %.3g\n", worst);
    pb_real far[] = {-1000, -(pb_real)INFINITY, 0};
    pb_exp(3, far, 0, far);
    CHECK(far[0] >= 0 && (double)far[0] < 1e-37 && (double)far[1] < 1e-37 && far[2] == 1);
    free(x);
    free(y);
}

/* ---- sums and masks ---------------------------------------------------------------------------------------------- */

TEST(axpy)
{
    pb_rng r = pb_rng_named(1, "axpy");
    for (size_t i = 0; i < PB_COUNT(sizes); i++)
        for (int add = 0; add < 2; add++) {
            size_t n = (size_t)sizes[i];
            pb_real *x = random_reals(&r, n), *y = random_reals(&r, n);
            double *want = pb_alloc(n * sizeof *want);
            for (size_t k = 0; k < n; k++)
                want[k] = (add ? (double)y[k] : 0) - 1.5 * (double)x[k];
            if (!add)
                fill_nan(n, y);
            pb_axpy(n, (pb_real)-1.5, x, y, add);
            CHECK(distance(n, y, want) <= EXACT);
            free(x);
            free(y);
            free(want);
        }
}

TEST(column_sums)
{
    pb_rng r = pb_rng_named(1, "columns");
    for (size_t i = 0; i < PB_COUNT(sizes); i++) {
        int n = sizes[i], j0 = n / 3, j1 = n - n / 5;
        matrix x = random_matrix(&r, 9, n);
        pb_real *sums = random_reals(&r, (size_t)n);
        double *want = pb_alloc((size_t)n * sizeof *want);
        for (int j = 0; j < n; j++) {
            want[j] = (double)sums[j];
            for (int row = 0; row < 9 && j >= j0 && j < j1; row++)
                want[j] += at(&x, row, j);
        }
        pb_column_sums(9, x.ld, j0, j1, x.x, sums);
        CHECK(distance((size_t)n, sums, want) <= EXACT);
        free(x.x);
        free(sums);
        free(want);
    }
}

TEST(dropout_keeps_and_scales)
{
    enum { N = 20000 };
    pb_rng r = pb_rng_named(1, "dropout");
    pb_real *x = random_reals(&r, N), *y = pb_alloc(N * sizeof *y);
    static const double ps[] = {0, 0.1, 0.5, 0.9};
    for (size_t k = 0; k < PB_COUNT(ps); k++) {
        int dropped = 0;
        fill_nan(N, y);
        pb_dropout(N, 42 + k, 7, ps[k], x, y, false);
        for (int i = 0; i < N; i++) {
            dropped += y[i] == 0;
            CHECK(y[i] == 0 || fabs((double)y[i] - (double)x[i] / (1 - ps[k])) <= 10 * EXACT * fabs((double)y[i]));
        }
        CHECK(fabs(dropped - N * ps[k]) <= 5 * sqrt(N * ps[k] * (1 - ps[k])));
    }
    pb_dropout(N, 1, 0, 1, x, y, false); /* all of it */
    for (int i = 0; i < N; i++)
        CHECK(y[i] == 0);
    free(x);
    free(y);
}

/* However an element comes to be computed, its mask is its own. */
TEST(a_dropout_mask_belongs_to_the_element)
{
    enum { N = 500 };
    pb_rng r = pb_rng_named(2, "dropout");
    pb_real *x = random_reals(&r, N), whole[N], parts[N], sum[N];
    int same = 0;
    pb_dropout(N, 9, 1000, 0.3, x, whole, false);
    memcpy(sum, x, sizeof sum);
    for (size_t i = 0, n; i < N; i += n) {
        n = i % 40 + 1 < N - i ? i % 40 + 1 : N - i;
        pb_dropout(n, 9, 1000 + i, 0.3, x + i, parts + i, false);
        pb_dropout(n, 9, 1000 + i, 0.3, x + i, sum + i, true);
    }
    for (int i = 0; i < N; i++) {
        CHECK((whole[i] == 0) == (parts[i] == 0));
        CHECK_NEAR((double)sum[i], (double)x[i] + (double)whole[i], EXACT);
    }
    pb_dropout(N, 10, 1000, 0.3, x, parts, false); /* another key, another mask */
    for (int i = 0; i < N; i++)
        same += (whole[i] == 0) == (parts[i] == 0);
    CHECK(same < 400);
    pb_dropout(N, 10, 1000, 0.3, x, x, false); /* in place */
    CHECK(same_bits(N, x, parts));
    free(x);
}

/* Each against a sum in double; lengths around the lanes. */
TEST(sums)
{
    pb_rng r = pb_rng_named(1, "sums");
    for (size_t i = 0; i < PB_COUNT(sizes); i++) {
        size_t n = (size_t)sizes[i];
        pb_real *x = random_reals(&r, n), *y = random_reals(&r, n);
        double sum = 0, dot = 0, square = 0, top = -INFINITY;
        for (size_t k = 0; k < n; k++) {
            sum += (double)x[k];
            dot += (double)x[k] * (double)y[k];
            square += ((double)x[k] - (double)y[k]) * ((double)x[k] - (double)y[k]);
            top = fmax(top, (double)x[k]);
        }
        CHECK(fabs((double)pb_sum(n, x) - sum) <= EXACT * (double)n);
        CHECK(fabs((double)pb_dot(n, x, y) - dot) <= EXACT * (double)n);
        CHECK_NEAR((double)pb_square_distance(n, x, y), square, EXACT);
        CHECK((double)pb_largest(n, x) == top);
        x[n / 2] = (pb_real)NAN;
        CHECK(isnan((double)pb_sum(n, x)) && isnan((double)pb_dot(n, x, y)));
        x[n / 2] = 100; /* wherever it is */
        CHECK(pb_largest(n, x) == 100);
        free(x);
        free(y);
    }
}

TEST(sum_of_squares)
{
    pb_rng r = pb_rng_named(1, "squares");
    CHECK(pb_sum_squares(0, NULL) == 0);
    for (size_t i = 0; i < PB_COUNT(sizes); i++) {
        size_t n = (size_t)sizes[i];
        pb_real *x = random_reals(&r, n);
        double want = 0;
        x[0] *= (pb_real)1e25; /* its square is no float */
        for (size_t k = 0; k < n; k++)
            want += (double)x[k] * (double)x[k];
        CHECK_NEAR(pb_sum_squares(n, x), want, 1e-14);
        CHECK(pb_sum_squares(n, x) == pb_sum_squares(n, x));
        x[n - 1] = (pb_real)NAN;
        CHECK(isnan(pb_sum_squares(n, x)));
        free(x);
    }
}

/* ---- loss and optimizer ------------------------------------------------------------------------------------------- */

static void check_cross_entropy(pb_rng *r, int classes, double size)
{
    size_t n = (size_t)(ROWS * classes);
    pb_real *x = random_reals(r, n), *d = pb_alloc(n * sizeof *d), loss[ROWS], stat[2 * ROWS];
    double *want = pb_alloc(n * sizeof *want);
    int label[ROWS] = {0, classes - 1, -1, classes / 2, -100};
    for (size_t i = 0; i < n; i++)
        x[i] *= (pb_real)size;
    fill_nan(n, d);
    fill_nan(ROWS, loss);
    pb_cross_entropy(ROWS, classes, x, label, loss, stat);
    pb_cross_entropy_backward(ROWS, classes, x, label, stat, (pb_real)0.25, d, false);
    for (int i = 0; i < ROWS; i++) {
        double top = -INFINITY, sum = 0;
        for (int c = 0; c < classes; c++)
            top = fmax(top, (double)x[i * classes + c]);
        for (int c = 0; c < classes; c++)
            sum += want[i * classes + c] = exp((double)x[i * classes + c] - top);
        for (int c = 0; c < classes; c++)
            want[i * classes + c] = label[i] < 0 ? 0 : 0.25 * (want[i * classes + c] / sum - (c == label[i]));
        double of_label = label[i] < 0 ? 0 : top + log(sum) - (double)x[i * classes + label[i]];
        CHECK(fabs((double)loss[i] - of_label) <= EXACT * fmax(1, size));
    }
    CHECK(distance(n, d, want) <= EXACT);
    pb_cross_entropy_backward(ROWS, classes, x, label, stat, (pb_real)0.5, d, true);
    for (size_t i = 0; i < n; i++)
        want[i] *= 3;
    CHECK(distance(n, d, want) <= EXACT);
    free(x);
    free(d);
    free(want);
}

TEST(log_softmax)
{
    static const size_t counts[] = {1, 2, 17, 1023, 1024, 1025, 5000};
    static pb_real x[5000], z[5000];
    pb_rng r = pb_rng_named(23, "log_softmax");
    for (size_t s = 0; s < PB_COUNT(counts); s++) {
        size_t n = counts[s];
        double sum = 0, share = 0, off = 0;
        fill_random(&r, n, x);
        for (size_t i = 0; i < n; i++) {
            z[i] = x[i] += 300; /* whose exponential is no float */
            sum += exp((double)x[i] - 300);
        }
        double all = 300 + log(sum);
        CHECK(fabs(pb_log_sum_exp(n, x) - all) < 1e-11);
        pb_log_softmax(n, z);
        for (size_t i = 0; i < n; i++) {
            off = fmax(off, fabs((double)z[i] - ((double)x[i] - all)));
            share += exp((double)z[i]);
        }
        CHECK(off <= 300 * EXACT && fabs(share - 1) <= 300 * EXACT);
    }
}

TEST(cross_entropy)
{
    pb_rng r = pb_rng_named(1, "loss");
    for (size_t i = 0; i < PB_COUNT(sizes); i++) {
        check_cross_entropy(&r, sizes[i], 1);
        check_cross_entropy(&r, sizes[i], 1000); /* exponentials of it overflow */
    }
}

static void adamw_twin(const pb_adamw *o, size_t n, double *w, const pb_real *g, double *m, double *v)
{
    for (size_t i = 0; i < n; i++) {
        double gi = g ? o->clip * (double)g[i] : 0;
        m[i] = o->beta1 * m[i] + (1 - o->beta1) * gi;
        v[i] = o->beta2 * v[i] + (1 - o->beta2) * gi * gi;
        w[i] -= o->lr * o->decay * w[i];
        w[i] -= o->lr * (m[i] / o->bias1) / (sqrt(v[i] / o->bias2) + o->eps);
    }
}

static void check_adamw(pb_rng *r, size_t n)
{
    pb_real *w = random_reals(r, n), *m = pb_alloc(n * sizeof *m), *v = pb_alloc(n * sizeof *v);
    double *want = pb_alloc(3 * n * sizeof *want);
    for (size_t i = 0; i < n; i++)
        want[i] = (double)w[i];
    for (int t = 1; t <= 6; t++) {
        pb_adamw rule = {.lr = 0.01 * t, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .decay = 0.1 * (t % 2)};
        rule.bias1 = 1 - pow(0.9, t);
        rule.bias2 = 1 - pow(0.999, t);
        rule.clip = t == 3 ? 0.25 : 1;
        pb_real *g = t == 4 ? NULL : random_reals(r, n); /* a row that the batch did not touch */
        pb_adamw_step(&rule, n, w, g, m, v);
        adamw_twin(&rule, n, want, g, want + n, want + 2 * n);
        free(g);
    }
    CHECK(distance(n, w, want) <= 5 * EXACT);
    CHECK(distance(n, m, want + n) <= 5 * EXACT && distance(n, v, want + 2 * n) <= 5 * EXACT);
    free(w);
    free(m);
    free(v);
    free(want);
}

TEST(adamw)
{
    pb_rng r = pb_rng_named(1, "adamw");
    for (size_t i = 0; i < PB_COUNT(sizes); i++)
        check_adamw(&r, (size_t)sizes[i]);
}
