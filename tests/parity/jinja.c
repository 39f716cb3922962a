/* jinja: renders templates for check_chat.py.  A line of stdin is {"template": .., "variables": {..}, "date": ..}; its
 * answer is {"text": .., "marks": [[from, to], ..]} or {"error": ..}, in bytes of the text. */
#include <stdlib.h>

#include "jinja/jinja.h"

static void print_output(const pb_jinja_output *o)
{
    pb_text t = {0};
    pb_text_add(&t, "{\"text\": ");
    pb_json_quote_bytes(&t, o->text.data, o->text.length);
    pb_text_add(&t, ", \"marks\": [");
    for (size_t i = 0; i < o->marks; i++)
        pb_text_add(&t, "%s[%zu, %zu]", i ? ", " : "", o->mark[i].from, o->mark[i].to);
    printf("%s]}\n", t.data);
    pb_text_free(&t);
}

static void print_error(void)
{
    pb_text t = {0};
    pb_json_quote(&t, pb_error_text());
    printf("{\"error\": %s}\n", t.data);
    pb_text_free(&t);
    pb_error_clear();
}

static void answer(const pb_json *root)
{
    const pb_json *source = pb_json_get(root, "template");
    pb_jinja *t = pb_jinja_parse("template", pb_json_text(source, ""), pb_json_text_size(source));
    pb_jinja_output o = {0};
    if (t && !pb_jinja_render(t, pb_json_get(root, "variables"), pb_json_text(pb_json_get(root, "date"), NULL), &o))
        print_output(&o);
    else
        print_error();
    pb_jinja_output_free(&o);
    pb_jinja_free(t);
}

int main(void)
{
    char *line = NULL;
    size_t capacity = 0;
    for (ssize_t n; (n = getline(&line, &capacity, stdin)) > 0;) {
        pb_json_doc *doc = pb_json_parse("stdin", line, (size_t)n);
        if (!doc) {
            fprintf(stderr, "%s\n", pb_error_text());
            return 2;
        }
        answer(pb_json_root(doc));
        pb_json_free(doc);
    }
    free(line);
    return 0;
}
