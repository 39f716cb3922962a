/* null: implements every hook and changes nothing, which measures the cost of the hooks themselves.  Its overhead must
 * be 1 and its accuracy that of `head`. */
#include "peftbench.h"

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    return pb_inner_linear(b, site, x);
}

static pb_node *block(pb_build *b, const pb_site *site, pb_node *x, pb_node *y)
{
    (void)b, (void)site, (void)x;
    return y;
}

static pb_node *embed(pb_build *b, pb_node *x)
{
    (void)b;
    return x;
}

static pb_node *attention(pb_build *b, const pb_site *site, pb_node *q, pb_node *k, pb_node *v)
{
    return pb_inner_attention(b, site, q, k, v);
}

const pb_method pb_method_null = {
    .name = "null",
    .title = "Null: every hook, no change",
    .paper = "none: measures the harness",
    .help = "Passes everything through; trains the head.",
    .equation = "y",
    .traits = {PB_BASELINE, .identity = true},
    .hooks = {.linear = linear, .attention = attention, .block = block, .embed = embed},
};
