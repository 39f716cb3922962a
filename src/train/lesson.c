/* lesson: see lesson.h. */
#include "train/lesson.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NOTHING (-1) /* no token is wanted here */

int pb_lessons_start(pb_lessons *l)
{
    bool masked = l->objective == PB_MASKED;
    const char *const name[] = {masked ? "[CLS]" : "<|endoftext|>", masked ? "[SEP]" : "<|endoftext|>",
                                masked ? "[MASK]" : "<|endoftext|>"};
    int *const id[] = {&l->begin, &l->end, &l->mask};
    for (int i = 0; i < 3; i++)
        if ((*id[i] = pb_tokenizer_id(l->tokenizer, name[i])) < 0)
            return pb_error("the tokenizer has no token '%s'", name[i]);
    l->low = l->mask + 1;
    l->arena = pb_arena_new("lesson");
    l->apply = l->teacher ? pb_apply_new(l->teacher) : NULL;
    return 0;
}

void pb_lessons_stop(pb_lessons *l)
{
    pb_apply_free(l->apply);
    pb_arena_free(l->arena);
}

/* ---- masks ------------------------------------------------------------------------------------------------ */

/* Whole words are asked for; of these 80 % are hidden, 10 % replaced, 10 % shown (Devlin et al. 2019). */
static void mask_words(const pb_lessons *l, const pb_stream *s, const struct pb_piece *p, pb_rng *r, int *ids,
                       int *target)
{
    int vocabulary = pb_tokenizer_vocab(l->tokenizer);
    bool asked = false;
    double how = 0;
    for (int i = 0; i < p->count; i++) {
        int id = s->ids.id[p->at + (size_t)i];
        if (i == 0 || s->first[p->at + (size_t)i]) {
            asked = pb_rng_uniform(r) < l->masked;
            how = pb_rng_uniform(r);
        }
        target[i] = asked ? id : NOTHING;
        if (asked && how < 0.9)
            ids[i] = how < 0.8 ? l->mask : l->low + (int)pb_rng_below(r, (uint64_t)(vocabulary - l->low));
    }
}

/* ---- the teacher --------------------------------------------------------------------------------------------
 *
 * It reads the same text, unmasked, in tokens of its own.  What a token of the student is to know is the
 * mean of the teacher's states over the token's word; [CLS] and [SEP] are to know the mean over the text. */

typedef struct spoken {
    pb_ids ids, word; /* of all texts                                  */
    int *offset;      /* [texts+1]                                     */
} spoken;

static void say(const pb_lessons *l, const int *ids, int n, spoken *t, int text)
{
    pb_text words = {0};
    pb_tokenizer_decode(l->tokenizer, ids, (size_t)n, true, &words);
    pb_tokenizer_encode_words(pb_model_tokenizer(l->teacher), words.data ? words.data : "", words.length, true,
                              pb_model_max_tokens(l->teacher), &t->ids, &t->word);
    t->offset[text + 1] = (int)t->ids.count;
    pb_text_free(&words);
}

static void add_row(pb_real *sum, const pb_real *x, int width)
{
    for (int j = 0; j < width; j++)
        sum[j] += x[j];
}

/* Mean 0 and variance 1, so that no coordinate of the teacher counts more for being large. */
static void normalize(pb_real *x, int width)
{
    double mean = 0, square = 0;
    for (int j = 0; j < width; j++)
        mean += (double)x[j] / width;
    for (int j = 0; j < width; j++)
        square += ((double)x[j] - mean) * ((double)x[j] - mean) / width;
    double scale = 1 / sqrt(square + 1e-12);
    for (int j = 0; j < width; j++)
        x[j] = (pb_real)(((double)x[j] - mean) * scale);
}

/* The words of a piece of the student, numbered from 0; [count].  Returns how many. */
static int number_words(const pb_stream *s, const struct pb_piece *p, int *word)
{
    int words = 0;
    for (int i = 0; i < p->count; i++) {
        words += i == 0 || s->first[p->at + (size_t)i];
        word[i] = words - 1;
    }
    return words;
}

/* Fills state [1 + count + 1, width] of one text from the teacher's rows [n, width]. */
static bool teach(const pb_stream *s, const struct pb_piece *p, const int *heard, const pb_real *x, int n, int width,
                  pb_arena *arena, pb_real *state)
{
    int *word = pb_arena_alloc(arena, PB_META, (size_t)p->count * sizeof *word);
    int words = number_words(s, p, word), last = -1;
    size_t size = (size_t)width;
    pb_real *mean = pb_arena_alloc(arena, PB_META, (size_t)(words + 1) * size * sizeof *mean); /* [words+1, width] */
    for (int i = 0; i < n; i++) {
        last = heard[i] > last ? heard[i] : last;
        add_row(mean + (size_t)words * size, x + (size_t)i * size, width);
        if (heard[i] >= 0 && heard[i] < words)
            add_row(mean + (size_t)heard[i] * size, x + (size_t)i * size, width);
    }
    for (int w = 0; w <= words; w++)
        normalize(mean + (size_t)w * size, width);
    bool matched = last == words - 1;
    for (int i = 0; i < p->count + 2; i++) {
        bool whole = i == 0 || i == p->count + 1 || !matched;
        memcpy(state + (size_t)i * size, mean + (size_t)(whole ? words : word[i - 1]) * size, size * sizeof *state);
    }
    return matched;
}

static int ask_teacher(pb_lessons *l, const pb_stream *s, const pb_lesson *of, pb_batch *b)
{
    int width = pb_model_outputs(l->teacher);
    spoken t = {.offset = pb_arena_alloc(l->arena, PB_META, (size_t)(of->pieces + 1) * sizeof *t.offset)};
    for (int i = 0; i < of->pieces; i++) {
        const struct pb_piece *p = &s->piece[of->piece[i]];
        say(l, s->ids.id + p->at, p->count, &t, i);
    }
    const pb_node *x =
        pb_apply_run(l->apply, &(pb_batch){.sequences = of->pieces, .offset = t.offset, .ids = t.ids.id});
    pb_real *state =
        pb_arena_alloc(l->arena, PB_META, (size_t)b->offset[of->pieces] * (size_t)width * sizeof *state);
    for (int i = 0; x && i < of->pieces; i++) {
        int from = t.offset[i];
        l->unmatched += !teach(s, &s->piece[of->piece[i]], t.word.id + from, x->x + (size_t)from * (size_t)width,
                               t.offset[i + 1] - from, width, l->arena,
                               state + (size_t)b->offset[i] * (size_t)width);
    }
    pb_ids_free(&t.ids);
    pb_ids_free(&t.word);
    b->state = state;
    b->state_weight = l->state_weight;
    return x ? 0 : -1;
}

/* ---- batches ---------------------------------------------------------------------------------------------- */

/* [CLS] text [SEP] */
static int masked_text(const pb_lessons *l, const pb_stream *s, const struct pb_piece *p, pb_rng *r, int *ids,
                       int *target)
{
    ids[0] = l->begin;
    memcpy(ids + 1, s->ids.id + p->at, (size_t)p->count * sizeof *ids);
    ids[p->count + 1] = l->end;
    target[0] = target[p->count + 1] = NOTHING;
    if (r)
        mask_words(l, s, p, r, ids + 1, target + 1);
    return p->count + 2;
}

/* A document is <|endoftext|> text; every token, and the end behind it, is asked for once. */
static int causal_text(const pb_lessons *l, const pb_stream *s, const struct pb_piece *p, int *ids, int *target)
{
    int n = 0;
    size_t next = p->at + (size_t)p->count;
    if (p->opens)
        ids[n++] = l->begin;
    memcpy(ids + n, s->ids.id + p->at, (size_t)p->count * sizeof *ids);
    n += p->count;
    for (int i = 0; i + 1 < n; i++)
        target[i] = ids[i + 1];
    target[n - 1] = p->closes ? l->end : s->ids.id[next];
    return n;
}

int pb_lessons_batch(pb_lessons *l, const pb_stream *s, const pb_lesson *of, pb_batch *out)
{
    int most = 0;
    for (int i = 0; i < of->pieces; i++)
        most += s->piece[of->piece[i]].count + 2;
    pb_arena_reset(l->arena);
    int *offset = pb_arena_alloc(l->arena, PB_META, (size_t)(of->pieces + 1) * sizeof *offset);
    int *ids = pb_arena_alloc(l->arena, PB_META, (size_t)most * sizeof *ids);
    int *target = pb_arena_alloc(l->arena, PB_META, (size_t)most * sizeof *target);
    pb_rng r = {.key = of->key};
    for (int i = 0; i < of->pieces; i++) {
        const struct pb_piece *p = &s->piece[of->piece[i]];
        int at = offset[i];
        offset[i + 1] = at + (l->objective == PB_MASKED
                                  ? masked_text(l, s, p, of->masks ? &r : NULL, ids + at, target + at)
                                  : causal_text(l, s, p, ids + at, target + at));
    }
    *out = (pb_batch){.sequences = of->pieces, .offset = offset, .ids = ids};
    if (of->masks)
        out->target = target;
    return l->teacher && of->states ? ask_teacher(l, s, of, out) : 0;
}
