/* method: the contract of a fine-tuning method.  What a method's author reads.
 *
 * A method is one const struct in one file of methods/.  Its hooks are called while the graph
 * of a batch is built; they only say what is computed.  Derivatives, memory, FLOPs, counting,
 * saving and composition (`lora+prefix`) are the engine's business.
 */
#ifndef PB_METHOD_H
#define PB_METHOD_H

#include "base/option.h"
#include "base/rng.h"
#include "graph/graph.h"
#include "graph/op.h"

typedef enum pb_category { PB_BASELINE, PB_ADDITIVE, PB_SELECTIVE, PB_REPARAMETRIZATION, PB_HYBRID } pb_category;
extern const char *const pb_category_name[];

/* A named place of the network.  Roles of projections: attn.q attn.k attn.v (or attn.qkv, where the
 * checkpoint keeps the three in one matrix) attn.o mlp.gate mlp.up mlp.down; of sublayers (block
 * hook): attn mlp. */
typedef struct pb_site {
    int number;        /* place in the order of all sites                          */
    int layer, layers; /* 0 .. layers-1                                            */
    const char *role;
    int in, out;        /* W is [out,in]; for a sublayer in == out == hidden size */
    pb_param *w, *b;    /* base weight and bias (NULL: none); NULL for a sublayer  */
    const char *module; /* its name in a checkpoint with a head; NULL for a sublayer */
} pb_site;

typedef struct pb_build pb_build; /* one batch's graph under construction, see below */

/* What is known before training, for closed-form methods. */
typedef struct pb_training_stats {
    int classes;
    const int *class_count; /* [classes] training examples of each class */
} pb_training_stats;

/* A tensor of the method in PEFT's adapter files. */
typedef struct pb_peft_tensor {
    const char *ours, *theirs; /* "A", as given to pb_added; "lora_A.weight", the end of its name in the file       */
    bool vector;               /* stored with one dimension                                                         */
    const char *embedding;     /* the end of its name at an embedding table; NULL: the method has no such tensor    */
    const char *when;          /* the option that must be on for the tensor to exist; NULL: it always exists        */
} pb_peft_tensor;

/* A setting of the method in adapter_config.json. */
typedef struct pb_peft_key {
    const char *key, *option;             /* its names in adapter_config.json and in the options table               */
    const char *pattern, *pattern_option; /* the names of its values for single modules: "rank_pattern"; NULL: none  */
    bool rows;                            /* the value is the number of rows of the first tensor                     */
} pb_peft_key;

/* The layout of the tensors. */

typedef enum pb_peft_layout {
    PB_PEFT_SITES,  /* `tensors` at every targeted projection                                     */
    PB_PEFT_PREFIX, /* the keys (first of `tensors`) and values (second) of all layers in one tensor */
    PB_PEFT_PROMPT, /* one tensor of embeddings in front of the text                              */
    PB_PEFT_NORMS,  /* the gains and biases of the network's norms                                */
} pb_peft_layout;

/* The method in PEFT's adapter folders, which are read and written by this description. */
typedef struct pb_peft {
    const char *type; /* its peft_type: "LORA"                                                              */
    const char *also; /* another peft_type of the same layout, which can be read; or NULL                   */
    pb_peft_layout layout;
    const pb_peft_tensor *tensors; /* ends with a row of NULL                                                */
    const pb_peft_key *keys;       /* ends with a row of NULL                                                */
    const pb_peft_tensor *loaded;  /* {option, value} that PEFT's own implementation has; NULL: none         */
    const char *input_option;      /* the option that lists the sites whose input the first tensor rescales, instead of
                                      their output; NULL: none                                               */
    const char *fixed;             /* members that adapter_config.json always has: "\"bias\": \"none\""        */
    const char *bias;     /* the end of the name of a bias that an update may have, scaled like it; NULL: none */
    const char *bias_key; /* the member of adapter_config.json that is true if the adapter has that bias    */
    const char *init_key; /* the member that says how the tensors were initialized; NULL: none              */
} pb_peft;

/* The update of one projection, for a method that computes W + scale * B A. */
typedef struct pb_low_rank {
    const char *down, *up; /* the names of A [rank,in] and B [out,rank], as given to pb_added */
    int rank;
    double scale;
    bool additive; /* scale * B A is all that the method changes at this site (DoRA rescales the rows as well) */
} pb_low_rank;

/* How a task's texts are put to a decoder that answers in words (train/encoded.h). */
typedef struct pb_prompting {
    const char *template; /* a file, see train/template.h; "": the task's                            */
    int shots;            /* training examples shown in front, as many of them as there is room for  */
    bool normalize;       /* a word's log-probability is divided by its tokens                       */
    bool calibrate;       /* and compared with that behind texts without content                     */
    const char *chat;     /* said to an assistant in this format (model/chat.h); "none"              */
} pb_prompting;

/* Rows of the options of a method whose settings begin with a pb_prompting; `shots` is the method's own. */
#define PB_PROMPTING_OPTIONS                                                                                           \
    PB_OPTION(pb_prompting, template, TEXT, "", "a file with {text} and {label}; empty: the task's"),                  \
        PB_OPTION(pb_prompting, normalize, BOOL, "yes", "divide a word's log-probability by its tokens"),              \
        PB_OPTION(pb_prompting, calibrate, BOOL, "no",                                                                 \
                  "divide by the probabilities behind texts without content (Zhao et al. 2021, arXiv:2102.09690)"),    \
        PB_OPTION(                                                                                                     \
            pb_prompting, chat, TEXT, "none",                                                                          \
            "of a model that was trained to answer: its format by name, or auto; the template is the user's text")

typedef struct pb_method {
    const char *name;  /* as written in the INI; equals the file's name                */
    const char *title; /* "LoRA: low-rank update of linear layers"                     */
    const char *paper; /* "Hu et al. 2021, LoRA, arXiv:2106.09685"                     */
    const char *help;  /* one or two sentences                                         */
    pb_category category;
    bool classes;  /* needs a head of classes                                           */
    bool identity; /* promise: before training the outputs equal the base model's  */

    const pb_option *options; /* a row named "targets" (PB_TEXT) restricts `linear` to the
                                 sites that match; the engine does the matching             */
    size_t conf_size;

    /* Does this base or head parameter train?  NULL: the head trains, the base does not.
     * For a composition, a parameter trains if any part says so. */
    bool (*select)(const void *conf, const pb_param *p, int layers);

    /* A projection: x [T,in] -> [T,out].  pb_inner_linear() gives the inner methods' and
     * finally the base's output. */
    pb_node *(*linear)(pb_build *b, const pb_site *site, pb_node *x);
    /* After a sublayer, before the residual is added: y [T,C] -> [T,C]. */
    pb_node *(*block)(pb_build *b, const pb_site *site, pb_node *y);
    /* Word embeddings, before positions are added: x [T,C] -> [T',C]. */
    pb_node *(*embed)(pb_build *b, pb_node *x);
    /* Keys and values of a layer, [T, kv_width] each, may be replaced by longer ones. */
    void (*kv)(pb_build *b, const pb_site *site, pb_node **k, pb_node **v);

    /* The classes' logits [sequences, classes], of a model with a head of classes. */
    pb_node *(*logits)(pb_build *b, pb_node *logits);

    /* Once, before the first step; may set parameters in closed form (pb_find_param). */
    void (*before_train)(pb_build *b, const pb_training_stats *stats);

    /* Folds the trained change at a site into w [out,in] and bias [out] (NULL: none).  Its
     * presence is a promise: merged equals unmerged.  A method with none of linear, block,
     * embed, kv is merged as it is. */
    void (*merge)(pb_build *b, const pb_site *site, pb_real *w, pb_real *bias);

    /* The update of a site as the product of two matrices.  The engine batches additive updates of different adapters
     * (multi_adapter.h) and folds imported ones by it.  NULL: the method has no update of this form. */
    pb_low_rank (*low_rank)(const void *conf, const pb_site *site);

    /* Is a part of what it computes taken as a constant, so that its gradient is no slope of the loss?  NULL: no. */
    bool (*stop_gradient)(const void *conf);

    /* How texts are put to the model; NULL: as they are, and a head answers.  Lives as long as `conf`. */
    const pb_prompting *(*prompt)(const void *conf);

    const pb_peft *peft; /* NULL: PEFT has no such adapter */
} pb_method;

/* The registry, generated from the folder; NULL-ended, in alphabetical order. */
extern const pb_method *const pb_methods[];

/* These and the loaded ones behind them (plugin.h). */
const pb_method *pb_method_at(int i);              /* NULL: there is no such many */
const pb_method *pb_method_find(const char *name); /* NULL if unknown             */

/* `select` of a method by which nothing of base and head trains. */
bool pb_select_nothing(const void *conf, const pb_param *p, int layers);
/* `select` of a method by which every parameter trains. */
bool pb_select_everything(const void *conf, const pb_param *p, int layers);
/* `prompt` of a method whose settings begin with a pb_prompting. */
const pb_prompting *pb_prompt_settings(const void *conf);

/* ---- what hooks may call ------------------------------------------------------------------ */

struct pb_build {
    pb_graph *graph; /* first argument of every pb_op_* function                      */
    int width;       /* C, the hidden size                                            */
    int kv_width;    /* columns of keys and values; less than C with grouped queries  */
    int layers;
    int first_position; /* position of each sequence's first row; a prefix moves it      */
    int head_row;       /* which row of each sequence the head reads; 0 = first, -1 = last */
    double dropout;     /* of the base model; 0 when not training                        */
    struct pb_model *model;
    int part;                            /* which method of the composition is being asked                */
    uint64_t drop_key;                   /* of this step's dropout masks                                  */
    uint64_t drops;                      /* masks drawn so far in this graph                              */
    const pb_real *rotation;             /* table of pb_op_rope                                     */
    const int *adapter;                  /* of each sequence, with a multi-adapter; NULL: none       */
    struct pb_kv_cache *const *kv_cache; /* of each sequence, what stands before it; NULL: nothing  */
    bool append_to_cache;                /* .. and grows by this batch                              */
};

const void *pb_conf(const pb_build *b); /* the asked method's settings */

/* How a new parameter starts. */
typedef struct pb_init {
    enum { PB_CONSTANT, PB_NORMAL, PB_UNIFORM, PB_ROW_NORMS } kind;
    double scale;       /* the constant; standard deviation; bound                  */
    const pb_param *of; /* PB_ROW_NORMS: the matrix                                  */
} pb_init;
pb_init pb_init_constant(double value);
pb_init pb_init_normal(double deviation);
pb_init pb_init_uniform(double bound);
pb_init pb_init_kaiming(int fan_in);          /* uniform, bound 1/sqrt(fan_in): kaiming with a = sqrt 5 */
pb_init pb_init_row_norms(const pb_param *w); /* element j: the length of row j of w */

/* The trainable tensor `name` of this method at this site (NULL: one for the whole model),
 * made at its first use.  The only way to get one, so nothing goes uncounted. */
pb_node *pb_added(pb_build *b, const pb_site *site, const char *name, int rows, int cols, pb_init init);

/* The same for one that is kept as it is: it does not train, but the artifact holds it. */
pb_node *pb_fixed(pb_build *b, const pb_site *site, const char *name, int rows, int cols, pb_init init);

/* Such a tensor after it was made (merge), or any parameter by its full name; it must exist. */
const pb_param *pb_find_added(pb_build *b, const pb_site *site, const char *name);
pb_param *pb_find_param(pb_build *b, const char *full_name);

/* Does a list of patterns like "attn.* 3.mlp.up" name this site? */
bool pb_site_in(const char *list, const pb_site *site);

/* The value for this site in a list like "0.attn.q=16 mlp.*=4" (the first pattern that fits), else
 * `otherwise`. */
double pb_at_site(const char *list, const pb_site *site, double otherwise);

pb_node *pb_inner_linear(pb_build *b, const pb_site *site, pb_node *x);

/* The base's weight or bias (NULL: none) at a site, as a leaf. */
pb_node *pb_base_weight(pb_build *b, const pb_site *site);
pb_node *pb_base_bias(pb_build *b, const pb_site *site);

/* Dropout that is there only while training, from the stream "dropout" of this method. */
pb_node *pb_drop(pb_build *b, pb_node *x, double p);

/* For `merge`: the Euclidean norm of row `row` of W + scale * B A, where W [out,in] is the base's weight at the site,
 * B is [out,rank] and A is [rank,in]. */
double pb_updated_row_norm(const pb_site *site, int row, double scale, const pb_real *B, const pb_real *A, int rank);

#endif
