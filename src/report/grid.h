/* grid: a table of texts, printed for a terminal or as Markdown, LaTeX or CSV. */
#ifndef PB_GRID_H
#define PB_GRID_H

#include "base/base.h"

/* What is said of a value: it is the best or the second of its column, or is not told apart from the best. */
typedef enum pb_emphasis { PB_GRID_PLAIN, PB_GRID_BEST = 1, PB_GRID_SECOND = 2, PB_GRID_AS_GOOD = 4 } pb_emphasis;

/* Row 0 is the heading, and column 0 has the names.  A cell that is NULL or "-" has no value. */
typedef struct pb_grid {
    int rows, columns;
    int kept;                /* the first columns, which are printed even if no row has a value */
    int names;               /* the first columns, which stand to the left: 1, or all columns of texts */
    char **text;             /* [rows,columns] */
    unsigned char *emphasis; /* [rows,columns] of pb_emphasis; only Markdown and LaTeX show it */
    char **line;             /* [rows] a line under the row, in the text form only; NULL: none */
} pb_grid;

/* Returns a grid without values.  The caller frees it with pb_grid_free. */
pb_grid pb_grid_new(int rows, int columns);

/* Frees the grid with all its texts. */
void pb_grid_free(pb_grid *g);

/* Returns the address of the text of a cell, which belongs to the grid: a text that is put there is freed with it. */
char **pb_grid_at(const pb_grid *g, int row, int column);

/* Sets the emphasis of the best and the second of the values [rows-1] of a column, NaN where a row has none. */
void pb_grid_rank(const pb_grid *g, int column, const double *value, bool more_is_better);

/* Moves the rows below the heading: row i + 1 becomes what row order[i] + 1 was. */
void pb_grid_reorder(pb_grid *g, const int *order);

/* Prints the rows with aligned columns, names to the left and values to the right, each with its line. */
void pb_grid_print(const pb_grid *g, FILE *out);

/* Prints the rows as a Markdown table, without the columns behind the kept ones in which no row has a value.
 * Characters that Markdown or HTML takes for its own are escaped; the best is in bold. */
void pb_grid_markdown(const pb_grid *g, FILE *out);

/* Prints the same columns as a LaTeX table in the style of booktabs: the best in bold, the second underlined, and ~
 * behind what is not told apart from the best. */
void pb_grid_latex(const pb_grid *g, FILE *out);

/* Prints the same columns as CSV, a row a line. */
void pb_grid_csv(const pb_grid *g, FILE *out);

/* Prints a field of CSV, in quotes if it has to be. */
void pb_csv_print(const char *text, FILE *out);

/* Appends a text with the characters escaped that LaTeX takes for its own, and prints one. */
void pb_latex_add(pb_text *out, const char *text);
void pb_latex_print(const char *text, FILE *out);

/* Prints a text with the characters escaped that Markdown or HTML takes for its own. */
void pb_markdown_print(const char *text, FILE *out);

#endif
