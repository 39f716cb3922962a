/* Texts that are processed in pieces: cached prefix, KV caches, decoding. */
#include "fixture.h"

#include <unistd.h>

#include "util.h"

#include "base/json.h"
#include "model/decode_step.h"
#include "model/apply.h"
#include "model/decode.h"
#include "model/kv_cache.h"

#define FAMILIES "tests/golden/families"
#define NEAR 1e-4 /* relative to the largest logit */

/* ---- models ---------------------------------------------------------------------------------------------- */

/* A tiny decoder with the methods of a spec, everything that trains perturbed.  Returns false with an error if the
 * model refuses them. */
static bool try_decoder(fixture *r, const char *family, const char *spec, pb_precision precision)
{
    *r = (fixture){.arena = pb_arena_new("decode"), .executor = pb_executor_new()};
    char *path = pb_format(FAMILIES "/%s", family);
    bool parsed = !pb_attached_parse(spec, r->part, &r->parts);
    r->model = pb_model_open(&(pb_opening){.path = path, .base.precision = (int)precision});
    if (!parsed || !r->model)
        PB_BUG("%s", pb_error_text());
    free(path);
    if (pb_model_attach(r->model, r->part, r->parts))
        return false;
    fixture_stir(r, 0.05);
    return true;
}

static fixture open_decoder(const char *family, const char *spec, pb_precision precision)
{
    fixture r;
    if (!try_decoder(&r, family, spec, precision))
        PB_BUG("%s", pb_error_text());
    return r;
}

/* What the registry's presets do not reach: settings, compositions, precisions. */
static const struct {
    const char *family, *spec;
    pb_precision precision;
} decoders[] = {
    {"gpt2", "", PB_IN_FP32},
    {"llama-3", "", PB_IN_BF16},
    {"llama-3", "", PB_IN_INT8},
    {"gpt2", "", PB_IN_NF4},
    {"llama-3", "lora:targets=*", PB_IN_NF4},
    {"qwen3", "lora:dora=yes", PB_IN_FP32},
    {"gpt2", "prefix:length=2,mlp=yes,hidden=5", PB_IN_FP32},
    {"qwen3", "prompt:length=4", PB_IN_BF16},
    {"llama-3", "prompt:length=2+prefix:length=3+lora", PB_IN_FP32},
    {"gpt2", "prompt:length=2+lst:reduction=2", PB_IN_FP32},
    {"llama-3", "prompt:length=2+loreft:first=9,rank=2", PB_IN_FP32},
    {"gpt2", "unipelt:length=3,hidden=5", PB_IN_FP32},
    {"gpt2", "mora:rank=4", PB_IN_FP32},
    {"llama-3", "prefix:length=3,targets=1.attn", PB_IN_FP32},
    {"llama-3", "lst:reduction=2,targets=2.layer+prefix:length=3", PB_IN_BF16},
};

/* Methods whose defaults do not fit one of these models. */
static const struct {
    const char *family, *method, *why;
} refused[] = {
    {"gpt2", "mora", "mora: rank: want a matrix M of 1 to 20 columns, those of attn.qkv, got 24 of rank 8"},
    {"gpt2", "trainable-tokens", "trainable-tokens: this model predicts words by the table of word embeddings"},
};

/* A refusal is expected, and its message names the method. */
static void check_refusal(const char *family, const char *spec)
{
    bool expected = false;
    for (size_t i = 0; i < PB_COUNT(refused); i++)
        expected = expected || (!strcmp(family, refused[i].family) && !strcmp(spec, refused[i].method) &&
                                !strncmp(pb_error_text(), refused[i].why, strlen(refused[i].why)));
    if (!CHECK(expected))
        printf("    %s\n", pb_error_text());
    pb_error_clear();
}

static void try_on(const char *family, const char *spec, pb_precision precision, void (*check)(fixture *r))
{
    fixture r;
    int failures = test_state.failures;
    if (try_decoder(&r, family, spec, precision))
        check(&r);
    else
        check_refusal(family, spec);
    if (test_state.failures > failures)
        printf("    %s with '%s' in %s\n", family, spec, pb_precision_name[precision]);
    fixture_close(&r);
}

static void for_all(void (*check)(fixture *r))
{
    static const char *const families[] = {"gpt2", "llama-3", "qwen3"};
    for (size_t i = 0; i < PB_COUNT(decoders); i++)
        try_on(decoders[i].family, decoders[i].spec, decoders[i].precision, check);
    for (size_t f = 0; f < PB_COUNT(families); f++)
        for (const pb_method *const *m = pb_methods; *m; m++)
            try_on(families[f], (*m)->name, PB_IN_FP32, check);
}

/* ---- texts ----------------------------------------------------------------------------------------------- */

static const int text[] = {3, 17, 9, 30, 4, 4, 21, 8, 26, 11, 5, 19, 7, 7, 28, 13, 6, 22};
enum { TEXT = PB_COUNT(text), HELD = 7 };

/* Logits of `n` texts, all of them rows, copied as double.  ids: one text after the other. */
static double *logits_of(pb_model *m, int n, const int *offset, const int *ids)
{
    pb_apply *a = pb_apply_new(m);
    const pb_node *y = pb_apply_run(a, &(pb_batch){.sequences = n, .offset = offset, .ids = ids});
    if (!y)
        PB_BUG("%s", pb_error_text());
    double *out = pb_alloc((size_t)y->rows * (size_t)y->cols * sizeof *out);
    for (int i = 0; i < y->rows * y->cols; i++)
        out[i] = (double)y->x[i];
    pb_apply_free(a);
    return out;
}

static double apart(size_t n, const double *got, const double *want)
{
    double worst = 0, largest = 1e-30;
    for (size_t i = 0; i < n; i++) {
        worst = got[i] == got[i] ? fmax(worst, fabs(got[i] - want[i])) : (double)INFINITY;
        largest = fmax(largest, fabs(want[i]));
    }
    return worst / largest;
}

/* ---- a cached prefix ----------------------------------------------------------------------------------------- */

static void check_cached_prefix(fixture *r)
{
    pb_model *m = r->model;
    int whole[] = {0, TEXT}, apart_at[] = {0, TEXT - HELD, TEXT - HELD + 3}, most = pb_model_max_tokens(m);
    size_t vocab = (size_t)pb_model_outputs(m), rows = TEXT - HELD;
    int two[TEXT - HELD + 3];
    memcpy(two, text + HELD, sizeof text - HELD * sizeof *text);
    memcpy(two + rows, text + HELD, 3 * sizeof *two);
    double *want = logits_of(m, 1, whole, text);
    CHECK(!pb_model_cache_prefix(m, text, HELD));
    CHECK_INT(pb_model_max_tokens(m), most - HELD);
    double *got = logits_of(m, 2, apart_at, two); /* two texts behind one prompt */
    CHECK(apart(rows * vocab, got, want + HELD * vocab) < NEAR);
    CHECK(apart(3 * vocab, got + rows * vocab, want + HELD * vocab) < NEAR);
    pb_model_drop_prefix(m);
    double *again = logits_of(m, 1, whole, text);
    CHECK(pb_model_max_tokens(m) == most && !memcmp(again, want, TEXT * vocab * sizeof *want));
    free(again);
    free(got);
    free(want);
}

TEST(a_cached_prefix_precedes_every_text)
{
    for_all(check_cached_prefix);
}

TEST(a_prefix_that_cannot_be_cached)
{
    fixture r = open_decoder("llama-3", "prefix:length=3", PB_IN_FP32);
    int ids[64] = {0};
    CHECK(pb_model_cache_prefix(r.model, ids, 0) < 0);
    CHECK_TEXT(pb_error_text(), "a prefix of 0 tokens, want 1..60, so that a text can follow");
    pb_error_clear();
    CHECK(pb_model_cache_prefix(r.model, ids, 61) < 0);
    pb_error_clear();
    CHECK(!pb_model_cache_prefix(r.model, ids, 60) && pb_model_max_tokens(r.model) == 1);
    fixture_close(&r);
    fixture encoder = fixture_open("", 3, 1);
    CHECK(pb_model_cache_prefix(encoder.model, ids, 3) < 0);
    pb_error_clear();
    fixture_close(&encoder);
}

/* ---- token by token ---------------------------------------------------------------------------------------- */

/* Two texts through memories in pieces of different sizes, side by side, against both as a whole. */
static void check_pieces(fixture *r)
{
    static const int pieces[2][6] = {{5, 1, 1, 4, 1, 1}, {1, 1, 3, 1, 1, 1}};
    pb_model *m = r->model;
    size_t vocab = (size_t)pb_model_outputs(m);
    pb_decode_step *a = pb_decode_step_new(m);
    pb_kv_cache *cache[2];
    int whole[] = {0, TEXT}, at[2] = {0, 0};
    double *want = logits_of(m, 1, whole, text), *got = pb_alloc(vocab * sizeof *got);
    for (int s = 0; s < 2; s++)
        pb_kv_cache_begin(cache[s] = pb_kv_cache_new(m), NULL, TEXT);
    for (int turn = 0; turn < 6; turn++) {
        pb_decode_input inputs[2];
        for (int s = 0; s < 2; s++) {
            inputs[s] = (pb_decode_input){cache[s], text + at[s], pieces[s][turn]};
            at[s] += pieces[s][turn];
        }
        const pb_node *y = pb_decode_step_run(a, 2, inputs);
        for (int s = 0; s < 2; s++) {
            for (size_t i = 0; i < vocab; i++)
                got[i] = (double)y->x[(size_t)s * vocab + i];
            CHECK(apart(vocab, got, want + (size_t)(at[s] - 1) * vocab) < NEAR);
        }
    }
    for (int s = 0; s < 2; s++)
        pb_kv_cache_free(cache[s]);
    pb_decode_step_free(a);
    free(want);
    free(got);
}

TEST(a_text_in_pieces_has_the_logits_of_the_whole)
{
    for_all(check_pieces);
}

/* Prompts of many lengths: text[i .. i + length). */
enum { PROMPTS = 7, NEW = 9 };
static const int from[PROMPTS] = {0, 3, 5, 1, 9, 2, 7}, length[PROMPTS] = {1, 6, 2, 9, 1, 12, 4};

static void take_prompts(pb_ids *prompt)
{
    for (int p = 0; p < PROMPTS; p++) {
        prompt[p] = (pb_ids){0};
        for (int i = 0; i < length[p]; i++)
            pb_ids_add(&prompt[p], text[from[p] + i]);
    }
}

static void free_prompts(pb_ids *prompt)
{
    for (int p = 0; p < PROMPTS; p++)
        pb_ids_free(&prompt[p]);
}

static pb_decoding how_to(const char *settings)
{
    pb_decoding how;
    pb_option_defaults(pb_decode_table, &how);
    char *copy = pb_strdup(settings), *rest = copy;
    for (char *one; *settings && (one = strsep(&rest, " "));) {
        char *value = strchr(one, '=');
        *value++ = 0;
        if (pb_option_set(pb_decode_table, &how, one, value))
            PB_BUG("%s", pb_error_text());
    }
    free(copy);
    return how;
}

static bool decode(pb_model *m, const char *settings, int n, const pb_ids *prompt, pb_continuation *out)
{
    pb_decoding how = how_to(settings);
    int rc = pb_decode(m, &how, n, prompt, out);
    pb_option_release(pb_decode_table, &how);
    return rc == 0;
}

static void free_all(int n, pb_continuation *out)
{
    for (int i = 0; i < n; i++)
        pb_ids_free(&out[i].ids);
}

/* The likeliest token and its log-probability, the whole text read again. */
static int likeliest(pb_model *m, const pb_ids *ids, double *log_probability)
{
    int offset[] = {0, (int)ids->count}, n = pb_model_outputs(m), best = 0;
    double *y = logits_of(m, 1, offset, ids->id), *last = y + (ids->count - 1) * (size_t)n, sum = 0;
    for (int i = 1; i < n; i++)
        best = last[i] > last[best] ? i : best;
    for (int i = 0; i < n; i++)
        sum += exp(last[i] - last[best]);
    *log_probability = -log(sum);
    free(y);
    return best;
}

static void check_greedy(fixture *r)
{
    pb_ids prompt[PROMPTS];
    pb_continuation out[PROMPTS];
    take_prompts(prompt);
    if (!CHECK(decode(r->model, "max_new=9 slots=3", PROMPTS, prompt, out)))
        PB_BUG("%s", pb_error_text());
    for (int p = 0; p < PROMPTS; p++) {
        double sum = 0, one;
        pb_ending ending = PB_BY_LENGTH;
        pb_ids ids = {0};
        for (int i = 0; i < NEW && ending == PB_BY_LENGTH; i++) {
            int id = likeliest(r->model, &prompt[p], &one);
            sum += one;
            pb_ids_add(&prompt[p], id);
            pb_ids_add(&ids, id);
            ending = pb_model_ends(r->model, id) ? PB_BY_END : ending;
        }
        CHECK(ids.count == out[p].ids.count && !memcmp(ids.id, out[p].ids.id, ids.count * sizeof *ids.id));
        CHECK(out[p].ending == ending);
        CHECK_NEAR(out[p].log_probability, sum, 1e-3);
        pb_ids_free(&ids);
    }
    free_all(PROMPTS, out);
    free_prompts(prompt);
}

TEST(greedy_is_the_likeliest_token_of_the_whole_text_every_time)
{
    for_all(check_greedy);
}

/* The log-probability that the whole text gives to its last `added` tokens. */
static double score_of(pb_model *m, const pb_ids *ids, size_t added)
{
    int offset[] = {0, (int)ids->count}, n = pb_model_outputs(m);
    double *y = logits_of(m, 1, offset, ids->id), score = 0;
    for (size_t i = ids->count - added; i < ids->count; i++) {
        const double *row = y + (i - 1) * (size_t)n;
        double sum = 0;
        for (int k = 0; k < n; k++)
            sum += exp(row[k] - row[ids->id[i]]);
        score -= log(sum);
    }
    free(y);
    return score;
}

/* Beams share the cache of their prompt, and copy what follows it to each other. */
static void check_beams(fixture *r)
{
    pb_ids prompt[PROMPTS];
    pb_continuation out[PROMPTS];
    take_prompts(prompt);
    if (!CHECK(decode(r->model, "max_new=9 strategy=beam beams=3 slots=2", PROMPTS, prompt, out)))
        PB_BUG("%s", pb_error_text());
    for (int p = 0; p < PROMPTS; p++) {
        for (size_t i = 0; i < out[p].ids.count; i++)
            pb_ids_add(&prompt[p], out[p].ids.id[i]);
        CHECK_NEAR(out[p].log_probability, score_of(r->model, &prompt[p], out[p].ids.count), 1e-3);
    }
    free_all(PROMPTS, out);
    free_prompts(prompt);
}

TEST(a_beam_has_the_log_probability_of_the_whole_text)
{
    for_all(check_beams);
}

static void check_merged(fixture *r)
{
    if (!pb_model_can_merge(r->model))
        return;
    pb_ids prompt[PROMPTS];
    pb_continuation one[PROMPTS], two[PROMPTS];
    take_prompts(prompt);
    CHECK(decode(r->model, "max_new=9", PROMPTS, prompt, one));
    pb_model_merge(r->model);
    CHECK(decode(r->model, "max_new=9", PROMPTS, prompt, two));
    for (int p = 0; p < PROMPTS; p++)
        CHECK(one[p].ids.count == two[p].ids.count &&
              !memcmp(one[p].ids.id, two[p].ids.id, one[p].ids.count * sizeof(int)));
    free_all(PROMPTS, one);
    free_all(PROMPTS, two);
    free_prompts(prompt);
}

TEST(merged_decodes_as_unmerged)
{
    for_all(check_merged);
}

/* ---- as transformers does it (tests/parity/make_continuations.py) ------------------------------------------- */

static void check_line(pb_model *m, const pb_json *line)
{
    pb_ids prompt = {0};
    pb_continuation out;
    const pb_json *ids = pb_json_get(line, "ids"), *added = pb_json_get(line, "added");
    for (size_t i = 0; i < pb_json_size(ids); i++)
        pb_ids_add(&prompt, (int)pb_json_integer(pb_json_at(ids, i), -1));
    if (!CHECK(decode(m, pb_json_text(pb_json_get(line, "how"), ""), 1, &prompt, &out)))
        PB_BUG("%s", pb_error_text());
    CHECK_INT((long long)out.ids.count, (long long)pb_json_size(added));
    for (size_t i = 0; i < out.ids.count; i++)
        CHECK_INT(out.ids.id[i], pb_json_integer(pb_json_at(added, i), -1));
    if (pb_json_get(line, "score"))
        CHECK_NEAR(out.log_probability, pb_json_number(pb_json_get(line, "score"), NAN), 1e-4);
    pb_ids_free(&out.ids);
    pb_ids_free(&prompt);
}

static void check_continuations(const char *family)
{
    fixture r = open_decoder(family, "", PB_IN_FP32);
    char *path = pb_format(FAMILIES "/%s/continuations.jsonl", family), *lines = pb_read_file(path, NULL);
    int count = 0;
    for (char *rest = lines, *line; rest && (line = strsep(&rest, "\n")) && *line; count++) {
        pb_json_doc *doc = pb_json_parse(path, line, strlen(line));
        check_line(r.model, pb_json_root(doc));
        pb_json_free(doc);
    }
    CHECK(count >= 45);
    free(lines);
    free(path);
    fixture_close(&r);
}

TEST(greedy_and_beams_are_those_of_transformers)
{
    check_continuations("gpt2");
    check_continuations("llama-3");
    check_continuations("qwen3");
}

/* ---- side by side ------------------------------------------------------------------------------------------- */

/* Every prompt's continuation is the same, however many run side by side and which ones. */
static void check_slots(const char *settings, const char *alone, const char *many)
{
    fixture r = open_decoder("llama-3", "prefix:length=3+lst:reduction=2", PB_IN_FP32);
    pb_ids prompt[PROMPTS];
    pb_continuation one[PROMPTS], two[PROMPTS];
    char *first = pb_format("%s slots=%s", settings, alone), *second = pb_format("%s slots=%s", settings, many);
    take_prompts(prompt);
    CHECK(decode(r.model, first, PROMPTS, prompt, one) && decode(r.model, second, PROMPTS, prompt, two));
    for (int p = 0; p < PROMPTS; p++) {
        CHECK(one[p].ids.count == two[p].ids.count &&
              !memcmp(one[p].ids.id, two[p].ids.id, one[p].ids.count * sizeof(int)));
        CHECK(one[p].ending == two[p].ending);
        CHECK_NEAR(one[p].log_probability, two[p].log_probability, 1e-4);
    }
    free_all(PROMPTS, one);
    free_all(PROMPTS, two);
    free_prompts(prompt);
    free(first);
    free(second);
    fixture_close(&r);
}

TEST(slots_do_not_matter)
{
    check_slots("max_new=20 no_repeat=2", "1", "4");
    check_slots("max_new=20 strategy=sample", "1", "7");
    check_slots("max_new=12 strategy=sample top_k=9 top_p=0.8 temperature=1.5", "2", "3");
    check_slots("max_new=12 strategy=beam beams=3", "1", "9");
}

/* A continuation after a cached prefix is that of the whole. */
static void check_continuation_after_prefix(const char *settings)
{
    fixture r = open_decoder("gpt2", "prompt:length=2", PB_IN_FP32);
    pb_ids whole = {0}, rest = {0};
    pb_continuation want, got;
    for (int i = 0; i < TEXT; i++) {
        pb_ids_add(&whole, text[i]);
        if (i >= HELD)
            pb_ids_add(&rest, text[i]);
    }
    CHECK(decode(r.model, settings, 1, &whole, &want));
    CHECK(!pb_model_cache_prefix(r.model, text, HELD) && decode(r.model, settings, 1, &rest, &got));
    CHECK(want.ids.count == got.ids.count && !memcmp(want.ids.id, got.ids.id, want.ids.count * sizeof(int)));
    CHECK_NEAR(got.log_probability, want.log_probability, 1e-4);
    free_all(1, &want);
    free_all(1, &got);
    pb_ids_free(&whole);
    pb_ids_free(&rest);
    fixture_close(&r);
}

TEST(prompts_follow_a_cached_prefix)
{
    check_continuation_after_prefix("max_new=12");
    check_continuation_after_prefix("max_new=12 no_repeat=2");
    check_continuation_after_prefix("max_new=12 strategy=beam beams=3 no_repeat=2");
}

/* ---- draws --------------------------------------------------------------------------------------------------- */

enum { DRAWS = 4000 };

/* How often each token comes first behind one prompt. */
static void frequencies(pb_model *m, const char *settings, double *share)
{
    static pb_ids prompt[DRAWS];
    static pb_continuation out[DRAWS];
    pb_ids one = {0};
    pb_ids_add(&one, 5);
    for (int i = 0; i < DRAWS; i++)
        prompt[i] = one;
    memset(share, 0, (size_t)pb_model_outputs(m) * sizeof *share);
    CHECK(decode(m, settings, DRAWS, prompt, out));
    for (int i = 0; i < DRAWS; i++)
        share[out[i].ids.id[0]] += 1.0 / DRAWS;
    free_all(DRAWS, out);
    pb_ids_free(&one);
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* The probabilities that temperature, top_k and top_p leave, computed by sorting everything. */
static void expected(pb_model *m, double temperature, int top_k, double top_p, double *p)
{
    static const int offset[] = {0, 1}, ids[] = {5};
    int n = pb_model_outputs(m);
    double *x = logits_of(m, 1, offset, ids), *sorted = pb_alloc((size_t)n * sizeof *sorted), sum = 0, least = 0,
           mass = 0;
    for (int i = 0; i < n; i++)
        sorted[i] = p[i] = exp(x[i] / temperature);
    qsort(sorted, (size_t)n, sizeof *sorted, descending);
    for (int i = 0; i < (top_k ? top_k : n); i++)
        sum += sorted[i];
    for (int i = 0; i < (top_k ? top_k : n) && mass < top_p * sum; i++)
        mass += least = sorted[i];
    for (int i = 0; i < n; i++)
        p[i] = p[i] >= least ? p[i] / mass : 0;
    free(sorted);
    free(x);
}

static void check_draws(const char *settings, double temperature, int top_k, double top_p)
{
    fixture r = open_decoder("llama-3", "", PB_IN_FP32);
    double share[97], p[97], square = 0;
    int tokens = 0;
    CHECK(pb_model_outputs(r.model) == PB_COUNT(share));
    frequencies(r.model, settings, share);
    expected(r.model, temperature, top_k, top_p, p);
    for (size_t i = 0; i < PB_COUNT(share); i++) {
        CHECK(p[i] > 0 || share[i] == 0);
        square += p[i] > 0 ? DRAWS * (share[i] - p[i]) * (share[i] - p[i]) / p[i] : 0;
        tokens += p[i] > 0;
    }
    CHECK(square < tokens + 4 * sqrt(2.0 * tokens)); /* chi-square, 4 deviations over its mean */
    fixture_close(&r);
}

TEST(tokens_are_drawn_by_their_probability)
{
    check_draws("max_new=1 strategy=sample slots=64", 1, 0, 1);
    check_draws("max_new=1 strategy=sample slots=64 seed=3 temperature=0.5", 0.5, 0, 1);
    check_draws("max_new=1 strategy=sample slots=64 top_k=7", 1, 7, 1);
    check_draws("max_new=1 strategy=sample slots=64 top_p=0.6", 1, 0, 0.6);
    check_draws("max_new=1 strategy=sample slots=64 top_k=12 top_p=0.7 temperature=2", 2, 12, 0.7);
}

/* ---- what is refused ------------------------------------------------------------------------------------------ */

TEST(what_cannot_be_decoded)
{
    fixture r = open_decoder("llama-3", "prefix:length=4", PB_IN_FP32);
    pb_ids prompt = {0};
    pb_continuation out;
    CHECK(!decode(r.model, "", 1, &prompt, &out));
    CHECK_TEXT(pb_error_text(), "prompt 1: 0 tokens, want 1..59, so that a token can be added");
    pb_error_clear();
    pb_ids_add(&prompt, 97);
    CHECK(!decode(r.model, "", 1, &prompt, &out));
    CHECK_TEXT(pb_error_text(), "prompt 1: token id 97, want 0..96");
    pb_error_clear();
    prompt.id[0] = 3;
    CHECK(!decode(r.model, "stop=.", 1, &prompt, &out));
    pb_error_clear();
    CHECK(!decode(r.model, "strategy=beam beams=49", 1, &prompt, &out));
    CHECK_TEXT(pb_error_text(), "beams: want at most half of the 97 tokens, got 49");
    pb_error_clear();
    CHECK(decode(r.model, "max_new=100 end=no", 1, &prompt, &out)); /* up to the last position */
    CHECK(out.ids.count == 59 && out.ending == PB_BY_WINDOW);
    free_all(1, &out);
    pb_ids_free(&prompt);
    fixture_close(&r);
    fixture encoder = fixture_open("", 3, 1);
    CHECK(!decode(encoder.model, "", 0, &prompt, &out));
    pb_error_clear();
    fixture_close(&encoder);
}

/* ---- texts: where they stop, how they are put to an assistant ---------------------------------------------------- */

static void copy_file(const char *source, const char *dir, const char *name)
{
    size_t size;
    char *bytes = pb_read_file(source, &size), *to = pb_format("%s/%s", dir, name);
    if (!bytes || pb_write_file(to, bytes, size))
        PB_BUG("%s", pb_error_text());
    free(bytes);
    free(to);
}

/* The tiny Llama with a tokenizer. */
static pb_model *open_talker(char dir[32])
{
    strcpy(dir, "/tmp/peftbench-talker-XXXXXX");
    if (!mkdtemp(dir))
        PB_BUG("no temporary folder");
    copy_file(FAMILIES "/llama-3/config.json", dir, "config.json");
    copy_file(FAMILIES "/llama-3/model.safetensors", dir, "model.safetensors");
    copy_file("tests/golden/bpe/llama3/tokenizer.json", dir, "tokenizer.json");
    pb_model *m = pb_model_open(&(pb_opening){.path = dir});
    if (!m || pb_model_attach(m, NULL, 0))
        PB_BUG("%s", pb_error_text());
    return m;
}

static void close_talker(pb_model *m, const char *dir)
{
    static const char *const files[] = {"config.json", "model.safetensors", "tokenizer.json"};
    for (size_t i = 0; i < PB_COUNT(files); i++) {
        char *path = pb_format("%s/%s", dir, files[i]);
        remove(path);
        free(path);
    }
    remove(dir);
    pb_model_free(m);
}

/* What decoding with these settings says. */
static char *said(pb_model *m, const char *settings, pb_ending *ending)
{
    pb_decoding how = how_to(settings);
    pb_ids prompt = {0};
    pb_continuation c;
    pb_text out = {0};
    pb_ids_add(&prompt, 40);
    CHECK(!pb_decode(m, &how, 1, &prompt, &c));
    pb_continuation_text(m, &how, &c, &out);
    *ending = c.ending;
    pb_ids_free(&c.ids);
    pb_ids_free(&prompt);
    pb_option_release(pb_decode_table, &how);
    return out.data ? out.data : pb_strdup("");
}

TEST(a_stop_text_ends_a_continuation_and_is_cut_off)
{
    char dir[32];
    pb_model *m = open_talker(dir);
    pb_ending ending;
    char *whole = said(m, "max_new=20 no_repeat=1", &ending); /* every character once */
    CHECK(strlen(whole) >= 20 && ending == PB_BY_LENGTH);
    for (int beams = 0; beams < 2; beams++)
        for (int at = 1; at < 12; at += 3) {
            char *settings = pb_format("max_new=20 no_repeat=1%s stop=nowhere|%s%.3s",
                                       beams ? " strategy=beam beams=1" : "", strchr("|\\", whole[at]) ? "\\" : "",
                                       whole + at);
            char *cut = said(m, settings, &ending);
            CHECK(ending == PB_BY_STOP && (int)strlen(cut) == at && !strncmp(cut, whole, (size_t)at));
            free(settings);
            free(cut);
        }
    free(whole);
    close_talker(m, dir);
}
