/* cmd: what the commands share: arguments, help, exit codes. */
#ifndef PB_CMD_H
#define PB_CMD_H

#include <limits.h>

#include "driver/cell.h"
#include "results/store.h"

enum {
    PB_EXIT_DONE = 0,
    PB_EXIT_NO = 1,        /* the answer is no: a cell failed                       */
    PB_EXIT_QUESTION = 2,  /* the question is wrong: usage, config, a missing file */
    PB_EXIT_UNDECIDED = 3, /* not enough data to say                                 */
};

enum { PB_ANY_WORDS = INT_MAX };

typedef struct pb_args {
    char **word; /* [words] the arguments that are not options, in their order; they lie in argv */
    int words;
    const char *set[65]; /* NULL-ended            */
    int sets;
    const char *plugin[8]; /* files of methods that are not built in */
    int plugins;
    const char *option[16][2]; /* of pb_decode_table: name and value */
    int options;
    const char *db, *row, *out, *adapter, *model, *precision, *chat, *system, *margin, *method, *declare, *axes,
        *columns;
    int jobs, threads, tokens;
    long long seed; /* -1: not given         */
    bool json, quiet, no_timing, partial, times, merged, ids, plain, decode, force, retry;
} pb_args;

typedef struct pb_command {
    const char *name;
    const char *alias;            /* another name that is accepted, or NULL */
    const char *words;            /* "EXPERIMENT.ini", for the synopsis     */
    int least, most;              /* words; most may be PB_ANY_WORDS        */
    const char *options;          /* "db set json": names that it takes     */
    const char *help;             /* one line, then a blank one, then more  */
    int (*run)(const pb_args *a); /* returns the exit code               */
} pb_command;

extern const pb_command pb_cmd_run, pb_cmd_plan, pb_cmd_list, pb_cmd_show, pb_cmd_status, pb_cmd_table, pb_cmd_plot,
    pb_cmd_predict, pb_cmd_logits, pb_cmd_generate, pb_cmd_tokenize, pb_cmd_export, pb_cmd_fetch, pb_cmd_pretrain,
    pb_cmd_merge, pb_cmd_reproduce, pb_cmd_import, pb_cmd_compare, pb_cmd_check, pb_cmd_verify, pb_cmd_pareto,
    pb_cmd_rank;

/* Reads the arguments behind the command's name, and moves the words among them to the front of argv, where a->word
 * then points.  -1 with an error. */
int pb_args_read(pb_args *a, const pb_command *c, int argc, char **argv);

/* The options of a command with what they mean, for --help. */
void pb_args_help(const pb_command *c, FILE *out);

/* What commands about stored results need: the experiment with its hashes known, and the
 * database.  -1 with an error, and nothing left open. */
typedef struct pb_run_context {
    pb_experiment *experiment;
    pb_bench bench;
    pb_store *store;
} pb_run_context;
int pb_run_context_open(pb_run_context *d, const pb_args *a);
/* -1 with an error: something could not be read, even if nobody looked at it. */
int pb_run_context_close(pb_run_context *d);

#endif
