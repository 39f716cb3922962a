/* table: rows of named text columns, read from TSV, CSV or JSON Lines. */
#ifndef PB_TABLE_H
#define PB_TABLE_H

#include "base/base.h"
#include "table/charset.h"

typedef struct pb_table pb_table;

/* How a file is to be read.  What is NULL or "" is not given. */
typedef struct pb_table_format {
    const char *name;    /* of the format; not given: by the file's extension, in front of .gz, .xz or .zst       */
    const char *columns; /* names, separated by commas, of a file without a header; not given: the first line's;
                            `..` at the end: lines may have further fields, which are not read                     */
    pb_charset encoding;
} pb_table_format;

/* Reads a whole file, which gzip, xz or zstd may have compressed (compressed.h).
 *
 * Formats are "tsv", "csv" (RFC 4180, with quoted fields and line breaks in them), "jsonl", "label text" (the first
 * word of a line is the column "label", the rest the column "text"), "||" (fields separated by double bars), "lines"
 * (a line is the only field, of the column "text" unless `columns` names it otherwise; there is no header) and "conll"
 * (a line is a word and what is said about it, separated by tabs if it has one, otherwise by blanks; a blank line ends
 * a sentence, as does a line that begins with -DOCSTART-; a row is a sentence, whose fields are lists with an item for
 * each word.  Without `columns`, the first column is called "tokens", the last "ner_tags", others by their numbers).
 * JSON Lines take the names of columns from the objects and keep numbers and booleans as they are written.  `how` may
 * be NULL.
 *
 * Returns NULL with "PATH:LINE: what is wrong; want what would be right" if lines have different numbers of fields,
 * the text is not of the encoding or contains NUL, a quote is not closed, the file is empty or a column name occurs
 * twice.  The caller closes the table; NULL is allowed in pb_table_close. */
pb_table *pb_table_open(const char *path, const pb_table_format *how);
void pb_table_close(pb_table *t);

/* Adds the only column of `other` to the rows of t, which owns `other` from then on.  Returns -1 with an error if they
 * have different numbers of rows, or if t has a column of this name. */
int pb_table_join(pb_table *t, pb_table *other);

/* Returns the number of rows, without the header. */
size_t pb_table_rows(const pb_table *t);

/* Returns the number of a column, or -1 with "PATH: no column 'NAME'; has: ..", or with PATH:LINE: if JSON Lines have a
 * list, an object or a text with a NUL in it.  Columns that nobody asks for may have anything. */
int pb_table_column(const pb_table *t, const char *name);

/* The same for a column whose fields may also be lists of texts, numbers and booleans, as in JSON Lines. */
int pb_table_list_column(const pb_table *t, const char *name);

/* The same for a column whose fields may be any JSON: pb_table_get then gives a list or an object as JSON writes it. */
int pb_table_json_column(const pb_table *t, const char *name);

/* Returns the items [n] of a field that is a list, each as pb_table_get gives a field, owned by the table.  Returns
 * NULL if the field is none. */
const char *const *pb_table_list(const pb_table *t, size_t row, int column, int *n);

/* Returns a field as text, owned by the table.  A member that a JSON object does not have is "". */
const char *pb_table_get(const pb_table *t, size_t row, int column);

/* Returns the line, counted from 1, on which a row begins in the file that has the column: the table's own, or that of
 * a table that has been joined. */
int pb_table_line(const pb_table *t, size_t row, int column);

/* Returns the line of item i of a list: in the format conll each item has its own, otherwise that of the row. */
int pb_table_item_line(const pb_table *t, size_t row, int column, int i);

/* Returns the path of the file that has the column, owned by the table. */
const char *pb_table_path(const pb_table *t, int column);

#endif
