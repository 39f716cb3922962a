/* bench_decode: times decoding for bench/decoding.py, which runs it as a process and compares it with transformers.
 *
 *     build/bench/bench_decode MODEL ITEM
 *     yes | head -15 | build/bench/bench_decode models/smollm2/FILE.gguf decode-lora-1
 *
 * ITEM is decode-ROWS, decode-METHOD-ROWS or decode-PRECISION-ROWS: ROWS prompts of 32 tokens in one batch, each continued by
 * 64 greedy tokens; first: 32 tokens continued by one; refill, fixed: chat prompts of which one in four has a long answer,
 * in eight slots, where a finished text is replaced at once, or only when all eight are finished.
 * After a few unmeasured runs the program prints READY.  It then answers each line of stdin by one run and its
 * milliseconds.  The last line is `RESULT {"tokens": .., "rss_mb": ..}`, with the tokens that a run adds. */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/threads.h"
#include "model/chat.h"
#include "model/decode.h"
#include "numeric/blas.h"
#include "bench/turns.h"

enum { WARM = 1, PROMPT = 32, NEW = 64, SIDE_BY_SIDE = 8, MOST = 32 };

typedef struct rig {
    pb_model *model;
    pb_attached part;
    pb_decoding how;
    pb_ids prompt[MOST];
    int prompts, at_once; /* prompts given to one call */
    size_t tokens;        /* of the last run           */
} rig;

static _Noreturn void fail(void)
{
    fprintf(stderr, "bench_decode: %s\n", pb_error_text());
    exit(2);
}

/* LoRA has r 8 on query and value; a prefix has 20 rows. */
static void attach(rig *r, const char *name)
{
    r->part.method = name ? pb_method_find(name) : NULL;
    if (r->part.method) {
        const pb_option *options = r->part.method->settings.options;
        void *conf = pb_alloc(r->part.method->settings.conf_size + 1);
        pb_option_defaults(options, conf);
        if (!strcmp(name, "prefix") && pb_option_set(options, conf, "length", "20"))
            fail();
        r->part.conf = conf;
    }
    if (pb_model_attach(r->model, &r->part, r->part.method ? 1 : 0))
        fail();
}

static void make_prompts(rig *r, int rows)
{
    pb_rng rng = pb_rng_named(1, "bench");
    for (r->prompts = 0; r->prompts < rows; r->prompts++)
        for (int i = 0; i < PROMPT; i++)
            pb_ids_add(&r->prompt[r->prompts], 1000 + (int)pb_rng_below(&rng, 19000));
}

static void make_questions(rig *r)
{
    static const char *const what[] = {"France",        "Peru",  "a lonely robot", "Japan", "Egypt",         "Norway",
                                       "an old bridge", "Chile", "Kenya",          "Spain", "a lost letter", "India",
                                       "Cuba",          "Italy", "the last tree",  "Ghana"};
    pb_chat *chat;
    if (pb_chat_open(r->model, pb_model_tokenizer(r->model), "chatml", NULL, &chat))
        fail();
    for (r->prompts = 0; r->prompts < MOST; r->prompts++) {
        const char *name = what[r->prompts % (int)PB_COUNT(what)];
        char *text = r->prompts % 4 == 2 ? pb_format("Write a story about %s.", name)
                                         : pb_format("What is the capital of %s? Answer with its name only.", name);
        if (pb_chat_ask(chat, NULL, text, strlen(text), &r->prompt[r->prompts]))
            fail();
        free(text);
    }
    pb_chat_free(chat);
    r->how.end = true;
    r->how.max_new = 96;
}

static void run(void *ctx)
{
    rig *r = ctx;
    pb_continuation out[MOST];
    r->tokens = 0;
    for (int from = 0; from < r->prompts; from += r->at_once) {
        int n = r->prompts - from < r->at_once ? r->prompts - from : r->at_once;
        if (pb_decode(r->model, &r->how, n, r->prompt + from, out))
            fail();
        for (int i = 0; i < n; i++) {
            r->tokens += out[i].ids.count;
            pb_ids_free(&out[i].ids);
        }
    }
}

static void take_turns(rig *r)
{
    bench_turns(WARM, run, r);
    printf("RESULT {\"tokens\": %zu, \"rss_mb\": %.1f}\n", r->tokens, (double)pb_peak_rss() / 1e6);
}

static bool is_precision(const char *name)
{
    for (int i = 0; i < PB_PRECISIONS; i++)
        if (!strcmp(name, pb_precision_name[i]))
            return true;
    return false;
}

int main(int argc, char **argv)
{
    char name[32] = "";
    int rows = 1;
    pb_blas_fix_core(argv);
    pb_threads_start(getenv("OMP_NUM_THREADS") ? atoi(getenv("OMP_NUM_THREADS")) : 2); /* as the peers are told */
    bool first = argc > 2 && !strcmp(argv[2], "first"), fixed = argc > 2 && !strcmp(argv[2], "fixed");
    bool mixed = fixed || (argc > 2 && !strcmp(argv[2], "refill"));
    if (argc < 3 ||
        (!first && !mixed && sscanf(argv[2], "decode-%d", &rows) != 1 &&
         sscanf(argv[2], "decode-%31[a-z0-9]-%d", name, &rows) != 2) ||
        rows < 1 || rows > MOST)
        pb_error("usage: bench_decode MODEL ITEM"), fail();
    pb_opening opening = {.path = argv[1]};
    rig r = {0};
    if (is_precision(name) && pb_option_set(pb_base_table, &opening.base, "precision", name))
        fail();
    if (!(r.model = pb_model_open(&opening)))
        fail();
    attach(&r, *name && !is_precision(name) ? name : NULL);
    pb_option_defaults(pb_decode_table, &r.how);
    r.how.end = false;
    r.how.max_new = first ? 1 : NEW;
    r.how.slots = mixed ? SIDE_BY_SIDE : rows;
    if (mixed)
        make_questions(&r);
    else
        make_prompts(&r, rows);
    r.at_once = fixed ? SIDE_BY_SIDE : r.prompts;
    take_turns(&r);
    for (int i = 0; i < r.prompts; i++)
        pb_ids_free(&r.prompt[i]);
    pb_model_free(r.model);
    pb_threads_stop();
    return 0;
}
