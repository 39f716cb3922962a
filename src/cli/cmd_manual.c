/* cmd_manual: the manual page, made of the tables of which --help is made. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "cli/cmd.h"
#include "version.h"

/* Prints a character of text for troff, to which it is neither an escape nor a quotation mark or a dash of print. */
static void character(int32_t c)
{
    switch (c) {
    case '\\': fputs("\\e", stdout); break;
    case '-': fputs("\\-", stdout); break;
    case '`': fputs("\\(ga", stdout); break;
    case '\'': fputs("\\(aq", stdout); break;
    case '~': fputs("\\(ti", stdout); break;
    case '^': fputs("\\(ha", stdout); break;
    default: c < 0x80 ? (void)putchar(c) : (void)printf("\\[u%04X]", (unsigned)c);
    }
}

/* Prints a line of text, which is no request even if it begins like one. */
static void line(const char *text, size_t n)
{
    int32_t c;
    if (n && (*text == '.' || *text == '\''))
        fputs("\\&", stdout);
    for (size_t i = 0; i < n;) {
        i += pb_utf8_next(text + i, n - i, &c);
        character(c);
    }
    putchar('\n');
}

/* Prints paragraphs.  Lines that begin with blanks are a table, which keeps its layout. */
static void paragraphs(const char *text)
{
    bool table = false;
    for (size_t n; *text; text += n + (text[n] == '\n')) {
        n = strcspn(text, "\n");
        if (table != (n && *text == ' ')) {
            table = !table;
            puts(table ? ".nf" : ".fi");
        }
        if (n)
            line(text, n);
        else
            puts(".PP");
    }
    if (table)
        puts(".fi");
}

static void option(const char *name, const char *value, const char *help)
{
    printf(".TP\n.B \\-\\-");
    for (; *name; name++)
        fputs(*name == '-' ? "\\-" : (char[]){*name, 0}, stdout);
    if (value)
        printf(" \\fI%s\\fR", value);
    putchar('\n');
    line(help, strlen(help));
}

static void command(const pb_command *c)
{
    size_t title = strcspn(c->help, "\n");
    printf(".SS peftbench %s", c->name);
    printf("%s%s\n", *c->words ? " " : "", c->words);
    line(c->help, title);
    if (c->alias)
        printf("The command is also called\n.BR %s .\n", c->alias);
    if (c->help[title])
        paragraphs(c->help + title + 1);
    const char *name, *value, *help;
    for (size_t i = 0; (name = pb_args_option(c, i, &value, &help)); i++)
        option(name, value, help);
}

static int manual(const pb_args *a)
{
    printf(".\\\" Made by `peftbench manual`.\n.TH PEFTBENCH 1 \"\" \"peftbench %s\" \"User Commands\"\n", PB_VERSION);
    puts(".SH NAME\npeftbench \\- compares parameter\\-efficient fine\\-tuning methods\n.SH SYNOPSIS\n"
         ".B peftbench\n.I COMMAND\n.RI [ ARGUMENT... ]\n.SH DESCRIPTION\n"
         "An experiment is an INI file that names a base model, a task and methods.\n.B peftbench run\n"
         "trains every method on the task and records storage, memory, computation, accuracy and inference overhead in "
         "a SQLite\ndatabase; the other commands prepare an experiment or report what is stored.\n.SH COMMANDS");
    for (size_t i = 0; a->commands[i]; i++)
        command(a->commands[i]);
    puts(".SH EXIT STATUS\n.TP\n.B 0\nsuccess\n.TP\n.B 1\nthe answer is no, for example because a run failed\n.TP\n"
         ".B 2\nthe command cannot be carried out: usage, settings or a file is wrong\n.TP\n.B 3\nundecided\n"
         ".SH ENVIRONMENT\n.TP\n.B PEFTBENCH_DATA\na folder in which the data files of tasks are searched for too\n"
         ".SH FILES\n.TP\n.I results/peftbench.db\nthe default database, in the current folder\n.TP\n"
         ".I PREFIX/share/peftbench\nexperiments, tasks, data and models that come with the program in PREFIX/bin: a "
         "relative path that is not in the\ncurrent folder is found there\n"
         ".SH SEE ALSO\n.BR gnuplot (1),\n.BR sqlite3 (1)");
    return PB_EXIT_DONE;
}

const pb_command pb_cmd_manual = {
    .name = "manual",
    .words = "",
    .options = "",
    .help = "print the manual page, for `man`\n",
    .run = manual,
};
