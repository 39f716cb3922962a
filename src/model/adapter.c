/* adapter: reading a PEFT folder onto a model. */
#include "model/adapter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "files/pattern.h"
#include "model/adapter_fields.h"
#include "model/internal.h"

struct pb_adapter {
    char *config_path, *file_path;
    pb_json_doc *doc;
    pb_safetensors *file;
    const pb_method *method;
    void *conf; /* as attached; texts are owned */
};

/* ---- opening ------------------------------------------------------------------------------------------ */

static bool is_type(const pb_peft *p, const char *type)
{
    return p && (!strcmp(p->type, type) || (p->also && !strcmp(p->also, type)));
}

static int find_method(pb_adapter *a)
{
    const char *type = pb_json_text(pb_json_get(pb_json_root(a->doc), "peft_type"), "");
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

/* torch's pickle may hold any program, and is read no further than its name. */
static int open_tensors(pb_adapter *a)
{
    char *pickle =
        pb_format("%.*sadapter_model.bin", (int)(strrchr(a->file_path, '/') + 1 - a->file_path), a->file_path);
    bool old = !pb_file_exists(a->file_path) && pb_file_exists(pickle);
    if (old)
        pb_error("%s: want adapter_model.safetensors, got a pickle of torch; in Python: safetensors.torch.save_file("
                 "torch.load('adapter_model.bin', weights_only=True), 'adapter_model.safetensors')",
                 pickle);
    free(pickle);
    return old || !(a->file = pb_safetensors_open(a->file_path)) ? -1 : 0;
}

pb_adapter *pb_adapter_open(const char *dir)
{
    pb_adapter *a = pb_alloc(sizeof *a);
    a->config_path = pb_format("%s/adapter_config.json", dir);
    a->file_path = pb_format("%s/adapter_model.safetensors", dir);
    if ((a->doc = pb_json_read(a->config_path)) && !find_method(a) &&
        !pb_fields_check(a->config_path, pb_json_root(a->doc), a->method->peft) && !open_tensors(a)) {
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
    if (a->file)
        pb_safetensors_close(a->file);
    pb_json_free(a->doc);
    free(a->conf);
    free(a->config_path);
    free(a->file_path);
    free(a);
}

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && !strcmp(text + n - k, end);
}

int pb_adapter_classes(const pb_adapter *a)
{
    static const char *const heads[] = {"model.classifier.weight", "model.classifier.out_proj.weight",
                                        "model.score.weight"};
    for (size_t i = 0; i < pb_safetensors_count(a->file); i++)
        for (size_t k = 0; k < PB_COUNT(heads); k++)
            if (ends_in(pb_safetensors_at(a->file, i)->name, heads[k]))
                return (int)pb_safetensors_at(a->file, i)->shape[0];
    return 0;
}

const pb_method *pb_adapter_method(const pb_adapter *a)
{
    return a->method;
}

/* The value of an option of the attached method at a site, its patterns looked at. */
static double value_at(const pb_adapter *a, const char *option, const char *patterns, const pb_site *site)
{
    pb_text usual = {0}, list = {0};
    pb_option_print(pb_option_find(a->method->options, option), a->conf, &usual);
    pb_option_print(pb_option_find(a->method->options, patterns), a->conf, &list);
    double value = pb_at_site(list.data, site, strtod(usual.data, NULL));
    pb_text_free(&usual);
    pb_text_free(&list);
    return value;
}

double pb_adapter_scale(const pb_adapter *a, const pb_site *site)
{
    double rank = value_at(a, "rank", "rank_pattern", site), alpha = value_at(a, "alpha", "alpha_pattern", site);
    return alpha / (pb_json_bool(pb_json_get(pb_json_root(a->doc), "use_rslora"), false) ? sqrt(rank) : rank);
}

/* ---- settings ----------------------------------------------------------------------------------------- */

typedef struct loading {
    const pb_adapter *a;
    const pb_peft *peft;
    pb_model *m;
    bool *used; /* tensors that have found their place */
    bool failed;
} loading;

static const pb_array *find_tensor(loading *l, const char *name)
{
    const pb_array *t = pb_safetensors_find(l->a->file, name);
    for (size_t i = 0; t && i < pb_safetensors_count(l->a->file); i++)
        l->used[i] |= pb_safetensors_at(l->a->file, i) == t;
    return t;
}

/* A tensor of a module, which a bare network calls by a name without the prefix. */
static const pb_array *module_tensor(loading *l, const char *module, const char *theirs)
{
    const char *prefix = l->m->config.family->prefix;
    size_t n = strncmp(module, prefix, strlen(prefix)) ? 0 : strlen(prefix);
    const pb_array *t = find_tensor(l, pb_arena_format(l->m->arena, "base_model.model.%s.%s", module, theirs));
    return t || !n ? t : find_tensor(l, pb_arena_format(l->m->arena, "base_model.model.%s.%s", module + n, theirs));
}

static int set(loading *l, const char *key, const char *option, const char *value)
{
    if (!pb_option_set(l->a->method->options, l->a->conf, option, value))
        return 0;
    char *cause = pb_strdup(pb_error_text());
    pb_error_clear();
    pb_error("%s: %s: %s", l->a->config_path, key, cause);
    free(cause);
    return -1;
}

typedef struct pattern_reader {
    loading *l;
    const pb_site *site;
    const char *key;
    pb_text *out;
} pattern_reader;

/* The first entry that fits counts, as in PEFT; but a number of rows is what the tensor has (PEFT
 * writes the entries in another order than it took them). */
static int read_pattern(void *ctx, const char *pattern, const pb_json *value)
{
    pattern_reader *r = ctx;
    char *whole = pb_format("(.*\\.)?(%s)", pattern), *number = pb_json_plain(value);
    int fit = pb_pattern_matches(whole, r->site->module);
    if (fit < 0)
        r->l->failed = true;
    if (fit == 1 && number)
        pb_text_add(r->out, "%s%d.%s=%s", r->out->length ? " " : "", r->site->layer, r->site->role, number);
    free(whole);
    free(number);
    return fit;
}

static int set_pattern(loading *l, const pb_peft_key *k)
{
    const pb_json *patterns = pb_json_get(pb_json_root(l->a->doc), k->pattern);
    pb_text list = {0};
    int sites = l->m->config.layers * SITES;
    for (int i = 0; i < sites && !l->failed; i++) {
        const pb_site *s = &l->m->layer[i / SITES].site[i % SITES];
        const pb_array *t = s->out && k->rows ? module_tensor(l, s->module, l->peft->tensors[0].theirs) : NULL;
        pattern_reader r = {l, s, k->pattern, &list};
        if (t)
            pb_text_add(&list, "%s%d.%s=%lld", list.length ? " " : "", s->layer, s->role, (long long)t->shape[0]);
        else if (s->out && !k->rows)
            pb_json_each(patterns, read_pattern, &r);
    }
    int rc = l->failed ? -1 : set(l, k->pattern, k->pattern_option, list.data ? list.data : "");
    pb_text_free(&list);
    return rc;
}

/* What the config says, else PEFT's default; caller frees.  NULL: neither. */
static char *value_of(const pb_adapter *a, const char *key)
{
    const pb_json *root = pb_json_root(a->doc), *v = pb_json_get(root, key);
    const pb_field *f = pb_field_find(pb_json_text(pb_json_get(root, "peft_type"), ""), key);
    if (v && !pb_json_is_null(v))
        return pb_json_plain(v);
    return f ? pb_strdup(f->preset) : NULL;
}

static int set_keys(loading *l)
{
    for (const pb_peft_key *k = l->peft->keys; k->key; k++) {
        char *value = value_of(l->a, k->key);
        int rc = value ? set(l, k->key, k->option, value) : 0;
        free(value);
        if (rc || (k->pattern && set_pattern(l, k)))
            return -1;
    }
    for (const pb_peft_tensor *s = l->peft->loaded; s && s->ours; s++)
        if (set(l, s->ours, s->ours, s->theirs))
            return -1;
    return 0;
}

/* The file itself says which projections are adapted: those that it has tensors for.  A tensor that
 * is one row belongs to what comes into the projection. */
static int set_targets(loading *l)
{
    pb_text targets = {0}, inputs = {0};
    const char *first = l->peft->tensors[0].theirs;
    for (int i = 0; i < l->m->config.layers * SITES; i++) {
        const pb_site *s = &l->m->layer[i / SITES].site[i % SITES];
        const pb_array *t = s->out ? module_tensor(l, s->module, first) : NULL;
        if (!t)
            continue;
        pb_text_add(&targets, "%s%d.%s", targets.length ? " " : "", s->layer, s->role);
        if (t->dims == 2 && t->shape[0] == 1)
            pb_text_add(&inputs, "%s%d.%s", inputs.length ? " " : "", s->layer, s->role);
    }
    int rc = targets.length ? set(l, "target_modules", "targets", targets.data)
                            : pb_error("%s: no tensor '..%s' of a projection of this model", l->a->file_path, first);
    if (!rc && l->peft->input_option)
        rc = set(l, "feedforward_modules", l->peft->input_option, inputs.data ? inputs.data : "");
    pb_text_free(&targets);
    pb_text_free(&inputs);
    return rc;
}

/* ---- values ------------------------------------------------------------------------------------------- */

static int take(loading *l, pb_param *p, const pb_array *t)
{
    size_t count = (size_t)p->rows * (size_t)p->cols;
    bool same = t->dims == 2 && t->shape[0] == p->rows && t->shape[1] == p->cols;
    bool vector = p->rows == 1 && t->count == count && (t->dims == 1 || (t->dims == 2 && t->shape[1] == 1));
    if (!same && !vector)
        return pb_error("%s: '%s': want shape [%d,%d]", l->a->file_path, t->name, p->rows, p->cols);
    p->drawn = false;
    return pb_array_reals(t, 0, t->count, p->x);
}

static int take_sites(loading *l)
{
    for (int i = 0; i < l->m->config.layers * SITES; i++) {
        const pb_site *s = &l->m->layer[i / SITES].site[i % SITES];
        for (const pb_peft_tensor *t = l->peft->tensors; l->m->matches[i] && t->ours; t++) {
            pb_param *p = pb_model_find(l->m, pb_arena_format(l->m->arena, "layer.%d.%s.%s.%s", s->layer, s->role,
                                                              l->a->method->name, t->ours));
            const pb_array *array = p ? module_tensor(l, s->module, t->theirs) : NULL;
            if (p && !array)
                return pb_error("%s: no tensor 'base_model.model.%s.%s'", l->a->file_path, s->module, t->theirs);
            if (p && take(l, p, array))
                return -1;
        }
    }
    return 0;
}

/* [P, 2 layers, kv]: of layer l the keys at 2l, the values at 2l+1. */
static int take_prefix(loading *l)
{
    const pb_array *t = find_tensor(l, "prompt_embeddings");
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

static int take_prompt(loading *l)
{
    const pb_array *t = find_tensor(l, l->peft->tensors[0].theirs);
    pb_param *p =
        pb_model_find(l->m, pb_arena_format(l->m->arena, "%s.%s", l->a->method->name, l->peft->tensors[0].ours));
    return t && p ? take(l, p, t) : pb_error("%s: no tensor '%s'", l->a->file_path, l->peft->tensors[0].theirs);
}

static int take_method(loading *l)
{
    switch (l->peft->layout) {
    case PB_PEFT_SITES: return take_sites(l);
    case PB_PEFT_PREFIX: return take_prefix(l);
    case PB_PEFT_PROMPT: return take_prompt(l);
    case PB_PEFT_NORMS: return 0; /* whole modules, as those of modules_to_save */
    }
    PB_BUG("layout %d", (int)l->peft->layout);
}

/* ---- modules that were trained whole --------------------------------------------------------------------- */

/* `name` without `part`, which stands before the last dot or at the front. */
static char *without(pb_arena *arena, const char *name, const char *part)
{
    const char *at = strstr(name, part);
    return at ? pb_arena_format(arena, "%.*s%s", (int)(at - name), name, at + strlen(part))
              : pb_arena_strdup(arena, name);
}

static pb_param *find_origin(const pb_model *m, const char *name)
{
    const char *prefix = m->config.family->prefix;
    for (size_t i = 0; i < m->params; i++) {
        const char *origin = m->origin[i];
        if (origin && (!strcmp(origin, name) ||
                       (!strncmp(origin, prefix, strlen(prefix)) && !strcmp(origin + strlen(prefix), name))))
            return m->param[i];
    }
    return NULL;
}

static int take_whole(loading *l, const pb_array *t, pb_text *homeless)
{
    pb_arena *arena = l->m->arena;
    char *name = without(arena, t->name, "base_model.model.");
    name = without(arena, without(arena, name, "base_model."), ".base_layer");
    name = without(arena, name, ".ln_tuning_layers");
    pb_param *p = find_origin(l->m, name);
    if (!p) {
        pb_text_add(homeless, "%s'%s'", homeless->length ? ", " : "", t->name);
        return 0;
    }
    if (!p->trainable)
        pb_params_own(l->m, p);
    p->trainable = true;
    if (!l->m->config.family->conv1d || p->kind != PB_MATRIX || p->layer < 0)
        return take(l, p, t);
    return pb_error("%s: '%s': a module of the layers trained whole is not read for this family", l->a->file_path,
                    t->name);
}

static int take_rest(loading *l)
{
    pb_text homeless = {0};
    int rc = 0;
    for (size_t i = 0; i < pb_safetensors_count(l->a->file) && !rc; i++)
        if (!l->used[i])
            rc = take_whole(l, pb_safetensors_at(l->a->file, i), &homeless);
    if (!rc && homeless.length)
        rc = pb_error("%s: no place in a %s with %s for %s", l->a->file_path, pb_model_family(l->m), l->a->method->name,
                      homeless.data);
    pb_text_free(&homeless);
    return rc;
}

/* ---- attaching --------------------------------------------------------------------------------------------- */

/* An adapter written here says which weights it is for. */
static int check_base(const loading *l, bool force)
{
    const char *wanted = pb_safetensors_metadata(l->a->file, "base_sha256");
    if (!wanted || force)
        return 0;
    pb_digest base = pb_model_digest(l->m);
    return strcmp(wanted, base.hex) ? pb_error("%s: made for weights of SHA-256 %s, but %s has %s; --force takes it",
                                               l->a->file_path, wanted, pb_model_dir(l->m), base.hex)
                                    : 0;
}

/* So does one made here say what its head's classes are called. */
static int name_classes(const loading *l)
{
    const char *names = pb_safetensors_metadata(l->a->file, "classes");
    return names ? pb_model_name_classes(l->m, names) : 0;
}

int pb_adapter_attach(pb_model *m, const pb_adapter *a, bool force)
{
    loading l = {.a = a, .peft = a->method->peft, .m = m};
    l.used = pb_alloc(pb_safetensors_count(a->file) + 1);
    bool sites = l.peft->layout == PB_PEFT_SITES;
    pb_attached part = {.method = a->method, .conf = a->conf};
    int rc = check_base(&l, force) || set_keys(&l) || (sites && set_targets(&l)) || pb_model_attach(m, &part, 1) ||
                     take_method(&l) || take_rest(&l) || name_classes(&l)
                 ? -1
                 : 0;
    free(l.used);
    return rc;
}
