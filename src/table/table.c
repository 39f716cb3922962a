/* table: see table.h.  The file is read whole, and the fields of TSV and CSV are terminated in place. */
#include "table/table.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/json.h"
#include "table/compressed.h"
#include "table/table_internal.h"

#define LONGEST_LIST 500 /* bytes of column names in a message */

typedef enum kind { TSV, CSV, JSONL, LABEL_TEXT, BARS, LINES, CONLL, KINDS } kind;
static const char *const kind_name[] = {"tsv", "csv", "jsonl", "label text", "||", "lines", "conll"};

/* ---- TSV and CSV: one record at a time -------------------------------------------------------- */

typedef struct record {
    char **field;
    size_t fields, capacity;
    int line;
} record;

static void add_field(record *r, char *text)
{
    pb_grow(&r->field, r->fields, &r->capacity, sizeof *r->field);
    r->field[r->fields++] = text;
}

static int read_tsv(pb_table *t, record *r)
{
    char *line = pb_table_next_line(t), *field;
    if (!line)
        return 0;
    r->line = t->line;
    while ((field = strsep(&line, "\t")))
        add_field(r, field);
    return 1;
}

/* A line is a field, whatever it has. */
static int read_line(pb_table *t, record *r)
{
    char *line = pb_table_next_line(t);
    if (!line)
        return 0;
    r->line = t->line;
    add_field(r, line);
    return 1;
}

/* "source||reference", the format in which the E2E data set is distributed */
static int read_bars(pb_table *t, record *r)
{
    char *line = pb_table_next_line(t);
    if (!line)
        return 0;
    r->line = t->line;
    for (char *bars; line; line = bars ? bars + 2 : NULL) {
        bars = strstr(line, "||");
        if (bars)
            *bars = 0;
        size_t n = strlen(line);
        while (n && line[n - 1] == ' ')
            line[--n] = 0;
        add_field(r, line);
    }
    return 1;
}

/* Unquotes in place the field after an opening quote.  Returns what follows the closing quote. */
static char *read_quoted(pb_table *t, char *from)
{
    int begun = t->line + 1;
    for (char *to = from;; from++) {
        if (!*from) {
            pb_error("%s:%d: a quote is opened here and never closed", t->path, begun);
            return NULL;
        }
        t->line += *from == '\n';
        if (*from == '"' && *++from != '"') {
            *to = 0;
            break;
        }
        *to++ = *from;
    }
    if (strchr(",\r\n", *from)) /* or the end of the file */
        return from;
    pb_error("%s:%d: want a comma or a new line after a closing quote", t->path, t->line + 1);
    return NULL;
}

static char *read_unquoted(pb_table *t, char *from)
{
    char *end = from + strcspn(from, ",\r\n\"");
    if (*end != '"')
        return end;
    pb_error("%s:%d: a quote inside a field that does not begin with one", t->path, t->line + 1);
    return NULL;
}

/* Reads one field.  Returns the character that ended it (',' or '\n', 0 at the end of the file), or -1 with an error.
 */
static int read_csv_field(pb_table *t, record *r)
{
    char *text = t->cursor;
    char *end = *text == '"' ? read_quoted(t, ++text) : read_unquoted(t, text);
    if (!end)
        return -1;
    add_field(r, text);
    int ended_by = (unsigned char)*end;
    *end = 0;
    if (ended_by == '\r') {
        ended_by = (unsigned char)*++end;
        if (ended_by && ended_by != '\n')
            return pb_error("%s:%d: a carriage return without a new line after it", t->path, t->line + 1);
    }
    t->cursor = ended_by ? end + 1 : end;
    return ended_by;
}

static int read_csv(pb_table *t, record *r)
{
    if (!*t->cursor)
        return 0;
    r->line = t->line + 1;
    int ended_by;
    do
        ended_by = read_csv_field(t, r);
    while (ended_by == ',');
    t->line++;
    return ended_by < 0 ? -1 : 1;
}

static int keep_record(pb_table *t, const record *r)
{
    size_t columns = (size_t)t->column.count;
    if (r->fields < columns || (r->fields > columns && !t->more))
        return pb_error("%s:%d: want %d field%s as in the header, got %zu", t->path, r->line, t->column.count,
                        t->column.count == 1 ? "" : "s", r->fields);
    pb_table_row *kept = pb_table_add_row(t, r->line, columns);
    for (size_t i = 0; i < columns; i++)
        kept->field[i] = r->field[i];
    return 0;
}

static int keep_header(pb_table *t, const record *r)
{
    for (size_t i = 0; i < r->fields; i++)
        if (pb_table_add_column(t, r->field[i]) < 0)
            return -1;
    return 0;
}

static int read_records(pb_table *t, int (*read)(pb_table *, record *), const char *columns)
{
    if (columns && pb_table_name_columns(t, columns))
        return -1;
    record r = {0};
    int rc;
    while ((rc = read(t, &r)) > 0) {
        rc = t->column.count ? keep_record(t, &r) : keep_header(t, &r);
        if (rc)
            break;
        r.fields = 0;
    }
    free(r.field);
    return rc;
}

/* ---- "label text": the first word is the label ------------------------------------------------- */

static int read_label_text(pb_table *t)
{
    if (pb_table_name_columns(t, "label,text"))
        return -1;
    for (char *line; (line = pb_table_next_line(t));) {
        char *space = strchr(line, ' ');
        if (!space || space == line || !space[1])
            return pb_error("%s:%d: want a label, a space and a text", t->path, t->line);
        *space = 0;
        pb_table_row *r = pb_table_add_row(t, t->line, 2);
        r->field[0] = line;
        r->field[1] = space + 1;
    }
    return 0;
}

/* ---- JSON Lines -------------------------------------------------------------------------------- */

typedef struct member {
    int column;
    const char *text;
} member;

typedef struct object { /* one line's members */
    pb_table *t;
    member *member;
    size_t count, capacity;
} object;

/* Adds a list of texts, numbers and booleans to the row that is being read.  Returns false if the value is none. */
static bool keep_list(pb_table *t, int column, const pb_json *value)
{
    size_t n = pb_json_size(value);
    if (!pb_json_is_array(value))
        return false;
    pb_grow(&t->list, t->lists, &t->lists_capacity, sizeof *t->list);
    pb_table_items *l = &t->list[t->lists++];
    *l = (pb_table_items){.row = t->rows, .column = column, .item = pb_alloc((n + 1) * sizeof *l->item)};
    for (size_t i = 0; i < n; i++) {
        const pb_json *one = pb_json_at(value, i);
        char *text = pb_json_is_null(one) ? NULL : pb_json_plain(one);
        if (!text)
            return false;
        l->item[l->count++] = pb_table_keep_text(t, text);
    }
    return true;
}

static int keep_member(void *ctx, const char *key, const pb_json *value)
{
    object *o = ctx;
    int column = pb_interner_find(&o->t->column, key, strlen(key));
    if (column < 0 && (column = pb_table_add_column(o->t, key)) < 0)
        return -1;
    char *text = pb_json_plain(value);
    if (!text) { /* an error if the column is asked for as one of texts */
        int *first = keep_list(o->t, column, value) ? &o->t->listed[column] : &o->t->unreadable[column];
        pb_text json = {0};
        *first = *first ? *first : o->t->line;
        pb_json_print(value, &json);
        text = json.data;
    }
    pb_grow(&o->member, o->count, &o->capacity, sizeof *o->member);
    o->member[o->count++] = (member){column, pb_table_keep_text(o->t, text)};
    return 0;
}

static int by_column(const void *x, const void *y)
{
    return ((const member *)x)->column - ((const member *)y)->column;
}

/* A row has the columns of its line; other lines may have others. */
static void keep_object(object *o)
{
    if (o->count)
        qsort(o->member, o->count, sizeof *o->member, by_column);
    pb_table_row *r = pb_table_add_row(o->t, o->t->line, o->count);
    r->column = pb_alloc((o->count + 1) * sizeof *r->column);
    for (size_t i = 0; i < o->count; i++) {
        r->column[i] = o->member[i].column;
        r->field[i] = o->member[i].text;
    }
    o->count = 0;
}

static int read_object(object *o, const char *line)
{
    char *location = pb_format("%s:%d", o->t->path, o->t->line);
    pb_json_doc *doc = pb_json_parse(location, line, strlen(line));
    free(location);
    if (!doc)
        return -1;
    int rc = pb_json_is_object(pb_json_root(doc)) ? pb_json_each(pb_json_root(doc), keep_member, o)
                                                  : pb_error("%s:%d: want a JSON object", o->t->path, o->t->line);
    pb_json_free(doc);
    if (!rc)
        keep_object(o);
    return rc;
}

static int compare_lists(const void *x, const void *y)
{
    const pb_table_items *a = x, *b = y;
    return a->row != b->row ? (a->row > b->row) - (a->row < b->row) : a->column - b->column;
}

static int read_jsonl(pb_table *t)
{
    object o = {.t = t};
    int rc = 0;
    for (char *line; !rc && (line = pb_table_next_line(t));)
        if (line[strspn(line, " \t")])
            rc = read_object(&o, line);
    if (t->lists)
        qsort(t->list, t->lists, sizeof *t->list, compare_lists);
    free(o.member);
    return rc;
}

/* ---- opening ----------------------------------------------------------------------------------- */

static int line_at(const char *bytes, size_t offset)
{
    int line = 1;
    for (size_t i = 0; i < offset; i++)
        line += bytes[i] == '\n';
    return line;
}

static int check_bytes(const pb_table *t, size_t size)
{
    for (size_t at = 0; at < size;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate((const uint8_t *)t->bytes + at, (utf8proc_ssize_t)(size - at), &c);
        if (n <= 0 || c == 0)
            return pb_error("%s:%d: %s: want a text file in UTF-8, or the task's `encoding`", t->path,
                            line_at(t->bytes, at), n <= 0 ? "bytes that are not UTF-8" : "a NUL byte");
        at += (size_t)n;
    }
    return 0;
}

/* The extension of a compressed file is that in front of .gz, .xz or .zst. */
static int kind_of(const char *path, const char *given)
{
    char *stem = pb_format("%.*s", (int)pb_compressed_stem(path), path), *dot = strrchr(stem, '.');
    const char *name = given && *given ? given : dot ? dot + 1 : "";
    int k = 0;
    while (k < KINDS && strcmp(name, kind_name[k]) != 0)
        k++;
    if (k == KINDS)
        k = pb_error("%s: format '%s': want tsv, csv, jsonl, 'label text', '||', lines or conll", path, name);
    free(stem);
    return k;
}

static int read_rows(pb_table *t, int k, const char *columns)
{
    switch (k) {
    case TSV: return read_records(t, read_tsv, columns);
    case CSV: return read_records(t, read_csv, columns);
    case JSONL: return read_jsonl(t);
    case BARS: return read_records(t, read_bars, columns);
    case CONLL: return pb_conll_read(t, columns);
    case LINES: return read_records(t, read_line, columns ? columns : "text");
    default: return read_label_text(t);
    }
}

static int read_table(pb_table *t, int k, size_t size, const char *columns)
{
    static const char byte_order_mark[] = "\xEF\xBB\xBF";
    if (check_bytes(t, size))
        return -1;
    t->cursor = t->bytes + (strncmp(t->bytes, byte_order_mark, 3) ? 0 : 3);
    if (read_rows(t, k, columns && *columns ? columns : NULL))
        return -1;
    return t->rows ? 0 : pb_error("%s:%d: want at least one row, got none", t->path, t->line + 1);
}

pb_table *pb_table_open(const char *path, const pb_table_format *how)
{
    static const pb_table_format plain = {.name = NULL};
    how = how ? how : &plain;
    int k = kind_of(path, how->name);
    size_t size;
    char *bytes = k < 0 ? NULL : pb_compressed_read(path, PB_MOST_DECOMPRESSED, &size);
    if (!bytes)
        return NULL;
    pb_table *t = pb_alloc(sizeof *t);
    t->path = pb_strdup(path);
    int rc = pb_charset_convert(path, how->encoding, &bytes, &size);
    t->bytes = bytes;
    if (!rc && !read_table(t, k, size, how->columns))
        return t;
    pb_table_close(t);
    return NULL;
}

static int join(pb_table *t, const pb_table *other)
{
    size_t n;
    const char *name = pb_interner_text(&other->column, 0, &n);
    char *copy = pb_table_keep_text(t, pb_format("%.*s", (int)n, name));
    if (other->column.count != 1 || (other->rows && other->row[0].column))
        return pb_error("%s: want one column to add to %s", other->path, t->path);
    if (other->rows != t->rows)
        return pb_error("%s: %zu lines, but %s has %zu; want one for each", other->path, other->rows, t->path, t->rows);
    int column = pb_table_add_column(t, copy);
    for (size_t i = 0; i < t->rows && column >= 0; i++) {
        pb_table_row *r = &t->row[i];
        r->field = pb_realloc(r->field, (r->fields + 1) * sizeof *r->field);
        r->field[r->fields] = other->row[i].field[0];
        r->column = r->column ? pb_realloc(r->column, (r->fields + 1) * sizeof *r->column) : NULL;
        if (r->column)
            r->column[r->fields] = column;
        r->fields++;
    }
    return column < 0 ? -1 : 0;
}

int pb_table_join(pb_table *t, pb_table *other)
{
    PB_CHECK(!t->joined);
    t->joined = other;
    return join(t, other);
}

void pb_table_close(pb_table *t)
{
    if (!t)
        return;
    pb_table_close(t->joined);
    for (size_t i = 0; i < t->rows; i++) {
        free(t->row[i].field);
        free(t->row[i].column);
    }
    for (size_t i = 0; i < t->owned_count; i++)
        free(t->owned[i]);
    free(t->row);
    free(t->owned);
    pb_interner_free(&t->column);
    for (size_t i = 0; i < t->lists; i++)
        free(t->list[i].item);
    free(t->list);
    free(t->listed);
    free(t->unreadable);
    free(t->bytes);
    free(t->path);
    free(t);
}

size_t pb_table_rows(const pb_table *t)
{
    return t->rows;
}

int pb_table_json_column(const pb_table *t, const char *name)
{
    pb_text has = {0};
    int column = pb_interner_find(&t->column, name, strlen(name));
    if (column >= 0)
        return column;
    for (int i = 0; i < t->column.count && has.length < LONGEST_LIST; i++) {
        size_t n;
        const char *other = pb_interner_text(&t->column, i, &n);
        pb_text_add(&has, "%s%.*s", i ? ", " : "", (int)n, other);
    }
    pb_error("%s: no column '%s'; has: %s%s", t->path, name, has.data, has.length < LONGEST_LIST ? "" : ", ..");
    pb_text_free(&has);
    return -1;
}

int pb_table_column(const pb_table *t, const char *name)
{
    int column = pb_table_json_column(t, name);
    int line = column < 0 ? 0 : t->unreadable[column], listed = column < 0 ? 0 : t->listed[column];
    line = !line || (listed && listed < line) ? listed : line;
    return line ? pb_error("%s:%d: '%s': want a text without NUL, a number, true, false or null", t->path, line, name)
                : column;
}

int pb_table_list_column(const pb_table *t, const char *name)
{
    int column = pb_table_json_column(t, name), line = column < 0 ? 0 : t->unreadable[column];
    return line ? pb_error("%s:%d: '%s': want a text without NUL, a number, true, false or null, or a list of texts",
                           t->path, line, name)
                : column;
}

static int compare_columns(const void *x, const void *y)
{
    return *(const int *)x - *(const int *)y;
}

const char *pb_table_get(const pb_table *t, size_t r, int column)
{
    PB_CHECK(r < t->rows && column >= 0 && column < t->column.count);
    const pb_table_row *at = &t->row[r];
    if (!at->column)
        return (size_t)column < at->fields ? at->field[column] : "";
    const int *found = bsearch(&column, at->column, at->fields, sizeof *at->column, compare_columns);
    return found ? at->field[found - at->column] : "";
}

const char *const *pb_table_list(const pb_table *t, size_t r, int column, int *n)
{
    const pb_table_items wanted = {.row = r, .column = column};
    PB_CHECK(r < t->rows && column >= 0 && column < t->column.count);
    const pb_table_items *found = t->lists ? bsearch(&wanted, t->list, t->lists, sizeof *t->list, compare_lists) : NULL;
    *n = found ? found->count : 0;
    return found ? found->item : NULL;
}

/* Returns the table whose file has the column: a joined one is the last. */
static const pb_table *source_of(const pb_table *t, int column)
{
    PB_CHECK(column >= 0 && column < t->column.count);
    return t->joined && column == t->column.count - 1 ? t->joined : t;
}

int pb_table_line(const pb_table *t, size_t r, int column)
{
    PB_CHECK(r < t->rows);
    return source_of(t, column)->row[r].line;
}

int pb_table_item_line(const pb_table *t, size_t r, int column, int i)
{
    return pb_table_line(t, r, column) + (source_of(t, column)->word_lines ? i : 0);
}

const char *pb_table_path(const pb_table *t, int column)
{
    return source_of(t, column)->path;
}
