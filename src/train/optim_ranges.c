/* optim_ranges: how the elements of all trainable parameters are divided among the threads. */
#include "base/threads.h"
#include "train/optim_internal.h"

#define GRAIN 1024 /* elements */

bool pb_optim_part(const pb_optim *opt, const pb_optim_item *k, int thread, size_t *from, size_t *to)
{
    int units = (int)((opt->elements + GRAIN - 1) / GRAIN), a, b;
    pb_threads_share(units, 1, thread, &a, &b);
    size_t low = (size_t)a * GRAIN, high = (size_t)b * GRAIN, end = k->start + k->count;
    if (low >= end || high <= k->start)
        return false;
    *from = low > k->start ? low - k->start : 0;
    *to = (high < end ? high : end) - k->start;
    return *from < *to;
}

/* Calls `each` for the elements from .. to-1 of a parameter row by row.  The first and the last row may be shared with
 * another thread. */
static void each_row(pb_optim *opt, pb_optim_item *k, size_t from, size_t to, int thread, pb_optim_each_range *each)
{
    const pb_param *p = k->param;
    size_t cols = (size_t)p->cols;
    for (size_t at = from, next; at < to; at = next) {
        size_t row = at / cols, column = at % cols;
        next = (row + 1) * cols < to ? (row + 1) * cols : to;
        int stored = p->slot ? p->slot[row] : (int)row;
        if (!k->seen || k->seen[row])
            each(opt, k, &(pb_optim_range){at, next - at, stored < 0 ? NULL : p->g + (size_t)stored * cols + column},
                 thread);
    }
}

void pb_optim_ranges(pb_optim *opt, int thread, pb_optim_each_range *each)
{
    size_t from, to;
    for (int i = 0; i < opt->items; i++) {
        pb_optim_item *k = &opt->item[i];
        if (!k->param->reached || !pb_optim_part(opt, k, thread, &from, &to))
            continue;
        if (k->seen || (opt->rule->by_rows && k->matrix))
            each_row(opt, k, from, to, thread, each);
        else
            each(opt, k, &(pb_optim_range){from, to - from, k->param->g + from}, thread);
    }
}
