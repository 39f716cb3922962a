/* chat_formats: see chat_formats.h.  Each is written after the prompt format that its model's card describes; where a
 * format has no place for a system message, it stands in front of the first message of the user. */
#include "model/chat_formats.h"

#include <stddef.h>
#include <string.h>

const char pb_chat_format_names[] = "chatml|llama3|llama2|mistral|zephyr";

/* Sets `first` to the system message, if there is one, and `turns` to the other messages. */
#define SYSTEM_FIRST                                                                                                   \
    "{% set first = messages[0].content if messages[0].role == 'system' else none %}"                                  \
    "{% set turns = messages if first is none else messages[1:] %}"

static const struct {
    const char *name, *text;
} formats[] = {
    {"chatml", "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{{ '' }}{% endfor %}"
               "{% if add_generation_prompt %}<|im_start|>assistant\n{{ '' }}{% endif %}"},
    {"llama3", "<|begin_of_text|>{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
               "{{ m.content }}<|eot_id|>{% endfor %}"
               "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{{ '' }}{% endif %}"},
    {"llama2", SYSTEM_FIRST "{% for m in turns %}{% if m.role == 'user' %}<s>[INST] "
                            "{% if loop.first and first is not none %}<<SYS>>\n{{ first }}\n<</SYS>>\n\n{% endif %}"
                            "{{ m.content }} [/INST]{% else %} {{ m.content }} </s>{% endif %}{% endfor %}"},
    {"mistral", SYSTEM_FIRST "<s>{% for m in turns %}{% if m.role == 'user' %}[INST] "
                             "{% if loop.first and first is not none %}{{ first }}\n\n{% endif %}"
                             "{{ m.content }} [/INST]{% else %} {{ m.content }}</s>{% endif %}{% endfor %}"},
    {"zephyr", "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}</s>\n{{ '' }}{% endfor %}"
               "{% if add_generation_prompt %}<|assistant|>\n{{ '' }}{% endif %}"},
};

const char *pb_chat_format(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (!strcmp(formats[i].name, name))
            return formats[i].text;
    return NULL;
}
