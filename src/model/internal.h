/* internal: what the files of this floor share about a model.  Not for other floors. */
#ifndef PB_MODEL_INTERNAL_H
#define PB_MODEL_INTERNAL_H

#include "files/safetensors.h"
#include "model/model.h"

enum { Q, K, V, O, UP, DOWN, SITES }; /* projections of a layer */
enum { ATTN, MLP, SUBLAYERS };        /* what the block hook follows */

typedef struct pb_layer {
    pb_site site[SITES], sub[SUBLAYERS];
    pb_param *gain[SUBLAYERS], *bias[SUBLAYERS]; /* the norm behind each sublayer */
} pb_layer;

struct pb_model {
    pb_arena *arena;
    char *dir;
    pb_config config;
    pb_tokenizer *tokenizer;
    pb_safetensors *file; /* NULL: shapes only                                   */
    uint64_t seed;
    int classes;

    pb_param **param; /* base and head, then added, in order of making       */
    size_t params, capacity;
    int *index; /* hash of names: number of the parameter, -1 = free   */
    size_t index_size;

    pb_layer *layer;
    pb_param *word, *place, *type, *embed_gain, *embed_bias;
    pb_param *pool_w, *pool_b, *head_w, *head_b;

    pb_attached *part; /* outermost first                                     */
    int parts;
    bool *matches;    /* [parts, layers*SITES] does the part's linear apply  */
    bool attached;    /* no more parameters may be made                      */
    int extra_tokens; /* positions the methods take                          */
    pb_param *merged; /* [layers*SITES, 2] folded w and bias; NULL: unmerged */
};

/* checkpoint.c: config.json and the weights' file. */
int pb_checkpoint_config(const char *dir, pb_config *c, pb_arena *arena);
int pb_checkpoint_open(pb_model *m);
int pb_checkpoint_params(pb_model *m); /* makes every base and head parameter */

/* params.c: the table of parameters. */
pb_param *pb_params_add(pb_model *m, const char *name, pb_kind kind, int layer, int rows, int cols);
void pb_params_init(pb_model *m, pb_param *p, pb_init init);

/* build.c: hooks. */
pb_build pb_build_start(pb_model *m, pb_graph *g, double dropout, uint64_t key);
pb_node *pb_build_linear(pb_build *b, const pb_site *s, pb_node *x);
pb_node *pb_build_block(pb_build *b, const pb_site *s, pb_node *y);
pb_node *pb_build_embed(pb_build *b, pb_node *x);
void pb_build_kv(pb_build *b, const pb_site *s, pb_node **k, pb_node **v);

#endif
