/* internal: the parts of a model that the files of this room share.  Not for other rooms. */
#ifndef PB_MODEL_INTERNAL_H
#define PB_MODEL_INTERNAL_H

#include "weights/weights.h"
#include "model/family.h"

/* A hash table of parameters' names. */
typedef struct pb_name_index {
    int *slot; /* the number of a parameter, -1 = free */
    size_t size;
} pb_name_index;

/* A layer of the network. */
typedef struct pb_layer {
    pb_site site[SITES], block[BLOCKS];          /* out is 0 for a projection that the family lacks */
    pb_param *gain[SUBLAYERS], *bias[SUBLAYERS]; /* the norm of each sublayer; bias is NULL in an RMSNorm */
    pb_param *head_gain[2];                      /* the norms of each head of q and k, or NULL */
} pb_layer;

/* An attention whose keys and values a KV cache holds: that of a layer, or one of a method's own (pb_attend). */
typedef struct pb_cached_attention {
    int part, site; /* of one of a method's own: the method, and pb_site.number; part is -1 for that of a layer */
    int width;      /* columns of its keys */
    int extra_rows; /* keys that the methods put in front of those of a text's tokens */
} pb_cached_attention;

struct pb_kv_cache { /* see kv_cache.h */
    const pb_model *model;
    pb_cache_segment *segment; /* [model->cached_attentions] */
    pb_real *x;                /* the keys and values of all of them */
    size_t room;               /* elements of x */
    int end;                   /* positions that the text may take in the end, with those of the parent */
};

/* The rotary table of heads of one size, see rope.c. */
typedef struct pb_rotation pb_rotation;

/* A tensor that is made again from the run's seed. */
typedef struct pb_seeded_param {
    pb_param *param;
    pb_init init;
} pb_seeded_param;

struct pb_model {
    pb_arena *arena; /* owns everything that lives as long as the model */
    char *dir;       /* pb_opening.path */
    pb_network_config config;
    pb_tokenizer *tokenizer;
    pb_weights *file; /* NULL: shapes only, or random weights */
    bool shapes_only; /* parameters have no values */
    pb_weights *list; /* shapes only: the checkpoint, to see which tensors it has; or NULL */
    pb_text missing;  /* while opening: the tensors that the checkpoint lacks */
    pb_base_options base;
    bool checkpoint; /* gradient checkpointing */
    uint64_t seed;
    pb_head head;
    int classes;
    pb_problem problem;       /* of the head of classes */
    int end[16];              /* end-of-text tokens of decoding, -1 after the last one */
    bool checkpoint_head;     /* the head is the checkpoint's, which must have all of it */
    pb_json_doc *class_names; /* a list of strings, or NULL */

    pb_param **param;    /* [params] in order of creation: base, head, methods */
    const char **origin; /* [params] the tensor's name in the checkpoint; NULL: the parameter is none of its tensors */
    size_t params, capacity, origins;
    pb_name_index index;

    pb_param **state; /* [states] of pb_state, each [1,n]; x is NULL unless the model trains */
    size_t states, state_capacity;
    pb_name_index state_index;

    pb_seeded_param *seeded; /* [seededs] */
    size_t seededs, seeded_capacity;
    bool uses_seed; /* a method draws from the seed after loading: artifacts contain it */

    pb_layer *layer;                                                                      /* [layers] */
    pb_param *word, *position, *type, *embed_gain, *embed_bias, *final_gain, *final_bias; /* any may be NULL */
    pb_param *distill_w, *distill_b; /* the linear map whose outputs have distillation targets, or NULL */
    pb_param *pool_w, *pool_b, *pool_gain, *pool_beta, *head_w, *head_b; /* of the head; any may be NULL */
    pb_rotation *rope; /* the rotary tables computed so far, or NULL */

    struct pb_multi_adapter *multi_adapter; /* or NULL */
    pb_attached *part;                      /* [parts] the methods, outermost first */
    int parts;
    bool *matches;               /* [parts, pb_model_sites()] the method's hooks apply to the site */
    bool targets_elsewhere;      /* for an adapter whose targets need not match a projection */
    bool attached;               /* no more parameters may be created */
    uint64_t pruned;             /* elements of trained tensors that pb_pruned has said not to train */
    bool unfinished;             /* pb_unfinished was called after the last step */
    bool preparing;              /* start.c computes statistics: nothing is dropped out, drawn or penalized */
    int extra_tokens;            /* positions that the methods take in each text */
    int front_rows;              /* rows that the methods put in front of each text */
    pb_cached_attention *cached; /* [cached_attentions] those of the layers first */
    int cached_attentions;
    struct pb_kv_cache *cached_prefix; /* the parent of every text's KV cache, or NULL */
    pb_ids cached_prefix_ids;
    pb_gram **gram;   /* [pb_model_sites()] observers of the projections' inputs (start.c), each or all NULL: none */
    pb_param *merged; /* [pb_model_sites(), 2] folded weights and biases; x is NULL where nothing is folded; NULL: not
                         merged */
    pb_node **watched_keys; /* [layers, 2] the keys and values of the layers in a graph, for pb_base_keys; or NULL */
};

/* ---- checkpoint.c ------------------------------------------------------------------------------------------- */

/* Reads the configuration and opens the weights.  Returns -1 with an error. */
int pb_checkpoint_open(pb_model *m, bool shapes_only);

/* Creates every parameter of the base and the head, and those of distillation if distill_width > 0.  Returns -1 with an
 * error that names the missing tensors. */
int pb_checkpoint_params(pb_model *m, int distill_width);

/* Copies the values of a parameter out of the mapped file, in 32 bits, so that they may be written. */
void pb_checkpoint_make_writable(pb_model *m, pb_param *p);

/* ---- params.c ----------------------------------------------------------------------------------------------- */

/* Adds a parameter without values.  The name must be new.  The model owns the result; `origin` must outlive it. */
pb_param *pb_params_add(pb_model *m, const char *name, const char *origin, pb_kind kind, int layer, int rows, int cols);

/* Adds numbers of pb_state, without memory for them.  The name must be new. */
pb_param *pb_params_add_state(pb_model *m, const char *name, int layer, int count);

/* The numbers of pb_state of this full name, or NULL. */
pb_param *pb_params_find_state(const pb_model *m, const char *name);

/* Allocates the values of a parameter and initializes them, from the random stream named after it. */
void pb_params_init(pb_model *m, pb_param *p, pb_init init);

/* Allocates the integers of a parameter [1,n] and sets them to 0, 1, 2, ..; they are to be less than `below`. */
void pb_params_init_index(pb_model *m, pb_param *p, int below);

/* Marks a parameter of a method as seeded, and draws all such parameters from the model's seed. */
void pb_params_add_seeded(pb_model *m, pb_param *p, pb_init init);
void pb_params_draw_seeded(pb_model *m);

/* Sets the integers of a parameter to 0, 1, .. below-1, again and again, in a random order by the seed. */
void pb_params_shuffle(const pb_model *m, pb_param *p);

/* Writes the full name of a method's parameter to `out` and returns it: "layer.3.attn.q.lora.A", or "lora.A" for one of
 * the whole model (site NULL). */
enum { PB_ADDED_NAME = 160 };
const char *pb_params_added_name(const pb_method *method, const pb_site *site, const char *name,
                                 char out[PB_ADDED_NAME]);

/* The parameter of that name, or NULL. */
pb_param *pb_params_find_added(const pb_model *m, const pb_method *method, const pb_site *site, const char *name);

/* ---- attend.c ----------------------------------------------------------------------------------------------- */

/* Adds an attention that KV caches hold.  Returns its index. */
int pb_attention_add_cached(pb_model *m, pb_cached_attention attention);

/* The base model's attention at an attention sublayer. */
pb_node *pb_base_attention(pb_build *b, const pb_site *site, pb_node *q, pb_node *k, pb_node *v);

/* ---- multi_adapter.c ---------------------------------------------------------------------------------------- */

/* Returns y plus the update of x by each sequence's adapter, at a site or (site NULL) at the classification head. */
pb_node *pb_multi_adapter_apply(pb_build *b, const pb_site *site, pb_node *y, pb_node *x);

/* ---- sites.c ------------------------------------------------------------------------------------------------- */

/* The number of sites of the network, and site i: pb_site.number is i. */
int pb_model_sites(const pb_model *m);
const pb_site *pb_model_site(const pb_model *m, int i);

/* Returns true if hooks of method `part` apply to the site; to one outside of the layers (number < 0) they do. */
bool pb_model_targets(const pb_model *m, int part, const pb_site *site);

/* ---- merge.c ------------------------------------------------------------------------------------------------ */

/* Writes what the methods make of a site's weight to w [out,in], and of its bias to bias [out].  `block` is the site
 * of the sublayer that ends with the projection, whose hooks are folded too; NULL: none.  Returns -1 with an error if
 * a hook fails. */
int pb_fold_site(pb_model *m, const pb_site *site, const pb_site *block, pb_real *w, pb_real *bias);

/* Is called with a site, its folded weight and its folded bias, whose x is NULL if it has none.  The function may keep
 * an x, and then sets it to NULL here. */
typedef int pb_each_folded(void *ctx, const pb_site *s, pb_param folded[2]);

/* Folds the methods at every site that they target, one site after the other.  The model can be merged and is not.
 * Returns -1 with an error if a hook fails, a result is not finite, or `each` returns nonzero. */
int pb_fold_each(pb_model *m, pb_each_folded *each, void *ctx);

/* ---- hooks.c: calls of the methods' hooks -------------------------------------------------------------------- */

/* How the base model builds its layers. */
pb_layer_style pb_layer_style_of(const pb_model *m);

/* Starts the graph of a batch.  g may be NULL for hooks that compute nothing. */
pb_build pb_build_start(pb_model *m, pb_graph *g, double dropout, uint64_t key);

/* Checks a tensor of a method, `full`: it has the shape [rows,cols], or p is NULL and it may still be created.  Returns
 * -1 with an error otherwise, and the graph fails. */
int pb_build_check_tensor(pb_build *b, const pb_param *p, const char *full, int rows, int cols);

/* A projection, and an attention.  The outermost method that targets it is called first, and calls the next one by
 * pb_inner_linear or pb_inner_attention. */
pb_node *pb_build_linear(pb_build *b, const pb_site *s, pb_node *x);
pb_node *pb_build_attention(pb_build *b, const pb_site *s, pb_node *q, pb_node *k, pb_node *v);

/* The hooks block, embed and logits, the innermost method first; each returns its argument if there is no hook. */
pb_node *pb_build_block(pb_build *b, const pb_site *s, pb_node *x, pb_node *y);
pb_node *pb_build_embed(pb_build *b, pb_node *x);
pb_node *pb_build_logits(pb_build *b, pb_node *logits);

/* Returns true if a training batch runs twice: a method has the hook `consistency`. */
bool pb_build_runs_twice(const pb_model *m);

/* The sum of what the hooks `consistency` make of the logits of two passes. */
pb_node *pb_build_consistency(pb_build *b, pb_node *first, pb_node *second);

/* ---- model.c */

/* Returns the names of the tensors of the head of classes, of tokens or of choices that the model has. */
const struct pb_head_names *pb_classifier_names(const pb_model *m);

/* Returns the names of the classes of a head as a JSON list; empty without such a head.  The caller frees it. */
pb_text pb_model_class_names(const pb_model *m);

#endif
