/* comparand: see comparand.h. */
#include "report/comparand.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "results/timing.h"

/* ---- the runs -------------------------------------------------------------------------------------------- */

/* Splits "a.db:sentiment/lora:all" into its three parts; the first two may be missing (NULL).  A slash behind a colon
 * belongs to the row, as in "zero-shot:template=a/b.txt". */
static void cut_spec(pb_comparand *s, const char *spec, const char *db)
{
    const char *colon = strstr(spec, ".db:");
    s->db = colon ? pb_format("%.*s", (int)(colon + 3 - spec), spec) : pb_strdup(db);
    spec = colon ? colon + 4 : spec;
    size_t n = strcspn(spec, "/:");
    bool names_experiment = spec[n] == '/';
    s->experiment = names_experiment ? pb_format("%.*s", (int)n, spec) : NULL;
    s->row = pb_method_spec_normalize(names_experiment ? spec + n + 1 : spec);
}

/* Takes the first choice.  A choice of another experiment means that the row's name is ambiguous. */
typedef struct taker {
    pb_comparand *comparand;
    int experiments;
} taker;

static int take_choice(void *ctx, const pb_choice *c)
{
    taker *t = ctx;
    pb_comparand *s = t->comparand;
    if (t->experiments && !strcmp(s->found.experiment, c->experiment))
        return 0; /* an older one, or a partial one */
    if (t->experiments++)
        return 0;
    s->found = *c;
    s->found.sweep = pb_strdup(c->sweep);
    s->found.experiment = pb_strdup(c->experiment);
    s->found.row = pb_strdup(c->row);
    s->found.choice = pb_strdup(c->choice);
    return 0;
}

/* Looks for a run, because no row has this name. */
static int find_named(pb_comparand *s)
{
    long long run;
    pb_run_record r;
    if (pb_store_find_named(s->store, s->row, &run)) {
        pb_error_clear(); /* the caller reports what was not found; the store remembers a read error */
        return 0;
    }
    int rc = pb_store_record(s->store, run, &r);
    if (!rc) {
        free(s->row);
        s->row = pb_strdup(r.row);
        s->found = (pb_choice){.experiment = pb_strdup(r.experiment), .choice = pb_strdup(r.choice)};
        s->run = pb_alloc(sizeof *s->run);
        s->seed = pb_alloc(sizeof *s->seed);
        s->run[0] = run;
        s->seed[0] = r.seed;
        s->seeds = 1;
    }
    pb_run_record_free(&r);
    return rc;
}

/* Sets *scored to whether the first run was scored on test. */
static int is_scored(pb_comparand *s, bool *scored)
{
    pb_values v;
    *scored = false;
    if (pb_store_values(s->store, s->run[0], &v))
        return -1;
    for (size_t i = 0; i < v.count; i++)
        *scored = *scored || v.value[i].split == PB_TEST;
    pb_values_free(&v);
    return 0;
}

/* The experiments that have a row of this name. */
typedef struct lister {
    const char *only; /* those of the tasks of this experiment, ONLY@TASK; NULL: all */
    const char *row;
    pb_text *out; /* "glue@mrpc/lora, glue@rte/lora" */
} lister;

static int list_choice(void *ctx, const pb_choice *c)
{
    lister *t = ctx;
    size_t n = t->only ? strlen(t->only) : 0;
    if (t->only && (strncmp(c->experiment, t->only, n) != 0 || c->experiment[n] != '@'))
        return 0;
    char *name = pb_format("%s/%s", c->experiment, t->row);
    if (!t->out->data || !strstr(t->out->data, name))
        pb_text_add(t->out, "%s%s", t->out->length ? ", " : "", name);
    free(name);
    return 0;
}

/* Returns the rows of this name, of all experiments or of the tasks of experiment `only`; NULL if there is none.  The
 * caller frees the list. */
static char *list_rows(const pb_comparand *s, const char *only)
{
    pb_text names = {0};
    lister t = {only, s->row, &names};
    return pb_store_choices(s->store, s->row, NULL, list_choice, &t) ? NULL
                                                                     : names.data; /* the store remembers an error */
}

/* Refuses a name that no scored row or run has. */
static int refuse_name(const pb_comparand *s)
{
    char *of_tasks = s->experiment ? list_rows(s, s->experiment) : NULL;
    pb_error("%s: no row or run '%s%s%s' was scored on test; %s%s", s->db, s->experiment ? s->experiment : "",
             s->experiment ? "/" : "", s->row, of_tasks ? "want that of a task: " : "`peftbench run` does it",
             of_tasks ? of_tasks : "");
    free(of_tasks);
    return -1;
}

static int refuse_ambiguous(const pb_comparand *s, int experiments)
{
    char *all = list_rows(s, NULL);
    pb_error("%s: %d experiments have a row %s; want EXPERIMENT/%s: %s", s->db, experiments, s->row, s->row,
             all ? all : "");
    free(all);
    return -1;
}

static int find_runs(pb_comparand *s)
{
    taker t = {.comparand = s};
    bool scored = true;
    int rc = pb_store_choices(s->store, s->row, s->experiment, take_choice, &t);
    if (!rc && t.experiments > 1)
        return refuse_ambiguous(s, t.experiments);
    if (!rc && t.experiments)
        rc = pb_store_choice_runs(s->store, s->found.id, &s->run, &s->seed, &s->seeds);
    else if (!rc && !s->experiment)
        rc = find_named(s);
    if (!rc && s->seeds)
        rc = is_scored(s, &scored);
    if (!rc && (!s->seeds || !scored))
        rc = refuse_name(s);
    if (rc)
        return -1;
    free(s->experiment);
    s->experiment = pb_strdup(s->found.experiment);
    s->choice = pb_strdup(s->found.choice);
    return 0;
}

/* ---- comparability ---------------------------------------------------------------------------------------- */

static int take_common(void *ctx, const char *key, const char *value)
{
    pb_common *c = ctx;
    struct {
        const char *key;
        char **field;
    } known[] = {{"data", &c->data},           {"model", &c->model},     {"config", &c->config},
                 {"tokenizer", &c->tokenizer}, {"metrics", &c->metrics}, {"budget", &c->budget}};
    for (size_t i = 0; i < PB_COUNT(known); i++)
        if (!strcmp(key, known[i].key))
            *known[i].field = pb_strdup(value);
    return 0;
}

static int take_setting(void *ctx, const char *key, const char *value)
{
    pb_common *c = ctx;
    if (!strcmp(key, "task.metric"))
        c->primary = pb_strdup(value);
    else if (!strcmp(key, "task.positive"))
        c->positive = pb_strdup(value);
    return 0;
}

/* Replaces the number of settings in a budget such as "2 settings, 3 epochs ..".  A run stores the number that its
 * experiment file had when it was trained; the choice has the number among which it was chosen.  If they were tried
 * with fewer seeds than the choice has, the number of runs says with how many ([tune] seeds). */
static void use_settings_of(const pb_choice *found, int seeds, char **budget)
{
    const char *rest = *budget ? strchr(*budget, ',') : NULL;
    if (!rest || !found->settings)
        return;
    int tried = found->settings > 1 && found->finished == found->cells ? (found->cells - seeds) / (found->settings - 1)
                                                                       : seeds;
    char *now = tried < seeds ? pb_format("%d settings with %d of the seeds%s", found->settings, tried, rest)
                              : pb_format("%d settings%s", found->settings, rest);
    free(*budget);
    *budget = now;
}

/* Finds the primary metric; runs whose positive class differs are comparable unless it decides the metric. */
static int find_primary(pb_comparand *s)
{
    pb_common *c = &s->common;
    if (pb_store_settings(s->store, s->run, 1, take_setting, c))
        return -1;
    s->primary = pb_task_metric(s->task, c->primary ? c->primary : "");
    if (!s->primary)
        return pb_error_prefix("%s: run %lld", s->db, s->run[0]);
    free(c->primary);
    bool of_class = c->positive && !strcmp(s->primary->name, "f1");
    c->primary = of_class ? pb_format("f1 of %s", c->positive) : pb_strdup(s->primary->name);
    return 0;
}

static int read_common(pb_comparand *s)
{
    int rc = pb_store_provenance(s->store, s->run[0], take_common, &s->common);
    const char *metrics = s->common.metrics;
    if (rc)
        return -1;
    if (!metrics)
        return pb_error("%s: the metrics of run %lld were not recorded; want a run of a later version of peftbench",
                        s->db, s->run[0]);
    char *kind = pb_format("%.*s", (int)strcspn(metrics, " "), metrics);
    s->task = pb_task_find(kind);
    if (!s->task)
        rc = pb_error("%s: run %lld has the kind of task '%s', which this program does not have", s->db, s->run[0],
                      kind);
    free(kind);
    if (!rc)
        rc = find_primary(s);
    use_settings_of(&s->found, s->seeds, &s->common.budget);
    return rc;
}

static int read_values(pb_comparand *s)
{
    int rc = 0;
    s->values = pb_alloc((size_t)(s->seeds + 1) * sizeof *s->values);
    for (int i = 0; i < s->seeds && !rc; i++)
        rc = pb_store_values(s->store, s->run[i], &s->values[i]);
    return rc;
}

int pb_comparand_comparable(const pb_comparand *a, const pb_comparand *b)
{
    bool config = a->common.config && b->common.config, tokenizer = a->common.tokenizer && b->common.tokenizer;
    const struct {
        const char *what, *one, *other;
        int shown; /* digests differ in their first letters */
    } row[] = {{"data", a->common.data, b->common.data, 24},
               {"model", a->common.model, b->common.model, 24},
               {"config of the model", config ? a->common.config : "", config ? b->common.config : "", 24},
               {"tokenizer", tokenizer ? a->common.tokenizer : "", tokenizer ? b->common.tokenizer : "", 24},
               {"metrics", a->common.metrics, b->common.metrics, 200},
               {"primary metric", a->common.primary, b->common.primary, 200},
               {"budget", a->common.budget, b->common.budget, 200}};
    for (size_t i = 0; i < PB_COUNT(row); i++)
        if (strcmp(row[i].one ? row[i].one : "", row[i].other ? row[i].other : "") != 0)
            return pb_error("%s and %s are not comparable: different %s, %.*s and %.*s", a->row, b->row, row[i].what,
                            row[i].shown, row[i].one, row[i].shown, row[i].other);
    return 0;
}

void pb_comparand_print(const pb_comparand *s, FILE *out)
{
    const pb_choice *c = &s->found;
    if (!c->id)
        fprintf(out, "%s/%s: run %lld, seed %llu\n", s->experiment, s->row, s->run[0], (unsigned long long)s->seed[0]);
    else
        fprintf(out, "%s/%s: %s%sof %d setting%s, %d seed%s; sweep %.8s%s\n", s->experiment, s->row, s->choice,
                *s->choice ? ", the best " : "", c->settings, c->settings == 1 ? "" : "s", s->seeds,
                s->seeds == 1 ? "" : "s", *c->sweep ? c->sweep : "unknown",
                c->finished < c->cells ? ", PARTIAL: chosen while runs were missing" : "");
}

/* ---- open ------------------------------------------------------------------------------------------------- */

/* Reads the runs of the row whose database, experiment and label are set. */
static int open_row(pb_comparand *s)
{
    s->store = pb_store_read(s->db);
    int rc = !s->store || find_runs(s) || read_common(s) || read_values(s) ? -1 : 0;
    if (rc)
        pb_comparand_close(s);
    return rc;
}

int pb_comparand_open(pb_comparand *s, const char *spec, const char *db)
{
    *s = (pb_comparand){.store = NULL};
    cut_spec(s, spec, db);
    return open_row(s);
}

int pb_comparand_open_row(pb_comparand *s, const char *db, const char *experiment, const char *row)
{
    *s = (pb_comparand){.db = pb_strdup(db), .experiment = pb_strdup(experiment), .row = pb_strdup(row)};
    return open_row(s);
}

int pb_comparand_close(pb_comparand *s)
{
    char *text[] = {s->db,
                    s->experiment,
                    s->row,
                    s->choice,
                    s->common.data,
                    s->common.model,
                    s->common.config,
                    s->common.tokenizer,
                    s->common.metrics,
                    s->common.budget,
                    s->common.primary,
                    s->common.positive};
    for (size_t i = 0; i < PB_COUNT(text); i++)
        free(text[i]);
    for (int i = 0; s->values && i < s->seeds; i++)
        pb_values_free(&s->values[i]);
    free(s->values);
    free(s->run);
    free(s->seed);
    pb_choice_free(&s->found);
    int rc = pb_store_close(s->store);
    *s = (pb_comparand){.store = NULL};
    return rc;
}

/* ---- scores ----------------------------------------------------------------------------------------------- */

int pb_comparand_scores(const pb_comparand *s, const int *seed, int n, pb_scores *out)
{
    long long *run = pb_alloc((size_t)n * sizeof *run);
    for (int i = 0; i < n; i++)
        run[i] = s->run[seed[i]];
    int rc = pb_scores_read(s->store, s->task, s->primary, run, n, PB_TEST, out);
    free(run);
    return rc;
}

int pb_comparand_times(const pb_comparand *s, const char *key, double **x)
{
    return pb_timing_processes(s->store, s->run, s->seeds, key, x);
}

double pb_comparand_value(const pb_comparand *s, int seed, const char *key)
{
    return pb_values_get(&s->values[seed], -1, key);
}
