/* internal: what the files of this floor share about a model.  Not for other rooms. */
#ifndef PB_MODEL_INTERNAL_H
#define PB_MODEL_INTERNAL_H

#include "weights/weights.h"
#include "model/family.h"

typedef struct pb_layer {
    pb_site site[SITES], sub[SUBLAYERS];         /* a site of no width does not exist in this family */
    pb_param *gain[SUBLAYERS], *bias[SUBLAYERS]; /* the norm of each sublayer; bias NULL in RMS norms */
    pb_param *head_gain[2];                      /* of q's and k's heads, or NULL                    */
} pb_layer;

/* Keys and values of one text (kv_cache.h). */
struct pb_kv_cache {
    const pb_model *model;
    pb_cache_segment *layer; /* [layers] */
    pb_real *x;              /* what they point into */
    int capacity;            /* rows a layer         */
    int end;                 /* positions that the text may come to take, with all before it */
};

struct pb_model {
    pb_arena *arena;
    char *dir;
    pb_network_config config;
    pb_tokenizer *tokenizer;
    pb_weights *file; /* NULL: shapes only, or random weights                 */
    bool shapes_only; /* parameters have no values                            */
    pb_weights *list; /* shapes only: the checkpoint, to see what it lacks; NULL: there is none */
    pb_text missing;  /* tensors that the checkpoint lacks, while opening    */
    pb_base_options base;
    bool checkpoint; /* layers are recomputed in the backward pass         */
    uint64_t seed;
    pb_head head;
    int classes;
    int end[16];              /* tokens that end a text that is generated, -1 behind the last */
    bool own_head;            /* the checkpoint's, and all of it must be there */
    pb_json_doc *class_names; /* a list of texts, or NULL                  */

    pb_param **param;    /* base and head, then added, in order of making       */
    const char **origin; /* [params] name in the checkpoint; NULL: made here    */
    size_t params, capacity, origins;
    int *index; /* hash of names: number of the parameter, -1 = free   */
    size_t index_size;

    pb_layer *layer;
    pb_param *word, *position, *type, *embed_gain, *embed_bias, *final_gain, *final_bias;
    pb_param *distill_w, *distill_b;                                     /* the map to taught states, or NULL     */
    pb_param *pool_w, *pool_b, *pool_gain, *pool_beta, *head_w, *head_b; /* any may be absent */
    pb_real *rope;      /* [rope_positions, head_size], see pb_op_rope           */
    int rope_positions; /* computed so far                                       */

    struct pb_multi_adapter *multi_adapter; /* adapters of single sequences, or NULL */
    pb_attached *part;                      /* outermost first                                     */
    int parts;
    bool *matches;                     /* [parts, layers*SITES] does the part's linear apply  */
    bool targets_elsewhere;            /* an adapter's: it is no error that no projection matches */
    bool attached;                     /* no more parameters may be made                      */
    int extra_tokens;                  /* positions the methods take                          */
    int extra_rows;                    /* keys and values that they put in front, a layer     */
    struct pb_kv_cache *cached_prefix; /* of the prompt before every text, or NULL      */
    pb_ids cached_prefix_ids;
    pb_param *merged; /* [layers*SITES, 2] folded w and bias; NULL: unmerged */
};

/* checkpoint.c: config.json and the weights' files. */
int pb_checkpoint_open(pb_model *m, bool shapes_only);
int pb_checkpoint_params(pb_model *m, int distill_width); /* makes every base and head parameter */

/* Gives a parameter values that it owns and that may be written, in 32 bits; the file's are copied. */
void pb_checkpoint_make_writable(pb_model *m, pb_param *p);

/* params.c: the table of parameters. */
pb_param *pb_params_add(pb_model *m, const char *name, const char *origin, pb_kind kind, int layer, int rows, int cols);
void pb_params_init(pb_model *m, pb_param *p, pb_init init);

/* Writes the full name of a method's parameter to `out` and returns it: "layer.3.attn.q.lora.A", or "lora.A" for one of
 * the whole model (site NULL). */
enum { PB_ADDED_NAME = 160 };
const char *pb_params_added_name(const pb_method *method, const pb_site *site, const char *name,
                                 char out[PB_ADDED_NAME]);

/* The parameter of that name, or NULL. */
pb_param *pb_params_find_added(const pb_model *m, const pb_method *method, const pb_site *site, const char *name);

/* multi_adapter.c: y with what each sequence's adapter adds at a site, or (site NULL) at the head. */
pb_node *pb_multi_adapter_apply(pb_build *b, const pb_site *site, pb_node *y, pb_node *x);

/* hooks.c: the hooks of the methods attached. */
pb_build pb_build_start(pb_model *m, pb_graph *g, double dropout, uint64_t key);
pb_node *pb_build_linear(pb_build *b, const pb_site *s, pb_node *x);
pb_node *pb_build_block(pb_build *b, const pb_site *s, pb_node *y);
pb_node *pb_build_embed(pb_build *b, pb_node *x);
pb_node *pb_build_logits(pb_build *b, pb_node *logits);
void pb_build_kv(pb_build *b, const pb_site *s, pb_node **k, pb_node **v);

#endif
