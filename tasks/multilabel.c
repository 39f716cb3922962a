/* multilabel: assigns a set of labels to texts, or pairs of texts: any number of those that the task has.  A named task
 * (tasks/NAME.ini) says which files and columns hold them.  The network has an output for each label, trained by binary
 * cross-entropy; a label is predicted if its probability is greater than 1/2. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "peftbench.h"

typedef struct conf {
    pb_files files;
    const char *text, *labels, *separator, *classes, *metric;
    int unlabeled;
} conf;

enum { REFUSE, KEEP }; /* the values of `unlabeled` */

static const pb_option options[] = {
    PB_FILES_OPTIONS,
    PB_OPTION(conf, text, TEXT, "text", "column with the texts; two names, `s1, s2`: pairs of texts"),
    PB_OPTION(conf, labels, TEXT, "labels",
              "column with the labels of a text, separated by `separator`; in JSON Lines also a list"),
    PB_OPTION(conf, separator, TEXT, "|", "what separates the labels in a field that is no list"),
    PB_OPTION(conf, unlabeled, CHOICE, "refuse", "refuse|keep", "a text without labels is an error, or is kept"),
    PB_OPTION(conf, classes, TEXT, "", "the labels in order; `0=anger` gives one a name; empty: those found in train"),
    PB_OPTION(
        conf, metric, TEXT, "",
        "the primary metric: micro_f1, macro_f1, weighted_f1, samples_f1, subset_accuracy or map; empty: micro_f1"),
    PB_FILES_OVERLAP("a text, or a pair,"),
    {0},
};

/* ---- loading ------------------------------------------------------------------------------ */

typedef struct reading {
    const conf *conf;
    pb_labels *labels;
} reading;

/* The field that is being read. */
typedef struct field {
    const reading *r;
    pb_split split;
    const pb_table *t;
    size_t row;
    int column;
} field;

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static int refuse(const field *f, const char *what)
{
    return pb_error("%s:%d: %s: %s", pb_table_path(f->t, f->column), pb_table_line(f->t, f->row, f->column),
                    f->r->conf->labels, what);
}

/* Adds the label to those of the example, which have room for it. */
static int add_label(const field *f, const char *label, pb_example *e)
{
    int class = *label ? pb_labels_class_at(f->r->labels, f->split, label, pb_table_path(f->t, f->column),
                                            pb_table_line(f->t, f->row, f->column), f->r->conf->labels)
                       : refuse(f, "want a label between two separators, got nothing");
    for (int k = 0; k < e->label_count && class >= 0; k++)
        if (e->labels[k] == class) {
            char *what = pb_format("got the label '%s' twice; want it once", label);
            class = refuse(f, what);
            free(what);
        }
    if (class < 0)
        return -1;
    e->labels[e->label_count++] = class;
    return 0;
}

/* Splits "joy | love" at the separators. */
static int split_field(const field *f, const char *given, pb_example *e)
{
    const char *separator = f->r->conf->separator;
    char *copy = pb_strdup(given);
    int rc = 0;
    e->labels = pb_alloc((strlen(given) + 1) * sizeof *e->labels);
    for (char *at = copy, *end; at && !rc; at = end) {
        end = strstr(at, separator);
        if (end) {
            *end = 0;
            end += strlen(separator);
        }
        rc = add_label(f, pb_trim(at, " \t"), e);
    }
    free(copy);
    return rc;
}

/* Reads the labels of the field into a list, which the caller frees. */
static int read_field(const field *f, pb_example *e)
{
    int n, rc = 0;
    const char *given = pb_table_get(f->t, f->row, f->column);
    const char *const *item = pb_table_list(f->t, f->row, f->column, &n);
    if (item)
        e->labels = pb_alloc((size_t)(n + 1) * sizeof *e->labels);
    for (int i = 0; item && i < n && !rc; i++)
        rc = add_label(f, item[i], e);
    if (!item && given[strspn(given, " \t")])
        rc = split_field(f, given, e);
    if (!rc && !e->label_count && f->r->conf->unlabeled == REFUSE)
        rc = refuse(f, "want a label, got nothing; or unlabeled = keep");
    if (e->label_count)
        qsort(e->labels, (size_t)e->label_count, sizeof *e->labels, by_number);
    return rc;
}

/* Where no text has two labels, the separator is most likely another one. */
static int check_separator(const reading *r, const pb_data *d, const pb_table *t, int column)
{
    for (int i = 0; i < d->split[PB_TRAIN].count; i++)
        if (d->split[PB_TRAIN].example[i].label_count > 1)
            return 0;
    return pb_error("%s: %s: no text has two labels, with '%s' between them; want the separator that the file has, or "
                    "kind = classify",
                    pb_table_path(t, column), r->conf->labels, r->conf->separator);
}

static int add_rows(pb_data *d, const void *settings, pb_split split, const pb_table *t)
{
    const reading *r = settings;
    int text[2], column = pb_table_list_column(t, r->conf->labels);
    if (column < 0 || pb_files_columns(d, r->conf->text, t, text))
        return -1;
    for (size_t row = 0; row < pb_table_rows(t); row++) {
        pb_example e = {.label = -1};
        int rc = read_field(&(field){r, split, t, row, column}, &e) ||
                         pb_files_texts(d, r->conf->text, t, row, text, &e)
                     ? -1
                     : 0;
        if (!rc)
            pb_data_add_example(d, split, &e);
        free(e.labels);
        if (rc)
            return -1;
    }
    return pb_labels_check(r->labels) || (split == PB_TRAIN && check_separator(r, d, t, column)) ? -1 : 0;
}

static int check_setting(const pb_data *d, const conf *c)
{
    if (*c->separator)
        return 0;
    pb_error("want what separates two labels, such as |, got nothing");
    return pb_data_blame(d, "separator");
}

static int load(pb_data *d, const void *settings)
{
    const conf *c = settings;
    reading r = {.conf = c, .labels = check_setting(d, c) ? NULL : pb_labels_new(d, c->classes)};
    int rc = r.labels && !pb_files_pair(d, c->text) ? pb_files_load(d, &c->files, add_rows, &r) : -1;
    rc = rc || pb_labels_covered(r.labels) ? -1 : 0;
    pb_labels_free(r.labels);
    if (!rc)
        pb_files_limit(d, &c->files);
    return rc;
}

/* ---- F1: of the counts of correct, of predicted and of true labels ------------------------------------------ */

enum { CORRECT, PREDICTED, TRUE, COUNTS };

/* Adds one to the counts that label c of a text belongs to. */
static void count_label(const pb_scoring *s, const pb_prediction *p, int c, double count[COUNTS])
{
    bool is = p->label_set[c] > 0, said = p->label_set[s->classes + c] > 0.5;
    count[CORRECT] += is && said;
    count[PREDICTED] += said;
    count[TRUE] += is;
}

/* F1 = 2 correct / (predicted + true); 0 if there is neither. */
static double f1_of(const double count[COUNTS])
{
    double both = count[PREDICTED] + count[TRUE];
    return both > 0 ? 2 * count[CORRECT] / both : 0;
}

static int counts_of_all(const pb_scoring *s)
{
    (void)s;
    return COUNTS;
}

static void gather_all(const pb_scoring *s, int n, const pb_prediction *p, double *x)
{
    for (int i = 0; i < n; i++, x += COUNTS) {
        x[CORRECT] = x[PREDICTED] = x[TRUE] = 0;
        for (int c = 0; c < s->classes; c++)
            count_label(s, &p[i], c, x);
    }
}

static double micro_f1(const pb_scoring *s, const double *sums, double count)
{
    (void)s, (void)count;
    return f1_of(sums);
}

static int counts_of_labels(const pb_scoring *s)
{
    return COUNTS * s->classes;
}

static void gather_labels(const pb_scoring *s, int n, const pb_prediction *p, double *x)
{
    for (int i = 0; i < n; i++)
        for (int c = 0; c < s->classes; c++, x += COUNTS) {
            x[CORRECT] = x[PREDICTED] = x[TRUE] = 0;
            count_label(s, &p[i], c, x);
        }
}

/* The mean over all labels, as in scikit-learn with zero_division=0. */
static double macro_f1(const pb_scoring *s, const double *sums, double count)
{
    (void)count;
    double f1 = 0;
    for (int c = 0; c < s->classes; c++)
        f1 += f1_of(sums + COUNTS * c);
    return f1 / s->classes;
}

/* The mean over all labels of all texts of the F1 of that label. */
static double weighted_f1(const pb_scoring *s, const double *sums, double count)
{
    (void)count;
    double f1 = 0, all = 0;
    for (int c = 0; c < s->classes; c++) {
        f1 += sums[COUNTS * c + TRUE] * f1_of(sums + COUNTS * c);
        all += sums[COUNTS * c + TRUE];
    }
    return all > 0 ? f1 / all : 0;
}

static int one_stat(const pb_scoring *s)
{
    (void)s;
    return 1;
}

/* The F1 of the labels of each text. */
static void gather_f1(const pb_scoring *s, int n, const pb_prediction *p, double *x)
{
    for (int i = 0; i < n; i++) {
        double count[COUNTS];
        gather_all(s, 1, &p[i], count);
        x[i] = f1_of(count);
    }
}

/* Whether all labels of a text are predicted, and no others. */
static void gather_equal(const pb_scoring *s, int n, const pb_prediction *p, double *x)
{
    for (int i = 0; i < n; i++) {
        x[i] = 1;
        for (int c = 0; c < s->classes; c++)
            if ((p[i].label_set[c] > 0) != (p[i].label_set[s->classes + c] > 0.5))
                x[i] = 0;
    }
}

/* The share of the texts of test that have exactly the labels which more than half of train have. */
static double majority_share(const pb_data *d)
{
    int *count = pb_data_count_classes(d, PB_TRAIN), most = 0, equal = 0, tested = d->split[PB_TEST].count;
    for (int c = 0; c < d->classes; c++)
        most += 2 * count[c] > d->split[PB_TRAIN].count;
    for (int i = 0; i < tested; i++) {
        const pb_example *e = &d->split[PB_TEST].example[i];
        int same = 0;
        for (int k = 0; k < e->label_count; k++)
            same += 2 * count[e->labels[k]] > d->split[PB_TRAIN].count;
        equal += same == most && e->label_count == most;
    }
    free(count);
    return tested ? (double)equal / tested : 0;
}

/* ---- mean average precision --------------------------------------------------------------------------------- */

/* A text as one label ranks it. */
typedef struct ranked {
    double probability;
    bool is; /* The text has the label. */
    int example;
} ranked;

static int by_probability(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    int order = (x->probability < y->probability) - (x->probability > y->probability);
    return order ? order : (x->example > y->example) - (x->example < y->example);
}

/* What leaving one text out does to the sum over labels of average precisions. */
typedef struct left_out {
    double sum; /* [of each text] over the labels that still occur */
    int labels;
} left_out;

/* The texts of one probability: those up to them, how many of these have the label, and how many of themselves. */
typedef struct group {
    int from, to, above, own;
} group;

/* Fills g with the groups of r [n], which is sorted, and returns their number. */
static int find_groups(int n, const ranked *r, group *g)
{
    int groups = 0, above = 0;
    for (int from = 0, to; from < n; from = to) {
        int own = r[from].is;
        for (to = from + 1; to < n && r[to].probability == r[from].probability; to++)
            own += r[to].is;
        above += own;
        g[groups++] = (group){from, to, above, own};
    }
    return groups;
}

/* Average precision, the mean over the texts with the label of the precision at their probability, where equal
 * probabilities are one threshold (scikit-learn's average_precision_score): returns the sum, and adds to `without` [n]
 * the average precision that is left without each text.  Without a text, the precision at a threshold below it is
 * (above - is) / (to - 1). */
static double rank_label(int n, const ranked *r, group *g, left_out *without)
{
    int groups = find_groups(n, r, g), all = groups ? g[groups - 1].above : 0;
    double before = 0, after = 0, each = 0;
    for (int k = 0; k < groups; k++) {
        after += g[k].to > 1 ? (double)g[k].own * g[k].above / (g[k].to - 1) : 0;
        each += g[k].to > 1 ? (double)g[k].own / (g[k].to - 1) : 0;
    }
    for (int k = 0; k < groups; k++) {
        double less = g[k].to > 1 ? 1.0 / (g[k].to - 1) : 0;
        after -= less * g[k].own * g[k].above;
        each -= less * g[k].own;
        for (int i = g[k].from; i < g[k].to; i++) {
            int is = r[i].is, left = all - is;
            double own = less * (g[k].own - is) * (g[k].above - is);
            without[r[i].example].sum += left ? (before + own + after - is * each) / left : 0;
            without[r[i].example].labels += left > 0;
        }
        before += (double)g[k].own * g[k].above / g[k].to;
    }
    return all ? before / all : 0;
}

/* Sums the average precisions over the labels that occur, whose number is *labels. */
static double rank_all(const pb_scoring *s, int n, const pb_prediction *p, left_out *without, int *labels)
{
    ranked *r = pb_alloc((size_t)(n + 1) * sizeof *r);
    group *g = pb_alloc((size_t)(n + 1) * sizeof *g);
    double sum = 0;
    *labels = 0;
    for (int c = 0; c < s->classes; c++) {
        int all = 0;
        for (int i = 0; i < n; i++) {
            r[i] = (ranked){p[i].label_set[s->classes + c], p[i].label_set[c] > 0, i};
            all += r[i].is;
            sum += isnan(r[i].probability) ? NAN : 0;
        }
        qsort(r, (size_t)n, sizeof *r, by_probability);
        sum += all ? rank_label(n, r, g, without) : 0;
        *labels += all > 0;
    }
    free(g);
    free(r);
    return sum;
}

/* Mean average precision depends on how the texts are ranked among each other.  What stands for a text is its jackknife
 * pseudo-value, n map - (n-1) map without it; all are shifted so that their mean is the metric itself. */
static void gather_map(const pb_scoring *s, int n, const pb_prediction *p, double *x)
{
    left_out *without = pb_alloc((size_t)(n + 1) * sizeof *without);
    int labels;
    double sum = rank_all(s, n, p, without, &labels), map = labels ? sum / labels : sum, mean = 0;
    for (int i = 0; i < n; i++) {
        x[i] = n * map - (n - 1) * (without[i].labels ? without[i].sum / without[i].labels : 0);
        mean += x[i] / n;
    }
    for (int i = 0; i < n; i++)
        x[i] += map - mean;
    free(without);
}

static double mean_of_values(const pb_scoring *s, const double *sums, double count)
{
    (void)s;
    return sums[0] / count;
}

/* Equal probabilities of all texts give each label the share of texts that have it. */
static double mean_share(const pb_data *d)
{
    int *count = pb_data_count_classes(d, PB_TEST), labels = 0;
    double all = 0;
    for (int c = 0; c < d->classes; c++) {
        all += count[c];
        labels += count[c] > 0;
    }
    free(count);
    return labels ? all / labels / d->split[PB_TEST].count : 0;
}

static const pb_metric_info metrics[] = {
    {"micro_f1", true, pb_chance_zero, 0, 1, counts_of_all, gather_all, micro_f1},
    {"macro_f1", true, pb_chance_zero, 0, 1, counts_of_labels, gather_labels, macro_f1},
    {"weighted_f1", true, pb_chance_zero, 0, 1, counts_of_labels, gather_labels, weighted_f1},
    {"samples_f1", true, pb_chance_zero, 0, 1, one_stat, gather_f1, NULL},
    {"subset_accuracy", true, majority_share, 0, 1, one_stat, gather_equal, NULL},
    {"map", true, mean_share, 0, 1, one_stat, gather_map, mean_of_values},
    {0},
};

const pb_task pb_task_multilabel = {
    .name = "multilabel",
    .help = "Assigns a set of labels to texts, or pairs of texts.  Reads TSV, CSV or JSON Lines with named columns.",
    .answer_kind = PB_ANSWER_LABELS,
    .options = options,
    .conf_size = sizeof(conf),
    .load = load,
    .version = 1,
    .metrics = metrics,
};
