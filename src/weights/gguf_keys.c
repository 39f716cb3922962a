/* gguf_keys: which metadata of a GGUF is read, ignored or refused.
 *
 * A key of the architecture ("llama.rope.scaling.type") may change what the network computes, and a key of the
 * tokenizer may change the ids of a text.  The tables below list the keys that are read by other files, and those that
 * are accepted only with the value that changes nothing.  Any other key of these two kinds is refused by name.  Keys
 * of other kinds only describe the file and are ignored. */
#include <math.h>
#include <string.h>

#include "weights/gguf_internal.h"

#define READ NAN /* by gguf_model.c or gguf_tokenizer.c, or without influence on the results */

typedef struct key_row {
    const char *key;
    double neutral; /* the value that changes nothing, or READ */
    enum { NUMBER, WORDS, LIST } kind;
} key_row;

static const key_row of_network[] = {{"vocab_size", READ, NUMBER},
                                     {"context_length", READ, NUMBER},
                                     {"embedding_length", READ, NUMBER},
                                     {"block_count", READ, NUMBER},
                                     {"feed_forward_length", READ, NUMBER},
                                     {"tensor_data_layout", READ, WORDS},
                                     {"pooling_type", READ, NUMBER},
                                     {"attention.head_count", READ, NUMBER},
                                     {"attention.head_count_kv", READ, NUMBER},
                                     {"attention.key_length", READ, NUMBER},
                                     {"attention.value_length", READ, NUMBER},
                                     {"attention.layer_norm_epsilon", READ, NUMBER},
                                     {"attention.layer_norm_rms_epsilon", READ, NUMBER},
                                     {"attention.sliding_window", READ, NUMBER},
                                     {"attention.causal", 1, NUMBER},
                                     {"attention.clamp_kqv", 0, NUMBER},
                                     {"attention.max_alibi_bias", 0, NUMBER},
                                     {"attn_logit_softcapping", 0, NUMBER},
                                     {"final_logit_softcapping", 0, NUMBER},
                                     {"logit_scale", 1, NUMBER},
                                     {"embedding_scale", 1, NUMBER},
                                     {"residual_scale", 1, NUMBER},
                                     {"use_parallel_residual", 0, NUMBER},
                                     {"expert_count", 0, NUMBER},
                                     {"expert_used_count", 0, NUMBER},
                                     {"rope.freq_base", READ, NUMBER},
                                     {"rope.dimension_count", READ, NUMBER},
                                     {"rope.scale_linear", READ, NUMBER},
                                     {"rope.scaling.type", READ, WORDS},
                                     {"rope.scaling.factor", READ, NUMBER},
                                     {"rope.scaling.attn_factor", READ, NUMBER},
                                     {"rope.scaling.original_context_length", READ, NUMBER},
                                     {"rope.scaling.finetuned", READ, NUMBER},
                                     {"rope.scaling.yarn_beta_fast", READ, NUMBER},
                                     {"rope.scaling.yarn_beta_slow", READ, NUMBER},
                                     {"rope.scaling.yarn_ext_factor", READ, NUMBER},
                                     {"rope.scaling.yarn_attn_factor", 1, NUMBER},
                                     {"rope.scaling.yarn_log_multiplier", 0, NUMBER}},
                     of_tokenizer[] = {{"model", READ, WORDS},
                                       {"pre", READ, WORDS},
                                       {"tokens", READ, LIST},
                                       {"scores", READ, LIST},
                                       {"merges", READ, LIST},
                                       {"token_type", READ, LIST},
                                       {"token_type_count", READ, NUMBER},
                                       {"add_bos_token", READ, NUMBER},
                                       {"add_eos_token", READ, NUMBER},
                                       {"add_space_prefix", READ, NUMBER},
                                       {"add_sep_token", 0, NUMBER},
                                       {"remove_extra_whitespaces", 0, NUMBER}};

static int kind_of(const pb_gguf_value *v)
{
    return v->type == PB_GGUF_TEXT ? WORDS : v->type == PB_GGUF_LIST ? LIST : NUMBER;
}

/* `name` is the key without its prefix. */
static int check_key(const pb_gguf *f, const pb_gguf_value *v, const char *name, const key_row *rows, size_t n)
{
    size_t i = 0;
    while (i < n && strcmp(rows[i].key, name) != 0)
        i++;
    if (i == n)
        return pb_error("%s: '%s': is not supported: it may change what the model computes", f->path, v->key);
    static const char *const names[] = {"number", "text", "list"};
    if ((int)rows[i].kind != kind_of(v))
        return pb_error("%s: '%s': want a %s, got a %s", f->path, v->key, names[rows[i].kind], names[kind_of(v)]);
    if (isnan(rows[i].neutral))
        return 0;
    double x = pb_gguf_number(f, v->key, NAN);
    return x == rows[i].neutral ? 0
                                : pb_error("%s: '%s': want %g, got %g: other values are not supported", f->path, v->key,
                                           rows[i].neutral, x);
}

/* Checks that the file contains a whole model. */
static int check_kind(pb_gguf *f)
{
    const char *kind = pb_gguf_text(f, "general.type");
    double parts = pb_gguf_number(f, "split.count", 1);
    if (kind && strcmp(kind, "model") != 0)
        return pb_error("%s: general.type: want model, got '%s'", f->path, kind);
    return parts <= 1 ? 0
                      : pb_error("%s: split.count: one of %g files; want a model in one file (gguf-split --merge)",
                                 f->path, parts);
}

int pb_gguf_check_keys(pb_gguf *f, const char *arch)
{
    static const char tokenizer[] = "tokenizer.ggml.";
    size_t prefix = strlen(arch);
    for (size_t i = 0; i < f->values; i++) {
        const pb_gguf_value *v = &f->value[i];
        const char *of_ggml = !strncmp(v->key, tokenizer, sizeof tokenizer - 1) ? v->key + sizeof tokenizer - 1 : NULL;
        if (!strncmp(v->key, arch, prefix) && v->key[prefix] == '.' &&
            check_key(f, v, v->key + prefix + 1, of_network, PB_COUNT(of_network)))
            return -1;
        if (of_ggml && !(kind_of(v) == NUMBER && pb_ends_in(of_ggml, "_token_id")) &&
            check_key(f, v, of_ggml, of_tokenizer, PB_COUNT(of_tokenizer)))
            return -1;
    }
    return check_kind(f);
}
