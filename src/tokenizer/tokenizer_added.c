/* tokenizer_added: the added tokens of a tokenizer.json, which are found in a text before the rest is split into
 * words. */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "tokenizer/tokenizer_internal.h"

/* ---- reading --------------------------------------------------------------------------------------------- */

int pb_added_tokens_read(pb_tokenizer *t, const pb_json *list)
{
    t->added_count = pb_json_size(list);
    t->added = pb_alloc((t->added_count + 1) * sizeof *t->added);
    t->added_of = pb_alloc((size_t)t->tokens * sizeof *t->added_of);
    memset(t->added_of, -1, (size_t)t->tokens * sizeof *t->added_of);
    for (size_t i = 0; i < t->added_count; i++) {
        const pb_json *entry = pb_json_at(list, i);
        pb_added_token *a = &t->added[i];
        a->content = pb_json_text(pb_json_get(entry, "content"), "");
        a->size = strlen(a->content);
        a->id = (int)pb_json_integer(pb_json_get(entry, "id"), -1);
        a->single_word = pb_json_bool(pb_json_get(entry, "single_word"), false);
        a->lstrip = pb_json_bool(pb_json_get(entry, "lstrip"), false);
        a->rstrip = pb_json_bool(pb_json_get(entry, "rstrip"), false);
        a->special = pb_json_bool(pb_json_get(entry, "special"), false);
        a->normalized = pb_json_bool(pb_json_get(entry, "normalized"), false);
        if (pb_tokenizer_keep(t, a->content, a->id))
            return -1;
        pb_index_put(&t->written, a->content, a->size, a->id);
        if (t->added_of[a->id] < 0)
            t->added_of[a->id] = (int)i;
    }
    return 0;
}

/* ---- finding by content ---------------------------------------------------------------------------------- */

static int longer_first(const void *x, const void *y)
{
    const size_t *a = x, *b = y;
    return *a < *b ? 1 : *a > *b ? -1 : 0;
}

/* If several added tokens have the same content, the first is found. */
static void fill_search(pb_tokenizer *t, bool normalized)
{
    pb_added_token_search *x = &t->search[normalized];
    size_t different = 0;
    x->size = pb_alloc((t->added_count + 1) * sizeof *x->size);
    for (size_t i = 0; i < t->added_count; i++) {
        const pb_added_token *a = &t->added[i];
        if (a->normalized != normalized || !a->size)
            continue;
        pb_index_put(&x->content, a->content, a->size, (int)i);
        x->begin[(unsigned char)a->content[0]] = true;
        x->size[x->sizes++] = a->size;
    }
    qsort(x->size, x->sizes, sizeof *x->size, longer_first);
    for (size_t i = 0; i < x->sizes; i++)
        if (!different || x->size[different - 1] != x->size[i])
            x->size[different++] = x->size[i];
    x->sizes = different;
}

/* A token that is searched in normalized text is searched by its normalized content. */
int pb_added_tokens_index(pb_tokenizer *t)
{
    for (size_t i = 0; i < t->added_count; i++) {
        if (!t->added[i].normalized)
            continue;
        pb_text text = {0};
        int rc = pb_normalizer_run(t, t->added[i].content, t->added[i].size, &text, NULL);
        t->added[i].size = text.length;
        t->added[i].content = t->added[i].owned = text.data;
        if (rc)
            return rc;
    }
    fill_search(t, false);
    fill_search(t, true);
    return 0;
}

void pb_added_tokens_free(pb_tokenizer *t)
{
    for (size_t i = 0; i < t->added_count; i++)
        free(t->added[i].owned);
    for (size_t i = 0; i < PB_COUNT(t->search); i++) {
        pb_index_free(&t->search[i].content);
        free(t->search[i].size);
    }
    pb_index_free(&t->written);
    free(t->added_of);
    free(t->added);
}

/* Returns the longest added token at the beginning of the text, or NULL if there is none. */
static const pb_added_token *added_at(const pb_tokenizer *t, const char *text, size_t size, bool normalized)
{
    const pb_added_token_search *x = &t->search[normalized];
    for (size_t i = 0; i < x->sizes; i++) {
        int found = x->size[i] <= size ? pb_index_find(&x->content, text, x->size[i]) : -1;
        if (found >= 0)
            return &t->added[found];
    }
    return NULL;
}

static bool is_word(int32_t c)
{
    utf8proc_category_t category = utf8proc_category(c);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) || category == UTF8PROC_CATEGORY_PC;
}

static size_t step_back(const char *text, size_t at, int32_t *c)
{
    size_t from = at - 1;
    while (from && at - from < 4 && (text[from] & 0xC0) == 0x80)
        from--;
    pb_utf8_next(text + from, at - from, c);
    return from;
}

static bool stands_alone(const char *text, size_t size, size_t from, size_t to)
{
    int32_t c;
    if (from && (step_back(text, from, &c), is_word(c)))
        return false;
    return to == size || (pb_utf8_next(text + to, size - to, &c), !is_word(c));
}

const pb_added_token *pb_added_token_next(const pb_tokenizer *t, const char *text, size_t size, size_t from,
                                          bool normalized, size_t *begin, size_t *end)
{
    for (size_t at = from; at < size; at++) {
        bool may = t->search[normalized].begin[(unsigned char)text[at]];
        const pb_added_token *a = may ? added_at(t, text + at, size - at, normalized) : NULL;
        if (!a)
            continue;
        *begin = at;
        *end = at + a->size;
        if (a->single_word && !stands_alone(text, size, *begin, *end)) {
            at = *end - 1;
            continue;
        }
        int32_t c;
        for (size_t b; a->lstrip && *begin > from && (b = step_back(text, *begin, &c), pb_utf8_is_space(c));)
            *begin = b;
        for (size_t n;
             a->rstrip && *end < size && (n = pb_utf8_next(text + *end, size - *end, &c), pb_utf8_is_space(c));)
            *end += n;
        return a;
    }
    return NULL;
}
