/* fastfood: the Fastfood transform (Le et al. 2013, "Fastfood: approximating kernel expansions in loglinear time"), a
 * random matrix that multiplies n numbers in n log n steps.  One block of it is the matrix [n,n]
 *
 *   scale * H G P H B      n is a power of two
 *
 * H is the Walsh-Hadamard matrix, B a diagonal of random signs, P a permutation and G a diagonal of standard normal
 * numbers.  All are drawn from a key and the block's number whenever they are needed, and are stored nowhere.
 * Everything runs on the calling thread. */
#ifndef PB_FASTFOOD_H
#define PB_FASTFOOD_H

#include "base/rng.h"

/* x = H x in place, without a factor: H is [[1,1],[1,-1]] and its Kronecker powers, so that H H = n I.  x has n
 * numbers, n a power of two.  Adds n log2(n), the additions, to the thread's count of FLOPs. */
void pb_hadamard(int n, pb_real *x);

/* The smallest power of two that is at least n; 1 <= n <= 2^30. */
int pb_power_of_two(int n);

/* The factors of a block behind B. */
typedef struct pb_fastfood {
    int n;
    pb_real *normal; /* [n] the diagonal of G           */
    int *order;      /* [n] (P x)[i] = x[order[i]]      */
    pb_real scale;
} pb_fastfood;

/* Draws G and P of a block into the given arrays [n].  The scale is 1/sqrt(rows * the sum of squares of G): the columns
 * of a matrix of `rows` rows that is made of such blocks, one below the other, then have the expected length 1. */
pb_fastfood pb_fastfood_draw(uint64_t key, int block, int n, double rows, pb_real *normal, int *order);

/* Returns the key of the block's B. */
uint64_t pb_fastfood_signs(uint64_t key, int block);

/* Returns sign j of a B: 1 or -1.  Loops over it can be vectorized. */
static inline pb_real pb_fastfood_sign(uint64_t signs, int j)
{
    return pb_mix(signs, (uint64_t)j) >> 63 ? -1 : 1;
}

/* y = scale * H G P H x.  Overwrites x. */
void pb_fastfood_multiply(const pb_fastfood *f, pb_real *x, pb_real *y);

/* x = the transpose of that matrix times y: scale * H P^T G H y.  Overwrites y. */
void pb_fastfood_transposed(const pb_fastfood *f, pb_real *y, pb_real *x);

#endif
