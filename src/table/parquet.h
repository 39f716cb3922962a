/* parquet: converts the tables that data sets are published in to JSON Lines.
 *
 * Columns of numbers, booleans and texts are converted; lists, structs and other types are left out.  Numbers that
 * stand for classes (a ClassLabel in Hugging Face's metadata) are replaced by the names of the classes.  Pages may be
 * uncompressed or compressed with Snappy; other compressions are refused by name. */
#ifndef PB_PARQUET_H
#define PB_PARQUET_H

#include "base/base.h"

/* Writes each row of the file `path` as a JSON object on a line of the file `to`, which is either complete or absent.
 * Appends the names of the columns that are left out to `left_out`.  Returns -1 with "PATH: what is wrong". */
int pb_parquet_to_lines(const char *path, const char *to, pb_text *left_out);

#endif
