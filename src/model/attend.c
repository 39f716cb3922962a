/* attend: the attentions of a network: one in each layer, and those of the methods' own networks beside it. */
#include "model/internal.h"
#include "model/rope.h"

/* ---- the KV cache ------------------------------------------------------------------------------------------ */

/* Segment i of each sequence's KV cache; NULL without caches. */
static pb_cache_segment *const *cached_segments(pb_build *b, int i, int sequences)
{
    if (!b->kv_cache)
        return NULL;
    pb_cache_segment **segments =
        pb_arena_alloc(pb_graph_arena(b->graph), PB_META, (size_t)sequences * sizeof(pb_cache_segment *));
    for (int s = 0; s < sequences; s++)
        segments[s] = &b->kv_cache[s]->segment[i];
    return segments;
}

/* Notes that this graph computes cached attention i.  A second one would append to the same cache.  Returns -1 with an
 * error if there is one already. */
static int note_attention(pb_build *b, int i, const pb_site *site)
{
    const pb_model *m = b->model;
    int most = m->config.layers + m->parts * pb_model_sites(m);
    if (!b->attended)
        b->attended = pb_arena_alloc(pb_graph_arena(b->graph), PB_META, (size_t)most * sizeof *b->attended);
    if (b->attended[i])
        return pb_error("%s: attention is computed twice at site %d.%s, want once, since it has one KV cache",
                        m->part[b->part].method->name, site->layer, site->role);
    b->attended[i] = true;
    return 0;
}

/* Adds cached attention i, with dropout of the probabilities where something below it trains. */
static pb_node *attend(pb_build *b, int i, const pb_site *site, pb_attention_conf conf, pb_node *q, pb_node *k,
                       pb_node *v)
{
    if (!q || !k || !v || note_attention(b, i, site))
        return NULL;
    if (!b->model->attached) /* the first graph has one token */
        b->model->cached[i].extra_rows = k->set->count - 1;
    if (pb_graph_training(b->graph) && b->dropout > 0 && (q->requires_grad || k->requires_grad || v->requires_grad)) {
        conf.drop = b->dropout;
        conf.key = pb_mix(b->drop_key, b->drops++);
    }
    conf.causal = b->model->config.family->causal;
    conf.cache = cached_segments(b, i, q->set->sequences);
    conf.append = b->append_to_cache;
    return pb_op_attention(b->graph, q, k, v, conf);
}

int pb_attention_add_cached(pb_model *m, pb_cached_attention attention)
{
    int n = m->cached_attentions;
    pb_cached_attention *more = pb_arena_alloc(m->arena, PB_META, (size_t)(n + 1) * sizeof *more);
    for (int i = 0; i < n; i++)
        more[i] = m->cached[i];
    more[n] = attention;
    m->cached = more;
    m->cached_attentions = n + 1;
    return n;
}

/* ---- the layers' ------------------------------------------------------------------------------------------- */

pb_node *pb_base_attention(pb_build *b, const pb_site *site, pb_node *q, pb_node *k, pb_node *v)
{
    const pb_network_config *c = &b->model->config;
    double scale = c->scale_by_layer ? c->attention_scale / (site->layer + 1) : c->attention_scale;
    b->k = k;
    b->v = v;
    if (b->model->watched_keys) {
        b->model->watched_keys[2 * site->layer] = k;
        b->model->watched_keys[2 * site->layer + 1] = v;
    }
    return attend(b, site->layer, site, (pb_attention_conf){.heads = c->heads, .scale = scale}, q, k, v);
}

/* ---- the methods' own -------------------------------------------------------------------------------------- */

/* The index among the cached attentions of the running method's own at a site; -1: none yet. */
static int find_own(const pb_build *b, const pb_site *site)
{
    const pb_model *m = b->model;
    for (int i = m->config.layers; i < m->cached_attentions; i++)
        if (m->cached[i].part == b->part && m->cached[i].site == site->number)
            return i;
    return -1;
}

static pb_node *rotate(pb_build *b, int head_size, pb_node *x)
{
    const pb_network_config *c = &b->model->config;
    if (!x || !c->family->rotary)
        return x;
    const pb_real *table = head_size % 2 ? NULL : pb_rope_table(b->model, head_size, b->positions);
    return pb_op_rope(b->graph, x, head_size, table, b->first_position);
}

pb_node *pb_attend(pb_build *b, const pb_site *site, int heads, pb_node *q, pb_node *k, pb_node *v)
{
    if (!q || !k || !v)
        return NULL;
    int i = find_own(b, site);
    if (i < 0 && b->model->attached) {
        pb_error("%s: no attention of its own at site %d.%s in the first graph, where all alternatives must be built",
                 b->model->part[b->part].method->name, site->layer, site->role);
        pb_graph_fail(b->graph);
        return NULL;
    }
    if (i < 0)
        i = pb_attention_add_cached(b->model,
                                    (pb_cached_attention){.part = b->part, .site = site->number, .width = k->cols});
    PB_CHECK(b->model->cached[i].width == k->cols); /* nor a hook change its width */
    int head_size = q->cols / heads;
    return attend(b, i, site, (pb_attention_conf){.heads = heads}, rotate(b, head_size, q), rotate(b, head_size, k), v);
}
