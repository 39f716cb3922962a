/* Classes of tokens against what transformers, PEFT and seqeval say (tests/golden/tags, made by
 * tests/parity/make_tags.py). */
#include "fixture.h"
#include "golden.h"

#include "base/json.h"
#include "train/encoded.h"
#include "train/runner.h"
#include "train/task.h"
#include "model/adapter.h"
#include "model/apply.h"
#include "tokenizer/tokenizer.h"

#define TAGS "tests/golden/tags"

/* ---- lines of a .jsonl ------------------------------------------------------------------------------- */

typedef void check_line(void *ctx, const pb_json *line);

static void each_line(const char *path, check_line *check, void *ctx)
{
    char *text = pb_read_file(path, NULL), *rest = text, *line;
    if (!text)
        PB_BUG("%s", pb_error_text());
    while ((line = strsep(&rest, "\n")))
        if (*line) {
            pb_json_doc *doc = pb_json_parse(path, line, strlen(line));
            if (CHECK(doc != NULL))
                check(ctx, pb_json_root(doc));
            pb_json_free(doc);
        }
    free(text);
}

static bool are_numbers(const pb_json *list, const pb_ids *ids)
{
    bool same = pb_json_size(list) == ids->count;
    for (size_t i = 0; i < ids->count && same; i++)
        same = pb_json_integer(pb_json_at(list, i), -2) == ids->id[i];
    return same;
}

/* ---- words ------------------------------------------------------------------------------------------- */

typedef struct opened {
    char *folder;
    pb_tokenizer *tokenizer;
    int lines;
} opened;

static void check_words(void *ctx, const pb_json *line)
{
    opened *o = ctx;
    const char *folder = pb_json_text(pb_json_get(line, "tokenizer"), ""), *word[16];
    const pb_json *words = pb_json_get(line, "words");
    pb_ids ids = {0}, of = {0};
    if (!o->folder || strcmp(o->folder, folder) != 0) {
        free(o->folder);
        pb_tokenizer_close(o->tokenizer);
        o->folder = pb_strdup(folder);
        o->tokenizer = pb_tokenizer_open(folder);
    }
    int n = (int)pb_json_size(words);
    for (int i = 0; i < n; i++)
        word[i] = pb_json_text(pb_json_at(words, (size_t)i), "");
    CHECK_INT(pb_tokenizer_encode_split(o->tokenizer, word, n, true, &ids, &of), 0);
    if (!CHECK(are_numbers(pb_json_get(line, "ids"), &ids) && are_numbers(pb_json_get(line, "of"), &of)))
        printf("  %s: %s\n", folder, word[0]);
    pb_ids_free(&ids);
    pb_ids_free(&of);
    o->lines++;
}

TEST(words_have_the_ids_that_transformers_gives_them)
{
    opened o = {.folder = NULL};
    each_line(TAGS "/words.jsonl", check_words, &o);
    CHECK_INT(o.lines, 70);
    free(o.folder);
    pb_tokenizer_close(o.tokenizer);
}

/* ---- logits ------------------------------------------------------------------------------------------ */

typedef struct comparison {
    pb_apply *apply;
    double worst;
    int lines;
} comparison;

static void compare_logits(void *ctx, const pb_json *line)
{
    comparison *c = ctx;
    const pb_json *list = pb_json_get(line, "ids"), *rows = pb_json_get(line, "logits");
    pb_ids ids = {0};
    for (size_t i = 0; i < pb_json_size(list); i++)
        pb_ids_add(&ids, (int)pb_json_integer(pb_json_at(list, i), -1));
    const int offset[] = {0, (int)ids.count};
    const pb_node *n = pb_apply_run(c->apply, &(pb_batch){.sequences = 1, .offset = offset, .ids = ids.id});
    if (CHECK(n && n->rows == (int)ids.count && pb_json_size(rows) == ids.count))
        for (int i = 0; i < n->rows * n->cols; i++) {
            const pb_json *row = pb_json_at(rows, (size_t)(i / n->cols));
            double want = pb_json_number(pb_json_at(row, (size_t)(i % n->cols)), NAN);
            c->worst = fmax(c->worst, fabs(want - (double)n->x[i]));
        }
    pb_ids_free(&ids);
    c->lines++;
}

/* `adapter` may be NULL. */
static void check_logits(const char *folder, const char *adapter)
{
    char *dir = adapter ? pb_format("%s/%s", folder, adapter) : pb_strdup(folder);
    char *lines = pb_format("%s/logits.jsonl", dir);
    pb_adapter *a = adapter ? pb_adapter_open(dir) : NULL;
    CHECK(!adapter || (a && pb_adapter_tokens(a)));
    pb_model *m = pb_model_open(
        &(pb_opening){.path = folder, .classes = a ? pb_adapter_classes(a) : 0, .tokens = a && pb_adapter_tokens(a)});
    CHECK(m && !(a ? pb_adapter_attach(m, a, false) : pb_model_attach(m, NULL, 0)));
    CHECK_INT(pb_model_head(m), PB_HEAD_TOKENS);
    comparison c = {.apply = pb_apply_new(m)};
    each_line(lines, compare_logits, &c);
    CHECK_INT(c.lines, 4);
    if (!CHECK(c.worst < 1e-5))
        printf("  %s: %g\n", dir, c.worst);
    pb_apply_free(c.apply);
    pb_model_free(m);
    pb_adapter_close(a);
    free(lines);
    free(dir);
}

TEST(token_classifiers_are_those_of_transformers)
{
    check_logits(TAGS "/bert-tokens", NULL);
    check_logits(TAGS "/gpt2-tokens", NULL);
    check_logits(TAGS "/llama-tokens", NULL);
}

TEST(adapters_of_token_classifiers_are_those_of_peft)
{
    check_logits(TAGS "/bert-tokens", "lora");
    check_logits(TAGS "/bert-tokens", "prompt");
    check_logits(TAGS "/gpt2-tokens", "ia3");
    check_logits(TAGS "/llama-tokens", "prefix");
}

TEST(an_adapter_for_tokens_does_not_change_a_classifier_of_texts)
{
    pb_adapter *a = pb_adapter_open(TAGS "/bert-tokens/lora");
    pb_model *m = pb_model_open(&(pb_opening){.path = TAGS "/bert-tokens", .classes = 3});
    CHECK(m && pb_adapter_attach(m, a, false) == -1);
    CHECK(strstr(pb_error_text(), "the adapter is for tokens (TOKEN_CLS), and the head of " TAGS
                                  "/bert-tokens for something else") != NULL);
    pb_error_clear();
    pb_model_free(m);
    pb_adapter_close(a);
}

/* ---- metrics ----------------------------------------------------------------------------------------- */

/* Adds the sequences of tags of one line to the test split, and predicts those beside them. */
static void compare_metrics(void *ctx, const pb_json *line)
{
    const pb_task *task = pb_task_find("tag");
    const pb_json *gold = pb_json_get(line, "gold"), *guess = pb_json_get(line, "predicted");
    pb_data *d = pb_data_new("golden");
    int n = (int)pb_json_size(gold);
    pb_prediction *p = pb_alloc((size_t)n * sizeof *p);
    double value[8];
    for (int i = 0; i < n; i++) {
        char *tags = (char *)(uintptr_t)pb_json_text(pb_json_at(gold, (size_t)i), "");
        pb_data_add_example(d, PB_TEST, &(pb_example){.text = "", .label = -1, .answer = &tags, .answers = 1});
        p[i].text = (char *)(uintptr_t)pb_json_text(pb_json_at(guess, (size_t)i), "");
    }
    task->score(d, PB_TEST, p, value, NULL);
    for (int m = 0; task->metrics[m].name; m++)
        if (!CHECK_NEAR(value[m], pb_json_number(pb_json_get(line, task->metrics[m].name), NAN), 1e-12))
            printf("  %s, line %d\n", task->metrics[m].name, *(int *)ctx + 1);
    free(p);
    pb_data_free(d);
    ++*(int *)ctx;
}

TEST(entities_are_scored_as_by_seqeval)
{
    int lines = 0;
    each_line(TAGS "/seqeval.jsonl", compare_metrics, &lines);
    CHECK_INT(lines, 16);
}

/* ---- inputs ------------------------------------------------------------------------------------------ */

static const char *const words[] = {"unlovable", "film", "\u200d", "never"};

static void check_inputs(const char *folder, int limit, const char *want)
{
    pb_model *m = pb_model_open(&(pb_opening){.path = folder, .classes = 2, .tokens = true});
    pb_ids ids = {0}, of = {0};
    pb_text got = {0};
    int length;
    CHECK_INT(pb_encoded_words(m, words, 4, limit, &ids, &of, &length), 0);
    for (size_t i = 0; i < ids.count; i++)
        pb_text_add(&got, "%s%s/%d", i ? " " : "", pb_tokenizer_token(pb_model_tokenizer(m), ids.id[i]), of.id[i]);
    CHECK_TEXT(got.data, want);
    pb_text_free(&got);
    pb_ids_free(&ids);
    pb_ids_free(&of);
    pb_model_free(m);
}

TEST(an_encoder_reads_the_first_token_of_a_word_and_loses_whole_words)
{
    check_inputs("tests/golden/tiny-bert", 0,
                 "[CLS]/-1 u/0 ##n/-1 ##l/-1 ##o/-1 ##v/-1 ##able/-1 film/1 never/3 [SEP]/-1"); /* none for a joiner */
    check_inputs("tests/golden/tiny-bert", 9, "[CLS]/-1 u/0 ##n/-1 ##l/-1 ##o/-1 ##v/-1 ##able/-1 film/1 [SEP]/-1");
    check_inputs("tests/golden/tiny-bert", 7, "[CLS]/-1 [SEP]/-1"); /* no part of a word */
}

TEST(a_decoder_reads_the_last_token_of_a_word)
{
    check_inputs("models/pico-decoder", 0, "Ġun/-1 lo/-1 vable/0 Ġfilm/1 Ġ/-1 â/-1 Ģ/-1 į/2 Ġnever/3");
}

/* ---- features ---------------------------------------------------------------------------------------- */

/* Three sentences of one, four and two words in each split. */
static pb_data *sentences(void)
{
    static const int tag[] = {0, 1, 0, 1};
    pb_data *d = pb_data_new("toy");
    d->answer_kind = PB_ANSWER_TAGS;
    pb_data_class(d, "O");
    pb_data_class(d, "B-X");
    for (int s = 0; s < PB_SPLITS; s++) {
        pb_data_add_sentence(d, (pb_split)s, 1, words + 1, tag, 1);
        pb_data_add_sentence(d, (pb_split)s, 4, words, tag, 2);
        pb_data_add_sentence(d, (pb_split)s, 2, words, tag, 3);
    }
    return d;
}

/* Copies the logits [count] of sentences 2 and 1. */
static double *logits_of(pb_runner *r, int *count)
{
    const int item[] = {2, 1};
    CHECK_INT(pb_runner_run(r, &(pb_runner_batch){.split = PB_TRAIN, .item = item, .count = 2}), 0);
    const pb_node *n = pb_graph_output(r->graph);
    double *x = pb_alloc((size_t)(n->rows * n->cols) * sizeof *x);
    *count = n->rows * n->cols;
    for (int i = 0; i < *count; i++)
        x[i] = (double)n->x[i];
    return x;
}

TEST(each_word_has_a_row_of_features_and_of_logits)
{
    pb_data *d = sentences();
    pb_model *m = pb_model_open(&(pb_opening){.path = TINY, .classes = 2, .tokens = true});
    CHECK(m && !pb_model_attach(m, NULL, 0));
    pb_encoded *set = pb_encoded_new(d, m, &(pb_encoding){.max_tokens = 64});
    CHECK(set != NULL);
    CHECK_INT(set->lost[PB_TRAIN], 1);
    pb_runner kept = pb_runner_start(m, set, true), plain = pb_runner_start(m, set, false);
    CHECK_INT(kept.feature_size, 16);
    CHECK_INT((int)pb_runner_feature_bytes(&kept, PB_TRAIN), (int)pb_arena_size((1 + 3 + 2) * 16 * sizeof(pb_real)));
    pb_arena *arena = pb_arena_new("features");
    CHECK_INT(pb_runner_features(&kept, PB_TRAIN, 2, arena, NULL), 0);
    int n, k;
    double *a = logits_of(&kept, &n), *b = logits_of(&plain, &k);
    CHECK_INT(n, (2 + 3) * 2); /* the joiner has no row */
    CHECK_INT(n, k);
    for (int i = 0; i < n; i++)
        CHECK(fabs(a[i] - b[i]) < 1e-6);
    free(a);
    free(b);
    pb_arena_free(arena);
    pb_runner_stop(&kept);
    pb_runner_stop(&plain);
    pb_encoded_free(set);
    pb_model_free(m);
    pb_data_free(d);
}

TEST(words_count_for_the_digest_and_the_classes)
{
    pb_data *d = sentences(), *e = sentences();
    static const int tag[] = {0, 0};
    const char *const one[] = {"a b", "c"}, *const other[] = {"a", "b c"};
    pb_data_add_sentence(d, PB_TEST, 2, one, tag, 4);
    pb_data_add_sentence(e, PB_TEST, 2, other, tag, 4);
    pb_data_check(d); /* sets the digest, whatever it says of the overlap */
    pb_data_check(e);
    pb_error_clear();
    CHECK(strcmp(d->digest.hex, e->digest.hex) != 0);
    int *count = pb_data_count_classes(d, PB_TEST);
    CHECK_INT(count[0], 1 + 2 + 1 + 2);
    CHECK_INT(count[1], 2 + 1);
    free(count);
    pb_data_free(d);
    pb_data_free(e);
}
