/* threads: a thread pool for fork-join parallelism.
 *
 * Work is divided into contiguous shares, one a thread, always in the same way, so that the bits of a result depend on
 * the thread count only.  A worker that waits for a job, and the caller that waits for the workers, first spin,
 * because a job can take 20 microseconds, and then sleep.  Where spinning does not help, because another thread needs
 * the same core, they spin less and less. */
#ifndef PB_THREADS_H
#define PB_THREADS_H

#include "base/base.h"

/* The most threads that the pool has: as many as OpenBLAS supports. */
enum { PB_MOST_THREADS = 512 };

/* Starts the pool with n threads, the caller included; n <= 0 starts one for each core that the process may use.
 * Calling it again changes the count.  If fewer threads could be started, or n is larger than PB_MOST_THREADS, a
 * warning says how many there are. */
void pb_threads_start(int n);

/* Ends the workers. */
void pb_threads_stop(void);

/* Returns the number of threads, the caller included; 1 if the pool is not started. */
int pb_threads_count(void);

/* Calls work(ctx, i) once for each thread i, 0 being the caller, and returns when all calls have returned.  A job must
 * not start another job. */
typedef void pb_work(void *ctx, int thread);
void pb_threads_run(pb_work *work, void *ctx);

/* Computes the half-open range [*from, *to) of n items that `thread` works on.  Every range except the last begins and
 * ends at a multiple of `grain`. */
void pb_threads_share(int n, int grain, int thread, int *from, int *to);

#endif
