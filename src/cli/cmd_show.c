/* cmd_show: describes a method, a kind of task, the settings of training or of the model, or this machine. */
#include <stdlib.h>
#include <string.h>

#include "base/threads.h"
#include "numeric/blas.h"
#include "cli/cmd.h"
#include "base/host.h"
#include "version.h"

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
    const char *names[256] = {"machine", "train", "model"};
    size_t n = 3;
    const pb_method *m;
    for (int i = 0; (m = pb_method_at(i)) && n + 1 < PB_COUNT(names); i++)
        names[n++] = m->name;
    const char *near = pb_nearest(name, names);
    pb_error("show: unknown name '%s'%s%s%s; want a method, a kind of task, train, model or machine (`peftbench list`)",
             name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return PB_EXIT_QUESTION;
}

static int show(const pb_args *a)
{
    const char *name = a->word[0];
    const pb_method *m = pb_method_find(name);
    const pb_task *t = pb_task_find(name);
    if (!strcmp(name, "machine")) {
        show_machine();
    } else if (!strcmp(name, "train")) {
        printf("settings, in [train] or [train ROW]; a list is a sweep:\n");
        show_options(pb_train_table);
    } else if (!strcmp(name, "model")) {
        printf("settings, in [model] or [model ROW]; a list is a sweep:\n");
        show_options(pb_base_table);
    } else if (m) {
        show_method(m);
    } else if (t) {
        printf("%s: %s\nsettings, in [task] of tasks/NAME.ini:\n", t->name, t->help);
        show_options(t->options);
    } else {
        return unknown(name);
    }
    return PB_EXIT_DONE;
}

const pb_command pb_cmd_show = {
    .name = "show",
    .words = "METHOD|TASK|train|model|machine",
    .least = 1,
    .most = 1,
    .options = "",
    .help = "describe a method, a kind of task, settings of training or the model, or this machine\n",
    .run = show,
};
