/* bench_engine: times one item for bench/peers.py, which runs it as a process and compares it with PyTorch.
 *
 *     build/bench/bench_engine MODEL ITEM [FILE]
 *     yes | head -15 | build/bench/bench_engine models/minilm train-lora-32x32
 *
 * ITEM is gemm, train-METHOD-ROWSxTOKENS, infer-ROWSxTOKENS, infer-METHOD-ROWSxTOKENS, start,
 * epoch-METHOD-random, epoch-METHOD-grouped (FILE: SST-2's train.txt); of a language model lm-infer-ROWSxTOKENS,
 * lm-METHOD-ROWSxTOKENS, the same with -nf4 behind METHOD or infer, lm-start; tokenize-NAME (FILE: texts,
 * one a line; MODEL: a folder with tokenizer.json).
 * After a few unmeasured runs the program prints READY.  It then answers each line of stdin by one run and its
 * milliseconds, so that two programs can alternate.  The last line is `RESULT {"rss_mb": .., ..}`.
 * A training step: graph, plan, forward, backward, clip, AdamW; dropout 0.  LoRA has r 8 on
 * query and value; prefix and prompt have 20 tokens. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/rng.h"
#include "base/threads.h"
#include "bench/turns.h"
#include "table/table.h"
#include "numeric/blas.h"
#include "train/optim.h"
#include "train/runner.h"

enum { WARM = 3, BATCH = 32, MAX_TOKENS = 128 };

typedef struct rig rig;
struct rig {
    pb_model *model;
    pb_attached part;
    void *conf;
    pb_encoded *encoded;
    pb_runner runner;
    pb_arena *arena;
    pb_optim *optim;
    pb_train_options options;
    int rows;
    int example[1024]; /* 0, 1, .. */
    pb_batch batch;    /* of a language model */
    pb_tokenizer *tokenizer;
    char *text;
    size_t size;
    pb_ids ids;
};

static _Noreturn void fail(void)
{
    fprintf(stderr, "bench_engine: %s\n", pb_error_text());
    exit(2);
}

/* ---- what is timed ---------------------------------------------------------------------------------------- */

static pb_encoded *uniform_set(int rows, int tokens, int vocab)
{
    pb_data *d = pb_data_new("even");
    pb_rng rng = pb_rng_named(1, "bench");
    pb_data_class(d, "a");
    pb_data_class(d, "b");
    for (int i = 0; i < rows; i++)
        pb_data_add(d, PB_TRAIN, "", i % 2, i);
    pb_encoded *f = pb_encoded_uniform(d, PB_BY_HEAD, tokens);
    for (int i = 0; i < rows; i++)
        for (int k = 0; k < tokens; k++)
            f->text[PB_TRAIN][i].id[k] = 1000 + (int)pb_rng_below(&rng, (uint64_t)vocab - 1000);
    return f;
}

static pb_encoded *encode_sst2(const char *path, const pb_model *m)
{
    pb_table *table = pb_table_open(path, &(pb_table_format){.name = "label text"});
    if (!table)
        fail();
    pb_data *d = pb_data_new("sst2");
    for (size_t i = 0; i < pb_table_rows(table); i++)
        pb_data_add(d, PB_TRAIN, pb_table_get(table, i, 1), pb_data_class(d, pb_table_get(table, i, 0)), (int)i);
    pb_table_close(table);
    return pb_encoded_new(d, m, &(pb_encoding){.max_tokens = MAX_TOKENS});
}

static void attach(rig *r, const char *name)
{
    r->part.method = *name ? pb_method_find(name) : NULL;
    if (*name && !r->part.method && pb_error("no method '%s'", name))
        fail();
    if (*name) {
        const pb_option *options = r->part.method->settings.options;
        r->conf = pb_alloc(r->part.method->settings.conf_size + 1);
        pb_option_defaults(options, r->conf);
        if ((!strcmp(name, "prefix") || !strcmp(name, "prompt")) && pb_option_set(options, r->conf, "length", "20"))
            fail();
        r->part.conf = r->conf;
    }
    if (pb_model_attach(r->model, &r->part, *name ? 1 : 0))
        fail();
}

static void take_gradients(rig *r)
{
    pb_option_defaults(pb_train_table, &r->options);
    for (int i = 0; i < pb_model_params(r->model); i++) {
        pb_param *p = pb_model_param(r->model, i);
        size_t rows = (size_t)(p->slot && p->rows > 8192 ? 8192 : p->rows); /* of a table: more than a batch has */
        if (p->trainable)
            p->g = pb_arena_alloc(r->arena, PB_GRADIENTS, rows * (size_t)p->cols * sizeof *p->g);
    }
    r->optim = pb_optim_new(r->model, &r->options, r->arena);
}

static void prepare_training(rig *r)
{
    r->arena = pb_arena_new("bench");
    r->runner = pb_runner_start(r->model, r->encoded, true);
    if (r->runner.feature_size && pb_runner_features(&r->runner, PB_TRAIN, BATCH, r->arena, NULL))
        fail();
    take_gradients(r);
}

static void train_step(rig *r, const int *example, int n)
{
    if (pb_runner_run(&r->runner, &(pb_runner_batch){.split = PB_TRAIN, .item = example, .count = n, .training = true}))
        fail();
    pb_optim_step(r->optim, r->runner.graph, &(pb_step){.rate = 1e-4});
}

/* ---- items ------------------------------------------------------------------------------------------------ */

static void print_runs(const char *unit, const double *x, int n, const char *more)
{
    printf("RESULT {\"%s\": [", unit);
    for (int i = 0; i < n; i++)
        printf("%s%.6g", i ? ", " : "", x[i]);
    printf("], \"rss_mb\": %.1f%s}\n", (double)pb_peak_rss() / 1e6, more);
}

static void take_turns(rig *r, void (*once)(void *ctx), const char *more)
{
    bench_turns(WARM, once, r);
    printf("RESULT {\"rss_mb\": %.1f%s}\n", (double)pb_peak_rss() / 1e6, more);
}

static void train_once(void *ctx)
{
    rig *r = ctx;
    train_step(r, r->example, r->rows);
}

static void infer_once(void *ctx)
{
    rig *r = ctx;
    if (pb_runner_run(&r->runner, &(pb_runner_batch){.split = PB_TRAIN, .item = r->example, .count = r->rows}))
        fail();
}

static void time_steps(rig *r, bool training)
{
    char more[80];
    snprintf(more, sizeof more, ", \"trainable\": %llu", (unsigned long long)pb_model_counts(r->model).trainable);
    take_turns(r, training ? train_once : infer_once, more);
}

static const rig *sorting; /* qsort has no context */

static int by_tokens(const void *a, const void *b)
{
    return pb_encoded_tokens(sorting->encoded, PB_TRAIN, *(const int *)a) -
           pb_encoded_tokens(sorting->encoded, PB_TRAIN, *(const int *)b);
}

static void time_epoch(rig *r, bool grouped)
{
    int n = r->encoded->items[PB_TRAIN], *order = pb_alloc((size_t)n * sizeof *order);
    pb_rng rng = pb_rng_named(1, "order");
    for (int i = 0; i < n; i++)
        order[i] = i;
    pb_rng_shuffle(&rng, order, n);
    sorting = r;
    if (grouped)
        qsort(order, (size_t)n, sizeof *order, by_tokens);
    for (int i = 0; i < WARM; i++)
        train_step(r, order, BATCH);
    double start = pb_clock(), seconds;
    for (int from = 0; from < n; from += BATCH)
        train_step(r, order + from, n - from < BATCH ? n - from : BATCH);
    seconds = pb_clock() - start;
    free(order);
    print_runs("s", &seconds, 1, "");
}

static void time_gemm(void)
{
    double rate[5];
    for (size_t i = 0; i < PB_COUNT(rate); i++)
        rate[i] = pb_blas_rate(0.5);
    print_runs("gflops", rate, (int)PB_COUNT(rate), "");
}

/* ---- language models -------------------------------------------------------------------------------------- */

/* Each token's target is the next one; a text's last has none. */
static pb_batch even_batch(rig *r, int rows, int tokens)
{
    int n = rows * tokens, *ids = pb_arena_alloc(r->arena, PB_META, (size_t)n * sizeof *ids);
    int *target = pb_arena_alloc(r->arena, PB_META, (size_t)n * sizeof *target);
    int *offset = pb_arena_alloc(r->arena, PB_META, (size_t)(rows + 1) * sizeof *offset);
    for (int i = 0; i < rows; i++) {
        memcpy(ids + i * tokens, r->encoded->text[PB_TRAIN][i].id, (size_t)tokens * sizeof *ids);
        offset[i + 1] = offset[i] + tokens;
    }
    for (int i = 0; i < n; i++)
        target[i] = (i + 1) % tokens ? ids[i + 1] : -1;
    return (pb_batch){.sequences = rows, .offset = offset, .ids = ids, .target = target};
}

static void run_language(rig *r, bool training)
{
    pb_outputs out;
    pb_plan *plan = &r->runner.plan;
    pb_arena_reset(r->runner.arena);
    pb_graph *g = pb_graph_new(r->runner.arena, training);
    if (pb_model_build(r->model, g, &r->batch, 0, 0, &out) ||
        pb_graph_plan(g, out.logits, training ? out.loss : NULL, plan))
        fail();
    pb_executor_bind(r->runner.executor, g, plan);
    pb_executor_forward(r->runner.executor, g);
    if (!training)
        return;
    pb_executor_backward(r->runner.executor, g);
    pb_optim_step(r->optim, r->runner.graph, &(pb_step){.rate = 1e-4});
}

static void train_language(void *ctx)
{
    rig *r = ctx;
    run_language(r, true);
}

static void infer_language(void *ctx)
{
    rig *r = ctx;
    run_language(r, false);
}

/* "lora-nf4-4x128": how the base is held and the rest, "lora-4x128". */
static void split_precision(const char *item, char rest[48], pb_base_options *base)
{
    const char *nf4 = strstr(item, "-nf4-");
    snprintf(rest, 48, "%.*s%s", nf4 ? (int)(nf4 - item) : 47, item, nf4 ? nf4 + 4 : "");
    base->precision = nf4 ? PB_IN_NF4 : PB_IN_FP32;
}

/* ---- tokenizers ------------------------------------------------------------------------------------------- */

static void encode_lines(void *ctx)
{
    rig *r = ctx;
    r->ids.count = 0;
    for (const char *at = r->text, *end = r->text + r->size; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        pb_tokenizer_encode(r->tokenizer, at, (size_t)((stop ? stop : end) - at), true, 0, &r->ids);
        at = stop ? stop + 1 : end;
    }
}

static void time_tokenizer(const char *folder, const char *text)
{
    rig r = {.tokenizer = pb_tokenizer_open(folder), .text = text ? pb_read_file(text, &r.size) : NULL};
    if (!r.tokenizer || !r.text)
        pb_error("want a file of texts"), fail();
    encode_lines(&r);
    char more[80];
    snprintf(more, sizeof more, ", \"tokens\": %zu", r.ids.count);
    take_turns(&r, encode_lines, more);
    pb_ids_free(&r.ids);
    free(r.text);
    pb_tokenizer_close(r.tokenizer);
}

/* ---- from the item's name to a rig ------------------------------------------------------------------------ */

/* "lora-32x128" or "32x128" */
static bool read_shape(const char *text, char method[32], int *rows, int *tokens)
{
    method[0] = 0;
    return sscanf(text, "%dx%d", rows, tokens) == 2 || sscanf(text, "%31[a-z]-%dx%d", method, rows, tokens) == 3;
}

static void start_language(rig *r, const char *item)
{
    char method[32] = "";
    int tokens = 0;
    bool start = !strcmp(item, "start"), inference = !strncmp(item, "infer-", 6);
    if (start)
        r->rows = 1, tokens = 32;
    else if (!read_shape(inference ? item + 6 : item, method, &r->rows, &tokens))
        pb_error("no item 'lm-%s'", item), fail();
    attach(r, method);
    r->arena = pb_arena_new("bench");
    r->encoded = uniform_set(r->rows, tokens, pb_model_config(r->model)->vocab);
    r->runner = pb_runner_start(r->model, r->encoded, false);
    r->batch = even_batch(r, r->rows, tokens);
    if (inference || start)
        r->batch.target = NULL;
    if (start) {
        infer_language(r);
        print_runs("ms", (double[]){0}, 1, "");
        return;
    }
    if (!inference)
        take_gradients(r);
    char more[80];
    snprintf(more, sizeof more, ", \"weights_mb\": %.1f", (double)pb_model_weight_bytes(r->model) / 1e6);
    take_turns(r, inference ? infer_language : train_language, more);
}

static void run_item(rig *r, const char *item, const char *sst2)
{
    char method[32] = "", order[16] = "";
    int tokens = 0;
    bool training = !strncmp(item, "train-", 6), epoch = sscanf(item, "epoch-%31[a-z]-%15[a-z]", method, order) == 2;
    bool inference = !strncmp(item, "infer-", 6), start = !strcmp(item, "start");
    if (start)
        r->rows = 1, tokens = 32;
    else if (!epoch && (!(training || inference) || !read_shape(item + 6, method, &r->rows, &tokens)))
        pb_error("no item '%s'", item), fail();
    attach(r, method);
    if (epoch && !sst2)
        pb_error("%s: want SST-2's train.txt behind the item", item), fail();
    r->encoded = epoch ? encode_sst2(sst2, r->model) : uniform_set(r->rows, tokens, pb_model_config(r->model)->vocab);
    if (training || epoch)
        prepare_training(r);
    else
        r->runner = pb_runner_start(r->model, r->encoded, false);
    if (epoch)
        time_epoch(r, !strcmp(order, "grouped"));
    else if (start) {
        int example = 0;
        if (pb_runner_run(&r->runner, &(pb_runner_batch){.split = PB_TRAIN, .item = &example, .count = 1}))
            fail();
        print_runs("ms", (double[]){0}, 1, "");
    } else
        time_steps(r, training);
}

int main(int argc, char **argv)
{
    pb_blas_fix_core(argv);
    pb_threads_start(getenv("OMP_NUM_THREADS") ? atoi(getenv("OMP_NUM_THREADS")) : 2); /* as the peers are told */
    if (argc < 3)
        pb_error("usage: bench_engine MODEL ITEM [FILE]"), fail();
    if (!strcmp(argv[2], "gemm")) {
        time_gemm();
        return 0;
    }
    if (!strncmp(argv[2], "tokenize", 8)) {
        time_tokenizer(argv[1], argc > 3 ? argv[3] : NULL);
        return 0;
    }
    bool language = !strncmp(argv[2], "lm-", 3);
    char item[48];
    pb_opening opening = {.path = argv[1], .classes = language ? 0 : 2};
    split_precision(argv[2], item, &opening.base);
    rig r = {.model = pb_model_open(&opening)};
    if (!r.model)
        fail();
    for (int i = 0; i < (int)PB_COUNT(r.example); i++)
        r.example[i] = i;
    if (language)
        start_language(&r, item + 3);
    else
        run_item(&r, item, argc > 3 ? argv[3] : NULL);
    pb_runner_stop(&r.runner);
    pb_arena_free(r.arena);
    pb_data *data = r.encoded ? (pb_data *)(uintptr_t)r.encoded->data : NULL; /* the rig owns both */
    pb_encoded_free(r.encoded);
    pb_data_free(data);
    pb_model_free(r.model);
    free(r.conf);
    pb_threads_stop();
    return 0;
}
