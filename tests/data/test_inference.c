/* data/inference keeps what its card says: sizes, balance, lengths, whole premises in one split, no two premises alike, and
 * hypotheses that do not give their label away. */
#include "test.h"

#include <math.h>
#include <stdlib.h>

#include "table/table.h"
#include "words.h"

static const char *const splits[] = {"train", "validation", "test"};
static const int sizes[] = {1080, 270, 540};
static const char *const classes[] = {"contradicted", "entailed", "neither"};
static const char *const kinds[] = {"-", "lexical", "negation", "overlap", "quantity", "syntax", "time"};
enum { PAIRS = 1890, WORDS = 40, BUCKETS = 1 << 13 };

typedef struct pair {
    const char *premise, *hypothesis, *domain;
    int split, label, kind;
    uint64_t word[WORDS]; /* hashes of the words of the premise, sorted, each once */
    int count;
} pair;

typedef struct corpus {
    pb_table *table[3];
    pair *all;
    int count;
} corpus;

static const char *at(const pb_table *t, size_t row, const char *column)
{
    return pb_table_get(t, row, pb_table_column(t, column));
}

static corpus open_corpus(void)
{
    corpus c = {.all = pb_alloc(PAIRS * sizeof *c.all)};
    for (int s = 0; s < 3; s++) {
        char *path = pb_format("data/inference/%s.tsv", splits[s]);
        const pb_table *t = c.table[s] = pb_table_open(path, NULL);
        if (!t)
            PB_BUG("%s", pb_error_text());
        free(path);
        for (size_t i = 0; i < pb_table_rows(t) && c.count < PAIRS; i++) {
            pair *x = &c.all[c.count++];
            *x = (pair){.premise = at(t, i, "premise"), .hypothesis = at(t, i, "hypothesis"), .split = s};
            x->domain = at(t, i, "domain");
            x->label = words_member(at(t, i, "label"), classes, PB_COUNT(classes));
            x->kind = words_member(at(t, i, "hard"), kinds, PB_COUNT(kinds));
            x->count = words_hash(x->premise, isalnum, x->word, WORDS);
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
    int count[3][3] = {{0}}, hard[PB_COUNT(kinds)][3] = {{0}};
    for (int s = 0; s < 3; s++)
        CHECK_INT((int)pb_table_rows(c.table[s]), sizes[s]);
    for (int i = 0; i < c.count; i++) {
        const pair *x = &c.all[i];
        if (CHECK(x->label >= 0 && x->kind >= 0))
            count[x->split][x->label]++, hard[x->kind][x->label]++;
        int premise = words_count(x->premise), hypothesis = words_count(x->hypothesis);
        CHECK(premise >= 8 && premise <= 40 && hypothesis >= 4 && hypothesis <= 20);
    }
    for (int s = 0; s < 3; s++)
        for (int k = 0; k < 3; k++)
            CHECK_INT(count[s][k], sizes[s] / 3);
    for (size_t k = 1; k < PB_COUNT(kinds); k++)
        CHECK(hard[k][0] >= 15 && hard[k][1] >= 15 && hard[k][2] >= 15); /* each kind of hard pair in each class */
    close_corpus(&c);
}

TEST(each_premise_has_a_hypothesis_of_each_class_in_one_split)
{
    corpus c = open_corpus();
    for (int i = 0; i < c.count; i++) {
        int seen[3] = {0};
        for (int k = 0; k < c.count; k++)
            if (!strcmp(c.all[i].premise, c.all[k].premise)) {
                CHECK_INT(c.all[k].split, c.all[i].split);
                CHECK(!strcmp(c.all[k].domain, c.all[i].domain));
                seen[c.all[k].label]++;
            }
        CHECK(seen[0] == 1 && seen[1] == 1 && seen[2] == 1);
    }
    close_corpus(&c);
}

static double likeness(const pair *a, const pair *b)
{
    return words_likeness(a->word, a->count, b->word, b->count);
}

TEST(no_two_premises_are_alike)
{
    corpus c = open_corpus();
    for (int i = 0; i < c.count; i++)
        for (int j = 0; j < i; j++)
            if (strcmp(c.all[i].premise, c.all[j].premise) != 0 && likeness(&c.all[i], &c.all[j]) >= 0.6 &&
                !CHECK(!"near-duplicates"))
                printf("  \"%s\"\n  \"%s\"\n", c.all[i].premise, c.all[j].premise);
    close_corpus(&c);
}

/* Naive Bayes over the words of the hypotheses alone, fitted to train and validation.  Words share buckets by their
 * hash. */
typedef struct bayes {
    double word[3][BUCKETS], total[3];
} bayes;

static void fit(bayes *b, const corpus *c)
{
    for (int i = 0; i < c->count; i++) {
        uint64_t word[WORDS];
        int n = c->all[i].split == 2 ? 0 : words_hash(c->all[i].hypothesis, isalnum, word, WORDS);
        for (int k = 0; k < n; k++)
            b->word[c->all[i].label][word[k] % BUCKETS]++;
        b->total[c->all[i].label] += n;
    }
}

static int predict(const bayes *b, const char *hypothesis)
{
    uint64_t word[WORDS];
    int n = words_hash(hypothesis, isalnum, word, WORDS), best = 0;
    double most = -INFINITY;
    for (int l = 0; l < 3; l++) {
        double sum = 0;
        for (int k = 0; k < n; k++)
            sum += log((b->word[l][word[k] % BUCKETS] + 1) / (b->total[l] + BUCKETS));
        if (sum > most)
            most = sum, best = l;
    }
    return best;
}

TEST(a_hypothesis_alone_does_not_give_its_label_away)
{
    corpus c = open_corpus();
    bayes *b = pb_alloc(sizeof *b);
    int correct = 0;
    fit(b, &c);
    for (int i = 0; i < c.count; i++)
        correct += c.all[i].split == 2 && predict(b, c.all[i].hypothesis) == c.all[i].label;
    CHECK((double)correct / sizes[2] <= 1 / 3.0 + 0.08);
    CHECK((double)correct / sizes[2] >= 0.2); /* the classifier works as one */
    free(b);
    close_corpus(&c);
}
