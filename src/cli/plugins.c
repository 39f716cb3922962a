/* plugins: see plugins.h. */
#include "cli/plugins.h"

#include <string.h>

#include "model/plugin.h"

static bool is_experiment(const char *path)
{
    size_t n = strlen(path);
    return n > 4 && !strcmp(path + n - 4, ".ini");
}

int pb_plugins_each(const pb_args *a, pb_each_plugin *each, void *ctx)
{
    int rc = 0;
    for (int i = 0; i < a->plugins && !rc; i++)
        rc = is_experiment(a->plugin[i]) ? pb_experiment_plugins(a->plugin[i], each, ctx) : each(ctx, a->plugin[i]);
    return rc;
}

static int load(void *ctx, const char *path)
{
    (void)ctx;
    return pb_plugin_load(path) ? 0 : -1;
}

int pb_plugins_load(const pb_args *a)
{
    return pb_plugins_each(a, load, NULL);
}

bool pb_plugins_named(const pb_args *a, const char *path)
{
    for (int i = 0; i < a->plugins; i++)
        if (!strcmp(a->plugin[i], path))
            return true;
    return false;
}
