/* checkpoint: the parameters of a model, read from a Hugging Face folder, a GGUF file or a llama2.c file. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "model/internal.h"
#include "numeric/product.h"

#define MOST_NAMED 20 /* missing tensors that a message names */

/* ---- configuration ---------------------------------------------------------------------------------- */

static bool is_folder(const char *path)
{
    struct stat s;
    return !stat(path, &s) && S_ISDIR(s.st_mode);
}

/* Sets the class names from id2label, an object whose keys are the classes. */
static int name_classes(pb_model *m, const pb_json *root)
{
    const pb_json *names = pb_json_get(root, "id2label");
    pb_text list = {0};
    for (size_t i = 0; i < pb_json_size(names); i++) {
        char number[24];
        snprintf(number, sizeof number, "%zu", i);
        pb_text_add(&list, i ? ", " : "[");
        pb_json_quote(&list, pb_json_text(pb_json_get(names, number), number));
    }
    pb_text_add(&list, list.length ? "]" : "[]");
    int rc = pb_model_name_classes(m, list.data);
    pb_text_free(&list);
    return rc;
}

static int open_weights(pb_model *m, bool shapes_only)
{
    if (m->base.weights == PB_FROM_RANDOM)
        return 0;
    if (!shapes_only)
        return (m->file = pb_weights_open(m->dir)) ? 0 : -1;
    return !pb_weights_exist(m->dir) || (m->list = pb_weights_open(m->dir)) ? 0 : -1;
}

/* Opens a file of weights, which must contain its configuration. */
static int open_file(pb_model *m)
{
    if (m->base.weights == PB_FROM_RANDOM)
        return pb_error("%s: weights: random weights need a folder with config.json", m->dir);
    const char *config = open_weights(m, false) ? NULL : pb_weights_config(m->file);
    if (!m->file)
        return -1;
    if (!config)
        return pb_error("%s: contains no configuration; want the model's folder, with config.json", m->dir);
    pb_json_doc *doc = pb_json_parse(m->dir, config, strlen(config));
    int rc = doc ? pb_network_config_read(m->dir, pb_json_root(doc), &m->config) : -1;
    pb_json_free(doc);
    return rc;
}

int pb_checkpoint_open(pb_model *m, bool shapes_only)
{
    if (m->base.weights == PB_FROM_RANDOM && m->base.precision != PB_IN_FP32)
        return pb_error("weights: random weights are trained, which needs precision = fp32");
    if (!is_folder(m->dir) && pb_file_exists(m->dir))
        return open_file(m);
    const char *path = pb_arena_format(m->arena, "%s/config.json", m->dir);
    pb_json_doc *doc = pb_json_read(path);
    int rc = doc ? pb_network_config_read(path, pb_json_root(doc), &m->config) || name_classes(m, pb_json_root(doc))
                 : -1;
    pb_json_free(doc);
    return rc || open_weights(m, shapes_only) ? -1 : 0;
}

/* ---- one tensor ---------------------------------------------------------------------------------------- */

/* A network with a head has "bert." before the network's names, a bare one has not; old files call a
 * norm's gain gamma and its bias beta. */
static const pb_array *find_by_name(const pb_model *m, const char *name)
{
    const pb_weights *file = m->file ? m->file : m->list;
    const pb_array *a = pb_weights_find(file, name);
    const char *prefix = m->config.family->prefix;
    if (!a && !strncmp(name, prefix, strlen(prefix)))
        a = pb_weights_find(file, name + strlen(prefix));
    const char *old = a ? NULL : strstr(name, "LayerNorm.");
    if (!old || strstr(name, "gamma") || strstr(name, "beta"))
        return a;
    bool gain = !strcmp(old, "LayerNorm.weight");
    return find_by_name(m, pb_arena_format(m->arena, "%.*s.%s", (int)(old - name) + 9, name, gain ? "gamma" : "beta"));
}

/* A tied checkpoint may have its one table under the name of the output instead of that of the word table, as
 * transformers reads it; a classifier of the same file has no output that could be read. */
static const pb_array *find_tensor(const pb_model *m, const char *name)
{
    const pb_array *a = find_by_name(m, name);
    const struct pb_family *f = m->config.family;
    size_t prefix = strlen(f->prefix), word = strlen(f->word);
    bool table = !strncmp(name, f->prefix, prefix) && !strncmp(name + prefix, f->word, word) &&
                 !strcmp(name + prefix + word, ".weight");
    if (a || !table || !m->config.tied || m->head == PB_HEAD_NONE || pb_model_has_classes(m))
        return a;
    return find_by_name(m, pb_arena_format(m->arena, "%s.weight", f->masked.out));
}

static bool has_shape(const pb_array *a, int rows, int cols)
{
    return a->dims == 1 ? rows == 1 && a->shape[0] == cols : a->dims == 2 && a->shape[0] == rows && a->shape[1] == cols;
}

static bool usable_in_place(const pb_array *a)
{
    return a->dtype == PB_F32 && !a->heads && sizeof(pb_real) == 4 && (uintptr_t)a->data % 4 == 0;
}

/* 32-bit floats are used in place in the mapped file; other types are converted. */
static int load_values(pb_model *m, pb_param *p, const pb_array *a, bool transposed)
{
    if (usable_in_place(a) && !transposed && p->kind != PB_HEAD) { /* a head always trains */
        p->x = (pb_real *)(uintptr_t)a->data;                      /* read-only: nothing frozen is ever written */
        return 0;
    }
    p->x = pb_arena_alloc(m->arena, PB_WEIGHTS, a->count * sizeof *p->x);
    if (!transposed)
        return pb_array_reals(a, 0, a->count, p->x);
    pb_real *x = pb_alloc(a->count * sizeof *x);
    int rc = pb_array_reals(a, 0, a->count, x);
    pb_transpose(x, p->cols, p->rows, p->x);
    free(x);
    return rc;
}

/* How a parameter is stored: the layers' matrices in the precision of the settings, tables in bf16 or fp32. */
static pb_precision precision_of(const pb_model *m, const pb_param *p)
{
    bool matrix = p->kind == PB_MATRIX && p->layer >= 0;
    bool table = !strcmp(p->name, "embed.word") || !strcmp(p->name, "lm.weight");
    if (m->base.precision == PB_IN_FP32 || (!matrix && !table))
        return PB_IN_FP32;
    return table ? PB_IN_BF16 : (pb_precision)m->base.precision;
}

/* Stores a parameter in a lower precision.  Bf16 values of the file are used in place. */
static int pack(pb_model *m, pb_param *p, pb_precision precision, const pb_array *a, bool transposed)
{
    pb_packed *packed = pb_arena_alloc(m->arena, PB_META, sizeof *packed);
    bool in_place = precision == PB_IN_BF16 && a && a->dtype == PB_BF16 && !transposed && !a->heads &&
                    (uintptr_t)a->data % 2 == 0;
    p->packed = packed;
    *packed = (pb_packed){.precision = precision,
                          .double_quant = m->base.double_quant && precision == PB_IN_NF4,
                          .rows = p->rows,
                          .cols = p->cols,
                          .code = in_place ? a->data : NULL};
    if (!a || in_place)
        return 0;
    pb_real *x = pb_alloc(a->count * sizeof *x), *turned = transposed ? pb_alloc(a->count * sizeof *x) : NULL;
    int rc = pb_array_reals(a, 0, a->count, x);
    if (transposed)
        pb_transpose(x, p->cols, p->rows, turned);
    size_t bytes = pb_packed_bytes(precision, packed->double_quant, p->rows, p->cols);
    *packed = pb_pack(precision, packed->double_quant, p->rows, p->cols, transposed ? turned : x,
                      pb_arena_alloc(m->arena, PB_WEIGHTS, bytes));
    free(turned);
    free(x);
    return rc;
}

static int load_packed_or_full(pb_model *m, pb_param *p, const pb_array *a, bool transposed)
{
    pb_precision precision = precision_of(m, p);
    return precision == PB_IN_FP32 ? load_values(m, p, a, transposed) : pack(m, p, precision, a, transposed);
}

static void unpack(pb_model *m, pb_param *p)
{
    size_t i = 0;
    while (m->param[i] != p)
        i++;
    const pb_array *a = find_tensor(m, m->origin[i]);
    bool conv1d = m->config.family->conv1d && p->kind == PB_MATRIX && p->layer >= 0;
    p->packed = NULL;
    p->x = pb_arena_alloc(m->arena, PB_WEIGHTS, a->count * sizeof *p->x);
    if (!conv1d || a->upright)
        pb_array_reals(a, 0, a->count, p->x);
    else
        load_values(m, p, a, true);
}

void pb_checkpoint_make_writable(pb_model *m, pb_param *p)
{
    size_t bytes = (size_t)p->rows * (size_t)p->cols * sizeof *p->x;
    if (p->packed && !m->file)
        p->packed = NULL;
    if (!m->file || p->kind == PB_HEAD)
        return; /* initialized values are the model's already */
    if (p->packed) {
        unpack(m, p);
        return;
    }
    pb_real *x = pb_arena_alloc(m->arena, PB_WEIGHTS, bytes);
    memcpy(x, p->x, bytes);
    p->x = x;
}

static void note_missing(pb_model *m, const char *what, const char *name)
{
    pb_text_add(&m->missing, "%s%s '%s'", m->missing.length ? ", " : "", what, name);
}

typedef struct param_spec {
    const char *name, *origin; /* the parameter's name, and the tensor's in the checkpoint */
    pb_kind kind;
    int layer, rows, cols;
    bool transposed; /* stored as [cols,rows] */
} param_spec;

/* The initial values of transformers: norms are the identity, biases 0, and weights normal with deviation 0.02. */
static pb_init default_init(pb_kind kind)
{
    return kind == PB_NORM_GAIN                      ? pb_init_constant(1)
           : kind == PB_BIAS || kind == PB_NORM_BIAS ? pb_init_constant(0)
                                                     : pb_init_normal(0.02);
}

/* Creates a parameter and reads its values.  A tensor that is missing or has another shape is noted, so that one error
 * can name all of them. */
static pb_param *load_param(pb_model *m, param_spec w)
{
    pb_param *p = pb_params_add(m, w.name, w.origin, w.kind, w.layer, w.rows, w.cols);
    if (!m->file && !m->shapes_only) {
        pb_params_init(m, p, default_init(w.kind));
        return p;
    }
    if (!m->file) {
        pb_precision precision = precision_of(m, p);
        if (precision != PB_IN_FP32)
            pack(m, p, precision, NULL, false);
        return p;
    }
    const pb_array *a = find_tensor(m, w.origin);
    bool transposed = w.transposed && a && !a->upright;
    int rows = transposed ? w.cols : w.rows, cols = transposed ? w.rows : w.cols;
    if (!a)
        note_missing(m, "no tensor", w.origin);
    else if (!has_shape(a, rows, cols))
        note_missing(m, pb_arena_format(m->arena, "not of shape [%d,%d]:", rows, cols), w.origin);
    else if (load_packed_or_full(m, p, a, transposed)) {
        pb_error_clear(); /* it is named with the others */
        note_missing(m, "not of F64, F32, F16 or BF16:", w.origin);
    }
    return p;
}

/* The same for a parameter of a task's head.  One that the checkpoint lacks is initialized and counts as the head's. */
static pb_param *load_or_init_param(pb_model *m, param_spec w, pb_init init)
{
    const pb_array *a = m->file || m->list ? find_tensor(m, w.origin) : NULL;
    if ((a && has_shape(a, w.rows, w.cols)) || (m->file && m->checkpoint_head))
        return load_param(m, w);
    bool unknown = m->shapes_only && !m->list && m->base.weights == PB_FROM_CHECKPOINT;
    pb_param *p = pb_params_add(m, w.name, w.origin, unknown ? w.kind : PB_HEAD, -1, w.rows, w.cols);
    if (!m->shapes_only)
        pb_params_init(m, p, init);
    p->drawn = !m->shapes_only;
    return p;
}

int pb_model_check_given(const pb_model *m)
{
    pb_text names = {0};
    for (size_t i = 0; i < m->params; i++)
        if (m->param[i]->drawn)
            pb_text_add(&names, "%s'%s'", names.length ? ", " : "", m->origin[i]);
    int rc = names.length
                 ? pb_error("%s: no tensor %s in the checkpoint or in an adapter, so that without training its "
                            "values are random; want a checkpoint or an adapter that has it",
                            m->dir, names.data)
                 : 0;
    pb_text_free(&names);
    return rc;
}

/* ---- the parameters of a network ------------------------------------------------------------------------ */

static char *joined(pb_model *m, const char *a, const char *b)
{
    return pb_arena_format(m->arena, "%s%s", a, b);
}

/* A module of the network, as it is called in a model with a head. */
static char *inside(pb_model *m, const char *module)
{
    return joined(m, m->config.family->prefix, module);
}

static void load_site(pb_model *m, int l, int k, int in, int out)
{
    const struct pb_family *f = m->config.family;
    pb_site *s = &m->layer[l].site[k];
    *s = (pb_site){.number = l * (SITES + BLOCKS) + k, .layer = l, .layers = m->config.layers, .role = pb_role_name[k]};
    if (!f->site[k])
        return;
    s->in = in;
    s->out = out;
    s->module = pb_arena_format(m->arena, f->layer, l); /* NOLINT: a format of ours */
    s->module = pb_arena_format(m->arena, "%s%s.%s", f->prefix, s->module, f->site[k]);
    char *name = pb_arena_format(m->arena, "layer.%d.%s", l, pb_role_name[k]);
    s->w = load_param(
        m, (param_spec){joined(m, name, ".weight"), joined(m, s->module, ".weight"), PB_MATRIX, l, out, in, f->conv1d});
    if (m->config.bias >> k & 1)
        s->b = load_param(
            m, (param_spec){joined(m, name, ".bias"), joined(m, s->module, ".bias"), PB_BIAS, l, 1, out, false});
}

/* Does nothing if `module` is NULL. */
static void load_norm(pb_model *m, const char *name, const char *module, int layer, int width, pb_param **gain,
                      pb_param **bias)
{
    if (!module)
        return;
    *gain = load_param(m, (param_spec){joined(m, name, ".weight"), joined(m, module, ".weight"), PB_NORM_GAIN, layer, 1,
                                       width, false});
    if (bias && !m->config.family->rms)
        *bias = load_param(m, (param_spec){joined(m, name, ".bias"), joined(m, module, ".bias"), PB_NORM_BIAS, layer, 1,
                                           width, false});
}

static void load_layer(pb_model *m, int l)
{
    const pb_network_config *c = &m->config;
    pb_layer *layer = &m->layer[l];
    int queries = c->heads * c->head_size, keys = pb_model_kv_width(m);
    const int in[SITES] = {[O] = queries, [DOWN] = c->intermediate_size};
    const int out[SITES] = {queries + 2 * keys,   queries, keys, keys, c->width, c->intermediate_size,
                            c->intermediate_size, c->width};
    for (int k = 0; k < SITES; k++)
        load_site(m, l, k, in[k] ? in[k] : c->width, out[k]);
    char *module = inside(m, pb_arena_format(m->arena, c->family->layer, l)); /* NOLINT: a format of ours */
    for (int k = 0; k < BLOCKS; k++)
        layer->block[k] = (pb_site){.number = l * (SITES + BLOCKS) + SITES + k,
                                    .layer = l,
                                    .layers = c->layers,
                                    .role = pb_block_name[k],
                                    .in = c->width,
                                    .out = c->width};
    for (int k = 0; k < SUBLAYERS; k++)
        load_norm(m, pb_arena_format(m->arena, "layer.%d.%s.norm", l, pb_block_name[k]),
                  pb_arena_format(m->arena, "%s.%s", module, c->family->norm[k]), l, c->width, &layer->gain[k],
                  &layer->bias[k]);
    for (int k = 0; k < 2 && c->family->head_norm[k]; k++)
        load_norm(m, pb_arena_format(m->arena, "layer.%d.attn.%s.norm", l, k ? "k" : "q"),
                  pb_arena_format(m->arena, "%s.%s", module, c->family->head_norm[k]), l, c->head_size,
                  &layer->head_gain[k], NULL);
}

static pb_param *load_table(pb_model *m, const char *name, const char *module, int rows)
{
    return module ? load_param(m, (param_spec){name, inside(m, joined(m, module, ".weight")), PB_EMBEDDING, -1, rows,
                                               m->config.width, false})
                  : NULL;
}

/* ---- heads --------------------------------------------------------------------------------------------- */

/* The dense layer may belong to the pretrained network; the classifier is the task's. */
static void load_classifier(pb_model *m, const pb_head_names *h)
{
    int width = m->config.width;
    pb_init normal = pb_init_normal(0.02), zero = pb_init_constant(0);
    pb_kind weight = h->base_dense ? PB_MATRIX : PB_HEAD, bias = h->base_dense ? PB_BIAS : PB_HEAD;
    if (h->dense) {
        const char *dense = h->base_dense ? inside(m, h->dense) : h->dense;
        m->pool_w = load_or_init_param(
            m, (param_spec){"pool.weight", joined(m, dense, ".weight"), weight, -1, width, width, false}, normal);
        m->pool_b = load_or_init_param(
            m, (param_spec){"pool.bias", joined(m, dense, ".bias"), bias, -1, 1, width, false}, zero);
        m->pool_b->vector = true;
    }
    m->head_w = load_or_init_param(
        m, (param_spec){"head.weight", joined(m, h->out, ".weight"), PB_HEAD, -1, m->classes, width, false}, normal);
    if (h->bias) {
        m->head_b = load_or_init_param(m, (param_spec){"head.bias", h->bias, PB_HEAD, -1, 1, m->classes, false}, zero);
        m->head_b->vector = true; /* while the weight of one output is a matrix [1, width] */
    }
}

static const pb_array *find_listed(const pb_model *m, const char *name)
{
    return m->file || m->list ? find_tensor(m, name) : NULL;
}

/* Returns true if a checkpoint with tie_word_embeddings has an output table that differs from the word table.  As in
 * transformers, the output table is then used. */
static bool has_output_table(pb_model *m, const pb_head_names *h)
{
    const pb_array *out = find_listed(m, joined(m, h->out, ".weight")),
                   *word = find_listed(m, inside(m, joined(m, m->config.family->word, ".weight")));
    return out && word &&
           (out->dtype != word->dtype || out->bytes != word->bytes ||
            (out->data != word->data && memcmp(out->data, word->data, out->bytes) != 0));
}

/* The name of the output's bias: that of an untied checkpoint, which takes precedence if a tied one has both, or that
 * of the head. */
static const char *bias_of(pb_model *m, const pb_head_names *h)
{
    const char *other = joined(m, h->out, ".bias");
    return find_listed(m, other) || (m->file && !m->config.tied) ? other : h->bias;
}

/* The head of a masked or causal language model; its table may be the word table. */
static void load_language_head(pb_model *m, const pb_head_names *h)
{
    int width = m->config.width, vocab = m->config.vocab;
    const char *bias = h->bias ? bias_of(m, h) : NULL;
    m->config.tied = m->config.tied && !has_output_table(m, h);
    if (h->dense) {
        m->pool_w = load_param(
            m, (param_spec){"lm.dense.weight", joined(m, h->dense, ".weight"), PB_MATRIX, -1, width, width, false});
        m->pool_b =
            load_param(m, (param_spec){"lm.dense.bias", joined(m, h->dense, ".bias"), PB_BIAS, -1, 1, width, false});
    }
    load_norm(m, "lm.norm", h->norm, -1, width, &m->pool_gain, &m->pool_beta);
    m->head_w = m->config.tied ? m->word
                               : load_param(m, (param_spec){"lm.weight", joined(m, h->out, ".weight"), PB_MATRIX, -1,
                                                            vocab, width, false});
    if (h->bias)
        m->head_b = load_param(m, (param_spec){"lm.bias", bias, PB_BIAS, -1, 1, vocab, false});
}

/* The linear map whose outputs have distillation targets; no checkpoint contains it. */
static void make_distillation(pb_model *m, int distill_width)
{
    m->distill_w = pb_params_add(m, "state.weight", NULL, PB_HEAD, -1, distill_width, m->config.width);
    m->distill_b = pb_params_add(m, "state.bias", NULL, PB_HEAD, -1, 1, distill_width);
    if (m->shapes_only)
        return;
    pb_params_init(m, m->distill_w, pb_init_normal(0.02));
    pb_params_init(m, m->distill_b, pb_init_constant(0));
}

static int name_missing(const pb_model *m)
{
    if (!m->missing.length)
        return 0;
    const char *all = m->missing.data, *end = all;
    int named = 0;
    while (named < MOST_NAMED && (end = strstr(end, "', ")))
        end += 2, named++;
    return pb_error("%s: %.*s%s: not the tensors that config.json describes", m->dir,
                    end ? (int)(end - all) - 1 : (int)m->missing.length, all, end ? " and more" : "");
}

/* Refuses a checkpoint that another tool has quantized; its scales are in extra tensors. */
static int check_packed(const pb_model *m)
{
    static const struct {
        const char *part, *tool;
    } marks[] = {{".quant_state.bitsandbytes", "bitsandbytes (4 bits)"},
                 {".absmax", "bitsandbytes (4 bits)"},
                 {".SCB", "bitsandbytes (8 bits)"},
                 {".qweight", "GPTQ or AWQ"},
                 {".weight_packed", "compressed-tensors"},
                 {".weight_scale", "fp8 or compressed-tensors"}};
    const pb_weights *file = m->file ? m->file : m->list;
    for (size_t i = 0; file && i < pb_weights_count(file); i++) {
        const pb_array *a = pb_weights_at(file, i);
        const char *tool = a->dtype == PB_F8 ? "a conversion to fp8" : NULL;
        for (size_t k = 0; k < PB_COUNT(marks); k++)
            tool = strstr(a->name, marks[k].part) ? marks[k].tool : tool;
        if (tool)
            return pb_error(
                "%s: '%s': a checkpoint quantized by %s is not supported; want the original one in 16 or 32 "
                "bits (and --precision int8 or nf4), or a GGUF file",
                m->dir, a->name, tool);
    }
    return 0;
}

int pb_checkpoint_params(pb_model *m, int distill_width)
{
    const pb_network_config *c = &m->config;
    const struct pb_family *f = c->family;
    if (check_packed(m))
        return -1;
    m->layer = pb_arena_alloc(m->arena, PB_META, (size_t)c->layers * sizeof *m->layer);
    m->word = load_table(m, "embed.word", f->word, c->vocab);
    m->position = load_table(m, "embed.position", f->position, c->positions);
    m->type = load_table(m, "embed.type", f->token_type, c->types);
    load_norm(m, "embed.norm", f->embed_norm ? inside(m, f->embed_norm) : NULL, -1, c->width, &m->embed_gain,
              &m->embed_bias);
    for (int l = 0; l < c->layers; l++) {
        load_layer(m, l);
        pb_attention_add_cached(m, (pb_cached_attention){.part = -1, .width = pb_model_kv_width(m)});
    }
    load_norm(m, "final.norm", f->final_norm ? inside(m, f->final_norm) : NULL, -1, c->width, &m->final_gain,
              &m->final_bias);
    if (pb_model_has_classes(m))
        load_classifier(m, pb_classifier_names(m));
    else if (m->head != PB_HEAD_NONE)
        load_language_head(m, &f->masked);
    if (distill_width)
        make_distillation(m, distill_width);
    return name_missing(m);
}
