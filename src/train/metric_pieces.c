/* metric_pieces: see metric_internal.h. */
#include "train/metric_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"

/* ---- pieces -------------------------------------------------------------------------------------------- */

void pb_pieces_add_character(pb_pieces *p, const char *character, size_t n)
{
    pb_grow(&p->at, (size_t)p->count, &p->capacity, sizeof *p->at);
    p->at[p->count].begin = p->text.length;
    pb_text_bytes(&p->text, character, n);
    p->at[p->count++].end = p->text.length;
}

void pb_pieces_add_word(pb_pieces *p, const char *word, size_t n)
{
    if (p->count)
        pb_text_bytes(&p->text, " ", 1);
    pb_pieces_add_character(p, word, n);
}

void pb_pieces_free(pb_pieces *p)
{
    pb_text_free(&p->text);
    free(p->at);
    *p = (pb_pieces){0};
}

pb_pieces *pb_cut_each(pb_cutter cut, const char *const *text, int count)
{
    PB_CHECK(count > 0);
    pb_pieces *p = pb_alloc((size_t)count * sizeof *p);
    for (int i = 0; i < count; i++)
        p[i] = cut(text[i]);
    return p;
}

void pb_pieces_free_each(pb_pieces *p, int count)
{
    for (int i = 0; i < count; i++)
        pb_pieces_free(&p[i]);
    free(p);
}

int pb_rows_of(int pieces, int n)
{
    return pieces >= n ? pieces - n + 1 : 0;
}

int pb_nearest_length(const pb_pieces *p, int count, int length)
{
    int best = p[0].count;
    for (int i = 1; i < count; i++) {
        int farther = abs(p[i].count - length) - abs(best - length);
        if (farther < 0 || (farther == 0 && p[i].count < best))
            best = p[i].count;
    }
    return best;
}

/* ---- characters ---------------------------------------------------------------------------------------- */

size_t pb_white_space_length(const char *text)
{
    int32_t c;
    size_t n = pb_utf8_next(text, strnlen(text, 4), &c);
    bool separator = c >= 0x1C && c <= 0x1F; /* white space to Python, not to Unicode */
    return *text && (separator || pb_utf8_is_space(c)) ? n : 0;
}

const char *pb_trimmed(const char *text, size_t *n)
{
    for (size_t blank; (blank = pb_white_space_length(text));)
        text += blank;
    *n = 0;
    for (size_t i = 0, blank; text[i]; i += blank ? blank : 1)
        if (!(blank = pb_white_space_length(text + i)))
            *n = i + 1;
    return text;
}

/* The Turkish I with a dot is the only letter whose lower case has two characters. */
char *pb_lower(const char *text)
{
    pb_text lower = {0};
    pb_text_bytes(&lower, "", 0);
    while (*text) {
        int32_t c;
        size_t n = pb_utf8_next(text, strnlen(text, 4), &c);
        if (c == 0x130)
            pb_text_bytes(&lower, "i\u0307", 3);
        else if (c == 0xFFFD) /* may stand for a byte that is not UTF-8 */
            pb_text_bytes(&lower, text, n);
        else
            pb_utf8_add(&lower, utf8proc_tolower(c));
        text += n;
    }
    return lower.data;
}

pb_pieces pb_cut_blanks(const char *text)
{
    pb_pieces p = {0};
    while (*text) {
        size_t blank, n = 0;
        while ((blank = pb_white_space_length(text)))
            text += blank;
        while (text[n] && !pb_white_space_length(text + n))
            n++;
        if (n)
            pb_pieces_add_word(&p, text, n);
        text += n;
    }
    return p;
}

pb_pieces pb_cut_characters(const char *text)
{
    pb_pieces p = {0};
    for (size_t n; *text; text += n) {
        int32_t c;
        n = pb_utf8_next(text, strnlen(text, 4), &c);
        if (!pb_white_space_length(text))
            pb_pieces_add_character(&p, text, n);
    }
    return p;
}

/* ---- grams --------------------------------------------------------------------------------------------- */

void pb_grams_free(pb_grams *g)
{
    pb_interner_free(&g->which);
    free(g->number);
    *g = (pb_grams){0};
}

double *pb_grams_at(pb_grams *g, const char *gram, size_t size)
{
    int known = g->which.count, i = pb_interner_add(&g->which, gram, size);
    pb_grow(&g->number, (size_t)i, &g->capacity, sizeof *g->number);
    if (i == known)
        g->number[i] = 0;
    return &g->number[i];
}

double pb_grams_get(const pb_grams *g, const char *gram, size_t size)
{
    int i = pb_interner_find(&g->which, gram, size);
    return i < 0 ? 0 : g->number[i];
}

void pb_grams_count(pb_grams *g, const pb_pieces *p, int n)
{
    for (int i = 0; i + n <= p->count; i++) {
        size_t begin = p->at[i].begin;
        ++*pb_grams_at(g, p->text.data + begin, p->at[i + n - 1].end - begin);
    }
}

pb_grams pb_grams_of(const pb_pieces *p, int n)
{
    pb_grams g = {0};
    pb_grams_count(&g, p, n);
    return g;
}

pb_grams pb_grams_most(const pb_pieces *p, int count, int n)
{
    pb_grams most = {0};
    for (int i = 0; i < count; i++) {
        pb_grams one = pb_grams_of(&p[i], n);
        for (int k = 0; k < one.which.count; k++) {
            size_t size;
            const char *gram = pb_interner_text(&one.which, k, &size);
            double *number = pb_grams_at(&most, gram, size);
            *number = fmax(*number, one.number[k]);
        }
        pb_grams_free(&one);
    }
    return most;
}

double pb_grams_sum(const pb_grams *g)
{
    double sum = 0;
    for (int i = 0; i < g->which.count; i++)
        sum += g->number[i];
    return sum;
}

double pb_grams_common(const pb_grams *a, const pb_grams *b)
{
    double sum = 0;
    for (int i = 0; i < a->which.count; i++) {
        size_t size;
        const char *gram = pb_interner_text(&a->which, i, &size);
        sum += fmin(a->number[i], pb_grams_get(b, gram, size));
    }
    return sum;
}
