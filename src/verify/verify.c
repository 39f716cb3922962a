/* verify: see verify.h. */
#include "verify/verify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/threads.h"
#include "model/decode.h"
#include "train/encoded.h"
#include "train/optim.h"
#include "verify/testbed.h"

/* The tolerance between two ways to compute the same value, that of finite differences, and their step. */
#ifdef PB_REAL_DOUBLE
#define EXACT 1e-12
#define SLOPE 1e-6
#define STEP 1e-5
#define IN_FILES 1e-5 /* files hold floats */
#else
#define EXACT 2e-5
#define SLOPE 3e-2
#define STEP 1e-2
#define IN_FILES 0
#endif
#define CLASSES 3

typedef struct trial {
    const pb_fixture *fixture;
    const char *spec;
    char why[200];
} trial;

static pb_outcome broken(trial *t, const char *fmt, ...) PB_PRINTF(2, 3);
static pb_outcome broken(trial *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(t->why, sizeof t->why, fmt, args);
    va_end(args);
    return PB_BROKEN;
}

/* Cannot fail: pb_verify() has opened the same model before. */
static pb_testbed open_testbed(const trial *t, const char *spec, uint64_t seed)
{
    pb_testbed p;
    if (pb_testbed_open(&p, t->fixture->path, t->fixture->random, spec, CLASSES, seed))
        PB_BUG("%s", pb_error_text());
    return p;
}

static void forward(pb_testbed *p, const pb_batch *b, bool training, double dropout)
{
    if (pb_testbed_forward(p, b, training, dropout))
        PB_BUG("%s", pb_error_text());
}

static double *values_of(const pb_node *n)
{
    double *x = pb_alloc((size_t)(n->rows * n->cols) * sizeof *x);
    for (int i = 0; i < n->rows * n->cols; i++)
        x[i] = (double)n->x[i];
    return x;
}

static double *logits_of(pb_testbed *p, const pb_batch *b)
{
    forward(p, b, false, 0);
    return values_of(pb_graph_output(p->graph));
}

/* The logits of the testbed's five texts. */
static double *answers(pb_testbed *p)
{
    return logits_of(p, &pb_testbed_texts);
}

enum { ANSWERS = 5 * CLASSES };

static double distance(int n, const double *a, const double *b)
{
    double worst = 0;
    for (int i = 0; i < n; i++)
        worst = fmax(worst, isfinite(a[i]) && isfinite(b[i]) ? fabs(a[i] - b[i]) : INFINITY);
    return worst;
}

static size_t elements(const pb_param *p)
{
    return (size_t)p->rows * (size_t)p->cols;
}

/* ---- before training ---------------------------------------------------------------------------------- */

static pb_outcome identity(trial *t)
{
    pb_testbed base = open_testbed(t, "", 5), p = open_testbed(t, t->spec, 5);
    bool promised = true;
    for (int i = 0; i < p.parts; i++)
        promised = promised && p.part[i].method->identity;
    double *want = answers(&base), *got = answers(&p), off = distance(ANSWERS, want, got);
    free(want);
    free(got);
    pb_testbed_close(&base);
    pb_testbed_close(&p);
    return !promised      ? PB_NOT_PROMISED
           : off <= EXACT ? PB_HELD
                          : broken(t, "logits differ by %.2g from the base model's before training", off);
}

static pb_outcome counts(trial *t)
{
    pb_testbed p = open_testbed(t, t->spec, 0);
    pb_counts c = pb_model_counts(p.model);
    uint64_t trainable = 0, all = 0;
    forward(&p, &pb_testbed_texts, true, 0);
    for (int i = 0; i < pb_model_params(p.model); i++) {
        const pb_param *one = pb_model_param(p.model, i);
        all += elements(one);
        trainable += one->trainable ? elements(one) : 0;
    }
    bool good = trainable == c.trainable && all == c.base + c.head + c.added &&
                pb_model_weight_bytes(p.model) == all * sizeof(pb_real);
    pb_testbed_close(&p);
    return good ? PB_HELD
                : broken(t, "%llu of %llu parameters are trainable, %llu are declared", (unsigned long long)trainable,
                         (unsigned long long)all, (unsigned long long)c.trainable);
}

/* ---- gradients ------------------------------------------------------------------------------------------ */

static double loss_of(pb_testbed *p)
{
    forward(p, &pb_testbed_texts, true, 0.1); /* the dropout masks are always the same */
    return (double)pb_graph_loss(p->graph)->x[0];
}

/* Moves all trainable parameters along `direction` by x. */
static void move(pb_testbed *p, const double *direction, double x)
{
    size_t at = 0;
    for (int i = 0; i < pb_model_params(p->model); i++) {
        pb_param *one = pb_model_param(p->model, i);
        for (size_t k = 0; one->trainable && k < elements(one); k++)
            one->x[k] += (pb_real)(x * direction[at++]);
    }
}

/* A random direction of length 1 among the n trainable parameters. */
static double *random_direction(size_t n)
{
    double *d = pb_alloc((n + 1) * sizeof *d), sum = 0;
    pb_rng rng = pb_rng_named(4, "direction");
    for (size_t i = 0; i < n; i++) {
        d[i] = pb_rng_normal(&rng);
        sum += d[i] * d[i];
    }
    for (size_t i = 0; i < n; i++)
        d[i] /= sqrt(sum);
    return d;
}

static bool stops_gradients(const pb_testbed *p)
{
    for (int i = 0; i < p->parts; i++)
        if (p->part[i].method->stop_gradient && p->part[i].method->stop_gradient(p->part[i].conf))
            return true;
    return false;
}

static pb_outcome slope(trial *t)
{
    pb_testbed p = open_testbed(t, t->spec, 1);
    bool promised = pb_model_counts(p.model).trainable && !stops_gradients(&p);
    double want = 0, got = 0;
    if (promised) {
        size_t n;
        pb_testbed_perturb(&p, 0.05);
        loss_of(&p);
        pb_executor_backward(p.executor, p.graph);
        double *g = pb_testbed_gradients(&p, &n), *d = random_direction(n);
        for (size_t i = 0; i < n; i++)
            want += g[i] * d[i];
        move(&p, d, STEP);
        double up = loss_of(&p);
        move(&p, d, -2 * STEP);
        got = (up - loss_of(&p)) / (2 * STEP);
        free(g);
        free(d);
    }
    pb_testbed_close(&p);
    return !promised ? PB_NOT_PROMISED
           : fabs(got - want) <= SLOPE * fmax(fabs(want), 0.02)
               ? PB_HELD
               : broken(t, "the directional derivative is %.6g, finite differences give %.6g", want, got);
}

static pb_outcome poison(trial *t)
{
    pb_testbed p = open_testbed(t, t->spec, 1);
    size_t n;
    double *g[2];
    for (int turn = 0; turn < 2; turn++) {
        forward(&p, &pb_testbed_texts, true, 0.1);
        if (turn && pb_graph_loss(p.graph))
            pb_executor_poison(p.executor, p.graph);
        if (pb_graph_loss(p.graph))
            pb_executor_backward(p.executor, p.graph);
        g[turn] = pb_testbed_gradients(&p, &n);
    }
    bool good = !memcmp(g[0], g[1], n * sizeof **g);
    free(g[0]);
    free(g[1]);
    pb_testbed_close(&p);
    return good ? PB_HELD : broken(t, "a gradient reads a value that the plan does not keep");
}

/* ---- the plan -------------------------------------------------------------------------------------------- */

/* A plan rounds the size of each tensor up to 64 bytes. */
static bool is_planned(size_t touched, const pb_plan *plan)
{
    return touched <= plan->activations && touched + 64 > plan->activations;
}

static pb_outcome plan(trial *t)
{
    pb_testbed p = open_testbed(t, t->spec, 1);
    pb_executor_watch(p.executor, true);
    forward(&p, &pb_testbed_texts, true, 0.1);
    uint64_t there = pb_executor_flops(p.executor), back = 0;
    if (pb_graph_loss(p.graph)) {
        pb_executor_backward(p.executor, p.graph);
        back = pb_executor_flops(p.executor);
    }
    size_t touched = pb_executor_touched(p.executor);
    bool good = there == p.plan.forward_flops && back == p.plan.backward_flops && is_planned(touched, &p.plan);
    if (!good)
        broken(t, "%zu bytes and %llu + %llu FLOPs; the plan has %zu and %llu + %llu", touched,
               (unsigned long long)there, (unsigned long long)back, p.plan.activations,
               (unsigned long long)p.plan.forward_flops, (unsigned long long)p.plan.backward_flops);
    pb_testbed_close(&p);
    return good ? PB_HELD : PB_BROKEN;
}

/* Gradient checkpointing: identical gradients, bytes and FLOPs as planned, and only kept values are read. */
static pb_outcome recomputed(trial *t)
{
    pb_testbed p = open_testbed(t, t->spec, 1);
    size_t n, activations = 0;
    double *g[3];
    bool good = true;
    pb_testbed_perturb(&p, 0.05);
    for (int turn = 0; turn < 3;
         turn++) { /* without checkpoints; with them; and with all memory overwritten that they do not keep */
        pb_model_checkpoint(p.model, turn > 0);
        pb_executor_watch(p.executor, turn == 1);
        forward(&p, &pb_testbed_texts, true, 0.1);
        bool trains = pb_graph_loss(p.graph) != NULL;
        if (turn == 2 && trains)
            pb_executor_poison(p.executor, p.graph);
        if (trains)
            pb_executor_backward(p.executor, p.graph);
        g[turn] = pb_testbed_gradients(&p, &n);
        if (turn == 1 && trains)
            good = pb_executor_flops(p.executor) == p.plan.backward_flops + p.plan.recompute_flops &&
                   is_planned(pb_executor_touched(p.executor), &p.plan);
        good = good && (turn == 0 || p.plan.activations <= activations);
        activations = p.plan.activations;
    }
    good = good && !memcmp(g[0], g[1], n * sizeof **g) && !memcmp(g[0], g[2], n * sizeof **g);
    for (int turn = 0; turn < 3; turn++)
        free(g[turn]);
    pb_testbed_close(&p);
    return good ? PB_HELD
                : broken(t, "gradient checkpointing changes gradients, or its bytes or FLOPs differ from the plan");
}

/* ---- ragged batches -------------------------------------------------------------------------------------- */

static pb_outcome packing(trial *t)
{
    pb_testbed p = open_testbed(t, t->spec, 1);
    const pb_batch *all = &pb_testbed_texts;
    pb_testbed_perturb(&p, 0.05);
    double *together = answers(&p), off = 0;
    for (int s = 0; s < all->sequences; s++) {
        int ends[] = {0, all->offset[s + 1] - all->offset[s]};
        double *alone = logits_of(&p, &(pb_batch){.sequences = 1, .offset = ends, .ids = all->ids + all->offset[s]});
        off = fmax(off, distance(CLASSES, alone, together + CLASSES * s));
        free(alone);
    }
    free(together);
    pb_testbed_close(&p);
    return off <= EXACT ? PB_HELD : broken(t, "a text alone and in a batch: logits differ by %.2g", off);
}

static pb_outcome order(trial *t)
{
    pb_testbed p = open_testbed(t, t->spec, 1);
    const pb_batch *all = &pb_testbed_texts;
    static const int turn[] = {3, 0, 4, 2, 1};
    int ids[64], ends[6] = {0};
    for (int s = 0; s < 5; s++) {
        int from = all->offset[turn[s]], n = all->offset[turn[s] + 1] - from;
        memcpy(ids + ends[s], all->ids + from, (size_t)n * sizeof *ids);
        ends[s + 1] = ends[s] + n;
    }
    double *straight = answers(&p), off = 0;
    double *mixed = logits_of(&p, &(pb_batch){.sequences = 5, .offset = ends, .ids = ids});
    for (int s = 0; s < 5; s++)
        off = fmax(off, distance(CLASSES, mixed + CLASSES * s, straight + CLASSES * turn[s]));
    free(straight);
    free(mixed);
    pb_testbed_close(&p);
    return off <= EXACT ? PB_HELD : broken(t, "texts in another order: logits differ by %.2g", off);
}

/* Scoring has no dropout and changes nothing. */
static pb_outcome scoring(trial *t)
{
    pb_testbed p = open_testbed(t, t->spec, 1);
    pb_testbed_perturb(&p, 0.05);
    double *one = answers(&p), *two = answers(&p), off = distance(ANSWERS, one, two);
    free(two);
    forward(&p, &pb_testbed_texts, true, 0);
    pb_testbed again = open_testbed(t, t->spec, 1);
    pb_testbed_perturb(&again, 0.05);
    two = answers(&again);
    off = fmax(off, distance(ANSWERS, one, two));
    free(one);
    free(two);
    pb_testbed_close(&p);
    pb_testbed_close(&again);
    return off == 0 ? PB_HELD : broken(t, "scored twice: logits differ by %.2g", off);
}

/* ---- training ---------------------------------------------------------------------------------------------- */

/* Three training steps of AdamW. */
static void descend(pb_testbed *p)
{
    pb_train_options o;
    pb_option_defaults(pb_train_table, &o);
    pb_arena *moments = pb_arena_new("moments");
    pb_optim *opt = pb_optim_new(p->model, &o, moments);
    for (int step = 0; step < 3; step++) {
        forward(p, &pb_testbed_texts, true, 0.1);
        if (!pb_graph_loss(p->graph))
            break;
        pb_executor_backward(p->executor, p->graph);
        pb_optim_step(opt, p->graph, 0.01);
    }
    pb_arena_free(moments);
}

static pb_outcome frozen(trial *t)
{
    pb_testbed before = open_testbed(t, t->spec, 6), after = open_testbed(t, t->spec, 6);
    const char *moved = NULL;
    descend(&after);
    double *scored = answers(&after);
    for (int i = 0; i < pb_model_params(after.model); i++) {
        const pb_param *p = pb_model_param(after.model, i), *q = pb_model_param(before.model, i);
        if (!p->trainable && p->x && memcmp(p->x, q->x, elements(p) * sizeof *p->x) != 0)
            moved = p->name;
    }
    if (moved)
        broken(t, "%s is frozen and has changed", moved);
    free(scored);
    pb_testbed_close(&before);
    pb_testbed_close(&after);
    return moved ? PB_BROKEN : PB_HELD;
}

/* The trainable parameters after training with a seed, which must not depend on what ran before. */
static double *trained(const trial *t, uint64_t seed, int threads, size_t *n)
{
    if (threads)
        pb_threads_start(threads);
    pb_testbed p = open_testbed(t, t->spec, seed);
    descend(&p);
    double *x = pb_alloc(1);
    *n = 0;
    for (int i = 0; i < pb_model_params(p.model); i++) {
        const pb_param *one = pb_model_param(p.model, i);
        if (!one->trainable)
            continue;
        x = pb_realloc(x, (*n + elements(one) + 1) * sizeof *x);
        for (size_t k = 0; k < elements(one); k++)
            x[(*n)++] = (double)one->x[k];
    }
    pb_testbed_close(&p);
    if (threads)
        pb_threads_stop();
    return x;
}

static pb_outcome same_bits(trial *t, int threads_first, uint64_t between, int threads, const char *what)
{
    size_t n, m;
    double *one = trained(t, 1, threads_first, &n);
    free(trained(t, between, threads, &m));
    double *two = trained(t, 1, threads_first, &m);
    bool good = n == m && !memcmp(one, two, n * sizeof *one);
    free(one);
    free(two);
    return good ? PB_HELD : broken(t, "%s: the parameters differ", what);
}

static pb_outcome seeds(trial *t)
{
    return same_bits(t, 0, 0, 0, "the same seed after another one");
}

static pb_outcome threads(trial *t)
{
    pb_outcome with_two = same_bits(t, 2, 1, 1, "the same seed twice with two threads");
    return with_two == PB_HELD ? same_bits(t, 1, 1, 2, "the same seed twice with one thread") : with_two;
}

/* ---- after training --------------------------------------------------------------------------------------- */

static pb_outcome merging(trial *t)
{
    pb_testbed p = open_testbed(t, t->spec, 1);
    pb_testbed_perturb(&p, 0.05);
    bool can = pb_model_can_merge(p.model), promised = false;
    for (int i = 0; i < p.parts; i++)
        promised = promised || p.part[i].method->merge;
    double *unmerged = answers(&p), off = 0, rest = 0;
    if (can) {
        pb_model_merge(p.model);
        double *merged = answers(&p);
        pb_model_unmerge(p.model);
        double *back = answers(&p);
        off = distance(ANSWERS, unmerged, merged);
        rest = distance(ANSWERS, unmerged, back);
        free(merged);
        free(back);
    }
    free(unmerged);
    pb_testbed_close(&p);
    if (!can)
        return PB_NOT_PROMISED;
    return off <= 5 * EXACT && rest == 0
               ? promised ? PB_HELD : PB_NOT_PROMISED
               : broken(t, "merged: logits differ by %.2g, and by %.2g when unmerged again", off, rest);
}

/* Saving, loading and saving again gives the same logits and the same file. */
static pb_outcome artifact(trial *t)
{
    pb_testbed one = open_testbed(t, t->spec, 1), two = open_testbed(t, t->spec, 1);
    char path[2][40] = {"/tmp/peftbench-artifact-XXXXXX", "/tmp/peftbench-artifact-XXXXXX"};
    int file[2] = {mkstemp(path[0]), mkstemp(path[1])};
    pb_testbed_perturb(&one, 0.05);
    descend(&one);
    size_t size[2] = {0, 0};
    char *bytes[2] = {NULL, NULL};
    int rc = pb_model_save(one.model, path[0]) || pb_model_load(two.model, path[0]) ||
             pb_model_save(two.model, path[1]);
    for (int i = 0; i < 2; i++) {
        bytes[i] = rc ? NULL : pb_read_file(path[i], &size[i]);
        unlink(path[i]);
        close(file[i]);
    }
    double *want = answers(&one), *got = answers(&two), off = distance(ANSWERS, want, got);
    bool same = bytes[0] && bytes[1] && size[0] == size[1] && !memcmp(bytes[0], bytes[1], size[0]);
    free(bytes[0]);
    free(bytes[1]);
    free(want);
    free(got);
    pb_testbed_close(&one);
    pb_testbed_close(&two);
    if (rc)
        return broken(t, "%s", pb_error_text());
    return off <= IN_FILES && same ? PB_HELD
                                   : broken(t, "saved and loaded: logits differ by %.2g%s", off,
                                            same ? "" : ", and the second file differs");
}

/* ---- decoders ------------------------------------------------------------------------------------------------ */

/* The log-probability of the last n tokens of a text, read as a whole. */
static double log_probability_of(pb_testbed *p, const pb_ids *text, int n)
{
    int ends[] = {0, (int)text->count};
    double sum = 0;
    forward(p, &(pb_batch){.sequences = 1, .offset = ends, .ids = text->id}, false, 0);
    for (int i = ends[1] - n; i < ends[1]; i++)
        sum += pb_log_probability(pb_graph_output(p->graph), i - 1, text->id[i]);
    return sum;
}

/* Decoding token by token with a cache gives its tokens the log-probabilities that the whole text gives them. */
static pb_outcome decoding(trial *t)
{
    pb_testbed p;
    if (!t->fixture->decoder)
        return PB_NOT_PROMISED;
    if (pb_testbed_open(&p, t->fixture->path, t->fixture->random, t->spec, 0, 1))
        return PB_NOT_PROMISED; /* it needs a head of classes */
    pb_testbed_perturb(&p, 0.05);
    const pb_decoding how = {.max_new = 6, .temperature = 1, .top_p = 1, .beams = 1, .stop = "", .slots = 2};
    pb_ids prompt[2] = {{0}, {0}};
    pb_continuation out[2];
    for (int s = 0; s < 2; s++)
        for (int i = pb_testbed_tokens.offset[s]; i < pb_testbed_tokens.offset[s + 1]; i++)
            pb_ids_add(&prompt[s], pb_testbed_tokens.ids[i]);
    int rc = pb_decode(p.model, &how, 2, prompt, out);
    double off = 0;
    for (int s = 0; s < 2 && !rc; s++) {
        for (size_t i = 0; i < out[s].ids.count; i++)
            pb_ids_add(&prompt[s], out[s].ids.id[i]);
        double whole = log_probability_of(&p, &prompt[s], (int)out[s].ids.count);
        off = fmax(off, fabs(whole - out[s].log_probability));
    }
    for (int s = 0; s < 2; s++) {
        pb_ids_free(&prompt[s]);
        if (!rc)
            pb_ids_free(&out[s].ids);
    }
    pb_testbed_close(&p);
    if (rc)
        return broken(t, "%s", pb_error_text());
    return off <= 1e-3 ? PB_HELD : broken(t, "token by token and as a whole: log-probabilities differ by %.2g", off);
}

/* ---- all ------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    pb_outcome (*run)(trial *t);
} checks[] = {{"starts as the base model", identity},
              {"declared equals counted", counts},
              {"gradient is the slope of the loss", slope},
              {"backward reads what is kept", poison},
              {"bytes and FLOPs as planned", plan},
              {"layers computed again", recomputed},
              {"a text does not see its batch", packing},
              {"order does not matter", order},
              {"scoring is the same twice", scoring},
              {"frozen bits stay", frozen},
              {"no leak between seeds", seeds},
              {"1 and 2 threads, each the same", threads},
              {"merged equals unmerged", merging},
              {"saved, loaded, saved", artifact},
              {"cached decoding", decoding}};

int pb_verify(const pb_fixture *g, const char *spec, pb_verify_report *report, void *ctx)
{
    pb_testbed p;
    if (pb_testbed_open(&p, g->path, g->random, spec, CLASSES, 0))
        return -1;
    pb_testbed_close(&p);
    int count = 0;
    for (size_t i = 0; i < PB_COUNT(checks); i++) {
        trial t = {.fixture = g, .spec = spec};
        pb_outcome o = checks[i].run(&t);
        pb_error_clear();
        count += o == PB_BROKEN;
        report(ctx, checks[i].name, o, t.why);
    }
    return count;
}

pb_outcome pb_verify_together(const pb_fixture *g, const char *a, const char *b, char why[200])
{
    char *spec = pb_format("%s+%s", a, b);
    pb_testbed p;
    int rc = pb_testbed_open(&p, g->path, g->random, spec, CLASSES, 1);
    free(spec);
    why[0] = 0;
    if (rc) {
        snprintf(why, 200, "%s", pb_error_text());
        pb_error_clear();
        return PB_NOT_PROMISED;
    }
    pb_testbed_perturb(&p, 0.05);
    descend(&p);
    double *z = answers(&p), off = distance(ANSWERS, z, z);
    free(z);
    pb_testbed_close(&p);
    if (off > 0)
        snprintf(why, 200, "with %s logits are not finite after three steps", b);
    return off > 0 ? PB_BROKEN : PB_HELD;
}
