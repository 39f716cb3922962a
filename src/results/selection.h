/* selection: which setting of each row was chosen, and its runs.
 *
 * The choice is computed here only, once for each row.  Commands that use stored choices without computing one
 * (`predict`, `compare`, `check`) read them with pb_store_choices.  The cells of a row (settings x seeds, with data,
 * model and code) are its sweep, which is identified by the hash of their hashes.  An additional learning rate or seed
 * therefore makes another sweep with a separate choice.  A setting of which a trial failed is left out, unless all
 * settings are such.  One of the others is chosen when every trial of them has a finished run, and the choice is stored
 * when its other seeds ([tune] seeds) have one too.  With PB_SELECT_PARTIAL a setting is chosen among fewer runs, and
 * the stored choice says so. */
#ifndef PB_SELECTION_H
#define PB_SELECTION_H

#include "experiment/experiment.h"
#include "results/other_version.h"
#include "results/store.h"

/* The selection of one row. */
typedef struct pb_selection {
    const pb_row *row;
    pb_digest sweep;
    int first, cells; /* the row's cells in the experiment; the seeds of a setting are adjacent */
    int trial_seeds;  /* seeds with which every setting is tried; the others are trained with the choice alone */
    int lost;         /* settings that cannot be chosen, because a trial failed */
    int needed; /* runs that the row consists of: the trials of the other settings and the other seeds of its choice */
    int finished;       /* how many of them are finished, diverged runs included */
    int failed;         /* runs that are not finished, but failed; also those of settings that cannot be chosen */
    double *mean;       /* [row->choices] mean validation score over the trial seeds, negated if lower is better;
                           -INFINITY if a seed diverged or the setting is left out, NaN if no run is finished */
    const char *choice; /* the chosen setting; NULL if none is chosen */
    long long *run;     /* [experiment->seeds] runs of the choice; 0 for a seed without a finished run */
    int at;             /* index of the choice among the row's settings */
    bool partial;       /* the choice was made, or would be made, before all runs were finished */
    bool stored;        /* the database has this choice */
} pb_selection;

/* The selections of all rows of an experiment. */
typedef struct pb_selections {
    const pb_experiment *experiment;
    pb_cell_state *cell; /* [experiment->cells] */
    pb_selection *row;   /* [experiment->rows] */
    pb_other_run *other; /* [experiment->cells] with PB_SELECT_ANY_VERSION: the runs that stand in for missing ones; run
                            is 0 for the other cells.  NULL without it */
} pb_selections;

/* How selections are made. */
enum {
    PB_SELECT_PARTIAL = 1,     /* choose among the finished runs, even if some are not finished */
    PB_SELECT_ANY_VERSION = 2, /* take a run that another version of the code made, with the cell's settings, seed, data
                                  and model, for a cell that has no run */
};

/* Reads the state of every cell and determines the choice of each row: the choice that the database has, else the
 * setting with the best mean validation score if every trial is finished or `how`, PB_SELECT_* in any combination, has
 * PB_SELECT_PARTIAL.  A row with one setting has nothing to choose.  The experiment must be sealed.  The caller frees
 * the selections with pb_selections_free.  Returns -1 with an error, and nothing to free. */
int pb_selections_make(pb_selections *out, pb_store *s, const pb_experiment *e, int how);
void pb_selections_free(pb_selections *x);

/* Returns whether the row's choice may be scored on test. */
bool pb_selection_is_ready(const pb_selection *s, bool partial);

/* Stores the choice of a row in the database.  Returns -1 with an error. */
int pb_selection_store(const pb_selection *s, const pb_experiment *e, pb_store *store);

/* Returns whether the cell belongs to the choice of its row. */
bool pb_selection_includes(const pb_selections *x, const pb_cell *c);

/* Returns whether the row consists of this cell too: a trial, or another seed of the choice. */
bool pb_selection_needs(const pb_selections *x, const pb_cell *c);

/* Appends a line about the row's sweep, without a newline: which setting is chosen among how many, or what is
 * missing. */
void pb_selection_describe(const pb_selection *s, int seeds, pb_text *out);

#endif
