/* attention: softmax(scale q k^T) v of one sequence and one head, computed TILE queries at a time so that the whole
 * [nq,nk] matrix is never stored. */
#include <math.h>
#include <string.h>

#include "numeric/blas.h"
#include "numeric/internal.h"
#include "numeric/kernel.h"

#define TILE 64

/* The number of keys that query i attends to. */
static int visible_keys(const pb_attention_shape *s, int i)
{
    return s->causal ? pb_min(s->first + i + 1, s->nk) : s->nk;
}

static uint64_t pairs(const pb_attention_shape *s)
{
    uint64_t sum = 0;
    for (int i = 0; i < s->nq; i++)
        sum += (uint64_t)visible_keys(s, i);
    return sum;
}

size_t pb_attention_scratch(int nq, int nk, int hd)
{
    (void)hd;
    return 2 * (size_t)pb_min(nq, TILE) * (size_t)nk + TILE;
}

/* p = exp(p - shift) for the visible keys, 0 for the others. */
static void exp_row(pb_real *p, int visible, int nk, pb_real shift)
{
    pb_exp((size_t)visible, p, shift, p);
    memset(p + visible, 0, (size_t)(nk - visible) * sizeof *p);
}

/* A NaN score makes the row NaN: pb_largest() ignores it, but pb_exp() keeps it. */
static void softmax_row(pb_real *p, int visible, int nk, pb_real *lse)
{
    const size_t n = (size_t)visible;
    pb_real top = pb_largest(n, p);
    exp_row(p, visible, nk, top);
    pb_real sum = pb_sum(n, p);
    *lse = top + (pb_real)log((double)sum);
    for (size_t j = 0; j < n; j++)
        p[j] /= sum;
}

/* out = p with dropped elements zero and the others scaled; out == p is allowed. */
static void drop_row(const pb_attention_shape *s, int i, const pb_real *p, pb_real *out)
{
    uint64_t row = (uint64_t)s->first_row + (uint64_t)(s->row ? s->row[i] : i);
    pb_dropout((size_t)s->nk, s->drop_key, row << 32, s->drop, p, out, false);
}

static void drop_rows(const pb_attention_shape *s, int i0, int rows, const pb_real *p, pb_real *out)
{
    for (int i = 0; i < rows && s->drop > 0; i++)
        drop_row(s, i0 + i, p + (size_t)i * (size_t)s->nk, out + (size_t)i * (size_t)s->nk);
}

/* p[rows,nk] = scale * q k^T.  A part may have no rows. */
static void scores(const pb_attention_shape *s, int rows, int parts, const pb_attention_part *part, const pb_real *q,
                   pb_real *p)
{
    for (int i = 0; i < parts; p += part[i++].rows)
        pb_gemm_plain(rows, part[i].rows, s->hd, s->scale, pb_as_stored(q, s->ldq), pb_transposed(part[i].k, s->ldk),
                      false, p, s->nk);
}

/* o[rows,hd] = p v */
static void weighted_values(const pb_attention_shape *s, int rows, int parts, const pb_attention_part *part,
                            const pb_real *p, pb_real *o)
{
    bool add = false;
    for (int i = 0; i < parts; p += part[i++].rows) {
        if (part[i].rows == 0 && parts > 1)
            continue;
        pb_gemm_plain(rows, s->hd, part[i].rows, 1, pb_as_stored(p, s->nk), pb_as_stored(part[i].v, s->ldk), add, o,
                      s->ldo);
        add = true;
    }
}

void pb_attention(const pb_attention_shape *s, int parts, const pb_attention_part *part, const pb_real *q, pb_real *o,
                  pb_real *lse, pb_real *scratch)
{
    for (int i0 = 0; i0 < s->nq; i0 += TILE) {
        int rows = pb_min(TILE, s->nq - i0);
        pb_real *p = scratch;
        scores(s, rows, parts, part, q + (size_t)i0 * (size_t)s->ldq, p);
        for (int i = 0; i < rows; i++)
            softmax_row(p + (size_t)i * (size_t)s->nk, visible_keys(s, i0 + i), s->nk, &lse[i0 + i]);
        drop_rows(s, i0, rows, p, p);
        weighted_values(s, rows, parts, part, p, o + (size_t)i0 * (size_t)s->ldo);
    }
    pb_flops_add(2 * 2 * (uint64_t)s->hd * pairs(s));
}

/* Replaces dP by dS = P (dP - D) scale with D_i = go_i . o_i.  Dropout does not change D, as o includes the mask
 * that was applied to dP. */
static void score_gradient(const pb_attention_shape *s, int i0, int rows, const pb_real *o, const pb_real *go,
                           const pb_real *p, pb_real *dp)
{
    for (int i = 0; i < rows; i++) {
        const pb_real *oi = o + (size_t)(i0 + i) * (size_t)s->ldo, *gi = go + (size_t)(i0 + i) * (size_t)s->ldo;
        pb_real d = pb_dot((size_t)s->hd, oi, gi);
        size_t at = (size_t)i * (size_t)s->nk;
        for (int j = 0; j < s->nk; j++)
            dp[at + (size_t)j] = p[at + (size_t)j] * (dp[at + (size_t)j] - d) * s->scale;
    }
}

static void clear_rows(const pb_attention_shape *s, pb_real *dk)
{
    for (int j = 0; dk && j < s->nk; j++)
        memset(dk + (size_t)j * (size_t)s->ldk, 0, (size_t)s->hd * sizeof *dk);
}

/* The gradients through queries i0 .. i0+rows-1; p and dp [rows,nk] are scratch. */
static void tile_backward(const pb_attention_shape *s, const pb_attention_gradients *t, int i0, int rows, pb_real *p,
                          pb_real *dp)
{
    const pb_real *qi = t->q + (size_t)i0 * (size_t)s->ldq, *gi = t->go + (size_t)i0 * (size_t)s->ldo;
    pb_gemm_plain(rows, s->nk, s->hd, s->scale, pb_as_stored(qi, s->ldq), pb_transposed(t->k, s->ldk), false, p, s->nk);
    for (int i = 0; i < rows; i++)
        exp_row(p + (size_t)i * (size_t)s->nk, visible_keys(s, i0 + i), s->nk, t->lse[i0 + i]);
    const pb_real *kept = s->drop > 0 ? dp : p;
    drop_rows(s, i0, rows, p, dp);
    if (t->dv)
        pb_gemm_plain(s->nk, s->hd, rows, 1, pb_transposed(kept, s->nk), pb_as_stored(gi, s->ldo), t->add_v || i0,
                      t->dv, s->ldk);
    if (!t->dq && !t->dk)
        return;
    pb_gemm_plain(rows, s->nk, s->hd, 1, pb_as_stored(gi, s->ldo), pb_transposed(t->v, s->ldk), false, dp, s->nk);
    drop_rows(s, i0, rows, dp, dp);
    score_gradient(s, i0, rows, t->o, t->go, p, dp);
    if (t->dq)
        pb_gemm_plain(rows, s->hd, s->nk, 1, pb_as_stored(dp, s->nk), pb_as_stored(t->k, s->ldk), t->add_q,
                      t->dq + (size_t)i0 * (size_t)s->ldq, s->ldq);
    if (t->dk)
        pb_gemm_plain(s->nk, s->hd, rows, 1, pb_transposed(dp, s->nk), pb_as_stored(qi, s->ldq), t->add_k || i0, t->dk,
                      s->ldk);
}

void pb_attention_backward(const pb_attention_shape *s, const pb_attention_gradients *t, pb_real *scratch)
{
    if (s->nq == 0) { /* no query: the gradients of keys and values are zero */
        clear_rows(s, t->add_k ? NULL : t->dk);
        clear_rows(s, t->add_v ? NULL : t->dv);
    }
    pb_real *p = scratch, *dp = scratch + (size_t)pb_min(s->nq, TILE) * (size_t)s->nk;
    for (int i0 = 0; i0 < s->nq; i0 += TILE)
        tile_backward(s, t, i0, pb_min(TILE, s->nq - i0), p, dp);
    uint64_t products = 1 + (t->dq || t->dk) + (t->dq != NULL) + (t->dk != NULL) + (t->dv != NULL);
    pb_flops_add(products * 2 * (uint64_t)s->hd * pairs(s));
}
