/* classify: assigns texts, or pairs of texts, to classes.  A named task (tasks/NAME.ini) says which files and columns
 * hold them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "peftbench.h"

typedef struct conf {
    pb_files files;
    const char *text, *label, *classes, *metric, *positive, *class_weights;
    double label_smoothing;
} conf;

static const pb_option options[] = {
    PB_FILES_OPTIONS,
    PB_OPTION(conf, text, TEXT, "text", "column with the texts; two names, `s1, s2`: pairs of texts"),
    PB_OPTION(conf, label, TEXT, "label", "column with the labels"),
    PB_OPTION(conf, classes, TEXT, "",
              "labels of the classes in order; `0=negative` gives one a name; empty: the labels found in train"),
    PB_OPTION(conf, metric, TEXT, "",
              "the primary metric: accuracy, macro_f1, weighted_f1, mcc or f1; empty: accuracy"),
    PB_OPTION(conf, positive, TEXT, "", "name of the class that the metric f1 is about; empty: f1 is not computed"),
    PB_OPTION(
        conf, class_weights, TEXT, "",
        "weights of the classes in the loss of a head: balanced, n / (classes * n_c) of the training examples, or "
        "`name:weight, ..`; empty: 1"),
    PB_OPTION(conf, label_smoothing, REAL, "0", 0, 0.999,
              "share of the target of a head's loss that is spread evenly over all classes; 0: none"),
    PB_FILES_OVERLAP("a text, or a pair,"),
    {0},
};

/* ---- loading ------------------------------------------------------------------------------ */

typedef struct reading {
    const conf *conf;
    pb_labels *labels;
} reading;

static int add_rows(pb_data *d, const void *settings, pb_split split, const pb_table *t)
{
    const reading *r = settings;
    const conf *c = r->conf;
    int text[2], label = pb_table_column(t, c->label);
    if (label < 0 || pb_files_columns(d, c->text, t, text))
        return -1;
    for (size_t row = 0; row < pb_table_rows(t); row++) {
        pb_example e = {.label = pb_labels_class(r->labels, split, t, row, label, c->label)};
        if (e.label < 0 || pb_files_texts(d, c->text, t, row, text, &e))
            return -1;
        pb_data_add_example(d, split, &e);
    }
    return pb_labels_check(r->labels);
}

/* Finds the class that f1 is about. */
static int find_positive(pb_data *d, const conf *c)
{
    if (*c->positive)
        return (d->positive = pb_data_find_class(d, c->positive)) < 0 ? pb_data_blame(d, "positive") : 0;
    if (strcmp(c->metric, "f1") != 0)
        return 0;
    pb_error("f1 is that of one class; want `positive = CLASS` beside it, or macro_f1");
    return pb_data_blame(d, "metric");
}

static int load(pb_data *d, const void *settings)
{
    const conf *c = settings;
    reading r = {.conf = c, .labels = pb_labels_new(d, c->classes)};
    int rc = r.labels && !pb_files_pair(d, c->text) ? pb_files_load(d, &c->files, add_rows, &r) : -1;
    rc = rc || pb_labels_covered(r.labels) || find_positive(d, c) ? -1 : 0;
    pb_labels_free(r.labels);
    if (rc)
        return -1;
    pb_files_limit(d, &c->files);
    d->label_smoothing = c->label_smoothing;
    return pb_data_weigh(d, c->class_weights);
}

/* ---- scoring ------------------------------------------------------------------------------- */

/* Returns the accuracy on test of always predicting the most frequent class of train. */
static double majority_share(const pb_data *d)
{
    int *count = pb_data_count_classes(d, PB_TRAIN), best = 0, hits = 0;
    for (int c = 1; c < d->classes; c++)
        best = count[c] > count[best] ? c : best;
    free(count);
    for (int i = 0; i < d->split[PB_TEST].count; i++)
        hits += d->split[PB_TEST].example[i].label == best;
    return d->split[PB_TEST].count ? (double)hits / d->split[PB_TEST].count : 0;
}

static int one_stat(const pb_scoring *s)
{
    (void)s;
    return 1;
}

static void gather_correct(const pb_scoring *s, int n, const pb_prediction *p, double *x)
{
    (void)s;
    for (int i = 0; i < n; i++)
        x[i] = p[i].label == p[i].predicted;
}

/* What is counted of a class: predictions of it that are correct, predictions of it, and examples of it. */
enum { CORRECT, PREDICTED, TRUE, COUNTS };

static void count_class(const pb_prediction *p, int class, double count[COUNTS])
{
    count[PREDICTED] = p->predicted == class;
    count[TRUE] = p->label == class;
    count[CORRECT] = p->predicted == class && p->label == class;
}

static int counts_of_classes(const pb_scoring *s)
{
    return COUNTS * s->classes;
}

static void gather_classes(const pb_scoring *s, int n, const pb_prediction *p, double *x)
{
    for (int i = 0; i < n; i++)
        for (int c = 0; c < s->classes; c++, x += COUNTS)
            count_class(&p[i], c, x);
}

static int counts_of_positive(const pb_scoring *s)
{
    (void)s;
    return COUNTS;
}

static void gather_positive(const pb_scoring *s, int n, const pb_prediction *p, double *x)
{
    for (int i = 0; i < n; i++)
        count_class(&p[i], s->positive, x + COUNTS * i);
}

/* F1 = 2 correct / (predicted + true) of a class; 0 if it does not occur. */
static double f1_of(const double count[COUNTS])
{
    double both = count[PREDICTED] + count[TRUE];
    return both > 0 ? 2 * count[CORRECT] / both : 0;
}

static double positive_f1(const pb_scoring *s, const double *sums, double count)
{
    (void)count;
    return s->positive < 0 ? NAN : f1_of(sums);
}

/* The mean over the classes that occur, as in scikit-learn. */
static double macro_f1(const pb_scoring *s, const double *sums, double count)
{
    (void)count;
    double f1 = 0, seen = 0;
    for (const double *c = sums; c < sums + COUNTS * s->classes; c += COUNTS) {
        f1 += f1_of(c);
        seen += c[PREDICTED] + c[TRUE] > 0;
    }
    return seen > 0 ? f1 / seen : 0;
}

/* The mean over the examples of the F1 of their classes. */
static double weighted_f1(const pb_scoring *s, const double *sums, double count)
{
    double f1 = 0;
    for (const double *c = sums; c < sums + COUNTS * s->classes; c += COUNTS)
        f1 += c[TRUE] * f1_of(c);
    return count > 0 ? f1 / count : 0;
}

/* Matthews correlation coefficient of several classes (Gorodkin 2004, Comparing two K-category assignments). */
static double mcc(const pb_scoring *s, const double *sums, double count)
{
    double correct = 0, predicted_true = 0, predicted2 = 0, true2 = 0;
    for (const double *c = sums; c < sums + COUNTS * s->classes; c += COUNTS) {
        correct += c[CORRECT];
        predicted_true += c[PREDICTED] * c[TRUE];
        predicted2 += c[PREDICTED] * c[PREDICTED];
        true2 += c[TRUE] * c[TRUE];
    }
    double spread = sqrt((count * count - predicted2) * (count * count - true2));
    return spread > 0 ? (correct * count - predicted_true) / spread : 0;
}

static const pb_metric_info metrics[] = {
    {"accuracy", true, majority_share, 0, 1, one_stat, gather_correct, NULL},
    {"macro_f1", true, pb_chance_zero, 0, 1, counts_of_classes, gather_classes, macro_f1},
    {"weighted_f1", true, pb_chance_zero, 0, 1, counts_of_classes, gather_classes, weighted_f1},
    {"mcc", true, pb_chance_zero, -1, 1, counts_of_classes, gather_classes, mcc},
    {"f1", true, pb_chance_zero, 0, 1, counts_of_positive, gather_positive, positive_f1},
    {0},
};

const pb_task pb_task_classify = {
    .name = "classify",
    .help = "Assigns texts, or pairs of texts, to classes.  Reads TSV, CSV or JSON Lines with named columns.",
    .options = options,
    .conf_size = sizeof(conf),
    .load = load,
    .version = 1,
    .metrics = metrics,
};
