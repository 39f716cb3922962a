/* cmd_merge: merges databases, for example of several machines. */
#include <stdlib.h>

#include "cli/cmd.h"
#include "cli/reports.h"

static int merge_one(pb_store *into, const pb_args *a, const char *word)
{
    char *name;
    char *path = pb_reports_split(word, &name);
    int added, known;
    int rc = pb_store_merge(into, &(pb_merge_source){path, name, a->brief}, &added, &known);
    if (!rc)
        printf("%s: %d run%s added, %d already known\n", word, added, added == 1 ? "" : "s", known);
    free(path);
    free(name);
    return rc;
}

static int merge(const pb_args *a)
{
    pb_store *into = pb_store_open(a->word[0]);
    int rc = into ? 0 : -1;
    for (int i = 1; i < a->words && !rc; i++)
        rc = merge_one(into, a, a->word[i]);
    return pb_store_close(into) || rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_merge = {
    .name = "merge",
    .words = "INTO.db FROM.db[:NAME] ..",
    .least = 2,
    .most = PB_ANY_WORDS,
    .options = "brief",
    .help =
        "add the runs of other databases to a database\n\n"
        "With :NAME, only the runs of this experiment are added.  Existing runs are neither changed nor removed.  A "
        "run\n"
        "that both databases have is added once.  If its results differ, nothing is merged and the exit code is 2.\n\n"
        "A brief copy has what tables, figures, statistics and the report are made from, in fewer bytes.  It has no\n"
        "probabilities, traces and fingerprints, and predictions of chosen settings alone, so that `reproduce` and\n"
        "`check` refuse its runs.\n",
    .run = merge,
};
