/* gnuplot: draws one figure with the program gnuplot.
 *
 * Names that users choose (titles, rows, variants, settings, files) never become part of a gnuplot command, because
 * gnuplot would execute commands inside them.  A script refers to a text by its number, and the texts are a data
 * block. */
#ifndef PB_GNUPLOT_H
#define PB_GNUPLOT_H

#include "base/base.h"

typedef struct pb_figure {
    pb_text commands; /* appended by the caller, with t(1), t(2) .. in place of texts */
    pb_text texts;    /* one on a line */
    int count;
} pb_figure;

/* Adds a text to the figure and returns its number k; t(k) in a command stands for the text.  Control characters are
 * made visible. */
int pb_figure_text(pb_figure *f, const char *text);

/* Adds a text for a label of `set xtics`, where gnuplot interprets '%' as a format, and returns its number. */
int pb_figure_tic(pb_figure *f, const char *text);

/* Frees the figure's texts and commands.  The struct belongs to the caller. */
void pb_figure_free(pb_figure *f);

/* Writes NAME.gp into the folder and runs gnuplot to draw NAME.svg and NAME.pdf there, `width` x `height` pixels.
 * `name` must not be a name that a user chose.  Returns -1 with an error if gnuplot is missing, if it refuses the
 * script, or if the folder is not writable. */
int pb_figure_draw(const pb_figure *f, const char *folder, const char *name, double width, double height);

/* Draws a test figure in a temporary folder.  Returns -1 with an error if figures cannot be drawn on this machine. */
int pb_gnuplot_try(void);

#endif
