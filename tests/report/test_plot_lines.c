/* The lines of a figure. */
#include "test.h"

#include "report/plot_lines.h"

TEST(the_baseline_is_the_line_of_its_label)
{
    pb_lines l = {.baseline = "full"};
    pb_lines_add(&l, "lora", 0, 1);
    CHECK(!pb_lines_baseline(&l)); /* a row without a line, such as one that does not train */
    pb_lines_add(&l, "full", 0, 1);
    CHECK(pb_lines_baseline(&l) == &l.line[1]);
    pb_lines_drop_last(&l);
    CHECK(!pb_lines_baseline(&l));
    l.baseline = NULL;
    CHECK(!pb_lines_baseline(&l));
    pb_lines_free(&l);
}
