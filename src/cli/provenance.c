/* provenance: see provenance.h. */
#include "cli/provenance.h"

#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "model/plugin.h"

#define PLUGIN "plugin." /* followed by the name of the method; the value is the SHA-256 of its file */

/* ---- entries --------------------------------------------------------------------------------------------- */

static int add_entry(void *ctx, const char *key, const char *value)
{
    pb_provenance *f = ctx;
    pb_grow(&f->entry, f->count, &f->capacity, sizeof *f->entry);
    f->entry[f->count][0] = pb_strdup(key);
    f->entry[f->count++][1] = pb_strdup(value);
    return 0;
}

int pb_provenance_read(pb_store *s, long long run, pb_provenance *out)
{
    *out = (pb_provenance){.count = 0};
    return pb_store_provenance(s, run, add_entry, out);
}

void pb_provenance_free(pb_provenance *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free(f->entry[i][0]);
        free(f->entry[i][1]);
    }
    free(f->entry);
    *f = (pb_provenance){.count = 0};
}

const char *pb_provenance_get(const pb_provenance *f, const char *key)
{
    for (size_t i = 0; i < f->count; i++)
        if (!strcmp(f->entry[i][0], key))
            return f->entry[i][1];
    return "";
}

/* ---- plugins ---------------------------------------------------------------------------------------------- */

static bool is_plugin(const char *key)
{
    return !strncmp(key, PLUGIN, strlen(PLUGIN));
}

/* Loads a plugin that the user names if the run was made with a plugin of this digest.  Returns -1 with an error. */
static int load_plugin(const pb_provenance *f, long long run, const char *path)
{
    pb_digest digest;
    if (pb_sha256_file(path, &digest))
        return -1;
    for (size_t i = 0; i < f->count; i++)
        if (is_plugin(f->entry[i][0]) && !strcmp(f->entry[i][1], digest.hex))
            return pb_plugin_load(path) ? 0 : -1;
    return pb_error("%s: the plugin was not loaded: its SHA-256 is %s, and run %lld was not made with it", path,
                    digest.hex, run);
}

int pb_provenance_load_plugins(const pb_provenance *f, long long run, const pb_args *a)
{
    for (int i = 0; i < a->plugins; i++)
        if (load_plugin(f, run, a->plugin[i]))
            return -1;
    for (size_t i = 0; i < f->count; i++) {
        const char *name = f->entry[i][0] + strlen(PLUGIN), *wanted = f->entry[i][1];
        if (!is_plugin(f->entry[i][0]))
            continue;
        const pb_method *m = pb_method_find(name);
        const pb_digest *has = m ? pb_plugin_digest(m) : NULL;
        if (!has || strcmp(has->hex, wanted) != 0)
            return pb_error("run %lld was made with the method '%s' of the plugin '%s'; if you trust that plugin, want "
                            "--plugin FILE.so with the file of SHA-256 %s; its code will be executed",
                            run, name, pb_provenance_get(f, "plugins"), wanted);
    }
    return 0;
}

/* ---- files ------------------------------------------------------------------------------------------------ */

int pb_provenance_check_model(const pb_provenance *f, long long run, const pb_model *m)
{
    const char *wanted = pb_provenance_get(f, "model");
    pb_digest is = pb_model_digest(m);
    if (!*wanted || !strcmp(wanted, is.hex))
        return 0;
    return pb_error(
        "%s: the SHA-256 is %s, but run %lld was trained on a model with %s; want that model, with --model PATH",
        pb_model_dir(m), is.hex, run, wanted);
}
