/* generate: generates texts from texts.  A named task (tasks/NAME.ini) says which files and columns hold them.  Rows
 * with equal sources are one example, and each of their references is correct. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "peftbench.h"

typedef struct conf {
    pb_files files;
    const char *source, *references, *forms, *messages, *chat_template, *date, *answer, *metric;
} conf;

static const pb_option options[] = {
    PB_FILES_OPTIONS,
    PB_OPTION(conf, source, TEXT, "source", "column with the source texts"),
    PB_OPTION(conf, references, TEXT, "reference",
              "columns with the references, `ref1, ref2`; empty fields are skipped"),
    PB_OPTION(conf, forms, FILE, "", "file with other forms of slot values, for the slot error rate"),
    PB_OPTION(conf, messages, TEXT, "",
              "column with the messages of a conversation in place of source and reference: a JSON list of {role, "
              "content} that ends with the assistant's answer; all that the assistant says is trained"),
    PB_OPTION(conf, chat_template, FILE, "",
              "of conversations: a file with the chat template in Jinja, or chatml, llama3, llama2, mistral or zephyr; "
              "empty: the model's own"),
    PB_OPTION(conf, date, TEXT, "", "of conversations: the day that the chat template sees, 2025-01-31"),
    PB_OPTION(
        conf, answer, TEXT, "",
        "pattern by which the answer in a text is found, such as '#### {number}'; also {text} or {letter}; empty: "
        "none"),
    PB_OPTION(conf, metric, TEXT, "", "the primary metric (docs/metrics.md); empty: bleu"),
    {0},
};

/* ---- loading ------------------------------------------------------------------------------ */

enum { MOST_REFERENCES = 32 }; /* columns */

/* Finds the columns named in `references`.  Returns their number, or -1 with an error if one does not exist. */
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

static int add_rows(pb_data *d, const void *settings, pb_split split, const pb_table *t)
{
    const conf *c = settings;
    int reference[MOST_REFERENCES], source = pb_table_column(t, c->source);
    int references = source < 0 ? -1 : find_references(c, t, reference);
    if (references < 0)
        return -1;
    for (size_t row = 0; row < pb_table_rows(t); row++) {
        int taken = 0, line = pb_table_line(t, row, source);
        const char *given = pb_table_get(t, row, source);
        for (int k = 0; k < references && *given; k++)
            if (*pb_table_get(t, row, reference[k])) {
                pb_data_add_answer(d, split, given, pb_table_get(t, row, reference[k]), line);
                taken++;
            }
        if (!taken)
            return pb_error("%s:%d: want a text in %s and in %s, got nothing", pb_table_path(t, source), line,
                            c->source, c->references);
    }
    return 0;
}

static int add_conversations(pb_data *d, const void *settings, pb_split split, const pb_table *t)
{
    const conf *c = settings;
    int column = pb_table_json_column(t, c->messages);
    for (size_t row = 0; row < pb_table_rows(t) && column >= 0; row++) {
        char *prompt, *answer;
        int line = pb_table_line(t, row, column);
        if (pb_conversation_split(pb_table_get(t, row, column), &prompt, &answer))
            return pb_error_prefix("%s:%d: %s", pb_table_path(t, column), line, c->messages);
        pb_data_add_answer(d, split, prompt, answer, line);
        free(prompt);
        free(answer);
    }
    return column < 0 ? -1 : 0;
}

/* Refuses settings of texts for conversations, and the reverse. */
static int check_messages(pb_data *d, const conf *c)
{
    const struct {
        const char *name;
        bool given;
    } other[] = {{"template", *c->files.template},
                 {"forms", *c->forms},
                 {"source", strcmp(c->source, "source") != 0},
                 {"reference", strcmp(c->references, "reference") != 0}};
    for (size_t i = 0; i < PB_COUNT(other) && *c->messages; i++)
        if (other[i].given) {
            pb_error("want no %s with messages: a chat template presents them", other[i].name);
            return pb_data_blame(d, other[i].name);
        }
    if (*c->messages || (!*c->chat_template && !*c->date))
        return 0;
    pb_error("want messages, the column of the conversations, with it");
    return pb_data_blame(d, *c->chat_template ? "chat_template" : "date");
}

/* The file is checked when the data is loaded, not only when texts are scored. */
static int check_forms(const char *path)
{
    pb_forms *forms = pb_forms_read(path);
    pb_forms_free(forms);
    return forms ? 0 : -1;
}

/* Refuses a reference in which the pattern finds no answer, since no text could match it. */
static int check_references(const pb_data *d, const pb_answer *a)
{
    for (int s = 0; s < PB_SPLITS; s++)
        for (int i = 0; i < d->split[s].count; i++) {
            const pb_example *e = &d->split[s].example[i];
            for (int k = 0; k < e->answers; k++) {
                char *found = pb_answer_find(a, e->answer[k]);
                free(found);
                if (!found)
                    return pb_error("%s: %s, line %d: the reference has no answer '%s'", d->name, pb_split_name[s],
                                    e->line, d->answer);
            }
        }
    return 0;
}

/* Reads the pattern of the answers, and checks the references by it.  A primary metric that needs a pattern must have
 * one. */
static int load_answer(pb_data *d, const conf *c)
{
    if (!*c->answer && (!strcmp(c->metric, "answer-match") || !strcmp(c->metric, "no-answer"))) {
        pb_error("%s needs the setting `answer`, such as answer = #### {number}", c->metric);
        return pb_data_blame(d, "metric");
    }
    pb_answer *a = *c->answer ? pb_answer_parse(c->answer) : NULL;
    if (*c->answer && !a)
        return pb_data_blame(d, "answer");
    d->answer = a ? pb_strdup(c->answer) : NULL;
    int rc = a ? check_references(d, a) : 0;
    pb_answer_free(a);
    return rc;
}

static int load(pb_data *d, const void *settings)
{
    const conf *c = settings;
    if (*c->forms && (!(d->forms = pb_data_find(d, c->forms)) || check_forms(d->forms)))
        return -1;
    if (check_messages(d, c) || pb_files_load(d, &c->files, *c->messages ? add_conversations : add_rows, c))
        return -1;
    if (*c->messages && pb_conversation_template(d, c->chat_template, c->date))
        return -1;
    pb_data_group(d);
    pb_files_limit(d, &c->files);
    return load_answer(d, c);
}

/* ---- scoring ------------------------------------------------------------------------------- */

static bool has_answers(const pb_data *d)
{
    return d->answer != NULL;
}

static const pb_metric_info metrics[] = {
    {"bleu", true, pb_chance_zero, 0, 100},
    {"bleu-e2e", true, pb_chance_zero, 0, 1},
    {"nist", true, pb_chance_zero, 0, INFINITY},
    {"rouge-l", true, pb_chance_zero, 0, 1},
    {"cider", true, pb_chance_zero, 0, 10},
    {"chrf", true, pb_chance_zero, 0, 100},
    {"exact-match", true, pb_chance_zero, 0, 1},
    {"slot-error", false, pb_chance_zero, 0, INFINITY},
    {"distinct-1", true, pb_chance_zero, 0, 1},
    {"distinct-2", true, pb_chance_zero, 0, 1},
    {.name = "answer-match", .higher_is_better = true, .chance = pb_chance_zero, .most = 1, .asked = has_answers},
    {.name = "no-answer", .chance = pb_chance_zero, .most = 1, .asked = has_answers},
    {0},
};

/* A split with its references and predictions, as the text metrics take them. */
typedef struct scored {
    pb_text_item *item;
    pb_text_set set;
    const char **hypothesis; /* [set.count] */
} scored;

static scored pair_with_references(const pb_data *d, pb_split split, const pb_prediction *prediction)
{
    int n = d->split[split].count;
    scored s = {.item = pb_alloc((size_t)(n + 1) * sizeof *s.item),
                .hypothesis = pb_alloc((size_t)(n + 1) * sizeof *s.hypothesis)};
    for (int i = 0; i < n; i++) {
        const pb_example *e = &d->split[split].example[i];
        s.item[i] = (pb_text_item){e->text, (const char *const *)e->answer, e->answers};
        s.hypothesis[i] = prediction[i].text;
    }
    s.set = (pb_text_set){.item = s.item, .count = n};
    return s;
}

static double score_one(const pb_text_metric *m, const scored *s, pb_split split, pb_result *keep)
{
    double *stats = m->stats ? pb_alloc((size_t)(s->set.count * m->stats + 1) * sizeof *stats) : NULL;
    double value = pb_text_score(m, &s->set, s->hypothesis, stats);
    for (int i = 0; keep && stats && i < s->set.count; i++)
        pb_result_statistic(keep, split, i, m->name, m->stats, stats + i * m->stats);
    free(stats);
    return value;
}

static void score(const pb_data *d, pb_split split, const pb_prediction *prediction, double *values, pb_result *keep)
{
    scored s = pair_with_references(d, split, prediction);
    pb_forms *forms = d->forms ? pb_forms_read(d->forms) : NULL;
    s.set.forms = forms;
    s.set.answer = d->answer;
    for (int i = 0; metrics[i].name; i++)
        if (!metrics[i].asked || metrics[i].asked(d))
            values[i] = score_one(pb_text_metric_find(metrics[i].name), &s, split, keep);
    pb_forms_free(forms);
    free(s.item);
    free(s.hypothesis);
}

const pb_task pb_task_generate = {
    .name = "generate",
    .help = "Generates texts from texts.  Reads TSV, CSV or JSON Lines with named columns and one or more references.",
    .answer_kind = PB_ANSWER_TEXT,
    .options = options,
    .conf_size = sizeof(conf),
    .load = load,
    .version = 1,
    .metrics = metrics,
    .score = score,
};
