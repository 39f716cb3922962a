/* decode: see decode.h. */
#include "model/decode.h"

#include <stdlib.h>
#include <string.h>

#include "model/decoder.h"
#include "model/internal.h"

void pb_continuation_text(const pb_model *m, const pb_decoding *how, const pb_continuation *c, pb_text *out)
{
    pb_text text = {0};
    pb_stops stops = pb_stops_read(c->ending == PB_BY_STOP ? how->stop : "");
    pb_tokenizer_decode(m->tokenizer, c->ids.id, c->ids.count, true, &text);
    pb_text_bytes(out, text.data ? text.data : "", pb_stops_first(&stops, &text));
    pb_text_free(&text);
    pb_stops_free(&stops);
}

static int check_decoder(const pb_decoder *d)
{
    int most = pb_model_max_tokens(d->model) - 1, vocab = d->model->config.vocab;
    if (d->model->head != PB_HEAD_CAUSAL)
        return pb_error("%s: not a causal language model; want one that predicts the next token", d->model->dir);
    if (d->stops.count && !d->model->tokenizer)
        return pb_error("%s: stop texts need a tokenizer, but there is no tokenizer.json", d->model->dir);
    for (int i = 0; i < d->n; i++) {
        if (d->prompt[i].count < 1 || d->prompt[i].count > (size_t)(most > 0 ? most : 0))
            return pb_error(
                "prompt %d: %zu tokens, want 1..%d, so that a token can be added%s", i + 1, d->prompt[i].count, most,
                d->model->config.window ? " within the attention window (sliding_window in config.json)" : "");
        for (size_t k = 0; k < d->prompt[i].count; k++)
            if (d->prompt[i].id[k] < 0 || d->prompt[i].id[k] >= vocab)
                return pb_error("prompt %d: token id %d, want 0..%d", i + 1, d->prompt[i].id[k], vocab - 1);
    }
    return 0;
}

int pb_decode(pb_model *m, const pb_decoding *how, int n, const pb_ids *prompt, pb_continuation *out)
{
    pb_decoder d = {.model = m, .how = how, .n = n, .prompt = prompt, .out = out, .stops = pb_stops_read(how->stop)};
    memset(out, 0, (size_t)n * sizeof *out);
    int rc = check_decoder(&d);
    if (!rc) {
        d.step = pb_decode_step_new(m);
        d.seen = how->repetition_penalty > 0 && how->repetition_penalty != 1 ? pb_alloc((size_t)m->config.vocab) : NULL;
        rc = how->strategy == PB_BEAM ? pb_decode_beams(&d) : pb_decode_tokens(&d);
        pb_decode_step_free(d.step);
        free(d.seen);
    }
    for (int i = 0; rc && i < n; i++)
        pb_ids_free(&out[i].ids);
    pb_stops_free(&d.stops);
    return rc;
}
