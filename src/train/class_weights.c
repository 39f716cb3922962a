/* class_weights: the weights of the classes in the loss; see pb_data_weigh in task.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/labels.h"
#include "train/task.h"

static int balance(pb_data *d, double *weight)
{
    int *count = pb_data_count_classes(d, PB_TRAIN), rc = 0;
    for (int c = 0; c < d->classes && !rc; c++)
        if (count[c])
            weight[c] = (double)d->split[PB_TRAIN].count / d->classes / count[c];
        else
            rc = pb_error(
                "balanced: none of the %d training examples is of the class '%s', so that it has no weight; want "
                "more examples, or a list of weights",
                d->split[PB_TRAIN].count, d->class_name[c]);
    free(count);
    d->balanced = !rc;
    return rc;
}

/* Reads "name: weight"; a name may contain a colon. */
static int read_weight(const pb_data *d, char *item, double *weight)
{
    char *colon = strrchr(item, ':');
    double x;
    if (!colon)
        return pb_error("want balanced, or a list NAME:WEIGHT, .., got '%s'", pb_trim(item, " \t"));
    *colon = 0;
    char *name = pb_trim(item, " \t"), *number = pb_trim(colon + 1, " \t");
    int class = pb_data_find_class(d, name);
    if (class < 0)
        return -1;
    if (weight[class] > 0)
        return pb_error("the class '%s' is listed twice; want it once", name);
    if (!pb_labels_number(number, &x) || !(x > 0) || !((pb_real)x > 0) || isinf((pb_real)x))
        return pb_error("%s: want a weight greater than 0, got '%s'", name, number);
    weight[class] = x;
    return 0;
}

static int read_weights(const pb_data *d, const char *list, double *weight)
{
    char *copy = pb_strdup(list), *rest = copy, *item;
    int rc = 0;
    while (!rc && (item = strsep(&rest, ",")))
        rc = read_weight(d, item, weight);
    for (int c = 0; c < d->classes && !rc; c++)
        if (!(weight[c] > 0))
            rc = pb_error("no weight of the class '%s'; want one of every class", d->class_name[c]);
    free(copy);
    return rc;
}

int pb_data_weigh(pb_data *d, const char *list)
{
    if (!*list)
        return 0;
    d->class_weight = pb_alloc((size_t)(d->classes + 1) * sizeof *d->class_weight);
    int rc = strcmp(list, "balanced") ? read_weights(d, list, d->class_weight) : balance(d, d->class_weight);
    if (!rc)
        return 0;
    free(d->class_weight);
    d->class_weight = NULL;
    return pb_data_blame(d, "class_weights");
}
