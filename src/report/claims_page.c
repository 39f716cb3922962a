/* claims_page: the verdicts as a Markdown page, and as JSON. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/units.h"
#include "report/claims.h"
#include "report/grid.h"

/* ---- numbers --------------------------------------------------------------------------------------------------- */

/* Returns a number with four digits, or with three and a decimal prefix if it is large.  The caller frees it. */
static char *digits(double x)
{
    char text[PB_UNIT_SIZE];
    return fabs(x) >= 1e4 ? pb_format("%s%s", x < 0 ? "-" : "", pb_with_unit(text, fabs(x), "")) : pb_format("%.4g", x);
}

/* "0.0123, 0.004..0.02", with the interval where there is one.  The caller frees it. */
static char *effect_text(const pb_claim *c)
{
    if (isnan(c->effect.middle))
        return pb_strdup("-");
    char *middle = digits(c->effect.middle), *low = digits(c->effect.low), *high = digits(c->effect.high);
    char *out = c->effect.exact        ? pb_format("%s, exact", middle)
                : isnan(c->effect.low) ? pb_strdup(middle)
                : c->says.of == PB_CLAIM_DIFFERENCE
                    ? pb_format("%+.4g, %+.4g..%+.4g", c->effect.middle, c->effect.low, c->effect.high)
                    : pb_format("%s, %s..%s", middle, low, high);
    free(middle);
    free(low);
    free(high);
    return out;
}

static char *value_text(double x)
{
    return isnan(x) ? pb_strdup("-") : digits(x);
}

static char *p_text(double p)
{
    return isnan(p) ? pb_strdup("-") : p < 1e-4 ? pb_strdup("< 0.0001") : pb_format("%.2g", p);
}

/* ---- the page -------------------------------------------------------------------------------------------------- */

static int count_verdicts(const pb_claim *c, int n, pb_claim_verdict v)
{
    int found = 0;
    for (int i = 0; i < n; i++)
        found += c[i].verdict == v;
    return found;
}

static void print_counts(const pb_claim *c, int n, FILE *out)
{
    fprintf(out, "%d claim%s: ", n, n == 1 ? "" : "s");
    for (int v = 0; v < PB_CLAIM_VERDICTS; v++)
        fprintf(out, "%s%d %s", v ? ", " : "", count_verdicts(c, n, (pb_claim_verdict)v), pb_claim_verdict_name[v]);
    fprintf(out, ".\n\n");
}

static void fill_row(const pb_claim *c, const pb_grid *g, int row)
{
    bool same = !*c->key_b || !strcmp(c->key, c->key_b);
    char *cell[] = {pb_strdup(c->id),
                    pb_strdup(c->claim),
                    pb_strdup(c->source),
                    pb_strdup(c->a),
                    *c->b ? pb_strdup(c->b) : NULL,
                    same ? pb_strdup(c->key) : pb_format("%s, %s", c->key, c->key_b),
                    value_text(c->value[0]),
                    value_text(c->value[1]),
                    pb_strdup(c->relation),
                    effect_text(c),
                    p_text(c->holm),
                    pb_strdup(pb_claim_verdict_name[c->verdict])};
    for (int k = 0; k < (int)PB_COUNT(cell); k++)
        *pb_grid_at(g, row, k) = cell[k];
    if (c->verdict == PB_CLAIM_CONFIRMED || c->verdict == PB_CLAIM_REFUTED)
        g->emphasis[(size_t)row * (size_t)g->columns + PB_COUNT(cell) - 1] = PB_GRID_BEST;
}

static void print_table(const pb_claim *const *c, int n, FILE *out)
{
    static const char *const head[] = {"id",      "claim",   "source", "A",      "B", "key",
                                       "value A", "value B", "says",   "effect", "p", "verdict"};
    pb_grid g = pb_grid_new(n + 1, PB_COUNT(head));
    g.kept = g.names = PB_COUNT(head);
    for (int k = 0; k < (int)PB_COUNT(head); k++)
        *pb_grid_at(&g, 0, k) = pb_strdup(head[k]);
    for (int i = 0; i < n; i++)
        fill_row(c[i], &g, i + 1);
    pb_grid_markdown(&g, out);
    pb_grid_free(&g);
}

/* What the table has no room for: why a claim was not run or is undecided, and what its author says of the verdict. */
static void print_remarks(const pb_claim *const *c, int n, FILE *out)
{
    bool first = true;
    for (int i = 0; i < n; i++) {
        if (!*c[i]->note && !*c[i]->why)
            continue;
        fprintf(out, first ? "\n* " : "* ");
        first = false;
        pb_markdown_print(c[i]->id, out);
        fprintf(out, ", %s: ", pb_claim_verdict_name[c[i]->verdict]);
        pb_markdown_print(c[i]->note, out);
        fprintf(out, *c[i]->note && *c[i]->why ? ". " : "");
        pb_markdown_print(c[i]->why, out);
        fprintf(out, "\n");
    }
}

/* Prints the claims [n] of one table, those of an experiment together, in the order in which it names experiments. */
static void print_file(const pb_claim *c, int n, FILE *out)
{
    const pb_claim **same = pb_alloc((size_t)n * sizeof *same);
    bool *printed = pb_alloc((size_t)n * sizeof *printed);
    fprintf(out, "\n## ");
    pb_markdown_print(c->path, out);
    fprintf(out, "\n\n");
    print_counts(c, n, out);
    for (int i = 0; i < n; i++) {
        int count = 0;
        for (int k = i; k < n && !printed[i]; k++)
            if (!strcmp(c[k].experiment, c[i].experiment))
                same[count++] = &c[k];
        if (!count)
            continue;
        fprintf(out, "%s### ", i ? "\n" : "");
        pb_markdown_print(c[i].experiment, out);
        fprintf(out, "\n\n");
        print_table(same, count, out);
        print_remarks(same, count, out);
        for (int k = 0; k < count; k++)
            printed[same[k] - c] = true;
    }
    free(same);
    free(printed);
}

void pb_claims_print(const pb_claims *c, FILE *out)
{
    fprintf(out, "# Claims, and what the runs say\n\n"
                 "`peftbench claims` judges claims by stored runs and by plans. A claim is confirmed if the 95 %% "
                 "interval of its effect lies in the region that it says, refuted if it lies outside, and not run if a "
                 "value is missing; otherwise the runs do not decide.\n\n");
    print_counts(c->claim, c->claims, out);
    fprintf(out,
            "%d claims are tested on samples, at the 5 %% level over all of them together (Holm); p is adjusted. Exact "
            "numbers have no p.\n",
            c->tested);
    if (c->others)
        fprintf(out, "%d of the runs that these verdicts use %s of another version of the code.\n", c->others,
                c->others == 1 ? "is" : "are");
    for (int i = 0, n; i < c->claims; i += n) {
        for (n = 1; i + n < c->claims && c->claim[i + n].path == c->claim[i].path; n++)
            ;
        print_file(c->claim + i, n, out);
    }
}

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

void pb_claims_json(const pb_claims *c, FILE *out)
{
    for (int i = 0; i < c->claims; i++) {
        const pb_claim *x = &c->claim[i];
        const char *const text[][2] = {{"id", x->id},
                                       {"source", x->source},
                                       {"claim", x->claim},
                                       {"experiment", x->experiment},
                                       {"a", x->a},
                                       {"b", x->b},
                                       {"key", x->key},
                                       {"key_b", x->key_b},
                                       {"relation", x->relation},
                                       {"verdict", pb_claim_verdict_name[x->verdict]},
                                       {"note", x->note},
                                       {"why", x->why}};
        pb_text t = {0};
        for (size_t k = 0; k < PB_COUNT(text); k++) {
            pb_text_add(&t, "%s\"%s\":", k ? "," : "{", text[k][0]);
            pb_json_quote(&t, text[k][1]);
        }
        pb_text_add(&t, ",\"exact\":%s", x->effect.exact && !isnan(x->effect.middle) ? "true" : "false");
        pb_json_member(&t, "value_a", x->value[0]);
        pb_json_member(&t, "value_b", x->value[1]);
        pb_json_member(&t, "effect", x->effect.middle);
        pb_json_member(&t, "low", x->effect.low);
        pb_json_member(&t, "high", x->effect.high);
        pb_json_member(&t, "p", x->p);
        pb_json_member(&t, "adjusted", x->holm);
        fprintf(out, "%s,\"seeds\":%d,\"examples\":%d}\n", t.data, x->seeds, x->examples);
        pb_text_free(&t);
    }
}
