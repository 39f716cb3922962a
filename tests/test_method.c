/* The conformance suite: what every method of methods/ promises, and some compositions.  A new
 * file in that folder is held to all of it without a change here. */
#include "rig.h"

#ifdef PB_REAL_DOUBLE
#define EXACT 1e-12
#define SLOPE 1e-6
#define STEP 1e-5
#else
#define EXACT 2e-5
#define SLOPE 3e-2
#define STEP 1e-2
#endif

static const char *const compositions[] = {"lora+prefix",         "lora+houlsby",
                                           "bitfit+ia3",          "prompt+lora:dropout=0.2",
                                           "lora:targets=*",      "prefix:mlp=yes,hidden=8",
                                           "last-k:k=1+layernorm"};

/* These take a part of what they compute as a constant: their gradient is no slope. */
static const char *const detached[] = {"lora:dora=yes", "bitfit+lora:dora=yes,targets=*", "lora:dora=yes+ia3"};

/* Calls `check` for every method and composition whose gradient is the slope of the loss. */
static void for_slopes(void (*check)(const char *spec))
{
    for (const pb_method *const *m = pb_methods; *m; m++)
        check((*m)->name);
    for (size_t i = 0; i < PB_COUNT(compositions); i++)
        check(compositions[i]);
}

/* Calls `check` for every method and composition. */
static void for_all(void (*check)(const char *spec))
{
    for_slopes(check);
    for (size_t i = 0; i < PB_COUNT(detached); i++)
        check(detached[i]);
}

static double *values_of(const pb_node *n)
{
    double *x = pb_alloc((size_t)(n->rows * n->cols) * sizeof *x);
    for (int i = 0; i < n->rows * n->cols; i++)
        x[i] = (double)n->x[i];
    return x;
}

static double *logits_of(rig *r, const pb_batch *b)
{
    rig_forward(r, b, false, 0);
    return values_of(pb_graph_output(r->graph));
}

static double distance(int n, const double *a, const double *b)
{
    double worst = 0;
    for (int i = 0; i < n; i++)
        worst = fmax(worst, isfinite(a[i]) && isfinite(b[i]) ? fabs(a[i] - b[i]) : INFINITY);
    return worst;
}

static bool held(const char *spec, bool good)
{
    if (!good)
        printf("  %s\n", spec);
    return good;
}

/* ---- before training ---------------------------------------------------------------------------------- */

static void check_identity(const char *spec)
{
    rig base = rig_open("", 3, 5), r = rig_open(spec, 3, 5);
    bool promised = true;
    for (int i = 0; i < r.parts; i++)
        promised = promised && r.part[i].method->identity;
    double *want = logits_of(&base, &rig_batch), *got = logits_of(&r, &rig_batch);
    CHECK(held(spec, !promised || distance(15, want, got) <= EXACT));
    free(want);
    free(got);
    rig_close(&base);
    rig_close(&r);
}

TEST(starts_as_the_base_model_where_it_promises_to)
{
    for_all(check_identity);
}

static void check_counts(const char *spec)
{
    rig r = rig_open(spec, 3, 0);
    pb_counts c = pb_model_counts(r.model);
    uint64_t trainable = 0, all = 0;
    rig_forward(&r, &rig_batch, true, 0);
    for (int i = 0; i < pb_model_params(r.model); i++) {
        const pb_param *p = pb_model_param(r.model, i);
        uint64_t n = (uint64_t)p->rows * (uint64_t)p->cols;
        all += n;
        trainable += p->trainable ? n : 0;
    }
    CHECK(held(spec, trainable == c.trainable && all == c.base + c.head + c.added));
    CHECK(held(spec, pb_model_weight_bytes(r.model) == all * sizeof(pb_real)));
    rig_close(&r);
}

TEST(counts_equal_what_is_there)
{
    for_all(check_counts);
}

/* ---- gradients ------------------------------------------------------------------------------------------ */

static double loss_of(rig *r)
{
    rig_forward(r, &rig_batch, true, 0.1); /* the rig's masks are always the same */
    return (double)pb_graph_loss(r->graph)->x[0];
}

/* Moves all trainable parameters along `direction` by t. */
static void move(rig *r, const double *direction, double t)
{
    size_t at = 0;
    for (int i = 0; i < pb_model_params(r->model); i++) {
        pb_param *p = pb_model_param(r->model, i);
        for (size_t k = 0; p->trainable && k < (size_t)p->rows * (size_t)p->cols; k++)
            p->x[k] += (pb_real)(t * direction[at++]);
    }
}

/* A random direction of length 1 among the trainable parameters. */
static double *random_direction(rig *r)
{
    size_t n = (size_t)pb_model_counts(r->model).trainable;
    double *d = pb_alloc(n * sizeof *d), sum = 0;
    pb_rng rng = pb_rng_named(4, "direction");
    for (size_t i = 0; i < n; i++) {
        d[i] = pb_rng_normal(&rng);
        sum += d[i] * d[i];
    }
    for (size_t i = 0; i < n; i++)
        d[i] /= sqrt(sum);
    return d;
}

static double slope_along(rig *r, const double *direction)
{
    double slope = 0;
    size_t at = 0;
    for (int i = 0; i < pb_model_params(r->model); i++) {
        const pb_param *p = pb_model_param(r->model, i);
        for (size_t k = 0; p->trainable && k < (size_t)p->rows * (size_t)p->cols; k++)
            slope += rig_gradient(p, k) * direction[at++];
    }
    return slope;
}

static void check_slope(const char *spec)
{
    rig r = rig_open(spec, 3, 1);
    if (pb_model_counts(r.model).trainable) {
        rig_stir(&r, 0.05);
        loss_of(&r);
        pb_machine_backward(r.machine, r.graph);
        double *d = random_direction(&r), step = STEP, want, up, down;
        want = slope_along(&r, d);
        move(&r, d, step);
        up = loss_of(&r);
        move(&r, d, -2 * step);
        down = loss_of(&r);
        double got = (up - down) / (2 * step), scale = fmax(fabs(want), 0.02);
        if (!CHECK(held(spec, fabs(got - want) <= SLOPE * scale)))
            printf("  slope %.9g, by differences %.9g\n", want, got);
        free(d);
    }
    rig_close(&r);
}

TEST(the_gradient_is_the_slope_of_the_loss)
{
    for_slopes(check_slope);
}

static double *gradients_of(rig *r, size_t *n)
{
    *n = (size_t)pb_model_counts(r->model).trainable;
    double *g = pb_alloc((*n + 1) * sizeof *g);
    size_t at = 0;
    for (int i = 0; i < pb_model_params(r->model); i++) {
        const pb_param *p = pb_model_param(r->model, i);
        for (size_t k = 0; p->trainable && k < (size_t)p->rows * (size_t)p->cols; k++)
            g[at++] = rig_gradient(p, k);
    }
    return g;
}

static void check_poison(const char *spec)
{
    rig r = rig_open(spec, 3, 1);
    size_t n;
    double *g[2];
    for (int poison = 0; poison < 2; poison++) {
        rig_forward(&r, &rig_batch, true, 0.1);
        if (poison && pb_graph_loss(r.graph))
            pb_machine_poison(r.machine, r.graph);
        if (pb_graph_loss(r.graph))
            pb_machine_backward(r.machine, r.graph);
        g[poison] = gradients_of(&r, &n);
    }
    CHECK(held(spec, !memcmp(g[0], g[1], n * sizeof **g)));
    free(g[0]);
    free(g[1]);
    rig_close(&r);
}

TEST(backward_reads_only_what_the_plan_keeps)
{
    for_all(check_poison);
}

/* ---- the plan -------------------------------------------------------------------------------------------- */

static void check_plan(const char *spec)
{
    rig r = rig_open(spec, 3, 1);
    pb_machine_watch(r.machine, true);
    rig_forward(&r, &rig_batch, true, 0.1);
    uint64_t forward = pb_machine_flops(r.machine), backward = 0;
    if (pb_graph_loss(r.graph)) {
        pb_machine_backward(r.machine, r.graph);
        backward = pb_machine_flops(r.machine);
    }
    size_t touched = pb_machine_touched(r.machine);
    CHECK(held(spec, forward == r.plan.forward_flops && backward == r.plan.backward_flops));
    /* The last tensor's end is rounded up to 64 bytes. */
    CHECK(held(spec, touched <= r.plan.activations && touched + 64 > r.plan.activations));
    rig_close(&r);
}

TEST(bytes_and_flops_are_those_of_the_plan)
{
    for_all(check_plan);
}

/* Layers that are computed again: the same gradients to the bit, by plan, and nothing but the kept read. */
static void check_recomputed(const char *spec)
{
    rig r = rig_open(spec, 3, 1);
    size_t n, activations = 0;
    double *g[3];
    rig_stir(&r, 0.05);
    for (int turn = 0; turn < 3; turn++) { /* as always; layers computed again; the forgotten overwritten */
        pb_model_checkpoint(r.model, turn > 0);
        pb_machine_watch(r.machine, turn == 1);
        rig_forward(&r, &rig_batch, true, 0.1);
        if (turn == 2 && pb_graph_loss(r.graph))
            pb_machine_poison(r.machine, r.graph);
        if (pb_graph_loss(r.graph))
            pb_machine_backward(r.machine, r.graph);
        g[turn] = gradients_of(&r, &n);
        size_t touched = pb_machine_touched(r.machine);
        if (turn == 1 && pb_graph_loss(r.graph)) {
            CHECK(held(spec, pb_machine_flops(r.machine) == r.plan.backward_flops + r.plan.recompute_flops));
            CHECK(held(spec, touched <= r.plan.activations && touched + 64 > r.plan.activations));
        }
        CHECK(held(spec, turn == 0 || r.plan.activations <= activations));
        activations = r.plan.activations;
    }
    CHECK(held(spec, !memcmp(g[0], g[1], n * sizeof **g) && !memcmp(g[0], g[2], n * sizeof **g)));
    for (int turn = 0; turn < 3; turn++)
        free(g[turn]);
    rig_close(&r);
}

TEST(layers_computed_again_give_the_same_gradients)
{
    for_all(check_recomputed);
}

/* ---- ragged batches -------------------------------------------------------------------------------------- */

static void check_packing(const char *spec)
{
    rig r = rig_open(spec, 3, 1);
    rig_stir(&r, 0.05);
    double *together = logits_of(&r, &rig_batch);
    for (int s = 0; s < rig_batch.sequences; s++) {
        int offset[] = {0, rig_offset[s + 1] - rig_offset[s]};
        double *alone = logits_of(&r, &(pb_batch){.sequences = 1, .offset = offset, .ids = rig_ids + rig_offset[s]});
        CHECK(held(spec, distance(3, alone, together + 3 * s) <= EXACT));
        free(alone);
    }
    free(together);
    rig_close(&r);
}

TEST(an_example_does_not_see_its_batch)
{
    for_all(check_packing);
}

static void check_order(const char *spec)
{
    rig r = rig_open(spec, 3, 1);
    static const int order[] = {3, 0, 4, 2, 1};
    int ids[46], offset[6] = {0};
    for (int s = 0; s < 5; s++) {
        int from = rig_offset[order[s]], n = rig_offset[order[s] + 1] - from;
        memcpy(ids + offset[s], rig_ids + from, (size_t)n * sizeof *ids);
        offset[s + 1] = offset[s] + n;
    }
    double *straight = logits_of(&r, &rig_batch);
    double *mixed = logits_of(&r, &(pb_batch){.sequences = 5, .offset = offset, .ids = ids});
    for (int s = 0; s < 5; s++)
        CHECK(held(spec, distance(3, mixed + 3 * s, straight + 3 * order[s]) <= EXACT));
    free(straight);
    free(mixed);
    rig_close(&r);
}

TEST(the_order_of_a_batch_does_not_matter)
{
    for_all(check_order);
}

/* ---- after training --------------------------------------------------------------------------------------- */

static void check_merge(const char *spec)
{
    rig r = rig_open(spec, 3, 1);
    rig_stir(&r, 0.05);
    double *unmerged = logits_of(&r, &rig_batch);
    if (pb_model_can_merge(r.model)) {
        pb_model_merge(r.model);
        double *merged = logits_of(&r, &rig_batch);
        CHECK(held(spec, distance(15, unmerged, merged) <= 5 * EXACT));
        pb_model_unmerge(r.model);
        double *back = logits_of(&r, &rig_batch);
        CHECK(held(spec, !memcmp(back, unmerged, 15 * sizeof *back)));
        free(back);
        free(merged);
    } else {
        bool excused = false; /* only a method that adds to the network, or does not promise to fold */
        for (int i = 0; i < r.parts; i++) {
            const pb_method *m = r.part[i].method;
            excused = excused || m->block || m->embed || m->kv || !m->merge;
        }
        CHECK(held(spec, excused));
    }
    free(unmerged);
    rig_close(&r);
}

TEST(merged_equals_unmerged)
{
    for_all(check_merge);
}

static void check_artifact(const char *spec)
{
    rig one = rig_open(spec, 3, 1), two = rig_open(spec, 3, 1);
    rig_stir(&one, 0.05);
    char path[] = "/tmp/peftbench-artifact-XXXXXX";
    int fd = mkstemp(path);
    CHECK(fd >= 0 && !pb_model_save(one.model, path) && !pb_model_load(two.model, path));
    double *want = logits_of(&one, &rig_batch), *got = logits_of(&two, &rig_batch);
    CHECK(held(spec, distance(15, want, got) <= (sizeof(pb_real) == 4 ? 0 : 1e-5))); /* files hold floats */
    free(want);
    free(got);
    remove(path);
    if (fd >= 0)
        fclose(fdopen(fd, "r"));
    rig_close(&one);
    rig_close(&two);
}

TEST(an_artifact_brings_the_trained_model_back)
{
    for_all(check_artifact);
}
