/* ROUGE-L (Lin 2004): the F-measure of the longest common subsequence of words, where recall counts 1.2 times as
 * much as precision.  The best precision and the best recall over the references are taken separately.  The metric
 * is the mean over examples, as in coco-caption and the E2E challenge. */
#include "train/metric_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SCORE, EXAMPLES, STATS };

static bool same_word(const pb_pieces *a, int i, const pb_pieces *b, int j)
{
    size_t n = a->at[i].end - a->at[i].begin;
    return b->at[j].end - b->at[j].begin == n &&
           !memcmp(a->text.data + a->at[i].begin, b->text.data + b->at[j].begin, n);
}

static int common_subsequence(const pb_pieces *a, const pb_pieces *b)
{
    int *longest =
        pb_alloc(((size_t)b->count + 1) * sizeof *longest); /* of the first i words of a and the first j words of b */
    for (int i = 0; i < a->count; i++)
        for (int j = 0, corner = 0; j < b->count; j++) {
            int above = longest[j + 1], left = longest[j];
            longest[j + 1] = same_word(a, i, b, j) ? corner + 1 : above > left ? above : left;
            corner = above;
        }
    int length = longest[b->count];
    free(longest);
    return length;
}

/* In coco-caption, a text without words is one empty word. */
static pb_pieces cut_text(const char *text)
{
    pb_pieces p = pb_cut_treebank(text);
    if (!p.count)
        pb_pieces_add_word(&p, "", 0);
    return p;
}

static void gather_rouge(const void *context, const pb_text_item *item, const char *hypothesis, double *stats)
{
    (void)context;
    pb_pieces own = cut_text(hypothesis), *references = pb_cut_each(cut_text, item->reference, item->references);
    double precision = 0, recall = 0, weight = 1.2 * 1.2;
    for (int i = 0; i < item->references; i++) {
        double common = common_subsequence(&references[i], &own);
        precision = fmax(precision, common / own.count);
        recall = fmax(recall, common / references[i].count);
    }
    stats[SCORE] = precision > 0 ? (1 + weight) * precision * recall / (recall + weight * precision) : 0;
    stats[EXAMPLES] = 1;
    pb_pieces_free(&own);
    pb_pieces_free_each(references, item->references);
}

static double value_rouge(const double *s)
{
    return s[SCORE] / s[EXAMPLES];
}

const pb_text_metric pb_metric_rouge_l = {
    .name = "rouge-l",
    .title = "ROUGE-L",
    .paper = "Lin 2004, as Chen et al. 2015",
    .signature = "case:lc|beta:1.2|tok:treebank|as:coco-caption",
    .higher_is_better = true,
    .stats = STATS,
    .gather = gather_rouge,
    .value = value_rouge,
};
