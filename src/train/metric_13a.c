/* metric_13a: the words of NIST's mteval-v13a, by which BLEU and NIST are compared: entities of SGML are read,
 * ASCII's signs stand alone, full stops and commas too but inside numbers. */
#include "train/metric_internal.h"

#include <stdlib.h>
#include <string.h>

/* Each of these steps reads the whole text that the one before has written. */

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

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool stop(char c)
{
    return c == '.' || c == ',';
}

/* ASCII's signs without the apostrophe, comma, hyphen and full stop. */
static bool sign(char c)
{
    return (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') || c == '/' || (c >= ':' && c <= '@') ||
           (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

static pb_text signs_alone(pb_text text)
{
    pb_text out = {0};
    for (size_t i = 0; i < text.length; i++) {
        char alone[3] = {' ', text.data[i], ' '};
        pb_text_bytes(&out, sign(alone[1]) ? alone : alone + 1, sign(alone[1]) ? 3 : 1);
    }
    pb_text_free(&text);
    return out;
}

static bool stop_behind_other(char a, char b)
{
    return !digit(a) && stop(b);
}

static bool stop_before_other(char a, char b)
{
    return stop(a) && !digit(b);
}

static bool hyphen_behind_digit(char a, char b)
{
    return digit(a) && b == '-';
}

/* Puts blanks round `second` (or round the first) of every two characters that match, from left to right and
 * none twice: "a.," has one match. */
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
    text = pb_trimmed(text, &size); /* so that no -\n is at its end */
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
