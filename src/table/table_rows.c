/* table_rows: the columns, rows and lines of a table that is being read; see table_internal.h. */
#include <string.h>

#include "table/table_internal.h"

char *pb_table_keep_text(pb_table *t, char *text)
{
    pb_grow(&t->owned, t->owned_count, &t->owned_capacity, sizeof *t->owned);
    return t->owned[t->owned_count++] = text;
}

int pb_table_add_column(pb_table *t, const char *name)
{
    int columns = t->column.count;
    if (!*name)
        return pb_error("%s:%d: column %d has no name", t->path, t->line, columns + 1);
    int column = pb_interner_add(&t->column, name, strlen(name));
    if (column < columns)
        return pb_error("%s:%d: two columns are called '%s'", t->path, t->line, name);
    pb_grow(&t->unreadable, (size_t)column, &t->unreadable_capacity, sizeof *t->unreadable);
    pb_grow(&t->listed, (size_t)column, &t->listed_capacity, sizeof *t->listed);
    t->unreadable[column] = t->listed[column] = 0;
    return column;
}

int pb_table_name_columns(pb_table *t, const char *list)
{
    char *rest = pb_table_keep_text(t, pb_strdup(list)), *name;
    while ((name = strsep(&rest, ","))) {
        name += strspn(name, " \t");
        size_t length = strlen(name);
        while (length && strchr(" \t", name[length - 1]))
            name[--length] = 0;
        if (!rest && t->column.count && !strcmp(name, ".."))
            t->more = true;
        else if (pb_table_add_column(t, name) < 0)
            return -1;
    }
    return 0;
}

pb_table_row *pb_table_add_row(pb_table *t, int line, size_t fields)
{
    pb_grow(&t->row, t->rows, &t->capacity, sizeof *t->row);
    pb_table_row *r = &t->row[t->rows++];
    *r = (pb_table_row){.line = line, .fields = fields, .field = pb_alloc((fields + 1) * sizeof *r->field)};
    return r;
}

char *pb_table_next_line(pb_table *t)
{
    if (!*t->cursor)
        return NULL;
    char *line = t->cursor, *end = strchrnul(line, '\n');
    t->cursor = *end ? end + 1 : end;
    t->line++;
    *end = 0;
    if (end > line && end[-1] == '\r')
        end[-1] = 0;
    return line;
}
