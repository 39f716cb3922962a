/* gnuplot: draws one figure with the program gnuplot.
 *
 * Names that users choose (titles, rows, variants, settings, files) never become part of a gnuplot command, because
 * gnuplot would execute commands inside them, and never part of LaTeX as they are.  A script refers to a text by its
 * number, and the texts are a data block. */
#ifndef PB_GNUPLOT_H
#define PB_GNUPLOT_H

#include "report/plot_style.h"

typedef struct pb_figure {
    pb_text commands; /* appended by the caller, with t(1), t(2) .. in place of texts */
    pb_text texts;    /* one on a line */
    pb_text latex;    /* the same, escaped for LaTeX */
    int count;
    double width, height; /* in points, 72 to an inch */
} pb_figure;

/* A script's commands may use these functions and constants:
 *   t(k)       the k-th text
 *   X(x), Y(y) a place in the figure as a share of it, from points to the right of its left edge and below its top
 *   F0, F1, F2 fonts of the look's size, and one and two points less
 *   LW, PS     line widths and diameters of marks in points, as in `lw 0.5*LW ps 4*PS` */

/* Adds a text to the figure and returns its number k; t(k) in a command stands for the text.  Control characters are
 * made visible. */
int pb_figure_text(pb_figure *f, const char *text);

/* Frees the figure's texts and commands.  The struct belongs to the caller. */
void pb_figure_free(pb_figure *f);

/* Writes NAME.gp into the folder and runs gnuplot to draw NAME.svg, NAME.pdf, NAME.png and, for LaTeX, NAME-tex.tex
 * with NAME-tex.pdf there, whichever formats the look has.  gnuplot alone draws the figure from the script again.  The
 * same figure gives the same bytes.  `name` must not be a name that a user chose.  Returns -1 with an error if gnuplot
 * is missing, if it refuses the script, or if the folder is not writable. */
int pb_figure_draw(const pb_figure *f, const char *folder, const char *name, const pb_look *look);

/* Draws a test figure in a temporary folder.  Returns -1 with an error if figures cannot be drawn on this machine. */
int pb_gnuplot_try(void);

#endif
