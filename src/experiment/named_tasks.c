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

static bool is_known(char *const *names, const char *name)
{
    for (; *names; names++)
        if (!strcmp(*names, name))
            return true;
    return false;
}

/* Appends the names of the tasks of a folder to a list that ends with NULL, but for those that it has. */
static char **add_names(char **names, const char *folder)
{
    struct dirent **file;
    size_t count = 0;
    int n = scandir(folder, &file, is_ini, alphasort);
    while (names[count])
        count++;
    names = pb_realloc(names, (count + (size_t)(n < 0 ? 0 : n) + 1) * sizeof *names);
    for (int i = 0; i < n; i++) {
        char *name = pb_format("%.*s", (int)strlen(file[i]->d_name) - 4, file[i]->d_name);
        if (is_known(names, name))
            free(name);
        else
            names[count++] = name;
        names[count] = NULL;
        free(file[i]);
    }
    if (n >= 0)
        free(file);
    return names;
}

char **pb_named_tasks(void)
{
    char *installed = pb_installed("tasks"), **names = add_names(pb_alloc(sizeof *names), "tasks");
    names = installed ? add_names(names, installed) : names;
    free(installed);
    return names;
}

void pb_named_tasks_free(char **names)
{
    for (size_t i = 0; names[i]; i++)
        free(names[i]);
    free(names);
}
