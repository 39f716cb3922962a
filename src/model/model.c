/* model: accessors of a model. */
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

#include "model/internal.h"
#include "model/model_fields.h"

const pb_option pb_base_table[] = {
    PB_OPTION(pb_base_options, precision, CHOICE, "fp32", "fp32|bf16|int8|nf4",
              "of the frozen base's matrices; embedding tables are stored in bf16 unless this is fp32"),
    PB_OPTION(pb_base_options, double_quant, BOOL, "no", "nf4: quantize the scales to 8 bits as well"),
    PB_OPTION(pb_base_options, weights, CHOICE, "checkpoint", "checkpoint|random",
              "random: the checkpoint's network untrained, as a measure of what its pretraining is worth"),
    {0},
};

void pb_model_checkpoint(pb_model *m, bool on)
{
    m->checkpoint = on;
}

const pb_network_config *pb_model_config(const pb_model *m)
{
    return &m->config;
}

pb_head pb_model_head(const pb_model *m)
{
    return m->head;
}

bool pb_model_has_classes(const pb_model *m)
{
    return m->head == PB_HEAD_CLASSES || m->head == PB_HEAD_TOKENS;
}

int pb_model_outputs(const pb_model *m)
{
    return pb_model_has_classes(m) ? m->classes : m->head == PB_HEAD_NONE ? m->config.width : m->config.vocab;
}

const char *const pb_problem_name[] = {NULL, "single_label_classification", "multi_label_classification", "regression",
                                       "multiple choice"};

pb_problem pb_model_problem(const pb_model *m)
{
    return m->problem ? m->problem : m->classes == 1 ? PB_PROBLEM_NUMBERS : PB_PROBLEM_CLASS;
}

bool pb_model_chooses(const pb_model *m)
{
    return m->head == PB_HEAD_CLASSES && pb_model_problem(m) == PB_PROBLEM_CHOICES;
}

const pb_head_names *pb_classifier_names(const pb_model *m)
{
    const struct pb_family *f = m->config.family;
    return m->head == PB_HEAD_TOKENS ? &f->tokens : pb_model_chooses(m) && f->choices.out ? &f->choices : &f->classes;
}

int pb_model_name_classes(pb_model *m, const char *list)
{
    pb_json_doc *doc = pb_json_parse("names of classes", list, strlen(list));
    bool good = doc && pb_json_is_array(pb_json_root(doc));
    for (size_t i = 0; good && i < pb_json_size(pb_json_root(doc)); i++)
        good = pb_json_text(pb_json_at(pb_json_root(doc), i), NULL) != NULL;
    if (!good) {
        pb_json_free(doc);
        return doc ? pb_error("names of classes: want a JSON list of strings, got %s", list) : -1;
    }
    pb_json_free(m->class_names);
    m->class_names = doc;
    return 0;
}

char *pb_model_class(const pb_model *m, int i)
{
    const pb_json *names = m->class_names ? pb_json_root(m->class_names) : NULL;
    const char *name = pb_json_size(names) == (size_t)m->classes ? pb_json_text(pb_json_at(names, (size_t)i), NULL)
                                                                 : NULL;
    return name ? pb_strdup(name) : pb_format("LABEL_%d", i);
}

pb_text pb_model_class_names(const pb_model *m)
{
    pb_text list = {0};
    for (int i = 0; pb_model_has_classes(m) && i < m->classes; i++) {
        char *name = pb_model_class(m, i);
        pb_text_add(&list, i ? ", " : "[");
        pb_json_quote(&list, name);
        free(name);
    }
    if (list.length)
        pb_text_add(&list, "]");
    return list;
}

int pb_model_kv_width(const pb_model *m)
{
    return m->config.kv_heads * m->config.head_size;
}

const pb_tokenizer *pb_model_tokenizer(const pb_model *m)
{
    return m->tokenizer;
}

const pb_tokenizer *pb_model_want_tokenizer(const pb_model *m)
{
    if (!m->tokenizer)
        pb_error("%s: no tokenizer.json; want a model with a tokenizer", m->dir);
    return m->tokenizer;
}

bool pb_model_ends(const pb_model *m, int id)
{
    for (size_t i = 0; i < PB_COUNT(m->end); i++)
        if (m->end[i] == id)
            return true;
    return false;
}

const char *pb_model_family(const pb_model *m)
{
    return m->config.family->type;
}

bool pb_model_is_causal(const pb_model *m)
{
    return m->config.family->causal;
}

int pb_model_token_types(const pb_model *m)
{
    return m->type ? m->type->rows : 0;
}

const char *pb_model_dir(const pb_model *m)
{
    return m->dir;
}

int pb_model_max_tokens(const pb_model *m)
{
    return m->config.positions - m->extra_tokens - (int)m->cached_prefix_ids.count;
}

int pb_model_extra_rows(const pb_model *m)
{
    int most = 0;
    for (int l = 0; l < m->config.layers; l++)
        most = m->cached[l].extra_rows > most ? m->cached[l].extra_rows : most;
    return most;
}

pb_digest pb_model_digest(const pb_model *m)
{
    pb_digest d = {""};
    pb_weights *w = m->file ? m->file : pb_weights_open(m->dir);
    if (w)
        pb_weights_digest(w, &d);
    if (w != m->file)
        pb_weights_close(w);
    return d;
}

/* Reads a JSON file of the model's folder; NULL if it is not there.  One that cannot be read has been refused when the
 * model was opened. */
static pb_json_doc *read_json(const pb_model *m, const char *name)
{
    char *path = pb_format("%s/%s", m->dir, name);
    pb_json_doc *doc = pb_file_exists(path) ? pb_json_read(path) : NULL;
    free(path);
    return doc;
}

static pb_digest digest_text(pb_text *t)
{
    pb_digest d = t->length ? pb_sha256(t->data, t->length) : (pb_digest){""};
    pb_text_free(t);
    return d;
}

/* The end-of-text tokens are those in effect, whichever of the two files names them. */
pb_digest pb_model_config_digest(const pb_model *m)
{
    pb_json_doc *doc = read_json(m, "config.json");
    pb_text all = {0};
    if (doc) {
        pb_network_config_print(pb_json_root(doc), m->config.family->type, &all);
        pb_text_add(&all, "end =");
        for (size_t i = 0; i < PB_COUNT(m->end); i++)
            pb_text_add(&all, " %d", m->end[i]);
    }
    pb_json_free(doc);
    return digest_text(&all);
}

pb_digest pb_model_tokenizer_digest(const pb_model *m)
{
    pb_json_doc *doc = read_json(m, "tokenizer.json");
    pb_text all = {0};
    if (doc)
        pb_json_canonical(pb_json_root(doc), &all);
    pb_json_free(doc);
    return digest_text(&all);
}
