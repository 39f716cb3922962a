/* plot_labels: labels beside their points that do not cover each other. */
#include "study/plot_internal.h"

#include <math.h>
#include <string.h>

static double overlap(const box *a, const box *b)
{
    double w = fmin(a->right, b->right) - fmax(a->left, b->left);
    double h = fmin(a->top, b->top) - fmax(a->bottom, b->bottom);
    return w > 0 && h > 0 ? w * h : 0;
}

/* Label box number `way` around a point: right, left, above, below, then further away. */
static box label_box(const point *s, int way)
{
    static const double side[][2] = {{1, 0}, {-1, 0}, {1, 1}, {1, -1}, {-1, 1}, {-1, -1}, {0, 1}, {0, -1}};
    int far = way / 8 + 1;
    double w = LETTER * (double)strlen(s->label);
    const double *d = side[way % 8];
    double cx = s->px + d[0] * (w / 2 + 8 * far), cy = s->py + d[1] * LINE * far;
    return (box){cx - w / 2, cx + w / 2, cy - LINE / 2, cy + LINE / 2};
}

static double cost_of(const box *b, const point *spot, int n, int self)
{
    double cost = 0;
    for (int i = 0; i < n; i++) {
        cost += overlap(b, &spot[i].mark);
        cost += i < self ? overlap(b, &spot[i].text) : 0;
    }
    double outside = fmax(0, -b->left) + fmax(0, b->right - WIDTH + 110) + fmax(0, -b->bottom);
    return cost + 100 * outside;
}

void pb_place_labels(point *spot, int n)
{
    for (int i = 0; i < n; i++) {
        double least = INFINITY;
        for (int way = 0; way < 24; way++) {
            box b = label_box(&spot[i], way);
            double cost = cost_of(&b, spot, n, i) + 0.5 * way;
            if (cost < least) {
                least = cost;
                spot[i].text = b;
            }
        }
    }
}
