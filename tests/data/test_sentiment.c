/* data/sentiment keeps what its card says: sizes, balance, lengths, and no two texts alike. */
#include "test.h"

#include <ctype.h>
#include <stdlib.h>

#include "table/table.h"

static const char *const splits[] = {"train", "validation", "test"};
static const int sizes[] = {1600, 300, 1500};
static const int per_class[] = {1133, 1133, 1134};
static const char *const classes[] = {"negative", "neutral", "positive"};
static const char *const kinds[] = {"-", "negation", "contrast", "irony", "mixed", "understatement"};

typedef struct text {
    const char *words, *label, *hard, *domain;
    uint64_t word[48]; /* sorted hashes of its different words */
    int count, length;
} text;

typedef struct corpus {
    pb_table *table[3];
    text *all;
    int count;
} corpus;

static int by_hash(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void hash_words(text *t)
{
    const char *at = t->words;
    while (*at) {
        uint64_t h = 14695981039346656037u;
        bool any = false;
        for (; *at && (isalpha((unsigned char)*at) || *at == '\''); at++, any = true)
            h = (h ^ (uint64_t)tolower((unsigned char)*at)) * 1099511628211u;
        if (any && t->count < 48)
            t->word[t->count++] = h;
        at += *at && !isalpha((unsigned char)*at) && *at != '\'';
    }
    qsort(t->word, (size_t)t->count, sizeof *t->word, by_hash);
    int kept = 0;
    for (int i = 0; i < t->count; i++)
        if (!i || t->word[i] != t->word[kept - 1])
            t->word[kept++] = t->word[i];
    t->count = kept;
}

static int count_words(const char *s)
{
    int n = 0;
    for (bool in = false; *s; s++) {
        n += *s != ' ' && !in;
        in = *s != ' ';
    }
    return n;
}

static corpus open_corpus(void)
{
    corpus c = {.count = 0};
    c.all = pb_alloc(4000 * sizeof *c.all);
    for (int s = 0; s < 3; s++) {
        char *path = pb_format("data/sentiment/%s.tsv", splits[s]);
        c.table[s] = pb_table_open(path, NULL);
        if (!c.table[s])
            PB_BUG("%s", pb_error_text());
        free(path);
        for (size_t i = 0; i < pb_table_rows(c.table[s]) && c.count < 4000; i++) {
            const pb_table *t = c.table[s];
            text *x = &c.all[c.count++];
            x->words = pb_table_get(t, i, pb_table_column(t, "text"));
            x->label = pb_table_get(t, i, pb_table_column(t, "label"));
            x->hard = pb_table_get(t, i, pb_table_column(t, "hard"));
            x->domain = pb_table_get(t, i, pb_table_column(t, "domain"));
            x->length = count_words(x->words);
            hash_words(x);
        }
    }
    return c;
}

static void close_corpus(corpus *c)
{
    for (int s = 0; s < 3; s++)
        pb_table_close(c->table[s]);
    free(c->all);
}

static int member(const char *word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(word, list[i]))
            return (int)i;
    return -1;
}

TEST(sizes_and_balance)
{
    corpus c = open_corpus();
    int count[3] = {0}, tested[3] = {0}, hard[6] = {0}, fitted = sizes[0] + sizes[1];
    for (int s = 0; s < 3; s++)
        CHECK_INT((int)pb_table_rows(c.table[s]), sizes[s]);
    for (int i = 0; i < c.count; i++) {
        int label = member(c.all[i].label, classes, 3), kind = member(c.all[i].hard, kinds, 6);
        if (CHECK(label >= 0 && kind >= 0))
            count[label]++, tested[label] += i >= fitted, hard[kind]++;
        CHECK(c.all[i].length >= 5 && c.all[i].length <= 40);
    }
    for (int k = 0; k < 3; k++) {
        CHECK_INT(count[k], per_class[k]);
        CHECK_INT(tested[k], 500);
    }
    for (int k = 1; k < 6; k++)
        CHECK(hard[k] >= 50); /* each kind of hard case is there */
    close_corpus(&c);
}

TEST(at_least_15_domains_each_with_every_class)
{
    corpus c = open_corpus();
    const char *domain[64];
    int seen[64][3] = {{0}}, domains = 0;
    for (int i = 0; i < c.count; i++) {
        int d = member(c.all[i].domain, domain, (size_t)domains);
        if (d < 0 && domains < 64)
            domain[d = domains++] = c.all[i].domain;
        seen[d][member(c.all[i].label, classes, 3)]++;
    }
    CHECK(domains >= 15);
    for (int d = 0; d < domains; d++)
        CHECK(seen[d][0] >= 30 && seen[d][1] >= 30 && seen[d][2] >= 30);
    close_corpus(&c);
}

/* Shared words of all words, without counting twice. */
static double likeness(const text *a, const text *b)
{
    int i = 0, j = 0, common = 0;
    while (i < a->count && j < b->count) {
        if (a->word[i] == b->word[j])
            common++, i++, j++;
        else if (a->word[i] < b->word[j])
            i++;
        else
            j++;
    }
    int all = a->count + b->count - common;
    return all ? (double)common / all : 0;
}

TEST(no_two_texts_are_alike)
{
    corpus c = open_corpus();
    for (int i = 0; i < c.count; i++)
        for (int j = 0; j < i; j++)
            if (likeness(&c.all[i], &c.all[j]) >= 0.6 && !CHECK(!"near-duplicates"))
                printf("  \"%s\"\n  \"%s\"\n", c.all[i].words, c.all[j].words);
    close_corpus(&c);
}
