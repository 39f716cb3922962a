/* stored_experiment: an experiment as a database has it, without its file. */
#ifndef PB_STORED_EXPERIMENT_H
#define PB_STORED_EXPERIMENT_H

#include "experiment/experiment.h"
#include "results/store.h"

/* Makes an experiment from its runs in a database, whose path `db` is for messages.  A row has the runs of its newest
 * choice, those of a complete sweep first, and the other runs with the same data, model, code and settings, but for
 * those that are tuned; a row without a choice has those of its newest run.  Rows with other data, another model or
 * another task than those of the newest row are left out, which a warning says, as it does of rows that another
 * version of the code has made.  Runs of a sweep that another experiment has stored are found by their settings; if
 * it cannot be told which they are, a warning says that they are left out.  `view` has title, baseline and axis in
 * place of the stored ones, as far as it has them. Returns NULL with an error if the database has no runs of this
 * experiment, or as pb_experiment_of_runs does.  The caller frees it with pb_experiment_free. */
pb_experiment *pb_stored_experiment_read(pb_store *s, const char *db, const char *name, const pb_settings *view);

#endif
