/* threads: the thread pool.
 *
 * The caller starts a job by incrementing `job`; each worker runs its share and increments `done`.  Both sides wait in
 * the same way: they spin on the number for a while (a training step has hundreds of jobs, microseconds apart) and
 * then sleep on a condition variable. */
#include "base/threads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/cores.h"

#define MOST_SPINS 20000 /* about 200 microseconds */
#define LEAST_SPINS 16
#define MOST_MISSES 1024

/* How long one thread spins.  The time adapts: it is halved when spinning was in vain and doubled when it succeeded.
 * Where the other thread needs the same core, spinning keeps it from running, and the time soon becomes short; a
 * thread that has a core to itself soon spins long enough.  To notice that a core has become free, a thread spins for
 * the full time once in `every` waits, and less often where that is in vain too. */
typedef struct patience {
    int spins, misses, every;
} patience;
static const patience patient = {MOST_SPINS, 0, LEAST_SPINS};

static struct {
    int count; /* the caller included; 0: not started */
    pthread_t *worker;
    pthread_mutex_t lock;
    pthread_cond_t wake;     /* a job was announced      */
    pthread_cond_t finished; /* the last worker is ready */
    atomic_int job;          /* number of the newest job */
    atomic_int done;         /* workers that finished it */
    int sleeping;            /* workers, under the lock  */
    atomic_bool caller_sleeps;
    atomic_bool stop;
    int first_job; /* the newest job when the workers were started */
    patience caller;
    pb_work *work;
    void *ctx;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .finished = PTHREAD_COND_INITIALIZER};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static void shorten(patience *p, bool full)
{
    p->spins = p->spins / 2 > LEAST_SPINS ? p->spins / 2 : LEAST_SPINS;
    p->misses = full ? 0 : p->misses + 1;
    if (full && p->every < MOST_MISSES)
        p->every *= 2;
}

static void lengthen(patience *p, int spins)
{
    int enough = 2 * (spins > p->spins ? spins : p->spins);
    *p = (patience){enough < MOST_SPINS ? enough : MOST_SPINS, 0, LEAST_SPINS};
}

/* Spins until the number equals `value` (or, if `is` is false, differs from it).  Returns false if it still does not.
 */
static bool spin(const atomic_int *number, bool is, int value, patience *p)
{
    bool full = p->misses >= p->every;
    int most = full ? MOST_SPINS : p->spins;
    for (int i = 0; i <= most; i++) {
        if ((atomic_load_explicit(number, memory_order_acquire) == value) == is) {
            if (i) /* a wait that ended at once says nothing about the time */
                lengthen(p, i);
            return true;
        }
        relax();
    }
    shorten(p, full);
    return false;
}

static int wait_for_job(int last, patience *p)
{
    if (!spin(&pool.job, false, last, p)) {
        pthread_mutex_lock(&pool.lock);
        pool.sleeping++;
        while (atomic_load(&pool.job) == last)
            pthread_cond_wait(&pool.wake, &pool.lock);
        pool.sleeping--;
        pthread_mutex_unlock(&pool.lock);
    }
    return atomic_load(&pool.job);
}

/* The caller sets `caller_sleeps` before it reads `done` for the last time, and a worker increments `done` before it
 * reads `caller_sleeps`, so that at least one of them notices the other. */
static void wait_for_workers(int workers)
{
    if (spin(&pool.done, true, workers, &pool.caller))
        return;
    pthread_mutex_lock(&pool.lock);
    atomic_store(&pool.caller_sleeps, true);
    while (atomic_load(&pool.done) != workers)
        pthread_cond_wait(&pool.finished, &pool.lock);
    atomic_store(&pool.caller_sleeps, false);
    pthread_mutex_unlock(&pool.lock);
}

static void report(void)
{
    atomic_fetch_add(&pool.done, 1);
    if (!atomic_load(&pool.caller_sleeps))
        return;
    pthread_mutex_lock(&pool.lock);
    pthread_cond_signal(&pool.finished);
    pthread_mutex_unlock(&pool.lock);
}

static void *worker(void *arg)
{
    int thread = (int)(intptr_t)arg, last = pool.first_job;
    patience mine = patient;
    pb_plain_numbers();
    for (;;) {
        last = wait_for_job(last, &mine);
        if (atomic_load(&pool.stop))
            return NULL;
        pool.work(pool.ctx, thread);
        report();
    }
}

/* The lock makes the new job visible to a worker that is about to sleep. */
static void announce(void)
{
    pthread_mutex_lock(&pool.lock);
    atomic_fetch_add(&pool.job, 1);
    if (pool.sleeping)
        pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
}

void pb_threads_start(int n)
{
    pb_threads_stop();
    int want = n > 0 ? n : pb_cores_allowed(""), most = want < PB_MOST_THREADS ? want : PB_MOST_THREADS;
    pool.worker = pb_alloc((size_t)most * sizeof *pool.worker);
    atomic_store(&pool.stop, false);
    pool.first_job = atomic_load(&pool.job);
    pool.caller = patient;
    pool.count = 1;
    while (pool.count < most &&
           pthread_create(&pool.worker[pool.count], NULL, worker, (void *)(intptr_t)pool.count) == 0)
        pool.count++;
    if (pool.count < want)
        pb_warn("%d threads instead of %d: more %s", pool.count, want,
                pool.count < most ? "could not be started" : "are not supported");
}

void pb_threads_stop(void)
{
    if (pool.count > 1) {
        atomic_store(&pool.stop, true);
        announce();
        for (int i = 1; i < pool.count; i++)
            pthread_join(pool.worker[i], NULL);
    }
    free(pool.worker);
    pool.worker = NULL;
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
    if (workers > 0)
        wait_for_workers(workers);
}

void pb_threads_share(int n, int grain, int thread, int *from, int *to)
{
    int64_t grains = (n + (int64_t)grain - 1) / grain;
    int64_t count = pb_threads_count();
    int64_t first = grains * thread / count * grain, last = grains * (thread + 1) / count * grain;
    *from = (int)(first < n ? first : n);
    *to = (int)(last < n ? last : n);
}
