/* Checkpoints of other families and adapters against what transformers and PEFT said of them
 * (tests/parity/make_families.py), and tokenizers (check_tokenizers.py). */
#include "test.h"

#include <math.h>
#include <stdlib.h>

#include "weights/blocks.h"
#include "base/json.h"
#include "model/adapter.h"
#include "model/apply.h"
#include "model/multi_adapter.h"
#include "model/family.h"

#define FAMILIES "tests/golden/families"

/* ---- lines of a .jsonl ------------------------------------------------------------------------------- */

typedef struct lines {
    char *text, *next;
} lines;

static lines open_lines(const char *folder, const char *name)
{
    char *path = pb_format("%s/%s", folder, name), *text = pb_read_file(path, NULL);
    if (!text)
        PB_BUG("%s", pb_error_text());
    free(path);
    return (lines){text, text};
}

static pb_json_doc *next_line(lines *l)
{
    size_t n = strcspn(l->next, "\n");
    pb_json_doc *doc = n ? pb_json_parse("golden", l->next, n) : NULL;
    l->next += n + (l->next[n] == '\n');
    return doc;
}

static pb_ids ids_of(const pb_json *list)
{
    pb_ids ids = {0};
    for (size_t i = 0; i < pb_json_size(list); i++)
        pb_ids_add(&ids, (int)pb_json_integer(pb_json_at(list, i), -1));
    return ids;
}

static void check_text(const pb_tokenizer *t, const pb_json *line)
{
    const pb_json *text = pb_json_get(line, "text"), *back = pb_json_get(line, "back");
    pb_ids want = ids_of(pb_json_get(line, "ids")), words = ids_of(pb_json_get(line, "words")), ids = {0}, word = {0};
    pb_text out = {0};
    pb_tokenizer_encode_words(t, pb_json_text(text, ""), pb_json_text_size(text), true, 0, &ids, &word);
    CHECK_INT(ids.count, want.count);
    CHECK(ids.count == want.count && (!ids.count || !memcmp(ids.id, want.id, ids.count * sizeof *ids.id)));
    if (pb_json_get(line, "words"))
        CHECK(word.count == words.count && (!word.count || !memcmp(word.id, words.id, word.count * sizeof *word.id)));
    pb_tokenizer_decode(t, want.id, want.count, true, &out);
    CHECK(out.length == pb_json_text_size(back) &&
          (!out.length || !memcmp(out.data, pb_json_text(back, ""), out.length)));
    pb_ids_free(&want);
    pb_ids_free(&words);
    pb_ids_free(&ids);
    pb_ids_free(&word);
    pb_text_free(&out);
}

/* ---- logits -------------------------------------------------------------------------------------------- */

/* The largest difference of a logit, relative to the largest. */
static double difference(const pb_node *n, const pb_json *rows)
{
    double worst = 0, largest = 1e-30;
    CHECK_INT((long long)pb_json_size(rows), n->rows);
    for (int i = 0; i < n->rows * n->cols; i++) {
        const pb_json *row = pb_json_at(rows, (size_t)(i / n->cols));
        double want = pb_json_number(pb_json_at(row, (size_t)(i % n->cols)), NAN);
        worst = fmax(worst, fabs(want - (double)n->x[i]));
        largest = fmax(largest, fabs(want));
    }
    return worst / largest;
}

static double worst_of(pb_model *m, const char *folder)
{
    lines l = open_lines(folder, "logits.jsonl");
    pb_apply *a = pb_apply_new(m);
    double worst = 0;
    for (pb_json_doc *doc; (doc = next_line(&l)); pb_json_free(doc)) {
        pb_ids ids = ids_of(pb_json_get(pb_json_root(doc), "ids"));
        const int offset[] = {0, (int)ids.count};
        const pb_node *n = pb_apply_run(a, &(pb_batch){.sequences = 1, .offset = offset, .ids = ids.id});
        worst = n ? fmax(worst, difference(n, pb_json_get(pb_json_root(doc), "logits"))) : (double)INFINITY;
        pb_ids_free(&ids);
    }
    pb_apply_free(a);
    free(l.text);
    return worst;
}

static pb_model *open_family(const char *folder, pb_precision precision)
{
    pb_model *m = pb_model_open(&(pb_opening){.path = folder, .base.precision = (int)precision});
    if (!m)
        PB_BUG("%s", pb_error_text());
    return m;
}

TEST(logits_are_those_of_transformers)
{
    static const char *const names[] = {"roberta", "distilbert-masked", "gpt2", "llama-3", "qwen3"};
    for (size_t i = 0; i < PB_COUNT(names); i++) {
        char *folder = pb_format(FAMILIES "/%s", names[i]);
        pb_model *m = open_family(folder, PB_IN_FP32);
        CHECK_INT(pb_model_attach(m, NULL, 0), 0);
        CHECK(worst_of(m, folder) < 1e-5);
        pb_model_free(m);
        free(folder);
    }
}

/* Of a family with rotary positions, and of one with tables of positions and types. */
static void check_precisions(const char *folder)
{
    static const double bound[PB_PRECISIONS] = {1e-5, 0.05, 0.1, 1};
    for (int p = PB_IN_FP32; p < PB_PRECISIONS; p++) {
        pb_model *m = open_family(folder, (pb_precision)p);
        CHECK_INT(pb_model_attach(m, NULL, 0), 0);
        double worst = worst_of(m, folder);
        CHECK(worst < bound[p] && (p == PB_IN_FP32 || worst > 1e-4));
        pb_model_free(m);
    }
}

/* Checkpoints that say one thing in config.json and another in their files (tests/parity/make_variants.py). */
TEST(heads_ties_and_padding_are_those_of_transformers)
{
    static const char *const names[] = {
        "pad-is-end",        "pad-gpt2",           "pad-absent",      "tied-own-head",       "untied-gpt2",
        "untied-bert",       "tied-own-head-gpt2", "untied-roberta",  "tied-two-biases",     "keys-by-default",
        "untied-distilbert", "relu-roberta",       "tied-head-alone", "tied-head-alone-bert"};
    for (size_t i = 0; i < PB_COUNT(names); i++) {
        char *folder = pb_format("tests/golden/variants/%s", names[i]);
        pb_model *m = open_family(folder, PB_IN_FP32);
        CHECK_INT(pb_model_attach(m, NULL, 0), 0);
        if (!CHECK(worst_of(m, folder) < 1e-5))
            printf("  %s\n", names[i]);
        pb_model_free(m);
        free(folder);
    }
}

/* What transformers' config classes have for eos_token_id; null is no token. */
TEST(a_config_that_names_no_end_has_the_one_of_its_family)
{
    static const struct {
        const char *fields;
        int end;
    } cases[] = {{"\"model_type\": \"llama\"", 2},
                 {"\"model_type\": \"mistral\"", 2},
                 {"\"model_type\": \"qwen2\", \"num_key_value_heads\": 2", -1},
                 {"\"model_type\": \"llama\", \"eos_token_id\": null", -1},
                 {"\"model_type\": \"llama\", \"eos_token_id\": [7, 2]", 7}};
    for (size_t i = 0; i < PB_COUNT(cases); i++) {
        char *text = pb_format("{%s, \"vocab_size\": 9, \"hidden_size\": 16, \"num_hidden_layers\": 1, "
                               "\"num_attention_heads\": 8, \"intermediate_size\": 8, "
                               "\"max_position_embeddings\": 32, \"hidden_act\": \"silu\"}",
                               cases[i].fields);
        pb_json_doc *doc = pb_json_parse("config.json", text, strlen(text));
        pb_network_config c = {.family = NULL};
        CHECK_INT(pb_network_config_read("config.json", pb_json_root(doc), &c), 0);
        CHECK_INT(c.end[0], cases[i].end);
        CHECK_INT(c.end[1], i == 4 ? 2 : -1);
        pb_json_free(doc);
        free(text);
    }
}

TEST(what_transformers_would_draw_at_random_is_refused)
{
    static const char *const wants[][2] = {{"no-head", "no tensor 'lm_head.weight'"},
                                           {"no-decoder-bias", "no tensor 'cls.predictions.decoder.bias'"}};
    for (size_t i = 0; i < PB_COUNT(wants); i++) {
        char *folder = pb_format("tests/golden/variants/%s", wants[i][0]);
        CHECK(pb_model_open(&(pb_opening){.path = folder}) == NULL);
        CHECK(strstr(pb_error_text(), wants[i][1]) != NULL);
        pb_error_clear();
        free(folder);
    }
    pb_model *m = pb_model_open(&(pb_opening){.path = "tests/golden/families/gpt2", .classes = 2});
    CHECK(m && pb_model_check_given(m) == -1);
    CHECK(strstr(pb_error_text(), "no tensor 'score.weight' in the checkpoint or in an adapter") != NULL);
    pb_error_clear();
    pb_model_free(m);
}

TEST(shards_that_torch_saved_give_the_same_logits)
{
    pb_model *m = open_family("tests/golden/torch/gpt2", PB_IN_FP32);
    CHECK_INT(pb_model_attach(m, NULL, 0), 0);
    CHECK(worst_of(m, FAMILIES "/gpt2") < 1e-5);
    pb_model_free(m);
}

TEST(fewer_bits_are_near_and_not_the_same)
{
    check_precisions(FAMILIES "/llama-3");
    check_precisions(FAMILIES "/roberta");
}

/* ---- GGUF (tests/parity/check_gguf.py) ----------------------------------------------------------------- */

static pb_dtype type_of(const char *name)
{
    static const struct {
        const char *name;
        pb_dtype type;
    } types[] = {{"Q4_0", PB_Q4_0}, {"Q4_1", PB_Q4_1}, {"Q5_0", PB_Q5_0}, {"Q5_1", PB_Q5_1}, {"Q8_0", PB_Q8_0},
                 {"Q2_K", PB_Q2_K}, {"Q3_K", PB_Q3_K}, {"Q4_K", PB_Q4_K}, {"Q5_K", PB_Q5_K}, {"Q6_K", PB_Q6_K}};
    for (size_t i = 0; i < PB_COUNT(types); i++)
        if (!strcmp(types[i].name, name))
            return types[i].type;
    PB_BUG("type %s", name);
}

TEST(blocks_are_those_of_ggml)
{
    lines l = open_lines("tests/golden/gguf", "blocks.jsonl");
    int blocks = 0;
    for (pb_json_doc *doc; (doc = next_line(&l)); pb_json_free(doc), blocks++) {
        const pb_json *root = pb_json_root(doc), *bytes = pb_json_get(root, "bytes"),
                      *values = pb_json_get(root, "values");
        pb_dtype type = type_of(pb_json_text(pb_json_get(root, "type"), ""));
        unsigned char block[256];
        float out[256];
        CHECK_INT(pb_json_size(bytes), pb_block_bytes(type));
        CHECK_INT(pb_json_size(values), pb_block_size(type));
        for (int i = 0; i < pb_block_bytes(type); i++)
            block[i] = (unsigned char)pb_json_integer(pb_json_at(bytes, (size_t)i), 0);
        pb_block_decode(type, block, out);
        for (int i = 0; i < pb_block_size(type); i++)
            CHECK_NEAR((double)out[i], pb_json_number(pb_json_at(values, (size_t)i), NAN), 1e-6);
    }
    CHECK_INT(blocks, 10);
    free(l.text);
}

TEST(a_gguf_speaks_for_itself)
{
    pb_model *m = open_family("tests/golden/gguf/tiny.gguf", PB_IN_FP32);
    CHECK_INT(pb_model_attach(m, NULL, 0), 0);
    CHECK(worst_of(m, "tests/golden/gguf") < 1e-5);
    lines l = open_lines("tests/golden/bpe/gpt2", "texts.jsonl"); /* the vocabulary is that one's */
    for (pb_json_doc *doc; (doc = next_line(&l)); pb_json_free(doc))
        check_text(pb_model_tokenizer(m), pb_json_root(doc));
    free(l.text);
    CHECK(pb_model_ends(m, 0) && !pb_model_ends(m, 1));
    char dir[] = "/tmp/peftbench-export-XXXXXX"; /* and what it says is written for others */
    CHECK(mkdtemp(dir) != NULL);
    CHECK_INT(pb_model_export(m, dir, PB_IN_FP32), 0);
    pb_model_free(m);
    m = open_family(dir, PB_IN_FP32);
    CHECK_INT(pb_model_attach(m, NULL, 0), 0);
    CHECK(worst_of(m, "tests/golden/gguf") < 1e-5);
    pb_model_free(m);
    char *template = pb_format("%s/chat_template.jinja", dir), *text = pb_read_file(template, NULL);
    CHECK(text && strstr(text, "<|im_start|>{{ m['role'] }}") != NULL);
    free(template);
    free(text);
    char *clean = pb_format("rm -r %s", dir);
    CHECK_INT(system(clean), 0); /* NOLINT: a folder of our own */
    free(clean);
}

/* ---- adapters ------------------------------------------------------------------------------------------- */

typedef struct tuned {
    pb_model *model;
    pb_adapter *adapter;
} tuned;

static tuned open_tuned(const char *folder, const char *adapter)
{
    tuned t = {NULL, pb_adapter_open(adapter)};
    int classes = t.adapter ? pb_adapter_classes(t.adapter) : 0;
    t.model = t.adapter ? pb_model_open(&(pb_opening){.path = folder, .classes = classes}) : NULL;
    if (!t.model || pb_adapter_attach(t.model, t.adapter, false))
        PB_BUG("%s", pb_error_text());
    return t;
}

static void close_tuned(tuned *t)
{
    pb_model_free(t->model);
    pb_adapter_close(t->adapter);
}

TEST(adapters_that_peft_saved_give_its_logits)
{
    static const char *const names[] = {"roberta", "gpt2", "llama-3"};
    for (size_t i = 0; i < PB_COUNT(names); i++) {
        char *folder = pb_format(FAMILIES "/%s", names[i]), *adapter = pb_format("%s/adapter", folder);
        tuned t = open_tuned(folder, adapter);
        CHECK(worst_of(t.model, adapter) < 1e-5);
        CHECK(pb_model_can_merge(t.model));
        pb_model_merge(t.model);
        CHECK(worst_of(t.model, adapter) < 1e-5);
        close_tuned(&t);
        free(folder);
        free(adapter);
    }
}

TEST(an_adapter_written_and_read_again_is_the_same)
{
    tuned t = open_tuned(FAMILIES "/llama-3", FAMILIES "/llama-3/adapter");
    char dir[] = "/tmp/peftbench-adapter-XXXXXX";
    CHECK(mkdtemp(dir) != NULL);
    CHECK_INT(pb_adapter_save(t.model, dir), 0);
    close_tuned(&t);
    t = open_tuned(FAMILIES "/llama-3", dir);
    CHECK(worst_of(t.model, FAMILIES "/llama-3/adapter") < 1e-5);
    close_tuned(&t);

    pb_model *other = open_family(FAMILIES "/qwen3", PB_IN_FP32);
    pb_adapter *a = pb_adapter_open(dir);
    CHECK_INT(pb_adapter_attach(other, a, false), -1);
    CHECK(strstr(pb_error_text(), "made for weights of SHA-256") != NULL);
    pb_error_clear();
    pb_adapter_close(a);
    pb_model_free(other);
    char *clean = pb_format("rm -r %s", dir);
    CHECK_INT(system(clean), 0); /* NOLINT: a folder of our own */
    free(clean);
}

TEST(a_multi_adapter_gives_every_text_its_own_adapter)
{
    const char *folder = FAMILIES "/llama-3", *dir = FAMILIES "/llama-3/adapter";
    static const int offset[] = {0, 5, 7, 16}, ids[] = {3, 9, 14, 7, 22, 5, 30, 8, 8, 11, 4, 26, 17, 19, 3, 21};
    static const int with[] = {1, -1, 0}, without[] = {-1, -1, -1};
    pb_model *m = open_family(folder, PB_IN_FP32);
    tuned t = open_tuned(folder, dir);
    CHECK_INT(pb_model_attach(m, NULL, 0), 0);
    pb_multi_adapter *multi = pb_multi_adapter_new(m);
    CHECK_INT(pb_multi_adapter_add(multi, dir, false), 0);
    CHECK_INT(pb_multi_adapter_add(multi, dir, false), 1);
    CHECK(pb_multi_adapter_bytes(multi) > 0);
    pb_apply *a = pb_apply_new(m), *b = pb_apply_new(m), *c = pb_apply_new(t.model);
    pb_batch batch = {.sequences = 3, .offset = offset, .ids = ids, .adapter = with}, plain = batch;
    plain.adapter = without;
    const pb_node *mixed = pb_apply_run(a, &batch), *base = pb_apply_run(b, &plain), *own = pb_apply_run(c, &plain);
    double moved = 0;
    for (int i = 0; i < mixed->rows * mixed->cols; i++) {
        int row = i / mixed->cols;
        const pb_node *want = row >= 5 && row < 7 ? base : own;
        CHECK(fabs((double)(mixed->x[i] - want->x[i])) < 1e-4);
        moved = fmax(moved, fabs((double)(own->x[i] - base->x[i])));
    }
    CHECK(moved > 0.01);
    pb_apply_free(a);
    pb_apply_free(b);
    pb_apply_free(c);
    pb_multi_adapter_free(multi);
    pb_model_free(m);
    close_tuned(&t);
}

/* ---- tokenizers --------------------------------------------------------------------------------------------- */

/* Each folder of `kind` holds a tokenizer that the library trained, and texts with what it makes of them. */
static void check_goldens(const char *kind, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *folder = pb_format("tests/golden/%s/%s", kind, names[i]);
        pb_tokenizer *t = pb_tokenizer_open(folder);
        CHECK(t != NULL);
        lines l = open_lines(folder, "texts.jsonl");
        for (pb_json_doc *doc; t && (doc = next_line(&l)); pb_json_free(doc))
            check_text(t, pb_json_root(doc));
        pb_tokenizer_close(t);
        free(l.text);
        free(folder);
    }
}

TEST(byte_pairs_are_those_of_tokenizers)
{
    static const char *const names[] = {"gpt2",  "roberta",   "llama3",      "qwen2", "smollm",
                                        "llama", "metaspace", "no-fallback", "words", "text"};
    check_goldens("bpe", names, PB_COUNT(names));
}

/* Unigram and WordLevel models, and steps around them (tests/parity/piece_tokenizers.py). */
TEST(other_kinds_are_those_of_tokenizers)
{
    static const char *const names[] = {
        "t5",          "xlm-roberta", "albert",         "whole",       "whitespace", "metaspace-whole", "digits",
        "punctuation", "split-next",  "split-previous", "split-words", "split-runs", "split-before"};
    check_goldens("pieces", names, PB_COUNT(names));
}
