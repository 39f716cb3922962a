/* adapter_save: writes what was trained as a PEFT adapter folder. */
#include <stdlib.h>
#include <string.h>

#include "model/adapter_fields.h"
#include "model/adapter_format.h"
#include "model/adapter_saving.h"
#include "model/low_rank.h"

static void keep(pb_saving *s, const pb_param *p)
{
    for (size_t i = 0; i < s->m->params; i++)
        s->kept[i] = s->kept[i] || s->m->param[i] == p;
}

static const char *full_name(pb_saving *s, const pb_site *site, const char *theirs)
{
    return site ? pb_arena_format(s->tensors.arena, "base_model.model.%s.%s", site->module, theirs) : theirs;
}

/* The values of p, plus those that the file has in addition; p is NULL if it has those alone. */
static int save_values(pb_saving *s, const pb_site *site, const pb_peft_tensor *t, const char *name, const pb_param *p)
{
    int rows = p ? p->rows : 0, cols = p ? p->cols : 0;
    pb_real *plus = t->plus ? pb_stored_plus(s->m, site, t, &rows, &cols) : NULL;
    pb_stored how;
    if ((t->plus && !plus) || pb_stored_of(s->m, site, t, rows, cols, &how)) {
        free(plus);
        return -1;
    }
    bool places = p && p->index;
    void *out = pb_tensor_writer_array(&s->tensors, name, places ? PB_I32 : PB_F32, how.shape, how.dims);
    if (places)
        pb_stored_write_places(&how, p, site, out);
    for (size_t i = 0; i < how.count && !places; i++) {
        size_t at = pb_stored_place(&how, i);
        ((float *)out)[i] = (float)((p ? p->x[at] : 0) + (plus ? plus[at] : 0));
    }
    free(plus);
    return 0;
}

/* Adds a tensor of a site, or (NULL) of the model, if the method has it there. */
static int save_tensor(pb_saving *s, const pb_site *site, const pb_peft_tensor *t)
{
    const pb_param *p = pb_params_find_added(s->m, s->method, t->copies ? NULL : site, t->ours);
    if (p)
        keep(s, p);
    if (!t->theirs || (!p && !(!*t->ours && t->plus)))
        return 0;
    const char *name = full_name(s, site, site && t->copies ? t->copies : t->theirs);
    return save_values(s, site, t, name, p);
}

/* Adds the next part of a tensor of the model, from element *first on. */
static int save_part(pb_saving *s, const pb_site *site, const pb_peft_tensor *t, size_t *first)
{
    const pb_param *p = pb_params_find_added(s->m, s->method, NULL, t->ours);
    pb_stored how;
    PB_CHECK(p && p->index);
    keep(s, p);
    if (pb_stored_of(s->m, site, t, p->rows, p->cols, &how))
        return -1;
    int32_t *out = pb_tensor_writer_array(&s->tensors, full_name(s, site, t->theirs), PB_I32, how.shape, how.dims);
    for (size_t i = 0; i < how.count; i++)
        out[i] = p->index[*first + pb_stored_place(&how, i)];
    *first += how.count;
    return 0;
}

/* Everything that the method keeps must be in the file. */
static int check_all_saved(const pb_saving *s)
{
    for (size_t i = 0; i < s->m->params; i++)
        if (s->m->param[i]->kind == PB_ADDED && pb_model_stores(s->m->param[i]) && !s->kept[i])
            return pb_error("%s: its tensor '%s' has no place in PEFT's %s", s->method->name, s->m->param[i]->name,
                            s->peft->type);
    return 0;
}

static int save_of_model(pb_saving *s)
{
    pb_peft_tensor one;
    for (const pb_peft_tensor *t = s->peft->tensors; t->ours; t++)
        for (int n = 0; t->of_model && !t->part && pb_stored_numbered(s->m, t, n, &one); n++)
            if (save_tensor(s, NULL, &one))
                return -1;
    return 0;
}

static int save_site(pb_saving *s, const pb_site *site, size_t *first)
{
    for (const pb_peft_tensor *t = s->peft->tensors; t->ours; t++)
        if (t->part ? save_part(s, site, t, first) : (!t->of_model || t->copies) && save_tensor(s, site, t))
            return -1;
    return 0;
}

static int save_sites(pb_saving *s)
{
    const pb_peft *peft = s->peft;
    char *inputs = peft->input_option ? pb_saving_option(s, peft->input_option) : NULL;
    size_t first = 0;
    int rc = save_of_model(s);
    for (int i = 0; i < s->m->config.layers * SITES && !rc; i++) {
        const pb_site *site = &s->m->layer[i / SITES].site[i % SITES];
        if (!s->m->matches[site->number])
            continue;
        pb_saving_add_quoted(&s->targets, site->module);
        if (inputs && pb_site_in(inputs, site))
            pb_saving_add_quoted(&s->inputs, site->module);
        rc = save_site(s, site, &first);
    }
    free(inputs);
    return rc ? -1 : check_all_saved(s);
}

static void save_factor(pb_saving *s, const pb_site *site, const char *name, int rows, int cols, int dims,
                        const pb_real *x)
{
    const char *full = pb_arena_format(s->tensors.arena, "base_model.model.%s.%s", site->module, name);
    pb_to_floats(x, (size_t)rows * (size_t)cols, pb_tensor_writer_tensor(&s->tensors, full, rows, cols, dims));
}

static void save_all_factors(pb_saving *s)
{
    const pb_peft *peft = s->peft;
    for (int i = 0; i < pb_model_sites(s->m); i++) {
        const pb_site *site = pb_model_site(s->m, i);
        const pb_factors *f = &s->factors[i];
        if (!f->A)
            continue;
        pb_low_rank u = s->method->hooks.low_rank(s->conf, site);
        pb_saving_add_quoted(&s->targets, site->module);
        for (const pb_peft_tensor *t = peft->tensors; t->ours; t++) {
            if (!strcmp(t->ours, u.down))
                save_factor(s, site, t->theirs, u.rank, site->in, 2, f->A);
            if (!strcmp(t->ours, u.up))
                save_factor(s, site, t->theirs, site->out, u.rank, 2, f->B);
        }
        if (s->biases)
            save_factor(s, site, peft->bias, 1, site->out, 1, f->bias);
    }
}

/* Computes a node of parameters and of inputs.  Valid until the executor or the graph's arena is used again. */
static const pb_node *run(pb_executor *executor, pb_graph *g, pb_node *n)
{
    pb_plan plan;
    if (pb_graph_plan(g, n, NULL, &plan))
        return NULL;
    pb_executor_bind(executor, g, &plan);
    pb_executor_forward(executor, g);
    return pb_graph_output(g);
}

/* The keys or values of one token in a layer, with the method's prefix in front. */
static const pb_node *run_with_prefix(const pb_saving *s, pb_arena *arena, pb_executor *executor, int layer,
                                      bool values)
{
    static const int offset[] = {0, 1};
    pb_graph *g = pb_graph_new(arena, false);
    int width = pb_model_kv_width(s->m), queries = s->m->layer[layer].site[O].in;
    const pb_rows *set = pb_rows_whole(g, 1, offset);
    pb_real *zeros = pb_arena_alloc(arena, PB_META, (size_t)queries * sizeof *zeros); /* as wide as keys, or wider */
    pb_node *q = pb_graph_input(g, set, queries, zeros);
    pb_node *k = pb_graph_input(g, set, width, zeros), *v = pb_graph_input(g, set, width, zeros);
    pb_build b = pb_build_start(s->m, g, 0, 0);
    s->method->hooks.attention(&b, &s->m->layer[layer].block[ATTN], q, k, v);
    return run(executor, g, values ? b.v : b.k);
}

/* Refuses a prefix that some layers do not have. */
static int check_all_layers(const pb_saving *s)
{
    for (int l = 0; l < s->m->config.layers; l++)
        if (!pb_model_targets(s->m, 0, &s->m->layer[l].block[ATTN]))
            return pb_error("%s: targets: layer %d has no prefix, and PEFT's are in all layers", s->method->name, l);
    return 0;
}

/* Writes [P, 2 layers, kv]: PEFT stores keys and values, not the MLP that may have computed them. */
static int save_prefix(pb_saving *s)
{
    if (check_all_layers(s))
        return -1;
    pb_arena *arena = pb_arena_new("prefix");
    pb_executor *executor = pb_executor_new();
    int width = pb_model_kv_width(s->m), columns = 2 * s->m->config.layers * width, rc = 0;
    float *out = NULL;
    for (int k = 0; k < 2 * s->m->config.layers && !rc; k++, pb_arena_reset(arena)) {
        const pb_node *n = run_with_prefix(s, arena, executor, k / 2, k % 2);
        rc = n ? 0 : -1;
        if (n && !out)
            out = pb_tensor_writer_tensor(&s->tensors, s->peft->tensors[0].theirs, n->rows - 1, columns, 2);
        for (int r = 0; n && r < n->rows - 1; r++)
            pb_to_floats(n->x + (size_t)r * (size_t)width, (size_t)width,
                         out + (size_t)r * (size_t)columns + (size_t)k * (size_t)width);
    }
    pb_executor_free(executor);
    pb_arena_free(arena);
    return rc;
}

/* The embedding of one token, with the method's prompt in front. */
static const pb_node *run_with_prompt(const pb_saving *s, pb_arena *arena, pb_executor *executor)
{
    static const int offset[] = {0, 1};
    pb_graph *g = pb_graph_new(arena, false);
    int width = s->m->config.width;
    pb_real *zeros = pb_arena_alloc(arena, PB_META, (size_t)width * sizeof *zeros);
    pb_build b = pb_build_start(s->m, g, 0, 0);
    return run(executor, g, s->method->hooks.embed(&b, pb_graph_input(g, pb_rows_whole(g, 1, offset), width, zeros)));
}

/* Returns -1 with an error if PEFT's implementation has another value of a setting. */
static int check_loaded(const pb_saving *s)
{
    bool applies = s->peft->layout == PB_PEFT_PREFIX || !pb_peft_is_prompt(s->peft) ||
                   !s->m->config.family->causal; /* PEFT's pooling of encoders */
    for (const pb_peft_tensor *t = s->peft->loaded; t && t->ours && applies; t++) {
        char *value = pb_saving_option(s, t->ours);
        bool same = !strcmp(value, t->theirs);
        if (!same)
            pb_error("%s: %s = %s: PEFT always has %s = %s; want a method that was trained with that", s->method->name,
                     t->ours, value, t->ours, *t->theirs ? t->theirs : "''");
        free(value);
        if (!same)
            return -1;
    }
    return 0;
}

/* Writes [P,C]: PEFT stores the embeddings, not what may have computed them. */
static int save_prompt(pb_saving *s)
{
    pb_arena *arena = pb_arena_new("prompt");
    pb_executor *executor = pb_executor_new();
    const pb_node *n = run_with_prompt(s, arena, executor);
    if (n)
        pb_to_floats(n->x, (size_t)(n->rows - 1) * (size_t)n->cols,
                     pb_tensor_writer_tensor(&s->tensors, s->peft->tensors[0].theirs, n->rows - 1, n->cols, 2));
    pb_executor_free(executor);
    pb_arena_free(arena);
    return n ? 0 : -1;
}

/* Writes rows of the table of word embeddings. */
static int save_table(pb_saving *s)
{
    const pb_peft_tensor *t = s->peft->tensors;
    const pb_param *p = pb_params_find_added(s->m, s->method, NULL, t->ours);
    const char *origin = NULL;
    for (size_t i = 0; i < s->m->params; i++)
        origin = s->m->param[i] == s->m->word ? s->m->origin[i] : origin;
    const char *module = pb_peft_parent(s->m, origin);
    keep(s, p);
    pb_saving_add_quoted(&s->targets, module);
    return save_values(s, NULL, t, pb_arena_format(s->tensors.arena, "base_model.model.%s.%s", module, t->theirs), p);
}

/* Writes the tensors of the attentions that have them. */
static int save_attentions(pb_saving *s)
{
    for (int l = 0; l < s->m->config.layers; l++)
        for (const pb_peft_tensor *t = s->peft->tensors; t->ours; t++) {
            const pb_site *site = &s->m->layer[l].block[ATTN];
            const pb_param *p = pb_params_find_added(s->m, s->method, site, t->ours);
            const char *module = pb_peft_parent(s->m, s->m->layer[l].site[O].module);
            if (p)
                keep(s, p);
            if (p && save_values(s, site, t,
                                 pb_arena_format(s->tensors.arena, "base_model.model.%s.%s", module, t->theirs), p))
                return -1;
        }
    return 0;
}

static void save_norms(pb_saving *s)
{
    pb_arena *arena = s->tensors.arena;
    for (size_t i = 0; i < s->m->params; i++) {
        const pb_param *p = s->m->param[i];
        if (p->kind != PB_NORM_GAIN && p->kind != PB_NORM_BIAS)
            continue;
        const char *origin = s->m->origin[i], *dot = strrchr(origin, '.');
        const char *module = pb_arena_format(arena, "%.*s", (int)(dot - origin), origin);
        pb_saving_add_quoted(&s->targets, module);
        pb_tensor_writer_param(
            s->m, &s->tensors,
            pb_arena_format(arena, "base_model.model.%s.%s%s", module, s->peft->tensors[0].theirs, dot), p, p->x);
    }
}

/* The head, and what else trained in the network: modules that PEFT saves whole. */
static int save_whole(pb_saving *s)
{
    pb_arena *arena = s->tensors.arena;
    const pb_peft *peft = s->peft;
    bool soft = pb_peft_is_prompt(peft);
    const char *prefix = s->m->config.family->prefix;
    for (size_t i = 0; i < s->m->params; i++) {
        const pb_param *p = s->m->param[i];
        const char *origin = s->m->origin[i];
        bool norm = peft->layout == PB_PEFT_NORMS && (p->kind == PB_NORM_GAIN || p->kind == PB_NORM_BIAS);
        if (!origin || !pb_model_stores(p) || norm)
            continue;
        if (!pb_peft_saves_modules(peft))
            return pb_error("%s: PEFT's %s has no place for '%s', which trained as well", s->method->name, peft->type,
                            origin);
        bool inside = !strncmp(origin, prefix, strlen(prefix));
        size_t n = inside ? (size_t)(strrchr(origin, '.') - origin) : strcspn(origin, ".");
        pb_saving_add_quoted(&s->saved, pb_arena_format(arena, "%.*s", (int)n, origin));
        pb_tensor_writer_param(s->m, &s->tensors,
                               pb_arena_format(arena, soft ? "base_model.%s" : "base_model.model.%s", origin), p, p->x);
    }
    return 0;
}

static int save_method(pb_saving *s)
{
    if (s->factors) {
        save_all_factors(s);
        return 0;
    }
    switch (s->peft->layout) {
    case PB_PEFT_SITES: return save_sites(s);
    case PB_PEFT_PROMPT_PARTS: return save_of_model(s) || check_all_saved(s) ? -1 : 0;
    case PB_PEFT_PREFIX: return save_prefix(s);
    case PB_PEFT_PROMPT: return save_prompt(s);
    case PB_PEFT_TOKENS: return save_table(s) || check_all_saved(s) ? -1 : 0;
    case PB_PEFT_ATTENTIONS: return save_attentions(s) || check_all_saved(s) ? -1 : 0;
    case PB_PEFT_NORMS: save_norms(s); break;
    }
    return 0;
}

static int save_adapter(pb_saving *s, const char *dir)
{
    bool soft = pb_peft_is_prompt(s->peft);
    if (soft && (pb_model_chooses(s->m) || (!pb_model_has_classes(s->m) && s->m->head != PB_HEAD_CAUSAL)))
        return pb_error("%s: PEFT does not apply %s to a model without a task_type, and has no task_type for this head",
                        s->method->name, s->peft->type);
    if (save_method(s) || save_whole(s) || pb_saving_add_settings(s) || pb_make_dirs(dir))
        return -1;
    pb_saving_add_common(s);
    if (soft)
        pb_saving_add_prompt_sizes(s);
    pb_digest base = pb_model_digest(s->m);
    pb_text classes = pb_model_class_names(s->m);
    bool plain = pb_model_problem(s->m) == PB_PROBLEM_CLASS || pb_model_chooses(s->m);
    const char *problem = plain ? NULL : pb_problem_name[pb_model_problem(s->m)];
    const char *const metadata[] = {"base_sha256",
                                    base.hex,
                                    "format",
                                    "pt",
                                    classes.length ? "classes" : NULL,
                                    classes.data,
                                    classes.length && problem ? "problem_type" : NULL,
                                    problem,
                                    NULL};
    int rc = pb_saving_write_config(s, dir) ||
                     pb_tensor_writer_write(&s->tensors, dir, "adapter_model.safetensors", metadata)
                 ? -1
                 : 0;
    pb_text_free(&classes);
    return rc;
}

static int save(pb_saving *s, const char *dir)
{
    s->tensors.arena = pb_arena_new("adapter");
    s->kept = pb_alloc(s->m->params * sizeof *s->kept + 1);
    int rc = save_adapter(s, dir);
    free(s->kept);
    for (int i = 0; i < s->members; i++)
        pb_text_free(&s->member[i]);
    pb_text_free(&s->targets);
    pb_text_free(&s->inputs);
    pb_text_free(&s->saved);
    pb_tensor_writer_free(&s->tensors);
    return rc;
}

/* Refuses a 0 that PEFT does not have. */
static int check_positive(const pb_saving *s)
{
    int rc = 0;
    for (const pb_peft_key *k = s->peft->keys; k && k->key && !rc; k++) {
        char *value = k->positive ? pb_saving_option(s, k->option) : NULL;
        if (value && !strcmp(value, "0"))
            rc = pb_error("%s: %s = 0: PEFT's %s has no such %s", s->method->name, k->option, s->peft->type, k->key);
        free(value);
    }
    return rc;
}

/* Chooses the first of the method's types that has its settings. */
static int choose_type(pb_saving *s)
{
    int rc = -1;
    for (const pb_peft *p = s->method->peft; p && rc; p = p->other) {
        pb_error_clear();
        s->peft = p;
        rc = check_loaded(s) || check_positive(s) ? -1 : 0;
    }
    return !rc && pb_peft_check_model(s->m, s->peft) ? pb_error_prefix("%s", s->method->name) : rc;
}

/* ---- the method of a model ------------------------------------------------------------------------------------ */

int pb_adapter_save_tensors(pb_model *m, const char *dir)
{
    if (m->parts != 1)
        return pb_error("PEFT has no adapter of a composition of %d methods; want a single method, --rank or --merged",
                        m->parts);
    pb_saving s = {.m = m, .method = m->part[0].method, .conf = m->part[0].conf};
    if (!s.method->peft)
        return pb_error("%s: no PEFT adapter can be written of this method; want --rank K, --merged or another method",
                        s.method->name);
    return choose_type(&s) ? -1 : save(&s, dir);
}

/* The method whose adapters PEFT calls LORA: a product of two matrices with rank r and scale lora_alpha / r. */
static const pb_method *lora(void)
{
    const pb_method *m;
    for (int i = 0; (m = pb_method_at(i)); i++)
        if (m->peft && m->hooks.low_rank && !strcmp(m->peft->type, "LORA") && m->peft->bias)
            return m;
    PB_BUG("no method has PEFT's type LORA");
}

static void free_settings(const pb_method *m, void *conf)
{
    pb_option_release(m->settings.options, conf);
    free(conf);
}

/* Makes the settings of a LoRA with this rank, which adapter_config.json calls r, and the scale 1.  Returns NULL with
 * an error.  The caller frees them with free_settings. */
static void *settings_of_rank(const pb_method *m, int rank)
{
    void *conf = pb_alloc(m->settings.conf_size + 1);
    char *value = pb_format("%d", rank);
    int rc = 0;
    pb_option_defaults(m->settings.options, conf);
    for (const pb_peft_key *k = m->peft->keys; k->key && !rc; k++)
        if (!strcmp(k->key, "r") || !strcmp(k->key, "lora_alpha"))
            rc = pb_option_set(m->settings.options, conf, k->option, value);
    free(value);
    if (!rc)
        return conf;
    free_settings(m, conf);
    return NULL;
}

int pb_adapter_check_rank(int rank)
{
    void *conf = settings_of_rank(lora(), rank);
    if (conf)
        free_settings(lora(), conf);
    return conf ? 0 : -1;
}

int pb_adapter_save_factors(pb_model *m, const pb_factors *factors, int rank, bool biases, const char *dir)
{
    const pb_method *method = lora();
    void *conf = settings_of_rank(method, rank);
    PB_CHECK(conf);
    pb_saving s = {.m = m, .method = method, .peft = method->peft, .conf = conf, .factors = factors, .biases = biases};
    int rc = save(&s, dir);
    free_settings(method, conf);
    return rc;
}
