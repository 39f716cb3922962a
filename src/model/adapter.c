/* adapter: reading a PEFT folder onto a model. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/pattern.h"
#include "model/adapter_fields.h"
#include "model/adapter_load.h"

/* ---- opening ------------------------------------------------------------------------------------------ */

static bool is_type(const pb_peft *p, const char *type)
{
    return p && (!strcmp(p->type, type) || (p->also && !strcmp(p->also, type)));
}

static int find_method(pb_adapter *a)
{
    const char *type = a->type = pb_json_text(pb_json_get(pb_json_root(a->doc), "peft_type"), "");
    pb_text known = {0};
    const pb_method *m;
    for (int i = 0; (m = pb_method_at(i)); i++) {
        if (is_type(m->peft, type))
            a->method = m;
        if (m->peft)
            pb_text_add(&known, "%s%s", known.length ? ", " : "", m->peft->type);
    }
    if (!a->method)
        pb_error("%s: peft_type: want one of %s; got '%s'", a->config_path, known.data, type);
    pb_text_free(&known);
    return a->method ? 0 : -1;
}

/* ---- what it is for --------------------------------------------------------------------------------------- */

int pb_adapter_classes(const pb_adapter *a)
{
    static const char *const heads[] = {"model.classifier.weight", "model.classifier.out_proj.weight",
                                        "model.score.weight"};
    for (size_t i = 0; i < pb_weights_count(a->file); i++)
        for (size_t k = 0; k < PB_COUNT(heads); k++)
            if (pb_ends_in(pb_weights_at(a->file, i)->name, heads[k]))
                return (int)pb_weights_at(a->file, i)->shape[0];
    return 0;
}

/* The class of the model that an adapter without a task_type was made on; "": the config does not say. */
static const char *made_on(const pb_adapter *a)
{
    const pb_json *mapping = pb_json_get(pb_json_root(a->doc), "auto_mapping");
    return pb_json_text(pb_json_get(mapping, "base_model_class"), "");
}

/* A classifier of tokens, or of choices, is called as one of texts is. */
static int check_classifier(const pb_adapter *a, const char *task, const char *class)
{
    if (!pb_adapter_classes(a) || !strcmp(task, "SEQ_CLS") || strstr(class, "ForSequenceClassification"))
        return 0;
    return pb_error("%s: task_type: want SEQ_CLS beside a saved classifier, got '%s'%s%s", a->config_path,
                    *task ? task : "null", *class ? " of a " : "", class);
}

static int check_task(const pb_adapter *a)
{
    static const char *const tasks[] = {"", "SEQ_CLS", "CAUSAL_LM", "FEATURE_EXTRACTION"};
    static const char *const classes[] = {"ForSequenceClassification", "ForCausalLM", "LMHeadModel", "ForMaskedLM",
                                          "Model"};
    const char *task = pb_json_text(pb_json_get(pb_json_root(a->doc), "task_type"), ""), *class = made_on(a);
    bool known = false, fits = !*class;
    for (size_t i = 0; i < PB_COUNT(tasks); i++)
        known = known || !strcmp(task, tasks[i]);
    for (size_t i = 0; i < PB_COUNT(classes); i++)
        fits = fits || pb_ends_in(class, classes[i]);
    if (!known)
        return pb_error("%s: task_type: want SEQ_CLS, CAUSAL_LM, FEATURE_EXTRACTION or null, got '%s'", a->config_path,
                        task);
    if (!fits)
        return pb_error("%s: auto_mapping: want a model of texts, of classes of texts or of language, got a %s",
                        a->config_path, class);
    pb_peft_layout layout = a->method->peft->layout;
    if (!*task && (layout == PB_PEFT_PREFIX || layout == PB_PEFT_PROMPT))
        return pb_error("%s: task_type: want one; without it PEFT does not apply a %s at all", a->config_path, a->type);
    return check_classifier(a, task, class);
}

/* Older ones have a pickle of torch in place of safetensors. */
static int open_tensors(pb_adapter *a, const char *dir)
{
    char *pickle = pb_format("%s/adapter_model.bin", dir);
    if (!pb_file_exists(a->file_path) && pb_file_exists(pickle)) {
        free(a->file_path);
        a->file_path = pickle;
        pickle = NULL;
    }
    free(pickle);
    return pb_file_exists(a->file_path)
               ? (a->file = pb_weights_open(a->file_path)) ? 0 : -1
               : pb_error("%s: cannot read: no such file, nor an adapter_model.bin", a->file_path);
}

pb_adapter *pb_adapter_open(const char *dir)
{
    pb_adapter *a = pb_alloc(sizeof *a);
    a->dir = pb_strdup(dir);
    a->config_path = pb_format("%s/adapter_config.json", dir);
    a->file_path = pb_format("%s/adapter_model.safetensors", dir);
    if ((a->doc = pb_json_read(a->config_path)) && !find_method(a) &&
        !pb_fields_check(a->config_path, pb_json_root(a->doc), a->method->peft) && !open_tensors(a, dir) &&
        !check_task(a)) {
        a->conf = pb_alloc(a->method->conf_size + 1);
        pb_option_defaults(a->method->options, a->conf);
        return a;
    }
    pb_adapter_close(a);
    return NULL;
}

void pb_adapter_close(pb_adapter *a)
{
    if (!a)
        return;
    if (a->conf)
        pb_option_release(a->method->options, a->conf);
    pb_weights_close(a->file);
    pb_json_free(a->doc);
    free(a->conf);
    free(a->dir);
    free(a->config_path);
    free(a->file_path);
    free(a);
}

const pb_method *pb_adapter_method(const pb_adapter *a)
{
    return a->method;
}

/* ---- settings ----------------------------------------------------------------------------------------- */

/* The tensor of this name, which is then used; NULL: there is none. */
static const pb_array *find(pb_loading *l, const char *name)
{
    const pb_array *t = pb_weights_find(l->a->file, name);
    for (size_t i = 0; t && i < pb_weights_count(l->a->file); i++)
        l->used[i] |= pb_weights_at(l->a->file, i) == t;
    return t;
}

const pb_array *pb_loading_tensor(pb_loading *l, const pb_module *mod, const char *theirs)
{
    return theirs ? find(l, pb_arena_format(l->m->arena, "base_model.model.%s.%s", mod->local, theirs)) : NULL;
}

pb_site pb_loading_site(const pb_module *mod)
{
    if (mod->site)
        return *mod->site;
    bool turned = mod->kind == PB_MODULE_EMBEDDING; /* what comes in is a word, as one of many columns */
    return (pb_site){.number = -1,
                     .layer = -1,
                     .role = mod->local,
                     .in = turned ? mod->w->rows : mod->w->cols,
                     .out = turned ? mod->w->cols : mod->w->rows,
                     .w = mod->w,
                     .b = mod->b,
                     .module = mod->name};
}

static int set(pb_loading *l, const char *key, const char *option, const char *value)
{
    if (!pb_option_set(l->a->method->options, l->a->conf, option, value))
        return 0;
    char *cause = pb_strdup(pb_error_text());
    pb_error_clear();
    pb_error("%s: %s: %s", l->a->config_path, key, cause);
    free(cause);
    return -1;
}

/* ---- other values at some modules: "rank_pattern" --------------------------------------------------------- */

typedef struct pattern_reader {
    const pb_loading *l;
    const char *key, *module;
    char *first; /* the value of the first entry that fits the module */
    bool failed;
} pattern_reader;

/* The first entry that fits counts, as in PEFT. */
static int read_pattern(void *ctx, const char *pattern, const pb_json *value)
{
    pattern_reader *r = ctx;
    char *whole = pb_format("(.*\\.)?(%s)", pattern);
    int fit = pb_pattern_matches(whole, r->module);
    r->failed = r->failed || fit < 0;
    if (fit == 1 && isnan(pb_json_number(value, NAN)))
        r->failed = pb_error("%s: %s: '%s': want a number", r->l->a->config_path, r->key, pattern);
    if (fit == 1 && !r->failed && !r->first)
        r->first = pb_json_plain(value);
    free(whole);
    return r->failed;
}

/* PEFT writes the entries in alphabetical order and makes the tensors of an adapter that it loads after the first one
 * that fits.  Where that is another entry than the one that the adapter was made by, PEFT cannot load it, and the same
 * change of order would be invisible in alpha_pattern. */
static int check_rows(const pattern_reader *r, const char *key, const char *usual, long long rows)
{
    const char *value = r->first ? r->first : usual;
    if (value && strtod(value, NULL) == (double)rows)
        return 0;
    return pb_error("%s: '%s': has rank %lld; %s and %s of adapter_config.json say %s", r->l->a->file_path, r->module,
                    rows, key, r->key, value ? value : "nothing");
}

static int add_pattern(pb_loading *l, const pb_peft_key *k, const pb_module *mod, const char *usual, pb_text *list)
{
    pattern_reader r = {.l = l, .key = k->pattern, .module = mod->local};
    const pb_array *t = k->rows ? pb_loading_tensor(l, mod, pb_loading_theirs(mod, &l->peft->tensors[0])) : NULL;
    pb_site site = pb_loading_site(mod);
    pb_json_each(pb_json_get(l->config, k->pattern), read_pattern, &r);
    int rc = r.failed || (t && check_rows(&r, k->key, usual, (long long)t->shape[0])) ? -1 : 0;
    if (!rc && r.first)
        pb_text_add(list, "%s%d.%s=%s", list->length ? " " : "", site.layer, site.role, r.first);
    free(r.first);
    return rc;
}

static int set_pattern(pb_loading *l, const pb_peft_key *k, const char *usual)
{
    pb_text list = {0};
    int rc = 0;
    for (size_t i = 0; i < l->modules && !rc; i++)
        if (l->module[i].targeted)
            rc = add_pattern(l, k, &l->module[i], usual, &list);
    rc = rc || set(l, k->pattern, k->pattern_option, list.data ? list.data : "") ? -1 : 0;
    pb_text_free(&list);
    return rc;
}

char *pb_adapter_value(const pb_adapter *a, const char *key)
{
    const pb_json *v = pb_json_get(pb_json_root(a->doc), key);
    const pb_field *f = pb_field_find(a->type, key);
    if (v && !pb_json_is_null(v))
        return pb_json_plain(v);
    return f ? pb_strdup(f->preset) : NULL;
}

bool pb_adapter_flag(const pb_adapter *a, const char *key)
{
    char *value = pb_adapter_value(a, key);
    bool on = value && !strcmp(value, "true");
    free(value);
    return on;
}

static int set_keys(pb_loading *l)
{
    for (const pb_peft_key *k = l->peft->keys; k->key; k++) {
        char *value = pb_adapter_value(l->a, k->key);
        int rc = (value && set(l, k->key, k->option, value)) || (k->pattern && set_pattern(l, k, value)) ? -1 : 0;
        free(value);
        if (rc)
            return -1;
    }
    for (const pb_peft_tensor *s = l->peft->loaded; s && s->ours; s++)
        if (set(l, s->ours, s->ours, s->theirs))
            return -1;
    return 0;
}

/* The projections of the layers that the config targets, and those of them whose input is meant. */
static int set_targets(pb_loading *l)
{
    pb_text targets = {0}, inputs = {0};
    int rc = 0;
    for (size_t i = 0; i < l->modules && !rc; i++) {
        const pb_module *mod = &l->module[i];
        if (!mod->targeted || !l->peft->tensors[0].theirs)
            continue;
        pb_site site = pb_loading_site(mod);
        const pb_array *t = pb_loading_tensor(l, mod, pb_loading_theirs(mod, &l->peft->tensors[0]));
        if (mod->site)
            pb_text_add(&targets, "%s%d.%s", targets.length ? " " : "", site.layer, site.role);
        if (mod->feedforward)
            pb_text_add(&inputs, "%s%d.%s", inputs.length ? " " : "", site.layer, site.role);
        if (l->peft->input_option && t->count > 1 && (t->shape[0] == 1) != mod->feedforward)
            rc = pb_error("%s: '%s': is about %s, but feedforward_modules says the other", l->a->file_path, t->name,
                          t->shape[0] == 1 ? "what comes in" : "what goes out");
    }
    rc = rc || set(l, "target_modules", "targets", targets.data ? targets.data : "") ||
                 (l->peft->input_option &&
                  set(l, "feedforward_modules", l->peft->input_option, inputs.data ? inputs.data : ""))
             ? -1
             : 0;
    pb_text_free(&targets);
    pb_text_free(&inputs);
    return rc;
}

/* ---- values ------------------------------------------------------------------------------------------- */

int pb_loading_take(const pb_loading *l, pb_param *p, const pb_array *t, bool transposed)
{
    int rows = transposed ? p->cols : p->rows, cols = transposed ? p->rows : p->cols;
    size_t count = (size_t)rows * (size_t)cols;
    bool same = t->dims == 2 && t->shape[0] == rows && t->shape[1] == cols;
    bool vector = p->rows == 1 && t->count == count && (t->dims == 1 || (t->dims == 2 && t->shape[1] == 1));
    if (!same && !vector)
        return pb_error("%s: '%s': want shape [%d,%d]", l->a->file_path, t->name, rows, cols);
    p->drawn = false;
    if (!transposed)
        return pb_array_reals(t, 0, t->count, p->x);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < cols; j++)
            if (pb_array_reals(t, (size_t)i * (size_t)cols + (size_t)j, 1, &p->x[(size_t)j * (size_t)rows + (size_t)i]))
                return -1;
    return 0;
}

static int take_sites(pb_loading *l)
{
    for (size_t i = 0; i < l->modules; i++) {
        const pb_module *mod = &l->module[i];
        for (const pb_peft_tensor *t = l->peft->tensors; mod->targeted && mod->site && t->ours; t++) {
            pb_param *p = pb_model_find(l->m, pb_arena_format(l->m->arena, "layer.%d.%s.%s.%s", mod->site->layer,
                                                              mod->site->role, l->a->method->name, t->ours));
            const pb_array *array = p ? pb_loading_tensor(l, mod, t->theirs) : NULL;
            if (p && !array)
                return pb_error("%s: no tensor 'base_model.model.%s.%s'", l->a->file_path, mod->local, t->theirs);
            if (p && pb_loading_take(l, p, array, false))
                return -1;
        }
    }
    return 0;
}

/* [P, 2 layers, kv]: of layer l the keys at 2l, the values at 2l+1. */
static int take_prefix(pb_loading *l)
{
    const pb_array *t = find(l, "prompt_embeddings");
    int width = pb_model_kv_width(l->m), layers = l->m->config.layers;
    if (!t || t->dims != 2 || t->shape[1] != (int64_t)2 * layers * width)
        return pb_error("%s: prompt_embeddings: want a tensor [tokens, %d]", l->a->file_path, 2 * layers * width);
    for (int k = 0; k < 2 * layers; k++) {
        pb_param *p = pb_model_find(
            l->m, pb_arena_format(l->m->arena, "layer.%d.attn.%s.%s", k / 2, l->a->method->name, k % 2 ? "v" : "k"));
        if (!p || p->rows != t->shape[0])
            return pb_error("%s: prompt_embeddings: want num_virtual_tokens rows", l->a->file_path);
        for (int r = 0; r < p->rows; r++)
            if (pb_array_reals(t, ((size_t)r * (size_t)(2 * layers) + (size_t)k) * (size_t)width, (size_t)width,
                               p->x + (size_t)r * (size_t)width))
                return -1;
    }
    return 0;
}

static int take_prompt(pb_loading *l)
{
    const pb_array *t = find(l, l->peft->tensors[0].theirs);
    pb_param *p =
        pb_model_find(l->m, pb_arena_format(l->m->arena, "%s.%s", l->a->method->name, l->peft->tensors[0].ours));
    return t && p ? pb_loading_take(l, p, t, false)
                  : pb_error("%s: no tensor '%s'", l->a->file_path, l->peft->tensors[0].theirs);
}

static int take_method(pb_loading *l)
{
    switch (l->peft->layout) {
    case PB_PEFT_SITES: return take_sites(l);
    case PB_PEFT_PREFIX: return take_prefix(l);
    case PB_PEFT_PROMPT: return take_prompt(l);
    case PB_PEFT_NORMS: return 0; /* whole modules, as those of modules_to_save */
    }
    PB_BUG("layout %d", (int)l->peft->layout);
}

/* ---- attaching --------------------------------------------------------------------------------------------- */

/* An adapter written here says which weights it is for. */
static int check_base(const pb_loading *l, bool force)
{
    const char *wanted = pb_weights_metadata(l->a->file, "base_sha256");
    if (!wanted || force)
        return 0;
    pb_digest base = pb_model_digest(l->m);
    return strcmp(wanted, base.hex) ? pb_error("%s: made for weights of SHA-256 %s, but %s has %s; --force takes it",
                                               l->a->file_path, wanted, pb_model_dir(l->m), base.hex)
                                    : 0;
}

/* So does one made here say what its head's classes are called. */
static int name_classes(const pb_loading *l)
{
    const char *names = pb_weights_metadata(l->a->file, "classes");
    return names ? pb_model_name_classes(l->m, names) : 0;
}

/* What PEFT has written of the shape of the network is what it reads it by. */
static int check_sizes(const pb_loading *l)
{
    const pb_config *c = &l->m->config;
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

static int attach(pb_loading *l, bool force)
{
    pb_attached part = {.method = l->a->method, .conf = l->a->conf};
    bool sites = l->peft->layout == PB_PEFT_SITES, norms = l->peft->layout == PB_PEFT_NORMS;
    l->m->targets_elsewhere = true;
    return check_base(l, force) || pb_loading_modules(l) || (!sites && !norms && check_sizes(l)) ||
                   pb_loading_resize(l) || set_keys(l) || (sites && set_targets(l)) ||
                   pb_model_attach(l->m, &part, 1) || take_method(l) || pb_loading_base(l) || name_classes(l)
               ? -1
               : 0;
}

int pb_adapter_attach(pb_model *m, const pb_adapter *a, bool force)
{
    pb_loading l = {.a = a, .config = pb_json_root(a->doc), .peft = a->method->peft, .m = m};
    l.used = pb_alloc(pb_weights_count(a->file) + 1);
    int rc = attach(&l, force);
    free(l.used);
    free(l.module);
    return rc;
}
