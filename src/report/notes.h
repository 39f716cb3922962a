/* notes: warnings about the results of a row. */
#ifndef PB_NOTES_H
#define PB_NOTES_H

#include "report/report.h"

/* The training loss has hardly moved if the mean of its last epoch is more than this share of that of its first
 * epoch. */
#define PB_HARDLY_MOVED 0.98

/* The largest share of texts that may be truncated without a note. */
#define PB_MOST_CUT 0.01

/* Calls `each` with one line for each warning that applies to the row: if `times`, that its times were taken on a
 * busy machine, more than PB_MOST_CUT of the texts of a split were truncated (said by the first row of those with
 * equal shares), its training loss has hardly moved, or the chosen value of a setting is the smallest or the largest
 * that was tried. */
void pb_notes_each(const pb_report *r, int row, bool times, void (*each)(void *ctx, const char *line), void *ctx);

/* Returns the share of the time that the threads of the row's training waited for a processor, the mean over the seeds;
 * NaN if it was not recorded. */
double pb_notes_training_wait(const pb_report *r, int row);

/* Returns the share of the time that the threads of the row's timing pass waited for a processor; NaN if it was not
 * recorded. */
double pb_notes_timing_wait(const pb_report *r, int row);

#endif
