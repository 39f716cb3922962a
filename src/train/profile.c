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

/* Returns the first of g [n], from 1 on, for which `differs` holds beside the one before or the first; n: none. */
static int find_within(const entry *g, int n)
{
    int i = 1;
    while (i < n && g[i].at.split != g[i - 1].at.split)
        i++;
    return i;
}

static int find_across(const entry *g, int n)
{
    int i = 1;
    while (i < n && g[i].at.split == g[0].at.split)
        i++;
    return i;
}

static int find_conflict(const entry *g, int n)
{
    int i = 1;
    while (i < n && g[i].e->label == g[0].e->label)
        i++;
    return i;
}

/* Counts the examples g [n] of one text. */
static void count_text(pb_profile *p, const entry *g, int n)
{
    int within = find_within(g, n), across = find_across(g, n), conflict = find_conflict(g, n);
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

pb_profile pb_profile_of(const pb_data *d)
{
    pb_profile p = {.later = {0}};
    for (int s = 0; s < PB_SPLITS; s++) {
        p.of_class[s] = pb_alloc((size_t)(d->classes + 1) * sizeof *p.of_class[s]);
        for (int i = 0; i < d->split[s].count && d->classes; i++)
            p.of_class[s][d->split[s].example[i].label]++;
    }
    int n;
    entry *all = sort_examples(d, &n);
    for (int from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && !pb_example_compare(all[to].e, all[from].e);)
            to++;
        count_text(&p, all + from, to - from);
    }
    free(all);
    return p;
}

void pb_profile_free(pb_profile *p)
{
    for (int s = 0; s < PB_SPLITS; s++)
        free(p->of_class[s]);
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
    PB_CHECK(l->count > 0);
    int rank = (int)ceil(share * l->count - 1e-9) - 1; /* 0.95 * 20 is a little more than 19 */
    return rank < 0 ? 0 : rank < l->count ? rank : l->count - 1;
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
