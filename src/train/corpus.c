/* corpus: see corpus.h. */
#include "train/corpus.h"

#include <stdlib.h>
#include <string.h>

/* ---- documents ---------------------------------------------------------------------------------------- */

typedef int visit(void *ctx, const char *text, size_t n);

/* Calls `each` with every line of a file that is not empty.  Returns -1 with an error. */
static int each_document(const char *path, visit *each, void *ctx)
{
    size_t size;
    char *all = pb_read_file(path, &size);
    int rc = all ? 0 : -1;
    for (size_t at = 0; at < size && !rc;) {
        const char *end = memchr(all + at, '\n', size - at);
        size_t n = end ? (size_t)(end - all) - at : size - at;
        all[at + n] = 0;
        if (n)
            rc = each(ctx, all + at, n);
        at += n + 1;
    }
    free(all);
    return rc;
}

/* ---- words ---------------------------------------------------------------------------------------------- */

typedef struct reading {
    const pb_decontamination *exclude;
    pb_bpe_trainer *trainer;
    const pb_tokenizer *tokenizer;
    pb_source *source;
    pb_stream *stream;
    int number; /* of the source */
    pb_ids word;
} reading;

static int feed_trainer(void *ctx, const char *text, size_t n)
{
    const reading *r = ctx;
    if (!pb_decontamination_hits(r->exclude, text))
        return pb_bpe_trainer_feed(r->trainer, text, n);
    return 0;
}

int pb_corpus_count(pb_corpus *c, const pb_decontamination *exclude, pb_bpe_trainer *t)
{
    int rc = 0;
    for (int i = 0; i < c->sources && !rc; i++)
        rc = each_document(c->source[i].file, feed_trainer, &(reading){.exclude = exclude, .trainer = t});
    return rc;
}

/* ---- tokens --------------------------------------------------------------------------------------------- */

static bool ends_sentence(const pb_tokenizer *t, int id)
{
    const char *token = pb_tokenizer_token(t, id);
    size_t n = strlen(token);
    return n && strchr(".!?", token[n - 1]);
}

static int add_document(reading *r, const char *text, size_t n)
{
    pb_stream *s = r->stream;
    size_t from = s->ids.count;
    r->word.count = 0;
    if (pb_tokenizer_encode_words(r->tokenizer, text, n, false, 0, &s->ids, &r->word))
        return -1;
    for (size_t i = from; i < s->ids.count; i++) {
        pb_grow(&s->begins, i, &s->begins_capacity, sizeof *s->begins);
        s->begins[i] = (char)(i == from                                          ? PB_SENTENCE
                              : r->word.id[i - from] == r->word.id[i - from - 1] ? PB_NO_WORD
                              : ends_sentence(r->tokenizer, s->ids.id[i - 1])    ? PB_SENTENCE
                                                                                 : PB_WORD);
    }
    if (s->ids.count == from)
        return 0;
    pb_grow(&s->document, s->documents, &s->document_capacity, sizeof *s->document);
    s->document[s->documents++] =
        (struct pb_segment){.at = from, .count = (int)(s->ids.count - from), .source = r->number};
    s->bytes += n;
    return 0;
}

static int encode_training(void *ctx, const char *text, size_t n)
{
    reading *r = ctx;
    pb_source *source = r->source;
    size_t before = r->stream->ids.count;
    source->documents++;
    if (pb_decontamination_hits(r->exclude, text)) {
        source->contaminated++;
        return 0;
    }
    if (add_document(r, text, n))
        return -1;
    source->bytes += n;
    source->tokens += r->stream->ids.count - before;
    return 0;
}

static int encode_heldout(void *ctx, const char *text, size_t n)
{
    return add_document(ctx, text, n);
}

int pb_corpus_encode(pb_corpus *c, const pb_decontamination *exclude, const pb_tokenizer *t)
{
    int rc = 0;
    for (int i = 0; i < c->sources && !rc; i++) {
        reading r = {.exclude = exclude, .tokenizer = t, .source = &c->source[i], .number = i, .stream = &c->train};
        r.source->documents = r.source->contaminated = r.source->bytes = r.source->tokens = 0;
        rc = each_document(r.source->file, encode_training, &r);
        r.stream = &c->heldout;
        if (!rc && *r.source->heldout)
            rc = each_document(r.source->heldout, encode_heldout, &r);
        pb_ids_free(&r.word);
    }
    return rc;
}

static void free_stream(pb_stream *s)
{
    pb_ids_free(&s->ids);
    free(s->begins);
    free(s->document);
    free(s->segment);
    *s = (pb_stream){.bytes = 0};
}

void pb_corpus_free(pb_corpus *c)
{
    free_stream(&c->train);
    free_stream(&c->heldout);
}

/* ---- segments --------------------------------------------------------------------------------------------- */

/* Returns the largest n in from..to such that the token at + n begins something of this kind, or 0 if there is none. */
static int last_begin(const pb_stream *s, size_t at, int from, int to, pb_begins what)
{
    for (int n = to; n >= from; n--)
        if (s->begins[at + (size_t)n] >= (char)what)
            return n;
    return 0;
}

/* Returns how many of the `left` tokens from `at` on make a segment of at most `most` tokens, or of up to `length` for
 * a long word. */
static int segment_length(const pb_stream *s, size_t at, int left, int most, int length, bool sentences)
{
    if (left <= most)
        return left;
    int n = sentences ? last_begin(s, at, most / 2, most, PB_SENTENCE) : 0;
    n = n ? n : last_begin(s, at, 1, most, PB_WORD);
    n = n ? n : last_begin(s, at, most, left - 1 < length ? left - 1 : length, PB_WORD);
    return n ? n : left < length ? left : length;
}

void pb_stream_cut(pb_stream *s, int length, bool equal, uint64_t seed)
{
    pb_rng r = pb_rng_named(seed, "cut");
    s->segments = 0;
    for (size_t d = 0; d < s->documents; d++) {
        struct pb_segment rest = s->document[d];
        for (rest.opens = true; rest.count > 0; rest.opens = false) {
            int least = equal ? length : length / 4;
            int most = least + (int)pb_rng_below(&r, (uint64_t)length - (uint64_t)least + 1);
            struct pb_segment p = rest;
            p.count = segment_length(s, rest.at, rest.count, most, length, !equal);
            p.closes = p.count == rest.count;
            pb_grow(&s->segment, s->segments, &s->segment_capacity, sizeof *s->segment);
            s->segment[s->segments++] = p;
            rest.at += (size_t)p.count;
            rest.count -= p.count;
        }
    }
}

int *pb_corpus_order(const pb_corpus *c, uint64_t seed, int epoch, int *count)
{
    const pb_stream *s = &c->train;
    char name[32];
    snprintf(name, sizeof name, "order.%d", epoch);
    pb_rng r = pb_rng_named(seed, name);
    size_t all = 0;
    for (size_t i = 0; i < s->segments; i++)
        all += (size_t)c->source[s->segment[i].source].repeat;
    int *order = pb_alloc((all + 1) * sizeof *order);
    *count = 0;
    for (size_t i = 0; i < s->segments; i++)
        for (int k = 0; k < c->source[s->segment[i].source].repeat; k++)
            order[(*count)++] = (int)i;
    pb_rng_shuffle(&r, order, *count);
    return order;
}
