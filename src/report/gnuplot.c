/* gnuplot: see gnuplot.h. */
#include "report/gnuplot.h"

#include <dirent.h>
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report/grid.h"

#define ADVICE "want gnuplot 5.4 or newer with the terminals svg and pdfcairo (`make setup` installs it)"

/* ---- texts ---------------------------------------------------------------------------------------------- */

/* Each line begins with a space, so that no text can be the line that ends the block; t(k) removes the space. */
int pb_figure_text(pb_figure *f, const char *text)
{
    pb_text_add(&f->texts, " %s\n", pb_visible(text));
    pb_text_add(&f->latex, " ");
    pb_latex_add(&f->latex, text);
    pb_text_add(&f->latex, "\n");
    return ++f->count;
}

void pb_figure_free(pb_figure *f)
{
    pb_text_free(&f->commands);
    pb_text_free(&f->texts);
    pb_text_free(&f->latex);
    f->count = 0;
}

/* ---- running gnuplot ------------------------------------------------------------------------------------ */

/* The terminals.  A point has 4/3 pixels in SVG and 300/72 in PNG; line widths and marks have other units in each, and
 * cairo's fonts a size of 4/3 of that given. */
static const char terminals[] =
    "if (FORMAT eq 'svg') {\n"
    "    LW = 4/3.; PS = 4/3./8.2; FS = 4/3.\n"
    "    set terminal svg noenhanced size WIDE*4/3.,HIGH*4/3. font FONT.sprintf(',%g', SIZE*FS) background rgb "
    "'white'\n"
    "}\n"
    "if (FORMAT eq 'pdf') {\n"
    "    LW = 2.; PS = 1/6.1; FS = 1.\n"
    "    set terminal pdfcairo noenhanced size WIDE/72.,HIGH/72. font FONT.sprintf(',%g', SIZE) fontscale 0.75\n"
    "}\n"
    "if (FORMAT eq 'png') {\n"
    "    LW = 300/72.; PS = 300/72./6.2; FS = 1.\n"
    "    set terminal pngcairo noenhanced size WIDE*300/72.,HIGH*300/72. font FONT.sprintf(',%g', SIZE) fontscale "
    "3.125\n"
    "}\n"
    "if (FORMAT eq 'tex') {\n"
    "    LW = 4.; PS = 1/6.1; FS = 1.\n"
    "    set terminal cairolatex pdf size WIDE/72.,HIGH/72. font FONT.sprintf(',%g', SIZE)\n"
    "}\n";

static const char script_head[] = "# gnuplot %s.gp              draws %s.svg\n"
                                  "# gnuplot -e \"FORMAT='pdf'\" %s.gp   another format: svg, pdf, png or tex\n"
                                  "if (!exists('FORMAT')) FORMAT = 'svg'\n"
                                  "WIDE = %.4f; HIGH = %.4f # points\n"
                                  "FONT = '%s'; SIZE = %g\n";

static const char script_texts[] = "set output '%s'.(FORMAT eq 'tex' ? '-tex.' : '.').FORMAT\n"
                                   "set encoding utf8\n"
                                   "X(x) = x / WIDE\n"
                                   "Y(y) = 1 - y / HIGH\n"
                                   "F0 = sprintf(',%%.4g', SIZE * FS)\n"
                                   "F1 = sprintf(',%%.4g', (SIZE - 1) * FS)\n"
                                   "F2 = sprintf(',%%.4g', (SIZE - 2) * FS)\n"
                                   "$texts << END\n"
                                   "%sEND\n"
                                   "$latex << END\n"
                                   "%sEND\n"
                                   "u(s) = substr(s, 2, strlen(s))\n"
                                   "t(k) = FORMAT eq 'tex' ? u($latex[k]) : u($texts[k])\n";

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

/* Overwrites the digits of the time at which a PDF was made, so that the same figure gives the same bytes. */
static int forget_time(const char *path)
{
    size_t size;
    char *bytes = pb_read_file(path, &size);
    if (!bytes)
        return -1;
    static const char key[] = "/CreationDate (D:";
    char *at = memmem(bytes, size, key, sizeof key - 1);
    for (at = at ? at + sizeof key - 1 : NULL; at && *at != ')' && *at; at++)
        *at = *at >= '0' && *at <= '9' ? '0' : *at;
    int rc = pb_write_file(path, bytes, size);
    free(bytes);
    return rc;
}

/* Gives the files of a folder their place in another one. */
static int take_files(const char *from, const char *to)
{
    int rc = 0;
    DIR *all = opendir(from);
    for (struct dirent *d; all && (d = readdir(all)) && !rc;) {
        if (*d->d_name == '.')
            continue;
        char *old = pb_format("%s/%s", from, d->d_name), *new = pb_format("%s/%s", to, d->d_name);
        if (pb_ends_in(old, ".pdf"))
            rc = forget_time(old);
        if (!rc && rename(old, new))
            rc = pb_error("%s: cannot be drawn: %s; " ADVICE, new, strerror(errno));
        free(old);
        free(new);
    }
    if (all)
        closedir(all);
    return rc;
}

/* Draws the script NAME.gp in a folder of its own, as another process may draw the same figure, and moves the output
 * when it is complete. */
static int draw(const char *folder, const char *name, const char *format)
{
    char *scratch = pb_format("%s/%s.%ld.tmp", folder, name, (long)getpid());
    char *setup = pb_format("FORMAT = '%s'", format), *script = pb_format("../%s.gp", name);
    char gnuplot[] = "gnuplot", defaults[] = "-d", execute[] = "-e";
    char *const argv[] = {gnuplot, defaults, execute, setup, script, NULL};
    int rc = pb_make_dirs(scratch) || run_gnuplot(scratch, argv) || take_files(scratch, folder) ? -1 : 0;
    pb_remove_tree(scratch);
    free(scratch);
    free(setup);
    free(script);
    return rc;
}

int pb_figure_draw(const pb_figure *f, const char *folder, const char *name, const pb_look *look)
{
    static const char *const format[] = {"svg", "pdf", "png", "tex"};
    pb_text text = {0};
    pb_text_add(&text, script_head, name, name, name, f->width, f->height, look->font, look->size);
    pb_text_bytes(&text, terminals, sizeof terminals - 1);
    pb_text_add(&text, script_texts, name, f->count ? f->texts.data : "", f->count ? f->latex.data : "");
    pb_text_bytes(&text, f->commands.data, f->commands.length);
    char *script = pb_format("%s/%s.gp", folder, name);
    int rc = pb_write_file(script, text.data, text.length);
    for (int i = 0; i < (int)PB_COUNT(format) && !rc; i++)
        if (look->formats >> i & 1)
            rc = draw(folder, name, format[i]);
    free(script);
    pb_text_free(&text);
    return rc;
}

int pb_gnuplot_try(void)
{
    char folder[] = "/tmp/peftbench-XXXXXX";
    pb_look look;
    if (!mkdtemp(folder))
        return pb_error("%s: cannot be made: %s", folder, strerror(errno));
    pb_figure f = {.width = 100, .height = 100};
    pb_text_add(&f.commands, "unset key\nset title t(%d)\nplot [0:1] [0:1] x\n",
                pb_figure_text(&f, "figures can be drawn"));
    int rc = pb_look_read(&look, NULL, NULL, NULL, NULL) || pb_figure_draw(&f, folder, "try", &look) ? -1 : 0;
    pb_figure_free(&f);
    pb_remove_tree(folder);
    return rc;
}
