/* store_select: the stored selections: which setting of a sweep was chosen. */
#include <stdlib.h>
#include <string.h>

#include "results/store_internal.h"

#define SELECTION_COLUMNS "id, coalesce(sweep, ''), experiment, row, choice, settings, cells, finished"

static pb_choice read_choice(sqlite3_stmt *q)
{
    return (pb_choice){.id = sqlite3_column_int64(q, 0),
                       .sweep = pb_store_text(q, 1),
                       .experiment = pb_store_text(q, 2),
                       .row = pb_store_text(q, 3),
                       .choice = pb_store_text(q, 4),
                       .settings = sqlite3_column_int(q, 5),
                       .cells = sqlite3_column_int(q, 6),
                       .finished = sqlite3_column_int(q, 7)};
}

void pb_choice_free(pb_choice *c)
{
    free(c->sweep);
    free(c->experiment);
    free(c->row);
    free(c->choice);
    *c = (pb_choice){.id = 0};
}

int pb_store_chosen(pb_store *s, const pb_digest *sweep, pb_choice *out)
{
    static const char sql[] = "SELECT " SELECTION_COLUMNS " FROM selection WHERE sweep = ?"
                              " ORDER BY partial, finished DESC, id LIMIT 1";
    sqlite3_stmt *q = pb_store_statement(s, sql);
    *out = (pb_choice){.id = 0};
    if (!q)
        return -1;
    pb_store_bind(q, 1, sweep->hex);
    int rc = pb_store_step(s, q);
    if (rc == 1)
        *out = read_choice(q);
    pb_store_done(q);
    return rc < 0 ? -1 : 0;
}

/* Selects the choices of which a run was scored on test. */
#define IS_SCORED                                                                                                      \
    "EXISTS (SELECT 1 FROM selected d JOIN value v ON v.run = d.run WHERE d.selection = selection.id"                  \
    " AND v.key >= 'accuracy.test.' AND v.key < 'accuracy.test/')"

int pb_store_choices(pb_store *s, const char *row, const char *experiment, pb_store_each_choice *each, void *ctx)
{
    static const char all[] = "SELECT " SELECTION_COLUMNS " FROM selection WHERE " IS_SCORED " ORDER BY id";
    static const char named[] = "SELECT " SELECTION_COLUMNS " FROM selection WHERE row = ?1"
                                " AND (?2 IS NULL OR experiment = ?2) AND " IS_SCORED
                                " ORDER BY experiment, partial, id DESC";
    sqlite3_stmt *q = row ? pb_store_statement(s, named) : pb_store_statement(s, all);
    if (!q)
        return -1;
    if (row) {
        pb_store_bind(q, 1, row);
        pb_store_bind(q, 2, experiment);
    }
    int rc = 0, more = 0;
    while (!rc && (more = pb_store_step(s, q)) == 1) {
        pb_choice c = read_choice(q);
        rc = each(ctx, &c);
        pb_choice_free(&c);
    }
    pb_store_done(q);
    return rc ? rc : more;
}

int pb_store_choice_runs(pb_store *s, long long choice, long long **run, uint64_t **seed, int *n)
{
    static const char sql[] =
        "SELECT r.id, r.seed FROM selected d JOIN run r ON r.id = d.run WHERE d.selection = ? AND EXISTS (SELECT 1"
        " FROM value v WHERE v.run = r.id AND v.key >= 'accuracy.test.' AND v.key < 'accuracy.test/') ORDER BY r.seed";
    sqlite3_stmt *q = pb_store_statement(s, sql);
    size_t count = 0, runs = 0, seeds = 0;
    *run = NULL;
    *seed = NULL;
    *n = 0;
    if (!q)
        return -1;
    sqlite3_bind_int64(q, 1, choice);
    int rc;
    while ((rc = pb_store_step(s, q)) == 1) {
        pb_grow(run, count, &runs, sizeof **run);
        pb_grow(seed, count, &seeds, sizeof **seed);
        (*run)[count] = sqlite3_column_int64(q, 0);
        (*seed)[count++] = (uint64_t)sqlite3_column_int64(q, 1);
    }
    pb_store_done(q);
    *n = (int)count;
    return rc;
}

int pb_store_is_chosen(pb_store *s, const char *hash)
{
    static const char sql[] = "SELECT 1 FROM run r CROSS JOIN selection CROSS JOIN selected d"
                              " ON d.selection = selection.id AND d.run = r.id WHERE r.hash = ? LIMIT 1";
    sqlite3_stmt *q = pb_store_statement(s, sql);
    if (!q)
        return -1;
    pb_store_bind(q, 1, hash);
    int rc = pb_store_step(s, q);
    pb_store_done(q);
    return rc;
}

/* ---- experiments -------------------------------------------------------------------------------------------- */

int pb_store_experiments(pb_store *s, pb_store_pair *each, void *ctx)
{
    static const char sql[] = "SELECT experiment FROM (SELECT experiment, id FROM run UNION ALL"
                              " SELECT c.experiment, d.run FROM selection c JOIN selected d ON d.selection = c.id)"
                              " GROUP BY experiment ORDER BY min(id)";
    sqlite3_stmt *q = pb_store_statement(s, sql);
    int rc = 0, more = 0;
    if (!q)
        return -1;
    while (!rc && (more = pb_store_step(s, q)) == 1) {
        char *name = pb_store_text(q, 0);
        rc = each(ctx, name, "");
        free(name);
    }
    pb_store_done(q);
    return rc ? rc : more;
}

void pb_member_free(pb_member *m)
{
    char *text[] = {m->sweep, m->row, m->choice, m->hash, m->task, m->model};
    for (size_t i = 0; i < PB_COUNT(text); i++)
        free(text[i]);
    *m = (pb_member){.run = 0};
}

static int each_member(pb_store *s, const char *sql, const char *experiment, pb_store_each_member *each, void *ctx)
{
    sqlite3_stmt *q = pb_store_statement(s, sql);
    int rc = 0, more = 0;
    if (!q)
        return -1;
    pb_store_bind(q, 1, experiment);
    while (!rc && (more = pb_store_step(s, q)) == 1) {
        pb_member m = {.run = sqlite3_column_int64(q, 0),
                       .choice_id = sqlite3_column_int64(q, 1),
                       .row = pb_store_text(q, 2),
                       .choice = pb_store_text(q, 3),
                       .hash = pb_store_text(q, 4),
                       .task = pb_store_text(q, 5),
                       .model = pb_store_text(q, 6),
                       .seed = (uint64_t)sqlite3_column_int64(q, 7),
                       .settings = sqlite3_column_int(q, 8),
                       .cells = sqlite3_column_int(q, 9),
                       .sweep = pb_store_text(q, 10),
                       .finished = sqlite3_column_int(q, 11)};
        rc = each(ctx, &m);
    }
    pb_store_done(q);
    return rc ? rc : more;
}

int pb_store_members(pb_store *s, const char *experiment, pb_store_each_member *each, void *ctx)
{
    static const char sql[] =
        "SELECT r.id, m.choice_id, m.row, m.choice, r.hash, r.task, r.model, r.seed, m.settings, m.cells,"
        " m.sweep, m.finished FROM (SELECT d.run, c.row, c.choice, c.id AS choice_id, c.partial, c.settings, c.cells,"
        " c.sweep, c.finished FROM selection c JOIN selected d ON d.selection = c.id"
        " WHERE c.experiment = ?1 UNION ALL SELECT id, row, choice, 0, 2, 0, 0, NULL, 0 FROM run WHERE experiment = "
        "?1) m"
        " JOIN run r ON r.id = m.run WHERE r.superseded IS NULL ORDER BY m.partial, m.choice_id DESC, r.id DESC";
    return each_member(s, sql, experiment, each, ctx);
}

int pb_store_strangers(pb_store *s, const char *experiment, pb_store_each_member *each, void *ctx)
{
    static const char sql[] = "SELECT id, 0, row, choice, hash, task, model, seed, 0, 0, NULL, 0 FROM run"
                              " WHERE experiment <> ?1 AND superseded IS NULL AND status <> 'failed' ORDER BY id";
    return each_member(s, sql, experiment, each, ctx);
}

/* ---- writing ------------------------------------------------------------------------------------------------ */

static int put_choice(pb_store *s, const pb_choice *c)
{
    static const char sql[] = "INSERT OR IGNORE INTO selection (sweep, experiment, row, choice, settings, cells,"
                              " finished, partial) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7 < ?6)";
    sqlite3_stmt *q = pb_store_statement(s, sql);
    if (!q)
        return -1;
    const char *text[] = {c->sweep, c->experiment, c->row, c->choice};
    for (int i = 0; i < (int)PB_COUNT(text); i++)
        pb_store_bind(q, i + 1, text[i]);
    sqlite3_bind_int(q, 5, c->settings);
    sqlite3_bind_int(q, 6, c->cells);
    sqlite3_bind_int(q, 7, c->finished);
    return pb_store_insert(s, q);
}

static int put_runs(pb_store *s, const pb_choice *c, const long long *run, int n)
{
    static const char sql[] = "INSERT INTO selected (selection, run) SELECT id, ?5 FROM selection WHERE sweep = ?1"
                              " AND experiment = ?2 AND row = ?3 AND finished = ?4";
    sqlite3_stmt *q = pb_store_statement(s, sql);
    int rc = q ? 0 : -1;
    for (int i = 0; i < n && !rc; i++) {
        if (run[i] <= 0)
            continue;
        pb_store_bind(q, 1, c->sweep);
        pb_store_bind(q, 2, c->experiment);
        pb_store_bind(q, 3, c->row);
        sqlite3_bind_int(q, 4, c->finished);
        sqlite3_bind_int64(q, 5, run[i]);
        rc = pb_store_insert(s, q);
    }
    return rc;
}

int pb_store_choose(pb_store *s, const pb_choice *c, const long long *run, int n)
{
    if (pb_store_execute(s, "BEGIN IMMEDIATE"))
        return -1;
    int rc = put_choice(s, c);
    if (!rc && sqlite3_changes(s->db)) /* else another driver has stored the same choice */
        rc = put_runs(s, c, run, n);
    return pb_store_end(s, rc);
}
