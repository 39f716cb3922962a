/* Formulas of the number of elements that a method adds and trains. */
#include "test.h"

#include <stdlib.h>

#include "base/rng.h"
#include "model/formula.h"

typedef struct conf {
    int rank, act, in;
    double share;
    bool dora, bias;
    const char *rank_pattern, *inputs;
} conf;

static const pb_option options[] = {
    PB_OPTION(conf, rank, INT, "8", 1, 4096, ""),  PB_OPTION(conf, act, CHOICE, "relu", "gelu|relu|tanh", ""),
    PB_OPTION(conf, share, REAL, "0.5", 0, 1, ""), PB_OPTION(conf, dora, BOOL, "yes", ""),
    PB_OPTION(conf, bias, BOOL, "no", ""),         PB_OPTION(conf, rank_pattern, TEXT, "1.attn.q=3", ""),
    PB_OPTION(conf, inputs, TEXT, "mlp.*", ""),    {0},
};

/* Two projections in layer 0 and one in layer 1. */
static const pb_site site[] = {{.layer = 0, .role = "attn.q", .in = 10, .out = 6},
                               {.layer = 0, .role = "mlp.up", .in = 10, .out = 40},
                               {.layer = 1, .role = "attn.q", .in = 10, .out = 6}};
static const pb_site *const sites[] = {&site[0], &site[1], &site[2]};
static const pb_formula_network network = {
    .layers = 4, .width = 10, .kv = 6, .heads = 2, .vocab = 96, .intermediate = 40, .site = sites, .sites = 3};

/* The value, or -1 with an error. */
static double value_of(const char *formula, const pb_formula_network *n)
{
    pb_method method = {.name = "m", .count = formula, .settings = {options, sizeof(conf)}};
    conf c;
    double value;
    pb_option_defaults(options, &c);
    int rc = pb_count(&(pb_attached){&method, &c}, n, &value);
    pb_option_release(options, &c);
    return rc ? -1 : value;
}

static void equals(const char *formula, double want)
{
    double got = value_of(formula, &network);
    if (!CHECK(got == want))
        printf("  %s: got %g, want %g: %s\n", formula, got, want, pb_error_text());
    pb_error_clear();
}

TEST(arithmetic)
{
    equals("model: 1+2*3-4/2", 5);
    equals("model: (1+2)*3-(4-2)-1", 6);
    equals("model: 24/4/2 + 7 - 2 - 1", 7);
    equals("model: --3 - -2 + 0.5*4", 7);
    equals("model: min(3, 4) + 10*max(3,4) + floor(7/2) + ceil(7/2) + sqrt(49) + factor(12, 0-1) + factor(12, 2) + "
           "factor(12, 5)",
           3 + 40 + 3 + 4 + 7 + 3 + 2 + 3);
    equals("model: (3<4) + (3<=3) + (4>3) + (3>=4) + (3==3) + (3!=3)", 4);
    equals("model: floor(sqrt(8*(10+40)))*floor(sqrt(8*(10+40)))", 400);
    equals("model: gcd(24, 32) + gcd(32, 24) + gcd(7, 7) + gcd(1, 5)", 8 + 8 + 7 + 1);
    CHECK(value_of(NULL, &network) == 0);
}

TEST(settings_and_sizes)
{
    equals("model: rank", 8);
    equals("model: act*100 + dora*10 + bias", 110);
    equals("model: share*vocab", 48);
    equals("model: layers + 10*kv + 100*heads + 1000*sites + 10000*width + 1000000*intermediate",
           4 + 60 + 200 + 3000 + 100000 + 40000000);
}

TEST(a_part_is_counted_for_sites_layers_or_once)
{
    equals("in*out", 60 + 400 + 60);
    equals("site: in*out", 60 + 400 + 60);
    equals("layer: 1", 2);
    equals("layer: 1 + layer", 3);
    equals("model: 7; layer: width ;site:out", 7 + 20 + 52);
}

TEST(queries_keys_and_values_in_one_projection)
{
    const pb_site qkv = {.role = "attn.qkv", .in = 10, .out = 30}, *const list[] = {&qkv, &site[1]};
    const pb_formula_network fused = {.layers = 1, .width = 10, .kv = 10, .site = list, .sites = 2};
    CHECK(value_of("out - fused*2*kv", &fused) == 10 + 40);
}

TEST(a_site_has_its_own_settings)
{
    equals("rank*(in+out)", 8 * 16 + 8 * 50 + 3 * 16);
    equals("inputs*in + (1-inputs)*out", 6 + 10 + 6);
    equals("model: inputs + rank", 8);
}

TEST(abbreviations)
{
    equals("s = in+out; rank*s", 8 * 16 + 8 * 50 + 3 * 16);
    equals("a=1+1;b = a*a ; model: b*b; layer: a", 16 + 4);
}

TEST(a_network_without_targeted_sites)
{
    const pb_formula_network none = {.layers = 4, .width = 10};
    CHECK(value_of("in/out", &none) == 0);
    CHECK(value_of("model: width; out", &none) == 10);
    CHECK(value_of("model: width; out+", &none) == -1);
    pb_error_clear();
}

static void refused(const char *formula, const char *message)
{
    CHECK(value_of(formula, &network) == -1);
    CHECK_TEXT(pb_error_text(), message);
    pb_error_clear();
}

TEST(errors_name_the_column)
{
    refused("rank*(in+out", "m: count, column 13: want ')', got the end");
    refused("rank*(in+out))", "m: count, column 14: want an operator or ';', got ')'");
    refused("rnk*in", "m: count, column 1: 'rnk' is neither a setting of the method nor a size");
    refused("rank*", "m: count, column 6: want a number, a name or '(', got the end");
    refused("", "m: count, column 1: want a number, a name or '(', got the end");
    refused("out;", "m: count, column 5: want a number, a name or '(', got the end");
    refused("rank in", "m: count, column 6: want an operator or ';', got 'i'");
    refused("model: in", "m: count, column 8: 'in' has no value in a part `model:`");
    refused("layer: out", "m: count, column 8: 'out' has no value in a part `layer:`");
    refused("block: out", "m: count, column 1: want site:, layer: or model:, got 'block:'");
    refused("power(2,3)",
            "m: count, column 6: no function 'power'; there are min, max, factor, gcd, floor, ceil and sqrt");
    refused("model: gcd(4,0)", "m: count, column 16: gcd(4, 0): want two whole numbers, both positive");
    refused("min(2)", "m: count, column 6: want ',' and a second argument, got ')'");
    refused("floor(2,3)", "m: count, column 8: want ')', got ','");
    refused("1; in/4", "m: count, column 4: the value is 2.5, want a whole number of elements");
    refused("in/(rank-rank)", "m: count, column 1: the value is inf, want a whole number of elements");
    refused("out-in", "m: count, column 1: the value is -4, want a whole number of elements");
    refused("s = 1", "m: count, column 6: want ';' and what is counted, got the end");
    refused("s = 1+; s", "m: count, column 7: want a number, a name or '(', got ';'");
    refused("s = s; s", "m: count, column 5: more than 64 parentheses, signs and names are nested");
    refused("a=1;b=1;c=1;d=1;e=1;f=1;g=1;h=1;i=1;1", "m: count, column 33: more than 8 names");
    refused("1..2", "m: count, column 3: want an operator or ';', got '.'");
    refused(".", "m: count, column 1: want a number, got '.'");
}

TEST(nested_without_end)
{
    for (const char *c = "(-"; *c; c++) {
        char deep[100001];
        memset(deep, *c, sizeof deep - 1);
        deep[sizeof deep - 1] = 0;
        CHECK(value_of(deep, &network) == -1);
        CHECK(strstr(pb_error_text(), "more than 64 parentheses, signs and names are nested") != NULL);
        pb_error_clear();
    }
}

/* A formula is part of a plugin, which anyone may write: any text has a value or an error. */
TEST(any_text_has_a_value_or_an_error)
{
    static const char *const words[] = {"rank", "in", "out", "(", ")", "+", "-",     "*",  "/",      "min(", "floor(",
                                        ",",    "1",  "2.",  ";", ":", "=", "site:", "<=", "model:", "%",    " "};
    pb_rng rng = pb_rng_named(1, "formulas");
    int values = 0;
    for (int i = 0; i < 20000; i++) {
        char text[128] = "";
        for (int k = (int)pb_rng_below(&rng, 12); k >= 0; k--)
            strcat(text, words[pb_rng_below(&rng, PB_COUNT(words))]);
        double value = value_of(text, &network);
        values += value >= 0;
        CHECK(value >= 0 ? value == floor(value) : strstr(pb_error_text(), "m: count, column ") != NULL);
        pb_error_clear();
    }
    CHECK(values > 100 && values < 19000);
}
