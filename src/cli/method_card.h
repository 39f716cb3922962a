/* method_card: all that a plugin declares of a method, for `show` and for docs/methods.md. */
#ifndef PB_METHOD_CARD_H
#define PB_METHOD_CARD_H

#include "model/preset.h"

/* Returns whether what the method trains becomes a part of the weights: "yes", "no", or "in place" if it trains
 * weights of the base model and nothing else. */
const char *pb_merging(const pb_method *m);

/* Returns the type of PEFT's adapters that a method, or its preset p (NULL: the method itself), is written as; NULL if
 * there is none. */
const char *pb_type_in_peft(const pb_method *m, const pb_preset *p);

/* Prints a method, or its preset p (NULL: the method itself), with its settings and their ranges, for a terminal. */
void pb_card_print(const pb_method *m, const pb_preset *p);

/* Prints a preset that is a composition, with the settings of its parts. */
void pb_card_print_composition(const pb_preset *p);

/* Returns whether all methods of a composition can be merged into the weights, or train in place. */
bool pb_composition_merges(const pb_preset *p);

/* Prints a table of settings with their ranges and their defaults, or the values that a preset's part (NULL: none)
 * gives them.  The names of settings of a composition begin with that of the part. */
void pb_card_print_settings(const pb_option *options, const pb_preset_part *preset);

/* Prints docs/methods.md: one card for each built-in method, by category, with its presets. */
void pb_cards_print_markdown(void);

#endif
