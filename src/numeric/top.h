/* top: the places of the largest of many numbers, which are offered one after the other.
 *
 * Takes time in proportion to the numbers, and memory for those that are kept only.  Of equal numbers those offered
 * first are kept. */
#ifndef PB_TOP_H
#define PB_TOP_H

#include "base/base.h"

/* The numbers kept so far: value [keep] and place [keep], owned by the caller, in any order. */
typedef struct pb_top {
    int keep, count;
    pb_real *value;
    int *place;
} pb_top;

/* Offers a number, which is not NaN, with its place.  Places are offered in ascending order. */
void pb_top_offer(pb_top *l, pb_real value, int place);

/* Sorts the places in ascending order; the values are then undefined. */
void pb_top_sort(pb_top *l);

/* Returns the largest number that at least `keep` of some numbers reach, which are not negative; `count` says how many
 * of them are at least `least`.  By bisection, without memory; 0 if fewer are positive. */
double pb_threshold(double keep, double (*count)(void *ctx, double least), void *ctx);

/* Sets to 0 the elements of x [n] that are not among the places [places], which are in ascending order; element i
 * has the place first + i. x NULL: none.  *next, the number of places in front of the first element, becomes that of
 * those in front of the element behind the last one. */
void pb_keep_places(const int *place, int places, int *next, int first, int n, pb_real *x);

/* Writes `keep` places of 0 .. n-1 to place [keep] in ascending order, chosen at random by the key: all choices are
 * equally likely. */
void pb_random_places(int n, int keep, uint64_t key, int *place);

#endif
