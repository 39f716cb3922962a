/* sparse_array: an array of which most elements are equal, stored as the others and the gaps between them.
 *
 * In the place of an array NAME a safetensors file then has three, which need fewer bytes:
 *
 *     NAME:shape   I32 [dims]  the array's shape
 *     NAME:values  [1+n]       of the array's type: first the value that most elements have, then the n others in order
 *     NAME:gaps    U8          how many elements of that value are in front of each of the others, and behind the last
 *                              one.  A byte of 255 stands for 255 of them and is followed by more of the same gap
 *
 * Elements are compared by their bits, so that -0 is not 0 and every array is read back to the bit. */
#ifndef PB_SPARSE_ARRAY_H
#define PB_SPARSE_ARRAY_H

#include "weights/safetensors.h"

enum { PB_SPARSE_PARTS = 3 };

/* If the array, of F32 or I32, takes fewer bytes of a file in this form, with what the header needs, sets `parts` and
 * returns true.  Names and data of the parts belong to the caller, who frees them with pb_array_free. */
bool pb_sparse_array_of(const pb_array *a, pb_array parts[PB_SPARSE_PARTS]);

/* Reads the array NAME of a file that has its parts.  Returns 1 and sets `out`, which the caller frees with
 * pb_array_free; 0 if the file has no such parts; -1 with an error if they do not fit each other. */
int pb_sparse_array_read(const pb_safetensors *f, const char *path, const char *name, pb_array *out);

/* Returns the number of elements of all arrays of a file; parts count as the array that they stand for. */
size_t pb_sparse_array_elements(const pb_safetensors *f);

#endif
