/* profile: see profile.h. */
#include "train/profile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- equal texts -------------------------------------------------------------------------------------------- */

typedef struct entry {
    const pb_example *e;
    pb_place at;
} entry;

static int by_text_and_place(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int order = pb_example_compare(x->e, y->e);
    order = order ? order : (int)x->at.split - (int)y->at.split;
    return order ? order : (x->at.example > y->at.example) - (x->at.example < y->at.example);
}

static entry *sort_examples(const pb_data *d, int *count)
{
    int n = 0;
    for (int s = 0; s < PB_SPLITS; s++)
        n += d->split[s].count;
    entry *all = pb_alloc((size_t)(n + 1) * sizeof *all);
    *count = 0;
    for (int s = 0; s < PB_SPLITS; s++)
        for (int i = 0; i < d->split[s].count; i++)
            all[(*count)++] = (entry){&d->split[s].example[i], {(pb_split)s, i}};
    qsort(all, (size_t)n, sizeof *all, by_text_and_place);
    return all;
}

/* Adds a text of which `first` and `second` are examples. */
static void add_text(pb_repeats *r, pb_place first, pb_place second)
{
    r->texts++;
    if (r->count < PB_PLACES_SHOWN) {
        r->shown[r->count][0] = first;
        r->shown[r->count++][1] = second;
    }
}

/* Returns the first of the examples g [n] of one text that is in the split of the one before it; n: none. */
static int find_within(const entry *g, int n)
{
    int i = 1;
    while (i < n && g[i].at.split != g[i - 1].at.split)
        i++;
    return i;
}

/* Returns the first of g [n] that is in another split than g[0]; n: none. */
static int find_across(const entry *g, int n)
{
    int i = 1;
    while (i < n && g[i].at.split == g[0].at.split)
        i++;
    return i;
}

/* Returns true if two examples have one answer: one target, or one label and the same set of labels. */
static bool is_same_answer(const pb_example *a, const pb_example *b, bool numbers)
{
    if (numbers)
        return a->target == b->target;
    if (a->words)
        return !strcmp(a->answer[0], b->answer[0]);
    return a->label == b->label && a->label_count == b->label_count &&
           (!a->label_count || !memcmp(a->labels, b->labels, (size_t)a->label_count * sizeof *a->labels));
}

/* Returns the first of g [n] whose answer is another than that of g[0]; n: none. */
static int find_conflict(const entry *g, int n, bool numbers)
{
    int i = 1;
    while (i < n && is_same_answer(g[i].e, g[0].e, numbers))
        i++;
    return i;
}

/* Counts the examples g [n] of one text. */
static void count_text(pb_profile *p, const entry *g, int n, bool numbers)
{
    int within = find_within(g, n), across = find_across(g, n), conflict = find_conflict(g, n, numbers);
    for (int i = 0; i < n; i++) {
        pb_split s = g[i].at.split;
        p->within.examples[s] += i > 0 && g[i - 1].at.split == s;
        p->across.examples[s] += across < n;
        p->later[s] += s < g[n - 1].at.split;
        p->conflicts.examples[s] += conflict < n;
    }
    if (within < n)
        add_text(&p->within, g[within - 1].at, g[within].at);
    if (across < n)
        add_text(&p->across, g[0].at, g[across].at);
    if (conflict < n)
        add_text(&p->conflicts, g[0].at, g[conflict].at);
}

/* ---- targets ------------------------------------------------------------------------------------------------ */

/* Returns the rank, from 0, of the smallest of `count` values that at least this share of them does not exceed. */
static int rank_of(int count, double share)
{
    PB_CHECK(count > 0);
    int rank = (int)ceil(share * count - 1e-9) - 1; /* 0.95 * 20 is a little more than 19 */
    return rank < 0 ? 0 : rank < count ? rank : count - 1;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Sets the mean and the deviation of x [n], ascending and not all equal.  The numbers are scaled by a power of two,
 * so that no sum overflows; this rounds only what is negligible beside the largest of them. */
static void set_moments(pb_targets *t, int n, double *x)
{
    double sum = 0, squares = 0;
    int scale;
    frexp(fmax(fabs(x[0]), fabs(x[n - 1])), &scale);
    for (int i = 0; i < n; i++) {
        x[i] = ldexp(x[i], -scale);
        sum += x[i];
    }
    for (int i = 0; i < n; i++)
        squares += (x[i] - sum / n) * (x[i] - sum / n);
    t->stat[PB_TARGET_MEAN] = ldexp(sum / n, scale);
    t->stat[PB_TARGET_DEVIATION] = ldexp(sqrt(squares / n), scale);
}

static pb_targets targets_of(const pb_data *d, pb_split s)
{
    static const double share[] = {[PB_TARGET_MIN] = 0,
                                   [PB_TARGET_P5] = 0.05,
                                   [PB_TARGET_MEDIAN] = 0.5,
                                   [PB_TARGET_P95] = 0.95,
                                   [PB_TARGET_MAX] = 1};
    int n = d->split[s].count;
    pb_targets t = {.count = n};
    double *x = pb_alloc((size_t)(n + 1) * sizeof *x);
    for (int i = 0; i < n; i++)
        x[i] = d->split[s].example[i].target;
    qsort(x, (size_t)n, sizeof *x, by_value);
    for (size_t k = 0; k < PB_COUNT(share) && n; k++)
        t.stat[k] = x[rank_of(n, share[k])];
    t.stat[PB_TARGET_MEAN] = t.stat[PB_TARGET_MIN]; /* of equal numbers, without a rounding error */
    if (t.stat[PB_TARGET_MIN] < t.stat[PB_TARGET_MAX])
        set_moments(&t, n, x);
    free(x);
    return t;
}

/* ---- the profile -------------------------------------------------------------------------------------------- */

/* Returns how many examples have 0, 1, .. labels or choices, [classes+1]. */
static int *count_sets(const pb_data *d, pb_split s)
{
    int *count = pb_alloc((size_t)(d->classes + 1) * sizeof *count);
    for (int i = 0; i < d->split[s].count; i++)
        count[d->split[s].example[i].label_count + d->split[s].example[i].choices]++;
    return count;
}

pb_profile pb_profile_of(const pb_data *d)
{
    pb_profile p = {.later = {0}};
    for (int s = 0; s < PB_SPLITS; s++) {
        p.of_class[s] = pb_data_count_classes(d, (pb_split)s);
        p.of_count[s] = d->answer_kind == PB_ANSWER_LABELS || d->answer_kind == PB_ANSWER_CHOICE
                            ? count_sets(d, (pb_split)s)
                            : NULL;
        if (d->answer_kind == PB_ANSWER_NUMBER)
            p.target[s] = targets_of(d, (pb_split)s);
    }
    int n;
    entry *all = sort_examples(d, &n);
    for (int from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && !pb_example_compare(all[to].e, all[from].e);)
            to++;
        count_text(&p, all + from, to - from, d->answer_kind == PB_ANSWER_NUMBER);
    }
    free(all);
    return p;
}

void pb_profile_free(pb_profile *p)
{
    for (int s = 0; s < PB_SPLITS; s++) {
        free(p->of_class[s]);
        free(p->of_count[s]);
    }
}

/* ---- lengths ------------------------------------------------------------------------------------------------ */

typedef struct measured {
    int length, position;
} measured;

static int by_length_and_position(const void *a, const void *b)
{
    const measured *x = a, *y = b;
    int order = (x->length > y->length) - (x->length < y->length);
    return order ? order : (x->position > y->position) - (x->position < y->position);
}

pb_lengths pb_lengths_of(int count, const int *length)
{
    measured *m = pb_alloc((size_t)(count + 1) * sizeof *m);
    pb_lengths l = {.count = count,
                    .sorted = pb_alloc((size_t)(count + 1) * sizeof *l.sorted),
                    .position = pb_alloc((size_t)(count + 1) * sizeof *l.position)};
    for (int i = 0; i < count; i++)
        m[i] = (measured){length[i], i};
    qsort(m, (size_t)count, sizeof *m, by_length_and_position);
    for (int i = 0; i < count; i++) {
        l.sorted[i] = m[i].length;
        l.position[i] = m[i].position;
    }
    free(m);
    return l;
}

void pb_lengths_free(pb_lengths *l)
{
    free(l->sorted);
    free(l->position);
    *l = (pb_lengths){.count = 0};
}

int pb_lengths_rank(const pb_lengths *l, double share)
{
    return rank_of(l->count, share);
}

int pb_count_words(const char *text)
{
    static const char blank[] = " \t\r\n\v\f";
    int words = 0;
    for (text += strspn(text, blank); *text; text += strspn(text, blank)) {
        text += strcspn(text, blank);
        words++;
    }
    return words;
}

/* Returns the smallest of 1, 2, 5, 10, 20, 50, .. that is not less than x. */
static int round_width(int x)
{
    static const int step[] = {1, 2, 5};
    for (int power = 1;; power *= 10)
        for (size_t i = 0; i < PB_COUNT(step); i++)
            if (step[i] * power >= x || power >= 100000000)
                return step[i] * power;
}

pb_histogram pb_histogram_of(const pb_lengths *l)
{
    int least = l->sorted[0], most = l->sorted[l->count - 1], often = l->sorted[pb_lengths_rank(l, 0.95)];
    pb_histogram h = {.width = round_width((often - least + PB_MOST_BINS - 2) / (PB_MOST_BINS - 2))};
    h.from = least / h.width * h.width;
    int needed = (most - h.from) / h.width + 1;
    h.bins = needed < PB_MOST_BINS ? needed : PB_MOST_BINS;
    for (int i = 0; i < l->count; i++) {
        int bin = (l->sorted[i] - h.from) / h.width;
        h.count[bin < h.bins ? bin : h.bins - 1]++;
    }
    return h;
}
