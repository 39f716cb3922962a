/* test_adapter: what adapter_config.json may say, and what is refused by name. */
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/adapter.h"
#include "model/adapter_fields.h"

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

/* The first of the types that have the field. */
static const char *type_of(const pb_field *f, char type[32])
{
    const char *types = *f->types == '*' ? "LORA" : f->types;
    snprintf(type, 32, "%.*s", (int)strcspn(types, " "), types);
    return type;
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
        if (!strcmp(f->key, "peft_type"))
            continue;
        for (size_t k = 0; k < PB_COUNT(values); k++) {
            bool fits = strstr(f->kinds, values[k][0]) || (!strcmp(values[k][0], "int") && strstr(f->kinds, "number"));
            bool other = strcmp(values[k][1], f->preset) != 0;
            const char *message = refusal_of(type_of(f, type), f->key, values[k][1]);
            bool refused = !fits || (f->use == PB_FIELD_REFUSED && other);
            if (f->use == PB_FIELD_READ && fits)
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
