/* inputs: whether a model takes the texts of a task and the settings of the rows of an experiment. */
#ifndef PB_INPUTS_H
#define PB_INPUTS_H

#include "experiment/experiment.h"
#include "model/model.h"

/* Refuses settings that name sites which the model does not have, with the place of the setting; rows that use a
 * template or generate texts if the model is not a causal language model or the template is invalid; rows with a head
 * if the model cannot read the texts; and conversations that the chat template refuses or that do not fit.  The model
 * has no methods, and gets none.  Returns -1 with an error. */
int pb_inputs_check(const pb_experiment *e, const pb_data *d, pb_model *m);

#endif
