/* golden: reads the values that the scripts of tests/parity have written (make_goldens.py, make_training.py).
 *
 * A golden is text: `ids SEQUENCE id id ...`, perhaps each with `types SEQUENCE type type ...`, `labels l l ...`, then blocks of `KIND NAME ROWS COLS` with their values.
 * The labels are classes of the sequences, or the tokens to predict at all positions, where -1 is none. */
#ifndef PB_TESTS_GOLDEN_H
#define PB_TESTS_GOLDEN_H

#include "test.h"

#include <stdlib.h>

#include "model/model.h"

typedef struct golden {
    char *text, *at;
    int ids[256], type[256], offset[16], label[64], sequences, labels;
    bool typed; /* It has token types. */
} golden;

/* A block; the values are the caller's to free. */
typedef struct golden_tensor {
    char kind[8], name[120];
    int rows, cols;
    double *x;
} golden_tensor;

static inline void golden_ids(golden *g, char *line)
{
    int n = g->offset[g->sequences];
    strsep(&line, " ");
    strsep(&line, " ");
    for (char *word; (word = strsep(&line, " "));)
        g->ids[n++] = atoi(word);
    g->offset[++g->sequences] = n;
}

/* The token types of the last sequence. */
static inline void golden_types(golden *g, char *line)
{
    int n = g->offset[g->sequences - 1];
    strsep(&line, " ");
    strsep(&line, " ");
    for (char *word; (word = strsep(&line, " "));)
        g->type[n++] = atoi(word);
    g->typed = true;
}

static inline void golden_labels(golden *g, char *line)
{
    strsep(&line, " ");
    for (char *word; (word = strsep(&line, " "));)
        g->label[g->labels++] = atoi(word);
}

static inline golden golden_open(const char *path)
{
    golden g = {.sequences = 0};
    g.text = g.at = pb_read_file(path, NULL);
    if (!g.text)
        PB_BUG("%s", pb_error_text());
    while (!strncmp(g.at, "ids ", 4) || !strncmp(g.at, "types ", 6))
        (*g.at == 'i' ? golden_ids : golden_types)(&g, strsep(&g.at, "\n"));
    golden_labels(&g, strsep(&g.at, "\n"));
    return g;
}

static inline void golden_close(golden *g)
{
    free(g->text);
}

static inline pb_batch golden_batch(const golden *g)
{
    pb_batch b = {.sequences = g->sequences, .offset = g->offset, .ids = g->ids};
    b.token_type = g->typed ? g->type : NULL;
    *(g->labels == g->sequences ? &b.label : &b.target) = g->label;
    return b;
}

/* The next block.  Returns false at the end. */
static inline bool golden_next(golden *g, golden_tensor *t)
{
    int used;
    if (!g->at || sscanf(g->at, "%7s %119s %d %d%n", t->kind, t->name, &t->rows, &t->cols, &used) != 4)
        return false;
    g->at += used;
    t->x = pb_alloc((size_t)(t->rows * t->cols) * sizeof *t->x);
    for (int i = 0; i < t->rows * t->cols; i++)
        t->x[i] = strtod(g->at, &g->at);
    g->at += strspn(g->at, "\n");
    return true;
}

/* The largest difference of `got` from the block's values. */
static inline double golden_difference(const golden_tensor *t, const double *got)
{
    double worst = 0;
    for (int i = 0; i < t->rows * t->cols; i++) {
        double d = fabs(t->x[i] - got[i]);
        worst = d <= INFINITY ? fmax(worst, d) : INFINITY;
    }
    return worst;
}

static inline double golden_largest(const golden_tensor *t)
{
    double largest = 0;
    for (int i = 0; i < t->rows * t->cols; i++)
        largest = fmax(largest, fabs(t->x[i]));
    return largest;
}

#endif
