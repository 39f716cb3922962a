/* family: what kinds of transformer there are, and what their files call things.  Not for
 * other rooms.
 *
 * A family is one row of a table: the keys of its config.json, the names of its tensors, and how its
 * layers are put together.  A network that is made of the same parts needs a row and no code. */
#ifndef PB_FAMILY_H
#define PB_FAMILY_H

#include "base/json.h"
#include "model/model.h"

enum { QKV, Q, K, V, O, GATE, UP, DOWN, SITES }; /* projections of a layer; QKV or Q, K, V       */
enum { ATTN, MLP, SUBLAYERS };                   /* what the block hook follows                  */

extern const char *const pb_role_name[SITES], *const pb_sublayer_name[SUBLAYERS];

/* A head's tensors: dense, activation and norm may be absent (NULL). */
typedef struct pb_head_names {
    const char *dense, *norm, *out, *bias; /* modules; `bias` is the bias tensor's whole name */
    pb_act act;
    bool config_act; /* config.json's activation, not `act`                                             */
    bool base_dense; /* the dense layer belongs to the pretrained model                         */
} pb_head_names;

struct pb_family {
    const char *type;       /* config.json: model_type                              */
    const char *class_name; /* what transformers' classes begin with                */
    const char *prefix;     /* of every name below in a model with a head: "bert."  */
    struct {
        const char *width, *layers, *heads, *intermediate_size, *positions, *act, *eps, *dropout;
    } key; /* of config.json */

    const char *word, *position, *token_type, *embed_norm, *final_norm; /* modules; NULL: none */
    const char *layer;                                                  /* "encoder.layer.%d" */
    const char *site[SITES];                                            /* modules in a layer; NULL: none */
    const char *norm[SUBLAYERS];
    const char *head_norm[2]; /* of each head of q and k */
    pb_head_names classes, masked;

    int kv_heads, head_size; /* where config.json has no such field; 0: as many as heads, width / heads */
    int window;              /* the same of sliding_window; 0: none                                    */
    int end;                 /* the same of eos_token_id; 0: none                                      */

    bool causal;
    bool pre_norm; /* x + f(norm(x)), else norm(x + f(x))               */
    bool rms;      /* norms without mean and bias                       */
    bool rotary;   /* positions by rotation, else from a table          */
    bool conv1d;   /* the projections' weights are stored [in,out]      */
    unsigned bias; /* bit k: projection k always has one                */
};

/* Reads eos_token_id, one token or a list, of a config.json or generation_config.json.  -1 with an error. */
int pb_family_ends(const char *path, const pb_json *root, pb_network_config *c);

/* Reads a config.json (`path` for messages).  -1 with an error. */
int pb_network_config_read(const char *path, const pb_json *root, pb_network_config *c);

#endif
