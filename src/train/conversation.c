/* conversation: see conversation.h. */
#include "train/conversation.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "model/chat_formats.h"

int pb_conversation_template(pb_data *d, const char *name, const char *date)
{
    bool file = *name && !pb_chat_format(name);
    char *path = file ? pb_data_find(d, name) : NULL;
    if (file && !path)
        return -1;
    free(d->chat);
    free(d->date);
    free(d->template);
    d->template = path ? pb_read_file(path, NULL) : NULL; /* a part of what identifies a run */
    bool here = path && !strchr(path, '/');
    d->chat = !file ? pb_strdup(*name ? name : "auto") : pb_format(here ? "./%s" : "%s", path);
    d->date = pb_strdup(date);
    free(path);
    return file && !d->template ? -1 : 0;
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

static const char *type_of(const pb_json *v)
{
    return !v                     ? "nothing"
           : pb_json_is_array(v)  ? "a list"
           : pb_json_is_object(v) ? "an object"
           : pb_json_is_null(v)   ? "null"
                                  : "a number or a boolean";
}

static int refuse_other(void *ctx, const char *key, const pb_json *v)
{
    if (!strcmp(key, "role") || !strcmp(key, "content") || pb_json_is_null(v))
        return 0;
    return pb_error("message %zu: want role and content, got '%s' too; that is not supported", *(const size_t *)ctx,
                    key);
}

/* Checks message `number` of a list, from 1. */
static int check_message(const pb_json *m, size_t number)
{
    const pb_json *role = pb_json_get(m, "role"), *content = pb_json_get(m, "content");
    const char *who = pb_json_text(role, NULL), *text = pb_json_text(content, NULL);
    if (!pb_json_is_object(m))
        return pb_error("message %zu: want an object with role and content, got %s", number,
                        pb_json_text(m, NULL) ? "a text" : type_of(m));
    if (!who)
        return pb_error("message %zu: role: want system, user or assistant, got %s", number, type_of(role));
    if (strcmp(who, "system") != 0 && strcmp(who, "user") != 0 && strcmp(who, "assistant") != 0)
        return pb_error("message %zu: role: want system, user or assistant, got '%s'", number, who);
    if (!strcmp(who, "system") && number > 1)
        return pb_error("message %zu: role: want system in the first message only", number);
    if (!text)
        return pb_error("message %zu: content: want a text, got %s", number, type_of(content));
    if (strlen(text) != pb_json_text_size(content))
        return pb_error("message %zu: content: want a text without NUL", number);
    if (!*text && !strcmp(who, "assistant"))
        return pb_error("message %zu: content: want what the assistant says, got an empty text", number);
    return pb_json_each(m, refuse_other, &number);
}

static int check_messages(const pb_json *list)
{
    if (!pb_json_is_array(list))
        return pb_error("want a list of messages, got %s", pb_json_text(list, NULL) ? "a text" : type_of(list));
    for (size_t i = 0; i < pb_json_size(list); i++)
        if (check_message(pb_json_at(list, i), i + 1))
            return -1;
    return 0;
}

static const char *role_at(const pb_json *list, size_t i)
{
    return pb_json_text(pb_json_get(pb_json_at(list, i), "role"), "");
}

static const char *content_at(const pb_json *list, size_t i)
{
    return pb_json_text(pb_json_get(pb_json_at(list, i), "content"), "");
}

/* Writes the messages `first` .. n-1, behind a system message in front of them. */
static char *write_messages(const pb_json *list, size_t first, size_t n)
{
    pb_text t = {0};
    for (size_t i = 0; i < n; i++) {
        if (i < first && (i || strcmp(role_at(list, 0), "system") != 0))
            continue;
        pb_text_add(&t, "%s{\"role\": \"%s\", \"content\": ", t.length ? ", " : "[", role_at(list, i));
        pb_json_quote(&t, content_at(list, i));
        pb_text_add(&t, "}");
    }
    pb_text_add(&t, "%s]", t.length ? "" : "[");
    return t.data;
}

static int split(const pb_json *list, char **prompt, char **answer)
{
    size_t n = pb_json_size(list), said = 0;
    if (check_messages(list))
        return -1;
    for (size_t i = 0; i < n; i++)
        said += !strcmp(role_at(list, i), "assistant");
    if (!said)
        return pb_error("want a message of the assistant, got none in %zu", n);
    if (strcmp(role_at(list, n - 1), "assistant") != 0)
        return pb_error("want the assistant's message last, which is the answer, got one of the %s",
                        role_at(list, n - 1));
    if (n < 2 || strcmp(role_at(list, n - 2), "user") != 0)
        return pb_error("want a message of the user before the last one");
    *prompt = write_messages(list, 0, n - 1);
    *answer = pb_strdup(content_at(list, n - 1));
    return 0;
}

static pb_json_doc *parse(const char *json)
{
    if (!*json) {
        pb_error("want a list of messages, got nothing");
        return NULL;
    }
    return pb_json_parse("want a list of messages", json, strlen(json));
}

int pb_conversation_split(const char *json, char **prompt, char **answer)
{
    pb_json_doc *doc = parse(json);
    int rc = doc ? split(pb_json_root(doc), prompt, answer) : -1;
    pb_json_free(doc);
    return rc;
}

int pb_conversation_ask(const char *line, char **prompt)
{
    if (*line != '[') {
        pb_text t = {0};
        pb_text_add(&t, "[{\"role\": \"user\", \"content\": ");
        pb_json_quote(&t, line);
        pb_text_add(&t, "}]");
        *prompt = t.data;
        return 0;
    }
    pb_json_doc *doc = parse(line);
    const pb_json *list = doc ? pb_json_root(doc) : NULL;
    size_t n = pb_json_size(list);
    int rc = !doc || check_messages(list) ? -1 : 0;
    if (!rc && (!n || strcmp(role_at(list, n - 1), "user") != 0))
        rc = pb_error("want the user's message last, which is to be answered");
    *prompt = rc ? NULL : write_messages(list, 0, n);
    pb_json_free(doc);
    return rc;
}

/* ---- shortening ---------------------------------------------------------------------------------------------- */

char *pb_conversation_shorten(const char *prompt, int n)
{
    pb_json_doc *doc = pb_json_parse("messages", prompt, strlen(prompt));
    const pb_json *list = doc ? pb_json_root(doc) : NULL;
    size_t count = pb_json_size(list), first = count && !strcmp(role_at(list, 0), "system");
    for (; n > 0 && first < count; n--)
        for (first++; first < count && strcmp(role_at(list, first), "user") != 0;)
            first++;
    char *text = first < count ? write_messages(list, first, count) : NULL;
    pb_json_free(doc);
    return text;
}
