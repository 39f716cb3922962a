/* fastfood: see fastfood.h. */
#include "numeric/fastfood.h"

#include <math.h>

#include "base/rng.h"
#include "numeric/blas.h"

void pb_hadamard(int n, pb_real *x)
{
    uint64_t steps = 0;
    for (int half = 1; half < n; half *= 2, steps++)
        for (int i = 0; i < n; i += 2 * half)
            for (int j = i; j < i + half; j++) {
                pb_real a = x[j], b = x[j + half];
                x[j] = a + b;
                x[j + half] = a - b;
            }
    pb_flops_add((uint64_t)n * steps);
}

int pb_power_of_two(int n)
{
    PB_CHECK(n >= 1 && n <= 1 << 30);
    int power = 1;
    while (power < n)
        power *= 2;
    return power;
}

/* The streams of a block. */
enum { SIGNS, ORDER, NORMALS, STREAMS };

static uint64_t stream(uint64_t key, int block, int which)
{
    return pb_mix(key, (uint64_t)block * STREAMS + (uint64_t)which);
}

pb_real pb_fastfood_sign(uint64_t key, int block, int j)
{
    return pb_mix(stream(key, block, SIGNS), (uint64_t)j) >> 63 ? -1 : 1;
}

/* Two numbers at a time (Box-Muller).  Returns the sum of their squares. */
static double draw_normals(pb_rng *r, int n, pb_real *x)
{
    double squares = 0;
    for (int i = 0; i < n; i += 2) {
        double u = 1 - pb_rng_uniform(r), v = pb_rng_uniform(r), length = sqrt(-2 * log(u));
        double pair[] = {length * cos(2 * M_PI * v), length * sin(2 * M_PI * v)};
        for (int k = 0; k < 2 && i + k < n; k++) {
            x[i + k] = (pb_real)pair[k];
            squares += pair[k] * pair[k];
        }
    }
    return squares;
}

pb_fastfood pb_fastfood_draw(uint64_t key, int block, int n, double rows, pb_real *normal, int *order)
{
    pb_rng o = {.key = stream(key, block, ORDER)}, r = {.key = stream(key, block, NORMALS)};
    for (int i = 0; i < n; i++)
        order[i] = i;
    pb_rng_shuffle(&o, order, n);
    double squares = draw_normals(&r, n, normal);
    return (pb_fastfood){n, normal, order, (pb_real)(1 / sqrt(rows * squares))};
}

void pb_fastfood_multiply(const pb_fastfood *f, pb_real *x, pb_real *y)
{
    pb_hadamard(f->n, x);
    for (int i = 0; i < f->n; i++)
        y[i] = f->scale * f->normal[i] * x[f->order[i]];
    pb_hadamard(f->n, y);
}

void pb_fastfood_transposed(const pb_fastfood *f, pb_real *y, pb_real *x)
{
    pb_hadamard(f->n, y);
    for (int i = 0; i < f->n; i++)
        x[f->order[i]] = f->scale * f->normal[i] * y[i];
    pb_hadamard(f->n, x);
}
