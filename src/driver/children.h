/* children: runs tasks in child processes, some of them side by side.
 *
 * Each task has its own memory, threads, standard streams, working directory, process group and parent process.  A task
 * that crashes, exits, or kills its parent or its group therefore affects neither the driver nor other tasks.  A task
 * sends lines of text to the driver over a pipe.  It dies with the driver, and processes that it leaves in its group
 * are killed when it ends. */
#ifndef PB_CHILDREN_H
#define PB_CHILDREN_H

#include "base/base.h"

/* Does task `number`; called in the child.  A nonzero return is a failure, whose reason is pb_error_text(). */
typedef int pb_child_work(void *ctx, int number, FILE *to_parent);

/* Restarts the task's clock: the time before, in which it waited for others, does not count.  Called in the child. */
void pb_child_begin(FILE *to_parent);

/* Called in the driver. */
typedef struct pb_child_events {
    void (*begun)(void *ctx, int number);
    void (*line)(void *ctx, int number, const char *text);
    /* `error` is NULL if the process reports success, else the first error or how the process died.  The report may be
     * false, as when a plugin calls exit(0); the caller should check what the task stored.  A nonzero return stops the
     * run: no further task is started. */
    int (*ended)(void *ctx, int number, const char *error, double seconds);
} pb_child_events;

typedef struct pb_child_limits {
    int jobs;       /* tasks at once; values outside 1..256 are taken as the nearest one */
    double seconds; /* after which a task is killed; 0: no limit                         */
} pb_child_limits;

/* Runs tasks 0 .. count-1 in this order and returns when all have ended.  Returns 0, or the return of `ended` that
 * stopped the run.  Returns -1 with an error if no process can be made, or if SIGINT, SIGTERM, SIGHUP or SIGQUIT came;
 * the running tasks are killed then, and `ended` is not called for them.  The caller must have no threads and no open
 * database. */
int pb_children_run(int count, const pb_child_limits *limits, pb_child_work *work, const pb_child_events *events,
                    void *ctx);

/* Ends the program by the signal that stopped pb_children_run, as a shell expects.  Does nothing if none did. */
void pb_children_die(void);

#endif
