/* device: what a training step needs on a GPU, by the accounting rules of mixed-precision training.
 *
 * This program trains in 32 bits on a CPU, and what it plans for itself is exact.  For a GPU it applies these rules to
 * the same graph and the same parameters (docs/big-models.md sets the results beside published figures):
 *
 *   weights      frozen ones in the precision of the computation, or as [model] precision quantizes them; trained ones
 *                too, with a copy in 32 bits (the master weights of Micikevicius et al. 2018, arXiv:1710.03740) unless
 *                `master` is off.  Tensors of methods and heads are in 32 bits, as PEFT keeps them, unless `adapters`
 *                says otherwise.
 *   gradients    one for each trained parameter, in its precision.
 *   optimizer    AdamW: two moments in 32 bits, unless `moments` says that they have the parameter's precision.
 *   activations  the plan of this program's graph with elements in the precision of the computation; logits, their
 *                gradient and statistics of norms and attention in 32 bits.  No padding, fused attention (Dao et al.
 *                2022, arXiv:2205.14135), and nothing is kept that no gradient reads: a framework needs more.
 *   workspace    the largest quantized matrix, dequantized.
 *
 * Not counted: the memory of the driver and of the framework, and fragmentation. */
#ifndef PB_DEVICE_H
#define PB_DEVICE_H

#include "model/model.h"

typedef enum pb_device_optimizer {
    PB_DEVICE_ADAMW,
    PB_DEVICE_ADAMW8BIT, /* moments in 8 bits with a scale for each 256 elements (Dettmers et al. 2022,
                            arXiv:2110.02861); in 32 bits for tensors of fewer than 4096 elements */
    PB_DEVICE_ADAFACTOR, /* the second moment as a row and a column, no first one (Shazeer and Stern 2018) */
    PB_DEVICE_LION,      /* one moment */
    PB_DEVICE_MOMENTUM,  /* one moment */
    PB_DEVICE_SGD,       /* none */
} pb_device_optimizer;

/* The settings of a plan for a device. */
typedef struct pb_device {
    int batch, length;  /* of a step: texts, and tokens of each */
    int precision;      /* of the computation: 0 fp32, 1 bf16, 2 fp16 */
    bool master;        /* trained weights have a copy in 32 bits */
    int optimizer;      /* pb_device_optimizer */
    int moments;        /* of the optimizer: 0 in 32 bits, 1 in the precision of the weights that it steps */
    int adapters;       /* of the methods' tensors and the head: 0 in 32 bits, 1 in the precision of the computation */
    bool checkpoint;    /* gradient checkpointing (Chen et al. 2016) */
    double peak;        /* TFLOP/s of the device */
    double utilization; /* share of the peak that training reaches */
    double tokens;      /* of the whole training */
} pb_device;

/* The option table of these settings. */
extern const pb_option pb_device_table[];

/* What one step needs, in bytes, and how long training takes. */
typedef struct pb_device_bill {
    uint64_t trainable, parameters;
    double weights, master, gradients, optimizer, activations, workspace;
    double total;           /* the sum of the classes */
    double file;            /* bytes of the stored result: what trains, the head and what the method cannot rebuild */
    double flops_per_token; /* forward, backward and what is computed again */
    double hours;           /* for `tokens` tokens at `utilization` of `peak` */
} pb_device_bill;

/* Plans one step of a model, opened with shapes only or not, with its methods attached.  A language model predicts each
 * token of a text; a classifier has one label a text.  Returns -1 with an error, for example if texts of this length do
 * not fit in the model's context. */
int pb_device_plan(pb_model *m, const pb_device *d, pb_device_bill *out);

/* Sets *batch to the largest batch of this length, and *length to the longest text in a batch of one, whose steps need
 * at most `memory` bytes; 0 if not even one text of one token fits.  Returns -1 with an error. */
int pb_device_fit(pb_model *m, const pb_device *d, double memory, int *batch, int *length);

#endif
