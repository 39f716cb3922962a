/* chat_internal: what chat.c and chat_turns.c share.  Not for other files. */
#ifndef PB_CHAT_INTERNAL_H
#define PB_CHAT_INTERNAL_H

#include "jinja/jinja.h"
#include "model/chat.h"

struct pb_chat {
    const pb_model *model;
    const pb_tokenizer *tokenizer;
    pb_jinja *template;
    char *name;        /* of the template's file or format, for messages                      */
    char *date;        /* NULL: none                                                          */
    pb_text variables; /* members of a JSON object, each with ", " behind it: special tokens */
};

/* As pb_chat_render, with the marks. */
int pb_chat_output(pb_chat *c, const char *messages, bool prompt, pb_jinja_output *out);

#endif
