/* micro_batches: see micro_batches.h. */
#include "train/micro_batches.h"

#include <stdlib.h>
#include <string.h>

int pb_micro_batch_size(const pb_train_options *o)
{
    return (o->batch + o->accumulate - 1) / o->accumulate;
}

/* Returns the terms of which the loss of a batch is the mean. */
static double loss_terms(pb_runner *r, const pb_runner_batch *b)
{
    pb_arena_reset(r->arena);
    pb_batch batch = pb_encoded_batch(r->encoded, r->arena, b->split, b->item, b->count, b->training);
    return pb_model_loss_terms(r->model, &batch);
}

/* Sets the gradients of all that trains to zero, with no parameter reached and no row of a table touched. */
static void clear_gradients(pb_model *m, const int *touched)
{
    for (int i = 0; i < pb_model_params(m); i++) {
        pb_param *p = pb_model_param(m, i);
        if (!p->trainable)
            continue;
        p->reached = false;
        if (p->slot)
            pb_param_clear_slots(p);
        if (p->g)
            memset(p->g, 0, (size_t)(p->slot ? touched[i] : p->rows) * (size_t)p->cols * sizeof *p->g);
    }
}

static void add_effort(pb_effort *e, const pb_runner *r, const pb_runner_batch *b)
{
    e->forward_flops += r->plan.forward_flops;
    e->backward_flops += r->plan.backward_flops;
    e->recompute_flops += r->plan.recompute_flops;
    for (int i = 0; i < b->count; i++)
        e->tokens += (uint64_t)pb_encoded_tokens(r->encoded, b->split, b->item[i]);
}

/* Plans a micro-batch or, with `loss`, runs it and adds its part of the loss. */
static int do_part(pb_runner *r, const pb_runner_batch *b, pb_effort *effort, double *loss)
{
    if (loss ? pb_runner_run(r, b) : pb_runner_plan(r, b, r->feature_size > 0))
        return -1;
    if (loss)
        *loss += (b->share > 0 ? b->share : 1) * (double)pb_graph_loss(r->graph)->x[0];
    if (loss && b->share > 0)
        pb_graph_mark_reached(r->graph);
    add_effort(effort, r, b);
    return 0;
}

/* Returns micro-batch number k of `parts`. */
static pb_runner_batch part_of(const pb_step_parts *s, int parts, long long k)
{
    int from = (int)(k * s->batch.count / parts), to = (int)((k + 1) * s->batch.count / parts);
    pb_runner_batch b = s->batch;
    b.item += from;
    b.count = to - from;
    b.micro_batch = (int)k;
    return b;
}

/* Fills share [parts] with the shares of the micro-batches in the terms of the loss.  Returns false if there is no term
 * in the whole batch. */
static bool find_shares(pb_runner *r, const pb_step_parts *s, int parts, double *share)
{
    double all = 0;
    for (int k = 0; k < parts; k++) {
        pb_runner_batch b = part_of(s, parts, k);
        all += share[k] = loss_terms(r, &b);
    }
    for (int k = 0; k < parts && all > 0; k++)
        share[k] /= all;
    return all > 0;
}

static int do_step(pb_runner *r, const pb_step_parts *s, pb_effort *effort, double *loss)
{
    int parts = s->accumulate < s->batch.count ? s->accumulate : s->batch.count, rc = 0;
    double *share = parts > 1 ? pb_alloc((size_t)parts * sizeof *share) : NULL;
    effort->steps++;
    if (!share || !find_shares(r, s, parts, share)) {
        free(share);
        return do_part(r, &s->batch, effort, loss);
    }
    clear_gradients(r->model, s->touched);
    for (int k = 0; k < parts && !rc; k++) {
        pb_runner_batch b = part_of(s, parts, k);
        b.share = share[k];
        rc = b.share > 0 ? do_part(r, &b, effort, loss) : 0;
    }
    free(share);
    return rc;
}

int pb_step_plan(pb_runner *r, const pb_step_parts *s, pb_effort *effort)
{
    return do_step(r, s, effort, NULL);
}

int pb_step_run(pb_runner *r, const pb_step_parts *s, pb_effort *effort, double *loss)
{
    *loss = 0;
    return do_step(r, s, effort, loss);
}
