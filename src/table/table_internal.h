/* table_internal: what the files that read tables share.  Not for other rooms. */
#ifndef PB_TABLE_INTERNAL_H
#define PB_TABLE_INTERNAL_H

#include "base/interner.h"
#include "table/table.h"

typedef struct pb_table_row {
    int line;
    size_t fields;
    const char **field; /* [fields], inside `bytes` or `owned`                        */
    int *column;        /* [fields] of each field, ascending; NULL: field i is of column i */
} pb_table_row;

/* A list in a field. */
typedef struct pb_table_items {
    size_t row;
    int column, count;
    const char **item; /* [count] */
} pb_table_items;

struct pb_table {
    char *path;
    char *bytes;
    char *cursor;       /* the next byte to read, in `bytes` */
    int line;           /* lines read so far               */
    pb_interner column; /* the names */
    bool more;          /* Lines may have further fields, which nobody reads. */
    bool word_lines;    /* Each item of a list has a line of its own. */
    int *unreadable;    /* [columns it has room for] the first line with a value that is neither a text nor a list */
    int *listed;        /* [the same] the first line with a list; 0: there is none */
    size_t unreadable_capacity, listed_capacity;
    pb_table_items *list; /* ordered by row and column */
    size_t lists, lists_capacity;
    pb_table_row *row;
    size_t rows, capacity;
    pb_table *joined; /* the table whose columns have been added, or NULL */
    char **owned;     /* the texts that are not in `bytes` */
    size_t owned_count, owned_capacity;
};

/* Makes the table own a text, and returns it. */
char *pb_table_keep_text(pb_table *t, char *text);

/* Returns the number of the new column, or -1 with an error. */
int pb_table_add_column(pb_table *t, const char *name);

/* Adds the columns of a file without a header from a list of names such as "text, label", or "text, label, ..". */
int pb_table_name_columns(pb_table *t, const char *list);

/* Adds a row with room for its fields, which the table owns. */
pb_table_row *pb_table_add_row(pb_table *t, int line, size_t fields);

/* Returns the line at the cursor, without its end, or NULL at the end of the file. */
char *pb_table_next_line(pb_table *t);

/* Reads the rows of the format conll (table.h).  columns may be NULL.  Returns -1 with an error. */
int pb_conll_read(pb_table *t, const char *columns);

#endif
