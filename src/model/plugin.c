/* plugin: see plugin.h. */
#include "model/plugin.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "model/method_list.h"
#include "model/preset.h"

/* Plugins are never unloaded, since experiments and models point into them. */
static struct loaded {
    const pb_method *method;
    char *path;
    pb_digest digest;
} loaded[PB_MAX_PLUGINS];
static int loadeds;

static const struct loaded *of_method(const pb_method *m)
{
    for (int i = 0; i < loadeds; i++)
        if (loaded[i].method == m)
            return &loaded[i];
    return NULL;
}

const pb_digest *pb_plugin_digest(const pb_method *m)
{
    const struct loaded *l = of_method(m);
    return l ? &l->digest : NULL;
}

const char *pb_method_digest(const pb_method *m)
{
    const struct loaded *l = of_method(m);
    if (l)
        return l->digest.hex;
    for (int i = 0; pb_methods[i]; i++)
        if (pb_methods[i] == m)
            return pb_method_digests[i];
    PB_BUG("the method '%s' is not in the list of methods", m->name);
}

const char *pb_plugin_path(const pb_method *m)
{
    const struct loaded *l = of_method(m);
    return l ? l->path : NULL;
}

static int check_plugin(const char *path, const pb_plugin *p)
{
    static const pb_abi here = PB_ABI_HERE;
    if (memcmp(&p->abi, &here, sizeof here) != 0)
        return pb_error("%s: compiled against another version of the contract%s; want it recompiled with this "
                        "program's headers",
                        path, p->abi.number == here.number ? ", with other structs" : "");
    const pb_method *m = p->method;
    if (!pb_is_method_name(m->name) || !m->title || !m->paper || !m->help)
        return pb_error("%s: want a method with a name of a-z, 0-9 and '-', a title, a paper and a help text", path);
    const pb_option *samples = m->settings.options ? pb_option_find(m->settings.options, "samples") : NULL;
    if (m->hooks.asks && (!samples || samples->type != PB_INT))
        return pb_error("%s: the method asks for statistics; want an integer setting `samples`", path);
    if (m->tensors && (!pb_is_method_name(m->tensors) || pb_method_find(m->tensors)))
        return pb_error("%s: tensors: want a name of a-z, 0-9 and '-' that no method has, got '%s'", path, m->tensors);
    if (pb_method_find(m->name))
        return pb_error("%s: there is a method '%s' already; want another name", path, m->name);
    if (pb_preset_find(m->name, &(const pb_method *){NULL}))
        return pb_error("%s: there is a preset '%s' already; want another name", path, m->name);
    return pb_presets_check(m) ? pb_error_prefix("%s", path) : 0;
}

static const pb_plugin *open_plugin(const char *path)
{
    char *file = strchr(path, '/') ? pb_strdup(path) : pb_format("./%s", path); /* else dlopen searches elsewhere */
    void *object = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    const pb_plugin *p = object ? dlsym(object, "pb_plugin_here") : NULL;
    if (!object)
        pb_error("%s: cannot be loaded: %s; want a shared object compiled for this program", path, dlerror());
    else if (!p)
        pb_error("%s: not a plugin; want PB_PLUGIN(method) at the end of its source", path);
    free(file);
    return p;
}

const pb_method *pb_plugin_load(const char *path)
{
    pb_digest digest;
    if (pb_sha256_file(path, &digest))
        return NULL;
    for (int i = 0; i < loadeds; i++)
        if (!strcmp(loaded[i].digest.hex, digest.hex))
            return loaded[i].method;
    if (loadeds == (int)PB_COUNT(loaded)) {
        pb_error("%s: more than %zu plugins", path, PB_COUNT(loaded));
        return NULL;
    }
    const pb_plugin *p = open_plugin(path);
    if (!p || check_plugin(path, p))
        return NULL;
    loaded[loadeds++] = (struct loaded){p->method, pb_strdup(path), digest};
    pb_method_list_add(p->method);
    return p->method;
}
