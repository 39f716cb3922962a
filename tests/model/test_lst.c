/* Ladder side tuning: the FLOPs of its plan, and what it refuses.  Its activations are compared in test_memory_claims.c,
 * and the side network itself with transformers' layers in test_model.c. */
#include "fixture.h"

#include <unistd.h>

#include "model/config_writer.h"

enum { SEQUENCES = 4, LENGTH = 64, ROWS = SEQUENCES * LENGTH };

/* ---- plans of networks without weights -------------------------------------------------------------------------- */

/* BERT-base and a decoder of its size. */
static const pb_network_shape encoder = {
    .layers = 12, .width = 768, .heads = 12, .kv_heads = 12, .intermediate_size = 3072, .positions = 512, .bias = true};
static const pb_network_shape decoder = {
    .layers = 12, .width = 768, .heads = 12, .kv_heads = 4, .intermediate_size = 2048, .positions = 512, .bias = true};
enum { VOCAB = 8192 };

/* The plan of a training batch of texts of the same length: of classes, or of the token at every position. */
static pb_plan plan_of(const pb_network_shape *shape, const char *spec)
{
    static int ids[ROWS], offset[SEQUENCES + 1], zero[ROWS];
    char folder[] = "/tmp/peftbench-XXXXXX";
    bool decodes = shape == &decoder;
    if (!mkdtemp(folder) || pb_network_config_write(folder, decodes ? PB_CAUSAL : PB_MASKED, shape, VOCAB))
        PB_BUG("%s", pb_error_text());
    for (int s = 0; s <= SEQUENCES; s++)
        offset[s] = s * LENGTH;
    pb_attached part[PB_MAX_PARTS];
    int parts;
    pb_model *m = pb_model_open(&(pb_opening){.path = folder, .classes = decodes ? 0 : 2, .shapes_only = true});
    pb_arena *arena = pb_arena_new("plan");
    pb_graph *g = pb_graph_new(arena, true);
    pb_outputs out;
    pb_plan plan;
    pb_batch batch = {.sequences = SEQUENCES, .offset = offset, .ids = ids};
    *(decodes ? &batch.target : &batch.label) = zero;
    if (!m || pb_attached_parse(spec, part, &parts) || pb_model_attach(m, part, parts) ||
        pb_model_build(m, g, &batch, 0, 0, &out) || pb_graph_plan(g, out.logits, out.loss, &plan))
        PB_BUG("%s", pb_error_text());
    pb_arena_free(arena);
    pb_model_free(m);
    pb_attached_free(part, parts);
    pb_remove_tree(folder);
    return plan;
}

/* FLOPs of the gradient of a projection of `rows` rows: of its weight, and of its input if that needs one. */
static double linear(double rows, double in, double out, int gradients)
{
    return gradients * 2 * rows * in * out;
}

/* The gradient of attention is five products of a query with each of the keys that it sees. */
static double attention(double pairs, double width)
{
    return 5 * 2 * pairs * width;
}

/* The backward pass has the products of the side network, of its ladders (the gradients of their weights only) and of
 * the head; a single projection of the base more would have more FLOPs than all of these together. */
TEST(no_gradient_passes_through_a_decoder)
{
    double s = 96, f = 256, d = 768, pairs = SEQUENCES * LENGTH * (LENGTH + 1) / 2;
    double layer = linear(ROWS, d, s, 1) + linear(ROWS, s, s, 8) + attention(pairs, s) + linear(ROWS, s, f, 6);
    double want = 12 * layer + linear(ROWS, d, s, 1) + linear(ROWS, s, d, 2) + linear(ROWS, d, VOCAB, 1);
    CHECK_NEAR((double)plan_of(&decoder, "lst").backward_flops, want, 0);
}

/* Of the last block only the keys and values are of all rows, the rest is of the rows that the classifier reads.  The
 * pooler is the base's, its input has a gradient. */
TEST(no_gradient_passes_through_an_encoder)
{
    double s = 96, f = 384, d = 768, n = SEQUENCES, pairs = n * LENGTH * LENGTH;
    double layer = linear(ROWS, d, s, 1) + linear(ROWS, s, s, 8) + attention(pairs, s) + linear(ROWS, s, f, 4);
    double last = linear(ROWS, d, s, 1) + linear(ROWS, s, s, 4) + linear(n, s, s, 4) + attention(n * LENGTH, s) +
                  linear(n, s, f, 4);
    double head = linear(n, s, d, 2) + linear(n, d, d, 1) + linear(n, d, 2, 2);
    CHECK_NEAR((double)plan_of(&encoder, "lst").backward_flops, 11 * layer + last + linear(ROWS, d, s, 1) + head, 0);
}

/* ---- refusals ----------------------------------------------------------------------------------------------------- */

static void refuse(const char *spec, const char *why)
{
    fixture r;
    CHECK(pb_testbed_open(&r, "tests/golden/families/llama-3", false, spec, 0, 0) < 0);
    CHECK_TEXT(pb_error_text(), why);
    pb_error_clear();
}

TEST(blocks_are_at_layers_and_at_the_last)
{
    refuse("lst:targets=0.layer 1.layer",
           "lst: targets: want layers, such as 0.layer, with 2.layer among them, got '0.layer 1.layer'");
    refuse("lst:targets=*", "lst: targets: want layers, such as 0.layer, with 2.layer among them, got '*'");
}
