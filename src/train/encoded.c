/* encoded: see encoded.h. */
#include "train/encoded.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "train/encoded_internal.h"

/* Zhao et al. 2021, Calibrate before use, arXiv:2102.09690. */
static const char *const content_free[PB_CONTENT_FREE] = {"N/A", "[MASK]", ""};

pb_answer_mode pb_answer_mode_of(bool texts, const pb_prompting *prompting)
{
    return texts ? PB_BY_GENERATION : prompting ? PB_BY_VERBALIZER : PB_BY_HEAD;
}

pb_problem pb_problem_of(pb_answer_kind answers)
{
    return answers == PB_ANSWER_NUMBER   ? PB_PROBLEM_NUMBERS
           : answers == PB_ANSWER_LABELS ? PB_PROBLEM_LABELS
           : answers == PB_ANSWER_CHOICE ? PB_PROBLEM_CHOICES
           : answers == PB_ANSWER_CLASS  ? PB_PROBLEM_CLASS
                                         : PB_PROBLEM_ANY;
}

/* ---- the template ----------------------------------------------------------------------------------------- */

/* The default template: "Classify the text into negative, neutral or positive." */
static char *default_template(const pb_data *d)
{
    pb_text t = {0};
    if (d->answer_kind == PB_ANSWER_CHOICE)
        return pb_strdup("Question: {text}\nAnswer: {label}");
    for (int c = 0; c < d->classes; c++)
        pb_text_add(&t, "%s%s", !c ? "Classify the text into " : c + 1 < d->classes ? ", " : " or ", d->class_name[c]);
    if (d->pair[0])
        pb_text_add(&t, ".\nText 1: {%s}\nText 2: {%s}\nClass: {label}", d->pair[0], d->pair[1]);
    else
        pb_text_add(&t, "%s", d->classes ? ".\nText: {text}\nClass: {label}" : "{text}\n{label}");
    return t.data;
}

static int read_template(pb_encoder *enc)
{
    const pb_prompting *p = enc->conf->prompting;
    bool given = p && *p->template;
    enc->source = given                 ? pb_read_file(p->template, NULL)
                  : enc->data->template ? pb_strdup(enc->data->template)
                                        : default_template(enc->data);
    return enc->source
               ? pb_template_parse(given ? p->template : enc->data->name, enc->source, enc->data->pair, &enc->template)
               : -1;
}

/* ---- answers ------------------------------------------------------------------------------------------------ */

static void encode_verbalizers(pb_encoder *enc)
{
    pb_encoded *set = enc->set;
    set->verbalizer = pb_alloc((size_t)enc->data->classes * sizeof *set->verbalizer);
    set->single_token = true;
    for (int c = 0; c < enc->data->classes; c++) {
        set->verbalizer[c] = pb_encoder_answer(enc, enc->data->class_name[c], false);
        set->single_token = set->single_token && set->verbalizer[c].count == 1;
        enc->longest_answer = (int)set->verbalizer[c].count > enc->longest_answer ? (int)set->verbalizer[c].count
                                                                                  : enc->longest_answer;
    }
}

/* Numbers the choices of all questions of a split. */
static void list_choices(pb_encoded *set, pb_split s)
{
    int n = set->data->split[s].count;
    set->first[s] = pb_alloc((size_t)(n + 1) * sizeof *set->first[s]);
    for (int i = 0; i < n; i++)
        set->first[s][i + 1] = set->first[s][i] + set->data->split[s].example[i].choices;
    if (set->mode == PB_BY_VERBALIZER)
        set->choice[s] = pb_alloc((size_t)(set->first[s][n] + 1) * sizeof *set->choice[s]);
}

/* An example is an item; as text, each of its answers. */
static void list_items(pb_encoded *set, pb_split s)
{
    const pb_example *e = set->data->split[s].example;
    int n = set->data->split[s].count, items = 0;
    for (int i = 0; i < n; i++)
        items += set->mode == PB_BY_GENERATION ? e[i].answers : 1;
    set->item[s] = pb_alloc((size_t)(items + 1) * sizeof *set->item[s]);
    if (set->data->answer_kind == PB_ANSWER_CHOICE)
        list_choices(set, s);
    set->text[s] = pb_alloc((size_t)(pb_encoded_first(set, s, n) + 1) * sizeof *set->text[s]);
    set->length[s] = pb_alloc((size_t)(n + 1) * sizeof *set->length[s]);
    if (set->data->answer_kind == PB_ANSWER_TAGS) {
        set->target[s] = pb_alloc((size_t)(n + 1) * sizeof *set->target[s]);
        set->scored[s] = pb_alloc((size_t)(n + 1) * sizeof *set->scored[s]);
    }
    set->answer[s] = set->mode == PB_BY_GENERATION ? pb_alloc((size_t)(items + 1) * sizeof *set->answer[s]) : NULL;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < (set->mode == PB_BY_GENERATION ? e[i].answers : 1); k++)
            set->item[s][set->items[s]++] = (pb_item){i, k};
}

static void encode_answers(pb_encoder *enc, pb_split s)
{
    pb_encoded *set = enc->set;
    for (int i = 0; i < set->items[s]; i++) {
        const pb_item *it = &set->item[s][i];
        set->answer[s][i] = pb_encoder_answer(enc, enc->data->split[s].example[it->example].answer[it->answer], true);
        enc->longest_answer = (int)set->answer[s][i].count > enc->longest_answer ? (int)set->answer[s][i].count
                                                                                 : enc->longest_answer;
    }
}

/* ---- texts -------------------------------------------------------------------------------------------------- */

/* An example without content; of a pair, both texts are without content. */
static pb_example content_free_example(const pb_encoder *enc, const char *text)
{
    return (pb_example){.text = text, .second = pb_encoder_reads_pairs(enc) ? text : NULL};
}

static void encode_empty(pb_encoder *enc)
{
    pb_example nothing = content_free_example(enc, "");
    pb_ids_free(&enc->empty);
    enc->empty = pb_encoder_part(enc, &nothing, PB_TO_ANSWER);
}

/* Returns how many tokens may follow the input of example i: a question needs room for its own choices, whatever those
 * of other questions are. */
static int room_of_answer(const pb_encoder *enc, pb_split s, int i)
{
    const pb_encoded *set = enc->set;
    int longest = 0;
    if (!set->choice[s])
        return enc->longest_answer;
    for (int k = set->first[s][i]; k < set->first[s][i + 1]; k++)
        longest = (int)set->choice[s][k].count > longest ? (int)set->choice[s][k].count : longest;
    return longest;
}

/* Sets the input of example i.  Returns true if it was cut. */
static bool encode_example(pb_encoder *enc, pb_split s, int i)
{
    pb_encoded *set = enc->set;
    bool cut;
    enc->answer_room = room_of_answer(enc, s, i);
    if (set->target[s])
        return pb_encoder_sentence(enc, s, i);
    if (set->first[s] && set->mode == PB_BY_HEAD)
        return pb_encoder_pairs(enc, s, i);
    set->text[s][i] = pb_encoder_input(enc, &enc->data->split[s].example[i], set->type[s] ? &set->type[s][i] : NULL,
                                       &set->length[s][i], &cut);
    return cut;
}

/* Returns the number of tokens of the longest input. */
static int encode_split(pb_encoder *enc, pb_split s)
{
    pb_encoded *set = enc->set;
    int longest = 0, n = enc->data->split[s].count, inputs = pb_encoded_first(set, s, n);
    set->cut[s] = 0;
    for (int i = 0; i < inputs; i++)
        pb_ids_free(&set->text[s][i]);
    for (int i = 0; i < n; i++)
        set->cut[s] += encode_example(enc, s, i);
    for (int i = 0; i < inputs; i++)
        longest = (int)set->text[s][i].count > longest ? (int)set->text[s][i].count : longest;
    return longest;
}

/* The same for all splits.  The inputs are those behind the present front. */
static int encode_all(pb_encoder *enc)
{
    int longest = 0;
    encode_empty(enc);
    for (int s = 0; s < PB_SPLITS; s++) {
        int n = encode_split(enc, (pb_split)s);
        longest = n > longest ? n : longest;
    }
    enc->answer_room = enc->longest_answer;
    for (int i = 0; i < PB_CONTENT_FREE; i++) {
        int length;
        bool cut;
        pb_example e = content_free_example(enc, content_free[i]);
        pb_ids_free(&enc->set->content_free[i]);
        enc->set->content_free[i] = pb_encoder_input(enc, &e, NULL, &length, &cut);
    }
    return longest;
}

/* Returns the number of ids, at most `shared`, that `first` and `ids` begin with.  One id of each input stays in it. */
static size_t shorten_prefix(const pb_ids *first, const pb_ids *ids, size_t shared)
{
    size_t same = 0;
    while (same < shared && same + 1 < ids->count && ids->id[same] == first->id[same])
        same++;
    return same;
}

static void remove_start(pb_ids *ids, size_t n)
{
    ids->count -= n;
    if (n) /* an input without tokens has no list */
        memmove(ids->id, ids->id + n, ids->count * sizeof *ids->id);
}

/* Returns at most `shared`: the token before the first one that the assistant says predicts it, and stays. */
static size_t keep_said(const pb_ids *said, size_t shared)
{
    size_t first = 0;
    while (first < said->count && !said->id[first])
        first++;
    return first < said->count ? pb_min_size(shared, first ? first - 1 : 0) : shared;
}

/* Moves the ids that all inputs begin with into the shared prefix. */
static void split_prefix(pb_encoded *set)
{
    const pb_ids *first = &set->text[PB_TRAIN][0];
    size_t shared = first->count - 1;
    for (int s = 0; s < PB_SPLITS; s++)
        for (int i = 0; i < set->data->split[s].count; i++)
            shared =
                shorten_prefix(first, &set->text[s][i], set->said[s] ? keep_said(&set->said[s][i], shared) : shared);
    for (int i = 0; i < PB_CONTENT_FREE && !set->stopping; i++)
        shared = shorten_prefix(first, &set->content_free[i], shared);
    for (size_t i = 0; i < shared; i++)
        pb_ids_add(&set->prefix, first->id[i]);
    for (int s = 0; s < PB_SPLITS; s++)
        for (int i = 0; i < set->data->split[s].count; i++) {
            remove_start(&set->text[s][i], shared);
            if (set->said[s])
                remove_start(&set->said[s][i], shared);
        }
    for (int i = 0; i < PB_CONTENT_FREE && !set->stopping; i++)
        remove_start(&set->content_free[i], shared);
}

static double mean_extra_tokens(const pb_encoder *enc)
{
    double sum = 0;
    int n = enc->data->split[PB_VALIDATION].count;
    for (int i = 0; i < n; i++) {
        int text = pb_encoder_count(enc, &enc->data->split[PB_VALIDATION].example[i]);
        text = text < enc->limit ? text : enc->limit;
        sum += (double)(enc->set->prefix.count + enc->set->text[PB_VALIDATION][i].count) - text;
    }
    return n ? sum / n : 0;
}

static int refuse_empty(const pb_encoder *enc, pb_split s, int line)
{
    return pb_error("%s: %s: line %d: the text has no tokens, so that the model has nothing to read; want a text, or a "
                    "template with words of its own",
                    enc->data->name, pb_split_name[s], line);
}

/* Refuses an input without tokens: no position of it could predict an answer. */
static int check_inputs(const pb_encoder *enc)
{
    const pb_encoded *set = enc->set;
    for (int s = 0; s < PB_SPLITS; s++)
        for (int i = 0; i < enc->data->split[s].count; i++)
            if (!set->text[s][pb_encoded_first(set, (pb_split)s, i)].count ||
                (set->scored[s] && !set->scored[s][i].count))
                return refuse_empty(enc, (pb_split)s, enc->data->split[s].example[i].line);
    for (int s = 0; s < PB_SPLITS; s++)
        for (int i = 0; i < enc->data->split[s].count && set->choice[s]; i++)
            for (int k = set->first[s][i]; k < set->first[s][i + 1]; k++)
                if (!set->choice[s][k].count)
                    return refuse_empty(enc, (pb_split)s, enc->data->split[s].example[i].line);
    for (int i = 0; i < PB_CONTENT_FREE && set->mode == PB_BY_VERBALIZER && set->calibrate; i++)
        if (!set->content_free[i].count)
            return pb_error("%s: the template has no words, so that the content-free input '%s' of calibration has no "
                            "tokens; want a template with words of its own, or calibrate = no",
                            enc->data->name, content_free[i]);
    return 0;
}

int pb_encoded_check(const pb_data *d, const pb_model *m)
{
    const pb_tokenizer *t = pb_model_tokenizer(m);
    bool pairs = d->pair[0] || d->answer_kind == PB_ANSWER_CHOICE;
    return !pairs || !t || pb_model_is_causal(m) ? 0 : pb_tokenizer_check_pair(t);
}

int pb_encoded_check_prompting(const pb_data *d, const pb_prompting *p)
{
    if (p && d->answer_kind == PB_ANSWER_CHOICE && p->calibrate)
        return pb_error(
            "%s: calibrate: the prior of a class is the same for all texts, and each question has choices of "
            "its own; want calibrate = no",
            d->name);
    if (!p || (!d->class_weight && d->label_smoothing <= 0))
        return 0;
    pb_error("the loss of a head has it, and a row that answers with a verbalizer has none; want rows with a head");
    return pb_data_blame(d, d->class_weight ? "class_weights" : "label_smoothing");
}

/* By head, there is no template.  A decoder reads a pair that the tokenizer's file has no form for as one text of two
 * lines. */
static int start_head(pb_encoder *enc)
{
    const pb_slice none = {"", 0};
    enc->joined = pb_encoder_reads_pairs(enc) && !pb_tokenizer_has_pair(enc->tokenizer);
    enc->template = (pb_template){none, none, {"\n", 1}, none, none, none, false};
    if (enc->joined && pb_encoded_check(enc->data, enc->model))
        return -1;
    if (enc->joined)
        encode_empty(enc);
    return 0;
}

static int encode_for_head(pb_encoder *enc)
{
    if (start_head(enc))
        return -1;
    bool typed = pb_encoder_reads_pairs(enc) && !enc->joined && pb_model_token_types(enc->model);
    for (int s = 0; s < PB_SPLITS; s++) {
        int inputs = pb_encoded_first(enc->set, (pb_split)s, enc->data->split[s].count);
        if (typed)
            enc->set->type[s] = pb_alloc((size_t)(inputs + 1) * sizeof *enc->set->type[s]);
        encode_split(enc, (pb_split)s);
    }
    return *enc->rc ? -1 : check_inputs(enc);
}

int pb_encoded_pair(const pb_model *m, const char *first, const char *second, int limit, pb_ids *ids, pb_ids *type)
{
    char none[] = "";
    pb_encoded set = {.mode = PB_BY_HEAD};
    pb_data data = {.name = "stdin", .pair = {none, none}};
    pb_encoding conf = {.max_tokens = limit ? limit : INT_MAX};
    pb_example pair = {.text = first, .second = second};
    int rc = 0, length;
    bool cut;
    pb_encoder enc = {.set = &set, .data = &data, .model = m, .tokenizer = pb_model_tokenizer(m), .conf = &conf};
    enc.positions = conf.max_tokens;
    enc.rc = &rc;
    if (start_head(&enc))
        return -1;
    *ids = pb_encoder_input(&enc, &pair, pb_model_token_types(m) ? type : NULL, &length, &cut);
    pb_ids_free(&enc.empty);
    return rc;
}

static int encode_conversations(pb_encoder *enc)
{
    if (pb_encoder_conversations(enc) || *enc->rc || check_inputs(enc))
        return -1;
    split_prefix(enc->set);
    return 0;
}

static int encode_for_decoder(pb_encoder *enc)
{
    pb_encoded *set = enc->set;
    if (read_template(enc))
        return -1;
    pb_encoder_front(enc, NULL, 0);
    if (set->mode == PB_BY_VERBALIZER && !set->first[PB_TRAIN])
        encode_verbalizers(enc);
    for (int s = 0; s < PB_SPLITS && set->choice[s]; s++)
        pb_encoder_choices(enc, (pb_split)s);
    for (int s = 0; s < PB_SPLITS && set->mode == PB_BY_GENERATION; s++)
        encode_answers(enc, (pb_split)s);
    int room = set->mode == PB_BY_GENERATION ? set->decoding->max_new : 0;
    enc->longest_answer = room > enc->longest_answer ? room : enc->longest_answer;
    encode_empty(enc);
    int left = enc->positions - (int)enc->empty.count - enc->longest_answer;
    if (left < 1)
        return pb_error("%s: the template and the longest answer (%d tokens) fill the model's %d positions; want room "
                        "for a text",
                        enc->data->name, enc->longest_answer, enc->positions);
    enc->limit = left < enc->conf->max_tokens ? left : enc->conf->max_tokens;
    pb_encoder_shots(enc, encode_all(enc));
    if (set->shots)
        encode_all(enc); /* A token may span the end of the examples, so the inputs are encoded again after them. */
    if (*enc->rc || check_inputs(enc))
        return -1;
    split_prefix(set);
    set->extra_tokens = mean_extra_tokens(enc);
    return 0;
}

/* ---- creation ----------------------------------------------------------------------------------------------- */

static pb_encoded *new_set(const pb_data *d, pb_answer_mode mode)
{
    pb_encoded *set = pb_alloc(sizeof *set);
    *set = (pb_encoded){.data = d, .mode = mode, .handles = pb_alloc(sizeof *set->handles)};
    *set->handles = 1;
    for (int s = 0; s < PB_SPLITS; s++)
        list_items(set, (pb_split)s);
    return set;
}

pb_encoded *pb_encoded_new(const pb_data *d, const pb_model *m, const pb_encoding *c)
{
    const pb_prompting *p = c->prompting;
    const pb_tokenizer *t = pb_model_want_tokenizer(m);
    if (!t)
        return NULL;
    pb_data *part = c->examples ? pb_data_part(d, c->examples, c->seed) : NULL;
    if (part && part->balanced && pb_data_weigh(part, "balanced")) {
        pb_data_part_free(part);
        return NULL;
    }
    d = part ? part : d;
    pb_encoded *set = new_set(d, pb_answer_mode_of(!d->classes, p));
    int rc = 0;
    set->part = part;
    pb_encoder enc = {.set = set, .data = d, .model = m, .tokenizer = t, .conf = c, .rc = &rc};
    enc.positions = pb_model_max_tokens(m);
    enc.end = pb_model_config(m)->end[0];
    set->normalize = p && p->normalize;
    set->calibrate = p && p->calibrate;
    set->decoding = c->decoding;
    rc = pb_chat_open(m, t, d->chat ? d->chat : p ? p->chat : NULL, d->date, &enc.chat);
    if (rc || (set->mode == PB_BY_HEAD ? encode_for_head : d->chat ? encode_conversations : encode_for_decoder)(&enc))
        rc = -1;
    pb_chat_free(enc.chat);
    pb_text_free(&enc.front);
    pb_ids_free(&enc.empty);
    free(enc.source);
    if (!rc)
        return set;
    pb_encoded_free(set);
    return NULL;
}

static pb_ids zeros(int n)
{
    pb_ids ids = {0};
    while (n-- > 0)
        pb_ids_add(&ids, 0);
    return ids;
}

pb_encoded *pb_encoded_uniform(const pb_data *d, pb_answer_mode mode, int tokens)
{
    pb_encoded *set = new_set(d, mode);
    int answer = mode == PB_BY_GENERATION ? (tokens + 1) / 2 : 0;
    for (int s = 0; s < PB_SPLITS; s++) {
        for (int i = 0; i < pb_encoded_first(set, (pb_split)s, d->split[s].count); i++)
            set->text[s][i] = zeros(tokens - answer > 0 ? tokens - answer : 1);
        for (int i = 0; set->choice[s] && i < set->first[s][d->split[s].count]; i++)
            set->choice[s][i] = zeros(1);
        for (int i = 0; i < d->split[s].count && set->target[s]; i++) {
            set->target[s][i] = zeros((int)set->text[s][i].count);
            set->scored[s][i] = zeros((int)set->text[s][i].count);
        }
        for (int i = 0; i < set->items[s] && answer; i++)
            set->answer[s][i] = zeros(answer);
    }
    set->verbalizer = mode == PB_BY_VERBALIZER && !set->first[PB_TRAIN]
                          ? pb_alloc((size_t)d->classes * sizeof *set->verbalizer)
                          : NULL;
    for (int c = 0; c < d->classes && set->verbalizer; c++)
        set->verbalizer[c] = zeros(1);
    set->single_token = true;
    return set;
}

int pb_encoded_cache_prefix(pb_encoded *set, pb_model *m)
{
    if (!set->prefix.count || set->prefix_cached)
        return 0;
    set->prefix_cached = true;
    return pb_model_cache_prefix(m, set->prefix.id, (int)set->prefix.count);
}

static void free_list(pb_ids *list, int n)
{
    for (int i = 0; list && i < n; i++)
        pb_ids_free(&list[i]);
    free(list);
}

pb_encoded *pb_encoded_share(pb_encoded *set)
{
    pb_encoded *other = pb_alloc(sizeof *other);
    *other = *set;
    other->prefix_cached = false;
    ++*set->handles;
    return other;
}

static void free_examples(pb_encoded *set)
{
    for (int s = 0; s < PB_SPLITS; s++) {
        int n = set->data->split[s].count, inputs = pb_encoded_first(set, (pb_split)s, n);
        free_list(set->text[s], inputs);
        free_list(set->type[s], inputs);
        free_list(set->choice[s], set->first[s] ? set->first[s][n] : 0);
        free(set->first[s]);
        free_list(set->said[s], n);
        free_list(set->target[s], n);
        free_list(set->scored[s], n);
        free(set->length[s]);
        free_list(set->answer[s], set->items[s]);
        free(set->item[s]);
    }
    free_list(set->verbalizer, set->data->classes);
    for (int i = 0; i < PB_CONTENT_FREE; i++)
        pb_ids_free(&set->content_free[i]);
    pb_ids_free(&set->prefix);
    free(set->stopping);
    free(set->stop);
    pb_data_part_free(set->part);
    free(set->handles);
}

void pb_encoded_free(pb_encoded *set)
{
    if (set && !--*set->handles)
        free_examples(set);
    free(set);
}
