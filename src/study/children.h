/* children: tasks in child processes, some side by side.  Floor 6.
 *
 * A task's memory, threads and crash are its own.  A child tells its parent lines of text over a
 * pipe, and dies with its parent. */
#ifndef PB_CHILDREN_H
#define PB_CHILDREN_H

#include "base/base.h"

/* In the child: does task `number`.  A nonzero return is a failure, explained by pb_error_text(). */
typedef int pb_child_work(void *ctx, int number, FILE *to_parent);

/* In the parent. */
typedef struct pb_child_events {
    void (*begun)(void *ctx, int number);
    void (*told)(void *ctx, int number, const char *line);
    /* error: NULL when it went well, else the first error or how the process died.  A nonzero
     * return stops: nothing is begun any more. */
    int (*ended)(void *ctx, int number, const char *error, double seconds);
} pb_child_events;

/* Runs tasks 0 .. count-1 in order, at most `jobs` at once, and returns when all have ended: 0,
 * or the return of `ended` that stopped it, or -1 with an error if no process can be made.
 * The caller must have no threads and no open database. */
int pb_children_run(int count, int jobs, pb_child_work *work, const pb_child_events *events, void *ctx);

#endif
