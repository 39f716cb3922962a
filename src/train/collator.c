/* lesson: see lesson.h. */
#include "train/collator.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NOTHING (-1) /* no token is wanted here */

int pb_collator_start(pb_collator *l)
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

void pb_collator_stop(pb_collator *l)
{
    pb_apply_free(l->apply);
    pb_arena_free(l->arena);
    free(l->word.mean);
    free(l->word.rate);
    free(l->text.mean);
    free(l->text.rate);
}

/* ---- masks ------------------------------------------------------------------------------------------------ */

/* Whole words are asked for; of these 80 % are hidden, 10 % replaced, 10 % shown (Devlin et al. 2019). */
static void mask_words(const pb_collator *l, const pb_stream *s, const struct pb_piece *p, pb_rng *r, int *ids,
                       int *target)
{
    int vocabulary = pb_tokenizer_vocab(l->tokenizer);
    bool asked = false;
    double how = 0;
    for (int i = 0; i < p->count; i++) {
        int id = s->ids.id[p->at + (size_t)i];
        if (i == 0 || s->begins[p->at + (size_t)i] != PB_NO_WORD) {
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
 * mean of the teacher's states over the token's word; [CLS] is to know the mean over the text. */

typedef struct spoken {
    pb_ids ids, word; /* of all texts                                  */
    int *offset;      /* [texts+1]                                     */
} spoken;

static int say(const pb_collator *l, const int *ids, int n, spoken *t, int text)
{
    pb_text words = {0};
    pb_tokenizer_decode(l->tokenizer, ids, (size_t)n, true, &words);
    int rc = pb_tokenizer_encode_words(pb_model_tokenizer(l->teacher), words.data ? words.data : "", words.length, true,
                                       pb_model_max_tokens(l->teacher), &t->ids, &t->word);
    t->offset[text + 1] = (int)t->ids.count;
    pb_text_free(&words);
    return rc;
}

static void add_row(pb_real *sum, const pb_real *x, int width)
{
    for (int j = 0; j < width; j++)
        sum[j] += x[j];
}

/* The words of a piece of the student, numbered from 0; [count].  Returns how many. */
static int number_words(const pb_stream *s, const struct pb_piece *p, int *word)
{
    int words = 0;
    for (int i = 0; i < p->count; i++) {
        words += i == 0 || s->begins[p->at + (size_t)i] != PB_NO_WORD;
        word[i] = words - 1;
    }
    return words;
}

/* Rows of one text: means over each word and, last, over all; [words+1, width]. */
static pb_real *means(pb_arena *arena, int words, const int *heard, const pb_real *x, int n, int width)
{
    size_t size = (size_t)width;
    int *count = pb_arena_alloc(arena, PB_META, (size_t)(words + 1) * sizeof *count);
    pb_real *mean = pb_arena_alloc(arena, PB_META, (size_t)(words + 1) * size * sizeof *mean);
    for (int i = 0; i < n; i++) {
        int row[] = {words, heard[i]};
        for (int k = 0; k < 2; k++)
            if (row[k] >= 0 && row[k] <= words) {
                add_row(mean + (size_t)row[k] * size, x + (size_t)i * size, width);
                count[row[k]]++;
            }
    }
    for (int w = 0; w <= words; w++)
        for (size_t j = 0; j < size; j++)
            mean[(size_t)w * size + j] /= (pb_real)(count[w] ? count[w] : 1);
    return mean;
}

/* (row - mean) / deviation, coordinate by coordinate, so that none of the teacher's counts more for being large. */
static void scale_row(const pb_scale *scale, const pb_real *x, int width, pb_real *out)
{
    for (int j = 0; j < width; j++)
        out[j] = (x[j] - scale->mean[j]) * scale->rate[j];
}

/* Fills state [1 + count + 1, width] of one text and the rows' weights. */
static bool teach(pb_collator *l, const pb_stream *s, const struct pb_piece *p, const int *heard, const pb_real *x,
                  int n, pb_real *state, pb_real *weight)
{
    int width = pb_model_outputs(l->teacher), last = -1;
    size_t size = (size_t)width;
    int *word = pb_arena_alloc(l->arena, PB_META, (size_t)p->count * sizeof *word), words = number_words(s, p, word);
    const pb_real *mean = means(l->arena, words, heard, x, n, width);
    for (int i = 0; i < n; i++)
        last = heard[i] > last ? heard[i] : last;
    if (last != words - 1)
        return false;
    scale_row(&l->text, mean + (size_t)words * size, width, state);
    weight[0] = 1;
    for (int i = 0; i < p->count; i++) {
        scale_row(&l->word, mean + (size_t)word[i] * size, width, state + (size_t)(i + 1) * size);
        weight[i + 1] = 1;
    }
    return true;
}

/* The teacher's rows of all pieces; lives until it is asked again. */
static const pb_real *listen(pb_collator *l, const pb_stream *s, const pb_pretrain_batch *of, spoken *t)
{
    *t = (spoken){.offset = pb_arena_alloc(l->arena, PB_META, (size_t)(of->pieces + 1) * sizeof *t->offset)};
    for (int i = 0; i < of->pieces; i++) {
        const struct pb_piece *p = &s->piece[of->piece[i]];
        if (say(l, s->ids.id + p->at, p->count, t, i))
            return NULL;
    }
    const pb_node *x =
        pb_apply_run(l->apply, &(pb_batch){.sequences = of->pieces, .offset = t->offset, .ids = t->ids.id});
    return x ? x->x : NULL;
}

static void forget(spoken *t)
{
    pb_ids_free(&t->ids);
    pb_ids_free(&t->word);
}

/* The words of a batch count as much as its texts do: 1 in all, for each of the two. */
static void balance(const pb_collator *l, const pb_batch *b, pb_real *weight)
{
    int texts = 0, words = 0;
    for (int s = 0; s < b->sequences; s++)
        for (int i = b->offset[s]; i < b->offset[s + 1]; i++)
            *(i == b->offset[s] ? &texts : &words) += weight[i] > 0;
    for (int s = 0; s < b->sequences; s++)
        for (int i = b->offset[s]; i < b->offset[s + 1]; i++)
            weight[i] *= (pb_real)(l->state_weight / fmax(1, i == b->offset[s] ? texts : words));
}

static int ask_teacher(pb_collator *l, const pb_stream *s, const pb_pretrain_batch *of, pb_batch *b)
{
    size_t width = (size_t)pb_model_outputs(l->teacher), rows = (size_t)b->offset[of->pieces];
    pb_real *state = pb_arena_alloc(l->arena, PB_META, rows * width * sizeof *state);
    pb_real *weight = pb_arena_alloc(l->arena, PB_META, rows * sizeof *weight);
    spoken t;
    const pb_real *x = listen(l, s, of, &t);
    for (int i = 0; x && i < of->pieces; i++) {
        int from = t.offset[i], to = b->offset[i];
        l->unmatched += !teach(l, s, &s->piece[of->piece[i]], t.word.id + from, x + (size_t)from * width,
                               t.offset[i + 1] - from, state + (size_t)to * width, weight + to);
    }
    forget(&t);
    balance(l, b, weight);
    b->distill_target = state;
    b->distill_weight = weight;
    return x ? 0 : -1;
}

/* ---- the teacher's scale ------------------------------------------------------------------------------------ */

typedef struct tally {
    double *sum, *square; /* [width] */
    double count;
} tally;

static void count_row(tally *t, const pb_real *x, int width)
{
    t->count++;
    for (int j = 0; j < width; j++) {
        t->sum[j] += (double)x[j];
        t->square[j] += (double)x[j] * (double)x[j];
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A coordinate that hardly moves is not blown up: a tenth of the usual deviation is the least. */
static pb_scale scale_of(const tally *t, int width)
{
    size_t bytes = (size_t)width * sizeof(pb_real);
    pb_scale s = {pb_alloc(bytes), pb_alloc(bytes)};
    double *deviation = pb_alloc((size_t)width * sizeof *deviation), *sorted = pb_alloc((size_t)width * sizeof *sorted);
    for (int j = 0; j < width; j++) {
        double mean = t->sum[j] / t->count;
        s.mean[j] = (pb_real)mean;
        sorted[j] = deviation[j] = sqrt(fmax(0, t->square[j] / t->count - mean * mean));
    }
    qsort(sorted, (size_t)width, sizeof *sorted, by_size);
    double least = 0.1 * sorted[width / 2] + 1e-9;
    for (int j = 0; j < width; j++)
        s.rate[j] = (pb_real)(1 / fmax(deviation[j], least));
    free(deviation);
    free(sorted);
    return s;
}

static tally new_tally(pb_arena *arena, int width)
{
    size_t bytes = (size_t)width * sizeof(double);
    return (tally){pb_arena_alloc(arena, PB_META, bytes), pb_arena_alloc(arena, PB_META, bytes), 0};
}

int pb_collator_calibrate(pb_collator *l, const pb_stream *s, const int *piece, int n)
{
    int width = pb_model_outputs(l->teacher);
    pb_arena *arena = pb_arena_new("tally");
    tally word = new_tally(arena, width), text = new_tally(arena, width);
    spoken t;
    pb_arena_reset(l->arena);
    const pb_real *x = listen(l, s, &(pb_pretrain_batch){.piece = piece, .pieces = n}, &t);
    for (int i = 0; x && i < n; i++) {
        int from = t.offset[i], count = t.offset[i + 1] - from, words = 0;
        for (int k = 0; k < count; k++)
            words = t.word.id[from + k] >= words ? t.word.id[from + k] + 1 : words;
        const pb_real *mean = means(l->arena, words, t.word.id + from, x + (size_t)from * (size_t)width, count, width);
        for (int w = 0; w <= words; w++)
            count_row(w < words ? &word : &text, mean + (size_t)w * (size_t)width, width);
    }
    forget(&t);
    if (x) {
        l->word = scale_of(&word, width);
        l->text = scale_of(&text, width);
    }
    pb_arena_free(arena);
    return x ? 0 : -1;
}

/* ---- batches ---------------------------------------------------------------------------------------------- */

/* [CLS] text [SEP] */
static int masked_text(const pb_collator *l, const pb_stream *s, const struct pb_piece *p, pb_rng *r, int *ids,
                       int *target)
{
    ids[0] = l->begin;
    memcpy(ids + 1, s->ids.id + p->at, (size_t)p->count * sizeof *ids);
    ids[p->count + 1] = l->end;
    target[0] = target[p->count + 1] = NOTHING;
    for (int i = 1; i <= p->count; i++)
        target[i] = NOTHING;
    if (r && pb_rng_uniform(r) < l->pieces)
        mask_words(l, s, p, r, ids + 1, target + 1);
    return p->count + 2;
}

/* A document is <|endoftext|> text; every token, and the end behind it, is asked for once. */
static int causal_text(const pb_collator *l, const pb_stream *s, const struct pb_piece *p, int *ids, int *target)
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

int pb_collator_batch(pb_collator *l, const pb_stream *s, const pb_pretrain_batch *of, pb_batch *out)
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
    for (int i = 0; of->masks && i < offset[of->pieces]; i++)
        if (target[i] >= 0)
            out->target = target; /* a batch in which nothing is asked for has no such loss */
    return l->teacher && of->states ? ask_teacher(l, s, of, out) : 0;
}
