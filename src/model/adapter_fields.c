/* adapter_fields: see adapter_fields.h. */
#include "model/adapter_fields.h"

#include <stdlib.h>
#include <string.h>

#define READ PB_FIELD_READ
#define HARMLESS PB_FIELD_HARMLESS
#define REFUSED PB_FIELD_REFUSED
#define DECLARED PB_FIELD_REFUSED /* unless the method has declared it in pb_peft, and then it is read */

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
    {"ADALORA", "rank_pattern", "object|null", "null", DECLARED}, /* triplets that were cut off */
    {"ADALORA", "bias", "text", "\"none\"", REFUSED},
    {"ADALORA", "lora_bias", "bool", "false", REFUSED},
    {"ADALORA", "use_rslora", "bool", "false", REFUSED},
    {"ADALORA", "use_dora", "bool", "false", REFUSED},
    {"ADALORA", "trainable_token_indices", "list|object|null", "null", REFUSED},
    {"ADALORA", "ensure_weight_tying", "bool", "false", REFUSED},

    {"IA3", "feedforward_modules", "list|text|null", "null", READ},
    {"IA3", "init_ia3_weights", "bool", "true", HARMLESS},

    {"PREFIX_TUNING PROMPT_TUNING P_TUNING", "num_virtual_tokens", "int", "null", READ},
    {"CARTRIDGE CPT MULTITASK_PROMPT_TUNING", "num_virtual_tokens", "int", "null", READ},
    {"PREFIX_TUNING PROMPT_TUNING P_TUNING", "token_dim", "int|null", "null", READ},
    {"CARTRIDGE CPT MULTITASK_PROMPT_TUNING", "token_dim", "int|null", "null", READ},
    {"PREFIX_TUNING PROMPT_TUNING P_TUNING", "num_transformer_submodules", "int|null", "null", READ},
    {"CARTRIDGE CPT MULTITASK_PROMPT_TUNING", "num_transformer_submodules", "int|null", "null", READ},
    {"PREFIX_TUNING PROMPT_TUNING P_TUNING", "num_attention_heads", "int|null", "null", READ},
    {"CARTRIDGE CPT MULTITASK_PROMPT_TUNING", "num_attention_heads", "int|null", "null", READ},
    {"PREFIX_TUNING PROMPT_TUNING P_TUNING", "num_layers", "int|null", "null", READ},
    {"CARTRIDGE CPT MULTITASK_PROMPT_TUNING", "num_layers", "int|null", "null", READ},
    {"CARTRIDGE", "num_frozen_tokens", "int", "1", DECLARED},
    {"MULTITASK_PROMPT_TUNING", "num_ranks", "int|null", "1", DECLARED},
    {"MULTITASK_PROMPT_TUNING", "num_tasks", "int|null", "1", DECLARED},
    /* How the rows were made before they were saved. */
    {"PREFIX_TUNING", "init_weights", "bool|text|null", "null", HARMLESS},
    {"PREFIX_TUNING", "prefix_projection", "bool", "false", HARMLESS},
    {"PREFIX_TUNING P_TUNING", "encoder_hidden_size", "int|null", "null", HARMLESS},
    {"PROMPT_TUNING MULTITASK_PROMPT_TUNING", "prompt_tuning_init", "text", "\"RANDOM\"", HARMLESS},
    {"PROMPT_TUNING MULTITASK_PROMPT_TUNING", "prompt_tuning_init_text", "text|null", "null", HARMLESS},
    {"PROMPT_TUNING MULTITASK_PROMPT_TUNING", "tokenizer_name_or_path", "text|null", "null", HARMLESS},
    {"PROMPT_TUNING MULTITASK_PROMPT_TUNING", "tokenizer_kwargs", "object|null", "null", HARMLESS},
    {"MULTITASK_PROMPT_TUNING", "prompt_tuning_init_state_dict_path", "text|null", "null", HARMLESS},
    {"MULTITASK_PROMPT_TUNING", "prompt_tuning_init_task", "int|null", "0", HARMLESS},
    {"CPT", "cpt_token_ids", "list|null", "null", HARMLESS},
    {"CPT", "cpt_mask", "list|null", "null", HARMLESS},
    {"CPT", "cpt_tokens_type_mask", "list|null", "null", HARMLESS},
    {"CPT", "opt_weighted_loss_type", "text|null", "\"none\"", HARMLESS},
    {"CPT", "opt_loss_decay_factor", "number|null", "1.0", HARMLESS},
    {"CPT", "opt_projection_epsilon", "number|null", "0.1", HARMLESS},
    {"CPT", "opt_projection_format_epsilon", "number|null", "0.1", HARMLESS},
    {"CPT", "tokenizer_name_or_path", "text|null", "null", HARMLESS},
    {"P_TUNING", "encoder_reparameterization_type", "text", "\"MLP\"", HARMLESS},
    {"P_TUNING", "encoder_num_layers", "int", "2", HARMLESS},
    {"P_TUNING", "encoder_dropout", "number", "0.0", HARMLESS},

    /* Of the types below, what a method does not declare must have PEFT's default.  Harmless is how tensors start that
     * the file has, and what is done while training only. */
    {"ADAPTION_PROMPT BEFT BOFT C3A DEFT DELORA FOURIERFT GLORA", "target_modules", "list|text|null", "null", READ},
    {"GRALORA HIRA HRA LILY LOHA LOKR MISS OFT PEANUT PSOFT PVERA", "target_modules", "list|text|null", "null", READ},
    {"RANDLORA ROAD SHIRA SUPERTUNING TINYLORA TRAINABLE_TOKENS", "target_modules", "list|text|null", "null", READ},
    {"OSF UNILORA VBLORA VERA WAVEFT", "target_modules", "list|text|null", "null", READ},
    {"BEFT BOFT DELORA GLORA GRALORA HRA LILY LOHA OFT PEANUT PVERA", "init_weights", "bool", "true", HARMLESS},
    {"RANDLORA ROAD SHIRA SUPERTUNING TRAINABLE_TOKENS UNILORA VERA", "init_weights", "bool", "true", HARMLESS},
    {"WAVEFT", "init_weights", "bool", "true", HARMLESS},
    {"OSF", "init_weights", "bool|null", "true", HARMLESS},
    {"OSF", "effective_rank", "number|null", "null", DECLARED},
    {"OSF", "rank_pattern", "object|null", "null", DECLARED},
    {"OSF", "target_svd_config", "object|null", "null", DECLARED},
    {"BOFT DEFT DELORA FOURIERFT HIRA HRA LILY LOHA LOKR MISS", "exclude_modules", "list|text|null", "null", READ},
    {"OFT PEANUT PSOFT VBLORA WAVEFT", "exclude_modules", "list|text|null", "null", READ},
    {"BOFT DEFT FOURIERFT GRALORA HIRA OFT PSOFT PVERA RANDLORA SHIRA", "fan_in_fan_out", "bool", "false", HARMLESS},
    {"TINYLORA UNILORA VBLORA VERA WAVEFT", "fan_in_fan_out", "bool", "false", HARMLESS},
    {"BOFT C3A DEFT DELORA FOURIERFT GLORA GRALORA HRA MISS OFT PVERA", "bias", "text", "\"none\"", DECLARED},
    {"RANDLORA TINYLORA UNILORA VBLORA VERA WAVEFT", "bias", "text", "\"none\"", DECLARED},
    {"BOFT C3A DEFT DELORA FOURIERFT GRALORA HIRA HRA LILY", "layers_to_transform", "list|int|null", "null", READ},
    {"LOHA LOKR MISS OFT PEANUT PSOFT PVERA RANDLORA TINYLORA", "layers_to_transform", "list|int|null", "null", READ},
    {"UNILORA VBLORA VERA WAVEFT", "layers_to_transform", "list|int|null", "null", READ},
    {"BOFT C3A DEFT DELORA FOURIERFT GRALORA HIRA HRA LILY LOHA", "layers_pattern", "list|text|null", "null", READ},
    {"LOKR MISS OFT PEANUT PSOFT PVERA RANDLORA TINYLORA UNILORA", "layers_pattern", "list|text|null", "null", READ},
    {"VBLORA VERA WAVEFT", "layers_pattern", "list|text|null", "null", READ},
    {"DEFT DELORA GLORA HRA LOHA LOKR", "r", "int", "8", DECLARED},
    {"DELORA LOHA LOKR OFT", "module_dropout", "number", "0.0", HARMLESS},
    {"DELORA LOHA LOKR", "rank_pattern", "object|null", "{}", DECLARED},
    {"HIRA", "rank_pattern", "object|null", "{}", HARMLESS}, /* PEFT 0.21 gives each module the rank r */
    {"GRALORA HIRA LILY PEANUT PSOFT RANDLORA SHIRA", "r", "int", "32", DECLARED},
    {"PVERA RANDLORA VERA", "projection_prng_key", "int", "0", HARMLESS},
    {"PVERA RANDLORA TINYLORA VERA", "save_projection", "bool", "true", DECLARED},

    {"ADAPTION_PROMPT", "adapter_len", "int", "null", DECLARED},
    {"ADAPTION_PROMPT", "adapter_layers", "int", "null", DECLARED},
    {"BOFT", "boft_block_size", "int", "4", DECLARED},
    {"BOFT", "boft_block_num", "int", "0", DECLARED},
    {"BOFT", "boft_n_butterfly_factor", "int", "1", DECLARED},
    {"BOFT", "boft_dropout", "number", "0.0", HARMLESS},
    {"C3A", "block_size", "int", "256", DECLARED},
    {"C3A", "block_size_pattern", "object|null", "{}", DECLARED},
    {"C3A", "init_weights", "bool|text|null", "\"xavier_uniform\"", HARMLESS},
    {"DEFT", "decomposition_method", "text", "\"relu\"", DECLARED},
    {"DEFT", "init_scale", "number", "1.0", HARMLESS},
    {"DEFT", "alpha", "int|null", "null", DECLARED},
    {"DEFT", "para", "bool", "false", DECLARED},
    {"DEFT", "deft_dropout", "number", "0.0", HARMLESS},
    {"DEFT", "init_weights", "bool", "true", HARMLESS},
    {"PSOFT", "init_weights", "bool", "true", DECLARED},
    {"DELORA", "delora_lambda", "number", "15", DECLARED},
    {"DELORA", "lambda_pattern", "object|null", "{}", DECLARED},
    {"FOURIERFT", "n_frequency", "int", "1000", DECLARED},
    {"FOURIERFT", "scaling", "number", "150.0", DECLARED},
    {"FOURIERFT", "random_loc_seed", "int", "777", DECLARED}, /* torch takes no null */
    {"FOURIERFT WAVEFT", "n_frequency_pattern", "object|null", "{}", DECLARED},
    {"FOURIERFT", "init_weights", "bool", "false", HARMLESS},
    {"GLORA", "config_A_B", "text", "\"lora\"", DECLARED},
    {"GLORA", "config_C", "text", "\"lora\"", DECLARED},
    {"GLORA", "config_D_E", "text", "\"constant\"", DECLARED},
    {"GRALORA", "hybrid_r", "int", "0", DECLARED},
    {"GRALORA", "alpha", "int", "64", DECLARED},
    {"GRALORA", "gralora_dropout", "number", "0.0", HARMLESS},
    {"GRALORA", "gralora_k", "int", "2", DECLARED},
    {"HIRA", "hira_dropout", "number", "0.0", HARMLESS},
    {"HIRA", "init_weights", "bool|text|null", "true", HARMLESS},
    {"HRA", "apply_GS", "bool", "false", DECLARED},
    {"LILY", "stride_A", "int", "1", DECLARED},
    {"LILY", "num_B", "int", "2", DECLARED},
    {"LILY PEANUT", "scaling", "number", "1.0", DECLARED},
    {"LOHA LOKR", "alpha_pattern", "object|null", "{}", DECLARED},
    {"LOHA LOKR", "alpha", "int", "8", DECLARED},
    {"LOHA LOKR", "rank_dropout", "number", "0.0", HARMLESS},
    {"LOHA LOKR", "use_effective_conv2d", "bool", "false", HARMLESS},
    {"LOKR", "decompose_both", "bool", "false", DECLARED},
    {"LOKR", "decompose_factor", "int", "-1", DECLARED},
    {"LOKR", "rank_dropout_scale", "bool", "false", HARMLESS},
    {"LOKR", "init_weights", "bool|text", "true", HARMLESS},
    {"MISS", "r", "int", "64", DECLARED},
    {"MISS", "miss_dropout", "number", "0.0", HARMLESS},
    {"MISS", "mini_r", "int", "1", DECLARED},
    {"MISS", "init_weights", "bool|text", "true", DECLARED},
    {"TINYLORA", "init_weights", "bool|text", "true", HARMLESS},
    {"OFT", "r", "int", "0", DECLARED},
    {"OFT", "oft_block_size", "int", "32", DECLARED},
    {"OFT", "coft", "bool", "false", DECLARED},
    {"OFT", "eps", "number", "6e-05", HARMLESS},
    {"OFT", "block_share", "bool", "false", DECLARED},
    {"OFT", "use_cayley_neumann", "bool", "true", DECLARED},
    {"OFT PSOFT", "num_cayley_neumann_terms", "int", "5", DECLARED},
    {"PEANUT", "depth", "int", "0", DECLARED},
    {"PEANUT", "act_fn", "text", "\"relu\"", DECLARED},
    {"PSOFT", "psoft_alpha", "int", "32", DECLARED},
    {"PSOFT", "psoft_dropout", "number", "0.0", HARMLESS},
    {"PSOFT", "ab_svd_init", "text", "\"psoft_init\"", DECLARED},
    {"PSOFT", "psoft_svd", "text", "\"full\"", DECLARED},
    {"PSOFT", "psoft_svd_lowrank_niter", "int", "10", HARMLESS},
    {"PSOFT", "random_seed", "int", "0", DECLARED},
    {"PSOFT", "psoft_orth", "bool", "true", DECLARED},
    {"PSOFT", "psoft_mag_b", "bool", "true", DECLARED},
    {"PSOFT", "psoft_mag_a", "bool", "true", DECLARED},
    {"PSOFT", "use_cayley_neumann", "bool", "false", DECLARED},
    {"PSOFT", "cayley_neumann_eps", "number|null", "null", DECLARED},
    {"PVERA VERA", "r", "int", "256", DECLARED},
    {"PVERA", "pvera_dropout", "number", "0.0", HARMLESS},
    {"PVERA VERA", "d_initial", "number", "0.1", HARMLESS},
    {"PVERA", "sample_at_inference", "bool", "false", DECLARED},
    {"PVERA", "generator_seed", "int|null", "null", DECLARED},
    {"RANDLORA", "sparse", "bool", "false", HARMLESS},
    {"RANDLORA", "very_sparse", "bool", "false", HARMLESS},
    {"RANDLORA", "randlora_dropout", "number", "0.0", HARMLESS},
    {"RANDLORA", "randlora_alpha", "int", "640", DECLARED},
    {"ROAD", "variant", "text", "\"road_1\"", DECLARED},
    {"ROAD", "group_size", "int", "64", DECLARED},
    {"SHIRA", "mask_type", "text", "\"random\"", DECLARED},
    {"SHIRA", "random_seed", "int|null", "null", HARMLESS},
    {"SUPERTUNING", "sparsity", "number", "0.99", DECLARED},
    {"SUPERTUNING", "select_top", "bool", "true", HARMLESS},
    {"SUPERTUNING", "r", "int|null", "null", DECLARED},
    {"SUPERTUNING", "lora_alpha", "number|null", "null", HARMLESS},
    {"SUPERTUNING", "lora_dropout", "number", "0.0", HARMLESS},
    {"SUPERTUNING", "save_precomputed_indices", "bool", "true", DECLARED},
    {"TINYLORA", "r", "int", "2", DECLARED},
    {"TINYLORA", "u", "int", "64", DECLARED},
    {"TINYLORA", "weight_tying", "number", "0.0", DECLARED},
    {"TINYLORA", "projection_seed", "int", "42", HARMLESS}, /* what it draws is in the file */
    {"TINYLORA", "init_v_bound", "number", "0.02", HARMLESS},
    {"TINYLORA", "tinylora_dropout", "number", "0.0", HARMLESS},
    {"TRAINABLE_TOKENS", "token_indices", "list", "[]", DECLARED},
    {"UNILORA VBLORA", "r", "int", "4", DECLARED},
    {"UNILORA", "proj_seed", "int", "42", HARMLESS},
    {"UNILORA", "theta_d_length", "int", "256", DECLARED},
    {"UNILORA", "unilora_dropout", "number", "0.0", HARMLESS},
    {"UNILORA", "init_theta_d_bound", "number", "0.02", HARMLESS},
    {"UNILORA", "save_indices", "bool", "false", DECLARED},
    {"VBLORA", "num_vectors", "int", "256", DECLARED},
    {"VBLORA", "vector_length", "int", "256", DECLARED},
    {"VBLORA", "topk", "int", "2", DECLARED},
    {"VBLORA", "save_only_topk_weights", "bool", "false", DECLARED},
    {"VBLORA", "vblora_dropout", "number", "0.0", HARMLESS},
    {"VBLORA", "init_vector_bank_bound", "number", "0.02", HARMLESS},
    {"VBLORA", "init_logits_std", "number", "0.1", HARMLESS},
    {"VERA", "vera_dropout", "number", "0.0", HARMLESS},
    {"WAVEFT", "n_frequency", "int", "2592", DECLARED},
    {"WAVEFT", "scaling", "number", "25.0", DECLARED},
    {"WAVEFT", "wavelet_family", "text", "\"db1\"", DECLARED},
    {"WAVEFT", "use_idwt", "bool", "true", DECLARED},
    {"WAVEFT", "random_loc_seed", "int", "777", DECLARED},
    {"WAVEFT", "proportional_parameters", "bool", "false", DECLARED},
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

/* True if the method's pb_peft has a key for the member. */
static bool is_declared(const pb_peft *peft, const char *key)
{
    for (const pb_peft_key *k = peft->keys; k && k->key; k++)
        if (!strcmp(k->key, key) || (k->pattern && !strcmp(k->pattern, key)))
            return true;
    return peft->kept_key && !strcmp(peft->kept_key, key);
}

/* True if the method writes the member always with the same value; the table has no rows for a plugin's type. */
static bool is_fixed(const pb_peft *peft, const char *key)
{
    char *quoted = pb_format("\"%s\":", key);
    bool fixed = peft->fixed && strstr(peft->fixed, quoted);
    free(quoted);
    return fixed;
}

static int check_member(void *ctx, const char *key, const pb_json *value)
{
    const check *c = ctx;
    const pb_field *f = pb_field_find(c->type, key);
    bool declared = is_declared(c->peft, key);
    f = !strcmp(key, "modules_to_save") && !pb_peft_saves_modules(c->peft) ? NULL : f;
    if (!f && !declared && !is_fixed(c->peft, key))
        return pb_error("%s: %s: PEFT 0.21 has no such field of %s, so its effect on the results is unknown", c->path,
                        key, c->type);
    pb_field read = f ? *f : (pb_field){0};
    if (declared)
        read.use = PB_FIELD_READ;
    return f ? pb_field_check(&read, c->path, "PEFT's", value) : 0;
}

int pb_fields_check(const char *path, const pb_json *root, const pb_peft *peft)
{
    check c = {path, pb_json_text(pb_json_get(root, "peft_type"), ""), peft};
    return pb_json_each(root, check_member, &c);
}

bool pb_peft_is_prompt(const pb_peft *peft)
{
    return peft->layout == PB_PEFT_PREFIX || peft->layout == PB_PEFT_PROMPT || peft->layout == PB_PEFT_PROMPT_PARTS;
}

bool pb_peft_saves_modules(const pb_peft *peft)
{
    return peft->layout != PB_PEFT_TOKENS && peft->layout != PB_PEFT_ATTENTIONS;
}

bool pb_peft_has_conv1d(const pb_peft *peft)
{
    static const char *const types[] = {"LORA",  "ADALORA",  "IA3",      "DEFT",    "FOURIERFT", "GRALORA", "HIRA",
                                        "PVERA", "RANDLORA", "TINYLORA", "UNILORA", "VBLORA",    "VERA",    "WAVEFT"};
    bool found = peft->layout != PB_PEFT_SITES;
    for (size_t i = 0; i < PB_COUNT(types); i++)
        found = found || !strcmp(peft->type, types[i]);
    return found;
}
