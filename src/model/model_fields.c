/* model_fields: see model_fields.h. */
#include "model/model_fields.h"

#include <string.h>

#define READ PB_FIELD_READ
#define HARMLESS PB_FIELD_HARMLESS
#define REFUSED PB_FIELD_REFUSED

/* clang-format off: a row a line, which check_config_fields.py reads */
static const pb_field config[] = {
    {"*", "model_type", "text", NULL, READ},
    {"*", "architectures", "list|null", "null", READ},
    {"*", "vocab_size", "int", NULL, READ},
    {"*", "tie_word_embeddings", "bool|null", NULL, READ},
    {"*", "pad_token_id", "int|null", NULL, READ},
    {"*", "eos_token_id", "int|list|null", NULL, READ},
    {"*", "id2label", "object|null", NULL, READ},
    {"*", "num_labels", "int|null", NULL, READ},
    {"*", "problem_type", "text|null", "null", READ},
    {"*", "quantization_config", "object|null", NULL, READ}, /* refused as what it is, see family.c */

    {"bert roberta llama mistral qwen2 qwen3", "hidden_size", "int", NULL, READ},
    {"bert roberta llama mistral qwen2 qwen3", "num_hidden_layers", "int", NULL, READ},
    {"bert roberta llama mistral qwen2 qwen3", "num_attention_heads", "int", NULL, READ},
    {"bert roberta llama mistral qwen2 qwen3", "intermediate_size", "int", NULL, READ},
    {"bert roberta llama mistral qwen2 qwen3", "hidden_act", "text", NULL, READ},
    {"bert roberta distilbert llama mistral qwen2 qwen3", "max_position_embeddings", "int", NULL, READ},

    {"bert roberta", "type_vocab_size", "int", NULL, READ},
    {"bert roberta", "layer_norm_eps", "number", "1e-12", READ},
    {"bert roberta", "hidden_dropout_prob", "number", "0.1", READ},
    {"bert roberta", "attention_probs_dropout_prob", "number", "0.1", HARMLESS}, /* a trainer's, as the next */
    {"bert roberta gpt2", "classifier_dropout", "number|null", NULL, HARMLESS},
    {"bert roberta distilbert gpt2", "position_embedding_type", "text|null", "\"absolute\"", REFUSED},
    {"bert roberta distilbert", "is_decoder", "bool|null", "false", REFUSED},
    {"bert roberta gpt2", "add_cross_attention", "bool|null", "false", REFUSED},

    {"distilbert", "dim", "int", NULL, READ},
    {"distilbert", "n_layers", "int", NULL, READ},
    {"distilbert", "n_heads", "int", NULL, READ},
    {"distilbert", "hidden_dim", "int", NULL, READ},
    {"distilbert", "activation", "text", NULL, READ},
    {"distilbert", "dropout", "number", "0.1", READ},
    {"distilbert", "attention_dropout", "number", "0.1", HARMLESS},
    {"distilbert", "qa_dropout", "number", "0.1", HARMLESS},
    {"distilbert", "seq_classif_dropout", "number", "0.2", HARMLESS},
    {"distilbert", "sinusoidal_pos_embds", "bool", "false", HARMLESS}, /* only how the table of positions began */
    {"distilbert", "tie_weights_", "bool", NULL, HARMLESS},

    {"gpt2", "n_embd", "int", NULL, READ},
    {"gpt2", "n_layer", "int", NULL, READ},
    {"gpt2", "n_head", "int", NULL, READ},
    {"gpt2", "n_inner", "int|null", "null", READ},
    {"gpt2", "n_positions", "int", NULL, READ},
    {"gpt2", "n_ctx", "int|null", NULL, HARMLESS},
    {"gpt2", "activation_function", "text", NULL, READ},
    {"gpt2", "layer_norm_epsilon", "number", "1e-05", READ},
    {"gpt2", "resid_pdrop", "number", "0.1", READ},
    {"gpt2", "embd_pdrop", "number", "0.1", HARMLESS},
    {"gpt2", "attn_pdrop", "number", "0.1", HARMLESS},
    {"gpt2", "scale_attn_weights", "bool", "true", READ},
    {"gpt2", "scale_attn_by_inverse_layer_idx", "bool", "false", READ},
    {"gpt2", "reorder_and_upcast_attn", "bool", "false", HARMLESS}, /* the same in 32 bits */
    {"gpt2", "summary_type", "text", "\"cls_index\"", HARMLESS},    /* of a head that is not read */
    {"gpt2", "summary_use_proj", "bool", "true", HARMLESS},
    {"gpt2", "summary_activation", "text|null", "null", HARMLESS},
    {"gpt2", "summary_proj_to_labels", "bool", "true", HARMLESS},
    {"gpt2", "summary_first_dropout", "number", "0.1", HARMLESS},

    {"llama mistral qwen2 qwen3", "num_key_value_heads", "int|null", NULL, READ},
    {"llama mistral qwen2 qwen3", "head_dim", "int|null", NULL, READ},
    {"llama mistral qwen2 qwen3", "rms_norm_eps", "number", "1e-06", READ},
    {"llama mistral qwen2 qwen3", "rope_parameters", "object|null", NULL, READ},
    {"llama mistral qwen2 qwen3", "rope_scaling", "object|null", NULL, READ},
    {"llama mistral qwen2 qwen3", "rope_theta", "number|null", NULL, READ},
    {"llama mistral qwen2 qwen3", "original_max_position_embeddings", "int|null", NULL, READ},
    {"llama mistral qwen2 qwen3", "partial_rotary_factor", "number|null", "1.0", REFUSED},
    {"llama mistral qwen2 qwen3", "rope_interleaved", "bool|null", "false", REFUSED},
    {"llama mistral qwen2 qwen3", "attention_dropout", "number", "0.0", HARMLESS},
    {"llama qwen3", "attention_bias", "bool", "false", READ},
    {"mistral qwen2", "attention_bias", "bool|null", "false", REFUSED},
    {"llama", "mlp_bias", "bool", "false", READ},
    {"mistral qwen2 qwen3", "mlp_bias", "bool|null", "false", REFUSED},
    {"llama", "pretraining_tp", "int", "1", HARMLESS}, /* the same sums in another order */
    {"llama", "is_llama_config", "bool", NULL, HARMLESS},
    {"mistral qwen2 qwen3", "sliding_window", "int|null", NULL, READ},
    {"qwen2 qwen3", "use_sliding_window", "bool", "false", READ},
    {"qwen2 qwen3", "max_window_layers", "int", "28", READ},
    {"qwen2 qwen3", "layer_types", "list|null", NULL, READ},

    /* What changes the network in some version of transformers. */
    {"*", "is_encoder_decoder", "bool|null", "false", REFUSED},
    {"*", "tie_encoder_decoder", "bool|null", "false", REFUSED},
    {"*", "cross_attention_hidden_size", "int|null", "null", REFUSED},
    {"*", "pruned_heads", "object|null", "{}", REFUSED},
    {"*", "auto_map", "object|null", "null", REFUSED},
    {"*", "per_layer_config", "object|null", "null", REFUSED},

    /* What does not. */
    {"*", "transformers_version", "text|null", "null", HARMLESS},
    {"*", "dtype", "text|null", "null", HARMLESS},
    {"*", "torch_dtype", "text|null", NULL, HARMLESS},
    {"*", "label2id", "object|null", NULL, HARMLESS},
    {"*", "finetuning_task", "text|null", NULL, HARMLESS},
    {"*", "task_specific_params", "object|null", NULL, HARMLESS},
    {"*", "transformers.js_config", "object|null", NULL, HARMLESS},
    {"*", "initializer_range", "number", "0.02", HARMLESS},
    {"*", "initializer_factor", "number", NULL, HARMLESS},
    {"*", "chunk_size_feed_forward", "int", "0", HARMLESS},
    {"*", "gradient_checkpointing", "bool", NULL, HARMLESS},
    {"*", "use_cache", "bool", NULL, HARMLESS},
    {"*", "output_hidden_states", "bool", "false", HARMLESS},
    {"*", "output_attentions", "bool", NULL, HARMLESS},
    {"*", "output_past", "bool", NULL, HARMLESS},
    {"*", "return_dict", "bool", "true", HARMLESS},
    {"*", "use_return_dict", "bool", NULL, HARMLESS},
    {"*", "torchscript", "bool", NULL, HARMLESS},
    {"*", "use_bfloat16", "bool", NULL, HARMLESS},
    {"*", "tf_legacy_loss", "bool", NULL, HARMLESS},
    {"*", "unsloth_fixed", "bool", NULL, HARMLESS},
    {"*", "model_max_length", "int|null", NULL, HARMLESS},
    {"*", "tokenizer_class", "text|null", NULL, HARMLESS},
    {"*", "bos_token_id", "int|null", NULL, HARMLESS},
    {"*", "cls_token_id", "int|null", NULL, HARMLESS},
    {"*", "sep_token_id", "int|null", NULL, HARMLESS},
    {"*", "mask_token_id", "int|null", NULL, HARMLESS},
    {"*", "unk_token_id", "int|null", NULL, HARMLESS},
    {"*", "decoder_start_token_id", "int|null", NULL, HARMLESS},
    {"bert", "pooler_fc_size", "int", NULL, HARMLESS},
    {"bert", "pooler_num_attention_heads", "int", NULL, HARMLESS},
    {"bert", "pooler_num_fc_layers", "int", NULL, HARMLESS},
    {"bert", "pooler_size_per_head", "int", NULL, HARMLESS},
    {"gpt2", "predict_special_tokens", "bool", NULL, HARMLESS},
    {"llama mistral qwen2 qwen3 gpt2", "is_decoder", "bool|null", NULL, HARMLESS}, /* these always are */

    /* Settings of `generate` that old versions kept here, and that transformers drops. */
    {"*", "max_length", "int|null", NULL, HARMLESS},
    {"*", "min_length", "int|null", NULL, HARMLESS},
    {"*", "do_sample", "bool|null", NULL, HARMLESS},
    {"*", "early_stopping", "bool|null", NULL, HARMLESS},
    {"*", "num_beams", "int|null", NULL, HARMLESS},
    {"*", "num_beam_groups", "int|null", NULL, HARMLESS},
    {"*", "diversity_penalty", "number|null", NULL, HARMLESS},
    {"*", "temperature", "number|null", NULL, HARMLESS},
    {"*", "top_k", "int|null", NULL, HARMLESS},
    {"*", "top_p", "number|null", NULL, HARMLESS},
    {"*", "typical_p", "number|null", NULL, HARMLESS},
    {"*", "repetition_penalty", "number|null", NULL, HARMLESS},
    {"*", "length_penalty", "number|null", NULL, HARMLESS},
    {"*", "no_repeat_ngram_size", "int|null", NULL, HARMLESS},
    {"*", "encoder_no_repeat_ngram_size", "int|null", NULL, HARMLESS},
    {"*", "bad_words_ids", "list|null", NULL, HARMLESS},
    {"*", "num_return_sequences", "int|null", NULL, HARMLESS},
    {"*", "output_scores", "bool|null", NULL, HARMLESS},
    {"*", "return_dict_in_generate", "bool|null", NULL, HARMLESS},
    {"*", "forced_bos_token_id", "int|null", NULL, HARMLESS},
    {"*", "forced_eos_token_id", "int|list|null", NULL, HARMLESS},
    {"*", "remove_invalid_values", "bool|null", NULL, HARMLESS},
    {"*", "exponential_decay_length_penalty", "list|null", NULL, HARMLESS},
    {"*", "suppress_tokens", "list|null", NULL, HARMLESS},
    {"*", "begin_suppress_tokens", "list|null", NULL, HARMLESS},
};

static const pb_field generation[] = {
    {"*", "eos_token_id", "int|list|null", "null", READ},
    {"*", "max_new_tokens", "int|null", "null", READ},
    {"*", "do_sample", "bool|null", "false", READ},
    {"*", "num_beams", "int|null", "1", READ},
    {"*", "temperature", "number|null", "1.0", READ},
    {"*", "top_k", "int|null", "50", READ},
    {"*", "top_p", "number|null", "1.0", READ},
    {"*", "repetition_penalty", "number|null", "1.0", READ},
    {"*", "length_penalty", "number|null", "1.0", READ},
    {"*", "no_repeat_ngram_size", "int|null", "0", READ},

    {"*", "min_length", "int|null", "0", REFUSED},
    {"*", "min_new_tokens", "int|null", "null", REFUSED},
    {"*", "early_stopping", "bool|text|null", "false", REFUSED},
    {"*", "stop_strings", "text|list|null", "null", REFUSED},
    {"*", "min_p", "number|null", "null", REFUSED},
    {"*", "top_h", "number|null", "null", REFUSED},
    {"*", "typical_p", "number|null", "1.0", REFUSED},
    {"*", "epsilon_cutoff", "number|null", "0.0", REFUSED},
    {"*", "eta_cutoff", "number|null", "0.0", REFUSED},
    {"*", "encoder_repetition_penalty", "number|null", "1.0", REFUSED},
    {"*", "encoder_no_repeat_ngram_size", "int|null", "0", REFUSED},
    {"*", "bad_words_ids", "list|null", "null", REFUSED},
    {"*", "forced_bos_token_id", "int|null", "null", REFUSED},
    {"*", "forced_eos_token_id", "int|list|null", "null", REFUSED},
    {"*", "remove_invalid_values", "bool|null", "false", REFUSED},
    {"*", "exponential_decay_length_penalty", "list|null", "null", REFUSED},
    {"*", "suppress_tokens", "list|null", "null", REFUSED},
    {"*", "begin_suppress_tokens", "list|null", "null", REFUSED},
    {"*", "sequence_bias", "list|object|null", "null", REFUSED},
    {"*", "token_healing", "bool|null", "null", REFUSED},
    {"*", "guidance_scale", "number|null", "null", REFUSED},
    {"*", "watermarking_config", "object|null", "null", REFUSED},
    {"*", "num_return_sequences", "int|null", "1", REFUSED},
    {"*", "num_beam_groups", "int|null", "1", REFUSED},
    {"*", "diversity_penalty", "number|null", "0.0", REFUSED},
    {"*", "penalty_alpha", "number|null", "null", REFUSED},
    {"*", "dola_layers", "text|list|null", "null", REFUSED},
    {"*", "constraints", "list|null", "null", REFUSED},
    {"*", "force_words_ids", "list|null", "null", REFUSED},
    {"*", "max_time", "number|null", "null", REFUSED},

    {"*", "max_length", "int|null", "20", HARMLESS}, /* the command says how many tokens */
    {"*", "bos_token_id", "int|null", "null", HARMLESS},
    {"*", "pad_token_id", "int|list|null", "null", HARMLESS},
    {"*", "decoder_start_token_id", "int|list|null", "null", HARMLESS},
    {"*", "transformers_version", "text|null", NULL, HARMLESS},
    {"*", "_from_model_config", "bool|null", "null", HARMLESS},
    {"*", "chat_format", "text|null", NULL, HARMLESS},
    {"*", "use_cache", "bool|null", "true", HARMLESS},
    {"*", "cache_implementation", "text|null", "null", HARMLESS},
    {"*", "cache_config", "object|null", "null", HARMLESS},
    {"*", "max_cache_len", "int|null", "null", HARMLESS},
    {"*", "renormalize_logits", "bool|null", "null", HARMLESS}, /* changes no order and no share */
    {"*", "output_attentions", "bool|null", "null", HARMLESS},
    {"*", "output_hidden_states", "bool|null", "null", HARMLESS},
    {"*", "output_scores", "bool|null", "false", HARMLESS},
    {"*", "output_logits", "bool|null", "null", HARMLESS},
    {"*", "return_dict_in_generate", "bool|null", "false", HARMLESS},
    {"*", "compile_config", "object|null", "null", HARMLESS},
    {"*", "disable_compile", "bool|null", "null", HARMLESS},
    {"*", "continuous_batching_config", "object|null", "null", HARMLESS},
    {"*", "low_memory", "bool|null", "null", HARMLESS},
    {"*", "prefill_chunk_size", "int|null", "null", HARMLESS},
    /* Speculative decoding: the same text, faster. */
    {"*", "use_mtp", "bool|null", "null", HARMLESS},
    {"*", "is_assistant", "bool|null", "null", HARMLESS},
    {"*", "num_assistant_tokens", "int|null", "20", HARMLESS},
    {"*", "num_assistant_tokens_schedule", "text|null", "\"constant\"", HARMLESS},
    {"*", "assistant_confidence_threshold", "number|null", "0.4", HARMLESS},
    {"*", "assistant_early_exit", "int|null", "null", HARMLESS},
    {"*", "assistant_lookbehind", "int|null", "10", HARMLESS},
    {"*", "target_lookbehind", "int|null", "10", HARMLESS},
    {"*", "assistant_ensemble_weight", "number|null", "null", HARMLESS},
    {"*", "speculation_type", "text|null", "null", HARMLESS},
    {"*", "prompt_lookup_num_tokens", "int|null", "null", HARMLESS},
    {"*", "max_matching_ngram_size", "int|null", "null", HARMLESS},
};
/* clang-format on */

/* True for a value that leaves the network as it is: off, zero or empty. */
static bool says_nothing(const pb_json *v)
{
    bool list = pb_json_is_array(v) || pb_json_is_object(v);
    return pb_json_is_null(v) || (list && !pb_json_size(v)) || pb_json_number(v, 1) == 0 || !pb_json_bool(v, true);
}

typedef struct check {
    const char *path, *type, *described;
    const pb_field *table;
    size_t rows;
    bool remarks; /* texts, and names that begin with '_', say nothing */
} check;

static int check_member(void *ctx, const char *key, const pb_json *value)
{
    const check *c = ctx;
    const pb_field *f = pb_field_in(c->table, c->rows, c->type, key);
    if (f)
        return pb_field_check(f, c->path, "transformers'", value);
    if (says_nothing(value) || (c->remarks && (pb_json_text(value, NULL) || *key == '_')))
        return 0;
    pb_text got = {0};
    pb_json_print(value, &got);
    int rc = pb_error("%s: %s: transformers 5.23 has no such field in %s, so the effect of %.60s is unknown; "
                      "remove the field if it has none",
                      c->path, key, c->described, got.data);
    pb_text_free(&got);
    return rc;
}

int pb_network_config_check(const char *path, const pb_json *root, const char *model_type)
{
    check c = {path, model_type, model_type, config, PB_COUNT(config), true};
    return pb_json_each(root, check_member, &c);
}

int pb_generation_config_check(const char *path, const pb_json *root)
{
    check c = {path, "", "generation", generation, PB_COUNT(generation), false};
    return pb_json_each(root, check_member, &c);
}

void pb_network_config_print(const pb_json *root, const char *model_type, pb_text *out)
{
    for (size_t i = 0; i < PB_COUNT(config); i++) {
        const pb_field *f = &config[i];
        const pb_json *value = pb_json_get(root, f->key);
        if (!value || f->use != PB_FIELD_READ || pb_field_in(config, PB_COUNT(config), model_type, f->key) != f)
            continue;
        pb_text_add(out, "%s=", f->key);
        pb_json_canonical(value, out);
        pb_text_add(out, "\n");
    }
}
