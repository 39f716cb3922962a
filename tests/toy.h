/* toy: a data set for the tests of training, on the tiny BERT of fixture.h. */
#ifndef PB_TESTS_TOY_H
#define PB_TESTS_TOY_H

#include "fixture.h"

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

#endif
