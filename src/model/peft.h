/* peft: how a method describes its adapters in Hugging Face PEFT, for pb_method.peft. */
#ifndef PB_PEFT_H
#define PB_PEFT_H

#include "graph/graph.h"

typedef struct pb_site pb_site;
typedef struct pb_build pb_build;

/* A tensor of the method in PEFT's adapter files.  Here it has two dimensions, [rows,cols]; there it may be reshaped
 * and have its dimensions in another order.  `shape` and `when` are expressions of model/formula.h, whose names are the
 * method's settings, sizes such as in and out, and rows and cols, the tensor's own.
 *
 *     {"A", "lora_A.weight"}                                                   as it is
 *     {"B", "hra_u", .axes = "10"}                                             transposed
 *     {"m", "lora_magnitude_vector", "cols"}                                   flat
 *     {"w", "c3a_kernel", "out/block, in/block, block"}                        the same numbers in three dimensions
 *     {"A", "gralora_A", "k, in/k, rank/k", "021"}                             .. each block transposed
 *     {"A", "base_model.vera_A", .of_model = true}                             one tensor for all modules
 *     {"v.#", "base_model.tinylora_v.#", .of_model = true}                     .. v.0, v.1, .. as far as there are
 *     {"start"}                     not in the file: as the method has it at its start, for which `start` is called
 *     {"", "scales", .plus = scales}           in the file only: what the method makes of its tensors */
typedef struct pb_peft_tensor {
    const char *ours, *theirs; /* "A", as given to pb_added and the like; the end of its name in the file, after the
                                  module's name and a dot, or its full name if it is of the model                  */
    const char *shape;         /* the dimensions in the file, at most 4: "out/b, in/b, b"; NULL: "rows, cols" (with
                                  `axes` "10": "cols, rows")                                                       */
    const char *axes;   /* the dimensions of the file in the order of the tensor here, where the last one is that of
                           neighbours in memory: "10" if it is transposed; NULL: the same order                    */
    bool of_model;      /* created with site NULL; the file has it once                                            */
    const char *copies; /* of such a tensor: the file has it at each module besides, with this end of the name; or
                              NULL                                                                                 */
    bool part;          /* of such a tensor, of integers: the file has it at the modules only, in the order of the
                              targets and of these rows: at each as many of the integers as `shape` says            */
    pb_node *(*plus)(pb_build *b, const pb_site *site); /* the file has the tensor plus this, which may be made of the
                              tensors of the rows above; NULL: the tensor                                          */
    const char *embedding; /* the end of its name at an embedding table; NULL: the method has no such tensor there */
    const char *when;      /* the tensor exists where this is not 0: "dora"; NULL: everywhere                      */
    const char *along;     /* of integers that are places row * in + column of W, in ascending order here: the vector
                              whose elements belong to the places.  With the shape "2, cols" the file has the rows,
                              then the columns                                                                     */
    int kept; /* 1 + the dimension of the file that pb_peft.kept_key shortens; 0: none                             */
} pb_peft_tensor;

/* A setting of the method in adapter_config.json.  A member that the method does not declare by a key is refused unless
 * its value is PEFT's default, or one that changes no result (model/adapter_fields.c). */
typedef struct pb_peft_key {
    const char *key, *option; /* its names in adapter_config.json and in the options table; option NULL: the member
                                 must have the one value in `words`                                               */
    const char *pattern, *pattern_option; /* the names of its values for single modules: "rank_pattern"; NULL: none */
    bool rows;                            /* the value is the first dimension of the first tensor in the file      */
    const char *words; /* of a choice, or a setting yes or no: the values there, as JSON and in the order of the
                          choices or of no and yes, separated by '|': "\"random\"|\"snip\"|", where nothing
                          stands for a choice that PEFT does not have; "true|false": the opposite                 */
    const char *null;  /* the setting's value that is null there; NULL: no value is                               */
    bool complement;   /* the value there is 1 - the setting's                                                    */
    bool positive;     /* a setting of 0, which means something else, is refused when an adapter is written       */
    const int *(*list)(pb_build *b, int *count); /* the value is a list of integers, which this returns when an adapter
                                 is written and `option`, a text, has with spaces between; NULL: it is no list    */
    const char *count;                           /* of such a list: the option that has its length                */
    const char *formula; /* the value when an adapter is written, as an expression of model/formula.h; NULL: the
                            setting's                                                                             */
} pb_peft_key;

/* Values of pb_method.peft, of pb_peft.tensors and pb_peft.loaded, and of pb_peft.keys. */
/* clang-format off */
#define PB_PEFT(...) &(const pb_peft){__VA_ARGS__}
#define PB_PEFT_TENSORS(...) (const pb_peft_tensor[]){__VA_ARGS__, {0}}
#define PB_PEFT_KEYS(...) (const pb_peft_key[]){__VA_ARGS__, {0}}

/* A row of pb_peft.keys of a method with random matrices: the file must have them, as what PEFT draws is not known. */
#define PB_PEFT_PROJECTION_SAVED {"save_projection", .words = "true"}
/* clang-format on */

/* A value of pb_peft.fixed. */
#define PB_PEFT_NO_BIAS "\"bias\": \"none\""

/* The layout of the tensors. */
typedef enum pb_peft_layout {
    PB_PEFT_SITES,  /* `tensors` at every targeted projection                                     */
    PB_PEFT_PREFIX, /* the keys (first of `tensors`) and values (second) of all layers in one tensor; the third and
                       the fourth are their first rows, which the method may have apart                 */
    PB_PEFT_PROMPT, /* one tensor of embeddings in front of the text                              */
    PB_PEFT_PROMPT_PARTS, /* the tensors of the model that those embeddings are made of             */
    PB_PEFT_NORMS,        /* the gains and biases of the network's norms                                */
    PB_PEFT_TOKENS,       /* one tensor: rows of the table of word embeddings; no head                  */
    PB_PEFT_ATTENTIONS,   /* `tensors` at the attentions of the upper layers; no head                   */
} pb_peft_layout;

/* The method in PEFT's adapter folders, which are read and written by this description. */
typedef struct pb_peft {
    const char *type; /* its peft_type: "LORA"                                                              */
    const pb_peft_tensor *tensors; /* ends with a row of NULL                                                */
    const pb_peft_key *keys;       /* ends with a row of NULL; NULL: none                                     */
    const char *also; /* another peft_type of the same layout, which can be read; or NULL                   */
    pb_peft_layout layout;
    const pb_peft_tensor *loaded; /* {option, value} that PEFT's own implementation has: the values when an adapter
                                      is read, without which none is written; NULL: none                     */
    const char *kept_key;         /* the member that lists for single modules which of the rows (or columns, see
                             pb_peft_tensor.kept) the file has: true or false for each; the others are zero.  It is
                             read and not written; NULL: none                                                */
    bool only_written;            /* the method is written as this type, which another method reads         */
    const struct pb_peft *other;  /* another type that the method has with other settings; NULL: none       */
    const char *input_option;     /* the option that lists the sites whose input the first tensor rescales, instead of
                                      their output; NULL: none                                               */
    const char *families; /* of models that PEFT has the type for, with spaces between; NULL: all                   */
    const char *fixed;    /* members that adapter_config.json always has, such as PB_PEFT_NO_BIAS       */
    const char *idle;     /* ends of names, with spaces between, of tensors that a file may have and PEFT does not
                             use, such as zeros in the place of what a module lacks; NULL: none                  */
    const char *bias;     /* the end of the name of a bias that an update may have, scaled like it; NULL: none */
    const char *bias_key; /* the member of adapter_config.json that is true if the adapter has that bias    */
    const char *init_key; /* the member that says how the tensors were initialized; NULL: none              */
} pb_peft;

#endif
