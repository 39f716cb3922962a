/* adapter_format: what a method's pb_peft describes, for a model: the shapes of tensors in PEFT's file, and the values
 * in adapter_config.json.  Not for other rooms. */
#ifndef PB_ADAPTER_FORMAT_H
#define PB_ADAPTER_FORMAT_H

#include "model/internal.h"
#include "weights/array.h"

enum { PB_PEFT_DIMS = 4 };

/* How the file has a tensor: its shape, and for each dimension the distance in the tensor of this model from one
 * element to the next. */
typedef struct pb_stored {
    int dims;
    int64_t shape[PB_PEFT_DIMS];
    size_t step[PB_PEFT_DIMS];
    size_t count;    /* of all elements */
    const int *kept; /* the indices here of dimension `along`, of which the file has only some; or NULL */
    int along;
} pb_stored;

/* Finds out how the file has a tensor [rows,cols] of the model's one method at a site, or (NULL) of the model.  Returns
 * -1 with an error that names the method and the tensor if the description has another number of elements. */
int pb_stored_of(const pb_model *m, const pb_site *site, const pb_peft_tensor *t, int rows, int cols, pb_stored *out);

/* Sets that of dimension `along` the file has the n indices `kept`, which must live as long. */
void pb_stored_keep(pb_stored *s, int along, const int *kept, int n);

/* The place in the tensor of this model of element i of the file's. */
size_t pb_stored_place(const pb_stored *s, size_t i);

/* Returns -1 with an error if PEFT does not have the type for a model of this kind. */
int pb_peft_check_model(const pb_model *m, const pb_peft *peft);

/* The name without its last part: of the module that a module or a tensor belongs to.  In the model's arena. */
const char *pb_peft_parent(const pb_model *m, const char *name);

/* Returns whether the tensor exists at a site, or (NULL) in the model: 1 or 0; -1 with an error. */
int pb_stored_exists(const pb_model *m, const pb_site *site, const pb_peft_tensor *t);

/* Sets `out` to the row with the number n in its names ("v.#"), or to a row without numbers for n = 0.  Returns false
 * if the model has no such tensor. */
bool pb_stored_numbered(const pb_model *m, const pb_peft_tensor *t, int n, pb_peft_tensor *out);

/* Computes what the file has in addition to a tensor (pb_peft_tensor.plus).  Returns the values [rows,cols], which the
 * caller frees; NULL with an error. */
pb_real *pb_stored_plus(pb_model *m, const pb_site *site, const pb_peft_tensor *t, int *rows, int *cols);

/* The tensor of the model's one method that PEFT's file, which `peft` describes, has under this full name, and how;
 * NULL if there is none. */
pb_param *pb_stored_find(const pb_model *m, const pb_peft *peft, const char *name, pb_stored *out);

/* Copies a tensor of the file into a parameter.  `path` is for messages.  Returns -1 with an error if its shape
 * differs; a vector may have dimensions of 1 more or less. */
int pb_stored_read(const pb_stored *s, const char *path, const pb_array *a, pb_param *p);

/* The same for integers that are places row * in + column of the site's W, into a parameter of integers. */
int pb_stored_read_places(const pb_stored *s, const char *path, const pb_array *a, const pb_site *site, pb_param *p);

/* Copies integers of the file into a parameter of integers from `first` on; each must be one that it may have. */
int pb_stored_read_part(const pb_stored *s, const char *path, const pb_array *a, pb_param *p, size_t first);

/* Puts places into ascending order, and the elements of the vector `along` with them.  Returns -1 with an error if a
 * place occurs twice. */
int pb_stored_sort(const char *path, const pb_array *a, pb_param *places, pb_param *along);

/* Writes places to `out` [count]. */
void pb_stored_write_places(const pb_stored *s, const pb_param *p, const pb_site *site, int32_t *out);

/* Returns the words of a choice or of a setting yes or no as a member of adapter_config.json has them, of a key with
 * `words`: the value that stands for the setting's value as an option prints it, or the other way round.  The caller
 * frees it.  NULL: there is none. */
char *pb_peft_word(const pb_method *method, const pb_peft_key *k, const char *value);
char *pb_peft_value(const pb_method *method, const pb_peft_key *k, const char *json);

#endif
