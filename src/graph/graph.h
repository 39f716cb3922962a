/* graph: what is computed for one batch, and the plan of its memory and FLOPs.
 *
 * A batch's graph is built by nested calls of the functions in op.h, narrowed to the rows that
 * are read, planned (exact bytes and FLOPs, before anything is allocated), and run.  Every
 * tensor is a matrix [rows, cols]; the tokens of a ragged batch are rows one after the other.
 * A graph lives in a step arena: building the next batch's graph forgets this one.
 */
#ifndef PB_GRAPH_H
#define PB_GRAPH_H

#include "base/arena.h"
#include "base/base.h"
#include "numeric/packed.h"

#define PB_MAX_INPUTS 4

/* ---- rows: which tokens the rows of an activation stand for ------------------------------- */

/* A ragged set of rows: sequence s owns rows offset[s] .. offset[s+1]-1.  A sequence whose first row is not
 * at place 0 goes on where an earlier graph ended. */
typedef struct pb_rows {
    int count; /* offset[sequences]                                            */
    int sequences;
    const int *offset;        /* [sequences+1]                                                */
    const int *position;      /* [count] place of each row in its whole sequence, from 0      */
    const struct pb_rows *of; /* a selection: the set selected from; NULL for a whole set    */
    const int *index;         /* [count] a selection: row numbers in `of`; else NULL          */
} pb_rows;

/* ---- parameters: tensors that outlive the batch --------------------------------------------- */

typedef enum pb_kind {
    PB_MATRIX,    /* weight of a linear layer [out,in]  */
    PB_BIAS,      /* bias of a linear layer [1,out]     */
    PB_NORM_GAIN, /* gamma [1,C]                        */
    PB_NORM_BIAS, /* beta [1,C]                         */
    PB_EMBEDDING, /* table [V,C]: its gradient is sparse */
    PB_HEAD,      /* weight or bias of the task's head  */
    PB_ADDED,     /* made by a method                   */
} pb_kind;

typedef struct pb_param {
    const char *name; /* "layer.3.attn.q.weight", "layer.3.attn.q.lora.A"              */
    pb_kind kind;
    int layer; /* 0.. ; -1 outside of the layers                                 */
    int rows, cols;
    pb_real *x;              /* the value; read-only (inside a file's map) unless trainable    */
    const pb_packed *packed; /* the value in fewer bits: then x is NULL and it does not train; else NULL */
    bool trainable;
    bool drawn;  /* the checkpoint has no such tensor, so the value is random until training or an adapter sets it */
    pb_real *g;  /* gradient [rows,cols]; for a sparse one [touched rows, cols]    */
    int *slot;   /* sparse: row of g for each row of x, -1 = untouched; else NULL  */
    int touched; /* sparse: rows of g in use for the current batch                 */
    struct pb_node *leaf; /* this parameter's node in the graph under construction          */
} pb_param;

/* Rows r0 .. r1-1, columns c0 .. c1-1 of a parameter, however it is held, into out [r1-r0, c1-c0]; c0 is
 * a multiple of 64. */
void pb_param_values(const pb_param *p, int r0, int r1, int c0, int c1, pb_real *out);

/* ---- nodes ------------------------------------------------------------------------------------ */

typedef struct pb_op pb_op;
typedef struct pb_graph pb_graph;
typedef struct pb_node pb_node;

struct pb_node {
    const pb_op *op;            /* NULL: a leaf                                              */
    pb_node *in[PB_MAX_INPUTS]; /* NULL where absent                                         */
    int rows, cols;
    const pb_rows *set;    /* what the rows are; NULL for parameters                    */
    pb_param *param;       /* a leaf's parameter, or NULL                               */
    const void *conf;      /* the op's settings, in the graph's arena                   */
    bool needs;            /* does its gradient lead to a trainable parameter           */
    unsigned want;         /* bit i: the gradient of input i is wanted                  */
    unsigned add;          /* bit i: backward adds into input i's gradient (else writes) */
    pb_real *x, *g, *aux;  /* value, gradient, what forward leaves for backward         */
    struct pb_slot *place; /* the planner's notes: graph.c and plan.c only              */
    int index;             /* order of execution                                        */
};

/* Which tensors the gradient of one input reads (pb_op.reads). */
enum { PB_IN0 = 1, PB_IN1 = 2, PB_IN2 = 4, PB_IN3 = 8, PB_OUT = 16, PB_AUX = 32 };

/* An operation: everything about it is in one struct, in one file.  Work is divided into
 * units that threads may do in any order: rows of the output unless `units` says otherwise. */
struct pb_op {
    const char *name;
    unsigned aligned;              /* bit i: row r of the output depends on row r of input i only      */
    unsigned inplace;              /* bit i: the output may be written over input i                    */
    unsigned inplace_grad;         /* bit i: input i's gradient may be written over the output's       */
    unsigned reads[PB_MAX_INPUTS]; /* what the gradient of input i reads                       */
    bool constant;                 /* whoever reads the output takes it as given: no gradient goes below */

    /* Sets rows, cols, set from the inputs; -1 with pb_error("NAME: what does not fit"). */
    int (*shape)(pb_node *n);
    size_t (*aux)(const pb_node *n);               /* elements kept for backward; NULL = 0               */
    size_t (*scratch)(const pb_node *n);           /* elements a thread needs while it runs; NULL = 0    */
    int (*units)(const pb_node *n, bool backward); /* independent pieces; NULL: rows           */
    int (*param_units)(const pb_node *n);          /* of backward_params; NULL: columns of the output   */

    void (*forward)(const pb_node *n, int from, int to, pb_real *scratch);
    void (*finish)(const pb_node *n); /* behind all units of forward, on one thread; NULL: nothing is left to do */
    /* Writes (or adds, by n->add) the gradients of the wanted inputs that come row by row. */
    void (*backward)(const pb_node *n, unsigned want, int from, int to, pb_real *scratch);
    /* The same for inputs that collect over rows: weights, biases, tables.  `collects` names
     * them; units are their own, so that no two threads write one element. */
    unsigned collects;
    void (*backward_params)(const pb_node *n, unsigned want, int from, int to, pb_real *scratch);
    /* Multiply-adds * 2 of all matrix products: of forward if want == 0, else of the
     * gradients in `want`.  NULL = no matrix product. */
    uint64_t (*flops)(const pb_node *n, unsigned want);
};

/* ---- building ----------------------------------------------------------------------------------- */

/* An empty graph in `arena` (reset by the caller between batches). */
pb_graph *pb_graph_new(pb_arena *arena, bool training);
bool pb_graph_training(const pb_graph *g);
pb_arena *pb_graph_arena(const pb_graph *g); /* for op settings */

/* Sticky: after the first error every builder returns NULL and takes NULL quietly; the
 * message is pb_error_text(). */
pb_node *pb_graph_param(pb_graph *g, pb_param *p);                              /* one leaf a parameter */
pb_node *pb_graph_input(pb_graph *g, const pb_rows *set, int cols, pb_real *x); /* a given value */
/* The inputs are different tensors. */
pb_node *pb_graph_apply(pb_graph *g, const pb_op *op, const void *conf, pb_node *a, pb_node *b, pb_node *c, pb_node *d);

/* Gradient checkpointing: the value of `n` (a layer's output) is kept; what lies between two such
 * marks, in order of building, is forgotten after the forward pass and computed again in the
 * backward pass.  Nothing behind the last mark is: leave the last layer unmarked.  The gradients are the
 * same to the bit.  NULL is taken quietly; a mark on a leaf, or that nobody reads, changes nothing. */
void pb_graph_checkpoint(pb_graph *g, pb_node *n);

/* The row of the whole set that row r of `set` stands for. */
int pb_rows_origin(const pb_rows *set, int r);

/* Row sets, in the graph's arena.  The whole set of a batch; one row of each sequence
 * (`which` from its start; < 0 from its end); `extra` more rows before each sequence that begins here (the same
 * set if none does). */
const pb_rows *pb_rows_whole(pb_graph *g, int sequences, const int *offset);
/* The whole set of a batch whose sequences may go on: the rows' places are given, and outlive the graph. */
const pb_rows *pb_rows_placed(pb_graph *g, int sequences, const int *offset, const int *position);
const pb_rows *pb_rows_pick(pb_graph *g, const pb_rows *of, int which);
const pb_rows *pb_rows_extended(pb_graph *g, const pb_rows *set, int extra);
const pb_rows *pb_rows_behind(pb_graph *g, const pb_rows *of,
                              const pb_rows *text); /* each one's last, as many as in `text` */
const pb_rows *pb_rows_chosen(pb_graph *g, const pb_rows *of, const int *value); /* those with value[row] >= 0 */

/* ---- planning and running -------------------------------------------------------------------- */

typedef struct pb_plan {
    size_t activations; /* bytes of the step arena: values, aux, their gradients          */
    size_t workspace;   /* bytes of scratch, all threads                                   */
    size_t gradients;   /* bytes of the gradients of trainable parameters                  */
    uint64_t forward_flops, backward_flops;
    uint64_t recompute_flops; /* what backward computes a second time, not in backward_flops     */
    int nodes;                /* executed                                                        */
    int tokens;               /* rows of the largest set                                         */
} pb_plan;

/* Narrows every computation to the rows that `outputs` read (op.h: pb_op_select marks them),
 * drops what nobody reads, decides liveness and one offset per tensor.  Nothing is run and no
 * activation memory is taken: this works for a graph of any size.  `loss` may be NULL
 * (inference): then no backward.  -1 if the graph is in error. */
int pb_graph_plan(pb_graph *g, pb_node *output, pb_node *loss, pb_plan *plan);

/* What the planned graph computes: nodes may have been replaced while narrowing. */
const pb_node *pb_graph_output(const pb_graph *g);
const pb_node *pb_graph_loss(const pb_graph *g); /* NULL if there is none, or nothing trains */

/* The last node under which nothing trains, if everything above reads frozen values through
 * it alone, its rows are one a sequence and no dropout lies below: then its value is a
 * feature that can be computed once and kept.  NULL if there is none. */
pb_node *pb_graph_feature(pb_graph *g, pb_node *output);

/* Makes `n` a given value: what lies below it is no longer computed.  Before planning. */
void pb_graph_cut(pb_graph *g, pb_node *n, pb_real *x);

/* Memory for running, reused from batch to batch. */
typedef struct pb_executor pb_executor;
pb_executor *pb_executor_new(void);
void pb_executor_free(pb_executor *m);

/* Binds the planned graph to the machine's memory (which grows to the plan) and runs it. */
void pb_executor_bind(pb_executor *m, pb_graph *g, const pb_plan *plan);
void pb_executor_forward(pb_executor *m, pb_graph *g);
void pb_executor_backward(pb_executor *m, pb_graph *g); /* from d loss = 1 */
uint64_t pb_executor_flops(const pb_executor *m);       /* done by the last forward or backward */

/* Tests: overwrite with NaN whatever the plan does not keep for backward; bytes of the step
 * arena that were really touched, by a pattern laid down in bind. */
void pb_executor_poison(pb_executor *m, pb_graph *g);
void pb_executor_watch(pb_executor *m, bool on);
size_t pb_executor_touched(const pb_executor *m);

#endif
