/* check_training: settings of training that do not go together, or that no run reads. */
#include <string.h>

#include "experiment/experiment_internal.h"

/* Returns whether a run of a task takes the entry, which stands in [train], [train@TASK], [train ROW] or
 * [train@TASK ROW]. */
static bool is_for(const pb_entry *entry, const pb_experiment *e, const pb_cell *c)
{
    const char *rest = entry->section + strlen("train");
    size_t n = strlen(e->task_name);
    if (*rest == '@' && (strncmp(rest + 1, e->task_name, n) != 0 || (rest[1 + n] && rest[1 + n] != ' ')))
        return false;
    rest += *rest == '@' ? 1 + n : 0;
    return !*rest || !strcmp(rest + 1, c->row->label);
}

/* Returns whether a run of the task trains with an optimizer that reads the entry. */
static bool is_read(const pb_entry *entry, const pb_experiment *e)
{
    bool reads = false;
    for (int k = 0; k < e->cells && !reads; k++)
        reads = is_for(entry, e, &e->cell[k]) && pb_train_reads(&e->cell[k].train, entry->key);
    return reads;
}

static int check_optimizers(const pb_experiments *x, const pb_ini *ini)
{
    for (size_t i = 0; i < ini->entries; i++) {
        const pb_entry *entry = &ini->entry[i];
        bool reads = !entry->key || !entry->in_force || strncmp(entry->section, "train", 5) != 0;
        for (int k = 0; k < x->tasks && !reads; k++)
            reads = is_read(entry, x->task[k]);
        if (!reads) {
            pb_error("%s: no run trains with the optimizer that reads it; want `optimizer` to name it", entry->key);
            return pb_ini_blame(entry);
        }
    }
    return 0;
}

/* Refuses more micro-batches than a step has examples, at the entry that the cell takes. */
static int check_parts(const pb_experiment *e, const pb_cell *c, const pb_ini *ini)
{
    const pb_entry *found = NULL;
    if (c->train.accumulate <= c->train.batch)
        return 0;
    pb_error("accumulate: %d micro-batches of the %d examples of a step, want at most one for each (batch)",
             c->train.accumulate, c->train.batch);
    for (size_t i = 0; i < ini->entries; i++) {
        const pb_entry *entry = &ini->entry[i];
        bool asks = entry->key && entry->in_force && !strncmp(entry->section, "train", 5) && is_for(entry, e, c);
        if (asks && (!strcmp(entry->key, "accumulate") || (!found && !strcmp(entry->key, "batch"))))
            found = entry;
    }
    return found ? pb_ini_blame(found) : -1;
}

int pb_training_check(const pb_experiments *x, const pb_ini *ini)
{
    for (int k = 0; k < x->tasks; k++)
        for (int i = 0; i < x->task[k]->cells; i++)
            if (check_parts(x->task[k], &x->task[k]->cell[i], ini))
                return -1;
    return check_optimizers(x, ini);
}
