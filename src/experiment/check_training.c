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

int pb_training_check(const pb_experiments *x, const pb_ini *ini)
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
