/* torch: see torch.h. */
#include "weights/torch.h"

#include <stdlib.h>
#include <string.h>

#include "weights/torch_internal.h"

struct pb_torch {
    char *path;
    pb_zip zip;
    pb_arena *arena; /* names, and tensors that were copied */
    pb_array *array; /* sorted by name                      */
    size_t count;
};

/* ---- the file ----------------------------------------------------------------------------------------------- */

static int by_name(const void *x, const void *y)
{
    return strcmp(((const pb_array *)x)->name, ((const pb_array *)y)->name);
}

static int keep_tensors(pb_torch *f, const pb_pickled_value *dict)
{
    if (dict->kind != PB_PICKLED_DICT)
        return pb_error("%s: want a dictionary of tensors (a state dict), got another object", f->path);
    f->array = pb_alloc((dict->count / 2 + 1) * sizeof *f->array);
    for (size_t i = 0; i + 1 < dict->count; i += 2) {
        const pb_pickled_value *key = dict->item[i], *tensor = dict->item[i + 1];
        if (key->kind != PB_PICKLED_TEXT || (size_t)key->n != strlen(key->text))
            return pb_error("%s: want strings as the keys of the dictionary", f->path);
        if (tensor->kind != PB_PICKLED_TENSOR)
            return pb_error("%s: '%s': want a tensor, got %s: save the state dict alone", f->path, key->text,
                            tensor->kind == PB_PICKLED_DICT ? "a dictionary" : "another value");
        f->array[f->count] = tensor->array;
        f->array[f->count++].name = key->text;
    }
    qsort(f->array, f->count, sizeof *f->array, by_name);
    for (size_t i = 1; i < f->count; i++)
        if (!by_name(&f->array[i - 1], &f->array[i]))
            return pb_error("%s: '%s': two tensors have this name", f->path, f->array[i].name);
    return 0;
}

/* Returns the entry data.pkl, which is in the only folder of the archive, or NULL with an error. */
static const pb_zip_entry *find_pickle(const pb_torch *f)
{
    static const char name[] = "/data.pkl";
    for (size_t i = 0; i < f->zip.count; i++) {
        const char *at = strchr(f->zip.entry[i].name, '/');
        if (at && !strcmp(at, name))
            return &f->zip.entry[i];
    }
    pb_error("%s: no data.pkl in the zip archive: want a file that torch.save wrote", f->path);
    return NULL;
}

static int check_byte_order(const pb_torch *f, const char *root)
{
    static const char want[] = "little";
    const pb_zip_entry *e = pb_zip_find(&f->zip, pb_arena_format(f->arena, "%sbyteorder", root));
    return !e || (e->size == strlen(want) && !memcmp(e->data, want, e->size))
               ? 0
               : pb_error("%s: byteorder: want little, got %.*s", f->path, (int)(e->size < 16 ? e->size : 16),
                          (const char *)e->data);
}

static int read_torch(pb_torch *f)
{
    const pb_zip_entry *pickle = find_pickle(f);
    if (!pickle)
        return -1;
    char *root = pb_arena_format(f->arena, "%.*s", (int)(strchr(pickle->name, '/') + 1 - pickle->name), pickle->name);
    pb_unpickler u = {.path = f->path,
                      .zip = &f->zip,
                      .root = root,
                      .arena = f->arena,
                      .at = pickle->data,
                      .end = pickle->data + pickle->size};
    const pb_pickled_value *dict = check_byte_order(f, root) ? NULL : pb_unpickle(&u);
    return dict ? keep_tensors(f, dict) : -1;
}

/* ---- recognizing ---------------------------------------------------------------------------------------------- */

/* The first bytes of a zip archive, and the pickled magic number of files before torch 1.6. */
static const unsigned char zip_mark[] = {'P', 'K', 3, 4};
static const unsigned char old_mark[] = {0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};

static bool begins(const char *path, const unsigned char *mark, size_t n)
{
    unsigned char head[sizeof old_mark];
    FILE *f = pb_file_exists(path) ? pb_open_stream(path) : NULL;
    bool same = f && fread(head, 1, n, f) == n && !memcmp(head, mark, n);
    if (f)
        fclose(f);
    return same;
}

static bool is_old(const char *path)
{
    return begins(path, old_mark, sizeof old_mark);
}

bool pb_torch_is_one(const char *path)
{
    return begins(path, zip_mark, sizeof zip_mark) || is_old(path);
}

static int refuse_old(const char *path)
{
    return pb_error("%s: the format of torch.save before torch 1.6 is not read; convert it: python -c \"import torch; "
                    "torch.save(torch.load('%s', weights_only=True), '%s')\"",
                    path, path, path);
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

pb_torch *pb_torch_open(const char *path)
{
    pb_torch *f = pb_alloc(sizeof *f);
    f->path = pb_strdup(path);
    f->arena = pb_arena_new("torch");
    if ((is_old(path) ? refuse_old(path) : pb_zip_open(&f->zip, path)) || read_torch(f)) {
        pb_torch_close(f);
        return NULL;
    }
    return f;
}

void pb_torch_close(pb_torch *f)
{
    if (!f)
        return;
    pb_zip_close(&f->zip);
    pb_arena_free(f->arena);
    free(f->array);
    free(f->path);
    free(f);
}

size_t pb_torch_count(const pb_torch *f)
{
    return f->count;
}

const pb_array *pb_torch_at(const pb_torch *f, size_t i)
{
    PB_CHECK(i < f->count);
    return &f->array[i];
}

const pb_array *pb_torch_find(const pb_torch *f, const char *name)
{
    const pb_array key = {.name = name};
    return bsearch(&key, f->array, f->count, sizeof key, by_name);
}
