/* model_card: what a model of ours is, as its folder's README.md. */
#ifndef PB_MODEL_CARD_H
#define PB_MODEL_CARD_H

#include "train/pretrain.h"

/* Writes OUTPUT/README.md: the command, the texts with their licences, hours and learning curve.
 * -1 with an error. */
int pb_model_card_write(const char *ini, const pb_pretrain_options *o, const pb_network_shape *shape,
                        const pb_corpus *c, const pb_pretrained *p);

#endif
