/* model_card: see model_card.h. */
#include "cli/model_card.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"

#define CURVE_ROWS 12

static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void add_network(pb_text *t, const char *ini, const pb_pretrain_options *o, const pb_network_shape *s,
                        const pb_pretrained *p)
{
    bool masked = o->objective == PB_MASKED;
    pb_text_add(t, "# %s\n\n", last_name(o->output));
    pb_text_add(t,
                "A small English %s of %.2f million parameters: %d layers, hidden size %d, %d heads, intermediate size "
                "%d, %d\npositions, a byte-level BPE tokenizer of %d entries%s. transformers loads it\nas %s. Its "
                "weights are stored in bf16.\n\n",
                masked ? "encoder" : "decoder", (double)p->parameters / 1e6, s->layers, s->width, s->heads,
                s->intermediate_size, s->positions, o->vocabulary, masked ? " over lower-cased words" : "",
                masked ? "BERT" : "Llama");
    pb_text_add(t, "The model was made with\n\n```sh\npeftbench pretrain %s\n```\n\n", ini);
    if (masked)
        pb_text_add(t,
                    "**Objective.** Masked language modelling: in %.0f %% of the text segments, %.0f %% of the words "
                    "are targets (80 %% of\nthem are masked, 10 %% are replaced).",
                    100 * o->masked_segments, 100 * o->masked);
    else
        pb_text_add(t, "**Objective.** Causal language modelling: the next token.");
    if (*o->teacher) {
        pb_text_add(t, " Distillation:\na linear map of the last hidden states is trained to match those of %s",
                    last_name(o->teacher));
        if (o->teacher_layers)
            pb_text_add(t, " after its layer %d", o->teacher_layers);
        pb_text_add(t, " (mean squared error, weight\n%g), averaged over each word, and at [CLS] over the whole text.",
                    o->teacher_weight);
    }
    pb_text_add(t, "\n\n");
}

static void add_texts(pb_text *t, const pb_corpus *c, const pb_pretrained *p)
{
    double all = 0, seen = p->curve.points ? p->curve.point[p->curve.points - 1].tokens : 0;
    pb_text_add(t, "## Texts\n\n| source | licence | documents | removed | MB | tokens | repeats per epoch |\n"
                   "|---|---|---:|---:|---:|---:|---:|\n");
    for (int i = 0; i < c->sources; i++) {
        const pb_source *s = &c->source[i];
        all += (double)s->tokens * s->repeat;
        pb_text_add(t, "| %s | %s | %zu | %zu | %.1f | %zu | %d |\n", s->name, s->licence, s->documents,
                    s->contaminated, (double)s->bytes / 1e6, s->tokens, s->repeat);
    }
    pb_text_add(
        t,
        "\nRemoved: documents that share eight consecutive words with a text of the excluded files (the data on which "
        "models are\ntested). The model was trained on %.1f million tokens, %.1f epochs.\n\n",
        seen / 1e6, seen / fmax(1, all));
}

static void add_curve(pb_text *t, const pb_pretrain_options *o, const pb_pretrained *p)
{
    double seconds = p->curve.points ? p->curve.point[p->curve.points - 1].seconds : 0;
    size_t step = 1 + p->curve.points / CURVE_ROWS;
    pb_text_add(t, "## Training\n\n%.2f hours, %d steps of about %d tokens, AdamW, peak learning rate %g;\n%s.\n\n",
                seconds / 3600, p->steps, o->batch, o->lr, pb_host_name());
    pb_text_add(t, "| million tokens | hours | loss | held-out loss (nats per target) |\n|---:|---:|---:|---:|\n");
    for (size_t i = 0; i < p->curve.points; i++)
        if (i % step == 0 || i + 1 == p->curve.points)
            pb_text_add(t, "| %.1f | %.2f | %.3f | %.3f |\n", p->curve.point[i].tokens / 1e6,
                        p->curve.point[i].seconds / 3600, p->curve.point[i].loss, p->curve.point[i].heldout);
    pb_text_add(t, "\nOn all held-out text: %.3f nats per target, perplexity %.2f", p->heldout, exp(p->heldout));
    if (o->objective == PB_CAUSAL)
        pb_text_add(t, ", %.4f bits per byte", p->bits_per_byte);
    pb_text_add(t, ".\n");
}

int pb_model_card_write(const char *ini, const pb_pretrain_options *o, const pb_network_shape *shape,
                        const pb_corpus *c, const pb_pretrained *p)
{
    pb_text t = {0};
    add_network(&t, ini, o, shape, p);
    add_texts(&t, c, p);
    add_curve(&t, o, p);
    char *path = pb_format("%s/README.md", o->output);
    int rc = pb_write_file(path, t.data, t.length);
    free(path);
    pb_text_free(&t);
    return rc;
}
