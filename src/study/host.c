/* host: what /proc and sysconf say about this machine. */
#include "study/host.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/threads.h"

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
