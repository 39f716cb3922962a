/* What hooks may call, and what they may return. */
#include "fixture.h"

#include <string.h>

#include "model/internal.h"

static pb_node *values_as_keys(pb_build *b, const pb_site *site, pb_node *x)
{
    return strcmp(site->role, "attn.k") ? pb_inner_linear(b, site, x) : pb_project(b, site, "attn.v", x);
}

static pb_node *double_values(pb_build *b, const pb_site *site, pb_node *x)
{
    return pb_op_times(b->graph, pb_inner_linear(b, site, x), strcmp(site->role, "attn.v") ? 1 : 2);
}

static const pb_method projecting = {.name = "projecting", .hooks.linear = values_as_keys},
                       doubling = {.name = "doubling", .hooks.linear = double_values},
                       everything = {.name = "everything", .hooks.select = pb_select_everything};

static fixture open_model(const pb_attached *part, int parts)
{
    fixture r = {.arena = pb_arena_new("hooks"), .executor = pb_executor_new()};
    r.model = pb_model_open(&(pb_opening){.path = TINY, .classes = 3});
    if (!r.model || pb_model_attach(r.model, part, parts))
        PB_BUG("%s", pb_error_text());
    return r;
}

static void set_doubled(pb_param *to, const pb_param *from)
{
    for (int i = 0; i < from->rows * from->cols; i++)
        to->x[i] = 2 * from->x[i];
}

/* The keys are the values as the other method makes them: those of a network whose weights say so. */
TEST(a_projection_of_the_layer_with_all_methods)
{
    fixture r = open_model((const pb_attached[]){{&projecting, NULL}, {&doubling, NULL}}, 2),
            want = open_model(&(pb_attached){&everything, NULL}, 1);
    for (int l = 0; l < pb_model_config(want.model)->layers; l++) {
        pb_site *site = want.model->layer[l].site;
        set_doubled(site[V].w, site[V].w);
        set_doubled(site[V].b, site[V].b);
        memcpy(site[K].w->x, site[V].w->x, pb_param_bytes(site[V].w));
        memcpy(site[K].b->x, site[V].b->x, pb_param_bytes(site[V].b));
    }
    fixture_forward(&r, &fixture_batch, false, 0);
    fixture_forward(&want, &fixture_batch, false, 0);
    const pb_node *got = pb_graph_output(r.graph), *expected = pb_graph_output(want.graph);
    for (int i = 0; i < got->rows * got->cols; i++)
        CHECK_NEAR((double)got->x[i], (double)expected->x[i], 1e-4);
    fixture_close(&r);
    fixture_close(&want);
}

static pb_node *nothing(pb_build *b, const pb_site *site, pb_node *x)
{
    (void)b, (void)site, (void)x;
    return NULL;
}

/* The contract wants an error with it; without one the program must not go on with a wrong graph, nor stop silently. */
TEST(a_hook_that_returns_null_without_an_error_is_named)
{
    static const pb_method method = {.name = "nothing", .hooks.linear = nothing};
    pb_model *m = pb_model_open(&(pb_opening){.path = TINY, .classes = 3});
    CHECK(m && pb_model_attach(m, &(pb_attached){&method, NULL}, 1) == -1);
    if (!CHECK(strstr(pb_error_text(), "nothing: the hook `linear` at 0.attn.q returns NULL without an error")))
        printf("  %s\n", pb_error_text());
    pb_error_clear();
    pb_model_free(m);
}

/* What the functions without a graph node say of the targets attn.q and mlp.up of the two layers. */
static pb_node *asking(pb_build *b, const pb_site *site, pb_node *x)
{
    const char *one = pb_name(b, "%s.%d", site->role, 3), *two = pb_name(b, "other");
    CHECK(!strcmp(one, strcmp(site->role, "attn.q") ? "mlp.up.3" : "attn.q.3") && !strcmp(two, "other"));
    CHECK_INT(pb_count_targets(b, NULL), 4);
    CHECK_INT(pb_count_targets(b, "mlp.up"), 2);
    CHECK_INT(pb_count_targets(b, "attn.v"), 0);
    int seen = 0;
    PB_EACH_TARGET(b, s)
        seen += s->layer + 1;
    CHECK_INT(seen, 2 * (1 + 2));
    return site->layer ? pb_refuse("asking: %d, want %s", site->layer, "0") : pb_inner_linear(b, site, x);
}

PB_SETTINGS(TEXT(targets, "attn.q mlp.up", "projections"), INT(number, "7", 1, 9, "a number"),
            REAL(real, "0.5", 0, 1, "a share"), BOOL(yes, "yes", "a truth"), CHOICE(choice, "b", "a|b", "a letter"));

TEST(a_hook_asks_for_its_targets_and_refuses)
{
    static const pb_method method = {.name = "asking", .settings = {options, sizeof(conf)}, .hooks.linear = asking};
    conf c;
    pb_option_defaults(options, &c);
    CHECK(!strcmp(c.targets, "attn.q mlp.up") && c.number == 7 && c.real == 0.5 && c.yes && c.choice == 1);
    pb_model *m = pb_model_open(&(pb_opening){.path = TINY, .classes = 3});
    CHECK(m && pb_model_attach(m, &(pb_attached){&method, &c}, 1) == -1);
    CHECK(!strcmp(pb_error_text(), "asking: 1, want 0"));
    pb_error_clear();
    pb_model_free(m);
    pb_option_release(options, &c);
}
