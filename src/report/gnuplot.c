/* gnuplot: see gnuplot.h. */
#include "report/gnuplot.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ADVICE "want gnuplot 5.4 or newer with the terminals svg and pdfcairo (`make setup` installs it)"

/* The output formats. */
static const struct {
    const char *ending, *terminal, *options;
    double pixels; /* pixels per unit of length of the terminal */
} format[] = {{"svg", "svg", "font 'Helvetica,13' background rgb 'white'", 1},
              {"pdf", "pdfcairo", "font 'Helvetica,11'", 100}};

/* ---- labels --------------------------------------------------------------------------------------------- */

/* Each line begins with a space, so that no text can be the line that ends the block; t(k) removes the space. */
int pb_figure_text(pb_figure *f, const char *text)
{
    pb_text_add(&f->texts, " %s\n", pb_visible(text));
    return ++f->count;
}

int pb_figure_tic(pb_figure *f, const char *text)
{
    pb_text doubled = {0};
    for (pb_text_add(&doubled, "%s", ""); *text; text++)
        pb_text_add(&doubled, *text == '%' ? "%%%%" : "%c", *text);
    int k = pb_figure_text(f, doubled.data);
    pb_text_free(&doubled);
    return k;
}

void pb_figure_free(pb_figure *f)
{
    pb_text_free(&f->commands);
    pb_text_free(&f->texts);
    f->count = 0;
}

/* ---- running gnuplot ------------------------------------------------------------------------------------ */

static const char script_head[] = "set encoding utf8\n"
                                  "set termoption noenhanced\n"
                                  "$texts << END\n"
                                  "%sEND\n"
                                  "t(k) = substr($texts[k], 2, strlen($texts[k]))\n"
                                  "%s";

/* Returns the environment of gnuplot, which contains only the paths to programs and to the font cache. */
static char **make_environment(void)
{
    static const char *const variables[] = {"PATH", "HOME", "TMPDIR"};
    char **all = pb_alloc((PB_COUNT(variables) + 2) * sizeof *all);
    int n = 0;
    all[n++] = pb_strdup("LC_ALL=C.UTF-8");
    for (size_t i = 0; i < PB_COUNT(variables); i++)
        if (getenv(variables[i]))
            all[n++] = pb_format("%s=%s", variables[i], getenv(variables[i]));
    return all;
}

static void free_environment(char **all)
{
    for (int i = 0; all[i]; i++)
        free(all[i]);
    free(all);
}

/* Runs gnuplot in `folder` without a shell and without the user's start-up files.  Returns -1 with an error. */
static int run_gnuplot(const char *folder, char *const *argv)
{
    pid_t pid;
    int status = 0;
    char **environment = make_environment();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, folder);
    int rc = posix_spawnp(&pid, "gnuplot", &actions, NULL, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    free_environment(environment);
    if (rc)
        return pb_error("gnuplot: it cannot be started: %s; " ADVICE, strerror(rc));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue; /* after any other failure the output is missing, which is reported below */
    return status ? pb_error("gnuplot: it ended with an error; " ADVICE) : 0;
}

/* Draws the script NAME.gp.  The output gets its name when it is complete. */
static int draw(const char *folder, const char *name, int i, double width, double height)
{
    long process = (long)getpid(); /* another process may draw the same figure */
    char *from = pb_format("%s/%s.%s.%ld.tmp", folder, name, format[i].ending, process);
    char *to = pb_format("%s/%s.%s", folder, name, format[i].ending);
    char *setup = pb_format("set terminal %s size %g,%g %s; set output '%s.%s.%ld.tmp'", format[i].terminal,
                            width / format[i].pixels, height / format[i].pixels, format[i].options, name,
                            format[i].ending, process);
    char *script = pb_format("%s.gp", name), gnuplot[] = "gnuplot", defaults[] = "-d", execute[] = "-e";
    char *const argv[] = {gnuplot, defaults, execute, setup, script, NULL};
    int rc = run_gnuplot(folder, argv);
    if (!rc && rename(from, to))
        rc = pb_error("%s: cannot be drawn: %s; " ADVICE, to, strerror(errno));
    if (rc)
        unlink(from);
    free(from);
    free(to);
    free(setup);
    free(script);
    return rc;
}

int pb_figure_draw(const pb_figure *f, const char *folder, const char *name, double width, double height)
{
    char *script = pb_format("%s/%s.gp", folder, name);
    char *text = pb_format(script_head, f->count ? f->texts.data : "", f->commands.data);
    int rc = pb_write_file(script, text, strlen(text));
    for (int i = 0; i < (int)PB_COUNT(format) && !rc; i++)
        rc = draw(folder, name, i, width, height);
    free(script);
    free(text);
    return rc;
}

int pb_gnuplot_try(void)
{
    char folder[] = "/tmp/peftbench-XXXXXX";
    if (!mkdtemp(folder))
        return pb_error("%s: cannot be made: %s", folder, strerror(errno));
    pb_figure f = {.count = 0};
    pb_text_add(&f.commands, "unset key\nset title t(%d)\nplot [0:1] [0:1] x\n",
                pb_figure_text(&f, "figures can be drawn"));
    int rc = pb_figure_draw(&f, folder, "try", 100, 100);
    pb_figure_free(&f);
    pb_remove_tree(folder);
    return rc;
}
