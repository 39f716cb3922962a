/* installed: files that `make install` has put beside the program. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

char *pb_installed(const char *path)
{
    char program[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    for (int part = 0; part < 2 && n > 0; part++) { /* cuts off /NAME, then /bin */
        program[n] = 0;
        char *slash = strrchr(program, '/');
        if (!slash || (part && strcmp(slash, "/bin") != 0))
            return NULL;
        n = slash - program;
    }
    return n >= 0 ? pb_format("%.*s/share/peftbench/%s", (int)n, program, path) : NULL;
}

char *pb_find_installed(const char *path)
{
    char *installed = *path && *path != '/' && !pb_file_exists(path) ? pb_installed(path) : NULL;
    if (installed && pb_file_exists(installed))
        return installed;
    free(installed);
    return pb_strdup(path);
}
