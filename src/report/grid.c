/* grid: see grid.h. */
#include "report/grid.h"

#include <stdlib.h>
#include <string.h>

pb_grid pb_grid_new(int rows, int columns)
{
    return (pb_grid){.rows = rows,
                     .columns = columns,
                     .text = pb_alloc((size_t)rows * (size_t)columns * sizeof(char *)),
                     .line = pb_alloc((size_t)rows * sizeof(char *))};
}

void pb_grid_free(pb_grid *g)
{
    for (int i = 0; i < g->rows * g->columns; i++)
        free(g->text[i]);
    for (int i = 0; i < g->rows; i++)
        free(g->line[i]);
    free(g->text);
    free(g->line);
    *g = (pb_grid){0};
}

char **pb_grid_at(const pb_grid *g, int row, int column)
{
    return &g->text[(size_t)row * (size_t)g->columns + (size_t)column];
}

static const char *text_at(const pb_grid *g, int row, int column)
{
    const char *text = *pb_grid_at(g, row, column);
    return text ? text : "";
}

/* Returns the number of characters, not bytes: there is a plus-minus sign. */
static int width_of(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += (*text & 0xC0) != 0x80;
    return n;
}

static int width_of_column(const pb_grid *g, int column)
{
    int width = 0;
    for (int i = 0; i < g->rows; i++)
        width = width_of(text_at(g, i, column)) > width ? width_of(text_at(g, i, column)) : width;
    return width;
}

void pb_grid_print(const pb_grid *g, FILE *out)
{
    int *width = pb_alloc((size_t)g->columns * sizeof *width);
    for (int k = 0; k < g->columns; k++)
        width[k] = width_of_column(g, k);
    for (int i = 0; i < g->rows; i++) {
        for (int k = 0; k < g->columns; k++) {
            int pad = width[k] - width_of(text_at(g, i, k));
            if (k == 0)
                fprintf(out, "%s%*s", text_at(g, i, k), pad, "");
            else
                fprintf(out, "  %*s%s", pad, "", text_at(g, i, k));
        }
        fprintf(out, "\n");
        if (g->line[i])
            fprintf(out, "  %s\n", g->line[i]);
    }
    free(width);
}

/* ---- Markdown --------------------------------------------------------------------------------------------- */

static bool is_shown(const pb_grid *g, int column)
{
    if (column < g->kept)
        return true;
    for (int i = 1; i < g->rows; i++)
        if (*text_at(g, i, column) && strcmp(text_at(g, i, column), "-") != 0)
            return true;
    return false;
}

void pb_markdown_print(const char *text, FILE *out)
{
    for (; *text; text++) {
        if (strchr("|*_<>&[]\\`$~", *text))
            putc('\\', out);
        putc(*text, out);
    }
}

void pb_grid_markdown(const pb_grid *g, FILE *out)
{
    for (int i = 0; i < g->rows; i++) {
        for (int k = 0; k < g->columns; k++)
            if (is_shown(g, k)) {
                fprintf(out, "| ");
                pb_markdown_print(text_at(g, i, k), out);
                fprintf(out, " ");
            }
        fprintf(out, "|\n");
        for (int k = 0; i == 0 && k < g->columns; k++)
            if (is_shown(g, k))
                fprintf(out, k ? "|---:" : "|---");
        if (i == 0)
            fprintf(out, "|\n");
    }
}
