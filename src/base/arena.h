/* arena: bump allocation, with the bytes counted by memory class.
 *
 * Memory of an arena is freed all at once, so an arena holds what has the same lifetime: the registries of the
 * program, one run (model and optimizer), or one step (a batch).  Plugins allocate from arenas only and never call
 * malloc.  Every allocation names a class, so that a reported number such as "memory.train.gradients" is counted at
 * the allocation. */
#ifndef PB_ARENA_H
#define PB_ARENA_H

#include "base/base.h"

/* What an allocation is used for. */
typedef enum pb_memory_class {
    PB_WEIGHTS,     /* the parameters of the base model and of the method              */
    PB_GRADIENTS,   /* the gradients of the trainable parameters                       */
    PB_OPTIMIZER,   /* what the optimizer and the methods keep between the steps         */
    PB_STATISTICS,  /* what a method asks to know before training                      */
    PB_BEST,        /* a copy of the parameters of the best epoch, for early stopping  */
    PB_ACTIVATIONS, /* the memory that the planner assigns for one batch               */
    PB_WORKSPACE,   /* the scratch memory of the kernels, per thread                   */
    PB_META,        /* structs, names and graph nodes; reported as "other"             */
    PB_MEMORY_CLASSES
} pb_memory_class;

/* The name of each class as it appears in results, for example "weights". */
extern const char *const pb_memory_class_name[PB_MEMORY_CLASSES];

typedef struct pb_arena pb_arena;

/* Returns an empty arena.  `name` appears in the message when memory is exhausted and must outlive the arena.  The
 * caller frees the arena, and everything allocated from it, with pb_arena_free; NULL is allowed there. */
pb_arena *pb_arena_new(const char *name);
void pb_arena_free(pb_arena *a);

/* Returns `bytes` zeroed bytes, aligned to 64.  They stay valid until the arena is reset or freed.  Never returns NULL:
 * the program exits with status 2 when memory is exhausted. */
void *pb_arena_alloc(pb_arena *a, pb_memory_class class, size_t bytes);

/* Return a copy of a text, and a text formatted as by printf, both in class PB_META. */
char *pb_arena_strdup(pb_arena *a, const char *text);
char *pb_arena_format(pb_arena *a, const char *fmt, ...) PB_PRINTF(2, 3);

/* Returns the number of bytes that an allocation of `bytes` bytes counts for: `bytes` rounded up to a multiple of 64.
 */
size_t pb_arena_size(size_t bytes);

/* Releases all allocations but keeps the memory for later ones.  The high-water marks stay. */
void pb_arena_reset(pb_arena *a);

/* Return the bytes allocated in `class` now, and the most that were allocated at any time, in units of
 * pb_arena_size. */
size_t pb_arena_live(const pb_arena *a, pb_memory_class class);
size_t pb_arena_high(const pb_arena *a, pb_memory_class class);

#endif
