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
