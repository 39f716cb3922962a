/* model: a transformer network with the methods attached to it. */
#ifndef PB_MODEL_H
#define PB_MODEL_H

#include "tokenizer/tokenizer.h"
#include "graph/graph.h"
#include "model/method.h"
#include "numeric/kernel.h"

/* The head of a network.  T is the number of tokens of a batch. */
typedef enum pb_head {
    PB_HEAD_NONE,    /* the output is the last hidden states [T, width] */
    PB_HEAD_CLASSES, /* classification: logits [sequences, classes] */
    PB_HEAD_CAUSAL,  /* causal language model: logits of the next token [T, vocabulary] */
    PB_HEAD_MASKED,  /* masked language model: logits of the token itself [T, vocabulary] */
    PB_HEAD_TOKENS,  /* token classification: logits [T, classes] */
} pb_head;

/* What the outputs of a classification head mean: problem_type in config.json. */
typedef enum pb_problem {
    PB_PROBLEM_ANY,     /* not given: a number if there is one output, else a class */
    PB_PROBLEM_CLASS,   /* single_label_classification: one class, by the softmax   */
    PB_PROBLEM_LABELS,  /* multi_label_classification: any labels, by sigmoids      */
    PB_PROBLEM_NUMBERS, /* regression                                               */
    PB_PROBLEM_CHOICES, /* the score of one choice, of which the softmax of a group is taken; in config.json it is
                           said by the architecture, ForMultipleChoice, and not by problem_type */
} pb_problem;
extern const char *const pb_problem_name[]; /* the value of problem_type, or words for it; NULL: not given */

/* Rotary position embeddings. */
typedef struct pb_rope {
    float frequency[2048]; /* [head_size / 2] radians by which each pair of columns turns per position */
    double scale;          /* factor of the rotated queries and keys (YaRN's attention factor); usually 1 */
} pb_rope;

/* The configuration of a network, as config.json describes it. */
typedef struct pb_network_config {
    const struct pb_family *family;
    int vocab, width, layers, heads, kv_heads, head_size; /* width is the hidden size */
    int intermediate_size;                                /* of the MLP */
    int positions, types;                                 /* rows of the tables of positions and of token types */
    int first_position;                                   /* of a text: 0, or pad_token_id + 1 in a RoBERTa */
    pb_act act;
    double norm_eps, attention_scale;
    double dropout;      /* the dropout probability in fine-tuning */
    bool scale_by_layer; /* the attention scale of layer l is attention_scale / (l + 1) */
    bool tied;           /* the output table is the word table */
    unsigned bias;       /* bit k is set if projection k has a bias */
    pb_rope rope;
    pb_head head; /* that of the checkpoint */
    int classes;  /* of the checkpoint's classification head */
    int end[16];  /* end-of-text tokens, -1 after the last one */
    int pad;      /* the padding token, -1: none */
    int window;   /* sliding-window attention: the window's tokens if texts of `positions` tokens do not fit in it, else
                     0.  `positions` is then the window, since longer texts are not supported */
    pb_problem problem; /* of the checkpoint's classification head */
} pb_network_config;

/* One method of a composition. */
typedef struct pb_attached {
    const pb_method *method;
    const void *conf; /* its settings, which must outlive the model */
} pb_attached;

/* A batch of texts of different lengths, without padding: the tokens of all sequences, one sequence after the other.
 * T = offset[sequences].  The arrays must outlive the graph that is built from them. */
typedef struct pb_batch {
    int sequences;
    const int *offset;     /* [sequences+1] index of each sequence's first token */
    const int *ids;        /* [T] */
    const int *token_type; /* [T] of each token, for models that have token types (segments); NULL: all 0 */
    const int *label;      /* [sequences] classes, for the loss of a classification head; or NULL */
    /* Of questions with choices: [groups+1] the first sequence of each group, which has one for each choice.  label
     * [groups] then has the right one of each group, and the head has one output. */
    const int *group;
    int groups;                  /* 0: none */
    const pb_real *class_weight; /* [classes] weights of the labels' classes in the loss; NULL: plain cross-entropy */
    double label_smoothing;      /* with class_weight: as in pb_op_class_loss */
    const pb_real *label_set; /* [sequences, classes] 1 for each label that a text has, 0 for the others, for the binary
                                 cross-entropy of a classification head; or NULL */
    const pb_real *number;    /* [sequences] numbers, for the mean squared error of a head with one output; or NULL */
    const int
        *target; /* [T] the token to predict at each position, or its class for a head of token classification; < 0:
                          none; or NULL.  The logits then have rows for positions with a target only */
    const pb_real *distill_target; /* [T, pb_opening.distill_width] distillation targets of a linear map of the last
                                      hidden states, or NULL */
    const pb_real *distill_weight; /* [T] weight of each position's mean squared error in the loss */
    const int *adapter;            /* [sequences] the adapter of each in a multi-adapter, < 0: none; or NULL */
    int micro_batch; /* its number in a step that accumulates gradients, from 0: it has other dropout masks
                                      than the others, and the same numbers of pb_draw */
    bool last;       /* language models: compute logits of each sequence's last token only */
    bool states;     /* whatever the head: the output is the last hidden states, of the tokens with a target
                                      if there are targets; no loss */
    struct pb_kv_cache *const *kv_cache; /* [sequences] the KV cache of each, to which running the graph appends the
                                            batch; NULL: no cache.  See kv_cache.h */
    const int *position;                 /* [T] with a cache: the position of each token */
} pb_batch;

typedef struct pb_model pb_model;

typedef enum pb_origin { PB_FROM_CHECKPOINT, PB_FROM_RANDOM } pb_origin;

/* [model] of an experiment file: how the frozen base model is stored.  Trainable parameters are in 32 bits. */
typedef struct pb_base_options {
    int precision; /* pb_precision, of the layers' matrices; embedding and output tables are in bf16 or fp32 */
    bool double_quant;
    int weights; /* pb_origin */
} pb_base_options;
extern const pb_option pb_base_table[];

/* What to open. */
typedef struct pb_opening {
    const char *path; /* a Hugging Face folder, a GGUF file or a llama2.c file */
    int classes;      /* > 0: a classification head for this many classes; 0: the head of the checkpoint */
    bool tokens;      /* the classification head is one of tokens, PB_HEAD_TOKENS */
    /* Of that head; ANY: as config.json says.  Unless it is ANY, a checkpoint's head for another problem, or for
     * another number of classes, is refused. */
    pb_problem problem;
    uint64_t seed;     /* of the initial values of parameters that the checkpoint lacks */
    int layers;        /* > 0: only this many layers, from the first */
    bool bare;         /* no head, whatever the checkpoint has */
    int distill_width; /* > 0: add a linear map of the last hidden states to this many columns, for distillation */
    bool shapes_only;  /* read no weights; parameters have shapes but no values */
    pb_base_options base;
} pb_opening;

/* ---- opening (open.c) --------------------------------------------------------------------------------------- */

/* Reads the configuration, maps the weights and opens the tokenizer if there is one.  Returns NULL with an error; an
 * error about missing tensors names all of them.  The caller frees the model. */
pb_model *pb_model_open(const pb_opening *o);
void pb_model_free(pb_model *m); /* NULL is allowed */

/* Returns -1 with an error that names the parameters which neither the checkpoint nor an adapter has, so that they
 * still have random initial values; 0 if there are none. */
int pb_model_check_given(const pb_model *m);

/* ---- attaching methods (attach.c) --------------------------------------------------------------------------- */

/* Attaches a composition of `count` methods, outermost first: decides what trains, creates the methods' parameters, and
 * copies the parameters that train out of the mapped file.  Once per model.  Returns -1 with an error, for example if
 * `targets` matches no site. */
int pb_model_attach(pb_model *m, const pb_attached *list, int count);

/* A setting that is refused: of which method of the composition, and its name. */
typedef struct pb_fault {
    int part;
    const char *setting;
} pb_fault;

/* Checks, for a model without methods, which stays so, the settings of a composition that name sites: what
 * pb_model_attach refuses of them, without its work.  Returns -1 with an error and *fault. */
int pb_model_check_sites(pb_model *m, const pb_attached *list, int count, pb_fault *fault);

/* ---- between training steps (steps.c) ----------------------------------------------------------------------- */

/* The bytes of the numbers of pb_state, and their memory in `arena` (class PB_OPTIMIZER), all zero.  While it is closed
 * they have no memory. */
size_t pb_model_state_bytes(const pb_model *m);
void pb_model_open_state(pb_model *m, pb_arena *arena);
void pb_model_close_state(pb_model *m);

/* Call the before_step and after_step hooks. */
void pb_model_before_step(pb_model *m, const pb_step *at);
void pb_model_after_step(pb_model *m, const pb_step *at);

/* Returns true if a method has an after_step hook. */
bool pb_model_has_after_step(const pb_model *m);

/* Returns how many elements of tensors that train stay 0, since a method has pruned them. */
uint64_t pb_model_pruned(const pb_model *m);

/* Returns true if a method has said after the last step that it is in a phase that ends without a result. */
bool pb_model_unfinished(const pb_model *m);

/* ---- what a model is (model.c) ------------------------------------------------------------------------------ */

const pb_network_config *pb_model_config(const pb_model *m); /* owned by the model */
pb_head pb_model_head(const pb_model *m);                    /* the head that was built, which pb_opening decides */
bool pb_model_has_classes(const pb_model *m);                /* the head is a classifier, of texts or of tokens */
int pb_model_outputs(const pb_model *m);                     /* columns of the output */
pb_problem pb_model_problem(const pb_model *m);              /* that of a classification head, which is never ANY */
bool pb_model_chooses(const pb_model *m); /* the head scores one of several choices, PB_PROBLEM_CHOICES */
int pb_model_kv_width(const pb_model *m); /* columns of a layer's keys: kv_heads * head_size */

/* Sets the names of the head's classes from a JSON list of strings.  Returns -1 with an error if it is none. */
int pb_model_name_classes(pb_model *m, const char *list);

/* Returns the name of class i: from config.json's id2label, from the adapter, or as set; otherwise LABEL_i.  The caller
 * frees it. */
char *pb_model_class(const pb_model *m, int i);

const pb_tokenizer *pb_model_tokenizer(const pb_model *m);      /* NULL: the checkpoint has none */
const pb_tokenizer *pb_model_want_tokenizer(const pb_model *m); /* NULL with an error: the checkpoint has none */
bool pb_model_ends(const pb_model *m, int id);                  /* true for an end-of-text token */
const char *pb_model_family(const pb_model *m);                 /* model_type, such as "bert" */
bool pb_model_is_causal(const pb_model *m);   /* true for a decoder, whose positions attend to earlier ones only */
int pb_model_token_types(const pb_model *m);  /* number of token types (segments) with an embedding; 0: none */
const char *pb_model_dir(const pb_model *m);  /* pb_opening.path */
pb_digest pb_model_digest(const pb_model *m); /* SHA-256 of the weights' files; "" if they cannot be read */

/* The SHA-256 of the fields of config.json that are read with the end-of-text tokens, which generation_config.json may
 * name, and that of the content of tokenizer.json; "" if the folder has no such file.  Neither the layout of the files
 * nor a field that changes no result, such as transformers_version, counts.  A GGUF or llama2.c file has all of it
 * among its weights, whose digest stands for it. */
pb_digest pb_model_config_digest(const pb_model *m);
pb_digest pb_model_tokenizer_digest(const pb_model *m);

/* The most tokens that a text may have: the network's positions less those of the methods and of the cached prefix. */
int pb_model_max_tokens(const pb_model *m);

/* The rows that the methods put in front of the keys and values of each text, in the layer with the most. */
int pb_model_extra_rows(const pb_model *m);

/* Turns gradient checkpointing on or off: training then keeps the layers' outputs only and recomputes the rest
 * (Chen et al. 2016, arXiv:1604.06174; pb_graph_checkpoint). */
void pb_model_checkpoint(pb_model *m, bool on);

/* ---- parameters (params.c) ---------------------------------------------------------------------------------- */

/* All parameters, in order of creation: base, head, then those of the methods. */
int pb_model_params(const pb_model *m);
pb_param *pb_model_param(const pb_model *m, int i);
pb_param *pb_model_find(const pb_model *m, const char *name); /* NULL: there is none of this name */

/* Numbers of parameters; the integers of pb_indices are none. */
typedef struct pb_counts {
    uint64_t base, head, added; /* of the checkpoint, of the task's head, of the methods */
    uint64_t trainable;         /* of all these, those that train */
    uint64_t trained;           /* of these, those that are not of the head */
} pb_counts;
pb_counts pb_model_counts(const pb_model *m);

/* Bytes of all parameters as they are stored in memory. */
size_t pb_model_weight_bytes(const pb_model *m);

/* ---- the network (network.c) -------------------------------------------------------------------------------- */

/* The outputs of a batch. */
typedef struct pb_outputs {
    pb_node *logits;  /* as pb_head describes; rows that a method prepends have no logits */
    pb_node *loss;    /* [1,1] the mean loss; NULL if the batch has neither labels nor targets */
    pb_node *penalty; /* [1,1] what the methods have added to it (pb_penalty, consistency), or NULL */
    bool placed;      /* the graph depends on the positions of its tokens (pb_build.placed) */
    bool drawn;       /* a method has drawn its structure (pb_draw), so that of other keys' graphs may differ */
} pb_outputs;

/* Adds the batch's computation to the graph, with the methods' hooks.  `dropout` is the base model's probability, and
 * `dropout_key` decides all masks.  Returns -1 with an error, for example if a text is too long. */
int pb_model_build(pb_model *m, pb_graph *g, const pb_batch *batch, double dropout, uint64_t dropout_key,
                   pb_outputs *out);

/* Returns the number of terms of which the loss of a batch is the mean: of its labels, sets of labels, numbers or
 * targets; of labels with class weights, the sum of their weights.  0 if it has none. */
double pb_model_loss_terms(const pb_model *m, const pb_batch *batch);

/* ---- prefix caching (prefix_cache.c) ------------------------------------------------------------------------ */

/* Caches the keys and values of a prefix of n tokens, computed with the methods in their present state.  From then on
 * the logits of every batch are those of its texts with the prefix in front, at the cost of the texts alone, and
 * pb_model_max_tokens is n less.  A model has one cached prefix; a new one replaces it.  For inference: call it after
 * training and merging, and drop the prefix before either.  Returns -1 with an error, and no prefix is cached, if the
 * prefix is too long, the model is not causal, or it has a multi-adapter. */
int pb_model_cache_prefix(pb_model *m, const int *ids, int n);

/* Drops the cached prefix, if there is one. */
void pb_model_drop_prefix(pb_model *m);

/* ---- merging (merge.c) -------------------------------------------------------------------------------------- */

/* Returns true if every method attached can be folded into the weights. */
bool pb_model_can_merge(const pb_model *m);

/* Folds the methods into copies of the weights, which graphs built from then on use.  Returns -1 with an error, and
 * nothing is merged, if a hook fails or gives a result that is not finite. */
int pb_model_merge(pb_model *m);

/* What merging changes in the base. */
typedef struct pb_merge_change {
    uint64_t elements; /* of weights and biases that do not train and differ in the merged model */
    int matrices;      /* weights that are folded */
    double rank;       /* mean numerical rank of the changes of these weights; NaN if there is none, or if computing it
                          would take too long */
} pb_merge_change;

/* Computes what merging would change, one matrix after the other, in a model that can be merged and is not.  A singular
 * value counts for the rank if it is greater than the rounding errors of the merged weight W' = W + D: than
 * e (|W'| + sqrt(max(in,out)) |D|), in Frobenius norms, where e is 2^-23, or 2^-52 in double.  Decompositions of
 * high-rank changes may take 10^12 FLOPs in all.  Returns -1 with an error as pb_model_merge does. */
int pb_model_merge_change(pb_model *m, pb_merge_change *out);

/* Drops the folded copies, if there are any; graphs use the methods' hooks again. */
void pb_model_unmerge(pb_model *m);

/* ---- the change (change.c) ---------------------------------------------------------------------------------- */

/* Scales what training has changed by `strength`: every parameter of the base that trains in place or is folded becomes
 * (1 - strength) W + strength W', where W is its value in `base`, the same model without methods, and W' is its value
 * in `m`, a merged model.  Strength 1 leaves m as it is, and 0 makes it the base with the head of m.  A bias that the
 * base does not have counts as 0 there. */
void pb_model_set_strength(pb_model *m, const pb_model *base, double strength);

/* How the change of a model lies in the space of its base's weights.  The matrices are those of the layers'
 * projections; values over matrices are means over those that the change is not 0 in, NaN if there is none. */
typedef struct pb_geometry {
    double norm;           /* |W' - W| / |W|, Frobenius norms of all parameters of the base together */
    int matrices;          /* changed matrices */
    double effective_rank; /* of the change of a matrix, see pb_effective_rank */
    double overlap;        /* pb_leading_share of the change in W, with k = min(in,out) / 10, rounded up */
} pb_geometry;

/* Computes the geometry of the change of a merged model against `base`, the same model without methods.  Singular
 * values within the rounding errors of W' do not count, as in pb_model_merge_change.  Effective rank and overlap are
 * NaN if the decompositions would take more than about 10^13 FLOPs.  Returns -1 with an error if one fails. */
int pb_model_geometry(const pb_model *m, const pb_model *base, pb_geometry *out);

/* Compares the updates of weights and biases that the model's only method declares by `low_rank` with those that its
 * hooks compute.  Writes the largest difference of an element, infinity if the tensors do not exist or have other
 * shapes, and its site.  Returns the number of sites that it has compared, which is 0 for other models, or -1 with an
 * error. */
int pb_model_compare_low_rank(pb_model *m, double *off, const pb_site **site);

/* ---- artifacts (artifact.c) --------------------------------------------------------------------------------- */

/* Returns true if an artifact contains this parameter: it trains, or belongs to the task's head or to a method. */
bool pb_model_stores(const pb_param *p);

/* Writes or reads these parameters as a safetensors file, by name.  Returns -1 with an error. */
int pb_model_save(const pb_model *m, const char *path);
int pb_model_load(pb_model *m, const char *path);

/* Copies the parameters that an artifact of `from` contains to `to`, a model of the same checkpoint with the same
 * methods and another head.  The head of `to` keeps the values of the checkpoint where `from` does not have it.
 * Returns -1 with an error if another tensor is missing or has another shape. */
int pb_model_copy_trained(pb_model *to, const pb_model *from);

#endif
