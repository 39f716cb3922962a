/* turns: how a bench takes its turns with a peer: a run for each line on stdin, its milliseconds on stdout. */
#ifndef BENCH_TURNS_H
#define BENCH_TURNS_H

#include "base/base.h"

/* After `warm` unmeasured runs it says READY.  The caller prints its RESULT behind it. */
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
