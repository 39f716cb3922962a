/* scores: see scores.h. */
#include "report/scores.h"

#include <math.h>
#include <stdlib.h>

static int read_run(pb_store *store, long long run, pb_split split, const pb_scores *s, double *x)
{
    int seen;
    int rc = s->metric ? pb_store_statistics(store, run, split, s->metric->name, s->examples, s->stats, x, &seen)
                       : pb_store_correct(store, run, split, s->examples, x, &seen);
    if (!rc && seen != s->examples)
        rc = pb_error("run %lld has %d predictions on %s; want %d", run, seen, pb_split_name[split], s->examples);
    return rc;
}

int pb_scores_read(pb_store *store, const pb_task *task, const long long *run, int n, pb_split split, pb_scores *out)
{
    *out = (pb_scores){.seeds = n, .stats = 1};
    if (task->texts) {
        out->metric = pb_text_metric_find(task->metrics[0].name);
        out->stats = out->metric->stats;
    }
    int rc = n ? pb_store_count_predictions(store, run[0], split, out->metric != NULL, &out->examples) : 0;
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
