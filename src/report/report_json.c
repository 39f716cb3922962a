/* report_json: the table of an experiment as JSON, one object a row. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "report/notes.h"
#include "report/report.h"
#include "report/tuning.h"

typedef struct object {
    const pb_report *report;
    int row;
    pb_text *text;
    int members;
} object;

static void add_number(pb_text *t, const char *name, double x)
{
    pb_text_add(t, "\"%s\":", name);
    pb_json_put(t, x);
}

static void add_member(object *o, const char *name)
{
    pb_text_add(o->text, o->members++ ? "," : "");
    pb_json_quote(o->text, name);
    pb_text_add(o->text, ":");
}

static void add_value(object *o, const char *key, int split)
{
    pb_interval v = pb_report_value(o->report, o->row, split, key);
    add_member(o, key);
    pb_text_add(o->text, "{");
    add_number(o->text, "mean", v.middle);
    pb_text_add(o->text, ",");
    add_number(o->text, "low", v.low);
    pb_text_add(o->text, ",");
    add_number(o->text, "high", v.high);
    pb_text_add(o->text, ",\"n\":%d}", v.n);
}

/* Orders values by key and split. */
static int compare_values(const void *a, const void *b)
{
    const pb_stored_value *x = *(const pb_stored_value *const *)a, *y = *(const pb_stored_value *const *)b;
    int order = strcmp(x->key, y->key);
    return order ? order : (x->split > y->split) - (x->split < y->split);
}

/* Adds every value that one of the row's runs has, sorted by key. */
static void add_values(object *o)
{
    const pb_report_row *row = &o->report->row[o->row];
    const pb_stored_value **all = NULL;
    size_t n = 0, capacity = 0;
    for (int i = 0; i < o->report->experiment->seeds; i++)
        for (size_t k = 0; k < row->values[i].count; k++) {
            pb_grow(&all, n, &capacity, sizeof *all);
            all[n++] = &row->values[i].value[k];
        }
    if (n)
        qsort(all, n, sizeof *all, compare_values);
    for (size_t i = 0; i < n; i++)
        if (!i || compare_values(&all[i - 1], &all[i]))
            add_value(o, all[i]->key, all[i]->split);
    free(all);
}

static int add_setting(void *ctx, const char *key, const char *value)
{
    object *o = ctx;
    add_member(o, key);
    pb_json_quote(o->text, value);
    return 0;
}

/* Adds an object whose members `add` writes. */
static void add_object(object *o, const char *name, void (*add)(object *inner))
{
    add_member(o, name);
    object inner = *o;
    inner.members = 0;
    pb_text_add(o->text, "{");
    add(&inner);
    pb_text_add(o->text, "}");
}

/* Adds the settings of the row's runs.  Returns -1 with an error. */
static int add_options(object *o)
{
    add_member(o, "options");
    object inner = *o;
    inner.members = 0;
    pb_text_add(o->text, "{");
    int rc = pb_store_settings(o->report->store, o->report->row[o->row].id, o->report->experiment->seeds, add_setting,
                               &inner);
    pb_text_add(o->text, "}");
    return rc;
}

/* Adds the sweep in which the row's setting was chosen. */
static void add_sweep(object *o)
{
    const pb_selection *s = &o->report->selections.row[o->row];
    pb_text_add(o->text, "\"hash\":\"%s\",\"settings\":%d,\"runs\":%d,\"finished\":%d,\"partial\":%s", s->sweep.hex,
                s->row->choices, s->needed, s->finished, s->choice && s->partial ? "true" : "false");
}

static void add_seeds(object *o)
{
    const pb_experiment *e = o->report->experiment;
    const pb_report_row *row = &o->report->row[o->row];
    add_member(o, "seeds");
    pb_text_add(o->text, "[");
    for (int i = 0, n = 0; i < e->seeds; i++)
        if (row->id[i] > 0)
            pb_text_add(o->text, "%s%llu", n++ ? "," : "", (unsigned long long)e->seed[i]);
    pb_text_add(o->text, "],\"diverged\":%d,\"failed\":%d", row->diverged, row->failed);
}

static void add_note(void *ctx, const char *line)
{
    object *notes = ctx;
    pb_text_add(notes->text, notes->members++ ? "," : "");
    pb_json_quote(notes->text, line);
}

static void add_notes(object *o)
{
    add_member(o, "notes");
    object notes = *o;
    notes.members = 0;
    pb_text_add(o->text, "[");
    pb_notes_each(o->report, o->row, true, add_note, &notes);
    pb_text_add(o->text, "]");
}

/* The runs of the row's sweep that another version of the code made; no member if there are none. */
static void add_others(object *o)
{
    const pb_selections *all = &o->report->selections;
    const pb_selection *s = &all->row[o->row];
    if (!pb_report_others(o->report, o->row))
        return;
    add_member(o, "other_version");
    pb_text_add(o->text, "[");
    for (int i = s->first, n = 0; i < s->first + s->cells; i++) {
        long long run = all->other ? all->other[i].run : all->cell[i].run;
        if (!run)
            continue;
        pb_text_add(o->text, "%s{\"run\":%lld,\"why\":", n++ ? "," : "", run);
        pb_json_quote(o->text, all->other ? all->other[i].why : PB_OTHERS_ARE " than the newest row");
        pb_text_add(o->text, "}");
    }
    pb_text_add(o->text, "]");
}

static int add_row(const pb_report *r, int row, pb_text *text)
{
    const pb_experiment *e = r->experiment;
    const char *choice = r->row[row].choice;
    const char *pair[][2] = {{"experiment", e->name},
                             {"task", e->task_name},
                             {"model", e->model_path},
                             {"method", e->row[row].label},
                             {"choice", choice ? choice : ""}};
    object o = {.report = r, .row = row, .text = text};
    pb_text_add(text, "{");
    for (size_t i = 0; i < PB_COUNT(pair); i++) {
        add_member(&o, pair[i][0]);
        pb_json_quote(text, pair[i][1]);
    }
    add_seeds(&o);
    add_object(&o, "sweep", add_sweep);
    int rc = add_options(&o);
    add_object(&o, "values", add_values);
    add_notes(&o);
    add_others(&o);
    add_member(&o, "tuning");
    pb_tuning_json(r, row, text);
    pb_text_add(text, "}\n");
    return rc;
}

int pb_report_json(const pb_report *r, FILE *out)
{
    pb_text text = {0};
    int rc = 0;
    for (int i = 0; i < r->experiment->rows && !rc; i++)
        rc = add_row(r, i, &text);
    if (!rc && text.data)
        fputs(text.data, out);
    pb_text_free(&text);
    return rc;
}
