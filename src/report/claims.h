/* claims: tables of claims, the estimates of stored runs and of plans, and the verdicts.
 *
 * A table is a TSV file with a line for each claim and the columns
 *
 *   id          a name of its own
 *   source      the paper, or where the claim is made
 *   claim       what is claimed, a sentence
 *   experiment  the INI file whose rows are compared; of several tasks FILE@TASK
 *   a, b        labels of rows; b is empty if the relation has no B
 *   key, key_b  what is compared; key_b is that of B, empty: the same
 *   relation    a pb_relation
 *   plan        settings of a plan, such as "tokens=128", with blanks between
 *   why         what may explain a verdict that contradicts the source; empty: nothing is said
 *
 * A key is one of docs/metrics.md, whose values are those of stored runs; or plan.KEY, exact numbers of
 * `peftbench plan`; or device.KEY, those of a plan for a device.  Of the primary metric on a split the effect is
 * estimated over seeds and examples (pb_stats_pair), of any other key over the seeds. */
#ifndef PB_CLAIMS_H
#define PB_CLAIMS_H

#include "report/claim.h"
#include "table/table.h"

typedef struct pb_claim {
    const char *id, *source, *claim, *experiment, *a, *b, *key, *key_b, *relation, *plan, *why; /* as in the table */
    const char *path; /* of the table, and the line, for messages */
    int line;
    pb_relation says;
    double value[2]; /* of A and of B; NaN if it is unknown or there is no B */
    pb_estimate effect;
    int seeds, examples; /* of the estimate; 0: does not apply */
    double p, holm;      /* NaN for an exact number */
    pb_claim_verdict verdict;
    char note[240]; /* why a claim was not run or is undecided, and which of its runs are of another version */
} pb_claim;

typedef struct pb_claims {
    pb_table **table; /* [tables] own the texts of the claims */
    int tables;
    pb_claim *claim; /* [claims] in the order of the tables */
    int claims;
    int tested; /* claims that are estimated from samples, whose p values are adjusted together */
    int others; /* runs of another version of the code by which claims are judged */
} pb_claims;

/* Reads the tables at n paths, which may be those of installed ones (pb_find_installed).  The caller frees the claims
 * with pb_claims_free.  Returns -1 with "FILE:LINE: what is wrong; want what would be right", and nothing to free. */
int pb_claims_read(pb_claims *c, char *const *path, int n);
void pb_claims_free(pb_claims *c);

/* Estimates all effects: plans, and the runs of a database, which need not exist.  With `any_version` as
 * pb_report_make.  Threads must have been started, as for pb_cell_plan.  A claim whose runs are missing has no
 * estimate, and a note.  Returns -1 with an error that begins with the claim's FILE:LINE if an experiment, a row or a
 * key does not exist.  If its model is not installed the claim is not run. */
int pb_claims_estimate(pb_claims *c, const char *db, bool any_version);

/* Computes p and, adjusted by Holm's procedure over all claims that are tested, the verdicts. */
void pb_claims_judge(pb_claims *c);

/* Prints the verdicts as a Markdown page, in which texts of the tables are escaped. */
void pb_claims_print(const pb_claims *c, FILE *out);

/* Prints one JSON object for each claim, one on a line. */
void pb_claims_json(const pb_claims *c, FILE *out);

#endif
