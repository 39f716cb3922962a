/* safetensors: see safetensors.h.
 *
 * A file contains the length of the header (8 bytes, little-endian), the header (a JSON object with dtype, shape and
 * data_offsets of each array), and the data, which the arrays cover without a gap. */
#include "weights/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/json.h"

#define LONGEST_HEADER 100000000u /* the format's own limit */
#define METADATA "__metadata__"

struct pb_safetensors {
    char *path;
    pb_map file;
    size_t start;            /* where the data begins                              */
    pb_json_doc *header;     /* holds the names                                    */
    pb_array *array;         /* in the header's order                              */
    const pb_array **sorted; /* by name                                            */
    size_t count, capacity;
};

/* The dtypes of the format with their sizes. */
static const struct type {
    const char *name;
    unsigned bits;
    pb_dtype dtype;
} types[] = {
    {"F64", 64, PB_F64},       {"F32", 32, PB_F32},       {"F16", 16, PB_F16},      {"BF16", 16, PB_BF16},
    {"I64", 64, PB_I64},       {"I32", 32, PB_I32},       {"U8", 8, PB_U8},         {"BOOL", 8, PB_OTHER},
    {"I8", 8, PB_OTHER},       {"I16", 16, PB_OTHER},     {"U16", 16, PB_OTHER},    {"U32", 32, PB_OTHER},
    {"U64", 64, PB_OTHER},     {"C64", 64, PB_OTHER},     {"F8_E4M3", 8, PB_F8},    {"F4", 4, PB_OTHER},
    {"F8_E5M2", 8, PB_F8},     {"F8_E8M0", 8, PB_F8},     {"F6_E2M3", 6, PB_OTHER}, {"F6_E3M2", 6, PB_OTHER},
    {"F8_E4M3FNUZ", 8, PB_F8}, {"F8_E5M2FNUZ", 8, PB_F8},
};

static const struct type *type_named(const char *name)
{
    for (size_t i = 0; i < PB_COUNT(types); i++)
        if (!strcmp(types[i].name, name))
            return &types[i];
    return NULL;
}

static const struct type *type_of(pb_dtype dtype)
{
    for (size_t i = 0; i < PB_COUNT(types); i++)
        if (types[i].dtype == dtype)
            return &types[i];
    PB_BUG("dtype %d", dtype);
}

/* ---- checking one array ------------------------------------------------------------------- */

static int read_shape(const char *path, const pb_json *shape, pb_array *a)
{
    size_t dims = pb_json_size(shape);
    if (!pb_json_is_array(shape))
        return pb_error("%s: '%s': shape: want an array of whole numbers", path, a->name);
    if (dims > PB_COUNT(a->shape))
        return pb_error("%s: '%s': shape: want at most %zu dimensions, got %zu", path, a->name, PB_COUNT(a->shape),
                        dims);
    a->dims = (int)dims;
    a->count = 1;
    for (size_t i = 0; i < dims; i++) {
        long long n = pb_json_integer(pb_json_at(shape, i), -1);
        if (n < 0)
            return pb_error("%s: '%s': shape: want whole numbers from 0", path, a->name);
        a->shape[i] = n;
        if (__builtin_mul_overflow(a->count, (size_t)n, &a->count))
            return pb_error("%s: '%s': shape: more elements than can be counted", path, a->name);
    }
    return 0;
}

static int read_offsets(const pb_safetensors *f, const pb_json *offsets, unsigned bits, pb_array *a)
{
    size_t room = f->file.size - f->start, need;
    long long from = pb_json_integer(pb_json_at(offsets, 0), -1);
    long long to = pb_json_integer(pb_json_at(offsets, 1), -1);
    if (!pb_json_is_array(offsets) || pb_json_size(offsets) != 2 || from < 0 || to < from)
        return pb_error("%s: '%s': data_offsets: want [begin,end] with 0 <= begin <= end", f->path, a->name);
    if ((unsigned long long)to > room)
        return pb_error("%s: '%s': data_offsets: end %lld lies beyond the data of %zu bytes: "
                        "the file is cut off or the header is wrong",
                        f->path, a->name, to, room);
    if (__builtin_mul_overflow(a->count, (size_t)bits, &need))
        return pb_error("%s: '%s': shape: more bytes than can be counted", f->path, a->name);
    a->bytes = (size_t)(to - from);
    if (need % 8 || need / 8 != a->bytes)
        return pb_error("%s: '%s': shape times element size is %zu bytes, data_offsets hold %zu", f->path, a->name,
                        (need + 7) / 8, a->bytes);
    a->data = f->file.data + f->start + from;
    return 0;
}

static int check_metadata(void *ctx, const char *key, const pb_json *value)
{
    const pb_safetensors *f = ctx;
    if (pb_json_text(value, NULL))
        return 0;
    return pb_error("%s: " METADATA ": '%s': want a string", f->path, key);
}

static int read_array(void *ctx, const char *name, const pb_json *value)
{
    pb_safetensors *f = ctx;
    if (!pb_json_is_object(value))
        return pb_error("%s: '%s': want an object in the header", f->path, name);
    if (!strcmp(name, METADATA))
        return pb_json_each(value, check_metadata, f);
    const char *dtype = pb_json_text(pb_json_get(value, "dtype"), NULL);
    if (!dtype)
        return pb_error("%s: '%s': dtype: want a string such as \"F32\"", f->path, name);
    const struct type *type = type_named(dtype);
    if (!type)
        return pb_error("%s: '%s': unknown dtype '%s'; "
                        "want one of F64, F32, F16, BF16, I64, I32, ..",
                        f->path, name, dtype);
    pb_grow(&f->array, f->count, &f->capacity, sizeof *f->array);
    pb_array *a = &f->array[f->count++];
    *a = (pb_array){.name = name, .dtype = type->dtype};
    if (read_shape(f->path, pb_json_get(value, "shape"), a))
        return -1;
    return read_offsets(f, pb_json_get(value, "data_offsets"), type->bits, a);
}

/* ---- checking the file -------------------------------------------------------------------- */

static int by_offset(const void *x, const void *y)
{
    const pb_array *a = *(const pb_array *const *)x, *b = *(const pb_array *const *)y;
    const char *i = a->data, *j = b->data;
    if (i != j)
        return i < j ? -1 : 1;
    return (a->bytes > b->bytes) - (a->bytes < b->bytes); /* empty ones first */
}

static int by_name(const void *x, const void *y)
{
    const pb_array *a = *(const pb_array *const *)x, *b = *(const pb_array *const *)y;
    return strcmp(a->name, b->name);
}

/* Checks that the arrays cover the data without gap or overlap, and sorts f->sorted by name. */
static int check_tiling(pb_safetensors *f)
{
    f->sorted = pb_alloc((f->count + 1) * sizeof *f->sorted);
    for (size_t i = 0; i < f->count; i++)
        f->sorted[i] = &f->array[i];
    qsort(f->sorted, f->count, sizeof *f->sorted, by_offset);
    const unsigned char *data = f->file.data + f->start;
    size_t reached = 0, all = f->file.size - f->start;
    for (size_t i = 0; i < f->count; i++) {
        const pb_array *a = f->sorted[i];
        size_t from = (size_t)((const unsigned char *)a->data - data);
        if (from != reached)
            return pb_error("%s: '%s': data begin at %zu, want %zu: the arrays %s", f->path, a->name, from, reached,
                            from < reached ? "overlap" : "leave a gap");
        reached += a->bytes;
    }
    if (reached != all)
        return pb_error("%s: %zu bytes of data belong to no array: want %zu bytes of data, got %zu", f->path,
                        all - reached, reached, all);
    qsort(f->sorted, f->count, sizeof *f->sorted, by_name);
    return 0;
}

static int read_header(pb_safetensors *f)
{
    uint64_t length = 0;
    if (f->file.size < 8)
        return pb_error("%s: %zu bytes: want a safetensors file of at least 8", f->path, f->file.size);
    for (int i = 8; i-- > 0;)
        length = length << 8 | f->file.data[i];
    if (length > LONGEST_HEADER || length > f->file.size - 8)
        return pb_error("%s: header of %llu bytes: want at most %zu: not a safetensors file, or cut off", f->path,
                        (unsigned long long)length,
                        f->file.size - 8 < LONGEST_HEADER ? f->file.size - 8 : LONGEST_HEADER);
    f->start = 8 + (size_t)length;
    char *location = pb_format("%s: header", f->path);
    f->header = pb_json_parse(location, (const char *)f->file.data + 8, (size_t)length);
    free(location);
    if (!f->header)
        return -1;
    const pb_json *root = pb_json_root(f->header);
    if (!pb_json_is_object(root))
        return pb_error("%s: header: want a JSON object", f->path);
    return pb_json_each(root, read_array, f) ? -1 : check_tiling(f);
}

const char *pb_safetensors_metadata(const pb_safetensors *f, const char *key)
{
    return pb_json_text(pb_json_get(pb_json_get(pb_json_root(f->header), METADATA), key), NULL);
}

/* ---- opening ------------------------------------------------------------------------------ */

pb_safetensors *pb_safetensors_open(const char *path)
{
    pb_safetensors *f = pb_alloc(sizeof *f);
    f->path = pb_strdup(path);
    if (!pb_map_open(&f->file, path) && !read_header(f))
        return f;
    pb_safetensors_close(f);
    return NULL;
}

void pb_safetensors_close(pb_safetensors *f)
{
    if (!f)
        return;
    pb_map_close(&f->file);
    pb_json_free(f->header);
    free(f->array);
    free(f->sorted);
    free(f->path);
    free(f);
}

size_t pb_safetensors_count(const pb_safetensors *f)
{
    return f->count;
}

const pb_array *pb_safetensors_at(const pb_safetensors *f, size_t i)
{
    PB_CHECK(i < f->count);
    return &f->array[i];
}

const pb_array *pb_safetensors_find(const pb_safetensors *f, const char *name)
{
    const pb_array key = {.name = name}, *wanted = &key;
    const pb_array **found = bsearch(&wanted, f->sorted, f->count, sizeof *f->sorted, by_name);
    return found ? *found : NULL;
}

/* ---- writing ------------------------------------------------------------------------------ */

static int check_arrays(const char *path, const pb_array *const *sorted, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const pb_array *a = sorted[i];
        if (a->dtype != PB_F32 && a->dtype != PB_BF16 && a->dtype != PB_I64 && a->dtype != PB_I32 && a->dtype != PB_U8)
            return pb_error("%s: '%s': cannot write: want dtype F32, BF16, I64, I32 or U8", path, a->name);
        if (a->bytes != a->count * (type_of(a->dtype)->bits / 8))
            return pb_error("%s: '%s': cannot write: %zu elements in %zu bytes", path, a->name, a->count, a->bytes);
        if (!strcmp(a->name, METADATA) || (i && !strcmp(a->name, sorted[i - 1]->name)))
            return pb_error("%s: '%s': cannot write: the name occurs twice or is reserved", path, a->name);
    }
    return 0;
}

/* Sorts as the safetensors library does: larger elements first, so that all are aligned. */
static int by_width(const void *x, const void *y)
{
    static const int rank[PB_OTHER] = {[PB_I64] = 3, [PB_F32] = 2, [PB_I32] = 1, [PB_U8] = -1};
    const pb_array *a = *(const pb_array *const *)x, *b = *(const pb_array *const *)y;
    int order = rank[b->dtype] - rank[a->dtype];
    return order ? order : strcmp(a->name, b->name);
}

static void add_metadata(pb_text *out, const char *const *metadata)
{
    pb_text_add(out, "\"" METADATA "\":{");
    for (size_t i = 0; metadata[i]; i += 2) {
        pb_text_add(out, i ? "," : "");
        pb_json_quote(out, metadata[i]);
        pb_text_add(out, ":");
        pb_json_quote(out, metadata[i + 1]);
    }
    pb_text_add(out, "}");
}

static void add_entry(pb_text *out, const pb_array *a, size_t offset)
{
    pb_json_quote(out, a->name);
    pb_text_add(out, ":{\"dtype\":\"%s\",\"shape\":[", type_of(a->dtype)->name);
    for (int i = 0; i < a->dims; i++)
        pb_text_add(out, "%s%lld", i ? "," : "", (long long)a->shape[i]);
    pb_text_add(out, "],\"data_offsets\":[%zu,%zu]}", offset, offset + a->bytes);
}

static void compose(pb_text *out, const pb_array *const *sorted, size_t n, const char *const *metadata)
{
    size_t offset = 0;
    pb_text_bytes(out, "\0\0\0\0\0\0\0", 8); /* the length, known below */
    pb_text_add(out, "{");
    if (metadata)
        add_metadata(out, metadata);
    for (size_t i = 0; i < n; i++) {
        pb_text_add(out, metadata || i ? "," : "");
        add_entry(out, sorted[i], offset);
        offset += sorted[i]->bytes;
    }
    pb_text_add(out, "}");
    while (out->length % 8)
        pb_text_add(out, " ");
    uint64_t length = out->length - 8;
    for (int i = 0; i < 8; i++)
        out->data[i] = (char)(length >> 8 * i & 255);
    for (size_t i = 0; i < n; i++)
        pb_text_bytes(out, sorted[i]->data, sorted[i]->bytes);
}

int pb_safetensors_write(const char *path, const pb_array *arrays, size_t n, const char *const *metadata)
{
    const pb_array **sorted = pb_alloc((n + 1) * sizeof *sorted);
    for (size_t i = 0; i < n; i++)
        sorted[i] = &arrays[i];
    qsort(sorted, n, sizeof *sorted, by_name); /* equal names become adjacent */
    int rc = check_arrays(path, sorted, n);
    if (!rc) {
        pb_text out = {0};
        qsort(sorted, n, sizeof *sorted, by_width);
        compose(&out, sorted, n, metadata);
        rc = pb_write_file(path, out.data, out.length);
        pb_text_free(&out);
    }
    free(sorted);
    return rc;
}
