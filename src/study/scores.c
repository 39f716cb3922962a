/* scores: see scores.h. */
#include "study/scores.h"

#include <math.h>
#include <stdlib.h>

typedef struct reader {
    double *x; /* [examples, stats] of one run */
    int examples, stats, seen;
} reader;

static int count_row(void *ctx, int columns, const char *const *value)
{
    (void)columns;
    *(int *)ctx = atoi(value[0]);
    return 0;
}

static int take_right(void *ctx, int columns, const char *const *value)
{
    (void)columns;
    reader *r = ctx;
    int example = atoi(value[0]);
    if (example < 0 || example >= r->examples)
        return pb_error("a prediction of example %d, want 0..%d", example, r->examples - 1);
    r->x[example] = atof(value[1]);
    r->seen++;
    return 0;
}

/* "[1,2,3]" */
static int take_numbers(void *ctx, int columns, const char *const *value)
{
    (void)columns;
    reader *r = ctx;
    int example = atoi(value[0]);
    if (example < 0 || example >= r->examples)
        return pb_error("statistics of example %d, want 0..%d", example, r->examples - 1);
    char *at = (char *)(uintptr_t)value[1] + 1;
    for (int i = 0; i < r->stats; i++, at += *at == ',')
        r->x[example * r->stats + i] = strtod(at, &at);
    r->seen++;
    return 0;
}

static int count_examples(pb_store *store, const char *id, const char *split, const pb_scores *s, int *count)
{
    const char *args[] = {id, split, NULL};
    return pb_store_query(store,
                          s->metric ? "SELECT count(*) FROM answer WHERE run = CAST(?1 AS INTEGER) AND split = ?2"
                                    : "SELECT count(*) FROM prediction WHERE run = CAST(?1 AS INTEGER) AND split = ?2",
                          args, count_row, count);
}

static int read_run(pb_store *store, const char *id, const char *split, const pb_scores *s, double *x)
{
    reader r = {.x = x, .examples = s->examples, .stats = s->stats};
    const char *args[] = {id, split, s->metric ? s->metric->name : NULL, NULL};
    int rc = pb_store_query(store,
                            s->metric ? "SELECT example, numbers FROM statistic WHERE run = CAST(?1 AS INTEGER)"
                                        " AND split = ?2 AND metric = ?3"
                                      : "SELECT example, label = predicted FROM prediction"
                                        " WHERE run = CAST(?1 AS INTEGER) AND split = ?2",
                            args, s->metric ? take_numbers : take_right, &r);
    if (!rc && r.seen != s->examples)
        rc = pb_error("run %s has %d predictions of %s, want %d", id, r.seen, split, s->examples);
    return rc;
}

int pb_scores_read(pb_store *store, const pb_task *task, const long long *run, int n, pb_split split, pb_scores *out)
{
    *out = (pb_scores){.seeds = n, .stats = 1};
    if (task->texts) {
        out->metric = pb_text_metric_find(task->metrics[0].name);
        out->stats = out->metric->stats;
    }
    int rc = 0;
    for (int i = 0; i < n && !rc; i++) {
        char *id = pb_format("%lld", run[i]);
        if (i == 0) {
            rc = count_examples(store, id, pb_split_name[split], out, &out->examples);
            out->x = pb_alloc((size_t)n * (size_t)out->examples * (size_t)out->stats * sizeof *out->x + 1);
        }
        if (!rc)
            rc = read_run(store, id, pb_split_name[split], out,
                          out->x + (size_t)i * (size_t)out->examples * (size_t)out->stats);
        free(id);
    }
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
    return s->metric ? s->metric->value(sums) : sums[0] / count;
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
                        .value = s->metric ? value_of : NULL,
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

double pb_score_point(double score)
{
    return score > 1 ? 1 : 0.01;
}
