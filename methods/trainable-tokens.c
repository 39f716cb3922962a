/* trainable-tokens: the word embeddings of a few tokens train. */
#include "peftbench.h"

PB_SETTINGS(INT(first, "0", -1000000, 1000000, "id of the first token; -n: the n-th last of the vocabulary"),
            INT(tokens, "32", 1, 1000000, "n, the number of tokens, whose ids follow each other"),
            TEXT(ids, "", "n ids in place of those that follow `first`: \"5 9 3\""));

/* Writes the ids of the setting.  Returns false if they are not n numbers. */
static bool read_ids(const conf *c, int *ids)
{
    static const char between[] = " ,";
    const char *at = c->ids + strspn(c->ids, between);
    for (int i = 0; i < c->tokens; i++, at += strspn(at, between)) {
        char *end;
        long id = strtol(at, &end, 10);
        if (end == at || (*end && !strchr(between, *end)) || id < 0 || id > INT32_MAX)
            return false;
        ids[i] = (int)id;
        at = end;
    }
    return !*at;
}

static int by_number(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* Returns the ids [n], in the order of the rows; NULL with an error. */
static const int *ids_of(pb_build *b, int *n)
{
    const conf *c = pb_conf(b);
    int rows = pb_find_param(b, "embed.word")->rows, first = c->first < 0 ? rows + c->first : c->first;
    size_t bytes = (size_t)c->tokens * sizeof(int);
    int *ids = pb_arena_alloc(pb_graph_arena(b->graph), PB_META, bytes), *sorted = pb_alloc(bytes), bad = 0;
    for (int i = 0; i < c->tokens; i++)
        ids[i] = first + i;
    if (*c->ids && !read_ids(c, ids))
        bad = pb_error("trainable-tokens: ids: want as many numbers as `tokens`, %d, with spaces between", c->tokens);
    memcpy(sorted, ids, bytes);
    qsort(sorted, (size_t)c->tokens, sizeof *sorted, by_number);
    if (!bad && (sorted[0] < 0 || sorted[c->tokens - 1] >= rows))
        bad = pb_error("trainable-tokens: ids %d to %d, want 0 to %d", sorted[0], sorted[c->tokens - 1], rows - 1);
    for (int i = 1; i < c->tokens && !bad; i++)
        bad = sorted[i] == sorted[i - 1] ? pb_error("trainable-tokens: ids: want each once, got %d twice", sorted[i])
                                         : 0;
    free(sorted);
    *n = c->tokens;
    return bad ? NULL : ids;
}

/* E(x), where the rows of n tokens are those of R [n,C]. */
static pb_node *embed(pb_build *b, pb_node *x)
{
    int n;
    const int *ids = NULL;
    if (b->tied)
        pb_error("trainable-tokens: this model predicts words by the table of word embeddings, whose rows cannot "
                 "differ from those of the input; want a model with a table of its own, or a classification head");
    else if (x->set != b->text)
        pb_error("trainable-tokens: rows are in front of the text already; want it as the last one of a composition");
    else
        ids = ids_of(b, &n);
    if (!ids)
        return NULL;
    pb_init start = pb_init_rows(pb_find_param(b, "embed.word"), ids);
    return pb_op_replace(b->graph, x, pb_added(b, NULL, "rows", n, b->width, start), b->ids, ids);
}

const pb_method pb_method_trainable_tokens = {
    .name = "trainable-tokens",
    .title = "Trainable tokens: the embeddings of chosen tokens",
    .paper = "Hugging Face PEFT, TrainableTokensModel (no paper)",
    .help = "Trains the word embeddings of a few tokens, such as new ones.",
    .equation = "y = f(E'(x)), where n rows of E' train and start as those of E",
    .notes = "PEFT changes a tied output table with them, which is refused here, and saves no head. The default ids "
             "hold the special tokens of most vocabularies. The head trains besides, so a task can be learned with "
             "tokens that never occur.",
    .count = "model: tokens*width",
    .traits = {PB_SELECTIVE, .identity = true},
    .settings = {options, sizeof(conf), "tokens"},
    .hooks = {.embed = embed},
    .peft = PB_PEFT("TRAINABLE_TOKENS", .layout = PB_PEFT_TOKENS,
                    .tensors = PB_PEFT_TENSORS({"rows", "trainable_tokens_delta"}),
                    .keys = PB_PEFT_KEYS({"token_indices", "ids", .list = ids_of, .count = "tokens"})),
};
