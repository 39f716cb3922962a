/* The network and its methods against what transformers and PEFT computed (tests/golden, made by
 * tests/parity/make_goldens.py): logits, loss and every gradient. */
#include "fixture.h"

#ifdef PB_REAL_DOUBLE
#define TOLERANCE 2e-6 /* the goldens have nine digits, the weights are floats */
#else
#define TOLERANCE 2e-4
#endif

typedef struct golden {
    char *text, *at;
    int ids[256], offset[16], label[16], sequences, labels;
} golden;

static void read_ids(golden *g, char *line)
{
    int n = g->offset[g->sequences];
    strsep(&line, " ");
    strsep(&line, " ");
    for (char *word; (word = strsep(&line, " "));)
        g->ids[n++] = atoi(word);
    g->offset[++g->sequences] = n;
}

static void read_labels(golden *g, char *line)
{
    strsep(&line, " ");
    for (char *word; (word = strsep(&line, " "));)
        g->label[g->labels++] = atoi(word);
}

static golden open_golden(const char *name)
{
    golden g = {.sequences = 0};
    char *path = pb_format("tests/golden/%s.txt", name);
    g.text = g.at = pb_read_file(path, NULL);
    free(path);
    if (!g.text)
        PB_BUG("%s", pb_error_text());
    while (!strncmp(g.at, "ids ", 4))
        read_ids(&g, strsep(&g.at, "\n"));
    read_labels(&g, strsep(&g.at, "\n"));
    return g;
}

/* The next `tensor` or `grad`: its header, and its values into x. */
static bool next_tensor(golden *g, char kind[8], char name[96], int *count, double *x)
{
    int rows, cols, used;
    if (!g->at || sscanf(g->at, "%7s %95s %d %d%n", kind, name, &rows, &cols, &used) != 4)
        return false;
    g->at += used;
    *count = rows * cols;
    for (int i = 0; i < *count; i++)
        x[i] = strtod(g->at, &g->at);
    g->at += strspn(g->at, "\n");
    return true;
}

/* Differences count relative to the tensor's largest value. */
static void compare(const char *name, int count, const double *want, const double *got)
{
    double largest = 0, worst = 0;
    for (int i = 0; i < count; i++)
        largest = fmax(largest, fabs(want[i]));
    for (int i = 0; i < count; i++)
        worst = fmax(worst, fabs(want[i] - got[i]));
    /* The bias of the keys moves every score of a query alike: its gradient is zero. */
    double allowed = TOLERANCE * (largest > 1e-6 ? largest : 1);
    if (!CHECK(worst <= allowed))
        printf("  %s: off by %.3g of %.3g\n", name, worst, largest);
}

static void set_param(fixture *r, const char *name, int count, const double *x)
{
    pb_param *p = pb_model_find(r->model, name);
    if (!CHECK(p != NULL) || !CHECK_INT(p->rows * p->cols, count))
        return;
    for (int i = 0; i < count; i++)
        p->x[i] = (pb_real)x[i];
}

static void compare_gradient(fixture *r, const char *name, int count, const double *want)
{
    pb_param *p = pb_model_find(r->model, name);
    double *got = pb_alloc((size_t)count * sizeof *got);
    if (CHECK(p && p->trainable && p->rows * p->cols == count))
        for (int i = 0; i < count; i++)
            got[i] = fixture_gradient(p, (size_t)i);
    compare(name, count, want, got);
    free(got);
}

static void compare_value(const char *name, int count, const double *want, const pb_node *n)
{
    double got[64];
    CHECK_INT(n->rows * n->cols, count);
    for (int i = 0; i < count; i++)
        got[i] = (double)n->x[i];
    compare(name, count, want, got);
}

static void check_golden(const char *name, const char *spec)
{
    golden g = open_golden(name);
    fixture r = fixture_open(spec, 3, 0);
    char kind[8], tensor[96];
    double *x = pb_alloc(8192 * sizeof *x);
    int count, gradients = 0;
    bool ran = false;
    while (next_tensor(&g, kind, tensor, &count, x)) {
        if (!ran && !strcmp(tensor, "logits")) { /* all parameters came before */
            pb_batch b = {.sequences = g.sequences, .offset = g.offset, .ids = g.ids, .label = g.label};
            fixture_forward(&r, &b, true, 0);
            pb_executor_backward(r.executor, r.graph);
            ran = true;
        }
        if (!strcmp(kind, "grad"))
            compare_gradient(&r, tensor, count, x), gradients++;
        else if (!strcmp(tensor, "logits"))
            compare_value(tensor, count, x, pb_graph_output(r.graph));
        else if (!strcmp(tensor, "loss"))
            compare_value(tensor, count, x, pb_graph_loss(r.graph));
        else
            set_param(&r, tensor, count, x);
    }
    int trainable = 0;
    for (int i = 0; i < pb_model_params(r.model); i++)
        trainable += pb_model_param(r.model, i)->trainable;
    CHECK_INT(gradients, trainable); /* nothing left uncompared */
    free(x);
    free(g.text);
    fixture_close(&r);
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
