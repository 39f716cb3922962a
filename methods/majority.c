/* majority: predicts the most frequent class, the labels that more than half of the texts have, or the mean of the
 * numbers.  Every method must score above it. */
#include "peftbench.h"

/* 0 * logits + share, which does not depend on the text. */
static pb_node *logits(pb_build *b, pb_node *x)
{
    int classes = x->cols;
    pb_node *nothing = pb_fixed(b, NULL, "weight", classes, classes, pb_init_constant(0));
    return pb_op_linear(b->graph, x, nothing, pb_fixed(b, NULL, "share", 1, classes, pb_init_constant(0)));
}

/* The log-odds of a label that n_c of n texts have, greater than 0 if more than half have it. */
static double log_odds(int n_c, int n)
{
    return log((n_c + 1.0) / (n - n_c + 1.0));
}

/* share = log((n_c + 1) / (n + C)); of sets of labels, the log-odds of each; of numbers, their mean */
static void set_shares(pb_build *b, const pb_training_stats *stats)
{
    pb_param *share = pb_tensor(b, NULL, "share");
    int all = 0;
    if (stats->numbers) {
        share->x[0] = (pb_real)stats->mean_number;
        return;
    }
    for (int c = 0; c < stats->classes && stats->label_sets; c++)
        share->x[c] = (pb_real)log_odds(stats->class_count[c], stats->count);
    if (stats->label_sets)
        return;
    for (int c = 0; c < stats->classes; c++)
        all += stats->class_count[c];
    for (int c = 0; c < stats->classes; c++)
        share->x[c] = (pb_real)log((stats->class_count[c] + 1.0) / (all + stats->classes));
}

const pb_method pb_method_majority = {
    .name = "majority",
    .title = "Majority class",
    .paper = "none: a baseline",
    .help = "Predicts the training set's most frequent class, the labels that more than half of its texts have, or the "
            "mean of its numbers; nothing is trained.",
    .equation = "logits = log of the share of each class, or log-odds of each label",
    .traits = {PB_BASELINE, .classes = true},
    .hooks = {.select = pb_select_nothing, .logits = logits, .start = set_shares},
};
