/* fft: discrete Fourier transforms of any length, PB_FFT_LANES sequences at a time.
 *
 * The transform of x [n] is X[k] = sum over j of x[j] exp(-2 pi i j k / n).  The length is split into its prime
 * factors; a step with the factor p takes 8 p operations for each element, or fewer for 2, 3 and 4, so lengths with
 * large prime factors are exact and slow.  Element j of the sequence in lane l has its real part at [2*j*LANES + l]
 * and its imaginary part at [(2*j+1)*LANES + l]. */
#ifndef PB_FFT_H
#define PB_FFT_H

#include "base/base.h"

enum { PB_FFT_LANES = 8 };

/* The elements of the table of a length, and those of `work`. */
size_t pb_fft_table_size(int n);
size_t pb_fft_work_size(int n);

/* Writes the table for transforms of length n; with `inverse` for exp(+2 pi i j k / n), without the factor 1/n. */
void pb_fft_table(int n, bool inverse, pb_real *table);

/* Transforms all lanes of `in` [2*n*LANES] to `out`, which is as large and does not overlap it. */
void pb_fft(int n, const pb_real *table, const pb_real *in, pb_real *out, pb_real *work);

/* The additions and multiplications of one lane, which pb_fft counts as FLOPs (pb_flops_add). */
uint64_t pb_fft_flops(int n);

#endif
