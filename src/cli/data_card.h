/* data_card: prints a view of a task's data for a person, in at most 80 columns. */
#ifndef PB_DATA_CARD_H
#define PB_DATA_CARD_H

#include "cli/data_view.h"

/* Prints the tables, the histogram, examples of texts that occur more than once, and three examples as the model reads
 * them, on standard output.  Texts of the data are printed in their visible form (pb_visible). */
void pb_data_card_print(const pb_data_view *v);

#endif
