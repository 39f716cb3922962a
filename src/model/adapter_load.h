/* adapter_load: what the files that read an adapter onto a model share.  Not for other rooms.
 *
 * A module is what PEFT calls a layer with weights: a projection, an embedding table, a norm, a part of the head.  The
 * model's modules are listed once for each adapter, with what the adapter's config and its file contain for each. */
#ifndef PB_ADAPTER_LOAD_H
#define PB_ADAPTER_LOAD_H

#include "model/adapter_internal.h"

typedef enum pb_module_kind { PB_MODULE_LINEAR, PB_MODULE_EMBEDDING, PB_MODULE_NORM } pb_module_kind;

typedef struct pb_module {
    const char *name;  /* in a model with a head: "bert.encoder.layer.0.attention.self.query"            */
    const char *local; /* in this adapter: without "bert." where it was trained on a model without a head */
    pb_module_kind kind;
    pb_param *w, *b;        /* b: NULL where the module has no bias                                        */
    pb_site *site;          /* of a projection of a layer; NULL elsewhere                                  */
    bool is_word_embedding; /* the table of the input ids                                                  */
    bool is_lm_head;        /* the matrix of a language model's logits; if tied, w is the word embedding   */
    bool targeted;          /* by target_modules                                                           */
    bool feedforward;       /* by feedforward_modules: the method applies to the module's input            */
    bool saved;             /* by modules_to_save                                                          */
    bool given[2];          /* the file has had a whole weight, a whole bias for it                        */
} pb_module;

typedef struct pb_loading {
    const pb_adapter *a;
    const pb_json *config; /* the root of adapter_config.json */
    const pb_peft *peft;   /* of the adapter's method         */
    pb_model *m;
    bool *used; /* [tensors of the file] true once a tensor has been taken or found to be redundant */
    pb_module *module;
    size_t modules, capacity;
    bool was_tied; /* before the adapter, the base had one table for the words and the logits */
    bool resized;  /* the adapter's vocabulary has another size than the base's               */
} pb_loading;

/* ---- adapter_load.c: reading -------------------------------------------------------------------------------- */

/* Puts the path of adapter_config.json and the member's name in front of the present error.  Returns -1. */
int pb_loading_config_error(const pb_loading *l, const char *key);

/* The tensor of this full name, which is then marked as used; NULL if the file has none. */
const pb_array *pb_loading_tensor(pb_loading *l, const char *name);

/* The same by a module and the end of the name, such as "lora_A.weight"; NULL if `end` is. */
const pb_array *pb_loading_module_tensor(pb_loading *l, const pb_module *mod, const char *end);

/* The end of the name of a method's tensor at this kind of module; NULL if the method has none there, or has it once
 * for all modules. */
const char *pb_loading_tensor_name(const pb_module *mod, const pb_peft_tensor *t);

/* The module in the form of a site, as a method's hooks take it; outside of the layers its layer is -1. */
pb_site pb_loading_site(const pb_module *mod);

/* The method's parameter `name` at a module, or NULL. */
pb_param *pb_loading_find_param(const pb_loading *l, const pb_module *mod, const char *name);

/* True if the model is a language model with one table for the words and the logits. */
bool pb_loading_is_tied(const pb_loading *l);

/* True if ensure_weight_tying keeps the table of this module tied. */
bool pb_loading_stays_tied(const pb_loading *l, const pb_module *mod);

/* ---- adapter_load.c: changing the model's parameters -------------------------------------------------------- */

/* Copies a tensor into a parameter of the same shape, or of the transposed one.  Returns -1 with an error if the shape
 * differs. */
int pb_loading_copy(const pb_loading *l, pb_param *p, const pb_array *t, bool transposed);

/* Replaces a parameter's value, which may be a read-only map, by a copy that may be written. */
void pb_loading_make_writable(pb_loading *l, pb_param *p);

/* Adds a parameter of zeros to the model.  `name` is copied; `origin` must outlive the model. */
pb_param *pb_loading_new_param(pb_loading *l, const char *name, const char *origin, pb_kind kind, int layer, int rows,
                               int cols);

/* Makes the weight of this module writable without changing another module: a tied table is copied first, because PEFT
 * wraps one of the two modules and leaves the base's table to the other.  Returns the weight. */
pb_param *pb_loading_untied_weight(pb_loading *l, pb_module *mod);

/* ---- the steps, in their order; all return -1 with an error ------------------------------------------------- */

/* adapter_targets.c: lists the model's modules, and decides by PEFT's rules what the config requires of each.  An
 * error names a module for which the file and the config disagree. */
int pb_loading_list_modules(pb_loading *l);

/* adapter_base.c: resizes the vocabulary if the file has embedding tables of another size.  Comes before the method is
 * attached. */
int pb_loading_resize_vocabulary(pb_loading *l);

/* adapter_settings.c: sets the method's settings by the config; then those that list the targeted projections, and the
 * ones among them whose input the method rescales.  Come before the method is attached. */
int pb_loading_set_keys(pb_loading *l);
int pb_loading_set_targets(pb_loading *l);

/* adapter_fold.c: subtracts from the base what PEFT subtracts when it loads an adapter that was initialized from the
 * base's weights (PiSSA, OLoRA).  Embedding tables are left as they are, and so are base layers that the file has:
 * those hold the remainder. */
int pb_loading_subtract_initial(pb_loading *l);

/* adapter_fold.c: merges updates of modules outside of the layers into their weights, and biases of updates into the
 * modules' biases. */
int pb_loading_fold_updates(pb_loading *l);

/* adapter_base.c: takes whole weights and biases and rows of tables, with the two steps above between them; then checks
 * that every tensor of the file was used and every module of modules_to_save given.  Comes after the method's
 * tensors. */
int pb_loading_replace_base(pb_loading *l);

#endif
