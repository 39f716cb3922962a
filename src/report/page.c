/* page: see page.h. */
#include "report/page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "report/html.h"
#include "report/notes.h"
#include "report/page_assets.h"
#include "report/page_internal.h"
#include "report/recommend.h"

/* ---- head -------------------------------------------------------------------------------------------------------- */

/* Adds the base64 form of the SHA-256 of a text, which the policy names the script by. */
static void add_digest(pb_text *t, const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    pb_digest d = pb_sha256(text, strlen(text));
    unsigned char byte[33] = {0};
    for (int i = 0; i < 32; i++) {
        const char two[3] = {d.hex[2 * i], d.hex[2 * i + 1], 0};
        byte[i] = (unsigned char)strtoul(two, NULL, 16);
    }
    for (int i = 0; i < 33; i += 3) {
        unsigned v = (unsigned)byte[i] << 16 | (unsigned)byte[i + 1] << 8 | byte[i + 2];
        pb_text_add(t, "%c%c%c%c", digits[v >> 18], digits[v >> 12 & 63], digits[v >> 6 & 63],
                    i == 30 ? '=' : digits[v & 63]);
    }
}

static void add_contents(pb_text *t)
{
    static const char *const sections[][2] = {
        {"summary", "Summary"},   {"table", "Results"},   {"figures", "Figures"}, {"notes", "Notes"},
        {"failures", "Failures"}, {"methods", "Methods"}, {"data", "Data"},       {"provenance", "Provenance"}};
    pb_text_add(t, "<nav aria-label=\"sections\">");
    for (size_t i = 0; i < PB_COUNT(sections); i++)
        pb_text_add(t, "<a href=\"#%s\">%s</a>\n", sections[i][0], sections[i][1]);
    pb_text_add(t, "</nav>\n");
}

static void add_head(pb_text *t, const pb_experiment *e)
{
    pb_text_add(t,
                "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
                "script-src 'sha256-");
    add_digest(t, pb_page_script);
    pb_text_add(t, "'; base-uri 'none'; form-action 'none'\">\n"
                   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    pb_html_element(t, "title", e->title && *e->title ? e->title : e->name);
    pb_text_add(t, "<style>\n%s</style>\n</head>\n<body>\n<main>\n", pb_page_style);
    pb_html_element(t, "h1", e->title && *e->title ? e->title : e->name);
    const char *name = strrchr(e->path, '/'); /* the folder is of no use to a reader elsewhere */
    pb_text_add(t, "<p class=\"soft\">");
    pb_html_text(t, name ? name + 1 : e->path);
    pb_text_add(t, ": task ");
    pb_html_text(t, e->task_name);
    pb_text_add(t, ", model ");
    pb_html_text(t, e->model_path);
    pb_text_add(t, ", %d rows, %d seed%s. ", e->rows, e->seeds, e->seeds == 1 ? "" : "s");
    pb_text_add(t, "Intervals are of 95 %%.</p>\n");
    add_contents(t);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

/* A column of the table. */
typedef struct column {
    const char *title, *key; /* NULL: the difference to the baseline */
    const char *format;      /* of printf; NULL: with a decimal prefix and this unit */
    const char *unit;
    bool rising; /* more is better */
} column;

static void add_cell(pb_text *t, const char *text, pb_interval v, const char *format)
{
    if (isnan(v.middle)) {
        pb_text_add(t, "<td data-value=\"\">-</td>");
        return;
    }
    pb_text_add(t, "<td data-value=\"%.9g\"", v.middle);
    if (!isnan(v.low) && !isnan(v.high))
        pb_text_add(t, " title=\"%.6g, 95 %% interval %.6g to %.6g\"", v.middle, v.low, v.high);
    else
        pb_text_add(t, " title=\"%.9g\"", v.middle);
    pb_text_add(t, ">%s", text);
    if (format && !isnan(v.low) && !isnan(v.high)) {
        char low[32], high[32];
        snprintf(low, sizeof low, format, v.low);
        snprintf(high, sizeof high, format, v.high);
        pb_text_add(t, "<small>%s to %s</small>", low, high);
    }
    pb_text_add(t, "</td>");
}

static pb_interval value_of(const pb_report *r, int row, const column *c)
{
    static const pb_interval none = {NAN, NAN, NAN, 0};
    char key[96];
    if (c->key)
        return pb_report_measured(r, row, c->key);
    return row == pb_report_baseline(r) ? none
                                        : pb_report_difference(r, row, PB_TEST, pb_report_primary(r, PB_TEST, key));
}

static void add_row(pb_text *t, const pb_report *r, int row, const column *all, int n, bool best)
{
    pb_text_add(t, "<tr%s><td>", best ? " class=\"best\"" : "");
    pb_html_text(t, r->row[row].row->label);
    if (pb_report_others(r, row))
        pb_text_add(t, " <span title=\"" PB_OTHERS_ARE "\">&dagger;</span>");
    if (r->row[row].choice && *r->row[row].choice) {
        pb_text_add(t, "<small>");
        pb_html_text(t, r->row[row].choice);
        pb_text_add(t, "</small>");
    }
    pb_text_add(t, "</td>");
    for (int k = 0; k < n; k++) {
        char text[PB_UNIT_SIZE];
        pb_interval v = value_of(r, row, &all[k]);
        if (all[k].format)
            snprintf(text, sizeof text, all[k].format, v.middle);
        else
            pb_with_unit(text, v.middle, all[k].unit);
        add_cell(t, text, v, all[k].format);
    }
    pb_text_add(t, "</tr>\n");
}

/* Reduces the columns to those in which a row has a value.  Returns their number. */
static int measured_columns(const pb_report *r, column *all, int n)
{
    int kept = 0;
    for (int k = 0; k < n; k++) {
        bool known = false;
        for (int i = 0; i < r->experiment->rows; i++)
            known = known || !isnan(value_of(r, i, &all[k]).middle);
        if (known)
            all[kept++] = all[k];
    }
    return kept;
}

/* A heading, a click on which sorts by the column: the first one in the order `first`. */
static void add_heading(pb_text *t, const char *title, const char *key, bool falls, bool sorted)
{
    pb_text_add(t, "<th scope=\"col\" data-first=\"%s\"%s", falls ? "descending" : "ascending",
                sorted ? " aria-sort=\"descending\"" : "");
    if (key) {
        pb_text_add(t, " title=\"");
        pb_html_text(t, key);
        pb_text_add(t, "\"");
    }
    pb_text_add(t, "><button type=\"button\">");
    pb_html_text(t, title);
    pb_text_add(t, "</button></th>");
}

static void add_rows(pb_text *t, const pb_report *r, const column *all, int n, int best)
{
    int rows = r->experiment->rows, *order = pb_alloc((size_t)rows * sizeof *order);
    char key[96];
    pb_report_order(r, pb_report_primary(r, PB_TEST, key), order);
    pb_text_add(t, "<div class=\"wide\" tabindex=\"0\"><table id=\"results\">\n<thead><tr>");
    add_heading(t, "method", NULL, false, false);
    for (int k = 0; k < n; k++)
        add_heading(t, all[k].title, all[k].key, all[k].rising, !k && all[k].rising);
    pb_text_add(t, "</tr></thead>\n<tbody>\n");
    for (int i = 0; i < rows; i++)
        add_row(t, r, order[i], all, n, order[i] == best);
    pb_text_add(t, "</tbody>\n</table></div>\n");
    free(order);
}

/* Says how to read the table, above it. */
static void add_legend(pb_text *t, const pb_report *r, int best)
{
    bool others = false;
    for (int i = 0; i < r->experiment->rows; i++)
        others = others || pb_report_others(r, i);
    pb_text_add(t, "<p>Scores are %s. ", r->experiment->primary->name);
    if (best >= 0)
        pb_text_add(t, "The row that validation chooses is marked. ");
    if (others)
        pb_text_add(t, "&dagger;: " PB_OTHERS_ARE ". ");
    pb_text_add(t,
                "<span class=\"tools\">A click on a heading sorts.</span></p>\n<p class=\"tools\"><label>Show rows "
                "with <input id=\"filter\" type=\"search\" autocomplete=\"off\"></label> <output id=\"shown\" "
                "for=\"filter\">%d rows</output></p>\n",
                r->experiment->rows);
}

static void add_table(pb_text *t, const pb_report *r, int best)
{
    bool rising = r->experiment->primary->higher_is_better;
    char test[96], validation[96];
    char *difference = pb_format("difference to %s", r->experiment->baseline);
    column all[] = {
        {"test", pb_report_primary(r, PB_TEST, test), "%.4f", NULL, rising},
        {difference, NULL, "%+.4f", NULL, rising},
        {"validation", pb_report_primary(r, PB_VALIDATION, validation), "%.4f", NULL, rising},
        {"trainable", "storage.trainable", NULL, "", false},
        {"file", "storage.artifact_bytes", NULL, "B", false},
        {"training memory", "memory.train.total", NULL, "B", false},
        {"FLOPs of training", "compute.train_flops", NULL, "", false},
        {"step, ms", "compute.step_ms", "%.2f", NULL, false},
        {"prefill / base", "overhead.prefill_ratio.b1", "%.3f", NULL, false},
        {"merged", "overhead.prefill_ratio.b1.merged", "%.3f", NULL, false},
        {"loss delta on general text", "retention.loss_delta", "%+.4f", NULL, false},
    };
    pb_html_section(t, "table", "Results");
    add_legend(t, r, best);
    add_rows(t, r, all, measured_columns(r, all, PB_COUNT(all)), best);
    free(difference);
}

/* ---- notes and runs that failed ---------------------------------------------------------------------------------- */

/* The notes of a row. */
typedef struct row_notes {
    const pb_row *row;
    pb_text lines;
    int count;
} row_notes;

/* Adds a line of the form "LABEL: NOTE" without the label, which stands beside all notes of a row. */
static void add_note(void *ctx, const char *line)
{
    row_notes *n = ctx;
    size_t label = strlen(n->row->label);
    bool named = !strncmp(line, n->row->label, label) && !strncmp(line + label, ": ", 2);
    if (n->count++)
        pb_text_add(&n->lines, "<br>\n");
    pb_html_text(&n->lines, named ? line + label + 2 : line);
}

/* Adds the notes of a row to a list.  Returns the number of warnings. */
static int add_row_notes(pb_text *list, const pb_report *r, int row)
{
    const pb_selection *s = &r->selections.row[row];
    row_notes n = {.row = s->row};
    pb_text choice = {0};
    pb_selection_describe(s, r->experiment->seeds, &choice);
    int said = s->row->choices > 1 || s->finished < s->needed;
    if (said)
        add_note(&n, choice.data);
    pb_notes_each(r, row, true, add_note, &n);
    if (n.count) {
        pb_text_add(list, "<tr><td>");
        pb_html_text(list, s->row->label);
        pb_text_add(list, "</td><td>%s</td></tr>\n", n.lines.data);
    }
    pb_text_free(&choice);
    pb_text_free(&n.lines);
    return n.count - said;
}

static void add_notes(pb_text *t, const pb_report *r)
{
    pb_text list = {0};
    int warnings = 0;
    for (int i = 0; i < r->experiment->rows; i++)
        warnings += add_row_notes(&list, r, i);
    pb_html_section(t, "notes", "Notes");
    if (list.length)
        pb_text_add(
            t,
            "<details><summary>How settings were chosen, and %d warning%s</summary>\n<div class=\"wide\"><table "
            "class=\"texts\">\n<tbody>\n%s</tbody></table></div>\n</details>\n",
            warnings, warnings == 1 ? "" : "s", list.data);
    else
        pb_html_element(t, "p", "None.");
    pb_text_free(&list);
}

static void add_failures(pb_text *t, const pb_report *r)
{
    const pb_experiment *e = r->experiment;
    int n = 0;
    pb_html_section(t, "failures", "Runs that failed or diverged");
    for (int i = 0; i < e->cells; i++) {
        const pb_cell_state *s = &r->selections.cell[i];
        if (strcmp(s->status, "failed") != 0 && strcmp(s->status, "diverged") != 0)
            continue;
        if (!n++)
            pb_text_add(
                t, "<div class=\"wide\"><table class=\"texts\">\n<thead><tr><th>row</th><th>setting</th><th>seed</th>"
                   "<th>status</th><th>reason</th></tr></thead>\n<tbody>\n");
        pb_text_add(t, "<tr><td>");
        pb_html_text(t, e->cell[i].row->label);
        pb_text_add(t, "</td><td>");
        pb_html_text(t, e->cell[i].choice);
        pb_text_add(t, "</td><td>%llu</td><td class=\"bad\">", (unsigned long long)e->cell[i].seed);
        pb_html_text(t, s->status);
        pb_text_add(t, "</td><td>");
        pb_html_text(t, s->error ? s->error : "");
        pb_text_add(t, "</td></tr>\n");
    }
    if (n)
        pb_text_add(t, "</tbody></table></div>\n");
    else
        pb_html_element(t, "p", "None.");
}

/* ---- methods, data and provenance -------------------------------------------------------------------------------- */

static void add_term(pb_text *t, const char *name, const char *text)
{
    if (!text || !*text)
        return;
    pb_text_add(t, "<p><span class=\"soft\">");
    pb_html_text(t, name);
    pb_text_add(t, ":</span> ");
    pb_html_text(t, text);
    pb_text_add(t, "</p>\n");
}

static void add_method(pb_text *t, const pb_report *r, int row)
{
    const pb_row *of = r->row[row].row;
    pb_text_add(t, "<details><summary><b>");
    pb_html_text(t, of->label);
    pb_text_add(t, "</b> <span class=\"soft\">");
    for (int k = 0; k < of->spec.parts; k++) {
        pb_text_add(t, k ? ", " : "");
        pb_html_text(t, of->spec.part[k].method->title);
    }
    pb_text_add(t, "</span></summary>\n");
    for (int k = 0; k < of->spec.parts; k++) {
        const pb_method *m = of->spec.part[k].method;
        if (of->spec.parts > 1)
            pb_html_element(t, "h3", m->title);
        add_term(t, "class", pb_category_name[m->traits.category]);
        add_term(t, "paper", m->paper);
        add_term(t, "what it does", m->help);
        add_term(t, "equation", m->equation);
        add_term(t, "trained elements that it adds", m->count);
        add_term(t, "notes", m->notes);
    }
    pb_text settings = {0};
    for (int i = 0; i < of->givens; i++) {
        const char *value = pb_report_setting(r, row, of->given[i]);
        if (value)
            pb_text_add(&settings, "%s%s = %s", settings.length ? "; " : "", of->given[i], value);
    }
    add_term(t, "settings that the experiment gives it", settings.data);
    pb_text_free(&settings);
    pb_text_add(t, "</details>\n");
}

/* Adds a line of a table of names and values; what has no value is left out. */
static void add_pair(pb_text *t, const char *name, const char *value)
{
    if (!*value)
        return;
    pb_text_add(t, "<tr><td>");
    pb_html_text(t, name);
    pb_text_add(t, "</td><td><code>");
    pb_html_text(t, value);
    pb_text_add(t, "</code></td></tr>\n");
}

static void begin_pairs(pb_text *t)
{
    pb_text_add(t, "<div class=\"wide\"><table class=\"texts\">\n<tbody>\n");
}

static void end_pairs(pb_text *t)
{
    pb_text_add(t, "</tbody></table></div>\n");
}

static void add_data(pb_text *t, const pb_report *r, const pb_data *d)
{
    const pb_settings *s = r->experiment->cell[0].settings;
    pb_html_section(t, "data", "Task and data");
    begin_pairs(t);
    add_pair(t, "task", r->experiment->task_name);
    add_pair(t, "kind", r->experiment->task->name);
    for (int k = 0; d && k < PB_SPLITS; k++) {
        char count[32];
        snprintf(count, sizeof count, "%d examples", d->split[k].count);
        add_pair(t, pb_split_name[k], count);
    }
    add_pair(t, "SHA-256 of the data", r->experiment->data.hex);
    add_pair(t, "SHA-256 of the model", r->experiment->model.hex);
    add_pair(t, "SHA-256 of its config", r->experiment->config.hex);
    add_pair(t, "SHA-256 of its tokenizer", r->experiment->tokenizer.hex);
    for (size_t i = 0; i < s->count; i++)
        if (!strncmp(s->item[i].key, "task.", 5))
            add_pair(t, s->item[i].key, s->item[i].value);
    end_pairs(t);
}

static int add_entry(void *ctx, const char *key, const char *value)
{
    add_pair(ctx, key, value);
    return 0;
}

static int by_id(const void *a, const void *b)
{
    long long x = *(const long long *)a, y = *(const long long *)b;
    return x < y ? -1 : x > y;
}

/* Adds "2, 6, 280-284": ascending numbers, of which those that follow each other are one range. */
static void add_ranges(pb_text *t, long long *id, int n)
{
    qsort(id, (size_t)n, sizeof *id, by_id);
    for (int i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && id[end] == id[end - 1] + 1;)
            end++;
        pb_text_add(t, "%s%lld", i ? ", " : "", id[i]);
        if (end - i > 1)
            pb_text_add(t, "%s%lld", end - i > 2 ? "-" : ", ", id[end - 1]);
    }
}

/* Adds the provenance of the first run there is; the runs of one experiment differ in it by their methods' code only,
 * or are marked in the table. */
static int add_provenance(pb_text *t, const pb_report *r)
{
    int seeds = r->experiment->seeds, n = 0;
    long long *id = pb_alloc((size_t)(r->experiment->rows * seeds + 1) * sizeof *id);
    for (int i = 0; i < r->experiment->rows * seeds; i++)
        if (r->row[i / seeds].id[i % seeds])
            id[n++] = r->row[i / seeds].id[i % seeds];
    long long run = n ? id[0] : 0;
    pb_text ids = {0};
    add_ranges(&ids, id, n);
    pb_html_section(t, "provenance", "Provenance");
    begin_pairs(t);
    add_pair(t, "runs of this page", ids.data ? ids.data : "none");
    char first[32];
    snprintf(first, sizeof first, "run %lld", run);
    if (run)
        add_pair(t, "below", first);
    int rc = run ? pb_store_provenance(r->store, run, add_entry, t) : 0;
    end_pairs(t);
    pb_text_free(&ids);
    free(id);
    return rc;
}

/* ---- the page ---------------------------------------------------------------------------------------------------- */

static int add_all(pb_text *t, const pb_report *r, const pb_data *d)
{
    pb_recommendation choice;
    add_head(t, r->experiment);
    if (pb_recommend(&choice, r, NULL, 0, 0))
        return -1;
    int rc = pb_page_summary(t, r, &choice);
    add_table(t, r, choice.best);
    pb_recommendation_free(&choice);
    rc = rc || pb_page_figures(t, r) ? -1 : 0;
    add_notes(t, r);
    add_failures(t, r);
    pb_html_section(t, "methods", "Methods");
    pb_text_add(t, "<div class=\"cards\">\n");
    for (int i = 0; i < r->experiment->rows; i++)
        add_method(t, r, i);
    pb_text_add(t, "</div>\n");
    add_data(t, r, d);
    if (rc || add_provenance(t, r))
        return -1;
    pb_text_add(t, "</main>\n<script>%s</script>\n</body>\n</html>\n", pb_page_script);
    return 0;
}

int pb_page_write(const pb_report *r, const pb_data *d, const char *path)
{
    pb_text t = {0};
    int rc = add_all(&t, r, d) || pb_write_file(path, t.data, t.length) ? -1 : 0;
    pb_text_free(&t);
    return rc;
}
