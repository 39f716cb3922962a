/* side: see side.h. */
#include "study/side.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "study/timing.h"

/* ---- finding the runs ------------------------------------------------------------------------------------ */

/* "a.db:sentiment/lora:all" -> its three parts; the first two may be missing (NULL). */
static void cut_spec(pb_side *s, const char *spec, const char *db)
{
    const char *colon = strstr(spec, ".db:");
    s->db = colon ? pb_format("%.*s", (int)(colon + 3 - spec), spec) : pb_strdup(db);
    spec = colon ? colon + 4 : spec;
    const char *slash = strchr(spec, '/');
    s->experiment = slash ? pb_format("%.*s", (int)(slash - spec), spec) : NULL;
    s->row = pb_strdup(slash ? slash + 1 : spec);
}

/* Finished runs that were scored on test, the best choice on validation first. */
static const char *const runs_of_row =
    "WITH scored AS (SELECT r.id, r.experiment, r.choice, r.seed, p.value AS metrics FROM finished r"
    " JOIN provenance p ON p.run = r.id AND p.key = 'metrics' WHERE r.row = ?1 AND (?2 = '' OR r.experiment = ?2)"
    " AND EXISTS (SELECT 1 FROM value t WHERE t.run = r.id AND t.split = 'test' AND t.step = -1))"
    " SELECT id, seed, choice, experiment, metrics FROM scored ORDER BY experiment, choice, seed, id";

static const char *const run_by_number =
    "SELECT r.id, r.seed, r.choice, r.experiment, p.value, r.row FROM finished r"
    " JOIN provenance p ON p.run = r.id AND p.key = 'metrics'"
    " WHERE r.id = CAST(?1 AS INTEGER)"
    " AND EXISTS (SELECT 1 FROM value t WHERE t.run = r.id AND t.split = 'test' AND t.step = -1)";

typedef struct taker {
    pb_side *side;
    int experiments;
    size_t capacity, seed_capacity;
    char *metrics;
} taker;

static int take_run(void *ctx, int columns, const char *const *value)
{
    taker *t = ctx;
    pb_side *s = t->side;
    bool first = !t->experiments;
    if (first || strcmp(s->experiment, value[3]) != 0) {
        free(s->experiment);
        s->experiment = pb_strdup(value[3]);
        t->experiments++;
    }
    if (t->experiments > 1)
        return 0;
    if (first) {
        s->choice = pb_strdup(value[2]);
        t->metrics = pb_strdup(value[4]);
    }
    if (columns > 5) {
        free(s->row);
        s->row = pb_strdup(value[5]);
    }
    if (strcmp(s->choice, value[2]) != 0)
        return pb_error("%s: row %s was scored on test with two settings, %s and %s; want the number of a run", s->db,
                        s->row, s->choice, value[2]);
    uint64_t seed = strtoull(value[1], NULL, 10);
    if (s->seeds && s->seed[s->seeds - 1] == seed) { /* the same once more: the newer one */
        s->run[s->seeds - 1] = atoll(value[0]);
        return 0;
    }
    pb_grow(&s->run, (size_t)s->seeds, &t->capacity, sizeof *s->run);
    pb_grow(&s->seed, (size_t)s->seeds, &t->seed_capacity, sizeof *s->seed);
    s->run[s->seeds] = atoll(value[0]);
    s->seed[s->seeds++] = seed;
    return 0;
}

/* No row is called so: perhaps a run is. */
static int find_named(pb_side *s, taker *t)
{
    long long run = pb_store_named(s->store, s->row);
    char *id = pb_format("%lld", run);
    const char *args[] = {id, NULL};
    if (run < 0)
        pb_error_clear(); /* the caller says what was looked for */
    int rc = run < 0 ? 0 : pb_store_query(s->store, run_by_number, args, take_run, t);
    free(id);
    return rc;
}

static int find_runs(pb_side *s, taker *t)
{
    char *row = pb_strdup(s->row), *experiment = pb_strdup(s->experiment ? s->experiment : "");
    const char *args[] = {row, experiment, NULL};
    int rc = pb_store_query(s->store, runs_of_row, args, take_run, t);
    if (!rc && !s->seeds && !s->experiment)
        rc = find_named(s, t);
    if (!rc && t->experiments > 1)
        rc = pb_error("%s: %d experiments have a row %s; want EXPERIMENT/%s", s->db, t->experiments, row, row);
    if (!rc && !s->seeds)
        rc = pb_error("%s: no row or run '%s%s%s' that was scored on test; `peftbench run` makes it", s->db, experiment,
                      *experiment ? "/" : "", row);
    free(row);
    free(experiment);
    return rc;
}

/* ---- what it must have in common ------------------------------------------------------------------------- */

static int take_common(void *ctx, int columns, const char *const *value)
{
    (void)columns;
    pb_common *c = ctx;
    struct {
        const char *key;
        char **field;
    } known[] = {{"data", &c->data}, {"model", &c->model}, {"metrics", &c->metrics}, {"budget", &c->budget}};
    for (size_t i = 0; i < PB_COUNT(known); i++)
        if (!strcmp(value[0], known[i].key))
            *known[i].field = pb_strdup(value[1]);
    return 0;
}

static int read_common(pb_side *s, const char *metrics)
{
    char *id = pb_format("%lld", s->run[0]), *kind = pb_format("%.*s", (int)strcspn(metrics, " "), metrics);
    const char *args[] = {id, NULL};
    int rc = pb_store_query(s->store, "SELECT key, value FROM provenance WHERE run = CAST(? AS INTEGER)", args,
                            take_common, &s->common);
    s->task = pb_task_find(kind);
    if (!rc && !s->task)
        rc = pb_error("%s: run %s is of a kind of task '%s' that this program does not have", s->db, id, kind);
    free(id);
    free(kind);
    return rc;
}

int pb_side_comparable(const pb_side *a, const pb_side *b)
{
    const struct {
        const char *what, *one, *other;
        int shown; /* digests differ in their first letters */
    } row[] = {{"data", a->common.data, b->common.data, 24},
               {"model", a->common.model, b->common.model, 24},
               {"metrics", a->common.metrics, b->common.metrics, 200},
               {"budget", a->common.budget, b->common.budget, 200}};
    for (size_t i = 0; i < PB_COUNT(row); i++)
        if (strcmp(row[i].one ? row[i].one : "", row[i].other ? row[i].other : "") != 0)
            return pb_error("%s and %s may not be compared: another %s, %.*s and %.*s", a->row, b->row, row[i].what,
                            row[i].shown, row[i].one, row[i].shown, row[i].other);
    return 0;
}

/* ---- life ------------------------------------------------------------------------------------------------- */

int pb_side_open(pb_side *s, const char *spec, const char *db)
{
    *s = (pb_side){.store = NULL};
    cut_spec(s, spec, db);
    taker t = {.side = s};
    s->store = pb_store_read(s->db);
    int rc = !s->store || find_runs(s, &t) || read_common(s, t.metrics) ? -1 : 0;
    free(t.metrics);
    if (rc)
        pb_side_close(s);
    return rc;
}

void pb_side_close(pb_side *s)
{
    char *text[] = {s->db,           s->experiment,     s->row,          s->choice, s->common.data,
                    s->common.model, s->common.metrics, s->common.budget};
    for (size_t i = 0; i < PB_COUNT(text); i++)
        free(text[i]);
    free(s->run);
    free(s->seed);
    pb_store_close(s->store);
    *s = (pb_side){.store = NULL};
}

/* ---- scores ----------------------------------------------------------------------------------------------- */

int pb_side_scores(const pb_side *s, const int *seed, int n, pb_scores *out)
{
    long long *run = pb_alloc((size_t)n * sizeof *run);
    for (int i = 0; i < n; i++)
        run[i] = s->run[seed[i]];
    int rc = pb_scores_read(s->store, s->task, run, n, PB_TEST, out);
    free(run);
    return rc;
}

int pb_side_times(const pb_side *s, const char *key, double **x)
{
    int n = 0;
    *x = NULL;
    for (int i = 0; !n && i < s->seeds; i++) {
        free(*x);
        n = pb_timing_read(s->store, s->run[i], key, x);
    }
    return n;
}

double pb_side_value(const pb_side *s, int seed, const char *key)
{
    return pb_store_value(s->store, s->run[seed], -1, key);
}
