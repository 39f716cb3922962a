/* interner: see interner.h. */
#include <stdlib.h>
#include <string.h>

#include "base/interner.h"

const char *pb_interner_text(const pb_interner *d, int i, size_t *n)
{
    size_t from = i ? d->end[i - 1] : 0;
    *n = d->end[i] - from;
    return d->bytes.data + from;
}

/* Returns the slot that holds this text or, if it is new, the slot where it belongs. */
static int *find_slot(const pb_interner *d, const char *text, size_t n)
{
    size_t at = pb_hash(text, n) & (d->slots - 1), size;
    for (;; at = (at + 1) & (d->slots - 1)) {
        int i = d->slot[at];
        const char *other = i < 0 ? NULL : pb_interner_text(d, i, &size);
        if (!other || (size == n && !memcmp(other, text, n)))
            return &d->slot[at];
    }
}

/* At most half of the slots are taken. */
static void grow_slots(pb_interner *d)
{
    if (2 * ((size_t)d->count + 1) <= d->slots)
        return;
    d->slots = d->slots ? 2 * d->slots : 1024;
    d->slot = pb_realloc(d->slot, d->slots * sizeof *d->slot);
    memset(d->slot, -1, d->slots * sizeof *d->slot);
    for (int i = 0; i < d->count; i++) {
        size_t n;
        const char *text = pb_interner_text(d, i, &n);
        *find_slot(d, text, n) = i;
    }
}

int pb_interner_add(pb_interner *d, const char *text, size_t n)
{
    grow_slots(d);
    int *slot = find_slot(d, text, n);
    if (*slot < 0) {
        pb_grow(&d->end, (size_t)d->count, &d->capacity, sizeof *d->end);
        pb_text_bytes(&d->bytes, text, n);
        d->end[d->count] = d->bytes.length;
        *slot = d->count++;
    }
    return *slot;
}

int pb_interner_find(const pb_interner *d, const char *text, size_t n)
{
    return d->slots ? *find_slot(d, text, n) : -1;
}

void pb_interner_free(pb_interner *d)
{
    pb_text_free(&d->bytes);
    free(d->end);
    free(d->slot);
    *d = (pb_interner){0};
}

/* ---- the index -------------------------------------------------------------------------- */

int pb_index_put(pb_index *x, const char *text, size_t n, int value)
{
    int before = x->text.count, i = pb_interner_add(&x->text, text, n);
    if (i == before) {
        pb_grow(&x->value, (size_t)i, &x->capacity, sizeof *x->value);
        x->value[i] = value;
    }
    return x->value[i];
}

int pb_index_find(const pb_index *x, const char *text, size_t n)
{
    int i = pb_interner_find(&x->text, text, n);
    return i < 0 ? -1 : x->value[i];
}

void pb_index_free(pb_index *x)
{
    pb_interner_free(&x->text);
    free(x->value);
    *x = (pb_index){0};
}
