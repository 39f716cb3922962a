/* settings_table: every resolved setting of an experiment, as the appendix of a paper lists them. */
#ifndef PB_SETTINGS_TABLE_H
#define PB_SETTINGS_TABLE_H

#include "report/report.h"

/* Prints a line for each setting and value: the setting by its canonical key, the rows of the experiment that have the
 * value, and the value.  A setting that is tuned has all values that are tried; the chosen one, which may be different
 * from row to row, stands in a column of its own.  `r` is the report of the experiment, or NULL if there are no stored
 * results, so that nothing is chosen.  `format` is a pb_print_format. */
void pb_settings_table_print(const pb_experiment *e, const pb_report *r, int format, FILE *out);

#endif
