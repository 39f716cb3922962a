/* optim_rules: AdamW, SGD, Adafactor and Lion: what each keeps of a parameter, and how it updates one.  The arithmetic
 * is in numeric/update.c. */
#include <math.h>

#include "base/threads.h"
#include "numeric/kernel.h"
#include "train/optim_internal.h"

bool pb_optim_is_matrix(const pb_param *p)
{
    bool known = p->kind == PB_ADDED || p->kind == PB_HEAD;
    return known ? !p->vector : p->rows > 1 || p->kind == PB_EMBEDDING;
}

/* ---- AdamW: two moments ---------------------------------------------------------------------------------- */

static void adamw_size(const pb_train_options *o, const pb_param *p, size_t elements[PB_OPTIM_STATES])
{
    (void)o;
    elements[0] = elements[1] = pb_param_elements(p);
}

static void adamw_prepare(pb_optim *opt)
{
    for (int i = 0; i < opt->items; i++) {
        pb_optim_item *k = &opt->item[i];
        k->bias1 = 1 - pow(opt->options->beta1, k->steps);
        k->bias2 = 1 - pow(opt->options->beta2, k->steps);
    }
}

static void adamw_update(const pb_optim *opt, const pb_optim_item *k, const pb_optim_range *at)
{
    const pb_train_options *o = opt->options;
    const pb_adamw rule = {.lr = k->rate,
                           .beta1 = o->beta1,
                           .beta2 = o->beta2,
                           .eps = o->eps,
                           .decay = k->decay,
                           .bias1 = k->bias1,
                           .bias2 = k->bias2,
                           .clip = opt->clip};
    pb_adamw_step(&rule, at->n, k->param->x + at->from, at->g, k->state[0] + at->from, k->state[1] + at->from);
}

/* ---- SGD: the momentum, if there is any -------------------------------------------------------------------- */

static void sgd_size(const pb_train_options *o, const pb_param *p, size_t elements[PB_OPTIM_STATES])
{
    elements[0] = o->momentum > 0 ? pb_param_elements(p) : 0;
    elements[1] = 0;
}

static void sgd_update(const pb_optim *opt, const pb_optim_item *k, const pb_optim_range *at)
{
    const pb_sgd rule = {k->rate, opt->options->momentum, k->decay, opt->clip};
    pb_sgd_step(&rule, at->n, k->param->x + at->from, at->g, k->state[0] ? k->state[0] + at->from : NULL);
}

/* ---- Lion: the momentum ------------------------------------------------------------------------------------ */

static void lion_size(const pb_train_options *o, const pb_param *p, size_t elements[PB_OPTIM_STATES])
{
    (void)o;
    elements[0] = pb_param_elements(p);
    elements[1] = 0;
}

static void lion_update(const pb_optim *opt, const pb_optim_item *k, const pb_optim_range *at)
{
    const pb_train_options *o = opt->options;
    const pb_lion rule = {k->rate, o->lion_beta1, o->lion_beta2, k->decay, opt->clip};
    pb_lion_step(&rule, at->n, k->param->x + at->from, at->g, k->state[0] + at->from);
}

/* ---- Adafactor: averages of the rows and of the columns of a matrix; the second moment of a vector --------- */

#define DECAY_RATE (-0.8) /* the decay rate of the averages in step t is 1 - t^DECAY_RATE */
#define EPS 1e-30
#define THRESHOLD 1.0 /* of the root of the mean square of a tensor's update */

static void adafactor_size(const pb_train_options *o, const pb_param *p, size_t elements[PB_OPTIM_STATES])
{
    (void)o;
    bool matrix = pb_optim_is_matrix(p);
    elements[0] = matrix ? (size_t)p->rows : pb_param_elements(p);
    elements[1] = matrix ? (size_t)p->cols : 0;
}

static pb_adafactor adafactor_rule(const pb_optim *opt, const pb_optim_item *k)
{
    return (pb_adafactor){
        .lr = k->rate, .beta2 = k->beta2, .eps = EPS, .decay = k->decay, .clip = opt->clip, .divisor = k->divisor};
}

/* The gradient of a row; NULL: the batch has not touched it. */
static const pb_real *gradient_of_row(const pb_param *p, int row)
{
    int at = p->slot ? p->slot[row] : row;
    return at < 0 ? NULL : p->g + (size_t)at * (size_t)p->cols;
}

static void average_matrix(const pb_adafactor *rule, const pb_optim_item *k, int thread)
{
    const pb_param *p = k->param;
    int from, to;
    pb_threads_share(p->rows, 1, thread, &from, &to);
    for (int r = from; r < to; r++)
        k->state[0][r] = pb_adafactor_row(rule, (size_t)p->cols, gradient_of_row(p, r), k->state[0][r]);
    pb_threads_share(p->cols, 64, thread, &from, &to);
    pb_adafactor_columns(rule, (size_t)p->rows, (size_t)(p->slot ? p->touched : p->rows), (size_t)p->cols, (size_t)from,
                         (size_t)to, p->g, k->state[1]);
}

static void average_share(void *ctx, int thread)
{
    const pb_optim *opt = ctx;
    for (int i = 0, from, to; i < opt->items; i++) {
        const pb_optim_item *k = &opt->item[i];
        const pb_adafactor rule = adafactor_rule(opt, k);
        if (!k->param->reached)
            continue;
        if (k->matrix) {
            average_matrix(&rule, k, thread);
            continue;
        }
        pb_threads_share((int)k->count, 64, thread, &from, &to);
        pb_adafactor_elements(&rule, (size_t)(to - from), k->param->g + from, k->state[0] + from);
    }
}

/* The factor of the gradients in a range, without the clipping, and in *v the averages by whose roots they are
 * divided. */
static pb_real factor_of(const pb_optim_item *k, const pb_optim_range *at, const pb_real **v)
{
    size_t cols = (size_t)k->param->cols;
    *v = k->matrix ? k->state[1] + at->from % cols : k->state[0] + at->from;
    return k->matrix ? (pb_real)sqrt(k->row_mean / (double)k->state[0][at->from / cols]) : 1;
}

static void add_squares(pb_optim *opt, pb_optim_item *k, const pb_optim_range *at, int thread)
{
    const pb_real *v;
    pb_real factor = (pb_real)opt->clip * factor_of(k, at, &v);
    k->sums[thread] += at->g ? pb_adafactor_squares(factor, at->n, at->g, v) : 0;
}

static void square_share(void *ctx, int thread)
{
    pb_optim *opt = ctx;
    for (int i = 0; i < opt->items; i++)
        opt->item[i].sums[thread] = 0;
    pb_optim_ranges(opt, thread, add_squares);
}

static void adafactor_prepare(pb_optim *opt)
{
    for (int i = 0; i < opt->items; i++)
        opt->item[i].beta2 = 1 - pow(opt->item[i].steps, DECAY_RATE);
    pb_threads_run(average_share, opt);
    for (int i = 0; i < opt->items; i++) {
        pb_optim_item *k = &opt->item[i];
        k->row_mean = 0;
        for (int r = 0; k->matrix && r < k->param->rows; r++)
            k->row_mean += (double)k->state[0][r] / k->param->rows;
    }
    pb_threads_run(square_share, opt);
    for (int i = 0; i < opt->items; i++) {
        pb_optim_item *k = &opt->item[i];
        double sum = 0;
        for (int t = 0; t < pb_threads_count(); t++)
            sum += k->sums[t];
        k->divisor = fmax(1, sqrt(sum / (double)k->count) / THRESHOLD);
    }
}

static void adafactor_update(const pb_optim *opt, const pb_optim_item *k, const pb_optim_range *at)
{
    const pb_adafactor rule = adafactor_rule(opt, k);
    const pb_real *v;
    pb_real factor = (pb_real)opt->clip * factor_of(k, at, &v);
    pb_adafactor_step(&rule, factor, at->n, k->param->x + at->from, at->g, v);
}

/* ---- the table --------------------------------------------------------------------------------------------- */

static const pb_optim_rule rules[] = {
    [PB_ADAMW] = {.size = adamw_size, .prepare = adamw_prepare, .update = adamw_update},
    [PB_SGD] = {.size = sgd_size, .update = sgd_update},
    [PB_ADAFACTOR] = {.size = adafactor_size,
                      .prepare = adafactor_prepare,
                      .update = adafactor_update,
                      .by_rows = true},
    [PB_LION] = {.size = lion_size, .update = lion_update},
};

const pb_optim_rule *pb_optim_rule_of(const pb_train_options *o)
{
    return &rules[o->optimizer];
}
