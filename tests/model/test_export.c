/* test_export: what methods change in the weights, written as a LoRA adapter of rank k and as a whole model. */
#include "fixture.h"

#include <unistd.h>

#include "base/rng.h"
#include "model/adapter.h"
#include "model/apply.h"
#include "model/config_writer.h"
#include "model/method_spec.h"
#include "weights/safetensors.h"

#define FAMILIES "tests/golden/families"
#define EXACT (sizeof(pb_real) == 8 ? 1e-6 : 1e-4) /* files hold 32 bits */

/* ---- models ---------------------------------------------------------------------------------------------------- */

/* A method that adds a bias, which not every network has. */
static pb_node *add_bias(pb_build *b, const pb_site *site, pb_node *x)
{
    pb_node *bias = pb_vector(b, site, "b", site->out, pb_init_constant(0));
    return pb_op_shift(b->graph, pb_inner_linear(b, site, x), bias);
}

static const pb_method shift = {
    .name = "shift", .traits = {PB_ADDITIVE, .identity = true, .merges = true}, .hooks.linear = add_bias};

/* The values of the methods' tensors are no longer the initial ones. */
static void disturb(pb_model *m)
{
    pb_rng r = pb_rng_named(5, "disturb");
    for (int i = 0; i < pb_model_params(m); i++) {
        pb_param *p = pb_model_param(m, i);
        for (int k = 0; p->trainable && k < p->rows * p->cols; k++)
            p->x[k] += (pb_real)(0.2 * pb_rng_uniform(&r) - 0.1);
    }
}

/* A model with the methods of a spec; "shift" is the one above. */
static pb_model *open_with(const char *folder, const char *spec, pb_attached part[PB_MAX_PARTS], int *parts)
{
    pb_model *m = pb_model_open(&(pb_opening){.path = folder, .classes = 2});
    *parts = 0;
    if (!strcmp(spec, "shift"))
        part[(*parts)++] = (pb_attached){&shift, NULL};
    else if (pb_attached_parse(spec, part, parts))
        PB_BUG("%s", pb_error_text());
    if (!m || pb_model_attach(m, part, *parts))
        PB_BUG("%s", pb_error_text());
    disturb(m);
    return m;
}

static void close_with(pb_model *m, pb_attached *part, int parts)
{
    pb_model_free(m);
    if (part[0].method != &shift)
        pb_attached_free(part, parts);
}

static const int ids[] = {2, 9, 12, 15, 11, 14, 3, 2, 5, 18, 8, 17, 19, 9, 3};
static const int offset[] = {0, 7, 15};

static void logits_of(pb_model *m, double out[4])
{
    pb_apply *a = pb_apply_new(m);
    const pb_node *y = pb_apply_run(a, &(pb_batch){.sequences = 2, .offset = offset, .ids = ids});
    for (int i = 0; i < 4; i++)
        out[i] = y ? (double)y->x[i] : NAN;
    pb_apply_free(a);
}

static double distance(const double a[4], const double b[4])
{
    double worst = 0;
    for (int i = 0; i < 4; i++)
        worst = fmax(worst, fabs(a[i] - b[i]) / (1 + fabs(b[i])));
    return worst;
}

/* ---- adapters -------------------------------------------------------------------------------------------------- */

typedef struct told {
    int modules;
    double least, most; /* errors */
} told;

static void tell(void *ctx, const char *module, double error)
{
    told *t = ctx;
    CHECK(module && *module);
    t->least = t->modules ? fmin(t->least, error) : error;
    t->most = fmax(t->most, error);
    t->modules++;
}

/* The logits with the adapter of that rank, read into a fresh model. */
static bool convert(const char *folder, pb_model *m, int rank, told *errors, double out[4])
{
    char dir[] = "/tmp/peftbench-export-XXXXXX";
    PB_CHECK(mkdtemp(dir) != NULL);
    *errors = (told){0};
    bool written = CHECK(!pb_adapter_convert(m, rank, dir, tell, errors));
    pb_adapter *a = written ? pb_adapter_open(dir) : NULL;
    pb_model *fresh = pb_model_open(&(pb_opening){.path = folder, .classes = 2});
    bool read = a && CHECK_INT(pb_adapter_classes(a), 2) && CHECK(!pb_adapter_attach(fresh, a, false));
    if (read)
        logits_of(fresh, out);
    else
        printf("  %s: %s\n", folder, pb_error_text());
    pb_error_clear();
    pb_model_free(fresh);
    pb_adapter_close(a);
    pb_remove_tree(dir);
    return read;
}

/* ia3 scales biases, dora rows; the matrices of gpt2 lie transposed, and llama-3 has grouped keys and no biases. */
TEST(an_adapter_of_full_rank_is_exact)
{
    static const char *const folder[] = {TINY, FAMILIES "/roberta", FAMILIES "/gpt2", FAMILIES "/llama-3"};
    static const char *const spec[] = {"lora:targets=*", "ia3", "dora:rank=2,targets=*", "lora:rank=3+ia3", "shift"};
    for (size_t f = 0; f < PB_COUNT(folder); f++)
        for (size_t i = 0; i < PB_COUNT(spec); i++) {
            pb_attached part[PB_MAX_PARTS];
            int parts;
            pb_model *m = open_with(folder[f], spec[i], part, &parts), *plain;
            double want[4], got[4] = {NAN}, base[4];
            told errors;
            logits_of(m, want);
            plain = pb_model_open(&(pb_opening){.path = folder[f], .classes = 2});
            CHECK(!pb_model_attach(plain, NULL, 0));
            logits_of(plain, base);
            pb_model_free(plain);
            if (!convert(folder[f], m, 80, &errors, got) || !CHECK(distance(got, want) < EXACT) ||
                !CHECK(distance(base, want) > 100 * EXACT) || !CHECK(errors.most == 0 && errors.modules > 0))
                printf("  %s, %s: %g, to the base %g\n", folder[f], spec[i], distance(got, want), distance(base, want));
            close_with(m, part, parts);
        }
}

/* The logits of the whole model that is written. */
static bool write_whole(pb_model *m, double out[4])
{
    char dir[] = "/tmp/peftbench-export-XXXXXX";
    PB_CHECK(mkdtemp(dir) != NULL);
    pb_model *whole = CHECK(!pb_model_export(m, dir, PB_IN_FP32)) ? pb_model_open(&(pb_opening){.path = dir}) : NULL;
    bool read = CHECK(whole && !pb_model_attach(whole, NULL, 0));
    if (read)
        logits_of(whole, out);
    else
        printf("  %s\n", pb_error_text());
    pb_error_clear();
    pb_model_free(whole);
    pb_remove_tree(dir);
    return read;
}

static bool trains_in_place(pb_model *m)
{
    for (int i = 0; i < pb_model_params(m); i++) {
        const pb_param *p = pb_model_param(m, i);
        if (p->trainable && p->kind != PB_ADDED && p->kind != PB_HEAD)
            return true;
    }
    return false;
}

static void check_refused(const char *folder, const char *spec, bool whole, const char *why)
{
    char dir[] = "/tmp/peftbench-export-XXXXXX";
    PB_CHECK(mkdtemp(dir) != NULL);
    char *to = pb_format("%s/out", dir);
    pb_attached part[PB_MAX_PARTS];
    int parts;
    pb_model *m = open_with(folder, spec, part, &parts);
    told errors = {0};
    CHECK((whole ? pb_model_export(m, to, PB_IN_FP32) : pb_adapter_convert(m, 4, to, tell, &errors)) < 0);
    if (!CHECK(strstr(pb_error_text(), why) != NULL))
        printf("  %s: %s\n", spec, pb_error_text());
    pb_error_clear();
    CHECK(access(to, F_OK) != 0);
    close_with(m, part, parts);
    pb_remove_tree(dir);
    free(to);
}

/* A llama has no biases, and these methods add some. */
static bool lacks_biases(const char *folder, const char *name)
{
    return strstr(folder, "llama") && (!strcmp(name, "beft") || !strcmp(name, "red"));
}

static void check_method(const char *folder, const char *name)
{
    pb_attached part[PB_MAX_PARTS];
    int parts;
    pb_model *m = open_with(folder, name, part, &parts);
    double want[4], got[4] = {NAN};
    told errors;
    logits_of(m, want);
    if (lacks_biases(folder, name))
        check_refused(folder, name, true, "the method adds a bias, which a llama does not have there");
    else if (!write_whole(m, got) || !CHECK(distance(got, want) < EXACT))
        printf("  %s, %s: whole: %g\n", folder, name, distance(got, want));
    if (!trains_in_place(m) && (!convert(folder, m, 80, &errors, got) || !CHECK(distance(got, want) < EXACT)))
        printf("  %s, %s: adapter: %g\n", folder, name, distance(got, want));
    close_with(m, part, parts);
}

/* The rank of MoRA's matrix has a limit, which the narrow projections of this model do not reach by default. */
static const char *that_fits(const char *folder, const char *name)
{
    return !strcmp(name, "mora") && strstr(folder, "gpt2") ? "mora:rank=4" : name;
}

/* Whether all methods that a preset stands for merge. */
static bool merges(const pb_preset *p, const pb_method *m)
{
    pb_preset_part part[PB_MAX_PARTS];
    int n = pb_preset_expand(p, m, part), merging = 0;
    for (int i = 0; i < n; i++)
        merging += part[i].method->traits.merges;
    pb_preset_parts_free(part, n);
    return merging == n;
}

TEST(every_method_that_merges_is_written_in_both_forms)
{
    const pb_method *m;
    const pb_preset *p;
    static const char *const folder[] = {TINY, FAMILIES "/gpt2", FAMILIES "/llama-3"};
    for (size_t f = 0; f < PB_COUNT(folder); f++) {
        for (int i = 0; (m = pb_method_at(i)); i++)
            if (m->traits.merges)
                check_method(folder[f], that_fits(folder[f], m->name));
        for (int i = 0; (p = pb_preset_at(i, &m)); i++)
            if (merges(p, m))
                check_method(folder[f], p->name);
    }
}

/* A change of rank 5 has an error below that, which decreases, and none from there on. */
TEST(the_error_decreases_with_the_rank)
{
    pb_attached part[PB_MAX_PARTS];
    int parts;
    pb_model *m = open_with(TINY, "lora:rank=5,targets=attn.*", part, &parts);
    double before = 1, out[4];
    for (int rank = 1; rank <= 7; rank++) {
        told errors;
        convert(TINY, m, rank, &errors, out);
        CHECK_INT(errors.modules, 2 * 4);
        CHECK(rank < 5 ? errors.most < before && errors.least > 1e-3 : errors.most < 1e-5);
        before = errors.most;
    }
    close_with(m, part, parts);
}

/* ---- what cannot be written ------------------------------------------------------------------------------------ */

TEST(what_cannot_be_written_is_refused_by_name)
{
    check_refused(TINY, "prefix", false, "cannot be folded into the weights; want an adapter, without --rank");
    check_refused(TINY, "lora+prefix", false, "cannot be folded into the weights");
    check_refused(TINY, "bitfit+lora", false, ".bias' of the base trains in place");
    check_refused(TINY, "full", false, "of the base trains in place");
    check_refused(TINY, "head", false, "the method changes no projection; want --merged");
    check_refused(TINY, "prefix", true, "cannot be folded into the weights; want an adapter, without --merged");
    check_refused(FAMILIES "/llama-3", "shift", true,
                  "layer 0, attn.q: the method adds a bias, which a llama does not have there");
}

/* The same method where the checkpoint has biases. */
TEST(a_bias_is_written_where_there_is_one)
{
    pb_attached part[PB_MAX_PARTS];
    int parts;
    pb_model *m = open_with(FAMILIES "/roberta", "shift", part, &parts);
    double want[4], got[4] = {NAN};
    logits_of(m, want);
    CHECK(write_whole(m, got) && distance(got, want) < EXACT);
    close_with(m, part, parts);
}

/* ---- a prefix -------------------------------------------------------------------------------------------------- */

/* In a network whose six query heads do not divide the eight columns of its keys. */
TEST(a_prefix_of_few_key_heads_is_exported)
{
    static const pb_network_shape shape = {
        .layers = 2, .width = 24, .heads = 6, .kv_heads = 2, .intermediate_size = 32, .positions = 16};
    char folder[] = "/tmp/peftbench-XXXXXX";
    pb_testbed r;
    CHECK(mkdtemp(folder) && !pb_network_config_write(folder, PB_CAUSAL, &shape, 96));
    if (pb_testbed_open(&r, folder, true, "prefix:length=3", 0, 3))
        PB_BUG("%s", pb_error_text());
    char *dir = pb_format("%s/adapter", folder), *path = pb_format("%s/adapter_model.safetensors", dir);
    if (!CHECK_INT(pb_adapter_save(r.model, dir), 0))
        printf("  %s\n", pb_error_text());
    pb_safetensors *f = pb_safetensors_open(path);
    const pb_array *a = f ? pb_safetensors_find(f, "prompt_embeddings") : NULL;
    CHECK(a && a->shape[0] == 3 && a->shape[1] == 2 * 2 * 8);
    const pb_param *v = pb_model_find(r.model, "layer.1.attn.prefix.v");
    for (int k = 0; a && k < 3 * 8; k++) /* layer 1's values are the last of a row */
        CHECK_NEAR((double)((const float *)a->data)[k / 8 * 32 + 24 + k % 8], (double)v->x[k], EXACT);
    if (f)
        pb_safetensors_close(f);
    free(dir);
    free(path);
    pb_testbed_close(&r);
    pb_remove_tree(folder);
}
