/* plan: see plan.h. */
#include "driver/plan.h"

#include "driver/cell.h"

/* Adds as many classes as decide the head: two, one of a number, none of a text. */
static void add_classes(pb_data *d, pb_answer_kind answers)
{
    for (int c = 0; c < (answers == PB_ANSWER_TEXT ? 0 : answers == PB_ANSWER_NUMBER ? 1 : 2); c++)
        pb_data_class(d, c ? "b" : "a");
}

/* Returns data with empty texts, enough for a batch.  A plan depends only on their lengths, which pb_encoded_uniform
 * sets. */
static pb_data *even_data(const pb_task *task, int count)
{
    pb_data *d = pb_data_new("texts of one length");
    bool texts = task->answer_kind == PB_ANSWER_TEXT;
    char empty[] = "", *choice[4] = {empty, empty, empty, empty};
    d->answer_kind = task->answer_kind;
    add_classes(d, task->answer_kind);
    for (int s = 0; s < PB_SPLITS; s++)
        for (int i = 0; i < count; i++)
            if (task->answer_kind == PB_ANSWER_CHOICE)
                pb_data_add_example(d, (pb_split)s, &(pb_example){.text = "", .choice = choice, .choices = 4});
            else if (texts)
                pb_data_add_answer(d, (pb_split)s, "", "", 0);
            else
                pb_data_add(d, (pb_split)s, "", 0, 0);
    return d;
}

static int plan_training(pb_model *m, const pb_encoded *encoded, const pb_cell *c, pb_cell_bill *out)
{
    pb_train_options train = c->train;
    pb_footprint all;
    out->counts = pb_model_counts(m);
    out->saved = 0;
    if (pb_train_plan(m, encoded, &c->train, c->seed, &out->f))
        return -1;
    if (!train.checkpoint)
        return 0;
    train.checkpoint = false;
    if (pb_train_plan(m, encoded, &train, c->seed, &all))
        return -1;
    out->saved = (long long)pb_footprint_total(&all) - (long long)pb_footprint_total(&out->f);
    return 0;
}

int pb_cell_plan(const pb_experiment *e, const pb_cell *c, int tokens, pb_cell_bill *out)
{
    pb_data *d = tokens ? even_data(e->task, c->train.batch) : pb_experiment_data(e);
    pb_answer_mode mode = pb_answer_mode_of(e->task->answer_kind == PB_ANSWER_TEXT, pb_cell_prompting(c));
    pb_model *m = d ? pb_cell_open(e, c, d, c->row->spec.parts, true) : NULL;
    pb_encoded *f = !m       ? NULL
                    : tokens ? pb_encoded_uniform(d, mode, tokens)
                             : pb_cell_encode(c, d, m, c->row->spec.parts);
    int rc = f ? plan_training(m, f, c, out) : -1;
    pb_encoded_free(f);
    pb_model_free(m);
    pb_data_free(d);
    return rc;
}

int pb_cell_device_plan(const pb_experiment *e, const pb_cell *c, const pb_cell_device *d, pb_device_bill *out,
                        int fit[2])
{
    pb_data *data = pb_experiment_new_data(e); /* without texts */
    add_classes(data, e->task->answer_kind);
    pb_model *m = pb_cell_open(e, c, data, c->row->spec.parts, true);
    int rc = m ? pb_device_plan(m, &d->device, out) : -1;
    if (!rc && d->memory > 0)
        rc = pb_device_fit(m, &d->device, d->memory, &fit[0], &fit[1]);
    pb_model_free(m);
    pb_data_free(data);
    return rc ? pb_error_prefix("%s", c->row->label) : 0;
}
