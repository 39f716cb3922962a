/* experiment_internal: what experiment.c and sweep.c share.  Not for other files. */
#ifndef PB_CONFIG_INTERNAL_H
#define PB_CONFIG_INTERNAL_H

#include "experiment/experiment.h"
#include "experiment/ini_file.h"

enum { MAX_PARTS = 8 }; /* methods of a composition, see config.h */

/* A struct of settings filled with the defaults, freed with the experiment. */
void *pb_experiment_conf(pb_experiment *e, const pb_option *options, size_t size);

/* The next item of a comma-separated list, without blanks at its ends, into the arena; NULL at the
 * end.  *list moves on. */
const char *pb_experiment_item(pb_experiment *e, const char **list);

/* Makes the cells of all rows from the sections that belong to them.  -1 with an error. */
int pb_sweep_expand(pb_experiment *e, pb_ini *ini);

#endif
