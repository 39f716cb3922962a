/* labels: where the labels of a data file become classes.
 *
 * Without a list the classes are gathered from the training file.  Two ways to write one label (`Bad` and `bad`, `0`
 * and `0.0`), a label that stands in validation or test only, and real numbers would all make classes that nobody
 * meant and a wrong accuracy, so each is an error.  A list (`classes = ..` of a task) names the classes, and then
 * only its labels are taken. */
#ifndef PB_LABELS_H
#define PB_LABELS_H

#include "table/table.h"
#include "train/task.h"

typedef struct pb_labels pb_labels;

/* Labels of the data's classes.  `list`: "" to gather them, or "negative, positive", or "0=negative, 1=positive",
 * where several labels may have one name; the classes are then added to the data in the order of the list.  The data
 * must outlive the labels.  NULL with an error if a label stands in the list twice. */
pb_labels *pb_labels_new(pb_data *d, const char *list);
void pb_labels_free(pb_labels *l);

/* The class of the label in this row and column of a file of that split.  Rows of train come first.  -1 with a
 * "FILE:LINE:" error if it is none of the classes. */
int pb_labels_class(pb_labels *l, pb_split split, const pb_table *t, size_t row, int column, const char *name);

/* To be called when a file has been read.  -1 with an error if the gathered labels are real numbers, which is a
 * regression set. */
int pb_labels_check(const pb_labels *l);

/* To be called when the splits are made.  -1 with an error if validation or test has a gathered class of which train
 * has no example. */
int pb_labels_covered(const pb_labels *l);

#endif
