/* sparse_array: see sparse_array.h. */
#include "weights/sparse_array.h"

#include <stdlib.h>
#include <string.h>

enum { SHAPE, VALUES, GAPS };
static const char *const part_name[] = {"shape", "values", "gaps"};

enum { WIDE = 255 }; /* a byte of a gap that goes on */

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static uint32_t element(const pb_array *a, size_t i)
{
    uint32_t x;
    memcpy(&x, (const char *)a->data + i * sizeof x, sizeof x);
    return x;
}

static size_t count_of(const pb_array *a, uint32_t value)
{
    size_t n = 0;
    for (size_t i = 0; i < a->count; i++)
        n += element(a, i) == value;
    return n;
}

/* The value of most elements if more than half of them have one, or 0 if that is more frequent (the majority vote of
 * Boyer and Moore); *times is how many have it. */
static uint32_t frequent_value(const pb_array *a, size_t *times)
{
    uint32_t candidate = 0;
    size_t votes = 0;
    for (size_t i = 0; i < a->count; i++) {
        candidate = votes ? candidate : element(a, i);
        votes += votes && element(a, i) != candidate ? (size_t)-1 : 1;
    }
    size_t zeros = count_of(a, 0);
    *times = count_of(a, candidate);
    if (*times >= zeros)
        return candidate;
    *times = zeros;
    return 0;
}

static void add_gap(pb_text *gaps, size_t gap)
{
    static const char wide = (char)WIDE;
    for (; gap >= WIDE; gap -= WIDE)
        pb_text_bytes(gaps, &wide, 1);
    pb_text_bytes(gaps, &(char){(char)gap}, 1);
}

/* Writes the elements other than `value` to `others` and the gaps between them. */
static void split(const pb_array *a, uint32_t value, uint32_t *others, pb_text *gaps)
{
    size_t gap = 0;
    for (size_t i = 0; i < a->count; i++) {
        if (element(a, i) == value) {
            gap++;
            continue;
        }
        *others++ = element(a, i);
        add_gap(gaps, gap);
        gap = 0;
    }
    add_gap(gaps, gap);
}

static pb_array part_of(const pb_array *a, int part, pb_dtype dtype, size_t count, const void *data)
{
    size_t size = dtype == PB_U8 ? 1 : 4;
    return (pb_array){.name = pb_format("%s:%s", a->name, part_name[part]),
                      .dtype = dtype,
                      .dims = 1,
                      .shape = {(int64_t)count},
                      .count = count,
                      .data = data,
                      .bytes = count * size};
}

/* A bound of the bytes that the entries of the parts take in the header, without the entry of the array itself. */
static size_t header_bytes(const pb_array *a)
{
    return PB_SPARSE_PARTS * (strlen(a->name) + 100);
}

bool pb_sparse_array_of(const pb_array *a, pb_array parts[PB_SPARSE_PARTS])
{
    PB_CHECK(a->dtype == PB_F32 || a->dtype == PB_I32);
    size_t times, least = header_bytes(a) + sizeof(int32_t) * (size_t)a->dims;
    uint32_t value = frequent_value(a, &times);
    size_t n = a->count - times;
    if (least + 5 * n >= a->bytes)
        return false;
    pb_text gaps = {0};
    uint32_t *values = pb_alloc((n + 1) * sizeof *values);
    values[0] = value;
    split(a, value, values + 1, &gaps);
    if (least + 4 * (n + 1) + gaps.length >= a->bytes) {
        pb_text_free(&gaps);
        free(values);
        return false;
    }
    int32_t *shape = pb_alloc((size_t)a->dims * sizeof *shape + 1);
    for (int d = 0; d < a->dims; d++)
        shape[d] = (int32_t)a->shape[d];
    parts[SHAPE] = part_of(a, SHAPE, PB_I32, (size_t)a->dims, shape);
    parts[VALUES] = part_of(a, VALUES, a->dtype, n + 1, values);
    parts[GAPS] = part_of(a, GAPS, PB_U8, gaps.length, gaps.data);
    return true;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static const pb_array *find_part(const pb_safetensors *f, const char *name, int part)
{
    char *full = pb_format("%s:%s", name, part_name[part]);
    const pb_array *a = pb_safetensors_find(f, full);
    free(full);
    return a;
}

/* The shape of the array, and the number of its elements; -1: it is none. */
static int read_shape(const pb_array *part, pb_array *out)
{
    if (part->dtype != PB_I32 || part->dims != 1 || part->count > PB_COUNT(out->shape))
        return -1;
    out->dims = (int)part->count;
    out->count = 1;
    for (int d = 0; d < out->dims; d++) {
        int32_t size = (int32_t)element(part, (size_t)d);
        out->shape[d] = size;
        if (size < 0 || __builtin_mul_overflow(out->count, (size_t)size, &out->count))
            return -1;
    }
    return __builtin_mul_overflow(out->count, sizeof(uint32_t), &out->bytes) ? -1 : 0;
}

/* The number of gaps, and in *sum the elements that they stand for. */
static size_t count_gaps(const pb_array *gaps, size_t *sum)
{
    const unsigned char *gap = gaps->data;
    size_t n = 0;
    *sum = 0;
    for (size_t i = 0; i < gaps->count; i++) {
        *sum += gap[i];
        n += gap[i] < WIDE;
    }
    return n;
}

/* Puts the elements where the gaps say that they are; all parts fit. */
static void join(const pb_array *gaps, const pb_array *values, uint32_t *out)
{
    const unsigned char *gap = gaps->data;
    size_t at = 0, next = 1;
    for (size_t i = 0; i < gaps->count; i++) {
        for (int k = 0; k < gap[i]; k++)
            out[at++] = element(values, 0);
        if (gap[i] < WIDE && next < values->count)
            out[at++] = element(values, next++);
    }
}

static bool fit(const pb_array *shape, const pb_array *values, const pb_array *gaps, pb_array *out)
{
    size_t equal;
    return shape && gaps && (values->dtype == PB_F32 || values->dtype == PB_I32) && values->dims == 1 &&
           gaps->dtype == PB_U8 && gaps->dims == 1 && gaps->count && !read_shape(shape, out) &&
           count_gaps(gaps, &equal) == values->count && ((const unsigned char *)gaps->data)[gaps->count - 1] < WIDE &&
           out->count == equal + values->count - 1;
}

int pb_sparse_array_read(const pb_safetensors *f, const char *path, const char *name, pb_array *out)
{
    const pb_array *shape = find_part(f, name, SHAPE), *values = find_part(f, name, VALUES),
                   *gaps = find_part(f, name, GAPS);
    if (!values)
        return 0;
    *out = (pb_array){.dtype = values->dtype};
    if (!fit(shape, values, gaps, out))
        return pb_error("%s: '%s': want parts 'shape', 'values' and 'gaps' that are of one array", path, name);
    uint32_t *data = pb_alloc(out->bytes + 1);
    join(gaps, values, data);
    out->name = pb_strdup(name);
    out->data = data;
    return 1;
}

size_t pb_sparse_array_elements(const pb_safetensors *f)
{
    size_t sum = 0;
    for (size_t i = 0; i < pb_safetensors_count(f); i++) {
        const pb_array *a = pb_safetensors_at(f, i);
        const char *colon = strrchr(a->name, ':');
        size_t equal;
        if (colon && !strcmp(colon + 1, part_name[GAPS])) {
            count_gaps(a, &equal);
            sum += equal;
        } else if (colon && !strcmp(colon + 1, part_name[VALUES]))
            sum += a->count - 1;
        else if (!colon || strcmp(colon + 1, part_name[SHAPE]) != 0)
            sum += a->count;
    }
    return sum;
}
