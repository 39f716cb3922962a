/* collator: see collator.h. */
#include "train/collator.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NO_TARGET (-1)

int pb_collator_start(pb_collator *c)
{
    bool masked = c->objective == PB_MASKED;
    const char *const name[] = {masked ? "[CLS]" : "<|endoftext|>", masked ? "[SEP]" : "<|endoftext|>",
                                masked ? "[MASK]" : "<|endoftext|>"};
    int *const id[] = {&c->begin, &c->end, &c->mask};
    for (int i = 0; i < 3; i++)
        if ((*id[i] = pb_tokenizer_id(c->tokenizer, name[i])) < 0)
            return pb_error("the tokenizer has no token '%s'", name[i]);
    c->lowest_word = c->mask + 1;
    c->arena = pb_arena_new("batch");
    c->apply = c->teacher ? pb_apply_new(c->teacher) : NULL;
    return 0;
}

void pb_collator_stop(pb_collator *c)
{
    pb_apply_free(c->apply);
    pb_arena_free(c->arena);
    free(c->word.mean);
    free(c->word.rate);
    free(c->text.mean);
    free(c->text.rate);
}

/* ---- masks ------------------------------------------------------------------------------------------------ */

/* Selects whole words as targets.  Of these, 80 % are masked, 10 % replaced by a random word and 10 % left as they
 * are (Devlin et al. 2019). */
static void mask_words(const pb_collator *c, const pb_stream *s, const struct pb_segment *p, pb_rng *r, int *ids,
                       int *target)
{
    int vocabulary = pb_tokenizer_vocab(c->tokenizer);
    bool chosen = false;
    double how = 0;
    for (int i = 0; i < p->count; i++) {
        int id = s->ids.id[p->at + (size_t)i];
        if (i == 0 || s->begins[p->at + (size_t)i] != PB_NO_WORD) {
            chosen = pb_rng_uniform(r) < c->masked_words;
            how = pb_rng_uniform(r);
        }
        target[i] = chosen ? id : NO_TARGET;
        if (chosen && how < 0.9)
            ids[i] = how < 0.8 ? c->mask
                               : c->lowest_word + (int)pb_rng_below(r, (uint64_t)(vocabulary - c->lowest_word));
    }
}

/* ---- the teacher --------------------------------------------------------------------------------------------
 *
 * It reads the same text without masks, with its own tokenizer.  See collator.h for the targets. */

/* Texts as the teacher reads them. */
typedef struct teacher_input {
    pb_ids ids, word; /* of all texts: tokens, and the word that each token is of */
    int *offset;      /* [texts+1] */
} teacher_input;

/* Adds a text, given as the student's n ids, to the teacher's input. */
static int add_teacher_text(const pb_collator *c, const int *ids, int n, teacher_input *t, int text)
{
    pb_text words = {0};
    pb_tokenizer_decode(c->tokenizer, ids, (size_t)n, true, &words);
    int rc = pb_tokenizer_encode_words(pb_model_tokenizer(c->teacher), words.data ? words.data : "", words.length, true,
                                       pb_model_max_tokens(c->teacher), &t->ids, &t->word);
    t->offset[text + 1] = (int)t->ids.count;
    pb_text_free(&words);
    return rc;
}

static void add_row(pb_real *sum, const pb_real *x, int width)
{
    for (int j = 0; j < width; j++)
        sum[j] += x[j];
}

/* Fills word [count] with the number of the word that each token of a segment is of, from 0 on.  Returns the number of
 * words. */
static int number_words(const pb_stream *s, const struct pb_segment *p, int *word)
{
    int words = 0;
    for (int i = 0; i < p->count; i++) {
        words += i == 0 || s->begins[p->at + (size_t)i] != PB_NO_WORD;
        word[i] = words - 1;
    }
    return words;
}

/* Returns the means of the n states x of one text over each word and, in the last row, over all: [words+1, width].
 * token_word [n]: the word that each state is of. */
static pb_real *word_means(pb_arena *arena, int words, const int *token_word, const pb_real *x, int n, int width)
{
    size_t size = (size_t)width;
    int *count = pb_arena_alloc(arena, PB_META, (size_t)(words + 1) * sizeof *count);
    pb_real *mean = pb_arena_alloc(arena, PB_META, (size_t)(words + 1) * size * sizeof *mean);
    for (int i = 0; i < n; i++) {
        int row[] = {words, token_word[i]};
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

/* Writes (x - mean) / deviation of each coordinate to out [width]. */
static void scale_row(const pb_scale *scale, const pb_real *x, int width, pb_real *out)
{
    for (int j = 0; j < width; j++)
        out[j] = (x[j] - scale->mean[j]) * scale->rate[j];
}

/* Fills the distillation targets state [1 + count + 1, width] of one text and the weights of their rows.  Returns
 * false if the teacher's words are not those of the student. */
static bool set_targets(pb_collator *c, const pb_stream *s, const struct pb_segment *p, const int *token_word,
                        const pb_real *x, int n, pb_real *state, pb_real *weight)
{
    int width = pb_model_outputs(c->teacher), last = -1;
    size_t size = (size_t)width;
    int *word = pb_arena_alloc(c->arena, PB_META, (size_t)p->count * sizeof *word), words = number_words(s, p, word);
    const pb_real *mean = word_means(c->arena, words, token_word, x, n, width);
    for (int i = 0; i < n; i++)
        last = token_word[i] > last ? token_word[i] : last;
    if (last != words - 1)
        return false;
    scale_row(&c->text, mean + (size_t)words * size, width, state);
    weight[0] = 1;
    for (int i = 0; i < p->count; i++) {
        scale_row(&c->word, mean + (size_t)word[i] * size, width, state + (size_t)(i + 1) * size);
        weight[i + 1] = 1;
    }
    return true;
}

/* Returns the teacher's states of all segments of a batch, one row per token of t, valid until the teacher runs again.
 * Returns NULL with an error if it cannot read a segment. */
static const pb_real *run_teacher(pb_collator *c, const pb_stream *s, const pb_pretrain_batch *which, teacher_input *t)
{
    *t =
        (teacher_input){.offset = pb_arena_alloc(c->arena, PB_META, (size_t)(which->segments + 1) * sizeof *t->offset)};
    for (int i = 0; i < which->segments; i++) {
        const struct pb_segment *p = &s->segment[which->segment[i]];
        if (add_teacher_text(c, s->ids.id + p->at, p->count, t, i))
            return NULL;
    }
    const pb_node *x =
        pb_apply_run(c->apply, &(pb_batch){.sequences = which->segments, .offset = t->offset, .ids = t->ids.id});
    return x ? x->x : NULL;
}

static void free_teacher_input(teacher_input *t)
{
    pb_ids_free(&t->ids);
    pb_ids_free(&t->word);
}

/* Scales the weights so that those of all words, and those of all texts, each add up to teacher_weight. */
static void balance_weights(const pb_collator *c, const pb_batch *b, pb_real *weight)
{
    int texts = 0, words = 0;
    for (int s = 0; s < b->sequences; s++)
        for (int i = b->offset[s]; i < b->offset[s + 1]; i++)
            *(i == b->offset[s] ? &texts : &words) += weight[i] > 0;
    for (int s = 0; s < b->sequences; s++)
        for (int i = b->offset[s]; i < b->offset[s + 1]; i++)
            weight[i] *= (pb_real)(c->teacher_weight / fmax(1, i == b->offset[s] ? texts : words));
}

static int add_distillation_targets(pb_collator *c, const pb_stream *s, const pb_pretrain_batch *which, pb_batch *b)
{
    size_t width = (size_t)pb_model_outputs(c->teacher), rows = (size_t)b->offset[which->segments];
    pb_real *state = pb_arena_alloc(c->arena, PB_META, rows * width * sizeof *state);
    pb_real *weight = pb_arena_alloc(c->arena, PB_META, rows * sizeof *weight);
    teacher_input t;
    const pb_real *x = run_teacher(c, s, which, &t);
    for (int i = 0; x && i < which->segments; i++) {
        int from = t.offset[i], to = b->offset[i];
        c->unmatched += !set_targets(c, s, &s->segment[which->segment[i]], t.word.id + from, x + (size_t)from * width,
                                     t.offset[i + 1] - from, state + (size_t)to * width, weight + to);
    }
    free_teacher_input(&t);
    balance_weights(c, b, weight);
    b->distill_target = state;
    b->distill_weight = weight;
    return x ? 0 : -1;
}

/* ---- scale of the states ------------------------------------------------------------------------------------ */

/* Sums from which means and deviations follow. */
typedef struct state_sums {
    double *sum, *square; /* [width] */
    double count;
} state_sums;

static void add_state(state_sums *t, const pb_real *x, int width)
{
    t->count++;
    for (int j = 0; j < width; j++) {
        t->sum[j] += (double)x[j];
        t->square[j] += (double)x[j] * (double)x[j];
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A deviation is at least a tenth of the median one, so that nearly constant coordinates are not inflated. */
static pb_scale scale_of(const state_sums *t, int width)
{
    size_t bytes = (size_t)width * sizeof(pb_real);
    pb_scale s = {pb_alloc(bytes), pb_alloc(bytes)};
    double *deviation = pb_alloc((size_t)width * sizeof *deviation), *sorted = pb_alloc((size_t)width * sizeof *sorted);
    for (int j = 0; j < width; j++) {
        double mean = t->sum[j] / t->count;
        s.mean[j] = (pb_real)mean;
        sorted[j] = deviation[j] = sqrt(fmax(0, t->square[j] / t->count - mean * mean));
    }
    qsort(sorted, (size_t)width, sizeof *sorted, by_value);
    double least = 0.1 * sorted[width / 2] + 1e-9;
    for (int j = 0; j < width; j++)
        s.rate[j] = (pb_real)(1 / fmax(deviation[j], least));
    free(deviation);
    free(sorted);
    return s;
}

static state_sums new_sums(pb_arena *arena, int width)
{
    size_t bytes = (size_t)width * sizeof(double);
    return (state_sums){pb_arena_alloc(arena, PB_META, bytes), pb_arena_alloc(arena, PB_META, bytes), 0};
}

int pb_collator_calibrate(pb_collator *c, const pb_stream *s, const int *segment, int n)
{
    int width = pb_model_outputs(c->teacher);
    pb_arena *arena = pb_arena_new("sums");
    state_sums word = new_sums(arena, width), text = new_sums(arena, width);
    teacher_input t;
    pb_arena_reset(c->arena);
    const pb_real *x = run_teacher(c, s, &(pb_pretrain_batch){.segment = segment, .segments = n}, &t);
    for (int i = 0; x && i < n; i++) {
        int from = t.offset[i], count = t.offset[i + 1] - from, words = 0;
        for (int k = 0; k < count; k++)
            words = t.word.id[from + k] >= words ? t.word.id[from + k] + 1 : words;
        const pb_real *mean =
            word_means(c->arena, words, t.word.id + from, x + (size_t)from * (size_t)width, count, width);
        for (int w = 0; w <= words; w++)
            add_state(w < words ? &word : &text, mean + (size_t)w * (size_t)width, width);
    }
    free_teacher_input(&t);
    if (x) {
        c->word = scale_of(&word, width);
        c->text = scale_of(&text, width);
    }
    pb_arena_free(arena);
    return x ? 0 : -1;
}

/* ---- batches ---------------------------------------------------------------------------------------------- */

/* [CLS] text [SEP] */
static int masked_text(const pb_collator *c, const pb_stream *s, const struct pb_segment *p, pb_rng *r, int *ids,
                       int *target)
{
    ids[0] = c->begin;
    memcpy(ids + 1, s->ids.id + p->at, (size_t)p->count * sizeof *ids);
    ids[p->count + 1] = c->end;
    target[0] = target[p->count + 1] = NO_TARGET;
    for (int i = 1; i <= p->count; i++)
        target[i] = NO_TARGET;
    if (r && pb_rng_uniform(r) < c->masked_segments)
        mask_words(c, s, p, r, ids + 1, target + 1);
    return p->count + 2;
}

/* A document is <|endoftext|> text.  Each of its tokens, and the end after it, is a target once. */
static int causal_text(const pb_collator *c, const pb_stream *s, const struct pb_segment *p, int *ids, int *target)
{
    int n = 0;
    size_t next = p->at + (size_t)p->count;
    if (p->opens)
        ids[n++] = c->begin;
    memcpy(ids + n, s->ids.id + p->at, (size_t)p->count * sizeof *ids);
    n += p->count;
    for (int i = 0; i + 1 < n; i++)
        target[i] = ids[i + 1];
    target[n - 1] = p->closes ? c->end : s->ids.id[next];
    return n;
}

int pb_collator_batch(pb_collator *c, const pb_stream *s, const pb_pretrain_batch *which, pb_batch *out)
{
    int most = 0;
    for (int i = 0; i < which->segments; i++)
        most += s->segment[which->segment[i]].count + 2;
    pb_arena_reset(c->arena);
    int *offset = pb_arena_alloc(c->arena, PB_META, (size_t)(which->segments + 1) * sizeof *offset);
    int *ids = pb_arena_alloc(c->arena, PB_META, (size_t)most * sizeof *ids);
    int *target = pb_arena_alloc(c->arena, PB_META, (size_t)most * sizeof *target);
    pb_rng r = {.key = which->key};
    for (int i = 0; i < which->segments; i++) {
        const struct pb_segment *p = &s->segment[which->segment[i]];
        int at = offset[i];
        offset[i + 1] = at + (c->objective == PB_MASKED
                                  ? masked_text(c, s, p, which->with_targets ? &r : NULL, ids + at, target + at)
                                  : causal_text(c, s, p, ids + at, target + at));
    }
    *out = (pb_batch){.sequences = which->segments, .offset = offset, .ids = ids};
    for (int i = 0; which->with_targets && i < offset[which->segments]; i++)
        if (target[i] >= 0)
            out->target = target; /* a batch without targets has no prediction loss */
    return c->teacher && which->with_teacher ? add_distillation_targets(c, s, which, out) : 0;
}
