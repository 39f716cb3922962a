/* chrF (Popovic 2015): the F-measure of character n-grams, n = 1..6, without white space, where recall counts twice
 * as much as precision.  chrF++ (Popovic 2017) adds word n-grams, n = 1, 2.  Precision and recall are means over n.
 * The best of several references counts.  From 0 to 100, as in sacreBLEU. */
#include "train/metric_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHARACTERS = 6, WORDS = 2, MOST = CHARACTERS + WORDS };

/* The statistics of each order: the numbers of n-grams of the hypothesis, of the reference, and in common. */
enum { HYPOTHESIS, REFERENCE, COMMON, EACH };

static bool is_sign(char c)
{
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

/* Separates one punctuation mark from each word: the last character, or else the first. */
static pb_pieces cut_words(const char *text)
{
    pb_pieces plain = pb_cut_blanks(text), parted = {0};
    for (int i = 0; i < plain.count; i++) {
        const char *word = plain.text.data + plain.at[i].begin;
        size_t n = plain.at[i].end - plain.at[i].begin, cut = 0;
        if (n > 1 && is_sign(word[n - 1]))
            cut = n - 1;
        else if (n > 1 && is_sign(word[0]))
            cut = 1;
        if (cut)
            pb_pieces_add_word(&parted, word, cut);
        pb_pieces_add_word(&parted, word + cut, n - cut);
    }
    pb_pieces_free(&plain);
    return parted;
}

/* The n-grams of a text, one table for each order. */
typedef struct tables {
    pb_grams order[MOST];
} tables;

static tables count_all(const char *text)
{
    tables t;
    pb_pieces characters = pb_cut_characters(text), words = cut_words(text);
    for (int n = 1; n <= CHARACTERS; n++)
        t.order[n - 1] = pb_grams_of(&characters, n);
    for (int n = 1; n <= WORDS; n++)
        t.order[CHARACTERS + n - 1] = pb_grams_of(&words, n);
    pb_pieces_free(&characters);
    pb_pieces_free(&words);
    return t;
}

static void free_all(tables *t)
{
    for (int k = 0; k < MOST; k++)
        pb_grams_free(&t->order[k]);
}

/* Orders for which the hypotheses or the references are too short are ignored. */
static double f_score(const double *s, int orders)
{
    double precision = 0, recall = 0, weight = 2 * 2;
    int counted = 0;
    for (int k = 0; k < orders; k++, s += EACH)
        if (s[HYPOTHESIS] > 0 && s[REFERENCE] > 0) {
            precision += s[COMMON] / s[HYPOTHESIS];
            recall += s[COMMON] / s[REFERENCE];
            counted++;
        }
    if (precision + recall == 0)
        return 0;
    return 100 * (1 + weight) * precision * recall / counted / (weight * precision + recall);
}

static void compare_tables(const tables *own, const tables *reference, int orders, double *stats)
{
    for (int k = 0; k < orders; k++, stats += EACH) {
        stats[REFERENCE] = pb_grams_sum(&reference->order[k]);
        stats[HYPOTHESIS] = stats[REFERENCE] > 0 ? pb_grams_sum(&own->order[k]) : 0;
        stats[COMMON] = pb_grams_common(&own->order[k], &reference->order[k]);
    }
}

static void gather_chrf(const pb_text_item *item, const char *hypothesis, int orders, double *stats)
{
    tables own = count_all(hypothesis);
    double best = -1, one[MOST * EACH];
    for (int i = 0; i < item->references; i++) {
        tables reference = count_all(item->reference[i]);
        compare_tables(&own, &reference, orders, one);
        double f = f_score(one, orders);
        if (f > best)
            memcpy(stats, one, (size_t)orders * EACH * sizeof *one);
        best = fmax(best, f);
        free_all(&reference);
    }
    free_all(&own);
}

static void gather_characters(const void *context, const pb_text_item *item, const char *hypothesis, double *stats)
{
    (void)context;
    gather_chrf(item, hypothesis, CHARACTERS, stats);
}

static double value_characters(const double *sums)
{
    return f_score(sums, CHARACTERS);
}

static void gather_words(const void *context, const pb_text_item *item, const char *hypothesis, double *stats)
{
    (void)context;
    gather_chrf(item, hypothesis, MOST, stats);
}

static double value_words(const double *sums)
{
    return f_score(sums, MOST);
}

const pb_text_metric pb_metric_chrf = {
    .name = "chrf",
    .title = "chrF",
    .paper = "Popovic 2015, as Post 2018",
    .signature = "case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0",
    .higher_is_better = true,
    .stats = CHARACTERS * EACH,
    .gather = gather_characters,
    .value = value_characters,
};

const pb_text_metric pb_metric_chrf_words = {
    .name = "chrf++",
    .title = "chrF++",
    .paper = "Popovic 2017, as Post 2018",
    .signature = "case:mixed|eff:yes|nc:6|nw:2|space:no|version:2.6.0",
    .higher_is_better = true,
    .stats = MOST * EACH,
    .gather = gather_words,
    .value = value_words,
};
