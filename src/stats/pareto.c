/* pareto: the Pareto front (stats.h). */
#include "stats/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double goodness(double x, bool rising)
{
    return isnan(x) ? -INFINITY : rising ? x : -x;
}

/* Returns whether points i and k are tied on axis j, a time. */
static bool are_tied(const pb_pareto_ties *t, int axes, const double *point, int i, int k, int j)
{
    double x = point[i * axes + j], y = point[k * axes + j];
    if (isnan(x) || isnan(y))
        return false;
    if (fabs(x - y) <= t->margin * fmin(fabs(x), fabs(y)))
        return true;
    if (!t->time)
        return false;
    const pb_pareto_time *a = &t->time[i * axes + j], *b = &t->time[k * axes + j];
    bool known = !isnan(a->low) && !isnan(a->high) && !isnan(b->low) && !isnan(b->high);
    return !known || (!t->sampled && a->low <= b->high && b->low <= a->high);
}

static bool dominates(int axes, const double *point, const bool *rising, const pb_pareto_ties *t, int i, int k)
{
    bool better = false;
    for (int j = 0; j < axes; j++) {
        double x = goodness(point[i * axes + j], rising[j]), y = goodness(point[k * axes + j], rising[j]);
        if (t && t->timed[j] && are_tied(t, axes, point, i, k, j))
            continue;
        if (x < y)
            return false;
        better |= x > y;
    }
    return better;
}

/* ---- the front where ties are not transitive ------------------------------------------------------------------ */

enum state { OPEN, ON, OFF };

/* Which points dominate which, and what is decided of them. */
typedef struct graph {
    int n;
    const bool *over; /* [n, n] i dominates k */
    enum state *is;   /* [n] */
} graph;

static bool is_over(const graph *g, int i, int k)
{
    return g->over[(size_t)i * (size_t)g->n + (size_t)k];
}

/* Puts a point on the front, and those that it dominates off it, unless they are there. */
static void admit(graph *g, int i)
{
    g->is[i] = ON;
    for (int k = 0; k < g->n; k++)
        if (g->is[k] == OPEN && is_over(g, i, k))
            g->is[k] = OFF;
}

/* Sets above [n] to the open points from which dominance leads to point i.  Returns their number. */
static int find_above(const graph *g, int i, bool *above)
{
    int *next = pb_alloc((size_t)(g->n + 1) * sizeof *next), todo = 1, found = 0;
    memset(above, 0, (size_t)g->n * sizeof *above);
    next[0] = i;
    while (todo) {
        int k = next[--todo];
        for (int h = 0; h < g->n; h++)
            if (g->is[h] == OPEN && !above[h] && is_over(g, h, k)) {
                above[h] = true;
                next[todo++] = h;
                found++;
            }
    }
    free(next);
    return found;
}

/* Admits a circle of open points that no other open point is above: all above the point with the fewest above it. */
static void admit_circle(graph *g)
{
    bool *above = pb_alloc((size_t)g->n * sizeof *above);
    int least = -1, count = 0;
    for (int i = 0; i < g->n; i++) {
        int found = g->is[i] == OPEN ? find_above(g, i, above) : 0;
        if (g->is[i] == OPEN && (least < 0 || found < count)) {
            least = i;
            count = found;
        }
    }
    find_above(g, least, above);
    for (int i = 0; i < g->n; i++)
        if (above[i])
            g->is[i] = ON;
    for (int i = 0; i < g->n; i++)
        if (above[i])
            admit(g, i);
    free(above);
}

/* Admits the open points that no other open one dominates.  Returns whether there was one. */
static bool admit_undominated(graph *g)
{
    bool any = false;
    for (int i = 0; i < g->n; i++) {
        bool under = g->is[i] != OPEN;
        for (int k = 0; k < g->n && !under; k++)
            under = g->is[k] == OPEN && is_over(g, k, i);
        if (under)
            continue;
        admit(g, i);
        any = true;
    }
    return any;
}

static int count_open(const graph *g)
{
    int n = 0;
    for (int i = 0; i < g->n; i++)
        n += g->is[i] == OPEN;
    return n;
}

static void find_stable_front(int n, const bool *over, bool *on_front)
{
    graph g = {n, over, pb_alloc((size_t)(n + 1) * sizeof *g.is)};
    while (count_open(&g))
        if (!admit_undominated(&g))
            admit_circle(&g);
    for (int i = 0; i < n; i++)
        on_front[i] = g.is[i] == ON;
    free(g.is);
}

void pb_stats_pareto(int n, int axes, const double *point, const bool *rising, const pb_pareto_ties *ties,
                     bool *on_front)
{
    bool *over = pb_alloc((size_t)n * (size_t)n * sizeof *over + 1);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++)
            over[(size_t)i * (size_t)n + (size_t)k] = i != k && dominates(axes, point, rising, ties, i, k);
    find_stable_front(n, over, on_front);
    free(over);
}
