/* cmd_predict: a trained row, or a model by itself, on new texts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/threads.h"
#include "study/kept.h"
#include "study/opened.h"
#include "study/run.h"
#include "train/score.h"

/* The stored run to use: the best choice on validation, the newest run of it. */
typedef struct found {
    long long id;
    pb_kept kept;
    char *choice;
    unsigned long long seed;
} found;

static int take(void *ctx, int columns, const char *const *value)
{
    (void)columns;
    found *f = ctx;
    f->id = atoll(value[0]);
    f->choice = pb_strdup(value[1]);
    f->seed = strtoull(value[2], NULL, 10);
    return 1;
}

/* Runs of the row that were chosen (scored on test), the best mean on validation first.  Settings in
 * the database, not hashes, are compared: hashing the model's file would take most of the time. */
static int find_run(const pb_args *a, const pb_experiment *e, const char *row, found *out)
{
    char seed[32] = "";
    char *key = pb_format("accuracy.validation.%s", e->task->metrics[0].name);
    if (a->seed >= 0)
        snprintf(seed, sizeof seed, "%lld", a->seed);
    const char *args[] = {e->name, row, key, seed, NULL};
    pb_store *s = pb_store_read(a->db);
    int rc =
        !s ? -1
           : pb_store_query(s,
                            "WITH scored AS (SELECT r.id, r.choice, r.seed, v.value FROM finished r"
                            " JOIN value v ON v.run = r.id AND v.key = ?3 AND v.step = -1"
                            " WHERE r.experiment = ?1 AND r.row = ?2 AND v.value IS NOT NULL AND EXISTS"
                            " (SELECT 1 FROM value t WHERE t.run = r.id AND t.split = 'test'))"
                            " SELECT id, choice, seed FROM scored JOIN (SELECT choice, avg(value) AS mean"
                            " FROM scored GROUP BY choice) USING (choice)"
                            " WHERE ?4 = '' OR seed = CAST(?4 AS INTEGER) ORDER BY mean DESC, seed, id DESC LIMIT 1",
                            args, take, out);
    if (rc == 1 && pb_kept_find(s, a->db, out->id, &out->kept))
        rc = -1;
    pb_store_close(s);
    free(key);
    if (rc == 0)
        pb_error("%s: no finished run of row '%s'%s%s; `peftbench run %s` makes it", a->db, row, *seed ? " seed " : "",
                 seed, e->path);
    return rc == 1 ? 0 : -1;
}

static const pb_cell *cell_of(const pb_experiment *e, const char *row, const found *f)
{
    for (int i = 0; i < e->cells; i++)
        if (!strcmp(e->cell[i].row->label, row) && !strcmp(e->cell[i].choice, f->choice))
            return &e->cell[i];
    pb_error("%s: row '%s' has no choice '%s' any more; run the experiment again", e->path, row, f->choice);
    return NULL;
}

/* In place of the test split. */
static int read_texts(pb_data *d)
{
    char *line = NULL;
    size_t capacity = 0;
    pb_data_clear(d, PB_TEST);
    while (getline(&line, &capacity, stdin) > 0) {
        line[strcspn(line, "\r\n")] = 0;
        pb_data_add(d, PB_TEST, line, d->classes ? 0 : -1, d->split[PB_TEST].count + 1);
    }
    free(line);
    return pb_stdin_end();
}

static void print_prediction(const pb_data *d, const pb_prediction *p)
{
    if (p->text)
        printf("%s\n", p->text);
    else
        printf("%s\t%.4f\n", d->class_name[p->predicted], (double)p->probability);
}

static int predict_texts(const pb_data *d, const pb_form *f, pb_model *m, const pb_cell *c)
{
    int n = d->split[PB_TEST].count;
    pb_prediction *said = pb_alloc((size_t)(n + 1) * sizeof *said);
    int rc = n ? pb_predict(m, f, PB_TEST, c->train.batch, said) : 0;
    for (int i = 0; i < n && !rc; i++)
        if (!said[i].text && !isfinite((double)said[i].probability))
            rc = pb_error("stdin:%d: the model's outputs are NaN or infinite", i + 1);
    for (int i = 0; i < n; i++) {
        if (!rc)
            print_prediction(d, &said[i]);
        free(said[i].text);
    }
    free(said);
    return rc;
}

static int predict_run(const pb_experiment *e, const pb_cell *chosen, const found *run, pb_data *data)
{
    pb_cell c = *chosen; /* of any seed */
    c.seed = run->seed;
    pb_model *m = pb_cell_open(e, &c, data, c.row->parts, false);
    int rc = !m || pb_kept_check(&run->kept) || pb_model_load(m, run->kept.path) ? -1 : 0;
    rc = rc || read_texts(data) ? -1 : 0;
    pb_form *f = rc ? NULL : pb_cell_form(&c, data, m, pb_model_tokenizer(m), c.row->parts);
    rc = f ? predict_texts(data, f, m, &c) : -1;
    pb_form_free(f);
    pb_model_free(m);
    return rc;
}

static int predict_with(const pb_args *a, const pb_experiment *e, const char *row)
{
    found f = {.choice = NULL};
    const pb_cell *c = find_run(a, e, row, &f) ? NULL : cell_of(e, row, &f);
    pb_data *data = c ? pb_experiment_data(e) : NULL;
    int rc = data ? predict_run(e, c, &f, data) : -1;
    free(f.choice);
    pb_kept_free(&f.kept);
    pb_data_free(data);
    return rc;
}

/* ---- a model or adapter by itself ---------------------------------------------------------------------- */

typedef struct talk {
    pb_opened opened;
    pb_ids ids;
} talk;

static void print_likeliest(const pb_model *m, const pb_node *logits)
{
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

/* As in training, a text is cut where the model has no positions left; but where it has some left that are only not in
 * the attention's window, the building of the network says so. */
static int classify(void *ctx, const char *line, size_t size)
{
    talk *t = ctx;
    const pb_model *m = t->opened.model;
    int most = pb_model_config(m)->window ? 0 : pb_model_max_tokens(m);
    t->ids.count = 0;
    if (pb_tokenizer_encode(pb_model_tokenizer(m), line, size, true, most, &t->ids))
        return -1;
    if (!t->ids.count)
        return pb_error("no token in it; want at least one");
    const int offset[] = {0, (int)t->ids.count};
    const pb_node *logits =
        pb_apply_run(t->opened.apply, &(pb_batch){.sequences = 1, .offset = offset, .ids = t->ids.id});
    if (!logits || pb_apply_check(logits))
        return -1;
    print_likeliest(m, logits);
    return 0;
}

static int predict_alone(const pb_args *a)
{
    talk t = {.ids = {0}};
    if (pb_opened_open(&t.opened, a))
        return PB_EXIT_QUESTION;
    int rc = pb_model_head(t.opened.model) != PB_HEAD_CLASSES
                 ? pb_error("%s: no classifier; want one, or an --adapter that brings its head", a->model)
             : !pb_model_tokenizer(t.opened.model)
                 ? pb_error("%s: no tokenizer.json; want a folder that has it", pb_model_dir(t.opened.model))
             : pb_model_config(t.opened.model)->scores && !a->adapter
                 ? pb_error("%s: config.json: a regression or several labels at once: predict wants one label of "
                            "several; `peftbench logits` prints the numbers",
                            pb_model_dir(t.opened.model))
                 : pb_each_line(classify, &t);
    pb_ids_free(&t.ids);
    pb_opened_close(&t.opened);
    return rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

static int predict(const pb_args *a)
{
    if (!a->model == !a->words) {
        pb_error("predict: want either an EXPERIMENT.ini or --model PATH");
        return PB_EXIT_QUESTION;
    }
    if (a->model)
        return predict_alone(a);
    pb_experiment *e = pb_experiment_read(a->word[0], a->set);
    if (!e)
        return PB_EXIT_QUESTION;
    pb_threads_start(a->threads);
    int rc = predict_with(a, e, a->row ? a->row : e->baseline);
    pb_threads_stop();
    pb_experiment_free(e);
    return rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_predict = {
    .name = "predict",
    .words = "EXPERIMENT.ini|--model PATH",
    .most = 1,
    .options = "db set row seed model adapter merged precision force threads",
    .help = "classify texts: a text a line on stdin, label and probability on stdout\n"
            "With an experiment, a trained row of it (the baseline); with --model, a classifier or a model with\n"
            "an --adapter that brings its head.\n",
    .run = predict,
};
