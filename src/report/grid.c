/* grid: see grid.h. */
#include "report/grid.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

pb_grid pb_grid_new(int rows, int columns)
{
    return (pb_grid){.rows = rows,
                     .columns = columns,
                     .names = 1,
                     .text = pb_alloc((size_t)rows * (size_t)columns * sizeof(char *)),
                     .emphasis = pb_alloc((size_t)rows * (size_t)columns),
                     .line = pb_alloc((size_t)rows * sizeof(char *))};
}

void pb_grid_free(pb_grid *g)
{
    for (int i = 0; i < g->rows * g->columns; i++)
        free(g->text[i]);
    for (int i = 0; i < g->rows; i++)
        free(g->line[i]);
    free(g->text);
    free(g->emphasis);
    free(g->line);
    *g = (pb_grid){0};
}

char **pb_grid_at(const pb_grid *g, int row, int column)
{
    return &g->text[(size_t)row * (size_t)g->columns + (size_t)column];
}

static unsigned char *emphasis_at(const pb_grid *g, int row, int column)
{
    return &g->emphasis[(size_t)row * (size_t)g->columns + (size_t)column];
}

/* Equal values share a place, as in 1, 1, 2. */
void pb_grid_rank(const pb_grid *g, int column, const double *value, bool more_is_better)
{
    double best = NAN, second = NAN;
    for (int i = 0; i + 1 < g->rows; i++)
        best = more_is_better ? fmax(best, value[i]) : fmin(best, value[i]);
    for (int i = 0; i + 1 < g->rows; i++)
        if (value[i] != best)
            second = more_is_better ? fmax(second, value[i]) : fmin(second, value[i]);
    for (int i = 0; i + 1 < g->rows; i++)
        *emphasis_at(g, i + 1, column) |= value[i] == best     ? PB_GRID_BEST
                                          : value[i] == second ? PB_GRID_SECOND
                                                               : PB_GRID_PLAIN;
}

void pb_grid_reorder(pb_grid *g, const int *order)
{
    size_t columns = (size_t)g->columns;
    pb_grid from = pb_grid_new(g->rows, g->columns);
    memcpy(from.text, g->text, (size_t)g->rows * columns * sizeof *g->text);
    memcpy(from.emphasis, g->emphasis, (size_t)g->rows * columns);
    memcpy(from.line, g->line, (size_t)g->rows * sizeof *g->line);
    for (int i = 0; i + 1 < g->rows; i++) {
        memcpy(pb_grid_at(g, i + 1, 0), pb_grid_at(&from, order[i] + 1, 0), columns * sizeof *g->text);
        memcpy(emphasis_at(g, i + 1, 0), emphasis_at(&from, order[i] + 1, 0), columns);
        g->line[i + 1] = from.line[order[i] + 1];
    }
    free(from.text); /* the texts are g's */
    free(from.emphasis);
    free(from.line);
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
            bool left = k < g->names, last = k + 1 == g->columns;
            fprintf(out, "%s%*s%s%*s", k ? "  " : "", left ? 0 : pad, "", text_at(g, i, k), left && !last ? pad : 0,
                    "");
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
                const char *bold = *emphasis_at(g, i, k) & PB_GRID_BEST ? "**" : "";
                fprintf(out, "| %s", bold);
                pb_markdown_print(text_at(g, i, k), out);
                fprintf(out, "%s ", bold);
            }
        fprintf(out, "|\n");
        for (int k = 0; i == 0 && k < g->columns; k++)
            if (is_shown(g, k))
                fprintf(out, k < g->names ? "|---" : "|---:");
        if (i == 0)
            fprintf(out, "|\n");
    }
}

/* ---- LaTeX ------------------------------------------------------------------------------------------------ */

void pb_latex_add(pb_text *out, const char *text)
{
    static const struct {
        const char *text, *latex;
    } all[] = {{"\\", "\\textbackslash{}"},
               {"{", "\\{"},
               {"}", "\\}"},
               {"$", "\\$"},
               {"&", "\\&"},
               {"%", "\\%"},
               {"#", "\\#"},
               {"_", "\\_"},
               {"~", "\\textasciitilde{}"},
               {"^", "\\textasciicircum{}"},
               {"<", "\\textless{}"},
               {">", "\\textgreater{}"},
               {"\"", "\\textquotedbl{}"},
               {"..", "--"},
               {"±", "$\\pm$"},
               {"†", "\\dag{}"}};
    for (text = pb_visible(text); *text;) {
        size_t used = 0;
        for (size_t i = 0; i < PB_COUNT(all) && !used; i++)
            if (!strncmp(text, all[i].text, strlen(all[i].text))) {
                used = strlen(all[i].text);
                pb_text_add(out, "%s", all[i].latex);
            }
        if (!used)
            pb_text_bytes(out, text, 1);
        text += used ? used : 1;
    }
}

void pb_latex_print(const char *text, FILE *out)
{
    pb_text t = {0};
    pb_latex_add(&t, text);
    fputs(t.data ? t.data : "", out);
    pb_text_free(&t);
}

static void print_latex_cell(const pb_grid *g, int row, int column, FILE *out)
{
    unsigned e = *emphasis_at(g, row, column);
    fputs(e & PB_GRID_BEST ? "\\textbf{" : e & PB_GRID_SECOND ? "\\underline{" : "", out);
    pb_latex_print(text_at(g, row, column), out);
    fputs(e & (PB_GRID_BEST | PB_GRID_SECOND) ? "}" : "", out);
    fputs(e & PB_GRID_AS_GOOD ? "\\rlap{$^{\\sim}$}" : "", out);
}

void pb_grid_latex(const pb_grid *g, FILE *out)
{
    fprintf(out, "\\begin{tabular}{");
    for (int k = 0; k < g->columns; k++)
        fputs(!is_shown(g, k) ? "" : k < g->names ? "l" : "r", out);
    fprintf(out, "}\n\\toprule\n");
    for (int i = 0; i < g->rows; i++) {
        for (int k = 0; k < g->columns; k++)
            if (is_shown(g, k)) {
                fputs(k ? " & " : "", out);
                print_latex_cell(g, i, k, out);
            }
        fprintf(out, " \\\\\n%s", i ? "" : "\\midrule\n");
    }
    fprintf(out, "\\bottomrule\n\\end{tabular}\n");
}

void pb_csv_print(const char *text, FILE *out)
{
    bool quoted = strpbrk(text, ",\"\r\n") != NULL;
    fputs(quoted ? "\"" : "", out);
    for (; *text; text++)
        fprintf(out, *text == '"' ? "\"\"" : "%c", *text);
    fputs(quoted ? "\"" : "", out);
}

void pb_grid_csv(const pb_grid *g, FILE *out)
{
    for (int i = 0; i < g->rows; i++) {
        for (int k = 0; k < g->columns; k++) {
            if (!is_shown(g, k))
                continue;
            fputs(k ? "," : "", out);
            pb_csv_print(text_at(g, i, k), out);
        }
        putc('\n', out);
    }
}
