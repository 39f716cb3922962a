/* named_tasks: see named_tasks.h. */
#include "experiment/named_tasks.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

static int is_ini(const struct dirent *d)
{
    size_t n = strlen(d->d_name);
    return n > 4 && !strcmp(d->d_name + n - 4, ".ini");
}

char **pb_named_tasks(void)
{
    struct dirent **file;
    int n = scandir("tasks", &file, is_ini, alphasort);
    char **names = pb_alloc((size_t)(n < 0 ? 1 : n + 1) * sizeof *names);
    for (int i = 0; i < n; i++) {
        names[i] = pb_format("%.*s", (int)strlen(file[i]->d_name) - 4, file[i]->d_name);
        free(file[i]);
    }
    if (n >= 0)
        free(file);
    return names;
}

void pb_named_tasks_free(char **names)
{
    for (size_t i = 0; names[i]; i++)
        free(names[i]);
    free(names);
}
