/* cmd_reproduce: a stored run once more, from what the database says of it. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "study/cmd.h"
#include "study/run.h"

/* The stored run, and what it predicted. */
typedef struct stored {
    char *id, *task, *model, *row, *seed, *threads, *code, *machine, *plugins;
} stored;

static int take_run(void *ctx, int columns, const char *const *value)
{
    stored *s = ctx;
    char **field[] = {&s->task, &s->model, &s->row, &s->seed, &s->threads, &s->code, &s->machine, &s->plugins};
    for (int i = 0; i < columns; i++)
        *field[i] = pb_strdup(value[i]);
    return 0;
}

static void forget(stored *s)
{
    char *field[] = {s->id, s->task, s->model, s->row, s->seed, s->threads, s->code, s->machine, s->plugins};
    for (size_t i = 0; i < PB_COUNT(field); i++)
        free(field[i]);
}

static int find_run(pb_store *db, const char *word, stored *s)
{
    long long id = pb_store_named(db, word);
    if (id < 0)
        return -1;
    s->id = pb_format("%lld", id);
    const char *args[] = {s->id, NULL};
    return pb_store_query(
        db,
        "SELECT task, model, row, seed, threads, code, machine, coalesce((SELECT value FROM provenance WHERE"
        " run = id AND key = 'plugins'), '') FROM run WHERE id = CAST(? AS INTEGER)",
        args, take_run, s);
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

typedef struct script {
    const stored *run;
    pb_text text;
    char *section;
} script;

static int add_setting(void *ctx, int columns, const char *const *value)
{
    (void)columns;
    script *s = ctx;
    const char *dot = strrchr(value[0], '.');
    if (!dot || !*value[1] || !strcmp(value[0], "task.class_names"))
        return 0;
    char *section = section_of(s->run, value[0], dot + 1);
    if (!s->section || strcmp(s->section, section) != 0)
        pb_text_add(&s->text, "\n[%s]\n", section);
    free(s->section);
    s->section = section;
    pb_text_add(&s->text, "%s = %s\n", dot + 1, value[1]);
    return 0;
}

/* An experiment file with this one run. */
static int write_script(pb_store *db, const stored *s, const char *path)
{
    script out = {.run = s};
    const char *args[] = {s->id, NULL};
    pb_text_add(&out.text,
                "[experiment]\ntask = %s\nmodel = %s\nmethods = %s\nseeds = %s\nplugins = %s\n"
                "timing_rounds = 0\n",
                s->task, s->model, s->row, s->seed, s->plugins);
    int rc = pb_store_query(db, "SELECT key, value FROM setting WHERE run = CAST(?1 AS INTEGER) ORDER BY key", args,
                            add_setting, &out);
    for (const char *part = s->row; part; part = strchr(part, '+') ? strchr(part, '+') + 1 : NULL) {
        char *section = pb_format("[method %.*s]", (int)strcspn(part, "+"), part);
        if (strchr(section, ':') && !strstr(out.text.data, section)) /* a variant without settings */
            pb_text_add(&out.text, "\n%s\n", section);
        free(section);
    }
    rc = rc || pb_write_file(path, out.text.data, out.text.length) ? -1 : 0;
    pb_text_free(&out.text);
    free(out.section);
    return rc;
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
        const char *what[][3] = {{"code", was->code, is.code}, {"machine", was->machine, is.machine}};
        printf("run %s of %s: %s, seed %s\n", was->id, a->db, was->row, was->seed);
        for (size_t i = 0; i < PB_COUNT(what); i++)
            if (strcmp(what[i][1], what[i][2]) != 0)
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
    char *ini = pb_format("%s/again.ini", folder), *path = pb_format("%s/again.db", folder);
    int rc = write_script(db, s, ini);
    pb_experiment *e = rc ? NULL : pb_experiment_read(ini, a->set);
    rc = e ? pb_run_experiment(e, path, &(pb_run_options){.threads = atoi(s->threads), .quiet = a->quiet}) : -1;
    rc = rc ? -1 : compare(a, db, s, path);
    pb_experiment_free(e);
    free(ini);
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
    .options = "db set quiet",
    .help = "run a stored run again and say whether its predictions are identical\n\n"
            "RUN is its number or the beginning of its hash.  Exit code 1 if any prediction differs.\n",
    .run = reproduce,
};
