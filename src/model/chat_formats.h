/* chat_formats: the chat templates that are built in. */
#ifndef PB_CHAT_FORMATS_H
#define PB_CHAT_FORMATS_H

/* Returns the template of a format, or NULL if there is none of this name. */
const char *pb_chat_format(const char *name);

/* The names of the formats, "chatml|llama3|..". */
extern const char pb_chat_format_names[];

#endif
