/* selection: which setting of a row was chosen, and the runs of it.
 *
 * Every command that is about an experiment's file asks here.  A row's cells (settings x seeds, with data, model and
 * code) are its sweep, known by the hash of all of them: a rate or a seed more is another sweep, with a choice of its
 * own.  A setting is chosen when every cell has a finished run, or among fewer where the user asks for it, which is
 * kept with the choice. */
#ifndef PB_SELECTION_H
#define PB_SELECTION_H

#include "experiment/experiment.h"
#include "results/store.h"

typedef struct pb_selection {
    const pb_row *row;
    pb_digest sweep;
    int first, cells;   /* its cells in the experiment: settings, and seeds within them */
    int finished;       /* cells with a finished run, diverged ones included            */
    int failed;         /* cells without one that failed                                */
    double *mean;       /* [row->choices] validation score, the more the better (losses are negated); a diverged seed is
                         the worst, -INFINITY; NaN: nothing finished                  */
    const char *choice; /* NULL: nothing is chosen                                    */
    long long *run;     /* [experiment->seeds] of the choice; 0: no finished one      */
    int at;             /* the choice's place among the row's settings                */
    bool partial;       /* chosen, or to be chosen, while cells were missing          */
    bool stored;        /* the database has this choice                               */
} pb_selection;

typedef struct pb_selections {
    const pb_experiment *experiment;
    pb_cell_state *cell; /* [experiment->cells] */
    pb_selection *row;   /* [experiment->rows]  */
} pb_selections;

/* Reads the state of every cell, and works out what each row's choice is: the one that the database has; else the best
 * mean on validation where every cell is finished or `partial` allows fewer.  A row with one setting has nothing to
 * choose.  Needs a sealed experiment.  The caller frees them with pb_selections_free.  -1 with an error, and nothing to
 * free. */
int pb_selections_make(pb_selections *out, pb_store *s, const pb_experiment *e, bool partial);
void pb_selections_free(pb_selections *x);

/* May the row's choice be scored on test? */
bool pb_selection_is_ready(const pb_selection *s, bool partial);

/* Keeps the choice of a row in the database.  Returns -1 with an error. */
int pb_selection_store(const pb_selection *s, const pb_experiment *e, pb_store *store);

/* Is the cell one of its row's choice? */
bool pb_selection_includes(const pb_selections *x, const pb_cell *c);

/* A line about the row's sweep, without its end: what is chosen among how many, or what is missing. */
void pb_selection_describe(const pb_selection *s, int seeds, pb_text *out);

#endif
