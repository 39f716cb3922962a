/* model: the life of a model. */
#include "model/model.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "model/generation.h"
#include "model/internal.h"

/* A folder may lack a tokenizer (ids can be given); a file of weights has its own. */
static int open_tokenizer(pb_model *m)
{
    const char *own = m->file ? pb_weights_tokenizer(m->file) : NULL;
    if (own)
        return (m->tokenizer = pb_tokenizer_open_text(m->dir, own)) ? 0 : -1;
    char *path = pb_format("%s/tokenizer.json", m->dir); /* of a file of weights: does not exist */
    bool there = pb_file_exists(path);
    free(path);
    return !there || (m->tokenizer = pb_tokenizer_open(m->dir)) ? 0 : -1;
}

static int choose_head(pb_model *m, int classes, bool bare)
{
    m->own_head = !classes;
    m->head = bare ? PB_HEAD_NONE : classes ? PB_HEAD_CLASSES : m->config.head;
    m->classes = classes ? classes : m->config.classes;
    if (bare)
        return 0;
    if (m->head == PB_HEAD_NONE)
        return pb_error("%s: config.json: architectures: the checkpoint has no head; want one that ends in "
                        "ForSequenceClassification, ForCausalLM, LMHeadModel or ForMaskedLM",
                        m->dir);
    if (m->head == PB_HEAD_MASKED && m->config.family->causal)
        m->head = PB_HEAD_CAUSAL;
    if ((m->head == PB_HEAD_CAUSAL) != m->config.family->causal && m->head != PB_HEAD_CLASSES)
        return pb_error("%s: config.json: architectures: a %s does not go with this head", m->dir,
                        m->config.family->type);
    return 0;
}

static int keep_layers(pb_model *m, int layers)
{
    if (layers > m->config.layers)
        return pb_error("%s: layers: has %d, want at most that many, got %d", m->dir, m->config.layers, layers);
    m->config.layers = layers ? layers : m->config.layers;
    return 0;
}

const pb_option pb_base_table[] = {
    PB_OPTION(pb_base_options, precision, CHOICE, "fp32", "fp32|bf16|int8|nf4",
              "of the frozen base's matrices; tables of embeddings are held in bf16 at most"),
    PB_OPTION(pb_base_options, double_quant, BOOL, "no", "nf4: the scales in a byte each as well"),
    PB_OPTION(pb_base_options, weights, CHOICE, "checkpoint", "checkpoint|random",
              "random: the checkpoint's network untrained, as a measure of what its pretraining is worth"),
    {0},
};

pb_model *pb_model_open(const pb_opening *o)
{
    pb_model *m = pb_alloc(sizeof *m);
    m->arena = pb_arena_new("model");
    m->dir = pb_strdup(o->path);
    m->seed = o->seed;
    m->base = o->base;
    m->shapes_only = o->shapes_only;
    if (pb_checkpoint_open(m, o->shapes_only) || keep_layers(m, o->layers) || choose_head(m, o->classes, o->bare) ||
        pb_checkpoint_params(m, o->states) || pb_generation_ends(m, m->end) || (!m->shapes_only && open_tokenizer(m))) {
        pb_model_free(m);
        return NULL;
    }
    return m;
}

void pb_model_free(pb_model *m)
{
    if (!m)
        return;
    pb_model_drop_prefix(m);
    pb_model_unmerge(m);
    pb_tokenizer_close(m->tokenizer);
    pb_weights_close(m->file);
    pb_weights_close(m->list);
    pb_text_free(&m->missing);
    pb_json_free(m->class_names);
    free(m->param);
    free(m->origin);
    free(m->index);
    free(m->dir);
    pb_arena_free(m->arena);
    free(m);
}

void pb_model_checkpoint(pb_model *m, bool on)
{
    m->checkpoint = on;
}

const pb_config *pb_model_config(const pb_model *m)
{
    return &m->config;
}

pb_head pb_model_head(const pb_model *m)
{
    return m->head;
}

int pb_model_outputs(const pb_model *m)
{
    return m->head == PB_HEAD_CLASSES ? m->classes : m->head == PB_HEAD_NONE ? m->config.width : m->config.vocab;
}

int pb_model_name_classes(pb_model *m, const char *list)
{
    pb_json_doc *doc = pb_json_parse("names of classes", list, strlen(list));
    bool good = doc && pb_json_is_array(pb_json_root(doc));
    for (size_t i = 0; good && i < pb_json_size(pb_json_root(doc)); i++)
        good = pb_json_text(pb_json_at(pb_json_root(doc), i), NULL) != NULL;
    if (!good) {
        pb_json_free(doc);
        return doc ? pb_error("names of classes: want a JSON list of texts, got %s", list) : -1;
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

int pb_model_kv_width(const pb_model *m)
{
    return m->config.kv_heads * m->config.head_size;
}

const pb_tokenizer *pb_model_tokenizer(const pb_model *m)
{
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

const char *pb_model_dir(const pb_model *m)
{
    return m->dir;
}

int pb_model_max_tokens(const pb_model *m)
{
    return m->config.positions - m->extra_tokens - (int)m->held_ids.count;
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
