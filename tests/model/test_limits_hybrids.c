/* Mixtures and edits of hidden states: what each is where its gates, its router or its edits are trivial; and presets
 * that are compositions. */
#include "fixture.h"

#include "util.h"

#include "model/adapter.h"
#include "model/formula.h"
#include "model/internal.h"

/* ---- two models that must compute the same --------------------------------------------------------------------- */

/* Sets `to` of b to s times `from` of a. */
static void copy_tensor(const fixture *a, const char *from, const fixture *b, const char *to, double s)
{
    const pb_param *p = fixture_param(a, from);
    pb_param *q = fixture_param(b, to);
    PB_CHECK(p->rows == q->rows && p->cols == q->cols);
    for (size_t i = 0; i < pb_param_elements(p); i++)
        q->x[i] = (pb_real)(s * (double)p->x[i]);
}

/* The same for the tensors SITE.FROM and SITE.TO of a site in both layers. */
static void copy_at(const fixture *a, const char *from, const fixture *b, const char *to, double s)
{
    for (int l = 0; l < 2; l++) {
        char *x = pb_format("layer.%d.%s", l, from), *y = pb_format("layer.%d.%s", l, to);
        copy_tensor(a, x, b, y, s);
        free(x);
        free(y);
    }
}

static void set_all(const fixture *f, const char *name, double value)
{
    pb_param *p = fixture_param(f, name);
    for (size_t i = 0; i < pb_param_elements(p); i++)
        p->x[i] = (pb_real)value;
}

static void set_at(const fixture *f, const char *name, double value)
{
    for (int l = 0; l < 2; l++) {
        char *full = pb_format("layer.%d.%s", l, name);
        set_all(f, full, value);
        free(full);
    }
}

/* Holds if the models compute the same, and would not if an element of `changed`, a tensor of `one`, were another. */
static void check_equal(fixture *one, fixture *other, pb_param *changed)
{
    CHECK_NEAR(fixture_apart(one, other, &fixture_batch), 0, 10 * EXACT);
    changed->x[0] += (pb_real)0.5;
    CHECK(fixture_apart(one, other, &fixture_batch) > 1e-5);
    fixture_close(one);
    fixture_close(other);
}

/* ---- MoLoRA ------------------------------------------------------------------------------------------------------ */

/* LoRA's tensors are those of all experts. */
static void share_experts(const fixture *lora, const fixture *mixture, int experts)
{
    static const char *const role[] = {"attn.q", "attn.v"};
    for (int r = 0; r < 2; r++)
        for (int e = 0; e < experts; e++)
            for (int t = 0; t < 2; t++) {
                char *from = pb_format("%s.lora.%c", role[r], "AB"[t]);
                char *to = pb_format("%s.molora.%c.%d", role[r], "AB"[t], e);
                copy_at(lora, from, mixture, to, 1);
                free(from);
                free(to);
            }
}

TEST(molora_of_one_expert_and_of_equal_ones_is_lora)
{
    static const char *const spec[] = {"molora:experts=1,rank=3,alpha=5,targets=attn.q attn.v",
                                       "molora:experts=4,rank=3,alpha=5,targets=attn.q attn.v"};
    for (int i = 0; i < 2; i++) {
        fixture lora = fixture_open("lora:rank=3,alpha=5", 3, 1), mixture = fixture_open(spec[i], 3, 1);
        fixture_stir(&lora, 0.3);
        fixture_stir(&mixture, 0.3);
        share_experts(&lora, &mixture, i ? 4 : 1);
        copy_tensor(&lora, "head.weight", &mixture, "head.weight", 1);
        copy_tensor(&lora, "head.bias", &mixture, "head.bias", 1);
        check_equal(&mixture, &lora, fixture_param(&mixture, "layer.0.attn.v.molora.B.0"));
    }
}

/* ---- Lily -------------------------------------------------------------------------------------------------------- */

/* One B of all layers, or equal ones, is LoRA's if its layers have equal ones. */
TEST(lily_of_one_b_and_of_equal_ones_is_lora)
{
    static const char *const spec[] = {"lily:rank=3,experts=1,scale=2", "lily:rank=3,experts=3,scale=2"};
    static const char *const role[] = {"attn.q", "attn.v"};
    for (int i = 0; i < 2; i++) {
        fixture lora = fixture_open("lora:rank=3,alpha=6", 3, 1), lily = fixture_open(spec[i], 3, 1);
        fixture_stir(&lily, 0.3);
        for (int k = 0; k < 2 * 2 * (i ? 3 : 1); k++) {
            int r = k % 2, l = k / 2 % 2, e = k / 4;
            char *A = pb_format("lily.%s.A.%d", role[r], l), *B = pb_format("lily.%s.B.%d", role[r], e);
            char *a = pb_format("layer.%d.%s.lora.A", l, role[r]), *b = pb_format("layer.%d.%s.lora.B", l, role[r]);
            char *first = pb_format("lily.%s.B.0", role[r]);
            copy_tensor(&lily, A, &lora, a, 1);
            copy_tensor(&lily, first, &lora, b, 1);
            copy_tensor(&lily, first, &lily, B, 1);
            free(A);
            free(B);
            free(a);
            free(b);
            free(first);
        }
        copy_tensor(&lily, "head.weight", &lora, "head.weight", 1);
        copy_tensor(&lily, "head.bias", &lora, "head.bias", 1);
        check_equal(&lily, &lora, fixture_param(&lily, "lily.attn.v.A.1"));
    }
}

/* ---- LoReFT ------------------------------------------------------------------------------------------------------ */

/* R has the unit vectors i and j as rows, where they are orthonormal already, and W is s times R. */
static void set_subspace(const fixture *f, double s)
{
    set_at(f, "layer.loreft.R", 0);
    set_at(f, "layer.loreft.W", 0);
    for (int l = 0; l < 2; l++)
        for (int k = 0; k < 2; k++) {
            char *R = pb_format("layer.%d.layer.loreft.R", l), *W = pb_format("layer.%d.layer.loreft.W", l);
            pb_param *r = fixture_param(f, R), *w = fixture_param(f, W);
            r->x[k * r->cols + 3 + 4 * k] = 1;
            w->x[k * w->cols + 3 + 4 * k] = (pb_real)s;
            free(R);
            free(W);
        }
}

TEST(loreft_whose_w_is_r_is_the_base_model)
{
    fixture base = fixture_open("", 3, 1), f = fixture_open("loreft:rank=2,first=3,last=2", 3, 1);
    set_subspace(&f, 1);
    set_at(&f, "layer.loreft.b", 0);
    check_equal(&f, &base, fixture_param(&f, "layer.1.layer.loreft.W"));
}

TEST(with_orthonormal_rows_noreft_is_loreft_and_the_difference_is_a_part_of_w)
{
    fixture a = fixture_open("loreft:rank=2", 3, 1), b = fixture_open("noreft:rank=2", 3, 1);
    set_subspace(&a, 0.4);
    set_subspace(&b, 0.4);
    check_equal(&a, &b, fixture_param(&a, "layer.1.layer.loreft.b"));
    a = fixture_open("loreft:rank=2,first=2", 3, 1), b = fixture_open("direft:rank=2,first=2", 3, 1);
    set_subspace(&a, 0.4);
    set_subspace(&b, 0.4 - 1);
    check_equal(&a, &b, fixture_param(&a, "layer.1.layer.loreft.b"));
}

/* A scaled R spans the same rows. */
TEST(the_rows_of_r_are_orthonormal_whatever_their_length)
{
    fixture a = fixture_open("loreft:rank=2", 3, 1), b = fixture_open("loreft:rank=2", 3, 1);
    for (int l = 0; l < 2; l++) {
        char *R = pb_format("layer.%d.layer.loreft.R", l);
        copy_tensor(&a, R, &b, R, 3);
        free(R);
    }
    check_equal(&a, &b, fixture_param(&a, "layer.0.layer.loreft.b"));
}

/* Behind the last layer the head reads the first token: an edit of that token matters, and one of the last does not
 * (the shortest golden text has three tokens).  What a prompt puts in front of the text is not its first token. */
TEST(the_edited_tokens_are_those_of_the_text)
{
    static const struct {
        const char *edit, *without;
        bool matters;
    } of[] = {{"loreft:targets=1.layer,first=1", "", true},
              {"loreft:targets=1.layer,first=0,last=1", "", false},
              {"loreft:targets=1.layer,first=0,last=2", "", false},
              {"loreft:targets=1.layer,first=0,last=3", "", true},
              {"loreft:targets=1.layer,first=1+prompt:length=3", "prompt:length=3", true},
              {"loreft:targets=1.layer,first=0,last=2+prompt:length=3", "prompt:length=3", false}};
    for (size_t i = 0; i < PB_COUNT(of); i++) {
        fixture a = fixture_open(of[i].edit, 3, 1), b = fixture_open(of[i].without, 3, 1);
        double off = fixture_apart(&a, &b, &fixture_batch);
        if (!CHECK(of[i].matters ? off > 1e-4 : off < EXACT))
            printf("  %s: %g\n", of[i].edit, off);
        fixture_close(&a);
        fixture_close(&b);
    }
}

TEST(a_model_that_generates_has_no_last_tokens)
{
    pb_testbed f;
    CHECK_INT(pb_testbed_open(&f, "tests/golden/families/llama-3", false, "loreft:last=1", 0, 0), -1);
    CHECK(strstr(pb_error_text(), "loreft: the last 1 tokens of a text: a model that generates") != NULL);
    pb_error_clear();
}

/* ---- UniPELT ----------------------------------------------------------------------------------------------------- */

/* With gates that read nothing, sigmoid(0 x + b) = g, the mixture is the composition of its parts scaled by g. */
static void check_gate(double g)
{
    fixture a = fixture_open("unipelt:rank=2,length=3,hidden=5,bottleneck=4", 3, 1);
    char *spec = pb_format("lora:rank=2,alpha=%g+prefix:length=3,mlp=yes,hidden=5+"
                           "adapter:bottleneck=4,act=relu,targets=mlp,norms=no,scale=%g",
                           2 * g, g);
    fixture b = fixture_open(spec, 3, 1);
    free(spec);
    fixture_stir(&a, 0.3);
    static const char *const gates[] = {"attn.q", "attn.v", "attn", "mlp"};
    for (size_t i = 0; i < PB_COUNT(gates); i++) {
        char *weight = pb_format("%s.unipelt.gate.weight", gates[i]),
             *bias = pb_format("%s.unipelt.gate.bias", gates[i]);
        set_at(&a, weight, 0);
        set_at(&a, bias, log(g / (1 - g)));
        free(weight);
        free(bias);
    }
    static const char *const names[][3] = {
        {"attn.q", "lora", "A"},         {"attn.q", "lora", "B"},         {"attn.v", "lora", "A"},
        {"attn.v", "lora", "B"},         {"attn", "prefix", "k.weight"},  {"attn", "prefix", "k.bias"},
        {"attn", "prefix", "v.weight"},  {"attn", "prefix", "v.bias"},    {"mlp", "houlsby", "down.weight"},
        {"mlp", "houlsby", "down.bias"}, {"mlp", "houlsby", "up.weight"}, {"mlp", "houlsby", "up.bias"}};
    for (size_t i = 0; i < PB_COUNT(names); i++) {
        char *from = pb_format("%s.unipelt.%s", names[i][0], names[i][2]);
        char *to = pb_format("%s.%s.%s", names[i][0], names[i][1], names[i][2]);
        copy_at(&a, from, &b, to, !strcmp(names[i][1], "prefix") ? g : 1);
        free(from);
        free(to);
    }
    copy_tensor(&a, "unipelt.embed", &b, "prefix.embed", 1);
    copy_tensor(&a, "unipelt.mlp.weight", &b, "prefix.mlp.weight", 1);
    copy_tensor(&a, "unipelt.mlp.bias", &b, "prefix.mlp.bias", 1);
    copy_tensor(&a, "head.weight", &b, "head.weight", 1);
    copy_tensor(&a, "head.bias", &b, "head.bias", 1);
    check_equal(&a, &b, fixture_param(&a, "layer.0.attn.unipelt.gate.weight"));
}

TEST(unipelt_with_constant_gates_is_the_composition_of_its_scaled_parts)
{
    check_gate(0.3);
    check_gate(0.9);
}

/* ---- DEFT -------------------------------------------------------------------------------------------------------- */

TEST(deft_starts_as_the_base_model)
{
    static const char *const spec[] = {"deft:rank=3,targets=*", "deft:rank=3,targets=*,projector=qr"};
    for (int i = 0; i < 2; i++) {
        fixture base = fixture_open("", 3, 1), f = fixture_open(spec[i], 3, 1);
        check_equal(&f, &base, fixture_param(&f, "layer.1.mlp.up.deft.R"));
    }
}

/* The weight of attn.v in layer 1 that the method folds into, and the tensors that make it. */
typedef struct folded {
    fixture f;
    const pb_site *site;
    const pb_real *weight;
    const pb_param *D, *P0, *R; /* R NULL: there is none */
} folded;

static folded fold(const char *spec)
{
    folded d = {.f = fixture_open(spec, 3, 1)};
    fixture_stir(&d.f, 0.3);
    pb_model_merge(d.f.model);
    for (int i = 0; i < pb_model_sites(d.f.model); i++) {
        const pb_site *s = pb_model_site(d.f.model, i);
        if (s->layer == 1 && !strcmp(s->role, "attn.v")) {
            d.site = s;
            d.weight = d.f.model->merged[2 * i].x;
        }
    }
    d.D = fixture_param(&d.f, "layer.1.attn.v.deft.D");
    d.P0 = fixture_param(&d.f, "layer.1.attn.v.deft.P0");
    d.R = pb_model_find(d.f.model, "layer.1.attn.v.deft.R");
    return d;
}

/* Column k of P = P0 + D, or with `positive` of relu(P): row o. */
static double P_at(const folded *d, bool start, bool positive, int o, int k)
{
    double p = (double)d->P0->x[o * d->P0->cols + k] + (start ? 0 : (double)d->D->x[o * d->D->cols + k]);
    return positive && p < 0 ? 0 : p;
}

TEST(deft_is_its_closed_form)
{
    folded d = fold("deft:rank=3");
    int in = d.site->in, out = d.site->out;
    double most = 0, changed = 0;
    for (int o = 0; o < out; o++)
        for (int i = 0; i < in; i++) {
            double w = (double)d.site->w->x[o * in + i], want = w;
            for (int k = 0; k < 3; k++) {
                double h = (double)d.R->x[k * in + i];
                for (int j = 0; j < out; j++)
                    h += (P_at(&d, true, true, j, k) - P_at(&d, false, true, j, k)) * (double)d.site->w->x[j * in + i];
                want += P_at(&d, false, false, o, k) * h;
            }
            most = fmax(most, fabs((double)d.weight[o * in + i] - want));
            changed = fmax(changed, fabs(want - w));
        }
    CHECK(changed > 0.1);
    CHECK_NEAR(most, 0, 100 * EXACT);
    fixture_close(&d.f);
}

/* What the columns of P read of the weight is gone. */
TEST(para_removes_a_subspace_of_the_outputs)
{
    folded d = fold("para:rank=3");
    int in = d.site->in, out = d.site->out;
    double most = 0, before = 0;
    CHECK(!d.R);
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < in; i++) {
            double after = 0, was = 0;
            for (int o = 0; o < out; o++) {
                after += P_at(&d, false, false, o, k) * (double)d.weight[o * in + i];
                was += P_at(&d, false, false, o, k) * (double)d.site->w->x[o * in + i];
            }
            most = fmax(most, fabs(after));
            before = fmax(before, fabs(was));
        }
    CHECK(before > 0.1);
    CHECK_NEAR(most, 0, 100 * EXACT);
    fixture_close(&d.f);
}

/* ---- compositions ------------------------------------------------------------------------------------------------ */

static void check_resolved(const char *preset, const char *want)
{
    char *got = pb_method_spec_resolve(preset);
    if (!CHECK(!strcmp(got, want)))
        printf("  %s: %s\n", preset, got);
    free(got);
}

TEST(a_composition_s_preset_is_the_composition)
{
    check_resolved("mam:parallel.bottleneck=16,prefix.length=16",
                   "prefix:hidden=800,length=16,mlp=yes+"
                   "adapter:act=relu,bottleneck=16,kaiming=yes,norms=no,place=parallel,scale=4,targets=mlp");
    check_resolved("supra", "sparse:choose=magnitude,share=0.01,within=matrix+lora:targets=*");
    check_resolved("s4:lora.rank=2", "adapter:act=relu,bottleneck=15,norms=no,targets=0/6-5/6.mlp+"
                                     "prefix:length=15,targets=1/6-6/6.attn+"
                                     "lora:rank=2,targets=0/6-1/6.attn.[qv]* 5/6-6/6.attn.[qv]*+"
                                     "bitfit:only=3/6-6/6.*,others=no");
}

/* The layers of `layers`, as digits, that a pattern matches. */
static const char *matching(const char *pattern, int layers, char out[16])
{
    int n = 0;
    for (int l = 0; l < layers; l++)
        if (pb_site_in(pattern, &(pb_site){.layer = l, .layers = layers, .role = "attn.q"}))
            out[n++] = "0123456789ab"[l];
    out[n] = 0;
    return out;
}

TEST(a_share_of_the_layers_is_a_group_of_them)
{
    static const struct {
        const char *pattern;
        int layers;
        const char *want;
    } of[] = {{"0/6-1/6.attn.q", 12, "01"},     {"1/6-3/6.attn.*", 12, "2345"}, {"3/6-5/6.attn.q", 12, "6789"},
              {"5/6-6/6.attn.[qv]*", 12, "ab"}, {"1/6-3/6.attn.k", 12, ""},     {"0/6-1/6.attn.q", 2, "0"},
              {"1/6-3/6.attn.q", 2, "0"},       {"3/6-5/6.attn.q", 2, "1"},     {"1/3-2/3.attn.q", 4, "12"},
              {"0/1-1/1.attn.q", 3, "012"},     {"1/0-1/1.attn.q", 3, ""},      {"2/2-1/2.attn.q", 3, ""}};
    for (size_t i = 0; i < PB_COUNT(of); i++) {
        char got[16];
        if (!CHECK(!strcmp(matching(of[i].pattern, of[i].layers, got), of[i].want)))
            printf("  %s of %d: %s\n", of[i].pattern, of[i].layers, got);
    }
}

TEST(a_prefix_of_some_layers_is_not_written_as_pefts)
{
    char dir[] = "/tmp/peftbench-prefix-XXXXXX";
    PB_CHECK(mkdtemp(dir) != NULL);
    char *to = pb_format("%s/out", dir);
    fixture f = fixture_open("prefix:length=2,targets=1.attn", 3, 1);
    CHECK_INT(pb_adapter_save(f.model, to), -1);
    CHECK(strstr(pb_error_text(), "prefix: targets: layer 0 has no prefix") != NULL);
    pb_error_clear();
    fixture_close(&f);
    pb_remove_tree(dir);
    free(to);
}

/* ---- counts ------------------------------------------------------------------------------------------------------- */

/* The elements that a method adds to a network of layers of one width, at role layer. */
static double count_of_layers(const char *spec, int layers, int width)
{
    pb_attached part[PB_MAX_PARTS];
    int parts;
    double n = 0;
    pb_site *site = pb_alloc((size_t)layers * sizeof *site);
    const pb_site **sites = pb_alloc((size_t)layers * sizeof(pb_site *));
    for (int l = 0; l < layers; l++) {
        site[l] = (pb_site){.layer = l, .layers = layers, .role = "layer", .in = width, .out = width};
        sites[l] = &site[l];
    }
    fixture_method(part, spec);
    parts = 1;
    const pb_formula_network network = {.layers = layers, .width = width, .site = sites, .sites = layers};
    CHECK(!pb_count(part, &network, &n));
    pb_attached_free(part, parts);
    free(site);
    free(sites);
    return n;
}

/* Queries, keys and values in one projection have one LoRA. */
TEST(the_count_of_unipelt_holds_in_a_network_with_one_projection_for_all_three)
{
    pb_testbed f;
    PB_CHECK(!pb_testbed_open(&f, "tests/golden/families/gpt2", false, "unipelt:rank=2,length=3,hidden=5", 0, 0));
    double want, got = 0;
    CHECK(!pb_count_model(f.model, &want));
    for (size_t i = 0; i < f.model->params; i++)
        got += f.model->param[i]->kind == PB_ADDED ? (double)pb_param_elements(f.model->param[i]) : 0;
    CHECK_NEAR(got, want, 0);
    pb_testbed_close(&f);
}

/* 0.015 % of 125 M and 0.014 % of 355 M in the paper's table for GLUE. */
TEST(loreft_trains_as_much_as_published)
{
    CHECK_NEAR(count_of_layers("loreft", 12, 768) / 125e6 * 100, 0.015, 0.03);
    CHECK_NEAR(count_of_layers("loreft", 24, 1024) / 355e6 * 100, 0.014, 0.03);
}
