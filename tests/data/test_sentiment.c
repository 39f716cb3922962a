/* data/sentiment keeps what its card says: sizes, balance, lengths, and no two texts alike. */
#include "test.h"

#include "table/table.h"
#include "words.h"

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

static int is_letter(int c)
{
    return isalpha(c) || c == '\'';
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
            x->length = words_count(x->words);
            x->count = words_hash(x->words, is_letter, x->word, (int)PB_COUNT(x->word));
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

TEST(sizes_and_balance)
{
    corpus c = open_corpus();
    int count[3] = {0}, tested[3] = {0}, hard[6] = {0}, fitted = sizes[0] + sizes[1];
    for (int s = 0; s < 3; s++)
        CHECK_INT((int)pb_table_rows(c.table[s]), sizes[s]);
    for (int i = 0; i < c.count; i++) {
        int label = words_member(c.all[i].label, classes, 3), kind = words_member(c.all[i].hard, kinds, 6);
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
        int d = words_member(c.all[i].domain, domain, (size_t)domains);
        if (d < 0 && domains < 64)
            domain[d = domains++] = c.all[i].domain;
        seen[d][words_member(c.all[i].label, classes, 3)]++;
    }
    CHECK(domains >= 15);
    for (int d = 0; d < domains; d++)
        CHECK(seen[d][0] >= 30 && seen[d][1] >= 30 && seen[d][2] >= 30);
    close_corpus(&c);
}

static double likeness(const text *a, const text *b)
{
    return words_likeness(a->word, a->count, b->word, b->count);
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
