/* dept: a short soft prompt, and a low-rank offset of the word embeddings by their positions in the text. */
#include "peftbench.h"

PB_SETTINGS(SOFT_PROMPT("40"), INT(rank, "45", 1, 4096, "r, the rank of A B"),
            INT(positions, "256", 1, 1000000, "s, the tokens that a text may have"),
            REAL(alpha, "8", 1e-9, 1e6, "the scale's numerator: alpha / sqrt(r)"),
            REAL(ratio, "0.01", 1e-9, 1e9, "learning rate of A and B, relative to the soft prompt's"),
            REAL(init, "0.05", 0, 10, "standard deviation of the soft prompt at the start"));

/* [P; x + alpha/sqrt(r) A[position] B]:  P [m,C], A [s,r], B [C,r]. */
static pb_node *embed(pb_build *b, pb_node *x)
{
    const conf *c = pb_conf(b);
    if (x->set != b->text)
        return pb_refuse("dept: rows are in front of the text already; want dept as the last one of a composition");
    pb_node *P = pb_added(b, NULL, "embed", c->prompt.length, b->width, pb_init_normal(c->init));
    pb_node *A = pb_added(b, NULL, "A", c->positions, c->rank, pb_init_kaiming(c->rank));
    pb_node *B = pb_added(b, NULL, "B", b->width, c->rank, pb_init_constant(0));
    pb_node *h = pb_text_positions(b, pb_rated(A, c->ratio));
    x = pb_op_linear_add(b->graph, x, h, pb_rated(B, c->ratio), c->alpha / sqrt(c->rank));
    return pb_soft_prompt_put(b, P, x);
}

const pb_method pb_method_dept = {
    .name = "dept",
    .title = "DePT: decomposed prompt tuning",
    .paper =
        "Shi and Lipani 2023, DePT: Decomposed prompt tuning for parameter-efficient fine-tuning, arXiv:2309.05173",
    .help = "Trains a short prompt and, at a lower learning rate, a low-rank offset of the word embeddings.",
    .equation = "y = f([P; E(x) + alpha/sqrt(r) A B])",
    .notes = "Row t of A belongs to token t of a text, so positions beyond the longest training text stay at A's "
             "random start; a text of more than s tokens is refused. The scale alpha/sqrt(r) with alpha = 8 and the "
             "random A are those of the authors' code, whose recipe has r = 45, m = 40 and s = 256 for T5-base and "
             "tries the rates 0.3 and 0.4 for P and 0.3, 0.005 and 0.0005 for A and B; the ratio here lies between. "
             "Offsets also reach the tokens that a decoder writes, as long as they are at most s.",
    .count = "model: length*width + rank*(positions+width)",
    .deviation = "embed: init; A: 1/sqrt(3*rank); B: 0",
    .traits = {PB_ADDITIVE},
    .settings = {options, sizeof(conf), "rank"},
    .hooks = {.embed = embed},
};
