/* llama-adapter: trained tokens beside the text in the upper layers, which attention sees through a gate that starts
 * closed. */
#include "peftbench.h"

enum { HEADS, ONE };

PB_SETTINGS(INT(length, "10", 1, 4096, "K, the number of adaption tokens in each layer"),
            INT(top, "30", 1, 100000, "L, the topmost layers that have them"),
            CHOICE(gate, "heads", "heads|one", "the tanh of a gate for each head, or one plain factor as in PEFT"),
            REAL(init, "1", 1e-9, 10, "standard deviation of the tokens at the start"));

/* y with each head multiplied by its gate: the columns of a head are neighbours. */
static pb_node *gated(pb_build *b, const pb_site *site, pb_node *y)
{
    const conf *c = pb_conf(b);
    if (!y || c->gate == ONE)
        return pb_op_scale(b->graph, y, pb_vector(b, site, "gate", 1, pb_init_constant(0)));
    int heads = b->style.heads,
        *head = pb_arena_alloc(pb_graph_arena(b->graph), PB_META, (size_t)y->cols * sizeof *head);
    for (int j = 0; j < y->cols; j++)
        head[j] = j / (y->cols / heads);
    pb_node *gates = pb_op_act(b->graph, PB_TANH, pb_vector(b, site, "gate", heads, pb_init_constant(0)));
    return pb_op_scale(b->graph, y, pb_op_gather(b->graph, gates, head, NULL, 1, y->cols));
}

/* attention + g * softmax(q K_P^T / sqrt(hd)) V_P, where K_P and V_P are the layer's keys and values of P [K,C]. */
static pb_node *attention(pb_build *b, const pb_site *site, pb_node *q, pb_node *k, pb_node *v)
{
    const conf *c = pb_conf(b);
    pb_node *y = pb_inner_attention(b, site, q, k, v);
    if (site->layer < site->layers - c->top)
        return y;
    pb_node *P = pb_added(b, site, "prompt", c->length, b->width, pb_init_normal(c->init));
    pb_node *keys = pb_project(b, site, "attn.k", P), *values = pb_project(b, site, "attn.v", P);
    return pb_op_add(b->graph, gated(b, site, pb_op_cross_attention(b->graph, q, keys, values, b->style.heads)), y);
}

const pb_method pb_method_llama_adapter = {
    .name = "llama-adapter",
    .title = "LLaMA-Adapter: adaption tokens behind zero-initialized gates",
    .paper = "Zhang et al. 2023, LLaMA-Adapter, arXiv:2303.16199",
    .help = "Lets the upper layers attend to trained tokens through gates that start at zero.",
    .equation = "softmax(q K^T) V + g softmax(q (W_k P)^T) W_v P with g = tanh(gate), 0 at the start",
    .notes = "As in the authors' code, each head has a gate with a tanh, the tokens' keys have no position while the "
             "queries do, and the start of the tokens is N(0,1). PEFT has one gate a layer without tanh (gate = one); "
             "in a GPT-2 it adds the tokens behind the output projection, and its adapters of those are not read. The "
             "keys are not normalized in a network that normalizes each head of its keys. The paper's default is 30 of "
             "LLaMA-7B's 32 layers; smaller networks then have tokens in all layers. That the gates keep the knowledge "
             "of a large instruction-tuned model cannot be seen in a small one.",
    .count = "model: min(top,layers)*(length*width + (gate==0)*heads + (gate==1))",
    .deviation = "prompt: init; gate: 0",
    .traits = {PB_ADDITIVE, .identity = true},
    .settings = {options, sizeof(conf), "length"},
    .hooks = {.attention = attention},
    .peft = PB_PEFT(
        "ADAPTION_PROMPT", .layout = PB_PEFT_ATTENTIONS, .families = "llama mistral",
        .tensors = PB_PEFT_TENSORS({"prompt", "adaption_prompt", "1, rows, cols"}, {"gate", "adaption_gate", "cols"}),
        .keys = PB_PEFT_KEYS({"adapter_len", "length"}, {"adapter_layers", "top", .formula = "min(top, layers)"}),
        .loaded = PB_PEFT_TENSORS({"gate", "one"})),
};
