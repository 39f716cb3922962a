/* sparse: y = (W + S) x + b.  S [out,in] trains at k places, which are chosen before the first step and stay, and is 0
 * elsewhere.  The k places have the highest scores: |W|, -|W|, |g|, |g W| or the mean of g^2 over single examples,
 * where g = dL/dW at the pretrained weights; or they are random. */
#include "peftbench.h"

enum { RANDOM, MAGNITUDE, SMALLEST, GRADIENT, SNIP, SQUARES }; /* choose */
enum { MATRIX, MODEL };                                        /* within */

PB_SETTINGS(CHOICE(choose, "squares", "random|magnitude|smallest|gradient|snip|squares",
                   "the score of a place: none, |W|, -|W|, |g|, |g W| or the mean of g^2"),
            CHOICE(within, "model", "matrix|model", "the k highest of each matrix, or of all together"),
            REAL(share, "0.005", 0, 1, "k / the elements of the matrices"),
            INT(rank, "0", 0, 4096, "k has rank*(in+out) more places, as many as a LoRA of this rank trains"),
            INT(samples, "1024", 1, 1000000, "training examples from which g is computed"),
            TEXT(targets, "attn.* mlp.*", "projections to adapt"));

/* ---- sizes: S of all targets has its values in one tensor (within = model), or each target in its own ---------- */

static double places(const conf *c, const pb_site *site)
{
    return floor(c->share * ((double)site->in * site->out)) + c->rank * (site->in + site->out);
}

/* The places and the elements of the matrices that share the tensor of `site`, and the elements in front of `site`. */
typedef struct size {
    double places, elements, first;
} size;

static size size_of(pb_build *b, const pb_site *site)
{
    const conf *c = pb_conf(b);
    if (c->within == MATRIX)
        return (size){places(c, site), (double)site->in * site->out, 0};
    size all = {0};
    PB_EACH_TARGET(b, s) {
        all.first = s == site ? all.elements : all.first;
        all.places += places(c, s);
        all.elements += (double)s->in * s->out;
    }
    return all;
}

static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    const pb_site *owner = c->within == MATRIX ? site : NULL;
    size n = size_of(b, site);
    if (n.places < 1 || n.places > n.elements || n.elements > INT32_MAX)
        return pb_refuse(
            "sparse: share %g and rank %d choose %.0f of %.0f places of %s; want 1 to all of at most 2^31 - 1",
            c->share, c->rank, n.places, n.elements, owner ? site->role : "the targets");
    pb_node *values = pb_vector(b, owner, "values", (int)n.places, pb_init_constant(0));
    const int *index = pb_indices(b, owner, "places", (int)n.places, (int)n.elements);
    return pb_op_sparse_add(b->graph, pb_inner_linear(b, site, x), x, values, index, (int)n.first);
}

/* ---- the choice ------------------------------------------------------------------------------------------------- */

static unsigned asks(const void *settings)
{
    const conf *c = settings;
    return c->choose == SQUARES ? PB_ASK_SQUARES : c->choose == GRADIENT || c->choose == SNIP ? PB_ASK_GRADIENT : 0;
}

/* g is the gradient or its square. */
static double score(int choose, double w, double g)
{
    return choose == MAGNITUDE ? fabs(w) : choose == SMALLEST ? -fabs(w) : choose == SNIP ? fabs(g * w) : fabs(g);
}

/* Offers every place of W in the order of the places; the first one of this matrix is `first`. */
static void offer_matrix(const conf *c, const pb_site *site, const pb_training_stats *stats, int first, pb_top *top)
{
    enum { COLUMNS = 64 };
    pb_real w[COLUMNS];
    const pb_real *g = c->choose == SQUARES ? stats->squares[site->number]
                       : stats->gradient    ? stats->gradient[site->number]
                                            : NULL;
    for (int row = 0; row < site->out; row++)
        for (int from = 0, to; from < site->in; from = to) {
            to = from + COLUMNS < site->in ? from + COLUMNS : site->in;
            pb_param_values(site->w, row, row + 1, from, to, w);
            for (int j = from, at = row * site->in + from; j < to; j++, at++)
                pb_top_offer(top, (pb_real)score(c->choose, (double)w[j - from], g ? (double)g[at] : 0), first + at);
        }
}

/* Chooses the places of one tensor: those of the target `owner`, or (NULL) of all targets.  Until the choice is made,
 * the memory of the values holds the scores of the best places so far. */
static void choose_places(pb_build *b, const pb_site *owner, const pb_training_stats *stats)
{
    const conf *c = pb_conf(b);
    pb_param *values = pb_tensor(b, owner, "values"), *places = pb_tensor(b, owner, "places");
    if (c->choose == RANDOM) {
        pb_random_places(places->below, places->cols, pb_seed(b, owner, "places"), places->index);
        return;
    }
    pb_top top = {.keep = places->cols, .value = values->x, .place = places->index};
    for (const pb_site *s = owner ? owner : pb_next_target(b, NULL); s; s = owner ? NULL : pb_next_target(b, s))
        offer_matrix(c, s, stats, (int)size_of(b, s).first, &top);
    pb_top_sort(&top);
    for (int k = 0; k < values->cols; k++)
        values->x[k] = 0;
}

static void start(pb_build *b, const pb_training_stats *stats)
{
    const conf *c = pb_conf(b);
    if (c->within == MODEL)
        choose_places(b, NULL, stats);
    for (const pb_site *s = pb_next_target(b, NULL); s && c->within == MATRIX; s = pb_next_target(b, s))
        choose_places(b, s, stats);
}

const pb_method pb_method_sparse = {
    .name = "sparse",
    .title = "Sparse update: chosen weights train",
    .paper = "Sung et al. 2021, Training neural networks with fixed sparse masks, arXiv:2111.09839",
    .help = "Trains few weights of chosen projections, which have the highest scores before training, as a sparse "
            "matrix beside the frozen weights.",
    .equation = "y = (W + S) x, S trains at k places and is 0 elsewhere",
    .notes = "Places are in the matrices of the targeted projections only: embeddings, biases and norms do not compete "
             "for them. The head trains as a whole, in addition to the k places. Gradients of full size exist in the "
             "preparation only; in training, gradients and moments have k elements, and the artifact holds k values "
             "and k places. An update of few elements may have a high rank, so that export --rank with a small rank "
             "loses much of it, and prints how much.",
    .count = "floor(share*(in*out))+rank*(in+out)",
    .traits = {PB_SELECTIVE, .identity = true, .ranks = true, .merges = true},
    .settings = {options, sizeof(conf), "share"},
    .presets = PB_PRESETS(
        {"fishmask", "FISH Mask: the weights with the largest Fisher information",
         "Sung et al. 2021, Training neural networks with fixed sparse masks, arXiv:2111.09839",
         "choose=squares,within=model,share=0.005,samples=1024",
         "The score of a place is the mean over examples of the squared gradient with the true label: the diagonal of "
         "the empirical Fisher information. Places are chosen among all matrices together."},
        {"random-mask", "Random masking: weights at random",
         "Xu and Zhang 2024, Random masking finds winning tickets, arXiv:2405.02596",
         "choose=random,within=matrix,share=0.01",
         "The places of each matrix are drawn at random. The paper compares many shares, down to 0.0001 in the "
         "authors' example; 0.01 is chosen here."},
        {"sift", "SIFT: the weights with the largest gradients",
         "Song et al. 2023, Sparse is enough in fine-tuning pre-trained large language models, arXiv:2312.11875",
         "choose=gradient,within=matrix,share=0.05,samples=32",
         "The score is the absolute mean gradient of examples that are drawn at random; the authors' code takes the "
         "gradient of the first batch. The share is that of their script for LLaMA-7B; theirs for GLUE choose 0.008 of "
         "the attention's weights (share=0.008,targets=attn.*)."},
        {"shira", "SHiRA: a sparse adapter of high rank",
         "Bhardwaj et al. 2024, Sparse high rank adapters, arXiv:2406.13175",
         "choose=snip,within=matrix,share=0,rank=8",
         "The score is the absolute value of gradient times weight, one of several choices that the paper compares; "
         "each matrix has as many places as a LoRA of this rank has parameters. PEFT draws places at random: "
         "shira:choose=random."},
        {"supertuning", "Super-tuning: the weights of the largest magnitude",
         "Ilin et al. 2026, Super-tuning: from activation-aware pruning to sparse fine-tuning, arXiv:2607.09287",
         "choose=magnitude,within=matrix,share=0.01",
         "The score is the absolute weight, as in PEFT; the paper's other score, which reads activations, is not "
         "here."}),
    .hooks = {.linear = linear, .asks = asks, .start = start},
    /* PEFT has this method twice, with the places of a matrix by its sides or by a share. */
    .peft = PB_PEFT(
        "SHIRA",
        PB_PEFT_TENSORS({"values", "shira_weight", "cols"}, {"places", "shira_indices", "2, cols", .along = "values"}),
        PB_PEFT_KEYS({"r", "rank"}), .loaded = PB_PEFT_TENSORS({"within", "matrix"}, {"share", "0"}),
        .other = PB_PEFT("SUPERTUNING",
                         PB_PEFT_TENSORS({"values", "supertuning_values", "cols"},
                                         {"places", "supertuning_indices", "cols", .along = "values"}),
                         PB_PEFT_KEYS({"sparsity", "share", .complement = true}),
                         .loaded = PB_PEFT_TENSORS({"within", "matrix"}, {"rank", "0"}))),
};
