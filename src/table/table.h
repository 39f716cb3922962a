/* table: rows of named text columns from TSV, CSV or JSON Lines. */
#ifndef PB_TABLE_H
#define PB_TABLE_H

#include "base/base.h"

typedef struct pb_table pb_table;

/* Kind by the file's ending: .tsv, .csv (RFC 4180: quotes, quoted newlines), .jsonl; `given`
 * overrides it ("tsv", "csv", "jsonl", or "label text": the first word of a line is column
 * "label", the rest column "text"; "||": fields between double bars).  columns: NULL = the first line
 * names them, otherwise their names in order, separated by commas (no header line then).  JSON Lines take names
 * from the objects; numbers and booleans are kept as they are written.
 * NULL with "PATH:LINE: what is wrong, what would be right": unequal field counts, bad
 * UTF-8, NUL bytes, unclosed quote, an empty file, a duplicate column name. */
pb_table *pb_table_open(const char *path, const char *given, const char *columns);
void pb_table_close(pb_table *t);
size_t pb_table_rows(const pb_table *t);
int pb_table_column(const pb_table *t, const char *name);            /* -1: "PATH: no column 'x'; has: .." */
const char *pb_table_get(const pb_table *t, size_t row, int column); /* NUL-terminated; "" if
                                                                        absent in JSON Lines  */
int pb_table_line(const pb_table *t, size_t row);                    /* 1-based line in the file          */
const char *pb_table_path(const pb_table *t);

#endif
