/* Labels of files become the classes that somebody meant, or an error says why not. */
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

#include "train/labels.h"

/* Rows of train and of test, each "label|label|..", through the labels.  *classes gets what is known at the end, -1
 * after an error. */
static void read_labels(const char *list, const char *train, const char *test, const char *kind, int *classes)
{
    char dir[] = "/tmp/peftbench-labels-XXXXXX";
    const char *const rows[] = {train, test};
    pb_data *d = pb_data_new("toy");
    pb_labels *l = pb_labels_new(d, list);
    int rc = l && mkdtemp(dir) ? 0 : -1;
    for (int s = 0; s < 2 && !rc; s++) {
        pb_split split = s ? PB_TEST : PB_TRAIN;
        char *path = pb_format("%s/%s.%s", dir, s ? "test" : "train", kind), *copy = pb_strdup(rows[s]), *rest = copy;
        char *label;
        pb_text file = {0};
        bool json = !strcmp(kind, "jsonl");
        pb_text_add(&file, "%s", json ? "" : "label\ttext\n");
        for (int i = 0; (label = strsep(&rest, "|")); i++)
            pb_text_add(&file, json ? "{\"label\": %s, \"text\": \"t%d\"}\n" : "%s\tt%d\n", label, i);
        rc = pb_write_file(path, file.data, file.length);
        pb_table *t = rc ? NULL : pb_table_open(path, NULL);
        for (size_t i = 0; t && i < pb_table_rows(t) && !rc; i++) {
            int class = pb_labels_class(l, split, t, i, pb_table_column(t, "label"), "label");
            if (class < 0)
                rc = -1;
            else
                pb_data_add(d, split, pb_table_get(t, i, pb_table_column(t, "text")), class, (int)i);
        }
        if (t)
            pb_table_close(t);
        rc = rc ? rc : pb_labels_check(l);
        pb_text_free(&file);
        free(copy);
        free(path);
    }
    rc = rc ? rc : pb_labels_covered(l);
    *classes = rc ? -1 : d->classes;
    pb_labels_free(l);
    pb_data_free(d);
    pb_remove_tree(dir);
}

static bool taken(const char *list, const char *train, const char *test, const char *kind, int want)
{
    int classes;
    pb_error_clear();
    read_labels(list, train, test, kind, &classes);
    if (classes != want)
        printf("    %s beside %s: %d classes, want %d: %s\n", train, test, classes, want, pb_error_text());
    return classes == want;
}

/* An error that has all these texts. */
static bool refused(const char *list, const char *train, const char *test, const char *kind, const char *const *said)
{
    bool all = taken(list, train, test, kind, -1);
    for (; *said; said++)
        if (!strstr(pb_error_text(), *said)) {
            printf("    no '%s' in: %s\n", *said, pb_error_text());
            all = false;
        }
    return all;
}
#define SAYS(...) ((const char *const[]){__VA_ARGS__, NULL})

TEST(labels_as_they_come)
{
    CHECK(taken("", "good|bad|good", "bad", "tsv", 2));
    CHECK(taken("", "1|0|2", "0|2", "tsv", 3));
    CHECK(taken("", "1.0|2.0|3.0", "3.0", "tsv", 3)); /* whole numbers may be classes */
    CHECK(taken("", "0.5|half|1", "half", "tsv", 3)); /* and so may words that look like numbers, among others */
    CHECK(taken("", "true|false", "false", "jsonl", 2));
}

TEST(one_label_in_two_spellings)
{
    CHECK(refused("", "0.0|1.0", "0|1", "tsv",
                  SAYS("test.tsv:2: label: got '0', which is written '0.0' in", "train.tsv:2;")));
    CHECK(refused("", "Bad|Good", "bad", "tsv", SAYS("got 'bad', which is written 'Bad'")));
    CHECK(refused("", "Bad|Good|good", "Bad", "tsv", SAYS("train.tsv:4: label: got 'good'", "'Good'", "train.tsv:3;")));
    CHECK(refused("", "a|b ", "b", "tsv", SAYS("got 'b', which is written 'b '")));
    CHECK(refused("", "1|0", "1.0", "jsonl", SAYS("test.jsonl:1: label: got '1.0', which is written '1'")));
    CHECK(refused("", "1|\"1\"|\"a\"|\"\\u00c9\"", "\"\\u00e9\"", "jsonl", SAYS("got 'é', which is written 'É'")));
    CHECK(refused("", "-0|1", "0", "tsv", SAYS("'-0'")));
    CHECK(refused("", "a|b", "\"b\"", "tsv", SAYS("got '\"b\"', which is written 'b'")));
    CHECK(refused("", "1|2", "'1.0'", "tsv", SAYS("which is written '1'")));
    CHECK(refused("", "a|b", "b\u200b", "tsv", SAYS("which is written 'b'")));
    CHECK(taken("", "\"|'|\"\"", "'", "tsv", 3));
    CHECK(refused("", "1000|1", "1e3", "tsv", SAYS("got '1e3', which is written '1000'")));
}

TEST(a_label_that_train_lacks)
{
    CHECK(refused("", "1|0", "-1", "tsv",
                  SAYS("test.tsv:2: label: got '-1', a label that train does not have", "'1', '0'")));
    CHECK(refused("", "negative|positive", "negativ", "tsv", SAYS("(the nearest that it has is 'negative')")));
    CHECK(refused("1, 0, -1", "1|0", "-1", "tsv", SAYS("toy: classes: train has no example of the class '-1'")));
}

TEST(real_numbers_are_no_classes)
{
    CHECK(
        refused("", "0|0.25|0.5", "0.25", "tsv", SAYS("train.tsv:3: the labels are real numbers, such as '0.25' (3")));
    CHECK(taken("0.5=low, 1.5=high", "0.5|1.5", "0.5", "tsv", 2)); /* unless somebody says that they are */
}

TEST(labels_by_a_list)
{
    CHECK(taken("0=bad, 1=good, 1.0=good , 0.0 = bad", "0|1", "0.0|1.0", "tsv", 2)); /* two spellings, one class */
    CHECK(refused("0=bad, 1=good", "0|1", "2", "tsv", SAYS("test.tsv:2: label: want one of 0=bad, 1=good, got '2'")));
    CHECK(refused("a, b, a", "a|b", "a", "tsv", SAYS("toy: classes: the label 'a' is listed twice")));
    CHECK(refused("a, =b", "a|b", "a", "tsv", SAYS("want LABEL or LABEL=NAME")));
    CHECK(refused("", "a| ", "a", "tsv", SAYS("train.tsv:3: label: want one of the classes' names, got ' '")));
}

/* Of a hundred thousand different labels each is looked up, not searched for. */
TEST(many_labels)
{
    enum { N = 100000 };
    pb_text train = {0};
    for (int i = 0; i < N; i++)
        pb_text_add(&train, "%sc%d", i ? "|" : "", i);
    double start = pb_clock();
    CHECK(taken("", train.data, "c7|c99999", "tsv", N));
    CHECK(pb_clock() - start < 20);
    pb_text_free(&train);
}
