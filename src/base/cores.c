/* cores: see cores.h. */
#include "base/cores.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the affinity mask ------------------------------------------------------------------ */

int pb_cores_present(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : (int)n;
}

/* The kernel refuses a mask smaller than its own, whose size is not known, so larger ones are tried. */
static int cores_in_mask(void)
{
    for (size_t room = 1024; room <= 1 << 20; room *= 2) {
        cpu_set_t *set = CPU_ALLOC(room);
        int n = set && !sched_getaffinity(0, CPU_ALLOC_SIZE(room), set) ? CPU_COUNT_S(CPU_ALLOC_SIZE(room), set) : 0;
        CPU_FREE(set);
        if (n > 0)
            return n;
    }
    return pb_cores_present();
}

/* ---- control groups ---------------------------------------------------------------------- */

/* Returns the contents of a small file, or an empty text if it cannot be read.  The caller frees it. */
static char *read_small(const char *path)
{
    FILE *f = fopen(path, "r");
    pb_text t = {0};
    char block[4096];
    size_t n;
    while (f && t.length < 1 << 20 && (n = fread(block, 1, sizeof block, f)) > 0)
        pb_text_bytes(&t, block, n);
    if (f)
        fclose(f);
    return t.data ? t.data : pb_strdup("");
}

static long long number_in(const char *folder, const char *file)
{
    char *path = pb_format("%s/%s", folder, file), *text = read_small(path);
    long long n = atoll(text);
    free(path);
    free(text);
    return n;
}

/* Returns the quota of one group in cores, or 0 if it has none.  Version 2 writes "QUOTA PERIOD" or "max PERIOD" in
 * one file, version 1 two files, with -1 for no quota. */
static double quota_of(const char *folder)
{
    char *path = pb_format("%s/cpu.max", folder), *text = read_small(path);
    long long quota = 0, period = 0;
    if (sscanf(text, "%lld %lld", &quota, &period) != 2) {
        quota = number_in(folder, "cpu.cfs_quota_us");
        period = number_in(folder, "cpu.cfs_period_us");
    }
    free(path);
    free(text);
    return quota > 0 && period > 0 ? (double)quota / (double)period : 0;
}

/* Returns the smallest quota of the group `path` below `mount` and of all its ancestors, which all apply.  A container
 * often sees its own group as the root; the path, which is the host's, then does not exist, and only the root is read.
 */
static double smallest_quota(const char *mount, const char *path, double least)
{
    char *folder = pb_format("%s%s", mount, path);
    size_t root = strlen(mount);
    for (size_t end = strlen(folder); end >= root; end--) {
        if (end > root && folder[end] != '/' && folder[end] != 0)
            continue;
        folder[end] = 0;
        double quota = quota_of(folder);
        least = quota > 0 && quota < least ? quota : least;
    }
    free(folder);
    return least;
}

/* Returns whether the comma-separated list `names` contains the controller cpu. */
static bool has_cpu(const char *names)
{
    for (; *names; names += names[strcspn(names, ",")] ? strcspn(names, ",") + 1 : strcspn(names, ","))
        if (strcspn(names, ",") == 3 && !strncmp(names, "cpu", 3))
            return true;
    return false;
}

/* One line of /proc/self/cgroup: "0::/PATH" of version 2, "4:cpu,cpuacct:/PATH" of version 1. */
static double quota_of_line(const char *root, const char *line, double least)
{
    const char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
    if (!path)
        return least;
    char *list = pb_format("%.*s", (int)(path - names - 1), names + 1);
    const char *controller[] = {*list ? list : "", *list ? "cpu" : "unified"};
    for (size_t i = 0; i < PB_COUNT(controller) && (!*list || has_cpu(list)); i++) {
        char *mount = pb_format("%s/sys/fs/cgroup%s%s", root, *controller[i] ? "/" : "", controller[i]);
        least = smallest_quota(mount, strcmp(path + 1, "/") ? path + 1 : "", least);
        free(mount);
    }
    free(list);
    return least;
}

int pb_cores_allowed(const char *root)
{
    int cores = cores_in_mask();
    double least = cores;
    char *path = pb_format("%s/proc/self/cgroup", root), *text = read_small(path), *rest = text, *line;
    while ((line = strsep(&rest, "\n")))
        least = quota_of_line(root, line, least);
    free(path);
    free(text);
    return least < 1 ? 1 : (int)least;
}
