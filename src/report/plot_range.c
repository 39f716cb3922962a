/* plot_range: see plot_range.h. */
#include "report/plot_range.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/plot_style.h"

#define LONG_AXIS 20.0 /* costs whose ratio exceeds this have a logarithmic axis */
#define MOST_TICKS 9
#define ZERO 0.10 /* share of a logarithmic axis that is the place for 0 */

/* ---- ranges -------------------------------------------------------------------------------------------------- */

const pb_range pb_range_empty = {INFINITY, -INFINITY, false, false, false};

void pb_range_widen(pb_range *s, double x)
{
    if (!isfinite(x))
        return;
    s->low = fmin(s->low, x);
    s->high = fmax(s->high, x);
}

void pb_range_pad(pb_range *s, double share)
{
    if (s->low > s->high)
        *s = (pb_range){0, 1, false, false, false};
    if (s->log) {
        double f = pow(s->high / s->low, share);
        f = f > 1.05 ? f : 1.5;
        s->low /= f;
        s->high *= f;
        if (s->zero)
            s->low /= pow(s->high / s->low, 1.6 * ZERO);
    } else {
        double d = (s->high - s->low) * share;
        d = d > 1e-6 * fabs(s->high) ? d : fmax(fabs(s->high) > 0 ? 0 : 0.05, 0.05 * fabs(s->high));
        s->low -= d;
        s->high += d;
    }
}

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Returns the quantile of n sorted values. */
static double quantile(const double *x, int n, double share)
{
    double at = share * (n - 1);
    int k = (int)at;
    return k + 1 < n ? x[k] + (at - k) * (x[k + 1] - x[k]) : x[n - 1];
}

/* Returns the range of the values that are not far from the others. */
static pb_range range_of_middles(const pb_interval *v, int n, double *x)
{
    pb_range s = pb_range_empty;
    int m = 0;
    for (int i = 0; i < n; i++)
        if (isfinite(v[i].middle))
            x[m++] = v[i].middle;
    if (!m)
        return s;
    qsort(x, (size_t)m, sizeof *x, by_number);
    double low = quantile(x, m, 0.25), high = quantile(x, m, 0.75), far = 3 * (high - low);
    for (int i = 0; i < m; i++)
        if (m < 6 || far <= 0 || (x[i] >= low - far && x[i] <= high + far))
            pb_range_widen(&s, x[i]);
    return s;
}

/* Returns half the width of the middle one of the intervals of values within the range; 0 if there are none. */
static double median_half(const pb_interval *v, int n, const pb_range *s, double *x)
{
    int m = 0;
    for (int i = 0; i < n; i++)
        if (pb_range_contains(s, v[i].middle) && isfinite(v[i].low) && isfinite(v[i].high))
            x[m++] = (v[i].high - v[i].low) / 2;
    qsort(x, (size_t)m, sizeof *x, by_number);
    return m ? quantile(x, m, 0.5) : 0;
}

pb_range pb_range_robust(const pb_interval *v, int n)
{
    double *x = pb_alloc((size_t)(n + 1) * sizeof *x);
    pb_range middles = range_of_middles(v, n, x), s = middles;
    double beyond = fmax(0.75 * (s.high - s.low), 1.2 * median_half(v, n, &middles, x));
    for (int i = 0; i < n; i++)
        if (pb_range_contains(&middles, v[i].middle) && isfinite(v[i].low) && isfinite(v[i].high)) {
            pb_range_widen(&s, fmax(v[i].low, middles.low - beyond));
            pb_range_widen(&s, fmin(v[i].high, middles.high + beyond));
        }
    free(x);
    return s;
}

pb_range pb_range_of_costs(const pb_interval *v, int n)
{
    pb_range all = pb_range_empty, positive = pb_range_empty;
    for (int i = 0; i < n; i++) {
        pb_range_widen(&all, v[i].middle);
        if (v[i].middle > 0)
            pb_range_widen(&positive, v[i].middle);
    }
    if (all.low < 0 || !(positive.high / positive.low > LONG_AXIS))
        return all;
    positive.log = true;
    positive.zero = all.low <= 0;
    return positive;
}

double pb_range_break(const pb_range *s)
{
    return s->low * pow(s->high / s->low, ZERO);
}

double pb_range_position(const pb_range *s, double x)
{
    return s->log && x <= 0 ? s->low * pow(s->high / s->low, ZERO / 2) : x;
}

double pb_range_at(const pb_range *s, double x)
{
    double to = pb_range_position(s, x);
    return s->log ? (log(to) - log(s->low)) / (log(s->high) - log(s->low)) : (x - s->low) / (s->high - s->low);
}

bool pb_range_contains(const pb_range *s, double x)
{
    return x >= s->low && x <= s->high;
}

/* ---- ticks --------------------------------------------------------------------------------------------------- */

const char *pb_tick_text(char out[PB_TICK_SIZE], double x, const char *unit, int digits)
{
    static const char prefix[] = " kMGTPE";
    int k = 0;
    double y = x;
    while (fabs(y) >= 999.5 && prefix[k + 1]) {
        y /= 1000;
        k++;
    }
    if (k || *unit)
        snprintf(out, PB_TICK_SIZE, "%.*g %.*s%s", digits, y, k != 0, prefix + k, unit);
    else
        snprintf(out, PB_TICK_SIZE, "%.*g", digits, x);
    return out;
}

/* Returns whether n ticks are not too many, and their texts fit beside each other. */
static bool fits(const pb_range *s, const pb_tick *tick, int n, double length, double size, bool upright, double gap)
{
    if (n > MOST_TICKS)
        return false;
    for (int i = 1; i < n; i++) {
        double apart = length * (pb_range_at(s, tick[i].at) - pb_range_at(s, tick[i - 1].at));
        double need = upright ? 1.4 * size
                              : (pb_text_width(tick[i - 1].text, size) + pb_text_width(tick[i].text, size)) / 2 +
                                    gap * size;
        if (apart < need)
            return false;
    }
    return true;
}

static int linear_ticks(const pb_range *s, double step, const char *unit, pb_tick *tick)
{
    int n = 0;
    for (double k = ceil(s->low / step - 1e-9); k * step <= s->high + 1e-9 * step && n < PB_TICKS; k++) {
        tick[n].at = fabs(k * step) < 1e-9 * step ? 0 : k * step;
        pb_tick_text(tick[n].text, tick[n].at, unit, 5);
        n++;
    }
    return n;
}

/* The ticks at these multiples of every `decades`-th power of ten. */
static int log_ticks(const pb_range *s, const double *multiple, int multiples, int decades, const char *unit,
                     pb_tick *tick)
{
    int n = 0;
    double least = s->zero ? pb_range_break(s) : s->low;
    if (s->zero) {
        tick[n].at = pb_range_position(s, 0);
        pb_tick_text(tick[n++].text, 0, "", 3);
    }
    for (int e = (int)floor(log10(least)); pow(10, e) <= s->high; e++)
        for (int k = 0; k < multiples && e % decades == 0; k++) {
            double x = multiple[k] * pow(10, e);
            if (x < least || x > s->high || n == PB_TICKS)
                continue;
            tick[n].at = x;
            pb_tick_text(tick[n++].text, x, unit, 3);
        }
    return n;
}

static int find_log_ticks(const pb_range *s, double length, double size, bool upright, const char *unit, pb_tick *tick)
{
    static const struct {
        double multiple[3];
        int multiples, decades;
    } grid[] = {{{1, 2, 5}, 3, 1}, {{1, 3}, 2, 1}, {{1}, 1, 1}, {{1}, 1, 2}, {{1}, 1, 3}, {{1}, 1, 4}};
    int n = 0;
    for (size_t i = 0; i < PB_COUNT(grid); i++) {
        n = log_ticks(s, grid[i].multiple, grid[i].multiples, grid[i].decades, unit, tick);
        if (n < PB_TICKS && fits(s, tick, n, length, size, upright, 0.4))
            return n;
    }
    return pb_min(n, 2);
}

int pb_ticks(const pb_range *s, double length, double size, bool upright, const char *unit, pb_tick tick[PB_TICKS])
{
    static const double digit[] = {1, 2, 5};
    if (s->log)
        return find_log_ticks(s, length, size, upright, unit, tick);
    double power = s->whole ? 1 : pow(10, floor(log10(s->high - s->low)) - 2), before = 0;
    for (;; power *= 10)
        for (size_t i = 0; i < PB_COUNT(digit); i++) {
            double step = digit[i] * power;
            int n = linear_ticks(s, step, unit, tick);
            if (n < 2 && before > 0) { /* rather two that are close than one */
                int more = linear_ticks(s, before, unit, tick);
                tick[1] = tick[more - 1];
                return fits(s, tick, 2, length, size, upright, 0) ? 2 : linear_ticks(s, step, unit, tick);
            }
            if (n < 2 || (n < PB_TICKS && fits(s, tick, n, length, size, upright, 0.4)))
                return n;
            before = step;
        }
}
