/* threads: one pool, plain fork-join.  Floor 0.
 *
 * Work is split into as many contiguous shares as there are threads, always the same way, so
 * the bits of a result depend on the thread count only.  Workers spin for a short while
 * between jobs (a job can be 20 microseconds) and sleep when nothing comes.
 */
#ifndef PB_THREADS_H
#define PB_THREADS_H

#include "base/base.h"

/* Starts the pool with n threads in all, the caller included (1 = no workers).  Calling it
 * again changes the count.  n <= 0 means one per available core (sched_getaffinity). */
void pb_threads_start(int n);
void pb_threads_stop(void);
int pb_threads_count(void); /* 1 before start */

/* Calls work(ctx, i) once for each i in 0..threads-1, each on its own thread (0 = the
 * caller), and returns when all are done.  Not reentrant. */
typedef void pb_work(void *ctx, int thread);
void pb_threads_run(pb_work *work, void *ctx);

/* The half-open share [*from, *to) of n items that belongs to `thread`; shares are
 * multiples of `grain` but the last. */
void pb_threads_share(int n, int grain, int thread, int *from, int *to);

#endif
