/* compare: see compare.h. */
#include "report/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "results/retained.h"
#include "results/timing.h"

const char *const pb_verdict_name[] = {"same", "better", "worse", "undecided"};
const pb_margins pb_margins_default = {-1, 0.05, 1e-4};

int pb_margins_read(pb_margins *m, const char *text)
{
    char *end;
    if (!text)
        return 0;
    m->accuracy = strtod(text, &end);
    if (*end == ',')
        m->ratio = strtod(end + 1, &end);
    if (*end == ',')
        m->trajectory = strtod(end + 1, &end);
    return !*end && m->accuracy >= 0 && m->ratio >= 0 && m->trajectory >= 0
               ? 0
               : pb_error("--margin: want up to three non-negative numbers, for score, times and trajectory, such as "
                          "0.01,0.05,1e-4; got '%s'",
                          text);
}

/* ---- verdicts --------------------------------------------------------------------------------------------- */

/* Returns the verdict on a difference from its interval and the equivalence margin around `none`.  If `rising`, higher
 * is better. */
static pb_verdict judge(pb_interval d, double none, double margin, bool rising)
{
    if (isnan(d.low) || isnan(d.high))
        return PB_UNDECIDED;
    if (d.low >= none - margin && d.high <= none + margin)
        return PB_SAME;
    if (d.low > none)
        return rising ? PB_BETTER : PB_WORSE;
    if (d.high < none)
        return rising ? PB_WORSE : PB_BETTER;
    return PB_UNDECIDED;
}

static pb_axis *new_axis(pb_comparison *c, const char *key, double a, double b)
{
    PB_CHECK(c->axes < (int)PB_COUNT(c->axis));
    pb_axis *x = &c->axis[c->axes++];
    *x = (pb_axis){.a = a, .b = b, .p = NAN};
    snprintf(x->key, sizeof x->key, "%s", key);
    return x;
}

/* ---- accuracy --------------------------------------------------------------------------------------------- */

/* Writes the indices of the seeds that both have into ia and ib.  Returns their number. */
static int common_seeds(const pb_comparand *a, const pb_comparand *b, int *ia, int *ib)
{
    int n = 0;
    for (int i = 0, k = 0; i < a->seeds && k < b->seeds;)
        if (a->seed[i] == b->seed[k]) {
            ia[n] = i++;
            ib[n++] = k++;
        } else if (a->seed[i] < b->seed[k]) {
            i++;
        } else {
            k++;
        }
    return n;
}

/* Notes p of a permutation test over the examples of an accuracy, and for one seed also that of McNemar's test. */
static void note_tests(const pb_scores *a, const pb_scores *b, pb_axis *x)
{
    size_t used = strlen(x->note);
    if (!pb_scores_is_mean(a))
        return;
    pb_crossed one = pb_scores_crossed(a), other = pb_scores_crossed(b);
    snprintf(x->note + used, sizeof x->note - used, "%spermutation test of these models: p %.3g", used ? "; " : "",
             pb_stats_pair_p(&one, &other, 9999, 0));
    int only[2] = {0};
    for (int e = 0; e < a->examples; e++) {
        only[0] += a->x[e] > b->x[e];
        only[1] += a->x[e] < b->x[e];
    }
    used = strlen(x->note);
    if (a->seeds == 1)
        snprintf(x->note + used, sizeof x->note - used, "; McNemar: p %.3g", pb_stats_mcnemar(only[0], only[1]));
}

/* Returns half the width of the widest interval that would decide: one that excludes 0 or lies inside the margin. */
static double deciding_half(double difference, double margin)
{
    return fmax(fabs(difference), margin - fabs(difference));
}

/* Notes how much larger the study would have to be to decide. */
static void note_size(const pb_variance_components *p, const pb_scores *a, pb_axis *x)
{
    double half = deciding_half(x->difference.middle, x->margin);
    if (isnan(p->half)) {
        snprintf(x->note, sizeof x->note, "all differences are equal, so no interval can be estimated");
        return;
    }
    int seeds = pb_stats_seeds_wanted(p, a->seeds, a->examples, half);
    int examples = pb_stats_examples_wanted(p, a->seeds, a->examples, half);
    char more[80] = "neither more seeds nor more examples alone would decide";
    if (seeds && examples)
        snprintf(more, sizeof more, "%d seeds or %d examples would decide", seeds, examples);
    else if (seeds || examples)
        snprintf(more, sizeof more, "%d %s would decide", seeds ? seeds : examples, seeds ? "seeds" : "examples");
    snprintf(x->note, sizeof x->note, "%s if the estimate is correct; detectable difference: %.2g", more,
             pb_stats_detectable(p));
}

static void add_score(pb_comparison *c, const pb_metric_info *primary, const pb_scores *a, const pb_scores *b,
                      double margin)
{
    char key[64];
    snprintf(key, sizeof key, "accuracy.test.%s", primary->name);
    pb_crossed x = pb_scores_crossed(a), y = pb_scores_crossed(b);
    pb_variance_components parts;
    pb_axis *axis = new_axis(c, key, pb_stats_row(&x, NULL).middle, pb_stats_row(&y, NULL).middle);
    axis->kind = PB_SCORE;
    axis->difference = pb_score_within(primary, true, pb_stats_pair(&x, &y, &parts));
    axis->margin = margin >= 0 ? margin : pb_score_point(primary, fmax(axis->a, axis->b));
    axis->verdict = judge(axis->difference, 0, axis->margin, primary->higher_is_better);
    if (axis->verdict == PB_UNDECIDED)
        note_size(&parts, a, axis);
    note_tests(a, b, axis);
}

/* Returns whether run i of a and run k of b have the same hash, which covers everything that decides a result. */
static bool same_run(const pb_comparand *a, int i, const pb_comparand *b, int k)
{
    pb_run_record x = {.id = 0}, y = {.id = 0};
    bool same = !pb_store_record(a->store, a->run[i], &x) && !pb_store_record(b->store, b->run[k], &y) &&
                !strcmp(x.hash, y.hash); /* the stores remember an error */
    pb_run_record_free(&x);
    pb_run_record_free(&y);
    return same;
}

/* Two runs of the same computation with equal predictions do not differ: there is nothing to estimate and no
 * interval. */
static void note_one_computation(const pb_scores *x, const pb_scores *y, pb_axis *axis)
{
    if (!x->x || !y->x ||
        memcmp(x->x, y->x, (size_t)x->seeds * (size_t)x->examples * (size_t)x->stats * sizeof *x->x) != 0)
        return;
    axis->difference.low = axis->difference.high = NAN;
    axis->verdict = PB_SAME;
    snprintf(axis->note, sizeof axis->note, "the runs and their predictions are the same");
}

static int compare_scores(const pb_comparand *a, const pb_comparand *b, double margin, pb_comparison *c)
{
    int *ia = pb_alloc((size_t)a->seeds * sizeof *ia), *ib = pb_alloc((size_t)b->seeds * sizeof *ib);
    pb_scores x = {.x = NULL}, y = {.x = NULL};
    int n = common_seeds(a, b, ia, ib);
    int rc = n ? pb_comparand_scores(a, ia, n, &x) || pb_comparand_scores(b, ib, n, &y)
               : pb_error("%s and %s have no seed in common", a->row, b->row);
    if (!rc && x.examples != y.examples)
        rc = pb_error("%s has %d predictions on test and %s has %d", a->row, x.examples, b->row, y.examples);
    c->seeds = n;
    c->examples = x.examples;
    bool one = !rc;
    for (int i = 0; i < n && one; i++)
        one = same_run(a, ia[i], b, ib[i]);
    if (!rc)
        add_score(c, a->primary, &x, &y, margin);
    if (one)
        note_one_computation(&x, &y, &c->axis[0]);
    pb_scores_free(&x);
    pb_scores_free(&y);
    free(ia);
    free(ib);
    return rc ? -1 : 0;
}

/* ---- exact numbers and times ------------------------------------------------------------------------------- */

static const char *const exact_keys[] = {"storage.trainable",      "storage.stored",        "storage.artifact_bytes",
                                         "memory.train.total",     "compute.forward_flops", "compute.backward_flops",
                                         "overhead.prompt_tokens", "overhead.kv_bytes",     "overhead.flops",
                                         "overhead.flops.merged"};

/* Computes the means over the seeds that both have measured.  *same is set to whether the values are equal for each of
 * these seeds.  Returns false if neither has a value. */
static bool exact_means(const pb_comparand *a, const pb_comparand *b, const char *key, double mean[2], bool *same)
{
    int n = 0, some = 0;
    mean[0] = mean[1] = 0;
    *same = true;
    for (int i = 0; i < a->seeds; i++)
        for (int k = 0; k < b->seeds; k++) {
            if (a->seed[i] != b->seed[k])
                continue;
            double x = pb_comparand_value(a, i, key), y = pb_comparand_value(b, k, key);
            some += !isnan(x) || !isnan(y);
            if (isnan(x) || isnan(y))
                continue;
            mean[0] += x;
            mean[1] += y;
            n++;
            *same = *same && x == y;
        }
    mean[0] /= n; /* NaN if only one of the two has the value */
    mean[1] /= n;
    return some;
}

static void compare_exact(const pb_comparand *a, const pb_comparand *b, pb_comparison *c)
{
    for (size_t i = 0; i < PB_COUNT(exact_keys); i++) {
        double mean[2];
        bool same;
        if (!exact_means(a, b, exact_keys[i], mean, &same))
            continue;
        pb_axis *axis = new_axis(c, exact_keys[i], mean[0], mean[1]);
        double difference = mean[0] - mean[1];
        axis->kind = PB_EXACT;
        axis->difference = (pb_interval){.middle = difference, .low = NAN, .high = NAN, .n = 1};
        axis->verdict = isnan(difference) ? PB_UNDECIDED : same ? PB_SAME : difference < 0 ? PB_BETTER : PB_WORSE;
        if (!same && difference == 0)
            snprintf(axis->note, sizeof axis->note, "the means are equal, but the seeds differ");
    }
}

/* ---- retention --------------------------------------------------------------------------------------------- */

/* Returns the text on which the retention of a run was measured; NULL if it was not.  The caller frees it. */
static char *text_of(const pb_comparand *s, int seed)
{
    char *text = NULL;
    pb_store_provenance_get(s->store, s->run[seed], PB_RETENTION_TEXT, &text); /* the store remembers an error */
    return text;
}

/* Returns whether both runs were measured on one text. */
static bool same_text(const pb_comparand *a, int i, const pb_comparand *b, int k)
{
    char *x = text_of(a, i), *y = text_of(b, k);
    bool same = x && y && !strcmp(x, y);
    free(x);
    free(y);
    return same;
}

/* Compares the values under `key` of the n seeds that both have, by their paired differences. */
static void compare_retained(const pb_comparand *a, const int *ia, const pb_comparand *b, const int *ib, int n,
                             const char *key, bool rising, pb_comparison *c)
{
    double *x = pb_alloc((size_t)(n + 1) * sizeof *x), *y = pb_alloc((size_t)(n + 1) * sizeof *y);
    double *difference = pb_alloc((size_t)(n + 1) * sizeof *difference);
    bool of_text = !strncmp(key, "retention.", 10);
    for (int i = 0; i < n; i++) {
        bool both = !of_text || same_text(a, ia[i], b, ib[i]);
        x[i] = both ? pb_comparand_value(a, ia[i], key) : NAN;
        y[i] = both ? pb_comparand_value(b, ib[i], key) : NAN;
        difference[i] = x[i] - y[i];
    }
    pb_interval d = pb_stats_mean(n, difference);
    if (d.n) {
        pb_axis *axis = new_axis(c, key, pb_stats_mean(n, x).middle, pb_stats_mean(n, y).middle);
        axis->kind = PB_SCORE;
        axis->difference = d;
        axis->verdict = judge(d, 0, 0, rising);
        if (d.n == 1)
            snprintf(axis->note, sizeof axis->note, "one seed alone gives no interval");
    }
    free(x);
    free(y);
    free(difference);
}

static void compare_retention(const pb_comparand *a, const pb_comparand *b, pb_comparison *c)
{
    int *ia = pb_alloc((size_t)(a->seeds + 1) * sizeof *ia), *ib = pb_alloc((size_t)(a->seeds + 1) * sizeof *ib);
    int n = common_seeds(a, b, ia, ib);
    compare_retained(a, ia, b, ib, n, "retention.loss_delta", false, c);
    compare_retained(a, ia, b, ib, n, "retention.drift", false, c);
    compare_retained(a, ia, b, ib, n, "retention.cka", true, c);
    compare_retained(a, ia, b, ib, n, "geometry.norm", false, c);
    free(ia);
    free(ib);
}

/* ---- times ------------------------------------------------------------------------------------------------- */

/* Notes how many processes would decide: the width of an interval falls with the square root of their number. */
static void note_processes(int n, pb_axis *x)
{
    size_t used = strlen(x->note);
    double half = log(x->difference.high / x->difference.low) / 2;
    double wanted = deciding_half(log(x->difference.middle), log1p(x->margin));
    if (wanted > 0)
        snprintf(x->note + used, sizeof x->note - used,
                 "; about %.0f processes would decide if the estimate is correct",
                 ceil(n * half * half / (wanted * wanted)));
}

/* Returns the share of the time that the timing pass waited for a processor; NaN if it was not recorded. */
static double timing_wait(const pb_comparand *s)
{
    double wait = NAN;
    for (int i = 0; i < s->seeds && isnan(wait); i++)
        wait = pb_comparand_value(s, i, "overhead.contention");
    return wait;
}

/* Notes that times were taken on a busy machine. */
static void note_wait(const pb_comparand *a, const pb_comparand *b, pb_axis *x)
{
    double wait[] = {timing_wait(a), timing_wait(b)};
    size_t used = strlen(x->note);
    if (wait[0] > PB_CONTENDED || wait[1] > PB_CONTENDED)
        snprintf(x->note + used, sizeof x->note - used,
                 "; busy machine: threads waited %.0f %% and %.0f %% of the time", 100 * wait[0], 100 * wait[1]);
}

/* Compares ratios to the base model, of which each process has measured one. */
static int compare_ratio(const pb_comparand *a, const pb_comparand *b, const char *key, double margin, pb_comparison *c)
{
    double *x, *y, p;
    int n = pb_comparand_times(a, key, &x), m = pb_comparand_times(b, key, &y);
    if (n > 0 && m > 0) {
        pb_axis *axis = new_axis(c, key, pb_stats_geometric(n, x).middle, pb_stats_geometric(m, y).middle);
        axis->kind = PB_RATIO;
        axis->difference = pb_stats_quotient(n, x, m, y, &p);
        axis->margin = margin;
        axis->p = p;
        axis->verdict = judge(axis->difference, 1, margin, false);
        snprintf(axis->note, sizeof axis->note, isnan(p) ? "one process alone gives no interval" : "p %.3g", p);
        if (axis->verdict == PB_UNDECIDED && !isnan(p))
            note_processes(n < m ? n : m, axis);
        note_wait(a, b, axis);
    }
    free(x);
    free(y);
    return n < 0 || m < 0 ? -1 : 0;
}

static int compare_ratios(const pb_comparand *a, const pb_comparand *b, double margin, pb_comparison *c)
{
    static const char *const keys[] = {"overhead.prefill_ratio.b1",        "overhead.prefill_ratio.b32",
                                       "overhead.prefill_ratio.b1.merged", "overhead.prefill_ratio.b32.merged",
                                       "overhead.decode_ratio.b1",         "overhead.decode_ratio.b32",
                                       "overhead.decode_ratio.b1.merged",  "overhead.decode_ratio.b32.merged"};
    int rc = 0;
    for (size_t i = 0; i < PB_COUNT(keys) && !rc; i++)
        rc = compare_ratio(a, b, keys[i], margin, c);
    return rc;
}

int pb_compare(const pb_comparand *a, const pb_comparand *b, const pb_margins *m, pb_comparison *out)
{
    *out = (pb_comparison){.axes = 0};
    if (compare_scores(a, b, m->accuracy, out))
        return -1;
    compare_exact(a, b, out);
    compare_retention(a, b, out);
    return m->ratio < 0 ? 0 : compare_ratios(a, b, m->ratio, out);
}

void pb_comparisons_adjust(pb_comparison *c, int n)
{
    size_t most = (size_t)n * PB_COUNT(c->axis) + 1;
    pb_axis **axis = pb_alloc(most * sizeof *axis);
    double *p = pb_alloc(most * sizeof *p);
    int times = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < c[i].axes; j++)
            if (!isnan(c[i].axis[j].p)) {
                axis[times] = &c[i].axis[j];
                p[times++] = c[i].axis[j].p;
            }
    pb_stats_holm(times, p);
    for (int k = 0; k < times; k++) {
        bool within = fabs(axis[k]->difference.middle - 1) <= axis[k]->margin;
        if ((p[k] <= 0.05 && !within) || axis[k]->verdict == PB_SAME || axis[k]->verdict == PB_UNDECIDED)
            continue;
        axis[k]->verdict = PB_UNDECIDED;
        snprintf(axis[k]->note, sizeof axis[k]->note, "p %.3g, adjusted over %d times %.3g%s", axis[k]->p, times, p[k],
                 within ? ", and the ratio is within the margin" : "");
    }
    free(axis);
    free(p);
}

/* ---- printing ----------------------------------------------------------------------------------------------- */

/* Prints a number in a column, "-" if it is NaN because only one of the two has the value. */
static void print_number(FILE *out, int width, int digits, double x)
{
    if (isnan(x))
        fprintf(out, "%*s", width, "-");
    else
        fprintf(out, "%*.*g", width, digits, x);
}

/* width: of the columns of the two sides */
static void print_axis(const pb_axis *x, const int width[2], FILE *out)
{
    char interval[64] = "";
    double difference = x->difference.middle; /* rounding error of equal means is no difference */
    difference = fabs(difference) < 1e-12 * fmax(fabs(x->a), fabs(x->b)) ? 0 : difference;
    if (!isnan(x->difference.low))
        snprintf(interval, sizeof interval, "%.4g .. %.4g", x->difference.low, x->difference.high);
    fprintf(out, "%-34s ", x->key);
    print_number(out, width[0], 6, x->a);
    fputc(' ', out);
    print_number(out, width[1], 6, x->b);
    fprintf(out, "  %s", x->kind == PB_RATIO ? "x" : " ");
    print_number(out, -11, 4, difference);
    fprintf(out, " %-22s %-9s %s\n", interval, pb_verdict_name[x->verdict], x->note);
}

void pb_comparison_print(const pb_comparison *c, const pb_comparand *a, const pb_comparand *b, FILE *out)
{
    fprintf(out, "%s/%s%s%s compared with %s/%s%s%s: %d seed%s, %d test examples\n", a->experiment, a->row,
            *a->choice ? " " : "", a->choice, b->experiment, b->row, *b->choice ? " " : "", b->choice, c->seeds,
            c->seeds == 1 ? "" : "s", c->examples);
    int width[2] = {(int)fmax(12, (double)strlen(a->row)), (int)fmax(12, (double)strlen(b->row))};
    fprintf(out, "%-34s %*s %*s  %-12s %-22s %s\n", "axis", width[0], a->row, width[1], b->row, " difference", "95 %",
            "verdict");
    for (int i = 0; i < c->axes; i++)
        print_axis(&c->axis[i], width, out);
}

void pb_comparison_json(const pb_comparison *c, const pb_comparand *a, const pb_comparand *b, FILE *out)
{
    for (int i = 0; i < c->axes; i++) {
        const pb_axis *x = &c->axis[i];
        pb_text t = {0};
        pb_text_add(&t, "{\"a\":");
        pb_json_quote(&t, a->row);
        pb_text_add(&t, ",\"b\":");
        pb_json_quote(&t, b->row);
        pb_text_add(&t, ",\"key\":");
        pb_json_quote(&t, x->key);
        pb_text_add(&t, ",\"verdict\":\"%s\",\"seeds\":%d,\"examples\":%d", pb_verdict_name[x->verdict], c->seeds,
                    c->examples);
        pb_json_member(&t, "value_a", x->a);
        pb_json_member(&t, "value_b", x->b);
        pb_json_member(&t, x->kind == PB_RATIO ? "ratio" : "difference", x->difference.middle);
        pb_json_member(&t, "low", x->difference.low);
        pb_json_member(&t, "high", x->difference.high);
        pb_json_member(&t, "margin", x->margin);
        pb_text_add(&t, ",\"note\":");
        pb_json_quote(&t, x->note);
        fprintf(out, "%s}\n", t.data);
        pb_text_free(&t);
    }
}
