/* family: the families of transformers, and what their checkpoints call things.  Not for other rooms.
 *
 * A family is one row of a table: the keys of its config.json, the names of its tensors, and how its layers are
 * composed.  A family that is made of supported parts needs a row and no code. */
#ifndef PB_FAMILY_H
#define PB_FAMILY_H

#include "base/json.h"
#include "model/model.h"

/* The projections of a layer.  A family has either QKV or Q, K and V. */
enum { QKV, Q, K, V, O, GATE, UP, DOWN, SITES };

/* The sublayers of a layer, and the residual stream at it: the sites of the block hook. */
enum { ATTN, MLP, SUBLAYERS, STREAM = SUBLAYERS, BLOCKS };

extern const char *const pb_role_name[SITES], *const pb_block_name[BLOCKS]; /* as in pb_site.role */

/* The tensors of a head.  A dense layer with an activation, and a norm, may precede the output. */
typedef struct pb_head_names {
    const char *dense, *norm, *out; /* modules; NULL: the head has none */
    const char *bias;               /* the full name of the output's bias; NULL: none */
    pb_act act;
    bool config_act; /* the activation is that of config.json instead of `act` */
    bool base_dense; /* the dense layer belongs to the pretrained model */
} pb_head_names;

struct pb_family {
    const char *type;       /* model_type of config.json */
    const char *class_name; /* the prefix of transformers' class names */
    const char *prefix;     /* of the names below in a model with a head, such as "bert." */
    struct {
        const char *width, *layers, *heads, *intermediate_size, *positions, *act, *eps, *dropout;
    } key; /* keys of config.json */

    const char *word, *position, *token_type; /* modules of embedding tables; NULL: none */
    const char *embed_norm, *final_norm;      /* modules; NULL: none */
    const char *layer;                        /* "encoder.layer.%d" */
    const char *site[SITES];                  /* modules in a layer; NULL: none */
    const char *norm[SUBLAYERS];              /* modules in a layer */
    const char *head_norm[2];                 /* modules in a layer, of the norms of each head of q and k; or NULL */
    pb_head_names classes, masked;            /* of the classification head, and of the language model's head */
    pb_head_names tokens;                     /* of the head that gives a class to each token */
    pb_head_names choices;                    /* of the head that scores a choice; empty: that of the classes */

    /* Defaults of config.json. */
    int kv_heads;  /* of num_key_value_heads; 0: the number of heads */
    int head_size; /* of head_dim; 0: width / heads */
    int window;    /* of sliding_window; 0: none */
    int end;       /* of eos_token_id; 0: none */

    bool causal;
    bool pre_norm; /* x + f(norm(x)) instead of norm(x + f(x)) */
    bool rms;      /* RMSNorm instead of layer normalization */
    bool rotary;   /* rotary positions instead of a table of positions */
    bool conv1d;   /* the projections' weights are stored as [in,out] */
    unsigned bias; /* bit k is set if projection k always has a bias */
};

/* Reads eos_token_id, a token or a list of tokens, of a config.json or generation_config.json into c->end.  `path` is
 * for messages.  Returns -1 with an error. */
int pb_family_ends(const char *path, const pb_json *root, pb_network_config *c);

/* Reads a config.json; `path` is for messages.  Returns -1 with an error that names the field which is missing, wrong
 * or not supported. */
int pb_network_config_read(const char *path, const pb_json *root, pb_network_config *c);

#endif
