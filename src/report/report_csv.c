/* report_csv: the table of an experiment as CSV. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/grid.h"
#include "report/report.h"

const char pb_latex_note[] =
    "% bold: the best; underlined: the second; ~: the 95 % interval of the paired difference to "
    "the best contains 0.\n% It needs \\usepackage{booktabs}.\n";

/* Prints a field that is not the first of its line. */
static void print_field(const char *text, FILE *out)
{
    putc(',', out);
    pb_csv_print(text, out);
}

static void print_number(double x, FILE *out)
{
    fprintf(out, isnan(x) ? "," : ",%.10g", x);
}

/* The columns of values: their keys, and of the difference to the baseline. */
typedef struct columns {
    const char *key[16];
    int count;
    char test[96], validation[96];
} columns;

static void choose_columns(const pb_report *r, bool times, columns *c)
{
    const char *const all[] = {"storage.trainable",
                               "storage.artifact_bytes",
                               "memory.train.total",
                               "compute.forward_flops",
                               "compute.backward_flops",
                               times ? "compute.step_ms" : NULL,
                               times ? "compute.gflops" : NULL,
                               pb_report_primary(r, PB_VALIDATION, c->validation),
                               pb_report_primary(r, PB_TEST, c->test),
                               times ? "overhead.prefill_ratio.b1" : NULL,
                               times ? "overhead.prefill_ratio.b1.merged" : NULL};
    c->count = 0;
    for (size_t i = 0; i < PB_COUNT(all); i++)
        if (all[i])
            c->key[c->count++] = all[i];
}

static void print_interval(pb_interval v, FILE *out)
{
    print_number(v.middle, out);
    print_number(v.low, out);
    print_number(v.high, out);
}

static void print_head(const columns *c, const char *keys, FILE *out)
{
    fprintf(out, "task,method,choice%s%s", keys ? "," : "", keys ? keys : "");
    for (int k = 0; k < c->count; k++)
        fprintf(out, ",%s,%s.low,%s.high", c->key[k], c->key[k], c->key[k]);
    fprintf(out, ",difference,difference.low,difference.high\r\n");
}

/* Prints a setting that is in force or, if the row has none of this key, a value.  Returns whether there is one. */
static bool print_key(const pb_report *r, int row, const char *key, FILE *out)
{
    const char *setting = pb_report_setting(r, row, key);
    double value = setting ? NAN : pb_report_value(r, row, pb_report_split(key), key).middle;
    if (setting)
        print_field(setting, out);
    else
        print_number(value, out);
    return setting || !isnan(value);
}

static void print_row(const pb_report *r, int row, const columns *c, const char *keys, bool *known, FILE *out)
{
    char key[96], *copy = keys ? pb_strdup(keys) : NULL, *rest = copy, *one;
    fputs(r->experiment->task_name, out);
    print_field(r->row[row].row->label, out);
    print_field(r->row[row].choice ? r->row[row].choice : "", out);
    for (int i = 0; (one = strsep(&rest, ",")); i++)
        known[i] = print_key(r, row, one + strspn(one, " "), out) || known[i];
    for (int k = 0; k < c->count; k++)
        print_interval(pb_report_measured(r, row, c->key[k]), out);
    if (row == pb_report_baseline(r))
        fprintf(out, ",,,");
    else
        print_interval(pb_report_difference(r, row, PB_TEST, pb_report_primary(r, PB_TEST, key)), out);
    fprintf(out, "\r\n");
    free(copy);
}

/* Refuses a key of --columns that no row has. */
static int check_known(const char *keys, const bool *known)
{
    char *copy = pb_strdup(keys), *rest = copy, *one;
    int rc = 0;
    for (int i = 0; !rc && (one = strsep(&rest, ",")); i++)
        if (!known[i])
            rc = pb_error("--columns: no row has a setting or a value '%s'", one);
    free(copy);
    return rc;
}

int pb_report_csv(const pb_report *r, const pb_table_style *style, FILE *out)
{
    int rows = r->experiment->rows, *order = pb_alloc((size_t)rows * sizeof *order), rc = 0;
    bool *known = pb_alloc(style->columns ? strlen(style->columns) + 1 : 1);
    char *text = NULL;
    size_t size;
    FILE *lines = open_memstream(&text, &size);
    columns c;
    choose_columns(r, !style->no_times, &c);
    for (int i = 0; i < rows; i++)
        order[i] = i;
    if (style->sort)
        rc = pb_report_sort(r, style->sort, order);
    if (!style->headless)
        print_head(&c, style->columns, lines);
    for (int i = 0; i < rows; i++)
        print_row(r, order[i], &c, style->columns, known, lines);
    fclose(lines);
    if (!rc && style->columns)
        rc = check_known(style->columns, known);
    if (!rc)
        fputs(text, out);
    free(text);
    free(known);
    free(order);
    return rc;
}
