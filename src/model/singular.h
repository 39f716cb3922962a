/* singular: singular value decompositions, for methods that start from singular vectors of a weight or of a matrix of
 * its size (PiSSA, LoRA-XS, LoRA-GA and others). */
#ifndef PB_SINGULAR_H
#define PB_SINGULAR_H

#include "model/method.h"

/* The decomposition u diag(s) vt of a matrix [out,in]: u [out,k] and vt [k,in] have orthonormal columns and rows, and s
 * [k] decreases; k is the smaller side. */
typedef struct pb_singular {
    int out, in, k;
    pb_real *u, *s, *vt;
} pb_singular;

/* Decomposes x [out,in], or the base's weight at a projection, which may be packed.  Return 0, or -1 with an error; the
 * caller calls pb_singular_free in both cases. */
int pb_singular_of(pb_singular *d, const pb_real *x, int out, int in);
int pb_singular_of_weight(pb_singular *d, const pb_site *site);
void pb_singular_free(pb_singular *d);

/* Set column i of left [out,r] to scale * s_j^power * (column j of u), and row i of right [r,in] to scale * s_j^power *
 * (row j of vt), for j = first + i; to zero where there is no j. */
void pb_singular_left(const pb_singular *d, int first, double scale, double power, pb_param *left);
void pb_singular_right(const pb_singular *d, int first, double scale, double power, pb_param *right);

/* For `start`: at every target sets B [out,r] to U_r S_r^left and A [r,in] to S_r^right V_r^T of the r largest singular
 * values of the weight, which are the method's tensors of these names. */
void pb_singular_factors(pb_build *b, double left, double right);

/* While a graph is built: the tensors A [rank,in] and B [out,rank] that pb_singular_factors sets, which do not train;
 * NULL with an error if the rank does not fit. */
void pb_singular_fixed(pb_build *b, const pb_site *site, int rank, pb_node **A, pb_node **B);

/* A `start` hook for methods with these tensors: B becomes U_r S_r and A V_r^T. */
void pb_singular_start(pb_build *b, const pb_training_stats *stats);

/* Returns the base's weight [out,in] at a projection, dequantized if it is packed.  The caller frees it. */
pb_real *pb_weight_values(const pb_site *site);

/* While a graph is built: returns 0 if the rank is at most the smaller side of the weight, else -1 with an error that
 * names the running method. */
int pb_rank_fits(pb_build *b, const pb_site *site, int rank);

#endif
