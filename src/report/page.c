/* page: see page.h. */
#include "report/page.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "report/notes.h"
#include "report/page_assets.h"
#include "report/pareto.h"
#include "report/plot.h"
#include "report/recommend.h"

/* ---- texts ------------------------------------------------------------------------------------------------------- */

void pb_html_text(pb_text *out, const char *text)
{
    for (const char *at = pb_visible(text); *at; at++)
        switch (*at) {
        case '&': pb_text_add(out, "&amp;"); break;
        case '<': pb_text_add(out, "&lt;"); break;
        case '>': pb_text_add(out, "&gt;"); break;
        case '"': pb_text_add(out, "&quot;"); break;
        case '\'': pb_text_add(out, "&#39;"); break;
        default: pb_text_add(out, "%c", *at);
        }
}

/* Adds <tag>text</tag>. */
static void element(pb_text *t, const char *tag, const char *text)
{
    pb_text_add(t, "<%s>", tag);
    pb_html_text(t, text);
    pb_text_add(t, "</%.*s>\n", (int)strcspn(tag, " "), tag);
}

static void section(pb_text *t, const char *id, const char *title)
{
    pb_text_add(t, "<h2 id=\"%s\">", id);
    pb_html_text(t, title);
    pb_text_add(t, "</h2>\n");
}

/* Adds "a, b and c" of the rows for which `has` is true. */
static void list_rows(pb_text *t, const pb_report *r, const bool *has)
{
    int left = 0, rows = r->experiment->rows;
    for (int i = 0; i < rows; i++)
        left += has[i];
    for (int i = 0, n = left; i < rows; i++)
        if (has[i]) {
            pb_text_add(t, "%s<b>", left == n ? "" : left == 1 ? " and " : ", ");
            pb_html_text(t, r->row[i].row->label);
            pb_text_add(t, "</b>");
            left--;
        }
}

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

static void add_head(pb_text *t, const pb_experiment *e)
{
    pb_text_add(t,
                "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
                "script-src 'sha256-");
    add_digest(t, pb_page_script);
    pb_text_add(t, "'; base-uri 'none'; form-action 'none'\">\n"
                   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    element(t, "title", e->title && *e->title ? e->title : e->name);
    pb_text_add(t, "<style>\n%s</style>\n</head>\n<body>\n<main>\n", pb_page_style);
    element(t, "h1", e->title && *e->title ? e->title : e->name);
    pb_text_add(t, "<p class=\"soft\">");
    pb_html_text(t, e->path);
    pb_text_add(t, ": task ");
    pb_html_text(t, e->task_name);
    pb_text_add(t, ", model ");
    pb_html_text(t, e->model_path);
    pb_text_add(t, ", %d rows, %d seed%s. ", e->rows, e->seeds, e->seeds == 1 ? "" : "s");
    pb_text_add(t, "Intervals are of 95 %%.</p>\n");
}

/* ---- summary ----------------------------------------------------------------------------------------------------- */

/* Says which row of all validation chooses, what to expect of it, and how sure that is. */
static void add_choice(pb_text *t, const pb_recommendation *v)
{
    const pb_report *r = v->report;
    const char *metric = r->experiment->primary->name;
    pb_interval test = pb_report_score(r, v->best, PB_TEST);
    pb_text_add(t, "<p>On validation <b>");
    pb_html_text(t, r->row[v->best].row->label);
    pb_text_add(t, "</b> is the best of the rows. Its %s on test is %.4f", metric, test.middle);
    if (!isnan(test.low))
        pb_text_add(t, " (%.4f to %.4f)", test.low, test.high);
    pb_text_add(t, ". ");
    pb_text certainty = {0};
    pb_recommendation_certainty(v, " ", &certainty);
    pb_html_text(t, certainty.data ? certainty.data : "");
    pb_text_free(&certainty);
    pb_text_add(t, "</p>\n");
}

static void add_front(pb_text *t, const pb_pareto *f)
{
    bool *on = pb_alloc((size_t)f->report->experiment->rows * sizeof *on);
    for (int i = 0; i < f->rows; i++)
        on[f->row[i]] = f->on[i];
    pb_text_add(
        t, "<p>No other row is at least as good on every one of these axes and better on one (the Pareto front of ");
    for (int j = 0; j < f->axes; j++) {
        pb_text_add(t, "%s<code>", j ? ", " : "");
        pb_html_text(t, f->key[j]);
        pb_text_add(t, "</code>");
    }
    pb_text_add(t, "): ");
    list_rows(t, f->report, on);
    pb_text_add(t, ".</p>\n");
    free(on);
}

static int add_summary(pb_text *t, const pb_report *r, const pb_recommendation *v)
{
    pb_pareto front;
    section(t, "summary", "Summary");
    if (v->best < 0) {
        element(t, "p", "No row has been scored on test yet.");
        return 0;
    }
    add_choice(t, v);
    if (pb_pareto_make(&front, r, NULL, 0))
        return -1;
    add_front(t, &front);
    pb_pareto_free(&front);
    return 0;
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

/* A column of the table. */
typedef struct column {
    const char *title, *key; /* NULL: the difference to the baseline */
    const char *format;      /* of printf; NULL: with a decimal prefix and this unit */
    const char *unit;
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
        pb_text_add(t, " <span title=\"runs of another version of the code\">&dagger;</span>");
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

static void add_table(pb_text *t, const pb_report *r, int best)
{
    char test[96], validation[96], to[128];
    snprintf(to, sizeof to, "to %s", r->experiment->baseline);
    column all[] = {
        {"test", pb_report_primary(r, PB_TEST, test), "%.4f", NULL},
        {to, NULL, "%+.4f", NULL},
        {"validation", pb_report_primary(r, PB_VALIDATION, validation), "%.4f", NULL},
        {"trainable", "storage.trainable", NULL, ""},
        {"file", "storage.artifact_bytes", NULL, "B"},
        {"training memory", "memory.train.total", NULL, "B"},
        {"FLOPs of training", "compute.train_flops", NULL, ""},
        {"step, ms", "compute.step_ms", "%.2f", NULL},
        {"prefill / base", "overhead.prefill_ratio.b1", "%.3f", NULL},
        {"merged", "overhead.prefill_ratio.b1.merged", "%.3f", NULL},
    };
    int n = measured_columns(r, all, PB_COUNT(all)), rows = r->experiment->rows;
    int *order = pb_alloc((size_t)rows * sizeof *order);
    pb_report_order(r, pb_report_primary(r, PB_TEST, test), order);
    section(t, "table", "Results");
    pb_text_add(t,
                "<p>Scores are %s. The row that validation chooses is marked. A click on a heading sorts.</p>\n"
                "<p class=\"tools\"><label>Show rows with <input id=\"filter\" type=\"search\"></label></p>\n"
                "<div class=\"wide\" tabindex=\"0\"><table id=\"results\">\n<thead><tr><th scope=\"col\"><button "
                "type=\"button\">method</button></th>",
                r->experiment->primary->name);
    for (int k = 0; k < n; k++) {
        pb_text_add(t, "<th scope=\"col\"><button type=\"button\">");
        pb_html_text(t, all[k].title);
        pb_text_add(t, "</button></th>");
    }
    pb_text_add(t, "</tr></thead>\n<tbody>\n");
    for (int i = 0; i < rows; i++)
        add_row(t, r, order[i], all, n, order[i] == best);
    pb_text_add(t, "</tbody>\n</table></div>\n");
    free(order);
}

/* ---- notes and runs that failed ---------------------------------------------------------------------------------- */

static void add_note(void *ctx, const char *line)
{
    element(ctx, "li", line);
}

static void add_notes(pb_text *t, const pb_report *r)
{
    pb_text list = {0};
    for (int i = 0; i < r->experiment->rows; i++) {
        const pb_selection *s = &r->selections.row[i];
        pb_text line = {0};
        pb_selection_describe(s, r->experiment->seeds, &line);
        if (s->row->choices > 1 || s->finished < s->needed)
            element(&list, "li", line.data);
        pb_text_free(&line);
        pb_notes_each(r, i, true, add_note, &list);
    }
    if (list.length) {
        section(t, "notes", "Notes");
        pb_text_add(t, "<details><summary>Choices of settings, and warnings</summary>\n<ul>\n%s</ul>\n</details>\n",
                    list.data);
    }
    pb_text_free(&list);
}

static void add_failures(pb_text *t, const pb_report *r)
{
    const pb_experiment *e = r->experiment;
    int n = 0;
    section(t, "failures", "Runs that failed or diverged");
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
        element(t, "p", "None.");
}

/* ---- figures ----------------------------------------------------------------------------------------------------- */

/* Adds what the marks of a figure are: for each a circle that is not seen, with a title, which browsers show beside the
 * pointer.  The figure has 4/3 pixels a point. */
static int add_tips(pb_text *t, const char *path)
{
    char *tips = pb_read_file(path, NULL);
    pb_text_add(t, "<g fill=\"#fff\" fill-opacity=\"0\" transform=\"scale(1.33333)\">\n");
    for (char *at = tips, *line; at && (line = strsep(&at, "\n")) && *line;) {
        char *end;
        double x = strtod(line, &end), y = strtod(end, &end);
        pb_text_add(t, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"5\"><title>", x, y);
        pb_html_text(t, end + 1);
        pb_text_add(t, "</title></circle>\n");
    }
    pb_text_add(t, "</g>\n");
    free(tips);
    return tips ? 0 : -1;
}

/* Adds an SVG without its XML declaration and its end.  The identifiers of each figure get a prefix of their own,
 * since a page has one space of them. */
static void add_svg(pb_text *t, const char *svg, int number)
{
    static const char *const uses[] = {"id=\"", "id='", "href=\"#", "href='#", "url(#"};
    const char *at = strstr(svg, "<svg");
    const char *end = at ? strstr(at, "</svg>") : NULL;
    while (at && *at && at != end) {
        size_t used = 0;
        for (size_t k = 0; k < PB_COUNT(uses) && !used; k++)
            if (!strncmp(at, uses[k], strlen(uses[k])))
                used = strlen(uses[k]);
        if (used)
            pb_text_add(t, "%.*sf%d-", (int)used, at, number);
        else
            pb_text_add(t, "%c", *at);
        at += used ? used : 1;
    }
}

static int is_svg(const struct dirent *d)
{
    return pb_ends_in(d->d_name, ".svg");
}

/* Adds a figure with its caption, given the path of its SVG. */
static int add_figure(pb_text *t, const char *path, int number)
{
    char *text = pb_format("%.*s.txt", (int)strlen(path) - 4, path);
    char *tips = pb_format("%.*s.tips", (int)strlen(path) - 4, path);
    int rc = -1;
    char *svg = pb_read_file(path, NULL), *caption = svg ? pb_read_file(text, NULL) : NULL;
    if (caption) {
        pb_text_add(t, "<figure>\n");
        add_svg(t, svg, number);
        rc = add_tips(t, tips);
        pb_text_add(t, "</svg>\n");
        element(t, "figcaption", pb_trim(caption, "\n"));
        pb_text_add(t, "</figure>\n");
    }
    free(text);
    free(tips);
    free(svg);
    free(caption);
    return rc;
}

/* Adds the figures of a folder. */
static int take_figures(pb_text *t, const char *folder)
{
    struct dirent **file = NULL;
    int n = scandir(folder, &file, is_svg, alphasort), rc = n < 0 ? pb_error("%s: cannot be read", folder) : 0;
    for (int i = 0; i < n; i++) {
        char *path = pb_format("%s/%s", folder, file[i]->d_name);
        rc = rc || add_figure(t, path, i) ? -1 : 0;
        free(path);
        free(file[i]);
    }
    free(file);
    return rc;
}

/* The figures are drawn in a folder of their own, so that none of an older state is among them. */
static int add_figures(pb_text *t, const pb_report *r)
{
    const char *temporary = getenv("TMPDIR");
    char *folder = pb_format("%s/peftbench-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    int rc = mkdtemp(folder) ? 0 : pb_error("%s: cannot be made: %s", folder, strerror(errno));
    section(t, "figures", "Figures");
    if (!rc) {
        pb_look look;
        rc = pb_look_read(&look, NULL, "svg", NULL, NULL);
        look.tips = true;
        rc = rc || pb_plot(r, &look, folder) < 0 ? -1 : 0;
        rc = rc || take_figures(t, folder) ? -1 : 0;
        pb_remove_tree(folder);
    }
    free(folder);
    return rc;
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
    pb_text_add(t, "</b></summary>\n");
    for (int k = 0; k < of->spec.parts; k++) {
        const pb_method *m = of->spec.part[k].method;
        element(t, "h3", m->title);
        add_term(t, "class", pb_category_name[m->category]);
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

static void add_pair(pb_text *t, const char *name, const char *value)
{
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
    section(t, "data", "Task and data");
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

/* Adds the provenance of the first run there is; the runs of one experiment differ in it by their methods' code only,
 * or are marked in the table. */
static int add_provenance(pb_text *t, const pb_report *r)
{
    long long run = 0;
    pb_text ids = {0};
    for (int i = 0; i < r->experiment->rows; i++)
        for (int s = 0; s < r->experiment->seeds; s++) {
            run = run ? run : r->row[i].id[s];
            if (r->row[i].id[s])
                pb_text_add(&ids, "%s%lld", ids.length ? ", " : "", r->row[i].id[s]);
        }
    section(t, "provenance", "Provenance");
    begin_pairs(t);
    add_pair(t, "runs of this page", ids.data ? ids.data : "none");
    char first[32];
    snprintf(first, sizeof first, "run %lld", run);
    if (run)
        add_pair(t, "below", first);
    int rc = run ? pb_store_provenance(r->store, run, add_entry, t) : 0;
    end_pairs(t);
    pb_text_free(&ids);
    return rc;
}

/* ---- the page ---------------------------------------------------------------------------------------------------- */

static int add_all(pb_text *t, const pb_report *r, const pb_data *d)
{
    pb_recommendation choice;
    add_head(t, r->experiment);
    if (pb_recommend(&choice, r, NULL, 0, 0))
        return -1;
    int rc = add_summary(t, r, &choice);
    add_table(t, r, choice.best);
    pb_recommendation_free(&choice);
    rc = rc || add_figures(t, r) ? -1 : 0;
    add_notes(t, r);
    add_failures(t, r);
    section(t, "methods", "Methods");
    for (int i = 0; i < r->experiment->rows; i++)
        add_method(t, r, i);
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
