/* notes: what a reader of a row's results should know before they are believed. */
#ifndef PB_NOTES_H
#define PB_NOTES_H

#include "report/report.h"

/* A training loss of which the last epoch's mean is more than this share of the first epoch's has hardly moved. */
#define PB_HARDLY_MOVED 0.98

/* Calls `tell` with one line for each of these that holds of the row: its times were taken on a busy machine, its
 * training loss hardly moved, the chosen value of a setting is the smallest or the largest that was tried. */
void pb_notes_each(const pb_report *r, int row, void (*tell)(void *ctx, const char *line), void *ctx);

/* The share of the time that the row's training (mean over the seeds) and its timing pass waited for a processor; NaN:
 * it was not recorded. */
double pb_notes_training_wait(const pb_report *r, int row);
double pb_notes_timing_wait(const pb_report *r, int row);

#endif
