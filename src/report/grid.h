/* grid: a table of texts, printed for a terminal or as Markdown. */
#ifndef PB_GRID_H
#define PB_GRID_H

#include "base/base.h"

/* Row 0 is the heading, and column 0 has the names.  A cell that is NULL or "-" has no value. */
typedef struct pb_grid {
    int rows, columns;
    int kept;    /* the first columns, which are printed even if no row has a value */
    char **text; /* [rows,columns] */
    char **line; /* [rows] a line under the row, in the text form only; NULL: none */
} pb_grid;

/* Returns a grid without values.  The caller frees it with pb_grid_free. */
pb_grid pb_grid_new(int rows, int columns);

/* Frees the grid with all its texts. */
void pb_grid_free(pb_grid *g);

/* Returns the address of the text of a cell, which belongs to the grid: a text that is put there is freed with it. */
char **pb_grid_at(const pb_grid *g, int row, int column);

/* Prints the rows with aligned columns, names to the left and values to the right, each with its line. */
void pb_grid_print(const pb_grid *g, FILE *out);

/* Prints the rows as a Markdown table, without the columns behind the kept ones in which no row has a value.
 * Characters that Markdown or HTML takes for its own are escaped. */
void pb_grid_markdown(const pb_grid *g, FILE *out);

/* Prints a text with the characters escaped that Markdown or HTML takes for its own. */
void pb_markdown_print(const char *text, FILE *out);

#endif
