/* encoded: see encoded.h. */
#include "train/encoded.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "model/chat.h"
#include "train/template.h"

/* Zhao et al. 2021, Calibrate before use, arXiv:2102.09690. */
static const char *const blank_text[PB_CONTENT_FREE] = {"N/A", "[MASK]", ""};

pb_reading pb_encoded_reading(bool texts, const pb_prompting *prompting)
{
    return texts ? PB_BY_TEXT : prompting ? PB_BY_WORDS : PB_BY_HEAD;
}

/* What is at hand while a form is made. */
typedef struct writer {
    pb_encoded *form;
    const pb_data *data;
    const pb_model *model;
    const pb_tokenizer *tokenizer;
    const pb_chat *chat; /* NULL: none                      */
    const pb_encoding *conf;
    char *text; /* the template's, owned */
    pb_template template;
    int positions; /* of the model, for a text with its answer */
    int end;       /* the token that ends a text               */
    int limit;     /* tokens of a text                         */
    int longest;   /* tokens of an answer                      */
    pb_text front; /* what is written in front of every example */
    int *rc;       /* becomes -1 when a text cannot be encoded  */
} writer;

/* ---- the template ----------------------------------------------------------------------------------------- */

/* "Classify the text into negative, neutral or positive." */
static char *usual_template(const pb_data *d)
{
    pb_text t = {0};
    for (int c = 0; c < d->classes; c++)
        pb_text_add(&t, "%s%s", !c ? "Classify the text into " : c + 1 < d->classes ? ", " : " or ", d->class_name[c]);
    pb_text_add(&t, "%s", d->classes ? ".\nText: {text}\nClass: {label}" : "{text}\n{label}");
    return t.data;
}

static int take_template(writer *w)
{
    const pb_prompting *p = w->conf->prompting;
    bool own = p && *p->template;
    w->text = own                 ? pb_read_file(p->template, NULL)
              : w->data->template ? pb_strdup(w->data->template)
                                  : usual_template(w->data);
    return w->text ? pb_template_parse(own ? p->template : w->data->name, w->text, &w->template) : -1;
}

/* ---- tokens ----------------------------------------------------------------------------------------------- */

static pb_ids encode(const writer *w, const char *text, size_t size, bool special)
{
    pb_ids ids = {0};
    if (pb_tokenizer_encode(w->tokenizer, text, size, special, 0, &ids))
        *w->rc = -1;
    return ids;
}

/* What an answer adds behind the template's middle: " positive" -> [3967]. */
static pb_ids encode_answer(const writer *w, const char *answer, bool ends)
{
    const pb_template *t = &w->template;
    pb_text whole = {0};
    pb_text_bytes(&whole, t->middle.at, w->chat ? 0 : (size_t)t->middle.size); /* an assistant's turn is new */
    pb_ids before = encode(w, whole.data ? whole.data : "", whole.length, false);
    size_t from = whole.length;
    pb_text_bytes(&whole, t->lead.at, w->chat ? 0 : (size_t)t->lead.size);
    pb_text_bytes(&whole, answer, strlen(answer));
    pb_ids all = encode(w, whole.data, whole.length, false), out = {0};
    size_t same = before.count;
    if (all.count <= same || memcmp(all.id, before.id, same * sizeof *all.id) != 0) {
        pb_ids_free(&all); /* the answer's first letters melt into the template's last */
        all = encode(w, whole.data + from, whole.length - from, false);
        same = 0;
    }
    for (size_t i = same; i < all.count; i++)
        pb_ids_add(&out, all.id[i]);
    if (ends && w->end >= 0)
        pb_ids_add(&out, w->end);
    pb_ids_free(&before);
    pb_ids_free(&all);
    pb_text_free(&whole);
    return out;
}

/* front + template(text), tokenized. */
static pb_ids encode_text(const writer *w, const char *text)
{
    pb_text whole = {0};
    pb_text_bytes(&whole, w->front.data ? w->front.data : "", w->front.length);
    pb_template_write(&w->template, text, NULL, &whole);
    pb_ids ids = {0};
    if (w->chat && pb_chat_encode(w->model, w->chat, NULL, whole.data, whole.length, &ids))
        *w->rc = -1;
    else if (!w->chat)
        ids = encode(w, whole.data, whole.length, true);
    pb_text_free(&whole);
    return ids;
}

/* The text's first `limit` tokens, as text; caller frees. */
static char *cut(const writer *w, const char *text)
{
    pb_ids ids = encode(w, text, strlen(text), false);
    pb_text kept = {0};
    if ((int)ids.count > w->limit)
        pb_tokenizer_decode(w->tokenizer, ids.id, (size_t)w->limit, true, &kept);
    bool whole = (int)ids.count <= w->limit;
    pb_ids_free(&ids);
    return whole ? pb_strdup(text) : kept.data ? kept.data : pb_strdup("");
}

/* ---- answers ------------------------------------------------------------------------------------------------ */

static void encode_words(writer *w)
{
    pb_encoded *f = w->form;
    f->word = pb_alloc((size_t)w->data->classes * sizeof *f->word);
    f->single = true;
    for (int c = 0; c < w->data->classes; c++) {
        f->word[c] = encode_answer(w, w->data->class_name[c], false);
        f->single = f->single && f->word[c].count == 1;
        w->longest = (int)f->word[c].count > w->longest ? (int)f->word[c].count : w->longest;
    }
}

/* An example is an item; as text, each of its answers. */
static void list_items(pb_encoded *f, pb_split s)
{
    const pb_example *e = f->data->split[s].example;
    int n = f->data->split[s].count, items = 0;
    for (int i = 0; i < n; i++)
        items += f->reading == PB_BY_TEXT ? e[i].answers : 1;
    f->item[s] = pb_alloc((size_t)(items + 1) * sizeof *f->item[s]);
    f->text[s] = pb_alloc((size_t)(n + 1) * sizeof *f->text[s]);
    f->answer[s] = f->reading == PB_BY_TEXT ? pb_alloc((size_t)(items + 1) * sizeof *f->answer[s]) : NULL;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < (f->reading == PB_BY_TEXT ? e[i].answers : 1); k++)
            f->item[s][f->items[s]++] = (pb_item){i, k};
}

static void encode_answers(writer *w, pb_split s)
{
    pb_encoded *f = w->form;
    for (int i = 0; i < f->items[s]; i++) {
        const pb_item *it = &f->item[s][i];
        f->answer[s][i] = encode_answer(w, w->data->split[s].example[it->example].answer[it->answer], true);
        w->longest = (int)f->answer[s][i].count > w->longest ? (int)f->answer[s][i].count : w->longest;
    }
}

/* ---- examples in front (few-shot) --------------------------------------------------------------------------- */

/* k training examples, as many of each class as possible, in an order by the seed. */
static int draw_shots(const pb_data *d, int k, uint64_t seed, int *shot)
{
    int n = d->split[PB_TRAIN].count, groups = d->classes ? d->classes : 1, drawn = 0;
    pb_rng r = pb_rng_named(seed, "shots");
    int *order = pb_alloc((size_t)(n + 1) * sizeof *order), *next = pb_alloc((size_t)groups * sizeof *next);
    for (int i = 0; i < n; i++)
        order[i] = i;
    pb_rng_shuffle(&r, order, n);
    for (int turn = 0, idle = 0; drawn < k && idle < groups; turn++) {
        int class = turn % groups, *at = &next[class];
        while (*at < n && d->classes && d->split[PB_TRAIN].example[order[*at]].label != class)
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

static void write_shot(writer *w, const pb_example *e)
{
    char *text = cut(w, e->text);
    pb_template_write(&w->template, text, e->label < 0 ? e->answer[0] : w->data->class_name[e->label], &w->front);
    pb_text_add(&w->front, "\n\n");
    free(text);
}

/* The template's head and the first n shots. */
static void write_front(writer *w, const int *shot, int n)
{
    pb_text_free(&w->front);
    pb_text_bytes(&w->front, w->template.once.at, (size_t)w->template.once.size);
    for (int i = 0; i < n; i++)
        write_shot(w, &w->data->split[PB_TRAIN].example[shot[i]]);
}

static int front_tokens(const writer *w)
{
    pb_ids ids = encode(w, w->front.data ? w->front.data : "", w->front.length, true);
    int n = (int)ids.count;
    pb_ids_free(&ids);
    return n;
}

/* Do the first n shots leave room for the longest example and its answer; `once`: tokens of the template's head. */
static bool is_room(writer *w, const int *shot, int n, int once, int longest)
{
    write_front(w, shot, n);
    return front_tokens(w) - once + longest + w->longest <= w->positions;
}

/* As many of the shots as there is room for, found by halving. */
static void fill_front(writer *w, int longest)
{
    pb_encoded *f = w->form;
    int k = w->conf->prompting ? w->conf->prompting->shots : 0;
    int *shot = pb_alloc((size_t)(k + 1) * sizeof *shot), drawn = draw_shots(w->data, k, w->conf->seed, shot);
    write_front(w, shot, 0);
    int once = front_tokens(w);
    for (int most = drawn; f->shots < most;) {
        int middle = (f->shots + most + 1) / 2;
        if (is_room(w, shot, middle, once, longest))
            f->shots = middle;
        else
            most = middle - 1;
    }
    write_front(w, shot, f->shots);
    f->dropped = k - f->shots;
    free(shot);
}

/* ---- texts -------------------------------------------------------------------------------------------------- */

static int encode_split(writer *w, pb_split s)
{
    int longest = 0;
    for (int i = 0; i < w->data->split[s].count; i++) {
        char *text = cut(w, w->data->split[s].example[i].text);
        pb_ids *ids = &w->form->text[s][i];
        pb_ids_free(ids);
        *ids = encode_text(w, text);
        longest = (int)ids->count > longest ? (int)ids->count : longest;
        free(text);
    }
    return longest;
}

static int encode_all(writer *w)
{
    int longest = 0;
    for (int s = 0; s < PB_SPLITS; s++) {
        int n = encode_split(w, (pb_split)s);
        longest = n > longest ? n : longest;
    }
    for (int i = 0; i < PB_CONTENT_FREE; i++) {
        pb_ids_free(&w->form->blank[i]);
        w->form->blank[i] = encode_text(w, blank_text[i]);
    }
    return longest;
}

/* Shortens `shared`, the number of ids that all texts so far begin with; one id of each text stays. */
static size_t common(const pb_ids *first, const pb_ids *ids, size_t shared)
{
    size_t same = 0;
    while (same < shared && same + 1 < ids->count && ids->id[same] == first->id[same])
        same++;
    return same;
}

static void take_off(pb_ids *ids, size_t n)
{
    ids->count -= n;
    memmove(ids->id, ids->id + n, ids->count * sizeof *ids->id);
}

/* What all texts begin with becomes the prompt: so a prompt that is held gives the ids of the whole. */
static void split_prompt(pb_encoded *f)
{
    const pb_ids *first = &f->text[PB_TRAIN][0];
    size_t shared = first->count - 1;
    for (int s = 0; s < PB_SPLITS; s++)
        for (int i = 0; i < f->data->split[s].count; i++)
            shared = common(first, &f->text[s][i], shared);
    for (int i = 0; i < PB_CONTENT_FREE; i++)
        shared = common(first, &f->blank[i], shared);
    for (size_t i = 0; i < shared; i++)
        pb_ids_add(&f->prompt, first->id[i]);
    for (int s = 0; s < PB_SPLITS; s++)
        for (int i = 0; i < f->data->split[s].count; i++)
            take_off(&f->text[s][i], shared);
    for (int i = 0; i < PB_CONTENT_FREE; i++)
        take_off(&f->blank[i], shared);
}

static double extra_tokens(const writer *w)
{
    double sum = 0;
    int n = w->data->split[PB_VALIDATION].count;
    for (int i = 0; i < n; i++) {
        const char *text = w->data->split[PB_VALIDATION].example[i].text;
        pb_ids ids = encode(w, text, strlen(text), false);
        int own = (int)ids.count < w->limit ? (int)ids.count : w->limit;
        sum += (double)(w->form->prompt.count + w->form->text[PB_VALIDATION][i].count) - own;
        pb_ids_free(&ids);
    }
    return n ? sum / n : 0;
}

static int write_all(writer *w)
{
    pb_encoded *f = w->form;
    if (take_template(w))
        return -1;
    if (f->reading == PB_BY_WORDS)
        encode_words(w);
    for (int s = 0; s < PB_SPLITS && f->reading == PB_BY_TEXT; s++)
        encode_answers(w, (pb_split)s);
    int room = f->reading == PB_BY_TEXT ? f->decoding->max_new : 0;
    w->longest = room > w->longest ? room : w->longest;
    write_front(w, NULL, 0);
    pb_ids frame = encode_text(w, "");
    int left = w->positions - (int)frame.count - w->longest;
    pb_ids_free(&frame);
    if (left < 1)
        return pb_error("%s: the template and the longest answer (%d tokens) fill the model's %d positions; want room "
                        "for a text",
                        w->data->name, w->longest, w->positions);
    w->limit = left < w->conf->max_tokens ? left : w->conf->max_tokens;
    fill_front(w, encode_all(w));
    if (f->shots)
        encode_all(w); /* behind them */
    split_prompt(f);
    f->extra = extra_tokens(w);
    return 0;
}

/* ---- life --------------------------------------------------------------------------------------------------- */

static int read_by_head(pb_encoded *f, const pb_tokenizer *t, int limit)
{
    for (int s = 0; s < PB_SPLITS; s++)
        for (int i = 0; i < f->data->split[s].count; i++) {
            const char *text = f->data->split[s].example[i].text;
            if (pb_tokenizer_encode(t, text, strlen(text), true, limit, &f->text[s][i]))
                return -1;
        }
    return 0;
}

static pb_encoded *new_form(const pb_data *d, pb_reading reading)
{
    pb_encoded *f = pb_alloc(sizeof *f);
    *f = (pb_encoded){.data = d, .reading = reading};
    for (int s = 0; s < PB_SPLITS; s++)
        list_items(f, (pb_split)s);
    return f;
}

pb_encoded *pb_encoded_new(const pb_data *d, const pb_model *m, const pb_tokenizer *t, const pb_encoding *c)
{
    const pb_prompting *p = c->prompting;
    pb_encoded *f = new_form(d, pb_encoded_reading(!d->classes, p));
    int rc = 0;
    writer w = {.form = f, .data = d, .model = m, .tokenizer = t, .conf = c, .rc = &rc};
    w.positions = pb_model_max_tokens(m);
    w.end = pb_model_config(m)->end[0];
    f->normalize = p && p->normalize;
    f->calibrate = p && p->calibrate;
    f->decoding = c->decoding;
    rc = p ? pb_chat_find(m, p->chat, &w.chat) : 0;
    if (!rc && f->reading == PB_BY_HEAD)
        rc = read_by_head(f, t, c->max_tokens < w.positions ? c->max_tokens : w.positions);
    else if (rc || write_all(&w))
        rc = -1;
    pb_text_free(&w.front);
    free(w.text);
    if (!rc)
        return f;
    pb_encoded_free(f);
    return NULL;
}

static pb_ids zeros(int n)
{
    pb_ids ids = {0};
    while (n-- > 0)
        pb_ids_add(&ids, 0);
    return ids;
}

pb_encoded *pb_encoded_even(const pb_data *d, pb_reading reading, int tokens)
{
    pb_encoded *f = new_form(d, reading);
    int answer = reading == PB_BY_TEXT ? (tokens + 1) / 2 : 0;
    for (int s = 0; s < PB_SPLITS; s++) {
        for (int i = 0; i < d->split[s].count; i++)
            f->text[s][i] = zeros(tokens - answer > 0 ? tokens - answer : 1);
        for (int i = 0; i < f->items[s] && answer; i++)
            f->answer[s][i] = zeros(answer);
    }
    f->word = reading == PB_BY_WORDS ? pb_alloc((size_t)d->classes * sizeof *f->word) : NULL;
    for (int c = 0; c < d->classes && f->word; c++)
        f->word[c] = zeros(1);
    f->single = true;
    return f;
}

int pb_encoded_cache_prefix(pb_encoded *f, pb_model *m)
{
    if (!f->prompt.count || f->held)
        return 0;
    f->held = true;
    return pb_model_cache_prefix(m, f->prompt.id, (int)f->prompt.count);
}

static void free_list(pb_ids *list, int n)
{
    for (int i = 0; list && i < n; i++)
        pb_ids_free(&list[i]);
    free(list);
}

void pb_encoded_free(pb_encoded *f)
{
    if (!f)
        return;
    for (int s = 0; s < PB_SPLITS; s++) {
        free_list(f->text[s], f->data->split[s].count);
        free_list(f->answer[s], f->items[s]);
        free(f->item[s]);
    }
    free_list(f->word, f->data->classes);
    for (int i = 0; i < PB_CONTENT_FREE; i++)
        pb_ids_free(&f->blank[i]);
    pb_ids_free(&f->prompt);
    free(f);
}
