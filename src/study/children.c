/* children: see children.h. */
#include "study/children.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ERROR_MARK '\1' /* begins the line that is the error */

typedef struct child {
    pid_t pid;
    int number;
    FILE *from;
    char *error;
    double begun;
} child;

static _Noreturn void be_child(pb_child_work *work, void *ctx, int number, int fd, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1); /* the parent died before it could be watched */
    FILE *to_parent = fdopen(fd, "w");
    if (!to_parent)
        _exit(1);
    setvbuf(to_parent, NULL, _IOLBF, 0);
    int rc = work(ctx, number, to_parent);
    if (rc)
        fprintf(to_parent, "%c%s\n", ERROR_MARK, *pb_error_text() ? pb_error_text() : "failed without a message");
    fclose(to_parent);
    _exit(rc ? 1 : 0);
}

static int start(child *c, pb_child_work *work, void *ctx, int number)
{
    int ends[2];
    pid_t parent = getpid();
    fflush(NULL);
    if (pipe(ends))
        return pb_error("cannot make a pipe: %s", strerror(errno));
    *c = (child){.number = number, .begun = pb_clock(), .pid = fork()};
    if (c->pid < 0) {
        close(ends[0]);
        close(ends[1]);
        return pb_error("cannot make a process: %s", strerror(errno));
    }
    if (c->pid == 0) {
        close(ends[0]);
        be_child(work, ctx, number, ends[1], parent);
    }
    close(ends[1]);
    c->from = fdopen(ends[0], "r");
    PB_CHECK(c->from);
    setvbuf(c->from, NULL, _IONBF, 0); /* poll() must see what was not read yet */
    return 0;
}

/* How a process ended that said nothing itself. */
static char *describe(int status)
{
    if (WIFSIGNALED(status))
        return pb_format("killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    return WEXITSTATUS(status) ? pb_format("exit status %d", WEXITSTATUS(status)) : NULL;
}

static int finish(child *c, const pb_child_events *events, void *ctx)
{
    int status;
    fclose(c->from);
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    char *how = describe(status);
    int rc = events->ended(ctx, c->number, c->error ? c->error : how, pb_clock() - c->begun);
    free(how);
    free(c->error);
    return rc;
}

/* One line of a child; false at its end. */
static bool listen_to(child *c, const pb_child_events *events, void *ctx)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t n = getline(&line, &capacity, c->from);
    if (n > 0 && line[n - 1] == '\n')
        line[n - 1] = 0;
    if (n > 0 && line[0] == ERROR_MARK && !c->error)
        c->error = pb_strdup(line + 1);
    else if (n > 0)
        events->told(ctx, c->number, line);
    free(line);
    return n > 0;
}

/* Waits until some child says something or ends; ended ones are taken out.  Lines are short and
 * written whole, so reading one does not block for long. */
static int attend(child *running, int *count, const pb_child_events *events, void *ctx)
{
    struct pollfd watched[256] = {{0}};
    for (int i = 0; i < *count; i++)
        watched[i] = (struct pollfd){.fd = fileno(running[i].from), .events = POLLIN};
    if (poll(watched, (unsigned)*count, -1) < 0)
        return 0; /* a signal; ask again */
    int rc = 0;
    for (int i = *count; i-- > 0;) {
        if (!watched[i].revents || listen_to(&running[i], events, ctx))
            continue;
        int answer = finish(&running[i], events, ctx);
        rc = rc ? rc : answer;
        running[i] = running[--*count];
    }
    return rc;
}

int pb_children_run(int count, int jobs, pb_child_work *work, const pb_child_events *events, void *ctx)
{
    child running[256] = {{0}};
    int alive = 0, next = 0, rc = 0;
    jobs = jobs < 1 ? 1 : jobs > 256 ? 256 : jobs;
    while (alive > 0 || (next < count && !rc)) {
        while (!rc && alive < jobs && next < count) {
            rc = start(&running[alive], work, ctx, next);
            if (!rc) {
                alive++;
                events->begun(ctx, next++);
            }
        }
        int answer = alive ? attend(running, &alive, events, ctx) : 0;
        rc = rc ? rc : answer;
    }
    return rc;
}
