/* The method `sparse`: its limit, the choice of its places, and the memory that it takes. */
#include "toy.h"

#include <unistd.h>

#include "golden.h"
#include "train/optim.h"
#include "train/stopping.h"
#include "util.h"

/* ---- the limit ------------------------------------------------------------------------------------------------ */

static bool matrix_or_head(const void *settings, const pb_param *p, int layers)
{
    (void)settings, (void)layers;
    return p->kind == PB_HEAD || (p->kind == PB_MATRIX && p->layer >= 0);
}

static const pb_method matrices = {.name = "matrices", .hooks.select = matrix_or_head};

/* The matrix of the sparse update of a weight, from the values of its own tensor or of that of the model. */
static pb_real *dense_update(const pb_model *m, const pb_param *w, int first)
{
    char name[160];
    snprintf(name, sizeof name, "%.*s.sparse.values", (int)strlen(w->name) - (int)strlen(".weight"), w->name);
    const pb_param *own = pb_model_find(m, name), *v = own ? own : pb_model_find(m, "sparse.values");
    snprintf(name, sizeof name, "%.*s.places", (int)strlen(v->name) - (int)strlen(".values"), v->name);
    const pb_param *places = pb_model_find(m, name);
    pb_real *s = pb_alloc((size_t)w->rows * (size_t)w->cols * sizeof *s);
    for (int k = 0; k < v->cols; k++) {
        int at = places->index[k] - (own ? 0 : first);
        if (at >= 0 && at < w->rows * w->cols)
            s[at] = v->x[k];
    }
    return s;
}

/* Gives a model the values of another one, whose biases and norms the testbed has varied. */
static void take_values(pb_model *to, const pb_model *from)
{
    for (int i = 0; i < pb_model_params(to); i++) {
        pb_param *p = pb_model_param(to, i), *q = pb_model_find(from, p->name);
        if (p->trainable)
            memcpy(p->x, q->x, pb_param_bytes(p));
        else
            p->x = q->x;
    }
}

/* With every place chosen, W + S moves as a weight that trains. */
static void check_limit(const char *spec)
{
    pb_encoded *f = toy_set(40);
    pb_train_options o = options_with(3, 1e-2);
    o.dropout = o.decay = 0;
    o.eps = 1e-3; /* else the sign of a gradient that is nearly 0 decides on a whole step */
    fixture part = fixture_open(spec, 2, 6), base = fixture_open("head", 2, 6);
    pb_model *whole = pb_model_open(&(pb_opening){.path = TINY, .classes = 2, .seed = 6});
    CHECK(whole && !pb_model_attach(whole, &(pb_attached){&matrices, NULL}, 1));
    take_values(whole, base.model);
    pb_result a = train(&part, f, &o, 6), b = train(&(fixture){.model = whole}, f, &o, 6);
    int first = 0, weights = 0;
    for (int i = 0; i < pb_model_params(whole); i++) {
        const pb_param *w = pb_model_param(whole, i), *w0 = pb_model_find(base.model, w->name);
        int n = w->rows * w->cols;
        if (w->kind != PB_MATRIX || w->layer < 0)
            continue;
        double *want = pb_alloc((size_t)n * sizeof *want);
        for (int k = 0; k < n; k++)
            want[k] = (double)w->x[k] - (double)w0->x[k];
        pb_real *s = dense_update(part.model, w, first);
        if (!CHECK(distance((size_t)n, s, want) <= 1e-3))
            printf("  %s, %s: %g\n", spec, w->name, distance((size_t)n, s, want));
        first += n;
        weights++;
        free(want);
        free(s);
    }
    CHECK_INT(weights, 12);
    CHECK(pb_result_get(&a, -1, "storage.trainable") == pb_result_get(&b, -1, "storage.trainable"));
    pb_result_free(&a);
    pb_result_free(&b);
    pb_model_free(whole);
    fixture_close(&part);
    fixture_close(&base);
    toy_free(f);
}

TEST(with_all_places_it_is_full_fine_tuning_of_the_matrices)
{
    check_limit("sparse:share=1,choose=random,within=matrix");
    check_limit("sparse:share=1,choose=magnitude,within=model");
}

/* ---- the choice ------------------------------------------------------------------------------------------------- */

typedef struct scored {
    double score;
    int place;
} scored;

static int by_score(const void *a, const void *b)
{
    const scored *x = a, *y = b;
    return x->score != y->score ? (x->score < y->score ? 1 : -1) : x->place - y->place;
}

static int by_place(const void *a, const void *b)
{
    const scored *x = a, *y = b;
    return x->place - y->place;
}

/* The scores of all elements of the matrices, one matrix after the other, from a model in which all train. */
typedef struct scores {
    fixture model;
    size_t n;
    double *gradient, *squares, *weight;
} scores;

static void add_texts(scores *s, const pb_batch *batch, double *sum, bool square, double weight)
{
    size_t at = 0;
    fixture_forward(&s->model, batch, true, 0);
    pb_executor_backward(s->model.executor, s->model.graph);
    for (int i = 0; i < pb_model_params(s->model.model); i++) {
        const pb_param *p = pb_model_param(s->model.model, i);
        for (size_t k = 0; p->kind == PB_MATRIX && p->layer >= 0 && k < (size_t)p->rows * (size_t)p->cols; k++, at++) {
            sum[at] += weight * (square ? (double)p->g[k] * (double)p->g[k] : (double)p->g[k]);
            s->weight[at] = (double)p->x[k];
        }
    }
}

static scores all_scores(void)
{
    const pb_batch *t = &pb_testbed_texts;
    scores s = {.model = fixture_open("full", 3, 4)};
    for (int i = 0; i < pb_model_params(s.model.model); i++) {
        const pb_param *p = pb_model_param(s.model.model, i);
        s.n += p->kind == PB_MATRIX && p->layer >= 0 ? (size_t)p->rows * (size_t)p->cols : 0;
    }
    s.gradient = pb_alloc(s.n * sizeof(double));
    s.squares = pb_alloc(s.n * sizeof(double));
    s.weight = pb_alloc(s.n * sizeof(double));
    add_texts(&s, t, s.gradient, false, 1);
    for (int i = 0; i < t->sequences; i++) {
        const int ends[] = {0, t->offset[i + 1] - t->offset[i]};
        const pb_batch one = {.sequences = 1, .offset = ends, .ids = t->ids + t->offset[i], .label = t->label + i};
        add_texts(&s, &one, s.squares, true, 1.0 / t->sequences);
    }
    return s;
}

static void free_scores(scores *s)
{
    fixture_close(&s->model);
    free(s->gradient);
    free(s->squares);
    free(s->weight);
}

static double score_of(const scores *s, const char *choose, size_t at)
{
    return !strcmp(choose, "squares")     ? s->squares[at]
           : !strcmp(choose, "gradient")  ? fabs(s->gradient[at])
           : !strcmp(choose, "snip")      ? fabs(s->gradient[at] * s->weight[at])
           : !strcmp(choose, "magnitude") ? fabs(s->weight[at])
                                          : -fabs(s->weight[at]);
}

/* The places [count] are those of the highest of the scores from `first` on, of `n`. */
static void check_places(const scores *s, const char *choose, size_t first, size_t n, const pb_param *places)
{
    scored *all = pb_alloc(n * sizeof *all);
    for (size_t k = 0; k < n; k++)
        all[k] = (scored){score_of(s, choose, first + k), (int)k};
    qsort(all, n, sizeof *all, by_score);
    qsort(all, (size_t)places->cols, sizeof *all, by_place);
    for (int k = 0; k < places->cols; k++)
        if (!CHECK(places->index[k] == all[k].place)) {
            printf("  %s: place %d of %s is %d, want %d\n", choose, k, places->name, places->index[k], all[k].place);
            break;
        }
    free(all);
}

TEST(the_places_have_the_highest_scores)
{
    static const char *const choices[] = {"squares", "gradient", "snip", "magnitude", "smallest"};
    scores s = all_scores();
    for (size_t c = 0; c < 2 * PB_COUNT(choices); c++) {
        const char *choose = choices[c / 2];
        char *spec = pb_format("sparse:choose=%s,within=%s,share=0.03,samples=100", choose, c % 2 ? "matrix" : "model");
        fixture f = fixture_open(spec, 3, 4);
        CHECK(!pb_testbed_start(&f));
        size_t first = 0;
        for (int i = 0; i < pb_model_params(f.model); i++) {
            const pb_param *p = pb_model_param(f.model, i);
            if (!p->index)
                continue;
            check_places(&s, choose, first, (size_t)p->below, p);
            first += (size_t)p->below;
        }
        CHECK_INT((long long)first, (long long)s.n);
        fixture_close(&f);
        free(spec);
    }
    free_scores(&s);
}

/* Random places are distinct, in order, evenly spread, and those of the seed. */
TEST(random_places_are_those_of_the_seed)
{
    fixture f[] = {fixture_open("sparse:choose=random,within=model,share=0.5", 3, 4),
                   fixture_open("sparse:choose=random,within=model,share=0.5", 3, 4),
                   fixture_open("sparse:choose=random,within=model,share=0.5", 3, 5)};
    const pb_param *p[3];
    for (int i = 0; i < 3; i++) {
        CHECK(!pb_testbed_start(&f[i]));
        p[i] = pb_model_find(f[i].model, "sparse.places");
    }
    CHECK(!memcmp(p[0]->index, p[1]->index, pb_param_bytes(p[0])));
    CHECK(memcmp(p[0]->index, p[2]->index, pb_param_bytes(p[0])) != 0);
    int low = 0;
    for (int k = 0; k < p[0]->cols; k++) {
        CHECK(p[0]->index[k] >= 0 && p[0]->index[k] < p[0]->below && (!k || p[0]->index[k] > p[0]->index[k - 1]));
        low += p[0]->index[k] < p[0]->below / 2;
    }
    CHECK_INT(2 * p[0]->cols, p[0]->below);
    CHECK(abs(2 * low - p[0]->cols) < p[0]->cols / 10);
    for (int i = 0; i < 3; i++)
        fixture_close(&f[i]);
}

TEST(a_share_without_a_place_is_refused)
{
    static const struct {
        const char *spec, *error;
    } bad[] = {{"sparse:within=matrix,share=0.001", "sparse: share 0.001 and rank 0 choose 0 of 256 places of attn.q"},
               {"sparse:within=matrix,share=0,rank=9", "sparse: share 0 and rank 9 choose 288 of 256 places of attn.q"},
               {"sparse:share=0", "sparse: share 0 and rank 0 choose 0 of 4096 places of the targets"}};
    for (size_t i = 0; i < PB_COUNT(bad); i++) {
        fixture f;
        CHECK_INT(pb_testbed_open(&f, TINY, false, bad[i].spec, 3, 1), -1);
        if (!CHECK(strstr(pb_error_text(), bad[i].error) == pb_error_text()))
            printf("  %s\n", pb_error_text());
        pb_error_clear();
    }
}

/* ---- memory ------------------------------------------------------------------------------------------------------- */

/* Before the first step: two dense buffers.  After it: what k parameters take, and k integers. */
TEST(dense_buffers_are_for_the_preparation_only)
{
    enum { ELEMENTS = 2 * (4 * 16 * 16 + 2 * 16 * 32), K = ELEMENTS / 32 };
    pb_encoded *f = toy_set(40);
    pb_train_options o = options_with(2, 1e-3);
    fixture r = fixture_open("sparse:share=0.03125,samples=16", 2, 6), head = fixture_open("head", 2, 6);
    pb_result a = train(&r, f, &o, 6), b = train(&head, f, &o, 6);
    double heads = pb_result_get(&b, -1, "storage.trainable"), unit = sizeof(pb_real);
    CHECK(pb_result_get(&a, -1, "memory.prepare.gradients") == ELEMENTS * unit);
    CHECK(pb_result_get(&a, -1, "memory.prepare.statistics") == ELEMENTS * unit);
    CHECK(isnan(pb_result_get(&b, -1, "memory.prepare.total")));
    CHECK(pb_result_get(&a, -1, "storage.trainable") == K + heads);
    CHECK(pb_result_get(&a, -1, "storage.added") == K);
    CHECK(pb_result_get(&a, -1, "storage.changed") == K);
    CHECK(pb_result_get(&a, -1, "storage.stored") == 2 * K + heads); /* each value has a place */
    CHECK(pb_result_get(&a, -1, "memory.train.gradients") - pb_result_get(&b, -1, "memory.train.gradients") ==
          K * unit);
    CHECK(pb_result_get(&a, -1, "memory.train.optimizer") - pb_result_get(&b, -1, "memory.train.optimizer") ==
          2 * K * unit);
    CHECK(pb_result_get(&a, -1, "memory.train.weights") - pb_result_get(&b, -1, "memory.train.weights") ==
          K * (unit + sizeof(int)));
    double prepare = pb_result_get(&a, -1, "memory.prepare.total"),
           flops = pb_result_get(&a, -1, "compute.prepare_flops");
    CHECK(pb_result_get(&a, -1, "memory.train.total") >= prepare && flops > 0);
    CHECK(pb_result_get(&a, -1, "compute.train_flops") > flops);
    pb_result_free(&a);
    pb_result_free(&b);
    fixture_close(&r);
    fixture_close(&head);
    toy_free(f);
}

/* ---- integers: the artifact and the best epoch ----------------------------------------------------------------- */

TEST(places_are_saved_and_checked)
{
    char path[] = "/tmp/peftbench-sparse-XXXXXX";
    close(mkstemp(path));
    fixture a = fixture_open("sparse:share=0.1", 3, 1), b = fixture_open("sparse:share=0.1", 3, 1);
    pb_param *from = pb_model_find(a.model, "sparse.places"), *to = pb_model_find(b.model, "sparse.places");
    CHECK(!pb_testbed_start(&a) && memcmp(from->index, to->index, pb_param_bytes(from)) != 0);
    CHECK(!pb_model_save(a.model, path) && !pb_model_load(b.model, path));
    CHECK(!memcmp(from->index, to->index, pb_param_bytes(from)));
    from->index[3] = from->below;
    CHECK(!pb_model_save(a.model, path) && pb_model_load(b.model, path) == -1);
    CHECK(strstr(pb_error_text(), "'sparse.places': element 3 is 4096, want 0 to 4095") != NULL);
    pb_error_clear();
    from->index[3] = from->index[2];
    CHECK(!pb_model_save(a.model, path) && !pb_model_load(b.model, path));
    CHECK_INT(pb_testbed_forward(&b, &fixture_batch, false, 0), -1);
    CHECK(strstr(pb_error_text(), "sparse_add: index ") != NULL);
    pb_error_clear();
    unlink(path);
    fixture_close(&a);
    fixture_close(&b);
}

TEST(the_best_epoch_has_its_places)
{
    pb_train_options o = options_with(2, 1e-3);
    o.patience = 1;
    fixture f = fixture_open("sparse:share=0.1", 3, 1);
    pb_param *places = pb_model_find(f.model, "sparse.places"), *values = pb_model_find(f.model, "sparse.values");
    pb_arena *arena = pb_arena_new("best");
    pb_stopping s = pb_stopping_start(f.model, &o, true, arena);
    values->x[0] = 5;
    pb_stopping_note(&s, 1);
    places->index[0] = 77;
    values->x[0] = 6;
    pb_stopping_note(&s, 0.5);
    pb_stopping_restore(&s);
    CHECK_INT(places->index[0], 0);
    CHECK(values->x[0] == 5);
    pb_arena_free(arena);
    fixture_close(&f);
}

/* ---- PEFT ------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *name, *spec;
    bool chosen; /* by PEFT as we do */
} adapters[] = {
    {"shira", "sparse:choose=random,within=matrix,share=0,rank=2,targets=attn.q attn.v", false},
    {"supertuning", "sparse:choose=magnitude,within=matrix,share=0.1,targets=attn.q attn.v", true},
};

/* The parameter of a block, by its kind: "places layer.0.attn.q" are those of the site, else its values. */
static pb_param *param_of(const pb_model *m, const golden_tensor *t)
{
    char name[160];
    snprintf(name, sizeof name, "%s.sparse.%s", t->name, strcmp(t->kind, "places") ? "values" : "places");
    return pb_model_find(m, strncmp(t->name, "head.", 5) ? name : t->name);
}

static void set_param(pb_param *p, const golden_tensor *t, bool chosen)
{
    for (int i = 0; i < p->rows * p->cols; i++) {
        if (p->index && chosen)
            CHECK_INT(p->index[i], (int)t->x[i]);
        else if (p->index)
            p->index[i] = (int)t->x[i];
        else
            p->x[i] = (pb_real)t->x[i];
    }
}

/* Enters the difference of a node's or parameter's numbers from a block, relative to the block's largest. */
static void compare(const char *adapter, const golden_tensor *t, const pb_real *x, double *worst)
{
    double *got = pb_alloc((size_t)(t->rows * t->cols) * sizeof *got);
    for (int i = 0; i < t->rows * t->cols; i++)
        got[i] = (double)x[i];
    double d = golden_difference(t, got) / golden_largest(t);
    *worst = fmax(*worst, d);
    if (!CHECK(d <= 1e-9))
        printf("  %s: %s %s is off by %.3g of its largest\n", adapter, t->kind, t->name, d);
    free(got);
}

static void differentiate(fixture *f, const golden *g)
{
    pb_batch batch = golden_batch(g);
    fixture_forward(f, &batch, true, 0);
    pb_executor_backward(f->executor, f->graph);
}

static void train_twenty_steps(fixture *f, const golden *g)
{
    pb_train_options o;
    pb_option_defaults(pb_train_table, &o);
    o.decay = o.clip = 0;
    pb_arena *moments = pb_arena_new("moments");
    pb_optim *optim = pb_optim_new(f->model, &o, moments);
    for (int step = 0; step < 20; step++) {
        differentiate(f, g);
        pb_optim_step(optim, f->graph, &(pb_step){.step = step, .steps = 20, .rate = 1e-3});
    }
    pb_arena_free(moments);
}

static void check_adapter(const char *name, const char *spec, bool chosen)
{
    char *path = pb_format("tests/golden/sparse/%s.txt", name);
    golden g = golden_open(path);
    fixture f = fixture_open(spec, 3, 1);
    int blocks[4] = {0};
    double logits = 0, loss = 0, gradients = 0, after = 0; /* the worst differences */
    CHECK(!pb_testbed_start(&f));
    for (golden_tensor t; golden_next(&g, &t); free(t.x)) {
        if (!strcmp(t.kind, "places") || !strcmp(t.kind, "start"))
            set_param(param_of(f.model, &t), &t, chosen), blocks[0]++;
        if (!strcmp(t.kind, "tensor") && blocks[1]++ == 0)
            differentiate(&f, &g);
        if (!strcmp(t.name, "logits"))
            compare(name, &t, pb_graph_output(f.graph)->x, &logits);
        if (!strcmp(t.name, "loss"))
            compare(name, &t, pb_graph_loss(f.graph)->x, &loss);
        if (!strcmp(t.kind, "grad"))
            compare(name, &t, param_of(f.model, &t)->g, &gradients), blocks[2]++;
        if (!strcmp(t.kind, "after") && blocks[3]++ == 0)
            train_twenty_steps(&f, &g);
        if (!strcmp(t.kind, "after"))
            compare(name, &t, param_of(f.model, &t)->x, &after);
    }
    printf("  %-11s largest difference: logits %.1e, loss %.1e, gradients %.1e, after 20 steps %.1e\n", name, logits,
           loss, gradients, after);
    CHECK(blocks[0] == 4 + 6 && blocks[1] == 2 && blocks[2] == 6 && blocks[3] == 6);
    fixture_close(&f);
    golden_close(&g);
    free(path);
}

TEST(twenty_steps_equal_those_of_peft)
{
    if (sizeof(pb_real) < sizeof(double))
        SKIP("PEFT's numbers are in double; the double build compares them");
    for (size_t i = 0; i < PB_COUNT(adapters); i++)
        check_adapter(adapters[i].name, adapters[i].spec, adapters[i].chosen);
}
