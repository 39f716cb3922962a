/* Packed matrices against loops of a few lines. */
#include "test.h"

#include <math.h>
#include <stdlib.h>

#include "numeric/blas.h"
#include "numeric/packed.h"
#include "util.h"

typedef struct matrix {
    int rows, cols;
    pb_real *x, *back; /* as it was and as it is read */
    void *memory;
    pb_packed packed;
} matrix;

static matrix make(pb_precision precision, bool double_quant, int rows, int cols)
{
    matrix m = {.rows = rows, .cols = cols};
    size_t n = (size_t)rows * (size_t)cols, bytes = pb_packed_bytes(precision, double_quant, rows, cols);
    pb_rng r = pb_rng_named(3, "packed");
    m.x = random_reals(&r, n);
    m.back = pb_alloc(n * sizeof *m.back);
    m.memory = pb_alloc(bytes + 8);
    memset((char *)m.memory + bytes, 0x5A, 8);
    m.packed = pb_pack(precision, double_quant, rows, cols, m.x, m.memory);
    CHECK(!memcmp((char *)m.memory + bytes, "ZZZZZZZZ", 8)); /* nothing behind what it said it takes */
    pb_unpack(&m.packed, 0, rows, 0, cols, m.back, cols);
    return m;
}

static void release(matrix *m)
{
    free(m->x);
    free(m->back);
    free(m->memory);
}

static const struct {
    pb_precision precision;
    bool double_quant;
    double bound; /* of an error, relative to the largest of a row */
} kinds[] = {
    {PB_IN_BF16, false, 1.0 / 256}, {PB_IN_INT8, false, 0.5 / 127}, {PB_IN_NF4, false, 0.153}, {PB_IN_NF4, true, 0.17}};

TEST(bytes_are_those_of_the_formula)
{
    CHECK_INT(pb_packed_bytes(PB_IN_FP32, false, 7, 100), 2800);
    CHECK_INT(pb_packed_bytes(PB_IN_BF16, false, 7, 100), 1400);
    CHECK_INT(pb_packed_bytes(PB_IN_INT8, false, 7, 100), 700 + 7 * 4);
    CHECK_INT(pb_packed_bytes(PB_IN_NF4, false, 7, 100), 7 * 64 + 7 * 2 * 4);  /* four groups of 32, two scales */
    CHECK_INT(pb_packed_bytes(PB_IN_NF4, true, 7, 100), 7 * 64 + 16 + 4);      /* 14 bytes, filled up, and a step */
    CHECK_INT(pb_packed_bytes(PB_IN_NF4, true, 64, 640), 64 * 320 + 640 + 12); /* three steps of 256 scales */
}

TEST(what_comes_back_is_near)
{
    static const int shapes[][2] = {{1, 1}, {3, 31}, {5, 64}, {4, 65}, {9, 130}, {300, 96}};
    for (size_t k = 0; k < PB_COUNT(kinds); k++)
        for (size_t s = 0; s < PB_COUNT(shapes); s++) {
            matrix m = make(kinds[k].precision, kinds[k].double_quant, shapes[s][0], shapes[s][1]);
            double worst = 0;
            for (int i = 0; i < m.rows * m.cols; i++)
                worst = fmax(worst, fabs((double)(m.x[i] - m.back[i])));
            CHECK(worst <= kinds[k].bound * 1.2); /* no number is larger than 1.2 */
            CHECK(worst > 0 || m.rows * m.cols < 2);
            release(&m);
        }
}

TEST(a_part_is_a_part_of_the_whole)
{
    for (size_t k = 0; k < PB_COUNT(kinds); k++) {
        matrix m = make(kinds[k].precision, kinds[k].double_quant, 9, 200);
        pb_real part[3 * 130];
        pb_unpack(&m.packed, 4, 7, 96, 190, part, 130);
        for (int r = 0; r < 3; r++)
            CHECK(!memcmp(part + (size_t)r * 130, m.back + (size_t)(4 + r) * 200 + 96, 94 * sizeof *part));
        release(&m);
    }
}

TEST(products_are_those_with_the_matrix_that_comes_back)
{
    enum { ROWS = 101, COLS = 450 };
    static const int counts[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 49, 60};
    for (size_t k = 0; k < PB_COUNT(kinds); k++)
        for (size_t c = 0; c < PB_COUNT(counts); c++) {
            matrix m = make(kinds[k].precision, kinds[k].double_quant, ROWS, COLS);
            int n = counts[c];
            pb_rng r = pb_rng_named(5, "x");
            pb_real *x = random_reals(&r, (size_t)n * COLS), *b = random_reals(&r, ROWS);
            pb_real *y = random_reals(&r, (size_t)n * ROWS), *dx = random_reals(&r, (size_t)n * COLS);
            pb_real *before = pb_alloc((size_t)n * COLS * sizeof *before);
            memcpy(before, dx, (size_t)n * COLS * sizeof *dx);
            uint64_t done = pb_flops_done();
            pb_packed_linear(&m.packed, n, 0, 50, x, COLS, b, y, ROWS);
            pb_packed_linear(&m.packed, n, 50, ROWS, x, COLS, b, y, ROWS);
            CHECK_INT(pb_flops_done() - done, 2 * n * ROWS * COLS);
            pb_packed_backward(&m.packed, n, 0, 96, y, ROWS, dx, COLS, true);
            pb_packed_backward(&m.packed, n, 96, COLS, y, ROWS, dx, COLS, true);
            for (int i = 0; i < n; i++)
                for (int j = 0; j < ROWS; j += 7) {
                    double sum = (double)b[j];
                    for (int p = 0; p < COLS; p++)
                        sum += (double)x[i * COLS + p] * (double)m.back[j * COLS + p];
                    CHECK(fabs(sum - (double)y[i * ROWS + j]) < 1e-4 * 50);
                }
            for (int p = 0; p < COLS; p += 11) {
                double sum = (double)before[p];
                for (int j = 0; j < ROWS; j++)
                    sum += (double)y[j] * (double)m.back[j * COLS + p];
                CHECK(fabs(sum - (double)dx[p]) < 1e-3 * fmax(1, fabs(sum)));
            }
            free(x), free(b), free(y), free(dx), free(before);
            release(&m);
        }
}

/* A row that is longer than what is parted into even and odd at once. */
TEST(long_rows_in_bf16)
{
    enum { ROWS = 19, COLS = 9001 };
    matrix m = make(PB_IN_BF16, false, ROWS, COLS);
    pb_rng r = pb_rng_named(6, "x");
    pb_real *x = random_reals(&r, 2 * (size_t)COLS), y[2 * ROWS];
    pb_packed_linear(&m.packed, 2, 0, ROWS, x, COLS, NULL, y, ROWS);
    for (int i = 0; i < 2 * ROWS; i++) {
        double sum = 0;
        for (int p = 0; p < COLS; p++)
            sum += (double)x[i / ROWS * COLS + p] * (double)m.back[i % ROWS * COLS + p];
        CHECK(fabs(sum - (double)y[i]) < 1e-2);
    }
    free(x);
    release(&m);
}

TEST(zeros_and_the_ends_of_the_code_are_exact)
{
    pb_real x[128] = {0};
    char memory[256];
    x[64] = -2;
    x[65] = 2;
    for (size_t k = 0; k < 3; k++) {
        pb_real back[128];
        pb_packed p = pb_pack(kinds[k].precision, false, 1, 128, x, memory);
        pb_unpack(&p, 0, 1, 0, 128, back, 128);
        for (int i = 0; i < 128; i++)
            CHECK(fabs((double)(back[i] - x[i])) < 1e-6);
    }
}
