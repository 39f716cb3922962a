/* cmd_export: a stored run as a PEFT adapter, or as a whole model. */
#include <stdlib.h>
#include <string.h>

#include "base/threads.h"
#include "weights/safetensors.h"
#include "model/adapter.h"
#include "cli/cmd.h"
#include "cli/provenance.h"
#include "results/artifact_file.h"

typedef struct stored {
    pb_run_record run;
    pb_settings settings;
    pb_artifact artifact;
    pb_attached part[PB_MAX_PARTS];
    int parts;
    pb_provenance provenance;
} stored;

/* Makes the methods of the run with their defaults. */
static int make_parts(stored *s)
{
    pb_method_spec spec;
    int rc = pb_method_spec_parse(&spec, s->run.row);
    if (!rc) {
        rc = pb_method_spec_attach(&spec, s->part);
        s->parts = rc ? 0 : spec.parts;
        pb_method_spec_free(&spec);
    }
    return rc;
}

static int collect_setting(void *settings, const char *key, const char *value)
{
    return pb_settings_put(settings, key, value);
}

/* Sets the methods' settings to those that are stored. */
static int fill_parts(stored *s)
{
    int rc = 0;
    for (int i = 0; i < s->parts && !rc; i++) {
        const pb_method *m = s->part[i].method;
        char *group = pb_format("method.%s", m->name);
        rc = pb_settings_fill(&s->settings, group, m->settings.options, (void *)(uintptr_t)s->part[i].conf);
        free(group);
    }
    return rc;
}

static int find_run(const pb_args *a, stored *s)
{
    pb_store *store = pb_store_read(a->db);
    long long id = 0;
    int rc = !store || pb_store_find_named(store, a->word[0], &id) || pb_store_record(store, id, &s->run) ||
                     pb_artifact_find(store, a->db, id, &s->artifact) ||
                     pb_provenance_read(store, id, &s->provenance) ||
                     pb_provenance_load_plugins(&s->provenance, id, a) || make_parts(s) ||
                     pb_store_settings(store, &id, 1, collect_setting, &s->settings) || fill_parts(s)
                 ? -1
                 : 0;
    return pb_store_close(store) || rc ? -1 : 0;
}

/* The head's size is in the artifact. */
static int classes_of(const char *artifact)
{
    pb_safetensors *f = pb_safetensors_open(artifact);
    const pb_array *head = f ? pb_safetensors_find(f, "head.weight") : NULL;
    int classes = head && head->dims == 2 ? (int)head->shape[0] : 0;
    if (f && !classes)
        pb_error("%s: the file has no head.weight; want the artifact of a run", artifact);
    if (f)
        pb_safetensors_close(f);
    return classes;
}

/* What the head's outputs mean for the kind of task, whose name is the first word of the provenance `metrics`. */
static pb_problem problem_of(const stored *s)
{
    const char *metrics = pb_provenance_get(&s->provenance, "metrics");
    char *kind = pb_format("%.*s", (int)strcspn(metrics, " "), metrics);
    const pb_task *task = pb_task_find(kind);
    free(kind);
    return task ? pb_problem_of(task->answer_kind) : PB_PROBLEM_ANY;
}

static void print_conversion(void *ctx, const char *module, double error)
{
    (void)ctx;
    printf("%s: relative error %.2e\n", module, error);
}

static int write(const pb_args *a, pb_model *m)
{
    if (pb_model_chooses(m) && pb_model_is_causal(m))
        return pb_error(
            "export: transformers has no model for multiple choice of the family %s; want a run of an encoder, "
            "or of a row that reads a template",
            pb_model_family(m));
    return a->merged ? pb_model_export(m, a->word[1], PB_IN_FP32)
           : a->rank ? pb_adapter_convert(m, a->rank, a->word[1], print_conversion, NULL)
                     : pb_adapter_save(m, a->word[1]);
}

/* Whether the run is of a kind of task whose answers are tags: the digest of its kind's code is stored. */
static bool gives_tags(const pb_provenance *p)
{
    bool tags = false;
    for (int i = 0; pb_tasks[i]; i++) {
        char *key = pb_format(PB_CODE_TASK ".%s", pb_tasks[i]->name);
        tags = tags || (pb_tasks[i]->answer_kind == PB_ANSWER_TAGS && *pb_provenance_get(p, key));
        free(key);
    }
    return tags;
}

static int export_run(const pb_args *a, const stored *s)
{
    const char *artifact = s->artifact.path, *names = pb_settings_get(&s->settings, "task.class_names");
    int classes = pb_artifact_check(&s->artifact) ? 0 : classes_of(artifact);
    pb_opening opening = {
        .path = a->model ? a->model : s->run.model, .classes = classes, .tokens = gives_tags(&s->provenance)};
    opening.problem = problem_of(s);
    if (opening.problem == PB_PROBLEM_CHOICES) /* the names are those of places, and not of the head's one output */
        names = NULL;
    pb_model *m = classes ? pb_model_open(&opening) : NULL;
    int rc = !m || pb_provenance_check_model(&s->provenance, s->run.id, m) || pb_model_attach(m, s->part, s->parts) ||
                     pb_model_load(m, artifact) || (names && pb_model_name_classes(m, names))
                 ? -1
                 : write(a, m);
    pb_model_free(m);
    return rc;
}

static void release(stored *s)
{
    pb_attached_free(s->part, s->parts);
    pb_run_record_free(&s->run);
    pb_artifact_free(&s->artifact);
    pb_settings_free(&s->settings);
    pb_provenance_free(&s->provenance);
}

static int export_command(const pb_args *a)
{
    stored s = {.parts = 0};
    if (a->merged && a->rank) {
        pb_error("export: --merged and --rank are two forms; want one of them");
        return PB_EXIT_QUESTION;
    }
    pb_threads_start(a->threads);
    int rc = find_run(a, &s) || export_run(a, &s) ? -1 : 0;
    pb_threads_stop();
    release(&s);
    return rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_export = {
    .name = "export",
    .words = "RUN FOLDER",
    .least = 2,
    .most = 2,
    .options = "db model plugin merged rank threads",
    .help =
        "write a stored run as a PEFT adapter or a merged model\n\n"
        "RUN is the number of the run or the beginning of its hash.  FOLDER receives an adapter that Hugging Face "
        "PEFT\n"
        "loads, or with --merged a complete model.  --rank K converts any method or composition that can be merged to "
        "a\n"
        "LoRA adapter of rank K, the best approximation of the change of each projection, and prints its relative "
        "error\n"
        "|D - B A| / |D|; changed biases are exact.  --model is the path of the base model if it has moved; its "
        "weights\n"
        "must be the same.  If the run used a plugin, --plugin is required.\n",
    .run = export_command,
};
