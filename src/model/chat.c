/* chat: see chat.h. */
#include "model/chat.h"

#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

/* In order: the first one whose mark occurs in a template is taken. */
static const pb_chat formats[] = {
    {.name = "chatml",
     .mark = "<|im_start|>",
     .begin = "",
     .system = "<|im_start|>system\n%s<|im_end|>\n",
     .user = "<|im_start|>user\n%s<|im_end|>\n<|im_start|>assistant\n",
     .end = "<|im_end|>"},
    {.name = "llama3",
     .mark = "<|start_header_id|>",
     .begin = "<|begin_of_text|>",
     .system = "<|start_header_id|>system<|end_header_id|>\n\n%s<|eot_id|>",
     .user =
         "<|start_header_id|>user<|end_header_id|>\n\n%s<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
     .end = "<|eot_id|>"},
    {.name = "llama2", .mark = "<<SYS>>", .begin = "<s>", .system = NULL, .user = "[INST] %s [/INST]", .end = "</s>"},
    {.name = "mistral", .mark = "[INST]", .begin = "<s>", .system = NULL, .user = "[INST] %s [/INST]", .end = "</s>"},
    {.name = "zephyr",
     .mark = "<|user|>",
     .begin = "",
     .system = "<|system|>\n%s</s>\n",
     .user = "<|user|>\n%s</s>\n<|assistant|>\n",
     .end = "</s>"},
};

/* The chat template in the model's files, or NULL.  The caller frees *owned. */
static const char *template_of(const pb_model *m, char **owned)
{
    static const char *const files[] = {"chat_template.jinja", "tokenizer_config.json"};
    const char *embedded = m->file ? pb_weights_text(m->file, "tokenizer.chat_template") : NULL;
    *owned = NULL;
    for (size_t i = 0; !embedded && !*owned && i < PB_COUNT(files); i++) {
        char *path = pb_format("%s/%s", m->dir, files[i]);
        char *text = pb_file_exists(path) ? pb_read_file(path, NULL) : NULL;
        if (text && (i == 0 || strstr(text, "\"chat_template\"")))
            *owned = text;
        else
            free(text);
        free(path);
    }
    return embedded ? embedded : *owned;
}

static int recognize(const pb_model *m, const pb_chat **out)
{
    char *owned;
    const char *text = template_of(m, &owned);
    for (size_t i = 0; text && i < PB_COUNT(formats) && !*out; i++)
        *out = strstr(text, formats[i].mark) ? &formats[i] : NULL;
    free(owned);
    return *out ? 0
                : pb_error("%s: chat: the model has no chat template of a known format; want the name of a format",
                           m->dir);
}

static int unknown(const char *name)
{
    pb_text names = {0};
    for (size_t i = 0; i < PB_COUNT(formats); i++)
        pb_text_add(&names, "|%s", formats[i].name);
    pb_error("chat: want auto|none%s, got '%s'", names.data, name);
    pb_text_free(&names);
    return -1;
}

int pb_chat_find(const pb_model *m, const char *name, const pb_chat **out)
{
    *out = NULL;
    if (!name || !strcmp(name, "none"))
        return 0;
    if (!strcmp(name, "auto"))
        return recognize(m, out);
    for (size_t i = 0; i < PB_COUNT(formats); i++)
        if (!strcmp(formats[i].name, name))
            *out = &formats[i];
    return *out ? 0 : unknown(name);
}

/* Appends `frame` with its %s replaced by the text. */
static void add_framed(pb_text *out, const char *frame, const char *text, size_t size)
{
    const char *at = strstr(frame, "%s");
    pb_text_bytes(out, frame, (size_t)(at - frame));
    pb_text_bytes(out, text, size);
    pb_text_add(out, "%s", at + 2);
}

int pb_chat_encode(const pb_model *m, const pb_chat *chat, const char *system, const char *text, size_t size,
                   pb_ids *out)
{
    if (!chat)
        return pb_tokenizer_encode(m->tokenizer, text, size, true, 0, out);
    pb_text whole = {0}, said = {0};
    pb_text_add(&whole, "%s", chat->begin);
    if (system && chat->system)
        add_framed(&whole, chat->system, system, strlen(system));
    if (system && !chat->system)
        pb_text_add(&said, !strcmp(chat->name, "llama2") ? "<<SYS>>\n%s\n<</SYS>>\n\n" : "%s\n\n", system);
    pb_text_bytes(&said, text, size);
    add_framed(&whole, chat->user, said.data ? said.data : "", said.length);
    int rc = pb_tokenizer_encode(m->tokenizer, whole.data, whole.length, false, 0, out);
    pb_text_free(&whole);
    pb_text_free(&said);
    return rc;
}
