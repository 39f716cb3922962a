/* classify: assigns texts, or pairs of texts, to classes.  A named task (tasks/NAME.ini) says which files and columns
 * hold them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "peftbench.h"

typedef struct conf {
    pb_files files;
    const char *text, *label, *classes;
    int overlap;
} conf;

enum { REFUSE, DROP }; /* the values of `overlap` */

static const pb_option options[] = {
    PB_FILES_OPTIONS,
    PB_OPTION(conf, text, TEXT, "text", "column with the texts; two names, `s1, s2`: pairs of texts"),
    PB_OPTION(conf, label, TEXT, "label", "column with the labels"),
    PB_OPTION(conf, classes, TEXT, "",
              "labels of the classes in order; `0=negative` gives one a name; empty: the labels found in train"),
    PB_OPTION(conf, overlap, CHOICE, "refuse", "refuse|drop",
              "a text, or a pair, in two splits is an error, or is removed from the earlier one"),
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

static int load(pb_data *d, const void *settings)
{
    const conf *c = settings;
    reading r = {.conf = c, .labels = pb_labels_new(d, c->classes)};
    int rc = r.labels && !pb_files_pair(d, c->text) ? pb_files_load(d, &c->files, add_rows, &r) : -1;
    if (!rc && c->overlap == DROP)
        pb_data_drop_overlap(d);
    rc = rc || pb_labels_covered(r.labels) ? -1 : 0;
    pb_labels_free(r.labels);
    if (!rc)
        pb_files_limit(d, &c->files);
    return rc;
}

/* ---- scoring ------------------------------------------------------------------------------- */

/* Returns the accuracy on test of always predicting the most frequent class of train. */
static double majority_share(const pb_data *d)
{
    int best = 0, most = -1, hits = 0;
    for (int c = 0; c < d->classes; c++) {
        int n = 0;
        for (int i = 0; i < d->split[PB_TRAIN].count; i++)
            n += d->split[PB_TRAIN].example[i].label == c;
        if (n > most) {
            most = n;
            best = c;
        }
    }
    for (int i = 0; i < d->split[PB_TEST].count; i++)
        hits += d->split[PB_TEST].example[i].label == best;
    return d->split[PB_TEST].count ? (double)hits / d->split[PB_TEST].count : 0;
}

/* Counts the n predictions of class c: those that are correct, those that predict it, and those whose label it is. */
static void count_class(int n, const pb_prediction *p, int c, double count[3])
{
    memset(count, 0, 3 * sizeof *count);
    for (int i = 0; i < n; i++) {
        count[0] += p[i].label == c && p[i].predicted == c;
        count[1] += p[i].predicted == c;
        count[2] += p[i].label == c;
    }
}

/* Accuracy; F1 = 2 correct / (predicted + true), mean over the classes that occur, as in scikit-learn; and Matthews
 * correlation coefficient of several classes (Gorodkin 2004, Comparing two K-category assignments). */
static void score(const pb_data *d, pb_split split, const pb_prediction *p, double *values, pb_result *keep)
{
    (void)keep; /* These metrics can be resampled from the predictions alone. */
    int n = d->split[split].count;
    double correct = 0, f1 = 0, predicted_true = 0, predicted2 = 0, true2 = 0, seen = 0, count[3];
    for (int c = 0; c < d->classes; c++) {
        count_class(n, p, c, count);
        correct += count[0];
        f1 += count[1] + count[2] > 0 ? 2 * count[0] / (count[1] + count[2]) : 0;
        seen += count[1] + count[2] > 0;
        predicted_true += count[1] * count[2];
        predicted2 += count[1] * count[1];
        true2 += count[2] * count[2];
    }
    double total = n, spread = sqrt((total * total - predicted2) * (total * total - true2));
    values[0] = n ? correct / total : 0;
    values[1] = seen > 0 ? f1 / seen : 0;
    values[2] = spread > 0 ? (correct * total - predicted_true) / spread : 0;
}

static const pb_metric_info metrics[] = {
    {"accuracy", true, majority_share, 0, 1},
    {"macro_f1", true, pb_chance_zero, 0, 1},
    {"mcc", true, pb_chance_zero, -1, 1},
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
    .score = score,
};
