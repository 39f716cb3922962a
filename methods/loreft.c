/* loreft: edits of the hidden states behind a layer within a subspace of r dimensions, at a few tokens of each text. */
#include "peftbench.h"

PB_SETTINGS(INT(rank, "1", 1, 4096, "r, the dimensions of the subspace"),
            INT(first, "1", 0, 4096, "the edited tokens at the start of a text"),
            INT(last, "0", 0, 4096, "those at its end, except in a model that generates"),
            BOOL(orthonormal, "yes", "the rows of R are orthonormal"),
            BOOL(difference, "yes", "subtract R h, the projection before the edit"),
            TEXT(targets, "layer", "the layers behind which hidden states are edited, such as 3.layer"));

/* Behind the last layer of a decoder nothing reads the first tokens of a text, so an edit there would not train. */
static bool edits(const pb_build *b, const conf *c, const pb_site *site)
{
    return !b->style.causal || c->last || site->layer < site->layers - 1;
}

/* y + R^T (W y + b - R y) at the chosen tokens;  R and W [r,C], b [1,r] */
static pb_node *block(pb_build *b, const pb_site *site, pb_node *x, pb_node *y)
{
    (void)x;
    const conf *c = pb_conf(b);
    pb_graph *g = b->graph;
    int C = site->in;
    if (!edits(b, c, site))
        return y;
    pb_node *R = pb_added(b, site, "R", c->rank, C, pb_init_normal(1 / sqrt(C)));
    pb_node *W = pb_added(b, site, "W", c->rank, C, pb_init_kaiming(C));
    pb_node *offset = pb_vector(b, site, "b", c->rank, pb_init_kaiming(C));
    const pb_rows *tokens = pb_text_ends(b, y, c->first, c->last);
    if (!tokens || !tokens->count)
        return tokens ? y : NULL;
    R = c->orthonormal ? pb_op_orthonormal(g, R) : R;
    pb_node *h = pb_op_select(g, y, tokens), *edit = pb_op_linear(g, h, W, offset);
    if (c->difference)
        edit = pb_op_add(g, edit, pb_op_times(g, pb_op_linear(g, h, R, NULL), -1));
    return pb_op_add_rows(g, y, pb_op_linear(g, edit, pb_op_transpose(g, R), NULL));
}

const pb_method pb_method_loreft = {
    .name = "loreft",
    .title = "LoReFT: low-rank edits of hidden states",
    .paper = "Wu et al. 2024, ReFT: Representation finetuning for language models, arXiv:2404.03592",
    .help = "Edits the hidden states of a few tokens behind each layer within a trained subspace.",
    .equation = "h + R^T (W h + b - R h) at the chosen tokens, R R^T = I",
    .notes =
        "The tokens and the rank are those of the authors' run on CoLA; their runs of LLaMA edit 5 or 7 tokens at each "
        "end with rank 4 or 8. Here both ends have the same R, W and b; the authors' code can also train two sets, "
        "edits at most half of a text from each end, and drops out the edited states. R is the Gram-Schmidt result of "
        "a trained matrix, where PyTorch has another parametrization of the same matrices; as in the authors' code W "
        "does not start as R, so the start is not the base model. A model that generates does not know where a "
        "question ends, so `last` must be 0 there, and a question shorter than `first` is edited into its answer. With "
        "`last` 0 a decoder has no edit behind its last layer, where nothing reads the first tokens.",
    .count = "(2*rank*width+rank)*(1-causal*(last==0)*(layer==layers-1))",
    .deviation = "W: 1/sqrt(3*width); b: 1/sqrt(3*width)",
    .traits = {PB_ADDITIVE},
    .settings = {options, sizeof(conf), "rank"},
    .presets =
        PB_PRESETS({"noreft", "NoReFT: LoReFT without orthonormal rows", "Wu et al. 2024, ReFT, arXiv:2404.03592",
                    "orthonormal=no", "h + R^T (W h + b - R h) with any R."},
                   {"direft", "DiReFT: LoReFT without orthonormal rows and without the difference",
                    "Wu et al. 2024, ReFT, arXiv:2404.03592", "orthonormal=no,difference=no",
                    "h + R^T (W h + b), a LoRA of the hidden states.  The authors' code has a class of this name with "
                    "orthonormal rows; that is loreft:difference=no."}),
    .hooks = {.block = block},
};
