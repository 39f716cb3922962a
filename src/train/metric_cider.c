/* CIDEr-D (Vedantam et al. 2015): the similarity of the n-grams, n = 1..4, of the hypothesis and each reference.  A
 * text is a vector of n-gram counts times inverse document frequencies, where the references of one example are one
 * document.  In the variant D, no n-gram counts more than in the reference, and a difference in length costs by a
 * Gaussian with standard deviation 6.  The metric is ten times the mean over n, references and examples.
 *
 * Equal to coco-caption, which the E2E challenge runs.  Its length is the number of bigrams. */
#include "train/metric_internal.h"

#include <math.h>
#include <stdlib.h>

enum { N = 4, SCORE = 0, EXAMPLES = 1, STATS = 2 };

typedef struct cider {
    pb_grams documents; /* for each n-gram, the number of documents that contain it */
    double count;       /* number of documents */
} cider;

/* Counts each n-gram of an example's references once. */
static void add_document(cider *c, const pb_text_item *item)
{
    pb_pieces *references = pb_cut_each(pb_cut_treebank, item->reference, item->references);
    for (int n = 1; n <= N; n++) {
        pb_grams most = pb_grams_most(references, item->references, n);
        for (int i = 0; i < most.which.count; i++) {
            size_t size;
            const char *gram = pb_interner_text(&most.which, i, &size);
            ++*pb_grams_at(&c->documents, gram, size);
        }
        pb_grams_free(&most);
    }
    pb_pieces_free_each(references, item->references);
    c->count++;
}

static void *start_cider(const pb_text_set *set)
{
    cider *c = pb_alloc(sizeof *c);
    for (int i = 0; i < set->count; i++)
        add_document(c, &set->item[i]);
    return c;
}

static void stop_cider(void *context)
{
    cider *c = context;
    pb_grams_free(&c->documents);
    free(c);
}

/* Returns the weighted n-gram counts of a text, and sets *norm to the norm of this vector. */
static pb_grams vector_of(const cider *c, const pb_pieces *text, int n, double *norm)
{
    pb_grams v = pb_grams_of(text, n);
    *norm = 0;
    for (int i = 0; i < v.which.count; i++) {
        size_t size;
        const char *gram = pb_interner_text(&v.which, i, &size);
        v.number[i] *= log(c->count) - log(fmax(pb_grams_get(&c->documents, gram, size), 1));
        *norm += v.number[i] * v.number[i];
    }
    *norm = sqrt(*norm);
    return v;
}

/* Returns the cosine, where an n-gram of the hypothesis counts at most as much as in the reference. */
static double likeness(const cider *c, const pb_pieces *own, const pb_pieces *reference, int n)
{
    double norm, reference_norm, product = 0;
    pb_grams v = vector_of(c, own, n, &norm), r = vector_of(c, reference, n, &reference_norm);
    for (int i = 0; i < v.which.count; i++) {
        size_t size;
        const char *gram = pb_interner_text(&v.which, i, &size);
        double weight = pb_grams_get(&r, gram, size);
        product += fmin(v.number[i], weight) * weight;
    }
    pb_grams_free(&v);
    pb_grams_free(&r);
    return norm > 0 && reference_norm > 0 ? product / (norm * reference_norm) : product;
}

static void gather_cider(const void *context, const pb_text_item *item, const char *hypothesis, double *stats)
{
    pb_pieces own = pb_cut_treebank(hypothesis);
    pb_pieces *references = pb_cut_each(pb_cut_treebank, item->reference, item->references);
    double sum = 0, sigma = 6;
    for (int k = 0; k < item->references; k++) {
        double longer = pb_rows_of(own.count, 2) - pb_rows_of(references[k].count, 2);
        for (int n = 1; n <= N; n++)
            sum += likeness(context, &own, &references[k], n) * exp(-longer * longer / (2 * sigma * sigma));
    }
    stats[SCORE] = 10 * sum / N / item->references;
    stats[EXAMPLES] = 1;
    pb_pieces_free(&own);
    pb_pieces_free_each(references, item->references);
}

static double value_cider(const double *s)
{
    return s[SCORE] / s[EXAMPLES];
}

const pb_text_metric pb_metric_cider = {
    .name = "cider",
    .title = "CIDEr-D",
    .paper = "Vedantam et al. 2015, as Chen et al. 2015",
    .signature = "case:lc|n:4|sigma:6|tok:treebank|as:coco-caption",
    .higher_is_better = true,
    .stats = STATS,
    .start = start_cider,
    .stop = stop_cider,
    .gather = gather_cider,
    .value = value_cider,
};
