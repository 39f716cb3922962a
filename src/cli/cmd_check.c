/* cmd_check: the regression gate: compares every row of a baseline with the same row of the current database. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "report/compare.h"
#include "report/identity.h"
#include "base/json.h"

/* A row in the baseline (was) and in the current database (is). */
typedef struct gate_row {
    char *spec; /* "EXPERIMENT/ROW" */
    char *experiment, *label;
    pb_comparand was, is;
    char *refusal; /* why the two are not comparable; NULL if they are */
} gate_row;

typedef struct gate {
    gate_row *row;
    pb_comparison *found;  /* [rows]; no axes where they were not compared */
    pb_identity *identity; /* [rows] */
    size_t rows, capacity;
    const pb_args *args;
    pb_margins margins;
    int worse, undecided, undecided_times, refused;
    pb_text report; /* JUnit: test cases */
} gate;

static int collect_row(void *ctx, const pb_choice *c)
{
    gate *g = ctx;
    if (g->args->method && !strstr(c->row, g->args->method))
        return 0;
    char *spec = pb_format("%s/%s", c->experiment, c->row);
    for (size_t i = 0; i < g->rows; i++)
        if (!strcmp(g->row[i].spec, spec)) {
            free(spec);
            return 0;
        }
    pb_grow(&g->row, g->rows, &g->capacity, sizeof *g->row);
    g->row[g->rows++] = (gate_row){.spec = spec, .experiment = pb_strdup(c->experiment), .label = pb_strdup(c->row)};
    return 0;
}

static int list_rows(gate *g, const char *path)
{
    pb_store *s = pb_store_read(path);
    int rc = s ? pb_store_choices(s, NULL, NULL, collect_row, g) : -1;
    rc = pb_store_close(s) || rc ? -1 : 0;
    if (!rc && !g->rows)
        rc = pb_error("%s: no row%s%s was scored on test; want a database that `peftbench run` created", path,
                      g->args->method ? " of method " : "", g->args->method ? g->args->method : "");
    return rc;
}

/* ---- expected changes ---------------------------------------------------------------------------------------- */

/* Returns whether an item of --declare, EXPERIMENT/ROW, is this row.  Blanks around the separators of the label do not
 * count. */
static bool is_row(const char *item, const gate_row *r)
{
    size_t n = strlen(r->experiment);
    return !strncmp(item, r->experiment, n) && item[n] == '/' && pb_method_spec_same(item + n + 1, r->label);
}

/* Returns whether --declare has an item that is this row or this key; NULL stands for none. */
static bool is_declared(const gate *g, const gate_row *row, const char *key)
{
    const char *list = g->args->declare;
    char *item;
    bool found = false;
    while (!found && (item = pb_method_list_next(&list))) {
        found = (row && is_row(item, row)) || (key && !strcmp(item, key));
        free(item);
    }
    return found;
}

static bool is_known(const gate *g, const char *item)
{
    for (size_t i = 0; i < g->rows; i++) {
        if (is_row(item, &g->row[i]))
            return true;
        for (int k = 0; k < g->found[i].axes; k++)
            if (g->found[i].axis[k].kind == PB_EXACT && !strcmp(item, g->found[i].axis[k].key))
                return true;
    }
    return false;
}

/* Refuses items that declare nothing, such as misspelt ones. */
static int check_declared(const gate *g)
{
    const char *list = g->args->declare;
    char *item;
    int rc = 0;
    while (!rc && (item = pb_method_list_next(&list))) {
        if (!is_known(g, item))
            rc = pb_error("--declare: want rows as EXPERIMENT/ROW or keys of exact numbers that are compared; got '%s'",
                          item);
        free(item);
    }
    return rc;
}

/* ---- verdicts ------------------------------------------------------------------------------------------------- */

/* Returns whether computation and predictions are the same, so that there is no difference of scores to estimate. */
static bool is_same_computation(const pb_identity *l)
{
    return l->bitwise.verdict == PB_IDENTITY_SAME ||
           (l->trajectory.verdict == PB_IDENTITY_SAME && !l->other_predictions);
}

/* Returns the verdict on an axis.  Any change of an exact number is a failure, also a decrease. */
static pb_verdict verdict_of(const gate *g, const pb_identity *l, const pb_axis *x)
{
    if (x->kind == PB_SCORE && is_same_computation(l))
        return PB_SAME;
    if (l->other_threads && !strcmp(x->key, "memory.train.total"))
        return PB_SAME;
    if (x->kind != PB_EXACT || x->verdict == PB_SAME || x->verdict == PB_UNDECIDED)
        return x->verdict;
    return is_declared(g, NULL, x->key) ? PB_SAME : PB_WORSE;
}

/* Returns the worst verdict on all axes of a kind. */
static pb_verdict verdict_of_kind(const gate *g, const pb_identity *l, const pb_comparison *c, int kind)
{
    pb_verdict worst = PB_SAME;
    for (int i = 0; i < c->axes; i++) {
        pb_verdict v = (int)c->axis[i].kind == kind ? verdict_of(g, l, &c->axis[i]) : PB_SAME;
        if (v == PB_WORSE || (v == PB_UNDECIDED && worst != PB_WORSE) || worst == PB_SAME)
            worst = v;
    }
    return worst;
}

/* ---- printing ----------------------------------------------------------------------------------------------- */

/* Appends text to XML, which cannot contain control characters; they are made visible. */
static void add_escaped(pb_text *t, const char *text)
{
    for (text = pb_visible(text); *text; text++)
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
    pb_text_add(&g->report, "\" name=\"");
    add_escaped(&g->report, key);
    pb_text_add(&g->report, "\"");
    if (!kind) {
        pb_text_add(&g->report, "/>\n");
        return;
    }
    pb_text_add(&g->report, "><%s message=\"", kind);
    add_escaped(&g->report, message);
    pb_text_add(&g->report, "\"/></testcase>\n");
}

static const char *const kind_name[] = {[PB_SCORE] = "statistics", [PB_EXACT] = "exact", [PB_RATIO] = "times"};

static void print_axis(gate *g, const char *spec, const pb_axis *x, pb_verdict v)
{
    char line[256];
    snprintf(line, sizeof line, "%s: %s: was %.6g, is %.6g%s%s", spec, x->key, x->b, x->a, *x->note ? "; " : "",
             x->note);
    add_case(g, spec, x->key, v == PB_WORSE ? "failure" : v == PB_UNDECIDED ? "skipped" : NULL, line);
    if (!g->args->json && (v == PB_WORSE || v == PB_UNDECIDED))
        printf("%-9s %s\n", v == PB_WORSE && x->kind == PB_EXACT ? "changed" : pb_verdict_name[v], line);
}

/* Prints the outcome of a check that has no axes, and adds a test case. */
static void print_layer(gate *g, const char *spec, const char *name, const pb_identity_result *l, bool declared)
{
    static const char *const name_of[] = {"same", "changed", "unknown"};
    bool failed = l->verdict == PB_IDENTITY_CHANGED && !declared;
    const char *verdict = l->verdict == PB_IDENTITY_CHANGED && declared ? "declared" : name_of[l->verdict];
    char *line = pb_format("%s: %s: %s", spec, name, l->note);
    add_case(g, spec, name, failed ? "failure" : l->verdict == PB_IDENTITY_UNKNOWN ? "skipped" : NULL, line);
    if (g->args->json) {
        pb_text t = {0};
        pb_json_quote(&t, spec);
        pb_text_add(&t, ",\"layer\":\"%s\",\"verdict\":\"%s\",\"note\":", name, verdict);
        pb_json_quote(&t, l->note);
        printf("{\"row\":%s}\n", t.data);
        pb_text_free(&t);
    } else if (l->verdict == PB_IDENTITY_CHANGED) {
        printf("%-9s %s\n", verdict, line);
    }
    free(line);
    g->worse += failed;
}

static void print_refusal(gate *g, const gate_row *r)
{
    add_case(g, r->spec, "comparable", "error", r->refusal);
    if (g->args->json) {
        pb_text t = {0};
        pb_json_quote(&t, r->spec);
        printf("{\"row\":%s,\"verdict\":\"not comparable\"}\n", t.data);
        pb_text_free(&t);
    } else {
        printf("%-9s %s: %s\n", "refused", r->spec, r->refusal);
    }
    g->refused++;
}

/* "ok  check/lora: identity: the same to the bit; trajectory: ..; exact: same; statistics: same (2 seeds, ..)". */
static void print_summary(const gate *g, const char *spec, const pb_identity *l, const pb_comparison *c, bool ok)
{
    const char *identity = l->bitwise.verdict == PB_IDENTITY_CHANGED ? "changed" : l->bitwise.note;
    const char *trajectory = l->trajectory.verdict == PB_IDENTITY_CHANGED ? "changed" : l->trajectory.note;
    printf("%-9s %s: identity: %.*s; trajectory: %s; ", ok ? "ok" : "", spec, (int)strcspn(identity, ",:"), identity,
           trajectory);
    for (int kind = PB_EXACT;; kind = PB_SCORE) {
        printf("%s: %s", kind_name[kind], pb_verdict_name[verdict_of_kind(g, l, c, kind)]);
        if (kind == PB_SCORE)
            break;
        printf("; ");
    }
    printf(" (%d axes, %d seeds, %d examples)\n", c->axes, c->seeds, c->examples);
}

static void print_row(gate *g, const gate_row *r, const pb_identity *l, const pb_comparison *c)
{
    int before = g->worse + g->undecided;
    bool declared = is_declared(g, r, NULL);
    print_layer(g, r->spec, "identity", &l->bitwise, declared);
    print_layer(g, r->spec, "trajectory", &l->trajectory, declared);
    print_layer(g, r->spec, "merge_error", &l->merging, false);
    for (int i = 0; i < c->axes; i++) {
        pb_verdict v = verdict_of(g, l, &c->axis[i]);
        g->worse += v == PB_WORSE;
        *(c->axis[i].kind == PB_RATIO ? &g->undecided_times : &g->undecided) += v == PB_UNDECIDED;
        print_axis(g, r->spec, &c->axis[i], v);
    }
    if (g->args->json)
        pb_comparison_json(c, &r->is, &r->was, stdout);
    else
        print_summary(g, r->spec, l, c, g->worse + g->undecided == before);
}

/* ---- the gate ------------------------------------------------------------------------------------------------ */

/* Refuses runs that the clock has ended: they have other numbers of steps each time. */
static int check_clock(const pb_comparand *s)
{
    for (int i = 0; i < s->seeds; i++)
        if (!isnan(pb_comparand_value(s, i, "train.clock_steps")))
            return pb_error(
                "%s: run %lld: max_seconds ended its training after %.0f steps, and a clock does not end another "
                "run at the same step; want runs that have ended by themselves or by max_flops",
                s->db, s->run[i], pb_comparand_value(s, i, "train.clock_steps"));
    return 0;
}

static void compare_row(const gate *g, gate_row *r, pb_identity *l, pb_comparison *c)
{
    int rc = pb_comparand_open_row(&r->was, g->args->word[0], r->experiment, r->label) ||
             pb_comparand_open_row(&r->is, g->args->db, r->experiment, r->label) || check_clock(&r->was) ||
             check_clock(&r->is) || pb_comparand_comparable(&r->is, &r->was) ||
             pb_compare(&r->is, &r->was, &g->margins, c) ||
             pb_identity_compare(&r->is, &r->was, g->margins.trajectory, l);
    if (!rc)
        return;
    *c = (pb_comparison){.axes = 0};
    r->refusal = pb_strdup(pb_error_text());
    pb_error_clear();
}

/* Compares all rows before it judges any, because their times are one family of tests. */
static int check_rows(gate *g)
{
    g->found = pb_alloc((g->rows + 1) * sizeof *g->found);
    g->identity = pb_alloc((g->rows + 1) * sizeof *g->identity);
    for (size_t i = 0; i < g->rows; i++)
        compare_row(g, &g->row[i], &g->identity[i], &g->found[i]);
    if (check_declared(g))
        return -1;
    pb_comparisons_adjust(g->found, (int)g->rows);
    for (size_t i = 0; i < g->rows; i++)
        if (g->row[i].refusal)
            print_refusal(g, &g->row[i]);
        else
            print_row(g, &g->row[i], &g->identity[i], &g->found[i]);
    return 0;
}

/* Returns -1 with an error if something could not be read. */
static int free_rows(gate *g)
{
    int rc = 0;
    for (size_t i = 0; i < g->rows; i++) {
        gate_row *r = &g->row[i];
        if (r->was.store)
            rc = pb_comparand_close(&r->was) || rc ? -1 : 0;
        if (r->is.store)
            rc = pb_comparand_close(&r->is) || rc ? -1 : 0;
        free(r->spec);
        free(r->experiment);
        free(r->label);
        free(r->refusal);
    }
    free(g->row);
    free(g->found);
    free(g->identity);
    return rc;
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
    gate g = {.args = a, .margins = pb_margins_default};
    int rc = pb_margins_read(&g.margins, a->margin);
    g.margins.ratio = a->times ? g.margins.ratio : -1;
    rc = rc || list_rows(&g, a->word[0]) || check_rows(&g) || write_report(&g) ? -1 : 0;
    if (!rc && !a->json) {
        printf("%zu rows: %d checks or axes are worse or changed, %d are undecided, %d rows are not comparable", g.rows,
               g.worse, g.undecided, g.refused);
        printf(a->times ? "; %d times are undecided\n" : "\n", g.undecided_times);
    }
    rc = free_rows(&g) || rc ? -1 : 0;
    pb_text_free(&g.report);
    return rc || g.refused ? PB_EXIT_QUESTION : g.worse ? PB_EXIT_NO : g.undecided ? PB_EXIT_UNDECIDED : PB_EXIT_DONE;
}

const pb_command pb_cmd_check = {
    .name = "check",
    .words = "BASELINE.db",
    .least = 1,
    .most = 1,
    .options = "db json margin method declare times out",
    .help =
        "compare every row with a baseline: the regression gate\n\n"
        "Every row of BASELINE.db is compared with the same row of the database in five layers.\n"
        "  identity    On the same kind of processor, with the same number of threads and the same compiler, losses,\n"
        "              tensors, logits of a fixed batch and predictions must be equal to the bit.\n"
        "  trajectory  On any machine, the losses and logits of the first 20 steps must agree within a tolerance\n"
        "              that grows with the steps, as rounding does.\n"
        "  exact       Parameters, bytes, FLOPs and planned memory must be equal, and merging the method into the\n"
        "              weights must change no more than rounding does.\n"
        "  statistics  The score must not be worse by the paired test.\n"
        "  times       With --times, ratios to the base model over several processes are judged too.  The times of\n"
        "              all rows are one family of tests (Holm).\n"
        "--declare LIST names rows whose identity and trajectory, and exact numbers, that are expected to change; the\n"
        "statistics still judge such a row.  --out FILE writes JUnit XML.\n"
        "A row whose training max_seconds has ended is not comparable: a clock ends each run at another step.\n"
        "Exit code 0: nothing has changed or become worse; 1: something has; 3: a score is undecided; 2: a row is not\n"
        "comparable.\n",
    .run = check,
};
