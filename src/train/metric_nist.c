/* NIST (Doddington 2002): the n-grams of the hypotheses that a reference has, too, n = 1..5, weighted by their
 * information: log2 of the references' count of the n-gram without its last word, divided by that of the whole
 * n-gram.  The metric is the mean over the n-grams of the hypotheses, summed over n, times a penalty that is 1/2 for
 * hypotheses of two thirds of the references' mean length.
 *
 * Equal to measure_scores.py -p of the E2E challenge, which counts each reference separately if their number varies;
 * the Perl program mteval does not. */
#include "train/metric_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 5, LENGTH = 0, INFORMATION = 1, TOTAL = INFORMATION + N, STATS = TOTAL + N };

typedef struct nist {
    pb_grams seen; /* the n-grams of all references, n = 1..N */
    double words;  /* the number of words in all references */
} nist;

static void *start_nist(const pb_text_set *set)
{
    nist *c = pb_alloc(sizeof *c);
    for (int i = 0; i < set->count; i++)
        for (int k = 0; k < set->item[i].references; k++) {
            pb_pieces p = pb_cut_13a_lower(set->item[i].reference[k]);
            for (int n = 1; n <= N; n++)
                pb_grams_count(&c->seen, &p, n);
            c->words += p.count;
            pb_pieces_free(&p);
        }
    return c;
}

static void stop_nist(void *context)
{
    nist *c = context;
    pb_grams_free(&c->seen);
    free(c);
}

/* Returns the information of an n-gram that a reference has, in bits. */
static double information(const nist *c, const char *gram, size_t size)
{
    const char *last = memrchr(gram, ' ', size);
    double before = last ? pb_grams_get(&c->seen, gram, (size_t)(last - gram)) : c->words;
    return log2(before / pb_grams_get(&c->seen, gram, size));
}

static double matched(const nist *c, const pb_grams *own, const pb_grams *most)
{
    double sum = 0;
    for (int i = 0; i < own->which.count; i++) {
        size_t size;
        const char *gram = pb_interner_text(&own->which, i, &size);
        double hits = fmin(own->number[i], pb_grams_get(most, gram, size));
        if (hits > 0)
            sum += hits * information(c, gram, size);
    }
    return sum;
}

static void gather_nist(const void *context, const pb_text_item *item, const char *hypothesis, double *stats)
{
    pb_pieces own = pb_cut_13a_lower(hypothesis);
    pb_pieces *references = pb_cut_each(pb_cut_13a_lower, item->reference, item->references);
    stats[LENGTH] = 0;
    for (int k = 0; k < item->references; k++)
        stats[LENGTH] += (double)references[k].count / item->references;
    for (int n = 1; n <= N; n++) {
        pb_grams grams = pb_grams_of(&own, n), most = pb_grams_most(references, item->references, n);
        stats[INFORMATION + n - 1] = matched(context, &grams, &most);
        stats[TOTAL + n - 1] = own.count - n + 1; /* may be below 0, as in that program */
        pb_grams_free(&grams);
        pb_grams_free(&most);
    }
    pb_pieces_free(&own);
    pb_pieces_free_each(references, item->references);
}

static double value_nist(const double *s)
{
    double sum = 0, ratio = fmin(s[TOTAL] / s[LENGTH], 1), beta = -log(0.5) / pow(log(1.5), 2);
    for (int n = 0; n < N; n++)
        sum += s[INFORMATION + n] > 0 ? s[INFORMATION + n] / s[TOTAL + n] : 0;
    return sum * exp(-beta * pow(log(ratio), 2));
}

const pb_text_metric pb_metric_nist = {
    .name = "nist",
    .title = "NIST",
    .paper = "Doddington 2002, as Dusek et al. 2020",
    .signature = "case:lc|n:5|tok:13a|as:e2e-metrics",
    .higher_is_better = true,
    .stats = STATS,
    .start = start_nist,
    .stop = stop_nist,
    .gather = gather_nist,
    .value = value_nist,
};
