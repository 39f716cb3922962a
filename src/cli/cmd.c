/* cmd: see cmd.h. */
#include "cli/cmd.h"

#include <stdlib.h>
#include <string.h>

#include "driver/run.h"
#include "experiment/experiment_reader.h"

typedef struct flag {
    const char *name, *value, *help;
    size_t offset;
    enum { TEXT, NUMBER, SWITCH, SET, PLUGIN, SEED, OPTION, STRATEGY } kind;
} flag;

#define AT(field) offsetof(pb_args, field)

static const flag flags[] = {
    {"db", "FILE", "database of results (results/peftbench.db)", AT(db), TEXT},
    {"set", "KEY=VALUE", "override a setting, such as train.lr=1e-3 or lora.rank=4; may be repeated", 0, SET},
    {"plugin", "FILE.so",
     "load this method, if the run was made with it (its SHA-256 must be the stored one); may be repeated", 0, PLUGIN},
    {"jobs", "N", "cells side by side, the threads divided", AT(jobs), NUMBER},
    {"threads", "N", "threads in all (one for each core that is allowed)", AT(threads), NUMBER},
    {"tokens", "N", "plan for texts of this many tokens, without the task's data", AT(tokens), NUMBER},
    {"seed", "N", "which of the row's runs (the first); of what is drawn (0)", AT(seed), SEED},
    {"row", "NAME", "a row of the table", AT(row), TEXT},
    {"out", "FOLDER", "where figures go (plots/EXPERIMENT), or what is fetched", AT(out), TEXT},
    {"json", NULL, "one JSON object a line", AT(json), SWITCH},
    {"quiet", NULL, "no progress", AT(quiet), SWITCH},
    {"model", "PATH", "a Hugging Face folder, a GGUF or a llama2.c file", AT(model), TEXT},
    {"adapter", "FOLDER", "a PEFT adapter to put on the model", AT(adapter), TEXT},
    {"merged", NULL, "with the adapter folded into the weights", AT(merged), SWITCH},
    {"ids", NULL, "each line of stdin is a JSON array of token ids, not a text", AT(ids), SWITCH},
    {"plain", NULL, "without special tokens", AT(plain), SWITCH},
    {"decode", NULL, "from ids back to text", AT(decode), SWITCH},
    {"precision", "NAME", "hold the frozen base in fp32, bf16, int8 or nf4", AT(precision), TEXT},
    {"force", NULL, "use an adapter that was made for other weights", AT(force), SWITCH},
    {"partial", NULL, "choose among the runs that are finished, though some of the row's are not", AT(partial), SWITCH},
    {"no-timing", NULL, "leave the timing pass for later", AT(no_timing), SWITCH},
    {"retry", NULL, "time again what could not be timed before", AT(retry), SWITCH},
    {"max-new", "N", "tokens added at most (64)", 0, OPTION},
    {"sample", NULL, "draw tokens by their probability", 0, STRATEGY},
    {"temperature", "X", "divide logits by it before a draw (1)", 0, OPTION},
    {"top-k", "K", "draw from the K likeliest", 0, OPTION},
    {"top-p", "P", "draw from the fewest that have this much of the probability", 0, OPTION},
    {"beams", "N", "search for the likeliest text with N beams", 0, OPTION},
    {"length-penalty", "X", "compare log-probability / length^X (1)", 0, OPTION},
    {"no-repeat", "N", "no N tokens in a row twice", 0, OPTION},
    {"repetition-penalty", "X", "make tokens that the text has less likely (1)", 0, OPTION},
    {"stop", "TEXT", "end at this text; several: \"\\n|Text:\"", 0, OPTION},
    {"slots", "N", "texts that run side by side (8)", 0, OPTION},
    {"margin", "X[,Y[,Z]]",
     "what is no difference: of the score (0.01, or 1 of 100), of times (0.05), of a trajectory (1e-4)", AT(margin),
     TEXT},
    {"axes", "KEYS", "such as accuracy.test.accuracy,storage.stored", AT(axes), TEXT},
    {"columns", "KEYS", "settings to show as columns, such as lora.rank,train.lr", AT(columns), TEXT},
    {"method", "NAME", "rows with this method only", AT(method), TEXT},
    {"declare", "LIST", "what is meant to differ: rows and exact numbers, such as check/lora,storage.trainable",
     AT(declare), TEXT},
    {"times", NULL, "judge times too", AT(times), SWITCH},
    {"chat", "FORMAT", "each line is said to an assistant; auto: in the model's own format", AT(chat), TEXT},
    {"system", "TEXT", "what an assistant is told first", AT(system), TEXT},
};

static bool takes(const pb_command *c, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = c->options; (at = strstr(at, name)); at += n)
        if ((at == c->options || at[-1] == ' ') && (!at[n] || at[n] == ' '))
            return true;
    return false;
}

static const flag *find(const pb_command *c, const char *name, size_t n)
{
    for (size_t i = 0; i < PB_COUNT(flags); i++)
        if (!strncmp(flags[i].name, name, n) && !flags[i].name[n] && takes(c, flags[i].name))
            return &flags[i];
    return NULL;
}

static int unknown(const pb_command *c, const char *given)
{
    const char *names[PB_COUNT(flags) + 1] = {0};
    size_t n = 0;
    for (size_t i = 0; i < PB_COUNT(flags); i++)
        if (takes(c, flags[i].name))
            names[n++] = flags[i].name;
    const char *near = pb_nearest(given + 2, names);
    return pb_error("%s: no option %s%s%s%s; see `peftbench %s --help`", c->name, given,
                    near ? "; did you mean --" : "", near ? near : "", near ? "?" : "", c->name);
}

static int set_number(const flag *f, const char *value, long long least, long long *out)
{
    char *end;
    PB_CHECK(value); /* a number has one, see the table */
    *out = strtoll(value, &end, 10);
    if (end == value || *end || *out < least || *out > 1000000000)
        return pb_error("--%s: want a whole number from %lld, got '%s'", f->name, least, value);
    return 0;
}

/* An option that is given twice holds the later value. */
static void set_option(pb_args *a, const char *name, const char *value)
{
    int i = 0;
    while (i < a->options && strcmp(a->option[i][0], name) != 0)
        i++;
    PB_CHECK(i < (int)PB_COUNT(a->option));
    a->option[i][0] = name;
    a->option[i][1] = value;
    a->options += i == a->options;
}

static int set_flag(pb_args *a, const flag *f, const char *value)
{
    char *field = (char *)a + f->offset;
    long long n = 0;
    switch (f->kind) {
    case TEXT: *(const char **)(void *)field = value; return 0;
    case SWITCH: *(bool *)field = true; return 0;
    case NUMBER:
        if (set_number(f, value, 1, &n))
            return -1;
        *(int *)(void *)field = (int)n;
        return 0;
    case SEED: return set_number(f, value, 0, (long long *)(void *)field);
    case OPTION:
    case STRATEGY:
        set_option(a, f->kind == OPTION ? f->name : "strategy", f->kind == OPTION ? value : f->name);
        return 0;
    case PLUGIN:
        if (a->plugins == (int)PB_COUNT(a->plugin))
            return pb_error("--plugin: at most %zu of them", PB_COUNT(a->plugin));
        a->plugin[a->plugins++] = value;
        return 0;
    case SET:
        if (a->sets + 1 >= (int)PB_COUNT(a->set))
            return pb_error("--set: at most %zu of them", PB_COUNT(a->set) - 1);
        a->set[a->sets++] = value;
        return 0;
    }
    PB_BUG("flag %s", f->name);
}

/* --name value, --name=value or --name, and -o for --out; *i moves over what was taken. */
static int read_flag(pb_args *a, const pb_command *c, int argc, char **argv, int *i)
{
    const char *name = strcmp(argv[*i], "-o") ? argv[*i] + 2 : "out", *equals = strchr(name, '=');
    const flag *f = find(c, name, equals ? (size_t)(equals - name) : strlen(name));
    if (!f)
        return unknown(c, argv[*i]);
    if (!f->value)
        return equals ? pb_error("--%s takes no value", f->name) : set_flag(a, f, NULL);
    if (!equals && *i + 1 >= argc)
        return pb_error("--%s: want %s behind it", f->name, f->value);
    return set_flag(a, f, equals ? equals + 1 : argv[++*i]);
}

static int wrong_usage(const pb_command *c)
{
    return pb_error("usage: peftbench %s %s; see `peftbench %s --help`", c->name, c->words, c->name);
}

int pb_args_read(pb_args *a, const pb_command *c, int argc, char **argv)
{
    *a = (pb_args){.word = argv, .db = "results/peftbench.db", .seed = -1};
    for (int i = 0; i < argc; i++) {
        if ((!strncmp(argv[i], "--", 2) && argv[i][2]) || !strcmp(argv[i], "-o")) {
            if (read_flag(a, c, argc, argv, &i))
                return -1;
        } else if (a->words < c->most) {
            a->word[a->words++] = argv[i]; /* not behind the place that is read */
        } else {
            return wrong_usage(c);
        }
    }
    return a->words < c->least ? wrong_usage(c) : 0;
}

void pb_args_help(const pb_command *c, FILE *out)
{
    fprintf(out, "peftbench %s%s%s: %s\n", c->name, *c->words ? " " : "", c->words, c->help);
    if (c->alias)
        fprintf(out, "The command is also called `peftbench %s`.\n", c->alias);
    for (size_t i = 0; i < PB_COUNT(flags); i++) {
        if (!takes(c, flags[i].name))
            continue;
        char left[40];
        snprintf(left, sizeof left, "--%s%s%s", flags[i].name, flags[i].value ? " " : "",
                 flags[i].value ? flags[i].value : "");
        fprintf(out, "  %-18s %s\n", left, flags[i].help);
    }
}

int pb_run_context_open(pb_run_context *d, const pb_args *a)
{
    *d = (pb_run_context){.experiment = pb_experiment_read(a->word[0], a->set)};
    if (d->experiment && !pb_bench_open(&d->bench, d->experiment, a->db) && (d->store = pb_store_read(a->db)))
        return 0;
    pb_run_context_close(d);
    return -1;
}

int pb_run_context_close(pb_run_context *d)
{
    int rc = pb_store_close(d->store);
    pb_bench_close(&d->bench);
    pb_experiment_free(d->experiment);
    return rc;
}
