/* score: see score.h. */
#include "train/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/decode.h"

/* ---- classes ------------------------------------------------------------------------------------------------ */

/* The class with the highest of the scores [classes], and its softmax. */
static void choose_class(const double *score, int classes, pb_prediction *p)
{
    double sum = 0;
    p->predicted = 0;
    for (int c = 1; c < classes; c++)
        p->predicted = score[c] > score[p->predicted] ? c : p->predicted;
    for (int c = 0; c < classes; c++)
        sum += exp(score[c] - score[p->predicted]);
    p->probability = (float)(1 / sum);
}

/* The labels whose probabilities, the sigmoids of the scores [classes], are greater than 1/2. */
static void choose_labels(const pb_data *d, const double *score, pb_prediction *p)
{
    const pb_example *e = &d->split[p->split].example[p->example];
    int *chosen = pb_alloc((size_t)d->classes * sizeof *chosen), count = 0;
    pb_text names = {0};
    p->label_set = pb_alloc(2 * (size_t)d->classes * sizeof *p->label_set);
    for (int k = 0; k < e->label_count; k++)
        p->label_set[e->labels[k]] = 1;
    for (int c = 0; c < d->classes; c++) {
        double probability = 1 / (1 + exp(-score[c]));
        p->label_set[d->classes + c] = probability;
        if (probability > 0.5)
            chosen[count++] = c;
    }
    pb_data_put_labels(d, count, chosen, &names);
    p->text = names.data;
    free(chosen);
}

/* Fills bias [classes] with the log of each class's mean probability given content-free inputs, in nats.  Without
 * calibration it does nothing. */
static int measure_bias(pb_runner *r, double *bias)
{
    const pb_encoded *set = r->encoded;
    int classes = set->data->classes;
    if (set->mode != PB_BY_VERBALIZER || !set->calibrate)
        return 0;
    if (pb_runner_content_free(r))
        return -1;
    double *score = pb_alloc((size_t)(PB_CONTENT_FREE * classes) * sizeof *score);
    pb_encoded_scores(set, pb_graph_output(r->graph), PB_CONTENT_FREE, score);
    for (int i = 0; i < PB_CONTENT_FREE; i++) {
        double sum = 0;
        for (int c = 0; c < classes; c++)
            sum += exp(score[i * classes + c]);
        for (int c = 0; c < classes; c++)
            bias[c] += exp(score[i * classes + c]) / sum / PB_CONTENT_FREE;
    }
    for (int c = 0; c < classes; c++)
        bias[c] = log(bias[c]);
    free(score);
    return 0;
}

/* Fills score [n,classes] from the logits of the n items that the runner has run last. */
static void scores_of_batch(const pb_runner *r, int n, const double *bias, double *score)
{
    const pb_node *logits = pb_graph_output(r->graph);
    int classes = r->encoded->data->classes;
    if (r->encoded->mode == PB_BY_VERBALIZER)
        pb_encoded_scores(r->encoded, logits, n, score);
    else
        for (int i = 0; i < n * classes; i++)
            score[i] = (double)logits->x[i];
    for (int i = 0; i < n * classes; i++)
        score[i] -= bias[i % classes];
}

/* The list 0, 1, .., n - 1.  The caller frees it. */
static int *first_items(int n)
{
    int *list = pb_alloc((size_t)(n + 1) * sizeof *list);
    for (int i = 0; i < n; i++)
        list[i] = i;
    return list;
}

/* Fills score [count,classes] for the first `count` items of a split. */
static int score_items(pb_runner *r, pb_split split, int batch, int count, double *score)
{
    int classes = r->encoded->data->classes, *item = first_items(count);
    double *bias = pb_alloc((size_t)classes * sizeof *bias);
    int rc = measure_bias(r, bias);
    for (int from = 0; from < count && !rc; from += batch) {
        int n = count - from < batch ? count - from : batch;
        rc = pb_runner_run(r, &(pb_runner_batch){.split = split, .item = item + from, .count = n});
        if (!rc)
            scores_of_batch(r, n, bias, score + from * classes);
    }
    free(bias);
    free(item);
    return rc;
}

/* Fills list [examples] with the predicted class, labels or number of each example of the split. */
static int classify_split(pb_runner *r, pb_split split, int batch, pb_prediction *list)
{
    int count = r->encoded->data->split[split].count, classes = r->encoded->data->classes;
    double *score = pb_alloc((size_t)(count * classes + 1) * sizeof *score);
    int rc = score_items(r, split, batch, count, score);
    for (int i = 0; i < count && !rc; i++)
        if (list[i].number)
            list[i].value = score[i];
        else if (r->encoded->data->answer_kind == PB_ANSWER_LABELS)
            choose_labels(r->encoded->data, score + i * classes, &list[i]);
        else
            choose_class(score + i * classes, classes, &list[i]);
    free(score);
    return rc;
}

/* ---- choices ------------------------------------------------------------------------------------------------ */

/* Returns the number of choices of the first `count` questions of a split. */
static int choices_of(const pb_encoded *set, pb_split split, int count)
{
    return set->first[split][count];
}

/* Fills score with the scores of all choices of the first `count` questions, one question after the other. */
static int score_choices(pb_runner *r, pb_split split, int batch, int count, double *score)
{
    int *item = first_items(count), rc = 0;
    for (int from = 0; from < count && !rc; from += batch) {
        int n = count - from < batch ? count - from : batch;
        rc = pb_runner_run(r, &(pb_runner_batch){.split = split, .item = item + from, .count = n});
        if (!rc)
            pb_encoded_choice_scores(r->encoded, pb_graph_output(r->graph), split, item + from, n,
                                     score + choices_of(r->encoded, split, from));
    }
    free(item);
    return rc;
}

/* Fills list [examples] with the chosen one of each question's choices, and the scores of all. */
static int choose_split(pb_runner *r, pb_split split, int batch, pb_prediction *list)
{
    const pb_encoded *set = r->encoded;
    int count = set->data->split[split].count;
    double *score = pb_alloc((size_t)(choices_of(set, split, count) + 1) * sizeof *score);
    int rc = score_choices(r, split, batch, count, score);
    for (int i = 0; i < count && !rc; i++) {
        pb_prediction *p = &list[i];
        p->scores = set->data->split[split].example[i].choices;
        p->score = pb_alloc((size_t)p->scores * sizeof *p->score);
        memcpy(p->score, score + choices_of(set, split, i), (size_t)p->scores * sizeof *p->score);
        p->likelihoods = set->mode != PB_BY_HEAD;
        choose_class(p->score, p->scores, p);
    }
    free(score);
    return rc;
}

/* ---- tags --------------------------------------------------------------------------------------------------- */

static const char no_tag[] = "O"; /* of a word that the model does not read, and of one outside of entities */

/* Sets the text of the prediction to the likeliest tag of each word, by the logits from row *row on, and the
 * probability to that of the least certain one.  Words without a token whose class is read have no row. */
static void choose_tags(const pb_encoded *set, const pb_node *logits, int *row, pb_prediction *p)
{
    int classes = set->data->classes;
    const pb_example *e = &set->data->split[p->split].example[p->example];
    const pb_ids *scored = &set->scored[p->split][p->example];
    double *score = pb_alloc((size_t)classes * sizeof *score);
    float least = 1;
    pb_text tags = {0};
    for (int w = 0, k = 0; w < e->words; w++) {
        bool is_read = k < (int)scored->count && scored->id[k] == w;
        for (int c = 0; c < classes && is_read; c++)
            score[c] = (double)logits->x[*row * classes + c];
        if (is_read) {
            choose_class(score, classes, p);
            least = p->probability >= least ? least : p->probability; /* NaN stays visible */
            k++, ++*row;
        }
        pb_text_add(&tags, "%s%s", w ? " " : "", is_read ? set->data->class_name[p->predicted] : no_tag);
    }
    p->predicted = -1;
    p->probability = least;
    p->text = tags.data;
    free(score);
}

/* Fills list [examples] with the predicted tags of each sentence of the split. */
static int tag_split(pb_runner *r, pb_split split, int batch, pb_prediction *list)
{
    int count = r->encoded->data->split[split].count, *item = first_items(count), rc = 0;
    for (int from = 0; from < count && !rc; from += batch) {
        int n = count - from < batch ? count - from : batch, row = 0;
        rc = pb_runner_run(r, &(pb_runner_batch){.split = split, .item = item + from, .count = n});
        for (int i = from; i < from + n && !rc; i++)
            choose_tags(r->encoded, pb_graph_output(r->graph), &row, &list[i]);
    }
    free(item);
    return rc;
}

/* Sets *x [n], which the caller frees, to the scores of the classes of all tokens that are read of the first `count`
 * sentences of a split. */
static int score_tokens(pb_runner *r, pb_split split, int batch, int count, double **x, int *n)
{
    int *item = first_items(count), rc = 0;
    size_t capacity = 0;
    *x = NULL;
    *n = 0;
    for (int from = 0; from < count && !rc; from += batch) {
        int size = count - from < batch ? count - from : batch;
        rc = pb_runner_run(r, &(pb_runner_batch){.split = split, .item = item + from, .count = size});
        const pb_node *logits = rc ? NULL : pb_graph_output(r->graph);
        for (int i = 0; logits && i < logits->rows * logits->cols; i++) {
            pb_grow(x, (size_t)*n, &capacity, sizeof **x);
            (*x)[(*n)++] = (double)logits->x[i];
        }
    }
    free(item);
    return rc;
}

/* ---- texts -------------------------------------------------------------------------------------------------- */

/* A copy of the text without white space at its ends.  The caller frees it. */
static char *trimmed(const char *text)
{
    text += strspn(text, " \t\n");
    size_t n = strlen(text);
    while (n && strchr(" \t\n", text[n - 1]))
        n--;
    return pb_format("%.*s", (int)n, text);
}

static char *answer_of(const pb_encoded *set, const pb_model *m, const pb_continuation *c)
{
    pb_text text = {0};
    pb_continuation_text(m, set->decoding, c, &text);
    char *answer = trimmed(text.data ? text.data : "");
    pb_text_free(&text);
    return answer;
}

/* Fills list [examples] with the generated answer of each example of the split. */
static int generate_split(pb_runner *r, pb_split split, pb_prediction *list)
{
    const pb_encoded *set = r->encoded;
    int n = set->data->split[split].count;
    pb_ids *input = pb_alloc((size_t)(n + 1) * sizeof *input);
    pb_continuation *continuation = pb_alloc((size_t)(n + 1) * sizeof *continuation);
    for (int i = 0; i < n; i++)
        input[i] = pb_encoded_input(set, split, i);
    int rc = pb_decode(r->model, set->decoding, n, input, continuation);
    for (int i = 0; i < n; i++) {
        list[i].text = rc ? NULL : answer_of(set, r->model, &continuation[i]);
        pb_ids_free(&continuation[i].ids);
        pb_ids_free(&input[i]);
    }
    free(input);
    free(continuation);
    return rc;
}

/* Sets *x [n], which the caller frees, to the log-probability of every token of the reference answers of the first
 * `count` items of a split, one item after the other, in nats. */
static int answer_log_probabilities(pb_runner *r, pb_split split, int batch, int count, double **x, int *n)
{
    const pb_encoded *set = r->encoded;
    int *item = first_items(count), rc = 0;
    size_t capacity = 0;
    *x = NULL;
    *n = 0;
    for (int from = 0; from < count && !rc; from += batch) {
        int size = count - from < batch ? count - from : batch;
        rc = pb_runner_run(r, &(pb_runner_batch){.split = split, .item = item + from, .count = size});
        for (int i = from, row = 0; i < from + size && !rc; i++)
            for (size_t k = 0; k < set->answer[split][i].count; k++) {
                pb_grow(x, (size_t)*n, &capacity, sizeof **x);
                (*x)[(*n)++] = pb_log_probability(pb_graph_output(r->graph), row++, set->answer[split][i].id[k]);
            }
    }
    free(item);
    return rc;
}

/* Puts accuracy.<split>.perplexity, of a token, and .bits_per_byte.  Both count the end token of each answer. */
static int put_perplexity(pb_runner *r, pb_split split, int batch, int step, pb_result *out)
{
    double *log_probability, nats = 0, bytes = 0;
    int count = r->encoded->items[split], tokens;
    if (answer_log_probabilities(r, split, batch, count, &log_probability, &tokens)) {
        free(log_probability);
        return -1;
    }
    for (int i = 0; i < tokens; i++)
        nats -= log_probability[i];
    for (int i = 0; i < count; i++) {
        const pb_item *it = &r->encoded->item[split][i];
        bytes += (double)strlen(r->encoded->data->split[split].example[it->example].answer[it->answer]);
    }
    free(log_probability);
    pb_result_put(out, split, step, exp(nats / tokens), "accuracy.%s.perplexity", pb_split_name[split]);
    pb_result_put(out, split, step, nats / bytes / log(2), "accuracy.%s.bits_per_byte", pb_split_name[split]);
    return 0;
}

/* ---- both --------------------------------------------------------------------------------------------------- */

static void put_metrics(const pb_data *d, const pb_task *task, pb_split split, int step, const pb_prediction *list,
                        pb_result *out)
{
    int metrics = 0, n = d->split[split].count;
    while (task->metrics[metrics].name)
        metrics++;
    const pb_scoring scoring = {d->classes, d->positive};
    double *value = pb_alloc((size_t)metrics * sizeof *value);
    if (task->score)
        task->score(d, split, list, value, step < 0 ? out : NULL);
    for (int i = 0; i < metrics; i++) {
        if (!task->score)
            value[i] = pb_metric_of(&task->metrics[i], &scoring, n, list);
        if (task->metrics[i].asked && !task->metrics[i].asked(d))
            continue;
        if (task->metrics[i].of_likelihoods && n && !list[0].likelihoods)
            continue;
        if (task->score || !isnan(value[i])) /* NaN: the task's settings do not ask for it */
            pb_result_put(out, split, step, value[i], "accuracy.%s.%s", pb_split_name[split], task->metrics[i].name);
    }
    free(value);
}

static int predict(pb_runner *r, pb_split split, int batch, pb_prediction *list)
{
    const pb_data *d = r->encoded->data;
    for (int i = 0; i < d->split[split].count; i++)
        list[i] = (pb_prediction){.split = split,
                                  .example = i,
                                  .label = d->split[split].example[i].label,
                                  .number = d->answer_kind == PB_ANSWER_NUMBER,
                                  .target = d->split[split].example[i].target};
    return d->answer_kind == PB_ANSWER_TAGS     ? tag_split(r, split, batch, list)
           : d->answer_kind == PB_ANSWER_CHOICE ? choose_split(r, split, batch, list)
           : d->classes                         ? classify_split(r, split, batch, list)
                                                : generate_split(r, split, list);
}

int pb_predict(pb_model *m, const pb_encoded *set, pb_split split, int batch, pb_prediction *list)
{
    pb_runner r = pb_runner_start(m, set, false);
    int rc = predict(&r, split, batch, list);
    pb_runner_stop(&r);
    return rc;
}

/* Puts what the metrics of sets of labels need: which labels each text has, and the probabilities. */
static void keep_label_sets(const pb_data *d, pb_split split, const pb_prediction *list, pb_result *out)
{
    for (int i = 0; i < d->split[split].count && d->answer_kind == PB_ANSWER_LABELS; i++)
        for (int k = 0; k < PB_LABEL_STATISTICS; k++)
            pb_result_statistic(out, split, i, pb_label_statistic[k], d->classes, list[i].label_set + k * d->classes);
}

bool pb_prediction_is_finite(const pb_data *d, const pb_prediction *p)
{
    for (int c = 0; p->label_set && c < d->classes; c++)
        if (!isfinite(p->label_set[d->classes + c]))
            return false;
    for (int k = 0; k < p->scores; k++)
        if (!isfinite(p->score[k]))
            return false;
    return (p->text && d->answer_kind != PB_ANSWER_TAGS) || isfinite(p->number ? p->value : (double)p->probability);
}

static int check_finite(const pb_data *d, pb_split split, const pb_prediction *list)
{
    for (int i = 0; i < d->split[split].count; i++)
        if (!pb_prediction_is_finite(d, &list[i]))
            return pb_error("%s: %s: line %d: the model's outputs are NaN or infinite", d->name, pb_split_name[split],
                            d->split[split].example[i].line);
    return 0;
}

/* Puts the metrics at `step`; for the whole run, step -1, the predictions as well. */
static int score_answers(pb_runner *r, const pb_task *task, pb_split split, int batch, int step, pb_result *out)
{
    const pb_data *d = r->encoded->data;
    int n = d->split[split].count;
    pb_prediction *list = pb_alloc((size_t)(n + 1) * sizeof *list);
    int rc = predict(r, split, batch, list) || (step < 0 && check_finite(d, split, list)) ? -1 : 0;
    if (!rc)
        put_metrics(d, task, split, step, list, out);
    if (!rc && step < 0)
        keep_label_sets(d, split, list, out);
    for (int i = 0; i < n; i++)
        if (!rc && step < 0)
            pb_result_predict(out, &list[i]);
        else
            pb_prediction_free(&list[i]);
    free(list);
    return rc;
}

int pb_score_runner(pb_runner *r, const pb_task *task, pb_split split, int batch, int step, pb_result *out)
{
    bool texts = r->encoded->mode == PB_BY_GENERATION;
    if (texts && put_perplexity(r, split, batch, step, out))
        return -1;
    return texts && step >= 0 ? 0 : score_answers(r, task, split, batch, step, out);
}

int pb_score_first(pb_runner *r, pb_split split, int batch, int count, double **x, int *n)
{
    int items = r->encoded->items[split], classes = r->encoded->data->classes;
    count = count < items ? count : items;
    if (r->encoded->mode == PB_BY_GENERATION)
        return answer_log_probabilities(r, split, batch, count, x, n);
    if (r->encoded->data->answer_kind == PB_ANSWER_TAGS)
        return score_tokens(r, split, batch, count, x, n);
    bool choices = r->encoded->data->answer_kind == PB_ANSWER_CHOICE;
    *n = choices ? choices_of(r->encoded, split, count) : count * classes;
    *x = pb_alloc((size_t)(*n + 1) * sizeof **x);
    if (choices)
        return score_choices(r, split, batch, count, *x);
    return score_items(r, split, batch, count, *x);
}

bool pb_score_selector(const pb_encoded *set, const pb_task *task, pb_split split, char key[64])
{
    bool texts = set->mode == PB_BY_GENERATION;
    const pb_metric_info *primary = pb_data_primary(set->data, task);
    snprintf(key, 64, "accuracy.%s.%s", pb_split_name[split], texts ? "perplexity" : primary->name);
    return !texts && primary->higher_is_better;
}

int pb_score(pb_model *m, const pb_encoded *set, const pb_task *task, pb_split split, int batch, pb_result *out)
{
    pb_runner r = pb_runner_start(m, set, false);
    int rc = pb_score_runner(&r, task, split, batch, -1, out);
    pb_runner_stop(&r);
    return rc;
}
