/* decontamination: an open hash table of word 5- to 8-grams. */
#include "train/decontamination.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { LENGTHS = PB_DECONTAMINATION_GRAM - PB_DECONTAMINATION_SHORTEST + 1 };

struct pb_decontamination {
    uint64_t *slot; /* 0 = free; `slots` is a power of two, at most half of them taken */
    size_t slots, count;
    bool any[LENGTHS]; /* There is a sequence of this many words. */
};

/* The last words of a text, the newest at [(seen - 1) % PB_DECONTAMINATION_GRAM]. */
typedef struct window {
    uint64_t word[PB_DECONTAMINATION_GRAM];
    size_t seen;
} window;

static const uint64_t basis = 14695981039346656037u, prime = 1099511628211u; /* FNV-1a */

pb_decontamination *pb_decontamination_new(void)
{
    pb_decontamination *o = pb_alloc(sizeof *o);
    o->slots = 1024;
    o->slot = pb_alloc(o->slots * sizeof *o->slot);
    return o;
}

void pb_decontamination_free(pb_decontamination *o)
{
    if (o)
        free(o->slot);
    free(o);
}

size_t pb_decontamination_count(const pb_decontamination *o)
{
    return o->count;
}

/* ---- words ------------------------------------------------------------------------------------------- */

/* Returns the code point at `at` and sets its number of bytes.  A byte that is not UTF-8 separates words. */
static int32_t read_char(const char *at, size_t *bytes)
{
    int32_t c;
    utf8proc_ssize_t n = utf8proc_iterate((const uint8_t *)at, -1, &c);
    *bytes = n > 0 ? (size_t)n : 1;
    return n > 0 ? c : ' ';
}

static bool in_word(int32_t c)
{
    if (c < 128)
        return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
    utf8proc_category_t category = utf8proc_category(c);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO;
}

/* Returns the number of bytes of the "'t" of "n't" at `at`, or 0 if there is none. */
static size_t not_ending(const char *at)
{
    size_t quote = 0;
    if (*at == '\'')
        quote = 1;
    else if (!strncmp(at, "\u2019", 3))
        quote = 3;
    if (!quote || (at[quote] | 32) != 't')
        return 0;
    size_t bytes;
    return in_word(read_char(at + quote + 1, &bytes)) ? 0 : quote + 1;
}

static const char *skip_gap(const char *at)
{
    size_t bytes;
    while (*at && !in_word(read_char(at, &bytes)))
        at += bytes;
    return at;
}

/* Returns the hash of the next word and moves *at after it.  Returns 0 at the end of the text. */
static uint64_t next_word(const char **at)
{
    const char *p = skip_gap(*at), *first = p, *last = p;
    uint64_t hash = basis, before = basis;
    size_t bytes;
    for (int32_t c; in_word(c = read_char(p, &bytes)); p += bytes) {
        last = p;
        before = hash;
        hash = (hash ^ (uint64_t)utf8proc_tolower(c)) * prime;
    }
    size_t ending = (*last | 32) == 'n' ? not_ending(p) : 0;
    if (ending && last > first) { /* don|'t: up to the n */
        *at = last;
        return before;
    }
    *at = p + ending;
    return p > first ? hash | !hash : 0;
}

static uint64_t hash_ascii(const char *word)
{
    uint64_t hash = basis;
    for (; *word; word++)
        hash = (hash ^ (uint64_t)*word) * prime;
    return hash;
}

/* Moves the window by one word.  Returns false at the end of the text. */
static bool slide(window *w, const char **at)
{
    uint64_t word;
    do
        word = next_word(at);
    while (word == hash_ascii("lrb") || word == hash_ascii("rrb"));
    if (word)
        w->word[w->seen++ % PB_DECONTAMINATION_GRAM] = word;
    return word;
}

/* Returns the hash of the last n words of the window, which is never 0. */
static uint64_t last_words(const window *w, size_t n)
{
    uint64_t hash = n;
    for (size_t i = w->seen - n; i < w->seen; i++) {
        hash = (hash ^ w->word[i % PB_DECONTAMINATION_GRAM]) * prime;
        hash ^= hash >> 29; /* the low bits of FNV depend on low bits only */
    }
    return hash | !hash;
}

/* ---- the set ----------------------------------------------------------------------------------------- */

/* Returns the slot of the sequence, or the free slot where it belongs. */
static uint64_t *find_slot(const pb_decontamination *o, uint64_t gram)
{
    size_t i = gram & (o->slots - 1);
    while (o->slot[i] && o->slot[i] != gram)
        i = (i + 1) & (o->slots - 1);
    return &o->slot[i];
}

static void grow_table(pb_decontamination *o)
{
    uint64_t *old = o->slot;
    size_t n = o->slots;
    o->slots *= 2;
    o->slot = pb_alloc(o->slots * sizeof *o->slot);
    for (size_t i = 0; i < n; i++)
        if (old[i])
            *find_slot(o, old[i]) = old[i];
    free(old);
}

static void put_gram(pb_decontamination *o, const window *w, size_t n)
{
    uint64_t gram = last_words(w, n), *slot = find_slot(o, gram);
    o->any[n - PB_DECONTAMINATION_SHORTEST] = true;
    if (*slot)
        return;
    *slot = gram;
    if (++o->count * 2 > o->slots)
        grow_table(o);
}

void pb_decontamination_add(pb_decontamination *o, const char *text)
{
    window w = {.seen = 0};
    while (slide(&w, &text))
        if (w.seen >= PB_DECONTAMINATION_GRAM)
            put_gram(o, &w, PB_DECONTAMINATION_GRAM);
    if (w.seen >= PB_DECONTAMINATION_SHORTEST && w.seen < PB_DECONTAMINATION_GRAM)
        put_gram(o, &w, w.seen);
}

bool pb_decontamination_hits(const pb_decontamination *o, const char *text)
{
    window w = {.seen = 0};
    while (slide(&w, &text))
        for (size_t n = PB_DECONTAMINATION_SHORTEST; n <= PB_DECONTAMINATION_GRAM && n <= w.seen; n++)
            if (o->any[n - PB_DECONTAMINATION_SHORTEST] && *find_slot(o, last_words(&w, n)))
                return true;
    return false;
}

/* ---- files ------------------------------------------------------------------------------------------- */

static char *skip_label(char *line)
{
    char *end = line + strspn(line, "0123456789");
    return end > line && *end == ' ' ? end + 1 : line;
}

/* Ends `text` at its first tab or `||`.  Returns what follows, or NULL if there is neither. */
static char *cut_field(char *text)
{
    char *tab = strchr(text, '\t'), *bars = strstr(text, "||");
    char *at = tab && (!bars || tab < bars) ? tab : bars;
    if (!at)
        return NULL;
    *at = 0;
    return at + (at == tab ? 1 : 2);
}

int pb_decontamination_add_file(pb_decontamination *o, const char *path)
{
    char *bytes = pb_read_file(path, NULL);
    if (!bytes)
        return -1;
    for (char *line = bytes, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        for (char *field = skip_label(line), *rest; field; field = rest) {
            rest = cut_field(field);
            pb_decontamination_add(o, field);
        }
    }
    free(bytes);
    return 0;
}
