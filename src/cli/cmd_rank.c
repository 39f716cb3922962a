/* cmd_rank: rows against the baseline, or over several data sets. */
#include <stdlib.h>

#include "cli/cmd.h"
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
    pb_run_context *desk = pb_alloc((size_t)a->words * sizeof *desk);
    pb_report *report = pb_alloc((size_t)a->words * sizeof *report);
    int n = 0, rc = 0;
    for (; n < a->words && !rc; n += !rc) {
        pb_args one = *a;
        one.word = a->word + n;
        rc = pb_run_context_open(&desk[n], &one);
        if (!rc && (rc = pb_report_make(&report[n], desk[n].store, desk[n].experiment)))
            pb_run_context_close(&desk[n]);
    }
    if (!rc)
        rc = n == 1 ? rank_rows(a, report) : rank_sets(a, report, n);
    while (n--) {
        pb_report_free(&report[n]);
        rc = pb_run_context_close(&desk[n]) || rc ? -1 : 0;
    }
    free(desk);
    free(report);
    return rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_rank = {
    .name = "rank",
    .words = "EXPERIMENT.ini [EXPERIMENT.ini ..]",
    .least = 1,
    .most = PB_ANY_WORDS,
    .options = "db set json",
    .help =
        "say which rows differ from the baseline, or from each other over data sets\n\n"
        "Of one experiment: every row's difference to the baseline on test, with the p of a permutation over\n"
        "examples, adjusted by Holm's step-down.  Of several, of different data: the mean ranks of the rows that all\n"
        "have, Friedman's test, Iman and Davenport's F, and the pairs that are further apart than Nemenyi's critical\n"
        "difference; of two rows that wants 6 data sets, of more rows 3.\n",
    .run = rank,
};
