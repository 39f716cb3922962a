/* adapter_saving: what the files that write an adapter share.  Not for other rooms. */
#ifndef PB_ADAPTER_SAVING_H
#define PB_ADAPTER_SAVING_H

#include "model/adapter_internal.h"
#include "model/tensor_writer.h"

typedef struct pb_saving {
    pb_model *m;
    const pb_method *method;
    const pb_peft *peft; /* the method's description of the type */
    const void *conf;
    const pb_factors *factors; /* to write in the place of the method's tensors; or NULL */
    bool biases;               /* with their biases */
    pb_tensor_writer tensors;
    pb_text member[64]; /* "\"key\": value" */
    int members;
    bool *kept;                     /* [params] tensors of the method that the file has, or makes again */
    pb_text targets, inputs, saved; /* lists of modules, quoted */
} pb_saving;

/* ---- adapter_save_config.c: adapter_config.json ------------------------------------------------------------ */

/* Adds a name to a list of quoted names, unless the list has it. */
void pb_saving_add_quoted(pb_text *list, const char *name);

/* Returns the value of one of the method's settings as text, which the caller frees. */
char *pb_saving_option(const pb_saving *s, const char *name);

/* Adds the members that the method declares.  Returns -1 with an error if PEFT does not have a setting's value. */
int pb_saving_add_settings(pb_saving *s);

/* Adds the members of all types of adapters. */
void pb_saving_add_common(pb_saving *s);

/* Adds the sizes that PEFT stores with a prefix or a prompt. */
void pb_saving_add_prompt_sizes(pb_saving *s);

/* Writes adapter_config.json into the folder.  Returns -1 with an error. */
int pb_saving_write_config(pb_saving *s, const char *dir);

#endif
