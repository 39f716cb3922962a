/* arena: bump allocation by lifetime, counted by class.
 *
 * The program lives in three arenas: program (registries), run (model, optimizer) and step
 * (one batch).  Plugins never call malloc.  Each allocation carries a class, so that
 * "memory.train.gradients" is a number that was counted where memory was taken.
 */
#ifndef PB_ARENA_H
#define PB_ARENA_H

#include "base/base.h"

typedef enum pb_memory_class {
    PB_WEIGHTS,     /* parameters of the base model and of the method       */
    PB_GRADIENTS,   /* gradients of trainable parameters                     */
    PB_OPTIMIZER,   /* AdamW moments                                         */
    PB_BEST,        /* copy of the best epoch's parameters, with patience    */
    PB_ACTIVATIONS, /* what the planner lays out for one batch               */
    PB_WORKSPACE,   /* scratch of kernels, per thread                        */
    PB_META,        /* structs, names, graph nodes: reported as "other"      */
    PB_MEMORY_CLASSES
} pb_memory_class;

extern const char *const pb_memory_class_name[PB_MEMORY_CLASSES];

typedef struct pb_arena pb_arena;

pb_arena *pb_arena_new(const char *name);
void pb_arena_free(pb_arena *a); /* NULL is fine */

/* Zeroed memory, aligned to 64 bytes, valid until reset or free.  Never returns NULL. */
void *pb_arena_alloc(pb_arena *a, pb_memory_class class, size_t bytes);
char *pb_arena_strdup(pb_arena *a, const char *text); /* class PB_META */
char *pb_arena_format(pb_arena *a, const char *fmt, ...) PB_PRINTF(2, 3);

/* What an allocation of so many bytes counts for: rounded up to 64. */
size_t pb_arena_size(size_t bytes);

/* Forgets every allocation but keeps the memory for reuse; the high-water marks stay. */
void pb_arena_reset(pb_arena *a);

/* Bytes asked for (pb_arena_size each) in `class`: live now, and the most ever live. */
size_t pb_arena_live(const pb_arena *a, pb_memory_class class);
size_t pb_arena_high(const pb_arena *a, pb_memory_class class);

#endif
