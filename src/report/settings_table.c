/* settings_table: see settings_table.h. */
#include "report/settings_table.h"

#include <stdlib.h>
#include <string.h>

#include "report/grid.h"

/* A value of a setting, or the values that are tried, and the rows that have it. */
typedef struct line {
    const char *key;
    char *tried;
    const char *chosen; /* NULL: the setting is not tuned, or nothing is chosen yet */
    pb_text rows;
    int count;
} line;

typedef struct lines {
    line *item; /* [count] */
    size_t count, capacity;
} lines;

static bool is_among(const char *const *list, int n, const char *value)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(list[i], value))
            return true;
    return false;
}

/* Returns the values that the row's cells have, in their order, with commas between them; *values is their number.  The
 * caller frees the text. */
static char *values_of(const pb_experiment *e, const pb_row *row, const char *key, int *values)
{
    const char **list = pb_alloc((size_t)e->cells * sizeof *list);
    pb_text t = {0};
    *values = 0;
    for (int i = 0; i < e->cells; i++) {
        const char *value = e->cell[i].row == row ? pb_settings_get(e->cell[i].settings, key) : NULL;
        if (!value || is_among(list, *values, value))
            continue;
        pb_text_add(&t, "%s%s", *values ? ", " : "", value);
        list[(*values)++] = value;
    }
    free(list);
    return t.data ? t.data : pb_strdup("");
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

/* Adds a row to the line of this value, or a line.  Takes ownership of `tried`. */
static void add(lines *l, const char *key, char *tried, const char *chosen, const char *label)
{
    line *at = NULL;
    for (size_t i = 0; i < l->count && !at; i++)
        if (!strcmp(l->item[i].key, key) && !strcmp(l->item[i].tried, tried) && same_text(l->item[i].chosen, chosen))
            at = &l->item[i];
    if (at) {
        free(tried);
    } else {
        if (l->count == l->capacity)
            l->item = pb_realloc(l->item, (l->capacity = 2 * l->capacity + 64) * sizeof *l->item);
        at = &l->item[l->count++];
        *at = (line){.key = key, .tried = tried, .chosen = chosen};
    }
    pb_text_add(&at->rows, "%s%s", at->count++ ? ", " : "", label);
}

/* The cell's list has the row as well, which is no setting. */
static void add_row(lines *l, const pb_experiment *e, const pb_report *r, int number)
{
    const pb_row *row = &e->row[number];
    const pb_cell *first = e->cell;
    while (first->row != row)
        first++;
    for (size_t i = 0; i < first->settings->count; i++) {
        const char *key = first->settings->item[i].key;
        int values;
        if (!strcmp(key, "row"))
            continue;
        char *tried = values_of(e, row, key, &values);
        add(l, key, tried, r && values > 1 ? pb_report_setting(r, number, key) : NULL, row->label);
    }
}

static int by_key(const void *a, const void *b)
{
    const line *x = a, *y = b;
    int order = strcmp(x->key, y->key);
    return order ? order : (x->count < y->count) - (x->count > y->count);
}

static void put(const pb_grid *g, int row, int column, const char *text)
{
    char **at = pb_grid_at(g, row, column);
    free(*at);
    *at = pb_strdup(text);
}

/* The rows come last, because there may be many. */
static pb_grid make_grid(const lines *l, int rows, bool chosen)
{
    int last = chosen ? 3 : 2;
    pb_grid g = pb_grid_new((int)l->count + 1, last + 1);
    g.kept = g.names = last + 1;
    put(&g, 0, 0, "setting");
    put(&g, 0, 1, "value");
    put(&g, 0, 2, "chosen");
    put(&g, 0, last, "rows");
    for (size_t i = 0; i < l->count; i++) {
        const line *x = &l->item[i];
        int row = (int)i + 1;
        put(&g, row, 0, x->key);
        put(&g, row, 1, *x->tried ? x->tried : "(empty)");
        put(&g, row, 2, x->chosen ? x->chosen : "-");
        put(&g, row, last, x->count == rows ? "all" : x->rows.data);
    }
    return g;
}

void pb_settings_table_print(const pb_experiment *e, const pb_report *r, int format, FILE *out)
{
    static void (*const print[])(const pb_grid *g, FILE *out) = {[PB_PRINT_TEXT] = pb_grid_print,
                                                                 [PB_PRINT_MARKDOWN] = pb_grid_markdown,
                                                                 [PB_PRINT_LATEX] = pb_grid_latex,
                                                                 [PB_PRINT_CSV] = pb_grid_csv};
    lines l = {0};
    for (int i = 0; i < e->rows; i++)
        add_row(&l, e, r, i);
    if (l.count) /* not of NULL */
        qsort(l.item, l.count, sizeof *l.item, by_key);
    pb_grid g = make_grid(&l, e->rows, r != NULL);
    print[format](&g, out);
    pb_grid_free(&g);
    for (size_t i = 0; i < l.count; i++) {
        free(l.item[i].tried);
        pb_text_free(&l.item[i].rows);
    }
    free(l.item);
}
