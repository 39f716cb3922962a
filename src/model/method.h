/* method: the contract of a fine-tuning method.  This is the page for a method's author.
 *
 * A method is one const struct pb_method in one file of methods/.  Its hooks are called while the graph of a batch is
 * built, and describe what is computed with the functions of graph/op.h.  The engine derives the gradients, plans the
 * memory, counts parameters and FLOPs, saves and loads, and composes methods (`lora+prefix`).
 *
 * In shapes, T is the number of rows of a batch (the tokens of all its sequences, one sequence after the other) and C
 * is the hidden size.  A hook receives nodes of the graph and returns a node, or NULL after an error; it may pass NULL
 * on to any function of op.h, which then returns NULL. */
#ifndef PB_METHOD_H
#define PB_METHOD_H

#include "base/option.h"
#include "base/rng.h"
#include "graph/graph.h"
#include "graph/op.h"
#include "model/peft.h"

/* The categories of the survey of Lialin et al. 2023 (arXiv:2303.15647), and baselines. */
typedef enum pb_category { PB_BASELINE, PB_ADDITIVE, PB_SELECTIVE, PB_REPARAMETRIZATION, PB_HYBRID } pb_category;
extern const char *const pb_category_name[]; /* by pb_category */

/* A site: a projection, a sublayer, or the residual stream at one layer.  The roles of projections are attn.q, attn.k,
 * attn.v (or attn.qkv in a network that has the three in one matrix), attn.o, mlp.gate, mlp.up and mlp.down.  The roles
 * of sublayers are attn and mlp, and that of the residual stream is layer. */
typedef struct pb_site {
    int number;         /* index among all sites of the network: layer * (sites of a layer) + the site in the layer */
    int layer, layers;  /* the layer's index, from 0, and the number of layers */
    const char *role;   /* such as "attn.q" */
    int in, out;        /* the weight W of a projection is [out,in]; both are C for other sites */
    pb_param *w, *b;    /* the base's weight and bias; b is NULL if it has none, both are NULL if it is no projection */
    const char *module; /* the module's name in a checkpoint with a head; NULL if it is no projection */
} pb_site;

/* The graph of one batch under construction; see below. */
typedef struct pb_build pb_build;

/* How the base model builds its layers, for a method that puts layers of the same kind beside them. */
typedef struct pb_layer_style {
    int heads, intermediate_size; /* of queries; columns between mlp.up and mlp.down */
    pb_act act;                   /* of the MLP */
    bool gated;    /* the MLP is mlp.down(act(mlp.gate(x)) * mlp.up(x)) instead of mlp.down(act(mlp.up(x))) */
    bool bias;     /* mlp.up has a bias */
    bool pre_norm; /* x + f(norm(x)) instead of norm(x + f(x)) */
    bool causal;   /* a token reads those in front of it only */
    bool rms;      /* RMSNorm instead of layer normalization */
    double norm_eps;
} pb_layer_style;

/* Training statistics: what is known of the training split before the first step.  The matrices are those that the
 * method has asked for (pb_hooks.asks), by pb_site.number; NULL: not asked for, or the method does not target it. 
 * They are computed without dropout and draws, and L has no penalties. */
typedef struct pb_training_stats {
    int classes;
    const int *class_count;         /* [classes] the number of training examples of each class, or with each label */
    int count;                      /* training examples */
    bool label_sets;                /* The answers are sets of labels, whose number is `classes`. */
    bool numbers;                   /* The answers are numbers, and `classes` is 1. */
    double mean_number;             /* of the training examples, if the answers are numbers */
    int examples;                   /* drawn for the matrices: the setting `samples`, or all if there are fewer */
    const pb_real *const *inputs;   /* x^T x / rows [in,in] of the inputs x of a projection */
    const pb_real *const *gradient; /* dL/dW [out,in], where L is the loss of all these examples as one batch; that of
                                       the methods' own tensors is in pb_param.g */
    const pb_real *const *squares;  /* (dL/dW)^2 [out,in], where L is the loss of one example with its true label: the
                                       mean over the examples.  The diagonal of the empirical Fisher information */
} pb_training_stats;

/* What `asks` may ask for: bits of its result.  A method that asks has an integer setting `samples`, the number of
 * examples, which are drawn at random from the training split. */
enum { PB_ASK_INPUTS = 1, PB_ASK_GRADIENT = 2, PB_ASK_SQUARES = 4 };

/* A training step, as the hooks before and after it see it. */
typedef struct pb_step {
    int step, steps; /* its number from 0, and the number of steps of the whole run */
    int epoch;       /* from 0 */
    double rate;     /* the learning rate of this step */
} pb_step;

/* The update of one projection, for a method that computes W + scale * B A. */
typedef struct pb_low_rank {
    const char *down, *up; /* the names of A [rank,in] and B [out,rank], as given to pb_added */
    int rank;
    double scale;
    bool additive; /* scale * B A is all that the method changes at this site (DoRA rescales the rows as well) */
} pb_low_rank;

/* ---- prompting ---------------------------------------------------------------------------------------------- */

/* How a task's texts are presented to a decoder that answers in words (train/encoded.h). */
typedef struct pb_prompting {
    const char *template; /* a file, see train/template.h; "": the task's template */
    int shots;            /* demonstrations in front of the text, as many of them as fit */
    bool normalize;       /* divide a verbalizer's log-probability by its number of tokens */
    bool calibrate;       /* divide by the probabilities after content-free inputs */
    const char *chat;     /* the chat template, see pb_chat_open; "none": no chat */
} pb_prompting;

/* Rows for the option table of a method whose settings struct begins with a pb_prompting.  `shots` is not among them:
 * the method sets it. */
#define PB_PROMPTING_OPTIONS                                                                                           \
    PB_OPTION(pb_prompting, template, TEXT, "", "a file with {text} and {label}; empty: the task's"),                  \
        PB_OPTION(pb_prompting, normalize, BOOL, "yes", "divide a verbalizer's log-probability by its tokens"),        \
        PB_OPTION(pb_prompting, calibrate, BOOL, "no",                                                                 \
                  "divide by the probabilities after content-free inputs (Zhao et al. 2021, arXiv:2102.09690)"),       \
        PB_OPTION(pb_prompting, chat, TEXT, "none",                                                                    \
                  "of an instruction-tuned model: auto, its chat template, or a format by name; `template` is then "   \
                  "the user's message")

/* ---- the method --------------------------------------------------------------------------------------------- */

/* A name of its own for some settings of a method, such as rslora for lora:rslora=yes, or for a composition.  The name
 * is replaced by its spec before anything is hashed, so both are one cell. */
typedef struct pb_preset {
    const char *name, *title, *paper; /* as in pb_method */
    const char *spec;                 /* of a method's preset its settings, "rslora=yes"; else the whole composition */
    const char *notes;                /* as in pb_method, of this preset only; NULL: nothing */
} pb_preset;

/* A value of pb_method.presets. */
/* clang-format off */
#define PB_PRESETS(...) (const pb_preset[]){__VA_ARGS__, {0}}
/* clang-format on */

/* What a method is, for the engine. */
typedef struct pb_traits {
    pb_category category;
    bool classes;  /* the method needs a classification head */
    bool identity; /* a promise that `verify` checks: before the first step, the outputs equal the base model's */
    /* The method ranks numbers that it has computed (scores of weights, distances) and chooses by rank what trains.
     * Rounding differs from processor to processor and can tip such a choice; the run then takes another course, and
     * `check` judges its scores. */
    bool ranks;
    /* A promise that `verify` checks: `linear` and `weight` are affine in x and `block` is in y, which is all that it
     * reads; they do not depend on the text, and there are no other hooks of the network.  The engine then folds the
     * method into the weights: it asks the hooks for the images of unit vectors. */
    bool merges;
} pb_traits;

/* The settings of a method: the table and the struct that PB_SETTINGS declares.  The engine reads six by name.  A text
 * `targets` restricts `weight`, `linear`, `attention` and `block` to the sites that match (pb_site_in); without it they
 * apply to all projections and sublayers, not to role layer.  `select` may read a text `only` with pb_param_in, and
 * `linear` a text `lora` with pb_site_in; a text NAME_pattern has values of single sites (pb_at_site), as NAME allows.
 * Of these lists a pattern that matches nothing is refused, except in defaults and presets.  An integer `samples` is
 * the number of training examples that the statistics of `asks` are of.  A real `consistency` weighs that hook. */
typedef struct pb_method_settings {
    const pb_option *options; /* ends with a row of zeros; NULL: the method has no settings */
    size_t conf_size;         /* of the struct that the rows describe */
    /* The integer or real setting that decides how much the method trains, such as "rank": [experiment] budget chooses
     * its value.  NULL: there is none. */
    const char *size;
} pb_method_settings;

/* What a method does.  Every hook may be NULL.  `conf` is the method's settings struct. */
typedef struct pb_hooks {
    /* Returns true if this parameter of the base model or the head trains.  Without this hook the head trains and the
     * base model is frozen.  In a composition a parameter trains if any of the methods selects it. */
    bool (*select)(const void *conf, const pb_param *p, int layers);

    /* Returns the weight [out,in] that a projection uses instead of w [out,in], made of w and of parameters alone.  It
     * is forgotten after its use and made again for its gradient: one full-size matrix is in memory at a time. */
    pb_node *(*weight)(pb_build *b, const pb_site *site, pb_node *w);

    /* Replaces a projection: x [T,in] to y [T,out].  pb_inner_linear() computes the projection without this method. */
    pb_node *(*linear)(pb_build *b, const pb_site *site, pb_node *x);

    /* Replaces the attention of a layer: q [T,heads*hd], k and v [Tk,kv_width] to [T,heads*hd], before the projection
     * attn.o.  pb_inner_attention() computes it without this method.  `site` is the attention sublayer. */
    pb_node *(*attention)(pb_build *b, const pb_site *site, pb_node *q, pb_node *k, pb_node *v);

    /* Transforms the output y [T,C] of a sublayer, before the residual connection; x [T,C] is what the sublayer has
     * read (in a pre-norm network, after the norm).  At a site of role layer, x is the residual stream in front of the
     * layer and y the residual stream behind it. */
    pb_node *(*block)(pb_build *b, const pb_site *site, pb_node *x, pb_node *y);

    /* Transforms the word embeddings before positions are added: x [T,C] to [T',C].  A hook that prepends rows may move
     * b->first_position and b->head_row. */
    pb_node *(*embed)(pb_build *b, pb_node *x);

    /* Transforms the logits [sequences, classes] of a model with a classification head. */
    pb_node *(*logits)(pb_build *b, pb_node *logits);

    /* With this hook every training batch runs twice in one graph, each time with its own draws (pb_draw, pb_drop): the
     * loss is the mean of both losses plus the result [1,1], where a and b are both logits of classes: a task whose
     * answers are numbers is refused, unless the setting `consistency` is 0. */
    pb_node *(*consistency)(pb_build *build, pb_node *a, pb_node *b);

    /* Returns the statistics (bits PB_ASK_..) that `start` needs; without this hook it gets the class counts only. */
    unsigned (*asks)(const void *conf);

    /* Called once, before the first step: sets the method's tensors (pb_tensor) to finite numbers.  b->graph is NULL.
     * A failure that is reported with pb_error ends the run. */
    void (*start)(pb_build *b, const pb_training_stats *stats);

    /* Called in every training step: when the gradients are computed and before they are clipped, and after the
     * optimizer's update, when the gradients are clipped and the values are new.  A gradient is that of this step if
     * pb_param.reached is true.  The hooks change the values of the method's own tensors and, before the step, the
     * gradients of all that trains (pb_tensor, pb_state).  b->graph is NULL.  pb_error ends the run, as in `start`. */
    void (*before_step)(pb_build *b, const pb_step *step);
    void (*after_step)(pb_build *b, const pb_step *step);

    /* Returns the update of a site as the product of two matrices.  The engine batches additive updates of different
     * adapters (multi_adapter.h), and folds imported updates by it. */
    pb_low_rank (*low_rank)(const void *conf, const pb_site *site);

    /* Returns how texts are presented to the model; the result must live as long as `conf`.  Without this hook a head
     * answers. */
    const pb_prompting *(*prompt)(const void *conf);
} pb_hooks;

/* A method. */
typedef struct pb_method {
    const char *name;     /* as written in an experiment file; equals the file's name.  Letters a-z, digits and '-' */
    const char *tensors;  /* what stands for the method in the names of its tensors, from which random values are drawn
                             and which artifacts hold: the earlier name of a method that was renamed.  NULL: `name` */
    const char *title;    /* "LoRA: low-rank update of linear layers" */
    const char *paper;    /* "Hu et al. 2021, LoRA, arXiv:2106.09685" */
    const char *help;     /* one or two sentences */
    const char *equation; /* of the paper, in the notation of this file: "y = W x + alpha/rank * B A x" */
    /* What the paper leaves open, where the method departs from it or from PEFT and why, and what a small model cannot
     * show: whole sentences, which the method's card in docs/methods.md prints.  NULL: nothing. */
    const char *notes;
    /* The number of elements that the method adds and trains, as a formula of its settings and of sizes, which `list`
     * prints and `verify` checks: "rank*(in+out)" at each targeted site.  "model: length*width" is counted once, and
     * parts are separated by ';' (model/formula.h).  NULL: the method adds no trained tensor. */
    const char *count;
    /* The standard deviations about zero with which tensors start, in the same language: "A: 1/sqrt(3*in); B: 0"; that
     * of a constant is its magnitude.  To be written as the paper states them, since `verify` compares them with the
     * tensors.  NULL: the paper states none. */
    const char *deviation;
    pb_traits traits;
    pb_method_settings settings;
    const pb_preset *presets; /* ends with a row of zeros; NULL: none */
    pb_hooks hooks;
    const pb_peft *peft; /* NULL: neither read nor written as a PEFT adapter */
} pb_method;

/* The methods of the folder methods/ in alphabetical order, ended by NULL.  The build generates this list. */
extern const pb_method *const pb_methods[];
/* The digest of the code of each of them, see pb_method_digest; generated as well. */
extern const char *const pb_method_digests[];

/* The presets that are compositions, ended by NULL: a file methods/NAME.c may define `const pb_preset pb_preset_NAME`
 * instead of a method.  Generated as well. */
extern const pb_preset *const pb_presets[];

/* The i-th method, from 0: first those of pb_methods, then the loaded plugins (plugin.h).  Returns NULL past the last
 * method. */
const pb_method *pb_method_at(int i);

/* Returns the method of this name, or NULL if there is none. */
const pb_method *pb_method_find(const char *name);

/* A `select` hook that freezes the base model and the head. */
bool pb_select_nothing(const void *conf, const pb_param *p, int layers);

/* A `select` hook with which every parameter trains. */
bool pb_select_everything(const void *conf, const pb_param *p, int layers);

/* `asks` hooks for a method that always asks for the inputs of its targets, or for their gradients. */
unsigned pb_asks_inputs(const void *conf);
unsigned pb_asks_gradient(const void *conf);

/* A `prompt` hook for a method whose settings struct begins with a pb_prompting. */
const pb_prompting *pb_prompt_settings(const void *conf);

/* ---- what hooks may call ------------------------------------------------------------------------------------ */

struct pb_build {
    pb_graph *graph;     /* the first argument of every pb_op_* function */
    int width;           /* C, the hidden size */
    int kv_width;        /* columns of keys and values; less than C with grouped-query attention */
    int layers;          /* of the network */
    int first_position;  /* position of each sequence's first row; an embed hook that prepends rows may move it */
    int head_row;        /* the row of each sequence that a classification head reads: 0 = first, -1 = last */
    const pb_rows *text; /* the texts' rows, as the first hook `embed` gets them: without what methods put in front */
    const int *ids;      /* [text->count] the tokens of the texts; another run of the graph may have others here */
    int micro_batch; /* number of this batch in its step, from 0, where a step accumulates the gradients of several */
    bool tied;       /* the output table of this language model is the table of word embeddings */
    double dropout;  /* dropout probability of the base model; 0 outside training */
    pb_layer_style style;

    /* For the engine. */
    struct pb_model *model;
    int part;                            /* index of the method whose hook is running */
    uint64_t drop_key;                   /* key of this graph's dropout masks */
    uint64_t draw_key;                   /* key of this step's numbers (pb_draw) */
    uint64_t drops;                      /* dropout masks drawn so far in this graph */
    const pb_real *rotation;             /* the table of pb_op_rope, or NULL */
    int positions;                       /* of the longest text, in a rotary network */
    const int *adapter;                  /* [sequences] the adapter of each in a multi-adapter; NULL: none */
    struct pb_kv_cache *const *kv_cache; /* [sequences] the KV cache of each; NULL: none */
    bool append_to_cache;                /* running the graph appends the batch's keys and values to the caches */
    int draws;                           /* numbers drawn so far by pb_draw */
    bool placed;       /* the positions of texts that continue decide about the graph, so it fits no other positions */
    pb_node *k, *v;    /* keys and values of the last attention of the base model */
    bool without_bias; /* the base's projections have no bias: for folding */
    void **memo;       /* [parts] of pb_memo */
    pb_node *penalty;  /* the sum of all terms of pb_penalty, or NULL */
    bool *attended;    /* the calls of pb_attend in this graph; NULL: none */
};

/* Returns the settings of the method whose hook is running. */
const void *pb_conf(const pb_build *b);

/* For a hook that cannot go on: reports an error, formatted as by printf, and returns NULL. */
void *pb_refuse(const char *fmt, ...) PB_PRINTF(1, 2);

/* Returns a name for a tensor, formatted as by printf, such as "B.3".  It lasts as long as the graph. */
const char *pb_name(pb_build *b, const char *fmt, ...) PB_PRINTF(2, 3);

/* The initial value of a parameter.  Random values come from a stream named after the parameter, so no other parameter
 * can change them. */
typedef struct pb_init {
    enum { PB_CONSTANT, PB_NORMAL, PB_UNIFORM, PB_ROW_NORMS, PB_COLUMN_NORMS, PB_ROWS } kind;
    double scale;       /* the constant; the standard deviation; the bound */
    const pb_param *of; /* the matrix of PB_ROW_NORMS, PB_COLUMN_NORMS and PB_ROWS */
    const int *rows;    /* of PB_ROWS: which */
    bool pairs;         /* rows 1, 3, .. are copies of those in front of them */
} pb_init;

pb_init pb_init_constant(double value);       /* every element is `value` */
pb_init pb_init_normal(double deviation);     /* normal with mean 0 and this standard deviation */
pb_init pb_init_uniform(double bound);        /* uniform in [-bound, bound) */
pb_init pb_init_kaiming(int fan_in);          /* uniform with bound 1/sqrt(fan_in): kaiming_uniform_ with a = sqrt(5) */
pb_init pb_init_pairs(pb_init init);          /* the same, with rows in equal pairs */
pb_init pb_init_row_norms(const pb_param *w); /* [1, rows of w]: element j is the Euclidean norm of row j of w */
pb_init pb_init_column_norms(const pb_param *w);          /* the same of the columns: [1, columns of w] */
pb_init pb_init_rows(const pb_param *w, const int *rows); /* row i is row rows[i] of w */

/* Returns the trainable tensor `name` [rows,cols] of the running method at a site, or (site NULL) of the whole model.
 * The first call creates it with the initial value `init`.  This is the only way to create a trainable tensor, so that
 * all are counted, saved and optimized.  All must be created while the first graph is built. */
pb_node *pb_added(pb_build *b, const pb_site *site, const char *name, int rows, int cols, pb_init init);

/* The same for a vector [1,n], such as a bias or a scale: weight decay does not apply to it. */
pb_node *pb_vector(pb_build *b, const pb_site *site, const char *name, int n, pb_init init);

/* The same for a tensor that does not train and is saved with the trained ones, such as a random projection. */
pb_node *pb_fixed(pb_build *b, const pb_site *site, const char *name, int rows, int cols, pb_init init);

/* The same for a tensor that does not train and is not saved: it is made again from the run's seed, which the artifact
 * holds. */
pb_node *pb_seeded(pb_build *b, const pb_site *site, const char *name, int rows, int cols, pb_init init);

/* Normalizes x [T,C] as the base model's norms do, with a gain [1,C] NAME.weight of the method's own and, unless it is
 * an RMSNorm, a bias NAME.bias, which start at 1 and 0. */
pb_node *pb_added_norm(pb_build *b, const pb_site *site, const char *name, pb_node *x);

/* Returns a random key that depends on the run's seed and the full name only, for ops that draw by a key; it is the
 * same in every graph of the run, and after the artifact has been loaded. */
uint64_t pb_seed(pb_build *b, const pb_site *site, const char *name);

/* Returns the first `count` of the numbers 0 .. below - 1 in the random order that torch.randperm gives them on a CPU,
 * by a generator with this seed: PEFT draws places by a seed of its configuration and does not save them.  `count` is
 * at most `below`.  They last as long as the graph.  NULL with an error if there are 2^32 / 20 numbers or more, which
 * torch orders in another way. */
const int *pb_torch_places(pb_build *b, int seed, int count, long long below);

/* Returns `count` integers of the running method, such as positions of a sparse update.  They are saved.  They are 0,
 * 1, 2, .. until `start` sets them (pb_param.index, by pb_tensor), each to a number from 0 to below - 1; count is at
 * most `below`. */
const int *pb_indices(pb_build *b, const pb_site *site, const char *name, int count, int below);

/* Returns `count` integers that are not saved: the numbers 0, 1, .. below-1, again and again, in a random order that is
 * made from the run's seed.  With count = below it is a permutation. */
const int *pb_shuffled(pb_build *b, const pb_site *site, const char *name, int count, int below);

/* Returns `count` numbers that the hooks between the steps keep, such as moving averages: zero at first, not saved,
 * counted as optimizer memory.  To be called while a graph is built; the hooks get them by pb_tensor. */
void pb_state(pb_build *b, const pb_site *site, const char *name, int count);

/* Says, while the tensors are created, that `count` elements of the method's trained tensors do not train: `start`
 * chooses them and sets them to 0, and `before_step` sets their gradients to 0.  They do not count as trained. */
void pb_pruned(pb_build *b, int count);

/* For hooks without a graph: returns the tensor that one of the functions above has created, to read and to write: its
 * value x, while training its gradient g (NULL for one that does not train), and `index`.  Aborts if there is none. */
pb_param *pb_tensor(pb_build *b, const pb_site *site, const char *name);

/* Multiplies the learning rate of a tensor of pb_added or pb_vector by `times`, which is positive.  Returns the tensor,
 * or NULL with an error. */
pb_node *pb_rated(pb_node *added, double times);

/* Adds weight * term, [1,1], to the loss while training, and so to the training loss that is recorded. */
void pb_penalty(pb_build *b, pb_node *term, double weight);

/* Returns the rows of x, a tensor of all rows of the batch, that are among the first tokens of their texts, so many as
 * `first` says, or among the last `last` ones; what methods put in front of a text does not count.  For pb_op_select;
 * there may be none.  A model that generates has no last tokens, since it does not know where a question ends: an
 * error.  NULL after an error. */
const pb_rows *pb_text_ends(pb_build *b, const pb_node *x, int first, int last);

/* Draws a number 0 .. n-1 for this training step, which depends on the run's seed, the step and the order of the
 * calls; it is the same in all micro-batches of the step.  Returns -1 where nothing trains, and while the tensors are
 * created: all alternatives then count, and all must be created. */
int pb_draw(pb_build *b, int n);

/* Returns memory of the running method that lasts while the present graph is built: `bytes` of zeros at the first call,
 * the same memory afterwards.  It carries nodes from one hook to a later one, such as the state of a side network. */
void *pb_memo(pb_build *b, size_t bytes);

/* Goes through the sites that the running method's `targets` match: PB_EACH_TARGET(b, site) { .. } */
#define PB_EACH_TARGET(b, site)                                                                                        \
    for (const pb_site *site = pb_next_target(b, NULL); site; site = pb_next_target(b, site))

/* Returns the first site that the running method's `targets` match, or the next one after `after`; NULL at the end.  In
 * the order of layers; within a layer projections first. */
const pb_site *pb_next_target(pb_build *b, const pb_site *after);

/* Returns the number of the running method's targets with this role; NULL: of all. */
int pb_count_targets(pb_build *b, const char *role);

/* Sets *in and *out to the largest input and the largest output of all targets of the running method. */
void pb_widest_target(pb_build *b, int *in, int *out);

/* For the hook after a step: what training has made so far is no result of the method, which has another phase before
 * it.  An epoch that ends with such a step is never the best one, and does not count for the patience. */
void pb_unfinished(pb_build *b);

/* For the hooks around a step of a method with two phases, of which the first one takes the share `share` of the steps,
 * and each phase one step at least: the number of steps of the first phase. */
int pb_first_phase(double share, const pb_step *step);

/* For `after_step` of such a method: calls pb_unfinished in the first phase, and returns true after the last step of
 * it.  A run of a single step is an error. */
bool pb_first_phase_ends(pb_build *b, double share, const pb_step *step);

/* For `after_step` of a method that goes on with its largest elements: of the tensors NAME of all targets together, the
 * share `share` of the elements that have the largest magnitudes, of equals the first ones.  Sets the elements of the
 * tensors MARK, which have as many, to 1 for those and to 0 for the others.  A share of less than one element is an
 * error, which ends the run. */
void pb_mark_largest(pb_build *b, const char *name, double share, const char *mark);

/* For `before_step`: multiplies the gradients of the tensors NAME of all targets by the tensors MARK. */
void pb_mask_gradients(pb_build *b, const char *name, const char *mark);

/* For `after_step`: sets the tensors NAME of all targets to 0, and what the optimizer remembers of them. */
void pb_rewind(pb_build *b, const char *name);

/* For the hooks before and after a step: returns the first parameter of the model that trains, or the next one after
 * `after`; NULL at the end.  In the order in which they were created.  The gradient of a table (pb_param.slot is not
 * NULL) has `touched` rows. */
pb_param *pb_next_trained(pb_build *b, const pb_param *after);

/* Returns the parameter of this full name, such as "head.bias".  Aborts if there is none. */
pb_param *pb_find_param(pb_build *b, const char *full_name);

/* Returns true if a pattern of `targets` matches the site.  Patterns are separated by spaces or commas; each is a role
 * or a layer and a role, with the wildcards of the shell: "attn.* 3.mlp.up", or a share of the layers and a role:
 * "0/6-1/6.attn.q" in the first sixth.  A layer that a boundary cuts is in both shares. */
bool pb_site_in(const char *targets, const pb_site *site);

/* Returns true if the parameter is the weight or the bias of a projection that a pattern of `targets` matches; `layers`
 * is the number of layers. */
bool pb_param_in(const char *targets, const pb_param *p, int layers);

/* Returns the value of the first pattern that matches the site in a list such as "0.attn.q=16 mlp.*=4", or `otherwise`
 * if none matches. */
double pb_at_site(const char *list, const pb_site *site, double otherwise);

/* Computes a projection without the running method: x [T,in] to [T,out], by the next inner method of the composition
 * or, if there is none, by the base model. */
pb_node *pb_inner_linear(pb_build *b, const pb_site *site, pb_node *x);

/* Computes attention without the running method, as pb_hooks.attention describes. */
pb_node *pb_inner_attention(pb_build *b, const pb_site *site, pb_node *q, pb_node *k, pb_node *v);

/* Computes the projection `role` ("attn.q") of the site's layer for other rows x [R,in], with all methods of the
 * composition that target it.  In a network that has attn.q, attn.k and attn.v in one matrix it is a part of the
 * columns
 * of attn.qkv, all of which are computed. */
pb_node *pb_project(pb_build *b, const pb_site *site, const char *role, pb_node *x);

/* For `start`: computes the keys k and the values v [n,kv_width] that a text of n tokens has in the attention of the
 * base model at an attention sublayer, without methods.  Returns -1 with an error. */
int pb_base_keys(pb_build *b, const pb_site *site, const int *ids, int n, pb_real *k, pb_real *v);

/* For `embed`: the row of `table` [P,C] for each row of b->text, by its position in its text, 0 for the first token
 * whatever methods put in front of it: [T,C].  A text of more than P tokens is an error, also one that may become so
 * long by decoding. */
pb_node *pb_text_positions(pb_build *b, pb_node *table);

/* Attention of the method's own, in a network beside the base: q, k and v [T,heads*hd] to [T,heads*hd], causal as the
 * base model's, with a KV cache of its own when decoding.  In a rotary network q and k are rotated, and hd must be
 * even.  k and v may have fewer heads, as in pb_op_attention, and rows in front of the text's.  At most one call of a
 * method for each site. */
pb_node *pb_attend(pb_build *b, const pb_site *site, int heads, pb_node *q, pb_node *k, pb_node *v);

/* For `linear`: returns the weight [out,in] with which pb_inner_linear() ends, as a node: the base model's, or what the
 * `weight` hooks of the composition make of it.  What inner methods do by `linear` is not in it. */
pb_node *pb_inner_weight(pb_build *b, const pb_site *site);

/* Returns the base model's bias [1,out] at a projection as a node, or NULL if it has none. */
pb_node *pb_base_bias(pb_build *b, const pb_site *site);

/* Dropout with probability p while training; returns x otherwise.  The mask depends on the run's seed, the step and the
 * order of the calls only. */
pb_node *pb_drop(pb_build *b, pb_node *x, double p);

#endif
