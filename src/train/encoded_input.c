/* encoded_input: the input ids of one example, and its truncation; see encoded.h. */
#include <string.h>

#include "train/encoded_internal.h"

/* ---- tokens ----------------------------------------------------------------------------------------------- */

pb_ids pb_encoder_ids(const pb_encoder *enc, const char *text, size_t size, bool special)
{
    pb_ids ids = {0};
    if (pb_tokenizer_encode(enc->tokenizer, text, size, special, 0, &ids))
        *enc->rc = -1;
    return ids;
}

int pb_encoder_count(const pb_encoder *enc, const pb_example *e)
{
    const char *text[] = {e->text, e->second};
    int n = 0;
    for (int i = 0; i < 2 && text[i]; i++) {
        pb_ids ids = pb_encoder_ids(enc, text[i], strlen(text[i]), false);
        n += (int)ids.count;
        pb_ids_free(&ids);
    }
    return n;
}

pb_ids pb_encoder_part(const pb_encoder *enc, const pb_example *e, pb_template_extent extent)
{
    pb_text whole = {0};
    pb_ids ids = {0};
    pb_text_bytes(&whole, enc->front.data ? enc->front.data : "", enc->front.length);
    pb_template_write(&enc->template, extent, e->text, e->second, NULL, &whole);
    const char *bytes = whole.data ? whole.data : "";
    if (enc->chat && pb_chat_ask(enc->chat, NULL, bytes, whole.length, &ids))
        *enc->rc = -1;
    else if (!enc->chat)
        ids = pb_encoder_ids(enc, bytes, whole.length, true);
    pb_text_free(&whole);
    return ids;
}

pb_ids pb_encoder_answer(const pb_encoder *enc, const char *answer, bool ends)
{
    const pb_template *t = &enc->template;
    pb_text whole = {0};
    pb_text_bytes(&whole, t->middle.at,
                  enc->chat ? 0 : (size_t)t->middle.size); /* the assistant's turn begins a new text */
    pb_ids before = pb_encoder_ids(enc, whole.data ? whole.data : "", whole.length, false);
    size_t from = whole.length;
    pb_text_bytes(&whole, t->lead.at, enc->chat ? 0 : (size_t)t->lead.size);
    pb_text_bytes(&whole, answer, strlen(answer));
    pb_ids all = pb_encoder_ids(enc, whole.data, whole.length, false), out = {0};
    size_t same = before.count;
    if (all.count <= same || (same && memcmp(all.id, before.id, same * sizeof *all.id) != 0)) {
        pb_ids_free(&all); /* a token spans the end of the template and the beginning of the answer */
        all = pb_encoder_ids(enc, whole.data + from, whole.length - from, false);
        same = 0;
    }
    for (size_t i = same; i < all.count; i++)
        pb_ids_add(&out, all.id[i]);
    if (ends && enc->end >= 0)
        pb_ids_add(&out, enc->end);
    pb_ids_free(&before);
    pb_ids_free(&all);
    pb_text_free(&whole);
    return out;
}

/* ---- truncation behind a template ------------------------------------------------------------------------- */

/* The number of ids, at most `most`, that a and b have in common at their beginning. */
static size_t common_start(const pb_ids *a, const pb_ids *b, size_t most)
{
    size_t n = 0;
    while (n < most && a->id[n] == b->id[n])
        n++;
    return n;
}

static size_t common_end(const pb_ids *a, const pb_ids *b)
{
    size_t n = 0;
    while (n < pb_min_size(a->count, b->count) && a->id[a->count - 1 - n] == b->id[b->count - 1 - n])
        n++;
    return n;
}

/* The number of an example's own tokens that may stay beside `others` tokens of its input.  By head, max_tokens counts
 * the others, too. */
static size_t tokens_kept(const pb_encoder *enc, size_t others)
{
    int most = enc->conf->max_tokens - (enc->set->mode == PB_BY_HEAD ? (int)others : 0);
    int room = enc->positions - enc->answer_room - (int)others;
    most = most < room ? most : room;
    return most > 0 ? (size_t)most : 0;
}

/* Removes the ids [from,to). */
static void remove_ids(pb_ids *ids, size_t from, size_t to)
{
    memmove(ids->id + from, ids->id + to, (ids->count - to) * sizeof *ids->id);
    ids->count -= to - from;
}

/* Removes tokens from the end of the text in its input `ids` until it fits.  What an empty text's input has at its
 * beginning and its end is not a part of the text and stays.  A token that spans the end of the text and the template
 * stays, too.  Returns the number of tokens that the text had, and sets *cut if some were removed. */
static int truncate_text(const pb_encoder *enc, const pb_example *e, pb_ids *ids, bool *cut)
{
    size_t tail = common_end(ids, &enc->empty), end = ids->count - tail;
    size_t start = common_start(ids, &enc->empty, pb_min_size(ids->count, enc->empty.count) - tail);
    int length = (int)(end - start);
    *cut = end - start > tokens_kept(enc, ids->count - (end - start));
    if (!*cut)
        return length;
    pb_ids before = pb_encoder_part(enc, e, PB_TO_TEXTS_END);
    end = pb_min_size(end, common_start(ids, &before, pb_min_size(ids->count, before.count)));
    end = end > start ? end : start;
    pb_ids_free(&before);
    remove_ids(ids, start + pb_min_size(end - start, tokens_kept(enc, ids->count - (end - start))), end);
    return length;
}

/* Returns where in the input of a pair the tokens end that do not depend on what follows this part of it. */
static size_t end_of_part(const pb_encoder *enc, const pb_example *e, const pb_ids *ids, pb_template_extent extent)
{
    pb_ids part = pb_encoder_part(enc, e, extent);
    size_t end = common_start(ids, &part, pb_min_size(ids->count, part.count));
    pb_ids_free(&part);
    return end;
}

/* The same for a pair: the longer text loses tokens first.  The tokens of a text are those between the template before
 * it and the template after it; tokens that span both stay.  The length is theirs, whether or not some are cut. */
static int truncate_pair(const pb_encoder *enc, const pb_example *e, pb_ids *ids, bool *cut)
{
    size_t at[4]; /* begin and end of the text shown first, and of the other */
    for (int i = 0; i < 4; i++) {
        at[i] = end_of_part(enc, e, ids, (pb_template_extent)i);
        at[i] = i && at[i] < at[i - 1] ? at[i - 1] : at[i];
    }
    int first = enc->template.swapped ? 2 : 0;
    size_t was[2] = {at[first + 1] - at[first], at[3 - first] - at[2 - first]}, size[2] = {was[0], was[1]};
    pb_longest_first(size, tokens_kept(enc, ids->count - was[0] - was[1]));
    *cut = size[0] + size[1] < was[0] + was[1];
    for (int k = 2; k >= 0; k -= 2) /* from the end, so that the other places stay valid */
        remove_ids(ids, at[k] + size[k != first], at[k + 1]);
    return (int)(was[0] + was[1]);
}

/* ---- by head ---------------------------------------------------------------------------------------------- */

/* Appends the ids of an example with the special tokens of the tokenizer's file, at most `most` if it is not 0. */
static void encode_as_file_says(const pb_encoder *enc, const pb_example *e, int most, pb_ids *ids, pb_ids *type)
{
    int rc = e->second ? pb_tokenizer_encode_pair(enc->tokenizer, e->text, e->second, most, ids, type)
                       : pb_tokenizer_encode(enc->tokenizer, e->text, strlen(e->text), true, most, ids);
    if (rc)
        *enc->rc = -1;
}

/* By head, the input is nothing but the texts and the special tokens.  Sets *length to the number of both. */
static pb_ids encode_with_limit(const pb_encoder *enc, const pb_example *e, pb_ids *type, int *length)
{
    int most = enc->conf->max_tokens < enc->positions ? enc->conf->max_tokens : enc->positions;
    pb_ids ids = {0}, whole = {0}, types = {0}, unused = {0};
    encode_as_file_says(enc, e, most, &ids, type ? type : &types);
    if ((int)ids.count >= most)
        encode_as_file_says(enc, e, 0, &whole, &unused);
    *length = (int)(whole.count ? whole.count : ids.count);
    pb_ids_free(&whole);
    pb_ids_free(&types);
    pb_ids_free(&unused);
    return ids;
}

/* ---- both ------------------------------------------------------------------------------------------------- */

pb_ids pb_encoder_input(const pb_encoder *enc, const pb_example *e, pb_ids *type, int *length, bool *cut)
{
    pb_ids ids;
    if (enc->set->mode == PB_BY_HEAD && !enc->joined) {
        ids = encode_with_limit(enc, e, type, length);
        *cut = *length > (int)ids.count;
        return ids;
    }
    ids = pb_encoder_part(enc, e, PB_TO_ANSWER);
    size_t before = ids.count;
    *length = (e->second ? truncate_pair : truncate_text)(enc, e, &ids, cut);
    *length = enc->joined ? (int)before : *length; /* by head, special tokens count */
    return ids;
}
