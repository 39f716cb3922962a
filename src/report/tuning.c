/* tuning: see tuning.h. */
#include "report/tuning.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- one row's trials --------------------------------------------------------------------------------- */

/* Replaces the scores of diverged trials by the worst of the others, and computes the summary. */
static void summarize(pb_tuning *t, const pb_metric_info *metric)
{
    double worst = INFINITY;
    t->best = -INFINITY;
    for (int i = 0; i < t->trials; i++) {
        worst = isfinite(t->score[i]) ? fmin(worst, t->score[i]) : worst;
        t->best = fmax(t->best, t->score[i]);
    }
    int near = 0;
    for (int i = 0; i < t->trials; i++) {
        near += t->score[i] >= t->best - pb_score_point(metric, t->best);
        t->diverged += !isfinite(t->score[i]);
        t->score[i] = isfinite(t->score[i]) ? t->score[i] : worst;
    }
    t->near = (double)near / t->trials;
}

pb_tuning pb_tuning_of(const pb_report *r, int row)
{
    const pb_selection *s = &r->selections.row[row];
    pb_tuning t = {0};
    if (s->row->choices < 2)
        return t;
    t.score = pb_alloc((size_t)s->row->choices * sizeof *t.score);
    for (int i = 0; i < s->row->choices; i++)
        if (!isnan(s->mean[i]))
            t.score[t.trials++] = s->mean[i];
    if (t.trials)
        summarize(&t, r->experiment->primary);
    if (!t.trials || !isfinite(t.best)) /* no trials, or all diverged */
        pb_tuning_free(&t);
    return t;
}

void pb_tuning_free(pb_tuning *t)
{
    free(t->score);
    *t = (pb_tuning){0};
}

double pb_tuning_expected(const pb_report *r, const pb_tuning *t, int budget)
{
    if (budget < 1 || budget > t->trials)
        return NAN;
    double best = pb_stats_expected_best(t->trials, t->score, budget);
    return r->experiment->primary->higher_is_better ? best : -best;
}

/* ---- as text ------------------------------------------------------------------------------------------ */

static void print_row(const pb_report *r, int row, int most, int width, FILE *out)
{
    pb_tuning t = pb_tuning_of(r, row);
    if (t.trials) {
        fprintf(out, "%-*s %6d", width, r->row[row].row->label, t.trials);
        for (int budget = 1; budget <= most; budget *= 2)
            if (budget <= t.trials)
                fprintf(out, "  %6.4f", pb_tuning_expected(r, &t, budget));
            else
                fprintf(out, "  %6s", "-");
        fprintf(out, "  %6.4f  %5.0f %%", pb_tuning_expected(r, &t, t.trials), 100 * t.near);
        fprintf(out, t.diverged ? "  %d diverged\n" : "\n", t.diverged);
    }
    pb_tuning_free(&t);
}

void pb_tuning_print(const pb_report *r, FILE *out)
{
    const pb_experiment *e = r->experiment;
    int most = 1, width = pb_experiment_label_width(e, 28);
    for (int i = 0; i < e->rows; i++)
        most = e->row[i].choices > most ? e->row[i].choices : most;
    if (most < 2)
        return;
    fprintf(out, "\n%-*s %6s", width, "tuning, validation", "trials");
    for (int budget = 1; budget <= most; budget *= 2)
        fprintf(out, "  %4s %d", budget < 10 ? "of" : "", budget);
    fprintf(out, "  %6s  %7s\n", "best", "near it");
    for (int i = 0; i < e->rows; i++)
        print_row(r, i, most, width, out);
    fprintf(out,
            "Each column is the expected best validation %s of that many trials; \"near it\" is the share of trials "
            "within a "
            "point\nof the best.\n",
            e->primary->name);
}

/* ---- as JSON ------------------------------------------------------------------------------------------ */

void pb_tuning_json(const pb_report *r, int row, pb_text *text)
{
    pb_tuning t = pb_tuning_of(r, row);
    double sign = r->experiment->primary->higher_is_better ? 1 : -1;
    if (!t.trials) {
        pb_text_add(text, "null");
        return;
    }
    pb_text_add(text, "{\"trials\":%d,\"diverged\":%d,\"near\":%.10g,\"validation\":[", t.trials, t.diverged, t.near);
    for (int i = 0; i < t.trials; i++)
        pb_text_add(text, "%s%.10g", i ? "," : "", sign * t.score[i]);
    pb_text_add(text, "],\"expected\":[");
    for (int i = 1; i <= t.trials; i++)
        pb_text_add(text, "%s%.10g", i > 1 ? "," : "", pb_tuning_expected(r, &t, i));
    pb_text_add(text, "]}");
    pb_tuning_free(&t);
}
