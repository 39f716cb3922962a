/* device_card: `plan --device` and `plan --model`: what training each row on a GPU would need. */
#ifndef PB_DEVICE_CARD_H
#define PB_DEVICE_CARD_H

#include "cli/cmd.h"

/* Prints the table, or with --json an object a row, of an experiment's rows, or of the methods and the model that the
 * options name.  Returns the exit code, after an error with PB_EXIT_QUESTION. */
int pb_device_card(const pb_args *a);

#endif
