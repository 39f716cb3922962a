/* graph: the computation of one batch, and the plan of its memory and FLOPs.
 *
 * The functions of op.h build the graph of a batch.  Planning restricts it to the rows that are read (dead-row
 * elimination) and computes its exact bytes and FLOPs before anything is allocated; an executor then runs it.  Every
 * tensor is a matrix [rows, cols]; the rows of a ragged batch are the tokens of its sequences, one sequence after the
 * other.  A graph lives in an arena, which the caller resets between batches.
 */
#ifndef PB_GRAPH_H
#define PB_GRAPH_H

#include "base/arena.h"
#include "base/base.h"
#include "numeric/packed.h"

#define PB_MAX_INPUTS 4

/* ---- rows: which tokens the rows of an activation belong to ------------------------------- */

/* A ragged set of rows: sequence s owns rows offset[s] .. offset[s+1]-1.  A sequence whose first row has another
 * position than 0 continues a sequence of an earlier graph. */
typedef struct pb_rows {
    int count; /* offset[sequences]                                            */
    int sequences;
    const int *offset;        /* [sequences+1]                                                */
    const int *position;      /* [count] position of each row in its whole sequence, from 0   */
    const struct pb_rows *of; /* of a selection: the set selected from; NULL: a whole set     */
    const int *index;         /* [count] of a selection: row numbers in `of`; else NULL       */
} pb_rows;

/* ---- parameters: tensors that outlive the batch --------------------------------------------- */

/* What a parameter is used for. */
typedef enum pb_kind {
    PB_MATRIX,    /* weight of a linear layer [out,in]  */
    PB_BIAS,      /* bias of a linear layer [1,out]     */
    PB_NORM_GAIN, /* gamma [1,C]                        */
    PB_NORM_BIAS, /* beta [1,C]                         */
    PB_EMBEDDING, /* table [V,C] with a sparse gradient */
    PB_HEAD,      /* weight or bias of the task's head  */
    PB_ADDED,     /* created by a method                */
} pb_kind;

/* A matrix [rows,cols] that several graphs use: a weight of the model or of a method. */
typedef struct pb_param {
    const char *name; /* "layer.3.attn.q.weight", "layer.3.attn.q.lora.A"              */
    pb_kind kind;
    int layer; /* from 0; -1: outside the layers                                 */
    int rows, cols;
    pb_real *x;              /* the value; read-only (mapped from a file) unless trainable     */
    const pb_packed *packed; /* the quantized value of a frozen parameter, whose x is then NULL; else NULL */
    bool trainable;
    double rate;  /* the learning rate is multiplied by it while training; 1 unless a method sets it (pb_rated), and 0
                   * for a method's tensor that never trains */
    bool vector;  /* of a method or a head: weight decay does not apply (pb_vector); the base's are known by kind   */
    bool reached; /* the last graph given to pb_graph_mark_reached computes the gradient */
    bool restart; /* a hook between steps sets it: the optimizer forgets the moments before its next update */
    bool seeded;  /* made again from the run's seed: no artifact contains it (pb_seeded) */
    bool drawn;   /* the checkpoint has no such tensor, so the value is random until training or an adapter sets it */
    pb_real *g;   /* gradient [rows,cols]; a sparse one: [touched,cols]              */
    int *index;   /* the value of integers (pb_indices) [1,cols], each in 0 .. below-1; x is then NULL; else NULL */
    int below;
    int *slot;            /* sparse: the row of g for each row of x, -1: none; else NULL     */
    int touched;          /* sparse: rows of g in use for the current batch or step          */
    struct pb_node *leaf; /* this parameter's node in the graph under construction          */
} pb_param;

/* The number of a parameter's elements. */
size_t pb_param_elements(const pb_param *p);

/* The memory of a parameter's value, x or index (NULL if it is packed or has no values), and the bytes of the value. */
void *pb_param_memory(const pb_param *p);
size_t pb_param_bytes(const pb_param *p);

/* Forgets which rows of a sparse gradient are touched. */
void pb_param_clear_slots(pb_param *p);

/* Writes rows r0 .. r1-1, columns c0 .. c1-1 of a parameter to out [r1-r0, c1-c0], dequantized if the parameter is
 * packed; c0 is a multiple of 64. */
void pb_param_values(const pb_param *p, int r0, int r1, int c0, int c1, pb_real *out);

/* ---- nodes ------------------------------------------------------------------------------------ */

typedef struct pb_op pb_op;
typedef struct pb_graph pb_graph;
typedef struct pb_node pb_node;

/* One tensor of a graph and the operation that computes it. */
struct pb_node {
    const pb_op *op;            /* NULL: a leaf                                              */
    pb_node *in[PB_MAX_INPUTS]; /* NULL where absent                                         */
    int rows, cols;
    const pb_rows *set;        /* the tokens that the rows belong to; NULL: of no batch     */
    pb_param *param;           /* a leaf's parameter, or NULL                               */
    const void *conf;          /* the op's settings, in the graph's arena                   */
    bool requires_grad;        /* a trainable parameter's gradient depends on this one's    */
    unsigned want;             /* bit i: the gradient of input i is wanted                  */
    unsigned add;              /* bit i: backward adds to input i's gradient; else writes it */
    pb_real *x, *g, *aux;      /* value, gradient, and what forward keeps for backward      */
    struct pb_node_plan *plan; /* the planner's notes (graph/internal.h)                    */
    int index;                 /* in order of execution                                     */
};

/* Which tensors the gradient of one input reads (pb_op.reads). */
enum { PB_IN0 = 1, PB_IN1 = 2, PB_IN2 = 4, PB_IN3 = 8, PB_OUT = 16, PB_AUX = 32 };

/* An operation.  Its work is divided into units that threads may do in any order: rows of the output, unless `units`
 * says otherwise. */
struct pb_op {
    const char *name;
    int needs;                     /* so many of the first inputs must be there; 0: one                */
    unsigned aligned;              /* bit i: row r of the output depends on row r of input i only      */
    unsigned inplace;              /* bit i: the output may be written over input i                    */
    unsigned inplace_grad;         /* bit i: input i's gradient may be written over the output's       */
    unsigned reads[PB_MAX_INPUTS]; /* the tensors that the gradient of input i reads (PB_IN0, ..)      */
    bool constant;                 /* stop-gradient: the output is a constant to its readers           */

    /* Sets rows, cols and set from the inputs.  Returns -1 with an error, "NAME: what does not fit", if they do not
     * fit. */
    int (*shape)(pb_node *n);
    size_t (*aux)(const pb_node *n);               /* elements that forward keeps for backward; NULL: 0 */
    size_t (*scratch)(const pb_node *n);           /* elements that a thread needs while it runs; NULL: 0 */
    int (*units)(const pb_node *n, bool backward); /* units of forward or backward; NULL: one a row   */
    int (*param_units)(const pb_node *n);          /* units of backward_params; NULL: one a column of the output */

    /* Computes units from .. to-1 of the output. */
    void (*forward)(const pb_node *n, int from, int to, pb_real *scratch);
    /* Runs on one thread after all units of forward; may be NULL. */
    void (*finish)(const pb_node *n);
    /* Writes, or adds (by n->add), the gradients of those inputs in `want` that are not in `collects`. */
    void (*backward)(const pb_node *n, unsigned want, int from, int to, pb_real *scratch);
    /* Bit i: the gradient of input i is a sum over rows (a weight, a bias, a table).  backward_params computes it, in
     * units of which no two write the same element. */
    unsigned collects;
    void (*backward_params)(const pb_node *n, unsigned want, int from, int to, pb_real *scratch);
    /* The FLOPs of all matrix products, two for each multiply-add: of forward if want is 0, else of the gradients in
     * `want`.  NULL: there is no matrix product. */
    uint64_t (*flops)(const pb_node *n, unsigned want);
};

/* ---- building ----------------------------------------------------------------------------------- */

/* Returns an empty graph in `arena`, which the caller resets between batches.  Only a graph for training has
 * gradients. */
pb_graph *pb_graph_new(pb_arena *arena, bool training);

/* Whether the graph was made for training. */
bool pb_graph_training(const pb_graph *g);

/* Gradient accumulation: the backward pass adds `weight` times the gradients of the parameters to what their memory
 * holds, instead of writing them, and a sparse gradient keeps the rows that earlier graphs have touched.  Before the
 * first graph of a step the caller sets the gradients to zero, with no touched row.  To be called on an empty graph. */
void pb_graph_accumulate(pb_graph *g, double weight);

/* Whether the graph accumulates gradients. */
bool pb_graph_accumulates(const pb_graph *g);

/* The graph's arena, for the settings of ops. */
pb_arena *pb_graph_arena(const pb_graph *g);

/* The functions below and those of op.h return a new node.  After the first error, whose message is pb_error_text(),
 * all of them return NULL and accept NULL, and pb_graph_plan() returns -1. */

/* Marks a graph as such after an error of its builder. */
void pb_graph_fail(pb_graph *g);

/* The leaf of a parameter.  A parameter has one leaf in a graph. */
pb_node *pb_graph_param(pb_graph *g, pb_param *p);

/* A leaf with the given values x [set->count, cols], which must outlive the graph. */
pb_node *pb_graph_input(pb_graph *g, const pb_rows *set, int cols, pb_real *x);

/* The op applied to up to four inputs, which are different tensors; NULL where absent.  `conf` lives in the graph's
 * arena. */
pb_node *pb_graph_apply(pb_graph *g, const pb_op *op, const void *conf, pb_node *a, pb_node *b, pb_node *c, pb_node *d);

/* Gradient checkpointing (Chen et al. 2016, arXiv:1604.06174): keeps the value of `n`, such as a layer's output.  What
 * lies between two checkpoints in order of building is discarded after the forward pass and recomputed in the backward
 * pass; the gradients are identical to the bit.  Nothing after the last checkpoint is discarded, so the last layer
 * needs none.  NULL, a leaf, and a node that nothing reads are accepted and have no effect. */
void pb_graph_checkpoint(pb_graph *g, pb_node *n);

/* Marks a weight made of parameters alone: its value is forgotten after its last reader in the forward pass, and made
 * again right before the gradients of its readers if these read it.  The same holds for the values that were computed
 * for it alone.  Of several such weights one at a time is then in memory, with its gradient; the gradients of
 * parameters are identical to the bit.  A weight that two segments of gradient checkpointing read is kept.  Returns n;
 * a weight that depends on the batch is an error.  NULL and parameters are accepted and have no effect. */
pb_node *pb_graph_remake(pb_graph *g, pb_node *n);

/* The row of the whole set that row r of `set` was selected from. */
int pb_rows_origin(const pb_rows *set, int r);

/* The functions below return row sets in the graph's arena. */

/* The whole set of a batch whose sequences all begin in this graph.  offset [sequences+1] must outlive the graph. */
const pb_rows *pb_rows_whole(pb_graph *g, int sequences, const int *offset);

/* The whole set of a batch whose sequences may continue those of an earlier graph.  offset [sequences+1] and position
 * [offset[sequences]] must outlive the graph. */
const pb_rows *pb_rows_with_positions(pb_graph *g, int sequences, const int *offset, const int *position);

/* One row of each sequence of `of`: row `which` from its start, or from its end if which is negative (-1: the last). */
const pb_rows *pb_rows_pick(pb_graph *g, const pb_rows *of, int which);

/* `set` with `extra` more rows in front of each sequence that begins in this graph; `set` itself if none does. */
const pb_rows *pb_rows_extended(pb_graph *g, const pb_rows *set, int extra);

/* The last rows of each sequence of `of`, as many as the sequence has in `text`. */
const pb_rows *pb_rows_suffix(pb_graph *g, const pb_rows *of, const pb_rows *text);

/* The rows r of `of` with value[r] >= 0; value [of->count]. */
const pb_rows *pb_rows_chosen(pb_graph *g, const pb_rows *of, const int *value);

/* ---- planning and running -------------------------------------------------------------------- */

/* What running a graph takes. */
typedef struct pb_plan {
    size_t activations; /* bytes of values, aux and their gradients                        */
    size_t workspace;   /* bytes of scratch, all threads together                          */
    size_t gradients;   /* bytes of the gradients of trainable parameters                  */
    uint64_t forward_flops, backward_flops;
    uint64_t recompute_flops; /* of what the backward pass computes again; not in backward_flops */
    int nodes;                /* number of executed nodes                                        */
    int tokens;               /* rows of the largest set                                         */
} pb_plan;

/* Plans the graph: restricts every computation to the rows that `output` and `loss` read (dead-row elimination), drops
 * nodes that nothing reads, and decides the lifetime and the offset of every tensor.  Runs nothing and allocates no
 * activations.  `loss` [1,1] may be NULL, for inference.  Returns -1 if the graph is in error. */
int pb_graph_plan(pb_graph *g, pb_node *output, pb_node *loss, pb_plan *plan);

/* Plans the graph for a device whose tensors have elements of `element` bytes, except the output, the loss and what ops
 * keep for their gradients, which have those of pb_real.  Such a graph cannot be run: it is for accounts of other
 * machines.  Otherwise as pb_graph_plan. */
int pb_graph_plan_as(pb_graph *g, size_t element, pb_node *output, pb_node *loss, pb_plan *plan);

/* The output of the planned graph; planning may have replaced the node that was given to it. */
const pb_node *pb_graph_output(const pb_graph *g);

/* The loss of the planned graph, or NULL if there is none or nothing trains. */
const pb_node *pb_graph_loss(const pb_graph *g);

/* Returns the node whose value is a feature of the batch that can be computed once and kept: it depends on no
 * trainable parameter and on no dropout, it has one row for each sequence, and it is the only frozen value that the
 * trained computation reads.  Returns NULL if there is none. */
pb_node *pb_graph_feature(pb_graph *g, pb_node *output);

/* Turns `n` into a leaf with the value x, so that nothing below it is computed.  To be called before planning; n
 * requires no gradient, and x must outlive the graph. */
void pb_graph_cut(pb_graph *g, pb_node *n, pb_real *x);

/* Runs planned graphs.  Its memory is reused from batch to batch. */
typedef struct pb_executor pb_executor;
pb_executor *pb_executor_new(void);
void pb_executor_free(pb_executor *e); /* NULL is accepted */

/* Gives every tensor of the planned graph its address in the executor's memory, which grows to the plan's size. */
void pb_executor_bind(pb_executor *e, pb_graph *g, const pb_plan *plan);

/* Runs the forward pass of the bound graph on the thread pool. */
void pb_executor_forward(pb_executor *e, pb_graph *g);

/* Runs the backward pass, from d loss = 1, or the weight of pb_graph_accumulate; the graph has a loss and its forward
 * pass has run. */
void pb_executor_backward(pb_executor *e, pb_graph *g);

/* Sets `reached` of the parameters whose gradients the backward pass of this planned graph writes.  All other
 * parameters keep old gradients, which are not of this batch; the caller clears their marks before. */
void pb_graph_mark_reached(const pb_graph *g);

/* Returns true if the graph has a stop-gradient above a trainable parameter: the gradients are then not the slopes of
 * the loss. */
bool pb_graph_stops_gradient(const pb_graph *g);

/* Node i of a planned graph in order of execution, or NULL past the last one. */
const pb_node *pb_graph_at(const pb_graph *g, int i);

/* Returns true if the node is a weight that is made again for its gradient (pb_graph_remake). */
bool pb_graph_is_remade(const pb_node *n);

/* The most bytes that values of a planned graph take at one time, of those that are made of parameters alone and have
 * at least `elements` elements. */
size_t pb_graph_made_bytes(const pb_graph *g, size_t elements);

/* The FLOPs that the kernels counted during the last forward or backward pass. */
uint64_t pb_executor_flops(const pb_executor *e);

/* For tests: overwrites with NaN all memory that the plan does not keep for the backward pass. */
void pb_executor_poison(pb_executor *e, pb_graph *g);

/* For tests: makes pb_executor_bind() fill the memory with a pattern, and returns how many bytes a run has changed,
 * counted to the last changed byte. */
void pb_executor_watch(pb_executor *e, bool on);
size_t pb_executor_touched(const pb_executor *e);

#endif
