/* cmd_import: imports result files of Hugging Face PEFT's method_comparison into separate tables. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/cmd.h"

/* All numbers and texts of a file by their path, such as "train_info.metrics[3].valid accuracy". */
typedef struct leaves {
    const char *(*value)[2];
    size_t count, capacity;
    const char *path; /* of the value that is being visited */
} leaves;

static void add_leaf(leaves *l, const char *path, const char *value)
{
    pb_grow(&l->value, l->count, &l->capacity, sizeof *l->value);
    l->value[l->count][0] = pb_strdup(path);
    l->value[l->count++][1] = value;
}

static int visit_member(void *ctx, const char *key, const pb_json *value);

static void visit(leaves *l, const char *path, const pb_json *value)
{
    const char *before = l->path;
    l->path = path;
    if (pb_json_is_object(value))
        pb_json_each(value, visit_member, l);
    for (size_t i = 0; pb_json_is_array(value) && i < pb_json_size(value); i++) {
        char *inside = pb_format("%s[%zu]", path, i);
        visit(l, inside, pb_json_at(value, i));
        free(inside);
    }
    char *plain = pb_json_plain(value);
    if (plain)
        add_leaf(l, path, plain);
    l->path = before;
}

static int visit_member(void *ctx, const char *key, const pb_json *value)
{
    leaves *l = ctx;
    char *path = pb_format("%s%s%s", l->path, *l->path ? "." : "", key);
    visit(l, path, value);
    free(path);
    return 0;
}

static void free_leaves(leaves *l)
{
    for (size_t i = 0; i < l->count; i++)
        for (int k = 0; k < 2; k++)
            free((char *)(uintptr_t)l->value[i][k]);
    free(l->value);
}

static int check(const char *path, const pb_json *root)
{
    static const char *const part[] = {"run_info", "train_info", "meta_info"};
    for (size_t i = 0; i < PB_COUNT(part); i++)
        if (!pb_json_is_object(pb_json_get(root, part[i])))
            return pb_error("%s:1: no object '%s'; want a result file of PEFT's method_comparison", path, part[i]);
    return 0;
}

static int import_file(pb_store *s, const char *path)
{
    pb_digest digest;
    leaves l = {.path = ""};
    pb_json_doc *doc = pb_sha256_file(path, &digest) ? NULL : pb_json_read(path);
    int rc = doc ? check(path, pb_json_root(doc)) : -1;
    if (!rc) {
        visit(&l, "", pb_json_root(doc));
        rc = pb_store_import(s, path, &digest, l.value, l.count);
    }
    free_leaves(&l);
    pb_json_free(doc);
    return rc;
}

/* ---- printing ------------------------------------------------------------------------------------------- */

/* How a column is printed: the factor of the stored number and its decimal places, -1 for a text. */
typedef struct column {
    const char *heading;
    int width, digits;
    double factor;
} column;

static const column listed[] = {
    {"experiment (imported)", -44, -1, 1}, {"type", -15, -1, 1},  {"trainable", 11, -1, 1}, {"file MB", 10, 1, 1e-6},
    {"memory max MB", 13, 0, 1e-6},        {"seconds", 10, 0, 1}, {"test", 10, 4, 1}};

/* Prints "-" for a missing value.  A value that should be a number and is not is printed as it is. */
static void print_value(const column *c, const char *value)
{
    char *end, number[64];
    double x = value ? strtod(value, &end) : 0;
    if (!value || !*value) {
        printf("%*s", c->width, "-");
    } else if (c->digits < 0 || end == value || *end) {
        printf("%*s", c->width, value);
    } else {
        snprintf(number, sizeof number, "%.*f", c->digits, x * c->factor);
        printf("%*s", c->width, number);
    }
}

static int print_row(void *ctx, int columns, const char *const *value)
{
    (void)ctx;
    for (int i = 0; i < columns; i++) {
        printf("%s", i ? "  " : "");
        print_value(&listed[i], value[i]);
    }
    printf("\n");
    return 0;
}

/* Prints one row for each file.  train_time includes validation, as in the files. */
static int print_all(pb_store *s)
{
    for (size_t i = 0; i < PB_COUNT(listed); i++)
        printf("%s%*s", i ? "  " : "", listed[i].width, listed[i].heading);
    printf("\n");
    return pb_store_imported(s, print_row, NULL);
}

static int import(const pb_args *a)
{
    pb_store *s = pb_store_open(a->db);
    int rc = s ? 0 : -1;
    for (int i = 0; i < a->words && !rc; i++)
        rc = import_file(s, a->word[i]);
    rc = rc || print_all(s) ? -1 : 0;
    return pb_store_close(s) || rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_import = {
    .name = "import",
    .words = "[FILE.json]..",
    .most = PB_ANY_WORDS,
    .options = "db",
    .help = "import result files of PEFT's method_comparison and list all imported files\n\n"
            "The results are stored in separate tables (imported, imported_value) and are never mixed with runs of\n"
            "peftbench.  A file that was imported before is not imported again.  A missing value is listed as -.\n",
    .run = import,
};
