/* turns: the protocol by which a benchmark alternates with a peer: one run for each line of stdin, whose milliseconds are
 * printed. */
#ifndef BENCH_TURNS_H
#define BENCH_TURNS_H

#include "base/base.h"

/* Runs `once` `warm` times unmeasured and prints READY; then runs it for each line of stdin and prints the milliseconds,
 * until stdin ends.  The caller prints its RESULT afterwards. */
static inline void bench_turns(int warm, void (*once)(void *ctx), void *ctx)
{
    for (int i = 0; i < warm; i++)
        once(ctx);
    puts("READY");
    fflush(stdout);
    for (int c; (c = getchar()) != EOF;) {
        if (c != '\n')
            continue;
        double start = pb_clock();
        once(ctx);
        printf("%.6g\n", 1000 * (pb_clock() - start));
        fflush(stdout);
    }
}

#endif
