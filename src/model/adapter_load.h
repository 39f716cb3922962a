/* adapter_load: what the files that read an adapter share.  Not for other files.
 *
 * A module is what PEFT calls a layer with weights of its own: a projection, a table of embeddings, a norm, a part of
 * the head.  The list of a model's modules is made once for each adapter; what the adapter's config says of each of
 * them and what the adapter's file has for it stand there. */
#ifndef PB_ADAPTER_LOAD_H
#define PB_ADAPTER_LOAD_H

#include "model/adapter.h"
#include "model/internal.h"

struct pb_adapter {
    char *dir, *config_path, *file_path;
    pb_json_doc *doc;
    const char *type; /* peft_type; owned by doc */
    pb_weights *file;
    const pb_method *method;
    void *conf; /* as attached; texts are owned */
};

typedef enum pb_module_kind { PB_MODULE_LINEAR, PB_MODULE_EMBEDDING, PB_MODULE_NORM } pb_module_kind;

typedef struct pb_module {
    const char *name;  /* in a model with a head: "bert.encoder.layer.0.attention.self.query"          */
    const char *local; /* as this adapter calls it: without "bert." where it was trained on a bare model */
    pb_module_kind kind;
    pb_param *w, *b;                   /* b: NULL where there is none                                        */
    pb_site *site;                     /* of the layers; NULL elsewhere                                      */
    bool word;                         /* the table that the text comes in by                                */
    bool output;                       /* the matrix of a language model's logits; a tied one's w is the word table */
    bool targeted, feedforward, saved; /* what the config says of it                  */
    bool given[2];                     /* the file has had a whole weight, a whole bias for it */
} pb_module;

typedef struct pb_loading {
    const pb_adapter *a;
    const pb_json *config;
    const pb_peft *peft;
    pb_model *m;
    bool *used; /* tensors that have found their place */
    pb_module *module;
    size_t modules, capacity;
    bool begun_tied; /* before the adapter, the base had one table for the words and the logits */
    bool resized;    /* the vocabulary is another than the base's */
} pb_loading;

/* adapter_targets.c: lists the model's modules and says of each what the config wants, which must be what the file has
 * tensors for.  -1 with an error that names the module. */
int pb_loading_modules(pb_loading *l);

/* The tensor of a module, such as "lora_A.weight", which is then used; NULL: there is none. */
const pb_array *pb_loading_tensor(pb_loading *l, const pb_module *mod, const char *theirs);
/* What the method's tensor is called at this kind of module; NULL: it has none there. */
const char *pb_loading_theirs(const pb_module *mod, const pb_peft_tensor *t);
/* Does the model with a language model's head have one table for the words and the logits? */
bool pb_loading_tied(const pb_loading *l);
/* A field's text, number or truth as the config has it, else PEFT's default; caller frees.  NULL: a list or an object,
 * or no default. */
char *pb_adapter_value(const pb_adapter *a, const char *key);
bool pb_adapter_flag(const pb_adapter *a, const char *key);
/* A module as the site that the method is asked about. */
pb_site pb_loading_site(const pb_module *mod);

/* Copies a tensor into a parameter of the same shape, or stored transposed.  -1 with an error. */
int pb_loading_take(const pb_loading *l, pb_param *p, const pb_array *t, bool transposed);

/* Gives a parameter a value of its own, which may be written. */
void pb_loading_own(pb_loading *l, pb_param *p);
/* Makes a parameter that the base has not, of zeros. */
pb_param *pb_loading_add(pb_loading *l, const char *name, const char *origin, pb_kind kind, int layer, int rows,
                         int cols);
/* The weight of this module alone, which may be written: PEFT wraps one of two modules that share a table, and the
 * other keeps the base's. */
pb_param *pb_loading_alone(pb_loading *l, pb_module *mod);
/* Does ensure_weight_tying keep the table of this module that of the words and of the logits? */
bool pb_loading_stays_tied(const pb_loading *l, const pb_module *mod);

/* adapter_fold.c.  Takes from the base what PEFT takes for init_lora_weights = pissa or olora.  Tables of embeddings
 * are left as they are; a base layer that the file has is what was left.  -1 with an error. */
int pb_loading_take_away(pb_loading *l);
/* Folds updates of modules outside of the layers into their weights, and biases of updates into biases. */
int pb_loading_fold(pb_loading *l);

/* adapter_base.c.  Makes room for a vocabulary of another length, if the file has tables of one: before the method is
 * attached.  -1 with an error. */
int pb_loading_resize(pb_loading *l);
/* Whole weights and biases, and all of the above; then every tensor of the file must have been used, and every module
 * that is saved whole given: behind the method's own tensors.  -1 with an error. */
int pb_loading_base(pb_loading *l);

#endif
