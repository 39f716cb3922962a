/* fixture: the testbed of src/verify on the tiny BERT of tests/golden, whose biases and norms are random, and the batch of
 * its golden values.  An error ends the program. */
#ifndef PB_TESTS_FIXTURE_H
#define PB_TESTS_FIXTURE_H

#include "test.h"

#include <math.h>
#include <stdlib.h>

#include "verify/testbed.h"

#define TINY "tests/golden/tiny-bert"

typedef pb_testbed fixture;

static inline void fixture_method(pb_attached *part, const char *text)
{
    int parts;
    if (pb_attached_parse(text, part, &parts))
        PB_BUG("%s", pb_error_text());
}

static inline fixture fixture_open(const char *spec, int classes, uint64_t seed)
{
    fixture r;
    if (pb_testbed_open(&r, TINY, false, spec, classes, seed))
        PB_BUG("%s", pb_error_text());
    return r;
}

static inline void fixture_close(fixture *r)
{
    pb_testbed_close(r);
}

static inline void fixture_forward(fixture *r, const pb_batch *batch, bool training, double dropout)
{
    if (pb_testbed_forward(r, batch, training, dropout))
        PB_BUG("%s", pb_error_text());
}

static inline void fixture_stir(fixture *r, double scale)
{
    pb_testbed_perturb(r, scale);
}

static inline double fixture_gradient(const pb_param *p, size_t i)
{
    return pb_testbed_gradient(p, i);
}

/* The parameter of this full name, such as "layer.0.attn.q.lora.A". */
static inline pb_param *fixture_param(const fixture *r, const char *name)
{
    pb_param *p = pb_model_find(r->model, name);
    if (!p)
        PB_BUG("no parameter '%s'", name);
    return p;
}

/* The outputs of a batch; *n is their number.  The caller frees them. */
static inline double *fixture_logits(fixture *r, const pb_batch *batch, size_t *n)
{
    fixture_forward(r, batch, false, 0);
    const pb_node *y = pb_graph_output(r->graph);
    *n = (size_t)y->rows * (size_t)y->cols;
    double *out = pb_alloc(*n * sizeof *out);
    for (size_t i = 0; i < *n; i++)
        out[i] = (double)y->x[i];
    return out;
}

/* The largest difference of the outputs of two models; infinity if they have different numbers. */
static inline double fixture_apart(fixture *a, fixture *b, const pb_batch *batch)
{
    size_t n, m;
    double *x = fixture_logits(a, batch, &n), *y = fixture_logits(b, batch, &m), off = n == m ? 0 : INFINITY;
    for (size_t i = 0; i < n && n == m; i++)
        off = fmax(off, fabs(x[i] - y[i]));
    free(x);
    free(y);
    return off;
}

/* Five ragged sequences of the golden's lengths. */
static const int fixture_ids[] = {2,   179, 192, 185, 191, 194, 3,   2,   205, 198, 88, 197, 199, 59,  183, 189,
                                  201, 5,   60,  5,   242, 90,  3,   2,   207, 208, 77, 3,   2,   225, 226, 227,
                                  92,  186, 187, 5,   219, 181, 179, 222, 223, 211, 3,  2,   206, 3};
static const int fixture_offset[] = {0, 7, 23, 28, 43, 46};
static const int fixture_label[] = {2, 0, 0, 1, 2};
static const pb_batch fixture_batch = {
    .sequences = 5, .offset = fixture_offset, .ids = fixture_ids, .label = fixture_label};

#endif
