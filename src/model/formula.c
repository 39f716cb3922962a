/* formula: see formula.h.  A parser by recursive descent, which evaluates as it reads. */
#include "model/formula.h"

#include <ctype.h>
#include <fnmatch.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/factors.h"
#include "model/internal.h"

enum { MOST_NESTED = 64, MOST_NAMES = 8 };

/* What one part of a formula is counted for. */
typedef enum unit { OF_SITE, OF_LAYER, OF_MODEL } unit;
static const char *const unit_name[] = {"site", "layer", "model"};

typedef struct reader {
    const char *field; /* such as "count" */
    const char *text, *at;
    const pb_attached *part;
    const pb_formula_network *network;
    unit unit;
    const pb_site *site; /* the site; of a layer, its first site; NULL for the model */
    struct {
        const char *name, *expression; /* where they stand in the text */
        size_t length;                 /* of the name */
    } given[MOST_NAMES];               /* abbreviations */
    int rows, cols;                    /* of a tensor, in pb_formula_list */
    int names, nested;
    bool failed; /* after the first error, whose message stands */
} reader;

/* ---- errors ---------------------------------------------------------------------------------------------------- */

static double fail(reader *r, const char *at, const char *fmt, ...) PB_PRINTF(3, 4);
static double fail(reader *r, const char *at, const char *fmt, ...)
{
    char what[160];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    if (!r->failed)
        pb_error("%s: %s, column %d: %s", r->part->method->name, r->field, (int)(at - r->text) + 1, what);
    r->failed = true;
    return 0;
}

static double expected(reader *r, const char *what)
{
    return *r->at ? fail(r, r->at, "want %s, got '%c'", what, *r->at) : fail(r, r->at, "want %s, got the end", what);
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

static void skip_blanks(reader *r)
{
    r->at += strspn(r->at, " ");
}

/* Reads `word` if it is next. */
static bool accept(reader *r, const char *word)
{
    skip_blanks(r);
    bool is = !strncmp(r->at, word, strlen(word));
    r->at += is ? strlen(word) : 0;
    return is;
}

static size_t name_length(const char *at)
{
    size_t n = 0;
    while (isalnum((unsigned char)at[n]) || at[n] == '_')
        n++;
    return isalpha((unsigned char)*at) ? n : 0;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static const char *text_of(const pb_attached *part, const pb_option *o)
{
    return *(const char *const *)((const char *)part->conf + o->offset);
}

/* The value of a setting at the reader's site. */
static double setting(const reader *r, const pb_option *o)
{
    const void *field = (const char *)r->part->conf + o->offset;
    char pattern[80];
    snprintf(pattern, sizeof pattern, "%s_pattern", o->name);
    const pb_option *list = pb_option_find(r->part->method->settings.options, pattern);
    double value = o->type == PB_REAL   ? *(const double *)field
                   : o->type == PB_BOOL ? *(const bool *)field
                   : o->type == PB_TEXT ? r->unit == OF_SITE && pb_site_in(text_of(r->part, o), r->site)
                                        : *(const int *)field;
    bool listed = list && list->type == PB_TEXT && r->unit == OF_SITE;
    return listed ? pb_at_site(text_of(r->part, list), r->site, value) : value;
}

static double size(reader *r, const char *name)
{
    const pb_formula_network *n = r->network;
    const struct {
        const char *name;
        double value;
        unit least; /* the smallest unit that has it, and every smaller one */
    } sizes[] = {{"layers", n->layers, OF_MODEL},
                 {"width", n->width, OF_MODEL},
                 {"kv", n->kv, OF_MODEL},
                 {"heads", n->heads, OF_MODEL},
                 {"vocab", n->vocab, OF_MODEL},
                 {"intermediate", n->intermediate, OF_MODEL},
                 {"sites", n->sites, OF_MODEL},
                 {"gated", n->style.gated, OF_MODEL},
                 {"bias", n->style.bias, OF_MODEL},
                 {"pre_norm", n->style.pre_norm, OF_MODEL},
                 {"causal", n->style.causal, OF_MODEL},
                 {"norm", n->style.rms ? 1 : 2, OF_MODEL},
                 {"layer", r->site ? r->site->layer : 0, OF_LAYER},
                 {"biased", r->site && r->site->b, OF_SITE},
                 {"fused", r->site && !strcmp(r->site->role, "attn.qkv"), OF_SITE},
                 {"in", r->site ? r->site->in : 0, OF_SITE},
                 {"out", r->site ? r->site->out : 0, OF_SITE},
                 {"rows", r->rows, OF_MODEL},
                 {"cols", r->cols, OF_MODEL}};
    for (size_t i = 0; i < PB_COUNT(sizes) - (r->rows ? 0 : 2); i++)
        if (!strcmp(sizes[i].name, name))
            return r->unit <= sizes[i].least
                       ? sizes[i].value
                       : fail(r, r->at, "'%s' has no value in a part `%s:`", name, unit_name[r->unit]);
    return fail(r, r->at, "'%s' is neither a setting of the method nor a size", name);
}

static double expression(reader *r);

static double first_factor(reader *r, double n, double near)
{
    if (n < 1 || n > INT_MAX || n != floor(n) || fabs(near) > INT_MAX || near != floor(near))
        return fail(r, r->at, "factor(%g, %g): want two whole numbers, the first one positive", n, near);
    return pb_first_factor((int)n, (int)near);
}

static double divisor(reader *r, double m, double n)
{
    if (!(m >= 1 && n >= 1 && m <= INT_MAX && n <= INT_MAX && m == floor(m) && n == floor(n)))
        return fail(r, r->at, "gcd(%g, %g): want two whole numbers, both positive", m, n);
    return pb_common_divisor((int)m, (int)n);
}

/* Reads the arguments of a function whose name has been read. */
static double call(reader *r, const char *name)
{
    enum { TWO = 4 }; /* so many of them have two arguments */
    static const char *const names[] = {"min", "max", "factor", "gcd", "floor", "ceil", "sqrt"};
    size_t which = 0;
    while (which < PB_COUNT(names) && strcmp(names[which], name) != 0)
        which++;
    if (which == PB_COUNT(names))
        return fail(r, r->at, "no function '%s'; there are min, max, factor, gcd, floor, ceil and sqrt", name);
    accept(r, "(");
    double a = expression(r), b = 0;
    if (which < TWO && !accept(r, ","))
        return expected(r, "',' and a second argument");
    if (which < TWO)
        b = expression(r);
    if (!accept(r, ")"))
        return expected(r, "')'");
    switch (which) {
    case 0: return fmin(a, b);
    case 1: return fmax(a, b);
    case 2: return first_factor(r, a, b);
    case 3: return divisor(r, a, b);
    case 4: return floor(a);
    case 5: return ceil(a);
    default: return sqrt(a);
    }
}

/* The value of an abbreviation: its expression is read where it stands. */
static double abbreviated(reader *r, const char *expression_at)
{
    const char *back = r->at;
    r->at = expression_at;
    double value = expression(r);
    skip_blanks(r);
    if (!r->failed && *r->at != ';')
        expected(r, "an operator or ';'");
    r->at = back;
    return value;
}

static double name_or_call(reader *r, size_t length)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)length, r->at);
    const char *end = r->at + length;
    double value = 0;
    if (end[strspn(end, " ")] == '(') {
        r->at = end;
        return call(r, name);
    }
    const pb_option *o = pb_option_find(r->part->method->settings.options, name);
    int i = 0;
    while (i < r->names && (r->given[i].length != length || strncmp(r->given[i].name, name, length) != 0))
        i++;
    value = i < r->names ? abbreviated(r, r->given[i].expression) : o ? setting(r, o) : size(r, name);
    r->at = end;
    return value;
}

/* ---- expressions ------------------------------------------------------------------------------------------------- */

static double factor(reader *r)
{
    skip_blanks(r);
    if (r->failed || r->nested == MOST_NESTED)
        return r->failed ? 0 : fail(r, r->at, "more than %d parentheses, signs and names are nested", MOST_NESTED);
    double value = 0;
    size_t length = name_length(r->at);
    r->nested++;
    if (length)
        value = name_or_call(r, length);
    else if (isdigit((unsigned char)*r->at) || *r->at == '.') {
        char *end;
        value = strtod(r->at, &end);
        if (end == r->at)
            expected(r, "a number");
        r->at = end;
    } else if (accept(r, "-"))
        value = -factor(r);
    else if (accept(r, "(")) {
        value = expression(r);
        if (!accept(r, ")"))
            expected(r, "')'");
    } else
        expected(r, "a number, a name or '('");
    r->nested--;
    return value;
}

static double term(reader *r)
{
    double value = factor(r);
    while (!r->failed) {
        if (accept(r, "*"))
            value *= factor(r);
        else if (accept(r, "/"))
            value /= factor(r);
        else
            break;
    }
    return value;
}

static double sum(reader *r)
{
    double value = term(r);
    while (!r->failed) {
        if (accept(r, "+"))
            value += term(r);
        else if (accept(r, "-"))
            value -= term(r);
        else
            break;
    }
    return value;
}

/* A sum, or a comparison of two sums. */
static double expression(reader *r)
{
    double a = sum(r);
    return r->failed         ? 0
           : accept(r, "<=") ? a <= sum(r)
           : accept(r, ">=") ? a >= sum(r)
           : accept(r, "==") ? a == sum(r)
           : accept(r, "!=") ? a != sum(r)
           : accept(r, "<")  ? a < sum(r)
           : accept(r, ">")  ? a > sum(r)
                             : a;
}

/* ---- counts ------------------------------------------------------------------------------------------------------ */

/* Evaluates the part at `from` for one site, layer or model, and moves r->at to its end. */
static double evaluate(reader *r, const char *from, const pb_site *site)
{
    r->at = from;
    r->site = site;
    double value = expression(r);
    skip_blanks(r);
    if (!r->failed && *r->at && *r->at != ';')
        expected(r, "an operator or ';'");
    return value;
}

static double elements(reader *r, const char *from, const pb_site *site)
{
    double value = evaluate(r, from, site);
    if (!r->failed && !(value >= 0 && value == floor(value) && value < 1e15))
        fail(r, from, "the value is %g, want a whole number of elements", value);
    return value;
}

/* Reads "site:", "layer:" or "model:". */
static unit read_unit(reader *r)
{
    skip_blanks(r);
    size_t n = name_length(r->at), colon = n + strspn(r->at + n, " ");
    if (!n || r->at[colon] != ':')
        return OF_SITE;
    for (unit u = OF_SITE; u <= OF_MODEL; u++)
        if (strlen(unit_name[u]) == n && !strncmp(r->at, unit_name[u], n)) {
            r->at += colon + 1;
            return u;
        }
    fail(r, r->at, "want site:, layer: or model:, got '%.*s:'", (int)(n < 40 ? n : 40), r->at);
    return OF_SITE;
}

/* Evaluates the next part for all that it is counted for. */
static double elements_of_part(reader *r)
{
    static const pb_site none = {.role = ""};
    const pb_formula_network *n = r->network;
    r->unit = read_unit(r);
    skip_blanks(r);
    const char *from = r->at;
    if (r->unit == OF_MODEL)
        return elements(r, from, &none);
    double all = 0;
    evaluate(r, from, n->sites ? n->site[0] : &none); /* a part that is counted for nothing is read as well */
    for (int i = 0; i < n->sites && !r->failed; i++)
        if (r->unit == OF_SITE || !i || n->site[i]->layer != n->site[i - 1]->layer)
            all += elements(r, from, n->site[i]);
    return all;
}

/* Reads "NAME = EXPRESSION;" if that is next. */
static bool read_name(reader *r)
{
    skip_blanks(r);
    size_t n = name_length(r->at), equals = n + strspn(r->at + n, " ");
    if (!n || r->at[equals] != '=' || r->at[equals + 1] == '=')
        return false;
    if (r->names == MOST_NAMES)
        fail(r, r->at, "more than %d names", MOST_NAMES);
    else {
        r->given[r->names].name = r->at;
        r->given[r->names].length = n;
        r->given[r->names++].expression = r->at + equals + 1;
    }
    r->at += strcspn(r->at, ";");
    if (!r->failed && !*r->at)
        fail(r, r->at, "want ';' and what is counted, got the end");
    r->at += !r->failed;
    return !r->failed;
}

int pb_count(const pb_attached *part, const pb_formula_network *network, double *out)
{
    reader r = {.field = "count", .text = part->method->count, .part = part, .network = network};
    *out = 0;
    if (!r.text)
        return 0;
    r.at = r.text;
    while (read_name(&r))
        continue;
    for (bool more = !r.failed; more; more = !r.failed && *r.at++ == ';')
        *out += elements_of_part(&r);
    return r.failed ? -1 : 0;
}

/* ---- the methods of a model -------------------------------------------------------------------------------------- */

/* The network, with the sites that method `part` targets in site [pb_model_sites()]. */
static pb_formula_network network_of(const pb_model *m, int part, const pb_site **site)
{
    const pb_network_config *c = &m->config;
    pb_formula_network n = {.layers = c->layers,
                            .width = c->width,
                            .kv = pb_model_kv_width(m),
                            .heads = c->heads,
                            .vocab = c->vocab,
                            .intermediate = c->intermediate_size,
                            .site = site,
                            .style = pb_layer_style_of(m)};
    for (int i = 0; i < pb_model_sites(m); i++)
        if (pb_model_targets(m, part, pb_model_site(m, i)))
            site[n.sites++] = pb_model_site(m, i);
    return n;
}

int pb_count_model(const pb_model *m, double *out)
{
    const pb_site **site = pb_alloc((size_t)(pb_model_sites(m) + 1) * sizeof *site);
    int rc = 0;
    *out = 0;
    for (int part = 0; part < m->parts && !rc; part++) {
        double added;
        pb_formula_network n = network_of(m, part, site);
        rc = pb_count(&m->part[part], &n, &added);
        *out += added;
    }
    free(site);
    return rc;
}

/* ---- deviations -------------------------------------------------------------------------------------------------- */

/* The name that the method has given to a parameter of its own at a site, or (NULL) of the model; NULL: it is none. */
static const char *own_name(const pb_method *method, const pb_site *site, const pb_param *p)
{
    char prefix[PB_ADDED_NAME];
    size_t n = strlen(pb_params_added_name(method, site, "", prefix));
    return strncmp(prefix, p->name, n) ? NULL : p->name + n;
}

/* Reads "TENSOR:" and returns whether its pattern matches the name. */
static bool read_tensor(reader *r, const char *name)
{
    char pattern[80];
    skip_blanks(r);
    size_t n = strcspn(r->at, ":;");
    if (!n || r->at[n] != ':' || n >= sizeof pattern) {
        fail(r, r->at, "want TENSOR: and its standard deviation");
        return false;
    }
    snprintf(pattern, sizeof pattern, "%.*s", (int)n, r->at);
    r->at += n + 1;
    return !fnmatch(pattern, name, 0);
}

/* Evaluates the first part whose tensor matches the name. */
static int evaluate_deviation(reader *r, const char *name, const pb_site *site, double *out)
{
    static const pb_site none = {.role = ""};
    r->unit = site ? OF_SITE : OF_MODEL;
    while (!read_tensor(r, name) && !r->failed) {
        r->at += strcspn(r->at, ";");
        if (!*r->at++)
            return 0;
    }
    const char *from = r->at;
    *out = evaluate(r, from, site ? site : &none);
    if (!r->failed && !(*out >= 0 && isfinite(*out)))
        fail(r, from, "the value is %g, want a standard deviation", *out);
    return r->failed ? -1 : 1;
}

int pb_deviation(const pb_model *m, const pb_param *p, double *out)
{
    const pb_site **sites = pb_alloc((size_t)(pb_model_sites(m) + 1) * sizeof *sites);
    int found = 0;
    for (int part = 0; part < m->parts && !found; part++) {
        const pb_method *method = m->part[part].method;
        pb_formula_network n = network_of(m, part, sites);
        reader r = {"deviation", method->deviation, method->deviation, &m->part[part], &n, .unit = OF_MODEL};
        const char *name = own_name(method, NULL, p);
        if (method->deviation && name)
            found = evaluate_deviation(&r, name, NULL, out);
        for (int i = 0; i < n.sites && !name && method->deviation && !found; i++)
            if ((name = own_name(method, sites[i], p)))
                found = evaluate_deviation(&r, name, sites[i], out);
    }
    free(sites);
    return found;
}

/* ---- dimensions -------------------------------------------------------------------------------------------------- */

int pb_formula_list(const pb_model *m, const pb_site *site, const char *field, const char *text, int rows, int cols,
                    double *out, int most)
{
    const pb_site **sites = pb_alloc((size_t)(pb_model_sites(m) + 1) * sizeof *sites);
    pb_formula_network n = network_of(m, 0, sites);
    reader r = {field, text, text, &m->part[0], &n, .unit = site ? OF_SITE : OF_MODEL, .site = site};
    r.rows = rows;
    r.cols = cols;
    int count = 0;
    do
        out[count++] = expression(&r);
    while (!r.failed && count < most && accept(&r, ","));
    skip_blanks(&r);
    if (!r.failed && *r.at)
        expected(&r, count < most ? "an operator or ','" : "an operator or the end");
    free(sites);
    return r.failed ? -1 : count;
}
