/* AdaLoRA while it trains: the budget, the importance, what is masked, and the limits in which it is LoRA. */
#include "toy.h"

#include <math.h>
#include <unistd.h>

#include "model/internal.h"

enum { RANK = 4, TARGET = 2, TARGETS = 4, ALL = RANK * TARGETS, INTERVAL = 3 };

static const pb_method *adalora(void)
{
    return pb_method_find("adalora");
}

/* The i-th targeted projection: attn.q and attn.v of both layers. */
static const pb_site *site_at(const pb_model *m, int i)
{
    return &m->layer[i / 2].site[i % 2 ? V : Q];
}

static pb_param *added(const pb_model *m, int i, const char *name)
{
    return pb_params_find_added(m, adalora(), site_at(m, i), name);
}

static pb_real *kept(const pb_model *m, int i, const char *name)
{
    char full[PB_ADDED_NAME];
    return pb_params_find_state(m, pb_params_added_name(adalora(), site_at(m, i), name, full))->x;
}

static int total_rank(const pb_model *m)
{
    int rank = 0;
    for (int i = 0; i < TARGETS; i++)
        for (int k = 0; k < RANK; k++)
            rank += added(m, i, "lambda")->x[k] != 0;
    return rank;
}

/* ---- the budget -------------------------------------------------------------------------------------------------- */

typedef struct watch {
    pb_model *m;
    int first, last, checked, returned; /* steps t_i and T - t_f; steps at which triplets were back */
} watch;

/* b(t) = b(T) + (b(0) - b(T)) (1 - (t - t_i) / (T - t_i - t_f))^3, cut to an integer, in steps from 0. */
static int budget(const watch *w, int step)
{
    double left = step >= w->last ? 0 : 1 - (step - w->first) / (double)(w->last - w->first);
    return step <= w->first ? ALL : (int)(TARGET * TARGETS + (RANK - TARGET) * TARGETS * pow(left, 3));
}

static void watch_budget(void *ctx, int number, int steps, double loss)
{
    watch *w = ctx;
    int step = number - 1;
    (void)steps, (void)loss;
    if (step <= w->first)
        CHECK_INT(total_rank(w->m), ALL);
    else if (step >= w->last || step % INTERVAL == 0)
        CHECK_INT(total_rank(w->m), budget(w, step)), w->checked++;
    else if (step - w->first > INTERVAL)
        w->returned += total_rank(w->m) == ALL;
}

/* 40 texts in batches of 8: 5 steps an epoch, 40 steps; t_i = 4, t_f = 12. */
TEST(the_total_rank_follows_the_budget_at_every_step)
{
    pb_encoded *f = toy_set(40);
    pb_train_options o = options_with(8, 1e-2);
    o.warmup = 0; /* lambda moves from the first step on */
    fixture r = fixture_open("adalora:rank=4,target_rank=2,interval=3,tinit=0.1,tfinal=0.3", 2, 6);
    watch w = {r.model, 4, 28, 0, 0};
    pb_progress progress = {watch_budget, &w};
    pb_result out;
    pb_result_init(&out);
    CHECK(!pb_train(r.model, f, pb_task_find("classify"), &o, 6, &progress, &out));
    CHECK_INT(w.checked, 8 + 12); /* steps 6, 9, .. 27, and all from 28 on */
    CHECK(w.returned > 0);        /* between two allocations masked triplets learn again */
    CHECK_INT(total_rank(r.model), TARGET * TARGETS);
    pb_result_free(&out);
    fixture_close(&r);
    toy_free(f);
}

TEST(without_a_final_share_the_last_step_has_the_final_budget)
{
    pb_encoded *f = toy_set(40);
    for (int epochs = 1; epochs <= 2; epochs++) {
        pb_train_options o = options_with(epochs, 1e-2);
        fixture r = fixture_open("adalora:rank=4,target_rank=2,interval=1000,tinit=0,tfinal=0", 2, 6);
        pb_result out = train(&r, f, &o, 6);
        CHECK_INT(total_rank(r.model), TARGET * TARGETS);
        pb_result_free(&out);
        fixture_close(&r);
    }
    toy_free(f);
}

/* ---- the best epoch ------------------------------------------------------------------------------------------------ */

typedef struct epochs {
    pb_model *m;
    pb_real lambda[64][ALL]; /* at the end of each epoch */
} epochs;

static void copy_lambda(const pb_model *m, pb_real *to)
{
    for (int i = 0; i < TARGETS; i++)
        memcpy(to + i * RANK, added(m, i, "lambda")->x, RANK * sizeof *to);
}

static void watch_epochs(void *ctx, int number, int steps, double loss)
{
    epochs *e = ctx;
    (void)steps, (void)loss;
    if (number % 5 == 0)
        copy_lambda(e->m, e->lambda[number / 5]);
}

TEST(the_best_epoch_is_restored_with_its_mask)
{
    pb_encoded *f = toy_set(40);
    pb_train_options o = options_with(12, 3e-2);
    o.patience = 12;
    fixture r = fixture_open("adalora:rank=4,target_rank=1,tinit=0.1,tfinal=0.1", 2, 6);
    static epochs e;
    e.m = r.model;
    pb_progress progress = {watch_epochs, &e};
    pb_result out;
    pb_result_init(&out);
    CHECK(!pb_train(r.model, f, pb_task_find("classify"), &o, 6, &progress, &out));
    int best = (int)pb_result_get(&out, -1, "train.best_epoch");
    pb_real last[ALL];
    copy_lambda(r.model, last);
    CHECK(best >= 1 && best < 12 && !memcmp(last, e.lambda[best], sizeof last));
    CHECK(memcmp(last, e.lambda[12], sizeof last) != 0);
    pb_result_free(&out);
    fixture_close(&r);
    toy_free(f);
}

/* ---- importance, computed here once more --------------------------------------------------------------------------- */

static const char *const part[] = {"P", "lambda", "Q"};

typedef struct averages {
    double mean[64], distance[64];
} averages;

/* The running averages of every element of every part, by the definitions (section 3.2 of the paper). */
static void follow(const pb_model *m, averages all[TARGETS][3])
{
    for (int i = 0; i < TARGETS; i++)
        for (int k = 0; k < 3; k++) {
            const pb_param *p = added(m, i, part[k]);
            averages *a = &all[i][k];
            for (int j = 0; j < p->rows * p->cols; j++) {
                double sensitivity = fabs((double)p->x[j] * (double)p->g[j]);
                a->mean[j] = 0.8 * a->mean[j] + 0.2 * sensitivity;
                a->distance[j] = 0.6 * a->distance[j] + 0.4 * fabs(sensitivity - a->mean[j]);
            }
        }
}

/* S_i = s(lambda_i) + mean_j s(P_ji) + mean_j s(Q_ij), with s = sensitivity * uncertainty. */
static double importance(const pb_model *m, averages all[TARGETS][3], int i, int k)
{
    const averages *p = &all[i][0], *lambda = &all[i][1], *q = &all[i][2];
    int out = added(m, i, "P")->rows, in = added(m, i, "Q")->cols;
    double columns = 0, rows = 0;
    for (int j = 0; j < out; j++)
        columns += p->mean[j * RANK + k] * p->distance[j * RANK + k] / out;
    for (int j = 0; j < in; j++)
        rows += q->mean[k * in + j] * q->distance[k * in + j] / in;
    return lambda->mean[k] * lambda->distance[k] + columns + rows;
}

/* The number of triplets that are more important. */
static int place(const pb_model *m, averages all[TARGETS][3], int i, int k)
{
    int before = 0;
    for (int j = 0; j < ALL; j++)
        before += importance(m, all, j / RANK, j % RANK) > importance(m, all, i, k);
    return before;
}

static void check_averages(const pb_model *m, averages all[TARGETS][3])
{
    static const char *const name[] = {"P.averages", "lambda.averages", "Q.averages"};
    for (int i = 0; i < TARGETS; i++)
        for (int k = 0; k < 3; k++)
            for (int j = 0, n = added(m, i, part[k])->rows * added(m, i, part[k])->cols; j < n; j++) {
                CHECK_NEAR((double)kept(m, i, name[k])[j], all[i][k].mean[j], 1e-4);
                CHECK_NEAR((double)kept(m, i, name[k])[n + j], all[i][k].distance[j], 1e-3);
            }
}

/* A masked value is gone when the test sees it; what was measured of it in that step is taken from the method. */
static void adopt_masked(const pb_model *m, averages all[TARGETS][3])
{
    for (int i = 0; i < TARGETS; i++)
        for (int k = 0; k < RANK; k++)
            if (added(m, i, "lambda")->x[k] == 0) {
                all[i][1].mean[k] = (double)kept(m, i, "lambda.averages")[k];
                all[i][1].distance[k] = (double)kept(m, i, "lambda.averages")[RANK + k];
            }
}

static void check_mask(const pb_model *m, averages all[TARGETS][3], int most)
{
    CHECK_INT(total_rank(m), most);
    for (int i = 0; i < TARGETS; i++)
        for (int k = 0; k < RANK; k++)
            CHECK_INT(added(m, i, "lambda")->x[k] != 0, place(m, all, i, k) < most);
}

/* The first allocation is that of step 6; from step 7 on the budget is final and nothing is measured. */
TEST(the_most_important_triplets_of_all_projections_stay)
{
    static const char spec[] = "adalora:rank=4,target_rank=1,tinit=0,tfinal=0.3,interval=6,beta1=0.8,beta2=0.6";
    static averages all[TARGETS][3];
    const int item[] = {0, 1, 2, 3, 4, 5, 6, 7};
    stepper s;
    start_steps(&s, fixture_open(spec, 2, 6), 0);
    s.options.clip = 0.05; /* what is clipped is measured */
    const pb_model *m = s.model.model;
    for (int step = 0; step < 10; step++) {
        CHECK(!pb_runner_run(&s.runner,
                             &(pb_runner_batch){.split = PB_TRAIN, .item = item, .count = 8, .training = true}));
        pb_optim_step(s.optim, s.runner.graph, &(pb_step){.step = step, .steps = 10, .rate = 0.01});
        if (step < 7)
            follow(m, all);
        if (step == 6)
            adopt_masked(m, all);
        check_averages(m, all);
        if (step >= 6)
            check_mask(m, all, step == 6 ? (int)(TARGETS + 3 * TARGETS * pow(1 / 7.0, 3)) : TARGETS);
        else
            CHECK_INT(total_rank(m), ALL);
    }
    stop_steps(&s);
}

/* ---- limits -------------------------------------------------------------------------------------------------------- */

static void copy_value(pb_param *to, const pb_param *from)
{
    CHECK(to && from && to->rows == from->rows && to->cols == from->cols);
    memcpy(to->x, from->x, (size_t)to->rows * (size_t)to->cols * sizeof *to->x);
}

static double distance(const pb_param *a, const pb_param *b)
{
    double worst = 0;
    for (int i = 0; i < a->rows * a->cols; i++)
        worst = fmax(worst, fabs((double)a->x[i] - (double)b->x[i]));
    return worst;
}

/* With lambda = 1, without a penalty and with a budget for all, P is B and Q is A of a LoRA that is scaled alike. */
TEST(with_lambda_one_and_no_penalty_it_is_lora)
{
    char *spec = pb_format("lora:rank=4,alpha=%.17g", 3 * 4 / (4 + 1e-5));
    const pb_method *lora = pb_method_find("lora");
    const int item[] = {0, 1, 2, 3, 4, 5, 6, 7};
    stepper a, b;
    start_steps(&a, fixture_open("adalora:rank=4,target_rank=4,alpha=3,orthogonality=0", 2, 6), 0.1);
    start_steps(&b, fixture_open(spec, 2, 6), 0.1);
    for (int i = 0; i < TARGETS; i++) {
        pb_param *lambda = added(a.model.model, i, "lambda");
        lambda->trainable = false;
        for (int k = 0; k < RANK; k++)
            lambda->x[k] = 1;
        copy_value(pb_params_find_added(b.model.model, lora, site_at(b.model.model, i), "A"),
                   added(a.model.model, i, "Q"));
        copy_value(pb_params_find_added(b.model.model, lora, site_at(b.model.model, i), "B"),
                   added(a.model.model, i, "P"));
    }
    for (int step = 0; step < 5; step++) {
        const pb_runner_batch batch = {.split = PB_TRAIN, .item = item, .count = 8, .training = true};
        const pb_step at = {.step = step, .steps = 5, .rate = 0.01};
        CHECK(!pb_runner_run(&a.runner, &batch) && !pb_runner_run(&b.runner, &batch));
        CHECK_NEAR((double)pb_graph_loss(a.runner.graph)->x[0], (double)pb_graph_loss(b.runner.graph)->x[0], 1e-5);
        pb_optim_step(a.optim, a.runner.graph, &at);
        pb_optim_step(b.optim, b.runner.graph, &at);
    }
    for (int i = 0; i < TARGETS; i++) {
        const pb_model *m = b.model.model;
        CHECK(distance(added(a.model.model, i, "Q"), pb_params_find_added(m, lora, site_at(m, i), "A")) < 1e-3);
        CHECK(distance(added(a.model.model, i, "P"), pb_params_find_added(m, lora, site_at(m, i), "B")) < 1e-3);
    }
    stop_steps(&a);
    stop_steps(&b);
    free(spec);
}

/* ---- the penalty ----------------------------------------------------------------------------------------------------- */

static double off_orthogonality(const pb_param *p, bool columns)
{
    double sum = 0;
    int vectors = columns ? p->cols : p->rows, length = columns ? p->rows : p->cols;
    for (int i = 0; i < vectors; i++)
        for (int k = 0; k < vectors; k++) {
            double product = i == k ? -1 : 0;
            for (int j = 0; j < length; j++)
                product += columns ? (double)p->x[j * vectors + i] * (double)p->x[j * vectors + k]
                                   : (double)p->x[i * length + j] * (double)p->x[k * length + j];
            sum += product * product;
        }
    return sqrt(sum);
}

TEST(the_penalty_is_the_mean_distance_from_orthogonality)
{
    double loss[2], mean = 0;
    for (int k = 0; k < 2; k++) {
        fixture r = fixture_open(k ? "adalora:rank=4,target_rank=2,orthogonality=0.3"
                                   : "adalora:rank=4,target_rank=2,orthogonality=0",
                                 3, 6);
        fixture_forward(&r, &fixture_batch, true, 0);
        loss[k] = (double)pb_graph_loss(r.graph)->x[0];
        for (int i = 0; i < TARGETS && k; i++)
            mean +=
                (off_orthogonality(added(r.model, i, "P"), true) + off_orthogonality(added(r.model, i, "Q"), false)) /
                (2 * TARGETS);
        fixture_close(&r);
    }
    CHECK_NEAR(loss[1] - loss[0], 0.3 * mean, 1e-5);
}

/* ---- numbers of elements and bytes ----------------------------------------------------------------------------------- */

/* Opens the shapes of a model with methods attached; the caller closes it. */
static fixture shapes_of(const char *path, const char *spec)
{
    fixture r = {.arena = pb_arena_new("shapes"), .values = pb_arena_new("shapes"), .executor = pb_executor_new()};
    r.model = pb_model_open(&(pb_opening){.path = path, .classes = 2, .shapes_only = true});
    if (!r.model || pb_attached_parse(spec, r.part, &r.parts) || pb_model_attach(r.model, r.part, r.parts))
        PB_BUG("%s", pb_error_text());
    return r;
}

static long long count_in(const char *path, const char *spec)
{
    fixture r = shapes_of(path, spec);
    long long count = (long long)pb_model_counts(r.model).added;
    fixture_close(&r);
    return count;
}

/* The matrices of the layers of DeBERTaV3-base, which are those of BERT-base: four of 768x768 and two of 768x3072 in
 * each of twelve layers.  The paper (table 1) has 1.33M parameters for LoRA of rank 8.  AdaLoRA's 1.27M are those of
 * the 576 triplets that are left of 72 * 12; the number depends on which. */
TEST(its_counts_are_those_of_the_paper)
{
    static const char config[] =
        "{\"model_type\": \"bert\", \"vocab_size\": 30, \"hidden_size\": 768, \"num_hidden_layers\": 12,"
        " \"num_attention_heads\": 12, \"intermediate_size\": 3072, \"max_position_embeddings\": 16,"
        " \"type_vocab_size\": 2, \"hidden_act\": \"gelu\"}";
    enum { SIZES = 12 * (4 * (768 + 768) + 2 * (768 + 3072)), MATRICES = 12 * 6 };
    char dir[] = "/tmp/peftbench-adalora-XXXXXX";
    PB_CHECK(mkdtemp(dir) != NULL);
    char *path = pb_format("%s/config.json", dir);
    PB_CHECK(!pb_write_file(path, config, sizeof config - 1));
    CHECK_INT(count_in(dir, "lora:rank=8,targets=*"), 8 * SIZES);
    CHECK_NEAR(8 * SIZES / 1e6, 1.33, 0.003);
    CHECK_INT(count_in(dir, "adalora:rank=12,targets=*"), 12 * SIZES + 12 * MATRICES);
    CHECK(576 * (2 * 768 + 1) < 1.27e6 && 1.27e6 < 576 * (768 + 3072 + 1));
    pb_remove_tree(dir);
    free(path);
}

static pb_footprint planned(const char *spec, const pb_encoded *f, const pb_train_options *o)
{
    fixture r = shapes_of(TINY, spec);
    pb_footprint foot;
    CHECK(!pb_train_plan(r.model, f, o, 6, &foot));
    fixture_close(&r);
    return foot;
}

static long long bytes_of(int elements)
{
    return (long long)pb_arena_size((size_t)elements * sizeof(pb_real));
}

/* Beside a LoRA of the same rank at the same projections [16,16]: lambda, its gradient and moments; two averages for
 * each element that trains in a triplet; the importance of all triplets. */
TEST(its_planned_memory_is_lora_s_and_the_averages)
{
    pb_encoded *f = toy_set(40);
    pb_train_options o = options_with(2, 1e-3);
    pb_footprint lora = planned("lora:rank=4", f, &o), ours = planned("adalora:rank=4,target_rank=2", f, &o);
    long long lambda = bytes_of(RANK);
    printf("  bytes          weights gradients optimizer activations workspace     total\n");
    printf("  lora:rank=4    %7zu %9zu %9zu %11zu %9zu %9zu\n", lora.weights, lora.gradients, lora.optimizer,
           lora.activations, lora.workspace, pb_footprint_total(&lora));
    printf("  adalora:rank=4 %7zu %9zu %9zu %11zu %9zu %9zu\n", ours.weights, ours.gradients, ours.optimizer,
           ours.activations, ours.workspace, pb_footprint_total(&ours));
    CHECK_INT((long long)(ours.weights - lora.weights), ALL * (long long)sizeof(pb_real));
    CHECK_INT((long long)(ours.gradients - lora.gradients), TARGETS * lambda);
    CHECK_INT((long long)(ours.optimizer - lora.optimizer),
              TARGETS * (2 * lambda + 2 * bytes_of(2 * RANK * 16) + bytes_of(2 * RANK)) + bytes_of(ALL));
    toy_free(f);
}

TEST(what_cannot_be_is_refused)
{
    static const char *const spec[] = {"adalora:rank=4,target_rank=5", "adalora:tinit=0.5,tfinal=0.5"};
    static const char *const want[] = {"adalora: target_rank: want at most the rank, 4, got 5",
                                       "adalora: tinit + tfinal: want less than 1, got 1"};
    for (int i = 0; i < 2; i++) {
        pb_testbed r;
        CHECK(pb_testbed_open(&r, TINY, false, spec[i], 2, 1));
        CHECK_TEXT(pb_error_text(), want[i]);
        pb_error_clear();
    }
}
