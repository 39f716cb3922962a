/* config_writer: the configuration files of a network that is to be pretrained. */
#ifndef PB_CONFIG_WRITER_H
#define PB_CONFIG_WRITER_H

#include "base/option.h"

/* [network] of a pretraining file. */
typedef struct pb_network_shape {
    int layers;
    int width; /* the hidden size */
    int heads, kv_heads;
    int intermediate_size; /* of the MLP */
    int positions;
    bool bias; /* not a setting: a decoder's projections have biases; an encoder's always have */
} pb_network_shape;
extern const pb_option pb_network_shape_table[];

typedef enum pb_objective {
    PB_MASKED, /* masked language model: an encoder like BERT */
    PB_CAUSAL, /* causal language model: a decoder like Llama */
} pb_objective;

/* Writes DIR/config.json and DIR/tokenizer_config.json for a network of this shape with a tied output table, and
 * creates the folder if needed.  Returns -1 with an error if the sizes do not fit together or the folder cannot be
 * written. */
int pb_network_config_write(const char *dir, pb_objective objective, const pb_network_shape *shape, int vocabulary);

#endif
