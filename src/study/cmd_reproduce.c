/* cmd_reproduce: a stored run once more, from what the database says of it. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "study/cmd.h"
#include "study/foreign.h"
#include "study/run.h"

/* The stored run, and what it predicted. */
typedef struct stored {
    char *id, *task, *model, *row, *seed, *threads, *code, *machine;
    pb_provenance facts;
} stored;

static int take_run(void *ctx, int columns, const char *const *value)
{
    stored *s = ctx;
    char **field[] = {&s->task, &s->model, &s->row, &s->seed, &s->threads, &s->code, &s->machine};
    for (int i = 0; i < columns; i++)
        *field[i] = pb_strdup(value[i]);
    return 0;
}

static void forget(stored *s)
{
    char *field[] = {s->id, s->task, s->model, s->row, s->seed, s->threads, s->code, s->machine};
    for (size_t i = 0; i < PB_COUNT(field); i++)
        free(field[i]);
    pb_provenance_free(&s->facts);
}

static int find_run(pb_store *db, const char *word, stored *s)
{
    long long id = pb_store_named(db, word);
    if (id < 0)
        return -1;
    s->id = pb_format("%lld", id);
    const char *args[] = {s->id, NULL};
    return pb_store_query(
               db, "SELECT task, model, row, seed, threads, code, machine FROM run WHERE id = CAST(? AS INTEGER)", args,
               take_run, s) ||
                   pb_provenance_read(db, id, &s->facts)
               ? -1
               : 0;
}

static const char *fact_of(const stored *s, const char *key)
{
    return pb_provenance_get(&s->facts, key);
}

/* ---- its experiment ------------------------------------------------------------------------------------- */

/* The section of a setting: "method.lora.rank" of row "lora:all+prefix" -> "method lora:all". */
static char *section_of(const stored *s, const char *key, const char *name)
{
    size_t group = strcspn(key, ".");
    if (strncmp(key, "method.", 7) != 0)
        return !strncmp(key, "task.", 5) ? pb_format("task %s", s->task) : pb_format("%.*s", (int)group, key);
    size_t n = (size_t)(name - key) - 8;
    for (const char *part = s->row; part; part = strchr(part, '+') ? strchr(part, '+') + 1 : NULL)
        if (!strncmp(part, key + 7, n) && strchr("+:", part[n]))
            return pb_format("method %.*s", (int)strcspn(part, "+"), part);
    return pb_format("method %.*s", (int)n, key + 7);
}

/* Settings say how a run is made.  What the experiment is, which plugins it loads among it, they do not say. */
static bool is_setting(const char *key)
{
    static const char *const groups[] = {"train.", "model.", "decode.", "method.", "task."};
    for (size_t i = 0; i < PB_COUNT(groups); i++)
        if (!strncmp(key, groups[i], strlen(groups[i])))
            return true;
    return false;
}

typedef struct script {
    const stored *run;
    pb_ini *ini;
    char *place; /* for messages: the run in its database */
} script;

static int add_setting(void *ctx, int columns, const char *const *value)
{
    (void)columns;
    const script *s = ctx;
    const char *key = value[0];
    if (!strchr(key, '.')) /* task, model and row: as in the run itself */
        return 0;
    if (!is_setting(key))
        return pb_error("%s: a setting '%s', which no run has", s->place, key);
    const char *name = strrchr(key, '.') + 1;
    if (!*value[1] || !strcmp(key, "task.class_names"))
        return 0;
    char *section = section_of(s->run, key, name);
    int rc = pb_ini_add(s->ini, section, name, value[1], s->place);
    free(section);
    return rc;
}

static int add_experiment(const script *s)
{
    const char *entry[][2] = {{"task", s->run->task},
                              {"model", s->run->model},
                              {"methods", s->run->row},
                              {"seeds", s->run->seed},
                              {"timing_rounds", "0"}};
    int rc = 0;
    for (size_t i = 0; i < PB_COUNT(entry) && !rc; i++)
        rc = pb_ini_add(s->ini, "experiment", entry[i][0], entry[i][1], s->place);
    for (const char *part = s->run->row; part && !rc; part = strchr(part, '+') ? strchr(part, '+') + 1 : NULL) {
        char *section = pb_format("method %.*s", (int)strcspn(part, "+"), part);
        if (strchr(section, ':')) /* a variant may have no settings */
            rc = pb_ini_add(s->ini, section, NULL, NULL, s->place);
        free(section);
    }
    return rc;
}

/* The experiment with this one run.  Each value is one entry, whatever stands in it.  NULL with an error. */
static pb_experiment *make_experiment(const pb_args *a, pb_store *db, const stored *s)
{
    const char *args[] = {s->id, NULL};
    script out = {.run = s, .ini = pb_ini_new("again.ini"), .place = pb_format("%s: run %s", a->db, s->id)};
    int rc = strchr(s->task, '/') ? pb_error("%s: a task '%s'; want the name of a task", out.place, s->task) : 0;
    rc = rc || add_experiment(&out) ||
                 pb_store_query(db, "SELECT key, value FROM setting WHERE run = CAST(?1 AS INTEGER) ORDER BY key", args,
                                add_setting, &out)
             ? -1
             : 0;
    pb_experiment *e = rc ? NULL : pb_experiment_make(out.ini, a->set);
    if (e && e->cells != 1) {
        pb_error("%s: what is stored of it makes %d runs; want one", out.place, e->cells);
        pb_experiment_free(e);
        e = NULL;
    }
    pb_ini_free(out.ini);
    free(out.place);
    return e;
}

/* ---- comparing ------------------------------------------------------------------------------------------ */

/* All that was said, a line an example. */
static int add_line(void *ctx, int columns, const char *const *value)
{
    (void)columns;
    pb_text_add(ctx, "%s\n", value[0]);
    return 0;
}

static int read_predictions(pb_store *db, const char *id, const char *split, pb_text *out)
{
    const char *args[] = {id, split, NULL};
    return pb_store_query(db,
                          "SELECT predicted || ' ' || probability FROM prediction WHERE run = CAST(?1 AS INTEGER)"
                          " AND split = ?2 UNION ALL SELECT quote(text) FROM answer WHERE run = CAST(?1 AS INTEGER)"
                          " AND split = ?2",
                          args, add_line, out);
}

/* Prints how many of a split's predictions are the same; 1 if any is not. */
static int compare_split(pb_store *a, const char *run, pb_store *b, const char *again, const char *split)
{
    pb_text x = {0}, y = {0};
    int same = 0, all = 0;
    if (read_predictions(a, run, split, &x) || read_predictions(b, again, split, &y))
        return -1;
    char *p = x.data, *q = y.data;
    for (char *one; p && (one = strsep(&p, "\n")) && *one; all++) {
        char *other = q ? strsep(&q, "\n") : NULL;
        same += other && !strcmp(one, other);
    }
    if (all)
        printf("%s: %d of %d predictions identical\n", split, same, all);
    pb_text_free(&x);
    pb_text_free(&y);
    return same != all;
}

static int compare(const pb_args *a, pb_store *db, const stored *was, const char *path)
{
    stored is = {.id = NULL};
    pb_store *again = pb_store_read(path);
    int rc = again ? find_run(again, "1", &is) : -1;
    if (!rc) {
        const char *what[][3] = {{"code", was->code, is.code},
                                 {"machine", was->machine, is.machine},
                                 {"model", fact_of(was, "model"), fact_of(&is, "model")},
                                 {"data", fact_of(was, "data"), fact_of(&is, "data")}};
        printf("run %s of %s: %s, seed %s\n", was->id, a->db, was->row, was->seed);
        for (size_t i = 0; i < PB_COUNT(what); i++)
            if (*what[i][1] && strcmp(what[i][1], what[i][2]) != 0)
                printf("another %s: %s, then %s\n", what[i][0], what[i][1], what[i][2]);
        int validation = compare_split(db, was->id, again, is.id, "validation");
        int test = compare_split(db, was->id, again, is.id, "test");
        rc = validation < 0 || test < 0 ? -1 : validation || test;
    }
    pb_store_close(again);
    forget(&is);
    return rc;
}

static int run_again(const pb_args *a, pb_store *db, const stored *s, const char *folder)
{
    char *path = pb_format("%s/again.db", folder);
    pb_experiment *e = pb_provenance_load_plugins(&s->facts, atoll(s->id), a) ? NULL : make_experiment(a, db, s);
    int rc = e ? pb_run_experiment(e, path, &(pb_run_options){.threads = atoi(s->threads), .quiet = a->quiet}) : -1;
    rc = rc ? -1 : compare(a, db, s, path);
    pb_experiment_free(e);
    free(path);
    return rc;
}

static int reproduce(const pb_args *a)
{
    char folder[] = "/tmp/peftbench-XXXXXX";
    stored s = {.id = NULL};
    pb_store *db = pb_store_read(a->db);
    int rc = db ? find_run(db, a->word[0], &s) : -1;
    if (!rc && !mkdtemp(folder))
        rc = pb_error("%s: cannot be made", folder);
    if (!rc) {
        rc = run_again(a, db, &s, folder);
        pb_remove_tree(folder);
    }
    pb_store_close(db);
    forget(&s);
    return rc < 0 ? PB_EXIT_QUESTION : rc ? PB_EXIT_NO : PB_EXIT_DONE;
}

const pb_command pb_cmd_reproduce = {
    .name = "reproduce",
    .words = "RUN",
    .least = 1,
    .most = 1,
    .options = "db set plugin quiet",
    .help = "run a stored run again and say whether its predictions are identical\n\n"
            "RUN is its number or the beginning of its hash.  Exit code 1 if any prediction differs.\n"
            "The database is only believed, not obeyed: a run of a plugin's method wants the plugin by --plugin.\n",
    .run = reproduce,
};
