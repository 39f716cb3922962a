/* majority: always the most frequent class.  The floor that every method must beat. */
#include <math.h>
#include <string.h>

#include "peftbench.h"

static bool trains(const void *conf, const pb_param *p, int layers)
{
    (void)conf, (void)p, (void)layers;
    return false;
}

/* A head that reads nothing and knows the classes' shares: logits = log((n_c + 1) / (n + C)). */
static void know_shares(pb_build *b, const pb_facts *facts)
{
    pb_param *w = pb_find_param(b, "head.weight"), *bias = pb_find_param(b, "head.bias");
    memset(w->x, 0, (size_t)w->rows * (size_t)w->cols * sizeof *w->x);
    int all = 0;
    for (int c = 0; c < facts->classes; c++)
        all += facts->class_count[c];
    for (int c = 0; c < facts->classes; c++)
        bias->x[c] = (pb_real)log((facts->class_count[c] + 1.0) / (all + facts->classes));
}

const pb_method pb_method_majority = {
    .name = "majority",
    .title = "Majority class",
    .paper = "none: the floor",
    .help = "Predicts the training set's most frequent class; nothing is trained.",
    .taxon = PB_BASELINE,
    .select = trains,
    .before_train = know_shares,
};
