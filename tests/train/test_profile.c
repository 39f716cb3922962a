/* Profiles of data: ranks, histograms, equal texts, and the lengths and cuts of encoded texts. */
#include "fixture.h"

#include "train/encoded.h"
#include "train/profile.h"

/* The smallest length that at least a share of the lengths does not exceed. */
TEST(ranks_are_the_nearest)
{
    int length[40];
    for (int i = 0; i < 40; i++)
        length[i] = 40 - i;
    for (int n = 1; n <= 40; n++) {
        pb_lengths l = pb_lengths_of(n, length + 40 - n); /* n .. 1 */
        for (int percent = 0; percent <= 100; percent += 5) {
            int k = 1; /* by counting: k of n lengths are at most k */
            while (100 * k < percent * n)
                k++;
            CHECK_INT(l.sorted[pb_lengths_rank(&l, percent / 100.0)], k);
        }
        CHECK_INT(l.position[0], n - 1);
        pb_lengths_free(&l);
    }
}

TEST(equal_lengths_stay_in_order)
{
    pb_lengths l = pb_lengths_of(5, (const int[]){7, 3, 7, 3, 7});
    static const int position[] = {1, 3, 0, 2, 4};
    CHECK(!memcmp(l.position, position, sizeof position));
    pb_lengths_free(&l);
}

TEST(words_are_what_white_space_separates)
{
    CHECK_INT(pb_count_words(""), 0);
    CHECK_INT(pb_count_words(" \t\n"), 0);
    CHECK_INT(pb_count_words("one"), 1);
    CHECK_INT(pb_count_words("  it's a\tnew\r\nday . "), 5);
}

/* Every length is in one bin, its own unless that is behind the last one, and the last bin has at most 5 % where it is
 * open. */
TEST(a_histogram_has_every_length_once)
{
    pb_rng r = pb_rng_named(1, "lengths");
    for (int trial = 0; trial < 300; trial++) {
        int n = 1 + (int)pb_rng_below(&r, 300), length[300];
        for (int i = 0; i < n; i++)
            length[i] = (int)pb_rng_below(&r, 1 + pb_rng_below(&r, 1 << (trial % 20)));
        pb_lengths l = pb_lengths_of(n, length);
        pb_histogram h = pb_histogram_of(&l);
        CHECK(h.bins >= 1 && h.bins <= PB_MOST_BINS && h.from <= l.sorted[0] && h.from % h.width == 0);
        for (int b = 0; b < h.bins; b++) {
            int in = 0;
            for (int i = 0; i < n; i++)
                in += length[i] >= h.from + b * h.width && (b + 1 == h.bins || length[i] < h.from + (b + 1) * h.width);
            CHECK_INT(h.count[b], in);
        }
        if (h.from + h.bins * h.width <= l.sorted[n - 1])
            CHECK(20 * h.count[h.bins - 1] <= n);
        pb_lengths_free(&l);
    }
}

/* By counting each pair of examples. */
TEST(equal_texts_are_counted)
{
    pb_rng r = pb_rng_named(2, "texts");
    for (int trial = 0; trial < 100; trial++) {
        pb_data *d = pb_data_new("random");
        pb_data_class(d, "no");
        pb_data_class(d, "yes");
        for (int i = 0; i < 30; i++) {
            char text[] = {(char)('a' + pb_rng_below(&r, 3 + (uint32_t)trial / 2)), 0};
            pb_data_add(d, (pb_split)pb_rng_below(&r, 3), text, (int)pb_rng_below(&r, 2), i);
        }
        pb_profile p = pb_profile_of(d);
        for (int s = 0; s < PB_SPLITS; s++) {
            int within = 0, across = 0, later = 0, conflicts = 0;
            for (int i = 0; i < d->split[s].count; i++) {
                const pb_example *e = &d->split[s].example[i];
                bool again = false, other = false, after = false, differs = false;
                for (int t = 0; t < PB_SPLITS; t++)
                    for (int k = 0; k < d->split[t].count; k++) {
                        const pb_example *f = &d->split[t].example[k];
                        bool same = !strcmp(e->text, f->text);
                        again |= same && s == t && k < i;
                        other |= same && s != t;
                        after |= same && t > s;
                        differs |= same && e->label != f->label;
                    }
                within += again;
                across += other;
                later += after;
                conflicts += differs;
            }
            CHECK_INT(p.within.examples[s], within);
            CHECK_INT(p.across.examples[s], across);
            CHECK_INT(p.later[s], later);
            CHECK_INT(p.conflicts.examples[s], conflicts);
        }
        int before[PB_SPLITS];
        for (int s = 0; s < PB_SPLITS; s++)
            before[s] = d->split[s].count;
        pb_data_drop_overlap(d);
        for (int s = 0; s < PB_SPLITS; s++) {
            CHECK_INT(before[s] - d->split[s].count, p.later[s]);
            CHECK_INT(d->split[s].dropped, p.later[s]);
        }
        pb_profile_free(&p);
        pb_data_free(d);
    }
}

/* A pair counts as a whole. */
TEST(pairs_are_equal_if_both_texts_are)
{
    static const char *const pair[][2] = {{"a", "b"}, {"a", "c"}, {"b", "a"}, {"a", "b"}, {"ab", ""}, {"a", "b"}};
    pb_data *d = pb_data_new("pairs");
    for (int k = 0; k < 2; k++) {
        d->pair[k] = pb_strdup(k ? "second" : "first");
        pb_data_class(d, k ? "yes" : "no");
    }
    for (int i = 0; i < 6; i++)
        pb_data_add_example(d, i < 5 ? PB_TRAIN : PB_TEST,
                            &(pb_example){.text = pair[i][0], .second = pair[i][1], .label = i % 2, .line = i});
    pb_profile p = pb_profile_of(d);
    CHECK_INT(p.within.examples[PB_TRAIN], 1);
    CHECK_INT(p.within.texts, 1);
    CHECK_INT(p.later[PB_TRAIN], 2);
    CHECK_INT(p.across.examples[PB_TEST], 1);
    CHECK_INT(p.conflicts.examples[PB_TRAIN], 2);
    pb_profile_free(&p);
    pb_data_free(d);
}

/* ---- targets -------------------------------------------------------------------------------------------------- */

static pb_data *numbers(void)
{
    pb_data *d = pb_data_new("numbers");
    d->answer_kind = PB_ANSWER_NUMBER;
    pb_data_class(d, "score");
    return d;
}

static void add_number(pb_data *d, pb_split s, const char *text, const char *second, double target)
{
    pb_data_add_example(d, s, &(pb_example){.text = text, .second = second, .target = target});
}

static void check_targets(const pb_targets *t, int count, const double *want)
{
    CHECK_INT(t->count, count);
    for (int i = 0; i < PB_TARGET_STATS; i++)
        CHECK_NEAR(t->stat[i], want[i], 1e-15 * fabs(want[i]));
}

/* 1 .. 20 have the variance (20^2 - 1) / 12; equal numbers have none; and the squares of 1e308 are infinite. */
TEST(targets_have_quantiles_and_moments)
{
    static const double huge[] = {-1e308, 1e308, 1e308, -1e308};
    const double train[] = {1, 1, 10, 19, 20, 10.5, sqrt(399 / 12.0)}, equal[] = {0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0},
                 far[] = {-1e308, -1e308, -1e308, 1e308, 1e308, 0, 1e308};
    pb_data *d = numbers();
    for (int i = 0; i < 20; i++)
        add_number(d, PB_TRAIN, "a", NULL, 1 + i * 7 % 20);
    for (int i = 0; i < 3; i++)
        add_number(d, PB_VALIDATION, "b", NULL, 0.1);
    for (int i = 0; i < 4; i++)
        add_number(d, PB_TEST, "c", NULL, huge[i]);
    pb_profile p = pb_profile_of(d);
    check_targets(&p.target[PB_TRAIN], 20, train);
    check_targets(&p.target[PB_VALIDATION], 3, equal);
    check_targets(&p.target[PB_TEST], 4, far);
    pb_profile_free(&p);
    pb_data_clear(d, PB_TEST);
    p = pb_profile_of(d);
    CHECK_INT(p.target[PB_TEST].count, 0);
    pb_profile_free(&p);
    pb_data_free(d);
}

/* Targets differ within and across splits; numbers that are nearly equal differ. */
TEST(equal_texts_may_have_several_targets)
{
    pb_data *d = numbers();
    add_number(d, PB_TRAIN, "a", NULL, 1);
    add_number(d, PB_TRAIN, "a", NULL, 1);
    add_number(d, PB_TRAIN, "b", NULL, 2);
    add_number(d, PB_TRAIN, "b", NULL, 2 + 1e-15);
    add_number(d, PB_TRAIN, "c", NULL, 0);
    add_number(d, PB_VALIDATION, "a", NULL, 1);
    add_number(d, PB_TEST, "c", NULL, -1);
    pb_profile p = pb_profile_of(d);
    CHECK_INT(p.conflicts.texts, 2);
    CHECK_INT(p.conflicts.examples[PB_TRAIN], 3);
    CHECK_INT(p.conflicts.examples[PB_VALIDATION], 0);
    CHECK_INT(p.conflicts.examples[PB_TEST], 1);
    CHECK_INT(p.within.examples[PB_TRAIN], 2);
    pb_profile_free(&p);
    pb_data_free(d);
}

TEST(equal_pairs_may_have_several_targets)
{
    pb_data *d = numbers();
    for (int k = 0; k < 2; k++)
        d->pair[k] = pb_strdup(k ? "second" : "first");
    add_number(d, PB_TRAIN, "a", "b", 1);
    add_number(d, PB_TRAIN, "a", "c", 2);
    add_number(d, PB_TRAIN, "b", "a", 3);
    add_number(d, PB_TRAIN, "a", "c", 2);
    add_number(d, PB_TEST, "a", "b", 1.5);
    pb_profile p = pb_profile_of(d);
    CHECK_INT(p.conflicts.texts, 1);
    CHECK_INT(p.conflicts.examples[PB_TRAIN], 1);
    CHECK_INT(p.conflicts.examples[PB_TEST], 1);
    pb_profile_free(&p);
    pb_data_free(d);
}

/* Classes are no numbers. */
TEST(classes_have_no_targets)
{
    pb_data *d = pb_data_new("classes");
    pb_data_class(d, "no");
    pb_data_add(d, PB_TRAIN, "a", 0, 1);
    pb_profile p = pb_profile_of(d);
    CHECK_INT(p.target[PB_TRAIN].count, 0);
    pb_profile_free(&p);
    pb_data_free(d);
}

/* ---- encoded texts -------------------------------------------------------------------------------------------- */

static pb_data *long_texts(void)
{
    pb_data *d = pb_data_new("long");
    pb_data_class(d, "no");
    pb_data_class(d, "yes");
    for (int s = 0; s < PB_SPLITS; s++)
        for (int i = 0; i < 20; i++) {
            pb_text t = {0};
            for (int k = 0; k <= i; k++)
                pb_text_add(&t, "%sfilm", k ? " " : "");
            pb_data_add(d, (pb_split)s, t.data, i % 2, i + 1);
            pb_text_free(&t);
        }
    return d;
}

static pb_encoded *encode(const pb_data *d, const pb_model *m, const pb_prompting *p, int max_tokens)
{
    pb_encoded *set = pb_encoded_new(d, m, &(pb_encoding){p, max_tokens, NULL, 0, 0});
    if (!set)
        PB_BUG("%s", pb_error_text());
    return set;
}

/* "film" is one token of the tiny BERT, so text i has i + 1 tokens of its own, and [CLS] and [SEP]. */
TEST(lengths_by_head_have_the_special_tokens)
{
    pb_data *d = long_texts();
    pb_model *m = pb_model_open(&(pb_opening){.path = TINY, .classes = 2});
    for (int most = 4; most < 30; most++) {
        pb_encoded *set = encode(d, m, NULL, most);
        int cut = 0;
        for (int i = 0; i < 20; i++) {
            CHECK_INT(set->length[PB_TEST][i], i + 3);
            CHECK_INT(set->text[PB_TEST][i].count, i + 3 < most ? i + 3 : most);
            cut += i + 3 > most;
        }
        CHECK_INT(set->cut[PB_TEST], cut);
        CHECK_INT(set->cut[PB_TRAIN], cut);
        pb_encoded_free(set);
    }
    pb_model_free(m);
    pb_data_free(d);
}

/* In a template the length is that of the text alone, and few-shot examples do not change it. */
TEST(lengths_in_a_template_are_those_of_the_text)
{
    pb_data *d = long_texts();
    pb_model *m = pb_model_open(&(pb_opening){.path = "models/pico-decoder", .classes = 2});
    for (int shots = 0; shots < 3; shots += 2) {
        const pb_prompting p = {.template = "", .shots = shots, .chat = "none"};
        pb_encoded *all = encode(d, m, &p, 1000), *some = encode(d, m, &p, 8);
        size_t template = all->text[PB_TEST][0].count - (size_t)all->length[PB_TEST][0];
        int cut = 0;
        for (int i = 0; i < 20; i++) {
            int length = all->length[PB_TEST][i];
            CHECK_INT(length, i + all->length[PB_TEST][0]);
            CHECK_INT(some->length[PB_TEST][i], length);
            CHECK_INT(all->text[PB_TEST][i].count, template + (size_t)length);
            cut += length > 8;
        }
        CHECK_INT(all->cut[PB_TEST], 0);
        CHECK_INT(some->cut[PB_TEST], cut);
        CHECK(cut > 0);
        pb_encoded_free(all);
        pb_encoded_free(some);
    }
    pb_model_free(m);
    pb_data_free(d);
}
