/* adapter: opens a PEFT folder. */
#include "model/adapter.h"

#include <stdlib.h>
#include <string.h>

#include "model/adapter_fields.h"
#include "model/adapter_internal.h"

/* ---- opening ------------------------------------------------------------------------------------------ */

/* The description of a type among those of a method; NULL: it has none that is read. */
static const pb_peft *find_type(const pb_method *m, const char *type)
{
    for (const pb_peft *p = m->peft; p; p = p->other)
        if (!p->only_written && (!strcmp(p->type, type) || (p->also && !strcmp(p->also, type))))
            return p;
    return NULL;
}

/* Whether the members that have one value in adapters of the method have it: two methods may be of one type. */
static bool has_constants(const pb_adapter *a, const pb_peft *p)
{
    bool same = true;
    for (const pb_peft_key *k = p->keys; k && k->key; k++) {
        char *json = k->option ? NULL : pb_adapter_json(a, k->key);
        same = same && (!json || !strcmp(json, k->words));
        free(json);
    }
    return same;
}

/* Why types are not read.  A method that declares a type reads it, whatever stands here. */
static const struct {
    const char *type, *why;
} unread[] = {
    {"ADAMSS", "PEFT finds its clusters of singular vectors again on loading, by K-means; the file does not have them"},
    {"FROD", "a decomposition of all layers together, with dense matrices for each"},
    {"LILY", "its router takes the mean over the batch, so that a text depends on the others"},
    {"POLY", "a mixture of skills over several tasks"},
    {"PSOFT", "PEFT repeats a singular value decomposition on loading, by whose signs the rotation is meant"},
    {"SHADOW", "a second network beside the base"},
    {"XLORA", "a mixture of trained LoRAs"},
};

const char *pb_adapter_unread(const char *type)
{
    const pb_method *m;
    for (int i = 0; (m = pb_method_at(i)); i++)
        if (find_type(m, type))
            return NULL;
    for (size_t i = 0; i < PB_COUNT(unread); i++)
        if (!strcmp(unread[i].type, type))
            return unread[i].why;
    return NULL;
}

/* Adds a type to a list that has each once. */
static void add_known(pb_text *known, const char *type)
{
    char *entry = type ? pb_format(", %s,", type) : NULL, *all = pb_format(", %s,", known->data ? known->data : "");
    if (entry && !strstr(all, entry))
        pb_text_add(known, "%s%s", known->length ? ", " : "", type);
    free(entry);
    free(all);
}

static int find_method(pb_adapter *a)
{
    const char *type = a->type = pb_json_text(pb_json_get(pb_json_root(a->doc), "peft_type"), "");
    pb_text known = {0};
    const pb_method *m;
    for (int i = 0; (m = pb_method_at(i)); i++) {
        const pb_peft *found = find_type(m, type);
        if (found && (!a->method || has_constants(a, found))) {
            a->method = m;
            a->peft = found;
        }
        for (const pb_peft *p = m->peft; p; p = p->other) {
            add_known(&known, p->only_written ? NULL : p->type);
            add_known(&known, p->only_written ? NULL : p->also);
        }
    }
    const char *why = a->method ? NULL : pb_adapter_unread(type);
    if (why)
        pb_error("%s: peft_type: %s is not read: %s; want one of %s", a->config_path, type, why, known.data);
    else if (!a->method)
        pb_error("%s: peft_type: want one of %s; got '%s'", a->config_path, known.data, type);
    pb_text_free(&known);
    return a->method ? 0 : -1;
}

/* ---- the task that it was trained for --------------------------------------------------------------------------- */

int pb_adapter_classes(const pb_adapter *a)
{
    static const char *const heads[] = {"model.classifier.weight", "model.classifier.out_proj.weight",
                                        "model.score.weight"};
    for (size_t i = 0; i < pb_weights_count(a->weights); i++)
        for (size_t k = 0; k < PB_COUNT(heads); k++)
            if (pb_ends_in(pb_weights_at(a->weights, i)->name, heads[k]))
                return (int)pb_weights_at(a->weights, i)->shape[0];
    return 0;
}

/* The class of the model that an adapter without a task_type was trained on; "" if the config does not say. */
static const char *base_class(const pb_adapter *a)
{
    const pb_json *mapping = pb_json_get(pb_json_root(a->doc), "auto_mapping");
    return pb_json_text(pb_json_get(mapping, "base_model_class"), "");
}

bool pb_adapter_tokens(const pb_adapter *a)
{
    return !strcmp(pb_json_text(pb_json_get(pb_json_root(a->doc), "task_type"), ""), "TOKEN_CLS") ||
           pb_ends_in(base_class(a), "ForTokenClassification");
}

bool pb_adapter_choices(const pb_adapter *a)
{
    return pb_ends_in(base_class(a), "ForMultipleChoice");
}

/* The heads of token classification and multiple choice have the same name as that of sequence classification. */
static int check_classifier(const pb_adapter *a, const char *task, const char *class)
{
    if (!pb_adapter_classes(a) || !strcmp(task, "SEQ_CLS") || strstr(class, "ForSequenceClassification") ||
        pb_adapter_tokens(a) || pb_adapter_choices(a))
        return 0;
    return pb_error("%s: task_type: want SEQ_CLS or TOKEN_CLS beside a saved classifier, or the class of a model for "
                    "multiple choice in auto_mapping, got '%s'%s%s",
                    a->config_path, *task ? task : "null", *class ? " of a " : "", class);
}

static int check_task(const pb_adapter *a)
{
    static const char *const tasks[] = {"", "SEQ_CLS", "TOKEN_CLS", "CAUSAL_LM", "FEATURE_EXTRACTION"};
    static const char *const classes[] = {"ForSequenceClassification",
                                          "ForTokenClassification",
                                          "ForMultipleChoice",
                                          "ForCausalLM",
                                          "LMHeadModel",
                                          "ForMaskedLM",
                                          "Model"};
    const char *task = pb_json_text(pb_json_get(pb_json_root(a->doc), "task_type"), ""), *class = base_class(a);
    bool known = false, fits = !*class;
    for (size_t i = 0; i < PB_COUNT(tasks); i++)
        known = known || !strcmp(task, tasks[i]);
    for (size_t i = 0; i < PB_COUNT(classes); i++)
        fits = fits || pb_ends_in(class, classes[i]);
    if (!known)
        return pb_error("%s: task_type: want SEQ_CLS, TOKEN_CLS, CAUSAL_LM, FEATURE_EXTRACTION or null, got '%s'",
                        a->config_path, task);
    if (!fits)
        return pb_error("%s: auto_mapping: want a base model, a sequence or token classifier, a model for multiple "
                        "choice or a language model, got a %s",
                        a->config_path, class);
    if (!*task && pb_peft_is_prompt(a->peft))
        return pb_error("%s: task_type: want one, without which PEFT does not apply a %s", a->config_path, a->type);
    return check_classifier(a, task, class);
}

/* Older versions of PEFT write a pickle of PyTorch instead of safetensors. */
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
               ? (a->weights = pb_weights_open(a->file_path)) ? 0 : -1
               : pb_error("%s: cannot read: neither this file nor adapter_model.bin exists", a->file_path);
}

pb_adapter *pb_adapter_open(const char *dir)
{
    pb_adapter *a = pb_alloc(sizeof *a);
    a->dir = pb_strdup(dir);
    a->config_path = pb_format("%s/adapter_config.json", dir);
    a->file_path = pb_format("%s/adapter_model.safetensors", dir);
    if ((a->doc = pb_json_read(a->config_path)) && !find_method(a) &&
        !pb_fields_check(a->config_path, pb_json_root(a->doc), a->peft) && !open_tensors(a, dir) && !check_task(a)) {
        a->conf = pb_alloc(a->method->settings.conf_size + 1);
        pb_option_defaults(a->method->settings.options, a->conf);
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
        pb_option_release(a->method->settings.options, a->conf);
    pb_weights_close(a->weights);
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

/* ---- members of adapter_config.json ------------------------------------------------------------------------ */

char *pb_adapter_value(const pb_adapter *a, const char *key)
{
    const pb_json *v = pb_json_get(pb_json_root(a->doc), key);
    const pb_field *f = pb_field_find(a->type, key);
    if (v && !pb_json_is_null(v))
        return pb_json_plain(v);
    return f ? pb_strdup(f->default_value) : NULL;
}

char *pb_adapter_json(const pb_adapter *a, const char *key)
{
    const pb_json *v = pb_json_get(pb_json_root(a->doc), key);
    const pb_field *f = pb_field_find(a->type, key);
    pb_text json = {0};
    if (v)
        pb_json_print(v, &json);
    return v ? json.data : f && f->default_value ? pb_strdup(f->default_value) : NULL;
}

bool pb_adapter_flag(const pb_adapter *a, const char *key)
{
    char *value = pb_adapter_value(a, key);
    bool on = value && !strcmp(value, "true");
    free(value);
    return on;
}
