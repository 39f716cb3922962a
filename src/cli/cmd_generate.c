/* cmd_generate: continues texts with a causal model. */
#include <stdlib.h>
#include <string.h>

#include "model/chat.h"
#include "model/decode.h"
#include "model/generation.h"
#include "cli/session.h"

typedef struct generation {
    const pb_args *args;
    pb_session session;
    pb_decoding how;
    pb_chat *chat;
    pb_ids *prompt;
    size_t prompts, capacity;
} generation;

static void print_continuation(const generation *t, const pb_continuation *c)
{
    const pb_model *m = t->session.model;
    printf("{\"ids\": ");
    pb_ids_print(&c->ids, stdout);
    if (pb_model_tokenizer(m)) {
        pb_text text = {0}, quoted = {0};
        pb_continuation_text(m, &t->how, c, &text);
        pb_json_quote_bytes(&quoted, text.data ? text.data : "", text.length);
        printf(", \"text\": %s", quoted.data);
        pb_text_free(&text);
        pb_text_free(&quoted);
    }
    printf(", \"log_probability\": %.9g, \"ending\": \"%s\"}\n", c->log_probability, pb_ending_name[c->ending]);
}

static int add_prompt(void *ctx, const char *line, size_t size)
{
    generation *t = ctx;
    pb_grow(&t->prompt, t->prompts, &t->capacity, sizeof *t->prompt);
    pb_ids *ids = &t->prompt[t->prompts++];
    *ids = (pb_ids){0};
    if (!t->chat)
        return pb_session_ids(&t->session, t->args, line, size, ids);
    return pb_chat_ask(t->chat, t->args->system, line, size, ids);
}

/* Sets the options from generation_config.json and then from the command line: --top-k 5 sets top_k, and --beams
 * selects beam search. */
static int set_options(const pb_model *m, pb_decoding *how, const pb_args *a)
{
    pb_option_defaults(pb_decode_table, how);
    if (pb_generation_settings(m, how))
        return -1;
    for (int i = 0; i < a->options; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s", a->option[i][0]);
        for (char *at = name; (at = strchr(at, '-'));)
            *at = '_';
        if (pb_option_set(pb_decode_table, how, name, a->option[i][1]))
            return -1;
        if (!strcmp(name, "beams"))
            how->strategy = PB_BEAM;
    }
    how->seed = a->seed >= 0 ? (int)a->seed : how->seed;
    return 0;
}

/* Adds the end of an assistant's message in the chat format to the stop texts. */
static int set_chat(generation *t)
{
    const pb_args *a = t->args;
    if (pb_chat_open(t->session.model, pb_model_tokenizer(t->session.model), a->chat, NULL, &t->chat))
        return -1;
    if (t->chat && a->ids)
        return pb_error("--chat: want texts, not --ids");
    if (a->system && !t->chat)
        return pb_error("--system: want --chat");
    if (!t->chat)
        return 0;
    pb_text stop = {0};
    if (pb_chat_stop(t->chat, &stop))
        return -1;
    pb_text_add(&stop, "%s%s", *t->how.stop && stop.length ? "|" : "", t->how.stop);
    int rc = pb_option_set(pb_decode_table, &t->how, "stop", stop.data);
    pb_text_free(&stop);
    return rc;
}

static int print_all(generation *t)
{
    pb_continuation *out = pb_alloc((t->prompts + 1) * sizeof *out);
    int rc = pb_decode(t->session.model, &t->how, (int)t->prompts, t->prompt, out);
    for (size_t i = 0; !rc && i < t->prompts; i++) {
        print_continuation(t, &out[i]);
        pb_ids_free(&out[i].ids);
    }
    free(out);
    return rc;
}

static int generate(const pb_args *a)
{
    generation t = {.args = a};
    if (pb_session_open(&t.session, a))
        return PB_EXIT_QUESTION;
    int rc = set_options(t.session.model, &t.how, a) || set_chat(&t) || pb_each_line(add_prompt, &t) || print_all(&t);
    for (size_t i = 0; i < t.prompts; i++)
        pb_ids_free(&t.prompt[i]);
    free(t.prompt);
    pb_option_release(pb_decode_table, &t.how);
    pb_chat_free(t.chat);
    pb_session_close(&t.session);
    return rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_generate = {
    .name = "generate",
    .words = "--model PATH",
    .options = "model precision adapter merged ids force threads max-new sample temperature top-k top-p seed beams "
               "length-penalty no-repeat repetition-penalty stop slots chat system",
    .help =
        "continue the lines of stdin with a causal model\n\n"
        "Many lines are decoded in parallel.  Each line gives one JSON object on stdout, in the order of the lines:\n"
        "{\"ids\": [..], \"text\": \"..\", \"log_probability\": .., \"ending\": \"end|stop|length|window\"}, with the "
        "generated\n"
        "tokens.  Decoding is greedy unless --sample or --beams is given or the model's generation_config.json says\n"
        "otherwise; its settings apply where no option is given, and --beams 1 is greedy.  --chat is "
        "auto for\n"
        "the chat template of the model, chatml, llama3, llama2, mistral, zephyr, or a file with a template of "
        "Jinja.\n",
    .run = generate,
};
