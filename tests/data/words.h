/* words: what the tests of the data sets ask of texts: the number of their words, and how alike two texts are. */
#ifndef PB_TESTS_WORDS_H
#define PB_TESTS_WORDS_H

#include "base/base.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Returns the number of words between spaces. */
static inline int words_count(const char *s)
{
    int n = 0;
    for (bool in = false; *s; s++) {
        n += *s != ' ' && !in;
        in = *s != ' ';
    }
    return n;
}

static inline int words_by_hash(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Fills word with the sorted hashes of a text's words in lower case, each once, of the first `most` words.  in_word says
 * which characters a word has.  Returns their number. */
static inline int words_hash(const char *text, int (*in_word)(int c), uint64_t *word, int most)
{
    int n = 0, kept = 0;
    while (*text) {
        uint64_t h = 14695981039346656037u;
        bool any = false;
        for (; *text && in_word((unsigned char)*text); text++, any = true)
            h = (h ^ (uint64_t)tolower((unsigned char)*text)) * 1099511628211u;
        if (any && n < most)
            word[n++] = h;
        text += *text && !in_word((unsigned char)*text);
    }
    qsort(word, (size_t)n, sizeof *word, words_by_hash);
    for (int i = 0; i < n; i++)
        if (!i || word[i] != word[kept - 1])
            word[kept++] = word[i];
    return kept;
}

/* Returns the share of the different words of two texts that both have; a [n] and b [m] as words_hash makes them. */
static inline double words_likeness(const uint64_t *a, int n, const uint64_t *b, int m)
{
    int i = 0, j = 0, common = 0;
    while (i < n && j < m) {
        if (a[i] == b[j])
            common++, i++, j++;
        else if (a[i] < b[j])
            i++;
        else
            j++;
    }
    int all = n + m - common;
    return all ? (double)common / all : 0;
}

/* Returns the index of a word in a list, or -1. */
static inline int words_member(const char *word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(word, list[i]))
            return (int)i;
    return -1;
}

#endif
