/* BLEU: a bilingual evaluation understudy (Papineni et al. 2002): the geometric mean of the precisions of n-grams, n
 * = 1..4, times a penalty for brevity.  An n-gram counts at most as often as it occurs in one reference.  The
 * penalty applies if the hypotheses together are shorter than the references that are nearest to them in length.
 *
 * `bleu` is that of sacreBLEU (Post 2018): from 0 to 100, case-sensitive, and the k-th precision that is zero is
 * replaced by 1 / (2^k n-grams).  `bleu-e2e` is that of the E2E challenge (Dusek et al. 2020; measure_scores.py -p):
 * from 0 to 1, in lower case, and smoothed only by negligible numbers. */
#include "train/metric_internal.h"

#include <math.h>

enum { N = 4, HYPOTHESIS = 0, REFERENCE = 1, CORRECT = 2, TOTAL = CORRECT + N, STATS = TOTAL + N };

static void gather_bleu(pb_cutter cut, const pb_text_item *item, const char *hypothesis, double *stats)
{
    pb_pieces own = cut(hypothesis), *references = pb_cut_each(cut, item->reference, item->references);
    stats[HYPOTHESIS] = own.count;
    stats[REFERENCE] = pb_nearest_length(references, item->references, own.count);
    for (int n = 1; n <= N; n++) {
        pb_grams grams = pb_grams_of(&own, n), most = pb_grams_most(references, item->references, n);
        stats[CORRECT + n - 1] = pb_grams_common(&grams, &most);
        stats[TOTAL + n - 1] = pb_rows_of(own.count, n);
        pb_grams_free(&grams);
        pb_grams_free(&most);
    }
    pb_pieces_free(&own);
    pb_pieces_free_each(references, item->references);
}

/* ---- sacreBLEU ----------------------------------------------------------------------------------------- */

static void gather_sacre(const void *context, const pb_text_item *item, const char *hypothesis, double *stats)
{
    (void)context;
    gather_bleu(pb_cut_13a, item, hypothesis, stats);
}

static double value_sacre(const double *s)
{
    double zeros = 1, logs = 0, penalty = 1;
    if (s[HYPOTHESIS] < s[REFERENCE])
        penalty = exp(1 - s[REFERENCE] / s[HYPOTHESIS]);
    for (int n = 0; n < N; n++) {
        if (s[CORRECT] == 0 || s[TOTAL + n] == 0)
            return 0;
        logs += log(100 * (s[CORRECT + n] > 0 ? s[CORRECT + n] : 1 / (zeros *= 2)) / s[TOTAL + n]);
    }
    return penalty * exp(logs / N);
}

const pb_text_metric pb_metric_bleu = {
    .name = "bleu",
    .title = "BLEU",
    .paper = "Papineni et al. 2002, as Post 2018",
    .signature = "case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0",
    .higher_is_better = true,
    .stats = STATS,
    .gather = gather_sacre,
    .value = value_sacre,
};

/* ---- E2E ----------------------------------------------------------------------------------------------- */

/* In that program, a text of fewer than n words lowers the sum of the n-grams. */
static void gather_e2e(const void *context, const pb_text_item *item, const char *hypothesis, double *stats)
{
    (void)context;
    gather_bleu(pb_cut_13a_lower, item, hypothesis, stats);
    for (int n = 1; n <= N; n++)
        stats[TOTAL + n - 1] = stats[HYPOTHESIS] - n + 1;
}

static double value_e2e(const double *s)
{
    double logs = 0, penalty = 1;
    if (s[HYPOTHESIS] <= s[REFERENCE])
        penalty = exp(1 - s[REFERENCE] / s[HYPOTHESIS]);
    for (int n = 0; n < N; n++)
        logs += log(fmax(s[CORRECT + n], 1e-15) / fmax(s[TOTAL + n], 1e-9));
    return penalty * exp(logs / N);
}

const pb_text_metric pb_metric_bleu_e2e = {
    .name = "bleu-e2e",
    .title = "BLEU (E2E)",
    .paper = "Papineni et al. 2002, as Dusek et al. 2020",
    .signature = "case:lc|eff:no|tok:13a|smooth:none|as:e2e-metrics",
    .higher_is_better = true,
    .stats = STATS,
    .gather = gather_e2e,
    .value = value_e2e,
};
