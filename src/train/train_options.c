/* train_options: see train_options.h. */
#include "train/train_options.h"

#include <string.h>

const pb_option pb_train_table[] = {
    PB_OPTION(pb_train_options, epochs, INT, "3", 0, 100000, "passes over the training examples"),
    PB_OPTION(pb_train_options, max_flops, REAL, "0", 0, 1e30,
              "budget of FLOPs of the preparation and the steps: the run has the steps until it is reached, and ends "
              "after them or after the epochs; 0: none"),
    PB_OPTION(pb_train_options, max_seconds, REAL, "0", 0, 1e9,
              "budget of seconds of the preparation and the steps, by the clock: the step that uses it up is the last; "
              "such a run cannot be repeated to the bit; 0: none"),
    PB_OPTION(
        pb_train_options, patience, INT, "0", 0, 100000,
        "epochs without a better validation score after which training stops and the best epoch is restored; 0: never"),
    PB_OPTION(pb_train_options, target, REAL, "0", 0, 1e9,
              "validation score for which the time and FLOPs until it is reached are recorded; 0: none"),
    PB_OPTION(pb_train_options, examples, INT, "0", 0, 1e9,
              "number of training examples that are used, drawn by the run's seed; 0: all"),
    PB_OPTION(pb_train_options, batch, INT, "32", 1, 65536, "examples per step"),
    PB_OPTION(
        pb_train_options, accumulate, INT, "1", 1, 65536,
        "micro-batches into which the examples of a step are divided, to add up their gradients; activations need "
        "the memory of one of them"),
    PB_OPTION(pb_train_options, max_tokens, INT, "128", 4, 1000000, "longer texts are truncated to this many tokens"),
    PB_OPTION(pb_train_options, lr, REAL, "1e-3", 0, 1000, "peak learning rate of the optimizer"),
    PB_OPTION(pb_train_options, warmup, REAL, "0.06", 0, 1,
              "fraction of the steps in which the learning rate rises from 0"),
    PB_OPTION(pb_train_options, decay, REAL, "0.01", 0, 10,
              "weight decay of matrices, decoupled from the gradient in every optimizer"),
    PB_OPTION(pb_train_options, clip, REAL, "1", 0, 1e9, "the gradient is clipped to this norm; 0: not clipped"),
    PB_OPTION(pb_train_options, dropout, REAL, "-1", -1, 0.9,
              "dropout of the base model above its lowest trainable parameter; -1: the rate in its config.json"),
    PB_OPTION(pb_train_options, optimizer, CHOICE, "adamw", "adamw|sgd|adafactor|lion",
              "the optimizer; Adafactor with the rate of the schedule, without a first moment"),
    PB_OPTION(pb_train_options, beta1, REAL, "0.9", 0, 0.999999, "AdamW's decay rate of the first moment"),
    PB_OPTION(pb_train_options, beta2, REAL, "0.999", 0, 0.9999999, "AdamW's decay rate of the second moment"),
    PB_OPTION(pb_train_options, eps, REAL, "1e-8", 0, 1, "AdamW's term against division by zero"),
    PB_OPTION(pb_train_options, momentum, REAL, "0.9", 0, 0.999999, "SGD's momentum; 0: none, which needs no memory"),
    PB_OPTION(pb_train_options, lion_beta1, REAL, "0.9", 0, 0.999999,
              "weight of Lion's momentum beside the gradient in an update"),
    PB_OPTION(pb_train_options, lion_beta2, REAL, "0.99", 0, 0.9999999, "Lion's decay rate of the momentum"),
    PB_OPTION(pb_train_options, schedule, CHOICE, "linear", "linear|constant|cosine",
              "how the learning rate decreases after the warm-up"),
    PB_OPTION(pb_train_options, checkpoint, BOOL, "no",
              "gradient checkpointing: keep the layers' outputs only and recompute the rest in the backward pass"),
    {0},
};

/* The settings of single optimizers. */
static const struct {
    const char *name;
    int optimizer;
} owned[] = {{"beta1", PB_ADAMW},  {"beta2", PB_ADAMW},     {"eps", PB_ADAMW},
             {"momentum", PB_SGD}, {"lion_beta1", PB_LION}, {"lion_beta2", PB_LION}};

bool pb_train_reads(const pb_train_options *o, const char *name)
{
    for (size_t i = 0; i < PB_COUNT(owned); i++)
        if (!strcmp(owned[i].name, name))
            return o->optimizer == owned[i].optimizer;
    return true;
}
