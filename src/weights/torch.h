/* torch: the tensors of a file that torch.save wrote, memory-mapped.
 *
 * Such a file is a zip archive: data.pkl says in Python's pickle format which tensors there are, and the entries
 * data/0, data/1, .. hold their numbers.  A pickle is a program, and the reader does not run it: it understands the few
 * instructions and the few names that a dictionary of tensors needs, and refuses everything else by name.
 */
#ifndef PB_TORCH_H
#define PB_TORCH_H

#include "weights/array.h"

typedef struct pb_torch pb_torch;

/* Maps the file and checks it whole: the archive, the pickle, and for every tensor that its storage is there, has the
 * size that the pickle says, and contains what shape, strides and offset reach.  A tensor whose numbers do not lie one
 * after the other (a transposed one) is copied.  NULL with "PATH: what is wrong, what would be right".  The map
 * lives until close. */
pb_torch *pb_torch_open(const char *path);
void pb_torch_close(pb_torch *f); /* NULL is fine */

/* How many tensors there are; number i of them, sorted by name; and the one of this name, NULL if there is none.  They
 * live until close. */
size_t pb_torch_count(const pb_torch *f);
const pb_array *pb_torch_at(const pb_torch *f, size_t i);
const pb_array *pb_torch_find(const pb_torch *f, const char *name);

/* Did torch.save write this file: true for the zip archive and for the format before torch 1.6, which pb_torch_open
 * refuses with a message that says how to convert it.  Only the first bytes are read. */
bool pb_torch_is_one(const char *path);

#endif
