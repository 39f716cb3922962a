/* result: growing lists of the measurements of a cell; see result.h. */
#include "train/result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/value_keys.h"

const char *const pb_label_statistic[] = {"label", "probability"};

void pb_result_init(pb_result *r)
{
    *r = (pb_result){.status = "done"};
}

void pb_result_free(pb_result *r)
{
    for (size_t i = 0; i < r->predictions; i++)
        pb_prediction_free(&r->prediction[i]);
    for (size_t i = 0; i < r->statistics; i++)
        free(r->statistic[i].x);
    for (size_t i = 0; i < r->series_count; i++)
        free(r->series[i].x);
    for (size_t i = 0; i < r->fingerprints; i++)
        free(r->fingerprint[i].print);
    for (int i = 0; i < r->tensors; i++)
        free(r->tensor[i]);
    free(r->series);
    free(r->fingerprint);
    free(r->tensor);
    free(r->statistic);
    free(r->value);
    free(r->prediction);
    free(r->sample);
    pb_result_init(r);
}

void pb_result_put(pb_result *r, int split, int step, double value, const char *key, ...)
{
    pb_grow(&r->value, r->values, &r->values_capacity, sizeof *r->value);
    pb_result_value *v = &r->value[r->values++];
    *v = (pb_result_value){.split = split, .step = step, .value = value};
    va_list args;
    va_start(args, key);
    vsnprintf(v->key, sizeof v->key, key, args);
    va_end(args);
    if (!pb_value_key_may_be_stored(v->key, step >= 0))
        PB_BUG("src/train/value_keys.c does not have the key '%s'", v->key);
}

void pb_result_predict(pb_result *r, const pb_prediction *p)
{
    pb_grow(&r->prediction, r->predictions, &r->predictions_capacity, sizeof *p);
    r->prediction[r->predictions++] = *p;
}

void pb_result_statistic(pb_result *r, pb_split split, int example, const char *metric, int count, const double *x)
{
    pb_grow(&r->statistic, r->statistics, &r->statistics_capacity, sizeof *r->statistic);
    pb_statistic *s = &r->statistic[r->statistics++];
    *s = (pb_statistic){.split = split, .example = example, .metric = metric, .count = count};
    s->x = pb_alloc((size_t)count * sizeof *s->x);
    memcpy(s->x, x, (size_t)count * sizeof *s->x);
}

void pb_result_series(pb_result *r, int step, const char *name, int count, const double *x)
{
    pb_grow(&r->series, r->series_count, &r->series_capacity, sizeof *r->series);
    pb_series *s = &r->series[r->series_count++];
    *s = (pb_series){.step = step, .count = count, .x = pb_alloc((size_t)(count + 1) * sizeof *s->x)};
    snprintf(s->name, sizeof s->name, "%s", name);
    memcpy(s->x, x, (size_t)count * sizeof *s->x);
}

void pb_result_fingerprint(pb_result *r, int step, const pb_tensor_fingerprint *x)
{
    pb_grow(&r->fingerprint, r->fingerprints, &r->fingerprints_capacity, sizeof *r->fingerprint);
    pb_fingerprint *f = &r->fingerprint[r->fingerprints++];
    *f = (pb_fingerprint){.step = step, .print = pb_alloc((size_t)(r->tensors + 1) * sizeof *f->print)};
    if (r->tensors)
        memcpy(f->print, x, (size_t)r->tensors * sizeof *f->print);
}

const pb_series *pb_result_find(const pb_result *r, int step, const char *name)
{
    for (size_t i = 0; i < r->series_count; i++)
        if (r->series[i].step == step && !strcmp(r->series[i].name, name))
            return &r->series[i];
    return NULL;
}

void pb_result_sample(pb_result *r, int round, double seconds, const char *key)
{
    pb_grow(&r->sample, r->samples, &r->samples_capacity, sizeof *r->sample);
    pb_sample *s = &r->sample[r->samples++];
    *s = (pb_sample){.round = round, .seconds = seconds};
    snprintf(s->key, sizeof s->key, "%s", key);
}

double pb_result_at(const pb_result *r, int split, int step, const char *key)
{
    for (size_t i = r->values; i-- > 0;)
        if (r->value[i].split == split && r->value[i].step == step && !strcmp(r->value[i].key, key))
            return r->value[i].value;
    return NAN;
}

double pb_result_get(const pb_result *r, int split, const char *key)
{
    return pb_result_at(r, split, -1, key);
}
