/* cmd_list: lists methods, kinds of tasks and named tasks. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"

static int is_ini(const struct dirent *d)
{
    size_t n = strlen(d->d_name);
    return n > 4 && !strcmp(d->d_name + n - 4, ".ini");
}

static void list_named_tasks(void)
{
    struct dirent **file;
    int n = scandir("tasks", &file, is_ini, alphasort);
    for (int i = 0; i < n; i++) {
        printf("  %.*s\n", (int)strlen(file[i]->d_name) - 4, file[i]->d_name);
        free(file[i]);
    }
    if (n >= 0)
        free(file);
}

static int list(const pb_args *a)
{
    const pb_method *m;
    if (a->json) {
        for (int i = 0; (m = pb_method_at(i)); i++)
            printf("{\"method\":\"%s\",\"class\":\"%s\",\"title\":\"%s\",\"paper\":\"%s\"}\n", m->name,
                   pb_category_name[m->category], m->title, m->paper);
        return PB_EXIT_DONE;
    }
    printf("methods (a+b composes two; `peftbench show NAME` prints the settings):\n");
    for (int i = 0; (m = pb_method_at(i)); i++)
        printf("  %-12s %-18s %s\n", m->name, pb_category_name[m->category], m->title);
    printf("kinds of tasks:\n");
    for (const pb_task *const *t = pb_tasks; *t; t++)
        printf("  %-12s %s\n", (*t)->name, (*t)->help);
    printf("named tasks:\n");
    list_named_tasks();
    return PB_EXIT_DONE;
}

const pb_command pb_cmd_list = {
    .name = "list",
    .words = "",
    .options = "json",
    .help = "list methods, kinds of tasks and named tasks\n",
    .run = list,
};
