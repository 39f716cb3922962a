/* family: see family.h. */
#include "model/family.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/model_fields.h"
#include "model/rope.h"

const char *const pb_role_name[SITES] = {"attn.qkv", "attn.q",   "attn.k", "attn.v",
                                         "attn.o",   "mlp.gate", "mlp.up", "mlp.down"};
const char *const pb_block_name[BLOCKS] = {"attn", "mlp", "layer"};

#define ALL ((1u << SITES) - 1)
#define CLASSIFIER                                                                                                     \
    {                                                                                                                  \
        .out = "classifier", .bias = "classifier.bias"                                                                 \
    }

/* Llama, and the families with the same names. */
#define LLAMA                                                                                                          \
    .prefix = "model.",                                                                                                \
    .key = {"hidden_size",                                                                                             \
            "num_hidden_layers",                                                                                       \
            "num_attention_heads",                                                                                     \
            "intermediate_size",                                                                                       \
            "max_position_embeddings",                                                                                 \
            "hidden_act",                                                                                              \
            "rms_norm_eps",                                                                                            \
            NULL},                                                                                                     \
    .word = "embed_tokens", .final_norm = "norm", .layer = "layers.%d",                                                \
    .site = {[Q] = "self_attn.q_proj", [K] = "self_attn.k_proj", [V] = "self_attn.v_proj", [O] = "self_attn.o_proj",   \
             [GATE] = "mlp.gate_proj", [UP] = "mlp.up_proj",     [DOWN] = "mlp.down_proj"},                            \
    .norm = {"input_layernorm", "post_attention_layernorm"}, .classes = {.out = "score"},                              \
    .masked = {.out = "lm_head"}, .tokens = {.out = "score", .bias = "score.bias"}, .causal = true, .pre_norm = true,  \
    .rms = true, .rotary = true

#define BERT_LAYER                                                                                                     \
    .key = {"hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "max_position_embeddings", \
            "hidden_act",  "layer_norm_eps",    "hidden_dropout_prob"},                                                \
    .word = "embeddings.word_embeddings", .position = "embeddings.position_embeddings",                                \
    .token_type = "embeddings.token_type_embeddings", .embed_norm = "embeddings.LayerNorm",                            \
    .layer = "encoder.layer.%d",                                                                                       \
    .site = {[Q] = "attention.self.query",   [K] = "attention.self.key",  [V] = "attention.self.value",                \
             [O] = "attention.output.dense", [UP] = "intermediate.dense", [DOWN] = "output.dense"},                    \
    .norm = {"attention.output.LayerNorm", "output.LayerNorm"}, .bias = ALL

static const struct pb_family families[] = {
    {.type = "bert",
     .class_name = "Bert",
     .prefix = "bert.",
     BERT_LAYER,
     .classes =
         {.dense = "pooler.dense", .out = "classifier", .bias = "classifier.bias", .act = PB_TANH, .base_dense = true},
     .tokens = CLASSIFIER,
     .masked = {.dense = "cls.predictions.transform.dense",
                .norm = "cls.predictions.transform.LayerNorm",
                .out = "cls.predictions.decoder",
                .bias = "cls.predictions.bias",
                .config_act = true}},
    {.type = "roberta",
     .class_name = "Roberta",
     .prefix = "roberta.",
     BERT_LAYER,
     .classes = {.dense = "classifier.dense",
                 .out = "classifier.out_proj",
                 .bias = "classifier.out_proj.bias",
                 .act = PB_TANH},
     .choices =
         {.dense = "pooler.dense", .out = "classifier", .bias = "classifier.bias", .act = PB_TANH, .base_dense = true},
     .tokens = CLASSIFIER,
     .masked = {.dense = "lm_head.dense",
                .norm = "lm_head.layer_norm",
                .out = "lm_head.decoder",
                .bias = "lm_head.bias",
                .act = PB_GELU}},
    {.type = "distilbert",
     .class_name = "DistilBert",
     .prefix = "distilbert.",
     .key = {"dim", "n_layers", "n_heads", "hidden_dim", "max_position_embeddings", "activation", NULL, "dropout"},
     .word = "embeddings.word_embeddings",
     .position = "embeddings.position_embeddings",
     .embed_norm = "embeddings.LayerNorm",
     .layer = "transformer.layer.%d",
     .site = {[Q] = "attention.q_lin",
              [K] = "attention.k_lin",
              [V] = "attention.v_lin",
              [O] = "attention.out_lin",
              [UP] = "ffn.lin1",
              [DOWN] = "ffn.lin2"},
     .norm = {"sa_layer_norm", "output_layer_norm"},
     .bias = ALL,
     .classes = {.dense = "pre_classifier", .out = "classifier", .bias = "classifier.bias", .act = PB_RELU},
     .tokens = CLASSIFIER,
     .masked = {.dense = "vocab_transform",
                .norm = "vocab_layer_norm",
                .out = "vocab_projector",
                .bias = "vocab_projector.bias",
                .config_act = true}},
    {.type = "gpt2",
     .class_name = "GPT2",
     .prefix = "transformer.",
     .key = {"n_embd", "n_layer", "n_head", "n_inner", "n_positions", "activation_function", "layer_norm_epsilon",
             "resid_pdrop"},
     .word = "wte",
     .position = "wpe",
     .final_norm = "ln_f",
     .layer = "h.%d",
     .site = {[QKV] = "attn.c_attn", [O] = "attn.c_proj", [UP] = "mlp.c_fc", [DOWN] = "mlp.c_proj"},
     .norm = {"ln_1", "ln_2"},
     .bias = ALL,
     .classes = {.out = "score"},
     .tokens = CLASSIFIER,
     .masked = {.out = "lm_head"},
     .causal = true,
     .pre_norm = true,
     .conv1d = true,
     .end = 50256},
    {.type = "llama", .class_name = "Llama", LLAMA, .end = 2},
    {.type = "mistral", .class_name = "Mistral", LLAMA, .kv_heads = 8, .window = 4096, .end = 2},
    {.type = "qwen2",
     .class_name = "Qwen2",
     LLAMA,
     .kv_heads = 32,
     .window = 4096,
     .bias = 1u << Q | 1u << K | 1u << V},
    {.type = "qwen3",
     .class_name = "Qwen3",
     LLAMA,
     .kv_heads = 32,
     .head_size = 128,
     .window = 4096,
     .head_norm = {"self_attn.q_norm", "self_attn.k_norm"}},
};

/* ---- reading config.json ----------------------------------------------------------------------------- */

enum { MOST_CLASSES = 1 << 20 };

typedef struct reader {
    const char *path;
    const pb_json *root;
    pb_network_config *c;
} reader;

/* Reads an integer in [low, high].  An absent or null field is `otherwise`, or an error if that is < 0. */
static int number(const reader *r, const char *key, int low, int high, int otherwise, int *out)
{
    const pb_json *v = pb_json_get(r->root, key);
    if ((!v || pb_json_is_null(v)) && otherwise >= 0) {
        *out = otherwise;
        return 0;
    }
    long long n = pb_json_integer(v, -1);
    *out = (int)n;
    if (n >= low && n <= high)
        return 0;
    pb_text got = {0};
    if (v)
        pb_json_print(v, &got);
    pb_error("%s: %s: want a whole number %d..%d, got %s", r->path, key, low, high, v ? got.data : "none");
    pb_text_free(&got);
    return -1;
}

static const struct pb_family *find_family(const reader *r)
{
    const char *type = pb_json_text(pb_json_get(r->root, "model_type"), "");
    pb_text known = {0};
    for (size_t i = 0; i < PB_COUNT(families); i++) {
        if (!strcmp(type, families[i].type))
            return pb_text_free(&known), &families[i];
        pb_text_add(&known, "%s%s", i ? ", " : "", families[i].type);
    }
    pb_error("%s: model_type: want one of %s; got '%s'", r->path, known.data, type);
    pb_text_free(&known);
    return NULL;
}

static int read_activation(const reader *r)
{
    static const struct {
        const char *name;
        pb_act act;
    } known[] = {{"gelu", PB_GELU}, {"gelu_new", PB_GELU_TANH}, {"gelu_pytorch_tanh", PB_GELU_TANH},
                 {"relu", PB_RELU}, {"silu", PB_SILU},          {"swish", PB_SILU}};
    const char *key = r->c->family->key.act, *name = pb_json_text(pb_json_get(r->root, key), "");
    for (size_t i = 0; i < PB_COUNT(known); i++)
        if (!strcmp(name, known[i].name)) {
            r->c->act = known[i].act;
            return 0;
        }
    return pb_error("%s: %s: want gelu, gelu_new, relu or silu, got '%s'", r->path, key, name);
}

/* Reads a number that has the family's default if the field is absent, and a derived value if the field is null. */
static int shared_number(const reader *r, const char *key, int absent_value, int derived, int *out)
{
    bool absent = !pb_json_get(r->root, key);
    return number(r, key, 1, 4096, absent && absent_value ? absent_value : derived, out);
}

static int read_heads(const reader *r)
{
    pb_network_config *c = r->c;
    if (number(r, c->family->key.heads, 1, 4096, -1, &c->heads) ||
        shared_number(r, "num_key_value_heads", c->family->kv_heads, c->heads, &c->kv_heads) ||
        shared_number(r, "head_dim", c->family->head_size, c->width / c->heads, &c->head_size))
        return -1;
    if (c->head_size == c->width / c->heads && c->width % c->heads)
        return pb_error("%s: %s: want a multiple of %s = %d, got %d", r->path, c->family->key.width,
                        c->family->key.heads, c->heads, c->width);
    if (c->heads % c->kv_heads)
        return pb_error("%s: num_key_value_heads: want a divisor of %d, got %d", r->path, c->heads, c->kv_heads);
    return 0;
}

static bool flag_of(const pb_json *object, const char *key)
{
    return pb_json_bool(pb_json_get(object, key), false);
}

static bool flag(const reader *r, const char *key, bool otherwise)
{
    return pb_json_bool(pb_json_get(r->root, key), otherwise);
}

/* The name of the model's class in transformers. */
static const char *architecture(const reader *r)
{
    return pb_json_text(pb_json_at(pb_json_get(r->root, "architectures"), 0), "");
}

static bool is_for_choices(const reader *r)
{
    return strstr(architecture(r), "ForMultipleChoice") != NULL;
}

static int read_problem(const reader *r)
{
    const char *problem = pb_json_text(pb_json_get(r->root, "problem_type"), NULL);
    r->c->problem = is_for_choices(r) ? PB_PROBLEM_CHOICES : PB_PROBLEM_ANY;
    for (pb_problem p = PB_PROBLEM_CLASS; p <= PB_PROBLEM_NUMBERS && problem && !r->c->problem; p++)
        if (!strcmp(problem, pb_problem_name[p]))
            r->c->problem = p;
    return !problem || r->c->problem
               ? 0
               : pb_error("%s: problem_type: want single_label_classification, multi_label_classification or "
                          "regression, got '%s'",
                          r->path, problem);
}

/* Reads the optional parts of the network. */
static int read_switches(const reader *r)
{
    pb_network_config *c = r->c;
    bool gpt2 = c->family->conv1d;
    c->bias = c->family->bias;
    if (flag(r, "attention_bias", false))
        c->bias |= 1u << Q | 1u << K | 1u << V | 1u << O;
    if (flag(r, "mlp_bias", false))
        c->bias |= 1u << GATE | 1u << UP | 1u << DOWN;
    c->tied = flag(r, "tie_word_embeddings", !c->family->rotary);
    c->attention_scale = gpt2 && !flag(r, "scale_attn_weights", true) ? 1 : 1 / sqrt(c->head_size);
    c->scale_by_layer = flag(r, "scale_attn_by_inverse_layer_idx", false);
    return number(r, "pad_token_id", -1, INT_MAX, -1, &c->pad) ? -1 : read_problem(r);
}

/* Reads the head from `architectures`. */
static int read_head(const reader *r)
{
    const char *name = architecture(r);
    pb_network_config *c = r->c;
    c->head = is_for_choices(r) || strstr(name, "ForSequenceClassification") ? PB_HEAD_CLASSES
              : strstr(name, "ForCausalLM") || strstr(name, "LMHeadModel")   ? PB_HEAD_CAUSAL
              : strstr(name, "ForMaskedLM")                                  ? PB_HEAD_MASKED
              : strstr(name, "ForTokenClassification")                       ? PB_HEAD_TOKENS
                                                                             : PB_HEAD_NONE;
    c->classes = 1;
    if (is_for_choices(r)) /* whatever num_labels says */
        return 0;
    size_t labels = pb_json_size(pb_json_get(r->root, "id2label"));
    c->classes = labels < MOST_CLASSES ? (int)labels : MOST_CLASSES;
    return labels ? 0 : number(r, "num_labels", 1, MOST_CLASSES, 2, &c->classes);
}

static int read_epsilon(const reader *r)
{
    const struct pb_family *f = r->c->family;
    double usual = f->key.eps && f->rms ? 1e-6 : f->key.eps && f->conv1d ? 1e-5 : 1e-12;
    r->c->norm_eps = f->key.eps ? pb_json_number(pb_json_get(r->root, f->key.eps), usual) : usual;
    return r->c->norm_eps >= 0 && r->c->norm_eps <= 1 ? 0 : pb_error("%s: %s: want a number 0..1", r->path, f->key.eps);
}

/* The default is 0.1, as in transformers; Llama and its relatives have no such dropout. */
static int read_dropout(const reader *r)
{
    const char *key = r->c->family->key.dropout;
    r->c->dropout = key ? pb_json_number(pb_json_get(r->root, key), 0.1) : 0;
    return r->c->dropout >= 0 && r->c->dropout <= 0.9 ? 0 : pb_error("%s: %s: want a number 0..0.9", r->path, key);
}

int pb_family_ends(const char *path, const pb_json *root, pb_network_config *c)
{
    const pb_json *end = pb_json_get(root, "eos_token_id");
    size_t n = pb_json_is_array(end) ? pb_json_size(end) : end && !pb_json_is_null(end) ? 1 : 0;
    if (n > PB_COUNT(c->end))
        return pb_error("%s: eos_token_id: want at most %zu tokens, got %zu", path, PB_COUNT(c->end), n);
    for (size_t i = 0; i < PB_COUNT(c->end); i++) {
        long long id = pb_json_integer(pb_json_is_array(end) ? pb_json_at(end, i) : end, -1);
        c->end[i] = i < n ? (int)id : -1;
        if (i < n && (id < 0 || id > INT_MAX))
            return pb_error("%s: eos_token_id: want a token id or a list of token ids", path);
    }
    return 0;
}

static int read_ends(const reader *r)
{
    if (pb_family_ends(r->path, r->root, r->c))
        return -1;
    if (!pb_json_get(r->root, "eos_token_id") && r->c->family->end)
        r->c->end[0] = r->c->family->end;
    return 0;
}

/* True if some layers have sliding-window attention. */
static bool has_windows(const reader *r)
{
    const pb_json *types = pb_json_get(r->root, "layer_types");
    if (strcmp(r->c->family->type, "mistral") != 0 && !flag(r, "use_sliding_window", false))
        return false;
    for (size_t i = 0; i < pb_json_size(types); i++)
        if (!strcmp(pb_json_text(pb_json_at(types, i), ""), "sliding_attention"))
            return true;
    return !pb_json_size(types) && (!strcmp(r->c->family->type, "mistral") ||
                                    pb_json_integer(pb_json_get(r->root, "max_window_layers"), 28) < r->c->layers);
}

static int check_layer_types(const reader *r)
{
    const pb_json *types = pb_json_get(r->root, "layer_types");
    size_t n = pb_json_size(types);
    if (n && n != (size_t)r->c->layers)
        return pb_error("%s: layer_types: want one for each of the %d layers, got %zu", r->path, r->c->layers, n);
    for (size_t i = 0; i < n; i++) {
        const char *type = pb_json_text(pb_json_at(types, i), "");
        if (strcmp(type, "full_attention") != 0 && strcmp(type, "sliding_attention") != 0)
            return pb_error("%s: layer_types: want full_attention or sliding_attention, got '%s'", r->path, type);
    }
    return 0;
}

/* A text that fits in the window has full attention, so the window limits the positions. */
static int read_window(const reader *r)
{
    pb_network_config *c = r->c;
    int window = 0, absent_value = pb_json_get(r->root, "sliding_window") ? 0 : c->family->window;
    if (!c->family->window)
        return 0;
    if (check_layer_types(r) || (has_windows(r) && number(r, "sliding_window", 1, 1 << 24, absent_value, &window)))
        return -1;
    c->window = window < c->positions ? window : 0;
    c->positions = c->window ? c->window : c->positions;
    return 0;
}

/* Refuses a checkpoint that another tool has quantized. */
static int check_quantization(const reader *r)
{
    const pb_json *q = pb_json_get(r->root, "quantization_config");
    const char *method = pb_json_text(pb_json_get(q, "quant_method"), "an unnamed method");
    const char *bits = flag_of(q, "load_in_4bit") ? ", 4 bits" : flag_of(q, "load_in_8bit") ? ", 8 bits" : "";
    return pb_json_size(q)
               ? pb_error("%s: quantization_config: a checkpoint quantized by %s%s is not supported; want the "
                          "original one in 16 or 32 bits (and --precision int8 or nf4), or a GGUF file",
                          r->path, method, bits)
               : 0;
}

int pb_network_config_read(const char *path, const pb_json *root, pb_network_config *c)
{
    reader r = {path, root, c};
    const struct pb_family *f = c->family = find_family(&r);
    if (!f || check_quantization(&r) || pb_network_config_check(path, root, f->type) ||
        number(&r, "vocab_size", 1, 1 << 24, -1, &c->vocab) || number(&r, f->key.width, 1, 1 << 17, -1, &c->width) ||
        number(&r, f->key.layers, 1, 4096, -1, &c->layers) ||
        number(&r, f->key.intermediate_size, 1, 1 << 20, f->conv1d ? 4 * c->width : -1, &c->intermediate_size) ||
        number(&r, f->key.positions, 2, 1 << 24, -1, &c->positions) || read_heads(&r) || read_activation(&r))
        return -1;
    if (f->token_type && number(&r, "type_vocab_size", 1, 1024, -1, &c->types))
        return -1;
    if (read_window(&r))
        return -1;
    if (!strcmp(f->type, "roberta")) {
        if (number(&r, "pad_token_id", 0, 1 << 24, 1, &c->first_position))
            return -1;
        c->first_position++;
    }
    return read_ends(&r) || read_epsilon(&r) || read_dropout(&r) || read_head(&r) || read_switches(&r) ||
                   (f->rotary && pb_rope_read(path, root, c))
               ? -1
               : 0;
}
