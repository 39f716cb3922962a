/* task_metrics: the metrics of a task, and which of them is primary; see task.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/task.h"

const pb_metric_info *pb_task_metric(const pb_task *t, const char *name)
{
    const char *names[64] = {0};
    pb_text known = {0};
    size_t n = 0;
    for (const pb_metric_info *m = t->metrics; m->name; m++) {
        if (!*name || !strcmp(m->name, name)) {
            pb_text_free(&known);
            return m;
        }
        pb_text_add(&known, "%s%s", m == t->metrics ? "" : ", ", m->name);
        if (n + 1 < PB_COUNT(names))
            names[n++] = m->name;
    }
    char *near = pb_did_you_mean(name, names);
    pb_error("no metric '%s'%s want one of %s", name, *near ? near : ";", known.data);
    pb_text_free(&known);
    free(near);
    return NULL;
}

const pb_metric_info *pb_task_primary(const pb_task *t, const void *conf)
{
    const pb_option *o = pb_option_find(t->options, "metric");
    pb_text name = {0};
    if (o)
        pb_option_print(o, conf, &name);
    const pb_metric_info *m = pb_task_metric(t, name.data ? name.data : "");
    pb_text_free(&name);
    return m;
}

const pb_metric_info *pb_data_primary(const pb_data *d, const pb_task *t)
{
    return &t->metrics[d->primary];
}

double pb_metric_of(const pb_metric_info *m, const pb_scoring *s, int n, const pb_prediction *p)
{
    int stats = m->stats(s);
    double *x = pb_alloc((size_t)(n + 1) * (size_t)stats * sizeof *x), *sums = x + (size_t)n * (size_t)stats;
    m->gather(s, n, p, x);
    for (int i = 0; i < n * stats; i++)
        sums[i % stats] += x[i];
    double value = !n ? 0 : m->value ? m->value(s, sums, n) : sums[0] / n;
    free(x);
    return value;
}

double pb_chance_zero(const pb_data *d)
{
    (void)d;
    return 0;
}
