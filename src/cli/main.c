/* main: finds the command and runs it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "numeric/blas.h"
#include "driver/children.h"
#include "cli/cmd.h"
#include "model/preset.h"
#include "version.h"

static const pb_command *const commands[] = {
    &pb_cmd_run,    &pb_cmd_demo,      &pb_cmd_data,      &pb_cmd_plan,    &pb_cmd_list,   &pb_cmd_show,
    &pb_cmd_status, &pb_cmd_settings,  &pb_cmd_table,     &pb_cmd_plot,    &pb_cmd_report, &pb_cmd_predict,
    &pb_cmd_logits, &pb_cmd_generate,  &pb_cmd_tokenize,  &pb_cmd_export,  &pb_cmd_fetch,  &pb_cmd_pretrain,
    &pb_cmd_merge,  &pb_cmd_reproduce, &pb_cmd_import,    &pb_cmd_compare, &pb_cmd_check,  &pb_cmd_verify,
    &pb_cmd_pareto, &pb_cmd_rank,      &pb_cmd_recommend, &pb_cmd_claims,  &pb_cmd_manual, &pb_cmd_completion,
    NULL,
};

static void help(FILE *out)
{
    fprintf(out, "peftbench compares parameter-efficient fine-tuning methods.\n\n");
    for (size_t i = 0; commands[i]; i++) {
        char left[48];
        snprintf(left, sizeof left, "%s %s", commands[i]->name, commands[i]->words);
        fprintf(out, "  %-39s %.*s", left, (int)strcspn(commands[i]->help, "\n;"), commands[i]->help);
        fprintf(out, commands[i]->alias ? " (alias: %s)\n" : "\n", commands[i]->alias);
    }
    fprintf(out,
            "\n`peftbench COMMAND --help` describes a command.  Exit codes: 0: success; 1: the answer is no, for "
            "example because a\n"
            "run failed; 2: the command cannot be carried out (usage, settings or a file is wrong); 3: undecided.\n");
}

static const pb_command *find(const char *name)
{
    const char *names[PB_COUNT(commands)] = {0};
    for (size_t i = 0; commands[i]; i++) {
        names[i] = commands[i]->name;
        if (!strcmp(name, names[i]) || (commands[i]->alias && !strcmp(name, commands[i]->alias)))
            return commands[i];
    }
    char *near = pb_did_you_mean(name, names);
    pb_error("unknown command '%s'%s; see `peftbench --help`", name, near);
    free(near);
    return NULL;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            return true;
    return false;
}

static int run(const pb_command *c, int argc, char **argv)
{
    pb_args args;
    if (!c)
        return PB_EXIT_QUESTION;
    if (wants_help(argc, argv)) {
        pb_args_help(c, stdout);
        return PB_EXIT_DONE;
    }
    if (pb_presets_check_all() || pb_args_read(&args, c, argc, argv))
        return PB_EXIT_QUESTION;
    args.commands = commands;
    return c->run(&args);
}

/* Opens standard streams that were closed before the start in the wrong mode, so that using them fails and the first
 * file that is opened does not become one of them. */
static void hold_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

/* Flushes stdout and returns the exit code, which is an error if the output is incomplete. */
static int end(int rc)
{
    if (*pb_error_text()) {
        fprintf(stderr, "peftbench: %s\n", pb_error_text());
        rc = rc == PB_EXIT_NO ? rc : PB_EXIT_QUESTION; /* an error occurred, so the answer is not reliable */
    }
    bool lost = ferror(stdout); /* by an earlier write, whose errno is gone */
    errno = 0;
    if (fclose(stdout) || lost) {
        fprintf(stderr, "peftbench: stdout: cannot write%s%s\n", errno ? ": " : "", errno ? strerror(errno) : "");
        rc = PB_EXIT_QUESTION;
    }
    pb_children_die();
    return rc;
}

int main(int argc, char **argv)
{
    hold_standard_streams();
    pb_plain_numbers();
    pb_blas_fix_core(argv);
    pb_visible_terminal();
    if (argc > 1 && !strcmp(argv[1], "--version")) {
        printf("peftbench %s, code %s\n", PB_VERSION, PB_CODE_VERSION);
        return end(PB_EXIT_DONE);
    }
    if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        help(argc < 2 ? stderr : stdout);
        return end(argc < 2 ? PB_EXIT_QUESTION : PB_EXIT_DONE);
    }
    return end(run(find(argv[1]), argc - 2, argv + 2));
}
