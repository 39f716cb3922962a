/* units: numbers with three digits and a decimal prefix. */
#ifndef PB_UNITS_H
#define PB_UNITS_H

#include "base/base.h"

enum { PB_UNIT_SIZE = 32 };

/* Writes a count as "1.23 M", or with `unit` "B" bytes as "1.23 MB", and returns `out`.  "-" stands for NaN. */
const char *pb_with_unit(char out[PB_UNIT_SIZE], double x, const char *unit);

/* Reads a positive number that may have a decimal prefix and the unit B, such as 1.05, 200M, 24 GB or 1.5T, into *x.
 * Returns -1 if the text is no such number. */
int pb_parse_unit(const char *text, double *x);

#endif
