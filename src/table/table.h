/* table: rows of named text columns, read from TSV, CSV or JSON Lines. */
#ifndef PB_TABLE_H
#define PB_TABLE_H

#include "base/base.h"

typedef struct pb_table pb_table;

/* Reads a whole file.
 *
 * `given` is the format: "tsv", "csv" (RFC 4180, with quoted fields and line breaks in them), "jsonl", "label text"
 * (the first word of a line is the column "label", the rest the column "text") or "||" (fields separated by double
 * bars).  NULL derives it from the file's extension.  `columns` are the names of the columns, separated by commas, of
 * a file without a header; NULL takes them from the first line.  JSON Lines take the names from the objects and keep
 * numbers and booleans as they are written.
 *
 * Returns NULL with "PATH:LINE: what is wrong; want what would be right" if lines have different numbers of fields,
 * the text is not UTF-8 or contains NUL, a quote is not closed, the file is empty or a column name occurs twice.  The
 * caller closes the table; NULL is allowed in pb_table_close. */
pb_table *pb_table_open(const char *path, const char *given, const char *columns);
void pb_table_close(pb_table *t);

/* Returns the number of rows, without the header. */
size_t pb_table_rows(const pb_table *t);

/* Returns the number of a column, or -1 with "PATH: no column 'NAME'; has: ..". */
int pb_table_column(const pb_table *t, const char *name);

/* Returns a field as text, owned by the table.  A member that a JSON object does not have is "". */
const char *pb_table_get(const pb_table *t, size_t row, int column);

/* Returns the line of the file, counted from 1, on which a row begins. */
int pb_table_line(const pb_table *t, size_t row);

/* Returns the path of the file, owned by the table. */
const char *pb_table_path(const pb_table *t);

#endif
