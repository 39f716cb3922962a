/* data/describe keeps what its card says: sizes, splits by combination, texts that differ and say their slots. */
#include "test.h"

#include <stdlib.h>

#include "table/table.h"
#include "train/metric.h"

static const char *const splits[] = {"train", "validation", "test"};
static const int representations[] = {656, 127, 207}, texts[] = {1639, 315, 518};
static const char *const domains[] = {"place", "device", "person", "event", "weather", "recipe"};

typedef struct line {
    const char *mr, *ref, *domain;
    int split;
} line;

typedef struct corpus {
    pb_table *table[3];
    line *line;
    int lines;
} corpus;

static corpus open_corpus(void)
{
    corpus c = {.line = NULL};
    size_t capacity = 0;
    for (int s = 0; s < 3; s++) {
        char *path = pb_format("data/describe/%s.tsv", splits[s]);
        c.table[s] = pb_table_open(path, NULL);
        free(path);
        PB_CHECK(c.table[s]);
        for (size_t i = 0; i < pb_table_rows(c.table[s]); i++) {
            pb_grow(&c.line, (size_t)c.lines, &capacity, sizeof *c.line);
            c.line[c.lines++] = (line){pb_table_get(c.table[s], i, 0), pb_table_get(c.table[s], i, 1),
                                       pb_table_get(c.table[s], i, 2), s};
        }
    }
    return c;
}

static void close_corpus(corpus *c)
{
    for (int s = 0; s < 3; s++)
        pb_table_close(c->table[s]);
    free(c->line);
}

static bool begins(const corpus *c, int i)
{
    return !i || c->line[i].split != c->line[i - 1].split || strcmp(c->line[i].mr, c->line[i - 1].mr) != 0;
}

TEST(sizes_and_texts_a_representation)
{
    corpus c = open_corpus();
    int mrs[3] = {0}, refs[3] = {0}, of[PB_COUNT(domains)][3] = {{0}}, run = 0;
    for (int i = 0; i < c.lines; i++) {
        refs[c.line[i].split]++;
        if (begins(&c, i)) {
            CHECK(!i || run == 2 || run == 3);
            run = 0;
            mrs[c.line[i].split]++;
            for (size_t d = 0; d < PB_COUNT(domains); d++)
                of[d][c.line[i].split] += !strcmp(c.line[i].domain, domains[d]);
        }
        run++;
    }
    for (int s = 0; s < 3; s++) {
        CHECK_INT(mrs[s], representations[s]);
        CHECK_INT(refs[s], texts[s]);
        for (size_t d = 0; d < PB_COUNT(domains); d++)
            CHECK(of[d][s] >= 20);
    }
    close_corpus(&c);
}

/* "place: name, kind, price" */
static char *combination(const line *l)
{
    pb_text t = {0};
    pb_text_add(&t, "%s:", l->domain);
    for (const char *p = l->mr; p; p = strstr(p, "], ") ? strstr(p, "], ") + 3 : NULL)
        pb_text_add(&t, " %.*s", (int)strcspn(p, "["), p);
    return t.data;
}

typedef struct keyed {
    char *key;
    int split;
} keyed;

static int by_key(const void *a, const void *b)
{
    return strcmp(((const keyed *)a)->key, ((const keyed *)b)->key);
}

static void no_key_in_two_splits(keyed *k, int n, bool unique)
{
    qsort(k, (size_t)n, sizeof *k, by_key);
    for (int i = 0; i < n; i++) {
        bool same = i + 1 < n && !strcmp(k[i].key, k[i + 1].key);
        if (same && (unique || k[i].split != k[i + 1].split))
            CHECK_TEXT(k[i].key, "in one place");
    }
    for (int i = 0; i < n; i++)
        free(k[i].key);
    free(k);
}

TEST(no_combination_of_attributes_is_in_two_splits_and_no_text_twice)
{
    corpus c = open_corpus();
    keyed *set = pb_alloc((size_t)c.lines * sizeof *set), *ref = pb_alloc((size_t)c.lines * sizeof *ref);
    keyed *mr = pb_alloc((size_t)c.lines * sizeof *mr);
    int mrs = 0;
    for (int i = 0; i < c.lines; i++) {
        set[i] = (keyed){combination(&c.line[i]), c.line[i].split};
        ref[i] = (keyed){pb_strdup(c.line[i].ref), c.line[i].split};
        if (begins(&c, i))
            mr[mrs++] = (keyed){pb_strdup(c.line[i].mr), c.line[i].split};
    }
    no_key_in_two_splits(set, c.lines, false);
    no_key_in_two_splits(ref, c.lines, true);
    no_key_in_two_splits(mr, mrs, true);
    close_corpus(&c);
}

static int count(const char *text, char sign)
{
    int n = 0;
    for (; *text; text++)
        n += *text == sign;
    return n;
}

TEST(representations_of_3_to_7_attributes_and_texts_of_6_to_35_words)
{
    corpus c = open_corpus();
    for (int i = 0; i < c.lines; i++) {
        int words = count(c.line[i].ref, ' ') + 1, attributes = count(c.line[i].mr, '[');
        CHECK(words >= 6 && words <= 35);
        CHECK(attributes >= 3 && attributes <= 7);
        CHECK_INT(count(c.line[i].mr, ']'), attributes);
    }
    close_corpus(&c);
}

TEST(texts_say_their_slots)
{
    corpus c = open_corpus();
    pb_forms *forms = pb_forms_read("data/describe/forms.txt");
    const pb_text_metric *m = pb_text_metric_find("slot-error");
    double sums[PB_METRIC_STATS] = {0}, missing = 0, slots = 0;
    for (int s = 0; s < 3; s++) {
        pb_text_item *item = pb_alloc((size_t)c.lines * sizeof *item);
        const char **said = pb_alloc((size_t)c.lines * sizeof *said);
        int n = 0;
        for (int i = 0; i < c.lines; i++)
            if (c.line[i].split == s) {
                item[n].source = c.line[i].mr;
                said[n++] = c.line[i].ref;
            }
        double *stats = pb_alloc((size_t)(n * m->stats) * sizeof *stats);
        pb_text_score(m, &(pb_text_set){.item = item, .count = n, .forms = forms}, said, stats);
        for (int i = 0; i < n * m->stats; i++)
            sums[i % m->stats] += stats[i];
        free(stats);
        free(item);
        free(said);
    }
    missing = sums[0];
    slots = sums[2];
    CHECK_INT((long long)missing, 0);
    CHECK_INT((long long)slots, 12109);
    CHECK_INT((long long)sums[1], 29);
    pb_forms_free(forms);
    close_corpus(&c);
}
