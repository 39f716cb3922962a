/* classify: texts into classes.  A named task (tasks/NAME.ini) gives files and columns. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "peftbench.h"

typedef struct conf {
    const char *train, *validation, *test; /* files; validation and test may be drawn from train */
    const char *format, *columns, *text, *label, *classes, *template;
    double validation_share, test_share;
    int split_seed, train_limit, score_limit;
    int overlap;
} conf;

enum { REFUSE, DROP }; /* overlap */

#define TEXT(field, value, about)                                                                                      \
    {                                                                                                                  \
        .name = #field, .type = PB_TEXT, .offset = offsetof(conf, field), .preset = value, .help = about               \
    }

static const pb_option options[] = {
    TEXT(train, "", "file of training examples"),
    TEXT(validation, "", "file of validation examples; empty: drawn from train"),
    TEXT(test, "", "file of test examples; empty: drawn from train"),
    TEXT(format, "", "tsv, csv, jsonl or 'label text'; empty: by the file's ending"),
    TEXT(columns, "", "names of the columns, if the file's first line does not give them"),
    TEXT(text, "text", "column of the text"),
    TEXT(label, "label", "column of the class"),
    TEXT(classes, "", "names of the classes in their order; `0=negative` renames; empty: as they come"),
    TEXT(template, "", "file that says how a text is put to a decoder: {text}, {label}; empty: three lines"),
    {.name = "validation_share",
     .type = PB_REAL,
     .offset = offsetof(conf, validation_share),
     .preset = "0.1",
     .min = 0,
     .max = 0.9,
     .help = "of all examples, where validation is drawn"},
    {.name = "test_share",
     .type = PB_REAL,
     .offset = offsetof(conf, test_share),
     .preset = "0.2",
     .min = 0,
     .max = 0.9,
     .help = "of all examples, where test is drawn"},
    {.name = "split_seed",
     .type = PB_INT,
     .offset = offsetof(conf, split_seed),
     .preset = "0",
     .min = 0,
     .max = 1e9,
     .help = "of the drawing"},
    {.name = "train_limit",
     .type = PB_INT,
     .offset = offsetof(conf, train_limit),
     .preset = "0",
     .min = 0,
     .max = 1e9,
     .help = "examples kept of train, drawn by split_seed; 0: all"},
    {.name = "score_limit",
     .type = PB_INT,
     .offset = offsetof(conf, score_limit),
     .preset = "0",
     .min = 0,
     .max = 1e9,
     .help = "examples kept of validation and of test each; 0: all"},
    {.name = "overlap",
     .type = PB_CHOICE,
     .offset = offsetof(conf, overlap),
     .preset = "refuse",
     .choices = "refuse|drop",
     .help = "a text in two splits: an error, or taken out of the earlier one"},
    {0},
};

/* ---- loading ------------------------------------------------------------------------------ */

/* The `index`th name of a list such as "0=negative, 1=positive": what the file says, and what we
 * call it.  false behind the end. */
static bool class_entry(const char *list, int index, char key[64], char name[64])
{
    for (;; index--) {
        list += strspn(list, ", ");
        size_t n = strcspn(list, ",");
        if (!*list)
            return false;
        if (index == 0) {
            char entry[64];
            snprintf(entry, sizeof entry, "%.*s", (int)n, list);
            char *equals = strchr(entry, '=');
            snprintf(key, 64, "%.*s", equals ? (int)(equals - entry) : 63, entry);
            snprintf(name, 64, "%s", equals ? equals + 1 : entry);
            return true;
        }
        list += n;
    }
}

/* The class number of a file's label, -1 if the list of classes does not have it. */
static int class_of(pb_data *d, const conf *c, const char *label)
{
    char key[64], name[64];
    if (!*c->classes)
        return pb_data_class(d, label);
    for (int i = 0; class_entry(c->classes, i, key, name); i++)
        if (!strcmp(key, label))
            return pb_data_class(d, name);
    return -1;
}

static int take_rows(pb_data *d, const conf *c, pb_split split, const pb_table *t, int text, int label)
{
    for (size_t row = 0; row < pb_table_rows(t); row++) {
        const char *given = pb_table_get(t, row, label);
        int class = *given ? class_of(d, c, given) : -1;
        if (class < 0)
            return pb_error("%s:%d: %s: want one of %s, got '%s'", pb_table_path(t), pb_table_line(t, row), c->label,
                            *c->classes ? c->classes : "the classes' names", given);
        if (!*pb_table_get(t, row, text))
            return pb_error("%s:%d: %s: want a text, got nothing", pb_table_path(t), pb_table_line(t, row), c->text);
        pb_data_add(d, split, pb_table_get(t, row, text), class, pb_table_line(t, row));
    }
    return 0;
}

static int take_file(pb_data *d, const conf *c, pb_split split, const char *file)
{
    if (!*file)
        return 0;
    char *path = pb_data_find(file);
    pb_table *t = path ? pb_table_open(path, *c->format ? c->format : NULL, *c->columns ? c->columns : NULL) : NULL;
    free(path);
    if (!t)
        return -1;
    int text = pb_table_column(t, c->text), label = pb_table_column(t, c->label);
    int rc = text < 0 || label < 0 ? -1 : take_rows(d, c, split, t, text, label);
    pb_table_close(t);
    return rc;
}

static int load(pb_data *d, const void *settings)
{
    const conf *c = settings;
    char key[64], name[64];
    for (int i = 0; class_entry(c->classes, i, key, name); i++)
        pb_data_class(d, name);
    if (pb_data_template(d, c->template))
        return -1;
    if (!*c->train)
        return pb_error("%s: train: want a file, got nothing", d->name);
    if (take_file(d, c, PB_TRAIN, c->train) || take_file(d, c, PB_VALIDATION, c->validation) ||
        take_file(d, c, PB_TEST, c->test))
        return -1;
    if (!*c->validation || !*c->test)
        pb_data_draw(d, *c->validation ? 0 : c->validation_share, *c->test ? 0 : c->test_share,
                     (uint64_t)c->split_seed);
    if (c->overlap == DROP)
        pb_data_drop_overlap(d);
    pb_data_keep(d, PB_TRAIN, c->train_limit, (uint64_t)c->split_seed);
    pb_data_keep(d, PB_VALIDATION, c->score_limit, (uint64_t)c->split_seed);
    pb_data_keep(d, PB_TEST, c->score_limit, (uint64_t)c->split_seed);
    return 0;
}

/* ---- scoring ------------------------------------------------------------------------------- */

/* What the training set's most frequent class gets on the test split. */
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

static double none(const pb_data *d)
{
    (void)d;
    return 0;
}

/* Counts of class c: right, said, and true. */
static void count_class(int n, const pb_prediction *p, int c, double count[3])
{
    memset(count, 0, 3 * sizeof *count);
    for (int i = 0; i < n; i++) {
        count[0] += p[i].label == c && p[i].predicted == c;
        count[1] += p[i].predicted == c;
        count[2] += p[i].label == c;
    }
}

/* accuracy; F1 = 2 right / (said + true), mean over the classes that occur (as scikit-learn);
 * MCC of several classes (Gorodkin 2004). */
static void score(const pb_data *d, pb_split split, const pb_prediction *p, double *values, pb_result *keep)
{
    (void)keep; /* predictions are enough */
    int n = d->split[split].count;
    double right = 0, f1 = 0, said_true = 0, said2 = 0, true2 = 0, seen = 0, count[3];
    for (int c = 0; c < d->classes; c++) {
        count_class(n, p, c, count);
        right += count[0];
        f1 += count[1] + count[2] > 0 ? 2 * count[0] / (count[1] + count[2]) : 0;
        seen += count[1] + count[2] > 0;
        said_true += count[1] * count[2];
        said2 += count[1] * count[1];
        true2 += count[2] * count[2];
    }
    double total = n, spread = sqrt((total * total - said2) * (total * total - true2));
    values[0] = n ? right / total : 0;
    values[1] = seen > 0 ? f1 / seen : 0;
    values[2] = spread > 0 ? (right * total - said_true) / spread : 0;
}

static const pb_metric_info metrics[] = {
    {"accuracy", true, majority_share},
    {"macro_f1", true, none},
    {"mcc", true, none},
    {0},
};

const pb_task pb_task_classify = {
    .name = "classify",
    .help = "Texts into classes: TSV, CSV or JSON Lines with named columns.",
    .options = options,
    .conf_size = sizeof(conf),
    .load = load,
    .version = 1,
    .metrics = metrics,
    .score = score,
};
