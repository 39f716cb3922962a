/* choose: chooses one of several texts as the answer to a question (multiple choice).  A named task (tasks/NAME.ini)
 * says which files and columns hold them.  A head gives each pair of question and choice a score, trained by the
 * cross-entropy of the softmax over the choices of a question; a language model that reads a template scores each
 * choice by its log-likelihood behind the question. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "peftbench.h"

typedef struct conf {
    pb_files files;
    const char *question, *choices, *answer, *metric;
    int answer_as;
} conf;

enum { AUTO, INDEX, NUMBER, LETTER, LABEL, ITSELF }; /* the values of `answer_as` */

static const pb_option options[] = {
    PB_FILES_OPTIONS,
    PB_OPTION(conf, question, TEXT, "question",
              "column with the questions; `question.stem`: a member of the objects in a column"),
    PB_OPTION(
        conf, choices, TEXT, "choices",
        "column with the choices of a question: a JSON list of texts, or of {text, label}; several names, `a, b`: "
        "a column for each"),
    PB_OPTION(conf, answer, TEXT, "answer", "column that says which choice is right"),
    PB_OPTION(conf, answer_as, CHOICE, "auto", "auto|index|number|letter|label|text",
              "how it says so: index from 0, number from 1, letter, label or text; auto: as labels if there are some, "
              "otherwise as index, letter or text"),
    PB_OPTION(conf, metric, TEXT, "", "the primary metric: acc or acc_norm; empty: acc"),
    PB_FILES_OVERLAP("a question with the same choices"),
    {0},
};

/* ---- columns ------------------------------------------------------------------------------ */

/* A column, or a member of the objects in it. */
typedef struct source {
    const char *name; /* as the setting has it */
    int column;
    const char *member; /* NULL: the field itself */
} source;

/* Where the parts of an example are. */
typedef struct sources {
    const conf *conf;
    source question, answer, choices;
    int column[PB_MOST_CHOICES], columns; /* of several columns with a choice each; 0: the source `choices` */
} sources;

/* `json`: the field may be a list or an object. */
static int find_source(const pb_table *t, const char *name, bool json, source *out)
{
    const char *dot = strchr(name, '.');
    char *column = dot ? pb_format("%.*s", (int)(dot - name), name) : pb_strdup(name);
    *out = (source){name, json || dot ? pb_table_json_column(t, column) : pb_table_column(t, column),
                    dot ? dot + 1 : NULL};
    free(column);
    return out->column < 0 ? -1 : 0;
}

static int find_columns(const pb_table *t, sources *s)
{
    char *list = pb_strdup(s->conf->choices), *rest = list, *name;
    int rc = 0;
    while (!rc && (name = strsep(&rest, ","))) {
        if (s->columns == PB_MOST_CHOICES)
            rc = pb_error("choices: want at most %d columns", PB_MOST_CHOICES);
        else
            rc = (s->column[s->columns++] = pb_table_column(t, pb_trim(name, " \t"))) < 0 ? -1 : 0;
    }
    free(list);
    return rc;
}

static int find_sources(const pb_table *t, const conf *c, sources *s)
{
    *s = (sources){.conf = c};
    int rc = find_source(t, c->question, false, &s->question) || find_source(t, c->answer, false, &s->answer);
    rc = rc || (strchr(c->choices, ',') ? find_columns(t, s) : find_source(t, c->choices, true, &s->choices));
    return rc ? -1 : 0;
}

/* The row that is being read. */
/* Answers that are numbers and were taken for indices: whether one is 0, and otherwise the logarithm of the chance that
 * the right choice is never the first. */
typedef struct indices {
    bool zero;
    double chance;
} indices;

typedef struct row {
    const sources *s;
    const pb_table *t;
    size_t number;
    indices *indices;
} row;

/* Puts the place of a field in front of the pending error.  Returns -1. */
static int blame(const row *r, int column, const char *name)
{
    pb_error_prefix("%s", name);
    return pb_error_prefix("%s:%d", pb_table_path(r->t, column), pb_table_line(r->t, r->number, column));
}

/* The value of a source that is JSON, and the document that owns it, which the caller frees.  Returns NULL with an
 * error. */
static const pb_json *json_of(const row *r, const source *from, pb_json_doc **doc)
{
    const char *field = pb_table_get(r->t, r->number, from->column);
    *doc = *field ? pb_json_parse("JSON", field, strlen(field)) : NULL;
    const pb_json *v = *doc ? pb_json_root(*doc) : NULL;
    if (!*field)
        pb_error("want JSON, got nothing");
    if (v && from->member && !(v = pb_json_get(v, from->member)))
        pb_error("want an object with '%s'", from->member);
    return v;
}

/* Returns the text of a source, which the caller frees, or NULL with an error. */
static char *text_of(const row *r, const source *from)
{
    char *text;
    if (!from->member) {
        text = pb_strdup(pb_table_get(r->t, r->number, from->column));
    } else {
        pb_json_doc *doc;
        const pb_json *v = json_of(r, from, &doc);
        text = v ? pb_json_plain(v) : NULL;
        if (v && !text)
            pb_error("want a text, got a list or an object");
        pb_json_free(doc);
    }
    if (text && !text[strspn(text, " \t")]) {
        free(text);
        text = NULL;
        pb_error("want a text, got nothing");
    }
    if (!text)
        blame(r, from->column, from->name);
    return text;
}

/* ---- choices ------------------------------------------------------------------------------ */

typedef struct choices {
    char *text[PB_MOST_CHOICES], *label[PB_MOST_CHOICES]; /* a label may be NULL */
    int count;
} choices;

static void free_choices(choices *c)
{
    for (int k = 0; k < c->count; k++) {
        free(c->text[k]);
        free(c->label[k]);
    }
}

/* Adds a choice, which takes ownership of both texts.  Returns -1 with an error. */
static int add_choice(choices *c, char *text, char *label)
{
    int rc = !text                          ? pb_error("choice %d: want a text", c->count + 1)
             : !text[strspn(text, " \t\n")] ? pb_error("choice %d: want a text, got nothing", c->count + 1)
             : c->count == PB_MOST_CHOICES  ? pb_error("want at most %d choices", PB_MOST_CHOICES)
                                            : 0;
    if (rc) {
        free(text);
        free(label);
        return -1;
    }
    c->text[c->count] = text;
    c->label[c->count++] = label;
    return 0;
}

/* The text of a value, which the caller frees; NULL if it is none. */
static char *plain(const pb_json *v)
{
    return v && !pb_json_is_null(v) ? pb_json_plain(v) : NULL;
}

/* ["a", "b"], or [{"text": "a", "label": "A"}, ..] */
static int read_list(const pb_json *list, choices *out)
{
    int rc = 0;
    for (size_t i = 0; i < pb_json_size(list) && !rc; i++) {
        const pb_json *one = pb_json_at(list, i);
        rc = pb_json_is_object(one) ? add_choice(out, plain(pb_json_get(one, "text")), plain(pb_json_get(one, "label")))
                                    : add_choice(out, plain(one), NULL);
    }
    return rc;
}

/* {"text": ["a", "b"], "label": ["A", "B"]}, as Hugging Face's data sets have it */
static int read_lists(const pb_json *object, choices *out)
{
    const pb_json *text = pb_json_get(object, "text"), *label = pb_json_get(object, "label");
    int rc = 0;
    if (!pb_json_is_array(text) || (label && pb_json_size(label) != pb_json_size(text)))
        return pb_error("want lists 'text' and 'label' of one length");
    for (size_t i = 0; i < pb_json_size(text) && !rc; i++)
        rc = add_choice(out, plain(pb_json_at(text, i)), plain(pb_json_at(label, i)));
    return rc;
}

static int read_json(const row *r, choices *out)
{
    pb_json_doc *doc;
    const pb_json *v = json_of(r, &r->s->choices, &doc);
    int rc = !v                     ? -1
             : pb_json_is_array(v)  ? read_list(v, out)
             : pb_json_is_object(v) ? read_lists(v, out)
                                    : pb_error("want a JSON list of choices, [\"yes\", \"no\"]");
    pb_json_free(doc);
    return rc ? blame(r, r->s->choices.column, r->s->choices.name) : 0;
}

/* Of several columns: fields that are empty at the end are no choices. */
static int read_columns(const row *r, choices *out)
{
    int n = r->s->columns;
    while (n && !*pb_table_get(r->t, r->number, r->s->column[n - 1]))
        n--;
    for (int k = 0; k < n; k++)
        if (add_choice(out, pb_strdup(pb_table_get(r->t, r->number, r->s->column[k])), NULL))
            return blame(r, r->s->column[k], r->s->conf->choices);
    return 0;
}

static int read_choices(const row *r, choices *out)
{
    int column = r->s->columns ? r->s->column[0] : r->s->choices.column;
    if (r->s->columns ? read_columns(r, out) : read_json(r, out))
        return -1;
    if (out->count >= 2)
        return 0;
    pb_error("want at least 2 choices, got %d", out->count);
    return blame(r, column, r->s->conf->choices);
}

/* ---- the answer --------------------------------------------------------------------------- */

/* Returns the place of a text in a list, or -1. */
static int find_text(const choices *c, char *const *list, const char *text)
{
    for (int k = 0; k < c->count; k++)
        if (list[k] && !strcmp(list[k], text))
            return k;
    return -1;
}

/* The choice that an answer means in one way, or -1. */
static int meant_by(const choices *c, int way, const char *answer)
{
    char *end;
    long n = strtol(answer, &end, 10) - (way == NUMBER);
    bool whole = *answer >= '0' && *answer <= '9' && !*end;
    int letter = *answer && !answer[1] ? (*answer | 0x20) - 'a' : -1;
    switch (way) {
    case INDEX:
    case NUMBER: return whole && n >= 0 && n < c->count ? (int)n : -1;
    case LETTER: return letter >= 0 && letter < c->count ? letter : -1;
    case LABEL: return find_text(c, (char *const *)c->label, answer);
    case ITSELF: return find_text(c, (char *const *)c->text, answer);
    default: PB_BUG("way %d", way);
    }
}

static int refuse_answer(const choices *c, int way, const char *answer)
{
    char last = (char)('A' + c->count - 1);
    switch (way) {
    case INDEX: return pb_error("want the index of a choice, 0..%d, got '%s'", c->count - 1, answer);
    case NUMBER: return pb_error("want the number of a choice, 1..%d, got '%s'", c->count, answer);
    case LETTER: return pb_error("want the letter of a choice, A..%c, got '%s'", last, answer);
    case LABEL:
        return pb_error("want the label of a choice, such as '%s', got '%s'", c->label[0] ? c->label[0] : "none",
                        answer);
    case ITSELF: return pb_error("want the text of a choice, such as '%s', got '%s'", c->text[0], answer);
    default:
        return pb_error(
            "got '%s', which is none of the choices; want an index 0..%d, a letter A..%c or the text of one", answer,
            c->count - 1, last);
    }
}

/* Where nothing says how an answer is given, all ways that it can be read in must mean one choice. */
static int guess_answer(const choices *c, const char *answer)
{
    static const char *const name[] = {[INDEX] = "index", [LETTER] = "letter", [ITSELF] = "text"};
    static const int ways[] = {INDEX, LETTER, ITSELF};
    int found = -1, by = AUTO;
    for (size_t i = 0; i < PB_COUNT(ways); i++) {
        int k = meant_by(c, ways[i], answer);
        if (k < 0)
            continue;
        if (found >= 0 && k != found)
            return pb_error("'%s' is the %s of one choice and the %s of another; want answer_as = %s or %s", answer,
                            name[by], name[ways[i]], name[by], name[ways[i]]);
        found = k;
        by = ways[i];
    }
    return found < 0 ? refuse_answer(c, AUTO, answer) : found;
}

/* Returns the right choice, or -1 with an error. */
static int find_answer(const choices *c, int way, const char *answer)
{
    if (way == AUTO && !c->label[0])
        return guess_answer(c, answer);
    way = way == AUTO ? LABEL : way;
    int k = meant_by(c, way, answer);
    return k < 0 ? refuse_answer(c, way, answer) : k;
}

static bool has_twin(const choices *c, int right)
{
    bool found = false;
    for (int k = 0; k < c->count; k++)
        found |= k != right && !strcmp(c->text[k], c->text[right]);
    return found;
}

static void note_index(indices *x, const choices *c, int label, const char *answer)
{
    if (meant_by(c, INDEX, answer) != label)
        return;
    x->zero |= label == 0;
    x->chance += log(1 - 1.0 / c->count);
}

/* Numbers from 1 have no 0, and where they never name the last choice, each of them is an index too. */
static int check_indices(const indices *x)
{
    return x->zero || x->chance > log(1e-3)
               ? 0
               : pb_error("no answer is 0, which would be by chance less than once in 1000 if they are indices; want "
                          "answer_as = index or number");
}

/* ---- loading ------------------------------------------------------------------------------ */

static int add_row(pb_data *d, pb_split split, const row *r)
{
    const sources *s = r->s;
    choices c = {.count = 0};
    char *question = text_of(r, &s->question);
    char *answer = question && !read_choices(r, &c) ? text_of(r, &s->answer) : NULL;
    int label = answer ? find_answer(&c, s->conf->answer_as, answer) : -1;
    if (label >= 0 && s->conf->answer_as == AUTO && !c.label[0])
        note_index(r->indices, &c, label, answer);
    if (label >= 0 && has_twin(&c, label))
        label = pb_error("choice %d is the right one and another is the same", label + 1);
    if (answer && label < 0)
        blame(r, s->answer.column, s->answer.name);
    if (label >= 0)
        pb_data_add_example(d, split,
                            &(pb_example){.text = question,
                                          .label = label,
                                          .choice = c.text,
                                          .choices = c.count,
                                          .line = pb_table_line(r->t, r->number, s->question.column)});
    free_choices(&c);
    free(question);
    free(answer);
    return label < 0 ? -1 : 0;
}

static int add_rows(pb_data *d, const void *settings, pb_split split, const pb_table *t)
{
    sources s;
    int rc = find_sources(t, settings, &s);
    indices seen = {.zero = false};
    for (size_t i = 0; i < pb_table_rows(t) && !rc; i++)
        rc = add_row(d, split, &(row){&s, t, i, &seen});
    if (!rc && check_indices(&seen))
        rc = blame(&(row){&s, t, 0, &seen}, s.answer.column, s.answer.name);
    return rc;
}

static int load(pb_data *d, const void *settings)
{
    const conf *c = settings;
    if (pb_files_load(d, &c->files, add_rows, c))
        return -1;
    pb_files_limit(d, &c->files);
    pb_data_letters(d);
    return 0;
}

/* ---- scoring ------------------------------------------------------------------------------ */

static int one_stat(const pb_scoring *s)
{
    (void)s;
    return 1;
}

enum { ACC, ACC_NORM };

static const pb_metric_info metrics[] = {
    {.name = "acc", .higher_is_better = true, .chance = pb_data_chance, .most = 1, .stats = one_stat},
    {.name = "acc_norm",
     .higher_is_better = true,
     .chance = pb_data_chance,
     .most = 1,
     .stats = one_stat,
     .of_likelihoods = true},
    {0},
};

/* The characters of a text: Unicode code points, as Python's len() counts them. */
static double length_of(const char *text)
{
    double n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

/* Sets x to whether the right choice has the highest score, and whether it has the highest score for its length. */
static void score_question(const pb_prediction *p, const double *length, double x[2])
{
    int best = 0;
    for (int k = 1; k < p->scores; k++)
        best = p->score[k] / length[k] > p->score[best] / length[best] ? k : best;
    x[ACC] = p->predicted == p->label;
    x[ACC_NORM] = best == p->label;
}

/* Keeps the scores and the lengths of the choices as well, from which both metrics follow. */
static void score(const pb_data *d, pb_split split, const pb_prediction *prediction, double *values, pb_result *keep)
{
    int n = d->split[split].count;
    values[ACC] = values[ACC_NORM] = 0;
    for (int i = 0; i < n; i++) {
        const pb_prediction *p = &prediction[i];
        double x[2], length[PB_MOST_CHOICES];
        for (int k = 0; k < p->scores; k++)
            length[k] = length_of(d->split[split].example[i].choice[k]);
        score_question(p, length, x);
        for (int m = ACC; m <= ACC_NORM; m++) {
            values[m] += x[m];
            if (keep && (p->likelihoods || !metrics[m].of_likelihoods))
                pb_result_statistic(keep, split, i, metrics[m].name, 1, &x[m]);
        }
        if (keep)
            pb_result_statistic(keep, split, i, "choice_score", p->scores, p->score);
        if (keep && p->likelihoods)
            pb_result_statistic(keep, split, i, "choice_length", p->scores, length);
    }
    for (int m = ACC; m <= ACC_NORM; m++)
        values[m] /= n;
}

const pb_task pb_task_choose = {
    .name = "choose",
    .help =
        "Chooses one of several texts as the answer to a question.  Reads JSON Lines, TSV or CSV with named columns.",
    .answer_kind = PB_ANSWER_CHOICE,
    .options = options,
    .conf_size = sizeof(conf),
    .load = load,
    .version = 1,
    .metrics = metrics,
    .score = score,
};
