/* labels: assigns classes to the labels in data files.
 *
 * Without a list of classes, the labels in the training file are the classes.  An error is reported where this would
 * give classes that nobody wants: two spellings of one label (`Bad` and `bad`, `0` and `0.0`), a label in validation
 * or test that train does not have, and real numbers.  With a list (`classes = ...` of a task), only its labels are
 * allowed, and train must have each class. */
#ifndef PB_LABELS_H
#define PB_LABELS_H

#include "table/table.h"
#include "train/task.h"

typedef struct pb_labels pb_labels;

/* Returns the labels of the data's classes.  list: "" to take them from the training file, "negative, positive", or
 * "0=negative, 1=positive", where several labels may have one name.  The classes of a list are added to the data in
 * its order.  The data must outlive the result, which the caller frees with pb_labels_free.  Returns NULL with an
 * error if a label occurs twice in the list. */
pb_labels *pb_labels_new(pb_data *d, const char *list);
/* Frees the labels.  NULL is allowed. */
void pb_labels_free(pb_labels *l);

/* Returns the class of the label in this row and column of a file of that split; `name` is the name of the column.
 * The rows of train must come first.  Returns -1 with a FILE:LINE: error if the label has no class. */
int pb_labels_class(pb_labels *l, pb_split split, const pb_table *t, size_t row, int column, const char *name);

/* The same for a label that stands in line `line` of the file `path`. */
int pb_labels_class_at(pb_labels *l, pb_split split, const char *label, const char *path, int line, const char *name);

/* Checks the labels when a file has been read.  Returns -1 with an error if those taken from the files are real
 * numbers, as in a regression data set. */
int pb_labels_check(const pb_labels *l);

/* Checks the labels when the splits are complete.  Returns -1 with an error if a class of the list, or one that
 * validation or test has, has no example in train.  Warns of classes without an example in test. */
int pb_labels_covered(const pb_labels *l);

/* Returns true, and the number in *x, if the whole text is a finite decimal number. */
bool pb_labels_number(const char *text, double *x);

#endif
