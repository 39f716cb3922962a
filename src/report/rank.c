/* rank: see rank.h. */
#include "report/rank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

enum { PERMUTATIONS = 9999 };

static double test_score(const pb_report *r, int row)
{
    return pb_report_score(r, row, PB_TEST).middle;
}

static bool rising(const pb_report *r)
{
    return r->experiment->primary->higher_is_better;
}

/* Returns the indices 0..n-1, the best first, equal ones in their order, NaN last.  The caller frees them. */
static int *sort_rows(int n, const double *x, bool more_is_better)
{
    int *order = pb_alloc((size_t)(n + 1) * sizeof *order);
    for (int i = 0; i < n; i++) {
        int k = i;
        for (; k > 0; k--) {
            double here = x[i], before = x[order[k - 1]];
            bool better = isnan(before) ? !isnan(here) : more_is_better ? here > before : here < before;
            if (!better)
                break;
            order[k] = order[k - 1];
        }
        order[k] = i;
    }
    return order;
}

/* ---- one experiment --------------------------------------------------------------------------------------- */

static int compare_with_baseline(pb_baseline_ranking *v, int row)
{
    pb_baseline_row *one = &v->row[row];
    char key[96];
    pb_scores a = {.x = NULL}, b = {.x = NULL};
    if (row == pb_report_baseline(v->report) || isnan(one->score))
        return 0;
    one->difference = pb_report_difference(v->report, row, PB_TEST, pb_report_primary(v->report, PB_TEST, key));
    int rc = pb_report_pair(v->report, row, pb_report_baseline(v->report), PB_TEST, &a, &b);
    if (!rc && a.examples) {
        pb_crossed x = pb_scores_crossed(&a), y = pb_scores_crossed(&b);
        one->p = pb_stats_pair_p(&x, &y, PERMUTATIONS, 0);
        v->examples = a.examples;
        v->pseudo = !pb_scores_is_mean(&a);
        v->family++;
    }
    pb_scores_free(&a);
    pb_scores_free(&b);
    return rc;
}

/* Adjusts the p values of all rows that have one (Holm 1979). */
static void adjust_p(pb_baseline_ranking *v, int rows)
{
    double *p = pb_alloc((size_t)(v->family + 1) * sizeof *p);
    for (int i = 0, n = 0; i < rows; i++)
        if (!isnan(v->row[i].p))
            p[n++] = v->row[i].p;
    pb_stats_holm(v->family, p);
    for (int i = 0, n = 0; i < rows; i++)
        if (!isnan(v->row[i].p))
            v->row[i].holm = p[n++];
    free(p);
}

int pb_baseline_ranking_make(pb_baseline_ranking *v, const pb_report *r)
{
    int rows = r->experiment->rows, base = pb_report_baseline(r), rc = 0;
    if (isnan(test_score(r, base)))
        return pb_error("%s: the baseline %s has not been scored on test yet; run `peftbench run %s`",
                        r->experiment->name, r->experiment->baseline, r->experiment->path);
    *v = (pb_baseline_ranking){.report = r, .row = pb_alloc((size_t)rows * sizeof *v->row)};
    double *score = pb_alloc((size_t)rows * sizeof *score);
    for (int i = 0; i < rows && !rc; i++) {
        score[i] = test_score(r, i);
        v->row[i] = (pb_baseline_row){r->row[i].row->label, score[i], {NAN, NAN, NAN, 0}, NAN, NAN};
        rc = compare_with_baseline(v, i);
    }
    if (!rc) {
        adjust_p(v, rows);
        v->order = sort_rows(rows, score, rising(r));
    }
    free(score);
    if (rc)
        pb_baseline_ranking_free(v);
    return rc;
}

void pb_baseline_ranking_free(pb_baseline_ranking *v)
{
    free(v->row);
    free(v->order);
}

static void print_row(const pb_baseline_row *x, bool baseline, int width, FILE *out)
{
    if (baseline) {
        fprintf(out, "%-*s %10.4f  baseline\n", width, x->label, x->score);
        return;
    }
    fprintf(out, "%-*s %10.4f %+11.4f", width, x->label, x->score, x->difference.middle);
    if (isnan(x->difference.low))
        fprintf(out, "  %-20s", "-");
    else
        fprintf(out, "  %+8.4f .. %+8.4f", x->difference.low, x->difference.high);
    if (isnan(x->p))
        fprintf(out, " %9s %9s\n", "-", "-");
    else
        fprintf(out, " %9.3g %9.3g\n", x->p, x->holm);
}

void pb_baseline_ranking_print(const pb_baseline_ranking *v, FILE *out)
{
    const pb_experiment *e = v->report->experiment;
    int width = pb_experiment_label_width(e, 20);
    char to[90];
    snprintf(to, sizeof to, "to %.*s", pb_characters(e->baseline, 20), e->baseline);
    fprintf(out, "%-*s %10.10s %11s  %-20s %9s %9s\n", width, e->name, e->primary->name, to, "95 %", "p", "Holm");
    for (int i = 0; i < e->rows; i++) {
        int row = v->order[i];
        if (!isnan(v->row[row].score))
            print_row(&v->row[row], row == pb_report_baseline(v->report), width, out);
    }
    for (int i = 0; i < e->rows; i++)
        if (isnan(v->row[i].score))
            fprintf(out, "%s: left out because it has no finished run that was scored on test\n", v->row[i].label);
        else if (i != pb_report_baseline(v->report) && v->row[i].difference.n < e->seeds)
            fprintf(out, "%s: compared over the %d of %d seeds that it has in common with %s\n", v->row[i].label,
                    v->row[i].difference.n, e->seeds, e->baseline);
    pb_report_sweeps(v->report, "", out);
    fprintf(out,
            "The differences on test are paired.  The 95 %% interval covers other %sexamples.  p is that of a sign\n"
            "permutation test over the differences of the %s%d examples, averaged over the seeds, for these trained "
            "models.\n"
            "Holm: p adjusted for the family of %d comparison%s with %s.\n",
            e->seeds == 1 ? "" : "seeds and ", v->pseudo ? "jackknife pseudo-values of the " : "", v->examples,
            v->family, v->family == 1 ? "" : "s", e->baseline);
}

void pb_baseline_ranking_json(const pb_baseline_ranking *v, FILE *out)
{
    const pb_experiment *e = v->report->experiment;
    for (int i = 0; i < e->rows; i++) {
        const pb_baseline_row *x = &v->row[v->order[i]];
        pb_text t = {0};
        pb_text_add(&t, "{\"experiment\":");
        pb_json_quote(&t, e->name);
        pb_text_add(&t, ",\"row\":");
        pb_json_quote(&t, x->label);
        pb_text_add(&t, ",\"baseline\":");
        pb_json_quote(&t, e->baseline);
        pb_json_member(&t, "score", x->score);
        pb_json_member(&t, "difference", x->difference.middle);
        pb_json_member(&t, "low", x->difference.low);
        pb_json_member(&t, "high", x->difference.high);
        pb_json_member(&t, "p", x->p);
        pb_json_member(&t, "holm", x->holm);
        fprintf(out, "%s,\"family\":%d,\"seeds\":%d,\"examples\":%d}\n", t.data, v->family, x->difference.n,
                v->examples);
        pb_text_free(&t);
    }
}

/* ---- several ------------------------------------------------------------------------------------------------ */

/* Refuses two experiments on the same data, which would count twice. */
static int check_sets(const pb_report *r, int sets)
{
    for (int i = 0; i < sets; i++)
        for (int k = 0; k < i; k++) {
            const pb_experiment *a = r[k].experiment, *b = r[i].experiment;
            if (!strcmp(a->data.hex, b->data.hex))
                return pb_error("%s and %s have the same data; want one experiment for each data set",
                                a->of_several ? a->name : a->path, b->of_several ? b->name : b->path);
        }
    return 0;
}

/* Returns the index of the row with this label; -1 if there is none or if it was not scored on test. */
static int scored_row(const pb_report *r, const char *label)
{
    const pb_row *row = pb_experiment_row(r->experiment, label);
    int i = row ? (int)(row - r->experiment->row) : -1;
    return i >= 0 && !isnan(test_score(r, i)) ? i : -1;
}

static bool in_all(const pb_report *r, int sets, const char *label)
{
    for (int i = 0; i < sets; i++)
        if (scored_row(&r[i], label) < 0)
            return false;
    return true;
}

static int check_sizes(const pb_ranking *k)
{
    if (k->rows < 2)
        return pb_error("%d row%s scored on test in all %d experiments; want at least 2, which `peftbench run` makes",
                        k->rows, k->rows == 1 ? " was" : "s were", k->sets);
    int least = pb_stats_friedman_least(k->rows);
    if (k->sets < least)
        return pb_error(
            "%d data sets are too few to rank %d rows: no result could be significant; want experiments on at "
            "least %d data sets, or compare rows on one of them",
            k->sets, k->rows, least);
    return 0;
}

int pb_ranking_make(pb_ranking *k, const pb_report *r, int sets)
{
    *k = (pb_ranking){.report = r, .sets = sets};
    const pb_experiment *first = r[0].experiment;
    if (check_sets(r, sets))
        return -1;
    k->label = pb_alloc((size_t)first->rows * sizeof *k->label);
    for (int i = 0; i < first->rows; i++)
        if (in_all(r, sets, first->row[i].label))
            k->label[k->rows++] = first->row[i].label;
    if (check_sizes(k)) {
        free(k->label);
        return -1;
    }
    size_t cells = (size_t)sets * (size_t)k->rows;
    double *goodness = pb_alloc(cells * sizeof *goodness);
    k->score = pb_alloc(cells * sizeof *k->score);
    k->rank = pb_alloc((size_t)k->rows * sizeof *k->rank);
    for (int i = 0; i < sets; i++)
        for (int j = 0; j < k->rows; j++) {
            double x = test_score(&r[i], scored_row(&r[i], k->label[j]));
            k->score[i * k->rows + j] = x;
            goodness[i * k->rows + j] = rising(&r[i]) ? x : -x;
        }
    k->test = pb_stats_friedman(sets, k->rows, goodness, k->rank);
    k->p = pb_stats_friedman_p(sets, k->rows, goodness, 10 * PERMUTATIONS, 0);
    k->order = sort_rows(k->rows, k->rank, false);
    free(goodness);
    return 0;
}

void pb_ranking_free(pb_ranking *k)
{
    free(k->label);
    free(k->score);
    free(k->rank);
    free(k->order);
}

/* Lists the rows that only some data sets have, with the data sets that lack them. */
static void print_unshared(const pb_ranking *k, FILE *out)
{
    for (int i = 0; i < k->sets; i++)
        for (int j = 0; j < k->report[i].experiment->rows; j++) {
            const char *label = k->report[i].experiment->row[j].label;
            bool listed = in_all(k->report, k->sets, label);
            for (int h = 0; h < i && !listed; h++)
                listed = pb_experiment_row(k->report[h].experiment, label);
            if (listed)
                continue;
            fprintf(out, "%s: left out because it was not scored on test in", label);
            for (int h = 0, n = 0; h < k->sets; h++)
                if (scored_row(&k->report[h], label) < 0)
                    fprintf(out, "%s %s", n++ ? "," : "", k->report[h].experiment->name);
            fputc('\n', out);
        }
}

/* Lists the pairs whose mean ranks differ by more than the critical difference. */
static void print_pairs(const pb_ranking *k, FILE *out)
{
    int found = 0;
    for (int i = 0; i < k->rows; i++)
        for (int j = i + 1; j < k->rows; j++) {
            int a = k->order[i], b = k->order[j];
            double apart = k->rank[b] - k->rank[a];
            if (apart <= k->test.critical)
                continue;
            fprintf(out, "%s is ranked before %s: %.4g\n", k->label[a], k->label[b], apart);
            found++;
        }
    if (!found)
        fprintf(out, "no pair differs by more\n");
}

static bool has_one_metric(const pb_ranking *k)
{
    for (int i = 1; i < k->sets; i++)
        if (strcmp(k->report[i].experiment->primary->name, k->report->experiment->primary->name) != 0)
            return false;
    return true;
}

void pb_ranking_print(const pb_ranking *k, FILE *out)
{
    const pb_friedman *f = &k->test;
    int width = pb_experiment_label_width(k->report->experiment, 20);
    bool one = has_one_metric(k);
    fprintf(out, "%-*s %9s", width, one ? k->report->experiment->primary->name : "", "mean rank");
    for (int i = 0; i < k->sets; i++)
        fprintf(out, "  %10s", k->report[i].experiment->name);
    fputc('\n', out);
    if (!one) {
        fprintf(out, "%-*s %9s", width, "", "");
        for (int i = 0; i < k->sets; i++)
            fprintf(out, "  %*s", (int)fmax(10, (double)strlen(k->report[i].experiment->name)),
                    k->report[i].experiment->primary->name);
        fputc('\n', out);
    }
    for (int j = 0; j < k->rows; j++) {
        int row = k->order[j];
        fprintf(out, "%-*s %9.4g", width, k->label[row], k->rank[row]);
        for (int i = 0; i < k->sets; i++)
            fprintf(out, "  %*.4f", (int)fmax(10, (double)strlen(k->report[i].experiment->name)),
                    k->score[i * k->rows + row]);
        fputc('\n', out);
    }
    print_unshared(k, out);
    fprintf(out, "Friedman: chi2 %.4g of %d, p %.3g, by permutation %.3g; ", f->chi2, k->rows - 1, f->chi2_p, k->p);
    if (isnan(f->f_p))
        fprintf(out, "F is infinite because all data sets have the same order");
    else
        fprintf(out, "Iman-Davenport: F %.4g of %d and %d, p %.3g", f->f, k->rows - 1, (k->rows - 1) * (k->sets - 1),
                f->f_p);
    fprintf(out, " (%d rows, %d data sets)\n", k->rows, k->sets);
    fprintf(out, "Nemenyi: two mean ranks differ at the 5 %% level if their difference exceeds %.4g:\n", f->critical);
    print_pairs(k, out);
}

void pb_ranking_json(const pb_ranking *k, FILE *out)
{
    pb_text t = {0};
    for (int j = 0; j < k->rows; j++) {
        int row = k->order[j];
        pb_text_add(&t, "{\"row\":");
        pb_json_quote(&t, k->label[row]);
        pb_json_member(&t, "rank", k->rank[row]);
        pb_text_add(&t, ",\"scores\":{");
        for (int i = 0; i < k->sets; i++) {
            pb_text_add(&t, i ? "," : "");
            pb_json_quote(&t, k->report[i].experiment->name);
            pb_text_add(&t, ":%.10g", k->score[i * k->rows + row]);
        }
        pb_text_add(&t, "}}\n");
    }
    pb_text_add(&t, "{\"rows\":%d,\"sets\":%d", k->rows, k->sets);
    pb_json_member(&t, "chi2", k->test.chi2);
    pb_json_member(&t, "chi2_p", k->test.chi2_p);
    pb_json_member(&t, "p", k->p);
    pb_json_member(&t, "f", isnan(k->test.f_p) ? NAN : k->test.f);
    pb_json_member(&t, "f_p", k->test.f_p);
    pb_json_member(&t, "critical", k->test.critical);
    fprintf(out, "%s}\n", t.data);
    pb_text_free(&t);
}
