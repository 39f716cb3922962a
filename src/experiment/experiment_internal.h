/* experiment_internal: how an experiment and its cells are built.  Not for other rooms. */
#ifndef PB_EXPERIMENT_INTERNAL_H
#define PB_EXPERIMENT_INTERNAL_H

#include "experiment/experiment_reader.h"
#include "experiment/ini_file.h"

/* Makes an experiment with default settings and no row.  `path` is its name in messages. */
pb_experiment *pb_experiment_new(const char *path);

/* Makes a struct of settings, filled with the defaults.  The experiment owns it. */
void *pb_experiment_conf(pb_experiment *e, const pb_option *options, size_t size);

/* Reads e->strength_list into e->strength.  Returns -1 with an error. */
int pb_experiment_strengths(pb_experiment *e);

/* Returns the next item of a comma-separated list without blanks at its ends, in the experiment's arena; NULL at the
 * end.  Moves *list on. */
const char *pb_experiment_item(pb_experiment *e, const char **list);

/* Reads a comma-separated list of different whole numbers of least..most and of ranges of them, "0, 3..5"; `name` is
 * that of the setting.  Returns the numbers as they are written, of which there are *count and at most 10,000, or NULL
 * with an error.  The caller frees them. */
uint64_t *pb_number_list(pb_experiment *e, const char *name, const char *text, uint64_t least, uint64_t most,
                         size_t *count);

/* Returns whether a task is given by the path of its file and not by its name. */
bool pb_task_is_path(const char *task);

/* Makes the task that [experiment] task names, from its file and from the sections [task] and [task NAME], or from
 * these alone if they say its kind.  Finds its primary metric.  Returns -1 with an error. */
int pb_task_read(pb_experiment *e, pb_ini *ini);

/* Makes the task of a stored run from its file or, if the whole task stood in the experiment or was given by a path,
 * from the settings alone: a path in a database may be anybody's.  `kind` is that of a task whose file is not here, or
 * NULL if such a task is refused.  `files` has where its files were found, as for pb_experiment_restore.  Returns -1
 * with an error. */
int pb_task_restore(pb_experiment *e, const pb_settings *s, const char *kind, const pb_settings *files);

/* Returns whether one of the tasks has this name. */
bool pb_experiments_have(const pb_experiments *x, const char *name);

/* Returns the names of the tasks, "mrpc, rte".  The caller frees them. */
char *pb_experiments_list(const pb_experiments *x);

/* Refuses a section that no row of any task has read, and a --set that every row replaces.  Returns -1 with an
 * error. */
int pb_sections_check(const pb_experiments *x, pb_ini *ini);

/* Adds a row with this spec to e->row, which must have room for it.  The task must be known.  Returns -1 with an error
 * for a spec that cannot be parsed, methods that cannot be composed or that the task does not support, or a
 * label that another row has. */
int pb_experiment_add_row(pb_experiment *e, const char *spec);

/* Starts a cell of a row with default settings. */
void pb_cell_begin(pb_experiment *e, const pb_row *row, pb_cell *c);

/* Returns the options of a group (row->group) of a row's settings. */
const pb_option *pb_row_options(const pb_row *row, int group);

/* Returns the struct that has the settings of a group of a cell that is being made. */
void *pb_cell_conf(pb_cell *c, int group);

/* Ends the making of a cell: lists its settings.  `choice` is copied. */
void pb_cell_finish(pb_experiment *e, pb_cell *c, const char *choice);

/* Returns the folder of a file with its slash, "" for the working directory, in the experiment's arena. */
const char *pb_experiment_folder(pb_experiment *e, const char *path);

/* Makes e->task_found, with paths in place of the names of the task's files, such as train: of a name that the
 * experiment's file gives in a section [task] or `section`, in that file's folder or else in that of the task's file;
 * of a name that the task's file gives, the other way round; of a name that --set gives, in the working directory
 * first.  A file that is in none of them keeps its name, for pb_data_find. */
void pb_experiment_place_files(pb_experiment *e, pb_ini *ini, const char *section);

/* Makes e->task_found for a stored run: a file is taken from the path `found` has under its key, such as task.train, if
 * that path ends with the file's name and the file is still there. */
void pb_experiment_restore_files(pb_experiment *e, const pb_settings *found);

/* Reads [experiment] budget: a number of elements such as "50000", "100k" or "1.5M".  Returns -1 with an error. */
int pb_budget_parse(const char *text, double *out);

/* Sets the sizes of a cell's methods (their settings.size), so that with them as many elements train as [experiment]
 * budget allows, without those of the task's head.  In a composition each method with a size gets the same share of
 * what those before it have left.  A row without such a method stays as it is.  Returns -1 with an error if the
 * smallest size is too large. */
int pb_budget_apply(const pb_experiment *e, pb_cell *c);

/* Gives a cell the sizes of another cell of its row, whose methods have the same settings. */
void pb_budget_copy(const pb_cell *from, pb_cell *to);

/* Makes the cells of all rows from the sections that belong to them, and marks these as used.  Returns -1 with an
 * error. */
int pb_sweep_expand(pb_experiment *e, pb_ini *ini);

/* Refuses a setting of an optimizer that no run of the rows and tasks that take it uses: it would be ignored; and more
 * micro-batches than a step has examples.  Returns -1 with an error. */
int pb_training_check(const pb_experiments *x, const pb_ini *ini);

#endif
