/* Arrays of which most elements are equal: which are stored by parts, that every bit comes back, and which parts are
 * refused. */
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/rng.h"
#include "weights/sparse_array.h"

static const char path[] = "/tmp/peftbench-sparse-array.safetensors";

enum { ROWS = 40, COLS = 50, COUNT = ROWS * COLS };

static pb_array array_of(const float *x, int rows, int cols)
{
    size_t n = (size_t)rows * (size_t)cols;
    return (pb_array){
        .name = "x", .dtype = PB_F32, .dims = 2, .shape = {rows, cols}, .count = n, .data = x, .bytes = 4 * n};
}

/* Writes the parts and reads them back.  Returns the bytes of the file; 0: the array is not stored by parts. */
static size_t round_trip(const pb_array *a)
{
    pb_array parts[PB_SPARSE_PARTS], back;
    size_t size = 0;
    if (!pb_sparse_array_of(a, parts))
        return 0;
    CHECK(!pb_safetensors_write(path, parts, PB_SPARSE_PARTS, NULL));
    pb_safetensors *f = pb_safetensors_open(path);
    if (CHECK(f != NULL) && CHECK_INT(pb_sparse_array_read(f, path, "x", &back), 1)) {
        CHECK(back.dims == a->dims && back.shape[0] == a->shape[0] && back.shape[1] == a->shape[1]);
        CHECK(back.dtype == a->dtype && back.bytes == a->bytes && !memcmp(back.data, a->data, a->bytes));
        CHECK_INT((long long)pb_sparse_array_elements(f), (long long)a->count);
        CHECK_INT(pb_sparse_array_read(f, path, "y", &back), 0);
        pb_array_free(&back, 1);
    }
    pb_safetensors_close(f);
    free(pb_read_file(path, &size));
    unlink(path);
    pb_array_free(parts, PB_SPARSE_PARTS);
    return size;
}

/* `share` of the elements are random, all others are `value`. */
static void fill(float *x, int count, double share, float value)
{
    pb_rng r = {.key = 7};
    for (int i = 0; i < count; i++) {
        bool other = (double)pb_rng_below(&r, 1000000) < share * 1e6;
        x[i] = other ? (float)pb_rng_normal(&r) : value;
    }
}

TEST(every_bit_comes_back_and_the_file_is_smaller)
{
    static const double shares[] = {0, 0.001, 0.005, 0.05, 0.3, 0.6, 0.8};
    float *x = pb_alloc(COUNT * sizeof *x);
    pb_array a = array_of(x, ROWS, COLS), wide = array_of(x, 1, COUNT);
    pb_safetensors_write(path, &a, 1, NULL);
    size_t whole = 0;
    free(pb_read_file(path, &whole));
    for (size_t i = 0; i < PB_COUNT(shares); i++)
        for (int value = 0; value < 3; value++) {
            fill(x, COUNT, shares[i], value == 2 ? -20.f : value ? -0.f : 0);
            size_t size = round_trip(&a), flat = round_trip(&wide);
            bool few = value == 0 ||
                       shares[i] < 0.5; /* other values than 0 are looked for if most elements have them */
            CHECK((size != 0) == (shares[i] < (few ? 0.75 : 0.4)) && (flat != 0) == (size != 0));
            CHECK(size < whole);
            if (shares[i] == 0.005)
                CHECK(size < 600); /* of 8000 bytes: some ten values, 2000 / 255 wide bytes and the header */
        }
    free(x);
}

TEST(ends_and_wide_gaps_come_back)
{
    static const int places[] = {0, 1, 254, 255, 256, 510, 511, 512, 766, COUNT - 256, COUNT - 255, COUNT - 1};
    float *x = pb_alloc(COUNT * sizeof *x);
    pb_array a = array_of(x, ROWS, COLS);
    for (size_t i = 0; i < PB_COUNT(places); i++)
        for (size_t k = i; k < PB_COUNT(places); k++) {
            memset(x, 0, COUNT * sizeof *x);
            x[places[i]] = -1;
            x[places[k]] = NAN;
            CHECK(round_trip(&a) > 0);
        }
    free(x);
}

TEST(an_array_that_would_not_be_smaller_stays_whole)
{
    static const float none[1] = {0};
    float x[64];
    pb_array parts[PB_SPARSE_PARTS], a = array_of(x, 8, 8), empty = array_of(none, 0, 8);
    fill(x, 64, 0, 0);
    CHECK(!pb_sparse_array_of(&a, parts)); /* the header would be larger than 256 bytes */
    CHECK(!pb_sparse_array_of(&empty, parts));
    float *large = pb_alloc(COUNT * sizeof *large);
    a = array_of(large, ROWS, COLS);
    fill(large, COUNT, 1, 0);
    CHECK(!pb_sparse_array_of(&a, parts));
    free(large);
}

TEST(integers_come_back)
{
    int32_t *x = pb_alloc(COUNT * sizeof *x);
    pb_array a = array_of((const float *)x, ROWS, COLS);
    a.dtype = PB_I32;
    for (int i = 0; i < COUNT; i++)
        x[i] = i % 100 ? INT32_MIN : i;
    CHECK(round_trip(&a) > 0);
    free(x);
}

/* ---- parts that do not fit -------------------------------------------------------------------------------------- */

/* The parts of [40,50] with elements 3 and 1999 other than 0. */
static const float values[] = {0, 1, 2};
static const unsigned char gaps[] = {3, 255, 255, 255, 255, 255, 255, 255, 210, 0};

static void refuse(int32_t rows, size_t value_count, size_t gap_count, int last, bool with_shape)
{
    int32_t other[] = {rows, COLS};
    unsigned char gap[sizeof gaps];
    memcpy(gap, gaps, sizeof gaps);
    gap[gap_count - 1] = (unsigned char)last;
    pb_array parts[] = {{.name = "x:values", .dtype = PB_F32, .dims = 1, .data = values},
                        {.name = "x:gaps", .dtype = PB_U8, .dims = 1, .data = gap},
                        {.name = "x:shape", .dtype = PB_I32, .dims = 1, .data = other}},
             back;
    size_t counts[] = {value_count, gap_count, 2};
    for (int i = 0; i < 3; i++) {
        parts[i].shape[0] = (int64_t)counts[i];
        parts[i].count = counts[i];
        parts[i].bytes = counts[i] * (parts[i].dtype == PB_U8 ? 1 : 4);
    }
    CHECK(!pb_safetensors_write(path, parts, with_shape ? 3 : 2, NULL));
    pb_safetensors *f = pb_safetensors_open(path);
    bool fits = rows == ROWS && value_count == 3 && gap_count == sizeof gaps && last == 0 && with_shape;
    CHECK_INT(pb_sparse_array_read(f, path, "x", &back), fits ? 1 : -1);
    CHECK(fits || strstr(pb_error_text(), "'x': want parts 'shape', 'values' and 'gaps' that are of one array"));
    if (fits) {
        const float *x = back.data;
        CHECK(x[3] == 1 && x[1999] == 2 && x[0] == 0 && x[1998] == 0);
        pb_array_free(&back, 1);
    }
    pb_error_clear();
    pb_safetensors_close(f);
    unlink(path);
}

TEST(parts_that_are_not_of_one_array_are_refused)
{
    refuse(ROWS, 3, sizeof gaps, 0, true);
    refuse(ROWS, 3, sizeof gaps, 0, false);
    refuse(ROWS + 1, 3, sizeof gaps, 0, true);
    refuse(-ROWS, 3, sizeof gaps, 0, true);
    refuse(ROWS, 2, sizeof gaps, 0, true);
    refuse(ROWS, 3, sizeof gaps - 1, 210, true); /* a gap fewer than values */
    refuse(ROWS, 3, sizeof gaps, 255, true);     /* ends within a gap */
    refuse(ROWS, 3, sizeof gaps, 1, true);       /* one element too many */
}
