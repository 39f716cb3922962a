/* Adapters, edits of representations, and parts of the base that train: their closed-form limits. */
#include "toy.h"

#include "util.h"

static void copy(pb_param *to, const pb_param *from)
{
    CHECK_INT((long long)pb_param_elements(to), (long long)pb_param_elements(from));
    memcpy(to->x, from->x, pb_param_elements(to) * sizeof *to->x);
}

static void multiply(pb_param *p, double by)
{
    for (size_t i = 0; i < pb_param_elements(p); i++)
        p->x[i] *= (pb_real)by;
}

/* Random values, which depend on the name only, in all tensors that the methods add. */
static void fill_added(fixture *f)
{
    for (int i = 0; i < pb_model_params(f->model); i++) {
        pb_param *p = pb_model_param(f->model, i);
        pb_rng r = pb_rng_named(5, p->name);
        for (size_t k = 0; k < pb_param_elements(p) && p->kind == PB_ADDED; k++)
            p->x[k] = (pb_real)(0.3 * pb_rng_normal(&r));
    }
}

/* How far the logits of two models are apart, relative to the largest one.  Closes both. */
static double apart(fixture a, fixture b)
{
    double want[15], got;
    fixture_forward(&b, &fixture_batch, false, 0);
    for (int i = 0; i < 15; i++)
        want[i] = (double)pb_graph_output(b.graph)->x[i];
    fixture_forward(&a, &fixture_batch, false, 0);
    got = distance(15, pb_graph_output(a.graph)->x, want);
    fixture_close(&a);
    fixture_close(&b);
    return got;
}

static fixture filled(const char *spec)
{
    fixture f = fixture_open(spec, 3, 1);
    fill_added(&f);
    return f;
}

/* ---- adapters ------------------------------------------------------------------------------------------------- */

#define ADAPTER "adapter:norms=no,bottleneck=6,"

/* With the MLP's own weights, U f(D x) is the MLP of x. */
TEST(a_parallel_adapter_is_a_second_mlp_beside_the_first_one)
{
    fixture a = fixture_open("adapter:place=parallel,scale=2,norms=no,bottleneck=32,targets=0.mlp", 3, 1);
    fixture b = fixture_open("subset:only=0.mlp.down", 3, 1);
    copy(fixture_param(&a, "layer.0.mlp.houlsby.down.weight"), fixture_param(&a, "layer.0.mlp.up.weight"));
    copy(fixture_param(&a, "layer.0.mlp.houlsby.down.bias"), fixture_param(&a, "layer.0.mlp.up.bias"));
    copy(fixture_param(&a, "layer.0.mlp.houlsby.up.weight"), fixture_param(&a, "layer.0.mlp.down.weight"));
    copy(fixture_param(&a, "layer.0.mlp.houlsby.up.bias"), fixture_param(&a, "layer.0.mlp.down.bias"));
    multiply(fixture_param(&b, "layer.0.mlp.down.weight"), 3); /* y + 2 y */
    multiply(fixture_param(&b, "layer.0.mlp.down.bias"), 3);
    CHECK_NEAR(apart(a, b), 0, EXACT);
}

TEST(the_scale_of_an_adapter_is_that_of_its_up_projection)
{
    fixture a = filled(ADAPTER "scale=4"), b = filled(ADAPTER "scale=1");
    static const char *const up[] = {"layer.0.attn", "layer.0.mlp", "layer.1.attn", "layer.1.mlp"};
    for (size_t i = 0; i < PB_COUNT(up); i++) {
        char name[80];
        snprintf(name, sizeof name, "%s.houlsby.up.weight", up[i]);
        multiply(fixture_param(&b, name), 4);
        snprintf(name, sizeof name, "%s.houlsby.up.bias", up[i]);
        multiply(fixture_param(&b, name), 4);
    }
    CHECK_NEAR(apart(a, b), 0, EXACT);
}

/* The norm of what is normalized already, with gain 1 and bias 0, is the same. */
TEST(an_adapter_behind_its_own_norm_reads_what_that_norm_makes)
{
    fixture a = filled(ADAPTER "targets=layer,own_norm=yes+layernorm");
    fixture b = filled(ADAPTER "targets=layer+layernorm");
    for (int i = 0; i < pb_model_params(a.model); i++) {
        pb_param *p = pb_model_param(a.model, i);
        bool gain = strstr(p->name, "norm.weight"), bias = strstr(p->name, "norm.bias");
        for (size_t k = 0; k < pb_param_elements(p) && (gain || bias) && p->layer >= 0; k++)
            p->x[k] = gain;
        if ((gain || bias) && p->layer >= 0 && p->kind != PB_ADDED)
            copy(fixture_param(&b, p->name), p);
    }
    CHECK_NEAR(apart(a, b), 0, EXACT);
    CHECK(apart(filled(ADAPTER "targets=layer,own_norm=yes"), filled(ADAPTER "targets=layer")) > 1e-2);
}

TEST(dropped_layers_have_no_adapter)
{
    CHECK(apart(filled(ADAPTER "drop=1"), filled(ADAPTER "targets=1.attn 1.mlp")) == 0);
    CHECK(apart(filled(ADAPTER "drop=1,robust=yes"), filled(ADAPTER "drop=1")) == 0); /* in scoring */
    CHECK(apart(filled(ADAPTER "robust=yes"), filled(ADAPTER "drop=0")) == 0);
    fixture all = fixture_open(ADAPTER "drop=1,robust=yes", 3, 1), some = fixture_open(ADAPTER "drop=1", 3, 1);
    CHECK_INT((long long)pb_model_counts(all.model).added, 2 * (long long)pb_model_counts(some.model).added);
    fixture_close(&all);
    fixture_close(&some);
    pb_testbed none;
    CHECK_INT(pb_testbed_open(&none, TINY, false, ADAPTER "drop=2", 3, 0), -1);
    CHECK(strstr(pb_error_text(), "adapter: drop: want less than the 2 layers, got 2") != NULL);
    pb_error_clear();
}

static double loss_with(const char *spec, uint64_t key)
{
    fixture f = filled(spec);
    f.key = key;
    fixture_forward(&f, &fixture_batch, true, 0);
    double loss = (double)pb_graph_loss(f.graph)->x[0];
    fixture_close(&f);
    return loss;
}

/* Each step has the adapters of all layers, or those behind the first one, as its draw says. */
TEST(robust_adapterdrop_draws_how_many_layers_do_without)
{
    double fixed[] = {loss_with(ADAPTER "drop=0", 0), loss_with(ADAPTER "drop=1", 0)};
    int seen[2] = {0};
    CHECK(fabs(fixed[0] - fixed[1]) > 1e-4);
    for (uint64_t key = 0; key < 40; key++) {
        double loss = loss_with(ADAPTER "robust=yes", key);
        int n = loss == fixed[1];
        CHECK(loss == fixed[n]);
        seen[n]++;
    }
    CHECK(seen[0] > 8 && seen[1] > 8);
}

/* ---- edits of representations --------------------------------------------------------------------------------- */

/* l * (W x + b) + beta has the rows l W and the bias l b + beta. */
TEST(red_scales_the_rows_of_a_weight_and_moves_its_bias)
{
    fixture a = filled("red:targets=0.mlp.down"), b = fixture_open("subset:only=0.mlp.down", 3, 1);
    const pb_param *l = fixture_param(&a, "layer.0.mlp.down.red.l"),
                   *beta = fixture_param(&a, "layer.0.mlp.down.red.beta");
    pb_param *w = fixture_param(&b, "layer.0.mlp.down.weight"), *bias = fixture_param(&b, "layer.0.mlp.down.bias");
    for (int i = 0; i < w->rows; i++) {
        for (int j = 0; j < w->cols; j++)
            w->x[i * w->cols + j] *= l->x[i];
        bias->x[i] = l->x[i] * bias->x[i] + beta->x[i];
    }
    CHECK_NEAR(apart(a, b), 0, EXACT);
}

/* Their gradients are equal too: BEFT is BitFit of b_v. */
TEST(beft_moves_the_bias_of_the_values)
{
    fixture a = filled("beft"), b = fixture_open("bitfit:only=attn.v,others=no", 3, 1);
    double want[16] = {0};
    pb_real got[16] = {0};
    for (int i = 0; i < 2; i++) {
        char vector[64], bias[64];
        snprintf(vector, sizeof vector, "layer.%d.attn.v.beft.beta", i);
        snprintf(bias, sizeof bias, "layer.%d.attn.v.bias", i);
        for (size_t k = 0; k < pb_param_elements(fixture_param(&b, bias)); k++)
            fixture_param(&b, bias)->x[k] += fixture_param(&a, vector)->x[k];
    }
    for (int i = 0; i < 2; i++) {
        fixture *f = i ? &b : &a;
        fixture_forward(f, &fixture_batch, true, 0);
        pb_executor_backward(f->executor, f->graph);
        const pb_param *p = fixture_param(f, i ? "layer.0.attn.v.bias" : "layer.0.attn.v.beft.beta");
        for (size_t k = 0; k < 16; k++) {
            got[k] = i ? got[k] : (pb_real)fixture_gradient(p, k);
            want[k] = i ? fixture_gradient(p, k) : 0;
        }
    }
    CHECK_NEAR(distance(16, got, want), 0, 10 * EXACT);
    CHECK_NEAR(apart(a, b), 0, EXACT);
}

/* In a network with queries, keys and values in one projection the last third of its bias moves. */
TEST(beft_moves_the_bias_of_the_values_in_one_projection_for_all_three)
{
    static const int ids[] = {3, 9, 4, 7, 1}, offset[] = {0, 5};
    static const pb_batch batch = {.sequences = 1, .offset = offset, .ids = ids};
    pb_testbed f[2];
    double want[2] = {0};
    for (int k = 0; k < 2; k++)
        PB_CHECK(!pb_testbed_open(&f[k], "tests/golden/families/gpt2", false, k ? "beft" : "bitfit", 2, 1));
    fill_added(&f[1]);
    fixture_forward(&f[0], &batch, false, 0);
    double base = (double)pb_graph_output(f[0].graph)->x[0];
    for (int i = 0; i < 2; i++) {
        const pb_param *beta = fixture_param(&f[1], i ? "layer.1.attn.qkv.beft.beta" : "layer.0.attn.qkv.beft.beta");
        pb_param *bias = fixture_param(&f[0], i ? "layer.1.attn.qkv.bias" : "layer.0.attn.qkv.bias");
        CHECK_INT((long long)pb_param_elements(bias), 3 * (long long)pb_param_elements(beta));
        for (size_t j = 0; j < pb_param_elements(beta); j++)
            bias->x[2 * pb_param_elements(beta) + j] += beta->x[j];
    }
    for (int k = 0; k < 2; k++) {
        fixture_forward(&f[k], &batch, false, 0);
        const pb_real *y = pb_graph_output(f[k].graph)->x;
        CHECK(k ? distance(2, y, want) < EXACT : fabs((double)y[0] - base) > 1e-3);
        want[0] = (double)y[0], want[1] = (double)y[1];
        fixture_close(&f[k]);
    }
}

/* ---- parts of the base ---------------------------------------------------------------------------------------- */

static void trains_only(const char *spec, const char *const *words)
{
    fixture f = fixture_open(spec, 3, 1);
    for (int i = 0; i < pb_model_params(f.model); i++) {
        const pb_param *p = pb_model_param(f.model, i);
        bool want = p->kind == PB_HEAD;
        for (const char *const *w = words; *w; w++)
            want = want || strstr(p->name, *w);
        if (!CHECK_INT(p->trainable, want))
            printf("  %s: %s\n", spec, p->name);
    }
    fixture_close(&f);
}

TEST(a_subset_trains_the_projections_that_it_names)
{
    static const char *const attention[] = {".attn.q.", ".attn.k.", ".attn.v.", ".attn.o.", NULL};
    static const char *const queries[] = {"layer.1.attn.q.weight", NULL};
    static const char *const inner[] = {".attn.q.bias", ".mlp.up.bias", NULL}, *const biases[] = {".bias", NULL};
    trains_only("attention-only", attention);
    trains_only("subset:only=1.attn.q,biases=no", queries);
    trains_only("bitfit-qi", inner);
    trains_only("bitfit", biases);
    pb_testbed none;
    CHECK_INT(pb_testbed_open(&none, TINY, false, "bitfit:only=attn", 3, 0), -1);
    CHECK(strstr(pb_error_text(), "bitfit: only: 'attn' matches no projection") != NULL);
    pb_error_clear();
}

/* Whether the settings of a method are refused with this in the message; NULL: whether they are taken. */
static bool refuses(const char *spec, const char *message)
{
    pb_testbed t;
    bool opened = !pb_testbed_open(&t, TINY, false, spec, 3, 0);
    bool good = message ? !opened && strstr(pb_error_text(), message) : opened;
    if (!good)
        printf("    %s: %s\n", spec, opened ? "taken" : pb_error_text());
    if (opened)
        pb_testbed_close(&t);
    pb_error_clear();
    return good;
}

/* Of methods that have this setting in PEFT and of those that do not. */
TEST(a_value_of_a_single_site_must_be_one_of_all_sites)
{
    CHECK(refuses("lora:rank_pattern=attn.q=0", "rank_pattern: rank: want a whole number in 1..4096, got '0'"));
    CHECK(refuses("hira:rank_pattern=attn.q=0", "hira: rank_pattern: rank: want a whole number in 1..4096, got '0'"));
    CHECK(refuses("kasa:rank_pattern=attn.q=2.5", "kasa: rank_pattern: rank: want a whole number in 1..4096"));
    CHECK(refuses("kasa:alpha_pattern=attn.q=nan",
                  "kasa: alpha_pattern: alpha: want a number in 1e-09..1e+06, got 'nan'"));
    CHECK(refuses("lora-xs:rank_pattern=attn.q", "lora-xs: rank_pattern: want PATTERN=VALUE, such as 0.attn.q=4"));
    CHECK(refuses("hira:rank_pattern=attn.q=2", NULL));
}

/* A factor of 0, or a start at which all gradients are 0. */
TEST(a_value_with_which_nothing_would_train_is_refused)
{
    static const char *const of[] = {
        "adapter:scale",  "adapter:init",       "adamix:init",     "compacter:init",     "sparseadapter:init",
        "unipelt:init",   "lora:alpha",         "pissa:alpha",     "gralora:alpha",      "molora:alpha",
        "randlora:alpha", "lily:scale",         "fourierft:scale", "dept:alpha",         "delora:lambda",
        "vera:initial",   "pvera:initial",      "mpt:init_task",   "llama-adapter:init", "vblora:bound",
        "unilora:bound",  "diff-pruning:share", "lt-sft:share",
    };
    for (size_t i = 0; i < PB_COUNT(of); i++) {
        char *spec = pb_format("%s=0", of[i]);
        if (!CHECK(refuses(spec, ": want a number in 1e-09..")))
            printf("  %s\n", spec);
        free(spec);
    }
    CHECK(refuses("diff-pruning:stretch=1", "stretch: want a number in 1.01..100, got '1'")); /* no gate would open */
}

TEST(a_pattern_that_matches_nothing_is_refused)
{
    CHECK(refuses("lora:targets=attn.q atn.v", "lora: targets: 'atn.v' matches no site; roles in layers 0 to 1 are "));
    CHECK(refuses("lora:targets=attn.q 2.attn.v", "lora: targets: '2.attn.v' matches no site"));
    CHECK(refuses("lora:targets=attn.q attn", "lora: targets: 'attn' matches no site"));
    CHECK(refuses("lora:targets=attn.q attn.qkv", "lora: targets: 'attn.qkv' matches no site"));
    CHECK(refuses("lora:rank_pattern=attn.q=2 mlp.*=4", "rank_pattern: 'mlp.*' matches no targeted site; roles in"));
    CHECK(refuses("lora:alpha_pattern=attn.k=2", "lora: alpha_pattern: 'attn.k' matches no targeted site"));
    CHECK(refuses("fourierft:places_pattern=attn.o=7", "fourierft: places_pattern: 'attn.o' matches no targeted"));
    CHECK(refuses("ia3:inputs=mlp.up", "ia3: inputs: 'mlp.up' matches no targeted site; roles in layers 0 to 1 are"));
    CHECK(refuses("bitfit:only=attn.q 2.mlp.up", "bitfit: only: '2.mlp.up' matches no projection"));
    CHECK(refuses("child-tuning:targets=attn.q atn.v", "child-tuning: targets: 'atn.v' matches no site"));
    CHECK(refuses("pfeiffer:targets=mlp atn", "adapter: targets: 'atn' matches no site; roles in layers 0 to 1 are a"));
    CHECK(refuses("lora:targets=attn.q attn.v=2", "lora: targets: 'attn.v=2' matches no site"));
    CHECK(refuses("bitfit:only=attn.*=2", "bitfit: only: 'attn.*=2' matches no projection"));
    CHECK(refuses("unipelt:lora=attn.q atn.v", "unipelt: lora: 'atn.v' matches no projection; roles in layers 0 to"));
    CHECK(refuses("ia3:inputs=mlp.down=1", "ia3: inputs: 'mlp.down=1' matches no targeted site"));
    CHECK(refuses("lora", NULL)); /* attn.q attn.v attn.qkv by default */
    CHECK(refuses("ia3:targets=attn.k", NULL));
    CHECK(refuses("lora:targets=attn.q  0.attn.[kv],rank_pattern=*.attn.v=2", NULL));
    CHECK(refuses("lora:targets=*[abcdefghijklmnopqrstuvwxyz][abcdefghijklmnopqrstuvwxyz]tn.q", NULL));
    CHECK(refuses("s4", NULL));
}

/* ---- child networks ------------------------------------------------------------------------------------------- */

/* Trains two epochs and compares the base with that of full fine-tuning. */
static bool trains_as_full(const char *spec)
{
    pb_encoded *set = toy_set(40);
    pb_train_options o = options_with(2, 1e-3);
    fixture a = fixture_open(spec, 2, 6), b = fixture_open("full", 2, 6);
    pb_result ra = train(&a, set, &o, 6), rb = train(&b, set, &o, 6);
    bool same = true;
    for (int i = 0; i < pb_model_params(b.model); i++) {
        const pb_param *p = pb_model_param(b.model, i);
        same = same && !memcmp(p->x, fixture_param(&a, p->name)->x, pb_param_elements(p) * sizeof *p->x);
    }
    pb_result_free(&ra);
    pb_result_free(&rb);
    fixture_close(&a);
    fixture_close(&b);
    toy_free(set);
    return same;
}

TEST(the_child_that_is_the_whole_network_is_full_fine_tuning)
{
    CHECK(trains_as_full("child-tuning:share=1"));
    CHECK(trains_as_full("child-tuning-d:share=1,samples=8"));
    CHECK(!trains_as_full("child-tuning:share=0.9"));
    CHECK(!trains_as_full("child-tuning-d:share=0.9,samples=8"));
}

/* The elements of a weight that training has moved in so many steps. */
static int moved(const char *spec, const char *name, int steps)
{
    pb_encoded *set = toy_set(8); /* one batch */
    pb_train_options o = options_with(steps, 1e-3);
    fixture f = fixture_open(spec, 2, 1);
    const pb_param *p = fixture_param(&f, name);
    size_t n = pb_param_elements(p);
    pb_real *first = pb_alloc(n * sizeof *first);
    memcpy(first, p->x, n * sizeof *first);
    o.decay = 0;
    pb_result r = train(&f, set, &o, 1);
    int count = 0;
    for (size_t i = 0; i < n; i++)
        count += first[i] != p->x[i];
    free(first);
    pb_result_free(&r);
    fixture_close(&f);
    toy_free(set);
    return count;
}

TEST(a_child_network_has_its_share_of_the_elements)
{
    static const char up[] = "layer.0.mlp.up.weight";
    CHECK_INT(moved("full", up, 1), 512);
    int count = moved("child-tuning:share=0.3", up, 1); /* of 512 */
    CHECK(count > 115 && count < 195);
    CHECK(moved("child-tuning:share=0.3", up, 2) > count + 50); /* each step draws */
    CHECK_INT(moved("child-tuning-d:share=0.25,targets=0.mlp.up,samples=8", up, 3), 128);
    CHECK_INT(moved("child-tuning-d:share=0.25,targets=0.mlp.up,samples=8", "layer.0.mlp.down.weight", 1), 512);
}

/* ---- two phases ----------------------------------------------------------------------------------------------- */

/* The elements of S that are not 0 after training, and of those the ones that the first phase has moved the most. */
TEST(a_lottery_ticket_has_its_share_of_the_weights_and_trains_from_zero)
{
    pb_encoded *set = toy_set(40); /* five batches */
    pb_train_options o = options_with(4, 1e-2);
    fixture f = fixture_open("lt-sft:share=0.1,targets=mlp.up", 2, 6);
    fixture g = fixture_open("lt-sft:share=1,targets=mlp.up", 2, 6);
    pb_result r = train(&f, set, &o, 6), all = train(&g, set, &o, 6);
    int kept = 0, whole = 0;
    for (int l = 0; l < 2; l++) {
        const pb_param *s = fixture_param(&f, l ? "layer.1.mlp.up.lt-sft.S" : "layer.0.mlp.up.lt-sft.S");
        const pb_param *w = fixture_param(&g, s->name);
        for (size_t i = 0; i < pb_param_elements(s); i++) {
            kept += s->x[i] != 0;
            whole += w->x[i] != 0;
        }
    }
    CHECK_INT(kept, 102); /* a tenth of 2 * 512 */
    CHECK_INT(whole, 1024);
    pb_result_free(&r);
    pb_result_free(&all);
    fixture_close(&f);
    fixture_close(&g);
    toy_free(set);
}

/* With a first phase of nearly all steps, the last step is the first one of the second phase: from S = 0 and without
 * moments AdamW moves each element by the learning rate. */
TEST(the_second_phase_begins_without_the_moments_of_the_first)
{
    pb_encoded *set = toy_set(40);
    pb_train_options o = options_with(2, 1e-2);
    fixture f = fixture_open("lt-sft:share=0.1,targets=mlp.up,phase=0.9", 2, 6);
    o.schedule = PB_CONSTANT_RATE;
    o.warmup = 0;
    pb_result r = train(&f, set, &o, 6);
    const pb_param *s = fixture_param(&f, "layer.0.mlp.up.lt-sft.S");
    int kept = 0;
    for (size_t i = 0; i < pb_param_elements(s); i++)
        if (s->x[i] != 0) {
            CHECK_NEAR(fabs((double)s->x[i]), 1e-2, 1e-2);
            kept++;
        }
    CHECK(kept > 10);
    pb_result_free(&r);
    fixture_close(&f);
    toy_free(set);
}

TEST(no_epoch_of_the_first_phase_is_the_best_one)
{
    pb_encoded *set = toy_set(40);
    pb_train_options o = options_with(6, 1e-2);
    o.patience = 1;
    fixture f = fixture_open("lt-sft:share=0.1,targets=mlp.up,phase=0.6", 2, 6);
    pb_result r = train(&f, set, &o, 6);
    CHECK(pb_result_at(&r, -1, -1, "train.best_epoch") > 3); /* of 30 steps 18 are the first phase */
    pb_result_free(&r);
    fixture_close(&f);
    toy_free(set);
    pb_testbed none;
    CHECK_INT(pb_testbed_open(&none, TINY, false, "lt-sft:phase=2", 3, 0), -1);
    pb_error_clear();
}

/* ---- pruned adapters ------------------------------------------------------------------------------------------ */

#define PRUNED "sparseadapter:bottleneck=6,sparsity=0.75"

static bool is_pruned_kind(const pb_param *p)
{
    return p->kind == PB_ADDED && p->rows > 1; /* D and U */
}

/* The scores of what is kept and of what is pruned do not overlap. */
TEST(sparseadapter_keeps_the_weights_with_the_largest_scores)
{
    fixture f = fixture_open(PRUNED, 3, 1), g = fixture_open(PRUNED, 3, 1);
    CHECK_INT(pb_testbed_start(&f), 0);
    fixture_forward(&g, &pb_testbed_texts, true, 0);
    pb_executor_backward(g.executor, g.graph);
    double least = INFINITY, most = 0;
    int kept = 0, all = 0;
    for (int i = 0; i < pb_model_params(f.model); i++) {
        const pb_param *p = pb_model_param(f.model, i), *q = pb_model_param(g.model, i);
        for (size_t k = 0; k < pb_param_elements(p) && is_pruned_kind(p); k++, all++) {
            double score = fabs((double)q->x[k] * (double)q->g[k]);
            least = p->x[k] != 0 ? fmin(least, score) : least;
            most = p->x[k] != 0 ? most : fmax(most, score);
            CHECK(p->x[k] == 0 || p->x[k] == q->x[k]);
            kept += p->x[k] != 0;
        }
    }
    CHECK_INT(all, 4 * 2 * 6 * 16); /* two sublayers of two layers */
    CHECK_INT(kept, all / 4);
    CHECK(least > 0.999 * most && most > 0);
    CHECK_INT((long long)pb_model_counts(f.model).trainable,
              all / 4 + 4 * (6 + 16) + (long long)pb_model_counts(f.model).head);
    fixture_close(&f);
    fixture_close(&g);
}

TEST(what_sparseadapter_prunes_stays_zero_while_the_rest_trains)
{
    pb_encoded *set = toy_set(40);
    pb_train_options o = options_with(2, 1e-2);
    fixture f = fixture_open(PRUNED, 2, 6);
    pb_result r = train(&f, set, &o, 6);
    int kept = 0;
    for (int i = 0; i < pb_model_params(f.model); i++) {
        const pb_param *p = pb_model_param(f.model, i);
        for (size_t k = 0; k < pb_param_elements(p) && is_pruned_kind(p); k++)
            kept += p->x[k] != 0;
    }
    CHECK_INT(kept, 2 * 6 * 16);
    CHECK_INT((long long)pb_result_get(&r, -1, "storage.trainable"),
              2 * 6 * 16 + 4 * (6 + 16) + (long long)pb_model_counts(f.model).head);
    pb_result_free(&r);
    fixture_close(&f);
    toy_free(set);
}

/* ---- diff pruning --------------------------------------------------------------------------------------------- */

/* With open gates it trains the weights; with closed ones it is the base. */
TEST(diff_pruning_adds_what_its_gates_let_through)
{
    fixture a = fixture_open("diff-pruning:targets=0.mlp.up", 3, 1), b = fixture_open("subset:only=0.mlp.up", 3, 1);
    pb_param *delta = fixture_param(&a, "layer.0.mlp.up.diff-pruning.delta"),
             *w = fixture_param(&b, "layer.0.mlp.up.weight");
    pb_param *alpha = fixture_param(&a, "layer.0.mlp.up.diff-pruning.alpha");
    fill_added(&a); /* alpha and the group's too */
    const double group = (double)fixture_param(&a, "layer.0.mlp.up.diff-pruning.group")->x[0];
    for (size_t i = 0; i < pb_param_elements(w); i++) {
        double z = 3 / (1 + exp(-(double)alpha->x[i])) - 1.5, g = 3 / (1 + exp(-group)) - 1.5;
        w->x[i] += (pb_real)(fmin(1, fmax(0, z)) * fmin(1, fmax(0, g)) * (double)delta->x[i]);
    }
    CHECK_NEAR(apart(a, b), 0, EXACT);
}

TEST(diff_pruning_ends_with_its_share_of_changes)
{
    pb_encoded *set = toy_set(40);
    pb_train_options o = options_with(4, 1e-2);
    fixture f = fixture_open("diff-pruning:share=0.1,alpha_rate=10,targets=mlp.up", 2, 6);
    pb_result r = train(&f, set, &o, 6);
    int kept = 0, open = 0;
    for (int l = 0; l < 2; l++) {
        char name[64];
        snprintf(name, sizeof name, "layer.%d.mlp.up.diff-pruning.delta", l);
        const pb_param *delta = fixture_param(&f, name);
        snprintf(name, sizeof name, "layer.%d.mlp.up.diff-pruning.alpha", l);
        const pb_param *alpha = fixture_param(&f, name);
        for (size_t i = 0; i < pb_param_elements(delta); i++) {
            kept += delta->x[i] != 0;
            open += alpha->x[i] == 20;
            CHECK(alpha->x[i] == (delta->x[i] != 0 ? 20 : -20));
        }
    }
    CHECK_INT(kept, 102); /* a tenth of 2 * 512 */
    CHECK_INT(open, 102);
    CHECK_INT((long long)pb_result_get(&r, -1, "storage.changed"), 102);
    pb_result_free(&r);
    fixture_close(&f);
    toy_free(set);
}
