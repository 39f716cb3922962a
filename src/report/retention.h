/* retention: the table of what the rows have kept of their base, under the table of an experiment. */
#ifndef PB_REPORT_RETENTION_H
#define PB_REPORT_RETENTION_H

#include "report/report.h"

/* Prints retention and geometry of each row, one on a line; prints nothing if no row has been measured. */
void pb_report_retention(const pb_report *r, FILE *out);

#endif
