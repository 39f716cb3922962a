/* provenance: see provenance.h. */
#include "cli/provenance.h"

#include <string.h>

#include "cli/plugins.h"
#include "model/model.h"
#include "model/plugin.h"

#define PLUGIN "plugin." /* followed by the name of the method; the value is the SHA-256 of its file */

/* ---- plugins ---------------------------------------------------------------------------------------------- */

static bool is_plugin(const char *key)
{
    return !strncmp(key, PLUGIN, strlen(PLUGIN));
}

/* A run whose plugins are to be loaded. */
typedef struct request {
    const pb_provenance *provenance;
    long long run;
    const pb_args *args;
} request;

/* Loads a plugin if the run was made with a plugin of this digest.  Another one is refused if the command line names it
 * and left out if an experiment does, which may have more plugins than the run used. */
static int load_plugin(void *ctx, const char *path)
{
    const request *w = ctx;
    const pb_provenance *p = w->provenance;
    pb_digest digest;
    if (pb_sha256_file(path, &digest))
        return -1;
    for (size_t i = 0; i < p->count; i++)
        if (is_plugin(p->entry[i].key) && !strcmp(p->entry[i].value, digest.hex))
            return pb_plugin_load(path) ? 0 : -1;
    if (!pb_plugins_named(w->args, path))
        return 0;
    return pb_error("%s: the plugin was not loaded: its SHA-256 is %s, and run %lld was not made with it", path,
                    digest.hex, w->run);
}

int pb_provenance_load_plugins(const pb_provenance *p, long long run, const pb_args *a)
{
    if (pb_plugins_each(a, load_plugin, &(request){p, run, a}))
        return -1;
    for (size_t i = 0; i < p->count; i++) {
        const char *name = p->entry[i].key + strlen(PLUGIN), *wanted = p->entry[i].value;
        if (!is_plugin(p->entry[i].key))
            continue;
        const pb_method *m = pb_method_find(name);
        const pb_digest *has = m ? pb_plugin_digest(m) : NULL;
        if (!has || strcmp(has->hex, wanted) != 0)
            return pb_error("run %lld was made with the method '%s' of the plugin '%s'; if you trust that plugin, want "
                            "--plugin FILE.so with the file of SHA-256 %s; its code will be executed",
                            run, name, pb_provenance_get(p, "plugins"), wanted);
    }
    return 0;
}

/* ---- files ------------------------------------------------------------------------------------------------ */

/* The files of a model, by the keys of their digests. */
static const struct {
    const char *key, *what;
    pb_digest (*digest)(const pb_model *m);
} model_files[] = {{"model", "", pb_model_digest},
                   {"config", " of what is read of config.json and generation_config.json", pb_model_config_digest},
                   {"tokenizer", " of tokenizer.json", pb_model_tokenizer_digest}};

int pb_provenance_check_model(const pb_provenance *p, long long run, const pb_model *m)
{
    for (size_t i = 0; i < PB_COUNT(model_files); i++) {
        const char *wanted = pb_provenance_get(p, model_files[i].key);
        pb_digest is = model_files[i].digest(m);
        if (*wanted && strcmp(wanted, is.hex) != 0)
            return pb_error("%s: the SHA-256%s is %s, but run %lld was trained on a model with %s; want that model, "
                            "with --model PATH",
                            pb_model_dir(m), model_files[i].what, *is.hex ? is.hex : "not there", run, wanted);
    }
    return 0;
}
