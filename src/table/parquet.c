/* parquet: see parquet.h.
 *
 * A file consists of groups of rows, a group of one chunk per column, and a chunk of pages: optionally a dictionary
 * page of the distinct values, then pages of values or of indices into the dictionary.  The metadata with the offsets
 * is at the end of the file. */
#include "table/parquet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "table/snappy.h"
#include "table/thrift.h"

enum { BOOLEAN, INT32, INT64, INT96, FLOAT, DOUBLE, BYTES, FIXED, TYPES };
enum { PLAIN = 0, PLAIN_DICTIONARY = 2, RLE = 3, RLE_DICTIONARY = 8 };
enum { DATA_PAGE = 0, DICTIONARY_PAGE = 2, DATA_PAGE_2 = 3 };
enum { MOST_ROWS = 1 << 22 }; /* of a group, because few bytes can encode any number of rows */

typedef struct column {
    char *name;
    int type;
    bool optional, flat;  /* flat: one value per row, of a supported type */
    const pb_json *names; /* of classes, or NULL                      */
} column;

typedef struct chunk {
    int64_t codec, values, bytes, data_at, dictionary_at;
} chunk;

typedef struct group {
    size_t first; /* chunk of this group */
    int64_t rows;
} group;

/* A value inside the file; a boolean is stored in `size`. */
typedef struct cell {
    const unsigned char *data; /* NULL: null */
    uint32_t size;
} cell;

typedef struct parquet {
    const char *path;
    unsigned char *bytes;
    size_t size;
    column *column;
    size_t columns, column_capacity;
    chunk *chunk;
    size_t chunks, chunk_capacity;
    group *group;
    size_t groups, group_capacity;
    pb_json_doc *about; /* Hugging Face's metadata of the columns, or NULL */
    pb_arena *arena;    /* of the group being read                    */
    pb_text *left_out;
} parquet;

/* ---- metadata --------------------------------------------------------------------- */

typedef struct element {
    char *name;
    int64_t type, repetition, children;
} element;

static void read_element(pb_thrift *t, element *e)
{
    pb_thrift_field f = {0, PB_THRIFT_END};
    size_t n;
    const char *name;
    *e = (element){.type = -1};
    while (pb_thrift_next(t, &f))
        switch (f.number) {
        case 1: e->type = pb_thrift_integer(t, &f); break;
        case 3: e->repetition = pb_thrift_integer(t, &f); break;
        case 4:
            name = pb_thrift_text(t, &f, &n);
            free(e->name);
            e->name = name && n < 1 << 16 ? pb_format("%.*s", (int)n, name) : NULL;
            break;
        case 5: e->children = pb_thrift_integer(t, &f); break;
        default: pb_thrift_skip(t, &f);
        }
}

static void add_column(parquet *p, const element *e, bool nested)
{
    bool known = e->type >= 0 && e->type < TYPES && e->type != INT96 && e->type != FIXED;
    pb_grow(&p->column, p->columns, &p->column_capacity, sizeof *p->column);
    p->column[p->columns++] = (column){.name = pb_strdup(e->name),
                                       .type = (int)e->type,
                                       .optional = e->repetition == 1,
                                       .flat = known && !nested && e->repetition != 2};
}

/* Reads the tree of columns in depth-first order.  Only leaves directly below the root are flat columns. */
static void read_schema(parquet *p, pb_thrift *t, const pb_thrift_field *field)
{
    pb_thrift_field item;
    size_t n = pb_thrift_list(t, field, &item);
    int64_t inside = 0; /* elements left of the nested column that is being walked */
    for (size_t i = 0; i < n && !t->bad; i++) {
        element e;
        read_element(t, &e);
        t->bad |= !e.name || e.children < 0 || e.children > 1 << 16;
        if (i && !t->bad) { /* the first is the root */
            bool nested = inside > 0;
            inside += e.children - nested;
            if (!e.children)
                add_column(p, &e, nested);
            if (!nested && (e.children || !p->column[p->columns - 1].flat))
                pb_text_add(p->left_out, "%s'%s'", p->left_out->length ? ", " : "", e.name);
        }
        free(e.name);
    }
}

static void read_chunk_data(pb_thrift *t, chunk *c)
{
    pb_thrift_field f = {0, PB_THRIFT_END};
    while (pb_thrift_next(t, &f))
        switch (f.number) {
        case 4: c->codec = pb_thrift_integer(t, &f); break;
        case 5: c->values = pb_thrift_integer(t, &f); break;
        case 7: c->bytes = pb_thrift_integer(t, &f); break;
        case 9: c->data_at = pb_thrift_integer(t, &f); break;
        case 11: c->dictionary_at = pb_thrift_integer(t, &f); break;
        default: pb_thrift_skip(t, &f);
        }
}

static void read_chunk(parquet *p, pb_thrift *t)
{
    pb_thrift_field f = {0, PB_THRIFT_END};
    chunk c = {0};
    while (pb_thrift_next(t, &f))
        if (f.number == 3 && f.type == PB_THRIFT_STRUCT)
            read_chunk_data(t, &c);
        else
            pb_thrift_skip(t, &f);
    pb_grow(&p->chunk, p->chunks, &p->chunk_capacity, sizeof *p->chunk);
    p->chunk[p->chunks++] = c;
}

static void read_group(parquet *p, pb_thrift *t)
{
    pb_thrift_field f = {0, PB_THRIFT_END}, item;
    group g = {.first = p->chunks};
    while (pb_thrift_next(t, &f))
        if (f.number == 1)
            for (size_t n = pb_thrift_list(t, &f, &item); n > 0 && !t->bad; n--)
                read_chunk(p, t);
        else if (f.number == 3)
            g.rows = pb_thrift_integer(t, &f);
        else
            pb_thrift_skip(t, &f);
    t->bad |= p->chunks - g.first != p->columns;
    pb_grow(&p->group, p->groups, &p->group_capacity, sizeof *p->group);
    p->group[p->groups++] = g;
}

static void read_remark(parquet *p, pb_thrift *t)
{
    pb_thrift_field f = {0, PB_THRIFT_END};
    const char *text[3] = {0};
    size_t size[3] = {0};
    while (pb_thrift_next(t, &f))
        if (f.number == 1 || f.number == 2)
            text[f.number] = pb_thrift_text(t, &f, &size[f.number]);
        else
            pb_thrift_skip(t, &f);
    if (text[1] && text[2] && size[1] == 11 && !memcmp(text[1], "huggingface", 11) && !p->about) {
        p->about = pb_json_parse(p->path, text[2], size[2]);
        pb_error_clear(); /* metadata that cannot be parsed are ignored */
    }
}

static void read_footer(parquet *p, pb_thrift *t)
{
    pb_thrift_field f = {0, PB_THRIFT_END}, item;
    while (pb_thrift_next(t, &f))
        if (f.number == 2 && !p->columns)
            read_schema(p, t, &f);
        else if (f.number == 4)
            for (size_t n = pb_thrift_list(t, &f, &item); n > 0 && !t->bad; n--)
                read_group(p, t);
        else if (f.number == 5)
            for (size_t n = pb_thrift_list(t, &f, &item); n > 0 && !t->bad; n--)
                read_remark(p, t);
        else
            pb_thrift_skip(t, &f);
}

static uint32_t little(const unsigned char *b)
{
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static int describe(parquet *p)
{
    const unsigned char *end = p->bytes + p->size;
    if (p->size < 12 || memcmp(p->bytes, "PAR1", 4) != 0 || memcmp(end - 4, "PAR1", 4) != 0)
        return pb_error("%s: want a Parquet file, which begins and ends with \"PAR1\"", p->path);
    uint32_t n = little(end - 8);
    if (n > p->size - 12)
        return pb_error("%s: metadata of %u bytes: more than the file has", p->path, n);
    pb_thrift t = {.at = end - 8 - n, .end = end - 8};
    read_footer(p, &t);
    if (t.bad || !p->columns)
        return pb_error("%s: the metadata of columns and row groups cannot be read", p->path);
    const pb_json *features = pb_json_get(pb_json_get(p->about ? pb_json_root(p->about) : NULL, "info"), "features");
    for (size_t i = 0; i < p->columns; i++)
        p->column[i].names = pb_json_get(pb_json_get(features, p->column[i].name), "names");
    return 0;
}

/* ---- pages -------------------------------------------------------------------------------------------- */

typedef struct page {
    int64_t kind, unpacked, packed, values, encoding, levels, other_levels;
    bool compressed;
} page;

static void read_page_part(pb_thrift *t, page *h, int of)
{
    pb_thrift_field f = {0, PB_THRIFT_END};
    while (pb_thrift_next(t, &f))
        if (f.number == 1)
            h->values = pb_thrift_integer(t, &f);
        else if (f.number == (of == 8 ? 4 : 2))
            h->encoding = pb_thrift_integer(t, &f);
        else if (of == 8 && f.number == 5)
            h->levels = pb_thrift_integer(t, &f);
        else if (of == 8 && f.number == 6)
            h->other_levels = pb_thrift_integer(t, &f);
        else if (of == 8 && f.number == 7)
            h->compressed = pb_thrift_integer(t, &f);
        else
            pb_thrift_skip(t, &f);
}

static page read_page(pb_thrift *t)
{
    pb_thrift_field f = {0, PB_THRIFT_END};
    page h = {.kind = -1, .compressed = true};
    while (pb_thrift_next(t, &f))
        switch (f.number) {
        case 1: h.kind = pb_thrift_integer(t, &f); break;
        case 2: h.unpacked = pb_thrift_integer(t, &f); break;
        case 3: h.packed = pb_thrift_integer(t, &f); break;
        case 5:
        case 7:
        case 8:
            if (f.type == PB_THRIFT_STRUCT) {
                read_page_part(t, &h, f.number);
                break;
            } /* fall through */
        default: pb_thrift_skip(t, &f);
        }
    t->bad |= h.packed < 0 || h.packed > t->end - t->at || h.values < 0 || h.values > MOST_ROWS || h.levels < 0 ||
              h.other_levels || h.levels > h.packed || h.unpacked < h.levels;
    /* at best, Snappy encodes a copy of 64 bytes in 3 bytes */
    t->bad = t->bad || h.unpacked > 32 * h.packed + 64;
    return h;
}

typedef struct bytes {
    const unsigned char *at, *end;
} bytes;

/* Returns the decompressed bytes of a page after its levels; false with an error. */
static bool unpack(parquet *p, const chunk *c, const page *h, const unsigned char *at, bytes *out)
{
    size_t kept = (size_t)h->levels, n = (size_t)h->unpacked;
    *out = (bytes){at, at + h->packed};
    if (!c->codec || !h->compressed)
        return true;
    unsigned char *whole = pb_arena_alloc(p->arena, PB_META, n + 1);
    memcpy(whole, at, kept);
    *out = (bytes){whole, whole + n};
    return pb_snappy_unpack(at + kept, (size_t)h->packed - kept, whole + kept, n - kept) ||
           !pb_error("%s: a page is damaged", p->path);
}

/* ---- run-length and bit-packed numbers ---------------------------------------------------------------------- */

/* Fills out [n] with numbers of `width` bits, which are stored as runs of one number and as bit-packed groups of
 * eight. */
static bool read_runs(bytes *b, int width, size_t n, uint32_t *out)
{
    size_t done = 0;
    while (done < n) {
        pb_thrift t = {.at = b->at, .end = b->end};
        uint64_t head = pb_thrift_varint(&t);
        size_t run = (size_t)(head >> 1), left = n - done;
        b->at = t.at;
        if (t.bad || !run || run > MOST_ROWS || width > 32)
            return false;
        size_t size = head & 1 ? run * (size_t)width : (size_t)(width + 7) / 8;
        if (size > (size_t)(b->end - b->at))
            return false;
        run = head & 1 ? 8 * run : run;
        for (size_t i = 0; i < (run < left ? run : left); i++) {
            uint32_t value = 0;
            for (int k = 0; k < width; k++) {
                size_t bit = (head & 1 ? i * (size_t)width : 0) + (size_t)k;
                value |= (uint32_t)(b->at[bit / 8] >> bit % 8 & 1) << k;
            }
            out[done++] = value;
        }
        b->at += size;
    }
    return true;
}

/* Reads a value in plain encoding.  Returns false at the end of the page. */
static bool read_plain(bytes *b, int type, size_t number, cell *out)
{
    static const uint32_t sizes[] = {[INT32] = 4, [INT64] = 8, [FLOAT] = 4, [DOUBLE] = 8};
    if (type == BOOLEAN) {
        if (number / 8 >= (size_t)(b->end - b->at))
            return false;
        *out = (cell){b->at, b->at[number / 8] >> number % 8 & 1};
        return true;
    }
    uint32_t size = type == BYTES ? 4 : sizes[type];
    if (size > (size_t)(b->end - b->at))
        return false;
    if (type == BYTES) {
        size = little(b->at);
        b->at += 4;
    }
    if (size > (size_t)(b->end - b->at))
        return false;
    *out = (cell){b->at, size};
    b->at += size;
    return true;
}

/* ---- a chunk: one column of one group ----------------------------------------------------------------- */

typedef struct chunk_reader {
    parquet *p;
    const column *column;
    const chunk *chunk;
    cell *dictionary;
    size_t words;
    cell *cell; /* [rows] */
    size_t rows, done;
} chunk_reader;

static int damaged(const chunk_reader *r, const char *what)
{
    return pb_error("%s: column '%s': %s", r->p->path, r->column->name, what);
}

static int read_dictionary(chunk_reader *r, const page *h, bytes b)
{
    r->words = (size_t)h->values;
    r->dictionary = pb_arena_alloc(r->p->arena, PB_META, (r->words + 1) * sizeof *r->dictionary);
    for (size_t i = 0; i < r->words; i++)
        if (!read_plain(&b, r->column->type, i, &r->dictionary[i]))
            return damaged(r, "the dictionary is cut off");
    return 0;
}

/* Fills has[i] for n rows: whether row i has a value.  In a required column, all have. */
static int read_levels(chunk_reader *r, const page *h, bytes *b, size_t n, uint32_t *has)
{
    for (size_t i = 0; i < n; i++)
        has[i] = 1;
    if (!r->column->optional)
        return 0;
    bytes levels = {b->at, b->at + h->levels};
    if (h->kind == DATA_PAGE) {
        uint32_t size = b->end - b->at < 4 ? UINT32_MAX : little(b->at);
        if (size > (size_t)(b->end - b->at) - 4)
            return damaged(r, "the levels are cut off");
        levels = (bytes){b->at + 4, b->at + 4 + size};
    }
    b->at = levels.end;
    return read_runs(&levels, 1, n, has) ? 0 : damaged(r, "the levels are damaged");
}

static bool has_indices(const page *h)
{
    return h->encoding == PLAIN_DICTIONARY || h->encoding == RLE_DICTIONARY;
}

/* Reads `values` indices into the dictionary, or run-length encoded booleans. */
static int read_numbers(chunk_reader *r, const page *h, bytes *b, size_t values, uint32_t *number)
{
    size_t head = has_indices(h) ? 1 : 4; /* the width of an index, or the size of the runs */
    if (!values)
        return 0;
    if (head > (size_t)(b->end - b->at))
        return damaged(r, "a page is cut off");
    int width = has_indices(h) ? *b->at : 1;
    b->at += head;
    if (!read_runs(b, width, values, number))
        return damaged(r, "a page is cut off");
    for (size_t k = 0; has_indices(h) && k < values; k++)
        if (number[k] >= r->words)
            return damaged(r, "an index beyond the dictionary");
    return 0;
}

static int read_values(chunk_reader *r, const page *h, bytes b, size_t n, const uint32_t *has)
{
    bool runs = h->encoding == RLE && r->column->type == BOOLEAN;
    uint32_t *number = pb_arena_alloc(r->p->arena, PB_META, (n + 1) * sizeof *number);
    size_t values = 0, k = 0;
    for (size_t i = 0; i < n; i++)
        values += has[i];
    if (!has_indices(h) && !runs && h->encoding != PLAIN)
        return pb_error("%s: column '%s': encoding %lld; want plain values or a dictionary", r->p->path,
                        r->column->name, (long long)h->encoding);
    if ((has_indices(h) || runs) && read_numbers(r, h, &b, values, number))
        return -1;
    for (size_t i = 0; i < n; i++) {
        cell *c = &r->cell[r->done++];
        if (!has[i])
            continue;
        if (has_indices(h) && r->dictionary) /* read_numbers has checked the indices */
            *c = r->dictionary[number[k]];
        else if (runs)
            *c = (cell){r->p->bytes, number[k]};
        else if (!read_plain(&b, r->column->type, k, c))
            return damaged(r, "a page is cut off");
        k++;
    }
    return 0;
}

static int read_data(chunk_reader *r, const page *h, bytes b)
{
    size_t n = (size_t)h->values;
    if (n > r->rows - r->done)
        return damaged(r, "more values than rows");
    uint32_t *has = pb_arena_alloc(r->p->arena, PB_META, (n + 1) * sizeof *has);
    return read_levels(r, h, &b, n, has) || read_values(r, h, b, n, has) ? -1 : 0;
}

static int read_pages(chunk_reader *r)
{
    const chunk *c = r->chunk;
    int64_t start = c->dictionary_at > 0 && c->dictionary_at < c->data_at ? c->dictionary_at : c->data_at;
    int64_t size = (int64_t)r->p->size;
    static const char *const codecs[] = {"none", "snappy", "gzip", "lzo", "brotli", "lz4", "zstd", "lz4_raw"};
    if (start < 0 || c->bytes < 0 || start > size || c->bytes > size - start)
        return damaged(r, "lies outside of the file");
    if (c->codec < 0 || c->codec > 1)
        return pb_error("%s: column '%s' is compressed by %s; want snappy or none", r->p->path, r->column->name,
                        c->codec > 0 && c->codec < (int64_t)PB_COUNT(codecs) ? codecs[c->codec] : "something unknown");
    pb_thrift t = {.at = r->p->bytes + start, .end = r->p->bytes + start + c->bytes};
    while (r->done < r->rows) {
        page h = read_page(&t);
        bytes b;
        if (t.bad)
            return damaged(r, "the header of a page cannot be read");
        if (!unpack(r->p, c, &h, t.at, &b))
            return -1;
        t.at += h.packed;
        if (h.kind == DICTIONARY_PAGE                      ? read_dictionary(r, &h, b)
            : h.kind == DATA_PAGE || h.kind == DATA_PAGE_2 ? read_data(r, &h, b)
                                                           : 0)
            return -1;
    }
    return 0;
}

/* ---- rows --------------------------------------------------------------------------------------------- */

static void add_number(const column *c, long long n, pb_text *out)
{
    const char *name = n >= 0 ? pb_json_text(pb_json_at(c->names, (size_t)n), NULL) : NULL;
    if (name)
        pb_json_quote(out, name);
    else
        pb_text_add(out, "%lld", n);
}

static void add_real(double x, pb_text *out)
{
    if (isfinite(x))
        pb_text_add(out, "%.17g", x);
    else
        pb_text_add(out, "null");
}

static void add_cell(const column *c, const cell *v, pb_text *out)
{
    int32_t i;
    int64_t l;
    float f;
    double d;
    if (!v->data) {
        pb_text_add(out, "null");
        return;
    }
    switch (c->type) {
    case BOOLEAN: pb_text_add(out, v->size ? "true" : "false"); break;
    case INT32: memcpy(&i, v->data, sizeof i), add_number(c, i, out); break;
    case INT64: memcpy(&l, v->data, sizeof l), add_number(c, l, out); break;
    case FLOAT: memcpy(&f, v->data, sizeof f), add_real((double)f, out); break;
    case DOUBLE: memcpy(&d, v->data, sizeof d), add_real(d, out); break;
    default: pb_json_quote_bytes(out, (const char *)v->data, v->size);
    }
}

static int add_group(parquet *p, const group *g, pb_text *out)
{
    cell **cells = pb_alloc(p->columns * sizeof *cells);
    int rc = g->rows >= 0 && g->rows <= MOST_ROWS
                 ? 0
                 : pb_error("%s: a group of %lld rows; want 0..%d", p->path, (long long)g->rows, MOST_ROWS);
    for (size_t i = 0; i < p->columns && !rc; i++) {
        if (!p->column[i].flat)
            continue;
        cells[i] = pb_arena_alloc(p->arena, PB_META, ((size_t)g->rows + 1) * sizeof **cells);
        chunk_reader r = {.p = p,
                          .column = &p->column[i],
                          .chunk = &p->chunk[g->first + i],
                          .cell = cells[i],
                          .rows = (size_t)g->rows};
        rc = read_pages(&r);
    }
    for (int64_t row = 0; row < g->rows && !rc; row++) {
        const char *between = "{";
        for (size_t i = 0; i < p->columns; i++) {
            if (!cells[i])
                continue;
            pb_text_add(out, "%s", between);
            pb_json_quote(out, p->column[i].name);
            pb_text_add(out, ": ");
            add_cell(&p->column[i], &cells[i][row], out);
            between = ", ";
        }
        pb_text_add(out, *between == '{' ? "{}\n" : "}\n");
    }
    pb_arena_reset(p->arena);
    free(cells);
    return rc;
}

static void release(parquet *p)
{
    for (size_t i = 0; i < p->columns; i++)
        free(p->column[i].name);
    free(p->column);
    free(p->chunk);
    free(p->group);
    free(p->bytes);
    pb_json_free(p->about);
    pb_arena_free(p->arena);
}

int pb_parquet_to_lines(const char *path, const char *to, pb_text *left_out)
{
    parquet p = {.path = path, .arena = pb_arena_new("parquet"), .left_out = left_out};
    pb_text out = {0};
    p.bytes = (unsigned char *)pb_read_file(path, &p.size);
    int rc = p.bytes ? describe(&p) : -1;
    for (size_t i = 0; i < p.groups && !rc; i++)
        rc = add_group(&p, &p.group[i], &out);
    rc = rc || pb_write_file(to, out.data ? out.data : "", out.length) ? -1 : 0;
    pb_text_free(&out);
    release(&p);
    return rc;
}
