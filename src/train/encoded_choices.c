/* encoded_choices: the inputs and the answers of questions with choices; see encoded.h. */
#include <string.h>

#include "train/encoded_internal.h"

int pb_encoded_first(const pb_encoded *set, pb_split split, int example)
{
    return set->first[split] && set->mode == PB_BY_HEAD ? set->first[split][example] : example;
}

bool pb_encoder_reads_pairs(const pb_encoder *enc)
{
    return enc->data->pair[0] || (enc->data->answer_kind == PB_ANSWER_CHOICE && enc->set->mode == PB_BY_HEAD);
}

bool pb_encoder_pairs(const pb_encoder *enc, pb_split s, int i)
{
    pb_encoded *set = enc->set;
    const pb_example *e = &enc->data->split[s].example[i];
    bool any = false;
    set->length[s][i] = 0;
    for (int k = 0; k < e->choices; k++) {
        const pb_example pair = {.text = e->text, .second = e->choice[k]};
        int at = set->first[s][i] + k, length;
        bool cut;
        set->text[s][at] = pb_encoder_input(enc, &pair, set->type[s] ? &set->type[s][at] : NULL, &length, &cut);
        set->length[s][i] = length > set->length[s][i] ? length : set->length[s][i];
        any = any || cut;
    }
    return any;
}

/* The tokens of choice k of a question behind its prompt, of which those of the prompt alone, `prompt`, are the first:
 * what lm-evaluation-harness takes for the continuation. */
static pb_ids encode_choice(const pb_encoder *enc, const pb_example *e, int k, const pb_ids *prompt)
{
    pb_text whole = {0};
    pb_text_bytes(&whole, enc->front.data ? enc->front.data : "", enc->front.length);
    pb_template_write(&enc->template, PB_TO_ANSWER, e->text, NULL, NULL, &whole);
    pb_text_bytes(&whole, enc->template.lead.at, (size_t)enc->template.lead.size);
    pb_text_bytes(&whole, e->choice[k], strlen(e->choice[k]));
    pb_ids all = pb_encoder_ids(enc, whole.data, whole.length, true), out = {0};
    size_t n = prompt->count;
    if (all.count > n && (!n || !memcmp(all.id, prompt->id, n * sizeof *all.id)))
        for (size_t i = n; i < all.count; i++)
            pb_ids_add(&out, all.id[i]);
    else /* a token spans the end of the prompt and the beginning of the choice */
        out = pb_encoder_answer(enc, e->choice[k], false);
    pb_ids_free(&all);
    pb_text_free(&whole);
    return out;
}

void pb_encoder_choices(pb_encoder *enc, pb_split s)
{
    pb_encoded *set = enc->set;
    for (int i = 0; i < enc->data->split[s].count; i++) {
        const pb_example *e = &enc->data->split[s].example[i];
        pb_ids prompt = {0};
        if (!enc->chat)
            prompt = pb_encoder_part(enc, e, PB_TO_ANSWER);
        for (int k = 0; k < e->choices; k++) {
            pb_ids *choice = &set->choice[s][set->first[s][i] + k];
            *choice = enc->chat ? pb_encoder_answer(enc, e->choice[k], false) : encode_choice(enc, e, k, &prompt);
            enc->longest_answer = (int)choice->count > enc->longest_answer ? (int)choice->count : enc->longest_answer;
        }
        pb_ids_free(&prompt);
    }
}
