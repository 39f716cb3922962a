/* model: one transformer, built by configuration, with methods attached. */
#ifndef PB_MODEL_H
#define PB_MODEL_H

#include "tokenizer/tokenizer.h"
#include "graph/graph.h"
#include "model/method.h"
#include "numeric/kernel.h"

/* What a network ends in, from config.json's architectures. */
typedef enum pb_head {
    PB_HEAD_NONE,    /* its outputs are the last states [tokens, width] */
    PB_HEAD_CLASSES, /* logits of a text [sequences, classes]  */
    PB_HEAD_CAUSAL,  /* of the next token [tokens, vocabulary] */
    PB_HEAD_MASKED,  /* of the token itself                    */
} pb_head;

typedef struct pb_rope {   /* rotary positions */
    float frequency[2048]; /* [head_size / 2] radians a position turns each pair */
    double scale;          /* of what is turned                                  */
} pb_rope;

/* The shape of a network, from config.json. */
typedef struct pb_network_config {
    const struct pb_family *family;
    int vocab, width, layers, heads, kv_heads, head_size, intermediate_size, positions, types;
    int first_position; /* of a text: 0, or behind the padding's in a RoBERTa */
    pb_act act;
    double norm_eps, attention_scale;
    double dropout;      /* that the network was made to be tuned with  */
    bool scale_by_layer; /* attention_scale / (layer + 1)                      */
    bool tied;           /* the output table is the word table                 */
    unsigned bias;       /* bit k: projection k has one                        */
    pb_rope rope;
    pb_head head; /* what the checkpoint says it has                    */
    int classes;  /* that its head has, if it is one of classes         */
    int end[16];  /* tokens that end a text; the rest is -1              */
    int pad;      /* the token that texts are padded with, -1: none     */
    int window;   /* > 0: a token of the checkpoint's network sees so many tokens, fewer than it has positions for.
                     Inside the window it sees all before it, so positions is no more than that */
    bool scores;  /* its classifier's outputs are scores by themselves (a regression, several labels at once), so
                     no probabilities of classes can be made of them */
} pb_network_config;

typedef struct pb_attached { /* a method of the composition, outermost first */
    const pb_method *method;
    const void *conf;
} pb_attached;

typedef struct pb_batch { /* ragged: tokens of all sequences one after the other */
    int sequences;
    const int *offset; /* [sequences+1] */
    const int *ids;    /* [offset[sequences]] */
    const int *label;  /* [sequences], or NULL */
    const int *target; /* language models: [offset[sequences]] the token wanted at each place, < 0: none; then there
                           are logits of the places that want one only; or NULL */
    const pb_real *distill_target; /* [offset[sequences], pb_opening.distill_width] what a linear map of the last hidden
                                      states is trained to give, or NULL */
    const pb_real *distill_weight; /* [offset[sequences]] of each token's mean squared error in the loss */
    const int *adapter;            /* with a multi-adapter: [sequences] the adapter of each, < 0: none; or NULL */
    bool last;                     /* language models: logits of each sequence's last token only */
    /* Incremental decoding (kv_cache.h): [sequences] the KV cache of each, which grows when the graph runs, and
     * [offset[sequences]] the positions of the tokens.  Both must outlive the graph.  NULL: no cache. */
    struct pb_kv_cache *const *kv_cache;
    const int *position;
} pb_batch;

typedef struct pb_model pb_model;

typedef enum pb_origin { PB_FROM_CHECKPOINT, PB_FROM_RANDOM } pb_origin;

/* [model] of an experiment file: how the frozen base is held.  What trains is in 32 bits. */
typedef struct pb_base_options {
    int precision; /* pb_precision, of the layers' matrices; embeddings and output tables: at most bf16 */
    bool double_quant;
    int weights; /* pb_origin */
} pb_base_options;
extern const pb_option pb_base_table[];

typedef struct pb_opening {
    const char *path;  /* a Hugging Face folder, a GGUF or a llama2.c file                  */
    int classes;       /* of the task's head; 0: the head that the checkpoint has           */
    uint64_t seed;     /* a head that the checkpoint lacks starts from its stream "init"    */
    int layers;        /* > 0: only the first so many                                       */
    bool bare;         /* no head, whatever the checkpoint has                              */
    int distill_width; /* > 0: width of the states that pb_batch.distill_target teaches               */
    bool shapes_only;  /* config.json alone: plans need no weights                          */
    pb_base_options base;
} pb_opening;

/* Reads the configuration, maps the weights and opens the tokenizer, if there is one.  NULL with an
 * error; all tensors that are missing are named at once. */
pb_model *pb_model_open(const pb_opening *o);
void pb_model_free(pb_model *m);

/* Has every parameter a value of its own: -1 with an error that names the tensors that neither the checkpoint nor an
 * adapter has, and that were drawn at random for a training that did not come. */
int pb_model_check_given(const pb_model *m);

/* Attaches methods: decides what trains, makes their parameters, copies what trains out of
 * the map.  Once per model.  -1 with an error (a target that matches no site, say). */
int pb_model_attach(pb_model *m, const pb_attached *list, int count);
void pb_model_before_train(pb_model *m, const pb_training_stats *stats);

const pb_network_config *pb_model_config(const pb_model *m);
pb_head pb_model_head(const pb_model *m); /* of the network that is built  */
int pb_model_outputs(const pb_model *m);  /* columns of its logits         */
int pb_model_kv_width(const pb_model *m); /* of a layer's keys: kv * hd    */

/* What the head's classes are called: from config.json's id2label, from an adapter made here, or given as
 * a JSON list of texts (-1 with an error if it is none); where nothing is known, LABEL_0, LABEL_1, .. */
int pb_model_name_classes(pb_model *m, const char *list);
char *pb_model_class(const pb_model *m, int i); /* caller frees */

const pb_tokenizer *pb_model_tokenizer(const pb_model *m); /* NULL: the checkpoint has none */
bool pb_model_ends(const pb_model *m, int id);             /* does this token end a text    */
const char *pb_model_family(const pb_model *m);            /* "bert"                        */
bool pb_model_is_causal(const pb_model *m); /* True for a decoder, whose positions attend to earlier ones only. */
const char *pb_model_dir(const pb_model *m);
pb_digest pb_model_digest(const pb_model *m); /* SHA-256 of the weights' files */
int pb_model_max_tokens(const pb_model *m);   /* positions left for text, the methods' and a held prompt's off */

/* While training, keep only the layers' outputs (pb_graph_checkpoint). */
void pb_model_checkpoint(pb_model *m, bool on);

/* All parameters: base, head, added; trainable ones have a value of their own. */
int pb_model_params(const pb_model *m);
pb_param *pb_model_param(const pb_model *m, int i);
pb_param *pb_model_find(const pb_model *m, const char *name);

typedef struct pb_counts {
    uint64_t base, head, added; /* parameters held: of the checkpoint, the task, the methods */
    uint64_t trainable;         /* of all these, those that train                            */
} pb_counts;
pb_counts pb_model_counts(const pb_model *m);
size_t pb_model_weight_bytes(const pb_model *m); /* base + head + added, as held in memory */

/* Builds the batch's graph: logits [sequences, classes] or [tokens, vocabulary] (the rows of the text,
 * not of a prompt that a method puts in front) and, with labels or targets, the mean loss. */
typedef struct pb_outputs {
    pb_node *logits, *loss;
} pb_outputs;
int pb_model_build(pb_model *m, pb_graph *g, const pb_batch *batch, double dropout, uint64_t dropout_key,
                   pb_outputs *out);

/* Holds a prompt in front of every text: its keys and values are computed once, with the methods as they are now.
 * From then on every batch's logits are those with the prompt's n ids in front of each text, at the cost of the text
 * alone, and pb_model_max_tokens is n less.  One prompt at a time, the last one given; forward only: hold it behind
 * training and merging, and release it before either.  -1 with an error, and nothing held: too long, not a causal
 * model. */
int pb_model_cache_prefix(pb_model *m, const int *ids, int n);
void pb_model_drop_prefix(pb_model *m); /* nothing held is fine */

/* Folds the methods into copies of the weights; false if one of them cannot.  Building then
 * uses the folded weights.  pb_model_unmerge goes back. */
bool pb_model_can_merge(const pb_model *m);
void pb_model_merge(pb_model *m);
void pb_model_unmerge(pb_model *m);

/* Does an artifact hold this parameter: it trains, or it is of the task's head or of a method. */
bool pb_model_stores(const pb_param *p);
/* Writes / reads these (safetensors, by name). */
int pb_model_save(const pb_model *m, const char *path);
int pb_model_load(pb_model *m, const char *path);

#endif
