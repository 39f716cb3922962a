/* cell_internal: what the files cell*.c share.  Not for other rooms. */
#ifndef PB_CELL_INTERNAL_H
#define PB_CELL_INTERNAL_H

#include "driver/cell.h"

/* A model and the examples encoded for it. */
typedef struct pb_subject {
    pb_model *model;
    const pb_prompting *prompting;
    pb_encoded *encoded;
} pb_subject;

/* Opens the cell's model with the trained parameters of run `id`: from its artifact or, if that is missing or damaged,
 * by training again.  The examples are those of `other`, which may be NULL, if both models read them alike.  The model
 * of the result is NULL with an error.  The caller closes the result with pb_subject_close. */
pb_subject pb_subject_trained(const pb_bench *b, const pb_cell *c, long long id, const pb_subject *other);

/* Opens the cell's model with the head that it is trained with, without its methods.  Returns NULL with an error.  The
 * caller frees it with pb_model_free. */
pb_model *pb_cell_open_without(const pb_bench *b, const pb_cell *c);

/* Frees model and examples. */
void pb_subject_close(pb_subject *s);

/* Appends a result to run `id`.  Returns -1 with an error, also if an error is pending that a caller did not return. */
int pb_cell_append(const pb_bench *b, long long id, const pb_result *r);

#endif
