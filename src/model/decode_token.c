/* decode_token: greedy decoding and sampling of many texts at the same time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/apply.h"
#include "model/decoder.h"

typedef struct weighted {
    pb_real weight;
    int id;
} weighted;

/* One of the sequences that are decoded at the same time. */
typedef struct slot {
    pb_kv_cache *kv_cache;
    int example; /* the prompt; < 0: the slot is free */
    pb_ids text; /* the ids of the cached prefix, of the prompt, and the added ones */
    int fed;     /* how many of these the KV cache contains */
    pb_rng draws;
} slot;

typedef struct token_decoder {
    pb_decoder *d;
    slot *slot;
    int slots;
    pb_real *weight;   /* [vocabulary] of a draw */
    weighted *chosen;  /* [vocabulary]           */
    pb_real *log_prob; /* [vocabulary] log-probabilities without the repetition penalty; NULL: there is no penalty */
} token_decoder;

/* ---- the next token ------------------------------------------------------------------------------------- */

/* Among equals the lowest id. */
static int likeliest(int n, const pb_real *x)
{
    pb_real top = pb_largest((size_t)n, x);
    int i = 0;
    while (i < n - 1 && x[i] != top)
        i++;
    return i;
}

static int heavier_first(const void *a, const void *b)
{
    const weighted *x = a, *y = b;
    return x->weight != y->weight ? (x->weight < y->weight) - (x->weight > y->weight) : x->id - y->id;
}

/* The tokens of weight 8^-k or more, for the first k with which they are `count` or have `mass`; heaviest first. */
static int heaviest(const token_decoder *b, int n, int count, pb_real mass)
{
    int found = 0;
    pb_real least = 1, sum = 0;
    for (bool all = false; !all && found < count && sum < mass; least /= 8) {
        all = least < (pb_real)1e-30;
        found = 0;
        sum = 0;
        for (int i = 0; i < n; i++)
            if (b->weight[i] >= least || all) {
                b->chosen[found++] = (weighted){b->weight[i], i};
                sum += b->weight[i];
            }
    }
    qsort(b->chosen, (size_t)found, sizeof *b->chosen, heavier_first);
    return found;
}

/* Restricts the draw to the `top_k` heaviest, then to the fewest that have `top_p` of what is left. */
static int restrict_draw(const token_decoder *b, int n)
{
    const pb_decoding *how = b->d->how;
    pb_real mass = (pb_real)how->top_p * pb_sum((size_t)n, b->weight), sum = 0;
    bool limited = how->top_k && how->top_k < n;
    int found = limited ? heaviest(b, n, how->top_k, (pb_real)INFINITY) : heaviest(b, n, n, mass), kept = 0;
    if (limited) {
        found = how->top_k;
        for (int i = 0; i < found; i++)
            sum += b->chosen[i].weight;
        mass = (pb_real)how->top_p * sum;
    }
    for (sum = 0; kept < found && (kept == 0 || sum < mass); kept++)
        sum += b->chosen[kept].weight;
    return kept;
}

static int all_of(const token_decoder *b, int n)
{
    for (int i = 0; i < n; i++)
        b->chosen[i] = (weighted){b->weight[i], i};
    return n;
}

/* Draws from the log-probabilities x [n]. */
static int draw(const token_decoder *b, slot *s, int n, const pb_real *x)
{
    const pb_decoding *how = b->d->how;
    pb_real cold = (pb_real)(1 / how->temperature), top = pb_largest((size_t)n, x);
    for (int i = 0; i < n; i++)
        b->weight[i] = (x[i] - top) * cold;
    pb_exp((size_t)n, b->weight, 0, b->weight);
    int kept = how->top_k || how->top_p < 1 ? restrict_draw(b, n) : all_of(b, n), i = 0;
    double sum = 0, at = pb_rng_uniform(&s->draws);
    for (int k = 0; k < kept; k++)
        sum += (double)b->chosen[k].weight;
    for (at *= sum; i < kept - 1 && at >= (double)b->chosen[i].weight; i++)
        at -= (double)b->chosen[i].weight;
    return b->chosen[i].id;
}

/* ---- slots ----------------------------------------------------------------------------------------------- */

static void begin_next_prompt(token_decoder *b, slot *s)
{
    pb_decoder *d = b->d;
    s->example = d->next < d->n ? d->next++ : -1;
    if (s->example < 0)
        return;
    s->fed = pb_decoder_begin(d, s->example, &s->text);
    s->draws = pb_rng_named(pb_mix((uint64_t)d->how->seed, (uint64_t)s->example), "decode");
    pb_kv_cache_begin(s->kv_cache, NULL, (int)d->prompt[s->example].count + pb_decoder_limit(d, s->example));
}

/* Adds a token to the text of a slot.  If the text ends, the slot begins the next prompt. */
static void add_token(token_decoder *b, slot *s, int n, pb_real *x)
{
    pb_decoder *d = b->d;
    pb_continuation *c = &d->out[s->example];
    if (b->log_prob) {
        memcpy(b->log_prob, x, (size_t)n * sizeof *x);
        pb_log_softmax((size_t)n, b->log_prob);
        pb_decoder_penalize(d, &s->text, x);
    }
    pb_decoder_score(d, &s->text, n, x);
    int id = d->how->strategy == PB_SAMPLE ? draw(b, s, n, x) : likeliest(n, x);
    s->fed = (int)s->text.count;
    pb_ids_add(&s->text, id);
    pb_ids_add(&c->ids, id);
    c->log_probability += (double)(b->log_prob ? b->log_prob : x)[id];
    if (pb_decoder_ends(d, s->example, c->ids.id, (int)c->ids.count, &c->ending))
        begin_next_prompt(b, s);
}

/* One step of all texts.  Returns 1 if none is left, -1 with an error. */
static int run_step(token_decoder *b, pb_decode_input *inputs, slot **of)
{
    int n = 0;
    for (int i = 0; i < b->slots; i++) {
        slot *s = &b->slot[i];
        if (s->example < 0)
            continue;
        of[n] = s;
        inputs[n++] = (pb_decode_input){s->kv_cache, s->text.id + s->fed, (int)s->text.count - s->fed};
    }
    if (!n)
        return 1;
    pb_node *logits = pb_decode_step_run(b->d->step, n, inputs);
    if (logits && pb_apply_check(logits))
        return -1;
    for (int i = 0; logits && i < n; i++)
        add_token(b, of[i], logits->cols, logits->x + (size_t)i * (size_t)logits->cols);
    return logits ? 0 : -1;
}

int pb_decode_tokens(pb_decoder *d)
{
    size_t vocab = (size_t)pb_model_outputs(d->model);
    int slots = d->how->slots < d->n ? d->how->slots : d->n, rc = 0;
    token_decoder b = {.d = d, .slot = pb_alloc((size_t)slots * sizeof *b.slot + 1), .slots = slots};
    pb_decode_input *inputs = pb_alloc((size_t)slots * sizeof *inputs + 1);
    slot **of = pb_alloc((size_t)slots * sizeof *of + 1);
    if (d->how->strategy == PB_SAMPLE) {
        b.weight = pb_alloc(vocab * sizeof *b.weight);
        b.chosen = pb_alloc(vocab * sizeof *b.chosen);
    }
    b.log_prob = d->seen ? pb_alloc(vocab * sizeof *b.log_prob) : NULL;
    for (int i = 0; i < slots; i++) {
        b.slot[i].kv_cache = pb_kv_cache_new(d->model);
        begin_next_prompt(&b, &b.slot[i]);
    }
    while (!rc)
        rc = run_step(&b, inputs, of);
    for (int i = 0; i < slots; i++) {
        pb_kv_cache_free(b.slot[i].kv_cache);
        pb_ids_free(&b.slot[i].text);
    }
    free(b.slot);
    free(b.weight);
    free(b.chosen);
    free(b.log_prob);
    free(inputs);
    free(of);
    return rc < 0 ? -1 : 0;
}
