/* cmd_claims: judges tables of claims by stored runs and by plans. */
#include <stdlib.h>

#include "base/threads.h"
#include "cli/cmd.h"
#include "report/claims.h"

typedef void print_claims(const pb_claims *c, FILE *out);

/* Prints to a file, which is written completely or not at all. */
static int print_to_file(const pb_claims *c, print_claims *print, const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    PB_CHECK(to);
    print(c, to);
    PB_CHECK(!fclose(to));
    int rc = pb_write_file(path, text, size);
    free(text);
    return rc;
}

static int claims(const pb_args *a)
{
    pb_claims c;
    if (pb_claims_read(&c, a->word, a->words))
        return PB_EXIT_QUESTION;
    pb_threads_start(a->threads); /* each thread has a workspace, which plans count */
    int rc = pb_claims_estimate(&c, a->db, a->any_version);
    pb_threads_stop();
    print_claims *print = a->json ? pb_claims_json : pb_claims_print;
    if (!rc) {
        pb_claims_judge(&c);
        if (a->out)
            rc = print_to_file(&c, print, a->out);
        else
            print(&c, stdout);
    }
    pb_claims_free(&c);
    return rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_claims = {
    .name = "claims",
    .words = "CLAIMS.tsv ..",
    .least = 1,
    .most = PB_ANY_WORDS,
    .options = "db threads out json any-version",
    .help =
        "judge claims by stored runs and plans\n\n"
        "Each line of a table claims in which region a value of a row, or its difference or ratio to that of\n"
        "another row, lies (docs/statistics.md).  A claim is confirmed if the 95 % interval lies in the region and\n"
        "refuted if it lies outside, corrected for the number of claims; exact numbers have no interval.  Nothing\n"
        "is trained: a claim whose runs are not in the database is `not run`.  The verdicts are printed as a page\n"
        "in Markdown, with --json as JSON, or written to a file with --out.\n",
    .run = claims,
};
