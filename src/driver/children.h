/* children: tasks in child processes, some side by side.
 *
 * A task's memory, threads, crash, exit, standard streams, working directory and process group are its own, and it has
 * a parent of its own: what it does to itself, to its parent or to its group reaches neither the driver nor other
 * tasks.  A task tells the driver lines of text over a pipe, and dies with the driver, as do the processes that it
 * left in its group when it ends. */
#ifndef PB_CHILDREN_H
#define PB_CHILDREN_H

#include "base/base.h"

/* In the child: does task `number`.  A nonzero return is a failure, explained by pb_error_text(). */
typedef int pb_child_work(void *ctx, int number, FILE *to_parent);

/* In the child: its time is counted from now on, not from its start (it has waited for others). */
void pb_child_begin(FILE *to_parent);

/* In the driver. */
typedef struct pb_child_events {
    void (*begun)(void *ctx, int number);
    void (*told)(void *ctx, int number, const char *line);
    /* error: NULL when the process says that it went well, else the first error or how the process died.  A process can
     * lie (a plugin calls exit(0)): what counts is what it stored.  A nonzero return stops: nothing is begun any
     * more. */
    int (*ended)(void *ctx, int number, const char *error, double seconds);
} pb_child_events;

typedef struct pb_child_limits {
    int jobs;       /* at once; less than 1 counts as 1, more than 256 as 256 */
    double seconds; /* of one task; it is killed when it takes longer; 0: no limit */
} pb_child_limits;

/* Runs tasks 0 .. count-1 in order and returns when all have ended: 0, or the return of `ended` that stopped it, or -1
 * with an error: no process can be made, or a signal that ends programs (SIGINT, SIGTERM, SIGHUP, SIGQUIT) came, upon
 * which the tasks are killed and `ended` is not called for them.  The caller must have no threads and no open
 * database. */
int pb_children_run(int count, const pb_child_limits *limits, pb_child_work *work, const pb_child_events *events,
                    void *ctx);

/* If a signal stopped pb_children_run(), dies of that signal, as the shell expects; else does nothing. */
void pb_children_die(void);

#endif
