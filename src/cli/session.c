/* session: see session.h. */
#include "cli/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/threads.h"
#include "train/encoded.h"

static int attach_adapter(pb_session *o, const pb_args *a)
{
    if (!o->adapter)
        return a->merged ? pb_error("--merged: want an --adapter to merge") : pb_model_attach(o->model, NULL, 0);
    if (pb_adapter_attach(o->model, o->adapter, a->force))
        return -1;
    if (a->merged && !pb_model_can_merge(o->model))
        return pb_error("--merged: %s: this kind of adapter cannot be merged into the weights", a->adapter);
    return a->merged ? pb_model_merge(o->model) : 0;
}

int pb_session_open(pb_session *o, const pb_args *a)
{
    *o = (pb_session){NULL, NULL, NULL};
    if (!a->model)
        return pb_error("--model: want a Hugging Face folder, a GGUF file or a llama2.c file");
    pb_threads_start(a->threads);
    if (a->adapter && !(o->adapter = pb_adapter_open(a->adapter))) {
        pb_session_close(o);
        return -1;
    }
    int classes = o->adapter ? pb_adapter_classes(o->adapter) : 0; /* the adapter has its own head */
    pb_opening opening = {.path = a->model, .classes = classes, .tokens = o->adapter && pb_adapter_tokens(o->adapter)};
    opening.problem = o->adapter && pb_adapter_choices(o->adapter) ? PB_PROBLEM_CHOICES : PB_PROBLEM_ANY;
    int rc = a->precision ? pb_option_set(pb_base_table, &opening.base, "precision", a->precision) : 0;
    o->model = rc ? NULL : pb_model_open(&opening);
    if (!o->model || attach_adapter(o, a) || pb_model_check_given(o->model)) {
        pb_session_close(o);
        return -1;
    }
    o->apply = pb_apply_new(o->model);
    return 0;
}

void pb_session_close(pb_session *o)
{
    pb_apply_free(o->apply);
    pb_model_free(o->model);
    pb_adapter_close(o->adapter);
    pb_threads_stop();
}

static int check_stdin(void)
{
    return ferror(stdin) ? pb_error("stdin: cannot read: %s", strerror(errno)) : 0;
}

/* Removes the line's end, "\n" or "\r\n"; any other "\r" is part of the text.  Returns the size of what is left. */
static size_t cut_end(char *line, size_t size)
{
    if (size && line[size - 1] == '\n') {
        line[--size] = 0;
        if (size && line[size - 1] == '\r')
            line[--size] = 0;
    }
    return size;
}

int pb_each_line(int (*each)(void *ctx, const char *line, size_t size), void *ctx)
{
    char *line = NULL;
    size_t capacity = 0;
    int rc = 0;
    ssize_t n;
    for (int number = 1; !rc && (n = getline(&line, &capacity, stdin)) >= 0; number++) {
        size_t size = cut_end(line, (size_t)n);
        rc = memchr(line, 0, size) ? pb_error("a NUL byte; want text without NUL") : each(ctx, line, size);
        if (rc)
            pb_error_prefix("stdin:%d", number);
    }
    free(line);
    return rc || check_stdin() ? -1 : 0;
}

int pb_split_pair(char *line, const char **second)
{
    char *tab = strchr(line, '\t');
    if (!tab || strchr(tab + 1, '\t') || tab == line || !tab[1])
        return pb_error("want a pair of texts with a tab between them, got %s", !tab ? "no tab"
                                                                                : strchr(tab + 1, '\t')
                                                                                    ? "several tabs"
                                                                                    : "an empty text");
    *tab = 0;
    *second = tab + 1;
    return 0;
}

int pb_split_choices(char *line, char *choice[], int *count)
{
    const char *question = strsep(&line, "\t");
    *count = 0;
    while (line) {
        char *one = strsep(&line, "\t");
        if (!*one)
            return pb_error("want a choice between two tabs, got nothing");
        if (*count == PB_MOST_CHOICES)
            return pb_error("want at most %d choices", PB_MOST_CHOICES);
        choice[(*count)++] = one;
    }
    return *question && *count >= 2 ? 0
                                    : pb_error("want a question and at least 2 choices with tabs between them, got %s",
                                               !*question ? "no question"
                                               : *count   ? "1 choice"
                                                          : "no tab");
}

/* Appends the elements of an array: numbers 0 .. count-1 that are called `what`. */
static int read_numbers(const pb_json *list, const char *what, int count, pb_ids *out)
{
    int rc = pb_json_is_array(list) ? 0 : pb_error("want a JSON array of %ss", what);
    for (size_t i = 0; !rc && i < pb_json_size(list); i++) {
        long long id = pb_json_integer(pb_json_at(list, i), -1);
        rc = id >= 0 && id < count ? 0 : pb_error("element %zu: want a %s 0..%d", i, what, count - 1);
        pb_ids_add(out, (int)id);
    }
    return rc;
}

int pb_ids_read(const char *line, size_t size, int vocab, pb_ids *ids)
{
    pb_json_doc *doc = pb_json_parse("ids", line, size);
    int rc = doc ? read_numbers(pb_json_root(doc), "token id", vocab, ids) : -1;
    pb_json_free(doc);
    return rc;
}

/* ---- inputs with token types ------------------------------------------------------------------------------ */

void pb_input_free(pb_input *in)
{
    pb_ids_free(&in->ids);
    pb_ids_free(&in->type);
    pb_ids_free(&in->end);
}

static int check_member(void *ctx, const char *key, const pb_json *value)
{
    (void)ctx, (void)value;
    return !strcmp(key, "input_ids") || !strcmp(key, "token_type_ids")
               ? 0
               : pb_error("'%s': want input_ids and token_type_ids only", key);
}

/* A model without token types ignores those that are 0.  The ids of an earlier sequence stay. */
static int read_object(const pb_model *m, const pb_json *root, pb_input *in)
{
    size_t before = in->ids.count;
    int types = pb_model_token_types(m);
    const pb_json *type = pb_json_get(root, "token_type_ids");
    if (pb_json_each(root, check_member, NULL))
        return -1;
    if (read_numbers(pb_json_get(root, "input_ids"), "token id", pb_model_config(m)->vocab, &in->ids))
        return pb_error_prefix("input_ids");
    if (type && read_numbers(type, "token type", types ? types : 1, &in->type))
        return pb_error_prefix("token_type_ids: the model has %d token types", types);
    if (type && in->type.count != in->ids.count)
        return pb_error("%zu input_ids and %zu token_type_ids; want as many", in->ids.count - before,
                        in->type.count - before);
    return 0;
}

/* An array of ids, or an object. */
static int read_sequence(const pb_model *m, const pb_json *root, pb_input *in)
{
    return pb_json_is_object(root) ? read_object(m, root, in)
           : pb_json_is_array(root)
               ? read_numbers(root, "token id", pb_model_config(m)->vocab, &in->ids)
               : pb_error("want a JSON array of token ids, or an object with input_ids and token_type_ids");
}

/* Ends a sequence.  Token types of the others are 0 if they are not given. */
static int end_sequence(pb_input *in)
{
    size_t from = in->end.count ? (size_t)in->end.id[in->end.count - 1] : 0;
    if (in->ids.count == from)
        return pb_error("no token; want at least one");
    while (in->type.count && in->type.count < in->ids.count)
        pb_ids_add(&in->type, 0);
    pb_ids_add(&in->end, (int)in->ids.count);
    return 0;
}

/* One sequence for each choice. */
static int read_sequences(const pb_model *m, const pb_json *list, pb_input *in)
{
    int rc = pb_json_is_array(list) && pb_json_size(list)
                 ? 0
                 : pb_error("want a JSON array with an array of ids, or an object, for each choice");
    for (size_t i = 0; !rc && i < pb_json_size(list); i++) {
        const pb_json *one = pb_json_at(list, i);
        while (pb_json_get(one, "token_type_ids") && in->type.count < in->ids.count)
            pb_ids_add(&in->type, 0); /* those of the choices before it */
        rc = read_sequence(m, one, in) || end_sequence(in) ? pb_error_prefix("choice %zu", i) : 0;
    }
    return rc;
}

static int read_input(const pb_session *o, const char *line, size_t size, pb_input *in)
{
    pb_json_doc *doc = pb_json_parse("ids", line, size);
    const pb_json *root = doc ? pb_json_root(doc) : NULL;
    int rc = !doc ? -1 : (pb_model_chooses(o->model) ? read_sequences : read_sequence)(o->model, root, in);
    pb_json_free(doc);
    return rc;
}

static int read_pair(const pb_model *m, const char *line, int limit, pb_input *in)
{
    char *first = pb_strdup(line);
    const char *second = NULL;
    int rc = pb_model_tokenizer(m)
                 ? pb_split_pair(first, &second) || pb_encoded_pair(m, first, second, limit, &in->ids, &in->type)
                 : pb_error("%s: no tokenizer.json; want --ids", pb_model_dir(m));
    free(first);
    return rc ? -1 : 0;
}

/* Appends the elements of `more`, which it frees. */
static void append(pb_ids *to, pb_ids *more)
{
    for (size_t i = 0; i < more->count; i++)
        pb_ids_add(to, more->id[i]);
    pb_ids_free(more);
}

/* A question and its choices: a pair for each choice. */
static int read_question(const pb_model *m, const char *line, int limit, pb_input *in)
{
    char *copy = pb_strdup(line), *choice[PB_MOST_CHOICES];
    int n, rc = pb_model_tokenizer(m) ? 0 : pb_error("%s: no tokenizer.json; want --ids", pb_model_dir(m));
    rc = rc || pb_split_choices(copy, choice, &n) ? -1 : 0;
    for (int k = 0; !rc && k < n; k++) {
        pb_ids ids = {0}, type = {0};
        rc = pb_encoded_pair(m, copy, choice[k], limit, &ids, &type);
        append(&in->ids, &ids);
        append(&in->type, &type);
        rc = rc || end_sequence(in) ? -1 : 0;
    }
    free(copy);
    return rc;
}

int pb_session_input(const pb_session *o, const pb_args *a, const char *line, size_t size, int limit, pb_input *in)
{
    pb_input_free(in);
    if (a->ids && a->pairs)
        return pb_error("--pairs: token ids are no texts; want --pairs or --ids");
    if (a->pairs && pb_model_chooses(o->model))
        return pb_error("--pairs: %s chooses; want lines with a question and its choices, without --pairs",
                        pb_model_dir(o->model));
    int rc = a->ids                       ? read_input(o, line, size, in)
             : pb_model_chooses(o->model) ? read_question(o->model, line, limit, in)
             : a->pairs                   ? read_pair(o->model, line, limit, in)
                                          : pb_session_ids(o, a, line, size, &in->ids);
    return rc ? -1 : in->ids.count ? 0 : pb_error("the line has no token; want at least one");
}

const pb_node *pb_session_run(pb_session *o, const pb_input *in)
{
    int n = in->end.count ? (int)in->end.count : 1, *offset = pb_alloc((size_t)(n + 1) * sizeof *offset);
    for (int s = 0; s < n; s++)
        offset[s + 1] = in->end.count ? in->end.id[s] : (int)in->ids.count;
    const pb_node *logits = pb_apply_run(o->apply, &(pb_batch){.sequences = n,
                                                               .offset = offset,
                                                               .ids = in->ids.id,
                                                               .token_type = in->type.count ? in->type.id : NULL});
    free(offset);
    return logits && !pb_apply_check(logits) ? logits : NULL;
}

void pb_ids_print(const pb_ids *ids, FILE *out)
{
    fputc('[', out);
    for (size_t i = 0; i < ids->count; i++)
        fprintf(out, "%s%d", i ? ", " : "", ids->id[i]);
    fputc(']', out);
}

int pb_session_ids(const pb_session *o, const pb_args *a, const char *line, size_t size, pb_ids *ids)
{
    const pb_tokenizer *t = pb_model_tokenizer(o->model);
    ids->count = 0;
    if (a->ids && pb_ids_read(line, size, pb_model_config(o->model)->vocab, ids))
        return -1;
    if (!a->ids && !t)
        return pb_error("%s: no tokenizer.json; want --ids", pb_model_dir(o->model));
    if (!a->ids && pb_tokenizer_encode(t, line, size, true, 0, ids))
        return -1;
    return ids->count ? 0 : pb_error("the line has no token; want at least one");
}
