/* torch: reads the tensors of a file that torch.save wrote, memory-mapped.
 *
 * Such a file is a zip archive.  Its entry data.pkl describes the tensors in Python's pickle format, and the entries
 * data/0, data/1, .. hold their numbers.  A pickle is a program, which the reader does not run: it interprets the few
 * instructions and names that a dictionary of tensors (a state dict) requires, and refuses everything else by name. */
#ifndef PB_TORCH_H
#define PB_TORCH_H

#include "weights/array.h"

typedef struct pb_torch pb_torch;

/* Maps a file and checks it completely: the archive, the pickle and, for every tensor, that its storage exists, has
 * the size that the pickle states and contains all elements that shape, strides and offset address.  A tensor whose
 * elements are not contiguous (a transposed one, for example) is copied.  Returns NULL with "PATH: what is wrong; want
 * what would be right".  The tensors are valid until the caller closes the file; NULL is allowed in pb_torch_close. */
pb_torch *pb_torch_open(const char *path);
void pb_torch_close(pb_torch *f);

/* Return the number of tensors, tensor i in the order of their names, and the tensor of a name or NULL if there is
 * none. */
size_t pb_torch_count(const pb_torch *f);
const pb_array *pb_torch_at(const pb_torch *f, size_t i);
const pb_array *pb_torch_find(const pb_torch *f, const char *name);

/* Returns whether torch.save wrote this file, from its first bytes.  It is true for the zip archive and for the format
 * before torch 1.6, which pb_torch_open refuses with a message that explains how to convert it. */
bool pb_torch_is_one(const char *path);

#endif
