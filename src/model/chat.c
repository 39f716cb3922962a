/* chat: templates, special tokens and rendering; see chat.h. */
#include <stdlib.h>
#include <string.h>

#include "model/chat_formats.h"
#include "model/chat_internal.h"
#include "model/internal.h"

/* ---- the model's files -------------------------------------------------------------------------------------- */

/* Reads a JSON object of the model's folder; *doc is NULL if there is no such file.  Returns -1 with an error. */
static int read_object(const pb_model *m, const char *name, pb_json_doc **doc)
{
    char *path = pb_format("%s/%s", m->dir, name);
    bool is_there = !m->file || !pb_weights_tokenizer(m->file) ? pb_file_exists(path) : false;
    *doc = is_there ? pb_json_read(path) : NULL;
    int rc = is_there && !*doc ? -1 : 0;
    if (*doc && !pb_json_is_object(pb_json_root(*doc)))
        rc = pb_error("%s: want a JSON object", path);
    free(path);
    return rc;
}

/* Returns the text of a template in tokenizer_config.json: a text, or a list of named ones of which "default" is taken.
 */
static const char *template_in(const pb_json *v)
{
    for (size_t i = 0; i < pb_json_size(v) && pb_json_is_array(v); i++) {
        const pb_json *one = pb_json_at(v, i);
        if (!strcmp(pb_json_text(pb_json_get(one, "name"), ""), "default"))
            return pb_json_text(pb_json_get(one, "template"), NULL);
    }
    return pb_json_text(v, NULL);
}

/* Reads the template that the model ships.  *name is that of its file; the caller frees both.  Returns NULL with an
 * error. */
static char *shipped(const pb_model *m, char **name)
{
    const char *embedded = m->file ? pb_weights_text(m->file, "tokenizer.chat_template") : NULL;
    char *text = embedded ? pb_strdup(embedded) : NULL;
    pb_json_doc *doc = NULL;
    *name = embedded ? pb_format("%s: tokenizer.chat_template", m->dir) : pb_format("%s/chat_template.jinja", m->dir);
    if (text)
        return text;
    if (pb_file_exists(*name))
        return pb_read_file(*name, NULL);
    free(*name);
    *name = pb_format("%s/tokenizer_config.json: chat_template", m->dir);
    if (read_object(m, "tokenizer_config.json", &doc))
        return NULL;
    const char *inside = doc ? template_in(pb_json_get(pb_json_root(doc), "chat_template")) : NULL;
    text = inside ? pb_strdup(inside) : NULL;
    pb_json_free(doc);
    if (!text)
        pb_error("%s: chat: the model has no chat template; want the name of a format (%s) or of a file", m->dir,
                 pb_chat_format_names);
    return text;
}

/* ---- special tokens ------------------------------------------------------------------------------------------- */

static void add_variable(pb_text *out, const char *name, const char *token)
{
    pb_text_add(out, "\"%s\": ", name);
    pb_json_quote(out, token);
    pb_text_add(out, ", ");
}

/* Returns whether a file of the folder says what a special token is, and appends it to the variables unless it is none.
 */
static bool add_token(const pb_json *root, const char *name, pb_text *out)
{
    const pb_json *v = root ? pb_json_get(root, name) : NULL;
    const char *token = pb_json_text(v, pb_json_text(pb_json_get(v, "content"), NULL));
    if (token)
        add_variable(out, name, token);
    return token || pb_json_is_null(v);
}

/* Appends the special tokens that the model's files name to the variables of the template. */
static int add_tokens(pb_chat *c, const char *template)
{
    static const char *const names[] = {"bos_token", "eos_token", "unk_token", "pad_token"};
    static const char *const files[] = {"tokenizer_config.json", "special_tokens_map.json"};
    const pb_model *m = c->model;
    pb_json_doc *doc[2] = {0};
    int rc = read_object(m, files[0], &doc[0]) || read_object(m, files[1], &doc[1]) ? -1 : 0;
    for (size_t i = 0; i < PB_COUNT(names) && !rc; i++) {
        bool known = false;
        for (int k = 0; k < 2 && !known; k++)
            known = doc[k] && add_token(pb_json_root(doc[k]), names[i], &c->variables);
        const char *end = !known && i == 1 && !doc[0] && m->config.end[0] >= 0
                              ? pb_tokenizer_token(c->tokenizer, m->config.end[0])
                              : NULL;
        if (end)
            add_variable(&c->variables, names[i], end);
        else if (!known && strstr(template, names[i]))
            rc = pb_error("%s: the template uses %s; want it in tokenizer_config.json, as a text or null", c->name,
                          names[i]);
    }
    pb_json_free(doc[0]);
    pb_json_free(doc[1]);
    return rc;
}

/* ---- opening ------------------------------------------------------------------------------------------------- */

static char *read_template(const pb_model *m, const char *name, char **origin)
{
    const char *format = pb_chat_format(name);
    if (!strcmp(name, "auto"))
        return shipped(m, origin);
    *origin = pb_format(format ? "the format %s" : "%s", name);
    if (format)
        return pb_strdup(format);
    if (strchr(name, '/') || pb_ends_in(name, ".jinja"))
        return pb_read_file(name, NULL);
    pb_error("chat: want auto|none|%s, or a file such as template.jinja, got '%s'", pb_chat_format_names, name);
    return NULL;
}

static int open_template(pb_chat *c, const char *name)
{
    if (!c->tokenizer)
        return pb_error("%s: chat: want a model with tokenizer.json", c->model->dir);
    char *text = read_template(c->model, name, &c->name);
    if (!text)
        return -1;
    c->template = pb_jinja_parse(c->name, text, strlen(text));
    int rc = c->template ? add_tokens(c, text) : -1;
    free(text);
    return rc;
}

int pb_chat_open(const pb_model *m, const pb_tokenizer *t, const char *name, const char *date, pb_chat **out)
{
    *out = NULL;
    if (!name || !strcmp(name, "none"))
        return 0;
    pb_chat *c = pb_alloc(sizeof *c);
    c->model = m;
    c->tokenizer = t;
    c->date = date ? pb_strdup(date) : NULL;
    if (open_template(c, name)) {
        pb_chat_free(c);
        return -1;
    }
    *out = c;
    return 0;
}

char *pb_chat_identity(const pb_model *m, const char *name)
{
    pb_chat c = {.model = m, .tokenizer = pb_model_tokenizer(m)};
    bool read = name && strcmp(name, "none") != 0 && !pb_chat_format(name) && c.tokenizer;
    char *text = read ? read_template(m, name, &c.name) : NULL, *out = NULL;
    if (text && !add_tokens(&c, text))
        out = pb_format("%s\n%s", c.variables.data ? c.variables.data : "", text);
    else if (read)
        pb_error_clear();
    pb_text_free(&c.variables);
    free(c.name);
    free(text);
    return out;
}

void pb_chat_free(pb_chat *c)
{
    if (!c)
        return;
    pb_jinja_free(c->template);
    pb_text_free(&c->variables);
    free(c->name);
    free(c->date);
    free(c);
}

/* ---- rendering ----------------------------------------------------------------------------------------------- */

int pb_chat_output(pb_chat *c, const char *messages, bool prompt, pb_jinja_output *out)
{
    pb_text all = {0};
    pb_text_add(&all, "{%s\"tools\": null, \"documents\": null, \"add_generation_prompt\": %s, \"messages\": %s}",
                c->variables.data ? c->variables.data : "", prompt ? "true" : "false", messages);
    pb_json_doc *doc = pb_json_parse(c->name, all.data, all.length);
    int rc = doc ? pb_jinja_render(c->template, pb_json_root(doc), c->date, out) : -1;
    pb_json_free(doc);
    pb_text_free(&all);
    return rc;
}

int pb_chat_render(pb_chat *c, const char *messages, bool prompt, pb_text *out)
{
    pb_jinja_output o = {.text = *out};
    int rc = pb_chat_output(c, messages, prompt, &o);
    *out = o.text;
    free(o.mark);
    return rc;
}
