/* metric: how near generated texts are to their references.
 *
 * A metric is one const struct in one file metric_*.c.  Most are functions of a sum over examples:
 * `gather` turns an example into a few numbers, `value` makes the corpus' value of their sums, so
 * that resampling examples needs the numbers alone and no text:
 *
 *     void *context = m->start ? m->start(set) : NULL;
 *     m->gather(context, item, hypothesis, stats);     for each example; stats [m->stats]
 *     m->value(sums)                                   of the column sums, or of one row
 *
 * What is no such sum (how many different words there are) has `whole` instead, and no statistics.
 * docs/metrics.md says what each metric is and how its tokens are made. */
#ifndef PB_METRIC_H
#define PB_METRIC_H

#include "base/base.h"

/* Other ways to say a value, by attribute[value]: for the slot errors. */
typedef struct pb_forms pb_forms;

/* A file of lines `attribute[value]: form | form | form`; an attribute[value] may have several.  A line
 * that does not begin so, and one that begins with #, is prose.  NULL with "PATH:LINE: .." if a line has
 * no form behind its colon, or there is no such line in the file. */
pb_forms *pb_forms_read(const char *path);
void pb_forms_free(pb_forms *f); /* NULL is fine */

/* What one hypothesis is held against.  UTF-8; all texts are the caller's. */
typedef struct pb_text_item {
    const char *source; /* a meaning representation; NULL if there is none */
    const char *const *reference;
    int references; /* >= 1, except where only the source is read */
} pb_text_item;

/* All that is scored together: a split. */
typedef struct pb_text_set {
    const pb_text_item *item;
    int count;
    const pb_forms *forms; /* NULL: values are said as they are written */
} pb_text_set;

enum { PB_METRIC_STATS = 32 }; /* no metric has more */

typedef struct pb_text_metric {
    const char *name;  /* "bleu"                                                         */
    const char *title; /* "BLEU"                                                         */
    const char *paper; /* "Papineni et al. 2002"                                         */
    /* What was chosen, as sacreBLEU writes it, without the number of references. */
    const char *signature;
    bool higher_is_better;
    int stats; /* numbers an example; 0: has `whole` */
    /* What the metric learns from the references and sources of all examples (weights of n-grams): reads
     * only afterwards, so threads may share it.  Copies what it needs.  NULL: nothing is learnt. */
    void *(*start)(const pb_text_set *set);
    void (*stop)(void *context); /* frees what start gave; NULL if start is */
    /* Fills stats [m->stats] for one example. */
    void (*gather)(const void *context, const pb_text_item *item, const char *hypothesis, double *stats);
    /* Of sums [m->stats] over one or more examples.  NAN where the metric is undefined. */
    double (*value)(const double *sums);
    /* Of all hypotheses at once, where gather and value are NULL. */
    double (*whole)(const char *const *hypothesis, int count);
} pb_text_metric;

extern const pb_text_metric *const pb_text_metrics[];        /* NULL ends */
const pb_text_metric *pb_text_metric_find(const char *name); /* NULL with an error that names them all */

/* The value of hypotheses [set->count].  stats [set->count, m->stats] are the caller's and are filled; NULL:
 * they are not wanted. */
double pb_text_score(const pb_text_metric *m, const pb_text_set *set, const char *const *hypothesis, double *stats);

/* "nrefs:4|case:mixed|eff:no|tok:13a|..", "nrefs:var|.." where their number varies.  Caller frees. */
char *pb_text_signature(const pb_text_metric *m, const pb_text_set *set);

#endif
