/* encoded_batch: makes batches of an encoded data set and reads the logits of batches by verbalizer; see encoded.h. */
#include <math.h>
#include <string.h>

#include "train/encoded.h"

/* Returns the answer that follows an item's text in training, or NULL by head. */
static const pb_ids *answer_of_item(const pb_encoded *set, pb_split split, int item)
{
    if (set->mode == PB_BY_GENERATION)
        return &set->answer[split][item];
    if (set->mode == PB_BY_HEAD)
        return NULL;
    int label = set->data->split[split].example[item].label;
    return set->choice[split] ? &set->choice[split][set->first[split][item] + label] : &set->verbalizer[label];
}

int pb_encoded_tokens(const pb_encoded *set, pb_split split, int item)
{
    const pb_ids *answer = answer_of_item(set, split, item);
    size_t tokens = set->prefix_cached ? 0 : set->prefix.count;
    int example = set->item[split][item].example;
    for (int i = pb_encoded_first(set, split, example); i < pb_encoded_first(set, split, example + 1); i++)
        tokens += set->text[split][i].count;
    return (int)(tokens + (answer ? answer->count - 1 : 0));
}

/* The number of the input that stands for an example: of a question by head, that of the right choice. */
static int input_of(const pb_encoded *set, pb_split split, int example)
{
    bool pairs = set->first[split] && set->mode == PB_BY_HEAD;
    return pb_encoded_first(set, split, example) + (pairs ? set->data->split[split].example[example].label : 0);
}

pb_ids pb_encoded_input(const pb_encoded *set, pb_split split, int example)
{
    pb_ids ids = {0};
    const pb_ids *text = &set->text[split][input_of(set, split, example)];
    for (size_t k = 0; !set->prefix_cached && k < set->prefix.count; k++)
        pb_ids_add(&ids, set->prefix.id[k]);
    for (size_t k = 0; k < text->count; k++)
        pb_ids_add(&ids, text->id[k]);
    return ids;
}

/* A batch to which sequences are added one by one. */
typedef struct growing_batch {
    const pb_encoded *set;
    int *offset, *ids, *target;
    int *token_type; /* NULL: all 0 */
    int sequences;
} growing_batch;

/* Adds prefix, text and answer, whose last token is a target only.  The tokens of the text that the assistant says, as
 * `said` marks them, are targets too; NULL: none. */
static void add_sequence(growing_batch *c, const pb_ids *text, const pb_ids *answer, const pb_ids *said)
{
    int at = c->offset[c->sequences], n = 0;
    int *ids = c->ids + at, *target = c->target + at;
    for (size_t i = 0; !c->set->prefix_cached && i < c->set->prefix.count; i++)
        ids[n++] = c->set->prefix.id[i];
    for (size_t i = 0; i < text->count; i++)
        ids[n++] = text->id[i];
    int first_target = n - 1;
    for (size_t i = 0; answer && i + 1 < answer->count; i++)
        ids[n++] = answer->id[i];
    for (int i = 0; i < n; i++)
        target[i] = answer && i >= first_target ? answer->id[i - first_target] : -1;
    int text_at = first_target + 1 - (int)text->count;
    for (int i = 0; said && i < (int)text->count; i++)
        if (said->id[i] && text_at + i > 0)
            target[text_at + i - 1] = text->id[i];
    c->offset[++c->sequences] = at + n;
}

/* Adds the token types of the sequence that is added next. */
static void add_types(growing_batch *c, pb_split split, int input)
{
    const pb_ids *type = c->set->type[split] ? &c->set->type[split][input] : NULL;
    for (size_t i = 0; c->token_type && type && i < type->count; i++)
        c->token_type[(size_t)c->offset[c->sequences] + i] = type->id[i];
}

/* Sets the classes of the tokens of the sequence that was added last. */
static void add_targets(growing_batch *c, pb_split split, int example)
{
    const pb_ids *target = c->set->target[split] ? &c->set->target[split][example] : NULL;
    if (target)
        memcpy(c->target + c->offset[c->sequences - 1], target->id, target->count * sizeof *target->id);
}

static growing_batch start_batch(const pb_encoded *set, pb_arena *arena, int sequences, size_t tokens)
{
    growing_batch c = {.set = set};
    c.offset = pb_arena_alloc(arena, PB_META, (size_t)(sequences + 1) * sizeof *c.offset);
    c.ids = pb_arena_alloc(arena, PB_META, (tokens + 1) * sizeof *c.ids);
    c.target = pb_arena_alloc(arena, PB_META, (tokens + 1) * sizeof *c.target);
    return c;
}

/* The number of choices of the items' questions. */
static int count_choices(const pb_encoded *set, pb_split split, const int *item, int n)
{
    int choices = 0;
    for (int i = 0; i < n; i++)
        choices += set->first[split][item[i] + 1] - set->first[split][item[i]];
    return choices;
}

/* Makes the batch in which a head reads a pair for each choice of each question. */
static pb_batch batch_of_pairs(const pb_encoded *set, pb_arena *arena, pb_split split, const int *item, int n)
{
    int *group = pb_arena_alloc(arena, PB_META, (size_t)(n + 1) * sizeof *group);
    int *label = pb_arena_alloc(arena, PB_META, (size_t)(n + 1) * sizeof *label);
    size_t tokens = 0;
    for (int i = 0; i < n; i++)
        tokens += (size_t)pb_encoded_tokens(set, split, item[i]);
    growing_batch c = start_batch(set, arena, count_choices(set, split, item, n), tokens);
    if (set->type[split])
        c.token_type = pb_arena_alloc(arena, PB_META, (tokens + 1) * sizeof *c.token_type);
    for (int i = 0; i < n; i++) {
        for (int k = set->first[split][item[i]]; k < set->first[split][item[i] + 1]; k++) {
            add_types(&c, split, k);
            add_sequence(&c, &set->text[split][k], NULL, NULL);
        }
        label[i] = set->data->split[split].example[item[i]].label;
        group[i + 1] = c.sequences;
    }
    return (pb_batch){.sequences = c.sequences,
                      .offset = c.offset,
                      .ids = c.ids,
                      .token_type = c.token_type,
                      .label = label,
                      .group = group,
                      .groups = n};
}

/* Makes the batch that scores every choice of each question behind its prompt. */
static pb_batch batch_of_choices(const pb_encoded *set, pb_arena *arena, pb_split split, const int *item, int n)
{
    size_t tokens = 0;
    for (int i = 0; i < n; i++)
        for (int k = set->first[split][item[i]]; k < set->first[split][item[i] + 1]; k++)
            tokens += set->prefix.count + set->text[split][item[i]].count + set->choice[split][k].count;
    growing_batch c = start_batch(set, arena, count_choices(set, split, item, n), tokens);
    for (int i = 0; i < n; i++)
        for (int k = set->first[split][item[i]]; k < set->first[split][item[i] + 1]; k++)
            add_sequence(&c, &set->text[split][item[i]], &set->choice[split][k], NULL);
    return (pb_batch){.sequences = c.sequences, .offset = c.offset, .ids = c.ids, .target = c.target};
}

static size_t longest_verbalizer(const pb_encoded *set)
{
    size_t most = 1;
    for (int c = 0; set->verbalizer && c < set->data->classes; c++)
        most = set->verbalizer[c].count > most ? set->verbalizer[c].count : most;
    return most;
}

/* Makes the batch that scores every class of each text.  If each verbalizer is one token, one sequence per text is
 * enough. */
static pb_batch batch_of_classes(const pb_encoded *set, pb_arena *arena, const pb_ids *const *text, int n)
{
    int each = set->single_token ? 1 : set->data->classes;
    size_t tokens = 0;
    for (int i = 0; i < n; i++)
        tokens += (size_t)each * (set->prefix.count + text[i]->count + longest_verbalizer(set));
    growing_batch c = start_batch(set, arena, n * each, tokens);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < each; k++)
            add_sequence(&c, text[i], &set->verbalizer[k], NULL);
    return (pb_batch){.sequences = n * each, .offset = c.offset, .ids = c.ids, .target = c.target};
}

pb_batch pb_encoded_content_free(const pb_encoded *set, pb_arena *arena)
{
    const pb_ids *text[PB_CONTENT_FREE];
    for (int i = 0; i < PB_CONTENT_FREE; i++)
        text[i] = &set->content_free[i];
    return batch_of_classes(set, arena, text, PB_CONTENT_FREE);
}

/* Returns the sets of labels of the items, [n, classes] of 0 and 1; NULL if the answers are none. */
static pb_real *label_sets(const pb_encoded *set, pb_arena *arena, pb_split split, const int *item, int n)
{
    size_t classes = (size_t)set->data->classes;
    if (set->data->answer_kind != PB_ANSWER_LABELS)
        return NULL;
    pb_real *y = pb_arena_alloc(arena, PB_META, (size_t)(n + 1) * classes * sizeof *y);
    for (size_t i = 0; i < (size_t)n; i++) {
        const pb_example *e = &set->data->split[split].example[set->item[split][item[i]].example];
        for (int k = 0; k < e->label_count; k++)
            y[i * classes + (size_t)e->labels[k]] = 1;
    }
    return y;
}

/* Returns the weights of the classes, [classes], if the loss has some or smooths labels; NULL: plain cross-entropy. */
static pb_real *class_weights(const pb_data *d, pb_arena *arena)
{
    if (!d->class_weight && d->label_smoothing <= 0)
        return NULL;
    pb_real *weight = pb_arena_alloc(arena, PB_META, (size_t)d->classes * sizeof *weight);
    for (int c = 0; c < d->classes; c++)
        weight[c] = d->class_weight ? (pb_real)d->class_weight[c] : 1;
    return weight;
}

pb_batch pb_encoded_batch(const pb_encoded *set, pb_arena *arena, pb_split split, const int *item, int n,
                          bool with_targets)
{
    if (set->first[split] && set->mode == PB_BY_HEAD)
        return batch_of_pairs(set, arena, split, item, n);
    if (set->first[split] && !with_targets)
        return batch_of_choices(set, arena, split, item, n);
    const pb_ids **text = pb_arena_alloc(arena, PB_META, (size_t)(n + 1) * sizeof *text);
    int *label = pb_arena_alloc(arena, PB_META, (size_t)(n + 1) * sizeof *label);
    pb_real *number = pb_arena_alloc(arena, PB_META, (size_t)(n + 1) * sizeof *number);
    size_t tokens = 0;
    for (int i = 0; i < n; i++) {
        int example = set->item[split][item[i]].example;
        text[i] = &set->text[split][example];
        label[i] = set->data->split[split].example[example].label;
        number[i] = (pb_real)set->data->split[split].example[example].target;
        tokens += (size_t)pb_encoded_tokens(set, split, item[i]);
    }
    if (set->mode == PB_BY_VERBALIZER && !with_targets)
        return batch_of_classes(set, arena, text, n);
    growing_batch c = start_batch(set, arena, n, tokens);
    if (set->type[split])
        c.token_type = pb_arena_alloc(arena, PB_META, (tokens + 1) * sizeof *c.token_type);
    for (int i = 0; i < n; i++) {
        int example = set->item[split][item[i]].example;
        bool turns = with_targets && set->said[split];
        add_types(&c, split, example);
        add_sequence(&c, text[i], answer_of_item(set, split, item[i]), turns ? &set->said[split][example] : NULL);
        add_targets(&c, split, example);
    }
    bool head = set->mode == PB_BY_HEAD, classes = set->data->answer_kind == PB_ANSWER_CLASS;
    bool tags = set->data->answer_kind == PB_ANSWER_TAGS;
    return (pb_batch){.sequences = n,
                      .offset = c.offset,
                      .ids = c.ids,
                      .token_type = c.token_type,
                      .label = head && classes ? label : NULL,
                      .class_weight = head && classes ? class_weights(set->data, arena) : NULL,
                      .label_smoothing = set->data->label_smoothing,
                      .label_set = label_sets(set, arena, split, item, n),
                      .number = set->data->answer_kind == PB_ANSWER_NUMBER ? number : NULL,
                      .target = head && !tags ? NULL : c.target};
}

/* ---- scores ------------------------------------------------------------------------------------------------- */

static const pb_real *row_of(const pb_node *logits, int row)
{
    return logits->x + (size_t)row * (size_t)logits->cols;
}

/* Returns the logarithm of the normalizing sum, which is subtracted from a row's logits to get log-probabilities. */
static double log_sum(const pb_node *logits, int row)
{
    return pb_log_sum_exp((size_t)logits->cols, row_of(logits, row));
}

double pb_log_probability(const pb_node *logits, int row, int id)
{
    return (double)row_of(logits, row)[id] - log_sum(logits, row);
}

/* If each verbalizer is one token, one row of logits holds the scores of all classes. */
static void score_single(const pb_encoded *set, const pb_node *logits, int n, double *score)
{
    for (int i = 0; i < n; i++) {
        double all = log_sum(logits, i);
        for (int c = 0; c < set->data->classes; c++)
            score[i * set->data->classes + c] = (double)row_of(logits, i)[set->verbalizer[c].id[0]] - all;
    }
}

void pb_encoded_scores(const pb_encoded *set, const pb_node *logits, int n, double *score)
{
    if (set->single_token) {
        score_single(set, logits, n, score);
        return;
    }
    for (int i = 0, row = 0; i < n * set->data->classes; i++) {
        const pb_ids *verbalizer = &set->verbalizer[i % set->data->classes];
        score[i] = 0;
        for (size_t k = 0; k < verbalizer->count; k++)
            score[i] += pb_log_probability(logits, row++, verbalizer->id[k]);
        score[i] /= set->normalize ? (double)verbalizer->count : 1;
    }
}

void pb_encoded_choice_scores(const pb_encoded *set, const pb_node *logits, pb_split split, const int *item, int n,
                              double *score)
{
    for (int i = 0, at = 0, row = 0; i < n; i++)
        for (int k = set->first[split][item[i]]; k < set->first[split][item[i] + 1]; k++, at++) {
            const pb_ids *choice = set->choice[split] ? &set->choice[split][k] : NULL;
            score[at] = choice ? 0 : (double)row_of(logits, row++)[0];
            for (size_t t = 0; choice && t < choice->count; t++)
                score[at] += pb_log_probability(logits, row++, choice->id[t]);
        }
}
