/* claim: see claim.h. */
#include "report/claim.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stats/special.h"

const char *const pb_claim_verdict_name[] = {"confirmed", "refuted", "undecided", "not run"};

/* ---- relations ------------------------------------------------------------------------------------------------- */

/* Moves past a word, and blanks, if the text begins with it. */
static bool take(const char **text, const char *word)
{
    size_t n = strlen(word);
    if (strncmp(*text, word, n) != 0)
        return false;
    for (*text += n; isspace((unsigned char)**text); (*text)++)
        ;
    return true;
}

/* Moves past a finite number that no dot but its own follows: "1..2" begins with 1. */
static bool take_number(const char **text, double *x)
{
    size_t n = **text == '-' || **text == '+';
    for (; isdigit((unsigned char)(*text)[n]) || ((*text)[n] == '.' && (*text)[n + 1] != '.'); n++)
        ;
    if (n && ((*text)[n] == 'e' || (*text)[n] == 'E'))
        n += 1 + strspn(*text + n + 1, "+-0123456789");
    char *number = pb_format("%.*s", (int)n, *text), *end;
    *x = strtod(number, &end);
    bool taken = end != number && !*end && isfinite(*x);
    free(number);
    if (taken)
        *text += n;
    return taken && take(text, "");
}

/* Reads what stands behind the operator, into the middle of the region and its margin.  A difference begins with B. */
static bool take_bound(const char **text, pb_relation *r, double *middle, double *margin)
{
    *middle = *margin = 0;
    if (r->of == PB_CLAIM_VALUE && take(text, "B"))
        r->of = PB_CLAIM_DIFFERENCE;
    else if (!take_number(text, middle))
        return false;
    if (take(text, "+-"))
        return take_number(text, margin) && *margin >= 0;
    double sign = r->of != PB_CLAIM_DIFFERENCE ? 0 : take(text, "+") ? 1 : take(text, "-") ? -1 : 0;
    double shift = 0;
    if (sign != 0 && (!take_number(text, &shift) || shift < 0))
        return false;
    *middle += sign * shift;
    return true;
}

static bool take_relation(const char *text, pb_relation *r)
{
    double middle, margin;
    *r = (pb_relation){.of = PB_CLAIM_VALUE, .low = -INFINITY, .high = INFINITY};
    if (!take(&text, "") || !take(&text, "A"))
        return false;
    if (take(&text, "/"))
        r->of = take(&text, "B") ? PB_CLAIM_RATIO : PB_CLAIM_VALUE;
    if (take(&text, "in"))
        return (r->closed = take_number(&text, &r->low)) && take(&text, "..") && take_number(&text, &r->high) &&
               r->low <= r->high && !*text;
    char op = *text;
    if (!op || !strchr("<>=", op) || !(text++, take(&text, "")) || !take_bound(&text, r, &middle, &margin))
        return false;
    r->closed = op == '=';
    if (op != '<')
        r->low = middle - margin;
    if (op != '>')
        r->high = middle + margin;
    return !*text && (op == '=' || margin == 0);
}

int pb_relation_parse(pb_relation *out, const char *text)
{
    return take_relation(text, out) ? 0
                                    : pb_error("want a relation such as 'A > B', 'A > B - 0.02', 'A = B +- 0.01', "
                                               "'A / B < 0.1', 'A / B in 12..20' or 'A < 5', got '%s'",
                                               text);
}

bool pb_relation_holds(const pb_relation *r, double x)
{
    return r->closed ? r->low <= x && x <= r->high : r->low < x && x < r->high;
}

/* ---- estimates ------------------------------------------------------------------------------------------------- */

pb_estimate pb_estimate_exact(double x)
{
    return (pb_estimate){.middle = x, .low = NAN, .high = NAN, .error = NAN, .freedom = NAN, .exact = true};
}

enum { MOST_FREEDOM = 100000 }; /* beyond it Student's t distribution is the normal one */

/* Returns the degrees of freedom with which Student's t interval has this half width, in standard errors. */
static double freedom_of(double half)
{
    double low = 1, high = MOST_FREEDOM;
    for (int i = 0; i < 60; i++) {
        double middle = sqrt(low * high);
        *(pb_t_quantile(0.975, middle) > half ? &low : &high) = middle;
    }
    return low;
}

pb_estimate pb_estimate_of(pb_interval v, double centre, double half, double error)
{
    pb_estimate e = {.middle = v.middle, .low = v.low, .high = v.high, .centre = centre, .error = NAN, .freedom = NAN};
    if (isnan(v.low) || isnan(v.high) || !(half > 0))
        e.low = e.high = NAN;
    else {
        e.freedom = error > 0 ? freedom_of(half / error) : MOST_FREEDOM;
        e.error = half / pb_t_quantile(0.975, e.freedom);
    }
    return e;
}

pb_estimate pb_estimate_of_mean(int n, const double *x)
{
    pb_interval v = pb_stats_mean(n, x);
    pb_estimate e = {.middle = v.middle, .low = NAN, .high = NAN, .centre = v.middle, .error = NAN, .freedom = NAN};
    if (v.high > v.low) { /* equal values give no estimate of their variance */
        e.low = v.low;
        e.high = v.high;
        e.freedom = v.n - 1;
        e.error = (v.high - v.low) / 2 / pb_t_quantile(0.975, e.freedom);
    }
    return e;
}

pb_estimate pb_estimate_of_geometric(int n, const double *x)
{
    double *y = pb_alloc((size_t)(n + 1) * sizeof *y);
    for (int i = 0; i < n; i++)
        y[i] = log(x[i]);
    pb_estimate e = pb_estimate_of_mean(n, y);
    free(y);
    e.middle = exp(e.middle);
    e.low = exp(e.low);
    e.high = exp(e.high);
    e.logarithmic = true;
    return e;
}

/* ---- verdicts -------------------------------------------------------------------------------------------------- */

/* The distance of the estimate to a boundary, on the scale on which its interval is symmetric. */
static double distance_to(const pb_estimate *e, double boundary)
{
    if (e->logarithmic)
        boundary = boundary > 0 ? log(boundary) : -INFINITY;
    return fabs(e->centre - boundary);
}

double pb_relation_p(const pb_relation *r, const pb_estimate *e)
{
    if (e->exact || isnan(e->low))
        return NAN;
    double distance = fmin(distance_to(e, r->low), distance_to(e, r->high));
    return fmin(1, 2 * pb_t_cdf(-distance / e->error, e->freedom));
}

pb_claim_verdict pb_relation_verdict(const pb_relation *r, const pb_estimate *e, double adjusted)
{
    bool holds = pb_relation_holds(r, e->middle);
    if (isnan(e->middle))
        return PB_CLAIM_NOT_RUN;
    if (!e->exact) {
        bool inside = e->low > r->low && e->high < r->high, outside = e->high < r->low || e->low > r->high;
        if (!(adjusted <= 0.05) || !(holds ? inside : outside))
            return PB_CLAIM_UNDECIDED;
    }
    return holds ? PB_CLAIM_CONFIRMED : PB_CLAIM_REFUTED;
}
