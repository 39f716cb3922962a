/* page_summary: the summary of a page in words. */
#include <math.h>
#include <stdlib.h>

#include "base/units.h"
#include "report/html.h"
#include "report/page_internal.h"
#include "report/pareto.h"
#include "report/plot_internal.h"

static void add_bold(pb_text *t, const char *text)
{
    pb_text_add(t, "<b>");
    pb_html_text(t, text);
    pb_text_add(t, "</b>");
}

/* ", " between the elements of a list, " and " before the last. */
static const char *between(int at, int n)
{
    return !at ? "" : at == n - 1 ? " and " : ", ";
}

/* ---- the choice -------------------------------------------------------------------------------------------------- */

/* Adds "accuracy on test 0.6587 (0.6362 to 0.6811)". */
static void add_score(pb_text *t, const pb_recommendation *v, const char *before)
{
    pb_interval test = pb_report_score(v->report, v->best, PB_TEST);
    pb_text_add(t, "%s%s on test %s%.4f", before, v->report->experiment->primary->name, *before ? "is " : "",
                test.middle);
    if (!isnan(test.low))
        pb_text_add(t, " (%.4f to %.4f)", test.low, test.high);
}

static void add_choice(pb_text *t, const pb_recommendation *v)
{
    pb_text certainty = {0};
    pb_text_add(t, "<p>On validation ");
    add_bold(t, v->report->row[v->best].row->label);
    pb_text_add(t, " is the best of the rows. ");
    add_score(t, v, "Its ");
    pb_text_add(t, ". ");
    pb_recommendation_certainty(v, " ", &certainty);
    pb_html_text(t, certainty.data ? certainty.data : "");
    pb_text_add(t, "</p>\n");
    pb_text_free(&certainty);
}

/* ---- within limits ----------------------------------------------------------------------------------------------- */

/* Limits that readers have, as shares of what the baseline costs; a ratio of times is one already. */
static const struct {
    const char *key, *words;
    double share;
    bool is_ratio;
} wishes[] = {{"memory.train.total", "at most half of the training memory of", 0.5, false},
              {"storage.artifact_bytes", "a file of at most 1 % of that of", 0.01, false},
              {"overhead.prefill_ratio.b1", "a prefill time of at most 1.05 times that of", 1.05, true}};

/* Adds what is chosen within a limit, unless every row or none is known to meet it. */
static int add_within(pb_text *t, const pb_report *r, size_t k)
{
    double base = wishes[k].is_ratio ? 1 : pb_report_measured(r, pb_report_baseline(r), wishes[k].key).middle;
    pb_limit limit = {wishes[k].key, NULL, wishes[k].share * base};
    pb_recommendation v;
    char text[PB_UNIT_SIZE];
    int fits = 0;
    bool known = false;
    for (int i = 0; i < r->experiment->rows; i++)
        known = known || !isnan(pb_report_measured(r, i, wishes[k].key).middle);
    if (isnan(base) || !known)
        return 0;
    if (pb_recommend(&v, r, &limit, 1, 0))
        return -1;
    for (int i = 0; i < r->experiment->rows; i++)
        fits += v.fit[i] == PB_FIT_YES;
    if (v.best >= 0 && fits < r->experiment->rows) {
        pb_text_add(t, "<li>With %s ", wishes[k].words);
        pb_html_text(t, wishes[k].is_ratio ? "the base model" : r->experiment->baseline);
        if (!wishes[k].is_ratio)
            pb_text_add(t, ", %s", pb_with_unit(text, limit.most, "B"));
        pb_text_add(t, " (%d row%s): ", fits, fits == 1 ? "" : "s");
        add_bold(t, r->row[v.best].row->label);
        pb_text_add(t, ", ");
        add_score(t, &v, "");
        if (v.examples)
            pb_text_add(t, ", the best of these rows in %.0f %% of the samples", 100 * v.share[v.best]);
        pb_text_add(t, ".</li>\n");
    }
    pb_recommendation_free(&v);
    return 0;
}

static int add_limits(pb_text *t, const pb_report *r)
{
    pb_text list = {0};
    int rc = 0;
    for (size_t k = 0; k < PB_COUNT(wishes) && !rc; k++)
        rc = add_within(&list, r, k);
    if (list.length)
        pb_text_add(t, "<p>Within a limit, validation chooses:</p>\n<ul>\n%s</ul>\n", list.data);
    pb_text_free(&list);
    return rc;
}

/* ---- the Pareto front -------------------------------------------------------------------------------------------- */

static void add_front(pb_text *t, const pb_pareto *f)
{
    int n = 0, at = 0;
    for (int i = 0; i < f->rows; i++)
        n += f->on[i];
    pb_text_add(t, "<p>On the Pareto front of ");
    for (int j = 0; j < f->axes; j++) {
        bool score = pb_report_split(f->key[j]) >= 0;
        pb_text_add(t, "%s%s", between(j, f->axes), score ? "test " : "");
        pb_html_text(t, score ? f->report->experiment->primary->name : pb_cost_of(f->key[j]).title);
    }
    pb_text_add(t, n == 1 ? " is one row: " : " are %d of %d rows: ", n, f->rows);
    for (int i = 0; i < f->rows; i++)
        if (f->on[i]) {
            pb_text_add(t, "%s", between(at++, n));
            add_bold(t, f->report->row[f->row[i]].row->label);
        }
    pb_text_add(t, ". For every other row, one of these is at least as good or tied on all of these axes and better on "
                   "one.</p>\n");
}

int pb_page_summary(pb_text *t, const pb_report *r, const pb_recommendation *v)
{
    pb_pareto front;
    pb_html_section(t, "summary", "Summary");
    if (v->best < 0) {
        pb_html_element(t, "p", "No row has been scored on test yet.");
        return 0;
    }
    add_choice(t, v);
    if (add_limits(t, r) || pb_pareto_make(&front, r, NULL, 0))
        return -1;
    add_front(t, &front);
    pb_pareto_free(&front);
    return 0;
}
