/* factors: how the sides of a weight are divided, such as into those of the factors of a Kronecker product. */
#ifndef PB_FACTORS_H
#define PB_FACTORS_H

/* Returns the first of two factors of n, as PEFT chooses them for LoKr: `near` if it divides n, otherwise the largest
 * divisor that is at most `near` and at most the square root of n; near < 0: the latter alone.  The second factor is n
 * divided by it. */
int pb_first_factor(int n, int near);

/* Returns the greatest common divisor of two positive numbers. */
int pb_common_divisor(int m, int n);

#endif
