/* cmd_compare: compares two rows or runs axis by axis, with a verdict on each. */
#include <stdlib.h>

#include "cli/cmd.h"
#include "report/compare.h"

/* Returns 1 if an axis is worse, 3 if none is worse and one is undecided. */
static int exit_code(const pb_comparison *c)
{
    int code = PB_EXIT_DONE;
    for (int i = 0; i < c->axes; i++)
        if (c->axis[i].verdict == PB_WORSE)
            return PB_EXIT_NO;
        else if (c->axis[i].verdict == PB_UNDECIDED)
            code = PB_EXIT_UNDECIDED;
    return code;
}

static int compare(const pb_args *a)
{
    pb_comparand x, y;
    if (pb_comparand_open(&x, a->word[0], a->db))
        return PB_EXIT_QUESTION;
    if (pb_comparand_open(&y, a->word[1], a->db)) {
        pb_comparand_close(&x);
        return PB_EXIT_QUESTION;
    }
    pb_comparison c;
    pb_margins m = pb_margins_default;
    int rc = pb_margins_read(&m, a->margin) || pb_comparand_comparable(&x, &y) || pb_compare(&x, &y, &m, &c) ? -1 : 0;
    if (!rc && !a->json) {
        pb_comparand_print(&x, stdout);
        pb_comparand_print(&y, stdout);
    }
    if (!rc)
        (a->json ? pb_comparison_json : pb_comparison_print)(&c, &x, &y, stdout);
    rc = pb_comparand_close(&x) || rc ? -1 : 0;
    rc = pb_comparand_close(&y) || rc ? -1 : 0;
    return rc ? PB_EXIT_QUESTION : exit_code(&c);
}

const pb_command pb_cmd_compare = {
    .name = "compare",
    .words = "A B",
    .least = 2,
    .most = 2,
    .options = "db json margin",
    .help = "compare two rows or runs axis by axis\n\n"
            "A and B are [DATABASE.db:][EXPERIMENT/]ROW, the number of a run, or the beginning of its hash.  Each axis "
            "gets\n"
            "the verdict better, worse, same or undecided on A relative to B.  Scores are compared by the paired "
            "difference\n"
            "over the seeds and examples of both; `same` means that its interval is within --margin.  Exact numbers "
            "must be\n"
            "equal, and times are compared as ratios to the base model.  Exit code 1: A is worse on an axis; 3: an "
            "axis is\n"
            "undecided; 2: the two are not comparable because data, model, metrics or budget differ.\n",
    .run = compare,
};
