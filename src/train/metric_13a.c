/* metric_13a: the words of NIST's mteval-v13a, on which BLEU and NIST are defined.  SGML entities are decoded, ASCII
 * punctuation is separated, and so are full stops and commas outside numbers. */
#include "train/metric_internal.h"

#include <stdlib.h>
#include <string.h>

/* Each of the following steps takes the text, frees it and returns the changed text. */

static pb_text replaced(pb_text text, const char *what, const char *by)
{
    pb_text out = {0};
    const char *from = text.data, *found;
    for (; (found = strstr(from, what)); from = found + strlen(what)) {
        pb_text_bytes(&out, from, (size_t)(found - from));
        pb_text_bytes(&out, by, strlen(by));
    }
    pb_text_bytes(&out, from, strlen(from));
    pb_text_free(&text);
    return out;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_stop(char c)
{
    return c == '.' || c == ',';
}

/* ASCII punctuation except the apostrophe, comma, hyphen and full stop. */
static bool is_sign(char c)
{
    return (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') || c == '/' || (c >= ':' && c <= '@') ||
           (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

static pb_text signs_alone(pb_text text)
{
    pb_text out = {0};
    for (size_t i = 0; i < text.length; i++) {
        char alone[3] = {' ', text.data[i], ' '};
        pb_text_bytes(&out, is_sign(alone[1]) ? alone : alone + 1, is_sign(alone[1]) ? 3 : 1);
    }
    pb_text_free(&text);
    return out;
}

static bool stop_behind_other(char a, char b)
{
    return !is_digit(a) && is_stop(b);
}

static bool stop_before_other(char a, char b)
{
    return is_stop(a) && !is_digit(b);
}

static bool hyphen_behind_digit(char a, char b)
{
    return is_digit(a) && b == '-';
}

/* Puts spaces around the second (or the first) of every two consecutive characters that match, from left to right and
 * without overlap: "a.," has one match. */
static pb_text parted(pb_text text, bool (*match)(char, char), bool second)
{
    pb_text out = {0};
    for (size_t i = 0; i < text.length; i++) {
        char a = text.data[i], b = text.data[i + 1]; /* NUL at the end */
        if (i + 1 == text.length || !match(a, b)) {
            pb_text_bytes(&out, &a, 1);
            continue;
        }
        const char behind[4] = {a, ' ', b, ' '}, before[4] = {' ', a, ' ', b};
        pb_text_bytes(&out, second ? behind : before, 4);
        i++;
    }
    pb_text_free(&text);
    return out;
}

pb_pieces pb_cut_13a(const char *text)
{
    static const char *const entities[][2] = {{"&quot;", "\""}, {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}};
    pb_text t = {0};
    size_t size;
    text = pb_trimmed(text, &size); /* no "-\n" remains at its end */
    pb_text_bytes(&t, text, size);
    t = replaced(t, "<skipped>", "");
    t = replaced(t, "-\n", "");
    t = replaced(t, "\n", " ");
    for (size_t i = 0; i < PB_COUNT(entities); i++)
        t = replaced(t, entities[i][0], entities[i][1]);
    pb_text padded = {0};
    pb_text_add(&padded, " %s ", t.data);
    pb_text_free(&t);
    t = signs_alone(padded);
    t = parted(t, stop_behind_other, true);
    t = parted(t, stop_before_other, false);
    t = parted(t, hyphen_behind_digit, true);
    pb_pieces p = pb_cut_blanks(t.data);
    pb_text_free(&t);
    return p;
}

pb_pieces pb_cut_13a_lower(const char *text)
{
    char *lower = pb_lower(text);
    pb_pieces p = pb_cut_13a(lower);
    free(lower);
    if (!p.count)
        pb_pieces_add_word(&p, "", 0);
    return p;
}
