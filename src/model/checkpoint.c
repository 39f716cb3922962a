/* checkpoint: a Hugging Face folder: config.json and model.safetensors to parameters. */
#include <stdlib.h>
#include <string.h>

#include "files/json.h"
#include "model/internal.h"

/* ---- config.json --------------------------------------------------------------------------------- */

/* A whole number in [low, high] that the config must have. */
static int number(const char *path, const pb_json *root, const char *key, int low, int high, int *out)
{
    long long n = pb_json_integer(pb_json_get(root, key), -1);
    if (n < low || n > high)
        return pb_error("%s: %s: want a whole number %d..%d", path, key, low, high);
    *out = (int)n;
    return 0;
}

static int activation(const char *path, const pb_json *root, pb_act *out)
{
    static const struct {
        const char *name;
        pb_act act;
    } known[] = {{"gelu", PB_GELU},
                 {"gelu_new", PB_GELU_TANH},
                 {"gelu_pytorch_tanh", PB_GELU_TANH},
                 {"relu", PB_RELU},
                 {"silu", PB_SILU}};
    const char *name = pb_json_text(pb_json_get(root, "hidden_act"), "");
    for (size_t i = 0; i < PB_COUNT(known); i++)
        if (!strcmp(name, known[i].name)) {
            *out = known[i].act;
            return 0;
        }
    return pb_error("%s: hidden_act: want gelu, gelu_new, relu or silu, got '%s'", path, name);
}

static int check(const char *path, const pb_json *root, const pb_config *c)
{
    const char *family = pb_json_text(pb_json_get(root, "model_type"), "");
    const char *places = pb_json_text(pb_json_get(root, "position_embedding_type"), "absolute");
    if (strcmp(family, "bert") != 0)
        return pb_error("%s: model_type: want bert, got '%s'", path, family);
    if (strcmp(places, "absolute") != 0)
        return pb_error("%s: position_embedding_type: want absolute, got '%s'", path, places);
    if (c->width % c->heads)
        return pb_error("%s: hidden_size: want a multiple of num_attention_heads = %d, got %d", path, c->heads,
                        c->width);
    return 0;
}

static int read_config(const char *path, const pb_json *root, pb_config *c)
{
    if (number(path, root, "vocab_size", 1, 1 << 24, &c->vocab) ||
        number(path, root, "hidden_size", 1, 1 << 17, &c->width) ||
        number(path, root, "num_hidden_layers", 1, 4096, &c->layers) ||
        number(path, root, "num_attention_heads", 1, 4096, &c->heads) ||
        number(path, root, "intermediate_size", 1, 1 << 20, &c->inner) ||
        number(path, root, "max_position_embeddings", 2, 1 << 24, &c->positions) ||
        number(path, root, "type_vocab_size", 1, 1024, &c->types) || activation(path, root, &c->act))
        return -1;
    c->family = "bert";
    c->norm_eps = pb_json_number(pb_json_get(root, "layer_norm_eps"), 1e-12);
    return check(path, root, c);
}

int pb_checkpoint_config(const char *dir, pb_config *c, pb_arena *arena)
{
    char *path = pb_arena_format(arena, "%s/config.json", dir);
    pb_json_doc *doc = pb_json_read(path);
    if (!doc)
        return -1;
    int rc = read_config(path, pb_json_root(doc), c);
    pb_json_free(doc);
    return rc;
}

/* ---- names: ours and the checkpoint's ------------------------------------------------------------- */

static const char *const roles[SITES] = {"attn.q", "attn.k", "attn.v", "attn.o", "mlp.up", "mlp.down"};
static const char *const file_roles[SITES] = {"attention.self.query",   "attention.self.key", "attention.self.value",
                                              "attention.output.dense", "intermediate.dense", "output.dense"};
static const char *const subs[SUBLAYERS] = {"attn", "mlp"};
static const char *const file_norms[SUBLAYERS] = {"attention.output.LayerNorm", "output.LayerNorm"};

int pb_checkpoint_open(pb_model *m)
{
    m->file = pb_safetensors_open(pb_arena_format(m->arena, "%s/model.safetensors", m->dir));
    return m->file ? 0 : -1;
}

/* A bare encoder has no prefix, a model with a head has "bert." before the encoder's names. */
static const pb_array *stored(const pb_model *m, const char *name)
{
    const pb_array *a = pb_safetensors_find(m->file, name);
    return a ? a : pb_safetensors_find(m->file, pb_arena_format(m->arena, "bert.%s", name));
}

static bool has_shape(const pb_array *a, int rows, int cols)
{
    return a->dims == 1 ? rows == 1 && a->shape[0] == cols : a->dims == 2 && a->shape[0] == rows && a->shape[1] == cols;
}

/* 32-bit floats are used where they lie in the map; anything else is converted. */
static int take_value(pb_model *m, pb_param *p, const pb_array *a)
{
    if (a->dtype == PB_F32 && sizeof(pb_real) == 4 && (uintptr_t)a->data % 4 == 0) {
        p->x = (pb_real *)(uintptr_t)a->data; /* read-only: nothing frozen is ever written */
        return 0;
    }
    p->x = pb_arena_alloc(m->arena, PB_WEIGHTS, a->count * sizeof *p->x);
    return pb_array_reals(a, 0, a->count, p->x);
}

/* One parameter of the checkpoint; NULL after an error. */
static pb_param *take(pb_model *m, const char *name, const char *file_name, pb_kind kind, int layer, int rows, int cols)
{
    pb_param *p = pb_params_add(m, name, kind, layer, rows, cols);
    if (!m->file)
        return p;
    const pb_array *a = stored(m, file_name);
    if (!a) {
        pb_error("%s/model.safetensors: no tensor '%s'", m->dir, file_name);
        return NULL;
    }
    if (!has_shape(a, rows, cols)) {
        pb_error("%s/model.safetensors: '%s': want shape [%d,%d], as config.json says", m->dir, file_name, rows, cols);
        return NULL;
    }
    return take_value(m, p, a) ? NULL : p;
}

/* A parameter that a checkpoint may lack: then it starts fresh and counts as the head's. */
static pb_param *take_or_make(pb_model *m, const char *name, const char *file_name, pb_kind kind, int rows, int cols,
                              pb_init init)
{
    const pb_array *a = m->file ? stored(m, file_name) : NULL;
    if (a && has_shape(a, rows, cols))
        return take(m, name, file_name, kind, -1, rows, cols);
    pb_param *p = pb_params_add(m, name, m->file ? PB_HEAD : kind, -1, rows, cols);
    if (m->file)
        pb_params_init(m, p, init);
    return p;
}

/* ---- the parameters of an encoder ------------------------------------------------------------------- */

static int take_site(pb_model *m, int layer, int k, int in, int out)
{
    pb_site *s = &m->layer[layer].site[k];
    char *name = pb_arena_format(m->arena, "layer.%d.%s", layer, roles[k]);
    char *file = pb_arena_format(m->arena, "encoder.layer.%d.%s", layer, file_roles[k]);
    *s = (pb_site){.number = layer * SITES + k,
                   .layer = layer,
                   .layers = m->config.layers,
                   .role = roles[k],
                   .in = in,
                   .out = out};
    s->w = take(m, pb_arena_format(m->arena, "%s.weight", name), pb_arena_format(m->arena, "%s.weight", file),
                PB_MATRIX, layer, out, in);
    s->b = take(m, pb_arena_format(m->arena, "%s.bias", name), pb_arena_format(m->arena, "%s.bias", file), PB_BIAS,
                layer, 1, out);
    return s->w && s->b ? 0 : -1;
}

static int take_norm(pb_model *m, const char *name, const char *file, int layer, pb_param **gain, pb_param **bias)
{
    int width = m->config.width;
    *gain = take(m, pb_arena_format(m->arena, "%s.weight", name), pb_arena_format(m->arena, "%s.weight", file),
                 PB_NORM_GAIN, layer, 1, width);
    *bias = take(m, pb_arena_format(m->arena, "%s.bias", name), pb_arena_format(m->arena, "%s.bias", file),
                 PB_NORM_BIAS, layer, 1, width);
    return *gain && *bias ? 0 : -1;
}

static int take_layer(pb_model *m, int l)
{
    int width = m->config.width, inner = m->config.inner;
    pb_layer *layer = &m->layer[l];
    for (int k = 0; k < SITES; k++)
        if (take_site(m, l, k, k == DOWN ? inner : width, k == UP ? inner : width))
            return -1;
    for (int k = 0; k < SUBLAYERS; k++) {
        layer->sub[k] =
            (pb_site){.number = -1, .layer = l, .layers = m->config.layers, .role = subs[k], .in = width, .out = width};
        if (take_norm(m, pb_arena_format(m->arena, "layer.%d.%s.norm", l, subs[k]),
                      pb_arena_format(m->arena, "encoder.layer.%d.%s", l, file_norms[k]), l, &layer->gain[k],
                      &layer->bias[k]))
            return -1;
    }
    return 0;
}

static int take_embeddings(pb_model *m)
{
    const pb_config *c = &m->config;
    m->word = take(m, "embed.word", "embeddings.word_embeddings.weight", PB_EMBEDDING, -1, c->vocab, c->width);
    m->place =
        take(m, "embed.position", "embeddings.position_embeddings.weight", PB_EMBEDDING, -1, c->positions, c->width);
    m->type = take(m, "embed.type", "embeddings.token_type_embeddings.weight", PB_EMBEDDING, -1, c->types, c->width);
    if (!m->word || !m->place || !m->type)
        return -1;
    return take_norm(m, "embed.norm", "embeddings.LayerNorm", -1, &m->embed_gain, &m->embed_bias);
}

/* The pooler is part of the published encoder; the classifier is the task's. */
static int take_head(pb_model *m)
{
    int width = m->config.width;
    pb_init fresh = pb_init_normal(0.02), zero = pb_init_constant(0);
    m->pool_w = take_or_make(m, "pool.weight", "pooler.dense.weight", PB_MATRIX, width, width, fresh);
    m->pool_b = take_or_make(m, "pool.bias", "pooler.dense.bias", PB_BIAS, 1, width, zero);
    m->head_w = take_or_make(m, "head.weight", "classifier.weight", PB_HEAD, m->classes, width, fresh);
    m->head_b = take_or_make(m, "head.bias", "classifier.bias", PB_HEAD, 1, m->classes, zero);
    return m->pool_w && m->pool_b && m->head_w && m->head_b ? 0 : -1;
}

int pb_checkpoint_params(pb_model *m)
{
    m->layer = pb_arena_alloc(m->arena, PB_META, (size_t)m->config.layers * sizeof *m->layer);
    if (take_embeddings(m))
        return -1;
    for (int l = 0; l < m->config.layers; l++)
        if (take_layer(m, l))
            return -1;
    return take_head(m);
}
