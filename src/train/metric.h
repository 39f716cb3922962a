/* metric: compares generated texts with their references.
 *
 * A metric is one const struct in one file metric_*.c.  Most metrics are functions of a sum over the examples: `gather`
 * turns an example into a few numbers, and `value` turns the sums of these numbers into the metric of the corpus.  So
 * examples can be resampled from the numbers alone, without the texts:
 *
 *     void *context = m->start ? m->start(set) : NULL;
 *     m->gather(context, item, hypothesis, stats);     for each example; stats [m->stats]
 *     m->value(sums)                                   of the sums over examples, or of one example
 *
 * A metric that is not such a function (the number of different words) has `whole` instead, and no statistics.
 * docs/metrics.md defines each metric and its tokens. */
#ifndef PB_METRIC_H
#define PB_METRIC_H

#include "base/base.h"

/* Other forms of slot values, by attribute[value], for the slot error rate. */
typedef struct pb_forms pb_forms;

/* Reads a file of lines `attribute[value]: form | form | form`; an attribute[value] may have several lines.  Lines
 * that do not begin like this, or that begin with #, are comments.  The caller frees the result with pb_forms_free.
 * Returns NULL with a PATH:LINE: error if a line has no form after its colon or the file has no such line. */
pb_forms *pb_forms_read(const char *path);
/* Frees the forms.  NULL is allowed. */
void pb_forms_free(pb_forms *f);

/* A pattern by which the answer of a text is found, such as "#### {number}": texts around one of the holes {number},
 * {text} and {letter}. */
typedef struct pb_answer pb_answer;

/* Returns the pattern, or NULL with an error if it has not exactly one hole, or no text before {text} or {letter}.  The
 * caller frees it with pb_answer_free. */
pb_answer *pb_answer_parse(const char *pattern);
/* Frees a pattern.  NULL is allowed. */
void pb_answer_free(pb_answer *a);
/* Returns what stands in the hole: the first such part of a text or, if the pattern is {number} alone, the last number.
 * Returns NULL if there is none.  The caller frees it. */
char *pb_answer_extract(const pb_answer *a, const char *text);
/* Returns the same in a form in which equal answers are equal texts: a number without separators, currency signs and
 * digits that do not count; other answers trimmed and in lower case.  NULL if there is none, or no number.  The caller
 * frees it. */
char *pb_answer_find(const pb_answer *a, const char *text);

/* What one hypothesis is compared with.  The texts are UTF-8 and belong to the caller. */
typedef struct pb_text_item {
    const char *source;           /* a meaning representation; NULL if there is none */
    const char *const *reference; /* [references] */
    int references;               /* at least 1, unless the metric reads the source only */
} pb_text_item;

/* The examples that are scored together: a split. */
typedef struct pb_text_set {
    const pb_text_item *item; /* [count] */
    int count;
    const pb_forms *forms; /* NULL: slot values have no other forms */
    const char *answer;    /* pattern of pb_answer; only the metrics answer-match and no-answer need it */
} pb_text_set;

enum { PB_METRIC_STATS = 32 }; /* the largest number of statistics of a metric */

typedef struct pb_text_metric {
    const char *name;      /* "bleu" */
    const char *title;     /* "BLEU" */
    const char *paper;     /* "Papineni et al. 2002" */
    const char *signature; /* the choices made, as sacreBLEU writes them, without the number of references */
    bool higher_is_better;
    int stats; /* statistics of an example; 0: the metric has `whole` */

    /* Computes what the metric needs from the references and sources of all examples, such as weights of n-grams.  It
     * copies what it needs.  Threads may share the result, which is not changed.  NULL: the metric needs nothing. */
    void *(*start)(const pb_text_set *set);

    /* Frees the result of `start`.  NULL if `start` is. */
    void (*stop)(void *context);

    /* Fills stats [m->stats] for one example. */
    void (*gather)(const void *context, const pb_text_item *item, const char *hypothesis, double *stats);

    /* Returns the metric, given the sums [m->stats] over one or more examples, or NAN if it is undefined. */
    double (*value)(const double *sums);

    /* Returns the metric of all hypotheses [count].  Only if `gather` and `value` are NULL. */
    double (*whole)(const char *const *hypothesis, int count);
} pb_text_metric;

/* All metrics, ended by NULL. */
extern const pb_text_metric *const pb_text_metrics[];
/* Returns the metric of that name, or NULL with an error that lists all names. */
const pb_text_metric *pb_text_metric_find(const char *name);

/* Returns the metric of hypotheses [set->count].  Fills stats [set->count, m->stats] unless it is NULL. */
double pb_text_score(const pb_text_metric *m, const pb_text_set *set, const char *const *hypothesis, double *stats);

/* Returns "nrefs:4|case:mixed|eff:no|tok:13a|...", or "nrefs:var|..." if the number of references varies.  The caller
 * frees it. */
char *pb_text_signature(const pb_text_metric *m, const pb_text_set *set);

#endif
