/* data_view: see data_view.h. */
#include "cli/data_view.h"

#include <stdlib.h>
#include <string.h>

#include "experiment/experiment_reader.h"
#include "train/entities.h"

/* How a decoder is shown the examples if no row of the experiment says it: in the task's template alone. */
static const pb_prompting plain_prompting = {.template = "", .chat = "none"};

/* ---- lengths ------------------------------------------------------------------------------------------------ */

/* The words of the longest choice of a question; 0 without choices. */
static int words_of_choice(const pb_example *e)
{
    int most = 0;
    for (int k = 0; k < e->choices; k++) {
        int words = pb_count_words(e->choice[k]);
        most = words > most ? words : most;
    }
    return most;
}

static pb_lengths lengths_in_words(const pb_data *d, pb_split s, bool answers)
{
    int n = 0, capacity = d->split[s].count;
    for (int i = 0; i < d->split[s].count && answers; i++)
        capacity += d->split[s].example[i].answers;
    int *length = pb_alloc((size_t)(capacity + 1) * sizeof *length);
    for (int i = 0; i < d->split[s].count; i++) {
        const pb_example *e = &d->split[s].example[i];
        if (!answers)
            length[n++] = pb_count_words(e->text) + (e->second ? pb_count_words(e->second) : words_of_choice(e));
        for (int k = 0; k < e->answers && answers; k++)
            length[n++] = pb_count_words(e->answer[k]);
    }
    pb_lengths l = pb_lengths_of(n, length);
    free(length);
    return l;
}

static pb_lengths lengths_of_answers(const pb_encoded *set, pb_split s)
{
    int n = set->mode == PB_BY_GENERATION ? set->items[s] : 0, *length = pb_alloc((size_t)(n + 1) * sizeof *length);
    for (int i = 0; i < n; i++)
        length[i] = (int)set->answer[s][i].count;
    pb_lengths l = pb_lengths_of(n, length);
    free(length);
    return l;
}

static void measure(pb_data_view *v)
{
    for (int i = 0; i < PB_SPLITS; i++) {
        pb_split s = (pb_split)i;
        v->text[s] = v->encoded ? pb_lengths_of(v->data->split[s].count, v->encoded->length[s])
                                : lengths_in_words(v->data, s, false);
        v->answer[s] = v->encoded ? lengths_of_answers(v->encoded, s) : lengths_in_words(v->data, s, true);
    }
}

/* ---- as a model reads it ------------------------------------------------------------------------------------ */

static int open_model(pb_data_view *v)
{
    const char *path = v->experiment->model_path;
    v->model = pb_model_open(&(pb_opening){
        .path = path, .classes = pb_data_outputs(v->data), .tokens = v->data->answer_kind == PB_ANSWER_TAGS});
    if (!v->model)
        return -1;
    if (!pb_model_want_tokenizer(v->model))
        return -1;
    if (v->experiment->task->answer_kind == PB_ANSWER_TEXT && !pb_model_is_causal(v->model))
        return pb_error("%s: the answers of task %s are texts; want a causal language model, got a %s", path,
                        v->experiment->task_name, pb_model_family(v->model));
    return 0;
}

static pb_encoded *encode(const pb_data_view *v, const pb_cell *c, const pb_prompting *p)
{
    return pb_encoded_new(v->data, v->model, &(pb_encoding){p, c->train.max_tokens, c->decoding, c->seed, 0});
}

/* Returns the prompting that the cell's inputs are made with; NULL: a head reads them. */
static const pb_prompting *prompting_of(const pb_data_view *v, const pb_cell *c)
{
    const pb_prompting *p = pb_cell_prompting(c);
    return p || v->experiment->task->answer_kind != PB_ANSWER_TEXT ? p : &plain_prompting;
}

/* Returns true if the cells' inputs are the same where none is cut, and equally much room is left for an answer. */
static bool read_alike(const pb_data_view *v, const pb_cell *a, const pb_cell *b)
{
    const pb_prompting *p = prompting_of(v, a), *q = prompting_of(v, b);
    if (v->experiment->task->answer_kind == PB_ANSWER_TEXT && a->decoding->max_new != b->decoding->max_new)
        return false;
    return p && q ? p->shots == q->shots && !strcmp(p->template, q->template) && !strcmp(p->chat, q->chat) : p == q;
}

static bool all_read_alike(const pb_data_view *v)
{
    const pb_experiment *e = v->experiment;
    for (int i = 1; i < e->cells; i++)
        if (!read_alike(v, &e->cell[0], &e->cell[i]))
            return false;
    return true;
}

/* Adds the number of texts that this cell's limit cuts, unless a cell before it has the same limit and reads alike. */
static int add_cut(pb_data_view *v, const pb_cell *c)
{
    for (const pb_cell *b = v->experiment->cell; b < c; b++)
        if (b->train.max_tokens == c->train.max_tokens && read_alike(v, b, c))
            return 0;
    pb_encoded *set = v->cuts ? encode(v, c, pb_cell_prompting(c)) : v->encoded;
    if (!set)
        return -1;
    pb_data_cut *cut = &v->cut[v->cuts++];
    cut->max_tokens = c->train.max_tokens;
    cut->row = all_read_alike(v) ? NULL : c->row->label;
    memcpy(cut->texts, set->cut, sizeof cut->texts);
    if (set != v->encoded)
        pb_encoded_free(set);
    return 0;
}

/* Shows a decoder's examples in the template of the first row that has one. */
static int encode_prompts(pb_data_view *v)
{
    const pb_experiment *e = v->experiment;
    const pb_cell *c = &e->cell[0];
    if (v->encoded->mode != PB_BY_HEAD) {
        v->prompts = pb_encoded_share(v->encoded);
        return 0;
    }
    bool head_only = v->data->answer_kind == PB_ANSWER_NUMBER || v->data->answer_kind == PB_ANSWER_TAGS ||
                     v->data->answer_kind == PB_ANSWER_LABELS;
    if (!pb_model_is_causal(v->model) || head_only)
        return 0;
    const pb_prompting *p = NULL;
    for (int i = 0; i < e->cells && !p; i++) {
        c = &e->cell[i];
        p = pb_cell_prompting(c);
    }
    v->prompts = encode(v, c, p ? p : &plain_prompting);
    return v->prompts ? 0 : -1;
}

static int read_with_model(pb_data_view *v)
{
    const pb_experiment *e = v->experiment;
    if (open_model(v) || !(v->encoded = encode(v, &e->cell[0], pb_cell_prompting(&e->cell[0]))))
        return -1;
    v->cut = pb_alloc((size_t)(e->cells + 1) * sizeof *v->cut);
    for (int i = 0; i < e->cells; i++)
        if (add_cut(v, &e->cell[i]))
            return -1;
    return encode_prompts(v);
}

/* ---- entities ----------------------------------------------------------------------------------------------- */

int pb_entity_types_all(const pb_entity_types *t, pb_split split)
{
    int all = 0;
    for (int i = 0; i < t->count; i++)
        all += t->entities[i][split];
    return all;
}

static void count_entity(pb_entity_types *t, const pb_entity *e, int split)
{
    int i = 0;
    while (i < t->count && (strncmp(t->name[i], e->type, (size_t)e->size) != 0 || t->name[i][e->size]))
        i++;
    if (i == t->count) {
        t->name = pb_realloc(t->name, (size_t)(i + 1) * sizeof *t->name);
        t->entities = pb_realloc(t->entities, (size_t)(i + 1) * sizeof *t->entities);
        t->name[i] = pb_format("%.*s", e->size, e->type);
        memset(t->entities[i], 0, sizeof t->entities[i]);
        t->count++;
    }
    t->entities[i][split]++;
}

static void count_entities(pb_data_view *v)
{
    const pb_data *d = v->data;
    for (int s = 0; s < PB_SPLITS && d->answer_kind == PB_ANSWER_TAGS; s++)
        for (int i = 0; i < d->split[s].count; i++) {
            pb_entity_reader r = {.at = d->split[s].example[i].answer[0]};
            for (pb_entity e; pb_entity_next(&r, &e);)
                count_entity(&v->entities, &e, s);
        }
}

/* ---- the view ----------------------------------------------------------------------------------------------- */

int pb_data_view_open(pb_data_view *v, const pb_experiment *e)
{
    *v = (pb_data_view){.experiment = e, .data = pb_experiment_new_data(e)};
    if (e->task->load(v->data, e->task_found))
        return -1;
    if (!v->data->split[PB_TRAIN].count)
        return pb_error("%s: no train examples", e->task_name);
    v->profile = pb_profile_of(v->data);
    count_entities(v);
    if (strcmp(e->model_path, PB_NO_MODEL) != 0 && read_with_model(v))
        return -1;
    measure(v);
    return 0;
}

void pb_data_view_free(pb_data_view *v)
{
    for (int s = 0; s < PB_SPLITS; s++) {
        pb_lengths_free(&v->text[s]);
        pb_lengths_free(&v->answer[s]);
    }
    pb_encoded_free(v->prompts);
    pb_encoded_free(v->encoded);
    pb_model_free(v->model);
    pb_profile_free(&v->profile);
    for (int i = 0; i < v->entities.count; i++)
        free(v->entities.name[i]);
    free(v->entities.name);
    free(v->entities.entities);
    pb_data_free(v->data);
    free(v->cut);
}

const char *pb_data_view_unit(const pb_data_view *v)
{
    return v->model ? "tokens" : "words";
}

int pb_data_view_shown(const pb_data_view *v, int example[3])
{
    const pb_lengths *l = &v->text[PB_TRAIN];
    const double share[] = {0, 0.5, 1};
    int n = 0, last = -1;
    for (size_t i = 0; i < PB_COUNT(share) && l->count; i++) {
        int rank = pb_lengths_rank(l, share[i]);
        if (rank != last)
            example[n++] = l->position[rank];
        last = rank;
    }
    return n;
}

char *pb_data_view_label(const pb_data_view *v, pb_place at)
{
    const pb_example *e = &v->data->split[at.split].example[at.example];
    if (v->data->answer_kind == PB_ANSWER_NUMBER) {
        pb_text t = {0};
        pb_text_real(&t, e->target);
        return t.data;
    }
    if (v->data->answer_kind == PB_ANSWER_LABELS) {
        pb_text t = {0};
        for (int k = 0; k < e->label_count; k++)
            pb_text_add(&t, "%s%s", k ? ", " : "", v->data->class_name[e->labels[k]]);
        return t.data ? t.data : pb_strdup("no label");
    }
    if (e->choices)
        return pb_strdup(e->choice[e->label]);
    return pb_strdup(e->label >= 0 ? v->data->class_name[e->label] : e->answers ? e->answer[0] : "");
}

/* Returns the tokens of the answer of an example, of the first one if there are several. */
static const pb_ids *answer_of(const pb_encoded *set, pb_place at)
{
    if (set->choice[at.split])
        return &set->choice[at.split]
                           [set->first[at.split][at.example] + set->data->split[at.split].example[at.example].label];
    if (set->mode == PB_BY_VERBALIZER)
        return &set->verbalizer[set->data->split[at.split].example[at.example].label];
    int i = 0;
    while (set->item[at.split][i].example != at.example)
        i++;
    return &set->answer[at.split][i];
}

static char *decode(const pb_data_view *v, const pb_ids *ids)
{
    pb_text t = {0};
    pb_tokenizer_decode(pb_model_tokenizer(v->model), ids->id, ids->count, false, &t);
    return t.data ? t.data : pb_strdup("");
}

void pb_data_view_prompt(const pb_data_view *v, pb_place at, char **prompt, char **answer)
{
    const pb_ids *ids = answer_of(v->prompts, at);
    pb_ids input = pb_encoded_input(v->prompts, at.split, at.example);
    *prompt = decode(v, &input);
    for (size_t i = 0; i < ids->count; i++)
        pb_ids_add(&input, ids->id[i]);
    char *both = decode(v, &input); /* some tokenizers decode the first token without its space */
    size_t n = strlen(*prompt);
    *answer = strncmp(both, *prompt, n) ? decode(v, ids) : pb_strdup(both + n);
    free(both);
    pb_ids_free(&input);
}
