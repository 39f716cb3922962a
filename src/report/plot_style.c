/* plot_style: what the figures have in common: looks, titles and ranges. */
#include <math.h>
#include <stdlib.h>

#include "report/gnuplot.h"
#include "report/plot_internal.h"

const char pb_plot_style[] = "set border 3 lc rgb '#404040'\n"
                             "set tics nomirror out textcolor rgb '#404040'\n"
                             "set grid lc rgb '#e4e4e4' lt 1\n"
                             "unset key\n";

const int pb_category_shape[PB_CATEGORIES] = {2, 7, 5, 9, 11};
const char *const pb_category_grey[PB_CATEGORIES] = {"#808080", "#202020", "#585858", "#000000", "#909090"};

int pb_plot_title(pb_figure *f, const pb_report *r)
{
    const pb_experiment *e = r->experiment;
    int others = 0;
    for (int i = 0; i < e->rows; i++)
        others += pb_report_others(r, i) != 0;
    bool task = *e->title && e->of_several;
    char *title = pb_format("%s%s%s%s", *e->title ? e->title : e->name, task ? ": " : "", task ? e->task_name : "",
                            others ? " (†: runs of another version of the code)" : "");
    int number = pb_figure_text(f, title);
    free(title);
    return number;
}

void pb_range_widen(pb_plot_range *r, double x)
{
    if (isnan(x))
        return;
    r->low = fmin(r->low, x);
    r->high = fmax(r->high, x);
}

void pb_range_pad(pb_plot_range *r, double share)
{
    if (r->log) {
        double f = pow(r->high / r->low, share);
        f = f > 1.05 ? f : 1.5;
        r->low /= f;
        r->high *= f;
    } else {
        double d = (r->high - r->low) * share;
        d = d > 1e-6 * fabs(r->high) ? d : fmax(0.05, 0.05 * fabs(r->high)); /* a single value has no range */
        r->low -= d;
        r->high += d;
    }
}

int pb_row_category(const pb_row *row)
{
    return row->spec.parts > 1 ? PB_HYBRID : (int)row->spec.part[0].method->category;
}
