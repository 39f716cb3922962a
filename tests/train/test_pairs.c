/* Pairs of texts: their columns, that the data count a pair as a whole, and the inputs of models. */
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/threads.h"
#include "train/encoded.h"
#include "train/template.h"

#define ENCODER "tests/golden/tiny-bert"
#define DECODER "models/pico-decoder"

static pb_data *pairs(void)
{
    pb_data *d = pb_data_new("toy");
    pb_data_class(d, "no");
    pb_data_class(d, "yes");
    CHECK_INT(pb_files_pair(d, "s1, s2"), 0);
    d->may_drop = true;
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

/* ---- templates --------------------------------------------------------------------------------------------------- */

static char s1[] = "s1", s2[] = "s2", *const names[2] = {s1, s2};

TEST(a_template_shows_both_texts_in_either_order)
{
    static const char *const text[] = {"Head.\nOne: {s1}, two: {s2}!\nSame: {label}.\n",
                                       "Head.\nOne: {s2}, two: {s1}!\nSame: {label}.\n"};
    static const char *const want[] = {"One: a, two: b!\nSame: yes.", "One: b, two: a!\nSame: yes."};
    static const char *const to_end[] = {"One: a, two: b", "One: b, two: a"};
    for (int i = 0; i < 2; i++) {
        pb_template t;
        pb_text out = {0}, part = {0};
        if (!CHECK(!pb_template_parse("t", text[i], names, &t)))
            return;
        pb_template_write(&t, PB_WITH_ANSWER, "a", "b", "yes", &out);
        CHECK_TEXT(out.data, want[i]);
        pb_template_write(&t, PB_TO_TEXTS_END, "a", "b", NULL, &part);
        CHECK_TEXT(part.data, to_end[i]);
        CHECK_INT(t.once.size, strlen("Head.\n"));
        CHECK_INT(t.swapped, i);
        pb_text_free(&out);
        pb_text_free(&part);
    }
}

static bool refuses_template(const char *text, const char *error)
{
    pb_template t;
    pb_error_clear();
    bool good = pb_template_parse("t", text, names, &t) == -1 && !strcmp(pb_error_text(), error);
    if (!good)
        printf("    %s\n", pb_error_text());
    return good;
}

TEST(a_template_without_one_of_the_texts_is_refused)
{
    CHECK(refuses_template("{s1}\n{label}", "t:2: no {s2}; want a template with {s1}, {s2} and, after them, {label}"));
    CHECK(refuses_template("{text}\n{label}\n",
                           "t:3: no {s1}; want a template with {s1}, {s2} and, after them, {label}"));
    CHECK(refuses_template("{s2}\n{s1}", "t:2: no {label}; want a template with {s1}, {s2} and, after them, {label}"));
    CHECK(refuses_template("{s1}\n{s2} {s1} {label}", "t:2: {s1} a second time; want it once"));
    CHECK(refuses_template("{s1}\n{label} {s2}",
                           "t:2: {label} stands before {s2}; want it after {s2}, where the model continues"));
}

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

/* Texts of this many different words, "word0 word1 .." and "term0 term1 ..". */
static char *words(const char *word, int n)
{
    pb_text t = {0};
    for (int i = 0; i < n; i++)
        pb_text_add(&t, "%s%s%d", i ? " " : "", word, i);
    return t.data;
}

/* Data whose validation and test pairs have texts of these sizes; training pairs are short. */
static pb_data *sized(int first, int second)
{
    pb_data *d = pairs();
    char *a = words("word", first), *b = words("term", second);
    add(d, PB_TRAIN, "a film", "good", 1);
    add(d, PB_TRAIN, "a plot", "bad", 0);
    add(d, PB_VALIDATION, a, b, 1);
    add(d, PB_TEST, a, b, 0);
    free(a);
    free(b);
    return d;
}

static pb_encoded *encode(const pb_data *d, const pb_model *m, const pb_prompting *p, int most)
{
    pb_encoded *f = pb_encoded_new(d, m, &(pb_encoding){.prompting = p, .max_tokens = most});
    if (!f)
        PB_BUG("%s", pb_error_text());
    return f;
}

static bool equal(const int *a, const pb_ids *b)
{
    return !memcmp(a, b->id, b->count * sizeof *a);
}

TEST(an_encoder_reads_pairs_as_its_tokenizer_says)
{
    pb_model *m = pb_model_open(&(pb_opening){.path = ENCODER, .classes = 2});
    pb_data *d = sized(9, 2);
    pb_arena *arena = pb_arena_new("batch");
    for (int most = 8; most <= 64; most += 28) {
        pb_encoded *f = encode(d, m, NULL, most);
        const pb_example *e = &d->split[PB_TEST].example[0];
        pb_ids ids = {0}, type = {0};
        CHECK(!pb_tokenizer_encode_pair(pb_model_tokenizer(m), e->text, e->second, most, &ids, &type));
        pb_batch b = pb_encoded_batch(f, arena, PB_TEST, (const int[]){0}, 1, true);
        CHECK_INT(b.offset[1], ids.count);
        CHECK(equal(b.ids, &ids) && b.token_type && equal(b.token_type, &type));
        CHECK_INT(f->cut[PB_TEST], most < 64);
        CHECK(type.id[0] == 0 && type.id[type.count - 1] == 1);
        pb_ids_free(&ids);
        pb_ids_free(&type);
        pb_encoded_free(f);
    }
    pb_encoded *f = encode(d, m, NULL, 64);
    pb_batch b = pb_encoded_batch(f, arena, PB_TRAIN, (const int[]){1, 0}, 2, true); /* types follow their items */
    for (int i = 0; i < 2; i++)
        CHECK(equal(b.token_type + b.offset[i], &f->type[PB_TRAIN][!i]) &&
              equal(b.ids + b.offset[i], &f->text[PB_TRAIN][!i]));
    pb_encoded_free(f);
    pb_arena_free(arena);
    pb_data_free(d);
    pb_model_free(m);
}

/* The ids of a text, as words. */
static char *read_back(const pb_encoded *f, const pb_model *m, const pb_ids *behind)
{
    pb_text t = {0};
    pb_tokenizer_decode(pb_model_tokenizer(m), f->prefix.id, f->prefix.count, true, &t);
    pb_tokenizer_decode(pb_model_tokenizer(m), behind->id, behind->count, true, &t);
    return t.data;
}

static size_t tokens(const pb_model *m, const char *text)
{
    pb_ids ids = {0};
    CHECK(!pb_tokenizer_encode(pb_model_tokenizer(m), text, strlen(text), false, 0, &ids));
    size_t n = ids.count;
    pb_ids_free(&ids);
    return n;
}

/* Checks that the text begins with the n first tokens of `of`, and returns what follows them. */
static const char *behind(const pb_model *m, const char *text, const char *of, size_t n)
{
    pb_ids ids = {0};
    pb_text t = {0};
    CHECK(!pb_tokenizer_encode(pb_model_tokenizer(m), of, strlen(of), false, 0, &ids));
    pb_tokenizer_decode(pb_model_tokenizer(m), ids.id, n, true, &t);
    bool begins = !strncmp(text, t.data ? t.data : "", t.length);
    if (!CHECK(begins))
        printf("    '%s' does not begin with '%s'\n", text, t.data);
    pb_ids_free(&ids);
    text += begins ? t.length : 0;
    pb_text_free(&t);
    return text;
}

/* The tokens of the default template and the special tokens are no part of it. */
TEST(the_length_of_a_pair_behind_a_template_does_not_depend_on_the_limit)
{
    const pb_prompting p = {.template = "", .chat = "none"};
    pb_model *m = pb_model_open(&(pb_opening){.path = DECODER, .classes = 2});
    for (int first = 1; first < 9; first += 3) {
        pb_data *d = sized(first, 4);
        pb_encoded *all = encode(d, m, &p, 1000), *some = encode(d, m, &p, 4);
        const pb_example *e = &d->split[PB_TEST].example[0];
        CHECK_INT(all->cut[PB_TEST], 0);
        CHECK_INT(some->cut[PB_TEST], 1);
        for (int s = 0; s < PB_SPLITS; s++)
            CHECK_INT(all->length[s][0], some->length[s][0]);
        CHECK_INT(all->length[PB_TEST][0], tokens(m, e->text) + tokens(m, e->second));
        pb_encoded_free(all);
        pb_encoded_free(some);
        all = encode(d, m, &p, (int)(tokens(m, e->text) + tokens(m, e->second)));
        CHECK_INT(all->cut[PB_TEST], 0);
        pb_encoded_free(all);
        pb_data_free(d);
    }
    pb_model_free(m);
}

TEST(a_decoder_with_a_head_reads_two_lines_if_its_tokenizer_has_no_form)
{
    pb_model *m = pb_model_open(&(pb_opening){.path = DECODER, .classes = 2});
    pb_data *d = sized(9, 4);
    const pb_example *e = &d->split[PB_TEST].example[0];
    pb_encoded *f = encode(d, m, NULL, 1000);
    char *both = pb_format("%s\n%s", e->text, e->second), *got = read_back(f, m, &f->text[PB_TEST][0]);
    CHECK_TEXT(got, both);
    CHECK(!f->type[PB_TEST]);
    CHECK_INT(f->length[PB_TEST][0], tokens(m, both));
    size_t newline = tokens(m, both) - tokens(m, e->text) - tokens(m, e->second);
    free(got);
    pb_encoded_free(f);
    f = encode(d, m, NULL, 14); /* in all */
    CHECK_INT(f->text[PB_TEST][0].count, 14);
    size_t room = 14 - newline, half = room / 2 < tokens(m, e->second) ? room / 2 : tokens(m, e->second);
    got = read_back(f, m, &f->text[PB_TEST][0]);
    const char *rest = behind(m, got, e->text, room - half);
    CHECK(*rest == '\n');
    CHECK_TEXT(behind(m, rest + (*rest == '\n'), e->second, half), "");
    CHECK_INT(f->cut[PB_TEST], 1);
    free(got);
    free(both);
    pb_encoded_free(f);
    pb_data_free(d);
    pb_model_free(m);
}

TEST(behind_a_template_the_longer_text_loses_tokens_first)
{
    pb_model *m = pb_model_open(&(pb_opening){.path = DECODER});
    static const int size[][2] = {{30, 3}, {3, 30}, {30, 30}, {3000, 2900}};
    const pb_prompting p = {.template = "", .chat = "none"};
    for (size_t i = 0; i < PB_COUNT(size); i++)
        for (size_t most = 9; most < 60; most += 50) {
            pb_data *d = sized(size[i][0], size[i][1]);
            const pb_example *e = &d->split[PB_TEST].example[0];
            char *one = pb_format(" %s", e->text), *two = pb_format(" %s", e->second);
            size_t n[2] = {tokens(m, one), tokens(m, two)};
            bool fits = n[0] + n[1] <= most;
            pb_longest_first(n, most);
            pb_encoded *f = encode(d, m, &p, (int)most);
            char *got = read_back(f, m, &f->text[PB_TEST][0]);
            const char *head = "Classify the text into no or yes.\nText 1:";
            const char *rest = behind(m, got, head, tokens(m, head));
            rest = behind(m, rest, one, n[0]);
            rest = behind(m, rest, "\nText 2:", tokens(m, "\nText 2:"));
            CHECK_TEXT(behind(m, rest, two, n[1]), "\nClass:");
            CHECK_INT(f->cut[PB_TEST], !fits);
            free(one);
            free(two);
            free(got);
            pb_encoded_free(f);
            pb_data_free(d);
        }
    pb_model_free(m);
}

TEST(shots_and_content_free_inputs_show_both_texts)
{
    pb_model *m = pb_model_open(&(pb_opening){.path = DECODER});
    pb_data *d = sized(2, 2);
    const pb_prompting p = {.template = "", .chat = "none", .shots = 2, .calibrate = true};
    pb_encoded *f = encode(d, m, &p, 64);
    char *got = read_back(f, m, &f->text[PB_TEST][0]), *free_of_content = read_back(f, m, &f->content_free[0]);
    CHECK_INT(f->shots, 2);
    CHECK(strstr(got, "Text 1: a film\nText 2: good\nClass: yes\n\n") != NULL);
    CHECK(strstr(got, "Text 1: a plot\nText 2: bad\nClass: no\n\n") != NULL);
    CHECK(strstr(got, "Text 1: word0 word1\nText 2: term0 term1\nClass:") != NULL);
    CHECK(strstr(free_of_content, "Text 1: N/A\nText 2: N/A\nClass:") != NULL);
    free(got);
    free(free_of_content);
    pb_encoded_free(f);
    pb_data_free(d);
    pb_model_free(m);
}
