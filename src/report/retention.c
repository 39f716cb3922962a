/* retention: see retention.h. */
#include "report/retention.h"

#include <math.h>
#include <stdlib.h>

#include "report/grid.h"

static const struct {
    const char *key, *title, *format;
} columns[] = {{"retention.loss_delta", "loss delta", "%+.4f"},
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

/* Fills the columns of values that a row has.  Returns their number over all rows. */
static int fill(const pb_report *r, const pb_grid *g)
{
    int n = 0;
    for (int i = 0; i < r->experiment->rows; i++) {
        *pb_grid_at(g, i + 1, 0) = pb_strdup(r->row[i].row->label);
        for (size_t k = 0; k < PB_COUNT(columns); k++) {
            pb_interval v = pb_report_value(r, i, -1, columns[k].key);
            *pb_grid_at(g, i + 1, (int)k + 1) = with_margin(columns[k].format, v);
            n += !isnan(v.middle);
        }
    }
    return n;
}

void pb_report_retention(const pb_report *r, FILE *out)
{
    pb_grid g = pb_grid_new(r->experiment->rows + 1, (int)PB_COUNT(columns) + 1);
    *pb_grid_at(&g, 0, 0) = pb_strdup("retention");
    for (size_t k = 0; k < PB_COUNT(columns); k++)
        *pb_grid_at(&g, 0, (int)k + 1) = pb_strdup(columns[k].title);
    if (fill(r, &g)) {
        fprintf(out, "\n");
        pb_grid_print(&g, out);
        fprintf(out,
                "Loss delta and drift are those of general text that the rows have not been trained on, CKA that of "
                "its last hidden states: 1 is unchanged.\n");
    }
    pb_grid_free(&g);
}
