/* bpe: our trainer and our word indices, for check_tokenizers.py to hold against the tokenizers library.
 *
 *   bpe train words|text VOCABULARY OUT     learns from stdin, a JSON string a document a line
 *   bpe words MODEL_DIR                     a JSON string a line in, a JSON array of word indices out */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/bpe_train.h"
#include "base/json.h"
#include "tokenizer/tokenizer.h"

typedef void use_text(void *ctx, const char *text, size_t size);

/* Every line of stdin, a JSON string; it is put into a list, so that the parser need not take scalars. */
static int each_text(use_text *use, void *ctx)
{
    pb_text list = {0};
    char *line = NULL;
    size_t capacity = 0;
    int rc = 0;
    for (ssize_t n; !rc && (n = getline(&line, &capacity, stdin)) > 0;) {
        list.length = 0;
        pb_text_add(&list, "[%s]", line);
        pb_json_doc *doc = pb_json_parse("input", list.data, list.length);
        const pb_json *text = doc ? pb_json_at(pb_json_root(doc), 0) : NULL;
        if (doc)
            use(ctx, pb_json_text(text, ""), pb_json_text_size(text));
        rc = doc ? 0 : -1;
        pb_json_free(doc);
    }
    free(line);
    pb_text_free(&list);
    return rc;
}

static void feed(void *ctx, const char *text, size_t size)
{
    pb_bpe_trainer_feed(ctx, text, size);
}

static int train(pb_bpe_kind kind, int vocabulary, const char *path)
{
    pb_bpe_trainer *t = pb_bpe_trainer_new(kind);
    int rc = each_text(feed, t) || pb_bpe_trainer_write(t, vocabulary, path) < 0 ? -1 : 0;
    pb_bpe_trainer_free(t);
    return rc;
}

static void print_words(void *ctx, const char *text, size_t size)
{
    pb_ids id = {0}, word = {0};
    pb_tokenizer_encode_words(ctx, text, size, true, 0, &id, &word);
    for (size_t i = 0; i < word.count; i++)
        printf("%s%d", i ? "," : "[", word.id[i]);
    puts(word.count ? "]" : "[]");
    pb_ids_free(&id);
    pb_ids_free(&word);
}

static int words(const char *dir)
{
    pb_tokenizer *t = pb_tokenizer_open(dir);
    int rc = t ? each_text(print_words, t) : -1;
    pb_tokenizer_close(t);
    return rc;
}

int main(int argc, char **argv)
{
    int rc = -1;
    if (argc == 5 && !strcmp(argv[1], "train"))
        rc = train(strcmp(argv[2], "text") ? PB_BPE_WORDS : PB_BPE_TEXT, atoi(argv[3]), argv[4]);
    else if (argc == 3 && !strcmp(argv[1], "words"))
        rc = words(argv[2]);
    else
        pb_error("usage: bpe train words|text VOCABULARY OUT | bpe words MODEL_DIR");
    if (rc)
        fprintf(stderr, "bpe: %s\n", pb_error_text());
    return rc ? 2 : 0;
}
