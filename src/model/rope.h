/* rope: rotary position embeddings (Su et al. 2021, RoFormer, arXiv:2104.09864).  Not for other rooms. */
#ifndef PB_ROPE_H
#define PB_ROPE_H

#include "base/json.h"
#include "model/model.h"

/* Reads the fields of a config.json that describe rotary positions into c->rope; c->head_size and c->positions must be
 * set.  `path` is for messages.  Returns -1 with an error that names the type or the key that is not supported. */
int pb_rope_read(const char *path, const pb_json *root, pb_network_config *c);

/* Returns the table of cosines and sines of heads of `head_size` columns, which is even, for at least `positions`
 * positions: [positions, head_size] as pb_op_rope reads it.  Heads of another size than the network's have some of its
 * frequencies, evenly chosen.  The model owns the table, and it stays valid until the model is freed.  Returns NULL for
 * a model of shapes only. */
const pb_real *pb_rope_table(pb_model *m, int head_size, int positions);

#endif
