/* child-tuning: every parameter may train, but a step uses the gradient of a child network only.  Its elements are
 * drawn in each step, each with probability p, and their gradient is divided by p; or they are the share p of the
 * projections' weights with the largest Fisher information, which is chosen before the first step and stays. */
#include "peftbench.h"

enum { DRAWN, FISHER }; /* choose */

PB_SETTINGS(CHOICE(choose, "drawn", "drawn|fisher", "the child network: drawn in each step, or fixed"),
            REAL(share, "0.3", 1e-6, 1, "p, the child network's share of the parameters"),
            INT(samples, "1024", 1, 1000000, "fisher: training examples from which it is computed"),
            TEXT(targets, "*", "fisher: projections whose weights have a child network; others train whole"));

/* The places of a child network in the weights of all targets, one after the other. */
static double elements(pb_build *b, const pb_site *before)
{
    double sum = 0;
    for (const pb_site *s = pb_next_target(b, NULL); s != before; s = pb_next_target(b, s))
        sum += (double)s->in * s->out;
    return sum;
}

/* The projection as it is; with `fisher` its first call makes room for the places. */
static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    double all = elements(b, NULL), kept = ceil(c->share * all);
    if (c->choose == FISHER && all > INT32_MAX)
        return pb_refuse("child-tuning: the targets have %.0f weights; want at most 2^31 - 1", all);
    if (c->choose == FISHER && !pb_indices(b, NULL, "places", (int)kept, (int)all))
        return NULL;
    return pb_inner_linear(b, site, x);
}

static unsigned asks(const void *settings)
{
    const conf *c = settings;
    return c->choose == FISHER ? PB_ASK_SQUARES : 0;
}

static void start(pb_build *b, const pb_training_stats *stats)
{
    const conf *c = pb_conf(b);
    if (c->choose != FISHER)
        return;
    pb_param *places = pb_tensor(b, NULL, "places");
    pb_top top = {.keep = places->cols, .place = places->index};
    top.value = pb_alloc((size_t)places->cols * sizeof *top.value);
    int at = 0;
    PB_EACH_TARGET(b, s)
        for (int i = 0; i < s->in * s->out; i++)
            pb_top_offer(&top, stats->squares[s->number][i], at++);
    pb_top_sort(&top);
    free(top.value);
}

/* Keeps each element of the gradients with probability p, and divides it by p. */
static void draw(pb_build *b, const pb_step *step, double share)
{
    uint64_t key = pb_mix(pb_seed(b, NULL, "child"), (uint64_t)step->step), number = 0;
    for (pb_param *p = pb_next_trained(b, NULL); p; p = pb_next_trained(b, p), number++) {
        size_t n = (size_t)(p->slot ? p->touched : p->rows) * (size_t)p->cols;
        uint64_t own = pb_mix(key, number);
        for (size_t i = 0; i < n && p->reached; i++)
            p->g[i] = (double)(pb_mix(own, i) >> 11) * 0x1p-53 < share ? (pb_real)((double)p->g[i] / share) : 0;
    }
}

/* Sets the gradients to 0 outside of the chosen places, which are in ascending order. */
static void keep_places(pb_build *b)
{
    const pb_param *places = pb_tensor(b, NULL, "places");
    int at = 0, k = 0;
    PB_EACH_TARGET(b, s) {
        pb_keep_places(places->index, places->cols, &k, at, s->in * s->out, s->w->reached ? s->w->g : NULL);
        at += s->in * s->out;
    }
}

static void before_step(pb_build *b, const pb_step *step)
{
    const conf *c = pb_conf(b);
    if (c->choose == FISHER)
        keep_places(b);
    else
        draw(b, step, c->share);
}

const pb_method pb_method_child_tuning = {
    .name = "child-tuning",
    .title = "Child-Tuning: each step updates a part of the parameters",
    .paper = "Xu et al. 2021, Raise a child in large language model, arXiv:2109.05687",
    .help = "Full fine-tuning in which each step uses the gradients of a child network only.",
    .equation = "g * M / p, where M is 1 with probability p and else 0; or g * M with a fixed M",
    .notes = "The paper chooses p from 0.2 to 0.4, or from 0.1 to 0.3 for a fixed child network.  As in the authors' "
             "code, AdamW moves an element by its momentum in steps in which its gradient is masked, and decays it.  "
             "All parameters count as trained.",
    .traits = {PB_SELECTIVE, .identity = true, .ranks = true, .merges = true},
    .settings = {options, sizeof(conf)},
    .presets =
        PB_PRESETS({"child-tuning-d", "Child-Tuning with a fixed child network of the largest Fisher information",
                    "Xu et al. 2021, Raise a child in large language model, arXiv:2109.05687", "choose=fisher",
                    "The Fisher information is that of single examples and of the projections' weights; the authors' "
                    "code squares the gradients of batches, and ranks the biases and norms of the layers as well."}),
    .hooks =
        {.select = pb_select_everything, .linear = linear, .asks = asks, .start = start, .before_step = before_step},
};
