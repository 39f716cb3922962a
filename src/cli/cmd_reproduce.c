/* cmd_reproduce: repeats a stored run from its settings in the database. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/provenance.h"
#include "driver/run.h"
#include "experiment/restore.h"

typedef struct stored {
    pb_run_record run;
    pb_provenance provenance;
} stored;

static void free_stored(stored *s)
{
    pb_run_record_free(&s->run);
    pb_provenance_free(&s->provenance);
}

static int find_run(pb_store *db, const char *name, stored *s)
{
    long long id;
    return pb_store_find_named(db, name, &id) || pb_store_record(db, id, &s->run) ||
                   pb_provenance_read(db, id, &s->provenance)
               ? -1
               : 0;
}

static const char *provenance_of(const stored *s, const char *key)
{
    return pb_provenance_get(&s->provenance, key);
}

/* Refuses a run that the clock has ended. */
static int check_clock(const pb_args *a, pb_store *db, long long run)
{
    pb_values v;
    if (pb_store_values(db, run, &v))
        return -1;
    double steps = pb_values_get(&v, -1, "train.clock_steps");
    pb_values_free(&v);
    return isnan(steps)
               ? 0
               : pb_error("%s: run %lld: max_seconds ended its training after %.0f steps, and a clock does not end "
                          "it at the same step again; want a run that has ended by itself or by max_flops",
                          a->db, run, steps);
}

/* ---- its experiment ------------------------------------------------------------------------------------- */

/* Skips the class names, which are stored with the settings but belong to the data, and a budget of seconds: it has not
 * ended this run (check_clock), and must not end its repetition on a slower machine. */
static int collect_setting(void *settings, const char *key, const char *value)
{
    if (!strcmp(key, "task.class_names"))
        return 0;
    return pb_settings_put(settings, key, strcmp(key, "train.max_seconds") ? value : "0");
}

/* Row, task and model are those of the run's row in table `run`. */
static int collect_settings(pb_store *db, const pb_run_record *r, pb_settings *out)
{
    const char *const pair[][2] = {{"row", r->row}, {"task", r->task}, {"model", r->model}};
    int rc = pb_store_settings(db, &r->id, 1, collect_setting, out);
    for (size_t i = 0; i < PB_COUNT(pair) && !rc; i++)
        rc = pb_settings_put(out, pair[i][0], pair[i][1]);
    return rc;
}

/* Collects the paths of the task's files, "file.train", by the keys of their settings, "task.train". */
static int collect_files(const pb_provenance *p, pb_settings *out)
{
    int rc = 0;
    for (size_t i = 0; i < p->count && !rc; i++) {
        const char *key = p->entry[i].key;
        char *setting = strncmp(key, PB_FILE ".", strlen(PB_FILE ".")) ? NULL : pb_format("task%s", strchr(key, '.'));
        rc = setting ? pb_settings_put(out, setting, p->entry[i].value) : 0;
        free(setting);
    }
    return rc;
}

/* Returns the experiment with this one run, or NULL with an error. */
static pb_experiment *restore_experiment(const pb_args *a, pb_store *db, const stored *s)
{
    const pb_run_record *r = &s->run;
    pb_settings settings = {.item = NULL}, files = {.item = NULL};
    char *name = pb_format("%s: run %lld", a->db, r->id);
    pb_experiment *e = NULL;
    if (!collect_settings(db, r, &settings) && !collect_files(&s->provenance, &files) &&
        !pb_settings_override(&settings, a->set))
        e = pb_experiment_restore(name, &settings, &files, r->seed);
    if (!e)
        pb_error_prefix("%s", name);
    pb_settings_free(&settings);
    pb_settings_free(&files);
    free(name);
    return e;
}

/* ---- comparing ------------------------------------------------------------------------------------------ */

/* The predictions of a run on a split. */
typedef struct predictions {
    pb_stored_prediction *prediction;
    size_t count, capacity;
} predictions;

static int add_prediction(void *ctx, const pb_stored_prediction *prediction)
{
    predictions *a = ctx;
    pb_grow(&a->prediction, a->count, &a->capacity, sizeof *a->prediction);
    a->prediction[a->count] = *prediction;
    a->prediction[a->count++].text = prediction->text ? pb_strdup(prediction->text) : NULL;
    return 0;
}

static void free_predictions(predictions *a)
{
    for (size_t i = 0; i < a->count; i++)
        free(a->prediction[i].text);
    free(a->prediction);
}

static bool is_same_number(double a, double b)
{
    return a == b || (isnan(a) && isnan(b)); /* a diverged model predicts NaN */
}

static bool is_same(const pb_stored_prediction *a, const pb_stored_prediction *b)
{
    if (a->example != b->example || !a->text != !b->text)
        return false;
    if (a->text)
        return !strcmp(a->text, b->text);
    return a->predicted == b->predicted && is_same_number(a->probability, b->probability) &&
           is_same_number(a->value, b->value);
}

/* Prints how many predictions on a split are identical, and adds their number to *compared.  Returns 1 if one differs,
 * -1 with an error. */
static int compare_split(pb_store *a, long long run, pb_store *b, long long again, pb_split split, size_t *compared)
{
    predictions x = {.prediction = NULL}, y = {.prediction = NULL};
    size_t same = 0;
    int rc = pb_store_predictions(a, run, split, add_prediction, &x) ||
                     pb_store_predictions(b, again, split, add_prediction, &y)
                 ? -1
                 : 0;
    for (size_t i = 0; i < x.count && i < y.count; i++)
        same += is_same(&x.prediction[i], &y.prediction[i]);
    if (!rc && x.count)
        printf("%s: %zu of %zu predictions identical\n", pb_split_name[split], same, x.count);
    rc = rc ? rc : same != x.count;
    *compared += x.count;
    free_predictions(&x);
    free_predictions(&y);
    return rc;
}

/* Prints which parts of the code have changed since the run, as far as both runs have recorded them. */
static void compare_code(const stored *was, const stored *is)
{
    const char *const kind[][2] = {{PB_CODE_METHOD ".", "methods"}, {PB_CODE_TASK ".", "tasks"}};
    for (size_t i = 0; i < was->provenance.count; i++)
        for (size_t k = 0; k < PB_COUNT(kind); k++) {
            const char *key = was->provenance.entry[i].key, *had = was->provenance.entry[i].value;
            const char *has = provenance_of(is, key);
            if (!strncmp(key, kind[k][0], strlen(kind[k][0])) && strcmp(had, has) != 0)
                printf("different %s/%s.c: %.12s, and now %.12s\n", kind[k][1], key + strlen(kind[k][0]), had, has);
        }
}

static int compare(const pb_args *a, pb_store *db, const stored *was, const char *path)
{
    stored is = {.run = {.id = 0}};
    pb_store *again = pb_store_read(path);
    int rc = again ? find_run(again, "1", &is) : -1;
    if (!rc) {
        const char *what[][3] = {{"code", was->run.code, is.run.code},
                                 {"machine", was->run.machine, is.run.machine},
                                 {"model", provenance_of(was, "model"), provenance_of(&is, "model")},
                                 {"config", provenance_of(was, "config"), provenance_of(&is, "config")},
                                 {"tokenizer", provenance_of(was, "tokenizer"), provenance_of(&is, "tokenizer")},
                                 {"data", provenance_of(was, "data"), provenance_of(&is, "data")}};
        printf("run %lld of %s: %s, seed %llu\n", was->run.id, a->db, was->run.row, (unsigned long long)was->run.seed);
        for (size_t i = 0; i < PB_COUNT(what); i++)
            if (*what[i][1] && strcmp(what[i][1], what[i][2]) != 0)
                printf("different %s: %s, and now %s\n", what[i][0], what[i][1], what[i][2]);
        compare_code(was, &is);
        size_t compared = 0;
        int validation = compare_split(db, was->run.id, again, is.run.id, PB_VALIDATION, &compared);
        int test = compare_split(db, was->run.id, again, is.run.id, PB_TEST, &compared);
        rc = validation < 0 || test < 0 ? -1 : validation || test;
        if (!rc && !compared)
            rc = pb_error("%s: run %lld has no stored predictions, so nothing can be compared", a->db, was->run.id);
    }
    rc = pb_store_close(again) ? -1 : rc;
    free_stored(&is);
    return rc;
}

static int run_again(const pb_args *a, pb_store *db, const stored *s, const char *folder)
{
    char *path = pb_format("%s/again.db", folder);
    pb_experiment *e = pb_provenance_load_plugins(&s->provenance, s->run.id, a) ? NULL : restore_experiment(a, db, s);
    int rc = e ? pb_run_experiment(e, path, &(pb_run_options){.threads = s->run.threads, .quiet = a->quiet}) : -1;
    rc = rc ? -1 : compare(a, db, s, path);
    pb_experiment_free(e);
    free(path);
    return rc;
}

static int reproduce(const pb_args *a)
{
    char folder[] = "/tmp/peftbench-XXXXXX";
    stored s = {.run = {.id = 0}};
    pb_store *db = pb_store_read(a->db);
    int rc = !db || find_run(db, a->word[0], &s) || pb_store_want_whole(db, s.run.id) || check_clock(a, db, s.run.id)
                 ? -1
                 : 0;
    if (!rc && !mkdtemp(folder))
        rc = pb_error("%s: the folder cannot be created", folder);
    if (!rc) {
        rc = run_again(a, db, &s, folder);
        pb_remove_tree(folder);
    }
    rc = pb_store_close(db) ? -1 : rc;
    free_stored(&s);
    return rc < 0 ? PB_EXIT_QUESTION : rc ? PB_EXIT_NO : PB_EXIT_DONE;
}

const pb_command pb_cmd_reproduce = {
    .name = "reproduce",
    .words = "RUN",
    .least = 1,
    .most = 1,
    .options = "db set plugin quiet",
    .help =
        "repeat a stored run and compare its predictions\n\n"
        "RUN is the number of the run or the beginning of its hash.  Exit code 1: a prediction differs.  Plugins "
        "that the\n"
        "database names are not loaded; if the run used a plugin, --plugin is required.  A run that max_seconds has\n"
        "ended is refused: a clock does not end it at the same step again.\n",
    .run = reproduce,
};
