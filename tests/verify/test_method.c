/* The conformance suite of `peftbench verify` over every method of methods/ and some compositions, on the tiny BERT and
 * on the tiny decoders of tests/golden.  A new file in that folder is held to all of it without a change here. */
#include "test.h"

#include <stdlib.h>

#include "model/config_writer.h"
#include "model/preset.h"
#include "verify/verify.h"

static const char *const compositions[] = {"lora+prefix",
                                           "lora+houlsby",
                                           "bitfit+ia3",
                                           "prompt+lora:dropout=0.2",
                                           "lora:targets=*",
                                           "sparse:choose=snip,within=matrix,share=0.1",
                                           "prefix:mlp=yes,hidden=8",
                                           "lst:reduction=2+prompt:length=3",
                                           "prefix:length=2+lora+lst",
                                           "last-k:k=1+layernorm",
                                           "lora:dora=yes",
                                           "bitfit+lora:dora=yes,targets=*",
                                           "lora:dora=yes+ia3"};

static void tell(void *ctx, const char *check, pb_outcome outcome, const char *why)
{
    if (!CHECK(outcome != PB_BROKEN))
        printf("  %s: %s: %s\n", (const char *)ctx, check, why);
}

static void hold(const pb_fixture *g, const char *spec)
{
    if (!CHECK(pb_verify(g, spec, tell, (void *)(uintptr_t)spec) >= 0))
        printf("  %s: %s\n", spec, pb_error_text());
}

static void hold_all(const pb_fixture *g)
{
    for (const pb_method *const *m = pb_methods; *m; m++)
        hold(g, (*m)->name);
    const pb_method *of;
    const pb_preset *p;
    for (int i = 0; (p = pb_preset_at(i, &of)); i++)
        hold(g, p->name);
    for (size_t i = 0; i < PB_COUNT(compositions); i++)
        hold(g, compositions[i]);
}

TEST(every_method_keeps_its_promises_on_an_encoder)
{
    hold_all(&(pb_fixture){.path = "tests/golden/tiny-bert"});
}

TEST(every_method_keeps_its_promises_on_a_decoder)
{
    hold_all(&(pb_fixture){.path = "tests/golden/families/llama-3", .decoder = true});
}

TEST(every_method_keeps_its_promises_on_a_decoder_with_biases)
{
    static const pb_network_shape shape = {
        .layers = 2, .width = 24, .heads = 4, .kv_heads = 2, .intermediate_size = 40, .positions = 64, .bias = true};
    char folder[] = "/tmp/peftbench-XXXXXX";
    CHECK(mkdtemp(folder) && !pb_network_config_write(folder, PB_CAUSAL, &shape, 96));
    hold_all(&(pb_fixture){.path = folder, .random = true, .decoder = true});
    pb_remove_tree(folder);
}

TEST(an_unknown_method_is_an_error)
{
    CHECK(pb_verify(&(pb_fixture){.path = "tests/golden/tiny-bert"}, "lorra", tell, NULL) < 0);
    CHECK(strstr(pb_error_text(), "no method 'lorra'") != NULL);
    pb_error_clear();
}
