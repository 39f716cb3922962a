/* check_training: settings of training that do not go together, or that no run reads. */
#include <string.h>

#include "experiment/experiment_internal.h"

/* Returns whether a run takes the entry, which stands in [train] or in [train ROW]. */
static bool is_for(const pb_entry *entry, const pb_cell *c)
{
    return !strcmp(entry->section, "train") || !strcmp(entry->section + strlen("train "), c->row->label);
}

/* Refuses a setting of an optimizer that no run of the rows that take it uses: it would be ignored. */
int pb_experiment_check_training(const pb_experiment *e, const pb_ini *ini)
{
    for (size_t i = 0; i < ini->entries; i++) {
        const pb_entry *entry = &ini->entry[i];
        bool reads = !entry->key || !entry->in_force || strncmp(entry->section, "train", 5) != 0;
        for (int k = 0; k < e->cells && !reads; k++)
            reads = is_for(entry, &e->cell[k]) && pb_train_reads(&e->cell[k].train, entry->key);
        if (!reads) {
            pb_error("%s: no run trains with the optimizer that reads it; want `optimizer` to name it", entry->key);
            return pb_ini_blame(entry);
        }
    }
    return 0;
}
