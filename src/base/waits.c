/* waits: see waits.h. */
#include "base/waits.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>

/* /proc/self/task/N/schedstat: nanoseconds on a processor, nanoseconds in a queue for one, and how often. */
static void add_thread(const char *thread, pb_waits *w)
{
    char path[64];
    double ran, waited;
    snprintf(path, sizeof path, "/proc/self/task/%.20s/schedstat", thread);
    FILE *f = fopen(path, "r");
    if (!f)
        return;
    if (fscanf(f, "%lf %lf", &ran, &waited) == 2) {
        w->ran += ran * 1e-9;
        w->waited += waited * 1e-9;
    }
    fclose(f);
}

/* The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal, in ticks of which only the ratio
 * counts. */
static void add_machine(pb_waits *w)
{
    double tick[8] = {0};
    FILE *f = fopen("/proc/stat", "r");
    if (!f)
        return;
    if (fscanf(f, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &tick[0], &tick[1], &tick[2], &tick[3], &tick[4], &tick[5],
               &tick[6], &tick[7]) == 8) {
        for (int i = 0; i < 8; i++)
            w->total += tick[i];
        w->stolen = tick[7];
    }
    fclose(f);
}

pb_waits pb_waits_now(void)
{
    pb_waits w = {0};
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *d; tasks && (d = readdir(tasks));)
        if (d->d_name[0] != '.')
            add_thread(d->d_name, &w);
    if (tasks)
        closedir(tasks);
    add_machine(&w);
    return w;
}

double pb_waits_since(const pb_waits *from)
{
    pb_waits now = pb_waits_now();
    double ran = now.ran - from->ran, waited = now.waited - from->waited;
    double total = now.total - from->total, stolen = total > 0 ? (now.stolen - from->stolen) / total : 0;
    if (!(ran + waited > 0))
        return NAN;
    return 1 - ran / (ran + waited) * (1 - fmin(fmax(stolen, 0), 1));
}
