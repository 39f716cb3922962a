/* data_view: the data of a task as `peftbench data` shows it, with or without a model that reads it. */
#ifndef PB_DATA_VIEW_H
#define PB_DATA_VIEW_H

#include "experiment/experiment.h"
#include "train/encoded.h"
#include "train/profile.h"

/* How many texts a limit of tokens cuts, for the rows that read them alike: with a head, or behind the same prompt. */
typedef struct pb_data_cut {
    int max_tokens;
    const char *row; /* the label of the first of these rows; NULL: all rows of the experiment read alike */
    int texts[PB_SPLITS];
} pb_data_cut;

/* The types of the entities that tags mark, in the order of their first entities; "" for those without a type. */
typedef struct pb_entity_types {
    char **name;                /* [count] */
    int (*entities)[PB_SPLITS]; /* [count] the entities of each type in each split */
    int count;
} pb_entity_types;

/* Returns the number of all entities of a split. */
int pb_entity_types_all(const pb_entity_types *t, pb_split split);

typedef struct pb_data_view {
    const pb_experiment *experiment;
    pb_data *data;
    pb_profile profile;
    pb_entity_types entities;     /* of tags; none otherwise                                                  */
    pb_model *model;              /* NULL: lengths are in words                                               */
    pb_encoded *encoded;          /* the examples as the first row reads them; NULL without a model           */
    pb_encoded *prompts;          /* the examples in a template; NULL without one                             */
    pb_lengths text[PB_SPLITS];   /* lengths of texts                                                         */
    pb_lengths answer[PB_SPLITS]; /* and of reference answers, with their end token; of none if there are classes */
    pb_data_cut *cut;             /* [cuts] one for each value of max_tokens and each way of reading          */
    int cuts;
} pb_data_view;

/* Loads the data of the experiment's task, without the checks of pb_data_check, and encodes it for the experiment's
 * model, if it has one.  The caller frees the view with pb_data_view_free, also after an error.  Returns -1 with an
 * error. */
int pb_data_view_open(pb_data_view *v, const pb_experiment *e);
void pb_data_view_free(pb_data_view *v);

/* Returns "tokens", or "words" without a model. */
const char *pb_data_view_unit(const pb_data_view *v);

/* Sets `example` to training examples with the shortest, the median and the longest text, each once, and returns their
 * number. */
int pb_data_view_shown(const pb_data_view *v, int example[3]);

/* Returns the label of an example: the name of its class, its right choice, its target in the fewest digits that read
 * back as the same number, or its first answer.  The caller frees it. */
char *pb_data_view_label(const pb_data_view *v, pb_place at);

/* Sets *prompt to what a decoder reads of an example, and *answer to what it is to answer, both decoded from their
 * tokens.  The caller frees both texts.  There must be prompts. */
void pb_data_view_prompt(const pb_data_view *v, pb_place at, char **prompt, char **answer);

#endif
