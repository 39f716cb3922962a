/* encoded_shots: the examples in front of every text (few-shot); see encoded.h. */
#include <stdlib.h>

#include "base/rng.h"
#include "train/encoded_internal.h"

/* Selects up to k training examples, as many of each class as possible, in an order drawn by the seed.  Examples
 * whose texts are longer than the limit are not selected: a demonstration is never truncated.  Returns their number. */
static int draw_shots(const pb_encoder *enc, int k, int *shot)
{
    const pb_data *d = enc->data;
    const pb_example *e = d->split[PB_TRAIN].example;
    int n = d->split[PB_TRAIN].count, groups = d->classes ? d->classes : 1, drawn = 0;
    pb_rng r = pb_rng_named(enc->conf->seed, "shots");
    int *order = pb_alloc((size_t)(n + 1) * sizeof *order), *next = pb_alloc((size_t)groups * sizeof *next);
    for (int i = 0; i < n; i++)
        order[i] = i;
    pb_rng_shuffle(&r, order, n);
    for (int turn = 0, idle = 0; drawn < k && idle < groups; turn++) {
        int class = turn % groups, *at = &next[class];
        while (*at < n &&
               ((d->classes && e[order[*at]].label != class) || pb_encoder_count(enc, &e[order[*at]]) > enc->limit))
            ++*at;
        idle = *at < n ? 0 : idle + 1;
        if (*at < n)
            shot[drawn++] = order[(*at)++];
    }
    pb_rng_shuffle(&r, shot, drawn);
    free(order);
    free(next);
    return drawn;
}

static void write_shot(pb_encoder *enc, const pb_example *e)
{
    const char *answer = e->label < 0 ? e->answer[0]
                         : e->choices ? e->choice[e->label]
                                      : enc->data->class_name[e->label];
    pb_template_write(&enc->template, PB_WITH_ANSWER, e->text, e->second, answer, &enc->front);
    pb_text_add(&enc->front, "\n\n");
}

void pb_encoder_front(pb_encoder *enc, const int *shot, int n)
{
    pb_text_free(&enc->front);
    pb_text_bytes(&enc->front, enc->template.once.at, (size_t)enc->template.once.size);
    for (int i = 0; i < n; i++)
        write_shot(enc, &enc->data->split[PB_TRAIN].example[shot[i]]);
}

static int front_tokens(const pb_encoder *enc)
{
    pb_ids ids = pb_encoder_ids(enc, enc->front.data ? enc->front.data : "", enc->front.length, true);
    int n = (int)ids.count;
    pb_ids_free(&ids);
    return n;
}

/* Returns true if the first n shots leave room for the longest input, of `longest` tokens, and its answer.  once: the
 * tokens of the template's head, which `longest` includes. */
static bool is_room(pb_encoder *enc, const int *shot, int n, int once, int longest)
{
    pb_encoder_front(enc, shot, n);
    return front_tokens(enc) - once + longest + enc->longest_answer <= enc->positions;
}

void pb_encoder_shots(pb_encoder *enc, int longest)
{
    pb_encoded *set = enc->set;
    int k = enc->conf->prompting ? enc->conf->prompting->shots : 0;
    int *shot = pb_alloc((size_t)(k + 1) * sizeof *shot), drawn = draw_shots(enc, k, shot);
    pb_encoder_front(enc, shot, 0);
    int once = front_tokens(enc);
    for (int most = drawn; set->shots < most;) {
        int middle = (set->shots + most + 1) / 2;
        if (is_room(enc, shot, middle, once, longest))
            set->shots = middle;
        else
            most = middle - 1;
    }
    pb_encoder_front(enc, shot, set->shots);
    set->shots_dropped = k - set->shots;
    free(shot);
}
