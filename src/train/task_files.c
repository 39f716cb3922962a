/* task_files: reads the files of a task into its splits; see task.h. */
#include <stdlib.h>
#include <string.h>

#include "table/table.h"
#include "train/task.h"
#include "train/template.h"

/* ---- where files are ------------------------------------------------------------------------------------------ */

/* Appends a path to those that are tried, if it is a new one, and takes ownership of it. */
static int add_path(char *list[], int n, char *path)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(list[i], path)) {
            free(path);
            return n;
        }
    list[n] = path;
    return n + 1;
}

static int refuse_missing(const char *file, char *const list[], int n)
{
    pb_text tried = {0};
    for (int i = 0; i < n; i++)
        pb_text_add(&tried, "%s%s", i ? ", " : "", list[i]);
    pb_error("%s: no such file; looked for %s%s", file, tried.data,
             *file == '/' || getenv("PEFTBENCH_DATA") ? "" : " (PEFTBENCH_DATA, a folder to look in too, is not set)");
    pb_text_free(&tried);
    return -1;
}

char *pb_data_find(const pb_data *d, const char *file)
{
    const char *home = getenv("PEFTBENCH_DATA");
    char *path[7], *found = NULL, *in_data = pb_format("data/%s", file);
    int n = 0;
    for (int i = 0; i < 2 && d && *file != '/'; i++)
        n = d->folder[i] ? add_path(path, n, pb_format("%s%s", d->folder[i], file)) : n;
    n = add_path(path, n, pb_strdup(file));
    n = *file == '/' ? n : add_path(path, n, pb_strdup(in_data));
    n = *file == '/' || !home ? n : add_path(path, n, pb_format("%s/%s", home, file));
    n = add_path(path, n, pb_find_installed(file)); /* what comes with the program is the last resort */
    n = *file == '/' ? n : add_path(path, n, pb_find_installed(in_data));
    if (pb_file_exists(file)) /* such as the path that pb_experiment_place_files found in one of the folders */
        found = pb_strdup(file);
    for (int i = 0; i < n && !found; i++)
        if (pb_file_exists(path[i]))
            found = pb_strdup(path[i]);
    if (!found)
        refuse_missing(file, path, n);
    for (int i = 0; i < n; i++)
        free(path[i]);
    free(in_data);
    return found;
}

int pb_data_template(pb_data *d, const char *file)
{
    pb_template parsed;
    free(d->template);
    d->template = NULL;
    char *path = *file ? pb_data_find(d, file) : NULL;
    d->template = path ? pb_read_file(path, NULL) : NULL;
    int rc = !*file ? 0 : d->template ? pb_template_parse(path, d->template, d->pair, &parsed) : -1;
    free(path);
    return rc;
}

/* ---- the columns of the texts ----------------------------------------------------------------------------------- */

/* Returns the name before the next comma of a list, without white space around it, and moves *list after it. */
static char *next_name(char **list)
{
    static const char blank[] = " \t";
    char *name = strsep(list, ",");
    name += strspn(name, blank);
    size_t n = strlen(name);
    while (n && strchr(blank, name[n - 1]))
        name[--n] = 0;
    return name;
}

/* A template shows the texts of a pair as {NAME}, and the answer as {label}. */
static int check_names(const pb_data *d, const char *given)
{
    for (int i = 0; i < 2; i++) {
        const char *name = d->pair[i];
        if (!*name || strpbrk(name, "{}") || !strcmp(name, "label"))
            return pb_error("%s: text: want the names of two columns, without braces and other than 'label', got '%s'",
                            d->name, given);
    }
    if (!strcmp(d->pair[0], d->pair[1]))
        return pb_error("%s: text: the column '%s' is named twice; want the columns of two texts", d->name, d->pair[0]);
    return 0;
}

int pb_files_pair(pb_data *d, const char *names)
{
    if (!strchr(names, ','))
        return 0;
    char *copy = pb_strdup(names), *rest = copy;
    for (int i = 0; i < 2; i++) {
        free(d->pair[i]);
        d->pair[i] = pb_strdup(next_name(&rest));
    }
    int rc = rest ? pb_error("%s: text: want one column, or two for pairs of texts, got '%s'", d->name, names)
                  : check_names(d, names);
    free(copy);
    return rc;
}

int pb_files_columns(const pb_data *d, const char *names, const pb_table *t, int column[2])
{
    column[0] = pb_table_column(t, d->pair[0] ? d->pair[0] : names);
    column[1] = d->pair[1] && column[0] >= 0 ? pb_table_column(t, d->pair[1]) : -1;
    return column[0] < 0 || (d->pair[1] && column[1] < 0) ? -1 : 0;
}

int pb_files_texts(const pb_data *d, const char *names, const pb_table *t, size_t row, const int column[2],
                   pb_example *e)
{
    e->line = pb_table_line(t, row, column[0]);
    for (int i = 0; i < 2 && column[i] >= 0; i++) {
        const char *text = pb_table_get(t, row, column[i]);
        *(i ? &e->second : &e->text) = text;
        if (!*text)
            return pb_error("%s:%d: %s: want a text, got nothing", pb_table_path(t, column[i]),
                            pb_table_line(t, row, column[i]), d->pair[i] ? d->pair[i] : names);
    }
    return 0;
}

/* ---- loading ---------------------------------------------------------------------------------------------------- */

/* Opens a file, or returns NULL with an error. */
static pb_table *open_file(const pb_data *d, const char *file, const pb_table_format *how)
{
    char *path = pb_data_find(d, file);
    pb_table *t = path ? pb_table_open(path, how) : NULL;
    free(path);
    return t;
}

/* Opens a file with a text a line, and adds the column of the file with their labels. */
static pb_table *open_both(const pb_data *d, const pb_files *f, const char *file, const char *labels)
{
    const pb_table_format texts = {*f->format ? f->format : "lines", f->columns, (pb_charset)f->encoding};
    const pb_table_format lines = {"lines", "label", (pb_charset)f->encoding};
    pb_table *t = open_file(d, file, &texts), *other = t ? open_file(d, labels, &lines) : NULL;
    if (other && !pb_table_join(t, other))
        return t;
    if (t)
        pb_table_close(t);
    return NULL;
}

static int load_file(pb_data *d, const pb_files *f, pb_split split, pb_files_add *add, const void *ctx)
{
    const char *const files[] = {f->train, f->validation, f->test}, *file = files[split];
    const char *const labels_of[] = {f->train_labels, f->validation_labels, f->test_labels}, *labels = labels_of[split];
    const pb_table_format how = {f->format, f->columns, (pb_charset)f->encoding};
    if (!*file && *labels)
        return pb_error("%s: %s_labels: want a file of texts, %s, too", d->name, pb_split_name[split],
                        pb_split_name[split]);
    if (!*file)
        return 0;
    pb_table *t = *labels ? open_both(d, f, file, labels) : open_file(d, file, &how);
    int rc = t ? add(d, ctx, split, t) : -1;
    if (t)
        pb_table_close(t);
    return rc;
}

int pb_files_load(pb_data *d, const pb_files *f, pb_files_add *add, const void *ctx)
{
    if (pb_data_template(d, f->template))
        return -1;
    if (!*f->train)
        return pb_error("%s: train: want a file, got nothing", d->name);
    for (int s = 0; s < PB_SPLITS; s++)
        if (load_file(d, f, (pb_split)s, add, ctx))
            return -1;
    if (!*f->validation || !*f->test)
        pb_data_draw(d, *f->validation ? 0 : f->validation_share, *f->test ? 0 : f->test_share,
                     (uint64_t)f->split_seed);
    if (f->overlap == PB_OVERLAP_DROP)
        pb_data_drop_overlap(d);
    return 0;
}

void pb_files_limit(pb_data *d, const pb_files *f)
{
    pb_data_keep(d, PB_TRAIN, f->train_limit, (uint64_t)f->split_seed);
    pb_data_keep(d, PB_VALIDATION, f->score_limit, (uint64_t)f->split_seed);
    pb_data_keep(d, PB_TEST, f->score_limit, (uint64_t)f->split_seed);
}
