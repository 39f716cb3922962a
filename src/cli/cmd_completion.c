/* cmd_completion: scripts that complete command lines, made of the tables of which --help is made. */
#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"
#include "model/method.h"

static void each_option(const pb_command *c, void (*print)(const char *name, const char *value, const char *help))
{
    const char *name, *value, *help;
    for (size_t i = 0; (name = pb_args_option(c, i, &value, &help)); i++)
        print(name, value, help);
}

/* ---- bash ----------------------------------------------------------------------------------------------------- */

static void bash_option(const char *name, const char *value, const char *help)
{
    (void)value;
    (void)help;
    printf(" --%s", name);
}

static void bash(const pb_command *const *all)
{
    puts("# Completion of peftbench for bash, made by `peftbench completion bash`.\n_peftbench() {\n"
         "\tlocal current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} options=''\n"
         "\tCOMPREPLY=()\n\tif [ \"$COMP_CWORD\" = 1 ]; then");
    printf("\t\tmapfile -t COMPREPLY < <(compgen -W '");
    for (size_t i = 0; all[i]; i++)
        printf("%s ", all[i]->name);
    puts("--help --version' -- \"$current\")\n\t\treturn\n\tfi\n\tcase ${COMP_WORDS[1]} in");
    for (size_t i = 0; all[i]; i++) {
        printf("\t%s%s%s) options='--help", all[i]->name, all[i]->alias ? " | " : "",
               all[i]->alias ? all[i]->alias : "");
        each_option(all[i], bash_option);
        puts("' ;;");
    }
    puts("\tesac\n\tcase $current in\n"
         "\t-*)\n\t\tmapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\")\n\t\treturn\n\t\t;;\n\tesac\n"
         "\tcase ${COMP_WORDS[1]}:$previous in\n\tshow:show | verify:verify)");
    printf("\t\tmapfile -t COMPREPLY < <(compgen -W '");
    for (int i = 0; pb_methods[i]; i++)
        printf("%s%s", i ? " " : "", pb_methods[i]->name);
    puts("' -- \"$current\")\n\t\t;;\n\tesac\n}\n# Where there is nothing to choose from, bash completes names of "
         "files.\ncomplete -o default -F _peftbench peftbench");
}

/* ---- zsh ------------------------------------------------------------------------------------------------------ */

/* Prints a text inside single quotes, in which zsh gives brackets and colons a meaning. */
static void zsh_text(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text[i] == '\'')
            fputs("'\\''", stdout);
        else if (strchr("[]:\\", text[i]))
            printf("\\%c", text[i]);
        else
            putchar(text[i]);
}

static void zsh_option(const char *name, const char *value, const char *help)
{
    printf(" \\\n\t\t\t'--%s[", name);
    zsh_text(help, strlen(help));
    putchar(']');
    if (value) {
        putchar(':');
        zsh_text(value, strlen(value));
        fputs(!strcmp(value, "FILE") || !strcmp(value, "PATH") || !strcmp(value, "FOLDER") ? ":_files" : ": ", stdout);
    }
    putchar('\'');
}

static void zsh(const pb_command *const *all)
{
    puts("#compdef peftbench\n# Completion of peftbench for zsh, made by `peftbench completion zsh`.\n_peftbench() {\n"
         "\tlocal -a commands\n\tcommands=(");
    for (size_t i = 0; all[i]; i++) {
        printf("\t\t'%s:", all[i]->name);
        zsh_text(all[i]->help, strcspn(all[i]->help, "\n"));
        puts("'");
    }
    puts("\t)\n\tif ((CURRENT == 2)); then\n\t\t_describe command commands\n\t\treturn\n\tfi\n"
         "\tshift words\n\t((CURRENT--))\n\tcase $words[1] in");
    for (size_t i = 0; all[i]; i++) {
        printf("\t%s%s%s)\n\t\t_arguments '--help[describe the command]'", all[i]->name, all[i]->alias ? "|" : "",
               all[i]->alias ? all[i]->alias : "");
        each_option(all[i], zsh_option);
        puts(" '*:file:_files'\n\t\t;;");
    }
    puts("\tesac\n}\n_peftbench \"$@\"");
}

static int completion(const pb_args *a)
{
    static const struct {
        const char *name;
        void (*print)(const pb_command *const *all);
    } shell[] = {{"bash", bash}, {"zsh", zsh}};
    for (size_t i = 0; i < PB_COUNT(shell); i++)
        if (!strcmp(a->word[0], shell[i].name)) {
            shell[i].print(a->commands);
            return PB_EXIT_DONE;
        }
    pb_error("completion: want bash or zsh, got '%s'", a->word[0]);
    return PB_EXIT_QUESTION;
}

const pb_command pb_cmd_completion = {
    .name = "completion",
    .words = "bash|zsh",
    .least = 1,
    .most = 1,
    .options = "",
    .help = "print the script that completes command lines in a shell\n\n"
            "`make install` puts it where bash and zsh find it; `eval \"$(peftbench completion bash)\"` loads it in a "
            "shell.\n",
    .run = completion,
};
