/* model: one transformer, built by configuration, with methods attached.  Floor 4. */
#ifndef PB_MODEL_H
#define PB_MODEL_H

#include "files/tokenizer.h"
#include "graph/graph.h"
#include "model/method.h"
#include "numeric/kernel.h"

/* The shape of a network, from config.json. */
typedef struct pb_config {
    const char *family; /* "bert"                                      */
    int vocab, width, layers, heads, inner, positions, types;
    pb_act act;
    double norm_eps;
} pb_config;

typedef struct pb_attached { /* a method of the composition, outermost first */
    const pb_method *method;
    const void *conf;
} pb_attached;

typedef struct pb_batch { /* ragged: tokens of all sequences one after the other */
    int sequences;
    const int *offset; /* [sequences+1] */
    const int *ids;    /* [offset[sequences]] */
    const int *label;  /* [sequences], or NULL */
} pb_batch;

typedef struct pb_model pb_model;

/* Reads DIR/config.json, maps DIR/model.safetensors (weights NULL = shapes only: plans need
 * no weights) and opens the tokenizer.  `classes` sizes the head, which starts from the
 * stream "init" of `seed` unless the checkpoint has one of this size.  NULL with an error. */
pb_model *pb_model_open(const char *dir, int classes, uint64_t seed, bool shapes_only);
void pb_model_free(pb_model *m);

/* Attaches methods: decides what trains, makes their parameters, copies what trains out of
 * the map.  Once per model.  -1 with an error (a target that matches no site, say). */
int pb_model_attach(pb_model *m, const pb_attached *list, int count);
void pb_model_before_train(pb_model *m, const pb_facts *facts);

const pb_config *pb_model_config(const pb_model *m);
const pb_tokenizer *pb_model_tokenizer(const pb_model *m);
const char *pb_model_dir(const pb_model *m);
pb_digest pb_model_digest(const pb_model *m); /* SHA-256 of the weights' file */
int pb_model_max_tokens(const pb_model *m);   /* positions left for text, method's tokens off */

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

/* Builds the batch's graph: logits [sequences, classes] and, with labels, the mean loss. */
typedef struct pb_outputs {
    pb_node *logits, *loss;
} pb_outputs;
int pb_model_build(pb_model *m, pb_graph *g, const pb_batch *batch, double dropout, uint64_t dropout_key,
                   pb_outputs *out);

/* Folds the methods into copies of the weights; false if one of them cannot.  Building then
 * uses the folded weights.  pb_model_unmerge goes back. */
bool pb_model_can_merge(const pb_model *m);
void pb_model_merge(pb_model *m);
void pb_model_unmerge(pb_model *m);

/* Does an artifact hold this parameter: it trains, or it is of the task's head. */
bool pb_model_stores(const pb_param *p);
/* Writes / reads these (safetensors, by name). */
int pb_model_save(const pb_model *m, const char *path);
int pb_model_load(pb_model *m, const char *path);

#endif
