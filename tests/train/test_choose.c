/* Multiple choice against what transformers, PEFT and lm-evaluation-harness say (tests/golden/choose, made by
 * tests/parity/make_choose.py). */
#include "fixture.h"

#include "base/json.h"
#include "model/adapter.h"
#include "train/score.h"

#define CHOOSE "tests/golden/choose"

/* ---- lines of a .jsonl ------------------------------------------------------------------------------- */

typedef void check_line(void *ctx, const pb_json *line);

static void each_line(const char *path, check_line *check, void *ctx)
{
    char *text = pb_read_file(path, NULL), *rest = text, *line;
    if (!text)
        PB_BUG("%s", pb_error_text());
    while ((line = strsep(&rest, "\n")))
        if (*line) {
            pb_json_doc *doc = pb_json_parse(path, line, strlen(line));
            if (CHECK(doc != NULL))
                check(ctx, pb_json_root(doc));
            pb_json_free(doc);
        }
    free(text);
}

static double number(const pb_json *list, size_t i)
{
    return pb_json_number(pb_json_at(list, i), NAN);
}

/* ---- a head ------------------------------------------------------------------------------------------ */

/* All questions of a file in one batch, with groups of several sizes, and what transformers says of them. */
typedef struct questions {
    pb_ids ids, type, offset, group, label;
    double logit[32], loss; /* of each choice; the mean */
} questions;

static void add_question(void *ctx, const pb_json *line)
{
    questions *q = ctx;
    const pb_json *choices = pb_json_get(line, "choices"), *logits = pb_json_get(line, "logits");
    for (size_t k = 0; k < pb_json_size(choices); k++) {
        const pb_json *one = pb_json_at(choices, k), *ids = pb_json_get(one, "input_ids");
        for (size_t i = 0; i < pb_json_size(ids); i++) {
            pb_ids_add(&q->ids, (int)number(ids, i));
            pb_ids_add(&q->type, (int)pb_json_integer(pb_json_at(pb_json_get(one, "token_type_ids"), i), 0));
        }
        q->logit[q->offset.count - 1] = number(logits, k);
        pb_ids_add(&q->offset, (int)q->ids.count);
    }
    pb_ids_add(&q->group, (int)q->offset.count - 1);
    pb_ids_add(&q->label, (int)pb_json_integer(pb_json_get(line, "label"), -1));
    q->loss += pb_json_number(pb_json_get(line, "loss"), NAN);
}

static void free_questions(questions *q)
{
    pb_ids_free(&q->ids);
    pb_ids_free(&q->type);
    pb_ids_free(&q->offset);
    pb_ids_free(&q->group);
    pb_ids_free(&q->label);
}

/* Compares the logits and the loss of the model with those of the file. */
static void compare(pb_model *m, const questions *q)
{
    pb_arena *arena = pb_arena_new("test");
    pb_executor *x = pb_executor_new();
    pb_graph *g = pb_graph_new(arena, true);
    pb_outputs out;
    pb_plan plan;
    int groups = (int)q->label.count;
    const pb_batch batch = {.sequences = (int)q->offset.count - 1,
                            .offset = q->offset.id,
                            .ids = q->ids.id,
                            .token_type = pb_model_token_types(m) ? q->type.id : NULL,
                            .label = q->label.id,
                            .group = q->group.id,
                            .groups = groups};
    if (CHECK(!pb_model_build(m, g, &batch, 0, 0, &out) && !pb_graph_plan(g, out.logits, out.loss, &plan))) {
        pb_executor_bind(x, g, &plan);
        pb_executor_forward(x, g);
        CHECK(out.logits->rows == batch.sequences && out.logits->cols == 1);
        for (int i = 0; i < batch.sequences; i++)
            CHECK(fabs((double)out.logits->x[i] - q->logit[i]) < 2e-6);
        CHECK(fabs((double)out.loss->x[0] - q->loss / groups) < 2e-6);
    }
    pb_executor_free(x);
    pb_arena_free(arena);
}

/* `adapter` may be NULL. */
static void check_head(const char *name, const char *adapter)
{
    char *folder = pb_format(CHOOSE "/%s", name),
         *dir = adapter ? pb_format("%s/%s", folder, adapter) : pb_strdup(folder);
    char *lines = pb_format("%s/logits.jsonl", dir);
    questions q = {.loss = 0};
    pb_ids_add(&q.offset, 0);
    pb_ids_add(&q.group, 0);
    pb_adapter *a = adapter ? pb_adapter_open(dir) : NULL;
    CHECK(!adapter || (a && pb_adapter_choices(a)));
    pb_model *m = pb_model_open(&(pb_opening){
        .path = folder, .classes = a ? pb_adapter_classes(a) : 0, .problem = a ? PB_PROBLEM_CHOICES : PB_PROBLEM_ANY});
    if (CHECK(m && !(a ? pb_adapter_attach(m, a, false) : pb_model_attach(m, NULL, 0)))) {
        CHECK(pb_model_head(m) == PB_HEAD_CLASSES && pb_model_problem(m) == PB_PROBLEM_CHOICES);
        each_line(lines, add_question, &q);
        CHECK_INT(q.label.count, 4);
        compare(m, &q);
    }
    pb_model_free(m);
    pb_adapter_close(a);
    free_questions(&q);
    free(lines);
    free(dir);
    free(folder);
}

TEST(a_head_scores_choices_as_transformers_does)
{
    check_head("bert-choices", NULL);
    check_head("bert-choices", "lora");
    check_head("roberta-choices", NULL);
    check_head("distilbert-choices", NULL);
}

TEST(a_head_for_something_else_is_refused)
{
    pb_opening o = {.path = CHOOSE "/bert-choices", .classes = 3, .problem = PB_PROBLEM_CLASS};
    CHECK(!pb_model_open(&o));
    CHECK(strstr(pb_error_text(), "a classification head with 1 output, and the task needs 3"));
    pb_error_clear();
    o = (pb_opening){.path = CHOOSE "/bert-choices", .classes = 1, .problem = PB_PROBLEM_NUMBERS};
    CHECK(!pb_model_open(&o));
    CHECK(strstr(pb_error_text(), "head is for multiple choice, and the task needs regression"));
    pb_error_clear();
    o = (pb_opening){.path = "tests/golden/families/roberta", .classes = 1, .problem = PB_PROBLEM_CHOICES};
    CHECK(!pb_model_open(&o));
    CHECK(strstr(pb_error_text(), "a classification head with 3 outputs, and the task needs 1"));
    pb_error_clear();
}

/* ---- likelihoods ------------------------------------------------------------------------------------- */

static void add_example(void *ctx, const pb_json *line)
{
    pb_data *d = ctx;
    const pb_json *list = pb_json_get(line, "choices");
    char *choice[PB_MOST_CHOICES];
    int n = (int)pb_json_size(list);
    for (int k = 0; k < n; k++)
        choice[k] = pb_strdup(pb_json_text(pb_json_at(list, (size_t)k), ""));
    for (int s = 0; s < PB_SPLITS; s++)
        pb_data_add_example(d, (pb_split)s,
                            &(pb_example){.text = pb_json_text(pb_json_get(line, "question"), ""),
                                          .label = (int)pb_json_integer(pb_json_get(line, "answer"), -1),
                                          .choice = choice,
                                          .choices = n});
    for (int k = 0; k < n; k++)
        free(choice[k]);
}

/* What the program says of the questions behind one prompt, beside what the harness says. */
typedef struct comparison {
    const char *task;
    const pb_result *result;
    int question;
} comparison;

static double statistic(const pb_result *r, const char *metric, int example)
{
    for (size_t i = 0; i < r->statistics; i++)
        if (!strcmp(r->statistic[i].metric, metric) && r->statistic[i].example == example)
            return r->statistic[i].x[0];
    return NAN;
}

static void compare_question(void *ctx, const pb_json *line)
{
    comparison *c = ctx;
    if (strcmp(pb_json_text(pb_json_get(line, "task"), ""), c->task) != 0)
        return;
    const pb_prediction *p = &c->result->prediction[c->question];
    const pb_json *scores = pb_json_get(line, "scores");
    if (CHECK(p->example == c->question && p->scores == (int)pb_json_size(scores) && p->likelihoods))
        for (int k = 0; k < p->scores; k++)
            CHECK(fabs(p->score[k] - number(scores, (size_t)k)) < 2e-4);
    CHECK(statistic(c->result, "acc", c->question) == pb_json_number(pb_json_get(line, "acc"), NAN));
    CHECK(statistic(c->result, "acc_norm", c->question) == pb_json_number(pb_json_get(line, "acc_norm"), NAN));
    c->question++;
}

static void check_likelihoods(const char *task, const char *template)
{
    pb_data *d = pb_data_new(task);
    d->answer_kind = PB_ANSWER_CHOICE;
    d->template = pb_strdup(template);
    each_line(CHOOSE "/questions.jsonl", add_example, d);
    pb_data_letters(d);
    pb_model *m = pb_model_open(&(pb_opening){.path = "models/pico-decoder"});
    CHECK(m && !pb_model_attach(m, NULL, 0));
    pb_encoded *f =
        pb_encoded_new(d, m,
                       &(pb_encoding){.prompting = &(pb_prompting){.template = "", .chat = "none", .normalize = true},
                                      .max_tokens = 128});
    pb_result r;
    pb_result_init(&r);
    if (CHECK(f && !pb_score(m, f, pb_task_find("choose"), PB_TEST, 4, &r))) {
        comparison c = {.task = task, .result = &r};
        each_line(CHOOSE "/likelihoods.jsonl", compare_question, &c);
        CHECK_INT(c.question, 14);
        CHECK_INT(r.predictions, 14);
    }
    pb_result_free(&r);
    pb_encoded_free(f);
    pb_model_free(m);
    pb_data_free(d);
}

TEST(likelihoods_and_metrics_are_those_of_the_harness)
{
    check_likelihoods("arc-easy", "Question: {text}\nAnswer: {label}");
    check_likelihoods("openbookqa", "{text} {label}");
}
