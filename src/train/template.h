/* template: how an example is written out for a decoder.
 *
 *   Classify the text into neutral, negative or positive.     said once, in front of everything
 *   Text: {text}                                              from the line with {text} on: for each example
 *   Sentiment: {label}
 *
 * The model goes on where {label} stands; the blanks in front of it are the answer's own (" positive").
 * Examples that are shown first (few-shot) are written in full, with an empty line behind each. */
#ifndef PB_TEMPLATE_H
#define PB_TEMPLATE_H

#include "base/base.h"

/* Pieces of the template's text, which must outlive it. */
typedef struct pb_slice {
    const char *at;
    int size;
} pb_slice;

typedef struct pb_template {
    pb_slice once;   /* with its line's end              */
    pb_slice before; /* between `once` and {text}        */
    pb_slice middle; /* between {text} and the answer    */
    pb_slice lead;   /* blanks in front of {label}       */
    pb_slice after;  /* behind {label}                   */
} pb_template;

/* -1 with "PATH:LINE: what, and what would be right". */
int pb_template_parse(const char *path, const char *text, pb_template *out);

/* The part up to the answer, and the answer (NULL: up to the answer only). */
void pb_template_write(const pb_template *t, const char *text, const char *answer, pb_text *out);

#endif
