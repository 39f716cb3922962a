/* cmd_show: describes a method, a task, the settings of a section of an experiment, or this machine. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/threads.h"
#include "numeric/blas.h"
#include "cli/cmd.h"
#include "base/host.h"
#include "model/config_writer.h"
#include "model/decoding.h"
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

static void show_options(const pb_option *options)
{
    for (const pb_option *o = options; o && o->name; o++) {
        char range[80] = "";
        if (o->type == PB_INT || o->type == PB_REAL)
            snprintf(range, sizeof range, " (%g..%g)", o->min, o->max);
        else if (o->type == PB_CHOICE)
            snprintf(range, sizeof range, " (%s)", o->choices);
        printf("  %-18s = %-10s %s%s\n", o->name, o->default_value, o->help, range);
    }
}

static void show_method(const pb_method *m)
{
    printf("%s: %s\nclass: %s\npaper: %s\n%s\n", m->name, m->title, pb_category_name[m->category], m->paper, m->help);
    printf("starts as the base model: %s\n", m->identity ? "yes" : "no");
    if (m->options)
        printf("settings, in [method %s]:\n", m->name);
    show_options(m->options);
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
    const char *names[256] = {"machine"};
    size_t n = 1;
    const pb_method *m;
    for (size_t i = 0; i < PB_COUNT(sections); i++)
        names[n++] = sections[i].name;
    for (int i = 0; (m = pb_method_at(i)) && n + 1 < PB_COUNT(names); i++)
        names[n++] = m->name;
    const char *near = pb_nearest(name, names);
    pb_error(
        "show: unknown name '%s'%s%s%s; want a method or a task of `peftbench list`, experiment, train, model, decode, "
        "tune, pretrain, network or machine",
        name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return PB_EXIT_QUESTION;
}

/* Prints tasks/NAME.ini. */
static int show_named_task(const char *name)
{
    char *path = pb_format("tasks/%s.ini", name), *text = NULL;
    size_t length;
    if (!strchr(name, '/') && access(path, F_OK) == 0)
        text = pb_read_file(path, &length);
    else
        unknown(name);
    if (text)
        printf("%s: a named task, the file %s:\n\n%s", name, path, text);
    free(text);
    free(path);
    return text ? PB_EXIT_DONE : PB_EXIT_QUESTION;
}

static int show(const pb_args *a)
{
    const char *name = a->word[0];
    const pb_method *m = pb_method_find(name);
    const pb_task *t = pb_task_find(name);
    const struct section *settings = section(name);
    if (!strcmp(name, "machine")) {
        show_machine();
    } else if (settings) {
        printf("settings, %s:\n", settings->where);
        show_options(settings->options);
    } else if (m) {
        show_method(m);
    } else if (t) {
        printf("%s: %s\nsettings, in [task] of tasks/NAME.ini:\n", t->name, t->help);
        show_options(t->options);
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
    .options = "",
    .help = "describe a method, a task, the settings of a section of an experiment, or this machine\n\n"
            "NAME is a method or a task of `peftbench list`; experiment, train, model, decode or tune for the settings "
            "of that\n"
            "section of an experiment's file; pretrain or network for those of `peftbench pretrain`; or machine.  Each "
            "setting is "
            "printed\n"
            "with its default and its range.\n",
    .run = show,
};
