/* cmd_predict: predicts labels of new texts with a trained row or with a model. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/threads.h"
#include "results/artifact_file.h"
#include "cli/session.h"
#include "driver/run.h"
#include "experiment/experiment_reader.h"
#include "train/conversation.h"
#include "train/micro_batches.h"
#include "train/score.h"

/* The row's newest choice that is one of the experiment's settings, and its run with the requested seed. */
typedef struct found {
    const pb_experiment *e;
    const pb_row *row;
    const pb_cell *cell; /* of the choice, of any seed */
    pb_choice choice;
    pb_run_record run;
    pb_artifact artifact;
} found;

static const pb_cell *cell_of(const found *f, const char *choice)
{
    for (int i = 0; i < f->e->cells; i++)
        if (f->e->cell[i].row == f->row && pb_cell_is_choice(&f->e->cell[i], choice))
            return &f->e->cell[i];
    return NULL;
}

/* Takes the first choice that the experiment still has, and remembers one that it no longer has. */
static int take_choice(void *ctx, const pb_choice *c)
{
    found *f = ctx;
    f->cell = cell_of(f, c->choice);
    pb_choice_free(&f->choice);
    f->choice = (pb_choice){.id = c->id,
                            .sweep = pb_strdup(c->sweep),
                            .choice = pb_strdup(c->choice),
                            .cells = c->cells,
                            .finished = c->finished};
    return f->cell != NULL;
}

static void free_found(found *f)
{
    pb_choice_free(&f->choice);
    pb_run_record_free(&f->run);
    pb_artifact_free(&f->artifact);
}

/* Finds the run of the requested seed, by default the first, among those that were scored on test. */
static int find_seed(const pb_args *a, pb_store *s, found *out)
{
    long long *run;
    uint64_t *seed;
    int n, at = -1, rc = pb_store_choice_runs(s, out->choice.id, &run, &seed, &n);
    for (int i = 0; i < n && at < 0; i++)
        at = a->seed < 0 || seed[i] == (uint64_t)a->seed ? i : -1;
    if (!rc && at >= 0)
        rc = pb_store_record(s, run[at], &out->run) || pb_artifact_find(s, a->db, run[at], &out->artifact) ? -1 : 0;
    free(run);
    free(seed);
    return rc;
}

static int find_run(const pb_args *a, found *out)
{
    pb_store *s = pb_store_read(a->db);
    int rc = s ? pb_store_choices(s, out->row->label, out->e->name, take_choice, out) : -1;
    if (rc == 1)
        rc = find_seed(a, s, out);
    rc = pb_store_close(s) || rc ? -1 : 0;
    if (rc || out->run.id)
        return rc;
    if (!out->cell && out->choice.id)
        return pb_error("%s: row '%s' no longer has the choice '%s'; run the experiment again", out->e->path,
                        out->row->label, out->choice.choice);
    char *seed = a->seed < 0 ? pb_strdup("") : pb_format(" seed %lld", a->seed);
    pb_error("%s: no finished run of row '%s'%s was scored on test; `peftbench run %s` does it", a->db, out->row->label,
             seed, out->e->path);
    free(seed);
    return -1;
}

/* ---- check that the experiment has not changed -------------------------------------------------------------- */

typedef struct checked_run {
    const pb_experiment *e;
    const pb_cell *c;
    long long run;
} checked_run;

static int check_setting(void *ctx, const char *key, const char *value)
{
    const checked_run *h = ctx;
    bool of_data = !strcmp(key, "task.class_names");
    const char *now = of_data ? h->e->class_names : pb_settings_get(h->c->settings, key);
    return (of_data ? now && !strcmp(now, value) : pb_cell_has_setting(h->e, h->c, key, value))
               ? 0
               : pb_error(
                     "%s: %s: run %lld was trained with '%s', and the setting is now %s%s%s; want that setting, or "
                     "`peftbench run %s` with this one",
                     h->e->path, key, h->run, value, now ? "'" : "", now ? now : "not known", now ? "'" : "",
                     h->e->path);
}

/* Compares the SHA-256 of a file with the one that was stored when the run was trained.  Returns -1 with an error. */
static int check_file(pb_store *s, const checked_run *h, const pb_cell_input *input)
{
    char *was;
    int rc = pb_store_provenance_get(s, h->run, input->key, &was);
    if (!rc && was && strcmp(was, input->is->hex) != 0)
        rc = pb_error("%s: %s of run %lld had SHA-256 %s and now has %s; want that one, or `peftbench run %s` with "
                      "this one",
                      h->e->path, input->what, h->run, was, input->is->hex, h->e->path);
    free(was);
    return rc;
}

/* Checks that settings, base model and prompt are those of the run, because they change the predictions.  Returns -1
 * with an error. */
static int check_run(const pb_args *a, const pb_experiment *e, const pb_cell *c, long long run)
{
    checked_run h = {e, c, run};
    pb_store *s = pb_store_read(a->db);
    int rc = s ? pb_store_settings(s, &run, 1, check_setting, &h) : -1;
    pb_cell_input input[PB_CELL_INPUTS];
    pb_cell_inputs(e, c, input);
    for (int i = 0; i < PB_CELL_INPUTS && !rc; i++)
        if (input[i].is != &e->data || pb_cell_prompting(c)) /* a head does not read the data again */
            rc = check_file(s, &h, &input[i]);
    return pb_store_close(s) || rc ? -1 : 0;
}

/* Prints to stderr which run predicts. */
static void print_choice(const found *f)
{
    fprintf(stderr, "peftbench: run %lld: %s%s%s seed %llu, sweep %.8s%s\n", f->run.id, f->run.row,
            *f->choice.choice ? " " : "", f->choice.choice, (unsigned long long)f->run.seed,
            *f->choice.sweep ? f->choice.sweep : "unknown",
            f->choice.finished < f->choice.cells ? ", PARTIAL: chosen while runs were missing" : "");
}

/* The words of a line, which white space separates. */
typedef struct words {
    char *copy;
    const char **word; /* [count] in the copy */
    int count;
} words;

static words split_words(const char *line)
{
    words w = {.copy = pb_strdup(line)};
    size_t capacity = 0;
    for (char *rest = w.copy, *word; (word = strsep(&rest, " \t\r\n\v\f"));)
        if (*word) {
            pb_grow(&w.word, (size_t)w.count, &capacity, sizeof *w.word);
            w.word[w.count++] = word;
        }
    return w;
}

static void free_words(words *w)
{
    free(w->copy);
    free(w->word);
}

/* Prints a sentence as the format conll has it: a word and its tag on each line, and a blank line. */
static void print_words(const words *w, const char *const *tag)
{
    for (int i = 0; i < w->count; i++)
        printf("%s\t%s\n", w->word[i], tag[i]);
    printf("\n");
}

/* Adds a sentence to the test split, with any tags. */
static int add_words(pb_data *d, const char *line)
{
    words w = split_words(line);
    int rc = w.count ? 0 : pb_error("want at least one word, got none");
    int *tag = pb_alloc((size_t)(w.count + 1) * sizeof *tag);
    if (!rc)
        pb_data_add_sentence(d, PB_TEST, w.count, w.word, tag, d->split[PB_TEST].count + 1);
    free(tag);
    free_words(&w);
    return rc;
}

/* Adds a question and its choices, with tabs between them, to the test split. */
static int add_question(pb_data *d, const char *line)
{
    char *copy = pb_strdup(line), *choice[PB_MOST_CHOICES];
    int n, rc = pb_split_choices(copy, choice, &n);
    if (!rc)
        pb_data_add_example(
            d, PB_TEST,
            &(pb_example){.text = copy, .choice = choice, .choices = n, .line = d->split[PB_TEST].count + 1});
    free(copy);
    return rc;
}

/* Adds a line of stdin to the test split.  A pair of texts has a tab between them. */
static int add_line(void *ctx, const char *line, size_t size)
{
    (void)size;
    pb_data *d = ctx;
    if (d->answer_kind == PB_ANSWER_TAGS)
        return add_words(d, line);
    if (d->answer_kind == PB_ANSWER_CHOICE)
        return add_question(d, line);
    char *text = NULL;
    if (!d->chat)
        text = pb_strdup(line);
    else if (pb_conversation_ask(line, &text))
        return -1;
    pb_example e = {.text = text,
                    .label = d->classes && d->answer_kind != PB_ANSWER_LABELS ? 0 : -1,
                    .line = d->split[PB_TEST].count + 1};
    int rc = d->pair[0] ? pb_split_pair(text, &e.second) : 0;
    if (!rc)
        pb_data_add_example(d, PB_TEST, &e);
    free(text);
    return rc;
}

/* Replaces the test split by the lines of stdin.  Returns -1 with an error. */
static int read_texts(pb_data *d)
{
    pb_data_clear(d, PB_TEST);
    return pb_each_line(add_line, d);
}

static void print_tags(const pb_example *e, const char *tags)
{
    words w = {.word = (const char **)(uintptr_t)e->word, .count = e->words}, tag = split_words(tags);
    print_words(&w, tag.word);
    free_words(&tag);
}

/* Prints the predicted labels, each with its probability; an empty line if there are none. */
static void print_labels(const pb_data *d, const double *probability)
{
    const char *between = "";
    for (int c = 0; c < d->classes; c++)
        if (probability[c] > 0.5) {
            printf("%s%s\t%.4f", between, d->class_name[c], probability[c]);
            between = "\t";
        }
    printf("\n");
}

static void print_prediction(const pb_data *d, const pb_prediction *p)
{
    if (d->answer_kind == PB_ANSWER_TAGS)
        print_tags(&d->split[PB_TEST].example[p->example], p->text);
    else if (p->label_set)
        print_labels(d, p->label_set + d->classes);
    else if (p->score)
        printf("%s\t%.4f\n", d->split[PB_TEST].example[p->example].choice[p->predicted], (double)p->probability);
    else if (p->text)
        printf("%s\n", p->text);
    else if (p->number)
        printf("%.6g\n", p->value);
    else
        printf("%s\t%.4f\n", d->class_name[p->predicted], (double)p->probability);
}

static int predict_texts(const pb_data *d, const pb_encoded *f, pb_model *m, const pb_cell *c)
{
    int n = d->split[PB_TEST].count;
    pb_prediction *prediction = pb_alloc((size_t)(n + 1) * sizeof *prediction);
    int rc = n ? pb_predict(m, f, PB_TEST, pb_micro_batch_size(&c->train), prediction) : 0;
    for (int i = 0; i < n && !rc; i++)
        if (!pb_prediction_is_finite(d, &prediction[i]))
            rc = pb_error("stdin:%d: the model's outputs are NaN or infinite", i + 1);
    for (int i = 0; i < n; i++) {
        if (!rc)
            print_prediction(d, &prediction[i]);
        pb_prediction_free(&prediction[i]);
    }
    free(prediction);
    return rc;
}

static int predict_run(const pb_args *a, pb_experiment *e, const pb_cell *chosen, const found *run, pb_data *data)
{
    pb_cell c = *chosen; /* of any seed */
    c.seed = run->run.seed;
    pb_model *m = pb_cell_open(e, &c, data, c.row->spec.parts, false);
    if (!m)
        return -1;
    pb_experiment_seal(e, data, m);
    int rc = check_run(a, e, chosen, run->run.id) || pb_artifact_check(&run->artifact) ||
                     pb_model_load(m, run->artifact.path) || read_texts(data)
                 ? -1
                 : 0;
    pb_encoded *f = rc ? NULL : pb_cell_encode(&c, data, m, c.row->spec.parts);
    rc = f ? predict_texts(data, f, m, &c) : -1;
    pb_encoded_free(f);
    pb_model_free(m);
    return rc;
}

static int predict_with(const pb_args *a, pb_experiment *e)
{
    found f = {.e = e, .row = pb_experiment_row(e, a->row ? a->row : e->baseline)};
    if (!f.row)
        return pb_experiment_refuse_row(e, "--row", a->row);
    pb_data *data = find_run(a, &f) ? NULL : pb_experiment_data(e);
    if (data)
        print_choice(&f);
    int rc = data ? predict_run(a, e, f.cell, &f, data) : -1;
    free_found(&f);
    pb_data_free(data);
    return rc;
}

/* ---- a model or adapter ------------------------------------------------------------------------------ */

typedef struct classification {
    const pb_args *args;
    pb_session session;
    pb_input input;
} classification;

/* Prints the labels of a multi-label model. */
static void print_set(const pb_model *m, const pb_node *logits)
{
    const char *between = "";
    for (int c = 0; c < logits->cols; c++)
        if (logits->x[c] > 0) {
            char *name = pb_model_class(m, c);
            printf("%s%s\t%.4f", between, name, 1 / (1 + exp(-(double)logits->x[c])));
            between = "\t";
            free(name);
        }
    printf("\n");
}

/* Prints the class with the largest logit and its probability; the labels of a multi-label model; or the number that a
 * head with one output gives. */
static void print_likeliest(const pb_model *m, const pb_node *logits)
{
    if (pb_model_problem(m) == PB_PROBLEM_LABELS) {
        print_set(m, logits);
        return;
    }
    if (logits->cols == 1) {
        printf("%.6g\n", (double)logits->x[0]);
        return;
    }
    int best = 0;
    double sum = 0;
    for (int i = 1; i < logits->cols; i++)
        best = logits->x[i] > logits->x[best] ? i : best;
    for (int i = 0; i < logits->cols; i++)
        sum += exp((double)(logits->x[i] - logits->x[best]));
    char *name = pb_model_class(m, best);
    printf("%s\t%.4f\n", name, 1 / sum);
    free(name);
}

/* Prints the choice with the largest logit and its probability. */
static void print_chosen(const char *line, const pb_node *logits)
{
    char *copy = pb_strdup(line), *choice[PB_MOST_CHOICES];
    int n, best = 0;
    double sum = 0;
    PB_CHECK(!pb_split_choices(copy, choice, &n) && n == logits->rows);
    for (int k = 1; k < n; k++)
        best = logits->x[k] > logits->x[best] ? k : best;
    for (int k = 0; k < n; k++)
        sum += exp((double)(logits->x[k] - logits->x[best]));
    printf("%s\t%.4f\n", choice[best], 1 / sum);
    free(copy);
}

/* Predicts the class of a line, or the choice.  As in training, a text is truncated to the positions of the model.  If
 * the model has an attention window, a text that exceeds it is refused when the network is built. */
static int classify(void *ctx, const char *line, size_t size)
{
    classification *t = ctx;
    const pb_model *m = t->session.model;
    int most = pb_model_config(m)->window ? 0 : pb_model_max_tokens(m);
    pb_input *in = &t->input;
    bool chooses = pb_model_chooses(t->session.model);
    pb_input_free(in);
    int rc = t->args->pairs || chooses ? pb_session_input(&t->session, t->args, line, size, most, in)
                                       : pb_tokenizer_encode(pb_model_tokenizer(m), line, size, true, most, &in->ids);
    if (!rc && !in->ids.count)
        rc = pb_error("the line has no token; want at least one");
    const pb_node *logits = rc ? NULL : pb_session_run(&t->session, in);
    if (!logits)
        return -1;
    if (chooses)
        print_chosen(line, logits);
    else
        print_likeliest(m, logits);
    return 0;
}

/* Prints the likeliest tag of each word; O for those that the positions of the model do not reach. */
static void print_likeliest_tags(const pb_model *m, const words *w, const pb_ids *of, const pb_node *logits)
{
    char **tag = pb_alloc((size_t)w->count * sizeof *tag);
    for (size_t r = 0; r < of->count; r++) {
        const pb_real *row = logits->x + r * (size_t)logits->cols;
        int best = 0;
        for (int c = 1; c < logits->cols && of->id[r] >= 0; c++)
            best = row[c] > row[best] ? c : best;
        if (of->id[r] >= 0)
            tag[of->id[r]] = pb_model_class(m, best);
    }
    for (int i = 0; i < w->count; i++)
        tag[i] = tag[i] ? tag[i] : pb_strdup("O");
    print_words(w, (const char *const *)tag);
    for (int i = 0; i < w->count; i++)
        free(tag[i]);
    free(tag);
}

/* Predicts the tags of the words of a line. */
static int tag_words(void *ctx, const char *line, size_t size)
{
    (void)size;
    classification *t = ctx;
    const pb_model *m = t->session.model;
    words w = split_words(line);
    pb_ids of = {0};
    int length, rc = w.count ? 0 : pb_error("want at least one word, got none");
    pb_input_free(&t->input);
    rc = rc || pb_encoded_words(m, w.word, w.count, pb_model_max_tokens(m), &t->input.ids, &of, &length) ? -1 : 0;
    if (!rc && !t->input.ids.count)
        rc = pb_error("the line has no token; want at least one");
    const pb_node *logits = rc ? NULL : pb_session_run(&t->session, &t->input);
    if (logits)
        print_likeliest_tags(m, &w, &of, logits);
    pb_ids_free(&of);
    free_words(&w);
    return logits ? 0 : -1;
}

static int predict_alone(const pb_args *a)
{
    classification t = {.args = a};
    if (pb_session_open(&t.session, a))
        return PB_EXIT_QUESTION;
    int rc =
        !pb_model_has_classes(t.session.model)
            ? pb_error("%s: the model is no classifier; want one, or an --adapter with a classification head", a->model)
        : !pb_model_tokenizer(t.session.model)
            ? pb_error("%s: no tokenizer.json; want a folder with tokenizer.json", pb_model_dir(t.session.model))
        : pb_model_problem(t.session.model) == PB_PROBLEM_NUMBERS && pb_model_outputs(t.session.model) > 1
            ? pb_error("%s: config.json: the model is a regression with several outputs; want one output; `peftbench "
                       "logits` prints them",
                       pb_model_dir(t.session.model))
        : pb_model_head(t.session.model) == PB_HEAD_TOKENS && a->pairs
            ? pb_error("--pairs: %s gives a tag to each word of a sentence; want sentences", a->model)
            : pb_each_line(pb_model_head(t.session.model) == PB_HEAD_TOKENS ? tag_words : classify, &t);
    pb_input_free(&t.input);
    pb_session_close(&t.session);
    return rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

/* Refuses options that would have no effect. */
static int check_options(const pb_args *a)
{
    if (!a->model == !a->words)
        return pb_error("predict: want either an EXPERIMENT.ini or --model PATH");
    if (a->words && (a->adapter || a->merged || a->precision || a->force || a->pairs))
        return pb_error("predict: --adapter, --merged, --precision, --force and --pairs go with --model");
    if (a->model && (a->row || a->seed >= 0 || a->sets || a->task))
        return pb_error("predict: --row, --seed, --set and --task go with an EXPERIMENT.ini");
    return 0;
}

static int predict(const pb_args *a)
{
    if (check_options(a))
        return PB_EXIT_QUESTION;
    if (a->model)
        return predict_alone(a);
    pb_experiment *e = pb_experiment_read(a->word[0], a->set, a->task);
    if (!e)
        return PB_EXIT_QUESTION;
    pb_threads_start(a->threads);
    int rc = predict_with(a, e);
    pb_threads_stop();
    pb_experiment_free(e);
    return rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_predict = {
    .name = "predict",
    .words = "EXPERIMENT.ini|--model PATH",
    .most = 1,
    .options = "db set task row seed model adapter merged precision force pairs threads",
    .help =
        "predict the label of each line of stdin\n\n"
        "Prints the label and its probability, separated by a tab; all labels of a set with theirs; the text that the\n"
        "model generates; or the number that a head with one output gives (a regression).  With an\n"
        "experiment, a trained row predicts (--row, by default the baseline); its settings, model and template "
        "must be\n"
        "those with which it was trained.  With --model, a classifier predicts, or a model with an --adapter that "
        "has a\n"
        "classification head.  A pair of texts is a line with a tab between them; with --model it needs --pairs.\n"
        "In a task of questions, a line is a question and its choices with tabs between them, and the chosen one is\n"
        "printed.\n"
        "In a task of conversations, a line is the message of a user, or a JSON list of messages.\n"
        "Where words have tags, the words of a line are separated by white space, and each is printed on a line of\n"
        "its own with its tag, with a blank line behind each sentence.\n",
    .run = predict,
};
