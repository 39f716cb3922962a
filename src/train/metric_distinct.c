/* distinct-1 and distinct-2 (Li et al. 2016): the number of different unigrams or bigrams in all hypotheses, divided
 * by their number of words.  This is not a function of a sum over examples: a word that occurs in two of them counts
 * once. */
#include "train/metric_internal.h"

#include <math.h>

static double distinct(const char *const *hypothesis, int count, int n)
{
    pb_grams all = {0};
    double words = 0;
    for (int i = 0; i < count; i++) {
        pb_pieces p = pb_cut_13a(hypothesis[i]);
        pb_grams_count(&all, &p, n);
        words += p.count;
        pb_pieces_free(&p);
    }
    double different = all.which.count;
    pb_grams_free(&all);
    return words > 0 ? different / words : NAN;
}

static double distinct_1(const char *const *hypothesis, int count)
{
    return distinct(hypothesis, count, 1);
}

static double distinct_2(const char *const *hypothesis, int count)
{
    return distinct(hypothesis, count, 2);
}

const pb_text_metric pb_metric_distinct_1 = {
    .name = "distinct-1",
    .title = "distinct-1",
    .paper = "Li et al. 2016",
    .signature = "case:mixed|tok:13a|per:word",
    .higher_is_better = true,
    .whole = distinct_1,
};

const pb_text_metric pb_metric_distinct_2 = {
    .name = "distinct-2",
    .title = "distinct-2",
    .paper = "Li et al. 2016",
    .signature = "case:mixed|tok:13a|per:word",
    .higher_is_better = true,
    .whole = distinct_2,
};
