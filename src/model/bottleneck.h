/* bottleneck: the adapter of Houlsby et al. 2019 (arXiv:1902.00751), U f(D x + b_D) + b_U, for the methods that use it:
 * settings that theirs begin with, and its parts. */
#ifndef PB_BOTTLENECK_H
#define PB_BOTTLENECK_H

#include "model/method.h"

/* The settings, with which the settings struct of a method begins. */
typedef struct pb_bottleneck_settings {
    int bottleneck, act; /* m; f, a pb_act */
    double init;
    const char *targets;
} pb_bottleneck_settings;

/* BOTTLENECK(..) as the first of PB_SETTINGS, whose struct begins with them as `adapter`: with the default values of m,
 * of the deviation and of the sublayers, and with other texts for m and for the deviation. */
#define PB_FIELD_BOTTLENECK(...) pb_bottleneck_settings adapter
#define PB_FIELD_BOTTLENECK_AS(...) pb_bottleneck_settings adapter
#define PB_SETTING_BOTTLENECK(m, deviation, sublayers)                                                                 \
    PB_SETTING_BOTTLENECK_AS(m, "m, the bottleneck dimension of an adapter", deviation,                                \
                             "standard deviation of W_down at the start", sublayers)
#define PB_SETTING_BOTTLENECK_AS(m, what, deviation, whose, sublayers)                                                 \
    PB_OPTION(pb_bottleneck_settings, bottleneck, INT, m, 1, 65536, what),                                             \
        PB_OPTION(pb_bottleneck_settings, act, CHOICE, "gelu", "gelu|gelu_tanh|relu|tanh|silu", "f, the activation"),  \
        PB_OPTION(pb_bottleneck_settings, init, REAL, deviation, 1e-9, 10, whose),                                     \
        PB_OPTION(pb_bottleneck_settings, targets, TEXT, sublayers, "sublayers with an adapter, such as attn, 3.mlp")

/* A linear map x W^T + b. */
typedef struct pb_affine {
    pb_node *weight, *bias; /* [out,in], [1,out] */
} pb_affine;

/* Returns a trained map of the running method at a site: the tensors NAME.weight, which starts as `init`, and
 * NAME.bias, which starts at zero. */
pb_affine pb_affine_added(pb_build *b, const pb_site *site, const char *name, int rows, int cols, pb_init init);

/* The same where the bias starts as `start` says. */
pb_affine pb_affine_started(pb_build *b, const pb_site *site, const char *name, int rows, int cols, pb_init init,
                            pb_init start);

/* Returns x W^T + b: x [T,in] to [T,out]. */
pb_node *pb_affine_apply(pb_build *b, pb_affine map, pb_node *x);

/* For `select`: the head trains, and if `norms` is true the gains and biases of the norms in the layers. */
bool pb_bottleneck_selects(bool norms, const pb_param *p, int layers);

/* Returns the map to the bottleneck, D [m,in], or the one from it, U [out,m], of the running method at a site: the
 * tensors NAME.weight and NAME.bias.  U starts at zero, so that the adapter's output does; D is drawn. */
pb_affine pb_bottleneck_down(pb_build *b, const pb_site *site, const char *name);
pb_affine pb_bottleneck_up(pb_build *b, const pb_site *site, const char *name);

/* Returns U f(D x + b_D) + b_U: x [T,in] to [T,out]. */
pb_node *pb_bottleneck_apply(pb_build *b, pb_affine down, pb_affine up, pb_node *x);

#endif
