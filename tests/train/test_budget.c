/* A budget of training: the step that reaches it is the last, and the schedule follows it. */
#include "toy.h"

enum { EPOCHS = 6, PER_EPOCH = 5 }; /* of 40 examples in batches of 8 */

/* ---- FLOPs ------------------------------------------------------------------------------------------------- */

/* The FLOPs of a run of so many epochs. */
static double flops_of(const char *spec, const pb_encoded *f, int epochs)
{
    pb_train_options o = options_with(epochs, 1e-2);
    fixture r = fixture_open(spec, 2, 6);
    pb_footprint planned;
    CHECK(!pb_train_plan(r.model, f, &o, 6, &planned));
    fixture_close(&r);
    return (double)pb_effort_flops(&planned.effort);
}

TEST(the_step_that_reaches_the_flops_is_the_last)
{
    static const char *const specs[] = {"full", "lora", "lora-ga", "adalora:rank=4,target_rank=2"};
    pb_encoded *f = toy_set(40);
    for (size_t i = 0; i < PB_COUNT(specs); i++) {
        pb_train_options o = options_with(EPOCHS, 1e-2), two = options_with(2, 1e-2);
        o.max_flops = flops_of(specs[i], f, 2); /* just enough for two epochs */
        fixture a = fixture_open(specs[i], 2, 6), b = fixture_open(specs[i], 2, 6), c = fixture_open(specs[i], 2, 6);
        pb_result x = train(&a, f, &o, 6), y = train(&b, f, &two, 6);
        CHECK(pb_result_get(&x, -1, "train.steps") == 2 * PER_EPOCH && isnan(pb_result_get(&y, -1, "train.steps")));
        CHECK(pb_result_get(&x, -1, "train.epochs") == 2);
        CHECK(same_parameters(&a, &b)); /* the rates are those of a run of two epochs */
        o.max_flops *= 1.02;
        pb_result z = train(&c, f, &o, 6);
        double most = pb_result_get(&z, -1, "compute.train_flops");
        CHECK(pb_result_get(&z, -1, "train.steps") > 2 * PER_EPOCH && pb_result_get(&z, -1, "train.epochs") == 3);
        CHECK(most >= o.max_flops && most < 1.2 * o.max_flops && !same_parameters(&a, &c));
        pb_result_free(&x);
        pb_result_free(&y);
        pb_result_free(&z);
        fixture_close(&a);
        fixture_close(&b);
        fixture_close(&c);
    }
    toy_free(f);
}

TEST(a_budget_that_is_not_reached_changes_nothing)
{
    pb_encoded *f = toy_set(40);
    pb_train_options o = options_with(2, 1e-2), none = o;
    o.max_flops = 2 * flops_of("lora", f, 2);
    fixture a = fixture_open("lora", 2, 6), b = fixture_open("lora", 2, 6);
    pb_result x = train(&a, f, &o, 6), y = train(&b, f, &none, 6);
    CHECK(same_parameters(&a, &b) && isnan(pb_result_get(&x, -1, "train.steps")));
    pb_result_free(&x);
    pb_result_free(&y);
    fixture_close(&a);
    fixture_close(&b);
    toy_free(f);
}
