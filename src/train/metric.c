/* metric: see metric.h. */
#include "train/metric.h"

#include <stdlib.h>
#include <string.h>

#include "train/metric_internal.h"

const pb_text_metric *const pb_text_metrics[] = {
    &pb_metric_bleu,       &pb_metric_bleu_e2e,   &pb_metric_nist,        &pb_metric_rouge_l,      &pb_metric_cider,
    &pb_metric_chrf,       &pb_metric_chrf_words, &pb_metric_exact_match, &pb_metric_answer_match, &pb_metric_no_answer,
    &pb_metric_distinct_1, &pb_metric_distinct_2, &pb_metric_slot_error,  &pb_metric_slot_missing, NULL,
};

const pb_text_metric *pb_text_metric_find(const char *name)
{
    pb_text names = {0};
    for (const pb_text_metric *const *m = pb_text_metrics; *m; m++) {
        if (!strcmp((*m)->name, name)) {
            pb_text_free(&names);
            return *m;
        }
        pb_text_add(&names, "%s%s", names.length ? ", " : "", (*m)->name);
    }
    pb_error("no metric '%s'; there are %s", name, names.data);
    pb_text_free(&names);
    return NULL;
}

double pb_text_score(const pb_text_metric *m, const pb_text_set *set, const char *const *hypothesis, double *stats)
{
    if (m->whole)
        return m->whole(hypothesis, set->count);
    double row[PB_METRIC_STATS], sums[PB_METRIC_STATS] = {0};
    PB_CHECK(m->stats > 0 && m->stats <= PB_METRIC_STATS);
    void *context = m->start ? m->start(set) : NULL;
    for (int i = 0; i < set->count; i++) {
        m->gather(context, &set->item[i], hypothesis[i], row);
        for (int k = 0; k < m->stats; k++)
            sums[k] += row[k];
        if (stats)
            memcpy(stats + (size_t)i * (size_t)m->stats, row, (size_t)m->stats * sizeof *row);
    }
    if (context)
        m->stop(context);
    return m->value(sums);
}

char *pb_text_signature(const pb_text_metric *m, const pb_text_set *set)
{
    int references = set->count ? set->item[0].references : 0;
    for (int i = 1; i < set->count; i++)
        if (set->item[i].references != references)
            return pb_format("nrefs:var|%s", m->signature);
    return pb_format("nrefs:%d|%s", references, m->signature);
}
