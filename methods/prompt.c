/* prompt: trained word embeddings in front of the text. */
#include "peftbench.h"

enum { RANDOM, VOCABULARY };

PB_SETTINGS(SOFT_PROMPT("20"),
            REAL(init, "0.05", 0, 10, "standard deviation at the start; word embeddings have about 0.05"),
            CHOICE(start, "random", "random|vocabulary",
                   "start from normal numbers, or from embeddings of tokens drawn from the vocabulary"),
            INT(rank, "0", 0, 4096, "r, the rank of the prompt U V; 0: one matrix"),
            BOOL(mlp, "no", "add to each row of the prompt what an MLP makes of it"),
            INT(hidden, "400", 1, 65536, "m, the bottleneck dimension of that MLP"));

/* The prompt [P,C], or U V.  The deviations of U and V are such that the elements of U V have the deviation `init`. */
static pb_node *soft_tokens(pb_build *b)
{
    const conf *c = pb_conf(b);
    if (!c->rank)
        return pb_added(b, NULL, "embed", c->prompt.length, b->width, pb_init_normal(c->init));
    pb_node *U = pb_added(b, NULL, "U", c->prompt.length, c->rank, pb_init_normal(1 / sqrt(c->rank)));
    pb_node *V = pb_added(b, NULL, "V", c->rank, b->width, pb_init_normal(c->init));
    return pb_op_product(b->graph, U, false, V, false);
}

/* p + norm(W_up relu(W_down p + b_down) + b_up), row by row, with a layer normalization. */
static pb_node *residual(pb_build *b, pb_node *p)
{
    const conf *c = pb_conf(b);
    pb_graph *g = b->graph;
    int width = b->width, m = c->hidden;
    pb_init wide = pb_init_kaiming(width), thin = pb_init_kaiming(m);
    pb_affine down = pb_affine_started(b, NULL, "down", m, width, wide, wide);
    pb_affine up = pb_affine_started(b, NULL, "up", width, m, thin, thin);
    pb_node *y = pb_affine_apply(b, up, pb_op_act(g, PB_RELU, pb_affine_apply(b, down, p)));
    pb_node *gain = pb_vector(b, NULL, "norm.weight", width, pb_init_constant(1));
    pb_node *bias = pb_vector(b, NULL, "norm.bias", width, pb_init_constant(0));
    return pb_op_add(g, pb_op_norm(g, y, gain, bias, 1e-5), p);
}

/* [P; x]: P [P,C] takes the first positions of every sequence. */
static pb_node *embed(pb_build *b, pb_node *x)
{
    const conf *c = pb_conf(b);
    if (c->rank && c->start == VOCABULARY)
        return pb_refuse(
            "prompt: start = vocabulary with rank = %d; want rank = 0, since embeddings of tokens have full rank",
            c->rank);
    pb_node *prompt = soft_tokens(b);
    return pb_soft_prompt_put(b, c->mlp ? residual(b, prompt) : prompt, x);
}

/* Each row becomes the embedding of a token; all tokens are equally likely. */
static void start(pb_build *b, const pb_training_stats *stats)
{
    (void)stats;
    const conf *c = pb_conf(b);
    if (c->start != VOCABULARY)
        return;
    pb_param *prompt = pb_tensor(b, NULL, "embed");
    const pb_param *table = pb_find_param(b, "embed.word");
    pb_rng r = {.key = pb_seed(b, NULL, "tokens")};
    for (int i = 0; i < c->prompt.length; i++) {
        int id = (int)pb_rng_below(&r, (uint64_t)table->rows);
        pb_param_values(table, id, id + 1, 0, table->cols, prompt->x + (size_t)i * (size_t)table->cols);
    }
}

const pb_method pb_method_prompt = {
    .name = "prompt",
    .title = "Prompt tuning: trained input embeddings",
    .paper = "Lester et al. 2021, The power of scale for parameter-efficient prompt tuning, arXiv:2104.08691",
    .help = "Puts P trained embeddings in front of every text.",
    .equation = "y = f([P; E(x)]); with rank: P = U V; with mlp: P + norm(W_up relu(W_down P + b_down) + b_up)",
    .notes = "The paper starts from embeddings of the 5000 most common tokens or of the class labels, with Adafactor "
             "at the learning rate 0.3. Here the default is a normal start, start = vocabulary draws from the whole "
             "vocabulary, since ids are not in the order of frequency in every tokenizer, and the optimizer is AdamW. "
             "That prompt tuning comes near full fine-tuning is shown for models of ten billion parameters, which a "
             "small model cannot show.",
    .count = "model: (rank==0)*length*width + rank*(length+width) + mlp*(2*hidden*width+hidden+3*width)",
    .deviation = "embed: init; U: 1/sqrt(rank); V: init; down.weight: 1/sqrt(3*width); up.weight: 1/sqrt(3*hidden)",
    .traits = {PB_ADDITIVE},
    .settings = {options, sizeof(conf), "length"},
    .presets = PB_PRESETS(
        {.name = "lopt",
         .title = "LoPT: a prompt of low rank",
         .paper =
             "Guo et al. 2024, LoPT: Low-rank prompt tuning for parameter efficient language models, arXiv:2406.19486",
         .spec = "rank=4",
         .notes = "This is LoPT-1, P = U V; LoPT-2, which makes P of a fixed random matrix, is not here. Xiao et al. "
                  "2023 (arXiv:2310.10094) train the same product with rank 10. How the paper starts U and V could not "
                  "be checked; here U V starts with the standard deviation of plain prompt tuning."},
        {.name = "residual-prompt",
         .title = "Residual prompt tuning: P + MLP(P)",
         .paper = "Razdaibiedina et al. 2023, Residual prompt tuning, arXiv:2305.03937",
         .spec = "mlp=yes,start=vocabulary",
         .notes =
             "One MLP is shared by all soft tokens. The bottleneck of 400 is that of the published count for T5-large, "
             "and the linear layers start as PyTorch's do. The authors store the projected prompt alone; an artifact "
             "here has the prompt and the MLP, and an exported PEFT adapter has the projected prompt."}),
    .hooks = {.embed = embed, .start = start},
    /* Context-aware prompt tuning, whose file has the prompt that it has trained: the embeddings of examples with what
     * was added to them inside its bounds. */
    .peft = PB_PEFT(
        PB_PROMPT_TUNING_PEFT, .also = "P_TUNING",
        .other = PB_PEFT("CPT", PB_PEFT_TENSORS({"embed", "prompt_embeddings"}),
                         PB_PEFT_KEYS({"num_virtual_tokens", "length"}, {"task_type", .words = "\"CAUSAL_LM\""}),
                         .layout = PB_PEFT_PROMPT, .loaded = PB_PEFT_TENSORS({"pool", "first"}))),
};
