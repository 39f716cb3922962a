/* Numbers of trained parameters that papers print, by networks of the same shapes.  The task's head does not count.  A
 * number is one row of `published`. */
#include "test.h"

#include <stdlib.h>

#include "model/config_writer.h"
#include "model/method_spec.h"

#define SHAPE(l, w, h)                                                                                                 \
    {                                                                                                                  \
        .layers = l, .width = w, .heads = h, .kv_heads = h, .intermediate_size = 4 * (w), .positions = 512             \
    }

static const pb_network_shape bert_base = SHAPE(12, 768, 12);     /* of RoBERTa-base too */
static const pb_network_shape t5_large = SHAPE(48, 1024, 16);     /* 24 layers of the encoder and 24 of the decoder */
static const pb_network_shape t5_attention = SHAPE(72, 1024, 16); /* the decoder attends to the encoder too */
static const pb_network_shape bert_large =
    SHAPE(24, 1024, 16); /* of RoBERTa-large; of GPT-2 medium, with q, k, v apart */

static const pb_network_shape gpt2_large = SHAPE(36, 1280, 20);
static const pb_network_shape t5_prompted = SHAPE(2, 1024, 16); /* T5-large, of which a prompt reads the width only */
static const pb_network_shape t5_base_prompted = SHAPE(2, 768, 12);
static const pb_network_shape gpt3 = SHAPE(96, 12288, 96);
static const pb_network_shape llama_7b = SHAPE(32, 4096, 32); /* its MLP is narrower, which no row depends on */

typedef struct count {
    const char *spec;
    const pb_network_shape *shape;
    long long want;
    double printed, unit; /* the number in the paper and its last digit; unit 0: the paper prints `want` */
    const char *source;
} count;

static const count published[] = {
    {"lora:rank=8", &bert_base, 294912, 0.3e6, 1e5, "LoRA, arXiv:2106.09685: RoBERTa-base"},
    {"lora:rank=8", &bert_large, 786432, 0.8e6, 1e5, "the same: RoBERTa-large"},
    {"lora:rank=1", &gpt3, 4718592, 4.7e6, 1e5, "the same: GPT-3"},
    {"lora:rank=8", &gpt3, 37748736, 37.7e6, 1e5, "the same: GPT-3"},
    {"fourierft", &bert_base, 24000, 0.024e6, 1e3, "FourierFT, arXiv:2405.03003: RoBERTa-base"},
    {"c3a", &bert_base, 18432, 0.018e6, 1e3, "C3A, arXiv:2407.19342: RoBERTa-base, b = 768"},
    {"c3a:parts=6", &bert_base, 110592, 0, 0, "the same, b = 128: 24 * 768 * 768 / 128, as its formula gives"},
    {"adapter:norms=no,bottleneck=8", &bert_large, 835968, 0.8e6, 1e5,
     "LoRA, arXiv:2106.09685: RoBERTa-large, Adapter^H"},
    {"pfeiffer:bottleneck=16", &bert_large, 811392, 0.8e6, 1e5, "the same, Adapter^P"},
    {"pfeiffer", &bert_base, 894528, 0.9e6, 1e5, "the same: RoBERTa-base"},
    {"lin:bottleneck=6", &bert_large, 368784, 0.37e6, 1e4, "the same: GPT-2 medium, Adapter^L"},
    {"lin:bottleneck=224", &bert_large, 11089152, 11.09e6, 1e4, "the same"},
    {"lin:bottleneck=8", &gpt2_large, 875808, 0.88e6, 1e4, "the same: GPT-2 large, Adapter^L"},
    {"lin:bottleneck=248", &gpt2_large, 23002848, 23.00e6, 1e4, "the same"},
    {"pfeiffer:bottleneck=64", &t5_large, 6343680, 0, 0, "Lialin et al. 2023, code of version 2: T5-large"},
    {"houlsby:norms=no", &t5_large, 12687360, 0, 0, "the same"},
    {"red", &bert_base, 18432, 0.02e6, 1e4, "RED, arXiv:2402.15179: RoBERTa-base"},
    {"red", &bert_large, 49152, 0.05e6, 1e4, "the same: RoBERTa-large"},
    {"red", &llama_7b, 262144, 0.26e6, 1e4, "the same: LLaMA-2 7B"},
    {"bitfit-qi", &bert_base, 46080, 0.0004 * 110e6, 0.0001 * 110e6, "BitFit, arXiv:2106.10199: 0.04 % of BERT-base"},
    {"beft", &bert_base, 9216, 0.0001 * 110e6, 0.0001 * 110e6, "BEFT, arXiv:2509.15974: 0.01 % of BERT-base"},
    {"vera:rank=1024", &bert_base, 43008, 0.043e6, 1e3, "VeRA, arXiv:2310.11454: RoBERTa-base"},
    {"vera:rank=256", &bert_large, 61440, 0.061e6, 1e3, "VeRA, arXiv:2310.11454: RoBERTa-large"},
    {"vera:rank=1024", &bert_large, 98304, 0.098e6, 1e3, "VeRA, arXiv:2310.11454: GPT-2 medium"},
    {"compacter:bottleneck=32,norms=no", &t5_large, 304192, 0, 0, "Lialin et al. 2023, code of version 2: T5-large"},
    {"compacter-pp:bottleneck=32,norms=no", &t5_large, 152128, 0, 0, "the same"},
    {"lokr", &t5_attention, 221184, 0, 0, "the same"},
    {"lora-xs:rank=4", &bert_large, 1536, 1.5e3, 100, "LoRA-XS, arXiv:2405.17604: RoBERTa-large"},
    {"lora-xs:rank=25", &bert_large, 60000, 60e3, 1e3, "LoRA-XS, arXiv:2405.17604: RoBERTa-large"},
    {"prompt:length=100", &t5_prompted, 102400, 102e3, 1e3, "Xiao et al. 2023, arXiv:2310.10094: PT, T5-large"},
    {"lopt:length=100,rank=10", &t5_prompted, 11240, 11.2e3, 1e2, "the same: DPT"},
    {"residual-prompt:length=100", &t5_prompted, 925072, 925e3, 1e3, "the same: Res PT"},
    {"dept", &t5_base_prompted, 76800, 76.8e3, 1e2, "DePT, arXiv:2309.05173: T5-base"},
    {"mpt:length=100", &t5_base_prompted, 77668, 0, 0, "MPT, arXiv:2303.02861: 0.035 % of T5-base"},
    {"llama-adapter", &llama_7b, 1229760, 1.2e6, 1e5, "LLaMA-Adapter, arXiv:2303.16199: LLaMA-7B"},
    {"tinylora:u=13,tie=1", &bert_large, 13, 13, 0, "TinyLoRA, arXiv:2602.04118: all weights share 13 numbers"},
};

static long long trained_by(const pb_model *m)
{
    long long sum = 0;
    for (int i = 0; i < pb_model_params(m); i++) {
        const pb_param *p = pb_model_param(m, i);
        sum += p->trainable && p->kind != PB_HEAD ? (long long)p->rows * p->cols : 0;
    }
    return sum;
}

static void check_count(const count *c)
{
    char folder[] = "/tmp/peftbench-XXXXXX";
    pb_attached part[PB_MAX_PARTS];
    int parts;
    CHECK_INT(pb_attached_parse(c->spec, part, &parts), 0);
    CHECK(mkdtemp(folder) && !pb_network_config_write(folder, PB_MASKED, c->shape, 96));
    pb_model *m = pb_model_open(&(pb_opening){.path = folder, .classes = 2, .shapes_only = true});
    bool good = CHECK(m && !pb_model_attach(m, part, parts)) && CHECK_INT(trained_by(m), c->want);
    good = CHECK(c->unit ? fabs(c->printed - (double)c->want) <= c->unit / 2 : true) && good;
    if (!good)
        printf("  %s (%s)\n", c->spec, c->source);
    pb_model_free(m);
    pb_attached_free(part, parts);
    pb_remove_tree(folder);
}

TEST(methods_train_as_many_parameters_as_their_papers_print)
{
    for (size_t i = 0; i < PB_COUNT(published); i++)
        check_count(&published[i]);
}
