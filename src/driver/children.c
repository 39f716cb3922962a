/* children: see children.h.
 *
 * driver -> keeper -> task.  The keeper does nothing but wait: it is the task's parent, so that a task that kills its
 * parent does not kill the driver.  Keeper and task are a process group of their own; when the task is over, what it
 * left running in that group is killed. */
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

#define ERROR_MARK '\1'  /* begins the line that is the error */
#define CLOCK_MARK '\2'  /* is the line by which the time begins again */
#define MOST_HEARD 65536 /* bytes of a line; more is not ours */
#define MOST_JOBS 256

typedef struct child {
    pid_t pid; /* of the keeper, and of the group */
    int number;
    int from;      /* the pipe's end; -1: the task closed it */
    pb_text heard; /* the line that is not whole yet */
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
    signal(SIGCHLD, SIG_DFL); /* ignored, it would take away the answers of waitpid */
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
        _exit(1); /* it died before it could be watched */
}

void pb_child_begin(FILE *to_parent)
{
    fprintf(to_parent, "%c\n", CLOCK_MARK);
}

static _Noreturn void be_task(pb_child_work *work, void *ctx, int number, int fd)
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

/* Ends as the task has ended. */
static _Noreturn void relay(pid_t task)
{
    int status;
    while (waitpid(task, &status, 0) < 0)
        if (errno != EINTR)
            _exit(1);
    if (!WIFSIGNALED(status))
        _exit(WEXITSTATUS(status));
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* one is enough */
    signal(WTERMSIG(status), SIG_DFL);
    raise(WTERMSIG(status));
    _exit(128 + WTERMSIG(status));
}

/* A task reads nothing, what it prints is for people, and it may print while another group has the terminal. */
static void be_apart(void)
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

static _Noreturn void be_keeper(pb_child_work *work, void *ctx, int number, int fd, pid_t driver)
{
    be_apart();
    die_with(driver);
    pid_t keeper = getpid(), task = fork();
    if (task == 0) {
        die_with(keeper);
        be_task(work, ctx, number, fd);
    }
    close(fd);
    if (task < 0)
        _exit(1);
    relay(task);
}

/* ---- in the driver ------------------------------------------------------------------------------------- */

static int start(child *c, pb_child_work *work, void *ctx, int number)
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
        be_keeper(work, ctx, number, ends[1], driver);
    }
    setpgid(c->pid, c->pid); /* here as well: it may be killed before it gets there */
    close(ends[1]);
    fcntl(c->from, F_SETFL, O_NONBLOCK);
    return 0;
}

static void take_line(child *c, const char *line, const pb_child_events *events, void *ctx)
{
    if (line[0] == CLOCK_MARK)
        c->begun = pb_clock();
    else if (line[0] != ERROR_MARK)
        events->told(ctx, c->number, line);
    else if (!c->error)
        c->error = pb_strdup(line + 1);
}

static void take_lines(child *c, const pb_child_events *events, void *ctx)
{
    char *at = c->heard.data, *end;
    while (at && (end = memchr(at, '\n', c->heard.length - (size_t)(at - c->heard.data)))) {
        *end = 0;
        take_line(c, at, events, ctx);
        at = end + 1;
    }
    pb_text rest = {0};
    size_t left = at ? c->heard.length - (size_t)(at - c->heard.data) : 0;
    if (left && left < MOST_HEARD)
        pb_text_bytes(&rest, at, left);
    pb_text_free(&c->heard);
    c->heard = rest;
}

/* What it has said so far. */
static void listen_to(child *c, const pb_child_events *events, void *ctx)
{
    char block[4096];
    ssize_t n = -1;
    while (c->from >= 0 && (n = read(c->from, block, sizeof block)) > 0) {
        pb_text_bytes(&c->heard, block, (size_t)n);
        take_lines(c, events, ctx);
    }
    if (c->from >= 0 && (n == 0 || (errno != EAGAIN && errno != EINTR))) {
        close(c->from);
        c->from = -1;
    }
}

/* It stays a zombie, which keeps the group's number from being given to others. */
static bool has_ended(const child *c)
{
    siginfo_t info = {.si_pid = 0};
    int rc = waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT);
    return rc ? errno != EINTR : info.si_pid != 0;
}

/* How a process ended that said nothing itself; NULL: well. */
static char *describe(int status)
{
    if (WIFSIGNALED(status))
        return pb_format("killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    return WEXITSTATUS(status) ? pb_format("exit status %d", WEXITSTATUS(status)) : NULL;
}

/* Takes the ended process away, with what it left running. */
static char *bury(child *c)
{
    int status = 0, rc;
    kill(-c->pid, SIGKILL);
    while ((rc = waitpid(c->pid, &status, 0)) < 0 && errno == EINTR)
        continue;
    if (c->from >= 0)
        close(c->from);
    pb_text_free(&c->heard);
    return rc < 0 ? pb_format("its end was not seen: %s", strerror(errno)) : describe(status);
}

static int finish(child *c, const pb_child_events *events, void *ctx)
{
    listen_to(c, events, ctx);
    char *how = bury(c);
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

/* Waits for a while until some child says something or ends; ended ones are taken out. */
static int attend(child *running, int *count, double seconds, const pb_child_events *events, void *ctx)
{
    struct pollfd watched[MOST_JOBS] = {{0}};
    bool silent = false;
    for (int i = 0; i < *count; i++) {
        watched[i] = (struct pollfd){.fd = running[i].from, .events = POLLIN};
        silent |= running[i].from < 0; /* it is about to end, or only the clock tells */
    }
    poll(watched, (unsigned)*count, silent ? 10 : 200);
    int rc = 0;
    for (int i = *count; i-- > 0;) {
        listen_to(&running[i], events, ctx);
        if (running[i].from < 0)
            kill(-running[i].pid, SIGCONT); /* should the task have stopped its keeper */
        if (!has_ended(&running[i])) {
            kill_late(&running[i], seconds);
            continue;
        }
        int answer = finish(&running[i], events, ctx);
        rc = rc ? rc : answer;
        running[i] = running[--*count];
    }
    return rc;
}

/* The tasks' ends are nobody's business any more. */
static int abandon(child *running, int count)
{
    for (int i = 0; i < count; i++) {
        free(bury(&running[i]));
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
            rc = start(&running[alive], work, ctx, next);
            if (!rc) {
                alive++;
                events->begun(ctx, next++);
            }
        }
        if (stopped_by)
            return abandon(running, alive);
        int answer = alive ? attend(running, &alive, limits->seconds, events, ctx) : 0;
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
