/* choices: data whose examples are questions with choices; see task.h. */
#include "train/task.h"

/* Returns how many choices the question with the most has. */
static int most_choices(const pb_data *d)
{
    int most = 0;
    for (int s = 0; s < PB_SPLITS; s++)
        for (int i = 0; i < d->split[s].count; i++)
            most = d->split[s].example[i].choices > most ? d->split[s].example[i].choices : most;
    return most;
}

void pb_data_letters(pb_data *d)
{
    int most = most_choices(d);
    PB_CHECK(most <= PB_MOST_CHOICES);
    for (int k = d->classes; k < most; k++)
        pb_data_add_class(d, (const char[]){(char)('A' + k), 0});
}

int pb_data_outputs(const pb_data *d)
{
    return d->answer_kind == PB_ANSWER_CHOICE ? 1 : d->classes;
}

double pb_data_chance(const pb_data *d)
{
    double sum = 0;
    int n = d->split[PB_TEST].count;
    for (int i = 0; i < n; i++)
        sum += 1.0 / d->split[PB_TEST].example[i].choices;
    return n ? sum / n : 0;
}
