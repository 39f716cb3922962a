/* waits: how long the threads of this process waited for a processor. */
#ifndef PB_WAITS_H
#define PB_WAITS_H

/* Seconds: how long the threads of this process have run and how long they could have run but waited, each since the
 * thread started; and of the machine, the time of all its processors and the part that a hypervisor took. */
typedef struct pb_waits {
    double ran, waited, total, stolen;
} pb_waits;

/* Returns the values of the threads that exist now.  A value that the system does not provide is 0; Linux provides
 * all. */
pb_waits pb_waits_now(void);

/* Returns the share of the time since `from` that was lost to waiting, 0..1: 0 on an idle machine, 0.5 where two
 * programs compete for each processor.  Returns NaN if it is not known.  The threads must be those that existed at
 * `from`. */
double pb_waits_since(const pb_waits *from);

#endif
