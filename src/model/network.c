/* network: the graph of a batch: the transformer that the configuration describes, with the methods' hooks. */
#include "model/internal.h"
#include "model/rope.h"

static pb_node *leaf(pb_build *b, pb_param *p)
{
    return p ? pb_graph_param(b->graph, p) : NULL;
}

/* The base model's dropout, which applies only where a trainable tensor is below: features that do not train stay the
 * same in every step. */
static pb_node *base_drop(pb_build *b, pb_node *x)
{
    return x && x->requires_grad ? pb_drop(b, x, b->dropout) : x;
}

/* Returns x if the network has no such norm. */
static pb_node *norm(pb_build *b, pb_node *x, pb_param *gain, pb_param *bias)
{
    double eps = b->model->config.norm_eps;
    if (!gain)
        return x;
    return bias ? pb_op_norm(b->graph, x, leaf(b, gain), leaf(b, bias), eps)
                : pb_op_rmsnorm(b->graph, x, leaf(b, gain), eps);
}

/* ---- the input ------------------------------------------------------------------------------------------ */

/* The token types of the rows of a set: those of the batch, and 0 for the rows that methods have put in front of each
 * text, as in PEFT. */
static const int *token_types(pb_build *b, const pb_rows *set, const pb_rows *text, const int *type)
{
    if (!type || set == text)
        return type;
    int *all = pb_arena_alloc(pb_graph_arena(b->graph), PB_META, (size_t)set->count * sizeof *all + 1);
    for (int s = 0; s < set->sequences; s++) {
        int n = text->offset[s + 1] - text->offset[s], from = set->offset[s + 1] - n;
        for (int i = set->offset[s]; i < set->offset[s + 1]; i++)
            all[i] = i < from ? 0 : type[text->offset[s] + i - from];
    }
    return all;
}

static pb_node *embeddings(pb_build *b, const pb_rows *text, const pb_batch *batch)
{
    pb_model *m = b->model;
    pb_node *x = pb_op_embed(b->graph, leaf(b, m->word), text, batch->ids);
    x = pb_build_embed(b, x);
    if (x && !m->attached) {
        m->front_rows = x->set->count - text->count;
        m->extra_tokens = m->front_rows + b->first_position;
    }
    if (m->position && x)
        x = pb_op_position(b->graph, x, leaf(b, m->position), leaf(b, m->type), b->first_position,
                           token_types(b, x->set, text, batch->token_type));
    return base_drop(b, norm(b, x, m->embed_gain, m->embed_bias));
}

/* The rows of the batch and their positions: after those of each sequence's KV cache or of the cached prefix. */
static const pb_rows *text_rows(pb_build *b, const pb_batch *batch)
{
    struct pb_kv_cache *prefix = b->model->cached_prefix;
    const int *offset = batch->offset;
    if (batch->kv_cache) {
        b->kv_cache = batch->kv_cache;
        b->append_to_cache = true;
        return pb_rows_with_positions(b->graph, batch->sequences, offset, batch->position);
    }
    if (!prefix)
        return pb_rows_whole(b->graph, batch->sequences, offset);
    pb_arena *arena = pb_graph_arena(b->graph);
    int *position = pb_arena_alloc(arena, PB_META, (size_t)offset[batch->sequences] * sizeof *position);
    struct pb_kv_cache **cache = pb_arena_alloc(arena, PB_META, (size_t)batch->sequences * sizeof *cache);
    for (int s = 0; s < batch->sequences; s++) {
        cache[s] = prefix;
        for (int r = offset[s]; r < offset[s + 1]; r++)
            position[r] = prefix->segment[0].positions + r - offset[s];
    }
    b->kv_cache = cache;
    return pb_rows_with_positions(b->graph, batch->sequences, offset, position);
}

/* The positions that sequence s takes, or that its KV cache has room for. */
static int positions_needed(const pb_build *b, const pb_rows *set, int s)
{
    if (b->append_to_cache)
        return b->kv_cache[s]->end;
    return b->first_position + (set->offset[s] < set->offset[s + 1] ? set->position[set->offset[s + 1] - 1] + 1 : 0);
}

/* Prepares the rotary table for the batch's positions.  Returns -1 with an error if a text is too long; for a table of
 * positions, pb_op_position checks that. */
static int prepare_rotation(pb_build *b, const pb_node *x)
{
    pb_model *m = b->model;
    int longest = 0;
    if (!m->config.family->rotary || !x)
        return 0;
    for (int s = 0; s < x->set->sequences; s++) {
        int length = positions_needed(b, x->set, s);
        longest = length > longest ? length : longest;
    }
    if (longest > m->config.positions && m->config.window)
        return pb_error(
            "%d tokens, want at most the attention window of %d (sliding_window in config.json): longer texts "
            "are not supported",
            longest, m->config.window);
    if (longest > m->config.positions)
        return pb_error("position: %d, want 0..%d: the text with the method's tokens is too long", longest - 1,
                        m->config.positions - 1);
    b->positions = longest;
    b->rotation = pb_rope_table(m, m->config.head_size, longest);
    return 0;
}

/* ---- a layer ---------------------------------------------------------------------------------------------- */

/* Queries (which = 0) or keys (1): normalizes each head, then rotates it by its position. */
static pb_node *norm_and_rotate(pb_build *b, const pb_layer *l, int which, pb_node *x)
{
    const pb_network_config *c = &b->model->config;
    if (l->head_gain[which])
        x = pb_op_rmsnorm(b->graph, x, leaf(b, l->head_gain[which]), c->norm_eps);
    return c->family->rotary ? pb_op_rope(b->graph, x, c->head_size, b->rotation, b->first_position) : x;
}

static pb_node *self_attention(pb_build *b, const pb_layer *l, pb_node *x)
{
    pb_node *q, *k, *v;
    if (l->site[QKV].out) {
        pb_node *all = pb_build_linear(b, &l->site[QKV], x);
        int queries = l->site[O].in;
        q = pb_op_columns(b->graph, all, 0, queries);
        k = pb_op_columns(b->graph, all, queries, b->kv_width);
        v = pb_op_columns(b->graph, all, queries + b->kv_width, b->kv_width);
    } else {
        q = pb_build_linear(b, &l->site[Q], x);
        k = pb_build_linear(b, &l->site[K], x);
        v = pb_build_linear(b, &l->site[V], x);
    }
    q = norm_and_rotate(b, l, 0, q);
    k = norm_and_rotate(b, l, 1, k);
    return pb_build_linear(b, &l->site[O], pb_build_attention(b, &l->block[ATTN], q, k, v));
}

static pb_node *feed_forward(pb_build *b, const pb_layer *l, pb_node *x)
{
    pb_act act = b->model->config.act;
    pb_node *gate = l->site[GATE].out ? pb_build_linear(b, &l->site[GATE], x) : NULL;
    pb_node *h = pb_build_linear(b, &l->site[UP], x);
    h = l->site[GATE].out ? pb_op_gate(b->graph, act, gate, h) : pb_op_act(b->graph, act, h);
    return pb_build_linear(b, &l->site[DOWN], h);
}

/* x = norm(x + hooks(f(x))), or x + hooks(f(norm(x))) */
static pb_node *sublayer(pb_build *b, const pb_layer *l, int which, pb_node *x)
{
    bool before = b->model->config.family->pre_norm;
    pb_node *in = before ? norm(b, x, l->gain[which], l->bias[which]) : x;
    pb_node *y = which == ATTN ? self_attention(b, l, in) : feed_forward(b, l, in);
    y = pb_op_add(b->graph, pb_build_block(b, &l->block[which], in, base_drop(b, y)), x);
    return before ? y : norm(b, y, l->gain[which], l->bias[which]);
}

/* ---- heads -------------------------------------------------------------------------------------------------- */

/* The row of each sequence that a classifier reads.  In an encoder it is the first, unless a method moves it.  In a
 * decoder it is the last token that is not the padding token, as in transformers, even if the text itself ends in such
 * tokens; the first if there is no other.  If a method prepends rows, transformers takes the last row. */
static const pb_rows *class_rows(pb_build *b, const pb_rows *set, const pb_batch *batch)
{
    const pb_network_config *c = &b->model->config;
    if (!c->family->causal || c->pad < 0 || set->count > batch->offset[batch->sequences])
        return pb_rows_pick(b->graph, set, b->head_row);
    int *value = pb_arena_alloc(pb_graph_arena(b->graph), PB_META, (size_t)set->count * sizeof *value + 1);
    for (int s = 0; s < set->sequences; s++) {
        int chosen = set->offset[s + 1] - 1;
        while (chosen > set->offset[s] && batch->ids[chosen] == c->pad)
            chosen--;
        for (int r = set->offset[s]; r < set->offset[s + 1]; r++)
            value[r] = r == chosen ? 0 : -1;
    }
    return pb_rows_chosen(b->graph, set, value);
}

static pb_act head_act(const pb_model *m, const pb_head_names *head)
{
    return head->config_act ? m->config.act : head->act;
}

/* [sequences, classes] */
static pb_node *classify(pb_build *b, pb_node *x, const pb_batch *batch)
{
    pb_model *m = b->model;
    pb_node *h = x ? pb_op_select(b->graph, x, class_rows(b, x->set, batch)) : NULL;
    if (m->pool_w) {
        h = pb_op_linear(b->graph, h, leaf(b, m->pool_w), leaf(b, m->pool_b));
        h = pb_drop(b, pb_op_act(b->graph, head_act(m, pb_classifier_names(m)), h), b->dropout);
    }
    pb_node *logits = pb_op_linear(b->graph, h, leaf(b, m->head_w), leaf(b, m->head_b));
    return pb_build_logits(b, b->adapter ? pb_multi_adapter_apply(b, NULL, logits, h) : logits);
}

/* The rows of x that the batch asks for: of its tokens, those with a target if there are targets. */
static pb_node *rows_asked(pb_build *b, pb_node *x, const pb_batch *batch, const pb_rows *text)
{
    if (batch->last && x->set->count > x->set->sequences)
        x = pb_op_select(b->graph, x, pb_rows_pick(b->graph, x->set, -1));
    else if (x->set->count > text->count)
        x = pb_op_select(b->graph, x, pb_rows_suffix(b->graph, x->set, text));
    return batch->target ? pb_op_select(b->graph, x, pb_rows_chosen(b->graph, x->set, batch->target)) : x;
}

/* Logits of the classes of tokens: [tokens, classes]. */
static pb_node *classify_tokens(pb_build *b, pb_node *x, const pb_batch *batch, const pb_rows *text)
{
    pb_model *m = b->model;
    pb_node *h = pb_drop(b, rows_asked(b, x, batch, text), b->dropout);
    pb_node *logits = pb_op_linear(b->graph, h, leaf(b, m->head_w), leaf(b, m->head_b));
    return pb_build_logits(b, b->adapter ? pb_multi_adapter_apply(b, NULL, logits, h) : logits);
}

/* Logits of a language model: [tokens, vocabulary]. */
static pb_node *predict_tokens(pb_build *b, pb_node *x, const pb_batch *batch, const pb_rows *text)
{
    pb_model *m = b->model;
    x = rows_asked(b, x, batch, text);
    if (m->pool_w) {
        x = pb_op_linear(b->graph, x, leaf(b, m->pool_w), leaf(b, m->pool_b));
        x = pb_op_act(b->graph, head_act(m, &m->config.family->masked), x);
        x = norm(b, x, m->pool_gain, m->pool_beta);
    }
    return pb_op_linear(b->graph, x, leaf(b, m->head_w), leaf(b, m->head_b));
}

/* The targets of the rows of the logits. */
static const int *targets_of_rows(pb_build *b, const pb_batch *batch)
{
    int n = batch->offset[batch->sequences], count = 0;
    int *out = pb_arena_alloc(pb_graph_arena(b->graph), PB_META, (size_t)(n + 1) * sizeof *out);
    for (int i = 0; i < n; i++)
        if (batch->target[i] >= 0)
            out[count++] = batch->target[i];
    return out;
}

/* The mean squared error of a head with one output. */
static pb_node *loss_of_numbers(pb_build *b, pb_node *logits, const pb_batch *batch)
{
    size_t n = (size_t)batch->sequences;
    pb_real *share = pb_arena_alloc(pb_graph_arena(b->graph), PB_META, n * sizeof *share);
    PB_CHECK(b->model->classes == 1);
    for (size_t i = 0; i < n; i++)
        share[i] = (pb_real)(1.0 / (double)n);
    return pb_op_square_loss(b->graph, logits, batch->number, share);
}

/* The sum of the losses of labels or targets and of distillation targets, whichever the batch has; NULL: none. */
static pb_node *loss_of_batch(pb_build *b, pb_node *x, pb_node *logits, const pb_batch *batch)
{
    pb_model *m = b->model;
    const int *label = m->head == PB_HEAD_CLASSES ? batch->label : batch->target ? targets_of_rows(b, batch) : NULL;
    pb_node *sum = batch->number      ? loss_of_numbers(b, logits, batch)
                   : batch->groups    ? pb_op_group_cross_entropy(b->graph, logits, batch->groups, batch->group, label)
                   : batch->label_set ? pb_op_binary_cross_entropy(b->graph, logits, batch->label_set)
                   : label && batch->class_weight
                       ? pb_op_class_loss(b->graph, logits, label, batch->class_weight, batch->label_smoothing)
                   : label ? pb_op_cross_entropy(b->graph, logits, label)
                           : NULL;
    if (!batch->distill_target)
        return sum;
    pb_node *y = pb_op_linear(b->graph, x, leaf(b, m->distill_w), leaf(b, m->distill_b));
    pb_node *square = pb_op_square_loss(b->graph, y, batch->distill_target, batch->distill_weight);
    return sum ? pb_op_add(b->graph, sum, square) : square;
}

double pb_model_loss_terms(const pb_model *m, const pb_batch *batch)
{
    double weights = 0;
    for (int i = 0; i < batch->sequences && batch->label && batch->class_weight; i++)
        weights += (double)batch->class_weight[batch->label[i]];
    if (weights > 0)
        return weights;
    if (batch->groups)
        return batch->groups;
    if (batch->number || batch->label_set)
        return batch->sequences;
    const int *value = m->head == PB_HEAD_CLASSES ? batch->label : batch->target;
    int n = m->head == PB_HEAD_CLASSES ? batch->sequences : batch->offset[batch->sequences], count = 0;
    for (int i = 0; i < n && value; i++)
        count += value[i] >= 0;
    return count;
}

/* While training, the methods' penalties are a part of the loss, wherever the rest of it comes from. */
static pb_node *loss(pb_build *b, pb_node *x, pb_node *logits, const pb_batch *batch)
{
    pb_node *sum = loss_of_batch(b, x, logits, batch);
    return b->penalty && sum ? pb_op_add(b->graph, sum, b->penalty) : sum;
}

/* ---- one pass through the network ------------------------------------------------------------------------- */

/* How far a pass has come. */
typedef struct pass {
    pb_build build;
    pb_node *x; /* [T,C] what layer `layer` reads; NULL: not even the embeddings are there */
    int layer;
} pass;

static pb_node *layer(pb_build *b, int number, pb_node *x)
{
    const pb_layer *l = &b->model->layer[number];
    pb_node *y = x;
    if (b->model->checkpoint && pb_graph_training(b->graph))
        pb_graph_checkpoint(b->graph, x);
    for (int k = 0; k < SUBLAYERS; k++)
        y = sublayer(b, l, k, y);
    return pb_build_block(b, &l->block[STREAM], x, y);
}

/* Whether two passes may differ from here on, or have nodes of their own that hooks pass to later ones. */
static bool parts_here(const pb_build *b)
{
    return b->drops || b->draws || b->memo;
}

/* Continues a pass to the last hidden states.  Sets *fork to how far it has come before the first draw. */
static pb_node *hidden_states(pass *p, const pb_batch *batch, const pb_rows *text, pass *fork)
{
    pb_build *b = &p->build;
    *fork = *p;
    if (!p->x)
        p->x = embeddings(b, text, batch);
    if (prepare_rotation(b, p->x))
        return NULL;
    for (; p->layer < b->model->config.layers; p->layer++) {
        if (!parts_here(b))
            *fork = *p;
        p->x = layer(b, p->layer, p->x);
    }
    return norm(b, p->x, b->model->final_gain, b->model->final_bias);
}

static bool has_targets(const pb_model *m, const pb_batch *batch)
{
    bool head = m->head == PB_HEAD_CLASSES;
    if (batch->states)
        return false;
    return batch->distill_target || (head ? batch->label || batch->label_set || batch->number : batch->target != NULL);
}

/* Returns -1 with an error. */
static int run_pass(pass *p, const pb_batch *batch, const pb_rows *text, pass *fork, pb_outputs *out)
{
    pb_build *b = &p->build;
    pb_model *m = b->model;
    pb_node *x = hidden_states(p, batch, text, fork);
    if (!x)
        return -1;
    out->logits = batch->states                ? rows_asked(b, x, batch, text)
                  : m->head == PB_HEAD_CLASSES ? classify(b, x, batch)
                  : m->head == PB_HEAD_TOKENS  ? classify_tokens(b, x, batch, text)
                  : m->head == PB_HEAD_NONE    ? x
                                               : predict_tokens(b, x, batch, text);
    out->loss = out->logits && has_targets(m, batch) ? loss(b, x, out->logits, batch) : NULL;
    out->penalty = b->penalty;
    out->drawn = b->draws > 0;
    out->placed = b->placed;
    return out->logits && (out->loss || !has_targets(m, batch)) ? 0 : -1;
}

/* The second pass of a batch begins where the first one has drawn its first number, with other keys.  The loss becomes
 * the mean of both passes' losses plus what the hooks `consistency` make of both passes' logits. */
static int run_again(pass *fork, const pb_batch *batch, const pb_rows *text, pb_outputs *out)
{
    static const uint64_t second = 0x7365636f6e64; /* apart from the keys of the first pass */
    pb_build *b = &fork->build;
    pass unused;
    pb_outputs again;
    b->drop_key = pb_mix(b->drop_key, second);
    b->draw_key = pb_mix(b->draw_key, second);
    b->attended = NULL;
    if (b->model->checkpoint)
        pb_graph_checkpoint(b->graph, out->logits);
    if (run_pass(fork, batch, text, &unused, &again))
        return -1;
    pb_node *mean = pb_op_times(b->graph, pb_op_add(b->graph, out->loss, again.loss), 0.5);
    pb_node *terms = pb_build_consistency(b, out->logits, again.logits);
    out->loss = pb_op_add(b->graph, mean, terms);
    out->penalty = out->penalty ? pb_op_add(b->graph, out->penalty, terms) : terms;
    return out->loss ? 0 : -1;
}

static int build_network(pb_model *m, pb_graph *g, const pb_batch *batch, double dropout, uint64_t dropout_key,
                         pb_outputs *out)
{
    pass p = {.build = pb_build_start(m, g, dropout, dropout_key)}, fork;
    p.build.ids = batch->ids;
    p.build.micro_batch = batch->micro_batch;
    if (batch->micro_batch)
        p.build.drop_key = pb_mix(dropout_key, (uint64_t)batch->micro_batch);
    p.build.adapter = m->multi_adapter ? batch->adapter : NULL;
    PB_CHECK(!pb_graph_training(g) || !(m->cached_prefix || batch->kv_cache));
    const pb_rows *text = p.build.text = text_rows(&p.build, batch);
    *out = (pb_outputs){.logits = NULL};
    if (run_pass(&p, batch, text, &fork, out))
        return -1;
    bool twice = pb_graph_training(g) && out->loss && pb_build_runs_twice(m);
    return twice ? run_again(&fork, batch, text, out) : 0;
}

int pb_model_build(pb_model *m, pb_graph *g, const pb_batch *batch, double dropout, uint64_t dropout_key,
                   pb_outputs *out)
{
    bool pending = *pb_error_text();
    int rc = build_network(m, g, batch, dropout, dropout_key, out);
    if (!pending && *pb_error_text()) /* a hook that has given an error, but a node as well */
        rc = -1;
    pb_plain_numbers(); /* a hook may have changed how this thread writes them */
    return rc;
}
