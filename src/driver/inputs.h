/* inputs: whether the texts of a task can be presented to a model as the rows of an experiment say. */
#ifndef PB_INPUTS_H
#define PB_INPUTS_H

#include "experiment/experiment.h"
#include "model/model.h"

/* Refuses rows that use a template or generate texts if the model is not a causal language model or the template is
 * invalid, rows with a head if the model cannot read the texts, and conversations that the chat template refuses or
 * that do not fit.  Returns -1 with an error. */
int pb_inputs_check(const pb_experiment *e, const pb_data *d, const pb_model *m);

#endif
