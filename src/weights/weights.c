/* weights: see weights.h. */
#include "weights/weights.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "weights/gguf.h"
#include "base/json.h"
#include "weights/llama2c.h"
#include "weights/safetensors.h"
#include "weights/torch.h"

/* One file of arrays, of safetensors or of torch.save; the other pointer is NULL. */
typedef struct shard {
    char *path;
    pb_safetensors *safetensors;
    pb_torch *torch;
} shard;

struct pb_weights {
    char *path; /* as it was opened */
    pb_gguf *gguf;
    pb_llama2c *llama2c; /* one of these two, or shards */
    shard *shard;
    size_t shards, capacity;
    pb_interner path_of; /* of shard[0], shard[1] .. */
};

/* ---- opening ------------------------------------------------------------------------------------- */

/* Opens a file in the format that its first bytes show.  Takes ownership of `path`. */
static int add_shard(pb_weights *w, char *path)
{
    pb_grow(&w->shard, w->shards, &w->capacity, sizeof *w->shard);
    pb_interner_add(&w->path_of, path, strlen(path));
    shard *s = &w->shard[w->shards++];
    *s = (shard){.path = path};
    if (pb_torch_is_one(path))
        return (s->torch = pb_torch_open(path)) ? 0 : -1;
    return (s->safetensors = pb_safetensors_open(path)) ? 0 : -1;
}

static const pb_array *find_in(const shard *s, const char *name)
{
    return s->torch ? pb_torch_find(s->torch, name) : pb_safetensors_find(s->safetensors, name);
}

typedef struct index_reader {
    pb_weights *w;
    const char *folder, *path;
    pb_text missing;
} index_reader;

static const shard *find_shard(const pb_weights *w, const char *path)
{
    int i = pb_interner_find(&w->path_of, path, strlen(path));
    return i < 0 ? NULL : &w->shard[i];
}

/* One entry of weight_map: a tensor and the file it is in. */
static int read_entry(void *ctx, const char *tensor, const pb_json *value)
{
    index_reader *r = ctx;
    const char *file = pb_json_text(value, "");
    if (!*file || strchr(file, '/') || !strcmp(file, "..") || !strcmp(file, "."))
        return pb_error("%s: weight_map: '%s': want the name of a file in this folder, got '%s'", r->path, tensor,
                        file);
    char *path = pb_format("%s/%s", r->folder, file);
    const shard *f = find_shard(r->w, path);
    if (!f && !add_shard(r->w, path))
        f = &r->w->shard[r->w->shards - 1];
    else if (f)
        free(path);
    if (f && !find_in(f, tensor))
        pb_text_add(&r->missing, "%s'%s' in %s", r->missing.length ? ", " : "", tensor, file);
    return f ? 0 : -1;
}

static int open_shards(pb_weights *w, const char *folder, const char *path)
{
    pb_json_doc *doc = pb_json_read(path);
    if (!doc)
        return -1;
    index_reader r = {.w = w, .folder = folder, .path = path};
    const pb_json *map = pb_json_get(pb_json_root(doc), "weight_map");
    int rc = pb_json_size(map) && pb_json_is_object(map)
                 ? pb_json_each(map, read_entry, &r)
                 : pb_error("%s: weight_map: want an object of tensors and files", path);
    if (!rc && r.missing.length)
        rc = pb_error("%s: weight_map: no tensor %s", path, r.missing.data);
    pb_text_free(&r.missing);
    pb_json_free(doc);
    return rc;
}

/* Returns the path of the weights of a folder, or of the index of several files: the first in transformers' order that
 * exists, or the first of all if none does.  The caller frees it. */
static char *file_of_folder(const char *folder)
{
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                                        "pytorch_model.bin.index.json"};
    for (size_t i = 0; i < PB_COUNT(names); i++) {
        char *path = pb_format("%s/%s", folder, names[i]);
        if (pb_file_exists(path))
            return path;
        free(path);
    }
    return pb_format("%s/%s", folder, names[0]);
}

static int open_folder(pb_weights *w, const char *folder)
{
    char *path = file_of_folder(folder);
    const char *dot = strrchr(path, '.');
    if (strcmp(dot, ".json") != 0)
        return add_shard(w, path);
    int rc = open_shards(w, folder, path);
    free(path);
    return rc;
}

bool pb_weights_exist(const char *folder)
{
    char *path = file_of_folder(folder);
    bool there = pb_file_exists(path);
    free(path);
    return there;
}

static bool begins(const char *path, const char *with)
{
    char head[8] = "";
    FILE *f = pb_open_stream(path);
    size_t n = f ? fread(head, 1, strlen(with), f) : 0;
    if (f)
        fclose(f);
    return n == strlen(with) && !memcmp(head, with, n);
}

static int open_file(pb_weights *w, const char *path)
{
    size_t n = strlen(path);
    if (begins(path, "GGUF"))
        return (w->gguf = pb_gguf_open(path)) ? 0 : -1;
    if (n > 4 && !strcmp(path + n - 4, ".bin") && !pb_torch_is_one(path))
        return (w->llama2c = pb_llama2c_open(path)) ? 0 : -1;
    return add_shard(w, pb_strdup(path));
}

pb_weights *pb_weights_open(const char *path)
{
    struct stat s;
    pb_weights *w = pb_alloc(sizeof *w);
    w->path = pb_strdup(path);
    int rc = !stat(path, &s) && !S_ISDIR(s.st_mode) ? open_file(w, path) : open_folder(w, path);
    if (!rc)
        return w;
    pb_weights_close(w);
    return NULL;
}

void pb_weights_close(pb_weights *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->shards; i++) {
        pb_safetensors_close(w->shard[i].safetensors);
        pb_torch_close(w->shard[i].torch);
        free(w->shard[i].path);
    }
    pb_gguf_close(w->gguf);
    pb_llama2c_close(w->llama2c);
    pb_interner_free(&w->path_of);
    free(w->shard);
    free(w->path);
    free(w);
}

static size_t count_in(const shard *s)
{
    return s->torch ? pb_torch_count(s->torch) : pb_safetensors_count(s->safetensors);
}

/* ---- looking up ----------------------------------------------------------------------------------------- */

const pb_array *pb_weights_find(const pb_weights *w, const char *name)
{
    const pb_interner *names = w->gguf ? &w->gguf->name : w->llama2c ? &w->llama2c->name : NULL;
    int found = names ? pb_interner_find(names, name, strlen(name)) : -1;
    if (found >= 0)
        return w->gguf ? &w->gguf->array[found] : &w->llama2c->array[found];
    const pb_array *a = NULL;
    for (size_t i = 0; i < w->shards && !a; i++)
        a = find_in(&w->shard[i], name);
    return a;
}

size_t pb_weights_count(const pb_weights *w)
{
    size_t n = w->gguf ? w->gguf->count : w->llama2c ? w->llama2c->count : 0;
    for (size_t i = 0; i < w->shards; i++)
        n += count_in(&w->shard[i]);
    return n;
}

const pb_array *pb_weights_at(const pb_weights *w, size_t i)
{
    PB_CHECK(i < pb_weights_count(w));
    if (w->gguf || w->llama2c)
        return w->gguf ? &w->gguf->array[i] : &w->llama2c->array[i];
    const shard *s = w->shard;
    for (; i >= count_in(s); s++)
        i -= count_in(s);
    return s->torch ? pb_torch_at(s->torch, i) : pb_safetensors_at(s->safetensors, i);
}

const char *pb_weights_metadata(const pb_weights *w, const char *key)
{
    return w->shards && w->shard[0].safetensors ? pb_safetensors_metadata(w->shard[0].safetensors, key) : NULL;
}

const char *pb_weights_config(const pb_weights *w)
{
    return w->gguf ? w->gguf->config : w->llama2c ? w->llama2c->config : NULL;
}

const char *pb_weights_tokenizer(const pb_weights *w)
{
    return w->gguf ? w->gguf->tokenizer : w->llama2c ? w->llama2c->tokenizer : NULL;
}

const char *pb_weights_text(const pb_weights *w, const char *key)
{
    return w->gguf ? pb_gguf_text(w->gguf, key) : NULL;
}

int pb_weights_digest(const pb_weights *w, pb_digest *out)
{
    pb_text all = {0};
    int rc = w->shards ? 0 : pb_sha256_file(w->path, out);
    for (size_t i = 0; i < w->shards && !rc; i++) {
        rc = pb_sha256_file(w->shard[i].path, out);
        pb_text_add(&all, "%s\n", out->hex);
    }
    if (!rc && w->shards > 1)
        *out = pb_sha256(all.data, all.length);
    pb_text_free(&all);
    return rc;
}
