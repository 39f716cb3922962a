/* c3a: y = W x + b + C x / in, where C [out,in] has circulant blocks of the width `size`: a block is its first row
 * w, and each further row is that turned to the right by one, so the product is a circular convolution. */
#include "peftbench.h"

PB_SETTINGS(INT(parts, "1", 0, 65536, "the blocks along the greatest common divisor of a weight's sides; divides it"),
            INT(size, "0", 0, 65536, "b, the width of a block, instead of their number; 0: by their number"),
            REAL(init, "1", 0, 1e6, "the start, uniform: 1 for Xavier's bound, 0 for the base model"),
            TEXT(targets, "attn.q attn.v attn.qkv", "projections to adapt"));

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    int side = pb_common_divisor(site->in, site->out), size = c->size;
    if (!size && c->parts && side % c->parts == 0)
        size = side / c->parts;
    if (!size || site->in % size || site->out % size)
        return pb_refuse("c3a: parts=%d, size=%d: want blocks that divide both sides of %s [%d,%d]", c->parts, c->size,
                         site->role, site->out, site->in);
    pb_init start = pb_init_uniform(c->init * sqrt(6.0 / (site->in + site->out)));
    pb_node *w = pb_added(b, site, "w", site->in / size * (site->out / size), size, start);
    pb_node *y = pb_op_times(b->graph, pb_op_circulate(b->graph, x, w, site->out), 1.0 / site->in);
    return pb_op_add(b->graph, pb_inner_linear(b, site, x), y);
}

const pb_method pb_method_c3a = {
    .name = "c3a",
    .title = "C3A: circular convolution adaptation",
    .paper = "Chen et al. 2024, C3A, arXiv:2407.19342",
    .help = "Adds a matrix of circulant blocks to each weight, multiplied by fast Fourier transforms.",
    .equation = "y = W x + b + C(w) x / in,  C(w)[i,j] = w[(j - i) mod size] in each block",
    .notes = "The start is uniform with Xavier's bound, as in the paper's runs on GLUE and in PEFT, so the first "
             "outputs are not quite the base model's; init=0 starts there. The division by the number of inputs is "
             "PEFT's; the gradient of x in PEFT 0.21.2 is not that of this equation, so layers in front of others "
             "train otherwise there. Blocks are given by their number along the greatest common divisor of a weight's "
             "sides, which is the widest block (the paper's 768/1 and 768/6), or by their width as in PEFT, to whose "
             "adapters it is written only then.",
    .count = "s = max(size,(size==0)*gcd(in,out)/max(parts,1)); in*out/s",
    .deviation = "w: init*sqrt(2/(in+out))",
    .traits = {PB_REPARAMETRIZATION, .merges = true},
    .settings = {options, sizeof(conf), "parts"},
    .hooks = {.linear = linear},
    .peft = PB_PEFT("C3A", PB_PEFT_TENSORS({"w", "c3a_kernel", "out/size, in/size, size"}),
                    PB_PEFT_KEYS({"block_size", "size", .positive = true}), .fixed = PB_PEFT_NO_BIAS),
};
