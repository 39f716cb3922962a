/* What methods claim of memory, as plans of BERT-base and of a decoder of its size show it: shapes only, no weights. */
#include "fixture.h"

#include <unistd.h>

#include "base/threads.h"
#include "model/config_writer.h"
#include "model/internal.h"
#include "model/start.h"

enum { SEQUENCES = 4, LENGTH = 64, ROWS = SEQUENCES * LENGTH, WIDTH = 768, VOCAB = 8192 };

/* ---- plans of networks without weights -------------------------------------------------------------------------- */

static const pb_network_shape encoder = {.layers = 12,
                                         .width = WIDTH,
                                         .heads = 12,
                                         .kv_heads = 12,
                                         .intermediate_size = 3072,
                                         .positions = 512,
                                         .bias = true};
static const pb_network_shape decoder = {.layers = 12,
                                         .width = WIDTH,
                                         .heads = 12,
                                         .kv_heads = 4,
                                         .intermediate_size = 2048,
                                         .positions = 512,
                                         .bias = true};

/* A model with the methods of a spec, and the plan of a training batch of texts of the same length: of classes, or of
 * the token at every position. */
typedef struct planned {
    pb_model *model;
    pb_attached part[PB_MAX_PARTS];
    int parts;
    pb_arena *arena;
    pb_graph *graph;
    pb_plan plan;
} planned;

static int ids[ROWS], offset[SEQUENCES + 1], zero[ROWS];

static pb_batch batch_of(const pb_model *m, int sequences)
{
    for (int s = 0; s <= SEQUENCES; s++)
        offset[s] = s * LENGTH;
    pb_batch batch = {.sequences = sequences, .offset = offset, .ids = ids};
    *(pb_model_is_causal(m) ? &batch.target : &batch.label) = zero;
    return batch;
}

static planned open_plan(pb_network_shape shape, const char *spec)
{
    char folder[] = "/tmp/peftbench-XXXXXX";
    bool decodes = shape.kv_heads < shape.heads;
    planned p = {.arena = pb_arena_new("plan")};
    if (!mkdtemp(folder) || pb_network_config_write(folder, decodes ? PB_CAUSAL : PB_MASKED, &shape, VOCAB))
        PB_BUG("%s", pb_error_text());
    p.model = pb_model_open(&(pb_opening){.path = folder, .classes = decodes ? 0 : 2, .shapes_only = true});
    p.graph = pb_graph_new(p.arena, true);
    pb_outputs out;
    if (!p.model || pb_attached_parse(spec, p.part, &p.parts) || pb_model_attach(p.model, p.part, p.parts))
        PB_BUG("%s: %s", spec, pb_error_text());
    pb_batch batch = batch_of(p.model, SEQUENCES);
    if (pb_model_build(p.model, p.graph, &batch, 0, 0, &out) || pb_graph_plan(p.graph, out.logits, out.loss, &p.plan))
        PB_BUG("%s: %s", spec, pb_error_text());
    pb_remove_tree(folder);
    return p;
}

static void close_plan(planned *p)
{
    pb_arena_free(p->arena);
    pb_model_free(p->model);
    pb_attached_free(p->part, p->parts);
}

static pb_plan plan_of(pb_network_shape shape, const char *spec)
{
    planned p = open_plan(shape, spec);
    close_plan(&p);
    return p.plan;
}

/* The activations of a further layer in the middle of the network.  Layers are alike but for the first and the last,
 * where gradients begin and rows end, and for what is in memory at the peak only. */
static size_t of_a_layer(pb_network_shape shape, const char *spec)
{
    pb_network_shape deeper = shape;
    deeper.layers++;
    return plan_of(deeper, spec).activations - plan_of(shape, spec).activations;
}

/* ---- activations -------------------------------------------------------------------------------------------------- */

static void check_more(const char *what, const char *spec, size_t bytes, size_t before)
{
    if (!CHECK(bytes > before))
        printf("  %s: %s: %zu bytes, want more than %zu\n", spec, what, bytes, before);
}

/* Each of these has more activations than the one in front of it.  A prompt has them for its tokens in every layer: with
 * one token instead of 20 beside texts of 64 it would be in front of LoRA. */
static void check_order(pb_network_shape shape)
{
    static const char *const specs[] = {"head", "lst", "bitfit", "lora", "houlsby", "prompt:length=20"};
    size_t before = 0;
    for (size_t i = 0; i < PB_COUNT(specs); i++) {
        size_t bytes = plan_of(shape, specs[i]).activations;
        check_more("activations", specs[i], bytes, before);
        before = bytes;
    }
}

TEST(activations_grow_from_lst_to_bitfit_to_lora_to_adapters_to_prompts)
{
    check_order(encoder);
    check_order(decoder);
}

/* An adapter behind the MLP alone keeps less than LoRA in a whole network, as no gradient passes below that of the first
 * layer; in a layer it keeps more. */
static void check_adapters(pb_network_shape shape)
{
    static const char *const specs[] = {"pfeiffer", "houlsby", "houlsby:norms=no", "parallel", "lin", "compacter"};
    size_t lora = of_a_layer(shape, "lora"), prompt = of_a_layer(shape, "prompt:length=20");
    check_more("activations of a layer", "lora", lora, of_a_layer(shape, "bitfit"));
    for (size_t i = 0; i < PB_COUNT(specs); i++) {
        size_t adapter = of_a_layer(shape, specs[i]);
        check_more("activations of a layer", specs[i], adapter, lora);
        check_more("activations of a layer", "prompt", prompt, adapter);
    }
}

TEST(a_layer_with_adapters_keeps_more_than_one_with_lora_and_less_than_one_with_prompts)
{
    check_adapters(encoder);
    check_adapters(decoder);
    CHECK(plan_of(encoder, "pfeiffer").activations < plan_of(encoder, "lora").activations);
}

static void check_inputs(pb_network_shape shape, const char *targets, size_t columns)
{
    char lora[64], frozen[64];
    snprintf(lora, sizeof lora, "lora:targets=%s", targets);
    snprintf(frozen, sizeof frozen, "lora-fa:targets=%s", targets);
    CHECK_INT((long long)(of_a_layer(shape, lora) - of_a_layer(shape, frozen)),
              (long long)(columns * ROWS * sizeof(pb_real)));
}

/* The queries and values have one input, which is all that LoRA keeps for the gradient of A.  The input of attn.o is the
 * output of attention, whose own gradient reads it; with a frozen A it is kept too. */
TEST(lora_with_a_frozen_A_does_not_keep_the_inputs_of_its_projections)
{
    check_inputs(encoder, "attn.q attn.v", WIDTH);
    check_inputs(decoder, "attn.q attn.v", WIDTH);
    check_inputs(encoder, "attn.o", 0);
    check_inputs(encoder, "*", WIDTH + WIDTH + 3072);
    check_inputs(decoder, "*", WIDTH + WIDTH + 2048);
}

/* ---- sparse updates ------------------------------------------------------------------------------------------------ */

static size_t index_bytes(const pb_model *m)
{
    size_t sum = 0;
    for (int i = 0; i < pb_model_params(m); i++)
        sum += pb_model_param(m, i)->index ? pb_param_bytes(pb_model_param(m, i)) : 0;
    return sum;
}

/* As many gradients (and so moments) and weights as a LoRA that trains as many numbers, and the places.  The activations
 * are LoRA's without B's inputs, of which a layer has `inner` columns.  The workspace, which does not grow with the
 * batch, is that of 8 units of 16 rows of the widest input for each thread. */
static void check_sparse(pb_network_shape shape, size_t inner)
{
    planned sparse = open_plan(shape, "shira:choose=random,rank=8"), lora = open_plan(shape, "lora:rank=8,targets=*");
    size_t places = index_bytes(sparse.model);
    CHECK(places > 0);
    CHECK_INT((long long)sparse.plan.gradients, (long long)lora.plan.gradients);
    CHECK_INT((long long)pb_model_counts(sparse.model).trainable, (long long)pb_model_counts(lora.model).trainable);
    CHECK_INT((long long)(pb_model_weight_bytes(sparse.model) - pb_model_weight_bytes(lora.model)), (long long)places);
    CHECK_INT((long long)places, (long long)(pb_model_counts(sparse.model).added * sizeof(int)));
    CHECK(sparse.plan.activations <= lora.plan.activations);
    CHECK_INT((long long)sparse.plan.workspace,
              (long long)sizeof(pb_real) * pb_threads_count() * 8 * 16 * shape.intermediate_size);
    close_plan(&sparse);
    close_plan(&lora);
    CHECK_INT((long long)(of_a_layer(shape, "lora:rank=8,targets=*") - of_a_layer(shape, "shira:choose=random,rank=8")),
              (long long)(inner * ROWS * sizeof(pb_real)));
}

TEST(a_sparse_update_trains_in_the_memory_of_a_lora_and_its_places)
{
    check_sparse(encoder, 6 * 8);
    check_sparse(decoder, 7 * 8);
}

static pb_batch make_batch(const void *ctx, pb_arena *arena, const int *example, int n)
{
    (void)arena, (void)example;
    return batch_of(ctx, n);
}

/* Bytes of all weights of projections, and of the numbers that the methods train. */
static size_t dense_bytes(const pb_model *m)
{
    size_t sum = 0;
    for (int i = 0; i < pb_model_sites(m); i++) {
        const pb_site *site = pb_model_site(m, i);
        sum += site->w ? (size_t)site->in * (size_t)site->out * sizeof(pb_real) : 0;
    }
    return sum;
}

static size_t trained_bytes(const pb_model *m)
{
    size_t sum = 0;
    for (int i = 0; i < pb_model_params(m); i++) {
        const pb_param *p = pb_model_param(m, i);
        sum += p->kind == PB_ADDED && p->trainable ? pb_arena_size(pb_param_bytes(p)) : 0;
    }
    return sum;
}

/* The preparation has the gradient of a batch and the sum over batches, of the weights and, where the mean gradient is
 * asked for, of the method's own tensors; or nothing. */
static void check_preparation(pb_network_shape shape, const char *spec, bool weights, bool own)
{
    static const int class_count[2] = {2, 2};
    planned p = open_plan(shape, spec);
    size_t want = (weights ? dense_bytes(p.model) : 0) + (own ? trained_bytes(p.model) : 0);
    pb_preparation used;
    pb_samples samples = {.classes = 2,
                          .class_count = class_count,
                          .count = SEQUENCES,
                          .batch = SEQUENCES,
                          .make = make_batch,
                          .ctx = p.model};
    CHECK_INT(pb_model_plan_start(p.model, &samples, &used), 0);
    bool good = CHECK_INT((long long)used.gradients, (long long)want);
    if (!CHECK_INT((long long)used.statistics, (long long)want) || !good)
        printf("  %s\n", spec);
    close_plan(&p);
}

TEST(a_choice_by_gradients_takes_two_dense_buffers)
{
    check_preparation(encoder, "fishmask", true, false);
    check_preparation(decoder, "fishmask", true, false);
    check_preparation(encoder, "sift", true, true);
    check_preparation(decoder, "shira", true, true);
    check_preparation(encoder, "lora-ga:targets=*", true, true);
    check_preparation(encoder, "shira:choose=random", false, false);
    check_preparation(encoder, "supertuning", false, false);
}

/* ---- methods that change the weight, and those that need not ------------------------------------------------------- */

/* A LoRA of rank 1 keeps the same inputs.  Returns what a method needs more, in matrices of the size of the largest
 * weight. */
static double matrices_more(pb_network_shape shape, const char *spec)
{
    double largest = (double)WIDTH * shape.intermediate_size * sizeof(pb_real);
    pb_plan lora = plan_of(shape, "lora:rank=1,targets=*"), own = plan_of(shape, spec);
    return ((double)own.activations - (double)lora.activations) / largest;
}

static void check_matrices(pb_network_shape shape, const char *spec, double least, double most)
{
    double more = matrices_more(shape, spec);
    if (!CHECK(more >= least && more <= most))
        printf("  %s: LoRA and %.2f matrices, want %.0f to %.0f\n", spec, more, least, most);
    CHECK(of_a_layer(shape, spec) <= of_a_layer(shape, "lora:rank=1,targets=*"));
}

TEST(a_changed_weight_and_its_gradient_are_in_memory_one_at_a_time)
{
    static const char *const specs[] = {
        "said", "did", "lt-sft", "hira:targets=*", "glora:targets=*", "diff-pruning:groups=no"};
    for (size_t i = 0; i < PB_COUNT(specs); i++) {
        check_matrices(encoder, specs[i], 1, 2);
        check_matrices(decoder, specs[i], 0, 2); /* the peak of the decoder is that of its logits */
    }
}

/* One more where a gradient reads what the changed weight was made of: the change, by the gate of the whole matrix; a
 * spectrum, by the transform; and in RandLoRA besides the product its factors. */
TEST(some_weights_are_made_of_a_further_matrix)
{
    check_matrices(encoder, "diff-pruning", 2, 3);
    check_matrices(encoder, "fourierft:targets=*", 2, 3);
    check_matrices(encoder, "bat:targets=*", 2, 3);
    check_matrices(encoder, "randlora:targets=*", 3, 4);
}

/* The most elements of a tensor that is made of parameters, of what it keeps for its gradient, and of a tensor that the
 * method has added. */
static size_t largest_tensor(const planned *p)
{
    size_t most = 0;
    for (int i = 0; pb_graph_at(p->graph, i); i++) {
        const pb_node *n = pb_graph_at(p->graph, i);
        size_t value = n->op && !n->set ? (size_t)n->rows * (size_t)n->cols : 0;
        size_t aux = n->op && !n->set && n->op->aux ? n->op->aux(n) : 0;
        most = value > most ? value : most;
        most = aux > most ? aux : most;
    }
    for (int i = 0; i < pb_model_params(p->model); i++) {
        const pb_param *q = pb_model_param(p->model, i);
        size_t n = q->kind == PB_ADDED ? (size_t)q->rows * (size_t)q->cols : 0;
        most = n > most ? n : most;
    }
    return most;
}

static size_t largest_of(pb_network_shape shape, const char *spec)
{
    planned p = open_plan(shape, spec);
    size_t most = largest_tensor(&p);
    close_plan(&p);
    return most;
}

TEST(factors_are_applied_without_a_matrix_of_the_weight_s_size)
{
    static const char *const specs[] = {"krona:targets=*",
                                        "lokr:targets=*",
                                        "loha:targets=*",
                                        "hra:targets=*",
                                        "oft:targets=*,blocks=0,size=32",
                                        "oft",
                                        "c3a:targets=*,size=256",
                                        "pvera:rank=32,targets=*",
                                        "adamss:rank=64,targets=*",
                                        "vera:rank=64,targets=*"};
    size_t least = (size_t)WIDTH * (size_t)WIDTH / 3; /* the keys of the decoder are the smallest */
    for (size_t i = 0; i < PB_COUNT(specs); i++) {
        size_t most[] = {largest_of(encoder, specs[i]), largest_of(decoder, specs[i])};
        if (!CHECK(most[0] < (size_t)WIDTH * WIDTH) || !CHECK(most[1] < least))
            printf("  %s: %zu and %zu elements\n", specs[i], most[0], most[1]);
    }
}

/* The rotations of the input have in * in / blocks elements, which is no less than those of a weight that is narrow. */
TEST(the_rotations_of_oft_grow_with_the_square_of_the_input)
{
    CHECK_INT((long long)largest_of(encoder, "oft:targets=mlp.down,blocks=4"), 3072 * 3072 / 4);
    CHECK_INT((long long)largest_of(encoder, "oft:targets=mlp.down,blocks=0,size=32"), 3072 * 32);
}

/* ---- artifacts ------------------------------------------------------------------------------------------------------ */

/* The artifact has what trains, and a seed; `added` numbers of the method's are trained in the encoder. */
static void check_artifact(const char *spec, uint64_t added)
{
    planned p = open_plan(encoder, spec);
    CHECK_INT((long long)pb_model_counts(p.model).trainable, (long long)(pb_model_counts(p.model).head + added));
    for (int i = 0; i < pb_model_params(p.model); i++) {
        const pb_param *q = pb_model_param(p.model, i);
        if (!CHECK(pb_model_stores(q) == q->trainable))
            printf("  %s: %s\n", spec, q->name);
    }
    CHECK(p.model->uses_seed);
    close_plan(&p);
}

TEST(artifacts_of_random_projections_hold_what_trains_and_a_seed)
{
    check_artifact("vera:rank=256", 24 * (256 + WIDTH));
    check_artifact("pvera:rank=256", 24 * (2 * 256 + WIDTH));
    check_artifact("unilora:dimension=256", 256);
    check_artifact("said:dimension=1000", 1000 + 12);
    check_artifact("did:dimension=1000", 1000);
}
