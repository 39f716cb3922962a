/* numeric/lapack.h: against SciPy (tests/golden/lapack.txt, made by tests/parity/make_lapack.py), and what every
 * decomposition promises, on random, wide, tall and rank-deficient matrices. */
#include "util.h"

#include "numeric/lapack.h"

#define ROUNDING (100 * EXACT) /* sums of up to 100 elements, and bases of spaces whose values lie close together */

/* ---- matrices ------------------------------------------------------------------------------- */

typedef struct matrix {
    int rows, cols;
    pb_real *x;
} matrix;

static matrix new_matrix(int rows, int cols)
{
    return (matrix){rows, cols, pb_alloc((size_t)rows * (size_t)cols * sizeof(pb_real))};
}

static matrix random_matrix(pb_rng *r, int rows, int cols)
{
    return (matrix){rows, cols, random_reals(r, (size_t)rows * (size_t)cols)};
}

static double at(matrix m, int i, int j)
{
    return (double)m.x[i * m.cols + j];
}

/* Frees its arguments. */
static matrix times(matrix a, matrix b)
{
    matrix c = new_matrix(a.rows, b.cols);
    for (int i = 0; i < a.rows; i++)
        for (int j = 0; j < b.cols; j++) {
            double sum = 0;
            for (int k = 0; k < a.cols; k++)
                sum += at(a, i, k) * at(b, k, j);
            c.x[i * b.cols + j] = (pb_real)sum;
        }
    free(a.x);
    free(b.x);
    return c;
}

static matrix turned(matrix a)
{
    matrix t = new_matrix(a.cols, a.rows);
    for (int i = 0; i < a.rows; i++)
        for (int j = 0; j < a.cols; j++)
            t.x[j * a.rows + i] = a.x[i * a.cols + j];
    return t;
}

static matrix copied(matrix a)
{
    matrix c = new_matrix(a.rows, a.cols);
    memcpy(c.x, a.x, (size_t)a.rows * (size_t)a.cols * sizeof *a.x);
    return c;
}

/* Multiplies column j by by[j], in place. */
static matrix scaled(matrix a, const pb_real *by)
{
    for (int i = 0; i < a.rows; i++)
        for (int j = 0; j < a.cols; j++)
            a.x[i * a.cols + j] *= by[j];
    return a;
}

/* Frees `got`.  Differences count relative to the largest value that is wanted. */
static bool equal(matrix got, matrix want, double tolerance)
{
    double largest = 0, worst = 0;
    for (int i = 0; i < want.rows * want.cols; i++) {
        double d = fabs((double)got.x[i] - (double)want.x[i]);
        worst = d <= INFINITY ? fmax(worst, d) : INFINITY;
        largest = fmax(largest, fabs((double)want.x[i]));
    }
    free(got.x);
    bool close = got.rows == want.rows && got.cols == want.cols && worst <= tolerance * (largest > 0 ? largest : 1);
    if (!close)
        printf("  %d x %d: off by %.3g of %.3g\n", want.rows, want.cols, worst, largest);
    return close;
}

/* a a^T = I. */
static bool orthonormal_rows(matrix a)
{
    matrix unit = new_matrix(a.rows, a.rows);
    for (int i = 0; i < a.rows; i++)
        unit.x[i * (a.rows + 1)] = 1;
    bool close = equal(times(copied(a), turned(a)), unit, ROUNDING);
    free(unit.x);
    return close;
}

static bool orthonormal_columns(matrix a)
{
    matrix t = turned(a);
    bool close = orthonormal_rows(t);
    free(t.x);
    return close;
}

/* In each row, the first element of the largest magnitude is positive. */
static bool signs_chosen(matrix a)
{
    for (int i = 0; i < a.rows; i++) {
        int largest = 0;
        for (int j = 1; j < a.cols; j++)
            if (fabs(at(a, i, j)) > fabs(at(a, i, largest)))
                largest = j;
        if (at(a, i, largest) < 0)
            return false;
    }
    return true;
}

/* ---- promises ------------------------------------------------------------------------------- */

static void check_svd(matrix x, int rank)
{
    int k = x.rows < x.cols ? x.rows : x.cols;
    matrix u = new_matrix(x.rows, k), s = new_matrix(1, k), vt = new_matrix(k, x.cols), before = copied(x);
    if (CHECK(!pb_svd(x.x, x.rows, x.cols, u.x, s.x, vt.x))) {
        CHECK(equal(times(scaled(copied(u), s.x), copied(vt)), x, ROUNDING));
        CHECK(orthonormal_columns(u) && orthonormal_rows(vt) && signs_chosen(vt));
        for (int i = 0; i < k; i++) {
            CHECK(s.x[i] >= 0 && (i == 0 || s.x[i] <= s.x[i - 1]));
            CHECK((s.x[i] > ROUNDING * (double)s.x[0]) == (i < rank));
        }
    }
    CHECK(same_bits((size_t)(x.rows * x.cols), x.x, before.x));
    free(u.x);
    free(s.x);
    free(vt.x);
    free(before.x);
}

static void check_qr(matrix x)
{
    int k = x.rows < x.cols ? x.rows : x.cols;
    matrix q = new_matrix(x.rows, k), r = new_matrix(k, x.cols), before = copied(x);
    fill_nan((size_t)(k * x.cols), r.x);
    if (CHECK(!pb_qr(x.x, x.rows, x.cols, q.x, r.x))) {
        CHECK(equal(times(copied(q), copied(r)), x, ROUNDING));
        CHECK(orthonormal_columns(q));
        for (int i = 0; i < k; i++) {
            CHECK(at(r, i, i) >= 0);
            for (int j = 0; j < i; j++)
                CHECK(at(r, i, j) == 0);
        }
    }
    CHECK(same_bits((size_t)(x.rows * x.cols), x.x, before.x));
    free(q.x);
    free(r.x);
    free(before.x);
}

static const struct {
    int rows, cols;
} shapes[] = {{1, 1}, {1, 9}, {9, 1}, {7, 7}, {40, 3}, {3, 40}, {64, 48}, {50, 65}};

TEST(any_shape_is_decomposed)
{
    pb_rng r = pb_rng_named(1, "shapes");
    for (size_t i = 0; i < PB_COUNT(shapes); i++) {
        matrix x = random_matrix(&r, shapes[i].rows, shapes[i].cols);
        check_svd(x, shapes[i].rows < shapes[i].cols ? shapes[i].rows : shapes[i].cols);
        check_qr(x);
        free(x.x);
    }
}

TEST(a_matrix_without_full_rank_is_decomposed)
{
    pb_rng r = pb_rng_named(1, "rank");
    for (int rank = 1; rank < 9; rank += 3) {
        matrix wide = times(random_matrix(&r, 9, rank), random_matrix(&r, rank, 30));
        matrix tall = times(random_matrix(&r, 30, rank), random_matrix(&r, rank, 9));
        check_svd(wide, rank);
        check_svd(tall, rank);
        check_qr(wide);
        check_qr(tall);
        free(wide.x);
        free(tall.x);
    }
    matrix zero = new_matrix(4, 6);
    check_svd(zero, 0);
    check_qr(zero);
    free(zero.x);
}

TEST(eigenvectors_of_a_symmetric_matrix)
{
    pb_rng r = pb_rng_named(1, "symmetric");
    for (int n = 1; n <= 61; n += 12) {
        matrix a = random_matrix(&r, n, n), x = times(copied(a), turned(a)), lower = copied(x);
        matrix values = new_matrix(1, n), vectors = new_matrix(n, n);
        for (int i = 0; i < n; i++)
            for (int j = i + 1; j < n; j++)
                lower.x[i * n + j] = (pb_real)NAN; /* not read, but refused */
        CHECK(pb_eigen(lower.x, n, values.x, vectors.x) == (n == 1 ? 0 : -1));
        for (int i = 0; i < n; i++)
            for (int j = i + 1; j < n; j++)
                lower.x[i * n + j] = 777;
        if (CHECK(!pb_eigen(lower.x, n, values.x, vectors.x))) {
            CHECK(equal(times(scaled(turned(vectors), values.x), copied(vectors)), x, ROUNDING));
            CHECK(orthonormal_rows(vectors) && signs_chosen(vectors));
            for (int i = 1; i < n; i++)
                CHECK(values.x[i] <= values.x[i - 1]);
        }
        CHECK(n == 1 || lower.x[1] == 777);
        free(a.x);
        free(x.x);
        free(lower.x);
        free(values.x);
        free(vectors.x);
    }
}

TEST(linear_equations_are_solved)
{
    pb_rng r = pb_rng_named(1, "equations");
    for (int n = 1; n <= 40; n += 13)
        for (int cols = 1; cols <= 5; cols += 4) {
            matrix a = random_matrix(&r, n, n), x = random_matrix(&r, n, cols);
            for (int i = 0; i < n; i++)
                a.x[i * (n + 1)] += n; /* well conditioned */
            matrix b = times(copied(a), copied(x));
            CHECK(!pb_solve(a.x, n, b.x, cols));
            CHECK(equal(b, x, ROUNDING));
            free(a.x);
            free(x.x);
        }
}

TEST(cholesky_of_a_positive_matrix)
{
    pb_rng r = pb_rng_named(1, "positive");
    for (int n = 1; n <= 40; n += 13) {
        matrix a = random_matrix(&r, n, n), x = times(copied(a), turned(a)), lower = new_matrix(n, n);
        for (int i = 0; i < n; i++)
            x.x[i * (n + 1)] += 1;
        CHECK(!pb_cholesky(x.x, n, lower.x));
        CHECK(equal(times(copied(lower), turned(lower)), x, ROUNDING));
        for (int i = 0; i < n; i++) {
            CHECK(at(lower, i, i) > 0);
            for (int j = i + 1; j < n; j++)
                CHECK(at(lower, i, j) == 0);
        }
        free(a.x);
        free(x.x);
        free(lower.x);
    }
}

TEST(what_has_no_answer_is_an_error)
{
    pb_real bad[] = {1, (pb_real)NAN, 0, (pb_real)INFINITY}, u[4], s[2], v[4];
    CHECK(pb_svd(bad, 2, 2, u, s, v) &&
          strstr(pb_error_text(), "singular value decomposition: the matrix of 2 x 2 has"));
    pb_error_clear();
    CHECK(pb_qr(bad, 2, 2, u, v) && strstr(pb_error_text(), "QR decomposition: the matrix of 2 x 2 has an element"));
    pb_error_clear();
    CHECK(pb_eigen(bad, 2, s, v) && strstr(pb_error_text(), "eigenvalue decomposition: the matrix of 2 x 2 has an"));
    pb_error_clear();
    CHECK(pb_svd(bad, 1 << 16, 1 << 16, u, s, v) && strstr(pb_error_text(), "65536 x 65536 is too large"));
    pb_error_clear();
    pb_real singular[] = {1, 2, 2, 4}, x[] = {1, 1};
    CHECK(pb_solve(singular, 2, x, 1));
    CHECK_TEXT(pb_error_text(), "linear equations: the matrix is singular");
    CHECK(x[0] == 1 && x[1] == 1);
    pb_error_clear();
    CHECK(pb_cholesky(singular, 2, v) == -1);
    CHECK_TEXT(pb_error_text(), "Cholesky decomposition: the matrix is not positive definite");
}

/* ---- SciPy ---------------------------------------------------------------------------------- */

typedef struct golden {
    char *text, *at;
} golden;

static matrix next_matrix(golden *g, char name[16])
{
    int rows, cols, used;
    if (!g->at || sscanf(g->at, "%15s %d %d%n", name, &rows, &cols, &used) != 3)
        return (matrix){0};
    matrix m = new_matrix(rows, cols);
    g->at += used;
    for (int i = 0; i < rows * cols; i++)
        m.x[i] = (pb_real)strtod(g->at, &g->at);
    return m;
}

/* The results that the golden has under these names, after which both are freed. */
static void compare(golden *g, const char *const *names, matrix *results)
{
    for (int i = 0; names[i]; i++) {
        char name[16];
        matrix want = next_matrix(g, name);
        CHECK_TEXT(name, names[i]);
        CHECK(equal(results[i], want, ROUNDING));
        free(want.x);
    }
}

static bool compare_case(golden *g, const char *kind, matrix x)
{
    int n = x.rows, k = x.rows < x.cols ? x.rows : x.cols;
    if (!strcmp(kind, "svd")) {
        matrix m[] = {new_matrix(n, k), new_matrix(1, k), new_matrix(k, x.cols)};
        CHECK(!pb_svd(x.x, n, x.cols, m[0].x, m[1].x, m[2].x));
        compare(g, (const char *const[]){"u", "s", "vt", NULL}, m);
    } else if (!strcmp(kind, "qr")) {
        matrix m[] = {new_matrix(n, k), new_matrix(k, x.cols)};
        CHECK(!pb_qr(x.x, n, x.cols, m[0].x, m[1].x));
        compare(g, (const char *const[]){"q", "r", NULL}, m);
    } else if (!strcmp(kind, "eigen")) {
        matrix m[] = {new_matrix(1, n), new_matrix(n, n)};
        CHECK(!pb_eigen(x.x, n, m[0].x, m[1].x));
        compare(g, (const char *const[]){"values", "vectors", NULL}, m);
    } else if (!strcmp(kind, "solve")) {
        char name[16];
        matrix b = next_matrix(g, name);
        CHECK_TEXT(name, "b");
        CHECK(!pb_solve(x.x, n, b.x, b.cols));
        compare(g, (const char *const[]){"x", NULL}, &b);
    } else if (!strcmp(kind, "cholesky")) {
        matrix lower = new_matrix(n, n);
        CHECK(!pb_cholesky(x.x, n, lower.x));
        compare(g, (const char *const[]){"lower", NULL}, &lower);
    } else
        return false;
    return true;
}

TEST(results_equal_those_of_scipy)
{
    golden g = {.text = pb_read_file("tests/golden/lapack.txt", NULL)};
    char kind[16];
    int cases = 0;
    g.at = g.text;
    for (matrix x; (x = next_matrix(&g, kind)).x; free(x.x), cases++)
        if (!CHECK(compare_case(&g, kind, x)))
            break;
    CHECK_INT(cases, 7 * 2 + 4 * 3);
    free(g.text);
}
