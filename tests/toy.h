/* toy: a task with a model that learns it in seconds, for the tests of training. */
#ifndef PB_TESTS_TOY_H
#define PB_TESTS_TOY_H

#include "fixture.h"

#include "train/optim.h"
#include "train/runner.h"
#include "train/train.h"

/* A task of our own making: the class is whether token 194 ("good") is in the text. */
static inline pb_data *toy_data(int count, pb_rng *r)
{
    pb_data *d = pb_data_new("toy");
    pb_data_class(d, "bad");
    pb_data_class(d, "good");
    for (int s = 0; s < PB_SPLITS; s++)
        for (int i = 0; i < (s == PB_TRAIN ? count : count / 2); i++)
            pb_data_add(d, (pb_split)s, "", (int)pb_rng_below(r, 2), i + 1);
    return d;
}

static inline pb_encoded *toy_set(int count)
{
    pb_rng r = pb_rng_named(3, "toy");
    pb_data *d = toy_data(count, &r);
    pb_encoded *f = pb_encoded_uniform(d, PB_BY_HEAD, 1);
    for (int s = 0; s < PB_SPLITS; s++)
        for (int i = 0; i < d->split[s].count; i++) {
            pb_ids *ids = &f->text[s][i];
            int n = 3 + (int)pb_rng_below(&r, 9);
            ids->count = 0;
            for (int k = 0; k < n; k++)
                pb_ids_add(ids, k == 0 ? 2 : k == n - 1 ? 3 : 179 + (int)pb_rng_below(&r, 15));
            ids->id[1] = d->split[s].example[i].label ? 194 : 195;
        }
    return f;
}

static inline void toy_free(pb_encoded *f)
{
    pb_data *d = (pb_data *)(uintptr_t)f->data;
    pb_encoded_free(f);
    pb_data_free(d);
}

static inline pb_train_options options_with(int epochs, double lr)
{
    pb_train_options o;
    pb_option_defaults(pb_train_table, &o);
    o.epochs = epochs;
    o.batch = 8;
    o.lr = lr;
    return o;
}

static inline pb_result train(fixture *r, const pb_encoded *f, const pb_train_options *o, uint64_t seed)
{
    pb_result out;
    pb_result_init(&out);
    if (!CHECK(!pb_train(r->model, f, pb_task_find("classify"), o, seed, NULL, &out)))
        printf("  %s\n", pb_error_text());
    return out;
}

static inline bool same_parameters(const fixture *a, const fixture *b)
{
    bool same = true;
    for (int k = 0; k < pb_model_params(a->model); k++) {
        const pb_param *p = pb_model_param(a->model, k);
        same = same && !memcmp(pb_param_memory(p), pb_param_memory(pb_model_param(b->model, k)), pb_param_bytes(p));
    }
    return same;
}

/* The tiny BERT with a method that is in no registry and has no settings. */
static inline fixture fixture_with(const pb_method *method, uint64_t seed)
{
    fixture r = {.arena = pb_arena_new("testbed"), .executor = pb_executor_new(), .parts = 1};
    r.part[0] = (pb_attached){method, pb_alloc(1)};
    r.model = pb_model_open(&(pb_opening){.path = TINY, .classes = 2, .seed = seed});
    if (!r.model || pb_model_attach(r.model, r.part, r.parts))
        PB_BUG("%s", pb_error_text());
    return r;
}

/* A model that is trained step by step, by an optimizer with the learning rate 0.01. */
typedef struct stepper {
    fixture model;
    pb_encoded *set;
    pb_train_options options;
    pb_runner runner;
    pb_arena *arena;
    pb_optim *optim;
} stepper;

/* Takes one step with the given key; copies the parameter before it. */
static inline void step_with(stepper *s, uint64_t key, const pb_param *p, pb_real *before)
{
    const int item[] = {0, 1, 2, 3};
    memcpy(before, p->x, (size_t)p->rows * (size_t)p->cols * sizeof *before);
    CHECK(!pb_runner_run(
        &s->runner, &(pb_runner_batch){.split = PB_TRAIN, .item = item, .count = 4, .training = true, .key = key}));
    pb_optim_step(s->optim, s->runner.graph, &(pb_step){.steps = 1, .rate = 0.01});
}

/* Allocates the gradients of all that trains; the testbed frees them. */
static inline void allocate_all_gradients(pb_model *m)
{
    for (int i = 0; i < pb_model_params(m); i++) {
        pb_param *p = pb_model_param(m, i);
        if (p->trainable)
            p->g = pb_alloc((size_t)p->rows * (size_t)p->cols * sizeof *p->g);
    }
}

static inline void start_steps(stepper *s, fixture model, double decay)
{
    *s = (stepper){.model = model, .set = toy_set(8), .options = options_with(1, 0.01)};
    s->options.decay = decay;
    s->runner = pb_runner_start(model.model, s->set, false);
    s->arena = pb_arena_new("optimizer");
    allocate_all_gradients(model.model);
    s->optim = pb_optim_new(model.model, &s->options, s->arena);
}

static inline void stop_steps(stepper *s)
{
    pb_runner_stop(&s->runner);
    pb_arena_free(s->arena);
    fixture_close(&s->model);
    toy_free(s->set);
}

#endif
