/* tag: gives a tag to each word of a sentence (token classification), such as the parts of names of persons.  A named
 * task (tasks/NAME.ini) says which files and columns hold words and tags. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "peftbench.h"

typedef struct conf {
    pb_files files;
    const char *words, *tags, *classes, *metric;
    int scheme;
} conf;

enum { DETECT, BIO, IOB1, IOBES }; /* the values of `scheme` */

static const pb_option options[] = {
    PB_FILES_OPTIONS,
    PB_OPTION(conf, words, TEXT, "tokens",
              "column with the words of a sentence; in the format conll, the first column"),
    PB_OPTION(conf, tags, TEXT, "ner_tags", "column with a tag for each word; in the format conll, the last column"),
    PB_OPTION(conf, classes, TEXT, "",
              "tags in order; `0=O, 1=B-person` if the files have numbers; empty: the tags found in train"),
    PB_OPTION(conf, scheme, CHOICE, "detect", "detect|bio|iob1|iobes",
              "how tags mark entities: bio (IOB2: B-TYPE begins one), iob1 (B-TYPE only behind another of its type), "
              "iobes (also E-TYPE ends one, S-TYPE is one); detect: iobes if there is an E or S"),
    PB_OPTION(conf, metric, TEXT, "", "the primary metric: f1, precision, recall or accuracy; empty: f1"),
    PB_FILES_OVERLAP("a sentence"),
    {0},
};

/* ---- tags ---------------------------------------------------------------------------------- */

/* Returns whether this is a tag of the letters: "O", a letter, or a letter, a hyphen and a type. */
static bool is_tag(const char *tag, const char *letters)
{
    return !strcmp(tag, "O") || (*tag && strchr(letters, *tag) && (!tag[1] || (tag[1] == '-' && tag[2])));
}

/* Refuses a tag that does not fit the scheme: its entities would not be found. */
static int check_tag(const conf *c, const char *tag)
{
    static const char *const letters[] = {"BIES", "BI", "BI", "BIES"};
    bool ends = strchr(letters[c->scheme], 'E') != NULL;
    if (is_tag(tag, letters[c->scheme]) && !tag[strcspn(tag, " \t\r\n")])
        return 0;
    double x;
    return pb_error("want a tag O, B-TYPE%s, got '%s'%s", ends ? ", I-TYPE, E-TYPE or S-TYPE" : " or I-TYPE", tag,
                    pb_labels_number(tag, &x) ? "; numbers need the task's `classes = 0=O, 1=B-TYPE, ..`" : "");
}

/* ---- loading ------------------------------------------------------------------------------ */

typedef struct reading {
    const conf *conf;
    pb_labels *labels;
    int words, tags; /* columns */
} reading;

/* A sentence as it is read. */
typedef struct sentence {
    const char *const *word; /* [words] */
    const char *const *tag;  /* [words] as the file writes them */
    int words;
} sentence;

static int find_lists(const reading *r, const pb_table *t, size_t row, sentence *s)
{
    const conf *c = r->conf;
    const char *path = pb_table_path(t, r->words);
    int tags, line = pb_table_line(t, row, r->words);
    s->word = pb_table_list(t, row, r->words, &s->words);
    s->tag = pb_table_list(t, row, r->tags, &tags);
    if (!s->word || !s->tag)
        return pb_error("%s:%d: %s: want a list of %s", path, line, s->word ? c->tags : c->words,
                        s->word ? "tags" : "words");
    if (!s->words)
        return pb_error("%s:%d: %s: want at least one word, got an empty sentence", path, line, c->words);
    return s->words == tags ? 0
                            : pb_error("%s:%d: want a tag for each word, got %d %s and %d %s", path, line, s->words,
                                       c->words, tags, c->tags);
}

/* Adds the class of each word's tag to `class` [words]. */
static int read_words(const reading *r, const pb_data *d, pb_split split, const pb_table *t, size_t row,
                      const sentence *s, int *class)
{
    for (int i = 0; i < s->words; i++) {
        const char *path = pb_table_path(t, r->words);
        int line = pb_table_item_line(t, row, r->words, i);
        if (!*s->word[i] || !*s->tag[i])
            return pb_error("%s:%d: want a word and a tag, got %s", path, line, *s->word[i] ? "no tag" : "no word");
        if ((class[i] = pb_labels_class_at(r->labels, split, s->tag[i], path, line, r->conf->tags)) < 0)
            return -1;
        if (check_tag(r->conf, d->class_name[class[i]]))
            return pb_error_prefix("%s:%d: %s", path, line, r->conf->tags);
    }
    return 0;
}

static int add_rows(pb_data *d, const void *settings, pb_split split, const pb_table *t)
{
    reading r = *(const reading *)settings;
    if ((r.words = pb_table_list_column(t, r.conf->words)) < 0 || (r.tags = pb_table_list_column(t, r.conf->tags)) < 0)
        return -1;
    int rc = 0;
    for (size_t row = 0; row < pb_table_rows(t) && !rc; row++) {
        sentence s;
        if (find_lists(&r, t, row, &s))
            return -1;
        int *class = pb_alloc((size_t)s.words * sizeof *class);
        rc = read_words(&r, d, split, t, row, &s, class);
        if (!rc)
            pb_data_add_sentence(d, split, s.words, s.word, class, pb_table_line(t, row, r.words));
        free(class);
    }
    return rc;
}

/* The tags of the setting `classes`, whether or not the files have them. */
static int check_classes(const conf *c, const pb_data *d)
{
    for (int i = 0; i < d->classes; i++)
        if (check_tag(c, d->class_name[i]))
            return pb_data_blame(d, "classes");
    return 0;
}

static int load(pb_data *d, const void *settings)
{
    const conf *c = settings;
    reading r = {.conf = c, .labels = pb_labels_new(d, c->classes)};
    int rc = r.labels && !check_classes(c, d) ? pb_files_load(d, &c->files, add_rows, &r) : -1;
    pb_labels_free(r.labels);
    if (!rc)
        pb_files_limit(d, &c->files);
    return rc;
}

/* ---- scoring ------------------------------------------------------------------------------- */

/* What is counted of a sentence: entities that are predicted correctly, predicted ones, those of the gold sequence;
 * words whose tag is predicted correctly, words. */
enum { CORRECT, PREDICTED, TRUE, HITS, WORDS, COUNTS };

/* An entity is correct if the other sequence has one of the same type from the same first to the same last word. */
static void count_entities(const char *gold, const char *predicted, double count[COUNTS])
{
    pb_entity_reader of[2] = {{.at = gold}, {.at = predicted}};
    pb_entity e[2];
    bool has[2] = {pb_entity_next(&of[0], &e[0]), pb_entity_next(&of[1], &e[1])};
    while (has[0] || has[1]) {
        bool step[2] = {has[0] && (!has[1] || e[0].first <= e[1].first),
                        has[1] && (!has[0] || e[1].first <= e[0].first)};
        count[CORRECT] += step[0] && step[1] && e[0].last == e[1].last && e[0].size == e[1].size &&
                          !memcmp(e[0].type, e[1].type, (size_t)e[0].size);
        for (int k = 0; k < 2; k++)
            if (step[k]) {
                count[k ? PREDICTED : TRUE]++;
                has[k] = pb_entity_next(&of[k], &e[k]);
            }
    }
}

static void count_words(const char *gold, const char *predicted, double count[COUNTS])
{
    while (*gold && *predicted) {
        size_t n = strcspn(gold, " "), m = strcspn(predicted, " ");
        count[WORDS]++;
        count[HITS] += n == m && !memcmp(gold, predicted, n);
        gold += n + (gold[n] == ' ');
        predicted += m + (predicted[m] == ' ');
    }
    PB_CHECK(!*gold && !*predicted);
}

static int counts(const pb_scoring *s)
{
    (void)s;
    return COUNTS;
}

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

/* The harmonic mean of precision and recall; 0 without entities, as seqeval has it. */
static double f1(const pb_scoring *s, const double *sums, double count)
{
    (void)s, (void)count;
    return share(2 * sums[CORRECT], sums[PREDICTED] + sums[TRUE]);
}

static double precision(const pb_scoring *s, const double *sums, double count)
{
    (void)s, (void)count;
    return share(sums[CORRECT], sums[PREDICTED]);
}

static double recall(const pb_scoring *s, const double *sums, double count)
{
    (void)s, (void)count;
    return share(sums[CORRECT], sums[TRUE]);
}

static double accuracy(const pb_scoring *s, const double *sums, double count)
{
    (void)s, (void)count;
    return share(sums[HITS], sums[WORDS]);
}

/* Returns the accuracy on test of always predicting the most frequent tag of train. */
static double majority_share(const pb_data *d)
{
    int *train = pb_data_count_classes(d, PB_TRAIN), *test = pb_data_count_classes(d, PB_TEST), best = 0, all = 0;
    for (int c = 0; c < d->classes; c++) {
        best = train[c] > train[best] ? c : best;
        all += test[c];
    }
    double found = share(test[best], all);
    free(train);
    free(test);
    return found;
}

static const pb_metric_info metrics[] = {
    {"f1", true, pb_chance_zero, 0, 1, counts, NULL, f1},
    {"precision", true, pb_chance_zero, 0, 1, counts, NULL, precision},
    {"recall", true, pb_chance_zero, 0, 1, counts, NULL, recall},
    {"accuracy", true, majority_share, 0, 1, counts, NULL, accuracy},
    {0},
};

static void score(const pb_data *d, pb_split split, const pb_prediction *prediction, double *values, pb_result *keep)
{
    double sums[COUNTS] = {0};
    int n = d->split[split].count;
    for (int i = 0; i < n; i++) {
        const char *gold = d->split[split].example[i].answer[0], *predicted = prediction[i].text;
        double x[COUNTS] = {0};
        count_entities(gold, predicted, x);
        count_words(gold, predicted, x);
        for (int k = 0; k < COUNTS; k++)
            sums[k] += x[k];
        for (int m = 0; keep && metrics[m].name; m++)
            pb_result_statistic(keep, split, i, metrics[m].name, COUNTS, x);
    }
    for (int m = 0; metrics[m].name; m++)
        values[m] = metrics[m].value(NULL, sums, n);
}

const pb_task pb_task_tag = {
    .name = "tag",
    .help = "Gives a tag to each word of a sentence, such as the names in it.  Reads CoNLL columns or JSON Lines with "
            "lists.",
    .answer_kind = PB_ANSWER_TAGS,
    .options = options,
    .conf_size = sizeof(conf),
    .load = load,
    .version = 1,
    .metrics = metrics,
    .score = score,
};
