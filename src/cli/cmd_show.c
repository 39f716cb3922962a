/* cmd_show: describes a method, a task, the settings of a section of an experiment, or this machine. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/threads.h"
#include "numeric/blas.h"
#include "cli/cmd.h"
#include "cli/method_card.h"
#include "cli/plugins.h"
#include "base/host.h"
#include "model/config_writer.h"
#include "model/decoding.h"
#include "model/plugin.h"
#include "train/pretrain.h"
#include "version.h"

static const struct section {
    const char *name, *where;
    const pb_option *options;
} sections[] = {
    {"experiment", "in [experiment]", pb_experiment_table},
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

static int unknown(const char *name)
{
    const char *names[PB_COUNT(sections) + 2] = {"machine"};
    for (size_t i = 0; i < PB_COUNT(sections); i++)
        names[i + 1] = sections[i].name;
    const char *near = pb_nearest_method(name, names);
    pb_error("show: unknown name '%s'%s%s%s; want a method, a preset or a task of `peftbench list`, experiment, train, "
             "model, "
             "decode, tune, retention, pretrain, network or machine",
             name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
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
        printf("settings, %s:\n", settings->where);
        pb_card_print_settings(settings->options, NULL);
    } else if (m || of_preset) {
        pb_card_print(m ? m : of_preset, m ? NULL : p);
    } else if (p) {
        pb_card_print_composition(p);
    } else if (t) {
        printf("%s: %s\nsettings, in [task] of tasks/NAME.ini:\n", t->name, t->help);
        pb_card_print_settings(t->options, NULL);
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
    .help = "describe a method, a task, the settings of a section of an experiment, or this machine\n\n"
            "NAME is a method, a preset or a task of `peftbench list`; experiment, train, model, decode, tune or\n"
            "retention for the settings of that section of an experiment's file; pretrain or network for those of\n"
            "`peftbench pretrain`; or machine.  Each setting is printed with its default and its range.\n",
    .run = show,
};
