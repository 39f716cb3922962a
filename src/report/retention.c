/* retention: see retention.h. */
#include "report/retention.h"

#include <math.h>
#include <stdlib.h>

#include "report/grid.h"

/* A column of the table. */
typedef struct column {
    const char *key, *title, *format; /* format: of a double */
} column;

static const column columns[] = {{"retention.loss_delta", "loss delta", "%+.4f"},
                                 {"retention.drift", "drift", "%.4f"},
                                 {"retention.cka", "CKA", "%.4f"},
                                 {"geometry.norm", "norm", "%.4f"},
                                 {"geometry.effective_rank", "effective rank", "%.1f"},
                                 {"geometry.overlap", "overlap", "%.4f"}};

/* Returns "0.9130 ±0.0120", or "-" if there is no value.  The caller frees it. */
static char *with_margin(const char *format, pb_interval v)
{
    char middle[64], half[64];
    if (isnan(v.middle))
        return pb_strdup("-");
    snprintf(middle, sizeof middle, format, v.middle);                                  /* NOLINT: a format of ours */
    snprintf(half, sizeof half, format[1] == '+' ? "%.4f" : format, v.high - v.middle); /* NOLINT: the same */
    return isnan(v.high) ? pb_strdup(middle) : pb_format("%s ±%s", middle, half);
}

/* Prints a grid of n columns over all rows, unless no row has a value.  Returns whether it has printed. */
static bool print_columns(const pb_report *r, const char *title, const column *c, int n, bool margins, FILE *out)
{
    pb_grid g = pb_grid_new(r->experiment->rows + 1, n + 1);
    int values = 0;
    *pb_grid_at(&g, 0, 0) = pb_strdup(title);
    for (int k = 0; k < n; k++)
        *pb_grid_at(&g, 0, k + 1) = pb_strdup(c[k].title);
    for (int i = 0; i < r->experiment->rows; i++) {
        *pb_grid_at(&g, i + 1, 0) = pb_strdup(r->row[i].row->label);
        for (int k = 0; k < n; k++) {
            pb_interval v = pb_report_value(r, i, -1, c[k].key);
            v.high = margins ? v.high : NAN;
            *pb_grid_at(&g, i + 1, k + 1) = with_margin(c[k].format, v);
            values += !isnan(v.middle);
        }
    }
    if (values) {
        fprintf(out, "\n");
        pb_grid_print(&g, out);
    }
    pb_grid_free(&g);
    return values > 0;
}

/* Prints a value at each strength. */
static bool print_strengths(const pb_report *r, const char *key, const char *what, const char *format, FILE *out)
{
    const pb_experiment *e = r->experiment;
    column *c = pb_alloc((size_t)(e->strengths + 1) * sizeof *c);
    char *title = pb_format("%s at strength", what);
    for (int i = 0; i < e->strengths; i++)
        c[i] = (column){pb_format("%s.s%g", key, e->strength[i]), pb_format("%g", e->strength[i]), format};
    bool printed = print_columns(r, title, c, e->strengths, false, out);
    for (int i = 0; i < e->strengths; i++) {
        free((char *)(uintptr_t)c[i].key);
        free((char *)(uintptr_t)c[i].title);
    }
    free(title);
    free(c);
    return printed;
}

void pb_report_retention(const pb_report *r, FILE *out)
{
    char *score = pb_format("test %s", r->experiment->primary->name);
    if (print_columns(r, "retention", columns, (int)PB_COUNT(columns), true, out))
        fprintf(out,
                "Loss delta and drift are those of general text that the rows have not been trained on, CKA that of "
                "its last hidden states: 1 is unchanged.\n");
    if (r->experiment->strengths && print_strengths(r, "retention.score", score, "%.4f", out)) {
        if (!print_strengths(r, "retention.loss_delta", "loss delta", "%+.4f", out))
            print_strengths(r, "retention.cka", "CKA", "%.4f", out);
        fprintf(out, "Strength 0 is the base with the trained head, 1 the trained model, merged.\n");
    }
    free(score);
}
