/* cmd_pretrain: pretrains a base model on text. */
#include <glob.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/threads.h"
#include "numeric/blas.h"
#include "cli/model_card.h"
#include "cli/cmd.h"
#include "experiment/ini_file.h"

#define MOST_SOURCES 32

static const pb_option source_table[] = {
    PB_OPTION(pb_source, file, TEXT, "",
              "file with one document per line; it is also searched for in data/ and $PEFTBENCH_DATA"),
    PB_OPTION(pb_source, heldout, TEXT, "", "file of held-out documents, which are not trained on; empty: none"),
    PB_OPTION(pb_source, licence, TEXT, "", "licence of the text"),
    PB_OPTION(pb_source, repeat, INT, "1", 1, 1000, "number of times that each document occurs in an epoch"),
    {0},
};

typedef struct job {
    const char *path;
    pb_pretrain_options options;
    pb_network_shape shape;
    pb_corpus corpus;
    pb_source source[MOST_SOURCES];
    pb_decontamination *exclude;
    double begun, share_begun, drawn; /* of this process */
    bool quiet, terminal;
} job;

/* ---- the file ----------------------------------------------------------------------------------------- */

static int find_file(const char **file)
{
    char *found = **file ? pb_data_find(NULL, *file) : pb_strdup("");
    if (!found)
        return -1;
    free((char *)(uintptr_t)*file);
    *file = found;
    return 0;
}

static int read_source(job *j, pb_ini *ini, const pb_entry *opening)
{
    if (j->corpus.sources == MOST_SOURCES) {
        pb_error("more than %d texts", MOST_SOURCES);
        return pb_ini_blame(opening);
    }
    pb_source *s = &j->source[j->corpus.sources++];
    pb_option_defaults(source_table, s);
    s->name = pb_strdup(opening->section + strlen("text "));
    if (pb_ini_fill(ini, opening->section, source_table, s))
        return -1;
    if (!*s->file)
        pb_error("file: want the file of the text");
    return !*s->file || find_file(&s->file) || find_file(&s->heldout) ? pb_ini_blame(opening) : 0;
}

static int read_sources(job *j, pb_ini *ini)
{
    for (size_t i = 0; i < ini->entries; i++)
        if (!ini->entry[i].key && !strncmp(ini->entry[i].section, "text ", 5) && read_source(j, ini, &ini->entry[i]))
            return -1;
    if (!j->corpus.sources)
        return pb_error("%s: no text is given; want a section [text NAME] with file = FILE", j->path);
    for (size_t i = 0; i < ini->entries; i++)
        if (!ini->entry[i].used) {
            static const char *const sections[] = {"pretrain", "network", "text", NULL};
            char *near = pb_did_you_mean(ini->entry[i].section, sections);
            pb_error("unknown section [%s]; want [pretrain], [network] or [text NAME]%s", ini->entry[i].section, near);
            free(near);
            return pb_ini_blame(&ini->entry[i]);
        }
    return 0;
}

/* Refuses the key that files of earlier versions had, and names the present one. */
static int refuse_old_key(const pb_ini *ini)
{
    for (size_t i = 0; i < ini->entries; i++) {
        const pb_entry *e = &ini->entry[i];
        if (!e->key || strcmp(e->section, "network") != 0 || strcmp(e->key, "inner") != 0)
            continue;
        pb_error("no setting 'inner'; it is called intermediate_size");
        return pb_ini_blame(e);
    }
    return 0;
}

static int read_file(job *j, const pb_args *a)
{
    pb_ini *ini = pb_ini_read(j->path);
    int rc = ini ? 0 : -1;
    for (const char *const *set = a->set; *set && !rc; set++)
        rc = pb_ini_set(ini, *set);
    rc = rc || refuse_old_key(ini) || pb_ini_fill(ini, "pretrain", pb_pretrain_table, &j->options) ||
                 pb_ini_fill(ini, "network", pb_network_shape_table, &j->shape) || read_sources(j, ini)
             ? -1
             : 0;
    pb_ini_free(ini);
    if (!rc && !*j->options.output)
        return pb_error("%s: [pretrain] output: want the folder to write", j->path);
    if (!rc && !*j->options.state) {
        const char *slash = strrchr(j->path, '/'), *name = slash ? slash + 1 : j->path;
        free((char *)(uintptr_t)j->options.state);
        j->options.state = pb_format("build/pretrain/%.*s.safetensors", (int)strcspn(name, "."), name);
    }
    return rc;
}

/* ---- decontamination ---------------------------------------------------------------------------------- */

/* Adds the files that match a pattern here, in data/ or in $PEFTBENCH_DATA.  Returns -1 with an error if none does. */
static int exclude_pattern(job *j, const char *pattern)
{
    const char *home = getenv("PEFTBENCH_DATA");
    char *candidate[] = {pb_strdup(pattern), pb_format("data/%s", pattern),
                         home ? pb_format("%s/%s", home, pattern) : NULL};
    glob_t g = {.gl_pathc = 0};
    int rc = 0, flags = 0;
    for (size_t i = 0; i < PB_COUNT(candidate); i++)
        if (candidate[i] && !glob(candidate[i], flags, NULL, &g))
            flags = GLOB_APPEND;
    for (size_t i = 0; i < g.gl_pathc && !rc; i++)
        rc = pb_decontamination_add_file(j->exclude, g.gl_pathv[i]);
    if (!g.gl_pathc)
        rc = pb_error("%s: exclude: no file matches '%s' here, in data/ or in $PEFTBENCH_DATA", j->path, pattern);
    globfree(&g);
    for (size_t i = 0; i < PB_COUNT(candidate); i++)
        free(candidate[i]);
    return rc;
}

static int read_excluded(job *j)
{
    char *list = pb_strdup(j->options.exclude), *rest = NULL;
    int rc = 0;
    j->exclude = pb_decontamination_new();
    for (char *item = strtok_r(list, ", ", &rest); item && !rc; item = strtok_r(NULL, ", ", &rest))
        rc = exclude_pattern(j, item);
    free(list);
    return rc;
}

/* ---- stages --------------------------------------------------------------------------------------------- */

static void say(const job *j, const char *what)
{
    if (!j->quiet)
        fprintf(stderr, "%s\n", what);
}

/* Writes the tokenizer and config.json, unless there is a checkpoint, which implies them. */
static int prepare_folder(job *j)
{
    const pb_pretrain_options *o = &j->options;
    if (pb_file_exists(o->state))
        return 0;
    if (pb_make_dirs(o->output))
        return -1;
    say(j, "tokenizer: counting words");
    pb_bpe_trainer *t = pb_bpe_trainer_new(o->objective == PB_MASKED ? PB_BPE_WORDS : PB_BPE_TEXT);
    char *path = pb_format("%s/tokenizer.json", o->output);
    int entries = pb_corpus_count(&j->corpus, j->exclude, t) ? -1 : pb_bpe_trainer_write(t, o->vocabulary, path);
    int rc = entries < 0 ? -1 : pb_network_config_write(o->output, (pb_objective)o->objective, &j->shape, entries);
    free(path);
    pb_bpe_trainer_free(t);
    return rc;
}

static int read_corpus(job *j)
{
    pb_tokenizer *t = pb_tokenizer_open(j->options.output);
    say(j, "text: to tokens");
    int rc = t ? pb_corpus_encode(&j->corpus, j->exclude, t) : -1;
    pb_tokenizer_close(t);
    for (int i = 0; i < j->corpus.sources && !rc && !j->quiet; i++) {
        const pb_source *s = &j->source[i];
        fprintf(stderr, "text: %s: %zu documents, %zu left out, %.1f MB, %.2f million tokens\n", pb_visible(s->name),
                s->documents, s->contaminated, (double)s->bytes / 1e6, (double)s->tokens / 1e6);
    }
    if (!rc && !j->corpus.train.documents)
        rc = pb_error("%s: the texts contain no training data", j->path);
    return rc;
}

/* ---- progress ------------------------------------------------------------------------------------------- */

static void print_left(const job *j, double share)
{
    double done = share - j->share_begun;
    int left = done > 0 ? (int)((pb_clock() - j->begun) * (1 - share) / done) : 0;
    fprintf(stderr, ", %d:%02d:%02d left", left / 3600, left / 60 % 60, left % 60);
}

static void after_step(void *ctx, double share, double loss)
{
    job *j = ctx;
    if (!j->begun) {
        j->begun = pb_clock();
        j->share_begun = share;
    }
    if (j->quiet || !j->terminal || pb_clock() - j->drawn < 0.5)
        return;
    j->drawn = pb_clock();
    fprintf(stderr, "\r\033[Kpretrain %5.1f %%, loss %.3f", 100 * share, loss);
    print_left(j, share);
}

static void after_point(void *ctx, const pb_pretrain_point *p, double share)
{
    const job *j = ctx;
    if (j->quiet)
        return;
    fprintf(stderr, "%spretrain %5.1f %%, %.1f million tokens, loss %.4f, held-out %.4f, %.0f tokens/s",
            j->terminal ? "\r\033[K" : "", 100 * share, p->tokens / 1e6, p->loss, p->heldout, p->rate);
    print_left(j, share);
    fputc('\n', stderr);
}

static int train(job *j)
{
    pb_pretrained result = {.steps = 0};
    const pb_pretrain_watch watch = {after_step, after_point, j};
    int rc = pb_pretrain(&j->options, &j->corpus, &watch, &result);
    if (!rc)
        rc = pb_model_card_write(j->path, &j->options, &j->shape, &j->corpus, &result);
    if (!rc) {
        printf("%s: %.2f million parameters, held-out perplexity %.3f", j->options.output,
               (double)result.parameters / 1e6, exp(result.heldout));
        printf(result.bits_per_byte > 0 ? ", %.4f bits per byte\n" : "\n", result.bits_per_byte);
    }
    pb_pretrained_free(&result);
    return rc;
}

static void release(job *j)
{
    pb_corpus_free(&j->corpus);
    pb_decontamination_free(j->exclude);
    for (int i = 0; i < j->corpus.sources; i++) {
        pb_option_release(source_table, &j->source[i]);
        free((char *)(uintptr_t)j->source[i].name);
    }
    pb_option_release(pb_pretrain_table, &j->options);
}

static int pretrain(const pb_args *a)
{
    job j = {.path = a->word[0], .quiet = a->quiet, .terminal = isatty(STDERR_FILENO)};
    j.corpus.source = j.source;
    pb_option_defaults(pb_pretrain_table, &j.options);
    pb_option_defaults(pb_network_shape_table, &j.shape);
    pb_threads_start(a->threads);
    int rc = read_file(&j, a) || read_excluded(&j) || prepare_folder(&j) || read_corpus(&j) || train(&j) ? -1 : 0;
    pb_threads_stop();
    release(&j);
    return rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}

const pb_command pb_cmd_pretrain = {
    .name = "pretrain",
    .words = "FILE.ini",
    .least = 1,
    .most = 1,
    .options = "set threads quiet",
    .help = "train a tokenizer and a masked or causal language model on text\n\n"
            "The result is a folder that transformers loads, with a model card.  An interrupted training continues "
            "from its\n"
            "last checkpoint when it is started again; remove the checkpoint to start from the beginning.\n",
    .run = pretrain,
};
