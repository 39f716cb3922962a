/* Splits that are drawn are the same on every system: with a qsort that puts equal elements in reverse order, as an
 * unstable one may. */
#include "test.h"

#include <stdlib.h>

#include "train/task.h"

/* Takes the place of the system's in this program. */
void qsort(void *base, size_t n, size_t size, int (*compare)(const void *, const void *))
{
    char *at = base, *copy = pb_alloc(n * size + 1);
    memcpy(copy, base, n * size);
    for (size_t i = 0; i < n; i++) {
        size_t k = 0; /* the first that is not less */
        while (k < i && compare(at + k * size, copy + i * size) < 0)
            k++;
        memmove(at + (k + 1) * size, at + k * size, (i - k) * size);
        memcpy(at + k * size, copy + i * size, size);
    }
    free(copy);
}

static int by_letter(const void *a, const void *b)
{
    return *(const char *)a - *(const char *)b;
}

TEST(equal_elements_are_reversed_here)
{
    char pair[] = "b1b2a1b3";
    qsort(pair, 4, 2, by_letter);
    CHECK_TEXT(pair, "a1b3b2b1");
}

/* The targets rise within each text of each split  Two of a text are on each of the first lines. */
TEST(equal_texts_stay_in_order_when_splits_are_drawn)
{
    pb_data *d = pb_data_new("numbers");
    d->answer_kind = PB_ANSWER_NUMBER;
    pb_data_add_class(d, "score");
    for (int i = 0; i < 60; i++) {
        char text[] = {(char)('a' + i % 12), 0};
        pb_data_add_example(d, PB_TRAIN, &(pb_example){.text = text, .target = i, .line = 1 + i / 24});
    }
    pb_data_draw(d, 0.2, 0.2, 3);
    for (int s = 0; s < PB_SPLITS; s++) {
        const pb_example *e = d->split[s].example;
        CHECK_INT(d->split[s].count, s == PB_TRAIN ? 30 : 15);
        for (int i = 1; i < d->split[s].count; i++)
            CHECK(i % 5 == 0 || (!pb_example_compare(&e[i], &e[i - 1]) && e[i].target > e[i - 1].target));
    }
    pb_data_free(d);
}
