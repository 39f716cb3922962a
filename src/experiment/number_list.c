/* number_list: lists of whole numbers, such as seeds = 0, 3..5. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "experiment/experiment_internal.h"

enum { MOST = 10000 }; /* numbers of a list */

typedef struct list {
    const char *name;
    uint64_t least, most, *number;
    size_t count, capacity;
} list;

/* Reads digits at *at and moves it behind them.  Returns false if there are none, or if the number is not allowed. */
static bool read_number(const list *l, const char **at, uint64_t *out)
{
    bool digit = **at >= '0' && **at <= '9';
    char *end;
    errno = 0;
    *out = strtoull(*at, &end, 10);
    *at = end;
    return digit && !errno && *out >= l->least && *out <= l->most;
}

static int add_number(list *l, uint64_t x)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->number[i] == x)
            return pb_error("%s: %llu is given twice", l->name, (unsigned long long)x);
    if (l->count == MOST)
        return pb_error("%s: want at most %d numbers", l->name, MOST);
    pb_grow(&l->number, l->count, &l->capacity, sizeof *l->number);
    l->number[l->count++] = x;
    return 0;
}

/* Adds an item: "3", or the range "3..5". */
static int add_item(list *l, const char *item)
{
    const char *at = item;
    uint64_t low, high;
    bool good = read_number(l, &at, &low);
    high = low;
    if (good && !strncmp(at, "..", 2)) {
        at += 2;
        good = read_number(l, &at, &high) && low <= high;
    }
    if (!good || *at)
        return pb_error("%s: want whole numbers of %llu..%llu, or ranges such as 1..5, separated by commas, got '%s'",
                        l->name, (unsigned long long)l->least, (unsigned long long)l->most, item);
    for (uint64_t x = low; x <= high; x++)
        if (add_number(l, x))
            return -1;
    return 0;
}

uint64_t *pb_number_list(pb_experiment *e, const char *name, const char *text, uint64_t least, uint64_t most,
                         size_t *count)
{
    list l = {.name = name, .least = least, .most = most};
    const char *item;
    int rc = 0;
    while (!rc && (item = pb_experiment_item(e, &text)))
        rc = add_item(&l, item);
    *count = l.count;
    if (!rc)
        return l.number;
    free(l.number);
    return NULL;
}
