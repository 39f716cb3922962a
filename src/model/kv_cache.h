/* kv_cache: the keys and values of each layer for the tokens processed so far, and those of the methods' own attentions
 * beside the base model (pb_attend).
 *
 * A batch whose sequences have caches (pb_batch.kv_cache) contains their new tokens only: each sequence continues where
 * its cache ends, and running the graph appends the new keys and values.  A prefix that a method inserts is inserted
 * once, into an empty cache.  A cache may extend another one, its parent, which several caches can share and which no
 * longer grows. */
#ifndef PB_KV_CACHE_H
#define PB_KV_CACHE_H

#include "model/model.h"

typedef struct pb_kv_cache pb_kv_cache;

/* Creates a cache without room; pb_kv_cache_begin must follow.  The model must outlive it. */
pb_kv_cache *pb_kv_cache_new(const pb_model *m);
void pb_kv_cache_free(pb_kv_cache *c); /* NULL is allowed */

/* Empties the cache and makes room for a text of at most `tokens` tokens that follows `parent`, which must outlive the
 * use of this cache.  NULL: the text follows the model's cached prefix, if there is one. */
void pb_kv_cache_begin(pb_kv_cache *c, const pb_kv_cache *parent, int tokens);

/* Copies the content of `from` to `to`.  Both must have the same parent, and `to` must have room. */
void pb_kv_cache_copy(pb_kv_cache *to, const pb_kv_cache *from);

/* The bytes, in 32 bits, that the methods and the cached prefix add to the cache of a text: the rows in front of it,
 * and for attentions of the methods' own all rows of the longest text. */
double pb_kv_cache_added_bytes(const pb_model *m);

/* The rows of keys in each layer, without those of the parent; 0 if nothing was run since pb_kv_cache_begin. */
int pb_kv_cache_rows(const pb_kv_cache *c);

/* The position of the next token. */
int pb_kv_cache_positions(const pb_kv_cache *c);

#endif
