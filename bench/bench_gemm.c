/* bench_gemm: GFLOP/s of the matrix products of a training step, for each unit of the CPU.
 *
 *     build/bench/bench_gemm [SECONDS]      time for each number, 0.2 by default
 *
 * y = x W^T, dx = dy W and dW = dy^T x of `tokens` rows, W [out,in], in fp32 and with operands
 * rounded to bf16, on one and on two threads that share the rows (of dW: the outputs), as the graph does. */
#include <stdlib.h>

#include "base/rng.h"
#include "base/threads.h"
#include "numeric/blas.h"
#include "numeric/internal.h"

typedef struct layer {
    int tokens, in, out;
} layer;

enum { FORWARD, ROWS, PARAMS, KINDS }; /* y, dx, dW */

typedef struct rig {
    layer l;
    int kind;
    pb_real *x, *w, *y; /* [tokens,in], [out,in], [tokens,out] */
} rig;

static pb_real *numbers(size_t n)
{
    pb_rng r = pb_rng_named(1, "bench");
    pb_real *x = pb_alloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = (pb_real)pb_rng_normal(&r);
    return x;
}

static void multiply(void *ctx, int thread)
{
    const rig *r = ctx;
    const layer *l = &r->l;
    int from, to;
    pb_threads_share(r->kind == PARAMS ? l->out : l->tokens, 8, thread, &from, &to);
    pb_real *x = r->x + (size_t)from * (size_t)l->in, *y = r->y + (size_t)from * (size_t)l->out;
    if (r->kind == FORWARD)
        pb_gemm(to - from, l->out, l->in, 1, pb_as_stored(x, l->in), pb_transposed(r->w, l->in), false, y, l->out);
    else if (r->kind == ROWS)
        pb_gemm(to - from, l->in, l->out, 1, pb_as_stored(y, l->out), pb_as_stored(r->w, l->in), false, x, l->in);
    else
        pb_gemm(to - from, l->in, l->tokens, 1, pb_transposed(r->y + from, l->out), pb_as_stored(r->x, l->in), false,
                r->w + (size_t)from * (size_t)l->in, l->in);
}

/* The best of the rounds, in GFLOP/s: others may be using the machine. */
static double rate(rig *r, double seconds)
{
    double best = 1e30, end = pb_clock() + seconds;
    do {
        double start = pb_clock();
        pb_threads_run(multiply, r);
        double took = pb_clock() - start;
        best = took < best ? took : best;
    } while (pb_clock() < end);
    return 2.0 * r->l.tokens * r->l.in * r->l.out / best * 1e-9;
}

static void time_layer(layer l, double seconds)
{
    static const char *const name[KINDS] = {"y", "dx", "dW"};
    rig r = {.l = l};
    r.x = numbers((size_t)l.tokens * (size_t)l.in);
    r.w = numbers((size_t)l.out * (size_t)l.in);
    r.y = numbers((size_t)l.tokens * (size_t)l.out);
    for (r.kind = 0; r.kind < KINDS; r.kind++) {
        printf("%6d %5d %5d  %-3s", l.tokens, l.in, l.out, name[r.kind]);
        for (int unit = PB_BF16_NONE; unit <= PB_BF16_AMX; unit++)
            for (int threads = 1; threads <= 2; threads++) {
                pb_threads_start(threads);
                if (pb_bf16_choose((pb_bf16_unit)unit))
                    printf(" %8.0f", rate(&r, seconds));
                else
                    printf(" %8s", "-");
            }
        printf("\n");
    }
    free(r.x);
    free(r.w);
    free(r.y);
}

int main(int argc, char **argv)
{
    static const layer layers[] = {{4096, 256, 256},  {4096, 256, 768},  {4096, 256, 1024},
                                   {4096, 1024, 256}, {1024, 256, 8192}, {4096, 384, 1536}};
    pb_blas_fix_core(argv);
    printf("%6s %5s %5s  %-3s %17s %17s %17s\n", "tokens", "in", "out", "", "fp32 1, 2 threads", "AVX512-BF16",
           "AMX-BF16");
    for (size_t i = 0; i < PB_COUNT(layers); i++)
        time_layer(layers[i], argc > 1 ? atof(argv[1]) : 0.2);
    pb_threads_stop();
    return 0;
}
