/* cmd: what all commands share: arguments, help, exit codes. */
#ifndef PB_CMD_H
#define PB_CMD_H

#include <limits.h>

#include "driver/cell.h"
#include "results/store.h"

enum {
    PB_EXIT_DONE = 0,
    PB_EXIT_NO = 1,        /* the answer is no, for example because a run failed */
    PB_EXIT_QUESTION = 2,  /* the command cannot be carried out: usage, settings or a file is wrong */
    PB_EXIT_UNDECIDED = 3, /* the data do not decide */
};

enum { PB_ANY_WORDS = INT_MAX };

#define PB_DEFAULT_DB "results/peftbench.db"

typedef struct pb_args {
    const struct pb_command *const *commands; /* all that there are, ended by NULL */
    char **word;                              /* [words] the positional arguments; they belong to argv */
    int words;
    const char *set[65]; /* ends with NULL */
    int sets;
    const char *plugin[8]; /* files of plugins */
    int plugins;
    const char *option[16][2]; /* name and value of settings in pb_decode_table */
    int options;
    const char *db, *task, *row, *out, *adapter, *model, *precision, *chat, *system, *margin, *method, *declare, *axes,
        *columns, *sort, *figure, *width, *font, *device, *methods, *format, *memory, *storage, *overhead, *flops;
    int jobs, threads, tokens, rank;
    long long seed; /* -1 if it is not given */
    bool json, markdown, per_task, quiet, no_timing, partial, times, merged, ids, pairs, plain, decode, force, retry,
        any_version, brief;
} pb_args;

typedef struct pb_command {
    const char *name;
    const char *alias;            /* another name that is accepted, or NULL */
    const char *words;            /* positional arguments for the synopsis, "EXPERIMENT.ini" */
    int least, most;              /* numbers of positional arguments; most may be PB_ANY_WORDS */
    const char *options;          /* names of its options, "db set json" */
    const char *help;             /* one line, an empty line, the description */
    int (*run)(const pb_args *a); /* returns the exit code */
} pb_command;

/* The commands, one in each cmd_*.c. */
extern const pb_command pb_cmd_run, pb_cmd_data, pb_cmd_plan, pb_cmd_list, pb_cmd_show, pb_cmd_status, pb_cmd_table,
    pb_cmd_plot, pb_cmd_predict, pb_cmd_logits, pb_cmd_generate, pb_cmd_tokenize, pb_cmd_export, pb_cmd_fetch,
    pb_cmd_pretrain, pb_cmd_merge, pb_cmd_reproduce, pb_cmd_import, pb_cmd_compare, pb_cmd_check, pb_cmd_verify,
    pb_cmd_pareto, pb_cmd_rank, pb_cmd_recommend, pb_cmd_claims, pb_cmd_report, pb_cmd_settings, pb_cmd_demo,
    pb_cmd_manual, pb_cmd_completion;

/* Reads the arguments after the name of the command.  The positional arguments are moved to the front of argv, to which
 * a->word then points.  Returns -1 with an error. */
int pb_args_read(pb_args *a, const pb_command *c, int argc, char **argv);

/* Returns the name of the i-th option that a command takes, without its dashes, and what its value stands for (NULL: it
 * takes none) and means; NULL past the last one. */
const char *pb_args_option(const pb_command *c, size_t i, const char **value, const char **help);

/* Prints the help of a command: its synopsis, description and options. */
void pb_args_help(const pb_command *c, FILE *out);

/* The run context of a command that reads stored results: the sealed experiment of a task and the database. */
typedef struct pb_run_context {
    pb_experiment *experiment;
    pb_bench bench; /* empty if the experiment is that of stored runs */
    pb_store *store;
} pb_run_context;

/* The run contexts of the tasks of an experiment. */
typedef struct pb_run_contexts {
    pb_run_context *task; /* [tasks] */
    int tasks;
    char *name; /* of the experiment, without a task */
} pb_run_contexts;

/* Opens the experiments of the first positional argument, of all its tasks or of that of --task, and the database
 * read-only.  The caller closes the contexts with pb_run_contexts_close.  Returns -1 with an error, and nothing open;
 * also if there are several tasks and the command needs `one`. */
int pb_run_contexts_open(pb_run_contexts *x, const pb_args *a, bool one);

/* Closes run contexts.  Returns -1 with an error if any earlier read of the database failed, even if the caller ignored
 * it. */
int pb_run_contexts_close(pb_run_contexts *x);

#endif
