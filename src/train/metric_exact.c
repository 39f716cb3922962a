/* Exact match: the fraction of hypotheses that equal one of their references, except for white space at their ends. */
#include "train/metric_internal.h"

#include <string.h>

enum { EQUAL, EXAMPLES, STATS };

static void gather_exact(const void *context, const pb_text_item *item, const char *hypothesis, double *stats)
{
    (void)context;
    size_t n, size;
    const char *own = pb_trimmed(hypothesis, &n);
    stats[EQUAL] = 0;
    for (int i = 0; i < item->references; i++) {
        const char *reference = pb_trimmed(item->reference[i], &size);
        if (size == n && !memcmp(own, reference, n))
            stats[EQUAL] = 1;
    }
    stats[EXAMPLES] = 1;
}

static double value_exact(const double *s)
{
    return s[EQUAL] / s[EXAMPLES];
}

const pb_text_metric pb_metric_exact_match = {
    .name = "exact-match",
    .title = "exact match",
    .paper = "Rajpurkar et al. 2016",
    .signature = "case:mixed|trim:yes",
    .higher_is_better = true,
    .stats = STATS,
    .gather = gather_exact,
    .value = value_exact,
};
