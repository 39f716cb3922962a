/* encoded_words: the inputs of sentences whose words have tags; see encoded.h. */
#include <string.h>

#include "train/encoded_internal.h"

/* Whether the model gives the class of a word at its token i: an encoder at the first, a decoder at the last. */
static bool is_read(bool causal, const pb_ids *of, size_t i)
{
    size_t other = causal ? i + 1 : i - 1; /* of i = 0: none */
    return of->id[i] >= 0 && (other >= of->count || of->id[other] != of->id[i]);
}

/* Returns how many words, from the first, fit into `limit` tokens with the special tokens. */
static int words_that_fit(const pb_ids *of, int words, int limit)
{
    int tokens = 0, kept = 0;
    for (size_t i = 0; i < of->count; i++)
        tokens += of->id[i] < 0;
    for (size_t i = 0; kept < words; kept++) {
        while (i < of->count && of->id[i] < 0)
            i++;
        for (; i < of->count && of->id[i] == kept; i++)
            tokens++;
        if (tokens > limit)
            return kept;
    }
    return kept;
}

/* Removes the tokens of the words from `kept` on. */
static void cut_words(pb_ids *ids, pb_ids *of, int kept)
{
    size_t n = 0;
    for (size_t i = 0; i < of->count; i++)
        if (of->id[i] < kept) {
            ids->id[n] = ids->id[i];
            of->id[n++] = of->id[i];
        }
    ids->count = of->count = n;
}

int pb_encoded_words(const pb_model *m, const char *const *word, int words, int limit, pb_ids *ids, pb_ids *of,
                     int *length)
{
    pb_ids all = {0};
    int rc = pb_tokenizer_encode_split(pb_model_tokenizer(m), word, words, true, ids, &all);
    *length = (int)ids->count;
    if (limit && *length > limit)
        cut_words(ids, &all, words_that_fit(&all, words, limit));
    for (size_t i = 0; i < all.count; i++)
        pb_ids_add(of, is_read(pb_model_is_causal(m), &all, i) ? all.id[i] : -1);
    pb_ids_free(&all);
    return rc;
}

bool pb_encoder_sentence(const pb_encoder *enc, pb_split s, int i)
{
    pb_encoded *set = enc->set;
    const pb_example *e = &enc->data->split[s].example[i];
    int most = enc->conf->max_tokens < enc->positions ? enc->conf->max_tokens : enc->positions;
    pb_ids of = {0}, *target = &set->target[s][i], *scored = &set->scored[s][i];
    if (pb_encoded_words(enc->model, (const char *const *)e->word, e->words, most, &set->text[s][i], &of,
                         &set->length[s][i]))
        *enc->rc = -1;
    for (size_t k = 0; k < of.count; k++) {
        pb_ids_add(target, of.id[k] < 0 ? -1 : e->tag[of.id[k]]);
        if (of.id[k] >= 0)
            pb_ids_add(scored, of.id[k]);
    }
    set->lost[s] += e->words - (int)scored->count;
    pb_ids_free(&of);
    return set->length[s][i] > most;
}
