/* selection: see selection.h. */
#include "results/selection.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- cells ------------------------------------------------------------------------------------------------- */

static int read_cells(pb_selections *x, pb_store *s)
{
    const pb_experiment *e = x->experiment;
    char *score = pb_format("accuracy.validation.%s", e->primary->name);
    int rc = 0;
    for (int i = 0; i < e->cells && !rc; i++)
        rc = pb_store_state(s, &e->cell[i].hash, score, &x->cell[i]);
    free(score);
    return rc;
}

/* Gives each cell that has neither a finished nor a failed run the state of its run of another version of the code. */
static int read_others(pb_selections *x, pb_store *s)
{
    const pb_experiment *e = x->experiment;
    x->other = pb_other_runs_find(s, e, x->cell);
    char *score = pb_format("accuracy.validation.%s", e->primary->name);
    int rc = x->other ? 0 : -1;
    for (int i = 0; i < e->cells && !rc; i++) {
        if (!x->other[i].code_only || x->cell[i].failed)
            x->other[i].run = 0;
        else
            rc = pb_store_state(s, &x->other[i].hash, score, &x->cell[i]);
    }
    free(score);
    return rc;
}

static int by_hex(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Returns the hash of a sweep, the stored one if there is one.  It does not depend on the order of the cells. */
static pb_digest hash_sweep(const pb_experiment *e, const pb_selection *s)
{
    int first = s->first, cells = s->cells;
    if (*s->row->sweep.hex)
        return s->row->sweep;
    const char **hash = pb_alloc((size_t)(cells + 1) * sizeof *hash);
    pb_text all = {0};
    for (int i = 0; i < cells; i++)
        hash[i] = e->cell[first + i].hash.hex;
    qsort(hash, (size_t)cells, sizeof *hash, by_hex);
    for (int i = 0; i < cells; i++)
        pb_text_add(&all, "%s\n", hash[i]);
    if (s->trial_seeds < e->seeds)
        pb_text_add(&all, "tried with %d seeds\n", s->trial_seeds);
    pb_digest out = pb_sha256(all.data, all.length);
    pb_text_free(&all);
    free(hash);
    return out;
}

/* Returns the mean score over the finished ones of the first `seeds` seeds of the setting whose cells begin at
 * `first`; higher is better. */
static double mean_of(const pb_selections *x, int first, int seeds)
{
    const pb_metric_info *primary = x->experiment->primary;
    double sum = 0;
    int n = 0;
    for (int i = first; i < first + seeds; i++) {
        double value = x->cell[i].validation;
        if (!x->cell[i].run)
            continue;
        sum += isnan(value) ? -INFINITY : primary->higher_is_better ? value : -value;
        n++;
    }
    return n ? sum / n : NAN;
}

/* ---- choosing ------------------------------------------------------------------------------------------------ */

/* Returns true if a trial of setting k has failed and has no finished run. */
static bool has_failed(const pb_selections *x, const pb_selection *s, int k)
{
    const pb_cell_state *cell = x->cell + s->first + k * x->experiment->seeds;
    for (int i = 0; i < s->trial_seeds; i++)
        if (!cell[i].run && cell[i].failed)
            return true;
    return false;
}

/* Returns how many settings a failed trial excludes: none if that were all of them. */
static int count_lost(const pb_selections *x, const pb_selection *s)
{
    int lost = 0;
    for (int k = 0; k < s->row->choices; k++)
        lost += has_failed(x, s, k);
    return lost < s->row->choices ? lost : 0;
}

static void choose(pb_selections *x, pb_selection *s, int at)
{
    const pb_experiment *e = x->experiment;
    s->at = at;
    s->choice = e->cell[s->first + at * e->seeds].choice;
    for (int i = 0; i < e->seeds; i++)
        s->run[i] = x->cell[s->first + at * e->seeds + i].run;
}

/* Returns the index of the setting with the best mean, the first of equal ones; -1 if no run is finished. */
static int best_of(const pb_selections *x, const pb_selection *s)
{
    int best = -1;
    for (int k = 0; k < s->row->choices; k++)
        if (!isnan(s->mean[k]) && !(s->lost && has_failed(x, s, k)) && (best < 0 || s->mean[k] > s->mean[best]))
            best = k;
    return best;
}

static int index_of_choice(const pb_selections *x, const pb_selection *s, const char *choice)
{
    for (int k = 0; k < s->row->choices; k++)
        if (pb_cell_is_choice(&x->experiment->cell[s->first + k * x->experiment->seeds], choice))
            return k;
    return -1;
}

/* Counts the runs of the setting `at` with the seeds from..to-1. */
static void count_runs(const pb_selections *x, pb_selection *s, int at, int from, int to)
{
    const pb_cell_state *cell = x->cell + s->first + at * x->experiment->seeds;
    for (int i = from; i < to; i++) {
        s->finished += cell[i].run != 0;
        s->failed += !cell[i].run && cell[i].failed;
    }
}

/* Determines the choice.  A stored choice has precedence over the current best setting, but a partial one only until
 * all runs are finished. */
static int choose_for(pb_selections *x, pb_selection *s, pb_store *store, bool partial)
{
    pb_choice was;
    if (!s->finished)
        return 0;
    if (pb_store_chosen(store, &s->sweep, &was))
        return -1;
    int seeds = x->experiment->seeds, others = seeds - s->trial_seeds;
    bool tried = s->finished == s->needed - others, was_whole = was.id && was.finished == was.cells;
    int stored = was.id && (was_whole || !tried) ? index_of_choice(x, s, was.choice) : -1;
    int at = stored >= 0 ? stored : tried || partial || s->row->choices == 1 ? best_of(x, s) : -1;
    if (at >= 0) {
        choose(x, s, at);
        count_runs(x, s, at, s->trial_seeds, seeds);
    }
    s->stored = stored >= 0 && !strcmp(was.experiment, x->experiment->name) && !strcmp(was.row, s->row->label);
    s->partial = stored >= 0 ? !was_whole : !tried;
    pb_choice_free(&was);
    return 0;
}

static int make_row(pb_selections *x, pb_store *store, int row, int first, bool partial)
{
    const pb_experiment *e = x->experiment;
    pb_selection *s = &x->row[row];
    *s = (pb_selection){.row = &e->row[row], .first = first, .cells = e->row[row].choices * e->seeds};
    s->mean = pb_alloc((size_t)(s->row->choices + 1) * sizeof *s->mean);
    s->run = pb_alloc((size_t)(e->seeds + 1) * sizeof *s->run);
    s->trial_seeds = pb_experiment_trial_seeds(e, s->row);
    s->lost = count_lost(x, s);
    s->needed = (s->row->choices - s->lost) * s->trial_seeds + e->seeds - s->trial_seeds;
    s->sweep = hash_sweep(e, s);
    for (int k = 0; k < s->row->choices; k++) {
        bool lost = s->lost && has_failed(x, s, k);
        int finished = s->finished;
        count_runs(x, s, k, 0, s->trial_seeds);
        s->finished = lost ? finished : s->finished; /* its failed runs count, as nobody else reports them */
        s->mean[k] = lost ? -INFINITY : mean_of(x, first + k * e->seeds, s->trial_seeds);
    }
    return choose_for(x, s, store, partial);
}

int pb_selections_make(pb_selections *out, pb_store *s, const pb_experiment *e, int how)
{
    *out = (pb_selections){.experiment = e,
                           .cell = pb_alloc((size_t)(e->cells + 1) * sizeof *out->cell),
                           .row = pb_alloc((size_t)(e->rows + 1) * sizeof *out->row)};
    int rc = read_cells(out, s), first = 0;
    if (!rc && how & PB_SELECT_ANY_VERSION)
        rc = read_others(out, s);
    for (int i = 0; i < e->rows && !rc; i++) {
        rc = make_row(out, s, i, first, how & PB_SELECT_PARTIAL);
        first += out->row[i].cells;
    }
    if (rc)
        pb_selections_free(out);
    return rc ? -1 : 0;
}

void pb_selections_free(pb_selections *x)
{
    for (int i = 0; x->cell && i < x->experiment->cells; i++)
        free(x->cell[i].error);
    for (int i = 0; x->row && i < x->experiment->rows; i++) {
        free(x->row[i].mean);
        free(x->row[i].run);
    }
    pb_other_runs_free(x->other, x->experiment ? x->experiment->cells : 0);
    free(x->cell);
    free(x->row);
    *x = (pb_selections){.experiment = NULL};
}

/* ---- using it -------------------------------------------------------------------------------------------------- */

bool pb_selection_is_ready(const pb_selection *s, bool partial)
{
    return s->choice && (s->finished == s->needed || s->stored || partial);
}

int pb_selection_store(const pb_selection *s, const pb_experiment *e, pb_store *store)
{
    pb_choice c = {.sweep = pb_strdup(s->sweep.hex),
                   .experiment = pb_strdup(e->name),
                   .row = pb_strdup(s->row->label),
                   .choice = pb_strdup(s->choice),
                   .settings = s->row->choices,
                   .cells = s->needed + s->lost * s->trial_seeds,
                   .finished = s->finished + s->lost * s->trial_seeds}; /* what failed is settled */
    int rc = pb_store_choose(store, &c, s->run, e->seeds);
    pb_choice_free(&c);
    return rc;
}

bool pb_selection_includes(const pb_selections *x, const pb_cell *c)
{
    const pb_experiment *e = x->experiment;
    const pb_selection *s = &x->row[c->row - e->row];
    return s->choice && (c - e->cell - s->first) / e->seeds == s->at;
}

bool pb_selection_needs(const pb_selections *x, const pb_cell *c)
{
    const pb_experiment *e = x->experiment;
    const pb_selection *s = &x->row[c->row - e->row];
    return (c - e->cell - s->first) % e->seeds < s->trial_seeds || pb_selection_includes(x, c);
}

void pb_selection_describe(const pb_selection *s, int seeds, pb_text *out)
{
    pb_text_add(out, "%s: ", s->row->label);
    if (s->choice && *s->choice)
        pb_text_add(out, "%s, the best of %d on validation; ", s->choice, s->row->choices);
    pb_text_add(out, "sweep %.8s: %d setting%s x %d seed%s", s->sweep.hex, s->row->choices,
                s->row->choices == 1 ? "" : "s", s->trial_seeds, s->trial_seeds == 1 ? "" : "s");
    if (s->trial_seeds < seeds)
        pb_text_add(out, ", the choice with %d", seeds);
    if (s->finished < s->needed)
        pb_text_add(out, ", %d of %d runs finished, %d failed", s->finished, s->needed, s->failed);
    if (s->lost)
        pb_text_add(out, "; %d setting%s not chosen from, because a run failed", s->lost, s->lost == 1 ? "" : "s");
    if (!s->choice && s->finished)
        pb_text_add(out, "; no setting is chosen until all runs are finished (or with `run --partial`)");
    else if (s->choice && s->partial)
        pb_text_add(out, "; PARTIAL: chosen while runs were missing");
}
