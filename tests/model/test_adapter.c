/* test_adapter: what adapter_config.json may say, and what is refused by name. */
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/rng.h"
#include "weights/safetensors.h"
#include "model/adapter.h"
#include "model/adapter_fields.h"
#include "model/apply.h"
#include "model/multi_adapter.h"
#include "model/start.h"

#define SAVED "tests/golden/families/llama-3/adapter"

/* A folder with one adapter of this type whose config has these members beside its type, and PEFT's tensors. */
static char *folder_with(const char *type, const char *members)
{
    char dir[] = "/tmp/peftbench-adapter-XXXXXX";
    PB_CHECK(mkdtemp(dir) != NULL);
    char *config = pb_format("%s/adapter_config.json", dir), *file = pb_format("%s/adapter_model.safetensors", dir);
    char *text = pb_format("{\"peft_type\": \"%s\"%s, %s}", type,
                           strstr(members, "\"task_type\"") ? "" : ", \"task_type\": \"CAUSAL_LM\"", members);
    size_t size = 0;
    char *tensors = pb_read_file(SAVED "/adapter_model.safetensors", &size);
    PB_CHECK(!pb_write_file(config, text, strlen(text)) && !pb_write_file(file, tensors, size));
    free(tensors);
    free(text);
    free(file);
    free(config);
    return pb_strdup(dir);
}

/* NULL: it opens; else the message, valid until the next. */
static const char *refusal(const char *type, const char *members)
{
    static char message[600];
    char *dir = folder_with(type, members);
    pb_adapter *a = pb_adapter_open(dir);
    snprintf(message, sizeof message, "%s", pb_error_text());
    pb_error_clear();
    pb_adapter_close(a);
    pb_remove_tree(dir);
    free(dir);
    return a ? NULL : message;
}

static const char *refusal_of(const char *type, const char *key, const char *value)
{
    char *members = pb_format("\"%s\": %s", key, value);
    const char *message = refusal(type, members);
    free(members);
    return message;
}

/* A method's description of a type that is read; NULL: none has it. */
static const pb_peft *reader_of(const char *type)
{
    const pb_method *m;
    for (int i = 0; (m = pb_method_at(i)); i++)
        for (const pb_peft *p = m->peft; p; p = p->other)
            if (!p->only_written && (!strcmp(p->type, type) || (p->also && !strcmp(p->also, type))))
                return p;
    return NULL;
}

/* The first of the types that have the field and are read here; NULL: none is. */
static const char *type_of(const pb_field *f, char type[32])
{
    for (const char *at = *f->types == '*' ? "LORA" : f->types; *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        snprintf(type, 32, "%.*s", (int)n, at);
        at += n;
        if (reader_of(type))
            return type;
    }
    return NULL;
}

static bool has_key(const pb_peft *peft, const char *key)
{
    for (const pb_peft_key *k = peft->keys; k && k->key; k++)
        if (!strcmp(k->key, key) || (k->pattern && !strcmp(k->pattern, key)))
            return true;
    return peft->kept_key && !strcmp(peft->kept_key, key);
}

/* A value of each kind. */
static const char *const values[][2] = {{"int", "7"},         {"number", "0.5"},    {"bool", "true"},
                                        {"text", "\"word\""}, {"list", "[[0, 1]]"}, {"object", "{\"a\": 1}"},
                                        {"null", "null"}};

TEST(every_field_is_read_or_harmless_or_refused_by_name)
{
    const pb_field *f;
    for (int i = 0; (f = pb_field_at(i)); i++) {
        char type[32];
        if (!strcmp(f->key, "peft_type") || !type_of(f, type))
            continue;
        bool read = f->use == PB_FIELD_READ || has_key(reader_of(type), f->key);
        for (size_t k = 0; k < PB_COUNT(values); k++) {
            bool fits = strstr(f->kinds, values[k][0]) || (!strcmp(values[k][0], "int") && strstr(f->kinds, "number"));
            bool other = strcmp(values[k][1], f->default_value) && strcmp(values[k][1], "null"); /* null: as absent */
            const char *message = refusal_of(type, f->key, values[k][1]);
            bool refused = !fits || (f->use == PB_FIELD_REFUSED && other);
            if (read && fits)
                continue; /* its reader says more */
            if (!CHECK(refused == (message != NULL)) || (message && !CHECK(strstr(message, f->key) != NULL)))
                printf("    %s: %s = %s: %s\n", type, f->key, values[k][1], message ? message : "taken");
        }
    }
}

TEST(a_field_that_peft_has_not_is_refused_by_name)
{
    static const char *const types[] = {"LORA", "IA3", "LN_TUNING", "PREFIX_TUNING", "PROMPT_TUNING", "P_TUNING"};
    for (size_t i = 0; i < PB_COUNT(types); i++) {
        const char *message = refusal_of(types[i], "use_quantum", "true");
        CHECK(message && strstr(message, "use_quantum: PEFT 0.21 has no such field"));
    }
    const char *message = refusal_of("IA3", "r", "4"); /* of another type */
    CHECK(message && strstr(message, "r: PEFT 0.21 has no such field of IA3"));
}

/* All types of PEFT 0.21. */
static const char *const types[] = {"ADALORA",
                                    "ADAMSS",
                                    "ADAPTION_PROMPT",
                                    "BEFT",
                                    "BOFT",
                                    "C3A",
                                    "CARTRIDGE",
                                    "CPT",
                                    "DEFT",
                                    "DELORA",
                                    "FOURIERFT",
                                    "FROD",
                                    "GLORA",
                                    "GRALORA",
                                    "HIRA",
                                    "HRA",
                                    "IA3",
                                    "LILY",
                                    "LN_TUNING",
                                    "LOHA",
                                    "LOKR",
                                    "LORA",
                                    "MISS",
                                    "MULTITASK_PROMPT_TUNING",
                                    "OFT",
                                    "OSF",
                                    "PEANUT",
                                    "POLY",
                                    "PREFIX_TUNING",
                                    "PROMPT_TUNING",
                                    "PSOFT",
                                    "PVERA",
                                    "P_TUNING",
                                    "RANDLORA",
                                    "ROAD",
                                    "SHADOW",
                                    "SHIRA",
                                    "SUPERTUNING",
                                    "TINYLORA",
                                    "TRAINABLE_TOKENS",
                                    "UNILORA",
                                    "VBLORA",
                                    "VERA",
                                    "WAVEFT",
                                    "XLORA"};

TEST(every_type_is_read_or_refused_for_a_reason_that_the_documents_have)
{
    char *docs = pb_read_file("docs/adapters.md", NULL);
    CHECK_INT(PB_COUNT(types), 45);
    for (size_t i = 0; i < PB_COUNT(types); i++) {
        const char *why = pb_adapter_unread(types[i]), *message = refusal(types[i], "\"task_type\": null");
        char *row = pb_format("| %s | %s |", types[i], why ? why : "");
        if (!CHECK((why != NULL) == !reader_of(types[i])) ||
            !CHECK(!why || (strstr(docs, row) && strstr(message, why))))
            printf("    %s\n", row);
        free(row);
    }
    free(docs);
}

/* ---- what PEFT computes ------------------------------------------------------------------------------------ */

#define GOLDEN "tests/golden"
#define ADAPTERS GOLDEN "/adapters"

/* The base that an adapter of the goldens is for, with the adapter on it; NULL model: pb_error_text() says why. */
typedef struct tuned {
    pb_model *model;
    pb_adapter *adapter;
} tuned;

static tuned open_tuned(const char *name, const char *dir)
{
    char *path = pb_format(ADAPTERS "/%s/base", name), *base = pb_read_file(path, NULL);
    base[strcspn(base, "\n")] = 0;
    char *folder = pb_format(GOLDEN "/%s", base);
    tuned t = {NULL, pb_adapter_open(dir)};
    t.model = t.adapter ? pb_model_open(&(pb_opening){.path = folder, .classes = pb_adapter_classes(t.adapter)}) : NULL;
    if (t.model && pb_adapter_attach(t.model, t.adapter, false)) {
        pb_model_free(t.model);
        t.model = NULL;
    }
    free(folder);
    free(base);
    free(path);
    return t;
}

static void close_tuned(tuned *t)
{
    pb_model_free(t->model);
    pb_adapter_close(t->adapter);
}

/* The largest difference of a logit from those of a line, relative to the largest. */
static double difference(pb_apply *a, const pb_json *line)
{
    const pb_json *list = pb_json_get(line, "ids"), *rows = pb_json_get(line, "logits");
    int id[16] = {0}, n = (int)pb_json_size(list);
    for (int i = 0; i < n && i < 16; i++)
        id[i] = (int)pb_json_integer(pb_json_at(list, (size_t)i), 0);
    const int offset[] = {0, n};
    const pb_node *y = pb_apply_run(a, &(pb_batch){.sequences = 1, .offset = offset, .ids = id});
    double worst = 0, largest = 1e-30;
    if (!y || (size_t)y->rows != pb_json_size(rows))
        return INFINITY;
    for (int i = 0; i < y->rows * y->cols; i++) {
        const pb_json *row = pb_json_at(rows, (size_t)(i / y->cols));
        double want = pb_json_number(pb_json_at(row, (size_t)(i % y->cols)), NAN);
        worst = fmax(worst, fabs(want - (double)y->x[i]));
        largest = fmax(largest, fabs(want));
    }
    return worst / largest;
}

static double worst_of(pb_model *m, const char *name)
{
    char *path = pb_format(ADAPTERS "/%s/logits.jsonl", name), *text = pb_read_file(path, NULL), *rest = NULL;
    pb_apply *a = pb_apply_new(m);
    double worst = 0;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        pb_json_doc *doc = pb_json_parse(path, line, strlen(line));
        worst = fmax(worst, difference(a, pb_json_root(doc)));
        pb_json_free(doc);
    }
    pb_apply_free(a);
    free(text);
    free(path);
    return worst;
}

TEST(adapters_of_every_form_give_the_logits_of_peft)
{
    static const char *const names[] = {"pissa",
                                        "pissa-conv1d",
                                        "olora",
                                        "lora-bias",
                                        "head-and-embed",
                                        "tokens",
                                        "resized",
                                        "tied-saved",
                                        "tied-embed",
                                        "tied-tokens",
                                        "saved-conv1d",
                                        "bias-all",
                                        "all-linear",
                                        "pickled",
                                        "osf",
                                        "tinylora",
                                        "randlora",
                                        "unilora",
                                        "deft",
                                        "cartridge",
                                        "multitask",
                                        "fourierft",
                                        "fourierft-conv1d",
                                        "waveft",
                                        "waveft-conv1d",
                                        "tokens-alone",
                                        "adaption-prompt",
                                        "cpt"};
    for (size_t i = 0; i < PB_COUNT(names); i++) {
        double bar = strstr(names[i], "pissa") || !strcmp(names[i], "olora") ? 5e-5 : 1e-5; /* PEFT takes in 32 bits */
        char *dir = pb_format(ADAPTERS "/%s", names[i]);
        tuned t = open_tuned(names[i], dir);
        if (!CHECK(t.model != NULL))
            printf("    %s: %s\n", names[i], pb_error_text());
        for (int merged = 0; t.model && merged < (pb_model_can_merge(t.model) ? 2 : 1); merged++) {
            if (merged)
                pb_model_merge(t.model);
            double worst = worst_of(t.model, names[i]);
            if (!CHECK(worst < bar))
                printf("    %s%s: %.1e\n", names[i], merged ? ", merged" : "", worst);
        }
        pb_error_clear();
        close_tuned(&t);
        free(dir);
    }
}

/* ---- what a config and a file do not agree on -------------------------------------------------------------- */

/* A golden adapter with every FROM in its config replaced by TO, and without the tensors that have DROP in their names. */
static char *changed(const char *name, const char *from, const char *to, const char *drop)
{
    char dir[] = "/tmp/peftbench-adapter-XXXXXX";
    PB_CHECK(mkdtemp(dir) != NULL);
    char *path = pb_format(ADAPTERS "/%s/adapter_config.json", name), *text = pb_read_file(path, NULL), *rest = text;
    pb_text config = {0};
    for (char *at; *from && (at = strstr(rest, from)); rest = at + strlen(from))
        pb_text_add(&config, "%.*s%s", (int)(at - rest), rest, to);
    PB_CHECK(!*from || rest != text);
    pb_text_add(&config, "%s", rest);
    char *out = pb_format("%s/adapter_config.json", dir), *file = pb_format("%s/adapter_model.safetensors", dir);
    char *tensors = pb_format(ADAPTERS "/%s/adapter_model.safetensors", name);
    pb_safetensors *f = pb_safetensors_open(tensors);
    pb_array kept[200];
    size_t n = 0;
    for (size_t i = 0; i < pb_safetensors_count(f) && n < PB_COUNT(kept); i++)
        if (!drop || !strstr(pb_safetensors_at(f, i)->name, drop))
            kept[n++] = *pb_safetensors_at(f, i);
    PB_CHECK(!pb_write_file(out, config.data, config.length) && !pb_safetensors_write(file, kept, n, NULL));
    pb_safetensors_close(f);
    pb_text_free(&config);
    free(tensors);
    free(file);
    free(out);
    free(text);
    free(path);
    return pb_strdup(dir);
}

/* Is the changed adapter refused by a message with this in it? */
static bool refuses(const char *name, const char *from, const char *to, const char *drop, const char *message)
{
    char *dir = changed(name, from, to, drop);
    tuned t = open_tuned(name, dir);
    bool good = !t.model && strstr(pb_error_text(), message);
    if (!good)
        printf("    %s: %s\n", name, t.model ? "taken" : pb_error_text());
    pb_error_clear();
    close_tuned(&t);
    pb_remove_tree(dir);
    free(dir);
    return good;
}

/* An update of the pooler, [16,16], with A as one vector of 16 numbers and rank 16 in the config: its merge would read
 * 256 numbers of A. */
static char *with_vector_for_matrix(void)
{
    char *dir =
        changed("all-linear", "\"rank_pattern\": {}", "\"rank_pattern\": {\"bert.pooler.dense\": 16}", "pooler");
    char *file = pb_format("%s/adapter_model.safetensors", dir), *out = pb_format("%s/new", dir);
    static const float ones[16] = {1};
    pb_safetensors *f = pb_safetensors_open(file);
    pb_array all[200];
    size_t n = 0;
    for (; n < pb_safetensors_count(f); n++)
        all[n] = *pb_safetensors_at(f, n);
    all[n++] = (pb_array){.name = "base_model.model.bert.pooler.dense.lora_A.weight",
                          .dtype = PB_F32,
                          .dims = 1,
                          .shape = {16},
                          .count = 16,
                          .data = ones,
                          .bytes = sizeof ones};
    all[n++] = (pb_array){.name = "base_model.model.bert.pooler.dense.lora_B.weight",
                          .dtype = PB_F32,
                          .dims = 2,
                          .shape = {16, 1},
                          .count = 16,
                          .data = ones,
                          .bytes = sizeof ones};
    PB_CHECK(n <= PB_COUNT(all) && !pb_safetensors_write(out, all, n, NULL));
    pb_safetensors_close(f);
    PB_CHECK(!rename(out, file));
    free(out);
    free(file);
    return dir;
}

TEST(a_module_outside_of_the_layers_has_the_shapes_of_its_rank)
{
    char *dir = with_vector_for_matrix();
    tuned t = open_tuned("all-linear", dir);
    CHECK(!t.model && strstr(pb_error_text(), "'bert.pooler.dense': its tensor A has another shape"));
    pb_error_clear();
    close_tuned(&t);
    pb_remove_tree(dir);
    free(dir);
}

TEST(a_lost_tensor_is_named)
{
    CHECK(refuses("pissa", "", "", "layers.1.mlp.down_proj", "no tensor of 'model.layers.1.mlp.down_proj', which"));
    CHECK(refuses("pissa", "", "", "q_proj", "no tensor of 'model.layers.0.self_attn.q_proj', which"));
    CHECK(refuses("pissa", "", "", "q_proj.lora_B",
                  "no tensor 'base_model.model.model.layers.0.self_attn.q_proj.lora_B"));
    CHECK(refuses("head-and-embed", "", "", "lm_head.lora", "no tensor of 'lm_head', which"));
    CHECK(refuses("head-and-embed", "", "", "lm_head.lora_magnitude", "no tensor 'base_model.model.lm_head.lora_magn"));
    CHECK(refuses("all-linear", "", "", "pooler", "no tensor of 'bert.pooler.dense', which"));
    CHECK(refuses("all-linear", "", "", "classifier.bias", "no bias of 'classifier', which modules_to_save"));
    CHECK(
        refuses("bias-all", "", "", "1.output.dense.bias", "no bias of 'roberta.encoder.layer.1.output.dense', which"));
    CHECK(refuses("saved-conv1d", "", "", "base_layer.bias", "no bias of 'transformer.h.0.attn.c_attn', which bias"));
    CHECK(refuses("saved-conv1d", "", "", "c_proj.weight", "no weight of 'transformer.h.1.attn.c_proj', which"));
    CHECK(refuses("tied-saved", "", "", "wte", "no weight of 'transformer.wte', which modules_to_save"));
    CHECK(refuses("tokens", "", "", "lm_head", "no tensor 'base_model.model.lm_head.token_adapter"));
    CHECK(refuses("lora-bias", "", "", "lora_B.bias",
                  "no tensor 'base_model.model.model.layers.1.self_attn.q_proj.lora"));
}

TEST(a_tensor_that_the_config_does_not_name_is_named)
{
    CHECK(
        refuses("pissa", "\"q_proj\"", "\"o_proj\"", NULL, "layers.0.self_attn.q_proj.lora_A.weight': adapter_config"));
    CHECK(
        refuses("pissa", "\"q_proj\"", "\"0.self_attn.q_proj\"", NULL, "layers.1.self_attn.q_proj.lora_A.weight': a"));
    CHECK(refuses("pissa", "\"layers_to_transform\": null", "\"layers_to_transform\": [0]", NULL,
                  "layers.1.self_attn.q"));
    CHECK(refuses("pissa", "\"exclude_modules\": null", "\"exclude_modules\": \".*down_proj\"", NULL,
                  "mlp.down_proj.lora"));
    CHECK(refuses("lora-bias", "\"lora_bias\": true", "\"lora_bias\": false", NULL, "lora_bias is false"));
    CHECK(refuses("bias-all", "\"bias\": \"all\"", "\"bias\": \"none\"", NULL, "neither modules_to_save nor bias"));
    CHECK(refuses("tied-saved", "\"wte\"", "\"wpe\"", NULL, "no weight of 'transformer.wpe'"));
    CHECK(refuses("tokens", "\"lm_head\": [", "\"score\": [", NULL, "want ids for 'lm_head'"));
    CHECK(refuses("head-and-embed", "\"use_dora\": true", "\"use_dora\": false", NULL, "lora_magnitude_vector'"));
}

/* Is the changed adapter loaded with a warning that has this in it? */
static bool warns(const char *name, const char *from, const char *to, const char *message)
{
    char *dir = changed(name, from, to, NULL), said[1024] = "";
    FILE *file = tmpfile();
    int terminal = dup(STDERR_FILENO);
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    tuned t = open_tuned(name, dir);
    dup2(terminal, STDERR_FILENO);
    close(terminal);
    rewind(file);
    said[fread(said, 1, sizeof said - 1, file)] = 0;
    fclose(file);
    bool good = t.model && strstr(said, message);
    if (!good)
        printf("    %s: %s%s\n", name, t.model ? "taken" : pb_error_text(), said);
    pb_error_clear();
    close_tuned(&t);
    pb_remove_tree(dir);
    free(dir);
    return good;
}

TEST(an_unused_rank_or_alpha_is_ignored_with_a_warning_as_in_peft)
{
    CHECK(warns("pissa", "\"rank_pattern\": {}", "\"rank_pattern\": {\"q_prj\": 3}",
                "rank_pattern: 'q_prj' matches none of the modules that are targeted, such as 'model.layers.0."));
    CHECK(warns("pissa", "\"alpha_pattern\": {}", "\"alpha_pattern\": {\"o_proj\": 7}",
                "alpha_pattern: 'o_proj' matches none"));
}

TEST(what_would_be_another_number_is_refused)
{
    CHECK(
        refuses("pissa", "\"r\": 2", "\"r\": 4", NULL, "has 2 rows; r and rank_pattern of adapter_config.json say 4"));
    CHECK(refuses("pissa", "\"rank_pattern\": {}",
                  "\"rank_pattern\": {\".*_proj\": 3, \"q_proj\": 2, \"down_proj\": 2}", NULL,
                  "has 2 rows; r and rank_pattern of adapter_config.json say 3"));
    CHECK(refuses("pissa", "\"pissa\"", "\"pissa_niter_4\"", NULL, "init_lora_weights: want true"));
    CHECK(refuses("pissa", "\"pissa\"", "\"loftq\"", NULL, "init_lora_weights: want true"));
    CHECK(refuses("pissa-conv1d", "\"pissa\"", "\"olora\"", NULL, "PEFT cannot load olora on a gpt2"));
    CHECK(refuses("tied-embed", "\"ensure_weight_tying\": false", "\"ensure_weight_tying\": 1", NULL,
                  "want bool, got 1"));
    CHECK(refuses("all-linear", "\"SEQ_CLS\"", "\"QUESTION_ANS\"", NULL,
                  "task_type: want SEQ_CLS, TOKEN_CLS, CAUSAL_LM"));
    CHECK(refuses("all-linear", "\"SEQ_CLS\"", "null", NULL,
                  "task_type: want SEQ_CLS or TOKEN_CLS beside a saved classifier"));
    CHECK(refuses("all-linear", "\"auto_mapping\": null",
                  "\"auto_mapping\": {\"base_model_class\": \"BertForMultipleChoice\"}", NULL,
                  "auto_mapping: the adapter is for multiple choice"));
    CHECK(refuses("all-linear", "\"auto_mapping\": null",
                  "\"auto_mapping\": {\"base_model_class\": \"BertForPreTraining\"}", NULL, "BertForPreTraining"));
}

/* lora_alpha is 8 where it is absent: as if 8 stood there. */
TEST(an_absent_field_has_the_default_of_peft)
{
    double scale[2];
    for (int i = 0; i < 2; i++) {
        char *dir = changed("olora", "\"lora_alpha\": 3,", i ? "" : "\"lora_alpha\": 8,", NULL);
        tuned t = open_tuned("olora", dir);
        CHECK(t.model != NULL);
        scale[i] = t.model ? worst_of(t.model, "olora") : -1;
        close_tuned(&t);
        pb_remove_tree(dir);
        free(dir);
    }
    CHECK(scale[0] == scale[1] && scale[0] > 1e-3);
}

TEST(a_multi_adapter_refuses_what_changes_the_base)
{
    static const char *const names[][2] = {{"pissa", "q_proj.weight"},
                                           {"lora-bias", "q_proj.bias"},
                                           {"head-and-embed", "embed_tokens"},
                                           {"tokens", "embed_tokens.weight"},
                                           {"resized", "embed_tokens.weight"}};
    pb_model *m = pb_model_open(&(pb_opening){.path = GOLDEN "/families/llama-3"});
    pb_multi_adapter *multi = pb_multi_adapter_new(m);
    for (size_t i = 0; i < PB_COUNT(names); i++) {
        char *dir = pb_format(ADAPTERS "/%s", names[i][0]);
        CHECK_INT(pb_multi_adapter_add(multi, dir, false), -1);
        if (!CHECK(strstr(pb_error_text(), "multi-adapter: the adapter changes") &&
                   strstr(pb_error_text(), names[i][1])))
            printf("    %s: %s\n", names[i][0], pb_error_text());
        pb_error_clear();
        free(dir);
    }
    CHECK_INT(pb_multi_adapter_add(multi, ADAPTERS "/pickled", false), 0);
    pb_multi_adapter_free(multi);
    pb_model_free(m);
}

/* A model with the method attached, one setting changed.  The caller releases conf and frees both. */
static pb_model *with_method(const char *name, const char *key, const char *value, void **conf)
{
    const pb_method *method = pb_method_find(name);
    pb_model *m = pb_model_open(&(pb_opening){.path = GOLDEN "/tiny-bert", .classes = 2});
    *conf = pb_alloc(method->settings.conf_size + 1);
    pb_option_defaults(method->settings.options, *conf);
    PB_CHECK(!key || !pb_option_set(method->settings.options, *conf, key, value));
    PB_CHECK(m && !pb_model_attach(m, &(pb_attached){method, *conf}, 1));
    return m;
}

/* What pb_multi_adapter_supports says of a model must be what pb_multi_adapter_add does with its adapter. */
static void check_served(const char *name, const char *key, const char *value, const char *refusal)
{
    char dir[] = "/tmp/peftbench-adapter-XXXXXX";
    void *conf;
    PB_CHECK(mkdtemp(dir) != NULL);
    pb_model *m = with_method(name, key, value, &conf);
    pb_model *base = pb_model_open(&(pb_opening){.path = GOLDEN "/tiny-bert", .classes = 2});
    pb_multi_adapter *multi = pb_multi_adapter_new(base);
    CHECK_INT(pb_multi_adapter_supports(m), !refusal);
    CHECK_INT(pb_adapter_save(m, dir), 0);
    CHECK_INT(pb_multi_adapter_add(multi, dir, false), refusal ? -1 : 0);
    CHECK(!refusal || strstr(pb_error_text(), refusal));
    pb_error_clear();
    pb_multi_adapter_free(multi);
    pb_model_free(base);
    pb_model_free(m);
    pb_option_release(pb_method_find(name)->settings.options, conf);
    free(conf);
    pb_remove_tree(dir);
}

TEST(a_multi_adapter_holds_additive_updates_of_low_rank)
{
    check_served("lora", NULL, NULL, NULL);
    check_served("lora", "rank_pattern", "0.attn.q=3", NULL);
    check_served("lora", "rslora", "yes", NULL);
    check_served("lora", "dora", "yes", "is not additive");
    check_served("ia3", NULL, NULL, "want an adapter whose updates are products of two matrices, got one of type IA3");
    check_served("prefix", NULL, NULL, "got one of type PREFIX_TUNING");
}

/* Settings without which a type cannot be written, beside those of pb_peft.loaded. */
static const struct {
    const char *type, *option, *value;
} needed[] = {{"SHIRA", "rank", "2"}, {"C3A", "size", "4"}, {"VBLORA", "length", "4"}, {"CARTRIDGE", "frozen", "1"}};

static void set_up(const pb_method *method, const pb_peft *peft, void *conf)
{
    pb_option_defaults(method->settings.options, conf);
    for (const pb_peft_tensor *t = peft->loaded; t && t->ours; t++)
        PB_CHECK(!pb_option_set(method->settings.options, conf, t->ours, t->theirs));
    for (size_t i = 0; i < PB_COUNT(needed); i++)
        if (!strcmp(needed[i].type, peft->type))
            PB_CHECK(!pb_option_set(method->settings.options, conf, needed[i].option, needed[i].value));
}

/* The tensors that files of the type lack are as the method starts with them. */
static void start(pb_model *m, const pb_peft *peft)
{
    pb_preparation nothing = {0};
    bool lacks = false;
    for (const pb_peft_tensor *t = peft->tensors; t->ours; t++)
        lacks = lacks || !t->theirs;
    PB_CHECK(!lacks || !pb_model_start(m, &(pb_samples){0}, &nothing));
}

static bool is_lacking(const pb_peft *peft, const pb_param *p)
{
    bool is = false;
    for (const pb_peft_tensor *t = peft->tensors; t->ours; t++) {
        char *end = pb_format(".%s", t->ours);
        is = is || (!t->theirs && pb_ends_in(p->name, end));
        free(end);
    }
    return is;
}

/* Gives every tensor of the method that files have a value of its own. */
static void vary(pb_model *m, const pb_peft *peft)
{
    for (int i = 0; i < pb_model_params(m); i++) {
        pb_param *p = pb_model_param(m, i);
        pb_rng r = pb_rng_named(5, p->name);
        bool varies = p->kind == PB_ADDED && p->x && !is_lacking(peft, p);
        for (int k = 0; varies && k < p->rows * p->cols; k++)
            p->x[k] = (pb_real)(float)(0.1 + pb_rng_uniform(&r));
    }
}

/* A sum that the file has in 32 bits differs by rounding, everything else by nothing. */
static bool are_equal(const pb_peft *peft, const pb_param *p, const pb_param *q)
{
    bool sums = false, same = q && q->rows == p->rows && q->cols == p->cols;
    for (const pb_peft_tensor *t = peft->tensors; t->ours; t++)
        sums = sums || t->plus;
    if (!same || !sums || !p->x)
        return same && !memcmp(pb_param_memory(p), pb_param_memory(q), pb_param_bytes(p));
    for (int i = 0; i < p->rows * p->cols; i++)
        same = same && fabs((double)(p->x[i] - q->x[i])) < 1e-5;
    return same;
}

/* What the methods and the head have is the same in both. */
static void compare_kept(const char *family, const pb_peft *peft, pb_model *m, pb_model *other)
{
    for (int i = 0; i < pb_model_params(m); i++) {
        const pb_param *p = pb_model_param(m, i), *q = pb_model_find(other, p->name);
        if ((p->kind == PB_ADDED || p->trainable) && !CHECK(are_equal(peft, p, q)))
            printf("    %s, %s: %s\n", family, peft->type, p->name);
    }
}

/* A type of a method, with random values, written for a family and read again. */
static void check_written(const char *family, int classes, const pb_method *method, const pb_peft *peft)
{
    char dir[] = "/tmp/peftbench-adapter-XXXXXX";
    PB_CHECK(mkdtemp(dir) != NULL);
    void *conf = pb_alloc(method->settings.conf_size + 1);
    set_up(method, peft, conf);
    pb_model *m = pb_model_open(&(pb_opening){.path = family, .classes = classes});
    pb_model *other = pb_model_open(&(pb_opening){.path = family, .classes = classes});
    bool none = strstr(family, "gpt2") ? !pb_peft_has_conv1d(peft) || !pb_peft_saves_modules(peft)
                                       : classes > 0 && !pb_peft_saves_modules(peft); /* PEFT has no such adapter */
    int attached = pb_model_attach(m, &(pb_attached){method, conf}, 1);
    if (attached && !none)
        PB_BUG("%s, %s: %s", family, peft->type, pb_error_text());
    if (!attached)
        start(m, peft);
    vary(m, peft);
    CHECK_INT(attached ? -1 : pb_adapter_save(m, dir), none ? -1 : 0);
    pb_adapter *a = none ? NULL : pb_adapter_open(dir);
    if (!none && !CHECK(a && !pb_adapter_attach(other, a, false)))
        printf("    %s, %s: %s\n", family, peft->type, pb_error_text());
    else if (!none)
        compare_kept(family, peft, m, other);
    pb_error_clear();
    pb_model_free(other);
    pb_model_free(m);
    pb_adapter_close(a);
    pb_option_release(method->settings.options, conf);
    free(conf);
    pb_remove_tree(dir);
}

TEST(every_adapter_that_is_written_is_read_again)
{
    const pb_method *method;
    for (int i = 0; (method = pb_method_at(i)); i++)
        for (const pb_peft *p = method->peft; p && !p->only_written; p = p->other) {
            check_written(GOLDEN "/families/gpt2", 0, method, p);
            check_written(GOLDEN "/families/llama-3", pb_peft_saves_modules(p) ? 2 : 0, method, p);
            check_written(GOLDEN "/families/roberta", 3, method, p);
            check_written(GOLDEN "/tiny-bert", 2, method, p);
        }
}

TEST(settings_that_peft_does_not_have_are_refused_when_an_adapter_is_written)
{
    static const char *const cases[][4] = {{"c3a", "parts", "2", "size = 0: PEFT's C3A has no such block_size"},
                                           {"hira", "rank_pattern", "attn.q=2", "rank_pattern = attn.q=2"},
                                           {"lokr", "full", "yes", "PEFT always has full = no"}};
    for (size_t i = 0; i < PB_COUNT(cases); i++) {
        const pb_method *method = pb_method_find(cases[i][0]);
        void *conf = pb_alloc(method->settings.conf_size + 1);
        pb_option_defaults(method->settings.options, conf);
        PB_CHECK(!pb_option_set(method->settings.options, conf, cases[i][1], cases[i][2]));
        pb_model *m = pb_model_open(&(pb_opening){.path = GOLDEN "/tiny-bert", .classes = 2});
        PB_CHECK(m && !pb_model_attach(m, &(pb_attached){method, conf}, 1));
        CHECK_INT(pb_adapter_save(m, "/tmp/peftbench-not-written"), -1);
        if (!CHECK(strstr(pb_error_text(), cases[i][3]) != NULL))
            printf("    %s\n", pb_error_text());
        pb_error_clear();
        pb_model_free(m);
        pb_option_release(method->settings.options, conf);
        free(conf);
    }
}

TEST(places_that_torch_draws_are_those_of_the_configuration)
{
    CHECK(
        refuses("fourierft", "\"random_loc_seed\": 5", "\"random_loc_seed\": null", NULL, "random_loc_seed: want int"));
    CHECK(refuses("fourierft", "\"random_loc_seed\": 5", "\"random_loc_seed\": -5", NULL, "random_loc_seed: "));
    CHECK(refuses("fourierft", "\"n_frequency\": 30", "\"n_frequency\": 31", NULL,
                  "has 30 rows; n_frequency and n_frequency_pattern of adapter_config.json say 31"));
    CHECK(refuses("waveft", "\"db1\"", "\"db2\"", NULL, "wavelet_family"));
    CHECK(refuses("waveft", "\"use_idwt\": true", "\"use_idwt\": false", NULL, "use_idwt"));
    CHECK(refuses("waveft", "\"proportional_parameters\": false", "\"proportional_parameters\": true", NULL,
                  "proportional_parameters"));
}

TEST(types_without_a_head_are_refused_by_name)
{
    CHECK(refuses("tokens-alone", "9,", "5,", NULL, "ids: want each once, got 5 twice"));
    CHECK(refuses("tokens-alone", "9,", "99999,", NULL, "trainable-tokens: ids "));
    CHECK(refuses("tokens-alone", "9,", "-1,", NULL, "token_indices: want integers from 0 on"));
    CHECK(refuses("tokens-alone", "9,", "", NULL, "want shape [2,24]"));
    CHECK(refuses("tokens-alone", "\"model.embed_tokens\"", "\"lm_head\"", NULL,
                  "target_modules: names 'lm_head'; rows"));
    CHECK(
        refuses("tokens-alone", "\"model.embed_tokens\"", "\"embed_tokens\"", NULL, "target_modules: names no table"));
    CHECK(refuses("tokens-alone", "\"revision\"", "\"modules_to_save\": [\"lm_head\"], \"revision\"", NULL,
                  "modules_to_save: PEFT 0.21 has no such field of TRAINABLE_TOKENS"));
    CHECK(refuses("tokens-alone", "", "", "delta", "no tensor 'trainable_tokens_delta'"));
    CHECK(refuses("adaption-prompt", "\"adapter_layers\": 2", "\"adapter_layers\": 1", NULL, "has no parameters for"));
    CHECK(refuses("adaption-prompt", "\"adapter_layers\": 2", "\"adapter_layers\": 4", NULL,
                  "adapter_layers: want at most 3 for this model, got 4"));
    CHECK(refuses("adaption-prompt", "\"adapter_len\": 3", "\"adapter_len\": null", NULL, "adapter_len: want int"));
    CHECK(refuses("adaption-prompt", "\"self_attn\"", "\"mlp\"", NULL, "target_modules: want \"self_attn\" or null"));
    CHECK(refuses("adaption-prompt", "", "", "2.self_attn.adaption_gate",
                  "no tensor 'base_model.model.model.layers.2.s"));
}

TEST(a_prompt_of_examples_is_for_language_models)
{
    CHECK(refuses("cpt", "\"CAUSAL_LM\"", "\"SEQ_CLS\"", NULL, "task_type: \"SEQ_CLS\": want \"CAUSAL_LM\""));
    CHECK(refuses("cpt", "\"num_virtual_tokens\": 4", "\"num_virtual_tokens\": 3", NULL,
                  "cpt_token_ids: want 3 members, as num_virtual_tokens says, got 4"));
    CHECK(refuses("cpt", "  9,\n", "", NULL, "cpt_token_ids: want 4 members, as num_virtual_tokens says, got 3"));
    CHECK(refuses("cpt", "  2,\n", "", NULL, "cpt_tokens_type_mask: want 4 members"));
    CHECK(refuses("cpt", "\"cpt_token_ids\": [\n  5,\n  9,\n  3,\n  7\n ]", "\"cpt_token_ids\": null", NULL,
                  "cpt_token_ids: want 4 members, as num_virtual_tokens says, got 1"));
}

TEST(the_rank_pattern_of_hira_is_ignored_as_in_peft)
{
    const char *message = refusal("HIRA", "\"r\": 2, \"rank_pattern\": {\"q_proj\": 3}");
    if (!CHECK(!message))
        printf("    %s\n", message);
}
