/* retained: which measurements of retention a run has, and of which text. */
#ifndef PB_RETAINED_H
#define PB_RETAINED_H

#include "results/store.h"

/* The key of the provenance entry that says why the retention of a run could not be measured. */
#define PB_RETENTION_FAILED "retention.failed"

/* The key of the provenance entry with the identity of the text (pb_retention_text) that a run's values belong to. */
#define PB_RETENTION_TEXT "retention.text"

/* Which of the values that the experiment asks for a run has. */
typedef struct pb_retained {
    bool whole;     /* those of the whole change */
    bool *strength; /* [strengths] those of a strength, or they are left out because the methods cannot be folded */
} pb_retained;

/* Reads what a run has; the caller frees out->strength, also after an error.  Returns -1 with an error, also if the
 * run's values belong to another text or to other settings of [retention]. */
int pb_retained_read(pb_store *s, long long run, const pb_experiment *e, pb_retained *out);

/* Sets *done to whether the run has all of these values.  Returns -1 with an error as pb_retained_read does. */
int pb_retained_is_done(pb_store *s, long long run, const pb_experiment *e, bool *done);

/* Notes the text before the first value is stored, and after the last one that the values are there.  Return -1 with an
 * error. */
int pb_retained_begin(pb_store *s, long long run, const pb_experiment *e);
int pb_retained_end(pb_store *s, long long run, const pb_experiment *e);

#endif
