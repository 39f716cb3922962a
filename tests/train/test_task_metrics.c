/* The metrics of a task's predictions against scikit-learn and SciPy (tests/parity/make_task_metrics.py,
 * make_regression.py, make_labels.py), and the choice of the primary one. */
#include "test.h"

#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "train/task.h"

/* The predictions of a line of the golden file; the caller frees them. */
static pb_prediction *read_predictions(const pb_json *line, int *n)
{
    const pb_json *label = pb_json_get(line, "label"), *predicted = pb_json_get(line, "predicted");
    *n = (int)pb_json_size(label);
    pb_prediction *p = pb_alloc((size_t)(*n + 1) * sizeof *p);
    for (int i = 0; i < *n; i++)
        p[i] = (pb_prediction){.example = i,
                               .label = (int)pb_json_integer(pb_json_at(label, (size_t)i), -1),
                               .predicted = (int)pb_json_integer(pb_json_at(predicted, (size_t)i), -1)};
    return p;
}

static void compare(const pb_task *task, const pb_json *line, int number)
{
    int n, compared = 0;
    pb_prediction *p = read_predictions(line, &n);
    const pb_scoring s = {(int)pb_json_integer(pb_json_get(line, "classes"), 0),
                          (int)pb_json_integer(pb_json_get(line, "positive"), -1)};
    for (const pb_metric_info *m = task->metrics; m->name; m++) {
        double want = pb_json_number(pb_json_get(line, m->name), NAN), got = pb_metric_of(m, &s, n, p);
        if (!CHECK_NEAR(got, want, 1e-12))
            printf("    %s, line %d\n", m->name, number);
        CHECK(got >= m->least && got <= m->most);
        compared++;
    }
    CHECK_INT(compared, 5);
    free(p);
}

TEST(metrics_of_classes_are_those_of_scikit_learn)
{
    char *text = pb_read_file("tests/golden/metrics/classes.jsonl", NULL), *rest = text, *line;
    int lines = 0;
    while (CHECK(text != NULL) && (line = strsep(&rest, "\n")) && *line) {
        pb_json_doc *f = pb_json_parse("classes.jsonl", line, strlen(line));
        if (CHECK(f != NULL))
            compare(pb_task_find("classify"), pb_json_root(f), ++lines);
        pb_json_free(f);
    }
    CHECK_INT(lines, 10);
    free(text);
}

/* SciPy has no correlation where all numbers of one kind are equal (null); it counts as 0, that of a guess. */
static int compare_numbers(const pb_json *line, int number)
{
    static const pb_scoring none = {.positive = -1};
    const pb_json *target = pb_json_get(line, "target"), *value = pb_json_get(line, "value");
    int n = (int)pb_json_size(target), constant = 0;
    pb_prediction *p = pb_alloc((size_t)(n + 1) * sizeof *p);
    for (int i = 0; i < n; i++)
        p[i] = (pb_prediction){.number = true,
                               .target = pb_json_number(pb_json_at(target, (size_t)i), NAN),
                               .value = pb_json_number(pb_json_at(value, (size_t)i), NAN)};
    for (const pb_metric_info *m = pb_task_find("regression")->metrics; m->name; m++) {
        const pb_json *known = pb_json_get(line, m->name);
        double want = pb_json_is_null(known) ? 0 : pb_json_number(known, NAN);
        constant += pb_json_is_null(known);
        if (!CHECK_NEAR(pb_metric_of(m, &none, n, p), want, 1e-9))
            printf("    %s, line %d\n", m->name, number);
    }
    free(p);
    return constant;
}

TEST(metrics_of_numbers_are_those_of_scipy)
{
    char *text = pb_read_file("tests/golden/regression/numbers.jsonl", NULL), *rest = text, *line;
    int lines = 0, constant = 0;
    while (CHECK(text != NULL) && (line = strsep(&rest, "\n")) && *line) {
        pb_json_doc *f = pb_json_parse("numbers.jsonl", line, strlen(line));
        if (CHECK(f != NULL))
            constant += compare_numbers(pb_json_root(f), ++lines);
        pb_json_free(f);
    }
    CHECK_INT(lines, 9);
    CHECK_INT(constant, 4); /* both correlations of two lines */
    free(text);
}

TEST(numbers_that_are_none_stay_visible)
{
    const pb_prediction p[] = {{.target = 1, .value = NAN}, {.target = 2, .value = 1}, {.target = 3, .value = 2}};
    for (const pb_metric_info *m = pb_task_find("regression")->metrics; m->name; m++)
        if (!CHECK(isnan(pb_metric_of(m, &(pb_scoring){.positive = -1}, 3, p))))
            printf("    %s\n", m->name);
}

/* The predictions of a line of sets of labels; the caller frees them and their lists. */
static pb_prediction *read_sets(const pb_json *line, int *n, int *classes)
{
    const pb_json *label = pb_json_get(line, "label"), *probability = pb_json_get(line, "probability");
    *n = (int)pb_json_size(label);
    *classes = (int)pb_json_size(pb_json_at(label, 0));
    pb_prediction *p = pb_alloc((size_t)(*n + 1) * sizeof *p);
    for (int i = 0; i < *n; i++) {
        p[i] = (pb_prediction){.example = i, .label_set = pb_alloc(2 * (size_t)*classes * sizeof(double))};
        for (int c = 0; c < *classes; c++) {
            size_t at = (size_t)c;
            p[i].label_set[c] = pb_json_number(pb_json_at(pb_json_at(label, (size_t)i), at), NAN);
            p[i].label_set[*classes + c] = pb_json_number(pb_json_at(pb_json_at(probability, (size_t)i), at), NAN);
        }
    }
    return p;
}

/* A metric of n sets without set `left`, if it is one of them. */
static double metric_without(const pb_metric_info *m, const pb_scoring *s, int n, const pb_prediction *p, int left)
{
    pb_prediction *rest = pb_alloc((size_t)(n + 1) * sizeof *rest);
    int count = 0;
    for (int i = 0; i < n; i++)
        if (i != left)
            rest[count++] = p[i];
    double value = pb_metric_of(m, s, count, rest);
    free(rest);
    return value;
}

/* The statistics of average precision are its jackknife pseudo-values, but for a constant. */
static void check_pseudo_values(const pb_scoring *s, int n, const pb_prediction *p)
{
    const pb_metric_info *m = pb_task_metric(pb_task_find("multilabel"), "map");
    double x[64], all = pb_metric_of(m, s, n, p), shift = 0;
    m->gather(s, n, p, x);
    for (int i = 0; i < n; i++) {
        double pseudo = n * all - (n - 1) * metric_without(m, s, n, p, i);
        shift = i ? shift : x[0] - pseudo;
        CHECK(fabs(x[i] - pseudo - shift) < 1e-9);
    }
}

static void compare_sets(const pb_json *line, int number)
{
    int n, classes, compared = 0;
    pb_prediction *p = read_sets(line, &n, &classes);
    const pb_scoring s = {.classes = classes, .positive = -1};
    for (const pb_metric_info *m = pb_task_find("multilabel")->metrics; m->name; m++, compared++) {
        double want = pb_json_number(pb_json_get(line, m->name), NAN), got = pb_metric_of(m, &s, n, p);
        if (!CHECK_NEAR(got, want, 1e-12))
            printf("    %s, line %d\n", m->name, number);
    }
    CHECK_INT(compared, 6);
    check_pseudo_values(&s, n, p);
    for (int i = 0; i < n; i++)
        pb_prediction_free(&p[i]);
    free(p);
}

TEST(metrics_of_sets_of_labels_are_those_of_scikit_learn)
{
    char *text = pb_read_file("tests/golden/labels/metrics.jsonl", NULL), *rest = text, *line;
    int lines = 0;
    while (CHECK(text != NULL) && (line = strsep(&rest, "\n")) && *line) {
        pb_json_doc *f = pb_json_parse("metrics.jsonl", line, strlen(line));
        if (CHECK(f != NULL))
            compare_sets(pb_json_root(f), ++lines);
        pb_json_free(f);
    }
    CHECK_INT(lines, 9);
    free(text);
}

TEST(a_probability_that_is_none_stays_visible_in_average_precision)
{
    double a[] = {1, 0, NAN, 0.5}, b[] = {0, 1, 0.2, 0.5};
    const pb_prediction p[] = {{.label_set = a}, {.label_set = b}};
    const pb_metric_info *m = pb_task_metric(pb_task_find("multilabel"), "map");
    CHECK(isnan(pb_metric_of(m, &(pb_scoring){.classes = 2, .positive = -1}, 2, p)));
}

TEST(f1_is_not_computed_without_a_class)
{
    const pb_metric_info *f1 = pb_task_metric(pb_task_find("classify"), "f1");
    const pb_prediction p = {.label = 1, .predicted = 1};
    CHECK(isnan(pb_metric_of(f1, &(pb_scoring){.classes = 2, .positive = -1}, 1, &p)));
    CHECK_NEAR(pb_metric_of(f1, &(pb_scoring){.classes = 2, .positive = 1}, 1, &p), 1, 0);
}

TEST(the_primary_metric_is_the_first_or_that_of_the_setting)
{
    const pb_task *task = pb_task_find("classify");
    void *conf = pb_alloc(task->conf_size);
    pb_option_defaults(task->options, conf);
    CHECK_TEXT(pb_task_primary(task, conf)->name, "accuracy");
    CHECK(!pb_option_set(task->options, conf, "metric", "mcc"));
    CHECK_TEXT(pb_task_primary(task, conf)->name, "mcc");
    CHECK(!pb_option_set(task->options, conf, "metric", "bleu"));
    CHECK(!pb_task_primary(task, conf));
    CHECK_TEXT(pb_error_text(), "no metric 'bleu'; want one of accuracy, macro_f1, weighted_f1, mcc, f1");
    pb_error_clear();
    pb_option_release(task->options, conf);
    free(conf);
    CHECK_TEXT(pb_task_metric(pb_task_find("generate"), "")->name, "bleu");
}
