/* scores: see scores.h. */
#include "report/scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- predictions ---------------------------------------------------------------------------------------------- */

/* Sets the lists of sets of labels of the predictions [examples], which the caller frees.  *seen receives how many
 * examples have both lists. */
static int read_label_sets(pb_store *store, long long run, pb_split split, const pb_scores *s, pb_prediction *p,
                           int *seen)
{
    size_t classes = (size_t)s->scoring.classes, n = (size_t)s->examples;
    double *x = pb_alloc((n * classes + 1) * sizeof *x);
    int rc = 0, count[PB_LABEL_STATISTICS];
    for (size_t i = 0; i < n; i++)
        p[i] = (pb_prediction){.example = (int)i, .label_set = pb_alloc(2 * (classes + 1) * sizeof *x)};
    for (int k = 0; k < PB_LABEL_STATISTICS && !rc; k++) {
        rc = pb_store_statistics(store, run, split, pb_label_statistic[k], s->examples, (int)classes, x, &count[k]);
        for (size_t i = 0; i < n && !rc; i++)
            memcpy(p[i].label_set + (size_t)k * classes, x + i * classes, classes * sizeof *x);
    }
    *seen = rc ? 0 : count[0] < count[1] ? count[0] : count[1];
    free(x);
    return rc;
}

/* The predictions of a run on a split while they are read. */
typedef struct reading {
    pb_prediction *prediction; /* [examples] */
    int examples, seen;
    long long run;
} reading;

static int take_prediction(void *ctx, const pb_stored_prediction *p)
{
    reading *r = ctx;
    if (p->example < 0 || p->example >= r->examples)
        return pb_error("run %lld has a prediction of example %d; want 0..%d", r->run, p->example, r->examples - 1);
    r->prediction[p->example] = (pb_prediction){
        .example = p->example, .label = p->label, .predicted = p->predicted, .target = p->target, .value = p->value};
    r->seen++;
    return 0;
}

static int gather(pb_store *store, long long run, pb_split split, const pb_scores *s, double *x, int *seen)
{
    reading r = {
        .prediction = pb_alloc((size_t)(s->examples + 1) * sizeof *r.prediction), .examples = s->examples, .run = run};
    int rc = s->of_sets ? read_label_sets(store, run, split, s, r.prediction, &r.seen)
                        : pb_store_predictions(store, run, split, take_prediction, &r);
    if (!rc)
        s->metric->gather(&s->scoring, s->examples, r.prediction, x);
    *seen = r.seen;
    for (int i = 0; i < s->examples; i++)
        pb_prediction_free(&r.prediction[i]);
    free(r.prediction);
    return rc;
}

static int read_run(pb_store *store, long long run, pb_split split, const pb_scores *s, double *x)
{
    int seen;
    int rc = s->stored ? pb_store_statistics(store, run, split, s->metric->name, s->examples, s->stats, x, &seen)
                       : gather(store, run, split, s, x, &seen);
    if (!rc && seen != s->examples)
        rc = pb_error("run %lld has %d predictions on %s; want %d", run, seen, pb_split_name[split], s->examples);
    return rc;
}

/* ---- what the metric depends on --------------------------------------------------------------------------------- */

/* Finds the class that f1 is about among the classes of a run. */
typedef struct finding {
    pb_scoring scoring;
    char *positive; /* its name */
} finding;

static int take_setting(void *ctx, const char *key, const char *value)
{
    finding *f = ctx;
    if (!strcmp(key, "task.positive") && !f->positive)
        f->positive = pb_strdup(value);
    return 0;
}

static int take_class(void *ctx, int label, const char *name)
{
    finding *f = ctx;
    f->scoring.classes = label >= f->scoring.classes ? label + 1 : f->scoring.classes;
    if (f->positive && !strcmp(f->positive, name))
        f->scoring.positive = label;
    return 0;
}

static int find_scoring(pb_store *store, long long run, const pb_metric_info *metric, bool of_sets, pb_scoring *out)
{
    finding f = {.scoring = {.positive = -1}};
    int rc = pb_store_settings(store, &run, 1, take_setting, &f);
    rc = rc || pb_store_classes(store, run, take_class, &f) ? -1 : 0;
    if (!rc && (metric->value || of_sets) && !f.scoring.classes)
        rc = pb_error("the classes of run %lld were not recorded, without which there is no %s; want a run of a later "
                      "version of peftbench",
                      run, metric->name);
    *out = f.scoring;
    free(f.positive);
    return rc;
}

int pb_scores_read(pb_store *store, const pb_task *task, const pb_metric_info *metric, const long long *run, int n,
                   pb_split split, pb_scores *out)
{
    *out = (pb_scores){.seeds = n, .stats = 1, .metric = metric, .stored = task->score != NULL};
    out->of_sets = task->answer_kind == PB_ANSWER_LABELS;
    int rc = n ? pb_store_count_predictions(store, run[0], split, &out->examples) : 0;
    if (task->answer_kind == PB_ANSWER_TEXT) {
        out->of_texts = pb_text_metric_find(metric->name);
        out->stats = out->of_texts->stats;
    } else if (!rc && out->examples) {
        rc = find_scoring(store, run[0], metric, out->of_sets, &out->scoring);
        out->stats = rc ? 1 : metric->stats(&out->scoring);
    }
    size_t size = (size_t)out->examples * (size_t)out->stats;
    out->x = pb_alloc((size_t)n * size * sizeof *out->x + 1);
    for (int i = 0; i < n && !rc; i++)
        rc = read_run(store, run[i], split, out, out->x + (size_t)i * size);
    if (rc)
        pb_scores_free(out);
    return rc ? -1 : 0;
}

void pb_scores_free(pb_scores *s)
{
    free(s->x);
    s->x = NULL;
}

double pb_scores_value(const pb_scores *s, const double *sums, double count)
{
    if (s->of_texts)
        return s->of_texts->value(sums);
    return s->metric && s->metric->value ? s->metric->value(&s->scoring, sums, count) : sums[0] / count;
}

bool pb_scores_is_mean(const pb_scores *s)
{
    return !s->of_texts && !(s->metric && s->metric->value);
}

static double value_of(const double *sums, double count, const void *ctx)
{
    return pb_scores_value(ctx, sums, count);
}

pb_crossed pb_scores_crossed(const pb_scores *s)
{
    return (pb_crossed){.seeds = s->seeds,
                        .examples = s->examples,
                        .stats = s->stats,
                        .x = s->x,
                        .value = pb_scores_is_mean(s) ? NULL : value_of,
                        .ctx = s};
}

pb_interval pb_score_within(const pb_metric_info *metric, bool pair, pb_interval v)
{
    double least = pair ? metric->least - metric->most : metric->least;
    double most = pair ? metric->most - metric->least : metric->most;
    if (!(v.low < v.high))
        v.low = v.high = NAN;
    if (least == most || isnan(v.low))
        return v;
    v.low = fmax(v.low, least);
    v.high = fmin(v.high, most);
    return v;
}

double pb_score_point(const pb_metric_info *metric, double score)
{
    if (metric->least == metric->most)
        return fabs(score) / 100;
    return score > 1 ? 1 : 0.01;
}
