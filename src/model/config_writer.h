/* config_writer: the folder of a network that is still to be trained. */
#ifndef PB_CONFIG_WRITER_H
#define PB_CONFIG_WRITER_H

#include "base/option.h"

/* [network] of a pretraining file. */
typedef struct pb_network_shape {
    int layers, width, heads, kv_heads, intermediate_size, positions;
} pb_network_shape;
extern const pb_option pb_network_shape_table[];

typedef enum pb_objective {
    PB_MASKED, /* an encoder, as BERT  */
    PB_CAUSAL, /* a decoder, as Llama  */
} pb_objective;

/* Writes DIR/config.json and DIR/tokenizer_config.json of such a network, its word table tied to its
 * output.  -1 with an error: a shape that does not go together, a folder that cannot be written. */
int pb_network_config_write(const char *dir, pb_objective objective, const pb_network_shape *shape, int vocabulary);

#endif
