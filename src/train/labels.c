/* labels: see labels.h. */
#include "train/labels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/interner.h"
#include "base/json.h"

/* Where a label stands. */
typedef struct place {
    const char *path;
    int line;
} place;

/* What an interned label stands for. */
typedef struct entry {
    int class;
    char *spelling, *path; /* where it was first seen; of a list: NULL */
    int line;
} entry;

struct pb_labels {
    pb_data *data;
    char *list;         /* as given */
    pb_interner labels; /* of a list: as written; from the training file: in their plain form */
    entry *entry;       /* [labels.count]                                                  */
    size_t capacity;
    int reals, words; /* labels from the file that are fractions, and those that are not numbers */
    int real;         /* the first entry that is a fraction                                 */
};

/* ---- spelling ----------------------------------------------------------------------------------------------- */

bool pb_labels_number(const char *text, double *x)
{
    char *end;
    if (!*text || text[strspn(text, "+-.0123456789eE")])
        return false;
    *x = strtod(text, &end);
    return !*end && isfinite(*x);
}

static const char blank[] = " \t\r\n\v\f"; /* what is removed at the ends of a label */

/* Returns the text without quotes around it, which it removes in place. */
static char *unquote(char *text)
{
    size_t n = strlen(text);
    if (n < 3 || (*text != '"' && *text != '\'') || text[n - 1] != *text)
        return text;
    text[n - 1] = 0;
    return pb_trim(text + 1, blank);
}

/* Returns what the spellings of one label have in common: numbers by their value, words in Unicode's compatible form
 * without case and without invisible characters, both without white space and quotes around them.  The caller frees
 * it. */
static char *plain_form(const char *label)
{
    double x;
    uint8_t *folded = NULL;
    char *copy = pb_strdup(label), *text = unquote(pb_trim(copy, blank)), *form;
    utf8proc_map((const uint8_t *)text, 0, &folded,
                 UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD |
                     UTF8PROC_IGNORE);
    if (pb_labels_number(text, &x))
        form = pb_format("%.17g", x + 0.0); /* no -0 */
    else
        form = pb_strdup(folded ? pb_trim((char *)folded, blank) : text);
    free(folded);
    free(copy);
    return form;
}

/* ---- creation --------------------------------------------------------------------------------------------------- */

static entry *add_entry(pb_labels *l, const char *key, int class)
{
    int i = pb_interner_add(&l->labels, key, strlen(key));
    pb_grow(&l->entry, (size_t)i, &l->capacity, sizeof *l->entry);
    l->entry[i] = (entry){.class = class};
    return &l->entry[i];
}

static int read_list(pb_labels *l)
{
    char *copy = pb_strdup(l->list), *rest = copy, *key;
    int rc = 0;
    while (!rc && (key = strsep(&rest, ","))) {
        char *name = strchr(key, '=');
        if (name)
            *name++ = 0;
        key = pb_trim(key, blank);
        name = name ? pb_trim(name, blank) : key;
        if (!*key && name == key) /* nothing between two commas */
            continue;
        if (!*key || !*name)
            rc = pb_error("%s: classes: want LABEL or LABEL=NAME, got '%s=%s'", l->data->name, key, name);
        else if (pb_interner_find(&l->labels, key, strlen(key)) >= 0)
            rc = pb_error("%s: classes: the label '%s' is listed twice; want it once", l->data->name, key);
        else
            add_entry(l, key, pb_data_class(l->data, name));
    }
    free(copy);
    return rc;
}

pb_labels *pb_labels_new(pb_data *d, const char *list)
{
    pb_labels *l = pb_alloc(sizeof *l);
    l->data = d;
    l->list = pb_strdup(list);
    if (!read_list(l))
        return l;
    pb_labels_free(l);
    return NULL;
}

void pb_labels_free(pb_labels *l)
{
    for (int i = 0; l && i < l->labels.count; i++) {
        free(l->entry[i].spelling);
        free(l->entry[i].path);
    }
    if (l) {
        pb_interner_free(&l->labels);
        free(l->entry);
        free(l->list);
    }
    free(l);
}

/* ---- from a file ------------------------------------------------------------------------------------------------ */

static const char *const advice = "or the task's `classes = LABEL=NAME, ..`, which says what each label means";

/* Reports a label that the training file does not have. */
static int refuse_new(const pb_labels *l, const char *where, const char *label)
{
    const char **names = pb_alloc((size_t)(l->data->classes + 1) * sizeof *names);
    pb_text known = {0};
    for (int i = 0; i < l->data->classes; i++) {
        names[i] = l->data->class_name[i];
        if (i < 8)
            pb_text_add(&known, "%s'%s'", i ? ", " : "", names[i]);
    }
    const char *near = pb_nearest(label, names);
    pb_error("%s: got '%s', a label that train does not have%s%s%s; want one of train's %d, %s%s, %s", where, label,
             near ? " (the nearest that it has is '" : "", near ? near : "", near ? "')" : "", l->data->classes,
             known.data ? known.data : "none", l->data->classes > 8 ? ", .." : "", advice);
    pb_text_free(&known);
    free(names);
    return -1;
}

static int add_label(pb_labels *l, const char *form, const char *label, place at)
{
    double x;
    entry *e = add_entry(l, form, pb_data_add_class(l->data, label));
    e->spelling = pb_strdup(label);
    e->path = pb_strdup(at.path);
    e->line = at.line;
    if (!pb_labels_number(form, &x))
        l->words++;
    else if (x != floor(x) && !l->reals++)
        l->real = (int)(e - l->entry);
    return e->class;
}

/* Without a list: returns the class of the label by its plain form, or -1 with an error. */
static int class_of_spelling(pb_labels *l, pb_split split, const char *where, const char *label, place at)
{
    char *form = plain_form(label);
    int i = pb_interner_find(&l->labels, form, strlen(form)), class;
    if (i < 0)
        class = split == PB_TRAIN ? add_label(l, form, label, at) : refuse_new(l, where, label);
    else if (!strcmp(l->entry[i].spelling, label))
        class = l->entry[i].class;
    else
        class = pb_error("%s: got '%s', which is written '%s' in %s:%d; want one spelling, %s", where, label,
                         l->entry[i].spelling, l->entry[i].path, l->entry[i].line, advice);
    free(form);
    return class;
}

int pb_labels_class(pb_labels *l, pb_split split, const pb_table *t, size_t row, int column, const char *name)
{
    return pb_labels_class_at(l, split, pb_table_get(t, row, column), pb_table_path(t, column),
                              pb_table_line(t, row, column), name);
}

int pb_labels_class_at(pb_labels *l, pb_split split, const char *label, const char *path, int line, const char *name)
{
    place at = {path, line};
    int class = -1;
    char *where = pb_format("%s:%d: %s", at.path, at.line, name);
    int i = *l->list ? pb_interner_find(&l->labels, label, strlen(label)) : -1;
    if (i >= 0)
        class = l->entry[i].class;
    else if (*l->list || !label[strspn(label, " \t")])
        pb_error("%s: want one of %s, got '%s'", where, *l->list ? l->list : "the classes' names", label);
    else
        class = class_of_spelling(l, split, where, label, at);
    free(where);
    return class;
}

/* ---- checks --------------------------------------------------------------------------------------------- */

int pb_labels_check(const pb_labels *l)
{
    if (!l->reals || l->words)
        return 0;
    const entry *e = &l->entry[l->real];
    return pb_error(
        "%s:%d: the labels are real numbers, such as '%s' (%d different ones): a regression set; want labels "
        "of classes, kind = regression, %s",
        e->path, e->line, e->spelling, l->labels.count, advice);
}

/* What the engine calls a class is a label where a text may have several. */
static const char *word_for_class(const pb_data *d)
{
    return d->answer_kind == PB_ANSWER_LABELS ? "label" : "class";
}

/* Reports a class that train has no example of. */
static int refuse_untrained(const pb_labels *l, int class, pb_split split)
{
    const pb_data *d = l->data;
    if (!*l->list)
        return pb_error("%s: %s has examples of the %s '%s' and train has none left; want some, %s", d->name,
                        pb_split_name[split], word_for_class(d), d->class_name[class], advice);
    pb_error("train has no example of the %s '%s'; want some, or a list without it", word_for_class(d),
             d->class_name[class]);
    return pb_data_blame(d, "classes");
}

int pb_labels_covered(const pb_labels *l)
{
    const pb_data *d = l->data;
    int *count[PB_SPLITS], rc = 0, untested = 0, first = -1;
    for (int s = 0; s < PB_SPLITS; s++)
        count[s] = pb_data_count_classes(d, (pb_split)s);
    for (int c = 0; c < d->classes && !rc; c++) {
        pb_split missing = count[PB_VALIDATION][c] ? PB_VALIDATION : PB_TEST;
        if (!count[PB_TRAIN][c] && (*l->list || count[missing][c]))
            rc = refuse_untrained(l, c, missing);
        else if (count[PB_TRAIN][c] && !count[PB_TEST][c] && !untested++)
            first = c;
    }
    if (!rc && untested)
        pb_warn("%s: test has no example of %d of the %d %s, such as '%s'", d->name, untested, d->classes,
                d->answer_kind == PB_ANSWER_LABELS ? "labels" : "classes", d->class_name[first]);
    for (int s = 0; s < PB_SPLITS; s++)
        free(count[s]);
    return rc;
}

/* ---- sets of labels --------------------------------------------------------------------------------------------- */

void pb_data_put_labels(const pb_data *d, int count, const int *label, pb_text *out)
{
    pb_text_add(out, "[");
    for (int k = 0; k < count; k++) {
        pb_text_add(out, k ? "," : "");
        pb_json_quote(out, d->class_name[label[k]]);
    }
    pb_text_add(out, "]");
}
