/* page_internal: what the files page*.c share.  Not for other rooms. */
#ifndef PB_PAGE_INTERNAL_H
#define PB_PAGE_INTERNAL_H

#include "report/recommend.h"

/* Adds the summary in words: the row that validation chooses, what it would choose within limits on costs, and the
 * Pareto front.  Returns -1 with an error. */
int pb_page_summary(pb_text *t, const pb_report *r, const pb_recommendation *v);

/* Draws the figures of the report and adds them, each with its caption and its tooltips.  Returns -1 with an error. */
int pb_page_figures(pb_text *t, const pb_report *r);

#endif
