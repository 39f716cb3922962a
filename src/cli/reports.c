/* reports: see reports.h. */
#include "cli/reports.h"

#include <stdlib.h>
#include <string.h>

#include "report/task_table.h"
#include "results/stored_experiment.h"

int pb_args_format(const pb_args *a, int last)
{
    static const char *const all[] = {[PB_PRINT_TEXT] = "text",
                                      [PB_PRINT_MARKDOWN] = "markdown",
                                      [PB_PRINT_LATEX] = "latex",
                                      [PB_PRINT_CSV] = "csv",
                                      "json"};
    const char *names[PB_COUNT(all) + 1] = {0};
    memcpy(names, all, (size_t)(last + 1) * sizeof *names);
    for (int i = 0; a->format && names[i]; i++)
        if (!strcmp(a->format, names[i]))
            return i;
    if (!a->format)
        return PB_PRINT_TEXT;
    char *near = pb_did_you_mean(a->format, names);
    pb_error("--format: want text, markdown, latex%s, got '%s'%s", last > PB_PRINT_CSV ? ", csv or json" : " or csv",
             a->format, near);
    free(near);
    return -1;
}

/* ---- a database ----------------------------------------------------------------------------------------------- */

/* Returns the end of the database's path in a positional argument; NULL if it names none. */
static const char *end_of_path(const char *word)
{
    const char *colon = strstr(word, ".db:");
    return colon ? colon + 3 : pb_ends_in(word, ".db") ? word + strlen(word) : NULL;
}

bool pb_reports_of_database(const char *word)
{
    return end_of_path(word) != NULL;
}

char *pb_reports_split(const char *word, char **name)
{
    const char *end = end_of_path(word);
    *name = end && *end ? pb_strdup(end + 1) : NULL;
    return end ? pb_format("%.*s", (int)(end - word), word) : pb_strdup(word);
}

/* The experiments of a database: those without the tasks in their names, and the one that is wanted. */
typedef struct stored_names {
    char **name; /* [names] */
    size_t names, capacity;
    pb_text list; /* "a, b" */
} stored_names;

static int add_name(void *ctx, const char *name, const char *nothing)
{
    stored_names *x = ctx;
    char *base = pb_format("%.*s", (int)strcspn(name, "@"), name);
    (void)nothing;
    for (size_t i = 0; i < x->names && base; i++)
        if (!strcmp(x->name[i], base)) {
            free(base);
            return 0;
        }
    pb_grow(&x->name, x->names, &x->capacity, sizeof *x->name);
    pb_text_add(&x->list, "%s%s", x->names ? ", " : "", base);
    x->name[x->names++] = base;
    return 0;
}

static void free_names(stored_names *x)
{
    for (size_t i = 0; i < x->names; i++)
        free(x->name[i]);
    free(x->name);
    pb_text_free(&x->list);
}

/* Lists the experiments of a database. */
static int read_names(stored_names *x, const char *db)
{
    pb_store *s = pb_store_read(db);
    int rc = s ? pb_store_experiments(s, add_name, x) : -1;
    rc = pb_store_close(s) || rc ? -1 : 0;
    if (!rc && !x->names)
        rc = pb_error("%s: there are no runs", db);
    return rc;
}

/* What --set may change: how stored results are shown. */
static int read_view(const pb_args *a, pb_settings *view)
{
    static const char prefix[] = "experiment.";
    int rc = 0;
    for (const char *const *set = a->set; *set && !rc; set++) {
        const char *equals = strchr(*set, '=');
        char *key = pb_format("%.*s", equals ? (int)(equals - *set) : 0, *set);
        const char *name = strncmp(key, prefix, strlen(prefix)) ? "" : key + strlen(prefix);
        rc = !strcmp(name, "title") || !strcmp(name, "baseline") || !strcmp(name, "axis")
                 ? pb_settings_put(view, name, equals + 1)
                 : pb_error("--set %s: of a database, want experiment.title, experiment.baseline or experiment.axis",
                            *set);
        free(key);
    }
    return rc;
}

/* The tasks of an experiment whose runs are stored. */
typedef struct stored_tasks {
    pb_run_contexts *contexts;
    const pb_args *args;
    const char *db;
    const pb_settings *view;
    size_t capacity;
} stored_tasks;

/* Adds the experiment NAME, or NAME@TASK. */
static int add_task(void *ctx, const char *name, const char *nothing)
{
    stored_tasks *t = ctx;
    pb_run_contexts *x = t->contexts;
    size_t n = strlen(x->name);
    (void)nothing;
    if (strncmp(name, x->name, n) != 0 || (name[n] && name[n] != '@') ||
        (t->args->task && name[n] && strcmp(name + n + 1, t->args->task) != 0))
        return 0;
    pb_grow(&x->task, (size_t)x->tasks, &t->capacity, sizeof *x->task);
    pb_run_context *d = &x->task[x->tasks++];
    *d = (pb_run_context){.store = pb_store_read(t->db)};
    d->experiment = d->store ? pb_stored_experiment_read(d->store, t->db, name, t->view) : NULL;
    if (d->experiment && t->args->task && strcmp(d->experiment->task_name, t->args->task) != 0) {
        pb_experiment_free(d->experiment);
        x->tasks--;
        return pb_store_close(d->store);
    }
    return d->experiment ? 0 : -1;
}

/* Opens the contexts of an experiment of a database. */
static int open_stored(pb_run_contexts *x, const pb_args *a, const char *db, const char *name)
{
    pb_settings view = {.item = NULL};
    pb_store *s = pb_store_read(db);
    *x = (pb_run_contexts){.name = pb_strdup(name)};
    stored_tasks t = {x, a, db, &view, 0};
    int rc = !s || read_view(a, &view) || pb_store_experiments(s, add_task, &t) ? -1 : 0;
    rc = pb_store_close(s) || rc ? -1 : 0;
    if (!rc && !x->tasks)
        rc = pb_error("%s: there are no runs of experiment '%s'%s%s", db, name, a->task ? " with task " : "",
                      a->task ? a->task : "");
    pb_settings_free(&view);
    if (rc)
        pb_run_contexts_close(x);
    return rc;
}

/* Opens the contexts of the experiment that the first positional argument names as DATABASE.db[:EXPERIMENT]. */
static int open_named(pb_run_contexts *x, const pb_args *a)
{
    stored_names all = {.name = NULL};
    if (strcmp(a->db, PB_DEFAULT_DB) != 0)
        return pb_error("--db: %s is the database; want one of them", a->word[0]);
    char *name, *db = pb_reports_split(a->word[0], &name);
    int rc = name ? 0 : read_names(&all, db);
    if (!rc && all.names > 1)
        rc = pb_error("%s: there are several experiments; want %s:NAME with one of %s", db, db, all.list.data);
    rc = rc || open_stored(x, a, db, name ? name : all.name[0]) ? -1 : 0;
    free_names(&all);
    free(name);
    free(db);
    return rc;
}

static int check_one(const pb_run_contexts *x)
{
    pb_text tasks = {0};
    for (int i = 0; i < x->tasks; i++)
        pb_text_add(&tasks, "%s%s", i ? ", " : "", x->task[i].experiment->task_name);
    int rc = x->tasks == 1 ? 0 : pb_error("%s has several tasks; want --task with one of %s", x->name, tasks.data);
    pb_text_free(&tasks);
    return rc;
}

/* ---- reports --------------------------------------------------------------------------------------------------- */

static int open_contexts(pb_run_contexts *x, const pb_args *a, bool one)
{
    if (!pb_reports_of_database(a->word[0]))
        return pb_run_contexts_open(x, a, one);
    if (open_named(x, a))
        return -1;
    if (one && check_one(x)) {
        pb_run_contexts_close(x);
        return -1;
    }
    return 0;
}

static int open_reports(pb_reports *x, const pb_args *a, bool any_version, bool one)
{
    *x = (pb_reports){.tasks = 0};
    if (open_contexts(&x->context, a, one))
        return -1;
    x->task = pb_alloc((size_t)x->context.tasks * sizeof *x->task);
    for (; x->tasks < x->context.tasks; x->tasks++) {
        const pb_run_context *d = &x->context.task[x->tasks];
        if (pb_report_make(&x->task[x->tasks], d->store, d->experiment, any_version)) {
            pb_reports_close(x);
            return -1;
        }
    }
    return 0;
}

int pb_reports_open(pb_reports *x, const pb_args *a, bool any_version)
{
    return open_reports(x, a, any_version, false);
}

int pb_reports_open_one(pb_reports *x, const pb_args *a, bool any_version)
{
    return open_reports(x, a, any_version, true);
}

static int each_one(const pb_args *a, bool any_version, bool one, bool several, pb_each_reports *each, void *ctx)
{
    pb_reports x;
    if (open_reports(&x, a, any_version, one))
        return -1;
    int rc = each(ctx, &x, several);
    return pb_reports_close(&x) ? -1 : rc;
}

int pb_reports_each(const pb_args *a, bool any_version, bool one, pb_each_reports *each, void *ctx)
{
    const char *end = end_of_path(a->word[0]);
    stored_names all = {.name = NULL};
    if (!end || *end)
        return each_one(a, any_version, one, false, each, ctx);
    int rc = read_names(&all, a->word[0]);
    for (size_t i = 0; i < all.names && !rc; i++) {
        char *word = pb_format("%s:%s", a->word[0], all.name[i]);
        pb_args named = *a;
        named.word = &word;
        rc = each_one(&named, any_version, one, all.names > 1, each, ctx);
        free(word);
    }
    free_names(&all);
    return rc;
}

void pb_reports_heading(const char *what, const char *name, int format, bool first)
{
    static const char *const before[] = {[PB_PRINT_MARKDOWN] = "## ", [PB_PRINT_LATEX] = "% "};
    if (format == PB_PRINT_CSV)
        return;
    if (format == PB_PRINT_TEXT)
        printf("%s%s %s\n", first ? "" : "\n", what, name);
    else
        printf("%s%s%s\n%s", first ? "" : "\n", before[format], name, format == PB_PRINT_MARKDOWN ? "\n" : "");
}

int pb_reports_print(const pb_reports *x, const pb_table_style *style, bool per_task)
{
    pb_table_style each = *style;
    int rc = 0;
    if (x->tasks > 1 && !per_task && style->format != PB_PRINT_CSV)
        return pb_task_table_print(x->task, x->tasks, style, stdout);
    for (int i = 0; i < x->tasks && !rc; i++) {
        if (x->tasks > 1)
            pb_reports_heading("task", x->task[i].experiment->task_name, style->format, !i);
        each.headless = style->headless || i > 0;
        rc = pb_report_print(&x->task[i], &each, stdout);
    }
    return rc;
}

int pb_reports_json(const pb_reports *x)
{
    int rc = 0;
    for (int i = 0; i < x->tasks && !rc; i++)
        rc = pb_report_json(&x->task[i], stdout);
    if (!rc && x->tasks > 1)
        pb_task_table_json(x->context.name, x->task, x->tasks, stdout);
    return rc;
}

int pb_reports_close(pb_reports *x)
{
    for (int i = 0; i < x->tasks; i++)
        pb_report_free(&x->task[i]);
    free(x->task);
    return pb_run_contexts_close(&x->context);
}
