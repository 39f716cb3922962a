/* bench_engine: times one thing that bench/peers.py times too, in a process of its own.
 *
 *     build/bench/bench_engine MODEL_DIR ITEM [SST2_TRAIN_FILE]
 *
 * ITEM: gemm, train-METHOD-ROWSxTOKENS, infer-ROWSxTOKENS, infer-METHOD-ROWSxTOKENS, start,
 * epoch-METHOD-random, epoch-METHOD-grouped.  Prints `RESULT {"ms": [..], "rss_mb": ..}`.
 * A training step: graph, plan, forward, backward, clip, AdamW; dropout 0.  LoRA has r 8 on
 * query and value; prefix and prompt have 20 tokens. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/rng.h"
#include "base/threads.h"
#include "files/table.h"
#include "numeric/blas.h"
#include "train/optim.h"
#include "train/runner.h"

enum { WARM = 3, REPEAT = 15, BATCH = 32, MAX_TOKENS = 128 };

typedef struct rig {
    pb_model *model;
    pb_attached part;
    void *conf;
    pb_data *data;
    pb_runner runner;
    pb_arena *arena;
    pb_optim *optim;
    pb_train_options options;
    int rows;
} rig;

static _Noreturn void fail(void)
{
    fprintf(stderr, "bench_engine: %s\n", pb_error_text());
    exit(2);
}

/* ---- what is timed ---------------------------------------------------------------------------------------- */

static pb_data *even_data(int rows, int tokens, int vocab)
{
    pb_data *d = pb_data_new("even");
    pb_rng r = pb_rng_named(1, "bench");
    pb_data_class(d, "a");
    pb_data_class(d, "b");
    for (int i = 0; i < rows; i++) {
        pb_data_add(d, PB_TRAIN, "", i % 2, i);
        pb_example *e = &d->split[PB_TRAIN].example[i];
        e->tokens = tokens;
        e->ids = pb_alloc((size_t)tokens * sizeof *e->ids);
        for (int k = 0; k < tokens; k++)
            e->ids[k] = 1000 + (int)pb_rng_below(&r, (uint64_t)vocab - 1000);
    }
    return d;
}

static pb_data *sst2_data(const char *path, const pb_tokenizer *t)
{
    pb_table *table = pb_table_open(path, "label text", NULL);
    if (!table)
        fail();
    pb_data *d = pb_data_new("sst2");
    for (size_t i = 0; i < pb_table_rows(table); i++)
        pb_data_add(d, PB_TRAIN, pb_table_get(table, i, 1), pb_data_class(d, pb_table_get(table, i, 0)), (int)i);
    pb_table_close(table);
    pb_data_encode(d, t, MAX_TOKENS);
    return d;
}

static void attach(rig *r, const char *name)
{
    r->part.method = *name ? pb_method_find(name) : NULL;
    if (*name && !r->part.method && pb_error("no method '%s'", name))
        fail();
    if (*name) {
        const pb_option *options = r->part.method->options;
        r->conf = pb_alloc(r->part.method->conf_size + 1);
        pb_option_defaults(options, r->conf);
        if ((!strcmp(name, "prefix") || !strcmp(name, "prompt")) && pb_option_set(options, r->conf, "length", "20"))
            fail();
        r->part.conf = r->conf;
    }
    if (pb_model_attach(r->model, &r->part, *name ? 1 : 0))
        fail();
}

static void prepare_training(rig *r)
{
    r->arena = pb_arena_new("bench");
    pb_option_defaults(pb_train_table, &r->options);
    r->runner = pb_runner_start(r->model, r->data, true);
    if (r->runner.feature_size && pb_runner_features(&r->runner, PB_TRAIN, BATCH, r->arena, NULL))
        fail();
    for (int i = 0; i < pb_model_params(r->model); i++) {
        pb_param *p = pb_model_param(r->model, i);
        size_t rows = (size_t)(p->slot && p->rows > 8192 ? 8192 : p->rows); /* of a table: more than a batch has */
        if (p->trainable)
            p->g = pb_arena_alloc(r->arena, PB_GRADIENTS, rows * (size_t)p->cols * sizeof *p->g);
    }
    r->optim = pb_optim_new(r->model, &r->options, r->arena);
}

static void train_step(rig *r, const int *example, int n)
{
    if (pb_runner_run(&r->runner, PB_TRAIN, example, n, true, 0, 0))
        fail();
    pb_optim_step(r->optim, 1e-4);
}

/* ---- items ------------------------------------------------------------------------------------------------ */

static void print_runs(const char *unit, const double *x, int n, const char *more)
{
    printf("RESULT {\"%s\": [", unit);
    for (int i = 0; i < n; i++)
        printf("%s%.6g", i ? ", " : "", x[i]);
    printf("], \"rss_mb\": %.1f%s}\n", (double)pb_peak_rss() / 1e6, more);
}

static void time_steps(rig *r, bool training)
{
    int example[1024];
    double ms[REPEAT];
    for (int i = 0; i < r->rows; i++)
        example[i] = i;
    for (int i = -WARM; i < REPEAT; i++) {
        double start = pb_clock();
        if (training)
            train_step(r, example, r->rows);
        else if (pb_runner_run(&r->runner, PB_TRAIN, example, r->rows, false, 0, 0))
            fail();
        if (i >= 0)
            ms[i] = 1000 * (pb_clock() - start);
    }
    char more[160];
    double flops = (double)(r->runner.plan.forward_flops + (training ? r->runner.plan.backward_flops : 0));
    snprintf(more, sizeof more, ", \"gflop\": %.4g, \"trainable\": %llu", flops * 1e-9,
             (unsigned long long)pb_model_counts(r->model).trainable);
    print_runs("ms", ms, REPEAT, more);
}

static const rig *sorting; /* qsort has no context */

static int by_tokens(const void *a, const void *b)
{
    const pb_example *e = sorting->data->split[PB_TRAIN].example;
    return e[*(const int *)a].tokens - e[*(const int *)b].tokens;
}

static void time_epoch(rig *r, bool grouped)
{
    int n = r->data->split[PB_TRAIN].count, *order = pb_alloc((size_t)n * sizeof *order);
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

/* ---- from the item's name to a rig ------------------------------------------------------------------------ */

/* "lora-32x128" or "32x128" */
static bool read_shape(const char *text, char method[32], int *rows, int *tokens)
{
    method[0] = 0;
    return sscanf(text, "%dx%d", rows, tokens) == 2 || sscanf(text, "%31[a-z]-%dx%d", method, rows, tokens) == 3;
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
    r->data = epoch ? sst2_data(sst2, pb_model_tokenizer(r->model))
                    : even_data(r->rows, tokens, pb_model_config(r->model)->vocab);
    if (training || epoch)
        prepare_training(r);
    else
        r->runner = pb_runner_start(r->model, r->data, false);
    if (epoch)
        time_epoch(r, !strcmp(order, "grouped"));
    else if (start) {
        int example = 0;
        if (pb_runner_run(&r->runner, PB_TRAIN, &example, 1, false, 0, 0))
            fail();
        print_runs("ms", (double[]){0}, 1, "");
    } else
        time_steps(r, training);
}

int main(int argc, char **argv)
{
    pb_blas_fix_core(argv);
    pb_threads_start(2);
    if (argc < 3)
        pb_error("usage: bench_engine MODEL_DIR ITEM [SST2_TRAIN_FILE]"), fail();
    if (!strcmp(argv[2], "gemm")) {
        time_gemm();
        return 0;
    }
    rig r = {.model = pb_model_open(&(pb_opening){.path = argv[1], .classes = 2})};
    if (!r.model)
        fail();
    run_item(&r, argv[2], argc > 3 ? argv[3] : NULL);
    pb_runner_stop(&r.runner);
    pb_arena_free(r.arena);
    pb_data_free(r.data);
    pb_model_free(r.model);
    free(r.conf);
    pb_threads_stop();
    return 0;
}
