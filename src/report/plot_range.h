/* plot_range: the range of an axis, and where its ticks are. */
#ifndef PB_PLOT_RANGE_H
#define PB_PLOT_RANGE_H

#include "stats/stats.h"

/* The range of an axis.  A logarithmic one may have a place for 0 at its lower end, apart from the rest. */
typedef struct pb_range {
    double low, high;
    bool log, zero;
    bool whole; /* only whole numbers are on it */
} pb_range;

/* A range that contains nothing yet. */
extern const pb_range pb_range_empty;

/* Widens the range to contain x; NaN has no effect. */
void pb_range_widen(pb_range *s, double x);

/* Adds this share of the range at both ends; a range of a single value gets a width. */
void pb_range_pad(pb_range *s, double share);

/* Returns the range of n values with their intervals, which one wide interval or one far value does not stretch: it
 * contains the values within three interquartile ranges of the quartiles (all of them if there are fewer than 6), and
 * their intervals as far as three quarters of the range of these values, or 1.2 times half the median interval if that
 * is more, beyond them. */
pb_range pb_range_robust(const pb_interval *v, int n);

/* Returns the logarithmic range of the positive ones of n values if they span a ratio of more than 20, else the range
 * of all of them.  With a place for 0 if a value is 0 and the range is logarithmic. */
pb_range pb_range_of_costs(const pb_interval *v, int n);

/* Returns where x is between low (0) and high (1).  On a logarithmic axis 0 has its place, and a negative x is below
 * it. */
double pb_range_at(const pb_range *s, double x);

/* Returns the number that stands for x on the axis of gnuplot: x itself, but for a 0 on a logarithmic axis. */
double pb_range_position(const pb_range *s, double x);

/* Returns whether x is in the range. */
bool pb_range_contains(const pb_range *s, double x);

/* Returns the position of the line between the place for 0 and the rest. */
double pb_range_break(const pb_range *s);

enum { PB_TICKS = 24, PB_TICK_SIZE = 24 };

typedef struct pb_tick {
    double at;
    char text[PB_TICK_SIZE]; /* "2.5 M", with the unit behind the decimal prefix */
} pb_tick;

/* Finds the ticks of an axis that is `length` points long: at round numbers, as many as fit without touching.  The
 * texts are in a font of `size` points; `upright` says that they are on top of each other, as those of a vertical axis,
 * and not side by side.  `unit` is "" or "B"; numbers of 1000 and more, and all with a unit, have a decimal prefix.
 * Returns the number of ticks. */
int pb_ticks(const pb_range *s, double length, double size, bool upright, const char *unit, pb_tick tick[PB_TICKS]);

/* Writes a number as on a tick: in at most `digits` digits, with a decimal prefix if it is 1000 or more or has a
 * unit. */
const char *pb_tick_text(char out[PB_TICK_SIZE], double x, const char *unit, int digits);

#endif
