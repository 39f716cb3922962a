/* config_writer: see config_writer.h. */
#include "model/config_writer.h"

#include <stdlib.h>

const pb_option pb_network_shape_table[] = {
    PB_OPTION(pb_network_shape, layers, INT, "4", 1, 1024, "transformer layers"),
    PB_OPTION(pb_network_shape, width, INT, "256", 1, 65536, "the hidden size"),
    PB_OPTION(pb_network_shape, heads, INT, "4", 1, 1024, "attention heads"),
    PB_OPTION(pb_network_shape, kv_heads, INT, "4", 1, 1024,
              "heads of keys and values, fewer than `heads` for grouped-query attention"),
    PB_OPTION(pb_network_shape, intermediate_size, INT, "1024", 1, 262144, "the intermediate size of the MLP"),
    PB_OPTION(pb_network_shape, positions, INT, "512", 2, 1048576, "maximum number of tokens of an input"),
    {0},
};

/* config.json of the two families. */
static const char encoder[] = "{\n"
                              "  \"architectures\": [\"BertForMaskedLM\"],\n"
                              "  \"model_type\": \"bert\",\n"
                              "  \"vocab_size\": %d,\n"
                              "  \"num_hidden_layers\": %d,\n"
                              "  \"hidden_size\": %d,\n"
                              "  \"num_attention_heads\": %d,\n"
                              "  \"intermediate_size\": %d,\n"
                              "  \"max_position_embeddings\": %d,\n"
                              "  \"type_vocab_size\": 2,\n"
                              "  \"hidden_act\": \"gelu\",\n"
                              "  \"layer_norm_eps\": 1e-12,\n"
                              "  \"pad_token_id\": 0,\n"
                              "  \"tie_word_embeddings\": true\n"
                              "}\n";
static const char decoder[] = "{\n"
                              "  \"architectures\": [\"LlamaForCausalLM\"],\n"
                              "  \"model_type\": \"llama\",\n"
                              "  \"vocab_size\": %d,\n"
                              "  \"num_hidden_layers\": %d,\n"
                              "  \"hidden_size\": %d,\n"
                              "  \"num_attention_heads\": %d,\n"
                              "  \"intermediate_size\": %d,\n"
                              "  \"max_position_embeddings\": %d,\n"
                              "  \"num_key_value_heads\": %d,\n"
                              "  \"hidden_act\": \"silu\",\n"
                              "  \"rms_norm_eps\": 1e-05,\n"
                              "  \"rope_theta\": 10000.0,\n"
                              "  \"attention_bias\": %s,\n"
                              "  \"mlp_bias\": %s,\n"
                              "  \"bos_token_id\": 0,\n"
                              "  \"eos_token_id\": 0,\n"
                              "  \"tie_word_embeddings\": true\n"
                              "}\n";
static const char words[] = "{\n"
                            "  \"tokenizer_class\": \"PreTrainedTokenizerFast\",\n"
                            "  \"model_max_length\": %d,\n"
                            "  \"pad_token\": \"[PAD]\",\n"
                            "  \"unk_token\": \"[UNK]\",\n"
                            "  \"cls_token\": \"[CLS]\",\n"
                            "  \"sep_token\": \"[SEP]\",\n"
                            "  \"mask_token\": \"[MASK]\",\n"
                            "  \"clean_up_tokenization_spaces\": false\n"
                            "}\n";
static const char text[] = "{\n"
                           "  \"tokenizer_class\": \"PreTrainedTokenizerFast\",\n"
                           "  \"model_max_length\": %d,\n"
                           "  \"bos_token\": \"<|endoftext|>\",\n"
                           "  \"eos_token\": \"<|endoftext|>\",\n"
                           "  \"clean_up_tokenization_spaces\": false\n"
                           "}\n";

static int check_shape(pb_objective objective, const pb_network_shape *s)
{
    if (s->width % s->heads)
        return pb_error("heads: want a divisor of the width %d, got %d", s->width, s->heads);
    if (objective == PB_CAUSAL && s->heads % s->kv_heads)
        return pb_error("kv_heads: want a divisor of the %d heads, got %d", s->heads, s->kv_heads);
    if (objective == PB_MASKED && s->heads != s->kv_heads)
        return pb_error("kv_heads: want %d, the number of heads, in an encoder; got %d", s->heads, s->kv_heads);
    return objective == PB_CAUSAL && s->width / s->heads % 2
               ? pb_error("heads: rotary positions want heads of an even width, got %d", s->width / s->heads)
               : 0;
}

static int write_content(const char *dir, const char *name, char *content)
{
    char *path = pb_format("%s/%s", dir, name);
    size_t size = 0;
    while (content[size])
        size++;
    int rc = pb_write_file(path, content, size);
    free(path);
    free(content);
    return rc;
}

int pb_network_config_write(const char *dir, pb_objective objective, const pb_network_shape *s, int vocabulary)
{
    if (check_shape(objective, s) || pb_make_dirs(dir))
        return -1;
    const char *bias = s->bias ? "true" : "false";
    char *config = objective == PB_MASKED ? pb_format(encoder, vocabulary, s->layers, s->width, s->heads,
                                                      s->intermediate_size, s->positions)
                                          : pb_format(decoder, vocabulary, s->layers, s->width, s->heads,
                                                      s->intermediate_size, s->positions, s->kv_heads, bias, bias);
    return write_content(dir, "config.json", config) ||
                   write_content(dir, "tokenizer_config.json",
                                 pb_format(objective == PB_MASKED ? words : text, s->positions))
               ? -1
               : 0;
}
