/* checks_batch: ragged batches: see checks.h. */
#include "verify/checks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

pb_outcome pb_check_alone(pb_trial *t)
{
    pb_testbed p = pb_trial_start(t, 1);
    const pb_batch *all = &pb_testbed_texts;
    pb_testbed_perturb(&p, 0.05);
    double *together = pb_trial_logits(&p), off = 0;
    for (int s = 0; s < all->sequences; s++) {
        int ends[] = {0, all->offset[s + 1] - all->offset[s]};
        double *alone =
            pb_trial_outputs(&p, &(pb_batch){.sequences = 1, .offset = ends, .ids = all->ids + all->offset[s]});
        off = fmax(off, pb_trial_distance(PB_CLASSES, alone, together + PB_CLASSES * s));
        free(alone);
    }
    free(together);
    pb_testbed_close(&p);
    return off <= PB_EXACT ? PB_HELD : pb_trial_broken(t, "a text alone and in a batch: logits differ by %.2g", off);
}

pb_outcome pb_check_order(pb_trial *t)
{
    pb_testbed p = pb_trial_start(t, 1);
    const pb_batch *all = &pb_testbed_texts;
    static const int turn[] = {3, 0, 4, 2, 1};
    int ids[64], ends[6] = {0};
    for (int s = 0; s < 5; s++) {
        int from = all->offset[turn[s]], n = all->offset[turn[s] + 1] - from;
        memcpy(ids + ends[s], all->ids + from, (size_t)n * sizeof *ids);
        ends[s + 1] = ends[s] + n;
    }
    double *straight = pb_trial_logits(&p), off = 0;
    double *mixed = pb_trial_outputs(&p, &(pb_batch){.sequences = 5, .offset = ends, .ids = ids});
    for (int s = 0; s < 5; s++)
        off = fmax(off, pb_trial_distance(PB_CLASSES, mixed + PB_CLASSES * s, straight + PB_CLASSES * turn[s]));
    free(straight);
    free(mixed);
    pb_testbed_close(&p);
    return off <= PB_EXACT ? PB_HELD : pb_trial_broken(t, "texts in another order: logits differ by %.2g", off);
}

/* Returns true if the graph of the testbed's last batch has the operation `dropout`. */
static bool has_dropout(const pb_testbed *p)
{
    for (int i = 0; pb_graph_at(p->graph, i); i++)
        if (pb_graph_at(p->graph, i)->op && !strcmp(pb_graph_at(p->graph, i)->op->name, "dropout"))
            return true;
    return false;
}

/* Scoring has no dropout, draws nothing and changes nothing. */
pb_outcome pb_check_scoring(pb_trial *t)
{
    pb_testbed p = pb_trial_start(t, 1);
    pb_testbed_perturb(&p, 0.05);
    double *one = pb_trial_logits(&p), *two = pb_trial_logits(&p), off = pb_trial_distance(PB_LOGITS, one, two);
    bool drops = has_dropout(&p);
    free(two);
    p.key++;
    two = pb_trial_logits(&p);
    double drawn = pb_trial_distance(PB_LOGITS, one, two);
    free(two);
    pb_trial_forward(&p, &pb_testbed_texts, true, 0);
    pb_testbed again = pb_trial_start(t, 1);
    pb_testbed_perturb(&again, 0.05);
    two = pb_trial_logits(&again);
    off = fmax(off, pb_trial_distance(PB_LOGITS, one, two));
    free(one);
    free(two);
    pb_testbed_close(&p);
    pb_testbed_close(&again);
    if (drops)
        return pb_trial_broken(t, "the graph for scoring has dropout; pb_drop is the dropout that only training has");
    if (drawn > 0)
        return pb_trial_broken(t, "scored with another key: logits differ by %.2g; look for draws that scoring has too",
                               drawn);
    return off == 0 ? PB_HELD : pb_trial_broken(t, "scored twice: logits differ by %.2g", off);
}
