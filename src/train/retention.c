/* retention: see retention.h. */
#include "train/retention.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "model/apply.h"
#include "numeric/similarity.h"

enum { BATCH = 1024 }; /* tokens that are run together, if a window has no more */

const pb_option pb_retention_table[] = {
    PB_OPTION(pb_retention_options, text, TEXT, "retention/general.txt",
              "a file with a text on each line that is not the task's; looked for in the experiment's folder, in data/ "
              "and in $PEFTBENCH_DATA"),
    PB_OPTION(pb_retention_options, limit, INT, "0", 0, 1 << 30,
              "number of its texts that are used, the first; 0: all"),
    PB_OPTION(pb_retention_options, tokens, INT, "128", 8, 1 << 20,
              "tokens that a model reads at once; longer texts are read in several windows"),
    {0},
};

/* ---- the texts ---------------------------------------------------------------------------------------------- */

static int check_utf8(const char *path, int line, const char *text)
{
    for (size_t n = strlen(text), used; n; text += used, n -= used) {
        int32_t c;
        used = pb_utf8_next(text, n, &c);
        if (c == 0xFFFD && used == 1)
            return pb_error("%s:%d: a byte that is not UTF-8: 0x%02x; want a text in UTF-8", path, line,
                            (unsigned char)*text);
    }
    return 0;
}

/* Adds the lines of the content that have text. */
static int split_lines(pb_retention_text *t, size_t size)
{
    size_t capacity = 0;
    char *at = t->content, *end = at + size;
    for (int line = 1; at < end; line++) {
        char *newline = memchr(at, '\n', (size_t)(end - at)), *next = newline ? newline + 1 : end;
        if (newline)
            *newline = 0;
        if (memchr(at, 0, (size_t)(next - at) - (newline != NULL)))
            return pb_error("%s:%d: a byte 0; want a text in UTF-8", t->path, line);
        size_t n = strlen(at);
        if (n && at[n - 1] == '\r')
            at[n - 1] = 0;
        if (at[strspn(at, " \t")]) {
            if (check_utf8(t->path, line, at))
                return -1;
            pb_grow(&t->text, (size_t)t->texts, &capacity, sizeof *t->text);
            t->text[t->texts++] = at;
        }
        at = next;
    }
    return t->texts ? 0 : pb_error("%s:1: no text; want a text on each line", t->path);
}

pb_retention_text *pb_retention_text_read(const char *path, const pb_retention_options *o)
{
    pb_retention_text *t = pb_alloc(sizeof *t);
    size_t size;
    t->path = pb_strdup(path);
    t->tokens = o->tokens;
    t->content = pb_read_file(path, &size);
    pb_digest digest = pb_sha256(t->content ? t->content : "", t->content ? size : 0);
    if (!t->content || split_lines(t, size)) {
        pb_retention_text_free(t);
        return NULL;
    }
    t->texts = o->limit && o->limit < t->texts ? o->limit : t->texts;
    t->identity = pb_format("%s texts=%d tokens=%d", digest.hex, t->texts, t->tokens);
    return t;
}

void pb_retention_text_free(pb_retention_text *t)
{
    if (!t)
        return;
    free(t->path);
    free(t->content);
    free(t->text);
    free(t->identity);
    free(t);
}

/* ---- windows ------------------------------------------------------------------------------------------------ */

/* What the models read at once; the lists are of equal length. */
typedef struct window {
    pb_ids ids;    /* the tokens                                                        */
    pb_ids masked; /* of an encoder: the same with masks; empty for a decoder           */
    pb_ids target; /* the token to predict at each position, -1: none                   */
    pb_ids text;   /* of an encoder: not -1 at the tokens of the text; else empty       */
} window;

typedef struct windows {
    window *list;
    size_t count, capacity;
    double bytes, targets;
} windows;

static window *add_window(windows *w)
{
    pb_grow(&w->list, w->count, &w->capacity, sizeof *w->list);
    w->list[w->count] = (window){.ids = {0}};
    return &w->list[w->count++];
}

static void free_windows(windows *w)
{
    for (size_t i = 0; i < w->count; i++) {
        pb_ids_free(&w->list[i].ids);
        pb_ids_free(&w->list[i].masked);
        pb_ids_free(&w->list[i].target);
        pb_ids_free(&w->list[i].text);
    }
    free(w->list);
}

/* A text without special tokens, and those that the tokenizer puts in front of it and behind it. */
typedef struct encoding {
    pb_ids plain, all;
    size_t front; /* tokens of `all` in front of the text */
} encoding;

static int encode(const pb_tokenizer *t, const char *text, encoding *e)
{
    *e = (encoding){.front = 0};
    if (pb_tokenizer_encode(t, text, strlen(text), false, 0, &e->plain) ||
        pb_tokenizer_encode(t, text, strlen(text), true, 0, &e->all))
        return -1;
    size_t n = e->plain.count;
    while (e->front + n <= e->all.count && n && memcmp(e->all.id + e->front, e->plain.id, n * sizeof *e->plain.id) != 0)
        e->front++;
    return n && e->front + n <= e->all.count
               ? 0
               : pb_error("the tokenizer finds no tokens in the text '%.40s'%s", text, strlen(text) > 40 ? ".." : "");
}

/* The token in front of a decoder's text: that of the tokenizer, or the one that ends texts in pretraining. */
static int first_token(const pb_model *m, const encoding *e)
{
    return e->front ? e->all.id[e->front - 1] : pb_model_config(m)->end[0];
}

/* Windows of at most `most` tokens that predict each token once, as lm-evaluation-harness makes them with a context of
 * one token: the last one begins so much earlier that it is full. */
static int add_rolling(const pb_model *m, const encoding *e, size_t most, windows *w)
{
    size_t n = e->plain.count;
    int first = first_token(m, e);
    if (first < 0)
        return pb_error("%s: neither the tokenizer nor config.json has a token that begins or ends a text",
                        pb_model_dir(m));
    for (size_t done = 0; done < n;) {
        size_t end = n - done < most ? n : done + most, from = done ? end - most : 0;
        window *one = add_window(w);
        for (size_t i = from; i < end; i++) {
            pb_ids_add(&one->ids, i ? e->plain.id[i - 1] : first);
            pb_ids_add(&one->target, i < done ? -1 : e->plain.id[i]);
        }
        w->targets += (double)(end - done);
        done = end;
    }
    return 0;
}

/* The id of the mask token; -1: there is none. */
static int mask_token(const pb_tokenizer *t)
{
    int id = pb_tokenizer_id(t, "[MASK]");
    return id < 0 ? pb_tokenizer_id(t, "<mask>") : id;
}

static void add_masked(const encoding *e, size_t from, size_t n, int mask, windows *w)
{
    enum { EVERY = 7, FIRST = 3 };
    window *one = add_window(w);
    size_t special = e->all.count - e->plain.count;
    for (size_t i = 0; i < n + special; i++) {
        bool text = i >= e->front && i < e->front + n, hidden = text && (i - e->front) % EVERY == FIRST && mask >= 0;
        size_t behind = e->front + e->plain.count + i - e->front - n; /* of `all`, for tokens behind the text */
        int id = text ? e->plain.id[from + i - e->front] : e->all.id[i < e->front ? i : behind];
        pb_ids_add(&one->ids, id);
        pb_ids_add(&one->masked, hidden ? mask : id);
        pb_ids_add(&one->target, hidden ? id : -1);
        pb_ids_add(&one->text, text ? id : -1);
        w->targets += hidden;
    }
}

/* Disjoint pieces with special tokens around each. */
static int add_pieces(const pb_tokenizer *t, const encoding *e, size_t most, windows *w)
{
    size_t special = e->all.count - e->plain.count, n = e->plain.count;
    if (special + 1 > most)
        return pb_error("tokens: want more than the tokenizer's %zu special tokens, got %zu", special, most);
    for (size_t from = 0, size; from < n; from += size) {
        size = n - from < most - special ? n - from : most - special;
        add_masked(e, from, size, mask_token(t), w);
    }
    return 0;
}

static int add_text(const pb_model *m, const char *text, size_t most, windows *w)
{
    encoding e;
    const pb_tokenizer *t = pb_model_tokenizer(m);
    int rc = encode(t, text, &e);
    if (!rc)
        rc = pb_model_is_causal(m) ? add_rolling(m, &e, most, w) : add_pieces(t, &e, most, w);
    w->bytes += (double)strlen(text);
    pb_ids_free(&e.plain);
    pb_ids_free(&e.all);
    return rc;
}

static int make_windows(const pb_model *m, const pb_retention_text *t, windows *w)
{
    int rc = pb_model_want_tokenizer(m) ? 0 : -1;
    for (int i = 0; i < t->texts && !rc; i++)
        rc = add_text(m, t->text[i], (size_t)t->tokens, w);
    return rc ? pb_error_prefix("%s", t->path) : 0;
}

/* ---- batches ------------------------------------------------------------------------------------------------ */

/* Both models, and the batch that they read. */
typedef struct comparison {
    pb_apply *apply[2]; /* of the base and of the tuned model */
    const windows *windows;
    const pb_node *output[2];
    int *offset, *ids, *target;
    int sequences;
    pb_retention *out;
    pb_real *state[2]; /* [states, width] */
    size_t states, width[2], capacity[2];
} comparison;

static void add_ids(int *out, size_t at, const pb_ids *ids)
{
    memcpy(out + at, ids->id, ids->count * sizeof *out);
}

/* Runs both models over windows from .. to-1; with `states`, to their hidden states. */
static int run_both(comparison *c, size_t from, size_t to, bool states)
{
    size_t n = 0;
    c->sequences = (int)(to - from);
    for (size_t i = from; i < to; i++) {
        const window *w = &c->windows->list[i];
        add_ids(c->ids, n, states || !w->masked.count ? &w->ids : &w->masked);
        add_ids(c->target, n, states && w->text.count ? &w->text : &w->target);
        n += w->ids.count;
        c->offset[i - from + 1] = (int)n;
    }
    const pb_batch batch = {
        .sequences = c->sequences, .offset = c->offset, .ids = c->ids, .target = c->target, .states = states};
    for (int k = 0; k < 2; k++)
        if (!(c->output[k] = pb_apply_run(c->apply[k], &batch)) || pb_apply_check(c->output[k]))
            return -1;
    return 0;
}

/* KL(base || tuned) of one row of logits [vocabulary], in nats; `sum` has the logarithms of their normalizing sums. */
static double divergence(const pb_real *base, const pb_real *tuned, const double sum[2], int vocabulary)
{
    double kl = 0;
    for (int v = 0; v < vocabulary; v++) {
        double p = (double)base[v] - sum[0];
        kl += exp(p) * (p - ((double)tuned[v] - sum[1]));
    }
    return kl;
}

/* Adds the losses, in nats, and the divergences of all rows of the batch that has been run last. */
static void add_predictions(comparison *c)
{
    int row = 0, vocabulary = c->output[0]->cols;
    for (int i = 0; i < c->offset[c->sequences]; i++) {
        if (c->target[i] < 0)
            continue;
        size_t at = (size_t)row++ * (size_t)vocabulary;
        const pb_real *logits[] = {c->output[0]->x + at, c->output[1]->x + at};
        double sum[2];
        for (int k = 0; k < 2; k++) {
            sum[k] = pb_log_sum_exp((size_t)vocabulary, logits[k]);
            c->out->loss[k] += sum[k] - (double)logits[k][c->target[i]];
        }
        c->out->drift += divergence(logits[0], logits[1], sum, vocabulary);
    }
}

static void add_states(comparison *c)
{
    size_t rows = (size_t)c->output[0]->rows;
    for (int k = 0; k < 2; k++) {
        size_t width = (size_t)c->output[k]->cols, need = (c->states + rows) * width;
        c->width[k] = width;
        if (need > c->capacity[k]) {
            c->capacity[k] = 2 * need;
            c->state[k] = pb_realloc(c->state[k], c->capacity[k] * sizeof *c->state[k]);
        }
        PB_CHECK(c->state[k]);
        memcpy(c->state[k] + c->states * width, c->output[k]->x, rows * width * sizeof *c->state[k]);
    }
    c->states += rows;
}

static bool predicts_tokens(const pb_model *m)
{
    return pb_model_head(m) == PB_HEAD_CAUSAL || pb_model_head(m) == PB_HEAD_MASKED;
}

static bool has_target(const comparison *c, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        for (size_t k = 0; k < c->windows->list[i].target.count; k++)
            if (c->windows->list[i].target.id[k] >= 0)
                return true;
    return false;
}

static int run_windows(comparison *c, bool predictions, bool states)
{
    const windows *w = c->windows;
    int rc = 0;
    for (size_t from = 0, to; from < w->count && !rc; from = to) {
        size_t tokens = w->list[from].ids.count;
        for (to = from + 1; to < w->count && tokens + w->list[to].ids.count <= BATCH; to++)
            tokens += w->list[to].ids.count;
        if (predictions && has_target(c, from, to)) {
            rc = run_both(c, from, to, false);
            if (!rc)
                add_predictions(c);
        }
        if (states && !rc) {
            rc = run_both(c, from, to, true);
            if (!rc)
                add_states(c);
        }
    }
    return rc;
}

static int measure(comparison *c, bool causal, bool predictions, bool states)
{
    pb_retention *out = c->out;
    *out = (pb_retention){.cka = NAN};
    if (run_windows(c, predictions, states))
        return -1;
    for (int k = 0; k < 2; k++)
        out->loss[k] = predictions ? out->loss[k] / log(2) / (causal ? c->windows->bytes : c->windows->targets) : NAN;
    out->drift = predictions ? out->drift / c->windows->targets : NAN;
    if (states)
        out->cka = pb_linear_cka((int)c->states, c->state[0], (int)c->width[0], c->state[1], (int)c->width[1]);
    return 0;
}

static int check_room(const pb_model *m, const pb_retention_text *t)
{
    int most = pb_model_max_tokens(m);
    return t->tokens <= most ? 0
                             : pb_error("[retention] tokens: want at most %d, the room in the context of %s, got %d",
                                        most, pb_model_dir(m), t->tokens);
}

int pb_retention_measure(pb_model *base, pb_model *tuned, const pb_retention_text *t, bool states, pb_retention *out)
{
    windows w = {.list = NULL};
    int rc = check_room(base, t) || check_room(tuned, t) || make_windows(base, t, &w) ? -1 : 0;
    size_t tokens = (size_t)(t->tokens > BATCH ? t->tokens : BATCH);
    comparison c = {.apply = {pb_apply_new(base), pb_apply_new(tuned)}, .windows = &w, .out = out};
    c.offset = pb_alloc((w.count + 1) * sizeof *c.offset);
    c.ids = pb_alloc(tokens * sizeof *c.ids);
    c.target = pb_alloc(tokens * sizeof *c.target);
    if (!rc)
        rc = measure(&c, pb_model_is_causal(base), predicts_tokens(base) && w.targets > 0, states);
    for (int k = 0; k < 2; k++) {
        pb_apply_free(c.apply[k]);
        free(c.state[k]);
    }
    free(c.offset);
    free(c.ids);
    free(c.target);
    free_windows(&w);
    return rc;
}
