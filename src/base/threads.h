/* threads: one pool, plain fork-join.
 *
 * Work is split into as many contiguous shares as there are threads, always the same way, so
 * the bits of a result depend on the thread count only.  Who waits, a worker for the next job or the caller
 * for the workers, spins for a short while (a job can take 20 microseconds) and then sleeps.  Spinning that is in vain,
 * because the other thread waits for the same core, is given up after a few jobs.
 */
#ifndef PB_THREADS_H
#define PB_THREADS_H

#include "base/base.h"

/* Starts the pool with n threads in all, the caller included (1 = no workers).  Calling it again changes the count.
 * n <= 0 means one for each allowed core.  Where fewer can be started, or n is over PB_MOST_THREADS (as many as
 * OpenBLAS serves), a warning says how many there are. */
enum { PB_MOST_THREADS = 512 };
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
