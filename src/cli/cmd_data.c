/* cmd_data: what the data of a task is like, before anything is trained. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/threads.h"
#include "cli/cmd.h"
#include "cli/data_card.h"
#include "experiment/experiment_reader.h"

/* ---- JSON --------------------------------------------------------------------------------------------------- */

static void add_text(pb_text *t, const char *key, const char *text)
{
    pb_text_add(t, ",\"%s\":", key);
    pb_json_quote(t, text);
}

static void add_lengths(pb_text *t, const char *key, const pb_lengths *l)
{
    static const char *const name[] = {"min", "median", "p95", "max"};
    static const double share[] = {0, 0.5, 0.95, 1};
    pb_text_add(t, ",\"%s\":", key);
    if (!l->count)
        pb_text_add(t, "null");
    for (size_t i = 0; i < PB_COUNT(name) && l->count; i++)
        pb_text_add(t, "%s\"%s\":%d", i ? "," : "{", name[i], l->sorted[pb_lengths_rank(l, share[i])]);
    if (!l->count)
        return;
    pb_histogram h = pb_histogram_of(l);
    pb_text_add(t, ",\"histogram\":{\"from\":%d,\"width\":%d,\"counts\":[", h.from, h.width);
    for (int i = 0; i < h.bins; i++)
        pb_text_add(t, "%s%d", i ? "," : "", h.count[i]);
    pb_text_add(t, "]}}");
}

static void add_cuts(pb_text *t, const pb_data_view *v, pb_split s)
{
    pb_text_add(t, ",\"cut\":[");
    for (int i = 0; i < v->cuts; i++) {
        const pb_data_cut *c = &v->cut[i];
        pb_text_add(t, "%s{\"max_tokens\":%d,\"texts\":%d", i ? "," : "", c->max_tokens, c->texts[s]);
        if (c->row) {
            pb_text_add(t, ",\"row\":");
            pb_json_quote(t, c->row);
        }
        pb_text_add(t, "}");
    }
    pb_text_add(t, "]");
}

static void add_classes(pb_text *t, const pb_data_view *v, pb_split s)
{
    pb_text_add(t, ",\"classes\":{");
    for (int c = 0; c < v->data->classes; c++) {
        pb_text_add(t, c ? "," : "");
        pb_json_quote(t, v->data->class_name[c]);
        pb_text_add(t, ":%d", v->profile.of_class[s][c]);
    }
    pb_text_add(t, "}");
}

/* Adds the numbers of words and of entities, by type, and of the words that the model does not read. */
static void add_entities(pb_text *t, const pb_data_view *v, pb_split s)
{
    const pb_entity_types *types = &v->entities;
    int words = 0;
    for (int c = 0; c < v->data->classes; c++)
        words += v->profile.of_class[s][c];
    pb_text_add(t, ",\"words\":%d,\"entities\":%d,\"entity_types\":{", words, pb_entity_types_all(types, s));
    for (int i = 0; i < types->count; i++) {
        pb_text_add(t, i ? "," : "");
        pb_json_quote(t, types->name[i]);
        pb_text_add(t, ":%d", types->entities[i][s]);
    }
    pb_text_add(t, "}");
    if (v->encoded)
        pb_text_add(t, ",\"words_not_read\":%d", v->encoded->lost[s]);
}

static void add_sets(pb_text *t, const pb_data_view *v, pb_split s)
{
    bool choices = v->data->answer_kind == PB_ANSWER_CHOICE;
    pb_text_add(t, choices ? ",\"choices_of_a_question\":[" : ",\"labels_of_a_text\":[");
    for (int k = 0; k <= v->data->classes; k++)
        pb_text_add(t, "%s%d", k ? "," : "", v->profile.of_count[s][k]);
    pb_text_add(t, "]");
    if (choices && s == PB_TEST)
        pb_json_member(t, "chance", pb_data_chance(v->data));
}

/* Infinite and undefined numbers do not occur: a task refuses such targets. */
static void add_targets(pb_text *t, const pb_targets *targets)
{
    static const char *const name[PB_TARGET_STATS] = {"min", "p5", "median", "p95", "max", "mean", "deviation"};
    pb_text_add(t, ",\"targets\":%s", targets->count ? "{" : "null");
    for (size_t i = 0; i < PB_COUNT(name) && targets->count; i++) {
        pb_text_add(t, "%s\"%s\":", i ? "," : "", name[i]);
        pb_text_real(t, targets->stat[i]);
    }
    pb_text_add(t, targets->count ? "}" : "");
}

static void print_split(const pb_data_view *v, pb_split s)
{
    const pb_profile *p = &v->profile;
    pb_text t = {0};
    pb_text_add(&t, "{\"task\":");
    pb_json_quote(&t, v->experiment->task_name);
    add_text(&t, "kind", v->experiment->task->name);
    if (v->model)
        add_text(&t, "model", v->experiment->model_path);
    add_text(&t, "split", pb_split_name[s]);
    pb_text_add(&t, ",\"examples\":%d", v->data->split[s].count);
    if (v->data->answer_kind == PB_ANSWER_NUMBER)
        add_targets(&t, &p->target[s]);
    else if (v->data->classes)
        add_classes(&t, v, s);
    else
        pb_text_add(&t, ",\"answers\":%d", v->answer[s].count);
    if (v->data->answer_kind == PB_ANSWER_TAGS)
        add_entities(&t, v, s);
    if (p->of_count[s])
        add_sets(&t, v, s);
    pb_text_add(&t, ",\"dropped\":%d,\"left_out\":%d", v->data->split[s].dropped, v->data->split[s].left_out);
    pb_text_add(&t, ",\"duplicates\":%d,\"in_another_split\":%d,\"in_a_later_split\":%d,\"conflicts\":%d",
                p->within.examples[s], p->across.examples[s], p->later[s], p->conflicts.examples[s]);
    add_lengths(&t, pb_data_view_unit(v), &v->text[s]);
    if (!v->data->classes)
        add_lengths(&t, "answer", &v->answer[s]);
    if (v->model)
        add_cuts(&t, v, s);
    printf("%s}\n", t.data);
    pb_text_free(&t);
}

static void add_input(pb_text *t, const pb_data_view *v, pb_place at)
{
    pb_ids ids = pb_encoded_input(v->encoded, at.split, at.example);
    pb_text_add(t, ",\"ids\":[");
    for (size_t i = 0; i < ids.count; i++)
        pb_text_add(t, "%s%d", i ? "," : "", ids.id[i]);
    pb_text_add(t, "],\"tokens\":[");
    for (size_t i = 0; i < ids.count; i++) {
        const char *token = pb_tokenizer_token(pb_model_tokenizer(v->model), ids.id[i]);
        pb_text_add(t, i ? "," : "");
        pb_json_quote(t, token ? token : "");
    }
    pb_text_add(t, "]");
    pb_ids_free(&ids);
}

static void add_choices(pb_text *t, const pb_example *e)
{
    for (int k = 0; k < e->choices; k++) {
        pb_text_add(t, k ? "," : ",\"choices\":[");
        pb_json_quote(t, e->choice[k]);
    }
    pb_text_add(t, e->choices ? "]" : "");
}

static void print_example(const pb_data_view *v, pb_place at)
{
    const pb_example *e = &v->data->split[at.split].example[at.example];
    pb_text t = {0};
    char *prompt, *answer, *label = pb_data_view_label(v, at);
    pb_text_add(&t, "{\"example\":%d", at.example);
    add_text(&t, "split", pb_split_name[at.split]);
    pb_text_add(&t, ",\"line\":%d", e->line);
    add_text(&t, "text", e->text);
    if (e->second)
        add_text(&t, "second", e->second);
    if (v->data->answer_kind == PB_ANSWER_NUMBER)
        pb_text_add(&t, ",\"target\":%s", label);
    else if (v->data->answer_kind == PB_ANSWER_LABELS) {
        pb_text_add(&t, ",\"labels\":");
        pb_data_put_labels(v->data, e->label_count, e->labels, &t);
    } else
        add_text(&t, e->words ? "tags" : v->data->classes ? "label" : "reference", label);
    add_choices(&t, e);
    free(label);
    if (v->encoded)
        add_input(&t, v, at);
    if (v->prompts) {
        pb_data_view_prompt(v, at, &prompt, &answer);
        add_text(&t, "prompt", prompt);
        add_text(&t, "answer", answer);
        free(prompt);
        free(answer);
    }
    printf("%s}\n", t.data);
    pb_text_free(&t);
}

static void print_json(const pb_data_view *v)
{
    int example[3], shown = pb_data_view_shown(v, example);
    for (int s = 0; s < PB_SPLITS; s++)
        print_split(v, (pb_split)s);
    for (int i = 0; i < shown; i++)
        print_example(v, (pb_place){PB_TRAIN, example[i]});
}

/* ---- the command -------------------------------------------------------------------------------------------- */

static int data(const pb_args *a)
{
    pb_experiment *e = pb_experiment_read_task(a->word[0], a->model, a->set, a->task);
    if (!e)
        return PB_EXIT_QUESTION;
    pb_data_view v;
    pb_threads_start(a->threads);
    int rc = pb_data_view_open(&v, e);
    if (!rc)
        a->json ? print_json(&v) : pb_data_card_print(&v);
    rc = rc ? PB_EXIT_QUESTION : pb_data_check(v.data) ? PB_EXIT_NO : PB_EXIT_DONE;
    pb_data_view_free(&v);
    pb_experiment_free(e);
    pb_threads_stop();
    return rc;
}

const pb_command pb_cmd_data = {
    .name = "data",
    .words = "TASK",
    .least = 1,
    .most = 1,
    .options = "model set task json",
    .help =
        "show what the data of a task is like, before anything is trained\n\n"
        "TASK is a task of `peftbench list`, the path of a task's file, or the file of an experiment, whose task, "
        "model and\n"
        "settings are taken.  Prints sizes, classes or the spread of targets, lengths in tokens of --model (without a "
        "model in\n"
        "words), how many texts max_tokens cuts (--set max_tokens=N), texts that occur more than once or with several "
        "labels or\n"
        "targets, and three examples as the model reads them.  Lengths are counted as max_tokens counts them: with the "
        "special\n"
        "tokens for a classification head, without them in a template.  Exit code 1: `run` would refuse the data.\n",
    .run = data,
};
