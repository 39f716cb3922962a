/* plot_labels: placement of the labels of points so that they overlap neither marks, nor intervals, nor each other.
 *
 * Each label has a list of candidate boxes, the nearest first.  Each label in turn takes its cheapest box, until no
 * label moves.  If something still overlaps, the search is repeated starting with another label. */
#include "report/plot_internal.h"

#include <math.h>

#define NEAR_SIDES 8
#define RINGS 8         /* rings of candidates around a point */
#define LEVEL_PLACES 40 /* candidates along a dashed level, above and below it */
#define SWEEPS 20       /* at most, over all labels */

static double overlap(const box *a, const box *b)
{
    double w = fmin(a->right, b->right) - fmax(a->left, b->left);
    double h = fmin(a->top, b->top) - fmax(a->bottom, b->bottom);
    return w > 0 && h > 0 ? w * h : 0;
}

double pb_label_width(const char *label)
{
    int letters = 0;
    for (; *label; label++)
        letters += ((unsigned char)*label & 0xc0) != 0x80; /* continuation bytes are not counted */
    return LETTER * letters;
}

static box box_around(double x, double y, double width)
{
    return (box){x - width / 2, x + width / 2, y - LINE / 2, y + LINE / 2};
}

/* Candidate `way` of a point: right, left, the corners, above, below, then the same further away.  Above an interval
 * means above its upper end. */
static box beside_point(const point *s, int way)
{
    static const double side[NEAR_SIDES][2] = {{1, 0}, {-1, 0}, {1, 1}, {1, -1}, {-1, 1}, {-1, -1}, {0, 1}, {0, -1}};
    const double *d = side[way % NEAR_SIDES];
    int ring = way / NEAR_SIDES;
    double width = pb_label_width(s->label), y = s->py;
    if (d[0] == 0)
        y = d[1] > 0 ? s->mark.top + LINE / 2 + 1 : s->mark.bottom - LINE / 2 - 1;
    return box_around(s->px + d[0] * (width / 2 + 8 + 12 * ring), y + d[1] * LINE * (d[0] == 0 ? ring : ring + 1),
                      width);
}

/* Candidate `way` of a dashed level: from the left end to the right one, above the line and below it. */
static box beside_level(const point *s, int way)
{
    int steps = LEVEL_PLACES / 2 - 1, place = way / 2;
    double width = pb_label_width(s->label), step = (AREA_WIDTH - width) / steps;
    return box_around(width / 2 + step * place, s->py + (way % 2 ? -1 : 1) * (LINE / 2 + 1), width);
}

static bool is_level(const point *s)
{
    return !(s->x > 0);
}

static double outside(const box *b)
{
    return fmax(0, -b->left) + fmax(0, b->right - AREA_WIDTH) + fmax(0, -b->bottom) + fmax(0, b->top - AREA_HEIGHT);
}

/* Returns the area in square pixels in which the box overlaps marks, intervals, levels and the other placed labels. */
static double cost_of(const box *b, const point *spot, int n, int self)
{
    double cost = 100 * outside(b);
    for (int i = 0; i < n; i++) {
        box line = {0, AREA_WIDTH, spot[i].py - 1, spot[i].py + 1};
        cost += overlap(b, is_level(&spot[i]) ? &line : &spot[i].mark);
        cost += i != self ? overlap(b, &spot[i].text) : 0;
    }
    return cost;
}

/* Moves label `self` to its cheapest candidate.  Returns true if it has moved. */
static bool place(point *spot, int n, int self)
{
    point *s = &spot[self];
    box before = s->text;
    double least = INFINITY;
    int ways = is_level(s) ? LEVEL_PLACES : NEAR_SIDES * RINGS;
    for (int way = 0; way < ways; way++) {
        box b = is_level(s) ? beside_level(s, way) : beside_point(s, way);
        double cost = cost_of(&b, spot, n, self) + 0.01 * way; /* the nearest of equal ones */
        if (cost < least) {
            least = cost;
            s->text = b;
        }
    }
    return s->text.left != before.left || s->text.bottom != before.bottom;
}

/* Places all labels, beginning with label `first`.  Returns the remaining overlap in square pixels. */
static double place_all(point *spot, int n, int first)
{
    for (int i = 0; i < n; i++)
        spot[i].text = (box){0, 0, 0, 0}; /* of zero size until it is placed */
    bool moved = true;
    for (int sweep = 0; sweep < SWEEPS && moved; sweep++) {
        moved = false;
        for (int i = 0; i < n; i++)
            moved = place(spot, n, (first + i) % n) || moved;
    }
    double covered = 0;
    for (int i = 0; i < n; i++)
        covered += cost_of(&spot[i].text, spot, n, i);
    return covered;
}

void pb_place_labels(point *spot, int n)
{
    int best = 0;
    double least = INFINITY;
    for (int first = 0; first < n && least > 0; first++) {
        double covered = place_all(spot, n, first);
        if (covered < least) {
            least = covered;
            best = first;
        }
    }
    place_all(spot, n, best);
}
