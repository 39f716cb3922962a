/* adapter_save_config: the adapter_config.json of an adapter that is written. */
#include <stdlib.h>
#include <string.h>

#include "model/adapter_fields.h"
#include "model/adapter_format.h"
#include "model/adapter_saving.h"
#include "model/formula.h"

static pb_text *new_member(pb_saving *s, const char *key)
{
    pb_text *t = &s->member[s->members++];
    PB_CHECK(s->members <= (int)PB_COUNT(s->member));
    pb_text_add(t, "\"%s\": ", key);
    return t;
}

void pb_saving_add_quoted(pb_text *list, const char *name)
{
    if (list->data && strstr(list->data, name) && strstr(list->data, name)[-1] == '"' &&
        strstr(list->data, name)[strlen(name)] == '"')
        return;
    pb_text_add(list, "%s\"%s\"", list->length ? ", " : "", name);
}

char *pb_saving_option(const pb_saving *s, const char *name)
{
    pb_text value = {0};
    pb_option_print(pb_option_find(s->method->settings.options, name), s->conf, &value);
    return value.data ? value.data : pb_strdup("");
}

/* The value of a key at a site: of a number of rows the tensor's, since a method may take fewer where there are no
 * more. */
static int value_at(const pb_saving *s, const pb_peft_key *k, const char *list, const pb_site *site, double *value)
{
    const pb_peft_tensor *first = s->peft->tensors;
    const pb_param *p = k->rows && !s->factors ? pb_params_find_added(s->m, s->method, site, first->ours) : NULL;
    pb_stored how;
    if (p && pb_stored_of(s->m, site, first, p->rows, p->cols, &how))
        return -1;
    *value = p ? (double)how.shape[0] : pb_at_site(list, site, *value);
    return 0;
}

/* The values of sites that differ from the option's: {"module": 3}. */
static int add_patterns(pb_saving *s, const pb_peft_key *k, double standard)
{
    char *list = pb_saving_option(s, k->pattern_option);
    pb_text *t = new_member(s, k->pattern);
    int n = 0, rc = 0;
    pb_text_add(t, "{");
    for (int i = 0; i < s->m->config.layers * SITES && !rc; i++) {
        const pb_site *site = &s->m->layer[i / SITES].site[i % SITES];
        double value = standard;
        rc = s->m->matches[site->number] ? value_at(s, k, list, site, &value) : 0;
        if (value != standard)
            pb_text_add(t, "%s\"%s\": %.17g", n++ ? ", " : "", site->module, value);
    }
    pb_text_add(t, "}");
    free(list);
    return rc;
}

/* Adds the member of a key whose value is a list. */
static int add_list(pb_saving *s, const pb_peft_key *k)
{
    pb_build b = pb_build_start(s->m, pb_graph_new(s->tensors.arena, false), 0, 0);
    int n = 0;
    const int *list = k->list(&b, &n);
    pb_text *t = list ? new_member(s, k->key) : NULL;
    for (int i = 0; i < n && t; i++)
        pb_text_add(t, "%s%d%s", i ? ", " : "[", list[i], i == n - 1 ? "]" : "");
    return t ? 0 : -1;
}

/* Adds that of a key whose value is computed. */
static int add_formula(pb_saving *s, const pb_peft_key *k)
{
    double value;
    if (pb_formula_list(s->m, NULL, k->key, k->formula, 0, 0, &value, 1) < 0)
        return -1;
    pb_text_add(new_member(s, k->key), "%.17g", value);
    return 0;
}

/* Adds the member of a key; with `words` or `null` its value is not the setting's. */
static int add_key(pb_saving *s, const pb_peft_key *k)
{
    if (k->list || k->formula)
        return k->list ? add_list(s, k) : add_formula(s, k);
    char *value = k->option ? pb_saving_option(s, k->option) : pb_strdup(k->words), *word = NULL;
    const pb_option *o = k->option ? pb_option_find(s->method->settings.options, k->option) : NULL;
    if (o && k->words)
        word = pb_peft_word(s->method, k, value);
    else if (o && k->null && !strcmp(value, k->null))
        word = pb_strdup("null");
    else if (k->complement)
        word = pb_format("%.17g", 1 - strtod(value, NULL));
    else if (o && o->type == PB_BOOL)
        word = pb_strdup(!strcmp(value, "yes") ? "true" : "false");
    else
        word = pb_strdup(value);
    if (word)
        pb_text_add(new_member(s, k->key), "%s", word);
    int rc = word ? k->pattern ? add_patterns(s, k, strtod(value, NULL)) : 0
                  : pb_error("%s: %s = %s: PEFT's %s has no such %s", s->method->name, k->option, value, s->peft->type,
                             k->key);
    free(word);
    free(value);
    return rc;
}

int pb_saving_add_settings(pb_saving *s)
{
    const pb_peft *peft = s->peft;
    for (const pb_peft_key *k = peft->keys; k && k->key; k++)
        if (add_key(s, k))
            return -1;
    if (s->biases)
        pb_text_add(new_member(s, peft->bias_key), "true");
    if (peft->fixed)
        pb_text_add(&s->member[s->members++], "%s", peft->fixed);
    return 0;
}

void pb_saving_add_common(pb_saving *s)
{
    static const char *const task[] = {"null", "\"SEQ_CLS\"", "\"CAUSAL_LM\"", "null", "\"TOKEN_CLS\""}; /* of heads */
    const pb_model *m = s->m;
    pb_text_add(new_member(s, "peft_type"), "\"%s\"", s->peft->type);
    pb_text_add(new_member(s, "task_type"), "%s", pb_model_chooses(m) ? "null" : task[m->head]);
    if (pb_model_chooses(m)) /* PEFT has no task_type for it */
        pb_text_add(new_member(s, "auto_mapping"),
                    "{\"base_model_class\": \"%sForMultipleChoice\", \"parent_library\": "
                    "\"transformers.models.%s.modeling_%s\"}",
                    m->config.family->class_name, m->config.family->type, m->config.family->type);
    pb_json_quote(new_member(s, "base_model_name_or_path"), m->dir);
    pb_text_add(new_member(s, "inference_mode"), "true");
    if (s->saved.length)
        pb_text_add(new_member(s, "modules_to_save"), "[%s]", s->saved.data);
    if (s->targets.length)
        pb_text_add(new_member(s, "target_modules"), "[%s]", s->targets.data);
    if (s->peft->input_option)
        pb_text_add(new_member(s, "feedforward_modules"), "[%s]", s->inputs.length ? s->inputs.data : "");
    if (s->peft->layout == PB_PEFT_SITES && m->config.family->conv1d)
        pb_text_add(new_member(s, "fan_in_fan_out"), "true");
}

/* The sizes that PEFT stores with a prefix or a prompt. */
void pb_saving_add_prompt_sizes(pb_saving *s)
{
    const pb_network_config *c = &s->m->config;
    bool prefix = s->peft->layout == PB_PEFT_PREFIX;
    pb_text_add(new_member(s, "num_layers"), "%d", c->layers);
    pb_text_add(new_member(s, "num_transformer_submodules"), "1");
    pb_text_add(new_member(s, "token_dim"), "%d", prefix ? pb_model_kv_width(s->m) : c->width);
    pb_text_add(new_member(s, "num_attention_heads"), "%d", prefix ? c->kv_heads : c->heads);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(((const pb_text *)a)->data, ((const pb_text *)b)->data);
}

int pb_saving_write_config(pb_saving *s, const char *dir)
{
    pb_text out = {0};
    qsort(s->member, (size_t)s->members, sizeof *s->member, by_text);
    for (int i = 0; i < s->members; i++)
        pb_text_add(&out, "%s  %s", i ? ",\n" : "{\n", s->member[i].data);
    pb_text_add(&out, "\n}\n");
    char *path = pb_format("%s/adapter_config.json", dir);
    int rc = pb_write_file(path, out.data, out.length);
    free(path);
    pb_text_free(&out);
    return rc;
}
