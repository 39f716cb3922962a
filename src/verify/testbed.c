/* testbed: see testbed.h. */
#include "verify/testbed.h"

#include <stdlib.h>
#include <string.h>

#include "model/start.h"

/* ---- the model ------------------------------------------------------------------------------------------- */

static bool is_constant(const pb_param *p)
{
    for (size_t k = 1; k < pb_param_elements(p); k++)
        if (p->x[k] != p->x[0])
            return false;
    return true;
}

/* Makes the matrices of a network with random weights larger.  Their deviation of 0.02 suits networks that are much
 * wider: in a narrow one, all that a layer computes would be small and its attention nearly uniform. */
static void enlarge_matrices(pb_testbed *p)
{
    for (int i = 0; i < pb_model_params(p->model); i++) {
        pb_param *one = pb_model_param(p->model, i);
        for (size_t k = 0; one->kind == PB_MATRIX && k < pb_param_elements(one); k++)
            one->x[k] *= 8;
    }
}

/* Replaces the values of constant tensors.  The old values may be mapped from a file, which is read-only. */
static void vary_constants(pb_testbed *p)
{
    for (int i = 0; i < pb_model_params(p->model); i++) {
        pb_param *one = pb_model_param(p->model, i);
        if (!one->x || !is_constant(one))
            continue;
        pb_rng rng = pb_rng_named(99, one->name);
        pb_real *x = pb_arena_alloc(p->values, PB_WEIGHTS, pb_param_elements(one) * sizeof *x);
        for (size_t k = 0; k < pb_param_elements(one); k++)
            x[k] = one->x[k] + (pb_real)(0.2 * pb_rng_normal(&rng));
        one->x = x;
    }
}

int pb_testbed_open(pb_testbed *p, const char *path, bool random, const char *spec, int classes, uint64_t seed)
{
    return pb_testbed_open_as(p,
                              &(pb_opening){.path = path,
                                            .classes = classes,
                                            .seed = seed,
                                            .base = {.weights = random ? PB_FROM_RANDOM : PB_FROM_CHECKPOINT}},
                              spec);
}

int pb_testbed_open_as(pb_testbed *p, const pb_opening *how, const char *spec)
{
    bool random = how->base.weights == PB_FROM_RANDOM;
    *p = (pb_testbed){
        .values = pb_arena_new("testbed"), .arena = pb_arena_new("testbed"), .executor = pb_executor_new(), .key = 7};
    int rc = pb_attached_parse(spec, p->part, &p->parts);
    p->model = rc ? NULL : pb_model_open(how);
    if (p->model && random)
        enlarge_matrices(p);
    if (p->model)
        vary_constants(p); /* first, since methods may initialize their tensors from the base's */
    if (p->model && !pb_model_attach(p->model, p->part, p->parts))
        return 0;
    pb_testbed_close(p);
    return -1;
}

void pb_testbed_close(pb_testbed *p)
{
    for (int i = 0; p->model && i < pb_model_params(p->model); i++)
        free(pb_model_param(p->model, i)->g);
    pb_model_free(p->model);
    pb_attached_free(p->part, p->parts);
    pb_executor_free(p->executor);
    pb_arena_free(p->arena);
    pb_arena_free(p->values);
    *p = (pb_testbed){.model = NULL};
}

/* ---- the start --------------------------------------------------------------------------------------------- */

static const pb_batch *texts_for(const pb_model *m)
{
    return pb_model_head(m) == PB_HEAD_CLASSES ? &pb_testbed_texts : &pb_testbed_tokens;
}

/* The batch of some of the texts (pb_samples.make). */
static pb_batch choose_texts(const void *model, pb_arena *arena, const int *text, int n)
{
    const pb_batch *all = texts_for(model);
    size_t tokens = (size_t)all->offset[all->sequences] + 1;
    int *offset_of = pb_arena_alloc(arena, PB_META, (size_t)(n + 1) * sizeof *offset_of);
    int *id = pb_arena_alloc(arena, PB_META, tokens * sizeof *id), at = 0;
    int *next = pb_arena_alloc(arena, PB_META, tokens * sizeof *next);
    int *class = pb_arena_alloc(arena, PB_META, (size_t)(n + 1) * sizeof *class);
    for (int s = 0; s < n; s++) {
        for (int r = all->offset[text[s]]; r < all->offset[text[s] + 1]; r++) {
            id[at] = all->ids[r];
            next[at++] = all->target ? all->target[r] : -1;
        }
        class[s] = all->label ? all->label[text[s]] : -1;
        offset_of[s + 1] = at;
    }
    return (pb_batch){.sequences = n,
                      .offset = offset_of,
                      .ids = id,
                      .label = all->label ? class : NULL,
                      .target = all->target ? next : NULL};
}

int pb_testbed_start(pb_testbed *p)
{
    const pb_batch *texts = &pb_testbed_texts;
    int classes = pb_model_head(p->model) == PB_HEAD_CLASSES ? pb_model_outputs(p->model) : 0;
    int *count = pb_alloc((size_t)(classes + 1) * sizeof *count);
    for (int s = 0; s < texts->sequences; s++)
        if (texts->label[s] < classes)
            count[texts->label[s]]++;
    pb_preparation planned;
    pb_samples samples = {.classes = classes,
                          .class_count = count,
                          .count = texts->sequences,
                          .batch = 2,
                          .make = choose_texts,
                          .ctx = p->model};
    int rc = pb_model_plan_start(p->model, &samples, &planned) || pb_model_start(p->model, &samples, &planned) ? -1 : 0;
    free(count);
    return rc;
}

/* ---- a batch ----------------------------------------------------------------------------------------------- */

int pb_testbed_plan(pb_testbed *p, const pb_batch *batch, bool training, double dropout)
{
    pb_arena_reset(p->arena);
    p->graph = pb_graph_new(p->arena, training);
    if (pb_model_build(p->model, p->graph, batch, dropout, p->key, &p->out))
        return -1;
    for (int i = 0; training && i < pb_model_params(p->model); i++) {
        pb_param *one = pb_model_param(p->model, i);
        free(one->g);
        one->g = one->trainable ? pb_alloc(pb_param_elements(one) * sizeof *one->g) : NULL;
    }
    return pb_graph_plan(p->graph, p->out.logits, training ? p->out.loss : NULL, &p->plan);
}

int pb_testbed_forward(pb_testbed *p, const pb_batch *batch, bool training, double dropout)
{
    if (pb_testbed_plan(p, batch, training, dropout))
        return -1;
    pb_executor_bind(p->executor, p->graph, &p->plan);
    pb_executor_forward(p->executor, p->graph);
    return 0;
}

double pb_testbed_gradient(const pb_param *p, size_t i)
{
    size_t row = i / (size_t)p->cols, column = i % (size_t)p->cols;
    if (!p->slot)
        return (double)p->g[i];
    return p->slot[row] < 0 ? 0 : (double)p->g[(size_t)p->slot[row] * (size_t)p->cols + column];
}

double *pb_testbed_gradients(pb_testbed *p, size_t *n)
{
    *n = (size_t)(pb_model_counts(p->model).trainable + pb_model_pruned(p->model));
    double *g = pb_alloc((*n + 1) * sizeof *g);
    size_t at = 0;
    for (int i = 0; i < pb_model_params(p->model); i++) {
        const pb_param *one = pb_model_param(p->model, i);
        for (size_t k = 0; one->trainable && k < pb_param_elements(one); k++)
            g[at++] = pb_testbed_gradient(one, k);
    }
    return g;
}

void pb_testbed_perturb(pb_testbed *p, double scale)
{
    pb_rng rng = pb_rng_named(99, "stir");
    for (int i = 0; i < pb_model_params(p->model); i++) {
        pb_param *one = pb_model_param(p->model, i);
        for (size_t k = 0; one->trainable && k < pb_param_elements(one); k++)
            one->x[k] += (pb_real)(scale * pb_rng_normal(&rng));
    }
}

static const int ids[] = {2, 79, 92, 85, 91, 94, 3,  2,  5,  2,  88, 17, 19, 59, 83, 89, 21, 5,  60, 5, 42, 90, 3,
                          2, 7,  8,  77, 3,  2,  25, 26, 27, 92, 86, 87, 5,  19, 81, 79, 22, 23, 11, 3, 2,  6,  3};
static const int offset[] = {0, 7, 23, 28, 43, 46};
static const int label[] = {2, 0, 0, 1, 2};
static const int target[] = {79, 92, 85, 91, 94, 3,  -1, 5,  2,  88, 17, 19, 59, 83, 89, 21, 5,  60, 5, 42, 90, 3, -1,
                             7,  8,  77, 3,  -1, 25, 26, 27, 92, 86, 87, 5,  19, 81, 79, 22, 23, 11, 3, -1, 6,  3, -1};
const pb_batch pb_testbed_texts = {.sequences = 5, .offset = offset, .ids = ids, .label = label};
const pb_batch pb_testbed_tokens = {.sequences = 5, .offset = offset, .ids = ids, .target = target};
