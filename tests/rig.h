/* rig: the tiny BERT of tests/golden with methods attached, and one ragged batch through it. */
#ifndef PB_TESTS_RIG_H
#define PB_TESTS_RIG_H

#include "test.h"

#include <stdlib.h>

#include "model/model.h"

#define TINY "tests/golden/tiny-bert"

typedef struct rig {
    pb_model *model;
    pb_attached part[8];
    int parts;
    pb_arena *arena;
    pb_machine *machine;
    pb_graph *graph;
    pb_outputs out;
    pb_plan plan;
} rig;

/* "lora:rank=4,alpha=8+prefix:length=3" */
static inline void rig_method(pb_attached *part, char *text)
{
    char *options = strchr(text, ':');
    if (options)
        *options++ = 0;
    part->method = pb_method_find(text);
    if (!part->method)
        PB_BUG("no method %s", text);
    void *conf = pb_alloc(part->method->conf_size + 1);
    pb_option_defaults(part->method->options, conf);
    for (char *one; options && (one = strsep(&options, ","));) {
        char *value = strchr(one, '=');
        *value++ = 0;
        if (pb_option_set(part->method->options, conf, one, value))
            PB_BUG("%s", pb_error_text());
    }
    part->conf = conf;
}

static inline rig rig_open(const char *spec, int classes, uint64_t seed)
{
    rig r = {.arena = pb_arena_new("rig"), .machine = pb_machine_new()};
    char *copy = pb_strdup(spec), *rest = copy, *one;
    while (*spec && (one = strsep(&rest, "+")))
        rig_method(&r.part[r.parts++], one);
    free(copy);
    r.model = pb_model_open(&(pb_opening){.path = TINY, .classes = classes, .seed = seed});
    if (!r.model || pb_model_attach(r.model, r.part, r.parts))
        PB_BUG("%s", pb_error_text());
    return r;
}

static inline void rig_close(rig *r)
{
    for (int i = 0; i < pb_model_params(r->model); i++)
        free(pb_model_param(r->model, i)->g);
    pb_model_free(r->model);
    for (int i = 0; i < r->parts; i++) {
        void *conf = (void *)(uintptr_t)r->part[i].conf;
        pb_option_release(r->part[i].method->options, conf);
        free(conf);
    }
    pb_machine_free(r->machine);
    pb_arena_free(r->arena);
}

/* Builds and plans; gradients get memory when the graph trains. */
static inline void rig_plan(rig *r, const pb_batch *batch, bool training, double dropout)
{
    pb_arena_reset(r->arena);
    r->graph = pb_graph_new(r->arena, training);
    if (pb_model_build(r->model, r->graph, batch, dropout, 7, &r->out))
        PB_BUG("%s", pb_error_text());
    for (int i = 0; training && i < pb_model_params(r->model); i++) {
        pb_param *p = pb_model_param(r->model, i);
        free(p->g);
        p->g = p->trainable ? pb_alloc((size_t)p->rows * (size_t)p->cols * sizeof *p->g) : NULL;
    }
    if (pb_graph_plan(r->graph, r->out.logits, training ? r->out.loss : NULL, &r->plan))
        PB_BUG("%s", pb_error_text());
}

static inline void rig_forward(rig *r, const pb_batch *batch, bool training, double dropout)
{
    rig_plan(r, batch, training, dropout);
    pb_machine_bind(r->machine, r->graph, &r->plan);
    pb_machine_forward(r->machine, r->graph);
}

/* Element i of a parameter's gradient; tables hold touched rows only. */
static inline double rig_gradient(const pb_param *p, size_t i)
{
    size_t row = i / (size_t)p->cols, column = i % (size_t)p->cols;
    if (!p->slot)
        return (double)p->g[i];
    return p->slot[row] < 0 ? 0 : (double)p->g[(size_t)p->slot[row] * (size_t)p->cols + column];
}

/* Makes every trainable parameter different from its start, so that nothing is zero by luck. */
static inline void rig_stir(rig *r, double scale)
{
    pb_rng rng = pb_rng_named(99, "stir");
    for (int i = 0; i < pb_model_params(r->model); i++) {
        pb_param *p = pb_model_param(r->model, i);
        for (size_t k = 0; p->trainable && k < (size_t)p->rows * (size_t)p->cols; k++)
            p->x[k] += (pb_real)(scale * pb_rng_normal(&rng));
    }
}

/* Five ragged sequences of the golden's lengths. */
static const int rig_ids[] = {2,   179, 192, 185, 191, 194, 3,   2,   205, 198, 88, 197, 199, 59,  183, 189,
                              201, 5,   60,  5,   242, 90,  3,   2,   207, 208, 77, 3,   2,   225, 226, 227,
                              92,  186, 187, 5,   219, 181, 179, 222, 223, 211, 3,  2,   206, 3};
static const int rig_offset[] = {0, 7, 23, 28, 43, 46};
static const int rig_label[] = {2, 0, 0, 1, 2};
static const pb_batch rig_batch = {.sequences = 5, .offset = rig_offset, .ids = rig_ids, .label = rig_label};

#endif
