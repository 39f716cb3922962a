/* generation: see generation.h. */
#include "model/generation.h"

#include <stdlib.h>
#include <string.h>

#include "model/internal.h"
#include "model/model_fields.h"

/* Reads the file; *doc is NULL if there is none.  The caller frees *doc and *path.  Returns -1 with an error. */
static int open_file(const pb_model *m, char **path, pb_json_doc **doc)
{
    *path = pb_format("%s/generation_config.json", m->dir);
    *doc = pb_file_exists(*path) ? pb_json_read(*path) : NULL;
    if (*doc && !pb_json_is_object(pb_json_root(*doc)))
        return pb_error("%s: want a JSON object", *path);
    return *doc || !pb_file_exists(*path) ? 0 : -1;
}

int pb_generation_ends(const pb_model *m, int end[16])
{
    char *path;
    pb_json_doc *doc;
    pb_network_config of_file;
    if (m->head != PB_HEAD_CAUSAL) {
        memcpy(end, m->config.end, sizeof m->config.end);
        return 0;
    }
    int rc = open_file(m, &path, &doc);
    if (!rc && doc)
        rc = pb_family_ends(path, pb_json_root(doc), &of_file);
    if (!rc)
        memcpy(end, doc ? of_file.end : m->config.end, sizeof of_file.end);
    pb_json_free(doc);
    free(path);
    return rc;
}

/* Sets an option from a field that has another name. */
static int set_from_field(const char *path, const pb_json *root, const char *key, const char *option, pb_decoding *how)
{
    const pb_json *v = pb_json_get(root, key);
    if (!v || pb_json_is_null(v))
        return 0;
    char *value = pb_json_plain(v);
    int rc = pb_option_set(pb_decode_table, how, option, value);
    free(value);
    return rc ? pb_error_prefix("%s: %s", path, key) : 0;
}

/* Sets the strategy and the options of sampling. */
static int set_strategy(const char *path, const pb_json *root, pb_decoding *how)
{
    bool draw = pb_json_bool(pb_json_get(root, "do_sample"), false);
    long long beams = pb_json_integer(pb_json_get(root, "num_beams"), 1);
    if (draw && beams != 1)
        return pb_error("%s: num_beams: want 1 with do_sample, got %lld", path, beams);
    if (beams != 1) {
        how->strategy = PB_BEAM;
        return set_from_field(path, root, "num_beams", "beams", how);
    }
    if (!draw)
        return 0;
    how->strategy = PB_SAMPLE;
    how->top_k = 50;
    return set_from_field(path, root, "temperature", "temperature", how) ||
                   set_from_field(path, root, "top_k", "top_k", how) ||
                   set_from_field(path, root, "top_p", "top_p", how)
               ? -1
               : 0;
}

int pb_generation_settings(const pb_model *m, pb_decoding *how)
{
    static const char *const fields[][2] = {{"max_new_tokens", "max_new"},
                                            {"repetition_penalty", "repetition_penalty"},
                                            {"length_penalty", "length_penalty"},
                                            {"no_repeat_ngram_size", "no_repeat"}};
    char *path;
    pb_json_doc *doc;
    int rc = open_file(m, &path, &doc);
    const pb_json *root = doc ? pb_json_root(doc) : NULL;
    if (!rc && doc)
        rc = pb_generation_config_check(path, root) || set_strategy(path, root, how) ? -1 : 0;
    for (size_t i = 0; i < PB_COUNT(fields) && !rc && doc; i++)
        rc = set_from_field(path, root, fields[i][0], fields[i][1], how);
    pb_json_free(doc);
    free(path);
    return rc;
}
