/* plot_style: see plot_style.h. */
#include "report/plot_style.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CM (72 / 2.54) /* in points */
#define COLUMN 8.5     /* width of a column of a paper, in cm */
#define PAGE 17.5      /* width of its page */
#define NARROWEST 6.0
#define WIDEST 60.0
#define NARROW 12.0 /* figures up to this width have the font of a column */

/* ---- palette and marks --------------------------------------------------------------------------------------- */

const char *const pb_class_colour[PB_CATEGORIES] = {"#303030", "#0072b2", "#d55e00", "#009e73", "#a6468a"};
const int pb_class_mark[PB_CATEGORIES] = {2, 7, 5, 9, 13};
const int pb_class_open_mark[PB_CATEGORIES] = {1, 6, 4, 8, 12};
const char *const pb_shade[PB_SHADES] = {"#2d1160", "#31688e", "#21918c", "#35b779", "#90d743", "#fde725", "#f4f4c8"};
const char *const pb_dash[PB_DASHES] = {"dt 1", "dt (6,3)", "dt (2,2)", "dt (8,3,2,3)", "dt (12,3)"};

const char *pb_tint(char out[8], const char *full, double share)
{
    long rgb = strtol(full + 1, NULL, 16);
    long mixed = 0;
    for (int shift = 16; shift >= 0; shift -= 8) {
        double x = (double)(rgb >> shift & 255);
        mixed |= lround(255 + (x - 255) * fmin(fmax(share, 0), 1)) << shift;
    }
    snprintf(out, 8, "#%06lx", (unsigned long)mixed);
    return out;
}

/* ---- widths of texts ----------------------------------------------------------------------------------------- */

/* Widths of the characters from ' ' to '~' in Helvetica, in thousandths of its size. */
static const short advance[] = {278,  278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
                                556,  556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
                                1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
                                667,  778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
                                333,  556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
                                556,  556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584};

/* Returns the width of the character at `at` in thousandths of the font's size; 0 for a continuation byte of UTF-8. */
static int advance_of(const char *at)
{
    unsigned char c = (unsigned char)*at;
    if (c >= ' ' && c <= '~')
        return advance[c - ' '];
    return (c & 0xc0) == 0x80 ? 0 : c >= 0xe3 ? 1000 : 600; /* from U+3000 on characters are square */
}

double pb_text_width(const char *text, double size)
{
    int sum = 0;
    for (; *text; text++)
        sum += advance_of(text);
    return 1.1 * sum * size / 1000;
}

char *pb_text_fit(const char *text, double size, double width)
{
    if (pb_text_width(text, size) <= width)
        return pb_strdup(text);
    double left = width - pb_text_width("\u2026", size), used = 0;
    size_t n = 0, whole = 0;
    for (; text[n] && used <= left; n++) {
        used += 1.1 * advance_of(text + n) * size / 1000;
        if ((text[n + 1] & 0xc0) != 0x80 && used <= left)
            whole = n + 1;
    }
    return pb_format("%.*s\u2026", (int)whole, text);
}

/* ---- options ------------------------------------------------------------------------------------------------- */

static int read_formats(pb_look *look, const char *list)
{
    static const char *const name[] = {"svg", "pdf", "png", "tex"};
    look->formats = 0;
    for (const char *at = list;;) {
        size_t n = strcspn(at, ","), k = 0;
        while (k < PB_COUNT(name) && (strlen(name[k]) != n || strncmp(at, name[k], n) != 0))
            k++;
        if (k == PB_COUNT(name))
            return pb_error(
                "--format: unknown format '%.*s'; want svg, pdf, png or tex, or several with commas between", (int)n,
                at);
        look->formats |= 1 << k;
        if (!at[n])
            return 0;
        at += n + 1;
    }
}

static int read_width(pb_look *look, const char *text)
{
    char *end = NULL;
    double cm = !strcmp(text, "column") ? COLUMN : !strcmp(text, "page") ? PAGE : strtod(text, &end);
    if (end && (end == text || (*end && strcmp(end, "cm") != 0)))
        return pb_error("--width: want column, page or a width in centimetres such as 8.5, got '%s'", text);
    if (!(cm >= NARROWEST && cm <= WIDEST))
        return pb_error("--width: want %g..%g centimetres, got '%s'", NARROWEST, WIDEST, text);
    look->width = cm * CM;
    return 0;
}

/* The name of the font becomes part of a command of gnuplot, so that only letters, digits, blanks and hyphens may be in
 * it. */
static int read_font(pb_look *look, const char *text)
{
    size_t n = strcspn(text, ",");
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != ' ' && text[i] != '-')
            return pb_error("--font: want a name of letters, digits, blanks and hyphens, then a comma and the size in "
                            "points, such as Helvetica,8, got '%s'",
                            text);
    if (n >= sizeof look->font)
        return pb_error("--font: want a name of at most %zu characters, got '%s'", sizeof look->font - 1, text);
    if (n)
        snprintf(look->font, sizeof look->font, "%.*s", (int)n, text);
    if (!text[n])
        return 0;
    char *end;
    look->size = strtod(text + n + 1, &end);
    if (end == text + n + 1 || *end || !(look->size >= 5 && look->size <= 24))
        return pb_error("--font: want a size of 5..24 points, got '%s'", text + n + 1);
    return 0;
}

int pb_look_read(pb_look *look, const char *figure, const char *formats, const char *width, const char *font)
{
    *look = (pb_look){.figure = figure, .font = "Helvetica"};
    if (read_formats(look, formats ? formats : "svg,pdf") || read_width(look, width ? width : "page"))
        return -1;
    look->size = look->width <= NARROW * CM ? 8 : 9;
    return font ? read_font(look, font) : 0;
}
