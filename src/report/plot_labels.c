/* plot_labels: see plot_labels.h.
 *
 * Each label has a list of candidate boxes, the nearest first.  Each label in turn takes its cheapest box, until no
 * label moves.  If something still overlaps, the search is repeated starting with another label; of what then still
 * overlaps, the labels of the highest ranks are left out. */
#include "report/plot_labels.h"

#include <math.h>
#include <stdlib.h>

#include "base/base.h"

#define NEAR_SIDES 8
#define RINGS 7   /* rings of candidates around a point */
#define SWEEPS 12 /* at most, over all labels */
#define STARTS 16 /* labels with which the search begins, at most */
#define GAP 2.5   /* between a mark and its label */

double pb_box_overlap(const pb_box *a, const pb_box *b)
{
    double w = fmin(a->right, b->right) - fmax(a->left, b->left);
    double h = fmin(a->bottom, b->bottom) - fmax(a->top, b->top);
    return w > 0 && h > 0 ? w * h : 0;
}

/* What the labels are placed among. */
typedef struct scene {
    pb_label *label;
    int n;
    const pb_box *obstacle;
    int m;
    const pb_box *frame;
} scene;

/* Candidate `way` of a point: right, left, the corners, above, below, then the same further away.  Above an interval
 * means above its upper end. */
static pb_box candidate(const pb_label *l, int way)
{
    static const double side[NEAR_SIDES][2] = {{1, 0}, {-1, 0}, {1, -1}, {1, 1}, {-1, -1}, {-1, 1}, {0, -1}, {0, 1}};
    const double *d = side[way % NEAR_SIDES];
    int ring = way / NEAR_SIDES;
    double x = l->x, y = l->y;
    if (d[0] > 0)
        x = l->mark.right + GAP + l->width / 2 + l->height * ring;
    else if (d[0] < 0)
        x = l->mark.left - GAP - l->width / 2 - l->height * ring;
    if (d[0] == 0)
        y = d[1] < 0 ? l->mark.top - l->height * (0.5 + ring) : l->mark.bottom + l->height * (0.5 + ring);
    else
        y += d[1] * l->height * (0.8 + ring);
    return (pb_box){x - l->width / 2, y - l->height / 2, x + l->width / 2, y + l->height / 2};
}

static double outside(const pb_box *b, const pb_box *frame)
{
    return fmax(0, frame->left - b->left) + fmax(0, b->right - frame->right) + fmax(0, frame->top - b->top) +
           fmax(0, b->bottom - frame->bottom);
}

/* Returns the area that the box covers of marks, obstacles and the labels that are shown, and a hundred times the
 * lengths by which it is outside the frame. */
static double cost_of(const scene *s, const pb_box *b, int self)
{
    double cost = 100 * outside(b, s->frame);
    for (int i = 0; i < s->n; i++) {
        cost += pb_box_overlap(b, &s->label[i].mark);
        if (i != self && s->label[i].shown)
            cost += pb_box_overlap(b, &s->label[i].box);
    }
    for (int i = 0; i < s->m; i++)
        cost += pb_box_overlap(b, &s->obstacle[i]);
    return cost;
}

#define HARD 20.0  /* what a covered square point costs, in crossings */
#define SAMPLES 12 /* points of a leader that are looked at */

/* Returns how many points of the line from a label's point to this box, if it is not next to it, are in another box. */
static int crossed(const pb_label *l, const pb_box *box, const pb_box *other)
{
    double x = fmin(fmax(l->x, box->left), box->right), y = fmin(fmax(l->y, box->top), box->bottom);
    int n = 0;
    if (hypot(x - l->x, y - l->y) <= l->height)
        return 0;
    for (int k = 1; k < SAMPLES; k++) {
        double u = l->x + (x - l->x) * k / SAMPLES, v = l->y + (y - l->y) * k / SAMPLES;
        n += u >= other->left && u <= other->right && v >= other->top && v <= other->bottom;
    }
    return n;
}

/* Returns what it costs that the box's leader crosses other marks and labels, and others' leaders the box. */
static double crossings(const scene *s, const pb_box *b, int self)
{
    double cost = 0;
    for (int i = 0; i < s->n; i++) {
        const pb_label *l = &s->label[i];
        if (i == self)
            continue;
        cost += 3 * crossed(&s->label[self], b, &l->mark);
        if (l->shown)
            cost += 10 * crossed(&s->label[self], b, &l->box) + 10 * crossed(l, &l->box, b);
    }
    return cost;
}

/* Moves label `self` to its cheapest candidate.  Returns true if it has moved. */
static bool place(scene *s, int self)
{
    pb_label *l = &s->label[self];
    pb_box before = l->box;
    double least = INFINITY;
    bool was = l->shown;
    for (int way = 0; way < NEAR_SIDES * RINGS && least > 0.1 * way; way++) {
        pb_box b = candidate(l, way);
        double cost = HARD * cost_of(s, &b, self) + 0.1 * way; /* the nearest of equal ones */
        if (cost < least)
            cost += crossings(s, &b, self);
        if (cost < least) {
            least = cost;
            l->box = b;
        }
    }
    l->shown = true;
    return !was || l->box.left != before.left || l->box.top != before.top;
}

/* Places all labels, beginning with label `first`.  Returns what they then cover. */
static double place_all(scene *s, int first)
{
    for (int i = 0; i < s->n; i++)
        s->label[i].shown = false;
    bool moved = true;
    for (int sweep = 0; sweep < SWEEPS && moved; sweep++) {
        moved = false;
        for (int i = 0; i < s->n; i++)
            moved = place(s, (first + i) % s->n) || moved;
    }
    double covered = 0;
    for (int i = 0; i < s->n; i++)
        covered += cost_of(s, &s->label[i].box, i);
    return covered;
}

/* Leaves out the label of the highest rank that covers something.  Returns false if there is none. */
static bool leave_out(scene *s)
{
    int worst = -1;
    for (int i = 0; i < s->n; i++)
        if (s->label[i].shown && cost_of(s, &s->label[i].box, i) > 0 &&
            (worst < 0 || s->label[i].rank > s->label[worst].rank))
            worst = i;
    if (worst >= 0)
        s->label[worst].shown = false;
    return worst >= 0;
}

/* Gives labels that were left out a place that has become free. */
static void bring_back(scene *s)
{
    for (int i = 0; i < s->n; i++)
        if (!s->label[i].shown) {
            place(s, i);
            s->label[i].shown = cost_of(s, &s->label[i].box, i) <= 0;
        }
}

void pb_labels_place(pb_label *label, int n, const pb_box *obstacle, int m, const pb_box *frame)
{
    scene s = {label, n, obstacle, m, frame};
    int best = 0, starts = n ? pb_min(pb_min(n, STARTS), 1 + 300 / n) : 0;
    double least = INFINITY;
    for (int i = 0; i < starts && least > 0; i++) {
        int first = i * n / starts;
        double covered = place_all(&s, first);
        if (covered < least) {
            least = covered;
            best = first;
        }
    }
    if (n)
        place_all(&s, best);
    while (leave_out(&s))
        continue;
    bring_back(&s);
}

/* ---- labels in one column ------------------------------------------------------------------------------------ */

typedef struct entry {
    double y;
    int at;
} entry;

static int by_y(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    return x->y != y->y ? (x->y > y->y) - (x->y < y->y) : x->at - y->at;
}

/* A run of labels that touch: it lies around the mean of where its labels want to be (the pool of adjacent violators of
 * isotonic regression). */
typedef struct cluster {
    double sum; /* of the wanted y of its labels, less their offsets in it */
    int labels;
} cluster;

static double start_of(const cluster *c, double height, double top, double bottom)
{
    double y = c->sum / c->labels;
    return fmax(fmin(y, bottom - height * (c->labels - 0.5)), top + height / 2);
}

void pb_labels_spread(double *y, int n, double height, double top, double bottom)
{
    entry *e = pb_alloc((size_t)(n + 1) * sizeof *e);
    cluster *c = pb_alloc((size_t)(n + 1) * sizeof *c);
    int clusters = 0;
    for (int i = 0; i < n; i++)
        e[i] = (entry){y[i], i};
    qsort(e, (size_t)n, sizeof *e, by_y);
    for (int i = 0; i < n; i++) {
        c[clusters++] = (cluster){e[i].y, 1};
        while (clusters > 1 && start_of(&c[clusters - 2], height, top, bottom) + height * c[clusters - 2].labels >
                                   start_of(&c[clusters - 1], height, top, bottom)) {
            cluster *a = &c[clusters - 2], *b = &c[clusters - 1];
            a->sum += b->sum - height * a->labels * b->labels;
            a->labels += b->labels;
            clusters--;
        }
    }
    for (int k = 0, i = 0; k < clusters; k++)
        for (int j = 0; j < c[k].labels; j++)
            y[e[i++].at] = start_of(&c[k], height, top, bottom) + height * j;
    free(c);
    free(e);
}
