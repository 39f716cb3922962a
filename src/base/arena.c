/* arena: a list of blocks of growing size, which are kept when the arena is reset. */
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#define ALIGN 64

const char *const pb_memory_class_name[PB_MEMORY_CLASSES] = {
    "weights", "gradients", "optimizer", "statistics", "best", "activations", "workspace", "meta",
};

typedef struct block {
    struct block *next;
    size_t size, used;
    char *memory;
} block;

struct pb_arena {
    const char *name;
    block *first, *current;
    size_t live[PB_MEMORY_CLASSES], high[PB_MEMORY_CLASSES];
};

pb_arena *pb_arena_new(const char *name)
{
    pb_arena *a = pb_alloc(sizeof *a);
    a->name = name;
    return a;
}

void pb_arena_free(pb_arena *a)
{
    if (!a)
        return;
    for (block *b = a->first, *next; b; b = next) {
        next = b->next;
        free(b->memory);
        free(b);
    }
    free(a);
}

static block *add_block(pb_arena *a, size_t bytes)
{
    size_t size = a->current ? 2 * a->current->size : 1 << 16;
    if (size > 1 << 24)
        size = 1 << 24;
    if (size < bytes)
        size = bytes;
    block *b = pb_alloc(sizeof *b);
    b->size = size;
    b->memory = aligned_alloc(ALIGN, size);
    if (!b->memory)
        pb_no_memory(a->name);
    block **end = a->current ? &a->current->next : &a->first;
    b->next = *end;
    *end = b;
    return b;
}

size_t pb_arena_size(size_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

void *pb_arena_alloc(pb_arena *a, pb_memory_class class, size_t bytes)
{
    bytes = pb_arena_size(bytes);
    while (!a->current || a->current->size - a->current->used < bytes) {
        block *next = a->current ? a->current->next : a->first;
        a->current = next && next->size >= bytes ? next : add_block(a, bytes);
        a->current->used = 0;
    }
    void *memory = a->current->memory + a->current->used;
    a->current->used += bytes;
    a->live[class] += bytes;
    if (a->high[class] < a->live[class])
        a->high[class] = a->live[class];
    return memset(memory, 0, bytes);
}

char *pb_arena_strdup(pb_arena *a, const char *text)
{
    size_t n = strlen(text) + 1;
    return memcpy(pb_arena_alloc(a, PB_META, n), text, n);
}

char *pb_arena_format(pb_arena *a, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    PB_CHECK(n >= 0);
    char *text = pb_arena_alloc(a, PB_META, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(args);
    return text;
}

void pb_arena_reset(pb_arena *a)
{
    a->current = a->first;
    if (a->first)
        a->first->used = 0;
    memset(a->live, 0, sizeof a->live);
}

size_t pb_arena_live(const pb_arena *a, pb_memory_class class)
{
    return a->live[class];
}

size_t pb_arena_high(const pb_arena *a, pb_memory_class class)
{
    return a->high[class];
}
