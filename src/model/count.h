/* count: formulas of the number of elements that a method adds and trains (pb_method.count).
 *
 *     FORMULA = PART{;PART}     PART = [site: | layer: | model:] EXPRESSION
 *
 * such as "rank*(in+out)" or "model: length*width; layer: 2*kv".  A part is counted once for each targeted site (`site:`
 * or nothing), once for each layer that has one (`layer:`), or once (`model:`).
 *
 * An expression has numbers, + - * /, parentheses, the comparisons < <= > >= == != (1 or 0), and the functions min(a,b),
 * max(a,b), floor(a), ceil(a) and sqrt(a).  Its names are the method's settings and these sizes:
 *
 *     layers width kv heads vocab intermediate   of the network; kv is the width of keys and of values
 *     sites                                      the number of targeted sites
 *     layer                                      the index of the layer, in `layer:` and `site:`
 *     in out                                     of the site, in `site:`
 *
 * A setting yes or no is 1 or 0, a choice is its index, and a text is 1 if it is a list of patterns that matches the site,
 * else 0.  A setting NAME beside a text NAME_pattern has the value that this list gives to the site. */
#ifndef PB_COUNT_H
#define PB_COUNT_H

#include "model/model.h"

/* The network that a formula is evaluated for. */
typedef struct pb_count_network {
    int layers, width, kv, heads, vocab, intermediate;
    const pb_site *const *site; /* [sites] that the method targets, in the order of layers */
    int sites;
} pb_count_network;

/* Evaluates the formula of a method with its settings for a network.  A method without a formula has 0.  Returns -1 with
 * an error that names the method and the column if the formula is wrong, or if a part is no whole number of elements. */
int pb_count(const pb_attached *part, const pb_count_network *network, double *out);

/* Does the same for all methods of a model together. */
int pb_count_model(const pb_model *m, double *out);

#endif
