/* page: a report as one HTML page without links to other files.
 *
 * The page has no text of the data that a browser could take for markup: every text is written by pb_html_text.  Its
 * Content-Security-Policy allows no request, and no script but the page's own, by its SHA-256. */
#ifndef PB_PAGE_H
#define PB_PAGE_H

#include "report/report.h"
#include "train/task.h"

/* Writes the page of a report and of its data, NULL if they are not there, to a file: the summary, the table, the
 * figures, which gnuplot draws, a card for each method, the task and its data, the provenance, and the runs that failed
 * or diverged.  Returns -1 with an error, and leaves an older file as it was. */
int pb_page_write(const pb_report *r, const pb_data *d, const char *path);

#endif
