/* Which cores a process may use, and threads that share one. */
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cores.h"
#include "base/threads.h"
#include "base/waits.h"
#include "test.h"

static char root[64];

static void put(const char *path, const char *text)
{
    char *whole = pb_format("%s/%s", root, path), *folder = pb_strdup(whole);
    *strrchr(folder, '/') = 0;
    CHECK_INT(pb_make_dirs(folder), 0);
    CHECK_INT(pb_write_file(whole, text, strlen(text)), 0);
    free(folder);
    free(whole);
}

static void begin(void)
{
    snprintf(root, sizeof root, "/tmp/peftbench-cores-XXXXXX");
    CHECK(mkdtemp(root));
}

/* What is allowed below `root`, which is taken away. */
static int allowed(void)
{
    int n = pb_cores_allowed(root);
    pb_remove_tree(root);
    return n;
}

static int unlimited(void)
{
    return pb_cores_allowed("/nowhere");
}

TEST(without_groups_the_mask_decides)
{
    CHECK(unlimited() >= 1 && unlimited() <= pb_cores_present());
    begin();
    CHECK_INT(allowed(), unlimited());
    begin();
    put("proc/self/cgroup", "0::/\n");
    put("sys/fs/cgroup/cpu.max", "max 100000\n");
    CHECK_INT(allowed(), unlimited());
    begin();
    put("proc/self/cgroup", "0::/\n");
    put("sys/fs/cgroup/cpu.max", "900000000 100000\n"); /* more than there are */
    CHECK_INT(allowed(), unlimited());
}

TEST(a_quota_of_version_2)
{
    begin(); /* a container that sees its group as the root */
    put("proc/self/cgroup", "0::/\n");
    put("sys/fs/cgroup/cpu.max", "100000 100000\n");
    CHECK_INT(allowed(), 1);
    begin(); /* half a core, and the path that the host knows */
    put("proc/self/cgroup", "0::/system.slice/docker-1234.scope\n");
    put("sys/fs/cgroup/cpu.max", "50000 100000\n");
    CHECK_INT(allowed(), 1);
    begin(); /* a group around ours binds too */
    put("proc/self/cgroup", "0::/a/b/c\n");
    put("sys/fs/cgroup/a/cpu.max", "150000 100000\n");
    put("sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
    CHECK_INT(allowed(), 1);
    begin(); /* one beside ours does not */
    put("proc/self/cgroup", "0::/a/b\n");
    put("sys/fs/cgroup/a/bc/cpu.max", "100000 100000\n");
    CHECK_INT(allowed(), unlimited());
    begin(); /* both versions mounted */
    put("proc/self/cgroup", "4:cpu,cpuacct:/\n0::/a\n");
    put("sys/fs/cgroup/unified/a/cpu.max", "100000 100000\n");
    CHECK_INT(allowed(), 1);
}

TEST(a_quota_of_version_1)
{
    begin();
    put("proc/self/cgroup", "12:cpuset:/\n4:cpu,cpuacct:/docker/12\n");
    put("sys/fs/cgroup/cpu,cpuacct/docker/12/cpu.cfs_quota_us", "100000\n");
    put("sys/fs/cgroup/cpu,cpuacct/docker/12/cpu.cfs_period_us", "100000\n");
    CHECK_INT(allowed(), 1);
    begin();
    put("proc/self/cgroup", "4:cpuacct,cpu:/docker/12\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    CHECK_INT(allowed(), 1);
    begin();
    put("proc/self/cgroup", "4:cpu,cpuacct:/\n");
    put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    CHECK_INT(allowed(), unlimited());
    begin(); /* the quota of another controller's hierarchy */
    put("proc/self/cgroup", "4:cpuset:/\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    CHECK_INT(allowed(), unlimited());
}

TEST(files_that_say_nothing)
{
    begin();
    put("proc/self/cgroup", "nonsense\n4:cpu\n:::\n0::/../..//\n");
    put("sys/fs/cgroup/cpu.max", "lots\n");
    CHECK_INT(allowed(), unlimited());
    begin();
    put("proc/self/cgroup", "0::/\n");
    put("sys/fs/cgroup/cpu.max", "0 0\n");
    CHECK_INT(allowed(), unlimited());
    begin();
    put("proc/self/cgroup", "0::/\n");
    put("sys/fs/cgroup/cpu.max", "100000");
    CHECK_INT(allowed(), unlimited());
}

static void add_one(void *ctx, int thread)
{
    ((int *)ctx)[64 * thread]++;
}

/* Threads that spin for the one core that the other one needs take a thousand times as long. */
TEST(threads_share_a_core)
{
    enum { JOBS = 3000 };
    cpu_set_t before, one;
    CHECK_INT(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    CHECK_INT(sched_setaffinity(0, sizeof one, &one), 0);
    CHECK_INT(pb_cores_allowed(""), 1);
    int *count = pb_alloc(4 * 64 * sizeof *count);
    double start = pb_clock();
    pb_threads_start(3);
    for (int i = 0; i < JOBS; i++)
        pb_threads_run(add_one, count);
    pb_threads_stop();
    double seconds = pb_clock() - start;
    for (int t = 0; t < 3; t++)
        CHECK_INT(count[64 * t], JOBS);
    CHECK(seconds < 20);
    free(count);
    CHECK_INT(sched_setaffinity(0, sizeof before, &before), 0);
}

TEST(as_many_threads_as_there_may_be)
{
    enum { MANY = 300 };
    int *count = pb_alloc(MANY * 64 * sizeof *count);
    pb_threads_start(MANY);
    int threads = pb_threads_count();
    CHECK_INT(threads, MANY);
    for (int i = 0; i < 3; i++)
        pb_threads_run(add_one, count);
    for (int t = 0; t < threads; t++)
        CHECK_INT(count[64 * t], 3);
    pb_threads_start(PB_MOST_THREADS + 1); /* with a warning */
    CHECK(pb_threads_count() <= PB_MOST_THREADS);
    pb_threads_stop();
    free(count);
}

static void work_for(double seconds)
{
    volatile double x = 0;
    for (double start = pb_clock(); pb_clock() - start < seconds;)
        x += 1;
}

/* Two others want the one core that this process may use: two thirds of the time are spent waiting. */
TEST(waiting_for_a_core_is_told)
{
    cpu_set_t before, one;
    CHECK_INT(sched_getaffinity(0, sizeof before, &before), 0);
    int core = 0;
    while (!CPU_ISSET(core, &before))
        core++;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    CHECK_INT(sched_setaffinity(0, sizeof one, &one), 0);
    pid_t other[2];
    for (int i = 0; i < 2; i++) {
        other[i] = fork();
        if (!other[i])
            for (;;)
                work_for(60);
    }
    pb_waits from = pb_waits_now();
    work_for(0.6);
    double share = pb_waits_since(&from);
    for (int i = 0; i < 2; i++) {
        kill(other[i], SIGKILL);
        waitpid(other[i], NULL, 0);
    }
    CHECK_INT(sched_setaffinity(0, sizeof before, &before), 0);
    if (isnan(share))
        SKIP("this system does not tell how long a thread waits");
    CHECK(share > 0.3 && share <= 1);
}
