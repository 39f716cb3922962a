/* pretrain: see pretrain.h. */
#include "train/pretrain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/adapter.h"
#include "numeric/blas.h"
#include "train/optim.h"
#include "train/pretrain_state.h"

#define HELDOUT_TOKENS 60000 /* of the held-out text that the learning curve uses */
#define CALIBRATION 500      /* segments that the scale of the states is measured on */
#define RATE_STEPS 1000000   /* the learning rate schedule divides the tokens into this many parts */

const pb_option pb_pretrain_table[] = {
    PB_OPTION(pb_pretrain_options, output, TEXT, "", "folder of the model, which is written"),
    PB_OPTION(pb_pretrain_options, state, TEXT, "",
              "checkpoint file, from which training continues; default: build/pretrain/NAME.safetensors"),
    PB_OPTION(pb_pretrain_options, teacher, TEXT, "",
              "model whose last states are distillation targets; default: none"),
    PB_OPTION(pb_pretrain_options, exclude, TEXT, "",
              "files of test texts; documents that share eight consecutive words with them are left out"),
    PB_OPTION(pb_pretrain_options, objective, CHOICE, "masked", "masked|causal",
              "predict masked words (an encoder, BERT) or the next token (a decoder, Llama)"),
    PB_OPTION(pb_pretrain_options, vocabulary, INT, "8192", 300, 65536, "number of entries of the tokenizer"),
    PB_OPTION(pb_pretrain_options, tokens, REAL, "1e8", 1, 1e13, "training tokens in all steps"),
    PB_OPTION(pb_pretrain_options, batch, INT, "4096", 64, 1e8, "tokens per step"),
    PB_OPTION(pb_pretrain_options, length, INT, "128", 8, 65536,
              "maximum length of a segment of a document, in tokens"),
    PB_OPTION_NAMED("pieces", pb_pretrain_options, masked_segments, REAL, "1", 0, 1,
                    "fraction of the segments that have masks; the others are read without masks"),
    PB_OPTION(pb_pretrain_options, masked, REAL, "0.3", 0.01, 0.9,
              "fraction of the words in a segment with masks that are targets"),
    PB_OPTION(pb_pretrain_options, teacher_weight, REAL, "1", 0, 1000, "weight of the distillation loss"),
    PB_OPTION(pb_pretrain_options, teacher_layers, INT, "0", 0, 4096,
              "number of the teacher's layers that are used; 0: all"),
    PB_OPTION(pb_pretrain_options, seed, INT, "0", 0, 1e9, "random seed of weights, order and masks"),
    PB_OPTION(pb_pretrain_options, lr, REAL, "1e-3", 0, 10, "peak learning rate of AdamW; cosine decay to 0"),
    PB_OPTION(pb_pretrain_options, warmup, REAL, "0.05", 0, 1,
              "fraction of the tokens in which the learning rate rises from 0"),
    PB_OPTION(pb_pretrain_options, decay, REAL, "0.01", 0, 10, "weight decay of matrices"),
    PB_OPTION(pb_pretrain_options, clip, REAL, "1", 0, 1e9, "the gradient is clipped to this norm; 0: not clipped"),
    PB_OPTION(pb_pretrain_options, dropout, REAL, "0", 0, 0.9, "dropout of the network"),
    PB_OPTION(pb_pretrain_options, beta2, REAL, "0.98", 0, 0.9999999, "AdamW's decay rate of the second moment"),
    PB_OPTION(pb_pretrain_options, save, REAL, "5", 0, 1e6, "minutes between checkpoints"),
    PB_OPTION(pb_pretrain_options, equal, BOOL, "no",
              "all segments have the maximum length; otherwise their lengths vary"),
    PB_OPTION(pb_pretrain_options, bf16, BOOL, "yes",
              "round the operands of products to bf16 if the CPU supports it, and sum in 32 bits"),
    {0},
};

/* A pretraining run. */
typedef struct pretraining {
    const pb_pretrain_options *o;
    pb_corpus *corpus;
    const pb_pretrain_watch *watch;
    pb_pretrained *out;
    pb_model *model;
    pb_collator collator;
    pb_arena *run, *step; /* gradients and moments; a batch's graph */
    pb_executor *executor;
    pb_optim *optim;
    pb_progress_state at;
    int *order, segments; /* of the epoch */
    double began, loss, tokens_before, seconds_before;
    int losses;
} pretraining;

/* ---- the held-out text ------------------------------------------------------------------------------------ */

/* Runs n segments of the held-out stream forward and adds their negative log-likelihood, in nats, and their targets. */
static int evaluate_segments(pretraining *s, const int *segment, int n, double *nats, double *targets)
{
    pb_batch batch;
    pb_outputs out;
    pb_plan plan;
    pb_pretrain_batch which = {
        .segment = segment, .segments = n, .key = pb_mix(7, (uint64_t)segment[0]), .with_targets = true};
    pb_arena_reset(s->step);
    pb_graph *g = pb_graph_new(s->step, false);
    if (pb_collator_batch(&s->collator, &s->corpus->heldout, &which, &batch))
        return -1;
    if (!batch.target)
        return 0;
    if (pb_model_build(s->model, g, &batch, 0, 0, &out) || pb_graph_plan(g, out.loss, out.loss, &plan))
        return -1;
    pb_executor_bind(s->executor, g, &plan);
    pb_executor_forward(s->executor, g);
    int count = 0;
    for (int i = 0; i < batch.offset[n]; i++)
        count += batch.target[i] >= 0;
    *nats += (double)pb_graph_output(g)->x[0] * count;
    *targets += count;
    return 0;
}

/* Sets the negative log-likelihood, in nats, and the number of targets over every `stride`th held-out segment. */
static int evaluate_heldout(pretraining *s, int stride, double *nats, double *targets)
{
    const pb_stream *h = &s->corpus->heldout;
    int *segment = pb_alloc((h->segments + 1) * sizeof *segment), n = 0, tokens = 0, rc = 0;
    *nats = *targets = 0;
    for (size_t i = 0; i < h->segments && !rc; i += (size_t)stride) {
        segment[n++] = (int)i;
        tokens += h->segment[i].count;
        if (tokens < s->o->batch && i + (size_t)stride < h->segments)
            continue;
        rc = evaluate_segments(s, segment, n, nats, targets);
        n = tokens = 0;
    }
    free(segment);
    return rc;
}

/* ---- saving ----------------------------------------------------------------------------------------------- */

static double share_done(const pretraining *s)
{
    return fmin(1, s->at.tokens / s->o->tokens);
}

static int add_point(pretraining *s)
{
    const pb_stream *h = &s->corpus->heldout;
    double nats, targets, seconds = s->at.seconds + pb_clock() - s->began;
    int stride = 1 + (int)(h->ids.count / HELDOUT_TOKENS);
    pb_pretrain_point p = {.tokens = s->at.tokens, .seconds = seconds, .loss = s->loss / fmax(1, s->losses)};
    p.rate = (s->at.tokens - s->tokens_before) / (seconds - s->seconds_before + 1e-9);
    if (evaluate_heldout(s, stride, &nats, &targets))
        return -1;
    p.heldout = nats / fmax(1, targets);
    pb_pretrain_curve *curve = &s->out->curve;
    pb_grow(&curve->point, curve->points, &curve->capacity, sizeof *curve->point);
    curve->point[curve->points++] = p;
    s->tokens_before = s->at.tokens;
    s->seconds_before = seconds;
    s->loss = s->losses = 0;
    if (s->watch->point)
        s->watch->point(s->watch->ctx, &p, share_done(s));
    return 0;
}

static int save_checkpoint(pretraining *s)
{
    if (add_point(s))
        return -1;
    s->at.seconds += pb_clock() - s->began;
    s->began = pb_clock();
    return pb_pretrain_save(s->o->state, s->model, s->optim, &s->at, &s->out->curve) ||
                   pb_model_export(s->model, s->o->output, PB_IN_BF16)
               ? -1
               : 0;
}

/* ---- steps ------------------------------------------------------------------------------------------------ */

/* Fills segment with the next segments of the order, about o->batch tokens, and returns their number.  A new epoch
 * begins where the old one ends. */
static int next_segments(pretraining *s, int *segment)
{
    int n = 0, tokens = 0;
    while (tokens < s->o->batch) {
        if (s->order && s->at.cursor >= s->segments) {
            free(s->order);
            s->order = NULL;
            s->at.epoch++;
            s->at.cursor = 0;
        }
        if (!s->order)
            s->order = pb_corpus_order(s->corpus, (uint64_t)s->o->seed, s->at.epoch, &s->segments);
        if (s->at.cursor >= s->segments) /* a checkpoint made at the end of an epoch */
            continue;
        segment[n] = s->order[s->at.cursor++];
        tokens += s->corpus->train.segment[segment[n++]].count;
    }
    s->at.tokens += tokens;
    return n;
}

static int take_step(pretraining *s, int *segment)
{
    const pb_pretrain_options *o = s->o;
    pb_batch batch;
    pb_outputs out;
    pb_plan plan;
    uint64_t key = pb_mix((uint64_t)o->seed + 1, (uint64_t)pb_optim_steps(s->optim));
    pb_pretrain_batch which = {.segment = segment,
                               .segments = next_segments(s, segment),
                               .key = key,
                               .with_targets = true,
                               .with_teacher = true};
    pb_arena_reset(s->step);
    pb_graph *g = pb_graph_new(s->step, true);
    if (pb_collator_batch(&s->collator, &s->corpus->train, &which, &batch) ||
        pb_model_build(s->model, g, &batch, o->dropout, key, &out) || pb_graph_plan(g, out.loss, out.loss, &plan))
        return -1;
    pb_executor_bind(s->executor, g, &plan);
    pb_executor_forward(s->executor, g);
    double loss = (double)pb_graph_loss(g)->x[0];
    pb_executor_backward(s->executor, g);
    pb_train_options schedule = {.lr = o->lr, .warmup = o->warmup, .schedule = PB_COSINE_RATE};
    double rate = pb_optim_rate(&schedule, (int)(share_done(s) * RATE_STEPS), RATE_STEPS);
    double norm = pb_optim_step(s->optim, g, &(pb_step){.rate = rate}); /* no method is attached that would read more */
    if (!isfinite(loss) || !isfinite(norm))
        return pb_error("the run diverged at step %d; want a lower lr than %g", pb_optim_steps(s->optim), o->lr);
    s->loss += loss;
    s->losses++;
    if (s->watch->step)
        s->watch->step(s->watch->ctx, share_done(s), loss);
    return 0;
}

static int train_to_end(pretraining *s)
{
    int *segment = pb_alloc((size_t)s->o->batch * sizeof *segment), rc = 0;
    s->began = pb_clock();
    while (s->at.tokens < s->o->tokens && !rc) {
        rc = take_step(s, segment);
        if (!rc && s->at.tokens < s->o->tokens && pb_clock() - s->began > 60 * s->o->save)
            rc = save_checkpoint(s);
    }
    free(segment);
    return rc || ((s->losses || !s->out->curve.points) && save_checkpoint(s)) ? -1 : 0;
}

/* ---- beginning and end -------------------------------------------------------------------------------------- */

static int open_models(pretraining *s)
{
    const pb_pretrain_options *o = s->o;
    if (*o->teacher && !(s->collator.teacher = pb_model_open(
                             &(pb_opening){.path = o->teacher, .layers = o->teacher_layers, .bare = true})))
        return -1;
    if (s->collator.teacher && pb_model_attach(s->collator.teacher, NULL, 0))
        return -1;
    s->model =
        pb_model_open(&(pb_opening){.path = o->output,
                                    .seed = (uint64_t)o->seed,
                                    .distill_width = s->collator.teacher ? pb_model_outputs(s->collator.teacher) : 0,
                                    .base = {.weights = PB_FROM_RANDOM}});
    static const pb_method all = {.name = "pretraining", .hooks.select = pb_select_everything};
    if (!s->model || pb_model_attach(s->model, &(pb_attached){&all, NULL}, 1))
        return -1;
    s->collator.tokenizer = pb_model_tokenizer(s->model);
    if (s->o->length + 2 > pb_model_max_tokens(s->model))
        return pb_error("length: %d tokens and two more do not fit into %d positions", o->length,
                        pb_model_max_tokens(s->model));
    return pb_collator_start(&s->collator);
}

/* Calibrates on the first segments of the first epoch, so that a run that continues gets the same scale. */
static int calibrate_teacher(pretraining *s)
{
    int count, *order = pb_corpus_order(s->corpus, (uint64_t)s->o->seed, 0, &count);
    int rc = pb_collator_calibrate(&s->collator, &s->corpus->train, order, count < CALIBRATION ? count : CALIBRATION);
    free(order);
    return rc;
}

static void allocate_run(pretraining *s, pb_train_options *rule)
{
    for (int i = 0; i < pb_model_params(s->model); i++) {
        pb_param *p = pb_model_param(s->model, i);
        if (p->trainable)
            p->g = pb_arena_alloc(s->run, PB_GRADIENTS, (size_t)p->rows * (size_t)p->cols * sizeof *p->g);
        s->out->parameters += p->kind == PB_HEAD ? 0 : (uint64_t)p->rows * (uint64_t)p->cols;
    }
    s->optim = pb_optim_new(s->model, rule, s->run);
}

static int put_results(pretraining *s)
{
    const pb_stream *h = &s->corpus->heldout;
    double nats, targets;
    if (evaluate_heldout(s, 1, &nats, &targets))
        return -1;
    s->out->heldout = nats / fmax(1, targets);
    if (s->o->objective == PB_CAUSAL && h->documents)
        s->out->bits_per_byte = nats / log(2) / (double)(h->bytes + h->documents);
    s->out->steps = pb_optim_steps(s->optim);
    s->out->unmatched = s->collator.unmatched;
    return 0;
}

int pb_pretrain(const pb_pretrain_options *o, pb_corpus *c, const pb_pretrain_watch *watch, pb_pretrained *out)
{
    pretraining s = {.o = o, .corpus = c, .watch = watch, .out = out, .executor = pb_executor_new()};
    s.collator = (pb_collator){.objective = (pb_objective)o->objective,
                               .masked_segments = o->masked_segments,
                               .masked_words = o->masked,
                               .teacher_weight = o->teacher_weight};
    s.run = pb_arena_new("run");
    s.step = pb_arena_new("step");
    pb_train_options rule = {.decay = o->decay, .clip = o->clip, .beta1 = 0.9, .beta2 = o->beta2, .eps = 1e-6};
    int rc = open_models(&s);
    if (!rc) {
        allocate_run(&s, &rule);
        pb_stream_cut(&c->train, o->length, o->equal, (uint64_t)o->seed);
        pb_stream_cut(&c->heldout, o->length, true, 0);
        rc = pb_pretrain_resume(o->state, s.model, s.optim, &s.at, &out->curve);
        s.tokens_before = s.at.tokens;
        s.seconds_before = s.at.seconds;
        rc = rc || (s.collator.teacher && calibrate_teacher(&s)) ? -1 : 0;
    }
    if (o->bf16)
        pb_gemm_bf16(true); /* without support by the CPU, products stay in 32 bits */
    rc = rc || train_to_end(&s) || put_results(&s) ? -1 : 0;
    pb_gemm_bf16(false);
    free(s.order);
    if (s.collator.arena)
        pb_collator_stop(&s.collator);
    pb_model_free(s.collator.teacher);
    pb_model_free(s.model);
    pb_executor_free(s.executor);
    pb_arena_free(s.run);
    pb_arena_free(s.step);
    return rc;
}

void pb_pretrained_free(pb_pretrained *p)
{
    free(p->curve.point);
    *p = (pb_pretrained){.steps = 0};
}
