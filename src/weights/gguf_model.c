/* gguf_model: converts llama.cpp's names of tensors and settings to Hugging Face's. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "weights/gguf_internal.h"

#define FREQUENCIES "rope_freqs.weight" /* a divisor for the frequency of each rotary pair */

typedef struct rename_row {
    const char *from, *to;
} rename_row;

/* Of the whole network, and of its layers ("blk.N." and "layers.N."). */
static const rename_row llama_names[] = {{"token_embd", "model.embed_tokens"},
                                         {"output_norm", "model.norm"},
                                         {"output", "lm_head"},
                                         {NULL, NULL}},
                        llama_layer[] = {{"attn_norm", "input_layernorm"},    {"ffn_norm", "post_attention_layernorm"},
                                         {"attn_q", "self_attn.q_proj"},      {"attn_k", "self_attn.k_proj"},
                                         {"attn_v", "self_attn.v_proj"},      {"attn_output", "self_attn.o_proj"},
                                         {"attn_q_norm", "self_attn.q_norm"}, {"attn_k_norm", "self_attn.k_norm"},
                                         {"ffn_gate", "mlp.gate_proj"},       {"ffn_up", "mlp.up_proj"},
                                         {"ffn_down", "mlp.down_proj"},       {NULL, NULL}},
                        gpt2_names[] = {{"token_embd", "transformer.wte"},
                                        {"position_embd", "transformer.wpe"},
                                        {"output_norm", "transformer.ln_f"},
                                        {"output", "lm_head"},
                                        {NULL, NULL}},
                        gpt2_layer[] = {{"attn_norm", "ln_1"},
                                        {"ffn_norm", "ln_2"},
                                        {"attn_qkv", "attn.c_attn"},
                                        {"attn_output", "attn.c_proj"},
                                        {"ffn_up", "mlp.c_fc"},
                                        {"ffn_down", "mlp.c_proj"},
                                        {NULL, NULL}};

static const char *find_renamed(const rename_row *list, const char *name, size_t n)
{
    for (; list->from; list++)
        if (!strncmp(list->from, name, n) && !list->from[n])
            return list->to;
    return NULL;
}

/* Returns Hugging Face's name of a tensor, on the heap, or NULL if the architecture has no such tensor. */
static char *renamed(bool gpt2, const char *name)
{
    const char *dot = strrchr(name, '.');
    int layer, at = 0;
    if (!dot)
        return NULL;
    if (sscanf(name, "blk.%d.%n", &layer, &at) == 1 && at && name + at < dot) {
        const char *to = find_renamed(gpt2 ? gpt2_layer : llama_layer, name + at, (size_t)(dot - name - at));
        return to ? pb_format("%s.%d.%s%s", gpt2 ? "transformer.h" : "model.layers", layer, to, dot) : NULL;
    }
    const char *to = find_renamed(gpt2 ? gpt2_names : llama_names, name, (size_t)(dot - name));
    return to ? pb_format("%s%s", to, dot) : NULL;
}

static double of_arch(const pb_gguf *f, const char *arch, const char *key, double otherwise)
{
    char *full = pb_format("%s.%s", arch, key);
    double n = pb_gguf_number(f, full, otherwise);
    free(full);
    return n;
}

/* Sets the layout of an array: the rows of q and k are in llama.cpp's order of rotary pairs, and matrices that Hugging
 * Face's GPT-2 has as [in,out] are stored as [out,in]. */
static void mark(pb_array *a, const char *old, bool gpt2, bool llama, int heads, int kv_heads)
{
    if (llama && strstr(old, ".attn_q."))
        a->heads = heads;
    if (llama && strstr(old, ".attn_k."))
        a->heads = kv_heads;
    a->upright = gpt2 && a->dims == 2 && strstr(old, "blk.");
}

static int rename_all(pb_gguf *f, const char *arch)
{
    bool gpt2 = !strcmp(arch, "gpt2"), llama = !strcmp(arch, "llama");
    double heads = of_arch(f, arch, "attention.head_count", 0), kv = of_arch(f, arch, "attention.head_count_kv", heads);
    if (!(heads >= 0 && heads < 4096 && kv >= 0 && kv < 4096))
        return pb_error("%s: %s.attention.head_count: want numbers of heads below 4096", f->path, arch);
    for (size_t i = 0; i < f->count; i++) {
        pb_array *a = &f->array[i];
        char *name = gpt2 || strcmp(a->name, FREQUENCIES) != 0 ? renamed(gpt2, a->name) : pb_strdup(FREQUENCIES);
        if (!name)
            return pb_error("%s: '%s': not a tensor of the architecture %s", f->path, a->name, arch);
        mark(a, a->name, gpt2, llama, (int)heads, (int)kv);
        free((void *)(uintptr_t)a->name);
        a->name = name;
        if ((size_t)pb_interner_add(&f->name, name, strlen(name)) != i)
            return pb_error("%s: tensor '%s' occurs twice", f->path, name);
        if (a->heads < 0 || (a->heads && (a->shape[0] <= 0 || a->shape[0] % (2 * (int64_t)a->heads))))
            return pb_error("%s: '%s': %lld rows: want whole heads of an even size", f->path, a->name,
                            (long long)a->shape[0]);
    }
    return 0;
}

static bool has_tensor(const pb_gguf *f, const char *name)
{
    return pb_interner_find(&f->name, name, strlen(name)) >= 0;
}

static double vocabulary(const pb_gguf *f)
{
    for (size_t i = 0; i < f->count; i++)
        if (strstr(f->array[i].name, "embed_tokens") || strstr(f->array[i].name, ".wte."))
            return (double)f->array[i].shape[0];
    return 0;
}

static void write_gpt2(const pb_gguf *f, pb_text *c)
{
    pb_text_add(c,
                "{\"model_type\": \"gpt2\", \"architectures\": [\"GPT2LMHeadModel\"], \"activation_function\": "
                "\"gelu_new\", \"n_embd\": %.0f, \"n_layer\": %.0f, \"n_head\": %.0f, \"n_inner\": %.0f, "
                "\"n_positions\": %.0f, \"layer_norm_epsilon\": %.9g",
                of_arch(f, "gpt2", "embedding_length", 0), of_arch(f, "gpt2", "block_count", 0),
                of_arch(f, "gpt2", "attention.head_count", 0), of_arch(f, "gpt2", "feed_forward_length", 0),
                of_arch(f, "gpt2", "context_length", 0), of_arch(f, "gpt2", "attention.layer_norm_epsilon", 1e-5));
}

static void write_llama(const pb_gguf *f, const char *arch, double head, pb_text *c)
{
    double width = of_arch(f, arch, "embedding_length", 0), heads = of_arch(f, arch, "attention.head_count", 1);
    pb_text_add(c,
                "{\"model_type\": \"%s\", \"architectures\": [\"ForCausalLM\"], \"hidden_act\": \"silu\", "
                "\"hidden_size\": %.0f, \"num_hidden_layers\": %.0f, \"num_attention_heads\": %.0f, "
                "\"num_key_value_heads\": %.0f, \"head_dim\": %.0f, \"intermediate_size\": %.0f, "
                "\"max_position_embeddings\": %.0f, \"rms_norm_eps\": %.9g, \"rope_theta\": %.9g, "
                "\"attention_bias\": %s",
                arch, width, of_arch(f, arch, "block_count", 0), heads,
                of_arch(f, arch, "attention.head_count_kv", heads), head, of_arch(f, arch, "feed_forward_length", 0),
                of_arch(f, arch, "context_length", 0), of_arch(f, arch, "attention.layer_norm_rms_epsilon", 1e-6),
                of_arch(f, arch, "rope.freq_base", 10000),
                has_tensor(f, "model.layers.0.self_attn.q_proj.bias") && strcmp(arch, "qwen2") != 0 ? "true" : "false");
}

/* ---- rotary positions ------------------------------------------------------------------------------------- */

/* Returns the text of a key, or "" if it is absent. */
static const char *text_of_arch(pb_gguf *f, const char *arch, const char *key)
{
    char *full = pb_format("%s.%s", arch, key);
    const char *text = pb_gguf_text(f, full);
    free(full);
    return text ? text : "";
}

/* Divisors of the frequencies are written as transformers' LongRoPE with two equal lists. */
static int write_divisors(const pb_gguf *f, double pairs, double factor, double context, pb_text *c)
{
    const pb_array *a = &f->array[pb_interner_find(&f->name, FREQUENCIES, strlen(FREQUENCIES))];
    pb_text list = {0};
    if (a->dims != 1 || (double)a->count != pairs || a->dtype != PB_F32)
        return pb_error("%s: '" FREQUENCIES "': want %g numbers of F32", f->path, pairs);
    for (size_t i = 0; i < a->count; i++) {
        pb_real x;
        pb_array_reals(a, i, 1, &x);
        pb_text_add(&list, "%s%.9g", i ? ", " : "", (double)x * factor);
    }
    pb_text_add(c,
                ", \"rope_scaling\": {\"rope_type\": \"longrope\", \"attention_factor\": 1.0, "
                "\"original_max_position_embeddings\": %.0f, \"short_factor\": [%s], \"long_factor\": [%s]}",
                context, list.data ? list.data : "", list.data ? list.data : "");
    pb_text_free(&list);
    return 0;
}

/* llama.cpp multiplies the attention scale of YaRN, 1 + 0.1 ln(factor), by attn_factor. */
static void write_yarn(const pb_gguf *f, const char *arch, double factor, double attention, double context, pb_text *c)
{
    pb_text_add(c,
                ", \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": %.9g, \"attention_factor\": %.9g, "
                "\"original_max_position_embeddings\": %.0f, \"beta_fast\": %.9g, \"beta_slow\": %.9g}",
                factor, attention * (factor > 1 ? 1 + 0.1 * log(factor) : 1),
                of_arch(f, arch, "rope.scaling.original_context_length", context),
                of_arch(f, arch, "rope.scaling.yarn_beta_fast", 32),
                of_arch(f, arch, "rope.scaling.yarn_beta_slow", 1));
}

static int write_rotation(pb_gguf *f, const char *arch, double head, pb_text *c)
{
    const char *type = text_of_arch(f, arch, "rope.scaling.type");
    bool none = !strcmp(type, "none"), yarn = !strcmp(type, "yarn"), linear = !*type || !strcmp(type, "linear"),
         divisors = has_tensor(f, FREQUENCIES);
    double factor = none ? 1 : of_arch(f, arch, "rope.scaling.factor", of_arch(f, arch, "rope.scale_linear", 1)),
           attention = of_arch(f, arch, "rope.scaling.attn_factor", 1),
           ramp = of_arch(f, arch, "rope.scaling.yarn_ext_factor", -1),
           rotated = of_arch(f, arch, "rope.dimension_count", head), context = of_arch(f, arch, "context_length", 0);
    factor = factor == 0 ? 1 : factor; /* as in llama.cpp */
    if (!none && !yarn && !linear)
        return pb_error("%s: %s.rope.scaling.type: want none, linear or yarn, got '%s'", f->path, arch, type);
    if (rotated != head)
        return pb_error("%s: %s.rope.dimension_count: want the size of a head, %g, got %g", f->path, arch, head,
                        rotated);
    if (!yarn && attention != 1)
        return pb_error("%s: %s.rope.scaling.attn_factor: want 1 without yarn, got %g", f->path, arch, attention);
    if (ramp >= 0 && ramp != (yarn ? 1 : 0))
        return pb_error("%s: %s.rope.scaling.yarn_ext_factor: want %d, got %g", f->path, arch, yarn, ramp);
    if (divisors && yarn)
        return pb_error("%s: '" FREQUENCIES "' beside rope.scaling.type yarn is not supported", f->path);
    if (divisors)
        return write_divisors(f, head / 2, factor, context, c);
    if (yarn)
        write_yarn(f, arch, factor, attention, context, c);
    else if (factor != 1)
        pb_text_add(c, ", \"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": %.9g}", factor);
    return 0;
}

/* ---- the whole -------------------------------------------------------------------------------------------- */

/* Checks that values have the head size of queries and keys, and that no sliding window is shorter than the context.
 * Returns -1 with an error. */
static int check_heads(const pb_gguf *f, const char *arch, double head)
{
    double value = of_arch(f, arch, "attention.value_length", head), context = of_arch(f, arch, "context_length", 0),
           window = of_arch(f, arch, "attention.sliding_window", 0);
    if (value != head)
        return pb_error("%s: %s.attention.value_length: want %g, as of keys, got %g", f->path, arch, head, value);
    return window == 0 || window >= context
               ? 0
               : pb_error("%s: %s.attention.sliding_window: want at least the context's length, %g, got %g", f->path,
                          arch, context, window);
}

int pb_gguf_describe(pb_gguf *f)
{
    static const char *const known[] = {"llama", "gpt2", "qwen2", "qwen3"};
    const char *arch = pb_gguf_text(f, "general.architecture");
    size_t i = 0;
    while (arch && i < PB_COUNT(known) && strcmp(arch, known[i]) != 0)
        i++;
    if (!arch || i == PB_COUNT(known))
        return pb_error("%s: general.architecture: want llama, gpt2, qwen2 or qwen3, got '%s'", f->path,
                        arch ? arch : "");
    double heads = of_arch(f, arch, "attention.head_count", 1);
    double head =
        of_arch(f, arch, "attention.key_length", heads > 0 ? of_arch(f, arch, "embedding_length", 0) / heads : 0);
    if (pb_gguf_check_keys(f, arch) || rename_all(f, arch) || check_heads(f, arch, head))
        return -1;
    pb_text c = {0};
    int rc = 0;
    if (!strcmp(arch, "gpt2"))
        write_gpt2(f, &c);
    else {
        write_llama(f, arch, head, &c);
        rc = write_rotation(f, arch, head, &c);
    }
    pb_text_add(&c, ", \"vocab_size\": %.0f, \"tie_word_embeddings\": %s", vocabulary(f),
                has_tensor(f, "lm_head.weight") ? "false" : "true");
    double end = pb_gguf_number(f, "tokenizer.ggml.eos_token_id", -1);
    if (end >= 0)
        pb_text_add(&c, ", \"eos_token_id\": %.0f}", end);
    else
        pb_text_add(&c, ", \"eos_token_id\": null}");
    f->config = c.data;
    return rc;
}
