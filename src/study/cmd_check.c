/* cmd_check: the regression gate: every row of a baseline beside the same row of today. */
#include <stdlib.h>
#include <string.h>

#include "study/cmd.h"
#include "study/compare.h"

/* A row of the baseline, as it was and as it is. */
typedef struct gate_row {
    char *spec; /* "experiment/row" */
    pb_side was, is;
    char *refusal; /* why the two may not be compared; NULL: they may */
} gate_row;

typedef struct gate {
    gate_row *row;
    pb_comparison *found; /* [rows]; no axes where they were not compared */
    size_t rows, capacity;
    const pb_args *args;
    pb_margins margins;
    int worse, undecided, refused;
    pb_text report; /* JUnit: test cases */
} gate;

static int take_row(void *ctx, int columns, const char *const *value)
{
    (void)columns;
    gate *g = ctx;
    if (g->args->method && !strstr(value[1], g->args->method))
        return 0;
    pb_grow(&g->row, g->rows, &g->capacity, sizeof *g->row);
    g->row[g->rows++] = (gate_row){.spec = pb_format("%s/%s", value[0], value[1])};
    return 0;
}

static int list_rows(gate *g, const char *path)
{
    pb_store *s = pb_store_read(path);
    int rc = s ? pb_store_query(s,
                                "SELECT DISTINCT experiment, row FROM finished r WHERE EXISTS (SELECT 1 FROM value t"
                                " WHERE t.run = r.id AND t.split = 'test' AND t.step = -1) ORDER BY min(r.id)"
                                " OVER (PARTITION BY experiment, row)",
                                NULL, take_row, g)
               : -1;
    pb_store_close(s);
    if (!rc && !g->rows)
        rc = pb_error("%s: no row%s%s that was scored on test; want a database that `peftbench run` made", path,
                      g->args->method ? " of method " : "", g->args->method ? g->args->method : "");
    return rc;
}

/* Is this exact axis allowed to differ: --declare lists it. */
static bool is_declared(const gate *g, const char *key)
{
    const char *at = g->args->declare ? strstr(g->args->declare, key) : NULL;
    char end = at ? at[strlen(key)] : 0;
    return at && (!end || end == ',' || end == ' ');
}

/* Exact numbers must be what they were: less is a change as well. */
static pb_verdict verdict_of(const gate *g, const pb_axis *x)
{
    if (x->kind != PB_EXACT || x->verdict == PB_SAME || x->verdict == PB_UNDECIDED)
        return x->verdict;
    return is_declared(g, x->key) ? PB_SAME : PB_WORSE;
}

/* ---- telling ------------------------------------------------------------------------------------------------ */

static void add_escaped(pb_text *t, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&': pb_text_add(t, "&amp;"); break;
        case '<': pb_text_add(t, "&lt;"); break;
        case '"': pb_text_add(t, "&quot;"); break;
        default: pb_text_bytes(t, text, 1);
        }
}

static void add_case(gate *g, const char *spec, const char *key, const char *kind, const char *message)
{
    pb_text_add(&g->report, "  <testcase classname=\"");
    add_escaped(&g->report, spec);
    pb_text_add(&g->report, "\" name=\"%s\"", key);
    if (!kind) {
        pb_text_add(&g->report, "/>\n");
        return;
    }
    pb_text_add(&g->report, "><%s message=\"", kind);
    add_escaped(&g->report, message);
    pb_text_add(&g->report, "\"/></testcase>\n");
}

static void tell_axis(gate *g, const char *spec, const pb_axis *x, pb_verdict v)
{
    char line[256];
    snprintf(line, sizeof line, "%s: %s: was %.6g, is %.6g%s%s", spec, x->key, x->b, x->a, *x->note ? "; " : "",
             x->note);
    add_case(g, spec, x->key, v == PB_WORSE ? "failure" : v == PB_UNDECIDED ? "skipped" : NULL, line);
    if (!g->args->json && (v == PB_WORSE || v == PB_UNDECIDED))
        printf("%-9s %s\n", v == PB_WORSE && x->kind == PB_EXACT ? "changed" : pb_verdict_name[v], line);
}

static void tell_refusal(gate *g, const gate_row *r)
{
    add_case(g, r->spec, "comparable", "error", r->refusal);
    if (g->args->json)
        printf("{\"row\":\"%s\",\"verdict\":\"not comparable\"}\n", r->spec);
    else
        printf("%-9s %s: %s\n", "refused", r->spec, r->refusal);
    g->refused++;
}

static void tell_row(gate *g, const gate_row *r, const pb_comparison *c)
{
    int worse = 0, undecided = 0;
    for (int i = 0; i < c->axes; i++) {
        pb_verdict v = verdict_of(g, &c->axis[i]);
        worse += v == PB_WORSE;
        undecided += v == PB_UNDECIDED;
        tell_axis(g, r->spec, &c->axis[i], v);
    }
    if (g->args->json)
        pb_comparison_json(c, &r->is, &r->was, stdout);
    else if (!worse && !undecided)
        printf("%-9s %s: %d axes, %d seeds, %d examples\n", "ok", r->spec, c->axes, c->seeds, c->examples);
    g->worse += worse;
    g->undecided += undecided;
}

/* ---- the gate ------------------------------------------------------------------------------------------------ */

static void compare_row(const gate *g, gate_row *r, pb_comparison *c)
{
    int rc = pb_side_open(&r->was, r->spec, g->args->word[0]) || pb_side_open(&r->is, r->spec, g->args->db) ||
             pb_side_comparable(&r->is, &r->was) || pb_compare(&r->is, &r->was, &g->margins, c);
    if (!rc)
        return;
    *c = (pb_comparison){.axes = 0};
    r->refusal = pb_strdup(pb_error_text());
    pb_error_clear();
}

/* All rows are compared before any is judged: their times are one family. */
static void check_rows(gate *g)
{
    g->found = pb_alloc((g->rows + 1) * sizeof *g->found);
    for (size_t i = 0; i < g->rows; i++)
        compare_row(g, &g->row[i], &g->found[i]);
    pb_compare_family(g->found, (int)g->rows);
    for (size_t i = 0; i < g->rows; i++)
        if (g->row[i].refusal)
            tell_refusal(g, &g->row[i]);
        else
            tell_row(g, &g->row[i], &g->found[i]);
}

static void free_rows(gate *g)
{
    for (size_t i = 0; i < g->rows; i++) {
        gate_row *r = &g->row[i];
        if (r->was.store)
            pb_side_close(&r->was);
        if (r->is.store)
            pb_side_close(&r->is);
        free(r->spec);
        free(r->refusal);
    }
    free(g->row);
    free(g->found);
}

static int write_report(const gate *g)
{
    if (!g->args->out)
        return 0;
    pb_text t = {0};
    pb_text_add(&t,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"peftbench check\">\n%s</testsuite>\n",
                g->report.data ? g->report.data : "");
    int rc = pb_write_file(g->args->out, t.data, t.length);
    pb_text_free(&t);
    return rc;
}

static int check(const pb_args *a)
{
    gate g = {.args = a, .margins = pb_margins_usual};
    int rc = pb_margins_read(&g.margins, a->margin) || list_rows(&g, a->word[0]) ? -1 : 0;
    if (!rc)
        check_rows(&g);
    rc = rc || write_report(&g) ? -1 : 0;
    if (!rc && !a->json)
        printf("%zu rows: %d axes worse or changed, %d undecided, %d rows not comparable\n", g.rows, g.worse,
               g.undecided, g.refused);
    free_rows(&g);
    pb_text_free(&g.report);
    return rc || g.refused ? PB_EXIT_QUESTION : g.worse ? PB_EXIT_NO : g.undecided ? PB_EXIT_UNDECIDED : PB_EXIT_DONE;
}

const pb_command pb_cmd_check = {
    .name = "check",
    .words = "BASELINE.db",
    .least = 1,
    .most = 1,
    .options = "db json margin method declare out",
    .help =
        "the regression gate: is any row of today's database worse than in the baseline\n\n"
        "What is exact (parameters, bytes, FLOPs, planned memory) must be equal, or be declared with --declare KEYS;\n"
        "accuracy by the paired test, times by their ratio to the base over several processes, all rows' times as one "
        "family\n"
        "(Holm).  --out FILE writes JUnit XML.\n"
        "Exit code 0: nothing worse; 1: something is; 3: undecided; 2: not comparable.\n",
    .run = check,
};
