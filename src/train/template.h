/* template: how an example is presented to a decoder.
 *
 *     Classify the text into neutral, negative or positive.
 *     Text: {text}
 *     Sentiment: {label}
 *
 * The lines before the one with {text} are written once, in front of everything else.  The others are written for each
 * example.  The model continues where {label} stands.  White space before {label} belongs to the answer (" positive").
 * Few-shot examples are written completely, each with an empty line after it.
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
    pb_slice once;   /* the lines before that with {text}      */
    pb_slice before; /* from the beginning of that line to {text} */
    pb_slice middle; /* from {text} to the answer              */
    pb_slice lead;   /* the white space before {label}         */
    pb_slice after;  /* what follows {label}                   */
} pb_template;

/* Parses the text of a template into `out`; `path` is used in messages.  Returns -1 with a PATH:LINE: error unless
 * {text} and, after it, {label} each occur once. */
int pb_template_parse(const char *path, const char *text, pb_template *out);

/* Appends the parts from `before` on, filled in with the text and the answer.  If the answer is NULL, appends them
 * only up to the answer. */
void pb_template_write(const pb_template *t, const char *text, const char *answer, pb_text *out);

#endif
