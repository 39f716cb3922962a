/* Training: the same bits for the same seed, frozen weights untouched, memory as planned. */
#include "toy.h"

#include "base/threads.h"
#include "train/score.h"

static const char *const specs[] = {"majority",
                                    "head",
                                    "full",
                                    "last-k",
                                    "bitfit",
                                    "layernorm",
                                    "lora:dropout=0.1",
                                    "ia3",
                                    "houlsby",
                                    "prefix",
                                    "prompt",
                                    "lora+prefix",
                                    "null",
                                    "adamix:bottleneck=8,experts=2",
                                    "sparse:within=matrix,share=0.05"};

TEST(the_same_seed_gives_the_same_bits)
{
    pb_encoded *f = toy_set(40);
    pb_train_options o = options_with(2, 1e-3);
    pb_threads_start(2);
    for (size_t i = 0; i < PB_COUNT(specs); i++) {
        fixture a = fixture_open(specs[i], 2, 6), b = fixture_open(specs[i], 2, 6), c = fixture_open(specs[i], 2, 6);
        pb_result ra = train(&a, f, &o, 6), rb = train(&b, f, &o, 6), rc = train(&c, f, &o, 7);
        CHECK(same_parameters(&a, &b));
        CHECK(same_parameters(&a, &c) == !strcmp(specs[i], "majority")); /* and another seed other bits */
        pb_result_free(&ra);
        pb_result_free(&rb);
        pb_result_free(&rc);
        fixture_close(&a);
        fixture_close(&b);
        fixture_close(&c);
    }
    pb_threads_stop();
    toy_free(f);
}

static int point_at(const pb_result *r, int step)
{
    for (size_t k = 0; k < r->fingerprints; k++)
        if (r->fingerprint[k].step == step)
            return (int)k;
    return -1;
}

/* The first tensor whose values (or gradient) at a point differ between two runs; -1: none, or no such point. */
static int first_difference(const pb_result *a, const pb_result *b, int step, bool gradient)
{
    int k = point_at(a, step), n = point_at(b, step);
    for (int i = 0; k >= 0 && n >= 0 && i < a->tensors; i++) {
        const pb_tensor_fingerprint *p = &a->fingerprint[k].print[i], *q = &b->fingerprint[n].print[i];
        if (gradient ? p->gradient != q->gradient : p->values != q->values)
            return i;
    }
    return -1;
}

TEST(a_run_leaves_a_trace_of_its_steps)
{
    pb_encoded *f = toy_set(40); /* 5 steps an epoch */
    pb_train_options o = options_with(3, 1e-3), faster = options_with(3, 2e-3);
    for (size_t i = 0; i < PB_COUNT(specs); i++) {
        fixture a = fixture_open(specs[i], 2, 6), b = fixture_open(specs[i], 2, 6);
        pb_result x = train(&a, f, &o, 6), y = train(&b, f, &faster, 6);
        const pb_series *loss = pb_result_find(&x, -1, "loss"), *norm = pb_result_find(&x, -1, "gradient_norm");
        int steps = a.model && x.tensors ? 15 : 0;
        CHECK(loss && norm && loss->count == steps && norm->count == steps);
        CHECK(pb_result_find(&x, 0, "logits") && pb_result_find(&x, -1, "logits"));
        CHECK(pb_result_find(&x, 0, "logits")->count == 8 * 2);
        CHECK(!steps == !pb_result_find(&x, 10, "logits") && !pb_result_find(&x, 20, "logits"));
        if (steps) { /* another rate is another run from the first step with a rate on; not before */
            CHECK(loss->x[0] == pb_result_find(&y, -1, "loss")->x[0]);
            CHECK_INT(first_difference(&x, &y, 0, false), -1);
            CHECK_INT(first_difference(&x, &y, 1, true), -1);
            CHECK(first_difference(&x, &y, 2, false) >= 0);
            CHECK(first_difference(&x, &y, -1, false) >= 0);
        }
        if (pb_result_find(&x, -1, "logits.merged"))
            CHECK(pb_model_can_merge(a.model));
        pb_result_free(&x);
        pb_result_free(&y);
        fixture_close(&a);
        fixture_close(&b);
    }
    toy_free(f);
}

TEST(frozen_weights_stay_bit_identical)
{
    pb_encoded *f = toy_set(24);
    pb_train_options o = options_with(3, 1e-2); /* 9 steps, so that each adapter of a mixture is drawn */
    for (size_t i = 0; i < PB_COUNT(specs); i++) {
        fixture before = fixture_open(specs[i], 2, 6), after = fixture_open(specs[i], 2, 6);
        pb_result r = train(&after, f, &o, 6);
        for (int k = 0; k < pb_model_params(after.model); k++) {
            const pb_param *p = pb_model_param(after.model, k), *q = pb_model_param(before.model, k);
            size_t bytes = pb_param_bytes(p);
            bool frozen = !p->trainable && p->kind != PB_ADDED; /* closed-form methods set their own */
            CHECK(!frozen || !memcmp(p->x, q->x, bytes));
            /* All that trains has moved, but what this network's gradient is zero for. */
            if (p->trainable && !memcmp(p->x, q->x, bytes) && !strstr(p->name, "attn.k"))
                CHECK_TEXT(p->name, "moved");
        }
        pb_result_free(&r);
        fixture_close(&before);
        fixture_close(&after);
    }
    toy_free(f);
}

TEST(memory_and_flops_are_what_the_plan_said)
{
    pb_encoded *f = toy_set(40);
    pb_train_options o = options_with(2, 1e-3);
    for (size_t i = 0; i < PB_COUNT(specs); i++) {
        fixture planned = fixture_open(specs[i], 2, 6), trained = fixture_open(specs[i], 2, 6);
        pb_footprint foot;
        CHECK(!pb_train_plan(planned.model, f, &o, 6, &foot));
        pb_result r = train(&trained, f, &o, 6); /* itself checks what it took against its plan */
        CHECK_INT((long long)pb_result_get(&r, -1, "memory.train.total"), (long long)pb_footprint_total(&foot));
        CHECK_INT((long long)pb_result_get(&r, -1, "memory.train.gradients"), (long long)foot.gradients);
        double prepare = pb_result_get(&r, -1, "memory.prepare.total"); /* absent if the method asks for nothing */
        CHECK_INT(isnan(prepare) ? 0 : (long long)prepare, (long long)pb_footprint_prepare(&foot));
        CHECK_INT(!isnan(prepare), !strncmp(specs[i], "sparse", 6));
        CHECK(pb_result_get(&r, -1, "compute.train_flops") == (double)pb_effort_flops(&foot.effort));
        pb_result_free(&r);
        fixture_close(&planned);
        fixture_close(&trained);
    }
    toy_free(f);
}

TEST(it_learns)
{
    pb_encoded *f = toy_set(200);
    pb_train_options o = options_with(12, 1e-2);
    o.dropout = 0; /* in a network of 16 units it is a wall, not a help */
    static const char *const able[] = {"full", "lora:targets=*", "houlsby", "bitfit"};
    for (size_t i = 0; i < PB_COUNT(able); i++) {
        fixture r = fixture_open(able[i], 2, 1);
        pb_result out = train(&r, f, &o, 1);
        if (!CHECK(pb_result_get(&out, PB_VALIDATION, "accuracy.validation.accuracy") > 0.9))
            printf("  %s: %g\n", able[i], pb_result_get(&out, PB_VALIDATION, "accuracy.validation.accuracy"));
        CHECK_INT(out.predictions, f->data->split[PB_VALIDATION].count);
        pb_result_free(&out);
        fixture_close(&r);
    }
    toy_free(f);
}

/* Of a method that is folded as well, whose values are then not finite. */
TEST(divergence_is_a_result)
{
    static const char *const spec[] = {"full", "lora:targets=*"}, *const tensor[] = {"layer.0.mlp.up.weight",
                                                                                     "layer.0.attn.q.lora.A"};
    pb_encoded *f = toy_set(40);
    pb_train_options o = options_with(4, 1000);
    o.clip = 0;
    o.warmup = 0;
    o.eps = 0;
    for (int i = 0; i < 2; i++) {
        fixture r = fixture_open(spec[i], 2, 1);
        pb_model_find(r.model, tensor[i])->x[0] = (pb_real)NAN;
        pb_footprint foot;
        CHECK(!pb_train_plan(r.model, f, &o, 1, &foot));
        pb_result out = train(&r, f, &o, 1);
        CHECK(pb_result_get(&out, -1, "compute.train_flops") < (double)pb_effort_flops(&foot.effort) / 10);
        CHECK_TEXT(out.status, "diverged");
        CHECK_INT(out.predictions, 0);
        CHECK(isnan(pb_result_get(&out, PB_VALIDATION, "accuracy.validation.accuracy")));
        CHECK(isnan(pb_result_get(&out, -1, "storage.changed")));
        pb_result_free(&out);
        fixture_close(&r);
    }
    toy_free(f);
}

/* The tiny BERT has 2 layers with matrices [16,16], [32,16] and [16,32]. */
TEST(a_run_tells_what_it_changes_in_the_base)
{
    static const struct {
        const char *spec;
        double changed, rank; /* rank -1: none is stored */
    } row[] = {
        {"head", 0, -1},
        {"prefix", 0, -1},
        {"houlsby", 2 * 4 * 16, -1},                /* trains the norms in place */
        {"bitfit", 2 * (7 * 16 + 32) + 2 * 16, -1}, /* 7 vectors and one of mlp.up in a layer; embeddings and pooler */
        {"lora:rank=3", 2 * 2 * 16 * 16, 3},
        {"lora:rank=3,targets=attn.q mlp.up,rank_pattern=mlp.up=5", 2 * (16 * 16 + 32 * 16), 4},
        {"lora:rank=3,targets=attn.q,dora=yes", 2 * 16 * 16, 16},
        {"ia3:targets=attn.k", 2 * (16 * 16 + 16), 16},
        {"bitfit+lora:rank=3", 2 * (7 * 16 + 32) + 2 * 16 + 2 * 2 * 16 * 16, 3},
    };
    pb_encoded *f = toy_set(40);
    pb_train_options o = options_with(2, 1e-2);
    for (size_t i = 0; i < PB_COUNT(row); i++) {
        fixture r = fixture_open(row[i].spec, 2, 1);
        pb_result out = train(&r, f, &o, 1);
        double changed = pb_result_get(&out, -1, "storage.changed"), rank = pb_result_get(&out, -1, "storage.rank");
        if (!CHECK(fabs(changed - row[i].changed) <= 0.02 * row[i].changed) || /* a change may round to nothing */
            !CHECK(row[i].rank < 0 ? isnan(rank) : rank == row[i].rank))
            printf("  %s: changed %g, rank %g\n", row[i].spec, changed, rank);
        pb_result_free(&out);
        fixture_close(&r);
    }
    toy_free(f);
}

static pb_node *shifted_linear(pb_build *b, const pb_site *site, pb_node *x)
{
    pb_node *t = pb_vector(b, site, "t", site->out, pb_init_constant(0.3));
    return pb_op_shift(b->graph, pb_inner_linear(b, site, x), t);
}

static const pb_method shifted = {
    .name = "shifted", .traits = {PB_ADDITIVE, .merges = true}, .hooks.linear = shifted_linear};

/* (w + t) - t is not w. */
TEST(a_method_that_changes_biases_changes_no_weight)
{
    pb_encoded *f = toy_set(40);
    pb_train_options o = options_with(2, 1e-2);
    fixture r = fixture_with(&shifted, 1);
    pb_result out = train(&r, f, &o, 1);
    CHECK_INT((long long)pb_result_get(&out, -1, "storage.changed"), 2 * (5 * 16 + 32));
    CHECK(pb_result_get(&out, -1, "storage.rank") == 0);
    pb_result_free(&out);
    fixture_close(&r);
    toy_free(f);
}

TEST(features_give_what_computing_them_each_time_gives)
{
    /* `null` passes every hook, so its features are kept as head's are; a zero-size method that
     * trains below the head too keeps none.  Dropout off: features are the same numbers. */
    pb_encoded *f = toy_set(40);
    pb_train_options o = options_with(3, 1e-2);
    o.dropout = 0;
    fixture kept = fixture_open("head", 2, 1);
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
    fixture_close(&kept);
    toy_free(f);
}

TEST(outputs_that_are_not_numbers_are_no_score)
{
    pb_encoded *f = toy_set(40);
    fixture r = fixture_open("head", 2, 1);
    pb_result scored;
    pb_result_init(&scored);
    fixture_param(&r, "head.weight")->x[0] = NAN;
    CHECK_INT(pb_score(r.model, f, pb_task_find("classify"), PB_VALIDATION, 5, &scored), -1);
    CHECK(strstr(pb_error_text(), "the model's outputs are NaN or infinite"));
    pb_error_clear();
    CHECK_INT(scored.predictions, 0);
    pb_result_free(&scored);
    fixture_close(&r);
    toy_free(f);
}

/* ---- stopping ----------------------------------------------------------------------------------------- */

/* A rate that is soon too high, and the same in runs of any length. */
static pb_train_options options_that_stop(int epochs, int patience)
{
    pb_train_options o = options_with(epochs, 3e-2);
    pb_option_set(pb_train_table, &o, "schedule", "constant");
    o.warmup = 0;
    o.patience = patience;
    return o;
}

static double score_of(const pb_result *r, int epoch, const pb_encoded *f, const pb_train_options *o)
{
    int steps = (f->items[PB_TRAIN] + o->batch - 1) / o->batch;
    return pb_result_at(r, PB_VALIDATION, epoch < 0 ? -1 : epoch * steps, "accuracy.validation.accuracy");
}

/* The result of `stopped`, which had patience, is that of a run that ended with its best epoch. */
static void check_best(const char *spec, const pb_encoded *f, const pb_train_options *o, const fixture *stopped,
                       const pb_result *r)
{
    int best = (int)pb_result_get(r, -1, "train.best_epoch");
    pb_train_options until = *o;
    until.epochs = best;
    until.patience = 0;
    fixture ended = fixture_open(spec, 2, 6);
    pb_result e = train(&ended, f, &until, 6);
    CHECK(same_parameters(stopped, &ended));
    CHECK_INT(e.predictions, r->predictions);
    for (size_t i = 0; i < e.predictions && i < r->predictions; i++)
        CHECK(!memcmp(&e.prediction[i], &r->prediction[i], sizeof e.prediction[i]));
    CHECK(score_of(r, -1, f, o) == score_of(r, best, f, o));
    for (int epoch = 1; epoch <= pb_result_get(r, -1, "train.epochs"); epoch++)
        CHECK(epoch < best ? score_of(r, epoch, f, o) < score_of(r, best, f, o)
                           : score_of(r, epoch, f, o) <= score_of(r, best, f, o));
    pb_result_free(&e);
    fixture_close(&ended);
}

static const char *const stopped[] = {"full", "head", "last-k", "lora:dropout=0.1", "prompt", "lora+prefix"};

TEST(the_best_epoch_is_the_result_of_patience)
{
    pb_encoded *f = toy_set(60);
    pb_train_options o = options_that_stop(30, 3);
    for (size_t i = 0; i < PB_COUNT(stopped); i++) {
        fixture r = fixture_open(stopped[i], 2, 6);
        pb_result out = train(&r, f, &o, 6);
        int epochs = (int)pb_result_get(&out, -1, "train.epochs");
        CHECK(epochs < o.epochs);
        CHECK_INT((int)pb_result_get(&out, -1, "train.best_epoch"), epochs - o.patience);
        check_best(stopped[i], f, &o, &r, &out);
        pb_result_free(&out);
        fixture_close(&r);
    }
    o.epochs = o.patience = 12; /* ends before the patience does: the best is the result all the same */
    fixture r = fixture_open("full", 2, 6);
    pb_result out = train(&r, f, &o, 6);
    CHECK_INT((int)pb_result_get(&out, -1, "train.epochs"), 12);
    CHECK((int)pb_result_get(&out, -1, "train.best_epoch") < 12);
    check_best("full", f, &o, &r, &out);
    pb_result_free(&out);
    fixture_close(&r);
    toy_free(f);
}

TEST(a_run_that_stopped_reports_what_it_did)
{
    pb_encoded *f = toy_set(60);
    pb_train_options o = options_that_stop(30, 3), short_run = options_that_stop(0, 0);
    for (size_t i = 0; i < PB_COUNT(stopped); i++) {
        fixture a = fixture_open(stopped[i], 2, 6), b = fixture_open(stopped[i], 2, 6);
        pb_footprint foot;
        CHECK(!pb_train_plan(a.model, f, &o, 6, &foot));
        pb_result r = train(&a, f, &o, 6);
        short_run.epochs = (int)pb_result_get(&r, -1, "train.epochs");
        pb_result s = train(&b, f, &short_run, 6);
        CHECK(pb_result_get(&r, -1, "compute.train_flops") == pb_result_get(&s, -1, "compute.train_flops"));
        CHECK(pb_result_get(&r, -1, "compute.forward_flops") == pb_result_get(&s, -1, "compute.forward_flops"));
        CHECK(pb_result_get(&r, -1, "compute.train_flops") < (double)pb_effort_flops(&foot.effort));
        CHECK_INT((long long)pb_result_get(&r, -1, "memory.train.total"), (long long)pb_footprint_total(&foot));
        CHECK(pb_result_get(&r, -1, "memory.train.best") >= 4 * (double)pb_model_counts(a.model).trainable);
        CHECK(pb_result_get(&s, -1, "memory.train.best") == 0);
        pb_result_free(&r);
        pb_result_free(&s);
        fixture_close(&a);
        fixture_close(&b);
    }
    toy_free(f);
}

static pb_result train_towards(const pb_encoded *f, double target)
{
    pb_train_options o = options_that_stop(12, 0);
    o.target = target;
    fixture r = fixture_open("full", 2, 6);
    pb_result out = train(&r, f, &o, 6);
    fixture_close(&r);
    return out;
}

TEST(what_the_target_took_is_recorded)
{
    pb_encoded *f = toy_set(60);
    pb_train_options o = options_that_stop(12, 0);
    pb_result none = train_towards(f, 0);
    int best = (int)pb_result_get(&none, -1, "train.best_epoch");
    CHECK(best >= 1 && best < 12);
    CHECK(isnan(pb_result_get(&none, -1, "compute.flops_to_target")));
    pb_result some = train_towards(f, score_of(&none, best, f, &o)), never = train_towards(f, 1.5);
    double flops = pb_result_get(&some, -1, "compute.flops_to_target");
    CHECK_NEAR(flops, pb_result_get(&some, -1, "compute.train_flops") * best / 12, 1e-9);
    double seconds = pb_result_get(&some, -1, "compute.seconds_to_target");
    CHECK(seconds > 0 && seconds < pb_result_get(&some, -1, "compute.train_seconds"));
    CHECK(isnan(pb_result_get(&never, -1, "compute.seconds_to_target")));
    CHECK(isnan(pb_result_get(&never, -1, "compute.flops_to_target")));
    pb_result_free(&none);
    pb_result_free(&some);
    pb_result_free(&never);
    toy_free(f);
}

/* ---- structure that is drawn in each step -------------------------------------------------------------------- */

/* Bottlenecks that are left out in some steps, as AdapterDrop leaves out adapters. */
static pb_node *bottleneck(pb_build *b, const pb_site *site, pb_node *y, bool out)
{
    pb_node *down = pb_added(b, site, "down", 4, site->in, pb_init_normal(0.5));
    pb_node *up = pb_added(b, site, "up", site->out, 4, pb_init_normal(0.5));
    return out ? y : pb_op_linear_add(b->graph, y, pb_op_linear(b->graph, y, down, NULL), up, 1);
}

/* In the steps that draw `left_out`. */
static int left_out;

static pb_node *drawn_block(pb_build *b, const pb_site *site, pb_node *x, pb_node *y)
{
    (void)x;
    int *draw = pb_memo(b, sizeof *draw); /* + 1 */
    *draw = *draw ? *draw : 1 + pb_draw(b, 2);
    return bottleneck(b, site, y, *draw == 1 + left_out);
}

static const pb_method drawn = {.name = "drawn", .traits.category = PB_ADDITIVE, .hooks.block = drawn_block};

/* Whatever the first graph draws, by which features of the frozen base would be kept if it leaves out all. */
TEST(structure_that_is_drawn_runs_as_planned)
{
    pb_encoded *f = toy_set(40);
    pb_train_options o = options_with(2, 1e-3);
    for (left_out = 0; left_out < 2; left_out++) {
        fixture planned = fixture_with(&drawn, 6), trained = fixture_with(&drawn, 6);
        pb_footprint foot;
        CHECK(!pb_train_plan(planned.model, f, &o, 6, &foot));
        pb_result r = train(&trained, f, &o, 6); /* aborts if it did not run as planned */
        CHECK(pb_result_get(&r, -1, "compute.train_flops") == (double)pb_effort_flops(&foot.effort));
        CHECK(pb_result_get(&r, -1, "memory.train.features") == 0);
        pb_result_free(&r);
        fixture_close(&planned);
        fixture_close(&trained);
    }
    toy_free(f);
}

/* In the steps with an odd key. */
static pb_node *odd_block(pb_build *b, const pb_site *site, pb_node *x, pb_node *y)
{
    (void)x;
    return bottleneck(b, site, y, b->drop_key & 1);
}

static const pb_method odd = {.name = "odd", .traits.category = PB_ADDITIVE, .hooks.block = odd_block};

TEST(a_parameter_that_the_graph_does_not_reach_stays_as_it_is)
{
    const double decay = 0.01;
    stepper s;
    start_steps(&s, fixture_with(&odd, 6), decay);
    const pb_param *up = pb_model_find(s.model.model, "layer.0.attn.odd.up"),
                   *head = pb_model_find(s.model.model, "head.weight");
    pb_real before[64 * 64], head_before[64 * 64];
    if (CHECK(up && head && up->rows * up->cols <= 64 * 64 && head->rows * head->cols <= 64 * 64)) {
        size_t bytes = (size_t)up->rows * (size_t)up->cols * sizeof *up->x;
        step_with(&s, 1, up, before); /* left out before it has any moments */
        CHECK(!memcmp(up->x, before, bytes));
        step_with(&s, 2, up, before);
        /* Its first step, of Adam's size: |change| is the rate, but for the decay and eps. */
        CHECK_NEAR(fabs((double)(up->x[0] - before[0] * (pb_real)(1 - 0.01 * decay))), 0.01, 1e-4);
        step_with(&s, 3, up, before); /* left out: no old gradient is applied again */
        CHECK(!memcmp(up->x, before, bytes));
        step_with(&s, 5, head, head_before);
        CHECK(memcmp(head->x, head_before, sizeof *head->x) != 0); /* what is reached goes on */
    }
    stop_steps(&s);
}

/* ---- weight decay --------------------------------------------------------------------------------------------- */

/* The gradient of A is zero while B is zero, so that only the decay moves A. */
TEST(a_matrix_of_one_row_decays_and_a_vector_does_not)
{
    stepper s;
    start_steps(&s, fixture_open("lora:rank=1,dora=yes", 2, 6), 1);
    const pb_param *A = pb_model_find(s.model.model, "layer.0.attn.q.lora.A"),
                   *m = pb_model_find(s.model.model, "layer.0.attn.q.lora.m");
    pb_real before[4096], m_before[4096];
    if (CHECK(A && m && A->rows == 1 && A->cols <= 4096 && m->cols <= 4096)) {
        memcpy(m_before, m->x, (size_t)m->cols * sizeof *m_before);
        step_with(&s, 1, A, before);
        CHECK_NEAR((double)A->x[0], 0.99 * (double)before[0], 1e-6);
        CHECK_NEAR(fabs((double)(m->x[0] - m_before[0])), 0.01, 1e-3);
    }
    stop_steps(&s);
}

/* ---- rates of single parameters --------------------------------------------------------------------------------- */

/* Adam's first step is of the size of the rate, whatever the gradient is; the decay has the same rate. */
TEST(a_parameter_may_have_a_rate_of_its_own)
{
    stepper s;
    start_steps(&s, fixture_open("lora:rank=1,dora=yes", 2, 6), 1);
    pb_param *A = pb_model_find(s.model.model, "layer.0.attn.q.lora.A"),
             *m = pb_model_find(s.model.model, "layer.0.attn.q.lora.m"),
             *other = pb_model_find(s.model.model, "layer.0.attn.v.lora.m");
    pb_real before[4096], m_before[4096], other_before[4096];
    if (CHECK(A && m && other && A->cols <= 4096 && m->cols <= 4096 && other->cols <= 4096)) {
        CHECK(A->rate == 1 && m->rate == 1);
        A->rate = 3;
        m->rate = 0.25;
        memcpy(m_before, m->x, (size_t)m->cols * sizeof *m_before);
        memcpy(other_before, other->x, (size_t)other->cols * sizeof *other_before);
        step_with(&s, 1, A, before);
        CHECK_NEAR((double)A->x[0], 0.97 * (double)before[0], 1e-6);
        CHECK_NEAR(fabs((double)(m->x[0] - m_before[0])), 0.0025, 1e-3);
        CHECK_NEAR(fabs((double)(other->x[0] - other_before[0])), 0.01, 1e-3);
    }
    stop_steps(&s);
}

/* ---- what a method keeps beside what trains ------------------------------------------------------------------- */

static pb_node *counting_block(pb_build *b, const pb_site *site, pb_node *x, pb_node *y)
{
    (void)x;
    return pb_op_scale(b->graph, y, pb_fixed(b, site, "kept", 1, site->out, pb_init_constant(1)));
}

/* Stands for a method that changes a tensor of its own while training, such as a mask. */
static void count_in_the_kept_tensor(void *ctx, int step, int steps, double loss)
{
    (void)steps;
    (void)loss;
    ((pb_param *)ctx)->x[0] = (pb_real)(1 + 1e-6 * step);
}

TEST(the_best_epoch_is_restored_with_what_the_method_keeps)
{
    static const pb_method counting = {
        .name = "counting", .traits.category = PB_ADDITIVE, .hooks.block = counting_block};
    pb_encoded *f = toy_set(60);
    pb_train_options o = options_that_stop(12, 3);
    fixture r = fixture_with(&counting, 6);
    pb_param *kept = pb_model_find(r.model, "layer.0.attn.counting.kept");
    if (CHECK(kept != NULL)) {
        pb_progress progress = {count_in_the_kept_tensor, kept};
        pb_result out;
        pb_result_init(&out);
        CHECK(!pb_train(r.model, f, pb_task_find("classify"), &o, 6, &progress, &out));
        int best = (int)pb_result_get(&out, -1, "train.best_epoch"),
            epochs = (int)pb_result_get(&out, -1, "train.epochs");
        CHECK(best >= 1 && best < epochs);
        CHECK(kept->x[0] == (pb_real)(1 + 1e-6 * best * ((f->items[PB_TRAIN] + o.batch - 1) / o.batch)));
        pb_result_free(&out);
    }
    fixture_close(&r);
    toy_free(f);
}
