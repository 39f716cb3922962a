/* gguf: reads the metadata and the tensors of a file.  See gguf.h. */
#include "weights/gguf.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "weights/blocks.h"
#include "weights/gguf_internal.h"

#define LONGEST_NAME 1024

/* ---- reading within bounds ------------------------------------------------------------------------------ */

typedef struct cursor {
    pb_gguf *f;
    size_t at;
    bool cut; /* the file ended too early */
} cursor;

static const unsigned char *take_bytes(cursor *c, uint64_t bytes)
{
    if (c->cut || bytes > c->f->file.size - c->at) {
        c->cut = true;
        return NULL;
    }
    const unsigned char *p = c->f->file.data + c->at;
    c->at += (size_t)bytes;
    return p;
}

static uint64_t take_whole(cursor *c, int bytes)
{
    uint64_t n = 0;
    const unsigned char *p = take_bytes(c, (uint64_t)bytes);
    for (int i = bytes; p && i-- > 0;)
        n = n << 8 | p[i];
    return n;
}

static int cut_off(const cursor *c)
{
    return pb_error("%s: ends inside its header, at %zu bytes: "
                    "the file is cut off or is not a GGUF file",
                    c->f->path, c->f->file.size);
}

/* Reads a name into a heap string, which the caller frees.  Returns NULL with an error. */
static char *take_name(cursor *c, const char *what)
{
    uint64_t n = take_whole(c, 8);
    const unsigned char *p = take_bytes(c, n);
    if (!p) {
        cut_off(c);
        return NULL;
    }
    if (!n || n > LONGEST_NAME || memchr(p, 0, (size_t)n)) {
        pb_error("%s: a %s of %llu bytes: want 1..%d without NUL", c->f->path, what, (unsigned long long)n,
                 LONGEST_NAME);
        return NULL;
    }
    int32_t code;
    for (size_t i = 0; i < n;) {
        utf8proc_ssize_t k = utf8proc_iterate(p + i, (utf8proc_ssize_t)(n - i), &code);
        if (k <= 0) {
            pb_error("%s: a %s is not UTF-8", c->f->path, what);
            return NULL;
        }
        i += (size_t)k;
    }
    return pb_format("%.*s", (int)n, (const char *)p);
}

/* ---- metadata --------------------------------------------------------------------------------------------- */

static void skip_value(cursor *c, pb_gguf_type type, uint64_t count)
{
    if (type != PB_GGUF_TEXT) {
        uint64_t bytes;
        if (__builtin_mul_overflow(count, (uint64_t)pb_gguf_bytes(type), &bytes))
            bytes = UINT64_MAX;
        take_bytes(c, bytes);
        return;
    }
    for (uint64_t i = 0; i < count && !c->cut; i++)
        take_bytes(c, take_whole(c, 8));
}

static int read_value(cursor *c)
{
    pb_gguf *f = c->f;
    char *key = take_name(c, "key");
    if (!key)
        return -1;
    pb_grow(&f->value, f->values, &f->value_capacity, sizeof *f->value);
    pb_gguf_value *v = &f->value[f->values++];
    *v = (pb_gguf_value){.key = key, .count = 1};
    if ((size_t)pb_interner_add(&f->key, key, strlen(key)) + 1 < f->values)
        return pb_error("%s: key '%s' occurs twice", f->path, key);
    uint64_t type = take_whole(c, 4), item = type;
    if (type == PB_GGUF_LIST) {
        item = take_whole(c, 4);
        v->count = take_whole(c, 8);
    }
    if (type >= PB_GGUF_TYPES || item >= PB_GGUF_TYPES || item == PB_GGUF_LIST)
        return pb_error("%s: '%s': type %llu of %llu: want 0..%d, and no list of lists", f->path, key,
                        (unsigned long long)type, (unsigned long long)item, PB_GGUF_TYPES - 1);
    v->type = (pb_gguf_type)type;
    v->item = (pb_gguf_type)item;
    v->data = f->file.data + c->at;
    skip_value(c, v->item, v->count);
    return c->cut ? cut_off(c) : 0;
}

/* ---- tensors ------------------------------------------------------------------------------------------------ */

/* The types of ggml.  Those with PB_OTHER are not supported and serve for messages only. */
static const struct {
    uint64_t number;
    const char *name;
    pb_dtype type;
    int bytes; /* of one, outside of blocks */
} types[] = {{0, "F32", PB_F32, 4},        {1, "F16", PB_F16, 2},       {30, "BF16", PB_BF16, 2},
             {2, "Q4_0", PB_Q4_0, 0},      {3, "Q4_1", PB_Q4_1, 0},     {6, "Q5_0", PB_Q5_0, 0},
             {7, "Q5_1", PB_Q5_1, 0},      {8, "Q8_0", PB_Q8_0, 0},     {10, "Q2_K", PB_Q2_K, 0},
             {11, "Q3_K", PB_Q3_K, 0},     {12, "Q4_K", PB_Q4_K, 0},    {13, "Q5_K", PB_Q5_K, 0},
             {14, "Q6_K", PB_Q6_K, 0},     {9, "Q8_1", PB_OTHER, 0},    {15, "Q8_K", PB_OTHER, 0},
             {16, "IQ2_XXS", PB_OTHER, 0}, {17, "IQ2_XS", PB_OTHER, 0}, {18, "IQ3_XXS", PB_OTHER, 0},
             {19, "IQ1_S", PB_OTHER, 0},   {20, "IQ4_NL", PB_OTHER, 0}, {21, "IQ3_S", PB_OTHER, 0},
             {22, "IQ2_S", PB_OTHER, 0},   {23, "IQ4_XS", PB_OTHER, 0}, {24, "I8", PB_OTHER, 0},
             {25, "I16", PB_OTHER, 0},     {26, "I32", PB_OTHER, 0},    {27, "I64", PB_OTHER, 0},
             {28, "F64", PB_OTHER, 0},     {29, "IQ1_M", PB_OTHER, 0},  {34, "TQ1_0", PB_OTHER, 0},
             {35, "TQ2_0", PB_OTHER, 0},   {39, "MXFP4", PB_OTHER, 0},  {40, "NVFP4", PB_OTHER, 0}};

/* Returns the index of a type in `types`, or -1 with an error if it is not supported. */
static int find_type(const pb_gguf *f, const pb_array *a, uint64_t number)
{
    pb_text known = {0};
    const char *name = "that ggml does not name";
    for (size_t i = 0; i < PB_COUNT(types); i++) {
        if (types[i].type != PB_OTHER && types[i].number == number)
            return pb_text_free(&known), (int)i;
        if (types[i].type != PB_OTHER)
            pb_text_add(&known, "%s%s", i ? ", " : "", types[i].name);
        if (types[i].number == number)
            name = types[i].name;
    }
    pb_error("%s: '%s': type %s (%llu): want one of %s", f->path, a->name, name, (unsigned long long)number,
             known.data);
    pb_text_free(&known);
    return -1;
}

/* The file lists the sizes from the fastest dimension on, which is the last of a shape. */
static int read_shape(cursor *c, pb_array *a)
{
    uint64_t dims = take_whole(c, 4);
    if (dims > 4)
        return pb_error("%s: '%s': %llu dimensions: want at most 4", c->f->path, a->name, (unsigned long long)dims);
    a->dims = (int)dims;
    a->count = 1;
    for (int i = a->dims; i-- > 0;) {
        uint64_t n = take_whole(c, 8);
        if (n > INT64_MAX || __builtin_mul_overflow(a->count, (size_t)n, &a->count))
            return pb_error("%s: '%s': shape: more numbers than can be counted", c->f->path, a->name);
        a->shape[i] = (int64_t)n;
    }
    return 0;
}

static int set_bytes(const pb_gguf *f, pb_array *a, uint64_t number)
{
    int i = find_type(f, a, number);
    if (i < 0)
        return -1;
    a->dtype = types[i].type;
    size_t block = (size_t)pb_block_size(a->dtype), bytes = (size_t)pb_block_bytes(a->dtype);
    size_t last = a->dims ? (size_t)a->shape[a->dims - 1] : 1;
    if (block && last % block)
        return pb_error("%s: '%s': rows of %zu: want a multiple of %zu", f->path, a->name, last, block);
    if (__builtin_mul_overflow(block ? a->count / block : a->count, block ? bytes : (size_t)types[i].bytes, &a->bytes))
        return pb_error("%s: '%s': more bytes than can be counted", f->path, a->name);
    return 0;
}

static int read_tensor(cursor *c, uint64_t *offset)
{
    pb_gguf *f = c->f;
    char *name = take_name(c, "tensor's name");
    if (!name)
        return -1;
    pb_grow(&f->array, f->count, &f->capacity, sizeof *f->array);
    pb_array *a = &f->array[f->count++];
    *a = (pb_array){.name = name};
    if (read_shape(c, a))
        return -1;
    uint64_t type = take_whole(c, 4);
    *offset = take_whole(c, 8);
    return c->cut ? cut_off(c) : set_bytes(f, a, type);
}

static int by_offset(const void *x, const void *y)
{
    const pb_array *a = *(const pb_array *const *)x, *b = *(const pb_array *const *)y;
    return a->data < b->data ? -1 : a->data > b->data;
}

static int check_overlap(const pb_gguf *f)
{
    const pb_array **sorted = pb_alloc((f->count + 1) * sizeof *sorted);
    int rc = 0;
    for (size_t i = 0; i < f->count; i++)
        sorted[i] = &f->array[i];
    qsort(sorted, f->count, sizeof *sorted, by_offset);
    for (size_t i = 0; i + 1 < f->count && !rc; i++)
        if ((const unsigned char *)sorted[i]->data + sorted[i]->bytes > (const unsigned char *)sorted[i + 1]->data)
            rc = pb_error("%s: '%s' and '%s' overlap", f->path, sorted[i]->name, sorted[i + 1]->name);
    free(sorted);
    return rc;
}

/* Offsets are relative to the first aligned byte after the header. */
static int locate_tensors(cursor *c, const uint64_t *offset)
{
    pb_gguf *f = c->f;
    double alignment = pb_gguf_number(f, "general.alignment", 32);
    if (!(alignment >= 1 && alignment <= 1 << 20) || (size_t)alignment & ((size_t)alignment - 1))
        return pb_error("%s: general.alignment: want a power of 2, got %g", f->path, alignment);
    size_t align = (size_t)alignment, start = (c->at + align - 1) / align * align;
    for (size_t i = 0; i < f->count; i++) {
        pb_array *a = &f->array[i];
        if (offset[i] % align)
            return pb_error("%s: '%s': at %llu: want a multiple of %zu", f->path, a->name,
                            (unsigned long long)offset[i], align);
        if (start > f->file.size || offset[i] > f->file.size - start || a->bytes > f->file.size - start - offset[i])
            return pb_error("%s: '%s': %zu bytes from %llu lie outside of the file: is it cut off?", f->path, a->name,
                            a->bytes, (unsigned long long)offset[i]);
        a->data = f->file.data + start + offset[i];
    }
    return check_overlap(f);
}

/* ---- opening ------------------------------------------------------------------------------------------------ */

static int read_gguf(pb_gguf *f)
{
    cursor c = {.f = f};
    uint64_t magic = take_whole(&c, 4), version = take_whole(&c, 4), tensors = take_whole(&c, 8),
             values = take_whole(&c, 8);
    if (c.cut || magic != 0x46554747)
        return pb_error("%s: want a GGUF file, which begins with \"GGUF\"", f->path);
    if (version != 2 && version != 3)
        return pb_error("%s: GGUF version %llu: want 2 or 3", f->path, (unsigned long long)version);
    for (uint64_t i = 0; i < values; i++)
        if (read_value(&c))
            return -1;
    if (tensors > f->file.size / 24)
        return pb_error("%s: %llu tensors: more than the file can hold", f->path, (unsigned long long)tensors);
    uint64_t *offset = pb_alloc((size_t)(tensors + 1) * sizeof *offset);
    int rc = 0;
    for (uint64_t i = 0; i < tensors && !rc; i++)
        rc = read_tensor(&c, &offset[i]);
    rc = rc || locate_tensors(&c, offset) || pb_gguf_describe(f) || pb_gguf_describe_tokenizer(f) ? -1 : 0;
    free(offset);
    return rc;
}

pb_gguf *pb_gguf_open(const char *path)
{
    pb_gguf *f = pb_alloc(sizeof *f);
    f->path = pb_strdup(path);
    if (!pb_map_open(&f->file, path) && !read_gguf(f))
        return f;
    pb_gguf_close(f);
    return NULL;
}

void pb_gguf_close(pb_gguf *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->values; i++)
        free(f->value[i].key);
    for (size_t i = 0; i < f->count; i++)
        free((void *)(uintptr_t)f->array[i].name);
    for (size_t i = 0; i < f->texts; i++)
        free(f->text[i]);
    pb_map_close(&f->file);
    pb_interner_free(&f->key);
    pb_interner_free(&f->name);
    free(f->value);
    free(f->array);
    free(f->text);
    free(f->config);
    free(f->tokenizer);
    free(f->path);
    free(f);
}
