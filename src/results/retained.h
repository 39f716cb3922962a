/* retained: which measurements of retention a run has, and of which text. */
#ifndef PB_RETAINED_H
#define PB_RETAINED_H

#include "results/store.h"

/* The key of the provenance entry that says why the retention of a run could not be measured. */
#define PB_RETENTION_FAILED "retention.failed"

/* The key of the provenance entry with the identity of the text (pb_retention_text) that a run's values belong to. */
#define PB_RETENTION_TEXT "retention.text"

/* Sets *done to whether the run has all that the experiment's [retention] and strengths ask for.  Returns -1 with an
 * error, also if the run's values belong to another text or to other settings of [retention]. */
int pb_retained_is_done(pb_store *s, long long run, const pb_experiment *e, bool *done);

/* Notes the text before the first value is stored, and after the last one that the values are there.  Return -1 with an
 * error. */
int pb_retained_begin(pb_store *s, long long run, const pb_experiment *e);
int pb_retained_end(pb_store *s, long long run, const pb_experiment *e);

/* Sets *has to whether the run's values of one of the experiment's strengths have been measured, or left out because
 * the methods cannot be folded.  Returns -1 with an error. */
int pb_retained_has_strength(pb_store *s, long long run, double strength, bool *has);

#endif
