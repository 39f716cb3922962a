/* attach: a composition of methods attached to a model: which sites each method applies to, and what trains. */
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

static const char PATTERN[] = "_pattern"; /* the end of the name of a setting with values of single sites */

/* ---- lists of sites ---------------------------------------------------------------------------------------------- */

static const char *text_of(const pb_attached *p, const pb_option *o)
{
    return *(const char *const *)((const char *)p->conf + o->offset);
}

static const pb_option *targets_option(const pb_attached *p)
{
    return pb_option_find(p->method->settings.options, "targets");
}

/* The value of the method's setting `targets`.  A method without that setting targets every projection and sublayer. */
static const char *targets_of(const pb_attached *p)
{
    const pb_option *o = targets_option(p);
    return o ? text_of(p, o) : "attn* mlp*";
}

/* Returns true if the method has a hook for sites of this kind. */
static bool has_hook(const pb_method *m, const pb_site *s)
{
    if (s->w)
        return m->hooks.linear || m->hooks.weight;
    return m->hooks.block || (m->hooks.attention && !strcmp(s->role, pb_block_name[ATTN]));
}

static bool has_hooks(const pb_method *m)
{
    return m->hooks.linear || m->hooks.weight || m->hooks.attention || m->hooks.block;
}

static void match_targets(pb_model *m)
{
    int sites = pb_model_sites(m);
    m->matches = pb_arena_alloc(m->arena, PB_META, (size_t)(m->parts * sites) * sizeof *m->matches);
    for (int i = 0; i < m->parts * sites; i++) {
        const pb_attached *part = &m->part[i / sites];
        const pb_site *s = pb_model_site(m, i % sites);
        m->matches[i] = s->out && has_hook(part->method, s) && pb_site_in(targets_of(part), s);
    }
}

/* A list of sites: a setting of a part. */
typedef struct site_list {
    const pb_model *m;
    int part;
    const char *setting;
    enum { OF_HOOKS, OF_TARGETS, OF_PROJECTIONS } among;
} site_list;

/* Whether a setting of a method is such a list. */
static bool lists_sites(const pb_method *m, const pb_option *o)
{
    const char *const name[] = {"targets", "only", "lora", m->peft ? m->peft->input_option : NULL};
    bool listed = pb_ends_in(o->name, PATTERN);
    for (size_t i = 0; i < PB_COUNT(name); i++)
        listed = listed || (name[i] && !strcmp(o->name, name[i]));
    return listed && o->type == PB_TEXT;
}

/* `targets` may name the sites that the method has a hook for, another list those that are targeted.  Without a hook,
 * or without targets, a list may name all projections. */
static site_list list_of(const pb_model *m, int part, const char *setting)
{
    const pb_attached *p = &m->part[part];
    bool targets = !strcmp(setting, "targets"), any = !has_hooks(p->method) || (!targets && !targets_option(p));
    return (site_list){m, part, setting, any ? OF_PROJECTIONS : targets ? OF_HOOKS : OF_TARGETS};
}

/* Whether a list may name site i. */
static bool may_name(const site_list *l, int i)
{
    const pb_site *s = pb_model_site(l->m, i);
    bool hook = has_hook(l->m->part[l->part].method, s), target = l->m->matches[l->part * pb_model_sites(l->m) + i];
    return s->out && (l->among == OF_HOOKS ? hook : l->among == OF_TARGETS ? target : s->w != NULL);
}

/* Whether an earlier site that the list may name has the role of site i. */
static bool is_repeated(const site_list *l, int i)
{
    for (int j = 0; j < i; j++)
        if (may_name(l, j) && !strcmp(pb_model_site(l->m, j)->role, pb_model_site(l->m, i)->role))
            return true;
    return false;
}

static int refuse_pattern(const site_list *l, const char *pattern)
{
    static const char *const what[] = {"site", "targeted site", "projection"};
    pb_text roles = {0};
    for (int i = 0; i < pb_model_sites(l->m); i++)
        if (may_name(l, i) && !is_repeated(l, i))
            pb_text_add(&roles, " %s", pb_model_site(l->m, i)->role);
    pb_error("%s: %s: '%s' matches no %s; roles in layers 0 to %d are%s, with patterns like attn.* or 3.mlp.up",
             l->m->part[l->part].method->name, l->setting, pattern, what[l->among], l->m->config.layers - 1,
             roles.data ? roles.data : " none");
    pb_text_free(&roles);
    return -1;
}

/* Refuses a pattern of the list that matches nothing; in a list of values it ends at an equals sign. */
static int check_each(const site_list *l, const char *text)
{
    char *list = pb_strdup(text), *rest = list, *pattern;
    int rc = 0;
    while (!rc && (pattern = strsep(&rest, " ,"))) {
        bool hit = !*pattern;
        if (pb_ends_in(l->setting, PATTERN))
            pattern[strcspn(pattern, "=")] = 0;
        for (int i = 0; i < pb_model_sites(l->m) && !hit; i++)
            hit = may_name(l, i) && pb_site_in(pattern, pb_model_site(l->m, i));
        rc = hit ? 0 : refuse_pattern(l, pattern);
    }
    free(list);
    return rc;
}

/* Whether the text of a preset has this "NAME=VALUE" as one of its settings. */
static bool spec_sets(const char *spec, const char *setting)
{
    size_t n = strlen(setting);
    for (const char *at = spec; (at = strstr(at, setting)); at++)
        if ((at == spec || strchr(":,", at[-1])) && (!at[n] || strchr(",+", at[n])))
            return true;
    return false;
}

/* The method's own lists, in defaults and presets, may name what some networks do not have. */
static bool is_own(const pb_method *m, const pb_option *o, const char *list)
{
    bool own = !strcmp(list, o->default_value);
    char *setting = pb_format("%s=%s", o->name, list);
    for (const pb_preset *p = m->presets; p && p->name; p++)
        own = own || spec_sets(p->spec, setting);
    free(setting);
    return own;
}

/* Refuses a pattern of a setting that matches nothing, and targets that match nothing in all.  *setting is the one that
 * is refused. */
static int check_lists(const pb_model *m, int part, const char **setting)
{
    const pb_attached *p = &m->part[part];
    int sites = pb_model_sites(m), hits = 0;
    for (const pb_option *o = p->method->settings.options; o && o->name; o++) {
        site_list l = list_of(m, part, o->name);
        *setting = o->name;
        if (lists_sites(p->method, o) && !is_own(p->method, o, text_of(p, o)) && check_each(&l, text_of(p, o)))
            return -1;
    }
    for (int i = 0; i < sites; i++)
        hits += m->matches[part * sites + i];
    *setting = "targets";
    site_list targets = list_of(m, part, *setting);
    return hits || !has_hooks(p->method) ? 0 : refuse_pattern(&targets, targets_of(p));
}

/* ---- values of single sites -------------------------------------------------------------------------------------- */

/* Checks a PATTERN=VALUE of a list such as rank_pattern: the value must be allowed for `option`, that of all sites. */
static int check_value(const pb_method *method, const char *option, const char *entry)
{
    const char *equals = strchr(entry, '=');
    if (!equals || equals == entry)
        return pb_error("want PATTERN=VALUE, such as 0.attn.q=4, got '%s'", entry);
    void *conf = pb_alloc(method->settings.conf_size + 1);
    pb_option_defaults(method->settings.options, conf);
    int rc = pb_option_set(method->settings.options, conf, option, equals + 1);
    pb_option_release(method->settings.options, conf);
    free(conf);
    return rc;
}

/* Checks the values that single sites have, such as "0.attn.q=16 mlp.*=4" of rank_pattern, which are those of rank. */
static int check_values(const pb_attached *part, const pb_option *o)
{
    char *list = pb_strdup(text_of(part, o)), *rest = list, *entry;
    char *option = pb_format("%.*s", (int)(strlen(o->name) - strlen(PATTERN)), o->name);
    int rc = 0;
    while (!rc && (entry = strsep(&rest, " ,")))
        rc = *entry ? check_value(part->method, option, entry) : 0;
    free(option);
    free(list);
    return rc ? pb_error_prefix("%s: %s", part->method->name, o->name) : 0;
}

/* *setting is the one that is refused. */
static int check_patterns(const pb_attached *part, const char **setting)
{
    for (const pb_option *o = part->method->settings.options; o && o->name; o++) {
        *setting = o->name;
        if (o->type == PB_TEXT && pb_ends_in(o->name, PATTERN) && check_values(part, o))
            return -1;
    }
    return 0;
}

/* ---- attaching --------------------------------------------------------------------------------------------------- */

static bool selected(const pb_model *m, const pb_param *p)
{
    for (int i = 0; i < m->parts; i++) {
        const pb_method *method = m->part[i].method;
        if (method->hooks.select ? method->hooks.select(m->part[i].conf, p, m->config.layers) : p->kind == PB_HEAD)
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

/* Gives the model its composition, and refuses settings that name sites which it does not have; *fault is where. */
static int set_parts(pb_model *m, const pb_attached *list, int count, pb_fault *fault)
{
    m->part = pb_arena_alloc(m->arena, PB_META, (size_t)(count + 1) * sizeof *m->part);
    for (int i = 0; i < count; i++)
        m->part[i] = list[i];
    m->parts = count;
    match_targets(m);
    for (int i = 0; i < count; i++) {
        fault->part = i;
        if (check_patterns(&list[i], &fault->setting) || (!m->targets_elsewhere && check_lists(m, i, &fault->setting)))
            return -1;
    }
    return 0;
}

int pb_model_check_sites(pb_model *m, const pb_attached *list, int count, pb_fault *fault)
{
    int rc = set_parts(m, list, count, fault);
    m->parts = 0;
    return rc;
}

int pb_model_attach(pb_model *m, const pb_attached *list, int count)
{
    pb_fault fault;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < i; j++)
            if (list[i].method == list[j].method)
                return pb_error("%s is given twice in one composition", list[i].method->name);
    if (set_parts(m, list, count, &fault))
        return -1;
    select_base(m);
    return make_added(m);
}
