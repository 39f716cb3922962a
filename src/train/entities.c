/* entities: see entities.h. */
#include "train/entities.h"

#include <string.h>

/* A tag: its letter, and its type [size]. */
typedef struct mark {
    char letter;
    const char *type;
    int size;
} mark;

/* Returns the tag at the beginning of a text, and the size of both. */
static mark mark_at(const char *at, int *size)
{
    *size = (int)strcspn(at, " ");
    int skipped = *size > 1 && at[1] == '-' ? 2 : 1;
    mark m = {*size ? *at : 'O', at + skipped, *size - skipped};
    m.size = m.size > 0 ? m.size : 0;
    return m;
}

static int continues(const mark *before, const mark *m)
{
    return strchr("BI", before->letter) && strchr("IE", m->letter) && before->size == m->size &&
           !memcmp(before->type, m->type, (size_t)m->size);
}

static mark take_mark(pb_entity_reader *r)
{
    int size;
    mark m = mark_at(r->at, &size);
    r->at += size + (r->at[size] == ' ');
    r->word++;
    return m;
}

int pb_entity_next(pb_entity_reader *r, pb_entity *out)
{
    while (*r->at) {
        mark m = take_mark(r);
        if (m.letter == 'O')
            continue;
        *out = (pb_entity){m.type, m.size, r->word - 1, r->word - 1};
        for (int size; *r->at; out->last++) {
            mark next = mark_at(r->at, &size);
            if (!continues(&m, &next))
                break;
            m = take_mark(r);
        }
        return 1;
    }
    return 0;
}
