/* decoder: see decoder.h. */
#include "model/decoder.h"

#include <math.h>
#include <string.h>

#include "model/internal.h"

int pb_decoder_limit(const pb_decoder *d, int example)
{
    int room = pb_model_max_tokens(d->model) - (int)d->prompt[example].count;
    return room < d->how->max_new ? room : d->how->max_new;
}

int pb_decoder_begin(const pb_decoder *d, int example, pb_ids *text)
{
    const pb_ids *prefix = &d->model->cached_prefix_ids, *prompt = &d->prompt[example];
    text->count = 0;
    for (size_t i = 0; i < prefix->count; i++)
        pb_ids_add(text, prefix->id[i]);
    for (size_t i = 0; i < prompt->count; i++)
        pb_ids_add(text, prompt->id[i]);
    return (int)prefix->count;
}

void pb_decoder_score(const pb_decoder *d, const pb_ids *text, int vocabulary, pb_real *x)
{
    size_t n = (size_t)d->how->no_repeat;
    pb_log_softmax((size_t)vocabulary, x);
    if (!n || text->count + 1 < n)
        return;
    const int *last = text->id + text->count - (n - 1);
    for (size_t i = 0; i + n <= text->count; i++)
        if (!memcmp(text->id + i, last, (n - 1) * sizeof *last))
            x[text->id[i + n - 1]] = -(pb_real)INFINITY;
}

/* The penalty multiplies negative values and divides positive ones, as in transformers. */
void pb_decoder_penalize(const pb_decoder *d, const pb_ids *text, pb_real *x)
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

/* True if the last token completes a stop text.  A token is at least one byte, which bounds the tokens to decode; one
 * more is decoded because the first may lose a space. */
static bool stops_now(const pb_decoder *d, const int *added, int count)
{
    if (!d->stops.count)
        return false;
    size_t tail = d->stops.longest + 1 < (size_t)count ? d->stops.longest + 1 : (size_t)count;
    pb_text text = {0};
    pb_tokenizer_decode(d->model->tokenizer, added + (size_t)count - tail, tail, false, &text);
    bool found = pb_stops_first(&d->stops, &text) < text.length;
    pb_text_free(&text);
    return found;
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
