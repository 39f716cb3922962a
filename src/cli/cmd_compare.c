/* cmd_compare: two rows or runs beside each other, axis by axis, each with a verdict. */
#include <stdlib.h>

#include "cli/cmd.h"
#include "report/compare.h"

/* 1: something is worse; 3: nothing is, but something is undecided. */
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
    .help =
        "say on which axes A is better, worse or the same as B\n\n"
        "A and B are [DATABASE.db:][EXPERIMENT/]ROW, or a run's number or the beginning of its hash.  Of a score: the\n"
        "paired difference over the seeds and examples of both; `same` is within --margin.  What is exact is compared\n"
        "exactly, times as ratios to the base model.  Exit code 1: worse somewhere, 3: undecided somewhere, 2: the "
        "two\n"
        "may not be compared (other data, model, metrics or budget).\n",
    .run = compare,
};
