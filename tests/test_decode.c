/* Texts that come piece by piece: a held prompt, memories, decoding. */
#include "rig.h"
#include "util.h"

#include "model/apply.h"
#include "model/memory.h"

#define FAMILIES "tests/golden/families"
#define NEAR 1e-4 /* relative to the largest logit */

/* ---- models ---------------------------------------------------------------------------------------------- */

/* A tiny decoder with methods as rig_method writes them, everything that trains stirred. */
static rig open_decoder(const char *family, const char *spec, pb_precision precision)
{
    rig r = {.arena = pb_arena_new("decode"), .machine = pb_machine_new()};
    char *path = pb_format(FAMILIES "/%s", family), *copy = pb_strdup(spec), *rest = copy;
    for (char *one; *spec && (one = strsep(&rest, "+"));)
        rig_method(&r.part[r.parts++], one);
    r.model = pb_model_open(&(pb_opening){.path = path, .base.precision = (int)precision});
    if (!r.model || pb_model_attach(r.model, r.part, r.parts))
        PB_BUG("%s", pb_error_text());
    rig_stir(&r, 0.05);
    free(copy);
    free(path);
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
};

static void try_on(const char *family, const char *spec, pb_precision precision, void (*check)(rig *r))
{
    rig r = open_decoder(family, spec, precision);
    int failures = test_state.failures;
    check(&r);
    if (test_state.failures > failures)
        printf("    %s with '%s' in %s\n", family, spec, pb_precision_name[precision]);
    rig_close(&r);
}

static void for_all(void (*check)(rig *r))
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

/* ---- a held prompt ----------------------------------------------------------------------------------------- */

static void check_held(rig *r)
{
    pb_model *m = r->model;
    int whole[] = {0, TEXT}, apart_at[] = {0, TEXT - HELD, TEXT - HELD + 3}, most = pb_model_max_tokens(m);
    size_t vocab = (size_t)pb_model_outputs(m), rows = TEXT - HELD;
    int two[TEXT - HELD + 3];
    memcpy(two, text + HELD, sizeof text - HELD * sizeof *text);
    memcpy(two + rows, text + HELD, 3 * sizeof *two);
    double *want = logits_of(m, 1, whole, text);
    CHECK(!pb_model_hold_prompt(m, text, HELD));
    CHECK_INT(pb_model_max_tokens(m), most - HELD);
    double *got = logits_of(m, 2, apart_at, two); /* two texts behind one prompt */
    CHECK(apart(rows * vocab, got, want + HELD * vocab) < NEAR);
    CHECK(apart(3 * vocab, got + rows * vocab, want + HELD * vocab) < NEAR);
    pb_model_release_prompt(m);
    double *again = logits_of(m, 1, whole, text);
    CHECK(pb_model_max_tokens(m) == most && !memcmp(again, want, TEXT * vocab * sizeof *want));
    free(again);
    free(got);
    free(want);
}

TEST(a_held_prompt_stands_before_every_text)
{
    for_all(check_held);
}

TEST(a_prompt_that_cannot_be_held)
{
    rig r = open_decoder("llama-3", "prefix:length=3", PB_IN_FP32);
    int ids[64] = {0};
    CHECK(pb_model_hold_prompt(r.model, ids, 0) < 0);
    CHECK_TEXT(pb_error_text(), "a prompt of 0 tokens, want 1..60: there has to be room for a text");
    pb_error_clear();
    CHECK(pb_model_hold_prompt(r.model, ids, 61) < 0);
    pb_error_clear();
    CHECK(!pb_model_hold_prompt(r.model, ids, 60) && pb_model_max_tokens(r.model) == 1);
    rig_close(&r);
    rig encoder = rig_open("", 3, 1);
    CHECK(pb_model_hold_prompt(encoder.model, ids, 3) < 0);
    pb_error_clear();
    rig_close(&encoder);
}
