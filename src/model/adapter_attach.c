/* adapter_attach: reads an opened PEFT folder onto a model. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/adapter_fields.h"
#include "model/adapter_format.h"
#include "model/adapter_load.h"
#include "model/formula.h"
#include "model/start.h"

/* ---- a part of the rows: AdaLoRA's "rank_pattern" ---------------------------------------------------------- */

typedef struct kept_reader {
    const pb_loading *l;
    const char *module; /* NULL: any that is targeted */
    const pb_json *list;
} kept_reader;

/* The key of an entry is the name of a module and that of one of its tensors. */
static bool names_module(const char *key, const char *module)
{
    size_t n = strlen(module);
    return !strncmp(key, module, n) && key[n] == '.' && !strchr(key + n + 1, '.');
}

static int find_kept(void *ctx, const char *key, const pb_json *value)
{
    kept_reader *r = ctx;
    if (r->module && names_module(key, r->module))
        r->list = value;
    for (size_t i = 0; i < r->l->modules && !r->module; i++)
        if (r->l->module[i].targeted && names_module(key, r->l->module[i].local))
            return 0;
    return r->module
               ? 0
               : pb_error("%s: %s: '%s': names no targeted module", r->l->a->config_path, r->l->peft->kept_key, key);
}

static int check_kept(const pb_loading *l)
{
    kept_reader r = {.l = l};
    return l->peft->kept_key ? pb_json_each(pb_json_get(l->config, l->peft->kept_key), find_kept, &r) : 0;
}

/* Shortens how the file has a tensor to what the config says it has of a module. */
static int keep_part(const pb_loading *l, const pb_module *mod, const pb_peft_tensor *t, pb_stored *s)
{
    kept_reader r = {.l = l, .module = mod ? mod->local : ""};
    if (!t->kept || !l->peft->kept_key || !mod)
        return 0;
    pb_json_each(pb_json_get(l->config, l->peft->kept_key), find_kept, &r);
    int64_t all = s->shape[t->kept - 1];
    int *kept = r.list ? pb_arena_alloc(l->m->arena, PB_META, (size_t)all * sizeof *kept) : NULL, n = 0;
    for (int64_t i = 0; r.list && i < all; i++) {
        const pb_json *v = pb_json_at(r.list, (size_t)i);
        if (pb_json_bool(v, false) != pb_json_bool(v, true) || pb_json_size(r.list) != (size_t)all)
            return pb_error("%s: %s: '%s': want a list of %lld times true or false", l->a->config_path,
                            l->peft->kept_key, mod->local, (long long)all);
        if (pb_json_bool(v, false))
            kept[n++] = (int)i;
    }
    if (r.list)
        pb_stored_keep(s, t->kept - 1, kept, n);
    return 0;
}

/* ---- values of the tensors --------------------------------------------------------------------------------- */

/* Subtracts what the file has in addition, or compares what the method makes with what the file has instead of a tensor
 * of the method (p is NULL then). */
static int take_off(pb_loading *l, const pb_module *mod, const pb_peft_tensor *t, const pb_array *array, pb_param *p)
{
    int rows, cols, rc = 0;
    pb_real *made = pb_stored_plus(l->m, mod ? mod->site : NULL, t, &rows, &cols);
    if (!made)
        return -1;
    pb_param is = {.rows = rows, .cols = cols, .x = pb_alloc((size_t)rows * (size_t)cols * sizeof *is.x)};
    pb_stored s;
    if (!p)
        rc = pb_stored_of(l->m, mod ? mod->site : NULL, t, rows, cols, &s) ||
                     pb_stored_read(&s, l->a->file_path, array, &is)
                 ? -1
                 : 0;
    for (int i = 0; i < rows * cols && !rc; i++)
        if (p)
            p->x[i] -= made[i];
        else if (!(fabs((double)(is.x[i] - made[i])) <= 1e-5 * fabs((double)made[i])))
            rc = pb_error("%s: '%s': has %g, want %g, which PEFT makes of the other tensors", l->a->file_path,
                          array->name, (double)is.x[i], (double)made[i]);
    free(is.x);
    free(made);
    return rc;
}

/* Copies a tensor of a module, or (NULL) of the model, where the method has it. */
static int copy_tensor(pb_loading *l, const pb_module *mod, const pb_peft_tensor *t)
{
    bool computed = !*t->ours && t->plus;
    pb_param *p = mod ? pb_loading_find_param(l, mod, t->ours)
                      : pb_params_find_added(l->m, l->a->method, NULL, t->ours);
    if (!t->theirs || (!p && !computed))
        return 0;
    const pb_array *array = mod ? pb_loading_module_tensor(l, mod, t->theirs) : pb_loading_tensor(l, t->theirs);
    if (!array)
        return pb_error("%s: no tensor '%s%s%s%s'", l->a->file_path, mod ? "base_model.model." : "",
                        mod ? mod->local : "", mod ? "." : "", t->theirs);
    if (computed)
        return take_off(l, mod, t, array, NULL);
    pb_stored s;
    const pb_site *site = mod ? mod->site : NULL;
    if (pb_stored_of(l->m, site, t, p->rows, p->cols, &s) || keep_part(l, mod, t, &s))
        return -1;
    if (!p->index)
        return pb_stored_read(&s, l->a->file_path, array, p) || (t->plus && take_off(l, mod, t, array, p)) ? -1 : 0;
    pb_param *along = pb_params_find_added(l->m, l->a->method, site, t->along);
    PB_CHECK(site && along && along->cols == p->cols);
    return pb_stored_read_places(&s, l->a->file_path, array, site, p) ||
                   pb_stored_sort(l->a->file_path, array, p, along)
               ? -1
               : 0;
}

/* A copy of a tensor of the model must be equal to it. */
static int compare_copy(pb_loading *l, const pb_module *mod, const pb_peft_tensor *t)
{
    const pb_param *p = pb_params_find_added(l->m, l->a->method, NULL, t->ours);
    const pb_array *array = p ? pb_loading_module_tensor(l, mod, t->copies) : NULL;
    pb_stored s;
    if (!array)
        return 0;
    size_t bytes = pb_param_elements(p) * sizeof *p->x;
    pb_param copy = *p;
    copy.x = pb_alloc(bytes);
    int rc = pb_stored_of(l->m, mod->site, t, p->rows, p->cols, &s) || pb_stored_read(&s, l->a->file_path, array, &copy)
                 ? -1
                 : 0;
    if (!rc && memcmp(copy.x, p->x, bytes) != 0)
        rc = pb_error("%s: '%s': differs from '%s', of which it is a copy", l->a->file_path, array->name, t->theirs);
    free(copy.x);
    return rc;
}

/* A tensor of the model, or all those with a number. */
static int copy_of_model(pb_loading *l, const pb_peft_tensor *t)
{
    pb_peft_tensor one;
    for (int n = 0; pb_stored_numbered(l->m, t, n, &one); n++)
        if (copy_tensor(l, NULL, &one))
            return -1;
    return 0;
}

static const pb_module *module_at(const pb_loading *l, const pb_site *site)
{
    for (size_t i = 0; i < l->modules; i++)
        if (l->module[i].targeted && l->module[i].site == site)
            return &l->module[i];
    return NULL;
}

/* Reads one part of a tensor of the model, from element *first on. */
static int copy_part(pb_loading *l, const pb_module *mod, const pb_peft_tensor *t, size_t *first)
{
    pb_param *p = pb_params_find_added(l->m, l->a->method, NULL, t->ours);
    const pb_array *array = pb_loading_module_tensor(l, mod, t->theirs);
    pb_stored s;
    PB_CHECK(p && p->index);
    if (!array)
        return pb_error("%s: no tensor 'base_model.model.%s.%s'", l->a->file_path, mod->local, t->theirs);
    if (pb_stored_of(l->m, mod->site, t, p->rows, p->cols, &s))
        return -1;
    PB_CHECK(*first + s.count <= (size_t)p->cols);
    int rc = pb_stored_read_part(&s, l->a->file_path, array, p, *first);
    *first += s.count;
    return rc;
}

static int copy_parts(pb_loading *l)
{
    size_t first = 0;
    for (int i = 0; i < pb_model_sites(l->m); i++) {
        const pb_module *mod = module_at(l, pb_model_site(l->m, i));
        for (const pb_peft_tensor *t = l->peft->tensors; mod && t->ours; t++)
            if (t->part && copy_part(l, mod, t, &first))
                return -1;
    }
    return 0;
}

static int copy_sites(pb_loading *l)
{
    if (check_kept(l) || copy_parts(l))
        return -1;
    for (const pb_peft_tensor *t = l->peft->tensors; t->ours; t++) {
        if (t->of_model && !t->part && copy_of_model(l, t))
            return -1;
        for (size_t i = 0; i < l->modules && !t->part; i++)
            if (l->module[i].targeted && l->module[i].site && (!t->of_model || t->copies) &&
                (t->copies ? compare_copy(l, &l->module[i], t) : copy_tensor(l, &l->module[i], t)))
                return -1;
    }
    return 0;
}

/* Copies rows of the keys (k even) or the values of a layer, from row `from` of the file's tensor on.  Returns the row
 * behind them, or -1 with an error.  p may be NULL. */
static int copy_prefix_rows(pb_loading *l, const pb_array *t, int k, pb_param *p, int from)
{
    size_t width = (size_t)pb_model_kv_width(l->m), columns = 2 * (size_t)l->m->config.layers * width;
    for (int r = 0; p && r < p->rows && from + r < (int)t->shape[0]; r++)
        if (pb_array_reals(t, (size_t)(from + r) * columns + (size_t)k * width, width, p->x + (size_t)r * width))
            return -1;
    return from + (p ? p->rows : 0);
}

/* The tensor is [P, 2 layers, kv]: the keys of layer l are at 2l, its values at 2l+1. */
static int copy_prefix(pb_loading *l)
{
    const pb_peft_tensor *name = l->peft->tensors;
    const pb_array *t = pb_loading_tensor(l, name[0].theirs);
    int width = pb_model_kv_width(l->m), layers = l->m->config.layers;
    if (!t || t->dims != 2 || t->shape[1] != (int64_t)2 * layers * width)
        return pb_error("%s: %s: want a tensor [tokens, %d]", l->a->file_path, name[0].theirs, 2 * layers * width);
    for (int k = 0; k < 2 * layers; k++) {
        const pb_site *site = &l->m->layer[k / 2].block[ATTN];
        pb_param *first = name[2].ours ? pb_params_find_added(l->m, l->a->method, site, name[2 + k % 2].ours) : NULL;
        int rows = copy_prefix_rows(l, t, k, first, 0);
        rows = rows < 0
                   ? -1
                   : copy_prefix_rows(l, t, k, pb_params_find_added(l->m, l->a->method, site, name[k % 2].ours), rows);
        if (rows < 0)
            return -1;
        if (rows != t->shape[0])
            return pb_error("%s: %s: want %s rows", l->a->file_path, name[0].theirs, l->peft->keys[0].key);
    }
    return 0;
}

static int copy_prompt(pb_loading *l)
{
    const pb_array *t = pb_loading_tensor(l, l->peft->tensors[0].theirs);
    pb_param *p = pb_params_find_added(l->m, l->a->method, NULL, l->peft->tensors[0].ours);
    return t && p ? pb_loading_copy(l, p, t, false)
                  : pb_error("%s: no tensor '%s'", l->a->file_path, l->peft->tensors[0].theirs);
}

/* Copies the rows of the table of word embeddings, the module that is targeted. */
static int copy_table(pb_loading *l)
{
    const pb_peft_tensor *t = l->peft->tensors;
    pb_param *p = pb_params_find_added(l->m, l->a->method, NULL, t->ours);
    for (size_t i = 0; i < l->modules; i++) {
        const pb_array *array = l->module[i].targeted ? pb_loading_module_tensor(l, &l->module[i], t->theirs) : NULL;
        if (array)
            return pb_loading_copy(l, p, array, false);
    }
    return pb_error("%s: no tensor '%s' of the table of word embeddings", l->a->file_path, t->theirs);
}

/* Copies the tensors of the attention that a module is the output projection of, where the method has them. */
static int copy_attention(pb_loading *l, const pb_module *mod)
{
    const pb_site *site = &l->m->layer[mod->site->layer].block[ATTN];
    for (const pb_peft_tensor *t = l->peft->tensors; t->ours; t++) {
        pb_param *p = pb_params_find_added(l->m, l->a->method, site, t->ours);
        const char *name =
            pb_arena_format(l->m->arena, "base_model.model.%s.%s", pb_peft_parent(l->m, mod->local), t->theirs);
        const pb_array *array = p ? pb_loading_tensor(l, name) : NULL;
        pb_stored s;
        if (p && !array)
            return pb_error("%s: no tensor '%s'", l->a->file_path, name);
        if (p && (pb_stored_of(l->m, site, t, p->rows, p->cols, &s) || pb_stored_read(&s, l->a->file_path, array, p)))
            return -1;
    }
    return 0;
}

static int copy_attentions(pb_loading *l)
{
    for (size_t i = 0; i < l->modules; i++) {
        const pb_module *mod = &l->module[i];
        if (mod->site && mod->site == &l->m->layer[mod->site->layer].site[O] && copy_attention(l, mod))
            return -1;
    }
    return 0;
}

static int copy_method(pb_loading *l)
{
    switch (l->peft->layout) {
    case PB_PEFT_SITES:
    case PB_PEFT_PROMPT_PARTS: return copy_sites(l);
    case PB_PEFT_PREFIX: return copy_prefix(l);
    case PB_PEFT_PROMPT: return copy_prompt(l);
    case PB_PEFT_TOKENS: return copy_table(l);
    case PB_PEFT_ATTENTIONS: return copy_attentions(l);
    case PB_PEFT_NORMS: return 0; /* whole modules, which pb_loading_replace_base copies */
    }
    PB_BUG("layout %d", (int)l->peft->layout);
}

/* ---- attaching --------------------------------------------------------------------------------------------- */

/* An adapter that this program wrote has the SHA-256 of its base in its metadata. */
static int check_base(const pb_loading *l, bool force)
{
    const char *wanted = pb_weights_metadata(l->a->weights, "base_sha256");
    if (!wanted || force)
        return 0;
    pb_digest base = pb_model_digest(l->m);
    return strcmp(wanted, base.hex) ? pb_error("%s: made for weights of SHA-256 %s, but %s has %s; --force accepts it",
                                               l->a->file_path, wanted, pb_model_dir(l->m), base.hex)
                                    : 0;
}

/* Such an adapter also has the names of its head's classes, and problem_type if the head is for no single class. */
static int name_classes(const pb_loading *l)
{
    const char *problem = pb_weights_metadata(l->a->weights, "problem_type");
    for (pb_problem p = PB_PROBLEM_CLASS; p <= PB_PROBLEM_NUMBERS && problem; p++)
        if (!strcmp(problem, pb_problem_name[p]))
            l->m->problem = p;
    const char *names = pb_weights_metadata(l->a->weights, "classes");
    return names ? pb_model_name_classes(l->m, names) : 0;
}

/* PEFT reshapes the tensor by the sizes in the config, which must be this model's. */
static int check_sizes(const pb_loading *l)
{
    const pb_network_config *c = &l->m->config;
    bool prefix = l->peft->layout == PB_PEFT_PREFIX;
    const struct {
        const char *key;
        int want;
    } sizes[] = {{"num_layers", c->layers},
                 {"num_transformer_submodules", 1},
                 {"token_dim", prefix ? pb_model_kv_width(l->m) : c->width},
                 {"num_attention_heads", prefix ? c->kv_heads : c->heads}};
    for (size_t i = 0; i < PB_COUNT(sizes); i++) {
        long long got = pb_json_integer(pb_json_get(l->config, sizes[i].key), sizes[i].want);
        if (got != sizes[i].want)
            return pb_error("%s: %s: want %d for this model, got %lld", l->a->config_path, sizes[i].key, sizes[i].want,
                            got);
    }
    return 0;
}

/* PEFT takes the length of a CPT prompt from cpt_token_ids, [0] where it is null, and wants masks of that length. */
static int check_cpt(const pb_loading *l)
{
    static const char *const lists[] = {"cpt_token_ids", "cpt_mask", "cpt_tokens_type_mask"};
    long long want = pb_json_integer(pb_json_get(l->config, "num_virtual_tokens"), 0);
    for (size_t i = 0; i < PB_COUNT(lists) && !strcmp(l->a->type, "CPT"); i++) {
        const pb_json *list = pb_json_get(l->config, lists[i]);
        long long got = pb_json_is_array(list) ? (long long)pb_json_size(list) : i ? want : 1;
        if (got != want)
            return pb_error("%s: %s: want %lld members, as num_virtual_tokens says, got %lld", l->a->config_path,
                            lists[i], want, got);
    }
    return 0;
}

/* An adapter for classes of tokens is for a model that has a head for them, and one for classes of texts for no such
 * model. */
static int check_head(const pb_loading *l)
{
    bool tokens = l->m->head == PB_HEAD_TOKENS;
    bool choices = pb_model_chooses(l->m);
    if (choices ? pb_adapter_classes(l->a) && !pb_adapter_choices(l->a) : pb_adapter_choices(l->a))
        return pb_error("%s: auto_mapping: the adapter is for %s, and the head of %s for %s; want the same of both",
                        l->a->config_path, choices ? "something else" : "multiple choice", pb_model_dir(l->m),
                        choices ? "multiple choice" : "something else");
    const char *task = pb_json_text(pb_json_get(l->config, "task_type"), "");
    if (tokens ? strcmp(task, "SEQ_CLS") != 0 : !pb_adapter_tokens(l->a))
        return 0;
    return pb_error("%s: task_type: the adapter is for %s, and the head of %s for %s; want the same of both",
                    l->a->config_path, tokens ? "texts (SEQ_CLS)" : "tokens (TOKEN_CLS)", pb_model_dir(l->m),
                    tokens ? "tokens" : "something else");
}

/* A value that a formula makes smaller is one with which PEFT itself would refuse the model. */
static int check_formulas(const pb_loading *l)
{
    for (const pb_peft_key *k = l->peft->keys; k && k->key; k++) {
        double want, got = pb_json_number(pb_json_get(l->config, k->key), NAN);
        if (k->formula && pb_formula_list(l->m, NULL, k->key, k->formula, 0, 0, &want, 1) < 0)
            return -1;
        if (k->formula && got > want)
            return pb_error("%s: %s: want at most %g for this model, got %g", l->a->config_path, k->key, want, got);
    }
    return 0;
}

/* Starts the method, if the file lacks tensors that it then makes of the weights. */
static int start(pb_loading *l)
{
    static const pb_samples none = {0};
    bool lacks = false;
    pb_preparation nothing = {0};
    for (const pb_peft_tensor *t = l->peft->tensors; t->ours; t++)
        lacks = lacks || !t->theirs;
    PB_CHECK(!lacks || !l->a->method->hooks.asks);
    return lacks ? pb_model_start(l->m, &none, &nothing) : 0;
}

static int attach(pb_loading *l, bool force)
{
    pb_attached part = {.method = l->a->method, .conf = l->a->conf};
    bool sites = l->peft->layout == PB_PEFT_SITES;
    l->m->targets_elsewhere = true;
    if (pb_peft_check_model(l->m, l->peft))
        return pb_error_prefix("%s", l->a->config_path);
    return check_base(l, force) || check_head(l) || pb_loading_list_modules(l) ||
                   (pb_peft_is_prompt(l->peft) && (check_sizes(l) || check_cpt(l))) ||
                   pb_loading_resize_vocabulary(l) || pb_loading_set_keys(l) || (sites && pb_loading_set_targets(l)) ||
                   pb_model_attach(l->m, &part, 1) || check_formulas(l) || start(l) || copy_method(l) ||
                   pb_loading_replace_base(l) || name_classes(l)
               ? -1
               : 0;
}

int pb_adapter_attach(pb_model *m, const pb_adapter *a, bool force)
{
    pb_loading l = {.a = a, .config = pb_json_root(a->doc), .peft = a->peft, .m = m};
    l.used = pb_alloc(pb_weights_count(a->weights) + 1);
    int rc = attach(&l, force);
    free(l.used);
    free(l.module);
    return rc;
}
