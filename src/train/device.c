/* device: see device.h. */
#include "train/device.h"

#include <math.h>
#include <string.h>

enum { MOST_BATCH = 1 << 16, MOST_TOKENS = 1 << 26 }; /* of a step that is planned */

const pb_option pb_device_table[] = {
    PB_OPTION(pb_device, batch, INT, "1", 1, MOST_BATCH, "texts in a step"),
    PB_OPTION(pb_device, length, INT, "512", 1, 1 << 20, "tokens of each text"),
    PB_OPTION(pb_device, precision, CHOICE, "bf16", "fp32|bf16|fp16", "precision of the computation"),
    PB_OPTION(pb_device, master, BOOL, "yes", "keep a copy in 32 bits of weights that train in 16 bits"),
    PB_OPTION(pb_device, optimizer, CHOICE, "adamw", "adamw|adamw8bit|adafactor|lion|momentum|sgd", "optimizer"),
    PB_OPTION(pb_device, moments, CHOICE, "fp32", "fp32|same",
              "precision of the optimizer's moments: 32 bits, or that of the weights that it steps"),
    PB_OPTION(pb_device, adapters, CHOICE, "fp32", "fp32|same",
              "precision of the methods' tensors and the head: 32 bits, or that of the computation"),
    PB_OPTION(pb_device, checkpoint, BOOL, "no", "gradient checkpointing"),
    PB_OPTION(pb_device, peak, REAL, "312", 1e-3, 1e6, "TFLOP/s that the device reaches at most"),
    PB_OPTION(pb_device, utilization, REAL, "0.4", 1e-3, 1, "share of the peak that training reaches"),
    PB_OPTION(pb_device, tokens, REAL, "1e7", 1, 1e15, "tokens of the whole training"),
    {0},
};

static double width_of(const pb_device *d)
{
    return d->precision ? 2 : 4;
}

/* ---- parameters --------------------------------------------------------------------------------------------- */

/* Bytes of an element of a parameter that is not quantized. */
static double width_of_param(const pb_device *d, const pb_param *p)
{
    bool small = p->kind == PB_ADDED || p->kind == PB_HEAD;
    return small && d->adapters == 0 ? 4 : width_of(d);
}

/* Bytes of the optimizer's state for a parameter whose moments have elements of `width` bytes. */
static double state_of(const pb_device *d, const pb_param *p, double width)
{
    double n = (double)pb_param_elements(p);
    switch (d->optimizer) {
    case PB_DEVICE_ADAMW: return 2 * n * width;
    case PB_DEVICE_ADAMW8BIT: return n < 4096 ? 2 * n * 4 : 2 * (n + 4 * ceil(n / 256));
    case PB_DEVICE_ADAFACTOR: return (p->rows > 1 && p->cols > 1 ? p->rows + p->cols : n) * width;
    case PB_DEVICE_SGD: return 0;
    default: return n * width;
    }
}

static void add_trained(const pb_device *d, const pb_param *p, pb_device_bill *b)
{
    double n = (double)pb_param_elements(p), width = width_of_param(d, p);
    bool copied = width < 4 && d->master;
    b->trainable += pb_param_elements(p);
    b->weights += n * width;
    b->master += copied ? n * 4 : 0;
    b->gradients += n * width;
    b->optimizer += state_of(d, p, copied || !d->moments ? 4 : width);
}

static void add_params(const pb_model *m, const pb_device *d, pb_device_bill *b)
{
    for (int i = 0; i < pb_model_params(m); i++) {
        const pb_param *p = pb_model_param(m, i);
        double n = (double)pb_param_elements(p), width = p->index ? 4 : width_of_param(d, p);
        bool quantized = p->packed && p->packed->precision != PB_IN_BF16;
        b->parameters += p->index ? 0 : pb_param_elements(p);
        if (p->trainable)
            add_trained(d, p, b);
        else
            b->weights += quantized ? (double)pb_param_bytes(p) : n * width;
        if (quantized)
            b->workspace = fmax(b->workspace, n * width_of(d));
        b->file += pb_model_stores(p) ? n * width : 0;
    }
}

/* ---- activations --------------------------------------------------------------------------------------------- */

/* A batch of equal texts; every token is a target of a language model, and every text has a label of a classifier. */
static pb_batch even_batch(const pb_model *m, const pb_device *d, pb_arena *arena)
{
    size_t tokens = (size_t)d->batch * (size_t)d->length;
    int *zero = pb_arena_alloc(arena, PB_META, tokens * sizeof *zero);
    int *offset = pb_arena_alloc(arena, PB_META, (size_t)(d->batch + 1) * sizeof *offset);
    for (int i = 0; i <= d->batch; i++)
        offset[i] = i * d->length;
    bool classes = pb_model_head(m) == PB_HEAD_CLASSES;
    return (pb_batch){.sequences = d->batch,
                      .offset = offset,
                      .ids = zero,
                      .label = classes ? zero : NULL,
                      .target = classes ? NULL : zero};
}

static int plan_step(pb_model *m, const pb_device *d, pb_plan *plan)
{
    pb_arena *arena = pb_arena_new("device");
    pb_graph *g = pb_graph_new(arena, true);
    pb_batch batch = even_batch(m, d, arena);
    pb_outputs out;
    pb_model_checkpoint(m, d->checkpoint);
    int rc = pb_model_build(m, g, &batch, 0, 0, &out) ||
             pb_graph_plan_as(g, (size_t)width_of(d), out.logits, out.loss, plan);
    pb_arena_free(arena);
    return rc ? -1 : 0;
}

int pb_device_plan(pb_model *m, const pb_device *d, pb_device_bill *out)
{
    pb_plan plan;
    *out = (pb_device_bill){.trainable = 0};
    if ((double)d->batch * d->length > MOST_TOKENS)
        return pb_error("want batch x length of at most 2^26 tokens, got %d x %d", d->batch, d->length);
    if (plan_step(m, d, &plan))
        return -1;
    add_params(m, d, out);
    out->activations = (double)plan.activations;
    out->total = out->weights + out->master + out->gradients + out->optimizer + out->activations + out->workspace;
    double flops = (double)plan.forward_flops + (double)plan.backward_flops + (double)plan.recompute_flops;
    out->flops_per_token = flops / ((double)d->batch * d->length);
    out->hours = out->flops_per_token * d->tokens / (d->peak * 1e12 * d->utilization) / 3600;
    return 0;
}

/* ---- what fits ------------------------------------------------------------------------------------------------- */

/* Returns 1 if a step of this batch and length fits, 0 if it does not, or -1 with an error. */
static int fits(pb_model *m, const pb_device *d, int batch, int length, double memory)
{
    pb_device at = *d;
    pb_device_bill b;
    at.batch = batch;
    at.length = length;
    return pb_device_plan(m, &at, &b) ? -1 : b.total <= memory;
}

/* Finds the largest number up to `most` with which a step fits: of texts, or of the tokens of one text. */
static int largest(pb_model *m, const pb_device *d, bool of_texts, int most, double memory, int *out)
{
    int low = 0, high = 1, fit = 1; /* `low` fits, `high` does not or has not been tried */
    while (fit == 1 && low < most) {
        high = high < most ? high : most;
        if ((fit = fits(m, d, of_texts ? high : 1, of_texts ? d->length : high, memory)) == 1) {
            low = high;
            high *= 2;
        }
    }
    while (fit >= 0 && high - low > 1 && low < most) {
        int middle = low + (high - low) / 2;
        if ((fit = fits(m, d, of_texts ? middle : 1, of_texts ? d->length : middle, memory)) == 1)
            low = middle;
        else
            high = middle;
    }
    *out = low;
    return fit < 0 ? -1 : 0;
}

int pb_device_fit(pb_model *m, const pb_device *d, double memory, int *batch, int *length)
{
    int most = pb_min(MOST_BATCH, MOST_TOKENS / d->length);
    return largest(m, d, true, most, memory, batch) || largest(m, d, false, pb_model_max_tokens(m), memory, length) ? -1
                                                                                                                    : 0;
}
