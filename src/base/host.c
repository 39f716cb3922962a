/* host: what /proc and sysconf say about this machine. */
#include "base/host.h"

#include <gnu/libc-version.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cores.h"

static void read_model(char *out, size_t room)
{
    snprintf(out, room, "unknown processor");
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (f && fgets(line, sizeof line, f)) {
        const char *colon = strchr(line, ':');
        if (colon && !strncmp(line, "model name", 10)) {
            snprintf(out, room, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
            break;
        }
    }
    if (f)
        fclose(f);
}

const char *pb_host_name(void)
{
    static char name[256];
    char model[128];
    double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / (1 << 30);
    read_model(model, sizeof model);
    snprintf(name, sizeof name, "%s, %d of %d cores, %.0f GiB", model, pb_cores_allowed(""), pb_cores_present(),
             memory);
    return name;
}

/* ---- the processor -------------------------------------------------------------------------------------- */

/* Appends the words of a line of /proc/cpuinfo that name instruction sets by which compilers and libraries select
 * code. */
static void add_instructions(pb_text *t, const char *words)
{
    static const char *const deciding[] = {"sse4", "avx", "fma", "f16c", "bmi", "amx", "asimd", "sve", "bf16", "i8mm"};
    for (const char *at = words; *at;) {
        size_t n = strcspn(at, " \t\n");
        for (size_t i = 0; i < PB_COUNT(deciding); i++)
            if (!strncmp(at, deciding[i], strlen(deciding[i]))) {
                pb_text_add(t, " %.*s", (int)n, at);
                break;
            }
        at += n;
        at += strspn(at, " \t\n");
    }
}

static void add_line(pb_text *t, const char *line)
{
    static const char *const wanted[] = {"model name", "cpu family", "model\t", "CPU implementer", "CPU part"};
    const char *colon = strchr(line, ':');
    if (!colon || !colon[1])
        return;
    if (!strncmp(line, "flags", 5) || !strncmp(line, "Features", 8))
        add_instructions(t, colon + 2);
    for (size_t i = 0; i < PB_COUNT(wanted); i++)
        if (!strncmp(line, wanted[i], strlen(wanted[i])))
            pb_text_add(t, "%s%.*s", t->length ? ", " : "", (int)strcspn(colon + 2, "\n"), colon + 2);
}

char *pb_host_processor(void)
{
    pb_text t = {0};
    FILE *f = fopen("/proc/cpuinfo", "r");
    char *line = NULL;
    size_t room = 0;
    while (f && getline(&line, &room, f) > 1) /* the first processor's lines end with an empty one */
        add_line(&t, line);
    free(line);
    if (f)
        fclose(f);
    pb_text_add(&t, ", libc %s", gnu_get_libc_version());
    return t.data;
}
