/* cmd_tokenize: converts texts to token ids and back with a model's tokenizer. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "weights/weights.h"
#include "cli/session.h"

typedef struct request {
    const pb_args *args;
    pb_tokenizer *tokenizer;
    pb_ids ids;
    pb_text out;
} request;

static void print_ids(request *t)
{
    printf("{\"ids\": ");
    pb_ids_print(&t->ids, stdout);
    printf(", \"tokens\": [");
    for (size_t i = 0; i < t->ids.count; i++) {
        t->out.length = 0;
        pb_json_quote(&t->out, pb_tokenizer_token(t->tokenizer, t->ids.id[i]));
        printf("%s%s", i ? ", " : "", t->out.data);
    }
    printf("]}\n");
}

static int encode(void *ctx, const char *line, size_t size)
{
    request *t = ctx;
    pb_json_doc *doc = t->args->json ? pb_json_parse("text", line, size) : NULL;
    const char *text = t->args->json && doc ? pb_json_text(pb_json_root(doc), NULL) : line;
    int rc = 0;
    if (t->args->json && (!doc || !text))
        rc = pb_error("want a JSON string");
    else {
        t->ids.count = 0;
        size_t n = doc ? pb_json_text_size(pb_json_root(doc)) : size;
        rc = pb_tokenizer_encode(t->tokenizer, text, n, !t->args->plain, 0, &t->ids);
        if (!rc)
            print_ids(t);
    }
    pb_json_free(doc);
    return rc;
}

static int decode(void *ctx, const char *line, size_t size)
{
    request *t = ctx;
    pb_text text = {0};
    t->ids.count = 0;
    if (pb_ids_read(line, size, pb_tokenizer_vocab(t->tokenizer), &t->ids))
        return -1;
    pb_tokenizer_decode(t->tokenizer, t->ids.id, t->ids.count, t->args->plain, &text);
    t->out.length = 0;
    pb_json_quote_bytes(&t->out, text.data ? text.data : "", text.length);
    puts(t->out.data);
    pb_text_free(&text);
    return 0;
}

/* Opens the tokenizer of a folder or of a file of weights that contains one.  Returns NULL with an error. */
static pb_tokenizer *open_any(const char *path)
{
    struct stat s;
    if (stat(path, &s) || S_ISDIR(s.st_mode))
        return pb_tokenizer_open(path);
    pb_weights *w = pb_weights_open(path);
    const char *text = w ? pb_weights_tokenizer(w) : NULL;
    pb_tokenizer *t = text ? pb_tokenizer_open_text(path, text) : NULL;
    if (w && !text)
        pb_error("%s: no tokenizer in it; want a folder with tokenizer.json", path);
    pb_weights_close(w);
    return t;
}

static int tokenize(const pb_args *a)
{
    request t = {.args = a};
    if (!a->model)
        return pb_error("--model: want a folder with tokenizer.json, or a GGUF"), PB_EXIT_QUESTION;
    char *path = pb_find_installed(a->model);
    t.tokenizer = open_any(path);
    free(path);
    int rc = t.tokenizer ? pb_each_line(a->decode ? decode : encode, &t) : -1;
    pb_ids_free(&t.ids);
    pb_text_free(&t.out);
    pb_tokenizer_close(t.tokenizer);
    return rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_tokenize = {
    .name = "tokenize",
    .words = "--model PATH",
    .options = "model json plain decode",
    .help =
        "convert the lines of stdin to token ids\n\n"
        "Each line is a text and gives one JSON object on stdout, {\"ids\": [..], \"tokens\": [..]}.  With --json a "
        "line is\n"
        "a JSON string.  --decode converts JSON arrays of ids to JSON strings; --plain then omits special tokens.\n",
    .run = tokenize,
};
