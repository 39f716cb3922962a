/* plot_against: accuracy against a cost, with the Pareto front of the two and how often each row is on it in bootstrap
 * samples. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/pareto.h"
#include "report/plot_internal.h"

#define ASPECT 0.62 /* height of the panel / its width */

typedef struct point {
    const char *label;
    int row, category;
    double cost, share; /* share of the bootstrap samples in which it is on the front; NaN: not known */
    bool on;            /* the front */
    pb_interval score;
    double x, y; /* in the figure */
    char *text;  /* of its label */
} point;

typedef struct plane {
    pb_sheet sheet;
    const pb_report *report;
    point *point;
    int n;
    pb_cost cost;
    pb_range x, y;
    pb_box area;
    bool rising; /* higher scores are better */
} plane;

pb_cost pb_cost_of(const char *key)
{
    static const pb_cost known[] = {{"storage.trainable", "trainable parameters", ""},
                                    {"storage.added", "added parameters", ""},
                                    {"storage.stored", "stored numbers", ""},
                                    {"storage.artifact_bytes", "file", "B"},
                                    {"memory.train.total", "training memory", "B"},
                                    {"memory.train.rss", "peak resident memory", "B"},
                                    {"compute.train_flops", "FLOPs of training", ""},
                                    {"compute.train_seconds", "time of training (s)", ""},
                                    {"compute.step_ms", "time of a step (ms)", ""},
                                    {"overhead.flops", "FLOPs per example, unmerged", ""},
                                    {"overhead.flops.merged", "FLOPs per example, merged", ""},
                                    {"overhead.prefill_ratio.b1", "prefill time / base", ""},
                                    {"overhead.kv_bytes", "bytes added to the KV cache", "B"}};
    for (size_t i = 0; i < PB_COUNT(known); i++)
        if (!strcmp(known[i].key, key))
            return known[i];
    bool bytes = !strncmp(key, "memory.", 7) || pb_ends_in(key, "_bytes");
    return (pb_cost){key, key, bytes ? "B" : ""};
}

/* ---- points and front ---------------------------------------------------------------------------------------- */

static void collect_points(plane *p)
{
    const pb_report *r = p->report;
    for (int i = 0; i < r->experiment->rows; i++) {
        pb_interval v = pb_report_score(r, i, PB_TEST);
        double cost = pb_report_measured(r, i, p->cost.key).middle;
        if (isnan(v.middle) || isnan(cost))
            continue;
        const pb_row *row = r->row[i].row;
        p->point[p->n++] = (point){
            .label = row->label, .row = i, .category = pb_row_category(row), .cost = cost, .share = NAN, .score = v};
        pb_sheet_datum(&p->sheet, r->experiment->task_name, row->label, p->cost.key, cost, v);
    }
}

/* Returns whether all rows that are scored share a seed, which the bootstrap of the front needs. */
static bool have_common_seed(const pb_report *r)
{
    int n = -1, *seed = pb_alloc((size_t)r->experiment->seeds * sizeof *seed);
    int *other = pb_alloc((size_t)r->experiment->seeds * sizeof *other);
    for (int i = 0; i < r->experiment->rows; i++) {
        int m = pb_report_seeds(r, i, PB_TEST, other);
        if (m && n < 0)
            memcpy(seed, other, (size_t)(n = m) * sizeof *seed);
        else if (m)
            n = pb_report_common(n, seed, m, other);
    }
    free(seed);
    free(other);
    return n > 0;
}

static int find_front(plane *p)
{
    char primary[96];
    pb_pareto f;
    if (!have_common_seed(p->report))
        return 0;
    char *axes = pb_format("%s,%s", pb_report_primary(p->report, PB_TEST, primary), p->cost.key);
    int rc = pb_pareto_make(&f, p->report, axes, 0);
    free(axes);
    if (rc)
        return -1;
    for (int i = 0; i < p->n; i++)
        for (int k = 0; k < f.rows; k++)
            if (f.row[k] == p->point[i].row) {
                p->point[i].on = f.on[k];
                p->point[i].share = f.share[k];
            }
    pb_pareto_free(&f);
    return 0;
}

/* ---- layout -------------------------------------------------------------------------------------------------- */

static void find_ranges(plane *p)
{
    pb_interval *v = pb_alloc((size_t)p->n * sizeof *v);
    for (int i = 0; i < p->n; i++)
        v[i] = p->point[i].score;
    p->y = pb_range_robust(v, p->n);
    for (int i = 0; i < p->n; i++)
        v[i] = (pb_interval){p->point[i].cost, NAN, NAN, 1};
    p->x = pb_range_of_costs(v, p->n);
    pb_range_pad(&p->x, 0.1);
    pb_range_pad(&p->y, 0.08);
    free(v);
}

static double clamp(double x, double low, double high)
{
    return fmin(fmax(x, low), high);
}

static void find_places(plane *p)
{
    const pb_box *a = &p->area;
    for (int i = 0; i < p->n; i++) {
        point *o = &p->point[i];
        char text[PB_TICK_SIZE];
        o->x = a->left + (a->right - a->left) * pb_range_at(&p->x, o->cost);
        o->y = clamp(a->bottom + (a->top - a->bottom) * pb_range_at(&p->y, o->score.middle), a->top, a->bottom);
        if (!pb_range_contains(&p->y, o->score.middle))
            o->text = pb_format("%s: %s", o->label, pb_tick_text(text, o->score.middle, "", 3));
        else if (o->on && !isnan(o->share))
            o->text = pb_format("%s %.0f %%", o->label, 100 * o->share);
        else
            o->text = pb_strdup(o->label);
    }
}

/* What a point and its interval cover. */
static pb_box mark_of(const plane *p, const point *o)
{
    const pb_box *a = &p->area;
    double half = PB_MARK / 2 + 0.5, height = a->top - a->bottom;
    double low = isfinite(o->score.low) ? a->bottom + height * pb_range_at(&p->y, o->score.low) : o->y;
    double high = isfinite(o->score.high) ? a->bottom + height * pb_range_at(&p->y, o->score.high) : o->y;
    return (pb_box){o->x - half, fmin(o->y - half, clamp(high, a->top, a->bottom)), o->x + half,
                    fmax(o->y + half, clamp(low, a->top, a->bottom))};
}

static int by_cost(const void *a, const void *b)
{
    const point *x = *(const point *const *)a, *y = *(const point *const *)b;
    return x->x != y->x ? (x->x > y->x) - (x->x < y->x) : (x->y < y->y) - (x->y > y->y);
}

/* Draws the front as stairs, and adds their boxes to the obstacles.  Returns how many boxes there then are. */
static int add_front(plane *p, pb_box *obstacle)
{
    const point **on = pb_alloc((size_t)p->n * sizeof *on);
    int n = 0, boxes = 0;
    for (int i = 0; i < p->n; i++)
        if (p->point[i].on)
            on[n++] = &p->point[i];
    qsort(on, (size_t)n, sizeof *on, by_cost);
    for (int i = 0; i < n; i++) {
        double to = i + 1 < n ? on[i + 1]->x : p->area.right;
        pb_sheet_line(&p->sheet, on[i]->x, on[i]->y, to, on[i]->y, 0.7, PB_SOFT);
        obstacle[boxes++] = (pb_box){on[i]->x, on[i]->y - 0.5, to, on[i]->y + 0.5};
        if (i + 1 == n)
            continue;
        pb_sheet_line(&p->sheet, to, on[i]->y, to, on[i + 1]->y, 0.7, PB_SOFT);
        obstacle[boxes++] = (pb_box){to - 0.5, fmin(on[i]->y, on[i + 1]->y), to + 0.5, fmax(on[i]->y, on[i + 1]->y)};
    }
    free(on);
    return boxes;
}

/* Adds a thin line from a point to a label that is not next to it. */
static void add_leader(pb_sheet *s, const point *o, const pb_box *text, double height)
{
    double x = clamp(o->x, text->left, text->right), y = clamp(o->y, text->top, text->bottom);
    if (hypot(x - o->x, y - o->y) > height)
        pb_sheet_line(s, x, y, o->x, o->y, 0.4, "#909090");
}

/* Places and writes the labels: first those of the front and of the baseline, then the others that find a place. */
static void add_labels(plane *p, const pb_box *obstacle, int obstacles)
{
    pb_sheet *s = &p->sheet;
    pb_label *label = pb_alloc((size_t)p->n * sizeof *label);
    double height = s->small * 1.15;
    int hidden = 0;
    for (int i = 0; i < p->n; i++) {
        const point *o = &p->point[i];
        bool first = o->on || o->row == pb_report_baseline(p->report) || !pb_range_contains(&p->y, o->score.middle);
        label[i] = (pb_label){.x = o->x,
                              .y = o->y,
                              .mark = mark_of(p, o),
                              .width = pb_text_width(o->text, s->small),
                              .height = height,
                              .rank = first ? 0 : 1 + i};
    }
    pb_labels_place(label, p->n, obstacle, obstacles, &p->area);
    for (int i = 0; i < p->n; i++) {
        hidden += !label[i].shown;
        if (!label[i].shown)
            continue;
        pb_sheet_write(s, label[i].box.left, (label[i].box.top + label[i].box.bottom) / 2, "left", s->small, PB_INK,
                       p->point[i].text);
        add_leader(s, &p->point[i], &label[i].box, height);
    }
    if (hidden)
        pb_text_add(&s->caption, " %d of %d labels have no room.", hidden, p->n);
    free(label);
}

/* ---- drawing ------------------------------------------------------------------------------------------------- */

static void add_points(plane *p, pb_text *plots)
{
    pb_sheet *s = &p->sheet;
    for (int c = 0; c < PB_CATEGORIES; c++) {
        int n = 0, block = pb_sheet_block(s);
        for (int i = 0; i < p->n; i++) {
            const point *o = &p->point[i];
            if (o->category != c || !pb_range_contains(&p->y, o->score.middle))
                continue;
            pb_text_add(&s->figure.commands, "%.9g %.9g\n", pb_range_position(&p->x, o->cost), o->score.middle);
            char *what = pb_format("%s %.6g, %s", p->cost.key, o->cost, p->report->experiment->primary->name);
            pb_sheet_tip(s, o->x, o->y, o->label, what, o->score);
            free(what);
            n++;
        }
        if (!n)
            pb_text_add(&s->figure.commands, "NaN NaN\n");
        pb_sheet_block_end(s);
        if (n)
            pb_text_add(plots, "%s$d%d using 1:2 with points pt %d ps %g*PS lw 0.9*LW lc rgb '%s'",
                        plots->length ? ", " : "", block, pb_class_mark[c], PB_MARK, pb_class_colour[c]);
    }
}

/* Adds the interval of a point, or the sign of a point that is beyond the frame. */
static void add_interval(plane *p, const point *o)
{
    const pb_box *a = &p->area;
    bool below = o->score.middle < p->y.low;
    double edge = below ? a->bottom : a->top;
    if (pb_range_contains(&p->y, o->score.middle))
        pb_sheet_interval(&p->sheet, a, &p->y, false, o->x, o->score, pb_class_colour[o->category]);
    else
        pb_sheet_arrow(&p->sheet, o->x, edge + (below ? -9 : 9), o->x, edge, pb_class_colour[o->category]);
}

static void draw_panel(plane *p, const char *x_name, const char *y_name)
{
    pb_sheet *s = &p->sheet;
    double line = pb_sheet_line_height(s), left = 12 + 4.2 * s->small, width = s->width - left - 8;
    p->area = (pb_box){left, s->y, left + width, s->y + ASPECT * width};
    find_ranges(p);
    find_places(p);
    pb_sheet_panel(s, &p->area, &(pb_panel_axis){&p->x, x_name, p->cost.unit}, &(pb_panel_axis){&p->y, y_name, ""});
    pb_box *obstacle = pb_alloc((size_t)(2 * p->n + 1) * sizeof *obstacle);
    int obstacles = add_front(p, obstacle);
    for (int i = 0; i < p->n; i++)
        add_interval(p, &p->point[i]);
    pb_text plots = {0};
    add_points(p, &plots);
    add_labels(p, obstacle, obstacles);
    pb_sheet_plot(s, plots.data);
    pb_text_free(&plots);
    free(obstacle);
    s->y = p->area.bottom + 2.8 * line;
}

static void add_caption(plane *p, const char *x_name, bool of_added)
{
    pb_sheet *s = &p->sheet;
    pb_text_add(&s->caption,
                "Accuracy against %s. The line is the Pareto front of the two; the number behind a row on it is the "
                "share of %d bootstrap samples of seeds and examples in which it is on the front.",
                x_name, PB_PARETO_RESAMPLES);
    if (p->x.zero)
        pb_text_add(&s->caption, " Left of the dashed line the cost is 0.");
    if (of_added)
        pb_text_add(&s->caption, " Of the trainable parameters those of the head, which every row trains, would hide "
                                 "the differences; therefore the axis is storage.added, in which a row that trains the "
                                 "base's own parameters has 0.");
    pb_sheet_caption_scores(s);
}

static int plot_against(const pb_report *r, const pb_look *look, const char *folder, const char *name, const char *cost,
                        bool of_added)
{
    plane p = {.report = r, .cost = pb_cost_of(cost), .rising = r->experiment->primary->higher_is_better};
    p.point = pb_alloc((size_t)r->experiment->rows * sizeof *p.point);
    pb_sheet_begin(&p.sheet, look, name, r, 1);
    collect_points(&p);
    int rc = 0;
    if (p.n && !find_front(&p)) {
        char key[96], *y_name = pb_format("test %s", r->experiment->primary->name);
        char *x_name = of_added ? pb_format("%s (storage.added: without the head's)", p.cost.title)
                                : pb_strdup(p.cost.title);
        bool has[PB_CATEGORIES] = {false};
        for (int i = 0; i < p.n; i++)
            has[p.point[i].category] = true;
        pb_sheet_class_legend(&p.sheet, has);
        add_caption(&p, x_name, of_added);
        draw_panel(&p, x_name, y_name);
        pb_sheet_key(&p.sheet, pb_report_primary(r, PB_TEST, key));
        pb_sheet_key(&p.sheet, cost);
        rc = pb_sheet_end(&p.sheet, folder);
        free(x_name);
        free(y_name);
    } else {
        rc = p.n ? -1 : 0;
        pb_sheet_drop(&p.sheet);
    }
    for (int i = 0; i < p.n; i++)
        free(p.point[i].text);
    free(p.point);
    return rc;
}

int pb_plot_against(const pb_report *r, const pb_look *look, const char *folder, const char *name, const char *cost)
{
    return plot_against(r, look, folder, name, cost, false);
}

/* Returns whether the parameters of the head squash the rows: those that add parameters differ on a logarithmic axis
 * less than half as much in the trainable parameters as in the added ones. */
static bool does_head_squash(const pb_report *r)
{
    pb_range trainable = pb_range_empty, added = pb_range_empty;
    for (int i = 0; i < r->experiment->rows; i++) {
        double a = pb_report_value(r, i, -1, "storage.added").middle;
        double t = pb_report_value(r, i, -1, "storage.trainable").middle;
        if (!(a > 0 && t > 0))
            continue;
        pb_range_widen(&added, a);
        pb_range_widen(&trainable, t);
    }
    return added.high > added.low && trainable.low > 0 &&
           log(trainable.high / trainable.low) < 0.5 * log(added.high / added.low);
}

int pb_plot_parameters(const pb_report *r, const pb_look *look, const char *folder)
{
    bool added = does_head_squash(r);
    return plot_against(r, look, folder, "accuracy-parameters", added ? "storage.added" : "storage.trainable", added);
}

int pb_plot_training_memory(const pb_report *r, const pb_look *look, const char *folder)
{
    return pb_plot_against(r, look, folder, "accuracy-memory", "memory.train.total");
}

int pb_plot_inference(const pb_report *r, const pb_look *look, const char *folder)
{
    return pb_plot_against(r, look, folder, "accuracy-inference", "overhead.flops");
}
