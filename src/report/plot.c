/* plot: see plot.h.  Each figure is a function of a file plot_*.c, and sheet.h has what they are made of. */
#include "report/plot.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report/plot_internal.h"

/* The figures, in the order of the page of `report`. */
static const struct figure {
    const char *name;
    pb_draw_figure *draw;      /* NULL: it is one of several tasks */
    pb_draw_suite *draw_suite; /* NULL: it is one of one task */
} figures[] = {
    {"axes", pb_plot_axes, NULL},
    {"accuracy-parameters", pb_plot_parameters, NULL},
    {"accuracy-memory", pb_plot_training_memory, NULL},
    {"accuracy-inference", pb_plot_inference, NULL},
    {"differences", pb_plot_differences, NULL},
    {"memory", pb_plot_memory, NULL},
    {"overhead", pb_plot_overhead, NULL},
    {"sweep", pb_plot_sweep, NULL},
    {"tuning", pb_plot_tuning, NULL},
    {"rate", pb_plot_rate, NULL},
    {"strength", pb_plot_strength, NULL},
    {"curves", pb_plot_curves, NULL},
    {"validation", pb_plot_validation, NULL},
    {"ranks", NULL, pb_plot_ranks},
    {"wins", NULL, pb_plot_wins},
    {"tasks", NULL, pb_plot_tasks},
};

const char *pb_plot_name(int i)
{
    return i < (int)PB_COUNT(figures) ? figures[i].name : NULL;
}

#define AGAINST "accuracy:" /* and the key of a cost */

static bool is_against(const char *name)
{
    return name && !strncmp(name, AGAINST, sizeof AGAINST - 1) && name[sizeof AGAINST - 1];
}

int pb_plot_check(const pb_look *look)
{
    const char *names[PB_COUNT(figures) + 1] = {0};
    bool known = !look->figure || is_against(look->figure);
    pb_text all = {0};
    for (size_t i = 0; i < PB_COUNT(figures); i++) {
        names[i] = figures[i].name;
        known = known || !strcmp(look->figure, names[i]);
        pb_text_add(&all, "%s, ", names[i]);
    }
    const char *near = known ? NULL : pb_nearest(look->figure, names);
    if (!known)
        pb_error("--figure: unknown figure '%s'%s%s%s; want %sor " AGAINST "KEY with the key of a cost", look->figure,
                 near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "", all.data);
    pb_text_free(&all);
    return known ? 0 : -1;
}

static char *folder_of(const char *name, const char *folder)
{
    return folder ? pb_strdup(folder) : pb_format("plots/%s", name);
}

int pb_plot_try(const pb_experiment *e, const char *folder)
{
    char *to = folder_of(e->name, folder);
    int rc = pb_make_dirs(to) || pb_gnuplot_try() ? -1 : 0;
    if (!rc && access(to, W_OK | X_OK))
        rc = pb_error("%s: figures cannot be written: %s; want a writable folder", to, strerror(errno));
    free(to);
    return rc;
}

/* Draws accuracy against the cost whose key is behind "accuracy:", as accuracy-KEY with a hyphen for every character
 * that is not a letter or a digit. */
static int draw_against(const pb_report *r, const pb_look *look, const char *folder)
{
    const char *key = look->figure + sizeof AGAINST - 1;
    bool known = false;
    for (int i = 0; i < r->experiment->rows; i++)
        known = known || !isnan(pb_report_measured(r, i, key).middle);
    if (!known)
        return pb_report_refuse_key(r, "--figure", key);
    char *name = pb_format("accuracy-%s", key);
    for (char *c = name; *c; c++)
        *c = isalnum((unsigned char)*c) ? *c : '-';
    int rc = pb_plot_against(r, look, folder, name, key);
    free(name);
    return rc;
}

int pb_plot(const pb_report *r, const pb_look *look, const char *folder)
{
    char *to = folder_of(r->experiment->name, folder);
    int drawn = 0, rc = pb_make_dirs(to);
    for (size_t i = 0; i < PB_COUNT(figures) && rc >= 0; i++) {
        if (!figures[i].draw || (look->figure && strcmp(look->figure, figures[i].name) != 0))
            continue;
        rc = figures[i].draw(r, look, to);
        drawn += rc > 0;
    }
    if (rc >= 0 && is_against(look->figure)) {
        rc = draw_against(r, look, to);
        drawn += rc > 0;
    }
    free(to);
    return rc < 0 ? -1 : drawn;
}

int pb_plot_suite(const pb_report *r, int tasks, const char *name, const pb_look *look, const char *folder)
{
    char *to = folder_of(name, folder);
    int drawn = 0, rc = pb_make_dirs(to);
    for (size_t i = 0; i < PB_COUNT(figures) && rc >= 0; i++) {
        if (!figures[i].draw_suite || (look->figure && strcmp(look->figure, figures[i].name) != 0))
            continue;
        rc = figures[i].draw_suite(r, tasks, look, to);
        drawn += rc > 0;
    }
    free(to);
    return rc < 0 ? -1 : drawn;
}
