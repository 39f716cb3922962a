/* The slot error rate (Wen et al. 2015): (p + q) / N for a meaning representation with N slots, of which p are
 * missing from the text, and q values in the text that it does not have.
 *
 * A slot is in the text if its value or another form of it is, as whole words in any case.  The values that can be
 * wrong are those of the other examples' sources and their forms.  A wrong value counts once, and only where its
 * words do not belong to a slot of the example's own source. */
#include "train/metric_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"

enum { MISSING, WRONG, SLOTS, STATS };

/* ---- words --------------------------------------------------------------------------------------------- */

typedef enum { PARTS, LETTER, DIGIT, SIGN } kind;

static kind kind_at(const char *p, size_t *n)
{
    int32_t c;
    *n = pb_utf8_next(p, strnlen(p, 4), &c);
    utf8proc_category_t category = utf8proc_category(c);
    if (category == UTF8PROC_CATEGORY_ND)
        return DIGIT;
    if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO)
        return LETTER;
    return category >= UTF8PROC_CATEGORY_SM && category <= UTF8PROC_CATEGORY_SO ? SIGN : PARTS;
}

/* Returns the words in lower case: runs of letters and digits, numbers such as 3.5 and 1,000, and each symbol that
 * is not punctuation.  Everything else separates words. */
static pb_pieces cut_words(const char *text)
{
    pb_pieces words = {0};
    char *lower = pb_lower(text);
    for (const char *p = lower; *p;) {
        size_t n, length = 0, next;
        kind first = kind_at(p, &n), k = first;
        while (k == LETTER || k == DIGIT) {
            length += n;
            bool inside = k == DIGIT && p[length] && strchr(".,", p[length]) && kind_at(p + length + 1, &next) == DIGIT;
            length += inside;
            k = p[length] ? kind_at(p + length, &n) : PARTS;
        }
        if (first == SIGN)
            length = n;
        if (length)
            pb_pieces_add_word(&words, p, length);
        p += length ? length : n;
    }
    free(lower);
    return words;
}

/* ---- meaning representations ----------------------------------------------------------------------------- */

/* A value of an attribute, or a form of it. */
typedef struct slot {
    char *key; /* attribute[value], in lower case */
    pb_pieces value;
} slot;

typedef struct slots {
    slot *at;
    size_t count, capacity;
} slots;

static void trim(const char **text, size_t *n)
{
    for (; *n && **text == ' '; --*n)
        ++*text;
    while (*n && (*text)[*n - 1] == ' ')
        --*n;
}

static char *key_of(const char *attribute, size_t attribute_size, const char *value, size_t value_size)
{
    trim(&attribute, &attribute_size);
    trim(&value, &value_size);
    char *key = pb_format("%.*s[%.*s]", (int)attribute_size, attribute, (int)value_size, value), *lower = pb_lower(key);
    free(key);
    return lower;
}

static void add_slot(slots *s, const char *attribute, size_t attribute_size, const char *value, size_t value_size)
{
    char *text = pb_format("%.*s", (int)value_size, value);
    pb_grow(&s->at, s->count, &s->capacity, sizeof *s->at);
    s->at[s->count++] = (slot){key_of(attribute, attribute_size, value, value_size), cut_words(text)};
    free(text);
}

/* Reads `attribute[value], attribute[value]`, or `attribute : value | attribute : value`, another notation of E2E. */
static slots read_slots(const char *source)
{
    slots s = {0};
    bool brackets = source && strchr(source, '[');
    for (const char *p = source; p && *p;) {
        size_t attribute = strcspn(p, brackets ? "[" : ":");
        if (!p[attribute])
            break;
        const char *value = p + attribute + 1;
        size_t n = strcspn(value, brackets ? "]" : "|");
        add_slot(&s, p, attribute, value, n);
        p = value + n + (value[n] != '\0');
        p += brackets ? strspn(p, ", ") : 0;
    }
    return s;
}

static void free_slots(slots *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->at[i].key);
        pb_pieces_free(&s->at[i].value);
    }
    free(s->at);
    *s = (slots){0};
}

/* ---- forms --------------------------------------------------------------------------------------------- */

struct pb_forms {
    slots form; /* one for each form: its value's key, and the form's words */
};

static void add_form(pb_forms *f, const char *key, const char *form, size_t n)
{
    char *text = pb_format("%.*s", (int)n, form);
    pb_grow(&f->form.at, f->form.count, &f->form.capacity, sizeof *f->form.at);
    slot *s = &f->form.at[f->form.count];
    *s = (slot){pb_strdup(key), cut_words(text)};
    if (s->value.count) {
        f->form.count++;
    } else { /* an empty form */
        free(s->key);
        pb_pieces_free(&s->value);
    }
    free(text);
}

/* Reads one line.  Returns -1 if it names a value without a form. */
static int read_line(pb_forms *f, const char *line)
{
    size_t attribute = strcspn(line, "[:|#"), before = f->form.count;
    const char *value = line + attribute + 1, *end = line[attribute] == '[' && attribute ? strchr(value, ']') : NULL;
    if (!end || end[1] != ':')
        return 0;
    char *key = key_of(line, attribute, value, (size_t)(end - value));
    for (const char *p = end + 2; *p;) {
        size_t n = strcspn(p, "|");
        add_form(f, key, p, n);
        p += n + (p[n] != '\0');
    }
    free(key);
    return f->form.count > before ? 0 : -1;
}

pb_forms *pb_forms_read(const char *path)
{
    char *text = pb_read_file(path, NULL), *rest = text;
    if (!text)
        return NULL;
    pb_forms *f = pb_alloc(sizeof *f);
    int number = 0, bad = 0;
    for (char *line; !bad && (line = strsep(&rest, "\n"));) {
        number++;
        line[strcspn(line, "\r")] = '\0';
        if (read_line(f, line))
            bad = pb_error("%s:%d: a value without a form; want attribute[value]: form | form", path, number);
    }
    free(text);
    if (!bad && !f->form.count)
        bad = pb_error("%s: no forms; want lines attribute[value]: form | form", path);
    if (!bad)
        return f;
    pb_forms_free(f);
    return NULL;
}

void pb_forms_free(pb_forms *f)
{
    if (f)
        free_slots(&f->form);
    free(f);
}

/* ---- matching ------------------------------------------------------------------------------------------ */

/* `known` holds the values of a split's sources and their forms, each with its attribute[value]. */

static const char *words_of(const pb_pieces *p, int from, int n, size_t *size)
{
    *size = p->at[from + n - 1].end - p->at[from].begin;
    return p->text.data + p->at[from].begin;
}

static bool stands_at(const pb_pieces *text, int from, const pb_pieces *words)
{
    if (!words->count || from + words->count > text->count)
        return false;
    size_t size;
    const char *here = words_of(text, from, words->count, &size);
    return size == words->text.length && !memcmp(here, words->text.data, size);
}

/* Marks the occurrences of `words` in the text as taken.  Returns true if there are any, or no words. */
static bool mark_words(const pb_pieces *text, const pb_pieces *words, bool *taken)
{
    bool found = !words->count;
    for (int i = 0; i < text->count; i++)
        if (stands_at(text, i, words)) {
            memset(taken + i, true, (size_t)words->count);
            found = true;
        }
    return found;
}

static double count_missing(const slots *known, const slots *own, const pb_pieces *text, bool *taken)
{
    double missing = 0;
    for (size_t i = 0; i < own->count; i++) {
        bool found = mark_words(text, &own->at[i].value, taken);
        for (size_t k = 0; k < known->count; k++)
            if (!strcmp(known->at[k].key, own->at[i].key))
                found |= mark_words(text, &known->at[k].value, taken);
        missing += !found;
    }
    return missing;
}

/* Returns the length of the longest known value that begins at `from` and has no taken word. */
static int longest_at(const slots *known, const pb_pieces *text, int from, const bool *taken)
{
    int longest = 0;
    for (size_t k = 0; k < known->count; k++) {
        const pb_pieces *words = &known->at[k].value;
        if (words->count > longest && stands_at(text, from, words) && !memchr(taken + from, true, (size_t)words->count))
            longest = words->count;
    }
    return longest;
}

static double count_wrong(const slots *known, const pb_pieces *text, const bool *taken)
{
    pb_interner different = {0};
    for (int i = 0, n; i < text->count; i += n ? n : 1)
        if ((n = longest_at(known, text, i, taken))) {
            size_t size;
            const char *words = words_of(text, i, n, &size);
            pb_interner_add(&different, words, size);
        }
    int count = different.count;
    pb_interner_free(&different);
    return count;
}

/* ---- the metric ---------------------------------------------------------------------------------------- */

/* "yes" and "no" alone do not identify an attribute. */
static bool is_bare(const pb_pieces *words)
{
    return words->count == 1 && (!strcmp(words->text.data, "yes") || !strcmp(words->text.data, "no"));
}

static void add_known(slots *known, pb_interner *lines, const char *key, const pb_pieces *words)
{
    char *line = pb_format("%s: %s", key, words->count ? words->text.data : "");
    int before = lines->count;
    if (words->count && !is_bare(words) && pb_interner_add(lines, line, strlen(line)) == before) {
        pb_grow(&known->at, known->count, &known->capacity, sizeof *known->at);
        slot *s = &known->at[known->count++];
        *s = (slot){.key = pb_strdup(key)};
        for (int i = 0; i < words->count; i++)
            pb_pieces_add_word(&s->value, words->text.data + words->at[i].begin, words->at[i].end - words->at[i].begin);
    }
    free(line);
}

/* Collects the known values. */
static void *start_slot(const pb_text_set *set)
{
    slots *known = pb_alloc(sizeof *known);
    pb_interner lines = {0}, keys = {0};
    for (int i = 0; i < set->count; i++) {
        slots s = read_slots(set->item[i].source);
        for (size_t k = 0; k < s.count; k++) {
            add_known(known, &lines, s.at[k].key, &s.at[k].value);
            pb_interner_add(&keys, s.at[k].key, strlen(s.at[k].key));
        }
        free_slots(&s);
    }
    for (size_t k = 0; set->forms && k < set->forms->form.count; k++) {
        const slot *form = &set->forms->form.at[k];
        if (pb_interner_find(&keys, form->key, strlen(form->key)) >= 0)
            add_known(known, &lines, form->key, &form->value);
    }
    pb_interner_free(&lines);
    pb_interner_free(&keys);
    return known;
}

static void stop_slot(void *context)
{
    free_slots(context);
    free(context);
}

static void gather_slot(const void *context, const pb_text_item *item, const char *hypothesis, double *stats)
{
    slots own = read_slots(item->source);
    pb_pieces text = cut_words(hypothesis);
    bool *taken = pb_alloc((size_t)text.count + 1);
    stats[MISSING] = count_missing(context, &own, &text, taken);
    stats[WRONG] = count_wrong(context, &text, taken);
    stats[SLOTS] = (double)own.count;
    free(taken);
    pb_pieces_free(&text);
    free_slots(&own);
}

static double value_error(const double *s)
{
    return s[SLOTS] > 0 ? (s[MISSING] + s[WRONG]) / s[SLOTS] : NAN;
}

static double value_missing(const double *s)
{
    return s[SLOTS] > 0 ? s[MISSING] / s[SLOTS] : NAN;
}

const pb_text_metric pb_metric_slot_error = {
    .name = "slot-error",
    .title = "slot error rate",
    .paper = "Wen et al. 2015",
    .signature = "case:lc|match:words|count:missing+wrong",
    .stats = STATS,
    .start = start_slot,
    .stop = stop_slot,
    .gather = gather_slot,
    .value = value_error,
};

const pb_text_metric pb_metric_slot_missing = {
    .name = "slot-missing",
    .title = "missing slots",
    .paper = "Wen et al. 2015",
    .signature = "case:lc|match:words|count:missing",
    .stats = STATS,
    .start = start_slot,
    .stop = stop_slot,
    .gather = gather_slot,
    .value = value_missing,
};
