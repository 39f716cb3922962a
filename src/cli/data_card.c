/* data_card: see data_card.h. */
#include "cli/data_card.h"

#include <stdlib.h>
#include <string.h>

enum { WIDTH = 80, LABEL = 32, COLUMN = (WIDTH - LABEL) / PB_SPLITS };

/* ---- text --------------------------------------------------------------------------------------------------- */

/* Prints the visible form of a text in at most `most` characters, and ".." behind a text that is longer. */
static void put_clipped(const char *text, int most)
{
    const char *shown = pb_visible(text);
    int all = pb_characters(shown, most);
    if (shown[all])
        printf("%.*s..", pb_characters(shown, most - 2), shown);
    else
        printf("%s", shown);
}

/* Prints the visible form of n bytes after a margin, in as many lines as they need, broken at blanks where it can. */
static void put_wrapped(const char *margin, const char *text, size_t n)
{
    char *copy = pb_format("%.*s", (int)n, text);
    const char *at = pb_visible(copy);
    do {
        int most = pb_characters(at, WIDTH - (int)strlen(margin)), bytes = most;
        while (at[most] && bytes > 0 && at[bytes] != ' ')
            bytes--;
        bytes = bytes > 0 ? bytes : most;
        printf("%s%.*s\n", margin, bytes, at);
        at += bytes;
        at += *at == ' ';
    } while (*at);
    free(copy);
}

/* ---- the table ---------------------------------------------------------------------------------------------- */

/* Prints the label of a row, indented, and fills its column. */
static void put_label(const char *label, int indent)
{
    const char *shown = pb_visible(label);
    int most = LABEL - indent - 1, width = 0;
    for (int i = 1; i <= most && pb_characters(shown, i) > pb_characters(shown, i - 1); i++)
        width = i;
    printf("%*s", indent, "");
    put_clipped(label, most);
    printf("%*s", LABEL - indent - width, "");
}

/* Prints a row of numbers of examples; of `of`, if it is not NULL, each is a share. */
static void put_counts(const char *label, int indent, const int count[PB_SPLITS], const int *of)
{
    put_label(label, indent);
    for (int s = 0; s < PB_SPLITS; s++) {
        printf("%*d", COLUMN - 8, count[s]);
        if (of && of[s])
            printf(" %5.1f %%", 100.0 * count[s] / of[s]);
        else
            printf("%*s", s + 1 < PB_SPLITS ? 8 : 0, "");
    }
    printf("\n");
}

/* Prints a number, or a name, in the column of a split; what is too wide moves no other column. */
static void put_cell(int split, const char *number)
{
    int width = printf("%*s", COLUMN - 8, number);
    printf("%*s", split + 1 < PB_SPLITS ? COLUMN - width : 0, "");
}

static bool is_any(const int count[PB_SPLITS])
{
    for (int s = 0; s < PB_SPLITS; s++)
        if (count[s])
            return true;
    return false;
}

static void put_head(const char *title)
{
    put_label(title, 0);
    for (int s = 0; s < PB_SPLITS; s++)
        put_cell(s, pb_split_name[s]);
    printf("\n");
}

/* Prints the number of words with each tag, and that of entities of each type. */
static void put_tags(const pb_data_view *v)
{
    const pb_data *d = v->data;
    int words[PB_SPLITS] = {0}, count[PB_SPLITS], all[PB_SPLITS] = {0};
    const pb_entity_types *t = &v->entities;
    for (int s = 0; s < PB_SPLITS; s++) {
        for (int c = 0; c < d->classes; c++)
            words[s] += v->profile.of_class[s][c];
        all[s] = pb_entity_types_all(t, (pb_split)s);
    }
    put_counts("words", 0, words, NULL);
    for (int c = 0; c < d->classes; c++) {
        for (int s = 0; s < PB_SPLITS; s++)
            count[s] = v->profile.of_class[s][c];
        put_counts(d->class_name[c], 2, count, words);
    }
    put_counts("entities", 0, all, NULL);
    for (int i = 0; i < t->count; i++)
        put_counts(*t->name[i] ? t->name[i] : "without a type", 2, t->entities[i], all);
    if (v->encoded && is_any(v->encoded->lost))
        put_counts("words that the model does not read", 0, v->encoded->lost, words);
}

/* What a text has that occurs with different answers. */
static const char *conflict_of(const pb_data *d)
{
    return d->answer_kind == PB_ANSWER_NUMBER   ? "text with several targets"
           : d->answer_kind == PB_ANSWER_LABELS ? "text with several label sets"
           : d->answer_kind == PB_ANSWER_CHOICE ? "question with several answers"
                                                : "text with several labels";
}

static void put_sizes(const pb_data_view *v)
{
    const pb_data *d = v->data;
    int all[PB_SPLITS], dropped[PB_SPLITS], left_out[PB_SPLITS], count[PB_SPLITS];
    for (int s = 0; s < PB_SPLITS; s++) {
        all[s] = d->split[s].count;
        dropped[s] = d->split[s].dropped;
        left_out[s] = d->split[s].left_out;
    }
    put_head("");
    put_counts("examples", 0, all, NULL);
    if (d->answer_kind == PB_ANSWER_TAGS)
        put_tags(v);
    bool of_texts = d->answer_kind == PB_ANSWER_CLASS || d->answer_kind == PB_ANSWER_LABELS ||
                    d->answer_kind == PB_ANSWER_CHOICE;
    for (int c = 0; c < d->classes && of_texts; c++) {
        for (int s = 0; s < PB_SPLITS; s++)
            count[s] = v->profile.of_class[s][c];
        put_counts(d->class_name[c], 2, count, all);
    }
    for (int s = 0; s < PB_SPLITS; s++)
        count[s] = v->answer[s].count;
    if (!d->classes)
        put_counts("reference answers", 0, count, NULL);
    if (is_any(dropped))
        put_counts("removed by overlap = drop", 0, dropped, NULL);
    if (is_any(left_out))
        put_counts("left out by a limit", 0, left_out, NULL);
    put_counts("text a second time in its split", 0, v->profile.within.examples, all);
    put_counts("text in another split", 0, v->profile.across.examples, all);
    if (is_any(v->profile.later) && v->data->may_drop)
        put_counts("  overlap = drop would remove", 0, v->profile.later, all);
    if (d->classes)
        put_counts(conflict_of(d), 0, v->profile.conflicts.examples, all);
}

/* ---- sets of labels, and choices ------------------------------------------------------------------------------- */

static void put_sets(const pb_data_view *v)
{
    int all[PB_SPLITS], count[PB_SPLITS];
    for (int s = 0; s < PB_SPLITS; s++)
        all[s] = v->data->split[s].count;
    bool choices = v->data->answer_kind == PB_ANSWER_CHOICE;
    printf("\n");
    put_head(choices ? "choices of a question" : "labels of a text");
    for (int k = 0; k <= v->data->classes; k++) {
        for (int s = 0; s < PB_SPLITS; s++)
            count[s] = v->profile.of_count[s][k];
        char *number = pb_format("%d", k);
        if (is_any(count))
            put_counts(number, 2, count, all);
        free(number);
    }
    if (choices)
        printf("accuracy of guesses on test: %.4f\n", pb_data_chance(v->data));
}

/* ---- targets ------------------------------------------------------------------------------------------------ */

static void put_targets(const pb_data_view *v)
{
    static const char *const label[PB_TARGET_STATS] = {
        "least", "5 % have at most", "median", "95 % have at most", "most", "mean", "standard deviation"};
    char *title = pb_format("targets (%s)", v->data->class_name[0]);
    printf("\n");
    put_head(title);
    for (int i = 0; i < PB_TARGET_STATS; i++) {
        put_label(label[i], 2);
        for (int s = 0; s < PB_SPLITS; s++) {
            const pb_targets *t = &v->profile.target[s];
            char *number = t->count ? pb_format("%.6g", t->stat[i]) : pb_strdup("-");
            put_cell(s, number);
            free(number);
        }
        printf("\n");
    }
    free(title);
}

/* ---- lengths ------------------------------------------------------------------------------------------------ */

/* l [PB_SPLITS] */
static void put_lengths(const char *what, const char *unit, const pb_lengths *l)
{
    static const struct {
        const char *label;
        double share;
    } rank[] = {{"shortest", 0}, {"median", 0.5}, {"95 % have at most", 0.95}, {"longest", 1}};
    char *title = pb_format("%s of %s", unit, what);
    printf("\n");
    put_head(title);
    for (size_t i = 0; i < PB_COUNT(rank); i++) {
        put_label(rank[i].label, 2);
        for (int s = 0; s < PB_SPLITS; s++) {
            char *number = l[s].count ? pb_format("%d", l[s].sorted[pb_lengths_rank(&l[s], rank[i].share)])
                                      : pb_strdup("-");
            put_cell(s, number);
            free(number);
        }
        printf("\n");
    }
    free(title);
}

static void put_cuts(const pb_data_view *v)
{
    int all[PB_SPLITS];
    for (int s = 0; s < PB_SPLITS; s++)
        all[s] = v->data->split[s].count;
    if (v->cuts && v->cut[0].row)
        printf("cut by max_tokens, as the row reads\n");
    for (int i = 0; i < v->cuts; i++) {
        const pb_data_cut *c = &v->cut[i];
        char *label = c->row ? pb_format("%d, %s", c->max_tokens, c->row)
                             : pb_format("cut by max_tokens = %d", c->max_tokens);
        put_counts(label, c->row ? 2 : 0, c->texts, all);
        free(label);
    }
}

static void put_histogram(const pb_lengths *l, const char *unit)
{
    enum { RANGE = 15, COUNT = 9, BAR = WIDTH - RANGE - COUNT - 2 };
    pb_histogram h = pb_histogram_of(l);
    int most = 0;
    for (int i = 0; i < h.bins; i++)
        most = h.count[i] > most ? h.count[i] : most;
    printf("\n%*s %*s\n", RANGE, unit, COUNT, "train");
    for (int i = 0; i < h.bins; i++) {
        int from = h.from + i * h.width, longest = l->sorted[l->count - 1];
        int to = i + 1 < h.bins || longest < from + h.width ? from + h.width - 1 : longest;
        char *range = from == to ? pb_format("%d", from) : pb_format("%d..%d", from, to);
        int bar = (int)((double)h.count[i] * BAR / most + 0.5);
        bar = !bar && h.count[i] ? 1 : bar;
        printf("%*s %*d%s", RANGE, range, COUNT, h.count[i], bar ? " " : "");
        for (int k = 0; k < bar; k++)
            putchar('#');
        printf("\n");
        free(range);
    }
}

/* ---- texts that occur more than once ------------------------------------------------------------------------ */

/* Prints the class or the target of an example behind its place. */
static void put_answer(const pb_data_view *v, pb_place at)
{
    if (!v->data->classes)
        return;
    char *label = pb_data_view_label(v, at);
    printf(": ");
    put_clipped(label, WIDTH / 2);
    free(label);
}

static void put_repeats(const pb_data_view *v, const pb_repeats *r, const char *what)
{
    if (!r->texts)
        return;
    printf("\n%d text%s %s%s:\n", r->texts, r->texts == 1 ? "" : "s", what, r->texts > r->count ? ", such as" : "");
    for (int i = 0; i < r->count; i++) {
        const pb_place *p = r->shown[i];
        const pb_example *e = &v->data->split[p->split].example[p->example];
        const char *text[2] = {e->text, e->second};
        for (int k = 0; k < 2 && text[k]; k++) {
            printf("  ");
            put_clipped(text[k], WIDTH - 2);
            printf("\n");
        }
        for (int k = 0; k < 2; k++) {
            printf("    %s, line %d", pb_split_name[p[k].split], v->data->split[p[k].split].example[p[k].example].line);
            put_answer(v, p[k]);
            printf("\n");
        }
    }
}

/* ---- examples ----------------------------------------------------------------------------------------------- */

/* Adds the tokens from..to of an input, with blanks between them, and the tag behind each that carries one. */
static void add_tokens(const pb_data_view *v, const pb_ids *ids, const pb_ids *target, size_t from, size_t to,
                       pb_text *out)
{
    for (size_t i = from; i < to; i++) {
        const char *token = pb_tokenizer_token(pb_model_tokenizer(v->model), ids->id[i]);
        pb_text_add(out, "%s%s", out->length ? " " : "", token ? token : "?");
        if (target && target->id[i] >= 0)
            pb_text_add(out, "/%s", v->data->class_name[target->id[i]]);
    }
}

/* Prints the tokens of an input; of a long one those at the beginning and at the end. */
static void put_tokens(const pb_data_view *v, pb_place at)
{
    enum { FIRST = 60, LAST = 20 };
    pb_ids ids = pb_encoded_input(v->encoded, at.split, at.example);
    bool whole = ids.count <= FIRST + LAST;
    pb_text t = {0};
    const pb_ids *target = v->encoded->target[at.split] ? &v->encoded->target[at.split][at.example] : NULL;
    add_tokens(v, &ids, target, 0, whole ? ids.count : FIRST, &t);
    if (!whole) {
        pb_text_add(&t, " .. (%zu tokens) ..", ids.count - FIRST - LAST);
        add_tokens(v, &ids, target, ids.count - LAST, ids.count, &t);
    }
    put_wrapped("    ", t.data, t.length);
    pb_text_free(&t);
    pb_ids_free(&ids);
}

/* Prints a prompt line by line; of a long one the lines at the beginning and at the end. */
static void put_prompt(const pb_data_view *v, pb_place at)
{
    enum { FIRST = 15, LAST = 10 };
    char *prompt, *answer;
    int lines = 1, number = 0;
    pb_data_view_prompt(v, at, &prompt, &answer);
    for (const char *c = prompt; *c; c++)
        lines += *c == '\n';
    for (const char *line = prompt, *next; line; line = next, number++) {
        const char *end = strchrnul(line, '\n');
        next = *end ? end + 1 : NULL;
        if (lines <= FIRST + LAST || number < FIRST || number >= lines - LAST)
            put_wrapped("  | ", line, (size_t)(end - line));
        else if (number == FIRST)
            printf("  .. (%d lines) ..\n", lines - FIRST - LAST);
    }
    put_wrapped("  > ", answer, strlen(answer));
    free(prompt);
    free(answer);
}

static void put_example(const pb_data_view *v, pb_place at)
{
    const pb_example *e = &v->data->split[at.split].example[at.example];
    char *head = pb_format("%s, line %d", pb_split_name[at.split], e->line);
    printf("\n%s", head);
    if (v->encoded)
        printf(", %d tokens", v->encoded->length[at.split][at.example]);
    put_answer(v, at);
    printf("\n");
    free(head);
    if (!v->encoded)
        put_wrapped("  | ", e->text, strlen(e->text));
    if (!v->encoded && e->second)
        put_wrapped("  | ", e->second, strlen(e->second));
    if (v->encoded && v->encoded->mode == PB_BY_HEAD)
        put_tokens(v, at);
    if (v->prompts)
        put_prompt(v, at);
    for (int k = 0; k < e->choices; k++) {
        char *choice = pb_format("%c  %s", 'A' + k, e->choice[k]);
        put_wrapped(k == e->label ? "  > " : "  - ", choice, strlen(choice));
        free(choice);
    }
    for (int k = 0; k < e->answers && !v->encoded; k++)
        put_wrapped("  > ", e->answer[k], strlen(e->answer[k]));
}

void pb_data_card_print(const pb_data_view *v)
{
    const pb_experiment *e = v->experiment;
    const char *unit = pb_data_view_unit(v);
    int example[3], shown = pb_data_view_shown(v, example);
    char *title = v->model ? pb_format("%s: %s, read by %s", e->task_name, e->task->name, e->model_path)
                           : pb_format("%s: %s", e->task_name, e->task->name);
    put_clipped(title, WIDTH);
    printf("\n\n");
    free(title);
    put_sizes(v);
    if (v->data->answer_kind == PB_ANSWER_NUMBER)
        put_targets(v);
    if (v->profile.of_count[PB_TRAIN])
        put_sets(v);
    put_lengths("a text", unit, v->text);
    put_cuts(v);
    if (!v->data->classes)
        put_lengths("a reference answer", unit, v->answer);
    put_histogram(&v->text[PB_TRAIN], unit);
    put_repeats(v, &v->profile.within, "more than once in a split");
    put_repeats(v, &v->profile.across, "in several splits");
    put_repeats(v, &v->profile.conflicts, strchr(conflict_of(v->data), ' ') + 1);
    printf("\nThe shortest, the median and the longest training text%s:\n", v->model ? " as the model reads it" : "");
    for (int i = 0; i < shown; i++)
        put_example(v, (pb_place){PB_TRAIN, example[i]});
}
