/* decode_beam: beam search as in transformers' generate.
 *
 * Each step takes the K most likely one-token extensions of the running beams, with K = max(2, 1 + end-of-text tokens)
 * * beams.  Those that end, among the first `beams` of them, compete for the list of the `beams` best finished texts,
 * by log-probability / length^length_penalty; the most likely `beams` that do not end become the running beams.  The
 * search is over when that list is full and the best running beam, at its present length, is no better than the worst
 * of it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/apply.h"
#include "model/decoder.h"
#include "model/internal.h"

typedef struct candidate {
    pb_real score;    /* log-probability of the added tokens, with the repetition penalty */
    pb_real log_prob; /* the same without the penalty */
    int beam, id;
} candidate;

typedef struct beam {
    pb_kv_cache *kv_cache; /* of the added tokens; its parent is that of the prompt */
    pb_ids text;
    pb_real score, log_prob;
} beam;

typedef struct finished {
    pb_ids ids;
    pb_real score, sum; /* with the length penalty; the log-probability without penalties */
    pb_ending ending;
} finished;

/* The search for one prompt's continuation. */
typedef struct search {
    pb_decoder *d;
    int example;         /* < 0: none                                    */
    pb_kv_cache *prompt; /* empty: the prompt has not been processed */
    beam *run;           /* [beams] */
    beam *spare;         /* [beams] the next ones, while they are chosen */
    finished *done;      /* [beams] best first                           */
    candidate *top;      /* [kept]  best first                           */
    int running, ended;  /* of run, of done                              */
    int kept, beams;     /* kept: K                                      */
    int start;           /* index of the first added token in a text */
    int first_row, rows; /* of the logits                                */
    bool begun;          /* the prompt has been processed */
} search;

/* ---- candidates ------------------------------------------------------------------------------------------ */

static void insert(search *s, int *count, candidate c)
{
    int at = *count < s->kept ? (*count)++ : s->kept - 1;
    for (; at > 0 && s->top[at - 1].score < c.score; at--)
        s->top[at] = s->top[at - 1];
    s->top[at] = c;
}

/* Merges the extensions of one beam into the list of the most likely ones; among equals the first stays. */
static void merge_extensions(search *s, int which, int vocab, const pb_real *x, int *count)
{
    enum { BLOCK = 64 };
    pb_real score = s->run[which].score;
    for (int i = 0; i < vocab; i += BLOCK) {
        int n = vocab - i < BLOCK ? vocab - i : BLOCK;
        if (*count == s->kept && pb_largest((size_t)n, x + i) + score <= s->top[s->kept - 1].score)
            continue;
        for (int k = i; k < i + n; k++)
            if (*count < s->kept || x[k] + score > s->top[s->kept - 1].score)
                insert(s, count, (candidate){x[k] + score, 0, which, k});
    }
}

static int find_candidates(search *s, const pb_node *logits)
{
    int count = 0;
    for (int i = 0; i < s->running; i++) {
        pb_real *x = logits->x + (size_t)(s->first_row + i) * (size_t)logits->cols;
        pb_decoder_score(s->d, &s->run[i].text, logits->cols, x);
        pb_decoder_penalize(s->d, &s->run[i].text, x);
        merge_extensions(s, i, logits->cols, x, &count);
    }
    for (int i = 0; i < count; i++) {
        candidate *c = &s->top[i];
        const beam *b = &s->run[c->beam];
        c->log_prob = s->d->seen ? b->log_prob + (c->score - b->score) / pb_decoder_penalty(s->d, &b->text, c->id)
                                 : c->score;
    }
    return count;
}

/* ---- texts that end ---------------------------------------------------------------------------------------- */

static void finish(search *s, const candidate *c, pb_ending why)
{
    const pb_ids *text = &s->run[c->beam].text;
    int length = (int)text->count - s->start + 1, at = s->ended;
    pb_real score = c->score / (pb_real)pow(length, s->d->how->length_penalty);
    while (at > 0 && s->done[at - 1].score < score)
        at--;
    if (at == s->beams)
        return;
    if (s->ended == s->beams)
        pb_ids_free(&s->done[--s->ended].ids);
    memmove(s->done + at + 1, s->done + at, (size_t)(s->ended++ - at) * sizeof *s->done);
    s->done[at] = (finished){.score = score, .sum = c->log_prob, .ending = why};
    for (size_t i = (size_t)s->start; i < text->count; i++)
        pb_ids_add(&s->done[at].ids, text->id[i]);
    pb_ids_add(&s->done[at].ids, c->id);
}

/* Returns true if the text ends with this candidate. */
static bool ends(search *s, const candidate *c, pb_ending *why)
{
    pb_ids *text = &s->run[c->beam].text;
    pb_ids_add(text, c->id);
    bool yes = pb_decoder_ends(s->d, s->example, text->id + s->start, (int)text->count - s->start, why);
    text->count--;
    return yes;
}

/* ---- texts that run on ------------------------------------------------------------------------------------- */

static void follow(const search *s, beam *to, const candidate *c)
{
    const pb_ids *text = &s->run[c->beam].text;
    to->score = c->score;
    to->log_prob = c->log_prob;
    to->text.count = 0;
    for (size_t i = 0; i < text->count; i++)
        pb_ids_add(&to->text, text->id[i]);
    pb_ids_add(&to->text, c->id);
}

/* The first extension of a beam keeps its index and its KV cache; the others copy the cache to the indices of beams
 * that have no extension.  The caches thus stay the same objects, and the graph that refers to them can run again. */
static void run_on(search *s, const candidate *next, int count)
{
    bool taken[64] = {false}, placed[64] = {false};
    for (int i = 0; i < count; i++)
        if (!taken[next[i].beam] && next[i].beam < count) {
            placed[i] = taken[next[i].beam] = true;
            follow(s, &s->spare[next[i].beam], &next[i]);
        }
    for (int i = 0, at = 0; i < count; i++) {
        if (placed[i])
            continue;
        while (taken[at])
            at++;
        taken[at] = true;
        follow(s, &s->spare[at], &next[i]);
        pb_kv_cache_copy(s->run[at].kv_cache, s->run[next[i].beam].kv_cache);
    }
    for (int i = 0; i < count; i++) {
        beam was = s->run[i];
        s->run[i] = (beam){was.kv_cache, s->spare[i].text, s->spare[i].score, s->spare[i].log_prob};
        s->spare[i].text = was.text;
    }
    s->running = count;
}

static pb_real best_running(const search *s)
{
    pb_real best = -(pb_real)INFINITY;
    for (int i = 0; i < s->running; i++)
        best = s->run[i].score > best ? s->run[i].score : best;
    return best;
}

/* Chooses the next beams from the logits of the running ones.  Returns true if the search is over. */
static bool choose(search *s, const pb_node *logits)
{
    candidate next[64];
    int count = find_candidates(s, logits), continued = 0;
    for (int i = 0; i < count; i++) {
        pb_ending why;
        if (!ends(s, &s->top[i], &why)) {
            if (continued < s->beams)
                next[continued++] = s->top[i];
        } else if (i < s->beams)
            finish(s, &s->top[i], why);
    }
    if (!continued)
        return true;
    run_on(s, next, continued);
    int length = (int)s->run[0].text.count - s->start;
    pb_real hope = best_running(s) / (pb_real)pow(length, s->d->how->length_penalty);
    return s->ended == s->beams && !(hope > s->done[s->beams - 1].score);
}

/* ---- several searches at a time ---------------------------------------------------------------------------------- */

static void begin_next_prompt(search *s)
{
    pb_decoder *d = s->d;
    s->example = d->next < d->n ? d->next++ : -1;
    s->begun = false;
    if (s->example < 0)
        return;
    s->running = 1; /* before the first choice all beams are one */
    s->run[0].score = s->run[0].log_prob = 0;
    pb_decoder_begin(d, s->example, &s->run[0].text);
    s->start = (int)s->run[0].text.count;
    pb_kv_cache_begin(s->prompt, NULL, (int)d->prompt[s->example].count);
}

/* The prompt's KV cache becomes the parent of those of the beams. */
static void begin_beams(search *s)
{
    s->begun = true;
    for (int i = 0; i < s->beams; i++)
        pb_kv_cache_begin(s->run[i].kv_cache, s->prompt, pb_decoder_limit(s->d, s->example));
}

static void store_continuation(search *s)
{
    pb_continuation *c = &s->d->out[s->example];
    *c = (pb_continuation){s->done[0].ids, (double)s->done[0].sum, s->done[0].ending};
    for (int i = 1; i < s->ended; i++)
        pb_ids_free(&s->done[i].ids);
    s->ended = 0;
}

static int join(search *s, pb_decode_input *inputs, int n)
{
    const pb_ids *prompt = s->example < 0 ? NULL : &s->d->prompt[s->example];
    s->first_row = n;
    if (prompt && !s->begun)
        inputs[n++] = (pb_decode_input){s->prompt, prompt->id, (int)prompt->count};
    for (int i = 0; prompt && s->begun && i < s->running; i++)
        inputs[n++] = (pb_decode_input){s->run[i].kv_cache, s->run[i].text.id + s->run[i].text.count - 1, 1};
    return n;
}

/* One step of all searches.  Returns 1 if all are over, -1 with an error. */
static int run_step(search *list, int searches, pb_decode_input *inputs)
{
    int n = 0;
    for (int i = 0; i < searches; i++)
        n = join(&list[i], inputs, n);
    if (!n)
        return 1;
    pb_node *logits = pb_decode_step_run(list->d->step, n, inputs);
    if (logits && pb_apply_check(logits))
        return -1;
    for (int i = 0; logits && i < searches; i++) {
        search *s = &list[i];
        if (s->example < 0)
            continue;
        if (!s->begun)
            begin_beams(s);
        if (choose(s, logits)) {
            store_continuation(s);
            begin_next_prompt(s);
        }
    }
    return logits ? 0 : -1;
}

static int ending_tokens(const pb_model *m)
{
    int count = 0;
    for (size_t i = 0; i < PB_COUNT(m->end); i++)
        count += m->end[i] >= 0;
    return count;
}

static void open_search(search *s, pb_decoder *d)
{
    int beams = d->how->beams, ending = d->how->end ? ending_tokens(d->model) : 0;
    size_t count = (size_t)beams;
    *s = (search){.d = d, .beams = beams, .kept = (ending > 1 ? 1 + ending : 2) * beams};
    s->prompt = pb_kv_cache_new(d->model);
    s->run = pb_alloc(count * sizeof *s->run);
    s->spare = pb_alloc(count * sizeof *s->spare);
    s->done = pb_alloc((count + 1) * sizeof *s->done);
    s->top = pb_alloc((size_t)s->kept * sizeof *s->top);
    for (int i = 0; i < beams; i++)
        s->run[i].kv_cache = pb_kv_cache_new(d->model);
    begin_next_prompt(s);
}

static void close_search(search *s)
{
    for (int i = 0; i < s->beams; i++) {
        pb_kv_cache_free(s->run[i].kv_cache);
        pb_ids_free(&s->run[i].text);
        pb_ids_free(&s->spare[i].text);
    }
    for (int i = 0; i < s->ended; i++)
        pb_ids_free(&s->done[i].ids);
    pb_kv_cache_free(s->prompt);
    free(s->run);
    free(s->spare);
    free(s->done);
    free(s->top);
}

int pb_decode_beams(pb_decoder *d)
{
    int beams = d->how->beams, most = d->how->slots / beams, rc = 0;
    most = most < 1 ? 1 : most;
    int searches = most < d->n ? most : d->n;
    if (pb_model_outputs(d->model) < 2 * beams)
        return pb_error("beams: want at most half of the %d tokens, got %d", pb_model_outputs(d->model), beams);
    search *list = pb_alloc((size_t)searches * sizeof *list + 1);
    pb_decode_input *inputs = pb_alloc((size_t)searches * (size_t)beams * sizeof *inputs + 1);
    for (int i = 0; i < searches; i++)
        open_search(&list[i], d);
    while (!rc && searches)
        rc = run_step(list, searches, inputs);
    for (int i = 0; i < searches; i++)
        close_search(&list[i]);
    free(list);
    free(inputs);
    return rc < 0 ? -1 : 0;
}
