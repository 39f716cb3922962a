/* p-tuning: a soft prompt that a small network computes of trained embeddings. */
#include "peftbench.h"

enum { MLP, LSTM };

PB_SETTINGS(SOFT_PROMPT("20"), CHOICE(encoder, "lstm", "mlp|lstm", "the network that computes the prompt"),
            INT(hidden, "0", 0, 65536, "h, the units of its layers; 0: C, or C/2 in each direction of the LSTM"),
            REAL(init, "1", 0, 10, "standard deviation of the embeddings at the start"));

/* A linear map of one or two inputs side by side, each with a weight of its own; all start in [-bound,bound). */
static pb_node *map(pb_build *b, const char *name, pb_node *first, pb_node *second, int out, double bound)
{
    if (!first)
        return NULL;
    pb_init init = pb_init_uniform(bound);
    pb_node *w = pb_added(b, NULL, pb_name(b, "%s.first", name), out, first->cols, init);
    pb_node *y = pb_op_linear(b->graph, first, w, pb_vector(b, NULL, pb_name(b, "%s.bias", name), out, init));
    const char *other = pb_name(b, "%s.second", name);
    return second ? pb_op_linear_add(b->graph, y, second, pb_added(b, NULL, other, out, second->cols, init), 1) : y;
}

/* One direction of a layer of the LSTM; two biases, as in PyTorch. */
static pb_node *direction(pb_build *b, int layer, bool back, int h, pb_node *first, pb_node *second)
{
    const char *name = pb_name(b, "lstm%d.%s", layer, back ? "back" : "forth");
    pb_init init = pb_init_kaiming(h);
    pb_node *x = map(b, pb_name(b, "%s.input", name), first, second, 4 * h, init.scale);
    x = pb_op_shift(b->graph, x, pb_vector(b, NULL, pb_name(b, "%s.bias", name), 4 * h, init));
    return pb_op_lstm(b->graph, x, pb_added(b, NULL, pb_name(b, "%s.weight", name), 4 * h, h, init), back);
}

/* W_2 relu(W_1 [forth; back] + b_1) + b_2 of an LSTM of two layers.  The second one reads both directions of the
 * first. */
static pb_node *by_lstm(pb_build *b, pb_node *e)
{
    const conf *c = pb_conf(b);
    int h = c->hidden ? c->hidden : (b->width + 1) / 2;
    pb_node *f0 = direction(b, 0, false, h, e, NULL), *b0 = direction(b, 0, true, h, e, NULL);
    pb_node *f1 = direction(b, 1, false, h, f0, b0), *b1 = direction(b, 1, true, h, f0, b0);
    pb_node *y = pb_op_act(b->graph, PB_RELU, map(b, "mlp0", f1, b1, 2 * h, 1 / sqrt(2 * h)));
    return map(b, "mlp1", y, NULL, b->width, 1 / sqrt(2 * h));
}

/* W_3 relu(W_2 relu(W_1 e + b_1) + b_2) + b_3 */
static pb_node *by_mlp(pb_build *b, pb_node *e)
{
    const conf *c = pb_conf(b);
    int h = c->hidden ? c->hidden : b->width;
    pb_node *y = pb_op_act(b->graph, PB_RELU, map(b, "mlp0", e, NULL, h, 1 / sqrt(b->width)));
    y = pb_op_act(b->graph, PB_RELU, map(b, "mlp1", y, NULL, h, 1 / sqrt(h)));
    return map(b, "mlp2", y, NULL, b->width, 1 / sqrt(h));
}

static pb_node *embed(pb_build *b, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_node *e = pb_added(b, NULL, "embed", c->prompt.length, b->width, pb_init_normal(c->init));
    return pb_soft_prompt_put(b, c->encoder == LSTM ? by_lstm(b, e) : by_mlp(b, e), x);
}

const pb_method pb_method_p_tuning = {
    .name = "p-tuning",
    .title = "P-tuning: a prompt computed by a small network",
    .paper = "Liu et al. 2021, GPT understands, too, arXiv:2103.10385",
    .help = "Puts a prompt in front of every text that an LSTM or an MLP computes of trained embeddings.",
    .equation = "y = f([P; E(x)]), P = MLP(LSTM(e)) with a bidirectional LSTM of two layers, or P = MLP(e)",
    .notes = "The sizes are those of the authors' code: C/2 units in each direction and no dropout; encoder = mlp is "
             "PEFT's default. The paper puts soft tokens at places of a template; here they are in front of the text. "
             "PEFT keeps the computed prompt alone; an artifact here has the embeddings and the network.",
    .count = "h = hidden + (hidden==0)*((encoder==0)*width+encoder*ceil(width/2)); model: length*width + "
             "(encoder==0)*(h*width+h + h*h+h + width*h+width) + encoder*(2*(4*h*width+4*h*h+8*h) + "
             "2*(4*h*2*h+4*h*h+8*h) + 2*h*2*h+2*h + width*2*h+width)",
    .deviation = "embed: init",
    .traits = {PB_ADDITIVE},
    .settings = {options, sizeof(conf), "length"},
    .hooks = {.embed = embed},
    /* PEFT has the computed prompt alone, which is read as one of prompt tuning. */
    .peft = PB_PEFT("P_TUNING", .only_written = true, PB_SOFT_PROMPT_PEFT),
};
