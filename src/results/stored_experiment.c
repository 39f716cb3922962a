/* stored_experiment: see stored_experiment.h. */
#include "results/stored_experiment.h"

#include <stdlib.h>
#include <string.h>

#include "experiment/restore.h"
#include "results/provenance.h"
#include "results/retained.h"

/* ---- members ---------------------------------------------------------------------------------------------------- */

/* A member with its settings and its provenance. */
typedef struct member {
    pb_member is;
    pb_settings settings;
    pb_provenance provenance;
    const struct member *row; /* the member that represents its row, which comes first */
} member;

typedef struct members {
    member *member;
    size_t count, capacity;
} members;

static int add_member(void *ctx, const pb_member *m)
{
    members *x = ctx;
    pb_grow(&x->member, x->count, &x->capacity, sizeof *x->member);
    x->member[x->count++] = (member){.is = *m};
    return 0;
}

static void free_members(members *x)
{
    for (size_t i = 0; i < x->count; i++) {
        pb_member_free(&x->member[i].is);
        pb_settings_free(&x->member[i].settings);
        pb_provenance_free(&x->member[i].provenance);
    }
    free(x->member);
}

/* The names of the classes belong to the data. */
static int put_setting(void *settings, const char *key, const char *value)
{
    bool other = !strcmp(key, "task.class_names") || !strcmp(key, "row");
    return other ? 0 : pb_settings_put(settings, key, value);
}

static int read_settings(pb_store *s, members *x)
{
    int rc = 0;
    for (size_t i = 0; i < x->count && !rc; i++) {
        member *m = &x->member[i];
        if (pb_store_settings(s, &m->is.run, 1, put_setting, &m->settings) ||
            pb_settings_put(&m->settings, "task", m->is.task) || pb_settings_put(&m->settings, "model", m->is.model) ||
            pb_provenance_read(s, m->is.run, &m->provenance))
            rc = -1;
    }
    return rc;
}

static const char *provenance_of(const member *m, const char *key)
{
    return pb_provenance_get(&m->provenance, key);
}

/* ---- what belongs together ----------------------------------- */

/* Returns whether a choice such as "lr=0.001 lora.rank=8" has a value of a setting. */
static bool is_tuned(const char *choice, const char *key)
{
    const char *name = pb_settings_short(key);
    size_t n = strlen(name);
    for (const char *at = choice; at; at = strchr(at, ' '), at = at ? at + 1 : NULL)
        if (!strncmp(at, name, n) && at[n] == '=')
            return true;
    return false;
}

/* Returns whether two members have the same settings in a group, but for those that are tuned. */
static bool has_same_settings(const member *a, const member *b, const char *group)
{
    const member *one[] = {a, b};
    pb_text text[2] = {{0}};
    for (int k = 0; k < 2; k++) {
        pb_settings some = {.item = pb_alloc((one[k]->settings.count + 1) * sizeof *some.item)};
        for (size_t i = 0; i < one[k]->settings.count; i++)
            if (pb_begins_with(one[k]->settings.item[i].key, group) &&
                !is_tuned(one[k]->is.choice, one[k]->settings.item[i].key))
                some.item[some.count++] = one[k]->settings.item[i];
        pb_text_add(&text[k], "%s", "");
        pb_settings_sort(&some);
        pb_settings_print(&some, "", &text[k]);
        free(some.item);
    }
    bool same = !strcmp(text[0].data, text[1].data);
    pb_text_free(&text[0]);
    pb_text_free(&text[1]);
    return same;
}

static bool has_same_code(const member *a, const member *b)
{
    for (size_t i = 0; i < a->provenance.count; i++) {
        const pb_provenance_entry *t = &a->provenance.entry[i];
        if ((pb_begins_with(t->key, "code.") || pb_begins_with(t->key, "plugin.") || !strcmp(t->key, "template")) &&
            strcmp(t->value, provenance_of(b, t->key)) != 0)
            return false;
    }
    return true;
}

/* Returns whether two members may be in one table.  Earlier programs did not store the digests of a model's config and
 * tokenizer. */
static bool is_comparable(const member *a, const member *b)
{
    static const char *const key[] = {"data", "model", "metrics", "config", "tokenizer"};
    for (size_t i = 0; i < PB_COUNT(key); i++) {
        const char *one = provenance_of(a, key[i]), *other = provenance_of(b, key[i]);
        if (strcmp(one, other) != 0 && (i < 3 || (*one && *other)))
            return false;
    }
    return !strcmp(a->is.task, b->is.task) && has_same_settings(a, b, "task.");
}

/* Returns whether two members of a row may be in one sweep. */
static bool is_of_sweep(const member *a, const member *b)
{
    return is_comparable(a, b) && has_same_code(a, b) && has_same_code(b, a) && has_same_settings(a, b, "");
}

/* Finds the member that represents the row of each, the first of its label, as they are in the order of precedence. */
static void find_rows(members *x)
{
    for (size_t i = 0; i < x->count; i++) {
        x->member[i].row = &x->member[i];
        for (size_t k = i; k-- > 0;)
            if (!strcmp(x->member[k].is.row, x->member[i].is.row))
                x->member[i].row = x->member[k].row;
    }
}

/* ---- sweeps that another experiment has stored --------------------------------------------------------------- */

/* The runs of a row's sweep, as far as they are known. */
typedef struct row_runs {
    const member **run; /* [count] */
    int count;
} row_runs;

static bool has_run(const row_runs *r, const char *hash)
{
    for (int i = 0; i < r->count; i++)
        if (!strcmp(r->run[i]->is.hash, hash))
            return true;
    return false;
}

static row_runs find_runs(const members *x, const members *others, const member *row)
{
    row_runs r = {.run = pb_alloc((x->count + others->count + 1) * sizeof *r.run)};
    for (size_t i = 0; i < x->count; i++)
        if (x->member[i].row == row && is_of_sweep(&x->member[i], row) && !has_run(&r, x->member[i].is.hash))
            r.run[r.count++] = &x->member[i];
    return r;
}

static bool has_seed(const row_runs *r, uint64_t seed)
{
    for (int i = 0; i < r->count; i++)
        if (r->run[i]->is.seed == seed)
            return true;
    return false;
}

/* Moves a run of another experiment to the members, as one of the row `label`. */
static void take_stranger(members *x, member *m, const char *label)
{
    free(m->is.row);
    m->is.row = pb_strdup(label);
    pb_grow(&x->member, x->count, &x->capacity, sizeof *x->member);
    x->member[x->count++] = *m;
    *m = (member){.is = {.run = 0}};
}

/* Finds among the runs of other experiments those that a row may have been tuned with, of the settings that were not
 * chosen, and moves them to the members if they are as many as it was tuned with.  Those that it was tuned with are
 * among them, so they are the same then; if there are more, nothing says which they are. */
static void complete_row(members *x, members *others, size_t at)
{
    const member *row = &x->member[at];
    row_runs r = find_runs(x, others, row);
    int own = r.count;
    for (size_t i = 0; i < others->count; i++) {
        const member *m = &others->member[i];
        if (m->is.run && is_of_sweep(m, row) && strcmp(m->is.choice, row->is.choice) != 0 && has_seed(&r, m->is.seed) &&
            !has_run(&r, m->is.hash))
            r.run[r.count++] = m;
    }
    bool whole = r.count == row->is.finished;
    char *label = pb_strdup(row->is.row); /* the members may move */
    for (int i = own; i < r.count && whole; i++)
        take_stranger(x, &others->member[r.run[i] - others->member], label);
    free(label);
    free(r.run);
}

/* Returns whether a row's setting was chosen from more runs than the experiment has itself. */
static bool lacks_runs(const members *x, const members *others, const member *row)
{
    row_runs r = find_runs(x, others, row);
    free(r.run);
    return row->row == row && row->is.settings > 1 && r.count < row->is.finished;
}

/* Runs that another experiment stored first have that experiment's name, and only those with the chosen setting are
 * linked to this one. */
static int complete_sweeps(pb_store *s, const char *name, members *x)
{
    members others = {.member = NULL};
    int rc = 0;
    for (size_t i = 0, n = x->count; i < n && !rc; i++) {
        if (!lacks_runs(x, &others, &x->member[i]))
            continue;
        if (!others.member)
            rc = pb_store_strangers(s, name, add_member, &others) || read_settings(s, &others) ? -1 : 0;
        if (!rc)
            complete_row(x, &others, i);
        find_rows(x);
    }
    free_members(&others);
    return rc;
}

/* Returns the representative of the newest row, with which the others must be comparable. */
static const member *find_newest(const members *x)
{
    const member *newest = &x->member[0];
    for (size_t i = 0; i < x->count; i++) {
        const member *m = &x->member[i];
        if (m->row == m && m->is.run > newest->is.run && (m->is.choice_id || !newest->is.choice_id))
            newest = m;
    }
    return newest;
}

/* ---- the cells ------------------------------------------------------------------------------------------------ */

/* By the order in which the rows were chosen, which is that of the file; within a row by that of the runs, which is
 * that of its settings. */
static int by_row(const void *a, const void *b)
{
    const member *x = *(const member *const *)a, *y = *(const member *const *)b;
    const pb_member *p = &x->row->is, *q = &y->row->is;
    if (x->row == y->row)
        return x->is.run < y->is.run ? -1 : x->is.run > y->is.run;
    if (!p->choice_id != !q->choice_id)
        return !p->choice_id - !q->choice_id;
    long long d = p->choice_id ? p->choice_id - q->choice_id : p->run - q->run;
    return d < 0 ? -1 : 1;
}

/* Returns whether the row of a member was made by another version of the code than the newest row. */
static bool has_other_code(const member *m, const member *newest)
{
    return strcmp(provenance_of(m->row, PB_CODE_ENGINE), provenance_of(newest, PB_CODE_ENGINE)) != 0;
}

/* Warns of the rows that are left out, and of those that another version of the code has made. */
static void warn(const members *x, const char *place, const member *newest)
{
    pb_text out = {0}, other = {0};
    for (size_t i = x->count; i-- > 0;) { /* the order of the file */
        const member *m = &x->member[i];
        bool left_out = !is_comparable(m, newest);
        pb_text *list = left_out ? &out : &other;
        if (m->row == m && (left_out || has_other_code(m, newest)))
            pb_text_add(list, "%s%s", list->length ? ", " : "", m->is.row);
    }
    if (out.length)
        pb_warn("%s: left out, as their data, model or task are not those of %s: %s", place, newest->is.row, out.data);
    if (other.length)
        pb_warn("%s: run by another version of the code than %s: %s", place, newest->is.row, other.data);
    pb_text_free(&out);
    pb_text_free(&other);
}

/* Collects the members that become cells, in order.  Returns their number. */
static size_t select_members(const members *x, const member *newest, const member **out)
{
    size_t n = 0;
    for (size_t i = 0; i < x->count; i++) {
        const member *m = &x->member[i];
        if (is_comparable(m->row, newest) && is_of_sweep(m, m->row))
            out[n++] = m;
    }
    qsort(out, n, sizeof *out, by_row);
    return n;
}

/* Adds a cell unless its row has this choice and seed already. */
static void add_cell(pb_stored_experiment *e, pb_stored_cell *cell, const member *m, const member *newest)
{
    for (int i = 0; i < e->cells; i++)
        if (!strcmp(cell[i].row, m->is.row) && !strcmp(cell[i].choice, m->is.choice) && cell[i].seed == m->is.seed)
            return;
    pb_stored_cell *c = &cell[e->cells++];
    *c = (pb_stored_cell){m->is.row, m->is.choice, m->is.seed, .settings = m->settings,
                          .other_code = has_other_code(m, newest)};
    snprintf(c->hash.hex, sizeof c->hash.hex, "%s", m->is.hash);
    snprintf(c->sweep.hex, sizeof c->sweep.hex, "%s", m->row->is.sweep);
}

/* Warns of the rows whose setting was chosen from more runs than are found, also among those of other experiments. */
static void warn_of_lost(const members *x, const pb_stored_experiment *e)
{
    for (size_t i = 0; i < x->count; i++) {
        const member *m = &x->member[i];
        int found = 0;
        for (int k = 0; k < e->cells; k++)
            found += !strcmp(e->cell[k].row, m->is.row);
        if (m->row == m && m->is.settings > 1 && found && found < m->is.finished)
            pb_warn("%s: %s: its setting was chosen from %d runs, of which %d are left out: another experiment has "
                    "stored them; want the experiment's file in place of the database to see all",
                    e->place, m->is.row, m->is.finished, m->is.finished - found);
    }
}

/* Returns with how many seeds each setting was tried, 0 for all, as the first row with several settings says. */
static int count_trial_seeds(const members *x)
{
    for (size_t i = 0; i < x->count; i++) {
        const pb_member *m = &x->member[i].is;
        int seeds = 0;
        for (size_t k = 0; k < x->count; k++)
            seeds += x->member[k].is.choice_id == m->choice_id;
        if (m->settings > 1)
            return (m->cells - seeds) / (m->settings - 1) < seeds ? (m->cells - seeds) / (m->settings - 1) : 0;
    }
    return 0;
}

/* The stored view, and in place of it what the user wants. */
static int take_view(pb_stored_experiment *e, const member *m, const pb_settings *view)
{
    static const char *const key[] = {"title", "baseline", "axis", "strength"};
    int rc = 0;
    for (size_t i = 0; i < PB_COUNT(key) && !rc; i++) {
        char *name = pb_format("%s.%s", PB_VIEW, key[i]);
        const char *value = pb_settings_get(view, key[i]);
        rc = pb_settings_put(&e->view, key[i], value ? value : provenance_of(m, name));
        free(name);
    }
    return rc;
}

static pb_digest digest_of(const member *m, const char *key)
{
    pb_digest digest;
    snprintf(digest.hex, sizeof digest.hex, "%s", provenance_of(m, key));
    return digest;
}

/* Returns the kind of a run's task, which the digest of its code names, or NULL. */
static const char *kind_of(const member *m)
{
    static const char prefix[] = PB_CODE_TASK ".";
    for (size_t i = 0; i < m->provenance.count; i++)
        if (!strncmp(m->provenance.entry[i].key, prefix, strlen(prefix)))
            return m->provenance.entry[i].key + strlen(prefix);
    return NULL;
}

static pb_experiment *make(const members *x, const char *place, const char *name, const pb_settings *view)
{
    const member **all = pb_alloc((x->count + 1) * sizeof *all), *newest = find_newest(x);
    pb_stored_cell *cell = pb_alloc((x->count + 1) * sizeof *cell);
    pb_stored_experiment e = {.name = name, .place = place, .cell = cell};
    warn(x, place, newest);
    size_t n = select_members(x, newest, all);
    for (size_t i = 0; i < n; i++) {
        add_cell(&e, cell, all[i], newest);
        const char *text = provenance_of(all[i], PB_RETENTION_TEXT);
        e.measured = *text ? text : e.measured;
    }
    warn_of_lost(x, &e);
    e.data = digest_of(newest, "data");
    e.model = digest_of(newest, "model");
    e.config = digest_of(newest, "config");
    e.tokenizer = digest_of(newest, "tokenizer");
    e.trial_seeds = count_trial_seeds(x);
    e.kind = kind_of(newest);
    pb_experiment *made = take_view(&e, newest, view) ? NULL : pb_experiment_of_runs(&e);
    pb_settings_free(&e.view);
    free(cell);
    free(all);
    return made;
}

/* Reads the members of an experiment and what belongs together. */
static int read_members(pb_store *s, const char *name, members *x)
{
    if (pb_store_members(s, name, add_member, x) || read_settings(s, x))
        return -1;
    find_rows(x);
    return complete_sweeps(s, name, x);
}

pb_experiment *pb_stored_experiment_read(pb_store *s, const char *db, const char *name, const pb_settings *view)
{
    members x = {.member = NULL};
    pb_experiment *e = NULL;
    char *place = pb_format("%s:%.*s", db, (int)strcspn(name, "@"), name);
    if (strchr(name, '/') || *name == '.') /* it becomes the name of a folder */
        pb_error("%s: want the name of an experiment", place);
    else if (!read_members(s, name, &x)) {
        if (x.count)
            e = make(&x, place, name, view);
        else
            pb_error("%s: there are no runs of this experiment", place);
    }
    free_members(&x);
    free(place);
    return e;
}
