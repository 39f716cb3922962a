/* template: how an example is presented to a decoder.
 *
 *     Classify the text into neutral, negative or positive.
 *     Text: {text}
 *     Sentiment: {label}
 *
 * The lines before the one with {text} are written once, in front of everything else.  The others are written for each
 * example.  The model continues where {label} stands.  White space before {label} belongs to the answer (" positive").
 * Few-shot examples are written completely, each with an empty line after it.
 *
 * The template of a task with pairs of texts names the columns of both in place of {text}, in either order:
 *
 *     Text: {premise}
 *     Does it follow that "{hypothesis}"?
 *     Answer: {label}
 */
#ifndef PB_TEMPLATE_H
#define PB_TEMPLATE_H

#include "base/base.h"

/* A part of the template's text. */
typedef struct pb_slice {
    const char *at;
    int size; /* bytes */
} pb_slice;

/* The parts of a template.  They point into its text, which must outlive them. */
typedef struct pb_template {
    pb_slice once;    /* the lines before that with {text}, or with the first text of a pair */
    pb_slice before;  /* from the beginning of that line to the text                         */
    pb_slice between; /* of a pair: from the text shown first to the other one               */
    pb_slice middle;  /* from the text, or the pair, to the answer                           */
    pb_slice lead;    /* the white space before {label}                                      */
    pb_slice after;   /* what follows {label}                                                */
    bool swapped;     /* The second text of a pair is shown first. */
} pb_template;

/* Parses the text of a template into `out`; `path` is used in messages.  `pair` has the names of the columns of pairs
 * of texts; NULL, or NULL in it, for single texts.  Returns -1 with a PATH:LINE: error unless {text}, or both names in
 * braces, and after them {label} each occur once. */
int pb_template_parse(const char *path, const char *text, char *const pair[2], pb_template *out);

/* How much of a template is written. */
typedef enum pb_template_extent {
    PB_TO_FIRST,     /* up to the text shown first      */
    PB_AFTER_FIRST,  /* with this text                  */
    PB_TO_SECOND,    /* up to the other text of a pair  */
    PB_TO_TEXTS_END, /* with all texts                  */
    PB_TO_ANSWER,    /* up to the answer                */
    PB_WITH_ANSWER,
} pb_template_extent;

/* Appends the parts from `before` on, as far as `extent` says, filled in with the text, the second text of a pair (else
 * NULL) and the answer, which is needed for PB_WITH_ANSWER only. */
void pb_template_write(const pb_template *t, pb_template_extent extent, const char *text, const char *second,
                       const char *answer, pb_text *out);

#endif
