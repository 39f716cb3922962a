/* progress: how far a run is, and how long it will take.
 * On a terminal one line that is redrawn; in a pipe a plain line for each cell that ended. */
#ifndef PB_PROGRESS_H
#define PB_PROGRESS_H

#include "base/base.h"

typedef struct pb_meter {
    const char *what; /* "train", "test", "time"    */
    int tasks, done, jobs;
    double begun;    /* pb_clock()                  */
    double fraction; /* of the tasks that run now   */
    double drawn;    /* when the line was last drawn */
    bool terminal, quiet;
} pb_meter;

pb_meter pb_meter_start(const char *what, int tasks, int jobs, bool quiet);
/* A running task has done `fraction` of its work; `label` names it. */
void pb_meter_tell(pb_meter *m, const char *label, double fraction, const char *detail);
/* A task has ended. */
void pb_meter_end(pb_meter *m, const char *label, const char *detail, double seconds);
void pb_meter_stop(pb_meter *m);

#endif
