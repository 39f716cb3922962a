/* plan: what training a cell needs, exactly and without training it. */
#ifndef PB_DRIVER_PLAN_H
#define PB_DRIVER_PLAN_H

#include "experiment/experiment.h"
#include "model/model.h"
#include "train/costs.h"
#include "train/device.h"

/* What the training of one cell needs. */
typedef struct pb_cell_bill {
    pb_counts counts;
    pb_footprint f;
    long long saved; /* bytes less than without checkpoint = yes */
} pb_cell_bill;

/* Plans the training of a cell.  No weight is read.  With `tokens` > 0 every text has so many tokens and the task's
 * data are not read.  Workspaces are those of the threads that pb_threads_start has started.  Returns -1 with an
 * error. */
int pb_cell_plan(const pb_experiment *e, const pb_cell *c, int tokens, pb_cell_bill *out);

/* A device that a cell is planned for, and its memory in bytes; 0 if that is not given. */
typedef struct pb_cell_device {
    pb_device device;
    double memory;
} pb_cell_device;

/* Plans a training step of a cell on a device (train/device.h), and if its memory is given sets fit[0] and fit[1] to
 * what pb_device_fit returns.  No weight and no data are read.  Returns -1 with an error. */
int pb_cell_device_plan(const pb_experiment *e, const pb_cell *c, const pb_cell_device *d, pb_device_bill *out,
                        int fit[2]);

#endif
