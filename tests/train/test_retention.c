/* train/retention.h and the change of model.h, on the committed models: against transformers and NumPy
 * (tests/golden/retention, made by tests/parity/make_retention.py), and what must hold exactly. */
#include "fixture.h"
#include "util.h"

#include "train/retention.h"

enum { WINDOW = 32 };

/* The models that are open, each with the methods that it refers to. */
static struct opened {
    pb_model *model;
    pb_attached part[PB_MAX_PARTS];
    int parts;
} opened[4];

static struct opened *slot_of(const pb_model *m)
{
    for (size_t i = 0; i < PB_COUNT(opened); i++)
        if (opened[i].model == m)
            return &opened[i];
    PB_BUG("%s", m ? "no such model is open" : "too many models are open");
}

static pb_model *open_with(const char *dir, const char *spec, int classes)
{
    struct opened *o = slot_of(NULL);
    o->parts = 0;
    o->model = pb_model_open(&(pb_opening){.path = dir, .classes = classes, .seed = 1});
    if (!o->model || (spec && pb_attached_parse(spec, o->part, &o->parts)) ||
        pb_model_attach(o->model, o->part, o->parts))
        PB_BUG("%s", pb_error_text());
    return o->model;
}

static void close_model(pb_model *m)
{
    struct opened *o = slot_of(m);
    pb_model_free(m);
    pb_attached_free(o->part, o->parts);
    o->model = NULL;
}

static pb_param *param(pb_model *m, const char *name)
{
    pb_param *p = pb_model_find(m, name);
    if (!p)
        PB_BUG("no parameter '%s'", name);
    return p;
}

static void scale(pb_model *m, const char *name, double by)
{
    pb_param *p = param(m, name);
    for (int i = 0; i < p->rows * p->cols; i++)
        p->x[i] *= (pb_real)by;
}

/* The change of `tune` in the script. */
static void tune(pb_model *m)
{
    scale(m, "layer.1.mlp.down.weight", 1.25);
    scale(m, "layer.2.attn.q.weight", 0.5);
    pb_param *v = param(m, "layer.0.attn.v.weight");
    for (int i = 0; i < v->rows; i++)
        for (int j = 0; j < v->cols; j++)
            v->x[i * v->cols + j] += (pb_real)(float)(0.02 * sin(1.0 + i) * cos(2.0 + j));
}

static pb_retention_text *read_text(int tokens)
{
    pb_retention_text *t = pb_retention_text_read("tests/golden/retention/text.txt",
                                                  &(pb_retention_options){.text = "", .tokens = tokens});
    if (!t)
        PB_BUG("%s", pb_error_text());
    return t;
}

/* Reads the numbers of the line that begins with `name` into x [n]. */
static void golden_line(const char *name, double *x, int n)
{
    FILE *f = fopen("tests/golden/retention/models.txt", "r");
    char line[256], *at = NULL;
    while (f && !at && fgets(line, sizeof line, f))
        at = strncmp(line, name, strlen(name)) ? NULL : line + strlen(name);
    for (int i = 0; i < n; i++)
        x[i] = at ? strtod(at, &at) : NAN;
    if (f)
        fclose(f);
}

static void compare_models(const char *name)
{
    char dir[64];
    snprintf(dir, sizeof dir, "models/%s", name);
    pb_model *base = open_with(dir, NULL, 0), *tuned = open_with(dir, "full", 0);
    pb_retention_text *t = read_text(WINDOW);
    pb_retention got;
    double want[4];
    golden_line(name, want, 4);
    tune(tuned);
    CHECK(!pb_retention_measure(base, tuned, t, true, &got));
    CHECK_NEAR(got.loss[0], want[0], EXACT);
    CHECK_NEAR(got.loss[1], want[1], EXACT);
    CHECK_NEAR(got.loss[1] - got.loss[0], want[1] - want[0], 20 * EXACT);
    CHECK_NEAR(got.drift, want[2], 20 * EXACT);
    CHECK_NEAR(got.cka, want[3], 2 * EXACT);
    pb_retention_text_free(t);
    close_model(base);
    close_model(tuned);
}

TEST(transformers_agrees_on_a_decoder)
{
    compare_models("pico-decoder");
}

TEST(transformers_agrees_on_an_encoder)
{
    compare_models("pico-encoder");
}

TEST(numpy_agrees_on_the_geometry)
{
    pb_model *base = open_with("models/pico-decoder", NULL, 0), *tuned = open_with("models/pico-decoder", "full", 0);
    pb_geometry got;
    double want[4];
    golden_line("geometry", want, 4);
    tune(tuned);
    CHECK(!pb_model_merge(tuned) && !pb_model_geometry(tuned, base, &got));
    CHECK_NEAR(got.norm, want[0], EXACT);
    CHECK_INT(got.matrices, (int)want[1]);
    CHECK_NEAR(got.effective_rank, want[2], 10 * EXACT);
    CHECK_NEAR(got.overlap, want[3], 10 * EXACT);
    close_model(base);
    close_model(tuned);
}

/* A model after training: every parameter that trains is changed. */
static void perturb(pb_model *m)
{
    pb_rng r = pb_rng_named(5, "retention");
    for (int i = 0; i < pb_model_params(m); i++) {
        pb_param *p = pb_model_param(m, i);
        for (int k = 0; p->trainable && !p->index && k < p->rows * p->cols; k++)
            p->x[k] += (pb_real)(0.02 * pb_rng_normal(&r));
    }
}

/* The head of a classifier that is trained with a method, and the same model as a language model. */
TEST(a_language_model_gets_the_trained_parameters)
{
    static const char *const spec[] = {"lora:targets=*", "full", "prefix"};
    for (size_t i = 0; i < PB_COUNT(spec); i++) {
        pb_model *trained = open_with("models/pico-encoder", spec[i], 3);
        pb_model *to = open_with("models/pico-encoder", spec[i], 0), *base = open_with("models/pico-encoder", NULL, 0);
        pb_retention_text *t = read_text(WINDOW);
        pb_retention v;
        perturb(trained);
        CHECK(!pb_model_copy_trained(to, trained));
        CHECK(!pb_retention_measure(base, to, t, true, &v));
        CHECK(v.drift > 1e-3 && v.cka < 0.9999 && v.loss[0] != v.loss[1]);
        pb_param *dense = param(to, "lm.dense.weight");
        CHECK(same_bits((size_t)(dense->rows * dense->cols), dense->x, param(base, "lm.dense.weight")->x));
        pb_retention_text_free(t);
        close_model(trained);
        close_model(to);
        close_model(base);
    }
    pb_model *other = open_with("models/pico-encoder", "bitfit", 3),
             *lora = open_with("models/pico-encoder", "lora", 0);
    CHECK(pb_model_copy_trained(lora, other) == -1);
    CHECK(strstr(pb_error_text(), "the trained model has no tensor 'layer.0.attn.q.lora.A'"));
    pb_error_clear();
    close_model(other);
    close_model(lora);
}

static pb_retention strength_of(const char *dir, const char *spec, double strength)
{
    pb_model *base = open_with(dir, NULL, 0), *tuned = open_with(dir, spec, 0);
    pb_retention_text *t = read_text(WINDOW);
    pb_retention v;
    perturb(tuned);
    CHECK(!pb_model_merge(tuned));
    if (strength >= 0)
        pb_model_set_strength(tuned, base, strength);
    CHECK(!pb_retention_measure(base, tuned, t, false, &v));
    pb_retention_text_free(t);
    close_model(base);
    close_model(tuned);
    return v;
}

TEST(strength_is_exact_at_both_ends)
{
    static const char *const spec[] = {"lora:targets=*", "ia3", "full", "bitfit"};
    for (size_t i = 0; i < PB_COUNT(spec); i++) {
        const char *dir = strcmp(spec[i], "bitfit") ? "models/pico-decoder" : "models/pico-encoder";
        pb_retention none = strength_of(dir, spec[i], 0), half = strength_of(dir, spec[i], 0.5);
        pb_retention whole = strength_of(dir, spec[i], 1), merged = strength_of(dir, spec[i], -1);
        CHECK(none.loss[1] == none.loss[0]);
        CHECK(fabs(none.drift) < 1e-9);
        CHECK(whole.loss[1] == merged.loss[1] && whole.drift == merged.drift && isnan(whole.cka));
        CHECK(half.drift > 1e-6 && half.drift < whole.drift);
    }
}

/* Folding LoRA and adding its product to the weights gives one change. */
TEST(the_geometry_of_a_folded_change)
{
    pb_model *base = open_with("models/pico-decoder", NULL, 0);
    pb_model *lora = open_with("models/pico-decoder", "lora:rank=2,targets=mlp.up", 0);
    pb_geometry g;
    CHECK(!pb_model_merge(lora) && !pb_model_geometry(lora, base, &g));
    CHECK(g.norm == 0 && g.matrices == 0 && isnan(g.effective_rank) && isnan(g.overlap)); /* B is 0 */
    perturb(lora);
    CHECK(!pb_model_merge(lora) && !pb_model_geometry(lora, base, &g));
    CHECK(g.norm > 0);
    CHECK_INT(g.matrices, pb_model_config(base)->layers);
    CHECK(g.effective_rank > 1 && g.effective_rank <= 2 + 1e-6);
    CHECK(g.overlap > 0 && g.overlap < 1);
    close_model(base);
    close_model(lora);
}

/* ---- what is refused ---------------------------------------------------------------------------------------- */

static void check_refused(const char *content, size_t size, const char *want)
{
    char path[] = "/tmp/retention-XXXXXX";
    int file = mkstemp(path);
    FILE *f = fdopen(file, "w");
    fwrite(content, 1, size, f);
    fclose(f);
    pb_error_clear();
    CHECK(!pb_retention_text_read(path, &(pb_retention_options){.text = "", .tokens = 32}));
    CHECK(strstr(pb_error_text(), want) && !strncmp(pb_error_text(), path, strlen(path)));
    pb_error_clear();
    remove(path);
}

TEST(texts_that_cannot_be_read)
{
    check_refused("", 0, ":1: no text; want a text on each line");
    check_refused("\n \n\t\n", 5, ":1: no text");
    check_refused("good\nb\xff"
                  "d\n",
                  9, ":2: a byte that is not UTF-8: 0xff");
    check_refused("good\nb\0d\n", 9, ":2: a byte 0");
    CHECK(!pb_retention_text_read("tests/golden/none.txt", &(pb_retention_options){.text = "", .tokens = 32}));
    pb_error_clear();
}

TEST(lines_of_a_file)
{
    char path[] = "/tmp/retention-XXXXXX";
    FILE *f = fdopen(mkstemp(path), "w");
    fputs("one\r\n\n  \r\ntwo \r three\nfour", f);
    fclose(f);
    pb_retention_text *t = pb_retention_text_read(path, &(pb_retention_options){.text = "", .limit = 4, .tokens = 32});
    if (CHECK(t && t->texts == 3)) {
        CHECK_TEXT(t->text[0], "one");
        CHECK_TEXT(t->text[1], "two \r three");
        CHECK_TEXT(t->text[2], "four");
        CHECK(strstr(t->identity, " texts=3 tokens=32"));
    }
    pb_retention_text_free(t);
    remove(path);
}

TEST(windows_need_room)
{
    pb_model *base = open_with("models/pico-encoder", NULL, 0);
    pb_retention_text *t = read_text(257);
    pb_retention v;
    CHECK(pb_retention_measure(base, base, t, true, &v) == -1);
    CHECK(strstr(pb_error_text(),
                 "[retention] tokens: want at most 256, the room in the context of models/pico-encoder"));
    pb_error_clear();
    pb_retention_text_free(t);
    close_model(base);
}
