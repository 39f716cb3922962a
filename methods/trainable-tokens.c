/* trainable-tokens: the word embeddings of a few tokens train. */
#include "peftbench.h"

typedef struct conf {
    int first, tokens;
} conf;

static const pb_option options[] = {
    PB_OPTION(conf, first, INT, "0", -1000000, 1000000, "id of the first token; -n: the n-th last of the vocabulary"),
    PB_OPTION(conf, tokens, INT, "32", 1, 1000000, "n, the number of tokens, whose ids follow each other"),
    {0},
};

/* E(x), where the rows of n tokens are those of R [n,C]. */
static pb_node *embed(pb_build *b, pb_node *x)
{
    const conf *c = pb_conf(b);
    const pb_param *table = pb_find_param(b, "embed.word");
    int first = c->first < 0 ? table->rows + c->first : c->first;
    if (b->tied)
        pb_error("trainable-tokens: this model predicts words by the table of word embeddings, whose rows cannot "
                 "differ from those of the input; want a model with a table of its own, or a classification head");
    else if (first < 0 || c->tokens > table->rows - first)
        pb_error("trainable-tokens: ids %d to %d, want 0 to %d", first, first + c->tokens - 1, table->rows - 1);
    else if (x->set != b->text)
        pb_error("trainable-tokens: rows are in front of the text already; want it as the last one of a composition");
    else
        return pb_op_replace(b->graph, x, pb_added(b, NULL, "rows", c->tokens, b->width, pb_init_rows(table, first)),
                             b->ids, first);
    return NULL;
}

const pb_method pb_method_trainable_tokens = {
    .name = "trainable-tokens",
    .title = "Trainable tokens: the embeddings of chosen tokens",
    .paper = "Hugging Face PEFT, TrainableTokensModel (no paper)",
    .help = "Trains the word embeddings of a few tokens, such as new ones.",
    .equation = "y = f(E'(x)), where n rows of E' train and start as those of E",
    .notes =
        "PEFT takes any list of ids; here they follow each other, as new tokens do at the end of a vocabulary. PEFT "
        "changes a tied output table with them, which is refused here. The default ids hold the special tokens of "
        "most vocabularies. The head trains besides, so a task can be learned with tokens that never occur.",
    .count = "model: tokens*width",
    .category = PB_SELECTIVE,
    .identity = true,
    .options = options,
    .conf_size = sizeof(conf),
    .size = "tokens",
    .embed = embed,
};
