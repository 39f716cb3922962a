/* adapter_fields: see adapter_fields.h. */
#include "model/adapter_fields.h"

#include <stdlib.h>
#include <string.h>

#define READ PB_FIELD_READ
#define HARMLESS PB_FIELD_HARMLESS
#define REFUSED PB_FIELD_REFUSED

/* clang-format off: a row a line, which check_fields.py reads */
static const pb_field table[] = {
    {"*", "peft_type", "text", "null", READ},
    {"*", "task_type", "text|null", "null", READ},
    {"*", "auto_mapping", "object|null", "null", READ},
    {"*", "peft_version", "text|null", "null", HARMLESS},
    {"*", "base_model_name_or_path", "text|null", "null", HARMLESS},
    {"*", "revision", "text|null", "null", HARMLESS},
    {"*", "inference_mode", "bool", "false", HARMLESS},
    {"*", "modules_to_save", "list|null", "null", READ},

    {"LORA ADALORA IA3 LN_TUNING", "target_modules", "list|text|null", "null", READ},
    {"LORA ADALORA IA3 LN_TUNING", "exclude_modules", "list|text|null", "null", READ},
    {"LORA ADALORA IA3", "fan_in_fan_out", "bool", "false", HARMLESS}, /* PEFT sets it by the module that it finds */

    {"LORA", "r", "int", "8", READ},
    {"LORA ADALORA", "lora_alpha", "number", "8", READ},
    {"LORA ADALORA", "lora_dropout", "number", "0.0", READ},
    {"LORA", "bias", "text", "\"none\"", READ},
    {"LORA", "use_rslora", "bool", "false", READ},
    {"LORA", "use_dora", "bool", "false", READ},
    {"LORA", "lora_bias", "bool", "false", READ},
    {"LORA", "init_lora_weights", "bool|text", "true", READ},
    {"LORA ADALORA", "layers_to_transform", "list|int|null", "null", READ},
    {"LORA ADALORA", "layers_pattern", "list|text|null", "null", READ},
    {"LORA", "rank_pattern", "object|null", "{}", READ},
    {"LORA", "alpha_pattern", "object|null", "{}", READ},
    {"LORA", "trainable_token_indices", "list|object|null", "null", READ},
    {"LORA", "ensure_weight_tying", "bool", "false", READ},
    {"LORA ADALORA", "megatron_core", "text|null", "\"megatron.core\"", HARMLESS}, /* needs megatron_config */
    {"LORA ADALORA", "loftq_config", "object|null", "{}", HARMLESS}, /* and these without their init_lora_weights */
    {"LORA ADALORA", "eva_config", "object|null", "null", HARMLESS},
    {"LORA ADALORA", "corda_config", "object|null", "null", HARMLESS},
    {"LORA ADALORA", "lora_ga_config", "object|null", "null", HARMLESS},
    {"LORA ADALORA", "qalora_group_size", "int", "16", HARMLESS}, /* and this without use_qalora */
    {"LORA ADALORA", "runtime_config", "object|null", "{\"ephemeral_gpu_offload\": false}", HARMLESS}, /* dropped */
    {"LORA ADALORA", "megatron_config", "object|null", "null", REFUSED},
    {"LORA ADALORA", "velora_config", "object|null", "null", REFUSED},
    {"LORA ADALORA", "alora_invocation_tokens", "list|null", "null", REFUSED},
    {"LORA ADALORA", "use_qalora", "bool", "false", REFUSED},
    {"LORA ADALORA", "monteclora_config", "object|null", "null", REFUSED},
    {"LORA ADALORA", "layer_replication", "list|null", "null", REFUSED},
    {"LORA ADALORA", "target_parameters", "list|null", "null", REFUSED},
    {"LORA ADALORA", "use_bdlora", "object|null", "null", REFUSED},
    {"LORA ADALORA", "arrow_config", "object|null", "null", REFUSED},
    {"LORA ADALORA", "kasa_config", "object|null", "null", REFUSED},

    {"ADALORA", "init_r", "int", "12", READ},
    {"ADALORA", "target_r", "int", "8", READ},
    {"ADALORA", "deltaT", "int", "1", READ},
    {"ADALORA", "beta1", "number", "0.85", READ},
    {"ADALORA", "beta2", "number", "0.85", READ},
    {"ADALORA", "orth_reg_weight", "number", "0.5", READ},
    /* The steps of a training that is over; and what a LoraConfig has and PEFT's AdaLoRA ignores. */
    {"ADALORA", "tinit", "int", "0", HARMLESS},
    {"ADALORA", "tfinal", "int", "0", HARMLESS},
    {"ADALORA", "total_step", "int|null", "null", HARMLESS},
    {"ADALORA", "r", "int", "8", HARMLESS},
    {"ADALORA", "alpha_pattern", "object|null", "{}", HARMLESS},
    {"ADALORA", "init_lora_weights", "bool|text", "true", HARMLESS},
    {"ADALORA", "rank_pattern", "object|null", "null", REFUSED}, /* triplets that were cut off */
    {"ADALORA", "bias", "text", "\"none\"", REFUSED},
    {"ADALORA", "lora_bias", "bool", "false", REFUSED},
    {"ADALORA", "use_rslora", "bool", "false", REFUSED},
    {"ADALORA", "use_dora", "bool", "false", REFUSED},
    {"ADALORA", "trainable_token_indices", "list|object|null", "null", REFUSED},
    {"ADALORA", "ensure_weight_tying", "bool", "false", REFUSED},

    {"IA3", "feedforward_modules", "list|text|null", "null", READ},
    {"IA3", "init_ia3_weights", "bool", "true", HARMLESS},

    {"PREFIX_TUNING PROMPT_TUNING P_TUNING", "num_virtual_tokens", "int", "null", READ},
    {"PREFIX_TUNING PROMPT_TUNING P_TUNING", "token_dim", "int|null", "null", READ},
    {"PREFIX_TUNING PROMPT_TUNING P_TUNING", "num_transformer_submodules", "int|null", "null", READ},
    {"PREFIX_TUNING PROMPT_TUNING P_TUNING", "num_attention_heads", "int|null", "null", READ},
    {"PREFIX_TUNING PROMPT_TUNING P_TUNING", "num_layers", "int|null", "null", READ},
    /* How the rows were made before they were saved. */
    {"PREFIX_TUNING", "init_weights", "bool|text|null", "null", HARMLESS},
    {"PREFIX_TUNING", "prefix_projection", "bool", "false", HARMLESS},
    {"PREFIX_TUNING P_TUNING", "encoder_hidden_size", "int|null", "null", HARMLESS},
    {"PROMPT_TUNING", "prompt_tuning_init", "text", "\"RANDOM\"", HARMLESS},
    {"PROMPT_TUNING", "prompt_tuning_init_text", "text|null", "null", HARMLESS},
    {"PROMPT_TUNING", "tokenizer_name_or_path", "text|null", "null", HARMLESS},
    {"PROMPT_TUNING", "tokenizer_kwargs", "object|null", "null", HARMLESS},
    {"P_TUNING", "encoder_reparameterization_type", "text", "\"MLP\"", HARMLESS},
    {"P_TUNING", "encoder_num_layers", "int", "2", HARMLESS},
    {"P_TUNING", "encoder_dropout", "number", "0.0", HARMLESS},
};
/* clang-format on */

const pb_field *pb_field_at(int i)
{
    return i >= 0 && i < (int)PB_COUNT(table) ? &table[i] : NULL;
}

const pb_field *pb_field_find(const char *type, const char *key)
{
    return pb_field_in(table, PB_COUNT(table), type, key);
}

typedef struct check {
    const char *path, *type;
    const pb_peft *peft;
} check;

/* True if the method's pb_peft declares the member; the table has no rows for a plugin's type. */
static bool is_declared(const pb_peft *peft, const char *key)
{
    for (const pb_peft_key *k = peft->keys; k && k->key; k++)
        if (!strcmp(k->key, key) || (k->pattern && !strcmp(k->pattern, key)))
            return true;
    char *quoted = pb_format("\"%s\":", key);
    bool fixed = peft->fixed && strstr(peft->fixed, quoted);
    free(quoted);
    return fixed;
}

static int check_member(void *ctx, const char *key, const pb_json *value)
{
    const check *c = ctx;
    const pb_field *f = pb_field_find(c->type, key);
    if (!f && is_declared(c->peft, key))
        return 0;
    if (!f)
        return pb_error("%s: %s: PEFT 0.21 has no such field of %s, so its effect on the results is unknown", c->path,
                        key, c->type);
    return pb_field_check(f, c->path, "PEFT's", value);
}

int pb_fields_check(const char *path, const pb_json *root, const pb_peft *peft)
{
    check c = {path, pb_json_text(pb_json_get(root, "peft_type"), ""), peft};
    return pb_json_each(root, check_member, &c);
}
