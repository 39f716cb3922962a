/* conll: reads sentences with a word on each line; see table.h. */
#include <stdlib.h>
#include <string.h>

#include "table/table_internal.h"

/* The fields of a line. */
typedef struct fields {
    const char **field;
    size_t count, capacity;
} fields;

static void add_field(fields *r, const char *text)
{
    pb_grow(&r->field, r->count, &r->capacity, sizeof *r->field);
    r->field[r->count++] = text;
}

/* Splits a line at its tabs or, if it has none, at its blanks. */
static void split_word(char *line, fields *r)
{
    bool tabs = strchr(line, '\t') != NULL;
    r->count = 0;
    for (char *field; (field = strsep(&line, tabs ? "\t" : " "));)
        if (tabs || *field)
            add_field(r, field);
}

/* Names the columns by the number of fields of a line: the first is of the words, the last of the tags. */
static int number_columns(pb_table *t, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char number[24];
        snprintf(number, sizeof number, "%zu", i + 1);
        if (pb_table_add_column(t, !i ? "tokens" : i + 1 == count ? "ner_tags" : number) < 0)
            return -1;
    }
    return 0;
}

/* Adds a list for each column to the last row. */
static void begin_sentence(pb_table *t)
{
    pb_table_add_row(t, t->line, 0)->column = pb_alloc(sizeof(int));
    for (int c = 0; c < t->column.count; c++) {
        pb_grow(&t->list, t->lists, &t->lists_capacity, sizeof *t->list);
        t->list[t->lists++] = (pb_table_items){.row = t->rows - 1, .column = c};
        t->listed[c] = t->listed[c] ? t->listed[c] : t->line;
    }
}

/* Adds the fields of a word to the lists of the last row, which grow by doubling. */
static void keep_word(pb_table *t, const fields *r)
{
    PB_CHECK(r->field); /* check_word has counted them */
    for (int c = 0; c < t->column.count; c++) {
        pb_table_items *l = &t->list[t->lists - (size_t)t->column.count + (size_t)c];
        if (!(l->count & (l->count - 1)))
            l->item = pb_realloc(l->item, (size_t)(2 * l->count + 1) * sizeof *l->item);
        l->item[l->count++] = r->field[c];
    }
}

static int check_word(const pb_table *t, const fields *r)
{
    size_t columns = (size_t)t->column.count;
    if (r->count == columns || (r->count > columns && t->more))
        return 0;
    return pb_error("%s:%d: want %zu columns (a word, .., a tag), separated by tabs or blanks, got %zu", t->path,
                    t->line, columns, r->count);
}

int pb_conll_read(pb_table *t, const char *columns)
{
    fields r = {0};
    bool inside = false;
    int rc = columns ? pb_table_name_columns(t, columns) : 0;
    t->word_lines = true;
    for (char *line; !rc && (line = pb_table_next_line(t));) {
        size_t n = strlen(line);
        while (n && strchr(" \t", line[n - 1]))
            line[--n] = 0;
        if (!n || !strncmp(line, "-DOCSTART-", 10)) {
            inside = false;
            continue;
        }
        split_word(line, &r);
        rc = (!t->column.count && number_columns(t, r.count)) || check_word(t, &r) ? -1 : 0;
        if (!rc && !inside)
            begin_sentence(t);
        if (!rc)
            keep_word(t, &r);
        inside = true;
    }
    free(r.field);
    return rc;
}
