/* export: the whole model, with its methods folded in, as a folder that transformers loads. */
#include <stdlib.h>
#include <string.h>

#include "model/adapter.h"
#include "model/tensor_writer.h"

/* Copies a member of the checkpoint's config.json, except those of the head and of the number format, which add_head
 * writes. */
static int copy_member(void *ctx, const char *key, const pb_json *value)
{
    static const char *const excluded[] = {"architectures", "id2label", "label2id",   "num_labels",
                                           "problem_type",  "dtype",    "torch_dtype"};
    pb_text *out = ctx;
    for (size_t i = 0; i < PB_COUNT(excluded); i++)
        if (!strcmp(key, excluded[i]))
            return 0;
    pb_text_add(out, ",\n  \"%s\": ", key);
    pb_json_print(value, out);
    return 0;
}

static void add_head(const pb_model *m, pb_precision precision, pb_text *out)
{
    const struct pb_family *f = m->config.family;
    const char *kind = pb_model_chooses(m)            ? "ForMultipleChoice"
                       : m->head == PB_HEAD_CLASSES   ? "ForSequenceClassification"
                       : m->head == PB_HEAD_TOKENS    ? "ForTokenClassification"
                       : m->head == PB_HEAD_MASKED    ? "ForMaskedLM"
                       : strcmp(f->type, "gpt2") == 0 ? "LMHeadModel"
                                                      : "ForCausalLM";
    pb_text_add(out, "{\n  \"architectures\": [\"%s%s\"],\n  \"dtype\": \"%s\"", f->class_name, kind,
                precision == PB_IN_BF16 ? "bfloat16" : "float32");
    if (!pb_model_has_classes(m) || pb_model_chooses(m))
        return;
    if (pb_model_problem(m) != PB_PROBLEM_CLASS)
        pb_text_add(out, ",\n  \"problem_type\": \"%s\"", pb_problem_name[pb_model_problem(m)]);
    for (int reverse = 0; reverse < 2; reverse++) {
        pb_text_add(out, ",\n  \"%s\": {", reverse ? "label2id" : "id2label");
        for (int i = 0; i < m->classes; i++) {
            char *name = pb_model_class(m, i);
            pb_text_add(out, i ? ", " : "");
            if (!reverse)
                pb_text_add(out, "\"%d\": ", i);
            pb_json_quote(out, name);
            if (reverse)
                pb_text_add(out, ": %d", i);
            free(name);
        }
        pb_text_add(out, "}");
    }
}

static int write_config(const pb_model *m, const char *dir, pb_precision precision)
{
    const char *embedded = m->file ? pb_weights_config(m->file) : NULL;
    char *from = pb_format("%s/config.json", m->dir), *to = pb_format("%s/config.json", dir);
    pb_json_doc *doc = embedded ? pb_json_parse(m->dir, embedded, strlen(embedded)) : pb_json_read(from);
    pb_text out = {0};
    int rc = doc ? 0 : -1;
    if (doc) {
        add_head(m, precision, &out);
        pb_json_each(pb_json_root(doc), copy_member, &out);
        pb_text_add(&out, "\n}\n");
        rc = pb_write_file(to, out.data, out.length);
    }
    pb_text_free(&out);
    pb_json_free(doc);
    free(from);
    free(to);
    return rc;
}

static int write_text(const char *dir, const char *name, const char *text, size_t size)
{
    char *to = pb_format("%s/%s", dir, name);
    int rc = text ? pb_write_file(to, text, size) : 0;
    free(to);
    return rc;
}

/* A GGUF file contains its tokenizer and its chat template; a folder has them as files. */
static int copy_tokenizer(const pb_model *m, const char *dir)
{
    static const char *const files[] = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                                        "chat_template.jinja", "generation_config.json"};
    const char *embedded = m->file ? pb_weights_tokenizer(m->file) : NULL;
    const char *chat = embedded ? pb_weights_text(m->file, "tokenizer.chat_template") : NULL;
    if (embedded)
        return write_text(dir, files[0], embedded, strlen(embedded)) ||
                       write_text(dir, files[3], chat, chat ? strlen(chat) : 0)
                   ? -1
                   : 0;
    int rc = 0;
    for (size_t i = 0; i < PB_COUNT(files) && !rc; i++) {
        char *from = pb_format("%s/%s", m->dir, files[i]);
        size_t size = 0;
        char *text = pb_file_exists(from) ? pb_read_file(from, &size) : NULL;
        rc = write_text(dir, files[i], text, size);
        free(text);
        free(from);
    }
    return rc;
}

/* The merged value of a projection's weight or bias; the value of any other parameter. */
static const pb_real *value_of(const pb_model *m, const pb_param *p)
{
    for (int i = 0; m->merged && p->layer >= 0 && i < SITES; i++) {
        const pb_site *s = &m->layer[p->layer].site[i];
        const pb_param *f = &m->merged[2 * s->number];
        if (s->out && (p == s->w || p == s->b) && f[p == s->b].x)
            return f[p == s->b].x;
    }
    return p->x;
}

static int write_weights(const pb_model *m, const char *dir, pb_precision precision)
{
    static const char *const metadata[] = {"format", "pt", NULL};
    pb_tensor_writer w = {.arena = pb_arena_new("export")};
    for (size_t i = 0; i < m->params; i++) {
        const pb_param *p = m->param[i];
        const pb_real *x = m->origin[i] ? value_of(m, p) : NULL;
        pb_real *full = m->origin[i] && !x ? pb_alloc((size_t)p->rows * (size_t)p->cols * sizeof *full) : NULL;
        if (full)
            pb_unpack(p->packed, 0, p->rows, 0, p->cols, full, p->cols);
        if (m->origin[i])
            pb_tensor_writer_param(m, &w, m->origin[i], p, full ? full : x);
        free(full);
    }
    if (precision == PB_IN_BF16)
        pb_tensor_writer_to_bf16(&w);
    int rc = pb_tensor_writer_write(&w, dir, "model.safetensors", metadata);
    pb_tensor_writer_free(&w);
    return rc;
}

/* Refuses a folded bias that the format of the checkpoint has no tensor for. */
static int check_biases(const pb_model *m)
{
    for (int i = 0; i < pb_model_sites(m); i++) {
        const pb_site *s = pb_model_site(m, i);
        if (m->merged[2 * i + 1].x && !s->b)
            return pb_error("layer %d, %s: the method adds a bias, which a %s does not have there; want an adapter, "
                            "without --merged",
                            s->layer, s->role, pb_model_family(m));
    }
    return 0;
}

int pb_model_export(pb_model *m, const char *dir, pb_precision precision)
{
    if (!pb_model_can_merge(m))
        return pb_error("this method cannot be folded into the weights; want an adapter, without --merged");
    if (pb_model_merge(m))
        return -1;
    int rc = check_biases(m) || pb_make_dirs(dir) || write_config(m, dir, precision) ||
                     write_weights(m, dir, precision) || copy_tokenizer(m, dir)
                 ? -1
                 : 0;
    pb_model_unmerge(m);
    return rc;
}
