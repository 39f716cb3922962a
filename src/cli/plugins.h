/* plugins: the plugins that the command line names with --plugin. */
#ifndef PB_PLUGINS_H
#define PB_PLUGINS_H

#include "cli/cmd.h"
#include "experiment/experiment_reader.h"

/* Calls `each` with the files of --plugin: EXPERIMENT.ini stands for the plugins of that experiment, another file for
 * itself.  Loads nothing.  Returns -1 with an error. */
int pb_plugins_each(const pb_args *a, pb_each_plugin *each, void *ctx);

/* Loads all of them, whatever their SHA-256, for a command that concerns no stored run.  Returns -1 with an error. */
int pb_plugins_load(const pb_args *a);

/* Returns whether --plugin names this file itself, and not by an experiment. */
bool pb_plugins_named(const pb_args *a, const char *path);

#endif
