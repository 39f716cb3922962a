/* cmd_show: describes a method, a task, the settings of a section of an experiment, or this machine. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/threads.h"
#include "numeric/blas.h"
#include "cli/cmd.h"
#include "cli/method_card.h"
#include "cli/plugins.h"
#include "experiment/named_tasks.h"
#include "base/host.h"
#include "model/config_writer.h"
#include "model/decoding.h"
#include "model/plugin.h"
#include "train/pretrain.h"
#include "version.h"

static const struct section {
    const char *name, *where;
    const pb_option *options;
    const char *only; /* the beginning of the settings that are shown; NULL: all */
} sections[] = {
    {"experiment", "in [experiment]", pb_experiment_table},
    {"timing", "in [experiment]", pb_experiment_table, "timing_"},
    {"train", "in [train] or [train ROW]; a list is a sweep", pb_train_table},
    {"model", "in [model] or [model ROW]; a list is a sweep", pb_base_table},
    {"decode", "in [decode] or [decode ROW]; a list is a sweep", pb_decode_table},
    {"tune", "in [tune]", pb_tune_table},
    {"retention", "in [retention]", pb_retention_table},
    {"pretrain", "in [pretrain] of the file for `peftbench pretrain`", pb_pretrain_table},
    {"network", "in [network] of the file for `peftbench pretrain`", pb_network_shape_table},
};

static const struct section *section(const char *name)
{
    for (size_t i = 0; i < PB_COUNT(sections); i++)
        if (!strcmp(sections[i].name, name))
            return &sections[i];
    return NULL;
}

static void show_section(const struct section *s)
{
    size_t n = 0, count = 0;
    while (s->options[n].name)
        n++;
    pb_option *shown = pb_alloc((n + 1) * sizeof *shown); /* ends with a row without a name */
    for (size_t i = 0; i < n; i++)
        if (!s->only || !strncmp(s->options[i].name, s->only, strlen(s->only)))
            shown[count++] = s->options[i];
    printf("settings, %s:\n", s->where);
    pb_card_print_settings(shown, NULL);
    free(shown);
}

static void show_task(const pb_task *t)
{
    printf("%s: %s\nsettings, in [task] of tasks/NAME.ini:\n", t->name, t->help);
    pb_card_print_settings(t->options, NULL);
}

/* What [task] may have depends on its kind. */
static void show_all_tasks(void)
{
    for (size_t i = 0; pb_tasks[i]; i++) {
        printf("%skind = ", i ? "\n" : "");
        show_task(pb_tasks[i]);
    }
}

static void show_machine(void)
{
    pb_threads_start(0);
    printf("machine   %s\n", pb_host_name());
    printf("threads   %d\n", pb_threads_count());
    printf("kernels   %s\n", pb_blas_name());
    printf("GEMM      %.0f GFLOP/s measured, all threads\n", pb_blas_rate(0.5));
    printf("compiler  %s\n", PB_COMPILER);
    printf("flags     %s\n", PB_FLAGS);
    printf("version   %s, code %s\n", PB_VERSION, PB_CODE_VERSION);
    pb_threads_stop();
}

static void add_name(const char ***names, size_t *n, size_t *capacity, const char *name)
{
    pb_grow(names, *n, capacity, sizeof **names);
    (*names)[(*n)++] = name;
}

static int unknown(const char *name)
{
    char **tasks = pb_named_tasks(), *near;
    const char **names = NULL;
    size_t n = 0, capacity = 0;
    add_name(&names, &n, &capacity, "machine");
    add_name(&names, &n, &capacity, "task");
    for (size_t i = 0; i < PB_COUNT(sections); i++)
        add_name(&names, &n, &capacity, sections[i].name);
    for (size_t i = 0; pb_tasks[i]; i++)
        add_name(&names, &n, &capacity, pb_tasks[i]->name);
    for (size_t i = 0; tasks[i]; i++)
        add_name(&names, &n, &capacity, tasks[i]);
    add_name(&names, &n, &capacity, NULL);
    const char *nearest = pb_nearest_method(name, names);
    near = nearest ? pb_format("; did you mean '%s'?", nearest) : pb_strdup("");
    pb_error(
        "show: unknown name '%s'%s; want a method, a preset or a task of `peftbench list`, experiment, timing, train, "
        "model, decode, tune, retention, task, pretrain, network or machine",
        name, near);
    free(near);
    free(names);
    pb_named_tasks_free(tasks);
    return PB_EXIT_QUESTION;
}

/* Prints tasks/NAME.ini. */
static int show_named_task(const char *name)
{
    char *usual = pb_format("tasks/%s.ini", name), *path = pb_find_installed(usual), *text = NULL;
    size_t length;
    if (!strchr(name, '/') && access(path, F_OK) == 0)
        text = pb_read_file(path, &length);
    else
        unknown(name);
    if (text)
        printf("%s: a named task, the file %s:\n\n%s", name, path, text);
    free(text);
    free(path);
    free(usual);
    return text ? PB_EXIT_DONE : PB_EXIT_QUESTION;
}

static int show(const pb_args *a)
{
    if (pb_plugins_load(a))
        return PB_EXIT_QUESTION;
    const char *name = a->word[0];
    const pb_method *m = pb_method_find(name), *of_preset = NULL;
    const pb_preset *p = pb_preset_find(name, &of_preset);
    const pb_task *t = pb_task_find(name);
    const struct section *settings = section(name);
    if (!strcmp(name, "machine")) {
        show_machine();
    } else if (settings) {
        show_section(settings);
    } else if (!strcmp(name, "task")) {
        show_all_tasks();
    } else if (m || of_preset) {
        pb_card_print(m ? m : of_preset, m ? NULL : p);
    } else if (p) {
        pb_card_print_composition(p);
    } else if (t) {
        show_task(t);
    } else {
        return show_named_task(name);
    }
    return PB_EXIT_DONE;
}

const pb_command pb_cmd_show = {
    .name = "show",
    .words = "NAME",
    .least = 1,
    .most = 1,
    .options = "plugin",
    .help =
        "describe a method, a task, the settings of a section of an experiment, or this machine\n\n"
        "NAME is a method, a preset or a task of `peftbench list`; experiment, train, model, decode, tune, task or\n"
        "retention for the settings of that section of an experiment's file, timing for those of the timing pass in\n"
        "[experiment]; pretrain or network for those of `peftbench pretrain`; or machine.  Each setting is printed "
        "with its default and its range.\n",
    .run = show,
};
