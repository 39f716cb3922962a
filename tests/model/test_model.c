/* The network and its methods against what transformers and PEFT computed (tests/golden, made by
 * tests/parity/make_goldens.py): logits, loss and every gradient. */
#include "fixture.h"
#include "golden.h"

#ifdef PB_REAL_DOUBLE
#define TOLERANCE 5e-6 /* the goldens have nine digits; weights and rotary frequencies are floats */
#else
#define TOLERANCE 2e-4
#endif

/* Differences count relative to the tensor's largest value. */
static void compare(const golden_tensor *t, const double *got)
{
    double largest = golden_largest(t), worst = golden_difference(t, got);
    /* The bias of the keys moves every score of a query alike: its gradient is zero. */
    double allowed = TOLERANCE * (largest > 1e-6 ? largest : 1);
    if (!CHECK(worst <= allowed))
        printf("  %s: off by %.3g of %.3g\n", t->name, worst, largest);
}

static void set_param(fixture *r, const golden_tensor *t)
{
    pb_param *p = pb_model_find(r->model, t->name);
    if (!CHECK(p != NULL) || !CHECK_INT(p->rows * p->cols, t->rows * t->cols))
        return;
    for (int i = 0; i < t->rows * t->cols; i++)
        p->x[i] = (pb_real)t->x[i];
}

static void compare_gradient(fixture *r, const golden_tensor *t)
{
    pb_param *p = pb_model_find(r->model, t->name);
    int count = t->rows * t->cols;
    double *got = pb_alloc((size_t)count * sizeof *got);
    if (CHECK(p && p->trainable && p->rows * p->cols == count))
        for (int i = 0; i < count; i++)
            got[i] = fixture_gradient(p, (size_t)i);
    compare(t, got);
    free(got);
}

static void compare_value(const golden_tensor *t, const pb_node *n)
{
    double got[2048];
    if (!CHECK_INT(n->rows * n->cols, t->rows * t->cols))
        return;
    for (int i = 0; i < t->rows * t->cols; i++)
        got[i] = (double)n->x[i];
    compare(t, got);
}

/* Sets what the batch is trained to predict: classes, numbers for one output, or sets of labels, of which bit k is
 * label k.  x has room for it. */
static void set_targets(pb_batch *b, const golden *g, const pb_opening *how, pb_real *x)
{
    int classes = how->classes;
    bool numbers = classes == 1, sets = how->problem == PB_PROBLEM_LABELS;
    for (int i = 0; i < g->labels && numbers; i++)
        x[i] = (pb_real)g->label[i];
    for (int i = 0; i < g->labels * classes && sets; i++)
        x[i] = (pb_real)(g->label[i / classes] >> i % classes & 1);
    b->label = numbers || sets ? NULL : b->label;
    b->number = numbers ? x : NULL;
    b->label_set = sets ? x : NULL;
}

static void check_golden_as(const pb_opening *how, const char *name, const char *spec)
{
    char *path = pb_format("tests/golden/%s.txt", name);
    golden g = golden_open(path);
    golden_tensor t;
    fixture r;
    if (pb_testbed_open_as(&r, how, spec))
        PB_BUG("%s", pb_error_text());
    int gradients = 0;
    bool ran = false;
    for (; golden_next(&g, &t); free(t.x)) {
        if (!ran && !strcmp(t.name, "logits")) { /* all parameters came before */
            pb_batch b = golden_batch(&g);
            pb_real wanted[64];
            set_targets(&b, &g, how, wanted);
            fixture_forward(&r, &b, true, 0);
            pb_executor_backward(r.executor, r.graph);
            ran = true;
        }
        if (!strcmp(t.kind, "grad"))
            compare_gradient(&r, &t), gradients++;
        else if (!strcmp(t.name, "logits"))
            compare_value(&t, pb_graph_output(r.graph));
        else if (!strcmp(t.name, "loss"))
            compare_value(&t, pb_graph_loss(r.graph));
        else
            set_param(&r, &t);
    }
    int trainable = 0;
    for (int i = 0; i < pb_model_params(r.model); i++)
        trainable += pb_model_param(r.model, i)->trainable;
    CHECK_INT(gradients, trainable); /* nothing left uncompared */
    golden_close(&g);
    free(path);
    fixture_close(&r);
}

static void check_golden_of(const char *folder, int classes, const char *name, const char *spec)
{
    check_golden_as(&(pb_opening){.path = folder, .classes = classes}, name, spec);
}

static void check_golden(const char *name, const char *spec)
{
    check_golden_of(TINY, 3, name, spec);
}

TEST(one_output_is_trained_by_squared_error_as_in_transformers)
{
    check_golden_of(TINY, 1, "regression/bert", "full");
    check_golden_of(TINY, 1, "regression/bert-lora", "lora:rank=4,alpha=8");
    check_golden_of("tests/golden/families/llama-3", 1, "labels/llama", "head"); /* without a bias */
}

TEST(sets_of_labels_are_trained_by_binary_cross_entropy_as_in_transformers)
{
    check_golden_as(&(pb_opening){.path = TINY, .classes = 4, .problem = PB_PROBLEM_LABELS}, "labels/bert", "full");
}

/* The loss is the mean over the tokens that have a label (tests/parity/make_tags.py). */
TEST(classes_of_tokens_are_trained_as_in_transformers)
{
    check_golden_as(&(pb_opening){.path = TINY, .classes = 3, .tokens = true}, "tags/bert", "full");
    check_golden_as(&(pb_opening){.path = TINY, .classes = 3, .tokens = true}, "tags/lora", "lora:rank=4,alpha=8");
}

TEST(full_equals_transformers)
{
    check_golden("bert", "full");
}

TEST(lora_equals_peft)
{
    check_golden("bert-lora", "lora:rank=4,alpha=8");
}

TEST(rslora_equals_peft)
{
    check_golden("bert-rslora", "lora:rank=4,alpha=8,rslora=yes");
}

TEST(dora_equals_peft)
{
    check_golden("bert-dora", "lora:rank=4,alpha=8,dora=yes");
}

TEST(ia3_equals_peft)
{
    check_golden("bert-ia3", "ia3");
}

TEST(prefix_equals_peft)
{
    check_golden("bert-prefix", "prefix:length=3");
}

TEST(prefix_with_mlp_equals_peft)
{
    check_golden("bert-prefix-mlp", "prefix:length=3,mlp=yes,hidden=8");
}

TEST(prompt_equals_peft)
{
    check_golden("bert-prompt", "prompt:length=3,pool=first");
}

/* Token types of pairs of texts (tests/parity/make_pairs.py); rows in front of the text are of type 0, as in PEFT. */
TEST(pairs_equal_peft)
{
    check_golden("pairs/prefix", "prefix:length=3");
    check_golden("pairs/prompt", "prompt:length=3,pool=first");
}

/* The side networks are of transformers' layers, see tests/parity/make_lst.py. */
TEST(lst_is_a_small_bert_beside_a_bert)
{
    check_golden("lst-bert", "lst:reduction=4");
}

TEST(lst_is_a_small_llama_beside_a_llama)
{
    check_golden_of("tests/golden/families/llama-3", 0, "lst-llama", "lst:reduction=3,targets=[02].layer");
}

TEST(a_folder_without_a_model_says_so)
{
    CHECK(!pb_model_open(&(pb_opening){.path = "tests/golden", .classes = 2}));
    CHECK(strstr(pb_error_text(), "tests/golden/config.json: cannot read") == pb_error_text());
}

TEST(plans_need_no_weights)
{
    pb_model *m = pb_model_open(&(pb_opening){.path = TINY, .classes = 3, .shapes_only = true});
    CHECK(m && !pb_model_attach(m, NULL, 0));
    CHECK_INT(pb_model_counts(m).base,
              255 * 16 + 64 * 16 + 2 * 16 + 2 * 16 + 2 * (4 * (16 * 16 + 16) + 4 * 16 + 2 * 512 + 48) + 16 * 16 + 16);
    CHECK(pb_model_find(m, "layer.0.attn.q.weight")->x == NULL);
    pb_model_free(m);
}
