/* notes: see notes.h. */
#include "report/notes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "results/timing.h"

typedef struct writer {
    const pb_report *report;
    int row;
    void (*each)(void *ctx, const char *line);
    void *ctx;
} writer;

PB_PRINTF(2, 3) static void add_note(const writer *t, const char *fmt, ...)
{
    pb_text line = {0};
    char *text;
    va_list args;
    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) < 0)
        pb_no_memory("notes");
    va_end(args);
    pb_text_add(&line, "%s: %s", t->report->row[t->row].row->label, text);
    t->each(t->ctx, line.data);
    free(text);
    pb_text_free(&line);
}

/* ---- busy machine --------------------------------------------------------------------------------------------- */

double pb_notes_training_wait(const pb_report *r, int row)
{
    return pb_report_value(r, row, -1, "compute.step_contention").middle;
}

double pb_notes_timing_wait(const pb_report *r, int row)
{
    return pb_report_single(r, row, "overhead.contention");
}

static void note_waits(const writer *t)
{
    double step = pb_notes_training_wait(t->report, t->row), pass = pb_notes_timing_wait(t->report, t->row);
    if (step > PB_CONTENDED)
        add_note(
            t,
            "training waited %.0f %% of the time for a processor; step ms and GFLOP/s were measured on a busy machine",
            100 * step);
    if (pass > PB_CONTENDED)
        add_note(
            t, "the timing pass waited %.0f %% of the time for a processor; its ratios were measured on a busy machine",
            100 * pass);
}

/* ---- truncated texts ----------------------------------------------------------------------------------------- */

/* Returns the share of the texts of a split that was truncated in a row's runs; NaN if it was not recorded. */
static double cut_of(const pb_report *r, int row, int split)
{
    char key[32];
    snprintf(key, sizeof key, "data.cut.%s", pb_split_name[split]);
    return pb_report_value(r, row, -1, key).middle;
}

static bool cuts_alike(const pb_report *r, int row, int other)
{
    for (int s = 0; s < PB_SPLITS; s++)
        if (cut_of(r, row, s) != cut_of(r, other, s))
            return false;
    return true;
}

/* Rows that cut the same texts have one note, at the first of them. */
static void note_cuts(const writer *t)
{
    const pb_report *r = t->report;
    bool much = false;
    int alike = 0;
    for (int s = 0; s < PB_SPLITS; s++)
        much = much || cut_of(r, t->row, s) > PB_MOST_CUT;
    for (int i = 0; i < r->experiment->rows && much; i++) {
        if (i < t->row && cuts_alike(r, t->row, i))
            return;
        alike += i > t->row && cuts_alike(r, t->row, i);
    }
    if (!much)
        return;
    char *others = alike ? pb_format(" (in %d other row%s, too)", alike, alike == 1 ? "" : "s") : pb_strdup("");
    add_note(t,
             "texts were longer than max_tokens or the context and were cut: %.1f %% of train, %.1f %% of validation, "
             "%.1f %% of test%s",
             100 * cut_of(r, t->row, PB_TRAIN), 100 * cut_of(r, t->row, PB_VALIDATION),
             100 * cut_of(r, t->row, PB_TEST), others);
    free(others);
}

/* ---- training ------------------------------------------------------------------------------------------------ */

static void note_loss(const writer *t)
{
    double first = pb_report_value(t->report, t->row, -1, "train.first_loss").middle;
    double last = pb_report_value(t->report, t->row, -1, "train.last_loss").middle;
    if (last > PB_HARDLY_MOVED * first)
        add_note(t, "the training loss hardly moved: %.4g in the first epoch, %.4g in the last", first, last);
}

/* Of a run that a budget of training has ended. */
static void note_budget(const writer *t)
{
    double steps = pb_report_value(t->report, t->row, -1, "train.steps").middle;
    double timed = pb_report_value(t->report, t->row, -1, "train.clock_steps").middle;
    if (!isnan(steps))
        add_note(t, "max_flops allowed %.6g steps", steps);
    if (!isnan(timed))
        add_note(t,
                 "max_seconds ended the training after %.6g steps, by the clock; such a run cannot be repeated to the "
                 "bit",
                 timed);
}

/* ---- the edge of a sweep ------------------------------------------------------------------------------------- */

/* Returns the number after `key=` in a choice such as "lr=0.003 lora.rank=8"; NaN if there is none. */
static double number_of(const char *choice, const char *key, size_t n)
{
    for (const char *at = choice; *at; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        if (length > n && at[n] == '=' && !strncmp(at, key, n)) {
            char *end;
            double x = strtod(at + n + 1, &end);
            return end > at + n + 1 && (!*end || *end == ' ') ? x : NAN;
        }
        at += length;
    }
    return NAN;
}

/* Compares the value of `key` [n] in the row's choice with all values of it that the row has tried. */
static void note_edge(const writer *t, const char *key, size_t n)
{
    const pb_experiment *e = t->report->experiment;
    const pb_report_row *row = &t->report->row[t->row];
    double chosen = number_of(row->choice, key, n), least = chosen, most = chosen;
    for (int i = 0; i < e->cells; i++)
        if (e->cell[i].row == row->row) {
            least = fmin(least, number_of(e->cell[i].choice, key, n));
            most = fmax(most, number_of(e->cell[i].choice, key, n));
        }
    if (isnan(chosen) || least == most || (chosen > least && chosen < most) ||
        chosen == 0) /* there is no value beyond 0 */
        return;
    add_note(t, "the chosen %.*s is at the edge of the sweep, %g..%g; a better value may lie beyond it",
             (int)strcspn(key, " "), key, least, most);
}

static void note_edges(const writer *t)
{
    const char *choice = t->report->row[t->row].choice;
    if (pb_report_value(t->report, t->row, -1, "storage.trainable").middle == 0)
        return; /* a row that trains nothing is the same at every learning rate */
    for (const char *at = choice ? choice : ""; *at; at += strspn(at, " ")) {
        note_edge(t, at, strcspn(at, "= "));
        at += strcspn(at, " ");
    }
}

void pb_notes_each(const pb_report *r, int row, bool times, void (*each)(void *ctx, const char *line), void *ctx)
{
    const writer t = {r, row, each, ctx};
    if (times)
        note_waits(&t);
    note_cuts(&t);
    note_loss(&t);
    note_budget(&t);
    note_edges(&t);
}
