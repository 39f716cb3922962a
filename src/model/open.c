/* open: opening and freeing a model. */
#include <stdlib.h>
#include <string.h>

#include "model/generation.h"
#include "model/internal.h"

/* Opens the tokenizer of the file of weights or of the folder, which may lack one. */
static int open_tokenizer(pb_model *m)
{
    const pb_weights *file = m->file ? m->file : m->list;
    const char *embedded = file ? pb_weights_tokenizer(file) : NULL;
    if (embedded)
        return (m->tokenizer = pb_tokenizer_open_text(m->dir, embedded)) ? 0 : -1;
    char *path = pb_format("%s/tokenizer.json", m->dir); /* there is none beside a single file of weights */
    bool there = pb_file_exists(path);
    free(path);
    return !there || (m->tokenizer = pb_tokenizer_open(m->dir)) ? 0 : -1;
}

/* Refuses a head that the checkpoint has for another number of outputs or another problem than those wanted. */
static int check_head(const pb_model *m, int classes, pb_problem problem)
{
    const pb_network_config *c = &m->config;
    if (c->head != PB_HEAD_CLASSES || problem == PB_PROBLEM_ANY)
        return 0;
    if (c->classes != classes)
        return pb_error(
            "%s: config.json: the checkpoint has a classification head with %d output%s, and the task needs "
            "%d; want a checkpoint without a head, or one for such a task",
            m->dir, c->classes, c->classes == 1 ? "" : "s", classes);
    pb_problem is = c->problem ? c->problem : classes == 1 ? PB_PROBLEM_NUMBERS : PB_PROBLEM_CLASS;
    return is == problem
               ? 0
               : pb_error("%s: config.json: problem_type: the checkpoint's classification head is for %s, and "
                          "the task needs %s; want a checkpoint without a head, or one for such a task",
                          m->dir, pb_problem_name[is], pb_problem_name[problem]);
}

static int choose_head(pb_model *m, int classes, bool tokens, pb_problem problem, bool bare)
{
    if (classes && !tokens && check_head(m, classes, problem))
        return -1;
    m->problem = problem ? problem : m->config.problem;
    m->checkpoint_head = !classes;
    m->head = bare ? PB_HEAD_NONE : !classes ? m->config.head : tokens ? PB_HEAD_TOKENS : PB_HEAD_CLASSES;
    m->classes = classes ? classes : m->config.classes;
    if (bare)
        return 0;
    if (m->head == PB_HEAD_NONE)
        return pb_error(
            "%s: config.json: architectures: the checkpoint has no head; want one that ends in "
            "ForSequenceClassification, ForTokenClassification, ForMultipleChoice, ForCausalLM, LMHeadModel or "
            "ForMaskedLM",
            m->dir);
    if (m->head == PB_HEAD_MASKED && m->config.family->causal)
        m->head = PB_HEAD_CAUSAL;
    if ((m->head == PB_HEAD_CAUSAL) != m->config.family->causal && !pb_model_has_classes(m))
        return pb_error("%s: config.json: architectures: a %s cannot have this head", m->dir, m->config.family->type);
    return 0;
}

static int keep_layers(pb_model *m, int layers)
{
    if (layers > m->config.layers)
        return pb_error("%s: layers: want at most %d, as the checkpoint has, got %d", m->dir, m->config.layers, layers);
    m->config.layers = layers ? layers : m->config.layers;
    return 0;
}

pb_model *pb_model_open(const pb_opening *o)
{
    pb_model *m = pb_alloc(sizeof *m);
    m->arena = pb_arena_new("model");
    m->dir = pb_find_installed(o->path);
    m->seed = o->seed;
    m->base = o->base;
    m->shapes_only = o->shapes_only;
    if (pb_checkpoint_open(m, o->shapes_only) || keep_layers(m, o->layers) ||
        choose_head(m, o->classes, o->tokens, o->problem, o->bare) || pb_checkpoint_params(m, o->distill_width) ||
        pb_generation_ends(m, m->end) || open_tokenizer(m)) {
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
    free(m->index.slot);
    free(m->state);
    free(m->state_index.slot);
    free(m->seeded);
    free(m->dir);
    pb_arena_free(m->arena);
    free(m);
}
