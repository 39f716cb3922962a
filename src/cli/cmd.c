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

#define PLUGIN_OF_RUN                                                                                                  \
    "load this FILE.so, or the plugins that this EXPERIMENT.ini names, if the SHA-256 is that of a plugin of the run " \
    "(may be repeated)"

static const flag flags[] = {
    {"db", "FILE", "results database (default: " PB_DEFAULT_DB ")", AT(db), TEXT},
    {"set", "KEY=VALUE", "override a setting, such as train.lr=1e-3 or lora.rank=4 (may be repeated)", 0, SET},
    {"plugin", "FILE", "load this FILE.so, or the plugins that this EXPERIMENT.ini names (may be repeated)", 0, PLUGIN},
    {"jobs", "N", "run N cells in parallel, which share the threads", AT(jobs), NUMBER},
    {"threads", "N", "total number of threads (default: one for each available core)", AT(threads), NUMBER},
    {"tokens", "N", "plan for texts of N tokens, without reading the task's data", AT(tokens), NUMBER},
    {"rank", "K", "write a LoRA adapter of rank K that approximates what the method changes", AT(rank), NUMBER},
    {"seed", "N", "seed of the random numbers (default: 0)", AT(seed), SEED},
    {"task", "NAME", "only this one of the experiment's tasks", AT(task), TEXT},
    {"per-task", NULL, "of an experiment with several tasks, print the table of each", AT(per_task), SWITCH},
    {"row", "LABEL", "row that predicts (default: the baseline)", AT(row), TEXT},
    {"out", "PATH", "output folder", AT(out), TEXT},
    {"json", NULL, "print one JSON object per line", AT(json), SWITCH},
    {"markdown", NULL, "print Markdown: of `list`, docs/methods.md", AT(markdown), SWITCH},
    {"format", "NAME", "text, markdown, latex, csv or json (default: text)", AT(format), TEXT},
    {"figure", "NAME", "draw only this figure", AT(figure), TEXT},
    {"width", "column|page|CM", "width of the figures: 8.5 cm, 17.5 cm (the default) or a number of cm", AT(width),
     TEXT},
    {"font", "NAME,PT", "font and its size in points (default: Helvetica, 8 in a column, 9 in wider figures)", AT(font),
     TEXT},
    {"quiet", NULL, "do not print progress", AT(quiet), SWITCH},
    {"model", "PATH", "model: a Hugging Face folder, a GGUF file or a llama2.c file", AT(model), TEXT},
    {"adapter", "FOLDER", "PEFT adapter to attach to the model", AT(adapter), TEXT},
    {"merged", NULL, "merge the adapter into the weights", AT(merged), SWITCH},
    {"ids", NULL, "each line of stdin is a JSON array of token ids instead of a text", AT(ids), SWITCH},
    {"pairs", NULL, "each line of stdin is a pair of texts with a tab between them", AT(pairs), SWITCH},
    {"plain", NULL, "omit special tokens", AT(plain), SWITCH},
    {"decode", NULL, "convert token ids to text", AT(decode), SWITCH},
    {"precision", "NAME", "store the frozen base weights in fp32, bf16, int8 or nf4", AT(precision), TEXT},
    {"force", NULL, "accept an adapter that was trained on other weights", AT(force), SWITCH},
    {"partial", NULL, "choose a row's setting even if some of its runs are not finished", AT(partial), SWITCH},
    {"no-timing", NULL, "skip the timing pass, or show no times", AT(no_timing), SWITCH},
    {"retry", NULL, "repeat timings and measurements of retention that failed", AT(retry), SWITCH},
    {"max-new", "N", "maximum number of generated tokens (default: 64)", 0, OPTION},
    {"sample", NULL, "sample tokens instead of choosing the most likely one", 0, STRATEGY},
    {"temperature", "X", "temperature of sampling (default: 1)", 0, OPTION},
    {"top-k", "K", "sample from the K most likely tokens", 0, OPTION},
    {"top-p", "P", "sample from the smallest set of tokens with total probability P", 0, OPTION},
    {"beams", "N", "beam search with N beams", 0, OPTION},
    {"length-penalty", "X", "rank beams by log-probability / length^X (default: 1)", 0, OPTION},
    {"no-repeat", "N", "no n-gram of N tokens occurs twice (no_repeat_ngram_size); 0 disables it", 0, OPTION},
    {"repetition-penalty", "X", "penalty for tokens that already occur (default: 1)", 0, OPTION},
    {"stop", "TEXT", "stop at this text; alternatives are separated by |: \"\\n|Text:\"", 0, OPTION},
    {"slots", "N", "number of texts that are decoded in parallel (default: 8)", 0, OPTION},
    {"margin", "X[,Y[,Z]]",
     "equivalence margins of the score (0.01, or 1 on a scale to 100), of times (0.05) and of the trajectory (1e-4)",
     AT(margin), TEXT},
    {"axes", "KEYS", "axes of the comparison, such as accuracy.test.accuracy,storage.stored", AT(axes), TEXT},
    {"memory", "BYTES", "most memory of training (memory.train.total), such as 200M", AT(memory), TEXT},
    {"storage", "BYTES", "largest file of the trained parameters (storage.artifact_bytes), such as 1M", AT(storage),
     TEXT},
    {"overhead", "X", "largest ratio of the time of a forward pass to the base's, such as 1.05", AT(overhead), TEXT},
    {"flops", "N", "most FLOPs of training (compute.train_flops), such as 2T", AT(flops), TEXT},
    {"columns", "KEYS", "print these settings or values as columns, such as lora.rank,storage.rank", AT(columns), TEXT},
    {"sort", "KEY", "order the rows by this value, the best first", AT(sort), TEXT},
    {"brief", NULL, "leave out what only the repetition of a run is compared with", AT(brief), SWITCH},
    {"any-version", NULL, "also show runs that another version of the code made", AT(any_version), SWITCH},
    {"methods", "LIST",
     "rows of the plan, as in an experiment's `methods`; qlora: lora at all projections, base in nf4", AT(methods),
     TEXT},
    {"device", "MEMORY", "plan for a GPU with this memory, such as 24G or 80G", AT(device), TEXT},
    {"batch", "N", "texts in a step (default: 1)", 0, OPTION},
    {"length", "N", "tokens of each text (default: 512)", 0, OPTION},
    {"master", "yes|no", "keep a copy in 32 bits of weights that train in 16 bits (default: yes)", 0, OPTION},
    {"optimizer", "NAME", "adamw, adamw8bit, adafactor, lion, momentum or sgd (default: adamw)", 0, OPTION},
    {"moments", "NAME", "precision of the optimizer's moments: fp32, or same as the weights (default: fp32)", 0,
     OPTION},
    {"adapters", "NAME", "precision of the methods' tensors: fp32, or same as the computation (default: fp32)", 0,
     OPTION},
    {"checkpoint", "yes|no", "gradient checkpointing (default: no)", 0, OPTION},
    {"peak", "X", "TFLOP/s that the GPU reaches at most (default: 312)", 0, OPTION},
    {"utilization", "X", "share of the peak that training reaches (default: 0.4)", 0, OPTION},
    {"train-tokens", "N", "tokens of the whole training, for the hours (default: 1e7)", 0, OPTION},
    {"method", "NAME", "check only rows whose label contains NAME", AT(method), TEXT},
    {"declare", "LIST", "rows and exact numbers that are expected to change, such as check/lora,storage.trainable",
     AT(declare), TEXT},
    {"times", NULL, "also judge times", AT(times), SWITCH},
    {"chat", "FORMAT", "each line is a message to an assistant, by a chat template; auto: that of the model", AT(chat),
     TEXT},
    {"system", "TEXT", "system message of --chat", AT(system), TEXT},
};

/* What an option means to one command, if that differs from the common text. */
static const struct meaning {
    const char *command, *option, *help;
} meanings[] = {
    {"check", "out", "also write the result to this file, as JUnit XML"},
    {"claims", "out", "write the page to this file"},
    {"claims", "any-version", "use runs that another version of the code made where this one has none"},
    {"report", "out", "the page's file (default: plots/EXPERIMENT/report.html)"},
    {"plot", "format", "svg, pdf, png or tex, or several with commas between (default: svg,pdf)"},
    {"plot", "out", "output folder (default: plots/EXPERIMENT)"},
    {"fetch", "out", "output folder or file (default: models/NAME or data/NAME)"},
    {"predict", "seed", "seed of the run that predicts (default: the first that was scored on test)"},
    {"pareto", "seed", "seed of the bootstrap (default: 0)"},
    {"pretrain", "set", "override a setting, such as pretrain.lr=1e-3 (may be repeated)"},
    {"tokenize", "json", "each line of stdin is a JSON string instead of a text"},
    {"plan", "precision", "precision of the computation on the GPU: fp32, bf16 or fp16 (default: bf16)"},
    {"plan", "model", "plan for this model on a GPU: a folder with config.json, or the name of one in models/shapes"},
    {"export", "merged", "write a complete model, with the method merged into the weights"},
    {"export", "model", "path of the base model, if it is no longer where it was"},
    {"export", "plugin", PLUGIN_OF_RUN},
    {"recommend", "merged", "judge the time of the merged model where the method merges"},
    {"recommend", "seed", "seed of the bootstrap (default: 0)"},
    {"reproduce", "plugin", PLUGIN_OF_RUN},
    {"compare", "margin", "equivalence margins of the score (0.01, or 1 on a scale to 100) and of times (0.05)"},
};

static const char *meaning(const pb_command *c, const flag *f)
{
    for (size_t i = 0; i < PB_COUNT(meanings); i++)
        if (!strcmp(meanings[i].command, c->name) && !strcmp(meanings[i].option, f->name))
            return meanings[i].help;
    return f->help;
}

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
    return pb_error("%s: unknown option %s%s%s%s; see `peftbench %s --help`", c->name, given,
                    near ? "; did you mean --" : "", near ? near : "", near ? "?" : "", c->name);
}

static int set_number(const flag *f, const char *value, long long least, long long *out)
{
    char *end;
    PB_CHECK(value); /* the table says that a number has a value */
    *out = strtoll(value, &end, 10);
    if (end == value || *end || *out < least || *out > 1000000000)
        return pb_error("--%s: want an integer of at least %lld, got '%s'", f->name, least, value);
    return 0;
}

/* If an option is given twice, the last value counts. */
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
            return pb_error("--plugin: want at most %zu plugins", PB_COUNT(a->plugin));
        a->plugin[a->plugins++] = value;
        return 0;
    case SET:
        if (a->sets + 1 >= (int)PB_COUNT(a->set))
            return pb_error("--set: want at most %zu settings", PB_COUNT(a->set) - 1);
        a->set[a->sets++] = value;
        return 0;
    }
    PB_BUG("flag %s", f->name);
}

/* Reads --name value, --name=value or --name, and -o for --out; *i advances past a separate value. */
static int read_flag(pb_args *a, const pb_command *c, int argc, char **argv, int *i)
{
    const char *name = strcmp(argv[*i], "-o") ? argv[*i] + 2 : "out", *equals = strchr(name, '=');
    const flag *f = find(c, name, equals ? (size_t)(equals - name) : strlen(name));
    if (!f)
        return unknown(c, argv[*i]);
    if (!f->value)
        return equals ? pb_error("--%s takes no value", f->name) : set_flag(a, f, NULL);
    if (!equals && *i + 1 >= argc)
        return pb_error("--%s: want %s after it", f->name, f->value);
    return set_flag(a, f, equals ? equals + 1 : argv[++*i]);
}

static int wrong_usage(const pb_command *c)
{
    return pb_error("usage: peftbench %s %s; see `peftbench %s --help`", c->name, c->words, c->name);
}

int pb_args_read(pb_args *a, const pb_command *c, int argc, char **argv)
{
    *a = (pb_args){.word = argv, .db = PB_DEFAULT_DB, .seed = -1};
    for (int i = 0; i < argc; i++) {
        if ((!strncmp(argv[i], "--", 2) && argv[i][2]) || !strcmp(argv[i], "-o")) {
            if (read_flag(a, c, argc, argv, &i))
                return -1;
        } else if (a->words < c->most) {
            a->word[a->words++] = argv[i]; /* never beyond the argument that is being read */
        } else {
            return wrong_usage(c);
        }
    }
    return a->words < c->least ? wrong_usage(c) : 0;
}

const char *pb_args_option(const pb_command *c, size_t i, const char **value, const char **help)
{
    for (size_t k = 0; k < PB_COUNT(flags); k++) {
        if (!takes(c, flags[k].name) || i--)
            continue;
        *value = flags[k].value;
        *help = meaning(c, &flags[k]);
        return flags[k].name;
    }
    return NULL;
}

void pb_args_help(const pb_command *c, FILE *out)
{
    const char *name, *value, *help;
    fprintf(out, "peftbench %s%s%s: %s", c->name, *c->words ? " " : "", c->words, c->help);
    if (c->alias)
        fprintf(out, "\nThe command is also called `peftbench %s`.\n", c->alias);
    if (*c->options)
        fputc('\n', out);
    for (size_t i = 0; (name = pb_args_option(c, i, &value, &help)); i++) {
        char left[40];
        snprintf(left, sizeof left, "--%s%s%s", name, value ? " " : "", value ? value : "");
        fprintf(out, "  %-22s %s\n", left, help);
    }
}

/* Opens the context of a task whose experiment is set. */
static int open_context(pb_run_context *d, const char *db)
{
    return pb_bench_open(&d->bench, d->experiment, db) || !(d->store = pb_store_read(db)) ? -1 : 0;
}

int pb_run_contexts_open(pb_run_contexts *x, const pb_args *a, bool one)
{
    pb_experiments all;
    *x = (pb_run_contexts){.tasks = 0};
    if (pb_experiments_read(&all, a->word[0], a->set, a->task))
        return -1;
    if (one && pb_experiments_check_one(&all)) {
        pb_experiments_free(&all);
        return -1;
    }
    *x = (pb_run_contexts){.task = pb_alloc((size_t)all.tasks * sizeof *x->task), .tasks = all.tasks, .name = all.name};
    int rc = 0;
    for (int i = 0; i < x->tasks; i++)
        x->task[i].experiment = all.task[i];
    free(all.task);
    for (int i = 0; i < x->tasks && !rc; i++)
        rc = open_context(&x->task[i], a->db);
    if (rc)
        pb_run_contexts_close(x);
    return rc;
}

int pb_run_contexts_close(pb_run_contexts *x)
{
    int rc = 0;
    for (int i = 0; i < x->tasks; i++) {
        rc = pb_store_close(x->task[i].store) || rc ? -1 : 0;
        pb_bench_close(&x->task[i].bench);
        pb_experiment_free(x->task[i].experiment);
    }
    free(x->task);
    free(x->name);
    *x = (pb_run_contexts){.tasks = 0};
    return rc;
}
