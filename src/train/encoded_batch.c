/* encoded_batch: what of a form goes into the model, and how its logits are read; see encoded.h. */
#include <math.h>

#include "train/encoded.h"

/* What is asked for behind an item's text when it is with_targets; NULL: nothing. */
static const pb_ids *wanted(const pb_encoded *set, pb_split split, int item)
{
    if (set->mode == PB_BY_GENERATION)
        return &set->answer[split][item];
    return set->mode == PB_BY_VERBALIZER ? &set->verbalizer[set->data->split[split].example[item].label] : NULL;
}

int pb_encoded_tokens(const pb_encoded *set, pb_split split, int item)
{
    const pb_ids *answer = wanted(set, split, item);
    size_t prompt = set->prefix_cached ? 0 : set->prefix.count;
    return (int)(prompt + set->text[split][set->item[split][item].example].count + (answer ? answer->count - 1 : 0));
}

pb_ids pb_encoded_input(const pb_encoded *set, pb_split split, int example)
{
    pb_ids ids = {0};
    for (size_t k = 0; !set->prefix_cached && k < set->prefix.count; k++)
        pb_ids_add(&ids, set->prefix.id[k]);
    for (size_t k = 0; k < set->text[split][example].count; k++)
        pb_ids_add(&ids, set->text[split][example].id[k]);
    return ids;
}

/* A batch that grows a sequence at a time. */
typedef struct collector {
    const pb_encoded *encoded;
    int *offset, *ids, *target;
    int sequences;
} collector;

/* prompt, text and the answer but its last token, which is only asked for. */
static void add_sequence(collector *c, const pb_ids *text, const pb_ids *answer)
{
    int at = c->offset[c->sequences], n = 0;
    int *ids = c->ids + at, *target = c->target + at;
    for (size_t i = 0; !c->encoded->prefix_cached && i < c->encoded->prefix.count; i++)
        ids[n++] = c->encoded->prefix.id[i];
    for (size_t i = 0; i < text->count; i++)
        ids[n++] = text->id[i];
    int asked = n - 1;
    for (size_t i = 0; answer && i + 1 < answer->count; i++)
        ids[n++] = answer->id[i];
    for (int i = 0; i < n; i++)
        target[i] = answer && i >= asked ? answer->id[i - asked] : -1;
    c->offset[++c->sequences] = at + n;
}

static collector start(const pb_encoded *set, pb_arena *arena, int sequences, size_t tokens)
{
    collector c = {.encoded = set};
    c.offset = pb_arena_alloc(arena, PB_META, (size_t)(sequences + 1) * sizeof *c.offset);
    c.ids = pb_arena_alloc(arena, PB_META, (tokens + 1) * sizeof *c.ids);
    c.target = pb_arena_alloc(arena, PB_META, (tokens + 1) * sizeof *c.target);
    return c;
}

static size_t longest_word(const pb_encoded *set)
{
    size_t most = 1;
    for (int c = 0; set->verbalizer && c < set->data->classes; c++)
        most = set->verbalizer[c].count > most ? set->verbalizer[c].count : most;
    return most;
}

/* Every class behind each text; where all words are one token, the same logits answer for all. */
static pb_batch ask_words(const pb_encoded *set, pb_arena *arena, const pb_ids *const *text, int n)
{
    int each = set->single_token ? 1 : set->data->classes;
    size_t tokens = 0;
    for (int i = 0; i < n; i++)
        tokens += (size_t)each * (set->prefix.count + text[i]->count + longest_word(set));
    collector c = start(set, arena, n * each, tokens);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < each; k++)
            add_sequence(&c, text[i], &set->verbalizer[k]);
    return (pb_batch){.sequences = n * each, .offset = c.offset, .ids = c.ids, .target = c.target};
}

pb_batch pb_encoded_content_free(const pb_encoded *set, pb_arena *arena)
{
    const pb_ids *text[PB_CONTENT_FREE];
    for (int i = 0; i < PB_CONTENT_FREE; i++)
        text[i] = &set->content_free[i];
    return ask_words(set, arena, text, PB_CONTENT_FREE);
}

pb_batch pb_encoded_batch(const pb_encoded *set, pb_arena *arena, pb_split split, const int *item, int n,
                          bool with_targets)
{
    const pb_ids **text = pb_arena_alloc(arena, PB_META, (size_t)(n + 1) * sizeof *text);
    int *label = pb_arena_alloc(arena, PB_META, (size_t)(n + 1) * sizeof *label);
    size_t tokens = 0;
    for (int i = 0; i < n; i++) {
        int example = set->item[split][item[i]].example;
        text[i] = &set->text[split][example];
        label[i] = set->data->split[split].example[example].label;
        tokens += (size_t)pb_encoded_tokens(set, split, item[i]);
    }
    if (set->mode == PB_BY_VERBALIZER && !with_targets)
        return ask_words(set, arena, text, n);
    collector c = start(set, arena, n, tokens);
    for (int i = 0; i < n; i++)
        add_sequence(&c, text[i], wanted(set, split, item[i]));
    bool head = set->mode == PB_BY_HEAD;
    return (pb_batch){.sequences = n,
                      .offset = c.offset,
                      .ids = c.ids,
                      .label = head ? label : NULL,
                      .target = head ? NULL : c.target};
}

/* ---- scores ------------------------------------------------------------------------------------------------- */

static const pb_real *row_of(const pb_node *logits, int row)
{
    return logits->x + (size_t)row * (size_t)logits->cols;
}

/* What to subtract from a row's logits to get log-probabilities. */
static double log_sum(const pb_node *logits, int row)
{
    return pb_log_sum_exp((size_t)logits->cols, row_of(logits, row));
}

double pb_log_probability(const pb_node *logits, int row, int id)
{
    return (double)row_of(logits, row)[id] - log_sum(logits, row);
}

/* Where all words are one token, one row answers for all classes. */
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
        const pb_ids *word = &set->verbalizer[i % set->data->classes];
        score[i] = 0;
        for (size_t k = 0; k < word->count; k++)
            score[i] += pb_log_probability(logits, row++, word->id[k]);
        score[i] /= set->normalize ? (double)word->count : 1;
    }
}
