/* restore: makes an experiment from the settings of stored runs. */
#ifndef PB_RESTORE_H
#define PB_RESTORE_H

#include "experiment/experiment.h"

/* Makes the experiment whose only cell is a stored run: `s` has its settings by their canonical keys, row, task and
 * model among them.  What `s` does not have keeps the default, or what tasks/NAME.ini says.  `files` has the paths at
 * which the task's files were found, by the keys of their settings.  `name` stands for a path in messages.  Returns
 * NULL with an error, as for a setting that the run's row does not have.  The caller frees it with
 * pb_experiment_free. */
pb_experiment *pb_experiment_restore(const char *name, const pb_settings *s, const pb_settings *files, uint64_t seed);

/* A stored run as a cell of its experiment. */
typedef struct pb_stored_cell {
    const char *row, *choice; /* label of the row, and the tuned settings, "lr=0.001" */
    uint64_t seed;
    pb_digest hash, sweep; /* sweep: as in pb_row */
    pb_settings settings;  /* by their canonical keys, task and model among them */
    bool other_code;       /* as in pb_row, of the row's first cell */
} pb_stored_cell;

/* An experiment as its stored runs have it. */
typedef struct pb_stored_experiment {
    const char *name;
    const char *place;          /* stands for the file's path in messages */
    const pb_stored_cell *cell; /* [cells] in the order of the rows and of their settings */
    int cells;
    int trial_seeds;  /* as [tune] seeds */
    pb_settings view; /* title, baseline, axis and strength of [experiment], as far as they are given */
    pb_digest data, model, config, tokenizer; /* of all cells; "": not known */
    const char *kind;                         /* of the task; NULL: not known */
    const char *measured; /* identity of the text of [retention]; NULL if nothing was measured on one */
} pb_stored_experiment;

/* Makes the experiment that consists of these runs, rows x settings x seeds, with the stored hashes, so that it need
 * not be sealed, and without data and model.  A combination without a run has no hash and counts as missing.
 * Returns NULL with an error, as for a method that this program does not have, or a baseline that is no row.  The
 * caller frees it with pb_experiment_free. */
pb_experiment *pb_experiment_of_runs(const pb_stored_experiment *x);

#endif
