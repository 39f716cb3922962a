/* budget: sizes the methods of a cell so that all rows train as many elements: see experiment_internal.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "experiment/experiment_internal.h"

int pb_budget_parse(const char *text, double *out)
{
    char *end;
    double n = strtod(text, &end);
    n *= *end == 'k' ? 1e3 : *end == 'M' ? 1e6 : 1;
    end += *end == 'k' || *end == 'M';
    if (*end || !isfinite(n) || n < 1)
        return pb_error("budget: want a number of elements such as 50000, 100k or 1.5M, got '%s'", text);
    *out = floor(n);
    return 0;
}

/* ---- counting ------------------------------------------------------------------------------------------------ */

/* Returns the number of elements that train with these methods on this model, without those of the task's head, which
 * all rows have.  Returns -1, with an error, if the model refuses the settings. */
static double count_elements(const pb_experiment *e, const pb_attached *part, int parts)
{
    double sum = 0;
    pb_model *m = pb_model_open(&(pb_opening){.path = e->model_path,
                                              .classes = (e->task->answer_kind != PB_ANSWER_TEXT) * 2,
                                              .tokens = e->task->answer_kind == PB_ANSWER_TAGS,
                                              .shapes_only = true});
    if (!m || pb_model_attach(m, part, parts))
        sum = -1;
    for (int i = 0; sum >= 0 && i < pb_model_params(m); i++) {
        const pb_param *p = pb_model_param(m, i);
        sum += p->trainable && p->kind != PB_HEAD ? (double)pb_param_elements(p) : 0;
    }
    pb_model_free(m);
    return sum;
}

/* A method whose size is being chosen. */
typedef struct sizing {
    const pb_experiment *e;
    const pb_attached *part;
    const pb_option *option;
    double budget;
} sizing;

/* Returns the number of elements with this value of the setting; infinity if the method refuses it. */
static double count_with(const sizing *s, double value)
{
    char *text = pb_format(s->option->type == PB_INT ? "%.0f" : "%.6g", value);
    PB_CHECK(
        !pb_option_set(s->part->method->settings.options, (void *)(uintptr_t)s->part->conf, s->option->name, text));
    free(text);
    double n = count_elements(s->e, s->part, 1);
    if (n >= 0)
        return n;
    pb_error_clear();
    return INFINITY;
}

/* ---- choosing ------------------------------------------------------------------------------------------------ */

/* Returns the largest whole number of low+1 .. high that the method accepts and its count, or `low` if there is none
 * near `high`: some ranks must be multiples of another setting. */
static double accepted_below(const sizing *s, double low, double high, double *count)
{
    enum { NEAR = 64 };
    for (double v = high; v > low && v > high - NEAR; v--)
        if (isfinite(*count = count_with(s, v)))
            return v;
    return low;
}

/* Returns the largest whole number that fits, where more means more elements.  `low` fits or is below the range. */
static double largest_whole(const sizing *s)
{
    double low = s->option->min - 1, high = s->option->max + 1, count = 0;
    while (high - low > 1) {
        double middle = floor((low + high) / 2), v = accepted_below(s, low, middle, &count);
        if (v > low && count <= s->budget)
            low = v;
        else
            high = v > low ? v : middle;
    }
    return low;
}

/* Returns the smallest whole number that fits, where more means fewer elements. */
static double smallest_whole(const sizing *s)
{
    double low = s->option->min - 1, high = s->option->max;
    while (high - low > 1) {
        double middle = floor((low + high) / 2);
        if (count_with(s, middle) <= s->budget)
            high = middle;
        else
            low = middle;
    }
    return high;
}

static double largest_real(const sizing *s)
{
    double low = s->option->min, high = s->option->max;
    for (int i = 0; i < 48; i++) {
        double middle = (low + high) / 2;
        if (count_with(s, middle) <= s->budget)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Sets the method's size to the value with the most elements of at most the budget, and writes their number.
 * Returns -1 with an error if even the smallest one trains more. */
static int choose(const sizing *s, double *count)
{
    const pb_option *o = s->option;
    double least = count_with(s, o->min), most = count_with(s, o->max);
    bool falls = isfinite(least) && most < least; /* as with LST, whose reduction divides its size */
    double value = o->type == PB_REAL ? largest_real(s) : falls ? smallest_whole(s) : largest_whole(s);
    *count = value < o->min ? INFINITY : count_with(s, value);
    return *count <= s->budget
               ? 0
               : pb_error("%s: no value of %s fits a budget of %.0f elements; %s = %g has %.0f", s->part->method->name,
                          o->name, s->budget, o->name, falls ? o->max : o->min, falls ? most : least);
}

/* Returns the setting that decides the size of a method, or NULL. */
static const pb_option *size_of(const pb_attached *part)
{
    return part->method->settings.size ? pb_option_find(part->method->settings.options, part->method->settings.size)
                                       : NULL;
}

/* Moves the methods without a size to fixed, and returns the number of the others. */
static int count_sized(const pb_cell *c, pb_attached *fixed, int *others)
{
    int sized = 0;
    for (int p = 0; p < c->row->spec.parts; p++)
        if (size_of(&c->part[p]))
            sized++;
        else
            fixed[(*others)++] = c->part[p];
    return sized;
}

void pb_budget_copy(const pb_cell *from, pb_cell *to)
{
    for (int p = 0; p < to->row->spec.parts; p++) {
        const pb_option *size = size_of(&to->part[p]);
        pb_text value = {0};
        if (size)
            pb_option_print(size, from->part[p].conf, &value);
        PB_CHECK(!size || !pb_option_set(to->part[p].method->settings.options, (void *)(uintptr_t)to->part[p].conf,
                                         size->name, value.data));
        pb_text_free(&value);
    }
}

int pb_budget_apply(const pb_experiment *e, pb_cell *c)
{
    pb_attached fixed[PB_MAX_PARTS];
    int others = 0, sized = count_sized(c, fixed, &others);
    double budget = 0, taken = 0, count;
    if (!sized)
        return 0;
    if (pb_budget_parse(e->budget, &budget) || (others && (taken = count_elements(e, fixed, others)) < 0))
        return -1;
    for (int p = 0; p < c->row->spec.parts; p++) {
        const pb_option *size = size_of(&c->part[p]);
        if (size && choose(&(sizing){e, &c->part[p], size, floor((budget - taken) / sized--)}, &count))
            return pb_error_prefix("%s: row %s", e->path, c->row->label);
        taken += size ? count : 0;
    }
    if (taken < 0.9 * budget && !c->row->choices)
        pb_warn("%s: row %s trains %.0f elements, the most that fit the budget of %s", e->path, c->row->label, taken,
                e->budget);
    return 0;
}
