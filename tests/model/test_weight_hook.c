/* Weights made of parameters (pb_hooks.weight), tensors made again from the run's seed (pb_seeded, pb_seed), and SAID,
 * which is made of both. */
#include "fixture.h"

#include <unistd.h>

#include "util.h"

#include "model/config_writer.h"
#include "model/internal.h"
#include "numeric/fastfood.h"
#include "weights/safetensors.h"

#define DECODER "tests/golden/families/llama-3"

/* A tiny model with the methods of a spec, everything that trains perturbed. */
static fixture open_model(const char *path, const char *spec, int classes, uint64_t seed, pb_precision precision)
{
    fixture r = {.arena = pb_arena_new("weights"), .executor = pb_executor_new()};
    bool parsed = !*spec || !pb_attached_parse(spec, r.part, &r.parts);
    r.model =
        pb_model_open(&(pb_opening){.path = path, .classes = classes, .seed = seed, .base.precision = (int)precision});
    if (!parsed || !r.model || pb_model_attach(r.model, r.part, r.parts))
        PB_BUG("%s", pb_error_text());
    return r;
}

static pb_real *logits_of(fixture *r, size_t *n)
{
    bool classes = pb_model_head(r->model) == PB_HEAD_CLASSES;
    fixture_forward(r, classes ? &pb_testbed_texts : &pb_testbed_tokens, false, 0);
    const pb_node *out = pb_graph_output(r->graph);
    *n = (size_t)out->rows * (size_t)out->cols;
    pb_real *x = pb_alloc(*n * sizeof *x);
    memcpy(x, out->x, *n * sizeof *x);
    return x;
}

static double apart(fixture *a, fixture *b)
{
    size_t n, m;
    pb_real *x = logits_of(a, &n), *y = logits_of(b, &m);
    double most = n == m ? 0 : INFINITY;
    for (size_t i = 0; i < n && n == m; i++)
        most = fmax(most, fabs((double)x[i] - (double)y[i]));
    free(x);
    free(y);
    return most;
}

/* ---- the artifact ------------------------------------------------------------------------------------------ */

static const char file[] = "/tmp/peftbench-weight-hook.safetensors";

static void save(const fixture *r)
{
    if (pb_model_save(r->model, file))
        PB_BUG("%s", pb_error_text());
}

/* The saved file has exactly these tensors, in any order; `seed` is its metadata. */
static void check_file(const char *const *names, size_t n, const char *seed)
{
    pb_safetensors *f = pb_safetensors_open(file);
    CHECK(f != NULL);
    CHECK_INT((long long)pb_safetensors_count(f), (long long)n);
    for (size_t i = 0; i < n; i++)
        if (!CHECK(pb_safetensors_find(f, names[i]) != NULL))
            printf("  no %s\n", names[i]);
    const char *got = pb_safetensors_metadata(f, "seed");
    CHECK(seed ? got && !strcmp(got, seed) : !got);
    pb_safetensors_close(f);
}

/* Loading gives another seed's model the first one's logits, and its file. */
static void check_restored(const char *path, const char *spec, int classes)
{
    fixture first = open_model(path, spec, classes, 3, PB_IN_FP32),
            other = open_model(path, spec, classes, 4, PB_IN_FP32);
    fixture_stir(&first, 0.05);
    save(&first);
    CHECK(apart(&first, &other) > 1e-3);
    CHECK_INT(pb_model_load(other.model, file), 0);
    CHECK(apart(&first, &other) < 1e-5); /* the file has 32 bits */
    pb_digest before, after;
    CHECK_INT(pb_sha256_file(file, &before), 0);
    save(&other);
    CHECK_INT(pb_sha256_file(file, &after), 0);
    CHECK(memcmp(&before, &after, sizeof before) == 0);
    unlink(file);
    fixture_close(&first);
    fixture_close(&other);
}

TEST(the_artifact_of_said_is_its_vector_the_scales_and_a_seed)
{
    static const char *const structured[] = {"said.theta", "said.lambda"};
    fixture r = open_model(DECODER, "said:dimension=37", 0, 12345678901234567890u, PB_IN_FP32);
    save(&r);
    check_file(structured, 2, "12345678901234567890");
    pb_safetensors *f = pb_safetensors_open(file);
    CHECK_INT((long long)pb_safetensors_find(f, "said.theta")->count, 37);
    CHECK_INT((long long)pb_safetensors_find(f, "said.lambda")->count, pb_model_config(r.model)->layers);
    pb_safetensors_close(f);
    fixture_close(&r);
    r = open_model(DECODER, "said:dimension=37,structure=no", 0, 0, PB_IN_FP32);
    save(&r);
    check_file(structured, 1, "0");
    fixture_close(&r);
    unlink(file);
}

TEST(a_loaded_artifact_has_the_run_s_seed)
{
    check_restored(DECODER, "said:dimension=37", 0);
    check_restored(TINY, "said:dimension=1000,targets=attn.*", 3);
}

TEST(the_artifact_of_a_method_without_seeds_has_none)
{
    fixture r = open_model(DECODER, "lora:targets=0.attn.q", 0, 3, PB_IN_FP32);
    fixture_stir(&r, 0.05);
    save(&r);
    check_file((const char *const[]){"layer.0.attn.q.lora.A", "layer.0.attn.q.lora.B"}, 2, NULL);
    fixture_close(&r);
    unlink(file);
}

/* Writes the file again with this seed, or without one. */
static void replace_seed(const char *seed)
{
    pb_safetensors *f = pb_safetensors_open(file);
    CHECK(f && !pb_safetensors_write(file, pb_safetensors_at(f, 0), pb_safetensors_count(f),
                                     seed ? (const char *const[]){"seed", seed, NULL} : NULL));
    pb_safetensors_close(f);
}

TEST(an_artifact_without_its_seed_is_refused)
{
    static const char *const bad[] = {NULL, "", "three", "-1", "3x", "99999999999999999999"};
    fixture r = open_model(DECODER, "said", 0, 3, PB_IN_FP32);
    for (size_t i = 0; i < PB_COUNT(bad); i++) {
        save(&r);
        replace_seed(bad[i]);
        CHECK_INT(pb_model_load(r.model, file), -1);
        CHECK(
            strstr(pb_error_text(), bad[i] ? "in the metadata, want a number from 0 to" : "no 'seed' in the metadata"));
        pb_error_clear();
    }
    fixture_close(&r);
    unlink(file);
}

/* ---- seeded tensors ------------------------------------------------------------------------------------------ */

/* A method that adds tanh(x R^T), R random. */
static pb_node *add_random(pb_build *b, const pb_site *site, pb_node *x)
{
    pb_node *R = pb_seeded(b, site, "R", site->out, site->in, pb_init_normal(0.1));
    pb_node *y = pb_op_act(b->graph, PB_TANH, pb_op_linear(b->graph, x, R, NULL));
    return pb_op_add(b->graph, pb_inner_linear(b, site, x), y);
}

static const pb_method random_method = {.name = "random", .title = "random", .hooks.linear = add_random};

static fixture open_random(uint64_t seed)
{
    fixture r = open_model(TINY, "", 3, seed, PB_IN_FP32);
    pb_model_free(r.model);
    r.model = pb_model_open(&(pb_opening){.path = TINY, .classes = 3, .seed = seed});
    r.part[0] = (pb_attached){&random_method, NULL};
    if (!r.model || pb_model_attach(r.model, r.part, 1))
        PB_BUG("%s", pb_error_text());
    return r;
}

TEST(a_seeded_tensor_is_in_memory_but_in_no_artifact)
{
    fixture r = open_random(3), s = open_random(4), none = open_model(TINY, "", 3, 3, PB_IN_FP32);
    const pb_param *R = pb_model_find(r.model, "layer.0.mlp.up.random.R");
    CHECK(R && !R->trainable && R->seeded && !pb_model_stores(R));
    uint64_t added = pb_model_counts(r.model).added;
    CHECK(added > 0 && pb_model_counts(r.model).trainable == pb_model_counts(r.model).head);
    CHECK_INT((long long)pb_model_weight_bytes(r.model),
              (long long)(pb_model_weight_bytes(none.model) + added * sizeof(pb_real)));
    save(&r);
    pb_safetensors *f = pb_safetensors_open(file);
    for (size_t i = 0; i < pb_safetensors_count(f); i++)
        CHECK(strncmp(pb_safetensors_at(f, i)->name, "head.", 5) == 0);
    pb_safetensors_close(f);
    CHECK(apart(&r, &s) > 1e-3);
    CHECK_INT(pb_model_load(s.model, file), 0);
    CHECK(apart(&r, &s) < 1e-5);
    unlink(file);
    fixture_close(&r);
    fixture_close(&s);
    fixture_close(&none);
}

/* ---- the weight ---------------------------------------------------------------------------------------------- */

/* The folded weight of a site is W + lambda_l P theta, with P of the site's own key. */
static void check_site(const pb_model *m, const pb_site *s)
{
    char name[80];
    snprintf(name, sizeof name, "layer.%d.%s.said.P", s->layer, s->role);
    const pb_param *theta = pb_model_find(m, "said.theta"), *lambda = pb_model_find(m, "said.lambda");
    uint64_t key = pb_rng_named(m->seed, name).key;
    size_t count = (size_t)s->out * (size_t)s->in;
    int n = pb_power_of_two(theta->cols), order[64];
    pb_real *got = m->merged[2 * s->number].x, *base = pb_alloc(count * sizeof *base), x[64], y[64], normal[64];
    pb_param_values(s->w, 0, s->out, 0, s->in, base);
    double most = 0;
    for (size_t at = 0; at < count; at += (size_t)n) {
        int block = (int)at / n;
        uint64_t signs = pb_fastfood_signs(key, block);
        pb_fastfood f = pb_fastfood_draw(key, block, n, (double)count, normal, order);
        for (int j = 0; j < n; j++)
            x[j] = j < theta->cols ? pb_fastfood_sign(signs, j) * theta->x[j] * lambda->x[s->layer] : 0;
        pb_fastfood_multiply(&f, x, y);
        for (size_t i = 0; i < (size_t)n && at + i < count; i++)
            most = fmax(most, fabs((double)got[at + i] - (double)base[at + i] - (double)y[i]));
    }
    CHECK(most < 1e-6);
    free(base);
}

static void check_folded(pb_precision precision)
{
    fixture r = open_model(DECODER, "said:dimension=37,targets=attn.q mlp.*", 0, 3, precision);
    fixture plain = open_model(DECODER, "", 0, 3, precision);
    CHECK(apart(&r, &plain) < 1e-4); /* the packed weight as it is held */
    fixture_stir(&r, 0.05);
    size_t n, m;
    pb_real *unmerged = logits_of(&r, &n);
    CHECK(apart(&r, &plain) > 1e-3);
    CHECK_INT(pb_model_merge(r.model), 0);
    pb_real *merged = logits_of(&r, &m);
    for (size_t i = 0; i < n; i++)
        CHECK_NEAR((double)merged[i], (double)unmerged[i], 1e-4);
    for (int i = 0; i < pb_model_sites(r.model); i++) {
        const pb_site *s = pb_model_site(r.model, i);
        if (s->w && s->out && pb_site_in("attn.q mlp.*", s))
            check_site(r.model, s);
    }
    free(unmerged);
    free(merged);
    fixture_close(&r);
    fixture_close(&plain);
}

TEST(the_folded_weight_is_what_the_method_makes)
{
    check_folded(PB_IN_FP32);
    check_folded(PB_IN_NF4);
    check_folded(PB_IN_INT8);
}

/* DoRA around another method: each row of V = W' + 2 B A, where W' is the other method's weight and 2 = alpha / r, gets
 * the length m. */
static void check_rescaled(const pb_model *m, const pb_model *inner, const pb_site *s)
{
    const pb_param *A = pb_params_find_added(m, pb_method_find("lora"), s, "A"),
                   *B = pb_params_find_added(m, pb_method_find("lora"), s, "B"),
                   *length = pb_params_find_added(m, pb_method_find("lora"), s, "m");
    const pb_real *got = m->merged[2 * s->number].x, *w = inner->merged[2 * s->number].x;
    double *v = pb_alloc((size_t)s->in * sizeof *v), most = 0;
    for (int o = 0; o < s->out; o++) {
        double squares = 0;
        for (int i = 0; i < s->in; i++) {
            v[i] = (double)w[o * s->in + i];
            for (int r = 0; r < A->rows; r++)
                v[i] += 2 * (double)(B->x[o * A->rows + r] * A->x[r * s->in + i]);
            squares += v[i] * v[i];
        }
        for (int i = 0; i < s->in; i++)
            most = fmax(most, fabs((double)got[o * s->in + i] - (double)length->x[o] * v[i] / sqrt(squares)));
    }
    CHECK(most < 1e-6);
    free(v);
}

static void check_dora_around_said(pb_precision precision)
{
    static const char *const shared[] = {"said.theta", "said.lambda"};
    fixture r = open_model(DECODER, "lora:dora=yes,targets=attn.q+said:dimension=37,targets=attn.*", 0, 3, precision);
    fixture inner = open_model(DECODER, "said:dimension=37,targets=attn.*", 0, 3, precision);
    fixture_stir(&r, 0.05);
    for (size_t i = 0; i < PB_COUNT(shared); i++) {
        const pb_param *from = pb_model_find(r.model, shared[i]);
        memcpy(pb_model_find(inner.model, shared[i])->x, from->x, pb_param_bytes(from));
    }
    CHECK(!pb_model_merge(r.model) && !pb_model_merge(inner.model));
    for (int i = 0; i < pb_model_sites(r.model); i++)
        if (!strcmp(pb_model_site(r.model, i)->role, "attn.q"))
            check_rescaled(r.model, inner.model, pb_model_site(r.model, i));
    fixture_close(&r);
    fixture_close(&inner);
}

TEST(dora_divides_by_the_lengths_of_the_weight_that_inner_methods_make)
{
    check_dora_around_said(PB_IN_FP32);
    check_dora_around_said(PB_IN_NF4);
}

/* A weight that depends on the texts: what `embed` has seen. */
static pb_node *remember(pb_build *b, pb_node *x)
{
    *(pb_node **)pb_memo(b, sizeof x) = x;
    return x;
}

static pb_node *weight_of_texts(pb_build *b, const pb_site *site, pb_node *w)
{
    (void)site, (void)w;
    return *(pb_node **)pb_memo(b, sizeof w);
}

TEST(a_weight_that_depends_on_the_texts_is_refused)
{
    static const pb_method method = {.name = "texts",
                                     .title = "texts",
                                     .hooks.embed = remember,
                                     .hooks.weight = weight_of_texts,
                                     .traits.merges = true};
    pb_model *m = pb_model_open(&(pb_opening){.path = TINY, .classes = 3});
    CHECK(m && pb_model_attach(m, &(pb_attached){&method, NULL}, 1) == -1);
    if (!CHECK(strstr(pb_error_text(), "that depends on the batch, want one of parameters alone")))
        printf("  %s\n", pb_error_text());
    pb_error_clear();
    pb_model_free(m);
}

/* ---- memory, on shapes ------------------------------------------------------------------------------------- */

enum { WIDTH = 256, INNER = 1024 };

static size_t planned(const char *folder, const char *spec, int layers)
{
    fixture r = {.arena = pb_arena_new("weights"), .executor = pb_executor_new()};
    r.model = pb_model_open(&(pb_opening){.path = folder, .layers = layers, .shapes_only = true});
    if (pb_attached_parse(spec, r.part, &r.parts) || !r.model || pb_model_attach(r.model, r.part, r.parts) ||
        pb_testbed_plan(&r, &pb_testbed_tokens, true, 0))
        PB_BUG("%s", pb_error_text());
    size_t bytes = r.plan.activations;
    fixture_close(&r);
    return bytes;
}

/* The activations of LoRA, the largest weight, and its gradient; and nothing for each layer more. */
TEST(said_costs_lora_s_activations_and_one_weight)
{
    static const pb_network_shape shape = {
        .layers = 6, .width = WIDTH, .heads = 4, .kv_heads = 4, .intermediate_size = INNER, .positions = 64};
    char folder[] = "/tmp/peftbench-XXXXXX";
    CHECK(mkdtemp(folder) && !pb_network_config_write(folder, PB_CAUSAL, &shape, 96));
    size_t weight = (size_t)WIDTH * INNER * sizeof(pb_real), more[2];
    for (int i = 0; i < 2; i++) {
        int layers = i ? 6 : 2;
        size_t said = planned(folder, "said:dimension=1024", layers);
        size_t lora = planned(folder, "lora:rank=1,targets=*", layers);
        CHECK(said > lora && said <= lora + 2 * weight);
        more[i] = said - lora;
    }
    CHECK(more[1] <= more[0]);
    CHECK(more[1] > weight); /* the test sees the weight */
    pb_remove_tree(folder);
}
