/* progress: prints how much of a pass is done and how long the rest will take.
 * On a terminal it redraws one line; in a pipe it prints a line for each task that ended. */
#ifndef PB_PROGRESS_H
#define PB_PROGRESS_H

#include "base/base.h"

typedef struct pb_meter {
    const char *what; /* the pass: "train", "test", "time"             */
    int tasks, done, jobs;
    double begun;    /* pb_clock() at the start                        */
    double fraction; /* of the running tasks that is done              */
    double drawn;    /* pb_clock() when the line was last drawn        */
    bool terminal;   /* whether stderr is a terminal                   */
    bool quiet;      /* print nothing                                  */
} pb_meter;

/* Starts the progress of a pass of `tasks` tasks, `jobs` of them side by side.  `what` must outlive it. */
pb_meter pb_meter_start(const char *what, int tasks, int jobs, bool quiet);

/* Redraws the line, at most ten times a second: the running task `label` has done `fraction` of its work. */
void pb_meter_update(pb_meter *m, const char *label, double fraction, const char *detail);

/* Prints that a task has ended after this many seconds. */
void pb_meter_end(pb_meter *m, const char *label, const char *detail, double seconds);

/* Clears the line. */
void pb_meter_stop(pb_meter *m);

#endif
