/* task_files: reads the files of a task into its splits; see task.h. */
#include <stdlib.h>

#include "table/table.h"
#include "train/task.h"

static int load_file(pb_data *d, const pb_files *f, pb_split split, const char *file, pb_files_add *add,
                     const void *ctx)
{
    if (!*file)
        return 0;
    char *path = pb_data_find(file);
    pb_table *t = path ? pb_table_open(path, *f->format ? f->format : NULL, *f->columns ? f->columns : NULL) : NULL;
    free(path);
    int rc = t ? add(d, ctx, split, t) : -1;
    if (t)
        pb_table_close(t);
    return rc;
}

int pb_files_load(pb_data *d, const pb_files *f, pb_files_add *add, const void *ctx)
{
    if (pb_data_template(d, f->template))
        return -1;
    if (!*f->train)
        return pb_error("%s: train: want a file, got nothing", d->name);
    if (load_file(d, f, PB_TRAIN, f->train, add, ctx) || load_file(d, f, PB_VALIDATION, f->validation, add, ctx) ||
        load_file(d, f, PB_TEST, f->test, add, ctx))
        return -1;
    if (!*f->validation || !*f->test)
        pb_data_draw(d, *f->validation ? 0 : f->validation_share, *f->test ? 0 : f->test_share,
                     (uint64_t)f->split_seed);
    return 0;
}

void pb_files_limit(pb_data *d, const pb_files *f)
{
    pb_data_keep(d, PB_TRAIN, f->train_limit, (uint64_t)f->split_seed);
    pb_data_keep(d, PB_VALIDATION, f->score_limit, (uint64_t)f->split_seed);
    pb_data_keep(d, PB_TEST, f->score_limit, (uint64_t)f->split_seed);
}
