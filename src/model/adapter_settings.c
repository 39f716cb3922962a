/* adapter_settings: the settings of a method, as adapter_config.json has them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/adapter_format.h"
#include "model/adapter_load.h"
#include "tokenizer/pattern.h"

/* ---- settings ----------------------------------------------------------------------------------------- */

static int set_option(pb_loading *l, const char *key, const char *option, const char *value)
{
    return pb_option_set(l->a->method->settings.options, l->a->conf, option, value) ? pb_loading_config_error(l, key)
                                                                                    : 0;
}

/* ---- values of single modules: "rank_pattern" --------------------------------------------------------- */

typedef struct pattern_reader {
    const pb_loading *l;
    const char *key, *module;
    char *first; /* the value of the first entry that matches the module */
    bool failed;
} pattern_reader;

/* 1 if an entry's pattern matches a module as in PEFT, -1 with an error. */
static int entry_matches(const char *pattern, const char *module)
{
    char *whole = pb_format("(.*\\.)?(%s)", pattern);
    int fit = pb_pattern_matches(whole, module);
    free(whole);
    return fit;
}

/* The first entry that matches counts, as in PEFT. */
static int read_pattern(void *ctx, const char *pattern, const pb_json *value)
{
    pattern_reader *r = ctx;
    int fit = entry_matches(pattern, r->module);
    r->failed = r->failed || fit < 0;
    if (fit == 1 && isnan(pb_json_number(value, NAN)))
        r->failed = pb_error("%s: %s: '%s': want a number", r->l->a->config_path, r->key, pattern);
    if (fit == 1 && !r->failed && !r->first)
        r->first = pb_json_plain(value);
    return r->failed;
}

/* PEFT ignores an entry that matches no targeted module, with a warning where the value is a rank or an alpha.  So does
 * this for these two, whose effect on the modules that are targeted is certain.  Another entry is refused: the tensors
 * of the file cannot show what it was meant for. */
static int check_entry(void *ctx, const char *pattern, const pb_json *value)
{
    const pattern_reader *r = ctx;
    const pb_loading *l = r->l;
    const char *some = NULL;
    int fit = 0;
    (void)value;
    for (size_t i = 0; i < l->modules && !fit; i++) {
        const pb_module *mod = &l->module[i];
        some = some || !mod->targeted ? some : mod->local;
        fit = mod->targeted ? entry_matches(pattern, mod->local) : 0;
    }
    if (fit < 0)
        return pb_loading_config_error(l, r->key);
    bool ignored = !strcmp(r->key, "rank_pattern") || !strcmp(r->key, "alpha_pattern");
    if (!fit && ignored)
        pb_warn("%s: %s: '%s' matches none of the modules that are targeted, such as '%s'; it is ignored, as in PEFT",
                l->a->config_path, r->key, pattern, some);
    return fit || ignored ? 0
                          : pb_error("%s: %s: '%s' matches none of the modules that are targeted, such as '%s'",
                                     l->a->config_path, r->key, pattern, some);
}

/* PEFT writes the entries in alphabetical order, and gives the tensors of an adapter that it loads the rank of the
 * first entry that matches.  If the adapter was trained with another entry, PEFT cannot load it.  The same change of
 * order would go unnoticed in alpha_pattern. */
static int check_rows(const pattern_reader *r, const char *key, const char *standard, long long rows)
{
    const char *value = r->first ? r->first : standard;
    if (value && strtod(value, NULL) == (double)rows)
        return 0;
    return pb_error("%s: '%s': has %lld rows; %s and %s of adapter_config.json say %s", r->l->a->file_path, r->module,
                    rows, key, r->key, value ? value : "nothing");
}

static int add_pattern(pb_loading *l, const pb_peft_key *k, const pb_module *mod, const char *standard, pb_text *list)
{
    pattern_reader r = {.l = l, .key = k->pattern, .module = mod->local};
    const pb_array *t = k->rows ? pb_loading_module_tensor(l, mod, pb_loading_tensor_name(mod, &l->peft->tensors[0]))
                                : NULL;
    pb_site site = pb_loading_site(mod);
    pb_json_each(pb_json_get(l->config, k->pattern), read_pattern, &r);
    int rc = r.failed || (t && check_rows(&r, k->key, standard, (long long)t->shape[0])) ? -1 : 0;
    if (!rc && r.first)
        pb_text_add(list, "%s%d.%s=%s", list->length ? " " : "", site.layer, site.role, r.first);
    free(r.first);
    return rc;
}

static int set_pattern(pb_loading *l, const pb_peft_key *k, const char *standard)
{
    pb_text list = {0};
    int rc =
        pb_json_each(pb_json_get(l->config, k->pattern), check_entry, &(pattern_reader){.l = l, .key = k->pattern});
    for (size_t i = 0; i < l->modules && !rc; i++)
        if (l->module[i].targeted)
            rc = add_pattern(l, k, &l->module[i], standard, &list);
    rc = rc || set_option(l, k->pattern, k->pattern_option, list.data ? list.data : "") ? -1 : 0;
    pb_text_free(&list);
    return rc;
}

/* The value of a key with `words` as the setting has it, or as it is if the key has no setting. */
static int read_word(pb_loading *l, const pb_peft_key *k, char **value)
{
    char *json = pb_adapter_json(l->a, k->key), *word = NULL;
    if (json)
        word = k->option ? pb_peft_value(l->a->method, k, json) : strcmp(json, k->words) ? NULL : pb_strdup(json);
    if (json && !word)
        pb_error("%s: %s: %s: want %s, which %s has", l->a->config_path, k->key, json, k->words, l->a->method->name);
    int rc = json && !word ? -1 : 0;
    free(json);
    free(*value);
    *value = word;
    return rc;
}

/* Sets the option of a list of integers to their text, and that of their number. */
static int set_list(pb_loading *l, const pb_peft_key *k)
{
    const pb_json *list = pb_json_get(l->config, k->key);
    char *count = pb_format("%zu", pb_json_size(list));
    pb_text text = {0};
    int rc = 0;
    for (size_t i = 0; i < pb_json_size(list) && !rc; i++) {
        long long id = pb_json_integer(pb_json_at(list, i), -1);
        rc = id < 0 ? pb_error("%s: %s: want integers from 0 on", l->a->config_path, k->key) : 0;
        pb_text_add(&text, "%s%lld", i ? " " : "", id);
    }
    rc = rc || set_option(l, k->key, k->count, count) || set_option(l, k->key, k->option, text.data ? text.data : "")
             ? -1
             : 0;
    pb_text_free(&text);
    free(count);
    return rc;
}

/* A member that is absent, and for which PEFT has no default, leaves the setting's. */
static int set_key(pb_loading *l, const pb_peft_key *k)
{
    if (k->list)
        return set_list(l, k);
    char *value = pb_adapter_value(l->a, k->key), *json = pb_adapter_json(l->a, k->key);
    bool null = k->null && json && !strcmp(json, "null");
    free(json);
    if (value && k->complement) {
        double x = 1 - strtod(value, NULL);
        free(value);
        value = pb_format("%.17g", x);
    }
    if (null) {
        free(value);
        value = pb_strdup(k->null);
    } else if (k->words && read_word(l, k, &value))
        return -1;
    int rc = (value && k->option && set_option(l, k->key, k->option, value)) || (k->pattern && set_pattern(l, k, value))
                 ? -1
                 : 0;
    free(value);
    return rc;
}

int pb_loading_set_keys(pb_loading *l)
{
    for (const pb_peft_key *k = l->peft->keys; k && k->key; k++)
        if (set_key(l, k))
            return -1;
    for (const pb_peft_tensor *s = l->peft->loaded; s && s->ours; s++)
        if (set_option(l, s->ours, s->ours, s->theirs))
            return -1;
    return 0;
}

int pb_loading_set_targets(pb_loading *l)
{
    pb_text targets = {0}, inputs = {0};
    int rc = 0;
    for (size_t i = 0; i < l->modules && !rc; i++) {
        const pb_module *mod = &l->module[i];
        if (!mod->targeted)
            continue;
        pb_site site = pb_loading_site(mod);
        const pb_array *t = pb_loading_module_tensor(l, mod, pb_loading_tensor_name(mod, &l->peft->tensors[0]));
        if (mod->site)
            pb_text_add(&targets, "%s%d.%s", targets.length ? " " : "", site.layer, site.role);
        if (mod->feedforward)
            pb_text_add(&inputs, "%s%d.%s", inputs.length ? " " : "", site.layer, site.role);
        if (l->peft->input_option && t->count > 1 && (t->shape[0] == 1) != mod->feedforward)
            rc = pb_error("%s: '%s': rescales the %s of its module, but feedforward_modules says the opposite",
                          l->a->file_path, t->name, t->shape[0] == 1 ? "input" : "output");
    }
    rc = rc || set_option(l, "target_modules", "targets", targets.data ? targets.data : "") ||
                 (l->peft->input_option &&
                  set_option(l, "feedforward_modules", l->peft->input_option, inputs.data ? inputs.data : ""))
             ? -1
             : 0;
    pb_text_free(&targets);
    pb_text_free(&inputs);
    return rc;
}
