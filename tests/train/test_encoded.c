/* Encoded data sets: templates, truncation, few-shot examples, and answers by verbalizer and by generation. */
#include "fixture.h"

#include "model/apply.h"
#include "train/encoded.h"
#include "train/score.h"
#include "train/template.h"

#define DECODER "models/pico-decoder"

/* ---- templates ------------------------------------------------------------------------------------------------ */

static bool slice_is(pb_slice s, const char *want)
{
    return (size_t)s.size == strlen(want) && !memcmp(s.at, want, strlen(want));
}

TEST(a_template_falls_into_its_pieces)
{
    pb_template t;
    if (!CHECK(!pb_template_parse("t", "Say what it is.\nText: {text} !\nClass: {label}.\n\n", NULL, &t)))
        return;
    CHECK(slice_is(t.once, "Say what it is.\n"));
    CHECK(slice_is(t.before, "Text: "));
    CHECK(slice_is(t.middle, " !\nClass:"));
    CHECK(slice_is(t.lead, " "));
    CHECK(slice_is(t.after, "."));
    pb_text out = {0};
    pb_template_write(&t, PB_TO_ANSWER, "a", NULL, NULL, &out);
    CHECK_TEXT(out.data, "Text: a !\nClass:");
    pb_text_free(&out);
    pb_template_write(&t, PB_WITH_ANSWER, "a", NULL, "b", &out);
    CHECK_TEXT(out.data, "Text: a !\nClass: b.");
    pb_text_free(&out);
}

static void refused(const char *text, const char *why)
{
    pb_template t;
    pb_error_clear();
    CHECK(pb_template_parse("t", text, NULL, &t) < 0);
    if (!strstr(pb_error_text(), why))
        CHECK_TEXT(pb_error_text(), why);
    pb_error_clear();
}

TEST(a_wrong_template_is_refused_with_its_line)
{
    refused("a\nb", "t:2: no {text}");
    refused("{text}\n", "t:2: no {label}");
    refused("{label}\n\n{text}", "t:1: {label} stands before {text}");
    refused("{text} {label}\n{text}", "t:2: {text} a second time");
}

/* ---- inputs --------------------------------------------------------------------------------------------------- */

static pb_data *reviews(int train)
{
    static const char *const text[] = {"a fine film", "dull and long", "it opens at nine", "I loved it", "never again"};
    static const int label[] = {1, 0, 2, 1, 0};
    pb_data *d = pb_data_new("reviews");
    pb_data_class(d, "negative");
    pb_data_class(d, "positive");
    pb_data_class(d, "neutral");
    for (int s = 0; s < PB_SPLITS; s++)
        for (int i = 0; i < (s == PB_TRAIN ? train : 7); i++) {
            char *one = pb_format("%s, number %d of split %d", text[i % 5], i, s);
            pb_data_add(d, (pb_split)s, one, label[i % 5], i + 1);
            free(one);
        }
    return d;
}

/* With a method, or "": without; `part` is the caller's, see release. */
static pb_model *decoder_with(const char *spec, pb_attached *part)
{
    char *copy = pb_strdup(spec);
    pb_model *m = pb_model_open(&(pb_opening){.path = DECODER, .seed = 1});
    if (*spec)
        fixture_method(part, copy);
    free(copy);
    if (!m || pb_model_attach(m, part, *spec != 0))
        PB_BUG("%s", pb_error_text());
    return m;
}

static pb_model *decoder(void)
{
    return decoder_with("", NULL);
}

static void release(pb_attached *part)
{
    if (!part->method)
        return;
    void *conf = (void *)(uintptr_t)part->conf;
    pb_option_release(part->method->settings.options, conf);
    free(conf);
}

static pb_encoded *encode(const pb_data *d, const pb_model *m, const pb_prompting *p, const pb_decoding *how)
{
    pb_encoded *f = pb_encoded_new(d, m, &(pb_encoding){p, 64, how, 3});
    if (!f)
        PB_BUG("%s", pb_error_text());
    return f;
}

static char *read_back(const pb_encoded *f, const pb_model *m, const pb_ids *behind)
{
    pb_text t = {0};
    pb_tokenizer_decode(pb_model_tokenizer(m), f->prefix.id, f->prefix.count, true, &t);
    pb_tokenizer_decode(pb_model_tokenizer(m), behind->id, behind->count, true, &t);
    return t.data;
}

/* train.examples: those of a smaller number are among those of a larger one, and another seed draws others. */
TEST(a_part_of_the_training_examples)
{
    pb_data *d = reviews(40);
    pb_model *m = decoder();
    const pb_encoding few = {.max_tokens = 64, .seed = 3, .examples = 5},
                      more = {.max_tokens = 64, .seed = 3, .examples = 9};
    const pb_encoding other = {.max_tokens = 64, .seed = 4, .examples = 5};
    pb_encoded *a = pb_encoded_new(d, m, &few);
    pb_encoded *b = pb_encoded_new(d, m, &more);
    pb_encoded *c = pb_encoded_new(d, m, &other);
    int shared = 0, same = 0;
    CHECK(a->items[PB_TRAIN] == 5 && b->items[PB_TRAIN] == 9 && a->items[PB_TEST] == 7);
    for (int i = 0; i < 5; i++) {
        const char *text = a->data->split[PB_TRAIN].example[i].text;
        for (int k = 0; k < 9; k++)
            shared += text == b->data->split[PB_TRAIN].example[k].text;
        for (int k = 0; k < 5; k++)
            same += text == c->data->split[PB_TRAIN].example[k].text;
    }
    CHECK(shared == 5 && same < 5);
    pb_encoded_free(a);
    pb_encoded_free(b);
    pb_encoded_free(c);
    pb_model_free(m);
    pb_data_free(d);
}

TEST(prompt_and_text_are_the_template_filled_in)
{
    pb_data *d = reviews(9);
    pb_model *m = decoder();
    const pb_prompting p = {.template = "", .chat = "none"};
    pb_encoded *f = encode(d, m, &p, NULL);
    char *text = read_back(f, m, &f->text[PB_TEST][1]);
    CHECK_TEXT(text, "Classify the text into negative, positive or neutral.\n"
                     "Text: dull and long, number 1 of split 2\nClass:");
    free(text);
    text = read_back(f, m, &f->content_free[0]);
    CHECK_TEXT(text, "Classify the text into negative, positive or neutral.\nText: N/A\nClass:");
    free(text);
    CHECK(f->prefix.count > 8);
    pb_encoded_free(f);
    pb_model_free(m);
    pb_data_free(d);
}

/* ---- truncation ----------------------------------------------------------------------------------------------- */

/* A data set with one text in all places but the first of train, which is short. */
static pb_data *one_text(const char *text)
{
    pb_data *d = pb_data_new("one text");
    pb_data_class(d, "no");
    pb_data_class(d, "yes");
    pb_data_add(d, PB_TRAIN, "good", 1, 1);
    for (int s = 0; s < PB_SPLITS; s++)
        pb_data_add(d, (pb_split)s, text, 0, 2);
    return d;
}

static char *long_text(int words)
{
    pb_text t = {0};
    for (int i = 0; i < words; i++)
        pb_text_add(&t, "%sword%d", i ? " " : "", i % 10);
    pb_text_add(&t, "%s", ".");
    return t.data;
}

/* prefix + text = the first `start` ids of whole, and its last ones. */
static bool is_cut(const pb_encoded *f, const pb_ids *text, const pb_ids *whole, size_t start)
{
    size_t n = f->prefix.count + text->count, gap = whole->count - n;
    bool same = n <= whole->count && start <= n;
    for (size_t i = 0; same && i < n; i++) {
        int id = i < f->prefix.count ? f->prefix.id[i] : text->id[i - f->prefix.count];
        same = id == whole->id[i < start ? i : i + gap];
    }
    return same;
}

/* The text ends like an input without text. */
TEST(a_head_reads_the_first_tokens_between_the_special_tokens)
{
    char *start = long_text(200), *text = pb_format("%s [CLS]", start);
    pb_data *d = one_text(text);
    pb_model *m = pb_model_open(&(pb_opening){.path = "models/pico-encoder", .classes = 2, .seed = 1});
    const pb_tokenizer *t = pb_model_tokenizer(m);
    for (int most = 3; most <= 24; most += 7) {
        pb_encoded *f = pb_encoded_new(d, m, &(pb_encoding){.max_tokens = most});
        pb_ids want = {0}, good = {0}, *got = &f->text[PB_TEST][0];
        CHECK(!pb_tokenizer_encode(t, text, strlen(text), true, most, &want));
        CHECK(!pb_tokenizer_encode(t, "good", 4, true, 0, &good));
        CHECK_INT(got->count, most);
        CHECK(!memcmp(got->id, want.id, want.count * sizeof *want.id));
        CHECK_INT(got->id[most - 1], pb_tokenizer_id(t, "[SEP]"));
        CHECK(f->text[PB_TRAIN][0].count == (good.count < (size_t)most ? good.count : (size_t)most));
        pb_ids_free(&want);
        pb_ids_free(&good);
        pb_encoded_free(f);
    }
    pb_model_free(m);
    pb_data_free(d);
    free(start);
    free(text);
}

TEST(a_decoder_reads_the_first_tokens_of_a_text_within_the_whole_template)
{
    const char *const head = "Classify the text into no or yes.\nText: ", *const rest = "\nClass:";
    pb_model *m = decoder();
    const pb_tokenizer *t = pb_model_tokenizer(m);
    for (int words = 30; words <= 3000; words *= 10) { /* longer than max_tokens, and longer than the model's context */
        char *text = long_text(words), *filled = pb_format("%s%s%s", head, text, rest);
        pb_data *d = one_text(text);
        pb_ids whole = {0}, before = {0}, behind = {0};
        CHECK(!pb_tokenizer_encode(t, filled, strlen(filled), true, 0, &whole));
        CHECK(!pb_tokenizer_encode(t, head, strlen(head) - 1, true, 0, &before));
        CHECK(!pb_tokenizer_encode(t, rest, strlen(rest), false, 0, &behind));
        const pb_prompting p = {.template = "", .chat = "none"};
        const int most[] = {1, 8, 20, 1000000};
        for (size_t k = 0; k < PB_COUNT(most); k++) {
            pb_encoded *f = pb_encoded_new(d, m, &(pb_encoding){&p, most[k], NULL, 0});
            const pb_ids *got = &f->text[PB_TEST][0];
            size_t room = (size_t)pb_model_max_tokens(m), answer = 0, n = f->prefix.count + got->count;
            for (int c = 0; c < 2; c++)
                answer = f->verbalizer[c].count > answer ? f->verbalizer[c].count : answer;
            size_t want = before.count + (size_t)most[k] + behind.count;
            want = want < whole.count ? want : whole.count;
            CHECK_INT(n, want < room - answer ? want : room - answer);
            CHECK(is_cut(f, got, &whole, n - behind.count));
            pb_encoded_free(f);
        }
        pb_ids_free(&whole);
        pb_ids_free(&before);
        pb_ids_free(&behind);
        pb_data_free(d);
        free(text);
        free(filled);
    }
    pb_model_free(m);
}

TEST(a_demonstration_is_never_truncated)
{
    char *text = long_text(60);
    pb_data *d = one_text(text);
    pb_model *m = decoder();
    const pb_prompting p = {.template = "", .chat = "none", .shots = 2};
    pb_encoded *f = pb_encoded_new(d, m, &(pb_encoding){&p, 12, NULL, 3});
    char *shown = read_back(f, m, &f->text[PB_TEST][0]);
    CHECK_INT(f->shots, 1);
    CHECK_INT(f->shots_dropped, 1);
    CHECK(strstr(shown, "Text: good\nClass: yes\n\nText: word0 word1") != NULL);
    free(shown);
    pb_encoded_free(f);
    pb_model_free(m);
    pb_data_free(d);
    free(text);
}

static int count_of(const char *text, const char *word)
{
    int n = 0;
    for (; (text = strstr(text, word)); text += strlen(word))
        n++;
    return n;
}

TEST(shots_are_balanced_drawn_by_the_seed_and_dropped_where_they_do_not_fit)
{
    pb_data *d = reviews(60);
    pb_model *m = decoder();
    pb_encoded *few = encode(d, m, &(pb_prompting){.template = "", .chat = "none", .shots = 6}, NULL);
    char *text = read_back(few, m, &few->text[PB_TEST][0]);
    CHECK_INT(few->shots, 6);
    CHECK_INT(few->shots_dropped, 0);
    CHECK_INT(count_of(text, "Class: negative\n\n"), 2);
    CHECK_INT(count_of(text, "Class: positive\n\n"), 2);
    CHECK_INT(count_of(text, "Class: neutral\n\n"), 2);
    CHECK_INT(count_of(text, "split 0"), 6);
    free(text);
    pb_encoded *many = encode(d, m, &(pb_prompting){.template = "", .chat = "none", .shots = 60}, NULL);
    CHECK(many->shots > 6 && many->shots_dropped == 60 - many->shots);
    for (int i = 0; i < many->items[PB_TEST]; i++)
        CHECK(pb_encoded_tokens(many, PB_TEST, i) <= pb_model_max_tokens(m));
    pb_encoded_free(few);
    pb_encoded_free(many);
    pb_model_free(m);
    pb_data_free(d);
}

TEST(a_cached_prefix_gives_the_same_answers)
{
    const char *const spec[] = {"", "lora", "prefix", "prompt", "bitfit"};
    pb_data *d = reviews(30);
    for (size_t i = 0; i < PB_COUNT(spec); i++) {
        pb_attached part = {NULL, NULL};
        pb_model *m = decoder_with(spec[i], &part);
        const pb_prompting p = {.template = "", .chat = "none", .shots = 4, .normalize = true, .calibrate = i % 2};
        pb_encoded *whole = encode(d, m, &p, NULL), *cached = encode(d, m, &p, NULL);
        pb_prediction a[7], b[7];
        CHECK(!pb_predict(m, whole, PB_TEST, 3, a));
        CHECK(!pb_encoded_cache_prefix(cached, m));
        CHECK(!pb_predict(m, cached, PB_TEST, 4, b));
        for (int k = 0; k < 7; k++) {
            CHECK_INT(a[k].predicted, b[k].predicted);
            CHECK_NEAR((double)a[k].probability, (double)b[k].probability, 1e-4);
        }
        pb_encoded_free(whole);
        pb_encoded_free(cached);
        pb_model_free(m);
        release(&part);
    }
    pb_data_free(d);
}

/* log P(word | prompt, text), from the logits of the whole written out. */
static double score_of(pb_model *m, const pb_encoded *f, const pb_ids *text, const pb_ids *word)
{
    const pb_ids *part[] = {&f->prefix, text, word};
    pb_ids all = {0};
    for (size_t i = 0; i < PB_COUNT(part); i++)
        for (size_t k = 0; k < part[i]->count; k++)
            pb_ids_add(&all, part[i]->id[k]);
    const int offset[] = {0, (int)all.count};
    pb_apply *a = pb_apply_new(m);
    const pb_node *logits = pb_apply_run(a, &(pb_batch){.sequences = 1, .offset = offset, .ids = all.id});
    double sum = 0;
    for (size_t k = 0; logits && k < word->count; k++)
        sum += pb_log_probability(logits, (int)(all.count - word->count + k) - 1, word->id[k]);
    pb_apply_free(a);
    pb_ids_free(&all);
    return sum;
}

TEST(verbalizers_of_many_tokens_are_scored_token_by_token)
{
    pb_data *d = reviews(6);
    pb_model *m = decoder();
    free(d->class_name[2]);
    d->class_name[2] = pb_strdup("indifferent, if anything");
    for (int normalize = 0; normalize < 2; normalize++) {
        pb_encoded *f = encode(d, m, &(pb_prompting){.template = "", .chat = "none", .normalize = normalize}, NULL);
        CHECK(!f->single_token && f->verbalizer[2].count > 2);
        pb_runner r = pb_runner_start(m, f, false);
        const int item[] = {4, 2};
        double score[2 * 3];
        CHECK(!pb_runner_run(&r, &(pb_runner_batch){.split = PB_TEST, .item = item, .count = 2}));
        pb_encoded_scores(f, pb_graph_output(r.graph), 2, score);
        for (int i = 0; i < 2; i++)
            for (int c = 0; c < 3; c++) {
                double want = score_of(m, f, &f->text[PB_TEST][item[i]], &f->verbalizer[c]);
                CHECK_NEAR(score[i * 3 + c], normalize ? want / (double)f->verbalizer[c].count : want, 1e-4);
            }
        pb_runner_stop(&r);
        pb_encoded_free(f);
    }
    pb_model_free(m);
    pb_data_free(d);
}

TEST(answers_are_learned_with_the_end_and_items_are_pairs)
{
    pb_data *d = pb_data_new("facts");
    for (int s = 0; s < PB_SPLITS; s++)
        for (int i = 0; i < 6; i++) {
            char *mr = pb_format("name[N%d%d]", s, i / 2),
                 *ref = pb_format("This is N%d%d, said %d times.", s, i / 2, i);
            pb_data_add_answer(d, (pb_split)s, mr, ref, i + 1);
            free(mr);
            free(ref);
        }
    pb_data_group(d);
    CHECK_INT(d->split[PB_TRAIN].count, 3);
    CHECK_INT(d->split[PB_TRAIN].example[1].answers, 2);
    CHECK(!pb_data_check(d));
    pb_model *m = decoder();
    pb_decoding how;
    pb_option_defaults(pb_decode_table, &how);
    how.max_new = 8;
    pb_encoded *f = encode(d, m, NULL, &how);
    CHECK_INT(f->items[PB_VALIDATION], 6);
    const pb_ids *answer = &f->answer[PB_TRAIN][3];
    CHECK(pb_model_ends(m, answer->id[answer->count - 1]));
    char *text = read_back(f, m, answer);
    CHECK(strstr(text, "This is N01, said 3 times.") != NULL);
    free(text);
    pb_prediction said[3];
    CHECK(!pb_predict(m, f, PB_TEST, 2, said));
    for (int i = 0; i < 3; i++) {
        CHECK(said[i].text != NULL);
        free(said[i].text);
    }
    pb_option_release(pb_decode_table, &how);
    pb_encoded_free(f);
    pb_model_free(m);
    pb_data_free(d);
}
