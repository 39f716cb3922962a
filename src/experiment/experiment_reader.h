/* experiment_reader: makes an experiment from a file.  restore.h makes one from stored runs. */
#ifndef PB_EXPERIMENT_READER_H
#define PB_EXPERIMENT_READER_H

#include "experiment/experiment.h"
#include "experiment/ini_file.h"

/* The experiments of a file: one for each of its tasks, in the file's order, with the same rows and seeds. */
typedef struct pb_experiments {
    pb_experiment **task; /* [tasks] */
    int tasks;
    char *name; /* the file's name without folder and .ini */
} pb_experiments;

/* Reads an experiment's file, applies `sets` (assignments of --set, a NULL-ended list that may be NULL), reads
 * the tasks' files, loads the plugins, checks every key and value, and makes the cells of each task: rows x tuned
 * settings x seeds.  The experiment of one of several tasks is named FILE@TASK.  `task`, if not NULL, is the name of
 * the only task whose experiment is wanted.  pb_experiment_seal must follow before hashes are used.  Returns -1 with
 * "FILE:LINE: what is wrong; want what would be right", and nothing to free.  The caller frees the experiments with
 * pb_experiments_free. */
int pb_experiments_read(pb_experiments *x, const char *path, const char *const *sets, const char *task);
void pb_experiments_free(pb_experiments *x);

/* Returns 0 if there is one task, else -1 with an error that asks for --task. */
int pb_experiments_check_one(const pb_experiments *x);

/* Reads the experiment of one task: of the only one, or of `task`.  Returns NULL with an error, also if the file has
 * several tasks and `task` is NULL.  The caller frees it with pb_experiment_free. */
pb_experiment *pb_experiment_read(const char *path, const char *const *sets, const char *task);

/* The same for the entries of a file, which are freed.  NULL stands for a file that could not be read. */
pb_experiment *pb_experiment_read_ini(pb_ini *ini, const char *const *sets, const char *task);

/* The model of an experiment that has none. */
#define PB_NO_MODEL "none"

/* Makes an experiment around a task, to look at its data: `task` is the name of a task, the path of a task's file, or
 * that of an experiment's file, which is read as pb_experiment_read does, with `of_tasks` as its `task`.  An experiment
 * of a task alone has the row `full` with the settings of `sets`, and the model PB_NO_MODEL.  `model`, if not NULL, is
 * the model of either.  Returns NULL with an error.  The caller frees it with pb_experiment_free. */
pb_experiment *pb_experiment_read_task(const char *task, const char *model, const char *const *sets,
                                       const char *of_tasks);

/* Is called with the path of a plugin.  A nonzero return ends the iteration and is returned by it. */
typedef int pb_each_plugin(void *ctx, const char *path);

/* Calls `each` with the plugins that an experiment's file names, without loading them.  Returns -1 with an error. */
int pb_experiment_plugins(const char *path, pb_each_plugin *each, void *ctx);

#endif
