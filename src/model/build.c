/* build: the hooks of a composition, called in their order while a graph is built. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

const char *const pb_category_name[] = {"baseline", "additive", "selective", "reparametrization", "hybrid"};

bool pb_select_nothing(const void *conf, const pb_param *p, int layers)
{
    (void)conf, (void)p, (void)layers;
    return false;
}

const pb_prompting *pb_prompt_settings(const void *conf)
{
    return conf;
}

pb_build pb_build_start(pb_model *m, pb_graph *g, double dropout, uint64_t key)
{
    return (pb_build){.graph = g,
                      .width = m->config.width,
                      .kv_width = pb_model_kv_width(m),
                      .layers = m->config.layers,
                      .first_position = m->config.first_position,
                      .head_row = m->config.family->causal ? -1 : 0,
                      .dropout = dropout,
                      .model = m,
                      .drop_key = key};
}

const void *pb_conf(const pb_build *b)
{
    return b->model->part[b->part].conf;
}

/* ---- parameters of methods ---------------------------------------------------------------------- */

/* "layer.3.attn.q.lora.A", or "lora.A" for one of the whole model. */
static const char *added_name(const pb_build *b, const pb_site *site, const char *name, char out[160])
{
    const char *method = b->model->part[b->part].method->name;
    if (site)
        snprintf(out, 160, "layer.%d.%s.%s.%s", site->layer, site->role, method, name);
    else
        snprintf(out, 160, "%s.%s", method, name);
    return out;
}

static pb_node *make(pb_build *b, const pb_site *site, const char *name, int rows, int cols, pb_init init, bool trains)
{
    char full[160];
    pb_model *m = b->model;
    pb_param *p = pb_model_find(m, added_name(b, site, name, full));
    if (!p) {
        PB_CHECK(!m->attached); /* a hook made a parameter that the first graph did not have */
        p = pb_params_add(m, full, NULL, PB_ADDED, site ? site->layer : -1, rows, cols);
        p->trainable = trains;
        if (!m->shapes_only)
            pb_params_init(m, p, init);
    }
    PB_CHECK(p->rows == rows && p->cols == cols);
    return pb_graph_param(b->graph, p);
}

pb_node *pb_added(pb_build *b, const pb_site *site, const char *name, int rows, int cols, pb_init init)
{
    return make(b, site, name, rows, cols, init, true);
}

pb_node *pb_fixed(pb_build *b, const pb_site *site, const char *name, int rows, int cols, pb_init init)
{
    return make(b, site, name, rows, cols, init, false);
}

const pb_param *pb_find_added(pb_build *b, const pb_site *site, const char *name)
{
    char full[160];
    return pb_find_param(b, added_name(b, site, name, full));
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
    if (!pb_graph_training(b->graph) || p <= 0 || !x)
        return x;
    return pb_op_dropout(b->graph, x, p, pb_mix(b->drop_key, b->drops++));
}

/* ---- chains: the outermost method is asked first for a projection, last for the others ---------- */

/* The folded pair of a site, or NULL. */
static pb_param *folded(const pb_model *m, const pb_site *s)
{
    return m->merged ? &m->merged[2 * s->number] : NULL;
}

static pb_node *base_linear(pb_build *b, const pb_site *s, pb_node *x)
{
    pb_param *f = folded(b->model, s);
    pb_param *w = f && f[0].x ? &f[0] : s->w, *bias = f && f[1].x ? &f[1] : s->b;
    pb_node *y = pb_op_linear(b->graph, x, pb_graph_param(b->graph, w), bias ? pb_graph_param(b->graph, bias) : NULL);
    return b->adapter ? pb_multi_adapter_apply(b, s, y, x) : y;
}

/* Asks parts from `part` inwards; restores who is asking. */
static pb_node *linear_from(pb_build *b, int part, const pb_site *s, pb_node *x)
{
    const pb_model *m = b->model;
    int sites = m->config.layers * SITES, asking = b->part;
    while (part < m->parts && (m->merged || !m->matches[part * sites + s->number]))
        part++;
    if (part >= m->parts)
        return base_linear(b, s, x);
    b->part = part;
    pb_node *y = m->part[part].method->linear(b, s, x);
    b->part = asking;
    return y;
}

pb_node *pb_build_linear(pb_build *b, const pb_site *s, pb_node *x)
{
    return linear_from(b, 0, s, x);
}

pb_node *pb_inner_linear(pb_build *b, const pb_site *s, pb_node *x)
{
    return linear_from(b, b->part + 1, s, x);
}

pb_node *pb_base_weight(pb_build *b, const pb_site *site)
{
    return pb_graph_param(b->graph, site->w);
}

pb_node *pb_base_bias(pb_build *b, const pb_site *site)
{
    return pb_graph_param(b->graph, site->b);
}

pb_node *pb_build_block(pb_build *b, const pb_site *s, pb_node *y)
{
    for (b->part = b->model->parts - 1; b->part >= 0; b->part--)
        if (b->model->part[b->part].method->block)
            y = b->model->part[b->part].method->block(b, s, y);
    return y;
}

pb_node *pb_build_embed(pb_build *b, pb_node *x)
{
    for (b->part = b->model->parts - 1; b->part >= 0; b->part--)
        if (b->model->part[b->part].method->embed)
            x = b->model->part[b->part].method->embed(b, x);
    return x;
}

pb_node *pb_build_logits(pb_build *b, pb_node *logits)
{
    for (int p = b->model->parts - 1; p >= 0 && logits; p--)
        if (b->model->part[p].method->logits) {
            b->part = p;
            logits = b->model->part[p].method->logits(b, logits);
        }
    return logits;
}

void pb_build_kv(pb_build *b, const pb_site *s, pb_node **k, pb_node **v)
{
    for (b->part = b->model->parts - 1; b->part >= 0; b->part--)
        if (b->model->part[b->part].method->kv)
            b->model->part[b->part].method->kv(b, s, k, v);
}

/* ---- attaching -------------------------------------------------------------------------------------- */

/* The part's "targets" setting: patterns over roles ("attn.*") or sites ("3.attn.q"). */
static const char *targets_of(const pb_attached *p)
{
    const pb_option *o = pb_option_find(p->method->options, "targets");
    return o ? *(const char *const *)((const char *)p->conf + o->offset) : "*";
}

/* Does a pattern over roles ("attn.*") or sites ("3.attn.q"), n bytes of it, fit the site. */
static bool fits(const char *pattern, size_t n, const pb_site *s)
{
    char full[64], copy[64];
    snprintf(full, sizeof full, "%d.%s", s->layer, s->role);
    snprintf(copy, sizeof copy, "%.*s", (int)n, pattern);
    return n && (!fnmatch(copy, s->role, 0) || !fnmatch(copy, full, 0));
}

bool pb_site_in(const char *targets, const pb_site *s)
{
    while (*targets) {
        size_t n = strcspn(targets, " ,");
        if (fits(targets, n, s))
            return true;
        targets += n + (targets[n] != 0);
    }
    return false;
}

double pb_at_site(const char *list, const pb_site *site, double otherwise)
{
    while (list && *list) {
        size_t n = strcspn(list, " ,"), name = strcspn(list, "= ,");
        if (name < n && fits(list, name, site))
            return strtod(list + name + 1, NULL);
        list += n + (list[n] != 0);
    }
    return otherwise;
}

static int no_match(const pb_model *m, const pb_attached *p)
{
    pb_text roles = {0};
    for (int k = 0; k < SITES; k++)
        if (m->layer[0].site[k].out)
            pb_text_add(&roles, " %s", pb_role_name[k]);
    pb_error("%s: targets: '%s' matches no projection; roles are%s, with patterns like attn.* or 3.mlp.up",
             p->method->name, targets_of(p), roles.data);
    pb_text_free(&roles);
    return -1;
}

static int match_targets(pb_model *m)
{
    int sites = m->config.layers * SITES;
    m->matches = pb_arena_alloc(m->arena, PB_META, (size_t)(m->parts * sites) * sizeof *m->matches);
    for (int part = 0; part < m->parts; part++) {
        int hits = 0;
        if (!m->part[part].method->linear)
            continue;
        for (int i = 0; i < sites; i++) {
            const pb_site *s = &m->layer[i / SITES].site[i % SITES];
            hits += m->matches[part * sites + i] = s->out && pb_site_in(targets_of(&m->part[part]), s);
        }
        if (!hits && !m->targets_elsewhere)
            return no_match(m, &m->part[part]);
    }
    return 0;
}

static bool selected(const pb_model *m, const pb_param *p)
{
    for (int i = 0; i < m->parts; i++) {
        const pb_method *method = m->part[i].method;
        if (method->select ? method->select(m->part[i].conf, p, m->config.layers) : p->kind == PB_HEAD)
            return true;
    }
    return false;
}

/* What trains gets memory of its own; the file's map is never written. */
void pb_params_own(pb_model *m, pb_param *p)
{
    size_t bytes = (size_t)p->rows * (size_t)p->cols * sizeof *p->x;
    if (p->packed && !m->file)
        p->packed = NULL;
    if (!m->file || p->kind == PB_HEAD)
        return; /* what started fresh already has its own */
    if (p->packed) {
        pb_checkpoint_unpack(m, p);
        return;
    }
    pb_real *x = pb_arena_alloc(m->arena, PB_WEIGHTS, bytes);
    memcpy(x, p->x, bytes);
    p->x = x;
}

static void select_base(pb_model *m)
{
    for (size_t i = 0; i < m->params; i++) {
        pb_param *p = m->param[i];
        p->trainable = selected(m, p);
        if (p->trainable)
            pb_params_own(m, p);
        if (p->trainable && p == m->word && !m->config.tied) /* an output table's gradient is dense */
            p->slot = pb_arena_alloc(m->arena, PB_META, (size_t)p->rows * sizeof *p->slot);
    }
}

/* A graph of one token makes every added parameter and shows how many positions are left. */
static int make_added(pb_model *m)
{
    static const int offset[] = {0, 1}, ids[] = {0};
    pb_arena *arena = pb_arena_new("attach");
    pb_outputs out;
    int rc = pb_model_build(m, pb_graph_new(arena, true), &(pb_batch){.sequences = 1, .offset = offset, .ids = ids}, 0,
                            0, &out);
    pb_arena_free(arena);
    m->attached = true;
    return rc;
}

int pb_model_attach(pb_model *m, const pb_attached *list, int count)
{
    m->part = pb_arena_alloc(m->arena, PB_META, (size_t)(count + 1) * sizeof *m->part);
    for (int i = 0; i < count; i++)
        m->part[i] = list[i];
    m->parts = count;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < i; j++)
            if (list[i].method == list[j].method)
                return pb_error("%s: given twice in one composition", list[i].method->name);
    if (match_targets(m))
        return -1;
    select_base(m);
    return make_added(m);
}

void pb_model_before_train(pb_model *m, const pb_facts *facts)
{
    pb_build b = pb_build_start(m, NULL, 0, 0);
    for (b.part = 0; b.part < m->parts; b.part++)
        if (m->part[b.part].method->before_train)
            m->part[b.part].method->before_train(&b, facts);
}
