/* cmd_merge: merges databases, for example of several machines. */
#include "cli/cmd.h"

static int merge(const pb_args *a)
{
    pb_store *into = pb_store_open(a->word[0]);
    int rc = into ? 0 : -1;
    for (int i = 1; i < a->words && !rc; i++) {
        int added, known;
        rc = pb_store_merge(into, a->word[i], &added, &known);
        if (!rc)
            printf("%s: %d run%s added, %d already known\n", a->word[i], added, added == 1 ? "" : "s", known);
    }
    return pb_store_close(into) || rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_merge = {
    .name = "merge",
    .words = "INTO.db FROM.db [FROM.db ..]",
    .least = 2,
    .most = PB_ANY_WORDS,
    .options = "",
    .help = "add the runs of other databases to a database\n\n"
            "Existing runs are neither changed nor removed.  A run that both databases have is added once.  If its "
            "results\n"
            "differ, nothing is merged and the exit code is 2.\n",
    .run = merge,
};
