/* Training: the same bits for the same seed, frozen weights untouched, memory as planned. */
#include "rig.h"

#include "base/threads.h"
#include "train/score.h"
#include "train/train.h"

/* A task of our own making: the class is whether token 194 ("good") is in the text. */
static pb_data *toy_data(int count, pb_rng *r)
{
    pb_data *d = pb_data_new("toy");
    pb_data_class(d, "bad");
    pb_data_class(d, "good");
    for (int s = 0; s < PB_SPLITS; s++)
        for (int i = 0; i < (s == PB_TRAIN ? count : count / 2); i++)
            pb_data_add(d, (pb_split)s, "", (int)pb_rng_below(r, 2), i + 1);
    return d;
}

static pb_form *toy_form(int count)
{
    pb_rng r = pb_rng_named(3, "toy");
    pb_data *d = toy_data(count, &r);
    pb_form *f = pb_form_even(d, PB_BY_HEAD, 1);
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

static void toy_free(pb_form *f)
{
    pb_data *d = (pb_data *)(uintptr_t)f->data;
    pb_form_free(f);
    pb_data_free(d);
}

static pb_train_options options_with(int epochs, double lr)
{
    pb_train_options o;
    pb_option_defaults(pb_train_table, &o);
    o.epochs = epochs;
    o.batch = 8;
    o.lr = lr;
    return o;
}

static pb_result train(rig *r, const pb_form *f, const pb_train_options *o, uint64_t seed)
{
    pb_result out;
    pb_result_init(&out);
    if (!CHECK(!pb_train(r->model, f, pb_task_find("classify"), o, seed, NULL, &out)))
        printf("  %s\n", pb_error_text());
    return out;
}

static const char *const specs[] = {
    "majority", "head",    "full",   "last-k", "bitfit",      "layernorm", "lora:dropout=0.1",
    "ia3",      "houlsby", "prefix", "prompt", "lora+prefix", "null"};

TEST(the_same_seed_gives_the_same_bits)
{
    pb_form *f = toy_form(40);
    pb_train_options o = options_with(2, 1e-3);
    pb_threads_start(2);
    for (size_t i = 0; i < PB_COUNT(specs); i++) {
        rig a = rig_open(specs[i], 2, 6), b = rig_open(specs[i], 2, 6), c = rig_open(specs[i], 2, 6);
        pb_result ra = train(&a, f, &o, 6), rb = train(&b, f, &o, 6), rc = train(&c, f, &o, 7);
        bool other = false;
        for (int k = 0; k < pb_model_params(a.model); k++) {
            const pb_param *p = pb_model_param(a.model, k);
            size_t bytes = (size_t)p->rows * (size_t)p->cols * sizeof *p->x;
            CHECK(!memcmp(p->x, pb_model_param(b.model, k)->x, bytes));
            other = other || memcmp(p->x, pb_model_param(c.model, k)->x, bytes);
        }
        CHECK(other == (strcmp(specs[i], "majority") != 0)); /* and another seed other bits */
        pb_result_free(&ra);
        pb_result_free(&rb);
        pb_result_free(&rc);
        rig_close(&a);
        rig_close(&b);
        rig_close(&c);
    }
    pb_threads_stop();
    toy_free(f);
}

TEST(frozen_weights_stay_bit_identical)
{
    pb_form *f = toy_form(24);
    pb_train_options o = options_with(1, 1e-2);
    for (size_t i = 0; i < PB_COUNT(specs); i++) {
        rig before = rig_open(specs[i], 2, 6), after = rig_open(specs[i], 2, 6);
        pb_result r = train(&after, f, &o, 6);
        for (int k = 0; k < pb_model_params(after.model); k++) {
            const pb_param *p = pb_model_param(after.model, k), *q = pb_model_param(before.model, k);
            size_t bytes = (size_t)p->rows * (size_t)p->cols * sizeof *p->x;
            bool frozen = !p->trainable && p->kind != PB_ADDED; /* closed-form methods set their own */
            CHECK(!frozen || !memcmp(p->x, q->x, bytes));
            /* All that trains has moved, but what this network's gradient is zero for. */
            if (p->trainable && !memcmp(p->x, q->x, bytes) && !strstr(p->name, "attn.k"))
                CHECK_TEXT(p->name, "moved");
        }
        pb_result_free(&r);
        rig_close(&before);
        rig_close(&after);
    }
    toy_free(f);
}

TEST(memory_and_flops_are_what_the_plan_said)
{
    pb_form *f = toy_form(40);
    pb_train_options o = options_with(2, 1e-3);
    for (size_t i = 0; i < PB_COUNT(specs); i++) {
        rig planned = rig_open(specs[i], 2, 6), trained = rig_open(specs[i], 2, 6);
        pb_footprint foot;
        CHECK(!pb_train_plan(planned.model, f, &o, 6, &foot));
        pb_result r = train(&trained, f, &o, 6); /* itself checks what it took against its plan */
        CHECK_INT((long long)pb_result_get(&r, -1, "memory.train.total"), (long long)pb_footprint_total(&foot));
        CHECK_INT((long long)pb_result_get(&r, -1, "memory.train.gradients"), (long long)foot.gradients);
        double flops = pb_result_get(&r, -1, "compute.train_flops"); /* of no step: none */
        CHECK(foot.effort.steps ? flops == (double)pb_effort_flops(&foot.effort) : isnan(flops));
        pb_result_free(&r);
        rig_close(&planned);
        rig_close(&trained);
    }
    toy_free(f);
}

TEST(it_learns)
{
    pb_form *f = toy_form(200);
    pb_train_options o = options_with(12, 1e-2);
    o.dropout = 0; /* in a network of 16 units it is a wall, not a help */
    static const char *const able[] = {"full", "lora:targets=*", "houlsby", "bitfit"};
    for (size_t i = 0; i < PB_COUNT(able); i++) {
        rig r = rig_open(able[i], 2, 1);
        pb_result out = train(&r, f, &o, 1);
        if (!CHECK(pb_result_get(&out, PB_VALIDATION, "accuracy.validation.accuracy") > 0.9))
            printf("  %s: %g\n", able[i], pb_result_get(&out, PB_VALIDATION, "accuracy.validation.accuracy"));
        CHECK_INT(out.predictions, f->data->split[PB_VALIDATION].count);
        pb_result_free(&out);
        rig_close(&r);
    }
    toy_free(f);
}

TEST(divergence_is_a_result)
{
    pb_form *f = toy_form(40);
    pb_train_options o = options_with(4, 1000);
    o.clip = 0;
    o.warmup = 0;
    o.eps = 0;
    rig r = rig_open("full", 2, 1);
    pb_param *p = pb_model_find(r.model, "layer.0.mlp.up.weight");
    p->x[0] = (pb_real)NAN;
    pb_footprint foot;
    CHECK(!pb_train_plan(r.model, f, &o, 1, &foot));
    pb_result out = train(&r, f, &o, 1);
    CHECK(pb_result_get(&out, -1, "compute.train_flops") < (double)pb_effort_flops(&foot.effort) / 10);
    CHECK_TEXT(out.status, "diverged");
    CHECK_INT(out.predictions, 0);
    CHECK(isnan(pb_result_get(&out, PB_VALIDATION, "accuracy.validation.accuracy")));
    pb_result_free(&out);
    rig_close(&r);
    toy_free(f);
}

TEST(features_give_what_computing_them_each_time_gives)
{
    /* `null` passes every hook, so its features are kept as head's are; a zero-size method that
     * trains below the head too keeps none.  Dropout off: features are the same numbers. */
    pb_form *f = toy_form(40);
    pb_train_options o = options_with(3, 1e-2);
    o.dropout = 0;
    rig kept = rig_open("head", 2, 1);
    pb_result a = train(&kept, f, &o, 1);
    CHECK(pb_result_get(&a, -1, "memory.train.features") > 0);
    pb_result scored;
    pb_result_init(&scored);
    CHECK(!pb_score(kept.model, f, pb_task_find("classify"), PB_VALIDATION, 5, &scored)); /* computes all anew */
    CHECK_INT(scored.predictions, a.predictions);
    for (size_t i = 0; i < scored.predictions && i < a.predictions; i++) {
        CHECK_INT(scored.prediction[i].predicted, a.prediction[i].predicted);
        CHECK_NEAR((double)scored.prediction[i].probability, (double)a.prediction[i].probability, 1e-4);
    }
    pb_result_free(&a);
    pb_result_free(&scored);
    rig_close(&kept);
    toy_free(f);
}
