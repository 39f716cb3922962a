/* The metrics of generated text against sacreBLEU, the E2E challenge's evaluation and, where there is no such
 * program, their papers done again (tests/parity/check_metrics.py). */
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

#include "texts.h"
#include "train/metric_internal.h"

#define GOLDEN "tests/golden/metrics/"

/* ---- goldens ------------------------------------------------------------------------------------------- */

/* Lines first..last of the corpus, with at most so many references. */
static pb_text_set part_of(const texts *all, const pb_json *part, pb_text_item *item)
{
    int first = (int)pb_json_integer(pb_json_at(part, 0), 0), last = (int)pb_json_integer(pb_json_at(part, 1), 0);
    int references = (int)pb_json_integer(pb_json_at(part, 2), 0), count = 0;
    for (int i = first; i < last && i < all->set.count; i++) {
        item[count] = all->item[i];
        if (item[count].references > references)
            item[count].references = references;
        count++;
    }
    return (pb_text_set){item, count, all->set.forms};
}

static void compare_each(const pb_text_metric *m, const pb_json *each, const double *stats, int line)
{
    for (size_t i = 0; i < pb_json_size(each); i++)
        if (!CHECK_NEAR(m->value(stats + i * (size_t)m->stats), pb_json_number(pb_json_at(each, i), -1), 1e-9))
            printf("    %s, example %zu, expected.jsonl:%d\n", m->name, i, line);
}

static void compare(const texts *all, const pb_json *want, int line)
{
    const pb_json *part = pb_json_get(want, "part"), *signature = pb_json_get(want, "signature");
    pb_text_item item[100];
    pb_text_set set = part_of(all, part, item);
    const pb_text_metric *m = pb_text_metric_find(pb_json_text(pb_json_get(want, "metric"), ""));
    if (!CHECK(m != NULL) || !CHECK(set.count > 0))
        return;
    const char **hypothesis = all->hypothesis + pb_json_integer(pb_json_at(part, 0), 0);
    double *stats = pb_alloc(((size_t)set.count * (size_t)m->stats + 1) * sizeof *stats);
    double got = pb_text_score(m, &set, hypothesis, stats);
    const pb_json *value = pb_json_get(want, "value");
    bool held = pb_json_is_null(value) ? CHECK(isnan(got)) : CHECK_NEAR(got, pb_json_number(value, -1), 1e-9);
    if (!held)
        printf("    %s, expected.jsonl:%d\n", m->name, line);
    compare_each(m, pb_json_get(want, "each"), stats, line);
    if (signature && !pb_json_is_null(signature)) {
        char *own = pb_text_signature(m, &set);
        CHECK_TEXT(own, pb_json_text(signature, ""));
        free(own);
    }
    free(stats);
}

TEST(values_are_those_of_the_originals)
{
    texts all = read_texts(GOLDEN "corpus.jsonl");
    pb_forms *forms = pb_forms_read(GOLDEN "forms.txt");
    char *text = pb_read_file(GOLDEN "expected.jsonl", NULL), *rest = text, *line;
    if (!CHECK(forms != NULL) || !CHECK(text != NULL))
        return;
    all.set.forms = forms;
    int lines = 0;
    while ((line = strsep(&rest, "\n")) && *line) {
        pb_json_doc *doc = pb_json_parse("expected.jsonl", line, strlen(line));
        if (CHECK(doc != NULL))
            compare(&all, pb_json_root(doc), ++lines);
        pb_json_free(doc);
    }
    CHECK(lines > 90);
    free(text);
    pb_forms_free(forms);
    free_texts(&all);
}

/* ---- the contract -------------------------------------------------------------------------------------- */

TEST(every_metric_keeps_the_contract)
{
    for (const pb_text_metric *const *at = pb_text_metrics; *at; at++) {
        const pb_text_metric *m = *at;
        CHECK(pb_text_metric_find(m->name) == m);
        CHECK(m->title && m->paper && m->signature);
        CHECK(m->stats >= 0 && m->stats <= PB_METRIC_STATS);
        CHECK((m->whole != NULL) == (m->stats == 0));
        CHECK((m->gather != NULL) == (m->stats > 0) && (m->value != NULL) == (m->stats > 0));
        CHECK((m->start != NULL) == (m->stop != NULL));
    }
    CHECK(!pb_text_metric_find("meteor"));
    CHECK(strstr(pb_error_text(), "no metric 'meteor'; there are bleu, bleu-e2e, nist") != NULL);
    pb_error_clear();
}

/* What a resampling does: any examples, any number of times. */
TEST(a_value_is_a_function_of_the_sum)
{
    texts all = read_texts(GOLDEN "corpus.jsonl");
    enum { DRAWN = 90 };
    pb_text_item item[DRAWN];
    const char *hypothesis[DRAWN];
    for (int i = 0; i < DRAWN; i++) {
        item[i] = all.item[i * i % all.set.count];
        hypothesis[i] = all.hypothesis[i * i % all.set.count];
    }
    for (const pb_text_metric *const *at = pb_text_metrics; *at; at++) {
        const pb_text_metric *m = *at;
        if (m->whole || m->start) /* what start learns is of the whole split */
            continue;
        double rows[100 * PB_METRIC_STATS], sums[PB_METRIC_STATS] = {0};
        CHECK(all.set.count <= 100);
        pb_text_score(m, &all.set, all.hypothesis, rows);
        for (int i = 0; i < DRAWN; i++)
            for (int k = 0; k < m->stats; k++)
                sums[k] += rows[i * i % all.set.count * m->stats + k];
        CHECK_NEAR(m->value(sums), pb_text_score(m, &(pb_text_set){item, DRAWN, NULL}, hypothesis, NULL), 1e-12);
    }
    free_texts(&all);
}

static double score(const char *metric, const char *hypothesis, const char *const *reference, int references)
{
    pb_text_item item = {NULL, reference, references};
    return pb_text_score(pb_text_metric_find(metric), &(pb_text_set){&item, 1, NULL}, &hypothesis, NULL);
}

TEST(the_ends_of_the_scales)
{
    static const char *const names[] = {"bleu", "bleu-e2e", "rouge-l", "chrf", "chrf++", "exact-match"};
    static const double best[] = {100, 1, 1, 100, 100, 1};
    const char *text = "A text, which is \u201Cits own\u201D reference.", *other = "Nothing whatever of this.";
    for (size_t i = 0; i < PB_COUNT(names); i++) {
        CHECK_NEAR(score(names[i], text, (const char *const[]){other, text}, 2), best[i], 1e-12);
        CHECK(score(names[i], "", (const char *const[]){other, text}, 2) < 1e-6);
    }
    CHECK_NEAR(score("exact-match", "\u00A0a text\n", (const char *const[]){" a text"}, 1), 1, 0);
    CHECK_NEAR(score("exact-match", "A text", (const char *const[]){" a text"}, 1), 0, 0);
    CHECK(isnan(score("distinct-1", "", NULL, 0)));
}

/* The example of Papineni et al.: 2 of 7 unigrams, and no bigram. */
TEST(counts_are_clipped)
{
    const char *hypothesis = "the the the the the the the";
    const char *const reference[] = {"The cat is on the mat.", "There is a cat on the mat."};
    double stats[PB_METRIC_STATS];
    pb_text_item item = {NULL, reference, 2};
    pb_metric_bleu_e2e.gather(NULL, &item, hypothesis, stats);
    CHECK_NEAR(stats[0], 7, 0);
    CHECK_NEAR(stats[1], 7, 0);
    CHECK_NEAR(stats[2], 2, 0);
    CHECK_NEAR(stats[3], 0, 0);
}

static void expect_words(const char *text, const char *words)
{
    pb_pieces p = pb_cut_treebank(text);
    CHECK_TEXT(p.text.data, words);
    pb_pieces_free(&p);
}

TEST(treebank_words)
{
    expect_words("It's John's; they won't, can't and cannot.", "it 's john 's they wo n't ca n't and can not");
    expect_words("A well-known place (\u201CThe Mill\u201D) for \u00A320-25 -- or so...",
                 "a well-known place -lrb- the mill -rrb- for # 20-25 or so");
    expect_words("Dr. Who of the U.S. paid 1,234.5, i.e. 3.5%, at 10:30 a.m.",
                 "dr. who of the u.s. paid 1,234.5 i.e. 3.5 % at 10:30 a.m.");
    expect_words("Plan B. The end, by J. P. Lee.", "plan b the end by j. p. lee");
    expect_words("O\u2019Hara\u2019s isn\u2019t R&D/AT&T's <b>", "o\u2019hara 's is n't r&d/at&t 's <b>");
}

/* Whatever a model writes: bytes that are no UTF-8 among them. */
TEST(any_bytes_are_scored)
{
    static const char *const parts[] = {
        "a", "B",    "7",    " ",  ".", ",",    "-",      "'",      "n't", "\xE2\x80\x99",
        "&", "&lt;", "\xFF", "\n", "<", "\xC3", "\u00A3", "\u0130", "[",   "yes",
        ":", "|",    "]",    "(",  "$", "...",  "\u5317", "\t",     "1.5", "<skipped>"};
    pb_text text[3] = {{0}};
    uint32_t random = 1;
    for (int round = 0; round < 300; round++) {
        for (int i = 0; i < 3; i++) {
            text[i].length = 0;
            pb_text_bytes(&text[i], "", 0);
            for (int n = round % 20; n > 0; n--) {
                random = random * 1664525 + 1013904223;
                pb_text_add(&text[i], "%s", parts[(random >> 16) % PB_COUNT(parts)]);
            }
        }
        const char *reference[] = {text[0].data, text[1].data}, *hypothesis = text[2].data;
        pb_text_item item = {reference[0], reference, 2};
        for (const pb_text_metric *const *m = pb_text_metrics; *m; m++) {
            double value = pb_text_score(*m, &(pb_text_set){&item, 1, NULL, "{number}"}, &hypothesis, NULL);
            CHECK(isnan(value) || (value >= 0 && isfinite(value)));
        }
    }
    for (int i = 0; i < 3; i++)
        pb_text_free(&text[i]);
}

/* ---- slots --------------------------------------------------------------------------------------------- */

static pb_forms *forms_of(const char *text)
{
    char path[] = "/tmp/peftbench-forms-XXXXXX";
    int file = mkstemp(path);
    CHECK(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text));
    close(file);
    pb_forms *f = pb_forms_read(path);
    unlink(path);
    return f;
}

/* Missing and wrong of the first of two examples; the other is there for its values. */
static void expect_slots(const pb_forms *forms, const char *hypothesis, double missing, double wrong)
{
    const pb_text_item item[] = {{"name[The Mill], food[fast food], area[riverside], family[no]", NULL, 0},
                                 {"name[The Old Mill], food[food], price[\u00A320-25], family[yes]", NULL, 0}};
    pb_text_set set = {item, 2, forms};
    double stats[PB_METRIC_STATS];
    void *said = pb_metric_slot_error.start(&set);
    pb_metric_slot_error.gather(said, &item[0], hypothesis, stats);
    pb_metric_slot_error.stop(said);
    if (!CHECK_NEAR(stats[0], missing, 0) || !CHECK_NEAR(stats[1], wrong, 0) || !CHECK_NEAR(stats[2], 4, 0))
        printf("    %s\n", hypothesis);
}

TEST(slots_are_missing_or_wrong)
{
    pb_forms *forms = forms_of("Forms:\n# family[no]: nobody\nfamily[no]: adults only | not for children\n"
                               "area[Riverside]: by the river\nfamily[no]: no kids\nmood[bad]: sad\n");
    if (!CHECK(forms != NULL))
        return;
    expect_slots(forms, "The Mill, riverside, has fast food for adults only.", 0, 0);
    expect_slots(forms, "THE MILL by the river: Fast-Food! Not for children...", 0, 0);
    expect_slots(forms, "The Mill has fast food.", 2, 0);
    expect_slots(forms, "The Mills by the riversides sell fast foods to nobody.", 4, 0);
    expect_slots(forms, "The Old Mill, riverside, has fast food, no kids, and costs \u00A320 - 25.", 1, 2);
    expect_slots(forms, "The Mill, riverside, has food: fast food, no kids. Food! Food!", 0, 1);
    expect_slots(forms, "The Mill, riverside, fast food, no kids, 20-25 tables, yes, a sad place.", 0, 0);
    expect_slots(NULL, "The Mill, riverside, has fast food for adults only.", 1, 0);
    expect_slots(NULL, "", 4, 0);
    pb_forms_free(forms);
}

TEST(slots_are_read_from_either_notation)
{
    const char *hypothesis[] = {"The Mill is a pub."};
    static const char *const source[] = {"name[The Mill], kind[pub],area[hill]",
                                         "name : The Mill | kind : pub | area : hill"};
    for (size_t i = 0; i < PB_COUNT(source); i++) {
        pb_text_item item = {source[i], NULL, 0};
        CHECK_NEAR(pb_text_score(&pb_metric_slot_error, &(pb_text_set){&item, 1, NULL}, hypothesis, NULL), 1.0 / 3,
                   1e-15);
    }
    pb_text_item none = {"no slots", NULL, 0};
    CHECK(isnan(pb_text_score(&pb_metric_slot_error, &(pb_text_set){&none, 1, NULL}, hypothesis, NULL)));
}

TEST(forms_that_are_none_are_refused)
{
    CHECK(!forms_of("prose\nfood[fish]: | ,\n"));
    CHECK(strstr(pb_error_text(), ":2: a value without a form; want attribute[value]: form | form") != NULL);
    pb_error_clear();
    CHECK(!forms_of("only prose: a[b]: c\n# food[fish]: cod\n"));
    CHECK(strstr(pb_error_text(), ": no forms; want lines attribute[value]: form | form") != NULL);
    pb_error_clear();
    CHECK(!pb_forms_read("/no/such/file"));
    CHECK_TEXT(pb_error_text(), "/no/such/file: cannot read: No such file or directory");
}
