/* Pairs of texts: their columns, and that the data count a pair as a whole. */
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

#include "train/task.h"

static pb_data *pairs(void)
{
    pb_data *d = pb_data_new("toy");
    pb_data_class(d, "no");
    pb_data_class(d, "yes");
    CHECK_INT(pb_files_pair(d, "s1, s2"), 0);
    return d;
}

static void add(pb_data *d, pb_split split, const char *text, const char *second, int label)
{
    pb_data_add_example(d, split, &(pb_example){.text = text, .second = second, .label = label, .line = 1});
}

/* Data with one pair in each split. */
static pb_data *three(const char *const text[3], const char *const second[3])
{
    pb_data *d = pairs();
    for (int s = 0; s < PB_SPLITS; s++)
        add(d, (pb_split)s, text[s], second[s], s % 2);
    return d;
}

/* Returns whether the check fails with an error that has this text; "": whether it succeeds. */
static bool checked(const char *const text[3], const char *const second[3], const char *error)
{
    pb_error_clear();
    pb_data *d = three(text, second);
    int rc = pb_data_check(d);
    bool good = *error ? rc == -1 && strstr(pb_error_text(), error) : rc == 0;
    if (!good)
        printf("    %d: %s\n", rc, pb_error_text());
    pb_data_free(d);
    return good;
}

TEST(a_pair_counts_as_a_whole)
{
    CHECK(checked((const char *[]){"a", "a", "a"}, (const char *[]){"x", "y", "z"}, ""));
    CHECK(checked((const char *[]){"a", "b", "c"}, (const char *[]){"x", "x", "x"}, ""));
    CHECK(checked((const char *[]){"a", "x", "c"}, (const char *[]){"x", "a", "x"}, ""));
    CHECK(checked((const char *[]){"a", "b", "a"}, (const char *[]){"x", "y", "x"},
                  "toy: the pair \"a\", \"x\" is in both train and test; want every pair in one split, or overlap = "));
}

TEST(overlap_of_pairs_is_dropped)
{
    pb_data *d = three((const char *[]){"a", "b", "a"}, (const char *[]){"x", "y", "x"});
    add(d, PB_TRAIN, "a", "y", 0);
    CHECK_INT(pb_data_drop_overlap(d), 1);
    CHECK_INT(d->split[PB_TRAIN].count, 1);
    CHECK_TEXT(d->split[PB_TRAIN].example[0].second, "y");
    CHECK_INT(pb_data_check(d), 0);
    pb_data_free(d);
}

TEST(equal_pairs_are_drawn_into_one_split)
{
    pb_data *d = pairs();
    for (int i = 0; i < 40; i++)
        for (int k = 0; k < 3; k++) {
            char second[16];
            snprintf(second, sizeof second, "second %d", i);
            add(d, PB_TRAIN, "the same first text", second, i % 2);
        }
    pb_data_draw(d, 0.2, 0.2, 3);
    CHECK_INT(pb_data_check(d), 0);
    CHECK_INT(d->split[PB_VALIDATION].count, 24);
    CHECK_INT(d->split[PB_TEST].count, 24);
    pb_data_free(d);
}

/* The digest of data whose training pair is this one. */
static pb_digest digest(const char *text, const char *second)
{
    pb_data *d = three((const char *[]){text, "b", "c"}, (const char *[]){second, "y", "z"});
    CHECK_INT(pb_data_check(d), 0);
    pb_digest x = d->digest;
    pb_data_free(d);
    return x;
}

TEST(the_digest_depends_on_both_texts)
{
    static const char *const other[][2] = {{"a", "q"},    {"q", "x"},    {"x", "a"},
                                           {"a\tx", "x"}, {"a", "x\tx"}, {"ax", "x"}};
    pb_digest one = digest("a", "x"), same = digest("a", "x");
    CHECK_TEXT(one.hex, same.hex);
    for (size_t i = 0; i < PB_COUNT(other); i++) {
        pb_digest x = digest(other[i][0], other[i][1]);
        CHECK(strcmp(one.hex, x.hex) != 0);
    }
    pb_digest left = digest("a\tx", "x"), right = digest("a", "x\tx");
    CHECK(strcmp(left.hex, right.hex) != 0);
}

/* Returns whether the names are refused with an error that has this text. */
static bool refuses(const char *names, const char *error)
{
    pb_error_clear();
    pb_data *d = pb_data_new("toy");
    bool good = pb_files_pair(d, names) == -1 && strstr(pb_error_text(), error);
    if (!good)
        printf("    %s: %s\n", names, pb_error_text());
    pb_data_free(d);
    return good;
}

TEST(names_of_columns)
{
    CHECK(refuses("a, b, c", "toy: text: want one column, or two for pairs of texts, got 'a, b, c'"));
    CHECK(refuses("a, a", "toy: text: the column 'a' is named twice; want the columns of two texts"));
    CHECK(refuses("a,", "want the names of two columns, without braces and other than 'label', got 'a,'"));
    CHECK(refuses(", b", "want the names of two columns"));
    CHECK(refuses("label, b", "other than 'label'"));
    CHECK(refuses("a, {b}", "without braces"));
    pb_error_clear();
    pb_data *d = pb_data_new("toy");
    CHECK_INT(pb_files_pair(d, "text"), 0);
    CHECK(!d->pair[0] && !d->pair[1]);
    CHECK_INT(pb_files_pair(d, "#1 String,  #2 String "), 0);
    CHECK_TEXT(d->pair[0], "#1 String");
    CHECK_TEXT(d->pair[1], "#2 String");
    pb_data_free(d);
}

TEST(texts_of_a_row)
{
    char path[] = "/tmp/peftbench-pairs-XXXXXX.tsv";
    static const char rows[] = "s2\tlabel\ts1\nsecond\t1\tfirst\n\t1\tfirst\n";
    int file = mkstemps(path, 4), column[2];
    CHECK(file >= 0 && write(file, rows, strlen(rows)) == (ssize_t)strlen(rows));
    close(file);
    pb_data *d = pairs();
    pb_table *t = pb_table_open(path, NULL);
    pb_example e = {.text = NULL};
    CHECK_INT(pb_files_columns(d, "s1, s2", t, column), 0);
    CHECK_INT(pb_files_texts(d, "s1, s2", t, 0, column, &e), 0);
    CHECK_TEXT(e.text, "first");
    CHECK_TEXT(e.second, "second");
    CHECK_INT(e.line, 2);
    CHECK_INT(pb_files_texts(d, "s1, s2", t, 1, column, &e), -1);
    CHECK(strstr(pb_error_text(), ".tsv:3: s2: want a text, got nothing"));
    pb_error_clear();
    pb_data *other = pb_data_new("toy");
    CHECK_INT(pb_files_pair(other, "s1, s3"), 0);
    CHECK_INT(pb_files_columns(other, "s1, s3", t, column), -1);
    CHECK(strstr(pb_error_text(), ".tsv: no column 's3'"));
    pb_table_close(t);
    pb_data_free(d);
    pb_data_free(other);
    unlink(path);
}
