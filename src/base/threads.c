/* threads: the pool.  Floor 0.
 *
 * A job is announced by raising `job`; each worker runs its share and raises `done`.  A worker
 * spins on `job` for a while (a training step has hundreds of jobs, microseconds apart) and
 * then sleeps on the condition; the caller, who has its own share, only ever spins.
 */
#include "base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#define MOST_THREADS 256
#define SPINS 20000 /* about 100 microseconds */

static struct {
    int count; /* the caller included; 0: not started */
    pthread_t worker[MOST_THREADS];
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_uint job; /* number of the newest job */
    atomic_int done; /* workers that finished it */
    int sleeping;    /* under the lock           */
    atomic_bool stop;
    unsigned first_job; /* the newest job when the workers were started */
    pb_work *work;
    void *ctx;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static unsigned wait_for_job(unsigned last)
{
    for (int i = 0; i < SPINS; i++) {
        unsigned job = atomic_load_explicit(&pool.job, memory_order_acquire);
        if (job != last)
            return job;
        relax();
    }
    pthread_mutex_lock(&pool.lock);
    pool.sleeping++;
    while (atomic_load(&pool.job) == last)
        pthread_cond_wait(&pool.wake, &pool.lock);
    pool.sleeping--;
    pthread_mutex_unlock(&pool.lock);
    return atomic_load(&pool.job);
}

static void *worker(void *arg)
{
    int thread = (int)(intptr_t)arg;
    unsigned last = pool.first_job;
    for (;;) {
        last = wait_for_job(last);
        if (atomic_load(&pool.stop))
            return NULL;
        pool.work(pool.ctx, thread);
        atomic_fetch_add_explicit(&pool.done, 1, memory_order_release);
    }
}

/* The lock makes the announcement visible to a worker that is about to sleep. */
static void announce(void)
{
    pthread_mutex_lock(&pool.lock);
    atomic_fetch_add(&pool.job, 1);
    if (pool.sleeping)
        pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
}

static int available_cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

void pb_threads_start(int n)
{
    pb_threads_stop();
    if (n <= 0)
        n = available_cores();
    if (n > MOST_THREADS)
        n = MOST_THREADS;
    atomic_store(&pool.stop, false);
    pool.first_job = atomic_load(&pool.job);
    pool.count = 1;
    while (pool.count < n && pthread_create(&pool.worker[pool.count], NULL, worker, (void *)(intptr_t)pool.count) == 0)
        pool.count++;
    if (pool.count < n)
        pb_warn("only %d of %d threads could be started", pool.count, n);
}

void pb_threads_stop(void)
{
    if (pool.count > 1) {
        atomic_store(&pool.stop, true);
        announce();
        for (int i = 1; i < pool.count; i++)
            pthread_join(pool.worker[i], NULL);
    }
    pool.count = 0;
}

int pb_threads_count(void)
{
    return pool.count ? pool.count : 1;
}

void pb_threads_run(pb_work *work, void *ctx)
{
    int workers = pb_threads_count() - 1;
    if (workers > 0) {
        pool.work = work;
        pool.ctx = ctx;
        atomic_store_explicit(&pool.done, 0, memory_order_relaxed);
        announce();
    }
    work(ctx, 0);
    int spins = 0;
    while (workers > 0 && atomic_load_explicit(&pool.done, memory_order_acquire) != workers) {
        if (spins++ < SPINS)
            relax();
        else { /* on an overcommitted machine the worker may wait for our core */
            sched_yield();
            spins = SPINS;
        }
    }
}

void pb_threads_share(int n, int grain, int thread, int *from, int *to)
{
    int64_t grains = (n + (int64_t)grain - 1) / grain;
    int64_t count = pb_threads_count();
    int64_t first = grains * thread / count * grain, last = grains * (thread + 1) / count * grain;
    *from = (int)(first < n ? first : n);
    *to = (int)(last < n ? last : n);
}
