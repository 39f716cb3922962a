/* cmd_generate: a causal model goes on with a text. */
#include "study/opened.h"

#define TOKENS 64 /* added unless --tokens says otherwise */

typedef struct talk {
    const pb_args *args;
    pb_opened opened;
    pb_ids prompt, added;
} talk;

static void print_answer(const talk *t)
{
    const pb_tokenizer *tokenizer = pb_model_tokenizer(t->opened.model);
    printf("{\"ids\": ");
    pb_ids_print(&t->added, stdout);
    if (tokenizer) {
        pb_text text = {0}, quoted = {0};
        pb_tokenizer_decode(tokenizer, t->added.id, t->added.count, true, &text);
        pb_json_quote_bytes(&quoted, text.data ? text.data : "", text.length);
        printf(", \"text\": %s", quoted.data);
        pb_text_free(&text);
        pb_text_free(&quoted);
    }
    printf("}\n");
    fflush(stdout);
}

static int go_on(void *ctx, const char *line, size_t size)
{
    talk *t = ctx;
    if (pb_opened_ids(&t->opened, t->args, line, size, &t->prompt))
        return -1;
    t->added.count = 0;
    if (pb_apply_continue(t->opened.apply, t->prompt.id, (int)t->prompt.count,
                          t->args->tokens ? t->args->tokens : TOKENS, true, &t->added))
        return -1;
    print_answer(t);
    return 0;
}

static int generate(const pb_args *a)
{
    talk t = {.args = a};
    if (pb_opened_open(&t.opened, a))
        return PB_EXIT_QUESTION;
    int rc = pb_model_head(t.opened.model) == PB_HEAD_CAUSAL
                 ? pb_each_line(go_on, &t)
                 : pb_error("%s: no causal language model; want one that predicts the next token", a->model);
    pb_ids_free(&t.prompt);
    pb_ids_free(&t.added);
    pb_opened_close(&t.opened);
    return rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_generate = {
    .name = "generate",
    .words = "--model PATH",
    .options = "model precision adapter merged ids tokens force threads",
    .help = "goes on with each line of stdin, the likeliest token at a time; one JSON object a line on stdout\n"
            "{\"ids\": [..], \"text\": \"..\"}: what was added, at most --tokens (64), up to the end of the text.\n",
    .run = generate,
};
