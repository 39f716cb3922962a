/* cmd_demo: runs the experiment that comes with the program. */
#include "cli/cmd.h"

static int demo(const pb_args *a)
{
    char *word[] = {(char *)(uintptr_t) "experiments/sentiment.ini"};
    pb_args of_run = *a;
    of_run.word = word;
    of_run.words = 1;
    return pb_cmd_run.run(&of_run);
}

const pb_command pb_cmd_demo = {
    .name = "demo",
    .words = "",
    .options = "db set jobs threads json quiet no-timing",
    .help = "run experiments/sentiment.ini, which comes with the program: a table and figures\n\n"
            "Results are written to results/peftbench.db and figures to plots/sentiment, in the current folder.  It "
            "takes a few\n"
            "minutes and needs no network.\n",
    .run = demo,
};
