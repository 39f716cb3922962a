/* parquet: the tables that data sets are published in, as JSON Lines.
 *
 * Columns of numbers, truth values and texts are read; lists, structs and other types are left out.
 * Numbers that stand for classes (a ClassLabel of Hugging Face's metadata) become the classes' names.
 * Pages are plain or Snappy's; other compressions are refused by name. */
#ifndef PB_PARQUET_H
#define PB_PARQUET_H

#include "base/base.h"

/* Writes each row of the file `path` as a JSON object on a line of the file `to`, which is whole or not
 * there; adds the names of columns that are left out.  -1 with "PATH: what is wrong". */
int pb_parquet_to_lines(const char *path, const char *to, pb_text *left_out);

#endif
