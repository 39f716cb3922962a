/* gnuplot: one figure, drawn by the program gnuplot.
 *
 * What a user named (titles, rows, variants, settings, files) never becomes a part of a gnuplot command, because
 * gnuplot runs what it finds there.  A script refers to a text by its number; the texts are a data block. */
#ifndef PB_GNUPLOT_H
#define PB_GNUPLOT_H

#include "base/base.h"

typedef struct pb_figure {
    pb_text commands; /* the caller's own, with t(1), t(2) .. where a text belongs */
    pb_text texts;    /* one a line */
    int count;
} pb_figure;

/* Keeps a text of the figure and returns its number k: t(k) in a command is the text as it is.  Control characters
 * are made visible.  pb_figure_tic does the same for a label of `set xtics`, where gnuplot takes '%' for a format. */
int pb_figure_text(pb_figure *f, const char *text);
int pb_figure_tic(pb_figure *f, const char *text);

/* Frees the figure's texts and commands; the figure itself is the caller's. */
void pb_figure_free(pb_figure *f);

/* Writes NAME.gp into the folder and has gnuplot draw NAME.svg and NAME.pdf there, `width` x `height` pixels; `name`
 * is one of our own.  -1 with an error: no gnuplot, it refused the script, or the folder cannot be written. */
int pb_figure_draw(const pb_figure *f, const char *folder, const char *name, double width, double height);

/* Draws an empty figure and throws it away.  -1 with an error: figures cannot be drawn on this machine. */
int pb_gnuplot_try(void);

#endif
