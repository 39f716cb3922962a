/* recommend: see recommend.h. */
#include "report/recommend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/units.h"
#include "report/grid.h"

static int rows_of(const pb_recommendation *v)
{
    return v->report->experiment->rows;
}

/* ---- what fits --------------------------------------------------------------------------------------------------- */

static pb_interval cost_of(const pb_report *r, int row, const pb_limit *l)
{
    pb_interval v = pb_report_measured(r, row, l->key);
    return isnan(v.middle) && l->instead ? pb_report_measured(r, row, l->instead) : v;
}

static pb_fit judge(const pb_limit *l, pb_interval cost)
{
    if (isnan(cost.middle))
        return PB_FIT_UNKNOWN;
    if (!pb_report_is_time(l->key) || (cost.middle == cost.low && cost.middle == cost.high))
        return cost.middle <= l->most ? PB_FIT_YES : PB_FIT_NO;
    if (isnan(cost.low) || isnan(cost.high))
        return PB_FIT_UNRESOLVED;
    return cost.high <= l->most ? PB_FIT_YES : cost.low > l->most ? PB_FIT_NO : PB_FIT_UNRESOLVED;
}

/* A row that exceeds one limit does not fit, whatever is unknown of the others. */
static pb_fit judge_row(pb_recommendation *v, int row)
{
    pb_fit worst = isnan(pb_report_score(v->report, row, PB_TEST).middle) ? PB_FIT_UNKNOWN : PB_FIT_YES;
    for (int k = 0; k < v->limits; k++) {
        pb_interval cost = cost_of(v->report, row, &v->limit[k]);
        pb_fit fit = judge(&v->limit[k], cost);
        v->cost[row * v->limits + k] = cost;
        if (fit == PB_FIT_NO || worst == PB_FIT_NO)
            worst = PB_FIT_NO;
        else if (fit > worst)
            worst = fit;
    }
    return worst;
}

static int judge_rows(pb_recommendation *v)
{
    for (int i = 0; i < rows_of(v); i++)
        v->fit[i] = judge_row(v, i);
    for (int k = 0; k < v->limits; k++) {
        bool known = false;
        for (int i = 0; i < rows_of(v); i++)
            known = known || !isnan(v->cost[i * v->limits + k].middle);
        if (!known)
            return pb_error(
                "%s: no run has a value '%s'%s", v->report->experiment->name, v->limit[k].key,
                pb_report_is_time(v->limit[k].key) ? "; times are taken by `peftbench run` without --no-timing" : "");
    }
    return 0;
}

static void choose(pb_recommendation *v)
{
    bool rising = v->report->experiment->primary->higher_is_better;
    double best = NAN;
    v->best = -1;
    for (int i = 0; i < rows_of(v); i++) {
        double x = pb_report_score(v->report, i, PB_VALIDATION).middle;
        if (v->fit[i] != PB_FIT_YES || isnan(x) || (v->best >= 0 && (rising ? x <= best : x >= best)))
            continue;
        best = x;
        v->best = i;
    }
}

/* ---- how certain the choice is ----------------------------------------------------------------------------------- */

/* Writes the rows that fit to row, and to seed those seeds that all of them have; returns the number of rows. */
static int common_seeds(const pb_recommendation *v, int *row, int *seed, int *seeds)
{
    int rows = 0, *other = pb_alloc((size_t)v->report->experiment->seeds * sizeof *other);
    for (int i = 0; i < rows_of(v); i++) {
        if (v->fit[i] != PB_FIT_YES)
            continue;
        int n = pb_report_seeds(v->report, i, PB_VALIDATION, rows ? other : seed);
        *seeds = rows ? pb_report_common(*seeds, seed, n, other) : n;
        row[rows++] = i;
    }
    free(other);
    return rows;
}

/* Fills score [rows] with the scores of validation.  Returns the number of examples that all have, 0 if a row has no
 * stored predictions, or -1 with an error. */
static int read_scores(const pb_recommendation *v, const int *row, int rows, const int *seed, int seeds,
                       pb_scores *score)
{
    int examples = -1;
    for (int i = 0; i < rows; i++) {
        if (pb_report_scores(v->report, row[i], seed, seeds, PB_VALIDATION, &score[i]))
            return -1;
        examples = examples < 0 || examples == score[i].examples ? score[i].examples : 0;
    }
    return examples < 0 ? 0 : examples;
}

/* The share of samples of seeds and examples in which each row is the best: the front of one axis. */
static void bootstrap(pb_recommendation *v, const int *row, int rows, const pb_scores *score, uint64_t draws)
{
    bool rising = v->report->experiment->primary->higher_is_better, *on = pb_alloc((size_t)rows * sizeof *on);
    double *share = pb_alloc((size_t)rows * sizeof *share), *point = pb_alloc((size_t)rows * sizeof *point);
    double *value = pb_alloc((size_t)(rows * v->seeds) * sizeof *value);
    pb_crossed *crossed = pb_alloc((size_t)rows * sizeof *crossed);
    for (int i = 0; i < rows; i++)
        crossed[i] = pb_scores_crossed(&score[i]);
    pb_pareto_points all = {
        .n = rows, .axes = 1, .seeds = v->seeds, .value = value, .rising = &rising, .scored = 0, .score = crossed};
    pb_stats_pareto_bootstrap(&all, v->resamples, draws, point, on, share);
    for (int i = 0; i < rows; i++)
        v->share[row[i]] = share[i];
    free(crossed);
    free(value);
    free(point);
    free(share);
    free(on);
}

static int measure_certainty(pb_recommendation *v, uint64_t draws)
{
    int all = rows_of(v), *row = pb_alloc((size_t)all * sizeof *row);
    int *seed = pb_alloc((size_t)v->report->experiment->seeds * sizeof *seed);
    pb_scores *score = pb_alloc((size_t)all * sizeof *score);
    int rows = common_seeds(v, row, seed, &v->seeds), examples = 0;
    if (rows && v->seeds)
        examples = read_scores(v, row, rows, seed, v->seeds, score);
    if (examples > 0)
        bootstrap(v, row, rows, score, draws);
    v->examples = examples > 0 ? examples : 0;
    for (int i = 0; i < rows; i++)
        pb_scores_free(&score[i]);
    free(score);
    free(seed);
    free(row);
    return examples < 0 ? -1 : 0;
}

/* ---- differences on test ----------------------------------------------------------------------------------------- */

static void measure_differences(pb_recommendation *v)
{
    for (int i = 0; i < rows_of(v) && v->best >= 0; i++)
        if (i != v->best && v->fit[i] == PB_FIT_YES)
            v->difference[i] = pb_report_between(v->report, i, v->best, PB_TEST);
}

int pb_recommend(pb_recommendation *out, const pb_report *r, const pb_limit *limit, int limits, uint64_t draws)
{
    size_t rows = (size_t)r->experiment->rows;
    PB_CHECK(limits <= PB_LIMITS);
    *out = (pb_recommendation){.report = r, .limits = limits, .best = -1, .resamples = PB_RECOMMEND_RESAMPLES};
    for (int k = 0; k < limits; k++)
        out->limit[k] = limit[k];
    out->cost = pb_alloc((rows * (size_t)limits + 1) * sizeof *out->cost);
    out->fit = pb_alloc(rows * sizeof *out->fit);
    out->share = pb_alloc(rows * sizeof *out->share);
    out->difference = pb_alloc(rows * sizeof *out->difference);
    for (size_t i = 0; i < rows; i++) {
        out->share[i] = NAN;
        out->difference[i] = (pb_interval){NAN, NAN, NAN, 0};
    }
    int rc = judge_rows(out);
    if (!rc)
        choose(out);
    if (rc || measure_certainty(out, draws)) {
        pb_recommendation_free(out);
        return -1;
    }
    measure_differences(out);
    return 0;
}

void pb_recommendation_free(pb_recommendation *v)
{
    free(v->cost);
    free(v->fit);
    free(v->share);
    free(v->difference);
}

/* ---- printing ---------------------------------------------------------------------------------------------------- */

static const char *const fit_name[] = {"yes", "no", "undecided", "unknown"};

/* Whether the key's values are bytes. */
static bool is_bytes(const char *key)
{
    return !strncmp(key, "memory.", 7) || strstr(key, "_bytes");
}

static const char *amount(const char *key, double x, char out[PB_UNIT_SIZE])
{
    if (pb_report_is_time(key))
        return isnan(x) ? "-" : (snprintf(out, PB_UNIT_SIZE, "%.3f", x), out);
    return pb_with_unit(out, x, is_bytes(key) ? "B" : "");
}

static void print_limits(const pb_recommendation *v, FILE *out)
{
    char text[PB_UNIT_SIZE];
    for (int k = 0; k < v->limits; k++)
        fprintf(out, "%s%s at most %s", k ? ", " : "", v->limit[k].key,
                amount(v->limit[k].key, v->limit[k].most, text));
    fprintf(out, v->limits ? ": " : "without limits: ");
}

static int count_fits(const pb_recommendation *v, pb_fit fit)
{
    int n = 0;
    for (int i = 0; i < rows_of(v); i++)
        n += v->fit[i] == fit;
    return n;
}

/* The rows that fit and have the same score on validation: the first of them in the file is the chosen one. */
static void list_ties(const pb_recommendation *v, const char *end, pb_text *out)
{
    double best = pb_report_score(v->report, v->best, PB_VALIDATION).middle;
    int n = 0;
    for (int i = 0; i < rows_of(v); i++)
        if (i != v->best && v->fit[i] == PB_FIT_YES && pb_report_score(v->report, i, PB_VALIDATION).middle == best)
            pb_text_add(out, "%s%s",
                        n++ ? ", " : "As good on validation, and later in the file: ", v->report->row[i].row->label);
    pb_text_add(out, "%s%s", n ? "." : "", n ? end : "");
}

/* "lora, dora": the rows whose difference to the chosen one on test has an interval that contains 0. */
static void list_equals(const pb_recommendation *v, const char *end, pb_text *out)
{
    int n = 0;
    for (int i = 0; i < rows_of(v); i++)
        if (pb_contains_zero(v->difference[i]))
            pb_text_add(out, "%s%s", n++ ? ", " : "Not told apart from it on test: ", v->report->row[i].row->label);
    pb_text_add(out, "%s%s", n ? "." : "", n ? end : "");
}

void pb_recommendation_certainty(const pb_recommendation *v, const char *end, pb_text *out)
{
    if (v->examples)
        pb_text_add(
            out, "It is the best of them in %.0f %% of %d bootstrap samples of %d seed%s and %d validation examples.%s",
            100 * v->share[v->best], v->resamples, v->seeds, v->seeds == 1 ? "" : "s", v->examples, end);
    list_ties(v, end, out);
    list_equals(v, end, out);
}

static void print_choice(const pb_recommendation *v, FILE *out)
{
    const pb_report *r = v->report;
    print_limits(v, out);
    if (v->best < 0) {
        int open = count_fits(v, PB_FIT_UNRESOLVED) + count_fits(v, PB_FIT_UNKNOWN);
        fprintf(out, "no row of %s is known to fit", r->experiment->name);
        if (open)
            fprintf(out, ", and of %d it is not known", open);
        fprintf(out, ".\n\n");
        return;
    }
    pb_interval valid = pb_report_score(v->report, v->best, PB_VALIDATION),
                test = pb_report_score(v->report, v->best, PB_TEST);
    const char *metric = r->experiment->primary->name;
    fprintf(out, "%s.\nIts %s is %.4f on validation, by which it is chosen from %d row%s that fit%s, and %.4f on test",
            r->row[v->best].row->label, metric, valid.middle, count_fits(v, PB_FIT_YES),
            count_fits(v, PB_FIT_YES) == 1 ? "" : "s", count_fits(v, PB_FIT_YES) == 1 ? "s" : "", test.middle);
    if (!isnan(test.low))
        fprintf(out, " (95 %% interval %.4f to %.4f)", test.low, test.high);
    fprintf(out, ".\n");
    pb_text certainty = {0};
    pb_recommendation_certainty(v, "\n", &certainty);
    fprintf(out, "%s\n", certainty.data ? certainty.data : "");
    pb_text_free(&certainty);
}

static char *interval_text(pb_interval d)
{
    return isnan(d.middle) ? pb_strdup("-")
           : isnan(d.low)  ? pb_format("%+.4f", d.middle)
                           : pb_format("%+.4f %+.4f..%+.4f", d.middle, d.low, d.high);
}

static char *cost_text(const char *key, pb_interval cost)
{
    char text[PB_UNIT_SIZE];
    amount(key, cost.middle, text);
    if (isnan(cost.middle))
        return pb_strdup("-");
    return pb_report_is_time(key) && !isnan(cost.low) ? pb_format("%s %.3f..%.3f", text, cost.low, cost.high)
                                                      : pb_strdup(text);
}

static void fill_row(const pb_recommendation *v, const pb_grid *g, int line, int row)
{
    double valid = pb_report_score(v->report, row, PB_VALIDATION).middle,
           test = pb_report_score(v->report, row, PB_TEST).middle;
    *pb_grid_at(g, line, 0) = pb_strdup(v->report->row[row].row->label);
    *pb_grid_at(g, line, 1) = pb_strdup(fit_name[v->fit[row]]);
    *pb_grid_at(g, line, 2) = isnan(valid) ? pb_strdup("-") : pb_format("%.4f", valid);
    *pb_grid_at(g, line, 3) = isnan(v->share[row]) ? pb_strdup("-") : pb_format("%.1f %%", 100 * v->share[row]);
    *pb_grid_at(g, line, 4) = isnan(test) ? pb_strdup("-") : pb_format("%.4f", test);
    *pb_grid_at(g, line, 5) = interval_text(v->difference[row]);
    for (int k = 0; k < v->limits; k++)
        *pb_grid_at(g, line, 6 + k) = cost_text(v->limit[k].key, v->cost[row * v->limits + k]);
}

void pb_recommendation_print(const pb_recommendation *v, FILE *out)
{
    static const char *const head[] = {"method", "fits", "validation", "best", "test", "difference"};
    char key[96];
    int *order = pb_alloc((size_t)rows_of(v) * sizeof *order);
    pb_grid g = pb_grid_new(rows_of(v) + 1, 6 + v->limits);
    print_choice(v, out);
    for (size_t k = 0; k < PB_COUNT(head); k++)
        *pb_grid_at(&g, 0, (int)k) = pb_strdup(head[k]);
    for (int k = 0; k < v->limits; k++)
        *pb_grid_at(&g, 0, 6 + k) = pb_strdup(v->limit[k].key);
    pb_report_order(v->report, pb_report_primary(v->report, PB_VALIDATION, key), order);
    for (int i = 0; i < rows_of(v); i++)
        fill_row(v, &g, i + 1, order[i]);
    pb_grid_print(&g, out);
    fprintf(
        out,
        "best: the share of bootstrap samples in which the row is the best of those that fit.  difference: on test, "
        "less the chosen row,\npaired, with its 95 %% interval.  undecided: the interval of a time contains the "
        "limit.  unknown: a value was not measured.\n");
    pb_grid_free(&g);
    free(order);
}

void pb_recommendation_json(const pb_recommendation *v, FILE *out)
{
    for (int i = 0; i < rows_of(v); i++) {
        pb_text t = {0};
        pb_text_add(&t, "{\"row\":");
        pb_json_quote(&t, v->report->row[i].row->label);
        pb_text_add(&t, ",\"recommended\":%s,\"fits\":\"%s\"", i == v->best ? "true" : "false", fit_name[v->fit[i]]);
        pb_json_member(&t, "validation", pb_report_score(v->report, i, PB_VALIDATION).middle);
        pb_json_member(&t, "share", v->share[i]);
        pb_json_member(&t, "test", pb_report_score(v->report, i, PB_TEST).middle);
        pb_json_member(&t, "difference", v->difference[i].middle);
        pb_json_member(&t, "low", v->difference[i].low);
        pb_json_member(&t, "high", v->difference[i].high);
        pb_text_add(&t, ",\"costs\":{");
        for (int k = 0; k < v->limits; k++) {
            pb_text_add(&t, k ? "," : "");
            pb_json_quote(&t, v->limit[k].key);
            pb_text_add(&t, ":");
            pb_json_put(&t, v->cost[i * v->limits + k].middle);
        }
        fprintf(out, "%s}}\n", t.data);
        pb_text_free(&t);
    }
}
