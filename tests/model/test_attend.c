/* Attentions of methods' own beside the base model (pb_attend): one cache each, with positions as the base has them. */
#include "fixture.h"

#include "util.h"

#include "model/internal.h"
#include "model/kv_cache.h"
#include "model/rope.h"

#define FAMILIES "tests/golden/families"

/* ---- methods that cannot be decoded ------------------------------------------------------------------------- */

static pb_node *attend_with(pb_build *b, const pb_site *site, pb_node *x, int heads)
{
    pb_node *q = pb_op_linear(b->graph, x, pb_added(b, site, "q", 12, site->in, pb_init_normal(1)), NULL);
    pb_node *k = pb_op_linear(b->graph, x, pb_added(b, site, "k", 12, site->in, pb_init_normal(1)), NULL);
    return pb_attend(b, site, heads, q, k, k);
}

static pb_node *attend_twice(pb_build *b, const pb_site *site, pb_node *x, pb_node *y)
{
    attend_with(b, site, x, 2);
    pb_node *again = attend_with(b, site, x, 2);
    return again ? y : NULL;
}

static pb_node *attend_oddly(pb_build *b, const pb_site *site, pb_node *x, pb_node *y)
{
    return attend_with(b, site, x, 4) ? y : NULL;
}

static pb_node *base_twice(pb_build *b, const pb_site *site, pb_node *q, pb_node *k, pb_node *v)
{
    return pb_op_add(b->graph, pb_inner_attention(b, site, q, k, v), pb_inner_attention(b, site, q, k, v));
}

static void refuse(const pb_method *method, const char *why)
{
    pb_model *m = pb_model_open(&(pb_opening){.path = FAMILIES "/llama-3"});
    CHECK(m && pb_model_attach(m, &(pb_attached){method, NULL}, 1) < 0);
    CHECK_TEXT(pb_error_text(), why);
    pb_error_clear();
    pb_model_free(m);
}

TEST(one_attention_at_a_site)
{
    refuse(&(pb_method){.name = "twice", .hooks.block = attend_twice},
           "twice: attention is computed twice at site 0.attn, want once, since it has one KV cache");
    refuse(&(pb_method){.name = "base", .hooks.attention = base_twice},
           "base: attention is computed twice at site 0.attn, want once, since it has one KV cache");
}

TEST(rotated_heads_have_an_even_size)
{
    refuse(&(pb_method){.name = "odd", .hooks.block = attend_oddly},
           "odd: the hook `block` at 0.attn: rope: want tokens with whole heads of an even size, got [1,12] and 3");
}

/* ---- what a cache holds -------------------------------------------------------------------------------------- */

static void check_bytes(const char *family, const char *spec, double want)
{
    char *path = pb_format(FAMILIES "/%s", family);
    fixture r;
    if (pb_testbed_open(&r, path, false, spec, 0, 0))
        PB_BUG("%s", pb_error_text());
    CHECK_NEAR(pb_kv_cache_added_bytes(r.model), want, 0);
    fixture_close(&r);
    free(path);
}

/* gpt2 has 2 layers of 20 columns and 64 positions, llama-3 has 3 layers with 2 key heads of 6 columns.  The side network
 * of 20/4 columns has 8: 4 heads of an even size. */
TEST(a_cache_has_the_rows_in_front_and_those_of_own_attentions)
{
    check_bytes("gpt2", "", 0);
    check_bytes("gpt2", "prompt:length=5", 5 * 2 * 2 * 20 * 4);
    check_bytes("llama-3", "prefix:length=4", 4 * 3 * 2 * 12 * 4);
    check_bytes("gpt2", "lst:reduction=4", 64 * 2 * 2 * 8 * 4);
    check_bytes("gpt2", "lst:reduction=4,targets=1.layer", 64 * 1 * 2 * 8 * 4);
    check_bytes("gpt2", "lst:reduction=4+prompt:length=5", (5 * 20 + 64 * 8) * 2 * 2 * 4);
}

/* ---- positions ----------------------------------------------------------------------------------------------- */

/* Column pair i of heads of n columns turns by 10000^(-2i/n) a position, as if the network had such heads. */
static void check_frequencies(pb_model *m, int n)
{
    const pb_real *table = pb_rope_table(m, n, 60);
    for (int p = 0; p < 60; p += 7)
        for (int i = 0; i < n / 2; i++) {
            double angle = p * pow(10000, -2.0 * i / n);
            CHECK_NEAR(table[p * n + i], cos(angle), 1e-4);
            CHECK_NEAR(table[p * n + n / 2 + i], sin(angle), 1e-4);
        }
}

TEST(smaller_heads_turn_as_in_a_network_of_such_heads)
{
    pb_model *m = pb_model_open(&(pb_opening){.path = FAMILIES "/qwen3"}); /* heads of 8 columns, plain frequencies */
    if (!CHECK(m != NULL))
        return;
    check_frequencies(m, 8);
    check_frequencies(m, 4);
    check_frequencies(m, 2);
    CHECK(pb_rope_table(m, 8, 10) == pb_rope_table(m, 8, 60));
    pb_model_free(m);
}
