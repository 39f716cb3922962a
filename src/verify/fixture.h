/* fixture: the model that a method is checked on, and the outcome of a check. */
#ifndef PB_FIXTURE_H
#define PB_FIXTURE_H

#include "base/base.h"

/* The model that a method is checked on. */
typedef struct pb_fixture {
    const char *path; /* a model folder                                             */
    bool random;      /* random weights instead of the folder's                     */
    bool decoder;     /* a decoder: cached decoding is checked too                  */
} pb_fixture;

typedef enum pb_outcome { PB_HELD, PB_BROKEN, PB_NOT_PROMISED } pb_outcome;

#endif
