/* adapter_targets: which modules of the model an adapter's config names, by PEFT's rules. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tokenizer/pattern.h"
#include "model/adapter_fields.h"
#include "model/adapter_format.h"
#include "model/adapter_load.h"

/* The modules that PEFT targets in these families if the config names none.  check_fields.py reads the table. */
/* clang-format off */
static const struct {
    const char *kind, *families, *names;
} default_targets[] = {
    {"LORA", "bert roberta", "query value"},
    {"LORA", "gpt2", "c_attn"},
    {"LORA", "llama mistral qwen2 qwen3", "q_proj v_proj"},
    {"ADALORA", "bert", "query value"},
    {"ADALORA", "roberta", "query key value dense"},
    {"ADALORA", "gpt2", "c_attn"},
    {"ADALORA", "llama qwen2 qwen3", "q_proj v_proj"},
    {"IA3", "bert roberta", "key value output.dense"},
    {"IA3", "gpt2", "c_attn mlp.c_proj"},
    {"IA3", "llama mistral", "k_proj v_proj down_proj"},
    {"IA3", "qwen2 qwen3", "q_proj v_proj down_proj"},
    {"IA3 feedforward", "bert roberta", "output.dense"},
    {"IA3 feedforward", "gpt2", "mlp.c_proj"},
    {"IA3 feedforward", "llama mistral qwen2 qwen3", "down_proj"},
    {"LN_TUNING", "gpt2", "ln_1 ln_2 ln_f"},
    {"LN_TUNING", "llama mistral", "input_layernorm post_attention_layernorm norm"},
    {"LN_TUNING", "qwen2 qwen3", "post_attention_layernorm"},
};
/* clang-format on */

/* ---- the modules of a model ----------------------------------------------------------------------------- */

/* The parameter whose tensor in a checkpoint has the name of the module followed by `what`; NULL if there is none. */
static pb_param *find_by_origin(const pb_model *m, const char *module, const char *what)
{
    size_t n = strlen(module);
    for (size_t i = 0; i < m->params; i++)
        if (m->origin[i] && !strncmp(m->origin[i], module, n) && !strcmp(m->origin[i] + n, what))
            return m->param[i];
    return NULL;
}

static pb_site *site_of(const pb_model *m, const pb_param *w)
{
    for (int i = 0; i < m->config.layers * SITES; i++) {
        pb_site *s = &m->layer[i / SITES].site[i % SITES];
        if (s->out && s->w == w)
            return s;
    }
    return NULL;
}

static void add_module(pb_loading *l, const char *name, pb_param *w, bool output)
{
    pb_model *m = l->m;
    pb_grow(&l->module, l->modules, &l->capacity, sizeof *l->module);
    l->module[l->modules++] = (pb_module){
        .name = name,
        .local = name,
        .kind = w->kind == PB_NORM_GAIN              ? PB_MODULE_NORM
                : w->kind == PB_EMBEDDING && !output ? PB_MODULE_EMBEDDING
                                                     : PB_MODULE_LINEAR,
        .w = w,
        .b = output ? m->head_b : find_by_origin(m, name, ".bias"),
        .site = site_of(m, w),
        .is_word_embedding = w == m->word && !output,
        .is_lm_head = output,
    };
}

static void list_modules(pb_loading *l)
{
    pb_model *m = l->m;
    bool language = m->head == PB_HEAD_CAUSAL || m->head == PB_HEAD_MASKED;
    for (size_t i = 0; i < m->params; i++) {
        const char *origin = m->origin[i];
        if (origin && pb_ends_in(origin, ".weight"))
            add_module(l, pb_arena_format(m->arena, "%.*s", (int)(strlen(origin) - strlen(".weight")), origin),
                       m->param[i], language && m->param[i] == m->head_w && m->head_w != m->word);
    }
    if (pb_loading_is_tied(l))
        add_module(l, m->config.family->masked.out, m->word, true);
}

/* True if a tensor's name begins with `prefix`, after the part that PEFT puts before all names. */
static bool has_prefix(const pb_loading *l, const char *prefix)
{
    static const char before[] = "base_model.model.";
    for (size_t i = 0; i < pb_weights_count(l->a->weights); i++) {
        const char *name = pb_weights_at(l->a->weights, i)->name;
        if (!strncmp(name, before, strlen(before)) && !strncmp(name + strlen(before), prefix, strlen(prefix)))
            return true;
    }
    return false;
}

/* In an adapter that was trained on a model without a head, the names of modules lack "bert.". */
static void set_local_names(pb_loading *l)
{
    const char *prefix = l->m->config.family->prefix;
    size_t n = strlen(prefix);
    bool bare = false;
    for (size_t i = 0; i < l->modules && !bare && !has_prefix(l, prefix); i++)
        if (!strncmp(l->module[i].name, prefix, n))
            bare = has_prefix(l, pb_arena_format(l->m->arena, "%s.", l->module[i].name + n));
    for (size_t i = 0; i < l->modules && bare; i++)
        if (!strncmp(l->module[i].name, prefix, n))
            l->module[i].local = l->module[i].name + n;
}

/* ---- the config's rules ------------------------------------------------------------------------------------ */

/* Element i of the JSON list `list` or, if that is NULL, word i of `words`.  NULL past the last one; "" for an element
 * that is not a text. */
static const char *word_at(pb_loading *l, const pb_json *list, const char *words, size_t i)
{
    if (list)
        return i < pb_json_size(list) ? pb_json_text(pb_json_at(list, i), "") : NULL;
    for (; words && i > 0; i--)
        words = strchr(words, ' ') ? strchr(words, ' ') + 1 : NULL;
    return words ? pb_arena_format(l->m->arena, "%.*s", (int)strcspn(words, " "), words) : NULL;
}

/* PEFT's default for target_modules, or for feedforward_modules; NULL if it has none for this family. */
static const char *default_names(const pb_loading *l, bool feedforward)
{
    char *family = pb_format(" %s ", l->m->config.family->type);
    char *kind = pb_format("%s%s", l->a->type, feedforward ? " feedforward" : "");
    const char *found = NULL;
    for (size_t i = 0; i < PB_COUNT(default_targets) && !found; i++) {
        char *families = pb_format(" %s ", default_targets[i].families);
        if (!strcmp(default_targets[i].kind, kind) && strstr(families, family))
            found = default_targets[i].names;
        free(families);
    }
    free(kind);
    free(family);
    return found;
}

static const pb_json *config_member(const pb_loading *l, const char *key)
{
    const pb_json *v = pb_json_get(l->config, key);
    return v && !pb_json_is_null(v) ? v : NULL;
}

static int matches(const pb_loading *l, const char *key, const char *pattern, const char *name)
{
    int fit = pb_pattern_matches(pattern, name);
    return fit < 0 ? pb_loading_config_error(l, key) : fit;
}

/* True if the target is the name, or the end of the name after a dot. */
static bool is_named(const char *name, const char *target)
{
    size_t n = strlen(name), k = strlen(target);
    return pb_ends_in(name, target) && (n == k || name[n - k - 1] == '.');
}

/* Name i of modules_to_save, followed by those that PEFT adds for classifiers; NULL past the last one. */
static const char *saved_name(pb_loading *l, size_t i)
{
    const pb_json *list = config_member(l, "modules_to_save");
    const char *task = pb_json_text(pb_json_get(l->config, "task_type"), "");
    bool classes = pb_peft_saves_modules(l->peft) && (!strcmp(task, "SEQ_CLS") || !strcmp(task, "TOKEN_CLS"));
    return i < pb_json_size(list) ? word_at(l, list, NULL, i)
           : classes              ? word_at(l, NULL, "classifier score", i - pb_json_size(list))
                                  : NULL;
}

/* A module is saved whole if its name, or that of a module that contains it, ends in one of the names, with or without
 * a dot in front. */
static bool is_saved(pb_loading *l, const char *name)
{
    const char *saved;
    for (size_t i = 0; (saved = saved_name(l, i)); i++)
        for (const char *end = name; *saved && *end; end += *end == '.') {
            end += strcspn(end, ".");
            if (pb_ends_in(pb_arena_format(l->m->arena, "%.*s", (int)(end - name), name), saved))
                return true;
        }
    return false;
}

/* 1 if the module is excluded by exclude_modules, or because it is saved whole; -1 with an error. */
static int is_excluded(pb_loading *l, const char *name)
{
    const pb_json *v = config_member(l, "exclude_modules");
    const char *pattern = pb_json_text(v, NULL), *word;
    int fit = pattern && *pattern ? matches(l, "exclude_modules", pattern, name) : 0;
    for (size_t i = 0; !fit && pb_json_is_array(v) && (word = word_at(l, v, NULL, i)); i++)
        fit = is_named(name, word);
    for (size_t i = 0; !fit && (word = saved_name(l, i)); i++)
        fit = matches(l, "modules_to_save", pb_arena_format(l->m->arena, "(^|.*\\.)%s($|\\..*)", word), name);
    return fit;
}

/* The first part of a name that is a whole number and has at least two parts before it; -1 if there is none. */
static long long first_number(const char *name)
{
    for (int part = 0; name; part++) {
        size_t n = strcspn(name, ".");
        if (part >= 2 && n && strspn(name, "0123456789") == n && name[n])
            return strtoll(name, NULL, 10);
        name = name[n] ? name + n + 1 : NULL;
    }
    return -1;
}

/* The layer of a module by the names of layers_pattern; -1 if it is in none, -2 with an error. */
static long long layer_of(pb_loading *l, const pb_module *mod)
{
    const pb_json *v = config_member(l, "layers_pattern");
    const char *text = pb_json_text(v, NULL), *word;
    if (text ? !*text : !pb_json_size(v))
        return first_number(mod->local);
    if (!mod->site)
        return -1;
    int fit = 0;
    for (size_t i = 0; !fit && (word = text ? i ? NULL : text : word_at(l, v, NULL, i)); i++)
        fit = matches(l, "layers_pattern",
                      pb_arena_format(l->m->arena, "(?:^|.*?\\.)%s\\.%d\\..*", word, mod->site->layer), mod->local);
    return fit < 0 ? -2 : fit ? mod->site->layer : -1;
}

/* 1 if layers_to_transform is not set or names the module's layer, 0 otherwise; -1 with an error. */
static int in_layers(pb_loading *l, const pb_module *mod)
{
    const pb_json *v = config_member(l, "layers_to_transform");
    if (!v || (pb_json_is_array(v) && !pb_json_size(v)))
        return 1;
    long long layer = layer_of(l, mod);
    if (layer < 0)
        return layer == -2 ? -1 : 0;
    if (!pb_json_is_array(v))
        return pb_json_integer(v, -1) == layer;
    for (size_t i = 0; i < pb_json_size(v); i++)
        if (pb_json_integer(pb_json_at(v, i), -1) == layer)
            return 1;
    return 0;
}

/* "all-linear" stands for every linear layer, except that of the logits and a classifier's head that is one layer. */
static bool is_linear(const pb_loading *l, const pb_module *mod)
{
    bool head = l->m->head == PB_HEAD_CLASSES && (!strcmp(mod->name, "score") || !strcmp(mod->name, "classifier"));
    return mod->kind == PB_MODULE_LINEAR && !mod->is_lm_head && !head;
}

static int is_targeted(pb_loading *l, const pb_module *mod)
{
    const pb_json *v = config_member(l, "target_modules");
    const char *pattern = pb_json_text(v, NULL), *word;
    const char *names = v ? NULL : default_names(l, false);
    int fit = is_excluded(l, mod->local);
    if (fit)
        return fit < 0 ? -1 : 0;
    if (pattern)
        return strcasecmp(pattern, "all-linear") ? matches(l, "target_modules", pattern, mod->local)
                                                 : is_linear(l, mod);
    for (size_t i = 0; (word = word_at(l, v, names, i)); i++)
        if (!strcmp(mod->local, word))
            return 1;
    for (size_t i = 0; !fit && (word = word_at(l, v, names, i)); i++)
        fit = is_named(mod->local, word);
    return fit ? in_layers(l, mod) : 0;
}

/* True if feedforward_modules names the module, with or without a dot in front. */
static int is_feedforward(pb_loading *l, const pb_module *mod)
{
    const pb_json *v = config_member(l, "feedforward_modules");
    const char *pattern = pb_json_text(v, NULL), *word;
    const char *names = v ? NULL : default_names(l, true);
    int fit = pattern ? matches(l, "feedforward_modules", pattern, mod->local) : 0;
    for (size_t i = 0; !fit && !pattern && (word = word_at(l, v, names, i)); i++)
        fit = pb_ends_in(mod->local, word);
    return fit;
}

/* ---- the config compared with the file -------------------------------------------------------------------------- */

/* The name of a tensor of the method that the file has for this module; NULL if it has none. */
static const char *find_method_tensor(pb_loading *l, const pb_module *mod)
{
    for (const pb_peft_tensor *t = l->peft->tensors; t->ours; t++) {
        const char *theirs = pb_loading_tensor_name(mod, t);
        char *name = pb_arena_format(l->m->arena, "base_model.model.%s.%s%s", mod->local, theirs ? theirs : "",
                                     l->peft->layout == PB_PEFT_NORMS ? ".weight" : "");
        if (theirs && pb_weights_find(l->a->weights, name))
            return name;
    }
    return NULL;
}

/* The first tensor that the method has at each module; NULL if all are of the model. */
static const pb_peft_tensor *first_at_modules(const pb_peft *peft)
{
    const pb_peft_tensor *t = peft->tensors;
    while (t->ours && (!t->theirs || (t->of_model && !t->part)))
        t++;
    return t->ours ? t : NULL;
}

static int check_module(pb_loading *l, const pb_module *mod)
{
    const pb_peft_tensor *first = first_at_modules(l->peft);
    const char *found = find_method_tensor(l, mod), *kind = l->peft->type;
    if (mod->targeted && l->peft->layout == PB_PEFT_SITES &&
        (mod->kind == PB_MODULE_NORM || !(first ? pb_loading_tensor_name(mod, first) != NULL : mod->site != NULL)))
        return pb_error("%s: target_modules: names '%s', a module that PEFT has no %s for", l->a->config_path,
                        mod->local, kind);
    if (mod->targeted && !found && first)
        return pb_error("%s: no tensor of '%s', which target_modules of adapter_config.json names", l->a->file_path,
                        mod->local);
    if (!mod->targeted && found)
        return pb_error("%s: '%s': adapter_config.json does not target this module", l->a->file_path, found);
    return 0;
}

static int choose_targets(pb_loading *l)
{
    bool any = false;
    const pb_json *targets = config_member(l, "target_modules");
    if (pb_json_text(targets, NULL) && (config_member(l, "layers_to_transform") || config_member(l, "layers_pattern")))
        return pb_error("%s: layers_to_transform: want null where target_modules is a text", l->a->config_path);
    if (!targets && !default_names(l, false))
        return pb_error("%s: target_modules: want the names of modules; PEFT has no default for a %s",
                        l->a->config_path, pb_model_family(l->m));
    if (l->peft->input_option && !config_member(l, "feedforward_modules") && !default_names(l, true))
        return pb_error("%s: feedforward_modules: want the names of modules; PEFT has no default for a %s",
                        l->a->config_path, pb_model_family(l->m));
    for (size_t i = 0; i < l->modules; i++) {
        pb_module *mod = &l->module[i];
        int fit = is_targeted(l, mod), forward = fit > 0 && l->peft->input_option ? is_feedforward(l, mod) : 0;
        if (fit < 0 || forward < 0)
            return -1;
        mod->targeted = fit;
        mod->feedforward = forward;
        any = any || fit;
    }
    if (!any)
        return pb_error("%s: target_modules: names no module of a %s", l->a->config_path, pb_model_family(l->m));
    for (size_t i = 0; i < l->modules; i++)
        if (l->module[i].targeted && pb_loading_stays_tied(l, &l->module[i]))
            return pb_error(
                "%s: ensure_weight_tying: PEFT does not load an update of a tied table as it saved it, so this is "
                "not supported; want false, or the table in modules_to_save",
                l->a->config_path);
    for (size_t i = 0; i < l->modules; i++)
        if (check_module(l, &l->module[i]))
            return -1;
    return 0;
}

/* The one module that rows are read of is the table of word embeddings, which PEFT takes by default. */
static int choose_table(pb_loading *l)
{
    bool named = config_member(l, "target_modules") != NULL, any = false;
    for (size_t i = 0; i < l->modules; i++) {
        pb_module *mod = &l->module[i];
        int fit = named ? is_targeted(l, mod) : mod->is_word_embedding;
        if (fit < 0)
            return -1;
        if (fit && !mod->is_word_embedding)
            return pb_error("%s: target_modules: names '%s'; rows of the table of word embeddings only are supported",
                            l->a->config_path, mod->local);
        mod->targeted = fit;
        any = any || fit;
    }
    return any ? 0 : pb_error("%s: target_modules: names no table of a %s", l->a->config_path, pb_model_family(l->m));
}

/* target_modules is the last part of the attentions' names, or null. */
static int check_attention_name(const pb_loading *l)
{
    const char *attention = pb_peft_parent(l->m, l->m->layer[0].site[O].module), *last = strrchr(attention, '.') + 1;
    const pb_json *v = config_member(l, "target_modules");
    return !v || !strcmp(pb_json_text(v, ""), last)
               ? 0
               : pb_error("%s: target_modules: want \"%s\" or null", l->a->config_path, last);
}

/* Lists of names must contain texts only. */
static int check_lists(const pb_loading *l)
{
    static const char *const keys[] = {"target_modules", "exclude_modules", "modules_to_save", "feedforward_modules",
                                       "layers_pattern"};
    for (size_t k = 0; k < PB_COUNT(keys); k++) {
        const pb_json *v = config_member(l, keys[k]);
        for (size_t i = 0; pb_json_is_array(v) && i < pb_json_size(v); i++)
            if (!pb_json_text(pb_json_at(v, i), NULL))
                return pb_error("%s: %s: want texts in the list", l->a->config_path, keys[k]);
    }
    return 0;
}

/* PEFT looks the words of a prompted text up in the base's table, even if the adapter has saved another one. */
static int check_prompt(const pb_loading *l)
{
    for (size_t i = 0; i < l->modules; i++)
        if (l->module[i].is_word_embedding && l->module[i].saved)
            return pb_error("%s: modules_to_save: '%s', which PEFT does not use together with %s, is not supported",
                            l->a->config_path, l->module[i].local, l->a->type);
    return 0;
}

int pb_loading_list_modules(pb_loading *l)
{
    l->was_tied = pb_loading_is_tied(l);
    list_modules(l);
    set_local_names(l);
    if (check_lists(l))
        return -1;
    for (size_t i = 0; i < l->modules; i++)
        l->module[i].saved = is_saved(l, l->module[i].local);
    switch (l->peft->layout) {
    case PB_PEFT_PREFIX: return 0;
    case PB_PEFT_TOKENS: return choose_table(l);
    case PB_PEFT_ATTENTIONS: return check_attention_name(l);
    default: break;
    }
    return pb_peft_is_prompt(l->peft) ? check_prompt(l) : choose_targets(l);
}
