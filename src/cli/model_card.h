/* model_card: the model card of a pretrained model, the README.md of its folder. */
#ifndef PB_MODEL_CARD_H
#define PB_MODEL_CARD_H

#include "train/pretrain.h"

/* Writes OUTPUT/README.md with the command, the texts and their licences, the hours of training and the learning curve.
 * Returns -1 with an error. */
int pb_model_card_write(const char *ini, const pb_pretrain_options *o, const pb_network_shape *shape,
                        const pb_corpus *c, const pb_pretrained *p);

#endif
