/* waits: how long this process's threads waited for a processor. */
#ifndef PB_WAITS_H
#define PB_WAITS_H

/* Seconds since their start that the threads of this process ran, and that they could have run and waited; and of the
 * machine, the seconds of all its processors and those that a hypervisor took. */
typedef struct pb_waits {
    double ran, waited, total, stolen;
} pb_waits;

/* As of now, of the threads that there are.  What the system does not tell (Linux does) is 0. */
pb_waits pb_waits_now(void);

/* The share of the time that was lost since `from`, 0..1: 0 on a machine of one's own, 0.5 where two programs want each
 * processor.  NaN where it is not known.  The threads must be those that there were at `from`. */
double pb_waits_since(const pb_waits *from);

#endif
