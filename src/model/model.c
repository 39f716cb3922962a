/* model: the transformer itself, and the life of a model. */
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

pb_model *pb_model_open(const char *dir, int classes, uint64_t seed, bool shapes_only)
{
    pb_model *m = pb_alloc(sizeof *m);
    m->arena = pb_arena_new("model");
    m->dir = pb_strdup(dir);
    m->classes = classes;
    m->seed = seed;
    if (pb_checkpoint_config(dir, &m->config, m->arena) ||
        (!shapes_only && (pb_checkpoint_open(m) || !(m->tokenizer = pb_tokenizer_open(dir)))) ||
        pb_checkpoint_params(m)) {
        pb_model_free(m);
        return NULL;
    }
    return m;
}

void pb_model_free(pb_model *m)
{
    if (!m)
        return;
    pb_model_unmerge(m);
    if (m->tokenizer)
        pb_tokenizer_close(m->tokenizer);
    if (m->file)
        pb_safetensors_close(m->file);
    free(m->param);
    free(m->index);
    free(m->dir);
    pb_arena_free(m->arena);
    free(m);
}

const pb_config *pb_model_config(const pb_model *m)
{
    return &m->config;
}

const pb_tokenizer *pb_model_tokenizer(const pb_model *m)
{
    return m->tokenizer;
}

const char *pb_model_dir(const pb_model *m)
{
    return m->dir;
}

int pb_model_max_tokens(const pb_model *m)
{
    return m->config.positions - m->extra_tokens;
}

/* ---- the network: an encoder with the norm behind each residual ----------------------------------- */

static pb_node *leaf(pb_build *b, pb_param *p)
{
    return pb_graph_param(b->graph, p);
}

/* The base model's own dropout regularises what trains, so it begins above the lowest
 * trainable tensor: below, features stay what they are. */
static pb_node *base_drop(pb_build *b, pb_node *x)
{
    return x && x->needs ? pb_drop(b, x, b->dropout) : x;
}

static pb_node *norm(pb_build *b, pb_node *x, pb_param *gain, pb_param *bias)
{
    return pb_op_norm(b->graph, x, leaf(b, gain), leaf(b, bias), b->model->config.norm_eps);
}

static pb_node *embeddings(pb_build *b, const pb_batch *batch)
{
    pb_model *m = b->model;
    const pb_rows *set = pb_rows_whole(b->graph, batch->sequences, batch->offset);
    pb_node *x = pb_op_embed(b->graph, leaf(b, m->word), set, batch->ids);
    x = pb_build_embed(b, x);
    if (x && !m->attached)
        m->extra_tokens = x->set->count - set->count + b->first_position;
    x = pb_op_position(b->graph, x, leaf(b, m->place), leaf(b, m->type), b->first_position);
    return base_drop(b, norm(b, x, m->embed_gain, m->embed_bias));
}

/* Dropout on the probabilities, where the base model's dropout is. */
static pb_node *attention(pb_build *b, pb_node *q, pb_node *k, pb_node *v)
{
    int heads = b->model->config.heads;
    bool drops = pb_graph_training(b->graph) && b->dropout > 0 && q && k && v && (q->needs || k->needs || v->needs);
    if (!drops)
        return pb_op_attention(b->graph, q, k, v, heads, false);
    return pb_op_attention_drop(b->graph, q, k, v, heads, false, b->dropout, pb_mix(b->drop_key, b->drops++));
}

static pb_node *self_attention(pb_build *b, const pb_layer *l, pb_node *x)
{
    pb_node *q = pb_build_linear(b, &l->site[Q], x);
    pb_node *k = pb_build_linear(b, &l->site[K], x);
    pb_node *v = pb_build_linear(b, &l->site[V], x);
    pb_build_kv(b, &l->sub[ATTN], &k, &v);
    return pb_build_linear(b, &l->site[O], attention(b, q, k, v));
}

static pb_node *feed_forward(pb_build *b, const pb_layer *l, pb_node *x)
{
    pb_node *h = pb_build_linear(b, &l->site[UP], x);
    return pb_build_linear(b, &l->site[DOWN], pb_op_act(b->graph, b->model->config.act, h));
}

/* x = norm(x + hooks(f(x))) */
static pb_node *sublayer(pb_build *b, const pb_layer *l, int which, pb_node *y, pb_node *x)
{
    y = pb_build_block(b, &l->sub[which], base_drop(b, y));
    return norm(b, pb_op_add(b->graph, y, x), l->gain[which], l->bias[which]);
}

static pb_node *classify(pb_build *b, pb_node *x)
{
    pb_model *m = b->model;
    if (!x)
        return NULL;
    pb_node *first = pb_op_select(b->graph, x, pb_rows_pick(b->graph, x->set, b->head_row));
    pb_node *pooled = pb_op_linear(b->graph, first, leaf(b, m->pool_w), leaf(b, m->pool_b));
    pooled = pb_drop(b, pb_op_act(b->graph, PB_TANH, pooled), b->dropout);
    return pb_op_linear(b->graph, pooled, leaf(b, m->head_w), leaf(b, m->head_b));
}

int pb_model_build(pb_model *m, pb_graph *g, const pb_batch *batch, double dropout, uint64_t dropout_key,
                   pb_outputs *out)
{
    pb_build b = pb_build_start(m, g, dropout, dropout_key);
    pb_node *x = embeddings(&b, batch);
    for (int l = 0; l < m->config.layers; l++) {
        x = sublayer(&b, &m->layer[l], ATTN, self_attention(&b, &m->layer[l], x), x);
        x = sublayer(&b, &m->layer[l], MLP, feed_forward(&b, &m->layer[l], x), x);
    }
    out->logits = classify(&b, x);
    out->loss = out->logits && batch->label ? pb_op_cross_entropy(g, out->logits, batch->label) : NULL;
    return out->logits && (out->loss || !batch->label) ? 0 : -1;
}

/* ---- merging ------------------------------------------------------------------------------------------ */

bool pb_model_can_merge(const pb_model *m)
{
    for (int i = 0; i < m->parts; i++) {
        const pb_method *p = m->part[i].method;
        if (p->block || p->embed || p->kv || (p->linear && !p->merge))
            return false;
    }
    return true;
}

static void copy_param(pb_param *to, const pb_param *from)
{
    size_t bytes = (size_t)from->rows * (size_t)from->cols * sizeof *from->x;
    *to = *from;
    to->leaf = NULL;
    to->trainable = false;
    to->x = memcpy(pb_alloc(bytes), from->x, bytes);
}

/* The innermost method's change goes in first, as its output is what the outer ones get. */
static void fold_site(pb_model *m, pb_build *b, const pb_site *s)
{
    int sites = m->config.layers * SITES;
    pb_param *f = &m->merged[2 * s->number];
    for (b->part = m->parts - 1; b->part >= 0; b->part--) {
        if (!m->matches[b->part * sites + s->number])
            continue;
        if (!f[0].x)
            copy_param(&f[0], s->w);
        if (!f[1].x && s->b)
            copy_param(&f[1], s->b);
        m->part[b->part].method->merge(b, s, f[0].x, f[1].x);
    }
}

void pb_model_merge(pb_model *m)
{
    PB_CHECK(pb_model_can_merge(m));
    int sites = m->config.layers * SITES;
    pb_model_unmerge(m);
    m->merged = pb_alloc(2 * (size_t)sites * sizeof *m->merged);
    pb_build b = pb_build_start(m, NULL, 0, 0);
    for (int i = 0; i < sites; i++)
        fold_site(m, &b, &m->layer[i / SITES].site[i % SITES]);
}

void pb_model_unmerge(pb_model *m)
{
    for (int i = 0; m->merged && i < 2 * m->config.layers * SITES; i++)
        free(m->merged[i].x);
    free(m->merged);
    m->merged = NULL;
}

/* ---- saving what trains ----------------------------------------------------------------------------- */

pb_digest pb_model_digest(const pb_model *m)
{
    pb_digest d = {""};
    char *path = pb_format("%s/model.safetensors", m->dir);
    pb_sha256_file(path, &d);
    free(path);
    return d;
}
