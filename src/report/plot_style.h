/* plot_style: the house style of figures: their width, fonts and formats, the palette, and the marks of the classes of
 * methods.  Lengths are in points, 72 to an inch. */
#ifndef PB_PLOT_STYLE_H
#define PB_PLOT_STYLE_H

#include "model/method.h"

enum { PB_CATEGORIES = PB_HYBRID + 1 };

/* The formats of a figure, which may be combined. */
enum { PB_SVG = 1, PB_PDF = 2, PB_PNG = 4, PB_TEX = 8 };

/* How figures are drawn. */
typedef struct pb_look {
    const char *figure; /* the only one that is drawn; NULL: all that the results allow */
    int formats;        /* of PB_SVG, PB_PDF, PB_PNG and PB_TEX */
    double width;       /* in points */
    char font[48];
    double size; /* of the font, in points; scales are a point smaller */
    bool tips;   /* NAME.tips beside a figure says what its marks are (pb_sheet_tip) */
} pb_look;

/* Reads the options of `plot`: the name of a figure, which is not checked, a list of formats (svg and pdf), a width
 * (page) and a font (Helvetica, of 8 points in a column and of 9 in wider figures).  NULL stands for the default in
 * brackets.  Returns -1 with an error that names the option. */
int pb_look_read(pb_look *look, const char *figure, const char *formats, const char *width, const char *font);

/* The colour of a class of methods, as "#0072b2".  The palette is that of Okabe and Ito, which colour-blind readers can
 * tell apart; the marks tell the classes apart in grey. */
extern const char *const pb_class_colour[PB_CATEGORIES];

/* The mark of a class as gnuplot's point type, filled and, for a second value of the same row, open. */
extern const int pb_class_mark[PB_CATEGORIES], pb_class_open_mark[PB_CATEGORIES];

/* Colours of parts of a whole, from dark to light, so that their order can be read in grey. */
enum { PB_SHADES = 7 };
extern const char *const pb_shade[PB_SHADES];

/* Dash types of the lines of a class, which share a colour. */
enum { PB_DASHES = 5 };
extern const char *const pb_dash[PB_DASHES];

#define PB_INK "#202020"    /* text */
#define PB_SOFT "#606060"   /* scales and second text */
#define PB_PALE "#c8c8c8"   /* lines of other rows, behind those of a row */
#define PB_GRID "#e8e8e8"   /* grid */
#define PB_BETTER "#2166ac" /* ends of a diverging scale, whose middle is white */
#define PB_WORSE "#b35806"

#define PB_MARK 4.4     /* diameter of a mark */
#define PB_LEADING 1.25 /* height of a line of text / size of its font */

/* Writes the colour at `share` of the way from white to the colour `full`, as "#aabbcc", and returns `out`. */
const char *pb_tint(char out[8], const char *full, double share);

/* Returns the width of a text in the font of figures at this size, in points.  It is that of Helvetica, and a tenth
 * more for the wider fonts that may stand in for it. */
double pb_text_width(const char *text, double size);

/* Returns a copy of a text that is at most `width` points wide, with an ellipsis at its end if it was cut.  The caller
 * frees it. */
char *pb_text_fit(const char *text, double size, double width);

#endif
