/* progress: see progress.h. */
#include "driver/progress.h"

#include <limits.h>
#include <math.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW 0.1 /* seconds */

pb_meter pb_meter_start(const char *what, int tasks, int jobs, bool quiet)
{
    return (pb_meter){.what = what,
                      .tasks = tasks,
                      .jobs = jobs,
                      .begun = pb_clock(),
                      .quiet = quiet,
                      .terminal = isatty(STDERR_FILENO)};
}

static void add_left(pb_text *line, const pb_meter *m, double done)
{
    if (done <= 0)
        return;
    double left = (pb_clock() - m->begun) * (m->tasks - done) / done;
    pb_text_add(line, ", %d:%02d left", (int)(left / 60), (int)fmod(left, 60));
}

/* A line that is longer than the terminal is wide would be redrawn below itself. */
static int columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || !size.ws_col ? INT_MAX : size.ws_col - 1;
}

void pb_meter_update(pb_meter *m, const char *label, double fraction, const char *detail)
{
    m->fraction = fraction;
    if (m->quiet || !m->terminal || pb_clock() - m->drawn < REDRAW)
        return;
    m->drawn = pb_clock();
    pb_text line = {0};
    pb_text_add(&line, "%s %d/%d %s %3.0f %% %s", m->what, m->done + 1, m->tasks, pb_visible(label), 100 * fraction,
                pb_visible(detail));
    add_left(&line, m, m->done + m->jobs * fraction < m->tasks ? m->done + m->jobs * fraction : m->done);
    fprintf(stderr, "\r\033[K%.*s", pb_characters(line.data, columns()), line.data);
    pb_text_free(&line);
}

void pb_meter_end(pb_meter *m, const char *label, const char *detail, double seconds)
{
    m->done++;
    m->fraction = 0;
    if (m->quiet)
        return;
    pb_text line = {0};
    pb_text_add(&line, "%s %d/%d %s: %s, %.1f s", m->what, m->done, m->tasks, pb_visible(label), pb_visible(detail),
                seconds);
    add_left(&line, m, m->done);
    fprintf(stderr, "%s%s\n", m->terminal ? "\r\033[K" : "", line.data);
    pb_text_free(&line);
}

void pb_meter_stop(pb_meter *m)
{
    if (m->terminal && !m->quiet)
        fputs("\r\033[K", stderr);
}
