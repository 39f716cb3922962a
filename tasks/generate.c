/* generate: texts from texts.  A named task (tasks/NAME.ini) gives files and columns; equal sources are one
 * example, and all their references are right. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "peftbench.h"

typedef struct conf {
    pb_files files;
    const char *source, *references, *forms;
} conf;

static const pb_option options[] = {
    PB_FILES_OPTIONS,
    PB_OPTION(conf, source, TEXT, "source", "column of what is given"),
    PB_OPTION(conf, references, TEXT, "reference",
              "columns of what would be right, `ref1, ref2`; empty fields are left out"),
    PB_OPTION(conf, forms, TEXT, "", "file of other ways to say a slot's value, for the slot error rate"),
    {0},
};

/* ---- loading ------------------------------------------------------------------------------ */

enum { MOST_REFERENCES = 32 }; /* columns */

/* The columns named in `references`; -1 with an error. */
static int find_references(const conf *c, const pb_table *t, int column[MOST_REFERENCES])
{
    char *list = pb_strdup(c->references), *rest = list, *name;
    int n = 0;
    while (n >= 0 && (name = strsep(&rest, ","))) {
        name += strspn(name, " \t");
        name[strcspn(name, " \t")] = 0;
        if (n == MOST_REFERENCES)
            n = pb_error("references: want at most %d columns", MOST_REFERENCES);
        else
            n = (column[n] = pb_table_column(t, name)) < 0 ? -1 : n + 1;
    }
    free(list);
    return n;
}

static int take_rows(pb_data *d, const void *settings, pb_split split, const pb_table *t)
{
    const conf *c = settings;
    int reference[MOST_REFERENCES], source = pb_table_column(t, c->source);
    int references = source < 0 ? -1 : find_references(c, t, reference);
    if (references < 0)
        return -1;
    for (size_t row = 0; row < pb_table_rows(t); row++) {
        int taken = 0, line = pb_table_line(t, row);
        const char *given = pb_table_get(t, row, source);
        for (int k = 0; k < references && *given; k++)
            if (*pb_table_get(t, row, reference[k])) {
                pb_data_add_answer(d, split, given, pb_table_get(t, row, reference[k]), line);
                taken++;
            }
        if (!taken)
            return pb_error("%s:%d: want a text in %s and in %s, got nothing", pb_table_path(t), line, c->source,
                            c->references);
    }
    return 0;
}

/* Before work starts, not when it is scored. */
static int check_forms(const char *path)
{
    pb_forms *forms = pb_forms_read(path);
    pb_forms_free(forms);
    return forms ? 0 : -1;
}

static int load(pb_data *d, const void *settings)
{
    const conf *c = settings;
    if (*c->forms && (!(d->forms = pb_data_find(c->forms)) || check_forms(d->forms)))
        return -1;
    if (pb_files_load(d, &c->files, take_rows, c))
        return -1;
    pb_data_group(d);
    pb_files_limit(d, &c->files);
    return 0;
}

/* ---- scoring ------------------------------------------------------------------------------- */

static double none(const pb_data *d)
{
    (void)d;
    return 0;
}

/* The first is what settings are chosen by. */
static const pb_metric_info metrics[] = {
    {"bleu", true, none, 0, 100},
    {"bleu-e2e", true, none, 0, 1},
    {"nist", true, none, 0, INFINITY},
    {"rouge-l", true, none, 0, 1},
    {"cider", true, none, 0, 10},
    {"chrf", true, none, 0, 100},
    {"exact-match", true, none, 0, 1},
    {"slot-error", false, none, 0, INFINITY},
    {"distinct-1", true, none, 0, 1},
    {"distinct-2", true, none, 0, 1},
    {0},
};

/* A split with its references, and what was said. */
typedef struct scored {
    pb_text_item *item;
    pb_text_set set;
    const char **said;
} scored;

static scored collect(const pb_data *d, pb_split split, const pb_prediction *said)
{
    int n = d->split[split].count;
    scored s = {.item = pb_alloc((size_t)(n + 1) * sizeof *s.item), .said = pb_alloc((size_t)(n + 1) * sizeof *s.said)};
    for (int i = 0; i < n; i++) {
        const pb_example *e = &d->split[split].example[i];
        s.item[i] = (pb_text_item){e->text, (const char *const *)e->answer, e->answers};
        s.said[i] = said[i].text;
    }
    s.set = (pb_text_set){.item = s.item, .count = n};
    return s;
}

static double score_one(const pb_text_metric *m, const scored *s, pb_split split, pb_result *keep)
{
    double *stats = m->stats ? pb_alloc((size_t)(s->set.count * m->stats + 1) * sizeof *stats) : NULL;
    double value = pb_text_score(m, &s->set, s->said, stats);
    for (int i = 0; keep && stats && i < s->set.count; i++)
        pb_result_statistic(keep, split, i, m->name, m->stats, stats + i * m->stats);
    free(stats);
    return value;
}

static void score(const pb_data *d, pb_split split, const pb_prediction *said, double *values, pb_result *keep)
{
    scored s = collect(d, split, said);
    pb_forms *forms = d->forms ? pb_forms_read(d->forms) : NULL;
    s.set.forms = forms;
    for (int i = 0; metrics[i].name; i++)
        values[i] = score_one(pb_text_metric_find(metrics[i].name), &s, split, keep);
    pb_forms_free(forms);
    free(s.item);
    free(s.said);
}

const pb_task pb_task_generate = {
    .name = "generate",
    .help = "Texts from texts: TSV, CSV or JSON Lines with named columns, one or more references each.",
    .texts = true,
    .options = options,
    .conf_size = sizeof(conf),
    .load = load,
    .version = 1,
    .metrics = metrics,
    .score = score,
};
