/* What methods do between training steps: hooks, kept numbers, rates of single tensors, penalties. */
#include "toy.h"

#include <math.h>

enum { WIDTH = 16, MOST_STEPS = 64 };

/* ---- a method that watches the steps ------------------------------------------------------------------------------ */

/* What its hooks have seen. */
static struct {
    int before, after;
    pb_step at[MOST_STEPS];
    pb_real value_before, value_after, gradient_before, gradient_after;
    double changed_to; /* > 0: before_step makes every element of the gradient this number */
} seen;

static bool first_site(const pb_site *site)
{
    return site->layer == 0 && !strcmp(site->role, "attn.q");
}

/* One vector at one site is all that trains. */
static pb_node *watched_linear(pb_build *b, const pb_site *site, pb_node *x)
{
    pb_node *y = pb_inner_linear(b, site, x);
    if (!first_site(site))
        return y;
    pb_state(b, site, "kept", 100);
    return pb_op_scale(b->graph, y, pb_vector(b, site, "gain", site->out, pb_init_constant(1)));
}

static void watch_before(pb_build *b, const pb_step *at)
{
    pb_param *gain = pb_tensor(b, pb_next_target(b, NULL), "gain");
    CHECK(!b->graph && gain->g && gain->reached);
    for (int i = 0; i < gain->cols && seen.changed_to > 0; i++)
        gain->g[i] = (pb_real)seen.changed_to;
    seen.value_before = gain->x[0];
    seen.gradient_before = gain->g[0];
    seen.before++;
    (void)at;
}

static void watch_after(pb_build *b, const pb_step *at)
{
    pb_param *gain = pb_tensor(b, pb_next_target(b, NULL), "gain"),
             *kept = pb_tensor(b, pb_next_target(b, NULL), "kept");
    CHECK(seen.before == seen.after + 1 && kept->cols == 100);
    CHECK(kept->x[0] == seen.after && kept->x[99] == -seen.after); /* zero at first */
    kept->x[0] += 1;
    kept->x[99] -= 1;
    seen.value_after = gain->x[0];
    seen.gradient_after = gain->g[0];
    if (seen.after < MOST_STEPS)
        seen.at[seen.after] = *at;
    seen.after++;
}

static const pb_method watched = {.name = "watched",
                                  .traits.category = PB_ADDITIVE,
                                  .hooks.select = pb_select_nothing,
                                  .hooks.linear = watched_linear,
                                  .hooks.before_step = watch_before,
                                  .hooks.after_step = watch_after};

static const pb_method unwatched = {.name = "watched",
                                    .traits.category = PB_ADDITIVE,
                                    .hooks.select = pb_select_nothing,
                                    .hooks.linear = watched_linear};

static pb_param *gain_of(const fixture *r)
{
    return pb_model_find(r->model, "layer.0.attn.q.watched.gain");
}

/* ---- hooks -------------------------------------------------------------------------------------------------------- */

TEST(the_hooks_run_in_every_step_and_know_which_it_is)
{
    pb_encoded *f = toy_set(40); /* 5 steps an epoch */
    pb_train_options o = options_with(3, 1e-3);
    fixture r = fixture_with(&watched, 6);
    memset(&seen, 0, sizeof seen);
    pb_result out = train(&r, f, &o, 6);
    CHECK_INT(seen.before, 15);
    CHECK_INT(seen.after, 15);
    for (int i = 0; i < 15; i++) {
        CHECK(seen.at[i].step == i && seen.at[i].steps == 15 && seen.at[i].epoch == i / 5);
        CHECK(seen.at[i].rate == pb_optim_rate(&o, i, 15));
    }
    pb_result_free(&out);
    fixture_close(&r);
    toy_free(f);
}

/* Every element of the gradient [1,16] becomes 2, so that its norm is 8: 1/4 of 2 remains. */
TEST(gradients_are_changed_before_they_are_clipped_and_seen_as_they_were_used)
{
    pb_encoded *f = toy_set(40);
    pb_train_options o = options_with(1, 1e-2);
    o.batch = 40; /* one step */
    o.warmup = 0;
    o.clip = 2;
    fixture r = fixture_with(&watched, 6);
    memset(&seen, 0, sizeof seen);
    seen.changed_to = 2;
    pb_result out = train(&r, f, &o, 6);
    CHECK_NEAR(pb_result_find(&out, -1, "gradient_norm")->x[0], 8, 1e-6);
    CHECK(seen.value_before == 1 && seen.gradient_before == 2);
    CHECK_NEAR((double)seen.gradient_after, 0.5, 1e-6);
    CHECK_NEAR((double)seen.value_after, 0.99, 1e-6);
    CHECK(seen.value_after == gain_of(&r)->x[0]);
    pb_result_free(&out);
    fixture_close(&r);
    toy_free(f);
}

TEST(a_hook_that_reads_the_clipped_gradients_changes_no_bit)
{
    pb_encoded *f = toy_set(40);
    pb_train_options o = options_with(3, 1e-2);
    o.clip = 1e-3;
    fixture a = fixture_with(&watched, 6), b = fixture_with(&unwatched, 6);
    memset(&seen, 0, sizeof seen);
    pb_result ra = train(&a, f, &o, 6), rb = train(&b, f, &o, 6);
    CHECK(gain_of(&a)->x[0] != 1 && same_parameters(&a, &b));
    pb_result_free(&ra);
    pb_result_free(&rb);
    fixture_close(&a);
    fixture_close(&b);
    toy_free(f);
}

TEST(a_step_without_finite_gradients_changes_nothing_and_has_no_end)
{
    pb_encoded *f = toy_set(40);
    pb_train_options o = options_with(1, 1e-2);
    fixture r = fixture_with(&watched, 6);
    memset(&seen, 0, sizeof seen);
    seen.changed_to = (double)INFINITY;
    pb_result out = train(&r, f, &o, 6);
    CHECK(seen.before == 1 && seen.after == 0 && gain_of(&r)->x[0] == 1);
    CHECK_TEXT(out.status, "diverged");
    pb_result_free(&out);
    fixture_close(&r);
    toy_free(f);
}

static void spoil_after(pb_build *b, const pb_step *at)
{
    if (at->step == at->steps - 1)
        pb_tensor(b, pb_next_target(b, NULL), "gain")->x[1] = (pb_real)NAN;
}

/* No loss tells that, and the class with the highest of scores that are not numbers would be the first one. */
TEST(a_run_whose_last_step_leaves_what_is_no_number_has_diverged)
{
    pb_encoded *f = toy_set(40);
    pb_train_options o = options_with(2, 1e-3);
    pb_method spoiling = unwatched;
    spoiling.hooks.after_step = spoil_after;
    fixture r = fixture_with(&spoiling, 6);
    pb_result out = train(&r, f, &o, 6);
    CHECK_TEXT(out.status, "diverged");
    CHECK(isfinite(pb_result_get(&out, -1, "train.last_loss")));
    pb_result_free(&out);
    fixture_close(&r);
    toy_free(f);
}

static void fail_after(pb_build *b, const pb_step *at)
{
    (void)b;
    if (at->step == 2)
        pb_error("no decomposition");
}

TEST(the_error_of_a_hook_ends_the_run)
{
    pb_encoded *f = toy_set(40);
    pb_train_options o = options_with(1, 1e-3);
    pb_method failing = unwatched;
    failing.hooks.after_step = fail_after;
    fixture r = fixture_with(&failing, 6);
    pb_result out;
    pb_result_init(&out);
    CHECK_INT(pb_train(r.model, f, pb_task_find("classify"), &o, 6, NULL, &out), -1);
    CHECK_TEXT(pb_error_text(), "step 2: no decomposition");
    pb_error_clear();
    pb_result_free(&out);
    fixture_close(&r);
    toy_free(f);
}

/* ---- kept numbers --------------------------------------------------------------------------------------------------- */

TEST(what_hooks_keep_is_planned_as_memory_of_the_optimizer_and_nothing_else)
{
    pb_encoded *f = toy_set(40);
    pb_train_options o = options_with(1, 1e-3);
    fixture r = fixture_with(&watched, 6);
    size_t moments = 2 * pb_arena_size(WIDTH * sizeof(pb_real)), kept = pb_arena_size(100 * sizeof(pb_real));
    pb_footprint foot;
    CHECK_INT(gain_of(&r)->cols, WIDTH);
    CHECK(!pb_train_plan(r.model, f, &o, 6, &foot));
    CHECK_INT((long long)foot.optimizer, (long long)(moments + kept));
    memset(&seen, 0, sizeof seen);
    pb_result out = train(&r, f, &o, 6); /* itself checks that it took as much */
    CHECK_INT((long long)pb_result_get(&out, -1, "memory.train.optimizer"), (long long)(moments + kept));
    CHECK_INT((long long)pb_model_counts(r.model).added, WIDTH);
    CHECK_INT((long long)pb_result_get(&out, -1, "storage.stored"), WIDTH + 2 * WIDTH + 2); /* the head's, too */
    CHECK(!pb_model_find(r.model, "layer.0.attn.q.watched.kept"));
    pb_result_free(&out);
    fixture_close(&r);
    toy_free(f);
}

/* ---- rates ------------------------------------------------------------------------------------------------------------ */

static double rate_of_test;
static bool fixed_is_rated;

static pb_node *rated_linear(pb_build *b, const pb_site *site, pb_node *x)
{
    pb_node *y = pb_inner_linear(b, site, x);
    if (!first_site(site))
        return y;
    pb_node *slow = pb_vector(b, site, "slow", site->out, pb_init_constant(1));
    pb_node *fast = pb_rated(pb_vector(b, site, "fast", site->out, pb_init_constant(1)), rate_of_test);
    pb_node *fixed = pb_fixed(b, site, "fixed", 1, site->out, pb_init_constant(1));
    if (fixed_is_rated)
        fixed = pb_rated(fixed, 2);
    y = pb_op_scale(b->graph, pb_op_scale(b->graph, y, slow), fast);
    return pb_op_scale(b->graph, y, fixed);
}

static const pb_method rated = {
    .name = "rated", .traits.category = PB_ADDITIVE, .hooks.select = pb_select_nothing, .hooks.linear = rated_linear};

TEST(a_tensor_learns_at_the_rate_that_its_method_gives_it)
{
    pb_real unused[WIDTH];
    rate_of_test = 3;
    fixed_is_rated = false;
    stepper s;
    start_steps(&s, fixture_with(&rated, 6), 0);
    const pb_param *slow = pb_model_find(s.model.model, "layer.0.attn.q.rated.slow"),
                   *fast = pb_model_find(s.model.model, "layer.0.attn.q.rated.fast");
    step_with(&s, 1, slow, unused);
    CHECK_NEAR(fabs((double)slow->x[0] - 1), 0.01, 1e-3);
    CHECK_NEAR(fabs((double)fast->x[0] - 1), 0.03, 1e-3);
    stop_steps(&s);
}

static void check_refused(double rate, bool rate_fixed, const char *want)
{
    pb_attached part = {&rated, NULL};
    pb_model *m = pb_model_open(&(pb_opening){.path = TINY, .classes = 2});
    rate_of_test = rate;
    fixed_is_rated = rate_fixed;
    CHECK(m && pb_model_attach(m, &part, 1));
    CHECK_TEXT(pb_error_text(), want);
    pb_error_clear();
    pb_model_free(m);
}

TEST(a_rate_without_a_meaning_is_refused)
{
    check_refused(0, false, "pb_rated: 'layer.0.attn.q.rated.fast': 0 times the learning rate, want a positive number");
    check_refused((double)NAN, false,
                  "pb_rated: 'layer.0.attn.q.rated.fast': nan times the learning rate, want a positive number");
    check_refused(2, true,
                  "pb_rated: 'layer.0.attn.q.rated.fixed' is no tensor of pb_added or pb_vector, so it has no "
                  "learning rate");
}

/* ---- penalties ---------------------------------------------------------------------------------------------------------- */

static double weight_of_test;

/* Twice the sum of the gain's elements, in two terms. */
static pb_node *penalized_linear(pb_build *b, const pb_site *site, pb_node *x)
{
    pb_node *y = pb_inner_linear(b, site, x);
    if (!first_site(site))
        return y;
    pb_node *gain = pb_vector(b, site, "gain", site->out, pb_init_constant(1));
    pb_penalty(b, pb_op_sum(b->graph, gain), weight_of_test);
    pb_penalty(b, pb_op_times(b->graph, pb_op_sum(b->graph, gain), 0.5), 2 * weight_of_test);
    return pb_op_scale(b->graph, y, gain);
}

static const pb_method penalized = {.name = "watched",
                                    .traits.category = PB_ADDITIVE,
                                    .hooks.select = pb_select_nothing,
                                    .hooks.linear = penalized_linear};

static const pb_batch two_texts = {
    .sequences = 2, .offset = fixture_offset, .ids = fixture_ids, .label = (const int[]){0, 1}};

/* Returns the training loss of two texts, and the gradient of the gain. */
static double loss_with(const pb_method *method, double weight, double *gradient)
{
    weight_of_test = weight;
    fixture r = fixture_with(method, 6);
    fixture_forward(&r, &two_texts, true, 0);
    pb_executor_backward(r.executor, r.graph);
    for (int i = 0; i < WIDTH; i++)
        gradient[i] = (double)gain_of(&r)->g[i];
    double loss = (double)pb_graph_loss(r.graph)->x[0];
    fixture_close(&r);
    return loss;
}

TEST(a_penalty_is_a_part_of_the_training_loss_and_of_its_gradient)
{
    double plain[WIDTH], with[WIDTH];
    double loss = loss_with(&penalized, 0, plain), more = loss_with(&penalized, 0.25, with);
    CHECK_NEAR(more - loss, 2 * 0.25 * WIDTH, 1e-5);
    for (int i = 0; i < WIDTH; i++)
        CHECK_NEAR(with[i] - plain[i], 2 * 0.25, 1e-5);
}

static pb_node *no_difference(pb_build *b, pb_node *first, pb_node *second)
{
    return pb_op_times(b->graph, pb_op_sum(b->graph, pb_op_add(b->graph, first, second)), 0);
}

TEST(a_penalty_counts_once_in_a_batch_that_runs_twice)
{
    pb_method twice = penalized;
    double plain[WIDTH], with[WIDTH];
    twice.hooks.consistency = no_difference;
    double loss = loss_with(&twice, 0, plain), more = loss_with(&twice, 0.25, with);
    CHECK_NEAR(loss, loss_with(&penalized, 0, plain), 1e-5);
    CHECK_NEAR(more - loss, 2 * 0.25 * WIDTH, 1e-5);
}

TEST(scoring_has_no_penalty)
{
    weight_of_test = 0.25;
    fixture r = fixture_with(&penalized, 6);
    fixture_forward(&r, &two_texts, false, 0);
    CHECK_TEXT(r.out.loss->op->name, "cross_entropy");
    fixture_close(&r);
}
