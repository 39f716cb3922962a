/* children: see children.h.
 *
 * driver -> keeper -> task.  The keeper only waits.  It is the task's parent, so that a task that kills its parent does
 * not kill the driver.  Keeper and task form a process group; when the task ends, the rest of the group is killed. */
#include "driver/children.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define ERROR_MARK '\1'     /* begins the line that is the error */
#define CLOCK_MARK '\2'     /* is the line that restarts the task's clock */
#define MOST_RECEIVED 65536 /* bytes of a line; a longer one is dropped */
#define MOST_JOBS 256

typedef struct child {
    pid_t pid; /* of the keeper, and of the group */
    int number;
    int from;         /* the pipe's end; -1: the task closed it */
    pb_text received; /* the incomplete line */
    char *error;
    double begun;
} child;

/* ---- signals that end the driver ---------------------------------------------------------------------- */

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
static volatile sig_atomic_t stopped_by;

static void stop(int number)
{
    stopped_by = number;
}

/* A signal that is ignored (nohup) stays ignored. */
static void catch_signals(struct sigaction before[])
{
    for (size_t i = 0; i < PB_COUNT(ending); i++) {
        struct sigaction act = {.sa_handler = stop};
        sigaction(ending[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN)
            sigaction(ending[i], &act, NULL);
    }
    signal(SIGCHLD, SIG_DFL); /* if it were ignored, waitpid would fail */
}

static void release_signals(const struct sigaction before[])
{
    for (size_t i = 0; i < PB_COUNT(ending); i++)
        sigaction(ending[i], &before[i], NULL);
}

void pb_children_die(void)
{
    if (!stopped_by)
        return;
    signal(stopped_by, SIG_DFL);
    raise(stopped_by);
}

/* ---- in the child -------------------------------------------------------------------------------------- */

static void die_with(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1); /* the parent died before prctl */
}

void pb_child_begin(FILE *to_parent)
{
    fprintf(to_parent, "%c\n", CLOCK_MARK);
}

static _Noreturn void run_task(pb_child_work *work, void *ctx, int number, int fd)
{
    pb_plain_numbers();
    FILE *to_parent = fdopen(fd, "w");
    if (!to_parent)
        _exit(1);
    setvbuf(to_parent, NULL, _IOLBF, 0);
    int rc = work(ctx, number, to_parent);
    if (rc)
        fprintf(to_parent, "%c%s\n", ERROR_MARK, *pb_error_text() ? pb_error_text() : "failed without a message");
    fclose(to_parent);
    fflush(NULL);
    _exit(rc ? 1 : 0);
}

/* Exits in the same way as the task did. */
static _Noreturn void relay(pid_t task)
{
    int status;
    while (waitpid(task, &status, 0) < 0)
        if (errno != EINTR)
            _exit(1);
    if (!WIFSIGNALED(status))
        _exit(WEXITSTATUS(status));
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* the task has dumped core already */
    signal(WTERMSIG(status), SIG_DFL);
    raise(WTERMSIG(status));
    _exit(128 + WTERMSIG(status));
}

/* A task has no standard input, its output goes to stderr, and it may print in the background. */
static void isolate(void)
{
    int nothing = open("/dev/null", O_RDONLY);
    setpgid(0, 0);
    for (size_t i = 0; i < PB_COUNT(ending); i++)
        signal(ending[i], SIG_DFL);
    signal(SIGTTOU, SIG_IGN);
    dup2(nothing, STDIN_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    if (nothing > STDERR_FILENO)
        close(nothing);
}

static _Noreturn void run_keeper(pb_child_work *work, void *ctx, int number, int fd, pid_t driver)
{
    isolate();
    die_with(driver);
    pid_t keeper = getpid(), task = fork();
    if (task == 0) {
        die_with(keeper);
        run_task(work, ctx, number, fd);
    }
    close(fd);
    if (task < 0)
        _exit(1);
    relay(task);
}

/* ---- in the driver ------------------------------------------------------------------------------------- */

static int start_child(child *c, pb_child_work *work, void *ctx, int number)
{
    int ends[2];
    pid_t driver = getpid();
    fflush(NULL);
    if (pipe2(ends, O_CLOEXEC))
        return pb_error("cannot make a pipe: %s", strerror(errno));
    *c = (child){.number = number, .from = ends[0], .begun = pb_clock(), .pid = fork()};
    if (c->pid < 0) {
        close(ends[0]);
        close(ends[1]);
        return pb_error("cannot make a process: %s", strerror(errno));
    }
    if (c->pid == 0) {
        close(ends[0]);
        run_keeper(work, ctx, number, ends[1], driver);
    }
    setpgid(c->pid, c->pid); /* set here too, since it may be killed before the child sets it */
    close(ends[1]);
    fcntl(c->from, F_SETFL, O_NONBLOCK);
    return 0;
}

static void take_line(child *c, const char *line, const pb_child_events *events, void *ctx)
{
    if (line[0] == CLOCK_MARK)
        c->begun = pb_clock();
    else if (line[0] != ERROR_MARK)
        events->line(ctx, c->number, line);
    else if (!c->error)
        c->error = pb_strdup(line + 1);
}

static void take_lines(child *c, const pb_child_events *events, void *ctx)
{
    char *at = c->received.data, *end;
    while (at && (end = memchr(at, '\n', c->received.length - (size_t)(at - c->received.data)))) {
        *end = 0;
        take_line(c, at, events, ctx);
        at = end + 1;
    }
    pb_text rest = {0};
    size_t left = at ? c->received.length - (size_t)(at - c->received.data) : 0;
    if (left && left < MOST_RECEIVED)
        pb_text_bytes(&rest, at, left);
    pb_text_free(&c->received);
    c->received = rest;
}

/* Reads the lines that a child has sent. */
static void read_lines(child *c, const pb_child_events *events, void *ctx)
{
    char block[4096];
    ssize_t n = -1;
    while (c->from >= 0 && (n = read(c->from, block, sizeof block)) > 0) {
        pb_text_bytes(&c->received, block, (size_t)n);
        take_lines(c, events, ctx);
    }
    if (c->from >= 0 && (n == 0 || (errno != EAGAIN && errno != EINTR))) {
        close(c->from);
        c->from = -1;
    }
}

/* The process stays a zombie, so that its group's number is not reused. */
static bool has_ended(const child *c)
{
    siginfo_t info = {.si_pid = 0};
    int rc = waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT);
    return rc ? errno != EINTR : info.si_pid != 0;
}

/* Returns how a process ended that sent no error; NULL for success. */
static char *describe_status(int status)
{
    if (WIFSIGNALED(status))
        return pb_format("killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    return WEXITSTATUS(status) ? pb_format("exit status %d", WEXITSTATUS(status)) : NULL;
}

/* Reaps an ended child and kills what it left running.  Returns how it ended, or NULL for success. */
static char *reap(child *c)
{
    int status = 0, rc;
    kill(-c->pid, SIGKILL);
    while ((rc = waitpid(c->pid, &status, 0)) < 0 && errno == EINTR)
        continue;
    if (c->from >= 0)
        close(c->from);
    pb_text_free(&c->received);
    return rc < 0 ? pb_format("its exit status is unknown: %s", strerror(errno)) : describe_status(status);
}

static int finish_child(child *c, const pb_child_events *events, void *ctx)
{
    read_lines(c, events, ctx);
    char *how = reap(c);
    int rc = events->ended(ctx, c->number, c->error ? c->error : how, pb_clock() - c->begun);
    free(how);
    free(c->error);
    return rc;
}

static void kill_late(child *c, double seconds)
{
    if (seconds <= 0 || pb_clock() - c->begun < seconds)
        return;
    free(c->error);
    c->error = pb_format("took over %g s", seconds);
    kill(-c->pid, SIGKILL);
}

/* Waits for a short time until a child sends a line or ends, and removes the children that ended. */
static int wait_for_children(child *running, int *count, double seconds, const pb_child_events *events, void *ctx)
{
    struct pollfd watched[MOST_JOBS] = {{0}};
    bool silent = false;
    for (int i = 0; i < *count; i++) {
        watched[i] = (struct pollfd){.fd = running[i].from, .events = POLLIN};
        silent |= running[i].from < 0; /* it is about to end, or is past its time */
    }
    poll(watched, (unsigned)*count, silent ? 10 : 200);
    int rc = 0;
    for (int i = *count; i-- > 0;) {
        read_lines(&running[i], events, ctx);
        if (running[i].from < 0)
            kill(-running[i].pid, SIGCONT); /* the task may have stopped its keeper */
        if (!has_ended(&running[i])) {
            kill_late(&running[i], seconds);
            continue;
        }
        int answer = finish_child(&running[i], events, ctx);
        rc = rc ? rc : answer;
        running[i] = running[--*count];
    }
    return rc;
}

/* Kills all children after a signal. */
static int kill_all(child *running, int count)
{
    for (int i = 0; i < count; i++) {
        free(reap(&running[i]));
        free(running[i].error);
    }
    return pb_error("stopped by signal %d (%s)", (int)stopped_by, strsignal(stopped_by));
}

static int run_all(int count, const pb_child_limits *limits, pb_child_work *work, const pb_child_events *events,
                   void *ctx)
{
    child running[MOST_JOBS] = {{0}};
    int alive = 0, next = 0, rc = 0, jobs = limits->jobs < MOST_JOBS ? limits->jobs : MOST_JOBS;
    while (alive > 0 || (next < count && !rc)) {
        while (!rc && !stopped_by && next < count && alive < (jobs > 1 ? jobs : 1)) {
            rc = start_child(&running[alive], work, ctx, next);
            if (!rc) {
                alive++;
                events->begun(ctx, next++);
            }
        }
        if (stopped_by)
            return kill_all(running, alive);
        int answer = alive ? wait_for_children(running, &alive, limits->seconds, events, ctx) : 0;
        rc = rc ? rc : answer;
    }
    return rc;
}

int pb_children_run(int count, const pb_child_limits *limits, pb_child_work *work, const pb_child_events *events,
                    void *ctx)
{
    struct sigaction before[PB_COUNT(ending)];
    catch_signals(before);
    int rc = run_all(count, limits, work, events, ctx);
    release_signals(before);
    return rc;
}
