/* norm: layer normalization and RMSNorm of rows. */
#include <math.h>

#include "numeric/kernel.h"

static size_t row_start(int row, int n)
{
    return (size_t)row * (size_t)n;
}

void pb_layernorm(int rows, int n, const pb_real *x, const pb_real *gamma, const pb_real *beta, pb_real eps, pb_real *y,
                  pb_real *stat)
{
    for (int i = 0; i < rows; i++) {
        const pb_real *xi = x + row_start(i, n);
        pb_real *yi = y + row_start(i, n), lane[16] = {0}, square[16] = {0}, sum = 0, spread = 0;
        int j = 0;
        for (; j + 16 <= n; j += 16)
            for (int l = 0; l < 16; l++)
                lane[l] += xi[j + l];
        for (; j < n; j++)
            sum += xi[j];
        for (int l = 0; l < 16; l++)
            sum += lane[l];
        pb_real mean = sum / (pb_real)n;
        for (j = 0; j + 16 <= n; j += 16)
            for (int l = 0; l < 16; l++)
                square[l] += (xi[j + l] - mean) * (xi[j + l] - mean);
        for (; j < n; j++)
            spread += (xi[j] - mean) * (xi[j] - mean);
        for (int l = 0; l < 16; l++)
            spread += square[l];
        pb_real rstd = 1 / (pb_real)sqrt((double)(spread / (pb_real)n + eps));
        for (j = 0; j < n; j++)
            yi[j] = (xi[j] - mean) * rstd * gamma[j] + beta[j];
        stat[2 * i] = mean;
        stat[2 * i + 1] = rstd;
    }
}

/* With h = (x - mean) rstd and d = dy gamma:  dx = rstd (d - mean(d) - h mean(d h)). */
void pb_layernorm_backward(int rows, int n, const pb_real *x, const pb_real *gamma, const pb_real *stat,
                           const pb_real *dy, pb_real *dx, bool add)
{
    for (int i = 0; i < rows; i++) {
        const pb_real *xi = x + row_start(i, n), *gi = dy + row_start(i, n);
        pb_real *out = dx + row_start(i, n), mean = stat[2 * i], rstd = stat[2 * i + 1];
        pb_real a[16] = {0}, b[16] = {0}, sum = 0, dot = 0;
        int j = 0;
        for (; j + 16 <= n; j += 16)
            for (int l = 0; l < 16; l++) {
                pb_real d = gi[j + l] * gamma[j + l];
                a[l] += d;
                b[l] += d * (xi[j + l] - mean) * rstd;
            }
        for (; j < n; j++) {
            sum += gi[j] * gamma[j];
            dot += gi[j] * gamma[j] * (xi[j] - mean) * rstd;
        }
        for (int l = 0; l < 16; l++) {
            sum += a[l];
            dot += b[l];
        }
        sum /= (pb_real)n;
        dot /= (pb_real)n;
        for (j = 0; j < n; j++) {
            pb_real d = rstd * (gi[j] * gamma[j] - sum - (xi[j] - mean) * rstd * dot);
            out[j] = add ? out[j] + d : d;
        }
    }
}

void pb_layernorm_params(int rows, int n, int j0, int j1, const pb_real *x, const pb_real *stat, const pb_real *dy,
                         pb_real *dgamma, pb_real *dbeta)
{
    for (int i = 0; i < rows; i++) {
        const pb_real *xi = x + row_start(i, n), *gi = dy + row_start(i, n);
        pb_real mean = stat[2 * i], rstd = stat[2 * i + 1];
        for (int j = j0; dgamma && j < j1; j++)
            dgamma[j] += gi[j] * (xi[j] - mean) * rstd;
        for (int j = j0; dbeta && j < j1; j++)
            dbeta[j] += gi[j];
    }
}

/* ---- without the mean ------------------------------------------------------------------------------ */

void pb_rmsnorm(int rows, int n, const pb_real *x, const pb_real *gamma, pb_real eps, pb_real *y, pb_real *stat)
{
    for (int i = 0; i < rows; i++) {
        const pb_real *xi = x + row_start(i, n);
        pb_real *yi = y + row_start(i, n), square[16] = {0}, sum = 0;
        int j = 0;
        for (; j + 16 <= n; j += 16)
            for (int l = 0; l < 16; l++)
                square[l] += xi[j + l] * xi[j + l];
        for (; j < n; j++)
            sum += xi[j] * xi[j];
        for (int l = 0; l < 16; l++)
            sum += square[l];
        stat[i] = 1 / (pb_real)sqrt((double)(sum / (pb_real)n + eps));
        for (j = 0; j < n; j++)
            yi[j] = xi[j] * stat[i] * gamma[j];
    }
}

/* With h = x rrms and d = dy gamma:  dx = rrms (d - h mean(d h)). */
void pb_rmsnorm_backward(int rows, int n, const pb_real *x, const pb_real *gamma, const pb_real *stat,
                         const pb_real *dy, pb_real *dx, bool add)
{
    for (int i = 0; i < rows; i++) {
        const pb_real *xi = x + row_start(i, n), *gi = dy + row_start(i, n);
        pb_real *out = dx + row_start(i, n), rrms = stat[i], lane[16] = {0}, dot = 0;
        int j = 0;
        for (; j + 16 <= n; j += 16)
            for (int l = 0; l < 16; l++)
                lane[l] += gi[j + l] * gamma[j + l] * xi[j + l];
        for (; j < n; j++)
            dot += gi[j] * gamma[j] * xi[j];
        for (int l = 0; l < 16; l++)
            dot += lane[l];
        dot *= rrms * rrms / (pb_real)n;
        for (j = 0; j < n; j++)
            out[j] = (add ? out[j] : 0) + rrms * (gi[j] * gamma[j] - xi[j] * dot);
    }
}

void pb_rmsnorm_params(int rows, int n, int j0, int j1, const pb_real *x, const pb_real *stat, const pb_real *dy,
                       pb_real *dgamma)
{
    for (int i = 0; i < rows; i++)
        for (int j = j0; j < j1; j++)
            dgamma[j] += dy[row_start(i, n) + (size_t)j] * x[row_start(i, n) + (size_t)j] * stat[i];
}
