/* chat: the chat formats of instruction-tuned models.
 *
 * The formats are built in.  A model's own chat template is searched for marks that identify one of them; it is never
 * executed. */
#ifndef PB_CHAT_H
#define PB_CHAT_H

#include "model/model.h"

/* A chat format. */
typedef struct pb_chat {
    const char *name;   /* "chatml" */
    const char *mark;   /* a string that identifies templates of this format, if no earlier format's mark occurs */
    const char *begin;  /* in front of the conversation */
    const char *system; /* with %s for the system message; NULL: the system message is put in front of the user's */
    const char *user;   /* with %s for the user's message, up to where the answer begins */
    const char *end;    /* of an answer */
} pb_chat;

/* Finds a format by name: "auto" is the one that the model's chat template identifies, and "none" or NULL sets *out to
 * NULL.  Returns -1 with an error if the name is unknown, or if no format can be identified. */
int pb_chat_find(const pb_model *m, const char *name, const pb_chat **out);

/* Appends the ids of a user's message of `size` bytes in this format, with an optional system message (NULL: none).  If
 * `chat` is NULL, appends the ids of the text with the tokenizer's special tokens.  The model must have a tokenizer.
 * Returns -1 with an error, as pb_tokenizer_encode does. */
int pb_chat_encode(const pb_model *m, const pb_chat *chat, const char *system, const char *text, size_t size,
                   pb_ids *out);

#endif
