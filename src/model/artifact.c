/* artifact: the file of a trained model: every trainable parameter, the head and the methods' parameters, each under
 * its name.  What is made again from the run's seed is not in it; the file's metadata then has the seed.  A tensor of
 * which most elements are equal is stored as the others where that is smaller (weights/sparse_array.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"
#include "weights/sparse_array.h"

bool pb_model_stores(const pb_param *p)
{
    return p->trainable || p->kind == PB_HEAD || (p->kind == PB_ADDED && !p->seeded);
}

/* The arrays of a file, which own their data. */
typedef struct writing {
    pb_array *array;
    size_t n;
} writing;

/* The values in 32 bits: floats, or integers. */
static void *values_in_32_bits(const pb_param *p)
{
    size_t n = (size_t)p->rows * (size_t)p->cols;
    float *out = pb_alloc(n * sizeof *out);
    if (p->index)
        return memcpy(out, p->index, n * sizeof *p->index);
    for (size_t i = 0; i < n; i++)
        out[i] = (float)p->x[i];
    return out;
}

static void add_param(writing *w, const pb_param *p)
{
    size_t count = (size_t)p->rows * (size_t)p->cols;
    pb_array whole = {.name = pb_strdup(p->name),
                      .dtype = p->index ? PB_I32 : PB_F32,
                      .dims = 2,
                      .shape = {p->rows, p->cols},
                      .count = count,
                      .data = values_in_32_bits(p),
                      .bytes = 4 * count};
    if (pb_sparse_array_of(&whole, w->array + w->n)) {
        w->n += PB_SPARSE_PARTS;
        pb_array_free(&whole, 1);
    } else
        w->array[w->n++] = whole;
}

int pb_model_save(const pb_model *m, const char *path)
{
    writing w = {.array = pb_alloc((PB_SPARSE_PARTS * m->params + 1) * sizeof *w.array)};
    for (size_t i = 0; i < m->params; i++)
        if (pb_model_stores(m->param[i]))
            add_param(&w, m->param[i]);
    char seed[24];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)m->seed);
    int rc = pb_safetensors_write(path, w.array, w.n, m->uses_seed ? (const char *const[]){"seed", seed, NULL} : NULL);
    pb_array_free(w.array, w.n);
    free(w.array);
    return rc;
}

/* Reads integers, which must be those of this model: each in 0 .. below-1. */
static int load_index(const pb_array *a, const char *path, pb_param *p)
{
    if (a->dtype != PB_I32)
        return pb_error("%s: '%s': want 32-bit integers (I32)", path, p->name);
    memcpy(p->index, a->data, a->bytes);
    for (int i = 0; i < p->cols; i++)
        if (p->index[i] < 0 || p->index[i] >= p->below)
            return pb_error("%s: '%s': element %d is %d, want 0 to %d", path, p->name, i, p->index[i], p->below - 1);
    return 0;
}

static int copy_array(const pb_array *a, const char *path, pb_param *p)
{
    if (a->dims != 2 || a->shape[0] != p->rows || a->shape[1] != p->cols)
        return pb_error("%s: '%s': want shape [%d,%d]", path, p->name, p->rows, p->cols);
    return p->index ? load_index(a, path, p) : pb_array_reals(a, 0, a->count, p->x);
}

static int load_param(const pb_safetensors *f, const char *path, pb_param *p)
{
    const pb_array *a = pb_safetensors_find(f, p->name);
    pb_array joined;
    int found = a ? 0 : pb_sparse_array_read(f, path, p->name, &joined);
    if (!a && !found)
        return pb_error("%s: no tensor '%s': not an artifact of this method and model", path, p->name);
    int rc = found < 0 ? -1 : copy_array(a ? a : &joined, path, p);
    if (found > 0)
        pb_array_free(&joined, 1);
    return rc;
}

/* Sets the model's seed to that of the run, and makes again what depends on it. */
static int load_seed(const pb_safetensors *f, const char *path, pb_model *m)
{
    const char *text = pb_safetensors_metadata(f, "seed");
    char *end = NULL;
    if (!text)
        return pb_error("%s: no 'seed' in the metadata: not an artifact of this method and model", path);
    errno = 0;
    unsigned long long seed = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno)
        return pb_error("%s: seed '%s' in the metadata, want a number from 0 to 2^64-1", path, text);
    m->seed = seed;
    pb_params_draw_seeded(m);
    return 0;
}

int pb_model_load(pb_model *m, const char *path)
{
    pb_safetensors *f = pb_safetensors_open(path);
    int rc = f ? 0 : -1;
    for (size_t i = 0; !rc && i < m->params; i++)
        if (pb_model_stores(m->param[i]))
            rc = load_param(f, path, m->param[i]);
    if (!rc && m->uses_seed)
        rc = load_seed(f, path, m);
    if (f)
        pb_safetensors_close(f);
    return rc;
}

/* ---- another head ---------------------------------------------------------------------------------------- */

/* True for a parameter of the head that is not the word table. */
static bool is_of_head(const pb_model *m, const pb_param *p)
{
    const pb_param *const head[] = {m->head_w, m->head_b, m->pool_w, m->pool_b, m->pool_gain, m->pool_beta};
    for (size_t i = 0; i < PB_COUNT(head); i++)
        if (p == head[i] && p != m->word)
            return true;
    return false;
}

static int copy_param(pb_model *to, pb_param *p, const pb_model *from)
{
    const pb_param *q = pb_model_find(from, p->name);
    size_t n = (size_t)p->rows * (size_t)p->cols;
    if (!q && is_of_head(to, p))
        return 0;
    if (!q || q->rows != p->rows || q->cols != p->cols || !q->index != !p->index || (!q->index && !q->x))
        return pb_error("the trained model has no tensor '%s' of shape [%d,%d]", p->name, p->rows, p->cols);
    if (p->index)
        memcpy(p->index, q->index, n * sizeof *p->index);
    else
        memcpy(p->x, q->x, n * sizeof *p->x);
    return 0;
}

int pb_model_copy_trained(pb_model *to, const pb_model *from)
{
    for (size_t i = 0; i < to->params; i++)
        if (pb_model_stores(to->param[i]) && copy_param(to, to->param[i], from))
            return -1;
    to->seed = from->seed;
    pb_params_draw_seeded(to);
    return 0;
}
