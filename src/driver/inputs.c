/* inputs: see inputs.h. */
#include "driver/inputs.h"

#include <stdlib.h>
#include <string.h>

#include "driver/cell.h"
#include "experiment/experiment_reader.h"
#include "model/chat.h"
#include "train/encoded.h"
#include "train/template.h"

static int check_template(const char *path, const pb_data *d)
{
    pb_template t;
    char *text = pb_read_file(path, NULL);
    int rc = text ? pb_template_parse(path, text, d->pair, &t) : -1;
    free(text);
    return rc;
}

static int check_chat(const char *name, const char *date, const pb_model *m)
{
    pb_chat *chat;
    int rc = pb_chat_open(m, pb_model_tokenizer(m), name, date, &chat);
    pb_chat_free(chat);
    return rc;
}

/* Refuses conversations that the chat template refuses or that do not fit, for every limit that a cell has. */
static int check_conversations(const pb_experiment *e, const pb_data *d, const pb_model *m)
{
    for (int i = 0; i < e->cells && d->chat; i++) {
        const pb_cell *c = &e->cell[i];
        if (i && c->train.max_tokens == c[-1].train.max_tokens && c->decoding->max_new == c[-1].decoding->max_new)
            continue;
        pb_encoded *set = pb_cell_encode(c, d, m, c->row->spec.parts);
        if (!set)
            return -1;
        pb_encoded_free(set);
    }
    return 0;
}

/* Puts the place of a row's setting in front of the pending error: that of the label, if the file does not set it. */
static int blame_setting(const pb_experiment *e, const pb_row *row, const pb_fault *fault)
{
    char *key = pb_format("%s.%s", row->group[PB_GROUP_METHODS + fault->part], fault->setting);
    const char *at = row->location ? row->location : e->path;
    for (int i = 0; i < row->givens && row->given_at; i++)
        if (!strcmp(row->given[i], key))
            at = row->given_at[i];
    free(key);
    return pb_error_prefix("%s", at);
}

/* Refuses the settings that name sites which the model does not have, once for all seeds of a setting. */
static int check_sites(const pb_experiment *e, pb_model *m)
{
    for (int i = 0; i < e->cells; i++) {
        const pb_cell *c = &e->cell[i];
        pb_fault fault;
        if (i && c->row == c[-1].row && !strcmp(c->choice, c[-1].choice))
            continue;
        if (pb_model_check_sites(m, c->part, c->row->spec.parts, &fault))
            return blame_setting(e, c->row, &fault);
    }
    return 0;
}

int pb_inputs_check(const pb_experiment *e, const pb_data *d, pb_model *m)
{
    if (!pb_model_want_tokenizer(m) || check_sites(e, m))
        return -1;
    for (int i = 0; i < e->cells; i++) {
        const pb_prompting *p = pb_cell_prompting(&e->cell[i]);
        if ((e->task->answer_kind == PB_ANSWER_TEXT || p) && !pb_model_is_causal(m))
            return pb_error("%s: row %s needs a causal language model; %s is a %s", e->path, e->cell[i].row->label,
                            e->model_path, pb_model_family(m));
        if (pb_encoded_check_prompting(d, p))
            return -1;
        if (e->task->answer_kind != PB_ANSWER_TEXT && !p && pb_encoded_check(d, m))
            return -1;
        if (p && ((*p->template && check_template(p->template, d)) || check_chat(p->chat, NULL, m)))
            return -1;
    }
    return check_conversations(e, d, m);
}
