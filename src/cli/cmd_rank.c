/* cmd_rank: compares rows with the baseline, or ranks them over several data sets. */
#include <stdlib.h>

#include "cli/reports.h"
#include "report/rank.h"

static int rank_rows(const pb_args *a, const pb_report *r)
{
    pb_baseline_ranking v;
    if (pb_baseline_ranking_make(&v, r))
        return -1;
    (a->json ? pb_baseline_ranking_json : pb_baseline_ranking_print)(&v, stdout);
    pb_baseline_ranking_free(&v);
    return 0;
}

static int rank_sets(const pb_args *a, const pb_report *r, int sets)
{
    pb_ranking k;
    if (pb_ranking_make(&k, r, sets))
        return -1;
    (a->json ? pb_ranking_json : pb_ranking_print)(&k, stdout);
    pb_ranking_free(&k);
    return 0;
}

static int rank(const pb_args *a)
{
    pb_reports *file = pb_alloc((size_t)a->words * sizeof *file);
    pb_report *report = NULL; /* of all tasks of all files, which the files own */
    size_t n = 0, capacity = 0;
    int files = 0, rc = 0;
    for (; files < a->words && !rc; files += !rc) {
        pb_args one = *a;
        one.word = a->word + files;
        rc = pb_reports_open(&file[files], &one, false);
        for (int i = 0; i < file[files].tasks; i++) {
            pb_grow(&report, n, &capacity, sizeof *report);
            report[n++] = file[files].task[i];
        }
    }
    if (!rc)
        rc = n == 1 ? rank_rows(a, report) : rank_sets(a, report, (int)n);
    while (files--)
        rc = pb_reports_close(&file[files]) || rc ? -1 : 0;
    free(file);
    free(report);
    return rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_rank = {
    .name = "rank",
    .words = PB_WORDS_OF_REPORTS " ..",
    .least = 1,
    .most = PB_ANY_WORDS,
    .options = "db set task json",
    .help =
        "compare all rows with the baseline, or rank rows over several data sets\n\n" PB_HELP_OF_DATABASE
        "With one experiment: the difference of every row to the baseline on test, with p of a permutation test over\n"
        "examples and p adjusted by Holm's step-down procedure.  With several experiments or tasks, on different data "
        "sets: "
        "mean\n"
        "ranks of the rows that all have, Friedman's test, the F statistic of Iman and Davenport, and the pairs whose "
        "mean\n"
        "ranks differ by more than Nemenyi's critical difference.  Two rows need 6 data sets, more rows need 3.  The "
        "tasks\n"
        "of an experiment with several are data sets too; each ranks the rows by its own primary metric.\n",
    .run = rank,
};
