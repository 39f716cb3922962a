/* soft_prompt: rows in front of every text that a method trains or computes, for the methods that use them: settings
 * that theirs begin with, their format in PEFT, and how they are put in front. */
#ifndef PB_SOFT_PROMPT_H
#define PB_SOFT_PROMPT_H

#include "model/method.h"

/* The settings, with which the settings struct of a method begins. */
typedef struct pb_soft_prompt_settings {
    int length, pool;
} pb_soft_prompt_settings;

/* SOFT_PROMPT(tokens) as the first of PB_SETTINGS, whose struct begins with them as `prompt`, with the default number
 * of soft tokens. */
#define PB_FIELD_SOFT_PROMPT(tokens) pb_soft_prompt_settings prompt
#define PB_SETTING_SOFT_PROMPT(tokens)                                                                                 \
    PB_OPTION(pb_soft_prompt_settings, length, INT, tokens, 1, 4096, "P, the number of soft tokens"),                  \
        PB_OPTION(pb_soft_prompt_settings, pool, CHOICE, "cls", "first|cls",                                           \
                  "what an encoder's head reads: the first row (a soft token, as in PEFT) or the text's [CLS]; the "   \
                  "head of a decoder reads the last row")

/* Members of a pb_peft whose only tensor is the prompt [P,C] that the text gets. */
#define PB_SOFT_PROMPT_PEFT                                                                                            \
    .layout = PB_PEFT_PROMPT, .tensors = PB_PEFT_TENSORS({"embed", "prompt_embeddings"}),                              \
    .keys = PB_PEFT_KEYS({"num_virtual_tokens", "length"}), .loaded = PB_PEFT_TENSORS({"pool", "first"})

/* The same as the type of plain prompt tuning. */
#define PB_PROMPT_TUNING_PEFT                                                                                          \
    .type = "PROMPT_TUNING", PB_SOFT_PROMPT_PEFT, .fixed = "\"prompt_tuning_init\": \"RANDOM\""

/* For `embed`: returns [prompt; x], and moves the row that an encoder's head reads as the setting `pool` says.
 * prompt [P,C]. */
pb_node *pb_soft_prompt_put(pb_build *b, pb_node *prompt, pb_node *x);

/* Returns the rows [P,kv_width] of a prefix of keys or values, W2 tanh(W1 E + b1) + b2, of a trained embedding E [P,C]
 * and an MLP with so many hidden units: all sites share E, W1 and b1; W2 and b2 are the site's NAME.weight and
 * NAME.bias. */
pb_node *pb_prefix_rows(pb_build *b, const pb_site *site, const char *name, int length, int hidden);

#endif
