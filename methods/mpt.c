/* mpt: a soft prompt times a matrix of low rank, which multitask prompt tuning gives each task. */
#include "peftbench.h"

PB_SETTINGS(SOFT_PROMPT("20"), INT(rank, "1", 1, 4096, "k, the rank of the task's matrix"),
            REAL(init, "0.05", 0, 10, "standard deviation of the prompt at the start"),
            REAL(init_task, "0.02", 1e-9, 10, "standard deviation of U and V at the start, as in PEFT"));

/* [P * (U V); x]:  P [l,C], U [l,k], V [k,C]. */
static pb_node *embed(pb_build *b, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_graph *g = b->graph;
    pb_node *P = pb_added(b, NULL, "embed", c->prompt.length, b->width, pb_init_normal(c->init));
    pb_node *U = pb_added(b, NULL, "U", c->prompt.length, c->rank, pb_init_normal(c->init_task));
    pb_node *V = pb_added(b, NULL, "V", c->rank, b->width, pb_init_normal(c->init_task));
    return pb_soft_prompt_put(b, pb_op_multiply(g, pb_op_product(g, U, false, V, false), P), x);
}

const pb_method pb_method_mpt = {
    .name = "mpt",
    .title = "MPT: a prompt times a low-rank matrix of the task",
    .paper =
        "Wang et al. 2023, Multitask prompt tuning enables parameter-efficient transfer learning, arXiv:2303.02861",
    .help = "Puts the elementwise product of a prompt and a matrix of low rank in front of every text.",
    .equation = "y = f([P * (U V); E(x)])",
    .notes =
        "This is the second stage of the paper for one task, without the first: the paper starts P, U and V from a "
        "prompt that was distilled from many source tasks, which is its point, and from random numbers the method is "
        "prompt tuning with a redundant factor. The start of U and V is that of PEFT, so that the prompt begins near "
        "zero. The paper's length is 100. An exported adapter is one of prompt tuning with the product.",
    .count = "model: length*width + rank*(length+width)",
    .deviation = "embed: init; U: init_task; V: init_task",
    .traits = {PB_ADDITIVE},
    .settings = {options, sizeof(conf), "length"},
    .hooks = {.embed = embed},
    /* What the parts make is written, which needs no number of a task when it is used. */
    .peft = PB_PEFT(PB_PROMPT_TUNING_PEFT, .only_written = true,
                    .other = PB_PEFT("MULTITASK_PROMPT_TUNING",
                                     PB_PEFT_TENSORS({"embed", "prompt_embeddings", .of_model = true},
                                                     {"U", "prefix_task_cols", "1, rows, cols", .of_model = true},
                                                     {"V", "prefix_task_rows", "1, rows, cols", .of_model = true}),
                                     PB_PEFT_KEYS({"num_virtual_tokens", "length"}, {"num_ranks", "rank"},
                                                  {"num_tasks", .words = "1"}),
                                     .layout = PB_PEFT_PROMPT_PARTS, .loaded = PB_PEFT_TENSORS({"pool", "first"}))),
};
