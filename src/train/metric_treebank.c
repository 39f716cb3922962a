/* metric_treebank: the words of the Penn Treebank, as coco-caption makes them before ROUGE-L and CIDEr.  Punctuation
 * is separated, don't becomes do + n't, it's becomes it + 's, well-known and 10:30 are one word each, and
 * abbreviations keep their full stop.  Then everything is put in lower case, and punctuation is removed.
 *
 * coco-caption runs a Java program, the Stanford tokenizer of 2014.  Its further rules (smileys, telephone numbers,
 * rare abbreviations) are not implemented; docs/metrics.md says how often that matters. */
#include "train/metric_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utf8proc.h>

#include "base/utf8.h"

/* ---- characters ---------------------------------------------------------------------------------------- */

typedef enum { OTHER, LETTER, DIGIT } kind;

/* Returns the kind of the character at `p`, and sets *n to its length. */
static kind kind_at(const char *p, size_t *n)
{
    int32_t c;
    *n = *p ? pb_utf8_next(p, strnlen(p, 4), &c) : 0;
    if (!*n)
        return OTHER;
    utf8proc_category_t category = utf8proc_category(c);
    if (category == UTF8PROC_CATEGORY_ND)
        return DIGIT;
    bool letter = category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_MC;
    return letter ? LETTER : OTHER;
}

static kind kind_of(const char *p)
{
    size_t n;
    return kind_at(p, &n);
}

/* The length of a run of letters and digits. */
static size_t run_length(const char *p)
{
    size_t length = 0, n;
    while (kind_at(p + length, &n) != OTHER)
        length += n;
    return length;
}

static size_t digits_length(const char *p)
{
    size_t length = 0, n;
    while (kind_at(p + length, &n) == DIGIT)
        length += n;
    return length;
}

/* The length of an apostrophe, straight or curved; 0 if there is none. */
static size_t apostrophe(const char *p)
{
    return *p == '\'' ? 1 : !strncmp(p, "\u2019", 3) ? 3 : 0;
}

static bool is_one_of(const char *word, size_t n, const char *const *list)
{
    for (; *list; list++)
        if (strlen(*list) == n && !strncasecmp(word, *list, n))
            return true;
    return false;
}

/* ---- words --------------------------------------------------------------------------------------------- */

/* The length of 's, 're and the like if the word ends after it; 0 otherwise. */
static size_t clitic(const char *p)
{
    static const char *const endings[] = {"s", "m", "d", "re", "ve", "ll", NULL};
    size_t quote = apostrophe(p), n = quote ? run_length(p + quote) : 0;
    return n && is_one_of(p + quote, n, endings) ? quote + n : 0;
}

/* The length of n't, or 0. */
static size_t negation(const char *p)
{
    size_t quote = (*p | 32) == 'n' ? apostrophe(p + 1) : 0;
    return quote && (p[1 + quote] | 32) == 't' && run_length(p + 1 + quote) == 1 ? quote + 2 : 0;
}

/* The length of a number: 12, 1,234.5, 10:30, .5; with its sign. */
static size_t number(const char *p)
{
    size_t length = *p == '+' || *p == '-', n = digits_length(p + length);
    bool any = n > 0;
    for (length += n; p[length] && strchr(".,:", p[length]) && (n = digits_length(p + length + 1)); length += 1 + n)
        any = true;
    return any ? length : 0;
}

/* The length of a number with what a hyphen joins to it: 3.5-litre. */
static size_t hyphenated(const char *p)
{
    size_t n = number(p), more = p[n] == '-' ? run_length(p + n + 1) : 0;
    return more ? n + 1 + more : n;
}

/* Returns true if the punctuation mark at `p` joins the word before it, which begins at `word`, to what follows. */
static bool joins(const char *word, const char *p, kind before)
{
    kind after = *p ? kind_of(p + 1) : OTHER;
    if (after == OTHER || !*p)
        return false;
    if (strchr("-_/@", *p))
        return true;
    if (strchr("&+", *p)) /* AT&T */
        return word[0] >= 'A' && word[0] <= 'Z' && p[1] >= 'A' && p[1] <= 'Z';
    return strchr(".?!", *p) && before == LETTER && after == LETTER;
}

/* The length of an apostrophe inside a word: d'Artagnan, o'clock, ma'am. */
static size_t inner_apostrophe(const char *word, const char *p)
{
    static const char *const heads[] = {"d", "l", "o", "ma", NULL};
    size_t quote = clitic(p) ? 0 : apostrophe(p);
    return quote && is_one_of(word, (size_t)(p - word), heads) && kind_of(p + quote) == LETTER ? quote : 0;
}

/* The length of a word of letters and digits, with joining punctuation, up to n't, whose n is also a letter. */
static size_t word_length(const char *p)
{
    size_t length = 0, n;
    kind last = OTHER;
    for (;;) {
        kind k = kind_at(p + length, &n);
        if (k == OTHER) {
            n = length ? inner_apostrophe(p, p + length) : 0;
            if (!n && !(n = length && joins(p, p + length, last)))
                return length;
        } else if (length && negation(p + length)) {
            return length;
        }
        last = k;
        length += n;
    }
}

/* U.S., e.g.: letters that each have a full stop. */
static size_t acronym(const char *p)
{
    size_t length = 0, n;
    int letters = 0;
    for (; kind_at(p + length, &n) == LETTER && p[length + n] == '.'; letters++)
        length += n + 1;
    return letters > 1 && kind_of(p + length) == OTHER ? length : 0;
}

/* Is there a blank and one of the words that a sentence begins with more often than a name? */
static bool begins_sentence(const char *p)
{
    static const char *const first[] = {
        "the", "this", "that", "these", "it",    "he",    "she",  "they",  "we",      "you",       "in",   "at", "as",
        "but", "if",   "when", "while", "after", "here",  "then", "there", "what",    "some",      "many", "so", "a",
        "an",  "her",  "our",  "their", "such",  "about", "once", "one",   "however", "according", NULL};
    size_t blank = pb_white_space_length(p);
    return blank && p[blank] >= 'A' && p[blank] <= 'Z' && is_one_of(p + blank, run_length(p + blank), first);
}

/* Does a full stop at p + n belong to the word of n bytes before it? */
static bool abbreviates(const char *p, size_t n)
{
    static const char *const known[] = {
        "jan",  "feb",  "mar",  "apr",  "jun",   "jul",  "aug", "sep", "sept", "oct", "nov",  "dec", "mon",
        "tue",  "tues", "wed",  "thu",  "thurs", "fri",  "mr",  "mrs", "ms",   "dr",  "prof", "gen", "sgt",
        "st",   "mt",   "ave",  "blvd", "rd",    "est",  "tel", "fig", "p",    "pp",  "al",   "cf",  "ft",
        "dept", "univ", "assn", "bros", "co",    "corp", "ltd", "inc", "jr",   "sr",  "esq",  "etc", "vs",
        "ph.d", "rev",  "hon",  "gov",  "sen",   "rep",  "lt",  "col", "capt", NULL};
    static const char *const numbered[] = {"no", "nos", "art", NULL};
    if (p[n] != '.')
        return false;
    if (p[n + 1] && strchr(",;:", p[n + 1])) /* no sentence ends here */
        return true;
    if (n == 1 && kind_of(p) == LETTER)
        return !begins_sentence(p + 2);
    return is_one_of(p, n, known) || (is_one_of(p, n, numbered) && p[n + 1] == ' ' && kind_of(p + n + 2) == DIGIT);
}

/* ---- what is no word ----------------------------------------------------------------------------------- */

/* Runs that are one token: dots by three, the rest however many. */
static size_t sign_run(const char *p)
{
    if (!strncmp(p, "...", 3))
        return 3;
    if (strchr("?!", *p))
        return strspn(p, "?!");
    const char same[2] = {*p, '\0'};
    return strchr("-_*#<>'`", *p) ? strspn(p, same) : 1;
}

/* http://.., www..: to the next white space, without the punctuation at its end. */
static size_t address(const char *p)
{
    if (strncasecmp(p, "http://", 7) != 0 && strncasecmp(p, "https://", 8) != 0 && strncasecmp(p, "www.", 4) != 0)
        return 0;
    size_t n = 0;
    while (p[n] && !pb_white_space_length(p + n))
        n++;
    while (n && strchr(".,;:!?\"')", p[n - 1]))
        n--;
    return n;
}

/* <b>, </b> */
static size_t tag(const char *p)
{
    size_t name = *p == '<' ? 1 + (p[1] == '/') : 0, n = name ? run_length(p + name) : 0;
    return n && p[name + n] == '>' ? name + n + 1 : 0;
}

/* '90, 'em, 'n', 't of 'tis */
static size_t clipped(const char *p)
{
    static const char *const verse[] = {"tis", "twas", NULL};
    size_t quote = apostrophe(p), n = quote ? run_length(p + quote) : 0, digits = quote ? digits_length(p + quote) : 0;
    if (digits == 2 && (n == 2 || (n == 3 && (p[quote + 2] | 32) == 's')))
        return quote + n;
    if (n == 2 && !strncasecmp(p + quote, "em", 2))
        return quote + n;
    if (is_one_of(p + quote, n, verse))
        return quote + 1;
    return n == 1 && (p[quote] | 32) == 'n' && apostrophe(p + quote + 1) ? 2 * quote + 1 : 0;
}

/* ---- tokens -------------------------------------------------------------------------------------------- */

/* Signs that have another name, or that are read as an entity. */
static const char *const renamed[][2] = {
    {"(", "-lrb-"}, {")", "-rrb-"},    {"[", "-lsb-"},    {"]", "-rsb-"},    {"{", "-lcb-"},
    {"}", "-rcb-"}, {"\u00A3", "#"},   {"\u20AC", "$"},   {"&amp;", "&"},    {"&lt;", "<"},
    {"&gt;", ">"},  {"\u00BD", "1/2"}, {"\u00BC", "1/4"}, {"\u00BE", "3/4"}, {"&quot;", "\""},
};

/* Punctuation: with what the program writes for it, and dashes as Windows has them. */
static const char *const dropped[] = {
    "'",   "''", "`",      "``",     "\"",     ".",      "?",        "!",        ",",      ":",      "-",      "--",
    "...", ";",  "\u2018", "\u2019", "\u201C", "\u201D", "\xC2\x96", "\xC2\x97", "\u2013", "\u2014", "\u2026", NULL};

/* The length of what stands at `p` and is no word, and the name that it gets. */
static size_t sign_length(const char *p, const char **name)
{
    size_t n;
    for (size_t i = 0; i < PB_COUNT(renamed); i++)
        if (!strncmp(p, renamed[i][0], strlen(renamed[i][0]))) {
            *name = renamed[i][1];
            return strlen(renamed[i][0]);
        }
    if ((n = tag(p)) || (n = clipped(p)) || (n = clitic(p)) || (n = number(p)))
        return n;
    if (*p == '#' || *p == '@') /* #tag, @user */
        if (kind_of(p + 1) == LETTER)
            return 1 + run_length(p + 1);
    if ((unsigned char)*p < 0x80)
        return sign_run(p);
    kind_at(p, &n);
    return n;
}

static void add_piece(pb_pieces *out, const char *p, size_t n)
{
    if (is_one_of(p, n, dropped) || (*p == '-' && n < 5 && strspn(p, "-") >= n))
        return;
    pb_text word = {0};
    bool straight = clitic(p) == n || negation(p) == n; /* their apostrophe, if it is a curved one */
    for (size_t i = 0, quote; i < n; i += quote ? quote : 1) {
        quote = straight ? apostrophe(p + i) : 0;
        pb_text_bytes(&word, quote ? "'" : p + i, 1);
    }
    char *lower = pb_lower(word.data);
    pb_pieces_add_word(out, lower, strlen(lower));
    free(lower);
    pb_text_free(&word);
}

/* can|not, gon|na, ..: where a word is cut in two; its length where not. */
static size_t second_half(const char *p, size_t n)
{
    static const char *const cut[][2] = {{"cannot", "can"}, {"gonna", "gon"}, {"gotta", "got"},
                                         {"gimme", "gim"},  {"lemme", "lem"}, {"wanna", "wan"}};
    for (size_t i = 0; i < PB_COUNT(cut); i++)
        if (strlen(cut[i][0]) == n && !strncasecmp(p, cut[i][0], n))
            return strlen(cut[i][1]);
    return n;
}

/* Adds what begins with a letter or a digit, and says how long it is. */
static size_t add_word(pb_pieces *out, const char *p)
{
    size_t n = acronym(p);
    if (!n && !(n = negation(p))) {
        n = word_length(p);
        if (kind_of(p) == DIGIT && number(p) > n)
            n = hyphenated(p);
        n += abbreviates(p, n);
    }
    size_t half = second_half(p, n);
    add_piece(out, p, half);
    if (half < n)
        add_piece(out, p + half, n - half);
    return n;
}

pb_pieces pb_cut_treebank(const char *text)
{
    pb_pieces out = {0};
    for (size_t n; *text; text += n) {
        const char *name = NULL;
        if ((n = pb_white_space_length(text)))
            continue;
        if ((n = address(text))) {
            add_piece(&out, text, n);
        } else if (kind_of(text) != OTHER) {
            n = add_word(&out, text);
        } else {
            n = sign_length(text, &name);
            add_piece(&out, name ? name : text, name ? strlen(name) : n);
        }
    }
    return out;
}
