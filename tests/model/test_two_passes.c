/* Batches that run twice (the hook `consistency`). */
#include "fixture.h"

/* Builds and plans a training batch with a key, and marks what its passes have drawn. */
static void draw(fixture *r, uint64_t key)
{
    pb_arena_reset(r->arena);
    r->graph = pb_graph_new(r->arena, true);
    CHECK_INT(pb_model_build(r->model, r->graph, &fixture_batch, 0.1, key, &r->out), 0);
    CHECK_INT(pb_graph_plan(r->graph, r->out.logits, r->out.loss, &r->plan), 0);
    for (int i = 0; i < pb_model_params(r->model); i++)
        pb_model_param(r->model, i)->reached = false;
    pb_graph_mark_reached(r->graph);
}

/* ---- what runs once ---------------------------------------------------------------------------------------------- */

/* A method that draws, or takes memory, in one place. */
typedef enum place { NOWHERE, EMBEDDINGS, MEMORY_BELOW, BELOW, ABOVE, PLACES } place;

static int embeds, blocks, remembered;

static pb_node *embed_and_count(pb_build *b, pb_node *x)
{
    embeds++;
    if (*(const place *)pb_conf(b) == EMBEDDINGS)
        CHECK(pb_draw(b, 5) < 5);
    return x;
}

static pb_node *count_and_draw(pb_build *b, const pb_site *site, pb_node *x, pb_node *y)
{
    (void)x;
    place here = *(const place *)pb_conf(b);
    blocks++;
    if (here == BELOW + (place)site->layer && !strcmp(site->role, "mlp"))
        CHECK(pb_draw(b, 5) < 5);
    if (here == MEMORY_BELOW)
        remembered = ++*(int *)pb_memo(b, sizeof(int));
    return y;
}

static pb_node *compare_passes(pb_build *b, pb_node *first, pb_node *second)
{
    return pb_op_consistency(b->graph, first, second);
}

/* The network has two layers of two sublayers. */
TEST(what_is_in_front_of_the_first_draw_runs_once)
{
    static const pb_method counter = {.name = "counter",
                                      .conf_size = sizeof(place),
                                      .embed = embed_and_count,
                                      .block = count_and_draw,
                                      .consistency = compare_passes};
    static const struct {
        int embeds, blocks;
    } want[PLACES] = {
        [NOWHERE] = {1, 4 + 2}, [EMBEDDINGS] = {2, 8}, [MEMORY_BELOW] = {1, 8}, [BELOW] = {1, 8}, [ABOVE] = {1, 4 + 2}};
    for (place here = 0; here < PLACES; here++) {
        pb_model *m = pb_model_open(&(pb_opening){.path = TINY, .classes = 3});
        if (!CHECK(m && !pb_model_attach(m, &(pb_attached){&counter, &here}, 1)))
            continue;
        fixture r = {.model = m, .arena = pb_arena_new("passes")};
        embeds = blocks = 0;
        draw(&r, 1);
        CHECK_INT(embeds, want[here].embeds);
        CHECK_INT(blocks, want[here].blocks);
        pb_arena_reset(r.arena);
        embeds = blocks = 0; /* scoring runs once */
        CHECK(!pb_model_build(m, pb_graph_new(r.arena, false), &fixture_batch, 0, 1, &r.out) && blocks == 4);
        pb_arena_free(r.arena);
        pb_model_free(m);
    }
    CHECK_INT(remembered, 4); /* each pass begins with empty memory */
}
