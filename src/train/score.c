/* score: see score.h. */
#include "train/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/decode.h"

/* ---- classes ------------------------------------------------------------------------------------------------ */

/* The class with the highest of the scores [classes], and its softmax. */
static void choose(const double *score, int classes, pb_prediction *p)
{
    double sum = 0;
    p->predicted = 0;
    for (int c = 1; c < classes; c++)
        p->predicted = score[c] > score[p->predicted] ? c : p->predicted;
    for (int c = 0; c < classes; c++)
        sum += exp(score[c] - score[p->predicted]);
    p->probability = (float)(1 / sum);
}

/* log of the mean probability of each class behind texts without content; zeros where not calibrated. */
static int measure_blanks(pb_runner *r, double *blank)
{
    const pb_encoded *f = r->form;
    int classes = f->data->classes;
    if (f->reading != PB_BY_WORDS || !f->calibrate)
        return 0;
    if (pb_runner_content_free(r))
        return -1;
    double *score = pb_alloc((size_t)(PB_CONTENT_FREE * classes) * sizeof *score);
    pb_encoded_scores(f, pb_graph_output(r->graph), PB_CONTENT_FREE, score);
    for (int i = 0; i < PB_CONTENT_FREE; i++) {
        double sum = 0;
        for (int c = 0; c < classes; c++)
            sum += exp(score[i * classes + c]);
        for (int c = 0; c < classes; c++)
            blank[c] += exp(score[i * classes + c]) / sum / PB_CONTENT_FREE;
    }
    for (int c = 0; c < classes; c++)
        blank[c] = log(blank[c]);
    free(score);
    return 0;
}

/* Scores of the n items that the runner has just read: [n,classes]. */
static void read_scores(const pb_runner *r, int n, const double *blank, double *score)
{
    const pb_node *logits = pb_graph_output(r->graph);
    int classes = r->form->data->classes;
    if (r->form->reading == PB_BY_WORDS)
        pb_encoded_scores(r->form, logits, n, score);
    else
        for (int i = 0; i < n * classes; i++)
            score[i] = (double)logits->x[i];
    for (int i = 0; i < n * classes; i++)
        score[i] -= blank[i % classes];
}

static int *count_up(int n)
{
    int *list = pb_alloc((size_t)(n + 1) * sizeof *list);
    for (int i = 0; i < n; i++)
        list[i] = i;
    return list;
}

/* Scores of the first `count` items of a split: [count,classes]. */
static int score_items(pb_runner *r, pb_split split, int batch, int count, double *score)
{
    int classes = r->form->data->classes, *item = count_up(count);
    double *blank = pb_alloc((size_t)classes * sizeof *blank);
    int rc = measure_blanks(r, blank);
    for (int from = 0; from < count && !rc; from += batch) {
        int n = count - from < batch ? count - from : batch;
        rc = pb_runner_run(r, split, item + from, n, false, 0, 0);
        if (!rc)
            read_scores(r, n, blank, score + from * classes);
    }
    free(blank);
    free(item);
    return rc;
}

/* Predicts the split into `list` [examples]. */
static int classify_split(pb_runner *r, pb_split split, int batch, pb_prediction *list)
{
    int count = r->form->data->split[split].count, classes = r->form->data->classes;
    double *score = pb_alloc((size_t)(count * classes + 1) * sizeof *score);
    int rc = score_items(r, split, batch, count, score);
    for (int i = 0; i < count && !rc; i++)
        choose(score + i * classes, classes, &list[i]);
    free(score);
    return rc;
}

/* ---- texts -------------------------------------------------------------------------------------------------- */

/* Blanks around an answer are not a part of it. */
static char *trimmed(const char *text)
{
    text += strspn(text, " \t\n");
    size_t n = strlen(text);
    while (n && strchr(" \t\n", text[n - 1]))
        n--;
    return pb_format("%.*s", (int)n, text);
}

static char *answer_of(const pb_encoded *f, const pb_model *m, const pb_continuation *c)
{
    pb_text text = {0};
    pb_continuation_text(m, f->decoding, c, &text);
    char *answer = trimmed(text.data ? text.data : "");
    pb_text_free(&text);
    return answer;
}

/* Goes on behind each text of the split. */
static int write_split(pb_runner *r, pb_split split, pb_prediction *list)
{
    const pb_encoded *f = r->form;
    int n = f->data->split[split].count;
    pb_ids *read = pb_alloc((size_t)(n + 1) * sizeof *read);
    pb_continuation *said = pb_alloc((size_t)(n + 1) * sizeof *said);
    for (int i = 0; i < n; i++)
        read[i] = pb_encoded_input(f, split, i);
    int rc = pb_decode(r->model, f->decoding, n, read, said);
    for (int i = 0; i < n; i++) {
        list[i].text = rc ? NULL : answer_of(f, r->model, &said[i]);
        pb_ids_free(&said[i].ids);
        pb_ids_free(&read[i]);
    }
    free(read);
    free(said);
    return rc;
}

/* log P of every token of the right answers of the first `count` items of a split, one after the other: *x [n], the
 * caller's. */
static int answer_shares(pb_runner *r, pb_split split, int batch, int count, double **x, int *n)
{
    const pb_encoded *f = r->form;
    int *item = count_up(count), rc = 0;
    size_t capacity = 0;
    *x = NULL;
    *n = 0;
    for (int from = 0; from < count && !rc; from += batch) {
        int size = count - from < batch ? count - from : batch;
        rc = pb_runner_run(r, split, item + from, size, false, 0, 0);
        for (int i = from, row = 0; i < from + size && !rc; i++)
            for (size_t k = 0; k < f->answer[split][i].count; k++) {
                pb_grow(x, (size_t)*n, &capacity, sizeof **x);
                (*x)[(*n)++] = pb_log_probability(pb_graph_output(r->graph), row++, f->answer[split][i].id[k]);
            }
    }
    free(item);
    return rc;
}

/* accuracy.<split>.perplexity of a token, .bits_per_byte; both count the end of each answer. */
static int put_surprise(pb_runner *r, pb_split split, int batch, int step, pb_result *out)
{
    double *share, nats = 0, bytes = 0;
    int count = r->form->items[split], tokens;
    if (answer_shares(r, split, batch, count, &share, &tokens)) {
        free(share);
        return -1;
    }
    for (int i = 0; i < tokens; i++)
        nats -= share[i];
    for (int i = 0; i < count; i++) {
        const pb_item *it = &r->form->item[split][i];
        bytes += (double)strlen(r->form->data->split[split].example[it->example].answer[it->answer]);
    }
    free(share);
    pb_result_put(out, split, step, exp(nats / tokens), "accuracy.%s.perplexity", pb_split_name[split]);
    pb_result_put(out, split, step, nats / bytes / log(2), "accuracy.%s.bits_per_byte", pb_split_name[split]);
    return 0;
}

/* ---- both --------------------------------------------------------------------------------------------------- */

static void put_metrics(const pb_data *d, const pb_task *task, pb_split split, int step, const pb_prediction *list,
                        pb_result *out)
{
    int metrics = 0;
    while (task->metrics[metrics].name)
        metrics++;
    double *value = pb_alloc((size_t)metrics * sizeof *value);
    task->score(d, split, list, value, step < 0 ? out : NULL);
    for (int i = 0; i < metrics; i++)
        pb_result_put(out, split, step, value[i], "accuracy.%s.%s", pb_split_name[split], task->metrics[i].name);
    free(value);
}

static int predict(pb_runner *r, pb_split split, int batch, pb_prediction *list)
{
    const pb_data *d = r->form->data;
    for (int i = 0; i < d->split[split].count; i++)
        list[i] = (pb_prediction){.split = split, .example = i, .label = d->split[split].example[i].label};
    return d->classes ? classify_split(r, split, batch, list) : write_split(r, split, list);
}

int pb_predict(pb_model *m, const pb_encoded *f, pb_split split, int batch, pb_prediction *list)
{
    pb_runner r = pb_runner_start(m, f, false);
    int rc = predict(&r, split, batch, list);
    pb_runner_stop(&r);
    return rc;
}

/* Metrics at `step`; for the whole run (-1) the predictions too. */
static int score_answers(pb_runner *r, const pb_task *task, pb_split split, int batch, int step, pb_result *out)
{
    const pb_data *d = r->form->data;
    int n = d->split[split].count;
    pb_prediction *list = pb_alloc((size_t)(n + 1) * sizeof *list);
    int rc = predict(r, split, batch, list);
    if (!rc)
        put_metrics(d, task, split, step, list, out);
    for (int i = 0; i < n; i++)
        if (!rc && step < 0)
            pb_result_predict(out, &list[i]);
        else
            free(list[i].text);
    free(list);
    return rc;
}

int pb_score_runner(pb_runner *r, const pb_task *task, pb_split split, int batch, int step, pb_result *out)
{
    bool texts = r->form->reading == PB_BY_TEXT;
    if (texts && put_surprise(r, split, batch, step, out))
        return -1;
    return texts && step >= 0 ? 0 : score_answers(r, task, split, batch, step, out);
}

int pb_score_first(pb_runner *r, pb_split split, int batch, int count, double **x, int *n)
{
    int items = r->form->items[split], classes = r->form->data->classes;
    count = count < items ? count : items;
    if (r->form->reading == PB_BY_TEXT)
        return answer_shares(r, split, batch, count, x, n);
    *n = count * classes;
    *x = pb_alloc((size_t)(*n + 1) * sizeof **x);
    return score_items(r, split, batch, count, *x);
}

bool pb_score_deciding(const pb_encoded *f, const pb_task *task, pb_split split, char key[64])
{
    bool texts = f->reading == PB_BY_TEXT;
    snprintf(key, 64, "accuracy.%s.%s", pb_split_name[split], texts ? "perplexity" : task->metrics[0].name);
    return !texts && task->metrics[0].higher_is_better;
}

int pb_score(pb_model *m, const pb_encoded *f, const pb_task *task, pb_split split, int batch, pb_result *out)
{
    pb_runner r = pb_runner_start(m, f, false);
    int rc = pb_score_runner(&r, task, split, batch, -1, out);
    pb_runner_stop(&r);
    return rc;
}
