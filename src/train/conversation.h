/* conversation: the messages of an example of a task with conversations.
 *
 * The text of such an example (pb_example) is a JSON list of messages, {"role": .., "content": ..}, without the last
 * one, which is the assistant's and is the answer.  The chat template presents them to the model (model/chat.h). */
#ifndef PB_CONVERSATION_H
#define PB_CONVERSATION_H

#include "train/task.h"

/* Sets d->chat and d->date by the settings `chat_template` (a file, the name of a format, or "" for the template that
 * the model ships) and `date`.  Returns -1 with an error if there is no such file. */
int pb_conversation_template(pb_data *d, const char *name, const char *date);

/* Reads a JSON list of messages, each with a role (system for the first one only, user or assistant) and a content that
 * is a text, of which the last is the assistant's.  Sets *prompt to the list of the others and *answer to the content
 * of the last; the caller frees both.  Returns -1 with an error without a location. */
int pb_conversation_split(const char *json, char **prompt, char **answer);

/* Sets *prompt, which the caller frees, to the messages of a line that asks for an answer: such a list that ends with
 * the user's message, or else, if the line does not begin with '[', the message of a user.  Returns -1 with an error.
 */
int pb_conversation_ask(const char *line, char **prompt);

/* Returns the list without its oldest messages but the system's, so that a user's message is the next one of it.  n is
 * the number of times that this is done.  Returns NULL if fewer are left than the last message and those behind it; the
 * caller frees the text. */
char *pb_conversation_shorten(const char *prompt, int n);

#endif
