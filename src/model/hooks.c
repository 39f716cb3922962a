/* hooks: calls of the attached methods' hooks while a graph is built, and the functions that hooks may call. */
#include <string.h>

#include "model/internal.h"

pb_layer_style pb_layer_style_of(const pb_model *m)
{
    const pb_network_config *c = &m->config;
    return (pb_layer_style){.heads = c->heads,
                            .causal = c->family->causal,
                            .intermediate_size = c->intermediate_size,
                            .act = c->act,
                            .gated = m->layer[0].site[GATE].out > 0,
                            .bias = m->layer[0].site[UP].b != NULL,
                            .pre_norm = c->family->pre_norm,
                            .rms = c->family->rms,
                            .norm_eps = c->norm_eps};
}

pb_build pb_build_start(pb_model *m, pb_graph *g, double dropout, uint64_t key)
{
    return (pb_build){.graph = g,
                      .width = m->config.width,
                      .kv_width = pb_model_kv_width(m),
                      .layers = m->config.layers,
                      .first_position = m->config.first_position,
                      .head_row = m->config.family->causal ? -1 : 0,
                      .tied = m->config.tied && (m->head == PB_HEAD_CAUSAL || m->head == PB_HEAD_MASKED),
                      .dropout = dropout,
                      .style = pb_layer_style_of(m),
                      .model = m,
                      .drop_key = key,
                      .draw_key = key};
}

const void *pb_conf(const pb_build *b)
{
    return b->model->part[b->part].conf;
}

void *pb_refuse(const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    pb_error("%s", text);
    return NULL;
}

const char *pb_name(pb_build *b, const char *fmt, ...)
{
    char name[PB_ADDED_NAME];
    va_list args;
    va_start(args, fmt);
    vsnprintf(name, sizeof name, fmt, args);
    va_end(args);
    return pb_arena_strdup(b->graph ? pb_graph_arena(b->graph) : b->model->arena, name);
}

/* ---- parameters of methods ---------------------------------------------------------------------- */

static const char *added_name(const pb_build *b, const pb_site *site, const char *name, char out[PB_ADDED_NAME])
{
    return pb_params_added_name(b->model->part[b->part].method, site, name, out);
}

int pb_build_check_tensor(pb_build *b, const pb_param *p, const char *full, int rows, int cols)
{
    if (!p && b->model->attached)
        pb_error("%s: created after the first graph, want all tensors of a method created in the first one; there "
                 "pb_draw returns -1",
                 full);
    else if (p && (p->rows != rows || p->cols != cols))
        pb_error("%s: [%d,%d] here, but [%d,%d] where it was created; want one shape for one name", full, rows, cols,
                 p->rows, p->cols);
    else
        return 0;
    pb_graph_fail(b->graph);
    return -1;
}

static pb_node *find_or_create_param(pb_build *b, const pb_site *site, const char *name, int rows, int cols,
                                     pb_init init, bool trains, bool vector)
{
    char full[PB_ADDED_NAME];
    pb_model *m = b->model;
    pb_param *p = pb_model_find(m, added_name(b, site, name, full));
    if (pb_build_check_tensor(b, p, full, rows, cols))
        return NULL;
    if (!p) {
        p = pb_params_add(m, full, NULL, PB_ADDED, site ? site->layer : -1, rows, cols);
        p->trainable = trains;
        p->rate = trains;
        p->vector = vector;
        if (!m->shapes_only)
            pb_params_init(m, p, init);
    }
    return pb_graph_param(b->graph, p);
}

pb_node *pb_added(pb_build *b, const pb_site *site, const char *name, int rows, int cols, pb_init init)
{
    return find_or_create_param(b, site, name, rows, cols, init, true, false);
}

pb_node *pb_fixed(pb_build *b, const pb_site *site, const char *name, int rows, int cols, pb_init init)
{
    return find_or_create_param(b, site, name, rows, cols, init, false, false);
}

pb_node *pb_seeded(pb_build *b, const pb_site *site, const char *name, int rows, int cols, pb_init init)
{
    pb_node *n = find_or_create_param(b, site, name, rows, cols, init, false, false);
    if (n && !n->param->seeded)
        pb_params_add_seeded(b->model, n->param, init);
    return n;
}

uint64_t pb_seed(pb_build *b, const pb_site *site, const char *name)
{
    char full[PB_ADDED_NAME];
    b->model->uses_seed |= b->graph != NULL; /* what `start` draws is kept in tensors */
    return pb_rng_named(b->model->seed, added_name(b, site, name, full)).key;
}

pb_node *pb_vector(pb_build *b, const pb_site *site, const char *name, int n, pb_init init)
{
    return find_or_create_param(b, site, name, 1, n, init, true, true);
}

/* Returns the integers of this name, which may be the same several times (`repeated`), and whether they are new in
 * *created; NULL with an error. */
static pb_param *find_or_create_index(pb_build *b, const pb_site *site, const char *name, int count, int below,
                                      bool repeated, bool *created)
{
    char full[PB_ADDED_NAME];
    pb_param *p = pb_model_find(b->model, added_name(b, site, name, full));
    if (pb_build_check_tensor(b, p, full, 1, count))
        return NULL;
    if ((count > below && !repeated) || (p && p->below != below)) {
        pb_error("%s: %d integers below %d; want at most %d, and one bound for one name", full, count, below, below);
        pb_graph_fail(b->graph);
        return NULL;
    }
    *created = !p;
    if (!p) {
        p = pb_params_add(b->model, full, NULL, PB_ADDED, site ? site->layer : -1, 1, count);
        pb_params_init_index(b->model, p, below);
    }
    return p;
}

const int *pb_indices(pb_build *b, const pb_site *site, const char *name, int count, int below)
{
    bool created;
    const pb_param *p = find_or_create_index(b, site, name, count, below, false, &created);
    return p ? p->index : NULL;
}

const int *pb_shuffled(pb_build *b, const pb_site *site, const char *name, int count, int below)
{
    bool created = false;
    pb_param *p = find_or_create_index(b, site, name, count, below, true, &created);
    if (created) {
        pb_params_add_seeded(b->model, p, (pb_init){0});
        pb_params_shuffle(b->model, p);
    }
    return p ? p->index : NULL;
}

pb_node *pb_added_norm(pb_build *b, const pb_site *site, const char *name, pb_node *x)
{
    if (!x)
        return NULL;
    char gain[PB_ADDED_NAME], bias[PB_ADDED_NAME];
    snprintf(gain, sizeof gain, "%s.weight", name);
    snprintf(bias, sizeof bias, "%s.bias", name);
    pb_node *g = pb_vector(b, site, gain, x->cols, pb_init_constant(1));
    if (b->style.rms)
        return pb_op_rmsnorm(b->graph, x, g, b->style.norm_eps);
    return pb_op_norm(b->graph, x, g, pb_vector(b, site, bias, x->cols, pb_init_constant(0)), b->style.norm_eps);
}

pb_param *pb_tensor(pb_build *b, const pb_site *site, const char *name)
{
    char full[PB_ADDED_NAME];
    pb_param *state = pb_params_find_state(b->model, added_name(b, site, name, full));
    return state ? state : pb_find_param(b, full);
}

pb_param *pb_next_trained(pb_build *b, const pb_param *after)
{
    size_t i = 0;
    while (after && b->model->param[i++] != after)
        continue;
    while (i < b->model->params && !b->model->param[i]->trainable)
        i++;
    return i < b->model->params ? b->model->param[i] : NULL;
}

pb_param *pb_find_param(pb_build *b, const char *full_name)
{
    pb_param *p = pb_model_find(b->model, full_name);
    if (!p)
        PB_BUG("no parameter '%s'", full_name);
    return p;
}

pb_node *pb_drop(pb_build *b, pb_node *x, double p)
{
    if (!pb_graph_training(b->graph) || b->model->preparing || p <= 0 || !x)
        return x;
    return pb_op_dropout(b->graph, x, p, pb_mix(b->drop_key, b->drops++));
}

int pb_draw(pb_build *b, int n)
{
    static const uint64_t stream = 0x64726177; /* apart from the masks of pb_drop */
    if (!pb_graph_training(b->graph) || !b->model->attached || b->model->preparing)
        return -1;
    return (int)(pb_mix(b->draw_key ^ stream, (uint64_t)b->draws++) % (uint64_t)n);
}

void *pb_memo(pb_build *b, size_t bytes)
{
    pb_arena *arena = pb_graph_arena(b->graph);
    if (!b->memo)
        b->memo = pb_arena_alloc(arena, PB_META, (size_t)b->model->parts * sizeof *b->memo);
    if (!b->memo[b->part])
        b->memo[b->part] = pb_arena_alloc(arena, PB_META, bytes);
    return b->memo[b->part];
}

/* The tokens that the text of sequence s has, or that its KV cache has room for, with those of earlier graphs. */
static int text_length(const pb_build *b, int s, int front)
{
    const pb_rows *text = b->text;
    if (b->append_to_cache)
        return b->kv_cache[s]->end - b->model->extra_tokens;
    return text->offset[s] < text->offset[s + 1] ? text->position[text->offset[s + 1] - 1] + 1 - front : 0;
}

/* In a sequence that continues one of an earlier graph, positions count the rows in front of the text. */
pb_node *pb_text_positions(pb_build *b, pb_node *table)
{
    const pb_rows *text = b->text;
    if (!table || !text)
        return NULL;
    int *shift = pb_arena_alloc(pb_graph_arena(b->graph), PB_META, (size_t)text->count * sizeof *shift + 1);
    for (int s = 0; s < text->sequences; s++) {
        int first = text->offset[s], end = text->offset[s + 1];
        int front = first < end && text->position[first] > 0 ? b->model->front_rows : 0;
        for (int r = first; r < end; r++)
            shift[r] = front;
        if (text_length(b, s, front) <= table->rows)
            continue;
        pb_error("%s: a text of %d tokens, want at most %d", b->model->part[b->part].method->name,
                 text_length(b, s, front), table->rows);
        pb_graph_fail(b->graph);
        return NULL;
    }
    return pb_op_embed_position(b->graph, table, text, shift);
}

/* Where the tokens of sequence s stand in their text: the position of the first one in this graph. */
static int text_start(const pb_build *b, int s)
{
    const pb_rows *text = b->text;
    int first = text->offset[s] < text->offset[s + 1] ? text->position[text->offset[s]] : 0;
    return first > 0 ? first - b->model->front_rows : 0;
}

const pb_rows *pb_text_ends(pb_build *b, const pb_node *x, int first, int last)
{
    const pb_rows *text = b->text;
    bool generates = b->model->config.family->causal && !pb_model_has_classes(b->model);
    if (!x || !text || (last && generates)) {
        if (x && text)
            pb_error("%s: the last %d tokens of a text: a model that generates does not know where a question ends; "
                     "want 0",
                     b->model->part[b->part].method->name, last);
        pb_graph_fail(b->graph);
        return NULL;
    }
    int *value = pb_arena_alloc(pb_graph_arena(b->graph), PB_META, (size_t)x->set->count * sizeof *value + 1);
    for (int s = 0; s < text->sequences; s++) {
        int start = text_start(b, s), tokens = text->offset[s + 1] - text->offset[s], end = x->set->offset[s + 1];
        for (int r = x->set->offset[s]; r < end; r++) {
            int token = r - (end - tokens); /* below 0 in front of the text */
            bool chosen = token >= 0 && (start + token < first || tokens - token <= last);
            value[r] = chosen ? 0 : -1;
            b->placed = b->placed || (chosen && start > 0);
        }
    }
    return pb_rows_chosen(b->graph, x->set, value);
}

const pb_site *pb_next_target(pb_build *b, const pb_site *after)
{
    for (int i = after ? after->number + 1 : 0; i < pb_model_sites(b->model); i++)
        if (pb_model_targets(b->model, b->part, pb_model_site(b->model, i)))
            return pb_model_site(b->model, i);
    return NULL;
}

int pb_count_targets(pb_build *b, const char *role)
{
    int n = 0;
    PB_EACH_TARGET(b, s)
        n += !role || !strcmp(s->role, role);
    return n;
}

void pb_widest_target(pb_build *b, int *in, int *out)
{
    *in = *out = 0;
    PB_EACH_TARGET(b, s) {
        *in = s->in > *in ? s->in : *in;
        *out = s->out > *out ? s->out : *out;
    }
}

/* ---- the hooks: for projections and attention the outermost method comes first, for the others the innermost ---- */

/* Returns what a hook of the running method has returned if that is a node [rows,cols]; rows 0: any number.  Otherwise
 * the graph fails with an error that names the method and, if there is one, the site.  An error that the hook has given
 * stands, such as that of an operation whose shapes do not fit. */
static pb_node *returned(pb_build *b, const char *hook, const pb_site *s, pb_node *y, int rows, int cols)
{
    const char *method = b->model->part[b->part].method->name;
    char at[64] = "";
    if (y && (!rows || y->rows == rows) && y->cols == cols)
        return y;
    if (s)
        snprintf(at, sizeof at, " at %d.%s", s->layer, s->role);
    if (y)
        pb_error("%s: the hook `%s`%s returns a node [%d,%d], want [%d,%d]", method, hook, at, y->rows, y->cols,
                 rows ? rows : y->rows, cols);
    else if (!*pb_error_text())
        pb_error("%s: the hook `%s`%s returns NULL without an error", method, hook, at);
    else if (!strstr(pb_error_text(), method))
        pb_error_prefix("%s: the hook `%s`%s", method, hook, at);
    pb_graph_fail(b->graph);
    return NULL;
}

/* The merged weight and bias of a site, or NULL. */
static pb_param *folded(const pb_model *m, const pb_site *s)
{
    return m->merged && s->number >= 0 ? &m->merged[2 * s->number] : NULL;
}

/* The weight of a projection, as the methods that target it make it of the base's, from the innermost outwards. */
static pb_node *weight_of(pb_build *b, const pb_site *s, pb_node *w)
{
    const pb_model *m = b->model;
    int running = b->part;
    for (b->part = m->parts - 1; b->part >= 0 && !m->merged; b->part--) {
        const pb_method *method = m->part[b->part].method;
        if (!method->hooks.weight || !pb_model_targets(m, b->part, s))
            continue;
        w = pb_graph_remake(b->graph, method->hooks.weight(b, s, pb_op_unpack(b->graph, w)));
        w = returned(b, "weight", s, w, s->out, s->in);
    }
    b->part = running;
    return w;
}

static pb_node *base_linear(pb_build *b, const pb_site *s, pb_node *x)
{
    pb_param *f = folded(b->model, s);
    pb_param *w = f && f[0].x ? &f[0] : s->w, *bias = b->without_bias ? NULL : f && f[1].x ? &f[1] : s->b;
    pb_node *weight = weight_of(b, s, pb_graph_param(b->graph, w));
    pb_node *y = pb_op_linear(b->graph, x, weight, bias ? pb_graph_param(b->graph, bias) : NULL);
    return b->adapter ? pb_multi_adapter_apply(b, s, y, x) : y;
}

/* Calls the first method from `part` inwards that targets the site, or computes the base's projection. */
static pb_node *linear_from(pb_build *b, int part, const pb_site *s, pb_node *x)
{
    const pb_model *m = b->model;
    int running = b->part;
    while (part < m->parts && (m->merged || !m->part[part].method->hooks.linear || !pb_model_targets(m, part, s)))
        part++;
    if (!x)
        return NULL;
    if (part >= m->parts)
        return base_linear(b, s, x);
    b->part = part;
    pb_node *y = returned(b, "linear", s, m->part[part].method->hooks.linear(b, s, x), x->rows, s->out);
    b->part = running;
    return y;
}

pb_node *pb_build_linear(pb_build *b, const pb_site *s, pb_node *x)
{
    pb_node *y = linear_from(b, 0, s, x);
    pb_gram *gram = b->model->gram && s->number >= 0 ? b->model->gram[s->number] : NULL;
    return gram ? pb_op_gram(b->graph, y, x, gram) : y;
}

pb_node *pb_inner_linear(pb_build *b, const pb_site *s, pb_node *x)
{
    return linear_from(b, b->part + 1, s, x);
}

pb_node *pb_inner_weight(pb_build *b, const pb_site *site)
{
    return weight_of(b, site, pb_graph_param(b->graph, site->w));
}

pb_node *pb_base_bias(pb_build *b, const pb_site *site)
{
    return b->without_bias || !site->b ? NULL : pb_graph_param(b->graph, site->b);
}

/* The columns of a projection that one matrix has for attn.q, attn.k and attn.v; NULL: it is none of these. */
static pb_node *project_part(pb_build *b, const pb_site *all, const char *role, pb_node *x)
{
    int queries = all->out - 2 * b->kv_width;
    for (int k = 0; k < 3; k++)
        if (!strcmp(role, pb_role_name[(const int[]){Q, K, V}[k]]))
            return pb_op_columns(b->graph, pb_build_linear(b, all, x),
                                 (const int[]){0, queries, queries + b->kv_width}[k], k ? b->kv_width : queries);
    return NULL;
}

pb_node *pb_project(pb_build *b, const pb_site *site, const char *role, pb_node *x)
{
    const pb_site *sites = b->model->layer[site->layer].site;
    for (int k = 0; k < SITES; k++)
        if (!strcmp(role, pb_role_name[k]) && sites[k].out)
            return pb_build_linear(b, &sites[k], x);
    pb_node *y = sites[QKV].out ? project_part(b, &sites[QKV], role, x) : NULL;
    if (y || !x)
        return y;
    if (!*pb_error_text())
        pb_error("%s: no projection '%s' in layer %d of this network", b->model->part[b->part].method->name, role,
                 site->layer);
    pb_graph_fail(b->graph);
    return NULL;
}

/* Calls the first method from `part` inwards that replaces the attention, or computes the base's. */
static pb_node *attention_from(pb_build *b, int part, const pb_site *s, pb_node *q, pb_node *k, pb_node *v)
{
    const pb_model *m = b->model;
    int running = b->part;
    while (part < m->parts && (!m->part[part].method->hooks.attention || !pb_model_targets(m, part, s)))
        part++;
    if (!q || !k || !v)
        return NULL;
    if (part >= m->parts)
        return pb_base_attention(b, s, q, k, v);
    b->part = part;
    pb_node *y = returned(b, "attention", s, m->part[part].method->hooks.attention(b, s, q, k, v), q->rows, q->cols);
    b->part = running;
    return y;
}

pb_node *pb_build_attention(pb_build *b, const pb_site *s, pb_node *q, pb_node *k, pb_node *v)
{
    return attention_from(b, 0, s, q, k, v);
}

pb_node *pb_inner_attention(pb_build *b, const pb_site *site, pb_node *q, pb_node *k, pb_node *v)
{
    return attention_from(b, b->part + 1, site, q, k, v);
}

pb_node *pb_build_block(pb_build *b, const pb_site *s, pb_node *x, pb_node *y)
{
    for (b->part = b->model->parts - 1; b->part >= 0 && y && !b->model->merged; b->part--)
        if (b->model->part[b->part].method->hooks.block && pb_model_targets(b->model, b->part, s))
            y = returned(b, "block", s, b->model->part[b->part].method->hooks.block(b, s, x, y), y->rows, y->cols);
    return y;
}

pb_node *pb_build_embed(pb_build *b, pb_node *x)
{
    for (b->part = b->model->parts - 1; b->part >= 0 && x; b->part--)
        if (b->model->part[b->part].method->hooks.embed)
            x = returned(b, "embed", NULL, b->model->part[b->part].method->hooks.embed(b, x), 0, x->cols);
    return x;
}

pb_node *pb_build_logits(pb_build *b, pb_node *logits)
{
    for (int p = b->model->parts - 1; p >= 0 && logits; p--)
        if (b->model->part[p].method->hooks.logits) {
            b->part = p;
            logits = returned(b, "logits", NULL, b->model->part[p].method->hooks.logits(b, logits), logits->rows,
                              logits->cols);
        }
    return logits;
}

bool pb_build_runs_twice(const pb_model *m)
{
    for (int p = 0; p < m->parts && !m->preparing; p++)
        if (m->part[p].method->hooks.consistency)
            return true;
    return false;
}

pb_node *pb_build_consistency(pb_build *b, pb_node *first, pb_node *second)
{
    pb_node *sum = NULL;
    for (b->part = b->model->parts - 1; b->part >= 0; b->part--)
        if (b->model->part[b->part].method->hooks.consistency) {
            pb_node *term = b->model->part[b->part].method->hooks.consistency(b, first, second);
            term = returned(b, "consistency", NULL, term, 1, 1);
            sum = sum ? pb_op_add(b->graph, sum, term) : term;
        }
    return sum;
}
