/* torch_tensor: the storages and tensors that a pickle of torch.save constructs. */
#include <string.h>

#include "weights/torch_internal.h"

pb_pickled_value *pb_pickled_new(pb_unpickler *u, pb_pickled_kind kind)
{
    pb_pickled_value *v = pb_arena_alloc(u->arena, PB_META, sizeof *v);
    v->kind = kind;
    return v;
}

static const pb_pickled_value *item(const pb_pickled_value *tuple, size_t i, pb_pickled_kind kind)
{
    const pb_pickled_value *v = i < tuple->count ? tuple->item[i] : NULL;
    return v && v->kind == kind ? v : NULL;
}

/* `id` is ('storage', type, name of the entry, device, number of elements). */
pb_pickled_value *pb_torch_storage(pb_unpickler *u, const pb_pickled_value *id)
{
    const pb_pickled_value *word, *type, *key, *count;
    if (id->kind != PB_PICKLED_TUPLE || id->count != 5 || !(word = item(id, 0, PB_PICKLED_TEXT)) ||
        strcmp(word->text, "storage") != 0 || !(type = item(id, 1, PB_PICKLED_GLOBAL)) ||
        type->global->kind != PB_PICKLE_GLOBAL_TYPE || !(key = item(id, 2, PB_PICKLED_TEXT)) ||
        !(count = item(id, 4, PB_PICKLED_INTEGER))) {
        pb_error("%s: data.pkl: a persistent reference to something other than a storage is refused", u->path);
        return NULL;
    }
    const char *name = pb_arena_format(u->arena, "%sdata/%s", u->root, key->text);
    const pb_zip_entry *data = pb_zip_find(u->zip, name);
    size_t bytes = 0;
    if (!data || count->n < 0 || __builtin_mul_overflow((size_t)count->n, type->global->width, &bytes) ||
        bytes != data->size) {
        pb_error("%s: '%s': want %lld elements of %zu bytes, got %s: the file is damaged", u->path, name, count->n,
                 type->global->width,
                 data ? pb_arena_format(u->arena, "an entry of %zu bytes", data->size) : "no such entry");
        return NULL;
    }
    pb_pickled_value *v = pb_pickled_new(u, PB_PICKLED_STORAGE);
    v->global = type->global;
    v->data = data;
    return v;
}

/* The layout of a tensor in its storage, in elements. */
typedef struct layout {
    long long offset, stride[8];
    size_t room; /* elements of the storage */
} layout;

static int bad_tensor(const pb_unpickler *u, const char *what)
{
    return pb_error("%s: data.pkl: a tensor's %s: the file is damaged", u->path, what);
}

static int read_shape(const pb_unpickler *u, const pb_pickled_value *size, const pb_pickled_value *stride, pb_array *a,
                      layout *l)
{
    if (size->count > PB_COUNT(a->shape) || size->count != stride->count)
        return bad_tensor(u, "shape and strides: want at most 8 of each, in equal numbers");
    a->dims = (int)size->count;
    a->count = 1;
    for (size_t i = 0; i < size->count; i++) {
        const pb_pickled_value *n = item(size, i, PB_PICKLED_INTEGER), *step = item(stride, i, PB_PICKLED_INTEGER);
        if (!n || !step || n->n < 0 || step->n < 0 || __builtin_mul_overflow(a->count, (size_t)n->n, &a->count))
            return bad_tensor(u, "shape or strides are no sizes");
        a->shape[i] = n->n;
        l->stride[i] = step->n;
    }
    return 0;
}

/* Checks that the last element lies inside the storage, and that the tensor has no more elements than the storage. */
static int check_layout(const pb_unpickler *u, const pb_array *a, const layout *l)
{
    long long last = l->offset;
    if (l->offset < 0)
        return bad_tensor(u, "offset is below 0");
    for (int i = 0; i < a->dims && a->count; i++) {
        long long reach;
        if (__builtin_mul_overflow(a->shape[i] - 1, l->stride[i], &reach) || __builtin_add_overflow(last, reach, &last))
            return bad_tensor(u, "strides reach beyond its storage");
    }
    if (a->count && ((size_t)last >= l->room || a->count > l->room))
        return bad_tensor(u, "shape, strides and offset reach beyond its storage");
    return a->count || (size_t)l->offset <= l->room ? 0 : bad_tensor(u, "offset lies beyond its storage");
}

static bool is_contiguous(const pb_array *a, const layout *l)
{
    long long want = 1;
    for (int i = a->dims; i-- > 0; want *= a->shape[i])
        if (a->shape[i] != 1 && l->stride[i] != want)
            return false;
    return true;
}

/* Copies the elements of a strided view into contiguous memory of the arena.  A small file may contain many views of
 * one storage, so that all copies together may not be larger than the file.  Returns NULL with an error if they are. */
static const void *copy_strided(pb_unpickler *u, const pb_array *a, const layout *l, const unsigned char *from,
                                size_t width)
{
    u->copied += a->count *
                 width; /* no overflow: each is at most as large as the file, and the first excess ends the loop */
    if (u->copied > u->zip->file.size) {
        bad_tensor(u, "views of one storage are more than the file holds; save them as clone()s");
        return NULL;
    }
    unsigned char *out = pb_arena_alloc(u->arena, PB_WEIGHTS, a->count * width);
    long long index[8] = {0}, at = 0;
    for (size_t i = 0; i < a->count; i++) {
        memcpy(out + i * width, from + (size_t)at * width, width);
        for (int k = a->dims;
             k-- > 0;) { /* `at` stays inside the storage; the stride of a dimension of size 1 is not used */
            if (index[k] + 1 < a->shape[k]) {
                at += l->stride[k];
                index[k]++;
                break;
            }
            at -= l->stride[k] * index[k];
            index[k] = 0;
        }
    }
    return out;
}

/* `arguments` are (tensor, requires_grad, hooks). */
static pb_pickled_value *make_parameter(pb_unpickler *u, const pb_pickled_value *arguments)
{
    if (!item(arguments, 0, PB_PICKLED_TENSOR))
        bad_tensor(u, "constructor has other arguments than a tensor");
    return item(arguments, 0, PB_PICKLED_TENSOR) ? arguments->item[0] : NULL;
}

/* Returns whether the view has marks such as {'neg': True}, with which its elements differ from those of the storage.
 */
static bool has_marks(const pb_pickled_value *arguments, size_t i)
{
    const pb_pickled_value *marks = i < arguments->count ? arguments->item[i] : NULL;
    return marks && (marks->kind != PB_PICKLED_DICT || marks->count || i + 1 < arguments->count);
}

/* `arguments` are (storage, offset, size, stride, requires_grad, hooks[, marks]) or, for a type that no storage has,
 * (storage, offset, size, stride, requires_grad, hooks, type[, marks]). */
pb_pickled_value *pb_torch_tensor(pb_unpickler *u, const pb_pickle_global *maker, const pb_pickled_value *arguments)
{
    if (maker->kind == PB_PICKLE_GLOBAL_PARAMETER)
        return make_parameter(u, arguments);
    const pb_pickled_value *storage = item(arguments, 0, PB_PICKLED_STORAGE),
                           *offset = item(arguments, 1, PB_PICKLED_INTEGER),
                           *size = item(arguments, 2, PB_PICKLED_TUPLE), *stride = item(arguments, 3, PB_PICKLED_TUPLE),
                           *hooks = item(arguments, 5, PB_PICKLED_DICT), *type = item(arguments, 6, PB_PICKLED_GLOBAL);
    bool typed = maker->kind == PB_PICKLE_GLOBAL_TENSOR_OF;
    const pb_pickle_global *of = typed && type && type->global->kind == PB_PICKLE_GLOBAL_TYPE ? type->global : NULL;
    of = typed || !storage ? of : storage->global;
    if (!storage || !offset || !size || !stride || !hooks || hooks->count || !of || storage->data->size % of->width) {
        bad_tensor(u, "constructor has other arguments than a storage, an offset, sizes and strides");
        return NULL;
    }
    if (has_marks(arguments, typed ? 7 : 6)) {
        pb_error(
            "%s: data.pkl: a tensor that is a negated or conjugated view of its storage is not read; want it saved "
            "as a clone()",
            u->path);
        return NULL;
    }
    pb_pickled_value *v = pb_pickled_new(u, PB_PICKLED_TENSOR);
    layout l = {.offset = offset->n, .room = storage->data->size / of->width};
    if (read_shape(u, size, stride, &v->array, &l) || check_layout(u, &v->array, &l))
        return NULL;
    const unsigned char *from = storage->data->data + (size_t)l.offset * of->width;
    v->array.dtype = of->dtype;
    v->array.bytes = v->array.count * of->width;
    bool in_place = !v->array.count || is_contiguous(&v->array, &l);
    v->array.data = in_place ? from : copy_strided(u, &v->array, &l, from, of->width);
    return v->array.data ? v : NULL;
}
