/* formula: what a method declares of its tensors: how many elements it adds and trains (pb_method.count), and with
 * which standard deviation they start (pb_method.deviation).
 *
 *     COUNT     = {NAME = EXPRESSION;} [UNIT:] EXPRESSION {; [UNIT:] EXPRESSION}     UNIT = site | layer | model
 *     DEVIATION = TENSOR: EXPRESSION {; TENSOR: EXPRESSION}
 *
 * such as "rank*(in+out)", "model: length*width; layer: 2*kv" and "A: 1/sqrt(3*in); B: 0".  A part of a count is
 * counted once for each targeted site (`site:` or nothing), once for each layer that has one (`layer:`), or once
 * (`model:`).  NAME is then an abbreviation of its expression: "s = 2*ceil(width/4); model: s*s".  TENSOR is the name
 * that the method has given to pb_added and the like, with the wildcards of the shell.
 *
 * An expression has numbers, + - * /, parentheses, the comparisons < <= > >= == != (1 or 0), and the functions
 * min(a,b), max(a,b), floor(a), ceil(a), sqrt(a), gcd(m,n) (the greatest common divisor) and factor(n,near), which is
 * pb_first_factor.  Its names are the method's settings and these sizes:
 *
 *     layers width kv heads vocab intermediate   of the network; kv is the width of keys and of values
 *     sites                                      the number of targeted sites
 *     layer                                      the index of the layer, at a site and in `layer:`
 *     in out                                     of the site, at a site
 *     biased                                     whether the site has a bias: 1 or 0, at a site
 *     fused                                      whether the site is attn.qkv: 1 or 0, at a site
 *     gated bias pre_norm causal                 as in pb_layer_style: 1 or 0
 *     norm                                       the vectors of a norm: 2, or 1 in an RMSNorm
 *
 * A setting yes or no is 1 or 0, a choice is its index, and a text is 1 if it is a list of patterns that matches the
 * site, else 0.  A setting NAME beside a text NAME_pattern has the value that this list gives to the site. */
#ifndef PB_FORMULA_H
#define PB_FORMULA_H

#include "model/model.h"

/* The network that a formula is evaluated for. */
typedef struct pb_formula_network {
    int layers, width, kv, heads, vocab, intermediate;
    const pb_site *const *site; /* [sites] that the method targets, in the order of layers */
    int sites;
    pb_layer_style style; /* of the layers */
} pb_formula_network;

/* The functions below return -1 with an error that names the method and the column if the formula is wrong. */

/* Writes the number of elements that a method with these settings adds and trains; 0 without a formula.  A part that is
 * no whole number is an error. */
int pb_count(const pb_attached *part, const pb_formula_network *network, double *out);

/* Writes this number for all methods of a model together. */
int pb_count_model(const pb_model *m, double *out);

/* Evaluates expressions that are separated by commas, such as the dimensions "out/b, in/b, b", for the first method of
 * a model at a site, or (NULL) for the model, where `rows` and `cols` are those of a tensor.  `field` is for messages.
 * Returns how many there are, at most `most`. */
int pb_formula_list(const pb_model *m, const pb_site *site, const char *field, const char *text, int rows, int cols,
                    double *out, int most);

/* Writes the standard deviation that a method declares for a parameter of its own.  Returns 1, or 0 if it declares
 * none. */
int pb_deviation(const pb_model *m, const pb_param *p, double *out);

#endif
