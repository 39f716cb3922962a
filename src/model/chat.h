/* chat: how the users' texts are put to models that were trained to answer them.
 *
 * A few formats, by name; the templates of models' files are looked at to recognise one of them, never run. */
#ifndef PB_CHAT_H
#define PB_CHAT_H

#include "model/model.h"

typedef struct pb_chat {
    const char *name;   /* "chatml"                                              */
    const char *mark;   /* what its template has and those before it have not  */
    const char *begin;  /* of the whole                                          */
    const char *system; /* with %s: what the assistant is told first; NULL: in front of the user's text */
    const char *user;   /* with %s: the user's text, and where the answer begins */
    const char *end;    /* of an answer                                          */
} pb_chat;

/* By name; "auto": the one that the model's files speak of; "none" and NULL: NULL.  -1 with an error: an unknown name,
 * or files that speak of none. */
int pb_chat_find(const pb_model *m, const char *name, const pb_chat **out);

/* Appends the ids of a text said to the assistant (chat NULL: of the text alone, with the tokenizer's special
 * tokens).  system may be NULL.  The model has a tokenizer.  -1 with an error, as pb_tokenizer_encode has it. */
int pb_chat_encode(const pb_model *m, const pb_chat *chat, const char *system, const char *text, size_t size,
                   pb_ids *out);

#endif
