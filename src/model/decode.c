/* decode: see decode.h, decoder.h. */
#include "model/decode.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/decoder.h"
#include "model/internal.h"

const char *const pb_ending_name[PB_ENDINGS] = {"end", "stop", "length", "window"};

const pb_option pb_decode_table[] = {
    PB_OPTION(pb_decoding, strategy, CHOICE, "greedy", "greedy|sample|beam",
              "the likeliest token; one drawn by its probability; the likeliest text that a beam search finds"),
    PB_OPTION(pb_decoding, max_new, INT, "64", 1, 1000000, "tokens added at most"),
    PB_OPTION(pb_decoding, end, BOOL, "yes", "stop at the model's own token for the end"),
    PB_OPTION(pb_decoding, temperature, REAL, "1", 0.001, 1000, "sample: what logits are divided by"),
    PB_OPTION(pb_decoding, top_k, INT, "0", 0, 10000000, "sample: among the k likeliest tokens; 0: all"),
    PB_OPTION(pb_decoding, top_p, REAL, "1", 0, 1,
              "sample: among the fewest tokens that have this much of the probability"),
    PB_OPTION(pb_decoding, seed, INT, "0", 0, 1e9, "sample: of the draws"),
    PB_OPTION(pb_decoding, beams, INT, "4", 1, 64, "beam: texts kept"),
    PB_OPTION(pb_decoding, length_penalty, REAL, "1", -10, 10,
              "beam: log-probabilities are divided by length to this power"),
    PB_OPTION(pb_decoding, no_repeat, INT, "0", 0, 1000,
              "no so many tokens in a row occur twice in prompt and continuation; 0: they may"),
    PB_OPTION(pb_decoding, repetition_penalty, REAL, "1", 0.01, 100,
              "what logits of tokens in prompt and continuation are divided by (negative ones: multiplied)"),
    PB_OPTION(pb_decoding, stop, TEXT, "",
              "texts that end a continuation, one | between two; \\n, \\t, \\| and \\\\ are read as in C"),
    PB_OPTION(pb_decoding, slots, INT, "8", 1, 4096, "texts that run side by side; beams count"),
    {0},
};

/* ---- stop texts ------------------------------------------------------------------------------------------ */

static char unescaped(char c)
{
    return (char)(c == 'n' ? '\n' : c == 't' ? '\t' : c);
}

static void add_stop(pb_stops *s, pb_text one)
{
    if (!one.length)
        return;
    pb_grow(&s->text, s->count, &s->capacity, sizeof *s->text);
    s->text[s->count++] = one;
    s->longest = one.length > s->longest ? one.length : s->longest;
}

static pb_stops read_stops(const char *list)
{
    pb_stops s = {0};
    pb_text one = {0};
    for (; list && *list; list++) {
        if (*list == '|') {
            add_stop(&s, one);
            one = (pb_text){0};
            continue;
        }
        char c = *list == '\\' && list[1] ? unescaped(*++list) : *list;
        pb_text_bytes(&one, &c, 1);
    }
    add_stop(&s, one);
    return s;
}

static void free_stops(pb_stops *s)
{
    for (size_t i = 0; i < s->count; i++)
        pb_text_free(&s->text[i]);
    free(s->text);
}

/* Where the first stop text in `text` begins; its length if there is none. */
static size_t first_stop(const pb_stops *s, const pb_text *text)
{
    size_t first = text->length;
    for (size_t i = 0; i < s->count && text->data; i++) {
        const char *at = memmem(text->data, text->length, s->text[i].data, s->text[i].length);
        if (at && (size_t)(at - text->data) < first)
            first = (size_t)(at - text->data);
    }
    return first;
}

/* A token is at least a byte, so what has come to its end just now began at most so many tokens ago; the first of
 * them may lose a space. */
static bool stops_now(const pb_decoder *d, const int *added, int count)
{
    if (!d->stops.count)
        return false;
    size_t tail = d->stops.longest + 1 < (size_t)count ? d->stops.longest + 1 : (size_t)count;
    pb_text text = {0};
    pb_tokenizer_decode(d->model->tokenizer, added + (size_t)count - tail, tail, false, &text);
    bool found = first_stop(&d->stops, &text) < text.length;
    pb_text_free(&text);
    return found;
}

void pb_continuation_text(const pb_model *m, const pb_decoding *how, const pb_continuation *c, pb_text *out)
{
    pb_text text = {0};
    pb_stops stops = read_stops(c->ending == PB_BY_STOP ? how->stop : "");
    pb_tokenizer_decode(m->tokenizer, c->ids.id, c->ids.count, true, &text);
    pb_text_bytes(out, text.data ? text.data : "", first_stop(&stops, &text));
    pb_text_free(&text);
    free_stops(&stops);
}

/* ---- what the strategies share -------------------------------------------------------------------------- */

int pb_decoder_limit(const pb_decoder *d, int example)
{
    int room = pb_model_max_tokens(d->model) - (int)d->prompt[example].count;
    return room < d->how->max_new ? room : d->how->max_new;
}

int pb_decoder_begin(const pb_decoder *d, int example, pb_ids *text)
{
    const pb_ids *held = &d->model->held_ids, *prompt = &d->prompt[example];
    text->count = 0;
    for (size_t i = 0; i < held->count; i++)
        pb_ids_add(text, held->id[i]);
    for (size_t i = 0; i < prompt->count; i++)
        pb_ids_add(text, prompt->id[i]);
    return (int)held->count;
}

void pb_decoder_log_softmax(size_t n, pb_real *x)
{
    enum { BLOCK = 1024 };
    pb_real part[BLOCK], top = pb_largest(n, x), sum = 0;
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t count = n - i < BLOCK ? n - i : BLOCK;
        pb_exp(count, x + i, top, part);
        sum += pb_sum(count, part);
    }
    pb_real shift = top + (pb_real)log((double)sum);
    for (size_t i = 0; i < n; i++)
        x[i] -= shift;
}

void pb_decoder_score(const pb_decoder *d, const pb_ids *text, int vocabulary, pb_real *x)
{
    size_t n = (size_t)d->how->no_repeat;
    pb_decoder_log_softmax((size_t)vocabulary, x);
    if (!n || text->count + 1 < n)
        return;
    const int *last = text->id + text->count - (n - 1);
    for (size_t i = 0; i + n <= text->count; i++)
        if (!memcmp(text->id + i, last, (n - 1) * sizeof *last))
            x[text->id[i + n - 1]] = -(pb_real)INFINITY;
}

/* Negative logits, and all logarithms of probabilities, grow away from 0. */
void pb_decoder_penalise(const pb_decoder *d, const pb_ids *text, pb_real *x)
{
    pb_real penalty = (pb_real)d->how->repetition_penalty;
    if (!d->seen)
        return;
    for (size_t i = 0; i < text->count; i++) {
        int id = text->id[i];
        if (!d->seen[id])
            x[id] = x[id] < 0 ? x[id] * penalty : x[id] / penalty;
        d->seen[id] = true;
    }
    for (size_t i = 0; i < text->count; i++)
        d->seen[text->id[i]] = false;
}

pb_real pb_decoder_penalty(const pb_decoder *d, const pb_ids *text, int id)
{
    for (size_t i = 0; d->seen && i < text->count; i++)
        if (text->id[i] == id)
            return (pb_real)d->how->repetition_penalty;
    return 1;
}

bool pb_decoder_ends(const pb_decoder *d, int example, const int *added, int count, pb_ending *why)
{
    if (d->how->end && pb_model_ends(d->model, added[count - 1]))
        *why = PB_BY_END;
    else if (stops_now(d, added, count))
        *why = PB_BY_STOP;
    else if (count == d->how->max_new)
        *why = PB_BY_LENGTH;
    else if (count == pb_decoder_limit(d, example))
        *why = PB_BY_WINDOW;
    else
        return false;
    return true;
}

static int check(const pb_decoder *d)
{
    int most = pb_model_max_tokens(d->model) - 1, vocab = d->model->config.vocab;
    if (d->model->head != PB_HEAD_CAUSAL)
        return pb_error("%s: no causal language model; want one that predicts the next token", d->model->dir);
    if (d->stops.count && !d->model->tokenizer)
        return pb_error("%s: no tokenizer.json, so no stop texts", d->model->dir);
    for (int i = 0; i < d->n; i++) {
        if (d->prompt[i].count < 1 || d->prompt[i].count > (size_t)(most > 0 ? most : 0))
            return pb_error(
                "prompt %d: %zu tokens, want 1..%d: there has to be room to go on%s", i + 1, d->prompt[i].count, most,
                d->model->config.window ? " within the attention window (sliding_window in config.json)" : "");
        for (size_t k = 0; k < d->prompt[i].count; k++)
            if (d->prompt[i].id[k] < 0 || d->prompt[i].id[k] >= vocab)
                return pb_error("prompt %d: token id %d, want 0..%d", i + 1, d->prompt[i].id[k], vocab - 1);
    }
    return 0;
}

int pb_decode(pb_model *m, const pb_decoding *how, int n, const pb_ids *prompt, pb_continuation *out)
{
    pb_decoder d = {.model = m, .how = how, .n = n, .prompt = prompt, .out = out, .stops = read_stops(how->stop)};
    memset(out, 0, (size_t)n * sizeof *out);
    int rc = check(&d);
    if (!rc) {
        d.advance = pb_decode_step_new(m);
        d.seen = how->repetition_penalty > 0 && how->repetition_penalty != 1 ? pb_alloc((size_t)m->config.vocab) : NULL;
        rc = how->strategy == PB_BEAM ? pb_decode_beams(&d) : pb_decode_tokens(&d);
        pb_decode_step_free(d.advance);
        free(d.seen);
    }
    for (int i = 0; rc && i < n; i++)
        pb_ids_free(&out[i].ids);
    free_stops(&d.stops);
    return rc;
}
