/* attach: a composition of methods attached to a model: which sites each method applies to, and what trains. */
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

/* The value of a text setting of the method, or `otherwise` if it has no such setting. */
static const char *text_of(const pb_attached *p, const char *setting, const char *otherwise)
{
    const pb_option *o = pb_option_find(p->method->options, setting);
    return o ? *(const char *const *)((const char *)p->conf + o->offset) : otherwise;
}

/* The value of the method's setting `targets`.  A method without that setting targets every projection and sublayer. */
static const char *targets_of(const pb_attached *p)
{
    return text_of(p, "targets", "attn* mlp*");
}

/* Returns true if the method has a hook for sites of this kind. */
static bool has_hook(const pb_method *m, const pb_site *s)
{
    if (s->w)
        return m->linear || m->weight;
    return m->block || (m->attention && !strcmp(s->role, pb_block_name[ATTN]));
}

static int no_match(const pb_model *m, const pb_attached *p)
{
    pb_text roles = {0};
    for (int k = 0; k < SITES + BLOCKS; k++)
        if (pb_model_site(m, k)->out && has_hook(p->method, pb_model_site(m, k)))
            pb_text_add(&roles, " %s", pb_model_site(m, k)->role);
    pb_error("%s: targets: '%s' matches no site; roles are%s, with patterns like attn.* or 3.mlp.up", p->method->name,
             targets_of(p), roles.data);
    pb_text_free(&roles);
    return -1;
}

static int match_targets(pb_model *m)
{
    int sites = pb_model_sites(m);
    m->matches = pb_arena_alloc(m->arena, PB_META, (size_t)(m->parts * sites) * sizeof *m->matches);
    for (int part = 0; part < m->parts; part++) {
        const pb_method *method = m->part[part].method;
        int hits = 0;
        for (int i = 0; i < sites; i++) {
            const pb_site *s = pb_model_site(m, i);
            hits += m->matches[part * sites + i] = s->out && has_hook(method, s) &&
                                                   pb_site_in(targets_of(&m->part[part]), s);
        }
        if (!hits && (method->linear || method->weight || method->attention || method->block) && !m->targets_elsewhere)
            return no_match(m, &m->part[part]);
    }
    return 0;
}

/* Refuses a setting `only` that matches no projection. */
static int check_only(const pb_model *m, const pb_attached *p)
{
    const char *only = text_of(p, "only", NULL);
    pb_text roles = {0};
    bool hit = !only;
    for (int i = 0; i < pb_model_sites(m); i++) {
        const pb_site *s = pb_model_site(m, i);
        hit = hit || (s->out && s->w && pb_site_in(only, s));
        if (s->out && s->w && !s->layer)
            pb_text_add(&roles, " %s", s->role);
    }
    if (!hit)
        pb_error("%s: only: '%s' matches no projection; roles are%s, with patterns like attn.* or 3.mlp.up",
                 p->method->name, only, roles.data);
    pb_text_free(&roles);
    return hit ? 0 : -1;
}

/* Checks a PATTERN=VALUE of a list such as rank_pattern: the value must be allowed for the option of all sites. */
static int check_value(const pb_method *method, const pb_peft_key *key, const char *entry)
{
    const char *equals = strchr(entry, '=');
    if (!equals || equals == entry)
        return pb_error("want PATTERN=VALUE, such as 0.attn.q=4, got '%s'", entry);
    void *conf = pb_alloc(method->conf_size + 1);
    pb_option_defaults(method->options, conf);
    int rc = pb_option_set(method->options, conf, key->option, equals + 1);
    pb_option_release(method->options, conf);
    free(conf);
    return rc;
}

/* Checks the values that single sites have, such as "0.attn.q=16 mlp.*=4". */
static int check_values(const pb_attached *part, const pb_peft_key *key)
{
    const pb_option *o = pb_option_find(part->method->options, key->pattern_option);
    char *list = pb_strdup(*(const char *const *)((const char *)part->conf + o->offset)), *rest = list, *entry;
    int rc = 0;
    while (!rc && (entry = strsep(&rest, " ,")))
        rc = *entry ? check_value(part->method, key, entry) : 0;
    free(list);
    return rc ? pb_error_prefix("%s: %s", part->method->name, o->name) : 0;
}

static int check_patterns(const pb_model *m)
{
    for (int i = 0; i < m->parts; i++) {
        const pb_peft *peft = m->part[i].method->peft;
        for (const pb_peft_key *key = peft ? peft->keys : NULL; key && key->key; key++)
            if (key->pattern_option && check_values(&m->part[i], key))
                return -1;
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

static void select_base(pb_model *m)
{
    for (size_t i = 0; i < m->params; i++) {
        pb_param *p = m->param[i];
        p->trainable = selected(m, p);
        if (p->trainable)
            pb_checkpoint_make_writable(m, p);
        if (p->trainable && p == m->word && !m->config.tied) /* an output table's gradient is dense */
            p->slot = pb_arena_alloc(m->arena, PB_META, (size_t)p->rows * sizeof *p->slot);
    }
}

/* Builds the graph of one token, which creates the parameters of all methods and shows how many positions they take. */
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
                return pb_error("%s is given twice in one composition", list[i].method->name);
    for (int i = 0; i < count; i++)
        if (check_only(m, &m->part[i]))
            return -1;
    if (check_patterns(m) || match_targets(m))
        return -1;
    select_base(m);
    return make_added(m);
}
