/* chat: conversations as a model reads them.
 *
 * A chat template (jinja.h) writes a list of messages as one text: that which the model ships, a format that is built
 * in, or a file.  From the text follow the tokens, and which of them the assistant says. */
#ifndef PB_CHAT_H
#define PB_CHAT_H

#include "base/json.h"
#include "model/model.h"

/* A chat template with a model and its tokenizer, which must outlive it. */
typedef struct pb_chat pb_chat;

/* Opens a template by name: "auto" is the one in the model's files (chat_template.jinja, tokenizer_config.json or a
 * GGUF's metadata), chatml, llama3, llama2, mistral and zephyr are built in, and another name is that of a file, which
 * has a '/' in it or ends in ".jinja".  "none" or NULL sets *out to NULL.  The template sees the day `date`, such as
 * "2025-01-31", if it asks for it; NULL or "": it may not ask.  t is the model's tokenizer; NULL: it has none, which is
 * an error.  Returns -1 with an error if there is no such template, if it cannot be parsed, or if it uses bos_token or
 * eos_token and the model's files do not say what they are.  The caller frees *out with pb_chat_free; NULL is allowed
 * there. */
int pb_chat_open(const pb_model *m, const pb_tokenizer *t, const char *name, const char *date, pb_chat **out);
void pb_chat_free(pb_chat *c);

/* Returns what decides how a template that is not built in writes messages: its text, as pb_chat_open reads it by name,
 * and the special tokens that the model's files name.  NULL if the template is built in, if there is none, or if it
 * cannot be read, which pb_chat_open reports.  The caller frees the text. */
char *pb_chat_identity(const pb_model *m, const char *name);

/* Replaces *out by what the template writes for a JSON list of messages; `prompt`: up to where the assistant's answer
 * begins (add_generation_prompt).  Returns -1 with an error that has the template's name and line. */
int pb_chat_render(pb_chat *c, const char *messages, bool prompt, pb_text *out);

/* The tokens of a conversation. */
typedef struct pb_chat_ids {
    pb_ids prompt; /* all before the answer, which end with what begins an answer                  */
    pb_ids said;   /* [prompt] 1 for tokens that the assistant says in turns before the answer, else 0 */
    pb_ids answer; /* what the assistant says last, with the end of its turn; empty without an answer */
} pb_chat_ids;
void pb_chat_ids_free(pb_chat_ids *ids);

/* Sets *out to the tokens of a conversation: a JSON list of messages that ends with the user's, and the assistant's
 * answer to it, or NULL.
 *
 * What the assistant says is what the template's {% generation %} blocks write, as in transformers.  In a template
 * without such blocks it is found by rendering the beginnings of the conversation: a turn begins where the prompt of
 * the messages before it ends, and consists of the message's content and what the template writes after it, up to the
 * first special token; if there is none, all that the template writes up to the next message.  A token that spans the
 * beginning of a turn belongs to it.  The prompt is encoded alone, as it is in decoding; if a token would span its end
 * and the answer's beginning, both are encoded separately.
 *
 * Returns -1 with an error if the template refuses the conversation, writes its beginning in another way when more
 * follows, does not write a message's content where the prompt ends, or writes nothing behind it. */
int pb_chat_encode(pb_chat *c, const char *messages, const char *answer, pb_chat_ids *out);

/* Appends the ids of the prompt for one message of a user, `size` bytes, behind an optional system message (NULL:
 * none).  Returns -1 with an error. */
int pb_chat_ask(pb_chat *c, const char *system, const char *text, size_t size, pb_ids *out);

/* Appends what ends an assistant's turn as one of the stop texts of decoding (pb_decoding.stop): the text of the
 * special token, or what the template writes behind the content.  Appends nothing if that token ends a text anyway.
 * Returns -1 with an error as pb_chat_encode does. */
int pb_chat_stop(pb_chat *c, pb_text *out);

#endif
