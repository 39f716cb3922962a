/* reports: see reports.h. */
#include "cli/reports.h"

#include <stdlib.h>
#include <string.h>

#include "report/task_table.h"

int pb_args_format(const pb_args *a, int last)
{
    static const char *const all[] = {[PB_PRINT_TEXT] = "text",
                                      [PB_PRINT_MARKDOWN] = "markdown",
                                      [PB_PRINT_LATEX] = "latex",
                                      [PB_PRINT_CSV] = "csv",
                                      "json"};
    const char *names[PB_COUNT(all) + 1] = {0};
    memcpy(names, all, (size_t)(last + 1) * sizeof *names);
    for (int i = 0; a->format && names[i]; i++)
        if (!strcmp(a->format, names[i]))
            return i;
    if (!a->format)
        return PB_PRINT_TEXT;
    char *near = pb_did_you_mean(a->format, names);
    pb_error("--format: want text, markdown, latex%s, got '%s'%s", last > PB_PRINT_CSV ? ", csv or json" : " or csv",
             a->format, near);
    free(near);
    return -1;
}

static int open_reports(pb_reports *x, const pb_args *a, bool any_version, bool one)
{
    *x = (pb_reports){.tasks = 0};
    if (pb_run_contexts_open(&x->context, a, one))
        return -1;
    x->task = pb_alloc((size_t)x->context.tasks * sizeof *x->task);
    for (; x->tasks < x->context.tasks; x->tasks++) {
        const pb_run_context *d = &x->context.task[x->tasks];
        if (pb_report_make(&x->task[x->tasks], d->store, d->experiment, any_version)) {
            pb_reports_close(x);
            return -1;
        }
    }
    return 0;
}

int pb_reports_open(pb_reports *x, const pb_args *a, bool any_version)
{
    return open_reports(x, a, any_version, false);
}

int pb_reports_open_one(pb_reports *x, const pb_args *a, bool any_version)
{
    return open_reports(x, a, any_version, true);
}

void pb_reports_heading(const pb_experiment *e, int format, bool first)
{
    static const char *const before[] = {
        [PB_PRINT_TEXT] = "task ", [PB_PRINT_MARKDOWN] = "## ", [PB_PRINT_LATEX] = "% "};
    if (format != PB_PRINT_CSV)
        printf("%s%s%s\n%s", first ? "" : "\n", before[format], e->task_name, format == PB_PRINT_MARKDOWN ? "\n" : "");
}

int pb_reports_print(const pb_reports *x, const pb_table_style *style, bool per_task)
{
    pb_table_style each = *style;
    int rc = 0;
    if (x->tasks > 1 && !per_task && style->format != PB_PRINT_CSV)
        return pb_task_table_print(x->task, x->tasks, style, stdout);
    for (int i = 0; i < x->tasks && !rc; i++) {
        if (x->tasks > 1)
            pb_reports_heading(x->task[i].experiment, style->format, !i);
        each.headless = i > 0;
        rc = pb_report_print(&x->task[i], &each, stdout);
    }
    return rc;
}

int pb_reports_json(const pb_reports *x)
{
    int rc = 0;
    for (int i = 0; i < x->tasks && !rc; i++)
        rc = pb_report_json(&x->task[i], stdout);
    if (!rc && x->tasks > 1)
        pb_task_table_json(x->context.name, x->task, x->tasks, stdout);
    return rc;
}

int pb_reports_close(pb_reports *x)
{
    for (int i = 0; i < x->tasks; i++)
        pb_report_free(&x->task[i]);
    free(x->task);
    return pb_run_contexts_close(&x->context);
}
